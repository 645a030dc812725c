// How long a session lasts, by requests alone: what counts as its use and what does not, when it ends, and what ends
// with it. Everybody in the process reads one clock, the library too.

import { expect } from 'chai'
import * as client from 'openid-client'
import { change, codeOf, DAY, MINUTE, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { code } from '../support/one-time-codes.ts'
import type { Person, Stage } from '../support/stage.ts'
import { type TimeTravel, timeTravel, withClock } from '../support/time-travel.ts'
import {
  createVisitor,
  type Enrolled,
  enrol,
  type RelyingParty,
  relyingParty,
  uidOf,
  type Visitor,
} from '../support/visitor.ts'
import { countWork } from '../support/work.ts'

const HOUR = 60 * MINUTE

onEveryStage('how long a session lasts', open => {
  let stage: Stage
  let party: RelyingParty
  let travel: TimeTravel
  let person: Person
  let enrolled: Enrolled
  let visitor: Visitor

  before(async () => {
    travel = timeTravel()
    stage = withClock(await open(), travel)
    party = await relyingParty(stage)
  })
  after(() => travel?.end())

  /** Somebody who has just logged in, in an organisation with that policy. */
  async function begin(
    { inactive = 8, end = 30, plan = 'Enterprise' } = {},
    params: Record<string, string> = {},
  ): Promise<client.TokenEndpointResponse> {
    person = await stage.person()
    visitor = createVisitor(stage.origin)
    await choose({ inactive, end, plan })
    const begun = await party.begin(params)
    enrolled = await enrol(stage, visitor, begun.url, person)
    let callback = (enrolled as Enrolled & { end: string }).end
    if (callback.includes('/interaction/')) {
      const answer = await visitor.post(`/interaction/${uidOf(callback)}/consent`, { answer: 'allow' })
      callback = (await visitor.follow(answer.location ?? '')).url
    }
    return party.finish(begun, callback)
  }
  const choose = ({ inactive = 8, end = 30, plan = 'Enterprise' }) =>
    change(
      stage,
      'UPDATE organisations SET session_inactive_hours = ?, session_end_days = ?, plan = ? WHERE id = ?',
      [inactive, end, plan, person.organisationId],
    )
  const OFFLINE = { scope: 'openid email offline_access', prompt: 'consent' }

  /** Asks as an app does that must not show a page. An authorization request is a use of the session. */
  async function silently(): Promise<'code' | string> {
    const { url } = await party.begin({ prompt: 'none' })
    const answer = new URL((await visitor.follow(url)).url)
    return answer.searchParams.has('code') ? 'code' : String(answer.searchParams.get('error'))
  }
  /** Whether it is alive, without using it. */
  const times = async () => {
    const [row] = await rows(stage, 'SELECT * FROM oidc_sessions WHERE account_id = ? AND ended_at IS NULL', [
      person.id,
    ])
    return { seen: Number(row?.last_seen_at), loggedIn: Number(row?.logged_in_at) }
  }
  const seenAgo = async () => stage.now() - (await times()).seen
  const noted = async () => (await seenAgo()) < MINUTE

  it('ends after the hours without use that the organisation chose, and not a second before', async () => {
    for (const inactive of [1, 8, 24]) {
      await begin({ inactive })
      stage.advance(inactive * HOUR - (await seenAgo()) - 1_000)
      expect(await silently(), `${inactive} h, a second before`).to.equal('code')
      stage.advance(inactive * HOUR - (await seenAgo()))
      expect(await silently(), `${inactive} h`).to.equal('login_required')
    }
  })

  it('is lengthened by authorization requests, pages of ours and refreshes', async () => {
    const { refresh_token = '' } = await begin({ inactive: 2 }, OFFLINE)
    stage.advance(HOUR + MINUTE)
    expect(await silently()).to.equal('code')
    expect(await noted()).to.equal(true)
    stage.advance(HOUR + MINUTE)
    expect((await visitor.get('/account')).status).to.equal(200)
    expect(await noted()).to.equal(true)
    stage.advance(HOUR + MINUTE)
    await client.refreshTokenGrant(party.config, refresh_token)
    expect(await noted()).to.equal(true)
    stage.advance(HOUR + MINUTE)
    expect(await silently()).to.equal('code')
  })

  it('is not lengthened by what needs no session: keys, discovery, health, files, userinfo, introspection', async () => {
    const { access_token } = await begin({ inactive: 2 })
    const before = (await times()).seen
    stage.advance(4 * MINUTE)
    for (const path of ['/jwks', '/.well-known/openid-configuration', '/health/ready', '/favicon.ico'])
      await visitor.get(path)
    await client.fetchUserInfo(party.config, access_token, client.skipSubjectCheck)
    await client.tokenIntrospection(party.config, access_token)
    expect((await times()).seen).to.equal(before)
    stage.advance(2 * HOUR)
    expect(await silently()).to.equal('login_required')
  })

  it('is noted once a minute, by one write, of fifty pages at once', async () => {
    await begin()
    stage.advance(2 * MINUTE)
    const before = (await times()).seen
    const writes: string[] = []
    stage.running.services.database.observe((kind, names) => {
      if (kind === 'commit') writes.push(...names.filter(each => each === 'session_seen'))
    })
    try {
      const pages = await Promise.all(Array.from({ length: 50 }, () => visitor.clone().get('/account')))
      expect(new Set(pages.map(each => each.status))).to.deep.equal(new Set([200]))
      const { seen } = await times()
      expect(seen).to.be.greaterThan(before)
      const most = writes.length
      for (let n = 0; n < 5; n++) await visitor.get('/account')
      expect([writes.length, (await times()).seen]).to.deep.equal([most, seen])
    } finally {
      stage.running.services.database.observe(undefined)
    }
  })

  it('reads nothing more for it, and writes once a minute only', async () => {
    await begin()
    const count = async () => {
      const { reads, commits } = await countWork(stage, () => visitor.get('/account'))
      return { reads, commits }
    }
    expect(await count()).to.deep.equal({ reads: 2, commits: 0 })
    stage.advance(2 * MINUTE)
    expect(await count()).to.deep.equal({ reads: 2, commits: 1 })
    expect(await count()).to.deep.equal({ reads: 2, commits: 0 })
  })

  it('ends so many days after the first login, however busy it is, and a step-up moves nothing', async () => {
    await begin({ inactive: 24, end: 2 })
    const { loggedIn } = await times()
    for (const hours of [20, 20]) {
      stage.advance(hours * HOUR)
      expect(await silently()).to.equal('code')
    }
    const { url } = await party.begin({ acr_values: 'urn:sallyport:acr:2fa', max_age: '1' })
    const page = await visitor.follow(url)
    expect(page.heading).to.equal('Confirm it’s you')
    const base = `/interaction/${uidOf(page.url)}`
    await visitor.post(`${base}/otp`, { code: codeOf(stage, enrolled) })
    expect((await visitor.follow(base)).url).to.include('code=')
    expect((await times()).loggedIn).to.equal(loggedIn)
    stage.advance(loggedIn + 2 * DAY - stage.now() - 1_000)
    expect(await silently()).to.equal('code')
    stage.advance(1_000)
    expect(await silently()).to.equal('login_required')
  })

  it('lives for thirty days where that is chosen, and its cookie is kept by the browser for as long', async () => {
    await begin({ inactive: 24, end: 30 })
    const answer = await visitor.get((await party.begin({ prompt: 'none' })).url)
    const cookie = answer.headers.getSetCookie().find(each => each.startsWith('sallyport_session='))
    const expires = Date.parse(/expires=([^;]+)/.exec(cookie ?? '')?.[1] ?? '')
    expect(expires - stage.now()).to.be.within(30 * DAY - MINUTE, 30 * DAY + MINUTE)
    for (let day = 0; day < 29; day++) {
      stage.advance(23.5 * HOUR)
      // By our own pages alone: the library hears of none of them.
      expect((await visitor.get('/account')).status, `day ${day}`).to.equal(200)
    }
    expect(await silently()).to.equal('code')
    stage.advance((await times()).loggedIn + 30 * DAY - stage.now())
    expect(await silently()).to.equal('login_required')
  })

  it('follows a change of the policy, and of the plan, from its next use on', async () => {
    await begin({ inactive: 24, end: 30 })
    stage.advance(3 * HOUR)
    await choose({ inactive: 2 })
    expect((await visitor.get('/account')).status).to.equal(303)
    await choose({ inactive: 4 })
    expect((await visitor.get('/account')).status).to.equal(200)
    stage.advance(5 * HOUR)
    // The standard 24 hours hold, whatever is stored.
    await choose({ inactive: 4, plan: 'Team' })
    expect((await visitor.get('/account')).status).to.equal(200)
  })

  it('is of one’s own on the plans that the operator names, and on no others', async () => {
    const named = withClock(await open({ env: { SALLYPORT_SSO_PLANS: 'Gold' } }), travel)
    for (const [plan, status] of [
      ['Gold', 303],
      ['Enterprise', 200],
    ] as const) {
      const { id, email, organisationId } = await named.person()
      const by = createVisitor(named.origin)
      await by.follow((await enrol(named, by, '/account', { id, email, organisationId })).end)
      await change(
        named,
        'UPDATE organisations SET session_inactive_hours = 1, session_end_days = 2, plan = ? WHERE id = ?',
        [plan, organisationId],
      )
      expect((await by.get('/account')).status).to.equal(200)
      named.advance(HOUR)
      expect((await by.get('/account')).status, plan).to.equal(status)
    }
  })

  it('takes along the tokens that are bound to it; those with offline_access live by their own life', async () => {
    const bound = await begin({ inactive: 1 })
    const userinfo = (token: string) =>
      client.fetchUserInfo(party.config, token, client.skipSubjectCheck).then(
        () => 'answered',
        () => 'refused',
      )
    expect(await userinfo(bound.access_token)).to.equal('answered')
    // Of the last minute, so that it is the session that ends it.
    stage.advance(HOUR - (await seenAgo()) - 2 * MINUTE)
    const { url, ...begun } = await party.begin({ prompt: 'none' })
    const late = await party.finish({ url, ...begun }, (await visitor.follow(url)).url)
    await change(stage, 'UPDATE oidc_sessions SET last_seen_at = ? WHERE account_id = ?', [
      stage.now() - HOUR + MINUTE,
      person.id,
    ])
    expect(await userinfo(late.access_token)).to.equal('answered')
    stage.advance(MINUTE)
    expect(await userinfo(late.access_token)).to.equal('refused')

    const { refresh_token = '' } = await begin({ inactive: 1 }, OFFLINE)
    const { seen } = await times()
    stage.advance(2 * HOUR)
    const refreshed = await client.refreshTokenGrant(party.config, refresh_token)
    expect(refreshed.access_token).to.be.a('string')
    // It does not bring the session back.
    expect((await times()).seen).to.equal(seen)
    expect(await silently()).to.equal('login_required')
  })

  it('that is over leads to the login, and the next one begins anew', async () => {
    await begin({ inactive: 1 })
    stage.advance(2 * HOUR)
    const page = await visitor.follow('/account')
    expect(page.heading).to.equal('Log in')
    const base = `/interaction/${uidOf(page.url)}`
    await visitor.post(`${base}/identify`, { email: person.email, webauthn: 'none' })
    await visitor.post(`${base}/password`, {
      password: 'quiet otters borrow nine lanterns',
      webauthn: 'none',
    })
    await visitor.post(`${base}/otp`, { code: code(enrolled.secret, stage.now()) })
    expect((await visitor.follow(base)).status).to.equal(200)
    const all = await rows(stage, 'SELECT logged_in_at FROM oidc_sessions WHERE account_id = ?', [person.id])
    expect(all).to.have.length(2)
    expect(stage.now() - Math.max(...all.map(each => Number(each.logged_in_at)))).to.be.lessThan(MINUTE)
  })

  it('keeps the browser and the address of the login, by name alone', async () => {
    await begin()
    const [row] = await rows(stage, 'SELECT device, address FROM oidc_sessions WHERE account_id = ?', [
      person.id,
    ])
    // What these tests ask with is none of the browsers that people use.
    expect(row?.device).to.equal(null)
    expect(String(row?.address)).to.match(/127\.0\.0\.1|::1/)
  })
})
