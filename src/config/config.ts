// The environment becomes a frozen Config, or one ConfigError that lists every problem at once. Leaves out what the
// settings are (settings.ts), and whether what is named can be reached (doctor.ts).

import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { didYouMean } from '../did-you-mean.ts'
import { ACR_ALIASES, type Level } from '../flow/assurance.ts'
import { SPECIAL_PLANS } from '../organisations/plan.ts'
import { codeOf, type Files, systemFiles } from './files.ts'
import { localKeys } from './local-keys.ts'
import { ConfigError, Problem } from './problems.ts'
import { type EmailProof, type Env, type LogLevel, type Setting, settings, table } from './settings.ts'
import { absolute, bare } from './values.ts'

const PREFIX = 'SALLYPORT_'
export const DAY_MS = 24 * 60 * 60 * 1000

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

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const each of Object.values(value)) deepFreeze(each)
  return Object.freeze(value)
}
