// Identity providers, by requests alone: adding one, its page, what is saved and refused, switching and deleting it.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { newSamlKeys } from '../../src/sso/saml-keys.ts'
import { type StoredSaml, samlOf } from '../../src/sso/settings.ts'
import { markTested } from '../../src/store/sso/connections.ts'
import { change, MINUTE, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { countWork } from '../support/work.ts'
import type { Member } from './member.ts'
import { fieldsOf, hidden, SSO, ssoGround, text } from './sso-ground.ts'

const SECRET = 'correct-horse-of-the-upstream-8f3a'
const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47'

onEveryStage('identity providers of single sign-on', open => {
  let stage: Stage
  let ground: ReturnType<typeof ssoGround>
  let priya: Member
  let certificate: string

  before(async () => {
    stage = await open()
    ground = ssoGround(stage)
    certificate = (await newSamlKeys('idp', stage.now())).certificate
  })
  beforeEach(async () => {
    priya = await ground.admin()
  })

  const urlOf = (id: string) => `${SSO}/${id}`
  const page = (id: string, by = priya.by) => by.get(urlOf(id))
  const settings = async (id: string) => JSON.parse((await ground.connection(id)).settings)
  const metadata = (entityId: string, sso = 'https://idp.example/sso') =>
    `<?xml version="1.0"?><EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${entityId}"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>${certificate.replaceAll(/-----.*?-----|\s/g, '')}</X509Certificate></X509Data></KeyInfo></KeyDescriptor><SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="${sso}"/></IDPSSODescriptor></EntityDescriptor>`

  describe('are added', () => {
    it('by a protocol and a name, and show our addresses before anything else is known', async () => {
      const form = await priya.by.get(`${SSO}/new`)
      expect(form.heading).to.equal('Add provider')
      for (const name of ['Microsoft Entra ID', 'OpenID Connect (OIDC)', 'SAML 2.0']) {
        expect(text(form)).to.include(name)
      }
      const id = await ground.provider(priya, 'oidc', 'Okta')
      const shown = await page(id)
      expect(shown.heading).to.equal('Okta')
      expect(text(shown)).to.include(`Redirect URI ${stage.origin}/sso/oidc/${id}`)
      expect(text(shown)).to.include('Off, not set up')
      expect(shown.body).not.to.include(`${id}/test"`)
      expect(text(await priya.by.get(SSO))).to.match(/Okta OpenID Connect \(OIDC\) Off, not set up/)
      expect((await ground.events(priya)).at(-1)).to.deep.include({
        event: 'sso.connection_created',
        actor_id: priya.person.id,
        address: '127.0.0.1',
        details: { connection: 'Okta', protocol: 'oidc', id },
      })
    })

    it('for SAML with a key pair of their own, whose private half nobody sees', async () => {
      const [one, other] = [await ground.provider(priya, 'saml'), await ground.provider(priya, 'saml')]
      const shown = await page(one)
      for (const end of ['metadata', 'acs', 'slo']) {
        expect(text(shown)).to.include(`${stage.origin}/sso/saml/${one}/${end}`)
      }
      expect(shown.body).to.include('-----BEGIN CERTIFICATE-----')
      expect(shown.body).not.to.include('PRIVATE KEY')
      const { ourCertificate } = samlOf(await ground.connection(one))
      expect(samlOf(await ground.connection(other)).ourCertificate).not.to.equal(ourCertificate)
      const { secret } = await ground.connection(one)
      expect(secret).not.to.include('PRIVATE')
      const { keyring } = stage.running.services
      expect(keyring.open(secret ?? '', ['sso_connections', 'secret', one]).toString()).to.include(
        'PRIVATE KEY',
      )
    })

    it('not without a name, or by a protocol that there is not', async () => {
      for (const form of [
        { protocol: 'oidc', name: ' ' },
        { name: 'Okta' },
        { protocol: 'ldap', name: 'Okta' },
      ]) {
        const answer = await priya.by.post(`${SSO}/new`, form as Record<string, string>)
        expect(answer.status).to.equal(400)
        expect(answer.body).to.include('<title>Error: ')
      }
      expect(text(await priya.by.get(SSO))).to.include('There is no provider yet.')
    })

    it('not without end', async () => {
      for (let n = 0; n < 19; n++) await ground.provider(priya)
      const both = await Promise.all(
        Array.from({ length: 20 }, () => priya.by.post(`${SSO}/new`, { protocol: 'oidc', name: 'Okta' })),
      )
      expect(both.filter(each => each.status === 303)).to.have.length(1)
      const [row] = await rows(stage, 'SELECT count(*) AS n FROM sso_connections WHERE organisation_id = ?', [
        priya.person.organisationId,
      ])
      expect(Number(row?.n)).to.equal(20)
    })
  })

  describe('by OpenID Connect', () => {
    const typed = { issuer: 'https://login.example.com', client_id: 'sallyport', client_secret: SECRET }

    it('keep what was typed, and a secret that no page, log or audit row shows', async () => {
      const id = await ground.provider(priya)
      const answer = await ground.save(priya, id, {
        ...typed,
        scopes: 'openid email groups',
        two_factor_acr: 'urn:gold\r\n\r\nurn:gold\r\nphr',
        two_factor_amr: 'mfa',
        creates_users: 'yes',
        admin_groups: 'Admins of IT\nroot',
      })
      expect(answer.status, answer.body).to.equal(303)
      const shown = await priya.by.get(answer.location ?? '')
      expect(text(shown)).to.include('Saved.')
      expect(fieldsOf(shown)).to.include({
        issuer: typed.issuer,
        client_id: 'sallyport',
        client_secret: '',
        scopes: 'email groups',
        two_factor_acr: 'urn:gold\nphr',
        creates_users: 'yes',
        admin_groups: 'Admins of IT\nroot',
      })
      const stored = await ground.connection(id)
      expect(stored).to.deep.include({
        twoFactor: { acr: ['urn:gold', 'phr'], amr: ['mfa'] },
        createsUsers: true,
        adminGroups: ['Admins of IT', 'root'],
        revision: 2,
      })
      const { keyring } = stage.running.services
      const place = ['sso_connections', 'secret', id] as const
      expect(keyring.open(stored.secret ?? '', place).toString()).to.equal(SECRET)
      expect(() => keyring.open(stored.secret ?? '', ['sso_connections', 'secret', 'sso_other'])).to.throw()
      // Left empty, it stays.
      await ground.save(priya, id, { name: 'Okta of Northgate' })
      expect((await ground.connection(id)).secret).to.equal(stored.secret)
      // And what can't be saved shows it as little.
      const wrong = await ground.save(priya, id, { issuer: 'x', client_secret: SECRET })
      expect([wrong.status, wrong.body.includes(SECRET)]).to.deep.equal([400, false])
      const seen = [
        shown.body,
        (await page(id)).body,
        stage.log.join(),
        JSON.stringify(await ground.events(priya)),
      ]
      for (const each of seen) expect(each).not.to.include(SECRET)
      const changed = (await ground.events(priya)).filter(each => each.event === 'sso.connection_changed')
      expect(changed.map(each => each.details.changed)).to.deep.equal([
        ['settings', 'secret', 'two factors', 'creates users', 'admin groups'],
        ['name'],
      ])
    })

    it('write nothing where nothing was changed', async () => {
      const id = await ground.provider(priya)
      await ground.save(priya, id, typed)
      expect((await ground.save(priya, id, {})).status).to.equal(303)
      expect((await ground.connection(id)).revision).to.equal(2)
    })

    for (const [field, value, said] of [
      ['issuer', 'login.example.com', 'begins with https://'],
      ['issuer', 'https://user:pass@login.example.com', 'begins with https://'],
      ['issuer', 'file:///etc/passwd', 'begins with https://'],
      ['issuer', 'https://login.example.com/#x', 'begins with https://'],
      ['issuer', `https://login.example.com/${'x'.repeat(500)}`, 'too long'],
      ['client_id', 'a b', 'without a space'],
      ['client_secret', 'x'.repeat(1001), 'too long'],
      ['scopes', 'email "x"', 'without a space'],
      ['two_factor_acr', 'two factors', 'without a space'],
      ['two_factor_amr', Array.from({ length: 21 }, (_, n) => `m${n}`).join('\n'), 'too many'],
      ['admin_groups', 'x'.repeat(301), 'too long'],
      ['name', '', 'Enter something'],
    ] as const) {
      it(`refuse ${field} ${JSON.stringify(value.slice(0, 30))}, keep what was typed, and change nothing`, async () => {
        const id = await ground.provider(priya)
        const answer = await ground.save(priya, id, { ...typed, [field]: value })
        expect(answer.status, text(answer)).to.equal(400)
        expect(text(answer)).to.include(said)
        if (field !== 'client_secret') expect(fieldsOf(answer)[field]).to.equal(value)
        expect(answer.body).to.match(new RegExp(`name="${field}"[^>]*aria-invalid="true"`))
        expect((await ground.connection(id)).revision).to.equal(1)
      })
    }

    it('keep issuer and client id once they were tested, and until then can be corrected', async () => {
      const id = await ground.provider(priya)
      await ground.save(priya, id, typed)
      expect((await ground.save(priya, id, { client_id: 'other' })).status).to.equal(303)
      await ground.tested(id)
      const shown = await page(id)
      expect(shown.body).to.match(/name="client_id"[^>]* readonly/)
      for (const other of [{ issuer: 'https://evil.example' }, { client_id: 'evil' }, { issuer: '' }]) {
        const refused = await ground.save(priya, id, other as Record<string, string>)
        expect([refused.status, text(refused).includes('This stays as it was tested')]).to.deep.equal([
          400,
          true,
        ])
      }
      expect(await settings(id)).to.deep.equal({ issuer: typed.issuer, clientId: 'other' })
      expect((await ground.save(priya, id, { client_secret: 'next' })).status).to.equal(303)
    })

    it('attack: another issuer is not saved while a test login succeeds', async () => {
      const id = await ground.provider(priya)
      await ground.save(priya, id, typed)
      const { database } = stage.running.services
      for (let round = 0; round < 4; round++) {
        const { revision } = await ground.connection(id)
        const issuer = `https://evil${round}.example`
        const [saved] = await Promise.all([
          ground.save(priya, id, { issuer }),
          database.commit([markTested(id, revision)]).catch(() => undefined),
        ])
        const after = await ground.connection(id)
        // What counts as tested is never the one that was not.
        if (saved.status === 303 && JSON.parse(after.settings).issuer === issuer) {
          expect(after.testedRevision).to.equal(null)
        } else expect(after.testedRevision).to.equal(revision)
        await change(stage, 'UPDATE sso_connections SET tested_revision = NULL WHERE id = ?', [id])
      }
    })

    it('save one of two changes that two admins make at once, and tell the other', async () => {
      const id = await ground.provider(priya)
      const rosa = await ground.admin({ name: 'Rosa', organisationId: priya.person.organisationId })
      const form = { ...fieldsOf(await page(id)), ...typed }
      const answers = await Promise.all(
        [priya, rosa].map(({ by }, n) => by.post(urlOf(id), { ...form, name: `Okta ${n}` })),
      )
      expect(answers.map(each => each.status).toSorted()).to.deep.equal([303, 409])
      const late = answers.find(each => each.status === 409)
      expect(late && text(late)).to.include('somebody else changed this provider meanwhile')
      expect((await ground.connection(id)).revision).to.equal(2)
    })
  })

  describe('of Microsoft Entra ID', () => {
    it('are known by their tenant', async () => {
      const id = await ground.provider(priya, 'entra', 'Microsoft')
      const answer = await ground.save(priya, id, {
        tenant: TENANT.toUpperCase(),
        client_id: 'c',
        client_secret: 's',
      })
      expect(answer.status).to.equal(303)
      expect(await settings(id)).to.deep.equal({
        issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
        clientId: 'c',
        tenant: TENANT,
      })
    })

    for (const tenant of ['common', 'Organizations', 'consumers', '9188040d-6c67-4c5b-b112-36a304b66dad']) {
      it(`attack: are not those of everybody, by the tenant ${tenant}`, async () => {
        const id = await ground.provider(priya, 'entra', 'Microsoft')
        const answer = await ground.save(priya, id, { tenant, client_id: 'c' })
        expect(answer.status).to.equal(400)
        expect(text(answer)).to.include('Anybody’s Microsoft account could log in there')
      })
    }

    it('attack: have no tenant that leads elsewhere', async () => {
      const id = await ground.provider(priya, 'entra', 'Microsoft')
      for (const tenant of ['../evil', 'evil.example', `${TENANT}/../x`, `${TENANT}#`]) {
        expect((await ground.save(priya, id, { tenant })).status, tenant).to.equal(400)
      }
    })
  })

  describe('by SAML', () => {
    let server: Server
    let answers: (path: string) => { status?: number; body: string }
    let origin: string

    before(async () => {
      server = createServer((request, response) => {
        const { status = 200, body } = answers(request.url ?? '')
        response.writeHead(status).end(body)
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    })
    after(() => void server.close())

    it('are read from metadata at an address, anew each time that they are saved', async () => {
      const id = await ground.provider(priya, 'saml', 'AD FS')
      let read = 0
      answers = () => ({ body: metadata('https://idp.example/', `https://idp.example/sso/${++read}`) })
      const saved = await ground.save(priya, id, { metadata_url: `${origin}/metadata` })
      expect(saved.status, text(saved)).to.equal(303)
      const { ourCertificate, ...stored } = (await settings(id)) as StoredSaml
      expect(stored).to.deep.equal({
        entityId: 'https://idp.example/',
        ssoUrl: 'https://idp.example/sso/1',
        certificates: [certificate],
        requestsSigned: true,
        idpInitiated: false,
        metadataUrl: `${origin}/metadata`,
      })
      expect(text(await page(id))).to.include('Off')
      await ground.save(priya, id, { idp_initiated: 'yes' })
      expect(await settings(id)).to.include({
        ssoUrl: 'https://idp.example/sso/2',
        idpInitiated: true,
        ourCertificate,
      })
      // It is down: what was read stays, and the rest is saved.
      answers = () => ({ status: 503, body: '' })
      expect((await ground.save(priya, id, { name: 'AD FS 2' })).status).to.equal(303)
      expect(await settings(id)).to.include({ ssoUrl: 'https://idp.example/sso/2' })
    })

    it('say what is wrong with metadata', async () => {
      const id = await ground.provider(priya, 'saml', 'AD FS')
      const cases: readonly [Record<string, string>, string][] = [
        [{ metadata: '<EntityDescriptor/>' }, 'does not begin with an EntityDescriptor'],
        [{ metadata: '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>' }, 'document type'],
        [
          { metadata: metadata('https://idp.example/').replace(/<KeyDescriptor.*<\/KeyDescriptor>/, '') },
          'no certificate',
        ],
        [{ metadata_url: `${origin}/gone` }, 'status 404'],
        [{ metadata_url: `${origin}/moved` }, 'redirect'],
        [{ metadata_url: 'ftp://idp.example/metadata' }, 'begins with https://'],
        [{ certificates: 'not a certificate' }, 'This is no certificate that can be used'],
      ]
      answers = path =>
        path === '/moved' ? { status: 302, body: '' } : { status: 404, body: 'secret of the inside' }
      for (const [typed, said] of cases) {
        const answer = await ground.save(priya, id, typed)
        expect(answer.status, said).to.equal(400)
        expect(text(answer)).to.include(said)
        expect(text(answer)).not.to.include('secret of the inside')
      }
      expect((await ground.connection(id)).revision).to.equal(1)
    })

    it('are read from the text of a file, as large as that of Microsoft Entra ID', async () => {
      const id = await ground.provider(priya, 'saml', 'Entra')
      const large = metadata('https://sts.example/').replace(
        '<IDPSSODescriptor',
        `<!--${'<x>'.repeat(40_000).replaceAll('<', '(')}--><IDPSSODescriptor`,
      )
      const answer = await ground.save(priya, id, { metadata: large })
      expect(answer.status, text(answer)).to.equal(303)
      expect(await settings(id)).to.include({ entityId: 'https://sts.example/' })
    })

    it('are typed field by field, with several certificates, and show until when they are valid', async () => {
      const id = await ground.provider(priya, 'saml', 'Old')
      const next = (await newSamlKeys('next', stage.now())).certificate
      const answer = await ground.save(priya, id, {
        entity_id: 'urn:idp',
        sso_url: 'https://idp.example/sso',
        slo_url: 'https://idp.example/slo',
        certificates: `${certificate}\n${next}`,
      })
      expect(answer.status, text(answer)).to.equal(303)
      expect(await settings(id)).to.deep.include({
        entityId: 'urn:idp',
        sloUrl: 'https://idp.example/slo',
        certificates: [certificate, next],
      })
      const shown = await page(id)
      expect(text(shown).match(/Valid until/g)).to.have.length(2)
      expect(fieldsOf(shown).entity_id).to.equal('urn:idp')
    })

    it('attack: another entity id is not saved once it was tested, from wherever it comes', async () => {
      const id = await ground.provider(priya, 'saml', 'AD FS')
      await ground.save(priya, id, { metadata: metadata('https://idp.example/') })
      await ground.tested(id)
      answers = () => ({ body: metadata('https://evil.example/') })
      for (const typed of [
        { metadata: metadata('https://evil.example/') },
        { metadata_url: `${origin}/evil` },
        { entity_id: 'https://evil.example/' },
        { entity_id: '' },
      ]) {
        const answer = await ground.save(priya, id, typed as Record<string, string>)
        expect([answer.status, text(answer).includes('This stays as it was tested')]).to.deep.equal([
          400,
          true,
        ])
      }
      expect(await settings(id)).to.include({ entityId: 'https://idp.example/' })
      const rotated = await ground.save(priya, id, {
        metadata: metadata('https://idp.example/', 'https://idp.example/new'),
      })
      expect(rotated.status).to.equal(303)
    })
  })

  describe('are switched', () => {
    it('on only as they were tested, and off', async () => {
      const id = await ground.provider(priya)
      await ground.save(priya, id, { issuer: 'https://login.example', client_id: 'c', client_secret: 's' })
      expect((await priya.by.get(`${urlOf(id)}/on`)).status).to.equal(303)
      await priya.by.post(`${urlOf(id)}/on`, {})
      expect((await ground.connection(id)).status).to.equal('off')
      await ground.tested(id)
      await ground.save(priya, id, { client_secret: 'other' })
      await priya.by.post(`${urlOf(id)}/on`, {})
      expect((await ground.connection(id)).status).to.equal('off')
      await ground.tested(id)
      // The rules ask nothing of the upstream: it stays tested.
      await ground.save(priya, id, { two_factor_amr: 'mfa' })
      const asked = await priya.by.get(`${urlOf(id)}/on`)
      expect(asked.heading).to.equal('Switch on Okta?')
      expect(text(asked)).to.include('none of your proven domains is given to it')
      const { location = '' } = await priya.by.post(`${urlOf(id)}/on`, {})
      expect(text(await priya.by.get(location))).to.include('Switched on.')
      expect((await ground.connection(id)).status).to.equal('on')
      const off = await priya.by.post(`${urlOf(id)}/off`, {})
      expect(text(await priya.by.get(off.location ?? ''))).to.include('Switched off.')
      expect((await ground.names(priya)).filter(each => /_(on|off)$/.test(each))).to.deep.equal([
        'sso.connection_on',
        'sso.connection_off',
      ])
    })

    it('once, however often it is pressed', async () => {
      const id = await ground.providerOn(priya)
      await Promise.all(Array.from({ length: 5 }, () => priya.by.post(`${urlOf(id)}/off`, {})))
      expect((await ground.names(priya)).filter(each => each === 'sso.connection_off')).to.have.length(1)
    })

    it('attack: and do not lose what a login needs while they are on', async () => {
      const id = await ground.provider(priya, 'saml', 'AD FS')
      await ground.save(priya, id, {
        entity_id: 'urn:idp',
        sso_url: 'https://idp.example/sso',
        certificates: certificate,
      })
      await ground.tested(id)
      await priya.by.post(`${urlOf(id)}/on`, {})
      const answer = await ground.save(priya, id, { certificates: '' })
      expect([answer.status, text(answer).includes('a login needs what you left out')]).to.deep.equal([
        409,
        true,
      ])
      expect(samlOf(await ground.connection(id)).certificates).to.have.length(1)
    })

    it('and deleted when they are off, with who is linked to whom', async () => {
      const id = await ground.providerOn(priya)
      await change(
        stage,
        'INSERT INTO sso_identities (connection_id, subject, account_id, created_at) VALUES (?, ?, ?, 1)',
        [id, 'sub', priya.person.id],
      )
      await priya.by.post(`${urlOf(id)}/delete`, {})
      expect((await ground.connection(id)).status).to.equal('on')
      await priya.by.post(`${urlOf(id)}/off`, {})
      expect((await priya.by.get(`${urlOf(id)}/delete`)).heading).to.equal('Delete Okta?')
      const { location = '' } = await priya.by.post(`${urlOf(id)}/delete`, {})
      expect(text(await priya.by.get(location))).to.include('The provider is deleted.')
      expect((await page(id)).status).to.equal(404)
      expect(
        await rows(stage, 'SELECT 1 AS x FROM sso_identities WHERE connection_id = ?', [id]),
      ).to.deep.equal([])
      expect((await ground.names(priya)).at(-1)).to.equal('sso.connection_deleted')
    })
  })

  it('attack: those of another organisation are not there, and stay as they are', async () => {
    const id = await ground.providerOn(priya)
    const before = await ground.connection(id)
    const mallory = await ground.admin({ name: 'Mallory' })
    const form = fieldsOf(await page(id))
    for (const path of ['', '/on', '/off', '/delete', '/test']) {
      expect((await mallory.by.get(`${urlOf(id)}${path}`)).status, path).to.equal(404)
      const posted = await mallory.by.post(
        `${urlOf(id)}${path}`,
        path === '' ? { ...form, name: 'Mine' } : {},
      )
      expect(posted.status, path).to.equal(404)
    }
    expect(await ground.connection(id)).to.deep.equal(before)
    expect((await mallory.by.get(SSO)).body).not.to.include(id)
  })

  it('attack: are changed by no form of another site, and none with a field of its own', async () => {
    const id = await ground.provider(priya)
    const form = fieldsOf(await page(id))
    for (const site of ['cross-site', 'same-site']) {
      const crossed = await priya.by.post(urlOf(id), { ...form, name: 'Evil' }, { 'sec-fetch-site': site })
      expect(crossed.status).to.equal(403)
    }
    expect((await priya.by.post(urlOf(id), { ...form, status: 'on' })).status).to.equal(400)
    expect((await ground.connection(id)).revision).to.equal(1)
  })

  it('change only with a fresh second factor; what was typed waits sealed, its secret too', async () => {
    const id = await ground.provider(priya)
    const form = fieldsOf(await page(id))
    stage.advance(6 * MINUTE)
    const sent = { ...form, issuer: 'https://login.example', client_id: 'c', client_secret: SECRET }
    const asked = await priya.by.post(urlOf(id), sent)
    const shown = await ground.members.prove(priya, await priya.by.follow(asked.location ?? ''))
    expect(text(shown)).to.include('What you entered is kept for “Okta”.')
    expect(shown.body).not.to.include(SECRET)
    expect((await ground.connection(id)).revision).to.equal(1)
    const stored = JSON.stringify(await rows(stage, 'SELECT form FROM pending_forms'))
    expect(stored).not.to.include(SECRET)
    const pending = hidden(shown, 'pending')
    const both = await Promise.all([0, 1].map(() => priya.by.post(urlOf(id), { pending })))
    expect(both.map(each => each.status)).to.include(303)
    const { revision, secret } = await ground.connection(id)
    expect([revision, secret !== null]).to.deep.equal([2, true])
    // Replayed, it does nothing.
    const replayed = await priya.by.post(urlOf(id), { pending })
    expect([replayed.status, text(replayed).includes('This was not done')]).to.deep.equal([400, true])
    const changed = (await ground.names(priya)).filter(each => each === 'sso.connection_changed')
    expect(changed).to.have.length(1)
  })

  it('X8: on a plan without single sign-on nothing is changed, tested or switched on, but switched off and deleted', async () => {
    const id = await ground.providerOn(priya)
    const other = await ground.provider(priya, 'oidc', 'Other')
    await ground.save(priya, other, { issuer: 'https://other.example', client_id: 'c', client_secret: 's' })
    await ground.tested(other)
    const form = fieldsOf(await page(id))
    await ground.plan(priya, 'Team')
    const shown = await page(id)
    expect(text(shown)).to.include('Your plan, Team, comes without single sign-on')
    expect(shown.body).not.to.include(`${id}/test"`)
    expect((await priya.by.post(urlOf(id), { ...form, name: 'Changed' })).status).to.equal(409)
    expect((await priya.by.post(`${SSO}/new`, { protocol: 'oidc', name: 'New' })).status).to.equal(303)
    expect((await priya.by.post(`${urlOf(id)}/test`, {})).location).to.match(new RegExp(`${id}$`))
    await priya.by.post(`${urlOf(other)}/on`, {})
    expect((await ground.connection(other)).status).to.equal('off')
    expect((await ground.connection(id)).name).to.equal('Okta')
    await priya.by.post(`${urlOf(id)}/off`, {})
    expect((await ground.connection(id)).status).to.equal('off')
    await priya.by.post(`${urlOf(id)}/delete`, {})
    expect((await page(id)).status).to.equal(404)
  })

  it('show a name as text', async () => {
    const id = await ground.provider(priya, 'oidc', '<b>Okta</b> & "Co"')
    for (const path of [SSO, urlOf(id), `${urlOf(id)}/delete`]) {
      expect((await priya.by.get(path)).body).not.to.include('<b>Okta')
    }
  })

  it('are shown in four statements', async () => {
    const id = await ground.provider(priya)
    const { reads, statements } = await countWork(stage, () => page(id))
    expect(reads, statements.join()).to.equal(4)
  })
})
