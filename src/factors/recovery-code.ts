// The recovery code: 24 characters, shown once, good once. A fast keyed hash is enough to keep it: NIST SP 800-63B
// §3.1.2 asks for a slow one only below 112 bits, and these are 115; the key, which is not in the database, binds the
// hash to the account, so a copied row opens nobody else's account.
//
// Left out: attempt budgets, storage, the write that burns it.

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

// Left out are 0 and O, 1 I L, 2 (like Z), 5 S: what a printout or handwriting mixes up.
const ALPHABET = 'ABCDEFGHJKMNPQRTUVWXYZ346789'
const LENGTH = 24
const GROUP = 4

const CODE = new RegExp(`^[${ALPHABET}]{${LENGTH}}$`)

/**
 * A new code, ungrouped.
 * @param random gives so many random bytes
 */
export function newRecoveryCode(random: (size: number) => Uint8Array = randomBytes): string {
  // Bytes past the last multiple of the alphabet's size would favour its first letters.
  const fair = 256 - (256 % ALPHABET.length)
  let code = ''
  while (code.length < LENGTH)
    for (const byte of random(LENGTH))
      if (byte < fair && code.length < LENGTH) code += ALPHABET.charAt(byte % ALPHABET.length)
  return code
}

/** The code as it is shown: "K7QM-4TXD-9WHB-…". */
export function groupRecoveryCode(code: string): string {
  return code.replace(new RegExp(`.{${GROUP}}(?=.)`, 'g'), '$&-')
}

/**
 * The code that was meant by what was typed: with or without spaces and hyphens of any kind, in any case and width.
 * Undefined if that is no code. Of the characters that the alphabet leaves out only 2 can be but one other (Z).
 */
export function cleanRecoveryCode(input: string): string | undefined {
  if (input.length > 256) return undefined
  const code = input
    .normalize('NFKC')
    .replace(/[\s\p{Pd}\p{Cf}\u2212]/gu, '')
    .toUpperCase()
    .replaceAll('2', 'Z')
  return CODE.test(code) ? code : undefined
}

/**
 * What is stored: HMAC-SHA-256 over the account and the code, base64url. After a rotation of keys the caller compares
 * with the hash under each of them.
 * @param code from `newRecoveryCode` or `cleanRecoveryCode`
 * @throws RangeError if it is no such code
 */
export function hashRecoveryCode(code: string, key: Uint8Array, accountId: string): string {
  if (!CODE.test(code)) throw new RangeError('only a cleaned recovery code can be hashed')
  // The code has a fixed length, so code and account cannot run into each other.
  return createHmac('sha256', key).update(`recovery-code\n${code}\n${accountId}`).digest('base64url')
}

/** Whether two hashes are the same, in constant time. */
export function sameHash(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}
