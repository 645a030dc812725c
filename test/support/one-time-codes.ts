// One-time codes for tests that need many, by node:crypto alone (RFC 6238), so that they don't agree with the server
// by sharing its code. Journeys take theirs from oathtool.

import { createHmac } from 'node:crypto'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** @param secret base32 @param now milliseconds since 1970 */
export function code(secret: string, now: number): string {
  let bits = 0n
  for (const letter of secret) bits = (bits << 5n) | BigInt(ALPHABET.indexOf(letter))
  const length = Math.floor((secret.length * 5) / 8)
  bits >>= BigInt(secret.length * 5 - length * 8)
  const key = Buffer.from(bits.toString(16).padStart(length * 2, '0'), 'hex')
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(now / 30_000)))
  const mac = createHmac('sha1', key).update(counter).digest()
  const offset = (mac.at(-1) ?? 0) & 15
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}
