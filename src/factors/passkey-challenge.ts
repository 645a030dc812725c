// WebAuthn challenges that need no storage while they are out: each carries its expiry and is signed for one purpose
// and one interaction. That it is used once is the store's doing: it burns the `id` by one conditional insert, and may
// forget it after `expiresAt`.

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** In milliseconds. */
export const CHALLENGE_TTL = 10 * 60_000

/** `upgrade`: a registration by the browser itself, of which less is demanded. */
export type ChallengePurpose = 'login' | 'register' | 'upgrade'

// A multiple of three bytes in all: base64url then has no spare bits, and one challenge no second spelling.
const EXPIRY_BYTES = 6
const NONCE_BYTES = 16
const MAC_BYTES = 32
const CHALLENGE = new RegExp(`^[A-Za-z0-9_-]{${((EXPIRY_BYTES + NONCE_BYTES + MAC_BYTES) * 4) / 3}}$`)

export interface NewChallenge {
  key: Uint8Array
  purpose: ChallengePurpose
  /** What the challenge is good for alone, such as the uid of the interaction. */
  binding: string
  /** Milliseconds since the epoch. */
  now: number
  /** Gives so many random bytes. */
  random?: (size: number) => Uint8Array
}

/** @returns base64url, 72 characters */
export function newChallenge({ key, purpose, binding, now, random = randomBytes }: NewChallenge): string {
  const head = Buffer.alloc(EXPIRY_BYTES + NONCE_BYTES)
  head.writeUIntBE(now + CHALLENGE_TTL, 0, EXPIRY_BYTES)
  head.set(random(NONCE_BYTES), EXPIRY_BYTES)
  return Buffer.concat([head, sign(key, purpose, binding, head)]).toString('base64url')
}

export interface ExpectedChallenge {
  /** Newest first; any of them may have signed. */
  keys: readonly Uint8Array[]
  purpose: ChallengePurpose
  binding: string
  /** Milliseconds since the epoch. */
  now: number
}

export type OpenedChallenge =
  /** `id` is what the store burns; `expiresAt` is in milliseconds since the epoch. */
  | { ok: true; id: string; expiresAt: number }
  /** `foreign`: not ours, or for another purpose or interaction. */
  | { ok: false; reason: 'expired' | 'foreign' }

export function openChallenge(
  challenge: string,
  { keys, purpose, binding, now }: ExpectedChallenge,
): OpenedChallenge {
  if (!CHALLENGE.test(challenge)) return { ok: false, reason: 'foreign' }
  const bytes = Buffer.from(challenge, 'base64url')
  const head = bytes.subarray(0, EXPIRY_BYTES + NONCE_BYTES)
  const mac = bytes.subarray(EXPIRY_BYTES + NONCE_BYTES)
  if (!keys.some(key => timingSafeEqual(sign(key, purpose, binding, head), mac)))
    return { ok: false, reason: 'foreign' }
  const expiresAt = head.readUIntBE(0, EXPIRY_BYTES)
  if (now >= expiresAt) return { ok: false, reason: 'expired' }
  return { ok: true, id: createHash('sha256').update(bytes).digest('base64url'), expiresAt }
}

function sign(key: Uint8Array, purpose: ChallengePurpose, binding: string, head: Uint8Array): Buffer {
  // The purpose has no line break, the head a fixed length, and the binding comes last: nothing can be read two ways.
  return createHmac('sha256', key).update(`${purpose}\n`).update(head).update(binding).digest()
}
