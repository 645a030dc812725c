// The whole way of a step-up: the API refuses, the app's back end asks the provider, the user confirms, and the waiting
// request is sent again with the proof, once. And every way on which it must end otherwise.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { memoryStore, type ProtectedAction, protectedApi, type Store } from '@sallyport/step-up'
import {
  type Confirmed,
  parseStepUpChallenge,
  type StepUpChallenge,
  type StepUpClient,
  type StepUpClientOptions,
  StepUpLoopError,
  StepUpRefusedError,
  stepUpClient,
} from '@sallyport/step-up/client'
import { requireStepUp } from '@sallyport/step-up/express'
import { expect } from 'chai'
import express, { type Request } from 'express'
import * as openid from 'openid-client'
import { type Authority, CALLBACK, openAuthority, RESOURCE, SECRET, TWO } from './authority.ts'

const SESSION = 'session-of-dana'
const action: ProtectedAction = { type: 'protected_action', action: 'device.delete', objects: ['a', 'b'] }
const waiting = {
  method: 'DELETE',
  path: '/devices?really=1',
  headers: { 'content-type': 'application/json' },
  body: '{"ids":["b","a"]}',
}

describe('the back end’s way through a step-up', () => {
  let authority: Authority
  let server: Server
  let origin: string
  let deeds: string[]

  before(async () => {
    authority = await openAuthority()
    const app = express()
    server = createServer(app).listen(0, 'localhost')
    await new Promise(resolve => server.once('listening', resolve))
    origin = `http://localhost:${(server.address() as AddressInfo).port}`
    const api = protectedApi({
      issuer: authority.issuer,
      resource: RESOURCE,
      store: memoryStore(),
      publicUrl: origin,
    })
    app.use(express.json())
    app.delete(
      '/devices',
      requireStepUp({
        api,
        acr: TWO,
        maxAge: 300,
        action: (req: Request) => ({ ...action, objects: req.body.ids }),
      }),
      (req, res) => {
        deeds.push(`${req.url} ${req.body.ids}`)
        res.json({ done: true })
      },
    )
    app.get('/secret', requireStepUp({ api, acr: 'phr', maxAge: 60 }), (_, res) => {
      deeds.push('secret')
      res.json({ done: true })
    })
    // A server whose clock is wrong: whatever comes is too old.
    const ahead = protectedApi({
      issuer: authority.issuer,
      resource: RESOURCE,
      store: memoryStore(),
      clock: () => Date.now() + 200_000,
    })
    app.get('/never', requireStepUp({ api: ahead, maxAge: 60 }), () => undefined)
    app.use((error: { status?: number }, _: Request, res: express.Response, next: () => void) => {
      if (error.status === undefined) return next()
      res.status(error.status).end()
    })
  })
  after(async () => {
    server.close()
    await authority.close()
  })
  beforeEach(() => {
    deeds = []
  })

  const make = (options: Partial<StepUpClientOptions> = {}): StepUpClient =>
    stepUpClient({
      issuer: authority.issuer,
      clientId: 'console',
      clientSecret: SECRET,
      redirectUri: CALLBACK,
      resource: RESOURCE,
      apiUrl: origin,
      store: memoryStore(),
      ...options,
    })

  /** What the API asks for. */
  async function challengeOf(
    path = waiting.path,
    { method, headers, body } = waiting,
  ): Promise<StepUpChallenge> {
    const token = await authority.sign({ auth_time: 1 })
    const rest = path === waiting.path ? { method, body } : {}
    const answer = await fetch(origin + path, {
      ...rest,
      headers: { ...headers, authorization: `Bearer ${token}` },
    })
    const challenge = parseStepUpChallenge(answer)
    if (challenge === undefined) throw new Error(`no challenge: ${answer.status}`)
    return challenge
  }

  async function refusal(promise: Promise<unknown>): Promise<Error & { code?: string }> {
    try {
      await promise
    } catch (error) {
      return error as Error
    }
    throw new Error('nothing was thrown')
  }

  const asConfirmed = (outcome: { outcome: string }): Confirmed => {
    expect(outcome.outcome).to.equal('confirmed')
    return outcome as Confirmed
  }

  it('leads from every challenge to a token that passes', async () => {
    for (const [request, acr] of [
      [waiting, TWO],
      [{ method: 'GET', path: '/secret' }, 'phr'],
    ] as const) {
      const client = make()
      const challenge = await challengeOf(request.path)
      const { url } = await client.begin({ challenge, session: SESSION, subject: 'dana', request })
      const outcome = asConfirmed(
        await client.finish({ url: await authority.visit(url, { acr }), session: SESSION }),
      )
      expect(outcome.claims).to.include({ sub: 'dana', acr })
      expect((await outcome.replay()).status).to.equal(200)
    }
    expect(deeds).to.deep.equal(['/devices?really=1 b,a', 'secret'])
  })

  it('says nothing of the action in the address bar, and nothing of what waits', async () => {
    const { url } = await make().begin({ challenge: await challengeOf(), session: SESSION, request: waiting })
    expect([...url.searchParams.keys()]).to.deep.equal(['client_id', 'request_uri'])
  })

  it('hands back what was kept, and takes no path from the address', async () => {
    const client = make()
    const { url } = await client.begin({
      challenge: await challengeOf(),
      session: SESSION,
      request: waiting,
      keep: { returnTo: '/devices' },
    })
    const callback = await authority.visit(url)
    callback.searchParams.set('returnTo', 'https://evil.example')
    callback.searchParams.set('path', '//evil.example')
    callback.host = 'evil.example'
    const outcome = asConfirmed(await client.finish({ url: callback, session: SESSION }))
    expect(outcome.keep).to.deep.equal({ returnTo: '/devices' })
    expect(outcome.request).to.deep.equal(waiting)
    expect((await outcome.replay()).status).to.equal(200)
  })

  it('sends the waiting request once, also where nothing else would keep it from a second time', async () => {
    const client = make()
    const request = { method: 'GET', path: '/secret' }
    const { url } = await client.begin({ challenge: await challengeOf('/secret'), session: SESSION, request })
    const callback = await authority.visit(url, { acr: 'phr' })
    const outcome = asConfirmed(await client.finish({ url: callback, session: SESSION }))
    const all = await Promise.allSettled([outcome.replay(), outcome.replay(), outcome.replay()])
    expect(all.map(each => each.status)).to.deep.equal(['fulfilled', 'rejected', 'rejected'])
    expect(deeds).to.have.length(1)
  })

  it('takes a callback once, of twenty at once too', async () => {
    const client = make()
    const { url } = await client.begin({ challenge: await challengeOf(), session: SESSION, request: waiting })
    const callback = await authority.visit(url)
    const all = await Promise.allSettled(
      Array.from({ length: 20 }, () => client.finish({ url: callback, session: SESSION })),
    )
    expect(all.filter(each => each.status === 'fulfilled')).to.have.length(1)
    const again = await refusal(client.finish({ url: callback, session: SESSION }))
    expect(again).to.be.instanceOf(StepUpRefusedError).and.include({ code: 'unknown_state', status: 400 })
  })

  it('keeps two tabs with two actions apart', async () => {
    const client = make()
    const one = await client.begin({ challenge: await challengeOf(), session: SESSION, keep: 1 })
    const other = await client.begin({
      challenge: { errors: [], authorizationDetails: [{ ...action, objects: ['c'] }] },
      session: SESSION,
      keep: 2,
    })
    const [second, first] = [await authority.visit(other.url), await authority.visit(one.url)]
    expect((await client.finish({ url: first, session: SESSION })).keep).to.equal(1)
    expect((await client.finish({ url: second, session: SESSION })).keep).to.equal(2)
  })

  it('ends without an exception where the user cancels or cannot', async () => {
    for (const [press, outcome] of [
      ['cancel', 'cancelled'],
      ['unmet', 'unmet'],
    ] as const) {
      const client = make()
      const { url } = await client.begin({
        challenge: await challengeOf(),
        session: SESSION,
        request: waiting,
        keep: 'x',
      })
      const ended = await client.finish({ url: await authority.visit(url, { press }), session: SESSION })
      expect(ended).to.include({ outcome, keep: 'x' }).and.not.have.property('accessToken')
    }
    expect(deeds).to.deep.equal([])
  })

  describe('refuses, before any code is redeemed,', () => {
    async function begun(client = make()): Promise<{ client: StepUpClient; callback: URL }> {
      const { url } = await client.begin({
        challenge: await challengeOf(),
        session: SESSION,
        request: waiting,
      })
      return { client, callback: await authority.visit(url) }
    }

    it('another browser’s session, and still takes the right one', async () => {
      const { client, callback } = await begun()
      const error = await refusal(client.finish({ url: callback, session: 'session-of-mallory' }))
      expect(error.code).to.equal('unknown_state')
      asConfirmed(await client.finish({ url: callback, session: SESSION }))
    })

    it('a changed, doubled or missing state', async () => {
      for (const change of [
        (url: URL) => url.searchParams.set('state', 'another'),
        (url: URL) => url.searchParams.append('state', String(url.searchParams.get('state'))),
        (url: URL) => url.searchParams.delete('state'),
      ]) {
        const { client, callback } = await begun()
        change(callback)
        const error = await refusal(client.finish({ url: callback, session: SESSION }))
        expect(error.code).to.equal('unknown_state')
      }
    })

    it('another issuer’s answer, or one that names none', async () => {
      for (const iss of ['https://evil.example', undefined]) {
        const { client, callback } = await begun()
        if (iss === undefined) callback.searchParams.delete('iss')
        else callback.searchParams.set('iss', iss)
        const error = await refusal(client.finish({ url: callback, session: SESSION }))
        expect(error).to.be.instanceOf(StepUpRefusedError)
        expect(error.message).to.include('iss')
      }
    })

    it('an answer that comes too late', async () => {
      let now = Date.now()
      const store = memoryStore(() => now)
      const { client, callback } = await begun(make({ store, clock: () => now }))
      now += 16 * 60_000
      expect((await refusal(client.finish({ url: callback, session: SESSION }))).code).to.equal(
        'unknown_state',
      )
    })
  })

  describe('refuses what is not as asked:', () => {
    /** Goes the way with another request than the one that was made, as somebody who edits the address could. */
    async function through(
      step: Partial<Parameters<StepUpClient['begin']>[0]>,
      deed: Parameters<Authority['visit']>[1],
    ): Promise<Error & { code?: string }> {
      const client = make()
      const challenge = await challengeOf()
      const { url } = await client.begin({ challenge, session: SESSION, request: waiting, ...step })
      return refusal(client.finish({ url: await authority.visit(url, deed), session: SESSION }))
    }

    it('another user', async () => {
      const error = await through({ subject: 'dana' }, { as: 'mallory' })
      expect(error).to.be.instanceOf(StepUpRefusedError).and.include({ code: 'not_as_asked' })
    })
    it('a weaker authentication', async () => {
      expect((await through({}, { acr: 'urn:sallyport:acr:1fa' })).code).to.equal('not_as_asked')
    })
    it('an older authentication', async () => {
      expect((await through({}, { ago: 400 })).code).to.equal('not_as_asked')
    })
    it('a code of another request', async () => {
      const client = make()
      const challenge = await challengeOf()
      const mine = await client.begin({ challenge, session: SESSION })
      const theirs = await client.begin({ challenge, session: SESSION })
      const callback = await authority.visit(mine.url)
      const other = await authority.visit(theirs.url)
      callback.searchParams.set('code', String(other.searchParams.get('code')))
      const error = await refusal(client.finish({ url: callback, session: SESSION }))
      expect(error).to.be.instanceOf(StepUpRefusedError).and.include({ code: 'invalid_grant' })
    })
    it('another action, where the provider returns one', async () => {
      // What was kept says what was asked; the provider was asked for something else.
      const inner = memoryStore()
      const store: Store = {
        ...inner,
        async take(key) {
          const text = await inner.take(key)
          return text?.replace('"objects":["b","a"]', '"objects":["c"]')
        },
      }
      const client = make({ store })
      const { url } = await client.begin({ challenge: await challengeOf(), session: SESSION, keep: 1 })
      const error = await refusal(client.finish({ url: await authority.visit(url), session: SESSION }))
      expect(error).to.include({ code: 'not_as_asked', message: 'another action was confirmed' })
    })
  })

  describe('stops', () => {
    it('where the API asks again for what was just confirmed', async () => {
      const client = make()
      const challenge = await challengeOf('/never')
      const request = { method: 'GET', path: '/never' }
      const { url } = await client.begin({ challenge, session: SESSION, request })
      const outcome = asConfirmed(await client.finish({ url: await authority.visit(url), session: SESSION }))
      expect(await refusal(outcome.replay())).to.be.instanceOf(StepUpLoopError)
    })

    it('where the app says that the same reference came back', async () => {
      const client = make()
      const challenge = await challengeOf()
      const after = challenge.authorizationReference
      const error = await refusal(client.begin({ challenge, session: SESSION, after }))
      expect(error).to.be.instanceOf(StepUpLoopError).and.include({ status: 502 })
      await client.begin({ challenge, session: SESSION, after: 'another' })
    })

    it('where the request that waits meets the same refusal again', async () => {
      const client = make()
      const challenge = await challengeOf()
      const { url } = await client.begin({ challenge, session: SESSION, request: waiting })
      const outcome = asConfirmed(await client.finish({ url: await authority.visit(url), session: SESSION }))
      // Somebody spends the proof first.
      const headers = { ...waiting.headers, authorization: `Bearer ${outcome.accessToken}` }
      expect((await fetch(origin + waiting.path, { ...waiting, headers })).status).to.equal(200)
      expect(await refusal(outcome.replay())).to.be.instanceOf(StepUpLoopError)
      expect(deeds).to.have.length(1)
    })
  })

  it('sends the token to the API only', async () => {
    const client = make()
    const challenge = await challengeOf()
    for (const path of [
      '//evil.example/x',
      'https://evil.example/',
      '@evil.example',
      '\\\\evil.example',
      '/\\evil',
    ]) {
      const { url } = await client.begin({ challenge, session: SESSION, request: { ...waiting, path } })
      const outcome = asConfirmed(await client.finish({ url: await authority.visit(url), session: SESSION }))
      expect((await outcome.replay()).url).to.satisfy((each: string) => each.startsWith(origin), path)
    }
  })

  it('asks for nothing that it does not know', async () => {
    const client = make()
    const odd = { type: 'payment', amount: '1000' } as unknown as ProtectedAction
    const errors = ['insufficient_authorization'] as const
    const error = await refusal(
      client.begin({ challenge: { errors, authorizationDetails: [odd] }, session: SESSION }),
    )
    expect(error).to.be.instanceOf(TypeError)
    const long = { errors, authorizationReference: 'x' }
    expect(await refusal(client.begin({ challenge: long, session: SESSION }))).to.be.instanceOf(TypeError)
    await client.begin({ challenge: long, session: SESSION, authorizationDetails: [action] })
    expect(await refusal(client.begin({ challenge: long, session: '' }))).to.be.instanceOf(TypeError)
  })

  describe('where the provider takes no pushed requests', () => {
    const plain: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      if (!String(input).includes('/.well-known/')) return response
      const answer = (await response.json()) as Record<string, unknown>
      const { pushed_authorization_request_endpoint: _, ...metadata } = answer
      return Response.json(metadata)
    }

    it('notices that acr_values were edited in the address bar', async () => {
      const client = make({ fetch: plain })
      const { url } = await client.begin({ challenge: await challengeOf('/secret'), session: SESSION })
      expect(url.searchParams.get('acr_values')).to.equal('phr')
      url.searchParams.set('acr_values', 'urn:sallyport:acr:1fa')
      const callback = await authority.visit(url, { acr: 'urn:sallyport:acr:1fa' })
      expect((await refusal(client.finish({ url: callback, session: SESSION }))).code).to.equal(
        'not_as_asked',
      )
    })

    it('asks for no action at all', async () => {
      const client = make({ fetch: plain })
      const error = await refusal(client.begin({ challenge: await challengeOf(), session: SESSION }))
      expect(error).to.be.instanceOf(TypeError)
    })
  })

  it('is answered with 503 while the provider is away, and goes on afterwards', async () => {
    const client = make()
    const challenge = await challengeOf()
    authority.breakDown(true)
    const error = await refusal(client.begin({ challenge, session: SESSION }))
    authority.breakDown(false)
    expect(error).to.include({ status: 503, code: 'unavailable' })
    await client.begin({ challenge, session: SESSION })
  })

  it('binds the token to the app’s key, where it has one', async () => {
    const dpopKey = await openid.randomDPoPKeyPair('ES256')
    const client = make({ dpopKey })
    const { url } = await client.begin({ challenge: await challengeOf(), session: SESSION, request: waiting })
    const outcome = asConfirmed(await client.finish({ url: await authority.visit(url), session: SESSION }))
    expect(outcome.tokenType).to.equal('dpop')
    const headers = { ...waiting.headers, authorization: `Bearer ${outcome.accessToken}` }
    expect((await fetch(origin + waiting.path, { ...waiting, headers })).status).to.equal(401)
    expect((await outcome.replay()).status).to.equal(200)
  })
})
