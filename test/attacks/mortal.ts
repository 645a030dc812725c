// A server in a process of its own, on an SQLite file that outlives it: to be killed without a warning and started
// again, with other keys if need be, and to have everything read that it says. The test looks at the same file.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ParsedMail, simpleParser } from 'mailparser'
import { createOrganisation, createUser, type Directory } from '../../src/organisations/directory.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { createClients } from '../../src/store/oidc/clients.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { freePort, PASSWORD, type Person, type Stage } from '../support/stage.ts'
import { DAY } from './ground.ts'

const SERVER = fileURLToPath(new URL('../../src/server.ts', import.meta.url))

export interface Mortal {
  /** As far as a stage can be had from outside: no clock to move, no services but the database. */
  readonly stage: Stage
  readonly database: Database
  /** All that the process has written so far, both streams. */
  output(): string
  /** The bytes of the database's files, also of rows that were deleted. */
  files(): Buffer
  /** Ends the process as a power cut would. */
  kill(): Promise<void>
  /** Starts it again. @returns its exit code, if it refused to */
  start(env?: Record<string, string>): Promise<number | undefined>
  close(): Promise<void>
}

let people = 0

/** @param secretKeys the newest first, separated by commas */
export async function startMortal(secretKeys: string, env: Record<string, string> = {}): Promise<Mortal> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-mortal-'))
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const url = `sqlite:${join(folder, 'test.sqlite')}`
  let written = ''
  let child: ChildProcess | undefined

  async function start(more: Record<string, string> = {}): Promise<number | undefined> {
    const started = spawn(process.execPath, [SERVER], {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        PORT: String(port),
        DATABASE_URL: url,
        SALLYPORT_DATA_DIR: join(folder, 'data'),
        SALLYPORT_SECRET_KEYS: secretKeys,
        ...env,
        ...more,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = started
    for (const stream of [started.stdout, started.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        written += text
      })
    }
    for (;;) {
      if (started.exitCode !== null) return started.exitCode
      const live = await fetch(`${origin}/health/live`).catch(() => undefined)
      if (live?.ok) return undefined
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  async function kill(): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  const refused = await start()
  if (refused !== undefined) throw new Error(`the server did not start:\n${written}`)
  const database = await openDatabase(url)
  const keyring = createKeyring(secretKeys.split(',') as [string, ...string[]])
  const clock = Date.now
  const clients = createClients(database, keyring, clock)
  const directory: Directory = { database, keyring, clock, actor: 'operator', productName: 'Sallyport' }
  const outbox = join(folder, 'data', 'outbox')

  async function mails(): Promise<ParsedMail[]> {
    let files: string[] = []
    try {
      files = readdirSync(outbox).filter(each => each.endsWith('.eml'))
    } catch {
      return []
    }
    return Promise.all(files.sort().map(each => simpleParser(readFileSync(join(outbox, each)))))
  }

  const stage = {
    running: { services: { database, clients, clock } },
    origin,
    directory,
    now: clock,
    advance: () => undefined,
    async person({ graceUntil = 'over' }: { graceUntil?: 'over' | 'tomorrow' } = {}): Promise<Person> {
      const organisation = await createOrganisation(directory, {
        name: `Mortal ${++people}`,
        plan: 'Trial',
        subscribedAt: graceUntil === 'over' ? clock() - 2 * DAY : clock(),
      })
      const email = `mortal${people}@northgate.example`
      const user = await createUser(directory, {
        organisationId: organisation.id,
        email,
        name: 'Dana Whitlock',
        role: 'technician',
        password: PASSWORD,
      })
      return { id: user.id, email: user.email, organisationId: organisation.id }
    },
    mails,
    async mail(matches: (mail: ParsedMail) => boolean): Promise<ParsedMail> {
      for (const started = Date.now(); Date.now() - started < 10_000; ) {
        const found = (await mails()).findLast(matches)
        if (found !== undefined) return found
        await new Promise(resolve => setTimeout(resolve, 100))
      }
      throw new Error('the mail did not come')
    },
  } as unknown as Stage

  return {
    stage,
    database,
    output: () => written,
    files: () =>
      Buffer.concat(
        readdirSync(folder)
          .filter(each => each.startsWith('test.sqlite'))
          .map(each => readFileSync(join(folder, each))),
      ),
    kill,
    start,
    async close() {
      await kill()
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
