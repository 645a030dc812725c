// Links that say of themselves what they are for, sealed: they can be neither guessed nor made for another, and nothing is
// stored until they are used.

import type { Keyring, Place } from '../store/seal.ts'

/** @returns what was sealed; undefined for what is made up, cut off, or sealed by a key that is gone */
export function openSealedLink(keyring: Keyring, token: string, place: Place): string | undefined {
  try {
    return keyring.open(token, place).toString()
  } catch {
    return undefined
  }
}
