// An admin sets single sign-on up, from nothing: an identity provider of its own process, a domain proven by DNS, a test
// login, and the first user who comes by it. The name service is the only stand-in.

import { expect } from 'chai'
import { setPlan } from '../../src/organisations/subscription.ts'
import type { DomainResolver } from '../../src/sso/domains.ts'
import { freePort, openStage, type Stage } from '../support/stage.ts'
import { spawnUpstreamOidc, type UpstreamOidc } from '../support/upstream-oidc.ts'
import { type Enrolled, enrolledPerson } from './enrolment.ts'
import { nextCode, openTab, type Tab } from './tab.ts'

const HEADING = 'Single sign-on (SSO)'

describe('journey: setting single sign-on up', function () {
  this.timeout(180_000)
  let stage: Stage
  let priya: Enrolled
  let tab: Tab
  let upstream: UpstreamOidc | undefined
  const records = new Map<string, string>()
  const resolver: DomainResolver = {
    async txt(name) {
      const value = records.get(name)
      if (value === undefined) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
      return [[value]]
    },
  }

  before(async () => {
    stage = await openStage({ resolver })
    priya = await enrolledPerson(stage, { name: 'Priya Raman', role: 'admin' })
    await setPlan(stage.directory, priya.organisationId, 'Enterprise')
  })
  after(async () => {
    await tab?.close()
    await upstream?.close()
    await stage?.close()
  })

  const shown = (id: string) => tab.page.locator(`#${id}`).innerText()

  it('adds a provider, tries it, proves a domain, switches it on, and has a user come by it', async () => {
    tab = await openTab(stage)
    await tab.open(`${stage.origin}/admin/sso`)
    await tab.identify(priya.email)
    await tab.enterPassword()
    await tab.see('Verify your identity')
    await tab.enterCode(await nextCode(stage, priya.secret))
    await tab.see(HEADING)
    await tab.follow('Add provider')
    await tab.see('Add provider')
    await tab.page.getByLabel('OpenID Connect (OIDC)').check()
    await tab.page.getByLabel('Name').fill('Northgate ID')
    await tab.press('Add')
    await tab.see('Northgate ID')

    const port = await freePort()
    upstream = await spawnUpstreamOidc({
      port,
      redirectUris: [await tab.page.locator('output').first().innerText()],
      accounts: [
        {
          sub: 'dana',
          email: 'dana@northgate-sso.example',
          email_verified: true,
          name: 'Dana',
          amr: ['mfa'],
        },
      ],
    })
    await tab.page.getByLabel('Issuer or discovery URL').fill(upstream.issuer)
    await tab.page.getByLabel('Client ID', { exact: true }).fill(upstream.clientId)
    await tab.page.getByLabel('Client secret').fill(upstream.clientSecret)
    await tab.page.getByLabel('Values of amr').fill('mfa')
    await tab.page.getByLabel('Create users who have no account yet').check()
    await tab.press('Save')
    await tab.see('Northgate ID')

    await tab.press('Test login')
    await tab.see('Upstream')
    await tab.fill('Account', 'dana')
    await tab.press('Log in')
    await tab.see('Test login: Northgate ID')
    await tab.read('dana@northgate-sso.example')
    await tab.read(/two factors/)
    await tab.follow('Back to the provider')
    await tab.see('Northgate ID')

    await tab.open(`${stage.origin}/admin/sso`)
    await tab.follow('Add domain')
    await tab.see('Add domain')
    await tab.page.getByLabel('Domain').fill('northgate-sso.example')
    await tab.press('Add')
    await tab.see('northgate-sso.example')
    await tab.press('Check now')
    await tab.read(/no such record|There is no/)
    records.set(await shown('record-name'), await shown('record-value'))
    await tab.press('Check now')
    await tab.see('northgate-sso.example')
    await tab.page.getByLabel('Northgate ID').check()
    await tab.press('Save')
    await tab.see('northgate-sso.example')

    await tab.open(`${stage.origin}/admin/sso`)
    await tab.follow('Northgate ID')
    await tab.see('Northgate ID')
    await tab.follow('Switch on')
    await tab.press('Switch on')
    await tab.see('Northgate ID')

    const other = await openTab(stage)
    await other.start()
    await other.identify('dana@northgate-sso.example')
    await other.see('Upstream')
    await other.fill('Account', 'dana')
    await other.press('Log in')
    const claims = await other.arrive()
    expect(claims).to.include({ acr: 'urn:sallyport:acr:2fa' })
    await other.close()
  })
})
