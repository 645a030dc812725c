// Lists of addresses: how they are read and spelled, what is refused, and whom they let in.

import { expect } from 'chai'
import fc from 'fast-check'
import {
  admits,
  entriesOf,
  LONGEST_NOTE,
  MOST_ENTRIES,
  plainAddress,
  readAccessList,
} from '../../src/organisations/access-list.ts'

describe('an access list', () => {
  const textOf = (typed: string): string => {
    const read = readAccessList(typed)
    if (!read.ok) throw new Error(JSON.stringify(read.fault))
    return read.text
  }

  // biome-ignore format: one spelling a line reads as a table
  const spellings: readonly [typed: string, spelled: string][] = [
    ['', ''],
    [' \r\n\n \t ', ''],
    ['203.0.113.7', '203.0.113.7'],
    ['  203.0.113.7\t', '203.0.113.7'],
    ['203.0.113.7/32', '203.0.113.7'],
    ['203.0.113.7/24', '203.0.113.0/24'],
    ['203.0.113.7/31', '203.0.113.6/31'],
    ['255.255.255.255/1', '128.0.0.0/1'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8::1/128', '2001:db8::1'],
    ['2001:db8:1:2:3:4:5:6/64', '2001:db8:1:2::/64'],
    ['2001:db8:ffff::/33', '2001:db8:8000::/33'],
    ['::', '::'],
    ['::/0', '::/0'],
    ['1::', '1::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:cb00:7107', '203.0.113.7'],
    ['::ffff:203.0.113.7/120', '203.0.113.0/24'],
    ['::ffff:0:0/96', '0.0.0.0/0'],
    ['::ffff:0:0/95', '::fffe:0:0/95'],
    ['203.0.113.7#Leeds', '203.0.113.7 # Leeds'],
    ['203.0.113.7   #  Leeds # 2nd floor  ', '203.0.113.7 # Leeds # 2nd floor'],
    ['203.0.113.7 #', '203.0.113.7'],
    ['192.0.2.1\r\n\r\n198.51.100.0/24\r\n', '192.0.2.1\n198.51.100.0/24'],
    ['192.0.2.1\r198.51.100.1', '192.0.2.1\n198.51.100.1'],
    ['192.0.2.1 # one\n192.0.2.1 # again\n192.0.2.1/32\n::ffff:192.0.2.1', '192.0.2.1 # one'],
    ['198.51.100.2\n192.0.2.1', '198.51.100.2\n192.0.2.1'],
  ]
  for (const [typed, spelled] of spellings) {
    it(`spells ${JSON.stringify(typed)} as ${JSON.stringify(spelled)}`, () => {
      expect(textOf(typed)).to.equal(spelled)
      expect(textOf(spelled)).to.equal(spelled)
      expect(entriesOf(spelled).join('\n')).to.equal(spelled)
    })
  }

  const long = 'x'.repeat(LONGEST_NOTE + 1)
  // biome-ignore format: one fault a line reads as a table
  const faults: readonly [typed: string, reason: string, line?: number][] = [
    ['Leeds', 'no_address'],
    ['192.0.2.1\n\n# Leeds', 'no_address', 3],
    ['192.0.2.1, 192.0.2.2', 'no_address'],
    ['192.0.2.1 192.0.2.2', 'no_address'],
    ['192.0.2.1-192.0.2.9', 'no_address'],
    ['192.0.2', 'no_address'],
    ['192.0.2.*', 'no_address'],
    ['192.0.2.256', 'no_address'],
    ['192.0.02.1', 'no_address'],
    ['0x7f.0.0.1', 'no_address'],
    ['3221225985', 'no_address'],
    ['192.0.2.1:443', 'no_address'],
    ['[2001:db8::1]', 'no_address'],
    ['2001:db8:::1', 'no_address'],
    ['2001:db8::12345', 'no_address'],
    ['::ffff:192.0.2.256', 'no_address'],
    ['localhost', 'no_address'],
    ['/24', 'no_address'],
    ['１９２.0.2.1', 'no_address'],
    ['fe80::1%eth0', 'zone'],
    ['fe80::%1/64', 'zone'],
    ['192.0.2.0/', 'prefix'],
    ['192.0.2.0/33', 'prefix'],
    ['192.0.2.0/-1', 'prefix'],
    ['192.0.2.0/+8', 'prefix'],
    ['192.0.2.0/024', 'prefix'],
    ['192.0.2.0/2 4', 'prefix'],
    ['192.0.2.0/24/24', 'prefix'],
    ['192.0.2.0/255.255.255.0', 'prefix'],
    ['2001:db8::/129', 'prefix'],
    ['2001:db8::/1e1', 'prefix'],
    [`192.0.2.1 # ${long}`, 'note'],
    ['192.0.2.1 # a\u0000b', 'note'],
    ['192.0.2.1 # \u202eb', 'note'],
    ['192.0.2.1 # a\u2028b', 'note'],
    ['192.0.2.1 # \ud800', 'note'],
  ]
  for (const [typed, reason, line = 1] of faults) {
    it(`refuses ${JSON.stringify(typed.slice(0, 40)).replaceAll(/[^ -~]/g, '?')}, and names the line`, () => {
      const read = readAccessList(typed)
      expect(read.ok).to.equal(false)
      if (!read.ok) expect(read.fault).to.deep.include({ reason, line })
    })
  }

  it('names a line in what a page can show', () => {
    const read = readAccessList(`192.0.2.1\n\u202e${'x'.repeat(5000)}\u0007`)
    if (read.ok || read.fault.reason === 'too_many') throw new Error('read')
    expect(read.fault.line).to.equal(2)
    expect(read.fault.text).to.match(/^\?x{58}…$/)
  })

  it(`takes ${MOST_ENTRIES} entries, however often each is repeated, and no more`, () => {
    const many = Array.from({ length: MOST_ENTRIES }, (_, n) => `10.0.${n}.0/24`).join('\n')
    expect(readAccessList(`${many}\n${many}`)).to.include({ ok: true, text: many })
    expect(readAccessList(`${many}\n192.0.2.1`)).to.deep.equal({
      ok: false,
      fault: { reason: 'too_many', most: MOST_ENTRIES },
    })
  })

  // biome-ignore format: one list a line reads as a table
  const matches: readonly [list: string, inside: readonly string[], outside: readonly string[]][] = [
    ['', ['203.0.113.7', '2001:db8::1', '', 'unknown'], []],
    ['203.0.113.7', ['203.0.113.7', '::ffff:203.0.113.7', '::FFFF:CB00:7107'], ['203.0.113.8', '::203.0.113.7', '::1']],
    ['203.0.113.0/24', ['203.0.113.0', '203.0.113.255', '::ffff:203.0.113.9'], ['203.0.112.255', '203.0.114.0']],
    ['203.0.113.8/30', ['203.0.113.8', '203.0.113.11'], ['203.0.113.7', '203.0.113.12']],
    ['0.0.0.0/0', ['1.2.3.4', '255.255.255.255', '::ffff:1.2.3.4'], ['::1', '2001:db8::1']],
    ['::/0', ['::1', '2001:db8::1'], ['1.2.3.4', '::ffff:1.2.3.4']],
    ['::fffe:0:0/95', ['::fffe:1.2.3.4'], ['1.2.3.4', '::ffff:1.2.3.4']],
    ['2001:db8::/32', ['2001:db8::1', '2001:DB8:FFFF::1'], ['2001:db7::1', '2001:db9::']],
    ['2001:db8:0:8000::/49', ['2001:db8:0:8000::', '2001:db8:0:ffff::1'], ['2001:db8:0:7fff::', '2001:db8:1::']],
    ['fe80::/10', ['fe80::1', 'fe80::1%eth0'], ['fec0::1']],
    ['127.0.0.1 # this machine\n2001:db8::1 # Leeds', ['127.0.0.1', '2001:db8::1'], ['127.0.0.2', '2001:db8::2']],
    ['203.0.113.0/24', [], ['', 'unknown', '203.0.113.7:443', '203.0.113.7, 1.2.3.4', '203.0.113.7/24', '203.0.113.07']],
  ]
  for (const [list, inside, outside] of matches) {
    it(`${JSON.stringify(list)} lets in ${inside.length} of ${inside.length + outside.length} addresses`, () => {
      expect(inside.filter(each => !admits(list, each))).to.deep.equal([])
      expect(outside.filter(each => admits(list, each))).to.deep.equal([])
    })
  }

  it('lets in exactly the addresses whose first bits are those of an entry', () => {
    const octets = fc.tuple(...Array.from({ length: 4 }, () => fc.nat(255)))
    const groups = fc.tuple(...Array.from({ length: 8 }, () => fc.constantFrom(0, 1, 0x7fff, 0x8000, 0xffff)))
    const bitsOf = (parts: readonly number[], width: number) =>
      parts.map(each => each.toString(2).padStart(width, '0')).join('')
    fc.assert(
      fc.property(octets, octets, fc.nat(32), (one, other, prefix) => {
        const list = textOf(`${one.join('.')}/${prefix}`)
        const same = bitsOf(one, 8).slice(0, prefix) === bitsOf(other, 8).slice(0, prefix)
        expect(admits(list, other.join('.'))).to.equal(same)
        expect(admits(list, `::ffff:${other.join('.')}`)).to.equal(same)
        expect(admits(list, one.join('.'))).to.equal(true)
      }),
    )
    const spelled = (parts: readonly number[]) => parts.map(each => each.toString(16)).join(':')
    fc.assert(
      fc.property(groups, groups, fc.nat(128), (one, other, prefix) => {
        fc.pre([one, other].every(each => each.slice(0, 6).join() !== '0,0,0,0,0,65535'))
        const list = textOf(`${spelled(one)}/${prefix}`)
        const same = bitsOf(one, 16).slice(0, prefix) === bitsOf(other, 16).slice(0, prefix)
        expect(admits(list, spelled(other)), `${list} ${spelled(other)}`).to.equal(same)
        expect(admits(list, spelled(one))).to.equal(true)
      }),
    )
  })

  it('keeps many lists apart', () => {
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 500; n++) {
        const list = `10.${n >> 8}.${n & 255}.0/24`
        expect(admits(list, `10.${n >> 8}.${n & 255}.9`)).to.equal(true)
        expect(admits(list, `11.${n >> 8}.${n & 255}.9`)).to.equal(false)
      }
    }
  })

  it('writes an address as people do', () => {
    expect(plainAddress('::ffff:192.0.2.1')).to.equal('192.0.2.1')
    expect(plainAddress('2001:DB8:0::1')).to.equal('2001:db8::1')
    expect(plainAddress('fe80::1%eth0')).to.equal('fe80::1%eth0')
    expect(plainAddress('')).to.equal('')
  })
})
