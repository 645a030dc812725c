// What a session's user proved, and when, one row per factor. All checks decide on these rows, never on what the
// library keeps in its session. They end with the session.

import type { Fact, Factor } from '../../flow/assurance.ts'
import type { Row, Write } from '../database.ts'
import { sql, write } from '../statement.ts'

const upsert = sql(
  'session_fact_upsert',
  `INSERT INTO session_facts (session_uid, account_id, factor, kind, verified_at, credential_id, upstream_session)
   VALUES (?, ?, ?, ?, ?, ?, ?)
   ON CONFLICT (session_uid, factor) DO UPDATE SET account_id = excluded.account_id, kind = excluded.kind,
     verified_at = excluded.verified_at, credential_id = excluded.credential_id,
     upstream_session = excluded.upstream_session
   WHERE session_facts.account_id <> excluded.account_id OR session_facts.verified_at <= excluded.verified_at`,
)

/** Keeps a fact with the session; the newest time per factor stays. */
export function keepFact(sessionUid: string, accountId: string, fact: Fact): Write {
  return write(upsert, [
    sessionUid,
    accountId,
    fact.factor,
    fact.kind,
    fact.verifiedAt,
    fact.credentialId ?? null,
    fact.upstreamSession ?? null,
  ])
}

/** Columns for a statement that joins the table as `f`. */
export const factColumns =
  'f.factor AS f_factor, f.kind AS f_kind, f.verified_at AS f_verified_at, f.credential_id AS f_credential_id'

/** Reads the facts out of rows with {@link factColumns}, one fact per row. */
export function factsOf(rows: readonly Row[]): Fact[] {
  return rows.flatMap(row =>
    row.f_factor === null || row.f_factor === undefined
      ? []
      : [
          {
            factor: row.f_factor as Factor,
            kind: String(row.f_kind),
            verifiedAt: Number(row.f_verified_at),
            ...(row.f_credential_id === null ? {} : { credentialId: String(row.f_credential_id) }),
          },
        ],
  )
}
