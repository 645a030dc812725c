// Whose login at an upstream is: decided by who is linked to the subject there, never by an address alone. An address
// links once, if the organisation has proven its domain and has it log in by no other connection, the upstream says that
// the mailbox is the user's (where the protocol has a word for that), and the account is of the organisation. Pure.

import type { Account } from '../store/accounts/accounts.ts'
import type { DomainStanding } from '../store/sso/domains.ts'
import type { UpstreamAnswer } from './upstream.ts'

export interface LinkFacts {
  readonly answer: Pick<UpstreamAnswer, 'email' | 'emailVerified' | 'name' | 'groups'>
  readonly connection: {
    readonly organisationId: string
    readonly createsUsers: boolean
    readonly adminGroups: readonly string[]
  }
  /** The account that is linked to the subject. */
  readonly linked: Account | undefined
  /** The account with the answer's address. */
  readonly byEmail: Account | undefined
  /** Of the answer's address; where somebody is linked, of the account's, if it decides: if it is `ssoOnly`. */
  readonly domain: DomainStanding
}

export type LinkRefusal =
  /** The upstream said no address, and nobody is linked. */
  | 'no_email'
  | 'domain_not_proven'
  | 'other_connection'
  | 'no_account'
  | 'other_organisation'
  /** The user is somebody else's agent, is deactivated, or has locked the account. */
  | 'not_active'

export type Link =
  | { readonly kind: 'known'; readonly account: Account }
  /** `claim`: nobody has proven the mailbox before, so what is there may be a stranger's. */
  | { readonly kind: 'link'; readonly account: Account; readonly claim: boolean }
  | { readonly kind: 'create'; readonly email: string; readonly name: string | undefined }
  /** The owner of the account logs in to it once by what they have there. */
  | { readonly kind: 'prove'; readonly account: Account }
  | { readonly kind: 'refused'; readonly reason: LinkRefusal }

export function decideLink({ answer, connection, linked, byEmail, domain }: LinkFacts): Link {
  if (linked !== undefined) {
    if (linked.organisationId !== connection.organisationId) return refused('other_organisation')
    // Known from the time before their domain was for another provider only.
    if (linked.ssoOnly && domain === 'of_another_connection') return refused('other_connection')
    return linked.status === 'active' ? { kind: 'known', account: linked } : refused('not_active')
  }
  const { email, emailVerified } = answer
  if (email === undefined) return refused('no_email')
  if (domain === 'not_proven') return refused('domain_not_proven')
  // One provider of an organisation has no word about those who log in by another.
  if (domain === 'of_another_connection') return refused('other_connection')
  if (byEmail === undefined) {
    if (!connection.createsUsers || emailVerified === false) return refused('no_account')
    return { kind: 'create', email, name: answer.name }
  }
  if (byEmail.organisationId !== connection.organisationId) return refused('other_organisation')
  const claim = byEmail.mailboxProvenAt === null
  const { status } = byEmail
  if (status !== 'active' && !(status === 'invited' && claim)) return refused('not_active')
  if (emailVerified !== false) return { kind: 'link', account: byEmail, claim }
  // What is there was never proven, and neither is this: nobody benefits.
  return claim ? refused('no_account') : { kind: 'prove', account: byEmail }
}

/** The role that somebody's groups give them; undefined: groups say nothing about roles here, or were left out. */
export function roleOf(
  { groups }: Pick<UpstreamAnswer, 'groups'>,
  { adminGroups }: { readonly adminGroups: readonly string[] },
): 'admin' | 'technician' | undefined {
  if (adminGroups.length === 0 || groups === undefined) return undefined
  return groups.some(each => adminGroups.includes(each)) ? 'admin' : 'technician'
}

function refused(reason: LinkRefusal): Link {
  return { kind: 'refused', reason }
}
