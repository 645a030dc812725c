// The console's pages of what an organisation demands: of actions, of addresses, of sessions.

import type { ConsoleFrame } from './parts.ts'

/** What an organisation may make of an action's rule; `app`: what its app demands, and nothing beyond. */
export type RuleChoice = 'app' | 'within' | 'always' | 'passkey'

export interface ConsoleRulesLocals {
  /** Rules are in words. */
  'admin-actions': {
    readonly frame: ConsoleFrame
    /** What was done just now. */
    readonly notice?: string
    readonly actions: readonly {
      readonly app: string
      readonly title: string
      readonly own: string
      readonly effective: string
      readonly tightened: boolean
      readonly href: string
    }[]
  }
  /** Posts `rule`, `minutes` and the hidden `seen`, or `pending` alone, to `action`. */
  'admin-action': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly action: string
    readonly app: string
    readonly title: string
    readonly own: string
    readonly effective: string
    /** The rule that holds, as it is stored. */
    readonly seen: string
    readonly chosen: RuleChoice
    /** Each where it is no laxer than the app's. */
    readonly within?: { readonly most: number; readonly minutes: string }
    readonly always?: boolean
    /** And how many users would be refused. */
    readonly passkey?: { readonly without: string }
    readonly error?: string
    readonly errors?: { readonly rule?: string; readonly minutes?: string }
    /** What was sent, and waits for one more press. */
    readonly waiting?: { readonly id: string; readonly rule: string }
  }
  /** Posts `addresses` and the hidden `seen`, or `pending` alone, to `action`. */
  'admin-access': {
    readonly frame: ConsoleFrame
    readonly action: string
    /** One address or range a line. */
    readonly addresses: string
    /** Names the list that holds. */
    readonly seen: string
    /** How many entries it has. */
    readonly count: number
    /** Of the browser. */
    readonly address: string
    /** What was done just now. */
    readonly notice?: string
    readonly error?: string
    readonly errors?: { readonly addresses?: string }
    /** What was sent, and waits for one more press. */
    readonly waiting?: { readonly id: string; readonly addresses: string }
  }
  /** Posts `inactive` (hours) and `end` (days), or `pending` alone. */
  'admin-sessions': {
    readonly frame: ConsoleFrame
    readonly action: string
    /** What is in the fields; numbers, or what was typed. */
    readonly inactive: string
    readonly end: string
    readonly limits: { readonly inactive: readonly [number, number]; readonly end: readonly [number, number] }
    readonly errors?: { readonly inactive?: string; readonly end?: string }
    readonly error?: string
    /** What was done just now. */
    readonly notice?: string
    /** Why nothing can be chosen; the values are those that hold. */
    readonly closed?: string
    /** It was sent, and waits for one more press. */
    readonly waiting?: string
    readonly logOutUrl: string
    /** When everybody was logged out last. */
    readonly loggedOut?: { readonly at: number; readonly by: string; readonly running: boolean }
  }
}
