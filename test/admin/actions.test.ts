// MFA for protected actions, by requests alone: what the pages show, what is saved and refused, and that what an admin
// saves is what the users of the organisation meet.

import { expect } from 'chai'
import { setActions } from '../../src/actions/registration.ts'
import { readActionRules } from '../../src/store/organisations/action-rules.ts'
import { change, givePasskey, MINUTE, rows } from '../attacks/ground.ts'
import { ACTIONS, asking, type Console, cameTo, openConsole, REQUESTS } from '../support/console.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { type Answer, createVisitor, visibleText } from '../support/visitor.ts'
import { countWork } from '../support/work.ts'
import { type Member, membersOf } from './member.ts'

onEveryStage('the page for protected actions', open => {
  let stage: Stage
  let members: ReturnType<typeof membersOf>
  let app: Console
  let priya: Member

  before(async () => {
    stage = await open()
    members = membersOf(stage)
    app = await openConsole(stage)
  })
  beforeEach(async () => {
    await setActions(stage.directory, app.party.clientId, ACTIONS)
    priya = await members.enrolled({ name: 'Priya Raman', role: 'admin' })
  })

  const hidden = ({ body }: Answer, name: string) =>
    new RegExp(`name="${name}" value="([^"]*)"`).exec(body)?.[1] ?? ''

  /** Where an action is changed, by its title. */
  async function pageOf(title: string, by = priya.by): Promise<string> {
    const { body } = await by.get('/admin/actions')
    const found = body
      .split('<tr')
      .find(row => row.includes(title))
      ?.match(/href="(\/admin\/actions\/[\w-]+)"/)?.[1]
    if (found === undefined) throw new Error(`no action "${title}"`)
    return found
  }

  /** Sends the form as its page has it, with what is chosen. */
  async function save(title: string, form: Record<string, string>, by = priya.by): Promise<Answer> {
    const path = await pageOf(title, by)
    return by.post(path, { seen: hidden(await by.get(path), 'seen'), ...form })
  }

  const stored = async ({ person }: Member) =>
    (await readActionRules(stage.running.services.database, person.organisationId)).map(
      each => `${each.action} ${each.stored}`,
    )
  const events = async ({ person }: Member) =>
    (
      await rows(
        stage,
        "SELECT event, actor_id, address, details FROM audit_events WHERE organisation_id = ? AND event LIKE 'action_rule.%' ORDER BY id",
        [person.organisationId],
      )
    ).map(({ event, actor_id, address, details }) => {
      return { event, actor_id, address, details: JSON.parse(String(details)) }
    })

  it('shows every action in words, with the app’s rule and the one that holds', async () => {
    const page = await priya.by.get('/admin/actions')
    expect(page.heading).to.equal('MFA for protected actions')
    expect(page.body).to.match(/href="\/admin\/actions" aria-current="page"/)
    expect(visibleText(page))
      .to.include('delete [number] devices at [site]')
      .and.to.include('Every time')
      .and.to.include('Off')
      .and.to.include('Once within 5 minutes')
      .and.to.include('Passkey only, every time')
    expect(visibleText(page)).not.to.include('Stricter')
  })

  it('tightens for the users of this organisation, and of no other', async () => {
    const other = await members.enrolled({ name: 'Olu', role: 'admin' })
    const ask = async ({ by }: Member) => {
      const begun = await app.party.begin(asking(REQUESTS['device.rename']))
      return cameTo(await by.follow(begun.url))
    }
    expect(await ask(priya)).to.equal('proof')
    const answer = await save('rename [number] devices', { rule: 'always' })
    expect(answer.status, answer.body).to.equal(303)
    const done = await priya.by.get(answer.location ?? '')
    expect(visibleText(done)).to.include(
      'Saved: “rename [number] devices” is confirmed by the rule “Every time”',
    )
    expect(visibleText(done)).to.include('Stricter')
    stage.advance(10_001)
    expect(await ask(priya)).to.equal('code')
    expect(await ask(other)).to.equal('proof')
    expect(visibleText(await other.by.get('/admin/actions'))).not.to.include('Stricter')
    expect(await stored(priya)).to.deep.equal(['device.rename always'])
    const [event, ...rest] = await events(priya)
    expect(rest).to.deep.equal([])
    expect(event).to.deep.include({ event: 'action_rule.tightened', actor_id: priya.person.id })
    expect(event?.details).to.deep.equal({
      client_id: app.party.clientId,
      action: 'device.rename',
      from: 'off',
      to: 'always',
    })
    expect(String(event?.address)).to.match(/127\.0\.0\.1|::1/)
  })

  it('goes back, to anything that the app’s rule allows, and to the app’s rule itself', async () => {
    await save('run [script] on [number] devices', { rule: 'passkey' })
    await save('run [script] on [number] devices', { rule: 'within', minutes: ' 2 ' })
    expect(await stored(priya)).to.deep.equal(['script.run within:120'])
    const page = await priya.by.get(await pageOf('run [script]'))
    expect(page.body).to.match(/value="within" checked/)
    expect(page.body).to.match(/name="minutes"[^>]*value="2"/)
    await save('run [script] on [number] devices', { rule: 'app' })
    expect(await stored(priya)).to.deep.equal([])
    expect((await events(priya)).map(each => [each.event, each.details.from, each.details.to])).to.deep.equal(
      [
        ['action_rule.tightened', 'within:300', 'passkey'],
        ['action_rule.loosened', 'passkey', 'within:120'],
        ['action_rule.loosened', 'within:120', 'within:300'],
      ],
    )
  })

  it('takes the app’s own rule, in minutes, for the app’s rule', async () => {
    await save('run [script] on [number] devices', { rule: 'within', minutes: '5' })
    expect(await stored(priya)).to.deep.equal([])
    expect(await events(priya)).to.deep.equal([])
  })

  it('changes nothing, and writes nothing, where the rule is what it was', async () => {
    await save('rename [number] devices', { rule: 'always' })
    expect((await save('rename [number] devices', { rule: 'always' })).status).to.equal(303)
    expect((await save('view a secret', { rule: 'passkey' })).status).to.equal(303)
    expect(await events(priya)).to.have.length(1)
  })

  for (const [title, form] of [
    ['delete [number] devices', { rule: 'off' }],
    ['delete [number] devices', { rule: 'within', minutes: '1' }],
    ['view a secret', { rule: 'always' }],
    ['view a secret', { rule: 'off' }],
    ['run [script]', { rule: 'off' }],
  ] as const) {
    it(`is never laxer than the app: refuses “${form.rule}” for “${title}”, with the reason`, async () => {
      const answer = await save(title, form)
      expect(answer.status).to.equal(400)
      expect(visibleText(answer)).to.include('That is laxer than the app’s rule.')
      expect(answer.body).to.include('<title>Error: ')
      expect(await stored(priya)).to.deep.equal([])
      expect(await events(priya)).to.deep.equal([])
    })
  }

  it('offers nothing that is laxer than the app', async () => {
    const offered = async (title: string) =>
      [
        ...(await priya.by.get(await pageOf(title))).body.matchAll(/type="radio" name="rule" value="(\w+)"/g),
      ].map(([, value]) => value)
    expect(await offered('rename')).to.deep.equal(['app', 'within', 'always', 'passkey'])
    expect(await offered('run [script]')).to.deep.equal(['app', 'within', 'always', 'passkey'])
    expect(await offered('delete')).to.deep.equal(['app', 'passkey'])
    expect(await offered('view a secret')).to.deep.equal(['app'])
  })

  it('asks again for minutes that are none, too few or too many, and keeps what was typed', async () => {
    for (const minutes of ['', '0', '6', '-1', '1.5', 'five', '1e1', '999999', '<b>2</b>']) {
      const answer = await save('run [script]', { rule: 'within', minutes })
      expect(answer.status, minutes).to.equal(400)
      expect(visibleText(answer), minutes).to.include('Enter a whole number of minutes, from 1 to 5.')
      expect(answer.body, minutes).to.match(/value="within" checked/)
      expect(answer.body, minutes).to.match(/name="minutes"[^>]*aria-invalid="true"/)
    }
    expect((await save('run [script]', { rule: 'within', minutes: '6' })).body).to.match(
      /name="minutes"[^>]*value="6"/,
    )
    expect(visibleText(await save('run [script]', {}))).to.include('Choose one of the rules.')
    expect(visibleText(await save('run [script]', { rule: '__proto__' }))).to.include(
      'Choose one of the rules.',
    )
    expect(await stored(priya)).to.deep.equal([])
  })

  it('says how many active users of the organisation have no passkey', async () => {
    const { organisationId } = priya.person
    const ben = await stage.person({ name: 'Ben', organisationId })
    const gone = await stage.person({ name: 'Gone', organisationId })
    await change(stage, "UPDATE accounts SET status = 'deactivated' WHERE id = ?", [gone.id])
    const page = async () => visibleText(await priya.by.get(await pageOf('delete')))
    expect(await page()).to.include('2 active users have no passkey, and can’t do this before they add one.')
    await givePasskey(stage, ben)
    expect(await page()).to.include('1 active user has no passkey')
    await givePasskey(stage, priya.person)
    expect(await page()).to.include('All your active users have a passkey.')
  })

  it('saves once what two admins decide at the same time, and tells the other', async () => {
    const { organisationId } = priya.person
    const rosa = await members.enrolled({ name: 'Rosa', role: 'admin', organisationId })
    const path = await pageOf('rename')
    const seen = hidden(await priya.by.get(path), 'seen')
    const answers = await Promise.all([
      priya.by.post(path, { seen, rule: 'always' }),
      rosa.by.post(path, { seen, rule: 'passkey' }),
    ])
    expect(answers.map(each => each.status).toSorted()).to.deep.equal([303, 409])
    const late = answers.find(each => each.status === 409)
    expect(late && visibleText(late)).to.include(
      'Nothing was saved: somebody else changed this rule meanwhile.',
    )
    expect(await events(priya)).to.have.length(1)
    const [held] = await stored(priya)
    expect(held).to.equal(answers[0]?.status === 303 ? 'device.rename always' : 'device.rename passkey')
    // And one after the other, on a page that was opened before.
    expect((await rosa.by.post(path, { seen, rule: 'app' })).status).to.equal(409)
    expect(await stored(priya)).to.deep.equal([held])
    // What they then see they may change.
    expect((await save('rename', { rule: 'app' }, rosa.by)).status).to.equal(303)
    expect(await stored(priya)).to.deep.equal([])
  })

  it('saves one of twenty changes of the same stricter rule at once', async () => {
    await save('run [script]', { rule: 'within', minutes: '4' })
    const path = await pageOf('run [script]')
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        priya.by.post(path, { seen: 'within:240', rule: n % 2 === 0 ? 'always' : 'passkey' }),
      ),
    )
    expect(answers.filter(each => each.status === 303)).to.have.length(1)
    expect(answers.filter(each => each.status === 409)).to.have.length(19)
    expect(await events(priya)).to.have.length(2)
  })

  it('takes back once what two undo at the same time', async () => {
    await save('rename', { rule: 'always' })
    const path = await pageOf('rename')
    const both = await Promise.all([0, 1].map(() => priya.by.post(path, { seen: 'always', rule: 'app' })))
    expect(both.map(each => each.status).toSorted()).to.deep.equal([303, 409])
    expect((await events(priya)).map(each => each.event)).to.deep.equal([
      'action_rule.tightened',
      'action_rule.loosened',
    ])
  })

  it('changes nothing without a fresh second factor, and then takes one more press', async () => {
    const path = await pageOf('rename')
    stage.advance(6 * MINUTE)
    const asked = await priya.by.post(path, { seen: 'off', rule: 'within', minutes: '10' })
    expect(await stored(priya)).to.deep.equal([])
    const shown = await members.prove(priya, await priya.by.follow(asked.location ?? ''))
    expect(shown.heading).to.equal('Rule for: rename [number] devices')
    expect(visibleText(shown)).to.include('New rule Once within 10 minutes')
    const pending = hidden(shown, 'pending')
    expect(await stored(priya)).to.deep.equal([])
    const both = await Promise.all([0, 1].map(() => priya.by.post(path, { pending })))
    expect(both.map(each => each.status)).to.include(303)
    expect(await stored(priya)).to.deep.equal(['device.rename within:600'])
    expect(await events(priya)).to.have.length(1)
    expect(visibleText(await priya.by.post(path, { pending }))).to.include('This was not done')
  })

  it('is what the app made of it, if the app has become stricter meanwhile', async () => {
    await save('rename', { rule: 'always' })
    await setActions(
      stage.directory,
      app.party.clientId,
      ACTIONS.map(each => ({ ...each, rule: 'passkey' })),
    )
    const page = await priya.by.get(await pageOf('rename'))
    expect(visibleText(page)).to.include('Holds now for your users Passkey only, every time')
    const late = await priya.by.post(await pageOf('rename'), { seen: 'passkey', rule: 'always' })
    expect(visibleText(late)).to.include('That is laxer than the app’s rule.')
  })

  it('is not there for a technician, nor for an id that no action has', async () => {
    const { organisationId } = priya.person
    const ben = await members.enrolled({ name: 'Ben', organisationId })
    const path = await pageOf('rename')
    for (const address of ['/admin/actions', path]) {
      expect((await ben.by.get(address)).status, address).to.equal(404)
    }
    expect((await ben.by.post(path, { seen: 'off', rule: 'always' })).status).to.equal(404)
    expect((await createVisitor(stage.origin).post(path, { seen: 'off', rule: 'always' })).status).to.equal(
      303,
    )
    for (const id of [
      'device.rename',
      app.party.clientId,
      'x'.repeat(500),
      '%00',
      '..%2fusers',
      '__proto__',
    ]) {
      expect((await priya.by.get(`/admin/actions/${id}`)).status, id).to.equal(404)
      expect((await priya.by.post(`/admin/actions/${id}`, { rule: 'always' })).status, id).to.equal(404)
    }
    expect(await stored(priya)).to.deep.equal([])
  })

  it('changes nothing for an admin who is none any more', async () => {
    const path = await pageOf('rename')
    await change(stage, "UPDATE accounts SET role = 'technician' WHERE id = ?", [priya.person.id])
    expect((await priya.by.post(path, { seen: 'off', rule: 'always' })).status).to.equal(404)
    expect(await stored(priya)).to.deep.equal([])
  })

  it('is read in at most four statements', async () => {
    const path = await pageOf('rename')
    const { reads, statements } = await countWork(stage, () => priya.by.get('/admin/actions'))
    expect(reads, statements.join()).to.be.at.most(4)
    expect(path).to.match(/^\/admin\/actions\//)
  })
})
