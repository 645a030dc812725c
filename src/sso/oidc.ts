// OpenID Connect towards a customer's identity provider, as its relying party: authorization code flow with PKCE, state
// and nonce; ID tokens and logout tokens verified by the upstream's own keys (signed-token.ts). Knows neither HTTP
// routes nor the database: whoever calls keeps what `begin` gives until `finish`, uses it once, and bound to the browser.

import { createHash } from 'node:crypto'
import * as client from 'openid-client'
import { answerOf, emailOf, text } from './oidc-claims.ts'
import { documentsOf, type OidcDocuments, type OidcMetadata } from './oidc-documents.ts'
import { type OutboundLimits, outboundFetch, PATIENCE_MS } from './outbound.ts'
import { CLOCK_TOLERANCE, verifyToken } from './signed-token.ts'
import { type Outbound, SsoError, type UpstreamAnswer, type UpstreamAsk } from './upstream.ts'

/** A connection, as its admin set it up. */
export interface OidcSettings {
  /** The issuer as the provider spells it, or the address of its metadata (`…/.well-known/openid-configuration`). */
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Beside `openid`. Default: `email profile`. */
  readonly scopes?: readonly string[] | undefined
}

/** What a login is known by when it comes back. Secret; used once. */
export interface OidcPending {
  readonly state: string
  readonly nonce: string
  /** Of PKCE, RFC 7636. */
  readonly verifier: string
}

/** What an upstream says of itself, for the page on which a connection is tested. Nothing in it is secret. */
export interface OidcDescription {
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly userinfoEndpoint: string | undefined
  readonly jwksUri: string
  /** Whether it says when a session there ends, and whether it says which (`sid`). */
  readonly backchannelLogout: boolean
  readonly backchannelLogoutSession: boolean
  /** Whether its answers name it (RFC 9207). */
  readonly issParameter: boolean
  readonly acrValues: readonly string[]
}

/** A verified logout token: of a user (`subject`), a session, or both. */
export interface UpstreamLogout {
  readonly subject: string | undefined
  readonly session: string | undefined
  /** `jti`: not to be taken twice within `LOGOUT_TOKEN_LIFE_MS`. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly issuedAt: number
}

export interface OidcUpstreams {
  /**
   * Where to send the user. With `ask.fresh` the upstream is told to authenticate anew, and to say when it did; one that
   * does not say (Microsoft Entra ID, unless `auth_time` is added there) answers without `authenticatedAt`.
   *
   * @param redirectUri without a query
   * @throws SsoError of discovery
   */
  begin(
    settings: OidcSettings,
    redirectUri: string,
    ask: UpstreamAsk,
  ): Promise<OidcPending & { readonly url: string }>
  /**
   * @param redirectUri as for `begin`
   * @param callback the query with which the user came back, as it came
   * @throws SsoError
   */
  finish(
    settings: OidcSettings,
    redirectUri: string,
    callback: URLSearchParams,
    pending: OidcPending,
  ): Promise<UpstreamAnswer>
  /** Back-Channel Logout 1.0 §2.6. That a token comes twice is for whoever calls to see. @throws SsoError */
  verifyLogoutToken(settings: OidcSettings, token: string): Promise<UpstreamLogout>
  /** Asks the upstream anew, ten seconds after it was last asked. @throws SsoError */
  describe(settings: OidcSettings): Promise<OidcDescription>
}

/** From when it was issued a logout token is taken, with the tolerance of clocks. */
export const LOGOUT_TOKEN_LIFE_MS = 5 * 60_000 + CLOCK_TOLERANCE * 1000
const ID_TOKEN_LIFE_MS = 10 * 60_000
const DESCRIPTION_LIFE_MS = 10_000
const MOST_UPSTREAMS = 500
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** Each call ends within the patience, however many requests it takes; documents and keys are shared between calls. */
export function createOidcUpstreams(outbound: Outbound, limits: OutboundLimits = {}): OidcUpstreams {
  const { clock, allowPrivateNetwork } = outbound
  const { patience = PATIENCE_MS } = limits
  const fetch = outboundFetch(outbound, limits)

  const known = new Map<string, OidcDocuments>()
  function documents({ issuer, clientId }: OidcSettings): OidcDocuments {
    const key = JSON.stringify([issuer, clientId])
    const found = known.get(key)
    if (found !== undefined) return found
    if (known.size >= MOST_UPSTREAMS) known.clear()
    const made = documentsOf(issuer, fetch, outbound)
    known.set(key, made)
    return made
  }

  function configurationOf(settings: OidcSettings, metadata: OidcMetadata, signal: AbortSignal) {
    const { clientId, clientSecret } = settings
    const configuration = new client.Configuration(
      { ...metadata },
      clientId,
      {
        // The library reads the machine's clock.
        [client.clockSkew]: (clock() - Date.now()) / 1000,
        [client.clockTolerance]: CLOCK_TOLERANCE,
      },
      authenticationOf(metadata)(clientSecret),
    )
    configuration[client.customFetch] = (address, { method, headers, body }) =>
      fetch(address, { method, headers, body: body as URLSearchParams | undefined, signal })
    if (allowPrivateNetwork) client.allowInsecureRequests(configuration)
    return configuration
  }

  /** A shared request may go on for others, when the one who waits for it has waited long enough. */
  async function inTime<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const signal = AbortSignal.timeout(patience)
    const { promise: tooLate, reject } = Promise.withResolvers<never>()
    const stop = () => reject(new SsoError('unreachable', 'the upstream did not answer in time'))
    signal.addEventListener('abort', stop, { once: true })
    try {
      return await Promise.race([work(signal), tooLate])
    } catch (error) {
      throw faultOf(error)
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  return {
    begin: (settings, redirectUri, ask) =>
      inTime(async signal => {
        const metadata = await documents(settings).metadata.current()
        const state = client.randomState()
        const nonce = client.randomNonce()
        const verifier = client.randomPKCECodeVerifier()
        const url = client.buildAuthorizationUrl(configurationOf(settings, metadata, signal), {
          response_type: 'code',
          redirect_uri: new URL(redirectUri).href,
          scope: ['openid', ...(settings.scopes ?? ['email', 'profile'])].join(' '),
          state,
          nonce,
          code_challenge: await client.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
          ...asked(ask),
        })
        return { url: url.href, state, nonce, verifier }
      }),

    finish: (settings, redirectUri, callback, pending) =>
      inTime(async signal => {
        const { metadata, keys } = documents(settings)
        const told = await metadata.current()
        const configuration = configurationOf(settings, told, signal)
        const answered = new URL(redirectUri)
        answered.search = callback.toString()
        const { id_token: idToken = '', access_token: accessToken } = await client.authorizationCodeGrant(
          configuration,
          answered,
          {
            expectedState: pending.state,
            expectedNonce: pending.nonce,
            pkceCodeVerifier: pending.verifier,
            idTokenExpected: true,
          },
        )
        // The library leaves the signature of a token that came straight from the upstream to TLS (Core §3.1.3.7).
        const { claims, algorithm } = await verifyToken(idToken, keys, {
          issuer: told.issuer,
          audience: settings.clientId,
          now: clock(),
          maxAge: ID_TOKEN_LIFE_MS,
          requiredClaims: ['sub', 'exp', 'nonce'],
        })
        checkIdToken(claims, settings.clientId, clock())
        checkAccessTokenHash(claims.at_hash, algorithm, accessToken)
        const userinfo =
          emailOf(claims) === undefined && told.userinfo_endpoint !== undefined
            ? await userinfoOf(configuration, accessToken, String(claims.sub))
            : undefined
        return answerOf(claims, userinfo, told.issuer)
      }),

    verifyLogoutToken: (settings, token) =>
      inTime(async () => {
        const { metadata, keys } = documents(settings)
        const { issuer } = await metadata.current()
        const { claims, type } = await verifyToken(token, keys, {
          issuer,
          audience: settings.clientId,
          now: clock(),
          maxAge: LOGOUT_TOKEN_LIFE_MS - CLOCK_TOLERANCE * 1000,
          requiredClaims: ['jti', 'events'],
        })
        return logoutOf(claims, type)
      }),

    describe: settings =>
      inTime(async () => descriptionOf(await documents(settings).metadata.youngerThan(DESCRIPTION_LIFE_MS))),
  }
}

function asked({ loginHint, domainHint, acrValues, fresh }: UpstreamAsk): Record<string, string> {
  return {
    ...(loginHint !== undefined && { login_hint: loginHint }),
    ...(domainHint !== undefined && { domain_hint: domainHint }),
    ...(acrValues.length > 0 && { acr_values: acrValues.join(' ') }),
    // `prompt` has the user asked; `max_age` obliges the upstream to say when that was (Core §3.1.2.1, §2).
    ...(fresh && { prompt: 'login', max_age: '0' }),
  }
}

/** RFC 6749 §2.3.1: HTTP Basic is what every server takes; in the body only where nothing else is offered. */
function authenticationOf({ token_endpoint_auth_methods_supported: offered }: OidcMetadata) {
  if (offered === undefined || offered.includes('client_secret_basic')) return client.ClientSecretBasic
  if (offered.includes('client_secret_post')) return client.ClientSecretPost
  throw new SsoError('configuration', 'the upstream takes no client secret at its token endpoint')
}

async function userinfoOf(configuration: client.Configuration, accessToken: string, subject: string) {
  try {
    return await client.fetchUserInfo(configuration, accessToken, subject)
  } catch (error) {
    if (!(error instanceof client.WWWAuthenticateChallengeError)) throw error
    throw new SsoError('configuration', 'the userinfo endpoint does not accept the access token')
  }
}

/** What the library leaves out: `azp` beside a single audience (Core §3.1.3.7), and a login of the future. */
function checkIdToken(claims: Record<string, unknown>, clientId: string, now: number): void {
  if (claims.azp !== undefined && claims.azp !== clientId) {
    throw new SsoError('invalid', 'the token was issued for another party (azp)')
  }
  if (Number(claims.auth_time ?? 0) > now / 1000 + CLOCK_TOLERANCE) {
    throw new SsoError('invalid', "the token's claim auth_time does not hold")
  }
}

/** Core §3.1.3.6. */
function checkAccessTokenHash(expected: unknown, algorithm: string, accessToken: string): void {
  if (expected === undefined) return
  const bits = /(256|384|512)$/.exec(algorithm)?.[1] ?? '512'
  const hash = createHash(`sha${bits}`).update(accessToken).digest()
  if (hash.subarray(0, hash.length / 2).toString('base64url') !== expected) {
    throw new SsoError('invalid', 'the access token is not the one that the token names (at_hash)')
  }
}

function logoutOf(claims: Record<string, unknown>, type: string | undefined): UpstreamLogout {
  const { events, nonce, jti, sub, sid, iat } = claims
  const refuse = (why: string): never => {
    throw new SsoError('invalid', `the logout token does not hold: ${why}`)
  }
  if (type !== undefined && !/^(application\/)?(logout\+)?jwt$/i.test(type)) refuse('typ')
  const event = (events as Record<string, unknown> | null)?.[LOGOUT_EVENT]
  if (typeof event !== 'object' || event === null || Array.isArray(event)) refuse('events')
  if (nonce !== undefined) refuse('nonce')
  const name = (value: unknown, claim: string) => {
    if (value === undefined) return undefined
    return text(value) ?? refuse(claim)
  }
  const subject = name(sub, 'sub')
  const session = name(sid, 'sid')
  const id = name(jti, 'jti') ?? refuse('jti')
  if (subject === undefined && session === undefined) refuse('neither sub nor sid')
  return { subject, session, id, issuedAt: Number(iat) * 1000 }
}

function descriptionOf(metadata: OidcMetadata): OidcDescription {
  return {
    issuer: metadata.issuer,
    authorizationEndpoint: metadata.authorization_endpoint,
    tokenEndpoint: metadata.token_endpoint,
    userinfoEndpoint: metadata.userinfo_endpoint,
    jwksUri: metadata.jwks_uri,
    backchannelLogout: metadata.backchannel_logout_supported,
    backchannelLogoutSession: metadata.backchannel_logout_session_supported,
    issParameter: metadata.authorization_response_iss_parameter_supported,
    acrValues: metadata.acr_values_supported ?? [],
  }
}

/** What the library throws carries tokens and answers in its causes: none goes on from here. */
function faultOf(error: unknown): SsoError {
  if (error instanceof SsoError) return error
  if (error instanceof Error && error.cause instanceof SsoError) return error.cause
  if (error instanceof client.AuthorizationResponseError) return faultOfAuthorization(error.error)
  if (error instanceof client.ResponseBodyError) {
    const fault = error.error === 'invalid_grant' ? 'invalid' : 'configuration'
    return new SsoError(fault, `the token endpoint answered ${shownCode(error.error)}`)
  }
  if (error instanceof client.WWWAuthenticateChallengeError) {
    return new SsoError('configuration', 'the upstream does not accept the client id or the secret')
  }
  if (!(error instanceof client.ClientError)) {
    const { name, code = '' } = error as Error & { code?: string }
    return new SsoError('invalid', `the answer cannot be read: ${name} ${code}`.trimEnd())
  }
  // Messages with a code of the library are its own words.
  const { code = '', cause, message } = error
  const why = code.startsWith('OAUTH_') && cause instanceof Error ? cause.message : message
  return new SsoError(NOT_OF_A_PROVIDER.has(code) ? 'configuration' : 'invalid', why)
}

const NOT_OF_A_PROVIDER = new Set([
  'OAUTH_HTTP_REQUEST_FORBIDDEN',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
])

/** The codes of RFC 6749 §4.1.2.1 and Core §3.1.2.6; what is none of them is a no. */
function faultOfAuthorization(code: string): SsoError {
  const detail = `the upstream answered ${shownCode(code)}`
  if (code === 'server_error' || code === 'temporarily_unavailable')
    return new SsoError('unreachable', detail)
  const isOurs = /^(invalid_|unsupported_|unauthorized_client$|request_|registration_)/.test(code)
  return new SsoError(isOurs ? 'configuration' : 'denied', detail)
}

/** An upstream writes what it likes: only what looks like a registered code is repeated. */
function shownCode(code: string): string {
  return /^[a-z0-9_.-]{1,60}$/i.test(code) ? code : 'an error that is none of OAuth'
}
