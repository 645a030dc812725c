// The one core of all middlewares: token verified, requirement checked, proof spent, in this order, and only then the
// handler. A function of the request that does not say what it must say refuses the request.

import { canonicalAction, type ProtectedAction, sameAction } from './action.ts'
import { type ApiRequest, type ProtectedApi, spendOnce } from './api.ts'
import { stepUpChallenge } from './challenge.ts'
import { type Claims, checkStepUp, type Requirement, unconfirmed } from './check.ts'
import { CLOCK_SKEW, ERROR } from './constants.ts'
import { digest } from './digest.ts'
import { refusal } from './errors.ts'

type FromRequest<Request, Value> =
  | Value
  | ((request: Request) => Value | undefined | Promise<Value | undefined>)

export interface StepUpOptions<Request> {
  readonly api: ProtectedApi
  /** Any one of these, in order of preference. Of Sallyport's own, a stronger level meets a weaker one. */
  readonly acr?: string | readonly string[]
  /** Seconds since the user last proved themselves; this age still passes. */
  readonly maxAge?: number
  /** Scopes, separated by spaces; all of them. */
  readonly scope?: string
  /** What the user must have confirmed. The proof is then spent by this request. */
  readonly action?: FromRequest<Request, ProtectedAction>
  /** Whose token it must be, for example the user of the app's session. */
  readonly subject?: FromRequest<Request, string>
  /** Which client it must have been issued to; any one of these. */
  readonly clientId?: FromRequest<Request, string | readonly string[]>
  /**
   * Claims that a verifier before this one has verified, audience included; the token is then not looked at again.
   * For apps that have such a middleware already.
   */
  readonly claims?: (request: Request) => Claims | undefined
}

/** What a request that came through has proven. */
export interface Proof {
  readonly claims: Claims
  /** The action that was confirmed: what the handler may do. */
  readonly action?: ProtectedAction
}

/** @throws StepUpError for a request that must not come through */
export type Guard<Request> = (request: Request, read: ApiRequest) => Promise<Proof>

const proofs = new WeakMap<object, Proof>()

/**
 * What a guarded request has proven.
 *
 * @param request as the handler has it: the `req` of Express and Fastify, the `ctx` of Koa, the `Request` of fetch
 * @throws TypeError for a request that no `requireStepUp` let through
 */
export function proofOf(request: object): Proof {
  const proof = proofs.get(request)
  if (proof === undefined) throw new TypeError('this request came through no requireStepUp')
  return proof
}

export function keepProof(request: object, proof: Proof): void {
  proofs.set(request, proof)
}

const REQUIREMENTS = ['acr', 'maxAge', 'scope', 'action', 'subject', 'clientId', 'claims'] as const

/** @throws TypeError for options that ask for nothing, or that are there and undefined */
export function createGuard<Request>(options: StepUpOptions<Request>): Guard<Request> {
  const { api, acr, maxAge, scope } = options
  if (typeof api?.verify !== 'function') throw new TypeError('api is required: see protectedApi()')
  for (const name of REQUIREMENTS) {
    // Else a misspelt setting would switch a check off.
    if (name in options && options[name] === undefined) throw new TypeError(`${name} is given and undefined`)
  }
  if (acr === undefined && maxAge === undefined && options.action === undefined) {
    throw new TypeError('nothing is asked for: give acr, maxAge or action')
  }
  const fixed = {
    ...(acr !== undefined && { acr }),
    ...(maxAge !== undefined && { maxAge }),
    ...(scope !== undefined && { scope }),
  }
  // What is wrong in it is told at the start, not to the first user.
  checkStepUp({}, fixed, 0)
  stepUpChallenge(
    [
      {
        error: ERROR.insufficientUserAuthentication,
        acrValues: [acr ?? []].flat(),
        ...(scope !== undefined && { scope }),
      },
    ],
    { realm: api.resource },
  )
  if (typeof options.action === 'object') canonicalAction(options.action)

  return async (request, read) => {
    const context = api.context(read)
    const claims = options.claims === undefined ? await api.verify(read) : options.claims(request)
    if (claims === undefined) throw refusal([], context)
    const action = await told(options.action, request)
    const subject = await told(options.subject, request)
    const clientId = await told(options.clientId, request)
    if (options.action !== undefined) {
      if (action === undefined) throw new TypeError('action said nothing of this request')
      if (!isAction(action)) {
        throw refusal(
          [{ error: ERROR.invalidRequest, description: 'what is to be done cannot be read' }],
          context,
        )
      }
    }
    if (
      (options.subject !== undefined && !subject) ||
      (options.clientId !== undefined && !clientId?.length)
    ) {
      throw refusal([{ error: ERROR.invalidToken, description: 'nobody is known for this request' }], context)
    }
    const requirement: Requirement = {
      ...fixed,
      ...(action !== undefined && { action }),
      ...(subject !== undefined && { subject }),
      ...(clientId !== undefined && { clientId }),
    }
    const result = checkStepUp(claims, requirement, api.clock())
    if (!result.ok) throw refusal(result.challenges, context)
    if (action === undefined) return { claims }
    const key = spendKey(api.issuer, claims, action)
    if (key === undefined) {
      throw refusal([{ error: ERROR.invalidToken, description: 'the proof has no jti or no exp' }], context)
    }
    const until = (Number(claims.exp) + CLOCK_SKEW) * 1000
    if (!(await spendOnce(api.store, key, until))) throw refusal([unconfirmed(requirement)], context)
    return { claims, action }
  }
}

/** A proof without a name, or without an end, could not be spent. */
function spendKey(issuer: string, claims: Claims, action: ProtectedAction): string | undefined {
  if (typeof claims.exp !== 'number') return undefined
  if (typeof claims.jti === 'string' && claims.jti !== '') return `jti:${digest(issuer, claims.jti)}`
  const detail = claims.authorization_details?.find(each => sameAction(each, action))
  const { confirmation_id: id } = detail as { confirmation_id?: unknown }
  return typeof id === 'string' && id !== '' ? `confirmation:${digest(issuer, id)}` : undefined
}

function told<Request, Value>(
  option: FromRequest<Request, Value> | undefined,
  request: Request,
): Value | undefined | Promise<Value | undefined> {
  return typeof option === 'function'
    ? (option as (request: Request) => Value | undefined | Promise<Value | undefined>)(request)
    : option
}

function isAction(action: ProtectedAction): boolean {
  try {
    return canonicalAction(action) !== ''
  } catch {
    return false
  }
}
