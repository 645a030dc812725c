// Telling apps that a session has ended (OpenID Connect Back-Channel Logout 1.0): one job for each app of a session,
// enqueued in the commit that ends it, so that neither a slow app nor a dead process keeps one from being told. The
// job's id is made of the `sid`, so whoever ends a session twice tells its apps once. Nothing in a job is secret: the
// app has both ids in its ID tokens. Leaves out what is sent (backchannel-logout.ts) and when it is tried again
// (jobs/jobs.ts).

import type { Database, Param, Statement, Write } from '../database.ts'
import { enqueue } from '../jobs/jobs.ts'
import { OWN_CLIENT_ID } from '../oidc/own-client.ts'
import { sql, write } from '../statement.ts'

/** The kind of these jobs. */
export const BACKCHANNEL_LOGOUT = 'backchannel-logout'

/** A session as one app knows it. */
export interface EndedSession {
  readonly clientId: string
  readonly accountId: string
  readonly sid: string
}

/** What is noted of a job whose app has no address to be told at. */
export const NOBODY_TO_TELL = 'the app cannot be told'

const ID_PREFIX = 'logout_'

/** To be committed with the end of the session. */
export function logoutJob(ended: EndedSession, now: number): Write {
  const { clientId, accountId, sid } = ended
  return enqueue(
    {
      id: `${ID_PREFIX}${sid}`,
      kind: BACKCHANNEL_LOGOUT,
      payload: JSON.stringify({ clientId, accountId, sid }),
      summary: `${accountId} at ${clientId}`,
      runAt: now,
      about: { accountId, clientId },
    },
    now,
  )
}

export function endedSessionOf(payload: string): EndedSession {
  return JSON.parse(payload) as EndedSession
}

// A client of ours without the address is left out at once, and so are our own pages, whose session is the one that
// ends; a client that the plugin's host knows is looked up by the job.
const columns =
  'INSERT INTO jobs (id, kind, payload, summary, attempts, run_at, created_at, account_id, client_id)'
const SQLITE = (which: string) => `${columns}
  SELECT '${ID_PREFIX}' || told.sid, '${BACKCHANNEL_LOGOUT}',
    json_object('clientId', told.client_id, 'accountId', told.account_id, 'sid', told.sid),
    told.account_id || ' at ' || told.client_id, 0, ?, ?, told.account_id, told.client_id
  FROM (SELECT s.account_id, j.key AS client_id, json_extract(j.value, '$.sid') AS sid
    FROM oidc_sessions s, json_each(s.payload, '$.authorizations') j
    WHERE ${which} AND s.ended_at IS NULL) AS told
  LEFT JOIN clients c ON c.id = told.client_id
  WHERE told.sid IS NOT NULL AND told.client_id <> '${OWN_CLIENT_ID}'
    AND (c.id IS NULL OR json_extract(c.metadata, '$.backchannel_logout_uri') IS NOT NULL)
  ON CONFLICT (id) DO NOTHING`
const POSTGRES = (which: string) => `${columns}
  SELECT '${ID_PREFIX}' || told.sid, '${BACKCHANNEL_LOGOUT}',
    CAST(json_build_object('clientId', told.client_id, 'accountId', told.account_id, 'sid', told.sid) AS text),
    told.account_id || ' at ' || told.client_id, 0, CAST(? AS bigint), CAST(? AS bigint),
    told.account_id, told.client_id
  FROM (SELECT s.account_id, j.key AS client_id, j.value ->> 'sid' AS sid
    FROM oidc_sessions s, json_each(CAST(s.payload AS json) -> 'authorizations') j
    WHERE ${which} AND s.ended_at IS NULL) AS told
  LEFT JOIN clients c ON c.id = told.client_id
  WHERE told.sid IS NOT NULL AND told.client_id <> '${OWN_CLIENT_ID}'
    AND (c.id IS NULL OR CAST(c.metadata AS json) ->> 'backchannel_logout_uri' IS NOT NULL)
  ON CONFLICT (id) DO NOTHING`
const OF_ACCOUNT = 's.account_id = ?'
const enqueueAll: Record<Database['dialect'], Statement> = {
  sqlite: sql('job_logouts_of_account', SQLITE(OF_ACCOUNT)),
  postgres: sql('job_logouts_of_account_pg', POSTGRES(OF_ACCOUNT)),
}
const OF_SESSION = 's.account_id = ? AND s.uid = ?'
const enqueueSession: Record<Database['dialect'], Statement> = {
  sqlite: sql('job_logouts_of_session', SQLITE(OF_SESSION)),
  postgres: sql('job_logouts_of_session_pg', POSTGRES(OF_SESSION)),
}
const OF_OTHERS = 's.account_id = ? AND s.uid <> ?'
const enqueueOthers: Record<Database['dialect'], Statement> = {
  sqlite: sql('job_logouts_of_others', SQLITE(OF_OTHERS)),
  postgres: sql('job_logouts_of_others_pg', POSTGRES(OF_OTHERS)),
}
const OF_APP = 's.account_id = ? AND j.key = ?'
const enqueueApp: Record<Database['dialect'], Statement> = {
  sqlite: sql('job_logouts_of_app', SQLITE(OF_APP)),
  postgres: sql('job_logouts_of_app_pg', POSTGRES(OF_APP)),
}

function enqueued(statement: Statement, params: readonly Param[]): Write {
  return { ...write(statement, params), enqueues: BACKCHANNEL_LOGOUT }
}

/** For every app of every session of an account. Must come before the write that ends the sessions. */
export function logoutJobsOf(dialect: Database['dialect'], accountId: string, now: number): Write {
  return enqueued(enqueueAll[dialect], [now, now, accountId])
}

/** The same for one session. */
export function logoutJobsOfSession(
  dialect: Database['dialect'],
  accountId: string,
  uid: string,
  now: number,
): Write {
  return enqueued(enqueueSession[dialect], [now, now, accountId, uid])
}

/** The same for every session but one. */
export function logoutJobsOfOthers(
  dialect: Database['dialect'],
  accountId: string,
  uid: string,
  now: number,
): Write {
  return enqueued(enqueueOthers[dialect], [now, now, accountId, uid])
}

/** The same for one app, of every session. */
export function logoutJobsOfApp(
  dialect: Database['dialect'],
  accountId: string,
  clientId: string,
  now: number,
): Write {
  return enqueued(enqueueApp[dialect], [now, now, accountId, clientId])
}
