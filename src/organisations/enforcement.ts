// When two-factor authentication is due: a pure function of the subscription's start and the time. Nothing else goes
// in, so nothing else can switch it off, put it back or reopen the day.

export const GRACE_MS = 24 * 60 * 60 * 1000

export type Enforcement =
  | { readonly state: 'enforced' }
  /** `until`: milliseconds since 1970, undefined while there is no subscription. */
  | { readonly state: 'grace'; readonly until: number | undefined }

/**
 * @param subscribedAt start of the organisation's subscription, milliseconds since 1970; null: none yet
 * @param now milliseconds since 1970
 */
export function enforcement(subscribedAt: number | null, now: number): Enforcement {
  if (subscribedAt === null) return { state: 'grace', until: undefined }
  const until = subscribedAt + GRACE_MS
  return now >= until ? { state: 'enforced' } : { state: 'grace', until }
}

/**
 * Whether a refresh token may still be turned. One that was first issued in the day of grace, to somebody who proved a
 * single factor, ends with the day: it would keep an app logged in for months that never met the gate. Whatever was
 * issued afterwards has met it.
 *
 * @param token `iiat`: when the first of its line was issued, seconds since 1970; `amr`: what was proven (RFC 8176)
 */
export function refreshStands(
  subscribedAt: number | null,
  token: { readonly iiat?: number | undefined; readonly amr?: readonly string[] | undefined },
  now: number,
): boolean {
  if (subscribedAt === null || enforcement(subscribedAt, now).state === 'grace') return true
  if (token.amr?.includes('mfa')) return true
  return (token.iiat ?? 0) * 1000 >= subscribedAt + GRACE_MS
}
