// What a challenge says, and the header that says it (RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9470 section 3).
// Nothing that a request or an action brings stands in the header as it came: names of actions travel as base64url, and
// values that could end a quoted text are refused.

import { encode } from 'jose/base64url'
import { actionReference, type ProtectedAction } from './action.ts'
import { ALGORITHMS, type ChallengeError, ERROR, LONGEST_REMEDIATION, PARAMETER } from './constants.ts'

/** One challenge, before it is a header. */
export interface Challenge {
  readonly error: ChallengeError
  /** For developers; printable ASCII without quotes. */
  readonly description?: string
  readonly scope?: string
  readonly acrValues?: readonly string[]
  /** Seconds. */
  readonly maxAge?: number
  /** The action to be confirmed. */
  readonly action?: ProtectedAction
}

export interface ChallengeContext {
  /** `DPoP` where the token is, or must be, bound to a key (RFC 9449 section 7.1). */
  readonly scheme?: 'Bearer' | 'DPoP'
  /** What the challenge is about, usually the API's resource identifier. */
  readonly realm?: string
}

/** What each error says where nothing closer is known. */
export const DESCRIPTIONS: Readonly<Record<ChallengeError, string>> = {
  [ERROR.invalidRequest]: 'the request is not well-formed',
  [ERROR.invalidToken]: 'the access token is not valid here',
  [ERROR.insufficientScope]: 'the access token lacks a scope',
  [ERROR.insufficientUserAuthentication]: 'a stronger or more recent authentication is required',
  [ERROR.insufficientAuthorization]: 'this action must be confirmed by the user',
}

/**
 * The value of `WWW-Authenticate` for some challenges, joined by commas into one header.
 *
 * An action whose remediation would not fit a header is told by its `authorization_reference` alone.
 *
 * @param challenges none for a request without a token, which is told no error (RFC 6750 section 3.1)
 * @throws TypeError for a value that no header can carry: quotes, control characters, anything beyond ASCII
 */
export function stepUpChallenge(challenges: readonly Challenge[], context: ChallengeContext = {}): string {
  const { scheme = 'Bearer', realm } = context
  const common = [
    ...(realm === undefined ? [] : [quoted(PARAMETER.realm, realm)]),
    ...(scheme === 'DPoP' ? [quoted(PARAMETER.algorithms, ALGORITHMS.join(' '))] : []),
  ]
  const parts = challenges.length === 0 ? [[]] : challenges.map(parametersOf)
  return parts.map(each => [scheme, [...common, ...each].join(', ')].filter(Boolean).join(' ')).join(', ')
}

function parametersOf(challenge: Challenge): string[] {
  const { error, description = DESCRIPTIONS[error], scope, acrValues, maxAge, action } = challenge
  return [
    ...(scope === undefined ? [] : [quoted(PARAMETER.scope, scope)]),
    quoted(PARAMETER.error, error),
    quoted(PARAMETER.description, description),
    ...(acrValues === undefined ? [] : [quoted(PARAMETER.acrValues, acrValues.join(' '))]),
    ...(maxAge === undefined ? [] : [`${PARAMETER.maxAge}=${Math.floor(maxAge)}`]),
    ...(action === undefined ? [] : [quoted(PARAMETER.remediation, remediation(action))]),
  ]
}

// draft-ietf-oauth-rar-metadata-remediation-00 section 4
function remediation(action: ProtectedAction): string {
  const authorization_reference = actionReference(action)
  const whole = encode(JSON.stringify({ authorization_details: [action], authorization_reference }))
  return whole.length <= LONGEST_REMEDIATION ? whole : encode(JSON.stringify({ authorization_reference }))
}

// Of a quoted-string (RFC 9110 section 5.6.4) what needs no escape: many parsers know of none.
function quoted(name: string, value: string): string {
  if (!/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(value)) {
    throw new TypeError(`${name} has characters that a header cannot carry`)
  }
  return `${name}="${value}"`
}
