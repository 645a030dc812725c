// What every suite of the store runs on: an empty, migrated database of each kind. A suite says what must hold once,
// and it must hold on both. Handles are what replicas are: connections of their own to the same data.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { insertAccount, type NewAccount, readAccount } from '../../src/store/accounts/accounts.ts'
import type { Passkey } from '../../src/store/accounts/credentials.ts'
import {
  CommitRefused,
  type Database,
  type Dialect,
  openDatabase,
  type Row,
  type Statement,
  sql,
  type Write,
  write,
} from '../../src/store/database.ts'
import { newId } from '../../src/store/ids.ts'
import { freshDatabase, postgresUrl } from '../support/postgres.ts'

export interface Place {
  readonly dialect: Dialect
  /** The suite's database. */
  url(): Promise<string>
}

/** A further handle on the suite's database; the first call makes and migrates it. All are closed after the suite. */
export type Open = () => Promise<Database>

export type Suite = (open: Open, place: Place) => void

/** The same, on databases that nothing was made in. */
export function onEveryEmptyDatabase(name: string, suite: Suite): void {
  onSqlite(name, suite, { empty: true })
  onPostgres(name, suite, { empty: true })
}

/** Runs a suite on SQLite and on PostgreSQL, where it is skipped if there is none (under CI=true that is an error). */
export function onEveryDatabase(name: string, suite: Suite): void {
  onSqlite(name, suite)
  onPostgres(name, suite)
}

export function onSqlite(name: string, suite: Suite, { empty = false } = {}): void {
  describe(`${name} on SQLite`, () => {
    provide({ dialect: 'sqlite', empty, suite }, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'sallyport-'))
      return {
        url: `sqlite:${join(folder, 'test.sqlite')}`,
        drop: () => rm(folder, { recursive: true, force: true }),
      }
    })
  })
}

export function onPostgres(name: string, suite: Suite, { empty = false } = {}): void {
  describe(`${name} on PostgreSQL`, () => {
    before(async function () {
      if ((await postgresUrl()) === undefined) this.skip()
    })
    provide({ dialect: 'postgres', empty, suite }, freshDatabase)
  })
}

function provide(
  { dialect, empty, suite }: { dialect: Dialect; empty: boolean; suite: Suite },
  make: () => Promise<{ url: string; drop(): Promise<void> }>,
): void {
  const opened: Database[] = []
  let made: Promise<{ url: string; drop(): Promise<void> }> | undefined
  const migrated = async () => {
    const place = await make()
    if (empty) return place
    const database = await openDatabase(place.url)
    await database.migrate()
    opened.push(database)
    return place
  }
  const place = () => {
    made ??= migrated()
    return made
  }

  const open: Open = async () => {
    const database = await openDatabase((await place()).url)
    opened.push(database)
    return database
  }
  suite(open, { dialect, url: async () => (await place()).url })

  after(async () => {
    for (const each of opened) await each.close()
    await (await made)?.drop()
  })
}

/** 14 May 2026, 09:31 UTC: now, for tests that move the clock themselves. */
export const NOW = Date.UTC(2026, 4, 14, 9, 31)
export const SECRET_KEY = 'a-secret-key-for-tests-of-32-characters'
/** A passkey as it is stored, of nobody yet; no login can be made with it. */
export const PASSKEY: Omit<Passkey, 'accountId' | 'credentialId'> = {
  rpId: 'localhost',
  publicKey: 'key',
  counter: 0,
  transports: [],
  aaguid: '',
  backupEligible: false,
  backedUp: false,
  name: 'Passkey',
}

/** Fifty requests at once, in turn on each of the replicas: how many went through, and why the others did not. */
export async function fifty(
  replicas: readonly Database[],
  attempt: (database: Database, index: number) => Promise<unknown>,
): Promise<Record<string, number>> {
  const settled = await Promise.allSettled(
    Array.from({ length: 50 }, async (_, index) => {
      const database = replicas[index % replicas.length]
      if (database === undefined) throw new Error('no replica')
      return attempt(database, index)
    }),
  )
  const counts: Record<string, number> = {}
  for (const each of settled) {
    const outcome = each.status === 'fulfilled' ? 'won' : refusalOf(each.reason)
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }
  return counts
}

export const ONE_WINS = { won: 1, already_used: 49 }

/** @throws whatever is no refusal */
function refusalOf(error: unknown): string {
  if (error instanceof CommitRefused) return error.refusal
  throw error
}

/** The name under which a commit was refused; 'stored' if it was not. */
export async function outcomeOf(commit: Promise<unknown>): Promise<string> {
  try {
    await commit
    return 'stored'
  } catch (error) {
    return refusalOf(error)
  }
}

/** What a rejected promise was rejected with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it went through')
}

let people = 0

/** Somebody who is active and has no factor but a password. @returns their id */
export async function person(database: Database, different: Partial<NewAccount> = {}): Promise<string> {
  const id = newId('usr')
  const account: NewAccount = {
    id,
    organisationId: null,
    email: `user${++people}@northgate.example`,
    name: 'Dana Whitlock',
    role: 'technician',
    status: 'active',
    passwordHash: '$argon2id$hash',
    mailboxProvenAt: NOW,
    ...different,
  }
  await database.commit([insertAccount(account, NOW)])
  return account.id
}

export async function account(database: Database, id: string) {
  const found = await readAccount(database, id)
  if (found === undefined) throw new Error(`no account ${id}`)
  return found
}

const moveEpoch = sql('test_move_epoch', 'UPDATE accounts SET epoch = epoch + 1 WHERE id = ?')
const setStatus = sql('test_set_status', 'UPDATE accounts SET status = ? WHERE id = ?')

/** What a reset of the account does to everything that was minted before. */
export const epochMoves = (id: string): Write => write(moveEpoch, [id])
export const statusBecomes = (id: string, status: string): Write => write(setStatus, [status, id])

const TABLES = [
  'organisations',
  'accounts',
  'authenticators',
  'recovery_codes',
  'passkeys',
  'spent',
  'emailed_tokens',
  'email_changes',
  'attempts',
  'session_facts',
  'audit_events',
  'audit_seals',
  'jobs',
  'clients',
  'apis',
  'api_clients',
  'action_rules',
  'signing_keys',
  'secret_keys',
  'oidc_sessions',
  'oidc_artefacts',
  'pending_forms',
  'second_factor_resets',
  'second_factor_reset_users',
  'idempotency_keys',
  'log_outs',
  'help_requests',
  'support_cases',
  'sso_connections',
  'sso_domains',
  'sso_identities',
  'sso_requests',
  'sso_plans',
] as const
export type Table = (typeof TABLES)[number]
const dumps = Object.fromEntries(
  TABLES.map(table => [table, sql(`test_dump_${table}`, `SELECT * FROM ${table}`)]),
) as Record<Table, Statement>

export function rowsOf(database: Database, table: Table): Promise<Row[]> {
  return database.read(dumps[table], [])
}

/** Everything that is stored, as one text. */
export async function dump(database: Database): Promise<string> {
  const tables = await Promise.all(TABLES.map(each => rowsOf(database, each)))
  return JSON.stringify(tables)
}

/** Whether `work` changes nothing that is stored. */
export async function leavesNothing(database: Database, work: () => Promise<unknown>): Promise<boolean> {
  const before = await dump(database)
  await work()
  return (await dump(database)) === before
}

/** Counts the round trips of `work`. */
export async function roundTrips(
  database: Database,
  work: () => Promise<unknown>,
): Promise<{ reads: number; commits: number }> {
  const counted = { reads: 0, commits: 0 }
  database.observe(kind => {
    if (kind === 'read') counted.reads++
    else counted.commits++
  })
  try {
    await work()
  } finally {
    database.observe(undefined)
  }
  return counted
}
