// Domains and break-glass admins, by requests alone: what their pages show, what is saved and refused, and what is left
// alone. DNS is what the test says it is.

import { expect } from 'chai'
import { deactivateUser, setRole } from '../../src/organisations/users.ts'
import type { DomainResolver } from '../../src/sso/domains.ts'
import { readDomainStanding } from '../../src/store/sso/domains.ts'
import { change, MINUTE, rows } from '../attacks/ground.ts'
import { onEveryStage } from '../support/every-stage.ts'
import type { Stage } from '../support/stage.ts'
import { createVisitor } from '../support/visitor.ts'
import { countWork } from '../support/work.ts'
import type { Member } from './member.ts'
import { hidden, SSO, ssoGround, text } from './sso-ground.ts'

onEveryStage('domains of single sign-on', open => {
  let stage: Stage
  let ground: ReturnType<typeof ssoGround>
  let priya: Member
  /** What DNS knows, or how it fails. */
  let dns: Map<string, string[][] | Error>
  let asked: string[]
  let names = 0

  before(async () => {
    const resolver: DomainResolver = {
      async txt(name) {
        asked.push(name)
        const found = dns.get(name) ?? Object.assign(new Error('none'), { code: 'ENOTFOUND' })
        if (found instanceof Error) throw found
        return found
      },
    }
    stage = await open({ resolver })
    ground = ssoGround(stage)
  })
  beforeEach(async () => {
    dns = new Map()
    asked = []
    priya = await ground.admin()
  })

  const newName = () => `d${++names}.northgate.example`
  const urlOf = (id: string) => `${SSO}/domains/${id}`
  const recordIn = (body: string) =>
    ['name', 'value'].map(each => new RegExp(`id="record-${each}"[^>]*>([^<]*)<`).exec(body)?.[1] ?? '')
  /** Adds a domain, and puts its record into DNS. */
  async function withRecord(member: Member, domain: string): Promise<string> {
    const id = await ground.domain(member, domain)
    const [name = '', value = ''] = recordIn((await member.by.get(urlOf(id))).body)
    dns.set(name, [[value]])
    return id
  }
  async function provenBy(member: Member, domain = newName()): Promise<string> {
    const id = await withRecord(member, domain)
    const { location } = await member.by.post(`${urlOf(id)}/check`, {})
    expect(location).to.match(/done=proven$/)
    return id
  }
  const domainOf = async (member: Member, id: string) =>
    (await ground.domains(member)).find(each => each.id === id)
  const isProven = async (member: Member, domain: string) => {
    const connection = { id: 'none', organisationId: member.person.organisationId }
    return (await readDomainStanding(stage.running.services.database, domain, connection)) !== 'not_proven'
  }

  it('are added in their one spelling, with a record to copy, and proven by it', async () => {
    const name = newName()
    const id = await ground.domain(priya, ` @${name.toUpperCase()}. `)
    const page = await priya.by.get(urlOf(id))
    expect(page.heading).to.equal(name)
    expect(text(page)).to.include('Not proven')
    const [record = '', value = ''] = recordIn(page.body)
    expect(record).to.equal(`_sallyport-challenge.${name}`)
    expect(value).to.match(/^sallyport-domain=[0-9a-f]{40}$/)
    expect(asked).to.deep.equal([])
    dns.set(record, [[value]])
    const { location = '' } = await priya.by.post(`${urlOf(id)}/check`, {})
    const proven = await priya.by.get(location)
    expect(text(proven)).to.include('Proven. Now choose by which provider its addresses log in.')
    expect(await isProven(priya, name)).to.equal(true)
    expect(asked).to.deep.equal([record])
    // For good: nobody is locked out by a record that was tidied away.
    dns.clear()
    await priya.by.post(`${urlOf(id)}/check`, {})
    expect(await isProven(priya, name)).to.equal(true)
    expect(asked).to.have.length(1)
    expect(await ground.events(priya)).to.deep.equal(
      ['sso.domain_added', 'sso.domain_proven'].map(event => ({
        event,
        actor_id: priya.person.id,
        account_id: null,
        address: '127.0.0.1',
        details: { domain: name },
      })),
    )
  })

  for (const [typed, said] of [
    ['', 'Enter a domain'],
    ['https://northgate.example', 'Enter a domain'],
    ['com', 'Enter a domain'],
    ['192.0.2.1', 'Enter a domain'],
    ['<b>x</b>.example', 'Enter a domain'],
  ] as const) {
    it(`refuses “${typed}” as a domain, and keeps what was typed`, async () => {
      const answer = await priya.by.post(`${SSO}/domains/new`, { domain: typed })
      expect(answer.status).to.equal(400)
      expect(text(answer)).to.include(said)
      expect(answer.body).not.to.include('<b>x')
      expect(await ground.domains(priya)).to.deep.equal([])
    })
  }

  it('are there once, and not without end', async () => {
    const name = newName()
    await ground.domain(priya, name)
    const again = await priya.by.post(`${SSO}/domains/new`, { domain: name })
    expect([again.status, text(again).includes('This domain is there already')]).to.deep.equal([400, true])
    const twice = newName()
    const both = await Promise.all([0, 1].map(() => priya.by.post(`${SSO}/domains/new`, { domain: twice })))
    expect(both.map(each => each.status).toSorted()).to.deep.equal([303, 400])
    for (let left = 47; left > 0; left--) await ground.domain(priya, newName())
    const last = await Promise.all(
      Array.from({ length: 8 }, () => priya.by.post(`${SSO}/domains/new`, { domain: newName() })),
    )
    expect(last.filter(each => each.status === 303)).to.have.length(1)
    const more = await priya.by.post(`${SSO}/domains/new`, { domain: newName() })
    expect(more.status).to.equal(400)
    expect(text(more)).to.include('there are as many as one organisation can have')
    expect(await ground.domains(priya)).to.have.length(50)
  })

  it('say what DNS says: nothing, something else, or no word', async () => {
    const name = newName()
    const id = await ground.domain(priya, name)
    const check = async () => text(await priya.by.post(`${urlOf(id)}/check`, {}))
    expect(await check()).to.include('There is no such record yet.')
    dns.set(`_sallyport-challenge.${name}`, [['sallyport-domain=<b>other</b>'], ['v=spf1']])
    const wrong = await check()
    expect(wrong).to.include('There is a record, with another value.')
    expect(wrong).to.include('sallyport-domain=<b>other</b> v=spf1')
    dns.set(`_sallyport-challenge.${name}`, Object.assign(new Error('late'), { code: 'ETIMEOUT' }))
    expect(await check()).to.include('DNS did not answer.')
    expect(await isProven(priya, name)).to.equal(false)
    expect(await ground.names(priya)).to.deep.equal(['sso.domain_added'])
  })

  it('attack: a domain proven by another organisation is not proven a second time, even with its record', async () => {
    const name = newName()
    await provenBy(priya, name)
    const mallory = await ground.admin({ name: 'Mallory' })
    const id = await withRecord(mallory, name)
    const answer = await mallory.by.post(`${urlOf(id)}/check`, {})
    expect(answer.status).to.equal(409)
    expect(text(answer)).to.include('another organisation here has proven this domain')
    expect(await isProven(mallory, name)).to.equal(false)
    expect(await isProven(priya, name)).to.equal(true)
  })

  it('attack: of two organisations that prove one domain at once, one has it', async () => {
    const name = newName()
    const rivals = [priya, await ground.admin({ name: 'Rosa' })]
    const ids: string[] = []
    for (const each of rivals) ids.push(await ground.domain(each, name))
    const values = await Promise.all(
      rivals.map(async (each, n) => recordIn((await each.by.get(urlOf(ids[n] ?? ''))).body)[1] ?? ''),
    )
    dns.set(
      `_sallyport-challenge.${name}`,
      values.map(each => [each]),
    )
    const answers = await Promise.all(
      rivals.map((each, n) => each.by.post(`${urlOf(ids[n] ?? '')}/check`, {})),
    )
    expect(answers.map(each => each.status).toSorted()).to.deep.equal([303, 409])
    const proven = await Promise.all(rivals.map(each => isProven(each, name)))
    expect(proven.filter(Boolean)).to.have.length(1)
  })

  it('attack: the domains of another organisation are not there', async () => {
    const id = await provenBy(priya)
    const mallory = await ground.admin({ name: 'Mallory' })
    for (const path of ['', '/check', '/remove']) {
      expect((await mallory.by.get(`${urlOf(id)}${path}`)).status, path).to.equal(404)
      expect((await mallory.by.post(`${urlOf(id)}${path}`, {})).status, path).to.equal(404)
    }
    expect((await mallory.by.get(SSO)).body).not.to.include('northgate')
    expect(await domainOf(priya, id)).to.include({ proven: true })
  })

  it('attack: a domain is not given to the provider of another organisation', async () => {
    const id = await provenBy(priya)
    const theirs = await ground.providerOn(await ground.admin({ name: 'Rosa' }))
    const answer = await priya.by.post(urlOf(id), { provider: theirs })
    expect(answer.status).to.equal(404)
    expect(await domainOf(priya, id)).to.include({ connectionId: null })
  })

  it('are given to a provider, and back', async () => {
    const id = await provenBy(priya)
    const okta = await ground.providerOn(priya)
    const { location = '' } = await priya.by.post(urlOf(id), { provider: okta })
    const page = await priya.by.get(location)
    expect(text(page)).to.include('Saved.')
    expect(page.body).to.match(new RegExp(`value="${okta}" checked`))
    expect(text(await priya.by.get(SSO))).to.match(/Proven Okta/)
    await priya.by.post(urlOf(id), { provider: 'none' })
    expect(await domainOf(priya, id)).to.include({ connectionId: null, ssoOnly: false })
    expect((await priya.by.post(urlOf(id), {})).status).to.equal(400)
    const given = (await ground.events(priya)).filter(each => each.event === 'sso.domain_set')
    expect(given.map(each => each.details.connection)).to.deep.equal(['Okta', ''])
  })

  it('that are not proven are given to nobody', async () => {
    const id = await ground.domain(priya, newName())
    const okta = await ground.providerOn(priya)
    expect((await priya.by.post(urlOf(id), { provider: okta })).status).to.equal(409)
    expect(await domainOf(priya, id)).to.include({ connectionId: null })
  })

  describe('for single sign-on only', () => {
    let id: string
    let okta: string
    const only = (by = priya.by) => by.post(urlOf(id), { provider: okta, sso_only: 'yes' })
    const name = (member: Member, named = 'yes', by = priya.by) =>
      by.post(`${SSO}/break-glass`, { user: member.person.id, named })
    const isNamed = async ({ person }: Member) => {
      const [row] = await rows(stage, 'SELECT break_glass FROM accounts WHERE id = ?', [person.id])
      return Number(row?.break_glass) === 1
    }
    const colleague = (options = {}) =>
      ground.admin({ name: 'Rosa Díaz', organisationId: priya.person.organisationId, ...options })

    beforeEach(async () => {
      id = await provenBy(priya)
      okta = await ground.providerOn(priya)
    })

    it('need a break-glass admin', async () => {
      const refused = await only()
      expect(refused.status).to.equal(409)
      expect(text(refused)).to.include('needs a break-glass admin with a password and a second factor')
      expect(refused.body).to.match(/name="sso_only"[^>]*checked/)
      expect(await domainOf(priya, id)).to.include({ connectionId: null, ssoOnly: false })
      expect((await name(priya)).status).to.equal(303)
      expect((await only()).status).to.equal(303)
      expect(await domainOf(priya, id)).to.include({ connectionId: okta, ssoOnly: true })
      expect((await ground.events(priya)).at(-1)?.details).to.include({ connection: 'Okta', sso_only: true })
    })

    it('need a provider that is on', async () => {
      await name(priya)
      await priya.by.post(`${SSO}/${okta}/off`, {})
      const refused = await only()
      expect([refused.status, text(refused).includes('needs a provider that is on')]).to.deep.equal([
        409,
        true,
      ])
      expect(await domainOf(priya, id)).to.include({ ssoOnly: false })
    })

    it('attack: are not so without a provider', async () => {
      await name(priya)
      await priya.by.post(urlOf(id), { provider: 'none', sso_only: 'yes' })
      expect(await domainOf(priya, id)).to.include({ connectionId: null, ssoOnly: false })
    })

    it('keep the last break-glass admin, who is neither taken off, demoted nor deactivated', async () => {
      const rosa = await colleague()
      await name(priya)
      await only()
      const off = await name(priya, 'no')
      expect([off.status, text(off).includes('is the last break-glass admin')]).to.deep.equal([409, true])
      for (const path of ['technician', 'deactivate']) {
        const page = await rosa.by.post(`/admin/users/${priya.person.id}/${path}`, {})
        expect(page.status, path).to.equal(409)
        expect(text(page)).to.include('Name another break-glass admin first')
      }
      expect(await isNamed(priya)).to.equal(true)
      // With another one, each of them can go.
      expect((await name(rosa)).status).to.equal(303)
      expect((await name(priya, 'no')).status).to.equal(303)
      expect((await name(rosa, 'no')).status).to.equal(409)
      expect([await isNamed(priya), await isNamed(rosa)]).to.deep.equal([false, true])
      expect((await priya.by.post(urlOf(id), { provider: okta })).status).to.equal(303)
      expect((await name(rosa, 'no')).status).to.equal(303)
    })

    it('attack: of two break-glass admins who are taken off at once, one stays', async () => {
      const rosa = await colleague()
      await name(priya)
      await name(rosa)
      await only()
      await Promise.all([name(priya, 'no'), name(rosa, 'no', rosa.by)])
      expect([await isNamed(priya), await isNamed(rosa)].filter(Boolean)).to.have.length(1)
    })

    it('attack: of a break-glass admin who is taken off and another who is deactivated at once, one stays', async () => {
      const rosa = await colleague()
      await name(priya)
      await name(rosa)
      await only()
      const { organisationId } = priya.person
      await Promise.allSettled([
        name(priya, 'no'),
        deactivateUser(stage.directory, { organisationId, userId: rosa.person.id }),
      ])
      expect([await isNamed(priya), await isNamed(rosa)].filter(Boolean)).to.have.length(1)
    })

    it('attack: a domain does not become so while the only break-glass admin is taken off', async () => {
      await name(priya)
      for (let round = 0; round < 5; round++) {
        await Promise.all([only(), name(priya, 'no')])
        const domain = await domainOf(priya, id)
        expect(domain?.ssoOnly && !(await isNamed(priya))).to.equal(false)
        await priya.by.post(urlOf(id), { provider: okta })
        await name(priya)
      }
    })

    it('count nobody who could not get in', async () => {
      const rosa = await colleague()
      await name(priya)
      await name(rosa)
      await only()
      // Reset by support, say.
      await change(stage, 'DELETE FROM authenticators WHERE account_id = ?', [rosa.person.id])
      expect((await name(priya, 'no')).status).to.equal(409)
      expect((await name(rosa, 'no')).status).to.equal(303)
    })

    it('are so no more where their provider is deleted', async () => {
      await name(priya)
      await only()
      await priya.by.post(`${SSO}/${okta}/off`, {})
      await priya.by.post(`${SSO}/${okta}/delete`, {})
      expect(await domainOf(priya, id)).to.include({ connectionId: null, ssoOnly: false, proven: true })
      expect((await name(priya, 'no')).status).to.equal(303)
    })

    it('name only who has a password and a second factor, and is an active admin here', async () => {
      const bare = await stage.person({
        name: 'Bare',
        role: 'admin',
        organisationId: priya.person.organisationId,
      })
      const refused = await name({ ...priya, person: bare })
      expect(refused.status).to.equal(409)
      expect(text(refused)).to.include('Bare has no password or no second factor here')
      const ben = await ground.members.enrolled({ name: 'Ben', organisationId: priya.person.organisationId })
      const mallory = await ground.admin({ name: 'Mallory' })
      for (const other of [ben, mallory]) {
        expect((await name(other)).status).to.equal(404)
        expect(await isNamed(other)).to.equal(false)
      }
      expect((await name(priya)).status).to.equal(303)
      expect((await ground.events(priya)).at(-1)).to.deep.include({
        event: 'sso.break_glass_changed',
        account_id: priya.person.id,
        details: { named: true },
      })
    })

    it('forget who is no admin any more', async () => {
      const rosa = await colleague()
      await name(rosa)
      await setRole(
        stage.directory,
        { organisationId: priya.person.organisationId, userId: rosa.person.id },
        'technician',
      )
      expect(await isNamed(rosa)).to.equal(false)
    })
  })

  it('are removed, after one more question', async () => {
    const name = newName()
    const id = await provenBy(priya, name)
    const page = await priya.by.get(`${urlOf(id)}/remove`)
    expect(page.heading).to.equal(`Remove ${name}?`)
    const { location = '' } = await priya.by.post(`${urlOf(id)}/remove`, {})
    expect(text(await priya.by.get(location))).to.include('The domain is removed.')
    expect(await isProven(priya, name)).to.equal(false)
    expect((await priya.by.get(urlOf(id))).status).to.equal(404)
    expect(await ground.names(priya)).to.include('sso.domain_removed')
  })

  it('change only with a fresh second factor, and then by one more press', async () => {
    stage.advance(6 * MINUTE)
    const name = newName()
    const asked = await priya.by.post(`${SSO}/domains/new`, { domain: name })
    const shown = await ground.members.prove(priya, await priya.by.follow(asked.location ?? ''))
    expect(text(shown)).to.include(name)
    expect(await ground.domains(priya)).to.deep.equal([])
    const pending = hidden(shown, 'pending')
    const both = await Promise.all([0, 1].map(() => priya.by.post(`${SSO}/domains/new`, { pending })))
    expect(both.map(each => each.status)).to.include(303)
    expect(await ground.domains(priya)).to.have.length(1)
    const id = (await ground.domains(priya))[0]?.id ?? ''
    stage.advance(6 * MINUTE)
    const check = await priya.by.post(`${urlOf(id)}/check`, {})
    const waits = await ground.members.prove(priya, await priya.by.follow(check.location ?? ''))
    expect(waits.heading).to.equal(name)
    expect(hidden(waits, 'pending')).not.to.equal('')
  })

  it('stay as they are on a plan without single sign-on, but for what is taken away', async () => {
    const id = await provenBy(priya)
    const okta = await ground.providerOn(priya)
    await ground.plan(priya, 'Team')
    const list = await priya.by.get(SSO)
    expect(text(list)).to.include('Your plan, Team, comes without single sign-on')
    expect(list.body).not.to.include('/admin/sso/new')
    expect((await priya.by.post(`${SSO}/domains/new`, { domain: newName() })).status).to.equal(303)
    expect(await ground.domains(priya)).to.have.length(1)
    expect((await priya.by.post(urlOf(id), { provider: okta })).status).to.equal(409)
    await priya.by.post(`${SSO}/break-glass`, { user: priya.person.id, named: 'yes' })
    expect(await domainOf(priya, id)).to.include({ connectionId: null })
    expect((await priya.by.post(`${urlOf(id)}/remove`, {})).status).to.equal(303)
    expect(await ground.domains(priya)).to.deep.equal([])
  })

  it('are not there for a technician or a stranger', async () => {
    const { organisationId } = priya.person
    const ben = await ground.members.enrolled({ name: 'Ben', organisationId })
    for (const path of [SSO, `${SSO}/new`, `${SSO}/break-glass`, `${SSO}/domains/new`]) {
      expect((await ben.by.get(path)).status, path).to.equal(404)
      if (path !== SSO) expect((await ben.by.post(path, {})).status, path).to.equal(404)
      const nobody = await createVisitor(stage.origin).get(path)
      expect([nobody.status, new URL(nobody.location ?? '').pathname]).to.deep.equal([303, '/auth'])
    }
  })

  it('are listed in four statements', async () => {
    const { reads, statements } = await countWork(stage, () => priya.by.get(SSO))
    expect(reads, statements.join()).to.equal(4)
  })
})
