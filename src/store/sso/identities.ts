// Who is who at a customer's identity provider: an account is found by the connection and the subject there, never by
// an address. Leaves out who may be linked (src/sso/link.ts).

import type { Account } from '../accounts/accounts.ts'
import { retireTokens } from '../accounts/emailed-tokens.ts'
import type { Database, Write } from '../database.ts'
import { endAccess } from '../oidc/artefacts.ts'
import { sql, write, writeAlone } from '../statement.ts'

export interface Identity {
  readonly connectionId: string
  readonly subject: string
}

/** What the last login at an upstream proved two factors by, as `trustedIn` spells it (src/sso/); null: by nothing. */
export type TwoFactorBy = string | null

const bySubject = sql(
  'sso_identity_by_subject',
  'SELECT account_id FROM sso_identities WHERE connection_id = ? AND subject = ?',
)

/** @returns the account's id; undefined: nobody is linked to it */
export async function readIdentity(
  database: Database,
  { connectionId, subject }: Identity,
): Promise<string | undefined> {
  const [row] = await database.read(bySubject, [connectionId, subject])
  return row === undefined ? undefined : String(row.account_id)
}

const insert = sql(
  'sso_identity_insert',
  `INSERT INTO sso_identities (connection_id, subject, account_id, created_at, two_factor_by)
   SELECT c.id, CAST(? AS text), a.id, CAST(? AS bigint), CAST(? AS text) FROM sso_connections c JOIN accounts a
     ON a.organisation_id = c.organisation_id
   WHERE c.id = ? AND a.id = ? AND a.epoch = ? AND a.status IN ('active', 'invited')
   ON CONFLICT DO NOTHING`,
)

/**
 * Links an account, of the connection's organisation, to its user at the upstream. Refused as `already_exists` if either
 * is linked already, or the account is not as it was read.
 */
export function linkIdentity(
  { connectionId, subject }: Identity,
  { id, epoch }: Pick<Account, 'id' | 'epoch'>,
  twoFactorBy: TwoFactorBy,
  now: number,
): Write {
  return writeAlone(id, insert, [subject, now, twoFactorBy, connectionId, id, epoch], 'already_exists')
}

const insertNew = sql(
  'sso_identity_insert_new',
  `INSERT INTO sso_identities (connection_id, subject, account_id, created_at, two_factor_by) VALUES (?, ?, ?, ?, ?)
   ON CONFLICT DO NOTHING`,
)

/** The same for an account that is made in the same commit. */
export function linkNewIdentity(
  { connectionId, subject }: Identity,
  accountId: string,
  twoFactorBy: TwoFactorBy,
  now: number,
): Write {
  return write(insertNew, [connectionId, subject, accountId, now, twoFactorBy], 'already_exists')
}

const note = sql(
  'sso_identity_note',
  'UPDATE sso_identities SET two_factor_by = ? WHERE connection_id = ? AND subject = ?',
)

/** Notes what a login of somebody who is linked has proven: it says where they stand with the second factor. */
export function noteTwoFactor({ connectionId, subject }: Identity, twoFactorBy: TwoFactorBy): Write {
  return write(note, [twoFactorBy, connectionId, subject])
}

const remove = sql('sso_identity_delete', 'DELETE FROM sso_identities WHERE account_id = ?')

/** Takes what an account is linked by. Refused as `account_changed` if it is linked to nobody. */
export function unlinkAccount(accountId: string): Write {
  return writeAlone(accountId, remove, [accountId], 'account_changed')
}

const claim = sql(
  'account_claim_by_sso',
  `UPDATE accounts SET password_hash = NULL, status = 'active', epoch = epoch + 1, mailbox_proven_at = ?,
     second_factor_reset_at = NULL
   WHERE id = ? AND epoch = ? AND mailbox_proven_at IS NULL AND status IN ('active', 'invited')`,
)
const takeFactors = [
  sql('account_claim_passkeys', 'DELETE FROM passkeys WHERE account_id = ?'),
  sql('account_claim_authenticator', 'DELETE FROM authenticators WHERE account_id = ?'),
  sql('account_claim_recovery_code', 'DELETE FROM recovery_codes WHERE account_id = ?'),
]

/**
 * Makes an account whose mailbox nobody has proven the upstream's user's: whatever somebody else put there (password,
 * authenticator, passkeys, sessions, links) goes. Refused as `account_changed`. The epoch is one more after it.
 */
export function claimAccount(
  dialect: Database['dialect'],
  { id, epoch }: Pick<Account, 'id' | 'epoch'>,
  now: number,
): Write[] {
  return [
    writeAlone(id, claim, [now, id, epoch], 'account_changed'),
    ...takeFactors.map(each => write(each, [id])),
    ...endAccess(dialect, id, now),
    retireTokens(id, now),
  ]
}
