// Logging out everybody of an organisation: one order, then a job that ends everything of one user after the other, each
// in a commit of its own with an audit row. Killed at any moment, it goes on where it was, and nobody is logged out twice
// by one order. Whoever orders it goes first, in the same commit. Factors stay: everybody logs in again as they did.
//
// An order that was given is carried out, also where its admin is demoted meanwhile: to stop half way would leave open
// what somebody had a reason to close.

import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Database, type Write } from '../store/database.ts'
import type { JobHandler } from '../store/jobs/job-worker.ts'
import { enqueue } from '../store/jobs/jobs.ts'
import { endAccess } from '../store/oidc/artefacts.ts'
import { finishLogOut, orderLogOut, reachAccount, readLoggedIn } from '../store/sessions/log-outs.ts'
import type { Directory } from './directory.ts'

/** The kind of the job. */
export const LOG_OUT_ALL = 'log-out-all'
/** How long a worker holds the job: so long the rest waits, if its process is killed. */
export const LOG_OUT_LEASE_MS = 20_000
/** A job gives its place to a next one after this time, well within its lease. */
const SLICE_MS = 8_000
const READ_AT_ONCE = 64
/** As many as for a reset (factors/reset.ts), for the same reason. */
const AT_ONCE: Record<Database['dialect'], number> = { sqlite: 32, postgres: 4 }

export interface LogOutChoice {
  readonly organisationId: string
  /** When it was ordered last, as whoever orders has seen it; 0: never. */
  readonly seen: number
  /** Where the order came from; undefined for the operator. */
  readonly address?: string | undefined
  /** What must be true with it, such as the use of the form that waited. */
  readonly also?: readonly Write[] | undefined
}

/** What a job holds: everybody up to the id `after` was reached. */
interface Slice {
  readonly organisationId: string
  readonly actorId: string
  readonly orderedAt: number
  readonly after: string
  readonly address?: string | undefined
}

/**
 * Orders it, and logs out whoever orders. The job does the rest: ring for it.
 *
 * @throws CommitRefused `already_used` if it was ordered since, or the actor may not (any more)
 */
export async function orderLogOutAll(
  { database, clock, actor }: Pick<Directory, 'database' | 'clock' | 'actor'>,
  { organisationId, seen, address, also = [] }: LogOutChoice,
): Promise<Slice> {
  const now = clock()
  const slice = { organisationId, actorId: actor, orderedAt: Math.max(now, seen + 1), after: '', address }
  await database.commit([
    orderLogOut(organisationId, actor, seen, slice.orderedAt),
    ...also,
    auditRow({ event: 'organisation.logged_out', organisationId, actorId: actor, address }, now),
    ...(actor === 'operator' ? [] : logOutWrites(database, slice, actor, now)),
    enqueueSlice(slice, now),
  ])
  return slice
}

function enqueueSlice(slice: Slice, now: number): Write {
  const summary = `${slice.organisationId} from ${slice.after || 'the first'}`
  return enqueue({ kind: LOG_OUT_ALL, payload: JSON.stringify(slice), summary, runAt: now }, now)
}

/**
 * Works an order off. Before its lease is over, or when it is told to stop, it hands the rest to a next job.
 *
 * @param options.sliceMs for tests
 */
export function logOutHandler(
  database: Database,
  clock: () => number,
  { sliceMs = SLICE_MS }: { readonly sliceMs?: number } = {},
): JobHandler {
  const atOnce = AT_ONCE[database.dialect]
  return async (job, startedAt, signal) => {
    const slice = JSON.parse(job.payload) as Slice
    const { organisationId, orderedAt } = slice
    for (let { after } = slice; ; ) {
      const waiting = await readLoggedIn(database, organisationId, orderedAt, after, READ_AT_ONCE)
      if (waiting.length === 0) break
      for (let from = 0; from < waiting.length; from += atOnce) {
        const some = waiting.slice(from, from + atOnce)
        await allOf(some.map(each => logOutOne(database, slice, each, clock())))
        after = some.at(-1) ?? after
        if (signal.aborted) break
      }
      if (signal.aborted || clock() - startedAt >= sliceMs) {
        await database.commit([enqueueSlice({ ...slice, after }, clock())])
        return { ok: true }
      }
    }
    await database.commit([finishLogOut(organisationId, orderedAt, clock())])
    return { ok: true }
  }
}

/** Waits for all, also where one fails: nothing goes on behind the job's back. @throws what the first one threw */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  for (const each of await Promise.allSettled(work)) if (each.status === 'rejected') throw each.reason
}

async function logOutOne(database: Database, slice: Slice, accountId: string, now: number): Promise<void> {
  try {
    await database.commit(logOutWrites(database, slice, accountId, now))
  } catch (error) {
    // Somebody else has reached them, or they have left.
    if (!(error instanceof CommitRefused) || error.refusal !== 'already_used') throw error
  }
}

function logOutWrites({ dialect }: Database, slice: Slice, accountId: string, now: number): Write[] {
  const { organisationId, actorId, orderedAt, address } = slice
  return [
    reachAccount(accountId, organisationId, orderedAt),
    ...endAccess(dialect, accountId, now),
    auditRow(
      { event: 'user.logged_out', organisationId, accountId, actorId, address, details: { everybody: true } },
      now,
    ),
  ]
}
