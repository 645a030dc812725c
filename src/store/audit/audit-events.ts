// Reads an organisation's audit log, newest first, page by page: a page begins at a key, so that the five hundredth
// costs what the first does. Each filter has an index of its own that ends in the key. Names and addresses are those of
// today, and of the organisation's own people only: of anybody else the id alone is told. Leaves out who may read it.

import type { Database, Row, Statement } from '../database.ts'
import { sql } from '../statement.ts'
import type { AuditEvent } from './audit.ts'

/** Where a row stands in the log: by its time, and by its id among those of the same millisecond. */
export interface AuditKey {
  readonly at: number
  readonly id: number
}

export interface AuditPerson {
  readonly id: string
  /** Null where it is nobody of this organisation. */
  readonly name: string | null
  readonly email: string | null
}

export interface AuditRecord extends AuditKey {
  readonly event: AuditEvent
  /** Whom it is about. */
  readonly account: AuditPerson | null
  /** Who did it; null: whom it is about. */
  readonly actor: AuditPerson | null
  readonly address: string | null
  readonly interaction: string | null
  readonly details: Readonly<Record<string, unknown>>
}

export interface AuditFilter {
  readonly event?: AuditEvent | undefined
  /** The id of an account: whom it is about, or who did it. */
  readonly person?: string | undefined
  /** The id of an account: whom it is about. */
  readonly about?: string | undefined
  /** Milliseconds since 1970, that one included. */
  readonly from?: number | undefined
  /** Milliseconds since 1970, that one not included. */
  readonly to?: number | undefined
}

export interface AuditPage extends AuditFilter {
  /** Only what is older than the row with this key. */
  readonly before?: AuditKey | undefined
  /** Only what is newer: the rows next to it, still the newest first. */
  readonly after?: AuditKey | undefined
  readonly limit: number
}

type Direction = 'older' | 'newer'
type By = 'all' | 'account' | 'actor'
/** Whose log: an organisation's, or what belongs to none. */
type Of = '= ?' | 'IS NULL'

/**
 * Bounded where it begins only: with a bound on either side SQLite takes the plainest index and reads through what it
 * should skip. In this order whatever is beyond the other bound comes last, and is cut off.
 */
function page(by: By, event: boolean, direction: Direction, of: Of = '= ?'): string {
  const [order, than] = direction === 'older' ? ['DESC', '<'] : ['ASC', '>']
  return `SELECT e.id, e.at, e.event, e.account_id, e.actor_id, e.address, e.interaction, e.details,
      p.name AS account_name, p.email AS account_email, a.name AS actor_name, a.email AS actor_email
    FROM audit_events e
    LEFT JOIN accounts p ON p.id = e.account_id AND p.organisation_id = e.organisation_id
    LEFT JOIN accounts a ON a.id = e.actor_id AND a.organisation_id = e.organisation_id
    WHERE e.organisation_id ${of} ${by === 'all' ? '' : `AND e.${by}_id = ?`} ${event ? 'AND e.event = ?' : ''}
      AND (e.at, e.id) ${than} (?, ?)
    ORDER BY e.at ${order}, e.id ${order} LIMIT ?`
}

const older: Record<By, [any: Statement, ofEvent: Statement]> = {
  all: [sql('audit_page', page('all', false, 'older')), sql('audit_page_event', page('all', true, 'older'))],
  account: [
    sql('audit_page_account', page('account', false, 'older')),
    sql('audit_page_account_event', page('account', true, 'older')),
  ],
  actor: [
    sql('audit_page_actor', page('actor', false, 'older')),
    sql('audit_page_actor_event', page('actor', true, 'older')),
  ],
}
const newer: typeof older = {
  all: [
    sql('audit_newer', page('all', false, 'newer')),
    sql('audit_newer_event', page('all', true, 'newer')),
  ],
  account: [
    sql('audit_newer_account', page('account', false, 'newer')),
    sql('audit_newer_account_event', page('account', true, 'newer')),
  ],
  actor: [
    sql('audit_newer_actor', page('actor', false, 'newer')),
    sql('audit_newer_actor_event', page('actor', true, 'newer')),
  ],
}

const ownOfNone = {
  older: sql('audit_of_none', page('account', false, 'older', 'IS NULL')),
  newer: sql('audit_of_none_newer', page('account', false, 'newer', 'IS NULL')),
}

const LAST: AuditKey = { at: Number.MAX_SAFE_INTEGER, id: Number.MAX_SAFE_INTEGER }

/** A page of an organisation's audit log, newest first. One read; two where a person is asked for. */
export async function readAuditEvents(
  database: Database,
  organisationId: string,
  { event, person, about, from = 0, to = LAST.at, before = LAST, after, limit }: AuditPage,
): Promise<AuditRecord[]> {
  const start: AuditKey = { at: from, id: Number.MIN_SAFE_INTEGER }
  const lower = latest(start, after ?? start)
  const upper = earliest({ at: to, id: Number.MIN_SAFE_INTEGER }, before)
  const [statements, begin] = after === undefined ? [older, upper] : [newer, lower]
  const read = (by: By) =>
    database.read(statements[by][event === undefined ? 0 : 1], [
      organisationId,
      ...(by === 'all' ? [] : [about ?? person ?? '']),
      ...(event === undefined ? [] : [event]),
      ...[begin.at, begin.id, limit],
    ])
  // Of a person each side has its index, and what both find is told once.
  const sides: By[] =
    about !== undefined ? ['account'] : person !== undefined ? ['account', 'actor'] : ['all']
  const found = await Promise.all(sides.map(read))
  const records = [...new Map(found.flat().map(row => [row.id, recordOf(row)])).values()]
    .filter(each => isLater(each, lower) && isLater(upper, each))
    .sort((one, other) => other.at - one.at || other.id - one.id)
  // Of those on the newer side, the ones next to the key.
  return after === undefined ? records.slice(0, limit) : records.slice(-limit)
}

export interface AuditPlace {
  readonly key: AuditKey
  /** On which side of the key the page is. */
  readonly direction: 'before' | 'after'
}

/** A page of a log, and where the next ones are: absent where there is nothing on that side. */
export interface AuditLeaf {
  readonly records: readonly AuditRecord[]
  readonly newer?: AuditPlace
  readonly older?: AuditPlace
}

/**
 * A page as it is turned: at a place, or the newest.
 *
 * @param read reads so many rows at a place
 */
export async function turnTo(
  place: AuditPlace | undefined,
  rows: number,
  read: (at: Pick<AuditPage, 'before' | 'after' | 'limit'>) => Promise<readonly AuditRecord[]>,
): Promise<AuditLeaf> {
  const found = await read({
    ...(place === undefined ? {} : { [place.direction]: place.key }),
    limit: rows + 1,
  })
  const more = found.length > rows
  const newerOnly = place?.direction === 'after'
  // The row too many is on the side that the page was read towards.
  const records = newerOnly ? found.slice(-rows) : found.slice(0, rows)
  const [first, last] = [records[0], records.at(-1)]
  const hasNewer = newerOnly ? more : place !== undefined
  const hasOlder = newerOnly || more
  return {
    records,
    ...(hasNewer && first !== undefined ? { newer: { key: first, direction: 'after' } } : {}),
    ...(hasOlder && last !== undefined ? { older: { key: last, direction: 'before' } } : {}),
  }
}

/**
 * What happened to an account, of its organisation's log; or, where it belongs to none, of what is in nobody's.
 *
 * @param from milliseconds since 1970, that one included
 */
export async function readOwnEvents(
  database: Database,
  { id, organisationId }: { readonly id: string; readonly organisationId: string | null },
  from: number,
  at: Pick<AuditPage, 'before' | 'after' | 'limit'>,
): Promise<AuditRecord[]> {
  if (organisationId !== null) {
    return readAuditEvents(database, organisationId, { about: id, from, ...at })
  }
  const start: AuditKey = { at: from, id: Number.MIN_SAFE_INTEGER }
  const { before = LAST, after, limit } = at
  const [statement, begin] =
    after === undefined ? [ownOfNone.older, before] : [ownOfNone.newer, latest(start, after)]
  const rows = await database.read(statement, [id, begin.at, begin.id, limit])
  return rows
    .map(recordOf)
    .filter(each => isLater(each, start))
    .sort((one, other) => other.at - one.at || other.id - one.id)
}

function isLater(one: AuditKey, other: AuditKey): boolean {
  return one.at > other.at || (one.at === other.at && one.id > other.id)
}

function latest(one: AuditKey, other: AuditKey): AuditKey {
  return isLater(one, other) ? one : other
}

function earliest(one: AuditKey, other: AuditKey): AuditKey {
  return isLater(one, other) ? other : one
}

function recordOf(row: Row): AuditRecord {
  const text = (name: string) => (row[name] == null ? null : String(row[name]))
  const person = (who: 'account' | 'actor'): AuditPerson | null => {
    const id = text(`${who}_id`)
    return id === null ? null : { id, name: text(`${who}_name`), email: text(`${who}_email`) }
  }
  return {
    id: Number(row.id),
    at: Number(row.at),
    event: row.event as AuditEvent,
    account: person('account'),
    actor: person('actor'),
    address: text('address'),
    interaction: text('interaction'),
    details: detailsOf(String(row.details)),
  }
}

/** What somebody wrote by hand may be no JSON. It is shown as it is. */
function detailsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown>
    }
  } catch {
    // Told below.
  }
  return { unreadable: text }
}

/** A key in an address or a form, and back; undefined for what is none. */
export function spellAuditKey({ at, id }: AuditKey): string {
  return `${at}.${id}`
}

export function parseAuditKey(text: string): AuditKey | undefined {
  const [, at, id] = /^(\d{1,15})\.(\d{1,15})$/.exec(text) ?? []
  return at === undefined || id === undefined ? undefined : { at: Number(at), id: Number(id) }
}

const PAGE_ROWS = 500

/** The whole of what a filter lets through, newest first, in pages: as much at a time as whoever reads takes. */
export async function* pagesOfAudit(
  database: Database,
  organisationId: string,
  filter: AuditFilter = {},
): AsyncGenerator<readonly AuditRecord[]> {
  for (let before: AuditKey | undefined; ; ) {
    const records = await readAuditEvents(database, organisationId, { ...filter, before, limit: PAGE_ROWS })
    if (records.length > 0) yield records
    if (records.length < PAGE_ROWS) return
    before = records.at(-1)
  }
}
