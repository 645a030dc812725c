// A login at a customer's OpenID provider, and its word that a session ended: against a plain oidc-provider that nobody
// here wrote, and against one that tells one lie at a time (attacks X3, X4, X9, fault F12).

import { createSecretKey, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { generateKeyPair } from 'jose'
import { createOidcUpstreams, type OidcSettings, type OidcUpstreams } from '../../src/sso/oidc.ts'
import { SsoError, type UpstreamAsk } from '../../src/sso/upstream.ts'
import {
  type HostileUpstream,
  type Lies,
  seconds,
  startHostileUpstream,
} from '../support/hostile-upstream.ts'
import { SELF_SIGNED } from '../support/self-signed.ts'
import {
  spawnUpstreamOidc,
  startUpstreamOidc,
  type UpstreamAccount,
  type UpstreamOidc,
  visitUpstream,
} from '../support/upstream-oidc.ts'

const REDIRECT_URI = 'http://localhost:3999/sso/oidc/callback'
const ASK: UpstreamAsk = { acrValues: [], fresh: false }
const MINUTE = 60_000
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

async function faultOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => expect.fail('it went through'),
    failure => failure,
  )
  expect(error).to.be.instanceOf(SsoError)
  return `${error.fault}: ${error.detail}`
}

describe('single sign-on by OpenID Connect, at an oidc-provider', () => {
  const UNA: UpstreamAccount = {
    sub: 'user-1',
    email: 'una@acme.example',
    email_verified: true,
    name: 'Una Reyes',
    groups: ['staff', 'admins'],
    acr: 'gold',
    amr: ['pwd', 'otp', 'mfa'],
  }
  let upstream: UpstreamOidc
  const upstreams = createOidcUpstreams({ allowPrivateNetwork: true, clock: Date.now })
  before(async () => {
    upstream = await startUpstreamOidc({ redirectUris: [REDIRECT_URI], accounts: [UNA] })
  })
  after(() => upstream.close())

  async function login(
    ask: Partial<UpstreamAsk> = {},
    { account = 'user-1', at = upstream, cookies = new Map<string, string>() } = {},
  ) {
    const pending = await upstreams.begin(at, REDIRECT_URI, { ...ASK, ...ask })
    const callback = await visitUpstream(at.issuer, pending.url, account, cookies)
    return upstreams.finish(at, REDIRECT_URI, callback, pending)
  }

  it('says who came, and how', async () => {
    const before = seconds(Date.now()) * 1000
    const { claims, authenticatedAt, ...answer } = await login({ acrValues: ['gold'] })
    expect(answer).to.deep.equal({
      subject: 'user-1',
      email: 'una@acme.example',
      emailVerified: true,
      name: 'Una Reyes',
      groups: ['staff', 'admins'],
      acr: 'gold',
      amr: ['pwd', 'otp', 'mfa'],
      session: undefined,
    })
    expect(authenticatedAt).to.be.within(before, Date.now())
    expect(claims).to.include({ iss: upstream.issuer, aud: 'sallyport' })
  })

  it('asks by code, PKCE, state and nonce, anew each time', async () => {
    const first = await upstreams.begin(upstream, REDIRECT_URI, {
      loginHint: 'una@acme.example',
      domainHint: 'acme.example',
      acrValues: ['gold', 'silver'],
      fresh: false,
    })
    const second = await upstreams.begin(upstream, REDIRECT_URI, ASK)
    const { state, nonce, code_challenge, ...asked } = Object.fromEntries(new URL(first.url).searchParams)
    expect(asked).to.deep.equal({
      client_id: 'sallyport',
      redirect_uri: REDIRECT_URI,
      response_type: 'code',
      scope: 'openid email profile',
      code_challenge_method: 'S256',
      login_hint: 'una@acme.example',
      domain_hint: 'acme.example',
      acr_values: 'gold silver',
    })
    expect([state, nonce]).to.deep.equal([first.state, first.nonce])
    expect(first.url).not.to.contain(first.verifier)
    for (const name of ['state', 'nonce', 'verifier'] as const) {
      expect(first[name]).to.have.length.of.at.least(43)
      expect(first[name]).not.to.equal(second[name])
    }
    expect(code_challenge).not.to.equal(new URL(second.url).searchParams.get('code_challenge'))
  })

  it('has a user authenticate anew when it must be fresh, and hears when that was', async () => {
    const cookies = new Map<string, string>()
    const { authenticatedAt: first = 0 } = await login({}, { cookies })
    await new Promise(resolve => setTimeout(resolve, 1_100))
    const { authenticatedAt: again } = await login({}, { cookies })
    expect(again).to.equal(first)
    const { authenticatedAt: anew } = await login({ fresh: true }, { cookies })
    expect(anew).to.be.greaterThan(first)
  })

  it('takes the address from userinfo where the ID token has none', async () => {
    const other = await startUpstreamOidc({
      redirectUris: [REDIRECT_URI],
      accounts: [UNA],
      emailIn: 'userinfo',
    })
    try {
      const answer = await login({}, { at: other })
      expect(answer).to.include({ email: 'una@acme.example', emailVerified: true, name: 'Una Reyes' })
    } finally {
      await other.close()
    }
  })

  it('tells that the user cancelled there', async () => {
    const pending = await upstreams.begin(upstream, REDIRECT_URI, ASK)
    const callback = await visitUpstream(upstream.issuer, pending.url, undefined)
    expect(await faultOf(upstreams.finish(upstream, REDIRECT_URI, callback, pending))).to.equal(
      'denied: the upstream answered access_denied',
    )
  })

  it('tells that the client secret is not the right one', async () => {
    const settings = { ...upstream, clientSecret: 'another' }
    const pending = await upstreams.begin(settings, REDIRECT_URI, ASK)
    const callback = await visitUpstream(upstream.issuer, pending.url, 'user-1')
    const told = await faultOf(upstreams.finish(settings, REDIRECT_URI, callback, pending))
    expect(told).to.match(/^configuration: /)
    expect(told).not.to.contain('another')
  })

  it('refuses a code that was used before, and one of another login', async () => {
    const pending = await upstreams.begin(upstream, REDIRECT_URI, ASK)
    const callback = await visitUpstream(upstream.issuer, pending.url, 'user-1')
    await upstreams.finish(upstream, REDIRECT_URI, callback, pending)
    const replayed = upstreams.finish(upstream, REDIRECT_URI, callback, pending)
    expect(await faultOf(replayed)).to.equal('invalid: the token endpoint answered invalid_grant')

    const other = await upstreams.begin(upstream, REDIRECT_URI, ASK)
    const stolen = await visitUpstream(upstream.issuer, other.url, 'user-1')
    const mixed = { ...pending, state: other.state }
    expect(await faultOf(upstreams.finish(upstream, REDIRECT_URI, stolen, mixed))).to.equal(
      'invalid: the token endpoint answered invalid_grant',
    )
  })

  it('describes the upstream', async () => {
    expect(await upstreams.describe(upstream)).to.deep.equal({
      issuer: upstream.issuer,
      authorizationEndpoint: `${upstream.issuer}/auth`,
      tokenEndpoint: `${upstream.issuer}/token`,
      userinfoEndpoint: `${upstream.issuer}/me`,
      jwksUri: `${upstream.issuer}/jwks`,
      backchannelLogout: true,
      backchannelLogoutSession: true,
      issParameter: true,
      acrValues: ['gold'],
    })
  })

  it('hears that a session ended, by the token that the upstream sends', async () => {
    const received = Promise.withResolvers<string>()
    const receiver = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      received.resolve(new URLSearchParams(body).get('logout_token') ?? '')
      response.end()
    })
    await new Promise<void>(resolve => receiver.listen(0, '127.0.0.1', resolve))
    const { port } = receiver.address() as AddressInfo
    // In a process of its own, as journeys have it.
    const other = await spawnUpstreamOidc({
      redirectUris: [REDIRECT_URI],
      accounts: [UNA],
      backchannelLogoutUri: `http://127.0.0.1:${port}/`,
    })
    try {
      await other.setAccount({ ...UNA, email_verified: 'true' })
      const cookies = new Map<string, string>()
      const { session, emailVerified } = await login({}, { at: other, cookies })
      expect(emailVerified).to.equal(false)
      expect(session).to.be.a('string')
      await logOutAt(other.issuer, cookies)
      const told = await upstreams.verifyLogoutToken(other, await received.promise)
      expect(told).to.include({ subject: 'user-1', session })
      expect(told.issuedAt).to.be.within(Date.now() - MINUTE, Date.now())
    } finally {
      await other.close()
      receiver.close()
    }
  })
})

async function logOutAt(issuer: string, cookies: ReadonlyMap<string, string>): Promise<void> {
  const headers = { cookie: [...cookies].map(each => each.join('=')).join('; ') }
  const page = await (await fetch(`${issuer}/session/end`, { headers })).text()
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(page)?.[1] ?? ''
  const body = new URLSearchParams({ xsrf, logout: 'yes' })
  await fetch(`${issuer}/session/end/confirm`, { method: 'POST', headers, body, redirect: 'manual' })
}

describe('single sign-on by OpenID Connect, at a provider that lies', () => {
  let upstream: HostileUpstream
  let settings: OidcSettings
  let upstreams: OidcUpstreams
  let now = 0
  const clock = () => now
  beforeEach(async () => {
    // Years from the machine's clock: it is the given one that counts.
    now = Date.parse('2031-05-04T12:00:00Z')
    upstream = await startHostileUpstream(clock)
    settings = { issuer: upstream.issuer, clientId: 'sallyport', clientSecret: randomUUID() }
    upstreams = createOidcUpstreams({ allowPrivateNetwork: true, clock }, { patience: 2_000 })
  })
  afterEach(() => upstream.close())

  async function login(lies: Lies = {}, ask: UpstreamAsk = ASK) {
    upstream.lies = lies
    const pending = await upstreams.begin(settings, REDIRECT_URI, ask)
    return upstreams.finish(settings, REDIRECT_URI, upstream.visit(pending.url), pending)
  }
  const asked = (path: string) => upstream.asked.filter(each => each === path).length

  it('lets in who tells none', async () => {
    expect(await login()).to.deep.include({
      subject: 'user-1',
      email: 'una@acme.example',
      emailVerified: true,
      groups: [],
      acr: undefined,
      amr: [],
      authenticatedAt: now,
    })
  })

  it('shows its secret in the header, and in the body only where nothing else is offered', async () => {
    const basic = `Basic ${Buffer.from(`sallyport:${settings.clientSecret.replaceAll('-', '%2D')}`).toString('base64')}`
    const offers: [
      methods: string[] | undefined,
      authorization: string | undefined,
      secret: string | null,
    ][] = [
      [undefined, basic, null],
      [['client_secret_post', 'client_secret_basic'], basic, null],
      [['private_key_jwt', 'client_secret_post'], undefined, settings.clientSecret],
    ]
    for (const [methods, authorization, secret] of offers) {
      upstreams = createOidcUpstreams({ allowPrivateNetwork: true, clock })
      await login({ metadata: { token_endpoint_auth_methods_supported: methods } })
      const sent = upstream.redeemed.at(-1)
      expect(sent?.authorization).to.equal(authorization)
      expect(sent?.form.get('client_secret')).to.equal(secret)
      expect(sent?.form.get('code_verifier')).to.have.length.of.at.least(43)
      expect(sent?.form.get('redirect_uri')).to.equal(REDIRECT_URI)
    }
  })

  describe('X4: refuses an ID token', () => {
    const CLAIM = (claim: string) => `invalid: the token's claim ${claim} does not hold`
    const lies: Record<string, [Lies | (() => Lies | Promise<Lies>), RegExp | string]> = {
      'without a nonce': [{ claims: { nonce: undefined } }, /^invalid: .*nonce/],
      'with the nonce of another login': [{ claims: { nonce: 'another' } }, /^invalid: .*nonce/],
      'of another issuer': [{ claims: { iss: 'https://evil.example' } }, /^invalid: .*"iss"/],
      'of an issuer that differs by a slash': [
        () => ({ claims: { iss: `${upstream.issuer}/` } }),
        /^invalid: .*"iss"/,
      ],
      'for another audience': [{ claims: { aud: 'another' } }, /^invalid: .*"aud"/],
      'for several audiences, without azp': [
        { claims: { aud: ['sallyport', 'another'] } },
        /^invalid: .*"aud"/,
      ],
      'whose azp is another': [
        { claims: { aud: ['sallyport', 'another'], azp: 'another' } },
        /^invalid: .*azp/,
      ],
      'for us alone whose azp is another': [{ claims: { azp: 'another' } }, /^invalid: .*azp/],
      'signed by nothing (alg none)': [{ header: { alg: 'none', kid: undefined } }, /^invalid: /],
      'signed with the client secret (HS256)': [
        () => ({ header: { alg: 'HS256' }, key: secretKey(settings.clientSecret) }),
        /^invalid: .*ERR_JOSE_ALG_NOT_ALLOWED/,
      ],
      'signed with the public key as a secret (HS256)': [
        async () => ({
          header: { alg: 'HS256' },
          key: secretKey(JSON.stringify(await upstream.publicKey())),
        }),
        /^invalid: .*ERR_JOSE_ALG_NOT_ALLOWED/,
      ],
      'of an algorithm that the upstream does not name': [
        { metadata: { id_token_signing_alg_values_supported: ['ES256'] } },
        /^invalid: .*"alg"/,
      ],
      'signed by another key under the name of the published one': [
        async () => ({ key: (await generateKeyPair('RS256')).privateKey }),
        /^invalid: .*ERR_JWS_SIGNATURE_VERIFICATION_FAILED/,
      ],
      'with an extension that must be understood (crit)': [
        { header: { crit: ['b64'], b64: true } },
        /^invalid: /,
      ],
      'that expired': [() => ({ claims: { exp: seconds(now) - 61 } }), /^invalid: .*"exp"/],
      'without an expiry': [{ claims: { exp: undefined } }, /^invalid: .*"exp"/],
      'that is not valid yet (nbf)': [() => ({ claims: { nbf: seconds(now) + 61 } }), /^invalid: .*"nbf"/],
      'issued in the future': [() => ({ claims: { iat: seconds(now) + 61 } }), CLAIM('iat')],
      'issued long ago': [() => ({ claims: { iat: seconds(now) - 3600 } }), CLAIM('iat')],
      'without the time it was issued at': [{ claims: { iat: undefined } }, /^invalid: .*"iat"/],
      'of a login in the future': [
        () => ({ claims: { auth_time: seconds(now) + 3600 } }),
        CLAIM('auth_time'),
      ],
      'of a login at no time': [{ claims: { auth_time: 'now' } }, /^invalid: .*"auth_time"/],
      'beside an access token of another (at_hash)': [
        { claims: { at_hash: 'another' } },
        /^invalid: .*at_hash/,
      ],
      'of nobody': [{ claims: { sub: undefined } }, /^invalid: .*"sub"/],
      'of an empty subject': [{ claims: { sub: '' } }, /^invalid: .*sub/],
      'of a subject that is no text': [{ claims: { sub: ['user-1'] } }, /^invalid: .*"sub"/],
      'of a subject that no database takes (NUL)': [{ claims: { sub: 'user-1\0' } }, /^invalid: .*sub/],
      'of half a character': [{ claims: { sub: 'user-1\ud800' } }, /^invalid: .*sub/],
      'of a subject without an end': [{ claims: { sub: 'x'.repeat(256) } }, /^invalid: .*sub/],
      'that is very long': [{ claims: { filler: 'x'.repeat(65_536) } }, 'invalid: the token is too long'],
      'that is none': [{ token: { id_token: 'what?' } }, /^invalid: /],
      'that is encrypted': [{ token: { id_token: 'a.b.c.d.e' } }, /^invalid: /],
      'that did not come': [{ token: { id_token: undefined } }, /^invalid: .*"id_token"/],
    }
    for (const [what, [given, expected]] of Object.entries(lies)) {
      it(what, async () => {
        const told = await faultOf(login(typeof given === 'function' ? await given() : given))
        if (typeof expected === 'string') expect(told).to.equal(expected)
        else expect(told).to.match(expected)
      })
    }

    // jose signs with no key of 1024 bits, so the key that is published is one that signs nothing.
    it('whose key is too short', async () => {
      const short = { kty: 'RSA', n: Buffer.alloc(128, 0xc5).toString('base64url'), e: 'AQAB', alg: 'RS256' }
      const lies = { header: { kid: undefined }, paths: { '/jwks': json({ keys: [short] }) } }
      expect(await faultOf(login(lies))).to.equal(
        'configuration: a key that the upstream publishes is of no use',
      )
    })

    it('that says itself where its key is (jku, x5u, jwk), and goes nowhere for it', async () => {
      const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true })
      const jwk = await crypto.subtle.exportKey('jwk', publicKey)
      const lies: Lies = {
        header: {
          kid: 'unknown',
          jku: `${upstream.issuer}/evil-keys`,
          x5u: `${upstream.issuer}/evil-certificate`,
          jwk,
        },
        key: privateKey,
        paths: { '/evil-keys': json({ keys: [{ ...jwk, kid: 'unknown' }] }) },
      }
      expect(await faultOf(login(lies))).to.equal(
        'invalid: the token does not hold: ERR_JWKS_NO_MATCHING_KEY',
      )
      expect([...new Set(upstream.asked)]).to.have.members([
        '/.well-known/openid-configuration',
        '/token',
        '/jwks',
      ])
    })
  })

  it('takes a clock that is off by less than a minute', async () => {
    const then = seconds(now) + 55
    expect(await login({ claims: { iat: then, nbf: then, auth_time: then } })).to.include({
      subject: 'user-1',
    })
    expect(await login({ claims: { exp: seconds(now) - 55 } })).to.include({ subject: 'user-1' })
  })

  describe('refuses to be called back', () => {
    const calls: Record<string, [Lies['callback'], RegExp]> = {
      'X3: without a state': [{ state: undefined }, /^invalid: .*"state" missing/],
      'X3: with the state of another login': [{ state: 'another' }, /^invalid: .*"state"/],
      'X4: by another provider (iss)': [{ iss: 'https://evil.example' }, /^invalid: .*"iss"/],
      'X4: by nobody, when the upstream names itself': [{ iss: undefined }, /^invalid: .*"iss".*missing/],
      'without a code': [{ code: undefined }, /^invalid: .*code/],
      'with a token in place of a code': [{ id_token: 'a.b.c' }, /^invalid: /],
    }
    for (const [what, [callback, expected]] of Object.entries(calls)) {
      it(what, async () => {
        expect(await faultOf(login({ callback: callback ?? {} }))).to.match(expected)
        expect(asked('/token')).to.equal(0)
      })
    }

    it('with a parameter twice', async () => {
      const pending = await upstreams.begin(settings, REDIRECT_URI, ASK)
      for (const [name, value] of [...upstream.visit(pending.url)]) {
        const callback = upstream.visit(pending.url)
        callback.append(name, value)
        expect(await faultOf(upstreams.finish(settings, REDIRECT_URI, callback, pending))).to.match(
          /^invalid: /,
        )
      }
      expect(asked('/token')).to.equal(0)
    })
  })

  it('needs no iss parameter of a provider that does not name itself, but believes a wrong one of nobody', async () => {
    const metadata = { authorization_response_iss_parameter_supported: undefined }
    expect(await login({ metadata, callback: { iss: undefined } })).to.include({ subject: 'user-1' })
    expect(await faultOf(login({ metadata, callback: { iss: 'https://evil.example' } }))).to.match(
      /^invalid: /,
    )
  })

  const errors: Record<string, string> = {
    access_denied: 'denied: the upstream answered access_denied',
    login_required: 'denied: the upstream answered login_required',
    unmet_authentication_requirements: 'denied: the upstream answered unmet_authentication_requirements',
    invalid_request: 'configuration: the upstream answered invalid_request',
    unauthorized_client: 'configuration: the upstream answered unauthorized_client',
    temporarily_unavailable: 'unreachable: the upstream answered temporarily_unavailable',
    '<b>call 555-1234</b>': 'denied: the upstream answered an error that is none of OAuth',
    ['x'.repeat(61)]: 'denied: the upstream answered an error that is none of OAuth',
  }
  for (const [error, expected] of Object.entries(errors)) {
    it(`tells of the error ${error}`, async () => {
      const callback = { code: undefined, error, error_description: 'call 555-1234' }
      expect(await faultOf(login({ callback }))).to.equal(expected)
    })
  }

  it('says nothing of what came back in an error, nor in what caused it', async () => {
    const lies: Lies = { claims: { aud: 'another', email: 'una@acme.example' } }
    upstream.lies = lies
    const error = await login(lies).catch(failure => failure)
    expect(error.cause).to.equal(undefined)
    expect(JSON.stringify([error, error.message, error.stack])).not.to.contain('una@acme.example')
    expect(error.stack).not.to.contain(settings.clientSecret)
  })

  describe('believes of an address', () => {
    const words: [claims: Record<string, unknown>, verified: boolean | undefined][] = [
      [{ email_verified: true }, true],
      [{ email_verified: false }, false],
      [{ email_verified: 'true' }, false],
      [{ email_verified: 1 }, false],
      [{ email_verified: [true] }, false],
      [{ email_verified: undefined }, undefined],
      // Microsoft's word, from somebody else.
      [{ email_verified: undefined, xms_edov: true }, undefined],
    ]
    for (const [claims, verified] of words) {
      it(`that it is the user's: ${verified}, for ${JSON.stringify(claims)}`, async () => {
        expect((await login({ claims })).emailVerified).to.equal(verified)
      })
    }

    it('nothing that is no address', async () => {
      for (const email of ['una', '', 'una@acme.example, eve@evil.example', ['una@acme.example'], 7]) {
        const userinfo = { email: undefined }
        expect((await login({ claims: { email }, userinfo })).email, String(email)).to.equal(undefined)
      }
    })

    it('at userinfo only what is said there', async () => {
      const said = await login({ claims: { email: undefined }, userinfo: { email: 'eve@evil.example' } })
      // The ID token says that some address is verified, and not which.
      expect(said).to.include({ email: 'eve@evil.example', emailVerified: undefined })
    })

    it('at userinfo nothing about somebody else', async () => {
      const lies = { claims: { email: undefined }, userinfo: { sub: 'user-2', email_verified: true } }
      expect(await faultOf(login(lies))).to.match(/^invalid: .*"sub"/)
    })

    it('nothing, where userinfo refuses the access token, and says so', async () => {
      const refuse: NonNullable<Lies['paths']>[string] = (_, response) => {
        response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
      }
      const lies = { claims: { email: undefined }, paths: { '/userinfo': refuse } }
      expect(await faultOf(login(lies))).to.equal(
        'configuration: the userinfo endpoint does not accept the access token',
      )
    })

    it('at userinfo nothing of the login itself', async () => {
      const userinfo = { acr: 'gold', amr: ['mfa'], sid: 'session', auth_time: seconds(now) }
      const lies = { claims: { email: undefined, auth_time: undefined }, userinfo }
      expect(await login(lies)).to.deep.include({
        acr: undefined,
        amr: [],
        session: undefined,
        authenticatedAt: undefined,
      })
    })
  })

  it('X9: passes on how the user proved themselves as it was said, and by its type', async () => {
    const said = { acr: 'gold', amr: ['mfa', 7, null, 'otp'], auth_time: seconds(now) - 86_400, sid: 's-1' }
    expect(await login({ claims: said })).to.deep.include({
      acr: 'gold',
      amr: ['mfa', 'otp'],
      authenticatedAt: now - 86_400_000,
      session: 's-1',
    })
    expect(await login({ claims: { acr: 2, amr: 'mfa', sid: {} } })).to.deep.include({
      acr: undefined,
      amr: [],
      session: undefined,
    })
  })

  it('answers without a time when a fresh login was asked for and the upstream does not say when it was', async () => {
    const { authenticatedAt } = await login({ claims: { auth_time: undefined } }, { ...ASK, fresh: true })
    expect(authenticatedAt).to.equal(undefined)
  })

  it('takes groups that are texts, and so many at most', async () => {
    expect((await login({ claims: { groups: ['staff', 1, '', 'x'.repeat(256)] } })).groups).to.deep.equal([
      'staff',
    ])
    expect((await login({ claims: { roles: ['admin'] } })).groups).to.deep.equal(['admin'])
    expect((await login({ claims: { groups: 'admins' } })).groups).to.deep.equal([])
    const elsewhere = {
      _claim_names: { groups: 'src1' },
      _claim_sources: { src1: { endpoint: 'https://x' } },
    }
    expect((await login({ claims: elsewhere })).groups, 'too many for Entra ID').to.equal(undefined)
    expect((await login({ claims: { hasgroups: true, roles: ['admin'] } })).groups).to.equal(undefined)
    const many = Array.from({ length: 1500 }, (_, index) => `g${index}`)
    expect((await login({ claims: { groups: many } })).groups).to.have.length(1000)
  })

  describe('keeps what the upstream publishes', () => {
    const METADATA = '/.well-known/openid-configuration'

    it('for an hour, for all logins', async () => {
      await Promise.all(Array.from({ length: 20 }, () => login()))
      expect([asked(METADATA), asked('/jwks')]).to.deep.equal([1, 1])
      now += 59 * MINUTE
      await login()
      expect([asked(METADATA), asked('/jwks')]).to.deep.equal([1, 1])
      now += 2 * MINUTE
      await login()
      expect([asked(METADATA), asked('/jwks')]).to.deep.equal([2, 2])
    })

    it('F12: fetches a new key at the first token that it signs', async () => {
      await login()
      now += 2 * MINUTE
      await upstream.rotate()
      expect(await login()).to.include({ subject: 'user-1' })
      expect(asked('/jwks')).to.equal(2)
    })

    it('F12: fetches keys for an unknown kid once a minute at most', async () => {
      await login()
      now += 2 * MINUTE
      for (let round = 0; round < 5; round += 1) {
        await Promise.all(
          Array.from({ length: 4 }, () => faultOf(login({ header: { kid: `unknown-${round}` } }))),
        )
        now += 5_000
      }
      expect(asked('/jwks')).to.equal(2)
      now += MINUTE
      await faultOf(login({ header: { kid: 'unknown' } }))
      expect(asked('/jwks')).to.equal(3)
    })

    it('F12: does so also while the keys cannot be had, and goes on with those it has', async () => {
      await login()
      now += 2 * MINUTE
      const down: Lies = { paths: { '/jwks': (_, response) => void response.writeHead(503).end() } }
      for (let round = 0; round < 5; round += 1) {
        expect(await faultOf(login({ ...down, header: { kid: 'unknown' } }))).to.match(/^unreachable: /)
        now += 11_000
      }
      expect(asked('/jwks')).to.equal(2)
      expect(await login(down)).to.include({ subject: 'user-1' })
    })

    it('F12: remembers for ten seconds that it could not be had: no storm', async () => {
      const down: Lies = { paths: { [METADATA]: (_, response) => void response.writeHead(503).end() } }
      await Promise.all(Array.from({ length: 20 }, () => faultOf(login(down))))
      now += 9_000
      expect(await faultOf(login())).to.match(/^unreachable: .* answered with status 503$/)
      expect(asked(METADATA)).to.equal(1)
      now += 2_000
      expect(await login()).to.include({ subject: 'user-1' })
      expect(asked(METADATA)).to.equal(2)
    })

    it('apart for each connection', async () => {
      await login()
      await upstreams.describe({ ...settings, clientId: 'another' })
      expect(asked(METADATA)).to.equal(2)
    })

    it('and asks anew for whoever tests the connection, every ten seconds at most', async () => {
      await login()
      upstream.lies = { metadata: { acr_values_supported: ['gold'] } }
      for (let second = 0; second < 10; second += 1, now += 1_000) await upstreams.describe(settings)
      expect(asked(METADATA)).to.equal(1)
      expect((await upstreams.describe(settings)).acrValues).to.deep.equal(['gold'])
      expect(asked(METADATA)).to.equal(2)
    })
  })

  describe('F12: tells what is wrong with', () => {
    const METADATA = '/.well-known/openid-configuration'
    const begin = (lies: Lies) => {
      upstream.lies = lies
      return faultOf(upstreams.begin(settings, REDIRECT_URI, ASK))
    }
    const host = () => upstream.issuer.replace('http://', '')

    it('metadata that are not there', async () => {
      const told = await begin({ paths: { [METADATA]: (_, response) => void response.writeHead(404).end() } })
      expect(told).to.equal(`configuration: ${upstream.issuer}${METADATA} answered with status 404`)
    })

    it('metadata of another issuer', async () => {
      expect(await begin({ metadata: { issuer: 'https://evil.example/?secret' } })).to.equal(
        `configuration: ${upstream.issuer} calls itself https://evil.example/`,
      )
      upstreams = createOidcUpstreams({ allowPrivateNetwork: true, clock })
      expect(await begin({ metadata: { issuer: `${upstream.issuer}/` } })).to.equal(
        `configuration: ${upstream.issuer} calls itself ${upstream.issuer}/`,
      )
    })

    it('a page in place of metadata', async () => {
      const told = await begin({ paths: { [METADATA]: (_, response) => void response.end('<html>') } })
      expect(told).to.equal(`configuration: ${upstream.issuer}${METADATA} did not answer with a JSON object`)
    })

    for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint']) {
      it(`a ${name} that is no address`, async () => {
        expect(await begin({ metadata: { [name]: 'javascript:alert(1)' } })).to.equal(
          `configuration: ${upstream.issuer} gives no usable ${name}`,
        )
      })
    }

    it('a provider without the code flow', async () => {
      expect(await begin({ metadata: { response_types_supported: ['id_token'] } })).to.match(
        /^configuration: .*authorization code flow$/,
      )
    })

    it('a provider that takes no secret', async () => {
      const metadata = { token_endpoint_auth_methods_supported: ['private_key_jwt'] }
      expect(await begin({ metadata })).to.match(/^configuration: .*no client secret/)
    })

    it('a redirect', async () => {
      const redirect: Lies['paths'] = {
        [METADATA]: (_, response) => void response.writeHead(302, { location: '/elsewhere' }).end(),
      }
      expect(await begin({ paths: redirect })).to.match(/^configuration: .*redirect/)
      expect(asked('/elsewhere')).to.equal(0)
    })

    it('a body that is huge', async () => {
      const huge = (_: unknown, response: { end(text: string): void }) =>
        response.end(`"${'x'.repeat(2 ** 20)}"`)
      expect(await begin({ paths: { [METADATA]: huge } })).to.equal(
        `configuration: ${host()} answered with more than 1 MB`,
      )
    })

    it('keys that are none', async () => {
      const keys = { '/jwks': json({ keys: 'none' }) }
      expect(await faultOf(login({ paths: keys }))).to.equal(
        `configuration: ${upstream.issuer}/jwks is no set of keys`,
      )
    })

    it('a token endpoint that is a page, is not there, or breaks', async () => {
      const page = (status: number) => ({
        paths: {
          '/token': (_: unknown, response: import('node:http').ServerResponse) => {
            response.writeHead(status, { 'content-type': 'text/html' }).end('<html>')
          },
        },
      })
      expect(await faultOf(login(page(200)))).to.match(/^configuration: /)
      expect(await faultOf(login(page(404)))).to.match(/^configuration: /)
      expect(await faultOf(login(page(500)))).to.match(/^unreachable: /)
    })

    it('one that takes its time at each step: the whole answer is given up', async () => {
      upstreams = createOidcUpstreams({ allowPrivateNetwork: true, clock }, { patience: 400 })
      const late = (body: () => Record<string, unknown>): NonNullable<Lies['paths']>[string] => {
        return (_, response) => void setTimeout(() => json(body())(_, response), 250)
      }
      const pending = await upstreams.begin(settings, REDIRECT_URI, ASK)
      const callback = upstream.visit(pending.url)
      const idToken = await upstream.sign({
        ...{ iss: upstream.issuer, aud: 'sallyport', sub: 'user-1', nonce: pending.nonce },
        ...{ iat: seconds(now), exp: seconds(now) + 300 },
      })
      const token = { access_token: 'a', token_type: 'Bearer', id_token: idToken }
      const publicKey = await upstream.publicKey()
      upstream.lies = { paths: { '/token': late(() => token), '/jwks': late(() => ({ keys: [publicKey] })) } }
      expect(await faultOf(upstreams.finish(settings, REDIRECT_URI, callback, pending))).to.equal(
        'unreachable: the upstream did not answer in time',
      )
    })

    it('a certificate that nobody vouches for', async () => {
      const server = createTlsServer(SELF_SIGNED).listen(0, '127.0.0.1')
      await new Promise(resolve => server.once('listening', resolve))
      const issuer = `https://localhost:${(server.address() as AddressInfo).port}`
      try {
        const told = await faultOf(upstreams.begin({ ...settings, issuer }, REDIRECT_URI, ASK))
        expect(told).to.match(/^tls: localhost:\d+: DEPTH_ZERO_SELF_SIGNED_CERT$/)
      } finally {
        server.close()
      }
    })
  })

  it('goes to no private address that a customer types, nor that an upstream names', async () => {
    const outside = createOidcUpstreams({ allowPrivateNetwork: false, clock })
    for (const issuer of [
      'https://127.0.0.1',
      'https://localhost',
      'https://[::1]',
      'https://169.254.169.254/latest',
    ]) {
      expect(await faultOf(outside.describe({ ...settings, issuer }))).to.match(/^private_address: /)
    }
    expect(await faultOf(outside.describe(settings))).to.match(/^configuration: .*https$/)
    expect(upstream.asked).to.deep.equal([])
  })

  it('finds the issuer by the address of its metadata, with and without a slash at the end', async () => {
    const { issuer } = upstream
    settings = { ...settings, issuer: `${issuer}/.well-known/openid-configuration` }
    expect(await login()).to.include({ subject: 'user-1' })
    upstreams = createOidcUpstreams({ allowPrivateNetwork: true, clock })
    upstream.lies = { metadata: { issuer: `${issuer}/` } }
    expect(await upstreams.describe(settings)).to.include({ issuer: `${issuer}/` })
  })

  describe('at Microsoft Entra ID', () => {
    for (const tenant of ['common', 'organizations', 'consumers', 'Common', '{tenantid}']) {
      it(`refuses the issuer of everybody: ${tenant}`, async () => {
        const issuer = `https://login.microsoftonline.com/${tenant}/v2.0`
        expect(await faultOf(upstreams.begin({ ...settings, issuer }, REDIRECT_URI, ASK))).to.match(
          /^configuration: the issuer of Microsoft Entra ID must carry your own tenant id in place of /,
        )
      })
    }
  })

  describe('hears that a session ended', () => {
    const token = (claims: Record<string, unknown> = {}, lies: Lies = {}) => {
      upstream.lies = lies
      return upstream.sign({
        ...{ iss: upstream.issuer, aud: 'sallyport', sub: 'user-1', sid: 's-1', jti: 'j-1' },
        ...{ iat: seconds(now), exp: seconds(now) + 120, events: { [LOGOUT_EVENT]: {} } },
        ...claims,
      })
    }
    const verify = async (given: Promise<string>) => upstreams.verifyLogoutToken(settings, await given)

    it('of a user, of a session, or of both', async () => {
      const told = { subject: 'user-1', session: 's-1', id: 'j-1', issuedAt: now }
      expect(await verify(token())).to.deep.equal(told)
      expect(await verify(token({ sid: undefined }))).to.deep.equal({ ...told, session: undefined })
      expect(await verify(token({ sub: undefined }))).to.deep.equal({ ...told, subject: undefined })
    })

    it('with and without its type', async () => {
      for (const typ of ['logout+jwt', 'application/logout+jwt', 'JWT', undefined]) {
        expect(await verify(token({}, { header: { typ } })), String(typ)).to.include({ id: 'j-1' })
      }
    })

    it('with and without an expiry', async () => {
      expect(await verify(token({ exp: undefined }))).to.include({ id: 'j-1' })
    })

    const lies: Record<string, [Record<string, unknown> | (() => Record<string, unknown>), Lies, RegExp]> = {
      'an ID token': [{ events: undefined, nonce: 'n' }, {}, /events/],
      'with a nonce': [{ nonce: 'n' }, {}, /nonce/],
      'of another event': [{ events: { 'http://schemas.openid.net/event/other': {} } }, {}, /events/],
      'whose event is no object': [{ events: { [LOGOUT_EVENT]: 'yes' } }, {}, /events/],
      'whose events are none': [{ events: null }, {}, /events/],
      'of nobody': [{ sub: undefined, sid: undefined }, {}, /neither sub nor sid/],
      'of a subject that is no text': [{ sub: { $ne: null } }, {}, /sub/],
      'of a subject that no database takes (NUL)': [{ sub: 'user-1\0' }, {}, /sub/],
      'without an id': [{ jti: undefined }, {}, /jti/],
      'for another audience': [{ aud: 'another' }, {}, /aud/],
      'of another issuer': [{ iss: 'https://evil.example' }, {}, /iss/],
      'without the time it was issued at': [{ iat: undefined }, {}, /iat/],
      'issued long ago': [() => ({ iat: seconds(now) - 361 }), {}, /iat/],
      'that expired': [() => ({ exp: seconds(now) - 61 }), {}, /exp/],
      'of another type': [{}, { header: { typ: 'at+jwt' } }, /typ/],
      'signed by nothing': [{}, { header: { alg: 'none' } }, /ALG_NOT_ALLOWED/],
      'signed by a secret': [{}, { header: { alg: 'HS256' }, key: secretKey('a-secret') }, /ALG_NOT_ALLOWED/],
      'of an unknown key': [{}, { header: { kid: 'unknown' } }, /NO_MATCHING_KEY/],
    }
    for (const [what, [claims, header, expected]] of Object.entries(lies)) {
      it(`and refuses a token ${what}`, async () => {
        const given = typeof claims === 'function' ? claims() : claims
        const told = await faultOf(verify(token(given, header)))
        expect(told).to.match(/^invalid: /)
        expect(told).to.match(expected)
      })
    }

    it('and refuses what is no token', async () => {
      for (const given of ['', 'x', 'a.b.c', 'x'.repeat(100_000)]) {
        expect(await faultOf(upstreams.verifyLogoutToken(settings, given))).to.match(/^invalid: /)
      }
    })
  })
})

function secretKey(secret: string): Uint8Array {
  return createSecretKey(Buffer.from(secret.padEnd(32, '.'))).export()
}

function json(body: Record<string, unknown>): NonNullable<Lies['paths']>[string] {
  return (_, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(body))
  }
}
