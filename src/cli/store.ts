// The store as a command needs it: opened, migrated, its keys the right ones, and closed again whatever happens.

import { existsSync } from 'node:fs'
import { type Config, loadConfig } from '../config/config.ts'
import { AppError } from '../errors.ts'
import type { Directory } from '../organisations/directory.ts'
import { PROGRAM } from '../program.ts'
import { type Database, openDatabase, sql } from '../store/database.ts'
import { signingKeys } from '../store/oidc/signing-keys.ts'
import { createKeyring, type Keyring } from '../store/seal.ts'
import { checkSecretKeys } from '../store/secret-keys.ts'
import { type Io, locationOf, UsageError } from './command.ts'

/** @throws ConfigError; UsageError for a database that is not migrated; SealBroken for the wrong secret keys */
export async function withDirectory<T>(
  io: Io,
  work: (directory: Directory, config: Config) => Promise<T>,
): Promise<T> {
  const config = loadConfig(io.env, locationOf(io))
  const fault = missingFile(config)
  if (fault !== undefined) throw new UsageError(fault)
  return withDatabase(config, async database => {
    const schema = schemaFault(await database.migrations())
    if (schema !== undefined) throw new UsageError(schema)
    const keyring = createKeyring(config.secretKeys)
    await checkKeys(database, keyring)
    const { productName } = config
    return work({ database, keyring, clock: Date.now, actor: 'operator', productName }, config)
  })
}

/** @throws AppError `unavailable` if the database cannot be opened or does not answer */
export async function withDatabase<T>(
  { databaseUrl }: Config,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const unreachable = (cause: unknown): AppError =>
    new AppError('unavailable', 'the database of DATABASE_URL cannot be used', { cause })
  const database = await openDatabase(databaseUrl).catch(cause => {
    throw unreachable(cause)
  })
  try {
    // Asks it something: a connection is only made when it is needed.
    await database.migrations().catch(cause => {
      throw unreachable(cause)
    })
    return await work(database)
  } finally {
    await database.close()
  }
}

/** Opening would create an SQLite file: only `migrate` should. */
export function missingFile({ databaseUrl }: Config): string | undefined {
  const path = /^sqlite:(.+)$/.exec(databaseUrl)?.[1]
  return path === undefined || existsSync(path)
    ? undefined
    : `there is no database at ${path} yet: run ${PROGRAM} migrate`
}

/** What is wrong with the schema, in one line; undefined: it is this version's. */
export function schemaFault({
  pending,
  unknown,
}: {
  pending: string[]
  unknown: string[]
}): string | undefined {
  if (unknown.length > 0) {
    return `the database is of a newer version (it has ${unknown.join(', ')}): use that version of Sallyport`
  }
  return pending.length > 0
    ? `the database is not migrated (${pending.join(', ')}): run ${PROGRAM} migrate`
    : undefined
}

const anyKey = sql('signing_key_any', 'SELECT kid FROM signing_keys LIMIT 1')

/**
 * Whether the configured secret keys are the ones that the database was sealed with. Writes nothing.
 *
 * @returns false while nothing is sealed
 * @throws SealBroken
 */
export async function checkKeys(database: Database, keyring: Keyring): Promise<boolean> {
  if ((await database.read(anyKey, [])).length === 0) return false
  await checkSecretKeys(database, keyring)
  await signingKeys(database, keyring, Date.now())
  return true
}
