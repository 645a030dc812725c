// What the list of users shows, as its address says it: search, filters, order, page. Read strictly, since addresses
// are typed, shared and forged; written back so that each link changes one thing and keeps the rest. Pure.

import { AppError } from '../errors.ts'
import {
  STANDINGS,
  USER_SORTS,
  type UserFilter,
  type UserKey,
  type UserOrder,
  type UserPage,
  type UserPlace,
  wordsOf,
} from '../store/accounts/user-list.ts'

const LISTED_ROLES = ['admin', 'technician'] as const

export interface UserQuery {
  /** As it was typed. */
  readonly q: string
  readonly role: (typeof LISTED_ROLES)[number] | undefined
  readonly standing: (typeof STANDINGS)[number] | undefined
  readonly order: UserOrder
  readonly place: UserPlace | undefined
  /** The position of the page's first row, for its reader; at least 1. */
  readonly from: number
  /** Everything that matches is selected, on all pages. */
  readonly all: boolean
}

const FIRST = { place: undefined, from: 1, all: false } as const

/**
 * @param query of the request's address; what it does not name is as it is at first
 * @throws AppError bad_request for a value that no link of ours has
 */
export function readUserQuery(query: URLSearchParams): UserQuery {
  // PostgreSQL takes no such text.
  if ((query.get('q') ?? '').includes('\0')) throw new AppError('bad_request', 'NUL in q')
  const by = query.get('sort') ?? 'name'
  const name = by.replace(/^-/, '')
  const [after, before] = [query.get('after'), query.get('before')]
  const order = { by: oneOf('sort', name, USER_SORTS) ?? 'name', descending: by.startsWith('-') }
  const from = Number(query.get('from') ?? 1)
  if (!Number.isSafeInteger(from) || from < 1) throw new AppError('bad_request', 'from')
  return {
    q: (query.get('q') ?? '').slice(0, 200),
    role: oneOf('role', query.get('role'), LISTED_ROLES),
    standing: oneOf('standing', query.get('standing'), STANDINGS),
    order,
    place:
      after !== null
        ? { key: keyOf(after, order), direction: 'after' }
        : before !== null
          ? { key: keyOf(before, order), direction: 'before' }
          : undefined,
    from,
    all: query.get('select') === 'all',
  }
}

/** The address's query for what a link leads to: the same but for the change, from the first page on. */
export function writeUserQuery(query: UserQuery, change: Partial<UserQuery> = {}): string {
  const { q, role, standing, order, place, from, all } = { ...query, ...FIRST, ...change }
  const entries = Object.entries({
    q: q || undefined,
    role,
    standing,
    sort: order.by === 'name' && !order.descending ? undefined : `${order.descending ? '-' : ''}${order.by}`,
    [place?.direction ?? 'after']: place && spellUserKey(place.key),
    from: from > 1 ? String(from) : undefined,
    select: all ? 'all' : undefined,
  }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as [string, string]]))
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries)}`
}

/** What the store looks for. */
export function filterOf({ q, role, standing }: UserQuery): UserFilter {
  return { words: wordsOf(q), role, standing }
}

function oneOf<T extends string>(name: string, value: string | null, known: readonly T[]): T | undefined {
  if (value === null || value === '') return undefined
  const found = known.find(each => each === value)
  if (found === undefined) throw new AppError('bad_request', `${name} has an unknown value`)
  return found
}

/** What the columns of each order are. */
const SHAPES: Record<UserOrder['by'], readonly ('string' | 'number')[]> = {
  name: ['string', 'string'],
  standing: ['number', 'string', 'string'],
  login: ['number', 'string'],
}

function keyOf(text: string, order: UserOrder): UserKey {
  const key = parseUserKey(text, order)
  if (key === undefined) throw new AppError('bad_request', 'a place that no page has')
  return key
}

/** A key in an address or an answer, and back; undefined for what is none in this order. */
export function spellUserKey(key: UserKey): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url')
}

export function parseUserKey(text: string, { by }: UserOrder): UserKey | undefined {
  let key: unknown
  try {
    key = JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    return undefined
  }
  const shape = SHAPES[by]
  const fits =
    Array.isArray(key) &&
    key.length === shape.length &&
    key.every((each, i) => typeof each === shape[i] && (typeof each !== 'string' || !each.includes('\0')))
  return fits ? (key as UserKey) : undefined
}

/** Which rows a page shows, and where the pages around it are. */
export function pagesOf(
  { from }: UserQuery,
  page: UserPage,
  mostRows: number,
  link: (change: Partial<UserQuery>) => string,
): { from: number; to: number; previous?: string; next?: string } {
  const { before, after, users } = page
  const previous = {
    place: { key: before ?? [], direction: 'before' },
    from: Math.max(1, from - mostRows),
  } as const
  const next = { place: { key: after ?? [], direction: 'after' }, from: from + users.length } as const
  return {
    from,
    to: from + users.length - 1,
    ...(before === undefined ? {} : { previous: link(previous) }),
    ...(after === undefined ? {} : { next: link(next) }),
  }
}
