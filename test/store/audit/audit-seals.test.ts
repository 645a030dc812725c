// The audit log can be added to and nothing else, and is sealed while the server runs.

import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import pg from 'pg'
import { auditRow } from '../../../src/store/audit/audit.ts'
import { createHorizon } from '../../../src/store/audit/audit-horizon.ts'
import { SEAL_EVERY_MS, sealAudit, startSealing } from '../../../src/store/audit/audit-sealer.ts'
import { verifyAudit } from '../../../src/store/audit/audit-verify.ts'
import type { Database } from '../../../src/store/database.ts'
import type { JobLog } from '../../../src/store/jobs/job-worker.ts'
import { createKeyring } from '../../../src/store/seal.ts'
import { failureOf, NOW, onEveryDatabase, onPostgres, rowsOf, SECRET_KEY } from '../contract.ts'
import { type Attacker, createAttacker } from './audit-tampering.ts'

const keyring = createKeyring([SECRET_KEY])
const clock = () => NOW
const quietLog: JobLog = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** Rows in commits of their own. */
async function events(database: Database, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await database.commit([auditRow({ event: 'login', accountId: 'usr_1', details: { index } }, NOW + index)])
  }
}

interface Line {
  readonly level: keyof JobLog
  readonly fields: Record<string, unknown>
  readonly text: string
}

function listeningLog(): { log: JobLog; lines: Line[]; said(text: RegExp): Line[] } {
  const lines: Line[] = []
  const note = (level: keyof JobLog) => (fields: object, text: string) =>
    void lines.push({ level, fields: fields as Record<string, unknown>, text })
  return {
    log: { info: note('info'), warn: note('warn'), error: note('error') },
    lines,
    said: text => lines.filter(each => text.test(each.text)),
  }
}

async function until(holds: () => Promise<boolean> | boolean, ms = 5000): Promise<void> {
  for (const started = Date.now(); !(await holds()); await sleep(20)) {
    if (Date.now() - started > ms) throw new Error(`not within ${ms} ms`)
  }
}

onEveryDatabase('A6: the audit log', (open, place) => {
  let database: Database
  let attacker: Attacker

  before(async () => {
    database = await open()
    attacker = await createAttacker(open, place)
    await events(database, 3)
    await sealAudit(database, keyring, clock)
  })
  after(() => attacker.close())

  const changes = [
    "UPDATE audit_events SET details = '{}'",
    'UPDATE audit_events SET at = 0 WHERE id = 2',
    'DELETE FROM audit_events WHERE id = 2',
    'DELETE FROM audit_events',
    "UPDATE audit_seals SET head = ''",
    'DELETE FROM audit_seals',
  ]
  const own = {
    sqlite: [
      "INSERT OR REPLACE INTO audit_events (id, at, event, details) VALUES (2, 0, 'login', '')",
      "REPLACE INTO audit_events (id, at, event, details) VALUES (2, 0, 'login', '')",
      "INSERT INTO audit_events (id, at, event, details) VALUES (2, 0, 'login', '') ON CONFLICT (id) DO UPDATE SET at = 0",
      `REPLACE INTO audit_seals SELECT seq, 0, 0, '', '', '', 0 FROM audit_seals`,
    ],
    postgres: [
      'TRUNCATE audit_events',
      'TRUNCATE audit_seals',
      'DELETE FROM audit_events WHERE id = -1',
      "SET session_replication_role = 'replica'; DELETE FROM audit_events; RESET session_replication_role",
      "INSERT INTO audit_events (id, at, event, details) VALUES (2, 0, 'login', '') ON CONFLICT (id) DO UPDATE SET at = 0",
    ],
  }
  for (const change of [...changes, ...own[place.dialect]]) {
    it(`refuses: ${change}`, async () => {
      const before = [await rowsOf(database, 'audit_events'), await rowsOf(database, 'audit_seals')]
      expect(String(await failureOf(attacker.run(change)))).to.match(/audit_(events|seals) is append-only/)
      if (place.dialect === 'postgres') await attacker.run('RESET session_replication_role')
      expect([await rowsOf(database, 'audit_events'), await rowsOf(database, 'audit_seals')]).to.deep.equal(
        before,
      )
    })
  }

  it('still takes new rows', async () => {
    await events(database, 1)
    expect(await rowsOf(database, 'audit_events')).to.have.length(4)
  })
})

onEveryDatabase('sealing the audit log', open => {
  let database: Database
  before(async () => {
    database = await open()
  })
  const seals = async () =>
    (await rowsOf(database, 'audit_seals')).sort((a, b) => Number(a.seq) - Number(b.seq))

  it('makes no seal of nothing', async () => {
    expect(await sealAudit(database, keyring, clock)).to.equal(undefined)
    expect(await verifyAudit(database, keyring)).to.include({ ok: true, seals: 0, unsealed: 0 })
  })

  it('covers every row once, each seal on top of the one before', async () => {
    await events(database, 5)
    const first = await sealAudit(database, keyring, clock)
    await events(database, 2)
    const second = await sealAudit(database, keyring, clock)
    expect([first?.seq, second?.seq]).to.deep.equal([1, 2])
    expect((await seals()).map(each => each.row_count)).to.deep.equal([5, 2])
    expect(await sealAudit(database, keyring, clock)).to.deep.include({ seq: 2, head: second?.head })
    expect(await verifyAudit(database, keyring)).to.include({ ok: true, seals: 2, rows: 7, unsealed: 0 })
  })

  it('seals many in batches', async () => {
    const writes = Array.from({ length: 2300 }, () => auditRow({ event: 'logout' }, NOW))
    while (writes.length > 0) await database.commit(writes.splice(0, 100))
    await sealAudit(database, keyring, clock)
    expect((await seals()).slice(2).map(each => each.row_count)).to.deep.equal([1000, 1000, 300])
    expect(await verifyAudit(database, keyring)).to.include({ ok: true, rows: 2307, unsealed: 0 })
  })

  it('says how many rows are not sealed yet, and since when', async () => {
    await events(database, 3)
    expect(await verifyAudit(database, keyring)).to.include({ ok: true, unsealed: 3, unsealedSince: NOW })
    await sealAudit(database, keyring, clock)
  })

  it('is done by twenty at once on two replicas without a seal too many', async () => {
    const replicas = [database, await open()]
    await events(database, 30)
    const before = (await seals()).length
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => sealAudit(replicas[index % 2] as Database, keyring, clock)),
    )
    expect(await seals()).to.have.length(before + 1)
    expect(await verifyAudit(database, keyring)).to.include({ ok: true, unsealed: 0 })
  })

  it('goes on in order while two replicas seal and rows are written all the time', async () => {
    const replicas = [database, await open()]
    const sealers = replicas.map(each =>
      startSealing({ database: each, keyring, log: quietLog, clock, intervalMs: 3 }),
    )
    const writers = [database, await open(), await open()]
    const before = (await verifyAudit(database, keyring)).rows
    await Promise.all(writers.map(each => events(each, 60)))
    // Also while it goes on, nothing looks wrong.
    expect(await verifyAudit(database, keyring)).to.include({ ok: true })
    await Promise.all(sealers.map(each => each.stop()))
    await sealAudit(database, keyring, clock)
    const verdict = await verifyAudit(database, keyring)
    expect(verdict.problems).to.deep.equal([])
    expect(verdict).to.include({ ok: true, rows: before + 180, unsealed: 0 })
  })

  it('happens within five seconds of a commit, without being asked', async function () {
    this.timeout(10_000)
    expect(SEAL_EVERY_MS).to.be.below(5000)
    const sealer = startSealing({ database, keyring, log: quietLog, clock })
    await sleep(100)
    await events(database, 1)
    await until(async () => (await verifyAudit(database, keyring)).unsealed === 0)
    await sealer.stop()
  })

  it('tells the log the head at the start, once an hour, and at the end if it moved', async () => {
    let now = NOW
    const { log, said } = listeningLog()
    const start = (await seals()).at(-1)?.head
    const sealer = startSealing({ database, keyring, log, clock: () => now, intervalMs: 5 })
    await until(() => said(/^head/).length === 1)
    await events(database, 2)
    await until(async () => (await verifyAudit(database, keyring)).unsealed === 0)
    await sleep(30)
    expect(said(/^head/)).to.have.length(1)
    now += 60 * 60 * 1000
    await until(() => said(/^head/).length === 2)
    await events(database, 1)
    await sealer.stop()
    const heads = said(/^head/).map(each => each.fields.head)
    expect(heads).to.have.length(3)
    expect(heads[0]).to.equal(start)
    expect(heads[2]).to.equal((await seals()).at(-1)?.head)
    for (const head of heads) {
      expect((await verifyAudit(database, keyring, { head: String(head) })).ok).to.equal(true)
    }
  })

  it('F22: with the database away, says so once, keeps what was written and seals it when it is back', async () => {
    const { log, said } = listeningLog()
    let away = false
    const faulty: Database = {
      ...database,
      read: (...args) => (away ? Promise.reject(new Error('away')) : database.read(...args)),
    }
    const sealer = startSealing({ database: faulty, keyring, log, clock, intervalMs: 5 })
    away = true
    await until(() => said(/could not be sealed/).length === 1)
    await events(database, 2)
    await sleep(50)
    expect(said(/could not be sealed/)).to.have.length(1)
    expect(await verifyAudit(database, keyring)).to.include({ ok: true, unsealed: 2 })
    away = false
    await until(async () => (await verifyAudit(database, keyring)).unsealed === 0)
    await sealer.stop()
    expect(said(/sealed again/)).to.have.length(1)
  })

  it('leaves a seal or none where it dies between the rows and the seal, and goes on from there', async () => {
    await events(database, 4)
    const before = await seals()
    const dying: Database = { ...database, commit: () => Promise.reject(new Error('killed')) }
    expect(await failureOf(sealAudit(dying, keyring, clock))).to.have.property('message', 'killed')
    expect(await seals()).to.deep.equal(before)
    // The commit went through, and nobody was left to be told.
    const dead: Database = {
      ...database,
      async commit(writes) {
        await database.commit(writes)
        throw new Error('killed')
      },
    }
    expect(await failureOf(sealAudit(dead, keyring, clock))).to.have.property('message', 'killed')
    expect(await seals()).to.have.length(before.length + 1)
    await events(database, 1)
    await sealAudit(database, keyring, clock)
    expect(await verifyAudit(database, keyring)).to.include({ ok: true, unsealed: 0 })
  })
})

onEveryDatabase('a seal that was removed while a server runs', (open, place) => {
  it('is missed by whoever made it, in the log, and what follows is sealed on', async () => {
    const database = await open()
    const { log, said } = listeningLog()
    await events(database, 3)
    await sealAudit(database, keyring, clock)
    await events(database, 3)
    const sealer = startSealing({ database, keyring, log, clock, intervalMs: 5 })
    await until(async () => (await verifyAudit(database, keyring)).seals === 2)
    await sleep(30)
    expect(said(/is gone/)).to.deep.equal([])
    const { head } = await verifyAudit(database, keyring)
    const attacker = await createAttacker(open, place)
    await attacker.dropTriggers()
    // Cuts the end off and has the server seal something else in its place.
    await attacker.run("UPDATE audit_events SET details = '{}' WHERE id = (SELECT max(id) FROM audit_events)")
    await attacker.run('DELETE FROM audit_seals WHERE seq = 2')
    await attacker.close()
    await until(() => said(/is gone/).length === 1)
    expect(said(/is gone/)[0]?.fields).to.deep.equal({ seq: 2, head })
    await until(async () => (await verifyAudit(database, keyring)).unsealed === 0)
    await sealer.stop()
    expect(said(/is gone/)).to.have.length(1)
    // In itself the log fits again: the head that was told is what says that it is another.
    expect((await verifyAudit(database, keyring)).ok).to.equal(true)
    expect((await verifyAudit(database, keyring, { head })).ok).to.equal(false)
  })
})

onPostgres('rows that become visible out of order', (open, place) => {
  let database: Database
  let slow: pg.Client
  const insert = `INSERT INTO audit_events (at, event, details) VALUES (${NOW}, 'login', '{}') RETURNING id`

  before(async () => {
    database = await open()
    slow = new pg.Client({ connectionString: await place.url() })
    await slow.connect()
    await events(database, 2)
    await sealAudit(database, keyring, clock)
  })
  after(() => slow.end())

  it('are waited for: a lower id that is committed later is sealed in its place', async () => {
    const horizon = createHorizon(database, clock)
    await slow.query('BEGIN')
    const { id } = (await slow.query(insert)).rows[0]
    await events(database, 3)
    const before = await sealAudit(database, keyring, clock, horizon)
    expect(before?.seq).to.equal(1)
    expect(horizon.waiting()?.writers).to.have.length(1)
    expect(await verifyAudit(database, keyring)).to.include({ ok: true, rows: 2, unsealed: 3 })
    await slow.query('COMMIT')
    await events(database, 1)
    // First what was seen before, then the rest.
    const after = await sealAudit(database, keyring, clock, horizon)
    expect(after?.lastId).to.equal(Number(id) + 3)
    await sealAudit(database, keyring, clock, horizon)
    const verdict = await verifyAudit(database, keyring)
    expect(verdict.problems).to.deep.equal([])
    expect(verdict).to.include({ rows: 7, unsealed: 0 })
  })

  it('are not waited for when they are rolled back', async () => {
    await slow.query('BEGIN')
    await slow.query(insert)
    await events(database, 1)
    await slow.query('ROLLBACK')
    await sealAudit(database, keyring, clock)
    expect(await verifyAudit(database, keyring)).to.include({ ok: true, rows: 8, unsealed: 0 })
  })

  it('hold nobody up who only reads, or writes to other tables', async () => {
    await slow.query('BEGIN')
    await slow.query('SELECT count(*) FROM audit_events')
    await slow.query("INSERT INTO spent (kind, id, expires_at) VALUES ('other', 'x', 0)")
    await events(database, 1)
    await sealAudit(database, keyring, clock)
    expect(await verifyAudit(database, keyring)).to.include({ ok: true, unsealed: 0 })
    await slow.query('ROLLBACK')
  })

  it('are named in the log when somebody keeps them waiting', async () => {
    const { log, said } = listeningLog()
    let now = NOW
    await slow.query('BEGIN')
    await slow.query(insert)
    await events(database, 1)
    const sealer = startSealing({ database, keyring, log, clock: () => now, intervalMs: 5 })
    await sleep(800)
    expect(said(/stays open/)).to.deep.equal([])
    now += 60_000
    await until(() => said(/stays open/).length === 1)
    await slow.query('COMMIT')
    await until(async () => (await verifyAudit(database, keyring)).unsealed === 0)
    await sealer.stop()
    expect(said(/stays open/)).to.have.length(1)
  })

  it('never come behind a seal, however many commit slowly and at random', async function () {
    this.timeout(30_000)
    const sealer = startSealing({ database, keyring, log: quietLog, clock, intervalMs: 5 })
    const url = await place.url()
    await Promise.all(
      Array.from({ length: 8 }, async (_, who) => {
        const client = new pg.Client({ connectionString: url })
        await client.connect()
        for (let turn = 0; turn < 25; turn++) {
          await client.query('BEGIN')
          await client.query(insert)
          await sleep((who * 7 + turn * 13) % 40)
          await client.query((who + turn) % 5 === 0 ? 'ROLLBACK' : 'COMMIT')
        }
        await client.end()
      }),
    )
    await sealer.stop()
    await sealAudit(database, keyring, clock)
    const verdict = await verifyAudit(database, keyring)
    expect(verdict.problems).to.deep.equal([])
    expect(verdict.unsealed).to.equal(0)
    expect(verdict.seals).to.be.greaterThan(5)
  })
})
