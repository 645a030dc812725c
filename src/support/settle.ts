// What becomes of a case while nobody looks: its owner is told when the wait is over, and a case that ended by what
// happened elsewhere (the owner got in, an admin reset, the link ran out) is written down as ended. A job does it, made
// in the commit that opens the case; each run makes the next one with what it does, so that a kill loses neither.

import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Database, type Write } from '../store/database.ts'
import type { JobHandler } from '../store/jobs/job-worker.ts'
import { enqueue } from '../store/jobs/jobs.ts'
import {
  closeCase,
  noteWaitTold,
  readCase,
  type SupportCase,
  type ToldCase,
} from '../store/recovery/support-cases.ts'
import type { Keyring } from '../store/seal.ts'
import { type ClosedWhy, caseState, isOpen } from './case-state.ts'
import { tellEnd, tellOwner } from './notices.ts'

/** The kind of the job. */
export const SUPPORT_CASE = 'support-case'
const LOOK_EVERY_MS = 60 * 60 * 1000

/** The next look at a case. @param after milliseconds since 1970: nothing is done before */
export function lookAgain(caseId: string, after: number, now: number): Write {
  return enqueue(
    {
      id: `${SUPPORT_CASE}_${caseId}_${after}`.slice(0, 64),
      kind: SUPPORT_CASE,
      payload: JSON.stringify({ caseId }),
      summary: caseId,
      runAt: after,
    },
    now,
  )
}

/** Ends a case for what happened elsewhere, with its row and a mail. Refused as `already_used` if it has ended. */
export function settle(
  keyring: Keyring,
  found: Pick<ToldCase, 'id' | 'accountId' | 'account'>,
  why: Extract<ClosedWhy, 'logged_in' | 'account_changed' | 'expired'>,
  now: number,
): Write[] {
  return [
    closeCase(found.id, why, now),
    auditRow(
      {
        event: 'support_case.ended',
        organisationId: found.account.organisationId,
        accountId: found.accountId,
        details: { case: found.id, reason: why },
      },
      now,
    ),
    ...tellEnd(keyring, found.account, why, now),
  ]
}

/** The reason to settle a case; undefined while it is open, and of one that was settled. */
export function settlesBy(
  found: SupportCase,
  now: number,
): Extract<ClosedWhy, 'logged_in' | 'account_changed' | 'expired'> | undefined {
  const state = caseState(found, now)
  const derived = state === 'logged_in' || state === 'account_changed' || state === 'expired'
  return derived && found.closedAt === null ? state : undefined
}

export function supportCaseHandler(
  { database, keyring }: { readonly database: Database; readonly keyring: Keyring },
  clock: () => number,
): JobHandler {
  return async job => {
    const { caseId } = JSON.parse(job.payload) as { caseId: string }
    const now = clock()
    const found = await readCase(database, { id: caseId })
    if (found === undefined) return { ok: true }
    const why = settlesBy(found, now)
    if (why !== undefined) {
      await database.commit(settle(keyring, found, why, now)).catch(tooLate)
      return { ok: true }
    }
    if (!isOpen(caseState(found, now))) return { ok: true }
    const next = lookAgain(caseId, now + LOOK_EVERY_MS, now)
    if (found.waitToldAt !== null || now < found.waitUntil) await database.commit([next])
    else {
      const told = tellOwner(keyring, found.account, caseId, 'wait', { until: null, address: null }, now)
      await database.commit([noteWaitTold(caseId, now), ...told, next]).catch(tooLate)
    }
    return { ok: true }
  }
}

/** Somebody did it in the meantime. @throws whatever is no refusal */
function tooLate(error: unknown): void {
  if (!(error instanceof CommitRefused)) throw error
}
