// OpenID Connect Back-Channel Logout 1.0, made to arrive. The library sends a logout token once, while the user waits,
// and only at its own logout. Here it becomes a job (store/sessions/logout-jobs.ts), committed with the end of the
// session: the user waits for nobody, an app that does not answer is told again for about a day, and each attempt
// carries a fresh logout token. Leaves out the token itself, which is the library's.

import type { JobHandler } from './store/jobs/job-worker.ts'
import { type EndedSession, endedSessionOf, logoutJob, NOBODY_TO_TELL } from './store/sessions/logout-jobs.ts'
import { inOpenUnit, unit } from './store/unit-of-work.ts'

/** What is used of oidc-provider's client; its types leave out the method. */
interface LogoutClient {
  readonly clientId: string
  readonly backchannelLogoutUri?: string | undefined
  /** Sends one logout token. @throws if it is not taken within 2.5 seconds */
  backchannelLogout(accountId: string, sid: string): Promise<void>
}

interface LogoutProvider {
  readonly Client: {
    readonly prototype: object
    find(id: string): Promise<object | undefined>
  }
}

/** Tells one app. @returns false where there is nobody to tell. @throws if it was not taken */
export type TellApp = (ended: EndedSession) => Promise<boolean>

/**
 * Makes the library's logout enqueue in place of sending: what it calls within a request is committed with what that
 * request ends.
 *
 * @returns what sends, for the jobs
 */
export function deferLogouts(provider: LogoutProvider, clock: () => number): TellApp {
  const prototype = provider.Client.prototype as LogoutClient
  const { backchannelLogout: send } = prototype
  if (typeof send !== 'function') throw new Error('oidc-provider sends back-channel logouts in another way')
  prototype.backchannelLogout = async function (accountId, sid) {
    if (!inOpenUnit()) return send.call(this, accountId, sid)
    unit().add(logoutJob({ clientId: this.clientId, accountId, sid }, clock()))
  }
  return async ({ clientId, accountId, sid }) => {
    const client = (await provider.Client.find(clientId)) as LogoutClient | undefined
    if (client?.backchannelLogoutUri === undefined) return false
    await send.call(client, accountId, sid)
    return true
  }
}

/** For `runJobs`. What is not taken may be taken later, whatever the app answered. */
export function logoutHandler(tell: TellApp): JobHandler {
  return async ({ payload }) => {
    try {
      return (await tell(endedSessionOf(payload))) ? { ok: true } : { ok: true, note: NOBODY_TO_TELL }
    } catch (error) {
      return { ok: false, reason: reasonOf(error), permanent: false }
    }
  }
}

/** `fetch` says why only in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the app could not be told'
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
