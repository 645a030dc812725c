// Attacks with answers of an identity provider: somebody gets hold of one, has another take theirs, or brings one where
// none is due, twice, or too late.

import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import { ACR } from '../../src/flow/assurance.ts'
import { deleteDomain } from '../../src/store/sso/domains.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { PASSWORD, type Person, type Stage } from '../support/stage.ts'
import { type RelyingParty, relyingParty, uidOf, visibleText } from '../support/visitor.ts'
import { audited, change, rows } from './ground.ts'
import {
  again,
  bring,
  callback,
  isIn,
  type Liar,
  linked,
  member,
  send,
  ssoActs,
  through,
} from './sso-ground.ts'

onEveryStage('attacks on single sign-on', open => {
  let stage: Stage
  let party: RelyingParty
  const { about, age, byPassword, close, fresh, liar, linkedUser, localUser, otp, start, whoIs } = ssoActs(
    () => ({ stage, party }),
  )

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })
  after(close)

  describe('X3 an answer in another browser', () => {
    it('logs in nobody but the one who was sent away, and tells the other nothing', async () => {
      const heron = await liar()
      const { person } = await linkedUser(heron)
      const attacker = await send(fresh(), await start(), person.email)
      const { location = '' } = await callback(heron, attacker.away)
      const victim = fresh()
      const cookieless = await victim.follow(location)
      expect(cookieless.status).to.equal(400)
      const own = await send(victim, await start(), person.email)
      expect((await victim.follow(location)).status, 'with a login of their own').to.equal(400)
      const [, handle = ''] = location.split('?h=')
      // Nothing waits there for this handle: the login is where it was.
      const moved = await victim.follow(`${own.base}/sso?h=${handle}`)
      expect(moved.heading, 'moved to it').to.equal('Log in with Heron ID')
      const cookie = [...victim.cookies].find(([name]) => name.startsWith('sallyport_interaction\n'))
      expect(cookie, 'a cookie of their own').not.to.equal(undefined)
      const names = [...victim.cookies].map(([name, { value }]) => `${name.split('\n')[0]}=${value}`)
      expect((await victim.get(location, { cookie: names.join('; ') })).status, 'and its cookie').to.equal(
        400,
      )
      expect(await whoIs(victim)).to.equal(undefined)
      expect(cookieless.body).not.to.include(handle)
      // It waited: nothing of all that was a use of it.
      expect(isIn(await attacker.visitor.follow(location))).to.equal(true)
    })

    it('is nothing at an address that no connection has', async () => {
      for (const id of ['%00', 'sso_0', 'x'.repeat(65), '..%2fadmin', "'--"]) {
        expect((await fresh().get(`/sso/oidc/${id}?state=x`)).status, id).to.be.oneOf([400, 404])
        expect((await fresh().get(`/sso/saml/${id}/metadata`)).status, id).to.equal(404)
        const answer = await fresh().post(`/sso/saml/${id}/acs`, { SAMLResponse: 'x' })
        expect(answer.status, id).to.be.oneOf([400, 404])
        expect((await fresh().post(`/sso/oidc/${id}/logout`, { logout_token: 'x' })).status, id).to.equal(404)
        expect((await fresh().get(`/sso/saml/${id}/slo?SAMLRequest=x`)).status, id).to.equal(404)
      }
    })

    it('is no login of another that the same browser began', async () => {
      const heron = await liar()
      const { person } = await linkedUser(heron)
      const visitor = fresh()
      const first = await send(visitor, await start(), person.email)
      const second = await send(visitor, await start(), person.email)
      const { location = '' } = await callback(heron, first.away)
      const [, handle = ''] = location.split('?h=')
      const moved = await visitor.follow(`${second.base}/sso?h=${handle}`)
      expect(moved.heading).to.equal('Log in with Heron ID')
      expect(await whoIs(visitor)).to.equal(undefined)
    })

    it('is refused without a state, with one that is nobody’s, reused, too old or of another connection', async () => {
      const heron = await liar()
      const other = await liar()
      const { person } = await linkedUser(heron)
      const sent = await send(fresh(), await start(), person.email)
      const query = heron.upstream.visit(sent.away)
      const without = new URLSearchParams(query)
      without.delete('state')
      const invented = new URLSearchParams(query)
      invented.set('state', randomBytes(32).toString('base64url'))
      expect((await bring(sent.away, without)).status, 'none').to.equal(400)
      expect((await bring(sent.away, invented)).status, 'invented').to.equal(400)
      const elsewhere = sent.away.replaceAll(heron.connectionId, other.connectionId)
      expect((await bring(elsewhere, query)).status, 'of another connection').to.equal(400)
      const { location = '' } = await bring(sent.away, query)
      expect(location).to.include('?h=')
      expect((await bring(sent.away, query)).status, 'reused').to.equal(400)
      expect((await bring(sent.away, heron.upstream.visit(sent.away))).status, 'with another code').to.equal(
        400,
      )

      const late = await send(fresh(), await start(), person.email)
      await change(stage, 'UPDATE sso_requests SET expires_at = ? WHERE answered_at IS NULL', [stage.now()])
      expect((await callback(heron, late.away)).status, 'too old').to.equal(400)
      expect((await late.visitor.follow(late.base)).heading).to.equal('Log in with Heron ID')
    })

    it('counts once: one state of 20 at once, one handle of 20 at once, and none ever again', async () => {
      const heron = await liar()
      const { person } = await linkedUser(heron)
      const { visitor, base, away } = await send(fresh(), await start(), person.email)
      const query = heron.upstream.visit(away)
      const before = heron.upstream.asked.length
      const answers = await Promise.all(Array.from({ length: 20 }, () => bring(away, query)))
      const redeemed = heron.upstream.asked.slice(before).filter(each => each === '/token')
      expect(redeemed, 'the code is redeemed once').to.have.length(1)
      const [taken, ...more] = answers.filter(each => each.location?.includes('?h='))
      expect(more).to.deep.equal([])
      const location = taken?.location ?? ''
      const uses = await Promise.all(Array.from({ length: 20 }, () => visitor.clone().get(location)))
      expect(uses.filter(each => each.status >= 500)).to.deep.equal([])
      expect(
        await rows(stage, 'SELECT id FROM sso_requests WHERE used_at IS NOT NULL AND interaction = ?', [
          base.split('/').at(-1) ?? '',
        ]),
      ).to.have.length(1)
      expect(isIn(await visitor.follow(base))).to.equal(true)
      expect((await visitor.get(location)).status, 'after the login').to.equal(400)
    })

    it('says once that there was no login, of 20 handles at once', async () => {
      const heron = await liar()
      const { person } = await linkedUser(heron)
      const { visitor, away } = await send(fresh(), await start(), person.email)
      heron.says(about(person, { aud: 'another party' }))
      const { location = '' } = await callback(heron, away)
      const uses = await Promise.all(Array.from({ length: 20 }, () => visitor.clone().get(location)))
      expect(uses.filter(each => each.status >= 500)).to.deep.equal([])
      expect(await audited(stage, 'sso.failed', person)).to.equal(1)
    })

    it('links once, and makes one account, of 20 handles at once', async () => {
      const heron = await liar({ connection: { twoFactor: { acr: [], amr: ['mfa'] }, createsUsers: true } })
      const person = await member(stage, heron, 'dana', { mailbox: false })
      for (const email of [person.email, heron.email('new')]) {
        heron.says(about({ email }))
        const { visitor, away } = await send(fresh(), await start(), email)
        const { location = '' } = await callback(heron, away)
        const uses = await Promise.all(Array.from({ length: 20 }, () => visitor.clone().get(location)))
        expect(uses.filter(each => each.status >= 500)).to.deep.equal([])
        const found = await rows(stage, 'SELECT id FROM accounts WHERE email_key = ?', [email])
        expect(found).to.have.length(1)
        expect((await linked(stage, heron)).filter(each => each === found[0]?.id)).to.have.length(1)
        expect(await audited(stage, 'sso.linked', person)).to.equal(1)
      }
    })

    it('does not step a session up as somebody else, and links nobody in it', async () => {
      const heron = await liar()
      const { person, visitor } = await linkedUser(heron)
      const other = await linkedUser(heron, 'eve')
      await age()
      const stepUp = { acr_values: ACR['2fa'], max_age: '300' }
      for (const claims of [
        about(other.person),
        about(person, { sub: 'a stranger' }),
        about({ email: heron.email('nobody') }),
        about(await member(stage, heron, 'unlinked')),
      ]) {
        heron.says(claims)
        const page = await visitor.follow(await start(stepUp))
        const base = `/interaction/${uidOf(page.url)}`
        const refused = await again(heron, visitor, base)
        expect(refused.status, String(claims.sub)).to.equal(400)
        expect((await visitor.follow(base)).heading).to.equal('Log in with Heron ID')
      }
      expect(await whoIs(visitor)).to.equal(person.id)
      expect(await linked(stage, heron)).to.have.length(2)
    })

    it('S1 is another’s session where another comes back to a login, with nothing of the first', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      const eve = await linkedUser(heron, 'eve', { amr: [] }).catch(() => undefined)
      expect(eve, 'who has no second factor').to.equal(undefined)
      const visitor = fresh()
      const { base } = await send(visitor, await start(), user.person.email)
      await byPassword(visitor, base)
      await otp(visitor, base, user)
      // Two factors of the first are proven in this interaction; nobody has finished it.
      const second = await member(stage, heron, 'finn')
      heron.says(about(second, { amr: [] }))
      expect((await visitor.post(`${base}/sso`, {})).status).to.equal(409)
      const page = await through(heron, visitor, await start(), second.email)
      expect(page.heading).to.equal('Set up two-factor authentication')
      expect(await whoIs(visitor)).to.equal(undefined)
    })
  })

  describe('X8 what changes while somebody is away', () => {
    type Change = (heron: Liar, person: Person) => Promise<unknown>
    const status =
      (to: string): Change =>
      (_, { id }) =>
        change(stage, 'UPDATE accounts SET status = ? WHERE id = ?', [to, id])
    const off: Change = ({ connectionId }) =>
      change(stage, "UPDATE sso_connections SET status = 'off' WHERE id = ?", [connectionId])
    const changes: Record<string, Change> = {
      'the connection is switched off': off,
      'the connection is deleted': ({ connectionId }) =>
        change(stage, 'DELETE FROM sso_connections WHERE id = ?', [connectionId]),
      'the account is deactivated': status('deactivated'),
      'the account is locked': status('locked'),
      'the account is deleted': (_, { id }) => change(stage, 'DELETE FROM accounts WHERE id = ?', [id]),
      'the plan has no single sign-on any more': ({ organisationId }) =>
        change(stage, "UPDATE organisations SET plan = 'Trial' WHERE id = ?", [organisationId]),
    }
    const firstOnly: Record<string, Change> = {
      'the domain is taken away': ({ domainId, organisationId, commit }) =>
        commit(deleteDomain({ id: domainId, organisationId })),
      'the account is in another organisation': async (_, { id }) => {
        const { organisationId } = await stage.person()
        return change(stage, 'UPDATE accounts SET organisation_id = ? WHERE id = ?', [organisationId, id])
      },
    }
    const cases = (among: Record<string, Change>) =>
      Object.entries(among).flatMap(([name, make]) =>
        (['before the answer', 'before the page'] as const).map(when => ({ name, make, when })),
      )

    /** Goes away and comes back, with a change in between. */
    async function disturbed(heron: Liar, person: Person, { make, when }: ReturnType<typeof cases>[number]) {
      const { visitor, base, away } = await send(fresh(), await start(), person.email)
      if (when === 'before the answer') await make(heron, person)
      const answer = await callback(heron, away)
      if (when === 'before the page') await make(heron, person)
      const page = answer.location === undefined ? answer : await visitor.follow(answer.location)
      // Where the connection is gone, so is its answer, and the login is at its beginning.
      if (page.status === 200) expect(page.heading).to.be.oneOf(['Log in', 'Enter your password'])
      else expect(page.status).to.be.within(400, 499)
      expect((await visitor.follow(base)).status).to.be.below(500)
      return whoIs(visitor)
    }

    for (const each of cases(changes)) {
      it(`logs nobody in where ${each.name} ${each.when}`, async () => {
        const heron = await liar()
        const { person } = await linkedUser(heron)
        expect(await disturbed(heron, person, each)).to.equal(undefined)
      })
    }
    for (const each of cases({ ...changes, ...firstOnly })) {
      it(`links nobody where ${each.name} ${each.when}`, async () => {
        const heron = await liar()
        const person = await member(stage, heron, 'dana')
        heron.says(about(person))
        expect(await disturbed(heron, person, each)).to.equal(undefined)
        expect(await linked(stage, heron)).to.deep.equal([])
      })
    }

    it('makes no account by a domain that was taken away', async () => {
      const heron = await liar({ connection: { createsUsers: true } })
      const email = heron.email('new')
      heron.says(about({ email }))
      const { visitor, away } = await send(fresh(), await start(), email)
      const { location = '' } = await callback(heron, away)
      const { organisationId, domainId: id } = heron
      await heron.commit(deleteDomain({ id, organisationId }))
      expect((await visitor.follow(location)).status).to.equal(400)
      expect(await rows(stage, 'SELECT id FROM accounts WHERE email_key = ?', [email])).to.be.empty
    })

    it('is a login by what is here where the connection was switched off, and no dead end', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      const { visitor, base, away } = await send(fresh(), await start(), user.person.email)
      const { location = '' } = await callback(heron, away)
      await off(heron, user.person)
      const page = await visitor.follow(location)
      expect(visibleText(page)).to.include('Single sign-on isn’t offered for your account any more')
      await visitor.post(`${base}/password`, { password: PASSWORD, webauthn: 'none' })
      await otp(visitor, base, user)
      expect(isIn(await visitor.follow(base))).to.equal(true)
    })
  })

  describe('a way that is not offered', () => {
    it('is refused: single sign-on for who has none, before an address, at a code, and after the login', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      const plain = await stage.person()
      const visitor = fresh()
      const page = await visitor.follow(await start())
      const base = `/interaction/${uidOf(page.url)}`
      for (const way of ['sso', 'use-password']) {
        expect((await visitor.post(`${base}/${way}`, {})).status, 'before an address').to.equal(409)
      }
      await visitor.post(`${base}/identify`, { email: plain.email, webauthn: 'none' })
      expect((await visitor.post(`${base}/sso`, {})).status, 'who has none').to.equal(409)
      await visitor.post(`${base}/identify`, { email: user.person.email, webauthn: 'none' })
      await byPassword(visitor, base)
      expect((await visitor.post(`${base}/sso`, {})).status, 'at a code').to.equal(409)
      await otp(visitor, base, user)
      expect(isIn(await visitor.follow(base))).to.equal(true)
      expect((await visitor.post(`${base}/sso`, {})).status, 'after the login').to.equal(400)
    })

    it('S9 is refused where another site posts it', async () => {
      const heron = await liar()
      const person = await member(stage, heron, 'dana')
      const { visitor, base } = await send(fresh(), await start(), person.email)
      const foreign = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
      for (const way of ['sso', 'use-password']) {
        expect((await visitor.post(`${base}/${way}`, {}, foreign)).status).to.equal(403)
      }
    })

    it('takes no answer at a step that does not ask for one', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      const { visitor, base, away } = await send(fresh(), await start(), user.person.email)
      heron.says(about(user.person))
      const { location = '' } = await callback(heron, away)
      await byPassword(visitor, base)
      expect((await visitor.follow(location)).heading).to.equal('Verify your identity')
      expect(await linked(stage, heron)).to.deep.equal([])
      expect((await visitor.follow(location)).heading, 'nor later').to.equal('Verify your identity')
      expect(await linked(stage, heron)).to.deep.equal([])
    })
  })
})
