// An action in its canonical form, and the hash of it: what a user confirmed is compared by it, at the provider and at
// the app, so it is the same for requests that mean the same. Pure but for the hash function.

import { createHash } from 'node:crypto'

/** The one type of `authorization_details` (RFC 9396) that is ours. */
export const ACTION_TYPE = 'protected_action'

/** What an app asks to have confirmed. */
export interface ActionRequest {
  readonly action: string
  /** What the action is done to: a set. */
  readonly objects: readonly string[]
  readonly fields: Readonly<Record<string, string>>
}

/**
 * The canonical form: JSON without spaces, `["protected_action", action, [objects], [[name, value], …]]`, with objects as
 * a sorted set and fields sorted by name.
 */
export function canonicalAction({ action, objects, fields }: ActionRequest): string {
  // The default order of sort is that of UTF-16 code units, in every locale (as RFC 8785 section 3.2.3 has it). Pairs,
  // since JavaScript has an order of its own for names that look like numbers.
  const sorted = Object.keys(fields)
    .sort()
    .map(name => [name, fields[name]])
  return JSON.stringify([ACTION_TYPE, action, [...new Set(objects)].sort(), sorted])
}

/** SHA-256 of the canonical form, base64url: also the `authorization_reference` of a challenge. */
export function actionHash(request: ActionRequest): string {
  return createHash('sha256').update(canonicalAction(request)).digest('base64url')
}
