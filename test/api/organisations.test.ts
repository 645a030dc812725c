// The JSON API over HTTP, as the vendor's back office meets it. Every answer is compared with the document that the
// server publishes.

import { expect } from 'chai'
import * as client from 'openid-client'
import { createClient, updateClient } from '../../src/clients.ts'
import { OWN_API_SCOPE } from '../../src/store/oidc/own-api.ts'
import { readOrganisation } from '../../src/store/organisations/organisations.ts'
import { rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { relyingParty } from '../support/visitor.ts'
import { type ApiClient, configurationOf, kindOf, machine, openApi, tokenOf } from './api-client.ts'

interface Organisation {
  readonly id: string
  readonly name: string
  readonly plan: string
  readonly subscribed_at: string | null
  readonly enforced_from: string | null
}

onEveryStage('the API for organisations', open => {
  let stage: Stage
  let api: ApiClient
  let token: string

  before(async () => {
    stage = await open()
    api = await openApi(stage, () => token)
    token = await tokenFor(await office('back-office'))
  })

  const call: ApiClient['call'] = (...request) => api.call(...request)
  const office = (id: string) => machine(stage, id, OWN_API_SCOPE.organisations)
  const tokenFor = (configuration: client.Configuration, scope: string = OWN_API_SCOPE.organisations) =>
    tokenOf(stage, configuration, scope)

  const create = async (more: object = {}): Promise<Organisation> => {
    const { status, body } = await call('POST', '/organisations', {
      body: { name: 'Acme', plan: 'Trial', ...more },
    })
    expect(status).to.equal(201)
    return body as unknown as Organisation
  }

  it('publishes a document that is one of OpenAPI 3.1, with strict schemas', () => {
    expect(api.document).to.include({ openapi: '3.1.0' })
    for (const [name, schema] of Object.entries(api.document.components.schemas)) {
      expect(schema, name).to.include({ type: 'object', additionalProperties: false })
    }
    expect(JSON.stringify(api.document)).not.to.include('#/$defs')
    expect(api.ajv.validate('api#/components/schemas/Organisation', { id: 'org_1' })).to.equal(false)
  })

  it('creates an organisation, and says where it is and when 2FA is enforced', async () => {
    const body = { name: 'Northgate', plan: 'Enterprise', subscribed_at: '2026-11-24T10:00:00+01:00' }
    const answer = await call('POST', '/organisations', { body })
    expect(answer.status).to.equal(201)
    expect(answer.body).to.include({
      name: 'Northgate',
      plan: 'Enterprise',
      subscribed_at: '2026-11-24T09:00:00.000Z',
      enforced_from: '2026-11-25T09:00:00.000Z',
    })
    const id = String(answer.body.id)
    expect(answer.headers.get('location')).to.equal(`${stage.origin}/api/v1/organisations/${id}`)
    expect((await call('GET', `/organisations/${id}`)).body).to.deep.equal(answer.body)
    const audit = await rows(stage, 'SELECT event, actor_id FROM audit_events WHERE organisation_id = ?', [
      id,
    ])
    expect(audit).to.deep.equal([{ event: 'organisation.created', actor_id: 'client back-office' }])
  })

  it('changes the plan, and sets the start of the subscription once', async () => {
    const { id } = await create()
    expect((await call('PATCH', `/organisations/${id}`, { body: { plan: 'Superpower' } })).body).to.include({
      plan: 'Superpower',
      subscribed_at: null,
      enforced_from: null,
    })
    const start = (subscribed_at: string) =>
      call('PUT', `/organisations/${id}/subscription`, { body: { subscribed_at } })
    for (const same of ['2026-11-24T09:00:00Z', '2026-11-24T10:00:00+01:00']) {
      const { status, body } = await start(same)
      expect({ status, ...body }).to.include({ status: 200, subscribed_at: '2026-11-24T09:00:00.000Z' })
    }
    const moved = await start('2027-11-24T09:00:00Z')
    expect([moved.status, kindOf(moved)]).to.deep.equal([409, 'already_subscribed'])
    expect(moved.body.detail).to.include('2026-11-24T09:00:00.000Z')
    const kept = await readOrganisation(stage.directory.database, id)
    expect(kept?.subscribedAt).to.equal(Date.UTC(2026, 10, 24, 9))
  })

  it('lists all organisations, each once, page by page', async () => {
    for (let more = 0; more < 3; more++) await create()
    const found: string[] = []
    let after = ''
    do {
      const { body } = await call('GET', `/organisations?limit=2${after}`)
      found.push(...(body.organisations as Organisation[]).map(each => each.id))
      after = body.next === null ? '' : `&after=${String(body.next)}`
    } while (after !== '')
    const all = await rows(stage, 'SELECT id FROM organisations ORDER BY id')
    expect(found).to.deep.equal(all.map(each => each.id))
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'page=2', 'limit=1&limit=2', 'after=%00']) {
      expect((await call('GET', `/organisations?${query}`)).status, query).to.equal(422)
    }
  })

  describe('asked twice under one key', () => {
    const body = { name: 'Once', plan: 'Trial' }
    const made = async () => (await rows(stage, "SELECT id FROM organisations WHERE name = 'Once'")).length

    it('does it once, in twenty requests at once, and answers all alike', async () => {
      const before = await made()
      const headers = { 'idempotency-key': 'order-17' }
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => call('POST', '/organisations', { body, headers })),
      )
      expect(new Set(answers.map(each => each.status))).to.deep.equal(new Set([201]))
      expect(new Set(answers.map(each => each.body.id)).size).to.equal(1)
      expect(await made()).to.equal(before + 1)
    })

    it('refuses another request under it, and knows none of another client’s keys', async () => {
      const headers = { 'idempotency-key': 'order-18' }
      const { body: first } = await call('POST', '/organisations', { body, headers })
      const other = await call('POST', '/organisations', { body: { ...body, plan: 'Pro' }, headers })
      expect([other.status, kindOf(other)]).to.deep.equal([422, 'idempotency_key_reused'])
      const by = await tokenFor(await office('other-office'))
      const theirs = await call('POST', '/organisations', { body, headers, by })
      expect(theirs.status).to.equal(201)
      expect(theirs.body.id).not.to.equal(first.id)
      stage.advance(24 * 60 * 60 * 1000 + 1)
      // Tokens live for five minutes.
      const again = await call('POST', '/organisations', { body, headers })
      expect(again.body.id).not.to.equal(first.id)
      expect(
        (await call('POST', '/organisations', { body, headers: { 'idempotency-key': 'a b' } })).status,
      ).to.equal(400)
    })
  })

  it('refuses what it does not know, by where it is', async () => {
    const { id } = await create()
    const wrong: [string, string, unknown, string][] = [
      ['POST', '/organisations', { name: 'A', plan: 'P', admin: true }, ''],
      ['POST', '/organisations', { plan: 'P' }, '/name'],
      ['POST', '/organisations', { name: ' ', plan: 'P' }, '/name'],
      ['POST', '/organisations', { name: 'A\r\nB', plan: 'P' }, '/name'],
      ['POST', '/organisations', { name: 'A', plan: ['P'] }, '/plan'],
      ['POST', '/organisations', { name: 'A', plan: 'P', subscribed_at: '2026-11-24' }, '/subscribed_at'],
      ['POST', '/organisations', { name: 'A', plan: 'P', subscribed_at: 1 }, '/subscribed_at'],
      ['POST', '/organisations', { name: 'x'.repeat(201), plan: 'P' }, '/name'],
      ['POST', '/organisations', [], ''],
      ['POST', '/organisations', 'null', ''],
      ['PATCH', `/organisations/${id}`, { plan: 'P', subscribed_at: '2030-01-01T00:00:00Z' }, ''],
      ['PATCH', `/organisations/${id}`, {}, '/plan'],
      ['PUT', `/organisations/${id}/subscription`, { subscribed_at: null }, '/subscribed_at'],
      [
        'PUT',
        `/organisations/${id}/subscription`,
        { subscribed_at: '1969-01-01T00:00:00Z' },
        '/subscribed_at',
      ],
      [
        'PUT',
        `/organisations/${id}/subscription`,
        { subscribed_at: '2026-02-30T00:00:00Z' },
        '/subscribed_at',
      ],
      // A day later is a year that ISO 8601 has no four digits for.
      [
        'PUT',
        `/organisations/${id}/subscription`,
        { subscribed_at: '9999-12-31T00:00:00Z' },
        '/subscribed_at',
      ],
    ]
    for (const [method, path, body, pointer] of wrong) {
      const answer = await call(method, path, { body })
      const label = `${method} ${JSON.stringify(body).slice(0, 80)}`
      expect([answer.status, kindOf(answer)], label).to.deep.equal([422, 'invalid_input'])
      expect((answer.body.errors as { pointer: string }[])[0]?.pointer, label).to.equal(pointer)
    }
    expect(await readOrganisation(stage.directory.database, id)).to.include({
      plan: 'Trial',
      subscribedAt: null,
    })
  })

  it('refuses bodies that are none', async () => {
    const post = (body: string, type = 'application/json') =>
      call('POST', '/organisations', { body, headers: { 'content-type': type } })
    expect((await post('{"name":')).status).to.equal(400)
    expect((await post('name=A&plan=P', 'application/x-www-form-urlencoded')).status).to.equal(415)
    expect((await post(JSON.stringify({ name: 'x'.repeat(20_000), plan: 'P' }))).status).to.equal(413)
    expect((await post('{"__proto__":{"plan":"P"},"name":"A"}')).status).to.equal(422)
  })

  it('knows no other organisations, paths and methods', async () => {
    for (const path of [
      '/organisations/org_none',
      '/organisations/%00',
      `/organisations/${'x'.repeat(500)}`,
    ]) {
      expect((await call('GET', path)).status, path).to.equal(404)
    }
    expect((await call('PATCH', '/organisations/org_none', { body: { plan: 'P' } })).status).to.equal(404)
    const start = { subscribed_at: '2026-11-24T09:00:00Z' }
    expect((await call('PUT', '/organisations/org_none/subscription', { body: start })).status).to.equal(404)
    expect((await call('GET', '/users')).status).to.equal(404)
    const gone = await call('DELETE', '/organisations/org_none')
    expect([gone.status, gone.headers.get('allow')]).to.deep.equal([405, 'GET, HEAD, PATCH'])
  })

  describe('lets nobody in', () => {
    async function refused(by: string | null, headers: Record<string, string> = {}): Promise<string> {
      const answer = await call('GET', '/organisations', { by, headers })
      expect(answer.body).not.to.have.property('organisations')
      return `${answer.status} ${answer.headers.get('www-authenticate')}`
    }

    it('without a token, or with one that is none (RFC 6750 section 3)', async () => {
      expect(await refused(null)).to.equal('401 Bearer realm="sallyport"')
      expect(await refused(null, { authorization: 'Basic YTpi' })).to.equal('401 Bearer realm="sallyport"')
      const invalid = '401 Bearer realm="sallyport", error="invalid_token"'
      for (const value of ['x', 'a.b.c', token.slice(0, -1), `${token}x`])
        expect(await refused(value)).to.equal(invalid)
      const inAddress = await fetch(`${stage.origin}/api/v1/organisations?access_token=${token}`)
      expect(inAddress.status).to.equal(401)
    })

    it('with a token for something else, of this client or of an app', async () => {
      const plain = await client.clientCredentialsGrant(
        await configurationOf(
          stage,
          'plain',
          await secretOf('plain', { grantTypes: ['client_credentials'] }),
        ),
      )
      expect(await refused(plain.access_token)).to.include('401')
      const own = await office('narrow')
      expect(await refused(await tokenFor(own, ''))).to.match(
        /^403 .*insufficient_scope.*scope="sallyport:organisations"/,
      )
    })

    it('to whom the operator did not give the scope, whatever they ask for', async () => {
      const error = (work: Promise<unknown>) => work.catch((each: { error?: string }) => each.error)
      const both = ['authorization_code', 'client_credentials']
      const party = await relyingParty(stage, { metadata: { grant_types: both } })
      expect(await error(tokenFor(party.config))).to.equal('invalid_target')
      const begun = await party.begin({
        scope: `openid ${OWN_API_SCOPE.organisations}`,
        resource: `${stage.origin}/api`,
      })
      const { headers } = await fetch(begun.url, { redirect: 'manual' })
      expect(headers.get('location')).to.include('error=invalid_target')
      const registered = createClient(stage.directory, {
        name: 'App',
        redirectUris: ['https://app.example/cb'],
        scope: `openid ${OWN_API_SCOPE.organisations}`,
      })
      expect(String(await registered.catch(each => each))).to.include('scope has sallyport:organisations')
    })

    it('by a token that was revoked, or whose client lost the scope', async () => {
      const own = await office('revoked')
      const by = await tokenFor(own)
      expect((await call('GET', '/organisations', { by })).status).to.equal(200)
      await client.tokenRevocation(own, by)
      expect(await refused(by)).to.include('invalid_token')

      const later = await tokenFor(own)
      await updateClient(stage.directory, 'revoked', { metadata: { scope: null } })
      stage.advance(10_001)
      expect(await refused(later)).to.match(/^403 .*insufficient_scope/)
    })

    async function secretOf(id: string, more: { grantTypes: string[] }): Promise<string> {
      const { metadata } = await createClient(stage.directory, { id, name: id, ...more })
      stage.advance(10_001)
      return String(metadata.client_secret)
    }
  })

  it('is held to its document in every operation, in what goes well and in what does not', () => {
    const announced = api.announced()
    const mine = Object.entries(api.document.paths)
      .flatMap(([path, operations]) =>
        Object.entries(operations).map(([method, { security }]) => ({ path, method, security })),
      )
      .filter(each => JSON.stringify(each.security ?? '').includes(OWN_API_SCOPE.organisations))
      .map(({ method, path }) => `${method.toUpperCase()} ${path} `)
    const good = announced.filter(each => / 20\d$/.test(each) && mine.some(own => each.startsWith(own)))
    expect(good.length).to.equal(5)
    expect([...api.answered]).to.include.members(good)
    expect([...api.answered].filter(each => !announced.includes(each))).to.deep.equal([])
  })
})
