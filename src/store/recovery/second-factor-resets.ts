// Resets of the second factor as they are kept. A draft freezes whom it is about, so that what an admin confirms is what
// the page showed, whatever changes meanwhile; it is started by one conditional write, and each of its rows is settled
// by one. Leaves out what a reset does to a user (factors/reset.ts) and who may ask for it (admin/).

import { condition, type UserFilter } from '../accounts/user-list.ts'
import type { Database, Param, Statement, Write } from '../database.ts'
import { actorMayAct, actorParams } from '../organisations/actor.ts'
import { sql, write, writeAlone } from '../statement.ts'

/** A draft that nobody starts is forgotten after an hour. */
export const DRAFT_MS = 60 * 60 * 1000

/** Why somebody's second factor is not reset. */
export type ResetRefusal =
  /** Deactivated, or invited and not yet in. */
  | 'not_active'
  | 'not_set_up'
  /** There is nothing here to reset: they prove two factors at their identity provider. */
  | 'at_provider'
  | 'reset_pending'
  /** Moved elsewhere or removed, since the draft; of users that were named without being seen: there never was one. */
  | 'gone'
  /** Whoever started it is no admin any more. */
  | 'not_allowed'

export interface Reset {
  readonly id: string
  readonly actorId: string
  readonly actorName: string
  readonly state: 'draft' | 'running' | 'finished'
  readonly reason: string
  readonly removePasskeys: boolean
  /** Milliseconds since 1970; the latter two null until then. */
  readonly createdAt: number
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly total: number
  readonly done: number
  readonly skipped: number
}

export interface ResetUser {
  readonly position: number
  readonly accountId: string
  readonly name: string
  readonly email: string
  readonly outcome: 'done' | 'skipped' | undefined
  /** Why it was skipped; of one that waits: why it would be, as things are now. */
  readonly why: ResetRefusal | undefined
}

const insertReset = sql(
  'reset_insert',
  `INSERT INTO second_factor_resets (id, organisation_id, actor_id, created_at) VALUES (?, ?, ?, ?)`,
)

// Whoever asks comes last: they are logged out, and want to see the others done.
const rows = `INSERT INTO second_factor_reset_users (reset_id, position, account_id)
  SELECT ?, row_number() OVER (ORDER BY CASE a.id WHEN ? THEN 1 ELSE 0 END, a.name_key, a.id), a.id
  FROM accounts a WHERE`
const insertIds: Record<Database['dialect'], Statement> = {
  sqlite: sql(
    'reset_insert_users',
    `${rows} a.organisation_id = ? AND a.id IN (SELECT value FROM json_each(?))`,
  ),
  postgres: sql(
    'reset_insert_users_pg',
    `${rows} a.organisation_id = ? AND a.id IN (SELECT json_array_elements_text(CAST(? AS json)))`,
  ),
}

export interface NewReset {
  readonly id: string
  readonly organisationId: string
  readonly actorId: string
}

/** Drafts a reset of users by id. Ids that the organisation does not have are not in it; one that comes twice is once. */
export function draftReset(
  dialect: Database['dialect'],
  { id, organisationId, actorId }: NewReset,
  userIds: readonly string[],
  now: number,
): Write[] {
  return [
    write(insertReset, [id, organisationId, actorId, now]),
    write(insertIds[dialect], [id, actorId, organisationId, JSON.stringify(userIds)]),
  ]
}

// What is named and is nobody of the organisation is in the list too, settled already.
const named = (ids: string) => `INSERT INTO second_factor_reset_users
    (reset_id, position, account_id, outcome, why, settled_at)
  SELECT ?, row_number() OVER (ORDER BY CASE found.id WHEN ? THEN 1 ELSE 0 END, coalesce(a.name_key, ''), found.id),
    found.id, CASE WHEN a.id IS NULL THEN 'skipped' END, CASE WHEN a.id IS NULL THEN 'gone' END,
    CASE WHEN a.id IS NULL THEN CAST(? AS bigint) END
  FROM (SELECT DISTINCT ${ids}) AS found LEFT JOIN accounts a ON a.id = found.id AND a.organisation_id = ?`
const insertNamed: Record<Database['dialect'], Statement> = {
  sqlite: sql('reset_insert_named', named('value AS id FROM json_each(?)')),
  postgres: sql('reset_insert_named_pg', named('json_array_elements_text(CAST(? AS json)) AS id')),
}

const filtered = new Map<string, Statement>()

/** Everybody who matches now. */
function matching({ id, organisationId, actorId }: NewReset, filter: UserFilter): Write {
  const where = condition(organisationId, filter)
  const statement =
    filtered.get(where.text) ?? sql(`reset_insert_matching_${filtered.size}`, `${rows} ${where.text}`)
  filtered.set(where.text, statement)
  return write(statement, [id, actorId, ...where.params])
}

/** Drafts a reset of everybody who matches now. */
export function draftResetOf(draft: NewReset, filter: UserFilter, now: number): Write[] {
  const { id, organisationId, actorId } = draft
  return [write(insertReset, [id, organisationId, actorId, now]), matching(draft, filter)]
}

/** Whom a reset is about, where nobody looks at a draft of it before. */
export type ResetChoice = { readonly users: readonly string[] } | { readonly filter: UserFilter }

const insertStarted = sql(
  'reset_insert_started',
  `INSERT INTO second_factor_resets (id, organisation_id, actor_id, created_at, started_at, reason, remove_passkeys)
   VALUES (?, ?, ?, ?, ?, ?, ?)`,
)

/**
 * A reset that is started without a draft. Of users by id each is in it once, also who is none of the organisation's, so
 * that the result says of each what became of it.
 */
export function startResetOf(
  dialect: Database['dialect'],
  reset: NewReset,
  choice: ResetChoice,
  reason: string,
  removePasskeys: boolean,
  now: number,
): Write[] {
  const { id, organisationId, actorId } = reset
  return [
    write(insertStarted, [id, organisationId, actorId, now, now, reason, removePasskeys ? 1 : 0]),
    'users' in choice
      ? write(insertNamed[dialect], [id, actorId, now, JSON.stringify(choice.users), organisationId])
      : matching(reset, choice.filter),
  ]
}

const byId = sql(
  'reset_by_id',
  `SELECT r.id, r.actor_id, r.reason, r.remove_passkeys, r.created_at, r.started_at, r.finished_at,
     a.name AS actor_name,
     (SELECT count(*) FROM second_factor_reset_users u WHERE u.reset_id = r.id) AS total,
     (SELECT count(*) FROM second_factor_reset_users u WHERE u.reset_id = r.id AND u.outcome = 'done') AS done,
     (SELECT count(*) FROM second_factor_reset_users u WHERE u.reset_id = r.id AND u.outcome = 'skipped') AS skipped
   FROM second_factor_resets r LEFT JOIN accounts a ON a.id = r.actor_id
   WHERE r.id = ? AND r.organisation_id = ?`,
)

/** @returns undefined for one that is not there, of another organisation, or a draft that is too old */
export async function readReset(
  database: Database,
  organisationId: string,
  id: string,
  now: number,
): Promise<Reset | undefined> {
  const [row] = await database.read(byId, [id, organisationId])
  if (row === undefined) return undefined
  const time = (value: Param | undefined) => (value === null || value === undefined ? null : Number(value))
  const startedAt = time(row.started_at)
  const finishedAt = time(row.finished_at)
  const createdAt = Number(row.created_at)
  if (startedAt === null && createdAt + DRAFT_MS <= now) return undefined
  return {
    id: String(row.id),
    actorId: String(row.actor_id),
    actorName: String(row.actor_name ?? ''),
    state: startedAt === null ? 'draft' : finishedAt === null ? 'running' : 'finished',
    reason: String(row.reason ?? ''),
    removePasskeys: row.remove_passkeys === 1,
    createdAt,
    startedAt,
    finishedAt,
    total: Number(row.total),
    done: Number(row.done),
    skipped: Number(row.skipped),
  }
}

// A reset that is pending has nothing left to take but passkeys, where they are to go.
const wouldSkip = `CASE WHEN a.id IS NULL THEN 'gone'
  WHEN a.status <> 'active' THEN 'not_active'
  WHEN a.second_factor = 0 THEN 'not_set_up'
  WHEN a.second_factor = 3 THEN 'at_provider'
  WHEN a.second_factor = 2 AND ((r.started_at IS NOT NULL AND r.remove_passkeys = 0)
    OR NOT EXISTS (SELECT 1 FROM passkeys p WHERE p.account_id = a.id)) THEN 'reset_pending' END`
const userColumns = `SELECT u.position, u.account_id, u.outcome, u.why, a.name, a.email, a.epoch, ${wouldSkip} AS would_skip
  FROM second_factor_reset_users u JOIN second_factor_resets r ON r.id = u.reset_id
  LEFT JOIN accounts a ON a.id = u.account_id AND a.organisation_id = r.organisation_id WHERE u.reset_id = ?`
const usersAfter = sql('reset_users_after', `${userColumns} AND u.position > ? ORDER BY u.position LIMIT ?`)
const usersWaiting = sql(
  'reset_users_waiting',
  `${userColumns} AND u.outcome IS NULL AND u.position > ? ORDER BY u.position LIMIT ?`,
)

/** Users of a reset, in its order, from after a position on; 0: from the first. */
export async function readResetUsers(
  database: Database,
  resetId: string,
  after: number,
  limit: number,
): Promise<ResetUser[]> {
  return (await database.read(usersAfter, [resetId, after, limit])).map(userOf)
}

/** Those that are not settled yet, with the epoch of each as it is read. */
export async function readWaiting(
  database: Database,
  resetId: string,
  after: number,
  limit: number,
): Promise<(ResetUser & { readonly epoch: number })[]> {
  const read = await database.read(usersWaiting, [resetId, after, limit])
  return read.map(row => ({ ...userOf(row), epoch: Number(row.epoch) }))
}

function userOf(row: Record<string, Param>): ResetUser {
  const outcome = (row.outcome ?? undefined) as ResetUser['outcome']
  const why = outcome === undefined ? row.would_skip : row.why
  return {
    position: Number(row.position),
    accountId: String(row.account_id),
    name: String(row.name ?? ''),
    email: String(row.email ?? ''),
    outcome,
    why: (why ?? undefined) as ResetRefusal | undefined,
  }
}

const resettable = sql(
  'reset_count_resettable',
  `SELECT count(*) AS n FROM (SELECT ${wouldSkip} AS would_skip
     FROM second_factor_reset_users u JOIN second_factor_resets r ON r.id = u.reset_id
     LEFT JOIN accounts a ON a.id = u.account_id AND a.organisation_id = r.organisation_id WHERE u.reset_id = ?) AS each_one
   WHERE would_skip IS NULL`,
)

/** Of a draft: how many would be reset, as things are now. */
export async function countResettable(database: Database, resetId: string): Promise<number> {
  return Number((await database.read(resettable, [resetId]))[0]?.n ?? 0)
}

const start = sql(
  'reset_start',
  `UPDATE second_factor_resets SET started_at = ?, reason = ?, remove_passkeys = ?
   WHERE id = ? AND organisation_id = ? AND actor_id = ? AND started_at IS NULL AND created_at > ?`,
)

/** Starts a draft. Refused as `already_used` if it was started before, is too old, or is somebody else's. */
export function startReset(
  { id, organisationId, actorId }: NewReset,
  reason: string,
  removePasskeys: boolean,
  now: number,
): Write {
  return write(
    start,
    [now, reason, removePasskeys ? 1 : 0, id, organisationId, actorId, now - DRAFT_MS],
    'already_used',
  )
}

const settle = sql(
  'reset_settle_user',
  `UPDATE second_factor_reset_users SET outcome = ?, why = ?, settled_at = ?
   WHERE reset_id = ? AND position = ? AND outcome IS NULL`,
)

/** Settles a row. Refused as `already_used` if it is. */
export function settleResetUser(
  resetId: string,
  position: number,
  why: ResetRefusal | undefined,
  now: number,
): Write {
  const outcome = why === undefined ? 'done' : 'skipped'
  return write(settle, [outcome, why ?? null, now, resetId, position], 'already_used')
}

const finish = sql(
  'reset_finish',
  `UPDATE second_factor_resets SET finished_at = ? WHERE id = ? AND finished_at IS NULL AND NOT EXISTS
     (SELECT 1 FROM second_factor_reset_users u WHERE u.reset_id = ? AND u.outcome IS NULL)`,
)

/** The reset is over, if none of its rows waits. */
export function finishReset(resetId: string, now: number): Write {
  return write(finish, [now, resetId, resetId])
}

const clear = sql(
  'account_reset_second_factor',
  `UPDATE accounts SET epoch = epoch + 1, second_factor_reset_at = ?
   WHERE id = ? AND coalesce(organisation_id, '') = ? AND status = 'active' AND epoch = ? AND ${actorMayAct}`,
)
const removeAuthenticator = sql('authenticator_remove', 'DELETE FROM authenticators WHERE account_id = ?')
const removeRecovery = sql('recovery_code_remove', 'DELETE FROM recovery_codes WHERE account_id = ?')
const removeAllPasskeys = sql('passkey_remove_all', 'DELETE FROM passkeys WHERE account_id = ?')
const removeTokens = sql(
  'emailed_token_remove_kind',
  `DELETE FROM emailed_tokens WHERE account_id = ? AND kind = 'code'`,
)

/**
 * Takes somebody's second factor, and moves their epoch: what was minted before, or is in flight, ends by it.
 *
 * Refused as `account_changed` if the account has changed since it was read at that epoch, is not active, or whoever
 * does it is no active admin of its organisation (any more).
 *
 * @param actorId an account's id, or `operator`, who needs no such role: something else in the commit says why
 */
export function resetSecondFactor(
  user: { readonly id: string; readonly organisationId: string | null; readonly epoch: number },
  actorId: string,
  removePasskeys: boolean,
  now: number,
): Write[] {
  const { id, epoch } = user
  const organisationId = user.organisationId ?? ''
  return [
    writeAlone(
      id,
      clear,
      [now, id, organisationId, epoch, ...actorParams(actorId, organisationId)],
      'account_changed',
    ),
    write(removeAuthenticator, [id]),
    write(removeRecovery, [id]),
    ...(removePasskeys ? [write(removeAllPasskeys, [id])] : []),
    write(removeTokens, [id]),
  ]
}
