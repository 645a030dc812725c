// Users who prove two factors at their identity provider, as the console, the API and the command line tell of them:
// all say the same, and what they say is what happens at a login.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { expect } from 'chai'
import { main } from '../../src/cli.ts'
import { createUser } from '../../src/organisations/directory.ts'
import { OWN_API_SCOPES } from '../../src/store/oidc/own-api.ts'
import { assignDomain } from '../../src/store/sso/domains.ts'
import { machine, openApi, tokenOf } from '../api/api-client.ts'
import { onEveryStage } from '../support/every-stage.ts'
import { logInBySso, openSso, type SsoGround } from '../support/sso.ts'
import { PASSWORD, type Stage } from '../support/stage.ts'
import { createVisitor, type RelyingParty, relyingParty } from '../support/visitor.ts'
import { type Member, membersOf } from './member.ts'
import { text } from './sso-ground.ts'

type Counts = Record<'set_up' | 'at_provider' | 'not_set_up' | 'reset_pending', number>

onEveryStage('users at their provider', open => {
  let stage: Stage
  let party: RelyingParty
  let heron: SsoGround
  let priya: Member
  let api: Awaited<ReturnType<typeof openApi>>
  let program: string
  let cwd: string
  let dana: string
  let noor: string

  before(async () => {
    stage = await open()
    cwd = mkdtempSync(join(tmpdir(), 'sallyport-'))
    party = await relyingParty(stage)
    heron = await openSso(stage, { connection: { twoFactor: { acr: [], amr: ['mfa'] } } })
    const { organisationId } = heron
    priya = await membersOf(stage).enrolled({ name: 'Priya Raman', role: 'admin', organisationId })
    dana = await member('dana', 'Dana Whitlock', ['pwd', 'mfa'])
    noor = await member('noor', 'Noor Haddad', ['pwd'])
    api = await openApi(stage, () => program)
    const scope = OWN_API_SCOPES.join(' ')
    program = await tokenOf(stage, await machine(stage, 'back-office', scope), scope)
  })
  after(async () => {
    await heron?.close()
    rmSync(cwd, { recursive: true, force: true })
  })

  async function member(name: string, fullName: string, amr: string[]): Promise<string> {
    const email = heron.email(name)
    await heron.upstream.setAccount({ sub: name, email, email_verified: true, name: fullName, amr })
    const { organisationId } = heron
    const { id } = await createUser(stage.directory, {
      ...{ organisationId, email, name: fullName, role: 'technician', password: PASSWORD },
    })
    return id
  }

  /** @returns where the login leads: a page of ours, or the app */
  async function logIn(name: string): Promise<{ heading: string | undefined; url: string }> {
    const { url } = await party.begin()
    return logInBySso(heron, createVisitor(stage.origin), url, heron.email(name), name)
  }

  const page = async (path: string) => text(await priya.by.get(path))

  async function report(...flags: string[]): Promise<string> {
    const chunks: Buffer[] = []
    const stdout = new Writable({
      write(chunk, _, done) {
        chunks.push(Buffer.from(chunk as Buffer))
        done()
      },
    })
    const { config } = stage.running
    const env = { DATABASE_URL: config.databaseUrl, SALLYPORT_SECRET_KEYS: config.secretKeys.join(',') }
    const io = { cwd, env, stdin: Readable.from([]), stdout, stderr: stdout }
    await main(['enforcement', 'report', '--org', heron.organisationId, ...flags], io)
    return Buffer.concat(chunks).toString()
  }

  /** Of the same users, wherever they are counted. */
  async function everywhereCounted(counts: Counts, stopped: readonly string[]): Promise<void> {
    const list = await page('/admin/users')
    const coverage = await page('/admin/coverage')
    const users = (n: number) => `${n} ${n === 1 ? 'user' : 'users'}`
    expect(list).to.include(`Set up ${counts.set_up}`).and.include(`Not set up ${counts.not_set_up}`)
    expect(coverage).to.match(new RegExp(`Overdue [^0-9]*${users(counts.not_set_up)}`))
    if (counts.at_provider === 0) {
      expect(list).not.to.include('At your provider')
      expect(coverage).not.to.include('At your provider')
    } else {
      expect(list).to.include(`At your provider ${counts.at_provider}`)
      expect(coverage).to.match(new RegExp(`At your provider [^0-9]*${users(counts.at_provider)}`))
    }
    const total = Object.values(counts).reduce((sum, each) => sum + each, 0)
    const percent = Math.floor(((counts.set_up + counts.at_provider) / total) * 100)
    expect(coverage).to.include(`${percent}% of ${total} users have`)
    const told = JSON.parse(await report('--json')) as { users: Counts; stopped: { name: string }[] }
    expect(told.users).to.deep.equal(counts)
    expect(told.stopped.map(each => each.name)).to.deep.equal(stopped)
    expect(await report()).to.match(
      new RegExp(`two factors at their identity provider +${counts.at_provider}\\n`),
    )
    for (const [standing, count] of Object.entries(counts)) {
      const { body } = await api.call(
        'GET',
        `/organisations/${heron.organisationId}/users?second_factor=${standing}`,
      )
      expect(body.users as unknown[], standing).to.have.length(count)
      const filtered = await priya.by.get(`/admin/users?standing=${standing}`)
      expect([...filtered.body.matchAll(/<th scope="row"/g)], standing).to.have.length(count)
    }
  }

  it('are not set up before a login there has proven two factors', async () => {
    await everywhereCounted({ set_up: 1, at_provider: 0, not_set_up: 2, reset_pending: 0 }, [
      'Dana Whitlock',
      'Noor Haddad',
    ])
  })

  it('are told apart once one has, and whom the provider says less of is stopped, and said to be', async () => {
    expect((await logIn('dana')).url).to.match(/[?&]code=/)
    expect((await logIn('noor')).heading).to.equal('Set up two-factor authentication')
    await everywhereCounted({ set_up: 1, at_provider: 1, not_set_up: 1, reset_pending: 0 }, ['Noor Haddad'])
    expect(await page(`/admin/users/${dana}`)).to.include('2FA At your provider')
    expect(await page(`/admin/users/${noor}`)).to.include('2FA Not set up')
    const listed = await api.call('GET', `/organisations/${heron.organisationId}/users?q=dana`)
    expect(listed.body.users).to.have.nested.property('[0].second_factor', 'at_provider')
  })

  it('are skipped by a reset, which has nothing to take', async () => {
    const path = `/organisations/${heron.organisationId}/second-factor-resets`
    const ordered = await api.call('POST', path, { body: { reason: 'Phone lost', users: [dana] } })
    let results: unknown
    for (let n = 0; n < 100; n++) {
      results = (await api.call('GET', `${path}/${String(ordered.body.id)}/users`)).body.users
      if (!JSON.stringify(results).includes('waiting')) break
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    expect(results).to.have.nested.property('[0].outcome', 'skipped')
    expect(results).to.have.nested.property('[0].why', 'at_provider')
  })

  it('are not set up, and are stopped, where their domain goes to the provider no more', async () => {
    const domain = { id: heron.domainId, organisationId: heron.organisationId }
    await heron.commit(assignDomain(domain, null, false))
    await everywhereCounted({ set_up: 1, at_provider: 0, not_set_up: 2, reset_pending: 0 }, [
      'Dana Whitlock',
      'Noor Haddad',
    ])
    await heron.commit(assignDomain(domain, heron.connectionId, false))
    await everywhereCounted({ set_up: 1, at_provider: 1, not_set_up: 1, reset_pending: 0 }, ['Noor Haddad'])
  })

  it('are not set up, and are stopped, once the provider says less of them', async () => {
    const email = heron.email('dana')
    await heron.upstream.setAccount({ sub: 'dana', email, email_verified: true, name: 'Dana', amr: ['pwd'] })
    expect((await logIn('dana')).heading).to.equal('Set up two-factor authentication')
    await everywhereCounted({ set_up: 1, at_provider: 0, not_set_up: 2, reset_pending: 0 }, [
      'Dana Whitlock',
      'Noor Haddad',
    ])
  })
})
