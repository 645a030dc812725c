// How long a password must be: 8 characters where a second factor is demanded, 15 while the password may be all there
// is (NIST SP 800-63B-4 section 3.1.1.2). Judged when a password is set, never at a login.

import { enforcement } from './enforcement.ts'

/**
 * @param subscribedAt start of the organisation's subscription, milliseconds since 1970; null: none yet
 * @param now milliseconds since 1970
 */
export function minimumPasswordLength(subscribedAt: number | null, now: number): 8 | 15 {
  return enforcement(subscribedAt, now).state === 'enforced' ? 8 : 15
}
