// Who stands "at their provider": whose last login there proved two factors, and would do today.

import { setTimeout } from 'node:timers/promises'
import { expect } from 'chai'
import pg from 'pg'
import { insertPasskey, turnOnAuthenticator } from '../../src/store/accounts/credentials.ts'
import { readUserDetails } from '../../src/store/accounts/user-details.ts'
import { countStandings, countUsers, everyUser, readUserPage } from '../../src/store/accounts/user-list.ts'
import { type Database, sql, type Write, write } from '../../src/store/database.ts'
import {
  changePlan,
  insertOrganisation,
  type Organisation,
} from '../../src/store/organisations/organisations.ts'
import * as resets from '../../src/store/recovery/second-factor-resets.ts'
import * as connections from '../../src/store/sso/connections.ts'
import * as domains from '../../src/store/sso/domains.ts'
import * as identities from '../../src/store/sso/identities.ts'
import { holdOrganisation, readSsoOrganisation } from '../../src/store/sso/organisations.ts'
import { keepSsoPlans } from '../../src/store/sso/plans.ts'
import { account, NOW, onEveryDatabase, PASSKEY, person } from './contract.ts'

const move = sql('test_provider_move', 'UPDATE accounts SET email = ?, email_key = ? WHERE id = ?')
const reset = sql('test_provider_reset', 'UPDATE accounts SET second_factor_reset_at = ? WHERE id = ?')
const forget = sql('test_provider_forget', 'DELETE FROM authenticators WHERE account_id = ?')

const BY_MFA = 'amr mfa'
const TRUST = { acr: ['gold'], amr: ['mfa', 'otp'] }

onEveryDatabase('where a user of an identity provider stands', (open, where) => {
  let database: Database
  let places = 0

  before(async () => {
    database = await open()
    await keepSsoPlans(database, [' Enterprise '])
  })

  /** One after the other: on PostgreSQL the writes of one commit don't see each other. */
  async function commit(...writes: readonly Write[]): Promise<void> {
    for (const each of writes) await database.commit([each])
  }

  /** An organisation with a connection that is on, and whose domain goes to it. */
  async function place(twoFactor: connections.TwoFactorValues = TRUST) {
    const n = ++places
    const organisation: Organisation = {
      id: `org_${n}`,
      name: 'Heron',
      plan: 'ENTERPRISE',
      subscribedAt: NOW,
    }
    const domain = {
      id: `dom_${n}`,
      organisationId: organisation.id,
      domain: `heron${n}.example`,
      token: 't',
    }
    const connection: connections.NewConnection = {
      id: `sso_${n}`,
      organisationId: organisation.id,
      protocol: 'oidc',
      name: 'Heron ID',
      settings: '{}',
      secret: null,
      twoFactor,
      createsUsers: false,
      adminGroups: [],
      createdAt: NOW,
    }
    await commit(
      insertOrganisation(organisation, NOW),
      connections.insertConnection(connection),
      connections.markTested(connection.id, 1),
      connections.switchConnection(connection, 'on'),
      domains.insertDomain(domain, NOW),
      domains.proveDomain(domain),
      domains.assignDomain(domain, connection.id, false),
    )
    return { organisation, connection, domain }
  }

  type Place = Awaited<ReturnType<typeof place>>

  const identityOf = ({ connection }: Place, id: string) => ({ connectionId: connection.id, subject: id })

  /** A user who is linked. @param by what their login proved */
  async function user(at: Place, by: identities.TwoFactorBy = BY_MFA, name = 'dana'): Promise<string> {
    const id = await person(database, {
      organisationId: at.organisation.id,
      email: `${name}@${at.domain.domain}`,
    })
    await commit(identities.linkIdentity(identityOf(at, id), await account(database, id), by, NOW))
    return id
  }

  async function standing({ organisation }: Place, id: string): Promise<string | undefined> {
    const details = await readUserDetails(database, organisation.id, id)
    const order = { by: 'standing', descending: false } as const
    const listed = await readUserPage(database, organisation.id, { words: [] }, order, 500)
    expect(listed.users.find(each => each.id === id)?.standing).to.equal(details?.standing)
    return details?.standing
  }

  it('is at the provider, in every list and count, after a login there that proved two factors', async () => {
    const at = await place()
    const [dana, eve] = [await user(at), await user(at, null, 'eve')]
    const nobody = await person(database, {
      organisationId: at.organisation.id,
      email: `nora@${at.domain.domain}`,
    })
    expect(await standing(at, dana)).to.equal('at_provider')
    expect(await standing(at, eve)).to.equal('not_set_up')
    expect(await standing(at, nobody), 'never there').to.equal('not_set_up')
    const found: string[] = []
    const filter = { words: ['dana'], standing: 'at_provider' } as const
    for await (const each of everyUser(database, at.organisation.id, filter)) found.push(each.id)
    expect(found).to.deep.equal([dana])
    const { counts } = await countUsers(database, at.organisation.id, { words: [] })
    expect(counts).to.have.deep.members([
      { role: 'technician', standing: 'at_provider', count: 1 },
      { role: 'technician', standing: 'not_set_up', count: 2 },
    ])
    expect(await countStandings(database, at.organisation.id)).to.have.deep.members([
      { status: 'active', standing: 'at_provider', count: 1 },
      { status: 'active', standing: 'not_set_up', count: 2 },
    ])
  })

  it('follows what the last login proved, by a value of acr or of amr, each among its own', async () => {
    const at = await place()
    const dana = await user(at, null)
    for (const [by, expected] of [
      ['acr gold', 'at_provider'],
      [null, 'not_set_up'],
      ['amr otp', 'at_provider'],
      ['amr gold', 'not_set_up'],
      ['acr mfa', 'not_set_up'],
      ['mfa', 'not_set_up'],
    ] as const) {
      await commit(identities.noteTwoFactor(identityOf(at, dana), by))
      expect(await standing(at, dana), String(by)).to.equal(expected)
    }
    await commit(identities.noteTwoFactor(identityOf(at, dana), BY_MFA), identities.unlinkAccount(dana))
    expect(await standing(at, dana), 'unlinked').to.equal('not_set_up')
  })

  it('counts as before where the connection is off, and where it trusts nothing', async () => {
    const at = await place()
    const dana = await user(at)
    await commit(connections.switchConnection(at.connection, 'off'))
    expect(await standing(at, dana)).to.equal('not_set_up')
    await commit(connections.switchConnection(at.connection, 'on'))
    expect(await standing(at, dana)).to.equal('at_provider')

    const bare = await place({ acr: [], amr: [] })
    expect(await standing(bare, await user(bare))).to.equal('not_set_up')
  })

  it('no longer counts a value that is trusted no more, and goes on counting one among new ones', async () => {
    const at = await place()
    const dana = await user(at)
    const trust = async (twoFactor: connections.TwoFactorValues) => {
      const read = await connections.readConnection(database, at.connection.id)
      if (read === undefined) throw new Error('no connection')
      await commit(connections.updateConnection({ ...read, twoFactor }, true))
    }
    await trust({ acr: ['gold'], amr: ['otp', 'hwk', 'mfa'] })
    expect(await standing(at, dana)).to.equal('at_provider')
    await trust({ acr: ['mfa'], amr: ['otp'] })
    expect(await standing(at, dana)).to.equal('not_set_up')
  })

  it('depends on the domain of the address, which must be proven and go to that connection', async () => {
    const at = await place()
    const dana = await user(at)
    await commit(domains.assignDomain(at.domain, null, false))
    expect(await standing(at, dana)).to.equal('not_set_up')
    await commit(domains.assignDomain(at.domain, at.connection.id, true))
    expect(await standing(at, dana)).to.equal('at_provider')
    const moved = (email: string) => write(move, [email, email, dana])
    await commit(moved(`dana@sub.${at.domain.domain}`))
    expect(await standing(at, dana)).to.equal('not_set_up')
    await commit(moved(`dana@${at.domain.domain}`))
    expect(await standing(at, dana)).to.equal('at_provider')
    await commit(domains.deleteDomain(at.domain))
    expect(await standing(at, dana)).to.equal('not_set_up')
  })

  it('depends on the plan, as the operator’s configuration has it', async () => {
    const at = await place()
    const dana = await user(at)
    await commit(changePlan(at.organisation, 'Team'))
    expect(await standing(at, dana)).to.equal('not_set_up')
    await keepSsoPlans(database, ['Enterprise', 'Team'])
    expect(await standing(at, dana)).to.equal('at_provider')
    await keepSsoPlans(database, ['enterprise'])
    expect(await standing(at, dana)).to.equal('not_set_up')
    await commit(changePlan({ ...at.organisation, plan: 'Team' }, ' Enterprise'))
    expect(await standing(at, dana)).to.equal('at_provider')
  })

  it('is set up once there is a factor here, pending after a reset, and at the provider again without', async () => {
    const at = await place()
    const dana = await user(at)
    await database.commit(turnOnAuthenticator({ id: dana, epoch: 0 }, `sealed ${dana}`, 1, NOW))
    expect(await standing(at, dana)).to.equal('set_up')
    await commit(write(forget, [dana]))
    expect(await standing(at, dana)).to.equal('at_provider')
    await commit(insertPasskey({ ...PASSKEY, accountId: dana, credentialId: `key of ${dana}` }, NOW))
    expect(await standing(at, dana)).to.equal('set_up')
    await commit(write(reset, [NOW, dana]), identities.noteTwoFactor(identityOf(at, dana), 'acr gold'))
    expect(await standing(at, dana), 'stopped at the next login, whatever the provider says').to.equal(
      'reset_pending',
    )
  })

  it('says nothing of an account that is claimed, or made, without two factors, and something of one with', async () => {
    const at = await place()
    const id = await person(database, {
      organisationId: at.organisation.id,
      email: `claimed@${at.domain.domain}`,
      mailboxProvenAt: null,
    })
    await database.commit([
      insertPasskey({ ...PASSKEY, accountId: id, credentialId: `stranger of ${id}` }, NOW),
    ])
    const read = await account(database, id)
    await database.commit([
      identities.linkIdentity(identityOf(at, id), read, BY_MFA, NOW),
      ...identities.claimAccount(database.dialect, read, NOW),
    ])
    expect(await standing(at, id)).to.equal('at_provider')
  })

  it('has nothing that a reset could take', async () => {
    const at = await place()
    const dana = await user(at)
    const draft = { id: `rst_${at.organisation.id}`, organisationId: at.organisation.id, actorId: 'operator' }
    await database.commit(resets.draftReset(database.dialect, draft, [dana], NOW))
    const [one] = await resets.readResetUsers(database, draft.id, 0, 50)
    expect(one).to.include({ why: 'at_provider' })
  })

  // SQLite has one writer at a time.
  if (where.dialect === 'postgres') {
    it('X9: is never left standing by a login that ends as the connection is switched off', async () => {
      const at = await place()
      const dana = await user(at, null)
      const login = new pg.Client({ connectionString: await where.url() })
      await login.connect()
      try {
        await login.query('BEGIN')
        await login.query('UPDATE sso_identities SET two_factor_by = $1 WHERE account_id = $2', [
          BY_MFA,
          dana,
        ])
        const off = switchTo(at, 'off')
        // Long enough for it to be done, if nothing kept it.
        await Promise.race([off, setTimeout(300)])
        await login.query('COMMIT')
        await off
      } finally {
        await login.end()
      }
      expect(await standing(at, dana)).to.equal('not_set_up')
    })
  }

  /** As the console does it. */
  async function switchTo({ organisation, connection }: Place, status: 'on' | 'off'): Promise<void> {
    const held = await readSsoOrganisation(database, organisation.id, 'operator')
    if (held === undefined) throw new Error('no organisation')
    await database.commit([
      holdOrganisation(held, 'operator'),
      connections.switchConnection(connection, status),
    ])
  }

  it('X9: is not put over an authenticator that is set up in the same moment', async () => {
    const at = await place()
    for (let round = 0; round < 8; round++) {
      const id = await user(at, null, `racer${round}`)
      await Promise.all([
        database.commit(turnOnAuthenticator({ id, epoch: 0 }, `sealed ${id}`, 1, NOW)),
        commit(identities.noteTwoFactor(identityOf(at, id), BY_MFA)),
      ])
      expect(await standing(at, id)).to.equal('set_up')
    }
  })
})
