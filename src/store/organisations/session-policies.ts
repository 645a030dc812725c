// What an organisation chose for its sessions, and when everybody of it was logged out last, read in one row. Changed
// only as it was read, by somebody who may. Leaves out what the values mean (organisations/session-policy.ts).

import type { SessionPolicy, StoredPolicy } from '../../organisations/session-policy.ts'
import type { Database, Param, Write } from '../database.ts'
import { sql, write } from '../statement.ts'
import { actorMayAct, actorParams } from './actor.ts'

export interface SessionSettings {
  readonly organisationId: string
  /** The organisation's name. */
  readonly organisation: string
  readonly stored: StoredPolicy
  /** Whether whoever asks is the operator, or an active admin of the organisation. */
  readonly allowed: boolean
  /** Who logged everybody out last; `by` is undefined for the operator. */
  readonly logOut:
    | { readonly orderedAt: number; readonly by: string | undefined; readonly finished: boolean }
    | undefined
}

const find = sql(
  'session_settings',
  `SELECT o.id, o.name, o.plan, o.session_inactive_hours, o.session_end_days,
     EXISTS (SELECT 1 FROM accounts b WHERE b.organisation_id = o.id AND b.role = 'admin' AND b.status = 'active'
       AND b.id = ?) AS allowed,
     l.ordered_at, l.finished_at, c.name AS ordered_by
   FROM organisations o LEFT JOIN log_outs l ON l.organisation_id = o.id LEFT JOIN accounts c ON c.id = l.actor_id
   WHERE o.id = ?`,
)

/** @param actorId who asks: an account's id, or `operator` */
export async function readSessionSettings(
  database: Database,
  organisationId: string,
  actorId: string,
): Promise<SessionSettings | undefined> {
  const [row] = await database.read(find, [actorId, organisationId])
  if (row === undefined) return undefined
  const number = (value: Param | undefined) => (value == null ? null : Number(value))
  // A truth is 1 on SQLite, and true on PostgreSQL.
  const allowed = row.allowed as unknown
  return {
    organisationId: String(row.id),
    organisation: String(row.name),
    stored: {
      plan: String(row.plan),
      inactiveHours: number(row.session_inactive_hours),
      endDays: number(row.session_end_days),
    },
    allowed: actorId === 'operator' || allowed === true || allowed === 1,
    logOut:
      row.ordered_at == null
        ? undefined
        : {
            orderedAt: Number(row.ordered_at),
            by: row.ordered_by == null ? undefined : String(row.ordered_by),
            finished: row.finished_at != null,
          },
  }
}

const change = sql(
  'session_policy_change',
  `UPDATE organisations SET session_inactive_hours = ?, session_end_days = ?
   WHERE id = ? AND plan = ? AND coalesce(session_inactive_hours, 0) = ? AND coalesce(session_end_days, 0) = ?
     AND ${actorMayAct}`,
)

/** Refused as `account_changed` if the plan, the policy or the one who acts is not as it was read. */
export function changeSessionPolicy(
  { organisationId, stored }: SessionSettings,
  { inactiveHours, endDays }: SessionPolicy,
  actorId: string,
): Write {
  const { plan, inactiveHours: hours, endDays: days } = stored
  return write(
    change,
    [
      inactiveHours,
      endDays,
      organisationId,
      plan,
      hours ?? 0,
      days ?? 0,
      ...actorParams(actorId, organisationId),
    ],
    'account_changed',
  )
}
