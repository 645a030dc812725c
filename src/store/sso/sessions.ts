// Sessions that came by a customer's identity provider, found by what it calls them, and their end when it says so.

import { auditRow } from '../audit/audit.ts'
import { CommitRefused, type Database, type Row, type Write } from '../database.ts'
import { digest } from '../ids.ts'
import { endSessionOf } from '../sessions/account-sessions.ts'
import { sql } from '../statement.ts'
import type { Connection } from './connections.ts'

/** Whoever calls a session something longer is believed, yet it is not kept as it came. */
const LONGEST = 600

/** What an upstream calls a session, as it is kept and looked for. */
export function keptSession(session: string): string {
  return session.length > LONGEST ? digest(session) : session
}

/** So many end at once. */
const MOST = 20

const bySession = sql(
  'sso_sessions_by_session',
  `SELECT f.session_uid, f.account_id FROM session_facts f
   WHERE f.credential_id = ? AND f.upstream_session = ? AND f.factor = 'sso' LIMIT ${MOST}`,
)
const bySubject = sql(
  'sso_sessions_by_subject',
  `SELECT f.session_uid, f.account_id FROM sso_identities i JOIN session_facts f ON f.account_id = i.account_id
   WHERE i.connection_id = ? AND i.subject = ? AND f.credential_id = i.connection_id AND f.factor = 'sso'
     AND (CAST(? AS text) IS NULL OR f.upstream_session = ?) LIMIT ${MOST}`,
)

/** What an upstream says has ended: a session there, all of a user's, or a session of a user. */
export interface EndedUpstream {
  readonly connection: Pick<Connection, 'id' | 'name' | 'organisationId'>
  readonly subject: string | undefined
  /** Empty: all of the subject's. */
  readonly sessions: readonly string[]
  /** What makes the message count once. */
  readonly once: Write
}

/** Whoever loses against somebody who ends one of them looks again. */
const TRIES = 5

/**
 * Ends the sessions, with what came of them, and has their apps told.
 *
 * @returns how many ended
 * @throws CommitRefused if the message was taken before
 */
export async function endUpstreamSessions(
  database: Database,
  { connection, subject, sessions, once }: EndedUpstream,
  now: number,
): Promise<number> {
  let ended = 0
  for (let tries = 0, due: readonly Write[] = [once]; ; ) {
    const rows = await found(database, connection.id, subject, sessions.map(keptSession))
    if (rows.length === 0 && due.length === 0) return ended
    const ends = rows.flatMap(row =>
      end(database, connection, String(row.account_id), String(row.session_uid), now),
    )
    try {
      await database.commit([...due, ...ends])
      ended += rows.length
      due = []
    } catch (error) {
      if (!(error instanceof CommitRefused) || ++tries === TRIES) throw error
    }
  }
}

async function found(
  database: Database,
  connectionId: string,
  subject: string | undefined,
  sessions: readonly string[],
): Promise<Row[]> {
  if (subject === undefined) {
    const each = sessions.map(session => database.read(bySession, [connectionId, session]))
    return (await Promise.all(each)).flat()
  }
  const asked = sessions.length === 0 ? [null] : sessions
  const each = asked.map(session => database.read(bySubject, [connectionId, subject, session, session]))
  return (await Promise.all(each)).flat()
}

function end(
  { dialect }: Database,
  { organisationId, name }: EndedUpstream['connection'],
  accountId: string,
  uid: string,
  now: number,
): Write[] {
  const details = { connection: name }
  return [
    ...endSessionOf(dialect, { accountId, uid }, now),
    auditRow({ event: 'sso.session_ended', organisationId, accountId, details }, now),
  ]
}
