// A process that works off what waits of logging everybody out, for tests that kill it. Arguments: the database's URL, and
// "for ever", or nothing: until no such job is left. Its leases are short, so that nobody waits long for them.

import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { LOG_OUT_ALL, logOutHandler } from '../../src/organisations/log-outs.ts'
import { openDatabase } from '../../src/store/database.ts'
import { runJobs } from '../../src/store/jobs/job-worker.ts'
import { listJobs } from '../../src/store/jobs/jobs.ts'

const [databaseUrl = '', until = ''] = process.argv.slice(2)
const database = await openDatabase(databaseUrl)
const handler = logOutHandler(database, Date.now, { sliceMs: 300 })
const worker = runJobs({
  database,
  handlers: { [LOG_OUT_ALL]: handler },
  log: pino({ level: 'silent' }),
  intervalMs: 100,
  leaseMs: 1500,
})
const left = async () =>
  (await listJobs(database, { kind: LOG_OUT_ALL, now: Date.now() })).some(
    each => each.state === 'waiting' || each.state === 'running',
  )
while (until === 'for ever' || (await left())) await sleep(50)
await worker.stop()
await database.close()
