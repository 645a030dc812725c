// What an interaction knows so far. It travels in the library's interaction result under the key `progress`, never
// under `login` (law 3): whoever resumes half way is asked again. Secrets in it are sealed, bound to the interaction.
// Two POSTs at once may lose each other's fact, never gain one: what is single-use is burnt elsewhere.

import type { Keyring } from '../store/seal.ts'
import type { Fact } from './assurance.ts'
import type { Choices, Way } from './step.ts'

/** A setup key that is shown and not confirmed is forgotten after this time. */
export const SETUP_KEY_MS = 10 * 60 * 1000

export interface Progress {
  /** Whom the email address or the passkey named. Without an id: an address that nobody has. */
  readonly account?: { readonly email: string; readonly id?: string; readonly epoch?: number }
  readonly facts: readonly Fact[]
  readonly choices: Choices
  readonly platformAuthenticator?: boolean
  /** The passkey that was used is on another device. */
  readonly passkeyElsewhere?: boolean
  /** The authenticator's secret while it is being set up, sealed. */
  readonly setupKey?: { readonly sealed: string; readonly at: number }
  /** A recovery code to show until it is ticked, sealed. */
  readonly recoveryCode?: { readonly sealed: string; readonly replaces: boolean }
  /** When a code was last mailed, milliseconds since 1970. */
  readonly codeMailedAt?: number
  /** The code before it was asked to be replaced. */
  readonly codeMailedAgain?: true
  /** The connection that the named address logs in by. */
  readonly upstream?: string
  /** What a login at the upstream proved, which counts once its user has logged in to the account by what they have here. */
  readonly linking?: { readonly subject: string; readonly fact: Fact; readonly provider: string }
  /** What was done last, to tell its second post, by a double click, from one that is out of turn. */
  readonly last?: Way
}

export const NO_PROGRESS: Progress = { facts: [], choices: {} }

/** What the library keeps as an interaction's result. */
export interface StoredResult {
  readonly login?: { readonly accountId?: string }
  readonly progress?: Progress
  readonly [key: string]: unknown
}

/** What the steps of the same authorization request found out before this interaction began. */
export function carriedOver(
  lastSubmission: StoredResult | undefined,
  accountId: string | undefined,
): Progress {
  const last = lastSubmission?.progress
  if (last === undefined || lastSubmission?.login?.accountId !== accountId) return NO_PROGRESS
  return { facts: last.facts, choices: last.choices }
}

/** Sealing of what an interaction keeps to itself. */
export function interactionSecrets(keyring: Keyring, uid: string) {
  return {
    seal: (what: 'setup-key' | 'recovery-code', plain: string | Uint8Array): string =>
      keyring.seal(plain, ['interaction', what, uid]),
    open: (what: 'setup-key' | 'recovery-code', sealed: string): Buffer =>
      keyring.open(sealed, ['interaction', what, uid]),
  }
}
