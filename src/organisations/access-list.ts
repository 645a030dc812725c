// From which addresses an organisation's users may log in and use their sessions: a list of IPv4 and IPv6 addresses and
// ranges, one a line, each with a note behind `#` if somebody wrote one. A list without a line lets in from anywhere.
// Written in one spelling, so that a list has one text. Pure. Leaves out where the list is asked, and who may change it.

import { BlockList, isIP } from 'node:net'

export const MOST_ENTRIES = 200
export const LONGEST_NOTE = 60
const MOST_KEPT = 200

/** What is wrong with a list, in the words of nobody. */
export type ListFault =
  | { readonly reason: 'too_many'; readonly most: number }
  | {
      readonly reason: 'no_address' | 'zone' | 'prefix' | 'note'
      /** Counted from 1. */
      readonly line: number
      /** The line, shortened to what a page can show. */
      readonly text: string
    }

export type ReadList =
  | { readonly ok: true; readonly text: string; readonly entries: readonly string[] }
  | { readonly ok: false; readonly fault: ListFault }

/**
 * Reads a list as somebody typed it. Empty lines and repeated entries are left out, a range begins at its first address,
 * and IPv4 addresses that are written as IPv6 (`::ffff:192.0.2.1`) are IPv4.
 *
 * @returns `text`: the list in its one spelling, without a line where nothing is listed
 */
export function readAccessList(typed: string): ReadList {
  const entries = new Map<string, string>()
  for (const [index, whole] of typed.split(/\r\n|[\r\n]/).entries()) {
    if (whole.trim() === '') continue
    const fault = (reason: Exclude<ListFault['reason'], 'too_many'>): ReadList => {
      return { ok: false, fault: { reason, line: index + 1, text: shortened(whole) } }
    }
    const hash = whole.indexOf('#')
    const note =
      hash < 0
        ? ''
        : whole
            .slice(hash + 1)
            .normalize('NFC')
            .trim()
    if ([...note].length > LONGEST_NOTE || /[\p{C}\p{Zl}\p{Zp}]/u.test(note)) return fault('note')
    const range = readRange((hash < 0 ? whole : whole.slice(0, hash)).trim())
    if (typeof range === 'string') return fault(range)
    const { spelled } = range
    if (!entries.has(spelled)) entries.set(spelled, note === '' ? spelled : `${spelled} # ${note}`)
    if (entries.size > MOST_ENTRIES) return { ok: false, fault: { reason: 'too_many', most: MOST_ENTRIES } }
  }
  const lines = [...entries.values()]
  return { ok: true, text: lines.join('\n'), entries: lines }
}

/** The lines of a list that was read. */
export function entriesOf(list: string): string[] {
  return list === '' ? [] : list.split('\n')
}

const compiled = new Map<string, Record<Family, BlockList>>()

/**
 * Whether a list lets an address in. An address that cannot be read is let in by an empty list only.
 *
 * @param list as {@link readAccessList} spells it
 * @param address of the browser
 */
export function admits(list: string, address: string): boolean {
  if (list === '') return true
  const found = parseAddress(address.replace(/%.*$/s, ''))
  if (found === undefined) return false
  // The same few lists are asked by every request.
  let lists = compiled.get(list)
  if (lists === undefined) {
    if (compiled.size >= MOST_KEPT) compiled.clear()
    lists = compile(list)
    compiled.set(list, lists)
  }
  return lists[found.family].check(spell(found), found.family)
}

/** An address as people write it: IPv4 that came as IPv6 is IPv4. What is none stays as it is. */
export function plainAddress(address: string): string {
  const found = parseAddress(address)
  return found === undefined || address.includes('%') ? address : spell(found)
}

/** One for each family: what an IPv6 range says of IPv4 addresses is nothing. */
function compile(list: string): Record<Family, BlockList> {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const line of entriesOf(list)) {
    const range = readRange(line.replace(/#.*$/s, '').trim())
    if (typeof range === 'string') throw new Error(`a list was stored with ${line}`)
    lists[range.family].addSubnet(spell(range), range.prefix, range.family)
  }
  return lists
}

type Family = 'ipv4' | 'ipv6'
const BITS = { ipv4: 32, ipv6: 128 } as const
/** `::ffff:0:0/96`: IPv4, as IPv6 writes it (RFC 4291 section 2.5.5.2). */
const MAPPED = { begins: 0xffffn << 32n, bits: 96 } as const

interface Address {
  readonly family: Family
  readonly value: bigint
}

interface Range extends Address {
  readonly prefix: number
  readonly spelled: string
}

function readRange(text: string): Range | 'no_address' | 'zone' | 'prefix' {
  const [, address = '', bits] = /^([^/]*)(?:\/(.*))?$/s.exec(text) ?? []
  if (address.includes('%')) return 'zone'
  const written = parseAddress(address, false)
  if (written === undefined) return 'no_address'
  const most = BITS[written.family]
  if (bits !== undefined && (!/^(0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > most)) return 'prefix'
  const prefix = bits === undefined ? most : Number(bits)
  const found = written.family === 'ipv6' && prefix >= MAPPED.bits ? unmapped(written) : written
  const kept = found === written ? prefix : prefix - MAPPED.bits
  const shift = BigInt(BITS[found.family] - kept)
  const first = { family: found.family, value: (found.value >> shift) << shift }
  const spelled = spell(first)
  return { ...first, prefix: kept, spelled: kept === BITS[found.family] ? spelled : `${spelled}/${kept}` }
}

/** @param plain whether IPv4 that is written as IPv6 is IPv4 */
function parseAddress(text: string, plain = true): Address | undefined {
  const version = isIP(text)
  if (version === 4) return { family: 'ipv4', value: numberOf(text.split('.'), 8n, 10) }
  if (version !== 6) return undefined
  // The parts of IPv4 at the end, in two groups of IPv6.
  const groups = text.replace(/[\d.]+$/, tail =>
    tail.includes('.')
      ? [16n, 0n].map(by => ((numberOf(tail.split('.'), 8n, 10) >> by) & 0xffffn).toString(16)).join(':')
      : tail,
  )
  const [head = '', tail] = groups.split('::')
  const before = head.split(':').filter(Boolean)
  const after = (tail ?? '').split(':').filter(Boolean)
  const gap = Array.from({ length: 8 - before.length - after.length }, () => '0')
  const found = { family: 'ipv6', value: numberOf([...before, ...gap, ...after], 16n, 16) } as const
  return plain ? unmapped(found) : found
}

function unmapped(address: Address): Address {
  const { value } = address
  if (address.family !== 'ipv6' || value >> 32n !== MAPPED.begins >> 32n) return address
  return { family: 'ipv4', value: value & 0xffffffffn }
}

function numberOf(parts: readonly string[], bits: bigint, radix: 10 | 16): bigint {
  return parts.reduce((sum, each) => (sum << bits) | BigInt(Number.parseInt(each, radix)), 0n)
}

/** In the one spelling of RFC 5952. */
function spell({ family, value }: Address): string {
  if (family === 'ipv4') return [24n, 16n, 8n, 0n].map(by => String((value >> by) & 0xffn)).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => (value >> BigInt(112 - 16 * index)) & 0xffffn)
  return new URL(`http://[${groups.map(each => each.toString(16)).join(':')}]`).hostname.slice(1, -1)
}

function shortened(line: string): string {
  const text = line.trim().replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}
