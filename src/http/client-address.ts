// Whose request it is. Forwarded headers are believed only as far as the operator's own proxies wrote them; all others
// are removed before anybody reads one. Without SALLYPORT_TRUST_PROXY none is believed.

import { BlockList, isIP } from 'node:net'
import type { Middleware } from 'koa'
import type { TrustProxy } from '../config/config.ts'

const FORWARDED = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
]

export function clientAddress(trust: TrustProxy | undefined): Middleware {
  const trusted = trust === undefined ? () => false : trusting(trust)
  return async (ctx, next) => {
    const { headers, socket } = ctx.req
    const peer = socket.remoteAddress ?? ''
    const chain = String(headers['x-forwarded-for'] ?? '')
      .split(',')
      .map(addressIn)
    if (!trusted(peer, 0)) {
      for (const name of FORWARDED) delete headers[name]
      ctx.request.ip = peer
      return next()
    }
    // From the nearest proxy outwards: the first address that no proxy of ours wrote on its own behalf.
    let client = peer
    for (const [index, address] of chain.toReversed().entries()) {
      // What can't be read is not skipped: behind it comes what the client itself may have written.
      if (address === undefined) break
      client = address
      if (!trusted(address, index + 1)) break
    }
    ctx.request.ip = client
    const protocol = String(headers['x-forwarded-proto'] ?? '')
      .split(',')
      .at(-1)
      ?.trim()
    if (protocol === 'https' || protocol === 'http') headers['x-forwarded-proto'] = protocol
    else delete headers['x-forwarded-proto']
    delete headers.forwarded
    return next()
  }
}

/** The address in one entry; some proxies write the port behind it, or put IPv6 in brackets. */
function addressIn(entry: string): string | undefined {
  const text = entry
    .trim()
    .replace(/^\[(.*)\](?::\d+)?$/, '$1')
    .replace(/^([\d.]+):\d+$/, '$1')
  return isIP(text) !== 0 && !text.includes('%') ? text : undefined
}

function trusting(trust: TrustProxy): (address: string, hop: number) => boolean {
  if ('hops' in trust) return (_, hop) => hop < trust.hops
  const list = new BlockList()
  for (const range of trust.ranges) {
    const [address = '', bits] = range.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return address => {
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
  }
}
