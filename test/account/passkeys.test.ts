// One's own passkeys, by requests alone: added, renamed, removed, what each takes, and that the last one stays.

import { expect } from 'chai'
import { MOST_PASSKEYS } from '../../src/account/passkeys.ts'
import { readAccountOverview } from '../../src/store/accounts/account-overview.ts'
import { readAccount } from '../../src/store/accounts/accounts.ts'
import { insertPasskey } from '../../src/store/accounts/credentials.ts'
import { giveUpPasskey, moveOn } from '../../src/store/accounts/own-changes.ts'
import { CommitRefused, type Write } from '../../src/store/database.ts'
import { resetSecondFactor } from '../../src/store/recovery/second-factor-resets.ts'
import { type Member, membersOf } from '../admin/member.ts'
import { audited, challengeOf, change, givePasskey, MINUTE, rows } from '../attacks/ground.ts'
import { type Authenticator, createAuthenticator, type RegistrationKnobs } from '../support/authenticator.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Person, Stage } from '../support/stage.ts'
import { type Answer, createVisitor, logIn, uidOf, type Visitor, visibleText } from '../support/visitor.ts'

const NEW = '/account/passkeys/new'
const STEP_UP = 'Confirm it’s you'
const APPLE = 'fbfc3007-154e-4ecc-8c0b-6e020557d7bd'

onEveryStage('one’s own passkeys', open => {
  let stage: Stage
  let members: ReturnType<typeof membersOf>
  let dana: Member

  before(async () => {
    stage = await open()
    members = membersOf(stage)
  })
  beforeEach(async () => {
    dana = await members.enrolled()
  })

  const overviewOf = ({ id }: Person) => readAccountOverview(stage.running.services.database, id)
  const passkeysOf = async (person: Person) => (await overviewOf(person)).passkeys
  const events = (event: string, person = dana.person) => audited(stage, event, person)
  const page = (key: string, what: 'rename' | 'remove') => `/account/passkeys/${key}/${what}`
  const device = ({ id }: Person, backupEligible = false) =>
    createAuthenticator({
      origin: stage.origin,
      rpId: 'localhost',
      userHandle: Buffer.from(id).toString('base64url'),
      backupEligible,
      backedUp: backupEligible,
    })

  async function made(member = dana, authenticator = device(member.person), knobs: RegistrationKnobs = {}) {
    const challenge = challengeOf(await member.by.get(NEW))
    return { response: JSON.stringify(authenticator.register(challenge, knobs)) }
  }

  const add = async (member = dana, authenticator = device(member.person), knobs: RegistrationKnobs = {}) =>
    member.by.post(NEW, await made(member, authenticator, knobs))

  async function keyOf(person = dana.person, index = 0): Promise<string> {
    return (await passkeysOf(person))[index]?.key ?? ''
  }

  /** Logs in with a passkey alone. */
  async function withPasskey(by: Visitor, authenticator: Authenticator): Promise<Answer> {
    const start = await by.follow('/account')
    const base = `/interaction/${uidOf(start.url)}`
    await by.post(`${base}/passkey`, {
      response: JSON.stringify(authenticator.assert(challengeOf(start))),
    })
    return by.follow(base)
  }

  /** Somebody whose only factor is a passkey, and who has just used it. */
  async function passkeyOnly(count = 1): Promise<Member & { device: Authenticator }> {
    const person = await stage.person({ name: 'Robin Mayfield' })
    const all = []
    for (let n = 0; n < count; n++) all.push(await givePasskey(stage, person))
    const by = createVisitor(stage.origin)
    const [first] = all
    if (first === undefined) throw new Error('no passkey')
    expect((await withPasskey(by, first)).heading).to.equal('Robin Mayfield')
    return { person, by, enrolled: dana.enrolled, device: first }
  }

  describe('adding', () => {
    it('saves it under the name of its kind, and it logs in; its owner is told, and nobody is logged out', async () => {
      const other = createVisitor(stage.origin)
      await logIn(stage, other, '/account', dana.person, dana.enrolled)
      const phone = device(dana.person, true)
      const answer = await add(dana, phone, { aaguid: APPLE })
      const overview = await dana.by.follow(answer.location ?? '')
      expect(visibleText(overview)).to.include('Your passkey is saved.')
      expect(visibleText(overview))
        .to.match(/Apple Passwords|iCloud Keychain/)
        .and.to.include('Synced')
      expect(visibleText(overview)).to.include('Not used yet')
      expect((await other.get('/account')).status, 'the other session').to.equal(200)
      const by = createVisitor(stage.origin)
      expect((await withPasskey(by, phone)).heading).to.equal('Dana Whitlock')
      expect(visibleText(await by.get('/account'))).to.include('Last used')
      await stage.mail(
        ({ subject, to }) =>
          subject === 'A passkey was added to your account' && JSON.stringify(to).includes(dana.person.email),
      )
      expect(await events('passkey.added')).to.equal(1)
    })

    it('tells the browser which ones there are', async () => {
      const first = device(dana.person)
      await add(dana, first)
      expect((await dana.by.get(NEW)).body).to.include(first.credentialId)
    })

    it('E4: waits with a factor older than five minutes, and is done by one more press, once', async () => {
      const form = await made()
      stage.advance(6 * MINUTE)
      const asked = await dana.by.follow((await dana.by.post(NEW, form)).location ?? '')
      expect(asked.heading).to.equal(STEP_UP)
      const waiting = await members.prove(dana, asked)
      expect(visibleText(waiting)).to.include('isn’t saved yet')
      expect(await passkeysOf(dana.person)).to.have.length(0)
      const pending = /name="pending" value="([^"]+)"/.exec(waiting.body)?.[1] ?? ''
      await Promise.all([1, 2, 3].map(() => dana.by.post(NEW, { pending })))
      expect(await passkeysOf(dana.person)).to.have.length(1)
      expect(await events('passkey.added')).to.equal(1)
    })

    it('P2: takes a challenge once, of this session, and none of a login', async () => {
      const form = await made()
      const answers = await Promise.all(Array.from({ length: 10 }, () => dana.by.post(NEW, form)))
      expect(answers.every(each => each.status === 303)).to.equal(true)
      expect(await passkeysOf(dana.person)).to.have.length(1)
      expect(await events('passkey.added')).to.equal(1)

      const other = createVisitor(stage.origin)
      await logIn(stage, other, '/account', dana.person, dana.enrolled)
      const foreign = await made()
      expect(visibleText(await other.post(NEW, foreign))).to.include('The passkey took too long.')
      const login = await createVisitor(stage.origin).follow('/account')
      const response = JSON.stringify(device(dana.person).register(challengeOf(login)))
      expect((await dana.by.post(NEW, { response })).status).to.equal(400)
      const late = await made()
      stage.advance(4 * MINUTE)
      await logInAgain()
      stage.advance(4 * MINUTE)
      await logInAgain()
      stage.advance(3 * MINUTE)
      expect(visibleText(await dana.by.post(NEW, late))).to.include('The passkey took too long.')
      expect(await passkeysOf(dana.person)).to.have.length(1)
    })

    /** Proves the factor anew, in the same session. */
    async function logInAgain(): Promise<void> {
      stage.advance(2 * MINUTE)
      const asked = await dana.by.follow('/account/password')
      if (asked.heading === STEP_UP) await members.prove(dana, asked)
    }

    it('P1, P4: refuses one without user verification, and one that somebody has', async () => {
      expect(visibleText(await add(dana, device(dana.person), { userVerified: false }))).to.include(
        'screen lock',
      )
      const mallory = await members.enrolled({ name: 'Mallory' })
      const theirs = device(mallory.person)
      await add(mallory, theirs)
      expect((await add(dana, theirs)).status).to.equal(400)
      expect(await passkeysOf(dana.person)).to.have.length(0)
      expect(await passkeysOf(mallory.person)).to.have.length(1)
      expect((await dana.by.post(NEW, { response: '{' })).status).to.equal(400)
      expect((await dana.by.post(NEW, {})).status).to.equal(400)
    })

    it('has an end, also for twenty at once', async () => {
      for (let n = 0; n < MOST_PASSKEYS - 1; n++) await givePasskey(stage, dana.person)
      const forms = []
      for (let n = 0; n < 5; n++) forms.push(await made())
      await Promise.all(forms.map(each => dana.by.post(NEW, each)))
      expect(await passkeysOf(dana.person)).to.have.length(MOST_PASSKEYS)
      expect(visibleText(await dana.by.get(NEW))).to.include(`You have ${MOST_PASSKEYS} passkeys`)
    })

    it('adds nothing to an account that was reset since', async () => {
      const form = await made()
      await change(stage, 'UPDATE accounts SET epoch = epoch + 1 WHERE id = ?', [dana.person.id])
      expect((await dana.by.post(NEW, form)).location).to.include('/auth?')
      expect(await passkeysOf(dana.person)).to.have.length(0)
    })
  })

  describe('renaming', () => {
    beforeEach(() => add())

    it('gives it another name, and tells its owner', async () => {
      const key = await keyOf()
      expect((await dana.by.get(page(key, 'rename'))).heading).to.equal('Rename the passkey “Passkey”')
      const answer = await dana.by.post(page(key, 'rename'), { name: '  Zoë’s <b>phone</b>  ' })
      const overview = await dana.by.follow(answer.location ?? '')
      expect(overview.body).to.include('Zoë’s &lt;b&gt;phone&lt;/b&gt;')
      expect((await passkeysOf(dana.person))[0]?.name).to.equal('Zoë’s <b>phone</b>')
      const mail = await stage.mail(
        ({ subject, to }) =>
          subject === 'A passkey of your account has another name' &&
          JSON.stringify(to).includes(dana.person.email),
      )
      expect(mail.text).to.include('“Passkey”').and.to.include('Zoë’s <b>phone</b>')
      await dana.by.post(page(key, 'rename'), { name: 'Zoë’s <b>phone</b>' })
      expect(await events('passkey.renamed'), 'the same name changes nothing').to.equal(1)
    })

    it('takes 1 to 60 characters, none of which rewrites the line', async () => {
      const key = await keyOf()
      for (const name of ['', '   ', 'x'.repeat(61), 'a\nb', 'a\u0007b', 'a\u202eb', 'a\u2028b', '\u2066a']) {
        const answer = await dana.by.post(page(key, 'rename'), { name })
        expect(answer.status, JSON.stringify(name)).to.equal(400)
      }
      for (const name of ['x', '🔑'.repeat(60), '電話']) {
        expect((await dana.by.post(page(key, 'rename'), { name })).status, name).to.equal(303)
        expect((await passkeysOf(dana.person))[0]?.name).to.equal(name)
      }
    })

    it('E4: waits with a factor older than five minutes; the name that was typed is shown once more', async () => {
      const key = await keyOf()
      stage.advance(6 * MINUTE)
      const answer = await dana.by.post(page(key, 'rename'), { name: 'Phone' })
      const shown = await members.prove(dana, await dana.by.follow(answer.location ?? ''))
      expect(shown.heading).to.equal('Rename the passkey “Passkey”')
      expect(shown.body).to.include('value="Phone"')
      expect((await passkeysOf(dana.person))[0]?.name).to.equal('Passkey')
      await dana.by.post(page(key, 'rename'), { name: 'Phone' })
      expect((await passkeysOf(dana.person))[0]?.name).to.equal('Phone')
    })

    it('is of one’s own alone', async () => {
      const mallory = await members.enrolled({ name: 'Mallory' })
      const key = await keyOf()
      for (const what of ['rename', 'remove'] as const) {
        expect((await mallory.by.get(page(key, what))).status).to.equal(404)
        for (const id of ['x', '%00', '..%2f..', '__proto__'])
          expect((await dana.by.get(page(id, what))).status, id).to.equal(404)
      }
      expect((await mallory.by.post(page(key, 'rename'), { name: 'x' })).status).to.equal(404)
      await mallory.by.post(page(key, 'remove'), {})
      expect(await passkeysOf(dana.person)).to.have.length(1)
      expect((await passkeysOf(dana.person))[0]?.name).to.equal('Passkey')
      const foreign = await dana.by.post(page(key, 'remove'), {}, { 'sec-fetch-site': 'cross-site' })
      expect(foreign.status).to.equal(403)
      expect(await passkeysOf(dana.person)).to.have.length(1)
    })
  })

  describe('removing', () => {
    it('takes it: it logs in no more, other sessions end, this one stays, and its owner is told', async () => {
      const phone = device(dana.person)
      await add(dana, phone)
      const other = createVisitor(stage.origin)
      await withPasskey(other, phone)
      const key = await keyOf()
      const asked = await dana.by.get(page(key, 'remove'))
      expect(asked.heading).to.equal('Remove the passkey “Passkey”?')
      expect(visibleText(asked)).not.to.include('another way')
      const answer = await dana.by.post(page(key, 'remove'), {})
      expect(visibleText(await dana.by.follow(answer.location ?? ''))).to.include('The passkey is removed')
      expect(await passkeysOf(dana.person)).to.have.length(0)
      expect((await other.follow('/account')).heading).to.equal('Log in')
      expect((await withPasskey(createVisitor(stage.origin), phone)).heading).not.to.equal('Dana Whitlock')
      const mail = await stage.mail(
        ({ subject, to }) =>
          subject === 'A passkey was removed from your account' &&
          JSON.stringify(to).includes(dana.person.email),
      )
      expect(mail.text).to.include('on your account page')
      expect(await events('passkey.removed')).to.equal(1)
      const twice = await dana.by.post(page(key, 'remove'), {})
      expect(twice.location, 'pressed twice').to.equal(`${stage.origin}/account`)
      expect(await events('passkey.removed')).to.equal(1)
    })

    it('forgets in this session what it proved, so that its user proves it another way', async () => {
      const phone = device(dana.person)
      await add(dana, phone)
      const by = createVisitor(stage.origin)
      await withPasskey(by, phone)
      const key = await keyOf()
      expect(visibleText(await by.get(page(key, 'remove')))).to.include('another way')
      const answer = await by.post(page(key, 'remove'), {})
      expect(answer.status).to.equal(303)
      expect((await by.follow('/account')).heading).to.equal('Enter your password')
      expect(await passkeysOf(dana.person)).to.have.length(0)
    })

    it('E4: waits with a factor older than five minutes, and is done by one more press', async () => {
      await add()
      const key = await keyOf()
      stage.advance(6 * MINUTE)
      const answer = await dana.by.post(page(key, 'remove'), {})
      const asked = await dana.by.follow(answer.location ?? '')
      expect(asked.heading).to.equal(STEP_UP)
      const waiting = await members.prove(dana, asked)
      expect(await passkeysOf(dana.person)).to.have.length(1)
      const pending = /name="pending" value="([^"]+)"/.exec(waiting.body)?.[1] ?? ''
      await dana.by.post(page(key, 'remove'), { pending })
      expect(await passkeysOf(dana.person)).to.have.length(0)
    })

    it('P8: keeps the last factor, and says what to do first', async () => {
      const robin = await passkeyOnly()
      const key = await keyOf(robin.person)
      expect(visibleText(await robin.by.get(page(key, 'remove')))).to.include(
        'Set up an authenticator app or add another',
      )
      const answer = await robin.by.post(page(key, 'remove'), {})
      expect(answer.status).to.equal(409)
      expect(await passkeysOf(robin.person)).to.have.length(1)
      expect(await events('passkey.removed', robin.person)).to.equal(0)
    })

    for (const count of [2, 5])
      it(`P8: of ${count} passkeys that are all there is, all removed at once, one stays`, async () => {
        const robin = await passkeyOnly(count)
        const keys = (await passkeysOf(robin.person)).map(each => each.key)
        const tabs = keys.flatMap(key => [key, key])
        await Promise.all(tabs.map(key => robin.by.clone().post(page(key, 'remove'), {})))
        const left = await passkeysOf(robin.person)
        expect(left.length).to.be.greaterThan(0)
        expect(await events('passkey.removed', robin.person)).to.equal(count - left.length)
      })

    it('P8: keeps one against an admin who removes the other at the same moment, or leaves a reset pending', async () => {
      const robin = await passkeyOnly(2)
      const priya = await members.enrolled({
        name: 'Priya Raman',
        role: 'admin',
        organisationId: robin.person.organisationId,
      })
      const [one = '', other = ''] = (await passkeysOf(robin.person)).map(each => each.key)
      await Promise.all([
        robin.by.post(page(one, 'remove'), {}),
        priya.by.post(`/admin/users/${robin.person.id}/remove-passkey`, { passkey: other }),
      ])
      const account = await readAccount(stage.running.services.database, robin.person.id)
      expect((account?.passkeys ?? 0) > 0 || account?.secondFactorResetAt !== null).to.equal(true)
    })
  })

  describe('at the same moment', () => {
    const commit = (writes: readonly Write[]) =>
      stage.running.services.database.commit(writes).then(
        () => 'done',
        error => (error instanceof CommitRefused ? error.refusal : String(error)),
      )
    const credential = (id: string, accountId: string) => ({
      ...{ credentialId: id, accountId, rpId: 'localhost', publicKey: '', counter: 0, transports: [] },
      ...{ aaguid: '', backupEligible: false, backedUp: false, name: 'Passkey' },
    })

    /** The account and a session of it as they are, alive whatever was done to them. */
    async function placeOf({ id }: Person) {
      const { epoch = 0 } = (await readAccount(stage.running.services.database, id)) ?? {}
      const sessions = 'UPDATE oidc_sessions SET epoch = ?, ended_at = NULL WHERE account_id = ?'
      await change(stage, sessions, [epoch, id])
      const [session] = await rows(stage, 'SELECT uid FROM oidc_sessions WHERE account_id = ?', [id])
      return { accountId: id, epoch, sessionUid: String(session?.uid) }
    }

    it('P8: of two commits that remove the last two, one is refused', async () => {
      const { dialect } = stage.running.services.database
      const robin = await passkeyOnly()
      for (let round = 0; round < 20; round++) {
        await change(stage, 'DELETE FROM passkeys WHERE account_id = ?', [robin.person.id])
        const ids = [`one${round}`, `other${round}`]
        await commit(ids.map(id => insertPasskey(credential(id, robin.person.id), stage.now())))
        const place = await placeOf(robin.person)
        const ends = await Promise.all(
          ids.map(id => commit(giveUpPasskey(dialect, place, id, 0, stage.now()))),
        )
        expect(ends.toSorted()).to.deep.equal(['account_changed', 'done'])
        expect(await passkeysOf(robin.person)).to.have.length(1)
        const [left] = await passkeysOf(robin.person)
        const last = giveUpPasskey(
          dialect,
          await placeOf(robin.person),
          left?.credentialId ?? '',
          0,
          stage.now(),
        )
        expect(await commit(last)).to.equal('not_allowed')
      }
    })

    it('none is left by a reset that takes them while another is added', async () => {
      const { id, organisationId } = dana.person
      for (let round = 0; round < 20; round++) {
        const place = await placeOf(dana.person)
        const user = { id, organisationId, epoch: place.epoch }
        const [added, reset] = await Promise.all([
          commit([...moveOn(place), insertPasskey(credential(`c${round}`, id), stage.now())]),
          commit(resetSecondFactor(user, 'operator', true, stage.now())),
        ])
        expect([added, reset].toSorted()).to.deep.equal(['account_changed', 'done'])
        expect((await passkeysOf(dana.person)).length > 0, `round ${round}`).to.equal(added === 'done')
        await change(stage, 'DELETE FROM passkeys WHERE account_id = ?', [id])
      }
    })
  })

  it('change nothing by a password alone', async () => {
    const person = await stage.person({ graceUntil: 'tomorrow' })
    const by = createVisitor(stage.origin)
    const start = await by.follow('/account')
    const base = `/interaction/${uidOf(start.url)}`
    await by.post(`${base}/identify`, { email: person.email, webauthn: 'none' })
    await by.post(`${base}/password`, { password: 'quiet otters borrow nine lanterns', webauthn: 'none' })
    await by.post(`${base}/put-off`, {})
    await by.follow(base)
    expect((await by.follow(NEW)).heading).to.equal('Set up two-factor authentication')
    const answer = await by.post(NEW, { response: '{}' })
    expect((await by.follow(answer.location ?? '')).heading).to.equal('Set up two-factor authentication')
    const found = await rows(stage, 'SELECT credential_id FROM passkeys WHERE account_id = ?', [person.id])
    expect(found).to.have.length(0)
  })
})
