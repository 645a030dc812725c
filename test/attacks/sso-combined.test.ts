// Attacks that take two doors at once: single sign-on, and what users, admins and other organisations may do beside it.

import { expect } from 'chai'
import { ACR } from '../../src/flow/assurance.ts'
import { readAccount } from '../../src/store/accounts/accounts.ts'
import { assignDomain } from '../../src/store/sso/domains.ts'
import { asking, type Console, openConsole, REQUESTS } from '../support/console.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { SsoOptions } from '../support/sso.ts'
import { PASSWORD, type Person, type Stage } from '../support/stage.ts'
import {
  createVisitor,
  type RelyingParty,
  relyingParty,
  textOf,
  uidOf,
  type Visitor,
  visibleText,
} from '../support/visitor.ts'
import { audited, change, codeIn, codeOf, MAILED_CODE, MINUTE, mailed } from './ground.ts'
import {
  again,
  awayIn,
  type Claims,
  callback,
  type Liar,
  linked,
  member,
  openLiar,
  through,
} from './sso-ground.ts'

const MFA: SsoOptions = { connection: { twoFactor: { acr: [], amr: ['mfa'] } } }
const CONFIRM = /http\S+\/link\/email-change\/[\w-]+/

onEveryStage('attacks on single sign-on and what is beside it', open => {
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
  const account = ({ id }: Pick<Person, 'id'>) => readAccount(stage.running.services.database, id)

  /** What an identity provider says of somebody, two factors and all. */
  const about = ({ email }: Pick<Person, 'email'>, more: Claims = {}): Claims => ({
    sub: `there of ${email}`,
    email,
    email_verified: true,
    amr: ['mfa'],
    ...more,
  })

  /** A user who has logged in by single sign-on, in a browser of theirs. */
  async function linkedUser(heron: Liar, name = 'dana', role: 'technician' | 'admin' = 'technician') {
    const person = await member(stage, heron, name, { role })
    heron.says(about(person))
    const visitor = fresh()
    expect(isIn(await through(heron, visitor, await start(), person.email))).to.equal(true)
    return { person, visitor }
  }

  describe('E4 a user whose domain is for single sign-on only, who takes the account to an address of their own', () => {
    const order = (visitor: Visitor, email: string) => visitor.post('/account/email', { email })

    it('is told no, and nothing is ordered', async () => {
      const heron = await liar({ ...MFA, ssoOnly: true })
      const { person, visitor } = await linkedUser(heron)
      for (const domain of ['private.example', `sub.${heron.domain}`, `evil${heron.domain}`]) {
        const answer = await order(visitor, `dana@${domain}`)
        expect(answer.status, domain).to.equal(400)
        expect(visibleText(answer), domain).to.include('by your organisation’s identity provider only')
      }
      expect(await audited(stage, 'email.change_ordered', person)).to.equal(0)
    })

    it('is told no by the link, too, where that was ordered before', async () => {
      const heron = await liar()
      const { person, visitor } = await linkedUser(heron)
      const own = `dana-of-${heron.domain}@private.example`
      expect((await order(visitor, own)).status).to.equal(303)
      const link = await mailed(stage, { email: own }, CONFIRM)
      await change(stage, 'UPDATE sso_domains SET sso_only = 1 WHERE id = ?', [heron.domainId])
      expect((await fresh().post(link, {})).heading).to.equal('This link no longer works')
      expect((await account(person))?.email).to.equal(person.email)
    })

    it('may have another of the domain', async () => {
      const heron = await liar({ ...MFA, ssoOnly: true })
      const { person, visitor } = await linkedUser(heron)
      const email = heron.email('dana.whitlock')
      expect((await order(visitor, `dana.whitlock@${heron.domain.toUpperCase()}`)).status).to.equal(303)
      expect((await fresh().post(await mailed(stage, { email }, CONFIRM), {})).status).to.equal(200)
      expect((await account(person))?.email).to.equal(email)
    })
  })

  it('X8 a provider of before has no word about those who log in by another only, also whom it knows', async () => {
    const before = await liar()
    const { person, visitor } = await linkedUser(before)
    const now = await liar()
    const { organisationId } = before
    for (const table of ['sso_connections', 'sso_domains']) {
      const moved = [organisationId, now.organisationId]
      await change(stage, `UPDATE ${table} SET organisation_id = ? WHERE organisation_id = ?`, moved)
    }
    const assign = (only: boolean) =>
      before.commit(assignDomain({ id: before.domainId, organisationId }, now.connectionId, only))
    // It goes on for others.
    await before.commit(assignDomain({ id: now.domainId, organisationId }, before.connectionId, false))
    const byBefore = async () => {
      // What the server has read of domains is kept for some seconds.
      stage.advance(30_000)
      before.says(about(person))
      return through(before, fresh(), await start(), now.email('anybody'))
    }
    await assign(false)
    expect(isIn(await byBefore()), 'where it is not the only one').to.equal(true)
    await assign(true)
    const page = await byBefore()
    expect(isIn(page)).to.equal(false)
    expect(visibleText(page)).to.include('logs in by another provider of your organisation')

    const asked = await visitor.follow(await start({ acr_values: ACR['2fa'], max_age: '1' }))
    const back = await again(before, visitor, `/interaction/${uidOf(asked.url)}`)
    expect(isIn(back), 'a step-up').to.equal(false)
  })

  it('somebody who is no admin by their groups is none from their first login there on', async () => {
    const heron = await liar({
      connection: { twoFactor: { acr: [], amr: ['mfa'] }, adminGroups: ['bosses'] },
    })
    const boss = await member(stage, heron, 'boss', { role: 'admin' })
    const { person, visitor } = await linkedUser(heron, 'dana', 'admin')
    expect((await account(person))?.role).to.equal('technician')
    expect((await visitor.follow('/admin')).status).to.equal(404)
    heron.says(about(boss, { groups: ['bosses'] }))
    await through(heron, fresh(), await start(), boss.email)
    expect((await account(boss))?.role).to.equal('admin')
  })

  describe('E4, E1 whoever finds a browser whose user is logged in at a provider that does not ask anew', () => {
    /** A user without a factor here, whose provider says from now on what it knows of before, whatever it is asked. */
    async function stale() {
      const heron = await liar()
      const user = await linkedUser(heron)
      stage.advance(60 * MINUTE)
      heron.says(about(user.person, { auth_time: Math.floor((stage.now() - 60 * MINUTE) / 1000) }))
      return { heron, ...user }
    }

    /** Nothing can be set up, until the mailbox is proven. */
    async function isHeldUp(visitor: Visitor, person: Person, base: string): Promise<void> {
      expect((await visitor.follow(base)).heading).to.equal('Check your email')
      for (const way of ['set-up', 'put-off', 'confirm', 'passkey-registration', 'use-password']) {
        expect((await visitor.post(`${base}/${way}`, {})).status, way).to.equal(409)
      }
      const code = (await mailed(stage, person, MAILED_CODE)).replace(' ', '')
      await visitor.post(`${base}/mailed-code`, { code })
      const page = await visitor.follow(base)
      expect(page.heading, 'their owner').to.equal('Set up two-factor authentication')
    }

    it('confirms no action by an authenticator of their own', async () => {
      const { heron, person, visitor } = await stale()
      const begun = await app.party.begin(asking(REQUESTS['device.delete']))
      const base = `/interaction/${uidOf((await visitor.follow(begun.url)).url)}`
      await again(heron, visitor, base)
      await isHeldUp(visitor, person, base)
      const secret = textOf((await visitor.follow(base)).body, 'key').replaceAll(' ', '')
      await visitor.post(`${base}/set-up`, { code: codeOf(stage, { secret }) })
      await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
      expect((await visitor.follow(base)).heading).to.match(/^Confirm/)
    })

    it('changes nothing of the account by one', async () => {
      const { heron, person, visitor } = await stale()
      const base = `/interaction/${uidOf((await visitor.follow('/account/email')).url)}`
      await again(heron, visitor, base)
      await isHeldUp(visitor, person, base)
    })

    it('sets none up by a login that is to start from nothing', async () => {
      const { heron, person } = await stale()
      const visitor = fresh()
      const { base } = await through(heron, visitor, await start({ prompt: 'login' }), person.email)
      await isHeldUp(visitor, person, base)
    })

    it('adds no passkey by logging in once more', async () => {
      const { heron, person } = await stale()
      const visitor = fresh()
      const base = `/interaction/${uidOf((await visitor.follow(await start())).url)}`
      const sent = await visitor.post(`${base}/identify`, { email: person.email, webauthn: 'platform' })
      const { location = '' } = await callback(heron, awayIn(sent))
      expect(isIn(await visitor.follow(location))).to.equal(true)
    })
  })

  it('X1 E4 a session of before proves nobody the owner of an account that their provider says is theirs', async () => {
    const heron = await liar({})
    const eve = await byWhatIsHere(await member(stage, heron, 'eve'))
    const dana = await byWhatIsHere(await member(stage, heron, 'dana'))
    stage.advance(60 * MINUTE)
    // In the browser in which Dana is logged in, a login is asked for that is about somebody else.
    const { visitor, person } = dana
    const page = await visitor.follow(await start({ id_token_hint: eve.idToken }))
    const base = `/interaction/${uidOf(page.url)}`
    await visitor.post(`${base}/identify`, { email: eve.person.email, webauthn: 'none' })
    heron.says(about(person, { sub: 'mallory there', email_verified: false }))
    const back = await again(heron, visitor, base)
    expect(back.heading).to.equal('Enter your password')
    expect(await linked(stage, heron)).to.deep.equal([])
    await visitor.post(`${base}/password`, { password: PASSWORD, webauthn: 'none' })
    expect((await visitor.follow(base)).heading).to.equal('Verify your identity')
    expect(await linked(stage, heron)).to.deep.equal([])
    expect(await audited(stage, 'sso.linked', person)).to.equal(0)
  })

  /** Logged in by a password and an authenticator that is set up at once. */
  async function byWhatIsHere(person: Person) {
    const visitor = fresh()
    const begun = await party.begin()
    const base = `/interaction/${uidOf((await visitor.follow(begun.url)).url)}`
    await visitor.post(`${base}/identify`, { email: person.email, webauthn: 'none' })
    await visitor.post(`${base}/use-password`, {})
    await visitor.post(`${base}/password`, { password: PASSWORD, webauthn: 'none' })
    const secret = textOf((await visitor.follow(base)).body, 'key').replaceAll(' ', '')
    await visitor.post(`${base}/set-up`, { code: codeOf(stage, { secret }) })
    await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
    const tokens = await party.finish(begun, (await visitor.follow(base)).url)
    return { person, visitor, idToken: String(tokens.id_token) }
  }
})
