// PostgreSQL for `database.ts`. A commit is one statement: every write is a data-modifying CTE, so that a request's
// changes cost one round trip and one fsync, and the server's own atomicity is the transaction. A write that had to
// match and did not raises an error inside that statement, which rolls all of it back. Where commits must come one after
// another, a row is locked before: a statement sees what was stored before it began, and not what it waited for.

import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import knex, { type Knex } from 'knex'
import pg from 'pg'
import { AppError } from '../../errors.ts'
import type { Driver } from '../database.ts'
import { CommitRefused, type Param, type Refusal, type Row, returning, type Write } from '../statement.ts'
import { quiet } from './quiet.ts'

/** What we use of pg's client. */
interface Connection {
  query(config: { name?: string; text: string; values: Param[] }): Promise<{ rows: Row[] }>
}

/** Prepared statements live as long as a connection: keep the number of composed ones in bounds. */
const MOST_COMPOSED = 500
/** How often a commit is tried that other commits were in the way of, and how long it waits before the second try. */
const TRIES = 6
const FIRST_WAIT_MS = 5
const INT8 = 20
const INVALID_TEXT_REPRESENTATION = '22P02'
const LOCK = { name: 'account_lock_row', text: 'SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE' }
/** pg reads 64-bit integers as text; ours are times and counters, all below 2^53. */
const types = {
  getTypeParser: (oid: number, format?: string) =>
    oid === INT8
      ? Number
      : (pg.types.getTypeParser as (oid: number, format?: string) => unknown)(oid, format),
}

export async function openPostgres(url: string): Promise<Driver> {
  const owner: Knex = knex({
    client: 'pg',
    connection: { connectionString: url, types } as Knex.PgConnectionConfig,
    pool: { min: 0, max: 10 },
    log: quiet,
    acquireConnectionTimeout: 5_000,
  })
  const texts = new Map<string, string>()
  const composed = new Map<string, { name?: string; text: string }>()

  async function withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    let connection: Connection
    try {
      connection = (await owner.client.acquireConnection()) as Connection
    } catch (error) {
      throw new AppError('unavailable', 'PostgreSQL gives no connection', { cause: error })
    }
    try {
      return await work(connection)
    } finally {
      await owner.client.releaseConnection(connection)
    }
  }

  async function run(
    query: { name?: string; text: string },
    params: readonly Param[],
    locked: readonly string[] = [],
  ): Promise<Row[]> {
    const values = [...params]
    try {
      const { rows } = await withConnection(each =>
        locked.length === 0
          ? each.query({ ...query, values })
          : afterLocks(each, locked, { ...query, values }),
      )
      return rows
    } catch (error) {
      throw isConnectionFailure(error)
        ? new AppError('unavailable', 'PostgreSQL went away', { cause: error })
        : error
    }
  }

  return {
    read(statement, params) {
      let text = texts.get(statement.name)
      if (text === undefined) {
        text = numbered(statement.text, 0)
        texts.set(statement.name, text)
      }
      return run({ name: statement.name, text }, params)
    },
    async commit(writes) {
      await runCommit(writes, false)
    },
    async commitTelling(writes) {
      const row = await runCommit(writes, true)
      return writes.map((_, index) => (row?.[`r${index}`] ?? []) as unknown as Row[])
    },
    close: () => owner.destroy(),
  }

  async function runCommit(writes: readonly Write[], telling: boolean): Promise<Row | undefined> {
    const names = writes.map(each => `${each.statement.name}${each.refusal ? '!' : ''}`)
    const key = `${names.join('+')}${telling ? '?' : ''}`
    let query = composed.get(key)
    if (query === undefined) {
      query = { text: compose(writes, telling) }
      if (composed.size < MOST_COMPOSED) {
        query.name = `commit_${createHash('sha256').update(key).digest('hex').slice(0, 40)}`
        composed.set(key, query)
      }
    }
    const params = writes.flatMap(each => [...each.params])
    const locked = [...new Set(writes.flatMap(each => each.alone ?? []))].sort()
    for (let tries = 1; ; tries++) {
      try {
        const [row] = await run(query, params, locked)
        return row
      } catch (error) {
        const refusal = refusalOf(error, writes)
        if (refusal !== undefined) throw new CommitRefused(refusal)
        if (tries === TRIES || !wasInTheWay(error)) throw error
        // A random wait, so that those who met once do not meet again.
        await sleep(Math.random() * FIRST_WAIT_MS * 2 ** tries)
      }
    }
  }
}

async function afterLocks(
  connection: Connection,
  accountIds: readonly string[],
  query: Parameters<Connection['query']>[0],
): Promise<{ rows: Row[] }> {
  await connection.query({ text: 'BEGIN ISOLATION LEVEL READ COMMITTED', values: [] })
  try {
    for (const id of accountIds) await connection.query({ ...LOCK, values: [id] })
    const answer = await connection.query(query)
    await connection.query({ text: 'COMMIT', values: [] })
    return answer
  } catch (error) {
    // Where the connection is gone, so is what was done by it.
    await connection.query({ text: 'ROLLBACK', values: [] }).catch(() => undefined)
    throw error
  }
}

function numbered(text: string, from: number): string {
  let index = from
  return text.replaceAll('?', () => `$${++index}`)
}

/** `WITH w0 AS (…), w1 AS (…) SELECT …`; a refused write becomes a cast of its marker to a number, which fails. */
function compose(writes: readonly Write[], telling: boolean): string {
  let used = 0
  const parts: string[] = []
  const columns: string[] = []
  writes.forEach((each, index) => {
    parts.push(`w${index} AS (${numbered(returning(each.statement.text), used)})`)
    used += each.params.length
    if (telling) columns.push(`(SELECT json_agg(w${index}) FROM w${index}) AS r${index}`)
    if (each.refusal !== undefined) {
      const count = `(SELECT count(*) FROM w${index})`
      columns.push(`CASE WHEN ${count} = 0 THEN ('refused:${index}:' || ${count})::int END AS c${index}`)
    }
  })
  return `WITH ${parts.join(', ')} SELECT ${columns.join(', ') || '1'}`
}

function refusalOf(error: unknown, writes: readonly Write[]): Refusal | undefined {
  // Of all errors, only that of the cast: other messages may quote what was to be stored.
  if (codeOf(error) !== INVALID_TEXT_REPRESENTATION) return undefined
  const index = /"refused:(\d+):0"/.exec(error instanceof Error ? error.message : '')?.[1]
  return index === undefined ? undefined : writes[Number(index)]?.refusal
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? '')
}

/**
 * Whether another commit was in the way, so that this one, of which nothing was stored, is worth another try:
 * serialisation failures, deadlocks, and unique violations. ON CONFLICT waits for its own index only; where somebody
 * writes the same row at the same moment, another unique index of it may be met first. The second try finds the row.
 */
function wasInTheWay(error: unknown): boolean {
  return ['40001', '40P01', '23505'].includes(codeOf(error))
}

function isConnectionFailure(error: unknown): boolean {
  const code = codeOf(error)
  return (
    /^(08|57P|53)/.test(code) ||
    ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'].includes(code) ||
    (error instanceof Error && /^Connection terminated/.test(error.message))
  )
}
