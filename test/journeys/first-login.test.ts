// The main job, in a real browser, against the running server and the demo app; the QR code is read from a screenshot
// by other people's code, and the one-time codes are made by other people's code.

import { expect } from 'chai'
import type { BrowserContext, Page } from 'playwright-core'
import { browser } from '../support/chromium.ts'
import { openStage, PASSWORD, type Person, type Stage } from '../support/stage.ts'
import { readQr, totp } from '../support/tools.ts'

describe('journey: a user logs in to an app', function () {
  this.timeout(60_000)
  let stage: Stage
  let person: Person
  let context: BrowserContext
  let page: Page
  let secret = ''

  before(async () => {
    stage = await openStage()
    person = await stage.person()
  })
  after(() => stage?.close())
  beforeEach(async () => {
    context = await (await browser()).newContext()
    context.setDefaultTimeout(10_000)
    page = await context.newPage()
  })
  afterEach(() => context.close())

  async function emailAndPassword(): Promise<void> {
    await page.goto(stage.demoOrigin)
    await page
      .getByRole('link', { name: 'Log in', exact: true })
      .or(page.getByRole('button', { name: 'Log in', exact: true }))
      .click()
    await page.getByRole('heading', { level: 1, name: 'Log in' }).waitFor()
    await page.getByLabel('Email address').fill(person.email)
    await page.getByRole('button', { name: 'Continue', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: 'Enter your password' }).waitFor()
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Continue', exact: true }).click()
  }

  /** A code works once: the next one comes with the next 30 seconds. */
  async function nextCode(): Promise<string> {
    stage.advance(30_000)
    return totp(secret, new Date(stage.now()))
  }

  it('sets up an authenticator, saves the recovery code and arrives at the app with honest tokens', async () => {
    await emailAndPassword()
    await page.getByRole('heading', { level: 1, name: 'Set up two-factor authentication' }).waitFor()
    const uri = new URL(await readQr(await page.getByRole('img', { name: 'QR code' }).screenshot()))
    expect(uri.protocol).to.equal('otpauth:')
    secret = uri.searchParams.get('secret') ?? ''
    await page.getByText('Trouble scanning?').click()
    const key = await page.getByLabel('Setup key').textContent()
    expect(key?.replaceAll(/\s/g, '')).to.equal(secret)
    await page.getByLabel('One-time code').fill(await totp(secret, new Date(stage.now())))
    await page.getByRole('button', { name: 'Continue', exact: true }).click()

    await page.getByRole('heading', { level: 1, name: 'Save your recovery code' }).waitFor()
    const code = await page.getByLabel('Recovery code', { exact: true }).textContent()
    expect(code?.replaceAll(/[^A-Z0-9]/g, '')).to.have.length(24)
    await page.getByRole('button', { name: 'Continue', exact: true }).click()
    await page.getByText('Save the code first, then tick the box.').waitFor()
    expect(await page.getByLabel('Recovery code', { exact: true }).textContent()).to.equal(code)
    await page.getByLabel('I have safely recorded this code').check()
    await page.getByRole('button', { name: 'Continue', exact: true }).click()

    await page.waitForURL(`${stage.demoOrigin}/**`)
    const claims = await page.locator('body').innerText()
    expect(claims).to.include(person.email).and.include('urn:sallyport:acr:2fa')
    expect(claims).to.match(/pwd.*otp.*mfa/s)
  })

  it('asks for the code only, the second time', async () => {
    await emailAndPassword()
    await page.getByRole('heading', { level: 1, name: 'Verify your identity' }).waitFor()
    // The code of this time step may be the one that set the authenticator up.
    await page.getByLabel('One-time code').fill(await totp(secret, new Date(stage.now() + 30_000)))
    await page.getByRole('button', { name: 'Continue', exact: true }).click()
    await page.getByText('your phone’s clock may be ahead').waitFor()
    await page.getByLabel('One-time code').fill(await nextCode())
    await page.getByRole('button', { name: 'Continue', exact: true }).click()
    await page.waitForURL(`${stage.demoOrigin}/**`)
    expect(await page.locator('body').innerText()).to.include(person.email)
  })

  it('logs out of the app and of the provider', async () => {
    await emailAndPassword()
    await page.getByLabel('One-time code').fill(await nextCode())
    await page.getByRole('button', { name: 'Continue', exact: true }).click()
    await page.waitForURL(`${stage.demoOrigin}/**`)
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByRole('heading', { level: 1, name: 'Log out?' }).waitFor()
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.waitForURL(`${stage.demoOrigin}/**`)
    await page
      .getByRole('link', { name: 'Log in', exact: true })
      .or(page.getByRole('button', { name: 'Log in', exact: true }))
      .click()
    await page.getByRole('heading', { level: 1, name: 'Log in' }).waitFor()
  })
})
