// Confirming actions over HTTP, against the running provider: the table of rules, ages, requests, prompts and sessions,
// and what comes of it in tokens.

import { expect } from 'chai'
import { decodeJwt } from 'jose'
import * as client from 'openid-client'
import { actionHash } from '../../src/actions/binding.ts'
import { tightenRule } from '../../src/actions/organisation-rules.ts'
import { setActions } from '../../src/actions/registration.ts'
import { createApi } from '../../src/apis.ts'
import { ACR } from '../../src/flow/assurance.ts'
import {
  audited,
  challengeOf,
  codeOf,
  givePasskey,
  halfLogin,
  MAILED_CODE,
  mailed,
  rows,
  type Victim,
  victim,
} from '../attacks/ground.ts'
import type { Authenticator } from '../support/authenticator.ts'
import {
  ACTIONS,
  type ActionId,
  asking,
  type Came,
  type Console,
  cameTo,
  openConsole,
  REQUESTS,
} from '../support/console.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { code } from '../support/one-time-codes.ts'
import { PASSWORD, type Stage } from '../support/stage.ts'
import {
  type Begun,
  createVisitor,
  logIn,
  relyingParty,
  textOf,
  uidOf,
  type Visitor,
} from '../support/visitor.ts'

const MINUTE = 60_000
const DELETE = REQUESTS['device.delete']
const RULES = {
  off: 'device.rename',
  within: 'script.run',
  always: 'device.delete',
  passkey: 'secret.view',
} as const
type RuleName = keyof typeof RULES

onEveryStage('confirming an action', open => {
  let stage: Stage
  let app: Console

  before(async () => {
    stage = await open()
    app = await openConsole(stage)
  })

  /** Asks, and goes where that leads. */
  async function ask(visitor: Visitor, what: object, params: Record<string, string> = {}, on = app) {
    const begun = await on.party.begin({ ...asking(what), ...params })
    const page = await visitor.follow(begun.url)
    return { begun, page, came: cameTo(page), base: page.url.replace(/\?.*/, '') }
  }

  /** Somebody with an authenticator, and a browser that is logged in by it. */
  async function loggedIn(options: Parameters<typeof victim>[2] = {}): Promise<Victim> {
    const one = await victim(stage, app.party, options)
    const visitor = createVisitor(stage.origin)
    await logIn(stage, visitor, (await app.party.begin()).url, one.person, one)
    stage.advance(30_000)
    return { ...one, visitor }
  }

  async function byPasskey(visitor: Visitor, base: string, key: Authenticator): Promise<void> {
    const page = await visitor.follow(base)
    const answer = await visitor.post(`${base}/passkey`, {
      response: JSON.stringify(key.assert(challengeOf(page))),
    })
    expect(answer.status, answer.body).to.equal(303)
  }

  async function confirmByCode(one: Victim, { base }: { base: string }): Promise<string> {
    stage.advance(30_000)
    const answer = await one.visitor.post(`${base}/otp`, { code: codeOf(stage, one) })
    expect(answer.status, answer.body).to.equal(303)
    return (await one.visitor.follow(base)).url
  }

  const tokenOf = async (begun: Begun, url: string, on = app) =>
    on.verify((await on.party.finish(begun, url)).access_token)

  describe('asks for what its rule demands', () => {
    const people: Record<string, Victim & { key?: Authenticator }> = {}

    before(async () => {
      people.otp = await loggedIn()
      const keyed = await victim(stage, app.party)
      const key = await givePasskey(stage, keyed.person)
      people.passkey = { ...keyed, key, visitor: createVisitor(stage.origin) }
      await loginByPasskey(people.passkey)
      const recovered = await victim(stage, app.party)
      people.recovery = { ...recovered, visitor: createVisitor(stage.origin) }
      await loginByRecovery(people.recovery)
      const person = await stage.person({ graceUntil: 'tomorrow' })
      const { visitor, base } = await halfLogin(stage, app.party, person)
      await visitor.post(`${base}/set-up`, { later: 'yes' })
      await visitor.follow(base)
      people.grace = { person, visitor, secret: '', recoveryCode: '' }
    })

    async function loginByPasskey(
      one: Victim & { key?: Authenticator },
      params: Record<string, string> = {},
    ) {
      const begun = await app.party.begin(params)
      const page = await one.visitor.follow(begun.url)
      const base = `/interaction/${uidOf(page.url)}`
      if (one.key === undefined) throw new Error('no passkey')
      await byPasskey(one.visitor, base, one.key)
      return one.visitor.follow(base)
    }

    async function loginByRecovery(one: Victim, params: Record<string, string> = {}) {
      const { base, visitor } = await halfLogin(stage, app.party, one.person, params)
      await visitor.post(`${base}/recovery`, { code: one.recoveryCode })
      await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
      await visitor.post(`${base}/set-up-again`, { answer: 'no' })
      const end = await visitor.follow(base)
      for (const [name, cookie] of visitor.cookies) one.visitor.cookies.set(name, cookie)
      return end
    }

    type Row = Readonly<Record<RuleName, Came>>
    // biome-ignore format: one session a line reads as a table
    const table: readonly [session: string, age: string, Row][] = [
      ['otp', 'fresh', { off: 'proof', within: 'proof', always: 'code', passkey: 'passkey needed' }],
      ['passkey', 'fresh', { off: 'proof', within: 'proof', always: 'code', passkey: 'passkey' }],
      ['recovery', 'fresh', { off: 'proof', within: 'code', always: 'code', passkey: 'passkey needed' }],
      ['grace', 'fresh', { off: 'proof', within: 'set up', always: 'mailed code', passkey: 'passkey needed' }],
      ['otp', 'old', { off: 'proof', within: 'code', always: 'code', passkey: 'passkey needed' }],
      ['passkey', 'old', { off: 'proof', within: 'code', always: 'code', passkey: 'passkey' }],
      ['recovery', 'old', { off: 'proof', within: 'code', always: 'code', passkey: 'passkey needed' }],
      ['grace', 'old', { off: 'proof', within: 'mailed code', always: 'mailed code', passkey: 'passkey needed' }],
    ]
    let aged = false
    for (const [session, age, row] of table) {
      it(`of a session by ${session}, ${age}`, async () => {
        if (age === 'old' && !aged) stage.advance(10 * MINUTE)
        aged ||= age === 'old'
        const visitor = people[session]?.visitor.clone() ?? createVisitor(stage.origin)
        for (const [rule, expected] of Object.entries(row)) {
          const what = REQUESTS[RULES[rule as RuleName]]
          expect((await ask(visitor, what)).came, rule).to.equal(expected)
          const silent = await ask(visitor, what, { prompt: 'none' })
          expect(silent.came, `${rule}, prompt=none`).to.equal(
            expected === 'proof' ? 'proof' : 'error interaction_required',
          )
          expect((await ask(visitor, what, { prompt: 'login' })).came, `${rule}, prompt=login`).to.equal(
            'log in',
          )
        }
      })
    }

    it('of nobody, with prompt=none', async () => {
      const { came } = await ask(createVisitor(stage.origin), DELETE, { prompt: 'none' })
      expect(came).to.equal('error login_required')
    })

    // A login in the same authorization request counts; the page with the action is still shown and confirmed.
    // biome-ignore format: one login a line reads as a table
    const logins: readonly [by: string, Row][] = [
      ['otp', { off: 'proof', within: 'proof', always: 'confirm', passkey: 'passkey needed' }],
      ['passkey', { off: 'proof', within: 'proof', always: 'confirm', passkey: 'confirm' }],
    ]
    for (const [by, row] of logins) {
      for (const prompt of ['', 'login'] as const) {
        it(`of a login by ${by} in the same request${prompt ? ', which it asks for' : ''}`, async () => {
          const one = people[by]
          if (one === undefined) throw new Error(by)
          for (const [rule, expected] of Object.entries(row)) {
            const params = {
              ...asking(REQUESTS[RULES[rule as RuleName]]),
              ...(prompt === '' ? {} : { prompt }),
            }
            let page: Awaited<ReturnType<Visitor['follow']>>
            if (by === 'passkey')
              page = await loginByPasskey({ ...one, visitor: createVisitor(stage.origin) }, params)
            else {
              stage.advance(30_000)
              const { visitor, base } = await halfLogin(stage, app.party, one.person, params)
              await visitor.post(`${base}/otp`, { code: codeOf(stage, one) })
              page = await visitor.follow(base)
            }
            expect(cameTo(page), rule).to.equal(expected)
          }
        })
      }
    }
  })

  describe('ends in a token', () => {
    it('for the API, for five minutes, that names the action and when and how it was confirmed', async () => {
      const one = await loggedIn()
      stage.advance(20 * MINUTE)
      const asked = await ask(one.visitor, DELETE)
      const end = await confirmByCode(one, asked)
      const tokens = await app.party.finish(asked.begun, end)
      const claims = await app.verify(tokens.access_token)
      const [detail, ...others] = claims.authorization_details ?? []
      expect(others).to.deep.equal([])
      expect(detail).to.deep.equal({ ...DELETE, confirmation_id: detail?.confirmation_id })
      expect(detail?.confirmation_id).to.match(/^[\w-]{22}$/)
      expect(claims).to.include({ acr: ACR['2fa'], sub: one.person.id, client_id: app.party.clientId })
      expect(claims.amr).to.deep.equal(['pwd', 'otp', 'mfa'])
      expect(claims.auth_time).to.be.closeTo(stage.now() / 1000, 5)
      expect(claims.jti).to.be.a('string')
      expect(Number(claims.exp) - Number(claims.iat)).to.be.at.most(300)
      expect(tokens.authorization_details).to.deep.equal(claims.authorization_details)
      expect(await detailsOfAudit(one, 'action.confirmed')).to.deep.equal({
        client: app.party.clientId,
        action: 'device.delete',
        objects: 2,
        hash: actionHash(DELETE),
        confirmation: detail?.confirmation_id,
      })
    })

    it('that states the code just given, where a passkey of before would be a higher level', async () => {
      const one = await victim(stage, app.party)
      const key = await givePasskey(stage, one.person)
      const begun = await app.party.begin()
      const visitor = createVisitor(stage.origin)
      const page = await visitor.follow(begun.url)
      const at = `/interaction/${uidOf(page.url)}`
      await byPasskey(visitor, at, key)
      await visitor.follow(at)
      stage.advance(20 * MINUTE)
      const asked = await ask(visitor, DELETE)
      const end = await confirmByCode({ ...one, visitor }, asked)
      const claims = await tokenOf(asked.begun, end)
      expect(claims.acr).to.equal(ACR['2fa'])
      expect(claims.auth_time).to.be.closeTo(stage.now() / 1000, 5)
    })

    it('by passkey, where the rule says so', async () => {
      const one = await loggedIn()
      const key = await givePasskey(stage, one.person)
      const asked = await ask(one.visitor, REQUESTS['secret.view'])
      await byPasskey(one.visitor, asked.base, key)
      const claims = await tokenOf(asked.begun, (await one.visitor.follow(asked.base)).url)
      expect(claims.acr).to.equal(ACR.phr)
      expect(claims.authorization_details?.[0]?.action).to.equal('secret.view')
    })

    it('without a page, where the rule is met, and says so in the audit log', async () => {
      const one = await loggedIn()
      const asked = await ask(one.visitor, REQUESTS['device.rename'])
      const claims = await tokenOf(asked.begun, asked.page.url)
      expect(claims.authorization_details?.[0]).to.deep.include({ action: 'device.rename', fields: {} })
      expect(await audited(stage, 'action.allowed', one.person)).to.equal(1)
      expect(await audited(stage, 'action.confirmed', one.person)).to.equal(0)
    })

    it('after a login in the same request, by Confirm alone', async () => {
      const one = await victim(stage, app.party)
      const { visitor, base, begun } = await halfLogin(stage, app.party, one.person, asking(DELETE))
      await visitor.post(`${base}/otp`, { code: codeOf(stage, one) })
      const page = await visitor.follow(base)
      expect(cameTo(page)).to.equal('confirm')
      const at = `/interaction/${uidOf(page.url)}`
      expect((await visitor.post(`${at}/confirm`, {})).status).to.equal(303)
      const claims = await tokenOf(begun, (await visitor.follow(at)).url)
      expect(claims.authorization_details?.[0]?.action).to.equal('device.delete')
    })

    it('of a set-up on the way, where somebody had put that off', async () => {
      const person = await stage.person({ graceUntil: 'tomorrow' })
      const { visitor, base } = await halfLogin(stage, app.party, person)
      await visitor.post(`${base}/set-up`, { later: 'yes' })
      await visitor.follow(base)
      const asked = await ask(visitor, DELETE)
      expect(asked.came).to.equal('mailed code')
      const mailbox = await mailed(stage, person, MAILED_CODE)
      await visitor.post(`${asked.base}/mailed-code`, { code: mailbox })
      const setUp = await visitor.follow(asked.base)
      const secret = textOf(setUp.body, 'key').replaceAll(' ', '')
      await visitor.post(`${asked.base}/set-up`, { code: code(secret, stage.now()) })
      await visitor.post(`${asked.base}/recovery-code-saved`, { saved: 'yes' })
      const page = await visitor.follow(asked.base)
      expect(cameTo(page), 'setting up confirms nothing').to.equal('confirm')
      await visitor.post(`${asked.base}/confirm`, {})
      const claims = await tokenOf(asked.begun, (await visitor.follow(asked.base)).url)
      expect(claims.authorization_details?.[0]?.action).to.equal('device.delete')
    })

    it('bound to the client’s key, where it uses DPoP', async () => {
      const one = await loggedIn()
      const asked = await ask(one.visitor, DELETE)
      const end = await confirmByCode(one, asked)
      const handle = client.getDPoPHandle(app.party.config, await client.randomDPoPKeyPair())
      const tokens = await client.authorizationCodeGrant(
        app.party.config,
        new URL(end),
        {
          pkceCodeVerifier: asked.begun.verifier,
          expectedState: asked.begun.state,
          expectedNonce: asked.begun.nonce,
        },
        {},
        { DPoP: handle },
      )
      const claims = await app.verify(tokens.access_token)
      expect(claims.cnf).to.have.property('jkt')
      expect(claims.authorization_details).to.have.length(1)
    })

    it('refreshed, carries no action', async () => {
      const one = await loggedIn()
      const asked = await ask(one.visitor, DELETE, {
        scope: 'openid offline_access devices:delete',
        prompt: 'consent',
      })
      const end = await confirmByCode(one, asked)
      const page = await one.visitor.follow(end)
      const consent = await one.visitor.post(`/interaction/${uidOf(page.url)}/consent`, { answer: 'allow' })
      const tokens = await app.party.finish(
        asked.begun,
        (await one.visitor.follow(consent.location ?? '')).url,
      )
      expect((await app.verify(tokens.access_token)).authorization_details).to.have.length(1)
      const refreshed = await client.refreshTokenGrant(app.party.config, tokens.refresh_token ?? '')
      const claims = await app.verify(refreshed.access_token)
      expect(claims).not.to.have.property('authorization_details')
      expect(claims).to.include({ acr: ACR['2fa'], scope: 'devices:delete' })
      expect(refreshed.authorization_details).to.equal(undefined)
    })

    it('that says nothing by itself, where the API introspects it', async () => {
      const opaque = await openConsole(stage, { opaque: true })
      const one = await victim(stage, opaque.party)
      const asked = await ask(one.visitor, DELETE, {}, opaque)
      const end = await confirmByCode(one, asked)
      const { access_token: token } = await opaque.party.finish(asked.begun, end)
      expect(() => decodeJwt(token)).to.throw()
      const introspect = async (id: string, secret: string) => {
        const answer = await fetch(`${stage.origin}/token/introspection`, {
          method: 'POST',
          headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
          body: new URLSearchParams({ token }),
        })
        return (await answer.json()) as Record<string, unknown>
      }
      const { id, secret } = opaque.introspection ?? { id: '', secret: '' }
      const claims = await introspect(id, secret)
      expect(claims).to.deep.include({
        active: true,
        aud: opaque.resource,
        acr: ACR['2fa'],
        sub: one.person.id,
      })
      expect((claims.authorization_details as object[])[0]).to.deep.include(DELETE)
      expect(claims.auth_time).to.be.a('number')
      // Another API learns nothing of it, and the app's own is an app.
      const other = await openConsole(stage, { opaque: true })
      const stranger = other.introspection ?? { id: '', secret: '' }
      expect(await introspect(stranger.id, stranger.secret)).to.deep.equal({ active: false })
    })

    it('a JWT, which cannot be introspected', async () => {
      const one = await loggedIn()
      const asked = await ask(one.visitor, REQUESTS['device.rename'])
      const tokens = await app.party.finish(asked.begun, asked.page.url)
      const answer = await client
        .tokenIntrospection(app.party.config, tokens.access_token)
        .catch((each: unknown) => each)
      expect(answer).to.have.property('error', 'unsupported_token_type')
    })
  })

  describe('ends without one', () => {
    it('when the user cancels', async () => {
      const one = await loggedIn()
      const asked = await ask(one.visitor, DELETE)
      const answer = await one.visitor.post(`${asked.base}/cancel`, {})
      expect(cameTo(await one.visitor.follow(answer.location ?? ''))).to.equal('error access_denied')
      expect(await detailsOfAudit(one, 'action.refused')).to.include({
        action: 'device.delete',
        error: 'access_denied',
        hash: actionHash(DELETE),
      })
    })

    it('when only a passkey will do and the user has none', async () => {
      const one = await loggedIn()
      const asked = await ask(one.visitor, REQUESTS['secret.view'])
      const answer = await one.visitor.post(`${asked.base}/give-up`, {})
      expect(cameTo(await one.visitor.follow(answer.location ?? ''))).to.equal(
        'error unmet_authentication_requirements',
      )
      expect(await audited(stage, 'action.refused', one.person)).to.equal(1)
    })

    it('and has one offered at the next login then, as the page says, though it was put off for a month', async () => {
      const one = await loggedIn()
      const offered = async () => {
        const browser = createVisitor(stage.origin)
        const { url } = await browser.follow((await app.party.begin()).url)
        const base = `/interaction/${uidOf(url)}`
        await browser.post(`${base}/identify`, { email: one.person.email, webauthn: 'platform' })
        await browser.post(`${base}/password`, { password: PASSWORD, webauthn: 'platform' })
        await browser.post(`${base}/otp`, { code: codeOf(stage, one) })
        stage.advance(30_000)
        const page = await browser.follow(base)
        if (!page.url.startsWith(stage.origin)) return false
        expect(page.heading).to.equal('Log in faster with a passkey')
        await browser.post(`${base}/passkey-declined`, {})
        return true
      }
      expect([await offered(), await offered()]).to.deep.equal([true, false])
      const asked = await ask(one.visitor, REQUESTS['secret.view'])
      await one.visitor.post(`${asked.base}/give-up`, {})
      expect(await offered()).to.equal(true)
    })

    const wrong: [string, Record<string, string>][] = [
      ['an action that is not registered', asking({ ...DELETE, action: 'device.destroy' })],
      ['a missing field', asking({ ...DELETE, fields: {} })],
      ['two actions', asking(DELETE, REQUESTS['device.rename'])],
      ['another type', asking({ type: 'payment_initiation' })],
      ['text that is no JSON', { authorization_details: '[{' }],
      [
        'more than 2 kB in the address',
        asking({ ...DELETE, objects: Array.from({ length: 200 }, (_, i) => `device-${i}`) }),
      ],
    ]
    for (const [name, params] of wrong) {
      it(`when the app asks with ${name}`, async () => {
        const begun = await app.party.begin(params)
        const { location = '' } = await createVisitor(stage.origin).get(begun.url)
        expect(new URL(location).searchParams.get('error')).to.equal('invalid_authorization_details')
      })
    }

    it('when the app has no actions', async () => {
      const plain = await relyingParty(stage)
      const begun = await plain.begin({ ...asking(DELETE), resource: app.resource })
      const { location = '' } = await createVisitor(stage.origin).get(begun.url)
      expect(new URL(location).searchParams.get('error')).to.equal('invalid_authorization_details')
    })

    it('when the API is not for the app, is unknown, or is one of several', async () => {
      const other = await openConsole(stage)
      const errorOf = async (params: Record<string, string>) => {
        const { location = '' } = await createVisitor(stage.origin).get((await other.party.begin(params)).url)
        return new URL(location).searchParams.get('error')
      }
      expect(await errorOf({ resource: app.resource })).to.equal('invalid_target')
      expect(await errorOf({ resource: 'https://nowhere.example/' })).to.equal('invalid_target')
      await createApi(stage.directory, {
        resource: `${other.resource}second`,
        scopes: [],
        clients: [other.party.clientId],
      })
      stage.advance(10_001)
      expect(await errorOf(asking(DELETE))).to.equal('invalid_target')
      expect(await errorOf({ ...asking(DELETE), resource: other.resource })).to.equal(null)
    })
  })

  it('takes a thousand objects where the request is pushed, and shows five of them at first', async () => {
    const one = await loggedIn()
    const objects = Array.from({ length: 1000 }, (_, index) => `device-${index}`)
    const url = new URL((await app.party.begin(asking({ ...DELETE, objects }))).url)
    const pushed = await client.buildAuthorizationUrlWithPAR(app.party.config, url.searchParams)
    const page = await one.visitor.follow(pushed.href)
    expect(page.heading).to.equal('Confirm: delete 1000 devices at Acme')
    expect(page.body.split('<details')[0]).not.to.include('device-5<')
    expect(page.body).to.include('device-999<')
  })

  it('is as strict as an organisation made it, for its own users, whatever the app does later', async () => {
    const own = await openConsole(stage)
    const one = await victim(stage, own.party)
    const other = await victim(stage, own.party)
    const came = async (visitor: Visitor, id: ActionId) => (await ask(visitor, REQUESTS[id], {}, own)).came
    expect(await came(one.visitor, 'device.rename')).to.equal('proof')
    const { organisationId } = one.person
    const what = { organisationId, clientId: own.party.clientId, action: 'device.rename' }
    await tightenRule(stage.directory, { ...what, rule: 'always' })
    await setActions(
      stage.directory,
      own.party.clientId,
      ACTIONS.map(each => ({ ...each, rule: 'off' })),
    )
    stage.advance(10_001)
    expect(await came(one.visitor, 'device.rename')).to.equal('code')
    expect(await came(one.visitor, 'device.delete')).to.equal('proof')
    expect(await came(other.visitor, 'device.rename')).to.equal('proof')
  })

  it('asks the users of an app that is not first-party, and shows them what', async () => {
    const foreign = await openConsole(stage, { firstParty: false })
    const one = await victim(stage, app.party)
    for (const id of ['device.delete', 'device.rename'] as const) {
      const asked = await ask(one.visitor, REQUESTS[id], {}, foreign)
      let { page } = asked
      if (id === 'device.delete') {
        expect(asked.came).to.equal('code')
        page = await one.visitor.follow(await confirmByCode(one, asked))
      }
      expect(cameTo(page), id).to.equal('consent')
      expect(page.body).to.include(id === 'device.delete' ? 'delete 2 devices at Acme' : 'rename a device')
      expect(page.body).to.include('dev_17')
      const answer = await one.visitor.post(`/interaction/${uidOf(page.url)}/consent`, { answer: 'allow' })
      const claims = await tokenOf(
        asked.begun,
        (await one.visitor.follow(answer.location ?? '')).url,
        foreign,
      )
      expect(claims.authorization_details?.[0]).to.deep.include(REQUESTS[id])
    }
  })

  it('is told in discovery', async () => {
    const discovery = app.party.config.serverMetadata()
    expect(discovery.authorization_details_types_supported).to.deep.equal(['protected_action'])
    expect(discovery.acr_values_supported).to.include.members(Object.values(ACR))
    expect(discovery.claims_supported).to.include.members(['acr', 'amr', 'auth_time'])
  })

  describe('without a line in the app', () => {
    it('default_max_age asks for a new code where the request says nothing', async () => {
      const aged = await relyingParty(stage, { metadata: { default_max_age: 300 } })
      const one = await victim(stage, aged)
      const came = async (params: Record<string, string> = {}) =>
        cameTo(await one.visitor.follow((await aged.begin(params)).url))
      expect(await came()).to.equal('proof')
      stage.advance(6 * MINUTE)
      expect(await came()).to.equal('code')
      expect(await came({ max_age: '3600' })).to.equal('proof')
    })

    it('scope_rules ask whenever the scope is asked for, and no parameter makes them laxer', async () => {
      const ruled = await openConsole(stage, {
        metadata: { scope_rules: { 'devices:delete': { acr_values: ACR['2fa'], max_age: 300 } } },
      })
      const one = await victim(stage, ruled.party)
      const came = async (scope: string, params: Record<string, string> = {}) =>
        cameTo(
          await one.visitor.follow(
            (await ruled.party.begin({ scope, resource: ruled.resource, ...params })).url,
          ),
        )
      stage.advance(6 * MINUTE)
      expect(await came('openid devices:read')).to.equal('proof')
      expect(await came('openid devices:delete')).to.equal('code')
      expect(await came('openid devices:delete', { max_age: '99999', acr_values: ACR['1fa'] })).to.equal(
        'code',
      )
      expect(await came('openid devices:delete', { prompt: 'none' })).to.equal('error login_required')
      const begun = await ruled.party.begin({ scope: 'openid devices:delete', resource: ruled.resource })
      const page = await one.visitor.follow(begun.url)
      expect(page.heading).to.equal('Confirm it’s you')
      const end = await confirmByCode(one, { base: page.url })
      expect(await tokenOf(begun, end, ruled)).to.include({ scope: 'devices:delete', acr: ACR['2fa'] })
      // Without the API the scope is nobody's: it asks nothing, and is not granted.
      const bare = await ruled.party.begin({ scope: 'openid devices:delete' })
      const tokens = await ruled.party.finish(bare, (await one.visitor.follow(bare.url)).url)
      expect(tokens.scope).not.to.include('devices:delete')
    })
  })

  async function detailsOfAudit({ person }: Victim, event: string): Promise<Record<string, unknown>> {
    const found = await rows(stage, 'SELECT details FROM audit_events WHERE account_id = ? AND event = ?', [
      person.id,
      event,
    ])
    expect(found, event).to.have.length(1)
    return JSON.parse(String(found[0]?.details)) as Record<string, unknown>
  }
})
