// What people do about their own factors and password, in a browser: a new phone, a lost one, a new recovery code, a
// passkey from its first day to its last, a new password.

import { setTimeout } from 'node:timers/promises'
import { expect } from 'chai'
import { virtualAuthenticator } from '../support/chromium.ts'
import { openStage, PASSWORD, type Stage } from '../support/stage.ts'
import { totp } from '../support/tools.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, PHONE, type Tab } from './tab.ts'

const MINUTE = 60 * 1000
const CODE = 'Verify your identity'
const STEP_UP = 'Confirm it’s you'
const NEW_PASSWORD = 'seven herons polish copper kettles'

describe('journey: one’s own factors and password', function () {
  this.timeout(60_000)
  let stage: Stage
  let dana: Enrolled
  let tab: Tab

  before(async () => {
    stage = await openStage()
  })
  beforeEach(async () => {
    dana = await enrolledPerson(stage)
  })
  after(() => stage?.close())
  afterEach(() => tab?.close())

  async function logIn(secret = dana.secret, password = PASSWORD): Promise<void> {
    await tab.open(`${stage.origin}/account`)
    await tab.identify(dana.email)
    await tab.enterPassword(password)
    await tab.see(CODE)
    await tab.enterCode(await nextCode(stage, secret))
    await tab.see('Dana Whitlock')
  }

  async function confirm(secret = dana.secret): Promise<void> {
    await tab.see(STEP_UP)
    await tab.fill('One-time code', await nextCode(stage, secret))
    await tab.press('Confirm')
  }

  /** The key of a set-up page, as it is typed into an app. */
  async function keyOnPage(): Promise<string> {
    const key = tab.page.getByLabel('Setup key')
    if (!(await key.isVisible())) await tab.page.getByText('Trouble scanning?').click()
    return (await key.innerText()).replaceAll(' ', '')
  }

  const told = (subject: string) =>
    stage.mail(mail => mail.subject === subject && JSON.stringify(mail.to).includes(dana.email))

  it('moves to a new phone: the old one’s code, a new key, the new one’s code', async () => {
    tab = await openTab(stage)
    await logIn()
    stage.advance(6 * MINUTE)
    await tab.follow('Move to a new phone')
    await tab.see('Move to a new phone?')
    await tab.follow('Continue')
    await confirm()
    await tab.see('Move to a new phone')
    const secret = await keyOnPage()
    await tab.enterCode('000000')
    await tab.read('That code isn’t right.')
    expect(await keyOnPage()).to.equal(secret)
    await tab.enterCode(await totp(secret, new Date(stage.now())))
    await tab.see('Dana Whitlock')
    await tab.read('Your authenticator app is set up. Only its codes work from now on.')
    await told('An authenticator app was set up for your account')

    await tab.forget()
    await tab.open(`${stage.origin}/account`)
    await tab.identify(dana.email)
    await tab.enterPassword()
    await tab.enterCode(await nextCode(stage, dana.secret))
    await tab.read('That code isn’t right.')
    await tab.enterCode(await nextCode(stage, secret))
    await tab.see('Dana Whitlock')
  })

  it('changes its mind, and nothing is changed', async () => {
    tab = await openTab(stage)
    await logIn()
    await tab.follow('Move to a new phone')
    await tab.follow('Continue')
    await tab.see('Move to a new phone')
    await tab.follow('Cancel')
    await tab.see('Dana Whitlock')
    await tab.forget()
    await logIn()
  })

  it('replaces a lost phone with the recovery code, on a phone and without JavaScript', async () => {
    tab = await openTab(stage, { ...PHONE, javaScriptEnabled: false })
    await logIn()
    stage.advance(6 * MINUTE)
    await tab.follow('Move to a new phone')
    await tab.follow('Your old phone is lost? Use your recovery code')
    await tab.see('Use your recovery code')
    await tab.fill('Recovery code', dana.recoveryCode.toLowerCase().replaceAll('-', ' '))
    await tab.press('Continue')
    await tab.see('Save your recovery code')
    await tab.read('You have used your old code')
    await tab.page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')
    await tab.see('Move to a new phone')
    const secret = await keyOnPage()
    await tab.enterCode(await totp(secret, new Date(stage.now())))
    await tab.see('Dana Whitlock')
    await tab.read('Your account is well protected.')
    await told('Your recovery code was used')
    await told('An authenticator app was set up for your account')
    await tab.page.getByRole('link', { name: 'Change the password' }).click()
    await confirm(secret)
    await tab.see('Change your password')
  })

  it('gets a new recovery code, which is shown until it is ticked, and lets in where the old one does not', async () => {
    tab = await openTab(stage)
    await logIn()
    stage.advance(6 * MINUTE)
    await tab.follow('Get a new code')
    await confirm()
    await tab.see('Get a new recovery code?')
    await tab.press('Show a new code')
    await tab.see('Save your recovery code')
    const code = await tab.page.getByLabel('Recovery code', { exact: true }).innerText()
    await tab.press('Continue')
    await tab.read('Save the code first, then tick the box.')
    await tab.page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')
    await tab.see('Dana Whitlock')
    await tab.read('Your recovery code is saved.')
    await told('A new recovery code was made for your account')

    await tab.forget()
    await tab.open(`${stage.origin}/account`)
    await tab.identify(dana.email)
    await tab.enterPassword()
    await tab.follow('Use a recovery code')
    await tab.fill('Recovery code', dana.recoveryCode)
    await tab.press('Continue')
    await tab.read('That isn’t your current recovery code.')
    await tab.fill('Recovery code', code)
    await tab.press('Continue')
    await tab.see('Save your recovery code')
  })

  it('adds a passkey, logs in with it, renames it, and removes it', async () => {
    tab = await openTab(stage)
    await logIn()
    const device = await virtualAuthenticator(tab.page)
    await tab.follow('Add a passkey')
    await tab.see('Add a passkey')
    await device.setVerified(false)
    await tab.press('Continue')
    await tab.read('No passkey was made. Try again, or choose “Cancel”.')
    await device.setVerified(true)
    await tab.press('Continue')
    await tab.see('Dana Whitlock')
    await tab.read('Your passkey is saved. It logs you in from now on.')
    expect(await device.credentials()).to.have.length(1)
    await told('A passkey was added to your account')
    await tab.follow('Add a passkey')
    await tab.press('Continue')
    await tab.read('This device has a passkey for your account already.')

    await device.setPresence(false)
    await tab.forget()
    await tab.open(`${stage.origin}/account`)
    await tab.see('Log in')
    await device.setPresence(true)
    await tab.press('Continue with a passkey')
    await tab.see('Dana Whitlock')
    await tab.follow('Rename Passkey')
    await tab.see('Rename the passkey “Passkey”')
    await tab.fill('Name', 'ThinkPad at work')
    await tab.press('Save the name')
    await tab.read('The passkey has its new name.')
    await told('A passkey of your account has another name')

    await tab.follow('Remove ThinkPad at work')
    await tab.see('Remove the passkey “ThinkPad at work”?')
    await tab.read('You proved yourself here with this passkey')
    await tab.press('Remove')
    await tab.enterPassword()
    await tab.see(CODE)
    await tab.enterCode(await nextCode(stage, dana.secret))
    await tab.see('Dana Whitlock')
    await tab.read('The passkey is removed')
    await tab.read('You have none yet.')
    await told('A passkey was removed from your account')
  })

  it('changes the name, which the passkey’s list in the browser shows from then on', async () => {
    tab = await openTab(stage)
    await logIn()
    const device = await virtualAuthenticator(tab.page)
    await tab.follow('Add a passkey')
    await tab.press('Continue')
    await tab.read('Your passkey is saved.')
    expect((await device.credentials()).map(each => each.userDisplayName)).to.deep.equal(['Dana Whitlock'])
    stage.advance(6 * MINUTE)
    await tab.follow('Change the name')
    await confirm()
    await tab.see('Change your name')
    await tab.fill('Name', '   ')
    await tab.press('Save the name')
    await tab.read('Enter a name, in one line and at most 200 characters.')
    await tab.fill('Name', 'Dana Reyes')
    await tab.press('Save the name')
    await tab.see('Dana Reyes')
    await tab.read('Your name is changed.')
    await until('Dana Reyes', async () => (await device.credentials())[0]?.userDisplayName)
    await told('The name of your account was changed')
    await tab.follow('Change the name')
    await tab.press('Save the name')
    await tab.read('That is your name already: nothing was changed.')
  })

  /** The browser acts on a signal in its own time. */
  async function until(wanted: string, seen: () => Promise<string | undefined>): Promise<void> {
    const deadline = Date.now() + 5000
    for (let last = await seen(); last !== wanted; last = await seen()) {
      if (Date.now() > deadline) throw new Error(`not ${wanted}, but ${last}`)
      await setTimeout(50)
    }
  }

  it('changes the password, which ends the session of another browser and not this one', async () => {
    const elsewhere = await openTab(stage)
    tab = elsewhere
    await logIn()
    tab = await openTab(stage)
    await logIn()
    stage.advance(6 * MINUTE)
    await tab.page.getByRole('link', { name: 'Change the password' }).click()
    await confirm()
    await tab.see('Change your password')
    await tab.fill('Current password', 'not that')
    await tab.fill('New password', NEW_PASSWORD)
    await tab.press('Change the password')
    await tab.read('That isn’t your current password.')
    await tab.fill('Current password', PASSWORD)
    await tab.fill('New password', 'Dana Whitlock 1')
    await tab.press('Change the password')
    await tab.read('That contains your name')
    await tab.fill('Current password', PASSWORD)
    await tab.fill('New password', NEW_PASSWORD)
    await tab.press('Change the password')
    await tab.see('Dana Whitlock')
    await tab.read('Your password is changed. You are logged out everywhere else.')
    await told('Your password was changed')
    await elsewhere.open(`${stage.origin}/account`)
    await elsewhere.see('Log in')
    await elsewhere.close()
    await tab.forget()
    await logIn(dana.secret, NEW_PASSWORD)
  })
})
