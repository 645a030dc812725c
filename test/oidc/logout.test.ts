// Back-channel logout, to a real receiver: apps are told whoever ends the session, also when they are down at first,
// and no user waits for them.

import { createServer, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { audited, mailed, RESET_LINK, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { freePort, type Person, type Stage } from '../support/stage.ts'
import {
  createVisitor,
  type Enrolled,
  enrol,
  logIn,
  type RelyingParty,
  relyingParty,
  type Visitor,
} from '../support/visitor.ts'

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const NEW_PASSWORD = 'seven paper boats drift north'

interface Receiver {
  readonly uri: string
  /** Logout tokens that came, taken or not. */
  readonly tokens: string[]
  /** Status and delay of the answers to come; when they run out: 200 at once. */
  readonly answers: { status: number; afterMs?: number }[]
  close(): void
}

async function openReceiver(): Promise<Receiver> {
  const port = await freePort()
  const tokens: string[] = []
  const answers: Receiver['answers'] = []
  const server: Server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    tokens.push(new URLSearchParams(body).get('logout_token') ?? '')
    const { status, afterMs = 0 } = answers.shift() ?? { status: 200 }
    await sleep(afterMs)
    response.writeHead(status).end()
  })
  await new Promise<void>(resolve => server.listen(port, 'localhost', resolve))
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { uri: `http://localhost:${port}/logout`, tokens, answers, close }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const started = Date.now(); Date.now() - started < 15_000; await sleep(50)) if (await holds()) return
  throw new Error(`in vain: ${what}`)
}

onEveryStage('back-channel logout', open => {
  let stage: Stage
  let receiver: Receiver
  let app: RelyingParty
  let silent: RelyingParty

  before(async () => {
    stage = await open()
    receiver = await openReceiver()
    const metadata = { backchannel_logout_uri: receiver.uri, backchannel_logout_session_required: true }
    app = await relyingParty(stage, { metadata })
    silent = await relyingParty(stage)
  })
  beforeEach(() => {
    receiver.tokens.length = 0
    receiver.answers.length = 0
  })
  // What a test leaves to be told would come to the receiver of the next one.
  afterEach(() => until('nobody is left to be told', async () => (await waiting()).length === 0))
  after(() => receiver?.close())

  const waiting = () =>
    rows(stage, "SELECT id FROM jobs WHERE kind = 'backchannel-logout' AND done_at IS NULL", [])

  interface LoggedIn {
    readonly person: Person
    readonly enrolled: Enrolled
    readonly visitor: Visitor
    readonly idToken: string
  }

  async function loggedIn(): Promise<LoggedIn> {
    const person = await stage.person()
    const enrolled = await enrol(stage, createVisitor(stage.origin), (await silent.begin()).url, person)
    return { person, enrolled, ...(await again(person, enrolled)) }
  }

  async function again(person: Person, enrolled: Enrolled) {
    const visitor = createVisitor(stage.origin)
    const begun = await app.begin()
    const { id_token = '' } = await app.finish(
      begun,
      await logIn(stage, visitor, begun.url, person, enrolled),
    )
    return { visitor, idToken: id_token }
  }

  async function logOut({ visitor, idToken }: { visitor: Visitor; idToken: string }) {
    const page = await visitor.get(`/session/end?${new URLSearchParams({ id_token_hint: idToken })}`)
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
    return visitor.post('/session/end/confirm', { xsrf, logout: 'yes' })
  }

  async function resetPassword(person: Person): Promise<void> {
    const visitor = createVisitor(stage.origin)
    await visitor.post('/forgot-password', { email: person.email })
    const link = await mailed(stage, person, RESET_LINK)
    expect((await visitor.post(link, { password: NEW_PASSWORD })).status).to.equal(200)
  }

  async function verified(token: string) {
    const keys = createRemoteJWKSet(new URL(`${stage.origin}/jwks`))
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer: stage.origin,
      audience: app.clientId,
      currentDate: new Date(),
    })
    expect(protectedHeader.typ).to.equal('logout+jwt')
    expect(payload.events).to.deep.equal({ [LOGOUT_EVENT]: {} })
    expect(payload).to.have.property('jti').that.is.a('string')
    expect(payload).not.to.have.property('nonce')
    return payload
  }

  const jobsOf = ({ id }: Person) =>
    rows(stage, "SELECT * FROM jobs WHERE kind = 'backchannel-logout' AND summary LIKE ?", [`${id} %`])

  it('tells each app of each session when a forgotten password is replaced', async () => {
    const first = await loggedIn()
    const second = await again(first.person, first.enrolled)
    // The same session at an app that wants no word, and an app that has since gone.
    await second.visitor.follow((await silent.begin()).url)
    await resetPassword(first.person)
    await until('two logout tokens', () => receiver.tokens.length === 2)
    const told = await Promise.all(receiver.tokens.map(verified))
    expect(told.map(each => each.sub)).to.deep.equal([first.person.id, first.person.id])
    expect(told.map(each => each.sid)).to.have.members(
      [first, second].map(each => decodeJwt(each.idToken).sid),
    )
    await until('both done', async () => (await jobsOf(first.person)).every(each => each.done_at !== null))
    expect(await jobsOf(first.person)).to.have.length(2)
  })

  it('tells an app again that answered 500 twice, each time by a fresh token', async () => {
    const { person, idToken } = await loggedIn()
    receiver.answers.push({ status: 500 }, { status: 500 })
    await resetPassword(person)
    await until('the first', () => receiver.tokens.length === 1)
    await until('it is put off', async () => (await jobsOf(person))[0]?.last_error !== null)
    expect((await jobsOf(person))[0]?.last_error).to.match(/got: 500/)
    for (const count of [2, 3]) {
      await until('it is put off', async () => {
        const [job] = await jobsOf(person)
        return job?.attempts === count - 1 && job.lease_until === null
      })
      stage.advance(60_000)
      await until(`number ${count}`, () => receiver.tokens.length === count)
    }
    await until('it is done', async () => (await jobsOf(person))[0]?.done_at !== null)
    const told = await Promise.all(receiver.tokens.map(verified))
    expect(new Set(told.map(each => each.jti)).size).to.equal(3)
    expect(new Set(told.map(each => each.sid))).to.deep.equal(new Set([decodeJwt(idToken).sid]))
    expect((await jobsOf(person))[0]).to.include({ attempts: 3, last_error: null, payload: '' })
  })

  it('F13: lets nobody wait for a slow app at logout, and tells it again', async () => {
    const login = await loggedIn()
    receiver.answers.push({ status: 200, afterMs: 4_000 })
    const started = Date.now()
    const done = await logOut(login)
    expect(Date.now() - started).to.be.lessThan(1_500)
    expect(done.status).to.equal(303)
    const [audit, ...more] = await rows(
      stage,
      "SELECT organisation_id, address, details FROM audit_events WHERE event = 'logout' AND account_id = ?",
      [login.person.id],
    )
    expect(audit).to.include({ organisation_id: login.person.organisationId })
    expect(JSON.parse(String(audit?.details))).to.deep.equal({ client: app.clientId, apps: [app.clientId] })
    expect(more).to.deep.equal([])
    await until('it is told', () => receiver.tokens.length === 1)
    await until('it is put off', async () => (await jobsOf(login.person))[0]?.last_error !== null)
    stage.advance(60_000)
    await until('it is told again', () => receiver.tokens.length === 2)
    const [token] = await Promise.all(receiver.tokens.slice(1).map(verified))
    expect(token).to.include({ sub: login.person.id, sid: decodeJwt(login.idToken).sid })
    expect(await jobsOf(login.person)).to.have.length(1)
  })

  it('records no logout of somebody who stays logged in', async () => {
    const { person, visitor, idToken } = await loggedIn()
    const page = await visitor.get(`/session/end?${new URLSearchParams({ id_token_hint: idToken })}`)
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
    expect((await visitor.post('/session/end/confirm', { xsrf })).status).to.equal(303)
    expect(await audited(stage, 'logout', person)).to.equal(0)
    // The app that sent the user is told all the same: there they have logged out.
    await until('the app that asked', async () => (await jobsOf(person))[0]?.done_at !== null)
    expect(receiver.tokens).to.have.length(1)
  })

  it('tells an app once, whoever ends the session a second time', async () => {
    const login = await loggedIn()
    await logOut(login)
    await resetPassword(login.person)
    await until('it is told', async () => (await jobsOf(login.person))[0]?.done_at !== null)
    expect(receiver.tokens).to.have.length(1)
  })

  it('tells nobody where the commit that was to end the sessions is refused', async () => {
    const { person } = await loggedIn()
    const { endSessions } = await import('../../src/store/sessions/oidc-sessions.ts')
    const { useToken } = await import('../../src/store/accounts/emailed-tokens.ts')
    const { database } = stage.running.services
    const refused = await database
      .commit([
        ...endSessions(database.dialect, person.id, stage.now()),
        useToken('password-reset', 'no such token', stage.now()),
      ])
      .catch((error: unknown) => error)
    expect(refused).to.have.property('refusal', 'already_used')
    expect(await jobsOf(person)).to.deep.equal([])
    expect(await audited(stage, 'password.set', person)).to.equal(0)
  })
})
