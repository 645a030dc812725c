// Law 8: one unit of work per request. Reads are cached for the request; writes are buffered and committed together
// before the response leaves. A buffered write that had to match and did not turns the response into an error; what
// the decision depends on is committed at the point of use, by `flush`, together with what is buffered by then.
// Work outside a request opens a unit of its own.

import { AsyncLocalStorage } from 'node:async_hooks'
import type { Database, Write } from './database.ts'

export interface Unit {
  /** What this request has read, by a key of the reader's choice. */
  readonly cache: Map<string, unknown>
  /** Buffers a write. A later write under the same key replaces an earlier one. */
  buffer(key: string, write: Write): void
  unbuffer(key: string): void
  has(key: string): boolean
  /** Buffers writes that stand for themselves, such as audit rows. */
  add(...writes: Write[]): void
  /**
   * Commits what is buffered and `writes`, all or nothing.
   *
   * @throws CommitRefused: nothing was stored, and what was buffered is dropped
   */
  flush(writes?: readonly Write[]): Promise<void>
  /** Drops what is buffered. */
  discard(): void
}

const current = new AsyncLocalStorage<Unit>()

/** The unit of the request that is being answered. @throws Error outside a request */
export function unit(): Unit {
  const found = current.getStore()
  if (found === undefined) throw new Error('no unit of work is open')
  return found
}

/** Runs work in a unit of its own and commits what it buffered, unless it throws. */
export async function inUnit<T>(database: Database, work: () => Promise<T>): Promise<T> {
  const opened = open(database)
  return current.run(opened, async () => {
    const result = await work()
    await opened.flush()
    return result
  })
}

/** Whether a unit is open: the library's models are also used by jobs and scripts. */
export function inOpenUnit(): boolean {
  return current.getStore() !== undefined
}

function open(database: Database): Unit {
  const buffered = new Map<string, Write>()
  let loose: Write[] = []
  return {
    cache: new Map(),
    buffer: (key, write) => void buffered.set(key, write),
    unbuffer: key => void buffered.delete(key),
    has: key => buffered.has(key),
    add: (...writes) => void loose.push(...writes),
    discard() {
      buffered.clear()
      loose = []
    },
    async flush(writes = []) {
      const all = [...writes, ...buffered.values(), ...loose]
      this.discard()
      await database.commit(all)
    },
  }
}
