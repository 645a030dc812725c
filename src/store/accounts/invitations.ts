// Invitations as an organisation's admins look through them: when each was mailed, how long its link works, how many
// there are. Who is invited is a filter of the users' list (user-list.ts). Leaves out inviting (organisations/).

import type { Database } from '../database.ts'
import { helpCount } from '../recovery/help-requests.ts'
import { sql } from '../statement.ts'
import { MOST_COUNTED } from './user-list.ts'

/** For as many users as a page has at most. */
export const MOST_LOOKED_UP = 25

const times = sql(
  'invitation_times',
  `SELECT account_id, max(created_at) AS sent_at, max(expires_at) AS expires_at FROM emailed_tokens
   WHERE kind = 'invitation' AND used_at IS NULL
     AND account_id IN (${Array.from({ length: MOST_LOOKED_UP }, () => '?').join(', ')})
   GROUP BY account_id`,
)

export interface InvitationTimes {
  /** Milliseconds since 1970. */
  readonly sentAt: number
  readonly expiresAt: number
}

/** By user; of one whose link ran out a while ago nothing is known any more. */
export async function readInvitationTimes(
  database: Database,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, InvitationTimes>> {
  const ids = Array.from({ length: MOST_LOOKED_UP }, (_, i) => userIds[i] ?? '')
  const rows = await database.read(times, ids)
  return new Map(
    rows.map(row => [
      String(row.account_id),
      { sentAt: Number(row.sent_at), expiresAt: Number(row.expires_at) },
    ]),
  )
}

const some = (which: string) =>
  `(SELECT count(*) FROM (SELECT 1 FROM accounts a WHERE a.organisation_id = ? ${which}
     LIMIT ${MOST_COUNTED + 1}) AS counted)`
const totals = sql(
  'invitation_totals',
  `SELECT ${some('')} AS users, ${some("AND a.status = 'invited'")} AS invited, ${helpCount} AS asking`,
)

/**
 * How many users an organisation has, how many of them are invited, and how many ask for help; one more than
 * MOST_COUNTED says more.
 */
export async function countInvited(
  database: Database,
  organisationId: string,
): Promise<{ users: number; invited: number; asking: number }> {
  const [row] = await database.read(totals, [organisationId, organisationId, organisationId])
  return { users: Number(row?.users), invited: Number(row?.invited), asking: Number(row?.asking) }
}
