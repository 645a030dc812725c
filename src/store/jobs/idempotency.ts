// Requests that programs may send again: the first under a key is done, and its answer kept for a day; the same again
// gets that answer. A key belongs to the client that chose it. Stored in the commit of what the request does, so that
// two at once do it once.

import type { Database, Write } from '../database.ts'
import { digest } from '../ids.ts'
import { sql, write } from '../statement.ts'

export const KEPT_MS = 24 * 60 * 60 * 1000

export interface KeyedRequest {
  readonly clientId: string
  readonly key: string
  /** What was asked; another under the same key is refused. */
  readonly request: string
}

const insert = sql(
  'idempotency_insert',
  `INSERT INTO idempotency_keys (client_id, id, request, response, expires_at) VALUES (?, ?, ?, ?, ?)
   ON CONFLICT (client_id, id) DO UPDATE SET request = excluded.request, response = excluded.response,
     expires_at = excluded.expires_at WHERE idempotency_keys.expires_at <= ?`,
)

/** Refused as `already_exists` if the key was used within a day. */
export function keepAnswer(request: KeyedRequest, response: string, now: number): Write {
  const { clientId, key } = request
  const row = [clientId, digest(key), digest(request.request), response, now + KEPT_MS, now]
  return write(insert, row, 'already_exists')
}

const find = sql(
  'idempotency_find',
  'SELECT request, response FROM idempotency_keys WHERE client_id = ? AND id = ? AND expires_at > ?',
)

/** @returns the answer that was given; `other`: the key was used for another request */
export async function readAnswer(
  database: Database,
  { clientId, key, request }: KeyedRequest,
  now: number,
): Promise<{ response: string } | 'other' | undefined> {
  const [row] = await database.read(find, [clientId, digest(key), now])
  if (row === undefined) return undefined
  return row.request === digest(request) ? { response: String(row.response) } : 'other'
}
