// Where people come from: Sallyport's own accounts, or those of the host that the plugin runs in. Either way each has
// a row of ours, which everything else (factors, facts, epoch, audit) hangs on.

import { hashPassword, verifyPassword } from './factors/password.ts'
import {
  type Account,
  insertHostAccount,
  insertHostOrganisation,
  readAccount,
  readAccountByEmail,
} from './store/accounts/accounts.ts'
import type { Database } from './store/database.ts'
import { isReserved } from './store/organisations/actor.ts'
import { inOpenUnit, unit } from './store/unit-of-work.ts'

export interface AccountSource {
  /** Whose passwords are: ours, or the host's, whose page sets a forgotten one. */
  readonly passwords: 'own' | { readonly forgotUrl: string | undefined }
  /** Whose names and addresses are: a host's are as the host says, from login to login. */
  readonly profiles: 'own' | 'host'
  find(id: string): Promise<Account | undefined>
  findByEmail(email: string): Promise<Account | undefined>
  /**
   * Takes the same time whether or not there is an account.
   *
   * @returns a fresh hash if the stored one is of old parameters
   */
  verifyPassword(account: Account | undefined, password: string): Promise<{ ok: boolean; rehashed?: string }>
}

/** Sallyport's own accounts. */
export function ownAccounts(database: Database): AccountSource {
  return {
    passwords: 'own',
    profiles: 'own',
    find: id => findOnce(database, id),
    findByEmail: email => readAccountByEmail(database, email),
    async verifyPassword(account, password) {
      const stored = account?.status === 'active' ? (account.passwordHash ?? undefined) : undefined
      const { ok, rehash } = await verifyPassword(stored, password)
      return ok && rehash ? { ok, rehashed: await hashPassword(password) } : { ok }
    },
  }
}

/** A user of the host. */
export interface HostUser {
  /** The subject that the host's tokens carry; at most 64 characters, not `operator`, and not beginning with `client `. */
  readonly id: string
  readonly email: string
  readonly name?: string
  /** Two-factor authentication is due a day after its subscription began; without one, at once. */
  readonly organisation?: { readonly id: string; readonly name: string; readonly subscribedAt: Date | null }
  /** Default: yes. */
  readonly mailboxProven?: boolean
}

/** The host's accounts, as the plugin asks for them. */
export interface HostAccounts {
  /** @returns undefined for an address that nobody has, or whose user may not log in */
  findByEmail(email: string): Promise<HostUser | undefined>
  /**
   * Checks a password. Takes the same time for an undefined user. Without it, passwords are Sallyport's own, set by
   * the link of "Forgot password?".
   */
  verifyPassword?(user: { readonly id: string } | undefined, password: string): Promise<boolean>
  /** Claims of the user, by OpenID's names, for a configuration without a `findAccount` of its own. */
  claims(id: string): Promise<Record<string, unknown>>
}

/** Two-factor authentication was due long ago. */
const LONG_AGO = 0

/** The host's accounts, each with a row of ours that follows what the host says. */
export function hostAccounts(
  host: HostAccounts,
  database: Database,
  clock: () => number,
  forgotUrl?: string,
): AccountSource {
  const own = ownAccounts(database)
  return {
    passwords: host.verifyPassword === undefined ? 'own' : { forgotUrl },
    profiles: 'host',
    find: own.find,
    async findByEmail(email) {
      const user = await host.findByEmail(email)
      if (user === undefined) return undefined
      if (isReserved(user.id)) throw new Error(`no user of the host may have the id "${user.id}"`)
      const organisation = user.organisation ?? { id: 'host', name: '', subscribedAt: new Date(LONG_AGO) }
      const now = clock()
      const row = {
        id: user.id,
        organisationId: organisation.id,
        email: user.email,
        name: user.name ?? user.email,
        mailboxProvenAt: user.mailboxProven === false ? null : now,
      }
      const subscribedAt = organisation.subscribedAt?.getTime() ?? null
      const known = await readAccount(database, user.id)
      const same =
        known?.email === row.email &&
        known.name === row.name &&
        known.organisationId === row.organisationId &&
        known.subscribedAt === subscribedAt
      if (same) return known
      await database.commit([
        insertHostOrganisation({ id: organisation.id, name: organisation.name, subscribedAt }, now),
        insertHostAccount(row, now),
      ])
      return readAccount(database, user.id)
    },
    async verifyPassword(account, password) {
      if (host.verifyPassword === undefined) return own.verifyPassword(account, password)
      return { ok: await host.verifyPassword(account && { id: account.id }, password) }
    },
  }
}

/** Within a request each account is read once. */
async function findOnce(database: Database, id: string): Promise<Account | undefined> {
  if (!inOpenUnit()) return readAccount(database, id)
  const { cache } = unit()
  const key = `account:${id}`
  if (!cache.has(key)) {
    const account = await readAccount(database, id)
    // A row that came along with a session or a token meanwhile is as good.
    if (!cache.has(key)) cache.set(key, account)
  }
  return cache.get(key) as Account | undefined
}
