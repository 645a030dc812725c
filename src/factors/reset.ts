// Resetting somebody's second factor: in one commit their authenticator and recovery code go, everything that was
// minted for them ends on every replica, the apps of their sessions are told, they get a mail, and the audit log says
// who did it and why. Passkeys stay unless they are to go too. A reset of many is a job that does this for one after
// the other: killed at any moment, it goes on where it was, and nobody is reset or written to twice.
//
// The budget of wrong codes starts anew with it: what it guarded is gone, and a stranger's guesses must not keep the
// user from setting up again.

import { mailJob } from '../mail/outbox.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Database, type Write } from '../store/database.ts'
import type { JobHandler } from '../store/jobs/job-worker.ts'
import { enqueue } from '../store/jobs/jobs.ts'
import { endAccess } from '../store/oidc/artefacts.ts'
import {
  finishReset,
  type NewReset,
  type Reset,
  type ResetChoice,
  type ResetRefusal,
  readReset,
  readWaiting,
  resetSecondFactor,
  settleResetUser,
  startReset,
  startResetOf,
} from '../store/recovery/second-factor-resets.ts'
import type { Keyring } from '../store/seal.ts'
import { clearAccountAttempts } from './attempts.ts'

/** The kind of the job. */
export const SECOND_FACTOR_RESET = 'second-factor-reset'
const READ_AT_ONCE = 64
/** How long a worker holds the job: so long the rest waits, if its process is killed. */
export const RESET_LEASE_MS = 20_000
/** A job gives its place to a next one after this time, well within its lease. */
const SLICE_MS = 8_000
/** How many users are reset at a time. SQLite stores what waits together in one transaction; on PostgreSQL each takes a
 * connection, of which the logins need most. */
const AT_ONCE: Record<Database['dialect'], number> = { sqlite: 32, postgres: 4 }
export const LONGEST_REASON = 500

export interface ResetGround {
  readonly database: Database
  readonly keyring: Keyring
}

export interface ResetOrder extends NewReset {
  /** One line, why. */
  readonly reason: string
  readonly removePasskeys: boolean
  /** Where the order came from; undefined for the operator. */
  readonly address?: string | undefined
}

/** A reason as it is kept: what was typed into several lines reads as well in one, and stays one in every export. */
export function reasonLine(text: string): string {
  return text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
}

/**
 * Starts a draft: the job takes it from here.
 *
 * @param also what must be true with it, such as the use of the form that waited
 * @throws CommitRefused `already_used` if it was started before, is too old, or is not this actor's
 */
export async function orderReset(
  { database }: Pick<ResetGround, 'database'>,
  order: ResetOrder,
  also: readonly Write[],
  now: number,
): Promise<void> {
  const { reason, removePasskeys } = order
  await database.commit([startReset(order, reason, removePasskeys, now), ...also, ...orderWrites(order, now)])
}

/**
 * Starts a reset without a draft: for programs, which confirm nothing. Of users by id, who is none of the organisation's
 * is skipped as `gone`.
 *
 * @param also what must be true with it; first, so that of two that exclude each other one waits, and does no work
 * @throws CommitRefused if one of `also` is refused
 */
export async function orderResetOf(
  { database }: Pick<ResetGround, 'database'>,
  order: ResetOrder,
  choice: ResetChoice,
  also: readonly Write[],
  now: number,
): Promise<void> {
  const { reason, removePasskeys } = order
  await database.commit([
    ...also,
    ...startResetOf(database.dialect, order, choice, reason, removePasskeys, now),
    ...orderWrites(order, now),
  ])
}

function orderWrites(order: ResetOrder, now: number): Write[] {
  const { id, organisationId, actorId, reason, removePasskeys, address } = order
  return [
    auditRow(
      {
        event: 'second_factor.reset_ordered',
        organisationId,
        actorId,
        address,
        details: { reset: id, reason, removePasskeys },
      },
      now,
    ),
    enqueueReset({ organisationId, resetId: id, after: 0, address }, now),
  ]
}

/** What a job of a reset holds: everybody up to the position `after` is settled. */
interface Slice {
  readonly organisationId: string
  readonly resetId: string
  readonly after: number
  readonly address?: string | undefined
}

function enqueueReset(slice: Slice, now: number): Write {
  const { resetId, after } = slice
  return enqueue(
    {
      id: `${SECOND_FACTOR_RESET}_${resetId}_${after}`.slice(0, 64),
      kind: SECOND_FACTOR_RESET,
      payload: JSON.stringify(slice),
      summary: `${resetId} from ${after}`,
      runAt: now,
    },
    now,
  )
}

/**
 * Works a reset off: several users at a time, whoever ordered it last. Before its lease is over, or when it is told to
 * stop, it hands the rest to a next job. A worker that is killed leaves rows that wait, and the next one goes on with
 * them; two at once do no row twice.
 *
 * @param options.sliceMs for tests
 */
export function resetHandler(
  ground: ResetGround,
  clock: () => number,
  { sliceMs = SLICE_MS }: { readonly sliceMs?: number } = {},
): JobHandler {
  const { database } = ground
  const atOnce = AT_ONCE[database.dialect]
  return async (job, startedAt, signal) => {
    const slice = JSON.parse(job.payload) as Slice
    const { organisationId, resetId } = slice
    const reset = await readReset(database, organisationId, resetId, startedAt)
    if (reset === undefined) return { ok: false, reason: 'there is no such reset', permanent: true }
    const order = { ...reset, organisationId, address: slice.address }
    for (let { after } = slice; ; ) {
      const waiting = await readWaiting(database, resetId, after, READ_AT_ONCE)
      if (waiting.length === 0) break
      const hand = async (): Promise<void> => {
        // Somebody at least, whatever the signal says: the job that goes on from here is another one then.
        do {
          const user = waiting.shift()
          if (user === undefined) return
          await resetOne(ground, order, user, clock())
          after = Math.max(after, user.position)
        } while (!signal.aborted)
      }
      await allOf(Array.from({ length: atOnce }, hand))
      if (signal.aborted || clock() - startedAt >= sliceMs) {
        await database.commit([enqueueReset({ ...slice, after }, clock())])
        return { ok: true }
      }
    }
    await database.commit([finishReset(resetId, clock())])
    return { ok: true }
  }
}

/** Waits for all, also where one fails: nothing goes on behind the job's back. @throws what the first one threw */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  for (const each of await Promise.allSettled(work)) if (each.status === 'rejected') throw each.reason
}

type Waiting = Awaited<ReturnType<typeof readWaiting>>[number]

/** A reset that is being worked off. */
interface Order extends Reset {
  readonly organisationId: string
  readonly address: string | undefined
}

/** Settles one row: reset, or skipped. Whoever settles it at the same time does it once. */
async function resetOne(ground: ResetGround, order: Order, user: Waiting, now: number): Promise<void> {
  const { database } = ground
  const settled = (why: ResetRefusal | undefined) => settleResetUser(order.id, user.position, why, now)
  try {
    if (user.why !== undefined) await database.commit([settled(user.why)])
    else await database.commit([settled(undefined), ...resetWrites(ground, order, user, now)])
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error
    if (error.refusal === 'already_used') return
    // The account, or the admin, is not as it was a moment ago.
    const [again] = await readWaiting(database, order.id, user.position - 1, 1)
    if (again?.position !== user.position) return
    if (again.why === undefined && again.epoch !== user.epoch) return resetOne(ground, order, again, now)
    await database.commit([settled(again.why ?? 'not_allowed')]).catch(late => {
      if (!(late instanceof CommitRefused)) throw late
    })
  }
}

function resetWrites(ground: ResetGround, order: Order, user: Waiting, now: number): Write[] {
  const { organisationId, actorId, actorName, reason, removePasskeys, address } = order
  const { accountId: id, epoch, email, name } = user
  return resetFactors(
    ground,
    { id, organisationId, epoch, email, name },
    { actorId, actorName, removePasskeys, address, details: { reset: order.id, reason } },
    now,
  )
}

/** Whose second factor goes. */
export interface ResetOf {
  readonly id: string
  readonly organisationId: string | null
  /** As it was read: whoever has changed since is not reset. */
  readonly epoch: number
  readonly email: string
  readonly name: string
}

/**
 * All that a reset of one user is, for one commit. There is no other way to take somebody's factors.
 *
 * @param by.actorId an account's id, or `operator`; `actorName` for the mail, empty for the operator
 * @param by.details why, for the audit log
 */
export function resetFactors(
  { database, keyring }: Pick<ResetGround, 'database' | 'keyring'>,
  { id, organisationId, epoch, email, name }: ResetOf,
  by: {
    readonly actorId: string
    readonly actorName: string
    readonly removePasskeys: boolean
    readonly address: string | undefined
    readonly details: Readonly<Record<string, string>>
  },
  now: number,
): Write[] {
  const { actorId, actorName, removePasskeys, address, details } = by
  return [
    ...resetSecondFactor({ id, organisationId, epoch }, actorId, removePasskeys, now),
    ...endAccess(database.dialect, id, now),
    clearAccountAttempts('code', id),
    auditRow(
      {
        event: 'second_factor.reset',
        organisationId,
        accountId: id,
        actorId,
        address,
        details: { ...details, removePasskeys },
      },
      now,
    ),
    mailJob(keyring, {
      to: email,
      accountId: id,
      template: 'second-factor-reset',
      contents: { name, by: actorName, at: now, removePasskeys },
      now,
    }),
  ]
}
