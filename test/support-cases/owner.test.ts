// The way back through support opens an account for whoever convinces two strangers: so its owner is told of each step,
// keeps what they have until the end, and ends it by getting in.

import { expect } from 'chai'
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
  agentOf,
  approve,
  approvedCase,
  caseNumber,
  caseRow,
  HOUR,
  linkTo,
  lockedOut,
  openedCase,
  proveMailbox,
  refresh,
  STOP_LINK,
  setUpAgain,
  WHY,
} from './ground.ts'

onEveryStage('a support case and its owner', open => {
  let stage: Stage
  let party: RelyingParty
  let sam: Agent

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
    sam = await agentOf(stage, 'Sam Ellery')
  })

  /** A technician who is the only user of their organisation. */
  const alone = () => victim(stage, party, { name: 'Marta Kowalczyk' })

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
    const { link } = await approvedCase(stage, party, sam, lost.person)
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
      const { link } = await approvedCase(stage, party, sam, lost.person)
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
    expect(await caseRow(stage, number)).to.include({ approved_at: null })

    const late = await alone()
    const { link } = await approvedCase(stage, party, sam, late.person)
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
    expect(await caseRow(stage, first)).to.include({ closed_why: 'logged_in' })
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
    expect(await caseRow(stage, number)).to.include({ closed_why: 'account_changed' })
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
