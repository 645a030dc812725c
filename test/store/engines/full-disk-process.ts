// A process that may not write files beyond a size, as on a full disk, and stores until it cannot. Argument: the
// database's URL. Prints how it was told so, and whether it can still read, as JSON.

import { AppError } from '../../../src/errors.ts'
import { type Database, openDatabase, sql, write } from '../../../src/store/database.ts'

const fill = sql(
  'test_fill',
  `INSERT INTO oidc_artefacts (model, id, epoch, payload) VALUES ('Test', ?, 0, ?)`,
)
const stored = sql('test_filled', `SELECT id FROM oidc_artefacts WHERE model = 'Test'`)
const payload = 'x'.repeat(100_000)

/** Stores until something fails. @returns what came of each */
async function untilFull(database: Database, atOnce: number): Promise<PromiseSettledResult<void>[]> {
  const outcomes: PromiseSettledResult<void>[] = []
  for (let round = 0; !outcomes.some(each => each.status === 'rejected'); round++) {
    const commits = Array.from({ length: atOnce }, (_, index) =>
      database.commit([write(fill, [`${atOnce} ${round} ${index}`, payload])]),
    )
    outcomes.push(...(await Promise.allSettled(commits)))
  }
  return outcomes
}

if (import.meta.main) {
  const database = await openDatabase(process.argv[2] ?? '')
  const outcomes = [...(await untilFull(database, 8)), ...(await untilFull(database, 1))]
  const failures = outcomes.flatMap(each => (each.status === 'rejected' ? [each.reason as unknown] : []))
  const report = {
    codes: [...new Set(failures.map(each => (each instanceof AppError ? each.code : String(each))))],
    promised: outcomes.filter(each => each.status === 'fulfilled').length,
    stored: (await database.read(stored, [])).length,
  }
  process.stdout.write(JSON.stringify(report))
  await database.close()
}
