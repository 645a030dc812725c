// Doing the jobs that wait: a loop that takes what is due, does several at a time, and writes down what became of
// each. It ends without leaving a timer or a promise behind. Leaves out what a job is (jobs.ts).

import { setTimeout as sleep } from 'node:timers/promises'
import type { Database, Write } from '../database.ts'
import { claimJobs, failJob, finishJob, type Job, MOST_ATTEMPTS, retryJob } from './jobs.ts'

const SECOND = 1000

/**
 * What became of a job. `note`: why there was nothing to do. `permanent`: trying again would change nothing. `also` is
 * stored with it.
 */
export type JobOutcome = (
  | { readonly ok: true; readonly note?: string }
  | { readonly ok: false; readonly reason: string; readonly permanent: boolean }
) & { readonly also?: readonly Write[] }

/**
 * Does a job. What it throws counts as a failure that may pass.
 *
 * @param signal aborts when the worker must stop, or the lease is half gone
 */
export type JobHandler = (job: Job, now: number, signal: AbortSignal) => Promise<JobOutcome>

/** What we use of a pino logger. */
export interface JobLog {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}

export interface Worker {
  /** Looks for work at once, as after a commit of this process that enqueued some. */
  wake(): void
  /**
   * Takes no more jobs, and resolves when those in hand are settled and no timer is left. Jobs that are not done after
   * `graceMs` (default 3 s) are told to give up, and are tried again by whoever runs next.
   */
  stop(graceMs?: number): Promise<void>
}

export interface WorkerOptions {
  readonly database: Database
  /** By kind. Jobs of other kinds are left alone. */
  readonly handlers: Readonly<Record<string, JobHandler>>
  readonly log: JobLog
  readonly clock?: () => number
  readonly intervalMs?: number
  readonly leaseMs?: number
  /** How many jobs this worker does at a time. */
  readonly atOnce?: number
}

/** Does jobs until it is stopped. It never throws: what goes wrong is logged, and tried again. */
export function runJobs(options: WorkerOptions): Worker {
  const { database, handlers, log, clock = Date.now, intervalMs = 2 * SECOND } = options
  const { leaseMs = 120 * SECOND, atOnce = 8 } = options
  const kinds = Object.keys(handlers)
  const inHand = new Set<Promise<void>>()
  const giveUp = new AbortController()
  let nap = new AbortController()
  let stopping = false
  /** There may be more jobs than could be taken. */
  let crowded = false
  let unreachable = false
  const wake = (): void => nap.abort()
  const deaf = database.onEnqueued(kind => {
    if (kinds.includes(kind)) wake()
  })

  async function loop(): Promise<void> {
    while (!stopping) {
      nap = new AbortController()
      const free = atOnce - inHand.size
      const jobs = free > 0 ? await take(free) : []
      crowded = jobs.length === free
      for (const job of jobs) {
        const work = run(job).finally(() => {
          inHand.delete(work)
          if (crowded) wake()
        })
        inHand.add(work)
      }
      if (!stopping) await pause(intervalMs, nap.signal)
    }
    await Promise.all(inHand)
  }

  async function take(limit: number): Promise<Job[]> {
    try {
      const jobs = await claimJobs(database, { kinds, limit, leaseMs, now: clock() })
      unreachable = false
      return jobs
    } catch (error) {
      if (!unreachable) log.error({ err: error }, 'jobs could not be read; trying on')
      unreachable = true
      return []
    }
  }

  async function run(job: Job): Promise<void> {
    const outcome = await attempt(job)
    const now = clock()
    const fields = { job: job.id, kind: job.kind, attempts: job.attempts }
    if (outcome.ok) log.info(fields, 'job done')
    else
      log.warn({ ...fields, reason: outcome.reason }, outcome.permanent ? 'job failed' : 'job not done yet')
    const end = outcome.ok
      ? finishJob(job, now, outcome.note)
      : outcome.permanent
        ? failJob(job, outcome.reason, now)
        : retryJob(job, outcome.reason, now)
    await settle(job, [end, ...(outcome.also ?? [])])
  }

  async function attempt(job: Job): Promise<JobOutcome> {
    const handler = handlers[job.kind]
    if (handler === undefined) return { ok: false, reason: `nobody does ${job.kind}`, permanent: false }
    if (job.attempts > MOST_ATTEMPTS) {
      return { ok: false, reason: 'the process ended during every attempt', permanent: true }
    }
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), leaseMs / 2)
    try {
      return await handler(job, clock(), AbortSignal.any([late.signal, giveUp.signal]))
    } catch (error) {
      log.error({ err: error, job: job.id, kind: job.kind }, 'a job broke off')
      return { ok: false, reason: error instanceof Error ? error.message : 'broke off', permanent: false }
    } finally {
      clearTimeout(timer)
    }
  }

  /** What was done must not be done again: while the lease lasts, a database that is away is asked again. */
  async function settle(job: Job, outcome: readonly Write[]): Promise<void> {
    for (;;) {
      try {
        const [rows = []] = await database.commitTelling(outcome)
        if (rows.length === 0)
          log.warn({ job: job.id, kind: job.kind }, 'the lease of a job ran out before its end')
        return
      } catch (error) {
        if (clock() + SECOND >= job.leaseUntil || giveUp.signal.aborted) {
          log.error({ err: error, job: job.id, kind: job.kind }, 'the outcome of a job could not be stored')
          return
        }
        await pause(SECOND, giveUp.signal)
      }
    }
  }

  const ended = loop()
  return {
    wake,
    async stop(graceMs = 3 * SECOND) {
      stopping = true
      deaf()
      wake()
      const timer = setTimeout(() => giveUp.abort(), graceMs)
      await ended
      clearTimeout(timer)
    },
  }
}

/** Resolves early, and leaves no timer, when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
