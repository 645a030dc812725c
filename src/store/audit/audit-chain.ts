// The chain over the audit log. A seal covers the rows behind the seal before it, in the order of their ids: it holds
// the SHA-256 of their canonical bytes, and an HMAC over that, its number, its reach and the HMAC before it. Without
// the secret keys nobody makes one, so whoever can write the database can't change, remove, insert or reorder a sealed
// row unseen. The newest key signs, all of them verify. Leaves out making seals (audit-sealer.ts) and checking them
// (audit-verify.ts).

import { createHash, createHmac } from 'node:crypto'
import type { Database, Row, Statement } from '../database.ts'
import type { Keyring } from '../seal.ts'
import { sql } from '../statement.ts'

export interface Seal {
  /** 1, 2, 3 … without a gap. */
  readonly seq: number
  /** The id of the last row that it covers; the first one is behind the `lastId` of the seal before. */
  readonly lastId: number
  readonly rows: number
  /** SHA-256 of the rows, in hexadecimal. */
  readonly digest: string
  /** Tells which of the secret keys made it. */
  readonly keyId: string
  /** The HMAC: what the next seal builds on, and what the log is told of. */
  readonly head: string
  /** Milliseconds since 1970. */
  readonly sealedAt: number
}

/** Where a chain begins: before all rows, whatever their ids. */
export const BEFORE_ALL = { seq: 0, lastId: Number.MIN_SAFE_INTEGER, head: '' } as const

const COLUMNS = 'id, at, event, organisation_id, account_id, actor_id, address, interaction, details'
const BETWEEN = `SELECT ${COLUMNS} FROM audit_events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`

/** Rows behind an id, up to another, in order, at most so many; once for the sealer, once for who looks after it. */
export const rowsToSeal: Statement = sql('job_seal_rows', BETWEEN)
export const rowsToVerify: Statement = sql('audit_rows', BETWEEN)

/** A hash over rows in their canonical form: one line of JSON each, every column in a fixed order. */
export function rowsDigest(): { add(row: Row): void; hex(): string } {
  const hash = createHash('sha256')
  return {
    add: row => void hash.update(canonical(row)),
    hex: () => hash.digest('hex'),
  }
}

export function canonical(row: Row): string {
  const { id, at, event, organisation_id, account_id, actor_id, address, interaction, details } = row
  const values = [id, at, event, organisation_id, account_id, actor_id, address, interaction, details]
  return `${JSON.stringify(values)}\n`
}

/** The seal over rows that were hashed, on top of the head before. */
export function makeSeal(
  keyring: Keyring,
  before: Pick<Seal, 'seq' | 'head'>,
  rows: Pick<Seal, 'lastId' | 'rows' | 'digest'>,
  now: number,
): Seal {
  const [newest] = keyring.keys('audit')
  const seal = { ...rows, seq: before.seq + 1, keyId: keyIdOf(newest), sealedAt: now }
  return { ...seal, head: toHex(keyring.sign('audit', signed(seal, before.head))) }
}

/** Whether the seal was made by one of the keys, on top of that head; `unknown_key`: its key is not among them. */
export function judgeSeal(keyring: Keyring, seal: Seal, headBefore: string): 'ok' | 'forged' | 'unknown_key' {
  const signature = Buffer.from(seal.head, 'hex').toString('base64url')
  const spelledRight = toHex(signature) === seal.head
  if (spelledRight && keyring.verify('audit', signed(seal, headBefore), signature)) return 'ok'
  return keyring.keys('audit').some(each => keyIdOf(each) === seal.keyId) ? 'forged' : 'unknown_key'
}

function signed({ seq, lastId, rows, digest, keyId, sealedAt }: Omit<Seal, 'head'>, before: string): string {
  return JSON.stringify(['seal', seq, before, lastId, rows, digest, keyId, sealedAt])
}

function keyIdOf(key: Uint8Array): string {
  return createHmac('sha256', key).update('key id').digest('hex').slice(0, 16)
}

function toHex(base64url: string): string {
  return Buffer.from(base64url, 'base64url').toString('hex')
}

const SEAL_COLUMNS = 'seq, last_id, row_count, digest, key_id, head, sealed_at'
const sealsAfter = sql(
  'audit_seals_after',
  `SELECT ${SEAL_COLUMNS} FROM audit_seals WHERE seq > ? ORDER BY seq LIMIT ?`,
)
const sealsLast = sql(
  'audit_seals_last',
  `SELECT ${SEAL_COLUMNS} FROM audit_seals WHERE seq > 0 ORDER BY seq DESC LIMIT ?`,
)

/** In order. @param seq those behind it */
export async function readSeals(database: Database, seq: number, limit: number): Promise<Seal[]> {
  return (await database.read(sealsAfter, [seq, limit])).map(sealOf)
}

/** The newest ones, in order. */
export async function readLastSeals(database: Database, limit: number): Promise<Seal[]> {
  return (await database.read(sealsLast, [limit])).map(sealOf).reverse()
}

function sealOf(row: Row): Seal {
  return {
    seq: Number(row.seq),
    lastId: Number(row.last_id),
    rows: Number(row.row_count),
    digest: String(row.digest),
    keyId: String(row.key_id),
    head: String(row.head),
    sealedAt: Number(row.sealed_at),
  }
}
