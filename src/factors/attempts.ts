// How often somebody may try. An attempt is reserved by one conditional write before the secret is compared (law 4),
// so parallel tries count as they should and a crash in between costs a try, never gives one. The table below is the
// whole policy; the docs print it. Passkeys have no budget: nobody can guess one, so nobody can lock somebody out of
// it. A known device (a browser that finished a two-factor login of this account in the last 30 days) has budgets of
// its own, which a stranger cannot use up.

import type { Database, Row, Write } from '../store/database.ts'
import { type Refusal, sql, write } from '../store/statement.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** For counts that only a reset may end. */
const EVER = 36_500 * DAY
/** Such counts of addresses that nobody has: strangers must not fill the table for ever. */
const NOBODY_MS = 30 * DAY

export interface Budget {
  /** Wrong tries in a row without a wait; from then on each is followed by one. */
  readonly free: number
  /** So many waits double from one minute, before the longest one comes. */
  readonly doublings: number
  readonly longestWaitMs: number
  /** Tries in 24 hours, right ones not counted. */
  readonly perDay: number
  /** Wrong tries in a row after which nothing is accepted until a reset. */
  readonly inARow: number
  /** How long the count is kept after the last try. */
  readonly keepMs: number
  readonly refusal: Refusal
}

export const BUDGETS = {
  /** Codes per account: one-time, mailed and recovery codes together. */
  code: {
    free: 5,
    doublings: 6,
    longestWaitMs: HOUR,
    perDay: 20,
    inARow: 100,
    keepMs: EVER,
    refusal: 'too_many_tries',
  },
  /** Codes of all kinds in one authorization request. */
  interaction: {
    free: 1000,
    doublings: 0,
    longestWaitMs: 0,
    perDay: 5,
    inARow: 1000,
    keepMs: 2 * DAY,
    refusal: 'start_again',
  },
  /** Passwords per account and network address (IPv6: /64). The wait is 24 hours, or until **Unblock**. */
  password: {
    free: 10,
    doublings: 0,
    longestWaitMs: DAY,
    perDay: 10,
    inARow: 1000,
    keepMs: 2 * DAY,
    refusal: 'too_many_tries',
  },
  /**
   * Passwords per account from everywhere, known devices apart (NIST SP 800-63B-4 section 3.2.2: at most 100 in a row).
   * Any right password starts the count anew, as does a new one; only where passwords are ours, since nobody tells us
   * of a host's new ones.
   */
  'password-everywhere': {
    free: 1000,
    doublings: 0,
    longestWaitMs: 0,
    perDay: 100,
    inARow: 100,
    keepMs: EVER,
    refusal: 'stopped',
  },
  /** Mails that somebody can have sent to an address: forgotten password, another code. */
  mail: {
    free: 1000,
    doublings: 0,
    longestWaitMs: 0,
    perDay: 10,
    inARow: 1000,
    keepMs: 2 * DAY,
    refusal: 'too_many_tries',
  },
} as const satisfies Record<string, Budget>

export type BudgetName = keyof typeof BUDGETS

/** Whose tries are counted together. */
export interface Subject {
  /** An account's id, or a digest of an address that nobody has, so that both answer alike. */
  readonly account: string
  /** A network, a known device, or nothing. */
  readonly source: string
  /** Set: no account has it. */
  readonly nobody?: boolean
}

const reserve = sql(
  'attempt_reserve',
  `INSERT INTO attempts (budget, account, source, in_a_row, today, day_started_at, blocked_until, expires_at)
   VALUES (?, ?, ?, 1, 1, ?, 0, ?)
   ON CONFLICT (budget, account, source) DO UPDATE SET
     in_a_row = attempts.in_a_row + 1,
     today = CASE WHEN attempts.day_started_at <= ? THEN 1 ELSE attempts.today + 1 END,
     day_started_at = CASE WHEN attempts.day_started_at <= ? THEN excluded.day_started_at
       ELSE attempts.day_started_at END,
     blocked_until = CASE
       WHEN attempts.in_a_row + 1 < CAST(? AS integer) THEN 0
       WHEN attempts.in_a_row + 1 - CAST(? AS integer) >= CAST(? AS integer)
         THEN excluded.day_started_at + CAST(? AS bigint)
       ELSE excluded.day_started_at + (${MINUTE} << (attempts.in_a_row + 1 - CAST(? AS integer)))
     END,
     expires_at = excluded.expires_at
   WHERE attempts.blocked_until <= excluded.day_started_at
     AND attempts.in_a_row < CAST(? AS integer)
     AND (attempts.day_started_at <= ? OR attempts.today < CAST(? AS integer))`,
)

/**
 * Reserves one attempt. Refused, under the budget's refusal, if there is none left or a wait is on.
 *
 * @param now milliseconds since 1970
 */
export function reserveAttempt(budget: BudgetName, subject: Subject, now: number): Write {
  const { free, doublings, longestWaitMs, perDay, inARow, refusal, ...rest } = BUDGETS[budget]
  const keepMs = subject.nobody ? Math.min(rest.keepMs, NOBODY_MS) : rest.keepMs
  const dayAgo = now - DAY
  return write(
    reserve,
    [
      ...[budget, subject.account, subject.source, now, now + keepMs],
      ...[dayAgo, dayAgo, free, free, doublings, longestWaitMs, free],
      ...[inARow, dayAgo, perDay],
    ],
    refusal,
  )
}

// It was let, so no wait was on: the one that it began is over with it.
const giveBack = sql(
  'attempt_give_back',
  `UPDATE attempts SET in_a_row = in_a_row - 1, today = today - 1, blocked_until = 0
   WHERE budget = ? AND account = ? AND source = ? AND in_a_row > 0 AND today > 0`,
)

/** An attempt that was no guess (a code that was right, but spent) costs nothing. */
export function giveBackAttempt(budget: BudgetName, subject: Subject): Write {
  return write(giveBack, [budget, subject.account, subject.source])
}

const clear = sql('attempt_clear', 'DELETE FROM attempts WHERE budget = ? AND account = ? AND source = ?')

/** A right answer: this budget of this subject starts anew; no other does. */
export function clearAttempts(budget: BudgetName, subject: Subject): Write {
  return write(clear, [budget, subject.account, subject.source])
}

const clearAll = sql('attempt_clear_account', 'DELETE FROM attempts WHERE budget = ? AND account = ?')

/** Every source of an account's tries: after a changed password, or a reset. */
export function clearAccountAttempts(budget: BudgetName, accountId: string): Write {
  return write(clearAll, [budget, accountId])
}

const state = sql(
  'attempt_state',
  'SELECT in_a_row, today, day_started_at, blocked_until FROM attempts WHERE budget = ? AND account = ? AND source = ?',
)

/** @returns milliseconds since 1970 from which the next attempt is accepted; undefined: only after a reset */
export async function blockedUntil(
  database: Database,
  budget: BudgetName,
  subject: Subject,
): Promise<number | undefined> {
  const [row] = await database.read(state, [budget, subject.account, subject.source])
  return row === undefined ? 0 : openFrom(BUDGETS[budget], row)
}

const blocking = "budget IN ('code', 'password', 'password-everywhere')"
const ofAccount = sql(
  'attempt_of_account',
  `SELECT budget, in_a_row, today, day_started_at, blocked_until FROM attempts WHERE ${blocking} AND account = ?`,
)

/** Whether passwords, or codes, of an account are not taken now: of some place or device, or of any. */
export async function readBlocks(
  database: Database,
  accountId: string,
  now: number,
): Promise<{ passwords: boolean; codes: boolean }> {
  const rows = await database.read(ofAccount, [accountId])
  const blocked = rows
    .filter(row => (openFrom(BUDGETS[row.budget as BudgetName], row) ?? Number.POSITIVE_INFINITY) > now)
    .map(row => String(row.budget))
  return { codes: blocked.includes('code'), passwords: blocked.some(each => each.startsWith('password')) }
}

const unblock = sql('attempt_unblock', `DELETE FROM attempts WHERE ${blocking} AND account = ?`)

/** Every wrong password and code of an account is forgotten. Refused as `already_used` if there is none. */
export function unblockAccount(accountId: string): Write {
  return write(unblock, [accountId], 'already_used')
}

function openFrom(budget: Budget, row: Row): number | undefined {
  if (Number(row.in_a_row) >= budget.inARow) return undefined
  const dayOver = Number(row.today) >= budget.perDay ? Number(row.day_started_at) + DAY : 0
  return Math.max(Number(row.blocked_until), dayOver)
}

const notify = sql(
  'attempt_notify',
  `INSERT INTO attempts (budget, account, source, in_a_row, today, day_started_at, blocked_until, notified_at, expires_at)
   VALUES ('notice', ?, '', 0, 0, ?, 0, ?, ?)
   ON CONFLICT (budget, account, source) DO UPDATE SET notified_at = excluded.notified_at,
     expires_at = excluded.expires_at
   WHERE attempts.notified_at <= ?`,
)

/**
 * Refused as `not_allowed` if the same was told less than `everyMs` ago. The owner of an account is told of a stop once
 * an hour, whichever network was stopped: mails must not grow with the networks that a stranger has.
 *
 * @param about what is told of: an account's id, or the `cid` of an authorization request
 */
export function noteNotified(about: string, now: number, everyMs = HOUR): Write {
  return write(notify, [about, now, now, now + DAY, now - everyMs], 'not_allowed')
}

/** The account's codes, or those of a device that is known for it. */
export function codeSubject(accountId: string, device: string | undefined): Subject {
  return { account: accountId, source: device ?? '' }
}

/** The account's passwords from a network, or from a device that is known for it. */
export function passwordSubject(who: string, address: string, device: string | undefined): Subject {
  return { account: who, source: device ?? network(address) }
}

/** The account's passwords from everywhere; the digest of an address that nobody has counts alike. */
export function everywhereSubject(who: string, nobody = false): Subject {
  return { account: who, source: '', nobody }
}

/** All codes of one authorization request. */
export function interactionSubject(cid: string): Subject {
  return { account: cid, source: '' }
}

/** The network that an address counts for: IPv4 as it is, also where IPv6 carries it; IPv6 its /64. */
export function network(address: string): string {
  if (!address.includes(':')) return address
  const groups = groupsOf(address)
  const [high = 0, low = 0] = groups.slice(6)
  if (groups.slice(0, 6).join() === '0,0,0,0,0,65535') {
    return [high >> 8, high & 255, low >> 8, low & 255].join('.')
  }
  const prefix = groups.slice(0, 4).map(each => each.toString(16))
  return `${prefix.join(':')}::/64`
}

/** The eight groups of an IPv6 address (RFC 4291 section 2.2). */
function groupsOf(address: string): number[] {
  const [front = [], back] = address
    .replace(/%.*$/, '')
    .split('::')
    .map(part =>
      part.split(':').flatMap(each => {
        const [a = 0, b = 0, c = 0, d = 0] = each.split('.').map(Number)
        if (each.includes('.')) return [a * 256 + b, c * 256 + d]
        return each === '' ? [] : [Number.parseInt(each, 16)]
      }),
    )
  if (back === undefined) return front
  const zeros = Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0)
  return [...front, ...zeros, ...back]
}
