// The day after a subscription begins: two-factor authentication may be put off, and not an hour longer; an app that
// wants two factors does not wait.

import { expect } from 'chai'
import { openStage, type Person, type Stage } from '../support/stage.ts'
import { totp } from '../support/tools.ts'
import { type App, openApp } from './app.ts'
import { openTab, type Tab } from './tab.ts'

const HOUR = 60 * 60 * 1000
const SET_UP = 'Set up two-factor authentication'

describe('journey: the day of grace', function () {
  this.timeout(60_000)
  let stage: Stage
  let app: App
  let person: Person
  let tab: Tab
  let began = 0

  before(async () => {
    stage = await openStage()
    app = await openApp(stage)
    began = stage.now()
    person = await stage.person({ graceUntil: 'tomorrow' })
    tab = await openTab(stage, { timezoneId: 'Europe/Berlin', locale: 'en-GB' })
  })
  after(async () => {
    await tab?.close()
    await app?.close()
    await stage?.close()
  })

  it('lets setting up be put off, says until when, and states one factor', async () => {
    const { url, answer } = await app.begin()
    await tab.open(url)
    await tab.identify(person.email)
    await tab.enterPassword()
    await tab.see(SET_UP)
    const until = tab.page.locator('time')
    const time = Date.parse((await until.getAttribute('datetime')) ?? '')
    expect(time).to.be.within(began + 24 * HOUR, stage.now() + 24 * HOUR)
    const there = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short', timeZone: 'Europe/Berlin' })
    expect(await until.innerText(), 'in the time of the reader').to.include(there.format(time))
    await tab.press('Not now')
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims).to.deep.include({ acr: 'urn:sallyport:acr:1fa', amr: ['pwd'] })
  })

  it('asks no more in the same session, while the day lasts', async () => {
    stage.advance(23 * HOUR)
    const { url, answer } = await app.begin()
    await tab.open(url)
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.amr).to.deep.equal(['pwd'])
  })

  it('offers no “Not now” to somebody whose app asks for two factors, nor the set-up before the mailbox is proven', async () => {
    const { url } = await app.begin({ acr_values: 'urn:sallyport:acr:2fa' })
    await tab.open(url)
    // The password was typed yesterday: whoever found the browser open would have a factor of their own.
    await tab.see('Check your email')
    expect(await tab.offers('Not now')).to.equal(false)
    const { text = '' } = await stage.mail(mail => /^Your code/i.test(mail.subject ?? ''))
    await tab.enterCode(/\b\d{6}\b/.exec(text)?.[0] ?? '')
    await tab.see(SET_UP)
    expect(await tab.offers('Not now')).to.equal(false)
  })

  it('is over for the same session after hour 24', async () => {
    stage.advance(HOUR)
    const silent = await app.begin({ prompt: 'none' })
    await tab.open(silent.url)
    expect((await silent.answer).error).to.equal('interaction_required')

    const { url, answer } = await app.begin()
    await tab.open(url)
    await tab.see(SET_UP)
    expect(await tab.offers('Not now')).to.equal(false)
    await tab.page.getByText('Trouble scanning?').click()
    const key = await tab.page.getByLabel('Setup key').innerText()
    await tab.enterCode(await totp(key, new Date(stage.now())))
    await tab.see('Save your recovery code')
    await tab.page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims).to.deep.include({
      acr: 'urn:sallyport:acr:2fa',
      amr: ['pwd', 'otp', 'mfa'],
    })
  })
})
