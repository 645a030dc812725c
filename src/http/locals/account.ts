// The pages of one's own account.

import type { AccountFrame, ConsentItem, Tab } from './parts.ts'

export interface AccountLocals {
  account: {
    readonly frame: AccountFrame
    /** The pages of an account; one alone needs none. */
    readonly tabs: readonly Tab[]
    readonly name: string
    readonly email: string
    /** Absent where names and addresses are a host’s. */
    readonly changeNameUrl?: string
    readonly changeEmailUrl?: string
    readonly organisation?: string
    readonly lastLoginAt?: number
    /** What was done last. */
    readonly notice?: string
    /** Absent where a host knows the passwords. */
    readonly passwordChange?: { readonly lastAt?: number; readonly url: string }
    /** The name of the identity provider that the account is linked to. */
    readonly sso?: string
    readonly authenticator?: { readonly setUpAt: number; readonly lastUsedAt?: number }
    /** Where it is moved to a new phone, or set up beside a passkey. */
    readonly authenticatorUrl?: string
    /** Where there is an authenticator. `savedAt`: its user said that it is saved. */
    readonly recoveryCode?: { readonly savedAt?: number; readonly newUrl: string }
    readonly passkeys: readonly {
      readonly name: string
      /** What the passkey says that it is of, unless that is its name. */
      readonly family?: string
      readonly synced: boolean
      readonly lastUsedAt?: number
      readonly renameUrl: string
      readonly removeUrl: string
    }[]
    readonly addPasskeyUrl: string
    /** Where there is no second factor: where it is set up, and from when on it is needed. */
    readonly setUpUrl?: string
    readonly dueAt?: number
    /** Somebody has opened a support case for this account. `stop` is posted nothing. */
    readonly supportCase?: { readonly openedAt: number; readonly stop: string }
  }
  'account-sessions': {
    readonly frame: AccountFrame
    readonly tabs: readonly Tab[]
    readonly notice?: string
    /** This one first. */
    readonly sessions: readonly {
      readonly device: string
      readonly phone: boolean
      readonly address?: string
      /** Roughly where that is. */
      readonly place?: string
      readonly loggedInAt: number
      readonly lastSeenAt: number
      /** Absent for this one. */
      readonly logOutUrl?: string
    }[]
    /** Where there are others. */
    readonly othersUrl?: string
    /** Some of these places are known. */
    readonly placed?: boolean
  }
  'account-apps': {
    readonly frame: AccountFrame
    readonly tabs: readonly Tab[]
    readonly notice?: string
    readonly apps: readonly {
      readonly name: string
      readonly since: number
      readonly loggedIn: boolean
      /** It needs no permission. */
      readonly firstParty: boolean
      readonly scopes: readonly ConsentItem[]
      readonly revokeUrl: string
    }[]
  }
  'account-activity': {
    readonly frame: AccountFrame
    readonly tabs: readonly Tab[]
    /** How far back it goes. */
    readonly days: number
    readonly events: readonly {
      readonly at: number
      readonly event: string
      readonly why?: string
      readonly factors?: string
      /** Who did it, if somebody else. */
      readonly by?: string
      readonly address?: string
    }[]
    /** Newer and older. */
    readonly pages: { readonly previous?: string; readonly next?: string }
  }
  /** Posts `response`, or `pending` alone. */
  'account-passkey-new': {
    readonly frame: AccountFrame
    readonly action: string
    readonly options: string
    /** The id of a passkey that was made, and waits for one more press. */
    readonly pending?: string
    /** Why there can't be another. */
    readonly refused?: string
    readonly error?: string
  }
  /** Posts `name`. */
  'account-passkey-name': {
    readonly frame: AccountFrame
    readonly action: string
    /** What the passkey is called. */
    readonly before: string
    /** What it is to be called. */
    readonly name: string
    readonly notice?: string
    readonly error?: string
  }
  /** Posts `email`. */
  'account-email': {
    readonly frame: AccountFrame
    readonly action: string
    readonly current: string
    /** What was typed. */
    readonly email?: string
    /** It waits for one more press. */
    readonly again?: boolean
    readonly error?: string
  }
  /** Posts `name`. */
  'account-name': {
    readonly frame: AccountFrame
    readonly action: string
    /** Who sees it. */
    readonly effect: string
    /** What was typed, or the name of now. */
    readonly name: string
    /** It waits for one more press. */
    readonly again?: boolean
    readonly error?: string
  }
  /** Posts `current`, `password` and `username` (see there). */
  'account-password': {
    readonly frame: AccountFrame
    readonly action: string
    readonly email: string
    /** The fewest characters that the organisation's passwords may have. */
    readonly minimum: number
    readonly forgotUrl: string
    /** It was sent, and its user has proven more since: it is typed again. */
    readonly again?: boolean
    readonly errors?: { readonly current?: string; readonly password?: string }
  }
  /** Posts `pending` alone, or nothing; or leads on by a link. */
  'account-confirm': {
    readonly frame: AccountFrame
    /** What is done, as a heading. */
    readonly question: string
    /** What happens, each a sentence. */
    readonly effects: readonly string[]
    /** What it says, and where it leads; absent: it can't be done. */
    readonly button?: {
      readonly text: string
      readonly post?: string
      readonly href?: string
      readonly danger?: boolean
    }
    /** Why it can't be done. */
    readonly refused?: string
    /** Another way. */
    readonly other?: { readonly text: string; readonly href: string }
    /** The page that it was come from; absent: the overview. */
    readonly list?: { readonly text: string; readonly href: string }
    /** The id of what was sent, and waits for one more press. */
    readonly pending?: string
    readonly error?: string
  }
}
