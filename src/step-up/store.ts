// What must be remembered: which proofs are spent, and what is under way. Spending is one conditional insert, so that of
// fifty requests with one proof, on any number of processes, one gets through. A store that does not answer lets nobody
// through.

/** Remembers spent proofs. Bring your own by these few lines, or take one of the two here. */
export interface SpentStore {
  /**
   * Spends a key, atomically.
   *
   * @param key at most 64 characters of ASCII
   * @param expiresAt milliseconds since 1970; afterwards the key may be forgotten
   * @returns true for the first call with this key, false for every other
   * @throws whatever kept it from knowing: the request is then answered 503
   */
  spend(key: string, expiresAt: number): Promise<boolean>
}

/** Keeps what an app is waiting for while its user is at the provider. */
export interface PendingStore {
  keep(key: string, value: string, expiresAt: number): Promise<void>
  /** Hands out a kept value once, atomically. @returns undefined for the second call, and after `expiresAt` */
  take(key: string): Promise<string | undefined>
}

export interface Store extends SpentStore, PendingStore {}

/**
 * A store in memory, for tests and for an API that runs as **one process only**: a second one would let the same proof
 * through again, and so does a restart within the proof's five minutes.
 */
export function memoryStore(clock: () => number = Date.now): Store {
  const held = new Map<string, { value: string; expiresAt: number }>()
  let sweepAt = 1_000
  function put(key: string, value: string, expiresAt: number): boolean {
    if (held.has(key)) return false
    held.set(key, { value, expiresAt })
    if (held.size >= sweepAt) {
      for (const [each, { expiresAt }] of held) if (expiresAt < clock()) held.delete(each)
      sweepAt = Math.max(1_000, held.size * 2)
    }
    return true
  }
  return {
    spend: async (key, expiresAt) => put(key, '', expiresAt),
    async keep(key, value, expiresAt) {
      if (!put(key, value, expiresAt)) throw new Error('this key is kept already')
    },
    async take(key) {
      const found = held.get(key)
      held.delete(key)
      return found !== undefined && found.expiresAt >= clock() ? found.value : undefined
    },
  }
}

/**
 * Runs one statement. @returns its rows, an empty list where there are none
 */
export type Query = (statement: string, parameters: (string | number)[]) => Promise<readonly unknown[]>

export interface SqlStoreOptions {
  /** `?` for SQLite, `$1` for PostgreSQL. */
  readonly placeholders: '?' | '$1'
  /** Default `step_up`. */
  readonly table?: string
  readonly clock?: () => number
}

const SWEEP_EVERY = 60_000

/** The table that {@link sqlStore} works on, for your migrations. SQLite and PostgreSQL. */
export function sqlStoreTable(table = 'step_up'): string {
  return `CREATE TABLE ${named(table)} (
  spend_key varchar(64) PRIMARY KEY,
  kept text NOT NULL,
  expires_at bigint NOT NULL
)`
}

/**
 * A store in an SQL database that all processes share. Make its table first: {@link sqlStoreTable}. Expired rows are
 * deleted as it goes, at most once a minute.
 *
 * @param query runs a statement on SQLite 3.35 or later, or PostgreSQL, in a transaction of its own
 */
export function sqlStore(query: Query, options: SqlStoreOptions): Store {
  const { placeholders, clock = Date.now } = options
  const table = named(options.table ?? 'step_up')
  const mark = (index: number) => (placeholders === '?' ? '?' : `$${index}`)
  const insert = `INSERT INTO ${table} (spend_key, kept, expires_at) VALUES (${mark(1)}, ${mark(2)}, ${mark(3)}) ON CONFLICT DO NOTHING RETURNING spend_key`
  const remove = `DELETE FROM ${table} WHERE spend_key = ${mark(1)} RETURNING kept, expires_at`
  const sweep = `DELETE FROM ${table} WHERE expires_at < ${mark(1)}`
  let sweptAt = 0

  async function put(key: string, value: string, expiresAt: number): Promise<boolean> {
    const now = clock()
    if (now - sweptAt >= SWEEP_EVERY) {
      sweptAt = now
      await query(sweep, [now])
    }
    return (await query(insert, [key, value, expiresAt])).length === 1
  }
  return {
    spend: (key, expiresAt) => put(key, '', expiresAt),
    async keep(key, value, expiresAt) {
      if (!(await put(key, value, expiresAt))) throw new Error('this key is kept already')
    },
    async take(key) {
      const [row] = (await query(remove, [key])) as { kept: string; expires_at: number | string }[]
      // PostgreSQL's bigint comes as text.
      return row !== undefined && Number(row.expires_at) >= clock() ? row.kept : undefined
    },
  }
}

function named(table: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(table)) throw new TypeError('the table has a plain name')
  return table
}
