// How anything about an organisation's single sign-on is changed, for the console as for the command line: judged on what
// holds, committed with its audit row, by somebody who may, on a plan that has it. What is switched off or taken away may
// be so on every plan. Leaves out what is changed (sso-connections.ts, sso-domains.ts, sso-break-glass.ts).

import { type AuditEntry, auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import {
  holdAlone,
  holdOrganisation,
  readSsoOrganisation,
  type SsoOrganisation,
} from '../store/sso/organisations.ts'
import { type Directory, InputError } from './directory.ts'
import { isSpecialPlan } from './plan.ts'

export interface SsoChoice {
  readonly organisationId: string
  /** Where the order came from; undefined for the operator. */
  readonly address?: string | undefined
  /** What must be true with it, such as the use of the form that waited. */
  readonly also?: readonly Write[] | undefined
}

/** Why something that was asked for can't be. */
export type SsoInputFault =
  /** The organisation has no such connection, domain or admin (any more). */
  | 'gone'
  /** Somebody else changed it since it was seen. */
  | 'changed'
  | 'too_many'
  /** No test login of the connection as it is now has succeeded. */
  | 'not_tested'
  | 'incomplete'
  | 'still_on'
  | 'have_it'
  | 'malformed'
  | 'proven_elsewhere'
  | 'not_proven'
  | 'provider_off'
  | 'no_break_glass'
  | 'not_ready'

/** @param fault goes on where the field's name ends */
export function ssoFault(field: string, reason: SsoInputFault, fault: string): InputError {
  return new InputError(field, fault, { reason: 'sso', fault: reason })
}

export interface PlannedSso<T> {
  readonly writes: readonly Write[]
  readonly event: AuditEntry['event']
  readonly details: NonNullable<AuditEntry['details']>
  /** Whom it is about. */
  readonly accountId?: string
  readonly result: T
}

interface Rules {
  /** Plans that single sign-on comes with; undefined: the change is allowed on every plan. */
  readonly specialPlans: readonly string[] | undefined
  /** The change depends on others like it: who is a break-glass admin, how many there are. One at a time gets through. */
  readonly oneAtATime?: boolean
}

/** Whoever loses against another looks again; in each round one gets through. */
const TRIES = 20

/**
 * @param plan what to do, on what holds now; a result alone: nothing
 * @throws InputError, also on a plan without; CommitRefused if one of the choice's `also` is refused
 */
export async function changeSso<T>(
  { database, clock, actor }: Pick<Directory, 'database' | 'clock' | 'actor'>,
  { organisationId, address, also = [] }: SsoChoice,
  { specialPlans, oneAtATime = false }: Rules,
  plan: (organisation: SsoOrganisation, now: number) => Promise<PlannedSso<T> | { readonly unchanged: T }>,
): Promise<{ readonly result: T; readonly changed: boolean }> {
  for (let tries = 1, used = 0; ; tries++) {
    const organisation = await readSsoOrganisation(database, organisationId, actor)
    if (organisation === undefined) {
      throw new InputError('organisationId', `${JSON.stringify(organisationId)} is no organisation`)
    }
    if (!organisation.allowed) {
      throw new InputError('actor', 'is no active admin of the organisation', { reason: 'not_allowed' })
    }
    if (specialPlans !== undefined && !isSpecialPlan(organisation.plan, specialPlans)) {
      throw new InputError('organisationPlan', noSso(organisation.plan, specialPlans), { reason: 'plan' })
    }
    const now = clock()
    const planned = await plan(organisation, now)
    if ('unchanged' in planned) return { result: planned.unchanged, changed: false }
    const { writes, event, details, accountId, result } = planned
    const row = { event, organisationId, accountId, actorId: actor, address, details }
    const hold = oneAtATime ? holdAlone : holdOrganisation
    try {
      await database.commit([hold(organisation, actor), ...writes, ...also, auditRow(row, now)])
      return { result, changed: true }
    } catch (error) {
      // Something is not as it was read: what is asked for may be so by now, or be no longer possible.
      if (!(error instanceof CommitRefused) || tries === TRIES) throw error
      // What can be used once does not come back.
      if (error.refusal === 'already_used' && used++ > 0) throw error
    }
  }
}

function noSso(plan: string, specialPlans: readonly string[]): string {
  return `${JSON.stringify(plan)} comes without single sign-on; those with are: ${specialPlans.join(', ') || 'none'}`
}
