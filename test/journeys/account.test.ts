// A user's own pages, without an app: logging in there, proving more there, cancelling, logging out.

import { expect } from 'chai'
import { guardedPages } from '../support/guarded-pages.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { totp } from '../support/tools.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, PHONE, type Tab } from './tab.ts'

const MINUTE = 60 * 1000
const CODE = 'Verify your identity'
const STEP_UP = 'Confirm it’s you'

describe('journey: one’s own account', function () {
  this.timeout(60_000)
  let stage: Stage
  let dana: Enrolled
  let tab: Tab

  before(async () => {
    stage = await openStage({ extend: guardedPages })
    dana = await enrolledPerson(stage)
  })
  after(() => stage?.close())
  afterEach(() => tab?.close())

  async function logIn(): Promise<void> {
    await tab.open(`${stage.origin}/account`)
    await tab.read('to go on to your account')
    await tab.identify(dana.email)
    await tab.enterPassword()
    await tab.see(CODE)
    await tab.enterCode(await nextCode(stage, dana.secret))
    await tab.see('Dana Whitlock')
  }

  it('opens after a login, says how well it is protected, and logs out of everything', async () => {
    tab = await openTab(stage)
    await logIn()
    await tab.read('Your account is well protected.')
    await tab.follow('Log out')
    await tab.see('Log out?')
    await tab.press('Stay logged in')
    await tab.see('Dana Whitlock')
    await tab.follow('Log out')
    await tab.press('Log out')
    await tab.see('You are logged out')
    await tab.follow('Go to your account')
    await tab.see('Log in')
  })

  it('leads to setting a second factor up, on a phone, and back', async () => {
    const person = await stage.person({ graceUntil: 'tomorrow', name: 'Olu Adebayo' })
    tab = await openTab(stage, PHONE)
    await tab.open(`${stage.origin}/account`)
    await tab.identify(person.email)
    await tab.enterPassword()
    await tab.press('Not now')
    await tab.see('Olu Adebayo')
    await tab.read('Two-factor authentication is not set up.')
    await tab.follow('Set up two-factor authentication')
    await tab.see('Set up two-factor authentication')
    expect(await tab.offers('Not now')).to.equal(false)
    const key = await tab.page.getByLabel('Setup key').innerText()
    await tab.enterCode(await totp(key, new Date(stage.now())))
    await tab.see('Save your recovery code')
    await tab.page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')
    await tab.see('Olu Adebayo')
    await tab.read('Your account is well protected.')
  })

  it('works without JavaScript', async () => {
    tab = await openTab(stage, { javaScriptEnabled: false })
    await logIn()
    await tab.follow('Log out')
    await tab.press('Log out')
    await tab.see('You are logged out')
  })

  it('asks for the code again where a page wants it fresh, and no more than the code', async () => {
    tab = await openTab(stage)
    await logIn()
    stage.advance(6 * MINUTE)
    await tab.open(`${stage.origin}/test/fresh`)
    await tab.see(STEP_UP)
    await tab.fill('One-time code', await nextCode(stage, dana.secret))
    await tab.press('Confirm')
    await tab.see('Opened /test/fresh')
  })

  it('ends on a page after Cancel, from which one starts again or goes back', async () => {
    tab = await openTab(stage)
    await logIn()
    stage.advance(6 * MINUTE)
    await tab.open(`${stage.origin}/test/fresh`)
    await tab.see(STEP_UP)
    await tab.press('Cancel')
    await tab.see('You cancelled')
    await tab.page.reload()
    await tab.see('This answer is no longer good')
    await tab.follow('Back to your account')
    await tab.see('Dana Whitlock')
  })
})
