// One door to the data: `read` runs one statement, `commit` runs several as one transaction in one round trip. There
// is no open-ended transaction, so no request ever holds a lock while it thinks; what must be decided inside a
// transaction is a condition in the SQL. Leaves out: what is stored (the rooms of this folder).

import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import knex, { type Knex } from 'knex'
import { openPostgres } from './engines/postgres.ts'
import { quiet } from './engines/quiet.ts'
import { openSqlite } from './engines/sqlite.ts'
import type { Param, Row, Statement, Write } from './statement.ts'

export type { Param, Row, Statement, Write } from './statement.ts'
export { CommitRefused, sql, write } from './statement.ts'

export type Dialect = 'sqlite' | 'postgres'

/** Told of every round trip: for query counts in tests, and for metrics. */
export type Observer = (kind: 'read' | 'commit', statements: readonly string[]) => void

/** Told, after a commit, the kind of the jobs that it enqueued. */
export type JobListener = (kind: string) => void

/** What each of the two databases brings. */
export interface Driver {
  read(statement: Statement, params: readonly Param[]): Promise<Row[]>
  commit(writes: readonly Write[]): Promise<void>
  commitTelling(writes: readonly Write[]): Promise<Row[][]>
  close(): Promise<void>
}

export interface Database extends Driver {
  readonly dialect: Dialect
  /**
   * Runs writes as one transaction.
   *
   * @throws CommitRefused if a write with a `refusal` touched no row; nothing is stored then
   */
  commit(writes: readonly Write[]): Promise<void>
  /** The same, at a higher price. @returns the rows that each write touched, in the order of the writes */
  commitTelling(writes: readonly Write[]): Promise<Row[][]>
  observe(observer: Observer | undefined): void
  /**
   * Tells of jobs that commits of this process enqueue. Nothing depends on it: those of others are found in their turn.
   *
   * @returns what ends it
   */
  onEnqueued(listener: JobListener): () => void
  /** Brings the schema up to date. @returns names of the migrations that ran */
  migrate(): Promise<string[]>
  /** @returns migrations that have not run, and those that ran but are not known here (a newer version's) */
  migrations(): Promise<{ pending: string[]; unknown: string[] }>
}

const TABLE = 'migrations'
/** Any number that no other program takes as an advisory lock in the same database. */
const LOCK = 5_213_776
const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url))

/**
 * Opens a database.
 *
 * @param url `sqlite:PATH` (`sqlite::memory:` is refused: two connections must see one file) or `postgres://…`
 */
export async function openDatabase(url: string): Promise<Database> {
  const sqliteFile = /^sqlite:(.+)$/.exec(url)?.[1]
  const dialect: Dialect = sqliteFile === undefined ? 'postgres' : 'sqlite'
  const driver = sqliteFile === undefined ? await openPostgres(url) : await openSqlite(sqliteFile)
  let observer: Observer | undefined
  const listeners = new Set<JobListener>()
  const observed = (writes: readonly Write[]) =>
    observer?.(
      'commit',
      writes.map(each => each.statement.name),
    )
  const tellOf = (writes: readonly Write[]): void => {
    for (const { enqueues } of writes) if (enqueues !== undefined) tell(listeners, enqueues)
  }

  return {
    dialect,
    read(statement, params) {
      observer?.('read', [statement.name])
      return driver.read(statement, params)
    },
    async commit(writes) {
      if (writes.length === 0) return
      observed(writes)
      await driver.commit(writes)
      tellOf(writes)
    },
    async commitTelling(writes) {
      if (writes.length === 0) return []
      observed(writes)
      const rows = await driver.commitTelling(writes)
      tellOf(writes)
      return rows
    },
    observe(next) {
      observer = next
    },
    onEnqueued: listener => listen(listeners, listener),
    migrate: () =>
      withConnection(url, sqliteFile, connection =>
        connection.transaction(async transaction => {
          // Several processes may start at once. One of them migrates; the others wait here, and find it done.
          await transaction.raw(
            dialect === 'postgres' ? `SELECT pg_advisory_xact_lock(${LOCK})` : 'PRAGMA user_version = 0',
          )
          const [, ran] = (await transaction.migrate.latest()) as [number, string[]]
          return ran
        }),
      ),
    migrations: () =>
      withConnection(url, sqliteFile, async connection => {
        const known = (await readdir(migrationsFolder)).filter(each => each.endsWith('.js')).sort()
        const ran = (await connection.schema.hasTable(TABLE))
          ? (await connection<{ name: string }>(TABLE).select('name').orderBy('name')).map(each => each.name)
          : []
        return {
          pending: known.filter(each => !ran.includes(each)),
          unknown: ran.filter(each => !known.includes(each)),
        }
      }),
    close: () => driver.close(),
  }
}

function listen(listeners: Set<JobListener>, listener: JobListener): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

function tell(listeners: ReadonlySet<JobListener>, kind: string): void {
  for (const each of listeners) each(kind)
}

/** A database that is opened when it is first needed; whoever asks meanwhile waits. */
export interface DeferredDatabase extends Database {
  /** Opens it, if nobody has. @throws what opening throws */
  open(): Promise<void>
}

/** @param openIt is called once, at the first use */
export function deferDatabase(url: string, openIt: () => Promise<Database>): DeferredDatabase {
  let opening: Promise<Database> | undefined
  let observer: Observer | undefined
  const listeners = new Set<JobListener>()
  const opened = (): Promise<Database> => {
    opening ??= openIt().then(database => {
      database.observe(observer)
      database.onEnqueued(kind => tell(listeners, kind))
      return database
    })
    return opening
  }
  return {
    dialect: url.startsWith('sqlite:') ? 'sqlite' : 'postgres',
    open: async () => void (await opened()),
    read: async (statement, params) => (await opened()).read(statement, params),
    commit: async writes => (await opened()).commit(writes),
    commitTelling: async writes => (await opened()).commitTelling(writes),
    observe(next) {
      observer = next
      opening?.then(database => database.observe(next)).catch(() => undefined)
    },
    onEnqueued: listener => listen(listeners, listener),
    migrate: async () => (await opened()).migrate(),
    migrations: async () => (await opened()).migrations(),
    close: async () => (await opening)?.close(),
  }
}

/** Migrations run on a connection of their own: knex's own transactions are kept away from the one writer. */
async function withConnection<T>(
  url: string,
  sqliteFile: string | undefined,
  work: (connection: Knex) => Promise<T>,
): Promise<T> {
  const migrations = { directory: migrationsFolder, loadExtensions: ['.js'], tableName: TABLE }
  const connection =
    sqliteFile === undefined
      ? knex({ client: 'pg', connection: url, pool: { min: 0, max: 1 }, log: quiet, migrations })
      : knex({
          client: 'sqlite3',
          connection: { filename: sqliteFile },
          useNullAsDefault: true,
          pool: { min: 0, max: 1, afterCreate: waitForWriters },
          log: quiet,
          migrations,
        })
  try {
    return await work(connection)
  } finally {
    await connection.destroy()
  }
}

function waitForWriters(
  connection: { run(text: string, done: (error: Error | null) => void): void },
  done: (error: Error | null, connection: unknown) => void,
): void {
  connection.run('PRAGMA busy_timeout=5000', error => done(error, connection))
}
