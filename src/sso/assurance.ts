// What an upstream's word is worth here: one factor, or two where the connection trusts what it says of how, and from
// when. Pure. What is not said is taken for the weakest (OWASP ASVS 6.8.4).

import type { Fact } from '../flow/assurance.ts'
import type { TwoFactorValues } from '../store/sso/connections.ts'
import { keptSession } from '../store/sso/sessions.ts'
import type { UpstreamAnswer } from './upstream.ts'

/** Longer than anything that is asked for as fresh. */
const UNKNOWN_AGE_MS = 365 * 24 * 60 * 60 * 1000
/** How far an upstream's clock may be from ours. */
export const SKEW_MS = 60_000

/**
 * The fact that an answer proves.
 *
 * @param askedAt when we sent the user there, milliseconds since 1970: what was proven before is of no request of ours
 * @returns undefined where the answer is of a time that is yet to come
 */
export function factOf(
  answer: Pick<UpstreamAnswer, 'acr' | 'amr' | 'authenticatedAt' | 'session'>,
  { id, twoFactor }: { readonly id: string; readonly twoFactor: TwoFactorValues },
  askedAt: number,
  now: number,
): Fact | undefined {
  const { authenticatedAt, session } = answer
  if (authenticatedAt !== undefined && authenticatedAt > now + SKEW_MS) return undefined
  return {
    factor: 'sso',
    kind: trustedIn(answer, twoFactor) === undefined ? '1fa' : '2fa',
    // An upstream that does not say when has its user prove themselves again wherever somebody asks for something fresh.
    verifiedAt: Math.min(authenticatedAt ?? now - UNKNOWN_AGE_MS, now),
    credentialId: id,
    ...(session === undefined ? {} : { upstreamSession: keptSession(session) }),
    ...(authenticatedAt !== undefined && authenticatedAt >= askedAt - SKEW_MS
      ? {}
      : { earlier: true as const }),
  }
}

/**
 * The value of an answer by which two factors are proven.
 *
 * @returns `acr VALUE` or `amr VALUE`, as triggers of the database look it up among those of the connection; undefined:
 *   none of its values is trusted
 */
export function trustedIn(
  { acr, amr }: Pick<UpstreamAnswer, 'acr' | 'amr'>,
  twoFactor: TwoFactorValues,
): string | undefined {
  if (acr !== undefined && twoFactor.acr.includes(acr)) return `acr ${acr}`
  const method = amr.find(each => twoFactor.amr.includes(each))
  return method === undefined ? undefined : `amr ${method}`
}
