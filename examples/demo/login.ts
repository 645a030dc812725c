// The protocol: OpenID Connect authorization code flow with PKCE, state and nonce (RFC 9700), and logout at the
// provider. What was asked of a login is checked when it comes back: the parameters of an address can be edited on
// their way through the browser. With the login comes an access token for the app's own API.

import { setTimeout as sleep } from 'node:timers/promises'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as client from 'openid-client'

/** What a login must prove beyond the provider's own rules. `maxAge` in seconds. */
export type Asked = { acr?: string; maxAge?: number }

/** What the app keeps while the user is at the provider. */
export type Pending = Asked & { verifier: string; state: string; nonce: string }

export type User = {
  /** Of the ID token. */
  claims: client.IDToken
  idToken: string
  /** For the API. It lives minutes; a new one is had by another login, for which the provider need not ask anything. */
  accessToken: string
  /** Seconds. */
  lifetime: number
  /** Milliseconds since 1970. */
  expiresAt: number
}

/** The login came back without a user; the message is for people. */
export class LoginRefused extends Error {
  override name = 'LoginRefused'
}

/** The provider does not answer; the message says why. */
export class ProviderUnreachable extends Error {
  override name = 'ProviderUnreachable'
}

export type Login = {
  start(asked: Asked): Promise<{ url: URL; state: string; pending: Pending }>
  finish(response: URL, pending: Pending): Promise<User>
  logoutUrl(idToken: string, afterwards: string): Promise<string>
  /**
   * Reads a logout token, by which the provider tells of a session that it has ended.
   *
   * @returns the session, as the ID token's `sid` has it
   * @throws LoginRefused for anything else
   */
  endedSession(logoutToken: string): Promise<string>
}

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

const discoveryMs = 4_000

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

// The innermost cause says most: "fetch failed" hides ECONNREFUSED.
function reasonOf(error: unknown): string {
  const { code, message, cause } = error as { code?: unknown; message?: unknown; cause?: unknown }
  if (cause instanceof Error) return reasonOf(cause)
  return [message, code].filter(part => typeof part === 'string' && part !== '').join(', ') || 'no answer'
}

/** @throws TypeError for an http issuer that is not on this machine */
export function createLogin(options: {
  issuer: string
  clientId: string
  clientSecret: string
  redirectUri: string
  /** The API's resource identifier, and what of it the app needs. */
  resource: string
  scopes: readonly string[]
}): Login {
  const issuer = new URL(options.issuer)
  const insecure = issuer.protocol === 'http:'
  if (insecure && !isLoopback(issuer.hostname))
    throw new TypeError(`the issuer ${options.issuer} must use https, because it is not on this machine`)

  async function discover(): Promise<client.Configuration> {
    const deadline = Date.now() + discoveryMs
    for (let wait = 200; ; wait *= 2) {
      try {
        return await client.discovery(
          issuer,
          options.clientId,
          undefined,
          client.ClientSecretBasic(options.clientSecret),
          { timeout: discoveryMs / 1000, execute: insecure ? [client.allowInsecureRequests] : [] },
        )
      } catch (error) {
        if (Date.now() + wait > deadline) throw new ProviderUnreachable(reasonOf(error), { cause: error })
        await sleep(wait)
      }
    }
  }

  let known: Promise<client.Configuration> | undefined
  // Kept once it worked; after a failure the next visitor tries again.
  function provider(): Promise<client.Configuration> {
    known ??= discover().catch(error => {
      known = undefined
      throw error
    })
    return known
  }

  let keys: ReturnType<typeof createRemoteJWKSet> | undefined

  return {
    async start(asked) {
      const pending: Pending = {
        ...asked,
        verifier: client.randomPKCECodeVerifier(),
        state: client.randomState(),
        nonce: client.randomNonce(),
      }
      const url = client.buildAuthorizationUrl(await provider(), {
        redirect_uri: options.redirectUri,
        scope: ['openid', ...options.scopes].join(' '),
        resource: options.resource,
        // The access token is for the API, and therefore not for the provider's userinfo.
        claims: JSON.stringify({ id_token: { email: null, name: null } }),
        code_challenge: await client.calculatePKCECodeChallenge(pending.verifier),
        code_challenge_method: 'S256',
        state: pending.state,
        nonce: pending.nonce,
        ...(asked.acr === undefined ? {} : { acr_values: asked.acr }),
        ...(asked.maxAge === undefined ? {} : { max_age: String(asked.maxAge) }),
      })
      return { url, state: pending.state, pending }
    },

    async finish(response, pending) {
      const configuration = await provider()
      try {
        const checks = {
          pkceCodeVerifier: pending.verifier,
          expectedState: pending.state,
          expectedNonce: pending.nonce,
          ...(pending.maxAge === undefined ? {} : { maxAge: pending.maxAge }),
        }
        const { resource } = options
        const tokens = await client.authorizationCodeGrant(configuration, response, checks, { resource })
        const claims = tokens.claims()
        if (claims === undefined || tokens.id_token === undefined) throw new LoginRefused('No ID token came.')
        if (pending.acr !== undefined && claims.acr !== pending.acr)
          throw new LoginRefused(
            `This app asked for ${pending.acr}, and the provider confirmed ${claims.acr}.`,
          )
        const { access_token: accessToken, id_token: idToken, expires_in: lifetime = 60 } = tokens
        return { claims, idToken, accessToken, lifetime, expiresAt: Date.now() + lifetime * 1000 }
      } catch (error) {
        if (error instanceof client.AuthorizationResponseError)
          throw new LoginRefused(
            error.error === 'access_denied'
              ? 'The login was cancelled.'
              : `The provider answered ${error.error}${error.error_description ? `: ${error.error_description}` : ''}.`,
            { cause: error },
          )
        if (error instanceof client.ResponseBodyError || error instanceof client.ClientError)
          throw new LoginRefused(`The provider's answer was not accepted: ${reasonOf(error)}.`, {
            cause: error,
          })
        if (error instanceof TypeError) throw new ProviderUnreachable(reasonOf(error), { cause: error })
        throw error
      }
    },

    async logoutUrl(idToken, afterwards) {
      const configuration = await provider()
      if (configuration.serverMetadata().end_session_endpoint === undefined) return afterwards
      return client.buildEndSessionUrl(configuration, {
        id_token_hint: idToken,
        post_logout_redirect_uri: afterwards,
      }).href
    },

    // OpenID Connect Back-Channel Logout 1.0, section 2.6. Ending a session twice is harmless, so no `jti` is kept.
    async endedSession(logoutToken) {
      const { jwks_uri } = (await provider()).serverMetadata()
      keys ??= createRemoteJWKSet(new URL(jwks_uri ?? ''))
      const { payload } = await jwtVerify(logoutToken, keys, {
        issuer: options.issuer,
        audience: options.clientId,
        typ: 'logout+jwt',
        requiredClaims: ['iat', 'exp', 'jti', 'events', 'sid'],
      }).catch(error => {
        throw new LoginRefused(`The logout token was not accepted: ${reasonOf(error)}.`, { cause: error })
      })
      const { events, nonce, sid } = payload
      const tells = typeof events === 'object' && events !== null && LOGOUT_EVENT in events
      if (!tells || nonce !== undefined || typeof sid !== 'string') {
        throw new LoginRefused('The logout token was not accepted: it does not end a session.')
      }
      return sid
    },
  }
}
