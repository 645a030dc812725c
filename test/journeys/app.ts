// An app that lets Sallyport log its users in, for journeys that need other ones than the demo: third-party, native,
// asking for more. By openid-client, with a real server for the answer, so that a browser arrives somewhere.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as client from 'openid-client'
import { setActions } from '../../src/actions/registration.ts'
import { createApi } from '../../src/apis.ts'
import { randomText } from '../../src/clients.ts'
import { ACTIONS } from '../support/console.ts'
import type { Stage } from '../support/stage.ts'

export interface Answer {
  /** Of the ID token; undefined if the provider answered with an error. */
  readonly claims: client.IDToken | undefined
  readonly tokens: client.TokenEndpointResponse | undefined
  /** The provider's error. */
  readonly error: string | undefined
}

export interface Login {
  /** Where the browser is sent. */
  readonly url: string
  /** What comes back by the browser. */
  readonly answer: Promise<Answer>
}

export interface App {
  readonly name: string
  readonly clientId: string
  readonly origin: string
  /** @param params of the authorization request, beside the usual ones */
  begin(params?: Record<string, string>): Promise<Login>
  close(): Promise<void>
}

export interface AppOptions {
  readonly name?: string
  /** Default: true. */
  readonly firstParty?: boolean
  /** A native app (RFC 8252): no secret, registered without a port, listening on any. */
  readonly native?: boolean
  readonly metadata?: Record<string, unknown>
}

interface Pending {
  readonly verifier: string
  readonly nonce: string
  readonly maxAge: number | undefined
  resolve(answer: Answer): void
  reject(reason: unknown): void
}

let apps = 0

/** Registers an app with the stage's server, and opens its own. */
export async function openApp(
  stage: Stage,
  { name = 'Fleetdesk', firstParty = true, native = false, metadata = {} }: AppOptions = {},
): Promise<App> {
  const pending = new Map<string, Pending>()
  const server = createServer((request, response) => void serve(request, response))
  const host = native ? '127.0.0.1' : 'localhost'
  await new Promise<void>(resolve => server.listen(0, host, resolve))
  const origin = `http://${host}:${(server.address() as AddressInfo).port}`
  const redirectUri = `${origin}/callback`
  const clientId = `app-${++apps}`
  const clientSecret = randomText(43)
  const { clients, database, clock } = stage.running.services
  const kind = native
    ? {
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        redirect_uris: ['http://127.0.0.1/callback'],
      }
    : { client_secret: clientSecret, redirect_uris: [redirectUri] }
  const registered = {
    client_id: clientId,
    client_name: name,
    grant_types: ['authorization_code', 'refresh_token'],
    ...kind,
    ...metadata,
  }
  await database.commit([clients.insert({ metadata: registered, firstParty }, clock())])
  const configuration = await client.discovery(
    new URL(stage.origin),
    clientId,
    undefined,
    native ? client.None() : client.ClientSecretBasic(clientSecret),
    { execute: [client.allowInsecureRequests] },
  )

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', origin)
    const login = pending.get(url.searchParams.get('state') ?? '')
    if (url.pathname !== '/callback' || login === undefined)
      return show(response, 404, 'There is nothing here')
    pending.delete(url.searchParams.get('state') ?? '')
    try {
      const tokens = await client.authorizationCodeGrant(configuration, url, {
        pkceCodeVerifier: login.verifier,
        expectedState: url.searchParams.get('state') ?? '',
        expectedNonce: login.nonce,
        idTokenExpected: true,
        ...(login.maxAge === undefined ? {} : { maxAge: login.maxAge }),
      })
      login.resolve({ claims: tokens.claims(), tokens, error: undefined })
      show(response, 200, `Welcome to ${name}`)
    } catch (error) {
      if (!(error instanceof client.AuthorizationResponseError)) login.reject(error)
      else login.resolve({ claims: undefined, tokens: undefined, error: error.error })
      show(response, 400, `${name}: not logged in`)
    }
  }

  return {
    name,
    clientId,
    origin,
    async begin(params = {}) {
      const verifier = client.randomPKCECodeVerifier()
      const state = client.randomState()
      const nonce = client.randomNonce()
      const url = client.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: 'openid email profile',
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        nonce,
        ...params,
      })
      const maxAge = params.max_age === undefined ? undefined : Number(params.max_age)
      const answer = new Promise<Answer>((resolve, reject) => {
        pending.set(state, { verifier, nonce, maxAge, resolve, reject })
      })
      // Whoever does not wait for it is not told of it.
      answer.catch(() => undefined)
      return { url: url.href, answer }
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** An app whose users confirm what they do. */
export async function openActingApp(stage: Stage, options: AppOptions = {}): Promise<App> {
  const app = await openApp(stage, options)
  await createApi(stage.directory, { resource: 'https://fleet.example/', scopes: ['devices:delete'] })
  await setActions(stage.directory, app.clientId, ACTIONS)
  stage.advance(10_001)
  return app
}

function show(response: ServerResponse, status: number, heading: string): void {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' })
  response.end(
    `<!doctype html><html lang="en"><title>${heading}</title><meta name="viewport" content="width=device-width">` +
      `<main><h1>${heading}</h1></main></html>`,
  )
}
