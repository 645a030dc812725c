// Resets of the second factor per second, by the job that the console orders, beside bare transactions of as many
// writes, as many at a time, on the same database in the same run, in turns. Each user has an authenticator, a recovery
// code, a session at an app, a grant and a refresh token. `node bench/admin-reset.ts 5000` for more users a round.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { orderReset, resetHandler } from '../src/factors/reset.ts'
import { insertAccount } from '../src/store/accounts/accounts.ts'
import { issueRecoveryCode, spend, turnOnAuthenticator } from '../src/store/accounts/credentials.ts'
import { type Database, openDatabase } from '../src/store/database.ts'
import { upsertArtefact } from '../src/store/oidc/artefacts.ts'
import { insertOrganisation } from '../src/store/organisations/organisations.ts'
import { draftReset, readReset } from '../src/store/recovery/second-factor-resets.ts'
import { createKeyring } from '../src/store/seal.ts'
import { upsertSession } from '../src/store/sessions/oidc-sessions.ts'
import { keepFact } from '../src/store/sessions/session-facts.ts'
import { binaries, startCluster } from '../test/support/postgres.ts'
import { inParallel, median } from './processes.ts'

const USERS = Number(process.argv[2] ?? 1000)
const ROUNDS = 5
/** As the job does them. */
const AT_ONCE: Record<Database['dialect'], number> = { sqlite: 32, postgres: 4 }
const ORGANISATION = 'org_bench'
const keyring = createKeyring(['a-secret-key-for-benchmarks-of-32-characters'])

async function addUsers(database: Database, round: number): Promise<string[]> {
  const now = Date.now()
  const ids = Array.from({ length: USERS }, (_, index) => `usr_${round}_${index}`)
  await inParallel(ids, 8, async id => {
    const owner = { accountId: id, epoch: 0 }
    await database.commit([
      insertAccount(
        {
          ...{ id, organisationId: ORGANISATION, email: `${id}@bench.example`, name: `User ${id}` },
          ...{ role: 'technician', status: 'active', passwordHash: null, mailboxProvenAt: now },
        },
        now,
      ),
    ])
    const payload = { authorizations: { app: { sid: `sid ${id}` } } }
    const minted = (model: string) =>
      upsertArtefact({
        ...{ model, id: `${model} ${id}`, payload: {}, grantId: `grant ${id}`, sessionUid: id },
        ...{ expiresAt: now + 3_600_000, owner },
      })
    await database.commit([
      ...turnOnAuthenticator({ id, epoch: 0 }, 'sealed', 1, now),
      issueRecoveryCode(id, 'hash', now),
      upsertSession({ uid: id, id: `cookie ${id}`, payload, expiresAt: now + 3_600_000, owner }, now),
      keepFact(id, id, { factor: 'otp', kind: 'otp', verifiedAt: now }),
      minted('Grant'),
      minted('RefreshToken'),
    ])
  })
  return ids
}

/** @returns milliseconds, and how many writes each commit of a user had */
async function resetAll(database: Database, round: number): Promise<{ ms: number; writes: number }> {
  const order = { id: `rst_${round}`, organisationId: ORGANISATION, actorId: 'operator' }
  const ids = await addUsers(database, round)
  await database.commit(draftReset(database.dialect, order, ids, Date.now()))
  await orderReset({ database }, { ...order, reason: 'bench', removePasskeys: false }, [], Date.now())
  let writes = 0
  database.observe((kind, statements) => {
    if (kind === 'commit') writes = Math.max(writes, statements.length)
  })
  const payload = JSON.stringify({ organisationId: ORGANISATION, resetId: order.id, after: 0 })
  const job = { id: 'job', kind: '', summary: '', attempts: 1, leaseUntil: 0, createdAt: 0, payload }
  const handler = resetHandler({ database, keyring }, Date.now, { sliceMs: Number.POSITIVE_INFINITY })
  const start = performance.now()
  await handler(job, Date.now(), new AbortController().signal)
  const ms = performance.now() - start
  database.observe(undefined)
  const { done } = (await readReset(database, ORGANISATION, order.id, Date.now())) ?? {}
  if (done !== USERS) throw new Error(`${done} of ${USERS} were reset`)
  return { ms, writes }
}

/** As many transactions of as many writes that do nothing but be stored. */
async function bare(database: Database, round: number, writes: number): Promise<number> {
  const start = performance.now()
  await inParallel([...Array(USERS).keys()], AT_ONCE[database.dialect], index =>
    database.commit(
      Array.from({ length: writes }, (_, n) =>
        spend('confirmation', `${round} ${index} ${n}`, Number.MAX_SAFE_INTEGER),
      ),
    ),
  )
  return performance.now() - start
}

async function measure(name: string, url: string): Promise<void> {
  const database = await openDatabase(url)
  await database.migrate()
  await database.commit([
    insertOrganisation({ id: ORGANISATION, name: 'Bench', plan: 'Bench', subscribedAt: 0 }, Date.now()),
  ])
  const rounds: { reset: number; bare: number }[] = []
  let writes = 0
  for (let round = 0; round <= ROUNDS; round++) {
    const done = await resetAll(database, round)
    writes = done.writes
    const without = await bare(database, round, writes)
    // The first round warms everything up.
    if (round > 0) rounds.push({ reset: done.ms, bare: without })
  }
  const perSecond = (ms: number) => Math.round((USERS * 1000) / ms).toLocaleString('en')
  const ratios = rounds.map(each => each.reset / each.bare)
  console.log(
    `${name}: ${perSecond(median(rounds.map(each => each.reset)))} resets a second, ` +
      `${perSecond(median(rounds.map(each => each.bare)))} bare transactions of ${writes} writes: ` +
      `${median(ratios).toFixed(2)} times   [${ratios.map(each => each.toFixed(2)).join(' ')}]`,
  )
  await database.close()
}

console.log(`${ROUNDS} rounds of ${USERS.toLocaleString('en')} users, medians`)
const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'))
await measure('SQLite', `sqlite:${join(folder, 'bench.sqlite')}`)
rmSync(folder, { recursive: true, force: true })
const bin = await binaries()
if (bin !== undefined) {
  const cluster = await startCluster(bin, { durable: true })
  await measure('PostgreSQL', cluster.url)
  await cluster.stop()
}
