// Attacks X5 and X6: what somebody writes who has a signed assertion of their own, who has a key of their own, or who
// has neither. Each begins with what is honest and changes one thing; the honest one is taken.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { expect } from 'chai'
import { finish, newSamlKeys } from '../../src/sso/saml.ts'
import {
  assertion,
  base64,
  type Cipher,
  EMAIL_ADDRESS,
  response,
  sealed,
  signatureOf,
  signed,
  x509Data,
} from '../support/saml-signer.ts'
import { later, NOW, REQUEST_ID, refusal, type Stand, samlStand } from '../support/saml-stand.ts'

describe('attacks on SAML', () => {
  let stand: Stand
  /** A key of the attacker's, with a certificate that nobody set up. */
  let theirs: Awaited<ReturnType<typeof newSamlKeys>>
  /** An honest assertion, signed; as it was before; its signature; and one that says "admin". */
  let good: string
  let plain: string
  let signature: string
  let evil: string

  before(async () => {
    stand = await samlStand()
    theirs = await newSamlKeys('theirs', NOW)
    plain = assertion(stand.said())
    signature = signatureOf(plain, stand.pen)
    good = signed(plain, stand.pen)
    evil = assertion(stand.said({ id: '_evil', nameId: 'admin' }))
  })

  const within = (content: string): string => response(stand.envelope(), content)
  const refused = (xml: string) => refusal(stand.take(xml))
  /** An assertion with something behind its issuer, where signatures stand. */
  const behindIssuer = (xml: string, what: string): string =>
    xml.replace('</saml:Issuer>', `</saml:Issuer>${what}`)
  const inObject = (what: string): string =>
    signature.replace('</ds:Signature>', `<ds:Object>${what}</ds:Object></ds:Signature>`)

  it('begin with what is taken', async () => {
    expect(await stand.take(within(good))).to.include({ subject: 'persistent:user-1', session: '_session' })
  })

  it('meet a library whose signatures can’t be wrapped', () => {
    const require = createRequire(createRequire(import.meta.url).resolve('@node-saml/node-saml'))
    const { version } = JSON.parse(readFileSync(require.resolve('xml-crypto/package.json'), 'utf8')) as {
      version: string
    }
    const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
    expect(major * 1e6 + minor * 1e3 + patch).to.be.at.least(6_000_001)
  })

  describe('refuse, of wrapped signatures (X5),', () => {
    const signedResponse = (): { whole: string; mark: string } => {
      const bare = within(good)
      return { whole: bare, mark: signatureOf(bare, stand.pen) }
    }
    const evilResponse = (content: string): string =>
      response(stand.envelope({ id: '_evil-response' }), content)
    const wraps: Record<string, () => string> = {
      'XSW 1: a response around the signed one, that is in the signature': () => {
        const { whole, mark } = signedResponse()
        return behindIssuer(evilResponse(evil), mark.replace('</ds:Signature>', `${whole}</ds:Signature>`))
      },
      'XSW 2: a response with the signed one beside the signature': () => {
        const { whole, mark } = signedResponse()
        return behindIssuer(evilResponse(evil), whole + mark)
      },
      'XSW 3: an assertion before the signed one': () => within(evil + good),
      'XSW 4: an assertion around the signed one': () => within(behindIssuer(evil, good)),
      'XSW 5: the signature in another assertion, the signed one at the end': () =>
        within(behindIssuer(evil, signature) + plain),
      'XSW 6: the signed assertion in the signature of another': () =>
        within(behindIssuer(evil, signature.replace('</ds:Signature>', `${plain}</ds:Signature>`))),
      'XSW 7: an assertion in the extensions': () =>
        within(good).replace('<samlp:Status>', `<samlp:Extensions>${evil}</samlp:Extensions><samlp:Status>`),
      'XSW 8: the signed assertion in an object of the signature': () =>
        within(behindIssuer(evil, inObject(plain))),
      'an assertion of the same id around the signed one': () =>
        within(behindIssuer(evil.replace('_evil', '_assertion'), signature) + plain),
      'the signed assertion in the advice of another': () =>
        within(evil.replace('</saml:Conditions>', `</saml:Conditions><saml:Advice>${good}</saml:Advice>`)),
      'two assertions, both signed': () =>
        within(good + signed(assertion(stand.said({ id: '_other' })), stand.pen)),
      'an assertion and an encrypted one': () =>
        within(`${good}<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/>`),
      'two roots': () => within(good) + within(evil),
      'an assertion that is no child of the response': () =>
        within(`<samlp:Extensions>${good}</samlp:Extensions>`),
      'an assertion that is the root': () => good,
      'another root of the right name': () =>
        within(good).replaceAll('urn:oasis:names:tc:SAML:2.0:protocol', 'urn:example'),
      'an assertion of another namespace': () =>
        within(behindIssuer(evil, signature).replaceAll('tc:SAML:2.0:assertion', 'tc:SAML:1.0:assertion')),
    }
    for (const [name, build] of Object.entries(wraps)) {
      it(name, async () => {
        expect(await refused(build())).to.include({ fault: 'invalid' })
      })
    }
  })

  describe('refuse, of signatures that are none (X5),', () => {
    const other = () => stand.said({ nameId: 'admin' })
    const forged: Record<string, () => string> = {
      'none at all': () => within(plain),
      'one that stood on another assertion': () => within(behindIssuer(evil, signature)),
      'one of the response alone': () => signed(within(plain), stand.pen),
      'a right one of the response with a wrong one of the assertion': () =>
        signed(within(signed(evil, { key: theirs.privateKey })), stand.pen),
      'a wrong one of the response with a right one of the assertion': () =>
        signed(within(good), { key: theirs.privateKey }),
      'one by a key of one’s own, with its certificate in KeyInfo': () =>
        within(signed(assertion(other()), { key: theirs.privateKey, keyInfo: x509Data(theirs.certificate) })),
      'one by a key of one’s own, with the right certificate in KeyInfo': () =>
        within(
          signed(assertion(other()), { key: theirs.privateKey, keyInfo: x509Data(stand.idp.certificate) }),
        ),
      'a digest with a comment in it': () =>
        within(behindIssuer(evil, signature.replace('<ds:DigestValue>', '<ds:DigestValue><!--x-->'))),
      'two digests': () =>
        within(good.replace('</ds:DigestValue>', '</ds:DigestValue><ds:DigestValue>AA==</ds:DigestValue>')),
      'two of SignedInfo': () =>
        within(
          good.replace(
            '<ds:SignatureValue>',
            `${/<ds:SignedInfo>.*<\/ds:SignedInfo>/.exec(good)?.[0]}<ds:SignatureValue>`,
          ),
        ),
      'a SignedInfo of one’s own before the signed one': () => {
        const info = /<ds:SignedInfo>.*<\/ds:SignedInfo>/.exec(
          signatureOf(evil, { key: theirs.privateKey }),
        )?.[0]
        return within(behindIssuer(evil, signature.replace('<ds:SignedInfo>', `${info}<ds:SignedInfo>`)))
      },
      'a SignedInfo that is hidden in KeyInfo': () =>
        within(
          behindIssuer(
            plain,
            signature.replace(
              '</ds:Signature>',
              `<ds:KeyInfo>${/<ds:SignedInfo>.*<\/ds:SignedInfo>/.exec(signature)?.[0]}</ds:KeyInfo></ds:Signature>`,
            ),
          ),
        ),
      'two references': () =>
        within(
          signed(plain, {
            ...stand.pen,
            extra: /<ds:Reference.*<\/ds:Reference>/.exec(signatureOf(evil, stand.pen))?.[0] ?? '',
          }),
        ),
      'two signatures of one assertion': () => within(behindIssuer(good, signature)),
      'a reference to all of the document': () => within(signed(plain, { ...stand.pen, uri: '' })),
      'a reference that is an XPath': () =>
        within(signed(plain, { ...stand.pen, uri: "#x' or @ID='_assertion" })),
      'a reference to elsewhere': () =>
        within(signed(plain, { ...stand.pen, uri: 'https://evil.example/#_assertion' })),
      'a transform that cuts something out': () =>
        within(
          signed(plain, {
            ...stand.pen,
            transforms: [
              'http://www.w3.org/TR/1999/REC-xslt-19991116',
              'http://www.w3.org/2001/10/xml-exc-c14n#',
            ],
          }),
        ),
      'a canonicalization that keeps comments': () =>
        within(
          signed(plain, {
            ...stand.pen,
            transforms: [
              'http://www.w3.org/2000/09/xmldsig#enveloped-signature',
              'http://www.w3.org/2001/10/xml-exc-c14n#WithComments',
            ],
          }),
        ),
      'SHA-1': () => within(signed(plain, { ...stand.pen, method: 'rsa-sha1', digest: 'sha1' })),
      'SHA-1 of the signature': () => within(signed(plain, { ...stand.pen, method: 'rsa-sha1' })),
      'SHA-1 of the digest': () => within(signed(plain, { ...stand.pen, digest: 'sha1' })),
      'SHA-1 of the response’s, beside a right one of the assertion': () =>
        signed(within(good), { ...stand.pen, method: 'rsa-sha1', digest: 'sha1' }),
      'HMAC, with the certificate as the key': () =>
        within(
          signed(assertion(other()), { key: stand.idp.certificate, method: 'hmac-sha1', digest: 'sha1' }),
        ),
      'something changed after signing': () => within(good.replace('user-1', 'user-2')),
      'an attribute added after signing': () =>
        within(
          good.replace(
            '</saml:AttributeStatement>',
            '<saml:Attribute Name="groups"><saml:AttributeValue>admins</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>',
          ),
        ),
    }
    for (const [name, build] of Object.entries(forged)) {
      it(name, async () => {
        expect(await refused(build())).to.include({ fault: 'invalid' })
      })
    }

    it('SHA-1 by its name', async () => {
      const { detail } = await refused(forged['SHA-1']?.() ?? '')
      expect(detail).to.contain('SHA-1')
    })
  })

  describe('refuse, of XML that is a weapon (X5),', () => {
    const big = () => 'x'.repeat(5 * 1024 * 1024)
    const weapons: Record<string, () => string> = {
      'an external entity': () =>
        `<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd">]>${within(good.replace('user-1', '&file;'))}`,
      'a document type that is empty': () => `<!DOCTYPE Response>${within(good)}`,
      'a document type behind the declaration': () =>
        `<?xml version="1.0"?>\n<!DOCTYPE Response SYSTEM "http://evil.example/x.dtd">${within(good)}`,
      'a billion laughs': () =>
        `<!DOCTYPE lolz [<!ENTITY a "lol">${[...'bcdefghij'].map((name, at) => `<!ENTITY ${name} "${`&${'abcdefghi'[at]};`.repeat(10)}">`).join('')}]>${within(good.replace('user-1', '&j;'))}`,
      'an entity that is not defined': () => within(good.replace('user-1', '&who;')),
      '5 MB of text': () => within(good.replace('user-1', big())),
      '5 MB of white space': () =>
        within(good).replace('<samlp:Status>', `${' '.repeat(5 * 1024 * 1024)}<samlp:Status>`),
      'elements that are nested deeper than any message': () =>
        within(good + '<a>'.repeat(20) + '</a>'.repeat(20)),
      'elements that are nested ten thousand deep': () =>
        within(`${'<a>'.repeat(10_000)}${'</a>'.repeat(10_000)}`),
      'elements that are nested, each with a namespace, and look as if they were not': () =>
        within(
          good +
            Array.from({ length: 5000 }, (_, at) => `<a b="/>" xmlns:n${at}="u">`).join('') +
            '</a>'.repeat(5000),
        ),
      'elements by the thousand': () => within(good + '<a/>'.repeat(1000)),
      'ids by the hundred': () =>
        within(good + Array.from({ length: 100 }, (_, at) => `<a ID="_${at}"/>`).join('')),
      'attributes by the thousand, on one element': () =>
        within(`${good}<a ${Array.from({ length: 1000 }, (_, at) => `a${at}=""`).join(' ')}/>`),
      'attributes by the thousand, on many': () =>
        within(good + `<a ${Array.from({ length: 20 }, (_, at) => `a${at}=""`).join(' ')}/>`.repeat(500)),
      'a processing instruction': () =>
        within(good).replace('<samlp:Status>', '<?php echo 1?><samlp:Status>'),
      CDATA: () => within(good.replace('user-1', '<![CDATA[user-1]]>')),
      'what is not closed': () => within(good).slice(0, -5),
      'an attribute twice': () => within(good).replace(' Version="2.0"', ' Version="2.0" Version="2.0"'),
      'UTF-16': () => Buffer.from(within(good), 'utf16le').toString('latin1'),
      'text behind the root': () => `${within(good)}x`,
    }
    for (const [name, build] of Object.entries(weapons)) {
      it(name, async () => {
        expect(await refused(build())).to.include({ fault: 'invalid' })
      })
    }

    it('none that has nine hundred groups', async () => {
      const groups = Array.from({ length: 900 }, (_, at) => `group ${at}`)
      expect((await stand.take(stand.honest({ said: { attributes: { groups } } }))).groups).to.deep.equal(
        groups,
      )
    })

    it('what is no base64, or no text', async () => {
      const arrivals = [
        '',
        '<samlp:Response/>',
        '%%%',
        base64(within(good)).slice(1),
        '/w==',
        'A'.repeat(6_000_000),
      ]
      for (const SAMLResponse of arrivals) {
        const attempt = finish(stand.settings, stand.ours, {
          SAMLResponse,
          expectedRequestId: REQUEST_ID,
          now: NOW,
        })
        expect(await refusal(attempt)).to.include({ fault: 'invalid' })
      }
    })

    it('arbitrary bytes', async () => {
      for (let round = 0; round < 50; round++) {
        const attempt = finish(stand.settings, stand.ours, {
          SAMLResponse: randomBytes(1 + round * 20).toString('base64'),
          expectedRequestId: REQUEST_ID,
          now: NOW,
        })
        expect(await refusal(attempt)).to.include({ fault: 'invalid' })
      }
    })
  })

  describe('refuse, of encrypted assertions (X5),', () => {
    const seal = (xml: string, cipher?: Cipher, transport?: 'rsa-1_5'): string =>
      sealed(xml, stand.ours.certificate, cipher, transport)
    const weak = () => signed(plain, { ...stand.pen, method: 'rsa-sha1', digest: 'sha1' })
    const attempts: Record<string, () => string> = {
      'one that is not signed': () => within(seal(plain)),
      'one that is not signed, in a response that is': () => signed(within(seal(plain)), stand.pen),
      'one that is signed by a key of one’s own': () =>
        within(seal(signed(evil, { key: theirs.privateKey }))),
      'one that is signed with SHA-1': () => within(seal(weak())),
      'one that is signed with SHA-1, in a response that is signed rightly': () =>
        signed(within(seal(weak())), stand.pen),
      'one that is wrapped': () => within(seal(behindIssuer(evil, good))),
      'two in one': () => within(seal(evil + good)),
      'one beside one that is open': () => within(seal(good) + evil),
      'a signed one inside an open one that is not': () => within(behindIssuer(evil, seal(good))),
      'one in one': () => within(seal(seal(good))),
      'two keys': () =>
        within(seal(good).replace(/<xenc:EncryptedKey>.*<\/xenc:EncryptedKey>/, key => key + key)),
      'entities in it': () =>
        within(seal(`<!DOCTYPE x [<!ENTITY a "admin">]>${good.replace('user-1', '&a;')}`)),
      'something else in it': () => within(seal('<x/>')),
      'nothing in it': () => within(seal('')),
      'a cipher text that was changed': () =>
        within(
          seal(good).replace(
            /(.)(=*<\/xenc:CipherValue><\/xenc:CipherData><\/xenc:EncryptedData>)/,
            (_, last, rest) => `${last === 'A' ? 'Q' : 'A'}${rest}`,
          ),
        ),
      'a key that is encrypted with RSA PKCS #1 v1.5': () => within(seal(good, 'aes-256-gcm', 'rsa-1_5')),
      'Triple DES': () => within(seal(good, 'des-ede3-cbc')),
    }
    for (const [name, build] of Object.entries(attempts)) {
      it(name, async () => {
        expect(await refused(build())).to.include({ fault: 'invalid' })
      })
    }

    it('all that is wrong inside in the same words, so that nobody learns what', async () => {
      const details = new Set<string>()
      for (const xml of [
        sealed(good, theirs.certificate),
        seal(plain),
        seal('<x/>'),
        seal(weak()),
        seal(signed(evil, { key: theirs.privateKey })),
        seal(good).replace(
          />[^<]{8}([^<]*<\/xenc:CipherValue><\/xenc:CipherData><\/xenc:EncryptedData>)/,
          '>AAAAAAAA$1',
        ),
      ])
        details.add((await refused(within(xml))).detail)
      expect([...details]).to.have.length(1)
    })

    it('none that is honest, whatever AES it has', async () => {
      for (const cipher of ['aes-256-gcm', 'aes-128-gcm', 'aes-256-cbc', 'aes-128-cbc'] as const) {
        const xml = within(seal(good, cipher))
        expect(await stand.take(xml)).to.include({ subject: 'persistent:user-1' })
        expect(await stand.take(signed(xml, stand.pen))).to.include({ subject: 'persistent:user-1' })
      }
    })
  })

  describe('refuse, of what is signed but says the wrong (X6),', () => {
    const invalid: Record<string, Parameters<Stand['honest']>[0]> = {
      'another audience': { said: { audience: 'https://other.example/saml' } },
      'an audience that begins like ours': { said: { audience: 'https://login.example/sso/saml/77' } },
      'another recipient': { said: { recipient: 'https://other.example/acs' } },
      'another destination': { envelope: { destination: 'https://other.example/acs' } },
      'another issuer of the assertion': { said: { issuer: 'https://other.example/idp' } },
      'another issuer of the response': { envelope: { issuer: 'https://other.example/idp' } },
      'an issuer that differs in case': { said: { issuer: 'https://IDP.example/saml' } },
      'an assertion that is over': { said: { notOnOrAfter: later(-90_000) } },
      'a confirmation that is over': { said: { confirmedUntil: later(-90_000) } },
      'an assertion that begins later': { said: { notBefore: later(91_000) } },
      'an assertion that was written later': { said: { issued: later(91_000) } },
      'a login that is in the future': { said: { authenticated: later(91_000) } },
      'an assertion that is valid for weeks': {
        said: { notOnOrAfter: later(2 * 86_400_000), confirmedUntil: later(2 * 86_400_000) },
      },
      'a condition that is not known': { said: { conditions: '<saml:Condition></saml:Condition>' } },
      'a second audience restriction that is not ours': {
        said: {
          conditions:
            '<saml:AudienceRestriction><saml:Audience>https://other.example</saml:Audience></saml:AudienceRestriction>',
        },
      },
      'a confirmation other than that of a bearer': {
        said: { confirmation: 'urn:oasis:names:tc:SAML:2.0:cm:sender-vouches' },
      },
      'a name that is empty': { said: { nameId: '' } },
      'a name of several lines': { said: { nameId: 'user\n1' } },
      'a name that is too long': { said: { nameId: 'u'.repeat(513) } },
      'a name that is an element': { said: { nameId: '<saml:X>user-1</saml:X>' } },
    }
    for (const [name, changed] of Object.entries(invalid)) {
      it(name, async () => {
        expect(await refused(stand.honest(changed))).to.include({ fault: 'invalid' })
      })
    }

    it('a name with a comment in it, put there after signing', async () => {
      const whole = { nameId: 'admin@acme.example.evil.example', nameIdFormat: EMAIL_ADDRESS }
      const honest = stand.honest({ said: whole })
      expect((await stand.take(honest)).email).to.equal(whole.nameId)
      expect(await refused(honest.replace('.evil', '<!---->.evil'))).to.include({ fault: 'invalid' })
      expect(await refused(honest.replace('.evil', '<?x?>.evil'))).to.include({ fault: 'invalid' })
    })

    it('success without an assertion, signed', async () => {
      const { fault, detail } = await refused(signed(within(''), stand.pen))
      expect({ fault, detail }).to.deep.equal({ fault: 'invalid', detail: 'The response has no assertion.' })
    })

    it('a name for this one login', async () => {
      const xml = stand.honest({
        said: { nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient' },
      })
      expect(await refused(xml)).to.include({ fault: 'configuration' })
    })

    it('a signed response without a destination', async () => {
      const xml = response(stand.envelope({ destination: undefined }), good)
      expect((await stand.take(xml)).subject).to.equal('persistent:user-1')
      expect(await refused(signed(xml, stand.pen))).to.include({ fault: 'invalid' })
    })

    const replayed: Record<string, Parameters<Stand['honest']>[0]> = {
      'an answer that nobody asked for': {
        said: { inResponseTo: undefined },
        envelope: { inResponseTo: undefined },
      },
      'an answer to another request': {
        said: { inResponseTo: '_other' },
        envelope: { inResponseTo: '_other' },
      },
      'an assertion for another request, in an envelope for this one': { said: { inResponseTo: '_other' } },
      'an assertion that nobody asked for, in an envelope for this request': {
        said: { inResponseTo: undefined },
      },
      'an envelope for another request': { envelope: { inResponseTo: '_other' } },
      'an envelope for none': { envelope: { inResponseTo: undefined } },
    }
    for (const [name, changed] of Object.entries(replayed)) {
      it(name, async () => {
        expect(await refused(stand.honest(changed))).to.include({ fault: 'replayed' })
      })
    }

    it('a login that began at the other side, unless that is allowed', async () => {
      const changed = { said: { inResponseTo: undefined }, envelope: { inResponseTo: undefined } }
      const attempt = finish(stand.settings, stand.ours, {
        SAMLResponse: base64(stand.honest(changed)),
        expectedRequestId: undefined,
        now: NOW,
      })
      expect(await refusal(attempt)).to.include({ fault: 'replayed' })
    })

    it('an answer to a request, as a login that began at the other side', async () => {
      for (const changed of [
        {},
        { said: { inResponseTo: undefined } },
        { envelope: { inResponseTo: undefined } },
      ]) {
        const attempt = stand.take(stand.honest(changed), { idpInitiated: true })
        expect(await refusal(attempt)).to.include({ fault: 'replayed' })
      }
    })
  })

  it('learn nothing from a refusal of what they sent', async () => {
    const secret = 'very-secret-value'
    for (const xml of [
      stand.honest({ said: { audience: secret, nameId: secret } }),
      stand.honest({ said: { issuer: secret } }),
      stand.honest({ said: { recipient: secret } }),
      stand.honest({ envelope: { status: secret } }),
      stand.honest({ envelope: { status: `urn:oasis:names:tc:SAML:2.0:status:${secret}` } }),
      stand.honest({ envelope: { issuer: secret, inResponseTo: secret } }),
      within(good).replace('user-1', secret),
    ])
      expect((await refused(xml)).detail).not.to.contain(secret)
  })
})
