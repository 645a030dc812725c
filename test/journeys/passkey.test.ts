// A passkey instead of password and code: offered, used without a name, by autofill, on the code page, refused when it
// was removed; and the way on for somebody whose passkey is all there is.

import { setTimeout } from 'node:timers/promises'
import { expect } from 'chai'
import { sql, write } from '../../src/store/database.ts'
import { type VirtualAuthenticator, virtualAuthenticator } from '../support/chromium.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { totp } from '../support/tools.ts'
import { type App, openApp } from './app.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, type Tab } from './tab.ts'

const MINUTE = 60 * 1000
const DAY = 24 * 60 * MINUTE
const OFFER = 'Log in faster with a passkey'
const TWO_FACTORS = 'urn:sallyport:acr:2fa'

const loseAuthenticator = sql('test_lose_authenticator', 'DELETE FROM authenticators WHERE account_id = ?')
const rename = sql('test_rename', 'UPDATE accounts SET name = ? WHERE id = ?')
const removePasskeys = sql('test_remove_passkeys', 'DELETE FROM passkeys WHERE account_id = ?')

describe('journey: a passkey', function () {
  this.timeout(60_000)
  let stage: Stage
  let app: App
  let dana: Enrolled
  let tab: Tab
  let device: VirtualAuthenticator

  before(async () => {
    stage = await openStage()
    app = await openApp(stage)
    dana = await enrolledPerson(stage)
    tab = await openTab(stage)
    device = await virtualAuthenticator(tab.page, { automaticPresence: false })
  })
  after(async () => {
    await tab?.close()
    await app?.close()
    await stage?.close()
  })
  // With presence on, a page that offers autofill logs in as soon as it is there.
  beforeEach(() => device.setPresence(false))

  type Held = Awaited<ReturnType<VirtualAuthenticator['credentials']>>

  /** The browser acts on a signal in its own time. */
  async function until(
    which: VirtualAuthenticator,
    what: string,
    holds: (held: Held) => boolean,
  ): Promise<void> {
    const deadline = Date.now() + 5000
    while (!holds(await which.credentials())) {
      if (Date.now() > deadline) throw new Error(`the device never ${what}`)
      await setTimeout(50)
    }
  }

  /** Begins a login in a browser without cookies, whose device has its passkeys still. */
  async function begin(params: Record<string, string> = {}) {
    await tab.forget()
    const login = await app.begin(params)
    await tab.open(login.url)
    return login
  }

  async function byPassword(person: Enrolled): Promise<void> {
    await tab.identify(person.email)
    await tab.enterPassword()
  }

  async function byPasswordAndCode(person: Enrolled): Promise<void> {
    await byPassword(person)
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, person.secret))
  }

  it('is offered after a login and saved; its owner gets a mail', async () => {
    const { answer } = await begin()
    await byPasswordAndCode(dana)
    await tab.see(OFFER)
    await device.setVerified(false)
    await device.setPresence(true)
    await tab.press('Continue')
    await tab.read('No passkey was made. Try again, or choose “Not now”.')
    await device.setVerified(true)
    await tab.press('Continue')
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.amr).to.deep.equal(['pwd', 'otp', 'mfa'])
    expect(await device.credentials()).to.have.length(1)
    const mail = await stage.mail(({ subject }) => subject === 'A passkey was added to your account')
    expect(mail.text).to.include(dana.email)
  })

  it('logs in without an email address, and the tokens say how', async () => {
    const { answer } = await begin()
    await tab.see('Log in')
    await device.setPresence(true)
    await tab.press('Continue with a passkey')
    await tab.see('Welcome to Fleetdesk')
    const { claims } = await answer
    expect(claims?.sub).to.equal(dana.id)
    // The device's credential cannot be synced.
    expect(claims?.amr).to.deep.equal(['hwk', 'user', 'pop', 'mfa'])
    expect(claims?.acr, 'the strongest, where nothing was asked').to.equal('phr')
  })

  for (const acr of ['phr', TWO_FACTORS])
    it(`returns ${acr} to an app that asks for it, without another prompt`, async () => {
      const { url, answer } = await app.begin({ acr_values: acr })
      await tab.open(url)
      await tab.see('Welcome to Fleetdesk')
      expect((await answer).claims?.acr).to.equal(acr)
    })

  it('logs in by autofill', async () => {
    await device.setPresence(true)
    const { answer } = await begin()
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.sub).to.equal(dana.id)
  })

  it('is known to the device by its owner’s new name after a look at the account', async () => {
    const { database } = stage.running.services
    await database.commit([write(rename, ['Dana Whitlock-Reyes', dana.id])])
    await tab.open(`${stage.origin}/account`)
    await tab.see('Dana Whitlock-Reyes')
    await until(device, 'has the new name', held => held[0]?.userDisplayName === 'Dana Whitlock-Reyes')
    expect((await device.credentials())[0]?.userName).to.equal(dana.email)
    await database.commit([write(rename, ['Dana Whitlock', dana.id])])
  })

  it('stands in for the code, after the password', async () => {
    const { answer } = await begin()
    await byPassword(dana)
    await tab.see('Verify your identity')
    await device.setPresence(true)
    await tab.press('Use a passkey')
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.amr).to.deep.equal(['pwd', 'hwk', 'user', 'pop', 'mfa'])
  })

  it('outlives a reset: it leads to the set-up page without a mailed code, and afterwards logs in alone', async () => {
    const { organisationId } = dana
    const priya = await enrolledPerson(stage, { name: 'Priya Raman', role: 'admin', organisationId })
    const admin = await openTab(stage)
    await admin.open(`${stage.origin}/admin/users/${dana.id}`)
    await admin.identify(priya.email)
    await admin.enterPassword()
    await admin.enterCode(await nextCode(stage, priya.secret))
    await admin.see('Dana Whitlock')
    await admin.press('Reset 2FA')
    await admin.fill('Reason', 'A new phone')
    await admin.press('Reset 2FA for 1 user')
    await admin.see('2FA reset')
    await admin.close()

    // By autofill.
    await device.setPresence(true)
    const first = await begin()
    await tab.see('Set up two-factor authentication')
    expect(await tab.offers('Not now')).to.equal(false)
    const key = (await tab.page.locator('output#key').textContent())?.replaceAll(' ', '') ?? ''
    await tab.enterCode(await totp(key, new Date(stage.now())))
    await tab.see('Save your recovery code')
    await tab.page.getByLabel('I have safely recorded this code').check()
    await tab.press('Continue')
    await tab.see('Welcome to Fleetdesk')
    expect((await first.answer).claims?.acr).to.equal('phr')
    const codes = (await stage.mails()).filter(({ subject }) => /^Your code/i.test(subject ?? ''))
    expect(codes, 'mailed codes').to.deep.equal([])
    dana = { ...dana, secret: key }

    const second = await begin()
    await tab.see('Welcome to Fleetdesk')
    expect((await second.answer).claims?.amr).to.deep.equal(['hwk', 'user', 'pop', 'mfa'])
  })

  it('is asked for first where it is the only second factor; without it a mailed code leads to set-up', async () => {
    await stage.running.services.database.commit([write(loseAuthenticator, [dana.id])])
    const { answer } = await begin()
    await byPassword(dana)
    await tab.see('Verify your identity')
    expect(await tab.page.getByLabel('One-time code').count()).to.equal(0)
    await tab.press('Use a passkey')
    await tab.press('I can’t use my passkey')
    await tab.see('Check your email')
    const codeIn = (text = '') => /\b\d{6}\b/.exec(text)?.[0] ?? ''
    const subject = 'Your code to go on with the login'
    const first = codeIn((await stage.mail(mail => mail.subject === subject)).text)
    await tab.press('Send another code')
    await tab.read('We have just sent a code.')
    stage.advance(MINUTE)
    await tab.press('Send another code')
    await tab.read('A new code is on its way.')
    const second = await stage.mail(mail => mail.subject === subject && codeIn(mail.text) !== first)
    await tab.enterCode(first)
    await tab.read('That code isn’t right.')
    await tab.enterCode(codeIn(second.text))
    await tab.see('Set up two-factor authentication')
    expect(await tab.offers('Not now')).to.equal(false)
    await tab.page.getByText('Trouble scanning?').click()
    const secret = (await tab.page.getByLabel('Setup key').innerText()).replaceAll(' ', '')
    await tab.enterCode(await totp(secret, new Date(stage.now())))
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.amr).to.deep.equal(['pwd', 'otp', 'mfa'])
    await stage.mail(({ subject }) => subject === 'An authenticator app was set up for your account')
  })

  it('is refused in words once it was removed', async () => {
    await stage.running.services.database.commit([write(removePasskeys, [dana.id])])
    await begin()
    await tab.see('Log in')
    // Else the page that comes back would try by autofill, again and again.
    await tab.page.route('**/passkey', async route => {
      await device.setPresence(false)
      await route.continue()
    })
    await device.setPresence(true)
    await tab.press('Continue with a passkey')
    await tab.read('That passkey isn’t known here; it may have been removed.')
    expect(await tab.page.getByLabel('Email address').isVisible(), 'the other way').to.equal(true)
    await until(device, 'has forgotten it', held => held.length === 0)
    await tab.page.unroute('**/passkey')
  })

  it('is not offered again for 30 days after “Not now”', async () => {
    const robin = await enrolledPerson(stage, { name: 'Robin Mayfield' })
    const first = await begin()
    await byPasswordAndCode(robin)
    await tab.see(OFFER)
    await tab.press('Not now')
    await tab.see('Welcome to Fleetdesk')
    expect((await first.answer).error).to.equal(undefined)

    stage.advance(29 * DAY)
    await begin()
    await byPasswordAndCode(robin)
    await tab.see('Welcome to Fleetdesk')

    stage.advance(DAY)
    await begin()
    await byPasswordAndCode(robin)
    await tab.see(OFFER)
  })

  it('of a phone is followed by the offer of one on this device', async () => {
    await device.remove()
    const robin = await enrolledPerson(stage, { name: 'Robin Mayfield' })
    device = await virtualAuthenticator(tab.page, { transport: 'hybrid', automaticPresence: false })
    const here = await virtualAuthenticator(tab.page, { automaticPresence: false })
    const inHand = async (phone: boolean) => {
      await device.setPresence(phone)
      await here.setPresence(!phone)
    }
    const first = await begin()
    await byPasswordAndCode(robin)
    await tab.see(OFFER)
    await inHand(true)
    await tab.press('Continue')
    await tab.see('Welcome to Fleetdesk')
    await first.answer
    expect(await device.credentials(), 'on the phone').to.have.length(1)

    await inHand(false)
    const second = await begin()
    await tab.see('Log in')
    await inHand(true)
    await tab.press('Continue with a passkey')
    await tab.see('Add a passkey on this device')
    await inHand(false)
    await tab.press('Continue')
    await tab.see('Welcome to Fleetdesk')
    expect((await second.answer).claims?.acr).to.equal('phr')
    expect(await here.credentials(), 'on this device').to.have.length(1)

    await here.setPresence(false)
    await begin()
    await tab.see('Log in')
    await inHand(false)
    await tab.press('Continue with a passkey')
    await tab.see('Welcome to Fleetdesk')

    // All of them are removed, and the devices hear of it from their owner's page.
    await stage.running.services.database.commit([write(removePasskeys, [robin.id])])
    await here.setPresence(false)
    await tab.open(`${stage.origin}/account`)
    await tab.see('Robin Mayfield')
    await until(here, 'has forgotten it', held => held.length === 0)
  })

  it('that can be synced says so in the tokens', async () => {
    await device.remove()
    const robin = await enrolledPerson(stage, { name: 'Robin Mayfield' })
    const session = await tab.context.newCDPSession(tab.page)
    await session.send('WebAuthn.enable')
    const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        ctap2Version: 'ctap2_1',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: false,
        defaultBackupEligibility: true,
        defaultBackupState: true,
      },
    })
    const present = (enabled: boolean) =>
      session.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled })
    await begin()
    await byPasswordAndCode(robin)
    await tab.see(OFFER)
    await present(true)
    await tab.press('Continue')
    await tab.see('Welcome to Fleetdesk')
    const { answer } = await begin()
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims).to.deep.include({ amr: ['swk', 'user', 'pop', 'mfa'], acr: 'phr' })
  })
})
