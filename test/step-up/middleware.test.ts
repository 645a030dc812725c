// What a request must bring to get through, in each framework, with tokens of a real provider and with such as no provider
// would issue. What must not get through is not done: the handlers note what they do.

import { createHash, randomBytes } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import {
  memoryStore,
  type ProtectedApi,
  type ProtectedApiOptions,
  parseStepUpChallenge,
  protectedApi,
  type SpentStore,
} from '@sallyport/step-up'
import { requireStepUp } from '@sallyport/step-up/fetch'
import { expect } from 'chai'
import { base64url, calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import * as client from 'openid-client'
import { type App, apps } from './apps.ts'
import {
  type Authority,
  CALLBACK,
  confirmed,
  OPAQUE,
  openAuthority,
  RESOURCE,
  SECRET,
  TWO,
} from './authority.ts'

const NOW = () => Math.floor(Date.now() / 1000)
const both = ['dev_17', 'dev_23']

describe('a guarded API', () => {
  let authority: Authority
  before(async () => {
    authority = await openAuthority()
  })
  after(() => authority.close())

  /** A store that can be told to break. */
  function breakable(): SpentStore & { broken: boolean } {
    const inner = memoryStore()
    return {
      broken: false,
      async spend(key, expiresAt) {
        if (this.broken) throw new Error('the database is away')
        return inner.spend(key, expiresAt)
      },
    }
  }

  const apiWith = (options: Partial<ProtectedApiOptions> = {}): ProtectedApi =>
    protectedApi({ issuer: authority.issuer, resource: RESOURCE, store: memoryStore(), ...options })

  const carrying = (token: string, scheme = 'Bearer') => ({ authorization: `${scheme} ${token}` })
  const deletes = (app: App, token: string, ids: unknown = both, headers: Record<string, string> = {}) =>
    fetch(`${app.origin}/devices`, {
      method: 'DELETE',
      body: JSON.stringify({ ids }),
      headers: { 'content-type': 'application/json', ...carrying(token), ...headers },
    })
  const gets = (app: App, path: string, headers: Record<string, string> = {}) =>
    fetch(app.origin + path, { headers })
  const proof = (claims: Record<string, unknown> = {}) =>
    authority.sign({ authorization_details: confirmed('device.delete', both), ...claims })

  const errorIn = (response: Response) =>
    [...(response.headers.get('www-authenticate') ?? '').matchAll(/error="(\w+)"/g)].map(([, each]) => each)

  for (const [framework, start] of Object.entries(apps)) {
    describe(`on ${framework}`, () => {
      let app: App
      let store: SpentStore & { broken: boolean }
      beforeEach(async () => {
        store = breakable()
        app = await start(apiWith({ store }))
      })
      afterEach(() => app.close())

      async function refused(response: Response, status: number, ...errors: string[]): Promise<void> {
        expect([response.status, ...errorIn(response)]).to.deep.equal([status, ...errors])
        if (status !== 503) {
          expect(response.headers.get('access-control-expose-headers')).to.match(/WWW-Authenticate/)
        }
        expect(app.deeds).to.deep.equal([])
      }

      it('lets a token of the provider through, and tells the handler whose it is', async () => {
        const response = await gets(app, '/devices', carrying(await authority.sign()))
        expect(response.status).to.equal(200)
        expect(await response.json()).to.deep.equal({ done: 'list dana' })
      })

      it('asks for a token without naming an error where none comes', async () => {
        const response = await gets(app, '/devices')
        await refused(response, 401)
        expect(response.headers.get('www-authenticate')).to.equal(`Bearer realm="${RESOURCE}"`)
        await refused(await gets(app, '/devices', { authorization: 'Basic YTpi' }), 401)
      })

      it('asks for a stronger authentication, and says which', async () => {
        const response = await gets(app, '/secret', carrying(await authority.sign()))
        await refused(response, 401, 'insufficient_user_authentication')
        expect(parseStepUpChallenge(response)).to.deep.equal({
          errors: ['insufficient_user_authentication'],
          acrValues: ['phr'],
        })
        const strong = carrying(await authority.sign({ acr: 'phr' }))
        expect((await gets(app, '/secret', strong)).status).to.equal(200)
      })

      it('asks for a recent one, and says how recent', async () => {
        const old = carrying(await authority.sign({ auth_time: NOW() - 302 }))
        const response = await gets(app, '/devices', old)
        await refused(response, 401, 'insufficient_user_authentication')
        expect(parseStepUpChallenge(response)?.maxAge).to.equal(300)
      })

      it('asks for this very action, and takes its proof once', async () => {
        const asked = await deletes(app, await authority.sign())
        await refused(asked, 401, 'insufficient_authorization')
        expect(parseStepUpChallenge(asked)?.authorizationDetails).to.deep.equal([
          { type: 'protected_action', action: 'device.delete', objects: both },
        ])
        const token = await proof()
        expect((await deletes(app, token, both.toReversed())).status).to.equal(200)
        expect(app.deeds).to.deep.equal(['delete dana dev_23 dev_17'])
        const again = await deletes(app, token)
        expect([again.status, ...errorIn(again)]).to.deep.equal([401, 'insufficient_authorization'])
        expect(app.deeds).to.have.length(1)
      })

      it('spends no proof on a request that needs no action', async () => {
        const token = await proof()
        for (let times = 0; times < 3; times++) {
          expect((await gets(app, '/devices', carrying(token))).status).to.equal(200)
        }
        expect((await deletes(app, token)).status).to.equal(200)
      })

      it('lets one of fifty at once through', async () => {
        const token = await proof()
        const all = await Promise.all(Array.from({ length: 50 }, () => deletes(app, token)))
        const statuses = all.map(each => each.status).toSorted()
        expect(statuses).to.deep.equal([200, ...Array.from({ length: 49 }, () => 401)])
        expect(app.deeds).to.have.length(1)
      })

      it('asks for both where both lack', async () => {
        const weak = await authority.sign({ acr: 'urn:sallyport:acr:1fa' })
        const expected = ['insufficient_user_authentication', 'insufficient_authorization']
        await refused(await deletes(app, weak), 401, ...expected)
      })

      it('refuses objects that were changed after the user confirmed, and keeps the proof', async () => {
        const token = await proof()
        await refused(await deletes(app, token, ['dev_17', 'dev_24']), 401, 'insufficient_authorization')
        await refused(await deletes(app, token, ['dev_17']), 401, 'insufficient_authorization')
        await refused(await deletes(app, token, [...both, 'dev_24']), 401, 'insufficient_authorization')
        expect((await deletes(app, token)).status).to.equal(200)
      })

      it('refuses a request whose objects are none', async () => {
        for (const ids of [[1], [{}], [null], 'dev_17', { 0: 'dev_17' }]) {
          await refused(await deletes(app, await proof(), ids), 400, 'invalid_request')
        }
      })

      it('refuses another user’s token, another client’s, and one without the scope', async () => {
        const own = (path: string, claims = {}) =>
          authority.sign(claims).then(token => gets(app, path, carrying(token)))
        await refused(await own('/of/mallory/by/console'), 401, 'invalid_token')
        await refused(await own('/of/dana/by/mobile'), 401, 'invalid_token')
        await refused(await own('/of/dana/by/console', { scope: 'openid' }), 403, 'insufficient_scope')
        expect((await own('/of/dana/by/console')).status).to.equal(200)
      })

      it('carries an action’s odd names in its answer without breaking it', async () => {
        for (const odd of [
          'a\r\nSet-Cookie: pwned=1',
          '"><script>alert(1)</script>',
          '", error="none',
          '删除\u0000',
        ]) {
          const response = await deletes(app, await authority.sign(), [odd])
          await refused(response, 401, 'insufficient_authorization')
          expect(response.headers.get('set-cookie')).to.equal(null)
          expect(await response.text()).not.to.include('<script>')
          expect(parseStepUpChallenge(response)?.authorizationDetails?.[0]?.objects).to.deep.equal([odd])
        }
      })

      it('keeps what the app exposes to scripts beside the challenge', async () => {
        const response = await gets(app, '/devices')
        // A Response that a handler of Hono returns goes out as it is.
        const own = framework.startsWith('Hono') ? '' : 'X-Request-Id, '
        expect(response.headers.get('access-control-expose-headers')).to.equal(`${own}WWW-Authenticate`)
        expect(response.headers.get('cache-control')).to.equal('no-store')
      })

      it('answers 503, and does nothing, while the store or the provider is away', async () => {
        const token = await proof()
        store.broken = true
        await refused(await deletes(app, token), 503)
        store.broken = false
        expect((await deletes(app, token)).status).to.equal(200)
      })

      it('measures a DPoP proof by the public URL, behind a proxy and a mount, not by what the request says', async () => {
        const proxied = await start(apiWith({ publicUrl: 'https://www.example/api' }))
        const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
        const { kty = '', crv = '', x = '', y = '' } = await exportJWK(publicKey)
        const jwk = { kty, crv, x, y }
        const token = await authority.sign({ cnf: { jkt: await calculateJwkThumbprint(jwk) } })
        const ath = createHash('sha256').update(token).digest('base64url')
        const sends = async (htu: string) => {
          const dpop = await new SignJWT({ htm: 'GET', htu, ath })
            .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
            .setJti(crypto.randomUUID())
            .setIssuedAt()
            .sign(privateKey)
          const lies = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }
          return gets(proxied, '/devices?page=2', { ...carrying(token, 'DPoP'), dpop, ...lies })
        }
        const statuses: number[] = []
        for (const htu of [
          'https://www.example/api/devices',
          `${proxied.origin}/devices`,
          'https://evil.example/devices',
          'https://www.example/devices',
          'https://www.example/api/',
        ]) {
          statuses.push((await sends(htu)).status)
        }
        await proxied.close()
        expect(statuses).to.deep.equal([200, 401, 401, 401, 401])
      })

      it('refuses two Authorization headers, whatever is in them', async () => {
        const good = `Bearer ${await authority.sign()}`
        for (const pair of [
          [good, good],
          [good, 'Bearer x'],
          ['Basic YTpi', good],
          ['', good],
        ]) {
          const { port } = new URL(app.origin)
          const response = await new Promise<{ status: number; challenge: string }>((resolve, reject) => {
            const sent = httpRequest({ port, host: 'localhost', path: '/devices' }, got => {
              got.resume()
              resolve({
                status: got.statusCode ?? 0,
                challenge: String(got.headers['www-authenticate']),
              })
            })
            sent.on('error', reject)
            sent.setHeader('Authorization', pair)
            sent.end()
          })
          expect(response.status, pair.join(' + ')).to.equal(400)
          expect(response.challenge).to.include('invalid_request')
        }
        expect(app.deeds).to.deep.equal([])
      })

      const bad: Record<string, () => Promise<string>> = {
        'that is tampered with': async () => {
          const [header, payload = '', signature] = (await authority.sign({ acr: TWO })).split('.')
          const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
          return [header, base64url.encode(JSON.stringify({ ...claims, acr: 'phr' })), signature].join('.')
        },
        'whose signature is cut off': async () => (await authority.sign()).split('.').slice(0, 2).join('.'),
        'whose signature is empty': async () =>
          `${(await authority.sign()).split('.').slice(0, 2).join('.')}.`,
        'that has expired': () => authority.sign({ exp: NOW() - 31 }),
        'that never expires': () => authority.sign({ exp: undefined }),
        'that begins later': () => authority.sign({ nbf: NOW() + 300 }),
        'without a jti': () => authority.sign({ jti: undefined }),
        'of another issuer': () => authority.sign({ iss: 'https://id.example' }),
        'for another API': () => authority.sign({ aud: 'https://other.example' }),
        'for an API whose name begins alike': () => authority.sign({ aud: `${RESOURCE}.evil.example` }),
        'for nobody': () => authority.sign({ aud: undefined }),
        'of nobody': () => authority.sign({ sub: undefined }),
        'that is an ID token': () => authority.sign({ aud: 'console' }, { typ: 'JWT' }),
        'of typ JWT': () => authority.sign({}, { typ: 'JWT' }),
        'without a typ': () => authority.sign({}, { typ: undefined }),
        'with a critical header': () => authority.sign({}, { crit: ['odd'], odd: 1 }),
        'of a key that is not the provider’s': async () => {
          const { privateKey } = await generateKeyPair('ES256')
          const claims = await claimsOf(await authority.sign())
          return new SignJWT(claims)
            .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'one' })
            .sign(privateKey)
        },
        'of a key that it brings itself': async () => {
          const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
          const jwk = { ...(await crypto.subtle.exportKey('jwk', publicKey)) } as Record<string, string>
          const claims = await claimsOf(await authority.sign())
          return new SignJWT(claims)
            .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'one', jwk: { kty: 'EC', ...jwk } })
            .sign(privateKey)
        },
        'of a key that nobody knows': () => authority.sign({}, { kid: 'two' }),
        'of alg none': async () => {
          const unsecured = new UnsecuredJWT(await claimsOf(await authority.sign())).encode()
          const header = base64url.encode(JSON.stringify({ alg: 'none', typ: 'at+jwt' }))
          return [header, unsecured.split('.')[1], ''].join('.')
        },
        'of HS256 with the public key as the secret': async () =>
          new SignJWT(await claimsOf(await authority.sign()))
            .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: 'one' })
            .sign(new TextEncoder().encode(authority.publicPem)),
        'that is encrypted': async () => `${await authority.sign()}.a.b`,
        'that is no JWT': async () => randomBytes(32).toString('base64url'),
        'that is bound to a key, and comes without a proof': () =>
          authority.sign({ cnf: { jkt: 'x'.repeat(43) } }),
        'that is bound to a certificate': () => authority.sign({ cnf: { 'x5t#S256': 'x'.repeat(43) } }),
      }
      for (const [name, make] of Object.entries(bad)) {
        it(`refuses a token ${name}`, async () => {
          await refused(await gets(app, '/devices', carrying(await make())), 401, 'invalid_token')
        })
      }

      it('refuses what is no token at all', async () => {
        for (const odd of [
          'Bearer',
          'Bearer ',
          'Bearer a b',
          'Bearer "a"',
          'Bearer a,b',
          'Bearer ä'.slice(0, 7),
        ]) {
          await refused(await gets(app, '/devices', { authorization: odd }), 400, 'invalid_request')
        }
      })
    })
  }

  async function claimsOf(token: string): Promise<Record<string, unknown>> {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  }

  describe('whatever the framework,', () => {
    const asking = (
      headers: Record<string, string> = {},
      init: RequestInit = {},
      url = `${RESOURCE}/devices`,
    ) => new Request(url, { ...init, headers })

    it('refuses a token of a megabyte without looking into it', async () => {
      const guard = requireStepUp({ api: apiWith(), acr: TWO })
      const huge = await authority.sign({ pad: 'x'.repeat(1_000_000) })
      const since = performance.now()
      const response = await guard(asking(carrying(huge)))
      expect(response?.status).to.equal(401)
      expect(performance.now() - since).to.be.lessThan(200)
    })

    it('fetches the keys once for many, and tries again after a failure', async () => {
      const guard = requireStepUp({ api: apiWith(), acr: TWO })
      const token = carrying(await authority.sign())
      authority.breakDown(true)
      const away = await guard(asking(token))
      expect(away?.status).to.equal(503)
      expect(away?.headers.get('retry-after')).to.equal('5')
      // Where the provider is, is nobody's business.
      expect(await away?.json()).to.deep.equal({ error: 'unavailable' })
      authority.breakDown(false)
      const before = authority.keyRequests()
      const all = await Promise.all(Array.from({ length: 50 }, () => guard(asking(token))))
      expect(all.filter(each => each !== undefined)).to.deep.equal([])
      expect(authority.keyRequests() - before).to.equal(1)
    })

    it('does not ask for keys again for each key that nobody knows', async () => {
      const guard = requireStepUp({ api: apiWith(), acr: TWO })
      await guard(asking(carrying(await authority.sign())))
      const before = authority.keyRequests()
      for (let index = 0; index < 20; index++) {
        const response = await guard(asking(carrying(await authority.sign({}, { kid: `k${index}` }))))
        expect(response?.status).to.equal(401)
      }
      expect(authority.keyRequests()).to.equal(before)
    })

    it('answers 503, and blames no token, where the provider’s metadata lead nowhere', async () => {
      for (const jwks_uri of [undefined, 'no URL', 'ftp://id.example/jwks']) {
        const odd: typeof fetch = async () => Response.json({ issuer: authority.issuer, jwks_uri })
        const guard = requireStepUp({ api: apiWith({ fetch: odd }), acr: TWO })
        expect((await guard(asking(carrying(await authority.sign()))))?.status, jwks_uri).to.equal(503)
      }
    })

    it('answers 503 where the provider does not answer in time', async () => {
      const silent: typeof fetch = (_, init) =>
        new Promise((_, reject) => {
          init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
        })
      const guard = requireStepUp({ api: apiWith({ fetch: silent }), acr: TWO })
      expect((await guard(asking(carrying(await authority.sign()))))?.status).to.equal(503)
    })

    it('lets an exception of the app’s own functions through to nobody', async () => {
      const guard = requireStepUp({
        api: apiWith(),
        action: () => {
          throw new RangeError('the app’s own')
        },
      })
      let thrown: unknown
      const token = await proof()
      await guard(asking(carrying(token))).catch(error => {
        thrown = error
      })
      expect(thrown).to.be.instanceOf(RangeError)
    })

    it('lets nobody through where the function that names the user or the action names none', async () => {
      const token = carrying(await proof())
      const nobody = requireStepUp({ api: apiWith(), acr: TWO, subject: () => undefined })
      expect((await nobody(asking(token)))?.status).to.equal(401)
      const noClient = requireStepUp({ api: apiWith(), acr: TWO, clientId: () => [] })
      expect((await noClient(asking(token)))?.status).to.equal(401)
      const nothing = requireStepUp({ api: apiWith(), action: () => undefined })
      let thrown: unknown
      await nothing(asking(token)).catch(error => {
        thrown = error
      })
      expect(thrown).to.be.instanceOf(TypeError)
    })

    it('cannot be set up so that it checks nothing', () => {
      const api = apiWith()
      const wrong: unknown[] = [
        { api },
        { acr: TWO },
        { api, acr: undefined, maxAge: 300 },
        { api, acr: TWO, subject: undefined },
        { api, maxAge: Number.NaN },
        { api, acr: 'a"b' },
        { api, acr: [] },
        { api, acr: TWO, scope: 'ä' },
        { api, action: { type: 'protected_action' } },
      ]
      for (const [index, options] of wrong.entries()) {
        expect(() => requireStepUp(options as never), `options ${index}`).to.throw(TypeError)
      }
      const { issuer } = authority
      const wrongApis: unknown[] = [
        { issuer, resource: RESOURCE },
        { issuer, store: memoryStore() },
        { issuer: 'http://id.example', resource: RESOURCE, store: memoryStore() },
        { issuer: 'id.example', resource: RESOURCE, store: memoryStore() },
        { issuer, resource: RESOURCE, store: memoryStore(), publicUrl: 'api.example' },
      ]
      for (const [index, options] of wrongApis.entries()) {
        expect(() => protectedApi(options as never), `api ${index}`).to.throw(TypeError)
      }
    })

    it('takes the claims of a verifier that ran before, and spends their proof too', async () => {
      const claims = { sub: 'dana', client_id: 'console', jti: 'one', exp: NOW() + 300, acr: TWO }
      const details = confirmed('device.delete', both)
      const action = { type: 'protected_action', action: 'device.delete', objects: both } as const
      const held: Record<string, unknown>[] = [{ ...claims, authorization_details: details }]
      const guard = requireStepUp({ api: apiWith(), action, claims: () => held[0] })
      expect(await guard(asking())).to.equal(undefined)
      expect((await guard(asking()))?.status).to.equal(401)
      // Without a jti the confirmation's own id is spent; with neither, nothing can be.
      const { jti: _, ...nameless } = claims
      held[0] = { ...nameless, authorization_details: details }
      expect(await guard(asking())).to.equal(undefined)
      expect((await guard(asking()))?.status).to.equal(401)
      held[0] = { ...nameless, authorization_details: [action] }
      expect(errorIn((await guard(asking())) as Response)).to.deep.equal(['invalid_token'])
      held.pop()
      expect((await guard(asking()))?.status).to.equal(401)
    })
  })

  describe('with tokens that are bound to a key (DPoP),', () => {
    let keys: client.CryptoKeyPair
    let config: client.Configuration
    let bound: string
    const opaque = () => ({ resource: OPAQUE, introspection: { clientId: 'console', clientSecret: SECRET } })

    before(async () => {
      keys = await client.randomDPoPKeyPair('ES256')
      config = await client.discovery(new URL(authority.issuer), 'console', SECRET, undefined, {
        execute: [client.allowInsecureRequests],
      })
      bound = await grant(RESOURCE)
    })

    async function grant(resource: string): Promise<string> {
      const verifier = client.randomPKCECodeVerifier()
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: CALLBACK,
        scope: 'openid',
        resource,
        acr_values: TWO,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        authorization_details: JSON.stringify([
          { type: 'protected_action', action: 'device.delete', objects: both },
        ]),
      })
      const checks = { pkceCodeVerifier: verifier }
      const DPoP = client.getDPoPHandle(config, keys)
      const callback = await authority.visit(url)
      const tokens = await client.authorizationCodeGrant(config, callback, checks, { resource }, { DPoP })
      return tokens.access_token
    }

    /** The headers that a client would send for a request. */
    async function headersFor(
      url: string,
      token: string,
      { method = 'GET', pair = keys }: { method?: string; pair?: client.CryptoKeyPair } = {},
    ): Promise<Record<string, string>> {
      const seen = new Headers()
      const recording = new client.Configuration({ issuer: authority.issuer }, 'console')
      recording[client.customFetch] = async (_, options) => {
        for (const [name, value] of Object.entries(options.headers)) seen.set(name, value)
        return new Response()
      }
      const DPoP = client.getDPoPHandle(recording, pair)
      await client.fetchProtectedResource(recording, token, new URL(url), method, null, new Headers(), {
        DPoP,
      })
      return Object.fromEntries(seen)
    }

    for (const kind of ['JWT', 'opaque'] as const) {
      describe(`${kind} ones,`, () => {
        let token: string
        let resource: string
        let api: (options?: Partial<ProtectedApiOptions>) => ProtectedApi
        before(async () => {
          resource = kind === 'JWT' ? RESOURCE : OPAQUE
          token = kind === 'JWT' ? bound : await grant(OPAQUE)
          api = options => apiWith({ ...(kind === 'opaque' && opaque()), ...options })
        })

        it('takes the token with its proof, and the proof once', async () => {
          const guard = requireStepUp({ api: api(), acr: TWO })
          const url = `${resource}/devices?page=2`
          const headers = await headersFor(url, token)
          expect(headers.authorization).to.match(/^DPoP /)
          expect(await guard(new Request(url, { headers }))).to.equal(undefined)
          const again = await guard(new Request(url, { headers }))
          expect(again?.status).to.equal(401)
          expect(again?.headers.get('www-authenticate')).to.match(
            /^DPoP realm=".*", algs="ES256 .*error="invalid_token"/,
          )
          expect(await guard(new Request(url, { headers: await headersFor(url, token) }))).to.equal(undefined)
        })

        it('measures the proof by the public URL, not by the Host that was sent', async () => {
          const guard = requireStepUp({ api: api({ publicUrl: 'https://www.example/api/' }), acr: TWO })
          const inside = 'https://10.0.0.7:3000/devices'
          const right = await headersFor('https://www.example/api/devices', token)
          expect(await guard(new Request(inside, { headers: right }))).to.equal(undefined)
          const wrong = await headersFor(inside, token)
          expect((await guard(new Request(inside, { headers: wrong })))?.status).to.equal(401)
        })

        const url = () => `${resource}/devices`
        const wrong: Record<string, () => Promise<[Record<string, string>, string?]>> = {
          'of another request’s method': async () => [await headersFor(url(), token, { method: 'POST' })],
          'of another path': async () => [await headersFor(`${resource}/other`, token)],
          'of another API': async () => [await headersFor('https://evil.example/devices', token)],
          'of another token': async () => {
            const { dpop = '' } = await headersFor(url(), 'another')
            return [{ authorization: `DPoP ${token}`, dpop }]
          },
          'of another key': async () => [
            await headersFor(url(), token, { pair: await client.randomDPoPKeyPair('ES256') }),
          ],
          'that is missing': async () => [{ authorization: `DPoP ${token}` }],
          'that is none': async () => [{ authorization: `DPoP ${token}`, dpop: 'a.b.c' }],
          'with the token as a bearer’s': async () => {
            const { dpop = '' } = await headersFor(url(), token)
            return [{ authorization: `Bearer ${token}`, dpop }]
          },
          'with the token as a bearer’s and no proof': async () => [{ authorization: `Bearer ${token}` }],
        }
        for (const [name, make] of Object.entries(wrong)) {
          it(`refuses a proof ${name}`, async () => {
            const guard = requireStepUp({ api: api(), acr: TWO })
            const [headers] = await make()
            const response = await guard(new Request(url(), { headers }))
            expect(response?.status).to.equal(401)
            expect(errorIn(response as Response)).to.deep.equal(['invalid_token'])
          })
        }

        it('refuses a proof that is too old, or of tomorrow', async () => {
          for (const minutes of [-6, 6]) {
            const clock = () => Date.now() + minutes * 60_000
            const later = requireStepUp({ api: api({ clock }), acr: TWO })
            const headers = await headersFor(url(), token)
            expect((await later(new Request(url(), { headers })))?.status).to.equal(401)
          }
        })
      })
    }

    it('refuses a token that is bound to none, where the API takes bound ones only', async () => {
      const guard = requireStepUp({ api: apiWith({ requireDPoP: true }), acr: TWO })
      const response = await guard(new Request(RESOURCE, { headers: carrying(await authority.sign()) }))
      expect(response?.status).to.equal(401)
      expect((await guard(new Request(RESOURCE)))?.headers.get('www-authenticate')).to.match(/^DPoP /)
    })
  })

  describe('that asks the provider about opaque tokens,', () => {
    const action = { type: 'protected_action', action: 'device.delete', objects: both } as const
    const introspection = { clientId: 'console', clientSecret: SECRET }
    async function token(resource: string, deed = {}): Promise<string> {
      const config = await client.discovery(new URL(authority.issuer), 'console', SECRET, undefined, {
        execute: [client.allowInsecureRequests],
      })
      const verifier = client.randomPKCECodeVerifier()
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: CALLBACK,
        scope: 'openid',
        resource,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        authorization_details: JSON.stringify([action]),
      })
      const callback = await authority.visit(url, deed)
      const checks = { pkceCodeVerifier: verifier }
      return (await client.authorizationCodeGrant(config, callback, checks, { resource })).access_token
    }
    const ask = (guard: (request: Request) => Promise<Response | undefined>, held: string) =>
      guard(new Request(`${OPAQUE}/devices`, { headers: carrying(held) }))

    it('takes what it says, and the proof once', async () => {
      const api = apiWith({ resource: OPAQUE, introspection })
      const guard = requireStepUp({
        api,
        acr: TWO,
        maxAge: 300,
        action,
        clientId: 'console',
        subject: 'dana',
      })
      const held = await token(OPAQUE)
      expect(held).not.to.include('.')
      expect(await ask(guard, held)).to.equal(undefined)
      expect((await ask(guard, held))?.status).to.equal(401)
      const weak = await ask(guard, await token(OPAQUE, { acr: 'urn:sallyport:acr:1fa' }))
      expect(errorIn(weak as Response)).to.deep.equal([
        'insufficient_user_authentication',
        'insufficient_authorization',
      ])
    })

    it('refuses a token that is none, or for another API', async () => {
      const api = apiWith({ resource: 'https://third.example', introspection })
      const guard = requireStepUp({ api, acr: TWO })
      expect((await ask(guard, 'nothing'))?.status).to.equal(401)
      expect((await ask(guard, await token(OPAQUE)))?.status).to.equal(401)
    })

    it('answers 503 where the provider does not let it ask', async () => {
      const wrong = { clientId: 'console', clientSecret: 'another-secret' }
      const guard = requireStepUp({ api: apiWith({ resource: OPAQUE, introspection: wrong }), acr: TWO })
      expect((await ask(guard, await token(OPAQUE)))?.status).to.equal(503)
    })
  })
})
