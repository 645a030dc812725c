// Which secret keys have sealed something, by ids that don't tell the keys. What an older key sealed is never sealed
// again, so each of them must stay configured: a start without one stops here, not at some user's code. Leaves out
// letting a key go.

import { type Database, sql } from './database.ts'
import { type Keyring, SealBroken } from './seal.ts'
import { write } from './statement.ts'

const all = sql('secret_key_list', 'SELECT id, first_used_at FROM secret_keys ORDER BY first_used_at, id')
const insert = sql(
  'secret_key_insert',
  'INSERT INTO secret_keys (id, first_used_at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING',
)

/** @throws SealBroken for a key that has sealed and is not configured any more */
export async function checkSecretKeys(database: Database, keyring: Keyring): Promise<void> {
  await readUsed(database, keyring)
}

/**
 * Notes that the newest key seals from here on; in a database that knows of none yet, all that are configured, since
 * they may have sealed.
 *
 * @throws SealBroken as {@link checkSecretKeys} does
 */
export async function useSecretKeys(database: Database, keyring: Keyring, now: number): Promise<void> {
  const used = await readUsed(database, keyring)
  const configured = idsOf(keyring)
  const seals = used.length === 0 ? configured : configured.slice(0, 1)
  const fresh = seals.filter(id => !used.includes(id))
  if (fresh.length > 0) await database.commit(fresh.map(id => write(insert, [id, now])))
}

async function readUsed(database: Database, keyring: Keyring): Promise<string[]> {
  const configured = idsOf(keyring)
  const rows = await database.read(all, [])
  for (const { id, first_used_at } of rows) {
    if (configured.includes(String(id))) continue
    const since = new Date(Number(first_used_at)).toISOString().slice(0, 10)
    throw new SealBroken(`what was sealed by the key ${id}, used since ${since}`)
  }
  return rows.map(({ id }) => String(id))
}

function idsOf(keyring: Keyring): string[] {
  return keyring.keys('id').map(key => Buffer.from(key).toString('hex').slice(0, 16))
}
