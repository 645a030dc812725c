// An account's sessions, as its user and its admins look at them, and the end of one. Found by the account, so nobody
// reads or ends another's. Leaves out sessions as the provider uses them (oidc-sessions.ts) and the end of all of them
// at once (oidc/artefacts.ts).

import { SPECIAL_PLANS } from '../../organisations/plan.ts'
import { sessionIsOver, sessionPolicy } from '../../organisations/session-policy.ts'
import type { Database, Write } from '../database.ts'
import { revokeSessionArtefacts } from '../oidc/artefacts.ts'
import { sql, write } from '../statement.ts'
import { logoutJobsOfSession } from './logout-jobs.ts'

export interface SessionView {
  /** Names the session; it is not what its cookie carries. */
  readonly uid: string
  /** Browser and system of the login; undefined where they were none of those known. */
  readonly device: string | undefined
  readonly address: string | undefined
  /** Milliseconds since 1970, of the first login; the other to the minute. */
  readonly loggedInAt: number
  readonly lastSeenAt: number
  /** The ids of the apps that it is logged in to. */
  readonly apps: readonly string[]
}

/** So many are shown: whoever has more has the newest. */
const MOST_SHOWN = 50
/** What is over by the policy stays until it is swept, and is not shown. */
const MOST_READ = 500

const list = sql(
  'session_list',
  `SELECT s.uid, s.payload, s.device, s.address, s.created_at, s.logged_in_at, s.last_seen_at,
     ao.plan, ao.session_inactive_hours, ao.session_end_days
   FROM oidc_sessions s JOIN accounts a ON a.id = s.account_id AND a.epoch = s.epoch
   LEFT JOIN organisations ao ON ao.id = a.organisation_id
   WHERE s.account_id = ? AND s.ended_at IS NULL ORDER BY s.last_seen_at DESC, s.uid LIMIT ${MOST_READ}`,
)

/**
 * The sessions of an account that are not over, the one that was used last first.
 *
 * @param now milliseconds since 1970
 * @param specialPlans those whose organisations have a session policy of their own
 */
export async function readSessionsOf(
  database: Database,
  accountId: string,
  now: number,
  specialPlans: readonly string[] = SPECIAL_PLANS,
): Promise<SessionView[]> {
  const rows = await database.read(list, [accountId])
  return rows
    .flatMap(row => {
      const number = (value: typeof row.plan) => (value == null ? null : Number(value))
      const stored =
        row.plan == null
          ? undefined
          : {
              plan: String(row.plan),
              inactiveHours: number(row.session_inactive_hours),
              endDays: number(row.session_end_days),
            }
      const times = {
        loggedInAt: Number(row.logged_in_at ?? row.created_at),
        lastSeenAt: Number(row.last_seen_at),
      }
      if (sessionIsOver(times, sessionPolicy(stored, specialPlans), now)) return []
      const text = (value: typeof row.plan) => (value == null ? undefined : String(value))
      return [
        {
          uid: String(row.uid),
          device: text(row.device),
          address: text(row.address),
          ...times,
          apps: appsOf(String(row.payload)),
        },
      ]
    })
    .slice(0, MOST_SHOWN)
}

function appsOf(payload: string): string[] {
  return Object.keys((JSON.parse(payload) as { authorizations?: object }).authorizations ?? {})
}

const known = sql('session_of_account', 'SELECT uid FROM oidc_sessions WHERE uid = ? AND account_id = ?')

/** Whether a session is, or was, an account's: one that has ended is known for some days. */
export async function wasSessionOf(database: Database, accountId: string, uid: string): Promise<boolean> {
  return (await database.read(known, [uid, accountId])).length > 0
}

/**
 * That there is something of an account `a` to end: a session, a login under way, a token. A grant alone lets nobody in: it
 * remembers what its user allowed.
 */
export const holdsAccess = `(
  EXISTS (SELECT 1 FROM oidc_sessions hs WHERE hs.account_id = a.id AND hs.ended_at IS NULL)
  OR EXISTS (SELECT 1 FROM oidc_artefacts hx WHERE hx.account_id = a.id AND hx.model <> 'Grant'))`

const holds = sql('account_holds_access', `SELECT a.id FROM accounts a WHERE a.id = ? AND ${holdsAccess}`)

/** Whether there is anything of an account to end: a session, a login that is under way, a token. */
export async function hasAccess(database: Database, accountId: string): Promise<boolean> {
  return (await database.read(holds, [accountId])).length > 0
}

const end = sql(
  'session_end_own',
  `UPDATE oidc_sessions SET ended_at = ?, payload = '{}' WHERE uid = ? AND account_id = ? AND ended_at IS NULL`,
)
const endFacts = sql(
  'session_end_own_facts',
  'DELETE FROM session_facts WHERE session_uid = ? AND account_id = ?',
)

/**
 * Ends one session of an account, with the codes, tokens (those with `offline_access` too) and pending logins that came
 * of it, and has its apps told, in the same commit. Grants stay: what the user allowed an app, they allowed.
 *
 * Refused as `already_used` if it has ended, or is not the account's.
 */
export function endSessionOf(
  dialect: Database['dialect'],
  { accountId, uid }: { readonly accountId: string; readonly uid: string },
  now: number,
): Write[] {
  return [
    // The apps are read before what names them goes.
    logoutJobsOfSession(dialect, accountId, uid, now),
    write(end, [now, uid, accountId], 'already_used'),
    write(endFacts, [uid, accountId]),
    revokeSessionArtefacts(accountId, uid),
  ]
}
