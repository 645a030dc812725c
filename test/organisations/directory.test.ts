import { expect } from 'chai'
import { verifyPassword } from '../../src/factors/password.ts'
import { MAIL, mailHandler, queueView } from '../../src/mail/outbox.ts'
import {
  createOrganisation,
  createUser,
  type Directory,
  foundOrganisation,
  InputError,
  inviteUser,
  type UserInput,
} from '../../src/organisations/directory.ts'
import { readAccount, readAccountByEmail, setPasswordByMail } from '../../src/store/accounts/accounts.ts'
import { spend } from '../../src/store/accounts/credentials.ts'
import { readToken, useToken } from '../../src/store/accounts/emailed-tokens.ts'
import { CommitRefused, sql } from '../../src/store/database.ts'
import { runJobs } from '../../src/store/jobs/job-worker.ts'
import { hasOrganisation, readOrganisation } from '../../src/store/organisations/organisations.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { createTexts } from '../../src/texts.ts'
import { onEachDatabase, type TestDatabase } from '../mail/databases.ts'

const DAY = 24 * 60 * 60 * 1000
const PASSWORD = 'quiet otters borrow nine lanterns'
const auditRows = sql(
  'test_directory_audit',
  'SELECT event, organisation_id, account_id, actor_id, details FROM audit_events ORDER BY id',
)

async function refusal(work: Promise<unknown>): Promise<InputError> {
  try {
    await work
  } catch (error) {
    expect(error).to.be.instanceOf(InputError)
    return error as InputError
  }
  throw new Error('it was not refused')
}

onEachDatabase('the directory', open => {
  let test: TestDatabase
  let directory: Directory
  let now: number
  let organisationId: string

  beforeEach(async () => {
    test = await open()
    now = Date.now()
    directory = {
      database: test.database,
      keyring: createKeyring(['k'.repeat(32)]),
      clock: () => now,
      actor: 'operator',
      productName: 'Sallyport',
    }
    organisationId = (await createOrganisation(directory, { name: 'Acme', plan: 'Pro', subscribedAt: now }))
      .id
  })
  afterEach(() => test.drop())

  const audit = () => test.database.read(auditRows, [])
  const ann = (more: Partial<UserInput> = {}): UserInput => ({
    organisationId,
    email: 'ann@acme.example',
    name: 'Ann Lee',
    role: 'technician',
    ...more,
  })
  /** The token of the newest mail, as its recipient gets it. */
  async function mailedToken(): Promise<string> {
    const texts: string[] = []
    const log = { info() {}, warn() {}, error() {} }
    const mailer = { send: async (mail: { text: string }) => void texts.push(mail.text), close() {} }
    const issuer = 'http://localhost:3000'
    const { database, keyring } = directory
    const handlers = { [MAIL]: mailHandler({ database, keyring, mailer, texts: createTexts(), issuer, log }) }
    const jobs = runJobs({ database: test.database, handlers, log, clock: () => now })
    for (let tries = 0; texts.length === 0 && tries < 300; tries++) await new Promise(r => setTimeout(r, 10))
    await jobs.stop()
    return /\/link\/invitation\/(\S+)/.exec(texts.at(-1) ?? '')?.[1] ?? ''
  }

  it('keeps an organisation with the start of its subscription, and audits it', async () => {
    expect(await readOrganisation(test.database, organisationId)).to.deep.equal({
      id: organisationId,
      name: 'Acme',
      plan: 'Pro',
      subscribedAt: now,
    })
    const [row] = await audit()
    expect(row).to.include({
      event: 'organisation.created',
      organisation_id: organisationId,
      actor_id: 'operator',
    })
  })

  it('keeps an organisation that has no subscription yet', async () => {
    const { id } = await createOrganisation(directory, { name: 'Later', plan: 'None', subscribedAt: null })
    expect((await readOrganisation(test.database, id))?.subscribedAt).to.equal(null)
  })

  it('refuses names that are empty, long, of several lines, of nothing to see, or that turn the line', async () => {
    const lines = ['', '  ', 'x'.repeat(201), 'Acme\r\nBcc: x', 'a\u2028b', 'a\u0000b', '\ud800']
    const hidden = ['\u200b', '\u3164', '\u2060\u200d', '\u202eemcA', 'Acme\u2066']
    for (const name of [...lines, ...hidden]) {
      const error = await refusal(createOrganisation(directory, { name, plan: 'Pro', subscribedAt: now }))
      expect(error.field, JSON.stringify(name)).to.equal('name')
    }
    const error = await refusal(
      createOrganisation(directory, { name: 'A', plan: 'Pro', subscribedAt: Number.NaN }),
    )
    expect(error.field).to.equal('subscribedAt')
    for (const name of hidden) {
      expect((await refusal(createUser(directory, ann({ name })))).field).to.equal('name')
      expect((await refusal(inviteUser(directory, ann({ name })))).field).to.equal('name')
    }
    expect(await audit()).to.have.length(1)
  })

  it('makes a user with a password active, their mailbox proven', async () => {
    const other = await createUser(directory, { ...ann({ email: 'bo@acme.example' }), password: PASSWORD })
    const account = await readAccount(test.database, other.id)
    expect(account).to.include({ status: 'active', mailboxProvenAt: now, organisationId, role: 'technician' })
    expect(await verifyPassword(account?.passwordHash ?? undefined, PASSWORD)).to.include({ ok: true })
    expect(other).not.to.have.any.keys('passwordHash', 'password')
  })

  it('makes a user without a password invited, their mailbox unproven', async () => {
    const user = await createUser(directory, ann({ email: ' Ann@ACME.example ', role: 'admin' }))
    const account = await readAccount(test.database, user.id)
    expect(account).to.include({
      status: 'invited',
      mailboxProvenAt: null,
      passwordHash: null,
      email: 'Ann@acme.example',
      role: 'admin',
    })
    expect(await queueView(test.database)).to.deep.equal([])
    expect((await audit()).at(-1)).to.include({
      event: 'user.created',
      account_id: user.id,
      actor_id: 'operator',
    })
  })

  it('takes an address once, in whatever case', async () => {
    await createUser(directory, ann())
    expect((await refusal(createUser(directory, ann({ email: 'ANN@acme.example' })))).field).to.equal('email')
    expect(await audit()).to.have.length(2)
  })

  it('lets one of many who come at once take an address', async () => {
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => createUser(directory, ann())))
    expect(results.filter(each => each.status === 'fulfilled')).to.have.length(1)
    for (const each of results)
      if (each.status === 'rejected') expect(each.reason).to.be.instanceOf(InputError)
    expect(await audit()).to.have.length(2)
  })

  it('refuses what is no address, role or organisation', async () => {
    for (const email of [
      '',
      'ann',
      'ann@acme',
      'Ann <ann@acme.example>',
      'a@b.example, c@d.example',
      'a@b.example\r\nx',
    ]) {
      expect((await refusal(createUser(directory, ann({ email })))).field, email).to.equal('email')
      expect((await refusal(inviteUser(directory, ann({ email })))).field, email).to.equal('email')
    }
    expect((await refusal(createUser(directory, ann({ role: 'support' as 'admin' })))).field).to.equal('role')
    const nowhere = await refusal(createUser(directory, ann({ organisationId: 'org_none' })))
    expect(nowhere.field).to.equal('organisationId')
    expect(await audit()).to.have.length(1)
  })

  it('asks for 15 characters while the password may be all there is, for 8 once 2FA is enforced', async () => {
    const password = 'mXq7#tLw9v'
    expect((await refusal(createUser(directory, { ...ann(), password }))).field).to.equal('password')
    now += DAY
    expect((await createUser(directory, { ...ann(), password })).status).to.equal('active')
  })

  it('refuses a password that is common, or has the name of user, organisation or product in it', async () => {
    now += DAY
    for (const password of [
      'password123',
      'annlee mXq7#tLw9v',
      'mXq7 acme #tLw9v',
      'mXq7 sallyport #tLw9v',
      'a\nbcdefghi',
    ]) {
      const error = await refusal(createUser(directory, { ...ann({ name: 'Annlee' }), password }))
      expect(error.field, password).to.equal('password')
      expect(error.message).not.to.include(password)
    }
    expect(await readAccountByEmail(test.database, 'ann@acme.example')).to.equal(undefined)
  }).timeout(20_000)

  it('mails an invitation whose token works, in the commit that makes the user', async () => {
    const user = await inviteUser(directory, ann())
    const [mail] = await queueView(test.database)
    expect(mail).to.include({ template: 'invitation', to: 'ann@acme.example', state: 'waiting' })
    expect((await audit()).at(-1)).to.include({ event: 'user.invited', account_id: user.id })
    const token = await mailedToken()
    expect(await readToken(test.database, 'invitation', token, now)).to.include({ accountId: user.id })
  })

  it('sends an invitation again, with name and role as they are now, and ends the older link', async () => {
    const first = await inviteUser(directory, ann())
    const older = await mailedToken()
    now += 1000
    const again = await inviteUser(
      directory,
      ann({ name: 'Ann Chu', role: 'admin', email: 'ANN@acme.example' }),
    )
    expect(again.id).to.equal(first.id)
    expect(await readAccount(test.database, first.id)).to.include({ name: 'Ann Chu', role: 'admin' })
    const newer = await mailedToken()
    expect(await readToken(test.database, 'invitation', older, now)).to.equal(undefined)
    expect(await readToken(test.database, 'invitation', newer, now)).to.include({ accountId: first.id })
  })

  it('invites nobody who has accepted, nor somebody of another organisation', async () => {
    const user = await inviteUser(directory, ann())
    const other = await createOrganisation(directory, { name: 'Other', plan: 'Pro', subscribedAt: now })
    expect((await refusal(inviteUser(directory, ann({ organisationId: other.id })))).field).to.equal('email')
    await test.database.commit([
      useToken('invitation', await mailedToken(), now),
      setPasswordByMail(user.id, 'hash', now),
    ])
    expect((await refusal(inviteUser(directory, ann()))).field).to.equal('email')
    expect((await queueView(test.database)).filter(mail => mail.state !== 'done')).to.deep.equal([])
  })

  it('founds the first organisation with its admin, or neither', async () => {
    const input = {
      organisation: { name: 'First', plan: 'Trial', subscribedAt: now },
      admin: { email: 'root@first.example', name: 'Root', password: PASSWORD },
    }
    const once = () => [spend('first-run', 'organisation', Number.MAX_SAFE_INTEGER)]
    const results = await Promise.allSettled([
      foundOrganisation(directory, input, once()),
      foundOrganisation(directory, { ...input, admin: { ...input.admin, email: 'b@first.example' } }, once()),
    ])
    expect(results.map(each => each.status).sort()).to.deep.equal(['fulfilled', 'rejected'])
    for (const each of results)
      if (each.status === 'rejected') expect(each.reason).to.be.instanceOf(CommitRefused)
    const made = results.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []))[0]
    expect(await readAccount(test.database, made?.admin.id ?? '')).to.include({
      role: 'admin',
      status: 'active',
      organisationId: made?.organisation.id,
    })
    expect((await audit()).map(each => each.event)).to.have.members([
      'organisation.created',
      'organisation.created',
      'user.created',
    ])
    const again = { ...input, admin: { ...input.admin, email: made?.admin.email ?? '' } }
    const taken = await refusal(foundOrganisation(directory, again))
    expect(taken.field).to.equal('email')
    expect(await audit()).to.have.length(3)
    expect(await hasOrganisation(test.database)).to.equal(true)
  })
})
