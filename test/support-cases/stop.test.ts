// **This wasn’t me**: whoever gets the mails, or is logged in, stops the case at once.

import { expect } from 'chai'
import { membersOf } from '../admin/member.ts'
import { audited, change, rows, victim } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { PASSWORD, type Stage } from '../support/stage.ts'
import { createVisitor, type RelyingParty, relyingParty } from '../support/visitor.ts'
import {
  type Agent,
  afterTheWait,
  agentOf,
  approve,
  approvedCase,
  caseRow,
  linkTo,
  lockedOut,
  openedCase,
  proveMailbox,
  STOP_LINK,
  WHY,
} from './ground.ts'

onEveryStage('stopping a support case', open => {
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

  it('stops it by a button, once; a mail scanner that opens the link does not', async () => {
    const lost = await alone()
    const number = await openedCase(stage, party, lost.person)
    const link = new URL(await linkTo(stage, lost.person, STOP_LINK)).pathname
    const scanner = createVisitor(stage.origin)
    for (let n = 0; n < 3; n++) expect((await scanner.get(link)).heading).to.equal('Stop the support case?')
    expect(await caseRow(stage, number)).to.include({ closed_at: null })
    expect(
      (await scanner.post(link, {}, { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }))
        .status,
    ).to.equal(403)
    const answers = await Promise.all(Array.from({ length: 20 }, () => scanner.post(link, {})))
    expect(answers.filter(each => each.status === 200)).to.have.length(1)
    expect(await caseRow(stage, number)).to.include({ closed_why: 'stopped' })
    expect(await audited(stage, 'support_case.stopped', lost.person)).to.equal(1)
    expect((await scanner.get(link)).status).to.equal(404)
    await afterTheWait(stage, sam)
    expect((await approve(sam, number)).status).to.equal(409)
  })

  it('stops it after the link was sent, too: that works no more', async () => {
    const lost = await alone()
    const { link } = await approvedCase(stage, party, sam, lost.person)
    const stop = new URL(await linkTo(stage, lost.person, STOP_LINK)).pathname
    expect((await createVisitor(stage.origin).post(stop, {})).heading).to.equal('The case is stopped')
    expect((await createVisitor(stage.origin).get(link)).status).to.equal(404)
    expect((await createVisitor(stage.origin).post(link, { password: PASSWORD })).status).to.equal(404)
    expect(await audited(stage, 'second_factor.reset', lost.person)).to.equal(0)
  })

  it('keeps another from being opened for a day, unless there is a new password', async () => {
    const lost = await alone()
    await openedCase(stage, party, lost.person)
    const link = new URL(await linkTo(stage, lost.person, STOP_LINK)).pathname
    await createVisitor(stage.origin).post(link, {})
    stage.advance(61_000)
    const { visitor, base, page } = await lockedOut(stage, party, lost.person)
    expect(page.body).to.include('was stopped on').and.include('Set a new password')
    await proveMailbox(stage, visitor, base, lost.person)
    await visitor.post(`${base}/open-case`, { reason: WHY })
    const cases = () => rows(stage, 'SELECT 1 AS x FROM support_cases WHERE account_id = ?', [lost.person.id])
    expect(await cases()).to.have.length(1)
    await change(stage, 'UPDATE accounts SET epoch = epoch + 1 WHERE id = ?', [lost.person.id])
    stage.advance(61_000)
    await openedCase(stage, party, lost.person)
    expect(await cases()).to.have.length(2)
  })

  it('is a button on the account page of a live session, and on nobody else’s', async () => {
    const lost = await membersOf(stage).enrolled()
    const other = await membersOf(stage).enrolled()
    const number = await openedCase(stage, party, lost.person)
    expect((await lost.by.get('/account')).body).to.include('A support case for your account is open')
    expect((await other.by.get('/account')).body).not.to.include('support case')
    expect((await other.by.post('/account/support-case/stop', {})).status).to.equal(303)
    expect(await caseRow(stage, number)).to.include({ closed_at: null })
    await lost.by.post('/account/support-case/stop', {})
    expect(await caseRow(stage, number)).to.include({ closed_why: 'stopped' })
    expect((await lost.by.get('/account')).body).not.to.include('support case')
  })

  it('takes no link that we did not make', async () => {
    const lost = await alone()
    await openedCase(stage, party, lost.person)
    const link = new URL(await linkTo(stage, lost.person, STOP_LINK)).pathname
    const forged = [
      link.slice(0, -1),
      `${link}A`,
      link.replace(/cas_(.)/, (_, first) => (first === 'f' ? 'cas_0' : 'cas_f')),
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
