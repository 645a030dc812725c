// An identity provider for these tests: the real oidc-provider, with actions confirmed by RFC 9396 details, pushed requests,
// DPoP and introspection. Its users prove themselves by whatever a test says they do. Its key is at hand, so that tests
// can also make tokens that no provider would issue.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import Provider, { type Configuration, interactionPolicy } from 'oidc-provider'
import { createVisitor } from '../support/visitor.ts'

export const RESOURCE = 'https://api.example'
export const OPAQUE = 'https://opaque.example'
export const CALLBACK = 'http://localhost:9/callback'
export const SECRET = 'a-secret-of-a-client-which-is-long-enough'
export const TWO = 'urn:sallyport:acr:2fa'

/** What a user does at the provider. */
export interface Deed {
  readonly as?: string
  readonly acr?: string
  /** How long ago they did, seconds. */
  readonly ago?: number
  readonly press?: 'confirm' | 'cancel' | 'unmet'
}

export interface Authority {
  readonly issuer: string
  /** Requests for its keys so far. */
  readonly keyRequests: () => number
  /** Goes where the URL leads, does the deed, @returns the callback URL that the browser would be sent to */
  visit(url: URL | string, deed?: Deed): Promise<URL>
  /** A token that the provider could have issued; members that are undefined are left out. */
  sign(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
  /** The public key, as PEM: what a confused verifier takes for a shared secret. */
  readonly publicPem: string
  /** Lets every request for metadata, keys or introspection end with 500. */
  breakDown(broken: boolean): void
  close(): Promise<void>
}

/** A confirmed action as the provider puts it into a token. */
export function confirmed(action: string, objects: readonly string[], fields?: Record<string, string>) {
  return [
    {
      type: 'protected_action',
      action,
      objects,
      ...(fields !== undefined && { fields }),
      confirmation_id: crypto.randomUUID(),
    },
  ]
}

/** @param callbacks where users may be sent back to, beside CALLBACK */
export async function openAuthority(callbacks: readonly string[] = []): Promise<Authority> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(privateKey)), kid: 'one', alg: 'ES256', use: 'sig' }
  const der = Buffer.from(await crypto.subtle.exportKey('spki', publicKey)).toString('base64')
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, 'localhost', resolve))
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`

  const policy = interactionPolicy.base()
  const login = policy.get('login')
  const consent = policy.get('consent')
  if (login === undefined || consent === undefined) throw new Error('the library has other prompts')
  consent.checks.remove('rar_prompt')
  // Whatever is asked of the authentication is asked anew.
  login.checks.add(
    new interactionPolicy.Check('step_up', 'something is asked for', ctx => {
      const { params = {}, result } = ctx.oidc
      const asks = params.authorization_details ?? params.acr_values ?? params.max_age
      return asks !== undefined && result?.login === undefined
    }),
  )

  const provider = new Provider(issuer, {
    clients: ['console', 'other'].map(client_id => ({
      client_id,
      client_secret: SECRET,
      redirect_uris: [CALLBACK, ...callbacks],
      grant_types: ['authorization_code', 'client_credentials'],
      id_token_signed_response_alg: 'ES256',
      authorization_details_types: ['protected_action'],
    })),
    jwks: { keys: [jwk] },
    cookies: { keys: ['tests'] },
    scopes: ['openid', 'devices'],
    claims: { openid: ['sub', 'acr', 'amr', 'auth_time'] },
    acrValues: ['urn:sallyport:acr:1fa', TWO, 'phr'],
    pkce: { required: () => true },
    interactions: { policy },
    findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    extraTokenClaims(ctx) {
      const code = ctx.oidc.entities.AuthorizationCode
      return code === undefined ? undefined : { acr: code.acr, amr: code.amr, auth_time: code.authTime }
    },
    ttl: {
      AccessToken: 300,
      AuthorizationCode: 60,
      Grant: 600,
      IdToken: 300,
      Interaction: 600,
      Session: 600,
    },
    async loadExistingGrant(ctx) {
      const { client, session } = ctx.oidc
      if (client === undefined || session?.accountId === undefined) return undefined
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId })
      grant.addOIDCScope('openid')
      for (const resource of [RESOURCE, OPAQUE]) grant.addResourceScope(resource, 'devices openid')
      await grant.save()
      return grant
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: async () => true },
      pushedAuthorizationRequests: { enabled: true },
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: async () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: 'devices',
          audience: resource,
          accessTokenTTL: 300,
          ...(resource === OPAQUE
            ? { accessTokenFormat: 'opaque' as const }
            : { accessTokenFormat: 'jwt' as const, jwt: { sign: { alg: 'ES256' } } }),
        }),
      },
      richAuthorizationRequests: {
        enabled: true,
        types: { protected_action: { validate: async () => undefined } },
        authorizationDetailsForGrantSource(ctx) {
          const details = JSON.parse(String(ctx.oidc.params?.authorization_details)) as object[]
          return details.map(each => ({ ...each, confirmation_id: crypto.randomUUID() })) as never
        },
        authorizationDetailsForAccessToken: (_, __, source: object | undefined, grantType) =>
          grantType === 'authorization_code'
            ? ((source as { rar?: unknown } | undefined)?.rar as never)
            : undefined,
        authorizationDetailsForIntrospection: (_, token: object) => (token as { rar?: unknown }).rar as never,
      },
    },
  } as Configuration)
  provider.on('server_error', (_, error) => console.error(error))
  let broken = false
  let keyRequests = 0
  provider.use(async (ctx, next) => {
    if (ctx.path === '/jwks') keyRequests++
    if (broken) {
      ctx.status = 500
      return
    }
    const uid = /^\/interaction\/([^/]+)$/.exec(ctx.path)?.[1]
    if (uid === undefined) return next()
    if (ctx.method === 'GET') {
      ctx.body = 'Prove yourself'
      return
    }
    const { as = 'dana', acr = TWO, ago = 0, press } = ctx.query as Record<string, string>
    const ends: Record<string, object> = {
      cancel: { error: 'access_denied', error_description: 'cancelled' },
      unmet: { error: 'unmet_authentication_requirements', error_description: 'no passkey' },
    }
    const ts = Math.floor(Date.now() / 1000) - Number(ago)
    const login = { accountId: as, acr, amr: ['pwd', 'otp', 'mfa'], ts }
    ctx.redirect(
      await provider.interactionResult(ctx.req, ctx.res, (ends[String(press)] ?? { login }) as never),
    )
    ctx.status = 303
  })
  server.on('request', provider.callback())

  return {
    issuer,
    keyRequests: () => keyRequests,
    publicPem: `-----BEGIN PUBLIC KEY-----\n${der}\n-----END PUBLIC KEY-----\n`,
    async visit(url, deed = {}) {
      const browser = createVisitor(issuer)
      const page = await browser.follow(String(url))
      if (!page.url.startsWith(`${issuer}/interaction/`)) return new URL(page.url)
      const query = new URLSearchParams(
        Object.entries(deed).map(([name, value]): [string, string] => [name, String(value)]),
      )
      const { location = '' } = await browser.post(`${page.url}?${query}`, {})
      return new URL((await browser.follow(location)).url)
    },
    sign(claims = {}, header = {}) {
      const now = Math.floor(Date.now() / 1000)
      const payload = {
        iss: issuer,
        sub: 'dana',
        aud: RESOURCE,
        client_id: 'console',
        jti: crypto.randomUUID(),
        iat: now,
        exp: now + 300,
        acr: TWO,
        amr: ['pwd', 'otp', 'mfa'],
        auth_time: now,
        scope: 'devices',
        ...claims,
      }
      return new SignJWT(payload as JWTPayload)
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'one', ...header })
        .sign(privateKey, { crit: { odd: true } })
    },
    breakDown(value) {
      broken = value
    },
    close: () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
