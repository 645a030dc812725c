// The page for the access list, by requests alone: what it shows, what it saves and refuses, and what it leaves alone.

import { expect } from 'chai'
import { setAccessList } from '../../src/organisations/access-setting.ts'
import { readStoredAccessList } from '../../src/store/organisations/organisations.ts'
import { change, MINUTE, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { type Answer, createVisitor } from '../support/visitor.ts'
import { countWork } from '../support/work.ts'
import { type Member, membersOf } from './member.ts'

const OFFICE = '203.0.113.9'
const PATH = '/admin/access'

onEveryStage('the page for the access list', open => {
  let stage: Stage
  let members: ReturnType<typeof membersOf>
  let priya: Member

  before(async () => {
    stage = await open({ env: { SALLYPORT_TRUST_PROXY: '1' } })
    members = membersOf(stage)
  })
  beforeEach(async () => {
    priya = await inOffice({ name: 'Priya Raman', role: 'admin' })
  })

  async function inOffice(options: Parameters<typeof members.enrolled>[0]): Promise<Member> {
    const member = await members.enrolled(options)
    return { ...member, by: member.by.at(OFFICE) }
  }

  const text = ({ body }: Answer) =>
    body
      .replaceAll(/<[^>]+>/g, ' ')
      .replaceAll('&#39;', "'")
      .replaceAll(/\s+/g, ' ')
  const hidden = ({ body }: Answer, name: string) =>
    new RegExp(`name="${name}" value="([^"]*)"`).exec(body)?.[1] ?? ''
  const typed = ({ body }: Answer) => /<textarea[^>]*>([^<]*)<\/textarea>/.exec(body)?.[1]

  /** Sends the form as its page has it, with these addresses. */
  async function save(addresses: string, by = priya.by): Promise<Answer> {
    return by.post(PATH, { addresses, seen: hidden(await by.get(PATH), 'seen') })
  }

  const stored = ({ person }: Member) =>
    readStoredAccessList(stage.running.services.database, person.organisationId)
  const events = async ({ person }: Member) =>
    (
      await rows(
        stage,
        "SELECT actor_id, address, details FROM audit_events WHERE organisation_id = ? AND event = 'organisation.access_list_set' ORDER BY id",
        [person.organisationId],
      )
    ).map(({ actor_id, address, details }) => ({ actor_id, address, details: JSON.parse(String(details)) }))

  it('says that there is no list, and from where one looks', async () => {
    const page = await priya.by.get(PATH)
    expect(page.heading).to.equal('Access list')
    expect(page.body).to.match(/href="\/admin\/access" aria-current="page"/)
    expect(text(page)).to.include('There is no list: your users can log in from anywhere.')
    expect(text(page)).to.include(`Your address is ${OFFICE} .`)
    expect(typed(page)).to.equal('')
    expect(text(await priya.by.at('::ffff:198.51.100.7').get(PATH))).to.include(
      'Your address is 198.51.100.7',
    )
  })

  it('saves a list in its one spelling, says so, and shows it', async () => {
    const answer = await save(' 203.0.113.77/24  # Leeds\r\n\r\n2001:DB8:42::/48\r\n203.0.113.0/24')
    expect(answer.status, answer.body).to.equal(303)
    const page = await priya.by.get(answer.location ?? '')
    expect(text(page)).to.include('Saved: your users can log in from 2 addresses and ranges.')
    expect(text(page)).to.include('The list has 2 entries.')
    expect(typed(page)).to.equal('203.0.113.0/24 # Leeds\n2001:db8:42::/48')
    expect(await stored(priya)).to.equal('203.0.113.0/24 # Leeds\n2001:db8:42::/48')
    expect(await events(priya)).to.deep.equal([
      {
        actor_id: priya.person.id,
        address: OFFICE,
        details: { from: 0, to: 2, before: [], after: ['203.0.113.0/24 # Leeds', '2001:db8:42::/48'] },
      },
    ])
    // From anywhere again.
    const cleared = await priya.by.get((await save(' \r\n')).location ?? '')
    expect(text(cleared)).to.include('Saved: your users can log in from anywhere.')
    expect(await stored(priya)).to.equal('')
    expect((await events(priya)).at(-1)?.details).to.deep.include({ from: 2, to: 0, after: [] })
  })

  it('says nothing was saved that was not', async () => {
    expect(text(await priya.by.get(`${PATH}?done=x`))).not.to.include('Saved')
    expect((await priya.by.get(`${PATH}?done=__proto__`)).status).to.equal(200)
  })

  it('writes nothing where the list is what it was', async () => {
    await save(OFFICE)
    expect((await save(`${OFFICE}/32 `)).status).to.equal(303)
    expect(await events(priya)).to.have.length(1)
  })

  for (const [addresses, error] of [
    ['203.0.113.0/24\nLeeds', 'Line 2 is neither an address nor a range such as 203.0.113.0/24: Leeds'],
    ['203.0.113.0/33', 'Line 1 has no number of bits that its range could have'],
    ['203.0.113.0/24\n\nfe80::1%eth0', 'Line 3 has a zone (%)'],
    [`203.0.113.0/24 # ${'x'.repeat(61)}`, 'Line 1 has a note of more than 60 characters'],
    [
      Array.from({ length: 201 }, (_, n) => `10.0.${n}.0/24`).join('\n'),
      'These are more than 200 entries. Join some to ranges.',
    ],
  ] as const) {
    it(`refuses a list with the words “${error.slice(0, 30)}”, keeps what was typed, and changes nothing`, async () => {
      await save(OFFICE)
      const answer = await save(addresses)
      expect(answer.status).to.equal(400)
      expect(text(answer)).to.include(error)
      expect(answer.body).to.include('<title>Error: ')
      expect(answer.body).to.match(/<textarea[^>]*aria-invalid="true"/)
      expect(typed(answer)).to.equal(addresses)
      expect(await stored(priya)).to.equal(OFFICE)
      expect(await events(priya)).to.have.length(1)
    })
  }

  it('refuses a list that shuts out whoever saves it, and names their address', async () => {
    for (const addresses of ['198.51.100.0/24', '::/0', '203.0.113.10\n203.0.113.8', '2001:db8::/32']) {
      const answer = await save(addresses)
      expect(answer.status, addresses).to.equal(400)
      expect(text(answer)).to.include(`This list would shut you out: you are at ${OFFICE}.`)
      expect(typed(answer)).to.equal(addresses)
    }
    expect(await stored(priya)).to.equal('')
    expect(await events(priya)).to.deep.equal([])
    // What the browser says of itself before the proxy does is not where it is.
    const liar = priya.by.at(`198.51.100.7, ${OFFICE}`)
    expect((await save('198.51.100.0/24', liar)).status).to.equal(400)
    expect((await save('203.0.113.0/24', priya.by.at(`::ffff:${OFFICE}`))).status).to.equal(303)
  })

  it('lets the operator help an office that has moved', async () => {
    const { organisationId } = priya.person
    await save('203.0.113.0/24')
    const moved = priya.by.at('198.51.100.7')
    expect((await moved.follow(PATH)).heading).to.equal('You can’t log in from this address')
    await setAccessList(stage.directory, { organisationId, typed: '198.51.100.0/24' })
    expect((await moved.follow(PATH)).heading).to.equal('Access list')
    expect((await events(priya)).at(-1)).to.deep.include({ actor_id: 'operator', address: null })
  })

  it('saves one of two lists that two admins save at the same time, and tells the other', async () => {
    const { organisationId } = priya.person
    const rosa = await inOffice({ name: 'Rosa', role: 'admin', organisationId })
    const seen = hidden(await priya.by.get(PATH), 'seen')
    const lists = ['203.0.113.0/24', '203.0.112.0/20']
    const answers = await Promise.all(
      [priya, rosa].map(({ by }, n) => by.post(PATH, { addresses: lists[n] ?? '', seen })),
    )
    expect(answers.map(each => each.status).toSorted()).to.deep.equal([303, 409])
    const held = await stored(priya)
    expect(held).to.equal(lists[answers[0]?.status === 303 ? 0 : 1])
    const late = answers.find(each => each.status === 409)
    expect(late && text(late)).to.include(`the list that holds now is: ${held}.`)
    expect(late && lists).to.include(late && typed(late))
    expect(await events(priya)).to.have.length(1)
    // And one after the other, on a page that was opened before.
    expect((await priya.by.post(PATH, { addresses: OFFICE, seen })).status).to.equal(409)
    expect((await priya.by.post(PATH, { addresses: OFFICE })).status).to.equal(409)
    expect(await stored(priya)).to.equal(held)
    // The page of the conflict has seen what holds: pressed again, it is saved.
    const shown = await priya.by.post(PATH, { addresses: OFFICE, seen })
    expect((await priya.by.post(PATH, { addresses: OFFICE, seen: hidden(shown, 'seen') })).status).to.equal(
      303,
    )
    expect(await stored(priya)).to.equal(OFFICE)
  })

  it('twenty at once: each list that is saved follows the one that it has seen', async () => {
    const seen = hidden(await priya.by.get(PATH), 'seen')
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        priya.by.post(PATH, { addresses: `203.0.113.9\n10.0.0.${n}`, seen }),
      ),
    )
    expect(answers.filter(each => each.status === 303)).to.have.length(1)
    expect(await events(priya)).to.have.length(1)
  })

  it('changes nothing without a fresh second factor, and then takes one more press', async () => {
    stage.advance(6 * MINUTE)
    const asked = await save(`${OFFICE} # the office\n10.0.0.0/8`)
    expect(await stored(priya)).to.equal('')
    const shown = await members.prove(priya, await priya.by.follow(asked.location ?? ''))
    expect(shown.heading).to.equal('Access list')
    expect(shown.body).to.include(`${OFFICE} # the office\n10.0.0.0/8</pre>`)
    expect(await stored(priya)).to.equal('')
    const pending = hidden(shown, 'pending')
    // Somewhere else, it would shut out whoever presses.
    const elsewhere = await priya.by.at('198.51.100.7').post(PATH, { pending })
    expect(text(elsewhere)).to.include('you are at 198.51.100.7')
    const both = await Promise.all([0, 1].map(() => priya.by.post(PATH, { pending })))
    expect(both.map(each => each.status)).to.include(303)
    expect(await events(priya)).to.have.length(1)
    expect(text(await priya.by.post(PATH, { pending }))).to.include('This was not done')
  })

  it('says what is wrong with a list before the second press', async () => {
    stage.advance(6 * MINUTE)
    const asked = await save('198.51.100.0/24')
    const shown = await members.prove(priya, await priya.by.follow(asked.location ?? ''))
    expect(text(shown)).to.include('This list would shut you out')
    expect(hidden(shown, 'pending')).to.equal('')
    expect(typed(shown)).to.equal('198.51.100.0/24')
  })

  it('is not there for a technician, a stranger or another organisation’s admin', async () => {
    const { organisationId } = priya.person
    const ben = await inOffice({ name: 'Ben', organisationId })
    expect((await ben.by.get(PATH)).status).to.equal(404)
    expect((await ben.by.post(PATH, { addresses: OFFICE, seen: '' })).status).to.equal(404)
    const nobody = await createVisitor(stage.origin).post(PATH, { addresses: OFFICE, seen: '' })
    expect([nobody.status, new URL(nobody.location ?? '').pathname]).to.deep.equal([303, '/auth'])
    await save(`${OFFICE} # secret office`)
    const mallory = await inOffice({ name: 'Mallory', role: 'admin' })
    expect((await mallory.by.get(PATH)).body).not.to.include('secret office')
    await save('0.0.0.0/0', mallory.by)
    expect(await stored(priya)).to.equal(`${OFFICE} # secret office`)
    expect(await stored(mallory)).to.equal('0.0.0.0/0')
  })

  it('changes nothing for an admin who is none any more, by a form that was let through before', async () => {
    const { database } = stage.running.services
    const { id, organisationId } = priya.person
    await change(stage, "UPDATE accounts SET role = 'technician' WHERE id = ?", [id])
    const late = setAccessList(
      { database, clock: stage.now, actor: id },
      { organisationId, typed: OFFICE, seen: '', address: OFFICE },
    )
    expect(await late.then(String, (error: Error) => error.message)).to.include('account_changed')
    expect(await stored(priya)).to.equal('')
  })

  it('takes notes as text, and no form from another site', async () => {
    const answer = await save(`${OFFICE} # <b>"x"</b> & =cmd()`)
    expect((await priya.by.get(answer.location ?? '')).body).not.to.include('<b>"x"')
    const seen = hidden(await priya.by.get(PATH), 'seen')
    for (const site of ['cross-site', 'same-site']) {
      const crossed = await priya.by.post(PATH, { addresses: '', seen }, { 'sec-fetch-site': site })
      expect(crossed.status).to.equal(403)
    }
    expect((await priya.by.post(PATH, { addresses: '', seen, other: 'x' })).status).to.equal(400)
    expect(await stored(priya)).to.equal(`${OFFICE} # <b>"x"</b> & =cmd()`)
  })

  it('is read in two statements', async () => {
    const { reads, statements } = await countWork(stage, () => priya.by.get(PATH))
    expect(reads, statements.join()).to.equal(2)
  })
})
