// Attacks on what a login by an identity provider is worth: by getting round it where it is demanded, and by passing it off
// as more, or as newer, than it is.

import { expect } from 'chai'
import * as client from 'openid-client'
import { ACR } from '../../src/flow/assurance.ts'
import { asking, type Console, openConsole, REQUESTS } from '../support/console.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { type Begun, type RelyingParty, relyingParty, uidOf, type Visitor } from '../support/visitor.ts'
import { challengeOf, change, codeOf, DAY, givePasskey, MINUTE, mailed, RESET_LINK } from './ground.ts'
import {
  again,
  awayIn,
  type Claims,
  isIn,
  linked,
  MFA,
  member,
  send,
  ssoActs,
  through,
} from './sso-ground.ts'

onEveryStage('attacks on single sign-on', open => {
  let stage: Stage
  let party: RelyingParty
  let app: Console
  const { about, age, byPassword, close, fresh, liar, linkedUser, localUser, otp, start, whoIs } = ssoActs(
    () => ({ stage, party }),
  )

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
    app = await openConsole(stage)
  })
  after(close)

  describe('a domain for single sign-on only', () => {
    /** Somebody with all that one can have here, whose domain is for single sign-on only from now on. */
    async function shutOut(params: Record<string, string> = {}) {
      const heron = await liar()
      const user = await localUser(heron, 'dana', params)
      const passkey = await givePasskey(stage, user.person)
      await change(stage, 'UPDATE sso_domains SET sso_only = 1 WHERE id = ?', [heron.domainId])
      return { heron, user, passkey }
    }
    const atHome = 'Log in with Heron ID'

    it('is not got round by a password, a code, a recovery code, a passkey or a new password', async () => {
      const { heron, user, passkey } = await shutOut()
      const visitor = fresh()
      const { base } = await send(visitor, await start(), user.person.email)
      expect((await byPassword(visitor, base)).heading, 'a password').to.equal(atHome)
      for (const [way, form] of [
        ['otp', { code: codeOf(stage, user) }],
        ['recovery', { code: user.recoveryCode }],
        ['set-up', {}],
        ['set-up-again', { answer: 'yes' }],
        ['put-off', {}],
        ['confirm', {}],
        ['mailed-code', { code: '000000' }],
        ['use-password', {}],
      ] as const) {
        expect((await visitor.post(`${base}/${way}`, form)).status, way).to.equal(409)
      }

      const second = fresh()
      const page = await second.follow(await start())
      const inside = `/interaction/${uidOf(page.url)}`
      const response = JSON.stringify(passkey.assert(challengeOf(page)))
      expect((await second.post(`${inside}/passkey`, { response })).status).to.equal(303)
      expect((await second.follow(inside)).heading, 'a passkey').to.equal(atHome)
      expect(await whoIs(second)).to.equal(undefined)

      await fresh().post('/forgot-password', { email: user.person.email })
      const password = 'seven herons polish copper kettles'
      const third = fresh()
      expect((await third.post(await mailed(stage, user.person, RESET_LINK), { password })).status).to.equal(
        200,
      )
      expect(await whoIs(third), 'a new password').to.equal(undefined)
      const late = await send(third, await start(), user.person.email)
      await third.post(`${late.base}/use-password`, {})
      await third.post(`${late.base}/password`, { password })
      expect((await third.follow(late.base)).heading).to.equal(atHome)
      expect(await whoIs(third)).to.equal(undefined)
      expect(await linked(stage, heron)).to.deep.equal([])
    })

    it('is not got round by a session of before: no app, no silent answer, no page of the account', async () => {
      const { user } = await shutOut()
      const { visitor } = user
      expect(await whoIs(visitor)).to.equal(undefined)
      expect((await visitor.follow(await start())).heading).to.equal(atHome)
      for (const path of ['/account', '/account/password', '/account/sessions', '/admin']) {
        const page = await visitor.follow(path)
        expect([page.heading, page.status], path).to.deep.equal([atHome, 200])
      }
      const answer = await visitor.post('/account/sessions/end-others', {})
      expect(answer.status === 303 ? answer.location : answer.status).to.satisfy(
        (each: unknown) => each === 404 || String(each).includes('/auth?'),
      )
      const step = await visitor.follow(await start({ acr_values: ACR['2fa'], max_age: '300' }))
      expect(step.heading, 'a step-up').to.equal(atHome)
    })

    it('is not got round by a refresh token of before, and goes on by one of single sign-on', async () => {
      const heron = await liar()
      const offline = { scope: 'openid offline_access', prompt: 'consent' }
      const person = await member(stage, heron, 'dana')
      const tokenOf = async ({ visitor, begun, url }: { visitor: Visitor; begun: Begun; url: string }) => {
        const { location = '' } = await visitor.post(`/interaction/${uidOf(url)}/consent`, {
          answer: 'allow',
        })
        const tokens = await party.finish(begun, (await visitor.follow(location)).url)
        return String(tokens.refresh_token)
      }
      const local = await tokenOf(await localUser(heron, 'eve', offline))
      heron.says(about(person))
      const visitor = fresh()
      const begun = await party.begin(offline)
      const { url } = await through(heron, visitor, begun.url, person.email)
      const own = await tokenOf({ visitor, begun, url })
      const turn = (token: string) =>
        client.refreshTokenGrant(party.config, token).catch((error: unknown) => error as never)
      const turned = await turn(local)
      expect(turned).to.have.property('refresh_token')
      await change(stage, 'UPDATE sso_domains SET sso_only = 1 WHERE id = ?', [heron.domainId])
      expect(await turn(String(turned.refresh_token)), 'of a password').to.have.property(
        'error',
        'invalid_grant',
      )
      expect(await turn(own), 'of single sign-on').to.have.property('refresh_token')
    })

    it('is not got round by an address in other letters', async () => {
      const { user } = await shutOut()
      for (const email of [user.person.email.toUpperCase(), ` ${user.person.email} `]) {
        const { visitor, base } = await send(fresh(), await start(), email)
        expect((await byPassword(visitor, base)).heading, email).to.equal(atHome)
        expect(await whoIs(visitor)).to.equal(undefined)
      }
    })

    it('is not got round with the passkey of one and the provider’s word for another', async () => {
      const { heron, passkey } = await shutOut()
      const other = await member(stage, heron, 'eve')
      const visitor = fresh()
      const page = await visitor.follow(await start())
      const base = `/interaction/${uidOf(page.url)}`
      const response = JSON.stringify(passkey.assert(challengeOf(page)))
      await visitor.post(`${base}/passkey`, { response })
      expect((await visitor.follow(base)).heading).to.equal(atHome)
      heron.says(about(other, { amr: [] }))
      const back = await again(heron, visitor, base)
      expect(back.heading).to.equal('Set up two-factor authentication')
      expect(await whoIs(visitor)).to.equal(undefined)
    })

    it('X1 is not got round by an answer that links nobody', async () => {
      const { heron, user } = await shutOut()
      heron.says(about({ email: heron.email('nobody') }))
      const visitor = fresh()
      const { base } = await through(heron, visitor, await start(), user.person.email)
      expect((await byPassword(visitor, base)).heading).to.equal(atHome)
      expect((await otp(visitor, base, user)).status).to.equal(409)
    })

    it('is still for its break-glass admins alone, who keep their second factor', async () => {
      const { user } = await shutOut()
      await change(stage, 'UPDATE accounts SET break_glass = 1 WHERE id = ?', [user.person.id])
      const { visitor, base } = await send(fresh(), await start(), user.person.email)
      expect((await byPassword(visitor, base)).heading).to.equal('Verify your identity')
      expect(await whoIs(visitor)).to.equal(undefined)
      await otp(visitor, base, user)
      expect(isIn(await visitor.follow(base))).to.equal(true)
    })
  })

  describe('X9 what an identity provider says of how, and when', () => {
    it('is one factor where the connection trusts nothing, in whatever way it is said', async () => {
      const heron = await liar({})
      const { person } = await localUser(heron)
      for (const claims of [
        { amr: ['mfa', 'otp', 'hwk'] },
        { acr: 'mfa' },
        { acr: ACR['2fa'], amr: [ACR['2fa']] },
        { acr: 'phr', amr: 'mfa' },
      ]) {
        heron.says(about(person, claims))
        const visitor = fresh()
        const page = await through(heron, visitor, await start({ acr_values: ACR['2fa'] }), person.email)
        expect(page.heading, JSON.stringify(claims)).to.equal('Verify your identity')
        expect(await whoIs(visitor)).to.equal(undefined)
      }
    })

    it('is never a passkey, whatever is trusted', async () => {
      const heron = await liar({ connection: { twoFactor: { acr: ['phr'], amr: ['hwk'] } } })
      const { person, visitor } = await linkedUser(heron, 'dana', { acr: 'phr', amr: ['hwk'] })
      const page = await visitor.follow(await start({ acr_values: 'phr' }))
      expect(page.heading).to.equal('You need a passkey for this')
      const stated = await party.begin()
      const { url } = await visitor.follow(stated.url)
      expect((await party.finish(stated, url)).claims()).to.deep.include({
        sub: person.id,
        acr: ACR['2fa'],
        amr: ['mfa'],
      })
    })

    const asked: Record<string, Record<string, string>> = {
      'max_age of five minutes': { max_age: '300' },
      'max_age of a week': { max_age: String((7 * DAY) / 1000) },
      'max_age of 0': { max_age: '0' },
      'prompt=login': { prompt: 'login' },
      'two factors of the last five minutes': { acr_values: ACR['2fa'], max_age: '300' },
    }
    const old = (ms: number) => ({ auth_time: Math.floor((stage.now() - ms) / 1000) })
    const stale: Record<string, () => Claims> = {
      'no time': () => ({ auth_time: undefined }),
      'an old time': () => old(30 * DAY),
    }
    for (const [what, params] of Object.entries(asked)) {
      for (const [said, claims] of Object.entries(stale)) {
        it(`is not taken for fresh where ${what} is asked for and ${said} comes back`, async () => {
          for (const subscribedAt of [stage.now() - 2 * DAY, stage.now()]) {
            const heron = await liar({ ...MFA, subscribedAt })
            const person = await member(stage, heron, 'dana')
            heron.says(about(person, claims()))
            const visitor = fresh()
            const { base, url } = await through(heron, visitor, await start(params), person.email)
            expect(isIn({ url })).to.equal(false)
            expect((await visitor.follow(base)).heading, 'two factors of before are one').to.equal(
              'Check your email',
            )
            await visitor.post(`${base}/put-off`, {})
            const page = await visitor.follow(base)
            expect(isIn(page), page.heading).to.equal(false)
          }
        })
      }
    }

    for (const [said, claims] of Object.entries(stale)) {
      it(`confirms no action where ${said} comes back`, async () => {
        const heron = await liar()
        const { visitor } = await linkedUser(heron, 'dana', claims())
        for (const action of ['device.delete', 'script.run'] as const) {
          const begun = await app.party.begin(asking(REQUESTS[action]))
          const page = await visitor.follow(begun.url)
          expect(isIn(page), action).to.equal(false)
          const base = `/interaction/${uidOf(page.url)}`
          const back = await again(heron, visitor, base)
          expect(isIn(back), action).to.equal(false)
          expect((await visitor.post(`${base}/confirm`, {})).status, action).to.equal(409)
          expect(back.heading, action).to.equal('Check your email')
        }
      })
    }

    it('is not fresh for an action whose rule is as lax as can be, where no time comes back', async () => {
      const heron = await liar()
      const lax = await openConsole(stage, {
        actions: [{ id: 'device.rename', title: 'rename', rule: { within: (30 * DAY) / 1000 } }],
      })
      const { visitor } = await linkedUser(heron, 'dana', { auth_time: undefined })
      const begun = await lax.party.begin(asking(REQUESTS['device.rename']))
      expect(isIn(await visitor.follow(begun.url))).to.equal(false)
    })

    it('confirms no action by what was proven in a request before', async () => {
      const heron = await liar()
      const { person, visitor } = await linkedUser(heron)
      const begun = await app.party.begin(asking(REQUESTS['device.delete']))
      const page = await visitor.follow(begun.url)
      const base = `/interaction/${uidOf(page.url)}`
      expect((await visitor.post(`${base}/confirm`, {})).status, 'before the provider').to.equal(409)
      // Whoever strips prompt=login from the address gets the session there as it was.
      heron.says(about(person, old(5 * MINUTE)))
      const back = await again(heron, visitor, base)
      expect(isIn(back)).to.equal(false)
      expect((await visitor.post(`${base}/confirm`, {})).status).to.equal(409)
    })

    it('is asked for anew: prompt and max_age go along where something fresh is due', async () => {
      const heron = await liar()
      const { visitor } = await linkedUser(heron)
      for (const params of [{ prompt: 'login' }, { max_age: '1' }]) {
        await age()
        const page = await visitor.follow(await start(params))
        const away = awayIn(await visitor.post(`/interaction/${uidOf(page.url)}/sso`, {}))
        expect(away).to.include('prompt=login').and.include('max_age=0')
      }
    })
  })

  describe('a second factor', () => {
    it('is set up anew after a reset, whatever the provider says', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      heron.says(about(user.person))
      expect(isIn(await through(heron, fresh(), await start(), user.person.email))).to.equal(true)
      await change(stage, 'UPDATE accounts SET second_factor_reset_at = ?, epoch = epoch + 1 WHERE id = ?', [
        stage.now(),
        user.person.id,
      ])
      const visitor = fresh()
      const { base, heading } = await through(heron, visitor, await start(), user.person.email)
      expect(heading).to.equal('Set up two-factor authentication')
      for (const way of ['put-off', 'otp', 'recovery']) {
        expect((await visitor.post(`${base}/${way}`, {})).status, way).to.equal(409)
      }
      expect(await whoIs(visitor)).to.equal(undefined)
    })

    it('may be put off on the day of grace, and no longer', async () => {
      const heron = await liar({ subscribedAt: stage.now() })
      const person = await member(stage, heron, 'dana')
      heron.says(about(person))
      const visitor = fresh()
      const { base, heading } = await through(heron, visitor, await start(), person.email)
      expect(heading).to.equal('Set up two-factor authentication')
      await visitor.post(`${base}/put-off`, {})
      expect(isIn(await visitor.follow(base))).to.equal(true)
      expect(await whoIs(visitor)).to.equal(person.id)
      await change(stage, 'UPDATE organisations SET subscribed_at = ? WHERE id = ?', [
        stage.now() - 2 * DAY,
        heron.organisationId,
      ])
      expect(await whoIs(visitor)).to.equal(undefined)
      const late = await through(heron, fresh(), await start(), person.email)
      expect((await late.visitor.post(`${late.base}/put-off`, {})).status).to.equal(409)
    })
  })
})
