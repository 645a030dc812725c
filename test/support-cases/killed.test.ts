// F5: the server is killed while an agent approves. Whatever moment it was, the case is in a state that the documentation
// names, and no approval is without the mail that tells of it.

import { expect } from 'chai'
import { change, rows, victim } from '../attacks/ground.ts'
import { type Mortal, startMortal } from '../attacks/mortal.ts'
import { PASSWORD, type Stage } from '../support/stage.ts'
import { createVisitor, type RelyingParty, relyingParty } from '../support/visitor.ts'
import { type Agent, agentOf, approve, linkTo, openedCase, SET_UP_LINK } from './ground.ts'

describe('a support case, on a server that is killed', function () {
  this.timeout(120_000)
  let mortal: Mortal
  let stage: Stage
  let party: RelyingParty
  let sam: Agent

  before(async () => {
    mortal = await startMortal('a-secret-key-of-32-characters-or-so')
    stage = mortal.stage
    party = await relyingParty(stage)
    sam = await agentOf(stage)
  })
  after(() => mortal?.close())

  async function waited(): Promise<{ person: { id: string; email: string }; number: number }> {
    const { person } = await victim(stage, party)
    const number = await openedCase(stage, party, person)
    await change(stage, 'UPDATE support_cases SET wait_until = opened_at WHERE number = ?', [number])
    return { person, number }
  }

  const count = async (text: string, id: string) => Number((await rows(stage, text, [id]))[0]?.n)

  it('F5 has approval, row, link and mail, or none of them', async () => {
    const outcomes = new Set<string>()
    for (const delay of [0, 3, 6, 10, 200]) {
      const { person, number } = await waited()
      const answer = approve(sam, number).catch(() => undefined)
      await new Promise(resolve => setTimeout(resolve, delay))
      await mortal.kill()
      await answer
      const [kept] = await rows(
        stage,
        'SELECT first_agent, approved_at FROM support_cases WHERE number = ?',
        [number],
      )
      const approved = kept?.approved_at === null ? 0 : 1
      outcomes.add(String(approved))
      expect(kept?.first_agent === null ? 0 : 1).to.equal(approved)
      const audit =
        "SELECT count(*) AS n FROM audit_events WHERE event = 'support_case.approved' AND account_id = ?"
      expect(await count(audit, person.id)).to.equal(approved)
      const tokens =
        "SELECT count(*) AS n FROM emailed_tokens WHERE kind = 'support-set-up' AND account_id = ?"
      expect(await count(tokens, person.id)).to.equal(approved)
      const jobs = 'SELECT count(*) AS n FROM jobs WHERE summary = ?'
      expect(await count(jobs, `support-set-up to ${person.email}`)).to.equal(approved)

      // A mail that was in hand is sent when its lease has run out.
      await change(stage, 'UPDATE jobs SET lease_until = ? WHERE done_at IS NULL', [0])
      await mortal.start()
      if (approved === 0) expect((await approve(sam, number)).status).to.equal(303)
      else expect((await approve(sam, number)).status).to.equal(409)
      const link = await linkTo(stage, person, SET_UP_LINK)
      const used = await createVisitor(stage.origin).post(link, { password: PASSWORD })
      expect(used.heading).to.equal('Now log in')
      expect(await count(jobs, `support-set-up to ${person.email}`)).to.equal(1)
    }
    expect(outcomes).to.include('1')
  })
})
