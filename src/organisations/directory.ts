// Who there is: organisations and their users, as the operator's commands, the first-run page and the console make
// them. Input is judged here, whoever brings it; each change is committed with its audit row. Leaves out what a user
// does for themselves (log in, choose a password) and who may call this.

import { hashPassword } from '../factors/password.ts'
import { judgePassword, type PasswordRefusal } from '../factors/password-strength.ts'
import { parseAddress } from '../mail/address.ts'
import { mailJob } from '../mail/outbox.ts'
import {
  insertAccount,
  type NewAccount,
  nameKey,
  type Role,
  readAccountByEmail,
} from '../store/accounts/accounts.ts'
import { issueToken } from '../store/accounts/emailed-tokens.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Database, sql, type Write, write } from '../store/database.ts'
import { newId, newToken } from '../store/ids.ts'
import {
  insertOrganisation,
  type Organisation,
  readOrganisation,
} from '../store/organisations/organisations.ts'
import type { Keyring } from '../store/seal.ts'
import type { ListFault } from './access-list.ts'
import { GRACE_MS } from './enforcement.ts'
import { minimumPasswordLength } from './password-rule.ts'
import type { SsoInputFault } from './sso-change.ts'

/** What changes to organisations, users and clients need. */
export interface Directory {
  readonly database: Database
  readonly keyring: Keyring
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Who is at work, for the audit log: an account's id, or `operator`. */
  readonly actor: string
  /** No password may contain it. */
  readonly productName: string
}

/** Something that was given cannot be taken. Nothing was stored. */
export class InputError extends Error {
  /** The name of what was given. */
  readonly field: string
  /** Goes on where the field's name ends: `is taken`. */
  readonly fault: string
  /** For a page that says it in its own words. */
  readonly why: InputFault | undefined

  constructor(field: string, fault: string, why?: InputFault) {
    super(`${field} ${fault}`)
    this.name = 'InputError'
    this.field = field
    this.fault = fault
    this.why = why
  }
}

export type InputFault =
  | { readonly reason: 'longer_than'; readonly maximum: number }
  | { readonly reason: 'already_subscribed'; readonly subscribedAt: number }
  | { readonly reason: 'laxer_than_app' }
  | { readonly reason: 'access_list'; readonly fault: ListFault }
  | { readonly reason: 'shuts_out'; readonly address: string }
  | { readonly reason: 'no_such_user' | 'last_admin' | 'not_allowed' | 'deactivated' | 'taken' | 'plan' }
  | { readonly reason: 'last_break_glass' }
  | { readonly reason: 'sso'; readonly fault: SsoInputFault }
  | { readonly reason: 'out_of_range'; readonly minimum: number; readonly maximum: number }
  | PasswordRefusal

export interface OrganisationInput {
  readonly name: string
  readonly plan: string
  /** Start of the subscription, milliseconds since 1970; null: none yet. */
  readonly subscribedAt: number | null
}

export type UserRole = Extract<Role, 'admin' | 'technician'>
export const ROLES: readonly UserRole[] = ['admin', 'technician']

export interface UserInput {
  readonly organisationId: string
  readonly email: string
  readonly name: string
  readonly role: UserRole
}

/** A user as they are told of: no hash, no secret. */
export interface User {
  readonly id: string
  readonly organisationId: string
  readonly email: string
  readonly name: string
  readonly role: UserRole
  readonly status: 'active' | 'invited'
}

/**
 * @param also what must be true with it, such as the answer that is kept for whoever asks twice
 * @throws InputError; CommitRefused if one of `also` is refused
 */
export async function createOrganisation(
  directory: Directory,
  input: OrganisationInput,
  also: (made: Organisation) => readonly Write[] = () => [],
): Promise<Organisation> {
  const now = directory.clock()
  const organisation = newOrganisation(input)
  await directory.database.commit([
    ...also(organisation),
    ...organisationWrites(directory, organisation, now),
  ])
  return organisation
}

/**
 * Creates a user. With a password they are active at once, and their mailbox counts as proven, since whoever creates
 * them vouches for it; without one they are `invited`, and get in by an invitation.
 *
 * @throws InputError
 */
export async function createUser(
  directory: Directory,
  input: UserInput & { readonly password?: string | undefined },
): Promise<User> {
  const checked = checkUser(input)
  const organisation = await organisationOf(directory, checked.organisationId)
  // Before the costly hash; the insert is what decides.
  if ((await readAccountByEmail(directory.database, checked.email)) !== undefined) throw taken(checked.email)
  const hash =
    input.password === undefined
      ? null
      : await acceptPassword(directory, input.password, organisation, checked)
  const now = directory.clock()
  const user: User = { ...checked, id: newId('usr'), status: hash === null ? 'invited' : 'active' }
  await commitUser(directory, user, userWrites(directory, user, hash, now))
  return user
}

/** A support agent: an account without an organisation, of the vendor's. */
export interface Agent extends Omit<User, 'organisationId' | 'role' | 'status'> {
  readonly role: 'support'
  readonly status: 'active'
}

/**
 * Creates a support agent, active at once.
 *
 * @throws InputError
 */
export async function createAgent(
  directory: Directory,
  input: { readonly email: string; readonly name: string; readonly password: string },
): Promise<Agent> {
  const { database, clock, actor, productName } = directory
  const { email, name } = checkPerson(input)
  if ((await readAccountByEmail(database, email)) !== undefined) throw taken(email)
  const hash = await hashAccepted(input.password, {
    minLength: minimumPasswordLength(null, clock()),
    names: [name, email],
    product: productName,
  })
  const now = clock()
  const agent: Agent = { id: newId('usr'), email, name, role: 'support', status: 'active' }
  const details = { email, role: agent.role, status: agent.status }
  await committed(database, email, [
    insertAccount({ ...agent, organisationId: null, passwordHash: hash, mailboxProvenAt: now }, now),
    auditRow({ event: 'user.created', accountId: agent.id, actorId: actor, details }, now),
  ])
  return agent
}

/**
 * Creates a user and mails them an invitation, by whose link they choose their password. For a user who is invited
 * already it is sent again, with name and role as given now, and the older link no longer works.
 *
 * @param by the admin who invites, for the mail and the audit log, and what must be true with it
 * @throws InputError; CommitRefused if one of `by.also` is refused
 */
export async function inviteUser(
  directory: Directory,
  input: UserInput,
  by?: { readonly name: string; readonly address: string; readonly also: readonly Write[] },
): Promise<User> {
  const checked = checkUser(input)
  const organisation = await organisationOf(directory, checked.organisationId)
  const known = await readAccountByEmail(directory.database, checked.email)
  if (known !== undefined && (known.organisationId !== organisation.id || known.status !== 'invited')) {
    throw taken(checked.email)
  }
  const now = directory.clock()
  const user: User = {
    ...checked,
    id: known?.id ?? newId('usr'),
    email: known?.email ?? checked.email,
    status: 'invited',
  }
  const token = newToken()
  await commitUser(directory, user, [
    ...(by?.also ?? []),
    known === undefined
      ? insertAccount(accountOf(user, null, now), now)
      : write(reinvite, [user.name, nameKey(user.name), user.role, user.id], 'not_allowed'),
    ...issueToken('invitation', user.id, token, null, now),
    mailJob(directory.keyring, {
      to: user.email,
      now,
      template: 'invitation',
      contents: {
        name: user.name,
        organisation: organisation.name,
        invitedBy: by?.name ?? null,
        token,
        at: now,
      },
    }),
    auditUser('user.invited', directory, user, now, by?.address),
  ])
  return user
}

/**
 * The first organisation and its admin, both or neither.
 *
 * @param also what must be true with it, such as the use of the link that allowed it
 * @throws InputError; CommitRefused if one of `also` is refused
 */
export async function foundOrganisation(
  directory: Directory,
  input: {
    readonly organisation: OrganisationInput
    readonly admin: { readonly email: string; readonly name: string; readonly password: string }
  },
  also: readonly Write[] = [],
): Promise<{ organisation: Organisation; admin: User }> {
  // Two names are given: which of them cannot be taken?
  const organisation = newOrganisation(input.organisation, 'organisation')
  const checked = checkUser({ ...input.admin, organisationId: organisation.id, role: 'admin' })
  const hash = await acceptPassword(directory, input.admin.password, organisation, checked)
  const now = directory.clock()
  const admin: User = { ...checked, id: newId('usr'), status: 'active' }
  await commitUser(directory, admin, [
    ...also,
    ...organisationWrites(directory, organisation, now),
    ...userWrites(directory, admin, hash, now),
  ])
  return { organisation, admin }
}

/** The last moment whose next day is of the year 9999 too: four digits are what ISO 8601 writes a year with. */
const LATEST = Date.UTC(10_000, 0) - GRACE_MS - 1

const reinvite = sql(
  'account_reinvite',
  "UPDATE accounts SET name = ?, name_key = ?, role = ? WHERE id = ? AND status = 'invited'",
)

function newOrganisation({ name, plan, subscribedAt }: OrganisationInput, nameField = 'name'): Organisation {
  if (subscribedAt !== null) checkTime('subscribedAt', subscribedAt)
  return { id: newId('org'), name: line(nameField, name, 200), plan: line('plan', plan, 100), subscribedAt }
}

/** @throws InputError unless it is milliseconds since 1970, before the last day of the year 9999 */
export function checkTime(field: string, time: number): void {
  if (!Number.isSafeInteger(time) || time < 0 || time > LATEST) throw new InputError(field, 'is no time')
}

function organisationWrites(directory: Directory, organisation: Organisation, now: number): Write[] {
  const { id, name, plan, subscribedAt } = organisation
  const details = { name, plan, ...(subscribedAt === null ? {} : { subscribedAt }) }
  return [
    insertOrganisation(organisation, now),
    auditRow({ event: 'organisation.created', organisationId: id, actorId: directory.actor, details }, now),
  ]
}

function checkUser(input: UserInput): UserInput {
  const { organisationId, role } = input
  if (!ROLES.includes(role)) throw new InputError('role', `must be ${ROLES.join(' or ')}`)
  return { organisationId, role, ...checkPerson(input) }
}

function checkPerson(input: Pick<UserInput, 'email' | 'name'>): Pick<UserInput, 'email' | 'name'> {
  const email = parseAddress(input.email.trim())
  if (email === undefined) throw new InputError('email', `${JSON.stringify(input.email)} is no email address`)
  return { email, name: personName(input.name) }
}

/** A person's name as it is kept, whoever gives it. @throws InputError */
export function personName(name: string): string {
  return line('name', name, 200)
}

/** The same, where it is no fault. @returns undefined for what can be nobody's name */
export function possibleName(name: string): string | undefined {
  try {
    return personName(name)
  } catch (error) {
    if (error instanceof InputError) return undefined
    throw error
  }
}

/** Characters that end a line, or turn its direction: they would rewrite what stands beside it. */
export const REWRITING = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u
const VISIBLE = /[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u

/** A text of one line, trimmed, in NFC, of which something can be seen. @throws InputError */
export function line(field: string, text: string, longest: number): string {
  const tidy = text.normalize('NFC').trim()
  if (!VISIBLE.test(tidy)) throw new InputError(field, 'is empty')
  if (tidy.length > longest) {
    const why = { reason: 'longer_than', maximum: longest } as const
    throw new InputError(field, `is longer than ${longest} characters`, why)
  }
  if (REWRITING.test(tidy)) throw new InputError(field, 'must be one line')
  return tidy
}

/** @throws InputError */
export async function organisationOf(directory: Directory, id: string): Promise<Organisation> {
  const organisation = await readOrganisation(directory.database, id)
  if (organisation === undefined)
    throw new InputError('organisationId', `${JSON.stringify(id)} is no organisation`)
  return organisation
}

/** @returns the hash of a password that is good enough. */
async function acceptPassword(
  { clock, productName }: Directory,
  password: string,
  organisation: Organisation,
  user: UserInput,
): Promise<string> {
  return hashAccepted(password, {
    minLength: minimumPasswordLength(organisation.subscribedAt, clock()),
    names: [user.name, user.email, organisation.name],
    product: productName,
  })
}

async function hashAccepted(password: string, rule: Parameters<typeof judgePassword>[1]): Promise<string> {
  const verdict = await judgePassword(password, rule)
  if (!verdict.ok) throw new InputError('password', passwordFault(verdict), verdict)
  return hashPassword(password)
}

function passwordFault(refusal: PasswordRefusal): string {
  switch (refusal.reason) {
    case 'too_short':
      return `has ${refusal.length} characters: it needs at least ${refusal.minLength}`
    case 'too_long':
      return `is too long: at most ${refusal.maxLength} characters`
    case 'contains_name':
      return `must not contain "${refusal.name}"`
    case 'control_characters':
      return 'must be one line'
    case 'common':
      return 'is on the list of common passwords'
    case 'too_weak':
      return 'is too easy to guess'
  }
}

function accountOf(user: User, passwordHash: string | null, now: number): NewAccount {
  return { ...user, passwordHash, mailboxProvenAt: passwordHash === null ? null : now }
}

function userWrites(directory: Directory, user: User, passwordHash: string | null, now: number): Write[] {
  return [
    insertAccount(accountOf(user, passwordHash, now), now),
    auditUser('user.created', directory, user, now),
  ]
}

function auditUser(
  event: 'user.created' | 'user.invited',
  { actor }: Directory,
  user: User,
  now: number,
  address?: string,
): Write {
  const { id, organisationId, email, role, status } = user
  return auditRow(
    { event, organisationId, accountId: id, actorId: actor, address, details: { email, role, status } },
    now,
  )
}

async function commitUser({ database }: Directory, user: User, writes: readonly Write[]): Promise<void> {
  return committed(database, user.email, writes)
}

async function committed(database: Database, email: string, writes: readonly Write[]): Promise<void> {
  try {
    await database.commit(writes)
  } catch (error) {
    if (!(error instanceof CommitRefused) || !['already_exists', 'not_allowed'].includes(error.refusal))
      throw error
    // Somebody else was faster.
    throw taken(email)
  }
}

function taken(email: string): InputError {
  return new InputError('email', `${email} is taken`, { reason: 'taken' })
}
