// The header, as it is sent and as it is read: by this package and by the client library that many apps have.

import { actionReference, parseStepUpChallenge, stepUpChallenge } from '@sallyport/step-up'
import { expect } from 'chai'
import fc from 'fast-check'
import * as client from 'openid-client'

const TWO = 'urn:sallyport:acr:2fa'
const action = { type: 'protected_action', action: 'device.delete', objects: ['dev_17'] } as const
const both = [
  { error: 'insufficient_user_authentication', acrValues: [TWO, 'phr'], maxAge: 300 },
  { error: 'insufficient_authorization', acrValues: [TWO, 'phr'], maxAge: 300, action },
] as const

const answer = (...headers: string[]) =>
  new Response(null, { status: 401, headers: headers.map(each => ['www-authenticate', each]) })

async function asLibrary(header: string) {
  const config = new client.Configuration({ issuer: 'https://id.example' }, 'console')
  config[client.customFetch] = async () => answer(header)
  try {
    await client.fetchProtectedResource(config, 'token', new URL('https://api.example'), 'GET')
  } catch (error) {
    if (error instanceof client.WWWAuthenticateChallengeError) return error.cause
    throw error
  }
  throw new Error('no challenge was seen')
}

describe('the challenge', () => {
  it('is written in one order, max_age without quotes', () => {
    expect(stepUpChallenge([both[0]], { realm: 'https://api.example' })).to.equal(
      'Bearer realm="https://api.example", error="insufficient_user_authentication", ' +
        'error_description="a stronger or more recent authentication is required", ' +
        `acr_values="${TWO} phr", max_age=300`,
    )
  })

  it('carries an action as base64url of JSON, with its reference', () => {
    const [, text = ''] = /authorization_remediation="([\w-]+)"/.exec(stepUpChallenge([both[1]])) ?? []
    expect(JSON.parse(Buffer.from(text, 'base64url').toString())).to.deep.equal({
      authorization_details: [action],
      authorization_reference: actionReference(action),
    })
  })

  it('says no error where no token came', () => {
    expect(stepUpChallenge([], { realm: 'r' })).to.equal('Bearer realm="r"')
    expect(stepUpChallenge([], { scheme: 'DPoP' })).to.match(/^DPoP algs="[\w ]+"$/)
  })

  it('is read by openid-client as two challenges where two things lack', async () => {
    const [first, second] = await asLibrary(stepUpChallenge(both, { realm: 'r' }))
    expect(first).to.deep.include({ scheme: 'bearer' })
    expect(first?.parameters).to.include({
      error: 'insufficient_user_authentication',
      acr_values: `${TWO} phr`,
      max_age: '300',
    })
    expect(second?.parameters).to.include({ error: 'insufficient_authorization' })
  })

  it('is read as one thing to do', () => {
    const asked = {
      acrValues: [TWO, 'phr'],
      maxAge: 300,
      authorizationDetails: [action],
      authorizationReference: actionReference(action),
    }
    const errors = ['insufficient_user_authentication', 'insufficient_authorization']
    expect(parseStepUpChallenge(answer(stepUpChallenge(both)))).to.deep.equal({ errors, ...asked })
    // In two headers, and for a token that is bound to a key.
    const two = both.map(each => stepUpChallenge([each], { scheme: 'DPoP', realm: 'r' }))
    expect(parseStepUpChallenge(answer(...two))).to.deep.equal({ errors, ...asked })
    const beside = answer('Basic realm="a, b=c"', 'Negotiate abc==', ...two)
    expect(parseStepUpChallenge(beside)).to.deep.equal({ errors, ...asked })
  })

  it('carries any action whatever its name, and nothing of it breaks the header', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1 }),
      fc.constantFrom(
        'a\r\nSet-Cookie: x=1',
        '"><script>alert(1)</script>',
        'a", error="none',
        'löschen \\ 删除',
        '\u0000',
      ),
    )
    fc.assert(
      fc.property(
        text,
        fc.array(text, { minLength: 1, maxLength: 5 }),
        fc.dictionary(text, text),
        (name, objects, fields) => {
          const odd = { type: 'protected_action' as const, action: name, objects, fields }
          const header = stepUpChallenge([{ error: 'insufficient_authorization', action: odd }], {
            realm: 'r',
          })
          expect(header).to.match(/^[\x20-\x7e]+$/)
          const read = parseStepUpChallenge(answer(header))
          expect(read?.errors).to.deep.equal(['insufficient_authorization'])
          expect(read?.authorizationReference).to.equal(actionReference(odd))
          if (header.length < 6_000) {
            expect(read?.authorizationDetails?.map(actionReference)).to.deep.equal([actionReference(odd)])
          }
        },
      ),
    )
  })

  it('tells an action that fits no header by its reference alone', () => {
    const long = { ...action, objects: Array.from({ length: 1000 }, (_, index) => `device-${index}`) }
    const header = stepUpChallenge([{ error: 'insufficient_authorization', action: long }])
    expect(header.length).to.be.lessThan(1_000)
    expect(parseStepUpChallenge(answer(header))).to.deep.equal({
      errors: ['insufficient_authorization'],
      authorizationReference: actionReference(long),
    })
  })

  it('refuses an acr, realm or scope that would end a quoted text', () => {
    for (const bad of ['a"b', 'a\\b', 'a\r\nb', 'ä', '\u007f']) {
      expect(() => stepUpChallenge([{ ...both[0], acrValues: [bad] }]), bad).to.throw(TypeError)
      expect(() => stepUpChallenge([], { realm: bad }), bad).to.throw(TypeError)
      expect(() => stepUpChallenge([{ error: 'insufficient_scope', scope: bad }]), bad).to.throw(TypeError)
    }
  })

  describe('is none', () => {
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const asking = (remediation: string) =>
      `Bearer error="insufficient_authorization", authorization_remediation="${remediation}"`
    const rows: Record<string, string> = {
      'of another error': 'Bearer error="invalid_token"',
      'without an error': 'Bearer realm="r"',
      'that breaks off': 'Bearer error="insufficient_user_authentication',
      'with a parameter twice': 'Bearer error="invalid_token", error="insufficient_user_authentication"',
      'without a scheme': 'error="insufficient_user_authentication"',
      'with no remediation': 'Bearer error="insufficient_authorization"',
      'with a remediation that is no base64url': asking('***'),
      'with a remediation that is no JSON': asking('YWJj'),
      'with a remediation that is null': asking(encode(null)),
      'with details that are no list': asking(encode({ authorization_details: { type: 'x' } })),
      'with details that have no type': asking(encode({ authorization_details: [{}] })),
      'with a reference that is no text': asking(encode({ authorization_reference: 1 })),
      'with nothing in the remediation': asking(encode({})),
    }
    for (const [name, header] of Object.entries(rows)) {
      it(name, () => expect(parseStepUpChallenge(answer(header))).to.equal(undefined))
    }
    it('with another status', () => {
      const headers = { 'www-authenticate': stepUpChallenge(both) }
      expect(parseStepUpChallenge(new Response(null, { status: 403, headers }))).to.equal(undefined)
      expect(parseStepUpChallenge(new Response())).to.equal(undefined)
    })
    it('whatever comes, and never an exception or a long wait', () => {
      fc.assert(
        fc.property(
          fc.string({ unit: fc.constantFrom(...'Bearer error="x\\, \t='), maxLength: 200 }),
          text => {
            expect(parseStepUpChallenge(answer(text.trim()))).to.equal(undefined)
          },
        ),
      )
      const since = Date.now()
      parseStepUpChallenge(answer(`Bearer ${'a="\\'.repeat(4000)}`))
      parseStepUpChallenge(answer(`Bearer ${'a '.repeat(8000)}`))
      expect(Date.now() - since).to.be.lessThan(500)
    })
  })
})
