// What runs beside the requests, for tests that count what a request costs.

/** Whether a round trip to the database is of the jobs or the sweeper, by the names of its statements. */
export function isBackground(statements: readonly string[]): boolean {
  // What became of a job is stored with what else is true by it.
  if (statements.some(each => /^job_(finish|fail|retry)$/.test(each))) return true
  return statements.every(each => /^(job|sweep|test)_/.test(each))
}
