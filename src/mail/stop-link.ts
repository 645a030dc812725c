// The link by which an owner stops a change of their address, or puts the old one back, in the mails to the old one. It
// names the change, sealed, so that it can be neither guessed nor made for another; whether it still does anything is
// said by the change's row (store/accounts/email-changes.ts).

import type { Keyring, Place } from '../store/seal.ts'
import { openSealedLink } from './sealed-link.ts'

const PLACE: Place = ['links', 'email-stop', '']

export function stopToken(keyring: Keyring, changeId: string): string {
  return keyring.seal(changeId, PLACE)
}

/** @returns the change's id; undefined for what is no such token */
export function readStopToken(keyring: Keyring, token: string): string | undefined {
  return openSealedLink(keyring, token, PLACE)
}
