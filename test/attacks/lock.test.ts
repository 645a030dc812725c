// "Lock my account": the owner's way to shut everybody out, by a link that is in every notice. It must stop whoever is
// in, and must not become a way to shut owners out.

import { expect } from 'chai'
import { readAccount } from '../../src/store/accounts/accounts.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { PASSWORD, type Person, type Stage } from '../support/stage.ts'
import { createVisitor, type RelyingParty, relyingParty, throughPassword, uidOf } from '../support/visitor.ts'
import {
  audited,
  challengeOf,
  DAY,
  givePasskey,
  mailed,
  RESET_LINK,
  rows,
  type Victim,
  victim,
} from './ground.ts'

const LOCK_LINK = /http\S+\/link\/lock\/[\w.-]+/
const NEW_PASSWORD = 'seven brass kettles hum at dusk'

onEveryStage('attacks around a locked account', open => {
  let stage: Stage
  let party: RelyingParty

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })

  const statusOf = async ({ id }: Person) => (await readAccount(stage.running.services.database, id))?.status

  /** The path of the link in the notice that somebody's authenticator was set up. */
  async function linkOf({ person }: Victim): Promise<string> {
    return new URL(await mailed(stage, person, LOCK_LINK)).pathname
  }

  /** The link in a notice of today: that in the first one has run out by now. */
  async function freshLink(dana: Victim): Promise<string> {
    const old = await linkOf(dana)
    expect((await createVisitor(stage.origin).get(old)).heading).to.equal('This link no longer works')
    await setPassword(dana, PASSWORD)
    return new URL(await mailed(stage, dana.person, LOCK_LINK, [`${stage.origin}${old}`])).pathname
  }

  /** Sets a new password by a mailed link. */
  async function setPassword({ person }: Victim, password: string): Promise<void> {
    const earlier = (await stage.mails()).flatMap(({ text }) => RESET_LINK.exec(text ?? '')?.[0] ?? [])
    await createVisitor(stage.origin).post('/forgot-password', { email: person.email })
    const link = new URL(await mailed(stage, person, RESET_LINK, earlier)).pathname
    const saved = await createVisitor(stage.origin).post(link, { password })
    expect(saved.heading).to.equal('Your password is changed')
  }

  const press = (link: string) => createVisitor(stage.origin).post(link, {})

  it('ends whoever is in, and lets nobody in by password, code or a passkey that was added since', async () => {
    const dana = await victim(stage, party)
    const old = await givePasskey(stage, dana.person)
    stage.advance(8 * DAY)
    const thiefs = await givePasskey(stage, dana.person)
    const link = await freshLink(dana)
    expect((await press(link)).heading).to.equal('Your account is locked')
    expect(await statusOf(dana.person)).to.equal('locked')
    expect(await audited(stage, 'account.locked', dana.person)).to.equal(1)

    const { url } = await dana.visitor.follow((await party.begin()).url)
    expect(url, 'the session').to.include('/interaction/')
    const { page } = await throughPassword(
      createVisitor(stage.origin),
      (await party.begin()).url,
      dana.person.email,
    )
    expect(page.heading, 'the old password').to.equal('Enter your password')
    for (const authenticator of [old, thiefs]) {
      const visitor = createVisitor(stage.origin)
      const begun = await visitor.follow((await party.begin()).url)
      const response = JSON.stringify(authenticator.assert(challengeOf(begun)))
      expect((await visitor.post(`/interaction/${uidOf(begun.url)}/passkey`, { response })).status).to.equal(
        400,
      )
    }
    const left = await rows(stage, 'SELECT credential_id FROM passkeys WHERE account_id = ?', [
      dana.person.id,
    ])
    expect(left).to.have.length(1)

    // A new password opens it, and the second factor is asked for as ever.
    await setPassword(dana, NEW_PASSWORD)
    expect(await statusOf(dana.person)).to.equal('active')
    const visitor = createVisitor(stage.origin)
    const { page: asked } = await throughPassword(
      visitor,
      (await party.begin()).url,
      dana.person.email,
      NEW_PASSWORD,
    )
    expect(asked.heading).to.equal('Verify your identity')
  })

  it('R7: opening the link, as mail scanners do, locks nothing; it locks once, also when pressed twenty times at once', async () => {
    const dana = await victim(stage, party)
    const link = await linkOf(dana)
    for (let n = 0; n < 3; n++) {
      expect((await createVisitor(stage.origin).get(link)).heading).to.equal('Lock your account?')
    }
    expect(await statusOf(dana.person)).to.equal('active')
    const answers = await Promise.all(Array.from({ length: 20 }, () => press(link)))
    const locked = answers.filter(each => each.heading === 'Your account is locked')
    expect(locked).to.have.length(1)
    expect(answers.filter(each => each.status === 404)).to.have.length(19)
    expect(await audited(stage, 'account.locked', dana.person)).to.equal(1)

    // And not again, once the owner has opened their account.
    await setPassword(dana, NEW_PASSWORD)
    expect((await press(link)).heading).to.equal('This link no longer works')
    expect(await statusOf(dana.person)).to.equal('active')
  })

  it('S9: takes no press from another site', async () => {
    const dana = await victim(stage, party)
    const link = await linkOf(dana)
    const answer = await createVisitor(stage.origin).post(link, {}, { 'sec-fetch-site': 'cross-site' })
    expect(answer.status).to.equal(403)
    expect(await statusOf(dana.person)).to.equal('active')
  })

  it('nobody makes a link for another: a changed, cut, or older token is none', async () => {
    const dana = await victim(stage, party)
    const link = await linkOf(dana)
    const token = decodeURIComponent(link.split('/').at(-1) ?? '')
    const other = `${token.slice(0, 20)}${token[20] === 'A' ? 'B' : 'A'}${token.slice(21)}`
    for (const each of [
      other,
      token.slice(0, -4),
      's1.',
      'x',
      encodeURIComponent('s1.\0'),
      'a'.repeat(4000),
    ]) {
      const answer = await createVisitor(stage.origin).get(`/link/lock/${each}`)
      expect([404, 400, 414, 431], each).to.include(answer.status)
    }
    expect(await statusOf(dana.person)).to.equal('active')
  })

  it('a link to a new password that was asked for before opens nothing', async () => {
    const dana = await victim(stage, party)
    await createVisitor(stage.origin).post('/forgot-password', { email: dana.person.email })
    const before = new URL(await mailed(stage, dana.person, RESET_LINK)).pathname
    await press(await linkOf(dana))
    const answer = await createVisitor(stage.origin).post(before, { password: NEW_PASSWORD })
    expect(answer.heading).to.equal('This link no longer works')
    expect(await statusOf(dana.person)).to.equal('locked')
  })

  const CHANGE_LINK = /http\S+\/link\/email-change\/[\w-]+/
  const STOP_LINK = /http\S+\/link\/email-stop\/[\w.-]+/

  /** Whoever is in changes the address to one of theirs. */
  async function stealAddress({ visitor }: Victim, email: string): Promise<void> {
    await visitor.post('/account/email', { email })
    const confirm = new URL(await mailed(stage, { email }, CHANGE_LINK)).pathname
    expect((await press(confirm)).heading).to.equal('Your address is changed')
  }

  it('in a mailbox whose address a thief has changed puts the address back, and the new password goes there', async () => {
    const dana = await victim(stage, party)
    const link = await linkOf(dana)
    const thiefs = 'lock-thief@evil.example'
    const opened = await createVisitor(stage.origin).get(link)
    expect(opened.heading).to.equal('Lock your account?')
    await stealAddress(dana, thiefs)
    await stealAddress(dana, `second-${thiefs}`)

    // Also on the page that was open before.
    for (const led of [await press(link), await createVisitor(stage.origin).get(link)]) {
      expect(led.status).to.equal(303)
      const asked = await createVisitor(stage.origin).follow(led.location ?? '')
      expect(asked.heading).to.equal('Put the old address back?')
      expect(await statusOf(dana.person), 'by opening it').to.equal('active')
    }
    const { location = '' } = await press(link)
    expect((await press(new URL(location).pathname)).heading).to.equal('Your account is locked')
    expect(await readAccount(stage.running.services.database, dana.person.id)).to.include({
      email: dana.person.email,
      status: 'locked',
    })
    for (const email of [thiefs, `second-${thiefs}`]) {
      await createVisitor(stage.origin).post('/forgot-password', { email })
    }
    await setPassword(dana, NEW_PASSWORD)
    const resets = (await stage.mails()).filter(({ text }) => RESET_LINK.test(text ?? ''))
    expect(resets.filter(({ to }) => JSON.stringify(to).includes(thiefs))).to.deep.equal([])
  })

  it('in a thief’s mailbox is dead once the owner has put the address back', async () => {
    const dana = await victim(stage, party)
    const thiefs = 'lock-again@evil.example'
    await stealAddress(dana, thiefs)
    await dana.visitor.post('/account/name', { name: 'Dana W' })
    const stolen = new URL(await mailed(stage, { email: thiefs }, LOCK_LINK)).pathname
    const stops = (await stage.mails()).flatMap(({ text, to }) =>
      JSON.stringify(to).includes(dana.person.email) ? (STOP_LINK.exec(text ?? '')?.[0] ?? []) : [],
    )
    const putBack = await press(new URL(stops.at(-1) ?? '').pathname)
    expect(putBack.heading).to.equal('Your account is locked')
    await setPassword(dana, NEW_PASSWORD)
    expect((await createVisitor(stage.origin).get(stolen)).heading).to.equal('This link no longer works')
    expect((await press(stolen)).heading).to.equal('This link no longer works')
    expect(await statusOf(dana.person)).to.equal('active')
  })

  it('in a mailbox that was the account’s too long ago to be put back is dead', async () => {
    const dana = await victim(stage, party)
    const link = await linkOf(dana)
    await stealAddress(dana, 'lock-moved@example.net')
    stage.advance(4 * DAY)
    expect((await press(link)).heading).to.equal('This link no longer works')
    expect(await statusOf(dana.person)).to.equal('active')
  })

  it('the last admin can lock themselves, and comes back as an admin', async () => {
    const priya = await victim(stage, party, { role: 'admin' })
    await press(await linkOf(priya))
    expect(await statusOf(priya.person)).to.equal('locked')
    await setPassword(priya, NEW_PASSWORD)
    expect(await readAccount(stage.running.services.database, priya.person.id)).to.include({
      status: 'active',
      role: 'admin',
    })
  })
})
