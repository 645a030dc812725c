// Whom enforcement would stop: what an organisation's admins, and the vendor, look at before the day. It tells of users
// as they are now; that nobody can put the day off is in enforcement.ts. Users who are deactivated don't log in, and are
// counted apart.

import type { Status } from '../store/accounts/accounts.ts'
import {
  countStandings,
  everyUser,
  type ListedUser,
  STANDINGS,
  type Standing,
} from '../store/accounts/user-list.ts'
import type { Database } from '../store/database.ts'
import { type Organisation, readOrganisation } from '../store/organisations/organisations.ts'
import { enforcement, GRACE_MS } from './enforcement.ts'

export interface EnforcementReport {
  readonly organisation: Organisation
  readonly enforced: boolean
  /** Milliseconds since 1970; undefined while there is no subscription. */
  readonly enforcedFrom: number | undefined
  /** Users who are not deactivated, by where they stand with the second factor. */
  readonly users: Readonly<Record<Standing, number>>
  /** How many of `users` were invited and have not come yet. */
  readonly invited: number
  readonly deactivated: number
}

/** @returns undefined if there is no such organisation */
export async function enforcementReport(
  database: Database,
  organisationId: string,
  now: number,
): Promise<EnforcementReport | undefined> {
  const [organisation, counts] = await Promise.all([
    readOrganisation(database, organisationId),
    countStandings(database, organisationId),
  ])
  if (organisation === undefined) return undefined
  const { subscribedAt } = organisation
  const sum = (which: (each: { standing: Standing; status: Status }) => boolean) =>
    counts.filter(which).reduce((total, each) => total + each.count, 0)
  const users = Object.fromEntries(
    STANDINGS.map(standing => [
      standing,
      sum(each => each.standing === standing && each.status !== 'deactivated'),
    ]),
  ) as Record<Standing, number>
  return {
    organisation,
    enforced: enforcement(subscribedAt, now).state === 'enforced',
    enforcedFrom: subscribedAt === null ? undefined : subscribedAt + GRACE_MS,
    users,
    invited: sum(each => each.status === 'invited'),
    deactivated: sum(each => each.status === 'deactivated'),
  }
}

/**
 * Who is, or would be, stopped at their next login until they set up: users with neither authenticator nor passkey, then
 * those whose factor was reset; each in the order of their names, read a page at a time.
 */
export async function* stoppedUsers(database: Database, organisationId: string): AsyncGenerator<ListedUser> {
  for (const standing of ['not_set_up', 'reset_pending'] as const) {
    for await (const user of everyUser(database, organisationId, { words: [], standing })) {
      if (user.status !== 'deactivated') yield user
    }
  }
}
