// What the vendor's back office keeps up to date of an organisation: its plan, and the start of its subscription, which
// is set once. Nothing moves it afterwards, since 2FA is enforced from a day after it: a later start would reopen the day.

import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused } from '../store/database.ts'
import {
  changePlan,
  type Organisation,
  readOrganisations,
  startSubscription,
} from '../store/organisations/organisations.ts'
import { checkTime, type Directory, InputError, line, organisationOf } from './directory.ts'

/** What became of a change: `changed` is false if it was so already, and then nothing was stored. */
export interface OrganisationChange {
  readonly organisation: Organisation
  readonly changed: boolean
}

const TRIES = 10
const READ_AT_ONCE = 500

/** @throws InputError */
export async function setPlan(
  directory: Directory,
  organisationId: string,
  plan: string,
): Promise<OrganisationChange> {
  const wanted = line('plan', plan, 100)
  for (let tries = 1; ; tries++) {
    const organisation = await organisationOf(directory, organisationId)
    if (organisation.plan === wanted) return { organisation, changed: false }
    const now = directory.clock()
    const details = { from: organisation.plan, to: wanted }
    try {
      await directory.database.commit([
        changePlan(organisation, wanted),
        auditRow(
          { event: 'organisation.plan_changed', organisationId, actorId: directory.actor, details },
          now,
        ),
      ])
      return { organisation: { ...organisation, plan: wanted }, changed: true }
    } catch (error) {
      // Somebody else has changed it meanwhile.
      if (!(error instanceof CommitRefused) || tries === TRIES) throw error
    }
  }
}

/**
 * Sets the start of the subscription. The same start again changes nothing.
 *
 * @param subscribedAt milliseconds since 1970, in the past or in the future
 * @throws InputError, also if another start is set
 */
export async function subscribe(
  directory: Directory,
  organisationId: string,
  subscribedAt: number,
): Promise<OrganisationChange> {
  checkTime('subscribedAt', subscribedAt)
  let organisation = await organisationOf(directory, organisationId)
  if (organisation.subscribedAt === null) {
    const now = directory.clock()
    const details = { subscribedAt }
    try {
      await directory.database.commit([
        startSubscription(organisationId, subscribedAt),
        auditRow(
          { event: 'organisation.subscribed', organisationId, actorId: directory.actor, details },
          now,
        ),
      ])
      return { organisation: { ...organisation, subscribedAt }, changed: true }
    } catch (error) {
      if (!(error instanceof CommitRefused)) throw error
      organisation = await organisationOf(directory, organisationId)
    }
  }
  const set = organisation.subscribedAt
  if (set === subscribedAt) return { organisation, changed: false }
  if (set === null) throw new Error('the start of a subscription was refused, and is not set')
  throw new InputError(
    'subscribedAt',
    `cannot be changed: the subscription began, or begins, on ${new Date(set).toISOString()}`,
    { reason: 'already_subscribed', subscribedAt: set },
  )
}

/** All organisations, in the order of their ids, read a page at a time. */
export async function* everyOrganisation({
  database,
}: Pick<Directory, 'database'>): AsyncGenerator<Organisation> {
  for (let after = ''; ; ) {
    const page = await readOrganisations(database, after, READ_AT_ONCE)
    yield* page
    const last = page.at(-1)
    if (last === undefined || page.length < READ_AT_ONCE) return
    after = last.id
  }
}
