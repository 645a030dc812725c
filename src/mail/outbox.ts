// Mails wait in the jobs table: committed with what causes them, so that none is lost with the process, and sent by
// one worker at a time, so that none is sent twice. (One case is left: the process dies after the mail server took
// the mail and before that is written down. Then the same mail, by its Message-ID, goes out again.) What is in a mail
// is sealed while it waits and forgotten as soon as it is settled; the summary names template and recipient only.

import { noPlaces, type Places } from '../places.ts'
import { readAccountByEmail } from '../store/accounts/accounts.ts'
import { forgetBounce, noteBounce } from '../store/accounts/bounces.ts'
import type { Database, Write } from '../store/database.ts'
import { newId } from '../store/ids.ts'
import type { JobHandler, JobLog } from '../store/jobs/job-worker.ts'
import { enqueue, type JobState, listJobs } from '../store/jobs/jobs.ts'
import type { Keyring, Place } from '../store/seal.ts'
import type { Texts } from '../texts.ts'
import { lockToken } from './lock-link.ts'
import { type Mailer, MailNotSent } from './mailer.ts'
import { createMailTemplates, expiryOf, type MailContents, type MailName, type Notice } from './templates.ts'

/** The kind of the jobs that `mailHandler` does. */
export const MAIL = 'mail'
const place = (id: string): Place => ['jobs', 'payload', id]

/** A mail to be written when its turn comes; one for each template, with that template's contents. */
type MailOrder = {
  [Name in MailName]: { template: Name; contents: MailContents[Name] } & (Name extends Notice
    ? { accountId: string }
    : { accountId?: never })
}[MailName]

/** Somebody sits in front of a page and waits for these: they go before those that nobody waits for. */
const AWAITED: readonly MailName[] = ['code', 'password-reset', 'unblock', 'email-change']
const AHEAD_MS = 24 * 60 * 60 * 1000

/**
 * A mail, to be committed with what it tells of.
 *
 * @param order.to the address that the account has, never the one that somebody typed: two may look the same
 * @param order.accountId of a notice: whose account it is about
 */
export function mailJob(keyring: Keyring, order: MailOrder & { to: string; now: number }): Write {
  const { to, template, contents, accountId, now } = order
  const id = newId('job')
  const payload = keyring.seal(JSON.stringify({ to, template, contents, accountId }), place(id))
  // What is due first is taken first: a code must not stand behind the mails of a reset of thousands.
  const runAt = AWAITED.includes(template) ? now - AHEAD_MS : now
  return enqueue({ id, kind: MAIL, payload, summary: summaryOf(template, to), runAt }, now)
}

const SUMMARY = /^([a-z-]+) to (.*)$/
const summaryOf = (template: MailName, to: string): string => `${template} to ${to}`.slice(0, 400)

export interface MailHandlerOptions {
  readonly database: Database
  readonly keyring: Keyring
  readonly mailer: Mailer
  readonly texts: Texts
  /** The configured origin, for links. */
  readonly issuer: string
  /** Default: the catalogue's "product". */
  readonly product?: string
  /** Where the addresses in mails are. Default: at no place. */
  readonly places?: Places
  /** Whether owners can lock their accounts: not where a host of the plugin keeps the passwords that would open them. */
  readonly lockable?: boolean
  readonly log: JobLog
}

/**
 * Sends a mail that {@link mailJob} ordered, for `runJobs({ handlers: { [MAIL]: … } })`. A mail whose link or code has
 * run out while it waited is not sent. An address that takes none is noted of its account.
 */
export function mailHandler({
  database,
  keyring,
  mailer,
  texts,
  issuer,
  product,
  places = noPlaces,
  lockable = false,
  log,
}: MailHandlerOptions): JobHandler {
  const templates = createMailTemplates({
    texts,
    issuer,
    places,
    ...(product === undefined ? {} : { product }),
  })
  return async (job, now, signal) => {
    const order = JSON.parse(keyring.open(job.payload, place(job.id)).toString()) as MailOrder & {
      to: string
    }
    const { to, template, contents, accountId } = order
    const expiresAt = expiryOf(template, contents)
    if (expiresAt !== undefined && expiresAt <= now) {
      return { ok: false, reason: 'not sent in time: what is in it no longer works', permanent: true }
    }
    const token =
      accountId === undefined || !lockable
        ? undefined
        : lockToken(keyring, { accountId, email: to }, contents.at)
    const mail = templates.render(template, to, contents, token)
    try {
      await mailer.send({ id: job.id, to, date: job.createdAt, ...mail }, signal)
    } catch (error) {
      if (!(error instanceof MailNotSent)) throw error
      const { message: reason, permanent, noMailbox } = error
      const owner = noMailbox ? await readAccountByEmail(database, to) : undefined
      const also = owner === undefined ? [] : noteBounce(owner, { reason, at: now }, false)
      return { ok: false, reason, permanent, also }
    }
    log.info({ job: job.id, template }, 'mail sent')
    return { ok: true, also: [forgetBounce(to, now)] }
  }
}

/** A mail as the operator sees it: what it says is not among it. */
export interface QueuedMail {
  readonly id: string
  readonly template: string
  readonly to: string
  readonly state: JobState
  readonly attempts: number
  /** Milliseconds since 1970; null: it is not tried again. */
  readonly nextTry: number | null
  readonly lastError: string | null
  readonly createdAt: number
}

/** The mails that wait, are being sent, were sent in the last days, or were given up; newest first. */
export async function queueView(
  database: Database,
  wanted: { state?: JobState; limit?: number; now?: number } = {},
): Promise<QueuedMail[]> {
  const jobs = await listJobs(database, { ...wanted, kind: MAIL, now: wanted.now ?? Date.now() })
  return jobs.map(({ id, summary, state, attempts, runAt, lastError, createdAt }) => {
    const [, template = '', to = ''] = SUMMARY.exec(summary) ?? []
    return {
      id,
      template,
      to,
      state,
      attempts,
      nextTry: state === 'waiting' ? runAt : null,
      lastError,
      createdAt,
    }
  })
}
