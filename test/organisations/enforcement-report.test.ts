import { expect } from 'chai'
import { GRACE_MS } from '../../src/organisations/enforcement.ts'
import { enforcementReport, stoppedUsers } from '../../src/organisations/enforcement-report.ts'
import { turnOnAuthenticator } from '../../src/store/accounts/credentials.ts'
import { type Database, sql, write } from '../../src/store/database.ts'
import { insertOrganisation, startSubscription } from '../../src/store/organisations/organisations.ts'
import { NOW, onEveryDatabase, person, statusBecomes } from '../store/contract.ts'

const reset = sql('test_report_reset', 'UPDATE accounts SET second_factor_reset_at = ? WHERE id = ?')

onEveryDatabase('the report on enforcement', open => {
  let database: Database

  before(async () => {
    database = await open()
    for (const id of ['org_a', 'org_b']) {
      await database.commit([insertOrganisation({ id, name: id, plan: 'Team', subscribedAt: null }, NOW)])
    }
    await person(database, { organisationId: 'org_b', name: 'Of another organisation' })
    const add = (name: string, more = {}) => person(database, { organisationId: 'org_a', name, ...more })
    await add('Zoë Ng')
    await add('Ámbar Ruiz', { status: 'invited', passwordHash: null })
    const gone = await add('Long Gone')
    await database.commit([statusBecomes(gone, 'deactivated')])
    const ready = await add('Ready One')
    await database.commit(turnOnAuthenticator({ id: ready, epoch: 0 }, 'sealed', 1, NOW))
    const again = await add('Ben Okafor')
    await database.commit(turnOnAuthenticator({ id: again, epoch: 0 }, 'sealed too', 1, NOW))
    await database.commit([write(reset, [NOW, again])])
  })

  const report = (now: number) => enforcementReport(database, 'org_a', now)

  it('counts users by where they stand, the deactivated apart, and no others', async () => {
    expect(await report(NOW)).to.deep.equal({
      organisation: { id: 'org_a', name: 'org_a', plan: 'Team', subscribedAt: null },
      enforced: false,
      enforcedFrom: undefined,
      users: { not_set_up: 2, set_up: 1, reset_pending: 1, at_provider: 0 },
      invited: 1,
      deactivated: 1,
    })
    expect(await enforcementReport(database, 'org_none', NOW)).to.equal(undefined)
  })

  it('names who would be stopped, by name', async () => {
    const names: string[] = []
    for await (const user of stoppedUsers(database, 'org_a')) names.push(`${user.name} ${user.standing}`)
    expect(names).to.deep.equal(['Ámbar Ruiz not_set_up', 'Zoë Ng not_set_up', 'Ben Okafor reset_pending'])
  })

  it('says when it begins, to the millisecond', async () => {
    await database.commit([startSubscription('org_a', NOW)])
    const begins = NOW + GRACE_MS
    expect(await report(begins - 1)).to.include({ enforced: false, enforcedFrom: begins })
    expect(await report(begins)).to.include({ enforced: true, enforcedFrom: begins })
  })

  it('counts and names more users than a page has', async () => {
    await database.commit([
      insertOrganisation({ id: 'org_c', name: 'Many', plan: 'Team', subscribedAt: NOW }, NOW),
    ])
    for (let n = 0; n < 601; n++) await person(database, { organisationId: 'org_c' })
    const ids = new Set<string>()
    for await (const user of stoppedUsers(database, 'org_c')) ids.add(user.id)
    expect(ids.size).to.equal(601)
    expect((await enforcementReport(database, 'org_c', NOW))?.users.not_set_up).to.equal(601)
  })
})
