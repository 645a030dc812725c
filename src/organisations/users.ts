// What is done to a user who is there: another role, no way in any more, a way in again. Each is one commit with its
// audit row, and doing it twice does it once. An organisation that has an active admin keeps one, whoever acts at the
// same moment (store/organisations/memberships.ts). Leaves out how users come to be (directory.ts) and who may call
// this; an actor who is no active admin of the organisation at the moment of the commit is refused all the same.

import { type Account, readAccountByEmail } from '../store/accounts/accounts.ts'
import { retireTokens } from '../store/accounts/emailed-tokens.ts'
import { type AuditEntry, auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import { endAccess } from '../store/oidc/artefacts.ts'
import {
  changeRole,
  deactivate,
  endAgent,
  isLastAdmin,
  type Membership,
  reactivate,
  reactivatedStatus,
  readMembership,
} from '../store/organisations/memberships.ts'
import { type Directory, InputError, ROLES, type UserRole } from './directory.ts'

/** Which user, of which organisation: those of others do not exist. */
export interface UserChoice {
  readonly organisationId: string
  readonly userId: string
  /** Where the order came from; undefined for the operator. */
  readonly address?: string | undefined
  /** What must be true with it, such as the use of the form that waited. */
  readonly also?: readonly Write[] | undefined
}

/** What became of it: `changed` is false if it was so already, and then nothing was stored. */
export interface UserChange {
  readonly user: Pick<Membership, 'id' | 'organisationId' | 'email' | 'name' | 'role' | 'status'>
  readonly changed: boolean
}

/** Whoever loses against another looks again; in each round one gets through. */
const TRIES = 60

/**
 * Takes every way in: sessions, tokens, grants, pending logins, mailed links and codes end in this commit, the apps of
 * the sessions are told, and what is in flight ends by the epoch. Factors stay, for the day that they are reactivated.
 *
 * @throws InputError, also for the last active admin
 */
export async function deactivateUser(directory: Directory, choice: UserChoice): Promise<UserChange> {
  return change(directory, choice, (member, now) => {
    if (member.status === 'deactivated') return undefined
    keepAnAdmin(member)
    return {
      after: { ...member, status: 'deactivated' },
      writes: [
        ...deactivate(member, directory.actor),
        ...endAccess(directory.database.dialect, member.id, now),
        retireTokens(member.id, now),
      ],
      event: 'user.deactivated',
      details: { role: member.role, status: member.status },
    }
  })
}

/**
 * Lets a deactivated user in again, by the factors that they had: no session, token or link comes back, and a reset that
 * was pending still is. Who never chose a password is invited again.
 *
 * @throws InputError
 */
export async function reactivateUser(directory: Directory, choice: UserChoice): Promise<UserChange> {
  return change(directory, choice, (member, now) => {
    if (member.status !== 'deactivated') return undefined
    const status = reactivatedStatus(member)
    return {
      after: { ...member, status },
      writes: [
        ...reactivate(member, directory.actor),
        ...endAccess(directory.database.dialect, member.id, now),
        retireTokens(member.id, now),
      ],
      event: 'user.reactivated',
      details: { role: member.role, status },
    }
  })
}

/**
 * Gives a user another role. It counts from their next request on.
 *
 * @throws InputError, also for the last active admin
 */
export async function setRole(directory: Directory, choice: UserChoice, role: UserRole): Promise<UserChange> {
  if (!ROLES.includes(role)) throw new InputError('role', `must be ${ROLES.join(' or ')}`)
  return change(directory, choice, member => {
    if (member.role === role) return undefined
    if (role !== 'admin') keepAnAdmin(member)
    return {
      after: { ...member, role },
      writes: changeRole(member, role, directory.actor),
      event: 'user.role_changed',
      details: { from: member.role, to: role },
    }
  })
}

/**
 * Takes a support agent's every way in, as {@link deactivateUser} does a user's. What they approved stays approved.
 *
 * @throws InputError
 */
export async function deactivateAgent(
  { database, clock, actor }: Directory,
  email: string,
): Promise<{ readonly agent: Account; readonly changed: boolean }> {
  const agent = await readAccountByEmail(database, email)
  if (agent?.role !== 'support') throw new InputError('email', `${JSON.stringify(email)} is no support agent`)
  const now = clock()
  const after: Account = { ...agent, status: 'deactivated' }
  try {
    await database.commit([
      endAgent(agent.id),
      ...endAccess(database.dialect, agent.id, now),
      retireTokens(agent.id, now),
      auditRow(
        {
          event: 'user.deactivated',
          accountId: agent.id,
          actorId: actor,
          details: { role: agent.role, status: agent.status },
        },
        now,
      ),
    ])
    return { agent: after, changed: true }
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error
    return { agent: after, changed: false }
  }
}

export interface Planned {
  readonly after: Membership
  readonly writes: readonly Write[]
  readonly event: AuditEntry['event']
  readonly details: NonNullable<AuditEntry['details']>
}

/**
 * @param plan what to do to a user as they are now; undefined: nothing
 * @throws InputError; CommitRefused if one of the choice's `also` is refused
 */
export async function change(
  { database, clock, actor }: Directory,
  { organisationId, userId, address, also = [] }: UserChoice,
  plan: (member: Membership, now: number) => Planned | undefined | Promise<Planned | undefined>,
): Promise<UserChange> {
  for (let tries = 1, used = 0; ; tries++) {
    const member = await readMembership(database, { organisationId, userId }, actor)
    if (member === undefined) throw noSuchUser()
    if (!member.allowed) {
      throw new InputError('actor', 'is no active admin of the organisation', { reason: 'not_allowed' })
    }
    const now = clock()
    const planned = await plan(member, now)
    if (planned === undefined) return { user: told(member), changed: false }
    const { after, writes, event, details } = planned
    const row = { event, organisationId, accountId: userId, actorId: actor, address, details }
    try {
      await database.commit([...writes, ...also, auditRow(row, now)])
      return { user: told(after), changed: true }
    } catch (error) {
      // Something is not as it was read: what is asked for may be so by now, or be no longer possible.
      if (!(error instanceof CommitRefused) || tries === TRIES) throw error
      // What can be used once does not come back.
      if (error.refusal === 'already_used' && used++ > 0) throw error
    }
  }
}

function told({ id, organisationId, email, name, role, status }: Membership): UserChange['user'] {
  return { id, organisationId, email, name, role, status }
}

function keepAnAdmin(member: Membership): void {
  if (member.lastBreakGlass) {
    const fault =
      'is the last break-glass admin, and a domain is for single sign-on only: name another one first'
    throw new InputError('user', fault, { reason: 'last_break_glass' })
  }
  if (!isLastAdmin(member)) return
  throw new InputError('user', 'is the last active admin of the organisation: make another one first', {
    reason: 'last_admin',
  })
}

function noSuchUser(): InputError {
  return new InputError('user', 'is no user of this organisation', { reason: 'no_such_user' })
}
