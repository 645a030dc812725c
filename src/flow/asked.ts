// What an authorization request asks of the authentication, read from its parameters and from what its client is
// registered with. The library lets `acr_values` overwrite an essential `acr` claim and lets both be lowered in the
// address bar; here each must be met, and `minimum_acr` is a floor that no parameter lowers. Pure.

import type { Asked } from './assurance.ts'

/** Parameters of the authorization request, as the library has parsed them. */
export interface RequestParams {
  readonly acr_values?: unknown
  readonly claims?: unknown
  readonly max_age?: unknown
  readonly prompt?: unknown
  readonly scope?: unknown
}

export interface ClientDefaults {
  /** OpenID Connect Registration: applies where the request asks nothing. */
  readonly defaultAcrValues?: readonly string[] | undefined
  /** Ours: always applies. */
  readonly minimumAcr?: string | undefined
  /** Ours: apply whenever the scope is asked for. */
  readonly scopeRules?: ScopeRules | undefined
}

/** What a scope asks of the authentication, by the scope: for apps that can send nothing but their scopes. */
export type ScopeRules = Readonly<Record<string, ScopeRule>>

export interface ScopeRule {
  /** Values as in `acr_values`; any one of them must be met. */
  readonly acr_values?: string
  /** Seconds. */
  readonly max_age?: number
}

/** A user who comes straight from the page must not be asked again. */
const SHORTEST_MAX_AGE = 30

/** What is wrong with the client metadata `scope_rules`; undefined: nothing. */
export function scopeRulesFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'must be an object: {"scope": {"acr_values": "…", "max_age": seconds}}'
  }
  for (const [scope, rule] of Object.entries(value)) {
    // RFC 6749 section 3.3
    if (!/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(scope)) return 'names something that is no scope'
    if (typeof rule !== 'object' || rule === null || Array.isArray(rule)) return `has no rule for ${scope}`
    const { acr_values: acr, max_age: maxAge, ...rest } = rule as Record<string, unknown>
    const [unknown] = Object.keys(rest)
    if (unknown !== undefined) return `has for ${scope} what is neither acr_values nor max_age`
    if (acr === undefined && maxAge === undefined) return `has nothing for ${scope}`
    if (acr !== undefined && (typeof acr !== 'string' || acr.trim() === '')) {
      return `has for ${scope} acr_values that are no text`
    }
    const seconds =
      maxAge === undefined || (Number.isSafeInteger(maxAge) && Number(maxAge) >= SHORTEST_MAX_AGE)
    if (!seconds)
      return `has for ${scope} a max_age that is no number of seconds, ${SHORTEST_MAX_AGE} or more`
  }
  return undefined
}

/** Reads what is asked. Parameters that are not what they should be were refused by the library before. */
export function readAsked(params: RequestParams, client: ClientDefaults = {}): Asked {
  const acr: string[][] = []
  // A parameter without a value is one that was left out (RFC 6749 section 3.1).
  const values = typeof params.acr_values === 'string' ? params.acr_values.split(' ').filter(Boolean) : []
  if (values.length > 0) acr.push(values)
  const essential = essentialAcr(params.claims)
  if (essential !== undefined) acr.push(essential)
  if (acr.length === 0 && client.defaultAcrValues?.length) acr.push([...client.defaultAcrValues])
  if (client.minimumAcr !== undefined) acr.push([client.minimumAcr])
  const ages = params.max_age === undefined ? [] : [Number(params.max_age)]
  for (const rule of rulesOf(params.scope, client.scopeRules)) {
    if (rule.acr_values !== undefined) acr.push(rule.acr_values.split(' ').filter(Boolean))
    if (rule.max_age !== undefined) ages.push(rule.max_age)
  }
  const known = ages.filter(each => !Number.isNaN(each))
  return known.length === 0 ? { acr } : { acr, maxAge: Math.min(...known) }
}

function rulesOf(scope: unknown, rules: ScopeRules = {}): ScopeRule[] {
  const asked = typeof scope === 'string' ? new Set(scope.split(' ')) : new Set<string>()
  return Object.entries(rules).flatMap(([name, rule]) => (asked.has(name) ? [rule] : []))
}

/** Whether the request starts from nothing: `prompt=login`, which `max_age=0` is turned into. */
export function startsFromNothing(params: RequestParams): boolean {
  return typeof params.prompt === 'string' && params.prompt.split(' ').includes('login')
}

/** `claims.id_token.acr` (OpenID Connect Core 5.5.1.1); the one under `userinfo` asks nothing of a login. */
function essentialAcr(claims: unknown): string[] | undefined {
  if (typeof claims !== 'string') return undefined
  const request = (JSON.parse(claims) as { id_token?: { acr?: Record<string, unknown> | null } }).id_token
    ?.acr
  if (request?.essential !== true) return undefined
  // `values` of the wrong type asks for something, though nobody can say what: a list that cannot be met.
  if (request.values !== undefined) return Array.isArray(request.values) ? request.values.map(textOf) : []
  return request.value === undefined ? undefined : [textOf(request.value)]
}

/** Whom an ID token that was verified before is about; undefined for one that says nothing readable. */
export function subjectOf(idToken: string): string | undefined {
  try {
    const payload = JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString()) as {
      sub?: unknown
    }
    return typeof payload.sub === 'string' ? payload.sub : undefined
  } catch {
    return undefined
  }
}

/** What is no text is no level's name either; an object may not even be turned into text. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
