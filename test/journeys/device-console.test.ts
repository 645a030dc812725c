// The demo app as its users meet it: what needs no confirmation, what needs a recent one, one every time, or a passkey;
// and every way on which nothing is done. The app, its API and the provider are three parties that only know what the
// protocol tells them.

import { expect } from 'chai'
import { virtualAuthenticator } from '../support/chromium.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { type TimeTravel, timeTravel, withClock } from '../support/time-travel.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, PHONE, type Tab } from './tab.ts'

const MINUTE = 60_000
const DELETE = 'Delete selected devices at Acme'
const BOTH = 'Confirm: delete 2 devices at Acme'
const PASSWORD_VIEW = 'Confirm: view the administrator password of File server'

describe('journey: the device console', function () {
  this.timeout(120_000)
  let time: TimeTravel
  let stage: Stage
  let dana: Enrolled
  let tab: Tab

  before(async () => {
    time = timeTravel()
    stage = withClock(await openStage(), time)
    dana = await enrolledPerson(stage)
  })
  after(async () => {
    await stage?.close()
    time.end()
  })
  afterEach(() => tab?.close())

  async function logIn(options: Parameters<typeof openTab>[1] = {}): Promise<void> {
    tab = await openTab(stage, options)
    await tab.start()
    await passwordAndCode()
    await tab.see('Devices')
    await tab.press('Put the sample devices back')
    await tab.read('The sample devices are back')
  }

  async function passwordAndCode(): Promise<void> {
    await tab.identify(dana.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, dana.secret))
  }

  const choose = (name: string, of = tab) => of.page.getByLabel(`Choose ${name}`).check()
  const has = (name: string) => tab.page.getByRole('link', { name, exact: true }).isVisible()

  /** As far as the page that asks. */
  async function deleteBoth(of = tab): Promise<void> {
    await choose('Reception laptop', of)
    await choose('Sales laptop', of)
    await of.press(DELETE)
    await of.see(BOTH)
  }

  async function confirm(code?: string, by = tab): Promise<void> {
    await by.fill('One-time code', code ?? (await nextCode(stage, dana.secret)))
    await by.press('Confirm')
  }

  /** What the box shows of the proof. */
  async function proof(): Promise<Record<string, string>> {
    const rows = await tab.page.locator('.story dl div').all()
    const claims = await Promise.all(
      rows.map(async row => [await row.locator('dt').innerText(), await row.locator('dd').innerText()]),
    )
    return Object.fromEntries(claims) as Record<string, string>
  }

  it('renames a device, and asks for nothing more than the login', async () => {
    await logIn()
    await tab.follow('Sales laptop')
    await tab.see('Sales laptop')
    await tab.fill('Name', 'Sales <b>laptop</b> & more')
    await tab.press('Rename')
    await tab.read('ACME-LT-023 is now called Sales <b>laptop</b> & more')
    await tab.read('The API wanted nothing more than your login. Its token says:')
    expect(await proof()).to.include({ acr: 'urn:sallyport:acr:2fa', amr: 'pwd, otp, mfa' })
    expect(await proof()).not.to.have.property('authorization_details')
  })

  it('runs a script, and asks for a code where the last one is older than five minutes', async () => {
    await logIn()
    const run = async () => {
      await tab.follow('Reception laptop')
      await tab.see('Reception laptop')
      await tab.page.getByLabel('Script').selectOption('Install updates')
      await tab.press('Run')
    }
    await run()
    await tab.read('“Install updates” runs on Reception laptop')
    await tab.read('The API wanted nothing more than your login.')

    time.forward(6 * MINUTE)
    await run()
    await tab.see('Confirm it’s you')
    await confirm()
    await tab.read('“Install updates” runs on Reception laptop')
    await tab.read('insufficient_user_authentication')
    expect(await proof()).not.to.have.property('authorization_details')

    await run()
    await tab.read('The API wanted nothing more than your login.')
  })

  it('deletes exactly the devices that a code confirms: not a wrong one, not a used one', async () => {
    await logIn()
    await deleteBoth()
    await tab.read('ACME-LT-017')
    await tab.read('ACME-LT-023')
    await confirm('000000')
    await tab.read('That code isn’t right.')
    const code = await nextCode(stage, dana.secret)
    await confirm(code)
    await tab.read('2 devices deleted at Acme')
    await tab.read('insufficient_authorization')
    const { authorization_details: details = '[]' } = await proof()
    const [{ confirmation_id: id, ...action }] = JSON.parse(details)
    expect(id).to.be.a('string')
    expect(action).to.deep.equal({
      type: 'protected_action',
      action: 'device.delete',
      objects: ['ACME-LT-017', 'ACME-LT-023'],
      fields: { site: 'Acme' },
    })
    expect([
      await has('Reception laptop'),
      await has('Sales laptop'),
      await has('File server'),
    ]).to.deep.equal([false, false, true])

    await choose('File server')
    await tab.press(DELETE)
    await tab.see('Confirm: delete a device at Acme')
    await confirm(code)
    await tab.read('You used that code already.')
    await confirm()
    await tab.read('1 device deleted at Acme')
  })

  it('deletes nothing after Cancel, and nothing that was not chosen', async () => {
    await logIn()
    await tab.press(DELETE)
    await tab.see('Nothing was deleted')
    await tab.read('Choose at least one device.')
    await tab.follow('Back')
    await tab.see('Devices')
    await deleteBoth()
    await tab.press('Cancel')
    await tab.see('Nothing was deleted')
    await tab.read('You chose Cancel, and everything is as it was.')
    await tab.follow('Back')
    await tab.see('Devices')
    expect([await has('Reception laptop'), await has('Sales laptop')]).to.deep.equal([true, true])
  })

  it('asks whoever has waited: the login’s token is over, the task is not lost', async () => {
    await logIn()
    await choose('Reception laptop')
    await choose('Sales laptop')
    time.forward(6 * MINUTE)
    await tab.press(DELETE)
    await tab.see(BOTH)
    await confirm()
    await tab.read('2 devices deleted at Acme')
    time.forward(6 * MINUTE)
    await tab.page.reload()
    await tab.see('Devices')
  })

  it('keeps two tabs with two actions apart', async () => {
    await logIn()
    const other = await tab.another()
    await other.open(stage.demoOrigin)
    await other.see('Devices')
    await deleteBoth()
    await choose('File server', other)
    await other.press(DELETE)
    await other.see('Confirm: delete a device at Acme')
    await confirm()
    await tab.read('2 devices deleted at Acme')
    expect(await has('File server')).to.equal(true)
    await confirm(undefined, other)
    await other.read('1 device deleted at Acme')
  })

  it('does nothing again after Back or a reload', async () => {
    await logIn()
    await deleteBoth()
    await confirm()
    await tab.read('2 devices deleted at Acme')
    const callback: string[] = []
    tab.page.on('request', request => {
      if (request.url().includes('/confirmed')) callback.push(request.url())
    })
    await tab.page.reload()
    await tab.read('2 devices deleted at Acme')
    await tab.press('Put the sample devices back')
    await tab.read('The sample devices are back')
    await tab.page.goBack()
    await tab.page.goBack()
    await tab.see('This login has expired')
    await tab.page.goForward()
    await tab.open(stage.demoOrigin)
    await tab.see('Devices')
    expect(await has('Reception laptop')).to.equal(true)
    expect(callback).to.deep.equal([])
  })

  describe('address bar', () => {
    /** Presses Delete, and stops on the way to the provider. @returns the address that is then in the bar */
    async function addressBar(): Promise<URL> {
      let location = ''
      await tab.page.route(`${stage.demoOrigin}/delete`, async route => {
        const response = await route.fetch({ maxRedirects: 0 })
        location = response.headers().location ?? ''
        await route.fulfill({ status: 204 })
      })
      await choose('Reception laptop')
      const answered = tab.page.waitForResponse(`${stage.demoOrigin}/delete`)
      await tab.press(DELETE)
      await answered
      return new URL(location)
    }
    const less = JSON.stringify([
      {
        type: 'protected_action',
        action: 'device.delete',
        objects: ['BDC-NAS-01'],
        fields: { site: 'Nowhere' },
      },
    ])

    it('holds nothing that could be edited: the request was pushed', async () => {
      await logIn()
      const url = await addressBar()
      expect([...url.searchParams.keys()]).to.deep.equal(['client_id', 'request_uri'])
      url.searchParams.set('authorization_details', less)
      url.searchParams.set('acr_values', 'urn:sallyport:acr:1fa')
      await tab.open(url.href)
      await tab.see('Confirm: delete a device at Acme')
      await tab.read('ACME-LT-017')
    })

    it('may start another request, whose answer the app does not take', async () => {
      await logIn()
      const url = await addressBar()
      url.search = new URLSearchParams({
        client_id: 'demo',
        response_type: 'code',
        redirect_uri: `${stage.demoOrigin}/confirmed`,
        scope: 'openid',
        state: 'a-state-of-the-user’s-own',
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
        code_challenge_method: 'S256',
        authorization_details: less,
      }).toString()
      await tab.open(url.href)
      await tab.see('Confirm: delete a device at Nowhere')
      await confirm()
      await tab.see('Nothing was done')
      await tab.read(/this was not started in this browser/)
      await tab.follow('Back to the start')
      await tab.see('Devices')
      expect([await has('Reception laptop'), await has('Backup storage')]).to.deep.equal([true, true])
    })
  })

  describe('“passkey only”', () => {
    async function showPassword(): Promise<void> {
      await tab.follow('File server')
      await tab.see('File server')
      await tab.press('Show password')
    }

    it('tells a user without a passkey what to do and how; done so, it shows the password, once', async () => {
      await logIn()
      await showPassword()
      await tab.see('You need a passkey for this')
      await tab.press('Back to Fleetdesk')
      await tab.see('The password was not shown')
      await tab.read('your account has none yet')
      const fleetdesk = new URL('/', tab.page.url()).href

      await virtualAuthenticator(tab.page)
      await tab.follow('Add a passkey')
      await tab.see('Add a passkey')
      await tab.press('Continue')
      await tab.read('Your passkey is saved. It logs you in from now on.')
      await tab.open(fleetdesk)
      await tab.see('Devices')

      await showPassword()
      await tab.see(PASSWORD_VIEW)
      expect(await tab.page.getByLabel('One-time code').count()).to.equal(0)
      await tab.press('Use a passkey')
      // The page before says nearly the same.
      await tab.see('Devices')
      await tab.read('The administrator password of File server')
      const shown = tab.page.locator('output')
      expect(await shown.innerText()).to.match(/^(\w{4}-){3}\w{4}$/)
      expect(await proof()).to.include({ acr: 'phr', amr: 'pwd, otp, hwk, user, pop, mfa' })
      expect((await proof()).authorization_details).to.include('password.view')
      await tab.page.reload()
      await tab.see('Devices')
      expect(await shown.count()).to.equal(0)
    })
  })

  it('works on a phone, and without script', async () => {
    await logIn({ ...PHONE, javaScriptEnabled: false })
    await deleteBoth()
    await confirm()
    await tab.read('2 devices deleted at Acme')
  })
})
