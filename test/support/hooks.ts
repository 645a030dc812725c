// What a test run starts once (a browser, a database cluster) and stops once.
//
// A support file says `beforeRun` when it is imported: the costly thing is made ready before the first test, where no
// test's timeout counts it, and only in runs that use it. What fails there is not reported here but by the suites that
// ask for it. `atEnd` stops things, last one first, also after failures; so the run ends by itself, without `--exit`.

type Task = () => unknown

const preparations: Task[] = []
const closers: Task[] = []

/** Runs `task` once before the first test of a run that loads the calling file. */
export function beforeRun(task: Task): void {
  preparations.push(task)
}

/** Runs `task` after the last test. */
export function atEnd(task: Task): void {
  closers.push(task)
}

export async function mochaGlobalSetup(): Promise<void> {
  for (const task of preparations)
    await Promise.resolve()
      .then(task)
      .catch(() => undefined)
}

export async function mochaGlobalTeardown(): Promise<void> {
  const errors: unknown[] = []
  for (const close of closers.splice(0).reverse())
    await Promise.resolve()
      .then(close)
      .catch(error => errors.push(error))
  if (errors.length > 0) throw new AggregateError(errors, 'what the tests started could not be stopped')
  setTimeout(complain, 10_000).unref()
}

// A leak must fail the run, not hang it.
function complain(): void {
  const left = process.getActiveResourcesInfo().join(', ')
  process.stderr.write(`The tests are over, but something that they started still runs: ${left}\n`)
  // Mocha sets the exit code of its counts in an exit listener of its own, which comes first.
  process.once('exit', () => {
    process.exitCode = 1
  })
  process.exit()
}
