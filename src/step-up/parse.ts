// The client's half of a challenge: what an API asks for, read from its answer. Runs in browsers too. What cannot be read
// is no step-up challenge, so that nothing is asked of a user that the API did not ask for.

import { decode } from 'jose/base64url'
import type { ProtectedAction } from './action.ts'
import { type ChallengeError, ERROR, PARAMETER } from './constants.ts'

/** What an API asks its user to do before it answers. JSON: it can be sent on as it is. */
export interface StepUpChallenge {
  /** `insufficient_user_authentication`, `insufficient_authorization`, or both. */
  readonly errors: readonly ChallengeError[]
  readonly acrValues?: readonly string[]
  /** Seconds. */
  readonly maxAge?: number
  /** The actions to confirm, to be sent as `authorization_details`. */
  readonly authorizationDetails?: readonly ProtectedAction[]
  /** Names those actions. The same twice, a token in between, means that asking again is no use. */
  readonly authorizationReference?: string
  readonly scope?: string
}

const ASKS: readonly string[] = [ERROR.insufficientUserAuthentication, ERROR.insufficientAuthorization]
const NAME = /^[ \t,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)/
const VALUE = /^[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/
const TOKEN68 = /^[ \t]+[A-Za-z0-9\-._~+/]+=*[ \t]*(?=,|$)/

/**
 * What a response asks for.
 *
 * @returns undefined for a response that is no 401, or whose challenge is none that a user can meet
 */
export function parseStepUpChallenge(response: {
  readonly status: number
  readonly headers: { get(name: string): string | null }
}): StepUpChallenge | undefined {
  const header = response.status === 401 ? response.headers.get('www-authenticate') : null
  const challenges = (header === null ? [] : parametersIn(header)).filter(({ error = '' }) =>
    ASKS.includes(error),
  )
  const merged: Record<string, string> = Object.assign({}, ...challenges)
  if (challenges.length === 0) return undefined
  const remediation = merged[PARAMETER.remediation]
  const told = remediation === undefined ? {} : remediationOf(remediation)
  const errors = challenges.map(({ error }) => error as ChallengeError)
  if (told === undefined) return undefined
  if (errors.includes(ERROR.insufficientAuthorization) && remediation === undefined) return undefined
  const { acr_values: acr, max_age: age, scope } = merged
  return {
    errors,
    ...(acr !== undefined && { acrValues: acr.split(' ').filter(Boolean) }),
    ...(age !== undefined && /^\d{1,10}$/.test(age) && { maxAge: Number(age) }),
    ...told,
    ...(scope !== undefined && { scope }),
  }
}

function remediationOf(
  text: string,
): Pick<StepUpChallenge, 'authorizationDetails' | 'authorizationReference'> | undefined {
  try {
    const { authorization_details: details, authorization_reference: reference } = JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(decode(text)),
    )
    if (details !== undefined && !(Array.isArray(details) && details.every(isDetail))) return undefined
    if (reference !== undefined && typeof reference !== 'string') return undefined
    if (details === undefined && reference === undefined) return undefined
    return {
      ...(details !== undefined && { authorizationDetails: details }),
      ...(reference !== undefined && { authorizationReference: reference }),
    }
  } catch {
    return undefined
  }
}

function isDetail(value: unknown): value is ProtectedAction {
  return typeof value === 'object' && value !== null && typeof (value as ProtectedAction).type === 'string'
}

/** The parameters of each challenge in a header (RFC 9110 section 11.6.1), by lower-case name; none if it is broken. */
function parametersIn(header: string): Record<string, string>[] {
  const challenges: Record<string, string>[] = []
  let rest = header
  while (/[^\s,]/.test(rest)) {
    const [matched = '', name = ''] = NAME.exec(rest) ?? []
    if (matched === '') return []
    const value = VALUE.exec(rest.slice(matched.length))
    const current = challenges.at(-1)
    if (value === null) {
      // A scheme: a name that no "=" follows.
      challenges.push({})
      rest = rest.slice(matched.length)
      rest = rest.slice(TOKEN68.exec(rest)?.[0].length ?? 0)
    } else {
      if (current === undefined || Object.hasOwn(current, name.toLowerCase())) return []
      current[name.toLowerCase()] = value[2] ?? (value[1] ?? '').replaceAll(/\\(.)/g, '$1')
      rest = rest.slice(matched.length + value[0].length)
    }
  }
  return challenges
}
