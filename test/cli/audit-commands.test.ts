// `audit verify` and `audit export`, as an operator runs them.

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { main } from '../../src/cli.ts'
import { auditRow } from '../../src/store/audit/audit.ts'
import { sealAudit } from '../../src/store/audit/audit-sealer.ts'
import type { Database } from '../../src/store/database.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { type Attacker, createAttacker } from '../store/audit/audit-tampering.ts'
import { onEveryDatabase } from '../store/contract.ts'

const [KEY, NEWER] = ['k'.repeat(32), 'n'.repeat(32)]
const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function collect() {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk, _, done) {
      chunks.push(Buffer.from(chunk as Buffer))
      done()
    },
  })
  return { stream, text: () => Buffer.concat(chunks).toString() }
}

onEveryDatabase('the audit log on the command line', (open, place) => {
  let cwd: string
  let env: Record<string, string>
  let database: Database
  let org: string

  before(async () => {
    cwd = mkdtempSync(join(tmpdir(), 'sallyport-'))
    database = await open()
    env = { SALLYPORT_SECRET_KEYS: KEY, DATABASE_URL: await place.url() }
    await run(['migrate'])
    const made = [
      'org',
      'create',
      '--name',
      'Acme',
      '--plan',
      'Pro',
      '--subscribed-at',
      '2026-01-01',
      '--json',
    ]
    org = (JSON.parse((await run(made)).stdout) as { id: string }).id
    const user = ['--email', 'ann@acme.example', '--name', '=Ann', '--role', 'admin']
    await run(['user', 'create', '--org', org, ...user])
  })
  after(() => rmSync(cwd, { recursive: true, force: true }))

  async function run(args: string[], more: Record<string, string> = {}): Promise<Result> {
    const [stdout, stderr] = [collect(), collect()]
    const io = { cwd, stdin: Readable.from([]), stdout: stdout.stream, stderr: stderr.stream }
    const code = await main(args, { ...io, env: { ...env, ...more } })
    return { code, stdout: stdout.text(), stderr: stderr.text() }
  }
  const verified = async (args: string[] = [], more = {}) => {
    const { code, stdout } = await run(['audit', 'verify', '--json', ...args], more)
    return { code, ...(JSON.parse(stdout) as Record<string, unknown>) }
  }
  const refused = async (args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(args)
    expect([code, stdout]).to.deep.equal([2, ''])
    expect(stderr).to.match(/^sallyport.*\n$/)
    return stderr
  }

  it('says how many rows are not sealed, and seals none itself', async () => {
    const { code, stdout } = await run(['audit', 'verify'])
    expect(code).to.equal(0)
    expect(stdout).to.match(
      /^The audit log is as it was sealed: 0 rows under 0 seals\.\n\d+ rows not sealed yet/,
    )
    expect(await verified()).to.include({ ok: true, seals: 0, head: null, last_seal: 0 })
  })

  it('prints the head, and finds it again', async () => {
    const sealed = await sealAudit(database, createKeyring([KEY]), Date.now)
    const { stdout } = await run(['audit', 'verify'])
    const [, head = ''] = /^Head: ([0-9a-f]{64}) \(seal 1, /m.exec(stdout) ?? []
    expect(head).to.equal(sealed?.head)
    expect(stdout).not.to.include('not sealed')
    expect(await verified(['--head', head])).to.include({ code: 0, ok: true, not_sealed: 0 })
  })

  it('with a newer key in front verifies all the same', async () => {
    expect(await verified([], { SALLYPORT_SECRET_KEYS: `${NEWER},${KEY}` })).to.include({ code: 0, ok: true })
  })

  it('with the wrong keys says so, by the name of the setting', async () => {
    const { code, stdout, stderr } = await run(['audit', 'verify'], { SALLYPORT_SECRET_KEYS: NEWER })
    expect([code, stdout]).to.deep.equal([2, ''])
    expect(stderr).to.include('SALLYPORT_SECRET_KEYS')
  })

  it('exits with 1 where a head is in no seal, and says what that means', async () => {
    const head = '0'.repeat(64)
    const { code, stdout } = await run(['audit', 'verify', '--head', head])
    expect(code).to.equal(1)
    expect(stdout).to.include('NOT AS IT WAS SEALED').and.to.include('the end of the log was removed')
    expect(await verified(['--head', head])).to.deep.include({
      code: 1,
      ok: false,
      problems: [{ fault: 'head_missing', seal: 2, first_row: null, last_row: null }],
    })
  })

  it('exports as CSV and as JSON lines, filtered by person, event and time', async () => {
    const csv = (await run(['audit', 'export', '--org', org])).stdout
    expect(csv.split('\r\n')).to.have.length(4)
    expect(csv).to.include(`"'=Ann","ann@acme.example","operator"`)
    const lines = async (...args: string[]) =>
      (await run(['audit', 'export', '--org', org, '--format', 'jsonl', ...args])).stdout
        .split('\n')
        .filter(each => each !== '')
        .map(each => (JSON.parse(each) as { event: string }).event)
    expect(await lines()).to.deep.equal(['user.created', 'organisation.created'])
    expect(await lines('--event', 'user.created')).to.deep.equal(['user.created'])
    expect(await lines('--person', 'ANN@acme.example')).to.deep.equal(['user.created'])
    expect(await lines('--person', 'operator')).to.have.length(2)
    expect(await lines('--to', '2026-01-01')).to.deep.equal([])
    expect(await lines('--from', '2026-01-01', '--to', '2999-01-01')).to.have.length(2)
    expect((await run(['audit', 'export', '--org', org, '--json'])).stdout).to.match(/^\{"time":/)
  })

  it('refuses what it cannot mean, in one line', async () => {
    const told = async (...args: string[]) => refused(['audit', 'export', '--org', org, ...args])
    expect(await told('--format', 'xml')).to.include('--format must be csv or jsonl')
    expect(await told('--event', 'logim')).to.include('did you mean login?')
    expect(await told('--from', 'yesterday')).to.include('--from')
    expect(await told('--person', 'nobody@acme.example')).to.include('is no user of this organisation')
    expect(await refused(['audit', 'export', '--org', 'org_none'])).to.include('--org org_none')
    expect(await refused(['audit', 'export'])).to.include('--org is missing')
    expect(await refused(['audit', 'verify', '--head', 'abc'])).to.include('--head')
    expect(await refused(['audit'])).to.include('audit verify, audit export')
  })

  it('streams: a reader that has seen enough ends it, without a fault', async function () {
    this.timeout(30_000)
    const rows = Array.from({ length: 5000 }, () =>
      auditRow({ event: 'logout', organisationId: org, details: { filler: 'x'.repeat(200) } }, Date.now()),
    )
    while (rows.length > 0) await database.commit(rows.splice(0, 100))
    const child = spawn(process.execPath, [CLI, 'audit', 'export', '--org', org], {
      cwd,
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stderr = ''
    child.stderr.on('data', each => {
      stderr += String(each)
    })
    child.stdout.once('data', () => child.stdout.destroy())
    const code = await new Promise(resolve => child.once('exit', resolve))
    expect(stderr).to.equal('')
    expect(code).to.equal(0)
  })

  it('has doctor tell of the log, and fail it when its last rows were changed', async () => {
    const said = async () => {
      const { stdout } = await run(['doctor', '--json'])
      const checks = JSON.parse(stdout) as { name: string; outcome: string; cause: string }[]
      return checks.find(each => each.name === 'audit log')
    }
    await sealAudit(database, createKeyring([KEY]), Date.now)
    expect(await said()).to.include({ outcome: 'ok' })
    await database.commit([auditRow({ event: 'login' }, Date.now() - 10 * 60_000)])
    expect(await said()).to.include({ outcome: 'warning' })
    await sealAudit(database, createKeyring([KEY]), Date.now)
    const attacker: Attacker = await createAttacker(open, place)
    await attacker.dropTriggers()
    await attacker.run("UPDATE audit_events SET details = '{}' WHERE event = 'logout'")
    await attacker.close()
    expect(await said()).to.include({ outcome: 'failed' })
    const { code, stdout } = await run(['audit', 'verify'])
    expect(code).to.equal(1)
    expect(stdout).to.match(/^ {2}seal 2, rows \d+ to \d+: rows are not as they were sealed/m)
  })

  it('makes no file where there is no database', async () => {
    const { code, stderr } = await run(['audit', 'verify'], { DATABASE_URL: 'sqlite:none/none.sqlite' })
    expect(code).to.equal(2)
    expect(stderr).to.match(/run .* migrate/)
    expect(existsSync(join(cwd, 'none'))).to.equal(false)
  })
})
