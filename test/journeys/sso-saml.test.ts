// Logging in by the identity provider of one's organisation, by SAML, in a real browser: npm's samlp in a process of its own,
// at another site than ours, from where it has the browser post its answers.

import { expect } from 'chai'
import type { Request } from 'playwright-core'
import { audited } from '../attacks/ground.ts'
import { asking, REQUESTS } from '../support/console.ts'
import { openSamlSso, type SamlGround } from '../support/sso.ts'
import { openStage, type Person, type Stage } from '../support/stage.ts'
import { PASSWORD, type SamlUser, TWO_FACTORS } from '../support/upstream-saml.ts'
import { type App, openActingApp } from './app.ts'
import { openTab, type Tab } from './tab.ts'
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

const THERE = 'Log in at the upstream'
const START = 'https://fleetdesk.example/start'
const ENCRYPTION = 'http://www.w3.org/2009/xmlenc11#aes256-gcm'

describe('journey: single sign-on by SAML', function () {
  this.timeout(60_000)
  let stage: Stage
  let app: App
  let heron: SamlGround
  let tab: Tab
  const users: SamlUser[] = []

  before(async () => {
    stage = await openStage()
    app = await openActingApp(stage, { metadata: { initiate_login_uri: START } })
    heron = await openSamlSso(stage, {
      upstream: { encryptionAlgorithm: ENCRYPTION },
      connection: { twoFactor: { acr: [TWO_FACTORS], amr: [] } },
      idpInitiated: true,
    })
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

  /** Known here and there. */
  async function known(name: string, contexts: readonly string[] = [PASSWORD, TWO_FACTORS]): Promise<Person> {
    users.push({ id: name, email: heron.email(name), name, contexts })
    await heron.upstream.change({ users })
    return memberOf(stage, heron, name)
  }

  async function logInThere(): Promise<void> {
    await tab.see(THERE)
    await tab.press('Log in')
  }

  const begin = (params?: Record<string, string>) => beginIn(tab, app, params)

  async function loggedIn(name: string): Promise<Person> {
    const person = await known(name)
    await logInBy(tab, app, person.email, logInThere)
    return person
  }

  const post = (request: Request): boolean => request.method() === 'POST' && request.url().endsWith('/acs')

  it('takes an encrypted answer that another site posts without our cookie, on the page that asked', async () => {
    const dana = await known('dana', [PASSWORD])
    const { answer } = await begin()
    await tab.identify(dana.email)
    await tab.see(THERE)
    const posted = tab.page.waitForRequest(post)
    const taken = tab.page.waitForRequest(request => request.url().includes('/sso?h='))
    await tab.press('Log in')
    const [form, page] = [await posted, await taken]
    expect(await form.headerValue('origin')).to.equal(heron.upstream.url)
    expect(await form.headerValue('cookie')).to.equal(null)
    const message = new URLSearchParams(form.postData() ?? '').get('SAMLResponse') ?? ''
    expect(Buffer.from(message, 'base64').toString()).to.include('EncryptedAssertion')
    expect(await page.headerValue('cookie')).to.include('_interaction=')
    const secret = await setUpAuthenticator(stage, tab)
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims).to.include({ sub: dana.id, acr: MFA })
    await tab.close()
    tab = await openTab(stage)
    await begin()
    await tab.identify(dana.email)
    await logInThere()
    await tab.see('Verify your identity')
    await tab.enterCode(await codeNow(stage, secret))
    await tab.see('Welcome to Fleetdesk')
  })

  it('gives the answer to no other browser, and takes none twice', async () => {
    const rosa = await known('rosa')
    const { answer } = await begin()
    await tab.identify(rosa.email)
    await tab.see(THERE)
    const thief = await openTab(stage)
    const posted = tab.page.waitForRequest(post)
    const taken = tab.page.waitForRequest(request => request.url().includes('/sso?h='))
    await tab.press('Log in')
    await thief.open((await taken).url())
    // Which of the two depends on who is there first: the login may be over by then.
    const refused = /^(This browser doesn’t keep our cookie|This login has expired)$/
    await thief.page.getByRole('heading', { level: 1, name: refused }).waitFor()
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims).to.include({ sub: rosa.id, acr: MFA })

    const form = (await posted).postData() ?? ''
    const acs = (await posted).url()
    const again = await fetch(acs, {
      ...{ method: 'POST', body: form, redirect: 'manual' },
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: heron.upstream.url },
    })
    expect(again.status).to.equal(400)
    await thief.close()
  })

  it('remembers, says a no, and shows where the login stands after Back', async () => {
    const kim = await loggedIn('kim')
    await forgetHere(tab)
    await begin()
    await tab.identify(kim.email)
    await tab.see('Welcome to Fleetdesk')

    await tab.forget()
    const { answer } = await begin()
    await tab.identify(kim.email)
    await tab.see(THERE)
    await tab.page.goBack()
    await tab.see(PAGE)
    await tab.press('Continue with Heron ID')
    await tab.see(THERE)
    await tab.press('Refuse')
    await tab.see(PAGE)
    await tab.read('Heron ID didn’t let you in.')
    await tab.page.reload()
    await tab.see(PAGE)
    await tab.press('Continue with Heron ID')
    await logInThere()
    await tab.see('Welcome to Fleetdesk')
    expect((await answer).claims?.sub).to.equal(kim.id)
  })

  it('has the user log in there anew for a protected action, and confirm it here', async () => {
    await loggedIn('eve')
    const { answer } = await begin(asking(REQUESTS['device.delete']))
    await tab.see(DELETE)
    await tab.press('Continue with Heron ID')
    await tab.see(THERE)
    await tab.read(/Log in anew\./)
    await tab.press('Log in')
    await tab.see(DELETE)
    await tab.press('Confirm')
    await tab.see('Welcome to Fleetdesk')
    const detail = (await answer).tokens?.authorization_details as { action: string }[] | undefined
    expect(detail?.[0]?.action).to.equal('device.delete')
  })

  it('follows new keys of the provider at the next login, and asks for them once a minute at most', async () => {
    const lou = await known('lou')
    await heron.upstream.rotate()
    await begin()
    await tab.identify(lou.email)
    await logInThere()
    await tab.see('Welcome to Fleetdesk')

    await heron.upstream.rotate()
    await forgetHere(tab)
    await begin()
    await tab.identify(lou.email)
    await tab.see(PAGE)
    await tab.read('We couldn’t verify the answer of Heron ID')
    await tab.press('Continue with Heron ID')
    await tab.see(PAGE)
    await tab.read('We couldn’t verify the answer of Heron ID')
    stage.advance(60_000)
    await tab.press('Continue with Heron ID')
    await tab.see('Welcome to Fleetdesk')
  })

  it('begins at the provider too, and leads by the app’s start page through a login of ours', async () => {
    const jim = await known('jim')
    const entityId = `${stage.origin}/sso/saml/${heron.connectionId}/metadata`
    await tab.open(heron.upstream.startUrl(entityId, app.clientId))
    await tab.see(THERE)
    await tab.fill('Email', jim.email)
    const led = tab.page.waitForRequest(request => request.url().startsWith(START))
    await tab.press('Log in')
    const query = new URL((await led).url()).searchParams
    expect(Object.fromEntries(query)).to.deep.equal({ iss: stage.origin, login_hint: jim.email })

    // What the app does there, which is no address of this machine.
    tab = await tab.another()
    await begin({ login_hint: query.get('login_hint') ?? '' })
    await tab.see('Log in')
    expect(await tab.page.getByLabel('Email address').inputValue()).to.equal(jim.email)
    await tab.press('Continue')
    await tab.see('Welcome to Fleetdesk')
  })

  it('ends the session here, and at the app, with that at the provider', async () => {
    const gus = await known('gus')
    await tab.start()
    await tab.identify(gus.email)
    await logInThere()
    expect(await tab.arrive()).to.include({ acr: MFA })
    const answered = tab.page.waitForRequest(request => request.url().includes('SAMLResponse='))
    await tab.open(heron.upstream.endUrl)
    expect((await answered).url()).to.include(heron.upstream.url)
    expect(await audited(stage, 'sso.session_ended', gus)).to.equal(1)
    await seeLoggedOut(tab)
  })
})
