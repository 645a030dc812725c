/**
 * Law: what a page may show is declared here, view by view; a template that reads anything else fails a test.
 * Texts are in the user's language already (`Texts.t`), addresses are complete or start with `/`, moments are
 * milliseconds since the epoch. `error` is what just went wrong, in a sentence that says what to do; it marks the
 * field and starts the title with "Error:". Never put a password or a code that was typed back into a page.
 * Left out: headings, labels and everything else that the catalogue knows.
 */
import type { TextKey, TextPart, TextValues } from '../texts.ts'
import type { AccountLocals } from './locals/account.ts'
import type { ConsoleAuditLocals } from './locals/console-audit.ts'
import type { ConsoleRulesLocals } from './locals/console-rules.ts'
import type { ConsoleSsoLocals } from './locals/console-sso.ts'
import type { ConsoleUsersLocals } from './locals/console-users.ts'
import type { LoginLocals } from './locals/login.ts'
import type { MailedLocals } from './locals/mailed.ts'
import type { PlainLocals } from './locals/plain.ts'
import type { SupportLocals } from './locals/support.ts'

/** The locals of each view, by the name of its template in `views/`. */
export interface ViewLocals
  extends LoginLocals,
    PlainLocals,
    MailedLocals,
    AccountLocals,
    SupportLocals,
    ConsoleUsersLocals,
    ConsoleRulesLocals,
    ConsoleAuditLocals,
    ConsoleSsoLocals {}

export type ViewName = keyof ViewLocals

/** What `render` adds to each view's own locals. */
export interface CommonLocals {
  readonly lang: string
  readonly title: string
  /** The level-1 heading, which is the title's first part too. */
  readonly heading: string
  t(key: TextKey, values?: TextValues): string
  rich(key: TextKey, values?: TextValues): readonly TextPart[]
  utc(time: number): string
  /** The address of a static file, by its name in `public/`. */
  assets(name: string): string
  /** Where **Cancel** goes, on whatever page a step-up leads to. */
  readonly cancel?: string | undefined
  /** Where a link **Cancel** leads, on a prompt that was opened from a page of ours. */
  readonly back?: string | undefined
  /** What the browser is told of passkeys, for `passkey-signals.js`. */
  readonly signals?: string | undefined
  readonly links: { readonly help?: string; readonly privacy?: string }
}
