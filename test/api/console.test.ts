// What the console does, by the JSON API: a program in every organisation, an admin in their own by the token of an app.
// Every answer is compared with the document that the server publishes. Attacks on it: test/attacks/api.test.ts.

import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { createUser } from '../../src/organisations/directory.ts'
import { deactivateUser } from '../../src/organisations/users.ts'
import { insertAccount, nameKey } from '../../src/store/accounts/accounts.ts'
import { OWN_API_SCOPES } from '../../src/store/oidc/own-api.ts'
import type { Member } from '../admin/member.ts'
import { audited, change, givePasskey, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Person, Stage } from '../support/stage.ts'
import { type AdminApp, openAdminApp } from './admins.ts'
import { type Answer, type ApiClient, kindOf, machine, openApi, tokenOf } from './api-client.ts'

interface User {
  readonly id: string
  readonly name: string
  readonly [field: string]: unknown
}
interface Result {
  readonly id: string
  readonly outcome: string
  readonly why: string | null
}

onEveryStage('the API for what the console does', open => {
  let stage: Stage
  let api: ApiClient
  let app: AdminApp
  let program: string
  let priya: Member
  let priyas: string
  let org: string

  before(async () => {
    stage = await open()
    api = await openApi(stage, () => program)
    const scope = OWN_API_SCOPES.join(' ')
    program = await tokenOf(stage, await machine(stage, 'back-office', scope), scope)
    app = await openAdminApp(stage)
    priya = await app.member({ name: 'Priya Raman', role: 'admin' })
    priyas = await app.tokenOf(priya)
    org = `/organisations/${priya.person.organisationId}`
  })

  const call: ApiClient['call'] = (...request) => api.call(...request)
  const colleague = (name: string): Promise<Member> =>
    app.member({ name, organisationId: priya.person.organisationId })
  const usersIn = ({ body }: Answer) => body.users as User[]
  const reset = (body: object, by = program, headers: Record<string, string> = {}) =>
    call('POST', `${org}/second-factor-resets`, { body: { reason: 'Phone lost', ...body }, by, headers })

  async function finished({ body: { id } }: Answer): Promise<{ status: Answer; results: Result[] }> {
    const path = `${org}/second-factor-resets/${String(id)}`
    for (let n = 0; n < 200; n++) {
      const status = await call('GET', path)
      if (status.body.state === 'finished') return { status, results: await resultsOf(path) }
      await sleep(50)
    }
    throw new Error('the reset did not end')
  }

  async function resultsOf(path: string, limit = 100): Promise<Result[]> {
    const found: Result[] = []
    for (let after: unknown = 0; after !== null; ) {
      const { body } = await call('GET', `${path}/users?limit=${limit}&after=${String(after)}`)
      found.push(...(body.users as Result[]))
      after = body.next
    }
    return found
  }

  describe('lists users', () => {
    let ben: Member
    let noor: Person

    before(async () => {
      ben = await colleague('Ben Okafor')
      noor = await stage.person({ name: 'Noor Haddad', organisationId: priya.person.organisationId })
      await givePasskey(stage, noor)
      await change(stage, 'UPDATE accounts SET mail_refused_at = ? WHERE id = ?', [stage.now(), noor.id])
      const { organisationId } = priya.person
      const gone = await stage.person({ name: 'Gus Gone', organisationId })
      await deactivateUser(stage.directory, { organisationId, userId: gone.id })
      const invited = { organisationId, email: 'ivy@northgate.example', name: 'Ivy', role: 'admin' } as const
      await createUser(stage.directory, invited)
    })

    const names = async (query: string, by = program) =>
      usersIn(await call('GET', `${org}/users${query}`, { by })).map(each => each.name)

    it('as the console shows them, to a program and to an admin alike', async () => {
      const { body } = await call('GET', `${org}/users`)
      expect((body.users as User[]).map(each => each.name)).to.deep.equal([
        'Ben Okafor',
        'Gus Gone',
        'Ivy',
        'Noor Haddad',
        'Priya Raman',
      ])
      const shown = (body.users as User[]).find(each => each.id === ben.person.id)
      expect(shown).to.include({
        email: ben.person.email,
        role: 'technician',
        status: 'active',
        second_factor: 'set_up',
        passkeys: 0,
        mail_refused: false,
      })
      expect(Date.parse(String(shown?.last_login_at))).to.be.closeTo(stage.now(), 120_000)
      const never = (body.users as User[]).find(each => each.id === noor.id)
      expect(never).to.include({ passkeys: 1, last_login_at: null, mail_refused: true })
      expect((await call('GET', `${org}/users`, { by: priyas })).body).to.deep.equal(body)
    })

    it('by each filter, and by several at once', async () => {
      const wanted: [string, string[]][] = [
        ['?q=oka', ['Ben Okafor']],
        ['?q=%40northgate&role=admin', ['Ivy', 'Priya Raman']],
        ['?role=technician&status=active', ['Ben Okafor', 'Noor Haddad']],
        ['?status=invited', ['Ivy']],
        ['?status=deactivated', ['Gus Gone']],
        ['?status=deactivated&q=gus&second_factor=not_set_up', ['Gus Gone']],
        ['?second_factor=set_up&status=active', ['Ben Okafor', 'Noor Haddad', 'Priya Raman']],
        ['?second_factor=reset_pending', []],
        ['?q=nobody', []],
      ]
      for (const [query, found] of wanted) expect(await names(query), query).to.deep.equal(found)
    })

    it('in pages by key, each once, whoever comes and goes between', async () => {
      const found: string[] = []
      for (let after = ''; ; ) {
        const { body } = await call('GET', `${org}/users?limit=2${after}`)
        found.push(...usersIn({ body } as Answer).map(each => each.name))
        if (body.next === null) break
        after = `&after=${String(body.next)}`
        if (found.length === 2) {
          await change(stage, 'UPDATE accounts SET name = ?, name_key = ? WHERE id = ?', [
            'Aaron',
            nameKey('Aaron'),
            ben.person.id,
          ])
        }
      }
      expect(found).to.deep.equal(['Ben Okafor', 'Gus Gone', 'Ivy', 'Noor Haddad', 'Priya Raman'])
    })

    it('and refuses what no list has', async () => {
      const odd = [
        'limit=0',
        'limit=101',
        'limit=1.5',
        'role=support',
        'role=',
        'second_factor=x',
        'status=gone',
        'q=a%00',
        `q=${'x'.repeat(201)}`,
        'q=a&q=b',
        'after=x',
        'after=WzEsMl0',
        `after=${Buffer.from('["a\\u0000","b"]').toString('base64url')}`,
        'after=',
        'page=2',
        'sort=name',
        'q[words]=x',
      ]
      for (const query of odd) {
        const answer = await call('GET', `${org}/users?${query}`)
        expect([answer.status, kindOf(answer)], query).to.deep.equal([422, 'invalid_input'])
      }
    })
  })

  describe('resets the second factor', () => {
    it('of the users named, once each, and says of every id what became of it', async () => {
      const [kim, ada] = [await colleague('Kim'), await colleague('Ada')]
      const bare = await stage.person({ name: 'Bare', organisationId: priya.person.organisationId })
      const stranger = await app.member({ name: 'Stranger' })
      const named = [kim, ada, kim, stranger].map(each => each.person.id)
      const answer = await reset({ users: [...named, bare.id, 'usr_nobody', 'usr_nobody'] })
      expect(answer.status).to.equal(202)
      const id = String(answer.body.id)
      expect(answer.headers.get('location')).to.equal(
        `${stage.origin}/api/v1${org}/second-factor-resets/${id}`,
      )
      expect(answer.body).to.include({
        actor: 'client back-office',
        reason: 'Phone lost',
        remove_passkeys: false,
        total: 5,
      })
      const { status, results } = await finished(answer)
      expect(status.body).to.include({ state: 'finished', total: 5, done: 2, skipped: 3, waiting: 0 })
      const became = Object.fromEntries(results.map(each => [each.id, each.why ?? each.outcome]))
      expect(became).to.deep.equal({
        [kim.person.id]: 'done',
        [ada.person.id]: 'done',
        [bare.id]: 'not_set_up',
        [stranger.person.id]: 'not_found',
        usr_nobody: 'not_found',
      })
      expect(results.find(each => each.id === stranger.person.id)).to.include({ name: null, email: null })
      expect(await resultsOf(`${org}/second-factor-resets/${id}`, 2)).to.deep.equal(results)
      expect(await audited(stage, 'second_factor.reset', kim.person)).to.equal(1)
      // The console tells of it too.
      const page = await priya.by.get(`/admin/resets/${id}`)
      expect(page.body).to.include('client back-office').and.to.include('usr_nobody')
      const list = await call('GET', `${org}/users?second_factor=reset_pending`)
      expect(usersIn(list).map(each => each.name)).to.deep.equal(['Ada', 'Kim'])
      const there = await rows(stage, 'SELECT second_factor FROM accounts WHERE id = ?', [stranger.person.id])
      expect(there).to.deep.equal([{ second_factor: 1 }])
    })

    it('by an admin’s token, in their name, and only with a fresh second factor', async () => {
      const kim = await colleague('Kim Two')
      await app.prove(priya)
      const fresh = await app.tokenOf(priya)
      const answer = await reset({ users: [kim.person.id], reason: ' Phone\r\nlost ' }, fresh)
      expect(answer.body).to.include({ actor: priya.person.id, reason: 'Phone lost' })
      expect((await finished(answer)).results).to.have.length(1)
      const mail = await stage.mail(({ subject, to }) => {
        return (
          subject === 'Your two-factor authentication was reset' &&
          JSON.stringify(to).includes(`"${kim.person.email}"`)
        )
      })
      expect(mail.text).to.include('Priya Raman')
      const [ordered] = await rows(
        stage,
        `SELECT address FROM audit_events WHERE event = 'second_factor.reset_ordered' AND actor_id = ?`,
        [priya.person.id],
      )
      expect(String(ordered?.address)).to.match(/127\.0\.0\.1|::1/)

      // A second later than allowed: by the token that was good, and by a new one of the same session.
      stage.advance(301_000)
      for (const by of [fresh, await app.tokenOf(priya)]) {
        const refused = await reset({ users: [kim.person.id] }, by)
        expect([refused.status, kindOf(refused)]).to.deep.equal([401, 'insufficient_user_authentication'])
        expect(refused.headers.get('www-authenticate')).to.equal(
          'Bearer realm="sallyport", error="insufficient_user_authentication", ' +
            'acr_values="urn:sallyport:acr:2fa", max_age=300',
        )
        // To look needs none.
        expect((await call('GET', `${org}/users?limit=1`, { by })).status).to.equal(200)
      }
    })

    it('of an admin themselves, who may read no more after it', async () => {
      const rosa = await app.member({
        name: 'Rosa',
        role: 'admin',
        organisationId: priya.person.organisationId,
      })
      const by = await app.tokenOf(rosa)
      const answer = await reset({ users: [rosa.person.id] }, by)
      expect((await finished(answer)).results.map(each => each.outcome)).to.deep.equal(['done'])
      const after = await call('GET', `${org}/users`, { by })
      expect([after.status, kindOf(after)]).to.deep.equal([401, 'invalid_token'])
    })

    it('of everybody who matches a filter, with their passkeys if they are to go', async () => {
      const [one, two] = [await colleague('Quill One'), await colleague('Quill Two')]
      await givePasskey(stage, one.person)
      const answer = await reset({ filter: { q: 'quill', role: 'technician' }, remove_passkeys: true })
      const { results } = await finished(answer)
      expect(results.map(each => [each.id, each.outcome])).to.deep.equal(
        [one, two].map(each => [each.person.id, 'done']),
      )
      const passkeys = await rows(stage, 'SELECT 1 AS n FROM passkeys WHERE account_id = ?', [one.person.id])
      expect(passkeys).to.deep.equal([])
      const nobody = await reset({ filter: { q: 'nobody at all' } })
      expect(nobody.status).to.equal(202)
      expect((await finished(nobody)).status.body).to.include({ total: 0, done: 0, skipped: 0 })
    })

    it('A1: of 10,000 ids, most of which are nobody’s, within the size that bodies may have', async () => {
      const last = await colleague('Zeno')
      const made = Array.from({ length: 9_998 }, (_, n) => `usr_${String(n).padStart(60, '0')}`)
      const users = [...made, last.person.id, last.person.id]
      const answer = await reset({ users })
      expect([answer.status, answer.body.total]).to.deep.equal([202, 9_999])
      const done = await rows(
        stage,
        `SELECT account_id FROM second_factor_reset_users WHERE reset_id = ? AND account_id = ?`,
        [String(answer.body.id), last.person.id],
      )
      expect(done).to.have.length(1)
      const one = await reset({ users: [...users, 'usr_1'] })
      expect([one.status, kindOf(one)]).to.deep.equal([422, 'invalid_input'])
      const large = await reset({ users: [last.person.id], reason: 'x'.repeat(1024 * 1024) })
      expect([large.status, kindOf(large)]).to.deep.equal([413, 'payload_too_large'])
      const path = `${org}/second-factor-resets/${String(answer.body.id)}`
      for (let n = 0; (await call('GET', path)).body.state === 'running'; n++) {
        if (n > 500) throw new Error('the reset did not end')
        await sleep(100)
      }
      const { body } = await call('GET', path)
      expect(body).to.include({ done: 1, skipped: 9_998, waiting: 0 })
    })

    it('A1: of as many who are somebody, each once', async () => {
      const { organisationId } = priya.person
      const many = Array.from({ length: 300 }, (_, n) => `usr_many_${n}`)
      for (let from = 0; from < many.length; from += 50) {
        await stage.running.services.database.commit(
          many.slice(from, from + 50).map(id =>
            insertAccount(
              {
                id,
                organisationId,
                email: `${id}@northgate.example`,
                name: 'Many',
                role: 'technician',
                status: 'active',
                passwordHash: null,
                mailboxProvenAt: null,
              },
              stage.now(),
            ),
          ),
        )
      }
      const { results } = await finished(await reset({ users: [...many, ...many] }))
      expect(results.map(each => each.id)).to.have.members(many)
      expect(new Set(results.map(each => each.why))).to.deep.equal(new Set(['not_set_up']))
    })

    it('and refuses what is no order, by where it is', async () => {
      const { id } = priya.person
      const wrong: [unknown, string][] = [
        [{ reason: 'x' }, ''],
        [{ reason: 'x', users: [id], filter: {} }, ''],
        [{ reason: 'x', users: [] }, '/users'],
        [{ reason: 'x', users: id }, '/users'],
        [{ reason: 'x', users: [id, 7] }, '/users/1'],
        [{ reason: 'x', users: [`${id}\0`] }, '/users/0'],
        [{ reason: 'x', users: ['\ud800'] }, '/users/0'],
        [{ reason: 'x', users: ["' OR 1=1 --"] }, '/users/0'],
        [{ reason: 'x', users: ['x'.repeat(65)] }, '/users/0'],
        [{ users: [id] }, '/reason'],
        [{ reason: '', users: [id] }, '/reason'],
        [{ reason: ' \r\n\t', users: [id] }, '/reason'],
        [{ reason: 'x'.repeat(501), users: [id] }, '/reason'],
        [{ reason: 'a\0b', users: [id] }, '/reason'],
        [{ reason: 'a\ud800b', users: [id] }, '/reason'],
        [{ reason: 'x', filter: { q: '\udfff' } }, '/filter/q'],
        [{ reason: 'x', filter: { role: 'support' } }, '/filter/role'],
        [{ reason: 'x', filter: { organisation: 'org_1' } }, '/filter'],
        [{ reason: 'x', filter: null }, '/filter'],
        [{ reason: 'x', users: [id], remove_passkeys: 'yes' }, '/remove_passkeys'],
        [{ reason: 'x', users: [id], actor: 'operator' }, ''],
      ]
      const before = await rows(stage, 'SELECT count(*) AS n FROM second_factor_resets')
      for (const [body, pointer] of wrong) {
        const answer = await call('POST', `${org}/second-factor-resets`, { body })
        const label = JSON.stringify(body).slice(0, 80)
        expect([answer.status, kindOf(answer)], label).to.deep.equal([422, 'invalid_input'])
        expect((answer.body.errors as { pointer: string }[])[0]?.pointer, label).to.equal(pointer)
      }
      const post = (body: string, type = 'application/json') =>
        call('POST', `${org}/second-factor-resets`, { body, headers: { 'content-type': type } })
      expect((await post('{')).status).to.equal(400)
      expect((await post('reason=x', 'application/x-www-form-urlencoded')).status).to.equal(415)
      expect(await rows(stage, 'SELECT count(*) AS n FROM second_factor_resets')).to.deep.equal(before)
    })

    it('shows no draft of the console, and no reset that is none', async () => {
      const form = new URLSearchParams([['user', priya.person.id]])
      await app.prove(priya)
      const chosen = await priya.by.post('/admin/resets', form.toString())
      const draft = new URL(chosen.location ?? '').pathname.split('/').at(-1)
      for (const id of [draft, 'rst_none', '%00', 'x'.repeat(65)]) {
        for (const path of ['', '/users']) {
          const answer = await call('GET', `${org}/second-factor-resets/${id}${path}`)
          expect([answer.status, kindOf(answer)]).to.deep.equal([404, 'not_found'])
        }
      }
    })
  })

  describe('asked twice under one key', () => {
    const made = async () =>
      Number((await rows(stage, 'SELECT count(*) AS n FROM second_factor_resets'))[0]?.n)

    it('orders one reset, in fifty requests at once, and answers all alike', async () => {
      const kim = await colleague('Kim Key')
      const before = await made()
      const answers = await Promise.all(
        Array.from({ length: 50 }, () =>
          reset({ users: [kim.person.id] }, program, { 'idempotency-key': 'ticket-17' }),
        ),
      )
      expect(new Set(answers.map(each => each.status))).to.deep.equal(new Set([202]))
      expect(new Set(answers.map(each => each.body.id)).size).to.equal(1)
      expect(await made()).to.equal(before + 1)
      await finished(answers[0] as Answer)
      expect(await audited(stage, 'second_factor.reset', kim.person)).to.equal(1)
      // Later, it is told how far that is.
      const again = await reset({ users: [kim.person.id] }, program, { 'idempotency-key': 'ticket-17' })
      expect(again.body).to.include({ id: answers[0]?.body.id, state: 'finished', done: 1 })
      expect(await made()).to.equal(before + 1)
    })

    it('refuses another body, or another organisation, under it', async () => {
      const headers = { 'idempotency-key': 'ticket-18' }
      const body = { reason: 'x', users: ['usr_1'] }
      expect((await reset(body, program, headers)).status).to.equal(202)
      const other = await reset({ ...body, users: ['usr_2'] }, program, headers)
      expect([other.status, kindOf(other)]).to.deep.equal([422, 'idempotency_key_reused'])
      const stranger = await stage.person({ role: 'admin' })
      const path = `/organisations/${stranger.organisationId}/second-factor-resets`
      const elsewhere = await call('POST', path, { body, headers })
      expect([elsewhere.status, kindOf(elsewhere)]).to.deep.equal([422, 'idempotency_key_reused'])
      expect((await reset(body, program, { 'idempotency-key': 'a b' })).status).to.equal(400)
    })

    it('knows none of another admin’s keys in the same app', async () => {
      const headers = { 'idempotency-key': 'ticket-19' }
      const body = { users: ['usr_1'] }
      await app.prove(priya)
      const rosa = await app.member({
        name: 'Rosa Two',
        role: 'admin',
        organisationId: priya.person.organisationId,
      })
      const ids = new Set<unknown>()
      for (const by of [await app.tokenOf(priya), await app.tokenOf(rosa), program]) {
        const answer = await reset(body, by, headers)
        expect(answer.status).to.equal(202)
        ids.add(answer.body.id)
      }
      expect(ids.size).to.equal(3)
    })
  })

  describe('reads the audit log', () => {
    interface Event {
      readonly id: number
      readonly time: string
      readonly event: string
      readonly account: { readonly id: string } | null
      readonly actor: { readonly id: string; readonly name: string | null } | null
    }
    const eventsOf = async (query = '', by = program) =>
      (await call('GET', `${org}/audit-events${query}`, { by })).body.events as Event[]

    it('newest first, as its file has it, to a program and to an admin alike', async () => {
      const events = await eventsOf('?limit=50')
      expect(events.map(each => each.time)).to.deep.equal(
        events.map(each => each.time).toSorted((a, b) => b.localeCompare(a)),
      )
      expect(await eventsOf('?limit=50', priyas)).to.deep.equal(events)
      const file = await priya.by.get('/admin/audit/events.jsonl')
      const lines = file.body.split('\n').filter(Boolean)
      expect(JSON.parse(lines[0] ?? '')).to.deep.equal(events[0])
      expect(events.find(each => each.event === 'second_factor.reset_ordered')?.actor).to.have.property('id')
    })

    it('by event, person and time', async () => {
      const ordered = await eventsOf('?event=second_factor.reset_ordered')
      expect(new Set(ordered.map(each => each.event))).to.deep.equal(new Set(['second_factor.reset_ordered']))
      const byProgram = await eventsOf('?person=client%20back-office')
      expect(byProgram.length).to.be.greaterThan(0)
      expect(new Set(byProgram.map(each => each.actor?.id))).to.deep.equal(new Set(['client back-office']))
      const mine = await eventsOf(`?person=${priya.person.id}`)
      expect(mine.every(each => [each.account?.id, each.actor?.id].includes(priya.person.id))).to.equal(true)
      const middle = ordered[1]?.time ?? ''
      const until = await eventsOf(`?event=second_factor.reset_ordered&to=${middle}`)
      const since = await eventsOf(`?event=second_factor.reset_ordered&from=${middle}`)
      expect([...since, ...until]).to.deep.equal(ordered)
      expect(since.at(-1)?.time).to.equal(middle)
      expect(await eventsOf('?person=usr_nobody')).to.deep.equal([])
    })

    it('in pages by key, each event once', async () => {
      const found: number[] = []
      for (let after = ''; ; ) {
        const { body } = await call('GET', `${org}/audit-events?limit=7${after}`)
        found.push(...(body.events as Event[]).map(each => each.id))
        if (body.next === null) break
        after = `&after=${String(body.next)}`
      }
      const all = await rows(stage, 'SELECT id FROM audit_events WHERE organisation_id = ?', [
        priya.person.organisationId,
      ])
      expect(found).to.have.length(all.length)
      expect(new Set(found).size).to.equal(all.length)
    })

    it('and refuses what no log has', async () => {
      for (const query of [
        'limit=0',
        'event=x',
        'event=login&event=logout',
        'person=%00',
        'person=a%20b',
        'from=2026-11-24',
        'to=yesterday',
        'from=2026-02-30T00:00:00Z',
        'after=x',
        'after=1.2.3',
        'before=1.2',
      ]) {
        const answer = await call('GET', `${org}/audit-events?${query}`)
        expect([answer.status, kindOf(answer)], query).to.deep.equal([422, 'invalid_input'])
      }
    })
  })

  // In a suite of its own, which comes last.
  describe('its document', () => {
    it('is held to in every operation, in what goes well and in what does not', () => {
      const announced = api.announced()
      const ours = announced.filter(each => /\/(users|second-factor-resets.*|audit-events) 20\d$/.test(each))
      expect(ours).to.have.length(5)
      expect([...api.answered]).to.include.members(ours)
      expect([...api.answered].filter(each => !announced.includes(each))).to.deep.equal([])
    })
  })
})
