// The pages of support agents.

import type { Badge, Chip, ConsoleFrame } from './parts.ts'

export interface SupportLocals {
  'support-cases': {
    readonly frame: ConsoleFrame
    readonly filters: readonly Chip[]
    readonly cases: readonly {
      readonly number: string
      readonly href: string
      readonly name: string
      readonly organisation: string
      readonly badge: Badge
      readonly openedAt: number
      /** While that is ahead. */
      readonly waitUntil?: number
    }[]
    readonly olderUrl?: string
  }
  /** Posts `evidence` for each one ticked, `note` and `answer=approve|close`; or `pending` alone. */
  'support-case': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly number: string
    readonly name: string
    readonly badge: Badge
    readonly steps: readonly { readonly text: string; readonly done: boolean; readonly current: boolean }[]
    readonly action: string
    /** Absent where whoever looks may not approve now. */
    readonly approve?: {
      /** Absent for the second approval. */
      readonly evidence?: readonly {
        readonly value: string
        readonly text: string
        readonly hint: string
        readonly ticked: boolean
      }[]
      /** What follows. */
      readonly what: string
      /** A second agent decides next. */
      readonly passOn: boolean
    }
    readonly close?: boolean
    /** Why it can't be approved now. */
    readonly why?: string
    readonly about: {
      readonly email: string
      readonly organisation: string
      readonly role: string
      readonly admins: number
      readonly passkeys: number
      readonly lastLoginAt?: number
    }
    readonly reason: string
    /** What the first agent has seen. */
    readonly seen?: { readonly by: string; readonly evidence: readonly string[]; readonly note: string }
    readonly events: readonly { readonly at: number; readonly text: string; readonly note?: string }[]
    readonly note?: string
    readonly noteError?: string
    readonly evidenceError?: string
    readonly error?: string
    /** It was sent without a fresh factor, and has to be sent once more: its id, and what the button says. */
    readonly waiting?: { readonly id: string; readonly text: string }
  }
}
