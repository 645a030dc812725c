// A browser without pages: keeps cookies by path, follows nothing by itself, posts forms as our pages do. For tests
// that need hundreds of requests, or requests that no page makes. Runs no script, so a page that needs one is not for it.

import * as client from 'openid-client'
import { randomText } from '../../src/clients.ts'
import { code } from './one-time-codes.ts'
import { PASSWORD, type Person, type Stage } from './stage.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
  /** The level-1 heading. */
  readonly heading: string | undefined
  /** Where a redirect leads. */
  readonly location: string | undefined
}

export interface Visitor {
  get(url: string, headers?: Record<string, string>): Promise<Answer>
  /** Posts a form as a page of ours would. */
  post(url: string, form: Record<string, string> | string, headers?: Record<string, string>): Promise<Answer>
  /** Gets, and goes where redirects lead, until there is a page or another origin. */
  follow(url: string): Promise<Answer & { url: string }>
  readonly cookies: Map<string, { value: string; path: string }>
  /** Another browser with the same cookies. */
  clone(): Visitor
  /** This browser, cookies and all, at another address, where the stage trusts a proxy. */
  at(address: string): Visitor
}

/** @param address what X-Forwarded-For says, where the stage trusts a proxy */
export function createVisitor(
  origin: string,
  cookies: Visitor['cookies'] = new Map(),
  address?: string,
): Visitor {
  const from = address === undefined ? {} : { 'x-forwarded-for': address }

  async function request(url: string, init: RequestInit): Promise<Answer> {
    const target = new URL(url, origin)
    const cookie = [...cookies]
      .filter(([, each]) => target.pathname.startsWith(each.path))
      .map(([name, each]) => `${name.split('\n')[0]}=${each.value}`)
      .join('; ')
    const response = await fetch(target, {
      ...init,
      redirect: 'manual',
      headers: { accept: 'text/html', ...(cookie === '' ? {} : { cookie }), ...from, ...init.headers },
    })
    for (const line of response.headers.getSetCookie()) keep(line)
    const body = await response.text()
    const location = response.headers.get('location')
    return {
      status: response.status,
      headers: response.headers,
      body,
      heading: /<h1[^>]*>(.*?)<\/h1>/s.exec(body)?.[1]?.replaceAll(/<[^>]+>/g, ''),
      location: location === null ? undefined : new URL(location, target).href,
    }
  }

  function keep(line: string): void {
    const [pair = '', ...attributes] = line.split('; ')
    const name = pair.slice(0, pair.indexOf('='))
    const value = pair.slice(pair.indexOf('=') + 1)
    const path = attributes.find(each => /^path=/i.test(each))?.slice(5) ?? '/'
    const gone = attributes.some(each => /^expires=Thu, 01 Jan 1970/i.test(each))
    if (gone || value === '') cookies.delete(`${name}\n${path}`)
    else cookies.set(`${name}\n${path}`, { value, path })
  }

  return {
    cookies,
    get: (url, headers = {}) => request(url, { headers }),
    post: (url, form, headers = {}) =>
      request(url, {
        method: 'POST',
        body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          'sec-fetch-site': 'same-origin',
          origin,
          ...headers,
        },
      }),
    async follow(url) {
      let next = new URL(url, origin).href
      for (let hops = 0; hops < 10; hops++) {
        if (!next.startsWith(`${origin}/`)) return { ...(await nowhere()), url: next }
        const answer = await request(next, {})
        if (answer.location === undefined) return { ...answer, url: next }
        next = answer.location
      }
      throw new Error('more than 10 redirects')
    },
    clone: () => createVisitor(origin, new Map(cookies), address),
    at: elsewhere => createVisitor(origin, cookies, elsewhere),
  }
}

async function nowhere(): Promise<Answer> {
  return { status: 0, headers: new Headers(), body: '', heading: undefined, location: undefined }
}

/** A relying party over openid-client: what an app does, without pages. */
export interface RelyingParty {
  readonly config: client.Configuration
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUri: string
  /** @returns the address that a login begins at, and what its answer is checked with */
  begin(params?: Record<string, string>): Promise<Begun>
  /** Redeems the answer. @throws where openid-client refuses it */
  finish(
    begun: Begun,
    callback: string,
  ): Promise<client.TokenEndpointResponse & client.TokenEndpointResponseHelpers>
}

export interface Begun {
  readonly url: string
  readonly verifier: string
  readonly state: string
  readonly nonce: string
  readonly maxAge: number | undefined
}

let parties = 0

/** Registers a relying party of its own with the stage's server. */
export async function relyingParty(
  stage: Stage,
  { firstParty = true, metadata = {} }: { firstParty?: boolean; metadata?: Record<string, unknown> } = {},
): Promise<RelyingParty> {
  const { clients, database, clock } = stage.running.services
  const clientId = `party${++parties}`
  const clientSecret = randomText(43)
  const redirectUri = 'http://localhost:9/callback'
  const registered = {
    client_id: clientId,
    client_secret: clientSecret,
    client_name: `Party ${parties}`,
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    ...metadata,
  }
  await database.commit([clients.insert({ metadata: registered, firstParty }, clock())])
  const config = await client.discovery(new URL(stage.origin), clientId, clientSecret, undefined, {
    execute: [client.allowInsecureRequests],
  })
  return {
    config,
    clientId,
    clientSecret,
    redirectUri,
    async begin(params = {}) {
      const verifier = client.randomPKCECodeVerifier()
      const state = client.randomState()
      const nonce = client.randomNonce()
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: 'openid email profile',
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        nonce,
        ...params,
      })
      const maxAge = params.max_age === undefined ? undefined : Number(params.max_age)
      return { url: url.href, verifier, state, nonce, maxAge }
    },
    finish: (begun, callback) =>
      client.authorizationCodeGrant(config, new URL(callback), {
        pkceCodeVerifier: begun.verifier,
        expectedState: begun.state,
        expectedNonce: begun.nonce,
        idTokenExpected: true,
        ...(begun.maxAge === undefined ? {} : { maxAge: begun.maxAge }),
      }),
  }
}

/** What a test knows of a user's authenticator. */
export interface Enrolled {
  /** Base32. */
  readonly secret: string
  readonly recoveryCode: string
}

/** The uid of the interaction that an address belongs to. */
export function uidOf(url: string): string {
  const uid = /\/interaction\/([\w-]+)/.exec(url)?.[1]
  if (uid === undefined) throw new Error(`no interaction at ${url}`)
  return uid
}

/** From the start to the page after the password. */
export async function throughPassword(visitor: Visitor, start: string, email: string, password = PASSWORD) {
  const emailPage = await visitor.follow(start)
  const base = `/interaction/${uidOf(emailPage.url)}`
  await visitor.post(`${base}/identify`, { email, webauthn: 'none' })
  await visitor.post(`${base}/password`, { password, webauthn: 'none' })
  const page = await visitor.follow(base)
  return { base, page }
}

/** Sets an authenticator up and saves the recovery code; leaves where the interaction leads. */
export async function enrol(
  stage: Stage,
  visitor: Visitor,
  start: string,
  person: Person,
): Promise<Enrolled & { end: string }> {
  const { base, page } = await throughPassword(visitor, start, person.email)
  const secret = textOf(page.body, 'key').replaceAll(' ', '')
  await visitor.post(`${base}/set-up`, { code: code(secret, stage.now()) })
  const shown = await visitor.follow(base)
  const recoveryCode = textOf(shown.body, 'recovery')
  await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
  const { url } = await visitor.follow(base)
  return { secret, recoveryCode, end: url }
}

/** Logs in by password and one-time code; @returns where the interaction leads. */
export async function logIn(
  stage: Stage,
  visitor: Visitor,
  start: string,
  person: Person,
  { secret }: Enrolled,
): Promise<string> {
  const { base } = await throughPassword(visitor, start, person.email)
  stage.advance(30_000)
  await visitor.post(`${base}/otp`, { code: code(secret, stage.now()) })
  return (await visitor.follow(base)).url
}

/** What a page says, in one line. */
export function visibleText({ body }: Pick<Answer, 'body'>): string {
  return body.replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ')
}

/** The text of an `<output>` with this id. */
export function textOf(body: string, id: string): string {
  const found = new RegExp(`<output id="${id}"[^>]*>(.*?)</output>`, 's').exec(body)?.[1]
  if (found === undefined) throw new Error(`no output "${id}"`)
  return found.replaceAll(/<[^>]+>/g, '')
}
