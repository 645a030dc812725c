// A user's place in an organisation: the role, and whether they can get in. Every write here that takes an active admin
// away goes with one that only one of several at a time can make, so that an organisation that has an admin keeps one:
// who looks sees that another is left, and nobody has taken any since. Adding admins needs no such care.

import type { Role, Status } from '../accounts/accounts.ts'
import type { Database, Write } from '../database.ts'
import { hasSsoOnly, otherBreakGlass } from '../sso/organisations.ts'
import { sql, write } from '../statement.ts'
import { actorMayAct, actorParams, isReserved } from './actor.ts'
import { loseActiveAdmin } from './organisations.ts'

export interface Membership {
  readonly id: string
  readonly organisationId: string
  readonly email: string
  readonly name: string
  readonly role: Role
  readonly status: Status
  readonly epoch: number
  /** A password, or a user at an identity provider. Who has none was invited and has not come yet. */
  readonly hasLogin: boolean
  /** Whether the organisation has an active admin besides this user. */
  readonly otherAdmins: boolean
  /** The only break-glass admin who can log in, where a domain is for single sign-on only. */
  readonly lastBreakGlass: boolean
  /** As it was in the moment that {@link otherAdmins} and {@link lastBreakGlass} were looked up. */
  readonly adminsVersion: number
  /** Whether whoever asks is the operator, or an active admin of the organisation. */
  readonly allowed: boolean
}

const activeAdmin = `organisation_id = o.id AND role = 'admin' AND status = 'active'`
const find = sql(
  'membership_find',
  `SELECT a.id, a.organisation_id, a.email, a.name, a.role, a.status, a.epoch,
     a.password_hash IS NOT NULL OR EXISTS (SELECT 1 FROM sso_identities si WHERE si.account_id = a.id) AS has_login, o.admins_version,
     EXISTS (SELECT 1 FROM accounts WHERE ${activeAdmin} AND id <> a.id) AS other_admins,
     a.break_glass = 1 AND ${hasSsoOnly('a')} AND NOT ${otherBreakGlass('a')} AS last_break_glass,
     EXISTS (SELECT 1 FROM accounts WHERE ${activeAdmin} AND id = ?) AS allowed
   FROM accounts a JOIN organisations o ON o.id = a.organisation_id
   WHERE a.id = ? AND a.organisation_id = ?`,
)

/** @param actorId as {@link actorParams} takes it */
export async function readMembership(
  database: Database,
  { organisationId, userId }: { readonly organisationId: string; readonly userId: string },
  actorId: string,
): Promise<Membership | undefined> {
  const [row] = await database.read(find, [actorId, userId, organisationId])
  if (row === undefined) return undefined
  // A truth is 1 on SQLite, and true on PostgreSQL.
  const truth = (value: unknown) => value === true || value === 1
  return {
    id: String(row.id),
    organisationId: String(row.organisation_id),
    email: String(row.email),
    name: String(row.name),
    role: row.role as Role,
    status: row.status as Status,
    epoch: Number(row.epoch),
    hasLogin: truth(row.has_login),
    otherAdmins: truth(row.other_admins),
    lastBreakGlass: truth(row.last_break_glass),
    adminsVersion: Number(row.admins_version),
    allowed: isReserved(actorId) || truth(row.allowed),
  }
}

// Nothing is done to a user who is not as they were read.
const unchanged = `id = ? AND organisation_id = ? AND role = ? AND status = ? AND epoch = ? AND ${actorMayAct}`

// Who is no active admin is no break-glass admin either.
const setRole = sql(
  'membership_set_role',
  `UPDATE accounts SET role = ?, break_glass = CASE WHEN ? = 'admin' THEN break_glass ELSE 0 END WHERE ${unchanged}`,
)
const end = sql(
  'membership_deactivate',
  `UPDATE accounts SET status = 'deactivated', break_glass = 0, epoch = epoch + 1 WHERE ${unchanged}`,
)
const resume = sql(
  'membership_reactivate',
  `UPDATE accounts SET status = ?, epoch = epoch + 1 WHERE ${unchanged}`,
)

const endAccess = sql('membership_end_access', `UPDATE accounts SET epoch = epoch + 1 WHERE ${unchanged}`)
const stay = sql('membership_stay', `UPDATE accounts SET role = role WHERE ${unchanged}`)
// Whoever loses the only thing that they prove themselves with is as after a reset: a password alone sets up nothing.
const lose = sql(
  'membership_lose_passkey',
  `UPDATE accounts SET epoch = epoch + 1, second_factor_reset_at = CASE
       WHEN EXISTS (SELECT 1 FROM authenticators x WHERE x.account_id = accounts.id)
         OR EXISTS (SELECT 1 FROM passkeys x WHERE x.account_id = accounts.id AND x.credential_id <> ?)
       THEN second_factor_reset_at ELSE coalesce(second_factor_reset_at, CAST(? AS bigint)) END
   WHERE ${unchanged}`,
)
const removePasskey = sql('passkey_remove', 'DELETE FROM passkeys WHERE credential_id = ? AND account_id = ?')

function asRead({ id, organisationId, role, status, epoch }: Membership, actorId: string) {
  return [id, organisationId, role, status, epoch, ...actorParams(actorId, organisationId)]
}

function isActiveAdmin({ role, status }: Membership): boolean {
  return role === 'admin' && status === 'active'
}

/** Whether nobody would be left to look after the organisation without this user. */
export function isLastAdmin(member: Membership): boolean {
  return isActiveAdmin(member) && !member.otherAdmins
}

function takenAway(member: Membership): Write[] {
  return isActiveAdmin(member) ? [loseActiveAdmin(member.organisationId, member.adminsVersion)] : []
}

/**
 * Must stand first in a commit, as the others here. Refused as `account_changed` if the user, the admins of the
 * organisation or the one who acts are not as they were read.
 */
export function changeRole(member: Membership, role: Role, actorId: string): Write[] {
  return [
    ...(role === 'admin' ? [] : takenAway(member)),
    write(setRole, [role, role, ...asRead(member, actorId)], 'account_changed'),
  ]
}

const endSupport = sql(
  'membership_end_agent',
  `UPDATE accounts SET status = 'deactivated', epoch = epoch + 1
   WHERE id = ? AND role = 'support' AND status <> 'deactivated'`,
)

/** A support agent gets in no more. Refused as `already_used` if so it is. */
export function endAgent(accountId: string): Write {
  return write(endSupport, [accountId], 'already_used')
}

/** What was minted before, or is in flight, ends by the epoch. Refused as {@link changeRole} is. */
export function deactivate(member: Membership, actorId: string): Write[] {
  return [...takenAway(member), write(end, asRead(member, actorId), 'account_changed')]
}

/**
 * The epoch moves once more: nothing comes back that was begun in between. Who never chose a password becomes `invited`.
 * Refused as {@link changeRole} is.
 */
export function reactivate(member: Membership, actorId: string): Write[] {
  return [write(resume, [reactivatedStatus(member), ...asRead(member, actorId)], 'account_changed')]
}

/** Who never chose a password gets in by an invitation, as before. */
export function reactivatedStatus({ hasLogin }: Membership): Status {
  return hasLogin ? 'active' : 'invited'
}

/** Nothing about the user changes; refused as {@link changeRole} is, so that what goes with it is. */
export function stayAsRead(member: Membership, actorId: string): Write {
  return write(stay, asRead(member, actorId), 'account_changed')
}

/** What was minted before, or is in flight, ends by the epoch. Refused as {@link changeRole} is. */
export function loseAccess(member: Membership, actorId: string): Write {
  return write(endAccess, asRead(member, actorId), 'account_changed')
}

/**
 * Takes a passkey. What it proved, and what is in flight, ends by the epoch; if it was the user's only factor, their
 * second factor counts as reset. Refused as {@link changeRole} is; as `already_used` if it is gone.
 */
export function losePasskey(member: Membership, credentialId: string, actorId: string, now: number): Write[] {
  return [
    write(lose, [credentialId, now, ...asRead(member, actorId)], 'account_changed'),
    write(removePasskey, [credentialId, member.id], 'already_used'),
  ]
}

const admin = sql(
  'membership_stay_admin',
  `UPDATE accounts SET role = role WHERE id = ? AND organisation_id = ? AND role = 'admin' AND status = 'active'`,
)

/** For what an admin does to somebody who is not there yet. Refused as `account_changed` if they are admin no more. */
export function stayAdmin(organisationId: string, actorId: string): Write {
  return write(admin, [actorId, organisationId], 'account_changed')
}

const withdraw = sql(
  'membership_withdraw',
  `DELETE FROM accounts WHERE password_hash IS NULL AND ${unchanged}`,
)

/**
 * Takes an account that nobody has come to, with every link that was mailed to it. Refused as {@link changeRole} is, and
 * if a password was chosen meanwhile.
 */
export function withdrawAccount(member: Membership, actorId: string): Write {
  return write(withdraw, asRead(member, actorId), 'account_changed')
}
