// A browser without script: everything but passkeys works, and nothing is shown that would not.

import { expect } from 'chai'
import { virtualAuthenticator } from '../support/chromium.ts'
import { openStage, type Person, type Stage } from '../support/stage.ts'
import { totp } from '../support/tools.ts'
import { nextCode, openTab, type Tab } from './tab.ts'

describe('journey: a browser without JavaScript', function () {
  this.timeout(60_000)
  let stage: Stage
  let person: Person
  let tab: Tab
  let secret = ''

  before(async () => {
    stage = await openStage()
    person = await stage.person()
  })
  after(() => stage?.close())
  beforeEach(async () => {
    tab = await openTab(stage, { javaScriptEnabled: false })
    await virtualAuthenticator(tab.page)
  })
  afterEach(() => tab?.close())

  it('sets up by the typed key, saves the recovery code by hand, and is offered no passkey', async () => {
    await tab.start()
    await tab.see('Log in')
    expect(await tab.offers('Continue with a passkey')).to.equal(false)
    await tab.identify(person.email)
    await tab.enterPassword()
    await tab.see('Set up two-factor authentication')
    await tab.page.getByText('Trouble scanning?').click()
    secret = (await tab.page.getByLabel('Setup key').innerText()).replaceAll(' ', '')
    expect(await tab.offers('Copy')).to.equal(false)
    const code = await totp(secret, new Date(stage.now()))
    await tab.enterCode(`${code.slice(0, 3)} ${code.slice(3)}`)
    await tab.see('Save your recovery code')
    expect(await tab.offers('Copy code')).to.equal(false)
    expect(await tab.page.getByLabel('Recovery code', { exact: true }).innerText()).to.match(
      /^(\w{4}-){5}\w{4}$/,
    )
    await tab.page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')
    expect(await tab.arrive()).to.include({ email: person.email, amr: 'pwd, otp, mfa' })
  })

  it('logs in again', async () => {
    await tab.start()
    await tab.identify(person.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    expect(await tab.offers('Use a passkey')).to.equal(false)
    await tab.enterCode(await nextCode(stage, secret))
    expect(await tab.arrive()).to.include({ email: person.email })
  })
})
