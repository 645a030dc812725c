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
}

export interface ClientDefaults {
  /** OpenID Connect Registration: applies where the request asks nothing. */
  readonly defaultAcrValues?: readonly string[] | undefined
  /** Ours: always applies. */
  readonly minimumAcr?: string | undefined
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
  const maxAge = params.max_age === undefined ? undefined : Number(params.max_age)
  return maxAge === undefined || Number.isNaN(maxAge) ? { acr } : { acr, maxAge }
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
