// Which plans are special: those that single sign-on and policies of one's own come with. A plan is a free text of the
// vendor's; the operator names the special ones. What each of them allows is decided where it is asked for.

/** What holds where the operator names none: the top plans of the two product lines. */
export const SPECIAL_PLANS: readonly string[] = ['Enterprise', 'Superpower']

/**
 * @param plan as the organisation has it
 * @param special as the operator has them; compared without case and outer spaces
 */
export function isSpecialPlan(plan: string, special: readonly string[]): boolean {
  const wanted = planKey(plan)
  return special.some(each => planKey(each) === wanted)
}

/** A plan without case and outer spaces. */
export function planKey(plan: string): string {
  return plan.normalize('NFC').trim().toLowerCase()
}
