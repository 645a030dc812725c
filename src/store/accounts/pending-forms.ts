// Forms that wait: somebody sent one that needs a fresh factor, and nothing was done. It is kept here, sealed, for
// the session that sent it, until its user has proven more and presses the button once more. Whoever takes it does so
// in the commit of what the form does, so it is done once or not at all.

import type { Database, Write } from '../database.ts'
import { digest, newToken } from '../ids.ts'
import type { Keyring } from '../seal.ts'
import { sql, write } from '../statement.ts'

export const PENDING_MS = 10 * 60 * 1000

/** Which form it is, and whose. */
export interface PendingPlace {
  /** What the form does, such as `second-factor-reset`. */
  readonly kind: string
  readonly sessionUid: string
  readonly accountId: string
}

const insert = sql(
  'pending_form_insert',
  'INSERT INTO pending_forms (id, kind, session_uid, account_id, form, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
)

/** @returns the id to ask for it by, which grants nothing without the session */
export function keepPending(
  keyring: Keyring,
  form: Readonly<Record<string, string>>,
  { kind, sessionUid, accountId }: PendingPlace,
  now: number,
): { id: string; write: Write } {
  const id = newToken()
  const sealed = keyring.seal(JSON.stringify(form), sealedAt(id))
  const row = [digest(id), kind, sessionUid, accountId, sealed, now + PENDING_MS]
  return { id, write: write(insert, row) }
}

const mine = 'id = ? AND kind = ? AND session_uid = ? AND account_id = ? AND expires_at > ?'
const find = sql('pending_form_find', `SELECT form FROM pending_forms WHERE ${mine}`)

/** What waits, for the page that asks once more; it goes on waiting. */
export async function readPending(
  database: Database,
  keyring: Keyring,
  id: string,
  place: PendingPlace,
  now: number,
): Promise<Record<string, string> | undefined> {
  const [row] = await database.read(find, params(id, place, now))
  if (row === undefined) return undefined
  return JSON.parse(keyring.open(String(row.form), sealedAt(id)).toString()) as Record<string, string>
}

// A session that ended in between, or an account that was reset or deactivated, takes its forms with it.
const take = sql(
  'pending_form_take',
  `DELETE FROM pending_forms WHERE ${mine} AND EXISTS (
     SELECT 1 FROM oidc_sessions s JOIN accounts a ON a.id = s.account_id
     WHERE s.uid = pending_forms.session_uid AND s.account_id = pending_forms.account_id
       AND s.ended_at IS NULL AND a.epoch = s.epoch AND a.status = 'active')`,
)

/** Takes it. Refused as `already_used` if it was taken before, has expired, or is somebody else's. */
export function takePending(id: string, place: PendingPlace, now: number): Write {
  return write(take, params(id, place, now), 'already_used')
}

function params(id: string, { kind, sessionUid, accountId }: PendingPlace, now: number) {
  return [digest(id), kind, sessionUid, accountId, now]
}

function sealedAt(id: string) {
  return ['pending_forms', 'form', digest(id)] as const
}
