// Somebody looks where they are logged in and which apps they let in, and ends what they don't want, in a browser.

import { expect } from 'chai'
import { openStage, type Stage } from '../support/stage.ts'
import { createVisitor, logIn } from '../support/visitor.ts'
import { type App, openApp } from './app.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, PHONE, type Tab } from './tab.ts'

describe('journey: one’s own sessions, apps and activity', function () {
  this.timeout(60_000)
  let stage: Stage
  let dana: Enrolled
  let app: App
  let tab: Tab

  before(async () => {
    stage = await openStage()
    dana = await enrolledPerson(stage)
    app = await openApp(stage, { name: 'Northbeam Reports', firstParty: false })
  })
  after(async () => {
    await tab?.close()
    await app?.close()
    await stage?.close()
  })

  it('logs another browser out, takes an app’s access away, and reads what it did, on a phone', async () => {
    const other = createVisitor(stage.origin)
    await other.follow(
      await logIn(stage, other, '/account', dana as never, { secret: dana.secret, recoveryCode: '' }),
    )
    tab = await openTab(stage, PHONE)
    const begun = await app.begin()
    await tab.open(begun.url)
    await tab.identify(dana.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, dana.secret))
    await tab.see('Allow Northbeam Reports to use your account?')
    await tab.press('Allow')
    await tab.see('Welcome to Northbeam Reports')

    await tab.open(`${stage.origin}/account`)
    await tab.see('Dana Whitlock')
    await tab.follow('Sessions')
    await tab.see('Sessions')
    await tab.read('This one')
    await tab.follow('Log out everywhere else')
    await tab.see('Log out everywhere else?')
    expect((await other.get('/account')).status, 'before the press').to.equal(200)
    await tab.press('Log out everywhere else')
    await tab.see('Sessions')
    await tab.read('You are logged out everywhere else.')
    expect((await other.get('/account')).status).to.equal(303)

    await tab.follow('Apps')
    await tab.see('Apps')
    await tab.read('See your email address')
    await tab.follow('Remove access Northbeam Reports')
    await tab.see('Remove the access of Northbeam Reports?')
    await tab.press('Remove access')
    await tab.see('Apps')
    await tab.read('The app can no longer use your account.')

    await tab.follow('Activity')
    await tab.see('Activity')
    await tab.read('App’s access removed')
    await tab.read('App: Northbeam Reports')
    await tab.read('Logged out everywhere else')
  })
})
