// The conditions of the writes that move a support case, one by one: whoever reads a case and comes too late, or has no
// business with it, changes nothing. What the pages refuse before is left out here.

import { expect } from 'chai'
import { touchLogin } from '../../../src/store/accounts/accounts.ts'
import { spendTotpStep, turnOnAuthenticator } from '../../../src/store/accounts/credentials.ts'
import type { Database } from '../../../src/store/database.ts'
import { newId } from '../../../src/store/ids.ts'
import { insertOrganisation } from '../../../src/store/organisations/organisations.ts'
import { askForHelp, readHelpRequests } from '../../../src/store/recovery/help-requests.ts'
import {
  approveCase,
  approveCaseAgain,
  closeCase,
  closeCaseBy,
  LINK_MS,
  noteWaitTold,
  openCase,
  readCase,
  readLockedOut,
  type SupportCase,
  useCase,
} from '../../../src/store/recovery/support-cases.ts'
import { STOPPED_MS } from '../../../src/support/case-state.ts'
import {
  account,
  epochMoves,
  fifty,
  NOW,
  ONE_WINS,
  onEveryDatabase,
  outcomeOf,
  person,
  statusBecomes,
} from '../contract.ts'

const HOUR = 60 * 60 * 1000
const WAITED = NOW + HOUR
const note = 'what was seen'

onEveryDatabase('support cases', open => {
  let database: Database
  let replicas: Database[]
  let sam: string
  let ria: string

  before(async () => {
    replicas = [await open(), await open()]
    database = replicas[0] ?? (await open())
    sam = await person(database, { role: 'support' })
    ria = await person(database, { role: 'support' })
  })

  async function opened(role: 'technician' | 'admin' | 'support' = 'technician'): Promise<SupportCase> {
    const id = newId('cas')
    const { id: accountId, epoch } = await account(database, await person(database, { role }))
    const given = { id, account: { id: accountId, epoch }, reason: 'lost', waitUntil: WAITED }
    await database.commit([openCase(given, NOW)])
    return caseOf(id)
  }

  async function caseOf(id: string): Promise<SupportCase> {
    const found = await readCase(database, { id })
    if (found === undefined) throw new Error('no case')
    return found
  }

  const by = (agentId: string) => ({ agentId, evidence: ['call'], note })
  const first = (found: SupportCase, agentId: string, now = WAITED) =>
    outcomeOf(database.commit([approveCase(found, by(agentId), now)]))
  const second = (found: SupportCase, agentId: string, now = WAITED) =>
    outcomeOf(database.commit([approveCaseAgain(found, by(agentId), now)]))
  const used = (id: string, now = WAITED) => outcomeOf(database.commit([useCase(id, now)]))

  it('are opened once at a time, by fifty at once on two replicas', async () => {
    const { id, epoch } = await account(database, await person(database))
    const counts = await fifty(replicas, each =>
      each.commit([
        openCase({ id: newId('cas'), account: { id, epoch }, reason: 'lost', waitUntil: WAITED }, NOW),
      ]),
    )
    expect(counts).to.deep.equal({ won: 1, already_exists: 49 })
  })

  it('are approved after the wait only, to the millisecond', async () => {
    const found = await opened()
    expect(await first(found, sam, WAITED - 1)).to.equal('account_changed')
    expect(await first(found, sam, WAITED)).to.equal('stored')
    const { approvedAt, linkUntil } = await caseOf(found.id)
    expect({ approvedAt, linkUntil }).to.deep.equal({ approvedAt: WAITED, linkUntil: WAITED + LINK_MS })
  })

  it('are approved by active agents alone: no admin, no user, no owner, nobody who was deactivated', async () => {
    const found = await opened()
    const own = await opened('support')
    const former = await person(database, { role: 'support' })
    await database.commit([statusBecomes(former, 'deactivated')])
    for (const who of [
      await person(database, { role: 'admin' }),
      await person(database),
      former,
      found.accountId,
      'operator',
    ]) {
      expect(await first(found, who), who).to.equal('account_changed')
      expect(await outcomeOf(database.commit([closeCaseBy(found.id, who, note, WAITED)]))).to.equal(
        'already_used',
      )
    }
    expect(await first(own, own.accountId)).to.equal('account_changed')
    expect(await outcomeOf(database.commit([closeCaseBy(own.id, own.accountId, note, WAITED)]))).to.equal(
      'already_used',
    )
  })

  for (const role of ['admin', 'support'] as const) {
    it(`of an account with the role ${role} need two different agents, none of them the owner`, async () => {
      const found = await opened(role)
      // Whoever pretends that one is enough.
      expect(await first({ ...found, needsSecond: false }, sam)).to.equal('account_changed')
      expect(await second(found, sam)).to.equal('account_changed')
      expect(await first(found, sam)).to.equal('stored')
      expect((await caseOf(found.id)).approvedAt).to.equal(null)
      expect(await used(found.id)).to.equal('already_used')
      expect(await first(found, ria)).to.equal('account_changed')
      expect(await second(found, sam)).to.equal('account_changed')
      expect(await second(found, found.accountId)).to.equal('account_changed')
      expect(await second(found, ria)).to.equal('stored')
      expect(await second(found, await person(database, { role: 'support' }))).to.equal('account_changed')
      expect(await used(found.id)).to.equal('stored')
    })
  }

  it('count fifty approvals of one agent, at once, as one; and of fifty seconds one', async () => {
    const found = await opened('admin')
    const firsts = await fifty(replicas, each => each.commit([approveCase(found, by(sam), WAITED)]))
    expect(firsts).to.deep.equal({ won: 1, account_changed: 49 })
    const own = await fifty(replicas, each => each.commit([approveCaseAgain(found, by(sam), WAITED)]))
    expect(own).to.deep.equal({ account_changed: 50 })
    const seconds = await fifty(replicas, each => each.commit([approveCaseAgain(found, by(ria), WAITED)]))
    expect(seconds).to.deep.equal({ won: 1, account_changed: 49 })
  })

  it('are used once, by fifty at once, and not before an approval, nor when the link has run out', async () => {
    const found = await opened()
    expect(await used(found.id)).to.equal('already_used')
    await first(found, sam)
    expect(await used(found.id, WAITED + LINK_MS)).to.equal('already_used')
    expect(await fifty(replicas, each => each.commit([useCase(found.id, WAITED)]))).to.deep.equal(ONE_WINS)
    expect(await outcomeOf(database.commit([closeCase(found.id, 'stopped', WAITED)]))).to.equal(
      'already_used',
    )
  })

  it('are stopped or used, never both, by fifty at once', async () => {
    const found = await opened()
    await first(found, sam)
    const counts = await fifty(replicas, (each, index) =>
      each.commit([index % 3 === 0 ? closeCase(found.id, 'stopped', WAITED) : useCase(found.id, WAITED)]),
    )
    expect(counts).to.deep.equal(ONE_WINS)
    const { usedAt, closedAt } = await caseOf(found.id)
    expect([usedAt, closedAt].filter(each => each !== null)).to.have.length(1)
  })

  it('go no further once they are stopped', async () => {
    const found = await opened('admin')
    await database.commit([closeCase(found.id, 'stopped', NOW)])
    expect(await first(found, sam)).to.equal('account_changed')
    expect(await second(found, ria)).to.equal('account_changed')
    expect(await used(found.id)).to.equal('already_used')
    expect(await outcomeOf(database.commit([noteWaitTold(found.id, WAITED)]))).to.equal('already_used')
  })

  const ends: Record<string, (accountId: string) => Promise<void>> = {
    'a login of the owner': id => database.commit([touchLogin(id, NOW + 1)]),
    'a one-time code of the owner': async id => {
      await database.commit(turnOnAuthenticator({ id, epoch: 0 }, `sealed ${id}`, 1, NOW - 1))
      await database.commit([spendTotpStep(id, `sealed ${id}`, 2, NOW + 1)])
    },
    'a reset, or a new password': id => database.commit([epochMoves(id)]),
    'a deactivation': id => database.commit([statusBecomes(id, 'deactivated')]),
  }
  for (const [name, end] of Object.entries(ends)) {
    it(`go no further after ${name}, at whatever step`, async () => {
      const early = await opened()
      await end(early.accountId)
      expect(await first(early, sam)).to.equal('account_changed')
      const half = await opened('admin')
      await first(half, sam)
      await end(half.accountId)
      expect(await second(half, ria)).to.equal('account_changed')
      const late = await opened()
      await first(late, sam)
      await end(late.accountId)
      expect(await used(late.id)).to.equal('already_used')
    })
  }

  it('are not opened again for a day after a stop, unless the account has changed', async () => {
    const found = await opened()
    await database.commit([closeCase(found.id, 'stopped', NOW)])
    const again = async (now: number, epoch = 0) => {
      const given = { id: found.accountId, epoch }
      const id = newId('cas')
      return outcomeOf(
        database.commit([openCase({ id, account: given, reason: 'lost', waitUntil: now }, now)]),
      )
    }
    expect(await again(NOW + STOPPED_MS - 1)).to.equal('already_exists')
    expect((await readLockedOut(database, found.accountId))?.stoppedAt).to.equal(NOW)
    await database.commit([epochMoves(found.accountId)])
    expect((await readLockedOut(database, found.accountId))?.stoppedAt).to.equal(null)
    expect(await again(NOW + 1)).to.equal('already_exists')
    expect(await again(NOW + 1, 1)).to.equal('stored')
  })

  it('ask the admins once in a day, by fifty at once, and are answered by a reset or a login', async () => {
    const organisation = { id: newId('org'), name: 'Hollin', plan: 'Team', subscribedAt: null }
    await database.commit([insertOrganisation(organisation, NOW)])
    const id = await person(database, { organisationId: organisation.id })
    const DAY = 24 * HOUR
    const ask = (now: number, epoch = 0, lastLoginAt: number | null = null) =>
      askForHelp({ id, epoch }, lastLoginAt, DAY, now)
    const counts = await fifty(replicas, each => each.commit([ask(NOW)]))
    expect(counts).to.deep.equal({ won: 1, not_allowed: 49 })
    const since = async () => (await readHelpRequests(database, organisation.id, 10)).map(each => each.since)
    expect(await since()).to.deep.equal([NOW])
    await database.commit([ask(NOW + DAY)])
    expect(await since(), 'asked again').to.deep.equal([NOW])
    await database.commit([touchLogin(id, NOW + DAY + 1)])
    expect(await since()).to.deep.equal([])
    await database.commit([ask(NOW + 2 * DAY, 0, NOW + DAY + 1)])
    expect(await since(), 'asked anew').to.deep.equal([NOW + 2 * DAY])
    await database.commit([epochMoves(id)])
    expect(await since()).to.deep.equal([])
    expect(await outcomeOf(database.commit([ask(NOW + 3 * DAY)])), 'as it was before').to.equal('not_allowed')
  })
})
