import { expect } from 'chai'
import { cookieSignatures } from '../../src/http/cookie-signatures.ts'
import { createKeyring } from '../../src/store/seal.ts'

const OLD = 'an old secret key of at least 32 characters'
const NEW = 'a new secret key of at least 32 characters!'
const data = 'sallyport_session=2ZbQy'

describe('signatures of cookies', () => {
  it('are told by the key that made them, so that an older one is signed anew', () => {
    const rotated = cookieSignatures(createKeyring([NEW, OLD]))
    const before = cookieSignatures(createKeyring([OLD])).sign(data)
    expect(rotated.index(data, before)).to.equal(1)
    expect(rotated.index(data, rotated.sign(data))).to.equal(0)
    expect(rotated.sign(data)).not.to.equal(before)
  })

  it('are refused if the cookie, its name or the signature was changed, or the key is gone', () => {
    const signatures = cookieSignatures(createKeyring([NEW]))
    const made = signatures.sign(data)
    expect(signatures.verify(data, made)).to.equal(true)
    for (const [other, signature] of [
      [`${data}x`, made],
      [data.replace('session', 'resume'), made],
      [data, `${made}x`],
      [data, made.slice(1)],
      [data, ''],
      [data, cookieSignatures(createKeyring([OLD])).sign(data)],
    ] as const) {
      expect(signatures.verify(other, signature)).to.equal(false)
      expect(signatures.index(other, signature)).to.equal(-1)
    }
  })
})
