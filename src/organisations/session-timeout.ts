// An organisation's session timeouts are changed here, for the console as for the command line: within their limits, on a
// special plan, in one commit with the audit row. Leaves out what the values do (session-policy.ts).

import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import {
  changeSessionPolicy,
  readSessionSettings,
  type SessionSettings,
} from '../store/organisations/session-policies.ts'
import { type Directory, InputError } from './directory.ts'
import { isSpecialPlan } from './plan.ts'
import {
  END_DAYS,
  INACTIVE_HOURS,
  inRange,
  type Range,
  type SessionPolicy,
  sessionPolicy,
} from './session-policy.ts'

export interface PolicyChoice {
  readonly organisationId: string
  /** Where the order came from; undefined for the operator. */
  readonly address?: string | undefined
  /** What must be true with it, such as the use of the form that waited. */
  readonly also?: readonly Write[] | undefined
}

/** `changed` is false if it was so already, and then nothing was stored. */
export interface PolicyChange {
  readonly settings: SessionSettings
  readonly policy: SessionPolicy
  readonly changed: boolean
}

const TRIES = 10

/** @throws InputError if there is no such organisation */
export async function sessionSettingsOf(
  { database, actor }: Pick<Directory, 'database' | 'actor'>,
  organisationId: string,
): Promise<SessionSettings> {
  const settings = await readSessionSettings(database, organisationId, actor)
  if (settings !== undefined) return settings
  throw new InputError('organisationId', `${JSON.stringify(organisationId)} is no organisation`)
}

/**
 * @param wanted hours and days, whole ones; what is left out stays as it is
 * @param specialPlans those that a policy of one's own comes with
 * @throws InputError, also on a plan without; CommitRefused if one of the choice's `also` is refused
 */
export async function setSessionPolicy(
  directory: Directory,
  { organisationId, address, also = [] }: PolicyChoice,
  wanted: Partial<SessionPolicy>,
  specialPlans: readonly string[],
): Promise<PolicyChange> {
  const { database, clock, actor } = directory
  for (let tries = 1, used = 0; ; tries++) {
    const settings = await sessionSettingsOf(directory, organisationId)
    if (!settings.allowed) {
      throw new InputError('actor', 'is no active admin of the organisation', { reason: 'not_allowed' })
    }
    if (!isSpecialPlan(settings.stored.plan, specialPlans)) {
      const plans = specialPlans.join(', ') || 'none'
      throw new InputError(
        'organisationPlan',
        `${JSON.stringify(settings.stored.plan)} comes without session timeouts of its own; those with are: ${plans}`,
        { reason: 'plan' },
      )
    }
    const before = sessionPolicy(settings.stored, specialPlans)
    const policy = {
      inactiveHours: checked('inactiveHours', wanted.inactiveHours ?? before.inactiveHours, INACTIVE_HOURS),
      endDays: checked('endDays', wanted.endDays ?? before.endDays, END_DAYS),
    }
    if (spelled(policy) === spelled(before)) return { settings, policy, changed: false }
    const now = clock()
    try {
      await database.commit([
        changeSessionPolicy(settings, policy, actor),
        ...also,
        auditRow(
          {
            event: 'organisation.session_policy_changed',
            organisationId,
            actorId: actor,
            address,
            details: { from: spelled(before), to: spelled(policy) },
          },
          now,
        ),
      ])
      return { settings, policy, changed: true }
    } catch (error) {
      // Something is not as it was read: another admin was faster, the plan has changed, or whoever acts is none now.
      if (!(error instanceof CommitRefused) || tries === TRIES) throw error
      // What can be used once does not come back.
      if (error.refusal === 'already_used' && used++ > 0) throw error
    }
  }
}

function checked(field: string, value: number, range: Range): number {
  if (inRange(value, range)) return value
  const { minimum, maximum } = range
  throw new InputError(field, `must be a whole number from ${minimum} to ${maximum}`, {
    reason: 'out_of_range',
    minimum,
    maximum,
  })
}

/** For the audit log. */
function spelled({ inactiveHours, endDays }: SessionPolicy): string {
  return `${inactiveHours} h inactive, ${endDays} d in any case`
}
