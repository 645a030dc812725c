// Logging everybody of an organisation out: once per order, whoever presses how often and whatever is killed.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { logOutHandler, orderLogOutAll } from '../../src/organisations/log-outs.ts'
import { type Database, sql, write } from '../../src/store/database.ts'
import { newId } from '../../src/store/ids.ts'
import type { Job } from '../../src/store/jobs/jobs.ts'
import { readArtefacts, upsertArtefact } from '../../src/store/oidc/artefacts.ts'
import { insertOrganisation } from '../../src/store/organisations/organisations.ts'
import { readSessionSettings } from '../../src/store/organisations/session-policies.ts'
import { countLoggedIn } from '../../src/store/sessions/log-outs.ts'
import { readSession, upsertSession } from '../../src/store/sessions/oidc-sessions.ts'
import {
  account,
  fifty,
  NOW,
  ONE_WINS,
  onEveryDatabase,
  outcomeOf,
  person,
  rowsOf,
} from '../store/contract.ts'

const script = fileURLToPath(new URL('log-outs-process.ts', import.meta.url))
const setRole = sql('test_log_out_set_role', 'UPDATE accounts SET role = ? WHERE id = ?')
const many = (name: string, columns: string, values: string) =>
  sql(
    name,
    `INSERT INTO ${columns} WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < CAST(? AS integer))
     SELECT ${values} FROM n`,
  )
const manyAccounts = many(
  'test_log_out_accounts',
  'accounts (id, organisation_id, email, email_key, name, role, status, created_at)',
  `CAST(? AS text) || '_' || i, CAST(? AS text), CAST(? AS text) || i || '@northgate.example',
   CAST(? AS text) || i || '@northgate.example', 'User ' || i, 'technician', 'active', 0`,
)
const manySessions = many(
  'test_log_out_sessions',
  'oidc_sessions (uid, id, account_id, epoch, payload, expires_at, created_at, last_seen_at)',
  `CAST(? AS text) || '_' || i, CAST(? AS text) || '_' || i, CAST(? AS text) || '_' || i, 0,
   '{"authorizations":{"app":{"sid":"' || CAST(? AS text) || '_' || i || '"}}}', CAST(? AS bigint), 0, CAST(? AS bigint)`,
)

onEveryDatabase('logging everybody out', (open, place) => {
  let database: Database
  let replica: Database
  let organisationId: string
  let admin: string

  before(async () => {
    database = await open()
    replica = await open()
  })
  beforeEach(async () => {
    organisationId = await organisation()
    admin = await person(database, { organisationId, role: 'admin' })
  })

  async function organisation(): Promise<string> {
    const id = newId('org')
    await database.commit([
      insertOrganisation({ id, name: 'Northgate', plan: 'Trial', subscribedAt: 0 }, NOW),
    ])
    return id
  }
  /** A session, and a token of it, named as their account; the next ones are numbered. */
  async function logIn(accountId: string, name = accountId): Promise<string> {
    const owner = { accountId, epoch: (await account(database, accountId)).epoch }
    const session = { uid: name, id: name, expiresAt: NOW + 1e9, owner }
    await database.commit([
      upsertSession({ ...session, payload: { authorizations: { app: { sid: name } } } }, NOW),
      upsertArtefact({
        ...{ model: 'RefreshToken', id: name, payload: {}, grantId: 'g', sessionUid: name },
        ...{ expiresAt: NOW + 1e9, owner },
      }),
    ])
    return accountId
  }
  const user = async () => logIn(await person(database, { organisationId }))
  const ground = (each = database, actor = admin, at = NOW) => ({ database: each, clock: () => at, actor })
  const order = (seen = 0, each = database, actor = admin, at = NOW) =>
    orderLogOutAll(ground(each, actor, at), { organisationId, seen, address: '192.0.2.17' })
  const work = (payload: object, each = database, sliceMs = 8_000, signal = new AbortController().signal) =>
    logOutHandler(each, () => NOW, { sliceMs })(
      { kind: 'log-out-all', payload: JSON.stringify(payload) } as Job,
      NOW,
      signal,
    )
  const alive = async (id: string) => (await readSession(database, { uid: id }, NOW)) !== undefined
  const tokens = async (id: string) => (await readArtefacts(database, 'RefreshToken', id, NOW)).length
  const settings = async () => (await readSessionSettings(database, organisationId, admin))?.logOut
  const audit = async (event: string) =>
    (await rowsOf(database, 'audit_events')).filter(
      each => each.event === event && each.organisation_id === organisationId,
    )

  it('ends sessions and tokens of every user, whoever orders it first, tells their apps, and is audited', async () => {
    const users = [await user(), await user(), await user()]
    await logIn(admin)
    expect(await countLoggedIn(database, organisationId)).to.equal(4)
    const slice = await order()
    expect([await alive(admin), await tokens(admin)]).to.deep.equal([false, 0])
    expect(await alive(users[0] ?? '')).to.equal(true)
    expect(await settings()).to.include({ orderedAt: NOW, by: 'Dana Whitlock', finished: false })
    await work(slice)
    for (const id of users) expect([await alive(id), await tokens(id)]).to.deep.equal([false, 0])
    expect(await settings()).to.include({ finished: true })
    expect(await countLoggedIn(database, organisationId)).to.equal(0)
    const told = (await rowsOf(database, 'jobs')).map(each => each.id)
    for (const id of [admin, ...users]) {
      expect(told).to.include(`logout_${id}`)
      expect(await account(database, id)).to.include({ epoch: 1, status: 'active' })
    }
    const [row] = await audit('organisation.logged_out')
    expect(row).to.include({ actor_id: admin, account_id: null, address: '192.0.2.17' })
    const rows = await audit('user.logged_out')
    expect(rows.map(each => each.account_id)).to.have.members([admin, ...users])
    expect(new Set(rows.map(each => each.actor_id))).to.deep.equal(new Set([admin]))
  })

  it('leaves factors, other organisations, and users who are not logged in as they were', async () => {
    const idle = await person(database, { organisationId })
    const elsewhere = await logIn(await person(database, { organisationId: await organisation() }))
    await work(await order())
    expect(await account(database, idle)).to.include({ epoch: 0 })
    expect(await alive(elsewhere)).to.equal(true)
    expect((await audit('user.logged_out')).map(each => each.account_id)).to.deep.equal([admin])
  })

  it('is ordered once by fifty presses of one page, on two replicas', async () => {
    const id = await user()
    const other = await person(database, { organisationId, role: 'admin' })
    const presses = await fifty([database, replica], (each, index) =>
      order(0, each, index % 3 ? admin : other, NOW + index),
    )
    expect(presses).to.deep.equal(ONE_WINS)
    expect(await audit('organisation.logged_out')).to.have.length(1)
    const [job] = (await rowsOf(database, 'jobs')).filter(each =>
      String(each.payload).includes(organisationId),
    )
    const payload = JSON.parse(String(job?.payload))
    await Promise.all([work(payload), work(payload, replica), work(payload)])
    expect(await account(database, id)).to.include({ epoch: 1 })
    expect(await audit('user.logged_out')).to.have.length(2)
  })

  it('can be ordered again by a page that has seen the last one, and reaches who logged in since', async () => {
    const id = await user()
    await work(await order())
    await logIn(id, `${id} again`)
    expect(await outcomeOf(order(0, database, admin, NOW + 5))).to.equal('already_used')
    expect(await alive(`${id} again`)).to.equal(true)
    const again = await order(NOW)
    expect(again.orderedAt).to.equal(NOW + 1)
    await work(again)
    expect(await alive(`${id} again`)).to.equal(false)
    expect(await account(database, id)).to.include({ epoch: 2 })
  })

  it('spares who logged in after it reached them, however often its job is done', async () => {
    const id = await user()
    const slice = await order()
    await work(slice)
    await logIn(id, `${id} again`)
    await work(slice)
    expect(await alive(`${id} again`)).to.equal(true)
  })

  it('is not ordered by a technician, an admin of elsewhere, or one who was demoted a moment ago', async () => {
    const technician = await person(database, { organisationId })
    const mallory = await person(database, { organisationId: await organisation(), role: 'admin' })
    await database.commit([write(setRole, ['technician', admin])])
    for (const actor of [technician, mallory, admin, 'usr_nobody'])
      expect(await outcomeOf(order(0, database, actor)), actor).to.equal('already_used')
    expect(await settings()).to.equal(undefined)
    expect(await audit('user.logged_out')).to.deep.equal([])
  })

  it('hands the rest to a next job when its time is up', async () => {
    for (let n = 0; n < 70; n++) await user()
    const slice = await order()
    await work(slice, database, 0)
    expect(await settings()).to.include({ finished: false })
    const jobs = (await rowsOf(database, 'jobs'))
      .filter(each => each.kind === 'log-out-all')
      .map(each => JSON.parse(String(each.payload)))
      .filter(each => each.organisationId === organisationId && each.after !== '')
    expect(jobs).to.have.length(1)
    await work(jobs[0])
    expect(await settings()).to.include({ finished: true })
    expect(await audit('user.logged_out')).to.have.length(71)
  })

  it('refuses a session that was minted while it ran', async () => {
    const id = await user()
    const owner = { accountId: id, epoch: 0 }
    await work(await order())
    const late = upsertSession(
      { uid: `late ${id}`, id: `late ${id}`, payload: {}, expiresAt: NOW + 1, owner },
      NOW,
    )
    expect(await outcomeOf(database.commit([late]))).to.equal('session_ended')
  })

  it('killed with SIGKILL in the middle of 2,000 users, goes on: each exactly once', async function () {
    this.timeout(60_000)
    const now = Date.now()
    const prefix = `${organisationId}u`
    await database.commit([
      write(manyAccounts, [2_000, prefix, organisationId, prefix, prefix]),
      write(manySessions, [2_000, prefix, prefix, prefix, prefix, now + 1e9, now]),
    ])
    await orderLogOutAll({ database, clock: Date.now, actor: admin }, { organisationId, seen: 0 })
    const done = async () => 2_000 - (await countLoggedIn(database, organisationId))
    const url = await place.url()
    for (const share of [0.2, 0.5]) {
      const doomed = spawn(process.execPath, [script, url, 'for ever'], { stdio: 'inherit' })
      const gone = once(doomed, 'exit')
      while ((await done()) < 2_000 * share) await sleep(5)
      doomed.kill('SIGKILL')
      expect((await gone)[1]).to.equal('SIGKILL')
      expect(await settings()).to.include({ finished: false })
    }
    const last = spawn(process.execPath, [script, url], { stdio: 'inherit' })
    expect(await once(last, 'exit')).to.deep.equal([0, null])
    expect(await settings()).to.include({ finished: true })
    expect(await done()).to.equal(2_000)
    const rows = await audit('user.logged_out')
    expect(rows).to.have.length(2_001)
    expect(new Set(rows.map(each => each.account_id)).size).to.equal(2_001)
    const accounts = (await rowsOf(database, 'accounts')).filter(each => String(each.id).startsWith(prefix))
    expect(new Set(accounts.map(each => each.epoch))).to.deep.equal(new Set([1]))
    const told = (await rowsOf(database, 'jobs')).filter(each =>
      String(each.id).startsWith(`logout_${prefix}`),
    )
    expect(told).to.have.length(2_000)
  })
})
