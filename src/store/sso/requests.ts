// Logins that are on their way to an upstream and back. The answer is taken once, by a conditional write, and waits
// under a random handle; the page that sent the user away takes it from there, once. What an answer is checked with,
// and the answer, are sealed. Leaves out what they say.

import type { Database, Row, Write } from '../database.ts'
import { digest } from '../ids.ts'
import type { Keyring } from '../seal.ts'
import { sql, write } from '../statement.ts'

/** How long somebody may take at their identity provider. */
export const REQUEST_MS = 15 * 60 * 1000

/** Where the answer belongs: the page that sent the user away. */
export type AskedBy = { readonly interaction: string } | { readonly sessionUid: string }

export interface SsoRequest {
  /** Hash of the `state`. */
  readonly id: string
  readonly connectionId: string
  readonly askedBy: AskedBy
  readonly sealed: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

const insert = sql(
  'sso_request_insert',
  `INSERT INTO sso_requests (id, connection_id, interaction, session_uid, sealed, created_at, expires_at)
   VALUES (?, ?, ?, ?, ?, ?, ?)`,
)

/**
 * @param state as the upstream gets it; only its hash is stored
 * @param secrets what the answer is checked with
 */
export function insertSsoRequest(
  keyring: Keyring,
  { state, connectionId, askedBy }: { state: string; connectionId: string; askedBy: AskedBy },
  secrets: object,
  now: number,
): Write {
  const id = digest(state)
  const sealed = keyring.seal(JSON.stringify(secrets), ['sso_requests', 'sealed', id])
  const { interaction = null, sessionUid = null } = askedBy as Partial<Record<string, string>>
  return write(insert, [id, connectionId, interaction, sessionUid, sealed, now, now + REQUEST_MS])
}

const columns = 'id, connection_id, interaction, session_uid, sealed, created_at'
const open = sql(
  'sso_request_open',
  `SELECT ${columns} FROM sso_requests WHERE id = ? AND answered_at IS NULL AND expires_at > ?`,
)
const answered = sql(
  'sso_request_answered',
  `SELECT ${columns} FROM sso_requests WHERE handle = ? AND used_at IS NULL AND expires_at > ?`,
)

/** The request that an answer is to, if nothing has answered it. */
export async function readOpenRequest(
  database: Database,
  state: string,
  now: number,
): Promise<SsoRequest | undefined> {
  return requestOf((await database.read(open, [digest(state), now]))[0])
}

/** The request whose answer waits under a handle. */
export async function readAnsweredRequest(
  database: Database,
  handle: string,
  now: number,
): Promise<SsoRequest | undefined> {
  return requestOf((await database.read(answered, [digest(handle), now]))[0])
}

/** What is sealed with a request. */
export function openRequest<T>(keyring: Keyring, { id, sealed }: SsoRequest): T {
  return JSON.parse(keyring.open(sealed, ['sso_requests', 'sealed', id]).toString()) as T
}

const take = sql(
  'sso_request_take',
  'UPDATE sso_requests SET answered_at = ? WHERE id = ? AND answered_at IS NULL AND expires_at > ?',
)

/** Burns the `state`, before anything is done with the answer. Refused as `already_used`. */
export function takeRequest({ id }: SsoRequest, now: number): Write {
  return write(take, [now, id, now], 'already_used')
}

const keep = sql(
  'sso_request_keep',
  'UPDATE sso_requests SET handle = ?, sealed = ? WHERE id = ? AND answered_at IS NOT NULL AND handle IS NULL',
)

/** Keeps what came back under a handle. @param handle in the clear; only its hash is stored */
export function keepAnswer(keyring: Keyring, { id }: SsoRequest, handle: string, answer: object): Write {
  const sealed = keyring.seal(JSON.stringify(answer), ['sso_requests', 'sealed', id])
  return write(keep, [digest(handle), sealed, id], 'already_used')
}

const use = sql(
  'sso_request_use',
  'UPDATE sso_requests SET used_at = ? WHERE id = ? AND handle IS NOT NULL AND used_at IS NULL',
)

/** Burns the handle. Refused as `already_used`. */
export function useAnswer({ id }: SsoRequest, now: number): Write {
  return write(use, [now, id], 'already_used')
}

function requestOf(row: Row | undefined): SsoRequest | undefined {
  if (row === undefined) return undefined
  const { interaction, session_uid: sessionUid } = row
  return {
    id: String(row.id),
    connectionId: String(row.connection_id),
    askedBy: interaction === null ? { sessionUid: String(sessionUid) } : { interaction: String(interaction) },
    sealed: String(row.sealed),
    createdAt: Number(row.created_at),
  }
}
