// How the text of a setting is read: one reader per kind of value, each of which says what is wrong as the end of a
// sentence that begins with the setting's name. Leaves out which settings there are (settings.ts).

import { BlockList, isIP } from 'node:net'
import { resolve } from 'node:path'
import { ACR, LEVELS, type Level } from '../flow/assurance.ts'
import type { TrustProxy } from './config.ts'
import { Problem } from './problems.ts'
import { smtpOptions } from './smtp-url.ts'

/** The fewest characters of a secret key. */
export const KEY_LENGTH = 32

export function oneOf<const Values extends readonly string[]>(
  values: Values,
): (text: string) => Values[number] {
  return text => {
    const found = values.find(each => each === text)
    if (found === undefined) throw new Problem(`is "${text}": use one of ${values.join(', ')}`)
    return found
  }
}

export function portNumber(text: string, least: number): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < least || port > 65_535) {
    throw new Problem(`is "${text}": use a number from ${least} to 65535`)
  }
  return port
}

const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** A time such as `90m`, `24h` or `2d`, in milliseconds. @param least and most, the same way */
export function duration(least: string, most: string): (text: string) => number {
  const read = (text: string): number => {
    const [, amount = '', unit = ''] = /^(\d{1,5})([mhd])$/.exec(text) ?? []
    return amount === '' ? Number.NaN : Number(amount) * UNITS_MS[unit as keyof typeof UNITS_MS]
  }
  return text => {
    const time = read(text)
    if (!(time >= read(least) && time <= read(most))) {
      throw new Problem(`is "${text}": use a time from ${least} to ${most}, such as 90m, 24h or 2d`)
    }
    return time
  }
}

export function yesOrNo(text: string): boolean {
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw new Problem(`is "${text}": use true or false`)
}

export function hostName(text: string): string {
  const host = bare(text)
  if (isIP(host) === 0 && !/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(host)) {
    throw new Problem(`is "${text}": use an address or a host name, without a port`)
  }
  return host
}

/** An IPv6 address without the brackets that it has in a URL. */
export function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

/** Whether a URL's host is this machine whatever the name service says (RFC 6761 section 6.3). */
export function isLoopback(hostname: string): boolean {
  return (
    /^(.+\.)?localhost$/.test(hostname) ||
    hostname === '[::1]' ||
    (isIP(hostname) === 4 && hostname.startsWith('127.'))
  )
}

export function issuerOrigin(text: string): string {
  const url = URL.parse(text)
  if (url === null || !['https:', 'http:'].includes(url.protocol)) {
    throw new Problem(`is "${text}": use an origin such as https://login.example.com`)
  }
  if (url.username !== '' || url.password !== '') throw new Problem('must not hold a user name or password')
  if (url.pathname !== '/' || /[?#]/.test(text)) {
    throw new Problem(`is "${text}": use the origin alone, ${url.origin}, without a path or query`)
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new Problem(`is "${text}": http works on localhost only; use https://${url.host}`)
  }
  return url.origin
}

export function databaseAddress(text: string): string {
  if (/^sqlite:\/\//.test(text))
    throw new Problem('has slashes after sqlite: where the path begins; use sqlite:PATH')
  if (text === 'sqlite::memory:') throw new Problem('is sqlite::memory:, which cannot be used: name a file')
  if (/^sqlite:./.test(text)) return text
  const url = /^postgres(ql)?:\/\//.test(text) ? URL.parse(text) : null
  if (url === null || url.hostname === '' || url.pathname.length < 2) {
    throw new Problem('is neither sqlite:PATH nor postgres://user:password@host:port/database')
  }
  return text
}

export function absolute(databaseUrl: string, cwd: string): string {
  const path = /^sqlite:(.+)$/.exec(databaseUrl)?.[1]
  return path === undefined ? databaseUrl : `sqlite:${resolve(cwd, path)}`
}

export function keyList(text: string): [string, ...string[]] {
  const [first, ...others] = text.split(',').map(each => each.trim())
  const keys: [string, ...string[]] = [first ?? '', ...others]
  keys.forEach((key, index) => {
    if (key.length >= KEY_LENGTH) return
    const which = keys.length === 1 ? 'has' : `has, as key ${index + 1} of ${keys.length},`
    throw new Problem(`${which} only ${key.length} characters: each key needs at least ${KEY_LENGTH}`)
  })
  if (new Set(keys).size < keys.length) throw new Problem('has the same key twice')
  return keys
}

export function smtpAddress(text: string): string {
  try {
    smtpOptions(text, true)
  } catch (error) {
    throw new Problem(error instanceof Error ? error.message : String(error))
  }
  return text
}

export function sender(text: string): string {
  const address = /^(?:[^<>\p{Cc}]+ <([^<>]+)>|([^<>]+))$/u.exec(text)
  if (address === null || !/^[^\s@,;:"()\p{Cc}]+@[a-z0-9.-]+$/iu.test(address[1] ?? address[2] ?? '')) {
    throw new Problem(`is "${text}": use an address, or Name <address>`)
  }
  return text
}

export function shortText(text: string): string {
  if (/\p{Cc}/u.test(text) || text.length > 60) throw new Problem('must be one line of at most 60 characters')
  return text
}

/** Origins of browsers' pages: https, or http on this machine. */
export function originList(text: string): string[] {
  const origins = text.split(',').map(each => {
    if (each.includes('*')) throw new Problem(`is "${text}": name each origin, browsers take no pattern`)
    return issuerOrigin(each.trim())
  })
  if (new Set(origins).size < origins.length) throw new Problem('has the same origin twice')
  return origins
}

/** A name that passkeys can be bound to (WebAuthn's relying party id): no address, no port, and no top-level domain. */
export function passkeyDomain(text: string): string {
  const host = URL.parse(`https://${text}`)?.hostname
  if (host !== text || isIP(bare(host)) !== 0 || !(host === 'localhost' || /^[^.]+(\.[^.]+)+$/.test(host))) {
    throw new Problem(`is "${text}": use a host name in lower case, such as login.example.com`)
  }
  return host
}

export function planList(text: string): string[] {
  const plans = text.split(',').map(each => each.trim())
  if (plans.some(each => each === '' || each.length > 100 || /\p{Cc}/u.test(each))) {
    throw new Problem(`is "${text}": use the names of plans, separated by commas`)
  }
  return plans
}

export function proxies(text: string): TrustProxy | undefined {
  if (/^\d+$/.test(text)) {
    const hops = Number(text)
    if (hops > 10) throw new Problem(`is ${text}: more than 10 proxies are not believed`)
    return hops === 0 ? undefined : { hops }
  }
  return { ranges: text.split(',').map(each => cidr(each.trim())) }
}

/** @returns the range with its prefix length, which a lone address lacks */
export function cidr(text: string): string {
  const [address = '', prefix, ...more] = text.split('/')
  const family = isIP(address)
  const most = family === 6 ? 128 : 32
  try {
    if (family === 0 || more.length > 0 || !/^\d{1,3}$/.test(prefix ?? `${most}`)) throw new RangeError(text)
    new BlockList().addSubnet(address, Number(prefix ?? most), family === 6 ? 'ipv6' : 'ipv4')
  } catch {
    throw new Problem(`has "${text}": use a number of proxies, or addresses such as 10.0.0.0/8`)
  }
  return `${address}/${prefix ?? most}`
}

export function aliases(text: string): Record<string, Level> {
  return Object.fromEntries(
    text.split(',').map(each => {
      const [, name = '', label] = /^\s*(.*?)\s*=\s*([^=]*?)\s*$/.exec(each) ?? []
      const level = LEVELS.find(known => known === label)
      // Values of acr_values are separated by spaces.
      if (level === undefined || !/^[\x21-\x7e]+$/.test(name)) {
        throw new Problem(`has "${each.trim()}": use name=level, where level is one of ${LEVELS.join(', ')}`)
      }
      if (Object.values(ACR).includes(name))
        throw new Problem(`gives "${name}" another meaning: it is a level's own name`)
      return [name, level]
    }),
  )
}
