// What the page of the audit log shows, as its address says it: event, person, days, page. Read strictly, since addresses
// are typed, shared and forged; written back so that each link changes one thing and keeps the rest. Leaves out what
// comes of it (audit.ts).

import { AppError } from '../errors.ts'
import { readAccount, readAccountByEmail } from '../store/accounts/accounts.ts'
import { type ListedUser, readUserPage, wordsOf } from '../store/accounts/user-list.ts'
import type { AuditEvent } from '../store/audit/audit.ts'
import {
  type AuditFilter,
  type AuditPlace,
  parseAuditKey,
  spellAuditKey,
} from '../store/audit/audit-events.ts'
import { AUDIT_EVENTS } from '../store/audit/audit-meanings.ts'
import type { Database } from '../store/database.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const LONGEST_PERSON = 200

export interface AuditQuery {
  readonly event: AuditEvent | undefined
  /** As it was typed. */
  readonly person: string
  /** Whole days in UTC, both included: `2026-05-14`. */
  readonly from: string
  readonly to: string
  readonly place: AuditPlace | undefined
}

/**
 * @param query of the request's address; a form leaves what nobody filled in empty, which is the same as nothing
 * @throws AppError bad_request for what no form and no link of ours sends
 */
export function readAuditQuery(query: URLSearchParams): AuditQuery {
  const text = (name: string) => query.get(name) ?? ''
  const event = text('event')
  const known = AUDIT_EVENTS.find(each => each === event)
  if (event !== '' && known === undefined) throw new AppError('bad_request', 'event has an unknown value')
  const person = text('person').trim()
  if (person.includes('\0') || person.length > LONGEST_PERSON) throw new AppError('bad_request', 'person')
  return {
    event: known,
    person,
    from: dayOf(text('from')),
    to: dayOf(text('to')),
    place: placeOf(query, 'after') ?? placeOf(query, 'before'),
  }
}

/** The address's query for what a link leads to: the same but for the change, from the newest page on. */
export function writeAuditQuery(query: AuditQuery, change: Partial<AuditQuery> = {}): string {
  const { event = '', person, from, to, place } = { ...query, place: undefined, ...change }
  const entries = Object.entries({
    event,
    person,
    from,
    to,
    ...(place === undefined ? {} : { [place.direction]: spellAuditKey(place.key) }),
  }).filter(([, value]) => value !== '')
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries)}`
}

/** All of the filter but the person, who has to be looked up. */
export function rangeOf({ event, from, to }: AuditQuery): AuditFilter {
  return {
    event,
    from: from === '' ? undefined : Date.parse(from),
    to: to === '' ? undefined : Date.parse(to) + DAY_MS,
  }
}

/** Whom somebody meant: one, one of several, or nobody of this organisation. */
export type Found =
  | { readonly kind: 'one'; readonly id: string }
  | { readonly kind: 'several'; readonly users: readonly ListedUser[]; readonly more: boolean }
  | { readonly kind: 'nobody' }

const MOST_OFFERED = 8

/**
 * Looks a person up among the organisation's users: by the whole email address or id, then as the list of users
 * searches. `operator` is the command line, unless a user is called so.
 */
export async function findPerson(database: Database, organisationId: string, typed: string): Promise<Found> {
  const exact = typed.includes('@')
    ? await readAccountByEmail(database, typed)
    : typed.startsWith('usr_')
      ? await readAccount(database, typed)
      : undefined
  if (exact?.organisationId === organisationId) return { kind: 'one', id: exact.id }
  const words = wordsOf(typed)
  if (words.length === 0) return { kind: 'nobody' }
  const order = { by: 'name', descending: false } as const
  const { users, after } = await readUserPage(database, organisationId, { words }, order, MOST_OFFERED)
  const [first] = users
  if (first === undefined) {
    return typed.toLowerCase() === 'operator' ? { kind: 'one', id: 'operator' } : { kind: 'nobody' }
  }
  if (users.length === 1) return { kind: 'one', id: first.id }
  return { kind: 'several', users, more: after !== undefined }
}

function dayOf(text: string): string {
  if (text === '') return text
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN
  // The 30th of February is parsed, as another day.
  if (Number.isNaN(time) || !new Date(time).toISOString().startsWith(text)) {
    throw new AppError('bad_request', 'a day that no calendar has')
  }
  return text
}

/** @throws AppError bad_request for what no link of ours leads to */
export function placeOf(query: URLSearchParams, direction: AuditPlace['direction']): AuditPlace | undefined {
  const text = query.get(direction)
  if (text === null) return undefined
  const key = parseAuditKey(text)
  if (key === undefined) throw new AppError('bad_request', 'a place that no page has')
  return { key, direction }
}
