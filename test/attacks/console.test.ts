// The console as somebody sees it who should not: from the table of its routes, so that a new route is covered by
// itself, and by the attacks on a reset.

import { expect } from 'chai'
import type { Middleware } from 'koa'
import type Router from 'koa-router'
import { readAccount } from '../../src/store/accounts/accounts.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { code } from '../support/one-time-codes.ts'
import type { Person, Stage } from '../support/stage.ts'
import {
  type Answer,
  createVisitor,
  type Enrolled,
  enrol,
  type RelyingParty,
  relyingParty,
  uidOf,
  type Visitor,
} from '../support/visitor.ts'
import { audited, change, MINUTE, rows } from './ground.ts'

interface Member {
  readonly person: Person
  readonly enrolled: Enrolled
  readonly by: Visitor
}

onEveryStage('attacks on the console', open => {
  let stage: Stage
  let party: RelyingParty
  let priya: Member
  let mallory: Member
  let technician: Member

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
    priya = await member({ name: 'Priya Raman', role: 'admin' })
    mallory = await member({ name: 'Mallory', role: 'admin' })
    technician = await member({ name: 'Ben Okafor', organisationId: priya.person.organisationId })
  })

  /** Somebody with both factors, who has just logged in to their account. */
  async function member(options: Parameters<Stage['person']>[0] = {}): Promise<Member> {
    const person = await stage.person(options)
    const by = createVisitor(stage.origin)
    const enrolled = await enrol(stage, by, '/account', person)
    await by.follow(enrolled.end)
    return { person, enrolled, by }
  }

  /** The console wants a second factor of the last five minutes for what changes something. */
  async function refresh({ by, enrolled }: Member): Promise<void> {
    const { url } = await party.begin({ acr_values: 'urn:sallyport:acr:2fa', max_age: '1' })
    stage.advance(30_000)
    const asked = await by.follow(url)
    const base = `/interaction/${uidOf(asked.url)}`
    await by.post(`${base}/otp`, { code: code(enrolled.secret, stage.now()) })
    await by.follow(base)
  }

  function routes(): { method: string; path: string }[] {
    const { middleware } = stage.running.provider as unknown as {
      middleware: (Middleware & { router?: Router })[]
    }
    return middleware
      .flatMap(each => each.router?.stack ?? [])
      .flatMap(layer => layer.methods.map(method => ({ method, path: String(layer.path) })))
      .filter(({ method, path }) => path.startsWith('/admin') && method !== 'HEAD')
  }

  const send = (by: Visitor, { method, path }: { method: string; path: string }): Promise<Answer> =>
    method === 'GET' ? by.get(path) : by.post(path, {})

  /** Chooses users for a reset. @returns where the confirmation is */
  async function choose({ by }: Member, ids: readonly string[]): Promise<string> {
    const form = new URLSearchParams(ids.map((id): [string, string] => ['user', id]))
    const answer = await by.post('/admin/resets', form.toString())
    expect(answer.status).to.equal(303)
    return new URL(answer.location ?? '').pathname
  }

  async function wait(address: string, { by }: Member): Promise<Answer> {
    for (let n = 0; n < 100; n++) {
      const page = await by.get(address)
      if (page.heading === '2FA reset') return page
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    throw new Error('the reset did not end')
  }

  const authenticatorOf = async ({ id }: Person) =>
    (await readAccount(stage.running.services.database, id))?.authenticator

  it('has routes at all', () => {
    expect(routes().length).to.be.greaterThan(4)
  })

  it('sends nobody anywhere but to the login', async () => {
    for (const route of routes()) {
      const answer = await send(createVisitor(stage.origin), {
        ...route,
        path: route.path.replace(':id', 'x'),
      })
      const place = new URL(answer.location ?? '', stage.origin).pathname
      expect([answer.status, place], route.path).to.deep.equal([
        303,
        route.path === '/admin' ? '/admin/users' : '/auth',
      ])
    }
  })

  it('is not there for a technician, whatever the route', async () => {
    await refresh(technician)
    for (const route of routes().filter(each => each.path !== '/admin')) {
      const answer = await send(technician.by, { ...route, path: route.path.replace(':id', 'x') })
      expect([answer.status, answer.heading], route.path).to.deep.equal([404, 'There is no page here'])
    }
  })

  it('knows nothing of another organisation, in any parameter of any route', async () => {
    await Promise.all([refresh(priya), refresh(mallory)])
    const draft = await choose(priya, [technician.person.id])
    const foreign = draft.split('/').at(-1) ?? ''
    const started = await choose(priya, [])
    expect(started).to.equal('/admin/users')
    for (const route of routes().filter(each => each.path.includes(':id'))) {
      for (const id of [
        foreign,
        technician.person.id,
        'rst_made_up',
        "'%20OR%201=1--",
        '%00',
        'x'.repeat(5000),
        '..%2fusers',
      ]) {
        const answer = await send(mallory.by, { ...route, path: route.path.replace(':id', id) })
        expect(answer.status, `${route.method} ${route.path} ${id}`).to.be.oneOf([400, 404])
        expect(answer.body).not.to.include('Ben Okafor')
      }
    }
    // And in what a form names.
    const own = await choose(mallory, [technician.person.id, priya.person.id])
    expect((await mallory.by.get(own)).heading).to.equal('Nobody’s 2FA can be reset')
    expect((await mallory.by.get('/admin/users?q=okafor')).body).not.to.include('Ben Okafor')
  })

  it('S9: takes no form from another site, and none without its fields', async () => {
    await refresh(priya)
    const draft = await choose(priya, [technician.person.id])
    for (const path of ['/admin/resets', draft]) {
      for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
        expect((await priya.by.post(path, { reason: 'x' }, headers)).status, path).to.equal(403)
      }
    }
    expect((await priya.by.post(draft, { reason: 'x', other: 'y' })).status).to.equal(400)
    expect((await priya.by.post(draft, { reason: ' \r\n ' })).body).to.include(
      'Say why, so that others can tell later.',
    )
    expect((await priya.by.post(draft, { reason: 'x'.repeat(501) })).status).to.equal(400)
    expect((await priya.by.get(draft)).heading).to.equal('Reset 2FA for 1 user?')
    expect(await authenticatorOf(technician.person)).not.to.equal(undefined)
  })

  it('L9 malformed: refuses an address that no link of ours has, and changes nothing', async () => {
    const odd = [
      'q=a%00',
      'role=root',
      'standing=x',
      'sort=id',
      'after=x',
      'after=WzEsMl0',
      'from=-1',
      'from=1e99',
    ]
    for (const query of odd) {
      const answer = await priya.by.get(`/admin/users?${query}`)
      expect(answer.status, query).to.equal(400)
    }
  })

  it('A4: resets nobody without a fresh second factor, and then takes one more press', async () => {
    const kim = await member({ name: 'Kim', organisationId: priya.person.organisationId })
    await refresh(priya)
    const draft = await choose(priya, [kim.person.id])
    stage.advance(6 * MINUTE)
    const asked = await priya.by.post(draft, { reason: 'Phone lost' })
    expect(asked.status).to.equal(303)
    expect(new URL(asked.location ?? '').pathname).to.equal('/auth')
    expect(await authenticatorOf(kim.person)).not.to.equal(undefined)

    const page = await priya.by.follow(asked.location ?? '')
    const base = `/interaction/${uidOf(page.url)}`
    stage.advance(30_000)
    await priya.by.post(`${base}/otp`, { code: code(priya.enrolled.secret, stage.now()) })
    const shown = await priya.by.follow(base)
    expect(shown.heading).to.equal('Reset 2FA for 1 user?')
    expect(shown.body).to.include('Phone lost')
    expect(await authenticatorOf(kim.person)).not.to.equal(undefined)
    const pending = /name="pending" value="([^"]+)"/.exec(shown.body)?.[1] ?? ''

    // Another admin's, another session's, or a made-up one is none.
    const rosa = await member({ name: 'Rosa', role: 'admin', organisationId: priya.person.organisationId })
    expect((await rosa.by.post(draft, { pending })).status).to.equal(404)
    expect((await priya.by.post(draft, { pending: 'x' })).body).to.include('This was not done')
    await priya.by.post(draft, { pending })
    await wait(draft, priya)
    expect(await authenticatorOf(kim.person)).to.equal(undefined)
    const mail = await stage.mail(each => each.subject === 'Your two-factor authentication was reset')
    expect(mail.text).to.include('Priya Raman').and.to.include('If you have passkeys, they still work.')
    // The form again, by a double click or Back: it was done once.
    expect((await priya.by.post(draft, { pending })).status).to.equal(303)
    expect(await audited(stage, 'second_factor.reset', kim.person)).to.equal(1)
  })

  it('A6: names with markup, formulas and line breaks stay what they are, in pages and in the file', async () => {
    const evil = await member({ name: '=cmd("x") <b>Eve</b>', organisationId: priya.person.organisationId })
    await change(stage, 'UPDATE accounts SET name = ? WHERE id = ?', [
      '=cmd("x")\r\n<b>Eve</b>',
      evil.person.id,
    ])
    await refresh(priya)
    const draft = await choose(priya, [evil.person.id])
    expect((await priya.by.get(draft)).body).not.to.include('<b>Eve')
    const file = await priya.by.get(`${draft}/users.csv`)
    expect(file.headers.get('content-type')).to.equal('text/csv; charset=utf-8')
    const lines = file.body.split('\r\n').filter(Boolean)
    expect(lines).to.have.length(2)
    expect(lines[1]).to.match(/^"'=cmd\(""x""\)\\r\\n<b>Eve<\/b>","/)
  })

  it('writes who, whom, why and from where into the audit log', async () => {
    const [ordered] = await rows(
      stage,
      "SELECT * FROM audit_events WHERE event = 'second_factor.reset_ordered' AND actor_id = ? ORDER BY id LIMIT 1",
      [priya.person.id],
    )
    expect(ordered).to.include({ organisation_id: priya.person.organisationId })
    expect(JSON.parse(String(ordered?.details))).to.include({ reason: 'Phone lost' })
    expect(String(ordered?.address)).to.match(/127\.0\.0\.1|::1/)
  })
})
