// An owner who did not do what a notice tells of locks the account from the mail, and opens it by a new password.

import { expect } from 'chai'
import { openStage, type Stage } from '../support/stage.ts'
import { type App, openApp } from './app.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, type Tab } from './tab.ts'

const NEW_PASSWORD = 'seven brass kettles hum at dusk'

describe('journey: locking one’s account', function () {
  this.timeout(60_000)
  let stage: Stage
  let app: App
  let dana: Enrolled
  let thief: Tab
  let tab: Tab

  before(async () => {
    stage = await openStage()
    app = await openApp(stage)
    dana = await enrolledPerson(stage)
    thief = await openTab(stage)
    tab = await openTab(stage)
  })
  after(async () => {
    await thief?.close()
    await tab?.close()
    await app?.close()
    await stage?.close()
  })

  async function mailed(subject: string, pattern: RegExp): Promise<string> {
    const mail = await stage.mail(each => each.subject === subject)
    expect(mail.to).to.deep.include({ text: dana.email })
    return pattern.exec(mail.text ?? '')?.[0] ?? ''
  }

  it('logs out whoever is in', async () => {
    await thief.open((await app.begin()).url)
    await thief.identify(dana.email)
    await thief.enterPassword()
    await thief.enterCode(await nextCode(stage, dana.secret))
    await thief.see('Welcome to Fleetdesk')

    await tab.open(
      await mailed('An authenticator app was set up for your account', /http\S+\/link\/lock\/\S+/),
    )
    await tab.see('Lock your account?')
    await tab.press('Lock my account')
    await tab.see('Your account is locked')

    await thief.open((await app.begin()).url)
    await thief.identify(dana.email)
    await thief.enterPassword()
    await thief.read('The email address or the password isn’t right.')
  })

  it('opens again by a new password, with the second factor', async () => {
    await tab.follow('Choose a new password')
    await tab.see('Set a new password')
    await tab.fill('Email address', dana.email)
    await tab.press('Send the link')
    await tab.open(await mailed('Choose a new password', /http\S+\/link\/password-reset\/\S+/))
    await tab.fill('New password', NEW_PASSWORD)
    await tab.press('Save the password')
    await tab.see('Your password is changed')
    await tab.open((await app.begin()).url)
    await tab.identify(dana.email)
    await tab.enterPassword(NEW_PASSWORD)
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, dana.secret))
    await tab.see('Welcome to Fleetdesk')
  })
})
