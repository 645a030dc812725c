// Single sign-on through the whole server: an identity provider that is a plain oidc-provider, and an app.

import { expect } from 'chai'
import { ACR } from '../../src/flow/assurance.ts'
import { createUser } from '../../src/organisations/directory.ts'
import { sweep } from '../../src/store/jobs/sweep.ts'
import { audited, codeOf, rows } from '../attacks/ground.ts'
import { asking, type Console, openConsole, REQUESTS } from '../support/console.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { comeBack, logInBySso, openSso, type SsoGround, type SsoOptions } from '../support/sso.ts'
import { PASSWORD, type Person, type Stage } from '../support/stage.ts'
import type { UpstreamAccount } from '../support/upstream-oidc.ts'
import {
  createVisitor,
  enrol,
  type RelyingParty,
  relyingParty,
  textOf,
  uidOf,
  type Visitor,
  visibleText,
} from '../support/visitor.ts'

const MFA: SsoOptions = { connection: { twoFactor: { acr: [], amr: ['mfa'] } } }
const MINUTE = 60_000

onEveryStage('single sign-on', open => {
  let stage: Stage
  let party: RelyingParty
  const grounds: SsoGround[] = []

  before(async () => {
    stage = await open()
    party = await relyingParty(stage)
  })
  after(async () => {
    for (const each of grounds) await each.close()
  })

  async function ground(options: SsoOptions = {}): Promise<SsoGround> {
    const opened = await openSso(stage, options)
    grounds.push(opened)
    return opened
  }

  /** A user here, and the same one at the provider. */
  async function dana(
    heron: SsoGround,
    there: Partial<UpstreamAccount> = {},
    password?: string,
  ): Promise<Person> {
    const { organisationId } = heron
    const email = heron.email('dana')
    await heron.upstream.setAccount({ sub: 'dana', email, email_verified: true, name: 'Dana', ...there })
    const made = await createUser(stage.directory, {
      organisationId,
      email,
      name: 'Dana Whitlock',
      role: 'technician',
      ...(password === undefined ? { password: PASSWORD } : { password }),
    })
    return { id: made.id, email, organisationId }
  }

  /** Sets an authenticator up where the interaction asks for it. */
  async function setUp(
    visitor: Visitor,
    base: string,
    body: string,
  ): Promise<{ secret: string; url: string }> {
    const secret = textOf(body, 'key').replaceAll(' ', '')
    await visitor.post(`${base}/set-up`, { code: codeOf(stage, { secret }) })
    await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
    const { url } = await visitor.follow(base)
    await otherStep()
    return { secret, url }
  }

  /** The next code is taken, and no clock was moved: the provider's would not go with it. */
  async function otherStep(): Promise<void> {
    await rows(stage, 'UPDATE authenticators SET last_step = last_step - 2 RETURNING account_id')
  }

  /** All that sessions hold was proven ten minutes before. */
  async function age(): Promise<void> {
    await rows(
      stage,
      `UPDATE session_facts SET verified_at = verified_at - ${10 * MINUTE} RETURNING account_id`,
    )
  }

  describe('a login', () => {
    it('goes from the address to the provider and back, and is worth what the connection trusts', async () => {
      const heron = await ground(MFA)
      const person = await dana(heron, { amr: ['pwd', 'mfa'] })
      const begun = await party.begin()
      const visitor = createVisitor(stage.origin)
      const { url, sent } = await logInBySso(heron, visitor, begun.url, person.email, 'dana')
      expect(sent.searchParams.get('login_hint')).to.equal(person.email)
      expect(sent.searchParams.get('domain_hint')).to.equal(heron.domain)
      const claims = (await party.finish(begun, url)).claims()
      expect(claims).to.include({ sub: person.id, acr: ACR['2fa'] })
      expect(claims?.amr).to.deep.equal(['mfa'])
      expect(await audited(stage, 'sso.linked', person)).to.equal(1)

      const again = await party.begin()
      const second = await logInBySso(heron, createVisitor(stage.origin), again.url, person.email, 'dana')
      expect((await party.finish(again, second.url)).claims()).to.include({ sub: person.id })
      expect(await audited(stage, 'sso.linked', person), 'linked once').to.equal(1)
    })

    it('X9 at less than two factors sets an authenticator up here, and asks for its code from then on', async () => {
      const heron = await ground()
      const person = await dana(heron, { acr: 'gold', amr: ['mfa'] })
      const begun = await party.begin({ acr_values: ACR['2fa'] })
      const visitor = createVisitor(stage.origin)
      const { base, heading, body } = await logInBySso(heron, visitor, begun.url, person.email, 'dana')
      expect(heading).to.equal('Set up two-factor authentication')
      const { secret, url } = await setUp(visitor, base, body)
      const claims = (await party.finish(begun, url)).claims()
      expect(claims).to.include({ sub: person.id, acr: ACR['2fa'] })
      expect(claims?.amr).to.deep.equal(['otp', 'mfa'])

      const again = await party.begin()
      const next = createVisitor(stage.origin)
      const second = await logInBySso(heron, next, again.url, person.email, 'dana')
      expect(second.heading).to.equal('Verify your identity')
      expect(second.body).not.to.include('Continue with Heron ID')
      await next.post(`${second.base}/otp`, { code: codeOf(stage, { secret }) })
      const { url: end } = await next.follow(second.base)
      expect((await party.finish(again, end)).claims()?.amr).to.deep.equal(['otp', 'mfa'])
    })

    it('asks the provider for two factors where they are due, by the values that count', async () => {
      const heron = await ground({ connection: { twoFactor: { acr: ['gold', 'urn:two'], amr: [] } } })
      const person = await dana(heron, { acr: 'gold' })
      const begun = await party.begin()
      const { sent, url } = await logInBySso(
        heron,
        createVisitor(stage.origin),
        begun.url,
        person.email,
        'dana',
      )
      expect(sent.searchParams.get('acr_values')).to.equal('gold urn:two')
      expect((await party.finish(begun, url)).claims()).to.include({ acr: ACR['2fa'] })
    })

    it('asks the same of the provider for an invited user, and for an address that nobody has here', async () => {
      const heron = await ground({ connection: { twoFactor: { acr: ['gold'], amr: [] } } })
      await dana(heron)
      await createUser(stage.directory, {
        ...{ organisationId: heron.organisationId, email: heron.email('ines') },
        ...{ name: 'Ines', role: 'technician' },
      })
      for (const name of ['dana', 'ines', 'nobody']) {
        const visitor = createVisitor(stage.origin)
        const page = await visitor.follow((await party.begin()).url)
        const { location = '' } = await visitor.post(`/interaction/${uidOf(page.url)}/identify`, {
          ...{ email: heron.email(name), webauthn: 'none' },
        })
        expect(new URL(location).searchParams.get('acr_values'), name).to.equal('gold')
      }
    })

    it('asks for no second factor on the first day, unless the app does', async () => {
      const heron = await ground({ ...MFA, subscribedAt: stage.now() })
      const person = await dana(heron)
      const begun = await party.begin()
      const visitor = createVisitor(stage.origin)
      const { base, heading } = await logInBySso(heron, visitor, begun.url, person.email, 'dana')
      expect(heading).to.equal('Set up two-factor authentication')
      await visitor.post(`${base}/put-off`, {})
      const claims = (await party.finish(begun, (await visitor.follow(base)).url)).claims()
      expect(claims).to.include({ acr: ACR['1fa'] })
      expect(claims?.amr ?? []).to.deep.equal([])
    })

    it('starts from nothing with prompt=login, at the provider too', async () => {
      const heron = await ground(MFA)
      const person = await dana(heron, { amr: ['mfa'] })
      const visitor = createVisitor(stage.origin)
      const cookies = new Map<string, string>()
      const first = await party.begin()
      await logInBySso(heron, visitor, first.url, person.email, 'dana', cookies)
      const begun = await party.begin({ prompt: 'login' })
      const page = await visitor.follow(begun.url)
      expect(page.heading).to.equal('Log in with Heron ID')
      const base = `/interaction/${uidOf(page.url)}`
      const { location = '' } = await visitor.post(`${base}/sso`, {})
      expect(new URL(location).searchParams.get('prompt')).to.equal('login')
      const { location: back = '' } = await comeBack(
        heron.upstream.issuer,
        visitor,
        location,
        'dana',
        cookies,
      )
      const { url } = await visitor.follow(back)
      expect((await party.finish(begun, url)).claims()).to.include({ sub: person.id })
    })

    it('makes an account where the connection says so, with the role that the groups give', async () => {
      const heron = await ground({
        connection: { twoFactor: { acr: [], amr: ['mfa'] }, createsUsers: true, adminGroups: ['it'] },
      })
      const lee = {
        sub: 'lee',
        email: heron.email('lee'),
        email_verified: true,
        name: 'Lee Ortiz',
        amr: ['mfa'],
      }
      await heron.upstream.setAccount({ ...lee, groups: ['it'] })
      const role = async () =>
        (await rows(stage, `SELECT role FROM accounts WHERE email_key = '${lee.email}'`)).map(
          each => each.role,
        )
      const through = async () => {
        const begun = await party.begin()
        const { url } = await logInBySso(heron, createVisitor(stage.origin), begun.url, lee.email, 'lee')
        return (await party.finish(begun, url)).claims()
      }
      expect(await through()).to.include({ acr: ACR['2fa'] })
      expect(await role()).to.deep.equal(['admin'])
      // The only admin stays one.
      await heron.upstream.setAccount({ ...lee, groups: [] })
      await through()
      expect(await role()).to.deep.equal(['admin'])
      await stage.person({ role: 'admin', organisationId: heron.organisationId })
      await through()
      expect(await role()).to.deep.equal(['technician'])
      await heron.upstream.setAccount({ ...lee, groups: ['it'] })
      await through()
      expect(await role()).to.deep.equal(['admin'])
    })

    it('calls whom it makes by their address, where what the provider calls them can be no name', async () => {
      const heron = await ground({ ...MFA, connection: { ...MFA.connection, createsUsers: true } })
      const email = heron.email('lee')
      for (const [sub, name] of Object.entries({ long: 'x'.repeat(250), turned: 'Lee \u202eteerts' })) {
        const address = heron.email(sub)
        await heron.upstream.setAccount({ sub, email: address, email_verified: true, name, amr: ['mfa'] })
        await logInBySso(heron, createVisitor(stage.origin), (await party.begin()).url, email, sub)
        const made = await rows(stage, `SELECT name FROM accounts WHERE email_key = '${address}'`)
        expect(made).to.deep.equal([{ name: address }])
      }
    })

    it('says why it ended at the provider, and goes on', async () => {
      const heron = await ground(MFA)
      const person = await dana(heron, { amr: ['mfa'] })
      const begun = await party.begin()
      const visitor = createVisitor(stage.origin)
      const gone = await logInBySso(heron, visitor, begun.url, person.email, undefined)
      expect(gone.status).to.equal(400)
      expect(visibleText(gone)).to.include('Heron ID didn’t let you in')
      const { location = '' } = await visitor.post(`${gone.base}/sso`, {})
      const { location: back = '' } = await comeBack(heron.upstream.issuer, visitor, location, 'dana')
      const { url } = await visitor.follow(back)
      expect((await party.finish(begun, url)).claims()).to.include({ sub: person.id })
    })

    it('lets in by a password and a second factor too, where that is allowed', async () => {
      const heron = await ground(MFA)
      const person = await dana(heron)
      const visitor = createVisitor(stage.origin)
      const begun = await party.begin()
      const { base } = await logInBySso(heron, visitor, begun.url, person.email, undefined)
      await visitor.post(`${base}/use-password`, {})
      expect((await visitor.follow(base)).heading).to.equal('Enter your password')
      await visitor.post(`${base}/password`, { password: PASSWORD })
      const { body } = await visitor.follow(base)
      const { url } = await setUp(visitor, base, body)
      expect((await party.finish(begun, url)).claims()?.amr).to.deep.equal(['pwd', 'otp', 'mfa'])
    })

    it('is a password’s where the plan has no single sign-on', async () => {
      const heron = await ground({ ...MFA, plan: 'Trial', ssoOnly: true })
      const person = await dana(heron)
      const visitor = createVisitor(stage.origin)
      const { end } = await enrol(stage, visitor, (await party.begin()).url, person)
      expect(end).to.include(party.redirectUri)
    })

    it('F12 has a page with the way on, within ten seconds, where the provider is down', async () => {
      const heron = await ground(MFA)
      const person = await dana(heron)
      await heron.close()
      const visitor = createVisitor(stage.origin)
      const page = await visitor.follow((await party.begin()).url)
      const base = `/interaction/${uidOf(page.url)}`
      const answer = await visitor.post(`${base}/identify`, { email: person.email, webauthn: 'none' })
      expect(answer.heading).to.equal('Log in with Heron ID')
      expect(visibleText(answer)).to.include('Heron ID doesn’t answer').and.include('Use a password')
      expect(await audited(stage, 'sso.failed', person)).to.equal(1)
    })
  })

  describe('a domain for single sign-on only', () => {
    it('lets nobody in by a password, or by a session of before, but for break-glass admins', async () => {
      const heron = await ground(MFA)
      const person = await dana(heron, { amr: ['mfa'] })
      const visitor = createVisitor(stage.origin)
      const begun = await party.begin()
      const { base } = await logInBySso(heron, visitor, begun.url, person.email, undefined)
      await visitor.post(`${base}/use-password`, {})
      await visitor.post(`${base}/password`, { password: PASSWORD })
      const { secret } = await setUp(visitor, base, (await visitor.follow(base)).body)
      await rows(stage, `UPDATE sso_domains SET sso_only = 1 WHERE id = '${heron.domainId}' RETURNING id`)

      const before = await visitor.follow((await party.begin()).url)
      expect(before.heading, 'a session by password').to.equal('Log in with Heron ID')
      expect(before.body).not.to.include('Use a password')
      const silent = await party.begin({ prompt: 'none' })
      expect((await visitor.follow(silent.url)).url).to.include('error=login_required')

      const other = createVisitor(stage.origin)
      const start = await other.follow((await party.begin()).url)
      const inside = `/interaction/${uidOf(start.url)}`
      await other.post(`${inside}/identify`, { email: person.email, webauthn: 'none' })
      await other.post(`${inside}/use-password`, {})
      await other.post(`${inside}/password`, { password: PASSWORD })
      const refused = await other.follow(inside)
      expect(refused.heading).to.equal('Log in with Heron ID')
      expect((await other.post(`${inside}/otp`, { code: codeOf(stage, { secret }) })).status).to.equal(409)

      await rows(stage, `UPDATE accounts SET break_glass = 1 WHERE id = '${person.id}' RETURNING id`)
      await other.post(`${inside}/otp`, { code: codeOf(stage, { secret }) })
      expect((await other.follow(inside)).url).to.include(party.redirectUri)
    })

    it('opens the console and the account pages by the provider’s session alone', async () => {
      const heron = await ground({ ...MFA, ssoOnly: true })
      const person = await dana(heron, { amr: ['mfa'] })
      const visitor = createVisitor(stage.origin)
      const { heading } = await logInBySso(heron, visitor, '/account', person.email, 'dana')
      expect(heading).to.equal('Dana Whitlock')
    })
  })

  describe('a step-up', () => {
    let app: Console

    before(async () => {
      app = await openConsole(stage)
    })

    it('asks the provider again, and takes what was proven since', async () => {
      const heron = await ground(MFA)
      const person = await dana(heron, { amr: ['mfa'] })
      const visitor = createVisitor(stage.origin)
      const cookies = new Map<string, string>()
      await logInBySso(heron, visitor, (await party.begin()).url, person.email, 'dana', cookies)
      await age()
      const begun = await party.begin({ acr_values: ACR['2fa'], max_age: '300' })
      const page = await visitor.follow(begun.url)
      expect(page.heading).to.equal('Log in with Heron ID')
      const base = `/interaction/${uidOf(page.url)}`
      const { location = '' } = await visitor.post(`${base}/sso`, {})
      const asked = new URL(location).searchParams
      expect(asked.get('prompt')).to.equal('login')
      expect(asked.get('max_age')).to.equal('0')
      const { location: back = '' } = await comeBack(
        heron.upstream.issuer,
        visitor,
        location,
        'dana',
        cookies,
      )
      const { url } = await visitor.follow(back)
      const claims = (await party.finish(begun, url)).claims()
      expect(claims).to.include({ sub: person.id, acr: ACR['2fa'] })
      expect(stage.now() / 1000 - Number(claims?.auth_time)).to.be.below(60)
    })

    it('confirms an action by the provider and one more press, or by the authenticator of here', async () => {
      const heron = await ground(MFA)
      const person = await dana(heron, { amr: ['mfa'] })
      const visitor = createVisitor(stage.origin)
      await logInBySso(heron, visitor, (await app.party.begin()).url, person.email, 'dana')
      const begun = await app.party.begin(asking(REQUESTS['device.delete']))
      const page = await visitor.follow(begun.url)
      expect(page.heading).to.match(/^Confirm: /)
      expect(page.body).to.include('Continue with Heron ID')
      const base = `/interaction/${uidOf(page.url)}`
      const { location = '' } = await visitor.post(`${base}/sso`, {})
      const { location: back = '' } = await comeBack(heron.upstream.issuer, visitor, location, 'dana')
      const confirm = await visitor.follow(back)
      expect(confirm.heading, 'the provider named no action').to.match(/^Confirm: /)
      await visitor.post(`${base}/confirm`, {})
      const { url } = await visitor.follow(base)
      const { access_token: token } = await app.party.finish(begun, url)
      const [detail] = (await app.verify(token)).authorization_details ?? []
      expect(detail).to.deep.include(REQUESTS['device.delete'])
    })
  })

  it('F16 forgets logins that are over, and those that nobody came back from', async () => {
    const heron = await ground()
    const visitor = createVisitor(stage.origin)
    const page = await visitor.follow((await party.begin()).url)
    const base = `/interaction/${uidOf(page.url)}`
    await visitor.post(`${base}/identify`, { email: heron.email('dana'), webauthn: 'none' })
    const kept = () => rows(stage, 'SELECT id FROM sso_requests')
    expect(await kept()).not.to.deep.equal([])
    await sweep(stage.running.services.database, stage.now() + 21 * MINUTE)
    expect(await kept()).to.deep.equal([])
  })
})
