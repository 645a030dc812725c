// A process that works off the resets that wait, for tests that kill it. Arguments: the database's URL, and what to do:
// "for ever", or until there is no job of a reset left. Its leases are short, so that nobody waits long for them.

import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { resetHandler, SECOND_FACTOR_RESET } from '../../src/factors/reset.ts'
import { openDatabase } from '../../src/store/database.ts'
import { runJobs } from '../../src/store/jobs/job-worker.ts'
import { listJobs } from '../../src/store/jobs/jobs.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { SECRET_KEY } from '../store/contract.ts'

const [databaseUrl = '', until = ''] = process.argv.slice(2)
const database = await openDatabase(databaseUrl)
const handler = resetHandler({ database, keyring: createKeyring([SECRET_KEY]) }, Date.now, {
  sliceMs: 300,
})
const worker = runJobs({
  database,
  handlers: { [SECOND_FACTOR_RESET]: handler },
  log: pino({ level: 'silent' }),
  intervalMs: 100,
  leaseMs: 1500,
})
const left = async () =>
  (await listJobs(database, { kind: SECOND_FACTOR_RESET, now: Date.now() })).some(
    each => each.state === 'waiting' || each.state === 'running',
  )
while (until === 'for ever' || (await left())) await sleep(50)
await worker.stop()
await database.close()
