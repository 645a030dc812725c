// The one decision: do these claims suffice for this requirement, now? Pure. What is missing in a token makes it
// insufficient, never sufficient. Nothing is verified here: the claims must come from a token that was.

import { type ProtectedAction, sameAction } from './action.ts'
import type { Challenge } from './challenge.ts'
import { ACR_ORDER, CLOCK_SKEW, ERROR } from './constants.ts'

/** What a request needs. Everything that is given must hold. */
export interface Requirement {
  /** Any one of these, in order of preference. Of Sallyport's own, a stronger level meets a weaker one. */
  readonly acr?: string | readonly string[]
  /** Seconds since the user last proved themselves; this age still passes. */
  readonly maxAge?: number
  /** What must have been confirmed. */
  readonly action?: ProtectedAction
  /** Scopes, separated by spaces; all of them. */
  readonly scope?: string
  /** Whose token it must be. */
  readonly subject?: string
  /** Which client it must have been issued to; any one of these. */
  readonly clientId?: string | readonly string[]
}

/** Claims of a verified access token (RFC 9068 section 2.2), or of an introspection response (RFC 7662 section 2.2). */
export interface Claims {
  readonly iss?: string
  readonly sub?: string
  readonly client_id?: string
  readonly scope?: string
  readonly jti?: string
  /** Seconds since 1970, as `exp`. */
  readonly iat?: number
  readonly exp?: number
  readonly acr?: string
  readonly amr?: readonly string[]
  /** Seconds since 1970. */
  readonly auth_time?: number
  readonly authorization_details?: readonly unknown[]
  readonly [claim: string]: unknown
}

export type CheckResult =
  | { readonly ok: true }
  /** What to answer with, in one header: see `stepUpChallenge`. Never empty. */
  | { readonly ok: false; readonly challenges: readonly Challenge[] }

/**
 * Whether claims meet a requirement.
 *
 * The first rung of the ladder that does not hold is answered: a foreign token (`invalid_token`), its scope
 * (`insufficient_scope`), how and when the user was authenticated (RFC 9470, `insufficient_user_authentication`), the
 * confirmed action (`insufficient_authorization`). Of the last two both are told where both lack: one new token must
 * have both.
 *
 * @param now milliseconds since 1970
 * @throws TypeError for an action that is none (see `canonicalAction`), a maxAge that is no number of seconds, an acr
 * without values
 */
export function checkStepUp(claims: Claims, requirement: Requirement, now: number): CheckResult {
  const { maxAge, action, scope, subject, clientId } = requirement
  const acrValues = listOf(requirement.acr)
  if (maxAge !== undefined && !(maxAge >= 0)) throw new TypeError('maxAge is a number of seconds')
  if (requirement.acr !== undefined && !acrValues.some(Boolean)) throw new TypeError('acr names no value')

  if (subject !== undefined && claims.sub !== subject) return foreign('the token was issued for another user')
  const clients = listOf(clientId)
  if (clientId !== undefined && !clients.some(each => each === claims.client_id)) {
    return foreign('the token was issued to another client')
  }
  if (scope !== undefined && !hasScope(claims.scope, scope)) {
    return { ok: false, challenges: [{ error: ERROR.insufficientScope, scope }] }
  }

  const authenticated =
    (acrValues.length === 0 || meetsAcr(claims.acr, acrValues)) &&
    (maxAge === undefined || isFresh(claims.auth_time, maxAge, now))
  const confirmed = action === undefined || listOfDetails(claims).some(each => sameAction(each, action))
  if (authenticated && confirmed) return { ok: true }

  const asked = { ...(acrValues.length > 0 && { acrValues }), ...(maxAge !== undefined && { maxAge }) }
  const challenges: Challenge[] = []
  if (!authenticated) challenges.push({ error: ERROR.insufficientUserAuthentication, ...asked })
  // A new token is needed in any case, and it must carry the action, so the action is told in any case.
  if (action !== undefined) challenges.push(unconfirmed(requirement))
  return { ok: false, challenges }
}

/** The challenge for an action that was not confirmed, or whose confirmation is spent. */
export function unconfirmed({ acr, maxAge, action }: Requirement): Challenge {
  if (action === undefined) throw new TypeError('the requirement has no action')
  const acrValues = listOf(acr)
  return {
    error: ERROR.insufficientAuthorization,
    ...(acrValues.length > 0 && { acrValues }),
    ...(maxAge !== undefined && { maxAge }),
    action,
  }
}

/**
 * Whether an `acr` is one of those asked for, or stronger than one of them in Sallyport's own order.
 *
 * @param acr undefined where a token has none, which meets nothing
 */
export function meetsAcr(acr: unknown, asked: string | readonly string[]): boolean {
  if (typeof acr !== 'string' || acr === '') return false
  const rank = rankOf(acr)
  return listOf(asked).some(each => each === acr || (rank >= 0 && rankOf(each) >= 0 && rank >= rankOf(each)))
}

function rankOf(acr: string): number {
  return ACR_ORDER.findIndex(names => names.includes(acr))
}

function isFresh(authTime: unknown, maxAge: number, now: number): boolean {
  if (typeof authTime !== 'number' || !Number.isFinite(authTime)) return false
  // `auth_time` has whole seconds; so has now, or a token would age by its rounding.
  const age = Math.floor(now / 1000) - authTime
  return age <= maxAge && age >= -CLOCK_SKEW
}

function hasScope(granted: unknown, needed: string): boolean {
  const held = typeof granted === 'string' ? granted.split(' ') : []
  return needed.split(' ').every(each => held.includes(each))
}

function listOfDetails({ authorization_details: details }: Claims): readonly unknown[] {
  return Array.isArray(details) ? details : []
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}

function foreign(description: string): CheckResult {
  return { ok: false, challenges: [{ error: ERROR.invalidToken, description }] }
}
