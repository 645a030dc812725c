// Attacks on single sign-on: somebody who is known at some identity provider, or has one, and wants to be somebody else
// here; somebody who gets hold of an answer, or has another take theirs; and somebody who wants to get round it.

import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import * as client from 'openid-client'
import { ACR } from '../../src/flow/assurance.ts'
import { lockAccount } from '../../src/store/account-lock.ts'
import { orderEmailChange } from '../../src/store/email-changes.ts'
import { newId } from '../../src/store/ids.ts'
import { assignDomain, deleteDomain, insertDomain, proveDomain } from '../../src/store/sso/domains.ts'
import { asking, type Console, openConsole, REQUESTS } from '../support/console.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { SsoOptions } from '../support/sso.ts'
import { PASSWORD, type Person, type Stage } from '../support/stage.ts'
import {
  type Begun,
  createVisitor,
  type Enrolled,
  type RelyingParty,
  relyingParty,
  textOf,
  uidOf,
  type Visitor,
  visibleText,
} from '../support/visitor.ts'
import {
  audited,
  challengeOf,
  change,
  codeIn,
  codeOf,
  DAY,
  givePasskey,
  MINUTE,
  mailed,
  RESET_LINK,
  rows,
} from './ground.ts'
import {
  again,
  awayIn,
  bring,
  type Claims,
  callback,
  type Liar,
  linked,
  logoutToken,
  member,
  openLiar,
  openSamlLiar,
  type SamlLiar,
  type Sent,
  send,
  through,
} from './sso-ground.ts'

const MFA: SsoOptions = { connection: { twoFactor: { acr: [], amr: ['mfa'] } } }

onEveryStage('attacks on single sign-on', open => {
  let stage: Stage
  let party: RelyingParty
  let app: Console
  const opened: { close(): Promise<void> }[] = []

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
    app = await openConsole(stage)
  })
  after(async () => {
    for (const each of opened) await each.close()
  })

  async function liar(options: SsoOptions = MFA): Promise<Liar> {
    const made = await openLiar(stage, options)
    opened.push(made)
    return made
  }

  const fresh = () => createVisitor(stage.origin)
  const start = async (params: Record<string, string> = {}) => (await party.begin(params)).url
  const isIn = ({ url }: { url: string }) => codeIn(url) !== undefined

  /** What an identity provider says of somebody, two factors and all. */
  const about = ({ email }: Pick<Person, 'email'>, more: Claims = {}): Claims => ({
    sub: `there of ${email}`,
    email,
    email_verified: true,
    amr: ['mfa'],
    ...more,
  })

  /** Who is logged in in a browser; undefined: nobody. */
  async function whoIs(visitor: Visitor): Promise<string | undefined> {
    const begun = await party.begin({ prompt: 'none' })
    const { url } = await visitor.follow(begun.url)
    return codeIn(url) === undefined ? undefined : (await party.finish(begun, url)).claims()?.sub
  }

  /** A user who has logged in by single sign-on, in a browser of theirs. */
  async function linkedUser(heron: Liar, name = 'dana', claims: Claims = {}) {
    const person = await member(stage, heron, name)
    heron.says(about(person, claims))
    const visitor = fresh()
    expect(isIn(await through(heron, visitor, await start(), person.email))).to.equal(true)
    return { person, visitor }
  }

  /** From the page of the identity provider to the one after the password. */
  async function byPassword(visitor: Visitor, base: string) {
    await visitor.post(`${base}/use-password`, {})
    await visitor.post(`${base}/password`, { password: PASSWORD, webauthn: 'none' })
    return visitor.follow(base)
  }

  async function setUp(visitor: Visitor, base: string, body: string): Promise<Enrolled> {
    const secret = textOf(body, 'key').replaceAll(' ', '')
    await visitor.post(`${base}/set-up`, { code: codeOf(stage, { secret }) })
    const recoveryCode = textOf((await visitor.follow(base)).body, 'recovery')
    await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
    await change(stage, 'UPDATE authenticators SET last_step = last_step - 2', [])
    return { secret, recoveryCode }
  }

  /** A user with a password and an authenticator, logged in by them. */
  async function localUser(heron: Liar, name = 'dana', params: Record<string, string> = {}) {
    const person = await member(stage, heron, name)
    const visitor = fresh()
    const begun = await party.begin(params)
    const { base } = await send(visitor, begun.url, person.email)
    const enrolled = await setUp(visitor, base, (await byPassword(visitor, base)).body)
    const { url } = await visitor.follow(base)
    return { person, visitor, begun, url, ...enrolled }
  }

  async function otp(visitor: Visitor, base: string, of: { secret: string }) {
    await change(stage, 'UPDATE authenticators SET last_step = last_step - 2', [])
    return visitor.post(`${base}/otp`, { code: codeOf(stage, of) })
  }

  describe('X1 an address that is not verified', () => {
    const forms = {
      missing: undefined,
      false: false,
      '"true"': 'true',
      '"false"': 'false',
      '1': 1,
      null: null,
    }
    it('links nobody, in whatever form it is said', async () => {
      const heron = await liar()
      const { person } = await localUser(heron)
      for (const [form, value] of Object.entries(forms)) {
        const visitor = fresh()
        heron.says(about(person, { email_verified: value }))
        const page = await through(heron, visitor, await start(), person.email)
        expect(page.heading, form).to.equal('Enter your password')
        expect(visibleText(page)).to.include('Heron ID didn’t say that this mailbox is yours')
        expect(await linked(stage, heron), form).to.deep.equal([])
        expect(await whoIs(visitor), form).to.equal(undefined)
      }
    })

    it('makes no account, and takes none that nobody has proven', async () => {
      const heron = await liar({ connection: { createsUsers: true } })
      const unproven = await member(stage, heron, 'eve', { mailbox: false })
      for (const email of [unproven.email, heron.email('new')]) {
        heron.says(about({ email }, { email_verified: 'true' }))
        const page = await through(heron, fresh(), await start(), email)
        expect(visibleText(page)).to.include('There is no account here for who you are')
      }
      expect(await linked(stage, heron)).to.deep.equal([])
      expect(await rows(stage, 'SELECT id FROM accounts WHERE email_key = ?', [heron.email('new')])).to.be
        .empty
    })

    it('links once its user has logged in by all that is due here, and not by a password alone', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      heron.says(about(user.person, { email_verified: false }))
      const visitor = fresh()
      const { base } = await through(heron, visitor, await start(), user.person.email)
      await visitor.post(`${base}/password`, { password: 'wrong walrus under the wardrobe' })
      expect((await visitor.follow(base)).heading).to.equal('Enter your password')
      const half = await byPassword(visitor, base)
      expect(half.heading).to.equal('Verify your identity')
      expect(await linked(stage, heron), 'by a password alone').to.deep.equal([])
      expect(await whoIs(visitor)).to.equal(undefined)
      await otp(visitor, base, user)
      expect(isIn(await visitor.follow(base))).to.equal(true)
      expect(await linked(stage, heron)).to.deep.equal([user.person.id])
      expect(await audited(stage, 'sso.linked', user.person)).to.equal(1)

      const next = await through(heron, fresh(), await start(), user.person.email)
      expect(isIn(next), 'the address plays no part any more').to.equal(true)
      expect(await audited(stage, 'sso.linked', user.person)).to.equal(1)
    })

    it('links no other account than the one that was said, whoever logs in', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      const other = await localUser(heron, 'eve')
      heron.says(about(user.person, { email_verified: false }))
      const visitor = fresh()
      const { base } = await through(heron, visitor, await start(), user.person.email)
      await visitor.post(`${base}/identify`, { email: other.person.email, webauthn: 'none' })
      expect((await byPassword(visitor, base)).heading).to.equal('Verify your identity')
      await otp(visitor, base, other)
      expect(isIn(await visitor.follow(base))).to.equal(true)

      const passkey = await givePasskey(stage, other.person)
      const second = fresh()
      const proving = await through(heron, second, await start(), user.person.email)
      const page = await second.get(`${proving.base}?with=passkey`)
      const response = JSON.stringify(passkey.assert(challengeOf(page)))
      expect((await second.post(`${proving.base}/passkey`, { response })).status).to.equal(303)
      expect(isIn(await second.follow(proving.base))).to.equal(true)
      expect(await whoIs(second)).to.equal(other.person.id)
      expect(await linked(stage, heron)).to.deep.equal([])
    })

    it('is linked once, when two prove it at the same time', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      const proving: Sent[] = []
      for (const sub of ['first', 'second']) {
        const visitor = fresh()
        heron.says(about(user.person, { sub, email_verified: false }))
        const sent = await through(heron, visitor, await start(), user.person.email)
        await byPassword(visitor, sent.base)
        await otp(visitor, sent.base, user)
        proving.push(sent)
      }
      const ends = await Promise.all(proving.map(({ visitor, base }) => visitor.follow(base)))
      expect(ends.filter(isIn)).to.have.length(1)
      expect(await linked(stage, heron)).to.deep.equal([user.person.id])
    })

    it('X8 is not linked by a connection that was switched off before it was proven', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      heron.says(about(user.person, { email_verified: false }))
      const visitor = fresh()
      const { base } = await through(heron, visitor, await start(), user.person.email)
      await byPassword(visitor, base)
      await change(stage, "UPDATE sso_connections SET status = 'off' WHERE id = ?", [heron.connectionId])
      await otp(visitor, base, user)
      await visitor.follow(base)
      expect(await linked(stage, heron)).to.deep.equal([])
    })
  })

  describe('X2 an account that somebody made with another’s address', () => {
    it('is its owner’s alone after their first login by single sign-on', async () => {
      const heron = await liar()
      const person = await member(stage, heron, 'dana', { mailbox: false })
      const offline = { scope: 'openid offline_access', prompt: 'consent' }
      const attacker = fresh()
      const begun = await party.begin(offline)
      const { base } = await send(attacker, begun.url, person.email)
      await setUp(attacker, base, (await byPassword(attacker, base)).body)
      const consent = await attacker.follow(base)
      const { location = '' } = await attacker.post(`/interaction/${uidOf(consent.url)}/consent`, {
        answer: 'allow',
      })
      const tokens = await party.finish(begun, (await attacker.follow(location)).url)
      expect(tokens.refresh_token).to.be.a('string')
      const passkey = await givePasskey(stage, person)
      await createVisitor(stage.origin).post('/forgot-password', { email: person.email })
      const reset = await mailed(stage, person, RESET_LINK)
      const moving = randomBytes(32).toString('base64url')
      await heron.commit(
        ...orderEmailChange(
          { ...person, epoch: 0 },
          { id: newId('chg'), to: 'thief@evil.example', token: moving, sessionUid: 'theirs' },
          stage.now(),
        ),
      )
      const waiting = fresh()
      const half = await send(waiting, await start(), person.email)
      expect((await byPassword(waiting, half.base)).heading).to.equal('Verify your identity')

      heron.says(about(person))
      const owner = fresh()
      expect(isIn(await through(heron, owner, await start(), person.email))).to.equal(true)
      expect(await whoIs(owner)).to.equal(person.id)

      const left = await rows(
        stage,
        `SELECT (SELECT count(*) FROM passkeys p WHERE p.account_id = a.id) AS passkeys,
           (SELECT count(*) FROM authenticators u WHERE u.account_id = a.id) AS authenticators,
           (SELECT count(*) FROM recovery_codes r WHERE r.account_id = a.id) AS recovery_codes,
           (SELECT count(*) FROM emailed_tokens t WHERE t.account_id = a.id AND t.used_at IS NULL) AS links,
           password_hash FROM accounts a WHERE a.id = ?`,
        [person.id],
      )
      expect(left.map(each => Object.values(each).map(value => Number(value)))).to.deep.equal([
        [0, 0, 0, 0, 0],
      ])
      expect(await whoIs(attacker), 'a session').to.equal(undefined)
      const refreshed = await client
        .refreshTokenGrant(party.config, tokens.refresh_token ?? '')
        .catch((error: unknown) => error)
      expect(refreshed, 'a refresh token').to.have.property('error', 'invalid_grant')
      expect((await waiting.follow(half.base)).heading, 'a login half way').not.to.match(/Verify|Set up/)
      for (const link of [reset, `/link/email/${moving}`]) {
        expect(
          (await fresh().post(link, { password: 'seven herons polish copper kettles' })).status,
          link,
        ).to.be.within(400, 499)
      }
      const late = fresh()
      const page = await send(late, await start(), person.email)
      const login = await late.get(`${page.base}?with=passkey`)
      const response = JSON.stringify(passkey.assert(challengeOf(login)))
      expect((await late.post(`${page.base}/passkey`, { response })).status, 'a passkey').to.equal(400)
      expect((await byPassword(late, page.base)).heading, 'a password').to.equal('Enter your password')
      expect(await rows(stage, 'SELECT id FROM accounts WHERE email_key = ?', ['thief@evil.example'])).to.be
        .empty
    })
  })

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

  describe('an organisation that claims another’s people', () => {
    it('gets none of them: not by their address, not by a new account, not by a domain that it says is its own', async () => {
      const heron = await liar()
      const thief = await liar({ connection: { twoFactor: { acr: [], amr: ['mfa'] }, createsUsers: true } })
      const dana = await member(stage, heron, 'dana')
      const ids = { id: newId('dom'), organisationId: thief.organisationId }
      const { domain } = heron
      await thief.commit(insertDomain({ ...ids, domain, token: 'x' }, stage.now()))
      for (const write of [proveDomain(ids), assignDomain(ids, thief.connectionId, true)]) {
        const refused = await thief.commit(write).catch((error: unknown) => error)
        expect(refused).to.have.property('refusal')
      }
      for (const email of [
        dana.email,
        heron.email('new'),
        `dana@sub.${domain}`,
        `dana@${domain}.evil.example`,
      ]) {
        thief.says(about({ email }))
        const visitor = fresh()
        const page = await through(thief, visitor, await start(), thief.email('mallory'))
        expect(visibleText(page), email).to.include('whose domain isn’t your organisation’s')
        expect(await whoIs(visitor)).to.equal(undefined)
      }
      expect(await linked(stage, thief)).to.deep.equal([])
      const sent = await send(fresh(), await start(), dana.email)
      expect(sent.away, 'whose addresses go home').to.include(heron.upstream.issuer)
    })

    it('gets nobody whose address is of its domain, and whose account is another organisation’s', async () => {
      const heron = await liar()
      const thief = await liar({ connection: { twoFactor: { acr: [], amr: ['mfa'] }, createsUsers: true } })
      const dana = await member(stage, { ...heron, email: thief.email }, 'dana')
      thief.says(about(dana))
      const page = await through(thief, fresh(), await start(), dana.email)
      expect(visibleText(page)).to.include('There is no account in this organisation')
      // Linked once, and moved since.
      const mine = await linkedUser(thief, 'finn')
      await change(stage, 'UPDATE accounts SET organisation_id = ? WHERE id = ?', [
        heron.organisationId,
        mine.person.id,
      ])
      const moved = await through(thief, fresh(), await start(), mine.person.email)
      expect(visibleText(moved)).to.include('There is no account in this organisation')
    })

    it('has no word, by one of its providers, about those who log in by another', async () => {
      const heron = await liar()
      const contractors = await liar({
        connection: { twoFactor: { acr: [], amr: ['mfa'] }, createsUsers: true },
      })
      for (const table of ['sso_connections', 'sso_domains']) {
        await change(stage, `UPDATE ${table} SET organisation_id = ? WHERE organisation_id = ?`, [
          heron.organisationId,
          contractors.organisationId,
        ])
      }
      const boss = await member(stage, heron, 'boss', { role: 'admin' })
      for (const email of [boss.email, heron.email('new')]) {
        contractors.says(about({ email }))
        const visitor = fresh()
        const page = await through(contractors, visitor, await start(), contractors.email('mallory'))
        expect(visibleText(page), email).to.include('logs in by another provider of your organisation')
        expect(await whoIs(visitor)).to.equal(undefined)
      }
      expect(await linked(stage, contractors)).to.deep.equal([])
      contractors.says(about({ email: contractors.email('mallory') }))
      expect(isIn(await through(contractors, fresh(), await start(), contractors.email('mallory')))).to.equal(
        true,
      )
      // A domain that is nobody's way in is the organisation's still.
      await heron.commit(
        assignDomain({ id: heron.domainId, organisationId: heron.organisationId }, null, false),
      )
      contractors.says(about(boss))
      expect(isIn(await through(contractors, fresh(), await start(), contractors.email('boss')))).to.equal(
        true,
      )
    })

    it('is known by connection and subject: the same subject elsewhere is somebody else', async () => {
      const heron = await liar()
      const other = await liar()
      const dana = await linkedUser(heron)
      const eve = await member(stage, other, 'eve')
      other.says(about(eve, { sub: `there of ${dana.person.email}` }))
      const visitor = fresh()
      await through(other, visitor, await start(), eve.email)
      expect(await whoIs(visitor)).to.equal(eve.id)
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

  it('E4 a link that a thief added goes when the owner locks the account, and an older one stays', async () => {
    const heron = await liar()
    const { person } = await linkedUser(heron)
    const lock = async (token: string) => {
      const account = await stage.running.services.accounts.find(person.id)
      if (account === undefined) throw new Error('the account is gone')
      const link = { token, until: stage.now() + DAY }
      await heron.commit(...lockAccount(account, link, stage.now() - 7 * DAY, stage.now()))
      await change(stage, "UPDATE accounts SET status = 'active' WHERE id = ?", [person.id])
    }
    await change(stage, 'UPDATE sso_identities SET created_at = ? WHERE account_id = ?', [
      stage.now() - 8 * DAY,
      person.id,
    ])
    await lock('first')
    expect(await linked(stage, heron)).to.deep.equal([person.id])
    await change(stage, 'UPDATE sso_identities SET created_at = ? WHERE account_id = ?', [
      stage.now() - DAY,
      person.id,
    ])
    await lock('second')
    expect(await linked(stage, heron)).to.deep.equal([])
  })

  describe('an address that changed at the provider', () => {
    it('changes nobody: the subject says who it is', async () => {
      const heron = await liar()
      const { person } = await linkedUser(heron)
      const eve = await member(stage, heron, 'eve')
      for (const email of [eve.email, 'dana@elsewhere.example', undefined]) {
        const visitor = fresh()
        const claims = about(person, { email })
        heron.upstream.lies = { claims, userinfo: { sub: claims.sub, email: undefined } }
        await through(heron, visitor, await start(), person.email)
        expect(await whoIs(visitor), String(email)).to.equal(person.id)
      }
      expect(await linked(stage, heron)).to.deep.equal([person.id])
    })

    it('gives an account to no second subject that has its address', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      heron.says(about(user.person))
      await through(heron, fresh(), await start(), user.person.email)
      for (const claims of [{ sub: 'new' }, { sub: 'new', email_verified: false }]) {
        heron.says(about(user.person, claims))
        const visitor = fresh()
        const { base } = await through(heron, visitor, await start(), user.person.email)
        expect(await whoIs(visitor)).to.equal(undefined)
        await byPassword(visitor, base)
        await otp(visitor, base, user)
        await visitor.follow(base)
        expect(await linked(stage, heron), JSON.stringify(claims)).to.deep.equal([user.person.id])
      }
      expect(await audited(stage, 'sso.linked', user.person)).to.equal(1)
    })

    it('is no address where it is none, or has something in front or behind', async () => {
      const heron = await liar()
      const dana = await member(stage, heron, 'dana')
      for (const email of [
        `${dana.email}\r\nBcc: x@evil.example`,
        `${dana.email},x@evil.example`,
        `<${dana.email}>`,
        `x@evil.example@${heron.domain}`,
        `dana@${heron.domain}.`,
        [dana.email],
        { toString: dana.email },
      ]) {
        heron.says(about(dana, { email }))
        const page = await through(heron, fresh(), await start(), dana.email)
        expect(page.status, JSON.stringify(email)).to.equal(400)
      }
      expect(await linked(stage, heron)).to.deep.equal([])
    })
  })

  describe('a logout that the provider tells of', () => {
    const tell = ({ connectionId }: Liar, token: string) =>
      fetch(`${stage.origin}/sso/oidc/${connectionId}/logout`, {
        method: 'POST',
        body: new URLSearchParams({ logout_token: token }),
      })

    it('counts once, and ends no session of a later login', async () => {
      const heron = await liar()
      const { person, visitor } = await linkedUser(heron, 'dana', { sid: 'first' })
      const sub = `there of ${person.email}`
      heron.upstream.lies = {}
      const token = await logoutToken(heron, stage.now(), { sub })
      expect((await tell(heron, token)).status).to.equal(200)
      expect(await whoIs(visitor)).to.equal(undefined)
      heron.says(about(person, { sid: 'second' }))
      const later = fresh()
      await through(heron, later, await start(), person.email)
      expect((await tell(heron, token)).status, 'again').to.equal(400)
      expect(await whoIs(later)).to.equal(person.id)
    })

    it('ends nothing of another connection, another subject, another session, or of a login by password', async () => {
      const heron = await liar()
      const other = await liar()
      const { person, visitor } = await linkedUser(heron, 'dana', { sid: 'mine' })
      const sub = `there of ${person.email}`
      for (const each of [heron, other]) each.upstream.lies = {}
      const foreign = await logoutToken(other, stage.now(), { sub, sid: 'mine' })
      expect((await tell(heron, foreign)).status, 'of another connection').to.equal(400)
      expect((await tell(other, foreign)).status, 'at its own').to.equal(200)
      for (const claims of [
        { sub: 'foreign' },
        { sub: 'foreign', sid: 'mine' },
        { sub, sid: 'other' },
        { sid: 'other' },
      ]) {
        await tell(heron, await logoutToken(heron, stage.now(), claims))
        expect(await whoIs(visitor), JSON.stringify(claims)).to.equal(person.id)
      }
      const local = await localUser(heron, 'eve')
      heron.says(about(local.person))
      await through(heron, fresh(), await start(), local.person.email)
      heron.upstream.lies = {}
      await tell(heron, await logoutToken(heron, stage.now(), { sub: `there of ${local.person.email}` }))
      expect(await whoIs(local.visitor), 'by password').to.equal(local.person.id)
    })
  })

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
      const heron = await saml({ idpInitiated: true })
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
      const heron = await saml({ idpInitiated: true })
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
      const heron = await saml({ idpInitiated: true })
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

  it('L11 tells nothing of an address that goes to an identity provider', async () => {
    const heron = await liar()
    const known = await linkedUser(heron)
    const people = { known: known.person.email, unknown: heron.email('nobody') }
    for (const status of ['locked', 'deactivated', 'invited']) {
      const { id, email } = await member(stage, heron, status)
      await change(stage, 'UPDATE accounts SET status = ? WHERE id = ?', [status, id])
      Object.assign(people, { [status]: email })
    }
    const breakGlass = await member(stage, heron, 'admin')
    await change(stage, 'UPDATE accounts SET break_glass = 1 WHERE id = ?', [breakGlass.id])
    Object.assign(people, { breakGlass: breakGlass.email })
    for (const ssoOnly of [0, 1]) {
      await change(stage, 'UPDATE sso_domains SET sso_only = ? WHERE id = ?', [ssoOnly, heron.domainId])
      const seen = new Set<string>()
      for (const email of Object.values(people)) {
        const { visitor, base, away } = await send(fresh(), await start(), email)
        const url = new URL(away)
        for (const name of ['state', 'nonce', 'code_challenge', 'login_hint']) url.searchParams.delete(name)
        const plain = (text: string) =>
          text
            .replaceAll(email, 'EMAIL')
            .replaceAll(base, 'BASE')
            .replace(/nonce="[^"]+"/g, '')
        const pages = [await visitor.get(base)]
        await visitor.post(`${base}/use-password`, {})
        pages.push(await visitor.get(base))
        pages.push(await visitor.post(`${base}/password`, { password: 'wrong walrus under the wardrobe' }))
        seen.add(
          [url.href, ...pages.map(each => `${each.status} ${visibleText({ body: plain(each.body) })}`)].join(
            '\n',
          ),
        )
        expect([...visitor.cookies.keys()].some(each => /session/.test(each))).to.equal(false)
      }
      expect([...seen], `sso only: ${ssoOnly}`).to.have.length(1)
    }
  })

  it('E6 no secret of a login is in the log, the audit log, a page, or readable in the database', async () => {
    const heron = await liar()
    const person = await member(stage, heron, 'dana')
    heron.says(about(person))
    const { visitor, base, away } = await send(fresh(), await start(), person.email)
    const asked = new URL(away).searchParams
    const query = heron.upstream.visit(away)
    const [request] = await rows(stage, 'SELECT id, sealed FROM sso_requests WHERE interaction = ?', [
      base.split('/').at(-1) ?? '',
    ])
    const { keyring } = stage.running.services
    const pending = JSON.parse(
      keyring.open(String(request?.sealed), ['sso_requests', 'sealed', String(request?.id)]).toString(),
    ) as { oidc: { verifier: string } }
    const back = await bring(away, query)
    const location = back.location ?? ''
    const pages = [back, await visitor.follow(location)]
    const again = await visitor.get(location)
    const lost = await bring(away, query)
    // A token endpoint that says no, and repeats what it was told.
    const failed = await send(fresh(), await start(), person.email)
    const second = heron.upstream.visit(failed.away)
    let told = ''
    heron.upstream.lies = {
      paths: {
        '/token': (incoming, response) => {
          incoming.on('data', chunk => {
            told += chunk
          })
          incoming.on('end', () => {
            response.statusCode = 400
            response.setHeader('content-type', 'application/json')
            response.end(JSON.stringify({ error: 'invalid_grant', error_description: told }))
          })
        },
      },
    }
    const refused = await bring(failed.away, second)
    pages.push(again, lost, refused, await failed.visitor.follow(refused.location ?? ''))

    const idp = await openSamlLiar(stage)
    await member(stage, idp, 'dana')
    const sent = await send(fresh(), await start(), idp.email('dana'))
    const form = idp.answer(sent.away)
    const posted = await idp.post(form)
    pages.push(posted, await sent.visitor.follow(posted.location ?? ''), await idp.post(form))

    const [connection] = await rows(stage, 'SELECT secret FROM sso_connections WHERE id = ?', [
      heron.connectionId,
    ])
    const secrets: Record<string, string> = {
      'client secret': keyring
        .open(String(connection?.secret), ['sso_connections', 'secret', heron.connectionId])
        .toString(),
      state: asked.get('state') ?? '',
      nonce: asked.get('nonce') ?? '',
      verifier: pending.oidc.verifier,
      code: query.get('code') ?? '',
      'second code': second.get('code') ?? '',
      handle: new URL(location).searchParams.get('h') ?? '',
      'second verifier': new URLSearchParams(told).get('code_verifier') ?? '',
      assertion: (form.SAMLResponse ?? '').slice(100, 200),
      RelayState: form.RelayState ?? '',
      'handle by SAML': new URL(posted.location ?? '').searchParams.get('h') ?? '',
    }
    const stored = await Promise.all(
      [
        'sso_requests',
        'audit_events',
        'oidc_artefacts',
        'oidc_sessions',
        'sso_connections',
        'spent',
        'jobs',
      ].map(async table => JSON.stringify(await rows(stage, `SELECT * FROM ${table}`))),
    )
    for (const [name, secret] of Object.entries(secrets)) {
      expect(secret, name).to.have.length.above(20)
      expect(stage.log.join('\n').includes(secret), `${name} in the log`).to.equal(false)
      expect(
        pages.some(each => each.location === undefined && each.body.includes(secret)),
        `${name} on a page`,
      ).to.equal(false)
      expect(
        stored.some(each => each.includes(secret)),
        `${name} in the database`,
      ).to.equal(false)
    }
    expect(stage.log.join('\n'), 'that something was logged').to.include('/sso/oidc/')
  })

  /** All that sessions hold was proven ten minutes before. */
  async function age(ms = 10 * MINUTE): Promise<void> {
    await change(stage, 'UPDATE session_facts SET verified_at = verified_at - ?', [ms])
  }
})
