import { expect } from 'chai'
import fc from 'fast-check'
import {
  cleanRecoveryCode,
  groupRecoveryCode,
  hashRecoveryCode,
  newRecoveryCode,
  sameHash,
} from '../../src/factors/recovery-code.ts'

const KEY = new Uint8Array(32).fill(1)
const ALPHABET = 'ABCDEFGHJKMNPQRTUVWXYZ346789'

const codes = fc
  .array(fc.constantFrom(...ALPHABET), { minLength: 24, maxLength: 24 })
  .map(characters => characters.join(''))

const anyCharacter = fc.nat(0x10ffff).map(point => String.fromCodePoint(point))

describe('recovery codes', () => {
  it('have 24 characters of 28, which makes at least 112 bits', () => {
    const code = newRecoveryCode()
    expect(code).to.match(/^[ABCDEFGHJKMNPQRTUVWXYZ346789]{24}$/)
    expect(code.length * Math.log2(ALPHABET.length)).to.be.above(112)
  })

  it('are never the same twice', () => {
    expect(new Set(Array.from({ length: 1000 }, () => newRecoveryCode())).size).to.equal(1000)
  })

  it('favour no character', () => {
    // Each byte value once per round of 256: what is not fair is thrown away, and the rest falls evenly.
    let next = 0
    const everyByte = (size: number) => Uint8Array.from({ length: size }, () => next++ % 256)
    const counts = new Map<string, number>()
    for (let code = 0; code < 28 * 32; code++)
      for (const character of newRecoveryCode(everyByte))
        counts.set(character, (counts.get(character) ?? 0) + 1)
    expect([...counts.keys()].sort().join('')).to.equal([...ALPHABET].sort().join(''))
    const [least, most] = [Math.min(...counts.values()), Math.max(...counts.values())]
    // A code that ends within a round wastes its rest, which is 4 % here. Unfair bytes would make 11 %.
    expect(most / least).to.be.below(1.06)
  })

  it('never use a byte that would favour the first letters', () => {
    const bytes = [255, 254, 253, 252, 251]
    expect(
      newRecoveryCode(size => Uint8Array.from({ length: size }, (_, at) => bytes[at % 5] ?? 0)),
    ).to.equal('9'.repeat(24))
  })

  it('are shown in groups of four', () => {
    expect(groupRecoveryCode('K7QM4TXD9WHBR3FN6YPCV8JA')).to.equal('K7QM-4TXD-9WHB-R3FN-6YPC-V8JA')
  })

  it('are read back from how they are shown, in any case, with any hyphens and spaces', () => {
    const noise = fc.constantFrom(
      '',
      '',
      '',
      ' ',
      '-',
      '\u2011',
      '\u2013',
      '\u2212',
      '\u00ad',
      '\u00a0',
      '\t\n',
    )
    fc.assert(
      fc.property(
        codes,
        fc.array(fc.tuple(noise, fc.boolean(), fc.boolean()), { minLength: 24, maxLength: 24 }),
        (code, noises) => {
          const typed = [...code].map((character, at) => {
            const [gap = '', lower = false, wide = false] = noises[at] ?? []
            const letter = lower ? character.toLowerCase() : character
            return gap + (wide ? String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfee0) : letter)
          })
          expect(cleanRecoveryCode(typed.join(''))).to.equal(code)
          expect(cleanRecoveryCode(groupRecoveryCode(code))).to.equal(code)
        },
      ),
    )
  })

  it('may have a 2 for a Z, and no other look-alike', () => {
    expect(cleanRecoveryCode('2'.repeat(24))).to.equal('Z'.repeat(24))
    for (const character of '01ILOS5')
      expect(cleanRecoveryCode(`${'A'.repeat(23)}${character}`), character).to.equal(undefined)
  })

  it('L9: are refused, not thrown at, when it is no code', () => {
    const odd = [
      '',
      ' ',
      'A'.repeat(23),
      'A'.repeat(25),
      `${'A'.repeat(23)}\0`,
      `${'A'.repeat(23)}ß`,
      '\ud800',
    ]
    for (const typed of [...odd, 'A'.repeat(1_000_000), '\ufdfa'.repeat(200)])
      expect(cleanRecoveryCode(typed), JSON.stringify(typed.slice(0, 30))).to.equal(undefined)
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), typed => {
        const code = cleanRecoveryCode(typed)
        return code === undefined || cleanRecoveryCode(code) === code
      }),
    )
  })
})

describe('hashes of recovery codes', () => {
  const code = 'K7QM4TXD9WHBR3FN6YPCV8JA'

  it('are the same for the same code, key and account, and for nothing else', () => {
    const hash = hashRecoveryCode(code, KEY, 'acc_1')
    expect(hash).to.match(/^[A-Za-z0-9_-]{43}$/)
    expect(sameHash(hash, hashRecoveryCode(code, KEY, 'acc_1'))).to.equal(true)
    expect(sameHash(hash, hashRecoveryCode(code, KEY, 'acc_2'))).to.equal(false)
    expect(sameHash(hash, hashRecoveryCode(code, new Uint8Array(32).fill(2), 'acc_1'))).to.equal(false)
    expect(sameHash(hash, hashRecoveryCode(`${code.slice(0, -1)}B`, KEY, 'acc_1'))).to.equal(false)
  })

  it('do not hold the code', () => {
    expect(hashRecoveryCode(code, KEY, 'acc_1')).not.to.include(code.slice(0, 6))
  })

  it('are made of cleaned codes only', () => {
    for (const typed of [groupRecoveryCode(code), code.toLowerCase(), '', `${code}\n`])
      expect(() => hashRecoveryCode(typed, KEY, 'acc_1'), typed).to.throw(RangeError)
  })

  it('of another length are not the same, and no error', () => {
    expect(sameHash('', 'abc')).to.equal(false)
    expect(sameHash('', '')).to.equal(true)
    expect(sameHash('äbc', 'abc')).to.equal(false)
  })
})
