// A real SMTP receiver on 127.0.0.1 that keeps what it is sent. No TLS, no authentication.

import type { AddressInfo } from 'node:net'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer } from 'smtp-server'

export type Smtp = {
  /** For SALLYPORT_SMTP_URL. */
  url: string
  /** Everything received, oldest first. */
  mails: ParsedMail[]
  /** The oldest mail that fits and was not given out before; waits for one to come. */
  next(predicate?: (mail: ParsedMail) => boolean, timeoutMs?: number): Promise<ParsedMail>
  close(): Promise<void>
}

/**
 * Starts an SMTP receiver.
 * @param options.rejectRecipients addresses (any case) or a rule; they are answered 550, as an unknown mailbox is
 * @param options.port default: a free one
 */
export async function startSmtp(
  options: { rejectRecipients?: string[] | ((address: string) => boolean); port?: number } = {},
): Promise<Smtp> {
  const { rejectRecipients = [] } = options
  const rejects =
    typeof rejectRecipients === 'function'
      ? rejectRecipients
      : (address: string) => rejectRecipients.some(other => other.toLowerCase() === address.toLowerCase())
  const mails: ParsedMail[] = []
  const given = new Set<ParsedMail>()
  const waiting = new Set<() => void>()

  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 500,
    onRcptTo({ address }, _session, callback) {
      if (!rejects(address)) return callback()
      callback(Object.assign(new Error('5.1.1 No such mailbox'), { responseCode: 550 }))
    },
    onData(stream, _session, callback) {
      simpleParser(stream).then(mail => {
        mails.push(mail)
        callback()
        for (const look of waiting) look()
      }, callback)
    },
  })
  // A client that goes away is no error of the receiver's.
  server.on('error', () => undefined)
  await new Promise<void>(resolve => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo

  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    next(predicate = () => true, timeoutMs = 5_000) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const mail = mails.find(candidate => !given.has(candidate) && predicate(candidate))
          if (mail === undefined) return
          given.add(mail)
          waiting.delete(look)
          clearTimeout(timer)
          resolve(mail)
        }
        const timer = setTimeout(() => {
          waiting.delete(look)
          const subjects = mails.map(({ subject }) => subject ?? '(no subject)').join('; ')
          reject(new Error(`no such mail within ${timeoutMs} ms; received: ${subjects || 'none'}`))
        }, timeoutMs)
        waiting.add(look)
        look()
      })
    },
    close: () => new Promise(resolve => server.close(() => resolve())),
  }
}
