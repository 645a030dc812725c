import { expect } from 'chai'
import { BUDGETS, codeSubject, interactionSubject, reserveAttempt } from '../../../src/factors/attempts.ts'
import { spend } from '../../../src/store/accounts/credentials.ts'
import { issueToken } from '../../../src/store/accounts/emailed-tokens.ts'
import { auditRow } from '../../../src/store/audit/audit.ts'
import type { Database, Write } from '../../../src/store/database.ts'
import { sweep } from '../../../src/store/jobs/sweep.ts'
import { upsertArtefact } from '../../../src/store/oidc/artefacts.ts'
import { endSession, upsertSession } from '../../../src/store/sessions/oidc-sessions.ts'
import { keepFact } from '../../../src/store/sessions/session-facts.ts'
import { NOW, onEveryDatabase, outcomeOf, person, roundTrips, rowsOf, type Table } from '../contract.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
/** Expired rows are kept a little longer, for clocks that differ. */
const GONE = NOW - 6 * MINUTE

onEveryDatabase('sweeping', open => {
  let database: Database
  let id: string
  const ids = async (table: Table, column = 'id') => (await rowsOf(database, table)).map(each => each[column])
  const artefact = (name: string, expiresAt: number | null): Write =>
    upsertArtefact({
      model: 'Interaction',
      id: name,
      payload: { name },
      grantId: undefined,
      sessionUid: undefined,
      expiresAt,
      owner: undefined,
    })
  const session = (uid: string, expiresAt: number): Write =>
    upsertSession(
      { uid, id: `id of ${uid}`, payload: {}, expiresAt, owner: { accountId: id, epoch: 0 } },
      NOW,
    )
  const fact = (uid: string): Write => keepFact(uid, id, { factor: 'pwd', kind: 'pwd', verifiedAt: NOW })
  const inBatches = async (writes: Write[]) => {
    while (writes.length > 0) await database.commit(writes.splice(0, 100))
  }

  before(async () => {
    database = await open()
    id = await person(database)
  })

  it('takes what expired, more than five minutes ago, and leaves the rest', async () => {
    const times = { gone: GONE, 'just now': NOW - 4 * MINUTE, later: NOW + MINUTE }
    for (const [name, time] of Object.entries(times)) {
      await database.commit([
        artefact(name, time),
        session(name, time),
        fact(name),
        spend('passkey-challenge', name, time),
      ])
    }
    await database.commit([artefact('for ever', null), auditRow({ event: 'login' }, 0)])
    expect(await sweep(database, NOW)).to.equal(3)
    const payloads = (await ids('oidc_artefacts', 'payload')).map(each => JSON.parse(String(each)).name)
    expect(payloads).to.have.members(['just now', 'later', 'for ever'])
    for (const [table, column] of [
      ['oidc_sessions', 'uid'],
      ['session_facts', 'session_uid'],
      ['spent', 'id'],
    ] as const) {
      expect(await ids(table, column), table).to.have.members(['just now', 'later'])
    }
    expect(await ids('audit_events')).to.have.length(1)
    expect(await sweep(database, NOW)).to.equal(0)
  })

  it('takes old links and counts, but not the count of wrong codes, nor what stops the first run', async () => {
    await database.commit([
      ...issueToken('code', id, 'old', null, GONE - 10 * MINUTE),
      ...issueToken('unblock', id, 'live', null, GONE - 10 * MINUTE),
      reserveAttempt('interaction', interactionSubject('old'), GONE - BUDGETS.interaction.keepMs),
      reserveAttempt('code', codeSubject(id, undefined), NOW - 365 * DAY),
      spend('first-run', 'organisation', Number.MAX_SAFE_INTEGER),
    ])
    expect(await sweep(database, NOW)).to.equal(2)
    expect(await ids('emailed_tokens', 'kind')).to.deep.equal(['unblock'])
    expect(await ids('attempts', 'budget')).to.deep.equal(['code'])
    const again = database.commit([spend('first-run', 'organisation', Number.MAX_SAFE_INTEGER)])
    expect(await outcomeOf(again)).to.equal('already_used')
  })

  it('keeps the trace of an ended session until it would have expired: it cannot come back', async () => {
    await database.commit([session('ended', NOW + MINUTE)])
    await database.commit(endSession({ uid: 'ended' }, NOW))
    await sweep(database, NOW)
    expect(await outcomeOf(database.commit([session('ended', NOW + MINUTE)]))).to.equal('session_ended')
  })

  it('F16: takes thousands in batches, none of which keeps a writer waiting for long', async () => {
    await sweep(database, NOW + DAY)
    const names = Array.from({ length: 1201 }, (_, index) => `many ${index}`)
    await inBatches(names.map(each => artefact(each, GONE)))
    const before = await ids('oidc_artefacts')
    let gone = 0
    const trips = await roundTrips(database, async () => {
      gone = await sweep(database, NOW)
    })
    expect(gone).to.equal(1201)
    expect((await ids('oidc_artefacts')).length).to.equal(before.length - 1201)
    // Three batches of at most 500 for these, one look for each other table.
    expect(trips.commits).to.be.within(12, 13)
  })

  it('leaves no fact of a swept session behind, however many sessions go', async () => {
    const names = Array.from({ length: 1201 }, (_, index) => `session ${String(index).padStart(4, '0')}`)
    await inBatches(names.map((each, index) => session(each, GONE - 1201 + index)))
    // Those that go first have none, those that go last have two.
    await inBatches(
      names
        .slice(900)
        .flatMap(each => [fact(each), keepFact(each, id, { factor: 'otp', kind: 'otp', verifiedAt: NOW })]),
    )
    expect(await sweep(database, NOW)).to.equal(1201)
    expect(
      (await ids('session_facts', 'session_uid')).filter(each => names.includes(String(each))),
    ).to.deep.equal([])
  })

  it('is done by two replicas at once without harm', async () => {
    const other = await open()
    await inBatches(Array.from({ length: 300 }, (_, index) => artefact(`twice ${index}`, GONE)))
    const gone = await Promise.all([sweep(database, NOW), sweep(other, NOW)])
    expect(gone[0] + gone[1]).to.equal(300)
  })
})
