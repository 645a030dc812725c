// What the provider mints: interactions, codes, tokens, grants, pushed requests, DPoP proofs seen. One table. Ids are
// stored hashed. Every row of an account carries the epoch it was minted under: rows of an older epoch are not found,
// and none is written once the epoch has moved. Reads bring along what the request needs next (grant, session,
// account), so that a token request is one read.

import { SPECIAL_PLANS } from '../../organisations/plan.ts'
import { type Account, accountJoins, accountOf } from '../accounts/accounts.ts'
import type { Database, Row, Write } from '../database.ts'
import { digest } from '../ids.ts'
import { endSessions, type StoredSession, sessionColumns, sessionOf } from '../sessions/oidc-sessions.ts'
import { sql, write } from '../statement.ts'

/** Models whose values a client presents without saying which it is: they are looked up together. */
export const TOKEN_MODELS = ['AccessToken', 'ClientCredentials', 'RefreshToken'] as const

export interface StoredArtefact {
  readonly model: string
  readonly id: string
  readonly payload: Record<string, unknown>
  readonly grant: Record<string, unknown> | undefined
  readonly session: StoredSession | undefined
  readonly account: Account | undefined
}

const own = `x.model AS x_model, x.payload AS x_payload, x.consumed_at AS x_consumed_at, x.epoch AS x_epoch,
  x.account_id AS x_account_id`
const plain = `SELECT ${own}, a.epoch AS a_epoch, a.status AS a_status
  FROM oidc_artefacts x LEFT JOIN accounts a ON a.id = x.account_id`
// A code, a token, an interaction: with its grant, its account, its session and what that session holds.
const laden = `SELECT ${own}, g.payload AS g_payload, ${sessionColumns}
  FROM oidc_artefacts x
  LEFT JOIN oidc_artefacts g ON g.model = 'Grant' AND g.id = x.grant_id AND g.epoch = x.epoch
  LEFT JOIN oidc_sessions s ON s.uid = x.session_uid
  LEFT JOIN session_facts f ON f.session_uid = s.uid AND f.account_id = s.account_id
  LEFT JOIN accounts a ON a.id = x.account_id ${accountJoins}`

const findPlain = sql('artefact_plain', `${plain} WHERE x.model = ? AND x.id = ?`)
const findLaden = sql('artefact_laden', `${laden} WHERE x.model = ? AND x.id = ?`)
const findToken = sql(
  'artefact_token',
  `${laden} WHERE x.model IN ('AccessToken', 'ClientCredentials', 'RefreshToken') AND x.id = ?`,
)

/**
 * @param id the value in the clear
 * @param specialPlans those whose organisations have a session policy of their own
 */
export async function readArtefacts(
  database: Database,
  model: string,
  id: string,
  now: number,
  specialPlans: readonly string[] = SPECIAL_PLANS,
): Promise<StoredArtefact[]> {
  const isToken = (TOKEN_MODELS as readonly string[]).includes(model)
  if (!isToken && model !== 'AuthorizationCode' && model !== 'Interaction') {
    return (await database.read(findPlain, [model, digest(id)])).flatMap(row =>
      artefactOf(row, id, undefined),
    )
  }
  const rows = isToken
    ? await database.read(findToken, [digest(id)])
    : await database.read(findLaden, [model, digest(id)])
  // One row per fact of the session: the first says all but the facts. Models don't share ids.
  return rows[0] === undefined ? [] : artefactOf(rows[0], id, sessionOf(rows, now, specialPlans))
}

function artefactOf(row: Row, id: string, session: StoredSession | undefined): StoredArtefact[] {
  // An account that was reset, deactivated or deleted since takes with it what was minted before.
  if (row.x_account_id !== null && (row.a_epoch !== row.x_epoch || row.a_status !== 'active')) return []
  const payload = JSON.parse(String(row.x_payload)) as Record<string, unknown>
  payload.jti = id
  if (row.x_consumed_at !== null) payload.consumed = Math.floor(Number(row.x_consumed_at) / 1000)
  const grant =
    typeof row.g_payload === 'string' ? (JSON.parse(row.g_payload) as Record<string, unknown>) : undefined
  return [{ model: String(row.x_model), id, payload, grant, session, account: accountOf(row) }]
}

const update = `ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at,
  account_id = excluded.account_id, epoch = excluded.epoch, grant_id = excluded.grant_id`
const names = '(model, id, grant_id, session_uid, payload, expires_at, account_id, epoch)'
const upsertAnonymous = sql(
  'artefact_upsert_anonymous',
  `INSERT INTO oidc_artefacts ${names} VALUES (?, ?, ?, ?, ?, ?, NULL, 0) ${update}`,
)
const upsertOwned = sql(
  'artefact_upsert',
  `INSERT INTO oidc_artefacts ${names}
   SELECT ?, ?, ?, ?, ?, ?, a.id, a.epoch FROM accounts a WHERE a.id = ? AND a.epoch = ? AND a.status = 'active'
   ${update}`,
)
const insertOnce = sql(
  'artefact_insert_once',
  `INSERT INTO oidc_artefacts ${names} VALUES (?, ?, ?, ?, ?, ?, NULL, 0) ON CONFLICT (model, id) DO NOTHING`,
)

export interface ArtefactRow {
  readonly model: string
  readonly id: string
  readonly payload: Record<string, unknown>
  readonly grantId: string | undefined
  readonly sessionUid: string | undefined
  readonly expiresAt: number | null
  readonly owner: { accountId: string; epoch: number } | undefined
}

/** Refused as `account_changed` if the owner was reset or deactivated; a DPoP proof seen before, as `replayed`. */
export function upsertArtefact(row: ArtefactRow): Write {
  const { jti: _, ...payload } = row.payload
  const params = [
    row.model,
    digest(row.id),
    row.grantId === undefined ? null : digest(row.grantId),
    row.sessionUid ?? null,
    JSON.stringify(payload),
    row.expiresAt,
  ]
  if (row.model === 'ReplayDetection') return write(insertOnce, params, 'replayed')
  return row.owner === undefined
    ? write(upsertAnonymous, params)
    : write(upsertOwned, [...params, row.owner.accountId, row.owner.epoch], 'account_changed')
}

const consume = sql(
  'artefact_consume',
  'UPDATE oidc_artefacts SET consumed_at = ? WHERE model = ? AND id = ? AND consumed_at IS NULL',
)

export function consumeArtefact(model: string, id: string, now: number): Write {
  return write(consume, [now, model, digest(id)], 'already_used')
}

const remove = sql('artefact_delete', 'DELETE FROM oidc_artefacts WHERE model = ? AND id = ?')

export function deleteArtefact(model: string, id: string): Write {
  return write(remove, [model, digest(id)])
}

/** Refused as `already_used` if it is gone: what a deletion pays for is had once. */
export function takeArtefact(model: string, id: string): Write {
  return write(remove, [model, digest(id)], 'already_used')
}

const revoke = sql('artefact_revoke', 'DELETE FROM oidc_artefacts WHERE model = ? AND grant_id = ?')

export function revokeArtefacts(model: string, grantId: string): Write {
  return write(revoke, [model, digest(grantId)])
}

const revokeAccount = sql('artefact_revoke_account', 'DELETE FROM oidc_artefacts WHERE account_id = ?')

/** Ends every grant, code, token and interaction of an account. */
export function revokeAccountArtefacts(accountId: string): Write {
  return write(revokeAccount, [accountId])
}

const revokeSession = sql(
  'artefact_revoke_session',
  'DELETE FROM oidc_artefacts WHERE account_id = ? AND session_uid = ?',
)

/** Ends every code, token and interaction of one session of an account. */
export function revokeSessionArtefacts(accountId: string, sessionUid: string): Write {
  return write(revokeSession, [accountId, sessionUid])
}

/**
 * Ends everything that was minted for an account: its sessions, whose apps are told, and their grants, codes, tokens and
 * interactions. Goes with a write that moves the epoch, which refuses what is in flight.
 */
export function endAccess(dialect: Database['dialect'], accountId: string, now: number): Write[] {
  return [...endSessions(dialect, accountId, now), revokeAccountArtefacts(accountId)]
}
