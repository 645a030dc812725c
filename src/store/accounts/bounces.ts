// Addresses that take no mail: noted of the account whose address it is, for its admins to see. Nothing is decided by
// it: a login never fails because of a mail. What a mail server said at once is forgotten with the next mail that it
// takes; what was reported later, of mails that were taken at first, stays a week longer than that.

import { type AuditEntry, auditRow } from '../audit/audit.ts'
import type { Write } from '../database.ts'
import { oneLine } from '../jobs/jobs.ts'
import { sql, write } from '../statement.ts'
import { type Account, emailKey } from './accounts.ts'

const REPORTED_MS = 7 * 24 * 60 * 60 * 1000

const note = sql(
  'bounce_note',
  `UPDATE accounts SET mail_refused_at = ?, mail_refusal = ?, mail_refusal_told = ? WHERE id = ? AND email_key = ?`,
)
const forget = sql(
  'bounce_forget',
  `UPDATE accounts SET mail_refused_at = NULL, mail_refusal = NULL
   WHERE email_key = ? AND mail_refused_at < CASE mail_refusal_told WHEN 1 THEN CAST(? AS bigint) - ${REPORTED_MS} ELSE ? END`,
)

/** An address that takes no mail. */
export interface Bounce {
  /** What the mail server said. */
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/**
 * Notes that somebody's address takes no mail. Nothing is noted of an account that has another address by now.
 *
 * @param reported the mail was taken at first; somebody says so since
 */
export function noteBounce(
  account: Pick<Account, 'id' | 'email' | 'organisationId'>,
  { reason, at }: Bounce,
  reported: boolean,
  by: Pick<AuditEntry, 'actorId' | 'address'> = {},
): Write[] {
  const { id, email, organisationId } = account
  const said = oneLine(reason)
  return [
    write(note, [at, said, reported ? 1 : 0, id, emailKey(email)]),
    auditRow({ event: 'mail.refused', organisationId, accountId: id, ...by, details: { reason: said } }, at),
  ]
}

/** A mail to this address was taken. */
export function forgetBounce(address: string, now: number): Write {
  return write(forget, [emailKey(address), now, now])
}
