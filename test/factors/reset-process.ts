// A process that works resets off, for tests that kill it. Argument: the database's URL.

import { resetHandler, SECOND_FACTOR_RESET } from '../../src/factors/reset.ts'
import { openDatabase } from '../../src/store/database.ts'
import { createJobBell } from '../../src/store/job-bell.ts'
import { runJobs } from '../../src/store/job-worker.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { SECRET_KEY } from '../store/contract.ts'

const [databaseUrl = ''] = process.argv.slice(2)
const database = await openDatabase(databaseUrl)
const ground = { database, keyring: createKeyring([SECRET_KEY]), bell: createJobBell() }
const log = { info: () => undefined, warn: () => undefined, error: console.error }
// A killed process leaves its lease behind: a short one, so that the next does not wait for it.
runJobs({
  database,
  handlers: { [SECOND_FACTOR_RESET]: resetHandler(ground, Date.now) },
  log,
  intervalMs: 50,
  leaseMs: 1_000,
})
