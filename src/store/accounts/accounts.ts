// People who log in. An account is read with everything that a decision about its login needs (its organisation's
// subscription, what is enrolled) in one row, so that no page asks twice. Writes are built here and committed by
// whoever knows what else must be true with them.

import { GRACE_MS } from '../../organisations/enforcement.ts'
import type { StoredPolicy } from '../../organisations/session-policy.ts'
import type { Database, Param, Row, Write } from '../database.ts'
import { sql, write } from '../statement.ts'

export type Role = 'admin' | 'technician' | 'support'
/** `locked`: by its owner, until they choose a new password. */
export type Status = 'invited' | 'active' | 'locked' | 'deactivated'

export interface Account {
  readonly id: string
  readonly organisationId: string | null
  readonly email: string
  readonly name: string
  readonly role: Role
  readonly status: Status
  readonly passwordHash: string | null
  readonly mailboxProvenAt: number | null
  readonly epoch: number
  readonly secondFactorResetAt: number | null
  readonly passkeyOfferAfter: number | null
  /** Start of the organisation's subscription, milliseconds since 1970. */
  readonly subscribedAt: number | null
  /** The organisation's, as `organisations/access-list.ts` spells it; empty: from anywhere. */
  readonly accessList: string
  /** What its organisation chose for sessions; undefined without an organisation. */
  readonly sessionPolicy: StoredPolicy | undefined
  readonly authenticator: { readonly secret: string; readonly lastStep: number } | undefined
  readonly recoveryCode: { readonly hash: string; readonly saved: boolean } | undefined
  readonly passkeys: number
  /** Keeps password and second factor where their domain is for single sign-on only. */
  readonly breakGlass: boolean
  /** Their domain is for single sign-on only, its connection is on, and they are no break-glass admin. Whether the plan has SSO is not asked here. */
  readonly ssoOnly: boolean
}

/** Columns of an account for any statement that joins `accountJoins`; all begin with `a_`. */
export const accountColumns = `
  a.id AS a_id, a.organisation_id AS a_organisation_id, a.email AS a_email, a.name AS a_name, a.role AS a_role,
  a.status AS a_status, a.password_hash AS a_password_hash, a.mailbox_proven_at AS a_mailbox_proven_at,
  a.epoch AS a_epoch, a.second_factor_reset_at AS a_reset_at, a.passkey_offer_after AS a_passkey_offer_after,
  ao.subscribed_at AS a_subscribed_at, ao.access_list AS a_access_list, ao.plan AS a_plan,
  ao.session_inactive_hours AS a_inactive_hours, ao.session_end_days AS a_end_days, au.secret AS a_totp_secret, au.last_step AS a_totp_last_step,
  ar.hash AS a_recovery_hash, ar.saved_at AS a_recovery_saved_at,
  a.break_glass AS a_break_glass,
  (SELECT count(*) FROM sso_domains sd JOIN sso_connections sc ON sc.id = sd.connection_id
    WHERE sd.organisation_id = a.organisation_id AND sd.sso_only = 1 AND sc.status = 'on'
      AND a.email_key LIKE '%@' || sd.proven_domain) AS a_sso_only,
  (SELECT count(*) FROM passkeys ap WHERE ap.account_id = a.id) AS a_passkeys`

/** Joins for {@link accountColumns}; needs the accounts table as `a`. */
export const accountJoins = `
  LEFT JOIN organisations ao ON ao.id = a.organisation_id
  LEFT JOIN authenticators au ON au.account_id = a.id
  LEFT JOIN recovery_codes ar ON ar.account_id = a.id`

/** Reads an account out of a row with {@link accountColumns}; undefined where the join found none. */
export function accountOf(row: Row | undefined): Account | undefined {
  if (row === undefined || row.a_id === null || row.a_id === undefined) return undefined
  const text = (value: Param | undefined) => (value === null || value === undefined ? null : String(value))
  const number = (value: Param | undefined) => (value === null || value === undefined ? null : Number(value))
  return {
    id: String(row.a_id),
    organisationId: text(row.a_organisation_id),
    email: String(row.a_email),
    name: String(row.a_name),
    role: row.a_role as Role,
    status: row.a_status as Status,
    passwordHash: text(row.a_password_hash),
    mailboxProvenAt: number(row.a_mailbox_proven_at),
    epoch: Number(row.a_epoch),
    secondFactorResetAt: number(row.a_reset_at),
    passkeyOfferAfter: number(row.a_passkey_offer_after),
    subscribedAt: number(row.a_subscribed_at),
    accessList: text(row.a_access_list) ?? '',
    sessionPolicy:
      row.a_plan === null
        ? undefined
        : {
            plan: String(row.a_plan),
            inactiveHours: number(row.a_inactive_hours),
            endDays: number(row.a_end_days),
          },
    authenticator:
      row.a_totp_secret === null
        ? undefined
        : { secret: String(row.a_totp_secret), lastStep: Number(row.a_totp_last_step) },
    recoveryCode:
      row.a_recovery_hash === null
        ? undefined
        : { hash: String(row.a_recovery_hash), saved: row.a_recovery_saved_at !== null },
    passkeys: Number(row.a_passkeys),
    breakGlass: Number(row.a_break_glass) === 1,
    ssoOnly: Number(row.a_sso_only) > 0 && Number(row.a_break_glass) === 0,
  }
}

/** One spelling per mailbox for comparing: NFC, lower case. Local parts are compared without case, as mailers do. */
export function emailKey(email: string): string {
  return email.normalize('NFC').trim().toLowerCase()
}

/** A name without case, accents and punctuation, its words one space apart: what lists are sorted and searched by. */
export function nameKey(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
}

const byId = sql('account_by_id', `SELECT ${accountColumns} FROM accounts a ${accountJoins} WHERE a.id = ?`)
const byEmail = sql(
  'account_by_email',
  `SELECT ${accountColumns} FROM accounts a ${accountJoins} WHERE a.email_key = ?`,
)

export async function readAccount(database: Database, id: string): Promise<Account | undefined> {
  return accountOf((await database.read(byId, [id]))[0])
}

export async function readAccountByEmail(database: Database, email: string): Promise<Account | undefined> {
  return accountOf((await database.read(byEmail, [emailKey(email)]))[0])
}

// That nobody has the address is asked beside the index: who waits there for the one that gives it up does not see, on
// PostgreSQL, that it may be taken back.
const insert = sql(
  'account_insert',
  `INSERT INTO accounts (id, organisation_id, email, email_key, name, name_key, role, status, password_hash,
     password_changed_at, mailbox_proven_at, created_at)
   SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS bigint), CAST(? AS bigint), CAST(? AS bigint)
   WHERE NOT EXISTS (SELECT 1 FROM email_changes h WHERE h.old_key = ? AND h.changed_at IS NOT NULL
     AND h.ended_at IS NULL AND h.expires_at > ?)
     AND NOT EXISTS (SELECT 1 FROM accounts x WHERE x.email_key = ?)
   ON CONFLICT (email_key) DO NOTHING`,
)

export type NewAccount = Pick<
  Account,
  'id' | 'organisationId' | 'email' | 'name' | 'role' | 'status' | 'passwordHash' | 'mailboxProvenAt'
>

/** Refused as `already_exists` if the email address is taken, or was given up days ago and may yet be taken back. */
export function insertAccount(account: NewAccount, now: number): Write {
  return write(
    insert,
    [
      account.id,
      account.organisationId,
      account.email,
      emailKey(account.email),
      account.name,
      nameKey(account.name),
      account.role,
      account.status,
      account.passwordHash,
      account.passwordHash === null ? null : now,
      account.mailboxProvenAt,
      now,
      emailKey(account.email),
      now,
      emailKey(account.email),
    ],
    'already_exists',
  )
}

const setHash = sql(
  'account_rehash',
  'UPDATE accounts SET password_hash = ? WHERE id = ? AND password_hash = ?',
)

/** Stores the same password under newer parameters, unless it was changed meanwhile. */
export function rehashPassword(account: Account, hash: string): Write {
  return write(setHash, [hash, account.id, account.passwordHash])
}

const setPassword = sql(
  'account_set_password',
  `UPDATE accounts SET password_hash = ?, password_changed_at = ?, epoch = epoch + 1, status = 'active',
     mailbox_proven_at = coalesce(mailbox_proven_at, ?) WHERE id = ? AND status <> 'deactivated'`,
)

/**
 * Sets a password chosen through an emailed link: the mailbox is proven by it, and everything that was minted before
 * ends, since the epoch moves.
 */
export function setPasswordByMail(accountId: string, hash: string, now: number): Write {
  return write(setPassword, [hash, now, now, accountId], 'not_allowed')
}

const loggedIn = sql('account_logged_in', 'UPDATE accounts SET last_login_at = ? WHERE id = ?')

export function touchLogin(accountId: string, now: number): Write {
  return write(loggedIn, [now, accountId])
}

const snoozePasskey = sql(
  'account_snooze_passkey',
  'UPDATE accounts SET passkey_offer_after = ? WHERE id = ?',
)

export function offerPasskeyAfter(accountId: string, time: number): Write {
  return write(snoozePasskey, [time, accountId])
}

const upsertHostOrganisation = sql(
  'organisation_upsert_host',
  `INSERT INTO organisations (id, name, plan, subscribed_at, created_at) VALUES (?, ?, '', ?, ?)
   ON CONFLICT (id) DO UPDATE SET name = excluded.name, subscribed_at =
     CASE WHEN organisations.subscribed_at <= ? THEN organisations.subscribed_at ELSE excluded.subscribed_at END`,
)
const upsertHost = sql(
  'account_upsert_host',
  `INSERT INTO accounts (id, organisation_id, email, email_key, name, name_key, role, status, mailbox_proven_at,
     created_at)
   VALUES (?, ?, ?, ?, ?, ?, 'technician', 'active', ?, ?)
   ON CONFLICT (id) DO UPDATE SET organisation_id = excluded.organisation_id, email = excluded.email,
     name = excluded.name, name_key = excluded.name_key`,
)

/** The organisation of a host's user, as the host has it now; a start whose day is over is not moved any more. */
export function insertHostOrganisation(
  organisation: { id: string; name: string; subscribedAt: number | null },
  now: number,
): Write {
  const { id, name, subscribedAt } = organisation
  return write(upsertHostOrganisation, [id, name, subscribedAt, now, now - GRACE_MS])
}

/** Our row of a host's user. It is never found by its address: whose address that is, the host knows. */
export function insertHostAccount(
  account: {
    id: string
    organisationId: string
    email: string
    name: string
    mailboxProvenAt: number | null
  },
  now: number,
): Write {
  const { id, organisationId, email, name, mailboxProvenAt } = account
  return write(upsertHost, [
    id,
    organisationId,
    email,
    `host:${id}`,
    name,
    nameKey(name),
    mailboxProvenAt,
    now,
  ])
}
