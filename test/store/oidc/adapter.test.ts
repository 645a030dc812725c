import { expect } from 'chai'
import type { Adapter, AdapterPayload } from 'oidc-provider'
import { type Account, readAccount } from '../../../src/store/accounts/accounts.ts'
import type { Database } from '../../../src/store/database.ts'
import { newToken } from '../../../src/store/ids.ts'
import { cachedSession, createAdapter } from '../../../src/store/oidc/adapter.ts'
import { revokeAccountArtefacts } from '../../../src/store/oidc/artefacts.ts'
import { createClients } from '../../../src/store/oidc/clients.ts'
import { createKeyring } from '../../../src/store/seal.ts'
import { endSessions } from '../../../src/store/sessions/oidc-sessions.ts'
import { keepFact } from '../../../src/store/sessions/session-facts.ts'
import { inOpenUnit, inUnit, unit } from '../../../src/store/unit-of-work.ts'
import {
  dump,
  epochMoves,
  NOW,
  onEveryDatabase,
  outcomeOf,
  person,
  roundTrips,
  rowsOf,
  SECRET_KEY,
  statusBecomes,
} from '../contract.ts'

const HOUR = 3600
const seconds = Math.floor(NOW / 1000)

/** The library's adapters, over a clock that tests move. */
function adaptersOn(database: Database, clock: () => number = () => NOW): (model: string) => Adapter {
  const account = async (id: string): Promise<Account | undefined> => {
    const held = inOpenUnit() ? unit().cache.get(`account:${id}`) : undefined
    return (held as Account | undefined) ?? readAccount(database, id)
  }
  const clients = createClients(database, createKeyring([SECRET_KEY]), clock)
  return createAdapter({ database, clients, clock, account, specialPlans: ['Enterprise'] })
}

/** A payload as the library writes it. */
function payload(jti: string, kind: string, more: Record<string, unknown> = {}): AdapterPayload {
  return { jti, kind, iat: seconds, exp: seconds + HOUR, ...more }
}

onEveryDatabase('the adapter', open => {
  let database: Database
  let adapters: (model: string) => Adapter
  let accountId: string
  let now: number

  before(async () => {
    database = await open()
    adapters = adaptersOn(database, () => now)
  })
  beforeEach(async () => {
    now = NOW
    accountId = await person(database)
  })

  const mint = async (model: string, more: Record<string, unknown> = {}, ttl = HOUR) => {
    const id = newToken()
    await adapters(model).upsert(id, payload(id, model, more), ttl)
    return id
  }
  const session = async (more: Record<string, unknown> = {}) => {
    const [id, uid] = [newToken(), newToken()]
    await adapters('Session').upsert(id, payload(id, 'Session', { uid, accountId, ...more }), HOUR)
    return { id, uid }
  }
  const owned = () => ({ accountId, grantId: newToken(), clientId: 'app' })

  for (const model of [
    'AuthorizationCode',
    'AccessToken',
    'RefreshToken',
    'ClientCredentials',
    'PushedAuthorizationRequest',
    'Grant',
    'Interaction',
    'ReplayDetection',
  ]) {
    describe(`for ${model}`, () => {
      const mine = ['ClientCredentials', 'PushedAuthorizationRequest', 'ReplayDetection'].includes(model)
        ? () => ({ clientId: 'app' })
        : owned

      it('finds what was stored, by its id alone', async () => {
        const more = { ...mine(), claims: { nested: ['ü', 1, null, true] } }
        const id = await mint(model, more)
        expect(await adapters(model).find(id)).to.deep.equal(payload(id, model, more))
        expect(await adapters(model).find(newToken())).to.equal(undefined)
        expect(await adapters(model).find('')).to.equal(undefined)
      })

      it('no longer finds what was destroyed', async () => {
        const id = await mint(model, mine())
        await adapters(model).destroy(id)
        expect(await adapters(model).find(id)).to.equal(undefined)
        // Resuming an interaction is what ends it, and may be done once.
        const again = await outcomeOf(adapters(model).destroy(id))
        expect(again).to.equal(model === 'Interaction' ? 'already_used' : 'stored')
      })

      it('finds nothing of another kind under the id', async () => {
        const id = await mint(model, mine())
        const other = model === 'Grant' ? 'Interaction' : 'Grant'
        expect(await adapters(other).find(id)).to.equal(undefined)
      })
    })
  }

  for (const model of ['AuthorizationCode', 'RefreshToken', 'PushedAuthorizationRequest']) {
    it(`marks a ${model} as consumed, with the time, and once only`, async () => {
      const id = await mint(model, { clientId: 'app' })
      await adapters(model).consume(id)
      expect(await adapters(model).find(id)).to.have.property('consumed', seconds)
      now += 60_000
      expect(await outcomeOf(adapters(model).consume(id))).to.equal('already_used')
      expect(await adapters(model).find(id)).to.have.property('consumed', seconds)
      expect(await outcomeOf(adapters(model).consume(newToken()))).to.equal('already_used')
    })
  }

  it('stores a later state of an interaction in place of the earlier one', async () => {
    const id = await mint('Interaction', { params: { client_id: 'app' } })
    const later = payload(id, 'Interaction', { params: { client_id: 'app' }, result: { step: 1 } })
    await adapters('Interaction').upsert(id, later, HOUR)
    expect(await adapters('Interaction').find(id)).to.deep.equal(later)
  })

  it('revokes what belongs to a grant, model by model, and nothing else', async () => {
    const mine = owned()
    const models = ['AuthorizationCode', 'AccessToken', 'RefreshToken']
    const ids = await Promise.all(models.map(model => mint(model, mine)))
    const other = await mint('RefreshToken', { ...mine, grantId: newToken() })
    for (const model of ['AccessToken', 'RefreshToken']) await adapters(model).revokeByGrantId(mine.grantId)
    const found = await Promise.all(models.map((model, index) => adapters(model).find(ids[index] ?? '')))
    expect(found.map(each => each !== undefined)).to.deep.equal([true, false, false])
    expect(await adapters('RefreshToken').find(other)).not.to.equal(undefined)
  })

  it('stores a proof of possession once: seen again, it is a replay', async () => {
    const id = await mint('ReplayDetection', { iss: 'app' })
    const again = adapters('ReplayDetection').upsert(id, payload(id, 'ReplayDetection'), 60)
    expect(await outcomeOf(again)).to.equal('replayed')
  })

  it('keeps a grant without an end until it is destroyed', async () => {
    const id = newToken()
    await adapters('Grant').upsert(id, payload(id, 'Grant', { accountId }), undefined as unknown as number)
    expect(await adapters('Grant').find(id)).not.to.equal(undefined)
  })

  it('says that it knows no user codes', async () => {
    const error = await adapters('DeviceCode')
      .findByUserCode('ABCD')
      .catch((each: unknown) => each)
    expect(error).to.be.instanceOf(Error)
  })

  describe('for sessions', () => {
    it('finds them by id and by uid', async () => {
      const { id, uid } = await session({ loginTs: seconds, authorizations: { app: { sid: 's' } } })
      const found = await adapters('Session').find(id)
      expect(found).to.deep.include({ uid, accountId, jti: id, loginTs: seconds })
      expect(await adapters('Session').findByUid(uid)).to.deep.include({ uid, accountId })
      expect(await adapters('Session').find(newToken())).to.equal(undefined)
      expect(await adapters('Session').findByUid(newToken())).to.equal(undefined)
      expect(await adapters('Session').find(uid)).to.equal(undefined)
    })

    it('renews an id as one update of the one row, in one commit', async () => {
      const { id, uid } = await session()
      const next = newToken()
      const trips = await roundTrips(database, () =>
        inUnit(database, async () => {
          await adapters('Session').find(id)
          await adapters('Session').destroy(id)
          await adapters('Session').upsert(next, payload(next, 'Session', { uid, accountId }), HOUR)
        }),
      )
      expect(trips).to.deep.equal({ reads: 1, commits: 1 })
      expect(await adapters('Session').find(id)).to.equal(undefined)
      expect(await adapters('Session').find(next)).to.include({ uid })
      expect((await rowsOf(database, 'oidc_sessions')).filter(each => each.uid === uid)).to.have.length(1)
    })

    it('renews an id also where the library saves the session twice', async () => {
      const { id, uid } = await session()
      const next = newToken()
      await inUnit(database, async () => {
        await adapters('Session').find(id)
        for (const state of [1, 2]) {
          await adapters('Session').destroy(id)
          await adapters('Session').upsert(next, payload(next, 'Session', { uid, accountId, state }), HOUR)
        }
      })
      expect(await adapters('Session').find(id)).to.equal(undefined)
      expect(await adapters('Session').find(next)).to.include({ uid, state: 2 })
    })

    it('ends one whose id was renewed in the same request', async () => {
      const { id, uid } = await session()
      const next = newToken()
      await inUnit(database, async () => {
        await adapters('Session').find(id)
        await adapters('Session').destroy(id)
        await adapters('Session').upsert(next, payload(next, 'Session', { uid, accountId }), HOUR)
        await adapters('Session').destroy(next)
      })
      expect(await adapters('Session').find(id)).to.equal(undefined)
      expect(await adapters('Session').find(next)).to.equal(undefined)
      expect(await adapters('Session').findByUid(uid)).to.equal(undefined)
    })

    it('ends one that was read by its uid', async () => {
      const { id, uid } = await session()
      await inUnit(database, async () => {
        const found = await adapters('Session').findByUid(uid)
        await adapters('Session').destroy(String(found?.jti))
      })
      expect(await adapters('Session').find(id)).to.equal(undefined)
    })

    it('ends one that this request has not read', async () => {
      const { id, uid } = await session()
      await adapters('Session').destroy(id)
      expect(await adapters('Session').findByUid(uid)).to.equal(undefined)
    })

    it('ends one with its facts', async () => {
      const { id, uid } = await session()
      await database.commit([keepFact(uid, accountId, { factor: 'pwd', kind: 'pwd', verifiedAt: NOW })])
      await inUnit(database, async () => {
        await adapters('Session').find(id)
        await adapters('Session').destroy(id)
      })
      expect(await adapters('Session').findByUid(uid)).to.equal(undefined)
      expect(
        (await rowsOf(database, 'session_facts')).filter(each => each.session_uid === uid),
      ).to.deep.equal([])
    })

    it('does not let a request in flight bring an ended one back', async () => {
      const { id, uid } = await session()
      const inFlight = inUnit(database, async () => {
        await adapters('Session').find(id)
        await database.commit(endSessions(database.dialect, accountId, NOW))
        await adapters('Session').upsert(id, payload(id, 'Session', { uid, accountId }), HOUR)
        await adapters('AccessToken').upsert(newToken(), payload('x', 'AccessToken', owned()), HOUR)
      })
      expect(await outcomeOf(inFlight)).to.equal('session_ended')
      expect(await adapters('Session').find(id)).to.equal(undefined)
      for (const next of [id, newToken()]) {
        const again = adapters('Session').upsert(next, payload(next, 'Session', { uid, accountId }), HOUR)
        expect(await outcomeOf(again)).to.equal('session_ended')
        const anonymous = adapters('Session').upsert(next, payload(next, 'Session', { uid }), HOUR)
        expect(await outcomeOf(anonymous)).to.equal('session_ended')
      }
      expect(await adapters('Session').findByUid(uid)).to.equal(undefined)
    })

    it('never has a second row for a uid, however many requests save it at once', async () => {
      const replica = adaptersOn(await open())
      const uid = newToken()
      const ids = Array.from({ length: 20 }, newToken)
      await Promise.all(
        ids.map((id, index) =>
          (index % 2 ? adapters : replica)('Session').upsert(
            id,
            payload(id, 'Session', { uid, accountId }),
            HOUR,
          ),
        ),
      )
      expect((await rowsOf(database, 'oidc_sessions')).filter(each => each.uid === uid)).to.have.length(1)
      const found = await Promise.all(ids.map(id => adapters('Session').find(id)))
      expect(found.filter(each => each !== undefined)).to.have.length(1)
    })

    it('are over seven days after they began, however busy they are', async () => {
      const { id, uid } = await session()
      const end = NOW + 7 * 24 * HOUR * 1000
      for (now = NOW + 20 * HOUR * 1000; now < end; now += 20 * HOUR * 1000) {
        await adapters('Session').upsert(id, payload(id, 'Session', { uid, accountId }), 30 * 24 * HOUR)
      }
      now = end - 1
      expect(await adapters('Session').find(id)).to.include({ uid })
      now = end
      expect(await adapters('Session').find(id)).to.equal(undefined)
      expect(await adapters('Session').findByUid(uid)).to.equal(undefined)
    })

    it('of nobody become those of whoever logs in', async () => {
      const [id, uid] = [newToken(), newToken()]
      await adapters('Session').upsert(id, payload(id, 'Session', { uid }), HOUR)
      expect(await adapters('Session').find(id)).not.to.have.property('accountId')
      await adapters('Session').upsert(id, payload(id, 'Session', { uid, accountId }), HOUR)
      expect(await adapters('Session').find(id)).to.include({ accountId })
      await database.commit([epochMoves(accountId)])
      expect(await adapters('Session').find(id)).to.equal(undefined)
    })
  })

  describe('when the epoch of an account moves', () => {
    const models = ['AuthorizationCode', 'AccessToken', 'RefreshToken', 'Grant', 'Interaction']
    const changes = {
      'it is reset': () => epochMoves(accountId),
      'it is deactivated': () => statusBecomes(accountId, 'deactivated'),
    }
    for (const [what, change] of Object.entries(changes)) {
      for (const model of models) {
        it(`finds no ${model} from before ${what}, and stores none that was in flight`, async () => {
          const id = await mint(model, owned())
          const late = newToken()
          const inFlight = inUnit(database, async () => {
            await adapters(model).upsert(late, payload(late, model, owned()), HOUR)
            await database.commit([change()])
          })
          expect(await outcomeOf(inFlight)).to.equal('account_changed')
          expect(await adapters(model).find(id)).to.equal(undefined)
          expect(await adapters(model).find(late)).to.equal(undefined)
        })
      }

      it(`finds no session from before ${what}, and stores none that was in flight`, async () => {
        const { id, uid } = await session()
        const inFlight = inUnit(database, async () => {
          await adapters('Session').find(id)
          await database.commit([change()])
          await adapters('Session').upsert(id, payload(id, 'Session', { uid, accountId }), HOUR)
        })
        expect(await outcomeOf(inFlight)).to.equal('session_ended')
        expect(await adapters('Session').find(id)).to.equal(undefined)
        expect(await adapters('Session').findByUid(uid)).to.equal(undefined)
      })
    }

    it('refuses what a request mints whose code was read before it moved', async () => {
      const code = await mint('AuthorizationCode', owned())
      const late = newToken()
      const redemption = inUnit(database, async () => {
        await adapters('AuthorizationCode').find(code)
        await database.commit([epochMoves(accountId)])
        await adapters('AuthorizationCode').consume(code)
        await adapters('RefreshToken').upsert(late, payload(late, 'RefreshToken', owned()), HOUR)
      })
      expect(await outcomeOf(redemption)).to.equal('account_changed')
      expect(await adapters('RefreshToken').find(late)).to.equal(undefined)
    })

    it('finds what is minted after it', async () => {
      await database.commit([epochMoves(accountId)])
      const id = await mint('RefreshToken', owned())
      expect(await adapters('RefreshToken').find(id)).not.to.equal(undefined)
    })

    it('takes along the interaction of somebody who is half way through logging in', async () => {
      const progress = (epoch: number) => ({ result: { progress: { account: { id: accountId, epoch } } } })
      const id = await mint('Interaction', progress(0))
      expect(await adapters('Interaction').find(id)).to.have.property('result')
      await database.commit([epochMoves(accountId)])
      expect(await adapters('Interaction').find(id)).to.equal(undefined)
      const again = adapters('Interaction').upsert(id, payload(id, 'Interaction', progress(0)), HOUR)
      expect(await outcomeOf(again)).to.equal('account_changed')
      const fresh = await mint('Interaction', progress(1))
      expect(await adapters('Interaction').find(fresh)).to.have.property('result')
    })

    it('refuses what is minted for nobody', async () => {
      const id = newToken()
      const orphan = payload(id, 'RefreshToken', { ...owned(), accountId: 'usr_nobody' })
      expect(await outcomeOf(adapters('RefreshToken').upsert(id, orphan, HOUR))).to.equal('account_changed')
      const sessionOfNobody = payload(id, 'Session', { uid: id, accountId: 'usr_nobody' })
      expect(await outcomeOf(adapters('Session').upsert(id, sessionOfNobody, HOUR))).to.equal('session_ended')
    })

    it('leaves other accounts alone, also where everything of an account is revoked', async () => {
      const mine = await mint('RefreshToken', owned())
      const other = await person(database)
      const theirs = await mint('RefreshToken', { ...owned(), accountId: other })
      await database.commit([
        revokeAccountArtefacts(accountId),
        ...endSessions(database.dialect, accountId, NOW),
      ])
      expect(await adapters('RefreshToken').find(mine)).to.equal(undefined)
      expect(await adapters('RefreshToken').find(theirs)).not.to.equal(undefined)
    })
  })

  describe('within a request', () => {
    it('brings with a code its grant, session, facts and account: one read for all', async () => {
      const { uid } = await session()
      await database.commit([
        keepFact(uid, accountId, { factor: 'pwd', kind: 'pwd', verifiedAt: NOW }),
        keepFact(uid, accountId, { factor: 'otp', kind: 'otp', verifiedAt: NOW + 1 }),
      ])
      const grantId = await mint('Grant', { accountId, openid: { scope: 'openid' } })
      for (const model of ['AuthorizationCode', 'RefreshToken', 'AccessToken']) {
        const id = await mint(model, { accountId, grantId, sessionUid: uid })
        const trips = await roundTrips(database, () =>
          inUnit(database, async () => {
            expect(await adapters(model).find(id)).to.include({ grantId, sessionUid: uid })
            const grant = await adapters('Grant').find(grantId)
            expect(grant).to.deep.include({ jti: grantId, accountId, openid: { scope: 'openid' } })
            expect(await adapters('Session').findByUid(uid)).to.deep.include({ uid, accountId })
            expect(cachedSession(uid)?.facts.map(each => each.factor)).to.have.members(['pwd', 'otp'])
            expect(unit().cache.get(`account:${accountId}`)).to.include({ id: accountId, epoch: 0 })
          }),
        )
        expect(trips, model).to.deep.equal({ reads: 1, commits: 0 })
      }
    })

    it('does not bring along an ended session, or a grant that is not the code’s', async () => {
      const { id: sessionId, uid } = await session()
      const grantId = await mint('Grant', { accountId })
      const code = await mint('AuthorizationCode', { accountId, grantId, sessionUid: uid })
      await adapters('Session').destroy(sessionId)
      await adapters('Grant').destroy(grantId)
      await inUnit(database, async () => {
        expect(await adapters('AuthorizationCode').find(code)).to.include({ grantId })
        expect(await adapters('Session').findByUid(uid)).to.equal(undefined)
        expect(await adapters('Grant').find(grantId)).to.equal(undefined)
      })
    })

    it('looks a presented token up once, of whichever of three kinds it is', async () => {
      const models = ['AccessToken', 'ClientCredentials', 'RefreshToken']
      for (const model of models) {
        const id = await mint(model, model === 'ClientCredentials' ? {} : owned())
        const trips = await roundTrips(database, () =>
          inUnit(database, async () => {
            const found = await Promise.all(models.map(each => adapters(each).find(id)))
            expect(found.map(each => each?.kind)).to.deep.equal(
              models.map(each => (each === model ? model : undefined)),
            )
          }),
        )
        expect(trips, model).to.deep.equal({ reads: 1, commits: 0 })
      }
      const trips = await roundTrips(database, () =>
        inUnit(database, async () => {
          const found = await Promise.all(models.map(each => adapters(each).find('unknown')))
          expect(found).to.deep.equal([undefined, undefined, undefined])
        }),
      )
      expect(trips).to.deep.equal({ reads: 1, commits: 0 })
    })

    it('consumes a code and stores what is minted for it in one commit', async () => {
      const mine = owned()
      const code = await mint('AuthorizationCode', mine)
      const [access, refresh] = [newToken(), newToken()]
      const trips = await roundTrips(database, () =>
        inUnit(database, async () => {
          await adapters('AuthorizationCode').find(code)
          await adapters('AuthorizationCode').consume(code)
          await adapters('AccessToken').upsert(access, payload(access, 'AccessToken', mine), HOUR)
          await adapters('RefreshToken').upsert(refresh, payload(refresh, 'RefreshToken', mine), HOUR)
        }),
      )
      expect(trips).to.deep.equal({ reads: 1, commits: 1 })
      expect(await adapters('RefreshToken').find(refresh)).not.to.equal(undefined)
      expect(await adapters('AuthorizationCode').find(code)).to.have.property('consumed')
    })
  })

  it('keeps no session id, code, token or secret in the clear', async () => {
    const clients = createClients(database, createKeyring([SECRET_KEY]), () => NOW)
    const clientSecret = newToken()
    await database.commit([
      clients.insert(
        { metadata: { client_id: newToken(), client_secret: clientSecret }, firstParty: true },
        NOW,
      ),
    ])
    const { id: sessionId, uid } = await session({ loginTs: seconds })
    const presented = await Promise.all(
      [
        'AuthorizationCode',
        'AccessToken',
        'RefreshToken',
        'ClientCredentials',
        'PushedAuthorizationRequest',
      ].map(model => mint(model, model === 'ClientCredentials' ? {} : { ...owned(), sessionUid: uid })),
    )
    // As the library stores it: with the value of the session's cookie.
    await mint('Interaction', { session: { accountId, uid, cookie: sessionId, acr: 'phr' } })
    const stored = await dump(database)
    expect(stored).to.include(uid)
    for (const secret of [clientSecret, sessionId, ...presented]) expect(stored).not.to.include(secret)
  })
})
