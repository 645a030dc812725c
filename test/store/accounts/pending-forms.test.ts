// A form that waits for a fresh factor: whose it is, how long, and how often it can be taken.

import { expect } from 'chai'
import {
  keepPending,
  PENDING_MS,
  readPending,
  takePending,
} from '../../../src/store/accounts/pending-forms.ts'
import { auditRow } from '../../../src/store/audit/audit.ts'
import type { Database } from '../../../src/store/database.ts'
import { sweep } from '../../../src/store/jobs/sweep.ts'
import { createKeyring } from '../../../src/store/seal.ts'
import { endSession, upsertSession } from '../../../src/store/sessions/oidc-sessions.ts'
import {
  dump,
  epochMoves,
  failureOf,
  fifty,
  NOW,
  ONE_WINS,
  onEveryDatabase,
  outcomeOf,
  person,
  rowsOf,
  SECRET_KEY,
  statusBecomes,
} from '../contract.ts'

const FORM = { user: 'usr_1', reason: 'the phone of Zoë was lost' }
const keyring = createKeyring([SECRET_KEY])

onEveryDatabase('a form that waits', open => {
  let replicas: Database[]
  let database: Database
  let place: { kind: string; sessionUid: string; accountId: string }
  let sessions = 0

  before(async () => {
    database = await open()
    replicas = [database, await open()]
  })
  beforeEach(async () => {
    const accountId = await person(database)
    place = { kind: 'reset', sessionUid: `uid-${++sessions}`, accountId }
    await database.commit([
      upsertSession(
        {
          uid: place.sessionUid,
          id: `id-${sessions}`,
          payload: {},
          expiresAt: NOW + 86_400_000,
          owner: { accountId, epoch: 0 },
        },
        NOW,
      ),
    ])
  })

  async function keep(): Promise<string> {
    const { id, write } = keepPending(keyring, FORM, place, NOW)
    await database.commit([write])
    return id
  }
  const read = (id: string, now = NOW, at = place) => readPending(database, keyring, id, at, now)
  const take = (id: string, now = NOW, at = place) => outcomeOf(database.commit([takePending(id, at, now)]))

  it('is read as often as one likes, and taken once', async () => {
    const id = await keep()
    expect(await read(id)).to.deep.equal(FORM)
    expect(await read(id)).to.deep.equal(FORM)
    expect(await take(id)).to.equal('stored')
    expect(await take(id)).to.equal('already_used')
    expect(await read(id)).to.equal(undefined)
  })

  it('is taken by one of fifty parallel requests to two replicas, with what it does', async () => {
    const id = await keep()
    const outcome = await fifty(replicas, each =>
      each.commit([
        takePending(id, place, NOW),
        auditRow({ event: 'user.invited', accountId: place.accountId }, NOW),
      ]),
    )
    expect(outcome).to.deep.equal(ONE_WINS)
    const done = (await rowsOf(database, 'audit_events')).filter(each => each.account_id === place.accountId)
    expect(done).to.have.length(1)
  })

  it('is nobody else’s: not another session’s, account’s or page’s', async () => {
    const id = await keep()
    const others = [
      { ...place, sessionUid: 'another' },
      { ...place, accountId: 'another' },
      { ...place, kind: 'another' },
    ]
    for (const other of others) {
      expect(await read(id, NOW, other), JSON.stringify(other)).to.equal(undefined)
      expect(await take(id, NOW, other), JSON.stringify(other)).to.equal('already_used')
    }
    expect(await take(id)).to.equal('stored')
  })

  it('waits for ten minutes', async () => {
    const id = await keep()
    expect(await read(id, NOW + PENDING_MS - 1)).to.deep.equal(FORM)
    expect(await read(id, NOW + PENDING_MS)).to.equal(undefined)
    expect(await take(id, NOW + PENDING_MS)).to.equal('already_used')
    await sweep(database, NOW + PENDING_MS + 6 * 60_000)
    expect(await rowsOf(database, 'pending_forms')).to.deep.equal([])
  })

  it('cannot be taken after its session has ended', async () => {
    const ended = await keep()
    await database.commit(endSession({ uid: place.sessionUid }, NOW))
    expect(await take(ended)).to.equal('already_used')
  })

  for (const [name, change] of [
    ['a reset', epochMoves],
    ['a deactivation', (id: string) => statusBecomes(id, 'deactivated')],
  ] as const) {
    it(`cannot be taken after ${name}`, async () => {
      const id = await keep()
      await database.commit([change(place.accountId)])
      expect(await take(id)).to.equal('already_used')
    })
  }

  it('is stored sealed, and its id hashed', async () => {
    const id = await keep()
    const stored = await dump(database)
    expect(stored).not.to.include(FORM.reason)
    expect(stored).not.to.include(id)
  })

  it('opens with no other key', async () => {
    const id = await keep()
    const other = createKeyring(['another-secret-key-for-tests-of-32-characters'])
    expect(await failureOf(readPending(database, other, id, place, NOW)))
      .to.be.instanceOf(Error)
      .with.property('name', 'SealBroken')
  })
})
