// Attacks on single sign-on by SAML: with assertions that were taken before, were given to another, or that nobody asked
// for.

import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import { ACR } from '../../src/flow/assurance.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { type RelyingParty, relyingParty, visibleText } from '../support/visitor.ts'
import { change, MINUTE } from './ground.ts'
import { isIn, linked, member, openSamlLiar, type SamlLiar, send, ssoActs } from './sso-ground.ts'

onEveryStage('attacks on single sign-on', open => {
  let stage: Stage
  let party: RelyingParty
  const { close, fresh, liar, start, whoIs } = ssoActs(() => ({ stage, party }))

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })
  after(close)

  describe('by SAML', () => {
    async function saml(options: Parameters<typeof openSamlLiar>[1] = {}): Promise<SamlLiar> {
      return openSamlLiar(stage, {
        connection: { twoFactor: { acr: ['mfa'], amr: [] } },
        ...options,
      })
    }
    const twice = { context: 'mfa' }

    it('X6 an assertion counts once: posted again, in parallel, or in answer to another request', async () => {
      const heron = await saml()
      const person = await member(stage, heron, 'dana')
      const sent = await send(fresh(), await start(), person.email)
      const form = heron.answer(sent.away, twice)
      const answers = await Promise.all(Array.from({ length: 10 }, () => heron.post(form)))
      const taken = answers.filter(each => each.location?.includes('?h='))
      expect(taken).to.have.length(1)
      expect((await heron.post(form)).status, 'again').to.equal(400)
      expect(isIn(await sent.visitor.follow(taken[0]?.location ?? ''))).to.equal(true)
      expect(await whoIs(sent.visitor)).to.equal(person.id)

      const next = await send(fresh(), await start(), person.email)
      const { RelayState = '' } = heron.answer(next.away)
      const moved = await heron.post({ ...form, RelayState })
      expect((await next.visitor.follow(moved.location ?? '')).status, 'to another request').to.equal(400)
      expect(await whoIs(next.visitor)).to.equal(undefined)
    })

    it('X6 an assertion that was taken is not taken again, though its id alone says so', async () => {
      const heron = await saml({ saml: { idpInitiated: true } })
      await member(stage, heron, 'dana')
      const form = heron.answer(undefined, { inResponseTo: undefined })
      const answers = await Promise.all(Array.from({ length: 10 }, () => heron.post(form)))
      expect(answers.map(each => each.status).sort()).to.deep.equal([303, ...Array(9).fill(400)])
    })

    it('X3 an answer with another’s RelayState is nobody’s login', async () => {
      const heron = await saml()
      const person = await member(stage, heron, 'dana')
      const attacker = await send(fresh(), await start(), person.email)
      const victim = await send(fresh(), await start(), person.email)
      const { SAMLResponse = '' } = heron.answer(attacker.away, twice)
      const { RelayState = '' } = heron.answer(victim.away)
      const answer = await heron.post({ SAMLResponse, RelayState }, victim.visitor)
      expect((await victim.visitor.follow(answer.location ?? '')).status).to.equal(400)
      expect(await whoIs(victim.visitor)).to.equal(undefined)
      expect(await linked(stage, heron)).to.deep.equal([])
    })

    it('X3 an answer that a site has a victim’s browser post logs the victim in as nobody', async () => {
      const heron = await saml()
      const person = await member(stage, heron, 'mallory')
      const attacker = await send(fresh(), await start(), person.email)
      const victim = fresh()
      await send(victim, await start(), person.email)
      const form = heron.answer(attacker.away, { ...twice, attributes: { email: [person.email] } })
      const answer = await heron.post(form, victim)
      expect((await victim.follow(answer.location ?? '')).status).to.equal(400)
      expect(await whoIs(victim)).to.equal(undefined)
    })

    it('X6 an answer that nobody asked for is refused, and says nothing', async () => {
      const heron = await saml()
      await member(stage, heron, 'dana')
      for (const RelayState of ['', 'https://evil.example/', randomBytes(32).toString('base64url')]) {
        const form = heron.answer(undefined, { inResponseTo: undefined })
        const answer = await heron.post({ ...form, RelayState })
        expect([answer.status, answer.location]).to.deep.equal([400, undefined])
      }
      expect(await linked(stage, heron)).to.deep.equal([])
    })

    it('X6 a login that begins there logs nobody in, and leads nowhere but where an app is registered', async () => {
      const heron = await saml({ saml: { idpInitiated: true } })
      const person = await member(stage, heron, 'dana')
      const startPage = 'https://app.example/start?from=sallyport'
      const registered = await relyingParty(stage, { metadata: { initiate_login_uri: startPage } })
      for (const RelayState of [
        registered.clientId,
        party.clientId,
        '',
        'https://evil.example/',
        '//evil.example',
        '/\\evil.example',
        'javascript:alert(1)',
        `${registered.clientId}\r\nLocation: https://evil.example`,
        'x'.repeat(1000),
      ]) {
        const visitor = fresh()
        const form = heron.answer(undefined, { inResponseTo: undefined, ...twice })
        const { status, location = '' } = await heron.post({ ...form, RelayState }, visitor)
        expect(status, RelayState).to.equal(303)
        const url = new URL(location)
        if (RelayState === registered.clientId) {
          expect(url.origin + url.pathname).to.equal('https://app.example/start')
          expect(Object.fromEntries(url.searchParams)).to.deep.equal({
            from: 'sallyport',
            iss: stage.origin,
            login_hint: person.email,
          })
        } else expect(location, RelayState).to.equal(`${stage.origin}/account`)
        expect([...visitor.cookies.keys()].filter(each => /session|interaction/.test(each))).to.deep.equal([])
        expect(await whoIs(visitor)).to.equal(undefined)
      }
      expect(await linked(stage, heron)).to.deep.equal([])
    })

    it('X8 is refused where its connection was switched off, or speaks another protocol', async () => {
      const heron = await saml({ saml: { idpInitiated: true } })
      const other = await liar()
      const person = await member(stage, heron, 'dana')
      const { away } = await send(fresh(), await start(), person.email)
      const form = heron.answer(away, twice)
      const elsewhere = `${stage.origin}/sso/saml/${other.connectionId}/acs`
      expect((await fresh().post(elsewhere, form)).status).to.equal(400)
      const sent = await send(fresh(), await start(), other.email('dana'))
      const state = new URL(sent.away).searchParams.get('state') ?? ''
      const answer = await fresh().post(elsewhere, { ...form, RelayState: state })
      const page = await sent.visitor.follow(answer.location ?? '')
      expect(visibleText(page)).to.include('couldn’t verify the answer')
      await change(stage, "UPDATE sso_connections SET status = 'off' WHERE id = ?", [heron.connectionId])
      const begun = heron.answer(undefined, { inResponseTo: undefined })
      expect((await heron.post(begun)).status, 'begun there').to.equal(400)
    })

    it('X9 a context that is not trusted is one factor, and an old login is no fresh one', async () => {
      const heron = await saml({ subscribedAt: stage.now() })
      const person = await member(stage, heron, 'dana')
      const at = async (params: Record<string, string>, said: object) => {
        const sent = await send(fresh(), await start(params), person.email)
        const { location = '' } = await heron.post(heron.answer(sent.away, said))
        const page = await sent.visitor.follow(location)
        await sent.visitor.post(`${sent.base}/put-off`, {})
        return isIn(page) || isIn(await sent.visitor.follow(sent.base))
      }
      expect(await at({ acr_values: ACR['2fa'] }, {}), 'one factor').to.equal(false)
      expect(await at({ acr_values: ACR['2fa'] }, twice), 'two').to.equal(true)
      const authenticated = new Date(stage.now() - 10 * MINUTE)
      expect(await at({ prompt: 'login' }, { ...twice, authenticated }), 'prompt=login').to.equal(false)
      expect(await at({ max_age: '60' }, { ...twice, authenticated }), 'max_age').to.equal(false)
    })
  })
})
