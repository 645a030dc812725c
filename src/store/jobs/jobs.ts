// Work that must outlive the request that asked for it. A job is enqueued in the commit that causes it, so there is
// never the one without the other; a worker takes it by a conditional update that leases it, so no two workers hold
// one job; whatever becomes of it is written only while that lease is the last one. A worker that dies lets its lease
// run out, and the job is done again: what a job does must bear that. Leaves out what the jobs do.

import type { Database, Row, Statement, Write } from '../database.ts'
import { newId } from '../ids.ts'
import { sql, write } from '../statement.ts'

const SECOND = 1000
const HOUR = 60 * 60 * SECOND
const DAY = 24 * HOUR

/** 10 s, 30 s, 90 s … then every hour: 30 attempts are spread over 24 hours. */
const RETRY = { firstMs: 10 * SECOND, factor: 3, longestMs: HOUR, jitter: 0.2 }
export const MOST_ATTEMPTS = 30
/** Settled jobs stay so long for the operator to see. Their payload goes at once. */
const KEEP_DONE_MS = 7 * DAY
const KEEP_FAILED_MS = 30 * DAY
const REASON_LENGTH = 400

export interface NewJob {
  /** Default: a new one. A job whose id is there already is not enqueued again. */
  readonly id?: string
  readonly kind: string
  /** Sealed, if anything in it is secret. */
  readonly payload: string
  /** For the operator's eyes, at most 400 characters, no secrets. */
  readonly summary: string
  /** Not before, milliseconds since 1970. */
  readonly runAt: number
  /** Whom, and which app, it is about, where it can be asked for by them. */
  readonly about?: { readonly accountId: string; readonly clientId: string }
}

/** A job that this worker holds, until `leaseUntil`. */
export interface Job {
  readonly id: string
  readonly kind: string
  readonly payload: string
  readonly summary: string
  /** This one included. */
  readonly attempts: number
  readonly leaseUntil: number
  readonly createdAt: number
}

export type JobState = 'waiting' | 'running' | 'done' | 'failed'

/** A job as the operator sees it: never its payload. */
export interface JobView {
  readonly id: string
  readonly kind: string
  readonly summary: string
  readonly state: JobState
  readonly attempts: number
  /** When it is tried next, while it waits. */
  readonly runAt: number
  readonly lastError: string | null
  readonly createdAt: number
}

const insert = sql(
  'job_insert',
  `INSERT INTO jobs (id, kind, payload, summary, attempts, run_at, created_at, account_id, client_id)
   VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
)

/** To be committed with what causes the job. One that is due is begun as soon as it is committed. */
export function enqueue(job: NewJob, now: number): Write {
  const { id = newId('job'), kind, payload, summary, runAt, about } = job
  const params = [id, kind, payload, summary, runAt, now, about?.accountId ?? null, about?.clientId ?? null]
  return { ...write(insert, params), ...(runAt <= now ? { enqueues: kind } : {}) }
}

const DUE =
  'done_at IS NULL AND failed_at IS NULL AND run_at <= ? AND (lease_until IS NULL OR lease_until <= ?)'
const TAKEN = 'RETURNING id, kind, payload, summary, attempts, lease_until, created_at'
/** PostgreSQL: the array is made once, whatever the plan, and rows that another worker is taking are passed over. */
const claim: Record<Database['dialect'], Statement> = {
  sqlite: sql(
    'job_claim',
    `UPDATE jobs SET lease_until = ?, attempts = attempts + 1 WHERE id IN
       (SELECT id FROM jobs WHERE ${DUE} AND (? IS NULL OR kind IN (SELECT value FROM json_each(?)))
        ORDER BY run_at LIMIT ?) ${TAKEN}`,
  ),
  postgres: sql(
    'job_claim_skipping',
    `UPDATE jobs SET lease_until = ?, attempts = attempts + 1 WHERE id = ANY (ARRAY
       (SELECT id FROM jobs WHERE ${DUE}
          AND (CAST(? AS text) IS NULL OR kind IN (SELECT json_array_elements_text(CAST(? AS json))))
        ORDER BY run_at LIMIT ? FOR UPDATE SKIP LOCKED)) ${TAKEN}`,
  ),
}

export interface Claim {
  /** Default: any. */
  readonly kinds?: readonly string[]
  readonly limit: number
  readonly leaseMs: number
  readonly now: number
}

/** Takes jobs that are due, and those whose worker let the lease run out. Nobody else gets them before `leaseMs`. */
export async function claimJobs(database: Database, { kinds, limit, leaseMs, now }: Claim): Promise<Job[]> {
  const wanted = kinds === undefined ? null : JSON.stringify(kinds)
  const params = [now + leaseMs, now, now, wanted, wanted, limit]
  const [rows = []] = await database.commitTelling([write(claim[database.dialect], params)])
  return rows.map(jobOf)
}

function jobOf(row: Row): Job {
  return {
    id: String(row.id),
    kind: String(row.kind),
    payload: String(row.payload),
    summary: String(row.summary),
    attempts: Number(row.attempts),
    leaseUntil: Number(row.lease_until),
    createdAt: Number(row.created_at),
  }
}

/** The lease and the number of the attempt together are the worker's title; both only ever grow. */
const HELD = 'id = ? AND lease_until = ? AND attempts = ? AND done_at IS NULL AND failed_at IS NULL'
const title = (job: Job): [string, number, number] => [job.id, job.leaseUntil, job.attempts]

const finish = sql(
  'job_finish',
  `UPDATE jobs SET done_at = ?, lease_until = NULL, payload = '', last_error = ? WHERE ${HELD}`,
)

/**
 * The job is done, and what it held is forgotten. Touches no row if the lease has passed to another worker.
 *
 * @param note where there was nothing to do: why
 */
export function finishJob(job: Job, now: number, note?: string): Write {
  return write(finish, [now, note ?? null, ...title(job)])
}

const fail = sql(
  'job_fail',
  `UPDATE jobs SET failed_at = ?, lease_until = NULL, payload = '', last_error = ? WHERE ${HELD}`,
)

/** The job is given up, for a reason that the operator reads. What it held is forgotten. */
export function failJob(job: Job, reason: string, now: number): Write {
  return write(fail, [now, oneLine(reason), ...title(job)])
}

const retry = sql('job_retry', `UPDATE jobs SET run_at = ?, lease_until = NULL, last_error = ? WHERE ${HELD}`)

/**
 * The job is tried again later; after {@link MOST_ATTEMPTS}, about 24 hours, it is given up.
 *
 * @param reason why it was not done this time; must hold no secret
 * @param chance from 0 up to 1: spreads what failed together
 */
export function retryJob(job: Job, reason: string, now: number, chance = Math.random()): Write {
  if (job.attempts >= MOST_ATTEMPTS) return failJob(job, reason, now)
  return write(retry, [now + retryDelay(job.attempts, chance), oneLine(reason), ...title(job)])
}

/** Milliseconds from the attempt of that number to the next one. */
export function retryDelay(attempts: number, chance: number): number {
  const { firstMs, factor, longestMs, jitter } = RETRY
  const delay = Math.min(firstMs * factor ** (attempts - 1), longestMs)
  return Math.round(delay * (1 - jitter + 2 * jitter * chance))
}

/** Reasons come from other people's servers and end up on the operator's terminal. */
export function oneLine(reason: string): string {
  return reason
    .replace(/[\s\p{C}]+/gu, ' ')
    .trim()
    .slice(0, REASON_LENGTH)
}

const list = sql(
  'job_list',
  `SELECT id, kind, summary, state, attempts, run_at, last_error, created_at FROM
     (SELECT id, kind, summary, attempts, run_at, last_error, created_at,
        CASE WHEN done_at IS NOT NULL THEN 'done' WHEN failed_at IS NOT NULL THEN 'failed'
             WHEN lease_until > ? THEN 'running' ELSE 'waiting' END AS state
      FROM jobs) AS j
   WHERE (CAST(? AS text) IS NULL OR kind = CAST(? AS text))
     AND (CAST(? AS text) IS NULL OR state = CAST(? AS text))
   ORDER BY created_at DESC, id LIMIT ?`,
)

/** Newest first. @param wanted `limit` is 200 unless told otherwise */
export async function listJobs(
  database: Database,
  wanted: { kind?: string; state?: JobState; limit?: number; now: number },
): Promise<JobView[]> {
  const { kind = null, state = null, limit = 200, now } = wanted
  const rows = await database.read(list, [now, kind, kind, state, state, limit])
  // A job may be due before it was made, to be taken before others.
  return rows.map(row => ({
    id: String(row.id),
    kind: String(row.kind),
    summary: String(row.summary),
    state: row.state as JobState,
    attempts: Number(row.attempts),
    runAt: Math.max(Number(row.run_at), Number(row.created_at)),
    lastError: row.last_error === null || row.last_error === undefined ? null : String(row.last_error),
    createdAt: Number(row.created_at),
  }))
}

const failedByKind = sql(
  'job_failed_by_kind',
  'SELECT kind, count(*) AS n FROM jobs WHERE done_at IS NULL AND failed_at IS NOT NULL GROUP BY kind ORDER BY kind',
)

/** What was given up and not swept yet. */
export async function countFailedJobs(database: Database): Promise<{ kind: string; count: number }[]> {
  const rows = await database.read(failedByKind, [])
  return rows.map(row => ({ kind: String(row.kind), count: Number(row.n) }))
}

const SWEEP_ROWS = 500
// Two statements, each by the front of the one index: a condition with OR would read the whole table every minute.
const sweepDone = sql(
  'job_sweep_done',
  `DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE done_at < ? ORDER BY done_at LIMIT ${SWEEP_ROWS})`,
)
const sweepFailed = sql(
  'job_sweep_failed',
  `DELETE FROM jobs WHERE id IN
     (SELECT id FROM jobs WHERE done_at IS NULL AND failed_at < ? ORDER BY failed_at LIMIT ${SWEEP_ROWS})`,
)

/** Deletes jobs that were settled long ago, in batches. @returns how many went */
export async function sweepJobs(database: Database, now: number): Promise<number> {
  for (let gone = 0; ; ) {
    const batches = await database.commitTelling([
      write(sweepDone, [now - KEEP_DONE_MS]),
      write(sweepFailed, [now - KEEP_FAILED_MS]),
    ])
    gone += batches.flat().length
    if (batches.every(rows => rows.length < SWEEP_ROWS)) return gone
  }
}
