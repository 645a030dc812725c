// Ten wrong passwords stop that place, and only that place: the owner has a mail that ends it, and a browser that the
// account knows was never stopped.

import { expect } from 'chai'
import { openStage, type Stage } from '../support/stage.ts'
import { type App, openApp } from './app.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, type Tab } from './tab.ts'

const BLOCKED = /^Too many tries. For 24 hours, passwords for this address are not taken from where you are./

describe('journey: ten wrong passwords', function () {
  this.timeout(60_000)
  let stage: Stage
  let app: App
  let dana: Enrolled
  let known: Tab
  let stranger: Tab

  before(async () => {
    stage = await openStage()
    app = await openApp(stage)
    dana = await enrolledPerson(stage)
    known = await openTab(stage)
    stranger = await openTab(stage)
  })
  after(async () => {
    await known?.close()
    await stranger?.close()
    await app?.close()
    await stage?.close()
  })

  async function toPassword(tab: Tab): Promise<void> {
    const { url } = await app.begin()
    await tab.open(url)
    await tab.identify(dana.email)
  }

  async function logIn(tab: Tab): Promise<void> {
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, dana.secret))
    await tab.see('Welcome to Fleetdesk')
  }

  it('stop passwords from there, the right one too, and tell the owner', async () => {
    await toPassword(known)
    await logIn(known)

    await toPassword(stranger)
    for (let tries = 1; tries < 10; tries++) {
      await stranger.enterPassword(`wrong ${tries}`)
      await stranger.read('The email address or the password isn’t right.')
    }
    await stranger.enterPassword('wrong 10')
    await stranger.read(BLOCKED)
    const mail = await stage.mail(({ subject }) => subject === 'Too many wrong passwords for your account')
    expect(mail.to).to.deep.include({ text: dana.email })
    await stranger.enterPassword()
    await stranger.read(BLOCKED)
  })

  it('don’t stop the browser in which the owner has logged in before', async () => {
    const { url } = await app.begin({ prompt: 'login' })
    await known.open(url)
    await known.see('Enter your password')
    await known.read(dana.email)
    await logIn(known)
  })

  it('are forgotten by “Unblock” in the mail', async () => {
    const mail = await stage.mail(({ subject }) => subject === 'Too many wrong passwords for your account')
    const link = /https?:\S+\/link\/\S+/.exec(mail.text ?? '')?.[0] ?? ''
    expect((await fetch(link)).status, 'a scanner').to.equal(200)
    await toPassword(stranger)
    await stranger.enterPassword()
    await stranger.read(BLOCKED)

    await known.open(link)
    await known.see('Unblock your login?')
    await known.read(dana.email)
    await known.press('Unblock')
    await known.see('Passwords are taken again')
    await known.open(link)
    await known.see('This link no longer works')

    await logIn(stranger)
  })
})
