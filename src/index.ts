// The package `sallyport`: the plugin for an oidc-provider deployment, and the whole provider for a program of one's
// own.

import { startBackground } from './background.ts'
import { type Config, loadConfig } from './config/config.ts'
import { createLog, type Log } from './log.ts'
import { configuredPlaces } from './places.ts'
import { buildProvider, type Sallyport } from './provider.ts'
import { openDatabase } from './store/database.ts'

export type { HostAccounts, HostUser } from './accounts.ts'
export type { ProtectedAction } from './actions/registry.ts'
export type { Rule } from './actions/rules.ts'
export { type Config, loadConfig } from './config/config.ts'
export { ConfigError } from './config/problems.ts'
export { AppError, ERRORS, type ErrorCode } from './errors.ts'
export { ACR, type Level } from './flow/assurance.ts'
export { type Mounted, type SecondFactor, type SecondFactorOptions, secondFactor } from './plugin.ts'
export type { Sallyport } from './provider.ts'

/** A provider, and what runs beside its requests. */
export interface RunningProvider extends Sallyport {
  /** Finishes the jobs in hand and closes the database; after the server that takes requests was closed. */
  close(): Promise<void>
}

/**
 * A complete provider on its database, which is migrated. It sends mails, tells apps of ended sessions and sweeps what
 * has run out, until it is closed. It listens nowhere: take `provider.callback()`.
 *
 * @param config from {@link loadConfig}
 * @throws SealBroken if the secret keys are not those that the database was sealed with
 * @throws ConfigError if the file of places cannot be used
 *
 * @example
 * ```js
 * import { createServer } from 'node:http'
 * import { createProvider, loadConfig } from 'sallyport'
 *
 * const { provider, close } = await createProvider(loadConfig(process.env))
 * const server = createServer(provider.callback()).listen(3000)
 * process.once('SIGTERM', () => server.close(close))
 * ```
 */
export async function createProvider(
  config: Config = loadConfig(process.env),
  log: Log = createLog(config.logLevel),
): Promise<RunningProvider> {
  const places = configuredPlaces(config)
  const database = await openDatabase(config.databaseUrl)
  try {
    await database.migrate()
    const sallyport = await buildProvider(config, places, database, log)
    const background = startBackground(sallyport.services, sallyport.tellApp)
    return {
      ...sallyport,
      async close() {
        await background.stop()
        await database.close()
      },
    }
  } catch (error) {
    await database.close()
    throw error
  }
}
