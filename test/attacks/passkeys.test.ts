// Attacks on passkeys, over HTTP and through the whole flow: what the library lets pass and the flow must not. A passkey
// is two factors at once, so whoever gets one accepted that is not the owner's has the account.

import { expect } from 'chai'
import { digest } from '../../src/store/ids.ts'
import { type Authenticator, createAuthenticator, type RegistrationKnobs } from '../support/authenticator.ts'
import { code } from '../support/one-time-codes.ts'
import { openStage, PASSWORD, type Person, type Stage } from '../support/stage.ts'
import {
  type Answer,
  type Begun,
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
  DAY,
  givePasskey,
  halfLogin,
  MINUTE,
  rows,
  victim,
} from './ground.ts'

describe('attacks on passkeys', function () {
  this.timeout(60_000)
  let stage: Stage
  let party: RelyingParty

  before(async () => {
    stage = await openStage()
    party = await relyingParty(stage)
  })
  after(() => stage.close())

  interface At {
    visitor: Visitor
    base: string
    page: Answer
  }

  interface Begins {
    begun: Begun
  }

  /** A fresh browser on the email page, whose button takes any passkey. */
  async function emailPage(): Promise<At & Begins> {
    const visitor = createVisitor(stage.origin)
    const begun = await party.begin()
    const page = await visitor.follow(begun.url)
    return { visitor, base: `/interaction/${uidOf(page.url)}`, page, begun }
  }

  /** Somebody who has just set their authenticator up and is offered a passkey. */
  async function offered(): Promise<At & Begins & { person: Person }> {
    const person = await stage.person()
    const { visitor, base, begun } = await emailPage()
    await visitor.post(`${base}/identify`, { email: person.email, webauthn: 'platform' })
    await visitor.post(`${base}/password`, { password: PASSWORD, webauthn: 'platform' })
    const setUp = await visitor.follow(base)
    const key = textOf(setUp.body, 'key').replaceAll(' ', '')
    await visitor.post(`${base}/set-up`, { code: code(key, stage.now()) })
    await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
    const page = await visitor.follow(base)
    expect(page.heading).to.equal('Log in faster with a passkey')
    return { visitor, base, page, person, begun }
  }

  const authenticatorOf = ({ id }: Person) =>
    createAuthenticator({
      origin: stage.origin,
      rpId: 'localhost',
      userHandle: Buffer.from(id).toString('base64url'),
    })

  const register = ({ visitor, base }: At, response: unknown) =>
    visitor.post(`${base}/passkey-registration`, { response: JSON.stringify(response) })
  const present = ({ visitor, base }: At, response: unknown, webauthn = 'none') =>
    visitor.post(`${base}/passkey`, { response: JSON.stringify(response), webauthn })

  const passkeysOf = async ({ id }: Person) =>
    (await rows(stage, 'SELECT credential_id FROM passkeys WHERE account_id = ?', [id])).length

  it('P1 registers no passkey without user verification, from another origin, or of a wrong ceremony', async () => {
    const at = await offered()
    const wrong: RegistrationKnobs[] = [
      { userVerified: false },
      { userPresent: false },
      { origin: 'https://evil.example' },
      { origin: `${stage.origin}.evil.example` },
      { rpId: 'evil.example' },
      { type: 'webauthn.get' },
      { crossOrigin: true },
      { crossOrigin: true, topOrigin: stage.origin },
      { backedUp: true, backupEligible: false },
      { attestation: 'packed-self-broken' },
      { attestation: 'packed-x5c' },
    ]
    let { page } = at
    for (const knobs of wrong) {
      const answer = await register(at, authenticatorOf(at.person).register(challengeOf(page), knobs))
      expect(answer.status, JSON.stringify(knobs)).to.equal(400)
      page = await at.visitor.follow(at.base)
    }
    expect(await passkeysOf(at.person)).to.equal(0)
    expect((await register(at, authenticatorOf(at.person).register(challengeOf(page)))).status).to.equal(303)
    expect(await passkeysOf(at.person)).to.equal(1)
  })

  it('P1 logs nobody in without user verification, or for another origin, party or handle', async () => {
    const { person } = await victim(stage, party)
    const other = await victim(stage, party)
    const authenticator = await givePasskey(stage, person)
    const handle = (id: string) => Buffer.from(id).toString('base64url')
    for (const knobs of [
      { userVerified: false },
      { userPresent: false },
      { origin: 'https://evil.example' },
      { rpId: 'evil.example' },
      { type: 'webauthn.create' },
      { crossOrigin: true },
      { topOrigin: stage.origin },
      { userHandle: handle(other.person.id) },
      { userHandle: null },
      { breakSignature: true },
      { id: authenticatorOf(person).credentialId },
    ]) {
      const at = await emailPage()
      const answer = await present(at, authenticator.assert(challengeOf(at.page), knobs))
      expect(answer.status, JSON.stringify(knobs)).to.equal(400)
      expect((await at.visitor.follow(at.base)).heading).to.equal('Log in')
    }
    const at = await emailPage()
    expect((await present(at, authenticator.assert(challengeOf(at.page)))).status).to.equal(303)
  })

  it('P1 takes nobody else’s passkey as the second factor of a password', async () => {
    const mine = await victim(stage, party)
    const theirs = await victim(stage, party)
    await givePasskey(stage, theirs.person)
    const attackers = await givePasskey(stage, mine.person)
    const half = await halfLogin(stage, party, theirs.person)
    expect((await present(half, attackers.assert(challengeOf(half.page)))).status).to.equal(400)
    // Nor with the victim's handle beside the attacker's key.
    const handle = Buffer.from(theirs.person.id).toString('base64url')
    const again = await half.visitor.follow(half.base)
    const lie = await present(half, attackers.assert(challengeOf(again), { userHandle: handle }))
    expect(lie.status).to.equal(400)
    expect((await half.visitor.follow(half.base)).heading).to.equal('Verify your identity')
  })

  describe('of another domain', () => {
    const OLD = 'login.old.example'
    const bind = (authenticator: Authenticator, domain: string) =>
      change(stage, 'UPDATE passkeys SET rp_id = ? WHERE credential_id = ?', [
        domain,
        authenticator.credentialId,
      ])

    it('goes on being asked for and taken by the domain that it was made for, and by no other', async () => {
      const { person } = await victim(stage, party)
      const authenticator = await givePasskey(stage, person)
      await bind(authenticator, OLD)
      const half = await halfLogin(stage, party, person)
      expect(half.page.body).to.include(`rpId&quot;:&quot;${OLD}`).and.to.include(authenticator.credentialId)
      const ours = authenticator.assert(challengeOf(half.page))
      expect((await present(half, ours)).status, 'signed for this domain').to.equal(400)
      const again = await half.visitor.follow(half.base)
      const theirs = authenticator.assert(challengeOf(again), { rpId: OLD })
      expect((await present(half, theirs)).status).to.equal(303)
    })

    it('stands back behind one of this domain: a browser is asked for one domain at a time', async () => {
      const { person } = await victim(stage, party)
      const old = await givePasskey(stage, person)
      await bind(old, OLD)
      const current = await givePasskey(stage, person)
      const { page } = await halfLogin(stage, party, person)
      expect(page.body).to.include('rpId&quot;:&quot;localhost').and.to.include(current.credentialId)
      expect(page.body).not.to.include(old.credentialId)
    })

    it('is refused from a page of a related origin: no page of ours is there', async () => {
      const related = 'https://app.example'
      const other = await openStage({ env: { SALLYPORT_RELATED_ORIGINS: related } })
      try {
        const person = await other.person()
        const authenticator = await givePasskey(other, person)
        const visitor = createVisitor(other.origin)
        const page = await visitor.follow((await (await relyingParty(other)).begin()).url)
        const at = { visitor, base: `/interaction/${uidOf(page.url)}`, page }
        const relayed = authenticator.assert(challengeOf(page), { origin: related })
        expect((await present(at, relayed)).status).to.equal(400)
      } finally {
        await other.close()
      }
    })
  })

  describe('L11 a passkey that is unknown', () => {
    it('is named to the browser that came with it, once its challenge is ours; no other passkey is', async () => {
      const { person } = await victim(stage, party)
      const gone = await givePasskey(stage, person)
      await change(stage, 'DELETE FROM passkeys WHERE account_id = ?', [person.id])
      const at = await emailPage()
      const forged = await present(at, gone.assert('A'.repeat(72)))
      expect(forged.body).not.to.include('data-signals')
      const answer = await present(at, gone.assert(challengeOf(at.page)))
      expect(answer.status).to.equal(400)
      expect(answer.body)
        .to.include('signalUnknownCredential')
        .and.to.include(gone.credentialId)
        .and.not.to.include('signalAllAcceptedCredentials')
    })

    it('is not said of one that somebody has, whatever keeps it from logging in here', async () => {
      const { person } = await victim(stage, party)
      const theirs = await givePasskey(stage, person)
      const other = await victim(stage, party)
      await givePasskey(stage, other.person)
      const half = await halfLogin(stage, party, other.person)
      const pinned = await halfLogin(stage, party, person)
      for (const [at, knobs] of [
        [half, {}],
        [pinned, { breakSignature: true }],
      ] as const) {
        const page = await at.visitor.follow(at.base)
        const answer = await present(at, theirs.assert(challengeOf(page), knobs))
        expect(answer.status).to.equal(400)
        expect(answer.body).not.to.include('data-signals')
      }
      await change(stage, "UPDATE accounts SET status = 'deactivated' WHERE id = ?", [person.id])
      const at = await emailPage()
      const answer = await present(at, theirs.assert(challengeOf(at.page)))
      expect(answer.status).to.equal(400)
      expect(answer.body, 'they may come back').not.to.include('data-signals')
    })
  })

  describe('E4 a passkey that the browser makes by itself', () => {
    /** The challenge that the page has for it, which is another than that of its button. */
    const upgradeChallengeOf = ({ body }: { body: string }) => {
      const options = /data-upgrade="([^"]+)"/.exec(body)?.[1]
      if (options === undefined) throw new Error('no upgrade on the page')
      return challengeOf({ body: options })
    }
    const upgrade = ({ visitor, base }: At, response: unknown) =>
      visitor.post(`${base}/passkey-upgrade`, { response: JSON.stringify(response) })
    const silent = { userVerified: false, userPresent: false }

    it('is taken after two factors, told to its owner, and logs nobody in without user verification', async () => {
      const at = await offered()
      const device = authenticatorOf(at.person)
      const made = device.register(upgradeChallengeOf(at.page), { ...silent, counter: 0 })
      expect((await upgrade(at, made)).status).to.equal(303)
      expect(await passkeysOf(at.person)).to.equal(1)
      expect(await audited(stage, 'passkey.added', at.person)).to.equal(1)
      expect(
        await rows(stage, 'SELECT id FROM jobs WHERE summary = ?', [
          `passkey-upgraded to ${at.person.email}`,
        ]),
      ).to.have.length(1)
      const end = await at.visitor.follow(at.base)
      const claims = (await party.finish(at.begun, end.url)).claims()
      expect(claims?.amr, 'no factor of this login').to.deep.equal(['pwd', 'otp', 'mfa'])
      expect(claims?.acr).to.equal('urn:sallyport:acr:2fa')

      const login = await emailPage()
      const unverified = device.assert(challengeOf(login.page), { userVerified: false })
      expect((await present(login, unverified)).status).to.equal(400)
      const again = await emailPage()
      expect((await present(again, device.assert(challengeOf(again.page)))).status).to.equal(303)
    })

    it('is refused on the challenge of the button, of another ceremony, and the other way round', async () => {
      const at = await offered()
      const byButton = authenticatorOf(at.person).register(challengeOf(at.page), silent)
      expect((await upgrade(at, byButton)).status).to.equal(400)
      expect((await register(at, byButton)).status).to.equal(400)
      const page = await at.visitor.follow(at.base)
      const bySelf = authenticatorOf(at.person).register(upgradeChallengeOf(page), silent)
      expect((await register(at, bySelf)).status, 'as if a user had been there').to.equal(400)
      const other = await emailPage()
      const misused = authenticatorOf(at.person).register(challengeOf(other.page), silent)
      expect((await upgrade(at, misused)).status).to.equal(400)
      expect(await passkeysOf(at.person)).to.equal(0)
    })

    it('is offered once: where it went wrong, the user decides', async () => {
      const at = await offered()
      const foreign = authenticatorOf(at.person).register(upgradeChallengeOf(at.page), {
        ...silent,
        origin: 'https://evil.example',
      })
      const answer = await upgrade(at, foreign)
      expect(answer.status).to.equal(400)
      expect(answer.heading).to.equal('Log in faster with a passkey')
      expect(answer.body).not.to.include('data-upgrade')
      await at.visitor.post(`${at.base}/passkey-registration`, { later: 'yes' })
      expect((await at.visitor.follow(at.base)).url).to.include('code=')
    })

    it('is refused before the second factor, after the login, and in place of one that is there', async () => {
      const { person } = await victim(stage, party)
      const half = await halfLogin(stage, party, person)
      const offer = await offered()
      const response = authenticatorOf(person).register(upgradeChallengeOf(offer.page), silent)
      expect((await upgrade(half, response)).status, 'with the password alone').to.equal(409)
      const theirs = await victim(stage, party)
      const phone = await givePasskey(stage, theirs.person, { transports: ['hybrid', 'internal'] })
      const login = await emailPage()
      await present(
        login,
        { ...phone.assert(challengeOf(login.page)), authenticatorAttachment: 'cross-platform' },
        'platform',
      )
      expect((await login.visitor.follow(login.base)).heading).to.equal('Add a passkey on this device')
      expect((await upgrade(login, response)).status, 'after a passkey').to.equal(409)
      expect(await passkeysOf(person)).to.equal(0)
      expect(await passkeysOf(theirs.person)).to.equal(1)
    })
  })

  describe('a passkey from another device', () => {
    async function byPhone(
      person: Person,
      phone: Authenticator,
      said: unknown,
      webauthn = 'platform',
    ): Promise<At> {
      const at = await emailPage()
      const response = { ...phone.assert(challengeOf(at.page)), authenticatorAttachment: said }
      expect((await present(at, response, webauthn)).status, person.email).to.equal(303)
      return { ...at, page: await at.visitor.follow(at.base) }
    }

    it('leads to one on this device; after Not now not for 30 days', async () => {
      const { person } = await victim(stage, party)
      const phone = await givePasskey(stage, person, { transports: ['hybrid', 'internal'] })
      const first = await byPhone(person, phone, 'cross-platform')
      expect(first.page.heading).to.equal('Add a passkey on this device')
      await first.visitor.post(`${first.base}/passkey-registration`, { later: 'yes' })
      expect((await first.visitor.follow(first.base)).url).to.include('code=')
      stage.advance(29 * DAY)
      expect((await byPhone(person, phone, 'cross-platform')).page.heading).to.equal(undefined)
      stage.advance(DAY)
      const last = await byPhone(person, phone, 'cross-platform')
      expect(last.page.heading).to.equal('Add a passkey on this device')
      const added = await register(last, authenticatorOf(person).register(challengeOf(last.page)))
      expect(added.status).to.equal(303)
      expect(await passkeysOf(person)).to.equal(2)
      expect((await last.visitor.follow(last.base)).url).to.include('code=')
    })

    it('leads to none where it was on this device, on a key, or where this device can have none', async () => {
      const { person } = await victim(stage, party)
      const phone = await givePasskey(stage, person, { transports: ['hybrid', 'internal'] })
      const key = await givePasskey(stage, person, { transports: ['usb', 'nfc'] })
      for (const [device, said, webauthn] of [
        [phone, 'platform', 'platform'],
        [phone, undefined, 'platform'],
        [phone, { toString: 'cross-platform' }, 'platform'],
        [key, 'cross-platform', 'platform'],
        [phone, 'cross-platform', 'none'],
        [phone, 'cross-platform', ''],
      ] as const) {
        const { page } = await byPhone(person, device, said, webauthn)
        expect(page.heading, JSON.stringify([said, webauthn])).to.equal(undefined)
      }
    })
  })

  it('P2 takes a challenge once, in time, in its own interaction and for its own ceremony', async () => {
    const { person } = await victim(stage, party)
    const authenticator = await givePasskey(stage, person)
    const mine = await emailPage()
    const other = await emailPage()
    // Two tabs: the challenge of one in the other.
    expect((await present(other, authenticator.assert(challengeOf(mine.page)))).status).to.equal(400)
    // One that we never made, and one that was changed.
    for (const forged of [
      'A'.repeat(72),
      challengeOf(mine.page).replace(/^./, each => (each === 'A' ? 'B' : 'A')),
    ]) {
      expect((await present(mine, authenticator.assert(forged))).status).to.equal(400)
    }
    // Of the registration.
    const offer = await offered()
    expect((await present(mine, authenticator.assert(challengeOf(offer.page)))).status).to.equal(400)
    const misused = await register(offer, authenticatorOf(offer.person).register(challengeOf(mine.page)))
    expect(misused.status).to.equal(400)
    // Too old.
    const late = await emailPage()
    stage.advance(10 * MINUTE + 1)
    expect((await present(late, authenticator.assert(challengeOf(late.page)))).status).to.equal(400)
    // Used before: the same interaction is begun again by its owner, and the same answer comes once more.
    const used = await emailPage()
    const response = authenticator.assert(challengeOf(used.page))
    expect((await present(used, response)).status).to.equal(303)
    const elsewhere = await emailPage()
    expect((await present(elsewhere, response)).status).to.equal(400)
    // Posted again where it was taken, it does nothing and leads on.
    expect((await present(used, response)).location).to.equal(`${stage.origin}${used.base}`)
  })

  it('P4 registers no credential id that anybody has, and leaves its owner as they were', async () => {
    const { person } = await victim(stage, party)
    const owners = await givePasskey(stage, person)
    const at = await offered()
    // The attacker's key under the victim's id.
    const attackers = authenticatorOf(at.person)
    const stolen: Authenticator = { ...attackers, credentialId: owners.credentialId }
    const sameKey = owners.register(challengeOf(at.page))
    expect((await register(at, sameKey)).status).to.equal(400)
    const page = await at.visitor.follow(at.base)
    const relabelled = attackers.register(challengeOf(page), {
      id: stolen.credentialId,
      rawId: stolen.credentialId,
    })
    expect((await register(at, relabelled)).status).to.equal(400)
    expect(await passkeysOf(at.person)).to.equal(0)
    const [{ account_id: owner } = { account_id: '' }] = await rows(
      stage,
      'SELECT account_id FROM passkeys WHERE credential_id = ?',
      [owners.credentialId],
    )
    expect(owner).to.equal(person.id)
    const login = await emailPage()
    expect((await present(login, owners.assert(challengeOf(login.page)))).status).to.equal(303)
    expect((await login.visitor.follow(login.base)).url).to.include('code=')
  })

  describe('P7 flags and counters', () => {
    it('refuses a counter that goes back or stands still, and records it', async () => {
      const { person } = await victim(stage, party)
      const authenticator = await givePasskey(stage, person)
      const first = await emailPage()
      expect(
        (await present(first, authenticator.assert(challengeOf(first.page), { counter: 9 }))).status,
      ).to.equal(303)
      for (const counter of [9, 8, 0]) {
        const at = await emailPage()
        expect((await present(at, authenticator.assert(challengeOf(at.page), { counter }))).status).to.equal(
          400,
        )
      }
      expect(await audited(stage, 'passkey.refused', person)).to.equal(3)
    })

    it('warns the owner of a copy by mail, at most once an hour for each passkey', async () => {
      const { person } = await victim(stage, party)
      const authenticator = await givePasskey(stage, person)
      const warnings = () =>
        rows(stage, 'SELECT id FROM jobs WHERE summary = ?', [`passkey-refused to ${person.email}`])
      const behind = async () => {
        const at = await emailPage()
        const answer = await present(at, authenticator.assert(challengeOf(at.page), { counter: 3 }))
        expect(answer.status).to.equal(400)
        expect(answer.body).to.include('may have been copied')
      }
      const at = await emailPage()
      await present(at, authenticator.assert(challengeOf(at.page), { counter: 9 }))
      expect(await warnings()).to.have.length(0)
      await behind()
      await behind()
      expect(await warnings()).to.have.length(1)
      expect(await audited(stage, 'passkey.refused', person)).to.equal(2)
      stage.advance(61 * 60_000)
      await behind()
      expect(await warnings()).to.have.length(2)
    })

    it('takes the same answer posted twice for no copy', async () => {
      const { person } = await victim(stage, party)
      const authenticator = await givePasskey(stage, person)
      const at = await emailPage()
      const answer = authenticator.assert(challengeOf(at.page), { counter: 9 })
      // The second of two that overlap: it read the interaction before the first was stored, and the passkey after.
      const [before] = await rows(
        stage,
        "SELECT payload FROM oidc_artefacts WHERE model = 'Interaction' AND id = ?",
        [digest(uidOf(at.base))],
      )
      expect((await present(at, answer)).status).to.equal(303)
      await change(stage, "UPDATE oidc_artefacts SET payload = ? WHERE model = 'Interaction' AND id = ?", [
        String(before?.payload),
        digest(uidOf(at.base)),
      ])
      const second = await present(at, answer)
      expect(second.status).to.equal(400)
      expect(second.body).to.include('The passkey took too long')
      expect(await audited(stage, 'passkey.refused', person)).to.equal(0)
      const [job] = await rows(stage, 'SELECT count(*) AS n FROM jobs WHERE summary = ?', [
        `passkey-refused to ${person.email}`,
      ])
      expect(Number(job?.n)).to.equal(0)
    })

    it('refuses a passkey that changes its kind, and one that is backed up but cannot be', async () => {
      const { person } = await victim(stage, party)
      const authenticator = await givePasskey(stage, person)
      for (const knobs of [
        { backupEligible: true },
        { backupEligible: true, backedUp: true },
        { backedUp: true },
      ]) {
        const at = await emailPage()
        const answer = await present(at, authenticator.assert(challengeOf(at.page), knobs))
        expect(answer.status, JSON.stringify(knobs)).to.equal(400)
      }
      expect(await audited(stage, 'passkey.refused', person)).to.equal(3)
    })

    it('refuses a deleted passkey and that of somebody deactivated, also where the login had begun', async () => {
      const { person } = await victim(stage, party)
      const authenticator = await givePasskey(stage, person)
      const begun = await emailPage()
      const half = await halfLogin(stage, party, person)
      await change(stage, "UPDATE accounts SET status = 'deactivated' WHERE id = ?", [person.id])
      expect((await present(begun, authenticator.assert(challengeOf(begun.page)))).status).to.equal(400)
      expect((await present(half, authenticator.assert(challengeOf(half.page)))).status).to.equal(400)
      await change(stage, "UPDATE accounts SET status = 'active' WHERE id = ?", [person.id])
      await change(stage, 'DELETE FROM passkeys WHERE account_id = ?', [person.id])
      const at = await emailPage()
      expect((await present(at, authenticator.assert(challengeOf(at.page)))).status).to.equal(400)
    })
  })

  it('answers whatever is sent as a passkey with a page', async () => {
    const at = await emailPage()
    const deep = `${'['.repeat(2000)}${']'.repeat(2000)}`
    const responses = [
      '',
      'null',
      '[]',
      '{}',
      '{"id":{}}',
      '{"__proto__":{"id":"x"}}',
      deep,
      '{"id":"x","rawId":"x","type":"public-key","response":{"clientDataJSON":"bnVsbA","authenticatorData":"AA","signature":"AA"}}',
      `{"id":"${'A'.repeat(9000)}"}`,
    ]
    for (const response of responses) {
      const answer = await at.visitor.post(`${at.base}/passkey`, { response })
      expect(answer.status, response.slice(0, 40)).to.equal(400)
      expect(answer.heading).to.equal('Log in')
    }
    expect(codeIn((await at.visitor.follow(at.base)).url)).to.equal(undefined)
  })
})
