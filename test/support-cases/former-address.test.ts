// A thief who has changed the address of an account reads its mails. So while the old address can put itself back, it is
// told of a support case as well, from the first mail to the last, and stops it.

import { expect } from 'chai'
import { sweep } from '../../src/store/jobs/sweep.ts'
import { type Member, membersOf } from '../admin/member.ts'
import { audited, mailed, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { PASSWORD, type Stage } from '../support/stage.ts'
import { createVisitor, type RelyingParty, relyingParty } from '../support/visitor.ts'
import {
  type Agent,
  agentOf,
  approve,
  caseRow,
  HOUR,
  linkTo,
  openedCase,
  refresh,
  SET_UP_LINK,
  STOP_LINK,
} from './ground.ts'

const OPENED = 'A support case was opened for your account'
const WAITED = 'Support now looks at the case about your account'
const APPROVED_ONCE = 'The case about your account was approved once'
const APPROVED = 'The case about your account was approved'
const ENDED = 'The case about your account is over'
const CONFIRM = /http\S+\/link\/email-change\/[\w-]+/
const PUT_BACK = /http\S+\/link\/email-stop\/[\w.-]+/

let addresses = 0

onEveryStage('a support case and the address of before', open => {
  let stage: Stage
  let members: ReturnType<typeof membersOf>
  let party: RelyingParty
  let sam: Agent
  let ria: Agent
  let dana: Member
  let fresh: string

  before(async () => {
    stage = await open()
    members = membersOf(stage)
    party = await relyingParty(stage)
    sam = await agentOf(stage, 'Sam Ellery')
    ria = await agentOf(stage, 'Ria Bhatt')
  })
  beforeEach(async () => {
    dana = await members.enrolled()
    fresh = freshAddress()
  })

  const freshAddress = () => `fresh-${++addresses}@example.net`
  const now = () => ({ id: dana.person.id, email: fresh })
  const press = (link: string) => createVisitor(stage.origin).post(new URL(link).pathname, {})

  /** @returns the link that makes the change */
  async function orderChange(email = fresh): Promise<string> {
    await dana.by.post('/account/email', { email })
    return mailed(stage, { email }, CONFIRM)
  }

  async function changeAddress(email = fresh): Promise<void> {
    expect((await press(await orderChange(email))).heading).to.equal('Your address is changed')
  }

  /** Waits until an address was told. @returns the mail */
  function told(subject: string, email: string) {
    return stage.mail(each => each.subject === subject && JSON.stringify(each.to).includes(`"${email}"`))
  }

  async function subjectsTo(email: string): Promise<string[]> {
    return (await stage.mails())
      .filter(({ to }) => JSON.stringify(to).includes(`"${email}"`))
      .map(({ subject }) => subject ?? '')
  }

  it('tells it too, saying why, by a link that stops the case', async () => {
    const { email: old } = dana.person
    await changeAddress()
    stage.advance(70 * HOUR)
    const number = await openedCase(stage, party, now())
    await told(OPENED, fresh)
    const { text } = await told(OPENED, old)
    expect(text).to.include(`knows the password of ${fresh}`)
    expect(text).to.include(`because ${old} was the address of this account`)
    expect(text).not.to.include('Forgot password')
    const stop = await linkTo(stage, { email: old }, STOP_LINK)
    expect((await createVisitor(stage.origin).get(new URL(stop).pathname)).heading).to.equal(
      'Stop the support case?',
    )
    expect((await press(stop)).heading).to.equal('The case is stopped')
    expect(await caseRow(stage, number)).to.include({ closed_why: 'stopped' })
    expect(await audited(stage, 'support_case.stopped', dana.person)).to.equal(1)
    await told(ENDED, old)
    await told(ENDED, fresh)
  })

  it('tells it of each step, also when it can’t be put back any more by then; it gets no link to set up', async () => {
    const admin = await members.enrolled({ role: 'admin' })
    dana = admin
    const { email: old } = admin.person
    await changeAddress()
    stage.advance(71 * HOUR)
    const number = await openedCase(stage, party, now())
    stage.advance(25 * HOUR)
    await sweep(stage.running.services.database, stage.now())
    await told(WAITED, fresh)
    await told(WAITED, old)
    for (const [agent, said] of [
      [sam, APPROVED_ONCE],
      [ria, APPROVED],
    ] as const) {
      await refresh(stage, agent)
      expect((await approve(agent, number)).status).to.equal(303)
      await told(said, old)
    }
    const link = await linkTo(stage, { email: fresh }, SET_UP_LINK)
    expect(await subjectsTo(fresh)).not.to.include(APPROVED)
    for (const { to, text } of await stage.mails()) {
      if (JSON.stringify(to).includes(`"${old}"`)) expect(text).not.to.match(SET_UP_LINK)
    }
    expect((await press(await linkTo(stage, { email: old }, STOP_LINK))).heading).to.equal(
      'The case is stopped',
    )
    const late = await createVisitor(stage.origin).post(new URL(link).pathname, { password: PASSWORD })
    expect(late.status).to.equal(404)
    await told(ENDED, old)
    await sweep(stage.running.services.database, stage.now())
    const kept = await rows(stage, 'SELECT id FROM email_changes WHERE account_id = ?', [dana.person.id])
    expect(kept, 'of a case that is over').to.deep.equal([])
  })

  it('is told by an agent who closes it, too', async () => {
    const { email: old } = dana.person
    await changeAddress()
    const number = await openedCase(stage, party, now())
    await refresh(stage, sam)
    const answer = await approve(sam, number, { answer: 'close', note: 'The caller named no invoice.' })
    expect(answer.status).to.equal(303)
    expect((await told(ENDED, old)).text).to.include(`closed the case for ${fresh}`)
  })

  it('tells every address since, each once, after two changes and after one there and back', async () => {
    const { email: old } = dana.person
    const between = freshAddress()
    await changeAddress(between)
    await changeAddress(fresh)
    await openedCase(stage, party, now())
    for (const email of [old, between, fresh]) await told(OPENED, email)

    dana = await members.enrolled()
    const { email: again } = dana.person
    fresh = freshAddress()
    await changeAddress()
    await changeAddress(again)
    await openedCase(stage, party, dana.person)
    await told(OPENED, fresh)
    await told(OPENED, again)
    expect((await subjectsTo(again)).filter(each => each === OPENED)).to.have.length(1)
  })

  it('is told how a case of theirs ends that a change of the address ended', async () => {
    const { email: old } = dana.person
    const change = await orderChange()
    const number = await openedCase(stage, party, dana.person)
    await told(OPENED, old)
    expect((await press(change)).heading).to.equal('Your address is changed')
    stage.advance(25 * HOUR)
    await told(ENDED, fresh)
    await told(ENDED, old)
    expect(await caseRow(stage, number)).to.include({ closed_why: 'account_changed' })
  })

  it('is alone with it once it was put back, also after two changes', async () => {
    const { email: old } = dana.person
    const between = freshAddress()
    await changeAddress(between)
    await changeAddress(fresh)
    await openedCase(stage, party, now())
    await told(OPENED, old)
    const { heading } = await press(await mailed(stage, { email: old }, PUT_BACK))
    expect(heading).to.equal('Your account is locked')
    stage.advance(25 * HOUR)
    await told(ENDED, old)
    for (const email of [between, fresh]) expect(await subjectsTo(email)).not.to.include(ENDED)
  })

  it('is not told of a case that is opened when it can’t be put back any more', async () => {
    const { email: old } = dana.person
    await changeAddress()
    stage.advance(72 * HOUR)
    await openedCase(stage, party, now())
    await told(OPENED, fresh)
    expect(await subjectsTo(old)).not.to.include(OPENED)
  })

  it('is not told of an address that was only asked for, nor is that one', async () => {
    await orderChange()
    await openedCase(stage, party, dana.person)
    await told(OPENED, dana.person.email)
    expect(await subjectsTo(fresh)).not.to.include(OPENED)
    expect((await subjectsTo(dana.person.email)).filter(each => each === OPENED)).to.have.length(1)
  })
})
