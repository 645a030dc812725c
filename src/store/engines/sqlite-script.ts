// Writes as one SQL script, since sqlite3 can bind parameters for one statement at a time only. Every parameter is
// spelled as a literal: SQLite's quoting has one rule, and no character set or escape character that could bend it.
// A write that had to match and did not raises an error, which ends the script.

import { CommitRefused, type Param, type Refusal, type Statement, type Write } from '../statement.ts'

/** What a connection needs before it runs scripts: somewhere to raise the error that refuses a commit. */
export const REFUSING = `
  PRAGMA temp_store = MEMORY;
  CREATE TEMP TABLE refusals (refusal TEXT);
  CREATE TEMP TRIGGER refuse BEFORE INSERT ON refusals BEGIN SELECT RAISE(ABORT, NEW.refusal); END`

/** @returns statements, each ended by a semicolon */
export function script(writes: readonly Write[]): string {
  let text = ''
  for (const { statement, params, refusal } of writes) {
    text += `${spelled(statement, params)};`
    if (refusal !== undefined) {
      text += `INSERT INTO temp.refusals SELECT 'refused:${refusal}' WHERE changes() = 0;`
    }
  }
  return text
}

/** The refusal that a script's error stands for; undefined if it is another error. */
export function refusedBy(error: unknown): CommitRefused | undefined {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  // No other message of a broken constraint begins so: they begin with the kind of the constraint.
  const refusal = /^SQLITE_CONSTRAINT: refused:(\w+)$/.exec(String(message))?.[1]
  return code === 'SQLITE_CONSTRAINT' && refusal !== undefined
    ? new CommitRefused(refusal as Refusal)
    : undefined
}

const cut = new WeakMap<Statement, readonly string[]>()

function spelled(statement: Statement, params: readonly Param[]): string {
  let parts = cut.get(statement)
  if (parts === undefined) {
    parts = statement.text.split('?')
    cut.set(statement, parts)
  }
  if (parts.length !== params.length + 1) {
    throw new RangeError(`${statement.name} takes ${parts.length - 1} parameters, not ${params.length}`)
  }
  let text = parts[0] ?? ''
  params.forEach((param, index) => {
    text += literal(param) + parts[index + 1]
  })
  return text
}

/** @throws RangeError for a number that has no literal */
export function literal(param: Param): string {
  if (param === null) return 'NULL'
  if (typeof param === 'number') {
    if (!Number.isFinite(param)) throw new RangeError('a number that is not finite cannot be stored')
    return String(param)
  }
  // The text of a script ends at a NUL.
  if (param.includes('\0')) return `CAST(x'${Buffer.from(param).toString('hex')}' AS TEXT)`
  return `'${param.replaceAll("'", "''")}'`
}
