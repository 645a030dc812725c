// One's own account as its page shows it: what somebody logs in with, since when, and when it was used last. Read in one
// statement, each passkey a row. Leaves out what is decided by (accounts.ts) and who may look.

import type { Database, Param, Row } from '../database.ts'
import { digest } from '../ids.ts'
import { sql } from '../statement.ts'

export interface OwnPasskey {
  /** Names it in addresses: a credential's own id may be as long as an address. */
  readonly key: string
  readonly credentialId: string
  /** The domain that it is bound to. */
  readonly rpId: string
  readonly name: string
  readonly aaguid: string
  /** Whether it is on other devices too, as its provider said when it was used last. */
  readonly synced: boolean
  /** Milliseconds since 1970, as all times here. */
  readonly createdAt: number
  readonly lastUsedAt: number | null
}

export interface AccountOverview {
  /** The organisation's name; empty where there is none. */
  readonly organisation: string
  readonly lastLoginAt: number | null
  /** When a support case was opened for this account that is open still. */
  readonly caseOpenedAt: number | null
  /** Null where nobody knows. */
  readonly passwordChangedAt: number | null
  /** The name of the SSO connection that they are linked by. */
  readonly sso: string | undefined
  readonly authenticator: { readonly setUpAt: number; readonly lastUsedAt: number | null } | undefined
  /** When its user said that it is saved; null where there is none, or nobody has said so. */
  readonly recoveryCodeSavedAt: number | null
  /** The oldest first. */
  readonly passkeys: readonly OwnPasskey[]
}

const find = sql(
  'account_overview',
  `SELECT o.name AS organisation, a.last_login_at, a.password_changed_at,
     (SELECT c.opened_at FROM support_cases c WHERE c.account_id = a.id AND c.closed_at IS NULL AND c.used_at IS NULL
        AND c.epoch = a.epoch) AS case_opened_at,
     (SELECT min(sc.name) FROM sso_identities si JOIN sso_connections sc ON sc.id = si.connection_id
        WHERE si.account_id = a.id AND sc.status = 'on') AS sso,
     au.created_at AS set_up_at, au.last_used_at AS code_used_at, r.saved_at AS recovery_saved_at,
     p.credential_id, p.rp_id, p.name, p.aaguid, p.backed_up, p.created_at, p.last_used_at
   FROM accounts a LEFT JOIN organisations o ON o.id = a.organisation_id
   LEFT JOIN authenticators au ON au.account_id = a.id
   LEFT JOIN recovery_codes r ON r.account_id = a.id
   LEFT JOIN passkeys p ON p.account_id = a.id
   WHERE a.id = ? ORDER BY p.created_at, p.credential_id`,
)

/** @throws Error for an id that nobody has */
export async function readAccountOverview(database: Database, id: string): Promise<AccountOverview> {
  const rows = await database.read(find, [id])
  const [row] = rows
  if (row === undefined) throw new Error(`no account ${id}`)
  const setUpAt = time(row.set_up_at)
  return {
    organisation: String(row.organisation ?? ''),
    lastLoginAt: time(row.last_login_at),
    // Whoever logged in since has ended it.
    caseOpenedAt: Number(row.case_opened_at) < Number(row.last_login_at) ? null : time(row.case_opened_at),
    passwordChangedAt: time(row.password_changed_at),
    sso: row.sso == null ? undefined : String(row.sso),
    authenticator: setUpAt === null ? undefined : { setUpAt, lastUsedAt: time(row.code_used_at) },
    recoveryCodeSavedAt: time(row.recovery_saved_at),
    passkeys: rows.flatMap(passkeyOf),
  }
}

function passkeyOf(row: Row): OwnPasskey[] {
  if (row.credential_id == null) return []
  const credentialId = String(row.credential_id)
  return [
    {
      key: digest(credentialId),
      credentialId,
      rpId: String(row.rp_id),
      name: String(row.name),
      aaguid: String(row.aaguid),
      synced: Number(row.backed_up) === 1,
      createdAt: Number(row.created_at),
      lastUsedAt: time(row.last_used_at),
    },
  ]
}

function time(value: Param | undefined): number | null {
  return value == null ? null : Number(value)
}
