// How strictly an action is confirmed. An app says so when it registers the action; an organisation may be stricter,
// never laxer. What a rule demands of a request follows here, and whether facts meet it. Pure.

import { type Fact, type Level, meets, provenBy } from '../flow/assurance.ts'

/**
 * `off`: nothing beyond what guards the login. `within`: two factors, reached at most so many seconds ago. `always`: a
 * second factor given for this request, on the page that names the action. `passkey`: the same, by a passkey.
 */
export type Rule = 'off' | { readonly within: number } | 'always' | 'passkey'

/** Shorter, a user who comes straight from the page would be asked again. */
export const SHORTEST_WITHIN = 30
export const LONGEST_WITHIN = 30 * 24 * 60 * 60

/** What a rule demands of one request. */
export interface Demand {
  /** Of the action, its objects and fields: what is confirmed is confirmed of exactly these. */
  readonly hash: string
  readonly level: Level
  /** Since when the level must be reached, milliseconds since 1970; `request`: by a factor of this very request. */
  readonly since: number | 'request'
}

/** Reads a rule. @returns undefined for what is none */
export function readRule(value: unknown): Rule | undefined {
  if (value === 'off' || value === 'always' || value === 'passkey') return value
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { within, ...rest } = value as { within?: unknown }
  if (Object.keys(rest).length > 0 || typeof within !== 'number' || !Number.isSafeInteger(within))
    return undefined
  return within >= SHORTEST_WITHIN && within <= LONGEST_WITHIN ? { within } : undefined
}

/** As it is written on a command line and stored: `within:300`. */
export function ruleText(rule: Rule): string {
  return typeof rule === 'string' ? rule : `within:${rule.within}`
}

/** The reverse of {@link ruleText}. */
export function ruleOfText(text: string): Rule | undefined {
  const within = /^within:(\d{1,9})$/.exec(text)?.[1]
  return readRule(within === undefined ? text : { within: Number(within) })
}

/** Whether the first rule demands more than the second: off < within (longer before shorter) < always < passkey. */
export function stricter(one: Rule, other: Rule): boolean {
  return strength(one) > strength(other)
}

/** The strictest of the app's rule and what an organisation made of it: a rule is tightened, never loosened. */
export function strictest(rule: Rule, ...others: readonly (Rule | undefined)[]): Rule {
  return others.reduce<Rule>((held, each) => (each !== undefined && stricter(each, held) ? each : held), rule)
}

function strength(rule: Rule): number {
  if (rule === 'off') return 0
  if (rule === 'always') return 2
  if (rule === 'passkey') return 3
  return 1 + 1 / (1 + rule.within)
}

/**
 * What a rule demands now.
 *
 * @param hash of the action
 * @param now milliseconds since 1970
 * @returns undefined: nothing
 */
export function demandOf(rule: Rule, hash: string, now: number): Demand | undefined {
  if (rule === 'off') return undefined
  if (rule === 'always') return { hash, level: '2fa', since: 'request' }
  if (rule === 'passkey') return { hash, level: 'phr', since: 'request' }
  return { hash, level: '2fa', since: now - rule.within * 1000 }
}

export interface Shown {
  /** Verified in this authorization request. */
  readonly verified: readonly Fact[]
  /** All that counts: these, and what the session holds. */
  readonly held: readonly Fact[]
  /** Hash of the action that the user confirmed in this authorization request. */
  readonly confirmed: string | undefined
}

/** What is missing of what a rule demands; undefined: nothing. */
export function lacking(demand: Demand, shown: Shown): 'factor' | 'confirmation' | undefined {
  if (!reached(demand, demand.level, shown)) return 'factor'
  return demand.since === 'request' && shown.confirmed !== demand.hash ? 'confirmation' : undefined
}

/** Whether a level was reached as freshly as a rule demands: only such a level is stated beside the action. */
export function reached(
  { since }: Demand,
  level: Level,
  { verified, held }: Omit<Shown, 'confirmed'>,
): boolean {
  return since === 'request' ? provenBy(level, verified, held) : meets(level, held, since)
}
