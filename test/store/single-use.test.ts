import { expect } from 'chai'
import type { Adapter } from 'oidc-provider'
import { readAccount } from '../../src/store/accounts/accounts.ts'
import {
  insertPasskey,
  issueRecoveryCode,
  readPasskey,
  spend,
  spendRecoveryCode,
  spendTotpStep,
  turnOnAuthenticator,
  usePasskey,
} from '../../src/store/accounts/credentials.ts'
import { issueToken, readToken, useToken } from '../../src/store/accounts/emailed-tokens.ts'
import { auditRow } from '../../src/store/audit/audit.ts'
import { CommitRefused, type Database } from '../../src/store/database.ts'
import { newId, newToken } from '../../src/store/ids.ts'
import { createAdapter } from '../../src/store/oidc/adapter.ts'
import { createClients } from '../../src/store/oidc/clients.ts'
import { insertOrganisation } from '../../src/store/organisations/organisations.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { inUnit } from '../../src/store/unit-of-work.ts'
import {
  account,
  fifty,
  NOW,
  ONE_WINS,
  onEveryDatabase,
  PASSKEY,
  person,
  rowsOf,
  SECRET_KEY,
} from './contract.ts'

function adapterOn(database: Database): (model: string) => Adapter {
  const clients = createClients(database, createKeyring([SECRET_KEY]), () => NOW)
  return createAdapter({
    database,
    clients,
    clock: () => NOW,
    account: id => readAccount(database, id),
    specialPlans: [],
  })
}

onEveryDatabase('of fifty parallel requests to two replicas', open => {
  let replicas: Database[]
  let database: Database
  let id: string
  const adapters = new Map<Database, (model: string) => Adapter>()
  const on = (replica: Database) => adapters.get(replica) ?? adapterOn(replica)
  const audits = async () => (await rowsOf(database, 'audit_events')).filter(each => each.account_id === id)
  const note = (event: 'login' | 'recovery_code.used') => auditRow({ event, accountId: id }, NOW)

  before(async () => {
    database = await open()
    replicas = [database, await open()]
    for (const each of replicas) adapters.set(each, adapterOn(each))
  })
  beforeEach(async () => {
    id = await person(database)
  })

  it('one spends a step of the authenticator', async () => {
    await database.commit(turnOnAuthenticator(await account(database, id), 'sealed', 100, NOW))
    const outcome = await fifty(replicas, each =>
      each.commit([spendTotpStep(id, 'sealed', 101, NOW), note('login')]),
    )
    expect(outcome).to.deep.equal(ONE_WINS)
    expect((await account(database, id)).authenticator?.lastStep).to.equal(101)
    expect(await audits()).to.have.length(1)
  })

  it('one spends each step of the authenticator, and never an older one after a newer', async () => {
    await database.commit(turnOnAuthenticator(await account(database, id), 'sealed', 100, NOW))
    const accepted: number[] = []
    await fifty(replicas, async (each, index) => {
      const step = 101 + (index % 2)
      await each.commit([spendTotpStep(id, 'sealed', step, NOW)])
      accepted.push(step)
    })
    expect(accepted.toSorted().join()).to.be.oneOf(['102', '101,102'])
    expect((await account(database, id)).authenticator?.lastStep).to.equal(102)
  })

  it('R1: one uses a recovery code, and its successor is the one that is valid', async () => {
    await database.commit([issueRecoveryCode(id, 'hash', NOW)])
    let winner: string | undefined
    const outcome = await fifty(replicas, async (each, index) => {
      await each.commit([
        spendRecoveryCode(id, 'hash', `successor ${index}`, NOW),
        note('recovery_code.used'),
      ])
      winner = `successor ${index}`
    })
    expect(outcome).to.deep.equal(ONE_WINS)
    expect((await account(database, id)).recoveryCode).to.deep.equal({ hash: winner, saved: false })
    expect(await audits()).to.have.length(1)
  })

  it('P2: one answers a passkey challenge', async () => {
    const outcome = await fifty(replicas, each =>
      each.commit([spend('passkey-challenge', id, NOW), note('login')]),
    )
    expect(outcome).to.deep.equal(ONE_WINS)
    expect(await audits()).to.have.length(1)
  })

  it('P7: one moves the counter of a passkey on', async () => {
    const credentialId = `credential of ${id}`
    const passkey = { ...PASSKEY, credentialId, accountId: id, counter: 6 }
    await database.commit([insertPasskey(passkey, NOW)])
    const outcome = await fifty(replicas, each => each.commit([usePasskey(passkey, 7, false, NOW)]))
    expect(outcome).to.deep.equal(ONE_WINS)
    expect((await readPasskey(database, credentialId))?.counter).to.equal(7)
  })

  it('P4: one registers a credential id', async () => {
    const other = await person(database)
    const outcome = await fifty(replicas, (each, index) =>
      each.commit([
        insertPasskey(
          {
            ...PASSKEY,
            credentialId: `same for ${id}`,
            accountId: index % 3 === 0 ? id : other,
            publicKey: `key ${index}`,
            backupEligible: true,
            backedUp: true,
          },
          NOW,
        ),
      ]),
    )
    expect(outcome).to.deep.equal({ won: 1, already_exists: 49 })
  })

  for (const kind of ['invitation', 'password-reset', 'unblock', 'code'] as const) {
    it(`R1: one uses a mailed ${kind}`, async () => {
      const token = newToken()
      await database.commit(issueToken(kind, id, token, null, NOW))
      const outcome = await fifty(replicas, each =>
        each.commit([useToken(kind, token, NOW + 1), note('login')]),
      )
      expect(outcome).to.deep.equal(ONE_WINS)
      expect(await audits()).to.have.length(1)
    })
  }

  it('R7: one leaves a link that works, when each has another mailed', async () => {
    const tokens = Array.from({ length: 50 }, newToken)
    await fifty(replicas, (each, index) =>
      each.commit(issueToken('password-reset', id, tokens[index] ?? '', null, NOW + (index % 3))),
    )
    const works = async () => {
      const found = await Promise.all(
        tokens.map(each => readToken(database, 'password-reset', each, NOW + 10)),
      )
      return tokens.filter((_, index) => found[index] !== undefined)
    }
    expect(await works()).to.have.length(1)
    const outcome = await fifty(replicas, (each, index) =>
      each.commit([useToken('password-reset', tokens[index] ?? '', NOW + 10)]),
    )
    expect(outcome).to.deep.equal(ONE_WINS)
    expect(await works()).to.deep.equal([])
  })

  for (const model of ['AuthorizationCode', 'RefreshToken']) {
    it(`S7: one redeems an ${model === 'RefreshToken' ? 'old refresh token' : 'authorization code'}, and what it mints is all that is minted`, async () => {
      const [value, grantId] = [newToken(), newToken()]
      const more = { accountId: id, grantId, clientId: 'app' }
      await on(database)(model).upsert(value, { jti: value, kind: model, ...more }, 3600)
      const outcome = await fifty(replicas, each =>
        inUnit(each, async () => {
          // As the library does it: all of them find the value unused.
          const found = await on(each)(model).find(value)
          expect(found).to.include({ jti: value })
          await on(each)(model).consume(value)
          const [access, refresh] = [newToken(), newToken()]
          await on(each)('AccessToken').upsert(access, { jti: access, kind: 'AccessToken', ...more }, 300)
          await on(each)('RefreshToken').upsert(
            refresh,
            { jti: refresh, kind: 'RefreshToken', ...more },
            3600,
          )
        }),
      )
      expect(outcome).to.deep.equal(ONE_WINS)
      const minted = (await rowsOf(database, 'oidc_artefacts')).filter(
        each => each.account_id === id && each.consumed_at === null,
      )
      expect(minted.map(each => each.model)).to.have.members(['AccessToken', 'RefreshToken'])
    })
  }

  it('one uses a pushed authorization request', async () => {
    const value = newToken()
    await on(database)('PushedAuthorizationRequest').upsert(value, { jti: value, clientId: 'app' }, 60)
    const outcome = await fifty(replicas, each => on(each)('PushedAuthorizationRequest').consume(value))
    expect(outcome).to.deep.equal(ONE_WINS)
  })

  it('one presents a DPoP proof', async () => {
    const value = newToken()
    const outcome = await fifty(replicas, each =>
      inUnit(each, async () => {
        // The library looks first, and then stores: some find nothing at the same time.
        if ((await on(each)('ReplayDetection').find(value)) !== undefined) throw new CommitRefused('replayed')
        await on(each)('ReplayDetection').upsert(value, { jti: value, iss: 'app' }, 60)
      }),
    )
    expect(outcome).to.deep.equal({ won: 1, replayed: 49 })
  })

  it('one makes the first organisation', async () => {
    const outcome = await fifty(replicas, each =>
      each.commit([
        spend('first-run', 'organisation', Number.MAX_SAFE_INTEGER),
        insertOrganisation({ id: newId('org'), name: 'First', plan: 'Trial', subscribedAt: NOW }, NOW),
      ]),
    )
    expect(outcome).to.deep.equal(ONE_WINS)
    expect(await rowsOf(database, 'organisations')).to.have.length(1)
  })
})
