// OpenID Connect as apps use it, through openid-client against the running server: what works, and what is refused.

import { createServer, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import * as client from 'openid-client'
import { code } from '../support/one-time-codes.ts'
import { freePort, openStage, type Person, type Stage } from '../support/stage.ts'
import {
  type Begun,
  createVisitor,
  type Enrolled,
  enrol,
  logIn,
  type RelyingParty,
  relyingParty,
  uidOf,
  type Visitor,
} from '../support/visitor.ts'

describe('OpenID Connect', function () {
  this.timeout(60_000)
  let stage: Stage
  let party: RelyingParty
  let person: Person
  let enrolled: Enrolled

  before(async () => {
    stage = await openStage()
    party = await relyingParty(stage)
    person = await stage.person()
    enrolled = await enrol(stage, createVisitor(stage.origin), (await party.begin()).url, person)
  })
  after(() => stage?.close())

  async function loggedIn(at = party, params: Record<string, string> = {}) {
    const visitor = createVisitor(stage.origin)
    const begun = await at.begin(params)
    const callback = await logIn(stage, visitor, begun.url, person, enrolled)
    return { visitor, begun, callback }
  }

  async function tokensWithRefresh(at = party) {
    const { visitor, begun, callback } = await loggedIn(at, {
      scope: 'openid email offline_access',
      prompt: 'consent',
    })
    const answer = await visitor.post(`/interaction/${uidOf(callback)}/consent`, { answer: 'allow' })
    const { url } = await visitor.follow(answer.location ?? '')
    return { visitor, tokens: await at.finish(begun, url) }
  }

  describe('an authorization response', () => {
    it('names its issuer (RFC 9207) and gives back state', async () => {
      const { callback, begun } = await loggedIn()
      const { searchParams } = new URL(callback)
      expect(searchParams.get('iss')).to.equal(stage.origin)
      expect(searchParams.get('state')).to.equal(begun.state)
    })

    it('gives an ID token that says how and when, in registered values', async () => {
      const { callback, begun } = await loggedIn()
      const tokens = await party.finish(begun, callback)
      const claims = tokens.claims()
      expect(claims?.acr).to.equal('urn:sallyport:acr:2fa')
      expect(claims?.amr).to.deep.equal(['pwd', 'otp', 'mfa'])
      expect(claims?.auth_time).to.be.closeTo(stage.now() / 1000, 5)
      expect(claims?.aud).to.equal(party.clientId)
      const keys = createRemoteJWKSet(new URL(`${stage.origin}/jwks`))
      const { protectedHeader } = await jwtVerify(tokens.id_token ?? '', keys, { issuer: stage.origin })
      expect(protectedHeader.alg).to.equal('RS256')
    })

    it('is only given for PKCE with S256, whoever the client is', async () => {
      const visitor = createVisitor(stage.origin)
      for (const change of [
        (url: URL) => url.searchParams.delete('code_challenge'),
        (url: URL) => url.searchParams.set('code_challenge_method', 'plain'),
      ]) {
        const url = new URL((await party.begin()).url)
        change(url)
        const { location } = await visitor.get(url.href)
        expect(new URL(location ?? '').searchParams.get('error')).to.equal('invalid_request')
      }
    })
  })

  describe('refresh tokens', () => {
    it('rotate; a second use of one revokes the family', async () => {
      const { tokens } = await tokensWithRefresh()
      const first = tokens.refresh_token ?? ''
      const second = await client.refreshTokenGrant(party.config, first)
      expect(second.refresh_token).to.be.a('string').and.not.equal(first)
      expect(decodeJwt(second.id_token ?? '').acr).to.equal('urn:sallyport:acr:2fa')
      expect(decodeJwt(second.id_token ?? '').auth_time).to.equal(tokens.claims()?.auth_time)
      expect(await refusal(() => client.refreshTokenGrant(party.config, first))).to.equal('invalid_grant')
      expect(
        await refusal(() => client.refreshTokenGrant(party.config, second.refresh_token ?? '')),
      ).to.equal('invalid_grant')
    })

    it('go with their grant when revoked, and with it the access token', async () => {
      const { tokens } = await tokensWithRefresh()
      await client.tokenRevocation(party.config, tokens.refresh_token ?? '')
      expect(
        await refusal(() => client.refreshTokenGrant(party.config, tokens.refresh_token ?? '')),
      ).to.equal('invalid_grant')
      const answer = await client.tokenIntrospection(party.config, tokens.access_token)
      expect(answer.active).to.equal(false)
    })

    it('are of no use to another client, and introspection tells it nothing', async () => {
      const other = await relyingParty(stage)
      const { tokens } = await tokensWithRefresh()
      expect(
        await refusal(() => client.refreshTokenGrant(other.config, tokens.refresh_token ?? '')),
      ).to.equal('invalid_grant')
      expect((await client.tokenIntrospection(other.config, tokens.access_token)).active).to.equal(false)
      expect((await client.tokenIntrospection(party.config, tokens.access_token)).active).to.equal(true)
    })
  })

  describe('an authorization code', () => {
    it('works once; its second use ends what the first one gave', async () => {
      const { begun, callback } = await loggedIn()
      const tokens = await party.finish(begun, callback)
      expect(await refusal(() => party.finish(begun, callback))).to.equal('invalid_grant')
      expect((await client.tokenIntrospection(party.config, tokens.access_token)).active).to.equal(false)
    })

    it('is bound to its verifier and its client', async () => {
      const { begun, callback } = await loggedIn()
      const wrong: Begun = { ...begun, verifier: client.randomPKCECodeVerifier() }
      expect(await refusal(() => party.finish(wrong, callback))).to.equal('invalid_grant')
    })
  })

  it('takes pushed authorization requests (RFC 9126), each once', async () => {
    const verifier = client.randomPKCECodeVerifier()
    const url = await client.buildAuthorizationUrlWithPAR(party.config, {
      redirect_uri: party.redirectUri,
      scope: 'openid email',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    const { visitor } = await loggedIn()
    const { location } = await visitor.get(url.href)
    const tokens = await client.authorizationCodeGrant(party.config, new URL(location ?? ''), {
      pkceCodeVerifier: verifier,
    })
    expect(tokens.claims()?.sub).to.equal(person.id)
    const again = await visitor.get(url.href)
    expect(again.location ?? '').not.to.include('code=')
  })

  it('binds tokens to a key by DPoP (RFC 9449)', async () => {
    const keys = await client.randomDPoPKeyPair('ES256')
    const DPoP = client.getDPoPHandle(party.config, keys)
    const { begun, callback } = await loggedIn()
    const tokens = await client.authorizationCodeGrant(
      party.config,
      new URL(callback),
      { pkceCodeVerifier: begun.verifier, expectedState: begun.state, expectedNonce: begun.nonce },
      undefined,
      { DPoP },
    )
    expect(tokens.token_type).to.equal('dpop')
    const userinfo = await client.fetchUserInfo(party.config, tokens.access_token, person.id, { DPoP })
    expect(userinfo.email).to.equal(person.email)
    const bare = await fetch(`${stage.origin}/me`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    })
    expect(bare.status).to.equal(401)
  })

  it('gives no user’s claims for client credentials', async () => {
    const service = await relyingParty(stage, {
      metadata: { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
    })
    const tokens = await client.clientCredentialsGrant(service.config)
    const answer = await client.tokenIntrospection(service.config, tokens.access_token)
    expect(answer.active).to.equal(true)
    expect(answer).not.to.have.any.keys('sub', 'acr', 'amr', 'auth_time')
  })

  describe('logging out', () => {
    let receiver: Server
    let tokens: string[]
    let logoutUri: string

    before(async () => {
      tokens = []
      const port = await freePort()
      logoutUri = `http://localhost:${port}/logout`
      receiver = createServer(async (request, response) => {
        let body = ''
        for await (const chunk of request) body += chunk
        tokens.push(new URLSearchParams(body).get('logout_token') ?? '')
        response.end()
      })
      await new Promise<void>(resolve => receiver.listen(port, 'localhost', resolve))
    })
    after(() => receiver.close())

    it('ends the session, tells the apps by a logout token, and returns to a registered page only', async () => {
      const app = await relyingParty(stage, {
        metadata: {
          backchannel_logout_uri: logoutUri,
          backchannel_logout_session_required: true,
          post_logout_redirect_uris: ['http://localhost:9/bye'],
        },
      })
      const { visitor, begun, callback } = await loggedIn(app)
      const { id_token: idToken = '' } = await app.finish(begun, callback)
      const refused = await visitor.get(
        logoutUrl({ id_token_hint: idToken, post_logout_redirect_uri: 'http://localhost:9/else' }),
      )
      expect(refused.status).to.equal(400)
      const page = await visitor.get(
        logoutUrl({ id_token_hint: idToken, post_logout_redirect_uri: 'http://localhost:9/bye', state: 's' }),
      )
      expect(page.heading).to.equal('Log out?')
      const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
      const done = await visitor.post('/session/end/confirm', { xsrf, logout: 'yes' })
      expect(done.location).to.equal('http://localhost:9/bye?state=s')
      for (const since = Date.now(); tokens.length === 0 && Date.now() - since < 10_000; await sleep(50));
      const token = decodeJwt(tokens[0] ?? '')
      expect(token.sub).to.equal(person.id)
      expect(token.sid).to.equal(decodeJwt(idToken).sid)
      expect(token.events).to.have.property('http://schemas.openid.net/event/backchannel-logout')
      expect(token).not.to.have.property('nonce')
      expect(await promptNone(visitor)).to.equal('login_required')
    })

    function logoutUrl(params: Record<string, string>): string {
      return `/session/end?${new URLSearchParams(params)}`
    }
  })

  it('answers prompt=none with a code where the session will do, else with the error and no page', async () => {
    const { visitor } = await loggedIn()
    expect(await promptNone(visitor)).to.equal(undefined)
    expect(await promptNone(createVisitor(stage.origin))).to.equal('login_required')
    expect(await promptNone(visitor, { acr_values: 'phr' })).to.equal('unmet_authentication_requirements')
    stage.advance(120_000)
    expect(await promptNone(visitor, { max_age: '60' })).to.equal('login_required')
  })

  it('asks for the code alone when max_age has passed, and states its time', async () => {
    const { visitor } = await loggedIn()
    stage.advance(120_000)
    const begun = await party.begin({ max_age: '60' })
    const page = await visitor.follow(begun.url)
    expect(page.heading).to.equal('Confirm it’s you')
    const base = `/interaction/${uidOf(page.url)}`
    await visitor.post(`${base}/otp`, { code: code(enrolled.secret, stage.now()) })
    const { url } = await visitor.follow(base)
    const tokens = await party.finish(begun, url)
    expect(tokens.claims()?.auth_time).to.be.closeTo(stage.now() / 1000, 5)
  })

  it('lets native apps come back to any port of the loopback address (RFC 8252), after asking the user', async () => {
    const native = await relyingParty(stage, {
      firstParty: false,
      metadata: {
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/callback'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    })
    const { visitor, callback } = await loggedIn(native, { redirect_uri: 'http://127.0.0.1:51234/callback' })
    const page = await visitor.follow(callback)
    expect(page.heading).to.match(/^Allow Party \d+ to use your account\?$/)
    const answer = await visitor.post(`/interaction/${uidOf(callback)}/consent`, { answer: 'allow' })
    const { url } = await visitor.follow(answer.location ?? '')
    expect(url).to.match(/^http:\/\/127\.0\.0\.1:51234\/callback\?code=/)
  })

  it('prefills the address of login_hint, and pins the user of id_token_hint', async () => {
    const hinted = await createVisitor(stage.origin).follow(
      (await party.begin({ login_hint: person.email })).url,
    )
    expect(hinted.body).to.include(`value="${person.email}"`)
    const { begun, callback } = await loggedIn()
    const { id_token: hint = '' } = await party.finish(begun, callback)
    const page = await createVisitor(stage.origin).follow((await party.begin({ id_token_hint: hint })).url)
    expect(page.heading).to.equal('Enter your password')
    expect(page.body).to.include(person.email)
  })

  it('changes the user only through the end of the session before', async () => {
    const { visitor } = await loggedIn()
    const other = await stage.person()
    const others = await enrol(stage, createVisitor(stage.origin), (await party.begin()).url, other)
    const begun = await party.begin({ prompt: 'login' })
    const pinned = await visitor.follow(begun.url)
    expect(pinned.heading).to.equal('Enter your password')
    expect(pinned.body).to.include(person.email)
    const base = `/interaction/${uidOf(pinned.url)}`
    await visitor.post(`${base}/identify`, { email: other.email, webauthn: 'none' })
    await visitor.post(`${base}/password`, { password: 'quiet otters borrow nine lanterns' })
    stage.advance(30_000)
    await visitor.post(`${base}/otp`, { code: code(others.secret, stage.now()) })
    const between = await visitor.follow(base)
    const form = /action="([^"]+)".*?name="xsrf" value="([^"]+)"/s.exec(between.body)
    expect(between.headers.get('content-security-policy')).to.match(/script-src 'self' 'sha256-/)
    const ended = await visitor.post(form?.[1] ?? '', { xsrf: form?.[2] ?? '', logout: 'yes' })
    const { url } = await visitor.follow(ended.location ?? '')
    const tokens = await party.finish(begun, url)
    expect(tokens.claims()?.sub).to.equal(other.id)
  })

  async function promptNone(
    visitor: Visitor,
    params: Record<string, string> = {},
  ): Promise<string | undefined> {
    const { location } = await visitor.get((await party.begin({ prompt: 'none', ...params })).url)
    const { searchParams } = new URL(location ?? '')
    expect(searchParams.get('iss')).to.equal(stage.origin)
    return searchParams.get('error') ?? undefined
  }
})

async function refusal(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return (error as { error?: string }).error ?? String(error)
  }
}
