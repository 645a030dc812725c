// Everything that can go wrong in front of a user or a script has a code here. The code is for programs, the
// status for HTTP, the text of the page is in the catalogue under "error.<code>". What goes to the log is `detail`
// and `cause`; neither ever reaches a page.

export const ERRORS = {
  bad_request: { status: 400 },
  payload_too_large: { status: 413 },
  unsupported_media_type: { status: 415 },
  cross_site_request: { status: 403 },
  not_offered: { status: 409 },
  interaction_expired: { status: 400 },
  cookies_blocked: { status: 400 },
  interaction_ended: { status: 409 },
  too_many_tries: { status: 429 },
  not_found: { status: 404 },
  host_mismatch: { status: 421 },
  busy: { status: 503 },
  unavailable: { status: 503 },
  internal: { status: 500 },
  plugin_conflict: { status: 500 },
} as const satisfies Record<string, { status: number }>

export type ErrorCode = keyof typeof ERRORS

/**
 * A request that cannot be answered as asked. Thrown for broken requests and for faults, never for a wrong password
 * or code: those are return values.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  /** For the log only. */
  readonly detail: string | undefined

  /**
   * @param code one of {@link ERRORS}
   * @param detail what happened, for the log; must hold no secret
   */
  constructor(code: ErrorCode, detail?: string, options?: ErrorOptions) {
    super(detail === undefined ? code : `${code}: ${detail}`, options)
    this.name = 'AppError'
    this.code = code
    this.detail = detail
  }

  get status(): number {
    return ERRORS[this.code].status
  }
}
