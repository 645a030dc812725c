// What a page of an account's owner tells their browser of its passkeys, read anew: after a login, and after one was
// added, removed or its owner renamed. See factors/passkey-signals.ts.

import { ownPasskeys, type PasskeySignals } from '../factors/passkey-signals.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts.ts'
import { readPasskeys } from '../store/credentials.ts'

/** The `signals` of a page that only the owner sees. */
export async function passkeySignals(
  { config, database }: Pick<Services, 'config' | 'database'>,
  account: Pick<Account, 'id' | 'email' | 'name'>,
): Promise<PasskeySignals> {
  return ownPasskeys(account, config.passkeyDomain, await readPasskeys(database, account.id))
}
