// Requests per second at the endpoints that apps call most, beside the same bare provider in the same run, in turns:
// refresh, client credentials, introspection, userinfo. Prints ratios of CPU, which a busy machine moves least.

import { asClient, bareLogin, type Target, type Tokens, target, twoFactorLogin } from './flows.ts'
import { inParallel, type Measured, measured, median } from './processes.ts'

const REQUESTS = Number(process.argv[2] ?? 300)
const ROUNDS = Number(process.argv[3] ?? 5)
const AT_ONCE = 4
const SCOPE = 'openid email offline_access'

const bare = await measured('./bare-process.ts')
const sallyport = await measured('./sallyport-process.ts', ['sqlite', '50'])
const targets = { bare: target(bare.ready), sallyport: target(sallyport.ready) }

/** A refresh token per worker: each is used once and replaced. */
async function chains(
  at: Target,
  login: (at: Target, index: number, scope: string) => Promise<Tokens>,
  first: number,
): Promise<{ token: string; access: string }[]> {
  const made: { token: string; access: string }[] = []
  for (let index = 0; index < AT_ONCE; index++) {
    const tokens = await login(at, first + index, SCOPE)
    made.push({ token: tokens.refresh_token ?? '', access: tokens.access_token })
  }
  return made
}

const held = {
  bare: await chains(targets.bare, bareLogin, 0),
  sallyport: await chains(targets.sallyport, twoFactorLogin, 0),
}

type Side = keyof typeof held
const kinds: Record<string, (side: Side, chain: { token: string; access: string }) => Promise<unknown>> = {
  async refresh(side, chain) {
    const answer = await asClient(targets[side], '/token', {
      grant_type: 'refresh_token',
      refresh_token: chain.token,
    })
    chain.token = String(answer.refresh_token)
    chain.access = String(answer.access_token)
  },
  'client credentials': side => asClient(targets[side], '/token', { grant_type: 'client_credentials' }),
  introspection: (side, chain) => asClient(targets[side], '/token/introspection', { token: chain.access }),
  async userinfo(side, chain) {
    const response = await fetch(`${targets[side].issuer}/me`, {
      headers: { authorization: `Bearer ${chain.access}` },
    })
    await response.arrayBuffer()
    if (response.status !== 200) throw new Error(`userinfo: ${response.status}`)
  },
}

async function cost(side: Side, subject: Measured, kind: string): Promise<number> {
  const before = await subject.cpu()
  await inParallel(held[side], AT_ONCE, async chain => {
    for (let done = 0; done < REQUESTS / AT_ONCE; done++) await kinds[kind]?.(side, chain)
  })
  return ((await subject.cpu()) - before) / REQUESTS
}

console.log(
  `${ROUNDS} rounds of ${REQUESTS} requests, ${AT_ONCE} at once, SQLite; CPU milliseconds per request, medians`,
)
for (const kind of Object.keys(kinds)) {
  const rows: { bare: number; ours: number }[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const row = { bare: await cost('bare', bare, kind), ours: await cost('sallyport', sallyport, kind) }
    // The first round warms everything up.
    if (round > 0) rows.push(row)
  }
  const ours = median(rows.map(each => each.ours))
  const base = median(rows.map(each => each.bare))
  const rate = median(rows.map(each => each.bare / each.ours))
  console.log(
    `${kind.padEnd(20)} bare ${base.toFixed(2)}  Sallyport ${ours.toFixed(2)}  ${rate.toFixed(2)} of bare's requests per second`,
  )
}
console.log(
  `resident memory: bare ${(await bare.memory()).toFixed(0)} MB, Sallyport ${(await sallyport.memory()).toFixed(0)} MB`,
)
await Promise.all([bare.stop(), sallyport.stop()])
