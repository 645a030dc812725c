// Seals the audit log while the server runs, beside the requests and at no cost to them: every two seconds the rows
// that have been committed since are chained (audit-chain.ts), in batches. Any number of replicas may do it: a seal's
// number is given once, by a conditional insert, and who comes second does nothing. A process that dies leaves a seal or
// none. While the database is away rows can't be written either; whatever is there is sealed when it is back.
//
// Its statements are named as those of jobs are: what counts the work of requests leaves them out.
//
// What the chain can't tell by itself is that its end was cut off and the rows behind it were sealed anew. So its head
// goes to the log, which is elsewhere: at the start, every hour and at the end; and a process that finds its own last
// seal gone says so.

import { setTimeout as sleep } from 'node:timers/promises'
import { CommitRefused, type Database } from '../database.ts'
import type { JobLog } from '../jobs/job-worker.ts'
import type { Keyring } from '../seal.ts'
import { sql, write } from '../statement.ts'
import { makeSeal, rowsDigest, rowsToSeal, type Seal } from './audit-chain.ts'
import { createHorizon, type Horizon } from './audit-horizon.ts'

export const SEAL_EVERY_MS = 2000
const HEAD_EVERY_MS = 60 * 60 * 1000
/** Somebody keeps a transaction open that has written to the log. */
const STUCK_MS = 30_000
const ROWS_PER_SEAL = 1000

/** Where the chain ends. */
export type Head = Pick<Seal, 'seq' | 'lastId' | 'head'>

const newestSeal = sql(
  'job_seal_newest',
  'SELECT seq, last_id, head FROM audit_seals WHERE seq > 0 ORDER BY seq DESC LIMIT 1',
)
const newestRow = sql('job_seal_top', 'SELECT max(id) AS top FROM audit_events WHERE id > ?')
const headAt = sql('job_seal_head', 'SELECT head FROM audit_seals WHERE seq = ?')
const insert = sql(
  'job_seal_insert',
  `INSERT INTO audit_seals (seq, last_id, row_count, digest, key_id, head, sealed_at)
   SELECT CAST(? AS bigint), CAST(? AS bigint), CAST(? AS integer), CAST(? AS text), CAST(? AS text),
     CAST(? AS text), CAST(? AS bigint)
   WHERE NOT EXISTS (SELECT 1 FROM audit_seals WHERE seq >= ?) ON CONFLICT (seq) DO NOTHING`,
)

/**
 * Seals what is settled and not sealed yet.
 *
 * @returns where the chain ends now, as far as this process knows; undefined while there is no seal
 */
export async function sealAudit(
  database: Database,
  keyring: Keyring,
  clock: () => number,
  horizon: Horizon = createHorizon(database, clock),
): Promise<Head | undefined> {
  return sealBehind(database, keyring, clock, horizon, await newestHead(database))
}

async function newestHead(database: Database): Promise<Head | undefined> {
  const [row] = await database.read(newestSeal, [])
  return row && { seq: Number(row.seq), lastId: Number(row.last_id), head: String(row.head) }
}

async function sealBehind(
  database: Database,
  keyring: Keyring,
  clock: () => number,
  horizon: Horizon,
  newest: Head | undefined,
): Promise<Head | undefined> {
  let head = newest
  const [row] = await database.read(newestRow, [head?.lastId ?? Number.MIN_SAFE_INTEGER])
  if (row?.top == null) return head
  const upTo = await horizon.settled(Number(row.top))
  if (upTo === undefined) return head
  for (;;) {
    const sealed = await sealBatch(database, keyring, head, upTo, clock())
    if (sealed === undefined) return head
    head = sealed
  }
}

/** @returns undefined if there was nothing to seal, or somebody else was faster */
async function sealBatch(
  database: Database,
  keyring: Keyring,
  before: Head | undefined,
  upTo: number,
  now: number,
): Promise<Head | undefined> {
  const from = before?.lastId ?? Number.MIN_SAFE_INTEGER
  if (from >= upTo) return undefined
  const rows = await database.read(rowsToSeal, [from, upTo, ROWS_PER_SEAL])
  const last = rows.at(-1)
  if (last === undefined) return undefined
  const digest = rowsDigest()
  for (const row of rows) digest.add(row)
  const covered = { lastId: Number(last.id), rows: rows.length, digest: digest.hex() }
  const seal = makeSeal(keyring, before ?? { seq: 0, head: '' }, covered, now)
  const params = [seal.seq, seal.lastId, seal.rows, seal.digest, seal.keyId, seal.head, seal.sealedAt]
  try {
    await database.commit([write(insert, [...params, seal.seq], 'already_exists')])
  } catch (error) {
    if (error instanceof CommitRefused) return undefined
    throw error
  }
  return seal
}

export interface SealerOptions {
  readonly database: Database
  readonly keyring: Keyring
  readonly log: JobLog
  /** Milliseconds since 1970. */
  readonly clock: () => number
  readonly intervalMs?: number
}

/** Seals until it is stopped, and then once more. It never throws: what goes wrong is logged, and tried again. */
export function startSealing(options: SealerOptions): { stop(): Promise<void> } {
  const { database, keyring, log, clock, intervalMs = SEAL_EVERY_MS } = options
  const stopping = new AbortController()
  const horizon = createHorizon(database, clock, stopping.signal)
  let known: Head | undefined
  let logged: { at: number; head: string } | undefined
  let failing = false
  let stuck = false

  async function once(): Promise<void> {
    try {
      const newest = await newestHead(database)
      await missSeal(newest)
      known = await sealBehind(database, keyring, clock, horizon, newest)
      if (failing) log.info({}, 'the audit log is sealed again')
      failing = false
    } catch (error) {
      if (!failing) log.error({ err: error }, 'the audit log could not be sealed; trying on')
      failing = true
    }
    const waiting = horizon.waiting()
    const late = waiting !== undefined && clock() - waiting.since > STUCK_MS
    if (late && !stuck) {
      log.warn(
        { writers: waiting.writers },
        'the audit log is not sealed while a transaction that has written to it stays open',
      )
    }
    stuck = late
  }

  /** What this process knows to have been sealed must still be there. */
  async function missSeal(newest: Head | undefined): Promise<void> {
    if (known === undefined || newest?.head === known.head) return
    const [row] = await database.read(headAt, [known.seq])
    if (row?.head === known.head) return
    const { seq, head } = known
    log.error(
      { seq, head },
      'a seal of the audit log is gone: it was removed, or the database is an older one',
    )
    known = undefined
  }

  function tellHead(): void {
    if (known === undefined || known.head === logged?.head) return
    logged = { at: clock(), head: known.head }
    log.info({ seq: known.seq, rows_up_to: known.lastId, head: known.head }, 'head of the audit log')
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      await once()
      if (logged === undefined || Math.abs(clock() - logged.at) >= HEAD_EVERY_MS) tellHead()
      await sleep(intervalMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }

  const ended = loop()
  return {
    async stop() {
      stopping.abort()
      await ended
      await once()
      tellHead()
    },
  }
}
