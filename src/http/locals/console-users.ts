// The console's pages of users: finding and inviting them, one of them, resets and coverage.

import type { ConsoleAuditLocals } from './console-audit.ts'
import type { Chip, ConsoleFrame, Tab } from './parts.ts'

/** Something that can be done about a user: a link to where it is confirmed, or a form that leads there. */
export interface UserAction {
  readonly text: string
  readonly hint: string
  readonly href?: string
  readonly post?: string
  /** The one that the page is opened for most. */
  readonly primary?: boolean
}

export interface SortedColumn {
  readonly text: string
  readonly href: string
  readonly sort?: 'ascending' | 'descending'
}

export interface ConsoleUsersLocals {
  /** Posts the hidden fields, `user` for each one ticked, `page=yes` for all on the page. */
  'admin-users': {
    readonly frame: ConsoleFrame
    readonly tabs: readonly Tab[]
    readonly inviteUrl: string
    /** How many users ask for help, and where they are listed. */
    readonly asking?: { readonly count: number; readonly href: string }
    /** Where the organisation has no subscription: nobody has to have a second factor yet. */
    readonly noSubscription?: boolean
    readonly error?: string
    readonly search: {
      readonly action: string
      readonly q: string
      /** What a search leaves as it is. */
      readonly kept: readonly { readonly name: string; readonly value: string }[]
    }
    readonly standings: readonly Chip[]
    readonly roles: readonly Chip[]
    readonly columns: Readonly<Record<'name' | 'standing' | 'login', SortedColumn>>
    readonly users: readonly {
      readonly id: string
      readonly href: string
      readonly name: string
      readonly email: string
      readonly role: string
      readonly status: string
      readonly standing: 'set_up' | 'not_set_up' | 'reset_pending' | 'at_provider'
      readonly passkeys: number
      readonly lastLoginAt?: number
      /** Their address takes no mail. */
      readonly mailRefused: boolean
    }[]
    readonly choose: {
      readonly action: string
      readonly fields: readonly { readonly name: string; readonly value: string }[]
      /** How many match, spelled. */
      readonly matching: string
      /** The same where all that match are selected, on this page and the others. */
      readonly all?: string
      /** Where they are; absent where all are on this page. */
      readonly allUrl?: string
      readonly clearUrl: string
    }
    readonly pages: {
      readonly from: number
      readonly to: number
      readonly previous?: string
      readonly next?: string
    }
  }
  /** The button of **Reset 2FA** posts nothing. */
  'admin-user': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly name: string
    readonly email: string
    readonly role: string
    readonly status: string
    readonly standing: 'set_up' | 'not_set_up' | 'reset_pending' | 'at_provider'
    readonly authenticator: boolean
    /** There is one, and its user said that it is saved. */
    readonly recoveryCode: boolean
    readonly lastLoginAt?: number
    /** It is the admin who looks. */
    readonly you?: boolean
    /** What was done just now. */
    readonly notice?: string
    /** The name of the identity provider that they are linked to. */
    readonly sso?: string
    /** Since when they ask for help, with nothing left but the password. */
    readonly helpSince?: number
    /** What is not taken from this user, because too many were wrong. */
    readonly blocked?: string
    /** Their address takes no mail: since when, and what the mail server said. */
    readonly bounce?: { readonly at: number; readonly reason: string }
    /** Why the last active admin stays one. */
    readonly lastAdmin?: string
    readonly passkeys: readonly {
      readonly name: string
      readonly createdAt: number
      readonly lastUsedAt?: number
      readonly removeUrl: string
    }[]
    readonly actions: readonly UserAction[]
    /** The one that was used last first; `current` is the one that looks at the page. */
    readonly sessions: readonly {
      readonly device: string
      readonly address?: string
      /** Roughly where that is. */
      readonly place?: string
      readonly current?: boolean
      readonly loggedInAt: number
      readonly lastSeenAt: number
    }[]
    /** Some of their places are known. */
    readonly placed?: boolean
    /** The newest first. */
    readonly events: ConsoleAuditLocals['admin-audit']['events']
  }
  /** Posts the hidden fields, or `pending` alone. */
  'admin-user-change': {
    readonly frame: ConsoleFrame
    readonly userUrl: string
    readonly name: string
    /** A question that names the user and what is done. */
    readonly question: string
    readonly action: string
    readonly fields: readonly { readonly name: string; readonly value: string }[]
    /** What happens, each a part of one sentence. */
    readonly effects: readonly string[]
    /** What it means for the admin who looks, where it is about them. */
    readonly you?: string
    /** What the button says, and whether it takes something away; absent: it can't be done. */
    readonly button?: { readonly text: string; readonly danger: boolean }
    /** Why it can't be done. */
    readonly refused?: string
    readonly error?: string
    /** It was sent, and waits for one more press. */
    readonly waiting?: boolean
  }
  /** Each **Send again** posts nothing. */
  'admin-invitations': {
    readonly frame: ConsoleFrame
    readonly tabs: readonly Tab[]
    readonly inviteUrl: string
    readonly notice?: string
    readonly error?: string
    /** A form was sent without a fresh factor, and has to be sent once more. */
    readonly waiting?: boolean
    readonly invitations: readonly {
      readonly name: string
      readonly href: string
      readonly email: string
      readonly role: string
      readonly sentAt?: number
      /** Absent where the link works no more. */
      readonly expiresAt?: number
      readonly againAction: string
      readonly withdrawUrl: string
    }[]
    readonly pages: {
      readonly from: number
      readonly to: number
      readonly previous?: string
      readonly next?: string
    }
  }
  /** Posts `name`, `email` and `role`. */
  'admin-invite': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly action: string
    readonly name: string
    readonly email: string
    readonly roles: readonly {
      readonly value: string
      readonly text: string
      readonly hint: string
      readonly checked: boolean
    }[]
    /** It was sent without a fresh factor, and has to be sent once more. */
    readonly waiting?: boolean
    readonly errors?: { readonly name?: string; readonly email?: string; readonly role?: string }
  }
  'admin-help': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly requests: readonly {
      readonly name: string
      readonly email: string
      readonly since: number
      readonly href: string
    }[]
  }
  'admin-coverage': {
    readonly frame: ConsoleFrame
    readonly tabs: readonly Tab[]
    /** Whole percent of users with a second factor, rounded down. */
    readonly percent: number
    readonly total: number
    /** `share` is in percent, and `start` the sum of those before; all together are 100, or 0 where there is nobody. */
    readonly parts: readonly {
      readonly kind: 'enrolled' | 'provider' | 'pending' | 'overdue' | 'reset'
      readonly text: string
      readonly hint: string
      readonly count: number
      readonly start: number
      readonly share: number
      readonly href: string
    }[]
    /** When enforcement begins, or began; absent without a subscription. */
    readonly enforcedFrom?: number
    readonly enforced?: boolean
  }
  /** Posts `reason` and `passkeys=remove`, or `pending` alone, to `action`. */
  'admin-reset': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly action: string
    /** How many will be reset. */
    readonly count: number
    /** The admin who looks is among them. */
    readonly includesYou?: boolean
    readonly groups: readonly {
      readonly title: string
      readonly users: readonly {
        readonly name: string
        readonly initials: string
        readonly email: string
        readonly why?: string
      }[]
      /** "And 1,140 more". */
      readonly more?: string
    }[]
    /** All of them as CSV, where the page does not show all. */
    readonly moreUrl?: string
    readonly reason?: string
    readonly removePasskeys?: boolean
    readonly reasonError?: string
    readonly error?: string
    /** What was sent, and waits for one more press. */
    readonly waiting?: {
      readonly id: string
      readonly reason: string
      readonly removePasskeys: boolean
    }
  }
  'admin-reset-result': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly refreshUrl: string
    readonly csvUrl: string
    readonly reason: string
    readonly by: string
    readonly startedAt: number
    readonly total: number
    readonly done: number
    readonly skipped: number
    readonly waiting: number
    readonly users: readonly {
      readonly name: string
      readonly email: string
      readonly outcome: 'done' | 'skipped' | 'waiting'
      readonly why?: string
      /** What became of each app that they were logged in to. */
      readonly apps: readonly string[]
    }[]
    readonly pages: {
      readonly from: number
      readonly to: number
      readonly previous?: string
      readonly next?: string
    }
  }
}
