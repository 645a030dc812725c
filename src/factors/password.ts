// Passwords are normalised the same way whenever they are set or compared, and kept as argon2id PHC strings.
//
// Time: an unknown account costs as much as a known one, since a hash of the same parameters is checked that nothing
// matches. What is refused without hashing (too long, control characters, empty) depends only on what was typed, so
// its speed says nothing about an account. A hash made with older parameters takes its own time until the next login
// renews it. As many hashes run at once as there are cores, with a bounded queue: an overfull queue and a crash are
// thrown, and are never "the wrong password".
//
// Left out: whether a password is good enough (password-strength.ts), attempt budgets, storage.

import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { hash, parseOptions, verify } from '@node-rs/argon2'

/** In code points after normalisation. */
export const MAX_PASSWORD_LENGTH = 256

/** The first recommendation of the OWASP Password Storage Cheat Sheet; memory in KiB. */
const ARGON2ID = {
  algorithm: 2,
  version: 1,
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
  outputLen: 32,
} as const

// A primary composite has at most 4 code points of 2 UTF-16 units each, so nothing longer can shrink to fit; and the
// cost of normalising is bounded.
const MAX_RAW_LENGTH = MAX_PASSWORD_LENGTH * 8

const SALT_BYTES = 16

export type PasswordFault = 'empty' | 'too_long' | 'control_characters'

export type Normalised = { ok: true; password: string } | { ok: false; reason: PasswordFault }

/**
 * A password in the form that is hashed and compared: NFC, every Unicode space as U+0020, case and width kept
 * (OpaqueString, RFC 8265 §4.2). Control characters and lone surrogates are refused, as the RFC says. Unlike the RFC,
 * code points that are unassigned or ignorable are kept: emoji need the latter, and new ones are the former.
 */
export function normalise(password: string): Normalised {
  if (password === '') return { ok: false, reason: 'empty' }
  if (password.length > MAX_RAW_LENGTH) return { ok: false, reason: 'too_long' }
  if (/[\p{Cc}\p{Cs}]/u.test(password)) return { ok: false, reason: 'control_characters' }
  const normal = password.replace(/\p{Zs}/gu, ' ').normalize('NFC')
  if (codePoints(normal) > MAX_PASSWORD_LENGTH) return { ok: false, reason: 'too_long' }
  return { ok: true, password: normal }
}

/** The length of `text` in code points. */
export function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

/** Too many tasks wait already. The web layer answers 503 with Retry-After. */
export class HashQueueFull extends Error {
  constructor() {
    super('too many passwords are being checked at once')
    this.name = 'HashQueueFull'
  }
}

export type Limiter = <Result>(task: () => Promise<Result>) => Promise<Result>

/**
 * Runs tasks in the order in which they come, so many at once.
 * @param atOnce how many run
 * @param waiting how many more may wait; the next one is refused with HashQueueFull, unrun
 */
export function createLimiter({ atOnce, waiting }: { atOnce: number; waiting: number }): Limiter {
  let running = 0
  const queue: (() => void)[] = []

  return async task => {
    if (running < atOnce) running++
    else if (queue.length < waiting) await new Promise<void>(resolve => queue.push(resolve))
    else throw new HashQueueFull()
    try {
      return await task()
    } finally {
      // The place is handed on, not given back: a newcomer cannot overtake the one who waits.
      const next = queue.shift()
      if (next) next()
      else running--
    }
  }
}

const limit = createLimiter({ atOnce: availableParallelism(), waiting: 64 })

/**
 * @param password as typed; the caller has judged it before
 * @returns the PHC string
 * @throws RangeError if it cannot be normalised (its message names the reason, not the password), HashQueueFull
 */
export async function hashPassword(password: string): Promise<string> {
  const normal = normalise(password)
  if (!normal.ok) throw new RangeError(`a password that is ${normal.reason} was to be hashed`)
  return limit(() => hash(normal.password, ARGON2ID))
}

export interface PasswordCheck {
  ok: boolean
  /** Right, but hashed with other parameters than today's: store `hashPassword(password)`. */
  rehash: boolean
}

/**
 * @param phc the stored PHC string; undefined for an unknown account or one without a password
 * @param password as typed
 * @throws HashQueueFull; and whatever is wrong with a PHC string that cannot be read
 */
export async function verifyPassword(phc: string | undefined, password: string): Promise<PasswordCheck> {
  const normal = normalise(password)
  if (!normal.ok) return { ok: false, rehash: false }
  const matches = await limit(() => verify(phc ?? NOBODYS, normal.password))
  const ok = matches && phc !== undefined
  return { ok, rehash: ok && needsRehash(phc) }
}

/**
 * Whether `phc` was made with other parameters than today's.
 * @throws if it is no argon2 PHC string
 */
export function needsRehash(phc: string): boolean {
  const made = parseOptions(phc)
  return (
    made.algorithm !== ARGON2ID.algorithm ||
    made.version !== ARGON2ID.version ||
    made.memoryCost !== ARGON2ID.memoryCost ||
    made.timeCost !== ARGON2ID.timeCost ||
    made.parallelism !== ARGON2ID.parallelism ||
    made.outputLen !== ARGON2ID.outputLen ||
    made.saltLen < SALT_BYTES
  )
}

// Salt and digest are chance, so no password is known to give them: checking one costs a hash and fails.
const NOBODYS = [
  '',
  'argon2id',
  'v=19',
  `m=${ARGON2ID.memoryCost},t=${ARGON2ID.timeCost},p=${ARGON2ID.parallelism}`,
  unpadded(randomBytes(SALT_BYTES)),
  unpadded(randomBytes(ARGON2ID.outputLen)),
].join('$')

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
