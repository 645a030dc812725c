// What verified claims come down to. Pure. An upstream's words are taken by type and within bounds: what is of another
// type was not said.

import { SsoError, type UpstreamAnswer } from './upstream.ts'

type Claims = Readonly<Record<string, unknown>>

const MOST_VALUES = 1000
const LONGEST = 255
const LONGEST_EMAIL = 254

/** @param userinfo what came from there, where the ID token left the address out; says nothing of the login itself */
export function answerOf(token: Claims, userinfo: Claims | undefined, issuer: string): UpstreamAnswer {
  // An address and whether it is verified are said in one place, or not at all.
  const about = emailOf(token) === undefined && userinfo !== undefined ? userinfo : token
  const claims = { ...userinfo, ...token }
  return {
    subject: subjectOf(token),
    email: emailOf(about),
    emailVerified: isVerified(about, issuer),
    name: text(claims.name) ?? fullName(claims),
    groups: groupsOf(claims),
    acr: text(token.acr),
    amr: strings(token.amr),
    authenticatedAt: typeof token.auth_time === 'number' ? token.auth_time * 1000 : undefined,
    session: text(token.sid),
    claims,
  }
}

/** Core §2: at most 255 characters. */
function subjectOf({ sub }: Claims): string {
  const subject = text(sub)
  if (subject === undefined) throw new SsoError('invalid', 'the claim sub is empty, too long, or no text')
  return subject
}

export function emailOf({ email }: Claims): string | undefined {
  const address = text(email)
  return address !== undefined && address.length <= LONGEST_EMAIL && /^[^\s@]+@[^\s@]+$/.test(address)
    ? address
    : undefined
}

/**
 * Only `true` is true. Microsoft Entra ID has no `email_verified`: its `email` is whatever an admin of the tenant typed,
 * and `xms_edov` (an optional claim, sent as a boolean or as 1) says whether the domain's owner was verified.
 */
function isVerified(claims: Claims, issuer: string): boolean | undefined {
  if (claims.email_verified !== undefined) return claims.email_verified === true
  if (claims.xms_edov === undefined || !isEntra(issuer)) return undefined
  return [true, 1, '1'].includes(claims.xms_edov as never)
}

/** Microsoft Entra ID, in one of its clouds. */
export function isEntra(issuer: string): boolean {
  return /^https:\/\/login\.(microsoftonline\.(com|us)|partner\.microsoftonline\.cn)\//i.test(issuer)
}

/**
 * Microsoft Entra ID leaves groups out where there are more than fit: it says where they can be asked for (Core section
 * 5.6.2), or that there are some.
 */
function groupsOf({ groups, roles, hasgroups, _claim_names: elsewhere }: Claims): string[] | undefined {
  const named = typeof elsewhere === 'object' && elsewhere !== null && Object.hasOwn(elsewhere, 'groups')
  if (groups === undefined && (named || hasgroups === true || hasgroups === 'true')) return undefined
  return strings(groups ?? roles)
}

function fullName(claims: Claims): string | undefined {
  const name = [text(claims.given_name), text(claims.family_name)].filter(Boolean).join(' ')
  return text(name)
}

/** A name or an id; the database takes neither NUL nor half a character. */
export function text(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > LONGEST) return undefined
  return value.isWellFormed() && !/\p{Cc}/u.test(value) ? value : undefined
}

function strings(value: unknown): string[] {
  if (!Array.isArray(value)) return []
  return value.filter(each => text(each) !== undefined).slice(0, MOST_VALUES)
}
