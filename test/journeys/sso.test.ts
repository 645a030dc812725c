// Logging in by the identity provider of one's organisation, by OpenID Connect, in a real browser: a plain oidc-provider in
// a process of its own, at another site than ours.

import { expect } from 'chai'
import { audited } from '../attacks/ground.ts'
import { asking, REQUESTS } from '../support/console.ts'
import { openSso, type SsoGround } from '../support/sso.ts'
import { openStage, PASSWORD, type Person, type Stage } from '../support/stage.ts'
import type { UpstreamAccount } from '../support/upstream-oidc.ts'
import { type App, openActingApp } from './app.ts'
import { openTab, PHONE, type Tab } from './tab.ts'
import {
  beginIn,
  codeNow,
  DELETE,
  forgetHere,
  logInBy,
  MFA,
  memberOf,
  PAGE,
  seeLoggedOut,
  setUpAuthenticator,
} from './upstream.ts'

describe('journey: single sign-on by OpenID Connect', function () {
  this.timeout(60_000)
  let stage: Stage
  let app: App
  let heron: SsoGround
  let tab: Tab

  before(async () => {
    stage = await openStage()
    app = await openActingApp(stage)
    heron = await openSso(stage, { ownProcess: true, connection: { twoFactor: { acr: [], amr: ['mfa'] } } })
  })
  after(async () => {
    await heron?.close()
    await app?.close()
    await stage?.close()
  })
  beforeEach(async () => {
    tab = await openTab(stage)
  })
  afterEach(() => tab?.close())

  /** Known here, unless it is nobody, and there. */
  async function known(name: string, there: Partial<UpstreamAccount> = {}, password?: string) {
    await knownThere(name, there)
    return memberOf(stage, heron, name, password)
  }

  async function knownThere(name: string, there: Partial<UpstreamAccount> = {}): Promise<void> {
    await heron.upstream.setAccount({
      ...{ sub: name, email: heron.email(name), email_verified: true, name },
      ...there,
    })
  }

  async function logInThere(as?: string): Promise<void> {
    await tab.see('Upstream')
    if (as !== undefined) await tab.fill('Account', as)
    await tab.press('Log in')
  }

  const begin = (params?: Record<string, string>) => beginIn(tab, app, params)

  /** Somebody whose provider vouches for two factors, logged in. */
  async function loggedIn(name: string): Promise<Person> {
    const person = await known(name, { amr: ['mfa'] })
    await logInBy(tab, app, person.email, logInThere)
    return person
  }

  it('the first time sets an authenticator up; from then on its code is asked, and the provider remembers', async () => {
    const dana = await known('dana')
    await tab.start()
    await tab.identify(dana.email)
    await tab.see('Upstream')
    expect(await tab.page.getByLabel('Account').inputValue()).to.equal(dana.email)
    await tab.press('Log in')
    const secret = await setUpAuthenticator(stage, tab)
    expect(await tab.arrive()).to.include({ acr: MFA, amr: 'otp, mfa' })

    await forgetHere(tab)
    await tab.start()
    await tab.identify(dana.email)
    await tab.see('Verify your identity')
    await tab.enterCode(await codeNow(stage, secret))
    expect(await tab.arrive()).to.include({ acr: MFA, amr: 'otp, mfa' })

    const step = await begin(asking(REQUESTS['device.delete']))
    await tab.see(DELETE)
    expect(await tab.offers('Continue with Heron ID'), 'beside the code').to.equal(true)
    await tab.fill('One-time code', await codeNow(stage, secret))
    await tab.press('Confirm')
    await tab.see('Welcome to Fleetdesk')
    expect((await step.answer).error).to.equal(undefined)
  })

  it('goes straight through where the provider vouches for two factors', async () => {
    const lee = await known('lee', { amr: ['pwd', 'mfa'] })
    await tab.start()
    await tab.identify(lee.email)
    await logInThere()
    expect(await tab.arrive()).to.include({ acr: MFA, amr: 'mfa' })
    await forgetHere(tab)
    await tab.start()
    await tab.identify(lee.email)
    await tab.arrive()
  })

  it('works without JavaScript, on a phone', async () => {
    await tab.close()
    const noa = await known('noa', { amr: ['mfa'] })
    tab = await openTab(stage, { ...PHONE, javaScriptEnabled: false })
    const { answer } = await begin()
    await tab.identify(noa.email)
    await tab.see('Upstream')
    await tab.press('Cancel')
    await tab.see(PAGE)
    await tab.press('Continue with Heron ID')
    await logInThere()
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.sub).to.equal(noa.id)
  })

  it('works by the keyboard alone', async () => {
    const kim = await known('kim', { amr: ['mfa'] })
    const { keyboard } = tab.page
    await begin()
    await tab.see('Log in')
    await keyboard.type(kim.email)
    await keyboard.press('Enter')
    await tab.see('Upstream')
    await tab.page.getByRole('button', { name: 'Cancel' }).focus()
    await keyboard.press('Enter')
    await tab.see(PAGE)
    await keyboard.press('Tab')
    const focused = await tab.page.evaluate<string>('document.activeElement.textContent')
    expect(focused).to.equal('Continue with Heron ID')
    await keyboard.press('Enter')
    await tab.see('Upstream')
    await tab.page.getByRole('button', { name: 'Log in' }).focus()
    await keyboard.press('Enter')
    await tab.see('Welcome to Fleetdesk')
  })

  it('says that it ended at the provider, also after a reload, and goes on from there', async () => {
    const ana = await known('ana', { amr: ['mfa'] })
    const { answer } = await begin()
    await tab.identify(ana.email)
    await tab.see('Upstream')
    await tab.press('Cancel')
    await tab.see(PAGE)
    await tab.read('Heron ID didn’t let you in. Try again, or ask an admin of your organisation.')
    await tab.page.reload()
    await tab.see(PAGE)
    await tab.press('Continue with Heron ID')
    await logInThere()
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.sub).to.equal(ana.id)
  })

  it('F18: shows where the login stands after Back and reload, at each step', async () => {
    const ray = await known('ray')
    const { answer } = await begin()
    await tab.identify(ray.email)
    await tab.see('Upstream')
    await tab.page.goBack()
    await tab.see(PAGE)
    await tab.page.reload()
    await tab.see(PAGE)
    await tab.press('Continue with Heron ID')
    await tab.see('Upstream')
    await tab.page.reload()
    const callback = tab.page.waitForRequest(request => request.url().includes('/sso/oidc/'))
    await logInThere()
    await tab.see('Set up two-factor authentication')
    await tab.page.reload()
    await tab.see('Set up two-factor authentication')
    // Past the provider's page, whose login is over.
    await tab.page.goBack()
    await tab.page.goBack()
    await tab.see('Set up two-factor authentication')
    const used = (await callback).url()
    await tab.open(used)
    await tab.see('This login has expired')
    await tab.page.goBack()
    await setUpAuthenticator(stage, tab)
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.amr).to.deep.equal(['otp', 'mfa'])
  })

  it('leads elsewhere: to a password, and to another account', async () => {
    const pat = await known('pat', {}, PASSWORD)
    await begin()
    await tab.identify(heron.email('somebody-else'))
    await tab.see('Upstream')
    await tab.page.goBack()
    await tab.see(PAGE)
    await tab.follow('Log in with another account')
    await tab.see('Log in')
    await tab.identify(pat.email)
    await tab.see('Upstream')
    await tab.press('Cancel')
    await tab.see(PAGE)
    await tab.press('Use a password')
    await tab.enterPassword()
    await setUpAuthenticator(stage, tab)
    await tab.see('Welcome to Fleetdesk')
  })

  it('says to somebody without an account who can help, and takes them as somebody else then', async () => {
    const joe = await known('joe', { amr: ['mfa'] })
    await knownThere('stranger', { email: heron.email('stranger') })
    const { answer } = await begin()
    await tab.identify(joe.email)
    await logInThere('stranger')
    await tab.see(PAGE)
    await tab.read('There is no account here for who you are at Heron ID.')
    await tab.press('Continue with Heron ID')
    // It asks who they are: it knew them as the stranger.
    await logInThere('joe')
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.sub).to.equal(joe.id)
  })

  it('links an account by its own login where the provider does not vouch for the mailbox', async () => {
    const mia = await known('mia', { email_verified: false, amr: ['mfa'] }, PASSWORD)
    await begin()
    await tab.identify(mia.email)
    await logInThere()
    await tab.see('Enter your password')
    await tab.read('Heron ID didn’t say that this mailbox is yours.')
    await tab.enterPassword()
    await setUpAuthenticator(stage, tab)
    await tab.see('Welcome to Fleetdesk')
    expect(await audited(stage, 'sso.linked', mia)).to.equal(1)

    await tab.forget()
    const { answer } = await begin()
    await tab.identify(mia.email)
    await logInThere()
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.sub).to.equal(mia.id)
    expect(await audited(stage, 'sso.linked', mia)).to.equal(1)
  })

  it('asks the provider again for a protected action, then for the action itself', async () => {
    await loggedIn('eve')
    const { answer } = await begin(asking(REQUESTS['device.delete']))
    await tab.see(DELETE)
    await tab.read('Log in at Heron ID once more, to show that it’s you.')
    expect(await tab.offers('Confirm')).to.equal(false)
    await tab.press('Continue with Heron ID')
    await logInThere()
    await tab.see(DELETE)
    await tab.read('You confirm these 2 devices and nothing else.')
    await tab.press('Confirm')
    await tab.see('Welcome to Fleetdesk')
    const detail = (await answer).tokens?.authorization_details as { action: string }[] | undefined
    expect(detail?.[0]?.action).to.equal('device.delete')
  })

  it('takes nobody else in a step-up, and Cancel leads back to the app', async () => {
    await loggedIn('una')
    await known('val', { amr: ['mfa'] })
    const { answer } = await begin(asking(REQUESTS['device.delete']))
    await tab.see(DELETE)
    // Else it would say that una's session is over, and so would we.
    await tab.context.clearCookies({ domain: '127.0.0.1' })
    await tab.press('Continue with Heron ID')
    await logInThere('val')
    await tab.read('At Heron ID you are somebody else.')
    await tab.see(DELETE)
    await tab.press('Cancel')
    await tab.see('Fleetdesk: not logged in')
    expect((await answer).error).to.equal('access_denied')
  })

  it('ends the session here, and at the app, with that at the provider', async () => {
    const gus = await known('gus', { amr: ['mfa'] })
    await tab.start()
    await tab.identify(gus.email)
    await logInThere()
    await tab.arrive()
    await tab.open(`${heron.upstream.issuer}/session/end`)
    await tab.press('Log out')
    await tab.page.getByText('Logged out').waitFor()
    expect(await audited(stage, 'sso.session_ended', gus)).to.equal(1)
    await seeLoggedOut(tab)
  })

  describe('of a domain for it alone', () => {
    it('offers no password, and leads to the account page', async () => {
      const only = await openSso(stage, {
        ...{ ownProcess: true, ssoOnly: true },
        connection: { twoFactor: { acr: [], amr: ['mfa'] } },
      })
      const email = only.email('ida')
      await only.upstream.setAccount({ sub: 'ida', email, email_verified: true, amr: ['mfa'] })
      await memberOf(stage, only, 'ida', PASSWORD)
      await tab.open(`${stage.origin}/account`)
      await tab.identify(email)
      await tab.see('Upstream')
      await tab.press('Cancel')
      await tab.see(PAGE)
      await tab.press('Continue with Heron ID')
      await logInThere()
      await tab.see('ida Whitlock')
      await only.close()
    })
  })

  it('F12: has a page with the way on where the provider is down', async () => {
    const down = await openSso(stage, { ownProcess: true })
    const person = await memberOf(stage, down, 'zoe', PASSWORD)
    await down.close()
    await begin()
    await tab.identify(person.email)
    await tab.see(PAGE)
    await tab.read('Heron ID doesn’t answer. Try again in a minute, or ask an admin of your organisation.')
    await tab.press('Use a password')
    await tab.enterPassword()
    await setUpAuthenticator(stage, tab)
    await tab.see('Welcome to Fleetdesk')
  })
})
