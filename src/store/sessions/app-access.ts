// The apps that somebody lets use their account, as they see it themselves, and the end of that. What an app may have is
// in its grants, one for each session that it was allowed in; it is shown once. Nobody notes when an app last made use
// of what it has, so that isn't shown. Leaves out how grants come about (flow/consent.ts) and who may look.

import { moveEpoch, type OwnPlace } from '../accounts/own-changes.ts'
import type { Database, Dialect, Statement, Write } from '../database.ts'
import { digest } from '../ids.ts'
import { OWN_CLIENT_ID } from '../oidc/own-client.ts'
import { sql, write } from '../statement.ts'
import { readSessionsOf } from './account-sessions.ts'
import { logoutJobsOfApp } from './logout-jobs.ts'

export interface AppAccess {
  /** Names it in addresses: a client's id may be any text. */
  readonly key: string
  readonly clientId: string
  /** When its oldest grant was made, milliseconds since 1970. */
  readonly since: number
  readonly scopes: readonly string[]
  /** Whether one of the account's sessions is logged in to it. */
  readonly loggedIn: boolean
  /** Whether it holds a refresh token, which needs no session. */
  readonly staysConnected: boolean
}

/** Far more than anybody has; whoever has more is shown the newest. */
const MOST_READ = 1000

const list = sql(
  'app_access_list',
  `SELECT x.model, x.payload FROM oidc_artefacts x JOIN accounts a ON a.id = x.account_id AND a.epoch = x.epoch
   WHERE x.account_id = ? AND x.model IN ('Grant', 'RefreshToken') AND x.consumed_at IS NULL
     AND coalesce(x.expires_at, ?) >= ? ORDER BY x.expires_at DESC, x.id LIMIT ${MOST_READ}`,
)

interface Kept {
  readonly clientId?: string
  readonly iat?: number
  readonly scope?: string
  readonly openid?: { readonly scope?: string }
  readonly resources?: Readonly<Record<string, string>>
}

/**
 * The apps that an account has let in, the newest first: those with a grant. Two reads.
 *
 * @param now milliseconds since 1970
 * @param specialPlans those whose organisations have a session policy of their own
 */
export async function readAppAccess(
  database: Database,
  accountId: string,
  now: number,
  specialPlans?: readonly string[],
): Promise<AppAccess[]> {
  const [rows, sessions] = await Promise.all([
    database.read(list, [accountId, now, now]),
    readSessionsOf(database, accountId, now, specialPlans),
  ])
  const kept = rows.map(row => ({ model: row.model, ...(JSON.parse(String(row.payload)) as Kept) }))
  const loggedIn = new Set(sessions.flatMap(each => each.apps))
  const connected = new Set(kept.flatMap(({ model, clientId }) => (model === 'Grant' ? [] : [clientId])))
  const apps = new Map<string, AppAccess>()
  for (const { model, clientId, iat = 0, openid, resources = {} } of kept) {
    if (model !== 'Grant' || clientId === undefined || clientId === OWN_CLIENT_ID) continue
    const before = apps.get(clientId)
    const scopes = [openid?.scope ?? '', ...Object.values(resources)].join(' ').split(' ').filter(Boolean)
    apps.set(clientId, {
      key: digest(clientId),
      clientId,
      since: Math.min(before?.since ?? Number.POSITIVE_INFINITY, iat * 1000),
      scopes: [...new Set([...(before?.scopes ?? []), ...scopes])],
      loggedIn: loggedIn.has(clientId),
      staysConnected: connected.has(clientId),
    })
  }
  return [...apps.values()].sort((one, other) => other.since - one.since)
}

const client: Record<Dialect, string> = {
  sqlite: `coalesce(json_extract(payload, '$.clientId'), '')`,
  postgres: `coalesce(CAST(payload AS json) ->> 'clientId', '')`,
}
const ended = (dialect: Dialect) =>
  `DELETE FROM oidc_artefacts WHERE account_id = ? AND ${client[dialect]} = ?`
const end: Record<Dialect, Statement> = {
  sqlite: sql('app_access_end', ended('sqlite')),
  postgres: sql('app_access_end_pg', ended('postgres')),
}
// PostgreSQL runs a commit as one statement, which changes a row once: these are none of those that go.
const kept = (dialect: Dialect) =>
  `UPDATE oidc_artefacts SET epoch = epoch + 1 WHERE account_id = ? AND epoch = ? AND ${client[dialect]} <> ?`
const keep: Record<Dialect, Statement> = {
  sqlite: sql('app_access_keep', kept('sqlite')),
  postgres: sql('app_access_keep_pg', kept('postgres')),
}
// The app's entry goes, and its `sid` with it: the next login to the app is another one, whose end it is told in turn.
const without: Record<Dialect, string> = {
  sqlite: `CASE WHEN json_type(payload, '$.authorizations') = 'object'
    THEN json_set(payload, '$.authorizations', json((SELECT json_group_object(json_each.key, json(json_each.value))
      FROM json_each(payload, '$.authorizations') WHERE json_each.key <> ?)))
    ELSE payload END`,
  postgres: `CAST(CAST(payload AS jsonb) #- ARRAY['authorizations', CAST(? AS text)] AS text)`,
}
const left = (dialect: Dialect) =>
  `UPDATE oidc_sessions SET epoch = epoch + 1, payload = ${without[dialect]}
   WHERE account_id = ? AND epoch = ? AND ended_at IS NULL`
const leave: Record<Dialect, Statement> = {
  sqlite: sql('app_access_leave', left('sqlite')),
  postgres: sql('app_access_leave_pg', left('postgres')),
}

/**
 * Takes an app's access away: its grants, codes and tokens. An app that a session is logged in to is told, and the session
 * forgets it; the session stays, and so do the other apps. The epoch moves with all that stays, so that what is being
 * minted for the app at that moment is refused.
 *
 * Refused as `account_changed`; as `already_used` if the app has nothing (any more).
 */
export function endAppAccess(dialect: Dialect, place: OwnPlace, clientId: string, now: number): Write[] {
  const { accountId, epoch } = place
  return [
    moveEpoch(place),
    // Whom to tell is read before what names it goes.
    logoutJobsOfApp(dialect, accountId, clientId, now),
    write(end[dialect], [accountId, clientId], 'already_used'),
    write(keep[dialect], [accountId, epoch, clientId]),
    write(leave[dialect], [clientId, accountId, epoch]),
  ]
}
