// Pages that links in mails open, and the one that has such a link sent.

export interface MailedLocals {
  /** Posts `email`. */
  'forgot-password': {
    readonly action: string
    /** Minutes that the link will work. */
    readonly minutes: number
    readonly email?: string
    readonly error?: string
    readonly backUrl?: string
  }
  'mail-sent': { readonly email: string; readonly backUrl?: string }
  /** Posts `password` (and `username`, see there). Opened from a mail, so it loads no script. */
  'new-password': {
    readonly action: string
    readonly email: string
    /** The fewest characters that the organisation's passwords may have. */
    readonly minimum: number
    /** Given for an invitation, absent for a forgotten password. */
    readonly organisation?: string
    readonly error?: string
  }
  'password-changed': {
    /** The first password of an invited user. */
    readonly first?: boolean
    readonly accountUrl?: string
  }
  /** Always the same: a link that was used, is too old, was replaced or never existed. */
  'link-used': Record<never, never>
  /** Posts nothing. */
  unblock: { readonly action: string; readonly email: string }
  unblocked: { readonly accountUrl?: string }
  /** Posts nothing. */
  lock: { readonly action: string; readonly email: string }
  locked: { readonly newPasswordUrl: string }
  /** Behind the links of a change of address. Posts nothing. */
  'email-link': {
    readonly heading: string
    readonly lead: string
    /** What happens, each a sentence. */
    readonly effects: readonly string[]
    readonly button?: { readonly text: string; readonly action: string }
    readonly onward?: { readonly text: string; readonly url: string }
  }
  /** Posts nothing. */
  'support-stop': { readonly action: string; readonly email: string; readonly openedAt: number }
  'support-stopped': { readonly forgotUrl: string }
  /** Posts `password` (and `username`, see there), and `passkeys=remove`. Opened from a mail, so it loads no script. */
  'support-set-up': {
    readonly action: string
    readonly email: string
    readonly passkeys: number
    readonly error?: string
  }
  'support-ready': { readonly email: string; readonly accountUrl?: string }
}
