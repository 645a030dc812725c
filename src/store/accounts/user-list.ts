// An organisation's users as its admins look through them: searched by words, filtered, sorted, a page at a time by
// key. Every page is found by an index, however many users there are; counts stop at a limit instead of growing with
// them. Leaves out who may look (admin/), and what a filter looks like in an address.

import type { Database, Param, Row, Statement } from '../database.ts'
import { sql } from '../statement.ts'
import { nameKey, type Role, type Status } from './accounts.ts'

/**
 * Where a user stands with the second factor; the place in this list is what the database keeps, by the triggers of
 * migration 022. `at_provider`: nothing is set up here, and the last login at their identity provider proved two factors,
 * by a value that a connection which is on still trusts and addresses of their domain go to.
 */
export const STANDINGS = ['not_set_up', 'set_up', 'reset_pending', 'at_provider'] as const
export type Standing = (typeof STANDINGS)[number]

export const STATUSES = ['active', 'invited', 'locked', 'deactivated'] as const satisfies readonly Status[]

export interface UserFilter {
  /** Each must begin one of the words of the name, or the address, or its part from the @ on. At most four are looked at. */
  readonly words: readonly string[]
  readonly role?: Role | undefined
  readonly standing?: Standing | undefined
  readonly status?: Status | undefined
}

/**
 * The words of a search. One with a sign that addresses have is looked for as it is typed; of others, accents and
 * capitals do not matter.
 */
export function wordsOf(typed: string): string[] {
  return typed
    .normalize('NFC')
    .split(/\s+/)
    .flatMap(word => (/[@._+]/.test(word) ? [word.toLowerCase()] : nameKey(word).split(' ')))
    .filter(Boolean)
}

export const USER_SORTS = ['name', 'standing', 'login'] as const
export type UserSort = (typeof USER_SORTS)[number]

export interface UserOrder {
  readonly by: UserSort
  readonly descending: boolean
}

export interface ListedUser {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly role: Role
  readonly status: Status
  readonly standing: Standing
  readonly passkeys: number
  /** Milliseconds since 1970. */
  readonly lastLoginAt: number | null
  /** Their address takes no mail. */
  readonly mailRefused: boolean
}

/** A place between two rows: what the row is sorted by. */
export type UserKey = readonly Param[]

/** From where a page goes, and in which direction; absent: from the first row. */
export interface UserPlace {
  readonly key: UserKey
  readonly direction: 'after' | 'before'
}

export interface UserPage {
  readonly users: readonly ListedUser[]
  /** Where the page before and the next one go from; absent where there is none. */
  readonly before?: UserKey
  readonly after?: UserKey
}

const WORDS = 4
/** A search shows this many users at most: so many are taken before they are sorted. */
const MOST_FOUND = 10_000
/** Counts stop here. */
export const MOST_COUNTED = 10_000
const LAST = '\u{10FFFF}'

/** What rows are sorted by: the columns of one index, after the organisation. */
const KEYS: Record<UserSort, readonly string[]> = {
  name: ['name_key', 'id'],
  standing: ['second_factor', 'name_key', 'id'],
  login: ['coalesce(last_login_at, 0)', 'id'],
}

/**
 * Reads a page.
 *
 * @param limit rows of a page
 */
export async function readUserPage(
  database: Database,
  organisationId: string,
  filter: UserFilter,
  order: UserOrder,
  limit: number,
  place?: UserPlace,
): Promise<UserPage> {
  const backwards = place?.direction === 'before'
  const falling = order.descending !== backwards
  const columns = KEYS[order.by]
  const where = chosen(organisationId, filter)
  const between =
    place === undefined ? '' : `AND (${columns.join(', ')}) ${falling ? '<' : '>'} (${marks(place.key)})`
  const direction = falling ? ' DESC' : ''
  const statement = declared(
    `SELECT id, name, email, role, status, second_factor, last_login_at, mail_refused_at,
       (SELECT count(*) FROM passkeys p WHERE p.account_id = ${where.as}.id) AS passkeys,
       ${columns.map((column, i) => `${column} AS key_${i}`).join(', ')}
     FROM ${where.from} WHERE ${where.text} ${between}
     ORDER BY ${columns.map(each => `${each}${direction}`).join(', ')} LIMIT ?`,
  )
  const rows = await database.read(statement, [...where.params, ...(place?.key ?? []), limit + 1])
  const more = rows.length > limit
  const page = rows.slice(0, limit)
  if (backwards) page.reverse()
  const [first, last] = [page[0], page.at(-1)]
  const hasBefore = backwards ? more : place !== undefined
  const hasAfter = backwards ? place !== undefined : more
  return {
    users: page.map(userOf),
    ...(hasBefore && first !== undefined ? { before: keyOf(first, columns) } : {}),
    ...(hasAfter && last !== undefined ? { after: keyOf(last, columns) } : {}),
  }
}

export interface UserCount {
  readonly role: Role
  readonly standing: Standing
  readonly count: number
}

export interface UserCounts {
  /** Of those who match the words, by role and standing, whatever the filter says of those two. */
  readonly counts: readonly UserCount[]
  /** There are no more of them than {@link MOST_COUNTED}; else the counts are of some of them. */
  readonly complete: boolean
  /** How many match the whole filter; one more than {@link MOST_COUNTED} says more. */
  readonly matching: number
}

/** How many users match. Those of a filter are counted apart only where all together are too many. */
export async function countUsers(
  database: Database,
  organisationId: string,
  { role, standing, ...filter }: UserFilter,
): Promise<UserCounts> {
  const counts = await counted(database, organisationId, filter)
  const complete = total(counts) <= MOST_COUNTED
  const narrowed = role !== undefined || standing !== undefined
  const matching =
    complete || !narrowed
      ? counts.filter(
          each => (role ?? each.role) === each.role && (standing ?? each.standing) === each.standing,
        )
      : await counted(database, organisationId, { ...filter, role, standing })
  return { counts, complete, matching: total(matching) }
}

function total(counts: readonly UserCount[]): number {
  return counts.reduce((sum, each) => sum + each.count, 0)
}

async function counted(
  database: Database,
  organisationId: string,
  filter: UserFilter,
): Promise<readonly UserCount[]> {
  const where = chosen(organisationId, filter, MOST_COUNTED + 1)
  const statement = declared(
    `SELECT role, second_factor, count(*) AS n FROM
       (SELECT role, second_factor FROM ${where.from} WHERE ${where.text} LIMIT ${MOST_COUNTED + 1}) AS counted
     GROUP BY role, second_factor`,
  )
  const rows = await database.read(statement, where.params)
  return rows.map(row => ({
    role: row.role as Role,
    standing: standingOf(row),
    count: Number(row.n),
  }))
}

export interface StandingCount {
  readonly standing: Standing
  readonly status: Status
  readonly count: number
}

const standings = sql(
  'user_list_standings',
  `SELECT second_factor, status, count(*) AS n FROM accounts WHERE organisation_id = ?
   GROUP BY second_factor, status`,
)

/** How many users there are, by standing and status: all of them are read, so it is for reports and not for pages. */
export async function countStandings(database: Database, organisationId: string): Promise<StandingCount[]> {
  const rows = await database.read(standings, [organisationId])
  return rows.map(row => ({
    standing: standingOf(row),
    status: row.status as Status,
    count: Number(row.n),
  }))
}

interface Chosen {
  readonly text: string
  readonly params: readonly Param[]
}

/**
 * What a page is read from, and a condition. Of a search, those that are found are taken first, by the
 * index of words: a database would rather walk all users in the order of the page, and look for words in each.
 * The limit is of those who have all words and pass the filters.
 */
function chosen(
  organisationId: string,
  filter: UserFilter,
  most = MOST_FOUND,
): Chosen & { readonly from: string; readonly as: 'a' | 'found' } {
  if (filter.words.length === 0) return { ...condition(organisationId, filter), from: 'accounts a', as: 'a' }
  const found = tests(organisationId, filter, 'b')
  const from = `(SELECT b.* FROM accounts b WHERE ${found.text.join(' AND ')} LIMIT ${most}) AS found`
  return { from, as: 'found', text: 'found.organisation_id = ?', params: [...found.params, organisationId] }
}

/** For statements that choose all users who match: a condition on accounts, and its parameters. */
export function condition(organisationId: string, filter: UserFilter): Chosen {
  const { text, params } = tests(organisationId, filter, 'a')
  return { text: ['a.organisation_id = ?', ...text].join(' AND '), params: [organisationId, ...params] }
}

/** What a filter asks of an account, but for its organisation, which its words are of. */
function tests(
  organisationId: string,
  { words, role, standing, status }: UserFilter,
  account: string,
): { readonly text: string[]; readonly params: Param[] } {
  const text: string[] = []
  const params: Param[] = []
  for (const word of words.slice(0, WORDS)) {
    text.push(`${account}.id IN (SELECT w.account_id FROM account_words w
      WHERE w.organisation_id = ? AND w.word >= ? AND w.word < ?)`)
    params.push(organisationId, word, `${word}${LAST}`)
  }
  if (role !== undefined) {
    text.push(`${account}.role = ?`)
    params.push(role)
  }
  if (standing !== undefined) {
    text.push(`${account}.second_factor = ?`)
    params.push(STANDINGS.indexOf(standing))
  }
  // As a word of the statement, which the index of the few who are not active begins with.
  const known = STATUSES.find(each => each === status)
  if (known !== undefined) text.push(`${account}.status = '${known}'`)
  return { text, params }
}

const READ_AT_ONCE = 500

/** Every user that matches, in the order of their names, read a page at a time. */
export async function* everyUser(
  database: Database,
  organisationId: string,
  filter: UserFilter,
): AsyncGenerator<ListedUser> {
  const order = { by: 'name', descending: false } as const
  for (let key: UserKey | undefined; ; ) {
    const place = key === undefined ? undefined : ({ key, direction: 'after' } as const)
    const page = await readUserPage(database, organisationId, filter, order, READ_AT_ONCE, place)
    yield* page.users
    if (page.after === undefined) return
    key = page.after
  }
}

const statements = new Map<string, Statement>()

/** One statement for each shape of a question: there are some dozens. */
function declared(text: string): Statement {
  const known = statements.get(text)
  if (known !== undefined) return known
  const statement = sql(`user_list_${statements.size}`, text)
  statements.set(text, statement)
  return statement
}

function marks(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ')
}

function keyOf(row: Row, columns: readonly string[]): UserKey {
  return columns.map((_, i) => {
    const value = row[`key_${i}`] ?? ''
    // PostgreSQL gives a bigint as text.
    return columns[i]?.startsWith('coalesce') || columns[i] === 'second_factor' ? Number(value) : value
  })
}

function userOf(row: Row): ListedUser {
  return {
    id: String(row.id),
    name: String(row.name),
    email: String(row.email),
    role: row.role as Role,
    status: row.status as Status,
    standing: standingOf(row),
    passkeys: Number(row.passkeys),
    lastLoginAt: row.last_login_at === null ? null : Number(row.last_login_at),
    mailRefused: row.mail_refused_at !== null,
  }
}

function standingOf(row: Row): Standing {
  return STANDINGS[Number(row.second_factor)] ?? 'not_set_up'
}
