// The package `sallyport`: the plugin for an oidc-provider deployment, and the whole provider for a program of one's
// own.

import { type Config, loadConfig } from './config.ts'
import { createLog, type Log } from './log.ts'
import { buildProvider, type Sallyport } from './provider.ts'
import { openDatabase } from './store/database.ts'

export type { HostAccounts, HostUser } from './accounts.ts'
export { type Config, ConfigError, loadConfig } from './config.ts'
export { AppError, ERRORS, type ErrorCode } from './errors.ts'
export { ACR, type Level } from './flow/assurance.ts'
export { type Mounted, type SecondFactor, type SecondFactorOptions, secondFactor } from './plugin.ts'
export type { Sallyport } from './provider.ts'

/**
 * A complete provider on its database, which is migrated. It listens nowhere: take `provider.callback()`.
 *
 * @param config from {@link loadConfig}
 * @throws SealBroken if the secret keys are not those that the database was sealed with
 *
 * @example
 * ```js
 * import { createServer } from 'node:http'
 * import { createProvider, loadConfig } from 'sallyport'
 *
 * const { provider } = await createProvider(loadConfig(process.env))
 * createServer(provider.callback()).listen(3000)
 * ```
 */
export async function createProvider(
  config: Config = loadConfig(process.env),
  log: Log = createLog(config.logLevel),
): Promise<Sallyport> {
  const database = await openDatabase(config.databaseUrl)
  await database.migrate()
  return buildProvider(config, database, log)
}
