// What a running Sallyport is made of. Built once at the start, by `provider.ts`, and handed to whoever needs it.

import type { Logger } from 'pino'
import type { Config } from './config.ts'
import type { Views } from './http/views.ts'
import type { Paths } from './paths.ts'
import type { Account } from './store/accounts.ts'
import type { Clients } from './store/clients.ts'
import type { Database } from './store/database.ts'
import type { Keyring } from './store/seal.ts'
import type { Texts } from './texts.ts'

export interface Services {
  readonly config: Config
  readonly database: Database
  readonly keyring: Keyring
  readonly clients: Clients
  readonly accounts: AccountSource
  readonly paths: Paths
  readonly views: Views
  readonly texts: Texts
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly clock: () => number
}

/** Where people come from: Sallyport's own accounts, or those of the host that the plugin runs in. */
export interface AccountSource {
  find(id: string): Promise<Account | undefined>
  findByEmail(email: string): Promise<Account | undefined>
  /** Takes the same time whether or not there is an account. @returns a fresh hash if the stored one is of old parameters */
  verifyPassword(account: Account | undefined, password: string): Promise<{ ok: boolean; rehashed?: string }>
}
