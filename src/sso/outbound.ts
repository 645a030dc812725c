// How everything that goes to an upstream leaves: over TLS, to no address inside unless the operator allows it, without
// following redirects, within a time and a size. The address is judged where the connection is made, by what the name
// service answered for this very connection: a name that leads elsewhere on the second question (DNS rebinding) gains
// nothing. An error names the host and what went wrong, and nothing that was sent or came back.

import { lookup as systemLookup } from 'node:dns'
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { type Outbound, SsoError } from './upstream.ts'

/** For a whole request, and for whatever consists of several: a page has ten seconds to answer. */
export const PATIENCE_MS = 8_000
const LARGEST_ANSWER = 1024 * 1024

export interface OutboundRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | URLSearchParams | undefined
  readonly signal?: AbortSignal | undefined
}

/** @throws SsoError 'unreachable' (5xx too), 'tls', 'private_address', 'configuration' (address, redirect, size) */
export type OutboundFetch = (address: string, request?: OutboundRequest) => Promise<Response>

export interface OutboundLimits {
  /** Milliseconds from the call to the last byte of the answer. */
  readonly patience?: number | undefined
  /** The name service. */
  readonly lookup?: LookupFunction | undefined
}

/** A `fetch` for addresses that customers type, and for those that their upstreams name. */
export function outboundFetch(
  { allowPrivateNetwork }: Pick<Outbound, 'allowPrivateNetwork'>,
  { patience = PATIENCE_MS, lookup = systemLookup as LookupFunction }: OutboundLimits = {},
): OutboundFetch {
  const resolve = allowPrivateNetwork ? lookup : publicOnly(lookup)
  return async (address, { method = 'GET', headers = {}, body, signal } = {}) => {
    const url = addressOf(address, allowPrivateNetwork)
    const limit = AbortSignal.timeout(patience)
    const ends = signal === undefined ? limit : AbortSignal.any([limit, signal])
    try {
      const request = (url.protocol === 'http:' ? http : https).request(url, {
        method,
        headers: { ...headers, 'accept-encoding': 'identity', 'user-agent': 'Sallyport' },
        lookup: resolve,
        signal: ends,
        agent: false,
      })
      // What fails after the answer has begun is told by reading the answer.
      request.on('error', () => {})
      request.end(body?.toString())
      const [answer] = (await once(request, 'response')) as [IncomingMessage]
      return await readAnswer(url, answer)
    } catch (error) {
      if (ends.aborted) throw new SsoError('unreachable', `${url.host} did not answer in time`)
      throw faultOf(url.host, error)
    }
  }
}

function addressOf(address: string, allowPrivateNetwork: boolean): URL {
  const url = URL.parse(address)
  if (url === null) throw new SsoError('configuration', 'an address is no URL')
  const { protocol, host } = url
  if (protocol !== 'https:' && !(protocol === 'http:' && allowPrivateNetwork)) {
    throw new SsoError('configuration', `${host} is not addressed by https`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new SsoError('configuration', `the address of ${host} carries a user or a password`)
  }
  // A literal address is connected to without a question to the name service.
  const literal = url.hostname.replace(/^\[|\]$/g, '')
  if (!allowPrivateNetwork && isIP(literal) !== 0 && isSpecial(literal)) throw leadsInside(host)
  return url
}

async function readAnswer(url: URL, answer: IncomingMessage): Promise<Response> {
  const { statusCode: status = 0 } = answer
  const refuse = (error: SsoError): never => {
    answer.destroy()
    throw error
  }
  if (status >= 500) refuse(new SsoError('unreachable', `${url.host} answered with status ${status}`))
  if (status >= 300 && status < 400) {
    refuse(new SsoError('configuration', `${url.host} answered with a redirect, which is not followed`))
  }
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > LARGEST_ANSWER)
      refuse(new SsoError('configuration', `${url.host} answered with more than 1 MB`))
    chunks.push(chunk)
  }
  const headers = new Headers()
  for (const [name, value] of Object.entries(answer.headers)) headers.set(name, String(value))
  return new Response(size === 0 ? null : Buffer.concat(chunks), { status, headers })
}

/** Codes of OpenSSL and of Node for a handshake or a certificate that does not hold. */
const TLS_CODES =
  /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_|INVALID_|PATH_LENGTH|ERROR_IN_)/

function faultOf(host: string, error: unknown): SsoError {
  if (error instanceof SsoError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
  return new SsoError(TLS_CODES.test(code) ? 'tls' : 'unreachable', `${host}: ${code}`)
}

function leadsInside(host: string): SsoError {
  return new SsoError('private_address', `${host} leads to an address that is not public`)
}

/** The same answers, unless one of them is not public. */
export function publicOnly(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) =>
    lookup(hostname, options, (error, found, family) => {
      const addresses = typeof found === 'string' ? [found] : (found ?? []).map(each => each.address)
      if (error === null && addresses.some(isSpecial)) callback(leadsInside(hostname), '', 0)
      else callback(error, found, family)
    })
}

// The registries of special-purpose addresses (RFC 6890, IANA), multicast, and what wraps IPv4 into IPv6.
const special = new BlockList()
for (const range of [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/9',
  'ff00::/8',
]) {
  const [network = '', bits] = range.split('/')
  special.addSubnet(network, Number(bits), network.includes(':') ? 'ipv6' : 'ipv4')
}

/** Whether an address is not one of the public internet. Also `::ffff:10.0.0.1` is told by its IPv4 address. */
function isSpecial(address: string): boolean {
  const [bare = ''] = address.split('%')
  return special.check(bare, isIP(bare) === 6 ? 'ipv6' : 'ipv4')
}
