// Attacks on the way back through support: it opens the door of somebody else's account for whoever convinces two
// strangers. So it is slow, told of at each step, stoppable at once, and each step is taken once.

import { expect } from 'chai'
import { membersOf } from '../admin/member.ts'
import { audited, change, codeOf, givePasskey, rows, victim, wrongCode } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { code } from '../support/one-time-codes.ts'
import { PASSWORD, type Stage } from '../support/stage.ts'
import {
  createVisitor,
  logIn,
  type RelyingParty,
  relyingParty,
  textOf,
  throughPassword,
} from '../support/visitor.ts'
import {
  type Agent,
  afterTheWait,
  agentOf,
  approve,
  caseNumber,
  HOUR,
  linkTo,
  lockedOut,
  openedCase,
  proveMailbox,
  refresh,
  SAW,
  SET_UP_LINK,
  STOP_LINK,
  setUpAgain,
  WHY,
} from './ground.ts'

onEveryStage('a support case', open => {
  let stage: Stage
  let party: RelyingParty
  let sam: Agent
  let ria: Agent

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
    sam = await agentOf(stage, 'Sam Ellery')
    ria = await agentOf(stage, 'Ria Bhatt')
  })

  /** A technician who is the only user of their organisation. */
  const alone = () => victim(stage, party, { name: 'Marta Kowalczyk' })
  const onlyAdmin = () => victim(stage, party, { name: 'Marta Kowalczyk', role: 'admin' })

  const stateOf = async (number: number) => {
    const [row] = await rows(stage, 'SELECT * FROM support_cases WHERE number = ?', [number])
    return row ?? {}
  }

  /** A case that one agent has approved, and the link that was mailed. */
  async function approved(person: { id: string; email: string }): Promise<{ number: number; link: string }> {
    const number = await openedCase(stage, party, person)
    await afterTheWait(stage, sam)
    expect((await approve(sam, number)).status).to.equal(303)
    return { number, link: new URL(await linkTo(stage, person, SET_UP_LINK)).pathname }
  }

  describe('the owner', () => {
    it('opens one with the password, the mailbox and a reason, and has a notice of it', async () => {
      const lost = await alone()
      const { visitor, base, page } = await lockedOut(stage, party, lost.person)
      expect(page.body).to.include('No other admin of your organisation can help')
      expect((await visitor.post(`${base}/open-case`, { reason: WHY })).body).to.include(
        'Enter the code from our mail first.',
      )
      const proven = await proveMailbox(stage, visitor, base, lost.person)
      expect((await visitor.get(proven.location ?? '')).body).to.include('Your mailbox is proven.')
      expect((await visitor.post(`${base}/open-case`, { reason: ' \n ' })).body).to.include(
        'Say in a few words what happened.',
      )
      expect((await visitor.post(`${base}/open-case`, { reason: 'x'.repeat(1001) })).body).to.include(
        'That is longer than 1,000 characters.',
      )
      const opened = await visitor.post(`${base}/open-case`, { reason: '<b onclick=1>harbour</b>' })
      const shown = await visitor.get(opened.location ?? '')
      expect(shown.body).to.include('Your support case is open since')
      expect(await audited(stage, 'support_case.opened', lost.person)).to.equal(1)
      await linkTo(stage, lost.person, STOP_LINK)
      const number = await caseNumber(stage, lost.person)
      await refresh(stage, sam)
      const seen = await sam.by.get(`/support/cases/${number}`)
      expect(seen.body).to.include('&lt;b onclick=1&gt;harbour&lt;/b&gt;').and.not.include('<b onclick')
    })

    it('has one open case at a time, also from twenty tabs at once', async () => {
      const lost = await alone()
      const tabs = [await lockedOut(stage, party, lost.person), await lockedOut(stage, party, lost.person)]
      for (const { visitor, base } of tabs) {
        await proveMailbox(stage, visitor, base, lost.person)
        stage.advance(61_000)
      }
      await Promise.all(
        Array.from({ length: 20 }, (_, i) => {
          const { visitor, base } = tabs[i % 2] ?? tabs[0] ?? expect.fail()
          return visitor.clone().post(`${base}/open-case`, { reason: WHY })
        }),
      )
      const [row] = await rows(stage, 'SELECT count(*) AS n FROM support_cases WHERE account_id = ?', [
        lost.person.id,
      ])
      expect(Number(row?.n)).to.equal(1)
      expect(await audited(stage, 'support_case.opened', lost.person)).to.equal(1)
    })

    it('keeps all factors until the link is used, and sets up again with the link and the password', async () => {
      const lost = await alone()
      const { link } = await approved(lost.person)
      const visitor = createVisitor(stage.origin)
      // A mail scanner opens it.
      for (let n = 0; n < 3; n++)
        expect((await visitor.get(link)).heading).to.equal('Set up two-factor authentication again')
      expect((await visitor.post(link, { password: 'wrong' })).body).to.include('isn’t right')
      expect(
        await rows(stage, 'SELECT 1 AS x FROM authenticators WHERE account_id = ?', [lost.person.id]),
      ).to.have.length(1)
      expect((await visitor.post(link, { password: PASSWORD })).heading).to.equal('Now log in')
      expect(
        await rows(stage, 'SELECT 1 AS x FROM authenticators WHERE account_id = ?', [lost.person.id]),
      ).to.have.length(0)
      expect(await audited(stage, 'support_case.used', lost.person)).to.equal(1)
      expect(await audited(stage, 'second_factor.reset', lost.person)).to.equal(1)
      expect([...visitor.cookies.keys()].filter(each => /session/.test(each))).to.deep.equal([])

      const again = await setUpAgain(stage, party, lost.person)
      expect(again.page.heading).to.equal('Check your email')
      expect(again.setUp.heading).to.equal('Set up two-factor authentication')
      const secret = textOf(again.setUp.body, 'key').replaceAll(' ', '')
      await again.visitor.post(`${again.base}/set-up`, { code: code(secret, stage.now()) })
      await again.visitor.post(`${again.base}/recovery-code-saved`, { saved: 'yes' })
      expect((await again.visitor.follow(again.base)).url).to.include('code=')
      expect((await visitor.get(link)).status).to.equal(404)
    })

    it('keeps passkeys, unless they are ticked to go', async () => {
      for (const removed of [false, true]) {
        const lost = await alone()
        await givePasskey(stage, lost.person)
        const { link } = await approved(lost.person)
        const visitor = createVisitor(stage.origin)
        expect((await visitor.get(link)).body).to.include('Also remove my passkeys')
        await visitor.post(link, { password: PASSWORD, ...(removed ? { passkeys: 'remove' } : {}) })
        const left = await rows(stage, 'SELECT 1 AS x FROM passkeys WHERE account_id = ?', [lost.person.id])
        expect(left).to.have.length(removed ? 0 : 1)
      }
    })

    it('ends it by logging in, whatever step it is at', async () => {
      const lost = await alone()
      const number = await openedCase(stage, party, lost.person)
      stage.advance(25 * HOUR)
      await logIn(stage, createVisitor(stage.origin), (await party.begin()).url, lost.person, lost)
      await refresh(stage, sam)
      expect((await approve(sam, number)).status).to.equal(409)
      expect((await sam.by.get(`/support/cases/${number}`)).body).to.include('Owner logged in')
      expect(await stateOf(number)).to.include({ approved_at: null })

      const late = await alone()
      const { link } = await approved(late.person)
      await logIn(stage, createVisitor(stage.origin), (await party.begin()).url, late.person, late)
      expect((await createVisitor(stage.origin).post(link, { password: PASSWORD })).status).to.equal(404)
      expect(await audited(stage, 'second_factor.reset', late.person)).to.equal(0)
    })

    it('may open another when one is over', async () => {
      const lost = await alone()
      const first = await openedCase(stage, party, lost.person)
      await logIn(stage, createVisitor(stage.origin), (await party.begin()).url, lost.person, lost)
      stage.advance(60_000)
      const second = await openedCase(stage, party, lost.person)
      expect(second).to.be.greaterThan(first)
      expect(await stateOf(first)).to.include({ closed_why: 'logged_in' })
      expect(await audited(stage, 'support_case.ended', lost.person)).to.equal(1)
    })

    it('has the mail, and the row, of a case that ended, without anybody’s looking', async () => {
      const lost = await alone()
      const number = await openedCase(stage, party, lost.person)
      stage.advance(25 * HOUR)
      await stage.mail(
        ({ subject, to }) =>
          subject === 'Support now looks at the case about your account' &&
          JSON.stringify(to).includes(lost.person.email),
      )
      await change(stage, 'UPDATE accounts SET epoch = epoch + 1 WHERE id = ?', [lost.person.id])
      stage.advance(2 * HOUR)
      await stage.mail(
        ({ subject, to }) =>
          subject === 'The case about your account is over' && JSON.stringify(to).includes(lost.person.email),
      )
      expect(await stateOf(number)).to.include({ closed_why: 'account_changed' })
    })
  })

  describe('This wasn’t me', () => {
    it('stops it by a button, once; a mail scanner that opens the link does not', async () => {
      const lost = await alone()
      const number = await openedCase(stage, party, lost.person)
      const link = new URL(await linkTo(stage, lost.person, STOP_LINK)).pathname
      const scanner = createVisitor(stage.origin)
      for (let n = 0; n < 3; n++) expect((await scanner.get(link)).heading).to.equal('Stop the support case?')
      expect(await stateOf(number)).to.include({ closed_at: null })
      expect(
        (await scanner.post(link, {}, { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }))
          .status,
      ).to.equal(403)
      const answers = await Promise.all(Array.from({ length: 20 }, () => scanner.post(link, {})))
      expect(answers.filter(each => each.status === 200)).to.have.length(1)
      expect(await stateOf(number)).to.include({ closed_why: 'stopped' })
      expect(await audited(stage, 'support_case.stopped', lost.person)).to.equal(1)
      expect((await scanner.get(link)).status).to.equal(404)
      await afterTheWait(stage, sam)
      expect((await approve(sam, number)).status).to.equal(409)
    })

    it('stops it after the link was sent, too: that works no more', async () => {
      const lost = await alone()
      const { link } = await approved(lost.person)
      const stop = new URL(await linkTo(stage, lost.person, STOP_LINK)).pathname
      expect((await createVisitor(stage.origin).post(stop, {})).heading).to.equal('The case is stopped')
      expect((await createVisitor(stage.origin).get(link)).status).to.equal(404)
      expect((await createVisitor(stage.origin).post(link, { password: PASSWORD })).status).to.equal(404)
      expect(await audited(stage, 'second_factor.reset', lost.person)).to.equal(0)
    })

    it('is a button on the account page of a live session, and on nobody else’s', async () => {
      const lost = await membersOf(stage).enrolled()
      const other = await membersOf(stage).enrolled()
      const number = await openedCase(stage, party, lost.person)
      expect((await lost.by.get('/account')).body).to.include('A support case for your account is open')
      expect((await other.by.get('/account')).body).not.to.include('support case')
      expect((await other.by.post('/account/support-case/stop', {})).status).to.equal(303)
      expect(await stateOf(number)).to.include({ closed_at: null })
      await lost.by.post('/account/support-case/stop', {})
      expect(await stateOf(number)).to.include({ closed_why: 'stopped' })
      expect((await lost.by.get('/account')).body).not.to.include('support case')
    })

    it('takes no link that we did not make', async () => {
      const lost = await alone()
      await openedCase(stage, party, lost.person)
      const link = new URL(await linkTo(stage, lost.person, STOP_LINK)).pathname
      const forged = [
        link.slice(0, -1),
        `${link}A`,
        link.replace(/cas_./, 'cas_f'),
        '/link/support-stop/x',
        '/link/support-stop/cas_1.%00',
      ]
      for (const each of forged) {
        const answer = await createVisitor(stage.origin).post(each, {})
        expect(answer.status, each).to.be.oneOf([400, 404])
      }
      expect(await audited(stage, 'support_case.stopped', lost.person)).to.equal(0)
    })
  })

  describe('an agent', () => {
    it('is alone with the console: users, admins and strangers find nothing', async () => {
      const number = await openedCase(stage, party, (await alone()).person)
      const admin = await membersOf(stage).enrolled({ role: 'admin' })
      const user = await membersOf(stage).enrolled()
      for (const { by } of [admin, user]) {
        for (const path of ['/support/cases', `/support/cases/${number}`]) {
          expect((await by.get(path)).status).to.equal(404)
        }
        expect((await by.post(`/support/cases/${number}`, { answer: 'approve' })).status).to.equal(404)
      }
      const stranger = createVisitor(stage.origin)
      expect((await stranger.get('/support/cases')).location).to.include('/auth?')
      await refresh(stage, sam)
      expect((await sam.by.get('/admin/users')).status).to.equal(404)
    })

    it('does not approve before the wait is over', async () => {
      const number = await openedCase(stage, party, (await alone()).person)
      await refresh(stage, sam)
      const answer = await approve(sam, number)
      expect(answer.status).to.equal(409)
      expect(answer.body).to.include('Nobody can approve before')
      expect(await stateOf(number)).to.include({ first_agent: null, approved_at: null })
    })

    it('needs a tick and twenty words, and never sees the link', async () => {
      const lost = await alone()
      const number = await openedCase(stage, party, lost.person)
      await afterTheWait(stage, sam)
      expect((await approve(sam, number, { note: 'Looks fine to me' })).body).to.include('That is 4 words')
      expect((await approve(sam, number, { note: '. '.repeat(30) })).body).to.include('That is 0 words')
      expect((await approve(sam, number, { evidence: '' })).body).to.include('Tick at least one')
      expect((await approve(sam, number, { evidence: 'nonsense' })).body).to.include('Tick at least one')
      expect(await stateOf(number)).to.include({ first_agent: null })
      const done = await approve(
        sam,
        number,
        `evidence=call&evidence=invoice&answer=approve&note=${encodeURIComponent(SAW)}`,
      )
      expect(done.status).to.equal(303)
      const page = await sam.by.get(done.location ?? '')
      const link = await linkTo(stage, lost.person, SET_UP_LINK)
      expect(page.body).to.include('Link sent').and.not.include(link.split('/').at(-1))
      expect(await stateOf(number)).to.include({ evidence: 'call invoice', second_agent: null })
      const [row] = await rows(
        stage,
        "SELECT details, actor_id FROM audit_events WHERE event = 'support_case.approved' AND account_id = ?",
        [lost.person.id],
      )
      expect(JSON.parse(String(row?.details))).to.deep.include({ reason: SAW, evidence: ['call', 'invoice'] })
      expect(row?.actor_id).to.equal(sam.person.id)
    })

    it('needs a second factor of the last five minutes: the form waits, and is sent by one more press', async () => {
      const number = await openedCase(stage, party, (await alone()).person)
      await afterTheWait(stage, sam)
      stage.advance(6 * 60_000)
      const sent = await approve(sam, number)
      expect(sent.location).to.include('/auth?')
      expect(await stateOf(number)).to.include({ first_agent: null })
      const step = await sam.by.follow(sent.location ?? '')
      const shown = await membersOf(stage).prove(sam, step)
      expect(shown.body).to.include(SAW)
      const pending = /name="pending" value="([^"]+)"/.exec(shown.body)?.[1] ?? ''
      expect((await sam.by.post(`/support/cases/${number}`, { pending })).status).to.equal(303)
      expect(await stateOf(number)).to.include({ first_agent: sam.person.id })
    })

    it('does not approve alone where the target is an admin, however often at once', async () => {
      const lost = await onlyAdmin()
      const number = await openedCase(stage, party, lost.person)
      await afterTheWait(stage, sam, ria)
      await Promise.all(Array.from({ length: 20 }, () => approve(sam, number)))
      expect(await stateOf(number)).to.include({
        first_agent: sam.person.id,
        second_agent: null,
        approved_at: null,
      })
      expect(await audited(stage, 'support_case.approved', lost.person)).to.equal(1)
      expect((await approve(sam, number)).status).to.equal(409)
      expect((await sam.by.get(`/support/cases/${number}`)).body).to.include('A second agent decides.')
      const all = await Promise.all(Array.from({ length: 20 }, () => approve(ria, number)))
      expect(all.filter(each => each.status === 303)).to.have.length(1)
      expect(await stateOf(number)).to.include({ second_agent: ria.person.id })
      expect((await linkTo(stage, lost.person, SET_UP_LINK)).length).to.be.greaterThan(20)
    })

    it('cannot make an admin a technician’s case: the role of the day that it was opened counts, too', async () => {
      const lost = await onlyAdmin()
      const number = await openedCase(stage, party, lost.person)
      await change(stage, "UPDATE accounts SET role = 'technician' WHERE id = ?", [lost.person.id])
      await afterTheWait(stage, sam)
      await approve(sam, number)
      expect(await stateOf(number)).to.include({ first_agent: sam.person.id, approved_at: null })

      const risen = await alone()
      const other = await openedCase(stage, party, risen.person)
      await change(stage, "UPDATE accounts SET role = 'admin' WHERE id = ?", [risen.person.id])
      await afterTheWait(stage, sam)
      await approve(sam, other)
      expect(await stateOf(other)).to.include({ first_agent: sam.person.id, approved_at: null })
    })

    it('decides nothing about a case of their own', async () => {
      const lost = await agentOf(stage, 'Lou Marsh')
      const number = await openedCase(stage, party, lost.person)
      await afterTheWait(stage, sam, ria)
      // Still logged in elsewhere; who is, could stop it, but not approve it.
      stage.advance(-2 * HOUR)
      const session = createVisitor(stage.origin, lost.by.cookies)
      expect((await session.get(`/support/cases/${number}`)).status).to.be.oneOf([200, 303])
      stage.advance(2 * HOUR)
      await approve(sam, number)
      expect(await stateOf(number)).to.include({ first_agent: sam.person.id, approved_at: null })
      expect((await approve(ria, number)).status).to.equal(303)
      expect(await stateOf(number)).to.include({ second_agent: ria.person.id })
      const link = new URL(await linkTo(stage, lost.person, SET_UP_LINK)).pathname
      expect((await createVisitor(stage.origin).post(link, { password: PASSWORD })).heading).to.equal(
        'Now log in',
      )
      expect(
        await rows(stage, 'SELECT 1 AS x FROM authenticators WHERE account_id = ?', [lost.person.id]),
      ).to.have.length(0)
    })

    it('loses against the owner who stops it at the same moment, or is stopped right after: never a live link', async () => {
      for (let round = 0; round < 5; round++) {
        const lost = await alone()
        const number = await openedCase(stage, party, lost.person)
        const stop = new URL(await linkTo(stage, lost.person, STOP_LINK)).pathname
        await afterTheWait(stage, sam)
        await Promise.all([
          approve(sam, number),
          createVisitor(stage.origin).post(stop, {}),
          approve(sam, number),
        ])
        const row = await stateOf(number)
        expect(row).to.include({ closed_why: 'stopped' })
        const [token] = await rows(
          stage,
          "SELECT count(*) AS n FROM emailed_tokens WHERE kind = 'support-set-up' AND account_id = ?",
          [lost.person.id],
        )
        expect(Number(token?.n)).to.equal(row.approved_at === null ? 0 : 1)
        if (row.approved_at === null) continue
        const link = new URL(await linkTo(stage, lost.person, SET_UP_LINK)).pathname
        expect((await createVisitor(stage.origin).post(link, { password: PASSWORD })).status).to.equal(404)
      }
    })

    it('who is deactivated meanwhile decides nothing any more', async () => {
      const former = await agentOf(stage, 'Former Agent')
      const number = await openedCase(stage, party, (await alone()).person)
      await afterTheWait(stage, former)
      await change(stage, "UPDATE accounts SET role = 'technician' WHERE id = ?", [former.person.id])
      expect((await approve(former, number)).status).to.equal(404)
      expect(await stateOf(number)).to.include({ first_agent: null })
    })

    it('closes a case with a reason, and its owner is told', async () => {
      const lost = await alone()
      const number = await openedCase(stage, party, lost.person)
      await refresh(stage, sam)
      expect((await approve(sam, number, { answer: 'close', note: ' ' })).body).to.include(
        'Say why it is closed.',
      )
      expect(
        (await approve(sam, number, { answer: 'close', note: 'Nobody answers the number.' })).status,
      ).to.equal(303)
      expect(await stateOf(number)).to.include({ closed_why: 'closed', closed_by: sam.person.id })
      expect(await audited(stage, 'support_case.closed', lost.person)).to.equal(1)
      await stage.mail(
        ({ subject, to }) =>
          subject === 'The case about your account is over' && JSON.stringify(to).includes(lost.person.email),
      )
    })

    it('finds cases by where they stand', async () => {
      const number = await openedCase(stage, party, (await alone()).person)
      await refresh(stage, sam)
      const at = (state: string) => sam.by.get(`/support/cases?state=${state}`)
      expect((await sam.by.get('/support')).location).to.match(/\/support\/cases$/)
      expect((await sam.by.get('/support/cases')).body).to.include(`Case ${number}:`)
      expect((await at('waiting')).body).to.include(`Case ${number}:`)
      expect((await at('evidence')).body).not.to.include(`Case ${number}:`)
      await afterTheWait(stage, sam)
      expect((await at('evidence')).body).to.include(`Case ${number}:`)
      await approve(sam, number, { answer: 'close', note: 'Nobody answers.' })
      expect((await at('evidence')).body).not.to.include(`Case ${number}:`)
      expect((await at('over')).body).to.include(`Case ${number}:`)
      for (const path of ['x', '0', '99999999999999999', '-1']) {
        expect((await sam.by.get(`/support/cases/${path}`)).status, path).to.equal(404)
      }
    })
  })

  describe('the link', () => {
    it('is used once, also in 20 parallel requests', async () => {
      const lost = await alone()
      const { link } = await approved(lost.person)
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => createVisitor(stage.origin).post(link, { password: PASSWORD })),
      )
      expect(answers.filter(each => each.heading === 'Now log in')).to.have.length(1)
      expect(await audited(stage, 'second_factor.reset', lost.person)).to.equal(1)
      expect(await audited(stage, 'support_case.used', lost.person)).to.equal(1)
    })

    it('works for 24 hours', async () => {
      const lost = await alone()
      const { link, number } = await approved(lost.person)
      stage.advance(24 * HOUR + 1000)
      expect((await createVisitor(stage.origin).get(link)).status).to.equal(404)
      expect((await createVisitor(stage.origin).post(link, { password: PASSWORD })).status).to.equal(404)
      await refresh(stage, sam)
      expect((await sam.by.get(`/support/cases/${number}`)).body).to.include('Link ran out')
    })

    it('R7 works no more after a new password, or a reset by an admin', async () => {
      for (const sqlText of [
        'UPDATE accounts SET epoch = epoch + 1 WHERE id = ?',
        "UPDATE accounts SET status = 'deactivated' WHERE id = ?",
      ]) {
        const lost = await alone()
        const { link } = await approved(lost.person)
        await change(stage, sqlText, [lost.person.id])
        expect((await createVisitor(stage.origin).get(link)).status).to.equal(404)
        expect((await createVisitor(stage.origin).post(link, { password: PASSWORD })).status).to.equal(404)
      }
    })

    it('guesses no password: tries draw on the account’s own budget', async () => {
      const lost = await alone()
      const { link } = await approved(lost.person)
      const thief = createVisitor(stage.origin)
      for (let n = 0; n < 10; n++) await thief.post(link, { password: `guess ${n}` })
      expect((await thief.post(link, { password: PASSWORD })).body).to.include('Too many tries')
      expect(await audited(stage, 'second_factor.reset', lost.person)).to.equal(0)
      expect(await audited(stage, 'login.blocked', lost.person)).to.be.greaterThan(0)
    })
  })

  it('L3 gives no new tries: a mailed code does not start the count of wrong one-time codes anew', async () => {
    const lost = await alone()
    let evaluated = 0
    for (let round = 0; round < 4; round++) {
      const { visitor, base } = await lockedOut(stage, party, lost.person)
      for (let n = 0; n < 2; n++) {
        const answer = await visitor.post(`${base}/otp`, { code: wrongCode(stage, lost) })
        if (answer.body.includes('That code isn’t right')) evaluated++
      }
      await proveMailbox(stage, visitor, base, lost.person).catch(() => undefined)
      stage.advance(61_000)
    }
    expect(evaluated).to.be.at.most(7)
    const { visitor, base } = await lockedOut(stage, party, lost.person)
    const answer = await visitor.post(`${base}/otp`, { code: codeOf(stage, lost) })
    expect(answer.status).to.equal(400)
  })

  it('has no other way in: a case opens no page without the password, and its pages say nothing of others', async () => {
    const lost = await alone()
    await openedCase(stage, party, lost.person)
    const visitor = createVisitor(stage.origin)
    const { base } = await throughPassword(visitor, (await party.begin()).url, lost.person.email, 'wrong')
    expect((await visitor.get(`${base}?with=open-case`)).heading).to.equal('Enter your password')
  })
})
