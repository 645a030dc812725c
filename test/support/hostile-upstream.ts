// An OpenID provider that tells lies, with real keys and over real HTTP: each login is right but for what `lies` says.

import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { base64url, type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

export interface Lies {
  /** Members put in place of the right ones; undefined takes one away. */
  metadata?: Record<string, unknown>
  header?: Record<string, unknown>
  claims?: Record<string, unknown>
  /** Of the answer of the token endpoint. */
  token?: Record<string, unknown>
  userinfo?: Record<string, unknown>
  /** Of the query with which the user comes back. */
  callback?: Record<string, string | undefined>
  /** Signs in place of the published key. */
  key?: CryptoKey | Uint8Array
  /** Answers in place of what stands at a path. */
  paths?: Record<string, Handler>
}

export interface HostileUpstream {
  readonly issuer: string
  /** Paths in the order that they were asked for. */
  readonly asked: string[]
  /** What came to the token endpoint, newest last. */
  readonly redeemed: { readonly authorization: string | undefined; readonly form: URLSearchParams }[]
  lies: Lies
  /** Publishes another key, and signs by it from now on. */
  rotate(): Promise<void>
  /** The public key as anybody can read it. */
  publicKey(): Promise<Record<string, unknown>>
  /** What the user comes back with. */
  visit(url: string): URLSearchParams
  /** A token that is right but for the lies. */
  sign(claims: Record<string, unknown>): Promise<string>
  close(): Promise<void>
}

/** @param clock milliseconds since 1970 */
export async function startHostileUpstream(clock: () => number): Promise<HostileUpstream> {
  const server = createServer((request, response) => void handle(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  let keys = await firstKeys
  const nonces = new Map<string, string>()

  async function sign(claims: Record<string, unknown>): Promise<string> {
    const { header, key = keys.privateKey, claims: other } = upstream.lies
    const protectedHeader = without({ alg: 'RS256', kid: keys.kid, ...header })
    const payload = without({ ...claims, ...other })
    if (protectedHeader.alg === 'none') {
      const parts = [protectedHeader, payload].map(each => base64url.encode(JSON.stringify(each)))
      return `${parts.join('.')}.`
    }
    return new SignJWT(payload).setProtectedHeader(protectedHeader as { alg: string }).sign(key)
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', issuer)
    upstream.asked.push(pathname)
    const lie = upstream.lies.paths?.[pathname]
    if (lie !== undefined) return lie(request, response)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(await answer(pathname, request)))
  }

  async function answer(path: string, request: IncomingMessage): Promise<Record<string, unknown>> {
    const { lies } = upstream
    if (path === '/jwks') return { keys: [await upstream.publicKey()] }
    if (path === '/userinfo') return without({ sub: 'user-1', email: 'una@acme.example', ...lies.userinfo })
    if (path !== '/token') return without({ ...metadata(issuer), ...lies.metadata })
    let body = ''
    for await (const chunk of request) body += chunk
    const form = new URLSearchParams(body)
    upstream.redeemed.push({ authorization: request.headers.authorization, form })
    const accessToken = randomUUID()
    const idToken = await sign({
      iss: issuer,
      aud: 'sallyport',
      sub: 'user-1',
      nonce: nonces.get(form.get('code') ?? ''),
      iat: seconds(clock()),
      exp: seconds(clock()) + 300,
      auth_time: seconds(clock()),
      at_hash: createHash('sha256').update(accessToken).digest().subarray(0, 16).toString('base64url'),
      email: 'una@acme.example',
      email_verified: true,
    })
    return without({ access_token: accessToken, token_type: 'Bearer', id_token: idToken, ...lies.token })
  }

  const upstream: HostileUpstream = {
    issuer,
    asked: [],
    redeemed: [],
    lies: {},
    async rotate() {
      keys = await newKeys()
    },
    publicKey: async () => ({
      ...(await exportJWK(keys.publicKey)),
      kid: keys.kid,
      alg: 'RS256',
      use: 'sig',
    }),
    visit(url) {
      const { searchParams: given } = new URL(url)
      const code = randomUUID()
      nonces.set(code, given.get('nonce') ?? '')
      const back = without({ code, state: given.get('state'), iss: issuer, ...upstream.lies.callback })
      return new URLSearchParams(back as Record<string, string>)
    },
    sign,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return upstream
}

function metadata(issuer: string): Record<string, unknown> {
  return {
    issuer,
    authorization_endpoint: `${issuer}/auth`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    id_token_signing_alg_values_supported: ['RS256', 'ES256', 'HS256', 'none'],
    authorization_response_iss_parameter_supported: true,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    acr_values_supported: ['silver', 'gold'],
  }
}

async function newKeys() {
  return { ...(await generateKeyPair('RS256')), kid: randomUUID() }
}

// Made once: RSA keys take their time.
const firstKeys = newKeys()

function without(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

export function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
