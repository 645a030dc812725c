// Confirming an action in a real browser: each rule, and every way that it can end.

import { expect } from 'chai'
import { setActions } from '../../src/actions/registration.ts'
import { createApi } from '../../src/apis.ts'
import { virtualAuthenticator } from '../support/chromium.ts'
import { ACTIONS, asking, REQUESTS } from '../support/console.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { type Answer, type App, openApp } from './app.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, PHONE, type Tab } from './tab.ts'

const MINUTE = 60_000

describe('journey: confirming an action', function () {
  this.timeout(60_000)
  let stage: Stage
  let app: App
  let person: Enrolled
  let tab: Tab

  before(async () => {
    stage = await openStage()
    app = await openApp(stage)
    await createApi(stage.directory, { resource: 'https://fleet.example/', scopes: ['devices:delete'] })
    await setActions(stage.directory, app.clientId, ACTIONS)
    stage.advance(10_001)
    person = await enrolledPerson(stage, 'Dana Whitlock')
  })
  after(async () => {
    await app.close()
    await stage.close()
  })
  afterEach(() => tab?.close())

  async function loggedIn(options = {}): Promise<void> {
    tab = await openTab(stage, options)
    const { url, answer } = await app.begin()
    await tab.open(url)
    await tab.identify(person.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, person.secret))
    await tab.see('Welcome to Fleetdesk')
    await answer
  }

  async function confirmCode(): Promise<void> {
    await tab.fill('One-time code', await nextCode(stage, person.secret))
    await tab.press('Confirm')
  }

  const actionOf = ({ tokens }: Answer): unknown =>
    (tokens?.authorization_details as { action?: string }[] | undefined)?.[0]?.action

  it('always: shows what is asked, takes a code, and hands over a proof', async () => {
    await loggedIn()
    const objects = Array.from({ length: 14 }, (_, index) => `ACME-LT-${String(index + 1).padStart(3, '0')}`)
    const { url, answer } = await app.begin(asking({ ...REQUESTS['device.delete'], objects }))
    await tab.open(url)
    await tab.see('Confirm: delete 14 devices at Acme')
    await tab.read('Asked by')
    await tab.read('You confirm these 14 devices and nothing else.')
    expect(await tab.page.getByText('ACME-LT-014').isVisible()).to.equal(false)
    await tab.page.getByText('Show all 14').click()
    await tab.read('ACME-LT-014')
    await confirmCode()
    await tab.see('Welcome to Fleetdesk')
    expect(actionOf(await answer)).to.equal('device.delete')
  })

  it('always, straight from a login: shows Confirm and Cancel only', async () => {
    tab = await openTab(stage, PHONE)
    const { url, answer } = await app.begin(asking(REQUESTS['device.delete']))
    await tab.open(url)
    await tab.identify(person.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, person.secret))
    await tab.see('Confirm: delete 2 devices at Acme')
    expect(await tab.page.getByLabel('One-time code').count()).to.equal(0)
    await tab.press('Confirm')
    await tab.see('Welcome to Fleetdesk')
    expect(actionOf(await answer)).to.equal('device.delete')
  })
})
