// The authenticator is not at hand: a recovery code lets its user in, once, and never counts as a second factor.

import { expect } from 'chai'
import { openStage, type Stage } from '../support/stage.ts'
import { totp } from '../support/tools.ts'
import { type App, openApp } from './app.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, type Tab } from './tab.ts'

const TWO_FACTORS = 'urn:sallyport:acr:2fa'

describe('journey: a recovery code', function () {
  this.timeout(60_000)
  let stage: Stage
  let app: App
  let dana: Enrolled
  let tab: Tab
  let successor = ''

  before(async () => {
    stage = await openStage()
    app = await openApp(stage)
    dana = await enrolledPerson(stage)
    tab = await openTab(stage)
  })
  after(async () => {
    await tab?.close()
    await app?.close()
    await stage?.close()
  })

  async function toRecoveryPage(): Promise<void> {
    await tab.identify(dana.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.follow('Use a recovery code')
    await tab.see('Use your recovery code')
  }

  async function enterRecoveryCode(code: string): Promise<void> {
    await tab.fill('Recovery code', code)
    await tab.press('Continue')
  }

  async function saveNewCode(): Promise<string> {
    await tab.see('Save your recovery code')
    const shown = await tab.page.getByLabel('Recovery code', { exact: true }).innerText()
    await tab.page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')
    return shown
  }

  it('lets its user in, is replaced by a new one that must be ticked, and leaves the session at one factor', async () => {
    const { url, answer } = await app.begin()
    await tab.open(url)
    await toRecoveryPage()
    await enterRecoveryCode('K7QM-4TXD-K7QM-4TXD-K7QM-4TXD')
    await tab.read('That isn’t your current recovery code.')
    await enterRecoveryCode(` ${dana.recoveryCode.toLowerCase().replaceAll('-', ' ')} `)
    await tab.see('Save your recovery code')
    await tab.read('You have used your old code, and it no longer works.')
    await tab.press('Continue')
    await tab.read('Save the code first, then tick the box.')
    successor = await saveNewCode()
    expect(successor).not.to.equal(dana.recoveryCode)
    await tab.see('Set up your authenticator again?')
    await tab.press('Not now')
    await tab.see('Welcome to Fleetdesk')
    const { claims } = await answer
    expect(claims?.amr).to.deep.equal(['pwd'])
    expect(claims?.acr).to.equal('urn:sallyport:acr:1fa')
    const mail = await stage.mail(({ subject }) => subject === 'Your recovery code was used')
    expect(mail.text).to.include(dana.email)
  })

  it('is no second factor for an app that asks for two: the code page offers to set up again', async () => {
    const { url, answer } = await app.begin({ acr_values: TWO_FACTORS })
    await tab.open(url)
    await tab.see('Confirm it’s you')
    expect(await tab.page.getByRole('link', { name: 'Use a recovery code' }).count()).to.equal(0)
    await tab.press('Set up your authenticator again')
    await tab.see('Set up two-factor authentication')
    await tab.press('Not now')
    await tab.see('Confirm it’s you')
    await tab.fill('One-time code', await nextCode(stage, dana.secret))
    await tab.press('Confirm')
    await tab.see('Welcome to Fleetdesk')
    const { claims } = await answer
    expect(claims).to.deep.include({ acr: TWO_FACTORS, amr: ['pwd', 'otp', 'mfa'] })
  })

  it('is refused once it was used; its successor works, and the authenticator can be set up again', async () => {
    await tab.forget()
    const { url, answer } = await app.begin()
    await tab.open(url)
    await toRecoveryPage()
    await enterRecoveryCode(dana.recoveryCode)
    await tab.read('That isn’t your current recovery code.')
    await enterRecoveryCode(successor)
    await saveNewCode()
    await tab.see('Set up your authenticator again?')
    await tab.press('Set up now')
    await tab.see('Set up two-factor authentication')
    await tab.page.getByText('Trouble scanning?').click()
    const secret = (await tab.page.getByLabel('Setup key').innerText()).replaceAll(' ', '')
    expect(secret).not.to.equal(dana.secret)
    await tab.enterCode(await totp(secret, new Date(stage.now())))
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims).to.deep.include({ acr: TWO_FACTORS, amr: ['pwd', 'otp', 'mfa'] })

    await tab.forget()
    const next = await app.begin()
    await tab.open(next.url)
    await tab.identify(dana.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, dana.secret))
    await tab.read('That code isn’t right.')
    await tab.enterCode(await nextCode(stage, secret))
    await tab.see('Welcome to Fleetdesk')
  })
})
