// Confirming an action in a real browser: each rule, and every way that it can end.

import { expect } from 'chai'
import { virtualAuthenticator } from '../support/chromium.ts'
import { asking, REQUESTS } from '../support/console.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { totp } from '../support/tools.ts'
import { type Answer, type App, openActingApp } from './app.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, PHONE, type Tab } from './tab.ts'

const MINUTE = 60_000

describe('journey: confirming an action', function () {
  this.timeout(120_000)
  let stage: Stage
  let app: App
  let person: Enrolled
  let tab: Tab

  before(async () => {
    stage = await openStage()
    app = await openActingApp(stage)
    person = await enrolledPerson(stage, { name: 'Dana Whitlock' })
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

  const detailOf = ({ tokens }: Answer) =>
    (tokens?.authorization_details as { action: string; objects: string[] }[] | undefined)?.[0]
  const actionOf = (answer: Answer) => detailOf(answer)?.action
  const objectsOf = (answer: Answer) => detailOf(answer)?.objects

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
    expect(await tab.offers('Cancel')).to.equal(true)
    await tab.press('Confirm')
    await tab.see('Welcome to Fleetdesk')
    expect(actionOf(await answer)).to.equal('device.delete')
  })

  it('off: shows no page; within five minutes: shows one when they are over', async () => {
    await loggedIn()
    for (const id of ['device.rename', 'script.run'] as const) {
      const { url, answer } = await app.begin(asking(REQUESTS[id]))
      await tab.open(url)
      await tab.see('Welcome to Fleetdesk')
      expect(actionOf(await answer)).to.equal(id)
    }
    stage.advance(6 * MINUTE)
    const { url, answer } = await app.begin(asking(REQUESTS['script.run']))
    await tab.open(url)
    await tab.see('Confirm: run reboot.sh on 2 devices')
    await confirmCode()
    await tab.see('Welcome to Fleetdesk')
    expect(actionOf(await answer)).to.equal('script.run')
  })

  it('passkey: tells somebody who has none what to do, and how; then takes the one they made', async () => {
    await loggedIn()
    const refused = await app.begin(asking(REQUESTS['secret.view']))
    await tab.open(refused.url)
    await tab.see('You need a passkey for this')
    await tab.read(
      'in your account, on a device with a screen lock, a fingerprint reader or face recognition.',
    )
    const add = tab.page.getByRole('link', { name: 'Add a passkey', exact: true })
    expect(await add.getAttribute('href')).to.equal('/account/passkeys/new')
    await tab.press('Back to Fleetdesk')
    await tab.see('Fleetdesk: not logged in')
    expect((await refused.answer).error).to.equal('unmet_authentication_requirements')

    // Or by the offer at the next login, where there is a device that can.
    await tab.forget()
    await virtualAuthenticator(tab.page)
    const login = await app.begin()
    await tab.open(login.url)
    await tab.identify(person.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, person.secret))
    await tab.see('Log in faster with a passkey')
    await tab.press('Continue')
    await tab.see('Welcome to Fleetdesk')

    const { url, answer } = await app.begin(asking(REQUESTS['secret.view']))
    await tab.open(url)
    await tab.see('Confirm: view a secret')
    expect(await tab.page.getByLabel('One-time code').count()).to.equal(0)
    await tab.press('Use a passkey')
    await tab.see('Welcome to Fleetdesk')
    expect(actionOf(await answer)).to.equal('secret.view')

    // Where a code would do, a passkey does too.
    const either = await app.begin(asking(REQUESTS['device.delete']))
    await tab.open(either.url)
    await tab.see('Confirm: delete 2 devices at Acme')
    await tab.press('Use a passkey')
    await tab.see('Welcome to Fleetdesk')
    expect(actionOf(await either.answer)).to.equal('device.delete')
  })

  it('says of a wrong code and of a used one what to do, and still what is confirmed', async () => {
    await loggedIn()
    const { url } = await app.begin(asking(REQUESTS['device.delete']))
    await tab.open(url)
    await tab.see('Confirm: delete 2 devices at Acme')
    await tab.fill('One-time code', await totp(person.secret, new Date(stage.now())))
    await tab.press('Confirm')
    await tab.read('You used that code already. Wait for the next one, up to 30 seconds.')
    await tab.fill('One-time code', await totp(person.secret, new Date(stage.now() - 90 * MINUTE)))
    await tab.press('Confirm')
    await tab.read('That code isn’t right. Enter the one that your app shows now.')
    await tab.see('Confirm: delete 2 devices at Acme')
    await confirmCode()
    await tab.see('Welcome to Fleetdesk')
  })

  it('Cancel leads back to the app, and nothing is done', async () => {
    await loggedIn(PHONE)
    const { url, answer } = await app.begin(asking(REQUESTS['device.delete']))
    await tab.open(url)
    await tab.see('Confirm: delete 2 devices at Acme')
    await tab.press('Cancel')
    await tab.see('Fleetdesk: not logged in')
    expect((await answer).error).to.equal('access_denied')
    await tab.page.goBack()
    await tab.see('This login has expired')
  })

  it('asked without an action: Confirm it’s you', async () => {
    await loggedIn()
    stage.advance(6 * MINUTE)
    const { url, answer } = await app.begin({ max_age: '300' })
    await tab.open(url)
    await tab.see('Confirm it’s you')
    await confirmCode()
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).error).to.equal(undefined)
  })

  it('two tabs with two actions: each hands over its own', async () => {
    await loggedIn()
    const first = await app.begin(asking(REQUESTS['device.delete']))
    await tab.open(first.url)
    await tab.see('Confirm: delete 2 devices at Acme')
    const second = await tab.another()
    const run = await app.begin(asking({ ...REQUESTS['device.delete'], objects: ['dev_99'] }))
    await second.open(run.url)
    await second.see('Confirm: delete 1 device at Acme')
    await second.fill('One-time code', await nextCode(stage, person.secret))
    await second.press('Confirm')
    await second.see('Welcome to Fleetdesk')
    await confirmCode()
    await tab.see('Welcome to Fleetdesk')
    expect(objectsOf(await run.answer)).to.deep.equal(['dev_99'])
    expect(objectsOf(await first.answer)).to.deep.equal(['dev_17', 'dev_23'])
  })

  it('works without JavaScript', async () => {
    await loggedIn({ javaScriptEnabled: false })
    const { url, answer } = await app.begin(asking(REQUESTS['device.delete']))
    await tab.open(url)
    await tab.see('Confirm: delete 2 devices at Acme')
    expect(await tab.offers('Use a passkey')).to.equal(false)
    await confirmCode()
    await tab.see('Welcome to Fleetdesk')
    expect(actionOf(await answer)).to.equal('device.delete')
  })
})
