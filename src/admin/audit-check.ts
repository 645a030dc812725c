// Whether the newest part of the audit log is as it was sealed: as much of it as a page may ask for, however often it is
// opened. Leaves out the whole check, which reads every row: that is for the command line.

import { SEALING_LATE_MS, verifyAudit } from '../store/audit/audit-verify.ts'
import type { Database } from '../store/database.ts'
import type { Keyring } from '../store/seal.ts'

export interface AuditCheck {
  /**
   * `sound`: as it was sealed. `unsealed`: nothing is sealed yet. `late`: the newest rows have waited for long.
   * `broken`: not as it was sealed, or sealed under a key that is gone.
   */
  readonly kind: 'sound' | 'unsealed' | 'late' | 'broken'
  /** When it was looked at: milliseconds since 1970. */
  readonly at: number
}

/** Each covers 1,000 rows at most. */
const SEALS_CHECKED = 5
const KEPT_MS = 30_000

/** @returns looks, or tells what it saw within the last half minute */
export function createAuditCheck(
  database: Database,
  keyring: Keyring,
  clock: () => number,
): () => Promise<AuditCheck> {
  let last: { at: number; check: Promise<AuditCheck> } | undefined

  async function look(at: number): Promise<AuditCheck> {
    const { ok, seals, unsealedSince = at } = await verifyAudit(database, keyring, { newest: SEALS_CHECKED })
    if (!ok) return { kind: 'broken', at }
    if (at - unsealedSince > SEALING_LATE_MS) return { kind: 'late', at }
    return { kind: seals === 0 ? 'unsealed' : 'sound', at }
  }

  return () => {
    const at = clock()
    if (last !== undefined && at - last.at < KEPT_MS) return last.check
    const check = look(at)
    last = { at, check }
    // The next one who asks looks again.
    check.catch(() => {
      last = undefined
    })
    return check
  }
}
