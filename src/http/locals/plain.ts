// Pages that stand alone: the end of something, or the beginning of a server.

export interface PlainLocals {
  error: {
    readonly heading: string
    readonly text: string
    /** "SP-7F3K-92QD". */
    readonly reference?: string
    readonly time: number
    /** The login, where it waits. */
    readonly goOn?: string
    /** Where the app begins a login. */
    readonly startAgain?: string
    readonly backTo?: { readonly name: string; readonly url: string }
    /** Seconds. */
    readonly retryAfter?: number
  }
  /** The library's form (its `op.logoutForm` with the xsrf field), shown as it is. */
  logout: { readonly formHtml: string; readonly app?: string }
  'logged-out': { readonly app?: string; readonly accountUrl?: string }
  /** Posts `organisation`, `name`, `email`, `password`. */
  'first-run': {
    readonly action: string
    readonly minimum: number
    readonly values?: { readonly organisation?: string; readonly name?: string; readonly email?: string }
    readonly errors?: {
      readonly organisation?: string
      readonly name?: string
      readonly email?: string
      readonly password?: string
    }
  }
  'first-run-done': {
    readonly organisation: string
    readonly email: string
    readonly accountUrl?: string
  }
  'host-mismatch': {
    /** The host that was asked, as the browser sent it. */
    readonly asked: string
    readonly issuer: string
    /** The environment variable to change. */
    readonly variable: string
  }
  'not-found': Record<never, never>
}
