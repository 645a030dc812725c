// Browser sessions of the provider, one row per `uid`: the id that the cookie carries changes with every login, the
// uid never does, so a second row for a session cannot exist. An ended session stays as a tombstone until it would
// have expired, so that a request in flight cannot bring it back. Whether a session is over by its organisation's policy
// is computed whenever it is read, out of the same row; when it was used last moves at most once a minute.

import type { Fact } from '../../flow/assurance.ts'
import { SPECIAL_PLANS } from '../../organisations/plan.ts'
import { LONGEST_INACTIVE_MS, sessionIsOver, sessionPolicy } from '../../organisations/session-policy.ts'
import { type Account, accountColumns, accountJoins, accountOf } from '../accounts/accounts.ts'
import type { Database, Row, Write } from '../database.ts'
import { digest } from '../ids.ts'
import { sql, write } from '../statement.ts'
import { logoutJobsOf } from './logout-jobs.ts'
import { factColumns, factsOf } from './session-facts.ts'

/** What is used all the time is noted so often. */
export const SEEN_EVERY_MS = 60_000

export interface StoredSession {
  readonly uid: string
  readonly payload: Record<string, unknown>
  readonly account: Account | undefined
  readonly facts: readonly Fact[]
  /** Milliseconds since 1970, to the minute. */
  readonly lastSeenAt: number
}

const columns = `s.uid AS s_uid, s.payload AS s_payload, s.account_id AS s_account_id, s.epoch AS s_epoch,
  s.ended_at AS s_ended_at, s.created_at AS s_created_at, s.logged_in_at AS s_logged_in_at,
  s.last_seen_at AS s_last_seen_at, ${factColumns}, ${accountColumns}`
const joins = `LEFT JOIN session_facts f ON f.session_uid = s.uid AND f.account_id = s.account_id
  LEFT JOIN accounts a ON a.id = s.account_id ${accountJoins}`

const byId = sql('session_by_id', `SELECT ${columns} FROM oidc_sessions s ${joins} WHERE s.id = ?`)
const byUid = sql('session_by_uid', `SELECT ${columns} FROM oidc_sessions s ${joins} WHERE s.uid = ?`)

/** For statements that join a session as `s`, its facts as `f` and an account as `a`; each fact makes a row. */
export const sessionColumns = columns

/** @param specialPlans those whose organisations have a session policy of their own */
export async function readSession(
  database: Database,
  by: { id: string } | { uid: string },
  now: number,
  specialPlans: readonly string[] = SPECIAL_PLANS,
): Promise<StoredSession | undefined> {
  const rows = 'id' in by ? await database.read(byId, [digest(by.id)]) : await database.read(byUid, [by.uid])
  return sessionOf(rows, now, specialPlans)
}

/** A session that may be used: not ended, not over by the policy, its account not reset or deactivated since. */
export function sessionOf(
  rows: readonly Row[],
  now: number,
  specialPlans: readonly string[],
): StoredSession | undefined {
  const row = rows[0]
  if (row?.s_uid === null || row?.s_uid === undefined || row.s_ended_at !== null) return undefined
  const account = accountOf(row)
  const lastSeenAt = Number(row.s_last_seen_at)
  const times = { loggedInAt: Number(row.s_logged_in_at ?? row.s_created_at), lastSeenAt }
  if (sessionIsOver(times, sessionPolicy(account?.sessionPolicy, specialPlans), now)) return undefined
  if (row.s_account_id !== null) {
    if (account === undefined || account.id !== row.s_account_id) return undefined
    if (account.status !== 'active' || account.epoch !== row.s_epoch) return undefined
  }
  return {
    uid: String(row.s_uid),
    payload: JSON.parse(String(row.s_payload)) as Record<string, unknown>,
    account,
    facts: factsOf(rows),
    lastSeenAt,
  }
}

// A session is of the first login of its user: to prove oneself again moves neither its end nor where it came from.
const first = (column: string) => `${column} = CASE WHEN oidc_sessions.account_id = excluded.account_id
  THEN oidc_sessions.${column} ELSE excluded.${column} END`
const update = `ON CONFLICT (uid) DO UPDATE SET id = excluded.id, account_id = excluded.account_id,
  epoch = excluded.epoch, payload = excluded.payload, expires_at = excluded.expires_at,
  ${first('logged_in_at')}, ${first('address')}, ${first('device')},
  last_seen_at = CASE WHEN oidc_sessions.last_seen_at <= excluded.last_seen_at - ${SEEN_EVERY_MS}
    THEN excluded.last_seen_at ELSE oidc_sessions.last_seen_at END
  WHERE oidc_sessions.ended_at IS NULL`
const upsertAnonymous = sql(
  'session_upsert_anonymous',
  `INSERT INTO oidc_sessions (uid, id, account_id, epoch, payload, expires_at, created_at, last_seen_at)
   VALUES (?, ?, NULL, 0, ?, ?, ?, ?) ${update}`,
)
const upsertOwned = sql(
  'session_upsert',
  `INSERT INTO oidc_sessions (uid, id, account_id, epoch, payload, expires_at, created_at, last_seen_at, logged_in_at,
     address, device)
   SELECT ?, ?, a.id, a.epoch, ?, ?, ?, ?, ?, ?, ? FROM accounts a WHERE a.id = ? AND a.epoch = ? AND a.status = 'active'
   ${update}`,
)

/** Where a login came from, and by which browser, as its user is shown it. */
export interface Origin {
  readonly address: string
  readonly device: string | undefined
}

/** Refused as `session_ended` if the session was ended, or its account reset or deactivated, meanwhile. */
export function upsertSession(
  session: {
    uid: string
    id: string
    payload: Record<string, unknown>
    expiresAt: number
    owner: { accountId: string; epoch: number } | undefined
    origin?: Origin | undefined
  },
  now: number,
): Write {
  const { uid, id, payload, expiresAt, owner, origin } = session
  const rest = [uid, digest(id), JSON.stringify(payload), expiresAt, now, now]
  if (owner === undefined) return write(upsertAnonymous, rest, 'session_ended')
  const from = [now, origin?.address ?? null, origin?.device ?? null]
  return write(upsertOwned, [...rest, ...from, owner.accountId, owner.epoch], 'session_ended')
}

const see = sql(
  'session_seen',
  `UPDATE oidc_sessions SET last_seen_at = ?, expires_at = ?
   WHERE uid = ? AND ended_at IS NULL AND last_seen_at <= ?`,
)

/**
 * That a session was used. Several at once store it once.
 *
 * @returns undefined within a minute of the last time
 */
export function seeSession({ uid, lastSeenAt }: StoredSession, now: number): Write | undefined {
  if (lastSeenAt > now - SEEN_EVERY_MS) return undefined
  return write(see, [now, sweptFrom(now), uid, now - SEEN_EVERY_MS])
}

/** From when on a session that is not used again may be forgotten: it is over by any policy. */
export function sweptFrom(now: number): number {
  return now + LONGEST_INACTIVE_MS
}

const endById = sql('session_end', `UPDATE oidc_sessions SET ended_at = ?, payload = '{}' WHERE id = ?`)
const endFactsById = sql(
  'session_end_facts',
  'DELETE FROM session_facts WHERE session_uid IN (SELECT uid FROM oidc_sessions WHERE id = ?)',
)
const endByUid = sql(
  'session_end_by_uid',
  `UPDATE oidc_sessions SET ended_at = ?, payload = '{}' WHERE uid = ?`,
)
const endFactsByUid = sql('session_end_facts_by_uid', 'DELETE FROM session_facts WHERE session_uid = ?')

/** @param by the uid where it is known: the id may have been renewed since */
export function endSession(by: { id: string } | { uid: string }, now: number): [Write, Write] {
  return 'id' in by
    ? [write(endById, [now, digest(by.id)]), write(endFactsById, [digest(by.id)])]
    : [write(endByUid, [now, by.uid]), write(endFactsByUid, [by.uid])]
}

const endAll = sql(
  'session_end_all',
  `UPDATE oidc_sessions SET ended_at = ?, payload = '{}' WHERE account_id = ? AND ended_at IS NULL`,
)
const endAllFacts = sql('session_end_all_facts', 'DELETE FROM session_facts WHERE account_id = ?')

/**
 * Ends every session of an account, and has every app of them told, in the same commit. The one way to end sessions
 * that the user did not end: a new password, a reset, a deactivation.
 */
export function endSessions(dialect: Database['dialect'], accountId: string, now: number): Write[] {
  // The apps are read before what names them goes.
  return [
    logoutJobsOf(dialect, accountId, now),
    write(endAll, [now, accountId]),
    write(endAllFacts, [accountId]),
  ]
}
