// Break-glass admins: those who keep password and second factor where a domain is for single sign-on only, for the day
// that the identity provider fails. While there is such a domain, one of them is left (store/sso/organisations.ts).

import { readSsoAdmin, type SsoAdmin, setBreakGlass } from '../store/sso/organisations.ts'
import { type Directory, InputError } from './directory.ts'
import { changeSso, type SsoChoice, ssoFault } from './sso-change.ts'

/**
 * Names an admin, or takes them off. Named can be who has a password and a second factor.
 *
 * @param specialPlans plans that single sign-on comes with; somebody is taken off on every plan
 * @throws InputError, also `last_break_glass` for the last who can log in, while a domain is for single sign-on only
 */
export async function nameBreakGlass(
  directory: Directory,
  { userId, ...choice }: SsoChoice & { readonly userId: string },
  named: boolean,
  specialPlans: readonly string[],
): Promise<{ readonly admin: SsoAdmin; readonly changed: boolean }> {
  const rules = { specialPlans: named ? specialPlans : undefined, oneAtATime: true }
  const { result, changed } = await changeSso(directory, choice, rules, async organisation => {
    const who = { id: userId, organisationId: organisation.id }
    const admin = await readSsoAdmin(directory.database, who)
    if (admin === undefined) throw ssoFault('user', 'gone', 'is no active admin of this organisation')
    if (admin.breakGlass === named) return { unchanged: admin }
    if (named && !isReady(admin)) {
      throw ssoFault('user', 'not_ready', 'has no password, or no second factor')
    }
    if (
      !named &&
      organisation.ssoOnlyDomains > 0 &&
      organisation.readyBreakGlass <= (isReady(admin) ? 1 : 0)
    ) {
      throw new InputError('user', 'is the last break-glass admin, and a domain is for single sign-on only', {
        reason: 'last_break_glass',
      })
    }
    return {
      writes: [setBreakGlass(who, named)],
      event: 'sso.break_glass_changed',
      accountId: admin.id,
      details: { named },
      result: { ...admin, breakGlass: named },
    }
  })
  return { admin: result, changed }
}

/** Whether somebody could log in without the identity provider. */
export function isReady({ hasPassword, secondFactor }: SsoAdmin): boolean {
  return hasPassword && secondFactor
}
