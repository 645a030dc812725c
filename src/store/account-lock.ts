// An owner locks their account: nobody gets in until a new password was chosen by a mailed link. A link locks once, by
// one conditional write.

import type { Account } from './accounts.ts'
import { spend } from './credentials.ts'
import type { Write } from './database.ts'
import { digest } from './ids.ts'
import { sql, write } from './statement.ts'

const adminGoes = sql(
  'account_lock_admin',
  'UPDATE organisations SET admins_version = admins_version + 1 WHERE id = ?',
)
// Who is left with nothing to prove themselves with is as after a reset: a password alone sets up nothing.
const lock = sql(
  'account_lock',
  `UPDATE accounts SET status = 'locked', epoch = epoch + 1, second_factor_reset_at = CASE
       WHEN EXISTS (SELECT 1 FROM authenticators x WHERE x.account_id = accounts.id)
         OR EXISTS (SELECT 1 FROM passkeys x WHERE x.account_id = accounts.id AND x.created_at <= ?)
         OR NOT EXISTS (SELECT 1 FROM passkeys x WHERE x.account_id = accounts.id)
       THEN second_factor_reset_at ELSE coalesce(second_factor_reset_at, CAST(? AS bigint)) END
   WHERE id = ? AND status = 'active'`,
)
const takePasskeys = sql(
  'account_lock_passkeys',
  'DELETE FROM passkeys WHERE account_id = ? AND created_at > ?',
)

/**
 * Locks an account, and takes the passkeys that were added since. Must stand first in its commit: whoever takes an
 * admin away at the same moment looks again. Refused as `already_used` if the link was used, or the account is not
 * active.
 *
 * @param link the link's token, and until when it works, milliseconds since 1970
 * @param since passkeys that were added later go, milliseconds since 1970
 */
export function lockAccount(
  { id, role, organisationId }: Account,
  link: { readonly token: string; readonly until: number },
  since: number,
  now: number,
): Write[] {
  return [
    ...(role === 'admin' && organisationId !== null ? [write(adminGoes, [organisationId])] : []),
    write(lock, [since, now, id], 'already_used'),
    write(takePasskeys, [id, since]),
    spend('lock-link', digest(link.token), link.until),
  ]
}
