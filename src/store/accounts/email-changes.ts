// Changes of an address. One is ordered, and nothing else happens: the new address is in no account, so nothing is found
// by it. It is made by one conditional write, if the account is as it was when it was ordered: whatever ended sessions
// since, or moved the epoch, ended it too. It is stopped by another, on the same row, so that one of the two wins. For
// three days after it was made the old address can be put back, from there alone, and nobody else can take it; that
// ends every change since, as a thief may have made two, and none of before: the first address has the last word. Leaves
// out mails and pages (account/email.ts).

import type { Database, Param, Row, Write } from '../database.ts'
import { digest } from '../ids.ts'
import { sql, write } from '../statement.ts'
import { lockAccount } from './account-lock.ts'
import { type Account, emailKey } from './accounts.ts'
import { endAllAccessBut } from './own-changes.ts'

const DAY = 24 * 60 * 60 * 1000
/** How long the new address has to confirm. */
export const CONFIRM_MS = DAY
/** How long after that the old one can put it back. */
export const PUT_BACK_MS = 3 * DAY

export interface EmailChange {
  readonly id: string
  readonly accountId: string
  readonly from: string
  readonly to: string
  /** Of the account, when it was ordered. */
  readonly epoch: number
  /** That ordered it. */
  readonly sessionUid: string
  /** Milliseconds since 1970, as all times here. */
  readonly orderedAt: number
  /** Undefined: it waits for the new address. */
  readonly changedAt: number | undefined
  readonly expiresAt: number
}

const columns = `c.id, c.account_id, c.old_email, c.new_email, c.epoch, c.session_uid, c.ordered_at, c.changed_at,
  c.expires_at`
const replace = sql(
  'email_change_replace',
  'UPDATE email_changes SET ended_at = ? WHERE account_id = ? AND id <> ? AND ended_at IS NULL AND changed_at IS NULL',
)
const insert = sql(
  'email_change_insert',
  `INSERT INTO email_changes (id, token, account_id, old_email, old_key, new_email, epoch, session_uid, ordered_at,
     expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
)

/** Orders a change, in place of one that waits. @param token for the new address, in the clear; its hash is stored */
export function orderEmailChange(
  account: Pick<Account, 'id' | 'email' | 'epoch'>,
  { id, to, token, sessionUid }: { id: string; to: string; token: string; sessionUid: string },
  now: number,
): Write[] {
  const { id: accountId, email, epoch } = account
  return [
    write(replace, [now, accountId, id]),
    write(insert, [
      ...[id, digest(token), accountId, email, emailKey(email), to, epoch, sessionUid],
      ...[now, now + CONFIRM_MS],
    ]),
  ]
}

// Of two that were ordered at the same moment, neither of which knew of the other, the last one counts.
const newest = (table: string) => `NOT EXISTS (SELECT 1 FROM email_changes n
  WHERE n.account_id = ${table}.account_id AND n.ended_at IS NULL AND n.changed_at IS NULL
    AND n.ordered_at >= ${table}.ordered_at
    AND (n.ordered_at > ${table}.ordered_at OR n.id > ${table}.id))`
const waits = (table: string) =>
  `${table}.ended_at IS NULL AND ${table}.changed_at IS NULL AND ${table}.expires_at > ? AND ${newest(table)}`
const byToken = sql(
  'email_change_by_token',
  `SELECT ${columns} FROM email_changes c WHERE c.token = ? AND ${waits('c')}`,
)
const byId = sql(
  'email_change_by_id',
  `SELECT ${columns} FROM email_changes c WHERE c.id = ? AND c.ended_at IS NULL AND c.expires_at > ?`,
)
const ofAccount = sql(
  'email_change_of_account',
  `SELECT ${columns} FROM email_changes c JOIN accounts a ON a.id = c.account_id
   WHERE c.account_id = ? AND ${waits('c')} AND a.epoch = c.epoch`,
)

/** What a link in the new mailbox is for, without using it. */
export async function readOrderedChange(
  database: Database,
  token: string,
  now: number,
): Promise<EmailChange | undefined> {
  return changeOf((await database.read(byToken, [digest(token), now]))[0])
}

/** What can be stopped, or put back. */
export async function readStoppable(
  database: Database,
  id: string,
  now: number,
): Promise<EmailChange | undefined> {
  return changeOf((await database.read(byId, [id, now]))[0])
}

/** The change that somebody ordered, and that waits. */
export async function readWaitingChange(
  database: Database,
  accountId: string,
  now: number,
): Promise<EmailChange | undefined> {
  return changeOf((await database.read(ofAccount, [accountId, now]))[0])
}

/** The old address can be put back. @param at names the time, or is `?` */
export const canBePutBack = (table: string, at: string) =>
  `${table}.changed_at IS NOT NULL AND ${table}.ended_at IS NULL AND ${table}.expires_at > ${at}`

const former = sql(
  'email_change_former',
  `SELECT h.old_email FROM email_changes h WHERE h.account_id = ? AND ${canBePutBack('h', '?')}`,
)

/** Addresses that an account had before, and that can be put back still. */
export async function readFormerEmails(
  database: Database,
  accountId: string,
  now: number,
): Promise<string[]> {
  return (await database.read(former, [accountId, now])).map(row => String(row.old_email))
}

// The oldest: what puts it back ends every later change.
const wayBack = sql(
  'email_change_way_back',
  `SELECT h.id FROM email_changes h WHERE h.account_id = ? AND h.old_key = ? AND ${canBePutBack('h', '?')}
   ORDER BY h.epoch LIMIT 1`,
)

/** The change that took an address away from an account, if the address can be put back still. @returns its id */
export async function readWayBack(
  database: Database,
  accountId: string,
  email: string,
  now: number,
): Promise<string | undefined> {
  const [row] = await database.read(wayBack, [accountId, emailKey(email), now])
  return row && String(row.id)
}

const held = `EXISTS (SELECT 1 FROM email_changes h
  WHERE h.old_key = ? AND ${canBePutBack('h', '?')} AND h.account_id <> ?)`
const isHeld = sql('email_change_held', `SELECT 1 AS held WHERE ${held}`)

/** Whether an address was somebody else's a moment ago, who may yet take it back. */
export async function isHeldForAnother(
  database: Database,
  email: string,
  accountId: string,
  now: number,
): Promise<boolean> {
  return (await database.read(isHeld, [emailKey(email), now, accountId])).length > 0
}

const confirm = sql(
  'email_change_confirm',
  `UPDATE email_changes SET changed_at = ?, expires_at = ? WHERE token = ? AND ${waits('email_changes')}`,
)
const setEmail = sql(
  'account_set_email',
  `UPDATE accounts SET email = ?, email_key = ?, mailbox_proven_at = ?, epoch = epoch + 1, mail_refused_at = NULL,
     mail_refusal = NULL
   WHERE id = ? AND epoch = ? AND status = 'active'
     AND NOT EXISTS (SELECT 1 FROM accounts x WHERE x.email_key = ?) AND NOT ${held}`,
)

/**
 * Makes a change. Everything ends but the session that ordered it, if it goes on.
 *
 * Refused as `already_used` if it was made, stopped, replaced or waited too long; as `account_changed` if the account is
 * not as it was when it was ordered, or somebody has the address.
 */
export function confirmEmailChange(
  dialect: Database['dialect'],
  { accountId, to, epoch, sessionUid }: EmailChange,
  token: string,
  now: number,
): Write[] {
  const key = emailKey(to)
  return [
    write(confirm, [now, now + PUT_BACK_MS, digest(token), now], 'already_used'),
    write(setEmail, [to, key, now, accountId, epoch, key, key, now, accountId], 'account_changed'),
    ...endAllAccessBut(dialect, { accountId, epoch, sessionUid }, now),
  ]
}

const stop = sql(
  'email_change_stop',
  'UPDATE email_changes SET ended_at = ? WHERE id = ? AND ended_at IS NULL AND changed_at IS NULL AND expires_at > ?',
)

/** Refused as `already_used` if it was made, stopped, replaced or waited too long. */
export function stopEmailChange({ id }: EmailChange, now: number): Write {
  return write(stop, [now, id, now], 'already_used')
}

const takeBack = sql(
  'email_change_put_back',
  'UPDATE email_changes SET ended_at = ? WHERE id = ? AND ended_at IS NULL AND changed_at IS NOT NULL AND expires_at > ?',
)
// Each that is made moves the epoch, so that it tells which came first, also where clocks differ.
const endLater = sql(
  'email_change_end_later',
  'UPDATE email_changes SET ended_at = ? WHERE account_id = ? AND id <> ? AND epoch >= ? AND ended_at IS NULL',
)

/**
 * Puts the old address back and locks the account, as `lockAccount` does, also one that is locked already. Must stand
 * first in its commit. Refused as `already_used` if it was done, can no longer be, or the account is not one that logs in.
 *
 * @param since passkeys that were added later go
 */
export function putEmailBack(
  account: Account,
  { id, from, epoch, expiresAt }: EmailChange,
  since: number,
  now: number,
): Write[] {
  return [
    ...lockAccount(account, { token: `email-change ${id}`, until: expiresAt }, since, now, {
      email: from,
      key: emailKey(from),
    }),
    write(takeBack, [now, id, now], 'already_used'),
    write(endLater, [now, account.id, id, epoch]),
  ]
}

function changeOf(row: Row | undefined): EmailChange | undefined {
  if (row === undefined) return undefined
  const time = (value: Param | undefined) => (value == null ? undefined : Number(value))
  return {
    id: String(row.id),
    accountId: String(row.account_id),
    from: String(row.old_email),
    to: String(row.new_email),
    epoch: Number(row.epoch),
    sessionUid: String(row.session_uid),
    orderedAt: Number(row.ordered_at),
    changedAt: time(row.changed_at),
    expiresAt: Number(row.expires_at),
  }
}
