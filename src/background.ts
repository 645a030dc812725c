// What runs beside the requests, in the server as in the plugin: mails are sent, expired rows are swept.

import { createMailer } from './mail/mailer.ts'
import { MAIL, mailHandler } from './mail/outbox.ts'
import type { Services } from './services.ts'
import { runJobs } from './store/job-worker.ts'
import { startSweeping } from './store/sweep.ts'

/** Starts it. @returns what ends it: the jobs in hand are finished first */
export function startBackground(services: Services): { stop(): Promise<void> } {
  const { config, database, log, clock } = services
  const { issuer, productName: product } = config
  const mailer = createMailer({ ...config, from: config.mailFrom, product, log })
  const mails = mailHandler({ ...services, mailer, issuer, product })
  const jobs = runJobs({ database, handlers: { [MAIL]: mails }, log, clock })
  const sweeping = startSweeping(database, log, clock)
  return {
    async stop() {
      await sweeping.stop()
      await jobs.stop()
      mailer.close()
    },
  }
}
