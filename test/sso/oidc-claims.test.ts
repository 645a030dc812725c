// What verified claims are worth where no upstream of a test can stand: at Microsoft Entra ID, whose issuer is Microsoft's.

import { expect } from 'chai'
import { answerOf } from '../../src/sso/oidc-claims.ts'

const ENTRA = 'https://login.microsoftonline.com/6f1c1f2e-5d7c-4c56-9f5c-0f1f5a6f2a11/v2.0'

describe('X1: the address that Microsoft Entra ID says', () => {
  const words: [edov: unknown, verified: boolean | undefined][] = [
    [true, true],
    [1, true],
    ['1', true],
    [false, false],
    [0, false],
    ['0', false],
    ['yes', false],
    [undefined, undefined],
  ]
  for (const [edov, verified] of words) {
    it(`is the user's: ${verified}, for xms_edov ${JSON.stringify(edov)}`, () => {
      const claims = { sub: 'a', email: 'una@acme.example', xms_edov: edov }
      expect(answerOf(claims, undefined, ENTRA).emailVerified).to.equal(verified)
    })
  }

  it('is not the user’s where email_verified says so, whatever xms_edov says', () => {
    const claims = { sub: 'a', email: 'una@acme.example', email_verified: false, xms_edov: true }
    expect(answerOf(claims, undefined, ENTRA).emailVerified).to.equal(false)
  })

  it('is believed of Microsoft alone', () => {
    const claims = { sub: 'a', email: 'una@acme.example', xms_edov: true }
    for (const issuer of [
      'https://evil.example/login.microsoftonline.com/',
      'https://login.microsoftonline.com.evil.example/',
      'http://login.microsoftonline.com/',
    ]) {
      expect(answerOf(claims, undefined, issuer).emailVerified, issuer).to.equal(undefined)
    }
  })
})

describe('the name of somebody', () => {
  it('is what the upstream calls them, or made of the two it gives', () => {
    const named = (claims: Record<string, unknown>) => answerOf({ sub: 'a', ...claims }, undefined, '').name
    expect(named({ name: 'Una Reyes', given_name: 'U' })).to.equal('Una Reyes')
    expect(named({ given_name: 'Una', family_name: 'Reyes' })).to.equal('Una Reyes')
    expect(named({ given_name: 'Una' })).to.equal('Una')
    expect(named({ name: 7 })).to.equal(undefined)
  })
})
