// Every setting is a row of one table: its name, default, meaning and how its text is read. The environment becomes a
// frozen Config, or one ConfigError that lists every problem at once; the same table prints the reference. Leaves out
// whether what is named can be reached (doctor.ts).

import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { ACR_ALIASES, LEVELS, type Level } from './flow/assurance.ts'
import { SPECIAL_PLANS } from './organisations/plan.ts'
import {
  absolute,
  aliases,
  bare,
  databaseAddress,
  didYouMean,
  duration,
  hostName,
  issuerOrigin,
  keyList,
  oneOf,
  originList,
  Problem,
  passkeyDomain,
  planList,
  portNumber,
  proxies,
  sender,
  shortText,
  smtpAddress,
  yesOrNo,
} from './setting-values.ts'

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export const EMAIL_PROOFS = ['after-reset', 'always', 'never'] as const
export type EmailProof = (typeof EMAIL_PROOFS)[number]

/** The proxies whose forwarded headers count: so many hops from us, or all within CIDR ranges. */
export type TrustProxy = { readonly hops: number } | { readonly ranges: readonly string[] }

export interface Config {
  readonly production: boolean
  readonly port: number
  readonly host: string
  /** An origin, without a trailing slash. */
  readonly issuer: string
  /** `sqlite:PATH` (absolute) or `postgres://…`. */
  readonly databaseUrl: string
  /** Absolute. What the server itself puts on the disk. */
  readonly dataDir: string
  /** Newest first, each at least 32 characters. */
  readonly secretKeys: readonly [string, ...string[]]
  /** Undefined: mails are written to `outboxDir`. */
  readonly smtpUrl: string | undefined
  /** An address, or `Name <address>`. */
  readonly mailFrom: string
  /** Absolute. */
  readonly outboxDir: string
  /** Undefined: forwarded headers are ignored. */
  readonly trustProxy: TrustProxy | undefined
  readonly logLevel: LogLevel
  /** 0: no demo app. */
  readonly demoPort: number
  readonly allowPrivateNetwork: boolean
  readonly enrolmentEmailProof: EmailProof
  /** Further names of levels in `acr_values`, the built-in ones among them. */
  readonly acrAliases: Readonly<Record<string, Level>>
  readonly productName: string
  /** What passkeys are bound to (WebAuthn's relying party id): a host name. */
  readonly passkeyDomain: string
  /** Further origins on whose pages our passkeys may be used, as `/.well-known/webauthn` tells browsers. */
  readonly relatedOrigins: readonly string[]
  /** The plans that single sign-on and policies of one's own come with. */
  readonly ssoPlans: readonly string[]
  /** How long the admins of somebody who is locked out have to help, before support does; milliseconds. */
  readonly supportAfterMs: number
  /** How long a support case waits before anybody decides; milliseconds, at least an hour. */
  readonly supportWaitMs: number
  /** Absolute: the MMDB file that says where addresses are. Undefined: no places are shown. */
  readonly placesFile: string | undefined
  /** What works but deserves a word in the log at start. */
  readonly warnings: readonly string[]
}

/** All that is wrong with the environment, one sentence each, beginning with the variable's name. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`the configuration cannot be used:\n${problems.map(each => `  ${each}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

type Env = Readonly<Record<string, string | undefined>>

interface Setting<T> {
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

const PREFIX = 'SALLYPORT_'
const KEY_LENGTH = 32
export const DAY_MS = 24 * 60 * 60 * 1000

const settings = {
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

const table: readonly Setting<unknown>[] = Object.values(settings)

/** Files, for the tests of a machine that has others. */
export interface Files {
  /** @returns the file's text and mode; undefined if there is no such file */
  read(path: string): { text: string; mode: number } | undefined
  /** Creates a file that only its owner may read, whole or not at all; one that is there stays as it is. */
  create(path: string, text: string): void
}

export interface LoadOptions {
  /** What relative paths start from; default: the working directory. */
  readonly cwd?: string
  readonly files?: Files
}

/**
 * Reads the configuration. Outside production it makes secret keys at the first call and keeps them in the data
 * folder; nothing is written if anything is wrong.
 *
 * @param env such as `process.env`; an empty value counts as unset
 * @throws ConfigError with all that is wrong
 */
export function loadConfig(env: Env, options: LoadOptions = {}): Config {
  const { settled, keys, warnings } = readSettings(env, options)
  if (keys !== undefined) return deepFreeze({ ...settled, secretKeys: keys, warnings })
  const local = localKeys(join(settled.dataDir, 'secret-keys'), options.files ?? systemFiles)
  return deepFreeze({ ...settled, secretKeys: local.keys, warnings: [...local.warnings, ...warnings] })
}

/**
 * Judges the environment as {@link loadConfig} does, and makes nothing.
 *
 * @returns what would be warned of
 * @throws ConfigError with all that is wrong
 */
export function checkConfig(env: Env, options: LoadOptions = {}): readonly string[] {
  return readSettings(env, options).warnings
}

function readSettings(env: Env, { cwd = process.cwd(), files = systemFiles }: LoadOptions) {
  const problems: string[] = []
  const warnings: string[] = []
  const problem = (name: string, what: string) => void problems.push(`${name} ${what}`)

  /** The value, or undefined if it is unset or wrong. */
  function read<T>(row: Setting<T>): T | undefined {
    try {
      const text = textOf(row, env, path => files.read(resolve(cwd, path))?.text)
      return text === undefined ? undefined : row.parse(text)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problem(row.name, error.message)
      return undefined
    }
  }
  /** Something that production does not make up. */
  function required<T>(row: Setting<T>): T | undefined {
    const before = problems.length
    const value = read(row)
    if (production && value === undefined && problems.length === before)
      problem(row.name, 'must be set in production')
    return value
  }

  problems.push(...unknownNames(env))
  const production = read(settings.mode) === 'production'
  const port = read(settings.port) ?? 3000
  const dataDir = resolve(cwd, read(settings.dataDir) ?? 'data')
  const issuer = required(settings.issuer) ?? `http://localhost:${port}`
  const databaseUrl = read(settings.databaseUrl)
  const keys = required(settings.secretKeys)
  const smtpUrl = required(settings.smtpUrl)
  const demoPort = read(settings.demoPort) ?? (production ? 0 : port === 3001 ? 3002 : 3001)
  const trustProxy = read(settings.trustProxy)
  const places = read(settings.places)
  const host = new URL(issuer).hostname
  const rest = {
    production,
    port,
    host: read(settings.host) ?? (production ? '::' : 'localhost'),
    issuer,
    databaseUrl:
      databaseUrl === undefined ? `sqlite:${join(dataDir, 'sallyport.sqlite')}` : absolute(databaseUrl, cwd),
    dataDir,
    smtpUrl,
    mailFrom: read(settings.mailFrom) ?? `no-reply@${isIP(bare(host)) === 0 ? host : 'localhost'}`,
    outboxDir: join(dataDir, 'outbox'),
    trustProxy,
    logLevel: read(settings.logLevel) ?? 'info',
    demoPort,
    allowPrivateNetwork: read(settings.allowPrivateNetwork) ?? !production,
    enrolmentEmailProof: read(settings.enrolmentEmailProof) ?? 'after-reset',
    acrAliases: { ...ACR_ALIASES, ...read(settings.acrAliases) },
    productName: read(settings.productName) ?? 'Sallyport',
    passkeyDomain: read(settings.passkeyDomain) ?? host,
    relatedOrigins: read(settings.relatedOrigins) ?? [],
    ssoPlans: read(settings.ssoPlans) ?? SPECIAL_PLANS,
    supportAfterMs: read(settings.supportAfter) ?? DAY_MS,
    supportWaitMs: read(settings.supportWait) ?? DAY_MS,
    placesFile: places === undefined ? undefined : resolve(cwd, places),
  } as const

  if (demoPort === port) problem('SALLYPORT_DEMO_PORT', `is the same as PORT (${port})`)
  if (production && demoPort !== 0) {
    problem('SALLYPORT_DEMO_PORT', 'must be unset or 0 in production: the demo app is for trying things out')
  }
  if (problems.length > 0) throw new ConfigError(problems)

  if (issuer.startsWith('http:')) {
    warnings.push(`SALLYPORT_ISSUER is ${issuer}: plain http, so only browsers on this machine can log in`)
  }
  if (isIP(bare(host)) !== 0) {
    warnings.push(`SALLYPORT_ISSUER is an address, not a name: browsers allow no passkeys there`)
  }
  const { passkeyDomain } = rest
  if (host !== passkeyDomain && !host.endsWith(`.${passkeyDomain}`) && isIP(bare(host)) === 0) {
    warnings.push(
      `SALLYPORT_PASSKEY_DOMAIN is ${passkeyDomain}, which the issuer is not part of: passkeys work only where https://${passkeyDomain}/.well-known/webauthn names ${issuer}`,
    )
  }
  if (issuer.startsWith('https:') && trustProxy === undefined) {
    warnings.push(
      'SALLYPORT_TRUST_PROXY is unset: the proxy that speaks https for this server is not believed, so no cookie can be set',
    )
  }
  if (smtpUrl === undefined) {
    warnings.push(`SALLYPORT_SMTP_URL is unset: mails are not sent but written to ${rest.outboxDir}`)
  }
  if (
    trustProxy !== undefined &&
    'ranges' in trustProxy &&
    trustProxy.ranges.some(each => each.endsWith('/0'))
  ) {
    warnings.push('SALLYPORT_TRUST_PROXY trusts every address: anybody can state any client address')
  }
  return { settled: rest, keys, warnings }
}

/** The text of a setting from its variable or the file that NAME_FILE names; undefined: unset. @throws Problem */
function textOf(
  row: Setting<unknown>,
  env: Env,
  read: (path: string) => string | undefined,
): string | undefined {
  const text = env[row.name]?.trim() || undefined
  const file = row.secret ? env[`${row.name}_FILE`]?.trim() || undefined : undefined
  if (file === undefined) return text
  if (text !== undefined) throw new Problem(`and ${row.name}_FILE are both set: keep one`)
  let content: string | undefined
  try {
    content = read(file)
  } catch (error) {
    throw new Problem(`cannot be read from ${file} (${row.name}_FILE): ${codeOf(error)}`)
  }
  if (content === undefined)
    throw new Problem(`cannot be read from ${file} (${row.name}_FILE): there is no such file`)
  if (content.trim() === '')
    throw new Problem(`cannot be read from ${file} (${row.name}_FILE): the file is empty`)
  return content.trim()
}

function unknownNames(env: Env): string[] {
  const known = table.flatMap(row => (row.secret ? [row.name, `${row.name}_FILE`] : [row.name]))
  return Object.keys(env)
    .filter(name => name.startsWith(PREFIX) && !known.includes(name))
    .sort()
    .map(name => `${name} is no setting${didYouMean(name, known)}`)
}

/** Keys for one machine, made at the first start. @throws ConfigError if the file is there and holds no keys */
function localKeys(path: string, files: Files): { keys: Config['secretKeys']; warnings: string[] } {
  try {
    const warnings: string[] = []
    let held = files.read(path)
    if (held === undefined) {
      files.create(path, `${randomBytes(32).toString('hex')}\n`)
      // Another process may have been first: its keys are the ones.
      held = files.read(path)
      warnings.push(`SALLYPORT_SECRET_KEYS is unset: keys were generated into ${path}`)
    } else {
      warnings.push(`SALLYPORT_SECRET_KEYS is unset: the generated keys of ${path} are used`)
    }
    const keys = keyList(held?.text.trim() ?? '')
    if (((held?.mode ?? 0) & 0o077) !== 0)
      warnings.push(`${path} can be read by others: its mode should be 600`)
    return { keys, warnings }
  } catch (error) {
    const why = error instanceof Problem ? error.message : `cannot be used: ${codeOf(error)}`
    throw new ConfigError([`SALLYPORT_SECRET_KEYS is unset, and ${path} ${why}`])
  }
}

/** Why the system refused a file, such as EACCES; it says nothing of what is in it. */
function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? error)
}

const systemFiles: Files = {
  read(path) {
    try {
      return { text: readFileSync(path, 'utf8'), mode: statSync(path).mode }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  },
  create(path, text) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const owned = { mode: 0o600, flag: 'wx' } as const
    const draft = `${path}.${randomBytes(6).toString('hex')}`
    try {
      writeFileSync(draft, text, owned)
      // A link is made whole or not at all, and never over a file that is there; some file systems have none.
      try {
        linkSync(draft, path)
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return
        writeFileSync(path, text, owned)
      }
    } finally {
      rmSync(draft, { force: true })
    }
  },
}

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

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const each of Object.values(value)) deepFreeze(each)
  return Object.freeze(value)
}
