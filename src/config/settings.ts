// The table of settings: the name of each, its default, its meaning and how its text is read. The same table prints the
// reference.

import { LEVELS } from '../flow/assurance.ts'
import { SPECIAL_PLANS } from '../organisations/plan.ts'
import {
  aliases,
  databaseAddress,
  duration,
  hostName,
  issuerOrigin,
  KEY_LENGTH,
  keyList,
  oneOf,
  originList,
  passkeyDomain,
  planList,
  portNumber,
  proxies,
  sender,
  shortText,
  smtpAddress,
  yesOrNo,
} from './values.ts'

/** Environment variables, such as `process.env`. */
export type Env = Readonly<Record<string, string | undefined>>

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export const EMAIL_PROOFS = ['after-reset', 'always', 'never'] as const
export type EmailProof = (typeof EMAIL_PROOFS)[number]

export interface Setting<T> {
  readonly name: string
  /** What holds if it is unset, in words. */
  readonly fallback: string
  readonly meaning: string
  /** Also read from the file that NAME_FILE names, and never printed. */
  readonly secret?: true
  /** @throws Problem */
  parse(text: string): T
}

const setting = <T>(row: Setting<T>): Setting<T> => row

export const settings = {
  mode: setting({
    name: 'NODE_ENV',
    fallback: 'development',
    meaning:
      '`production`, `development` or `test`. Production makes nothing up: issuer, keys and mail must be set.',
    parse: oneOf(['production', 'development', 'test']),
  }),
  port: setting({
    name: 'PORT',
    fallback: '3000',
    meaning: 'The port to listen on.',
    parse: text => portNumber(text, 1),
  }),
  host: setting({
    name: 'HOST',
    fallback: '`localhost`; in production `::`',
    meaning: 'The address to listen on.',
    parse: hostName,
  }),
  databaseUrl: setting({
    name: 'DATABASE_URL',
    fallback: '`sqlite:data/sallyport.sqlite`',
    meaning: '`sqlite:PATH` or `postgres://…`.',
    secret: true,
    parse: databaseAddress,
  }),
  issuer: setting({
    name: 'SALLYPORT_ISSUER',
    fallback: '`http://localhost:PORT`; in production required',
    meaning:
      'The origin under which browsers and apps reach this server. `https`, or `http` on this machine only.',
    parse: issuerOrigin,
  }),
  secretKeys: setting({
    name: 'SALLYPORT_SECRET_KEYS',
    fallback: 'generated into `data/secret-keys`; in production required',
    meaning: `Comma-separated, each at least ${KEY_LENGTH} characters. The first one seals and signs, all of them open and verify: to change it, put a new one in front and keep the old ones, which what they sealed still needs.`,
    secret: true,
    parse: keyList,
  }),
  smtpUrl: setting({
    name: 'SALLYPORT_SMTP_URL',
    fallback: 'mails are written to `data/outbox/`; in production required',
    meaning: 'The mail server: `smtp://user:password@host:587`, or `smtps://…` for TLS from the start.',
    secret: true,
    parse: smtpAddress,
  }),
  mailFrom: setting({
    name: 'SALLYPORT_MAIL_FROM',
    fallback: "`no-reply@` the issuer's host",
    meaning: 'The sender of all mails: an address, or `Name <address>`.',
    parse: sender,
  }),
  trustProxy: setting({
    name: 'SALLYPORT_TRUST_PROXY',
    fallback: 'forwarded headers are ignored',
    meaning:
      'The proxies in front of this server: their number, or a comma-separated list of their addresses (CIDR).',
    parse: proxies,
  }),
  logLevel: setting({
    name: 'SALLYPORT_LOG_LEVEL',
    fallback: '`info`',
    meaning: `${LOG_LEVELS.map(each => `\`${each}\``).join(', ')}.`,
    parse: oneOf(LOG_LEVELS),
  }),
  demoPort: setting({
    name: 'SALLYPORT_DEMO_PORT',
    fallback: '3001; in production none',
    meaning: 'The port of the demo app that `npm start` runs beside the server; 0: no demo app.',
    parse: text => portNumber(text, 0),
  }),
  allowPrivateNetwork: setting({
    name: 'SALLYPORT_ALLOW_PRIVATE_NETWORK',
    fallback: '`true`; in production `false`',
    meaning:
      "Whether the server's own requests (back-channel logout, keys of clients, identity providers of customers) may go to private addresses.",
    parse: yesOrNo,
  }),
  enrolmentEmailProof: setting({
    name: 'SALLYPORT_ENROLMENT_EMAIL_PROOF',
    fallback: '`after-reset`',
    meaning:
      'When a code sent by mail is asked for before an authenticator is set up: `after-reset`, `always`, `never`.',
    parse: oneOf(EMAIL_PROOFS),
  }),
  acrAliases: setting({
    name: 'SALLYPORT_ACR_ALIASES',
    fallback: 'none',
    meaning: `Further names that apps may use in \`acr_values\`, each with its level (${LEVELS.join(', ')}): \`gold=2fa,urn:example:strong=phr\`.`,
    parse: aliases,
  }),
  productName: setting({
    name: 'SALLYPORT_PRODUCT_NAME',
    fallback: '`Sallyport`',
    meaning: 'The name that users read on pages, in mails and in their authenticator app.',
    parse: shortText,
  }),
  passkeyDomain: setting({
    name: 'SALLYPORT_PASSKEY_DOMAIN',
    fallback: "the issuer's host name",
    meaning:
      'The host name that passkeys are bound to (the relying party id). Keep the old one here when the issuer moves to another name.',
    parse: passkeyDomain,
  }),
  relatedOrigins: setting({
    name: 'SALLYPORT_RELATED_ORIGINS',
    fallback: 'none',
    meaning:
      'Comma-separated: further origins that these passkeys may be used on. `/.well-known/webauthn` tells browsers.',
    parse: originList,
  }),
  ssoPlans: setting({
    name: 'SALLYPORT_SSO_PLANS',
    fallback: SPECIAL_PLANS.map(each => `\`${each}\``).join(', '),
    meaning:
      'Comma-separated: the plans that single sign-on and session policies of an organisation’s own come with.',
    parse: planList,
  }),
  supportAfter: setting({
    name: 'SALLYPORT_SUPPORT_AFTER',
    fallback: '`24h`',
    meaning:
      'How long the admins of somebody who is locked out have to help, before the page offers a support case: from `1m` to `30d`.',
    parse: duration('1m', '30d'),
  }),
  supportWait: setting({
    name: 'SALLYPORT_SUPPORT_WAIT',
    fallback: '`24h`',
    meaning:
      'How long a support case waits, so that its owner can stop it, before an agent may approve it: from `1h` to `30d`.',
    parse: duration('1h', '30d'),
  }),
  places: setting({
    name: 'SALLYPORT_PLACES',
    fallback: 'no places are shown',
    meaning:
      'An `.mmdb` file (MaxMind DB: GeoLite2 City, DB-IP City Lite, or one of countries) that says roughly where an address is, for the lists of sessions and the mails. It is read at the start: for another file, start anew.',
    parse: text => text,
  }),
  dataDir: setting({
    name: 'SALLYPORT_DATA_DIR',
    fallback: '`data`',
    meaning: 'The folder for what the server itself keeps: the SQLite file, generated keys, the outbox.',
    parse: text => text,
  }),
}

/** All of them. */
export const table: readonly Setting<unknown>[] = Object.values(settings)

export interface SettingRow {
  readonly name: string
  readonly fallback: string
  readonly meaning: string
  readonly secret: boolean
  /** What the environment says; undefined: unset. Of a secret, only that it is set. */
  readonly value: string | undefined
}

/** The table of settings, with what the environment says for each. */
export function settingRows(env: Env = {}): SettingRow[] {
  return table.map(({ name, fallback, meaning, secret }) => {
    const text = env[name]?.trim() || undefined
    const file = secret ? env[`${name}_FILE`]?.trim() || undefined : undefined
    const value = file !== undefined ? `(from ${file})` : secret && text !== undefined ? '(set)' : text
    return { name, fallback, meaning, secret: secret === true, value }
  })
}

/** The reference of all settings, as a Markdown table. */
export function describeConfig(): string {
  const rows = settingRows().map(({ name, fallback, meaning, secret }) => {
    const also = secret ? ` Also as \`${name}_FILE\`: a file that holds it.` : ''
    return `| \`${name}\` | ${fallback} | ${meaning}${also} |`
  })
  return ['| Variable | Default | Meaning |', '|---|---|---|', ...rows, ''].join('\n')
}
