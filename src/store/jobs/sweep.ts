// Expired rows go, in batches, so that no table grows with use and no writer waits long for the sweeping.

import type { Database, Statement } from '../database.ts'
import { DRAFT_MS } from '../recovery/second-factor-resets.ts'
import { sql, write } from '../statement.ts'
import type { JobLog } from './job-worker.ts'
import { sweepJobs } from './jobs.ts'

const SWEEP_ROWS = 500
const sweeps: readonly Statement[] = [
  sql(
    'sweep_artefacts',
    `DELETE FROM oidc_artefacts WHERE (model, id) IN
       (SELECT model, id FROM oidc_artefacts WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
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
    'sweep_email_changes',
    // A support case tells the old address until its end.
    `DELETE FROM email_changes WHERE id IN
       (SELECT h.id FROM email_changes h WHERE h.expires_at < ? AND NOT EXISTS (SELECT 1 FROM support_cases c
          WHERE c.account_id = h.account_id AND c.closed_at IS NULL AND c.used_at IS NULL)
        ORDER BY h.expires_at LIMIT ${SWEEP_ROWS})`,
  ),
  sql(
    'sweep_sso_requests',
    `DELETE FROM sso_requests WHERE id IN
       (SELECT id FROM sso_requests WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
  ),
  sql(
    'sweep_pending_forms',
    `DELETE FROM pending_forms WHERE id IN
       (SELECT id FROM pending_forms WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
  ),
  sql(
    'sweep_reset_drafts',
    `DELETE FROM second_factor_resets WHERE id IN (SELECT id FROM second_factor_resets
       WHERE started_at IS NULL AND created_at < CAST(? AS bigint) - ${DRAFT_MS} ORDER BY created_at LIMIT ${SWEEP_ROWS})`,
  ),
  sql(
    'sweep_idempotency_keys',
    `DELETE FROM idempotency_keys WHERE (client_id, id) IN
       (SELECT client_id, id FROM idempotency_keys WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
  ),
  sql(
    'sweep_attempts',
    `DELETE FROM attempts WHERE (budget, account, source) IN
       (SELECT budget, account, source FROM attempts WHERE expires_at < ? ORDER BY expires_at LIMIT ${SWEEP_ROWS})`,
  ),
]

// A session's facts have no time of their own: they go in the same commit, or would stay for ever.
const expired = `SELECT uid FROM oidc_sessions WHERE expires_at < ? ORDER BY expires_at, uid LIMIT ${SWEEP_ROWS}`
const sweepSessions = sql('sweep_sessions', `DELETE FROM oidc_sessions WHERE uid IN (${expired})`)
const sweepFacts = sql('sweep_session_facts', `DELETE FROM session_facts WHERE session_uid IN (${expired})`)

/** Rows are kept this long after they expired, for clocks that differ. */
const SWEEP_AFTER_MS = 5 * 60 * 1000

/**
 * Deletes expired rows, and jobs that were settled long ago, in batches so that no writer waits long.
 *
 * @returns how many rows went
 */
export async function sweep(database: Database, now: number): Promise<number> {
  const before = now - SWEEP_AFTER_MS
  let gone = await sweepJobs(database, now)
  for (const statement of [...sweeps, sweepSessions]) {
    const also = statement === sweepSessions ? [write(sweepFacts, [before])] : []
    for (;;) {
      const touched = await database.commitTelling([...also, write(statement, [before])])
      const rows = touched.at(-1)?.length ?? 0
      gone += rows
      if (rows < SWEEP_ROWS) break
    }
  }
  return gone
}

const SWEEP_EVERY_MS = 60_000

/** Sweeps every minute until it is stopped. */
export function startSweeping(
  database: Database,
  log: JobLog,
  clock: () => number,
): { stop(): Promise<void> } {
  let running: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    running = sweep(database, clock()).catch(error => log.error({ err: error }, 'sweeping failed'))
  }, SWEEP_EVERY_MS)
  return {
    async stop() {
      clearInterval(timer)
      await running
    },
  }
}
