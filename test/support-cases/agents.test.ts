// Attacks by agents, and mistakes of theirs: too early, without evidence, alone, twice, about themselves, too late.

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
  openedCase,
  refresh,
  SAW,
  SET_UP_LINK,
  STOP_LINK,
} from './ground.ts'

onEveryStage('support agents', open => {
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
    expect(await caseRow(stage, number)).to.include({ first_agent: null, approved_at: null })
  })

  it('needs a tick and twenty words, and never sees the link', async () => {
    const lost = await alone()
    const number = await openedCase(stage, party, lost.person)
    await afterTheWait(stage, sam)
    expect((await approve(sam, number, { note: 'Looks fine to me' })).body).to.include('That is 4 words')
    expect((await approve(sam, number, { note: '. '.repeat(30) })).body).to.include('That is 0 words')
    expect((await approve(sam, number, { evidence: '' })).body).to.include('Tick at least one')
    expect((await approve(sam, number, { evidence: 'nonsense' })).body).to.include('Tick at least one')
    expect(await caseRow(stage, number)).to.include({ first_agent: null })
    const done = await approve(
      sam,
      number,
      `evidence=call&evidence=invoice&answer=approve&note=${encodeURIComponent(SAW)}`,
    )
    expect(done.status).to.equal(303)
    const page = await sam.by.get(done.location ?? '')
    const link = await linkTo(stage, lost.person, SET_UP_LINK)
    expect(page.body).to.include('Link sent').and.not.include(link.split('/').at(-1))
    expect(await caseRow(stage, number)).to.include({ evidence: 'call invoice', second_agent: null })
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
    expect(await caseRow(stage, number)).to.include({ first_agent: null })
    const step = await sam.by.follow(sent.location ?? '')
    const shown = await membersOf(stage).prove(sam, step)
    expect(shown.body).to.include(SAW)
    const pending = /name="pending" value="([^"]+)"/.exec(shown.body)?.[1] ?? ''
    expect((await sam.by.post(`/support/cases/${number}`, { pending })).status).to.equal(303)
    expect(await caseRow(stage, number)).to.include({ first_agent: sam.person.id })
  })

  it('does not approve alone where the target is an admin, however often at once', async () => {
    const lost = await onlyAdmin()
    const number = await openedCase(stage, party, lost.person)
    await afterTheWait(stage, sam, ria)
    await Promise.all(Array.from({ length: 20 }, () => approve(sam, number)))
    expect(await caseRow(stage, number)).to.include({
      first_agent: sam.person.id,
      second_agent: null,
      approved_at: null,
    })
    expect(await audited(stage, 'support_case.approved', lost.person)).to.equal(1)
    expect((await approve(sam, number)).status).to.equal(409)
    expect((await sam.by.get(`/support/cases/${number}`)).body).to.include('A second agent decides.')
    const all = await Promise.all(Array.from({ length: 20 }, () => approve(ria, number)))
    expect(all.filter(each => each.status === 303)).to.have.length(1)
    expect(await caseRow(stage, number)).to.include({ second_agent: ria.person.id })
    expect((await linkTo(stage, lost.person, SET_UP_LINK)).length).to.be.greaterThan(20)
  })

  it('cannot make an admin a technician’s case: the role of the day that it was opened counts, too', async () => {
    const lost = await onlyAdmin()
    const number = await openedCase(stage, party, lost.person)
    await change(stage, "UPDATE accounts SET role = 'technician' WHERE id = ?", [lost.person.id])
    await afterTheWait(stage, sam)
    await approve(sam, number)
    expect(await caseRow(stage, number)).to.include({ first_agent: sam.person.id, approved_at: null })

    const risen = await alone()
    const other = await openedCase(stage, party, risen.person)
    await change(stage, "UPDATE accounts SET role = 'admin' WHERE id = ?", [risen.person.id])
    await afterTheWait(stage, sam)
    await approve(sam, other)
    expect(await caseRow(stage, other)).to.include({ first_agent: sam.person.id, approved_at: null })
  })

  it('cannot reset alone who became an admin after the approval: the link of one agent works no more', async () => {
    const lost = await alone()
    const { number, link } = await approvedCase(stage, party, sam, lost.person)
    await change(stage, "UPDATE accounts SET role = 'admin' WHERE id = ?", [lost.person.id])
    expect((await createVisitor(stage.origin).post(link, { password: PASSWORD })).status).to.equal(404)
    expect(await caseRow(stage, number)).to.include({ second_agent: null, used_at: null })
    expect(await audited(stage, 'second_factor.reset', lost.person)).to.equal(0)
  })

  it('decides nothing about a case of their own', async () => {
    const lost = await agentOf(stage, 'Lou Marsh')
    const number = await openedCase(stage, party, lost.person)
    expect((await lost.by.get(`/support/cases/${number}`)).body).to.include('about your own account')
    for (const answer of ['approve', 'close'])
      expect((await approve(lost, number, { answer })).status).to.equal(409)
    await afterTheWait(stage, sam, ria)
    await approve(sam, number)
    expect(await caseRow(stage, number)).to.include({ first_agent: sam.person.id, approved_at: null })
    expect((await approve(ria, number)).status).to.equal(303)
    const link = new URL(await linkTo(stage, lost.person, SET_UP_LINK)).pathname
    const used = await createVisitor(stage.origin).post(link, { password: PASSWORD })
    expect(used.heading).to.equal('Now log in')
    const left = await rows(stage, 'SELECT 1 AS x FROM authenticators WHERE account_id = ?', [lost.person.id])
    expect(left).to.have.length(0)
  })

  it('loses against the owner who stops it at the same moment, or is stopped right after: never a live link', async () => {
    for (let round = 0; round < 3; round++) {
      const lost = await alone()
      const number = await openedCase(stage, party, lost.person)
      const stop = new URL(await linkTo(stage, lost.person, STOP_LINK)).pathname
      await afterTheWait(stage, sam)
      await Promise.all([
        approve(sam, number),
        createVisitor(stage.origin).post(stop, {}),
        approve(sam, number),
      ])
      const row = await caseRow(stage, number)
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
    expect(await caseRow(stage, number)).to.include({ first_agent: null })
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
    expect(await caseRow(stage, number)).to.include({ closed_why: 'closed', closed_by: sam.person.id })
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
