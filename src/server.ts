// The server ready to run: configuration → database → provider → preflight → listen → graceful end. Everything that
// can be wrong is said before the port is open.

import { realpathSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import { startBackground } from './background.ts'
import { type Config, loadConfig } from './config/config.ts'
import { ConfigError } from './config/problems.ts'
import { createLog, type Log } from './log.ts'
import { firstRunLink } from './organisations/first-run.ts'
import { configuredPlaces } from './places.ts'
import { PROGRAM } from './program.ts'
import { buildProvider, type Sallyport } from './provider.ts'
import type { DomainResolver } from './sso/domains.ts'
import { type Database, openDatabase } from './store/database.ts'
import { SealBroken } from './store/seal.ts'

/** Requests in flight get this long to finish. */
const DRAIN_MS = 3_000

export interface Running extends Sallyport {
  readonly config: Config
  /** The link that makes the first organisation, while there is none. */
  readonly firstRun: string | undefined
  /** Takes no more requests, finishes those in flight and the jobs in hand, and closes the database. */
  close(): Promise<void>
}

/** What stops a start: one line that says what to do. */
export class StartRefused extends Error {}

/**
 * Starts the server.
 *
 * @param clock milliseconds since 1970; tests move it
 * @param resolver DNS; default: the machine's own
 * @param extend puts further pages behind ours, before the first request
 * @throws StartRefused, ConfigError
 */
export async function startServer(
  config: Config,
  {
    log = createLog(config.logLevel),
    clock = Date.now,
    resolver,
    extend,
  }: {
    log?: Log
    clock?: () => number
    resolver?: DomainResolver | undefined
    extend?: ((sallyport: Sallyport) => void) | undefined
  } = {},
): Promise<Running> {
  for (const warning of config.warnings) log.warn(warning)
  const places = configuredPlaces(config)
  const database = await openDatabase(config.databaseUrl)
  try {
    await bringSchemaUpToDate(config, database, log)
    const sallyport = await buildProvider(config, places, database, log, clock, resolver)
    const { services, tellApp } = sallyport
    extend?.(sallyport)
    const server = createServer(sallyport.provider.callback())
    await listen(server, config)
    log.info({ issuer: config.issuer, port: config.port, host: config.host }, 'listening')
    const background = startBackground(services, tellApp)
    return {
      ...sallyport,
      config,
      firstRun: await firstRunLink(services),
      async close() {
        await drain(server)
        await background.stop()
        await database.close()
        log.info('stopped')
      },
    }
  } catch (error) {
    await database.close()
    throw error instanceof SealBroken ? new StartRefused(error.message, { cause: error }) : error
  }
}

async function bringSchemaUpToDate(config: Config, database: Database, log: Log): Promise<void> {
  const { pending, unknown } = await database.migrations()
  if (unknown.length > 0) {
    throw new StartRefused(
      `the database is of a newer version: it has ${unknown.join(', ')}. Start that version.`,
    )
  }
  if (pending.length === 0) return
  if (config.production) {
    throw new StartRefused(`the database lacks ${pending.join(', ')}. Run: ${PROGRAM} migrate`)
  }
  log.info({ migrations: await database.migrate() }, 'database migrated')
}

function listen(server: Server, { port, host }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE' ? new StartRefused(`port ${port} is taken: set PORT to another`) : error,
      ),
    )
    server.listen(port, host, resolve)
  })
}

function drain(server: Server): Promise<void> {
  return new Promise(resolve => {
    const late = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
    server.close(() => {
      clearTimeout(late)
      resolve()
    })
    server.closeIdleConnections()
  })
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/**
 * Runs until the process is told to end (SIGINT, SIGTERM), for a command line.
 *
 * @param start starts what is to run; its `close` ends it
 * @returns the exit code, when all is closed
 */
export async function runUntilStopped(start: () => Promise<{ close(): Promise<void> }>): Promise<number> {
  // Told to end while it starts, it ends when it has started: half of a start is nothing to close.
  const { promise: told, resolve: end } = Promise.withResolvers<unknown>()
  for (const signal of SIGNALS) process.once(signal, end)
  try {
    const running = await start()
    await told
    await running.close()
    return 0
  } catch (error) {
    if (error instanceof ConfigError) process.stderr.write(`${error.problems.join('\n')}\n`)
    else if (error instanceof StartRefused) process.stderr.write(`${error.message}\n`)
    else throw error
    return 2
  } finally {
    for (const signal of SIGNALS) process.off(signal, end)
  }
}

/** Says where to make the first organisation. Not through the logger: the link is a secret. */
export function announceFirstRun({ firstRun }: Running): void {
  if (firstRun === undefined) return
  process.stderr.write(
    `\nThere is no organisation yet. Open this link within an hour to create it:\n\n  ${firstRun}\n\n`,
  )
}

/** The server alone, as the environment configures it. @returns the exit code */
export function serve(): Promise<number> {
  return runUntilStopped(async () => {
    const running = await startServer(loadConfig(process.env))
    announceFirstRun(running)
    return running
  })
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await serve()
}
