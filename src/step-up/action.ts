// What an action is, and when two are the same: the same name, the same objects as a set, the same fields. One canonical
// text per action makes both questions, "the same?" and "which?", one comparison. Pure.

import { createHash } from 'node:crypto'
import { PROTECTED_ACTION } from './constants.ts'

/** One action on some objects, as authorization details (RFC 9396 section 2). */
export interface ProtectedAction {
  readonly type: 'protected_action'
  /** The name that it is registered with at the provider, for example `device.delete`. */
  readonly action: string
  /** Identifiers of what it is done to, at least one: a set, so neither order nor repetition counts. */
  readonly objects: readonly string[]
  /** Further values that are shown when it is confirmed. */
  readonly fields?: Readonly<Record<string, string>>
}

/** An action that was confirmed, as a token carries it. */
export interface ConfirmedAction extends ProtectedAction {
  readonly confirmation_id?: string
}

const KNOWN = ['type', 'action', 'objects', 'fields']

/**
 * The one text of an action: members in a fixed order, objects sorted and each once, fields sorted by name.
 *
 * @throws TypeError for what is no protected action: another type, objects or fields that are no strings, other members
 */
export function canonicalAction(action: ProtectedAction): string {
  const text = canonical(action)
  if (text === undefined) {
    throw new TypeError(
      `an action is {type: "${PROTECTED_ACTION}", action, objects, fields?}, with strings in objects, at least one, and in fields`,
    )
  }
  return text
}

/**
 * The reference of an action: SHA-256 of its canonical text, base64url. It names the action and tells nothing of it.
 *
 * @throws TypeError as {@link canonicalAction}
 */
export function actionReference(action: ProtectedAction): string {
  return createHash('sha256').update(canonicalAction(action)).digest('base64url')
}

/**
 * Whether details that a token carries are the action asked for. What has members that we don't know is not: they may
 * narrow what was confirmed.
 *
 * @param detail one member of the claim `authorization_details`, as it came
 */
export function sameAction(detail: unknown, action: ProtectedAction): boolean {
  if (!isRecord(detail)) return false
  const { confirmation_id: _, ...rest } = detail
  return canonical(rest) === canonicalAction(action)
}

function canonical(value: unknown): string | undefined {
  if (!isRecord(value) || !Object.keys(value).every(each => KNOWN.includes(each))) return undefined
  const { type, action, objects, fields = {} } = value
  if (type !== PROTECTED_ACTION || typeof action !== 'string' || action === '') return undefined
  if (!Array.isArray(objects) || objects.length === 0) return undefined
  if (!objects.every(each => typeof each === 'string')) return undefined
  if (!isRecord(fields) || !Object.values(fields).every(each => typeof each === 'string')) return undefined
  return JSON.stringify([
    type,
    action,
    [...new Set(objects)].sort(),
    Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)),
  ])
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
