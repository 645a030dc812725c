// SQLite for `database.ts`. Two connections on one file in WAL mode: a reader, which sees committed data only, and
// one writer, owned by a queue that runs one transaction at a time. Commits that wait together share one transaction,
// so that a storm of logins costs few fsyncs; where one of them can't be stored, each is tried alone. Nobody else may
// take the writer: knex's own transactions begin deferred and fail as busy as soon as another process writes.
//
// Every call of the driver is a hop to another thread and back, which costs as much as several small statements. So a
// transaction is one call: a script, with its parameters spelled out as literals (`sqlite-script.ts`).

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import knex, { type Knex } from 'knex'
import { AppError } from '../../errors.ts'
import type { Driver } from '../database.ts'
import { CommitRefused, type Param, type Row, returning, type Write } from '../statement.ts'
import { quiet } from './quiet.ts'
import { REFUSING, refusedBy, script } from './sqlite-script.ts'

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
  readonly writes: readonly Write[]
  /** Whether the rows that were touched are asked for: statement by statement then, and in a transaction of its own. */
  readonly telling: boolean
  resolve(rows: Row[][]): void
  reject(error: unknown): void
}

const MOST_COMMITS_AT_ONCE = 64
const FAULT = 'the SQLite file cannot be used'

export async function openSqlite(filename: string): Promise<Driver> {
  if (filename === ':memory:') throw new Error('sqlite::memory: cannot be used: name a file')
  mkdirSync(dirname(filename), { recursive: true })
  const writer = await connect(filename, REFUSING)
  const reader = await connect(filename)
  const queue: Waiting[] = []
  let draining: Promise<void> | undefined

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      const alone = queue.findIndex(each => each.telling)
      const together =
        alone === -1 ? MOST_COMMITS_AT_ONCE : Math.max(1, Math.min(alone, MOST_COMMITS_AT_ONCE))
      await runTogether(writer, queue.splice(0, together))
    }
    draining = undefined
  }

  function enqueue(writes: readonly Write[], telling: boolean): Promise<Row[][]> {
    return new Promise((resolve, reject) => {
      queue.push({ writes, telling, resolve, reject })
      draining ??= drain()
    })
  }

  return {
    async read(statement, params) {
      try {
        return await reader.all(statement.text, params)
      } catch (error) {
        throw isFault(error) ? new AppError('unavailable', FAULT, { cause: error }) : error
      }
    },
    async commit(writes) {
      await enqueue(writes, false)
    },
    commitTelling: writes => enqueue(writes, true),
    async close() {
      await draining
      await writer.close()
      await reader.close()
    },
  }
}

/** One transaction for all that wait; if it fails because of one of them, one transaction for each. */
async function runTogether(writer: Session, commits: readonly Waiting[]): Promise<void> {
  try {
    const rows = await transact(writer, commits)
    for (const each of commits) each.resolve(rows)
  } catch (error) {
    if (isFault(error)) {
      const failure = new AppError('unavailable', FAULT, { cause: error })
      for (const each of commits) each.reject(failure)
    } else if (commits.length === 1) commits[0]?.reject(error)
    else for (const each of commits) await runTogether(writer, [each])
  }
}

/**
 * All or nothing. COMMIT is a statement of its own, even after a single write: on a full disk a statement that commits
 * by itself may be stored and yet reported as failed, which COMMIT never is.
 */
async function transact(writer: Session, commits: readonly Waiting[]): Promise<Row[][]> {
  const writes = commits.flatMap(each => each.writes)
  try {
    if (!commits[0]?.telling) {
      await writer.exec(`BEGIN IMMEDIATE;${script(writes)}COMMIT`)
      return []
    }
    await writer.exec('BEGIN IMMEDIATE')
    const rows: Row[][] = []
    for (const { statement, params, refusal } of writes) {
      const touched = await writer.all(returning(statement.text), params)
      if (touched.length === 0 && refusal !== undefined) throw new CommitRefused(refusal)
      rows.push(touched)
    }
    await writer.exec('COMMIT')
    return rows
  } catch (error) {
    // A fault may have ended the transaction by itself, or have kept it from beginning.
    await writer.exec('ROLLBACK').catch(() => undefined)
    throw refusedBy(error) ?? error
  }
}

/** A fault of the file, its disk or its other users, rather than of a statement. */
function isFault(error: unknown): boolean {
  const code = String((error as { code?: unknown } | null)?.code ?? '')
  return /^SQLITE_(BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN|CORRUPT|NOTADB|NOMEM|MISUSE)$/.test(code)
}

/** A connection with its prepared statements. Callbacks only settle promises: no context is read inside them. */
interface Session {
  all(text: string, params: readonly Param[]): Promise<Row[]>
  exec(text: string): Promise<void>
  close(): Promise<void>
}

async function connect(filename: string, also = ''): Promise<Session> {
  const owner: Knex = knex({
    client: 'sqlite3',
    connection: { filename },
    useNullAsDefault: true,
    log: quiet,
    pool: { min: 1, max: 1, idleTimeoutMillis: 2 ** 31 - 1 },
  })
  const connection = (await owner.client.acquireConnection()) as Connection
  const prepared = new Map<string, Promise<Prepared>>()

  const exec = (text: string): Promise<void> =>
    new Promise((resolve, reject) => connection.exec(text, error => (error ? reject(error) : resolve())))
  const prepare = (text: string): Promise<Prepared> =>
    new Promise((resolve, reject) => {
      const statement = connection.prepare(text, error => (error ? reject(error) : resolve(statement)))
    })

  try {
    await exec(
      `PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000; PRAGMA foreign_keys=ON; ${also}`,
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
    exec,
    async close() {
      for (const statement of prepared.values()) (await statement).finalize()
      await owner.client.releaseConnection(connection)
      await owner.destroy()
    },
  }
}
