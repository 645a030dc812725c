// How the library's cookies are signed: HMAC-SHA-256 under the keyring's keys, in the shape that `cookies` takes. Its
// own, `keygrip`, is SHA-1 and hashes twice more per comparison, under a fresh random key, to compare in constant time.

import type { Keyring } from '../store/seal.ts'

export interface CookieSignatures {
  /** @returns the signature under the newest key */
  sign(data: string): string
  verify(data: string, signature: string): boolean
  /** @returns which key made the signature, 0 the newest, -1 none: an older one's is signed anew */
  index(data: string, signature: string): number
}

export function cookieSignatures(keyring: Keyring): CookieSignatures {
  const index: CookieSignatures['index'] = (data, signature) => keyring.signedBy('cookie', data, signature)
  return {
    sign: data => keyring.sign('cookie', data),
    verify: (data, signature) => index(data, signature) >= 0,
    index,
  }
}
