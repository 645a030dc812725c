// A statement is written once, with `?` for its parameters, and runs on SQLite and on PostgreSQL. Its name is the
// name of the prepared statement and what the query counts in the tests are told by.

export type Param = string | number | null
export type Row = Record<string, string | number | null>

export interface Statement {
  readonly name: string
  /** SQL with `?` placeholders. */
  readonly text: string
}

/** One statement of a commit. */
export interface Write {
  readonly statement: Statement
  readonly params: readonly Param[]
  /**
   * Set: the whole commit is refused, under this name, if the statement matches no row. This is how anything that
   * may happen only once happens only once.
   */
  readonly refusal?: Refusal
  /** Kind of the jobs that it enqueues: once it is committed, whoever does them looks at once. */
  readonly enqueues?: string
  /**
   * An account whose factors it adds or takes. Such commits come one after another, and each sees all that was stored
   * before it: else one that takes them would miss what is being added at that moment.
   */
  readonly alone?: string
}

/** Why a commit was refused. */
export type Refusal =
  | 'already_used'
  | 'session_ended'
  | 'account_changed'
  | 'replayed'
  | 'already_exists'
  | 'not_allowed'
  | 'too_many_tries'
  | 'stopped'
  | 'start_again'

/** A commit of which one conditional write matched no row: nothing of it was stored. */
export class CommitRefused extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(`nothing was stored: ${refusal}`)
    this.name = 'CommitRefused'
    this.refusal = refusal
  }
}

const names = new Set<string>()

/**
 * Declares a statement.
 *
 * @param name unique, at most 60 characters (PostgreSQL cuts longer names of prepared statements)
 * @param text SQL with `?` placeholders that both databases take
 */
export function sql(name: string, text: string): Statement {
  if (names.has(name) || name.length > 60) throw new Error(`statement name taken or too long: ${name}`)
  names.add(name)
  return { name, text: text.replace(/\s+/g, ' ').trim() }
}

/** Pairs a statement with its parameters. */
export function write(statement: Statement, params: readonly Param[], refusal?: Refusal): Write {
  return refusal === undefined ? { statement, params } : { statement, params, refusal }
}

/** The same for what adds or takes factors of an account. */
export function writeAlone(
  accountId: string,
  statement: Statement,
  params: readonly Param[],
  refusal?: Refusal,
): Write {
  return { ...write(statement, params, refusal), alone: accountId }
}

/** The statement's text with its rows counted: every write says which rows it touched. */
export function returning(text: string): string {
  return / RETURNING /i.test(text) ? text : `${text} RETURNING 1 AS touched`
}
