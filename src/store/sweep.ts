// Expired rows go, in batches, so that no table grows with use and no writer waits long for the sweeping.

import type { Database, Statement } from './database.ts'
import { sql, write } from './statement.ts'

const SWEEP_ROWS = 500
const sweeps: readonly Statement[] = [
  sql(
    'sweep_artefacts',
    `DELETE FROM oidc_artefacts WHERE (model, id) IN
       (SELECT model, id FROM oidc_artefacts WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
  ),
  sql(
    'sweep_session_facts',
    `DELETE FROM session_facts WHERE session_uid IN
       (SELECT uid FROM oidc_sessions WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
  ),
  sql(
    'sweep_sessions',
    `DELETE FROM oidc_sessions WHERE uid IN
       (SELECT uid FROM oidc_sessions WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
  ),
  sql(
    'sweep_spent',
    `DELETE FROM spent WHERE (kind, id) IN
       (SELECT kind, id FROM spent WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
  ),
  sql(
    'sweep_emailed_tokens',
    `DELETE FROM emailed_tokens WHERE id IN
       (SELECT id FROM emailed_tokens WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
  ),
  sql(
    'sweep_attempts',
    `DELETE FROM attempts WHERE (budget, account, source) IN
       (SELECT budget, account, source FROM attempts WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
  ),
]

/** Rows are kept this long after they expired, for clocks that differ. */
const SWEEP_AFTER_MS = 5 * 60 * 1000

/**
 * Deletes expired rows, in batches so that no writer waits long.
 *
 * @returns how many rows went
 */
export async function sweep(database: Database, now: number): Promise<number> {
  let gone = 0
  for (const statement of sweeps) {
    for (;;) {
      const [rows = []] = await database.commit([write(statement, [now - SWEEP_AFTER_MS])])
      gone += rows.length
      if (rows.length < SWEEP_ROWS) break
    }
  }
  return gone
}
