// An empty, migrated database of each kind, for suites that must hold on both.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { freshDatabase, postgresUrl } from '../support/postgres.ts'

export interface TestDatabase {
  readonly url: string
  readonly database: Database
  /** Another set of connections to the same data, as another process has. */
  another(): Promise<Database>
  drop(): Promise<void>
}

async function provide(url: string, remove: () => Promise<void>): Promise<TestDatabase> {
  const opened: Database[] = []
  const another = async (): Promise<Database> => {
    const database = await openDatabase(url)
    opened.push(database)
    return database
  }
  const database = await another()
  await database.migrate()
  return {
    url,
    database,
    another,
    async drop() {
      for (const each of opened) await each.close()
      await remove()
    },
  }
}

/** Calls `suite` once for SQLite and once for PostgreSQL, which is skipped where there is none. */
export function onEachDatabase(title: string, suite: (open: () => Promise<TestDatabase>) => void): void {
  describe(`${title} on SQLite`, () => {
    suite(async () => {
      const folder = await mkdtemp(join(tmpdir(), 'sallyport-'))
      return provide(`sqlite:${join(folder, 'test.sqlite')}`, () =>
        rm(folder, { recursive: true, force: true }),
      )
    })
  })
  describe(`${title} on PostgreSQL`, () => {
    before(async function () {
      if ((await postgresUrl()) === undefined) this.skip()
    })
    suite(async () => {
      const { url, drop } = await freshDatabase()
      return provide(url, drop)
    })
  })
}
