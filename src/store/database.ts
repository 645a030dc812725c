// One door to the data: `read` runs one statement, `commit` runs several as one transaction in one round trip. There
// is no open-ended transaction, so no request ever holds a lock while it thinks; what must be decided inside a
// transaction is a condition in the SQL. Leaves out: what is stored (the other files of this folder).

import { fileURLToPath } from 'node:url'
import knex, { type Knex } from 'knex'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'
import type { Param, Row, Statement, Write } from './statement.ts'

export type { Param, Row, Statement, Write } from './statement.ts'
export { CommitRefused, sql, write } from './statement.ts'

export type Dialect = 'sqlite' | 'postgres'

/** Told of every round trip: for query counts in tests, and for metrics. */
export type Observer = (kind: 'read' | 'commit', statements: readonly string[]) => void

/** What each of the two databases brings. */
export interface Driver {
  read(statement: Statement, params: readonly Param[]): Promise<Row[]>
  commit(writes: readonly Write[]): Promise<Row[][]>
  close(): Promise<void>
}

export interface Database extends Driver {
  readonly dialect: Dialect
  /**
   * Runs writes as one transaction. Every write returns the rows it touched.
   *
   * @throws CommitRefused if a write with a `refusal` touched no row; nothing is stored then
   */
  commit(writes: readonly Write[]): Promise<Row[][]>
  observe(observer: Observer | undefined): void
  /** Brings the schema up to date. @returns names of the migrations that ran */
  migrate(): Promise<string[]>
  /** @returns migrations that have not run, and those that ran but are not known here (a newer version's) */
  migrations(): Promise<{ pending: string[]; unknown: string[] }>
}

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

  return {
    dialect,
    read(statement, params) {
      observer?.('read', [statement.name])
      return driver.read(statement, params)
    },
    async commit(writes) {
      if (writes.length === 0) return []
      observer?.(
        'commit',
        writes.map(each => each.statement.name),
      )
      return driver.commit(writes)
    },
    observe(next) {
      observer = next
    },
    async migrate() {
      return withMigrator(url, sqliteFile, async migrator => {
        const [, ran] = (await migrator.latest()) as [number, string[]]
        return ran
      })
    },
    async migrations() {
      return withMigrator(url, sqliteFile, async migrator => {
        try {
          const [, pending] = (await migrator.list()) as [unknown, { file: string }[]]
          return { pending: pending.map(each => each.file), unknown: [] }
        } catch (error) {
          const corrupt = /following files are missing: (.+)$/.exec(
            error instanceof Error ? error.message : '',
          )
          if (corrupt?.[1] === undefined) throw error
          return { pending: [], unknown: corrupt[1].split(', ') }
        }
      })
    },
    close: () => driver.close(),
  }
}

/** Migrations run on a connection of their own: knex's own transactions are kept away from the one writer. */
async function withMigrator<T>(
  url: string,
  sqliteFile: string | undefined,
  work: (migrator: Knex.Migrator) => Promise<T>,
): Promise<T> {
  const migrations = { directory: migrationsFolder, loadExtensions: ['.js'], tableName: 'migrations' }
  const connection =
    sqliteFile === undefined
      ? knex({ client: 'pg', connection: url, pool: { min: 0, max: 2 }, migrations })
      : knex({ client: 'sqlite3', connection: { filename: sqliteFile }, useNullAsDefault: true, migrations })
  try {
    return await work(connection.migrate)
  } finally {
    await connection.destroy()
  }
}
