// What a refused request is answered with. Each error has the four fields that error handlers of Express, Koa and Fastify
// look for, so that an app's own handler answers rightly without knowing this package.

import { type Challenge, type ChallengeContext, DESCRIPTIONS, stepUpChallenge } from './challenge.ts'
import { ERROR } from './constants.ts'

/** A request that was refused. The message is for developers; it holds nothing of the token. */
export class StepUpError extends Error {
  override name = 'StepUpError'
  readonly status: number
  /** As `status`. */
  readonly statusCode: number
  /** For programs: the `error` of the challenge, or `missing_token`, or `unavailable`. */
  readonly code: string
  /** To be sent with the answer. */
  readonly headers: Record<string, string>
  /** Whether the message is for the client too; Koa asks for it by this name. */
  readonly expose: boolean

  constructor(
    { status, code, message }: { status: number; code: string; message: string },
    headers: Record<string, string>,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.status = status
    this.statusCode = status
    this.code = code
    this.expose = status < 500
    this.headers = { 'Cache-Control': 'no-store', ...headers }
  }
}

/** 401 without an error code: no token came (RFC 6750 section 3.1). */
export class MissingTokenError extends StepUpError {
  override name = 'MissingTokenError'
}

/** 400: more than one Authorization header, or one that cannot be read. */
export class InvalidRequestError extends StepUpError {
  override name = 'InvalidRequestError'
}

/** 401: the token is tampered with, expired, foreign, or replayed with its DPoP proof. */
export class InvalidTokenError extends StepUpError {
  override name = 'InvalidTokenError'
}

/** 403: the token lacks a scope. */
export class InsufficientScopeError extends StepUpError {
  override name = 'InsufficientScopeError'
}

/** 401: the user must prove themselves again, or by more (RFC 9470). */
export class InsufficientUserAuthenticationError extends StepUpError {
  override name = 'InsufficientUserAuthenticationError'
}

/** 401: the user must confirm this very action. */
export class InsufficientAuthorizationError extends StepUpError {
  override name = 'InsufficientAuthorizationError'
}

/** 503: the identity provider or the store did not answer, so nothing can be let through. */
export class UnavailableError extends StepUpError {
  override name = 'UnavailableError'

  constructor(message: string, options?: ErrorOptions) {
    super({ status: 503, code: 'unavailable', message }, { 'Retry-After': '5' }, options)
  }
}

const KINDS = {
  [ERROR.invalidRequest]: { type: InvalidRequestError, status: 400 },
  [ERROR.invalidToken]: { type: InvalidTokenError, status: 401 },
  // RFC 6750 section 3.1
  [ERROR.insufficientScope]: { type: InsufficientScopeError, status: 403 },
  [ERROR.insufficientUserAuthentication]: { type: InsufficientUserAuthenticationError, status: 401 },
  [ERROR.insufficientAuthorization]: { type: InsufficientAuthorizationError, status: 401 },
} as const

/**
 * The error for some challenges: the first says its kind, all of them are in the header.
 *
 * @param challenges none where no token came
 */
export function refusal(
  challenges: readonly Challenge[],
  context: ChallengeContext,
  options?: ErrorOptions,
): StepUpError {
  const headers = {
    'WWW-Authenticate': stepUpChallenge(challenges, context),
    // Scripts of another origin see no header that is not named here.
    'Access-Control-Expose-Headers': 'WWW-Authenticate',
  }
  const [first] = challenges
  if (first === undefined) {
    const what = { status: 401, code: 'missing_token', message: 'an access token is required' }
    return new MissingTokenError(what, headers, options)
  }
  const { type, status } = KINDS[first.error]
  const message = first.description ?? DESCRIPTIONS[first.error]
  return new type({ status, code: first.error, message }, headers, options)
}
