import { createSign } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { expect } from 'chai'
import { logoutResponse, newSamlKeys, verifyLogoutRequest } from '../../src/sso/saml.ts'
import {
  base64,
  type LogoutSaid,
  logoutRequest,
  PERSISTENT,
  type Pen,
  signatureOf,
  signed,
  signedQuery,
  x509Data,
} from '../support/saml-signer.ts'
import { later, NOW, refusal, type Stand, samlStand } from '../support/saml-stand.ts'

describe('a request to log out by SAML', () => {
  let stand: Stand
  let theirs: Awaited<ReturnType<typeof newSamlKeys>>

  before(async () => {
    stand = await samlStand()
    theirs = await newSamlKeys('theirs', NOW)
  })

  const xml = (changed: Partial<LogoutSaid> = {}): string =>
    logoutRequest({
      id: '_logout',
      issuer: stand.settings.entityId,
      destination: stand.ours.sloUrl,
      issued: later(0),
      notOnOrAfter: undefined,
      nameId: 'user-1',
      nameIdFormat: PERSISTENT,
      sessions: ['_session'],
      ...changed,
    })
  const byRedirect = (query: string, now = NOW) =>
    verifyLogoutRequest(stand.settings, stand.ours, { binding: 'redirect', query }, now)
  const byPost = (text: string, now = NOW) =>
    verifyLogoutRequest(
      stand.settings,
      stand.ours,
      { binding: 'post', SAMLRequest: base64(text), RelayState: 'state' },
      now,
    )
  /** By both ways, signed as it should be. */
  const both = (changed: Partial<LogoutSaid>, pen: Partial<Pen> = {}) => [
    byRedirect(signedQuery(xml(changed), { ...stand.pen, ...pen }, 'state')),
    byPost(signed(xml(changed), { ...stand.pen, ...pen })),
  ]

  it('says whose sessions ended, by either binding', async () => {
    for (const attempt of both({ sessions: ['_a', '_b'] }))
      expect(await attempt).to.deep.equal({
        id: '_logout',
        subject: 'persistent:user-1',
        sessions: ['_a', '_b'],
        relayState: 'state',
        expiresAt: NOW + 390_000,
      })
    const [first] = both({ sessions: [], notOnOrAfter: later(60_000) })
    expect(await first).to.deep.include({ sessions: [], expiresAt: NOW + 150_000 })
    expect((await byRedirect(signedQuery(xml(), stand.pen))).relayState).to.equal(undefined)
  })

  it('is answered by redirect, signed', async () => {
    const url = new URL(
      (await logoutResponse(stand.settings, stand.ours, { id: '_logout', relayState: 'state' })) ?? '',
    )
    expect(url.origin + url.pathname).to.equal(stand.settings.sloUrl)
    expect([...url.searchParams.keys()]).to.deep.equal(['SAMLResponse', 'RelayState', 'SigAlg', 'Signature'])
    const text = inflateRawSync(Buffer.from(url.searchParams.get('SAMLResponse') ?? '', 'base64')).toString()
    expect(text).to.contain('InResponseTo="_logout"').and.to.contain('status:Success')
    const failed = new URL(
      (await logoutResponse(stand.settings, stand.ours, { id: '_x', relayState: undefined }, false)) ?? '',
    )
    expect(failed.searchParams.has('RelayState')).to.equal(false)
    const why = inflateRawSync(Buffer.from(failed.searchParams.get('SAMLResponse') ?? '', 'base64'))
    expect(why.toString()).not.to.contain('status:Success')
  })

  it('has no answer where the identity provider has no address for it', async () => {
    const settings = { ...stand.settings, sloUrl: undefined }
    const answer = await logoutResponse(settings, stand.ours, { id: '_x', relayState: undefined })
    expect(answer).to.equal(undefined)
  })

  const wrong: Record<string, Partial<LogoutSaid>> = {
    'from another issuer': { issuer: 'https://other.example' },
    'for another destination': { destination: 'https://other.example/slo' },
    'for no destination': { destination: undefined },
    'that is over': { notOnOrAfter: later(-90_000) },
    'that is old': { issued: later(-390_000) },
    'from the future': { issued: later(91_000) },
    'about nobody': { nameId: '' },
  }
  for (const [name, changed] of Object.entries(wrong)) {
    it(`is refused ${name}`, async () => {
      for (const attempt of both(changed)) expect(await refusal(attempt)).to.include({ fault: 'invalid' })
    })
  }

  it('is refused if it is signed by another key, or with SHA-1', async () => {
    for (const pen of [{ key: theirs.privateKey }, { method: 'rsa-sha1' as const, digest: 'sha1' as const }])
      for (const attempt of both({}, pen)) expect(await refusal(attempt)).to.include({ fault: 'invalid' })
  })

  describe('by redirect, is refused', () => {
    const tricks: Record<string, () => string> = {
      'without a signature': () => signedQuery(xml(), stand.pen).replace(/&Signature=.*/, ''),
      'without a signature and its method': () => signedQuery(xml(), stand.pen).replace(/&SigAlg=.*/, ''),
      'with an empty signature': () => signedQuery(xml(), stand.pen).replace(/&Signature=.*/, '&Signature='),
      'with another message': () =>
        signedQuery(xml(), stand.pen).replace(
          /SAMLRequest=[^&]+/,
          `SAMLRequest=${encodeURIComponent(deflateRawSync(xml({ nameId: 'admin' })).toString('base64'))}`,
        ),
      'with two messages': () =>
        `SAMLRequest=${encodeURIComponent(deflateRawSync(xml({ nameId: 'admin' })).toString('base64'))}&${signedQuery(xml(), stand.pen)}`,
      'with another relay state': () =>
        signedQuery(xml(), stand.pen, 'a').replace('RelayState=a', 'RelayState=b'),
      'with a relay state that was not signed': () => `${signedQuery(xml(), stand.pen)}&RelayState=b`,
      'with a method that is named otherwise': () =>
        signedQuery(xml(), stand.pen).replace('xmldsig-more%23rsa-sha256', 'xmldsig-more%23RSA-SHA256'),
      'with a method that is none': () =>
        signedQuery(xml(), stand.pen).replace(/SigAlg=[^&]+/, 'SigAlg=constructor'),
      'with a broken encoding': () => signedQuery(xml(), stand.pen).replace('Signature=', 'Signature=%'),
      'with a message that is a bomb': () =>
        signedQuery(`${' '.repeat(50 * 1024 * 1024)}${xml()}`, stand.pen),
      'with a message that is not compressed': () => {
        const query = `SAMLRequest=${encodeURIComponent(base64(xml()))}&SigAlg=${encodeURIComponent('http://www.w3.org/2001/04/xmldsig-more#rsa-sha256')}`
        const signature = createSign('RSA-SHA256').update(query).sign(stand.pen.key, 'base64')
        return `${query}&Signature=${encodeURIComponent(signature)}`
      },
      'with nothing': () => '',
    }
    for (const [name, build] of Object.entries(tricks)) {
      it(name, async () => {
        expect(await refusal(byRedirect(build()))).to.include({ fault: 'invalid' })
      })
    }
  })

  describe('by post, is refused', () => {
    const evil = () => xml({ id: '_evil', nameId: 'admin' })
    const tricks: Record<string, () => string> = {
      'without a signature': () => xml(),
      'with the signature of another': () =>
        evil().replace('</saml:Issuer>', `</saml:Issuer>${signatureOf(xml(), stand.pen)}`),
      'around a signed one': () =>
        evil().replace('</samlp:LogoutRequest>', `${signed(xml(), stand.pen)}</samlp:LogoutRequest>`),
      'with the signed one in its signature': () =>
        evil().replace(
          '</saml:Issuer>',
          `</saml:Issuer>${signatureOf(xml(), stand.pen).replace('</ds:Signature>', `<ds:Object>${xml()}</ds:Object></ds:Signature>`)}`,
        ),
      'with a certificate of its own': () =>
        signed(xml(), { key: theirs.privateKey, keyInfo: x509Data(theirs.certificate) }),
      'with a comment in the name': () => signed(xml(), stand.pen).replace('user-1', 'user<!---->-1'),
      'with a document type': () => `<!DOCTYPE x>${signed(xml(), stand.pen)}`,
      'as a response': () => stand.honest(),
    }
    for (const [name, build] of Object.entries(tricks)) {
      it(name, async () => {
        expect(await refusal(byPost(build()))).to.include({ fault: 'invalid' })
      })
    }
  })
})
