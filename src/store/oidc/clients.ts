// Relying parties, as registered OpenID client metadata. Read by every request and changed by hand, so each process
// keeps them for a few seconds; a change reaches every replica within CACHE_MS.

import type { ProtectedAction } from '../../actions/registry.ts'
import type { Database, Write } from '../database.ts'
import type { Keyring } from '../seal.ts'
import { sql, write } from '../statement.ts'

export const CACHE_MS = 10_000
const MOST_CACHED = 1000

/** OpenID Connect Dynamic Client Registration metadata, plus what is ours. */
export type ClientMetadata = Record<string, unknown> & {
  client_id: string
  client_secret?: string
}

export interface StoredClient {
  readonly metadata: ClientMetadata
  /** Ours: no consent page. */
  readonly firstParty: boolean
  /** Ours: what its users may be asked to confirm. */
  readonly actions?: readonly ProtectedAction[]
}

const byId = sql(
  'client_by_id',
  'SELECT id, metadata, secret, first_party, actions FROM clients WHERE id = ?',
)
const all = sql(
  'client_list',
  'SELECT id, metadata, secret, first_party, actions FROM clients ORDER BY created_at, id',
)
// Without their secrets: nobody needs those to know what is confirmed.
const withActions = sql(
  'client_list_with_actions',
  `SELECT id, metadata, NULL AS secret, first_party, actions FROM clients WHERE actions IS NOT NULL
   ORDER BY created_at, id`,
)
const insert = sql(
  'client_insert',
  `INSERT INTO clients (id, metadata, secret, first_party, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)
   ON CONFLICT (id) DO NOTHING`,
)
const update = sql(
  'client_update',
  'UPDATE clients SET metadata = ?, secret = ?, first_party = ?, updated_at = ? WHERE id = ?',
)

const updateActions = sql(
  'client_update_actions',
  'UPDATE clients SET metadata = ?, actions = ?, updated_at = ? WHERE id = ?',
)

export interface Clients {
  find(id: string): Promise<StoredClient | undefined>
  list(): Promise<StoredClient[]>
  /** Those whose users have something to confirm, without their secrets. */
  withActions(): Promise<StoredClient[]>
  /** Refused as `already_exists` if the id is taken. */
  insert(client: StoredClient, now: number): Write
  /** Refused as `not_allowed` if there is no such client. */
  update(client: StoredClient, now: number): Write
  /** Stores the client's actions, and its metadata with them. Refused as `not_allowed` if there is no such client. */
  setActions(client: StoredClient, actions: readonly ProtectedAction[], now: number): Write
}

export function createClients(database: Database, keyring: Keyring, clock: () => number): Clients {
  const cache = new Map<string, { until: number; found: Promise<StoredClient | undefined> }>()

  const read = (row: Record<string, unknown>): StoredClient => {
    const id = String(row.id)
    const metadata = JSON.parse(String(row.metadata)) as ClientMetadata
    if (row.secret !== null) {
      metadata.client_secret = keyring.open(String(row.secret), ['clients', 'secret', id]).toString()
    }
    return {
      metadata,
      firstParty: row.first_party === 1,
      ...(row.actions === null ? {} : { actions: JSON.parse(String(row.actions)) as ProtectedAction[] }),
    }
  }
  const columns = ({ metadata, firstParty }: StoredClient) => {
    const { client_secret: secret, ...rest } = metadata
    const sealed =
      secret === undefined ? null : keyring.seal(secret, ['clients', 'secret', metadata.client_id])
    return [JSON.stringify(rest), sealed, firstParty ? 1 : 0] as const
  }

  return {
    find(id) {
      const now = clock()
      const held = cache.get(id)
      if (held !== undefined && held.until > now) return held.found
      if (cache.size >= MOST_CACHED) cache.clear()
      const found = database.read(byId, [id]).then(rows => rows.map(read)[0])
      cache.set(id, { until: now + CACHE_MS, found })
      found.then(client => client ?? cache.delete(id)).catch(() => cache.delete(id))
      return found
    },
    list: async () => (await database.read(all, [])).map(read),
    withActions: async () =>
      (await database.read(withActions, [])).map(read).filter(each => each.actions?.length),
    insert: (client, now) =>
      write(insert, [client.metadata.client_id, ...columns(client), now, now], 'already_exists'),
    update: (client, now) =>
      write(update, [...columns(client), now, client.metadata.client_id], 'not_allowed'),
    setActions: (client, actions, now) =>
      write(
        updateActions,
        [columns(client)[0], JSON.stringify(actions), now, client.metadata.client_id],
        'not_allowed',
      ),
  }
}
