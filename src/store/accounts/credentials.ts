// What people prove themselves with, beside the password: authenticators, recovery codes, passkeys. Law 4: whatever
// is used once is burnt by a conditional write, which refuses the whole commit if somebody was faster.

import type { Database, Write } from '../database.ts'
import { sql, write, writeAlone } from '../statement.ts'
import type { Account } from './accounts.ts'

const upsertAuthenticator = sql(
  'authenticator_upsert',
  `INSERT INTO authenticators (account_id, secret, last_step, created_at, last_used_at) VALUES (?, ?, ?, ?, ?)
   ON CONFLICT (account_id) DO UPDATE SET secret = excluded.secret, last_step = excluded.last_step,
     created_at = excluded.created_at, last_used_at = excluded.last_used_at
   WHERE authenticators.secret = CAST(? AS text)`,
)
const clearReset = sql(
  'account_clear_reset',
  'UPDATE accounts SET second_factor_reset_at = NULL WHERE id = ? AND epoch = ?',
)

/**
 * Turns an authenticator on, with the code that proved it already spent. A pending reset is over by it.
 *
 * Refused as `account_changed` if the account was reset since it was read, or another authenticator was turned on:
 * of two tabs only one is told that its key is good.
 *
 * @param account as this request read it; the authenticator that it has is the one that is replaced
 * @param secret sealed
 */
export function turnOnAuthenticator(
  account: Pick<Account, 'id' | 'epoch'> & Partial<Pick<Account, 'authenticator'>>,
  secret: string,
  step: number,
  now: number,
): Write[] {
  return [
    write(clearReset, [account.id, account.epoch], 'account_changed'),
    putAuthenticator(account, secret, step, now),
  ]
}

/** The same without the account's own row, for a commit that changes that anyway. */
export function putAuthenticator(
  { id, authenticator }: Pick<Account, 'id'> & Partial<Pick<Account, 'authenticator'>>,
  secret: string,
  step: number,
  now: number,
): Write {
  return writeAlone(
    id,
    upsertAuthenticator,
    [id, secret, step, now, now, authenticator?.secret ?? null],
    'account_changed',
  )
}

const spendStep = sql(
  'authenticator_spend_step',
  'UPDATE authenticators SET last_step = ?, last_used_at = ? WHERE account_id = ? AND last_step < ? AND secret = ?',
)

/** Spends a time step: the same code, or an older one, is refused from now on, on every replica. */
export function spendTotpStep(accountId: string, secret: string, step: number, now: number): Write {
  return write(spendStep, [step, now, accountId, step, secret], 'already_used')
}

const upsertRecovery = sql(
  'recovery_code_upsert',
  `INSERT INTO recovery_codes (account_id, hash, created_at, saved_at) VALUES (?, ?, ?, NULL)
   ON CONFLICT (account_id) DO UPDATE SET hash = excluded.hash, created_at = excluded.created_at, saved_at = NULL`,
)

/** Makes a recovery code valid, in place of the one before. */
export function issueRecoveryCode(accountId: string, hash: string, now: number): Write {
  return writeAlone(accountId, upsertRecovery, [accountId, hash, now])
}

const replaceRecovery = sql(
  'recovery_code_replace',
  'UPDATE recovery_codes SET hash = ?, created_at = ?, saved_at = NULL WHERE account_id = ? AND hash = ?',
)

/** Burns a recovery code and makes its successor valid, in one write. */
export function spendRecoveryCode(accountId: string, hash: string, successor: string, now: number): Write {
  return write(replaceRecovery, [successor, now, accountId, hash], 'already_used')
}

const saveRecovery = sql(
  'recovery_code_saved',
  'UPDATE recovery_codes SET saved_at = ? WHERE account_id = ? AND hash = ?',
)

/** Refused as `already_used` if it is not the valid one any more. */
export function recoveryCodeSaved(accountId: string, hash: string, now: number): Write {
  return write(saveRecovery, [now, accountId, hash], 'already_used')
}

/** So many users without a passkey are counted, and no more. */
export const MOST_WITHOUT_PASSKEY = 10_000

const countWithout = sql(
  'passkey_count_without',
  `SELECT count(*) AS n FROM (SELECT 1 AS one FROM accounts a WHERE a.organisation_id = ? AND a.status = 'active'
     AND NOT EXISTS (SELECT 1 FROM passkeys p WHERE p.account_id = a.id)
     LIMIT ${MOST_WITHOUT_PASSKEY + 1}) AS counted`,
)

/** How many of an organisation's active users have no passkey; of more than {@link MOST_WITHOUT_PASSKEY}, one more. */
export async function countWithoutPasskey(database: Database, organisationId: string): Promise<number> {
  return Number((await database.read(countWithout, [organisationId]))[0]?.n)
}

export interface Passkey {
  readonly credentialId: string
  readonly accountId: string
  readonly rpId: string
  readonly publicKey: string
  readonly counter: number
  readonly transports: readonly string[]
  readonly aaguid: string
  readonly backupEligible: boolean
  readonly backedUp: boolean
  readonly name: string
}

const insertPasskeyRow = sql(
  'passkey_insert',
  `INSERT INTO passkeys (credential_id, account_id, rp_id, public_key, counter, transports, aaguid,
     backup_eligible, backed_up, name, created_at)
   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (credential_id) DO NOTHING`,
)

/** Refused as `already_exists` if anybody has a credential of this id. */
export function insertPasskey(passkey: Passkey, now: number): Write {
  return writeAlone(
    passkey.accountId,
    insertPasskeyRow,
    [
      passkey.credentialId,
      passkey.accountId,
      passkey.rpId,
      passkey.publicKey,
      passkey.counter,
      passkey.transports.join(' '),
      passkey.aaguid,
      passkey.backupEligible ? 1 : 0,
      passkey.backedUp ? 1 : 0,
      passkey.name,
      now,
    ],
    'already_exists',
  )
}

const passkeyColumns = `credential_id, account_id, rp_id, public_key, counter, transports, aaguid, backup_eligible,
  backed_up, name`
const passkeyById = sql('passkey_by_id', `SELECT ${passkeyColumns} FROM passkeys WHERE credential_id = ?`)
const passkeysByAccount = sql(
  'passkeys_by_account',
  `SELECT ${passkeyColumns} FROM passkeys WHERE account_id = ? ORDER BY created_at`,
)

export async function readPasskey(database: Database, credentialId: string): Promise<Passkey | undefined> {
  return (await database.read(passkeyById, [credentialId])).map(passkeyOf)[0]
}

export async function readPasskeys(database: Database, accountId: string): Promise<Passkey[]> {
  return (await database.read(passkeysByAccount, [accountId])).map(passkeyOf)
}

function passkeyOf(row: Record<string, unknown>): Passkey {
  return {
    credentialId: String(row.credential_id),
    accountId: String(row.account_id),
    rpId: String(row.rp_id),
    publicKey: String(row.public_key),
    counter: Number(row.counter),
    transports: String(row.transports).split(' ').filter(Boolean),
    aaguid: String(row.aaguid),
    backupEligible: row.backup_eligible === 1,
    backedUp: row.backed_up === 1,
    name: String(row.name),
  }
}

const usePasskeyRow = sql(
  'passkey_use',
  `UPDATE passkeys SET counter = ?, backed_up = ?, last_used_at = ?
   WHERE credential_id = ? AND account_id = ? AND (counter < ? OR (counter = 0 AND ? = 0))`,
)

/** Moves the counter on, if the passkey still exists and its counter did not move on meanwhile. */
export function usePasskey(passkey: Passkey, counter: number, backedUp: boolean, now: number): Write {
  return write(
    usePasskeyRow,
    [counter, backedUp ? 1 : 0, now, passkey.credentialId, passkey.accountId, counter, counter],
    'already_used',
  )
}

const spendRow = sql(
  'spent_insert',
  'INSERT INTO spent (kind, id, expires_at) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO NOTHING',
)

/**
 * Spends something that may be used once until it expires: a passkey challenge, a first-run link, a way back, a
 * confirmation, a link that locks an account.
 */
export function spend(
  kind:
    | 'passkey-challenge'
    | 'first-run'
    | 'own-return'
    | 'confirmation'
    | 'lock-link'
    | 'logout-token'
    | 'saml-assertion'
    | 'saml-logout',
  id: string,
  expiresAt: number,
): Write {
  return write(spendRow, [kind, id, expiresAt], 'already_used')
}
