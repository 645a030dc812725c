// One user of an organisation as its admins look at them: read in one statement, each passkey a row. Whose passkeys
// these are is part of the question, so that nobody reads those of another organisation. Leaves out what happened to
// the user (audit/audit-events.ts), and who may look.

import type { Database, Param, Row } from '../database.ts'
import { digest } from '../ids.ts'
import { helpSince } from '../recovery/help-requests.ts'
import { holdsAccess } from '../sessions/account-sessions.ts'
import { sql } from '../statement.ts'
import type { Role, Status } from './accounts.ts'
import type { Bounce } from './bounces.ts'
import { STANDINGS, type Standing } from './user-list.ts'

export interface UserPasskey {
  /** Names it in addresses: a credential's own id may be as long as an address. */
  readonly key: string
  readonly credentialId: string
  readonly name: string
  /** Milliseconds since 1970, as all times here. */
  readonly createdAt: number
  readonly lastUsedAt: number | null
}

export interface UserDetails {
  readonly id: string
  /** The organisation's name. */
  readonly organisation: string
  readonly name: string
  readonly email: string
  readonly role: Role
  readonly status: Status
  readonly standing: Standing
  readonly authenticator: boolean
  /** There is one, and its user said that it is saved. */
  readonly recoveryCode: boolean
  readonly lastLoginAt: number | null
  /** A password, or a user at an identity provider. Who has none was invited and has not come yet. */
  readonly hasLogin: boolean
  /** The name of the SSO connection that they are linked by. */
  readonly sso: string | undefined
  /** Since when they ask the admins for help; null: they don't. */
  readonly helpSince: number | null
  /** Nobody else is an active admin of the organisation. */
  readonly lastAdmin: boolean
  /** There is something to end: a session, a login under way, a token. */
  readonly access: boolean
  readonly passkeys: readonly UserPasskey[]
  /** Their address takes no mail. */
  readonly bounce?: Bounce
}

const find = sql(
  'user_details',
  `SELECT a.id, o.name AS organisation, a.name, a.email, a.role, a.status, a.second_factor, a.last_login_at,
     a.mail_refused_at, a.mail_refusal,
     CASE WHEN a.password_hash IS NOT NULL OR EXISTS (SELECT 1 FROM sso_identities si WHERE si.account_id = a.id) THEN 1 ELSE 0 END AS has_login,
     (SELECT min(sc.name) FROM sso_identities sl JOIN sso_connections sc ON sc.id = sl.connection_id
        WHERE sl.account_id = a.id) AS sso,
     (SELECT count(*) FROM authenticators x WHERE x.account_id = a.id) AS authenticators,
     (SELECT count(*) FROM recovery_codes x WHERE x.account_id = a.id AND x.saved_at IS NOT NULL) AS recovery_codes,
     (SELECT count(*) FROM accounts x WHERE x.organisation_id = a.organisation_id AND x.role = 'admin'
        AND x.status = 'active' AND x.id <> a.id) AS other_admins,
     CASE WHEN ${holdsAccess} THEN 1 ELSE 0 END AS access, ${helpSince} AS help_since,
     p.credential_id, p.name AS passkey_name, p.created_at AS passkey_created_at, p.last_used_at
   FROM accounts a JOIN organisations o ON o.id = a.organisation_id
   LEFT JOIN passkeys p ON p.account_id = a.id
   WHERE a.id = ? AND a.organisation_id = ? ORDER BY p.created_at, p.credential_id`,
)

/** @returns undefined for an id that the organisation does not have */
export async function readUserDetails(
  database: Database,
  organisationId: string,
  id: string,
): Promise<UserDetails | undefined> {
  const rows = await database.read(find, [id, organisationId])
  const [row] = rows
  if (row === undefined) return undefined
  return {
    id: String(row.id),
    organisation: String(row.organisation),
    name: String(row.name),
    email: String(row.email),
    role: row.role as Role,
    status: row.status as Status,
    standing: STANDINGS[Number(row.second_factor)] ?? 'not_set_up',
    authenticator: Number(row.authenticators) > 0,
    recoveryCode: Number(row.recovery_codes) > 0,
    lastLoginAt: time(row.last_login_at),
    hasLogin: Number(row.has_login) === 1,
    sso: row.sso == null ? undefined : String(row.sso),
    lastAdmin: row.role === 'admin' && row.status === 'active' && Number(row.other_admins) === 0,
    access: Number(row.access) === 1,
    helpSince: time(row.help_since),
    passkeys: rows.flatMap(passkeyOf),
    ...(row.mail_refused_at === null
      ? {}
      : { bounce: { at: Number(row.mail_refused_at), reason: String(row.mail_refusal ?? '') } }),
  }
}

function passkeyOf(row: Row): UserPasskey[] {
  if (row.credential_id == null) return []
  const credentialId = String(row.credential_id)
  return [
    {
      key: digest(credentialId),
      credentialId,
      name: String(row.passkey_name),
      createdAt: Number(row.passkey_created_at),
      lastUsedAt: time(row.last_used_at),
    },
  ]
}

function time(value: Param | undefined): number | null {
  return value == null ? null : Number(value)
}
