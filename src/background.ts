// What runs beside the requests, in the server as in the plugin: mails are sent, apps are told of ended sessions,
// expired rows are swept, the audit log is sealed.

import { logoutHandler, type TellApp } from './backchannel-logout.ts'
import { RESET_LEASE_MS, resetHandler, SECOND_FACTOR_RESET } from './factors/reset.ts'
import { createMailer } from './mail/mailer.ts'
import { MAIL, mailHandler } from './mail/outbox.ts'
import { LOG_OUT_ALL, LOG_OUT_LEASE_MS, logOutHandler } from './organisations/log-outs.ts'
import type { Services } from './services.ts'
import { startSealing } from './store/audit/audit-sealer.ts'
import { runJobs } from './store/jobs/job-worker.ts'
import { startSweeping } from './store/jobs/sweep.ts'
import { BACKCHANNEL_LOGOUT } from './store/sessions/logout-jobs.ts'
import { SUPPORT_CASE, supportCaseHandler } from './support/settle.ts'

/** Starts it. @returns what ends it: the jobs in hand are finished first */
export function startBackground(services: Services, tellApp: TellApp): { stop(): Promise<void> } {
  const { config, database, log, clock } = services
  const { issuer, productName: product } = config
  const mailer = createMailer({ ...config, from: config.mailFrom, product, log })
  const mails = mailHandler({
    ...services,
    mailer,
    issuer,
    product,
    lockable: services.accounts.passwords === 'own',
  })
  // Each kind has its own worker: an app that is slow to answer must not keep a mailed code waiting.
  const workers = [
    { handlers: { [MAIL]: mails } },
    { handlers: { [BACKCHANNEL_LOGOUT]: logoutHandler(tellApp) } },
    { handlers: { [SUPPORT_CASE]: supportCaseHandler(services, clock) } },
    { handlers: { [SECOND_FACTOR_RESET]: resetHandler(services, clock) }, leaseMs: RESET_LEASE_MS },
    { handlers: { [LOG_OUT_ALL]: logOutHandler(database, clock) }, leaseMs: LOG_OUT_LEASE_MS },
  ].map(each => runJobs({ database, log, clock, ...each }))
  const sweeping = startSweeping(database, log, clock)
  const sealing = startSealing(services)
  return {
    async stop() {
      await sweeping.stop()
      await Promise.all(workers.map(each => each.stop()))
      // Last: what those wrote is sealed too.
      await sealing.stop()
      mailer.close()
    },
  }
}
