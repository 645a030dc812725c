// An owner locks their account: nobody gets in until a new password was chosen by a mailed link. A link locks once, by
// one conditional write.

import type { Write } from '../database.ts'
import { digest } from '../ids.ts'
import { sql, write, writeAlone } from '../statement.ts'
import type { Account } from './accounts.ts'
import { spend } from './credentials.ts'

const adminGoes = sql(
  'account_lock_admin',
  'UPDATE organisations SET admins_version = admins_version + 1 WHERE id = ?',
)
const free = 'NOT EXISTS (SELECT 1 FROM accounts y WHERE y.email_key = ? AND y.id <> accounts.id)'
// Who is left with nothing to prove themselves with is as after a reset: a password alone sets up nothing.
const resetAt = `CASE
       WHEN EXISTS (SELECT 1 FROM authenticators x WHERE x.account_id = accounts.id)
         OR EXISTS (SELECT 1 FROM passkeys x WHERE x.account_id = accounts.id AND x.created_at <= ?)
         OR NOT EXISTS (SELECT 1 FROM passkeys x WHERE x.account_id = accounts.id)
       THEN second_factor_reset_at ELSE coalesce(second_factor_reset_at, CAST(? AS bigint)) END`
const lock = sql(
  'account_lock',
  `UPDATE accounts SET status = 'locked', epoch = epoch + 1, second_factor_reset_at = ${resetAt}
   WHERE id = ? AND status = 'active'`,
)
// From the old address of a change: it is put back, unless somebody has it by now, and the account is locked.
const lockAndPutBack = sql(
  'account_lock_put_back',
  `UPDATE accounts SET status = 'locked', epoch = epoch + 1, mailbox_proven_at = ?,
     email = CASE WHEN ${free} THEN CAST(? AS text) ELSE email END,
     email_key = CASE WHEN ${free} THEN CAST(? AS text) ELSE email_key END,
     second_factor_reset_at = ${resetAt}
   WHERE id = ? AND status IN ('active', 'locked')`,
)
const takePasskeys = sql(
  'account_lock_passkeys',
  'DELETE FROM passkeys WHERE account_id = ? AND created_at > ?',
)

const takeLinks = sql(
  'account_lock_sso_links',
  'DELETE FROM sso_identities WHERE account_id = ? AND created_at > ?',
)

/**
 * Locks an account, and takes the passkeys, and the links to identity providers, that were added since. Must stand first in its commit: whoever takes an
 * admin away at the same moment looks again. Refused as `already_used` if the link was used, or the account is not
 * active.
 *
 * @param link the link's token, and until when it works, milliseconds since 1970
 * @param since passkeys and links that were added later go, milliseconds since 1970
 * @param putBack the address that it had before a change; then an account that is locked already is as good
 */
export function lockAccount(
  { id, role, organisationId }: Account,
  link: { readonly token: string; readonly until: number },
  since: number,
  now: number,
  putBack?: { readonly email: string; readonly key: string },
): Write[] {
  return [
    ...(role === 'admin' && organisationId !== null ? [write(adminGoes, [organisationId])] : []),
    putBack === undefined
      ? writeAlone(id, lock, [since, now, id], 'already_used')
      : writeAlone(
          id,
          lockAndPutBack,
          [now, putBack.key, putBack.email, putBack.key, putBack.key, since, now, id],
          'already_used',
        ),
    write(takePasskeys, [id, since]),
    write(takeLinks, [id, since]),
    spend('lock-link', digest(link.token), link.until),
  ]
}
