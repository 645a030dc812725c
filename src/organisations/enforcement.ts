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
