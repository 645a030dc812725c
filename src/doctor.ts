// Says why an installation does not work before its users do: each check states what it saw, the cause and the cure.
// It only looks: no row is written and no mail sent. Leaves out what a check from this machine cannot see, such as
// how others reach the public address.

import { createTransport } from 'nodemailer'
import { checkKeys, missingFile, schemaFault, withDatabase } from './cli/store.ts'
import { type Config, type LoadOptions, loadConfig } from './config/config.ts'
import { ConfigError, Problem } from './config/problems.ts'
import { smtpOptions } from './config/smtp-url.ts'
import { isLoopback } from './config/values.ts'
import { describeError } from './log.ts'
import { openPlaces } from './places.ts'
import { PROGRAM } from './program.ts'
import { SEALING_LATE_MS, verifyAudit } from './store/audit/audit-verify.ts'
import { type Database, sql } from './store/database.ts'
import { countFailedJobs } from './store/jobs/jobs.ts'
import { createClients } from './store/oidc/clients.ts'
import { createKeyring, type Keyring, SealBroken } from './store/seal.ts'

export interface Check {
  readonly name: string
  readonly outcome: 'ok' | 'warning' | 'failed'
  /** What was seen and, if that is not well, why. */
  readonly cause: string
  readonly cure?: string
}

const ANSWER_MS = 5000
const SKEW_WARNING_MS = 5000
const SKEW_FAILED_MS = 30_000

/** Runs every check that can be run. Never throws for what it finds. */
export async function diagnose(env: NodeJS.ProcessEnv, options: LoadOptions = {}): Promise<Check[]> {
  const checks: Check[] = []
  let config: Config
  try {
    config = loadConfig(env, options)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(cause => failed('configuration', cause, `see ${PROGRAM} config`))
  }
  checks.push(ok('configuration', `issuer ${config.issuer}${config.production ? ', production' : ''}`))
  checks.push(...config.warnings.map(cause => warning('configuration', cause, `see ${PROGRAM} config`)))
  checks.push(...(await checkStore(config)))
  checks.push(await checkMail(config))
  checks.push(...checkPlaces(config))
  checks.push(...(await checkIssuer(config)))
  return checks
}

const ok = (name: string, cause: string): Check => ({ name, outcome: 'ok', cause })
const warning = (name: string, cause: string, cure: string): Check => ({
  name,
  outcome: 'warning',
  cause,
  cure,
})
const failed = (name: string, cause: string, cure: string): Check => ({
  name,
  outcome: 'failed',
  cause,
  cure,
})

/** What the checks say, for people. */
export function reportOf(checks: readonly Check[]): string {
  const mark = { ok: 'ok      ', warning: 'warning ', failed: 'FAILED  ' }
  const lines = checks.map(({ name, outcome, cause, cure }) => {
    return `${mark[outcome]} ${name}: ${cause}\n${cure === undefined ? '' : `         cure: ${cure}\n`}`
  })
  const count = (outcome: Check['outcome']) => checks.filter(each => each.outcome === outcome).length
  return `${lines.join('')}\n${count('failed')} failed, ${count('warning')} warnings\n`
}

async function checkStore(config: Config): Promise<Check[]> {
  const missing = missingFile(config)
  if (missing !== undefined) return [failed('database', missing, `${PROGRAM} migrate`)]
  try {
    return await withDatabase(config, async database => {
      const schema = schemaFault(await database.migrations())
      if (schema !== undefined)
        return [failed('database', schema, `${PROGRAM} migrate, or that newer version`)]
      const keyring = createKeyring(config.secretKeys)
      const checks = [ok('database', `reached (${database.dialect}), its schema is this version's`)]
      checks.push(await checkSecretKeys(database, keyring))
      checks.push(...(await checkOrganisations(database)))
      checks.push(...(await checkJobs(database)))
      checks.push(await checkAudit(database, keyring))
      // Clients' secrets are sealed: without the keys they cannot be read.
      if (checks.every(check => check.outcome !== 'failed'))
        checks.push(...(await checkClients(database, keyring)))
      return checks
    })
  } catch (error) {
    const cure = 'check that DATABASE_URL names the right server, user and database, and that it runs'
    return [failed('database', reasonOf(error), cure)]
  }
}

async function checkSecretKeys(database: Database, keyring: Keyring): Promise<Check> {
  try {
    return (await checkKeys(database, keyring))
      ? ok('secret keys', 'they open what the database holds')
      : ok('secret keys', 'nothing is sealed by them yet')
  } catch (error) {
    if (!(error instanceof SealBroken)) throw error
    const cure = 'put the key that was in use back into SALLYPORT_SECRET_KEYS, behind the new one'
    return failed('secret keys', error.message, cure)
  }
}

const MOST_NAMED = 20
const unsubscribed = sql(
  'doctor_unsubscribed',
  `SELECT id, name FROM organisations WHERE subscribed_at IS NULL ORDER BY created_at LIMIT ${MOST_NAMED + 1}`,
)

async function checkOrganisations(database: Database): Promise<Check[]> {
  const rows = await database.read(unsubscribed, [])
  const cure = `record when its subscription begins: ${PROGRAM} org subscribe`
  const named = rows.slice(0, MOST_NAMED).map(({ id, name }) => {
    const cause = `${name} (${id}) has no subscription, so its users may log in without a second factor`
    return warning('organisation', cause, `${cure} --org ${id} --at DATE; 2FA is enforced a day later`)
  })
  if (rows.length <= MOST_NAMED) return named
  return [...named, warning('organisation', 'there are more without a subscription', `${PROGRAM} org list`)]
}

async function checkJobs(database: Database): Promise<Check[]> {
  const kinds = await countFailedJobs(database)
  if (kinds.length === 0) return [ok('jobs', 'none was given up in the last days')]
  return kinds.map(({ kind, count }) =>
    warning(
      'jobs',
      `${count} of ${kind} ${count === 1 ? 'was' : 'were'} given up in the last 30 days`,
      `see why: ${PROGRAM} job list --kind ${kind} --state failed`,
    ),
  )
}

/** Enough to see that sealing works, and little enough for any size of log: each seal covers 1,000 rows at most. */
const SEALS_CHECKED = 20

async function checkAudit(database: Database, keyring: Keyring): Promise<Check> {
  const verdict = await verifyAudit(database, keyring, { newest: SEALS_CHECKED })
  const { rows, seals, unsealed, unsealedSince = Date.now() } = verdict
  const whole = `the whole of it: ${PROGRAM} audit verify`
  if (!verdict.ok) {
    const cause = `its last ${seals} seals, over ${rows} rows, do not hold: ${verdict.problemCount} problems`
    return failed('audit log', cause, `see which: ${PROGRAM} audit verify`)
  }
  if (Date.now() - unsealedSince > SEALING_LATE_MS) {
    const since = new Date(unsealedSince).toISOString()
    const cure = 'start a server; if one runs, see what its log says of the audit log'
    return warning('audit log', `${unsealed} rows are not sealed yet, the first since ${since}`, cure)
  }
  return ok(
    'audit log',
    seals === 0 ? 'nothing is sealed yet' : `its last ${rows} rows are as they were sealed (${whole})`,
  )
}

async function checkClients(database: Database, keyring: Keyring): Promise<Check[]> {
  const clients = await createClients(database, keyring, Date.now).list()
  const open = clients.flatMap(({ metadata }) => {
    const { redirect_uris: uris } = metadata
    return (Array.isArray(uris) ? uris.map(String) : [])
      .filter(uri => uri.startsWith('http:') && !isLoopback(URL.parse(uri)?.hostname ?? ''))
      .map(uri => ({ id: metadata.client_id, uri }))
  })
  if (open.length === 0)
    return [ok('clients', `${clients.length} registered, none returns users over plain http`)]
  return open.map(({ id, uri }) =>
    failed(
      'clients',
      `${id} returns users to ${uri}: whoever is on the way can take the authorization code`,
      `${PROGRAM} client update --id ${id} --redirect-uri https://…`,
    ),
  )
}

async function checkMail({ smtpUrl, production, outboxDir }: Config): Promise<Check> {
  if (smtpUrl === undefined) return ok('mail', `none is sent; mails are written to ${outboxDir}`)
  const options = smtpOptions(smtpUrl, production)
  const server = `${options.host}:${options.port ?? (options.secure ? 465 : 587)}`
  const transport = createTransport({ ...options, logger: false })
  try {
    await transport.verify()
    return ok('mail', `${server} answers and lets us in`)
  } catch (error) {
    const cure = 'check host, port, user and password in SALLYPORT_SMTP_URL, and the firewall'
    return failed('mail', `${server} does not take mail from us: ${reasonOf(error)}`, cure)
  } finally {
    transport.close()
  }
}

function checkPlaces({ placesFile }: Config): Check[] {
  if (placesFile === undefined) return []
  try {
    const { type, builtAt } = openPlaces(placesFile)
    const cause = `${placesFile} is ${type}, made on ${new Date(builtAt).toISOString().slice(0, 10)}`
    if (/city|country|enterprise/i.test(type)) return [ok('places', cause)]
    const cure = 'where no places are shown, take a file of cities or countries'
    return [warning('places', `${cause}; by its name it has neither cities nor countries`, cure)]
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const cure = 'take an .mmdb file of cities or countries, or unset SALLYPORT_PLACES'
    return [failed('places', `SALLYPORT_PLACES ${error.message}`, cure)]
  }
}

async function checkIssuer({ issuer }: Config): Promise<Check[]> {
  const url = `${issuer}/.well-known/openid-configuration`
  const started = Date.now()
  let response: Response
  let text: string
  try {
    response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(ANSWER_MS) })
    text = await response.text()
  } catch (error) {
    const cure = 'start the server; then check name service, proxy and certificate of that address'
    return [failed('issuer', `${url} is not answered: ${reasonOf(error)}`, cure)]
  }
  const checks = [identity(issuer, url, response.status, text)]
  const date = Date.parse(response.headers.get('date') ?? '')
  if (!Number.isNaN(date)) checks.push(clockCheck(date, started, Date.now()))
  return checks
}

/** Whether what answers at the issuer's address is a provider that gives the same address for itself. */
function identity(issuer: string, url: string, status: number, text: string): Check {
  let told: Record<string, unknown> = {}
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null) told = parsed as Record<string, unknown>
  } catch {
    // Some other page: said below.
  }
  if (status !== 200 || typeof told.issuer !== 'string') {
    const cure = 'point the address at this server, and have the proxy pass the Host header on'
    return failed('issuer', `${url} answers with status ${status}, and not as Sallyport does`, cure)
  }
  if (told.issuer !== issuer) {
    const cure = 'set SALLYPORT_ISSUER alike wherever this installation runs'
    return failed('issuer', `the server at ${issuer} calls itself ${told.issuer}`, cure)
  }
  const endpoint = String(told.authorization_endpoint)
  if (!endpoint.startsWith(`${issuer}/`)) {
    const cure = 'have the proxy send X-Forwarded-Proto and X-Forwarded-Host, and set SALLYPORT_TRUST_PROXY'
    return failed('issuer', `the server at ${issuer} gives addresses such as ${endpoint}`, cure)
  }
  return ok('issuer', `${issuer} is reached from here, and is this product`)
}

/** @param date what the other side's clock said, in whole seconds, between `started` and `ended` of ours */
function clockCheck(date: number, started: number, ended: number): Check {
  const skew = date + 1000 < started ? started - date - 1000 : Math.max(date - ended, 0)
  const cause = `the clock at the issuer and the one here differ by ${Math.round(skew / 1000)} s`
  const cure = 'have both set by NTP: one-time codes and tokens depend on it'
  if (skew > SKEW_FAILED_MS) return failed('clock', cause, cure)
  return skew > SKEW_WARNING_MS ? warning('clock', cause, cure) : ok('clock', cause)
}

/** An error and what caused it, in one line. */
function reasonOf(error: unknown): string {
  const { detail, code, cause = [] } = describeError(error, false)
  return [detail ?? code, ...cause].join(': ').replace(/\s+/g, ' ')
}
