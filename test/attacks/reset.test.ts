// Attacks around a reset of the second factor, over HTTP, with the engine that the console and the command line order
// it by: what was had before must be worth nothing after, and whoever is the user gets in, by the ways that are left.

import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import * as client from 'openid-client'
import { orderReset } from '../../src/factors/reset.ts'
import { newId } from '../../src/store/ids.ts'
import { draftReset, readReset } from '../../src/store/recovery/second-factor-resets.ts'
import type { Authenticator } from '../support/authenticator.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { code } from '../support/one-time-codes.ts'
import { freePort, type Person, type Stage } from '../support/stage.ts'
import {
  createVisitor,
  type RelyingParty,
  relyingParty,
  textOf,
  uidOf,
  type Visitor,
} from '../support/visitor.ts'
import {
  audited,
  challengeOf,
  codeIn,
  codeOf,
  errorOf,
  givePasskey,
  halfLogin,
  MAILED_CODE,
  mailed,
  rows,
  victim,
} from './ground.ts'

const SET_UP = 'Set up two-factor authentication'

/** Why a token was not granted, or not taken. */
async function refusalOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
    return 'granted'
  } catch (error) {
    const { error: code, status } = error as { error?: string; status?: number }
    return code ?? status
  }
}

onEveryStage('attacks around a reset', open => {
  let stage: Stage
  let party: RelyingParty

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })

  /** Orders the reset of one user as the operator does, and waits until the server has done it. */
  async function reset(person: Person, removePasskeys = false): Promise<void> {
    const { database, clock } = stage.running.services
    const { id: accountId, organisationId } = person
    const order = { id: newId('rst'), organisationId, actorId: 'operator', reason: 'Lost', removePasskeys }
    await database.commit(draftReset(database.dialect, order, [accountId], clock()))
    await orderReset({ database }, order, [], clock())
    for (const end = Date.now() + 10_000; Date.now() < end; await sleep(10)) {
      const now = await readReset(database, organisationId, order.id, clock())
      if (now?.state !== 'finished') continue
      expect(now).to.include({ done: 1, skipped: 0 })
      return
    }
    throw new Error('the reset was not done')
  }

  /** Sets the authenticator of the page up, and follows to the app. @returns its key and where it leads */
  async function setUp(visitor: Visitor, base: string) {
    const page = await visitor.follow(base)
    expect(page.heading).to.equal(SET_UP)
    const secret = textOf(page.body, 'key').replaceAll(' ', '')
    await visitor.post(`${base}/set-up`, { code: code(secret, stage.now()) })
    const shown = await visitor.follow(base)
    const recoveryCode = textOf(shown.body, 'recovery')
    await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
    stage.advance(30_000)
    return { secret, recoveryCode, end: (await visitor.follow(base)).url }
  }

  /** Logs in by a passkey alone, from the email page. */
  async function byPasskey(authenticator: Authenticator) {
    const visitor = createVisitor(stage.origin)
    const page = await visitor.follow((await party.begin()).url)
    const base = `/interaction/${uidOf(page.url)}`
    const response = JSON.stringify(authenticator.assert(challengeOf(page)))
    expect((await visitor.post(`${base}/passkey`, { response })).status).to.equal(303)
    return { visitor, base, page: await visitor.follow(base) }
  }

  it('ends the session, and every token, code and half-done login that was minted before', async () => {
    const { person, visitor: owner, secret, recoveryCode } = await victim(stage, party)
    const offline = { scope: 'openid email offline_access', prompt: 'consent' }
    const consenting = await party.begin(offline)
    const page = await owner.follow(consenting.url)
    const answer = await owner.post(`/interaction/${uidOf(page.url)}/consent`, { answer: 'allow' })
    const tokens = await party.finish(consenting, (await owner.follow(answer.location ?? '')).url)
    const unused = await party.begin()
    const { url: withCode } = await owner.follow(unused.url)
    expect(codeIn(withCode)).to.be.a('string')
    const half = await halfLogin(stage, party, person)
    expect(half.page.heading).to.equal('Verify your identity')

    await reset(person)

    const silent = await owner.get((await party.begin({ prompt: 'none' })).url)
    expect(errorOf(silent.location)).to.equal('login_required')
    expect((await owner.follow('/account')).heading).to.equal('Log in')
    expect(await refusalOf(party.finish(unused, withCode))).to.equal('invalid_grant')
    expect(await refusalOf(client.refreshTokenGrant(party.config, tokens.refresh_token ?? ''))).to.equal(
      'invalid_grant',
    )
    expect(
      await refusalOf(client.fetchUserInfo(party.config, tokens.access_token, client.skipSubjectCheck)),
    ).to.be.oneOf(['invalid_token', 401])
    for (const [way, form] of [
      ['otp', { code: codeOf(stage, { secret }) }],
      ['recovery', { code: recoveryCode }],
    ] as const) {
      const late = await half.visitor.post(`${half.base}/${way}`, form)
      expect(late.status, way).to.be.within(400, 499)
    }
    expect((await half.visitor.follow(half.base)).url).not.to.include(party.redirectUri)
  })

  it('a request in flight at that moment brings no session back', async () => {
    for (const delay of [0, 1, 2, 4, 8, 16, 32]) {
      const { person, secret } = await victim(stage, party)
      const { visitor, base, begun } = await halfLogin(stage, party, person)
      await visitor.post(`${base}/otp`, { code: codeOf(stage, { secret }) })
      // All is proven: what is left is the answer that makes the session, and it is under way while the reset is.
      const late = sleep(delay).then(() => visitor.follow(base))
      await Promise.all([reset(person), late])
      // A row that was written at the very moment is of an older epoch: nobody finds it.
      for (const [table, alive] of [
        ['oidc_sessions', 'x.ended_at IS NULL'],
        ['oidc_artefacts', '1 = 1'],
      ]) {
        const left = await rows(
          stage,
          `SELECT 1 AS alive FROM ${table} x JOIN accounts a ON a.id = x.account_id AND a.epoch = x.epoch
           WHERE a.id = ? AND ${alive}`,
          [person.id],
        )
        expect(left, `${table} after ${delay} ms`).to.deep.equal([])
      }
      const { url } = await late
      if (codeIn(url) !== undefined)
        expect(await refusalOf(party.finish(begun, url))).to.equal('invalid_grant')
      const silent = await visitor.get((await party.begin({ prompt: 'none' })).url)
      expect(errorOf(silent.location)).to.equal('login_required')
    }
  })

  it('by password: the mailbox is proven, then the set-up page comes without Not now, in the day of grace too', async () => {
    for (const graceUntil of ['over', 'tomorrow'] as const) {
      const { person, secret: old, recoveryCode } = await victim(stage, party, { graceUntil })
      await reset(person)
      const told = await stage.mail(
        ({ to, subject }) =>
          JSON.stringify(to).includes(`"${person.email}"`) &&
          subject === 'Your two-factor authentication was reset',
      )
      expect(told.text).to.contain(person.email)
      const { visitor, base, page } = await halfLogin(stage, party, person)
      expect(page.heading, graceUntil).to.equal('Check your email')
      for (const [way, form] of [
        ['put-off', {}],
        ['set-up', { code: '123456' }],
        ['recovery', { code: recoveryCode }],
        ['otp', { code: codeOf(stage, { secret: old }) }],
      ] as const) {
        expect((await visitor.post(`${base}/${way}`, form)).status, way).to.equal(409)
      }
      const sent = await mailed(stage, person, MAILED_CODE)
      expect((await visitor.post(`${base}/mailed-code`, { code: sent })).status).to.equal(303)
      expect((await visitor.follow(base)).body).not.to.contain('Not now')
      expect((await visitor.post(`${base}/put-off`, {})).status).to.equal(409)
      const fresh = await setUp(visitor, base)
      expect(fresh.end).to.include(party.redirectUri)
      expect(await audited(stage, 'second_factor.reset', person)).to.equal(1)

      const again = await halfLogin(stage, party, person)
      expect(again.page.heading).to.equal('Verify your identity')
      for (const [way, form] of [
        ['otp', { code: codeOf(stage, { secret: old }) }],
        ['recovery', { code: recoveryCode }],
      ] as const) {
        expect((await again.visitor.post(`${again.base}/${way}`, form)).status, way).to.equal(400)
      }
      const right = { code: codeOf(stage, fresh) }
      expect((await again.visitor.post(`${again.base}/otp`, right)).status).to.equal(303)
      expect((await again.visitor.follow(again.base)).url).to.include(party.redirectUri)
    }
  })

  it('by passkey: no code is mailed, the set-up page comes, and afterwards the passkey alone is enough', async () => {
    const { person } = await victim(stage, party)
    const authenticator = await givePasskey(stage, person, { backupEligible: true })
    await reset(person)
    const first = await byPasskey(authenticator)
    expect(first.page.heading).to.equal(SET_UP)
    expect(first.page.body).not.to.contain('Not now')
    expect((await first.visitor.post(`${first.base}/put-off`, {})).status).to.equal(409)
    expect((await setUp(first.visitor, first.base)).end).to.include(party.redirectUri)
    expect(await audited(stage, 'mailed_code.sent', person)).to.equal(0)
    const second = await byPasskey(authenticator)
    expect(second.page.url).to.include(party.redirectUri)
  })

  it('by password with a passkey that stayed: the passkey is asked for, not guessed around', async () => {
    const { person } = await victim(stage, party)
    await givePasskey(stage, person)
    await reset(person)
    const { visitor, base, page } = await halfLogin(stage, party, person)
    expect(page.heading).not.to.equal(SET_UP)
    expect((await visitor.post(`${base}/set-up`, { code: '123456' })).status).to.equal(409)
    expect((await visitor.post(`${base}/cannot-use-passkey`, {})).status).to.equal(303)
    expect((await visitor.follow(base)).heading).to.equal('Check your email')
  })

  it('removed passkeys log nobody in', async () => {
    const { person } = await victim(stage, party)
    const authenticator = await givePasskey(stage, person)
    await reset(person, true)
    const visitor = createVisitor(stage.origin)
    const page = await visitor.follow((await party.begin()).url)
    const base = `/interaction/${uidOf(page.url)}`
    const response = JSON.stringify(authenticator.assert(challengeOf(page)))
    expect((await visitor.post(`${base}/passkey`, { response })).status).to.equal(400)
  })

  it('tells the apps within two seconds', async () => {
    const port = await freePort()
    let toldAt = 0
    const receiver = createServer((_, response) => {
      toldAt = Date.now()
      response.end()
    })
    await new Promise<void>(resolve => receiver.listen(port, 'localhost', resolve))
    try {
      const app = await relyingParty(stage, {
        metadata: { backchannel_logout_uri: `http://localhost:${port}/logout` },
      })
      const { person, visitor } = await victim(stage, party)
      const begun = await app.begin()
      await app.finish(begun, (await visitor.follow(begun.url)).url)
      const pressed = Date.now()
      await reset(person)
      while (toldAt === 0 && Date.now() - pressed < 5_000) await sleep(10)
      expect(toldAt - pressed).to.be.within(0, 2_000)
    } finally {
      receiver.closeAllConnections()
      receiver.close()
    }
  })
})
