// Apps of others ask before they get anything; the answer is kept.

import { expect } from 'chai'
import { openStage, type Stage } from '../support/stage.ts'
import { type App, openApp } from './app.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, type Tab } from './tab.ts'

describe('journey: an app of somebody else', function () {
  this.timeout(60_000)
  let stage: Stage
  let dana: Enrolled
  let tab: Tab
  const apps: App[] = []

  before(async () => {
    stage = await openStage()
    dana = await enrolledPerson(stage)
    tab = await openTab(stage)
  })
  after(async () => {
    await tab?.close()
    for (const app of apps) await app.close()
    await stage?.close()
  })

  async function logIn(): Promise<void> {
    await tab.identify(dana.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, dana.secret))
  }

  it('asks what it may have; “Deny” tells it so, “Allow” lets it in, and the second login asks no more', async () => {
    const app = await openApp(stage, { name: 'Northbeam Reports', firstParty: false })
    apps.push(app)
    const denied = await app.begin()
    await tab.open(denied.url)
    await logIn()
    await tab.see('Allow Northbeam Reports to use your account?')
    await tab.read(dana.email)
    await tab.read('See your email address')
    await tab.read(new URL(app.origin).host)
    await tab.press('Deny')
    await tab.see('Northbeam Reports: not logged in')
    expect((await denied.answer).error).to.equal('access_denied')

    const allowed = await app.begin()
    await tab.open(allowed.url)
    await tab.see('Allow Northbeam Reports to use your account?')
    await tab.press('Allow')
    await tab.see('Welcome to Northbeam Reports')
    expect((await allowed.answer).claims).to.deep.include({ sub: dana.id, amr: ['pwd', 'otp', 'mfa'] })

    const again = await app.begin()
    await tab.open(again.url)
    await tab.see('Welcome to Northbeam Reports')
    expect((await again.answer).claims?.sub).to.equal(dana.id)
  })

  it('asks again for what is new, and for leave to stay connected', async () => {
    const [app] = apps
    if (app === undefined) throw new Error('no app')
    const { url, answer } = await app.begin({
      scope: 'openid email profile offline_access',
      prompt: 'consent',
    })
    await tab.open(url)
    await tab.see('Allow Northbeam Reports to use your account?')
    await tab.read('Stay connected while you are away')
    await tab.press('Allow')
    await tab.see('Welcome to Northbeam Reports')
    expect((await answer).tokens?.refresh_token).to.be.a('string')
  })

  it('may be a native one, that listens on whatever port is free (RFC 8252)', async () => {
    const app = await openApp(stage, { name: 'Cable Tester', firstParty: false, native: true })
    apps.push(app)
    await tab.forget()
    const { url, answer } = await app.begin()
    await tab.open(url)
    await logIn()
    await tab.see('Allow Cable Tester to use your account?')
    await tab.press('Allow')
    await tab.see('Welcome to Cable Tester')
    expect((await answer).claims?.sub).to.equal(dana.id)
  })
})
