// The access list of an organisation, as somebody sees it who is where they should not be: with a password, with a
// session cookie that was carried away, half way through a login, or with a header that says they are elsewhere.

import { expect } from 'chai'
import * as client from 'openid-client'
import { setAccessList } from '../../src/organisations/access-setting.ts'
import { resetSecondFactor } from '../../src/store/recovery/second-factor-resets.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Person, Stage } from '../support/stage.ts'
import {
  createVisitor,
  logIn,
  type RelyingParty,
  relyingParty,
  throughPassword,
  uidOf,
  type Visitor,
} from '../support/visitor.ts'
import {
  audited,
  challengeOf,
  change,
  codeIn,
  codeOf,
  errorOf,
  givePasskey,
  MINUTE,
  rows,
  type Victim,
  victim,
} from './ground.ts'

const INSIDE = '203.0.113.9'
const OUTSIDE = '198.51.100.7'
const REFUSED = 'You can’t log in from this address'
const EVENT = 'login.address_refused'

onEveryStage('attacks on the access list', open => {
  let stage: Stage
  let party: RelyingParty
  let foreign: RelyingParty

  before(async () => {
    stage = await open({ env: { SALLYPORT_TRUST_PROXY: '1' } })
    party = await relyingParty(stage)
    foreign = await relyingParty(stage, { firstParty: false })
  })

  const listFor = ({ organisationId }: Person, typed = '203.0.113.0/24\n2001:db8:42::/48') =>
    setAccessList(stage.directory, { organisationId, typed })

  /** Somebody with an authenticator, whose organisation has a list, and their browser, which is logged in. */
  async function member(options: Parameters<Stage['person']>[0] = {}): Promise<Victim> {
    const one = await victim(stage, party, options)
    const visitor = createVisitor(stage.origin, new Map(), INSIDE)
    await logIn(stage, visitor, (await party.begin()).url, one.person, one)
    stage.advance(30_000)
    await listFor(one.person)
    return { ...one, visitor }
  }

  const at = (address: string) => createVisitor(stage.origin, new Map(), address)
  const ask = async (visitor: Visitor, params: Record<string, string> = {}, app = party) =>
    visitor.follow((await app.begin(params)).url)
  const lastStep = async ({ id }: Person) =>
    (await rows(stage, 'SELECT last_step FROM authenticators WHERE account_id = ?', [id]))[0]?.last_step

  it('lets in from an address of the list as before, by IPv4, by IPv6, and by IPv4 that comes as IPv6', async () => {
    const { visitor } = await member()
    for (const address of [INSIDE, '2001:db8:42::1', '::ffff:203.0.113.7', '[2001:db8:42::1]:4711']) {
      expect(codeIn((await ask(visitor.at(address))).url), address).to.be.a('string')
      expect((await visitor.at(address).follow('/account')).heading, address).to.equal('Dana Whitlock')
    }
  })

  it('enumeration: tells a stranger nothing before the password is right', async () => {
    const { person } = await member()
    const free = await stage.person()
    const answers: unknown[] = []
    for (const email of [person.email, free.email, 'nobody@northgate.example']) {
      const visitor = at(OUTSIDE)
      const { base, page } = await throughPassword(visitor, (await party.begin()).url, email, 'wrong')
      const wrong = await visitor.post(`${base}/password`, { password: 'wrong' })
      const same = [page, wrong].map(({ status, heading, body }) => {
        return [status, heading, body.replaceAll(email, '').replaceAll(/(interaction\/|back=)[\w-]+/g, '')]
      })
      answers.push(same)
      expect(page.heading).to.equal('Enter your password')
    }
    expect(answers[0]).to.deep.equal(answers[1])
    expect(answers[0]).to.deep.equal(answers[2])
    expect(await audited(stage, EVENT, person)).to.equal(0)
  })

  it('says so after the password, names the address, and leads back to the app', async () => {
    const { person } = await member()
    const visitor = at(OUTSIDE)
    const { base, page } = await throughPassword(visitor, (await party.begin()).url, person.email)
    expect(page.heading).to.equal(REFUSED)
    expect(page.body).to.include(OUTSIDE)
    for (let n = 0; n < 3; n++) await visitor.get(base)
    await Promise.all(Array.from({ length: 5 }, () => visitor.get(base)))
    expect(await audited(stage, EVENT, person)).to.equal(1)
    const [event] = await rows(
      stage,
      'SELECT address, details FROM audit_events WHERE event = ? AND account_id = ?',
      [EVENT, person.id],
    )
    expect(event?.address).to.equal(OUTSIDE)
    expect(JSON.parse(String(event?.details))).to.deep.equal({ client: party.clientId, silent: false })
    await visitor.post(`${base}/leave`, {})
    // Nobody is logged in by it.
    expect((await visitor.follow('/account')).heading).to.equal('Log in')
    const left = at(OUTSIDE)
    const again = await throughPassword(left, (await party.begin()).url, person.email)
    const answer = await left.post(`${again.base}/leave`, {})
    expect(errorOf((await left.follow(answer.location ?? '')).url)).to.equal('access_denied')
    expect(await audited(stage, EVENT, person)).to.equal(2)
  })

  it('takes nothing more from outside, whatever is sent, and burns nothing', async () => {
    const one = await member()
    const before = await lastStep(one.person)
    const visitor = at(OUTSIDE)
    const { base } = await throughPassword(visitor, (await party.begin()).url, one.person.email)
    for (const [way, form] of [
      ['otp', { code: codeOf(stage, one) }],
      ['recovery', { code: one.recoveryCode }],
      ['set-up', { code: codeOf(stage, one) }],
      ['set-up-again', { answer: 'yes' }],
      ['put-off', {}],
      ['mailed-code', { code: '000000' }],
      ['send-code', {}],
      ['confirm', {}],
      ['give-up', {}],
      ['cancel', {}],
    ] as const) {
      expect((await visitor.post(`${base}/${way}`, form)).status, way).to.equal(409)
    }
    expect((await visitor.post(`${base}/consent`, { answer: 'allow' })).status).to.equal(409)
    expect((await visitor.get(base)).heading).to.equal(REFUSED)
    expect(await lastStep(one.person)).to.equal(before)
  })

  it('stops a login that goes on from another address, at each step, and lets it go on inside', async () => {
    const one = await member()
    const visitor = at(INSIDE)
    const thief = visitor.at(OUTSIDE)
    const { base, page } = await throughPassword(visitor, (await party.begin()).url, one.person.email)
    expect(page.heading).to.equal('Verify your identity')
    expect((await thief.get(base)).heading).to.equal(REFUSED)
    stage.advance(30_000)
    const code = codeOf(stage, one)
    expect((await thief.post(`${base}/otp`, { code })).status).to.equal(409)
    expect((await visitor.post(`${base}/otp`, { code })).status).to.equal(303)
    // All is proven: what is left is to finish, and to resume.
    expect((await thief.get(base)).heading).to.equal(REFUSED)
    const finished = await visitor.get(base)
    const resumed = await thief.follow(finished.location ?? '')
    expect(resumed.heading).to.equal(REFUSED)
    expect((await thief.follow('/account')).heading).to.equal(REFUSED)
    // The session that it began is good where it began.
    expect(codeIn((await ask(visitor)).url)).to.be.a('string')
  })

  it('a session that was carried away opens no app, no page and no console there', async () => {
    const { person, visitor } = await member({ name: 'Priya Raman', role: 'admin' })
    expect((await visitor.follow('/admin/users')).heading).to.equal('Security and authentication')
    const thief = visitor.clone().at(OUTSIDE)
    expect((await ask(thief)).heading).to.equal(REFUSED)
    for (const path of ['/account', '/admin/users', '/admin/access', '/admin/audit']) {
      const page = await thief.follow(path)
      expect(page.heading, path).to.equal(REFUSED)
      expect(page.body, path).not.to.include(person.email).and.not.to.include('Priya')
    }
    const page = await thief.follow('/account')
    const back = await thief.post(`${page.url.replace(/\?.*/, '')}/leave`, {})
    expect((await thief.follow(back.location ?? '')).heading).to.equal('You cancelled')
    // A silent answer of the prompts is no way round.
    const kept = await rows(stage, 'SELECT id FROM pending_forms')
    const post = await thief.post('/admin/access', { addresses: '0.0.0.0/0', seen: '' })
    expect([post.status, new URL(post.location ?? '').pathname]).to.deep.equal([303, '/auth'])
    expect((await thief.follow(post.location ?? '')).heading).to.equal(REFUSED)
    expect(await rows(stage, 'SELECT id FROM pending_forms')).to.deep.equal(kept)
    // Where it belongs, it still is.
    expect((await visitor.follow('/admin/users')).heading).to.equal('Security and authentication')
  })

  it('prompt=none: the app is told access_denied, and the log once an hour', async () => {
    const { person, visitor } = await member()
    const thief = visitor.clone().at(OUTSIDE)
    for (let n = 0; n < 5; n++) {
      const { url } = await ask(thief, { prompt: 'none' })
      expect(errorOf(url)).to.equal('access_denied')
      expect(codeIn(url)).to.equal(undefined)
    }
    expect(await audited(stage, EVENT, person)).to.equal(1)
    expect(errorOf((await ask(visitor.at('198.51.100.8'), { prompt: 'none' })).url)).to.equal('access_denied')
    expect(await audited(stage, EVENT, person)).to.equal(2)
    expect(codeIn((await ask(visitor, { prompt: 'none' })).url)).to.be.a('string')
    stage.advance(61 * MINUTE)
    await ask(thief, { prompt: 'none' })
    expect(await audited(stage, EVENT, person)).to.equal(3)
  })

  it('a step-up goes no further outside', async () => {
    const { visitor } = await member()
    const page = await ask(visitor, { acr_values: 'urn:sallyport:acr:2fa', max_age: '1' })
    expect(page.heading).to.match(/^Confirm/)
    const base = `/interaction/${uidOf(page.url)}`
    const thief = visitor.at(OUTSIDE)
    const shown = await thief.get(base)
    expect(shown.heading).to.equal(REFUSED)
    expect(shown.body).not.to.include('another account')
    expect((await thief.post(`${base}/identify`, { email: 'a@example.com' })).status).to.equal(409)
    const answer = await thief.post(`${base}/leave`, {})
    expect(errorOf((await thief.follow(answer.location ?? '')).url)).to.equal('access_denied')
  })

  it('a consent is neither shown nor given outside, and can be denied', async () => {
    const { person, visitor } = await member()
    const page = await ask(visitor, {}, foreign)
    expect(page.heading).to.match(/^Allow /)
    const base = `/interaction/${uidOf(page.url)}`
    const thief = visitor.at(OUTSIDE)
    const shown = await thief.get(base)
    expect(shown.heading).to.equal(REFUSED)
    expect(shown.body).not.to.include(person.email)
    expect((await thief.post(`${base}/consent`, { answer: 'allow' })).heading).to.equal(REFUSED)
    expect(await audited(stage, 'consent.granted', person)).to.equal(0)
    expect(await audited(stage, EVENT, person)).to.equal(1)
    const answer = await thief.post(`${base}/consent`, { answer: 'deny' })
    expect(errorOf((await thief.follow(answer.location ?? '')).url)).to.equal('access_denied')
  })

  it('a passkey is refused as a password is, and another account may log in there', async () => {
    const one = await member()
    const key = await givePasskey(stage, one.person)
    const visitor = at(OUTSIDE)
    const start = await ask(visitor)
    const base = `/interaction/${uidOf(start.url)}`
    await visitor.post(`${base}/passkey`, { response: JSON.stringify(key.assert(challengeOf(start))) })
    expect((await visitor.get(base)).heading).to.equal(REFUSED)
    expect(await audited(stage, EVENT, one.person)).to.equal(1)

    const free = await victim(stage, party)
    expect((await visitor.get(`${base}?with=identify`)).heading).to.equal('Log in')
    await visitor.post(`${base}/identify`, { email: free.person.email })
    await visitor.post(`${base}/password`, { password: 'quiet otters borrow nine lanterns' })
    stage.advance(30_000)
    await visitor.post(`${base}/otp`, { code: codeOf(stage, free) })
    expect(codeIn((await visitor.follow(base)).url)).to.be.a('string')
    // And is who is logged in, whoever was named first.
    expect((await visitor.follow('/account')).body).to.include(free.person.email)
  })

  it('naming another account of the same organisation, or the own one again, is no way in', async () => {
    const one = await member()
    const other = await stage.person({ organisationId: one.person.organisationId })
    const visitor = at(OUTSIDE)
    const { base } = await throughPassword(visitor, (await party.begin()).url, one.person.email)
    for (const { email } of [other, one.person]) {
      await visitor.post(`${base}/identify`, { email })
      expect((await visitor.get(base)).heading).to.equal('Enter your password')
      await visitor.post(`${base}/password`, { password: 'quiet otters borrow nine lanterns' })
      expect((await visitor.get(base)).heading).to.equal(REFUSED)
    }
  })

  it('prompt=login asks for the password before it says anything', async () => {
    const { person, visitor } = await member()
    const thief = visitor.clone().at(OUTSIDE)
    const page = await ask(thief, { prompt: 'login' })
    expect(page.heading).to.equal('Enter your password')
    const base = `/interaction/${uidOf(page.url)}`
    await thief.post(`${base}/password`, { password: 'quiet otters borrow nine lanterns' })
    expect((await thief.get(base)).heading).to.equal(REFUSED)
    expect(await audited(stage, EVENT, person)).to.equal(1)
  })

  it('mails nobody a code from outside, after a reset', async () => {
    const { person } = await member()
    const { database } = stage.running.services
    const who = { id: person.id, organisationId: person.organisationId, epoch: 0 }
    const [row] = await rows(stage, 'SELECT epoch FROM accounts WHERE id = ?', [person.id])
    await database.commit([
      ...resetSecondFactor({ ...who, epoch: Number(row?.epoch) }, 'operator', false, stage.now()),
    ])
    const { page } = await throughPassword(at(OUTSIDE), (await party.begin()).url, person.email)
    expect(page.heading).to.equal(REFUSED)
    expect(await audited(stage, 'mailed_code.sent', person)).to.equal(0)
    const inside = await throughPassword(at(INSIDE), (await party.begin()).url, person.email)
    expect(inside.page.heading).to.equal('Check your email')
  })

  it('holds for a session from the next request on, and is lifted as fast', async () => {
    const { person, visitor } = await member()
    const home = visitor.at(OUTSIDE)
    expect((await home.follow('/account')).heading).to.equal(REFUSED)
    await listFor(person, `${INSIDE}\n${OUTSIDE} # home`)
    expect((await home.follow('/account')).heading).to.equal('Dana Whitlock')
    await listFor(person, INSIDE)
    expect((await home.follow('/account')).heading).to.equal(REFUSED)
    await listFor(person, '')
    expect((await home.follow('/account')).heading).to.equal('Dana Whitlock')
  })

  it('is of one organisation, and of nobody else', async () => {
    await member()
    const other = await victim(stage, party)
    const visitor = at(OUTSIDE)
    const end = await logIn(stage, visitor, (await party.begin()).url, other.person, other)
    expect(codeIn(end)).to.be.a('string')
  })

  it('leaves what an app does by its own tokens alone: a refresh comes from the app’s server', async () => {
    const one = await victim(stage, party)
    const visitor = at(INSIDE)
    const begun = await party.begin({ scope: 'openid offline_access', prompt: 'consent' })
    const page = await visitor.follow(await logIn(stage, visitor, begun.url, one.person, one))
    const answer = await visitor.post(`/interaction/${uidOf(page.url)}/consent`, { answer: 'allow' })
    const tokens = await party.finish(begun, (await visitor.follow(answer.location ?? '')).url)
    await listFor(one.person)
    const refreshed = await client.refreshTokenGrant(party.config, tokens.refresh_token ?? '')
    expect(refreshed.access_token).to.be.a('string')
  })

  describe('by a header that says where somebody is', () => {
    it('X-Forwarded-For: what the client wrote before the proxy did does not count', async () => {
      const { person, visitor } = await member()
      for (const forged of [
        `${INSIDE}, ${OUTSIDE}`,
        `${INSIDE},${INSIDE}, ${OUTSIDE}`,
        `${INSIDE}, nonsense`,
      ]) {
        const page = await visitor.clone().at(forged).follow('/account')
        expect(page.heading, forged).to.equal(REFUSED)
        const half = await throughPassword(at(forged), (await party.begin()).url, person.email)
        expect(half.page.heading, forged).to.equal(REFUSED)
      }
      const headers = { 'x-forwarded-for': OUTSIDE, 'x-real-ip': INSIDE, forwarded: `for=${INSIDE}` }
      const answer = await visitor.get('/account', headers)
      expect(answer.status).to.equal(303)
    })

    it('X-Forwarded-For: is not believed at all where no proxy is trusted', async () => {
      const bare = await open()
      const app = await relyingParty(bare)
      const one = await victim(bare, app)
      await setAccessList(bare.directory, {
        organisationId: one.person.organisationId,
        typed: '203.0.113.0/24',
      })
      const liar = createVisitor(bare.origin, new Map(), INSIDE)
      const { page } = await throughPassword(liar, (await app.begin()).url, one.person.email)
      expect(page.heading).to.equal(REFUSED)
      expect(page.body).not.to.include(INSIDE)
      expect(page.body).to.match(/127\.0\.0\.1|::1/)
      const [event] = await rows(bare, 'SELECT address FROM audit_events WHERE event = ?', [EVENT])
      expect(String(event?.address)).to.match(/127\.0\.0\.1$|^::1$/)
    })
  })

  it('a list that was spoiled by hand lets nobody in by it', async () => {
    const { person, visitor } = await member()
    await change(stage, "UPDATE organisations SET access_list = 'nonsense' WHERE id = ?", [
      person.organisationId,
    ])
    expect((await visitor.get('/account')).status).to.equal(500)
    expect(codeIn((await ask(visitor)).url)).to.equal(undefined)
  })
})
