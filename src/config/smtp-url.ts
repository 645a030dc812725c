// The address of a mail server, as SALLYPORT_SMTP_URL has it: judged when the configuration is read, used by the mailer.

import { isIP } from 'node:net'
import type { SMTPTransportOptions } from 'nodemailer'

const TIMEOUT_MS = 10_000
/** Query parameters of an SMTP URL. Anything else is refused: nodemailer would take `?debug=true` and print mails. */
const FLAGS = ['requireTLS', 'ignoreTLS', 'tls.rejectUnauthorized'] as const
type Flag = (typeof FLAGS)[number]

/**
 * Reads SALLYPORT_SMTP_URL: `smtp://user:password@host:587` or `smtps://…`, with `?requireTLS=`, `ignoreTLS=` and
 * `tls.rejectUnauthorized=` `true` or `false`. To another machine, TLS is required in production and wherever a
 * password is sent, unless the URL says otherwise; on this machine it is taken where offered, whatever the certificate.
 *
 * @throws Error whose message goes on after the variable's name, and holds no password
 */
export function smtpOptions(text: string, production: boolean): SMTPTransportOptions {
  const url = URL.parse(text)
  if (url === null || !['smtp:', 'smtps:'].includes(url.protocol) || url.hostname === '') {
    throw new Error('is no address of a mail server: use smtp://user:password@host:587 or smtps://…')
  }
  const flags = new Map<Flag, boolean>()
  for (const [name, value] of url.searchParams) {
    const flag = FLAGS.find(each => each === name)
    if (flag === undefined)
      throw new Error(`has the unknown parameter ${name}: known are ${FLAGS.join(', ')}`)
    if (value !== 'true' && value !== 'false') throw new Error(`has a ${name} that is neither true nor false`)
    flags.set(flag, value === 'true')
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const here = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
  const user = decodeURIComponent(url.username)
  const ignoreTLS = flags.get('ignoreTLS') ?? false
  const options: SMTPTransportOptions = {
    host,
    secure: url.protocol === 'smtps:',
    ignoreTLS,
    requireTLS: flags.get('requireTLS') ?? (!here && !ignoreTLS && (production || user !== '')),
    tls: { rejectUnauthorized: flags.get('tls.rejectUnauthorized') ?? !here },
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    dnsTimeout: TIMEOUT_MS,
  }
  if (url.port !== '') options.port = Number(url.port)
  if (user !== '') options.auth = { user, pass: decodeURIComponent(url.password) }
  return options
}
