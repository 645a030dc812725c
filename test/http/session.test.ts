// The guard of Sallyport's own pages, over HTTP: whom it lets through, whom it sends where, and what it does with
// whatever comes back.

import { expect } from 'chai'
import { createClient, updateClient } from '../../src/clients.ts'
import { InputError } from '../../src/organisations/directory.ts'
import { sql, write } from '../../src/store/database.ts'
import { OWN_CLIENT_ID } from '../../src/store/oidc/own-client.ts'
import { rowsOf } from '../store/contract.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { FORM, guardedPages } from '../support/guarded-pages.ts'
import { code } from '../support/one-time-codes.ts'
import { type Person, type Stage, subscribedAt } from '../support/stage.ts'
import {
  createVisitor,
  type Enrolled,
  enrol,
  logIn,
  type RelyingParty,
  relyingParty,
  throughPassword,
  uidOf,
  type Visitor,
} from '../support/visitor.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const LOGIN = 'Log in'
const SET_UP = 'Set up two-factor authentication'
const CODE = 'Confirm it’s you'
const UNKNOWN = 'This answer is no longer good'
const UNMET = 'We don’t know yet that it’s you'

const deactivate = sql('test_deactivate', "UPDATE accounts SET status = 'deactivated' WHERE id = ?")
const reset = sql('test_reset', 'UPDATE accounts SET epoch = epoch + 1 WHERE id = ?')

onEveryStage('the guard of our own pages', open => {
  let stage: Stage
  let party: RelyingParty

  before(async () => {
    stage = await open({ extend: guardedPages })
    party = await relyingParty(stage)
  })

  const visitor = () => createVisitor(stage.origin)

  it('leads on from the bare address of the server, which has no page', async () => {
    const { status, location } = await visitor().get('/')
    expect([status, location]).to.deep.equal([303, `${stage.origin}/account`])
  })

  /** Somebody with both factors, who has just logged in at the account page. */
  async function loggedIn(): Promise<{ person: Person; enrolled: Enrolled; by: Visitor }> {
    const person = await stage.person()
    const by = visitor()
    const enrolled = await enrol(stage, by, '/account', person)
    expect((await by.follow(enrolled.end)).heading).to.equal('Dana Whitlock')
    return { person, enrolled, by }
  }

  /** Proves the second factor where a step-up asks for it. @returns where the interaction leads */
  async function confirm(by: Visitor, start: string, { secret }: Enrolled): Promise<string> {
    const asked = await by.follow(start)
    expect(asked.heading).to.equal(CODE)
    const base = `/interaction/${uidOf(asked.url)}`
    stage.advance(30_000)
    await by.post(`${base}/otp`, { code: code(secret, stage.now()) })
    return (await by.follow(base)).url
  }

  /** Where the prompts answer for a page; the answer is not opened. */
  async function answerFor(by: Visitor, page: string, enrolled?: Enrolled): Promise<string> {
    let next = (await by.get(page)).location ?? ''
    for (let hops = 0; hops < 10 && !new URL(next, stage.origin).pathname.startsWith('/session/'); hops++) {
      const answer = await by.get(next)
      if (answer.location === undefined) {
        if (enrolled === undefined) throw new Error(`asked: ${answer.heading}`)
        const base = new URL(next, stage.origin).pathname
        stage.advance(30_000)
        next = (await by.post(`${base}/otp`, { code: code(enrolled.secret, stage.now()) })).location ?? ''
      } else next = answer.location
    }
    return next
  }

  describe('lets through or asks, as the prompts would:', () => {
    const OPEN = undefined
    const table: readonly [
      name: string,
      by: () => Promise<Visitor>,
      expected: Readonly<Record<'/account' | '/test/two' | '/test/fresh', string | undefined>>,
    ][] = [
      ['nobody', async () => visitor(), { '/account': LOGIN, '/test/two': LOGIN, '/test/fresh': LOGIN }],
      [
        'a password alone, on the day of grace',
        async () => (await withPassword()).by,
        { '/account': OPEN, '/test/two': SET_UP, '/test/fresh': SET_UP },
      ],
      [
        'a password alone, after the day',
        async () => {
          const { person, by } = await withPassword()
          await subscribedAt(stage, person.organisationId, stage.now() - 2 * DAY)
          return by
        },
        { '/account': SET_UP, '/test/two': SET_UP, '/test/fresh': SET_UP },
      ],
      [
        'two factors, just now',
        async () => (await loggedIn()).by,
        { '/account': OPEN, '/test/two': OPEN, '/test/fresh': OPEN },
      ],
      [
        'two factors, six minutes ago',
        async () => {
          const { by } = await loggedIn()
          stage.advance(6 * MINUTE)
          return by
        },
        { '/account': OPEN, '/test/two': OPEN, '/test/fresh': CODE },
      ],
      [
        'a recovery code',
        async () => {
          const { person, enrolled } = await loggedIn()
          const by = visitor()
          const { base } = await throughPassword(by, '/account', person.email)
          await by.post(`${base}/recovery`, { code: enrolled.recoveryCode })
          await by.post(`${base}/recovery-code-saved`, { saved: 'yes' })
          await by.post(`${base}/set-up-again`, { answer: 'no' })
          await by.follow(base)
          return by
        },
        { '/account': OPEN, '/test/two': CODE, '/test/fresh': CODE },
      ],
      [
        'somebody who was deactivated since',
        async () => {
          const { person, by } = await loggedIn()
          await stage.running.services.database.commit([write(deactivate, [person.id])])
          return by
        },
        { '/account': LOGIN, '/test/two': LOGIN, '/test/fresh': LOGIN },
      ],
      [
        'somebody whose account was reset since',
        async () => {
          const { person, by } = await loggedIn()
          await stage.running.services.database.commit([write(reset, [person.id])])
          return by
        },
        { '/account': LOGIN, '/test/two': LOGIN, '/test/fresh': LOGIN },
      ],
    ]

    async function withPassword(): Promise<{ person: Person; by: Visitor }> {
      const person = await stage.person({ graceUntil: 'tomorrow' })
      const by = visitor()
      const { base } = await throughPassword(by, '/account', person.email)
      await by.post(`${base}/put-off`, {})
      expect((await by.follow(base)).heading).to.equal('Dana Whitlock')
      return { person, by }
    }

    for (const [name, begin, expected] of table) {
      it(name, async () => {
        const by = await begin()
        for (const [page, asked] of Object.entries(expected)) {
          const direct = await by.clone().get(page)
          expect(direct.status, page).to.equal(asked === OPEN ? 200 : 303)
          expect(direct.headers.get('cross-origin-opener-policy'), page).to.equal('same-origin')
          expect(direct.headers.get('cache-control'), page).to.equal('no-store')
          if (asked === OPEN) continue
          const prompt = await by.clone().follow(page)
          expect(prompt.heading, page).to.equal(asked)
          expect(prompt.body, page).not.to.include('>Not now<')
        }
      })
    }

    it('a passkey is asked of somebody who has none, who is told, and ends on a page', async () => {
      const { by } = await loggedIn()
      const told = await by.follow('/test/passkey')
      expect(told.heading).to.equal('You need a passkey for this')
      const back = await by.post(`${new URL(told.url).pathname}/give-up`, {})
      const end = await by.follow(back.location ?? '')
      expect(end).to.include({ status: 403, heading: UNMET })
    })
  })

  describe('brings back', () => {
    it('to the page that asked, with its query, and lets it through', async () => {
      const { by, enrolled } = await loggedIn()
      stage.advance(6 * MINUTE)
      const end = await confirm(by, '/test/fresh?show=3&of=a%20b', enrolled)
      expect(end).to.equal(`${stage.origin}/test/fresh?show=3&of=a%20b`)
      expect((await by.get(end)).heading).to.equal('Opened /test/fresh')
    })

    it('each of two tabs to its own page', async () => {
      const { by, enrolled } = await loggedIn()
      stage.advance(6 * MINUTE)
      const first = await by.get('/test/fresh?tab=1')
      const second = await by.get('/test/fresh?tab=2')
      expect(await confirm(by, first.location ?? '', enrolled)).to.match(/tab=1$/)
      expect((await by.follow(second.location ?? '')).url).to.match(/tab=2$/)
    })

    it('without the query where that is longer than a cookie takes', async () => {
      const by = visitor()
      const { end } = await enrol(stage, by, `/account?long=${'x'.repeat(4000)}`, await stage.person())
      expect(end).to.equal(`${stage.origin}/account`)
    })

    it('somebody who cancels to a page, with the session as it was', async () => {
      const { by } = await loggedIn()
      stage.advance(6 * MINUTE)
      const asked = await by.follow('/test/fresh')
      const cancelled = await by.post(`${new URL(asked.url).pathname}/cancel`, {})
      const end = await by.follow(cancelled.location ?? '')
      expect(end).to.include({ status: 403, heading: 'You cancelled' })
      expect(end.body).to.include('href="/test/fresh"').and.to.include('href="/account"')
      expect((await by.get('/account')).status).to.equal(200)
    })
  })

  describe('refuses', () => {
    it('an answer that was used before, by a copy of the cookies', async () => {
      const { by, enrolled } = await loggedIn()
      stage.advance(6 * MINUTE)
      const answer = await answerFor(by, '/test/fresh', enrolled)
      const copy = by.clone()
      expect((await by.get(answer)).location).to.equal(`${stage.origin}/test/fresh`)
      expect(await copy.get(answer)).to.include({ status: 400, heading: UNKNOWN, location: undefined })
      expect(await by.get(answer)).to.include({ status: 400, heading: UNKNOWN })
    })

    it('all but one of fifty that come with the same answer', async () => {
      const { by, enrolled } = await loggedIn()
      stage.advance(6 * MINUTE)
      const answer = await answerFor(by, '/test/fresh', enrolled)
      const all = await Promise.all(Array.from({ length: 50 }, () => by.clone().get(answer)))
      expect(all.filter(each => each.status === 303)).to.have.length(1)
      expect(all.filter(each => each.status === 400)).to.have.length(49)
    })

    it('an answer of another browser, which is logged in as well', async () => {
      const [a, b] = [await loggedIn(), await loggedIn()]
      stage.advance(6 * MINUTE)
      const answer = await answerFor(a.by, '/test/fresh', a.enrolled)
      expect(await b.by.get(answer)).to.include({ status: 400, heading: UNKNOWN })
      expect((await a.by.get(answer)).status, 'and leaves it to its own').to.equal(303)
    })

    it('an answer after ten minutes', async () => {
      const { by, enrolled } = await loggedIn()
      stage.advance(6 * MINUTE)
      const answer = await answerFor(by, '/test/fresh', enrolled)
      stage.advance(10 * MINUTE)
      const late = await by.get(answer)
      expect(late).to.include({ status: 400, heading: UNKNOWN })
      expect(late.body).to.include('href="/account"')
    })

    it('forged states, twisted cookies, and answers of another issuer', async () => {
      const { by, enrolled } = await loggedIn()
      stage.advance(6 * MINUTE)
      const answer = new URL(await answerFor(by, '/test/fresh', enrolled))
      const state = answer.searchParams.get('state') ?? ''
      const changed = (name: string, value?: string) => {
        const url = new URL(answer)
        if (value === undefined) url.searchParams.delete(name)
        else url.searchParams.set(name, value)
        return url.href
      }
      const urls = [
        changed('state'),
        changed('state', 'x'.repeat(24)),
        changed('state', '../../account'),
        changed('state', `${state.slice(0, -1)}${state.endsWith('A') ? 'B' : 'A'}`),
        `${answer.href}&state=${state}`,
        changed('iss', 'https://evil.example'),
        changed('iss'),
        `${stage.origin}/session/return`,
      ]
      for (const url of urls) expect((await by.clone().get(url)).heading, url).to.equal(UNKNOWN)

      const [key] = [...by.cookies.keys()].filter(each => each.includes(state))
      const kept = by.cookies.get(key ?? '')
      expect(kept?.path).to.equal('/session/return')
      for (const value of ['', 's1.AAAA', `${kept?.value.slice(0, -2)}AA`, '{"to":"//evil.example"}']) {
        const forger = by.clone()
        forger.cookies.set(key ?? '', { value, path: '/session/return' })
        expect((await forger.get(answer.href)).heading, value).to.equal(UNKNOWN)
      }
      // One's own, but of another question.
      await by.get('/test/passkey')
      const other = [...by.cookies].find(([name]) => name.includes('_return_') && !name.includes(state))
      const swapper = by.clone()
      swapper.cookies.set(key ?? '', other?.[1] ?? { value: '', path: '/' })
      expect((await swapper.get(answer.href)).heading).to.equal(UNKNOWN)
      expect((await by.get(answer.href)).status).to.equal(303)
    })

    it('to believe an answer that nobody gave: what is not met ends on a page, and sets out no more', async () => {
      const { by } = await loggedIn()
      stage.advance(6 * MINUTE)
      const asked = new URL((await by.get('/test/fresh')).location ?? '')
      const state = asked.searchParams.get('state') ?? ''
      const claim = `/session/return?${new URLSearchParams({ state, iss: stage.origin })}`
      const end = await by.get(claim)
      expect(end).to.include({ status: 403, heading: UNMET, location: undefined })
      expect(end.body).to.include('href="/test/fresh"')
      expect((await by.get('/test/fresh')).status).to.equal(303)
    })

    it('to go round in a browser that loses the session on the way', async () => {
      const { by, enrolled } = await loggedIn()
      stage.advance(6 * MINUTE)
      const answer = await answerFor(by, '/test/fresh', enrolled)
      for (const name of by.cookies.keys()) if (name.startsWith('sallyport_session')) by.cookies.delete(name)
      expect(await by.get(answer)).to.include({ status: 403, heading: UNMET, location: undefined })
    })

    const away = [
      '/account?redirect_uri=https://evil.example/',
      '/account?return_to=//evil.example/&to=//evil.example/&next=https://evil.example/',
      '//evil.example/account',
      '/\\evil.example/account',
      '/account/..//evil.example',
      '/%2F%2Fevil.example/account',
      '/account?state=//evil.example&iss=https://evil.example',
      '/test/two//evil.example',
      '/session/return?to=https://evil.example/&state=x&iss=y',
      '/session/over?post_logout_redirect_uri=https://evil.example/',
      `/session/end?client_id=${OWN_CLIENT_ID}&post_logout_redirect_uri=https://evil.example/`,
      `/auth?client_id=${OWN_CLIENT_ID}&response_type=none&scope=openid&redirect_uri=https://evil.example/`,
      `/auth?client_id=${OWN_CLIENT_ID}&response_type=none&scope=openid&redirect_uri=http://localhost:9/callback`,
    ]
    for (const url of away) {
      it(`to lead anywhere else: ${url}`, async () => {
        const { by, enrolled, person } = await loggedInOnce()
        for (const browser of [by.clone(), visitor()]) {
          let next: string | undefined = `${stage.origin}${url}`
          for (let hops = 0; next !== undefined && hops < 8; hops++) {
            expect(new URL(next).origin, next).to.equal(stage.origin)
            const answer = await browser.get(next)
            next = answer.location
            // Whoever is asked to log in, does, and goes on.
            if (next === undefined && answer.heading === LOGIN) {
              next = await logIn(stage, browser, `${stage.origin}${url}`, person, enrolled)
            }
          }
        }
      })
    }
    let once: ReturnType<typeof loggedIn> | undefined
    const loggedInOnce = () => {
      once ??= loggedIn()
      return once
    }
  })

  describe('a form that needs a fresh factor', () => {
    const TYPED = { user: 'usr_7', reason: 'lost <b>phone</b> & keys' }
    const done = async (person: Person) =>
      (await rowsOf(stage.running.services.database, 'audit_events'))
        .filter(each => each.account_id === person.id && each.event === 'user.invited')
        .map(each => JSON.parse(String(each.details)))
    const idOf = (body: string) => /name="pending" value="([^"]+)"/.exec(body)?.[1] ?? ''

    it('is taken at once where the factor is fresh', async () => {
      const { by, person } = await loggedIn()
      expect((await by.post(FORM.page, TYPED)).heading).to.equal('Done')
      expect(await done(person)).to.deep.equal([TYPED])
    })

    it('changes nothing before, waits, is shown again, and takes one more press', async () => {
      const { by, person, enrolled } = await loggedIn()
      stage.advance(6 * MINUTE)
      const asked = await by.post(FORM.page, TYPED)
      expect(asked.status).to.equal(303)
      expect(asked.location).not.to.include('usr_7')
      expect(await done(person)).to.deep.equal([])
      const end = await confirm(by, asked.location ?? '', enrolled)
      const shown = await by.get(end)
      expect(shown.heading).to.equal('Once more')
      expect(shown.body).to.include('usr_7: lost &lt;b>phone&lt;/b> &amp; keys')
      expect(await done(person), 'not by coming back').to.deep.equal([])
      expect((await by.get(end)).heading, 'nor by a reload').to.equal('Once more')
      expect((await by.post(FORM.page, { pending: idOf(shown.body) })).heading).to.equal('Done')
      expect(await done(person)).to.deep.equal([TYPED])
      const again = await by.post(FORM.page, { pending: idOf(shown.body) })
      expect(again).to.include({ status: 409, heading: 'It waits no more' })
      expect(await done(person)).to.have.length(1)
    })

    async function waiting() {
      const known = await loggedIn()
      stage.advance(6 * MINUTE)
      const asked = await known.by.post(FORM.page, TYPED)
      const end = await confirm(known.by, asked.location ?? '', known.enrolled)
      const shown = await known.by.get(end)
      return { ...known, end, id: idOf(shown.body) }
    }

    it('is done once by fifty presses at the same time', async () => {
      const { by, id, person } = await waiting()
      const all = await Promise.all(
        Array.from({ length: 50 }, () => by.clone().post(FORM.page, { pending: id })),
      )
      expect(all.filter(each => each.status === 200)).to.have.length(1)
      expect(await done(person)).to.deep.equal([TYPED])
    })

    it('is not shown to, nor done by, another user, who is fresh too', async () => {
      const { id, person, end, by } = await waiting()
      const other = await loggedIn()
      expect((await other.by.get(end)).heading).to.equal('Nothing waits')
      expect((await other.by.post(FORM.page, { pending: id })).status).to.equal(409)
      const forged = ['', 'x', `${id}x`, '../x']
      for (const each of forged) {
        expect((await by.post(FORM.page, { pending: each })).status, each).to.equal(409)
      }
      expect(await done(other.person)).to.deep.equal([])
      expect(await done(person)).to.deep.equal([])
    })

    it('is not done in another session of the same user', async () => {
      const { id, person, enrolled } = await waiting()
      const elsewhere = visitor()
      await logIn(stage, elsewhere, '/account', person, enrolled)
      expect((await elsewhere.post(FORM.page, { pending: id })).status).to.equal(409)
      expect(await done(person)).to.deep.equal([])
    })

    it('waits on where the factor grew old before the press, and no longer than ten minutes', async () => {
      const { by, id, person, enrolled } = await waiting()
      stage.advance(6 * MINUTE)
      const asked = await by.post(FORM.page, { pending: id })
      expect(asked.status).to.equal(303)
      const shown = await by.get(await confirm(by, asked.location ?? '', enrolled))
      expect(idOf(shown.body)).to.equal(id)
      stage.advance(4 * MINUTE)
      expect((await by.post(FORM.page, { pending: id })).status).to.equal(409)
      expect(await done(person)).to.deep.equal([])
    })

    it('is nobody’s where nobody is logged in: after the login its page is empty', async () => {
      const { person, enrolled } = await loggedIn()
      const by = visitor()
      const asked = await by.post(FORM.page, TYPED)
      const end = await logIn(stage, by, asked.location ?? '', person, enrolled)
      expect(end).to.equal(`${stage.origin}${FORM.page}`)
      expect((await by.get(end)).heading).to.equal('Nothing waits')
    })

    it('that another site sends is refused, fresh or not', async () => {
      const { by, person } = await loggedIn()
      const foreign = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
      expect((await by.post(FORM.page, TYPED, foreign)).status).to.equal(403)
      stage.advance(6 * MINUTE)
      expect((await by.post(FORM.page, TYPED, foreign)).status).to.equal(403)
      expect((await visitor().post(FORM.page, TYPED, foreign)).status).to.equal(403)
      const before = (await rowsOf(stage.running.services.database, 'pending_forms')).length
      expect((await by.post(FORM.page, { ...TYPED, more: 'x' })).status).to.equal(400)
      expect((await rowsOf(stage.running.services.database, 'pending_forms')).length).to.equal(before)
      expect(await done(person)).to.deep.equal([])
    })
  })

  describe('asks by a client', () => {
    it('that is in no list, and that nobody can register, change or take the place of', async () => {
      const { clients } = stage.running.services
      expect((await clients.list()).map(each => each.metadata.client_id)).not.to.include(OWN_CLIENT_ID)
      const faults = [
        createClient(stage.directory, {
          id: OWN_CLIENT_ID,
          name: 'Ours now',
          redirectUris: ['https://evil.example/callback'],
        }),
        updateClient(stage.directory, OWN_CLIENT_ID, { redirectUris: ['https://evil.example/callback'] }),
      ]
      for (const each of faults) {
        const error = await each.catch((caught: unknown) => caught)
        expect(error).to.be.instanceOf(InputError).with.property('field', 'client_id')
      }
      // Even a row of that id is not found.
      const metadata = { client_id: OWN_CLIENT_ID, redirect_uris: ['https://evil.example/callback'] }
      await stage.running.services.database.commit([
        clients.insert({ metadata, firstParty: true }, stage.now()),
      ])
      const found = await clients.find(OWN_CLIENT_ID)
      expect(found?.metadata.redirect_uris).to.deep.equal([`${stage.origin}/session/return`])
    })

    it('that gets no code and no token', async () => {
      const { by } = await loggedIn()
      const asked = new URL((await visitor().get('/account')).location ?? '')
      for (const type of ['code', 'id_token', 'token']) {
        asked.searchParams.set('response_type', type)
        asked.searchParams.set('nonce', 'n')
        const { location = '', status, body } = await by.get(asked.href)
        expect(`${status} ${location} ${body}`, type).not.to.match(/[?&#](code|id_token|access_token)=/)
      }
      for (const form of [
        { grant_type: 'authorization_code', code: 'x', redirect_uri: `${stage.origin}/session/return` },
        { grant_type: 'client_credentials' },
        { grant_type: 'refresh_token', refresh_token: 'x' },
      ]) {
        const answer = await by.post('/token', { ...form, client_id: OWN_CLIENT_ID })
        expect(answer.status, form.grant_type).to.equal(400)
      }
    })

    it('beside whose pages prompt=none of an app goes on as before', async () => {
      const { by } = await loggedIn()
      const silent = await by.get((await party.begin({ prompt: 'none' })).url)
      expect(silent.location).to.match(/^http:\/\/localhost:9\/callback\?code=/)
      const nobody = await visitor().get((await party.begin({ prompt: 'none' })).url)
      expect(nobody.location).to.include('error=login_required')
      const probed = new URL((await visitor().get('/account')).location ?? '')
      probed.searchParams.set('prompt', 'none')
      const own = await visitor().get(probed.href)
      expect(own.location).to.match(/\/session\/return\?error=login_required/)
    })

    it('by which one logs out of everything, or stays', async () => {
      const { by } = await loggedIn()
      await by.get((await party.begin()).url)
      const linkOf = (body: string) =>
        /href="([^"]*\/session\/end[^"]*)"/.exec(body)?.[1]?.replaceAll('&amp;', '&') ?? ''
      const xsrf = (body: string) => /name="xsrf" value="([^"]+)"/.exec(body)?.[1] ?? ''
      const link = linkOf((await by.get('/account')).body)
      const question = await by.get(link)
      expect(question.heading).to.equal('Log out?')
      const stay = await by.post('/session/end/confirm', { xsrf: xsrf(question.body) })
      expect((await by.follow(stay.location ?? '')).heading).to.equal('Dana Whitlock')

      const again = await by.get(link)
      const out = await by.post('/session/end/confirm', { xsrf: xsrf(again.body), logout: 'yes' })
      const over = await by.follow(out.location ?? '')
      expect(over.heading).to.equal('You are logged out')
      expect(over.body).to.include('Go to your account')
      expect((await by.follow('/account')).heading).to.equal(LOGIN)
      const silent = await by.get((await party.begin({ prompt: 'none' })).url)
      expect(silent.location).to.include('error=login_required')
    })
  })
})
