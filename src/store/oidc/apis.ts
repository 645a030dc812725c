// APIs that tokens are for (RFC 8707), and which apps may have tokens for them. Few, and read by every request that
// names one: all are read at once and kept for a few seconds.

import { keepBriefly } from '../brief-cache.ts'
import type { Database, Row, Write } from '../database.ts'
import { sql, write } from '../statement.ts'
import { CACHE_MS } from './clients.ts'

export interface Api {
  /** The resource indicator: an absolute URI, and the audience of the tokens. */
  readonly resource: string
  readonly name: string | undefined
  readonly scopes: readonly string[]
  /** Its tokens say nothing by themselves: it asks for what they are worth. */
  readonly opaque: boolean
  /** The client that it asks by. */
  readonly introspectedBy: string | undefined
  /** Apps that may have tokens for it; empty: every registered one. */
  readonly clients: readonly string[]
}

const all = sql(
  'api_list',
  `SELECT a.resource, a.name, a.scopes, a.opaque, a.introspected_by, c.client_id
   FROM apis a LEFT JOIN api_clients c ON c.resource = a.resource ORDER BY a.created_at, a.resource, c.client_id`,
)
const insert = sql(
  'api_insert',
  `INSERT INTO apis (resource, name, scopes, opaque, introspected_by, created_at) VALUES (?, ?, ?, ?, ?, ?)
   ON CONFLICT (resource) DO NOTHING`,
)
const insertClient = sql('api_client_insert', 'INSERT INTO api_clients (resource, client_id) VALUES (?, ?)')

export interface Apis {
  list(): Promise<readonly Api[]>
  find(resource: string): Promise<Api | undefined>
  /** Those that an app may have tokens for. */
  usableBy(clientId: string): Promise<readonly Api[]>
  /** Refused as `already_exists` if the resource is taken. */
  insert(api: Api, now: number): Write[]
}

export function createApis(database: Database, clock: () => number): Apis {
  const read = keepBriefly(CACHE_MS, clock, async () => apisOf(await database.read(all, [])))
  const list = () => read('all')
  return {
    list,
    find: async resource => (await list()).find(each => each.resource === resource),
    usableBy: async clientId => (await list()).filter(each => mayUse(each, clientId)),
    insert: (api, now) => [
      write(
        insert,
        [
          api.resource,
          api.name ?? null,
          api.scopes.join(' '),
          api.opaque ? 1 : 0,
          api.introspectedBy ?? null,
          now,
        ],
        'already_exists',
      ),
      ...api.clients.map(client => write(insertClient, [api.resource, client])),
    ],
  }
}

/** Whether an app may have tokens for an API. The client that an API introspects by is no app. */
export function mayUse(api: Api, clientId: string): boolean {
  return api.introspectedBy !== clientId && (api.clients.length === 0 || api.clients.includes(clientId))
}

function apisOf(rows: readonly Row[]): Api[] {
  const found = new Map<string, Api & { readonly clients: string[] }>()
  for (const row of rows) {
    const resource = String(row.resource)
    const api = found.get(resource) ?? {
      resource,
      name: row.name === null ? undefined : String(row.name),
      scopes: String(row.scopes).split(' ').filter(Boolean),
      opaque: row.opaque === 1,
      introspectedBy: row.introspected_by === null ? undefined : String(row.introspected_by),
      clients: [],
    }
    if (row.client_id !== null) api.clients.push(String(row.client_id))
    found.set(resource, api)
  }
  return [...found.values()]
}
