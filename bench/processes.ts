// What is measured runs in a process of its own, so that the load that is put on it costs it nothing. It tells its own
// CPU time; PostgreSQL's is read from the system.

import { type ChildProcess, fork } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export interface Measured {
  /** What the process said when it was ready. */
  readonly ready: Record<string, string>
  /** CPU time that the process has used, milliseconds. */
  cpu(): Promise<number>
  /** Resident memory, megabytes. */
  memory(): Promise<number>
  /** What is in use of the heap after a collection, megabytes: what a leak would make grow. */
  heap(): Promise<number>
  /** Has the process do some work of its own. @returns what it answers */
  ask(question: string, amount: number): Promise<number>
  stop(): Promise<void>
}

/** Starts a file of this folder that speaks {@link answer}. */
export async function measured(file: string, args: readonly string[] = []): Promise<Measured> {
  const child = fork(new URL(file, import.meta.url), [...args], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [...process.execArgv, '--expose-gc'],
  })
  const ready = (await message(child)) as Record<string, string>
  const ask = async (question: string, amount: number): Promise<number> => {
    child.send({ question, amount })
    return (await message(child)) as number
  }
  return {
    ready,
    ask,
    cpu: () => ask('cpu', 0),
    memory: () => ask('memory', 0),
    heap: () => ask('heap', 0),
    async stop() {
      child.disconnect()
      await new Promise(resolve => child.once('exit', resolve))
    },
  }
}

function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const failed = () => reject(new Error('the measured process ended'))
    child.once('exit', failed)
    child.once('message', answer => {
      child.off('exit', failed)
      resolve(answer)
    })
  })
}

/** In the measured process: says that it is ready, and answers what it is asked until it is left alone. */
export function answer(
  ready: Record<string, string>,
  work: Readonly<Record<string, (amount: number) => Promise<number>>>,
  end: () => Promise<void>,
): void {
  const known: Record<string, (amount: number) => Promise<number>> = {
    cpu: async () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1000
    },
    memory: async () => process.memoryUsage().rss / 2 ** 20,
    heap: async () => {
      globalThis.gc?.()
      return process.memoryUsage().heapUsed / 2 ** 20
    },
    ...work,
  }
  process.on('message', async ({ question, amount }: { question: string; amount: number }) => {
    process.send?.(await known[question]?.(amount))
  })
  process.once('disconnect', () => void end().then(() => process.exit()))
  process.send?.(ready)
}

/** CPU time that PostgreSQL's processes below a data directory have used, milliseconds; Linux only. */
export function postgresCpu(dataDirectory: string): number {
  const clockTicks = 100
  let ticks = 0
  for (const pid of readdirSync('/proc').filter(each => /^\d+$/.test(each))) {
    try {
      const parent = readFileSync(`/proc/${pid}/stat`, 'utf8')
      if (!parent.includes('(postgres)')) continue
      const root = ancestor(pid)
      if (!readFileSync(`/proc/${root}/cmdline`, 'utf8').includes(dataDirectory)) continue
      const fields = parent.slice(parent.lastIndexOf(')') + 2).split(' ')
      ticks += Number(fields[11]) + Number(fields[12])
      // Backends that ended are counted with the postmaster, as children waited for.
      if (root === pid) ticks += Number(fields[13]) + Number(fields[14])
    } catch {
      // It ended while we looked.
    }
  }
  return (ticks * 1000) / clockTicks
}

/** The postmaster of a PostgreSQL process. */
function ancestor(pid: string): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? '1'
  return readFileSync(`/proc/${parent}/stat`, 'utf8').includes('(postgres)') ? ancestor(parent) : pid
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}

/** Runs `task` over all items, so many at once. */
export async function inParallel<T>(
  items: readonly T[],
  atOnce: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items]
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) await task(item)
    }),
  )
}
