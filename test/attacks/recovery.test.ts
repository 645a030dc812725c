// Attacks on the ways back in: the emailed link and the recovery code. Recovery is the door that everybody forgets to
// lock: it must open no more than what was lost, once, and for whoever reads the mailbox or holds the code.

import { expect } from 'chai'
import * as client from 'openid-client'
import { openStage, PASSWORD, type Stage } from '../support/stage.ts'
import {
  createVisitor,
  logIn,
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
  codeOf,
  errorOf,
  givePasskey,
  halfLogin,
  MINUTE,
  mailed,
  RESET_LINK,
  raw,
  rows,
  victim,
} from './ground.ts'

const NEW_PASSWORD = 'seven herons polish copper kettles'

describe('attacks on the recovery', function () {
  this.timeout(60_000)
  let stage: Stage
  let party: RelyingParty

  before(async () => {
    stage = await openStage()
    party = await relyingParty(stage)
  })
  after(() => stage.close())

  async function resetLink(person: { email: string }, seen: readonly string[] = []): Promise<string> {
    const answer = await createVisitor(stage.origin).post('/forgot-password', { email: person.email })
    expect(answer.status).to.equal(200)
    return mailed(stage, person, RESET_LINK, seen)
  }

  describe('R4 a reset password and the second factor', () => {
    // A reset by mail that logs in, or takes the second factor away, makes the mailbox the only factor.
    it('logs nobody in, leaves two-factor authentication on, and ends all sessions and tokens at once', async () => {
      const { person, secret, visitor: owner, recoveryCode } = await victim(stage, party)
      await givePasskey(stage, person)
      const begun = await party.begin({ scope: 'openid offline_access', prompt: 'consent' })
      let at = await owner.follow(begun.url)
      const allowed = await owner.post(`/interaction/${uidOf(at.url)}/consent`, { answer: 'allow' })
      at = await owner.follow(allowed.location ?? '')
      const tokens = await party.finish(begun, at.url)
      // Codes and interactions in flight.
      const inFlight = await party.begin()
      const unredeemed = (await owner.get(inFlight.url)).location ?? ''
      expect(unredeemed).to.include('code=')
      const thief = await halfLogin(stage, party, person)

      const link = await resetLink(person)
      const attacker = createVisitor(stage.origin)
      expect((await attacker.post(link, { password: NEW_PASSWORD })).status).to.equal(200)
      expect(
        [...attacker.cookies.keys()].filter(each => /session|interaction|device/.test(each)),
      ).to.deep.equal([])

      expect(errorOf((await owner.get((await party.begin({ prompt: 'none' })).url)).location)).to.equal(
        'login_required',
      )
      const refused = await client
        .refreshTokenGrant(party.config, tokens.refresh_token ?? '')
        .catch(error => error)
      expect(refused.error).to.equal('invalid_grant')
      const lateCode = await party.finish(inFlight, unredeemed).catch(error => error)
      expect(lateCode.error).to.equal('invalid_grant')
      const userinfo = await fetch(`${stage.origin}/me`, {
        headers: { authorization: `Bearer ${tokens.access_token}` },
      })
      expect(userinfo.status).to.equal(401)
      expect(
        (await thief.visitor.post(`${thief.base}/otp`, { code: codeOf(stage, { secret }) })).status,
      ).to.equal(400)

      const again = createVisitor(stage.origin)
      const { base, page } = await throughPassword(
        again,
        (await party.begin()).url,
        person.email,
        NEW_PASSWORD,
      )
      expect(page.heading).to.equal('Verify your identity')
      for (const way of ['set-up', 'mailed-code', 'put-off']) {
        expect((await again.post(`${base}/${way}`, {})).status, way).to.equal(409)
      }
      expect((await again.post(`${base}/recovery`, { code: recoveryCode })).status).to.equal(303)
      const old = await throughPassword(createVisitor(stage.origin), (await party.begin()).url, person.email)
      expect(old.page.heading).to.equal('Enter your password')
    })

    it('gives back no tries of codes', async () => {
      const { person, secret } = await victim(stage, party)
      const half = await halfLogin(stage, party, person)
      for (let guess = 0; guess < 5; guess++)
        await half.visitor.post(`${half.base}/otp`, { code: `00000${guess}` })
      const link = await resetLink(person)
      await createVisitor(stage.origin).post(link, { password: NEW_PASSWORD })
      const visitor = createVisitor(stage.origin)
      const { base } = await throughPassword(visitor, (await party.begin()).url, person.email, NEW_PASSWORD)
      const answer = await visitor.post(`${base}/otp`, { code: codeOf(stage, { secret }) })
      expect(answer.status).to.equal(400)
      expect(answer.body).to.match(/too many/i)
    })
  })

  describe('R6 poisoning the link in the mail', () => {
    it('writes the configured origin, whatever the request says about hosts', async () => {
      const person = await stage.person()
      const body = new URLSearchParams({ email: person.email }).toString()
      const { host } = new URL(stage.origin)
      const request = (line: string, headers: string[]) =>
        [
          `POST ${line} HTTP/1.1`,
          ...headers,
          'Sec-Fetch-Site: same-origin',
          'Content-Type: application/x-www-form-urlencoded',
          `Content-Length: ${body.length}`,
          'Connection: close',
          '',
          body,
        ].join('\r\n')
      const poisoned: [string, number][] = [
        [request('/forgot-password', ['Host: evil.example']), 421],
        [request('/forgot-password', [`Host: evil:x@${host}`]), 200],
        [request('/forgot-password', [`Host: ${host}.evil.example`]), 421],
        [request('/forgot-password', [`Host: ${host}`, 'X-Forwarded-Host: evil.example']), 200],
        [request('/forgot-password', [`Host: ${host}`, 'Forwarded: host=evil.example']), 200],
        [
          request('/forgot-password', [`Host: ${host}`, 'X-Forwarded-Proto: https', 'X-Forwarded-Port: 1']),
          200,
        ],
        [
          request('/forgot-password', [
            `Host: ${host}`,
            'X-Original-URL: //evil.example/',
            'X-Rewrite-URL: /x',
          ]),
          200,
        ],
        [request('http://evil.example/forgot-password', [`Host: ${host}`]), 200],
        [request('/forgot-password?back=//evil.example/aaaaaaaa', [`Host: ${host}`]), 200],
      ]
      for (const [text, status] of poisoned) {
        const answer = await raw(stage.origin, text)
        const said = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])
        expect(said, text.slice(0, 120)).to.equal(status)
        expect(answer.replace(/<[^>]*class="asked"[^>]*>.*?<|evil[\w.:@]*/g, ''), text).not.to.include(
          'evil.example',
        )
        expect(answer, text).not.to.match(/(href|action|src)="[^"]*evil/)
        expect(answer, text).not.to.match(/\r\nlocation:[^\r]*evil/i)
      }
      await mailed(stage, person, RESET_LINK)
      const mails = (await stage.mails()).filter(each => JSON.stringify(each.to).includes(person.email))
      for (const { text, html } of mails) {
        expect(`${text}${html}`).not.to.include('evil')
        expect(text).to.include(`${stage.origin}/link/password-reset/`)
      }
    })

    it('mails to the account’s own spelling, and to one address only', async () => {
      const person = await stage.person()
      for (const email of [
        `${person.email},evil@evil.example`,
        `${person.email}\nBcc: evil@evil.example`,
        `${person.email}%0aBcc:evil@evil.example`,
        `evil@evil.example ${person.email}`,
        `"${person.email}"@evil.example`,
        `<${person.email}>`,
      ]) {
        const answer = await createVisitor(stage.origin).post('/forgot-password', { email })
        expect(answer.status, email).to.equal(400)
      }
      await createVisitor(stage.origin).post('/forgot-password', { email: person.email.toUpperCase() })
      await mailed(stage, person, RESET_LINK)
      expect(
        (await stage.mails()).filter(each => JSON.stringify(each).includes('evil.example')),
      ).to.deep.equal([])
    })
  })

  describe('R7 old, used and late links', () => {
    it('is not used up by opening it, and only the newest one works', async () => {
      const person = await stage.person()
      const old = await resetLink(person)
      const link = await resetLink(person, [old])
      const visitor = createVisitor(stage.origin)
      for (const method of ['GET', 'HEAD', 'GET']) {
        const { status, headers } = await fetch(link, { method })
        expect(status, method).to.equal(200)
        expect(headers.get('referrer-policy')).to.equal('no-referrer')
        expect(headers.get('cache-control')).to.equal('no-store')
      }
      const page = (await visitor.get(link)).body
      expect(page.replaceAll(/<link rel="(icon|stylesheet)"[^>]*>/g, '')).not.to.match(
        /<(script|img|iframe|link)\b/,
      )
      for (const each of [old, `${link}x`, link.slice(0, -1), link.replace('password-reset', 'invitation')]) {
        expect((await visitor.post(each, { password: NEW_PASSWORD })).status, each.slice(-60)).to.equal(404)
      }
      // A password that is not good enough does not use it up either.
      expect((await visitor.post(link, { password: 'password1' })).status).to.equal(400)
      expect((await visitor.post(link, { password: NEW_PASSWORD })).status).to.equal(200)
      for (const each of [old, link]) {
        expect((await visitor.get(each)).status).to.equal(404)
        expect((await visitor.post(each, { password: PASSWORD })).status).to.equal(404)
      }
      expect(await audited(stage, 'password.set', person)).to.equal(1)
      // A link that was says the same as one that never was.
      const never = [
        `${stage.origin}/link/password-reset/${'A'.repeat(43)}`,
        `${stage.origin}/link/password-reset/%00`,
      ]
      const bodies = [link, ...never].map(async each => (await visitor.get(each)).body)
      expect(new Set(await Promise.all(bodies)).size).to.equal(1)
    })

    it('does not work after 30 minutes, after a reset in between, or for somebody deactivated', async () => {
      const person = await stage.person()
      const visitor = createVisitor(stage.origin)
      const late = await resetLink(person)
      stage.advance(30 * MINUTE + 1)
      expect((await visitor.post(late, { password: NEW_PASSWORD })).status).to.equal(404)
      const link = await resetLink(person, [late])
      await change(stage, "UPDATE accounts SET status = 'deactivated' WHERE id = ?", [person.id])
      expect((await visitor.post(link, { password: NEW_PASSWORD })).status).to.equal(404)
      const [{ status } = { status: '' }] = await rows(stage, 'SELECT status FROM accounts WHERE id = ?', [
        person.id,
      ])
      expect(status).to.equal('deactivated')
    })
  })

  describe('recovery codes', () => {
    async function recover(visitor: Visitor, base: string, recoveryCode: string): Promise<string> {
      await visitor.post(`${base}/recovery`, { code: recoveryCode })
      await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
      await visitor.post(`${base}/set-up-again`, { answer: 'no' })
      return (await visitor.follow(base)).url
    }

    it('does not take a code a second time, nor somebody else’s', async () => {
      const one = await victim(stage, party)
      const other = await victim(stage, party)
      const half = await halfLogin(stage, party, one.person)
      expect(
        (await half.visitor.post(`${half.base}/recovery`, { code: other.recoveryCode })).status,
      ).to.equal(400)
      expect((await half.visitor.post(`${half.base}/recovery`, { code: one.recoveryCode })).status).to.equal(
        303,
      )
      const again = await halfLogin(stage, party, one.person)
      expect(
        (await again.visitor.post(`${again.base}/recovery`, { code: one.recoveryCode })).status,
      ).to.equal(400)
    })

    it('opens the session that it was typed in, and no other', async () => {
      const { person, recoveryCode } = await victim(stage, party)
      const half = await halfLogin(stage, party, person)
      expect(await recover(half.visitor, half.base, recoveryCode)).to.include('code=')
      expect((await half.visitor.get((await party.begin({ prompt: 'none' })).url)).location).to.include(
        'code=',
      )
      const elsewhere = await halfLogin(stage, party, person)
      expect(elsewhere.page.heading).to.equal('Verify your identity')
    })

    it('does not skip the page that shows the new code', async () => {
      const { person, recoveryCode } = await victim(stage, party)
      const { visitor, base } = await halfLogin(stage, party, person)
      await visitor.post(`${base}/recovery`, { code: recoveryCode })
      expect((await visitor.post(`${base}/set-up-again`, { answer: 'no' })).status).to.equal(409)
      expect((await visitor.post(`${base}/recovery-code-saved`, {})).status).to.equal(400)
      expect((await visitor.post(`${base}/recovery-code-saved`, { saved: 'no' })).status).to.equal(400)
      expect((await visitor.follow(base)).heading).to.equal('Save your recovery code')
    })

    it('is not taken for saved in a tab whose code another tab has replaced: that tab shows the valid one', async () => {
      const person = await stage.person()
      const first = await halfLogin(stage, party, person)
      const secret = textOf(first.page.body, 'key').replaceAll(' ', '')
      await first.visitor.post(`${first.base}/set-up`, { code: codeOf(stage, { secret }) })
      const dead = textOf((await first.visitor.follow(first.base)).body, 'recovery')
      stage.advance(30_000)
      const second = await halfLogin(stage, party, person)
      await second.visitor.post(`${second.base}/otp`, { code: codeOf(stage, { secret }) })
      const other = textOf((await second.visitor.follow(second.base)).body, 'recovery')

      await first.visitor.post(`${first.base}/recovery-code-saved`, { saved: 'yes' })
      expect(await audited(stage, 'recovery_code.saved', person)).to.equal(0)
      const valid = textOf((await first.visitor.follow(first.base)).body, 'recovery')
      expect(new Set([dead, other, valid]).size).to.equal(3)
      await first.visitor.post(`${first.base}/recovery-code-saved`, { saved: 'yes' })
      expect((await first.visitor.follow(first.base)).url).to.include('code=')
      expect(await audited(stage, 'recovery_code.saved', person)).to.equal(1)
      for (const [shown, status] of [
        [dead, 400],
        [other, 400],
        [valid, 303],
      ] as const) {
        const login = await halfLogin(stage, party, person)
        expect((await login.visitor.post(`${login.base}/recovery`, { code: shown })).status).to.equal(status)
      }
    })

    it('counts for nothing in a login that starts from nothing', async () => {
      const { person, secret, recoveryCode } = await victim(stage, party)
      const { visitor, base } = await halfLogin(stage, party, person)
      await recover(visitor, base, recoveryCode)
      // Without the device cookie, the password is asked for first; with the session, everything is.
      const fresh = await visitor.follow((await party.begin({ prompt: 'login' })).url)
      expect(fresh.heading).to.equal('Enter your password')
      const next = `/interaction/${uidOf(fresh.url)}`
      await visitor.post(`${next}/password`, { password: PASSWORD })
      expect((await visitor.follow(next)).heading).to.equal('Verify your identity')
      expect((await visitor.post(`${next}/set-up-again`, { answer: 'yes' })).status).to.equal(409)
      const end = await logIn(stage, visitor, (await party.begin({ prompt: 'login' })).url, person, {
        secret,
        recoveryCode,
      })
      expect(end).to.include('code=')
    })
  })

  it('lets a change of the mailbox in the middle of a login not carry the old address along', async () => {
    // An account moved to another address keeps its id; its epoch moves, and what was begun before ends.
    const { person, secret } = await victim(stage, party)
    const { visitor, base } = await halfLogin(stage, party, person)
    await change(stage, 'UPDATE accounts SET email = ?, email_key = ?, epoch = epoch + 1 WHERE id = ?', [
      `moved-${person.email}`,
      `moved-${person.email}`,
      person.id,
    ])
    expect((await visitor.post(`${base}/otp`, { code: codeOf(stage, { secret }) })).status).to.equal(400)
    expect((await visitor.get(base)).status).to.equal(400)
  })
})
