// Small files in the MaxMind DB format, version 2 (https://maxmind.github.io/MaxMind-DB/): a search tree with a level for
// each bit of an address, 16 zeros, the records, and what the file is. Written of what a test says; nothing is shared or
// made small. IPv4 is where IPv6 has its first 32 bits of zeros, as in the files that one can get.

import { isIP } from 'node:net'

export interface MmdbOptions {
  /** Default: `Test-City`. */
  readonly type?: string
  /** Default: 6. */
  readonly ipVersion?: 4 | 6
  /** Seconds since 1970. */
  readonly builtAt?: number
}

/** Bytes stand for themselves, whatever they mean. */
export type MmdbValue = string | readonly string[] | Buffer | { readonly [key: string]: MmdbValue }

type Node = [Node | number | undefined, Node | number | undefined]

/** @param records by range, such as `192.0.2.0/24` or `2001:db8::/32`; none may be in another */
export function mmdb(
  records: Readonly<Record<string, MmdbValue>>,
  { type = 'Test-City', ipVersion = 6, builtAt = Date.UTC(2026, 4, 1) / 1000 }: MmdbOptions = {},
): Buffer {
  const root: Node = [undefined, undefined]
  const data: Buffer[] = []
  let written = 0
  for (const [range, record] of Object.entries(records)) {
    const bits = bitsOf(range, ipVersion)
    let node = root
    for (const bit of bits.slice(0, -1)) {
      const next = node[bit] ?? [undefined, undefined]
      if (typeof next === 'number') throw new Error(`${range} is in another range`)
      node[bit] = next
      node = next
    }
    node[bits.at(-1) as 0 | 1] = written
    const bytes = encode(record)
    data.push(bytes)
    written += bytes.length
  }
  const nodes: Node[] = [root]
  for (const node of nodes) nodes.push(...node.filter(each => Array.isArray(each)))
  const pointer = (child: Node[number]): number => {
    if (child === undefined) return nodes.length
    return typeof child === 'number' ? nodes.length + 16 + child : nodes.indexOf(child)
  }
  const tree = Buffer.alloc(nodes.length * 6)
  for (const [index, [left, right]] of nodes.entries()) {
    tree.writeUIntBE(pointer(left), index * 6, 3)
    tree.writeUIntBE(pointer(right), index * 6 + 3, 3)
  }
  const metadata = encode({
    binary_format_major_version: number(2, 5),
    binary_format_minor_version: number(0, 5),
    build_epoch: number(builtAt, 9),
    database_type: type,
    description: { en: 'for tests' },
    ip_version: number(ipVersion, 5),
    languages: ['en', 'de'],
    node_count: number(nodes.length, 6),
    record_size: number(24, 5),
  })
  return Buffer.concat([
    tree,
    Buffer.alloc(16),
    ...data,
    Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'),
    metadata,
  ])
}

function bitsOf(range: string, ipVersion: 4 | 6): (0 | 1)[] {
  const [address = '', prefix = ''] = range.split('/')
  const four = isIP(address) === 4
  const bytes = four
    ? address.split('.').map(Number)
    : new URL(`http://[${address}]`).hostname.slice(1, -1).split('::').flatMap(groupsOf)
  const bits = bytes.flatMap(byte => Array.from({ length: 8 }, (_, at) => ((byte >> (7 - at)) & 1) as 0 | 1))
  const before: 0[] = four && ipVersion === 6 ? Array.from({ length: 96 }, () => 0) : []
  return [...before, ...bits.slice(0, Number(prefix))]
}

/** The bytes of the groups before `::`, and as many zeros as there is room for, then those after it. */
function groupsOf(part: string, index: number, parts: readonly string[]): number[] {
  const read = (text: string) =>
    text
      .split(':')
      .filter(Boolean)
      .map(each => Number.parseInt(each, 16))
      .flatMap(each => [each >> 8, each & 0xff])
  const own = read(part)
  if (index === 0) return own
  const gap = 16 - own.length - read(parts[0] ?? '').length
  return [...Array.from({ length: gap }, () => 0), ...own]
}

function encode(value: MmdbValue): Buffer {
  if (Buffer.isBuffer(value)) return value
  if (typeof value === 'string') {
    const bytes = Buffer.from(value)
    return Buffer.concat([control(2, bytes.length), bytes])
  }
  if (Array.isArray(value)) return Buffer.concat([control(11, value.length), ...value.map(encode)])
  const entries = Object.entries(value as Record<string, MmdbValue>)
  return Buffer.concat([control(7, entries.length), ...entries.flat().map(encode)])
}

/** @param type 5: of 16 bits, 6: of 32, 9: of 64 */
function number(value: number, type: 5 | 6 | 9): Buffer {
  const bytes = Buffer.alloc(type === 5 ? 2 : 4)
  bytes.writeUIntBE(value, 0, bytes.length)
  return Buffer.concat([control(type, bytes.length), bytes])
}

/** Types above 7 are told in a byte of their own, sizes from 29 on, too. */
function control(type: number, size: number): Buffer {
  if (size > 284) throw new Error('too long for this writer')
  const kind = type > 7 ? 0 : type << 5
  const more = type > 7 ? [type - 7] : []
  return Buffer.from(size < 29 ? [kind | size, ...more] : [kind | 29, ...more, size - 29])
}
