// Looks whether the audit log is as it was sealed: walks the chain from its first seal to its last, hashes the rows
// again and tells what doesn't fit. A fault doesn't end the walk: each seal is judged on top of the head that the one
// before it states, so what is wrong is told once, at its place. Rows and seals are read in pages, so that memory
// doesn't grow with the log.
//
// A chain that ends too early fits in itself. Whoever knows a head that was told to the log can ask for it: where it is
// in no seal, the end was removed, or all of it made anew by somebody who has the secret keys. Rows that are not sealed
// yet are counted and nothing more can be said of them.

import type { Database, Row } from '../database.ts'
import type { Keyring } from '../seal.ts'
import { sql } from '../statement.ts'
import {
  BEFORE_ALL,
  judgeSeal,
  readLastSeals,
  readSeals,
  rowsDigest,
  rowsToVerify,
  type Seal,
} from './audit-chain.ts'

/** Rows that have waited so long to be sealed say that no sealer is at work. */
export const SEALING_LATE_MS = 5 * 60 * 1000

export type AuditFault =
  /** Rows are there that were not sealed, or some that were are missing. */
  | 'rows_inserted'
  | 'rows_removed'
  /** As many as were sealed, but not the same. */
  | 'rows_changed'
  | 'seal_forged'
  | 'seal_missing'
  /** Not among the secret keys: nothing can be said of what it sealed. */
  | 'key_unknown'
  /** No seal has the head that was asked for. */
  | 'head_missing'

export interface AuditProblem {
  readonly fault: AuditFault
  /** The seal, or the first one that is missing. */
  readonly seal: number
  /** The rows that the seal covers; undefined: from the beginning, or not known. */
  readonly firstId?: number | undefined
  readonly lastId?: number | undefined
}

export interface AuditVerdict {
  readonly ok: boolean
  readonly seals: number
  /** Rows that were hashed. */
  readonly rows: number
  /** The last seal. */
  readonly head: string | undefined
  readonly seq: number
  readonly sealedAt: number | undefined
  /** Rows behind the last seal, and the time of the first of them in milliseconds since 1970. */
  readonly unsealed: number
  readonly unsealedSince: number | undefined
  /** The first hundred. */
  readonly problems: readonly AuditProblem[]
  readonly problemCount: number
}

export interface VerifyOptions {
  /** A head that the log told of: it must be in the chain. */
  readonly head?: string | undefined
  /** Only so many seals, the newest. Default: all. */
  readonly newest?: number | undefined
}

const SEALS_AT_ONCE = 500
const ROWS_AT_ONCE = 2000
const MOST_PROBLEMS = 100

const unsealedRows = sql(
  'audit_unsealed',
  'SELECT count(*) AS n, min(at) AS since FROM audit_events WHERE id > ?',
)

/** Never throws for what it finds. */
export async function verifyAudit(
  database: Database,
  keyring: Keyring,
  { head, newest }: VerifyOptions = {},
): Promise<AuditVerdict> {
  const problems: AuditProblem[] = []
  let problemCount = 0
  const note = (problem: AuditProblem): void => {
    problemCount++
    if (problems.length < MOST_PROBLEMS) problems.push(problem)
  }
  let before: Pick<Seal, 'seq' | 'lastId' | 'head'> & { sealedAt?: number } = BEFORE_ALL
  let [seals, rows] = [0, 0]
  let headFound = head === undefined

  if (newest !== undefined) {
    const [first, ...others] = await readLastSeals(database, newest + 1)
    if (first !== undefined && others.length === newest) before = first
  }
  for (;;) {
    const page = await readSeals(database, before.seq, SEALS_AT_ONCE)
    const last = page.at(-1)
    if (last === undefined) break
    // No further than the seals at hand: behind them a row may turn up below one that was read already.
    const reader = readRows(database, before.lastId, Math.max(...page.map(each => each.lastId)))
    for (const seal of page) {
      const { digest, count } = await reader.hashUpTo(seal.lastId)
      const fault = judge(keyring, seal, before, digest, count)
      if (fault !== undefined) {
        // Of the rows nothing is known where the seal before them is missing.
        const known =
          fault === 'seal_missing'
            ? {}
            : { firstId: before.seq === 0 ? undefined : before.lastId + 1, lastId: seal.lastId }
        note({ fault, seal: fault === 'seal_missing' ? before.seq + 1 : seal.seq, ...known })
      }
      headFound ||= seal.head === head
      before = seal
      seals++
      rows += count
    }
  }
  if (!headFound) note({ fault: 'head_missing', seal: before.seq + 1 })

  const [tail] = await database.read(unsealedRows, [before.lastId])
  return {
    ok: problemCount === 0,
    seals,
    rows,
    head: before.seq === 0 ? undefined : before.head,
    seq: before.seq,
    sealedAt: before.sealedAt,
    unsealed: Number(tail?.n ?? 0),
    unsealedSince: tail?.since == null ? undefined : Number(tail.since),
    problems,
    problemCount,
  }
}

function judge(
  keyring: Keyring,
  seal: Seal,
  before: Pick<Seal, 'seq' | 'head'>,
  digest: string,
  count: number,
): AuditFault | undefined {
  if (seal.seq !== before.seq + 1) return 'seal_missing'
  const verdict = judgeSeal(keyring, seal, before.head)
  if (verdict !== 'ok') return verdict === 'forged' ? 'seal_forged' : 'key_unknown'
  if (digest === seal.digest) return undefined
  if (count === seal.rows) return 'rows_changed'
  return count > seal.rows ? 'rows_inserted' : 'rows_removed'
}

/** Rows in the order of their ids, read in pages, handed out up to an id at a time. */
function readRows(database: Database, after: number, upTo: number) {
  let page: readonly Row[] = []
  let next = 0
  let readUpTo = after
  let ended = false

  return {
    async hashUpTo(id: number): Promise<{ digest: string; count: number }> {
      const digest = rowsDigest()
      for (let count = 0; ; next++, count++) {
        if (next === page.length && !ended) {
          page = await database.read(rowsToVerify, [readUpTo, upTo, ROWS_AT_ONCE])
          next = 0
          ended = page.length < ROWS_AT_ONCE
          readUpTo = Number(page.at(-1)?.id ?? upTo)
        }
        const row = page[next]
        if (row === undefined || Number(row.id) > id) return { digest: digest.hex(), count }
        digest.add(row)
      }
    },
  }
}
