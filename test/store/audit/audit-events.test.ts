import { expect } from 'chai'
import { exportAudit } from '../../../src/audit-export.ts'
import { type AuditEntry, auditRow } from '../../../src/store/audit/audit.ts'
import {
  type AuditPage,
  type AuditRecord,
  parseAuditKey,
  readAuditEvents,
  spellAuditKey,
} from '../../../src/store/audit/audit-events.ts'
import { AUDIT_EVENTS } from '../../../src/store/audit/audit-meanings.ts'
import { type Database, sql, write } from '../../../src/store/database.ts'
import { insertOrganisation } from '../../../src/store/organisations/organisations.ts'
import { NOW, onEveryDatabase, person, roundTrips } from '../contract.ts'

const HOUR = 60 * 60 * 1000
const setDetails = sql(
  'test_audit_by_hand',
  "INSERT INTO audit_events (at, event, organisation_id, details) VALUES (?, 'login', ?, ?)",
)

onEveryDatabase('reading the audit log', open => {
  let database: Database
  let dana: string
  let olu: string
  let stranger: string
  const org = 'org_acme'

  const write_ = (entry: AuditEntry, at: number) => database.commit([auditRow(entry, at)])
  const read = (page: Partial<AuditPage> = {}) => readAuditEvents(database, org, { limit: 100, ...page })
  const times = (records: readonly AuditRecord[]) => records.map(each => (each.at - NOW) / HOUR)

  before(async () => {
    database = await open()
    for (const [id, name] of [
      [org, 'Acme'],
      ['org_other', 'Other'],
    ] as const) {
      await database.commit([insertOrganisation({ id, name, plan: 'P', subscribedAt: null }, NOW)])
    }
    dana = await person(database, { organisationId: org, name: 'Dana Whitlock', email: 'dana@acme.example' })
    olu = await person(database, { organisationId: org, name: 'Olu Adebayo', email: 'olu@acme.example' })
    stranger = await person(database, { organisationId: 'org_other', name: 'Not told' })
    const about = { organisationId: org, accountId: dana }
    await write_({ ...about, event: 'login', address: '203.0.113.9', interaction: 'i1' }, NOW)
    await write_({ ...about, event: 'login', details: { factors: ['pwd', 'otp'] } }, NOW + HOUR)
    await write_(
      { ...about, event: 'passkey.added', actorId: olu, details: { reason: 'lost' } },
      NOW + 2 * HOUR,
    )
    // A clock that lags behind: written later, and yet earlier.
    await write_({ organisationId: org, accountId: olu, event: 'login' }, NOW + 0.5 * HOUR)
    await write_({ organisationId: org, event: 'login.failed' }, NOW + 3 * HOUR)
    await write_(
      { organisationId: org, event: 'user.created', accountId: olu, actorId: 'operator' },
      NOW + 4 * HOUR,
    )
    await write_({ organisationId: org, event: 'logout', accountId: dana, actorId: stranger }, NOW + 5 * HOUR)
    await write_({ organisationId: 'org_other', accountId: stranger, event: 'login' }, NOW + HOUR)
    await write_({ event: 'client.created', actorId: 'operator' }, NOW + HOUR)
  })

  it('tells who, what, whom, when and from where, the newest first, of this organisation only', async () => {
    const records = await read()
    expect(times(records)).to.deep.equal([5, 4, 3, 2, 1, 0.5, 0])
    expect(records[3]).to.deep.include({
      event: 'passkey.added',
      account: { id: dana, name: 'Dana Whitlock', email: 'dana@acme.example' },
      actor: { id: olu, name: 'Olu Adebayo', email: 'olu@acme.example' },
      address: null,
      details: { reason: 'lost' },
    })
    expect(records.at(-1)).to.deep.include({ actor: null, address: '203.0.113.9', interaction: 'i1' })
    expect(records[2]).to.deep.include({ account: null })
  })

  it('tells of people of other organisations, and of programs, the id alone', async () => {
    const [first, second] = await read()
    expect(first?.actor).to.deep.equal({ id: stranger, name: null, email: null })
    expect(second?.actor).to.deep.equal({ id: 'operator', name: null, email: null })
  })

  it('filters by event, by person on either side, by time, and by all of them', async () => {
    expect(times(await read({ event: 'login' }))).to.deep.equal([1, 0.5, 0])
    expect(times(await read({ person: dana }))).to.deep.equal([5, 2, 1, 0])
    expect(times(await read({ person: olu }))).to.deep.equal([4, 2, 0.5])
    expect(times(await read({ person: olu, event: 'login' }))).to.deep.equal([0.5])
    expect(times(await read({ from: NOW + HOUR, to: NOW + 3 * HOUR }))).to.deep.equal([2, 1])
    expect(
      times(await read({ person: dana, event: 'login', from: NOW + 1, to: NOW + HOUR + 1 })),
    ).to.deep.equal([1])
    expect(await read({ event: 'step_up' })).to.deep.equal([])
    expect(await read({ person: stranger })).to.have.length(1)
    expect(await readAuditEvents(database, 'org_none', { limit: 5 })).to.deep.equal([])
  })

  it('tells once of what somebody did to themselves', async () => {
    await write_({ organisationId: org, accountId: olu, actorId: olu, event: 'code.wrong' }, NOW - HOUR)
    expect(times(await read({ person: olu, event: 'code.wrong' }))).to.deep.equal([-1])
  })

  it('pages by key, back and forth, through rows of the same millisecond', async () => {
    const rows = Array.from({ length: 25 }, (_, index) =>
      auditRow(
        { organisationId: org, accountId: dana, event: 'code.blocked', details: { index } },
        NOW + 9 * HOUR,
      ),
    )
    await database.commit(rows)
    for (const filter of [{}, { person: dana }, { event: 'code.blocked' as const }]) {
      const all = await read(filter)
      const seen: AuditRecord[] = []
      for (let before: AuditRecord | undefined; ; ) {
        const page = await read({ ...filter, before, limit: 7 })
        seen.push(...page)
        before = page.at(-1)
        if (page.length < 7) break
      }
      expect(seen).to.deep.equal(all)
      // From the last one back to the first.
      const back: AuditRecord[] = []
      for (let after = all.at(-1); ; ) {
        const page = await read({ ...filter, after, limit: 7 })
        back.unshift(...page)
        after = page[0] ?? after
        if (page.length < 7) break
      }
      expect(back).to.deep.equal(all.slice(0, -1))
    }
  })

  it('spells keys for addresses, and takes back only what it spelled', async () => {
    const [record] = await read()
    if (record === undefined) throw new Error('no rows')
    expect(parseAuditKey(spellAuditKey(record))).to.deep.equal({ at: record.at, id: record.id })
    for (const text of ['', '1', '1.', '.1', '1.2.3', '-1.2', '1e3.2', '1.2 ', `1.${'9'.repeat(16)}`])
      expect(parseAuditKey(text), text).to.equal(undefined)
  })

  it('costs one read, and two where a person is asked for', async () => {
    expect(await roundTrips(database, () => read())).to.deep.equal({ reads: 1, commits: 0 })
    expect(await roundTrips(database, () => read({ person: dana }))).to.deep.equal({ reads: 2, commits: 0 })
  })

  it('shows details that somebody wrote by hand and that are no JSON', async () => {
    await database.commit([write(setDetails, [NOW + 20 * HOUR, org, 'not JSON'])])
    expect((await read({ limit: 1 }))[0]?.details).to.deep.equal({ unreadable: 'not JSON' })
  })

  it('knows every event by its meaning', () => {
    expect(AUDIT_EVENTS).to.include.members(['login', 'signing_keys.created'])
  })
})

onEveryDatabase('A6: exporting the audit log', open => {
  let database: Database
  const org = 'org_acme'
  const names = {
    formula: "=cmd|' /C calc'!A0",
    lines: 'Dana\r\nlogin,forged\n"x"',
    markup: '<script>alert(1)</script>',
    long: 'N'.repeat(10 * 1024),
  }
  const chunks = async (format: 'csv' | 'jsonl', filter = {}) => {
    const found: string[] = []
    for await (const each of exportAudit(database, org, format, filter)) found.push(each)
    return found
  }
  const text = async (format: 'csv' | 'jsonl', filter = {}) => (await chunks(format, filter)).join('')

  before(async () => {
    database = await open()
    await database.commit([insertOrganisation({ id: org, name: 'Acme', plan: 'P', subscribedAt: null }, NOW)])
    const admin = await person(database, {
      organisationId: org,
      name: '+Admin',
      email: '=admin@acme.example',
    })
    for (const [index, name] of Object.values(names).entries()) {
      // PostgreSQL holds no longer name than 200; the longest comes in the details.
      const id = await person(database, { organisationId: org, name: name.slice(0, 200) })
      await database.commit([
        auditRow(
          {
            event: 'authenticator.set_up',
            organisationId: org,
            accountId: id,
            actorId: admin,
            address: '203.0.113.9',
            interaction: 'i1',
            details: { name, reason: `=${name}`, factors: ['pwd', 'otp'] },
          },
          NOW + index,
        ),
      ])
    }
  })

  it('has one line for each event in CSV, and no cell that is a formula', async () => {
    const csv = await text('csv')
    const lines = csv.split('\r\n')
    expect(lines.pop()).to.equal('')
    expect(lines).to.have.length(5)
    expect(csv.replaceAll('\r\n', '')).not.to.match(/[\r\n]/)
    expect(lines[0]).to.equal(
      '"time","event","account_id","account_name","account_email","actor_id","actor_name","actor_email","address","factors","reason","interaction","details","id"',
    )
    for (const line of lines.slice(1)) {
      const cells = line.slice(1, -1).split('","')
      expect(cells).to.have.length.of.at.least(14)
      expect(cells.filter(each => /^[=+\-@\t\r]/.test(each))).to.deep.equal([])
      expect(line).to.include(`"'+Admin","'=admin@acme.example","203.0.113.9","pwd otp","'=`)
    }
    expect(csv).to.include(names.long).and.to.include('<script>')
    expect(csv).to.include('"2026-05-14T09:31:00.000Z"')
  })

  it('has one object a line in JSON, with names as they are', async () => {
    const jsonl = await text('jsonl')
    const lines = jsonl.split('\n')
    expect(lines.pop()).to.equal('')
    const objects = lines.map(each => JSON.parse(each))
    expect(objects.map(each => each.details.name)).to.deep.equal(Object.values(names).reverse())
    expect(objects[3]).to.deep.include({
      time: '2026-05-14T09:31:00.000Z',
      event: 'authenticator.set_up',
      address: '203.0.113.9',
    })
    expect(objects[3].account.name).to.equal(names.formula)
    expect(objects[3].actor.email).to.equal('=admin@acme.example')
  })

  it('leaves out what the filter leaves out, and is a header alone where nothing is left', async () => {
    expect((await text('jsonl', { from: NOW + 1, to: NOW + 3 })).trim().split('\n')).to.have.length(2)
    expect((await text('csv', { event: 'login' })).split('\r\n')).to.have.length(2)
    expect(await text('jsonl', { event: 'login' })).to.equal('')
  })

  it('comes page by page, each row once', async () => {
    const rows = Array.from({ length: 1203 }, (_, index) =>
      auditRow({ event: 'logout', organisationId: org, details: { index } }, NOW + HOUR + (index % 50)),
    )
    while (rows.length > 0) await database.commit(rows.splice(0, 100))
    const pieces = await chunks('jsonl', { event: 'logout' })
    expect(pieces).to.have.length(3)
    const seen = pieces
      .join('')
      .trim()
      .split('\n')
      .map(each => JSON.parse(each).details.index)
    expect(new Set(seen).size).to.equal(1203)
    expect(seen).to.have.length(1203)
  })
})
