// The app's back end: from a challenge to an authorization request, and from its answer to a token for the request that
// waits. What waits stays here, bound to the browser's session; of the address that the browser comes back with nothing is
// used but what the protocol needs. Always by a new authorization request, never by a refresh; and never twice for the
// same thing.

import * as oauth from 'oauth4webapi'
import { canonicalAction, type ProtectedAction, sameAction } from './action.ts'
import { meetsAcr } from './check.ts'
import { digest } from './digest.ts'
import { parseStepUpChallenge, type StepUpChallenge } from './parse.ts'
import { accessTo, type ProviderOptions } from './provider.ts'
import type { PendingStore } from './store.ts'

export { parseStepUpChallenge, type StepUpChallenge } from './parse.ts'
export { memoryStore, type PendingStore, sqlStore, sqlStoreTable } from './store.ts'

export interface StepUpClientOptions extends ProviderOptions {
  readonly clientId: string
  /** Left out for a public client, or with `authentication`. */
  readonly clientSecret?: string
  /** Another way to authenticate the client, for example `oauth4webapi.PrivateKeyJwt(key)`. */
  readonly authentication?: oauth.ClientAuth
  /** As registered; the route that calls `finish`. */
  readonly redirectUri: string
  /** The API's resource identifier (RFC 8707). */
  readonly resource: string
  /** Where waiting requests are sent. Default: the origin of `resource`. */
  readonly apiUrl?: string
  /** Default `openid`, which it must contain; beside it the API's scopes. */
  readonly scope?: string
  /** Keeps what waits. Shared by all processes of the app. */
  readonly store: PendingStore
  /** Binds tokens to this key (RFC 9449). The same in all processes of the app. */
  readonly dpopKey?: oauth.CryptoKeyPair
}

/** A request to the API that waits for its proof. */
export interface WaitingRequest {
  readonly method: string
  /** Path and query at the API. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface BeginStepUp {
  /** What the API asked for. It may come by way of the browser: whatever it says, the user sees it and decides. */
  readonly challenge: StepUpChallenge
  /** The id of the browser's session at the app: only it can finish. */
  readonly session: string
  /** Who is logged in there: the token must be theirs. */
  readonly subject?: string
  /** The request to send again, with the token. */
  readonly request?: WaitingRequest
  /** Anything else to be handed back, as JSON. */
  readonly keep?: unknown
  /** Needed where the challenge was too long to carry the action itself. */
  readonly authorizationDetails?: readonly ProtectedAction[]
  /** The `reference` that a token was just obtained for, if the API still refuses with it. */
  readonly after?: string | undefined
}

/** What was kept, handed back once. */
export interface Kept {
  readonly request?: WaitingRequest
  readonly keep?: unknown
  /** Of the actions that were asked for. */
  readonly reference?: string
}

export interface Confirmed extends Kept {
  readonly outcome: 'confirmed'
  readonly accessToken: string
  /** `bearer` or `dpop`. */
  readonly tokenType: string
  /** Claims of the ID token. */
  readonly claims: Readonly<Record<string, unknown>>
  /**
   * Sends the waiting request with the token.
   *
   * @throws TypeError if none waits, or for a second call; StepUpLoopError if the API asks for the very same again
   */
  replay(): Promise<Response>
}

export type StepUpOutcome =
  | Confirmed
  /** The user pressed Cancel. */
  | (Kept & { readonly outcome: 'cancelled' })
  /** This user cannot meet what is asked, for example has no passkey. */
  | (Kept & { readonly outcome: 'unmet' })

/** The answer of the provider is not one to this browser's request, or not what was asked for. Nothing was done. */
export class StepUpRefusedError extends Error {
  override name = 'StepUpRefusedError'
  readonly status = 400
  readonly statusCode = 400
  /** `unknown_state`, `not_as_asked`, or the provider's own `error`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The API asks again for what was just confirmed: something is set up wrongly, and asking the user again cannot help. */
export class StepUpLoopError extends Error {
  override name = 'StepUpLoopError'
  readonly status = 502
  readonly statusCode = 502
  readonly code = 'step_up_loop'
}

export interface StepUpClient {
  /**
   * Starts a step-up.
   *
   * @returns where to send the browser, by 303
   * @throws StepUpLoopError; UnavailableError; TypeError for a challenge that asks for no protected action, or a request
   * to elsewhere
   */
  begin(step: BeginStepUp): Promise<{ readonly url: URL }>
  /**
   * Ends one, at the redirect URI.
   *
   * @param callback the URL of the request, or its path and query
   * @throws StepUpRefusedError; UnavailableError
   */
  finish(callback: { readonly url: URL | string; readonly session: string }): Promise<StepUpOutcome>
}

interface Waiting {
  readonly verifier: string
  readonly nonce: string
  readonly challenge: Pick<StepUpChallenge, 'acrValues' | 'maxAge'>
  readonly details?: readonly ProtectedAction[]
  readonly subject?: string
  readonly kept: Kept
}

/** An authorization request is answered within this time, or not at all. */
const PATIENCE = 15 * 60 * 1000

/**
 * Declares an app to its back end.
 *
 * @throws TypeError for an issuer that is no URL or uses http on another machine, a missing store, a scope without `openid`
 */
export function stepUpClient(options: StepUpClientOptions): StepUpClient {
  const { clientId, redirectUri, resource, store, scope = 'openid', dpopKey } = options
  const provider = accessTo(options)
  if (typeof store?.take !== 'function') {
    throw new TypeError('a store is required: memoryStore() for one process, sqlStore() for several')
  }
  // What was asked of the user is checked in the ID token.
  if (!scope.split(' ').includes('openid')) throw new TypeError('the scope contains openid')
  const api = URL.parse(options.apiUrl ?? resource)
  const client: oauth.Client = { client_id: clientId }
  const authentication =
    options.authentication ??
    (options.clientSecret === undefined ? oauth.None() : oauth.ClientSecretBasic(options.clientSecret))
  const DPoP = dpopKey === undefined ? undefined : oauth.DPoP(client, dpopKey)
  const requests = { ...provider.requests, ...(DPoP !== undefined && { DPoP }) }

  const keyOf = (session: string, state: string) => `pending:${digest(clientId, session, state)}`

  async function begin(step: BeginStepUp): Promise<{ readonly url: URL }> {
    const { challenge, session, subject, request, keep, after } = step
    if (session === '') throw new TypeError('session is the id of the browser’s session')
    const details = step.authorizationDetails ?? challenge.authorizationDetails
    const { acrValues, maxAge, authorizationReference: reference } = challenge
    if (after !== undefined && after === reference) {
      throw new StepUpLoopError('the API refuses a token that has just been issued for what it asks')
    }
    if (reference !== undefined && details === undefined) {
      throw new TypeError('the challenge does not carry the action: give authorizationDetails')
    }
    for (const each of details ?? []) canonicalAction(each)
    if (request !== undefined) urlAt(request.path)

    const verifier = oauth.generateRandomCodeVerifier()
    const state = oauth.generateRandomState()
    const nonce = oauth.generateRandomNonce()
    const parameters = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      scope,
      state,
      nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      resource,
      ...(acrValues !== undefined && { acr_values: acrValues.join(' ') }),
      ...(maxAge !== undefined && { max_age: String(maxAge) }),
      ...(details !== undefined && { authorization_details: JSON.stringify(details) }),
    })
    const url = await addressOf(parameters, details !== undefined)
    const waiting: Waiting = {
      verifier,
      nonce,
      challenge: { ...(acrValues !== undefined && { acrValues }), ...(maxAge !== undefined && { maxAge }) },
      ...(details !== undefined && { details }),
      ...(subject !== undefined && { subject }),
      kept: {
        ...(request !== undefined && { request }),
        ...(keep !== undefined && { keep }),
        ...(reference !== undefined && { reference }),
      },
    }
    await store.keep(keyOf(session, state), JSON.stringify(waiting), provider.clock() + PATIENCE)
    return { url }
  }

  /** Pushed (RFC 9126) where the provider takes that: an address bar can be edited. An action is always pushed. */
  async function addressOf(parameters: URLSearchParams, isAction: boolean): Promise<URL> {
    const server = await provider.metadata()
    if (server.authorization_endpoint === undefined)
      throw new TypeError('the provider has no authorization endpoint')
    const url = new URL(server.authorization_endpoint)
    if (server.pushed_authorization_request_endpoint === undefined) {
      if (isAction)
        throw new TypeError('the provider takes no pushed authorization requests, which actions need')
      for (const [name, value] of parameters) url.searchParams.set(name, value)
      return url
    }
    const { request_uri } = await withNonce(async () =>
      oauth.processPushedAuthorizationResponse(
        server,
        client,
        await oauth.pushedAuthorizationRequest(server, client, authentication, parameters, requests),
      ),
    ).catch(refused)
    url.searchParams.set('client_id', clientId)
    url.searchParams.set('request_uri', request_uri)
    return url
  }

  async function finish({ url, session }: { url: URL | string; session: string }): Promise<StepUpOutcome> {
    const { searchParams } = new URL(url, redirectUri)
    const state = searchParams.getAll('state')
    const held = state.length === 1 ? await store.take(keyOf(session, String(state[0]))) : undefined
    if (held === undefined) {
      throw new StepUpRefusedError(
        'unknown_state',
        'this was not started in this browser, or it was used already, or too long ago',
      )
    }
    const waiting = JSON.parse(held) as Waiting
    const server = await provider.metadata()
    let parameters: URLSearchParams
    try {
      parameters = oauth.validateAuthResponse(server, client, searchParams, String(state[0]))
    } catch (error) {
      const code = error instanceof oauth.AuthorizationResponseError ? error.error : undefined
      if (code === 'access_denied') return { outcome: 'cancelled', ...waiting.kept }
      if (code === 'unmet_authentication_requirements') return { outcome: 'unmet', ...waiting.kept }
      throw refusedBy(error)
    }
    const answer = await withNonce(async () =>
      oauth.processAuthorizationCodeResponse(
        server,
        client,
        await oauth.authorizationCodeGrantRequest(
          server,
          client,
          authentication,
          parameters,
          redirectUri,
          waiting.verifier,
          { ...requests, additionalParameters: { resource } },
        ),
        {
          expectedNonce: waiting.nonce,
          requireIdToken: true,
          ...(waiting.challenge.maxAge !== undefined && { maxAge: waiting.challenge.maxAge }),
        },
      ),
    ).catch(refused)
    const claims = oauth.getValidatedIdTokenClaims(answer)
    if (claims === undefined) throw new StepUpRefusedError('not_as_asked', 'no ID token came')
    checkAnswer(waiting, claims, answer.authorization_details)
    return {
      outcome: 'confirmed',
      ...waiting.kept,
      accessToken: answer.access_token,
      tokenType: answer.token_type,
      claims,
      replay: replayOnce(answer.access_token, waiting.kept),
    }
  }

  function replayOnce(token: string, { request, reference }: Kept): () => Promise<Response> {
    let left = request
    return async () => {
      if (left === undefined) throw new TypeError('no request waits, or it was sent already')
      const { method, path, headers = {}, body } = left
      left = undefined
      const response = await send(token, method, urlAt(path), headers, body)
      const again = parseStepUpChallenge(response)
      // Without an action the same reference is: whatever is asked for again.
      if (again !== undefined && again.authorizationReference === reference) {
        throw new StepUpLoopError('the API refuses a token that has just been issued for what it asks')
      }
      return response
    }
  }

  async function send(
    token: string,
    method: string,
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: string | undefined,
  ): Promise<Response> {
    const direct = { ...requests, [oauth.customFetch]: (options.fetch ?? fetch) as never }
    try {
      return await withNonce(() =>
        oauth.protectedResourceRequest(token, method, url, new Headers(headers), body ?? null, direct),
      )
    } catch (error) {
      if (error instanceof oauth.WWWAuthenticateChallengeError) return error.response
      throw error
    }
  }

  // The token goes to the API, whatever was kept.
  function urlAt(path: string): URL {
    if (api === null) throw new TypeError('the resource is no URL: give apiUrl')
    const url = URL.parse(api.origin + (path.startsWith('/') ? path : `/${path}`))
    if (url === null || url.origin !== api.origin) throw new TypeError('the path leads away from the API')
    return url
  }
  return { begin, finish }
}

/** @throws StepUpRefusedError for an answer that is not what was asked for */
function checkAnswer(waiting: Waiting, claims: oauth.IDToken, granted: unknown): void {
  const { challenge, details = [], subject } = waiting
  const refuse = (message: string) => new StepUpRefusedError('not_as_asked', message)
  if (subject !== undefined && claims.sub !== subject) throw refuse('another user has confirmed')
  if (challenge.acrValues !== undefined && !meetsAcr(claims.acr, challenge.acrValues)) {
    throw refuse('the user was authenticated by less than was asked for')
  }
  const confirmed: unknown[] = Array.isArray(granted) ? granted : []
  if (!details.every(each => confirmed.some(one => sameAction(one, each)))) {
    throw refuse('another action was confirmed')
  }
}

/** Once more where the server wants its nonce in the DPoP proof (RFC 9449 section 8). */
async function withNonce<Answer>(request: () => Promise<Answer>): Promise<Answer> {
  try {
    return await request()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return request()
  }
}

function refused(error: unknown): never {
  throw refusedBy(error)
}

function refusedBy(error: unknown): unknown {
  if (error instanceof oauth.ResponseBodyError || error instanceof oauth.AuthorizationResponseError) {
    const { error: code, error_description: description } = error
    const why = description === undefined ? code : `${code}: ${description}`
    return new StepUpRefusedError(code, `the provider answered ${why}`, { cause: error })
  }
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    return new StepUpRefusedError('not_as_asked', error.message, { cause: error })
  }
  return error
}
