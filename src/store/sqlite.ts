// SQLite for `database.ts`. Two connections on one file in WAL mode: a reader, which sees committed data only, and
// one writer, owned by a queue that runs one transaction at a time. Units that wait together share one transaction,
// each in a savepoint of its own, so that a storm of logins costs few fsyncs. Nobody else may take the writer:
// knex's own transactions begin deferred and fail as busy as soon as another process writes.

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import knex, { type Knex } from 'knex'
import { AppError } from '../errors.ts'
import type { Driver } from './database.ts'
import { quiet } from './quiet.ts'
import { CommitRefused, type Param, type Row, returning, type Write } from './statement.ts'

/** What we use of sqlite3's connection and statement objects. */
interface Connection {
  prepare(text: string, done: (error: Error | null) => void): Prepared
  exec(text: string, done: (error: Error | null) => void): void
}
interface Prepared {
  all(params: readonly Param[], done: (error: Error | null, rows: Row[]) => void): void
  finalize(): void
}

interface Waiting {
  writes: readonly Write[]
  resolve(rows: Row[][]): void
  reject(error: unknown): void
}

const MOST_UNITS_AT_ONCE = 64
const FAULT = 'the SQLite file cannot be used'

export async function openSqlite(filename: string): Promise<Driver> {
  if (filename === ':memory:') throw new Error('sqlite::memory: cannot be used: name a file')
  mkdirSync(dirname(filename), { recursive: true })
  const writer = await connect(filename)
  const reader = await connect(filename)
  const queue: Waiting[] = []
  let draining: Promise<void> | undefined

  async function drain(): Promise<void> {
    while (queue.length > 0) await runTogether(writer, queue.splice(0, MOST_UNITS_AT_ONCE))
    draining = undefined
  }

  return {
    async read(statement, params) {
      try {
        return await reader.all(statement.text, params)
      } catch (error) {
        throw isFault(error) ? new AppError('unavailable', FAULT, { cause: error }) : error
      }
    },
    commit(writes) {
      return new Promise((resolve, reject) => {
        queue.push({ writes, resolve, reject })
        draining ??= drain()
      })
    },
    async close() {
      await draining
      await writer.close()
      await reader.close()
    },
  }
}

/**
 * One transaction for all units that wait; each succeeds or is rolled back alone. A statement is atomic by itself, so
 * a unit of one needs no savepoint. It does need the transaction: on a full disk a statement of its own may be stored
 * and yet reported as failed, which COMMIT never is.
 */
async function runTogether(writer: Session, units: readonly Waiting[]): Promise<void> {
  const alone = units.length === 1
  const settle: (() => void)[] = []
  try {
    await writer.exec('BEGIN IMMEDIATE')
    for (const unit of units) {
      const saved = !alone && unit.writes.length > 1
      if (saved) await writer.exec('SAVEPOINT unit')
      try {
        const rows = await runUnit(writer, unit.writes)
        if (saved) await writer.exec('RELEASE unit')
        settle.push(() => unit.resolve(rows))
      } catch (error) {
        // Of no unit's own making: it ends the transaction for all of them.
        if (isFault(error)) throw error
        if (saved) await writer.exec('ROLLBACK TO unit; RELEASE unit')
        else if (alone) await writer.exec('ROLLBACK')
        settle.push(() => unit.reject(error))
      }
    }
    if (writer.inTransaction()) await writer.exec('COMMIT')
  } catch (error) {
    const failure = new AppError('unavailable', FAULT, { cause: error })
    if (writer.inTransaction()) await writer.exec('ROLLBACK').catch(() => undefined)
    for (const unit of units) unit.reject(failure)
    return
  }
  for (const each of settle) each()
}

/** A fault of the file, its disk or its other users, rather than of a statement. */
function isFault(error: unknown): boolean {
  const code = String((error as { code?: unknown } | null)?.code ?? '')
  return /^SQLITE_(BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN|CORRUPT|NOTADB|NOMEM|MISUSE)$/.test(code)
}

async function runUnit(writer: Session, writes: readonly Write[]): Promise<Row[][]> {
  const results: Row[][] = []
  for (const { statement, params, refusal } of writes) {
    const rows = await writer.all(returning(statement.text), params)
    if (rows.length === 0 && refusal !== undefined) throw new CommitRefused(refusal)
    results.push(rows)
  }
  return results
}

/** A connection with its prepared statements. Callbacks only settle promises: no context is read inside them. */
interface Session {
  all(text: string, params: readonly Param[]): Promise<Row[]>
  exec(text: string): Promise<void>
  inTransaction(): boolean
  close(): Promise<void>
}

async function connect(filename: string): Promise<Session> {
  const owner: Knex = knex({
    client: 'sqlite3',
    connection: { filename },
    useNullAsDefault: true,
    log: quiet,
    pool: { min: 1, max: 1, idleTimeoutMillis: 2 ** 31 - 1 },
  })
  const connection = (await owner.client.acquireConnection()) as Connection
  const prepared = new Map<string, Promise<Prepared>>()
  let open = false

  const exec = (text: string): Promise<void> =>
    new Promise((resolve, reject) => connection.exec(text, error => (error ? reject(error) : resolve())))
  const prepare = (text: string): Promise<Prepared> =>
    new Promise((resolve, reject) => {
      const statement = connection.prepare(text, error => (error ? reject(error) : resolve(statement)))
    })

  try {
    await exec(
      'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000; PRAGMA foreign_keys=ON',
    )
  } catch (error) {
    await owner.client.releaseConnection(connection)
    await owner.destroy()
    throw error
  }
  return {
    async all(text, params) {
      let statement = prepared.get(text)
      if (statement === undefined) {
        statement = prepare(text)
        prepared.set(text, statement)
        statement.catch(() => prepared.delete(text))
      }
      const ready = await statement
      return new Promise((resolve, reject) =>
        ready.all(params, (error, rows) => (error ? reject(error) : resolve(rows))),
      )
    },
    async exec(text) {
      // A fault may have ended the transaction by itself: after a rollback there is none, even where it found none.
      if (text === 'ROLLBACK') open = false
      await exec(text)
      if (text.startsWith('BEGIN')) open = true
      if (text === 'COMMIT') open = false
    },
    inTransaction: () => open,
    async close() {
      for (const statement of prepared.values()) (await statement).finalize()
      await owner.client.releaseConnection(connection)
      await owner.destroy()
    },
  }
}
