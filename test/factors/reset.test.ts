// Resetting the second factor of many, against the database alone: what each user loses and keeps, and that the job does
// each of them once, whatever happens to it.

import { expect } from 'chai'
import { orderReset, resetHandler, SECOND_FACTOR_RESET } from '../../src/factors/reset.ts'
import { insertAccount, readAccount } from '../../src/store/accounts.ts'
import { upsertArtefact } from '../../src/store/artefacts.ts'
import { insertPasskey, issueRecoveryCode, turnOnAuthenticator } from '../../src/store/credentials.ts'
import { type Database, sql, write } from '../../src/store/database.ts'
import { createJobBell } from '../../src/store/job-bell.ts'
import { runJobs, type Worker } from '../../src/store/job-worker.ts'
import { insertOrganisation } from '../../src/store/organisations.ts'
import { createKeyring } from '../../src/store/seal.ts'
import {
  countResettable,
  DRAFT_MS,
  draftReset,
  draftResetOf,
  readReset,
  readResetUsers,
} from '../../src/store/second-factor-resets.ts'
import { sweep } from '../../src/store/sweep.ts'
import { fifty, NOW, ONE_WINS, onEveryDatabase, outcomeOf, SECRET_KEY } from './../store/contract.ts'

const keyring = createKeyring([SECRET_KEY])
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
const demote = sql('test_reset_demote', "UPDATE accounts SET role = 'technician' WHERE id = ?")
const deactivate = sql('test_reset_deactivate', "UPDATE accounts SET status = 'deactivated' WHERE id = ?")
const mails = sql('test_reset_mails', "SELECT count(*) AS n FROM jobs WHERE kind = 'mail'")
const audits = sql(
  'test_reset_audits',
  "SELECT account_id, actor_id, details FROM audit_events WHERE event = 'second_factor.reset' AND organisation_id = ?",
)
const artefacts = sql('test_reset_artefacts', 'SELECT id FROM oidc_artefacts WHERE account_id = ?')

let organisations = 0

onEveryDatabase('a reset of the second factor', open => {
  let database: Database
  let other: Database
  let org: string
  let admin: string
  let resets = 0
  const workers: Worker[] = []

  before(async () => {
    database = await open()
    other = await open()
  })
  beforeEach(async () => {
    org = `org_${++organisations}`
    await database.commit([
      insertOrganisation({ id: org, name: 'Northgate', plan: 'Team', subscribedAt: 0 }, NOW),
    ])
    admin = await person('Priya Raman', { role: 'admin', factor: 'authenticator' })
  })
  afterEach(async () => {
    for (const each of workers.splice(0)) await each.stop()
  })

  let people = 0
  type Factor = 'authenticator' | 'passkey' | 'none'
  async function person(
    name: string,
    { role = 'technician', factor = 'authenticator' as Factor, in: organisationId = org } = {},
  ): Promise<string> {
    const id = `usr_${org}_${++people}`
    await database.commit([
      insertAccount(
        {
          id,
          organisationId,
          email: `${id}@example.com`,
          name,
          role: role as 'admin',
          status: 'active',
          passwordHash: 'hash',
          mailboxProvenAt: NOW,
        },
        NOW,
      ),
    ])
    if (factor === 'authenticator') {
      await database.commit([
        ...turnOnAuthenticator({ id, epoch: 0 }, `sealed ${id}`, 1, NOW),
        issueRecoveryCode(id, 'hash', NOW),
      ])
    }
    if (factor === 'passkey') await database.commit([passkey(id)])
    return id
  }

  const passkey = (accountId: string) =>
    insertPasskey(
      {
        credentialId: `key of ${accountId}`,
        accountId,
        rpId: 'localhost',
        publicKey: '',
        counter: 0,
        transports: [],
        aaguid: '',
        backupEligible: false,
        backedUp: false,
        name: 'key',
      },
      NOW,
    )

  async function draft(ids: readonly string[], actorId = admin): Promise<string> {
    const id = `rst_${org}_${++resets}`
    await database.commit(draftReset(database.dialect, { id, organisationId: org, actorId }, ids, NOW))
    return id
  }

  const ground = (on = database) => ({ database: on, keyring, bell: createJobBell() })
  const order = (id: string, { on = database, removePasskeys = false, actorId = admin, now = NOW } = {}) =>
    orderReset(
      ground(on),
      { id, organisationId: org, actorId, reason: 'Phones replaced', removePasskeys },
      [],
      now,
    )

  function work(on = database): void {
    const handlers = { [SECOND_FACTOR_RESET]: resetHandler(ground(on), () => NOW) }
    workers.push(runJobs({ database: on, handlers, log: silent, clock: () => NOW, intervalMs: 20 }))
  }

  async function finished(id: string) {
    for (const started = Date.now(); Date.now() - started < 20_000; ) {
      const reset = await readReset(database, org, id, NOW)
      if (reset?.state === 'finished') return reset
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    throw new Error('the reset did not end')
  }

  const outcomes = async (id: string) =>
    (await readResetUsers(database, id, 0, 1000)).map(each =>
      `${each.name}: ${each.outcome} ${each.why ?? ''}`.trim(),
    )

  it('takes authenticator and recovery code, ends what was minted, and leaves passkeys', async () => {
    const ben = await person('Ben')
    await database.commit([passkey(ben)])
    await database.commit([
      upsertArtefact({
        model: 'RefreshToken',
        id: `token of ${ben}`,
        payload: {},
        grantId: 'g',
        sessionUid: 'u',
        expiresAt: NOW + 1000,
        owner: { accountId: ben, epoch: 0 },
      }),
    ])
    const id = await draft([ben])
    await order(id)
    work()
    expect(await finished(id)).to.include({ total: 1, done: 1, skipped: 0, actorName: 'Priya Raman' })
    const account = await readAccount(database, ben)
    expect(account).to.include({ epoch: 1, secondFactorResetAt: NOW, passkeys: 1 })
    expect(account?.authenticator).to.equal(undefined)
    expect(account?.recoveryCode).to.equal(undefined)
    expect(await database.read(artefacts, [ben])).to.deep.equal([])
    const [row] = await database.read(audits, [org])
    expect(row).to.include({ account_id: ben, actor_id: admin })
    expect(JSON.parse(String(row?.details))).to.include({ reason: 'Phones replaced', reset: id })
  })

  it('removes passkeys only where that was asked', async () => {
    const ben = await person('Ben', { factor: 'passkey' })
    const id = await draft([ben])
    await order(id, { removePasskeys: true })
    work()
    await finished(id)
    expect(await readAccount(database, ben)).to.include({ passkeys: 0, secondFactorResetAt: NOW })
  })

  it('A1 mixed bulk: foreign, unknown and repeated ids are not in it; the report is exact', async () => {
    const abroad = `org_${++organisations}`
    await database.commit([
      insertOrganisation({ id: abroad, name: 'Elsewhere', plan: 'Team', subscribedAt: 0 }, NOW),
    ])
    const stranger = await person('Stranger', { in: abroad })
    const ben = await person('Ben')
    const fatou = await person('Fatou', { factor: 'none' })
    const gone = await person('Isabel')
    await database.commit([write(deactivate, [gone])])
    const id = await draft([ben, stranger, ben, 'usr_nobody', fatou, gone, "' OR 1=1", ''])
    expect(await readReset(database, org, id, NOW)).to.include({ state: 'draft', total: 3 })
    expect(await countResettable(database, id)).to.equal(1)
    await order(id)
    work()
    expect(await finished(id)).to.include({ total: 3, done: 1, skipped: 2 })
    expect(await outcomes(id)).to.deep.equal([
      'Ben: done',
      'Fatou: skipped not_set_up',
      'Isabel: skipped not_active',
    ])
    expect((await readAccount(database, stranger))?.authenticator).not.to.equal(undefined)
    expect(await readReset(database, abroad, id, NOW)).to.equal(undefined)
  })

  it('takes 10,000 ids at once', async () => {
    const ben = await person('Ben')
    const id = await draft([...Array.from({ length: 10_000 }, (_, n) => `usr_made_up_${n}`), ben])
    expect(await readReset(database, org, id, NOW)).to.include({ total: 1 })
  })

  it('drafts everybody who matches, as they are at that moment', async () => {
    await person('Ben Okafor')
    await person('Ben Two', { factor: 'none' })
    const id = `rst_${org}_all`
    const who = { id, organisationId: org, actorId: admin }
    await database.commit(draftResetOf(who, { words: ['ben'], standing: 'set_up' }, NOW))
    await person('Ben Three')
    expect((await readResetUsers(database, id, 0, 10)).map(each => each.name)).to.deep.equal(['Ben Okafor'])
  })

  it('A5: applied twice, from fifty tabs at once, it is done once', async () => {
    const ben = await person('Ben')
    const id = await draft([ben])
    const before = Number((await database.read(mails, []))[0]?.n)
    expect(await fifty([database, other], on => order(id, { on }))).to.deep.equal(ONE_WINS)
    work()
    work(other)
    await finished(id)
    expect((await readAccount(database, ben))?.epoch).to.equal(1)
    expect(Number((await database.read(mails, []))[0]?.n) - before).to.equal(1)
    expect(await outcomeOf(order(id))).to.equal('already_used')
  })

  it('is started by nobody but whoever drafted it, and not after an hour', async () => {
    const ben = await person('Ben')
    const id = await draft([ben])
    const rosa = await person('Rosa', { role: 'admin' })
    expect(await outcomeOf(order(id, { actorId: rosa }))).to.equal('already_used')
    expect(await outcomeOf(order(id, { now: NOW + DRAFT_MS }))).to.equal('already_used')
    expect(await readReset(database, org, id, NOW + DRAFT_MS)).to.equal(undefined)
    await sweep(database, NOW + 2 * DRAFT_MS)
    expect(await readReset(database, org, id, NOW)).to.equal(undefined)
    expect(await readResetUsers(database, id, 0, 10)).to.deep.equal([])
  })

  it('passes over whoever was deactivated, or set nothing up, between the preview and the work', async () => {
    const ben = await person('Ben')
    const kim = await person('Kim')
    const id = await draft([ben, kim])
    await order(id)
    await database.commit([write(deactivate, [ben])])
    work()
    await finished(id)
    expect(await outcomes(id)).to.deep.equal(['Ben: skipped not_active', 'Kim: done'])
    expect(await readAccount(database, ben)).to.include({ epoch: 0 })
  })

  it('stops for the rest where the admin is demoted in the middle', async () => {
    const ids = [await person('Ben'), await person('Kim')]
    const id = await draft(ids)
    await order(id)
    await database.commit([write(demote, [admin])])
    work()
    await finished(id)
    expect(await outcomes(id)).to.deep.equal(['Ben: skipped not_allowed', 'Kim: skipped not_allowed'])
    expect((await readAccount(database, ids[0] ?? ''))?.authenticator).not.to.equal(undefined)
  })

  it('two admins reset each other at once: both are reset, both are still admins', async () => {
    const rosa = await person('Rosa', { role: 'admin' })
    const [one, two] = [await draft([rosa]), await draft([admin], rosa)]
    await Promise.all([order(one), order(two, { actorId: rosa })])
    work()
    work(other)
    await Promise.all([finished(one), finished(two)])
    for (const id of [admin, rosa]) {
      expect(await readAccount(database, id)).to.include({
        secondFactorResetAt: NOW,
        role: 'admin',
        status: 'active',
      })
    }
  })

  it('does oneself last', async () => {
    const ben = await person('Zoe')
    const id = await draft([admin, ben])
    expect((await readResetUsers(database, id, 0, 10)).map(each => each.name)).to.deep.equal([
      'Zoe',
      'Priya Raman',
    ])
    await order(id)
    work()
    expect(await finished(id)).to.include({ done: 2 })
  })

  it('costs one commit a user', async () => {
    const ids: string[] = []
    for (let n = 0; n < 20; n++) ids.push(await person(`Kim ${n}`))
    const id = await draft(ids)
    await order(id)
    const counted = await open()
    let [reads, commits] = [0, 0]
    counted.observe((kind, statements) => {
      // Asking for jobs is the worker's own.
      if (statements.some(each => /^job_(claim|finish)/.test(each))) return
      if (kind === 'read') reads += 1
      else commits += 1
    })
    const handler = resetHandler(ground(counted), () => NOW)
    const payload = JSON.stringify({ organisationId: org, resetId: id, after: 0 })
    const job = { payload } as Parameters<typeof handler>[0]
    expect(await handler(job, NOW, new AbortController().signal)).to.deep.equal({ ok: true })
    expect({ reads, commits }).to.deep.equal({ reads: 3, commits: 21 })
  })
})
