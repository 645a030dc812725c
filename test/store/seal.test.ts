import { expect } from 'chai'
import fc from 'fast-check'
import { createKeyring, type Place, SealBroken } from '../../src/store/seal.ts'

const OLD = 'the-old-secret-key-of-32-characters-or-more'
const NEW = 'the-new-secret-key-of-32-characters-or-more'
const place: Place = ['authenticators', 'secret', 'usr_1']
const purposes = ['seal', 'cookie', 'recovery-code', 'passkey-challenge', 'link', 'device', 'digest'] as const

describe('a sealed value', () => {
  const ring = createKeyring([NEW])
  const sealed = ring.seal('JBSWY3DPEHPK3PXP', place)

  it('opens to what was sealed, whatever it was', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.string(), (bytes, row) => {
        const at: Place = ['table', 'column', row]
        expect(ring.open(ring.seal(bytes, at), at).equals(Buffer.from(bytes))).to.equal(true)
      }),
    )
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        expect(ring.open(ring.seal(text, place), place).toString()).to.equal(text)
      }),
    )
  })

  it('does not show what it holds, and never looks the same twice', () => {
    expect(Buffer.from(sealed.slice(3), 'base64url').includes('JBSWY3DPEHPK3PXP')).to.equal(false)
    expect(ring.seal('JBSWY3DPEHPK3PXP', place)).not.to.equal(sealed)
  })

  const elsewhere: Record<string, Place> = {
    row: ['authenticators', 'secret', 'usr_2'],
    column: ['authenticators', 'other', 'usr_1'],
    table: ['clients', 'secret', 'usr_1'],
  }
  for (const [what, other] of Object.entries(elsewhere)) {
    it(`does not open when it was moved to another ${what}`, () => {
      expect(() => ring.open(sealed, other)).to.throw(SealBroken)
    })
  }

  it('cannot be moved by names that run into one another', () => {
    expect(() => ring.open(ring.seal('x', ['a', 'bc', 'd']), ['ab', 'c', 'd'])).to.throw(SealBroken)
    expect(() => ring.open(ring.seal('x', ['a', 'b', '","c']), ['a', 'b","', 'c'])).to.throw(SealBroken)
  })

  it('opens with an older key for as long as that is configured, and is sealed with the newest', () => {
    const before = createKeyring([OLD]).seal('kept', place)
    const rotated = createKeyring([NEW, OLD])
    expect(rotated.open(before, place).toString()).to.equal('kept')
    const after = rotated.seal('kept', place)
    expect(createKeyring([NEW]).open(after, place).toString()).to.equal('kept')
    expect(() => createKeyring([OLD]).open(after, place)).to.throw(SealBroken)
    expect(() => createKeyring([NEW]).open(before, place)).to.throw(SealBroken)
  })

  it('F15: says, without a secret, which setting and which column do not fit', () => {
    expect(() => createKeyring([OLD]).open(sealed, place))
      .to.throw(SealBroken)
      .with.property('message')
      .that.matches(/^SALLYPORT_SECRET_KEYS does not open authenticators\.secret:/)
      .and.does.not.include(OLD)
  })

  it('does not open when any of it was changed', () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.!'
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.constantFrom(...letters), (at, letter) => {
        fc.pre(sealed[at] !== letter)
        const tampered = `${sealed.slice(0, at)}${letter}${sealed.slice(at + 1)}`
        expect(() => ring.open(tampered, place)).to.throw(SealBroken)
      }),
      { numRuns: 500 },
    )
  })

  it('does not open when it was cut, or made longer', () => {
    for (let length = 0; length < sealed.length; length++) {
      expect(() => ring.open(sealed.slice(0, length), place), `${length}`).to.throw(SealBroken)
    }
    for (const more of ['A', '=', ' ', '\n', 'AAAA', '.']) {
      expect(() => ring.open(`${sealed}${more}`, place)).to.throw(SealBroken)
    }
  })

  it('does not open when it never was one', () => {
    for (const text of ['', 's1', 's1.', 's2.AAAA', 'JBSWY3DPEHPK3PXP', `s1.${'A'.repeat(200)}`]) {
      expect(() => ring.open(text, place), text).to.throw(SealBroken)
    }
    fc.assert(
      fc.property(fc.string(), text => {
        expect(() => ring.open(text, place)).to.throw(SealBroken)
      }),
    )
  })
})

describe('a signature', () => {
  const ring = createKeyring([NEW, OLD])

  it('is good for its text and purpose alone', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...purposes),
        fc.constantFrom(...purposes),
        fc.string(),
        fc.string(),
        (purpose, other, text, another) => {
          const signature = ring.sign(purpose, text)
          expect(ring.verify(purpose, text, signature)).to.equal(true)
          expect(ring.verify(other, another, signature)).to.equal(purpose === other && text === another)
        },
      ),
    )
  })

  it('of an older key is good for as long as that is configured', () => {
    const signature = createKeyring([OLD]).sign('link', 'text')
    expect(ring.verify('link', 'text', signature)).to.equal(true)
    expect(createKeyring([NEW]).verify('link', 'text', signature)).to.equal(false)
  })

  it('is not good when it was changed, cut or made longer', () => {
    const signature = ring.sign('link', 'text')
    fc.assert(
      fc.property(fc.nat(signature.length - 1), fc.constantFrom(...'ABCwxyz0189-_=.!'), (at, letter) => {
        fc.pre(signature[at] !== letter)
        const tampered = `${signature.slice(0, at)}${letter}${signature.slice(at + 1)}`
        expect(ring.verify('link', 'text', tampered)).to.equal(false)
      }),
    )
    for (const other of ['', signature.slice(1), signature.slice(0, -1), `${signature}A`, `${signature}=`]) {
      expect(ring.verify('link', 'text', other)).to.equal(false)
    }
  })
})

describe('the keys', () => {
  it('are 32 bytes each, in the order configured, and never the same for two purposes', () => {
    const ring = createKeyring([NEW, OLD])
    const all = purposes.flatMap(purpose => ring.keys(purpose).map(key => Buffer.from(key).toString('hex')))
    expect(all).to.have.length(purposes.length * 2)
    expect(new Set(all).size).to.equal(all.length)
    expect(all.every(each => each.length === 64)).to.equal(true)
    expect(ring.keys('cookie')[1]).to.deep.equal(createKeyring([OLD]).keys('cookie')[0])
  })
})
