// The main job, in a real browser, against the running server and the demo app; the QR code is read from a screenshot
// by other people's code, and the one-time codes are made by other people's code.

import { expect } from 'chai'
import { openStage, type Person, type Stage } from '../support/stage.ts'
import { readQr, totp } from '../support/tools.ts'
import { nextCode, openTab, PHONE, type Tab } from './tab.ts'

describe('journey: a user logs in to an app', function () {
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
  afterEach(() => tab?.close())

  it('sets up an authenticator, saves the recovery code and arrives at the app with honest tokens', async () => {
    tab = await openTab(stage)
    const { page } = tab
    await tab.start()
    await tab.identify(person.email)
    await tab.enterPassword()

    await tab.see('Set up two-factor authentication')
    const uri = new URL(await readQr(await page.getByRole('img', { name: 'QR code' }).screenshot()))
    expect(uri.protocol).to.equal('otpauth:')
    expect(decodeURIComponent(uri.pathname)).to.include('Sallyport').and.include(person.email)
    secret = uri.searchParams.get('secret') ?? ''
    await tab.read('Google Authenticator, Authy, Duo or Microsoft Authenticator.')
    await page.getByText('Trouble scanning?').click()
    const key = await page.getByLabel('Setup key').textContent()
    expect(key?.replaceAll(/\s/g, '')).to.equal(secret)
    expect(await tab.offers('Not now'), 'the day of grace is over').to.equal(false)
    await tab.enterCode('000000')
    await tab.read('That code isn’t right.')
    await tab.enterCode(await totp(secret, new Date(stage.now())))

    await tab.see('Save your recovery code')
    const code = await page.getByLabel('Recovery code', { exact: true }).textContent()
    expect(code?.replaceAll(/[^A-Z0-9]/g, '')).to.have.length(24)
    await tab.press('Continue')
    await tab.read('Save the code first, then tick the box.')
    expect(await page.getByLabel('Recovery code', { exact: true }).textContent()).to.equal(code)
    await page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')

    const claims = await tab.arrive()
    expect(claims).to.include({
      email: person.email,
      acr: 'urn:sallyport:acr:2fa',
      amr: 'pwd, otp, mfa',
    })
    const mail = await stage.mail(
      ({ subject }) => subject === 'An authenticator app was set up for your account',
    )
    expect(mail.text).to.include(person.email)
  })

  it('asks for the code only, the second time', async () => {
    tab = await openTab(stage)
    await tab.start()
    await tab.identify(person.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    expect(await tab.offers('Use a passkey'), 'the user has none').to.equal(false)
    // The code of this time step may be the one that set the authenticator up.
    await tab.enterCode(await totp(secret, new Date(stage.now() + 30_000)))
    await tab.read('your phone’s clock may be ahead')
    await tab.enterCode(await nextCode(stage, secret))
    expect(await tab.arrive()).to.include({ email: person.email, amr: 'pwd, otp, mfa' })
  })

  it('logs out of the app and of the provider', async () => {
    tab = await openTab(stage)
    await tab.start()
    await tab.identify(person.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, secret))
    await tab.arrive()
    await tab.press('Log out')
    await tab.see('Log out?')
    await tab.press('Log out')
    await tab.see('Fleetdesk')
    await tab.follow('Log in')
    await tab.see('Log in')
  })

  it('gives a phone the key at once, and a link that opens its authenticator app', async () => {
    const other = await stage.person()
    tab = await openTab(stage, PHONE)
    const { page } = tab
    await tab.start()
    await tab.identify(other.email)
    await tab.enterPassword()
    await tab.see('Set up two-factor authentication')
    const link = page.getByRole('link', { name: 'Open my authenticator app' })
    const uri = new URL((await link.getAttribute('href')) ?? '')
    expect(uri.protocol).to.equal('otpauth:')
    const key = page.getByLabel('Setup key')
    expect(await key.isVisible()).to.equal(true)
    expect((await key.innerText()).replaceAll(' ', '')).to.equal(uri.searchParams.get('secret'))
    const [above, between, below] = await Promise.all(
      [link, key, page.getByRole('img', { name: 'QR code' })].map(
        async each => (await each.boundingBox())?.y ?? 0,
      ),
    )
    expect([above, between, below], 'link, key, picture').to.deep.equal(
      [above, between, below].toSorted((a, b) => Number(a) - Number(b)),
    )
    await tab.enterCode(await totp(uri.searchParams.get('secret') ?? '', new Date(stage.now())))
    await tab.see('Save your recovery code')
    await page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')
    expect(await tab.arrive()).to.include({ email: other.email })
  })
})
