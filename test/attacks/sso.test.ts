// Attacks on single sign-on: somebody who is known at some identity provider, or has one, and wants to be somebody else
// here; somebody who gets hold of an answer, or has another take theirs; and somebody who wants to get round it.

import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import * as client from 'openid-client'
import { ACR } from '../../src/flow/assurance.ts'
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
  errorOf,
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
      expect((await victim.follow(`${own.base}/sso?h=${handle}`)).status, 'moved to it').to.equal(400)
      expect(await whoIs(victim)).to.equal(undefined)
      expect(cookieless.body).not.to.include(handle)
      // It waited: nothing of all that was a use of it.
      expect(isIn(await attacker.visitor.follow(location))).to.equal(true)
    })

    it('is no login of another that the same browser began', async () => {
      const heron = await liar()
      const { person } = await linkedUser(heron)
      const visitor = fresh()
      const first = await send(visitor, await start(), person.email)
      const second = await send(visitor, await start(), person.email)
      const { location = '' } = await callback(heron, first.away)
      const [, handle = ''] = location.split('?h=')
      expect((await visitor.get(`${second.base}/sso?h=${handle}`)).status).to.equal(400)
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
      const answers = await Promise.all(Array.from({ length: 20 }, () => bring(away, query)))
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

  /** All that sessions hold was proven ten minutes before. */
  async function age(ms = 10 * MINUTE): Promise<void> {
    await change(stage, 'UPDATE session_facts SET verified_at = verified_at - ?', [ms])
  }
})
