// Law 4 under fire, on both databases: whatever may happen once is asked for many times at once, in different
// requests, as two replicas would. A check that reads first and writes later lets several through.

import { expect } from 'chai'
import * as client from 'openid-client'
import { onEveryStage } from '../support/every-stage.ts'
import { code } from '../support/one-time-codes.ts'
import type { Stage } from '../support/stage.ts'
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
  change,
  codeIn,
  codeOf,
  givePasskey,
  halfLogin,
  MAILED_CODE,
  mailed,
  RESET_LINK,
  rows,
  victim,
} from './ground.ts'

const NEW_PASSWORD = 'seven herons polish copper kettles'

onEveryStage('attacks by many requests at once', open => {
  let stage: Stage
  let party: RelyingParty

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })

  const times = <T>(many: number, work: (index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: many }, (_, index) => work(index)))

  /** Browsers on the page after the password, one interaction each. */
  const halfLogins = (many: number, person: { email: string }) =>
    times(many, () => halfLogin(stage, party, person))

  /** Who was led on, of `among` interactions that posted in turn: a second post of what was done leads on, too. */
  const ledOn = (answers: readonly { status: number }[], among: number) => [
    ...new Set(answers.flatMap(({ status }, index) => (status === 303 ? [index % among] : []))),
  ]

  it('R1 spends a recovery code once, in 50 requests of five interactions', async () => {
    const { person, recoveryCode } = await victim(stage, party)
    const halves = await halfLogins(5, person)
    const answers = await times(50, index => {
      const half = halves[index % 5]
      if (half === undefined) throw new Error('no interaction')
      return half.visitor.post(`${half.base}/recovery`, { code: recoveryCode })
    })
    expect(ledOn(answers, 5)).to.have.length(1)
    expect(answers.filter(each => each.status >= 500)).to.deep.equal([])
    expect(await audited(stage, 'recovery_code.used', person)).to.equal(1)
    const pages = await Promise.all(halves.map(({ visitor, base }) => visitor.follow(base)))
    expect(pages.filter(each => each.heading === 'Save your recovery code')).to.have.length(1)
    const mails = await rows(stage, 'SELECT id FROM jobs WHERE summary = ?', [
      `recovery-code-used to ${person.email}`,
    ])
    expect(mails).to.have.length(1)
  })

  it('L5 takes a one-time code once, in 50 requests of ten interactions', async () => {
    const { person, secret } = await victim(stage, party)
    const halves = await halfLogins(10, person)
    const right = { code: codeOf(stage, { secret }) }
    const answers = await times(50, index => {
      const half = halves[index % 10]
      if (half === undefined) throw new Error('no interaction')
      return half.visitor.post(`${half.base}/otp`, right)
    })
    expect(ledOn(answers, 10)).to.have.length(1)
    expect(answers.filter(each => each.status >= 500)).to.deep.equal([])
    const ends = await Promise.all(halves.map(({ visitor, base }) => visitor.follow(base)))
    expect(ends.filter(each => codeIn(each.url) !== undefined)).to.have.length(1)
  })

  it('P2 takes a passkey’s answer once, in 50 requests', async () => {
    const { person } = await victim(stage, party)
    const authenticator = await givePasskey(stage, person)
    const { visitor, base, page } = await halfLogin(stage, party, person)
    const response = JSON.stringify(authenticator.assert(challengeOf(page)))
    const answers = await times(50, () => visitor.post(`${base}/passkey`, { response }))
    expect(answers.filter(each => each.status >= 500)).to.deep.equal([])
    const [{ counter } = { counter: 0 }] = await rows(
      stage,
      'SELECT counter FROM passkeys WHERE account_id = ?',
      [person.id],
    )
    // One for the registration, one for the login.
    expect(Number(counter)).to.equal(2)
    expect(ledOn(answers, 1)).to.have.length(1)
  })

  it('takes a mailed code once, in 50 requests', async () => {
    const { person } = await victim(stage, party)
    await change(
      stage,
      'UPDATE accounts SET epoch = epoch + 1, second_factor_reset_at = CAST(? AS bigint) WHERE id = ?',
      [stage.now(), person.id],
    )
    const { visitor, base } = await halfLogin(stage, party, person)
    const proof = await mailed(stage, person, MAILED_CODE)
    const answers = await times(50, () => visitor.post(`${base}/mailed-code`, { code: proof }))
    expect(ledOn(answers, 1)).to.have.length(1)
    expect(answers.filter(each => each.status >= 500)).to.deep.equal([])
    expect(await audited(stage, 'mailbox.proven', person)).to.equal(1)
  })

  it('takes a link from the mail once, in 20 requests, and one of two links that were asked for at once', async () => {
    const person = await stage.person()
    await times(4, () => createVisitor(stage.origin).post('/forgot-password', { email: person.email }))
    const links: string[] = []
    for (let mail = 0; mail < 4; mail++) links.push(await mailed(stage, person, RESET_LINK, links))
    const answers = await times(20, index =>
      createVisitor(stage.origin).post(links[index % links.length] ?? '', { password: NEW_PASSWORD }),
    )
    expect(answers.filter(each => each.status === 200)).to.have.length(1)
    expect(answers.map(each => each.status).filter(each => each >= 500 && each !== 503)).to.deep.equal([])
    expect(await audited(stage, 'password.set', person)).to.equal(1)
  })

  it('turns one authenticator on, when two tabs confirm their keys at once', async () => {
    for (let round = 0; round < 4; round++) {
      const person = await stage.person()
      const halves = await halfLogins(2, person)
      const keys = halves.map(({ page }) => textOf(page.body, 'key').replaceAll(' ', ''))
      const answers = await times(2, async index => {
        const half = halves[index]
        if (half === undefined) throw new Error('no interaction')
        return half.visitor.post(`${half.base}/set-up`, { code: code(keys[index] ?? '', stage.now()) })
      })
      expect(answers.filter(each => each.status >= 500)).to.deep.equal([])
      expect(answers.filter(each => each.status === 303)).to.have.length(1)
      // The one who was told yes is the one whose key it is.
      const winner = answers.findIndex(each => each.status === 303)
      stage.advance(30_000)
      const login = await halfLogin(stage, party, person)
      const right = await login.visitor.post(`${login.base}/otp`, {
        code: code(keys[winner] ?? '', stage.now()),
      })
      expect(right.status).to.equal(303)
    }
  })

  describe('S7 codes and refresh tokens', () => {
    async function consented(visitor: Visitor) {
      const begun = await party.begin({ scope: 'openid offline_access', prompt: 'consent' })
      const consent = await visitor.follow(begun.url)
      const allowed = await visitor.post(`/interaction/${uidOf(consent.url)}/consent`, { answer: 'allow' })
      return { begun, callback: (await visitor.follow(allowed.location ?? '')).url }
    }

    const alive = async (token: string) =>
      (await fetch(`${stage.origin}/me`, { headers: { authorization: `Bearer ${token}` } })).status === 200

    it('redeems a code once, in 20 requests, and a later replay ends what it brought', async () => {
      const { visitor } = await victim(stage, party)
      const { begun, callback } = await consented(visitor)
      const answers = await times(20, () => party.finish(begun, callback).catch(error => error))
      const won = answers.filter(each => each.access_token !== undefined)
      expect(won).to.have.length(1)
      const errors = answers.filter(each => !won.includes(each)).map(each => each.error)
      expect(new Set(errors)).to.deep.equal(new Set(['invalid_grant']))
      await party.finish(begun, callback).catch(error => error)
      expect(await alive(won[0].access_token)).to.equal(false)
    })

    it('turns a refresh token once, in 20 requests, and a later replay ends the family', async () => {
      const { visitor } = await victim(stage, party)
      const { begun, callback } = await consented(visitor)
      const tokens = await party.finish(begun, callback)
      expect(await alive(tokens.access_token)).to.equal(true)
      const refresh = (token = '') => client.refreshTokenGrant(party.config, token).catch(error => error)
      const answers = await times(20, () => refresh(tokens.refresh_token))
      const won = answers.filter(each => each.access_token !== undefined)
      expect(won).to.have.length(1)
      const errors = answers.filter(each => !won.includes(each)).map(each => each.error)
      expect(new Set(errors)).to.deep.equal(new Set(['invalid_grant']))
      expect((await refresh(tokens.refresh_token)).error).to.equal('invalid_grant')
      expect((await refresh(won[0].refresh_token)).error).to.equal('invalid_grant')
      expect(await alive(won[0].access_token)).to.equal(false)
    })
  })

  it('never lets the password of one address count for another that is named at the same time', async () => {
    const attacker = await victim(stage, party)
    const target = await stage.person({ graceUntil: 'tomorrow', password: 'seven brass kettles hum at dusk' })
    for (let round = 0; round < 6; round++) {
      const visitor = createVisitor(stage.origin)
      const start = await visitor.get((await party.begin()).url)
      const base = `/interaction/${uidOf(start.location ?? '')}`
      await visitor.post(`${base}/identify`, { email: attacker.person.email })
      await Promise.all([
        visitor.post(`${base}/password`, { password: 'quiet otters borrow nine lanterns' }),
        visitor.post(`${base}/identify`, { email: target.email }),
        visitor.post(`${base}/identify`, { email: target.email }),
      ])
      const page = await visitor.follow(base)
      expect(page.url).not.to.include('code=')
      // Either the attacker's own next page, or the target's password page.
      if (page.heading === 'Enter your password') {
        expect((await visitor.post(`${base}/put-off`, {})).status).to.equal(409)
      } else expect(page.heading).to.equal('Verify your identity')
    }
    expect(await audited(stage, 'login', target)).to.equal(0)
  })

  it('uses a pushed request once, in ten requests', async () => {
    const { visitor } = await victim(stage, party)
    const parameters = new URLSearchParams(new URL((await party.begin()).url).searchParams)
    const pushed = await client.buildAuthorizationUrlWithPAR(party.config, parameters)
    const answers = await times(10, () => visitor.get(pushed.href))
    expect(answers.filter(each => each.status >= 500)).to.deep.equal([])
    expect(answers.filter(each => codeIn(each.location) !== undefined)).to.have.length(1)
  })

  it('finishes an interaction once, when it is resumed ten times at once', async () => {
    const { person, secret } = await victim(stage, party)
    const { visitor, base } = await halfLogin(stage, party, person)
    await visitor.post(`${base}/otp`, { code: codeOf(stage, { secret }) })
    const finished = await visitor.get(base)
    const logins = await audited(stage, 'login', person)
    const answers = await times(10, () => visitor.clone().get(finished.location ?? ''))
    expect(answers.filter(each => each.status >= 500)).to.deep.equal([])
    expect(answers.filter(each => codeIn(each.location) !== undefined)).to.have.length(1)
    // The others learn that it is over: those that came second by the row, those that came late by its absence.
    const others = answers.filter(each => codeIn(each.location) === undefined)
    for (const each of others) {
      expect([400, 409]).to.include(each.status)
      expect(each.heading).to.be.oneOf(['This login is over', 'This login has expired'])
      expect(each.headers.getSetCookie().join()).not.to.include('session=')
    }
    expect(await audited(stage, 'login', person)).to.equal(logins + 1)
    const replay = await visitor.get(finished.location ?? '')
    expect(replay.status).to.equal(400)
    expect(codeIn(replay.location)).to.equal(undefined)
  })
})
