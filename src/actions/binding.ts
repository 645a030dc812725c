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
 * The canonical form: JSON without spaces, keys sorted by code unit, objects a sorted set.
 *
 * `{"action":…,"fields":{…},"objects":[…],"type":"protected_action"}`
 */
export function canonicalAction({ action, objects, fields }: ActionRequest): string {
  // The default order of sort is that of UTF-16 code units, in every locale (as RFC 8785 section 3.2.3 has it).
  const sorted = Object.fromEntries(
    Object.keys(fields)
      .sort()
      .map(name => [name, fields[name]]),
  )
  return JSON.stringify({ action, fields: sorted, objects: [...new Set(objects)].sort(), type: ACTION_TYPE })
}

/** SHA-256 of the canonical form, base64url: also the `authorization_reference` of a challenge. */
export function actionHash(request: ActionRequest): string {
  return createHash('sha256').update(canonicalAction(request)).digest('base64url')
}
