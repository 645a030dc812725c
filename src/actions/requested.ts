// What a request asks to have confirmed: `authorization_details` (RFC 9396) held against the actions that its app has
// registered. Exactly one action a request: a confirmation is of one thing. Pure.

import { ACTION_TYPE, type ActionRequest, actionHash } from './binding.ts'
import type { ProtectedAction } from './registry.ts'
import { type Rule, strictest } from './rules.ts'
import { fillTitle, textFault } from './titles.ts'

export const MOST_OBJECTS = 1000
const LONGEST_VALUE = 200
const MEMBERS = ['type', 'action', 'objects', 'fields']

/** An action that somebody is asked to confirm. */
export interface RequestedAction extends ActionRequest {
  readonly hash: string
  /** Filled: `delete 2 devices at Acme`. */
  readonly title: string
  /** What the objects are called, where the app has said so. */
  readonly noun: string | undefined
  readonly rule: Rule
}

export type Read =
  | { readonly ok: true; readonly action: RequestedAction }
  | { readonly ok: false; readonly fault: string }

/** The members of the parameter; undefined: it is absent, or not a list. */
export function detailsOf(parameter: unknown): readonly unknown[] | undefined {
  if (typeof parameter !== 'string') return undefined
  try {
    const value: unknown = JSON.parse(parameter)
    return Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Whether a member is one of ours; a host of the plugin may have types of its own. */
export function isAction(detail: unknown): detail is { readonly type: typeof ACTION_TYPE } {
  return typeof detail === 'object' && detail !== null && 'type' in detail && detail.type === ACTION_TYPE
}

/**
 * Reads the action out of a request.
 *
 * @param actions what the app has registered
 * @param tightened what the user's organisation demands of this app's actions
 * @returns undefined for a request without one
 */
export function readAction(
  parameter: unknown,
  actions: readonly ProtectedAction[],
  tightened: readonly { readonly action: string; readonly rule: Rule }[] = [],
): Read | undefined {
  const details = detailsOf(parameter)
  if (details === undefined || !details.some(isAction)) return undefined
  if (details.length > 1)
    return { ok: false, fault: 'a request holds one protected action, and nothing beside it' }
  const request = requestOf(details[0] as Record<string, unknown>, actions)
  if ('fault' in request) return { ok: false, fault: request.fault }
  const { definition, objects, fields } = request
  const asked = { action: definition.id, objects, fields }
  const { title, titleOne = title } = definition
  return {
    ok: true,
    action: {
      ...asked,
      hash: actionHash(asked),
      title: fillTitle(objects.length === 1 ? titleOne : title, asked),
      noun: definition.objects,
      rule: strictest(
        definition.rule,
        ...tightened.filter(each => each.action === definition.id).map(each => each.rule),
      ),
    },
  }
}

function requestOf(
  detail: Readonly<Record<string, unknown>>,
  actions: readonly ProtectedAction[],
):
  | { definition: ProtectedAction; objects: readonly string[]; fields: Readonly<Record<string, string>> }
  | { fault: string } {
  const { action, objects, fields = {} } = detail
  if (Object.keys(detail).some(each => !MEMBERS.includes(each))) {
    return { fault: `a protected action has ${MEMBERS.join(', ')}, and nothing else` }
  }
  const definition = actions.find(each => each.id === action)
  if (definition === undefined) return { fault: 'the action is not registered for this client' }
  if (!Array.isArray(objects) || objects.length === 0 || objects.length > MOST_OBJECTS) {
    return { fault: `objects must be a list of 1 to ${MOST_OBJECTS} texts` }
  }
  for (const each of objects) {
    const fault = textFault(each, LONGEST_VALUE)
    if (fault !== undefined) return { fault: `each of objects ${fault}` }
  }
  if (new Set(objects).size < objects.length) return { fault: 'objects has one of them twice' }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    return { fault: 'fields must be an object' }
  const given = fields as Record<string, unknown>
  if (Object.keys(given).some(each => !definition.fields.includes(each))) {
    return { fault: `fields of this action: ${definition.fields.join(', ') || 'none'}` }
  }
  const read: Record<string, string> = {}
  for (const name of definition.fields) {
    if (!Object.hasOwn(given, name)) return { fault: `the field ${name} is missing` }
    const fault = textFault(given[name], LONGEST_VALUE)
    if (fault !== undefined) return { fault: `the field ${name} ${fault}` }
    read[name] = String(given[name])
  }
  return { definition, objects: objects as string[], fields: read }
}
