// The test login of an identity provider, to a real one, and what its page says of what came back.

import { expect } from 'chai'
import { createUser } from '../../src/organisations/directory.ts'
import type { Returned } from '../../src/sso/upstreams.ts'
import { newToken } from '../../src/store/ids.ts'
import { readIdentity } from '../../src/store/sso/identities.ts'
import { insertSsoRequest, keepAnswer, readOpenRequest, takeRequest } from '../../src/store/sso/requests.ts'
import { change, rows } from '../attacks/ground.ts'
import { openSamlLiar } from '../attacks/sso-ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { comeBack } from '../support/sso.ts'
import type { Stage } from '../support/stage.ts'
import { startUpstreamOidc, type UpstreamOidc } from '../support/upstream-oidc.ts'
import { type Member, membersOf } from './member.ts'
import { SSO, ssoGround, text } from './sso-ground.ts'

onEveryStage('the test login of single sign-on', open => {
  let stage: Stage
  let ground: ReturnType<typeof ssoGround>
  let priya: Member
  let id: string
  let upstream: UpstreamOidc
  let domain: string
  let rounds = 0

  before(async () => {
    stage = await open()
    ground = ssoGround(stage)
  })
  beforeEach(async () => {
    priya = await ground.admin()
    id = await ground.provider(priya)
    domain = `bittern${++rounds}.example`
    upstream = await startUpstreamOidc({
      redirectUris: [`${stage.origin}/sso/oidc/${id}`],
      accounts: [
        { sub: 'dana', email: `dana@${domain}`, email_verified: true, name: 'Dana', amr: ['pwd', 'mfa'] },
      ],
    })
    const { issuer, clientId, clientSecret } = upstream
    await ground.save(priya, id, { issuer, client_id: clientId, client_secret: clientSecret })
  })
  afterEach(() => upstream.close())

  const urlOf = (path = '') => `${SSO}/${id}${path}`
  /** @returns where the callback leads, which is the page of the test */
  async function logIn(as: string | undefined = 'dana', by = priya.by): Promise<string> {
    const { location = '' } = await by.post(urlOf('/test'), {})
    expect(location).to.include(upstream.issuer)
    return (await comeBack(upstream.issuer, by, location, as)).location ?? ''
  }
  const testedRevision = async () => (await ground.connection(id)).testedRevision

  it('goes to the provider and back, shows what it says, and lets the provider be switched on', async () => {
    expect((await priya.by.get(urlOf())).body).to.include(`action="${urlOf('/test')}"`)
    const back = await logIn()
    const page = await priya.by.get(back)
    expect(page.heading).to.equal('Test login: Okta')
    for (const said of [
      'It works',
      'Subject dana',
      `dana@${domain}, verified`,
      'Name Dana',
      'amr pwd mfa',
      'It counts as one factor',
      'It would be refused: the domain of the address is none that you have proven',
      `iss ${upstream.issuer}`,
      'aud sallyport',
    ]) {
      expect(text(page), said).to.include(said)
    }
    expect(await testedRevision()).to.equal(2)
    expect((await ground.events(priya)).at(-1)).to.deep.include({
      event: 'sso.connection_tested',
      actor_id: priya.person.id,
      details: { connection: 'Okta', id },
    })
    // Nobody was logged in, made or linked.
    const identity = { connectionId: id, subject: 'dana' }
    expect(await readIdentity(stage.running.services.database, identity)).to.equal(undefined)
    expect((await priya.by.get('/account')).body).to.include('Priya Raman')
    await priya.by.post(urlOf('/on'), {})
    expect((await ground.connection(id)).status).to.equal('on')
  })

  it('says what a login would come to', async () => {
    const says = async () => text(await priya.by.get(await logIn()))
    await ground.save(priya, id, { two_factor_amr: 'mfa', admin_groups: 'root' })
    const dom = await ground.domain(priya, domain)
    await ground.proven(dom)
    const refused = await says()
    expect(refused).to.include('It counts as two factors.')
    expect(refused).to.include('nobody here has this address, and this provider creates no users')
    expect(refused).to.include('By its groups the user would be: Technician')
    await ground.save(priya, id, { creates_users: 'yes' })
    expect(await says()).to.include(`An account for dana@${domain} would be created`)
    const { organisationId } = priya.person
    const user = { organisationId, email: `dana@${domain}`, name: 'Dana', role: 'technician' as const }
    const { id: dana } = await createUser(stage.directory, {
      ...user,
      password: 'quiet otters borrow nine lanterns',
    })
    expect(await says()).to.include('who would be linked at the first login')
    await upstream.setAccount({ sub: 'dana', email: `dana@${domain}`, email_verified: false })
    expect(await says()).to.include('they would also log in here once by what they have set up')
    await change(
      stage,
      'INSERT INTO sso_identities (connection_id, subject, account_id, created_at) VALUES (?, ?, ?, 1)',
      [id, 'dana', dana],
    )
    expect(await says()).to.include('who is linked already')
    await change(stage, "UPDATE accounts SET status = 'deactivated' WHERE id = ?", [dana])
    expect(await says()).to.include('the account here is not active')
    await upstream.setAccount({ sub: 'dana2' })
    expect(text(await priya.by.get(await logIn('dana2')))).to.include('the provider says no email address')
  })

  it('says in words what went wrong, and does not count as tested', async () => {
    const cancelled = await priya.by.get(await logIn(''))
    expect(text(cancelled)).to.include('The provider, or whoever logged in there, said no.')
    await ground.save(priya, id, { client_secret: 'wrong' })
    const wrong = await priya.by.get(await logIn())
    expect(text(wrong)).to.include('The provider’s settings, or those that you entered, can’t be used.')
    expect(text(wrong)).to.include('In detail:')
    expect(await testedRevision()).to.equal(null)
    await ground.save(priya, id, { issuer: 'http://127.0.0.1:9' })
    const away = await priya.by.post(urlOf('/test'), {})
    expect([away.status, text(away).includes('The provider doesn’t answer.')]).to.deep.equal([200, true])
    expect(await ground.names(priya)).not.to.include('sso.connection_tested')
  })

  it('does not count for settings that were changed meanwhile', async () => {
    const back = await logIn()
    await ground.save(priya, id, { scopes: 'email' })
    const page = await priya.by.get(back)
    expect(text(page)).to.include('its settings were changed meanwhile. Test once more.')
    expect(await testedRevision()).to.equal(null)
    expect(await ground.names(priya)).not.to.include('sso.connection_tested')
    // And one of before is not on by it.
    await priya.by.post(urlOf('/on'), {})
    expect((await ground.connection(id)).status).to.equal('off')
  })

  it('attack: its answer is shown once, also to two tabs at once', async () => {
    const back = await logIn()
    const both = await Promise.all([0, 1, 2].map(() => priya.by.get(back)))
    expect(both.filter(each => text(each).includes('Subject dana'))).to.have.length(1)
    expect(text(await priya.by.get(back))).to.include('This answer was shown before')
    expect((await ground.names(priya)).filter(each => each === 'sso.connection_tested')).to.have.length(1)
  })

  it('attack: its answer is shown to no other session, and stays for its own', async () => {
    const back = await logIn()
    const { organisationId } = priya.person
    const rosa = await ground.admin({ name: 'Rosa', organisationId })
    const mallory = await ground.admin({ name: 'Mallory' })
    expect(text(await rosa.by.get(back))).to.include('is not yours')
    expect((await mallory.by.get(back)).status).to.equal(404)
    // Under another provider's address.
    const other = await ground.provider(priya, 'oidc', 'Other')
    expect(text(await priya.by.get(back.replace(id, other)))).to.include('is not yours')
    expect(await testedRevision()).to.equal(null)
    expect(text(await priya.by.get(back))).to.include('Subject dana')
  })

  it('attack: an answer for a login page is none for a test', async () => {
    const { database, keyring } = stage.running.services
    const [state, handle] = [newToken(), newToken()]
    const asked = { state, connectionId: id, askedBy: { interaction: 'x'.repeat(21) } }
    await database.commit([insertSsoRequest(keyring, asked, {}, stage.now())])
    const request = await readOpenRequest(database, state, stage.now())
    if (request === undefined) throw new Error('no request')
    await database.commit([takeRequest(request, stage.now())])
    const returned: Returned = {
      revision: 2,
      twoFactor: false,
      fresh: false,
      ok: true,
      answer: {
        ...{ subject: 'x', email: undefined, emailVerified: undefined, name: undefined, groups: [] },
        ...{ acr: undefined, amr: [], authenticatedAt: undefined, session: undefined, claims: {} },
      },
    }
    await database.commit([keepAnswer(keyring, request, handle, returned)])
    expect(text(await priya.by.get(`${urlOf('/test')}?h=${handle}`))).to.include('is not yours')
    expect(await testedRevision()).to.equal(null)
  })

  it('cuts what is long, and takes it for text', async () => {
    await upstream.setAccount({
      sub: 'dana',
      email: `dana@${domain}`,
      name: '<b>Dana</b>',
      groups: Array.from({ length: 300 }, (_, n) => `group ${n} of many`),
    })
    const { body } = await priya.by.get(await logIn())
    expect(body).not.to.include('<b>Dana')
    expect(body).not.to.include('group 299')
    expect(body.length).to.be.below(20_000)
  })

  it('keeps no token in the address, the log or the database', async () => {
    const back = await logIn()
    expect(back).to.match(/\/test\?h=[\w-]{43}$/)
    const handle = new URL(back).searchParams.get('h') ?? ''
    const stored = JSON.stringify(await rows(stage, 'SELECT * FROM sso_requests'))
    for (const secret of [handle, upstream.clientSecret, `dana@${domain}`]) {
      expect(stored).not.to.include(secret)
      expect(stage.log.join()).not.to.include(secret)
    }
  })

  it('goes to a provider of SAML in the same way, with the answer posted from there', async () => {
    const heron = await openSamlLiar(stage)
    const admin = await membersOf(stage).enrolled({ role: 'admin', organisationId: heron.organisationId })
    const url = `${SSO}/${heron.connectionId}`
    const { location = '' } = await admin.by.post(`${url}/test`, {})
    expect(location).to.match(/^https:\/\/idp\.example\/sso\?SAMLRequest=/)
    const posted = await heron.post(heron.answer(location), admin.by)
    expect(posted.location).to.include(`${url}/test?h=`)
    const page = text(await admin.by.get(posted.location ?? ''))
    expect(page).to.include('It works').and.to.include('persistent:dana')
    expect(page).to.include(heron.email('dana')).and.to.include('PasswordProtectedTransport')
    const again = await heron.post(heron.answer(location), admin.by)
    expect(again.status, 'its request was answered').to.equal(400)
  })
})
