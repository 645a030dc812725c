// CPU of one full two-factor login, beside what it cannot do without: one argon2id verification (a) and a bare
// oidc-provider login with the in-memory adapter (b), all in the same run, in turns. Prints ratios to (a) + (b); and to
// (c), a bare login that verifies a password, which is both under the load that ours is under: several hashes at once
// push each other, and the rest, out of the processor's caches.

import { binaries, startCluster } from '../test/support/postgres.ts'
import { bareLogin, target, twoFactorLogin } from './flows.ts'
import { inParallel, measured, median, postgresCpu } from './processes.ts'

const LOGINS = Number(process.argv[2] ?? 40)
const ROUNDS = Number(process.argv[3] ?? 5)
const AT_ONCE = 4

const bare = await measured('./bare-process.ts')
const bin = await binaries()
const cluster = bin === undefined ? undefined : await startCluster(bin, { durable: true })
const subjects = [
  {
    name: 'SQLite',
    process: await measured('./sallyport-process.ts', ['sqlite', String(LOGINS * (ROUNDS + 1))]),
    database: () => 0,
  },
  ...(cluster === undefined
    ? []
    : [
        {
          name: 'PostgreSQL (server and database)',
          process: await measured('./sallyport-process.ts', [cluster.url, String(LOGINS * (ROUNDS + 1))]),
          database: () => postgresCpu(cluster.directory),
        },
      ]),
]

async function perLogin(
  cpu: () => Promise<number>,
  login: (index: number) => Promise<unknown>,
  first: number,
) {
  const before = await cpu()
  const indices = Array.from({ length: LOGINS }, (_, index) => first + index)
  await inParallel(indices, AT_ONCE, async index => void (await login(index)))
  return ((await cpu()) - before) / LOGINS
}

const rows: { a: number; b: number; c: number; ours: number[] }[] = []
for (let round = 0; round <= ROUNDS; round++) {
  const a = (await bare.ask('verify', LOGINS)) / LOGINS
  const b = await perLogin(bare.cpu, index => bareLogin(target(bare.ready), index), round * LOGINS)
  const hashing = (index: number) => bareLogin(target(bare.ready), index, undefined, true)
  const c = await perLogin(bare.cpu, hashing, round * LOGINS)
  const ours: number[] = []
  for (const { process: subject, database } of subjects) {
    const cpu = async () => (await subject.cpu()) + database()
    ours.push(await perLogin(cpu, index => twoFactorLogin(target(subject.ready), index), round * LOGINS))
  }
  // The first round warms everything up.
  if (round > 0) rows.push({ a, b, c, ours })
}

const show = (value: number, digits = 2) => value.toFixed(digits).padStart(8)
console.log(`${ROUNDS} rounds of ${LOGINS} logins, ${AT_ONCE} at once; CPU milliseconds per login, medians`)
const a = median(rows.map(each => each.a))
const b = median(rows.map(each => each.b))
console.log(`(a) argon2id verification      ${show(a)}`)
console.log(`(b) bare oidc-provider login   ${show(b)}`)
console.log(`(c) both in one, at once       ${show(median(rows.map(each => each.c)))}`)
subjects.forEach(({ name }, index) => {
  const ours = median(rows.map(each => each.ours[index] ?? Number.NaN))
  const ratio = median(rows.map(each => (each.ours[index] ?? Number.NaN) / (each.a + each.b)))
  const spread = rows.map(each => ((each.ours[index] ?? Number.NaN) / (each.a + each.b)).toFixed(2)).join(' ')
  console.log(
    `\nSallyport on ${name}: ${ours.toFixed(2)} ms, ${ratio.toFixed(2)} times (a) + (b)   [${spread}]`,
  )
  const loaded = median(rows.map(each => (each.ours[index] ?? Number.NaN) / each.c))
  console.log(`  ${loaded.toFixed(2)} times (c)`)
  console.log(
    `  of it: hash ${share(a, ours)}, bare flow ${share(b, ours)}, all else ${share(ours - a - b, ours)}`,
  )
})

function share(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(0)} %`
}

await Promise.all([bare.stop(), ...subjects.map(each => each.process.stop())])
await cluster?.stop()
