// Requests of people who are locked out to the admins of their organisation. One is answered, without a write of its
// own, by what answers it: a reset, or whatever else moves the account's epoch, and a login. Leaves out who may ask
// (flow/ways/locked-out.ts).

import type { Account } from '../accounts/accounts.ts'
import type { Database, Write } from '../database.ts'
import { sql, write } from '../statement.ts'

const ask = sql(
  'help_ask',
  `INSERT INTO help_requests (account_id, organisation_id, epoch, since, asked_at)
   SELECT a.id, a.organisation_id, a.epoch, ?, ? FROM accounts a WHERE a.id = ? AND a.epoch = ? AND a.status = 'active'
   ON CONFLICT (account_id) DO UPDATE SET asked_at = excluded.asked_at, organisation_id = excluded.organisation_id,
     since = CASE WHEN help_requests.epoch = excluded.epoch AND help_requests.since > CAST(? AS bigint)
       THEN help_requests.since ELSE excluded.since END,
     epoch = excluded.epoch
   WHERE help_requests.asked_at <= ?`,
)

/**
 * Asks for help, or asks again. Refused as `not_allowed` if the same account asked less than `everyMs` ago.
 *
 * @param lastLoginAt milliseconds since 1970: a login answers what was asked before it
 */
export function askForHelp(
  { id, epoch }: Pick<Account, 'id' | 'epoch'>,
  lastLoginAt: number | null,
  everyMs: number,
  now: number,
): Write {
  return write(ask, [now, now, id, epoch, lastLoginAt ?? 0, now - everyMs], 'not_allowed')
}

// A request is open while its account is as it was, and nobody has logged in to it.
const open = `h.epoch = a.epoch AND a.status = 'active' AND (a.last_login_at IS NULL OR a.last_login_at < h.since)`

/** The columns `help_since` and `help_asked_at` for a statement that has accounts as `a` and {@link helpJoin}. */
export const helpColumns =
  'h.since AS help_since, h.asked_at AS help_asked_at, a.last_login_at AS help_login_at'
export const helpJoin = `LEFT JOIN help_requests h ON h.account_id = a.id AND ${open}`

/** Since when a user asks for help, for a statement that has accounts as `a`. */
export const helpSince = `(SELECT h.since FROM help_requests h WHERE h.account_id = a.id AND ${open})`

/** How many users of an organisation ask, for a statement with the organisation's id as parameter. */
export const helpCount = `(SELECT count(*) FROM help_requests h JOIN accounts a ON a.id = h.account_id
  WHERE h.organisation_id = ? AND a.organisation_id = h.organisation_id AND ${open})`

const list = sql(
  'help_list',
  `SELECT a.id, a.name, a.email, h.since, h.asked_at FROM help_requests h JOIN accounts a ON a.id = h.account_id
   WHERE h.organisation_id = ? AND a.organisation_id = h.organisation_id AND ${open} ORDER BY h.since, a.id LIMIT ?`,
)

export interface HelpRequest {
  readonly id: string
  readonly name: string
  readonly email: string
  /** Milliseconds since 1970. */
  readonly since: number
}

/** Who of an organisation asks for help, whoever has waited longest first. */
export async function readHelpRequests(
  database: Database,
  organisationId: string,
  limit: number,
): Promise<HelpRequest[]> {
  return (await database.read(list, [organisationId, limit])).map(row => ({
    id: String(row.id),
    name: String(row.name),
    email: String(row.email),
    since: Number(row.since),
  }))
}

const admins = sql(
  'help_admins',
  `SELECT a.name, a.email FROM accounts a
   WHERE a.organisation_id = ? AND a.role = 'admin' AND a.status = 'active' AND a.id <> ? ORDER BY a.id LIMIT ?`,
)

/** Those who can help: the active admins of an organisation, but for whoever asks. */
export async function readHelpers(
  database: Database,
  organisationId: string,
  accountId: string,
  limit: number,
): Promise<{ name: string; email: string }[]> {
  const rows = await database.read(admins, [organisationId, accountId, limit])
  return rows.map(row => ({ name: String(row.name), email: String(row.email) }))
}
