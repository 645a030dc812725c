import { expect } from 'chai'
import type { Fact } from '../../../src/flow/assurance.ts'
import type { Database } from '../../../src/store/database.ts'
import { newToken } from '../../../src/store/ids.ts'
import {
  endSession,
  endSessions,
  readSession,
  upsertSession,
} from '../../../src/store/sessions/oidc-sessions.ts'
import { keepFact } from '../../../src/store/sessions/session-facts.ts'
import { account, NOW, onEveryDatabase, person, roundTrips, rowsOf } from '../contract.ts'

onEveryDatabase('what a session’s user proved', open => {
  let database: Database
  let id: string
  let uid: string

  const keep = (fact: Fact, of = id) => database.commit([keepFact(uid, of, fact)])
  const facts = async () => (await readSession(database, { uid }, NOW))?.facts
  const begin = (accountId: string) =>
    database.commit([
      upsertSession(
        { uid, id: `id of ${uid}`, payload: { uid }, expiresAt: NOW + 1000, owner: { accountId, epoch: 0 } },
        NOW,
      ),
    ])

  before(async () => {
    database = await open()
  })
  beforeEach(async () => {
    id = await person(database)
    uid = newToken()
    await begin(id)
  })

  it('is read with the session and its account, in one read', async () => {
    const pwd: Fact = { factor: 'pwd', kind: 'pwd', verifiedAt: NOW }
    const passkey: Fact = { factor: 'passkey', kind: 'hwk', verifiedAt: NOW + 1, credentialId: 'credential' }
    await database.commit([keepFact(uid, id, pwd), keepFact(uid, id, passkey)])
    const whole = await account(database, id)
    const trips = await roundTrips(database, async () => {
      const session = await readSession(database, { uid }, NOW)
      expect(session?.facts).to.have.deep.members([pwd, passkey])
      expect(session?.account).to.deep.equal(whole)
    })
    expect(trips).to.deep.equal({ reads: 1, commits: 0 })
  })

  it('is nothing at first', async () => {
    expect(await facts()).to.deep.equal([])
  })

  it('is kept once per factor, with the newest time, whichever comes last', async () => {
    await keep({ factor: 'otp', kind: 'otp', verifiedAt: NOW + 5 })
    await keep({ factor: 'otp', kind: 'otp', verifiedAt: NOW })
    expect(await facts()).to.deep.equal([{ factor: 'otp', kind: 'otp', verifiedAt: NOW + 5 }])
    await keep({ factor: 'otp', kind: 'otp', verifiedAt: NOW + 9 })
    expect(await facts()).to.deep.equal([{ factor: 'otp', kind: 'otp', verifiedAt: NOW + 9 }])
  })

  it('is kept with the newest time also where two requests finish at once', async () => {
    const other = await open()
    const times = Array.from({ length: 20 }, (_, index) => NOW + ((index * 7) % 20))
    await Promise.all(
      times.map((verifiedAt, index) =>
        (index % 2 ? other : database).commit([
          keepFact(uid, id, { factor: 'pwd', kind: 'pwd', verifiedAt }),
        ]),
      ),
    )
    expect(await facts()).to.deep.equal([{ factor: 'pwd', kind: 'pwd', verifiedAt: NOW + 19 }])
  })

  it('says how, as the newest proof did', async () => {
    await keep({ factor: 'passkey', kind: 'hwk', verifiedAt: NOW, credentialId: 'a' })
    await keep({ factor: 'passkey', kind: 'swk', verifiedAt: NOW + 1, credentialId: 'b' })
    expect(await facts()).to.deep.equal([
      { factor: 'passkey', kind: 'swk', verifiedAt: NOW + 1, credentialId: 'b' },
    ])
  })

  it('is not carried over to somebody else who logs in in the same browser', async () => {
    await keep({ factor: 'passkey', kind: 'hwk', verifiedAt: NOW + 50 })
    await keep({ factor: 'pwd', kind: 'pwd', verifiedAt: NOW + 50 })
    const other = await person(database)
    await begin(other)
    expect(await facts()).to.deep.equal([])
    // Their own proof counts, although it is older.
    await keep({ factor: 'pwd', kind: 'pwd', verifiedAt: NOW }, other)
    expect(await facts()).to.deep.equal([{ factor: 'pwd', kind: 'pwd', verifiedAt: NOW }])
  })

  it('ends with the session, and with all sessions of the account', async () => {
    const fact: Fact = { factor: 'pwd', kind: 'pwd', verifiedAt: NOW }
    const kept = async () => (await rowsOf(database, 'session_facts')).filter(each => each.account_id === id)
    await keep(fact)
    await database.commit(endSession({ id: `id of ${uid}` }, NOW))
    expect(await kept()).to.deep.equal([])
    uid = newToken()
    await begin(id)
    await keep(fact)
    await database.commit(endSession({ uid }, NOW))
    expect(await kept()).to.deep.equal([])
    uid = newToken()
    await begin(id)
    await keep(fact)
    await database.commit(endSessions(database.dialect, id, NOW))
    expect(await kept()).to.deep.equal([])
    expect(await readSession(database, { uid }, NOW)).to.equal(undefined)
  })
})
