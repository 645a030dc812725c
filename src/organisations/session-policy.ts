// How long a session lasts: a pure function of what its organisation chose, the organisation's plan and the time. It is
// asked at every use of a session and never kept with one, so a change of the policy, or of the plan, counts from the
// next request of every session on. Values of one's own come with special plans; on others the defaults hold, whatever
// is stored. Leaves out where the values are kept (store/organisations/organisations.ts) and who may change them
// (session-timeout.ts).

import { isSpecialPlan } from './plan.ts'

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS

export interface Range {
  readonly minimum: number
  readonly maximum: number
  /** What holds where nothing else is chosen. */
  readonly standard: number
}

/** Hours without use, whole ones. */
export const INACTIVE_HOURS: Range = { minimum: 1, maximum: 24, standard: 24 }
/** Days after the first login, whole ones. */
export const END_DAYS: Range = { minimum: 2, maximum: 30, standard: 7 }

/** No session that nobody used for so long is alive, whatever the policy. */
export const LONGEST_INACTIVE_MS = INACTIVE_HOURS.maximum * HOUR_MS
/** No session is older, whatever the policy. */
export const LONGEST_LIFE_MS = END_DAYS.maximum * DAY_MS

/** What an organisation has stored; null: nothing chosen. */
export interface StoredPolicy {
  readonly plan: string
  readonly inactiveHours: number | null
  readonly endDays: number | null
}

export interface SessionPolicy {
  readonly inactiveHours: number
  readonly endDays: number
}

const STANDARD: SessionPolicy = { inactiveHours: INACTIVE_HOURS.standard, endDays: END_DAYS.standard }

/**
 * What holds for the sessions of an organisation's users.
 *
 * @param stored undefined for a session of nobody, or of somebody without an organisation
 * @param special the plans that values of one's own come with
 */
export function sessionPolicy(stored: StoredPolicy | undefined, special: readonly string[]): SessionPolicy {
  if (stored === undefined) return STANDARD
  const { plan, inactiveHours, endDays } = stored
  if ((inactiveHours === null && endDays === null) || !isSpecialPlan(plan, special)) return STANDARD
  return {
    inactiveHours: inRange(inactiveHours, INACTIVE_HOURS) ? inactiveHours : INACTIVE_HOURS.standard,
    endDays: inRange(endDays, END_DAYS) ? endDays : END_DAYS.standard,
  }
}

export function inRange(value: number | null, { minimum, maximum }: Range): value is number {
  return Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum
}

/** When a session began and was used last, milliseconds since 1970. */
export interface SessionTimes {
  /** Of the first login in it, not of the last step-up. */
  readonly loggedInAt: number
  readonly lastSeenAt: number
}

/** Whether a session is over: at the millisecond, not before. */
export function sessionIsOver(times: SessionTimes, policy: SessionPolicy, now: number): boolean {
  return (
    now >= times.lastSeenAt + policy.inactiveHours * HOUR_MS ||
    now >= times.loggedInAt + policy.endDays * DAY_MS
  )
}
