// The plugin in somebody else's deployment: the merge rules one by one, and a whole login mounted in the example, at
// the root and below a path.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { decodeJwt, exportJWK, generateKeyPair } from 'jose'
import Provider, { type Configuration } from 'oidc-provider'
import * as client from 'openid-client'
import { type Host, startHost } from '../examples/plugin/host.ts'
import { AppError, type ProtectedAction, type SecondFactorOptions, secondFactor } from '../src/index.ts'
import { openDatabase, sql, write } from '../src/store/database.ts'
import { code } from './support/one-time-codes.ts'
import { freePort, PASSWORD } from './support/stage.ts'
import { createVisitor, textOf, uidOf } from './support/visitor.ts'

const SECRET: readonly [string] = ['a secret key of the plugin, long enough']
const API = 'https://api.host.example/'
const ACTIONS: readonly ProtectedAction[] = [
  { id: 'device.delete', title: 'delete {count} devices', fields: [], rule: 'always' },
]
const DANA = { id: 'dana', email: 'dana@host.example', name: 'Dana' }
const accounts = {
  findByEmail: async (email: string) => (email === DANA.email ? DANA : undefined),
  verifyPassword: async (user: { id: string } | undefined, password: string) =>
    user?.id === DANA.id && password === PASSWORD,
  claims: async (id: string) => ({ sub: id, email: DANA.email }),
}

const forget = sql('test_forget_used_codes', 'UPDATE authenticators SET last_step = 0')

const promote = sql('test_promote_dana', "UPDATE accounts SET role = 'admin' WHERE id = 'dana'")

/** As if the authenticator had been set up some time ago: its code of now was used for that. */
async function forgetUsedCodes(path: string): Promise<void> {
  const database = await openDatabase(`sqlite:${path}`)
  await database.commit([write(forget, [])]).finally(() => database.close())
}

describe('the plugin in an existing deployment', function () {
  this.timeout(60_000)

  for (const mountPath of ['', '/oidc']) {
    describe(mountPath === '' ? 'at the root' : `below ${mountPath}`, () => {
      let host: Host
      let folder: string
      let issuer: string
      let config: client.Configuration
      let cookiesOfDana: ReturnType<typeof createVisitor>['cookies']
      let authenticator = ''

      before(async () => {
        folder = mkdtempSync(join(tmpdir(), 'sallyport-plugin-'))
        const port = await freePort()
        issuer = `http://localhost:${port}${mountPath}`
        const { privateKey } = await generateKeyPair('RS256', { extractable: true })
        host = await startHost({
          issuer,
          port,
          mountPath,
          databaseUrl: `sqlite:${join(folder, 'plugin.sqlite')}`,
          secretKeys: SECRET,
          accounts,
          clients: [
            {
              client_id: 'app',
              client_secret: 'a secret that the host gave to its app',
              redirect_uris: ['http://localhost:9/callback'],
            },
            {
              client_id: 'console',
              client_secret: 'a secret that the host gave to its console',
              redirect_uris: ['http://localhost:9/callback'],
              authorization_details_types: ['protected_action', 'payment'],
              // A level that nobody can reach, so that the rule shows at the first request.
              scope_rules: { 'devices:delete': { acr_values: 'urn:example:out-of-reach' } },
            },
            {
              client_id: 'floor',
              client_secret: 'a secret that the host gave to this app',
              redirect_uris: ['http://localhost:9/callback'],
              // A level that nobody can reach, so that the floor shows at the first request.
              minimum_acr: 'urn:example:out-of-reach',
            },
          ],
          features: {
            resourceIndicators: {
              enabled: true,
              getResourceServerInfo: async () => ({
                scope: 'devices:delete',
                audience: API,
                accessTokenFormat: 'jwt',
                accessTokenTTL: 3600,
              }),
            },
            richAuthorizationRequests: {
              enabled: true,
              types: { payment: { validate: async () => undefined } },
              authorizationDetailsForGrantSource: async ctx => [
                { type: 'payment', asked: String(ctx.oidc.params?.authorization_details) },
              ],
              authorizationDetailsForAccessToken: async (_, __, source) => source?.rar as never,
              authorizationDetailsForIntrospection: async () => undefined,
            },
          } as NonNullable<Configuration['features']>,
          protectedActions: { console: ACTIONS },
          jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'host', use: 'sig', alg: 'RS256' }] },
        })
        config = await client.discovery(
          new URL(issuer),
          'app',
          'a secret that the host gave to its app',
          undefined,
          {
            execute: [client.allowInsecureRequests],
          },
        )
      })
      after(async () => {
        await host?.close()
        rmSync(folder, { recursive: true, force: true })
      })

      async function begin(params: Record<string, string> = {}) {
        const verifier = client.randomPKCECodeVerifier()
        const url = client.buildAuthorizationUrl(config, {
          redirect_uri: 'http://localhost:9/callback',
          scope: 'openid email',
          code_challenge: await client.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
          ...params,
        })
        return { url: url.href, verifier }
      }

      it('logs the host’s user in, with a second factor set up on the way, and says so in the tokens', async () => {
        const visitor = createVisitor(new URL(issuer).origin)
        const { url, verifier } = await begin()
        const email = await visitor.follow(url)
        expect(email.heading).to.equal('Log in')
        expect(email.body).to.include(`href="${mountPath}/assets/`)
        const base = `${mountPath}/interaction/${uidOf(email.url)}`
        await visitor.post(`${base}/identify`, { email: DANA.email })
        const wrong = await visitor.post(`${base}/password`, { password: 'not the password' })
        expect(wrong.status).to.equal(400)
        expect((await visitor.post(`${base}/password`, { password: PASSWORD })).status).to.equal(303)
        const setUp = await visitor.follow(base)
        expect(setUp.heading).to.match(/^Set up/)
        expect(setUp.body, 'two-factor authentication is due at once').not.to.include('Not now')
        authenticator = textOf(setUp.body, 'key').replaceAll(' ', '')
        cookiesOfDana = visitor.cookies
        await visitor.post(`${base}/set-up`, { code: code(authenticator, Date.now()) })
        await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
        const end = await visitor.follow(base)
        expect(end.url, 'first-party: nobody is asked').to.match(/^http:\/\/localhost:9\/callback\?code=/)
        const tokens = await client.authorizationCodeGrant(config, new URL(end.url), {
          pkceCodeVerifier: verifier,
        })
        expect(tokens.claims()).to.include({ sub: 'dana', acr: 'urn:sallyport:acr:2fa' })
        expect(tokens.claims()?.amr).to.deep.equal(['pwd', 'otp', 'mfa'])
        const userinfo = await client.fetchUserInfo(config, tokens.access_token, 'dana')
        expect(userinfo.email).to.equal(DANA.email)
      })

      it('holds a client of the host to its minimum_acr, which no request lowers', async () => {
        const visitor = createVisitor(new URL(issuer).origin)
        const { url } = await begin({ acr_values: 'urn:sallyport:acr:1fa' })
        const { location = '' } = await visitor.get(url.replace('client_id=app', 'client_id=floor'))
        expect(new URL(location).searchParams.get('error')).to.equal('unmet_authentication_requirements')
      })

      it('shows the host’s user their account, without consent, and logs them out', async () => {
        const visitor = createVisitor(new URL(issuer).origin)
        const asked = await visitor.get(`${mountPath}/account`)
        expect(new URL(asked.location ?? '').pathname).to.equal(`${mountPath}/auth`)
        const email = await visitor.follow(asked.location ?? '')
        expect(email.heading).to.equal('Log in')
        expect(email.body).to.include('<b>your account</b>')
        // As if the login had been in another tab: the session of the user above.
        for (const [name, cookie] of cookiesOfDana) {
          if (name.startsWith('_session')) visitor.cookies.set(name, cookie)
        }
        const shown = await visitor.follow(asked.location ?? '')
        expect(shown).to.include({ heading: DANA.name, url: `${issuer}/account` })
        expect(shown.headers.get('content-security-policy')).to.include("default-src 'none'")
        expect(shown.body).to.include(DANA.email).and.not.to.include('Organisation')
        // The host knows the passwords.
        expect(shown.body).to.include(`${mountPath}/account/`)
        for (const theirs of ['password', 'email', 'name']) {
          expect(shown.body, theirs).not.to.include(`/account/${theirs}`)
          expect((await visitor.get(`${mountPath}/account/${theirs}`)).status, theirs).to.equal(404)
        }
        const form = { name: 'Eve Adams' }
        expect((await visitor.post(`${mountPath}/account/name`, form)).status).to.equal(404)

        const link = /href="([^"]*session\/end[^"]*)"/.exec(shown.body)?.[1]?.replaceAll('&amp;', '&') ?? ''
        const question = await visitor.get(link)
        const xsrf = /name="xsrf" value="([^"]+)"/.exec(question.body)?.[1] ?? ''
        const out = await visitor.post(`${mountPath}/session/end/confirm`, { xsrf, logout: 'yes' })
        const over = await visitor.follow(out.location ?? '')
        expect(over).to.include({ heading: 'You are logged out', url: `${issuer}/session/over` })
        expect(over.body).to.include(`href="${mountPath}/account"`)
        expect((await visitor.get(`${mountPath}/account`)).status).to.equal(303)
      })

      it('asks what the host’s client has its scopes ask', async () => {
        const errorOf = async (scope: string) => {
          const { url } = await begin({ scope, resource: API, prompt: 'none' })
          const visitor = createVisitor(new URL(issuer).origin)
          const { location = '' } = await visitor.get(url.replace('client_id=app', 'client_id=console'))
          return new URL(location).searchParams.get('error')
        }
        expect(await errorOf('openid')).to.equal('login_required')
        expect(await errorOf('openid devices:delete')).to.equal('unmet_authentication_requirements')
      })

      it('confirms an action of the host’s client, beside the details that the host has', async () => {
        const secret = 'a secret that the host gave to its console'
        const own = await client.discovery(new URL(issuer), 'console', secret, undefined, {
          execute: [client.allowInsecureRequests],
        })
        const visitor = createVisitor(new URL(issuer).origin)
        const redeem = async (verifier: string, callback: string, params: Record<string, string> = {}) => {
          const checks = { pkceCodeVerifier: verifier }
          const tokens = await client.authorizationCodeGrant(own, new URL(callback), checks, params)
          return decodeJwt(tokens.access_token)
        }
        const ask = async (detail: object) => {
          const { url, verifier } = await begin({
            authorization_details: JSON.stringify([detail]),
            resource: API,
            prompt: 'login',
          })
          const page = await visitor.follow(url.replace('client_id=app', 'client_id=console'))
          const base = `${mountPath}/interaction/${uidOf(page.url)}`
          await visitor.post(`${base}/identify`, { email: DANA.email })
          await visitor.post(`${base}/password`, { password: PASSWORD })
          return { verifier, base }
        }
        const action = { type: 'protected_action', action: 'device.delete', objects: ['a', 'b'] }
        const { verifier, base } = await ask(action)
        await forgetUsedCodes(join(folder, 'plugin.sqlite'))
        await visitor.post(`${base}/otp`, { code: code(authenticator, Date.now()) })
        const page = await visitor.follow(base)
        expect(page.heading).to.equal('Confirm: delete 2 devices')
        const at = `${mountPath}/interaction/${uidOf(page.url)}`
        await visitor.post(`${at}/confirm`, {})
        const claims = await redeem(verifier, (await visitor.follow(at)).url)
        const [detail] = claims.authorization_details as Record<string, unknown>[]
        expect(detail).to.deep.include(action)
        expect(detail?.confirmation_id).to.be.a('string')
        expect(claims).to.include({ aud: API, sub: 'dana', acr: 'urn:sallyport:acr:2fa' })
        expect(Number(claims.exp) - Number(claims.iat), 'shorter than the host’s').to.be.at.most(300)

        const { url, verifier: other } = await begin({
          authorization_details: JSON.stringify([{ type: 'payment' }]),
          resource: API,
        })
        const asked = await visitor.follow(url.replace('client_id=app', 'client_id=console'))
        expect(asked.heading, 'what the host’s own details ask').to.match(/^Allow .* to use your account\?$/)
        const consent = `${mountPath}/interaction/${uidOf(asked.url)}`
        const allowed = await visitor.post(`${consent}/consent`, { answer: 'allow' })
        const end = await visitor.follow(allowed.location ?? '')
        // The host has the resource named at the token endpoint too, as it did before.
        const paid = await redeem(other, end.url, { resource: API })
        expect((paid.authorization_details as { type: string }[])[0]?.type).to.equal('payment')
        expect(Number(paid.exp) - Number(paid.iat)).to.be.greaterThan(300)
      })

      it('shows an admin the actions of the host’s client, and takes a stricter rule and an access list', async () => {
        const database = await openDatabase(`sqlite:${join(folder, 'plugin.sqlite')}`)
        await database.commit([write(promote, [])]).finally(() => database.close())
        const visitor = createVisitor(new URL(issuer).origin)
        const page = await visitor.follow(`${mountPath}/account`)
        const base = `${mountPath}/interaction/${uidOf(page.url)}`
        await visitor.post(`${base}/identify`, { email: DANA.email })
        await visitor.post(`${base}/password`, { password: PASSWORD })
        await forgetUsedCodes(join(folder, 'plugin.sqlite'))
        await visitor.post(`${base}/otp`, { code: code(authenticator, Date.now()) })
        expect((await visitor.follow(base)).heading).to.equal(DANA.name)
        const list = await visitor.get(`${mountPath}/admin/actions`)
        expect(list.body).to.include('delete [number] devices').and.to.include('Every time')
        const path = /href="([^"]*\/admin\/actions\/[\w-]+)"/.exec(list.body)?.[1] ?? ''
        const saved = await visitor.post(path, { seen: 'always', rule: 'passkey' })
        expect((await visitor.get(saved.location ?? '')).body).to.include('Stricter')
        const shut = await visitor.post(`${mountPath}/admin/access`, {
          addresses: '203.0.113.9',
          seen:
            /name="seen" value="([^"]*)"/.exec((await visitor.get(`${mountPath}/admin/access`)).body)?.[1] ??
            '',
        })
        expect([shut.status, shut.body.includes('This list would shut you out')]).to.deep.equal([400, true])
      })

      it('leaves out “Forgot password?”, since the passwords are the host’s', async () => {
        const visitor = createVisitor(new URL(issuer).origin)
        const email = await visitor.follow((await begin()).url)
        const base = `${mountPath}/interaction/${uidOf(email.url)}`
        await visitor.post(`${base}/identify`, { email: DANA.email })
        expect((await visitor.follow(base)).body).not.to.include('Forgot password?')
        expect((await visitor.get(`${mountPath}/forgot-password`)).status).to.equal(404)
      })
    })
  }

  describe('merges', () => {
    let folder: string
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'sallyport-merge-'))
    })
    after(() => rmSync(folder, { recursive: true, force: true }))

    const plugged = (host: Configuration, options: Partial<SecondFactorOptions> = {}) =>
      secondFactor(host, {
        issuer: 'https://login.example',
        databaseUrl: `sqlite:${join(folder, 'merge.sqlite')}`,
        secretKeys: SECRET,
        accounts,
        ...options,
      })
    const merged = (host: Configuration, options: Partial<SecondFactorOptions> = {}): Configuration =>
      plugged(host, options).configuration

    /** With its database, which mounting opens. */
    async function mounted(host: Configuration, work: (configuration: Configuration) => Promise<void>) {
      const { configuration, mount } = plugged(host)
      const plugin = mount(new Provider('https://login.example', { ...configuration, adapter: undefined }))
      await plugin.ready
      await work(configuration).finally(() => plugin.close())
    }

    it('adapter: what a login mints is ours, the host’s clients stay where they are', async () => {
      const asked: string[] = []
      const host: Configuration = {
        adapter: (model: string) => {
          asked.push(model)
          return { find: async () => ({ client_id: 'theirs' }) } as never
        },
      }
      await mounted(host, async ({ adapter }) => {
        const of = adapter as (model: string) => { find(id: string): Promise<unknown> }
        expect(await of('Client').find('theirs')).to.deep.equal({ client_id: 'theirs' })
        expect(await of('Session').find('nobody')).to.equal(undefined)
      })
      expect(asked).to.deep.equal(['Client'])
    })

    it('findAccount: the host’s, but only for whom our row is active', async () => {
      let calls = 0
      const host: Configuration = {
        findAccount: async (_, id) => {
          calls++
          return { accountId: id, claims: async () => ({ sub: id }) }
        },
      }
      await mounted(host, async ({ findAccount }) => {
        expect(await findAccount?.({} as never, 'nobody', undefined as never)).to.equal(undefined)
      })
      expect(calls).to.equal(0)
    })

    it('interactions: our prompts first, the host’s own pages for the others', async () => {
      const { interactions } = merged({ interactions: { url: () => '/theirs' } })
      expect(interactions?.policy?.map(each => each.name)).to.deep.equal(['login', 'step_up', 'consent'])
      const url = (name: string) => interactions?.url?.({} as never, { uid: 'u', prompt: { name } } as never)
      expect(await url('login')).to.equal('/interaction/u')
      expect(await url('step_up')).to.equal('/interaction/u')
      expect(await url('consent')).to.equal('/theirs')
    })

    it('interactions: consent is ours where the host has no pages', async () => {
      const { interactions } = merged({})
      const answer = await interactions?.url?.(
        {} as never,
        { uid: 'u', prompt: { name: 'consent' } } as never,
      )
      expect(answer).to.equal('/interaction/u')
    })

    it('cookies.keys: the host’s are kept; without any, ours', () => {
      expect(merged({ cookies: { keys: ['theirs'] } }).cookies?.keys).to.deep.equal(['theirs'])
      expect(merged({}).cookies?.keys).to.respondTo('sign')
    })

    it('claims.openid: both', () => {
      expect(merged({ claims: { openid: ['sub', 'tenant'] } }).claims?.openid).to.have.members([
        'sub',
        'tenant',
        'acr',
        'amr',
        'auth_time',
      ])
    })

    it('acrValues: both', () => {
      expect([...(merged({ acrValues: ['gold'] }).acrValues ?? [])]).to.include.members([
        'gold',
        'urn:sallyport:acr:2fa',
        'phr',
      ])
    })

    it('extraTokenClaims: both, but acr, amr and auth_time are ours', async () => {
      const { extraTokenClaims } = merged({ extraTokenClaims: async () => ({ tenant: 'x', acr: 'made up' }) })
      const ctx = { oidc: { entities: { AuthorizationCode: { acr: 'phr', amr: ['swk'], authTime: 5 } } } }
      expect(await extraTokenClaims?.(ctx as never, { kind: 'AccessToken' } as never)).to.deep.equal({
        tenant: 'x',
        acr: 'phr',
        amr: ['swk'],
        auth_time: 5,
      })
    })

    it('extraClientMetadata: both, and both validators are asked', () => {
      const asked: string[] = []
      const { extraClientMetadata } = merged({
        extraClientMetadata: { properties: ['tenant'], validator: (_, key) => void asked.push(key) },
      })
      expect(extraClientMetadata?.properties).to.have.members(['tenant', 'minimum_acr', 'scope_rules'])
      const check = (name: string, value: unknown) =>
        extraClientMetadata?.validator?.({} as never, name, value as never, {} as never)
      check('minimum_acr', 'phr')
      check('scope_rules', { 'devices:delete': { max_age: 300 } })
      expect(asked).to.deep.equal(['minimum_acr', 'scope_rules'])
      expect(() => check('minimum_acr', 5)).to.throw()
      expect(() => check('scope_rules', { 'devices:delete': {} })).to.throw()
    })

    it('responseTypes: the host’s, and none', () => {
      expect(merged({ responseTypes: ['code'] }).responseTypes).to.deep.equal(['code', 'none'])
      expect(merged({})).not.to.have.property('responseTypes')
    })

    it('loadExistingGrant: the host’s, but for the client of our own pages', async () => {
      const asked: string[] = []
      const { loadExistingGrant } = merged({
        loadExistingGrant: async ({ oidc }) => void asked.push(String(oidc.client?.clientId)),
      })
      const load = (clientId: string) =>
        loadExistingGrant?.({ oidc: { client: { clientId }, params: {} } } as never)
      await load('theirs')
      await load('sallyport-pages')
      expect(asked).to.deep.equal(['theirs'])
    })

    it('adapter: the client of our own pages comes first, whatever the host has; nothing else of it changes', async () => {
      class Theirs {
        readonly #stored = new Map<string, object>([['sallyport-pages', { client_id: 'sallyport-pages' }]])
        async find(id: string) {
          return this.#stored.get(id)
        }
        async upsert(id: string, payload: object) {
          this.#stored.set(id, payload)
        }
      }
      const { adapter } = merged({ adapter: Theirs as never })
      const clients = (adapter as unknown as (model: string) => Theirs)('Client')
      await clients.upsert('app', { client_id: 'app' })
      expect(await clients.find('app')).to.deep.equal({ client_id: 'app' })
      expect(await clients.find('sallyport-pages')).to.deep.include({
        redirect_uris: ['https://login.example/session/return'],
        response_types: ['none'],
        grant_types: [],
      })
    })

    for (const [name, host] of [
      ['keys for ES256 alone', { jwks: 'EC' }],
      ['clients that all have a secret', { clientAuthMethods: ['client_secret_post'] }],
      ['pairwise subjects alone', { subjectTypes: ['pairwise'], pairwiseIdentifier: async () => 'x' }],
      ['logout on request switched off', { features: { rpInitiatedLogout: { enabled: false } } }],
    ] as const) {
      it(`registers the client of our own pages where a host has ${name}`, async () => {
        const { privateKey } = await generateKeyPair('jwks' in host ? 'ES256' : 'RS256', {
          extractable: true,
        })
        const jwks = { keys: [{ ...(await exportJWK(privateKey)), kid: 'k', use: 'sig' }] }
        const plugin = plugged({ ...host, jwks } as unknown as Configuration)
        const provider = new Provider('https://login.example', plugin.configuration)
        const { ready, close } = plugin.mount(provider)
        await ready
        const client = await provider.Client.find('sallyport-pages').finally(close)
        expect(client?.responseTypes).to.deep.equal(['none'])
        expect(client?.grantTypes).to.deep.equal([])
      })
    }

    const conflicts: [string, Configuration][] = [
      ['a client under the id of our own', { clients: [{ client_id: 'sallyport-pages' }] }],
      [
        'pushed requests for every client',
        { features: { pushedAuthorizationRequests: { requirePushedAuthorizationRequests: true } } },
      ],
      ['clients that can only prove themselves by a key', { clientAuthMethods: ['private_key_jwt'] }],
      ['development pages', { features: { devInteractions: { enabled: true } } }],
      ['the device flow', { features: { deviceFlow: { enabled: true } } }],
    ]
    for (const [name, host] of conflicts) {
      it(`refuses ${name} at the start`, () => {
        expect(() => merged(host))
          .to.throw(AppError)
          .with.property('code', 'plugin_conflict')
      })
    }

    /** Asks a host's provider with the plugin mounted. */
    async function asked(
      options: Parameters<typeof plugged>[1],
      look: (answer: (path: string) => Promise<Response>) => Promise<void>,
    ): Promise<void> {
      const plugin = plugged({}, options)
      const provider = new Provider('https://login.example', plugin.configuration)
      const { ready, close } = plugin.mount(provider)
      await ready
      const server = createServer(provider.callback())
      await new Promise<void>(resolve => server.listen(0, 'localhost', resolve))
      try {
        const { port } = server.address() as AddressInfo
        await look(path => fetch(`http://localhost:${port}${path}`, { redirect: 'manual' }))
      } finally {
        server.close()
        await close()
      }
    }

    it('leaves the account page out where the host says so', () =>
      asked({ account: false }, async answer => {
        expect((await answer('/account')).status).to.equal(404)
        expect(await (await answer('/session/over')).text()).not.to.include('Go to your account')
      }))

    it('leaves the console out where the host says so, and keeps the account page', () =>
      asked({ admin: false }, async answer => {
        const status = async (path: string) => (await answer(path)).status
        for (const path of ['/admin', '/admin/users', '/admin/sso'])
          expect(await status(path), path).to.equal(404)
        expect(await status('/account')).not.to.equal(404)
      }))

    const resources: Configuration['features'] = {
      resourceIndicators: { enabled: true, getResourceServerInfo: async () => ({ scope: '' }) },
    }

    it('features: as they were, without protected actions', () => {
      const { features, ttl } = merged({ features: resources, ttl: { AccessToken: 3600 } })
      expect(features).to.deep.equal({ ...resources, devInteractions: { enabled: false } })
      expect(ttl).to.deep.equal({ AccessToken: 3600 })
    })

    it('ttl.AccessToken: the host’s, but a proof lives for five minutes at most', () => {
      const { ttl } = merged({ features: resources, ttl: { AccessToken: 3600 } }, { protectedActions: {} })
      const lifetime = ttl?.AccessToken as (ctx: unknown, token: object) => number
      expect(lifetime({}, {})).to.equal(3600)
      expect(lifetime({}, { rar: [{ type: 'payment' }] })).to.equal(3600)
      expect(lifetime({}, { rar: [{ type: 'protected_action' }] })).to.equal(300)
    })

    const noRoom: [string, Configuration, SecondFactorOptions['protectedActions']][] = [
      ['no resource servers', {}, { app: ACTIONS }],
      [
        'details of the same type',
        {
          features: Object.assign({}, resources, {
            richAuthorizationRequests: {
              enabled: true,
              types: { protected_action: { validate: () => undefined } },
            },
          }),
        },
        { app: ACTIONS },
      ],
      [
        'an action that cannot be',
        { features: resources },
        { app: [{ id: 'A', title: '', fields: [], rule: 'off' }] },
      ],
    ]
    for (const [name, host, protectedActions] of noRoom) {
      it(`refuses protected actions beside ${name} at the start`, () => {
        expect(() => merged(host, protectedActions === undefined ? {} : { protectedActions }))
          .to.throw(AppError)
          .with.property('code', 'plugin_conflict')
      })
    }

    it('refuses a file of places that is not there, by name', () => {
      expect(() => merged({}, { placesFile: '/nowhere/places.mmdb' }))
        .to.throw(AppError, 'placesFile cannot be read from /nowhere/places.mmdb: there is no such file')
        .with.property('code', 'plugin_conflict')
    })

    it('refuses secret keys that are too short', () => {
      expect(() => merged({}, { secretKeys: ['short'] }))
        .to.throw(AppError)
        .with.property('code', 'plugin_conflict')
    })
  })
})
