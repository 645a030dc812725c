// The link that opens set-up again: once, for a day, with the password, and only while the case stands.

import { expect } from 'chai'
import { audited, change, victim } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { PASSWORD, type Stage } from '../support/stage.ts'
import { createVisitor, type RelyingParty, relyingParty } from '../support/visitor.ts'
import { type Agent, agentOf, approvedCase, HOUR, refresh } from './ground.ts'

onEveryStage('the link of a support case', open => {
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

  it('is used once, also in 20 parallel requests', async () => {
    const lost = await alone()
    const { link } = await approvedCase(stage, party, sam, lost.person)
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => createVisitor(stage.origin).post(link, { password: PASSWORD })),
    )
    expect(answers.filter(each => each.heading === 'Now log in')).to.have.length(1)
    expect(await audited(stage, 'second_factor.reset', lost.person)).to.equal(1)
    expect(await audited(stage, 'support_case.used', lost.person)).to.equal(1)
  })

  it('works for 24 hours', async () => {
    const lost = await alone()
    const { link, number } = await approvedCase(stage, party, sam, lost.person)
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
      const { link } = await approvedCase(stage, party, sam, lost.person)
      await change(stage, sqlText, [lost.person.id])
      expect((await createVisitor(stage.origin).get(link)).status).to.equal(404)
      expect((await createVisitor(stage.origin).post(link, { password: PASSWORD })).status).to.equal(404)
    }
  })

  it('guesses no password: tries draw on the account’s own budget', async () => {
    const lost = await alone()
    const { link } = await approvedCase(stage, party, sam, lost.person)
    const thief = createVisitor(stage.origin)
    for (let n = 0; n < 10; n++) await thief.post(link, { password: `guess ${n}` })
    expect((await thief.post(link, { password: PASSWORD })).body).to.include('Too many tries')
    expect(await audited(stage, 'second_factor.reset', lost.person)).to.equal(0)
    expect(await audited(stage, 'login.blocked', lost.person)).to.be.greaterThan(0)
  })
})
