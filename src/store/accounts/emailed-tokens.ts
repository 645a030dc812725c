// Links and codes that go out by mail. Stored as hashes; the newest of a kind for an account is the only one that
// works; it works once, by a conditional write. A GET never uses one up.

import type { Database, Write } from '../database.ts'
import { digest } from '../ids.ts'
import { sql, write } from '../statement.ts'

export type EmailedKind = 'invitation' | 'password-reset' | 'unblock' | 'support-set-up' | 'code'

export const LIFETIME_MS: Record<EmailedKind, number> = {
  invitation: 7 * 24 * 60 * 60 * 1000,
  'password-reset': 30 * 60 * 1000,
  unblock: 24 * 60 * 60 * 1000,
  'support-set-up': 24 * 60 * 60 * 1000,
  code: 10 * 60 * 1000,
}

const retire = sql(
  'emailed_token_retire',
  'UPDATE emailed_tokens SET used_at = ? WHERE account_id = ? AND kind = ? AND used_at IS NULL AND id <> ?',
)
const insert = sql(
  'emailed_token_insert',
  'INSERT INTO emailed_tokens (id, kind, account_id, data, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
)

/**
 * Makes a token valid and every older one of its kind invalid.
 *
 * @param token in the clear; only its hash is stored
 * @param data what it is for, if the account and kind don't say it all
 */
export function issueToken(
  kind: EmailedKind,
  accountId: string,
  token: string,
  data: string | null,
  now: number,
): Write[] {
  const id = digest(token)
  return [
    write(retire, [now, accountId, kind, id]),
    write(insert, [id, kind, accountId, data, now, now + LIFETIME_MS[kind]]),
  ]
}

// Of several that were issued at the same moment, none of which knew of the others, the last one counts.
const works = `t.id = ? AND t.kind = ? AND t.used_at IS NULL AND t.expires_at > ?
  AND NOT EXISTS (SELECT 1 FROM emailed_tokens n
    WHERE n.account_id = t.account_id AND n.kind = t.kind AND n.used_at IS NULL
      AND (n.created_at > t.created_at OR (n.created_at = t.created_at AND n.id > t.id)))`
// The others go with it: none comes to life when the newest one is used.
const use = sql(
  'emailed_token_use',
  `UPDATE emailed_tokens SET used_at = ? WHERE used_at IS NULL
   AND (account_id, kind) IN (SELECT t.account_id, t.kind FROM emailed_tokens t WHERE ${works})`,
)

/** Refused as `already_used` if it was used, replaced by a newer one, or has expired. */
export function useToken(kind: EmailedKind, token: string, now: number): Write {
  return write(use, [now, digest(token), kind, now], 'already_used')
}

const find = sql('emailed_token_find', `SELECT t.account_id, t.data FROM emailed_tokens t WHERE ${works}`)

/** What a link is for, without using it. */
export async function readToken(
  database: Database,
  kind: EmailedKind,
  token: string,
  now: number,
): Promise<{ accountId: string; data: string | null } | undefined> {
  const [row] = await database.read(find, [digest(token), kind, now])
  return row === undefined
    ? undefined
    : { accountId: String(row.account_id), data: row.data === null ? null : String(row.data) }
}

const retireOthers = sql(
  'emailed_token_retire_others',
  'UPDATE emailed_tokens SET used_at = ? WHERE account_id = ? AND used_at IS NULL AND id <> ?',
)

/** After a changed password or address, no older link works. @param used the one that this commit uses */
export function retireOtherTokens(accountId: string, used: string, now: number): Write {
  return write(retireOthers, [now, accountId, digest(used)])
}

const retireAll = sql(
  'emailed_token_retire_all',
  'UPDATE emailed_tokens SET used_at = ? WHERE account_id = ? AND used_at IS NULL',
)

/** No link or code that was mailed to the account works any more. */
export function retireTokens(accountId: string, now: number): Write {
  return write(retireAll, [now, accountId])
}
