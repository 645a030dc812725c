// Resetting somebody's second factor: in one commit their authenticator and recovery code go, everything that was
// minted for them ends on every replica, the apps of their sessions are told, they get a mail, and the audit log says
// who did it and why. Passkeys stay unless they are to go too. A reset of many is a job that does this for one after
// the other: killed at any moment, it goes on where it was, and nobody is reset or written to twice.
//
// The budget of wrong codes starts anew with it: what it guarded is gone, and a stranger's guesses must not keep the
// user from setting up again.

import { mailJob } from '../mail/outbox.ts'
import { revokeAccountArtefacts } from '../store/artefacts.ts'
import { auditRow } from '../store/audit.ts'
import { CommitRefused, type Database, type Write } from '../store/database.ts'
import type { JobBell } from '../store/job-bell.ts'
import type { JobHandler } from '../store/job-worker.ts'
import { enqueue } from '../store/jobs.ts'
import { endSessions } from '../store/oidc-sessions.ts'
import type { Keyring } from '../store/seal.ts'
import {
  finishReset,
  type NewReset,
  type Reset,
  type ResetRefusal,
  readReset,
  readWaiting,
  resetSecondFactor,
  settleResetUser,
  startReset,
} from '../store/second-factor-resets.ts'
import { clearAccountAttempts } from './attempts.ts'

/** The kind of the job. */
export const SECOND_FACTOR_RESET = 'second-factor-reset'
const READ_AT_ONCE = 50
/** A job of many users gives its place to a next one after this time. */
const SLICE_MS = 5_000
/** For the worker: a process that was killed holds its users up for so long at most. */
export const RESET_LEASE_MS = 20_000

export interface ResetGround {
  readonly database: Database
  readonly keyring: Keyring
  readonly bell: JobBell
}

export interface ResetOrder extends NewReset {
  /** One line, why. */
  readonly reason: string
  readonly removePasskeys: boolean
  /** Where the order came from; undefined for the operator. */
  readonly address?: string | undefined
}

/**
 * Starts a draft: the job takes it from here.
 *
 * @param also what must be true with it, such as the use of the form that waited
 * @throws CommitRefused `already_used` if it was started before, is too old, or is not this actor's
 */
export async function orderReset(
  { database, bell }: ResetGround,
  order: ResetOrder,
  also: readonly Write[],
  now: number,
): Promise<void> {
  const { id, organisationId, actorId, reason, removePasskeys, address } = order
  await database.commit([
    startReset(order, reason, removePasskeys, now),
    ...also,
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
    enqueueReset(organisationId, id, 0, now),
  ])
  bell.ring()
}

function enqueueReset(organisationId: string, resetId: string, after: number, now: number): Write {
  return enqueue(
    {
      id: `${SECOND_FACTOR_RESET}_${resetId}_${after}`.slice(0, 64),
      kind: SECOND_FACTOR_RESET,
      payload: JSON.stringify({ organisationId, resetId, after }),
      summary: `${resetId} from ${after}`,
      runAt: now,
    },
    now,
  )
}

/** Works a reset off. */
export function resetHandler({ database, keyring, bell }: ResetGround, clock: () => number): JobHandler {
  return async (job, startedAt, signal) => {
    const { organisationId, resetId, after } = JSON.parse(job.payload) as {
      organisationId: string
      resetId: string
      after: number
    }
    const reset = await readReset(database, organisationId, resetId, startedAt)
    if (reset === undefined) return { ok: false, reason: 'there is no such reset', permanent: true }
    const began = Date.now()
    let position = after
    for (;;) {
      const waiting = await readWaiting(database, resetId, position, READ_AT_ONCE)
      if (waiting.length === 0) break
      for (const user of waiting) {
        if (signal.aborted) break
        await resetOne({ database, keyring }, organisationId, reset, user, clock())
        position = user.position
      }
      bell.ring()
      // Told to stop, or long at it: whoever takes the next job goes on here.
      if (signal.aborted || Date.now() - began > SLICE_MS) {
        await database.commit([enqueueReset(organisationId, resetId, position, clock())])
        bell.ring()
        return { ok: true }
      }
    }
    await database.commit([finishReset(resetId, clock())])
    return { ok: true }
  }
}

type Waiting = Awaited<ReturnType<typeof readWaiting>>[number]

/** Settles one row: reset, or skipped. Whoever settles it at the same time does it once. */
async function resetOne(
  { database, keyring }: Pick<ResetGround, 'database' | 'keyring'>,
  organisationId: string,
  reset: Reset,
  user: Waiting,
  now: number,
): Promise<void> {
  const settled = (why: ResetRefusal | undefined) => settleResetUser(reset.id, user.position, why, now)
  try {
    if (user.why !== undefined) await database.commit([settled(user.why)])
    else
      await database.commit([
        settled(undefined),
        ...resetWrites(database, keyring, organisationId, reset, user, now),
      ])
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error
    if (error.refusal === 'already_used') return
    // The account, or the admin, is not as it was a moment ago.
    const [again] = await readWaiting(database, reset.id, user.position - 1, 1)
    if (again?.position !== user.position) return
    if (again.why === undefined && again.epoch !== user.epoch) {
      return resetOne({ database, keyring }, organisationId, reset, again, now)
    }
    await database.commit([settled(again.why ?? 'not_allowed')]).catch(late => {
      if (!(late instanceof CommitRefused)) throw late
    })
  }
}

function resetWrites(
  { dialect }: Database,
  keyring: Keyring,
  organisationId: string,
  { id, actorId, actorName, reason, removePasskeys }: Reset,
  user: Waiting,
  now: number,
): Write[] {
  const { accountId } = user
  return [
    ...resetSecondFactor({ id: accountId, organisationId, epoch: user.epoch }, actorId, removePasskeys, now),
    ...endSessions(dialect, accountId, now),
    revokeAccountArtefacts(accountId),
    clearAccountAttempts('code', accountId),
    auditRow(
      {
        event: 'second_factor.reset',
        organisationId,
        accountId,
        actorId,
        details: { reset: id, reason, removePasskeys },
      },
      now,
    ),
    mailJob(keyring, {
      to: user.email,
      template: 'second-factor-reset',
      contents: { name: user.name, by: actorName, at: now, removePasskeys },
      now,
    }),
  ]
}
