// The link by which an owner locks their account, in every notice of what was done to it. Nothing is stored for it: it
// says of itself which account it is for and which mailbox it went to, sealed, so that it can be neither guessed nor made
// for another. It works for a week, and once (store/accounts/account-lock.ts). Leaves out what locking is, and what the
// link does once the account has another address (account/lock.ts).

import type { Keyring, Place } from '../store/seal.ts'
import { openSealedLink } from './sealed-link.ts'

/** How long the link works. */
export const LOCK_LINK_MS = 7 * 24 * 60 * 60 * 1000
const PLACE: Place = ['links', 'lock', '']

interface Notified {
  readonly accountId: string
  /** The address that the notice went to. */
  readonly email: string
}

/** @param at when what the notice tells of was done, milliseconds since 1970 */
export function lockToken(keyring: Keyring, { accountId, email }: Notified, at: number): string {
  return keyring.seal(JSON.stringify({ accountId, email, at }), PLACE)
}

/** @returns undefined for what is no such token, one that is too old, or one of before, which names no address */
export function readLockToken(
  keyring: Keyring,
  token: string,
  now: number,
): (Notified & { readonly until: number }) | undefined {
  const sealed = openSealedLink(keyring, token, PLACE)
  if (sealed === undefined) return undefined
  const { accountId, email, at } = JSON.parse(sealed) as Partial<Notified> & { accountId: string; at: number }
  const until = at + LOCK_LINK_MS
  return email !== undefined && until > now ? { accountId, email, until } : undefined
}
