// Moving the authenticator to a new phone, by requests alone: what it takes, until when the old one works, what a recovery
// code opens and what it does not.

import { expect } from 'chai'
import { type Member, membersOf } from '../admin/member.ts'
import { audited, change, codeOf, givePasskey, MINUTE, rows, wrongCode } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import {
  type Answer,
  createVisitor,
  logIn,
  textOf,
  throughPassword,
  uidOf,
  visibleText,
} from '../support/visitor.ts'

const NEW = '/account/authenticator/new'
const LOST = '/account/authenticator/lost'
const STEP_UP = 'Confirm it’s you'
const MOVE = 'Move to a new phone'
const SAVE = 'Save your recovery code'

onEveryStage('one’s own authenticator', open => {
  let stage: Stage
  let members: ReturnType<typeof membersOf>
  let dana: Member

  before(async () => {
    stage = await open()
    members = membersOf(stage)
  })
  beforeEach(async () => {
    dana = await members.enrolled()
  })

  const setUps = () => audited(stage, 'authenticator.set_up', dana.person)
  const keyOn = ({ body }: Answer) => textOf(body, 'key').replaceAll(' ', '')
  const secretOf = async () => {
    const [row] = await rows(stage, 'SELECT secret FROM authenticators WHERE account_id = ?', [
      dana.person.id,
    ])
    return row?.secret
  }

  /** The page with a new key. */
  async function begin(by = dana.by): Promise<{ url: string; secret: string; page: Answer }> {
    const page = await by.follow(NEW)
    return { url: new URL(page.url).pathname, secret: keyOn(page), page }
  }

  /** Whether a code of a phone logs in. */
  async function logsIn(secret: string): Promise<boolean> {
    const by = createVisitor(stage.origin)
    const end = await logIn(stage, by, '/account', dana.person, { ...dana.enrolled, secret })
    return end === `${stage.origin}/account`
  }

  /** A browser that got in by the recovery code, and put setting up off. */
  async function recovered(): Promise<Member> {
    const by = createVisitor(stage.origin)
    const { base } = await throughPassword(by, '/account', dana.person.email)
    await by.post(`${base}/recovery`, { code: dana.enrolled.recoveryCode })
    await by.post(`${base}/recovery-code-saved`, { saved: 'yes' })
    await by.post(`${base}/set-up-again`, { answer: 'no' })
    await by.follow(base)
    return { ...dana, by }
  }

  it('is moved: the old phone’s codes work until the first code of the new one, and not after', async () => {
    const intro = await dana.by.get('/account/authenticator')
    expect(intro.heading).to.equal('Move to a new phone?')
    const { url, secret, page } = await begin()
    expect(page.heading).to.equal(MOVE)
    expect(page.headers.get('cache-control')).to.equal('no-store')
    expect((await begin()).secret, 'another page has another key').not.to.equal(secret)
    expect(keyOn(await dana.by.get(url)), 'a reload shows the same').to.equal(secret)
    expect(await logsIn(dana.enrolled.secret)).to.equal(true)

    const answer = await dana.by.post(url, { code: codeOf(stage, { secret }) })
    const overview = await dana.by.follow(answer.location ?? '')
    expect(visibleText(overview)).to.include('Your authenticator app is set up.')
    expect(await logsIn(dana.enrolled.secret)).to.equal(false)
    expect(await logsIn(secret)).to.equal(true)
    expect(await setUps()).to.equal(2)
    const mail = await stage.mail(
      ({ subject, to }) =>
        subject === 'An authenticator app was set up for your account' &&
        JSON.stringify(to).includes(dana.person.email),
    )
    expect(mail.text).to.include('its codes no longer work')
    // The recovery code stays, since it was saved.
    expect((await recovered()).by.cookies.size).to.be.greaterThan(0)
  })

  it('ends no session where the old phone’s code proved it, and spends the new one’s first code', async () => {
    const other = createVisitor(stage.origin)
    await logIn(stage, other, '/account', dana.person, dana.enrolled)
    const { url, secret } = await begin()
    const first = codeOf(stage, { secret })
    await dana.by.post(url, { code: first })
    expect((await other.get('/account')).status).to.equal(200)
    const by = createVisitor(stage.origin)
    const { base } = await throughPassword(by, '/account', dana.person.email)
    expect(visibleText(await by.post(`${base}/otp`, { code: first }))).to.include(
      'You used that code already.',
    )
  })

  it('E4: changes nothing with a factor older than five minutes; then the same key is shown once more', async () => {
    const { url, secret } = await begin()
    const before = await secretOf()
    stage.advance(6 * MINUTE)
    const asked = await dana.by.follow(
      (await dana.by.post(url, { code: codeOf(stage, { secret }) })).location ?? '',
    )
    expect(asked.heading).to.equal(STEP_UP)
    expect(await secretOf()).to.equal(before)
    const again = await members.prove(dana, asked)
    expect(visibleText(again)).to.include('Nothing is changed yet')
    expect(keyOn(again)).to.equal(secret)
    expect(await secretOf()).to.equal(before)
    await dana.by.post(url, { code: codeOf(stage, { secret }) })
    expect(await secretOf()).not.to.equal(before)
  })

  it('E4: shows no key and changes nothing by a password alone, nor from another site', async () => {
    const by = createVisitor(stage.origin)
    const { page } = await throughPassword(by, NEW, dana.person.email)
    expect(page.heading).to.equal('Verify your identity')
    const { url, secret } = await begin()
    const code = codeOf(stage, { secret })
    expect((await dana.by.post(url, { code }, { 'sec-fetch-site': 'cross-site' })).status).to.equal(403)
    expect(await setUps()).to.equal(1)
  })

  it('refuses a wrong code, and counts it with all others of the account', async () => {
    const { url, secret } = await begin()
    expect(visibleText(await dana.by.post(url, { code: ' ' }))).to.include('Enter the 6 digits')
    for (let n = 0; n < 5; n++) {
      const answer = await dana.by.post(url, { code: wrongCode(stage, { secret }) })
      expect(visibleText(answer)).to.include('That code isn’t right.')
    }
    expect(visibleText(await dana.by.post(url, { code: codeOf(stage, { secret }) }))).to.include(
      'Too many tries.',
    )
    expect(await setUps()).to.equal(1)
    expect(await audited(stage, 'code.wrong', dana.person)).to.equal(5)
  })

  it('takes a key for ten minutes, once, and for its own session', async () => {
    const { url, secret } = await begin()
    const other = createVisitor(stage.origin)
    await logIn(stage, other, '/account', dana.person, dana.enrolled)
    const foreign = await other.post(url, { code: codeOf(stage, { secret }) })
    expect(visibleText(foreign)).to.include('this is a new one')
    const mallory = await members.enrolled({ name: 'Mallory' })
    // Else it could be the second press of her own set-up.
    stage.advance(11_000)
    expect(keyOn(await mallory.by.post(url, { code: codeOf(stage, { secret }) }))).not.to.equal(secret)
    expect(await setUps()).to.equal(1)

    const code = codeOf(stage, { secret })
    const answers = await Promise.all(Array.from({ length: 5 }, () => dana.by.post(url, { code })))
    expect(answers.some(each => each.location?.includes('done='))).to.equal(true)
    expect(await setUps()).to.equal(2)

    const late = await begin()
    stage.advance(4 * MINUTE)
    await dana.by.get(late.url)
    stage.advance(6 * MINUTE)
    const { page } = { page: await dana.by.follow(late.url) }
    expect(page.heading).to.equal(STEP_UP)
    const shown = await members.prove({ ...dana, enrolled: { ...dana.enrolled, secret } }, page)
    expect(keyOn(shown)).not.to.equal(late.secret)
  })

  it('F18: says once more that it is done to the second press of a double click', async () => {
    const { url, secret } = await begin()
    const code = codeOf(stage, { secret })
    await dana.by.post(url, { code })
    expect((await dana.by.post(url, { code })).location).to.include('done=authenticator')
    expect(await setUps()).to.equal(2)
  })

  it('E6: has its key in no address, log, mail or table in the clear', async () => {
    const { url, secret } = await begin()
    await dana.by.post(url, { code: wrongCode(stage, { secret }) })
    await dana.by.post(url, { code: codeOf(stage, { secret }) })
    const tables = ['pending_forms', 'authenticators', 'audit_events', 'jobs']
    const kept = await Promise.all(tables.map(each => rows(stage, `SELECT * FROM ${each}`)))
    const bytes = Buffer.from(secret, 'latin1').toString('base64')
    const seen = JSON.stringify([url, kept, stage.log, await stage.mails()])
    for (const form of [secret, bytes, secret.toLowerCase()]) expect(seen).not.to.include(form)
  })

  it('of two tabs with two keys only one is told that its key is good', async () => {
    const [one, other] = [await begin(), await begin()]
    const answers = await Promise.all(
      [one, other].map(({ url, secret }) => dana.by.post(url, { code: codeOf(stage, { secret }) })),
    )
    expect(answers.filter(each => each.location?.includes('done='))).to.have.length(1)
    expect(await setUps()).to.equal(2)
  })

  it('changes nothing after a reset of the second factor that came in between', async () => {
    const { url, secret } = await begin()
    await change(stage, 'UPDATE accounts SET epoch = epoch + 1 WHERE id = ?', [dana.person.id])
    const answer = await dana.by.post(url, { code: codeOf(stage, { secret }) })
    expect((await dana.by.follow(answer.location ?? '')).heading).to.equal('Log in')
    expect(await setUps()).to.equal(1)
  })

  describe('on a lost phone', () => {
    it('is replaced with a recovery code as the fresh proof, which ends the other sessions', async () => {
      const other = createVisitor(stage.origin)
      await logIn(stage, other, '/account', dana.person, dana.enrolled)
      stage.advance(6 * MINUTE)
      const intro = await dana.by.get('/account/authenticator')
      expect(intro.body).to.include(LOST)
      expect((await dana.by.get(LOST)).heading).to.equal('Use your recovery code')
      const used = await dana.by.post(LOST, { code: dana.enrolled.recoveryCode })
      const shown = await dana.by.follow(used.location ?? '')
      expect(shown.heading).to.equal(SAVE)
      const successor = textOf(shown.body, 'recovery')
      expect(successor).not.to.equal(dana.enrolled.recoveryCode)
      const saved = await dana.by.post(shown.url, { saved: 'yes' })
      const page = await dana.by.follow(saved.location ?? '')
      expect(page.heading).to.equal(MOVE)
      const secret = keyOn(page)
      const end = await dana.by.post(page.url, { code: codeOf(stage, { secret }) })
      expect((await dana.by.follow(end.location ?? '')).heading).to.equal('Dana Whitlock')
      expect((await other.follow('/account')).heading).to.equal('Log in')
      expect(await logsIn(dana.enrolled.secret)).to.equal(false)
      expect(await logsIn(secret)).to.equal(true)
      for (const subject of [
        'Your recovery code was used',
        'An authenticator app was set up for your account',
      ]) {
        await stage.mail(
          mail => mail.subject === subject && JSON.stringify(mail.to).includes(dana.person.email),
        )
      }
      expect(await audited(stage, 'recovery_code.used', dana.person)).to.equal(1)
      expect(await audited(stage, 'recovery_code.saved', dana.person)).to.equal(2)
    })

    it('E4: opens no other change by it, before and after', async () => {
      stage.advance(6 * MINUTE)
      await dana.by.post(LOST, { code: dana.enrolled.recoveryCode })
      const closed = ['/account/password', '/account/recovery-code', '/account/passkeys/new']
      for (const path of closed) expect((await dana.by.follow(path)).heading, path).to.equal(STEP_UP)
      const { url, secret } = await begin()
      await dana.by.post(url, { code: codeOf(stage, { secret }) })
      expect(await setUps()).to.equal(2)
      for (const path of closed) expect((await dana.by.follow(path)).heading, path).to.equal(STEP_UP)
      expect((await dana.by.post('/account/recovery-code', {})).location).to.include('/auth?')
      expect(await audited(stage, 'recovery_code.issued', dana.person)).to.equal(2)
    })

    it('is replaced by whoever has just logged in with a recovery code, for five minutes', async () => {
      const { by } = await recovered()
      const late = by.clone()
      const { url, secret, page } = await begin(by)
      expect(page.heading).to.equal(MOVE)
      stage.advance(6 * MINUTE)
      expect((await late.follow(NEW)).heading).to.equal(STEP_UP)
      const answer = await by.post(url, { code: codeOf(stage, { secret }) })
      expect((await by.follow(answer.location ?? '')).heading).to.equal(STEP_UP)
      expect(await setUps()).to.equal(1)
    })

    it('R1: takes a recovery code once of fifty at once, and shows its successor', async () => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => dana.by.clone().post(LOST, { code: dana.enrolled.recoveryCode })),
      )
      expect(await audited(stage, 'recovery_code.used', dana.person)).to.equal(1)
      expect(answers.filter(each => each.location?.includes('/recovery-code/'))).to.have.length(1)
    })

    it('refuses a wrong recovery code, at the cost of a try, and leads nowhere by it', async () => {
      const answer = await dana.by.post(LOST, { code: 'ABCD-EFGH-JKMN-PQRT-UVWX-YZ34' })
      expect(visibleText(answer)).to.include('That isn’t your current recovery code.')
      for (let n = 0; n < 4; n++) await dana.by.post(LOST, { code: 'x' })
      const right = await dana.by.post(LOST, { code: dana.enrolled.recoveryCode })
      expect(visibleText(right)).to.include('Too many tries.')
      expect(await audited(stage, 'recovery_code.used', dana.person)).to.equal(0)
      stage.advance(6 * MINUTE)
      expect((await dana.by.follow(NEW)).heading).to.equal(STEP_UP)
    })
  })

  it('is set up beside a passkey, with a recovery code in the same commit', async () => {
    const person = await stage.person({ name: 'Robin Mayfield' })
    const passkey = await givePasskey(stage, person)
    const by = createVisitor(stage.origin)
    const start = await by.follow('/account')
    const base = `/interaction/${uidOf(start.url)}`
    const challenge = /challenge&quot;:&quot;([\w-]+)/.exec(start.body)?.[1] ?? ''
    await by.post(`${base}/passkey`, { response: JSON.stringify(passkey.assert(challenge)) })
    const overview = await by.follow(base)
    expect(visibleText(overview)).to.include('Set up an app')
    expect(overview.body).not.to.include('Get a new code')
    expect((await by.follow(LOST)).heading, 'there is nothing to recover').to.equal('Robin Mayfield')
    const page = await by.follow('/account/authenticator')
    expect(page.heading).to.equal('Set up two-factor authentication')
    const answer = await by.post(page.url, { code: codeOf(stage, { secret: keyOn(page) }) })
    const shown = await by.follow(answer.location ?? '')
    expect(shown.heading).to.equal(SAVE)
    expect(visibleText(await by.post(shown.url, {}))).to.include('Save the code first')
    const saved = await by.post(shown.url, { saved: 'yes' })
    expect(visibleText(await by.follow(saved.location ?? ''))).to.include('Your account is well protected.')
  })
})
