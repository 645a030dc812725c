// Faults: the process dies between any two steps, or while it answers; keys change; clocks differ; too much comes at
// once; people go back, reload and click twice. After each: no half-enabled factor, no lost user, no unlocked door, and
// a way on.

import { expect } from 'chai'
import { decodeProtectedHeader } from 'jose'
import * as client from 'openid-client'
import { BUDGETS } from '../../src/factors/attempts.ts'
import { code } from '../support/one-time-codes.ts'
import { openStage, PASSWORD, type Person, type Stage } from '../support/stage.ts'
import {
  createVisitor,
  type RelyingParty,
  relyingParty,
  textOf,
  throughPassword,
  uidOf,
  type Visitor,
} from '../support/visitor.ts'
import {
  audited,
  change,
  codeIn,
  codeOf,
  errorOf,
  halfLogin,
  isErrorPage,
  MINUTE,
  mailed,
  RESET_LINK,
  rows,
  victim,
} from './ground.ts'
import { type Mortal, startMortal } from './mortal.ts'

const KEY = 'first-secret-key-of-the-tests-0123456789'
const NEW_KEY = 'second-secret-key-of-the-tests-9876543210'
const THIRD_KEY = 'third-secret-key-of-the-tests-5566778899001'
const NEW_PASSWORD = 'seven herons polish copper kettles'

describe('faults', function () {
  this.timeout(90_000)

  describe('kill -9', () => {
    let mortal: Mortal
    let stage: Stage
    let party: RelyingParty
    before(async () => {
      mortal = await startMortal(KEY)
      stage = mortal.stage
      party = await relyingParty(stage)
    })
    after(() => mortal.close())

    /** A used code would make every test wait for the next step; the clock of another process cannot be moved. */
    const freshStep = ({ id }: Person) =>
      change(stage, 'UPDATE authenticators SET last_step = 0 WHERE account_id = ?', [id])

    interface Half {
      person: Person
      visitor: Visitor
      base: string
      secret: string
    }

    async function atSetUp(): Promise<Half> {
      const person = await stage.person()
      const { visitor, base, page } = await halfLogin(stage, party, person)
      return { person, visitor, base, secret: textOf(page.body, 'key').replaceAll(' ', '') }
    }

    const confirm = ({ visitor, base, secret }: Half) =>
      visitor.post(`${base}/set-up`, { code: code(secret, Date.now()) })

    /** Whatever state the account is in, its owner gets in from the start, by what they have. */
    async function getsIn({ person, secret }: Half): Promise<void> {
      await freshStep(person)
      const { visitor, base, page } = await halfLogin(stage, party, person)
      let key = secret
      if (page.heading === 'Set up two-factor authentication') {
        key = textOf(page.body, 'key').replaceAll(' ', '')
        expect((await visitor.post(`${base}/set-up`, { code: code(key, Date.now()) })).status).to.equal(303)
      } else {
        expect(page.heading).to.equal('Verify your identity')
        expect((await visitor.post(`${base}/otp`, { code: code(key, Date.now()) })).status).to.equal(303)
      }
      let at = await visitor.follow(base)
      if (at.heading === 'Save your recovery code') {
        await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
        at = await visitor.follow(base)
      }
      expect(at.url, at.heading).to.include('code=')
    }

    const enrolled = async ({ id }: Person) =>
      (await rows(stage, 'SELECT account_id FROM authenticators WHERE account_id = ?', [id])).length === 1

    it('F1, F2, F4 between any two steps leaves every user a way on, and a way to start again', async () => {
      const shown = await atSetUp()
      const confirmed = await atSetUp()
      await confirm(confirmed)
      const codesShown = await atSetUp()
      await confirm(codesShown)
      const recoveryCode = textOf((await codesShown.visitor.follow(codesShown.base)).body, 'recovery')
      const ticked = await atSetUp()
      await confirm(ticked)
      await ticked.visitor.post(`${ticked.base}/recovery-code-saved`, { saved: 'yes' })
      const finished = await atSetUp()
      await confirm(finished)
      await finished.visitor.post(`${finished.base}/recovery-code-saved`, { saved: 'yes' })
      const resume = (await finished.visitor.get(finished.base)).location ?? ''
      // A recovery code was taken, and no session made yet.
      const lost = await victim(stage, party)
      const recovering = await halfLogin(stage, party, lost.person)
      await recovering.visitor.post(`${recovering.base}/recovery`, { code: lost.recoveryCode })
      // A link was mailed; and a password saved, while a session was open.
      const forgetful = await stage.person()
      await createVisitor(stage.origin).post('/forgot-password', { email: forgetful.email })
      const link = await mailed(stage, forgetful, RESET_LINK)
      const changed = await victim(stage, party)
      await createVisitor(stage.origin).post('/forgot-password', { email: changed.person.email })
      const used = await mailed(stage, changed.person, RESET_LINK)
      expect((await createVisitor(stage.origin).post(used, { password: NEW_PASSWORD })).status).to.equal(200)

      await mortal.kill()
      await mortal.start()

      expect(await enrolled(shown.person)).to.equal(false)
      // The key on the page is still the one that counts.
      expect((await confirm(shown)).status).to.equal(303)
      for (const half of [shown, confirmed, codesShown]) {
        expect(await enrolled(half.person)).to.equal(true)
        const page = await half.visitor.follow(half.base)
        expect(page.heading).to.equal('Save your recovery code')
      }
      const same = await codesShown.visitor.follow(codesShown.base)
      expect(textOf(same.body, 'recovery')).to.equal(recoveryCode)
      for (const half of [shown, confirmed, codesShown]) {
        await half.visitor.post(`${half.base}/recovery-code-saved`, { saved: 'yes' })
        expect(codeIn((await half.visitor.follow(half.base)).url)).to.be.a('string')
      }
      expect(codeIn((await ticked.visitor.follow(ticked.base)).url)).to.be.a('string')
      expect(codeIn((await finished.visitor.get(resume)).location)).to.be.a('string')
      for (const half of [shown, confirmed, codesShown, ticked, finished]) await getsIn(half)

      const again = await halfLogin(stage, party, lost.person)
      const spent = await again.visitor.post(`${again.base}/recovery`, { code: lost.recoveryCode })
      expect(spent.status).to.equal(400)
      expect((await recovering.visitor.follow(recovering.base)).heading).to.equal('Save your recovery code')
      await recovering.visitor.post(`${recovering.base}/recovery-code-saved`, { saved: 'yes' })
      await recovering.visitor.post(`${recovering.base}/set-up-again`, { answer: 'no' })
      expect(codeIn((await recovering.visitor.follow(recovering.base)).url)).to.be.a('string')

      expect((await createVisitor(stage.origin).post(link, { password: NEW_PASSWORD })).status).to.equal(200)
      expect((await createVisitor(stage.origin).post(used, { password: PASSWORD })).status).to.equal(404)
      const silent = await changed.visitor.get((await party.begin({ prompt: 'none' })).url)
      expect(errorOf(silent.location)).to.equal('login_required')
    })

    it('F1, F2, F4 while it answers leaves all of a step done, or nothing', async () => {
      for (const delay of [15]) {
        const setUps = [await atSetUp(), await atSetUp()]
        const recoverer = await victim(stage, party)
        const recovering = await halfLogin(stage, party, recoverer.person)
        const forgetful = await victim(stage, party)
        await createVisitor(stage.origin).post('/forgot-password', { email: forgetful.person.email })
        const link = await mailed(stage, forgetful.person, RESET_LINK)
        const coder = await victim(stage, party)
        await freshStep(coder.person)
        const coding = await halfLogin(stage, party, coder.person)

        const posts = [
          ...setUps.map(confirm),
          recovering.visitor.post(`${recovering.base}/recovery`, { code: recoverer.recoveryCode }),
          createVisitor(stage.origin).post(link, { password: NEW_PASSWORD }),
          coding.visitor.post(`${coding.base}/otp`, { code: code(coder.secret, Date.now()) }),
        ].map(each => each.then(({ status }) => status).catch(() => 0))
        await new Promise(resolve => setTimeout(resolve, delay))
        await mortal.kill()
        const told = await Promise.all(posts)
        await mortal.start()

        for (const [index, half] of setUps.entries()) {
          // Whoever was told yes has it; whoever was told nothing has all of it or none.
          if (told[index] === 303) expect(await enrolled(half.person)).to.equal(true)
          const codes = await rows(stage, 'SELECT hash FROM recovery_codes WHERE account_id = ?', [
            half.person.id,
          ])
          expect(codes.length === 1, 'a recovery code with the authenticator').to.equal(
            await enrolled(half.person),
          )
          await getsIn(half)
        }

        const used = await audited(stage, 'recovery_code.used', recoverer.person)
        const again = await halfLogin(stage, party, recoverer.person)
        const second = await again.visitor.post(`${again.base}/recovery`, { code: recoverer.recoveryCode })
        expect(second.status).to.equal(used === 1 ? 400 : 303)
        expect((await recovering.visitor.follow(recovering.base)).heading).to.equal(
          used === 1 ? 'Save your recovery code' : 'Verify your identity',
        )

        const reset = await audited(stage, 'password.set', forgetful.person)
        const right = reset === 1 ? NEW_PASSWORD : PASSWORD
        const wrong = reset === 1 ? PASSWORD : NEW_PASSWORD
        const start = async (password: string) =>
          (
            await throughPassword(
              createVisitor(stage.origin),
              (
                await party.begin()
              ).url,
              forgetful.person.email,
              password,
            )
          ).page.heading
        expect(await start(right)).to.equal('Verify your identity')
        expect(await start(wrong)).to.equal('Enter your password')
        const silent = await forgetful.visitor.get((await party.begin({ prompt: 'none' })).url)
        expect(errorOf(silent.location)).to.equal(reset === 1 ? 'login_required' : undefined)

        await getsIn({
          person: coder.person,
          visitor: coding.visitor,
          base: coding.base,
          secret: coder.secret,
        })
      }
    })

    it('F15: a new secret key leaves sessions, codes, tokens, hints, links and factors as good as before, and none may go', async () => {
      const owner = await victim(stage, party)
      const begun = await party.begin({ scope: 'openid offline_access', prompt: 'consent' })
      const page = await owner.visitor.follow(begun.url)
      const allowed = await owner.visitor.post(`/interaction/${uidOf(page.url)}/consent`, { answer: 'allow' })
      const tokens = await party.finish(begun, (await owner.visitor.follow(allowed.location ?? '')).url)
      const unredeemed = await party.begin()
      const callback = (await owner.visitor.get(unredeemed.url)).location ?? ''
      const half = await halfLogin(stage, party, owner.person)
      const pending = await atSetUp()
      await createVisitor(stage.origin).post('/forgot-password', { email: pending.person.email })
      const link = await mailed(stage, pending.person, RESET_LINK)
      await freshStep(owner.person)
      const kids = async () => {
        const { keys } = (await (await fetch(`${stage.origin}/jwks`)).json()) as { keys: { kid: string }[] }
        return keys.map(({ kid }) => kid).sort()
      }
      const before = await kids()

      await mortal.kill()
      expect(await mortal.start({ SALLYPORT_SECRET_KEYS: `${NEW_KEY},${KEY}` })).to.equal(undefined)

      expect(await kids()).to.deep.equal(before)
      expect(before).to.include(decodeProtectedHeader(tokens.id_token ?? '').kid)
      expect((await party.finish(unredeemed, callback)).access_token).to.be.a('string')
      const refreshed = await client.refreshTokenGrant(party.config, tokens.refresh_token ?? '')
      expect(refreshed.access_token).to.be.a('string')
      const hinted = await party.begin({ prompt: 'none', id_token_hint: tokens.id_token ?? '' })
      expect(codeIn((await owner.visitor.get(hinted.url)).location)).to.be.a('string')
      expect((await confirm(pending)).status).to.equal(303)
      expect((await createVisitor(stage.origin).get(link)).status).to.equal(200)
      const right = await half.visitor.post(`${half.base}/otp`, { code: code(owner.secret, Date.now()) })
      expect(right.status).to.equal(303)
      const lost = await halfLogin(stage, party, owner.person)
      const recovered = await lost.visitor.post(`${lost.base}/recovery`, { code: owner.recoveryCode })
      expect(recovered.status).to.equal(303)

      await mortal.kill()
      const said = mortal.output().length
      expect(await mortal.start({ SALLYPORT_SECRET_KEYS: NEW_KEY })).to.equal(2)
      expect(mortal.output().slice(said)).to.include('SALLYPORT_SECRET_KEYS does not open')
      expect(mortal.output().slice(said)).not.to.match(/\bat .+:\d+:\d+/)
      // Its seals are of users' factors alone: without it their right codes would be wrong ones.
      const ended = mortal.output().length
      expect(await mortal.start({ SALLYPORT_SECRET_KEYS: `${THIRD_KEY},${KEY}` })).to.equal(2)
      expect(mortal.output().slice(ended)).to.match(
        /^SALLYPORT_SECRET_KEYS does not open what was sealed by the key [0-9a-f]{16}, used since [\d-]{10}: .+$/m,
      )
      expect(await mortal.start({ SALLYPORT_SECRET_KEYS: `${NEW_KEY},${KEY}` })).to.equal(undefined)
    })
  })

  describe('clocks, crowds and habits', () => {
    let stage: Stage
    let party: RelyingParty
    before(async () => {
      stage = await openStage()
      party = await relyingParty(stage)
    })
    after(() => stage.close())

    it('F9 takes a phone that is a step behind, and tells one that is ahead; after the try was counted', async () => {
      const person = await victim(stage, party)
      stage.advance(2 * MINUTE)
      const { visitor, base } = await halfLogin(stage, party, person.person)
      const ahead = await visitor.post(`${base}/otp`, { code: codeOf(stage, person, 1) })
      expect(ahead.status).to.equal(400)
      expect(ahead.body).to.match(/clock may be ahead/)
      const far = await visitor.post(`${base}/otp`, { code: codeOf(stage, person, 3) })
      expect(far.body).not.to.match(/clock/)
      const late = await visitor.post(`${base}/otp`, { code: codeOf(stage, person, -3) })
      expect(late.status).to.equal(400)
      expect(await audited(stage, 'code.wrong', person.person)).to.equal(3)
      expect((await visitor.post(`${base}/otp`, { code: codeOf(stage, person, -1) })).status).to.equal(303)
    })

    it('F9 survives a clock that steps back by five minutes, for everybody', async () => {
      const before = await victim(stage, party)
      const other = await stage.person()
      stage.advance(-5 * MINUTE)
      const half = await halfLogin(stage, party, before.person)
      const early = await half.visitor.post(`${half.base}/otp`, { code: codeOf(stage, before) })
      expect(early.status).to.equal(400)
      expect((await before.visitor.get((await party.begin({ prompt: 'none' })).url)).location).to.include(
        'code=',
      )
      // A token never states a time that is yet to come.
      const begun = await party.begin()
      const tokens = await party.finish(begun, (await before.visitor.get(begun.url)).location ?? '')
      expect(tokens.claims()?.auth_time).to.be.at.most(Math.floor(stage.now() / 1000))
      const fresh = await halfLogin(stage, party, other)
      expect(fresh.page.heading).to.equal('Set up two-factor authentication')
      stage.advance(5 * MINUTE + 60_000)
      const right = await half.visitor.post(`${half.base}/otp`, { code: codeOf(stage, before) })
      expect(right.status).to.equal(303)
    })

    it('F16, F21 stays alive under a crowd of passwords, and counts no try that it did not compare', async () => {
      const person = await stage.person()
      const open = async (email: string) => {
        const visitor = createVisitor(stage.origin)
        const start = await visitor.get((await party.begin()).url)
        const base = `/interaction/${uidOf(start.location ?? '')}`
        await visitor.post(`${base}/identify`, { email })
        return () => visitor.post(`${base}/password`, { password: 'wrong' })
      }
      const crowd: (() => Promise<{ status: number }>)[] = []
      for (let each = 0; each < 120; each++) crowd.push(await open(`crowd${each}@northgate.example`))
      const tries = await Promise.all(Array.from({ length: 8 }, () => open(person.email)))
      const health = async () => {
        const started = performance.now()
        const { status } = await fetch(`${stage.origin}/health/live`)
        return { status, ms: performance.now() - started }
      }
      const [crowded, mine, alive] = await Promise.all([
        Promise.all(crowd.map(each => each())),
        Promise.all(tries.map(each => each())),
        health(),
      ])
      expect(alive.status).to.equal(200)
      const statuses = [...crowded, ...mine].map(({ status }) => status)
      expect(new Set(statuses)).to.deep.equal(new Set([400, 503]))
      expect(mine.filter(({ status }) => status === 503).length).to.be.above(0)
      for (const { status, headers, body, heading } of mine as Awaited<ReturnType<Visitor['post']>>[]) {
        if (status === 503)
          expect({ wait: headers.get('retry-after'), heading, body }).to.have.property('wait', '5')
      }
      for (let rest = 0; rest < 12; rest++) await (await open(person.email))()
      expect(await audited(stage, 'password.wrong', person)).to.equal(BUDGETS.password.free)
    })

    it('F16 forgets interactions and pushed requests that nobody finished', async () => {
      const { sweep } = await import('../../src/store/jobs/sweep.ts')
      for (let each = 0; each < 100; each++) {
        await createVisitor(stage.origin).get((await party.begin()).url)
        if (each % 4 === 0)
          await client.buildAuthorizationUrlWithPAR(
            party.config,
            new URL((await party.begin()).url).searchParams,
          )
      }
      const count = async () =>
        Number(
          (
            await rows(
              stage,
              "SELECT count(*) AS n FROM oidc_artefacts WHERE model IN ('Interaction', 'PushedAuthorizationRequest')",
            )
          )[0]?.n,
        )
      expect(await count()).to.be.at.least(125)
      await sweep(stage.running.services.database, stage.now() + 60 * MINUTE)
      expect(await count()).to.equal(0)
    })

    it('F17 says how to go on, where an interaction is unknown, or its cookie blocked', async () => {
      const { visitor, base } = await halfLogin(stage, party, await stage.person())
      const blocked = createVisitor(stage.origin)
      const pages = [
        await blocked.get(base),
        await blocked.post(`${base}/identify`, { email: 'a@northgate.example' }),
        await visitor.get('/interaction/gone'),
        await visitor.get('/auth/gone'),
        await blocked.get(`/auth/${uidOf(base)}`),
      ]
      expect(pages[0]?.heading).to.equal('This browser doesn’t keep our cookie')
      expect(pages[1]?.heading).to.equal('This browser doesn’t keep our cookie')
      expect(pages[2]?.heading).to.equal('This login has expired')
      expect((await blocked.get('/interaction/gone')).heading).to.equal('This login has expired')
      for (const page of pages) {
        expect(page.status).to.equal(400)
        expect(isErrorPage(page), page.body).to.equal(true)
        expect(page.body).to.match(/app|again/i)
      }
    })

    it('F18 does nothing twice: reload of a POST, double click, and the back button', async () => {
      const person = await stage.person()
      const { visitor, base, page } = await halfLogin(stage, party, person)
      const secret = textOf(page.body, 'key').replaceAll(' ', '')
      const setUp = () => visitor.post(`${base}/set-up`, { code: code(secret, stage.now()) })
      const clicked = await Promise.all([setUp(), setUp()])
      expect(clicked.map(each => each.status).filter(each => each === 303)).to.have.length(1)
      expect(clicked.every(each => each.status < 500)).to.equal(true)
      // The second of two clicks leads to the step that is due; what is out of turn is still refused.
      const due = `${stage.origin}${base}`
      expect((await setUp()).location).to.equal(due)
      expect((await visitor.post(`${base}/put-off`, {})).status).to.equal(409)
      expect(await audited(stage, 'authenticator.set_up', person)).to.equal(1)
      for (const form of ['set-up', 'identify', 'recovery-code-saved', 'consent']) {
        expect((await visitor.get(`${base}/${form}`)).location, 'a reload of a post').to.equal(due)
      }
      expect((await visitor.get(`${base}/nothing`)).status).to.equal(404)
      const shown = textOf((await visitor.follow(base)).body, 'recovery')
      expect(textOf((await visitor.follow(base)).body, 'recovery')).to.equal(shown)
      // Back to the set-up page: the page that is due comes instead.
      expect((await visitor.get(`${base}?with=set-up`)).heading).to.equal('Save your recovery code')
      await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
      const again = await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
      expect(again.location).to.equal(due)
      expect(await audited(stage, 'recovery_code.saved', person)).to.equal(1)
      expect(codeIn((await visitor.follow(base)).url)).to.be.a('string')
      expect((await visitor.get(base)).status).to.equal(400)
      const late = await visitor.get(`/auth/${uidOf(base)}`)
      expect(late.status).to.equal(400)
      expect(late.body).to.match(/Back to Party \d+/)
      const mails = await rows(stage, 'SELECT id FROM jobs WHERE summary = ?', [
        `authenticator-set-up to ${person.email}`,
      ])
      expect(mails).to.have.length(1)
      expect(await audited(stage, 'login', person)).to.equal(1)
    })

    it('F18 mails one code, where the page that sends it is opened several times at once', async () => {
      const { person } = await victim(stage, party)
      await change(
        stage,
        'UPDATE accounts SET epoch = epoch + 1, second_factor_reset_at = CAST(? AS bigint) WHERE id = ?',
        [stage.now(), person.id],
      )
      const visitor = createVisitor(stage.origin)
      const start = await visitor.get((await party.begin()).url)
      const base = `/interaction/${uidOf(start.location ?? '')}`
      await visitor.post(`${base}/identify`, { email: person.email })
      await visitor.post(`${base}/password`, { password: PASSWORD })
      await Promise.all([visitor.get(base), visitor.get(base), visitor.get(base)])
      await visitor.get(base)
      const mails = await rows(stage, 'SELECT id FROM jobs WHERE summary = ?', [`code to ${person.email}`])
      expect(mails).to.have.length(1)
    })
  })
})
