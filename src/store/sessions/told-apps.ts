// Which apps know that a reset has ended their sessions: by the jobs that tell them (logout-jobs.ts), so that an admin
// sees what a reset did, and which app was still asleep. Leaves out the telling.

import type { Database } from '../database.ts'
import { sql } from '../statement.ts'
import { BACKCHANNEL_LOGOUT, NOBODY_TO_TELL } from './logout-jobs.ts'

/** An app whose session was ended, and whether it knows. Jobs are forgotten some days after they are settled. */
export interface ToldApp {
  /** The app's name. */
  readonly app: string
  readonly state: 'told' | 'waiting' | 'failed' | 'nobody'
}

// A reset ends a user's sessions and settles their row in one commit, at one time.
const ofReset = sql(
  'reset_told_apps',
  `SELECT u.position, j.client_id, c.metadata, j.last_error,
     CASE WHEN j.done_at IS NOT NULL THEN 'told' WHEN j.failed_at IS NOT NULL THEN 'failed' ELSE 'waiting' END AS state
   FROM second_factor_reset_users u
   JOIN jobs j ON j.account_id = u.account_id AND j.created_at = u.settled_at AND j.kind = '${BACKCHANNEL_LOGOUT}'
   LEFT JOIN clients c ON c.id = j.client_id
   WHERE u.reset_id = ? AND u.position > ? AND u.position <= ? ORDER BY u.position, j.client_id`,
)

/**
 * The apps that users of a reset were logged out of.
 *
 * @param after positions in the reset: from behind this one
 * @param to up to this one
 * @returns by position
 */
export async function readToldApps(
  database: Database,
  resetId: string,
  after: number,
  to: number,
): Promise<ReadonlyMap<number, readonly ToldApp[]>> {
  const told = new Map<number, ToldApp[]>()
  for (const row of await database.read(ofReset, [resetId, after, to])) {
    const { client_name: name } = JSON.parse(String(row.metadata ?? '{}')) as { client_name?: string }
    const app = {
      app: name ?? String(row.client_id),
      state: row.last_error === NOBODY_TO_TELL ? 'nobody' : (row.state as 'told'),
    } as const
    told.set(Number(row.position), [...(told.get(Number(row.position)) ?? []), app])
  }
  return told
}
