import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AxeBuilder } from '@axe-core/playwright'
import { parseStepUpChallenge } from '@sallyport/step-up/client'
import { expect } from 'chai'
import { exportJWK, generateKeyPair } from 'jose'
import Provider, { type InteractionResults } from 'oidc-provider'
import * as openid from 'openid-client'
import type { BrowserContext, Page } from 'playwright-core'
import { createDemo, type Demo, demoApi, demoClient } from '../../examples/demo/app.ts'
import { browser } from '../support/chromium.ts'
import { type TimeTravel, timeTravel } from '../support/time-travel.ts'
import { createVisitor } from '../support/visitor.ts'

// The login, and what the API answers to whom. The upstream is a bare oidc-provider that answers each interaction with what
// the test says, without a page. What users confirm at Sallyport itself is in the journey of the device console.

type Upstream = { result: InteractionResults; name: string; asked: URLSearchParams[]; scopes: string }

const acr2fa = 'urn:sallyport:acr:2fa'

async function listening(server: Server, port = 0): Promise<number> {
  server.listen(port, 'localhost')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
}

async function freePort(): Promise<number> {
  const probe = createServer()
  const port = await listening(probe)
  probe.close()
  await once(probe, 'close')
  return port
}

async function createUpstream(issuer: string, origin: string, upstream: Upstream): Promise<Provider> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const day = 86_400
  const provider = new Provider(issuer, {
    clients: ['demo', 'other'].map(client_id => ({
      client_id,
      client_secret: 'demosecretdemosecret',
      ...demoClient(origin),
    })),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'k', use: 'sig', alg: 'RS256' }] },
    cookies: { keys: ['a key of the test, long enough'] },
    acrValues: [acr2fa],
    claims: { openid: ['sub', 'acr', 'amr', 'auth_time'], email: ['email'], profile: ['name'] },
    ttl: { AccessToken: 60, AuthorizationCode: 60, IdToken: 60, Grant: day, Session: day, Interaction: day },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, sub) => ({
      accountId: sub,
      claims: () => ({ sub, email: 'eve@example.com', name: upstream.name }),
    }),
    extraTokenClaims: (ctx, token) => {
      const { acr, authTime: auth_time } = ctx.oidc.entities.AuthorizationCode ?? {}
      return token.kind === 'AccessToken' ? { acr, auth_time } : undefined
    },
    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: async () => true,
        getResourceServerInfo: (_, resource) => ({
          audience: resource,
          scope: upstream.scopes,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = `<!doctype html><title>Log out?</title>${form}
            <button form="op.logoutForm" name="logout" value="yes">Yes</button>`
        },
      },
    },
    loadExistingGrant: async ctx => {
      const { client, session } = ctx.oidc
      if (client === undefined || session?.accountId === undefined) return undefined
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId })
      grant.addOIDCScope('openid')
      grant.addOIDCClaims(['email', 'name'])
      grant.addResourceScope(demoApi(origin).resource, upstream.scopes)
      await grant.save()
      return grant
    },
  })
  provider.use(async (ctx, next) => {
    if (ctx.path === '/auth') upstream.asked.push(ctx.URL.searchParams)
    if (!ctx.path.startsWith('/interaction/')) return next()
    await provider.interactionDetails(ctx.req, ctx.res)
    ctx.status = 303
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, upstream.result))
  })
  return provider
}

describe('the demo app', function () {
  this.timeout(60_000)

  const upstream: Upstream = { result: {}, name: '', asked: [], scopes: '' }
  let provider: Provider
  let server: Server
  let issuer: string
  let origin: string
  let demo: Demo
  let context: BrowserContext
  let page: Page

  const login = (acr: string | undefined) => ({
    login: {
      accountId: 'eve-1',
      ts: Math.floor(Date.now() / 1000),
      amr: ['pwd', 'otp'],
      ...(acr === undefined ? {} : { acr }),
    },
  })

  before(async () => {
    const [providerPort, port] = [await freePort(), await freePort()]
    issuer = `http://localhost:${providerPort}`
    origin = `http://localhost:${port}`
    provider = await createUpstream(issuer, origin, upstream)
    server = createServer(provider.callback())
    await listening(server, providerPort)
  })

  after(() => stop(server))

  beforeEach(async () => {
    Object.assign(upstream, { result: login(acr2fa), name: 'Eve <script>alert(1)</script>', asked: [] })
    upstream.scopes = 'devices:read devices:write'
    demo = createDemo({ issuer, clientId: 'demo', clientSecret: 'demosecretdemosecret', origin })
    await demo.listen(Number(new URL(origin).port))
    context = await (await browser()).newContext()
    page = await context.newPage()
  })

  afterEach(async () => {
    await context.close()
    await demo.close()
  })

  const heading = () => page.getByRole('heading', { level: 1 }).textContent()
  const claim = (name: string) =>
    page
      .getByRole('row')
      .filter({ has: page.getByRole('rowheader', { name, exact: true }) })
      .getByRole('cell')
      .first()
      .textContent()
  const follow = (name: string) => page.getByRole('link', { name, exact: true }).click()

  it('logs a user in, shows the claims, and logs out here and at the provider', async () => {
    await page.goto(origin)
    await follow('Log in')
    await page.waitForURL(`${origin}/`)
    expect(await heading()).to.equal('Devices')
    await follow('Your login')
    expect(await claim('sub')).to.equal('eve-1')
    expect(await claim('email')).to.equal('eve@example.com')
    expect(await claim('name')).to.equal('Eve <script>alert(1)</script>')
    expect(await claim('acr')).to.equal(acr2fa)
    expect(await claim('amr')).to.equal('pwd, otp')
    const time = await page.locator('time').getAttribute('datetime')
    expect(Math.abs(Date.parse(time ?? '') - Date.now())).to.be.below(30_000)

    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByRole('button', { name: 'Yes' }).click()
    await page.waitForURL(`${origin}/`)
    expect(await heading()).to.equal('Fleetdesk')
    upstream.result = { error: 'access_denied' }
    await follow('Log in')
    expect(await heading(), 'the provider asks again').to.equal('You were not logged in')
  })

  it('asks for a code with PKCE S256, a state and a nonce, new each time', async () => {
    for (const _ of [1, 2]) await page.goto(`${origin}/login`)
    const [one, two] = upstream.asked
    expect(one?.get('response_type')).to.equal('code')
    expect(one?.get('code_challenge_method')).to.equal('S256')
    for (const name of ['code_challenge', 'state', 'nonce']) {
      expect(one?.get(name), name).to.have.lengthOf.at.least(43)
      expect(one?.get(name), name).not.to.equal(two?.get(name))
    }
  })

  it('asks for a fresh second factor and takes a login that has it', async () => {
    await page.goto(`${origin}/login`)
    await follow('Your login')
    await follow('Log in again with a fresh second factor')
    expect(await heading()).to.equal('Your login')
    expect(upstream.asked.at(-1)?.get('acr_values')).to.equal(acr2fa)
    expect(upstream.asked.at(-1)?.get('max_age')).to.equal('60')
  })

  it('refuses a login that comes back weaker than it was asked for', async () => {
    upstream.result = login(undefined)
    await page.goto(`${origin}/login/second-factor`)
    expect(await heading()).to.equal('You were not logged in')
    expect(await page.getByRole('main').textContent()).to.include(acr2fa)
    await page.goto(origin)
    expect(await heading()).to.equal('Fleetdesk')
  })

  it('refuses a login that is older than it was asked for', async () => {
    const { login: result } = login(acr2fa)
    upstream.result = { login: { ...result, ts: result.ts - 600 } }
    await page.goto(`${origin}/login/second-factor`)
    expect(await heading()).to.equal('You were not logged in')
  })

  it('says what the provider answered when there was no login', async () => {
    upstream.result = { error: 'temporarily_unavailable', error_description: 'a <b>reason</b>' }
    await page.goto(`${origin}/login`)
    expect(await page.getByRole('main').textContent()).to.include('temporarily_unavailable: a <b>reason</b>')
  })

  it('takes an authorization response once, and only in the browser that asked for it', async () => {
    let callback = ''
    page.on('request', request => {
      if (request.url().includes('/callback?')) callback = request.url()
    })
    await page.goto(`${origin}/login`)
    expect(callback).to.include('code=')
    await page.goto(callback)
    expect(await heading()).to.equal('You were not logged in')
    const other = await fetch(callback)
    expect(other.status).to.equal(400)
  })

  it('session fixation: gives the session a new id at login', async () => {
    await page.route(`${issuer}/auth?**`, route => route.fulfill({ body: 'wait' }))
    await page.goto(`${origin}/login`)
    const id = async () => (await context.cookies()).find(({ name }) => name === 'demo_session')?.value
    const before = await id()
    expect(before).to.have.lengthOf(43)
    await page.unroute(`${issuer}/auth?**`)
    await page.goto(`${origin}/login`)
    expect(await heading()).to.equal('Devices')
    expect(await id())
      .to.have.lengthOf(43)
      .and.not.equal(before)
    const old = await fetch(origin, { headers: { cookie: `demo_session=${before}` } })
    expect(await old.text()).to.include('<h1>Fleetdesk</h1>')
  })

  it('CSRF: takes no form of another site, whatever it would do', async () => {
    await page.goto(`${origin}/login`)
    const [{ name, value } = { name: '', value: '' }] = await context.cookies(origin)
    for (const path of ['/logout', '/restore', '/delete', '/devices/ACME-LT-017/rename'])
      for (const from of [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: 'https://elsewhere.example' },
        { origin: 'null' },
      ]) {
        const answer = await fetch(origin + path, {
          method: 'POST',
          headers: { cookie: `${name}=${value}`, ...from } as Record<string, string>,
          body: new URLSearchParams({ id: 'ACME-LT-017', name: 'Theirs' }),
          redirect: 'manual',
        })
        expect(answer.status, `${path} ${JSON.stringify(from)}`).to.equal(403)
      }
    await page.goto(origin)
    expect(await page.getByRole('link', { name: 'Reception laptop' }).isVisible()).to.equal(true)
  })

  describe('a task whose login is over', () => {
    let time: TimeTravel

    before(() => {
      time = timeTravel()
    })
    after(() => time.end())

    async function renameLater(): Promise<void> {
      await page.goto(`${origin}/login`)
      await follow('Reception laptop')
      await page.getByLabel('Name').fill('Front desk')
      time.forward(6 * 60_000)
    }

    it('goes on after a login that nobody sees', async () => {
      await renameLater()
      await page.getByRole('button', { name: 'Rename' }).click()
      await page.getByText('ACME-LT-017 is now called Front desk').waitFor()
    })

    it('is dropped where somebody else logs in', async () => {
      await renameLater()
      await context.clearCookies({ name: '_session' })
      upstream.result = { login: { ...login(acr2fa).login, accountId: 'mallory-1' } }
      await page.getByRole('button', { name: 'Rename' }).click()
      await page.waitForURL(`${origin}/`)
      expect(await page.getByRole('link', { name: 'Reception laptop' }).isVisible()).to.equal(true)
      await follow('Your login')
      expect(await claim('sub')).to.equal('mallory-1')
    })
  })

  it('says that the provider cannot be reached, and finds it when it starts later', async () => {
    const port = Number(new URL(issuer).port)
    await stop(server)
    await page.goto(`${origin}/login`)
    expect(await heading()).to.equal('The identity provider cannot be reached')
    expect(await page.getByRole('main').textContent())
      .to.include(issuer)
      .and.include('ECONNREFUSED')
    server = createServer(provider.callback())
    setTimeout(() => server.listen(port, 'localhost'), 500)
    await follow('Try again')
    expect(await heading()).to.equal('Devices')
  })

  it('is accessible and holds its own content security policy', async () => {
    const problems: string[] = []
    page.on('console', message => {
      if (message.type() === 'error') problems.push(message.text())
    })
    for (const path of ['/', '/login', '/callback', '/account', '/devices/ACME-LT-017', '/nowhere']) {
      await page.goto(origin + path)
      const { violations } = await new AxeBuilder({ page }).analyze()
      expect(violations.map(({ id, nodes }) => `${path} ${id}: ${nodes[0]?.html}`)).to.be.empty
    }
    expect(problems.filter(text => !/status of 40[04]/.test(text))).to.be.empty
  })

  it('answers 404 with a page', async () => {
    const answer = await fetch(`${origin}/nothing`)
    expect(answer.status).to.equal(404)
    expect(await answer.text()).to.include('There is no such page')
  })

  it('takes an http issuer on this machine only', () => {
    for (const hostname of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]'])
      createDemo({ issuer: `http://${hostname}:3000`, clientId: 'a', clientSecret: 'b', origin })
    for (const hostname of ['example.com', '127.0.0.1.example.com', '10.0.0.1', 'localhost.example.com'])
      expect(() =>
        createDemo({ issuer: `http://${hostname}`, clientId: 'a', clientSecret: 'b', origin }),
      ).to.throw(TypeError, 'must use https')
  })

  describe('the API', () => {
    const api = (path: string, { headers, ...init }: RequestInit = {}, token?: string) =>
      fetch(`${origin}/api${path}`, {
        ...init,
        headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...(headers as object) },
      })
    const challenge = (answer: Response) => answer.headers.get('www-authenticate') ?? ''

    /** A token as a client gets it by a login. */
    async function token({ client = 'demo', ...asked }: Record<string, string> = {}): Promise<string> {
      const config = await openid.discovery(new URL(issuer), client, 'demosecretdemosecret', undefined, {
        execute: [openid.allowInsecureRequests],
      })
      const { resource } = demoApi(origin)
      const pkceCodeVerifier = openid.randomPKCECodeVerifier()
      const url = openid.buildAuthorizationUrl(config, {
        redirect_uri: `${origin}/callback`,
        scope: `openid ${upstream.scopes}`,
        resource,
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
        ...asked,
      })
      const visitor = createVisitor(issuer)
      const came = await visitor.follow(url.href)
      const tokens = await openid.authorizationCodeGrant(config, new URL(came.url), { pkceCodeVerifier })
      return tokens.access_token
    }

    it('takes no cookie, and says of every address that it wants a token', async () => {
      await page.goto(`${origin}/login`)
      const [{ name, value } = { name: '', value: '' }] = await context.cookies(origin)
      for (const [method, path] of [
        ['GET', '/devices'],
        ['PATCH', '/devices/ACME-LT-017'],
        ['POST', '/devices/ACME-LT-017/scripts'],
        ['DELETE', '/devices?id=ACME-LT-017'],
        ['GET', '/devices/ACME-LT-017/password'],
        ['POST', '/devices/restore'],
      ] as const) {
        const answer = await api(path, { method, headers: { cookie: `${name}=${value}` } })
        expect(answer.status, path).to.equal(401)
        expect(challenge(answer), path).to.equal(`Bearer realm="${origin}/api"`)
      }
    })

    it('takes no token of another client, nor one that lacks its scopes', async () => {
      const theirs = await api('/devices', {}, await token({ client: 'other' }))
      expect(challenge(theirs)).to.include('error="invalid_token"')
      const less = await api('/devices', {}, await token({ scope: 'openid devices:read' }))
      expect(less.status).to.equal(403)
      expect(challenge(less)).to.include('error="insufficient_scope"')
    })

    it('gives no password away in a list, and shows one to a passkey only', async () => {
      const held = await token()
      const { devices } = (await (await api('/devices', {}, held)).json()) as { devices: object[] }
      expect(devices).to.have.length(6)
      for (const each of devices) expect(each).to.have.keys('id', 'name', 'site', 'system', 'online')
      const answer = await api('/devices/ACME-SRV-01/password', {}, held)
      expect(answer.status).to.equal(401)
      expect(parseStepUpChallenge(answer)).to.deep.include({
        acrValues: ['phr'],
        authorizationDetails: [
          {
            type: 'protected_action',
            action: 'password.view',
            objects: ['ACME-SRV-01'],
            fields: { device: 'File server' },
          },
        ],
      })
    })

    it('deletes nothing by a login’s token, and names exactly what is to be confirmed', async () => {
      const held = await token()
      const answer = await api(
        '/devices?id=ACME-LT-023&id=ACME-LT-017&id=ACME-LT-023',
        { method: 'DELETE' },
        held,
      )
      expect(parseStepUpChallenge(answer)?.authorizationDetails).to.deep.equal([
        {
          type: 'protected_action',
          action: 'device.delete',
          objects: ['ACME-LT-023', 'ACME-LT-017'],
          fields: { site: 'Acme' },
        },
      ])
      for (const [query, status] of [
        ['', 422],
        ['?id=ACME-LT-017&id=BDC-MAC-03', 422],
        ['?id=ACME-LT-999', 404],
      ] as const)
        expect((await api(`/devices${query}`, { method: 'DELETE' }, held)).status, query).to.equal(status)
    })

    it('runs a script by two factors that are not older than five minutes', async () => {
      const run = async (held: string, script = 'clear-temp') =>
        api('/devices/ACME-SRV-01/scripts', { method: 'POST', body: JSON.stringify({ script }) }, held)
      expect((await run(await token())).status).to.equal(200)
      expect((await run(await token(), 'toString')).status).to.equal(422)
      const { login: fresh } = login(acr2fa)
      upstream.result = { login: { ...fresh, ts: fresh.ts - 301 } }
      const old = parseStepUpChallenge(await run(await token()))
      expect(old).to.deep.include({ acrValues: [acr2fa], maxAge: 300 })
      upstream.result = login('urn:sallyport:acr:1fa')
      expect((await run(await token())).status).to.equal(401)
    })

    it('renames to what is a name', async () => {
      const held = await token()
      const rename = (body: string) => api('/devices/ACME-LT-017', { method: 'PATCH', body }, held)
      expect((await rename('{"name":" Front desk "}')).status).to.equal(200)
      for (const body of ['', 'null', '[]', '{"name":5}', '{"name":" "}', `{"name":"${'x'.repeat(61)}"}`])
        expect((await rename(body)).status, body).to.equal(422)
      expect((await rename('x'.repeat(70_000))).status).to.equal(413)
      const text = await (await api('/devices', {}, held)).text()
      expect(text).to.include('"Front desk"')
    })

    it('answers 503 where the provider’s keys cannot be had', async () => {
      const held = await token()
      await stop(server)
      expect((await api('/devices', {}, held)).status).to.equal(503)
      const port = Number(new URL(issuer).port)
      server = createServer(provider.callback())
      await listening(server, port)
      expect((await api('/devices', {}, held)).status).to.equal(200)
    })
  })
})
