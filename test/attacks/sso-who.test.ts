// Attacks on who somebody is: known at some identity provider, or with one of their own, they want to be somebody else
// here.

import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import * as client from 'openid-client'
import { lockAccount } from '../../src/store/accounts/account-lock.ts'
import { orderEmailChange } from '../../src/store/accounts/email-changes.ts'
import { newId } from '../../src/store/ids.ts'
import { assignDomain, insertDomain, proveDomain } from '../../src/store/sso/domains.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { createVisitor, type RelyingParty, relyingParty, uidOf, visibleText } from '../support/visitor.ts'
import { audited, challengeOf, change, DAY, givePasskey, mailed, RESET_LINK, rows } from './ground.ts'
import { isIn, linked, member, type Sent, send, ssoActs, through } from './sso-ground.ts'

onEveryStage('attacks on single sign-on', open => {
  let stage: Stage
  let party: RelyingParty
  const { about, byPassword, close, fresh, liar, linkedUser, localUser, otp, setUp, start, whoIs } = ssoActs(
    () => ({ stage, party }),
  )

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })
  after(close)

  describe('X1 an address that is not verified', () => {
    const forms = {
      missing: undefined,
      false: false,
      '"true"': 'true',
      '"false"': 'false',
      '1': 1,
      null: null,
    }
    it('links nobody, in whatever form it is said', async () => {
      const heron = await liar()
      const { person } = await localUser(heron)
      for (const [form, value] of Object.entries(forms)) {
        const visitor = fresh()
        heron.says(about(person, { email_verified: value }))
        const page = await through(heron, visitor, await start(), person.email)
        expect(page.heading, form).to.equal('Enter your password')
        expect(visibleText(page)).to.include('Heron ID didn’t say that this mailbox is yours')
        expect(await linked(stage, heron), form).to.deep.equal([])
        expect(await whoIs(visitor), form).to.equal(undefined)
      }
    })

    it('makes no account, and takes none that nobody has proven', async () => {
      const heron = await liar({ connection: { createsUsers: true } })
      const unproven = await member(stage, heron, 'eve', { mailbox: false })
      for (const email of [unproven.email, heron.email('new')]) {
        heron.says(about({ email }, { email_verified: 'true' }))
        const page = await through(heron, fresh(), await start(), email)
        expect(visibleText(page)).to.include('There is no account here for who you are')
      }
      expect(await linked(stage, heron)).to.deep.equal([])
      expect(await rows(stage, 'SELECT id FROM accounts WHERE email_key = ?', [heron.email('new')])).to.be
        .empty
    })

    it('links once its user has logged in by all that is due here, and not by a password alone', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      heron.says(about(user.person, { email_verified: false }))
      const visitor = fresh()
      const { base } = await through(heron, visitor, await start(), user.person.email)
      await visitor.post(`${base}/password`, { password: 'wrong walrus under the wardrobe' })
      expect((await visitor.follow(base)).heading).to.equal('Enter your password')
      const half = await byPassword(visitor, base)
      expect(half.heading).to.equal('Verify your identity')
      expect(await linked(stage, heron), 'by a password alone').to.deep.equal([])
      expect(await whoIs(visitor)).to.equal(undefined)
      await otp(visitor, base, user)
      expect(isIn(await visitor.follow(base))).to.equal(true)
      expect(await linked(stage, heron)).to.deep.equal([user.person.id])
      expect(await audited(stage, 'sso.linked', user.person)).to.equal(1)

      const next = await through(heron, fresh(), await start(), user.person.email)
      expect(isIn(next), 'the address plays no part any more').to.equal(true)
      expect(await audited(stage, 'sso.linked', user.person)).to.equal(1)
    })

    it('links no other account than the one that was said, whoever logs in', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      const other = await localUser(heron, 'eve')
      heron.says(about(user.person, { email_verified: false }))
      const visitor = fresh()
      const { base } = await through(heron, visitor, await start(), user.person.email)
      await visitor.post(`${base}/identify`, { email: other.person.email, webauthn: 'none' })
      expect((await byPassword(visitor, base)).heading).to.equal('Verify your identity')
      await otp(visitor, base, other)
      expect(isIn(await visitor.follow(base))).to.equal(true)

      const passkey = await givePasskey(stage, other.person)
      const second = fresh()
      const proving = await through(heron, second, await start(), user.person.email)
      const page = await second.get(`${proving.base}?with=passkey`)
      const response = JSON.stringify(passkey.assert(challengeOf(page)))
      expect((await second.post(`${proving.base}/passkey`, { response })).status).to.equal(303)
      expect(isIn(await second.follow(proving.base))).to.equal(true)
      expect(await whoIs(second)).to.equal(other.person.id)
      expect(await linked(stage, heron)).to.deep.equal([])
    })

    it('is linked once, when two prove it at the same time', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      const proving: Sent[] = []
      for (const sub of ['first', 'second']) {
        const visitor = fresh()
        heron.says(about(user.person, { sub, email_verified: false }))
        const sent = await through(heron, visitor, await start(), user.person.email)
        await byPassword(visitor, sent.base)
        await otp(visitor, sent.base, user)
        proving.push(sent)
      }
      const ends = await Promise.all(proving.map(({ visitor, base }) => visitor.follow(base)))
      expect(ends.filter(isIn)).to.have.length(1)
      expect(await linked(stage, heron)).to.deep.equal([user.person.id])
    })

    it('X8 is not linked by a connection that was switched off before it was proven', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      heron.says(about(user.person, { email_verified: false }))
      const visitor = fresh()
      const { base } = await through(heron, visitor, await start(), user.person.email)
      await byPassword(visitor, base)
      await change(stage, "UPDATE sso_connections SET status = 'off' WHERE id = ?", [heron.connectionId])
      await otp(visitor, base, user)
      await visitor.follow(base)
      expect(await linked(stage, heron)).to.deep.equal([])
    })
  })

  describe('X2 an account that somebody made with another’s address', () => {
    it('is its owner’s alone after their first login by single sign-on', async () => {
      const heron = await liar()
      const person = await member(stage, heron, 'dana', { mailbox: false })
      const offline = { scope: 'openid offline_access', prompt: 'consent' }
      const attacker = fresh()
      const begun = await party.begin(offline)
      const { base } = await send(attacker, begun.url, person.email)
      await setUp(attacker, base, (await byPassword(attacker, base)).body)
      const consent = await attacker.follow(base)
      const { location = '' } = await attacker.post(`/interaction/${uidOf(consent.url)}/consent`, {
        answer: 'allow',
      })
      const tokens = await party.finish(begun, (await attacker.follow(location)).url)
      expect(tokens.refresh_token).to.be.a('string')
      const passkey = await givePasskey(stage, person)
      await createVisitor(stage.origin).post('/forgot-password', { email: person.email })
      const reset = await mailed(stage, person, RESET_LINK)
      const moving = randomBytes(32).toString('base64url')
      await heron.commit(
        ...orderEmailChange(
          { ...person, epoch: 0 },
          { id: newId('chg'), to: 'thief@evil.example', token: moving, sessionUid: 'theirs' },
          stage.now(),
        ),
      )
      const waiting = fresh()
      const half = await send(waiting, await start(), person.email)
      expect((await byPassword(waiting, half.base)).heading).to.equal('Verify your identity')

      heron.says(about(person))
      const owner = fresh()
      expect(isIn(await through(heron, owner, await start(), person.email))).to.equal(true)
      expect(await whoIs(owner)).to.equal(person.id)

      const left = await rows(
        stage,
        `SELECT (SELECT count(*) FROM passkeys p WHERE p.account_id = a.id) AS passkeys,
           (SELECT count(*) FROM authenticators u WHERE u.account_id = a.id) AS authenticators,
           (SELECT count(*) FROM recovery_codes r WHERE r.account_id = a.id) AS recovery_codes,
           (SELECT count(*) FROM emailed_tokens t WHERE t.account_id = a.id AND t.used_at IS NULL) AS links,
           password_hash FROM accounts a WHERE a.id = ?`,
        [person.id],
      )
      expect(left.map(each => Object.values(each).map(value => Number(value)))).to.deep.equal([
        [0, 0, 0, 0, 0],
      ])
      expect(await whoIs(attacker), 'a session').to.equal(undefined)
      const refreshed = await client
        .refreshTokenGrant(party.config, tokens.refresh_token ?? '')
        .catch((error: unknown) => error)
      expect(refreshed, 'a refresh token').to.have.property('error', 'invalid_grant')
      expect((await waiting.follow(half.base)).heading, 'a login half way').not.to.match(/Verify|Set up/)
      for (const link of [reset, `/link/email/${moving}`]) {
        expect(
          (await fresh().post(link, { password: 'seven herons polish copper kettles' })).status,
          link,
        ).to.be.within(400, 499)
      }
      const late = fresh()
      const page = await send(late, await start(), person.email)
      const login = await late.get(`${page.base}?with=passkey`)
      const response = JSON.stringify(passkey.assert(challengeOf(login)))
      expect((await late.post(`${page.base}/passkey`, { response })).status, 'a passkey').to.equal(400)
      expect((await byPassword(late, page.base)).heading, 'a password').to.equal('Enter your password')
      expect(await rows(stage, 'SELECT id FROM accounts WHERE email_key = ?', ['thief@evil.example'])).to.be
        .empty
    })
  })

  describe('an organisation that claims another’s people', () => {
    it('gets none of them: not by their address, not by a new account, not by a domain that it says is its own', async () => {
      const heron = await liar()
      const thief = await liar({ connection: { twoFactor: { acr: [], amr: ['mfa'] }, createsUsers: true } })
      const dana = await member(stage, heron, 'dana')
      const ids = { id: newId('dom'), organisationId: thief.organisationId }
      const { domain } = heron
      await thief.commit(insertDomain({ ...ids, domain, token: 'x' }, stage.now()))
      for (const write of [proveDomain(ids), assignDomain(ids, thief.connectionId, true)]) {
        const refused = await thief.commit(write).catch((error: unknown) => error)
        expect(refused).to.have.property('refusal')
      }
      for (const email of [
        dana.email,
        heron.email('new'),
        `dana@sub.${domain}`,
        `dana@${domain}.evil.example`,
      ]) {
        thief.says(about({ email }))
        const visitor = fresh()
        const page = await through(thief, visitor, await start(), thief.email('mallory'))
        expect(visibleText(page), email).to.include('whose domain isn’t your organisation’s')
        expect(await whoIs(visitor)).to.equal(undefined)
      }
      expect(await linked(stage, thief)).to.deep.equal([])
      const sent = await send(fresh(), await start(), dana.email)
      expect(sent.away, 'whose addresses go home').to.include(heron.upstream.issuer)
    })

    it('gets nobody whose address is of its domain, and whose account is another organisation’s', async () => {
      const heron = await liar()
      const thief = await liar({ connection: { twoFactor: { acr: [], amr: ['mfa'] }, createsUsers: true } })
      const dana = await member(stage, { ...heron, email: thief.email }, 'dana')
      thief.says(about(dana))
      const page = await through(thief, fresh(), await start(), dana.email)
      expect(visibleText(page)).to.include('There is no account in this organisation')
      // Linked once, and moved since.
      const mine = await linkedUser(thief, 'finn')
      await change(stage, 'UPDATE accounts SET organisation_id = ? WHERE id = ?', [
        heron.organisationId,
        mine.person.id,
      ])
      const moved = await through(thief, fresh(), await start(), mine.person.email)
      expect(visibleText(moved)).to.include('There is no account in this organisation')
    })

    it('has no word, by one of its providers, about those who log in by another', async () => {
      const heron = await liar()
      const contractors = await liar({
        connection: { twoFactor: { acr: [], amr: ['mfa'] }, createsUsers: true },
      })
      for (const table of ['sso_connections', 'sso_domains']) {
        await change(stage, `UPDATE ${table} SET organisation_id = ? WHERE organisation_id = ?`, [
          heron.organisationId,
          contractors.organisationId,
        ])
      }
      const boss = await member(stage, heron, 'boss', { role: 'admin' })
      for (const email of [boss.email, heron.email('new')]) {
        contractors.says(about({ email }))
        const visitor = fresh()
        const page = await through(contractors, visitor, await start(), contractors.email('mallory'))
        expect(visibleText(page), email).to.include('logs in by another provider of your organisation')
        expect(await whoIs(visitor)).to.equal(undefined)
      }
      expect(await linked(stage, contractors)).to.deep.equal([])
      contractors.says(about({ email: contractors.email('mallory') }))
      expect(isIn(await through(contractors, fresh(), await start(), contractors.email('mallory')))).to.equal(
        true,
      )
      // A domain that is nobody's way in is the organisation's still.
      await heron.commit(
        assignDomain({ id: heron.domainId, organisationId: heron.organisationId }, null, false),
      )
      contractors.says(about(boss))
      expect(isIn(await through(contractors, fresh(), await start(), contractors.email('boss')))).to.equal(
        true,
      )
    })

    it('is known by connection and subject: the same subject elsewhere is somebody else', async () => {
      const heron = await liar()
      const other = await liar()
      const dana = await linkedUser(heron)
      const eve = await member(stage, other, 'eve')
      other.says(about(eve, { sub: `there of ${dana.person.email}` }))
      const visitor = fresh()
      await through(other, visitor, await start(), eve.email)
      expect(await whoIs(visitor)).to.equal(eve.id)
    })
  })

  it('E4 a link that a thief added goes when the owner locks the account, and an older one stays', async () => {
    const heron = await liar()
    const { person } = await linkedUser(heron)
    const lock = async (token: string) => {
      const account = await stage.running.services.accounts.find(person.id)
      if (account === undefined) throw new Error('the account is gone')
      const link = { token, until: stage.now() + DAY }
      await heron.commit(...lockAccount(account, link, stage.now() - 7 * DAY, stage.now()))
      await change(stage, "UPDATE accounts SET status = 'active' WHERE id = ?", [person.id])
    }
    await change(stage, 'UPDATE sso_identities SET created_at = ? WHERE account_id = ?', [
      stage.now() - 8 * DAY,
      person.id,
    ])
    await lock('first')
    expect(await linked(stage, heron)).to.deep.equal([person.id])
    await change(stage, 'UPDATE sso_identities SET created_at = ? WHERE account_id = ?', [
      stage.now() - DAY,
      person.id,
    ])
    await lock('second')
    expect(await linked(stage, heron)).to.deep.equal([])
  })

  describe('an address that changed at the provider', () => {
    it('changes nobody: the subject says who it is', async () => {
      const heron = await liar()
      const { person } = await linkedUser(heron)
      const eve = await member(stage, heron, 'eve')
      for (const email of [eve.email, 'dana@elsewhere.example', undefined]) {
        const visitor = fresh()
        const claims = about(person, { email })
        heron.upstream.lies = { claims, userinfo: { sub: claims.sub, email: undefined } }
        await through(heron, visitor, await start(), person.email)
        expect(await whoIs(visitor), String(email)).to.equal(person.id)
      }
      expect(await linked(stage, heron)).to.deep.equal([person.id])
    })

    it('gives an account to no second subject that has its address', async () => {
      const heron = await liar()
      const user = await localUser(heron)
      heron.says(about(user.person))
      await through(heron, fresh(), await start(), user.person.email)
      for (const claims of [{ sub: 'new' }, { sub: 'new', email_verified: false }]) {
        heron.says(about(user.person, claims))
        const visitor = fresh()
        const { base } = await through(heron, visitor, await start(), user.person.email)
        expect(await whoIs(visitor)).to.equal(undefined)
        await byPassword(visitor, base)
        await otp(visitor, base, user)
        await visitor.follow(base)
        expect(await linked(stage, heron), JSON.stringify(claims)).to.deep.equal([user.person.id])
      }
      expect(await audited(stage, 'sso.linked', user.person)).to.equal(1)
    })

    it('is no address where it is none, or has something in front or behind', async () => {
      const heron = await liar()
      const dana = await member(stage, heron, 'dana')
      for (const email of [
        `${dana.email}\r\nBcc: x@evil.example`,
        `${dana.email},x@evil.example`,
        `<${dana.email}>`,
        `x@evil.example@${heron.domain}`,
        `dana@${heron.domain}.`,
        [dana.email],
        { toString: dana.email },
      ]) {
        heron.says(about(dana, { email }))
        const page = await through(heron, fresh(), await start(), dana.email)
        expect(page.status, JSON.stringify(email)).to.equal(400)
      }
      expect(await linked(stage, heron)).to.deep.equal([])
    })
  })
})
