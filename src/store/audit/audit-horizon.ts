// Up to which id the audit log is settled: no row with that id or a lower one can become visible any more. Seals cover
// the rows in the order of their ids, so they may reach no further.
//
// On SQLite there is one writer, ids are given in the order of commits, and whatever can be read is settled. On
// PostgreSQL an id is given before the commit, so a row may turn up after others with higher ids. But whoever was given
// an id holds a lock on the table from before that until their transaction has ended, and its rows, if it committed,
// are visible before the lock goes. So: see the highest id; see who holds that lock then; when all of these have let
// go, every id up to that one is settled, and what is missing below it was rolled back. Nobody is made to wait for the
// sealer, new writers don't matter to it, and other people's long transactions don't hold it up.
//
// Leaves out what only an owner of the database can do, such as taking ids from the sequence and using them later:
// that is an insertion, and found as one.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../database.ts'
import { sql } from '../statement.ts'

// Granted locks only: who waits for theirs has no id yet. A prepared transaction shows here too.
const writersNow = sql(
  'job_seal_writers',
  `SELECT virtualtransaction || ' ' || coalesce(pid, 0) AS writer FROM pg_locks
   WHERE locktype = 'relation' AND relation = CAST('audit_events' AS regclass) AND mode = 'RowExclusiveLock'
     AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
)

export interface Horizon {
  /**
   * @param top the highest id that is visible
   * @returns an id up to which all is settled; undefined: not known yet, ask again
   */
  settled(top: number): Promise<number | undefined>
  /** Who is waited for since when, in milliseconds since 1970; undefined: nobody. */
  waiting(): { readonly since: number; readonly writers: readonly string[] } | undefined
}

const LOOKS = 20
const BETWEEN_LOOKS_MS = 25

/** @param signal ends the waiting */
export function createHorizon(database: Database, clock: () => number, signal?: AbortSignal): Horizon {
  if (database.dialect === 'sqlite') return { settled: async top => top, waiting: () => undefined }
  let pending: { top: number; writers: string[]; since: number } | undefined

  async function look(): Promise<Set<string>> {
    return new Set((await database.read(writersNow, [])).map(row => String(row.writer)))
  }

  return {
    async settled(top) {
      pending ??= { top, writers: [...(await look())], since: clock() }
      for (let looks = 1; pending.writers.length > 0; looks++) {
        if (looks > LOOKS || signal?.aborted) return undefined
        await sleep(BETWEEN_LOOKS_MS, undefined, signal && { signal }).catch(() => undefined)
        const now = await look()
        pending.writers = pending.writers.filter(each => now.has(each))
      }
      const { top: known } = pending
      pending = undefined
      return known
    },
    waiting: () => pending && { since: pending.since, writers: pending.writers },
  }
}
