// A process that sends what is in the outbox, for tests that kill it. Arguments: the database's URL, the mail server's
// URL, and when it kills itself: "before" or "after" the mail server took the first mail, or "never". Then it stops
// when the queue is empty, and must end by itself.

import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { createMailer } from '../../src/mail/mailer.ts'
import { MAIL, mailHandler, queueView } from '../../src/mail/outbox.ts'
import { openDatabase } from '../../src/store/database.ts'
import { runJobs } from '../../src/store/jobs/job-worker.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { createTexts } from '../../src/texts.ts'

export const secretKey = 'a-secret-key-for-tests-of-32-characters'

const [databaseUrl = '', smtpUrl = '', dies = 'never'] = process.argv.slice(2)
if (import.meta.main) {
  const log = pino({ level: 'silent' })
  const database = await openDatabase(databaseUrl)
  const mailer = createMailer({ smtpUrl, outboxDir: '/nowhere', from: 'no-reply@login.example.com', log })
  const handler = mailHandler({
    database,
    keyring: createKeyring([secretKey]),
    texts: createTexts(),
    issuer: 'https://login.example.com',
    log,
    mailer: {
      ...mailer,
      async send(mail, signal) {
        if (dies === 'before') process.kill(process.pid, 'SIGKILL')
        await mailer.send(mail, signal)
        if (dies === 'after') process.kill(process.pid, 'SIGKILL')
      },
    },
  })
  const worker = runJobs({ database, handlers: { [MAIL]: handler }, log, intervalMs: 60_000 })
  while ((await queueView(database)).some(each => each.state !== 'done')) await sleep(10)
  await worker.stop()
  await database.close()
}
