// Ways through a login that nobody drew: Back, reload, twice, two tabs, too late, no cookies. Each ends on a page with a
// way on; none with half a login, a second use of anything, or a fault.

import { expect } from 'chai'
import { sweep } from '../../src/store/jobs/sweep.ts'
import { openStage, PASSWORD, type Stage } from '../support/stage.ts'
import { totp } from '../support/tools.ts'
import { type App, openApp } from './app.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, type Tab } from './tab.ts'

const MINUTE = 60 * 1000
const EXPIRED = 'This login has expired'
const OVER = 'This step is over'

describe('journey: detours', function () {
  this.timeout(60_000)
  let stage: Stage
  let app: App
  let dana: Enrolled
  let tab: Tab

  before(async () => {
    stage = await openStage()
    app = await openApp(stage)
    dana = await enrolledPerson(stage)
  })
  after(async () => {
    await app?.close()
    await stage?.close()
  })
  beforeEach(async () => {
    tab = await openTab(stage)
  })
  afterEach(() => tab?.close())

  async function begin(params: Record<string, string> = {}, by: Tab = tab) {
    const login = await app.begin(params)
    await by.open(login.url)
    return login
  }

  async function toCode(by: Tab = tab): Promise<void> {
    await by.identify(dana.email)
    await by.enterPassword()
    await by.see('Verify your identity')
  }

  async function finish(by: Tab = tab): Promise<void> {
    await by.enterCode(await nextCode(stage, dana.secret))
    await by.see('Welcome to Fleetdesk')
  }

  it('fills in the email address that the app hints at, and takes languages that it does not speak', async () => {
    const { answer } = await begin({ login_hint: dana.email, ui_locales: 'xx-YY de' })
    await tab.see('Log in')
    expect(await tab.page.getByLabel('Email address').inputValue()).to.equal(dana.email)
    await tab.press('Continue')
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await finish()
    expect((await answer).claims?.sub).to.equal(dana.id)
  })

  it('shows where the login stands after Back, at each step', async () => {
    const { answer } = await begin()
    await tab.identify(dana.email)
    await tab.see('Enter your password')
    await tab.page.goBack()
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.page.goBack()
    await tab.see('Verify your identity')
    await finish()
    expect((await answer).claims?.amr).to.deep.equal(['pwd', 'otp', 'mfa'])
    await tab.page.goBack()
    await tab.see(EXPIRED)
    const back = tab.page.getByRole('link', { name: 'Back to Fleetdesk' })
    expect(await back.getAttribute('href')).to.equal(app.origin)
  })

  it('shows the same page after a reload, also of what was sent', async () => {
    await begin()
    await tab.identify(dana.email)
    await tab.see('Enter your password')
    await tab.page.reload()
    await tab.enterPassword('not my password')
    await tab.read('The email address or the password isn’t right.')
    await tab.page.reload()
    await tab.read('The email address or the password isn’t right.')
    await tab.enterPassword()
    await tab.see('Verify your identity')
    const used = await nextCode(stage, dana.secret)
    await tab.enterCode('000000')
    await tab.read('That code isn’t right.')
    await tab.page.reload()
    await tab.read('That code isn’t right.')
    await tab.enterCode(used)
    await tab.see('Welcome to Fleetdesk')
  })

  it('keeps the setup key through Back and reload, and leaves no authenticator behind a first code', async () => {
    const robin = await stage.person()
    await begin()
    await tab.identify(robin.email)
    await tab.enterPassword()
    await tab.see('Set up two-factor authentication')
    const keyOf = async () =>
      (await tab.page.getByLabel('Setup key').textContent())?.replaceAll(' ', '') ?? ''
    const key = await keyOf()
    await tab.page.reload()
    expect(await keyOf()).to.equal(key)
    await tab.enterCode(await totp(key, new Date(stage.now())))
    await tab.see('Save your recovery code')
    const codeOf = () => tab.page.getByLabel('Recovery code', { exact: true }).innerText()
    const code = await codeOf()
    await tab.page.reload()
    expect(await codeOf()).to.equal(code)
    await tab.page.goBack()
    await tab.see('Save your recovery code')
    expect(await codeOf()).to.equal(code)
    await tab.page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')
    await tab.see('Welcome to Fleetdesk')
  })

  it('takes a double click for one', async () => {
    const { answer } = await begin()
    await tab.identify(dana.email)
    await tab.see('Enter your password')
    await tab.fill('Password', PASSWORD)
    await tab.page.getByRole('button', { name: 'Continue' }).dblclick()
    await Promise.race([tab.see('Verify your identity'), tab.see(OVER)])
    if ((await tab.page.locator('h1').innerText()) === OVER) await tab.follow('Go on with the login')
    await tab.see('Verify your identity')
    await tab.fill('One-time code', await nextCode(stage, dana.secret))
    await tab.page.getByRole('button', { name: 'Continue', exact: true }).dblclick()
    await tab.page.waitForFunction(`document.readyState === 'complete'`)
    const heading = await tab.page.locator('h1').innerText()
    if (heading === OVER) await tab.follow('Go on with the login')
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.sub).to.equal(dana.id)
  })

  it('goes on in either of two tabs of one login, and ends in one', async () => {
    const { url } = await begin()
    const other = await tab.another()
    await tab.see('Log in')
    await other.open(tab.page.url())
    await other.see('Log in')
    await tab.identify(dana.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await other.page.reload()
    await other.see('Verify your identity')
    const third = await tab.another()
    await third.open(tab.page.url())
    await third.see('Verify your identity')
    await finish()

    await other.enterCode('123456')
    await other.see(EXPIRED)
    await third.page.reload()
    await third.see(EXPIRED)
    expect(await third.page.getByRole('link', { name: 'Back to Fleetdesk' }).isVisible()).to.equal(true)
    expect(url).to.be.a('string')
  })

  it('refuses what a tab of before sends, and leads it to where the login stands', async () => {
    await begin()
    await tab.identify(dana.email)
    await tab.see('Enter your password')
    const stale = await tab.another()
    await stale.open(tab.page.url())
    await stale.see('Enter your password')
    await stale.follow('Edit')
    await stale.see('Log in')
    const twin = await tab.another()
    await twin.open(tab.page.url())
    await twin.see('Enter your password')
    await tab.enterPassword()
    await tab.see('Verify your identity')
    // What was done last is led on without a word; what is further behind is told.
    await twin.enterPassword()
    await twin.see('Verify your identity')
    await stale.identify(dana.email)
    await stale.see(OVER)
    await stale.follow('Go on with the login')
    await stale.see('Verify your identity')
    await finish(stale)
  })

  it('finishes two logins in two tabs, each with its own app', async () => {
    const second = await openApp(stage, { name: 'Northbeam' })
    const one = await begin()
    const other = await tab.another()
    const two = await second.begin()
    await other.open(two.url)
    await other.identify(dana.email)
    await toCode()
    await finish()
    await other.enterPassword()
    await other.see('Verify your identity')
    await other.enterCode(await nextCode(stage, dana.secret))
    await other.see('Welcome to Northbeam')
    expect((await one.answer).claims?.sub).to.equal(dana.id)
    expect((await two.answer).claims?.sub).to.equal(dana.id)
    await second.close()
  })

  it('does not mix two users in two tabs', async () => {
    const robin = await enrolledPerson(stage, { name: 'Robin Mayfield' })
    const one = await begin()
    const other = await tab.another()
    const two = await app.begin()
    await other.open(two.url)
    await other.identify(robin.email)
    await other.enterPassword()
    await other.see('Verify your identity')
    await toCode()
    await finish()
    expect((await one.answer).claims?.sub).to.equal(dana.id)
    await other.enterCode(await nextCode(stage, robin.secret))
    await other.see('Welcome to Fleetdesk')
    expect((await two.answer).claims?.sub).to.equal(robin.id)
    const silent = await app.begin({ prompt: 'none' })
    await tab.open(silent.url)
    expect((await silent.answer).claims?.sub, 'the session is of the last one').to.equal(robin.id)
  })

  it('says that it waited too long, and leads back to the app', async () => {
    await begin()
    await tab.identify(dana.email)
    await tab.see('Enter your password')
    // What has expired is kept five minutes more.
    stage.advance(36 * MINUTE)
    await sweep(stage.running.services.database, stage.now())
    await tab.enterPassword()
    await tab.see(EXPIRED)
    await tab.page.goBack()
    await tab.see(EXPIRED)
    expect(await tab.page.getByRole('link', { name: 'Back to Fleetdesk' }).getAttribute('href')).to.equal(
      app.origin,
    )
  })

  it('says so where the browser keeps no cookies', async () => {
    const { url } = await app.begin()
    // It follows the redirect, and brings nothing along.
    const { headers } = await fetch(url, { redirect: 'manual' })
    await tab.open(new URL(headers.get('location') ?? '', stage.origin).href)
    await tab.see('This browser doesn’t keep our cookie')
    await tab.read('Go back to your app and log in from there.')
  })

  it('ends after five wrong codes, and can be begun again', async () => {
    const robin = await enrolledPerson(stage)
    await begin()
    await tab.identify(robin.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    for (let tries = 0; tries < 5; tries++) {
      await tab.enterCode(`00000${tries}`)
      await tab.read('That code isn’t right.')
    }
    await tab.enterCode('000000')
    await tab.see('Too many tries in one login')
    expect(await tab.page.getByRole('link', { name: 'Back to Fleetdesk' }).getAttribute('href')).to.equal(
      app.origin,
    )
  })
})
