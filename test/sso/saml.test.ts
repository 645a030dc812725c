import { X509Certificate } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'
import { expect } from 'chai'
import {
  begin,
  finish,
  logoutResponse,
  newSamlKeys,
  type SamlIdentity,
  type SamlSettings,
  verifyLogoutRequest,
} from '../../src/sso/saml.ts'
import { ourMetadata, readSamlMetadata } from '../../src/sso/saml-metadata.ts'
import type { UpstreamAsk } from '../../src/sso/upstream.ts'
import { EMAIL_ADDRESS, PASSWORD_CONTEXT, type Said } from '../support/saml-signer.ts'
import { later, NOW, REQUEST_ID, refusal, type Stand, samlStand } from '../support/saml-stand.ts'
import { PASSWORD, type SamlUpstream, startSamlUpstream, TWO_FACTORS } from '../support/upstream-saml.ts'

const ASK: UpstreamAsk = { acrValues: [], fresh: false }

describe('SAML with an identity provider that nobody here wrote', () => {
  let upstream: SamlUpstream
  let ours: SamlIdentity
  let settings: SamlSettings

  before(async () => {
    upstream = await startSamlUpstream()
    ours = {
      entityId: 'https://login.example/sso/saml/7',
      acsUrl: 'https://login.example/sso/saml/7/acs',
      sloUrl: 'https://login.example/sso/saml/7/logout?a=1&b=2',
      ...(await newSamlKeys('Sallyport', Date.now())),
    }
    await upstream.trust(ourMetadata(ours))
    settings = await fromMetadata()
  })
  after(() => upstream.close())
  beforeEach(() =>
    upstream.change({ signResponse: false, encryptionAlgorithm: null, signatureAlgorithm: 'rsa-sha256' }),
  )

  async function fromMetadata(): Promise<SamlSettings> {
    const metadata = readSamlMetadata(await (await fetch(upstream.metadataUrl)).text())
    return { ...metadata, requestsSigned: true, idpInitiated: false }
  }

  /** A browser there: what it holds, and what it was given to post to us. */
  class Browser {
    cookie = ''

    async open(url: string): Promise<Document> {
      return this.#read(await fetch(url, { headers: { cookie: this.cookie }, redirect: 'manual' }))
    }

    async send(page: Document, fields: Record<string, string>): Promise<Document> {
      const body = new URLSearchParams({ ...page.fields, ...fields })
      return this.#read(await fetch(`${upstream.url}/login`, { method: 'POST', body }))
    }

    async #read(answer: Response): Promise<Document> {
      this.cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? this.cookie
      const text = await answer.text()
      const inputs = [...text.matchAll(/<input type="hidden"\s+name="(\w+)"\s+value="([^"]*)"/g)]
      const fields = Object.fromEntries(inputs.map(([, name, value]) => [name, plain(value ?? '')]))
      return { text, fields, location: answer.headers.get('location') ?? undefined }
    }
  }
  interface Document {
    readonly text: string
    readonly fields: Readonly<Record<string, string>>
    readonly location: string | undefined
  }
  const plain = (html: string): string =>
    html.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replaceAll('&amp;', '&')

  async function login(ask: UpstreamAsk = ASK, browser = new Browser(), email = 'ann@acme.example') {
    const { url, requestId } = await begin(settings, ours, ask, 'relay-state')
    const page = await browser.open(url)
    const form = page.fields.SAMLResponse ? page : await browser.send(page, { email, choice: 'yes' })
    return { page, form, requestId, SAMLResponse: form.fields.SAMLResponse ?? '' }
  }
  const take = (SAMLResponse: string, expectedRequestId: string | undefined) =>
    finish(settings, ours, { SAMLResponse, expectedRequestId, now: Date.now() })

  it('logs a user in, and says who they are', async () => {
    const before = Date.now()
    const { SAMLResponse, requestId, form } = await login()
    expect(form.fields.RelayState).to.equal('relay-state')
    const answer = await take(SAMLResponse, requestId)
    expect(answer).to.deep.include({
      subject: 'persistent:b7f3c1',
      email: 'ann@acme.example',
      emailVerified: undefined,
      name: 'Ann Lee',
      groups: ['Support', 'Admins'],
      acr: PASSWORD,
      amr: [],
      claims: { mail: 'ann@acme.example', displayName: 'Ann Lee', groups: ['Support', 'Admins'] },
    })
    expect(answer.session).to.match(/^_[0-9a-f]{32}$/)
    expect(answer.assertionId).to.match(/^_\w{10,}$/)
    expect(answer.authenticatedAt).to.be.within(before - 1000, Date.now())
    expect(answer.expiresAt).to.be.within(before + 300_000, Date.now() + 400_000)
  })

  it('takes a response that is signed as a whole too', async () => {
    await upstream.change({ signResponse: true })
    const { SAMLResponse, requestId } = await login()
    expect((await take(SAMLResponse, requestId)).subject).to.equal('persistent:b7f3c1')
  })

  for (const signResponse of [false, true])
    for (const cipher of ['2009/xmlenc11#aes256-gcm', '2001/04/xmlenc#aes256-cbc'])
      it(`takes an assertion that is encrypted with ${cipher}, ${signResponse ? 'in a signed response' : 'alone'}`, async () => {
        await upstream.change({ encryptionAlgorithm: `http://www.w3.org/${cipher}`, signResponse })
        const { SAMLResponse, requestId } = await login()
        expect(Buffer.from(SAMLResponse, 'base64').toString()).to.contain('EncryptedAssertion')
        expect(await take(SAMLResponse, requestId)).to.include({ email: 'ann@acme.example' })
      })

  it('passes the address of the user on', async () => {
    const { page } = await login({ ...ASK, loginHint: 'bob@acme.example', domainHint: 'acme.example' })
    expect(page.text).to.contain('value="bob@acme.example"')
  })

  it('asks for an AuthnContext, and says which came back', async () => {
    const { SAMLResponse, requestId } = await login({ ...ASK, acrValues: [TWO_FACTORS] })
    expect((await take(SAMLResponse, requestId)).acr).to.equal(TWO_FACTORS)
  })

  it('says so when another AuthnContext came back than was asked for', async () => {
    const { SAMLResponse, requestId } = await login(
      { ...ASK, acrValues: [TWO_FACTORS] },
      new Browser(),
      'bob@acme.example',
    )
    expect((await take(SAMLResponse, requestId)).acr).to.equal(PASSWORD)
  })

  it('has a user who is logged in there log in anew only if that is asked for', async () => {
    const browser = new Browser()
    await login(ASK, browser)
    expect((await login(ASK, browser)).page.fields).to.include.keys('SAMLResponse')
    const anew = await login({ ...ASK, fresh: true }, browser)
    expect(anew.page.text).to.contain('Log in anew.')
    expect((await take(anew.SAMLResponse, anew.requestId)).subject).to.equal('persistent:b7f3c1')
  })

  it('is refused there without our signature', async () => {
    const { url } = await begin({ ...settings, requestsSigned: false }, ours, ASK, 'relay-state')
    expect(new URL(url).searchParams.has('Signature')).to.equal(false)
    expect((await new Browser().open(url)).text).to.contain('MUST be signed')
  })

  it('knows a no', async () => {
    const { url, requestId } = await begin(settings, ours, ASK, 'relay-state')
    const browser = new Browser()
    const form = await browser.send(await browser.open(url), { choice: 'no' })
    expect(await refusal(take(form.fields.SAMLResponse ?? '', requestId))).to.deep.equal({
      fault: 'denied',
      detail: 'The identity provider answered: Responder.',
    })
  })

  it('takes a login that began there, where that is allowed', async () => {
    const browser = new Browser()
    const page = await browser.open(upstream.startUrl(ours.entityId))
    const form = await browser.send(page, { email: 'ann@acme.example', choice: 'yes' })
    const arrival = {
      SAMLResponse: form.fields.SAMLResponse ?? '',
      expectedRequestId: undefined,
      now: Date.now(),
    }
    expect((await finish({ ...settings, idpInitiated: true }, ours, arrival)).subject).to.equal(
      'persistent:b7f3c1',
    )
    expect(await refusal(finish(settings, ours, arrival))).to.include({ fault: 'replayed' })
    expect(await refusal(take(arrival.SAMLResponse, REQUEST_ID))).to.include({ fault: 'replayed' })
  })

  it('refuses one that signs with SHA-1', async () => {
    await upstream.change({ signatureAlgorithm: 'rsa-sha1' })
    const { SAMLResponse, requestId } = await login()
    const { fault, detail } = await refusal(take(SAMLResponse, requestId))
    expect(fault).to.equal('invalid')
    expect(detail).to.contain('SHA-1')
  })

  it('ends a session that ended there, and says so', async () => {
    const browser = new Browser()
    const { SAMLResponse, requestId } = await login(ASK, browser)
    const answer = await take(SAMLResponse, requestId)
    const { location = '' } = await browser.open(upstream.endUrl)
    expect(location.startsWith(ours.sloUrl)).to.equal(true)
    const query = location.slice(location.indexOf('?') + 1)
    const request = await verifyLogoutRequest(settings, ours, { binding: 'redirect', query }, Date.now())
    expect(request).to.deep.include({ subject: answer.subject, sessions: [answer.session] })
    const back = await browser.open((await logoutResponse(settings, ours, request)) ?? '')
    expect(back.text).to.equal('200')
    expect((await browser.open((await begin(settings, ours, ASK, 'r')).url)).text).to.contain('Log in at')
  })

  it('takes what is signed with a new key as soon as its certificate is set up beside the old one', async () => {
    const old = settings.certificates
    await upstream.rotate()
    const { SAMLResponse, requestId } = await login()
    expect(await refusal(take(SAMLResponse, requestId))).to.include({ fault: 'invalid' })
    settings = { ...settings, certificates: [...old, ...(await fromMetadata()).certificates] }
    expect((await take(SAMLResponse, requestId)).subject).to.equal('persistent:b7f3c1')
  })
})

describe('a request of SAML', () => {
  let stand: Stand
  before(async () => {
    stand = await samlStand()
  })

  const xmlOf = (url: string): string =>
    inflateRawSync(Buffer.from(new URL(url).searchParams.get('SAMLRequest') ?? '', 'base64')).toString()

  it('asks for no more than it is told to', async () => {
    const { url, requestId } = await begin(stand.settings, stand.ours, ASK, 'state')
    const xml = xmlOf(url)
    expect(xml).to.contain(` ID="${requestId}"`)
    expect(xml).to.contain(` Destination="${stand.settings.ssoUrl}"`)
    expect(xml).to.contain(` AssertionConsumerServiceURL="${stand.ours.acsUrl}"`)
    expect(xml).not.to.match(/ForceAuthn|RequestedAuthnContext|Format=/)
    const { searchParams } = new URL(url)
    expect([...searchParams.keys()]).to.have.members([
      'tenant',
      'SAMLRequest',
      'RelayState',
      'SigAlg',
      'Signature',
    ])
  })

  it('asks for each of several contexts, exactly', async () => {
    const ask = { ...ASK, acrValues: ['urn:a', 'urn:b&c'], fresh: true }
    const xml = xmlOf((await begin(stand.settings, stand.ours, ask, 'state')).url)
    expect(xml).to.contain('ForceAuthn="true"')
    expect(xml).to.contain('Comparison="exact"')
    expect(xml).to.match(/>urn:a<.*>urn:b&amp;c</)
  })

  it('has another id each time', async () => {
    const requests = await Promise.all([1, 2, 3].map(() => begin(stand.settings, stand.ours, ASK, 'state')))
    expect(new Set(requests.map(each => each.requestId))).to.have.property('size', 3)
  })
})

describe('an assertion', () => {
  let stand: Stand
  before(async () => {
    stand = await samlStand()
  })
  const taken = async (said: Partial<Said>) => stand.take(stand.honest({ said }))

  it('is taken up to the minute and a half that clocks may differ by', async () => {
    const xml = stand.honest()
    for (const now of [NOW - 89_000, NOW + 300_000 + 89_000])
      expect((await stand.take(xml, {}, REQUEST_ID, now)).subject).to.equal('persistent:user-1')
    for (const now of [NOW - 92_000, NOW + 300_000 + 90_000])
      expect(await refusal(stand.take(xml, {}, REQUEST_ID, now))).to.include({ fault: 'invalid' })
  })

  it('says until when its id has to be remembered, which is until it is refused for its age', async () => {
    const { expiresAt, assertionId } = await taken({ confirmedUntil: later(200_000) })
    expect({ expiresAt, assertionId }).to.deep.equal({ expiresAt: NOW + 290_000, assertionId: '_assertion' })
    const late = stand.take(
      stand.honest({ said: { confirmedUntil: later(200_000) } }),
      {},
      REQUEST_ID,
      expiresAt,
    )
    expect(await refusal(late)).to.include({ fault: 'invalid' })
  })

  it('is verified with any certificate that is set up', async () => {
    const other = await newSamlKeys('other', NOW)
    const xml = stand.honest()
    for (const certificates of [
      [other.certificate, stand.idp.certificate],
      [stand.idp.certificate, other.certificate],
    ])
      expect((await stand.take(xml, { certificates })).subject).to.equal('persistent:user-1')
    expect(await refusal(stand.take(xml, { certificates: [other.certificate] }))).to.include({
      fault: 'invalid',
    })
  })

  it('may be signed with SHA-512', async () => {
    const xml = stand.honest({ pen: { method: 'rsa-sha512', digest: 'sha512' } })
    expect((await stand.take(xml)).subject).to.equal('persistent:user-1')
  })

  it('names its user with the format of the name', async () => {
    const formats = {
      [EMAIL_ADDRESS]: 'email:ann@acme.example',
      'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified': 'unspecified:ann@acme.example',
      'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent': 'persistent:ann@acme.example',
    }
    for (const [nameIdFormat, subject] of Object.entries(formats))
      expect((await taken({ nameIdFormat, nameId: 'ann@acme.example' })).subject).to.equal(subject)
  })

  it('has the address in the name, or in one of the usual attributes', async () => {
    const claims = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims'
    for (const name of ['email', 'mail', 'urn:oid:0.9.2342.19200300.100.1.3', `${claims}/emailaddress`])
      expect((await taken({ attributes: { [name]: ['ann@acme.example'] } })).email).to.equal(
        'ann@acme.example',
      )
    const both = {
      nameIdFormat: EMAIL_ADDRESS,
      nameId: 'a@acme.example',
      attributes: { mail: ['b@acme.example'] },
    }
    expect((await taken(both)).email).to.equal('a@acme.example')
    expect((await taken({ attributes: { email: ['no address'] } })).email).to.equal(undefined)
  })

  it('has the name of the user in one of the usual attributes', async () => {
    const claims = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims'
    const names: Record<string, readonly string[]>[] = [
      { displayName: ['Ann Lee'], givenName: ['A.'], sn: ['L.'] },
      { 'http://schemas.microsoft.com/identity/claims/displayname': ['Ann Lee'], name: ['ann'] },
      { [`${claims}/givenname`]: ['Ann'], [`${claims}/surname`]: ['Lee'], [`${claims}/name`]: ['ann'] },
      { [`${claims}/name`]: ['Ann Lee'], givenName: ['Ann'] },
    ]
    for (const attributes of names) expect((await taken({ attributes })).name).to.equal('Ann Lee')
    expect((await taken({ attributes: {} })).name).to.equal(undefined)
  })

  it('has the groups, and the methods that Entra ID tells by an attribute', async () => {
    const groups = 'http://schemas.microsoft.com/ws/2008/06/identity/claims/groups'
    const methods = 'http://schemas.microsoft.com/claims/authnmethodsreferences'
    const mfa = 'http://schemas.microsoft.com/claims/multipleauthn'
    const answer = await taken({
      attributes: { [groups]: ['a', 'b', 'a'], memberOf: ['c'], [methods]: [mfa] },
    })
    expect(answer).to.deep.include({ groups: ['c', 'a', 'b'], amr: [mfa], acr: PASSWORD_CONTEXT })
    const link = { 'http://schemas.microsoft.com/claims/groups.link': ['https://graph.example/groups'] }
    expect((await taken({ attributes: link })).groups, 'too many for Entra ID').to.equal(undefined)
  })

  it('gives all attributes as they came, whatever they are called', async () => {
    const { claims } = await taken({
      attributes: { __proto__: ['x'], constructor: ['y'], a: ['1', '&lt;2&gt;'], none: [] },
    })
    expect(Object.entries(claims)).to.deep.include.members([
      ['constructor', 'y'],
      ['a', ['1', '<2>']],
      ['none', []],
    ])
  })

  it('tells an admin what to look at', async () => {
    const details: [Parameters<Stand['honest']>[0], string][] = [
      [{ said: { audience: 'x' } }, 'audience'],
      [{ said: { recipient: 'x' } }, 'recipient'],
      [{ said: { issuer: 'x' } }, 'issuer'],
      [{ envelope: { destination: 'x' } }, 'destination'],
      [{ said: { notOnOrAfter: later(-200_000) } }, 'clocks'],
      [{ envelope: { status: 'urn:oasis:names:tc:SAML:2.0:status:Requester' } }, 'Requester'],
    ]
    for (const [changed, word] of details)
      expect((await refusal(stand.take(stand.honest(changed)))).detail).to.contain(word)
  })
})

describe('keys for SAML', () => {
  it('come with a certificate of their own, for ten years', async () => {
    const { privateKey, certificate } = await newSamlKeys('Sallyport: Acme', NOW)
    const read = new X509Certificate(certificate)
    expect(read.subject).to.equal('CN=Sallyport: Acme')
    expect(read.issuer).to.equal(read.subject)
    expect(read.verify(read.publicKey)).to.equal(true)
    expect(read.publicKey.asymmetricKeyDetails?.modulusLength).to.equal(3072)
    expect(Date.parse(read.validFrom)).to.equal(NOW)
    expect(new Date(read.validTo).toISOString()).to.equal('2037-03-01T12:00:00.000Z')
    expect(privateKey).to.match(/^-----BEGIN PRIVATE KEY-----/)
  })

  it('are written right beyond 2049 too', async () => {
    const { certificate } = await newSamlKeys('x'.repeat(100), Date.parse('2045-01-01T00:00:00Z'))
    expect(new Date(new X509Certificate(certificate).validTo).getUTCFullYear()).to.equal(2055)
  })
})
