// The plugin in somebody else's deployment: the merge rules one by one, and a whole login mounted in the example, at
// the root and below a path.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { exportJWK, generateKeyPair } from 'jose'
import Provider, { type Configuration } from 'oidc-provider'
import * as client from 'openid-client'
import { type Host, startHost } from '../examples/plugin/host.ts'
import { AppError, type SecondFactorOptions, secondFactor } from '../src/index.ts'
import { code } from './support/one-time-codes.ts'
import { freePort, PASSWORD } from './support/stage.ts'
import { createVisitor, textOf, uidOf } from './support/visitor.ts'

const SECRET: readonly [string] = ['a secret key of the plugin, long enough']
const DANA = { id: 'dana', email: 'dana@host.example', name: 'Dana' }
const accounts = {
  findByEmail: async (email: string) => (email === DANA.email ? DANA : undefined),
  verifyPassword: async (user: { id: string } | undefined, password: string) =>
    user?.id === DANA.id && password === PASSWORD,
  claims: async (id: string) => ({ sub: id, email: DANA.email }),
}

describe('the plugin in an existing deployment', function () {
  this.timeout(60_000)

  for (const mountPath of ['', '/oidc']) {
    describe(mountPath === '' ? 'at the root' : `below ${mountPath}`, () => {
      let host: Host
      let folder: string
      let issuer: string
      let config: client.Configuration

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
              client_id: 'floor',
              client_secret: 'a secret that the host gave to this app',
              redirect_uris: ['http://localhost:9/callback'],
              // A level that nobody can reach, so that the floor shows at the first request.
              minimum_acr: 'urn:example:out-of-reach',
            },
          ],
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
        const secret = textOf(setUp.body, 'key').replaceAll(' ', '')
        await visitor.post(`${base}/set-up`, { code: code(secret, Date.now()) })
        await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
        const end = await visitor.follow(base)
        const callback = await consented(visitor, end.url)
        const tokens = await client.authorizationCodeGrant(config, new URL(callback), {
          pkceCodeVerifier: verifier,
        })
        expect(tokens.claims()).to.include({ sub: 'dana', acr: 'urn:sallyport:acr:2fa' })
        expect(tokens.claims()?.amr).to.deep.equal(['pwd', 'otp', 'mfa'])
        const userinfo = await client.fetchUserInfo(config, tokens.access_token, 'dana')
        expect(userinfo.email).to.equal(DANA.email)
      })

      async function consented(visitor: ReturnType<typeof createVisitor>, url: string): Promise<string> {
        if (url.startsWith('http://localhost:9/')) return url
        const answer = await visitor.post(`${new URL(url).pathname}/consent`, { answer: 'allow' })
        return (await visitor.follow(answer.location ?? '')).url
      }

      it('holds a client of the host to its minimum_acr, which no request lowers', async () => {
        const visitor = createVisitor(new URL(issuer).origin)
        const { url } = await begin({ acr_values: 'urn:sallyport:acr:1fa' })
        const { location = '' } = await visitor.get(url.replace('client_id=app', 'client_id=floor'))
        expect(new URL(location).searchParams.get('error')).to.equal('unmet_authentication_requirements')
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
      expect(extraClientMetadata?.properties).to.have.members(['tenant', 'minimum_acr'])
      const check = (value: unknown) =>
        extraClientMetadata?.validator?.({} as never, 'minimum_acr', value as never, {} as never)
      check('phr')
      expect(asked).to.deep.equal(['minimum_acr'])
      expect(() => check(5)).to.throw()
    })

    const conflicts: [string, Configuration][] = [
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

    it('refuses secret keys that are too short', () => {
      expect(() => merged({}, { secretKeys: ['short'] }))
        .to.throw(AppError)
        .with.property('code', 'plugin_conflict')
    })
  })
})
