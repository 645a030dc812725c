// Who may write the database and has no secret key changes nothing that was sealed without its being told.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { auditRow } from '../../../src/store/audit/audit.ts'
import { judgeSeal, makeSeal, readSeals } from '../../../src/store/audit/audit-chain.ts'
import { sealAudit } from '../../../src/store/audit/audit-sealer.ts'
import { type AuditProblem, verifyAudit } from '../../../src/store/audit/audit-verify.ts'
import type { Database } from '../../../src/store/database.ts'
import { createKeyring } from '../../../src/store/seal.ts'
import { NOW, onEveryDatabase, roundTrips, rowsOf, SECRET_KEY } from '../contract.ts'
import { type Attacker, createAttacker } from './audit-tampering.ts'

const run = promisify(execFile)
const OTHER_KEY = 'another-secret-key-of-32-characters-'
const keyring = createKeyring([SECRET_KEY])
const clock = () => NOW

/** Seals of ten rows each. */
async function sealed(database: Database, seals: number, keys = keyring): Promise<void> {
  for (let seal = 0; seal < seals; seal++) {
    const rows = Array.from({ length: 10 }, (_, index) =>
      auditRow({ event: 'login', accountId: `usr_${index}`, details: { seal, index } }, NOW + index),
    )
    await database.commit(rows)
    await sealAudit(database, keys, clock)
  }
}

onEveryDatabase('A6: verifying the audit log', (open, place) => {
  let database: Database
  let attacker: Attacker
  let ids: number[]

  before(async () => {
    database = await open()
    attacker = await createAttacker(open, place)
    await sealed(database, 4)
    // A hole where a row was rolled back, so that one can be put there.
    const top = Math.max(...(await rowsOf(database, 'audit_events')).map(each => Number(each.id)))
    await attacker.run(
      `INSERT INTO audit_events (id, at, event, details) VALUES (${top + 2}, 1, 'login', '{}')`,
    )
    await sealAudit(database, keyring, clock)
    ids = (await rowsOf(database, 'audit_events')).map(each => Number(each.id)).sort((a, b) => a - b)
    await attacker.dropTriggers()
    await attacker.keep()
  })
  afterEach(() => attacker.restore())
  after(() => attacker.close())

  const problems = async (): Promise<readonly AuditProblem[]> => {
    const verdict = await verifyAudit(database, keyring)
    expect(verdict.ok).to.equal(verdict.problems.length === 0)
    expect(verdict.problemCount).to.equal(verdict.problems.length)
    return verdict.problems
  }
  const id = (index: number) => ids.at(index) ?? 0
  const covers = (seal: number) => ({
    seal,
    firstId: seal === 1 ? undefined : id((seal - 1) * 10 - 1) + 1,
    lastId: seal === 5 ? id(-1) : id(seal * 10 - 1),
  })

  it('finds nothing where nothing was done', async () => {
    expect(await problems()).to.deep.equal([])
    expect(await verifyAudit(database, keyring)).to.include({ seals: 5, rows: 41, seq: 5, sealedAt: NOW })
  })

  const columns: Record<string, string> = {
    at: 'at + 1',
    event: "'logout'",
    organisation_id: "'org_other'",
    account_id: 'NULL',
    actor_id: "'usr_other'",
    address: "'203.0.113.9'",
    interaction: "''",
    details: "'{}'",
  }
  for (const [column, value] of Object.entries(columns)) {
    it(`finds a row whose ${column} was changed`, async () => {
      await attacker.run(`UPDATE audit_events SET ${column} = ${value} WHERE id = ${id(12)}`)
      expect(await problems()).to.deep.equal([{ fault: 'rows_changed', ...covers(2) }])
    })
  }

  it('finds values that moved from one column to the next', async () => {
    await attacker.run(`UPDATE audit_events SET actor_id = account_id, account_id = NULL WHERE id = ${id(3)}`)
    expect(await problems()).to.deep.equal([{ fault: 'rows_changed', ...covers(1) }])
  })

  for (const [where, index, seal] of [
    ['the first', 0, 1],
    ['one in the middle', 14, 2],
    ['the last of a seal', 19, 2],
    ['the first of a seal', 20, 3],
    ['the last', -1, 5],
  ] as const) {
    it(`finds that ${where} row was removed`, async () => {
      await attacker.run(`DELETE FROM audit_events WHERE id = ${id(index)}`)
      expect(await problems()).to.deep.equal([{ fault: 'rows_removed', ...covers(seal) }])
    })
  }

  it('finds that all rows were removed', async () => {
    await attacker.run('DELETE FROM audit_events')
    expect((await problems()).map(each => each.fault)).to.deep.equal(Array(5).fill('rows_removed'))
  })

  it('finds that two rows changed places', async () => {
    await attacker.run(`UPDATE audit_events SET id = -1 WHERE id = ${id(21)}`)
    await attacker.run(`UPDATE audit_events SET id = ${id(21)} WHERE id = ${id(22)}`)
    await attacker.run(`UPDATE audit_events SET id = ${id(22)} WHERE id = -1`)
    expect(await problems()).to.deep.equal([{ fault: 'rows_changed', ...covers(3) }])
  })

  it('finds a row that moved to another seal, at both places', async () => {
    await attacker.run(`UPDATE audit_events SET id = ${id(-1) - 1} WHERE id = ${id(5)}`)
    expect(await problems()).to.deep.equal([
      { fault: 'rows_removed', ...covers(1) },
      { fault: 'rows_inserted', ...covers(5) },
    ])
  })

  for (const [where, at] of [
    ['where one was rolled back', () => id(-1) - 1],
    ['before the first', () => -5],
  ] as const) {
    it(`finds a row that was put in ${where}, also after the sealer came by`, async () => {
      await attacker.run(
        `INSERT INTO audit_events (id, at, event, details) VALUES (${at()}, 1, 'login', '{}')`,
      )
      await sealAudit(database, keyring, clock)
      expect(await problems()).to.deep.equal([{ fault: 'rows_inserted', ...covers(at() < 0 ? 1 : 5) }])
    })
  }

  it('finds many rows that were put in, without reading them all at once', async () => {
    await attacker.run('DELETE FROM audit_events')
    const values = Array.from({ length: 5000 }, (_, index) => `(${index - 5000}, 1, 'login', '{}')`)
    await attacker.run(`INSERT INTO audit_events (id, at, event, details) VALUES ${values.join(',')}`)
    const trips = await roundTrips(database, problems)
    expect(trips.reads).to.be.greaterThan(4)
    expect((await problems())[0]?.fault).to.equal('rows_inserted')
  })

  it('finds a seal that was made over changed rows without the key', async () => {
    await attacker.run(`UPDATE audit_events SET details = '{}' WHERE id = ${id(32)}`)
    const [, , , seal] = await readSeals(database, 0, 10)
    const forged = makeSeal(
      createKeyring([OTHER_KEY]),
      { seq: 3, head: (await readSeals(database, 2, 1))[0]?.head ?? '' },
      { lastId: seal?.lastId ?? 0, rows: 10, digest: '0'.repeat(64) },
      NOW,
    )
    await attacker.run(
      `UPDATE audit_seals SET digest = '${forged.digest}', head = '${forged.head}' WHERE seq = 4`,
    )
    // The seal behind it was made on top of another head.
    expect((await problems()).map(each => [each.fault, each.seal])).to.deep.equal([
      ['seal_forged', 4],
      ['seal_forged', 5],
    ])
  })

  for (const [column, value] of Object.entries({
    last_id: 'last_id - 1',
    row_count: '9',
    digest: "'00'",
    head: 'upper(head)',
    sealed_at: 'sealed_at - 1',
  })) {
    it(`finds a last seal whose ${column} was changed`, async () => {
      await attacker.run('DELETE FROM audit_seals WHERE seq = 5')
      await attacker.run(`UPDATE audit_seals SET ${column} = ${value} WHERE seq = 4`)
      expect((await problems()).map(each => [each.fault, each.seal])).to.deep.equal([['seal_forged', 4]])
    })
  }

  it('finds that a seal was removed at the beginning or in the middle', async () => {
    await attacker.run('DELETE FROM audit_seals WHERE seq IN (1, 3)')
    expect(await problems()).to.deep.equal([
      { fault: 'seal_missing', seal: 1 },
      { fault: 'seal_missing', seal: 3 },
    ])
  })

  it('finds that seals changed places', async () => {
    for (const [from, to] of [
      [2, 9],
      [3, 2],
      [9, 3],
    ])
      await attacker.run(`UPDATE audit_seals SET seq = ${to} WHERE seq = ${from}`)
    expect((await problems()).map(each => each.fault)).to.include('seal_forged')
  })

  it('finds that the end was removed and sealed anew, by a head that the log told of', async () => {
    const { head } = await verifyAudit(database, keyring)
    const early = (await readSeals(database, 1, 1))[0]?.head
    await attacker.run(`DELETE FROM audit_events WHERE id > ${id(19)}`)
    await attacker.run('DELETE FROM audit_seals WHERE seq > 2')
    // By itself what is left fits, and the server seals on, on top of it.
    expect(await problems()).to.deep.equal([])
    await sealed(database, 2)
    expect(await problems()).to.deep.equal([])
    expect((await verifyAudit(database, keyring, { head })).problems).to.deep.equal([
      { fault: 'head_missing', seal: 5 },
    ])
    expect((await verifyAudit(database, keyring, { head: early })).ok).to.equal(true)
  })

  it('finds that everything was removed, by a head that the log told of', async () => {
    const { head } = await verifyAudit(database, keyring)
    await attacker.run('DELETE FROM audit_events')
    await attacker.run('DELETE FROM audit_seals')
    const verdict = await verifyAudit(database, keyring, { head })
    expect(verdict).to.include({ ok: false, seals: 0, head: undefined })
  })

  it('tells of the first hundred problems, and how many there are', async () => {
    await sealed(database, 120)
    await attacker.run("UPDATE audit_events SET address = 'x'")
    const verdict = await verifyAudit(database, keyring)
    expect(verdict.problems).to.have.length(100)
    expect(verdict.problemCount).to.equal(125)
  })

  it('looks at the newest seals alone where it is told to', async () => {
    await attacker.run(`UPDATE audit_events SET at = 0 WHERE id IN (${id(2)}, ${id(25)})`)
    expect(await verifyAudit(database, keyring, { newest: 2 })).to.include({ ok: true, seals: 2, rows: 11 })
    expect(await verifyAudit(database, keyring, { newest: 3 })).to.include({ ok: false, seals: 3 })
    expect(await verifyAudit(database, keyring, { newest: 50 })).to.include({ problemCount: 2, seals: 5 })
  })
})

onEveryDatabase('the keys of the audit log', (open, place) => {
  let database: Database
  const rotated = createKeyring([OTHER_KEY, SECRET_KEY])

  before(async () => {
    database = await open()
    await sealed(database, 2)
    await sealed(database, 2, rotated)
  })

  it('are rotated: the newest seals, and all that are listed verify', async () => {
    const keyIds = (await readSeals(database, 0, 10)).map(each => each.keyId)
    expect(new Set(keyIds).size).to.equal(2)
    expect(keyIds[0]).not.to.equal(keyIds[3])
    expect(await verifyAudit(database, rotated)).to.include({ ok: true, seals: 4, rows: 40 })
  })

  it('are missed by name, not taken for tampering, when one is no longer listed', async () => {
    const verdict = await verifyAudit(database, createKeyring([OTHER_KEY]))
    expect(verdict.problems.map(each => [each.fault, each.seal])).to.deep.equal([
      ['key_unknown', 1],
      ['key_unknown', 2],
    ])
    expect((await verifyAudit(database, keyring)).problems.map(each => each.seal)).to.deep.equal([3, 4])
  })

  it('are no use for another place in the chain', async () => {
    const [first, second] = await readSeals(database, 0, 2)
    if (first === undefined || second === undefined) throw new Error('no seals')
    expect(judgeSeal(keyring, first, '')).to.equal('ok')
    expect(judgeSeal(keyring, first, second.head)).to.equal('forged')
    expect(judgeSeal(keyring, { ...first, seq: 2 }, '')).to.equal('forged')
    expect(judgeSeal(keyring, { ...first, keyId: '0'.repeat(16) }, second.head)).to.equal('unknown_key')
  })

  it('F3: killed at any moment while it seals, leaves a chain that fits', async function () {
    this.timeout(60_000)
    const process_ = fileURLToPath(new URL('killed-sealer.ts', import.meta.url))
    const writes = Array.from({ length: 3000 }, () => auditRow({ event: 'login' }, NOW))
    while (writes.length > 0) await database.commit(writes.splice(0, 100))
    for (const at of ['rows', 'seal', 'sealed']) {
      const death = await run(process.execPath, [process_, await place.url(), at]).catch(
        (error: unknown) => error,
      )
      expect(death).to.have.property('signal', 'SIGKILL')
      expect((await verifyAudit(database, rotated)).problems).to.deep.equal([])
    }
    expect((await verifyAudit(database, rotated)).unsealed).to.be.within(1000, 3000)
    await sealAudit(database, rotated, clock)
    expect(await verifyAudit(database, rotated)).to.include({ ok: true, rows: 3040, unsealed: 0 })
  })
})
