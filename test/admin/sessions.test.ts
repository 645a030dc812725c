// The page Session timeout policy, by requests alone: what it takes, what it refuses and why, and logging everybody out.

import { expect } from 'chai'
import { audited, change, MINUTE, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { type Answer, visibleText } from '../support/visitor.ts'
import { countWork } from '../support/work.ts'
import { type Member, membersOf } from './member.ts'

const URL_ = '/admin/sessions'
const OUT = `${URL_}/log-out`

onEveryStage('the session timeout policy in the console', open => {
  let stage: Stage
  let members: ReturnType<typeof membersOf>
  let priya: Member
  let ben: Member

  before(async () => {
    stage = await open()
    members = membersOf(stage)
  })
  beforeEach(async () => {
    priya = await members.enrolled({ name: 'Priya Raman', role: 'admin' })
    ben = await members.enrolled({ name: 'Ben Okafor', organisationId: priya.person.organisationId })
    await plan('Enterprise')
  })

  const organisationOf = ({ person }: Member) => person.organisationId
  const plan = (name: string, of = priya) =>
    change(stage, 'UPDATE organisations SET plan = ? WHERE id = ?', [name, organisationOf(of)])
  const save = (inactive: string, end: string, by = priya.by) => by.post(URL_, { inactive, end })
  const inField = ({ body }: Answer, name: string) =>
    new RegExp(`name="${name}"[^>]* value="([^"]*)"`).exec(body)?.[1]
  async function stored(of = priya) {
    const [row] = await rows(
      stage,
      'SELECT session_inactive_hours AS hours, session_end_days AS days FROM organisations WHERE id = ?',
      [organisationOf(of)],
    )
    return [row?.hours ?? null, row?.days ?? null]
  }
  const audit = () =>
    rows(
      stage,
      `SELECT actor_id, details FROM audit_events WHERE event = 'organisation.session_policy_changed'
         AND organisation_id = ? ORDER BY id`,
      [organisationOf(priya)],
    )
  const loggedIn = async ({ by }: Member) => (await by.get('/account')).status === 200
  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (let n = 0; n < 200; n++) {
      if (await holds()) return
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    throw new Error(`in vain: ${what}`)
  }

  it('is in the navigation, shows what holds, and saves what is chosen, with both in the audit log', async () => {
    const page = await priya.by.get(URL_)
    expect(page.heading).to.equal('Session timeout policy')
    expect(page.body).to.match(/href="\/admin\/sessions"[^>]*aria-current="page"/)
    expect([inField(page, 'inactive'), inField(page, 'end')]).to.deep.equal(['24', '7'])
    const answer = await save('8', ' 14 ')
    expect(answer.status).to.equal(303)
    const saved = await priya.by.get(answer.location ?? '')
    expect(visibleText(saved)).to.include('Saved.')
    expect([inField(saved, 'inactive'), inField(saved, 'end')]).to.deep.equal(['8', '14'])
    expect(await stored()).to.deep.equal([8, 14])
    const [row, ...more] = await audit()
    expect([row?.actor_id, more.length]).to.deep.equal([priya.person.id, 0])
    expect(JSON.parse(String(row?.details))).to.deep.equal({
      from: '24 h inactive, 7 d in any case',
      to: '8 h inactive, 14 d in any case',
    })
    const log = visibleText(await priya.by.get('/admin/audit'))
    expect(log).to.include('Session timeout changed').and.to.include('Now: 8 h inactive, 14 d in any case')
  })

  it('saves the same once, and says nothing of values that do not hold', async () => {
    await save('8', '14')
    await save('8', '14')
    expect(await audit()).to.have.length(1)
    expect(visibleText(await priya.by.get(`${URL_}?saved=1-2`))).not.to.include('Saved.')
  })

  it('takes whole hours from 1 to 24 and days from 2 to 30, and keeps what was typed otherwise', async () => {
    for (const [inactive, end, wrong] of [
      ['0', '7', 'inactive'],
      ['25', '7', 'inactive'],
      ['1.5', '7', 'inactive'],
      ['-1', '7', 'inactive'],
      ['1e1', '7', 'inactive'],
      ['', '7', 'inactive'],
      ['<b>', '7', 'inactive'],
      ['9'.repeat(400), '7', 'inactive'],
      ['8', '1', 'end'],
      ['8', '31', 'end'],
      ['8', 'thirty', 'end'],
    ] as const) {
      const answer = await save(inactive, end)
      expect(answer.status, `${inactive} ${end}`).to.equal(400)
      expect(answer.body).to.include(`id="${wrong}-error"`)
      expect(inField(answer, 'inactive')).to.equal(inactive.replace('<', '&lt;').replace('>', '&gt;'))
      expect(inField(answer, 'end')).to.equal(end)
    }
    expect(await stored()).to.deep.equal([null, null])
    expect((await priya.by.post(URL_, { inactive: '8', end: '7', plan: 'Enterprise' })).status).to.equal(400)
    expect(await audit()).to.deep.equal([])
    for (const [inactive, end] of [
      ['1', '2'],
      ['24', '30'],
    ] as const)
      expect((await save(inactive, end)).status).to.equal(303)
  })

  it('is closed on other plans, says why, and takes nothing by a form of one’s own either', async () => {
    await save('1', '30')
    await plan('Team')
    const page = await priya.by.get(URL_)
    const why = 'Your plan, Team, comes without session timeouts of your own, so the standard ones hold.'
    expect(visibleText(page))
      .to.include(why)
      .and.to.include('Enterprise, Superpower')
      .and.to.include('24 hours')
    expect(page.body).not.to.include('name="inactive"')
    const answer = await save('8', '14')
    expect(answer.status).to.equal(409)
    expect(visibleText(answer)).to.include(why)
    expect((await save('0', '99')).status).to.equal(409)
    expect(await stored()).to.deep.equal([1, 30])
    expect(await audit()).to.have.length(1)
    // The plan is back, and so is what was chosen.
    await plan('Enterprise')
    expect(inField(await priya.by.get(URL_), 'inactive')).to.equal('1')
  })

  it('changes nothing without a fresh second factor, and then takes one more press, once', async () => {
    stage.advance(6 * MINUTE)
    const asked = await save('8', '14')
    const page = await members.prove(priya, await priya.by.follow(asked.location ?? ''))
    expect(visibleText(page)).to.include('Press once more to do it.').and.to.include('8 hours')
    expect(page.body).not.to.include('name="inactive"')
    expect(await stored()).to.deep.equal([null, null])
    const pending = inField(page, 'pending') ?? ''
    const presses = await Promise.all([1, 2, 3].map(() => priya.by.post(URL_, { pending })))
    // Whoever comes when it is done is told that it waits no more.
    expect(presses.filter(each => ![303, 400].includes(each.status))).to.deep.equal([])
    expect(await stored()).to.deep.equal([8, 14])
    expect(await audit()).to.have.length(1)
    await save('9', '14')
    expect((await priya.by.post(URL_, { pending })).status).to.equal(400)
    expect(await stored()).to.deep.equal([9, 14])
  })

  it('shows a form that waited with its fault, to be corrected', async () => {
    stage.advance(6 * MINUTE)
    const asked = await save('99', '14')
    const page = await members.prove(priya, await priya.by.follow(asked.location ?? ''))
    expect(inField(page, 'inactive')).to.equal('99')
    expect(page.body).to.include('id="inactive-error"').and.not.to.include('name="pending"')
    // Whoever sends it as it waits gets no further.
    const pending = new URL((page as Answer & { url: string }).url).searchParams.get('pending') ?? ''
    expect(pending).not.to.equal('')
    expect((await priya.by.post(URL_, { pending })).status).to.equal(400)
    expect(await stored()).to.deep.equal([null, null])
  })

  it('keeps one of two changes that meet, and records what each found', async () => {
    const rosa = await members.enrolled({
      name: 'Rosa',
      role: 'admin',
      organisationId: organisationOf(priya),
    })
    await Promise.all([save('8', '14'), save('2', '3', rosa.by)])
    const found = (await audit()).map(each => JSON.parse(String(each.details)))
    expect(found).to.have.length(2)
    expect(found[1].from).to.equal(found[0].to)
  })

  it('is of one organisation: another’s stays as it was, whoever saves and whatever is in the form', async () => {
    const mallory = await members.enrolled({ name: 'Mallory', role: 'admin' })
    await plan('Enterprise', mallory)
    const other = organisationOf(priya)
    const answer = await mallory.by.post(`${URL_}?organisation=${other}`, { inactive: '1', end: '2' })
    expect(answer.status).to.equal(303)
    expect(await stored()).to.deep.equal([null, null])
    expect(await stored(mallory)).to.deep.equal([1, 2])
    const page = await mallory.by.get(URL_)
    expect(page.body).not.to.include('Ben Okafor').and.not.to.include(other)
    expect((await ben.by.get(URL_)).status).to.equal(404)
    expect((await save('1', '2', ben.by)).status).to.equal(404)
  })

  it('logs the user out at the next request after the policy got shorter', async () => {
    expect(await loggedIn(ben)).to.equal(true)
    stage.advance(2 * 60 * MINUTE)
    expect(await loggedIn(ben)).to.equal(true)
    stage.advance(2 * 60 * MINUTE)
    await change(stage, 'UPDATE organisations SET session_inactive_hours = 1 WHERE id = ?', [
      organisationOf(priya),
    ])
    expect(await loggedIn(ben)).to.equal(false)
  })

  it('is read in at most two statements', async () => {
    const { reads, statements } = await countWork(stage, () => priya.by.get(URL_))
    expect(reads, statements.join()).to.be.at.most(2)
  })

  describe('logging out all sessions', () => {
    it('asks first, names how many, and logs out everybody, whoever asked among them', async () => {
      const elsewhere = await members.enrolled({ name: 'Mallory', role: 'admin' })
      const page = await priya.by.get(URL_)
      expect(page.body).to.include(`href="${OUT}"`)
      const asked = await priya.by.get(OUT)
      expect(asked.heading).to.equal('Log out all sessions?')
      expect(visibleText(asked)).to.include('2 users are logged out').and.to.include('you among them')
      expect([await loggedIn(priya), await loggedIn(ben)]).to.deep.equal([true, true])
      const answer = await priya.by.post(OUT, { seen: inField(asked, 'seen') ?? '' })
      expect(answer.status).to.equal(303)
      expect(await loggedIn(priya)).to.equal(false)
      await until('Ben is logged out', async () => !(await loggedIn(ben)))
      expect(await loggedIn(elsewhere)).to.equal(true)
      const [row, ...more] = await rows(
        stage,
        `SELECT actor_id FROM audit_events WHERE event = 'organisation.logged_out' AND organisation_id = ?`,
        [organisationOf(priya)],
      )
      expect([row?.actor_id, more.length]).to.deep.equal([priya.person.id, 0])
      for (const { person } of [priya, ben])
        expect(await audited(stage, 'user.logged_out', person)).to.equal(1)
    })

    it('does it once for fifty presses at once, and nothing for the page pressed again', async () => {
      const seen = inField(await priya.by.get(OUT), 'seen') ?? ''
      const rosa = await members.enrolled({
        name: 'Rosa',
        role: 'admin',
        organisationId: organisationOf(priya),
      })
      const presses = await Promise.all(
        Array.from({ length: 50 }, (_, n) => (n % 2 ? priya : rosa).by.clone().post(OUT, { seen })),
      )
      expect(new Set(presses.map(each => each.status))).to.deep.equal(new Set([303]))
      await until('all are logged out', async () => !(await loggedIn(ben)) && !(await loggedIn(rosa)))
      for (const { person } of [priya, rosa, ben])
        expect(await audited(stage, 'user.logged_out', person)).to.equal(1)
      const orders = await rows(
        stage,
        `SELECT id FROM audit_events WHERE event = 'organisation.logged_out' AND organisation_id = ?`,
        [organisationOf(priya)],
      )
      expect(orders).to.have.length(1)
    })

    it('does nothing for an order that nobody saw', async () => {
      for (const seen of ['', 'x', '-1', '5', '9'.repeat(16), '9'.repeat(30)])
        expect((await priya.by.post(OUT, { seen })).status, seen).to.equal(303)
      expect([await loggedIn(priya), await loggedIn(ben)]).to.deep.equal([true, true])
      expect(inField(await priya.by.get(OUT), 'seen')).to.equal('0')
    })

    it('waits for a fresh second factor and one more press', async () => {
      stage.advance(6 * MINUTE)
      const asked = await priya.by.post(OUT, { seen: '0' })
      const page = await members.prove(priya, await priya.by.follow(asked.location ?? ''))
      expect(page.heading).to.equal('Log out all sessions?')
      expect(await loggedIn(ben)).to.equal(true)
      await priya.by.post(OUT, { pending: inField(page, 'pending') ?? '' })
      await until('Ben is logged out', async () => !(await loggedIn(ben)))
    })

    it('is not for technicians', async () => {
      expect((await ben.by.get(OUT)).status).to.equal(404)
      expect((await ben.by.post(OUT, { seen: '0' })).status).to.equal(404)
      expect(await loggedIn(priya)).to.equal(true)
    })
  })
})
