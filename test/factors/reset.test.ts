import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { codeSubject, reserveAttempt } from '../../src/factors/attempts.ts'
import {
  orderReset,
  type ResetGround,
  type ResetOrder,
  reasonLine,
  resetHandler,
  SECOND_FACTOR_RESET,
} from '../../src/factors/reset.ts'
import { insertAccount, type NewAccount } from '../../src/store/accounts/accounts.ts'
import {
  insertPasskey,
  issueRecoveryCode,
  readPasskeys,
  spendRecoveryCode,
  spendTotpStep,
  turnOnAuthenticator,
} from '../../src/store/accounts/credentials.ts'
import { issueToken, readToken } from '../../src/store/accounts/emailed-tokens.ts'
import { type Database, sql, write } from '../../src/store/database.ts'
import { newId } from '../../src/store/ids.ts'
import { claimJobs, failJob, finishJob } from '../../src/store/jobs/jobs.ts'
import { sweep } from '../../src/store/jobs/sweep.ts'
import { upsertArtefact } from '../../src/store/oidc/artefacts.ts'
import { OWN_CLIENT_ID } from '../../src/store/oidc/own-client.ts'
import { insertOrganisation } from '../../src/store/organisations/organisations.ts'
import {
  countResettable,
  DRAFT_MS,
  draftReset,
  draftResetOf,
  readReset,
  readResetUsers,
  settleResetUser,
} from '../../src/store/recovery/second-factor-resets.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { endedSessionOf, logoutJob, NOBODY_TO_TELL } from '../../src/store/sessions/logout-jobs.ts'
import { endSession, readSession, upsertSession } from '../../src/store/sessions/oidc-sessions.ts'
import { keepFact } from '../../src/store/sessions/session-facts.ts'
import { readToldApps } from '../../src/store/sessions/told-apps.ts'
import {
  account,
  fifty,
  NOW,
  ONE_WINS,
  onEveryDatabase,
  outcomeOf,
  PASSKEY,
  roundTrips,
  rowsOf,
  SECRET_KEY,
  statusBecomes,
} from '../store/contract.ts'

const script = fileURLToPath(new URL('reset-process.ts', import.meta.url))
const keyring = createKeyring([SECRET_KEY])
const setRole = sql('test_set_role', 'UPDATE accounts SET role = ? WHERE id = ?')
const moveAway = sql('test_move_away', 'UPDATE accounts SET organisation_id = NULL WHERE id = ?')
const many = (columns: string, values: string) =>
  `INSERT INTO ${columns} WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < CAST(? AS integer))
   SELECT ${values} FROM n`
const manyAccounts = sql(
  'test_many_accounts',
  many(
    'accounts (id, organisation_id, email, email_key, name, role, status, created_at)',
    `CAST(? AS text) || '_' || i, CAST(? AS text), CAST(? AS text) || i || '@northgate.example',
     CAST(? AS text) || i || '@northgate.example', 'User ' || i, 'technician', 'active', 0`,
  ),
)
const manyAuthenticators = sql(
  'test_many_authenticators',
  many(
    'authenticators (account_id, secret, last_step, created_at)',
    `CAST(? AS text) || '_' || i, 'sealed', 0, 0`,
  ),
)

onEveryDatabase('resetting second factors', (open, place) => {
  let database: Database
  let ground: ResetGround
  let organisationId: string
  let admin: string
  let people = 0

  before(async () => {
    database = await open()
    ground = { database, keyring }
  })

  beforeEach(async () => {
    organisationId = newId('org')
    await database.commit([
      insertOrganisation({ id: organisationId, name: 'Northgate', plan: 'Trial', subscribedAt: 0 }, NOW),
    ])
    admin = await user({ role: 'admin', name: 'Priya Raman' })
  })

  /** Somebody of the organisation with an authenticator and a recovery code. */
  async function user(different: Partial<NewAccount> = {}, enrolled = true): Promise<string> {
    const id = newId('usr')
    const made: NewAccount = {
      id,
      organisationId,
      email: `reset${++people}@northgate.example`,
      name: 'Dana Whitlock',
      role: 'technician',
      status: 'active',
      passwordHash: '$argon2id$hash',
      mailboxProvenAt: NOW,
      ...different,
    }
    await database.commit([insertAccount(made, NOW)])
    if (enrolled) {
      await database.commit([
        ...turnOnAuthenticator({ id, epoch: 0 }, 'sealed', 1, NOW),
        issueRecoveryCode(id, 'hash', NOW),
      ])
    }
    return id
  }

  async function crowd(count: number): Promise<string[]> {
    const prefix = newId('usr').slice(0, 20)
    await database.commit([write(manyAccounts, [count, prefix, organisationId, prefix, prefix])])
    await database.commit([write(manyAuthenticators, [count, prefix])])
    return Array.from({ length: count }, (_, index) => `${prefix}_${index + 1}`)
  }

  const passkey = (accountId: string) =>
    insertPasskey({ ...PASSKEY, credentialId: newId('job'), accountId }, NOW)

  async function draft(userIds: readonly string[], actorId = admin, now = NOW): Promise<ResetOrder> {
    const order = { id: newId('rst'), organisationId, actorId }
    await database.commit(draftReset(database.dialect, order, userIds, now))
    return { ...order, reason: 'Lost phones', removePasskeys: false, address: '203.0.113.9' }
  }

  async function start(userIds: readonly string[], different: Partial<ResetOrder> = {}): Promise<ResetOrder> {
    const order = { ...(await draft(userIds, different.actorId)), ...different }
    await orderReset(ground, order, [], NOW)
    return order
  }

  /** Does the jobs that wait, as many as are told. @returns how many there were */
  async function work(most = 1000, on: ResetGround = ground, options = {}): Promise<number> {
    const handler = resetHandler(on, () => NOW, options)
    for (let n = 0; n < most; n++) {
      const claim = { kinds: [SECOND_FACTOR_RESET], limit: 1, leaseMs: 1000, now: NOW + n }
      const [job] = await claimJobs(on.database, claim)
      if (job === undefined) return n
      expect(await handler(job, NOW, new AbortController().signal)).to.deep.equal({ ok: true })
      await on.database.commit([finishJob(job, NOW)])
    }
    return most
  }

  const read = ({ id }: { id: string }) => readReset(database, organisationId, id, NOW)
  const outcomes = async ({ id }: { id: string }) =>
    Object.fromEntries(
      (await readResetUsers(database, id, 0, 20_000)).map(each => [
        each.accountId,
        each.why ?? each.outcome ?? 'waiting',
      ]),
    )
  const mailsTo = async (ids: readonly string[]): Promise<number[]> => {
    const addresses = (await rowsOf(database, 'accounts')).filter(each => ids.includes(String(each.id)))
    const counts = new Map<string, number>()
    for (const each of await rowsOf(database, 'jobs')) {
      const to = /^second-factor-reset to (.*)$/.exec(String(each.summary))?.[1]
      if (to !== undefined) counts.set(to, (counts.get(to) ?? 0) + 1)
    }
    return addresses.map(each => counts.get(String(each.email)) ?? 0)
  }
  const audited = async (accountId: string) =>
    (await rowsOf(database, 'audit_events')).filter(
      each => each.account_id === accountId && each.event === 'second_factor.reset',
    )

  it('takes authenticator, recovery code, mailed codes, sessions, tokens and blocks, and leaves passkeys', async () => {
    const id = await user()
    const subject = codeSubject(id, undefined)
    await database.commit([
      passkey(id),
      ...issueToken('code', id, 'mailed', null, NOW),
      upsertSession(
        {
          uid: `uid ${id}`,
          id: `cookie ${id}`,
          payload: { authorizations: { app: { sid: `sid ${id}` } } },
          expiresAt: NOW + 1000,
          owner: { accountId: id, epoch: 0 },
        },
        NOW,
      ),
      keepFact(`uid ${id}`, id, { factor: 'otp', kind: 'otp', verifiedAt: NOW }),
      ...['Grant', 'RefreshToken', 'AuthorizationCode', 'Interaction'].map(model =>
        upsertArtefact({
          model,
          id: `${model} ${id}`,
          payload: {},
          grantId: undefined,
          sessionUid: undefined,
          expiresAt: NOW + 1000,
          owner: { accountId: id, epoch: 0 },
        }),
      ),
      reserveAttempt('code', subject, NOW),
    ])
    const order = await start([id])
    await work()

    const after = await account(database, id)
    expect(after).to.include({ epoch: 1, secondFactorResetAt: NOW, status: 'active', passkeys: 1 })
    expect(after.authenticator).to.equal(undefined)
    expect(after.recoveryCode).to.equal(undefined)
    expect(await readToken(database, 'code', 'mailed', NOW)).to.equal(undefined)
    expect(await readSession(database, { uid: `uid ${id}` }, NOW)).to.equal(undefined)
    for (const table of ['oidc_artefacts', 'session_facts'] as const) {
      expect(
        (await rowsOf(database, table)).filter(each => each.account_id === id),
        table,
      ).to.deep.equal([])
    }
    expect((await rowsOf(database, 'attempts')).filter(each => each.account === id)).to.deep.equal([])
    const told = (await rowsOf(database, 'jobs')).filter(each => each.id === `logout_sid ${id}`)
    expect(told.map(each => each.kind)).to.deep.equal(['backchannel-logout'])
    expect(await mailsTo([id])).to.deep.equal([1])
    const [row] = await audited(id)
    expect(row).to.include({ actor_id: admin, organisation_id: organisationId, address: '203.0.113.9' })
    expect(JSON.parse(String(row?.details))).to.deep.equal({
      reset: order.id,
      reason: 'Lost phones',
      removePasskeys: false,
    })
    expect(await read(order)).to.include({ state: 'finished', total: 1, done: 1, skipped: 0 })
  })

  it('says of each user which apps know, and which do not yet', async () => {
    const [id, other] = [await user(), await user()]
    const owner = { accountId: id, epoch: 0 }
    const authorizations = Object.fromEntries(
      ['told', 'asleep', 'dead', 'deaf'].map(app => [`${app} ${id}`, { sid: `${app} ${id}` }]),
    )
    // Our own pages were used, too: with the session they have nothing of their own that could last longer.
    const pages = { [OWN_CLIENT_ID]: { sid: `pages ${id}` } }
    const session = {
      uid: `uid ${id}`,
      id: `c ${id}`,
      payload: { authorizations: { ...authorizations, ...pages } },
      expiresAt: NOW + 1000,
      owner,
    }
    await database.commit([upsertSession(session, NOW)])
    const order = await start([id, other])
    await work()
    // An app that is told of another session of theirs is none of this reset's.
    await database.commit([logoutJob({ clientId: 'app', accountId: id, sid: `later ${id}` }, NOW + 1)])
    for (const job of await claimJobs(database, {
      kinds: ['backchannel-logout'],
      limit: 100,
      leaseMs: 1000,
      now: NOW,
    })) {
      const [app, whose] = endedSessionOf(job.payload).sid.split(' ')
      if (whose !== id) continue
      if (app === 'told') await database.commit([finishJob(job, NOW)])
      if (app === 'deaf') await database.commit([finishJob(job, NOW, NOBODY_TO_TELL)])
      if (app === 'dead') await database.commit([failJob(job, 'refused', NOW)])
    }
    const told = await readToldApps(database, order.id, 0, 2)
    const users = await readResetUsers(database, order.id, 0, 2)
    const of = (who: string) => told.get(users.find(each => each.accountId === who)?.position ?? 0)
    expect(of(id)).to.deep.equal([
      { app: `asleep ${id}`, state: 'waiting' },
      { app: `dead ${id}`, state: 'failed' },
      { app: `deaf ${id}`, state: 'nobody' },
      { app: `told ${id}`, state: 'told' },
    ])
    expect(of(other)).to.equal(undefined)
    expect(await readToldApps(database, order.id, 2, 9)).to.deep.equal(new Map())
  })

  it('A5: refuses afterwards what was proven, minted or kept before, from requests in flight', async () => {
    const id = await user()
    const owner = { accountId: id, epoch: 0 }
    const before = await account(database, id)
    const session = { uid: `uid ${id}`, id: `cookie ${id}`, payload: {}, expiresAt: NOW + 1000, owner }
    await database.commit([upsertSession(session, NOW)])
    await start([id])
    await work()
    expect(await outcomeOf(database.commit([spendTotpStep(id, 'sealed', 2, NOW)]))).to.equal('already_used')
    expect(await outcomeOf(database.commit([spendRecoveryCode(id, 'hash', 'next', NOW)]))).to.equal(
      'already_used',
    )
    expect(await outcomeOf(database.commit([upsertSession(session, NOW)]))).to.equal('session_ended')
    const renewed = { ...session, uid: `other ${id}`, id: `renewed ${id}` }
    expect(await outcomeOf(database.commit([upsertSession(renewed, NOW)]))).to.equal('session_ended')
    const artefact = upsertArtefact({
      model: 'RefreshToken',
      id: `late ${id}`,
      payload: {},
      grantId: undefined,
      sessionUid: undefined,
      expiresAt: NOW + 1000,
      owner,
    })
    expect(await outcomeOf(database.commit([artefact]))).to.equal('account_changed')
    // An authenticator that was being set up while the reset came.
    expect(await outcomeOf(database.commit(turnOnAuthenticator(before, 'mine', 3, NOW)))).to.equal(
      'account_changed',
    )
    expect((await account(database, id)).authenticator).to.equal(undefined)
    await database.commit(endSession({ uid: session.uid }, NOW))
  })

  it('removes passkeys where that was chosen, also of somebody whose reset is pending', async () => {
    const id = await user()
    await database.commit([passkey(id)])
    await start([id])
    await work()
    expect(await readPasskeys(database, id)).to.have.length(1)
    const again = await start([id])
    await work()
    expect(await outcomes(again), 'nothing left to take').to.deep.equal({ [id]: 'reset_pending' })
    const stolen = await start([id], { removePasskeys: true })
    await work()
    expect(await outcomes(stolen)).to.deep.equal({ [id]: 'done' })
    expect(await readPasskeys(database, id)).to.deep.equal([])
    expect(await mailsTo([id])).to.deep.equal([2])
  })

  it('costs one commit a user, and asks the database once for 64 of them', async () => {
    const ids = await crowd(64)
    await start(ids)
    const { reads, commits } = await roundTrips(database, () => work())
    // The reset, its users, and that there are no more; the job taken twice (the second time there is none), ended, the reset ended.
    expect({ reads, commits }).to.deep.equal({ reads: 3, commits: 64 + 4 })
  })

  it('A1: a draft has whom the organisation has: foreign, unknown and repeated ids are not in it', async () => {
    const [id, deactivated, bare] = [await user(), await user(), await user({}, false)]
    await database.commit([statusBecomes(deactivated, 'deactivated')])
    const own = organisationId
    organisationId = newId('org')
    await database.commit([
      insertOrganisation({ id: organisationId, name: 'Other', plan: 'Trial', subscribedAt: 0 }, NOW),
    ])
    const foreign = await user()
    organisationId = own
    const order = await draft([admin, id, foreign, id, 'usr_nobody', deactivated, bare, "'; --", '%', ''])
    expect(await outcomes(order)).to.deep.equal({
      [id]: 'waiting',
      [deactivated]: 'not_active',
      [bare]: 'not_set_up',
      [admin]: 'waiting',
    })
    expect(await countResettable(database, order.id)).to.equal(2)
    await orderReset(ground, order, [], NOW)
    await work()
    expect(await outcomes(order)).to.deep.equal({
      [id]: 'done',
      [deactivated]: 'not_active',
      [bare]: 'not_set_up',
      [admin]: 'done',
    })
    expect(await account(database, foreign)).to.include({ epoch: 0, secondFactorResetAt: null })
    expect(await mailsTo([admin, id, foreign, deactivated, bare])).to.have.members([1, 1, 0, 0, 0])
  })

  it('puts whoever asks for it last', async () => {
    const ids = await crowd(3)
    const order = await draft([admin, ...ids])
    const rows = await readResetUsers(database, order.id, 0, 10)
    expect(rows.map(each => each.position)).to.deep.equal([1, 2, 3, 4])
    expect(rows.at(-1)?.accountId).to.equal(admin)
  })

  it('A1: does not exist for another organisation', async () => {
    const order = await start([await user()])
    expect(await readReset(database, newId('org'), order.id, NOW)).to.equal(undefined)
    await work()
  })

  it('A1: takes 10,000 ids in one commit', async () => {
    const ids = await crowd(200)
    const strangers = Array.from({ length: 9_800 }, () => newId('usr'))
    const order = { id: newId('rst'), organisationId, actorId: admin }
    const { commits } = await roundTrips(database, () =>
      database.commit(draftReset(database.dialect, order, [...strangers, ...ids], NOW)),
    )
    expect(commits).to.equal(1)
    expect(await read(order)).to.include({ state: 'draft', total: 200 })
  })

  it('A5: acts on whom the page showed, whoever came or changed since', async () => {
    const [stays, setsUp] = [await user(), await user({}, false)]
    const order = { id: newId('rst'), organisationId, actorId: admin }
    await database.commit(draftResetOf(order, { words: [], standing: 'set_up' }, NOW))
    const late = await user()
    await database.commit(turnOnAuthenticator({ id: setsUp, epoch: 0 }, 'sealed', 1, NOW))
    await orderReset(ground, { ...order, reason: 'x', removePasskeys: false }, [], NOW)
    await work()
    expect(await outcomes(order)).to.deep.equal({ [stays]: 'done', [admin]: 'done' })
    expect((await account(database, late)).authenticator).not.to.equal(undefined)
    expect((await account(database, setsUp)).authenticator).not.to.equal(undefined)
  })

  it('starts once, of fifty presses on two replicas', async () => {
    const id = await user()
    const order = await draft([id])
    const replicas = [ground, { ...ground, database: await open() }]
    const counts = await fifty(
      replicas.map(each => each.database),
      (on, index) => orderReset({ ...ground, database: on }, { ...order, reason: `press ${index}` }, [], NOW),
    )
    expect(counts).to.deep.equal(ONE_WINS)
    expect(await work()).to.equal(1)
    expect(await mailsTo([id])).to.deep.equal([1])
    const ordered = (await rowsOf(database, 'audit_events')).filter(
      each => each.event === 'second_factor.reset_ordered' && String(each.details).includes(order.id),
    )
    expect(ordered).to.have.length(1)
  })

  it('does not start what is older than an hour, nor another admin’s, nor without what must be true with it', async () => {
    const order = await draft([await user()])
    const other = await user({ role: 'admin' })
    const attempt = (different: Partial<ResetOrder>, now = NOW) =>
      outcomeOf(orderReset(ground, { ...order, ...different }, [], now))
    expect(await attempt({ actorId: other })).to.equal('already_used')
    expect(await attempt({ organisationId: newId('org') })).to.equal('already_used')
    expect(await attempt({}, NOW + DRAFT_MS)).to.equal('already_used')
    const form = { statement: setRole, params: ['admin', 'usr_nobody'], refusal: 'already_used' } as const
    expect(await outcomeOf(orderReset(ground, order, [form], NOW))).to.equal('already_used')
    expect(await read(order)).to.include({ state: 'draft' })
    expect(await work()).to.equal(0)
  })

  it('forgets drafts that nobody started, and keeps what was done', async () => {
    const id = await user()
    const [left, done] = [await draft([id]), await start([id])]
    await work()
    await sweep(database, NOW + DRAFT_MS + 6 * 60_000)
    const kept = async (table: 'second_factor_resets' | 'second_factor_reset_users', column: string) =>
      (await rowsOf(database, table)).map(each => each[column])
    expect(await kept('second_factor_resets', 'id'))
      .to.include(done.id)
      .and.not.include(left.id)
    expect(await kept('second_factor_reset_users', 'reset_id'))
      .to.include(done.id)
      .and.not.include(left.id)
  })

  it('skips who was deactivated or has gone in the middle, and says so', async () => {
    const ids = await crowd(130)
    const order = await start(ids)
    expect(await work(1, ground, { sliceMs: 0 })).to.equal(1)
    const waiting = Object.entries(await outcomes(order)).flatMap(([id, each]) =>
      each === 'waiting' ? [id] : [],
    )
    expect(waiting).to.have.length(66)
    const [deactivated = '', gone = ''] = waiting
    await database.commit([statusBecomes(deactivated, 'deactivated'), write(moveAway, [gone])])
    await work()
    const after = await outcomes(order)
    expect([after[deactivated], after[gone]]).to.deep.equal(['not_active', 'gone'])
    expect(await read(order)).to.include({ state: 'finished', total: 130, done: 128, skipped: 2 })
    expect(await mailsTo([deactivated, gone])).to.deep.equal([0, 0])
    expect(await account(database, deactivated)).to.include({ epoch: 0 })
  })

  for (const [what, change] of [
    ['demoted', (id: string) => write(setRole, ['technician', id])],
    ['deactivated', (id: string) => statusBecomes(id, 'deactivated')],
  ] as const) {
    it(`goes no further for an admin who is ${what} in the middle`, async () => {
      const order = await start(await crowd(130))
      await work(1, ground, { sliceMs: 0 })
      await database.commit([change(admin)])
      await work()
      const reasons = Object.values(await outcomes(order))
      expect(reasons.filter(each => each === 'done')).to.have.length(64)
      expect(reasons.filter(each => each === 'not_allowed')).to.have.length(66)
      expect(await read(order)).to.include({ state: 'finished', done: 64, skipped: 66 })
    })
  }

  it('lets two admins reset each other at once: both must set up again, both are still admins', async () => {
    const other = await user({ role: 'admin' })
    const second: ResetGround = { ...ground, database: await open() }
    await Promise.all([start([other, admin]), start([admin, other], { actorId: other })])
    await Promise.all([work(1000), work(1000, second)])
    for (const id of [admin, other]) {
      const after = await account(database, id)
      expect(after).to.include({ role: 'admin', status: 'active', epoch: 1, secondFactorResetAt: NOW })
      await database.commit(turnOnAuthenticator(after, 'new', 5, NOW))
      expect(await account(database, id)).to.include({ secondFactorResetAt: null })
    }
    expect(await mailsTo([admin, other])).to.deep.equal([1, 1])
  })

  it('does each user once where two workers do the same job, and another reset has the same users', async () => {
    const ids = await crowd(150)
    const [order, same] = [await start(ids), await start(ids)]
    const due = await claimJobs(database, {
      kinds: [SECOND_FACTOR_RESET],
      limit: 2,
      leaseMs: 1000,
      now: NOW,
    })
    // Both are due at the same moment: they come in any order.
    const job = due.find(each => each.payload.includes(order.id))
    if (job === undefined) throw new Error('no job')
    const signal = new AbortController().signal
    const another: ResetGround = { ...ground, database: await open() }
    const workers = [ground, another, ground].map(each => resetHandler(each, () => NOW)(job, NOW, signal))
    await Promise.all([...workers, resetAll(another, same)])
    const [first, last] = [await read(order), await read(same)]
    expect((first?.done ?? 0) + (last?.done ?? 0)).to.equal(150)
    expect((first?.skipped ?? 0) + (last?.skipped ?? 0)).to.equal(150)
    expect(new Set(await mailsTo(ids))).to.deep.equal(new Set([1]))
    for (const id of [ids[0], ids[149]]) expect(await account(database, id ?? '')).to.include({ epoch: 1 })
  })

  /** The job of a reset, whoever holds it. */
  async function resetAll(on: ResetGround, { id }: ResetOrder): Promise<void> {
    const payload = JSON.stringify({ organisationId, resetId: id, after: 0 })
    const job = { id: 'x', kind: '', summary: '', attempts: 1, leaseUntil: 0, createdAt: NOW, payload }
    await resetHandler(on, () => NOW)(job, NOW, new AbortController().signal)
  }

  it('settles a row once, of fifty who try, whatever became of it', async () => {
    const order = await draft([await user()])
    const replicas = [database, await open()]
    const counts = await fifty(replicas, (on, index) =>
      on.commit([settleResetUser(order.id, 1, index % 2 === 0 ? undefined : 'gone', NOW)]),
    )
    expect(counts).to.deep.equal(ONE_WINS)
  })

  it('hands the rest on when it is told to stop', async () => {
    const order = await start(await crowd(100))
    const [job] = await claimJobs(database, {
      kinds: [SECOND_FACTOR_RESET],
      limit: 1,
      leaseMs: 1000,
      now: NOW,
    })
    if (job === undefined) throw new Error('no job')
    expect(await resetHandler(ground, () => NOW)(job, NOW, AbortSignal.abort())).to.deep.equal({ ok: true })
    await database.commit([finishJob(job, NOW)])
    const stopped = await read(order)
    expect(stopped?.state).to.equal('running')
    expect(stopped?.done).to.be.greaterThan(0).and.below(100)
    expect(await work()).to.equal(1)
    expect(await read(order)).to.include({ state: 'finished', done: 100 })
  })

  it('F3: killed in the middle of 5,000 users, does each exactly once, with one mail each', async function () {
    this.timeout(120_000)
    const ids = await crowd(5_000)
    const order = await draft(ids, admin, Date.now())
    await orderReset(ground, order, [], Date.now())
    const url = await place.url()
    for (const share of [0.2, 0.5]) {
      const doomed = spawn(process.execPath, [script, url, 'for ever'], { stdio: 'inherit' })
      const gone = once(doomed, 'exit')
      while (((await read(order))?.done ?? 0) < 5_000 * share) await sleep(5)
      doomed.kill('SIGKILL')
      expect((await gone)[1]).to.equal('SIGKILL')
      expect(await read(order)).to.include({ state: 'running' })
    }
    const last = spawn(process.execPath, [script, url], { stdio: 'inherit' })
    expect(await once(last, 'exit')).to.deep.equal([0, null])
    expect(await read(order)).to.include({ state: 'finished', total: 5_000, done: 5_000, skipped: 0 })
    expect(new Set(await mailsTo(ids))).to.deep.equal(new Set([1]))
    const epochs = (await rowsOf(database, 'accounts')).filter(each => ids.includes(String(each.id)))
    expect(new Set(epochs.map(each => each.epoch))).to.deep.equal(new Set([1]))
    const rows = (await rowsOf(database, 'audit_events')).filter(each =>
      String(each.details).includes(order.id),
    )
    expect(rows).to.have.length(5_001)
    expect(new Set(rows.map(each => each.account_id))).to.have.property('size', 5_001)
  })
})

describe('the reason of a reset', () => {
  it('is one line, whatever was typed', () => {
    expect(reasonLine('  Lost\r\n phone\u2028\u0000 of\tDana ')).to.equal('Lost phone of Dana')
    expect(reasonLine(' \n ')).to.equal('')
  })
})
