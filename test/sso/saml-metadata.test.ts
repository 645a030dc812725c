import { generateKeyPairSync } from 'node:crypto'
import { expect } from 'chai'
import { newSamlKeys, type SamlIdentity } from '../../src/sso/saml.ts'
import { readCertificate } from '../../src/sso/saml-keys.ts'
import { ourMetadata, readSamlMetadata } from '../../src/sso/saml-metadata.ts'
import { SsoError } from '../../src/sso/upstream.ts'

const NOW = Date.parse('2027-03-01T12:00:00Z')
const REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect'
const POST = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'

describe('metadata of SAML', () => {
  let first: string
  let second: string
  let old: string

  before(async () => {
    first = (await newSamlKeys('first', NOW)).certificate
    second = (await newSamlKeys('second', NOW)).certificate
    old = (await newSamlKeys('old', Date.parse('2010-01-01T00:00:00Z'))).certificate
  })

  const bare = (pem: string): string => pem.replace(/-----[A-Z ]+-----|\s/g, '')
  const key = (pem: string, use = 'use="signing"'): string =>
    `<KeyDescriptor ${use}><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>\n${pem}\n</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`
  const service = (name: string, binding: string, location: string, more = ''): string =>
    `<${name} Binding="${binding}" Location="${location}"${more}/>`
  const sso = service('SingleSignOnService', REDIRECT, 'https://idp.example/sso?a=1&amp;b=2')
  const entity = (
    content: string,
    role = 'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"',
    id = 'https://idp.example/saml',
  ): string =>
    `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${id}"><IDPSSODescriptor ${role}>${content}</IDPSSODescriptor></EntityDescriptor>`
  const several = (...entities: string[]): string =>
    `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">${entities.join('')}</EntitiesDescriptor>`
  const provider = '<EntityDescriptor entityID="https://sp.example"><SPSSODescriptor/></EntityDescriptor>'

  it('of an identity provider says all that is needed', () => {
    const slo = service('SingleLogoutService', REDIRECT, 'https://idp.example/slo')
    const xml = `<?xml version="1.0"?>\n<!-- made by hand -->\n${entity(key(bare(first)) + slo + sso)}`
    expect(readSamlMetadata(xml)).to.deep.equal({
      entityId: 'https://idp.example/saml',
      ssoUrl: 'https://idp.example/sso?a=1&b=2',
      sloUrl: 'https://idp.example/slo',
      certificates: [first],
      certificateDetails: [readCertificate(first)],
      wantsSignedRequests: false,
    })
  })

  it('is read whatever its prefixes are', () => {
    const xml = entity(key(bare(first)) + sso)
      .replace(/<(\/?)([A-Z]\w+Descriptor|SingleSignOnService)/g, '<$1md:$2')
      .replace('xmlns=', 'xmlns:md=')
    expect(readSamlMetadata(xml).entityId).to.equal('https://idp.example/saml')
  })

  it('may want signed requests', () => {
    const role = 'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol" WantAuthnRequestsSigned='
    for (const [value, wanted] of [
      ['true', true],
      ['1', true],
      ['false', false],
    ] as const)
      expect(
        readSamlMetadata(entity(key(bare(first)) + sso, `${role}"${value}"`)).wantsSignedRequests,
      ).to.equal(wanted)
  })

  it('has where answers to requests to log out go, if that is elsewhere', () => {
    const slo = service(
      'SingleLogoutService',
      REDIRECT,
      'https://idp.example/slo',
      ' ResponseLocation="https://idp.example/slo-answer"',
    )
    expect(readSamlMetadata(entity(key(bare(first)) + slo + sso)).sloUrl).to.equal(
      'https://idp.example/slo-answer',
    )
    const post = service('SingleLogoutService', POST, 'https://idp.example/slo')
    expect(readSamlMetadata(entity(key(bare(first)) + post + sso)).sloUrl).to.equal(undefined)
  })

  it('has each certificate for signatures once, those that expired included, and no other', () => {
    const keys = [
      key(bare(first)),
      key(bare(second), ''),
      key(bare(first)),
      key(bare(old)),
      key(bare(second), 'use="encryption"'),
    ]
    const { certificates, certificateDetails } = readSamlMetadata(entity(keys.join('') + sso))
    expect(certificates).to.deep.equal([first, second, old])
    expect(certificateDetails.map(each => each.expiresAt < NOW)).to.deep.equal([false, false, true])
  })

  it('may be of several, if one of them is an identity provider', () => {
    const xml = several(provider, entity(key(bare(first)) + sso))
    expect(readSamlMetadata(xml).entityId).to.equal('https://idp.example/saml')
  })

  it('of ours can be read, and names what it has to', async () => {
    const ours: SamlIdentity = {
      entityId: 'https://login.example/sso/7?a="1"&b=<2>',
      acsUrl: 'https://login.example/sso/7/acs',
      sloUrl: 'https://login.example/sso/7/logout',
      ...(await newSamlKeys('us', NOW)),
    }
    const xml = ourMetadata(ours)
    expect(() => readSamlMetadata(xml)).to.throw(SsoError, 'not of an identity provider')
    expect(xml).to.contain('entityID="https://login.example/sso/7?a=&quot;1&quot;&amp;b=&lt;2&gt;"')
    expect(xml).to.contain(bare(ours.certificate)).and.not.to.contain(bare(ours.privateKey).slice(100, 140))
  })

  const faults: Record<string, [xml: () => string, detail: RegExp]> = {
    'that is empty': [() => '', /not well-formed/],
    'that is a web page': [() => '<!doctype html><html></html>', /document type/],
    'that is other XML': [() => '<rss/>', /no SAML 2\.0 metadata/],
    'with a document type': [
      () => `<!DOCTYPE x [<!ENTITY a "b">]>${entity(key(bare(first)) + sso)}`,
      /document type/,
    ],
    'of more than a megabyte': [() => `${entity(key(bare(first)) + sso)}${' '.repeat(1_048_577)}`, /longer/],
    'of a service provider': [() => several(provider), /not of an identity provider/],
    'of two identity providers': [
      () => several(entity(key(bare(first)) + sso), entity(key(bare(second)) + sso)),
      /more than one identity provider/,
    ],
    'without an entity id': [() => entity(key(bare(first)) + sso, undefined, ''), /entity id/],
    'of SAML 1.1': [
      () =>
        entity(key(bare(first)) + sso, 'protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol"'),
      /does not speak SAML 2\.0/,
    ],
    'with HTTP-POST only': [
      () => entity(key(bare(first)) + service('SingleSignOnService', POST, 'https://idp.example/sso')),
      /HTTP-POST only/,
    ],
    'without an address': [() => entity(key(bare(first))), /no address for logins/],
    'with an address that is none': [
      () => entity(key(bare(first)) + service('SingleSignOnService', REDIRECT, 'javascript:alert(1)')),
      /address is none/,
    ],
    'with an address that has a password in it': [
      () => entity(key(bare(first)) + service('SingleSignOnService', REDIRECT, 'https://a:b@idp.example/')),
      /address is none/,
    ],
    'without a certificate': [() => entity(sso), /no certificate/],
    'with a certificate for encryption only': [
      () => entity(key(bare(first), 'use="encryption"') + sso),
      /no certificate/,
    ],
    'with a certificate that is none': [() => entity(key('AAAA') + sso), /RSA key/],
    'with more certificates than anybody has': [
      () => entity(key(bare(first)).repeat(16) + sso),
      /more than 5/,
    ],
  }
  for (const [name, [xml, detail]] of Object.entries(faults)) {
    it(`is refused ${name}, and says why`, () => {
      let fault: unknown
      try {
        readSamlMetadata(xml())
      } catch (error) {
        fault = error
      }
      expect(fault).to.be.instanceOf(SsoError)
      expect(fault).to.have.property('fault', 'configuration')
      expect((fault as SsoError).detail).to.match(detail)
    })
  }
})

describe('a certificate of an identity provider', () => {
  it('is read as PEM and as the base64 of metadata', async () => {
    const { certificate } = await newSamlKeys('idp', NOW)
    const base64 = certificate.replace(/-----[A-Z ]+-----/g, '')
    for (const text of [certificate, base64, base64.replace(/\s/g, ''), certificate.replaceAll('\n', '\r\n')])
      expect(readCertificate(text)).to.include({
        pem: certificate,
        expiresAt: Date.parse('2037-03-01T12:00:00Z'),
      })
  })

  it('is not anything else', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    for (const text of ['', 'x', 'AAAA', pem, '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----'])
      expect(readCertificate(text)).to.equal(undefined)
  })
})
