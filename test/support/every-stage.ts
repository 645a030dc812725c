// Suites that need a whole Sallyport, run on SQLite and on PostgreSQL.

import { freshDatabase, postgresMissing, postgresUrl } from './postgres.ts'
import { openStage, type Stage, type StageOptions } from './stage.ts'

/** @param suite gets a function that opens a stage, which is closed after the suite */
export function onEveryStage(
  name: string,
  suite: (open: (options?: Omit<StageOptions, 'databaseUrl'>) => Promise<Stage>) => void,
): void {
  for (const database of ['SQLite', 'PostgreSQL'] as const) {
    describe(`${name}, on ${database}`, function () {
      this.timeout(60_000)
      const closers: (() => Promise<unknown>)[] = []

      before(async function () {
        if (database === 'PostgreSQL' && (await postgresUrl()) === undefined) {
          if (process.env.CI) throw new Error(postgresMissing)
          this.skip()
        }
      })
      after(async () => {
        for (const close of closers.reverse()) await close()
      })

      suite(async (options = {}) => {
        let databaseUrl: string | undefined
        if (database === 'PostgreSQL') {
          const fresh = await freshDatabase()
          closers.push(() => fresh.drop())
          databaseUrl = fresh.url
        }
        const stage = await openStage({ ...options, ...(databaseUrl === undefined ? {} : { databaseUrl }) })
        closers.push(() => stage.close())
        return stage
      })
    })
  }
}
