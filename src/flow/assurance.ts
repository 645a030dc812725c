// Law 2: the level is derived, never stored. From the factors that were verified, and when, follow `amr` (RFC 8176),
// the levels that are met, and the time that a token may state for each. Pure: no clock, no storage, no library.

/** A way of proving who one is. `recovery` and `mail` let somebody through a gate; neither ever raises a level. */
export type Factor = 'pwd' | 'otp' | 'passkey' | 'sso' | 'recovery' | 'mail'

/** One factor that was verified. */
export interface Fact {
  readonly factor: Factor
  /** What it was: `pwd`, `otp`, `swk` or `hwk` (a passkey that can or cannot be synced), an SSO connection's `1fa` or `2fa`. */
  readonly kind: string
  /** Milliseconds since 1970. */
  readonly verifiedAt: number
  /** The passkey, or the SSO connection. */
  readonly credentialId?: string
  /** The session at the upstream that an SSO login is of. */
  readonly upstreamSession?: string
  /** Proven before this request, as the upstream says: nobody was asked for it. */
  readonly earlier?: true
}

/** Weakest first. */
export const LEVELS = ['1fa', '2fa', 'phr'] as const
export type Level = (typeof LEVELS)[number]

export const ACR: Record<Level, string> = {
  '1fa': 'urn:sallyport:acr:1fa',
  '2fa': 'urn:sallyport:acr:2fa',
  // OpenID Connect Extended Authentication Profile (EAP) ACR Values 1.0
  phr: 'phr',
}

/** Names that other systems use for our levels; the operator adds more. */
export const ACR_ALIASES: Readonly<Record<string, Level>> = {
  'http://schemas.openid.net/pape/policies/2007/06/multi-factor': '2fa',
}

/**
 * The level that an acr value names.
 *
 * @param aliases further names, by configuration
 * @returns undefined for a value that we don't know
 */
export function levelOf(
  acr: string,
  aliases: Readonly<Record<string, Level>> = ACR_ALIASES,
): Level | undefined {
  return LEVELS.find(level => ACR[level] === acr) ?? (Object.hasOwn(aliases, acr) ? aliases[acr] : undefined)
}

/**
 * When a level was reached: the newest time of a factor that meets the level by itself or completes it.
 *
 * @returns milliseconds since 1970, or undefined if the facts don't meet the level
 */
export function reachedAt(level: Level, facts: readonly Fact[]): number | undefined {
  const passkey = newest(facts, each => each.factor === 'passkey')
  if (level === 'phr') return passkey
  const sso2fa = newest(facts, each => each.factor === 'sso' && each.kind === '2fa')
  const first = newest(facts, each => each.factor === 'pwd' || each.factor === 'sso')
  const code = newest(facts, each => each.factor === 'otp')
  // A code completes a passkey of before too: it proves anew what the passkey proved then.
  if (level === '2fa') return latest(passkey, sso2fa, latest(first, passkey) === undefined ? undefined : code)
  return latest(passkey, first, code)
}

/** Whether the facts meet a level, if `since` is given by a factor verified at that time or later. */
export function meets(level: Level, facts: readonly Fact[], since = Number.NEGATIVE_INFINITY): boolean {
  const reached = reachedAt(level, facts)
  return reached !== undefined && reached >= since
}

/** How old a factor may be that a change to somebody's factors stands on. */
export const FRESH_MS = 5 * 60_000

/**
 * Whether some of the facts meet a level by themselves, or complete it: a code does, with a first factor or a passkey
 * of before.
 *
 * @param held all that counts, `some` among it or not
 */
export function provenBy(level: Level, some: readonly Fact[], held: readonly Fact[]): boolean {
  const here = some.filter(each => each.earlier !== true)
  if (meets(level, here)) return true
  const codes = here.filter(each => each.factor === 'otp')
  return level !== 'phr' && codes.length > 0 && meets(level, [...held, ...codes])
}

/** Whether the facts are enough where a second factor is due. A recovery code is, and raises no level by it. */
export function throughGate(facts: readonly Fact[]): boolean {
  return meets('2fa', facts) || facts.some(each => each.factor === 'recovery')
}

/** The strongest level that the facts meet. */
export function strongest(facts: readonly Fact[]): Level | undefined {
  return LEVELS.findLast(level => meets(level, facts))
}

/**
 * `amr` (RFC 8176): only registered values, `mfa` only where two kinds of factor were proven.
 * A recovery code or a mailed code is in nobody's amr.
 */
export function amrOf(facts: readonly Fact[]): string[] {
  const amr: string[] = []
  if (facts.some(each => each.factor === 'pwd')) amr.push('pwd')
  if (facts.some(each => each.factor === 'otp')) amr.push('otp')
  const passkey = newestFact(facts.filter(each => each.factor === 'passkey'))
  if (passkey !== undefined) amr.push(passkey.kind === 'hwk' ? 'hwk' : 'swk', 'user', 'pop')
  if (meets('2fa', facts)) amr.push('mfa')
  return amr
}

/**
 * Joins facts, the newest time per factor.
 *
 * @returns one fact per factor
 */
export function mergeFacts(...lists: readonly (readonly Fact[])[]): Fact[] {
  const merged = new Map<Factor, Fact>()
  for (const fact of lists.flat()) {
    const held = merged.get(fact.factor)
    if (held === undefined || held.verifiedAt <= fact.verifiedAt) merged.set(fact.factor, fact)
  }
  return [...merged.values()]
}

/** What an authorization request asks of the authentication. */
export interface Asked {
  /** Each list must be met, by any one of its values. First the request's own, then what the client is registered with. */
  readonly acr: readonly (readonly string[])[]
  /** Seconds; a factor that meets the level must be at most this old. */
  readonly maxAge?: number
}

export type Verdict =
  | { readonly outcome: 'met'; readonly acr: string; readonly authTime: number }
  /** The level to reach, and since when; `able` says whether this user can. */
  | { readonly outcome: 'missing'; readonly level: Level; readonly since: number; readonly able: boolean }
  /** Nobody can meet it: none of the values of a list is known. */
  | { readonly outcome: 'unmet' }

export interface Judging {
  readonly asked: Asked
  readonly facts: readonly Fact[]
  /** The level that freshness is judged on if the request asks for none. */
  readonly gate: Level
  /** Levels that this user could meet by what is enrolled or may be enrolled now. */
  readonly able: readonly Level[]
  /** Milliseconds since 1970. */
  readonly now: number
  readonly aliases?: Readonly<Record<string, Level>>
  /** Of levels that nobody asked for, those that may be stated; default: any that is met. */
  readonly stateable?: (level: Level) => boolean
}

/**
 * Whether what was asked is met now, could be met, or cannot be.
 *
 * Within a list any one value suffices: the first that is met now, else the first that this user can meet. Unknown
 * values are skipped, a list of unknown values only cannot be met (RFC 9470 section 5, OpenID Connect Core 5.5.1.1),
 * whatever the other lists say. Of several lists that are not met, the strongest level is the one to reach: it meets
 * the others too.
 */
export function judge({
  asked,
  facts,
  gate,
  able,
  now,
  aliases = ACR_ALIASES,
  stateable = () => true,
}: Judging): Verdict {
  const since = asked.maxAge === undefined ? Number.NEGATIVE_INFINITY : now - asked.maxAge * 1000
  let met: { acr: string; level: Level } | undefined
  let missing: { level: Level; able: boolean } | undefined
  for (const list of asked.acr) {
    const known = list.flatMap(acr => {
      const level = levelOf(acr, aliases)
      return level === undefined ? [] : [{ acr, level }]
    })
    const hit = known.find(each => meets(each.level, facts, since))
    const reachable = known.find(each => able.includes(each.level))
    const wanted = reachable ?? known[0]
    if (wanted === undefined) return { outcome: 'unmet' }
    if (hit === undefined) {
      missing = {
        level: missing !== undefined && outranks(missing.level, wanted.level) ? missing.level : wanted.level,
        able: missing?.able !== false && reachable !== undefined,
      }
    } else if (met === undefined || outranks(hit.level, met.level)) met = hit
  }
  if (missing !== undefined) return { outcome: 'missing', ...missing, since }
  if (met === undefined) {
    if (asked.maxAge !== undefined && !meets(gate, facts, since)) {
      return { outcome: 'missing', level: gate, since, able: able.includes(gate) }
    }
    const level = strongest(facts)
    if (level === undefined) return { outcome: 'missing', level: '1fa', since, able: true }
    // With max_age the stated time must be within it, so the level must be one that was reached since.
    const stated = LEVELS.findLast(each => meets(each, facts, since) && stateable(each)) ?? level
    met = { acr: ACR[stated], level: stated }
  }
  // Where the clock was set back, or a replica's is ahead, a token still states no time that is yet to come.
  return { outcome: 'met', acr: met.acr, authTime: Math.min(reachedAt(met.level, facts) ?? now, now) }
}

function outranks(a: Level, b: Level): boolean {
  return LEVELS.indexOf(a) > LEVELS.indexOf(b)
}

function newest(facts: readonly Fact[], which: (fact: Fact) => boolean): number | undefined {
  return newestFact(facts.filter(which))?.verifiedAt
}

function newestFact(facts: readonly Fact[]): Fact | undefined {
  return facts.toSorted((a, b) => b.verifiedAt - a.verifiedAt)[0]
}

function latest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter(each => each !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}
