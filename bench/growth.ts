// What a login and a refresh cost when there are many users: the same at 1,000 and at 100,000 (each with a refresh
// token and its grant lying about), in turns. `node bench/growth.ts 1000000` measures a million.

import { asClient, target, twoFactorLogin } from './flows.ts'
import { inParallel, type Measured, measured, median } from './processes.ts'

const MANY = Number(process.argv[2] ?? 100_000)
const LOGINS = 30
const ROUNDS = 5
const AT_ONCE = 4

const few = await measured('./sallyport-process.ts', ['sqlite', '1000'])
const many = await measured('./sallyport-process.ts', ['sqlite', String(MANY)])

async function costs(
  subject: Measured,
  users: number,
  round: number,
): Promise<{ login: number; refresh: number }> {
  const at = target(subject.ready)
  // Spread over the whole table, each user once.
  const indices = Array.from({ length: LOGINS }, (_, index) => {
    const place = (round * LOGINS + index) / ((ROUNDS + 1) * LOGINS)
    return Math.floor(place * users)
  })
  const tokens: string[] = []
  const start = await subject.cpu()
  await inParallel(indices, AT_ONCE, async index => {
    const { refresh_token: token = '' } = await twoFactorLogin(at, index, 'openid email offline_access')
    tokens.push(token)
  })
  const between = await subject.cpu()
  await inParallel(tokens, AT_ONCE, async token => {
    await asClient(at, '/token', { grant_type: 'refresh_token', refresh_token: token })
  })
  return { login: (between - start) / LOGINS, refresh: ((await subject.cpu()) - between) / LOGINS }
}

const rows: { login: number; refresh: number }[] = []
for (let round = 0; round <= ROUNDS; round++) {
  const small = await costs(few, 1000, round)
  const large = await costs(many, MANY, round)
  // The first round warms everything up.
  if (round > 0) rows.push({ login: large.login / small.login, refresh: large.refresh / small.refresh })
}
console.log(
  `from 1,000 to ${MANY.toLocaleString('en')} users, SQLite, CPU, medians of ${ROUNDS} rounds of ${LOGINS}`,
)
console.log(`login    ${median(rows.map(each => each.login)).toFixed(2)} times`)
console.log(`refresh  ${median(rows.map(each => each.refresh)).toFixed(2)} times`)
await Promise.all([few.stop(), many.stop()])
