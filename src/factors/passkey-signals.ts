// What a page tells the browser's password manager of passkeys (WebAuthn Level 3, §5.1.10): that one is no longer
// known, which ones are, and what their owner is called now. Hints only: a browser that has no such thing, or forgets
// them, changes nothing here. Leaves out when to say it: never of an account to somebody who has not proven to be its
// owner, since the list says which passkeys there are.

import { userHandleOf } from './passkey.ts'

/** JSON for the `signals` of a page; `public/passkey-signals.js` reads it. */
export type PasskeySignals = string

/** A passkey was presented that nobody has (any more): the browser that it came from may stop offering it. */
export function unknownPasskey(rpId: string, credentialId: string): PasskeySignals {
  return JSON.stringify([['signalUnknownCredential', { rpId, credentialId }]])
}

/**
 * All passkeys that an account has, and its names. For its owner's eyes, after a login.
 *
 * @param rpId what new passkeys are bound to; a signal goes to each that the account's are bound to as well
 * @param passkeys all of them, none included: then the browser forgets those that it has
 */
export function ownPasskeys(
  account: { readonly id: string; readonly email: string; readonly name: string },
  rpId: string,
  passkeys: readonly { readonly credentialId: string; readonly rpId: string }[],
): PasskeySignals {
  const userId = userHandleOf(account.id)
  const rpIds = new Set([rpId, ...passkeys.map(each => each.rpId)])
  return JSON.stringify(
    [...rpIds].flatMap(each => {
      const ids = passkeys.filter(passkey => passkey.rpId === each).map(passkey => passkey.credentialId)
      return [
        ['signalAllAcceptedCredentials', { rpId: each, userId, allAcceptedCredentialIds: ids }],
        ['signalCurrentUserDetails', { rpId: each, userId, name: account.email, displayName: account.name }],
      ]
    }),
  )
}
