// A mail leaves here, by SMTP or, for trying things out, into a file. A mail is the same to the byte each time it is
// tried (Message-ID, date and boundaries come from its job), so that a second copy, sent because we died between the
// server's "accepted" and our writing that down, is known for what it is. Leaves out what mails say and when they are
// tried again.

import { chmod, mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import { smtpOptions } from '../config/smtp-url.ts'
import type { JobLog } from '../store/jobs/job-worker.ts'
import { parseAddress } from './address.ts'

export interface Mail {
  /** The job's id: what makes this mail itself. */
  readonly id: string
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
  /** Milliseconds since 1970, of its writing, not its sending. */
  readonly date: number
}

export interface Mailer {
  /** @throws MailNotSent; other errors are faults of ours */
  send(mail: Mail, signal?: AbortSignal): Promise<void>
  close(): void
}

/** The mail was not taken. The message is for the operator and holds nothing of the mail. */
export class MailNotSent extends Error {
  /** The recipient or the mail itself was refused: trying again would change nothing. */
  readonly permanent: boolean
  /** It was the recipient that was refused: there is no such mailbox. */
  readonly noMailbox: boolean

  constructor(reason: string, permanent: boolean, options?: ErrorOptions & { noMailbox?: boolean }) {
    super(reason, options)
    this.name = 'MailNotSent'
    this.permanent = permanent
    this.noMailbox = options?.noMailbox ?? false
  }
}

export interface MailerOptions {
  /** See {@link smtpOptions}. Unset: mails are written to `outboxDir`, which production refuses. */
  readonly smtpUrl?: string | undefined
  readonly outboxDir: string
  /** An address, or `Name <address>`. */
  readonly from: string
  /** Stands before a `from` without a name. */
  readonly product?: string
  readonly production?: boolean
  readonly log: JobLog
}

/** @throws Error for an SMTP URL or a sender that cannot be used */
export function createMailer(options: MailerOptions): Mailer {
  const { smtpUrl, outboxDir, product = 'Sallyport', production = false, log } = options
  const from = senderOf(options.from, product)
  if (smtpUrl === undefined && production) throw new Error('production needs a mail server')
  const compose = (mail: Mail) => ({
    from,
    to: { name: '', address: mail.to },
    envelope: { from: from.address, to: mail.to },
    subject: mail.subject,
    text: mail.text,
    html: mail.html,
    date: new Date(mail.date),
    messageId: `<${fileSafe(mail.id)}@${from.address.split('@').at(-1)}>`,
    baseBoundary: fileSafe(mail.id),
    // RFC 3834: no holiday notices in answer.
    headers: { 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const checked = (mail: Mail): Mail => {
    if (parseAddress(mail.to) === undefined) throw new MailNotSent('not an email address', true)
    return mail
  }

  if (smtpUrl === undefined) {
    const transport = createTransport({ streamTransport: true, buffer: true })
    return {
      async send(mail) {
        const { message } = await transport.sendMail(compose(checked(mail)))
        const time = new Date(mail.date).toISOString().replace(/[-:]|\.\d+/g, '')
        const file = join(outboxDir, `${time}-${fileSafe(mail.id)}.eml`)
        await writePrivately(outboxDir, file, message as Buffer)
        log.info({ file }, 'mail written to a file')
      },
      close: () => transport.close(),
    }
  }

  const transport = createTransport({ ...smtpOptions(smtpUrl, production), logger: false })
  return {
    async send(mail, signal) {
      const message = compose(checked(mail))
      try {
        await transport.sendMail(signal === undefined ? message : { ...message, signal })
      } catch (error) {
        throw notSent(error, signal)
      }
    },
    close: () => transport.close(),
  }
}

function senderOf(text: string, product: string): { name: string; address: string } {
  const [, name = product, inner] = /^(?:"?([^"<>\p{Cc}]*?)"? )?<([^<>\s]+)>$/u.exec(text) ?? []
  const address = inner ?? text
  if (!/^[^\s<>@,;:"()\p{C}]+@[^\s<>@,;:"()\p{C}]+$/u.test(address))
    throw new Error(`no mail can come from "${text}"`)
  return { name, address }
}

/** Commands at which a refusal is about this recipient or this mail, not about how we are set up. */
const ABOUT_THE_MAIL = ['RCPT TO', 'DATA']

function notSent(error: unknown, signal: AbortSignal | undefined): MailNotSent {
  const {
    responseCode = 0,
    command = '',
    message = 'not sent',
  } = error as {
    responseCode?: number
    command?: string
    message?: string
  }
  if (signal?.aborted === true)
    return new MailNotSent('took too long, or the server was stopped', false, { cause: error })
  // 503: the conversation went wrong; 530: TLS or a password is wanted (RFC 4954 §6). Neither is about the mail.
  const refused = responseCode >= 500 && responseCode < 600 && ![503, 530].includes(responseCode)
  const permanent = refused && ABOUT_THE_MAIL.includes(command)
  return new MailNotSent(message, permanent, { cause: error, noMailbox: permanent && command === 'RCPT TO' })
}

/** Ids are ours, but a file name and a header should not depend on that. */
function fileSafe(id: string): string {
  return id.replace(/[^A-Za-z0-9_-]/g, '_')
}

/** Whole or not at all, and for the server's own user only. */
async function writePrivately(folder: string, file: string, content: Buffer): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chmod(folder, 0o700)
  const draft = `${file}.draft`
  await rm(draft, { force: true })
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}
