// Attacks on the way in by password and one-time code: half a login used as a whole one, guessing past the budgets,
// replaying a code that was seen, locking the owner out, and finding out who has an account. The hole that each would
// find is named in the test. The stage believes one proxy, so that tests come from any network they like.

import { expect } from 'chai'
import { BUDGETS, everywhereSubject, reserveAttempt } from '../../src/factors/attempts.ts'
import { emailKey } from '../../src/store/accounts/accounts.ts'
import { digest } from '../../src/store/ids.ts'
import { openStage, PASSWORD, type Stage } from '../support/stage.ts'
import {
  type Answer,
  createVisitor,
  logIn,
  type RelyingParty,
  relyingParty,
  throughPassword,
  uidOf,
} from '../support/visitor.ts'
import { countWork } from '../support/work.ts'
import {
  audited,
  challengeOf,
  change,
  codeOf,
  DAY,
  errorOf,
  givePasskey,
  halfLogin,
  MINUTE,
  mailed,
  RESET_LINK,
  rows,
  victim,
  wrongCode,
} from './ground.ts'

describe('attacks on the login', function () {
  this.timeout(60_000)
  let stage: Stage
  let party: RelyingParty

  before(async () => {
    stage = await openStage({ env: { SALLYPORT_TRUST_PROXY: '1' } })
    party = await relyingParty(stage)
  })
  after(() => stage.close())

  const from = (address: string) => ({ 'x-forwarded-for': address })

  /** Posts a password as somebody from `address` would, in an interaction of its own. */
  async function tryPassword(email: string, password: string, address: string): Promise<Answer> {
    const visitor = createVisitor(stage.origin)
    const start = await visitor.get((await party.begin()).url, from(address))
    const base = `/interaction/${uidOf(start.location ?? '')}`
    await visitor.post(`${base}/identify`, { email }, from(address))
    return visitor.post(`${base}/password`, { password }, from(address))
  }

  describe('L1 half a login', () => {
    // Whoever stores "logged in" before the last factor lets the browser go to the resume address by itself.
    it('gets nothing anywhere with the password alone', async () => {
      const { person } = await victim(stage, party)
      const { visitor, base, page } = await halfLogin(stage, party, person)
      expect(page.heading).to.equal('Verify your identity')

      const uid = uidOf(base)
      const resumed = await visitor.follow(`/auth/${uid}`)
      expect(resumed.url).to.match(/\/interaction\//)
      expect(resumed.heading).to.equal('Log in')
      const silent = await visitor.get((await party.begin({ prompt: 'none' })).url)
      expect(errorOf(silent.location)).to.equal('login_required')
      for (const path of ['/me', '/token/introspection']) {
        const { status } = await visitor.get(path)
        expect(status, path).to.be.oneOf([400, 401, 404])
      }
      const [{ n } = { n: 0 }] = await rows(
        stage,
        'SELECT count(*) AS n FROM session_facts WHERE account_id = ?',
        [person.id],
      )
      // The password and the code that the owner set up with.
      expect(Number(n)).to.equal(2)
    })

    it('is asked for the code again after the resume address was taken half way', async () => {
      const { person } = await victim(stage, party)
      const { visitor, base } = await halfLogin(stage, party, person)
      const again = await visitor.follow(`/auth/${uidOf(base)}`)
      const next = `/interaction/${uidOf(again.url)}`
      const password = await visitor.post(`${next}/password`, { password: PASSWORD })
      // What was proven half way did not come along, so even the address is asked for again.
      expect(password.status).to.equal(409)
    })

    it('cannot post to a step that is not its turn', async () => {
      const { person } = await victim(stage, party)
      const { visitor, base } = await halfLogin(stage, party, person)
      for (const [way, form] of [
        ['set-up', { code: '000000' }],
        ['set-up', { later: 'yes' }],
        ['put-off', {}],
        ['recovery-code-saved', { saved: 'yes' }],
        ['set-up-again', { answer: 'no' }],
        ['passkey-registration', { response: '{}' }],
        ['passkey-declined', {}],
        ['cannot-use-passkey', {}],
        ['mailed-code', { code: '000000' }],
        ['send-code', {}],
        ['cancel', {}],
        ['give-up', {}],
        ['identify', { email: person.email }],
      ] as const) {
        const answer = await visitor.post(`${base}/${way}`, form)
        expect(answer.status, way).to.equal(409)
      }
      const consent = await visitor.post(`${base}/consent`, { answer: 'allow' })
      expect(consent.status).to.equal(409)
      // What was done last is not done again, whatever is sent; it leads to the step that is due.
      const again = await visitor.post(`${base}/password`, { password: 'wrong' })
      expect(again.location).to.equal(`${stage.origin}${base}`)
      expect(await audited(stage, 'password.wrong', person)).to.equal(0)
      expect((await visitor.follow(base)).heading).to.equal('Verify your identity')
    })
  })

  describe('L2, L3 guessing codes', () => {
    // Budgets per way, per session or per address add up; a success of one factor must not refill another's.
    it('evaluates no more wrong codes than the budget, over all ways, interactions and addresses', async () => {
      const { person, secret, recoveryCode } = await victim(stage, party)
      let half = await halfLogin(stage, party, person)
      for (let tries = 0; tries < 60; tries++) {
        stage.advance(20 * MINUTE)
        if (tries % 4 === 0) half = await halfLogin(stage, party, person)
        const way = tries % 3 === 0 ? 'recovery' : 'otp'
        const guess = way === 'otp' ? wrongCode(stage, { secret }) : 'ABCD-EFGH-JKMN-PQRT-UVWX-YZ34'
        await half.visitor.post(`${half.base}/${way}`, { code: guess }, from(`198.51.100.${tries}`))
      }
      expect(await audited(stage, 'code.wrong', person)).to.equal(BUDGETS.code.perDay)
      expect(await audited(stage, 'code.blocked', person)).to.be.above(30)

      // Now not even the right ones are taken, until the day is over.
      half = await halfLogin(stage, party, person)
      const right = await half.visitor.post(`${half.base}/otp`, { code: codeOf(stage, { secret }) })
      expect(right.status).to.equal(400)
      const recovery = await half.visitor.post(`${half.base}/recovery`, { code: recoveryCode })
      expect(recovery.status).to.equal(400)
      stage.advance(DAY)
      half = await halfLogin(stage, party, person)
      const later = await half.visitor.post(`${half.base}/otp`, { code: codeOf(stage, { secret }) })
      expect(later.status).to.equal(303)
    })

    it('does not start the count anew with every right password', async () => {
      const { person, secret } = await victim(stage, party)
      for (let round = 0; round < 12; round++) {
        const { visitor, base } = await halfLogin(stage, party, person)
        for (let guess = 0; guess < 4; guess++) {
          await visitor.post(`${base}/otp`, { code: wrongCode(stage, { secret }) })
        }
      }
      expect(await audited(stage, 'code.wrong', person)).to.equal(BUDGETS.code.free)
    })

    it('counts wrong codes of a step-up and of a login together', async () => {
      const { person, secret, recoveryCode } = await victim(stage, party)
      // A session without a second factor that counts for a level, from a browser without a device cookie.
      const { visitor, base, begun } = await halfLogin(stage, party, person)
      await visitor.post(`${base}/recovery`, { code: recoveryCode })
      await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
      await visitor.post(`${base}/set-up-again`, { answer: 'no' })
      expect((await visitor.follow(base)).url).to.include(party.redirectUri)
      expect(begun.state).to.be.a('string')
      const up = await visitor.follow((await party.begin({ acr_values: 'urn:sallyport:acr:2fa' })).url)
      expect(up.heading).to.equal('Confirm it’s you')
      for (let guess = 0; guess < 3; guess++) {
        await visitor.post(`/interaction/${uidOf(up.url)}/otp`, { code: wrongCode(stage, { secret }) })
      }
      const half = await halfLogin(stage, party, person)
      for (let guess = 0; guess < 3; guess++) {
        await half.visitor.post(`${half.base}/otp`, { code: wrongCode(stage, { secret }) })
      }
      expect(await audited(stage, 'code.wrong', person)).to.equal(BUDGETS.code.free)
    })

    it('ends an interaction after five wrong codes', async () => {
      const { person, secret, visitor } = await victim(stage, party)
      const known = visitor.clone()
      const begun = await party.begin({ prompt: 'login' })
      const { base } = await throughPassword(known, begun.url, person.email)
      const statuses: number[] = []
      for (let guess = 0; guess < 6; guess++) {
        stage.advance(2 * 60 * MINUTE)
        const answer = await known.post(`${base}/otp`, { code: wrongCode(stage, { secret }) })
        statuses.push(answer.status)
      }
      expect(statuses).to.deep.equal([400, 400, 400, 400, 400, 429])
    })
  })

  describe('L5 replaying a one-time code', () => {
    // A code is good for its step and the one after: whoever reads it over a shoulder has up to a minute.
    it('refuses a code at +1 s, +29 s and +31 s, and takes the next one', async () => {
      const { person, secret } = await victim(stage, party)
      // The middle of a step, so that the seconds below stay where they are meant to be.
      stage.advance(30_000 - (stage.now() % 30_000) + 500)
      const seen = codeOf(stage, { secret })
      const first = await halfLogin(stage, party, person)
      expect((await first.visitor.post(`${first.base}/otp`, { code: seen })).status).to.equal(303)
      for (const wait of [1_000, 28_000, 2_000]) {
        stage.advance(wait)
        const { visitor, base } = await halfLogin(stage, party, person)
        const replayed = await visitor.post(`${base}/otp`, { code: seen })
        expect(replayed.status, `${wait}`).to.equal(400)
        expect(replayed.body).to.include('used that code already')
      }
      const { visitor, base } = await halfLogin(stage, party, person)
      expect((await visitor.post(`${base}/otp`, { code: codeOf(stage, { secret }) })).status).to.equal(303)
    })

    it('cannot be used to wipe the count of wrong codes', async () => {
      const { person, secret } = await victim(stage, party)
      const seen = codeOf(stage, { secret })
      const first = await halfLogin(stage, party, person)
      await first.visitor.post(`${first.base}/otp`, { code: seen })
      for (let round = 0; round < 3; round++) {
        const { visitor, base } = await halfLogin(stage, party, person)
        for (const guess of [wrongCode(stage, { secret }), seen, wrongCode(stage, { secret }), seen]) {
          await visitor.post(`${base}/otp`, { code: guess })
        }
      }
      expect(await audited(stage, 'code.wrong', person)).to.be.at.most(BUDGETS.code.free)
    })
  })

  describe('L10 locking the owner out', () => {
    // A limit that a stranger can use up is a weapon against the owner.
    it('leaves a known device and a passkey their way in, when all tries of the account are burnt', async () => {
      const { person, secret, visitor } = await victim(stage, party)
      const authenticator = await givePasskey(stage, person)
      const attacker = await halfLogin(stage, party, person)
      for (let guess = 0; guess < 5; guess++) {
        await attacker.visitor.post(`${attacker.base}/otp`, { code: wrongCode(stage, { secret }) })
      }
      const stranger = await halfLogin(stage, party, person)
      const right = { code: codeOf(stage, { secret }) }
      expect((await stranger.visitor.post(`${stranger.base}/otp`, right)).status).to.equal(400)

      const owner = visitor.clone()
      const end = await logIn(stage, owner, (await party.begin({ prompt: 'login' })).url, person, {
        secret,
        recoveryCode: '',
      })
      expect(end).to.include(party.redirectUri)
      const response = JSON.stringify(authenticator.assert(challengeOf(stranger.page)))
      expect((await stranger.visitor.post(`${stranger.base}/passkey`, { response })).status).to.equal(303)
    })

    it('leaves the owner’s network its tries, and mails once an hour however many networks are blocked', async () => {
      const { person } = await victim(stage, party)
      for (const network of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) {
        for (let guess = 0; guess < 12; guess++) await tryPassword(person.email, `wrong ${guess}`, network)
      }
      expect(await audited(stage, 'password.wrong', person)).to.equal(3 * BUDGETS.password.free)
      expect((await tryPassword(person.email, PASSWORD, '192.0.2.1')).status).to.equal(400)
      expect((await tryPassword(person.email, PASSWORD, '203.0.113.9')).status).to.equal(303)

      const unblocks = async () => {
        const jobs = await rows(stage, 'SELECT summary FROM jobs WHERE summary = ?', [
          `unblock to ${person.email}`,
        ])
        return jobs.length
      }
      expect(await unblocks()).to.equal(1)
      stage.advance(61 * MINUTE)
      await tryPassword(person.email, PASSWORD, '192.0.2.3')
      expect(await unblocks()).to.equal(2)
      const mail = await stage.mail(
        each => each.subject !== undefined && each.text?.includes('/link/unblock/') === true,
      )
      const link = /http\S+\/link\/unblock\/\S+/.exec(mail.text ?? '')?.[0] ?? ''
      expect(link).to.include(`${stage.origin}/link/unblock/`)
    })

    it('unblocks by the button of the newest mail, not by opening its link', async () => {
      const { person } = await victim(stage, party)
      for (let guess = 0; guess < 10; guess++) await tryPassword(person.email, `wrong ${guess}`, '192.0.2.77')
      // The tenth wrong one is told of, not a try after it.
      const mail = await stage.mail(
        each =>
          each.text?.includes('/link/unblock/') === true && JSON.stringify(each.to).includes(person.email),
      )
      expect((await tryPassword(person.email, PASSWORD, '192.0.2.77')).status).to.equal(400)
      const link = /http\S+\/link\/unblock\/[\w-]+/.exec(mail.text ?? '')?.[0] ?? ''
      const scanner = createVisitor(stage.origin)
      expect((await scanner.get(link)).status).to.equal(200)
      expect((await tryPassword(person.email, PASSWORD, '192.0.2.77')).status).to.equal(400)
      expect((await scanner.post(link, {})).status).to.equal(200)
      expect((await tryPassword(person.email, PASSWORD, '192.0.2.77')).status).to.equal(303)
      expect((await scanner.post(link, {})).status).to.equal(404)
    })
  })

  describe('guessing the password of one account from many networks', () => {
    // A budget per network is no limit to somebody who rents a thousand of them (NIST SP 800-63B-4 section 3.2.2).
    const STOPPED = /Too many wrong passwords for this address, from many places/
    const NEW_PASSWORD = 'seven paper boats drift north'

    /** As if strangers had tried so often, each from another network. */
    async function guessed(who: string, times: number): Promise<void> {
      const { database } = stage.running.services
      for (let guess = 0; guess < times; guess++) {
        await database.commit([reserveAttempt('password-everywhere', everywhereSubject(who), stage.now())])
      }
    }
    const stops = (person: { email: string }) =>
      rows(stage, 'SELECT id FROM jobs WHERE summary = ?', [`passwords-stopped to ${person.email}`])

    it('ends with the hundredth in a row, is told, and leaves the owner every other way in', async () => {
      const { person, secret, visitor } = await victim(stage, party)
      const authenticator = await givePasskey(stage, person)
      await guessed(person.id, 98)
      expect((await tryPassword(person.email, 'wrong', '198.51.100.1')).body).not.to.match(STOPPED)
      expect(await stops(person)).to.deep.equal([])
      expect((await tryPassword(person.email, 'wrong', '198.51.100.2')).body).to.match(STOPPED)
      expect(await stops(person)).to.have.length(1)
      const right = await tryPassword(person.email, PASSWORD, '198.51.100.3')
      expect(right.status).to.equal(400)
      expect(right.body).to.match(STOPPED)
      stage.advance(2 * DAY)
      expect((await tryPassword(person.email, PASSWORD, '198.51.100.3')).body).to.match(STOPPED)

      // A passkey, from a network that nobody knows.
      const stranger = createVisitor(stage.origin)
      const start = await stranger.follow((await party.begin()).url)
      const response = JSON.stringify(authenticator.assert(challengeOf(start)))
      const base = `/interaction/${uidOf(start.url)}`
      expect((await stranger.post(`${base}/passkey`, { response }, from('198.51.100.4'))).status).to.equal(
        303,
      )
      // The browser in which the owner has logged in before; its right password ends the stop.
      const end = await logIn(stage, visitor, (await party.begin({ prompt: 'login' })).url, person, {
        secret,
        recoveryCode: '',
      })
      expect(end).to.include('code=')
      expect((await tryPassword(person.email, PASSWORD, '198.51.100.3')).status).to.equal(303)
    })

    it('ends for the owner with a new password', async () => {
      const { person } = await victim(stage, party)
      await guessed(person.id, 100)
      expect((await tryPassword(person.email, PASSWORD, '198.51.100.9')).body).to.match(STOPPED)
      const anybody = createVisitor(stage.origin)
      await anybody.post('/forgot-password', { email: person.email })
      const link = await mailed(stage, person, RESET_LINK)
      expect((await anybody.post(link, { password: NEW_PASSWORD })).status).to.equal(200)
      expect((await tryPassword(person.email, NEW_PASSWORD, '198.51.100.9')).status).to.equal(303)
    })

    it('does not draw on what a known device has left, nor lets a device guess on', async () => {
      const { person, visitor } = await victim(stage, party)
      const start = await visitor.follow((await party.begin({ prompt: 'login' })).url)
      const base = `/interaction/${uidOf(start.url)}`
      for (let guess = 0; guess < 12; guess++) await visitor.post(`${base}/password`, { password: 'wrong' })
      expect(await audited(stage, 'password.wrong', person)).to.equal(BUDGETS.password.free)
      const [row] = await rows(
        stage,
        "SELECT count(*) AS n FROM attempts WHERE budget = 'password-everywhere' AND account = ?",
        [person.id],
      )
      expect(Number(row?.n)).to.equal(0)
    })

    it('L11: says the same of an address that nobody has', async () => {
      const { person } = await victim(stage, party)
      const email = 'nobody-at-all@northgate.example'
      await guessed(person.id, 99)
      await guessed(digest(emailKey(email)), 99)
      for (const [index, password] of ['wrong', PASSWORD].entries()) {
        const known = await tryPassword(person.email, password, `198.51.101.${index}`)
        const unknown = await tryPassword(email, password, `198.51.102.${index}`)
        for (const each of [known, unknown]) expect(each.body).to.match(STOPPED)
        expect(unknown.status).to.equal(known.status)
      }
    })
  })

  describe('evading the budget of passwords', () => {
    // Addresses are cheap: a /64 belongs to one customer, and a forwarded header is what anybody writes.
    it('counts an IPv6 /64 as one, in any spelling, and takes only the nearest forwarded address', async () => {
      const { person } = await victim(stage, party)
      const addresses = [
        '2001:db8:0:1::1',
        '2001:db8:0:1::2',
        '2001:DB8:0000:0001:ffff::1',
        '203.0.113.1, 2001:db8:0:1:aaaa:bbbb:cccc:dddd',
        '198.51.100.7, 203.0.113.8, 2001:db8:0:1::9',
      ]
      for (let guess = 0; guess < 15; guess++) {
        await tryPassword(person.email, `wrong ${guess}`, addresses[guess % addresses.length] ?? '')
      }
      expect(await audited(stage, 'password.wrong', person)).to.equal(BUDGETS.password.free)
      expect((await tryPassword(person.email, PASSWORD, '2001:db8:0:1::abcd')).status).to.equal(400)
      expect((await tryPassword(person.email, PASSWORD, '2001:db8:0:2::1')).status).to.equal(303)
    })

    it('does not fall back to an address that the client made up, where the proxy wrote a port', async () => {
      const { person } = await victim(stage, party)
      for (let guess = 0; guess < 12; guess++) {
        await tryPassword(person.email, `wrong ${guess}`, `10.9.8.${guess}, 203.0.113.55:${4000 + guess}`)
      }
      expect(await audited(stage, 'password.wrong', person)).to.equal(BUDGETS.password.free)
    })

    it('gives a device cookie’s budget to its own account only, and none to a forged one', async () => {
      const attacker = await victim(stage, party)
      const { person } = await victim(stage, party)
      const device = [...attacker.visitor.cookies].find(([name]) => name.includes('device'))
      if (device === undefined) throw new Error('no device cookie')
      const forged = [
        device[1].value,
        `${device[1].value}A`,
        's1.AAAA',
        '[]',
        Buffer.from('[]').toString('base64url'),
      ]
      for (let guess = 0; guess < 15; guess++) {
        const visitor = createVisitor(stage.origin)
        visitor.cookies.set(device[0], { path: '/', value: forged[guess % forged.length] ?? '' })
        const start = await visitor.get((await party.begin()).url)
        const base = `/interaction/${uidOf(start.location ?? '')}`
        await visitor.post(`${base}/identify`, { email: person.email }, from('192.0.2.200'))
        await visitor.post(`${base}/password`, { password: `wrong ${guess}` }, from('192.0.2.200'))
      }
      expect(await audited(stage, 'password.wrong', person)).to.equal(BUDGETS.password.free)
    })

    it('reserves a try before it compares: 40 at once are no more than ten', async () => {
      const { person } = await victim(stage, party)
      await Promise.all(
        Array.from({ length: 40 }, (_, guess) => tryPassword(person.email, `wrong ${guess}`, '192.0.2.201')),
      )
      expect(await audited(stage, 'password.wrong', person)).to.be.at.most(BUDGETS.password.free)
    })
  })

  describe('L11 finding out who has an account', () => {
    async function addresses(): Promise<Record<string, string>> {
      const known = await victim(stage, party)
      const bare = await stage.person()
      const deactivated = await stage.person()
      const invited = await stage.person()
      const locked = await victim(stage, party)
      await change(stage, "UPDATE accounts SET status = 'deactivated' WHERE id = ?", [deactivated.id])
      await change(stage, "UPDATE accounts SET status = 'invited', password_hash = NULL WHERE id = ?", [
        invited.id,
      ])
      for (let guess = 0; guess < 5; guess++) {
        const { visitor, base } = await halfLogin(stage, party, locked.person)
        await visitor.post(`${base}/otp`, { code: wrongCode(stage, locked) })
      }
      return {
        unknown: 'nobody@northgate.example',
        known: known.person.email,
        'without a second factor': bare.email,
        deactivated: deactivated.email,
        invited: invited.email,
        locked: locked.person.email,
      }
    }

    /** What an attacker can compare: status, headers, cookies' names and paths, body; all that differs by chance cut. */
    function comparable(answer: Answer, email: string): string {
      const headers = [...answer.headers]
        .filter(([name]) => !['date', 'content-length', 'set-cookie'].includes(name))
        .map(([name, value]) => `${name}: ${value}`)
      const cookies = answer.headers.getSetCookie().map(each => each.replace(/=[^;]*/, '='))
      return [answer.status, ...headers, ...cookies, answer.body]
        .join('\n')
        .replaceAll(email, 'EMAIL')
        .replaceAll(encodeURIComponent(email), 'EMAIL')
        .replaceAll(/[\w-]{21,}/g, 'RANDOM')
        .replaceAll(/SP-\w{4}-\w{4}/g, 'REFERENCE')
    }

    /** The answer, and the kinds of the round trips that it took, in their order. */
    async function tripsOf<T>(work: () => Promise<T>): Promise<{ result: T; trips: string }> {
      const { result, statements } = await countWork(stage, work)
      return { result, trips: statements.map(each => each.split(':')[0]).join(' ') }
    }

    it('answers alike at every step, with the same database work, for any address', async () => {
      const seen = new Map<string, string[]>()
      for (const [kind, email] of Object.entries(await addresses())) {
        const visitor = createVisitor(stage.origin)
        const start = await visitor.get((await party.begin()).url)
        const base = `/interaction/${uidOf(start.location ?? '')}`
        await visitor.get(base)
        const steps: [string, () => Promise<Answer>][] = [
          ['identify', () => visitor.post(`${base}/identify`, { email, webauthn: 'platform' })],
          ['password page', () => visitor.get(base)],
          [
            'wrong password',
            () => visitor.post(`${base}/password`, { password: 'wrong', webauthn: 'platform' }),
          ],
          ['passkey page', () => visitor.get(`${base}?with=passkey`)],
          ['a step out of turn', () => visitor.post(`${base}/otp`, { code: '123456' })],
          ['forgotten password', () => visitor.post('/forgot-password', { email })],
        ]
        for (const [name, step] of steps) {
          const { result, trips } = await tripsOf(step)
          seen.set(name, [...(seen.get(name) ?? []), `${trips}\n${comparable(result, email)}`])
          expect(result.body, `${kind} ${name}`).not.to.match(/deactivat|invited|unknown user|no account/i)
        }
      }
      expect(seen.size).to.equal(6)
      for (const [name, answers] of seen) {
        for (const each of answers) expect(each, name).to.equal(answers[0])
      }
    })

    it('answers alike when the tries from a network are used up', async () => {
      const work: string[] = []
      const { unknown = '', known = '', deactivated = '' } = await addresses()
      for (const email of [`other-${unknown}`, known, deactivated]) {
        for (let guess = 0; guess < 10; guess++) await tryPassword(email, 'wrong', '192.0.2.150')
        for (let blocked = 0; blocked < 2; blocked++) {
          const { result, trips } = await tripsOf(() => tryPassword(email, 'wrong', '192.0.2.150'))
          work.push(`${blocked} ${trips}\n${comparable(result, email)}`)
        }
      }
      expect([...new Set(work)]).to.have.length(2)
    })
  })
})
