import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { main } from '../src/cli.ts'
import { verifyPassword } from '../src/factors/password.ts'
import { readAccount } from '../src/store/accounts/accounts.ts'
import { turnOnAuthenticator } from '../src/store/accounts/credentials.ts'
import { openDatabase, sql, write } from '../src/store/database.ts'
import { claimJobs, failJob } from '../src/store/jobs/jobs.ts'
import { createClients } from '../src/store/oidc/clients.ts'
import { createKeyring } from '../src/store/seal.ts'
import { logoutJob } from '../src/store/sessions/logout-jobs.ts'
import { mmdb } from './support/mmdb.ts'
import { freshDatabase, postgresUrl } from './support/postgres.ts'
import { startSmtp } from './support/smtp.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const KEYS = 'k'.repeat(32)
const PASSWORD = 'quiet otters borrow nine lanterns'

interface Result {
  code: number
  stdout: string
  stderr: string
}

function collect(): { stream: Writable; text(): string } {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk, _, done) {
      chunks.push(Buffer.from(chunk as Buffer))
      done()
    },
  })
  return { stream, text: () => Buffer.concat(chunks).toString() }
}

describe('the command line', () => {
  let cwd: string
  let env: Record<string, string>

  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'sallyport-'))
    env = { SALLYPORT_SECRET_KEYS: KEYS }
  })
  afterEach(() => rmSync(cwd, { recursive: true, force: true }))

  async function run(args: string[], input = ''): Promise<Result> {
    const [stdout, stderr] = [collect(), collect()]
    const io = {
      env,
      cwd,
      stdin: Readable.from([Buffer.from(input)]),
      stdout: stdout.stream,
      stderr: stderr.stream,
    }
    const code = await main(args, io)
    return { code, stdout: stdout.text(), stderr: stderr.text() }
  }
  async function json<T>(args: string[], input = ''): Promise<T> {
    const { code, stdout, stderr } = await run([...args, '--json'], input)
    expect(code, stderr).to.equal(0)
    return JSON.parse(stdout) as T
  }
  async function refused(args: string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await run(args, input)
    expect(code, stderr).to.equal(2)
    expect(stdout).to.equal('')
    expect(stderr)
      .to.match(/^sallyport.*\n$/)
      .and.not.to.match(/\n./)
    return stderr
  }
  const organisation = async () =>
    (
      await json<{ id: string }>([
        'org',
        'create',
        '--name',
        'Acme',
        '--plan',
        'Pro',
        '--subscribed-at',
        '2026-01-01',
      ])
    ).id
  const userArgs = (verb: string, org: string, email = 'ann@acme.example') =>
    ['user', verb, '--org', org, '--email', email, '--name', 'Ann Lee', '--role', 'admin'] as string[]
  async function withDatabase<T>(
    work: (database: Awaited<ReturnType<typeof openDatabase>>) => Promise<T>,
  ): Promise<T> {
    const database = await openDatabase(env.DATABASE_URL ?? `sqlite:${join(cwd, 'data', 'sallyport.sqlite')}`)
    try {
      return await work(database)
    } finally {
      await database.close()
    }
  }

  describe('wrong use', () => {
    const wrong: [string, string[]][] = [
      ['say what to do', []],
      ['did you mean migrate?', ['migarte']],
      ['did you mean org create?', ['org', 'creat']],
      ['org create', ['org']],
      ['the command comes first', ['--json', 'migrate']],
      ['"now"', ['migrate', 'now']],
      ['did you mean --name?', ['org', 'create', '--nam', 'Acme']],
      ['-n', ['org', 'create', '-n', 'Acme']],
      ['--plan is missing', ['org', 'create', '--name', 'Acme']],
      ['--org, --at are missing', ['org', 'subscribe']],
      ['--at', ['org', 'subscribe', '--org', 'x', '--at', 'soon']],
      ['--role', ['user', 'list', '--org', 'x', '--role', 'support']],
      ['--search', ['user', 'list', '--org', 'x', '--search', ' ']],
      ['--role', ['user', 'role', '--org', 'x', '--email', 'a@b.example', '--role', 'root']],
      ['--name needs a value', ['org', 'create', '--name', '--plan', 'Pro', '--subscribed-at', '2026-01-01']],
      ['--name needs a value', ['org', 'create', '--name']],
      ['--name needs a value', ['org', 'create', '--name=']],
      ['--name is given twice', ['org', 'create', '--name', 'A', '--name', 'B']],
      ['--json takes no value', ['migrate', '--json=yes']],
      ['--subscribed-at', ['org', 'create', '--name', 'A', '--plan', 'P', '--subscribed-at', 'yesterday']],
      ['--subscribed-at', ['org', 'create', '--name', 'A', '--plan', 'P', '--subscribed-at', '2026-02-30']],
      [
        '--subscribed-at',
        ['org', 'create', '--name', 'A', '--plan', 'P', '--subscribed-at', '2026-01-01T10:00'],
      ],
      ['--role', ['user', 'create', '--org', 'x', '--email', 'a@b.example', '--name', 'A', '--role', 'root']],
      ['--org is missing', ['user', 'create', '--email', 'a@b.example', '--name', 'A', '--role', 'admin']],
      [
        'the role support has no organisation',
        ['user', 'create', '--org', 'x', '--email', 'a@b.example', '--name', 'A', '--role', 'support'],
      ],
      [
        '--password-stdin is missing',
        ['user', 'create', '--email', 'a@b.example', '--name', 'A', '--role', 'support'],
      ],
      ['--metadata', ['client', 'create', '--metadata', 'nowhere.json']],
      ['--state', ['mail', 'queue', '--state', 'lost']],
      ['--state', ['job', 'list', '--state', 'lost']],
      ['exclude each other', ['client', 'update', '--id', 'x', '--public', '--confidential']],
      ['say what is to change', ['client', 'update', '--id', 'x']],
      ['client actions set, client actions list', ['client', 'actions']],
      ['--file', ['client', 'actions', 'set', '--client', 'x', '--file', 'nowhere.json']],
      [
        '--rule',
        ['org', 'actions', 'tighten', '--org', 'x', '--client', 'x', '--action', 'a', '--rule', 'sometimes'],
      ],
    ]
    for (const [says, args] of wrong) {
      it(`says in one line what is wrong with "${args.join(' ')}", and changes nothing`, async () => {
        expect(await refused(args)).to.include(says)
        expect(existsSync(join(cwd, 'data'))).to.equal(false)
      })
    }

    it('is told apart from the configuration, of which every problem is listed', async () => {
      env = { PORT: 'x', SALLYPORT_LOG_LEVEL: 'loud', SALLYPORT_ISUER: 'x' }
      const { code, stderr } = await run(['migrate'])
      expect(code).to.equal(2)
      expect(stderr.trim().split('\n')).to.have.length(3)
      expect(stderr).to.include('did you mean SALLYPORT_ISSUER?')
      expect(existsSync(join(cwd, 'data'))).to.equal(false)
    })

    it('of a database that is not migrated is answered with the command to run, and makes none', async () => {
      const args = ['org', 'create', '--name', 'Acme', '--plan', 'Pro', '--subscribed-at', '2026-01-01']
      expect(await refused(args)).to.match(/run .* migrate/)
      expect(existsSync(join(cwd, 'data', 'sallyport.sqlite'))).to.equal(false)
      writeFileSync(join(cwd, 'empty.sqlite'), '')
      env.DATABASE_URL = 'sqlite:empty.sqlite'
      expect(await refused(args)).to.match(/run .* migrate/)
    })

    it('with other secret keys than the database was sealed with is refused by name', async () => {
      await run(['migrate'])
      env.SALLYPORT_SECRET_KEYS = 'o'.repeat(32)
      expect(await refused(['client', 'list'])).to.include('SALLYPORT_SECRET_KEYS')
      expect(await refused(['migrate'])).to.include('SALLYPORT_SECRET_KEYS')
      env.SALLYPORT_SECRET_KEYS = `${'o'.repeat(32)},${KEYS}`
      expect((await run(['client', 'list'])).code).to.equal(0)
    })

    it('is told apart from a database that cannot be used, which is named without its password', async () => {
      await run(['migrate'])
      writeFileSync(join(cwd, 'other'), '')
      for (const url of ['postgres://app:hunter2@127.0.0.1:1/sallyport', 'sqlite:other/file']) {
        env.DATABASE_URL = url
        const { code, stdout, stderr } = await run(['migrate'])
        expect(code, url).to.equal(1)
        expect(stdout).to.equal('')
        expect(stderr)
          .to.match(/^sallyport migrate: .*DATABASE_URL.*\n$/)
          .and.not.to.include('hunter2')
      }
    })

    it('of a database of a newer version is refused', async () => {
      await run(['migrate'])
      const newer = sql(
        'test_cli_newer',
        "INSERT INTO migrations (name, batch, migration_time) VALUES ('999-later.js', 9, 0)",
      )
      await withDatabase(database => database.commit([write(newer, [])]))
      expect(await refused(['client', 'list'])).to.include('999-later.js')
      expect(await refused(['migrate'])).to.include('newer version')
    })
  })

  it('helps with all commands, a group and one, without any configuration', async () => {
    env = { SALLYPORT_NONSENSE: 'x' }
    const all = await run(['--help'])
    expect(all.code).to.equal(0)
    for (const command of ['migrate', 'org create', 'user invite', 'client update', 'doctor', 'mail queue']) {
      expect(all.stdout).to.include(command)
    }
    const group = await run(['user', '--help'])
    expect(group.stdout).to.include('user create').and.not.to.include('org create')
    expect(await run(['help']), 'by a word').to.deep.equal(all)
    expect(await run(['help', 'user'])).to.deep.equal(group)
    const one = await run(['client', 'create', '--help'])
    expect(one.code).to.equal(0)
    for (const flag of ['--redirect-uri <', '--public', '--metadata <', '--json'])
      expect(one.stdout).to.include(flag)
    expect((await run(['--version'])).stdout).to.match(/^\d+\.\d+\.\d+\n$/)
  })

  it('prints the table of settings, and what is wrong with them', async () => {
    env = { SALLYPORT_SECRET_KEYS: KEYS, PORT: '4000' }
    const { code, stdout } = await run(['config'])
    expect(code).to.equal(0)
    expect(stdout)
      .to.include('SALLYPORT_SECRET_KEYS (or SALLYPORT_SECRET_KEYS_FILE)')
      .and.to.include('now 4000')
    expect(stdout).not.to.include(KEYS)
    env.SALLYPORT_PORT = '1'
    const wrong = await run(['config'])
    expect(wrong.code).to.equal(2)
    expect(wrong.stdout).to.include('SALLYPORT_ISSUER')
    expect(wrong.stderr).to.include('SALLYPORT_PORT')
    expect(existsSync(join(cwd, 'data'))).to.equal(false)
  })

  for (const database of ['SQLite', 'PostgreSQL'] as const) {
    describe(`on ${database}`, () => {
      let drop: () => Promise<void> = async () => undefined
      beforeEach(async function () {
        if (database === 'PostgreSQL') {
          if ((await postgresUrl()) === undefined) this.skip()
          const fresh = await freshDatabase()
          env.DATABASE_URL = fresh.url
          drop = fresh.drop
        }
        expect(await json(['migrate'])).to.deep.equal({
          ran: [
            '001-login.js',
            '002-step-up.js',
            '003-own-pages.js',
            '004-second-factor-resets.js',
            '005-audit-chain.js',
            '006-admins-version.js',
            '007-user-list.js',
            '008-idempotency.js',
            '009-invitations.js',
            '010-sessions.js',
            '011-access-list.js',
            '012-told-apps.js',
            '013-password-changed.js',
            '014-support-cases.js',
            '016-bounces.js',
            '017-rare-statuses.js',
            '020-email-changes.js',
            '021-sso.js',
            '022-provider-factors.js',
            '023-secret-keys.js',
          ],
        })
      })
      afterEach(() => drop())

      it('migrates once', async () => {
        expect(await json(['migrate'])).to.deep.equal({ ran: [] })
      })

      it('creates an organisation and a user who can log in', async () => {
        const org = await organisation()
        const user = await json<Record<string, unknown>>(
          [...userArgs('create', org), '--password-stdin'],
          `${PASSWORD}\n`,
        )
        expect(user).to.include({
          organisation_id: org,
          email: 'ann@acme.example',
          name: 'Ann Lee',
          role: 'admin',
          status: 'active',
        })
        const account = await withDatabase(each => readAccount(each, String(user.id)))
        expect(account?.mailboxProvenAt).to.be.a('number')
        expect(account?.subscribedAt).to.equal(Date.UTC(2026, 0, 1))
        expect(await verifyPassword(account?.passwordHash ?? undefined, PASSWORD)).to.include({ ok: true })
        expect(await refused(userArgs('create', org)))
          .to.include('--email')
          .and.to.include('is taken')
        expect(await refused(userArgs('create', 'org_none', 'b@acme.example'))).to.include('--org')
      })

      it('creates a support agent, without an organisation, and deactivates them', async () => {
        const agent = ['--email', 'sam@vendor.example', '--name', 'Sam Ellery', '--role', 'support']
        const create = ['user', 'create', ...agent, '--password-stdin']
        const { id, ...told } = await json<Record<string, unknown>>(create, `${PASSWORD}\n`)
        expect(told).to.deep.equal({
          organisation_id: null,
          email: 'sam@vendor.example',
          name: 'Sam Ellery',
          role: 'support',
          status: 'active',
        })
        expect(await withDatabase(each => readAccount(each, String(id)))).to.include({
          role: 'support',
          organisationId: null,
        })
        expect(await refused(create, `${PASSWORD}\n`)).to.include('is taken')
        const deactivate = ['user', 'deactivate', '--email', 'sam@vendor.example']
        expect(await json(deactivate)).to.include({ status: 'deactivated', changed: true })
        expect(await json(deactivate)).to.include({ status: 'deactivated', changed: false })
        expect(await refused(['user', 'deactivate', '--email', 'nobody@vendor.example'])).to.include(
          '--email',
        )
      })

      it('keeps organisations up to date: lists them, changes the plan, sets the start once', async () => {
        const { id } = await json<{ id: string }>(['org', 'create', '--name', 'Later', '--plan', 'Pro'])
        expect((await run(['doctor'])).stdout).to.include(`org subscribe --org ${id}`)
        expect((await run(['org', 'list'])).stdout).to.include(`${id}  Later, Pro, no subscription`)
        const at = ['org', 'subscribe', '--org', id, '--at', '2026-11-24']
        expect(await json(at)).to.include({ subscribed_at: '2026-11-24T00:00:00.000Z', changed: true })
        expect(await json(at)).to.include({ subscribed_at: '2026-11-24T00:00:00.000Z', changed: false })
        const moved = await refused(['org', 'subscribe', '--org', id, '--at', '2027-01-01'])
        expect(moved).to.include('--at cannot be changed').and.to.include('2026-11-24')
        expect((await run(['doctor'])).stdout).not.to.include(id)
        const plan = ['org', 'update', '--org', id, '--plan', 'Enterprise']
        expect(await json(plan)).to.include({ plan: 'Enterprise', changed: true })
        expect((await run(plan)).stdout).to.equal('Later: plan Enterprise (as it was)\n')
        expect(await refused(['org', 'update', '--org', 'org_none', '--plan', 'A'])).to.include('--org')
        expect(await json(['org', 'list'])).to.deep.equal([
          { id, name: 'Later', plan: 'Enterprise', subscribed_at: '2026-11-24T00:00:00.000Z' },
        ])
      })

      it('shows and changes how long sessions last, on a special plan, and logs people out', async () => {
        const { id } = await json<{ id: string }>(['org', 'create', '--name', 'North', '--plan', 'Team'])
        const sessions = (...flags: string[]) => ['org', 'sessions', '--org', id, ...flags]
        const standard = { organisation_id: id, inactive_hours: 24, end_days: 7, own: false }
        expect(await json(sessions())).to.deep.equal(standard)
        expect((await run(sessions())).stdout).to.equal(
          'North: sessions end after 24 h without use, 7 days in any case (the standard: its plan comes without its own)\n',
        )
        const closed = await refused(sessions('--inactive-hours', '8'))
        expect(closed).to.include('the plan "Team" comes without').and.to.include('Enterprise, Superpower')
        await json(['org', 'update', '--org', id, '--plan', 'Enterprise'])
        const changed = { ...standard, inactive_hours: 8, own: true }
        expect(await json(sessions('--inactive-hours', '8'))).to.deep.equal({ ...changed, changed: true })
        expect(await json(sessions('--inactive-hours', '8'))).to.deep.equal({ ...changed, changed: false })
        expect(await json(sessions('--end-days', '30'))).to.include({ inactive_hours: 8, end_days: 30 })
        for (const bad of ['0', '25', '1.5', 'x', '-1'])
          expect(await refused(sessions(`--inactive-hours=${bad}`)), bad).to.include(
            '--inactive-hours must be a whole number from 1 to 24',
          )
        expect(await refused(sessions('--end-days', '31'))).to.include('--end-days must be a whole number')
        expect(await refused(['org', 'sessions', '--org', 'org_none'])).to.include('--org')

        const out = await run(['org', 'log-out', '--org', id])
        expect(out.stdout).to.equal('North: everybody is logged out\n')
        expect(await json(['org', 'log-out', '--org', id])).to.deep.equal({ organisation_id: id })
        await json(userArgs('create', id, 'cy@acme.example'))
        const one = ['user', 'log-out', '--org', id, '--email', 'cy@acme.example']
        expect((await run(one)).stdout).to.match(/^Nothing to do: /)
      })

      it('lists, deactivates and reactivates users, and changes their roles', async () => {
        const org = await organisation()
        const of = (verb: string, email = 'ann@acme.example') =>
          ['user', verb, '--org', org, '--email', email] as string[]
        await json([...userArgs('create', org), '--password-stdin'], `${PASSWORD}\n`)
        await json(userArgs('create', org, 'bo@acme.example'))
        expect(await refused(of('deactivate'))).to.include('the user is the last active admin')
        expect(await refused([...of('role'), '--role', 'technician'])).to.include('the last active admin')
        expect(await json([...of('role', 'bo@acme.example'), '--role', 'technician'])).to.include({
          role: 'technician',
          changed: true,
        })
        expect(await json(of('deactivate', 'BO@acme.example'))).to.include({
          status: 'deactivated',
          changed: true,
        })
        expect((await run(of('deactivate', 'bo@acme.example'))).stdout).to.match(
          /^Nothing to do: .*deactivated\n$/,
        )
        expect((await run(['user', 'list', '--org', org])).stdout).to.include(
          'technician, deactivated, 2FA not set up',
        )
        expect(await json(of('reactivate', 'bo@acme.example'))).to.include({
          status: 'invited',
          changed: true,
        })
        const addresses = async (...flags: string[]) =>
          (await json<{ email: string }[]>(['user', 'list', '--org', org, ...flags])).map(each => each.email)
        expect(await addresses()).to.have.members(['ann@acme.example', 'bo@acme.example'])
        expect(await addresses('--role', 'technician')).to.deep.equal(['bo@acme.example'])
        expect(await addresses('--search', 'BO@')).to.deep.equal(['bo@acme.example'])
        expect(await addresses('--search', 'ann lee', '--role', 'admin')).to.deep.equal(['ann@acme.example'])
        const other = await organisation()
        const elsewhere = ['user', 'deactivate', '--org', other, '--email', 'ann@acme.example']
        expect(await refused(elsewhere))
          .to.include('--email')
          .and.to.include('no user of this organisation')
        expect(await refused(['user', 'list', '--org', 'org_none'])).to.include('--org')
      })

      it('reports whom enforcement stops', async () => {
        const org = await organisation()
        const report = ['enforcement', 'report', '--org', org]
        expect((await run(report)).stdout)
          .to.include('has been enforced from 2026-01-02')
          .and.to.include('Nobody')
        await json(userArgs('create', org))
        const { stdout } = await run(report)
        expect(stdout).to.include('Ann Lee <ann@acme.example>  not set up, admin, invited')
        expect(await json(report)).to.deep.include({
          enforced: true,
          enforced_from: '2026-01-02T00:00:00.000Z',
          users: { set_up: 0, not_set_up: 1, reset_pending: 0, at_provider: 0 },
        })
        expect(await refused(['enforcement', 'report', '--org', 'org_none'])).to.include('--org')
      })

      it('refuses a password that is weak, missing or no text, and makes no user', async () => {
        const args = [...userArgs('create', await organisation()), '--password-stdin']
        for (const input of ['password123\n', '', '\n', 'x'.repeat(5000)]) await refused(args, input)
        await refused(args, 'two\nlines that are long enough')
        expect((await json<{ id: string }>(userArgs('create', args[3] ?? ''))).id).to.match(/^usr_/)
      })

      it('invites a user, and shows the mail that waits', async () => {
        const user = await json<Record<string, unknown>>(userArgs('invite', await organisation()))
        expect(user.status).to.equal('invited')
        const [mail] = await json<Record<string, unknown>[]>(['mail', 'queue', '--state', 'waiting'])
        expect(mail).to.include({ template: 'invitation', to: 'ann@acme.example', state: 'waiting' })
        const people = await run(['mail', 'queue'])
        expect(people.stdout).to.include('invitation to ann@acme.example').and.not.to.include('/link/')
        expect(await json(['mail', 'queue', '--state', 'failed'])).to.deep.equal([])
      })

      it('notes that a user’s mails come back, and lists it with them', async () => {
        const org = await organisation()
        await json(userArgs('invite', org))
        const bounced = (to: string) => ['mail', 'bounced', '--to', to, '--reason', '550 no such mailbox']
        await refused(bounced('nobody@acme.example'))
        expect(await json(bounced('Ann@acme.example'))).to.include({ reason: '550 no such mailbox' })
        const [ann] = await json<Record<string, unknown>[]>(['user', 'list', '--org', org])
        expect(ann).to.include({ email: 'ann@acme.example', mail_refused: true })
      })

      it('resets the second factor of users, at once, and says whose was not', async () => {
        const org = await organisation()
        const create = (email: string) =>
          json<{ id: string }>([...userArgs('create', org, email), '--password-stdin'], `${PASSWORD}\n`)
        const { id } = await create('lost@acme.example')
        await create('never@acme.example')
        await withDatabase(each => each.commit(turnOnAuthenticator({ id, epoch: 0 }, 'sealed', 1, 1)))
        const reset = (email: string, reason = 'Phone lost') => [
          ...['user', 'reset-2fa', '--org', org, '--email', email, '--reason', reason],
        ]
        expect(await json(reset('lost@acme.example'))).to.deep.equal([
          { name: 'Ann Lee', email: 'lost@acme.example', outcome: 'done', why: null },
        ])
        const account = await withDatabase(each => readAccount(each, id))
        expect(account?.authenticator).to.equal(undefined)
        expect(account?.epoch).to.equal(1)
        const again = await run(reset('never@acme.example'))
        expect([again.code, again.stdout]).to.deep.equal([
          1,
          '  not reset (not set up)  Ann Lee <never@acme.example>\n',
        ])
        expect(await refused(reset('nobody@acme.example'))).to.include('--email')
        expect(await refused(reset('lost@acme.example', 'two\nlines'))).to.include('--reason')
      })

      it('lists the jobs of every kind, with what went wrong, and has doctor name those that were given up', async () => {
        await json(userArgs('invite', await organisation(), 'job@acme.example'))
        await withDatabase(async database => {
          const session = { clientId: 'app', accountId: 'usr_1', sid: 'sid1' }
          await database.commit([logoutJob(session, Date.now())])
          const claim = { kinds: ['backchannel-logout'], limit: 1, leaseMs: 1000, now: Date.now() }
          const [job] = await claimJobs(database, claim)
          if (job === undefined) throw new Error('no job')
          await database.commit([failJob(job, 'got: 500', Date.now())])
        })
        const jobs = await json<Record<string, unknown>[]>(['job', 'list'])
        expect(jobs.map(each => each.kind)).to.include.members(['mail', 'backchannel-logout'])
        const [job, ...more] = await json<Record<string, unknown>[]>([
          ...['job', 'list', '--kind', 'backchannel-logout', '--state', 'failed'],
        ])
        expect(job).to.include({
          summary: 'usr_1 at app',
          attempts: 1,
          last_error: 'got: 500',
          next_try: null,
        })
        expect(job).not.to.have.property('payload')
        expect(more).to.deep.equal([])
        expect((await run(['job', 'list'])).stdout).to.include('usr_1 at app, tried 1×: got: 500')
        expect((await run(['doctor'])).stdout).to.include('1 of backchannel-logout was given up')
      })

      it('registers a client by flags and a metadata file, of which flags win', async () => {
        writeFileSync(
          join(cwd, 'client.json'),
          JSON.stringify({ client_name: 'From the file', default_max_age: 300, contacts: ['a@b.example'] }),
        )
        const args = ['client', 'create', '--name', 'Demo', '--redirect-uri', 'https://a.example/1']
        const client = await json<Record<string, unknown>>([
          ...args,
          '--redirect-uri',
          'https://a.example/2',
          '--post-logout-redirect-uri',
          'https://a.example/',
          '--backchannel-logout-uri',
          'https://a.example/out',
          '--first-party',
          '--metadata',
          'client.json',
        ])
        expect(client).to.deep.include({
          client_name: 'Demo',
          redirect_uris: ['https://a.example/1', 'https://a.example/2'],
          post_logout_redirect_uris: ['https://a.example/'],
          backchannel_logout_uri: 'https://a.example/out',
          default_max_age: 300,
          contacts: ['a@b.example'],
          first_party: true,
        })
        expect(client.client_id).to.match(/^[A-Za-z0-9]+$/)
        expect(client.client_secret).to.match(/^[A-Za-z0-9]{43,}$/)
        const stored = await withDatabase(each =>
          createClients(each, createKeyring([KEYS]), Date.now).find(String(client.client_id)),
        )
        expect(stored?.metadata.client_secret).to.equal(client.client_secret)
        expect(stored?.firstParty).to.equal(true)
      })

      it('takes an id and a secret, and refuses what cannot be registered', async () => {
        const args = [
          'client',
          'create',
          '--name',
          'Demo',
          '--redirect-uri',
          'http://localhost:3001/callback',
        ]
        const given = ['--id', 'demo', '--secret', 'a-secret-of-some-length']
        const client = await json<Record<string, unknown>>([...args, ...given])
        expect(client).to.include({ client_id: 'demo', client_secret: 'a-secret-of-some-length' })
        expect(await refused([...args, ...given])).to.include('--id demo is taken')
        expect(
          await refused(['client', 'create', '--name', 'x', '--redirect-uri', 'http://a.example/']),
        ).to.include('--redirect-uri')
        writeFileSync(join(cwd, 'client.json'), JSON.stringify({ redirect_uri: 'https://a.example/' }))
        expect(await refused([...args, '--metadata', 'client.json'])).to.include(
          'did you mean redirect_uris?',
        )
        writeFileSync(join(cwd, 'client.json'), '[]')
        expect(await refused([...args, '--metadata', 'client.json'])).to.include('no JSON object')
        expect(await json<unknown[]>(['client', 'list'])).to.have.length(1)
      })

      it('registers APIs, and shows the secret of one that introspects once', async () => {
        await json([
          'client',
          'create',
          '--id',
          'fleet',
          '--name',
          'Fleet',
          '--redirect-uri',
          'https://f.example/cb',
        ])
        const create = [
          'api',
          'create',
          '--resource',
          'https://api.example/',
          '--scopes',
          'devices:read devices:delete',
        ]
        const shown = {
          resource: 'https://api.example/',
          scopes: 'devices:read devices:delete',
          opaque: false,
          clients: ['fleet'],
        }
        expect(await json([...create, '--client', 'fleet'])).to.deep.equal(shown)
        expect(await refused(create)).to.include('--resource https://api.example/ is taken')
        const opaque = await json<Record<string, unknown>>([
          'api',
          'create',
          '--resource',
          'urn:example:secrets',
          '--name',
          'Secrets',
          '--opaque',
        ])
        expect(opaque).to.deep.include({ opaque: true, clients: [], name: 'Secrets', scopes: '' })
        expect(opaque.client_secret).to.match(/^\w{48}$/)
        const list = await json<object[]>(['api', 'list'])
        expect(list).to.deep.equal([
          shown,
          { resource: 'urn:example:secrets', name: 'Secrets', scopes: '', opaque: true, clients: [] },
        ])
        expect((await run(['api', 'list'])).stdout)
          .to.include('for every app')
          .and.not.to.include(String(opaque.client_secret))
      })

      it('refuses APIs that cannot be, and registers nothing', async () => {
        const wrong: [string, string[]][] = [
          ['--resource must be an absolute URI', ['--resource', 'api']],
          ['--resource must not have a fragment', ['--resource', 'https://api.example/#a']],
          ['--resource must not hold a user name', ['--resource', 'https://a:b@api.example/']],
          ['--scopes has openid', ['--resource', 'https://api.example/', '--scopes', 'openid']],
          ['--scopes must be', ['--resource', 'https://api.example/', '--scopes', 'dévices']],
          ['--client nobody is not registered', ['--resource', 'https://api.example/', '--client', 'nobody']],
          ['--name must be one line', ['--resource', 'https://api.example/', '--name', 'a\tb']],
        ]
        for (const [says, args] of wrong) expect(await refused(['api', 'create', ...args])).to.include(says)
        expect(await json(['api', 'list'])).to.deep.equal([])
        expect(await json(['client', 'list'])).to.deep.equal([])
      })

      it('sets the actions of an app, in place of those it had, and leaves them when the app is changed', async () => {
        await json([
          'client',
          'create',
          '--id',
          'fleet',
          '--name',
          'Fleet',
          '--redirect-uri',
          'https://f.example/cb',
        ])
        const file = (name: string, value: unknown) => {
          writeFileSync(join(cwd, name), typeof value === 'string' ? value : JSON.stringify(value))
          return ['client', 'actions', 'set', '--client', 'fleet', '--file', name]
        }
        const action = { id: 'device.delete', title: 'delete {count} devices', fields: [], rule: 'always' }
        expect(await json(file('actions.json', [action]))).to.deep.equal([action])
        expect(await refused(file('wrong.json', [{ ...action, rule: 'maybe' }]))).to.include('has no rule')
        expect(await refused(file('none.json', 'no JSON'))).to.include('holds no JSON')
        expect(await refused(['client', 'actions', 'list', '--client', 'nobody'])).to.include(
          '--client nobody is no client',
        )
        await json(['client', 'update', '--id', 'fleet', '--name', 'Fleetdesk'])
        expect(await json(['client', 'actions', 'list', '--client', 'fleet'])).to.deep.equal([action])
        const [client] = await json<Record<string, unknown>[]>(['client', 'list'])
        expect(client).to.deep.include({ authorization_details_types: ['protected_action'] })
        expect(await json(file('empty.json', []))).to.deep.equal([])
        expect((await json<object[]>(['client', 'list']))[0]).not.to.have.property(
          'authorization_details_types',
        )
      })

      it('lets an organisation be stricter than the app, and never laxer', async () => {
        const org = await organisation()
        await json([
          'client',
          'create',
          '--id',
          'fleet',
          '--name',
          'Fleet',
          '--redirect-uri',
          'https://f.example/cb',
        ])
        const action = { id: 'script.run', title: 'run it', rule: { within: 300 } }
        writeFileSync(join(cwd, 'actions.json'), JSON.stringify([action]))
        await json(['client', 'actions', 'set', '--client', 'fleet', '--file', 'actions.json'])
        const tighten = (rule: string, of = 'script.run', by = org) =>
          [
            'org',
            'actions',
            'tighten',
            '--org',
            by,
            '--client',
            'fleet',
            '--action',
            of,
            '--rule',
            rule,
          ] as string[]
        expect(await refused(tighten('within:600'))).to.include('--rule must be stricter than within:300')
        expect(await refused(tighten('always', 'script.stop'))).to.include(
          '--action script.stop is no action of fleet',
        )
        expect(await refused(tighten('always', 'script.run', 'nowhere'))).to.include(
          '--org nowhere is no organisation',
        )
        const shown = {
          action: 'script.run',
          title: 'run it',
          app: 'within:300',
          organisation: 'always',
          effective: 'always',
        }
        expect(await json(tighten('always'))).to.deep.equal(shown)
        expect(await refused(tighten('within:30'))).to.include('stricter than always')
        expect(await json(['org', 'actions', 'list', '--org', org, '--client', 'fleet'])).to.deep.equal([
          shown,
        ])
        // The app becomes laxer; the organisation does not.
        writeFileSync(join(cwd, 'actions.json'), JSON.stringify([{ ...action, rule: 'off' }]))
        await json(['client', 'actions', 'set', '--client', 'fleet', '--file', 'actions.json'])
        expect(await json(['org', 'actions', 'list', '--org', org, '--client', 'fleet'])).to.deep.equal([
          { ...shown, app: 'off' },
        ])
        const undo = (of = 'script.run', by = org) => [
          ...['org', 'actions', 'undo', '--org', by, '--client', 'fleet', '--action', of],
        ]
        expect(await refused(undo('script.stop'))).to.include('--action script.stop is no action of fleet')
        expect(await refused(undo('script.run', 'nowhere'))).to.include('--org nowhere is no organisation')
        const undone = { ...shown, app: 'off', organisation: null, effective: 'off' }
        expect(await json(undo())).to.deep.equal({ ...undone, changed: true })
        expect(await json(undo())).to.deep.equal({ ...undone, changed: false })
      })

      it('sets the addresses that an organisation lets in from, and takes the list away', async () => {
        const { id: org } = await json<{ id: string }>(['org', 'create', '--name', 'Acme', '--plan', 'Pro'])
        const list = (...more: string[]) => ['org', 'access-list', '--org', org, ...more]
        const put = (text: string) => writeFileSync(join(cwd, 'list.txt'), text)
        expect(await json(list())).to.deep.equal({ entries: [] })
        expect((await run(list())).stdout).to.equal('From anywhere: there is no list.\n')
        put('203.0.113.9/24  # Leeds\r\n\r\n2001:DB8::1\n')
        const entries = ['203.0.113.0/24 # Leeds', '2001:db8::1']
        expect(await json(list('--set', 'list.txt'))).to.deep.equal({ entries, changed: true })
        expect(await json(list('--set', 'list.txt'))).to.deep.equal({ entries, changed: false })
        expect((await run(list())).stdout).to.equal(`${entries.join('\n')}\n`)
        put('203.0.113.0/24\nLeeds')
        expect(await refused(list('--set', 'list.txt'))).to.include('the access list has in line 2, "Leeds"')
        expect(await refused(list('--set', 'nowhere.txt'))).to.include('cannot be read')
        expect(await refused(list('--set', 'list.txt', '--clear'))).to.include('exclude each other')
        expect(await refused(['org', 'access-list', '--org', 'x', '--clear'])).to.include('--org "x" is no')
        expect(await json(list())).to.deep.equal({ entries })
        expect(await json(list('--clear'))).to.deep.equal({ entries: [], changed: true })
        expect(await json(list('--clear'))).to.deep.equal({ entries: [], changed: false })
      })

      it('changes a client, and shows a secret only when it is new', async () => {
        const created = await json<Record<string, unknown>>([
          'client',
          'create',
          '--name',
          'Demo',
          '--redirect-uri',
          'https://a.example/',
          '--first-party',
        ])
        const id = String(created.client_id)
        const renamed = await json<Record<string, unknown>>([
          'client',
          'update',
          '--id',
          id,
          '--name',
          'New name',
        ])
        expect(renamed).to.include({ client_name: 'New name', first_party: true })
        expect(renamed).not.to.have.property('client_secret')
        const renewed = await json<Record<string, unknown>>([
          'client',
          'update',
          '--id',
          id,
          '--new-secret',
          '--third-party',
        ])
        expect(renewed.first_party).to.equal(false)
        expect(renewed.client_secret).to.be.a('string').and.not.to.equal(created.client_secret)
        const list = await run(['client', 'list', '--json'])
        expect(list.stdout).to.include('New name').and.not.to.include(String(renewed.client_secret))
        expect((await run(['client', 'list'])).stdout).to.include(id)
        expect(await refused(['client', 'update', '--id', 'nobody', '--name', 'x'])).to.include('nobody')
      })

      it('runs as a process of its own, and ends by itself', async function () {
        this.timeout(60_000)
        const org = await organisation()
        const args = [...userArgs('create', org), '--password-stdin', '--json']
        const { code, stdout, stderr } = await spawned(['src/cli.ts', ...args], `${PASSWORD}\n`)
        expect(code, stderr).to.equal(0)
        expect(JSON.parse(stdout)).to.include({ email: 'ann@acme.example', status: 'active' })
        const wrong = await spawned(['src/cli.ts', 'org', 'create'])
        expect(wrong).to.include({ code: 2, stdout: '' })
        expect(wrong.stderr).to.include('--name')
      })
    })
  }

  function childEnv(): Record<string, string> {
    const path = [dirname(process.execPath), process.env.PATH ?? ''].join(delimiter)
    const sqlite = `sqlite:${join(cwd, 'data', 'sallyport.sqlite')}`
    return { DATABASE_URL: sqlite, ...env, PATH: path, SALLYPORT_DATA_DIR: join(cwd, 'data') }
  }

  function spawned(args: string[], input = ''): Promise<Result> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, args, { cwd: root, env: childEnv() })
      const [stdout, stderr] = [collect(), collect()]
      child.stdout.pipe(stdout.stream)
      child.stderr.pipe(stderr.stream)
      child.once('error', reject)
      child.once('close', code => resolve({ code: code ?? -1, stdout: stdout.text(), stderr: stderr.text() }))
      child.stdin.end(input)
    })
  }

  describe('the Procfile', () => {
    const commands = new Map(
      readFileSync(join(root, 'Procfile'), 'utf8')
        .trim()
        .split('\n')
        .map(line => line.split(/:\s+/, 2) as [string, string]),
    )

    it('migrates on release and serves, in production and without the demo app', async function () {
      this.timeout(90_000)
      expect([...commands.keys()]).to.deep.equal(['release', 'web'])
      const port = await freePort()
      env = {
        NODE_ENV: 'production',
        PORT: String(port),
        SALLYPORT_ISSUER: `http://localhost:${port}`,
        SALLYPORT_SECRET_KEYS: KEYS,
        SALLYPORT_SMTP_URL: 'smtp://127.0.0.1:9',
      }
      const start = (name: string) => {
        const [program = '', ...args] = (commands.get(name) ?? '').split(' ')
        const child = spawn(program, args, { cwd: root, env: childEnv(), stdio: ['ignore', 'pipe', 'pipe'] })
        const output = collect()
        child.stdout.pipe(output.stream, { end: false })
        child.stderr.pipe(output.stream, { end: false })
        const ended = new Promise<number | null>(resolve => child.once('close', resolve))
        return { child, ended, text: output.text }
      }
      const release = start('release')
      expect(await release.ended, release.text()).to.equal(0)
      const web = start('web')
      try {
        const url = `http://localhost:${port}/.well-known/openid-configuration`
        let answer: Response | undefined
        for (let tries = 0; answer === undefined && tries < 300 && web.child.exitCode === null; tries++) {
          answer = await fetch(url).catch(() => undefined)
          if (answer === undefined) await new Promise(resolve => setTimeout(resolve, 100))
        }
        expect(answer?.status, web.text()).to.equal(200)
        expect(await answer?.json()).to.include({ issuer: `http://localhost:${port}` })
      } finally {
        web.child.kill('SIGTERM')
      }
      expect(await web.ended, web.text()).to.equal(0)
    })
  })

  describe('doctor', () => {
    interface Check {
      name: string
      outcome: string
      cause: string
      cure?: string
    }
    async function checkup(): Promise<{
      code: number
      checks: Check[]
      of(name: string): Check | undefined
    }> {
      const { code, stdout, stderr } = await run(['doctor', '--json'])
      expect(stderr).to.equal('')
      const checks = JSON.parse(stdout) as Check[]
      for (const check of checks)
        if (check.outcome !== 'ok') expect(check.cure, check.cause).to.be.a('string')
      return { code, checks, of: name => checks.find(check => check.name === name && check.outcome !== 'ok') }
    }
    /** What answers at the issuer's address. */
    async function provider(told: (origin: string) => unknown, headers: Record<string, string> = {}) {
      const server = createServer((_, response) => {
        const origin = `http://localhost:${(server.address() as AddressInfo).port}`
        response.writeHead(200, { 'content-type': 'application/json', ...headers })
        response.end(JSON.stringify(told(origin)))
      })
      await new Promise<void>(resolve => server.listen(0, 'localhost', resolve))
      env.SALLYPORT_ISSUER = `http://localhost:${(server.address() as AddressInfo).port}`
      return server
    }
    const itself = (issuer: string) => ({ issuer, authorization_endpoint: `${issuer}/auth` })

    it('finds nothing wrong where all is well', async () => {
      await run(['migrate'])
      const smtp = await startSmtp()
      const server = await provider(itself)
      env.SALLYPORT_SMTP_URL = smtp.url
      try {
        const { code, checks } = await checkup()
        expect(checks.filter(check => check.outcome === 'failed')).to.deep.equal([])
        expect(code).to.equal(0)
        expect(new Set(checks.map(check => check.name))).to.include.keys(
          'configuration',
          'database',
          'secret keys',
          'clients',
          'mail',
          'issuer',
          'clock',
        )
        expect((await run(['doctor'])).stdout).to.include('0 failed')
      } finally {
        server.close()
        await smtp.close()
      }
    })

    it('lists what is wrong with the configuration, and goes no further', async () => {
      env = { PORT: 'x', SALLYPORT_LOG_LEVEL: 'loud' }
      const { code, checks } = await checkup()
      expect(code).to.equal(1)
      expect(checks.map(check => check.outcome)).to.deep.equal(['failed', 'failed'])
    })

    it('says that the database is missing, not migrated or out of reach', async () => {
      expect((await checkup()).of('database')?.cure).to.include('migrate')
      writeFileSync(join(cwd, 'empty.sqlite'), '')
      env.DATABASE_URL = 'sqlite:empty.sqlite'
      expect((await checkup()).of('database')?.cause).to.include('001-login.js')
      env.DATABASE_URL = 'postgres://app:hunter2@127.0.0.1:1/sallyport'
      const { code, of, checks } = await checkup()
      expect(code).to.equal(1)
      expect(of('database')?.cause).to.include('ECONNREFUSED')
      expect(JSON.stringify(checks)).not.to.include('hunter2')
    })

    it('says that the secret keys are others than those in use', async () => {
      await run(['migrate'])
      env.SALLYPORT_SECRET_KEYS = 'o'.repeat(32)
      const { code, of } = await checkup()
      expect(code).to.equal(1)
      expect(of('secret keys')?.outcome).to.equal('failed')
    })

    it('names a secret key that has sealed and is gone, though an older one opens the signing keys', async () => {
      await run(['migrate'])
      env.SALLYPORT_SECRET_KEYS = `${'n'.repeat(32)},${KEYS}`
      expect((await checkup()).of('secret keys')).to.equal(undefined)
      env.SALLYPORT_SECRET_KEYS = `${'o'.repeat(32)},${KEYS}`
      // To look is not to use.
      expect((await checkup()).of('secret keys')).to.equal(undefined)
      await run(['client', 'list'])
      env.SALLYPORT_SECRET_KEYS = KEYS
      expect((await checkup()).of('secret keys')).to.equal(undefined)
      env.SALLYPORT_SECRET_KEYS = `${'o'.repeat(32)},${KEYS}`
      await run(['migrate'])
      env.SALLYPORT_SECRET_KEYS = `${'n'.repeat(32)},${KEYS}`
      expect((await checkup()).of('secret keys')?.cause).to.match(/the key [0-9a-f]{16}, used since \d{4}-/)
      for (const args of [['client', 'list'], ['migrate']]) {
        const { code, stderr } = await run(args)
        expect(code).to.equal(2)
        expect(stderr).to.match(/the key [0-9a-f]{16}, used since \d{4}-/)
      }
    })

    it('says that the mail server does not answer, without its password', async () => {
      env.SALLYPORT_SMTP_URL = `smtp://user:hunter2@127.0.0.1:${await freePort()}`
      const { code, of, checks } = await checkup()
      expect(code).to.equal(1)
      expect(of('mail')?.cause).to.include('ECONNREFUSED')
      expect(JSON.stringify(checks)).not.to.include('hunter2')
    })

    it('names the file of places, and says where it cannot be used or has no places', async () => {
      expect((await checkup()).checks.map(each => each.name)).not.to.include('places')
      env.SALLYPORT_PLACES = 'places.mmdb'
      const { code, of } = await checkup()
      expect(code).to.equal(1)
      expect(of('places')).to.include({
        outcome: 'failed',
        cause: `SALLYPORT_PLACES cannot be read from ${join(cwd, 'places.mmdb')}: there is no such file`,
      })
      for (const [type, outcome] of [
        ['GeoLite2-City', 'ok'],
        ['DBIP-Country-Lite', 'ok'],
        ['GeoLite2-ASN', 'warning'],
      ] as const) {
        writeFileSync(join(cwd, 'places.mmdb'), mmdb({}, { type, builtAt: Date.UTC(2026, 4, 14) / 1000 }))
        const check = (await checkup()).checks.find(each => each.name === 'places')
        expect(check).to.include({ outcome })
        expect(check?.cause).to.include(`places.mmdb is ${type}, made on 2026-05-14`)
      }
    })

    it('says that nobody, or somebody else, answers at the issuer', async () => {
      env.SALLYPORT_ISSUER = `http://localhost:${await freePort()}`
      expect((await checkup()).of('issuer')?.cause).to.include('ECONNREFUSED')
      const others: [(origin: string) => unknown, string][] = [
        [() => ({ issuer: 'https://other.example' }), 'https://other.example'],
        [
          origin => ({ ...itself(origin), authorization_endpoint: 'http://10.0.0.1/auth' }),
          'http://10.0.0.1/auth',
        ],
        [() => 'hello', 'status 200'],
        [() => null, 'status 200'],
      ]
      for (const [told, cause] of others) {
        const server = await provider(told)
        expect((await checkup()).of('issuer')?.cause).to.include(cause)
        server.close()
      }
    })

    it('says that the clocks differ', async () => {
      for (const [ahead, outcome] of [
        [-120_000, 'failed'],
        [120_000, 'failed'],
        [-15_000, 'warning'],
        [15_000, 'warning'],
      ] as const) {
        const server = await provider(itself, { date: new Date(Date.now() + ahead).toUTCString() })
        expect((await checkup()).of('clock')?.outcome, String(ahead)).to.equal(outcome)
        server.close()
      }
    })

    it('names apps that return users over plain http, and organisations without a subscription', async () => {
      await run(['migrate'])
      const keyring = createKeyring([KEYS])
      const open = { client_id: 'open', client_name: 'Open', redirect_uris: ['http://app.example/callback'] }
      const insert = sql(
        'test_cli_organisation',
        "INSERT INTO organisations (id, name, plan, created_at) VALUES ('org_x', 'Later', 'None', 0)",
      )
      await withDatabase(database =>
        database.commit([
          createClients(database, keyring, Date.now).insert({ metadata: open, firstParty: false }, 0),
          write(insert, []),
        ]),
      )
      const { code, of } = await checkup()
      expect(code).to.equal(1)
      expect(of('clients')?.cause).to.include('http://app.example/callback')
      expect(of('organisation')).to.include({ outcome: 'warning' })
      expect(of('organisation')?.cause).to.include('org_x')
    })
  })
})

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>(resolve => probe.listen(0, 'localhost', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise(resolve => probe.close(resolve))
  return port
}
