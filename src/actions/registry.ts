// Which actions an app may have confirmed: what its developers wrote in a file, judged before it is stored, so that
// nothing reaches a page that was not looked at. Leaves out what a request makes of an action (requested.ts).

import { didYouMean } from '../did-you-mean.ts'
import { InputError } from '../organisations/directory.ts'
import { type Rule, readRule } from './rules.ts'
import { isBalanced, placeholdersOf, textFault } from './titles.ts'

/** An action, as an app has registered it. */
export interface ProtectedAction {
  /** `device.delete` */
  readonly id: string
  /** `delete {count} devices at {site}`: `{count}` is the number of objects, the rest are fields. */
  readonly title: string
  /** The title for exactly one object; default: the title. */
  readonly titleOne?: string
  /** What the objects are called where there are several, such as `devices`. */
  readonly objects?: string
  readonly fields: readonly string[]
  readonly rule: Rule
}

const MOST_ACTIONS = 100
const MOST_FIELDS = 10
const LONGEST_TITLE = 120
const NAMES = ['id', 'title', 'titleOne', 'objects', 'fields', 'rule']

/**
 * Reads a list of actions.
 *
 * @throws InputError naming the action and what is wrong with it
 */
export function checkActions(value: unknown): ProtectedAction[] {
  if (!Array.isArray(value)) throw new InputError('actions', 'must be a list')
  if (value.length > MOST_ACTIONS) throw new InputError('actions', `must be at most ${MOST_ACTIONS}`)
  const ids = new Set<string>()
  return value.map((each, index) => {
    const action = checkAction(each, index)
    if (ids.has(action.id)) throw new InputError(`action "${action.id}"`, 'is there twice')
    ids.add(action.id)
    return action
  })
}

function checkAction(value: unknown, index: number): ProtectedAction {
  const nameless = `action no. ${index + 1}`
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError(nameless, 'must be an object with id, title, fields and rule')
  }
  const { id, title, titleOne, objects, fields = [], rule, ...rest } = value as Record<string, unknown>
  if (typeof id !== 'string' || !/^[a-z][a-z0-9]*([._-][a-z0-9]+)*$/.test(id) || id.length > 100) {
    throw new InputError(
      nameless,
      'has no id such as device.delete (small letters, digits, and . _ - between them)',
    )
  }
  const fault = (message: string): never => {
    throw new InputError(`action "${id}"`, message)
  }
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) {
    fault(`has "${shownName(unknown)}", which is nothing that an action has${didYouMean(unknown, NAMES)}`)
  }
  const names = checkFields(fields, fault)
  const read = readRule(rule)
  if (read === undefined) return fault('has no rule: "off", {"within": seconds}, "always" or "passkey"')
  return {
    id,
    title: checkTitle('title', title, names, fault),
    ...(titleOne === undefined ? {} : { titleOne: checkTitle('titleOne', titleOne, names, fault) }),
    ...(objects === undefined ? {} : { objects: checkText('objects', objects, 40, fault) }),
    fields: names,
    rule: read,
  }
}

function checkFields(value: unknown, fault: (message: string) => never): string[] {
  if (!Array.isArray(value) || value.length > MOST_FIELDS)
    return fault(`has no list of at most ${MOST_FIELDS} fields`)
  for (const name of value) {
    if (typeof name !== 'string' || !/^[A-Za-z][A-Za-z0-9_]{0,39}$/.test(name)) {
      fault('has a field whose name is not a letter followed by letters, digits and _')
    }
    if (name === 'count') fault('has a field count, which is the number of objects')
  }
  if (new Set(value).size < value.length) fault('has a field twice')
  return value as string[]
}

function checkTitle(
  name: string,
  value: unknown,
  fields: readonly string[],
  fault: (message: string) => never,
): string {
  const title = checkText(name, value, LONGEST_TITLE, fault)
  if (!isBalanced(title)) fault(`has a ${name} with a brace that is no placeholder`)
  const unknown = placeholdersOf(title).find(each => each !== 'count' && !fields.includes(each))
  if (unknown !== undefined) {
    fault(
      `has a ${name} with {${unknown}}, which is none of its fields${didYouMean(unknown, [...fields, 'count'])}`,
    )
  }
  return title
}

function checkText(name: string, value: unknown, longest: number, fault: (message: string) => never): string {
  const wrong = textFault(value, longest)
  if (wrong !== undefined) fault(`has a ${name} that ${wrong}`)
  return String(value)
}

/** A name of somebody's choosing, for a message of one line. */
function shownName(name: string): string {
  return name.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 40)
}
