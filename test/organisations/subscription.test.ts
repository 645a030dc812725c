import { expect } from 'chai'
import { createOrganisation, type Directory, InputError } from '../../src/organisations/directory.ts'
import { everyOrganisation, setPlan, subscribe } from '../../src/organisations/subscription.ts'
import { type Database, sql } from '../../src/store/database.ts'
import { readOrganisation, readOrganisations } from '../../src/store/organisations/organisations.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { failureOf, leavesNothing, NOW, onEveryDatabase, SECRET_KEY } from '../store/contract.ts'

const DAY = 24 * 60 * 60 * 1000
const auditOf = sql(
  'test_subscription_audit',
  'SELECT event, actor_id, details FROM audit_events WHERE organisation_id = ? ORDER BY id',
)

onEveryDatabase('the back office', open => {
  let database: Database
  let directory: Directory
  let id: string

  before(async () => {
    database = await open()
    directory = directoryOn(database)
  })
  beforeEach(async () => {
    id = (await createOrganisation(directory, { name: 'Northgate', plan: 'Team', subscribedAt: null })).id
  })

  const directoryOn = (handle: Database): Directory => ({
    database: handle,
    keyring: createKeyring([SECRET_KEY]),
    clock: () => NOW,
    actor: 'operator',
    productName: 'Sallyport',
  })
  const audit = () => database.read(auditOf, [id])
  async function refusal(work: Promise<unknown>): Promise<InputError> {
    const error = await failureOf(work)
    expect(error).to.be.instanceOf(InputError)
    return error as InputError
  }

  it('changes the plan, audited with both', async () => {
    const { organisation, changed } = await setPlan(directory, id, ' Enterprise ')
    expect(changed).to.equal(true)
    expect(organisation).to.deep.equal({ id, name: 'Northgate', plan: 'Enterprise', subscribedAt: null })
    expect(await readOrganisation(database, id)).to.deep.equal(organisation)
    expect((await audit()).at(-1)).to.deep.equal({
      event: 'organisation.plan_changed',
      actor_id: 'operator',
      details: '{"from":"Team","to":"Enterprise"}',
    })
  })

  it('stores nothing for the plan that it has', async () => {
    const same = await leavesNothing(database, async () => {
      expect((await setPlan(directory, id, 'Team')).changed).to.equal(false)
    })
    expect(same).to.equal(true)
  })

  it('refuses a plan of several lines, and an organisation that does not exist', async () => {
    expect((await refusal(setPlan(directory, id, 'a\nb'))).field).to.equal('plan')
    expect((await refusal(setPlan(directory, 'org_none', 'Team'))).field).to.equal('organisationId')
    expect((await refusal(subscribe(directory, 'org_none', NOW))).field).to.equal('organisationId')
  })

  it('sets the start of a subscription, audited', async () => {
    const { organisation, changed } = await subscribe(directory, id, NOW + DAY)
    expect({ changed, subscribedAt: organisation.subscribedAt }).to.deep.equal({
      changed: true,
      subscribedAt: NOW + DAY,
    })
    expect(await readOrganisation(database, id)).to.deep.equal(organisation)
    expect((await audit()).at(-1)).to.deep.equal({
      event: 'organisation.subscribed',
      actor_id: 'operator',
      details: `{"subscribedAt":${NOW + DAY}}`,
    })
  })

  it('never moves it: a later one would reopen the first day, and an earlier one would take it away', async () => {
    await subscribe(directory, id, NOW)
    for (const other of [NOW - DAY, NOW + DAY, NOW + 1]) {
      const same = await leavesNothing(database, async () => {
        const error = await refusal(subscribe(directory, id, other))
        expect(error.field).to.equal('subscribedAt')
        expect(error.fault).to.include('2026-05-14T09:31:00.000Z')
        expect(error.why).to.deep.equal({ reason: 'already_subscribed', subscribedAt: NOW })
      })
      expect(same).to.equal(true)
    }
    const again = await leavesNothing(database, async () => {
      expect((await subscribe(directory, id, NOW)).changed).to.equal(false)
    })
    expect(again).to.equal(true)
  })

  it('refuses what is no time', async () => {
    for (const time of [Number.NaN, -1, 1.5, 8.64e15 + 1]) {
      expect((await refusal(subscribe(directory, id, time))).fault).to.equal('is no time')
    }
  })

  it('sets one start when fifty are given at the same moment', async () => {
    const replicas = await Promise.all([open(), open(), open()])
    const settled = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => subscribe(directoryOn(replicas[n % 3] ?? database), id, NOW + n)),
    )
    expect(settled.filter(each => each.status === 'fulfilled')).to.have.length(1)
    const faults = settled.flatMap(each => (each.status === 'rejected' ? [each.reason] : []))
    expect(faults.filter(each => !(each instanceof InputError))).to.deep.equal([])
    const winner = settled.findIndex(each => each.status === 'fulfilled')
    expect((await readOrganisation(database, id))?.subscribedAt).to.equal(NOW + winner)
    expect((await audit()).map(each => each.event)).to.deep.equal([
      'organisation.created',
      'organisation.subscribed',
    ])
  })

  it('lists organisations by key, each once', async () => {
    const all: string[] = []
    for await (const organisation of everyOrganisation(directory)) all.push(organisation.id)
    expect(all).to.include(id)
    expect(new Set(all).size).to.equal(all.length)
    const paged: string[] = []
    for (let after = ''; ; ) {
      const page = await readOrganisations(database, after, 2)
      paged.push(...page.map(each => each.id))
      const last = page.at(-1)
      if (last === undefined) break
      after = last.id
    }
    expect(paged).to.deep.equal(all)
  })
})
