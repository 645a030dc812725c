// Logins that nobody finishes: memory and latency while interactions and pushed requests pile up, and what is left of
// them when they have run out. 10,000 of each; `node bench/unfinished.ts 1000` for fewer.

import { asClient, authorization, authorizationRequest, target } from './flows.ts'
import { inParallel, measured } from './processes.ts'

const MANY = Number(process.argv[2] ?? 10_000)
const STEPS = 5
const AT_ONCE = 8
const HOUR_MS = 60 * 60_000

const server = await measured('./sallyport-process.ts', ['sqlite', '50'])
const at = target(server.ready)

async function timed(times: number[], work: () => Promise<unknown>): Promise<void> {
  const start = performance.now()
  await work()
  times.push(performance.now() - start)
}

const percentile = (times: readonly number[], share: number): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? Number.NaN

async function step(count: number): Promise<string> {
  const [interactions, pushed]: [number[], number[]] = [[], []]
  await inParallel([...Array(count).keys()], AT_ONCE, async () => {
    await timed(interactions, async () => {
      const { status } = await fetch(authorization(at, 'openid email'), { redirect: 'manual' })
      if (status !== 303) throw new Error(`an interaction was answered ${status}`)
    })
    await timed(pushed, () => asClient(at, '/request', authorizationRequest(at, 'openid email'), 201))
  })
  const [slowest, slowestPushed] = [interactions, pushed].map(
    each => `${percentile(each, 0.95).toFixed(0)} ms`,
  )
  return `p95 ${slowest} an interaction, ${slowestPushed} a pushed request`
}

await step(Math.ceil(MANY / 50))
console.log(`${MANY.toLocaleString('en')} of each, SQLite, ${AT_ONCE} at once`)
const memory = async () => {
  const resident = (await server.memory()).toFixed(0)
  return `${resident.padStart(4)} MB, of which in use ${(await server.heap()).toFixed(1)} MB`
}
console.log(`after warming up     ${await memory()}`)
for (let done = 1; done <= STEPS; done++) {
  const line = await step(MANY / STEPS)
  const count = ((MANY / STEPS) * done).toLocaleString('en').padStart(7)
  console.log(`after ${count}        ${await memory()}, ${line}`)
}
const gone = await server.ask('sweep', HOUR_MS)
console.log(
  `swept when run out    ${gone.toLocaleString('en')} rows, ${(await server.memory()).toFixed(0)} MB`,
)
await server.stop()
