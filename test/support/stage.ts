// A whole Sallyport for a test: the real server on a database of its own, an organisation with a user, a registered
// relying party, and the demo app. Everything is real HTTP on localhost.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ParsedMail, simpleParser } from 'mailparser'
import type { DestinationStream } from 'pino'
import { createDemo, type Demo } from '../../examples/demo/app.ts'
import { CLIENT_ID, registerDemo } from '../../examples/registration.ts'
import { loadConfig } from '../../src/config/config.ts'
import { createLog } from '../../src/log.ts'
import {
  createOrganisation,
  createUser,
  type Directory,
  type UserRole,
} from '../../src/organisations/directory.ts'
import type { Sallyport } from '../../src/provider.ts'
import { type Running, startServer } from '../../src/server.ts'
import type { DomainResolver } from '../../src/sso/domains.ts'
import { sql, write } from '../../src/store/database.ts'

export const PASSWORD = 'quiet otters borrow nine lanterns'
const DAY = 24 * 60 * 60 * 1000

export interface Person {
  readonly id: string
  readonly email: string
  readonly organisationId: string
}

export interface Stage {
  readonly running: Running
  readonly origin: string
  readonly demo: Demo
  readonly demoOrigin: string
  readonly directory: Directory
  /** The server's time, milliseconds since 1970. */
  now(): number
  /** Moves the server's clock on. */
  advance(ms: number): void
  /** Stops the server's clock at a time; undefined: it goes on. */
  hold(time: number | undefined): void
  /** Lines of the log so far. */
  readonly log: string[]
  /**
   * A user, with {@link PASSWORD} unless told otherwise, in an organisation of their own, or in that of the given id; `tomorrow`: its
   * subscription starts now.
   */
  person(options?: PersonOptions): Promise<Person>
  /** Mails that the outbox holds, oldest first. */
  mails(): Promise<ParsedMail[]>
  /** Waits for a mail. */
  mail(matches: (mail: ParsedMail) => boolean): Promise<ParsedMail>
  close(): Promise<void>
}

export interface StageOptions {
  /** Default: an SQLite file. */
  readonly databaseUrl?: string
  readonly env?: Record<string, string>
  /** DNS. */
  readonly resolver?: DomainResolver
  /** Adds pages of the test's own. */
  readonly extend?: (sallyport: Sallyport) => void
}

interface PersonOptions {
  readonly graceUntil?: 'over' | 'tomorrow'
  readonly name?: string
  readonly role?: UserRole
  readonly organisationId?: string
  readonly password?: string
}

let people = 0

export async function openStage({
  databaseUrl,
  env = {},
  resolver,
  extend,
}: StageOptions = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-'))
  const [port, demoPort] = await Promise.all([freePort(), freePort()])
  const config = loadConfig(
    {
      PORT: String(port),
      DATABASE_URL: databaseUrl ?? 'sqlite:test.sqlite',
      SALLYPORT_DATA_DIR: 'data',
      SALLYPORT_DEMO_PORT: '0',
      ...env,
    },
    { cwd: folder },
  )
  const log: string[] = []
  const sink: DestinationStream = { write: line => void log.push(line) }
  let ahead = 0
  let held: number | undefined
  const clock = () => held ?? Date.now() + ahead
  const running = await startServer(config, { log: createLog('debug', sink), clock, resolver, extend })
  const { database, keyring } = running.services
  const directory: Directory = { database, keyring, clock, actor: 'operator', productName: 'Sallyport' }

  const demoOrigin = `http://localhost:${demoPort}`
  const clientSecret = await registerDemo(directory, demoOrigin)
  const demo = createDemo({ issuer: config.issuer, clientId: CLIENT_ID, clientSecret, origin: demoOrigin })
  await demo.listen(demoPort)

  async function mails(): Promise<ParsedMail[]> {
    let files: string[] = []
    try {
      files = readdirSync(config.outboxDir).filter(each => each.endsWith('.eml'))
    } catch {
      return []
    }
    return Promise.all(files.sort().map(each => simpleParser(readFileSync(join(config.outboxDir, each)))))
  }

  return {
    running,
    origin: config.issuer,
    demo,
    demoOrigin,
    directory,
    now: clock,
    advance(ms) {
      ahead += ms
      if (held !== undefined) held += ms
    },
    hold(time) {
      held = time
    },
    log,
    async person(options = {}) {
      const { graceUntil = 'over', name = 'Dana Whitlock', role = 'technician', organisationId } = options
      const { password = PASSWORD } = options
      people += 1
      const organisation =
        organisationId ??
        (
          await createOrganisation(directory, {
            name: `Org ${people}`,
            plan: 'Trial',
            subscribedAt: graceUntil === 'over' ? clock() - 2 * DAY : clock(),
          })
        ).id
      const { id, email } = await createUser(directory, {
        organisationId: organisation,
        email: `user${people}@northgate.example`,
        name,
        role,
        password,
      })
      return { id, email, organisationId: organisation }
    },
    mails,
    async mail(matches) {
      for (const started = Date.now(); Date.now() - started < 10_000; ) {
        const found = (await mails()).findLast(matches)
        if (found !== undefined) return found
        await new Promise(resolve => setTimeout(resolve, 100))
      }
      throw new Error('the mail did not come')
    },
    async close() {
      await demo.close()
      await running.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const moveSubscription = sql(
  'test_move_subscription',
  'UPDATE organisations SET subscribed_at = ? WHERE id = ?',
)

/** Moves the start of an organisation's subscription: the day of grace ends, or begins. */
export async function subscribedAt(stage: Stage, organisationId: string, time: number): Promise<void> {
  await stage.running.services.database.commit([write(moveSubscription, [time, organisationId])])
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, 'localhost', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
