// Attacks on setting a second factor up: being faster than the owner, getting around the set-up page, and using a key
// or a link that is somebody else's, too old, or used. Whoever sets up first owns the account from then on.

import { expect } from 'chai'
import { inviteUser } from '../../src/organisations/directory.ts'
import { code } from '../support/one-time-codes.ts'
import { openStage, PASSWORD, type Stage } from '../support/stage.ts'
import {
  createVisitor,
  enrol,
  type RelyingParty,
  relyingParty,
  textOf,
  throughPassword,
  uidOf,
} from '../support/visitor.ts'
import {
  audited,
  change,
  codeIn,
  codeOf,
  DAY,
  errorOf,
  givePasskey,
  halfLogin,
  INVITATION_LINK,
  MAILED_CODE,
  MINUTE,
  mailed,
  rows,
  victim,
  wrongCode,
} from './ground.ts'

describe('attacks on the enrolment', function () {
  this.timeout(60_000)
  let stage: Stage
  let party: RelyingParty
  let other: RelyingParty

  before(async () => {
    stage = await openStage()
    party = await relyingParty(stage)
    other = await relyingParty(stage)
  })
  after(() => stage.close())

  const hasAuthenticator = async ({ id }: { id: string }) =>
    (await rows(stage, 'SELECT account_id FROM authenticators WHERE account_id = ?', [id])).length === 1

  /** What an admin's or support's reset will do. */
  async function reset({ id }: { id: string }): Promise<void> {
    await change(
      stage,
      'UPDATE accounts SET epoch = epoch + 1, second_factor_reset_at = CAST(? AS bigint) WHERE id = ?',
      [stage.now(), id],
    )
  }

  describe('E1 the attacker is first, after a reset', () => {
    // After a reset the password alone would be enough to set up: the mailbox must be proven as well.
    it('asks for a code from the mailbox, and takes none of the old factors', async () => {
      const { person, secret, recoveryCode, visitor: owner } = await victim(stage, party)
      await reset(person)
      const silent = await owner.get((await party.begin({ prompt: 'none' })).url)
      expect(errorOf(silent.location)).to.equal('login_required')

      const { visitor, base, page } = await halfLogin(stage, party, person)
      expect(page.heading).to.match(/mail/i)
      for (const [way, form] of [
        ['otp', { code: codeOf(stage, { secret }) }],
        ['recovery', { code: recoveryCode }],
        ['set-up', { code: '123456' }],
        ['put-off', {}],
      ] as const) {
        expect((await visitor.post(`${base}/${way}`, form)).status, way).to.equal(409)
      }
      for (let guess = 0; guess < 5; guess++) {
        expect((await visitor.post(`${base}/mailed-code`, { code: `00000${guess}` })).status).to.equal(400)
      }
      expect((await visitor.post(`${base}/mailed-code`, { code: '000006' })).status).to.equal(429)
      expect(await audited(stage, 'authenticator.set_up', person)).to.equal(1)
    })

    it('voids the old recovery code for good, also after the authenticator was set up again', async () => {
      const { person, recoveryCode } = await victim(stage, party)
      await reset(person)
      const { visitor, base } = await halfLogin(stage, party, person)
      const mailedCode = await mailed(stage, person, MAILED_CODE)
      expect((await visitor.post(`${base}/mailed-code`, { code: mailedCode })).status).to.equal(303)
      const page = await visitor.follow(base)
      expect(page.heading).to.equal('Set up two-factor authentication')
      const secret = textOf(page.body, 'key').replaceAll(' ', '')
      await visitor.post(`${base}/set-up`, { code: code(secret, stage.now()) })
      expect((await visitor.follow(base)).heading).to.equal('Save your recovery code')
      await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
      expect((await visitor.follow(base)).url).to.include(party.redirectUri)

      const thief = await halfLogin(stage, party, person)
      expect(thief.page.heading).to.equal('Verify your identity')
      expect((await thief.visitor.post(`${thief.base}/recovery`, { code: recoveryCode })).status).to.equal(
        400,
      )
    })

    it('takes a mailed code in its own authorization request only, and the newest one only', async () => {
      const { person } = await victim(stage, party)
      await reset(person)
      const first = await halfLogin(stage, party, person)
      const old = await mailed(stage, person, MAILED_CODE)
      const second = await halfLogin(stage, party, person)
      const fresh = await mailed(stage, person, MAILED_CODE, [old])
      const foreign = await first.visitor.post(`${first.base}/mailed-code`, { code: fresh })
      expect(foreign.status).to.equal(400)
      expect((await first.visitor.post(`${first.base}/mailed-code`, { code: old })).status).to.equal(400)
      expect((await second.visitor.post(`${second.base}/mailed-code`, { code: fresh })).status).to.equal(303)
      // Posted again it does nothing, and leads to the step that is due.
      const again = await second.visitor.post(`${second.base}/mailed-code`, { code: fresh })
      expect(again.location).to.equal(`${stage.origin}${second.base}`)
      expect(await audited(stage, 'mailbox.proven', person)).to.equal(1)
    })

    it('refuses a set-up that began before the reset', async () => {
      const person = await stage.person()
      const { visitor, base, page } = await halfLogin(stage, party, person)
      const secret = textOf(page.body, 'key').replaceAll(' ', '')
      await reset(person)
      const answer = await visitor.post(`${base}/set-up`, { code: code(secret, stage.now()) })
      expect(answer.status).to.equal(400)
      expect(await hasAuthenticator(person)).to.equal(false)
    })
  })

  describe('E1 the attacker is first, where the mailbox is always proven', () => {
    let strict: Stage
    let strictParty: RelyingParty
    before(async () => {
      strict = await openStage({ env: { SALLYPORT_ENROLMENT_EMAIL_PROOF: 'always' } })
      strictParty = await relyingParty(strict)
    })
    after(() => strict.close())

    it('lets nobody set up with the password alone, and tells the owner', async () => {
      const person = await strict.person()
      const { visitor, base, page } = await halfLogin(strict, strictParty, person)
      expect(page.heading).to.match(/mail/i)
      expect((await visitor.post(`${base}/set-up`, { code: '123456' })).status).to.equal(409)
      expect((await visitor.post(`${base}/send-code`, {})).status).to.equal(400)
      const proof = await mailed(strict, person, MAILED_CODE)
      await visitor.post(`${base}/mailed-code`, { code: proof })
      const setUp = await visitor.follow(base)
      const secret = textOf(setUp.body, 'key').replaceAll(' ', '')
      await visitor.post(`${base}/set-up`, { code: code(secret, strict.now()) })
      await mailed(strict, person, /authenticator/i)
    })

    it('does not mail without end: ten codes a day, however many logins are begun', async () => {
      const person = await strict.person()
      let last = ''
      for (let round = 0; round < 12; round++) {
        const { page } = await halfLogin(strict, strictParty, person)
        last = page.body
        expect(page.status, `round ${round}`).to.be.below(500)
      }
      const sent = await rows(strict, 'SELECT id FROM jobs WHERE summary = ?', [`code to ${person.email}`])
      expect(sent).to.have.length(10)
      // Not a dead end: the page says when the next one can be sent.
      expect(last)
        .to.include('come back tomorrow')
        .and.not.to.match(/Wait \d+ minutes/)
    })
  })

  describe('E7 links opened twice, late, or after a newer one', () => {
    it('takes the newest invitation once, in ten requests at once', async () => {
      const { organisationId } = await stage.person()
      const input = {
        organisationId,
        email: 'kim@northgate.example',
        name: 'Kim Rowe',
        role: 'technician',
      } as const
      await inviteUser(stage.directory, input)
      const old = await mailed(stage, input, INVITATION_LINK)
      await inviteUser(stage.directory, input)
      const link = await mailed(stage, input, INVITATION_LINK, [old])
      const visitor = createVisitor(stage.origin)
      expect((await visitor.get(old)).status).to.equal(404)
      expect((await visitor.post(old, { password: PASSWORD })).status).to.equal(404)
      for (let opened = 0; opened < 3; opened++) expect((await visitor.get(link)).status).to.equal(200)
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => visitor.post(link, { password: PASSWORD })),
      )
      expect(answers.map(each => each.status).sort()).to.deep.equal([200, ...Array(9).fill(404)])
      expect((await visitor.get(link)).status).to.equal(404)
      // An invitation is not a login.
      expect([...visitor.cookies.keys()].filter(each => each.includes('session'))).to.deep.equal([])
    })

    it('refuses an invitation after seven days, one of another kind, and one whose user was deactivated', async () => {
      const { organisationId } = await stage.person()
      const late = {
        organisationId,
        email: 'late@northgate.example',
        name: 'Lee Vale',
        role: 'technician',
      } as const
      const gone = { ...late, email: 'gone@northgate.example' }
      await inviteUser(stage.directory, gone)
      await inviteUser(stage.directory, late)
      const link = await mailed(stage, late, INVITATION_LINK)
      const goneLink = await mailed(stage, gone, INVITATION_LINK)
      const visitor = createVisitor(stage.origin)
      for (const kind of ['password-reset', 'unblock']) {
        expect((await visitor.get(link.replace('invitation', kind))).status, kind).to.equal(404)
      }
      expect((await visitor.get(link.replace('invitation', 'code'))).status).to.equal(404)
      await change(stage, "UPDATE accounts SET status = 'deactivated' WHERE email = ?", [gone.email])
      expect((await visitor.post(goneLink, { password: PASSWORD })).status).to.equal(404)
      stage.advance(7 * DAY + MINUTE)
      expect((await visitor.post(link, { password: PASSWORD })).status).to.equal(404)
    })
  })

  describe('E8 getting around a set-up that is due', () => {
    it('gives no code until somebody has set up, whatever is tried', async () => {
      const person = await stage.person()
      const { visitor, base, page } = await halfLogin(stage, party, person)
      expect(page.heading).to.equal('Set up two-factor authentication')
      const seen: (string | undefined)[] = []
      const look = async (url: string) => {
        const answer = await visitor.follow(url)
        seen.push(codeIn(answer.url))
        return answer
      }
      for (const form of [{ later: 'yes' }, { later: 'yes', code: '' }, { code: '' }]) {
        expect((await visitor.post(`${base}/set-up`, form)).status).to.be.oneOf([400, 409])
      }
      for (const way of ['put-off', 'cancel', 'give-up', 'passkey-declined']) {
        expect((await visitor.post(`${base}/${way}`, {})).status, way).to.equal(409)
      }
      await look(`${base}?with=put-off`)
      await look(`/auth/${uidOf(base)}`)
      await look(base)
      await look((await other.begin()).url)
      await look((await party.begin({ acr_values: 'urn:sallyport:acr:1fa' })).url)
      const silent = await visitor.get((await party.begin({ prompt: 'none' })).url)
      expect(errorOf(silent.location)).to.equal('login_required')
      // Two tabs, each of which has the password proven.
      const tab = visitor.clone()
      const second = await throughPassword(tab, (await other.begin()).url, person.email)
      expect(second.page.heading).to.equal('Set up two-factor authentication')
      expect(seen.filter(Boolean)).to.deep.equal([])
      expect(await audited(stage, 'login', person)).to.equal(0)
    })

    it('asks somebody who put it off, as soon as the day is over, at the next request and with prompt=none', async () => {
      const person = await stage.person({ graceUntil: 'tomorrow' })
      const { visitor, base } = await halfLogin(stage, party, person)
      expect((await visitor.post(`${base}/put-off`, {})).status).to.equal(303)
      expect((await visitor.follow(base)).url).to.include('code=')
      await change(stage, 'UPDATE organisations SET subscribed_at = CAST(? AS bigint) WHERE id = ?', [
        stage.now() - 2 * DAY,
        person.organisationId,
      ])
      const silent = await visitor.get((await party.begin({ prompt: 'none' })).url)
      expect(errorOf(silent.location)).to.equal('interaction_required')
      const due = await visitor.follow((await other.begin()).url)
      expect(due.heading).to.equal('Set up two-factor authentication')
      const late = await visitor.post(`/interaction/${uidOf(due.url)}/put-off`, {})
      expect(late.status).to.equal(409)
    })

    it('does not put off what the app asked two factors for', async () => {
      const person = await stage.person({ graceUntil: 'tomorrow' })
      const { visitor, base } = await halfLogin(stage, party, person, { acr_values: 'urn:sallyport:acr:2fa' })
      expect((await visitor.post(`${base}/put-off`, {})).status).to.equal(409)
      expect((await visitor.post(`${base}/set-up`, { later: 'yes' })).status).to.equal(409)
    })
  })

  describe('setup keys', () => {
    it('takes no code of a key that another tab shows', async () => {
      const person = await stage.person()
      const mine = await halfLogin(stage, party, person)
      const theirs = await halfLogin(stage, party, person)
      const foreign = textOf(theirs.page.body, 'key').replaceAll(' ', '')
      const answer = await mine.visitor.post(`${mine.base}/set-up`, { code: code(foreign, stage.now()) })
      expect(answer.status).to.equal(400)
      expect(await hasAuthenticator(person)).to.equal(false)
    })

    it('does not take a second key after another tab has set one up', async () => {
      const person = await stage.person()
      const late = await halfLogin(stage, party, person)
      const key = textOf(late.page.body, 'key').replaceAll(' ', '')
      const { secret } = await enrol(stage, createVisitor(stage.origin), (await party.begin()).url, person)
      const answer = await late.visitor.post(`${late.base}/set-up`, { code: code(key, stage.now()) })
      expect(answer.status).to.equal(409)
      stage.advance(30_000)
      const owner = await halfLogin(stage, party, person)
      const right = await owner.visitor.post(`${owner.base}/otp`, { code: codeOf(stage, { secret }) })
      expect(right.status).to.equal(303)
    })

    it('forgets a key that was not confirmed in ten minutes', async () => {
      const person = await stage.person()
      const { visitor, base, page } = await halfLogin(stage, party, person)
      const key = textOf(page.body, 'key').replaceAll(' ', '')
      stage.advance(10 * MINUTE + 1)
      const answer = await visitor.post(`${base}/set-up`, { code: code(key, stage.now()) })
      expect(answer.status).to.equal(400)
      expect(textOf(answer.body, 'key').replaceAll(' ', '')).not.to.equal(key)
      expect(await hasAuthenticator(person)).to.equal(false)
    })
  })

  describe('E4 replacing a factor without proving the old one', () => {
    it('asks somebody with a passkey for it, before an authenticator is set up by password', async () => {
      const person = await stage.person()
      await givePasskey(stage, person)
      const { visitor, base, page } = await halfLogin(stage, party, person)
      expect(page.status).to.equal(200)
      expect((await visitor.post(`${base}/set-up`, { code: '123456' })).status).to.equal(409)
      expect((await visitor.post(`${base}/cannot-use-passkey`, {})).status).to.equal(303)
      expect((await visitor.post(`${base}/set-up`, { code: '123456' })).status).to.equal(409)
      expect((await visitor.follow(base)).heading).to.match(/mail/i)
      expect((await visitor.post(`${base}/mailed-code`, { code: '000000' })).status).to.equal(400)
    })

    it('takes no recovery code of two hours ago for a new authenticator, by whichever door', async () => {
      const { person, recoveryCode } = await victim(stage, party)
      const owner = createVisitor(stage.origin)
      const { base } = await throughPassword(owner, '/account', person.email)
      await owner.post(`${base}/recovery`, { code: recoveryCode })
      await owner.post(`${base}/recovery-code-saved`, { saved: 'yes' })
      await owner.post(`${base}/set-up-again`, { answer: 'no' })
      await owner.follow(base)
      stage.advance(120 * MINUTE)
      const forTwo = (await party.begin({ acr_values: 'urn:sallyport:acr:2fa' })).url
      for (const door of ['/account/set-up', '/account/email', forTwo]) {
        const at = `/interaction/${uidOf((await owner.follow(door)).url)}`
        expect((await owner.post(`${at}/set-up-again`, { answer: 'yes' })).status, door).to.equal(409)
        expect((await owner.post(`${at}/set-up`, { code: '123456' })).status, door).to.equal(409)
      }
      expect(await audited(stage, 'authenticator.set_up', person)).to.equal(1)
    })

    it('asks a password session of two hours ago for the mailbox first, by whichever door', async () => {
      const person = await stage.person({ graceUntil: 'tomorrow' })
      const owner = createVisitor(stage.origin)
      const { base } = await throughPassword(owner, '/account', person.email)
      await owner.post(`${base}/put-off`, {})
      await owner.follow(base)
      stage.advance(120 * MINUTE)
      for (const door of ['/account/set-up', '/account/email']) {
        const page = await owner.follow(door)
        expect(page.heading, door).to.equal('Check your email')
        const at = `/interaction/${uidOf(page.url)}`
        expect((await owner.post(`${at}/set-up`, { code: '123456' })).status, door).to.equal(409)
      }
      expect(await hasAuthenticator(person)).to.equal(false)
    })

    it('adds no passkey on the word of two factors that were proven twenty minutes ago', async () => {
      const one = await victim(stage, party)
      const visitor = createVisitor(stage.origin)
      const { url } = await visitor.follow((await party.begin()).url)
      const base = `/interaction/${uidOf(url)}`
      await visitor.post(`${base}/identify`, { email: one.person.email, webauthn: 'platform' })
      await visitor.post(`${base}/password`, { password: PASSWORD, webauthn: 'platform' })
      stage.advance(30_000)
      await visitor.post(`${base}/otp`, { code: codeOf(stage, one) })
      expect((await visitor.follow(base)).heading).to.equal('Log in faster with a passkey')
      stage.advance(20 * MINUTE)
      expect((await visitor.post(`${base}/passkey-registration`, { response: '{}' })).status).to.equal(409)
      expect(await audited(stage, 'passkey.added', one.person)).to.equal(0)
    })

    it('offers no set-up to a session that did not recover in it', async () => {
      const { person, secret, visitor } = await victim(stage, party)
      const up = await visitor.follow(
        (await party.begin({ max_age: '1', acr_values: 'urn:sallyport:acr:2fa' })).url,
      )
      const page = up.url.includes('code=')
        ? undefined
        : await visitor.post(`/interaction/${uidOf(up.url)}/set-up-again`, { answer: 'yes' })
      expect(page?.status).to.equal(409)
      expect(wrongCode(stage, { secret })).to.match(/^\d{6}$/)
      expect(await audited(stage, 'authenticator.set_up', person)).to.equal(1)
    })
  })
})
