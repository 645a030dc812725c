// Logging out everybody of an organisation, as it is kept: the last order of each organisation, and for each account the
// order that it was logged out by. An order is given by one conditional write, and each account settled by one, so that
// nobody is logged out twice by it, however often it is pressed or worked off. Leaves out the work (organisations/log-outs.ts).

import type { Database, Write } from '../database.ts'
import { actorMayAct, actorParams } from '../organisations/actor.ts'
import { sql, write } from '../statement.ts'
import { holdsAccess } from './account-sessions.ts'

const order = sql(
  'log_out_order',
  `INSERT INTO log_outs (organisation_id, actor_id, ordered_at)
   SELECT o.id, CAST(? AS varchar(64)), CAST(? AS bigint) FROM organisations o
   WHERE o.id = ? AND ${actorMayAct}
     AND (CAST(? AS bigint) = 0 OR EXISTS (SELECT 1 FROM log_outs x WHERE x.organisation_id = o.id))
   ON CONFLICT (organisation_id) DO UPDATE
     SET actor_id = excluded.actor_id, ordered_at = excluded.ordered_at, finished_at = NULL
   WHERE log_outs.ordered_at = ?`,
)

/**
 * Orders it. Refused as `already_used` if another was ordered since the one that was seen, or whoever does it is no active
 * admin of the organisation (any more).
 *
 * @param actorId an account's id, or `operator`
 * @param seen when the last order was given, as the page showed it; 0: never
 * @param orderedAt milliseconds since 1970, later than `seen`
 */
export function orderLogOut(organisationId: string, actorId: string, seen: number, orderedAt: number): Write {
  const params = [actorId, orderedAt, organisationId, ...actorParams(actorId, organisationId), seen, seen]
  return write(order, params, 'already_used')
}

const count = sql(
  'log_out_count',
  `SELECT count(*) AS n FROM accounts a WHERE a.organisation_id = ? AND ${holdsAccess}`,
)

/** How many users of an organisation have something to end: a session, a login under way, a token. */
export async function countLoggedIn(database: Database, organisationId: string): Promise<number> {
  return Number((await database.read(count, [organisationId]))[0]?.n ?? 0)
}

const waiting = sql(
  'log_out_waiting',
  `SELECT a.id FROM accounts a WHERE a.organisation_id = ? AND a.id > ?
     AND coalesce(a.logged_out_at, 0) < ? AND ${holdsAccess} ORDER BY a.id LIMIT ?`,
)

/** Whom an order has not reached yet, in the order of their ids, from after one on; '': from the first. */
export async function readLoggedIn(
  database: Database,
  organisationId: string,
  orderedAt: number,
  after: string,
  limit: number,
): Promise<string[]> {
  const rows = await database.read(waiting, [organisationId, after, orderedAt, limit])
  return rows.map(row => String(row.id))
}

const reach = sql(
  'log_out_account',
  `UPDATE accounts SET epoch = epoch + 1, logged_out_at = ?
   WHERE id = ? AND organisation_id = ? AND coalesce(logged_out_at, 0) < ?`,
)

/**
 * Moves an account's epoch, by which ends what is in flight. Goes with what ends the rest. Refused as `already_used` if the
 * order has reached the account, or the account has left the organisation.
 */
export function reachAccount(accountId: string, organisationId: string, orderedAt: number): Write {
  return write(reach, [orderedAt, accountId, organisationId, orderedAt], 'already_used')
}

const finish = sql(
  'log_out_finish',
  'UPDATE log_outs SET finished_at = ? WHERE organisation_id = ? AND ordered_at = ? AND finished_at IS NULL',
)

/** Everybody was reached. */
export function finishLogOut(organisationId: string, orderedAt: number, now: number): Write {
  return write(finish, [now, organisationId, orderedAt])
}
