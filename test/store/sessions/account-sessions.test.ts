import { expect } from 'chai'
import { type Database, sql, write } from '../../../src/store/database.ts'
import { newId } from '../../../src/store/ids.ts'
import { sweep } from '../../../src/store/jobs/sweep.ts'
import { readArtefacts, upsertArtefact } from '../../../src/store/oidc/artefacts.ts'
import { insertOrganisation } from '../../../src/store/organisations/organisations.ts'
import { endSessionOf, hasAccess, readSessionsOf } from '../../../src/store/sessions/account-sessions.ts'
import {
  readSession,
  type StoredSession,
  seeSession,
  upsertSession,
} from '../../../src/store/sessions/oidc-sessions.ts'
import { keepFact } from '../../../src/store/sessions/session-facts.ts'
import {
  epochMoves,
  fifty,
  NOW,
  ONE_WINS,
  onEveryDatabase,
  outcomeOf,
  person,
  roundTrips,
  rowsOf,
} from '../contract.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const SPECIAL = ['Enterprise']
const choose = sql(
  'test_choose_session_policy',
  'UPDATE organisations SET plan = ?, session_inactive_hours = ?, session_end_days = ? WHERE id = ?',
)

onEveryDatabase('sessions of an account', (open, place) => {
  let database: Database
  let replica: Database
  let organisationId: string
  let accountId: string
  let sessions = 0

  before(async () => {
    database = await open()
    replica = await open()
  })
  beforeEach(async () => {
    organisationId = newId('org')
    await database.commit([
      insertOrganisation({ id: organisationId, name: 'Northgate', plan: 'Enterprise', subscribedAt: 0 }, NOW),
    ])
    accountId = await person(database, { organisationId })
  })

  const policy = (inactiveHours: number | null, endDays: number | null, plan = 'Enterprise') =>
    database.commit([write(choose, [plan, inactiveHours, endDays, organisationId])])
  const owner = () => ({ accountId, epoch: 0 })
  const store = (uid: string, now: number, device = 'Firefox, Windows') =>
    database.commit([
      upsertSession(
        {
          uid,
          id: uid,
          expiresAt: now + DAY,
          owner: owner(),
          origin: { address: '192.0.2.17', device },
          payload: { authorizations: { demo: { sid: `sid ${uid}` } } },
        },
        now,
      ),
    ])
  async function session(now = NOW): Promise<string> {
    const uid = `uid${++sessions}${place.dialect}`
    await store(uid, now)
    return uid
  }
  const alive = async (uid: string, now: number) =>
    (await readSession(database, { uid }, now, SPECIAL)) !== undefined
  const rowOf = async (uid: string) =>
    (await rowsOf(database, 'oidc_sessions')).find(each => each.uid === uid)
  const found = async (uid: string, now: number) =>
    (await readSession(database, { uid }, now, SPECIAL)) as StoredSession
  const shown = async (now: number) =>
    (await readSessionsOf(database, accountId, now, SPECIAL)).map(each => each.uid)

  describe('and the policy', () => {
    it('of the organisation ends them, at the moment, wherever they are read', async () => {
      await policy(8, 2)
      const uid = await session()
      expect([await alive(uid, NOW + 8 * HOUR - 1), await shown(NOW + 8 * HOUR - 1)]).to.deep.equal([
        true,
        [uid],
      ])
      expect([await alive(uid, NOW + 8 * HOUR), await shown(NOW + 8 * HOUR)]).to.deep.equal([false, []])
      // A token of the session is read with it.
      const token = { model: 'AccessToken', id: uid, payload: {}, grantId: undefined, sessionUid: uid }
      await database.commit([upsertArtefact({ ...token, expiresAt: NOW + DAY, owner: owner() })])
      const [live] = await readArtefacts(database, 'AccessToken', uid, NOW + 8 * HOUR - 1, SPECIAL)
      const [late] = await readArtefacts(database, 'AccessToken', uid, NOW + 8 * HOUR, SPECIAL)
      expect([live?.session?.uid, late?.session]).to.deep.equal([uid, undefined])
    })

    it('counts for those that are there, from their next use on, in both directions', async () => {
      const uid = await session()
      await policy(1, 7)
      expect(await alive(uid, NOW + HOUR)).to.equal(false)
      await policy(24, 7)
      expect(await alive(uid, NOW + HOUR)).to.equal(true)
    })

    it('is the standard one when the plan is not special any more, and their own when it is again', async () => {
      await policy(1, 30)
      const uid = await session()
      expect(await alive(uid, NOW + 2 * HOUR)).to.equal(false)
      await policy(1, 30, 'Team')
      expect(await alive(uid, NOW + 2 * HOUR)).to.equal(true)
      for (let now = NOW; now <= NOW + 8 * DAY; now += 20 * HOUR) await store(uid, now)
      expect(await alive(uid, NOW + 8 * DAY)).to.equal(false)
      await policy(24, 30, 'Enterprise')
      expect(await alive(uid, NOW + 8 * DAY)).to.equal(true)
    })

    it('lets them live for thirty days where that is chosen, and sweeps none before', async () => {
      await policy(24, 30)
      const uid = await session()
      const end = NOW + 30 * DAY
      for (let now = NOW + 23 * HOUR; now < end; now += 23 * HOUR) {
        const seen = seeSession(await found(uid, now), now)
        await database.commit(seen === undefined ? [] : [seen])
        await sweep(database, now + 20 * HOUR)
      }
      expect(await alive(uid, end - 1)).to.equal(true)
      expect(await alive(uid, end)).to.equal(false)
      await sweep(database, end + 2 * DAY)
      expect(await rowOf(uid)).to.equal(undefined)
    })

    it('counts the end from the first login, not from the next ones, and anew for another account', async () => {
      const uid = `anonymous${++sessions}`
      const nobody = { uid, id: uid, expiresAt: NOW + DAY, payload: {}, owner: undefined }
      await database.commit([upsertSession(nobody, NOW)])
      expect(await rowOf(uid)).to.include({ logged_in_at: null, device: null })
      await store(uid, NOW + HOUR)
      await store(uid, NOW + 5 * HOUR)
      expect(Number((await rowOf(uid))?.logged_in_at)).to.equal(NOW + HOUR)
      accountId = await person(database, { organisationId })
      await store(uid, NOW + 6 * HOUR)
      expect(Number((await rowOf(uid))?.logged_in_at)).to.equal(NOW + 6 * HOUR)
    })
  })

  describe('when used', () => {
    it('are noted at most once a minute, by fifty requests at once as by one', async () => {
      const uid = await session()
      expect(seeSession(await found(uid, NOW + MINUTE - 1), NOW + MINUTE - 1)).to.equal(undefined)
      const read = await found(uid, NOW + MINUTE)
      const touched = await Promise.all(
        Array.from({ length: 50 }, async (_, index) => {
          const seen = seeSession(read, NOW + MINUTE + index)
          if (seen === undefined) throw new Error('not due')
          const [rows = []] = await (index % 2 ? database : replica).commitTelling([seen])
          return rows.length
        }),
      )
      expect(touched.reduce((sum, each) => sum + each, 0)).to.equal(1)
    })

    it('are noted at most once a minute by authorization requests, too', async () => {
      const uid = await session()
      await store(uid, NOW + MINUTE - 1)
      expect(Number((await rowOf(uid))?.last_seen_at)).to.equal(NOW)
      await store(uid, NOW + MINUTE)
      expect(Number((await rowOf(uid))?.last_seen_at)).to.equal(NOW + MINUTE)
    })

    it('do not come back by being noted after their end', async () => {
      const uid = await session()
      const read = await found(uid, NOW + HOUR)
      await database.commit(endSessionOf(database.dialect, { accountId, uid }, NOW + HOUR))
      const [rows] = await database.commitTelling([seeSession(read, NOW + HOUR) as never])
      expect(rows).to.deep.equal([])
      expect(await alive(uid, NOW + HOUR)).to.equal(false)
    })
  })

  describe('as they are shown', () => {
    it('name device, address, login and last use, the last used first, in one read', async () => {
      const [old, recent] = [await session(), await session(NOW + HOUR)]
      // Whoever proves themselves again, from elsewhere, is in the same session.
      await store(old, NOW + 1, 'Edge, Windows')
      const list = await readSessionsOf(database, accountId, NOW + 2 * HOUR, SPECIAL)
      const times = (at: number) => ({ loggedInAt: at, lastSeenAt: at, apps: ['demo'] })
      expect(list).to.deep.equal([
        { uid: recent, device: 'Firefox, Windows', address: '192.0.2.17', ...times(NOW + HOUR) },
        { uid: old, device: 'Firefox, Windows', address: '192.0.2.17', ...times(NOW) },
      ])
      const read = () => readSessionsOf(database, accountId, NOW, SPECIAL)
      expect(await roundTrips(database, read)).to.deep.equal({ reads: 1, commits: 0 })
    })

    it('are none of another account, none that ended, and none from before a reset', async () => {
      await session()
      const ended = await session()
      await database.commit(endSessionOf(database.dialect, { accountId, uid: ended }, NOW))
      expect(await shown(NOW)).to.have.length(1)
      await database.commit([epochMoves(accountId)])
      expect(await shown(NOW)).to.deep.equal([])
      accountId = await person(database, { organisationId })
      expect(await shown(NOW)).to.deep.equal([])
      expect(await hasAccess(database, accountId)).to.equal(false)
    })
  })

  describe('ended one by one', () => {
    async function laden(): Promise<string> {
      const uid = await session()
      const kept = { payload: {}, grantId: uid, expiresAt: NOW + DAY, owner: owner() }
      await database.commit([
        keepFact(uid, accountId, { factor: 'pwd', kind: 'pwd', verifiedAt: NOW }),
        upsertArtefact({ ...kept, model: 'Grant', id: uid, sessionUid: undefined }),
        ...['RefreshToken', 'AuthorizationCode', 'Interaction'].map(model =>
          upsertArtefact({ ...kept, model, id: `${uid} ${model}`, sessionUid: uid }),
        ),
      ])
      return uid
    }
    const artefacts = async (uid: string) =>
      (
        await Promise.all(
          ['RefreshToken', 'AuthorizationCode', 'Interaction'].map(model =>
            readArtefacts(database, model, `${uid} ${model}`, NOW, SPECIAL),
          ),
        )
      ).flat().length
    const jobsOf = async (uid: string) =>
      (await rowsOf(database, 'jobs')).filter(each => each.id === `logout_sid ${uid}`)

    it('take their codes, tokens and pending logins along, have their apps told, and leave the others', async () => {
      const [uid, other] = [await laden(), await laden()]
      await database.commit(endSessionOf(database.dialect, { accountId, uid }, NOW))
      expect([await alive(uid, NOW), await artefacts(uid)]).to.deep.equal([false, 0])
      expect(
        (await rowsOf(database, 'session_facts')).filter(each => each.session_uid === uid),
      ).to.deep.equal([])
      expect(await jobsOf(uid)).to.have.length(1)
      expect([await alive(other, NOW), await artefacts(other)]).to.deep.equal([true, 3])
      expect(await jobsOf(other)).to.deep.equal([])
      // What the user allowed the app stays allowed.
      expect(await readArtefacts(database, 'Grant', uid, NOW, SPECIAL)).to.have.length(1)
    })

    it('end once, of fifty at once on two replicas', async () => {
      const uid = await laden()
      const outcome = await fifty([database, replica], each =>
        each.commit(endSessionOf(each.dialect, { accountId, uid }, NOW)),
      )
      expect(outcome).to.deep.equal(ONE_WINS)
      expect(await jobsOf(uid)).to.have.length(1)
    })

    it('are not ended by another account that knows their name', async () => {
      const uid = await laden()
      const thief = await person(database, { organisationId })
      const end = database.commit(endSessionOf(database.dialect, { accountId: thief, uid }, NOW))
      expect(await outcomeOf(end)).to.equal('already_used')
      expect([await alive(uid, NOW), await artefacts(uid), await jobsOf(uid)]).to.deep.equal([true, 3, []])
    })

    it('are not brought back by a request in flight', async () => {
      const uid = await laden()
      await database.commit(endSessionOf(database.dialect, { accountId, uid }, NOW))
      expect(await outcomeOf(store(uid, NOW + 1))).to.equal('session_ended')
    })
  })
})
