// The identity provider as an API or app sees it: its metadata, read once, and how it is asked. Where it does not answer
// nothing can be decided, which is another thing than a bad token: 503, and the next request tries again.

import * as oauth from 'oauth4webapi'
import { UnavailableError } from './errors.ts'

export interface ProviderOptions {
  /** The issuer identifier. `http` only for this machine. */
  readonly issuer: string
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly clock?: () => number
}

export interface ProviderAccess {
  readonly issuer: string
  clock(): number
  /** @throws UnavailableError */
  metadata(): Promise<oauth.AuthorizationServer>
  /** What every call of oauth4webapi is given. */
  readonly requests: {
    readonly [oauth.customFetch]: (url: string, options: FetchOptions) => Promise<Response>
    readonly [oauth.allowInsecureRequests]: boolean
  }
}

interface FetchOptions {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: unknown
  readonly redirect: 'manual'
}

const PATIENCE = 5_000

/** @throws TypeError for an issuer that is no URL, or http on another machine */
export function accessTo({
  issuer,
  fetch = globalThis.fetch,
  clock = Date.now,
}: ProviderOptions): ProviderAccess {
  const url = URL.parse(issuer)
  if (url === null) throw new TypeError('the issuer is a URL')
  const insecure = url.protocol === 'http:'
  if (insecure && !isLoopback(url.hostname)) {
    throw new TypeError(`the issuer ${issuer} must use https, because it is not on this machine`)
  }

  // Many requests at once want the same keys: they are fetched once.
  const underWay = new Map<string, Promise<string>>()
  async function get(address: string, headers: Record<string, string>): Promise<Response> {
    let body = underWay.get(address)
    if (body === undefined) {
      body = ask(address, { headers, redirect: 'manual' })
        .then(async response => {
          if (response.status !== 200) throw new UnavailableError(`${address} answered ${response.status}`)
          const text = await response.text()
          JSON.parse(text)
          return text
        })
        .catch(error => {
          throw unavailable(address, error)
        })
        .finally(() => underWay.delete(address))
      underWay.set(address, body)
    }
    return new Response(await body, { headers: { 'content-type': 'application/json' } })
  }

  async function ask(address: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(address, { ...init, signal: AbortSignal.timeout(PATIENCE) })
    } catch (error) {
      throw unavailable(address, error)
    }
  }

  const requests: ProviderAccess['requests'] = {
    [oauth.customFetch]: (address, { method, headers, body, redirect }) =>
      method === 'GET' && new Headers(headers).get('authorization') === null
        ? get(address, headers)
        : ask(address, { method, headers, redirect, ...(body !== undefined && { body }) } as RequestInit),
    [oauth.allowInsecureRequests]: insecure,
  }

  let known: Promise<oauth.AuthorizationServer> | undefined
  async function discover(): Promise<oauth.AuthorizationServer> {
    const expected = new URL(issuer)
    const response = await oauth.discoveryRequest(expected, requests)
    try {
      return await oauth.processDiscoveryResponse(expected, response)
    } catch (error) {
      throw unavailable(issuer, error)
    }
  }
  return {
    issuer,
    clock,
    requests,
    metadata() {
      known ??= discover().catch(error => {
        known = undefined
        throw error
      })
      return known
    },
  }
}

function unavailable(address: string, cause: unknown): UnavailableError {
  return cause instanceof UnavailableError
    ? cause
    : new UnavailableError(`no usable answer from ${address}`, { cause })
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}
