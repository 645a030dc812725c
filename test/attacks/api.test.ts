// The JSON API as somebody calls it who should not: from the table of its routes, so that a new route is covered by
// itself. An admin who is none any more is out at once, whatever their token said.

import { createHash } from 'node:crypto'
import { expect } from 'chai'
import type { Middleware } from 'koa'
import type Router from 'koa-router'
import * as client from 'openid-client'
import { createApi } from '../../src/apis.ts'
import { createClient, updateClient } from '../../src/clients.ts'
import { deactivateUser, setRole } from '../../src/organisations/users.ts'
import { ADMIN_SCOPES, OWN_API_SCOPES } from '../../src/store/oidc/own-api.ts'
import type { Member } from '../admin/member.ts'
import { type AdminApp, openAdminApp } from '../api/admins.ts'
import {
  type Answer,
  type ApiClient,
  configurationOf,
  kindOf,
  machine,
  openApi,
  tokenOf,
} from '../api/api-client.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { timeTravel } from '../support/time-travel.ts'
import { relyingParty, uidOf } from '../support/visitor.ts'
import { errorOf, rows } from './ground.ts'

interface Route {
  readonly method: string
  /** As the document has it: `/organisations/{id}`. */
  readonly path: string
}

onEveryStage('attacks on the API', open => {
  let stage: Stage
  let api: ApiClient
  let app: AdminApp
  let office: client.Configuration
  let program: string
  let priya: Member
  let mallory: Member
  let ben: Member
  /** A reset that Priya's organisation had. */
  let reset: string
  const ALL = OWN_API_SCOPES.join(' ')

  before(async () => {
    stage = await open()
    api = await openApi(stage, () => program)
    office = await machine(stage, 'back-office', ALL)
    program = await tokenOf(stage, office, ALL)
    app = await openAdminApp(stage)
    mallory = await app.member({ name: 'Mallory', role: 'admin' })
    priya = await app.member({ name: 'Priya Raman', role: 'admin' })
    ben = await app.member({ name: 'Ben Okafor', organisationId: priya.person.organisationId })
    const path = `/organisations/${priya.person.organisationId}/second-factor-resets`
    const body = { users: ['usr_nobody'], reason: 'Secret reason' }
    reset = String((await api.call('POST', path, { body })).body.id)
  })

  function routes(): Route[] {
    const { middleware } = stage.running.provider as unknown as {
      middleware: (Middleware & { router?: Router })[]
    }
    return middleware
      .flatMap(each => each.router?.stack ?? [])
      .filter(each => String(each.path).startsWith('/api/v1/') && each.path !== '/api/v1/openapi.json')
      .flatMap(each =>
        each.methods
          .filter(method => method !== 'HEAD')
          .map(method => ({
            method,
            path: String(each.path)
              .slice(7)
              .replaceAll(/:(\w+)/g, '{$1}'),
          })),
      )
  }
  const securityOf = ({ method, path }: Route): Record<string, string[]>[] =>
    api.document.paths[path]?.[method.toLowerCase()]?.security ?? []
  const scopesOf = (route: Route) => securityOf(route).flatMap(each => Object.values(each).flat())
  const forAdmins = (route: Route) => securityOf(route).some(each => each.admin !== undefined)

  /** Calls a route, of Priya's organisation unless it is said otherwise. A body is none that any route takes. */
  const send = (
    { method, path }: Route,
    by: string | null,
    { id = priya.person.organisationId, reset: one = reset }: { id?: string; reset?: string } = {},
  ): Promise<Answer> =>
    api.call(method, path.replace('{id}', id).replace('{reset}', one), {
      by,
      ...(method === 'GET' ? {} : { body: { nothing: true } }),
    })

  async function refusedEverywhere(
    by: string | null,
    status: number,
    kind: string,
    which: (route: Route) => boolean = () => true,
  ): Promise<Answer[]> {
    const answers: Answer[] = []
    for (const route of routes().filter(which)) {
      const answer = await send(route, by)
      expect([answer.status, kindOf(answer)], `${route.method} ${route.path}`).to.deep.equal([status, kind])
      answers.push(answer)
    }
    expect(answers.length).to.be.greaterThan(0)
    return answers
  }

  it('has a route for each operation of its document, and none that it does not tell of', () => {
    const told = Object.entries(api.document.paths).flatMap(([path, operations]) =>
      Object.keys(operations)
        .filter(each => each !== 'parameters')
        .map(method => `${method.toUpperCase()} ${path}`),
    )
    expect(told).to.have.members(routes().map(({ method, path }) => `${method} ${path}`))
    for (const route of routes()) expect(scopesOf(route), `${route.method} ${route.path}`).not.to.be.empty
  })

  describe('lets nobody in', () => {
    it('without a token, or with one that is none', async () => {
      await refusedEverywhere(null, 401, 'invalid_token')
      await refusedEverywhere('x', 401, 'invalid_token')
    })

    it('with a user’s token for another API, or for userinfo', async () => {
      const { resource } = (
        await createApi(stage.directory, {
          resource: 'https://other.example/',
          scopes: ['read'],
          opaque: true,
        })
      ).api
      stage.advance(10_001)
      const other = await app.tokenOf(priya, { resource, scope: `openid read ${ADMIN_SCOPES.join(' ')}` })
      await refusedEverywhere(other, 401, 'invalid_token')
      const begun = await app.party.begin({ scope: `openid ${ADMIN_SCOPES.join(' ')}` })
      const { url } = await priya.by.follow(begun.url)
      const { access_token: userinfo } = await app.party.finish(begun, url)
      expect((await client.fetchUserInfo(app.party.config, userinfo, priya.person.id)).sub).to.equal(
        priya.person.id,
      )
      await refusedEverywhere(userinfo, 401, 'invalid_token')
    })

    it('with an ID token or a code', async () => {
      const begun = await app.party.begin({
        scope: `openid ${ADMIN_SCOPES.join(' ')}`,
        resource: `${stage.origin}/api`,
      })
      const { url } = await priya.by.follow(begun.url)
      const code = new URL(url).searchParams.get('code') ?? ''
      await refusedEverywhere(code, 401, 'invalid_token')
      const tokens = await app.party.finish(begun, url)
      await refusedEverywhere(tokens.id_token ?? '', 401, 'invalid_token')
    })

    it('with a token that is bound to a key, as if it were not (RFC 9449)', async () => {
      const DPoP = client.getDPoPHandle(app.party.config, await client.randomDPoPKeyPair('ES256'))
      const begun = await app.party.begin({
        scope: `openid ${ADMIN_SCOPES.join(' ')}`,
        resource: `${stage.origin}/api`,
      })
      const { url } = await priya.by.follow(begun.url)
      const checks = {
        pkceCodeVerifier: begun.verifier,
        expectedState: begun.state,
        expectedNonce: begun.nonce,
      }
      const { access_token: bound } = await client.authorizationCodeGrant(
        app.party.config,
        new URL(url),
        checks,
        {},
        { DPoP },
      )
      await refusedEverywhere(bound, 401, 'invalid_token')
    })

    it('with a token that has expired', async () => {
      const by = await app.tokenOf(priya)
      const time = timeTravel()
      try {
        time.forward(301_000)
        await refusedEverywhere(by, 401, 'invalid_token')
      } finally {
        time.end()
      }
    })

    it('with every scope but the one that is needed', async () => {
      for (const route of routes()) {
        const needed = scopesOf(route)
        const others = OWN_API_SCOPES.filter(each => !needed.includes(each)).join(' ')
        const by = await tokenOf(stage, office, others)
        const answer = await send(route, by)
        const label = `${route.method} ${route.path}`
        expect([answer.status, kindOf(answer)], label).to.deep.equal([403, 'insufficient_scope'])
        expect(answer.headers.get('www-authenticate'), label).to.match(
          /^Bearer realm="sallyport", error="insufficient_scope", scope="sallyport:[a-z-]+"$/,
        )
      }
    })

    it('with a user’s token where only programs may go, also if the app asked for more', async () => {
      const by = await app.tokenOf(priya)
      await refusedEverywhere(by, 403, 'insufficient_scope', route => !forAdmins(route))
      const greedy = await openAdminApp(stage, OWN_API_SCOPES)
      const more = await greedy.tokenOf(priya)
      await refusedEverywhere(more, 403, 'insufficient_scope', route => !forAdmins(route))
    })
  })

  describe('gives no app what the operator did not', () => {
    const error = (work: Promise<unknown>) => work.catch((each: { error?: string }) => each.error)

    it('whose registration has no scope of it, first-party or not, whatever it asks for', async () => {
      for (const firstParty of [true, false]) {
        for (const metadata of [{}, { scope: 'openid offline_access' }]) {
          const party = await relyingParty(stage, { firstParty, metadata })
          const scope = `openid ${ADMIN_SCOPES.join(' ')}`
          const begun = await party.begin({ scope, resource: `${stage.origin}/api` })
          const answer = await priya.by.get(begun.url)
          expect(errorOf(answer.location)).to.be.oneOf(['invalid_target', 'invalid_scope'])
        }
      }
    })

    it('only the scopes that it is registered with', async () => {
      const narrow = await openAdminApp(stage, ['sallyport:users'])
      const by = await narrow.tokenOf(priya)
      const others = (route: Route) => forAdmins(route) && !scopesOf(route).includes('sallyport:users')
      await refusedEverywhere(by, 403, 'insufficient_scope', others)
      const begun = await narrow.party.begin({
        scope: 'openid sallyport:audit',
        resource: `${stage.origin}/api`,
      })
      expect(errorOf((await priya.by.get(begun.url)).location)).to.equal('invalid_scope')
    })

    it('without asking the user, if it is somebody else’s', async () => {
      const third = await relyingParty(stage, {
        firstParty: false,
        metadata: { scope: `openid ${ADMIN_SCOPES.join(' ')}` },
      })
      const begun = await third.begin({
        scope: `openid ${ADMIN_SCOPES.join(' ')}`,
        resource: `${stage.origin}/api`,
      })
      const page = await priya.by.follow(begun.url)
      expect(page.heading).to.match(/^Allow /)
      expect(page.body)
        .to.include('see your organisation’s users')
        .and.to.include('reset the two-factor authentication of your organisation’s users')
        .and.to.include('read your organisation’s audit log')
    })

    it('a client that logs users in and acts by itself: neither by registration nor behind its back', async () => {
      const registered = createClient(stage.directory, {
        name: 'Both',
        grantTypes: ['authorization_code', 'client_credentials'],
        redirectUris: ['https://app.example/cb'],
        scope: 'openid sallyport:users',
      })
      expect(String(await registered.catch(each => each))).to.include('scope has sallyport:users')
      const both = await relyingParty(stage, {
        metadata: { grant_types: ['authorization_code', 'client_credentials'], scope: `openid ${ALL}` },
      })
      expect(await error(tokenOf(stage, both.config, 'sallyport:users'))).to.equal('invalid_target')
    })

    it('any longer, once the operator has taken a scope away', async () => {
      const by = await app.tokenOf(priya)
      const users = routes().find(each => each.path === '/organisations/{id}/users') as Route
      expect((await send(users, by)).status).to.equal(200)
      const without = ['openid', 'sallyport:audit'].join(' ')
      const clients = await rows(stage, 'SELECT metadata FROM clients WHERE id = ?', [app.party.clientId])
      await updateClient(stage.directory, app.party.clientId, { metadata: { scope: without } })
      stage.advance(10_001)
      try {
        expect((await send(users, by)).status).to.equal(403)
      } finally {
        const { scope } = JSON.parse(String(clients[0]?.metadata)) as { scope: string }
        await updateClient(stage.directory, app.party.clientId, { metadata: { scope } })
        stage.advance(10_001)
      }
    })
  })

  describe('takes no user for an admin', () => {
    it('who is a technician: to them, nothing is there', async () => {
      await app.prove(ben)
      const by = await app.tokenOf(ben)
      const answers = await refusedEverywhere(by, 404, 'not_found', forAdmins)
      const nowhere = await send({ method: 'GET', path: '/organisations/{id}/users' }, program, {
        id: 'org_none',
      })
      for (const { body } of answers) expect(body).to.deep.equal(nowhere.body)
    })

    it('by one factor alone, and says what is wanted (RFC 9470)', async () => {
      const by = await app.tokenOf(priya, { acr_values: 'urn:sallyport:acr:1fa' })
      const answers = await refusedEverywhere(by, 401, 'insufficient_user_authentication', forAdmins)
      for (const { headers } of answers) {
        expect(headers.get('www-authenticate')).to.match(
          /^Bearer realm="sallyport", error="insufficient_user_authentication", acr_values="urn:sallyport:acr:2fa"(, max_age=300)?$/,
        )
      }
      // What is wanted can be asked for in the words of the challenge, or by another name of it.
      const alias = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor'
      for (const acr_values of ['urn:sallyport:acr:2fa', alias]) {
        const strong = await app.tokenOf(priya, { acr_values })
        const users = await send({ method: 'GET', path: '/organisations/{id}/users' }, strong)
        expect(users.status).to.equal(200)
      }
    })

    it('A4: by a second factor that is older than five minutes, where something changes', async () => {
      await app.prove(mallory)
      const by = await app.tokenOf(mallory)
      const id = mallory.person.organisationId
      const changing = routes().filter(each => forAdmins(each) && each.method !== 'GET')
      expect(changing).not.to.be.empty
      for (const route of changing) expect((await send(route, by, { id })).status).to.equal(422)
      stage.advance(301_000)
      for (const route of changing) {
        const answer = await send(route, by, { id })
        expect([answer.status, kindOf(answer)]).to.deep.equal([401, 'insufficient_user_authentication'])
      }
    })

    it('A4: by a refreshed token, which is as old as its second factor', async () => {
      await app.prove(mallory)
      const id = mallory.person.organisationId
      const begun = await app.party.begin({
        scope: `openid offline_access ${ADMIN_SCOPES.join(' ')}`,
        resource: `${stage.origin}/api`,
        prompt: 'consent',
      })
      const page = await mallory.by.follow(begun.url)
      const allowed = await mallory.by.post(`/interaction/${uidOf(page.url)}/consent`, { answer: 'allow' })
      const { url } = await mallory.by.follow(allowed.location ?? '')
      const tokens = await app.party.finish(begun, url)
      const renew = async () =>
        (await client.refreshTokenGrant(app.party.config, tokens.refresh_token ?? '')).access_token
      stage.advance(301_000)
      const by = await renew()
      const order = { method: 'POST', path: '/organisations/{id}/second-factor-resets' }
      const answer = await send(order, by, { id })
      expect([answer.status, kindOf(answer)]).to.deep.equal([401, 'insufficient_user_authentication'])
      expect((await send({ method: 'GET', path: '/organisations/{id}/users' }, by, { id })).status).to.equal(
        200,
      )
      await refusedEverywhere(tokens.refresh_token ?? '', 401, 'invalid_token')
    })

    const ends: [string, string, (rosa: Member) => Promise<unknown>, number][] = [
      [
        'who was made a technician since',
        'not_found',
        ({ person }) =>
          setRole(
            stage.directory,
            { organisationId: person.organisationId, userId: person.id },
            'technician',
          ),
        404,
      ],
      [
        'who was deactivated since',
        'invalid_token',
        ({ person }) =>
          deactivateUser(stage.directory, { organisationId: person.organisationId, userId: person.id }),
        401,
      ],
      [
        'who logged out since',
        'invalid_token',
        async ({ by }) => {
          const page = await by.get('/session/end')
          const form = /name="xsrf" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
          await by.post('/session/end/confirm', { xsrf: form, logout: 'yes' })
        },
        401,
      ],
    ]
    for (const [who, kind, end, status] of ends) {
      it(`${who}, by the token of before`, async () => {
        const rosa = await app.member({
          name: 'Rosa',
          role: 'admin',
          organisationId: priya.person.organisationId,
        })
        const by = await app.tokenOf(rosa)
        const users = { method: 'GET', path: '/organisations/{id}/users' }
        expect((await send(users, by)).status).to.equal(200)
        await end(rosa)
        await refusedEverywhere(by, status, kind, forAdmins)
      })
    }
  })

  describe('knows nothing of another organisation', () => {
    const odd = [
      'org_none',
      'rst_made_up',
      "'%20OR%201=1--",
      '%00',
      '%ed%a0%80',
      '..%2f..%2forganisations',
      '*',
      'x'.repeat(5000),
    ]

    it('in any parameter of any route that its admin names', async () => {
      await app.prove(mallory)
      const by = await app.tokenOf(mallory)
      const own = mallory.person.organisationId
      for (const route of routes().filter(forAdmins)) {
        const label = `${route.method} ${route.path}`
        for (const id of [priya.person.organisationId, priya.person.organisationId.toUpperCase(), ...odd]) {
          const answer = await send(route, by, { id })
          expect(answer.status, `${label} ${id}`).to.be.oneOf([400, 404])
          expect(JSON.stringify(answer.body)).not.to.match(/Ben Okafor|Secret reason|usr_/)
        }
        if (!route.path.includes('{reset}')) continue
        for (const one of [reset, priya.person.id, ...odd]) {
          const answer = await send(route, by, { id: own, reset: one })
          expect(answer.status, `${label} ${one}`).to.be.oneOf([400, 404])
          expect(JSON.stringify(answer.body)).not.to.match(/Ben Okafor|Secret reason|usr_/)
        }
      }
    })

    it('in what an address or a body names', async () => {
      await app.prove(mallory)
      const by = await app.tokenOf(mallory)
      const own = `/organisations/${mallory.person.organisationId}`
      for (const query of ['users?q=okafor', `audit-events?person=${ben.person.id}`]) {
        const { body } = await api.call('GET', `${own}/${query}`, { by })
        expect(JSON.stringify(body)).not.to.match(/Ben Okafor|Secret reason/)
      }
      const body = { users: [ben.person.id, priya.person.id], reason: 'x' }
      const { body: ordered } = await api.call('POST', `${own}/second-factor-resets`, { body, by })
      const path = `${own}/second-factor-resets/${String(ordered.id)}/users`
      const { body: results } = await api.call('GET', path, { by })
      for (const each of results.users as Record<string, unknown>[]) {
        expect(each).to.include({ name: null, email: null, outcome: 'skipped', why: 'not_found' })
      }
      const untouched = await rows(stage, 'SELECT second_factor FROM accounts WHERE id IN (?, ?)', body.users)
      expect(untouched).to.deep.equal([{ second_factor: 1 }, { second_factor: 1 }])
    })

    it('of which a program names the wrong one for what it wants', async () => {
      const id = mallory.person.organisationId
      for (const route of routes().filter(each => each.path.includes('{reset}'))) {
        expect((await send(route, program, { id })).status).to.equal(404)
        expect((await send(route, program)).status).to.equal(200)
      }
      for (const route of routes().filter(each => each.path.includes('{id}'))) {
        for (const one of odd) {
          // Of a request that names nothing, either may be said first.
          expect((await send(route, program, { id: one })).status).to.be.oneOf([400, 404, 422])
        }
      }
    })
  })

  it('keeps no token, and no key, in the clear', async () => {
    const by = await app.tokenOf(priya)
    const stored = await rows(stage, "SELECT id, payload FROM oidc_artefacts WHERE model = 'AccessToken'")
    const digest = createHash('sha256').update(by).digest('base64url')
    expect(stored.map(each => each.id)).to.include(digest)
    expect(JSON.stringify(stored)).not.to.include(by)
    expect(stage.log.join('\n')).not.to.include(by)
  })

  it('is used by a program that was registered with its own secret only', async () => {
    const forged = await configurationOf(stage, 'back-office', 'x'.repeat(48))
    const refused = await tokenOf(stage, forged, ALL).catch((each: { error?: string }) => each.error)
    expect(refused).to.equal('invalid_client')
  })
})
