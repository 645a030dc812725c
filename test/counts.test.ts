// Performance is a feature: how often a request goes to the database is held here, on both databases. A round trip is
// one read, or one commit (whatever it stores, it is one transaction).

import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import * as client from 'openid-client'
import { OWN_API_SCOPES } from '../src/store/oidc/own-api.ts'
import { openAdminApp } from './api/admins.ts'
import { machine, openApi, tokenOf } from './api/api-client.ts'
import { change } from './attacks/ground.ts'
import { asking, openConsole, REQUESTS } from './support/console.ts'
import { onEveryStage } from './support/every-stage.ts'
import { code } from './support/one-time-codes.ts'
import type { Stage } from './support/stage.ts'
import {
  createVisitor,
  enrol,
  logIn,
  type RelyingParty,
  relyingParty,
  throughPassword,
  uidOf,
} from './support/visitor.ts'
import { countWork, type Work } from './support/work.ts'

type Counted = Omit<Work<unknown>, 'result'>

onEveryStage('database work per request', open => {
  let stage: Stage
  let party: RelyingParty

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })

  const count = <T>(work: () => Promise<T>) => countWork(stage, work)

  it('stays within 18 round trips, 8 of them commits, for a whole two-factor login', async () => {
    const person = await stage.person()
    const enrolled = await enrol(stage, createVisitor(stage.origin), (await party.begin()).url, person)
    const visitor = createVisitor(stage.origin)
    // The client is read once in a while, not once a login.
    await visitor.get((await party.begin()).url)
    const begun = await party.begin()
    const steps: [string, Counted][] = []
    const step = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
      const { result, ...counted } = await count(work)
      steps.push([name, counted])
      return result
    }

    const auth = await step('auth', () => visitor.get(begun.url))
    const base = `/interaction/${uidOf(auth.location ?? '')}`
    await step('email page', () => visitor.get(base))
    await step('email', () => visitor.post(`${base}/identify`, { email: person.email, webauthn: 'none' }))
    await step('password page', () => visitor.get(base))
    await step('password', () =>
      visitor.post(`${base}/password`, { password: 'quiet otters borrow nine lanterns', webauthn: 'none' }),
    )
    await step('code page', () => visitor.get(base))
    stage.advance(30_000)
    const finished = await step('code', () =>
      visitor.post(`${base}/otp`, { code: code(enrolled.secret, stage.now()) }),
    )
    expect(finished.location, 'nothing is left to do').to.match(/\/auth\/[\w-]+$/)
    const resumed = await step('resume', () => visitor.get(finished.location ?? ''))
    await step('token', () => party.finish(begun, resumed.location ?? ''))

    const table = steps.map(([name, each]) => `${name}: ${each.statements.join(' | ')}`).join('\n')
    const sum = (names: string[]) =>
      steps
        .filter(([name]) => names.includes(name))
        .reduce(
          (all, [, each]) => ({
            trips: all.trips + each.reads + each.commits,
            commits: all.commits + each.commits,
          }),
          { trips: 0, commits: 0 },
        )
    const all = sum(steps.map(([name]) => name))
    expect(all.trips, table).to.be.at.most(18)
    expect(all.commits, table).to.be.at.most(8)
    const library = sum(['auth', 'resume', 'token'])
    expect(library.trips, table).to.be.at.most(8)
    expect(library.commits, table).to.be.at.most(3)
    for (const [name, each] of steps.filter(([name]) => name.endsWith(' page'))) {
      expect(each.reads, `${name}\n${table}`).to.be.at.most(2)
      expect(each.commits, `${name}\n${table}`).to.equal(0)
    }
    for (const [name, each] of steps.filter(([name]) => ['email', 'password', 'code'].includes(name))) {
      expect(each.commits, `${name}\n${table}`).to.be.at.most(2)
    }
  })

  it('commits twice for a wrong password, the tenth included, which tells the owner', async () => {
    const person = await stage.person()
    const visitor = createVisitor(stage.origin)
    const { base } = await throughPassword(visitor, (await party.begin()).url, person.email, 'wrong')
    for (let wrong = 2; wrong <= 10; wrong++) {
      const { commits, statements } = await count(() =>
        visitor.post(`${base}/password`, { password: 'wrong' }),
      )
      expect(commits, statements.join('\n')).to.equal(2)
    }
    expect((await visitor.post(`${base}/password`, { password: 'wrong' })).status).to.equal(400)
  })

  it('refreshes in 2 round trips, one of them a commit, and answers userinfo in one read', async () => {
    const person = await stage.person()
    const visitor = createVisitor(stage.origin)
    const begun = await party.begin({ scope: 'openid email offline_access', prompt: 'consent' })
    const { end } = await enrol(stage, visitor, begun.url, person)
    const tokens = await party.finish(begun, await callbackOf(visitor, end))
    const refresh = await count(() => client.refreshTokenGrant(party.config, tokens.refresh_token ?? ''))
    expect(refresh, refresh.statements.join('\n')).to.include({ reads: 1, commits: 1 })
    const userinfo = await count(() =>
      client.fetchUserInfo(party.config, refresh.result.access_token, client.skipSubjectCheck),
    )
    expect(userinfo, userinfo.statements.join('\n')).to.include({ reads: 1, commits: 0 })
    const introspection = await count(() =>
      client.tokenIntrospection(party.config, refresh.result.access_token),
    )
    expect(introspection, introspection.statements.join('\n')).to.include({ reads: 1, commits: 0 })
  })

  it('asks one thing of the database per look at its health, on the connections that there are', async () => {
    const { database } = stage.running.services
    const look = () => createVisitor(stage.origin).get('/health/ready')
    expect((await look()).status).to.equal(200)
    const { migrations } = database
    database.migrations = () => Promise.reject(new Error('a connection of its own'))
    try {
      const { reads, commits, result } = await count(look)
      expect({ reads, commits, status: result.status }).to.deep.equal({ reads: 1, commits: 0, status: 200 })
    } finally {
      database.migrations = migrations
    }
  })

  it('does not ask more of the database when the session is known', async () => {
    const person = await stage.person()
    const visitor = createVisitor(stage.origin)
    const enrolled = await enrol(stage, createVisitor(stage.origin), (await party.begin()).url, person)
    await logIn(stage, visitor, (await party.begin()).url, person, enrolled)
    const again = await count(async () => visitor.get((await party.begin()).url))
    expect(again.result.location, again.result.body).to.match(/^http:\/\/localhost:9\/callback\?code=/)
    expect(again.reads, again.statements.join('\n')).to.be.at.most(2)
    expect(again.commits, again.statements.join('\n')).to.equal(1)
  })

  it('shows the account page in 2 reads, and sends nobody to the prompts with more than none', async () => {
    const person = await stage.person()
    const visitor = createVisitor(stage.origin)
    const stranger = await count(() => visitor.get('/account'))
    expect(stranger, stranger.statements.join('\n')).to.include({ reads: 0, commits: 0 })
    const { end } = await enrol(stage, visitor, '/account', person)
    const shown = await count(() => visitor.get(end))
    expect(shown.result.status).to.equal(200)
    expect(shown, shown.statements.join('\n')).to.include({ reads: 2, commits: 0 })

    // A session that another page has brought about: asked, answered and shown without a page between.
    const again = createVisitor(stage.origin)
    const asked = (await again.get('/account')).location ?? ''
    again.cookies.set(
      'sallyport_session\n/',
      visitor.cookies.get('sallyport_session\n/') ?? { value: '', path: '/' },
    )
    again.cookies.set(
      'sallyport_session.sig\n/',
      visitor.cookies.get('sallyport_session.sig\n/') ?? { value: '', path: '/' },
    )
    const answered = await count(() => again.get(asked))
    expect(answered.result.location).to.match(/\/session\/return\?/)
    const back = await count(() => again.get(answered.result.location ?? ''))
    expect(back.result.location).to.equal(`${stage.origin}/account`)
    expect(back, back.statements.join('\n')).to.include({ reads: 1, commits: 1 })
  })

  it('shows the console’s list in 5 reads, and a confirmation in 6, whatever the number of users', async () => {
    const admin = await stage.person({ role: 'admin' })
    const visitor = createVisitor(stage.origin)
    const { end } = await enrol(stage, visitor, '/account', admin)
    await visitor.get(end)
    const list = await count(() => visitor.get('/admin/users?q=dana&standing=set_up'))
    expect(list.result.heading).to.equal('Security and authentication')
    expect(list, list.statements.join('\n')).to.include({ reads: 5, commits: 0 })
    const chosen = await count(() => visitor.post('/admin/resets', { user: admin.id }))
    expect(chosen, chosen.statements.join('\n')).to.include({ reads: 1, commits: 1 })
    const asked = await count(() => visitor.get(new URL(chosen.result.location ?? '').pathname))
    expect(asked.result.heading).to.equal('Reset 2FA for 1 user?')
    expect(asked, asked.statements.join('\n')).to.include({ reads: 6, commits: 0 })
  })

  it('answers the API in one read for the token, one for the page, and one for a program’s organisation', async () => {
    const app = await openAdminApp(stage)
    const admin = await app.member({ role: 'admin' })
    const { organisationId } = admin.person
    const scope = OWN_API_SCOPES.join(' ')
    const program = await tokenOf(stage, await machine(stage, 'counted', scope), scope)
    const own = `/organisations/${organisationId}`
    const body = { users: [admin.person.id], reason: 'x' }
    const api = await openApi(stage, () => program)
    const ordered = await api.call('POST', `${own}/second-factor-resets`, {
      body: { ...body, users: ['usr_none'] },
    })
    const reset = `${own}/second-factor-resets/${String(ordered.body.id)}`
    const expected: [string, string, number, number][] = [
      ['GET', `${own}/users?q=dana&role=admin&status=active&limit=100`, 2, 0],
      ['GET', `${own}/audit-events?event=login`, 2, 0],
      ['GET', reset, 2, 0],
      ['GET', `${reset}/users`, 3, 0],
    ]
    for (const [by, more] of [
      [await app.tokenOf(admin), 0],
      [program, 1],
    ] as const) {
      for (const [method, path, reads, commits] of expected) {
        await api.call(method, path, { by })
        const counted = await count(() => api.call(method, path, { by }))
        expect(counted, counted.statements.join('\n')).to.include({ reads: reads + more, commits })
      }
    }
    // The key is looked up; then one commit, whatever the number of users, and what was made of it is read.
    const headers = { 'idempotency-key': 'counted' }
    const order = () =>
      api.call('POST', `${own}/second-factor-resets`, { body: { ...body, users: ['usr_none'] }, headers })
    const counted = await count(order)
    const commits = counted.statements.filter(each => each.startsWith('commit: idempotency_insert'))
    expect(commits, counted.statements.join('\n')).to.have.length(1)
    // Its job is done beside the requests: until then it counts too.
    for (let n = 0; n < 100 && (await order()).body.state !== 'finished'; n++) await sleep(50)
    const again = await count(order)
    expect(again, again.statements.join('\n')).to.include({ reads: 4, commits: 0 })
  })

  it('confirms an action within 12 round trips, 5 of them commits, from the request to the token', async () => {
    const app = await openConsole(stage)
    const person = await stage.person()
    const visitor = createVisitor(stage.origin)
    const enrolled = await enrol(stage, createVisitor(stage.origin), (await app.party.begin()).url, person)
    await logIn(stage, visitor, (await app.party.begin()).url, person, enrolled)
    const detail = asking(REQUESTS['device.delete'])
    // The client, the API and the organisation's rules are read once in a while, not once a request.
    await visitor.get((await app.party.begin(detail)).url)
    const begun = await app.party.begin(detail)
    const auth = await count(() => visitor.get(begun.url))
    const base = `/interaction/${uidOf(auth.result.location ?? '')}`
    const page = await count(() => visitor.get(base))
    // Not so far that what is kept for ten seconds is read again.
    await change(stage, 'UPDATE authenticators SET last_step = 0 WHERE account_id = ?', [person.id])
    const confirmed = await count(() =>
      visitor.post(`${base}/otp`, { code: code(enrolled.secret, stage.now()) }),
    )
    const resumed = await count(() => visitor.get(confirmed.result.location ?? ''))
    const token = await count(() => app.party.finish(begun, resumed.result.location ?? ''))
    const steps = { auth, page, confirmed, resumed, token }
    const told = Object.entries(steps)
      .map(([name, each]) => `${name}: ${each.statements.join(' | ')}`)
      .join('\n')
    const all = Object.values(steps)
    const commits = all.reduce((sum, each) => sum + each.commits, 0)
    expect(token.result.authorization_details).to.have.length(1)
    expect(
      all.reduce((sum, each) => sum + each.reads, commits),
      told,
    ).to.be.at.most(12)
    expect(commits, told).to.be.at.most(5)
    expect(page.commits, told).to.equal(0)
  })

  async function callbackOf(visitor: ReturnType<typeof createVisitor>, end: string): Promise<string> {
    if (end.startsWith(party.redirectUri)) return end
    // prompt=consent shows the consent page once more.
    const base = `/interaction/${uidOf(end)}`
    const answer = await visitor.post(`${base}/consent`, { answer: 'allow' })
    return (await visitor.follow(answer.location ?? '')).url
  }
})
