// What a request costs: the round trips to the database while it is answered. What runs beside the requests is told
// apart by its statements.

import type { Stage } from './stage.ts'

export interface Work<T> {
  readonly result: T
  readonly reads: number
  readonly commits: number
  /** In their order, such as `read: session_by_id`; the statements of a commit one space apart. */
  readonly statements: readonly string[]
}

/** @throws what `work` throws */
export async function countWork<T>(stage: Stage, work: () => Promise<T>): Promise<Work<T>> {
  const counted = { reads: 0, commits: 0, statements: [] as string[] }
  const { database } = stage.running.services
  database.observe((kind, statements) => {
    if (isBackground(statements)) return
    counted[kind === 'read' ? 'reads' : 'commits']++
    counted.statements.push(`${kind}: ${statements.join(' ')}`)
  })
  try {
    return { result: await work(), ...counted }
  } finally {
    database.observe(undefined)
  }
}

/** Whether a round trip is of the jobs or the sweeper. */
function isBackground(statements: readonly string[]): boolean {
  // What became of a job is stored with what else is true by it.
  if (statements.some(each => /^job_(finish|fail|retry)$/.test(each))) return true
  return statements.every(each => /^(job|sweep|test)_/.test(each))
}
