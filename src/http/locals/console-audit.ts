// The console's page of the audit log.

import type { ConsoleFrame } from './parts.ts'

export interface ConsoleAuditLocals {
  /** Asks with `event`, `person`, `from`, `to`; days in UTC. */
  'admin-audit': {
    readonly frame: ConsoleFrame
    /** Whether the newest part of the log is as it was sealed. */
    readonly checked: {
      readonly kind: 'success' | 'info' | 'warning' | 'danger'
      readonly title: string
      readonly text: string
      /** What checks all of it. */
      readonly command: string
    }
    readonly action: string
    readonly choice: readonly {
      readonly label: string
      readonly events: readonly { readonly value: string; readonly text: string; readonly chosen: boolean }[]
    }[]
    readonly person: string
    readonly from: string
    readonly to: string
    /** All that the filter lets through, where there is any. */
    readonly files?: { readonly csv: string; readonly jsonl: string }
    /** No user is called what was typed; or more than one. */
    readonly nobody?: boolean
    readonly several?: {
      readonly people: readonly { readonly name: string; readonly email: string; readonly href: string }[]
      readonly more: boolean
    }
    readonly events: readonly {
      readonly at: number
      readonly event: string
      readonly why?: string
      readonly by?: { readonly name: string; readonly email?: string }
      /** Where it is somebody else. */
      readonly whom?: { readonly name: string; readonly email?: string }
      readonly address?: string
      readonly factors?: string
    }[]
    /** Newer and older. */
    readonly pages: { readonly previous?: string; readonly next?: string }
  }
}
