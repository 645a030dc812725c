// An API that is protected by access tokens: whose tokens it takes, and how they are verified. One of these per process,
// shared by all routes, since it holds the provider's metadata and keys.

import { calculateJwkThumbprint, decodeJwt, EmbeddedJWK, jwtVerify } from 'jose'
import * as oauth from 'oauth4webapi'
import type { Challenge, ChallengeContext } from './challenge.ts'
import type { Claims } from './check.ts'
import { ALGORITHMS, CLOCK_SKEW, DPOP_WINDOW, ERROR, LONGEST_TOKEN } from './constants.ts'
import { digest } from './digest.ts'
import { refusal, UnavailableError } from './errors.ts'
import { accessTo, type ProviderAccess, type ProviderOptions } from './provider.ts'
import type { SpentStore } from './store.ts'

export interface ProtectedApiOptions extends ProviderOptions {
  /** The API's resource identifier (RFC 8707): what its tokens have in `aud`. */
  readonly resource: string
  /** Remembers spent proofs, of actions and of DPoP. Shared by all processes of the API. */
  readonly store: SpentStore
  /**
   * Where clients reach the API, for DPoP: its URL up to the path that this process sees. Default: the origin of
   * `resource`. Never taken from the request's Host.
   */
  readonly publicUrl?: string
  /** Refuses tokens that are not bound to a key. Default false; bound ones always need their proof. */
  readonly requireDPoP?: boolean
  /** For an API registered as opaque: asks the provider about each token (RFC 7662), as this client. */
  readonly introspection?: { readonly clientId: string; readonly clientSecret: string }
}

/** What of a request says who sends it. */
export interface ApiRequest {
  readonly method: string
  /** As sent: path and query. */
  readonly path: string
  /** All headers of these names. */
  readonly authorization: readonly string[]
  readonly dpop: readonly string[]
}

export interface ProtectedApi {
  readonly issuer: string
  readonly resource: string
  readonly store: SpentStore
  clock(): number
  /** How a challenge to this request is made. */
  context(request: ApiRequest): ChallengeContext
  /**
   * The claims of a request's token.
   *
   * @throws StepUpError for anything but a valid token; UnavailableError where that cannot be known
   */
  verify(request: ApiRequest): Promise<Claims>
}

/** What oauth4webapi calls it where not the token is wrong, but how the provider is set up. */
const PROVIDERS_FAULT: readonly string[] = [
  oauth.HTTP_REQUEST_FORBIDDEN,
  oauth.INVALID_SERVER_METADATA,
  oauth.MISSING_SERVER_METADATA,
  oauth.REQUEST_PROTOCOL_FORBIDDEN,
  oauth.RESPONSE_IS_NOT_CONFORM,
  oauth.RESPONSE_IS_NOT_JSON,
]
const CREDENTIALS = /^(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*)$/i

/**
 * Declares an API and whose tokens it takes.
 *
 * @throws TypeError for an issuer that is no URL or uses http on another machine, a resource that is empty, a missing store
 */
export function protectedApi(options: ProtectedApiOptions): ProtectedApi {
  const { resource, store, requireDPoP = false, introspection } = options
  const provider = accessTo(options)
  if (typeof store?.spend !== 'function') {
    throw new TypeError('a store is required: memoryStore() for one process, sqlStore() for several')
  }
  if (typeof resource !== 'string' || resource === '') throw new TypeError('resource is required')
  const origin = URL.parse(options.publicUrl ?? resource)
  if (options.publicUrl !== undefined && origin === null) throw new TypeError('publicUrl is a URL')
  const base =
    origin === null
      ? undefined
      : options.publicUrl === undefined
        ? origin.origin
        : origin.href.replace(/\/$/, '')

  const api: ProtectedApi = {
    issuer: options.issuer,
    resource,
    store,
    clock: provider.clock,
    context: request => ({
      scheme: requireDPoP || /^dpop /i.test(request.authorization[0] ?? '') ? 'DPoP' : 'Bearer',
      realm: resource,
    }),
    async verify(request) {
      const refuse = (challenge?: Challenge, cause?: unknown) =>
        refusal(challenge === undefined ? [] : [challenge], api.context(request), { cause })
      const [authorization = '', second] = request.authorization
      // A request that speaks of no token of ours brings none. The Fetch API joins several headers by commas.
      if (second === undefined && !/(^|,\s*)(bearer|dpop)\b/i.test(authorization)) throw refuse()
      const [, scheme = '', token = ''] = CREDENTIALS.exec(authorization) ?? []
      if (second !== undefined || token === '' || request.dpop.length > 1) {
        throw refuse({ error: ERROR.invalidRequest, description: 'one Authorization header with one token' })
      }
      if (token.length > LONGEST_TOKEN) throw refuse({ error: ERROR.invalidToken })

      const [proof] = request.dpop
      const presented: Presented = {
        token,
        scheme: scheme.toLowerCase(),
        proof,
        request,
        url: urlOf(request),
      }
      let claims: Claims
      try {
        claims =
          introspection === undefined
            ? await verified(presented)
            : await introspected(presented, introspection)
      } catch (cause) {
        if (cause instanceof UnavailableError) throw cause
        if (PROVIDERS_FAULT.includes(String((cause as { code?: unknown }).code))) {
          throw new UnavailableError('the provider cannot be asked for its keys', { cause })
        }
        throw refuse({ error: ERROR.invalidToken }, cause)
      }
      if (presented.scheme === 'dpop' && !(await isFirstUse(presented, claims))) {
        throw refuse({ error: ERROR.invalidToken, description: 'the DPoP proof was used before' })
      }
      return claims
    },
  }

  function urlOf({ path }: ApiRequest): string {
    // Joined as text: `//elsewhere` stays a path.
    return `${base ?? 'https://unknown.invalid'}${path.startsWith('/') ? path : (URL.parse(path)?.pathname ?? '/')}`
  }

  async function verified({ request, url }: Presented): Promise<Claims> {
    const claims = await oauth.validateJwtAccessToken(
      await provider.metadata(),
      asRequest(request, url),
      resource,
      {
        ...provider.requests,
        signingAlgorithms: [...ALGORITHMS],
        requireDPoP,
        [oauth.clockSkew]: Math.round((provider.clock() - Date.now()) / 1000),
      },
    )
    return claims as unknown as Claims
  }

  async function introspected(
    presented: Presented,
    { clientId, clientSecret }: NonNullable<ProtectedApiOptions['introspection']>,
  ): Promise<Claims> {
    const claims = await introspect(provider, { client_id: clientId }, clientSecret, presented.token)
    const { active, iss = provider.issuer, sub, client_id, aud, exp, cnf } = claims
    const audiences: unknown[] = [aud].flat()
    const now = Math.floor(provider.clock() / 1000)
    if (active !== true || iss !== provider.issuer || !audiences.includes(resource)) {
      throw new TypeError('not an active token for this API')
    }
    if (typeof sub !== 'string' || typeof client_id !== 'string' || typeof exp !== 'number' || exp <= now) {
      throw new TypeError('the token lacks a claim, or has expired')
    }
    if (requireDPoP || presented.scheme === 'dpop' || presented.proof !== undefined || cnf !== undefined) {
      await checkProof(presented, cnf, provider.clock())
    }
    return claims as unknown as Claims
  }

  async function isFirstUse({ proof = '' }: Presented, claims: Claims): Promise<boolean> {
    const { jti, iat = 0 } = decodeJwt(proof)
    const { jkt } = claims.cnf as { jkt: string }
    const until = (iat + DPOP_WINDOW + CLOCK_SKEW) * 1000
    return spendOnce(store, `dpop:${digest(jkt, String(jti))}`, until)
  }
  return api
}

interface Presented {
  readonly token: string
  readonly scheme: string
  readonly proof: string | undefined
  readonly request: ApiRequest
  readonly url: string
}

/** @throws UnavailableError where the store does not answer */
export async function spendOnce(store: SpentStore, key: string, expiresAt: number): Promise<boolean> {
  try {
    return (await store.spend(key, expiresAt)) === true
  } catch (cause) {
    throw new UnavailableError('the store of spent proofs does not answer', { cause })
  }
}

async function introspect(
  provider: ProviderAccess,
  client: oauth.Client,
  secret: string,
  token: string,
): Promise<oauth.IntrospectionResponse> {
  const server = await provider.metadata()
  try {
    const authentication = oauth.ClientSecretBasic(secret)
    const options = { ...provider.requests, additionalParameters: { token_type_hint: 'access_token' } }
    const response = await oauth.introspectionRequest(server, client, authentication, token, options)
    return await oauth.processIntrospectionResponse(server, client, response)
  } catch (cause) {
    // The provider refused this API, not the token: nothing is known of the token.
    throw cause instanceof UnavailableError
      ? cause
      : new UnavailableError('introspection was refused', { cause })
  }
}

// RFC 9449 section 4.3, for tokens that only the provider can read; of JWTs, oauth4webapi does it.
async function checkProof(presented: Presented, cnf: unknown, now: number): Promise<void> {
  const { proof = '', request, token, url } = presented
  const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
    typ: 'dpop+jwt',
    algorithms: [...ALGORITHMS],
    requiredClaims: ['iat', 'jti', 'ath', 'htm', 'htu'],
    currentDate: new Date(now),
  })
  const bound = (cnf as { jkt?: unknown } | undefined)?.jkt
  const { iat = 0, ath, htm, htu, jti } = payload
  const right =
    presented.scheme === 'dpop' &&
    bound === (await calculateJwkThumbprint(protectedHeader.jwk ?? {})) &&
    typeof jti === 'string' &&
    Math.abs(Math.floor(now / 1000) - iat) <= DPOP_WINDOW &&
    ath === digest(token) &&
    htm === request.method &&
    withoutQuery(String(htu)) === withoutQuery(url)
  if (!right) throw new TypeError('the DPoP proof does not belong to this token and request')
}

function withoutQuery(url: string): string | undefined {
  const parsed = URL.parse(url)
  return parsed === null ? undefined : `${parsed.origin}${parsed.pathname}`
}

const TAGGED = { [Symbol.toStringTag]: 'Request' }

/**
 * What oauth4webapi reads of a Request: it takes those of any implementation, which it knows by their tag. Node's own
 * costs a fifth of the whole verification, most of it for a body and a signal that are not there.
 */
function asRequest({ method, authorization, dpop }: ApiRequest, url: string): Request {
  const get = (name: string) =>
    (name === 'authorization' ? authorization[0] : name === 'dpop' ? dpop[0] : null) ?? null
  const headers = { get, has: (name: string) => get(name) !== null }
  return Object.assign(Object.create(TAGGED), { method, url, headers }) as Request
}
