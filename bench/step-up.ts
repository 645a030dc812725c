// What the middleware of @sallyport/step-up costs a request, beside what no API can do without: one jose.jwtVerify with
// the key at hand, of the same tokens, in the same process, in turns. Then what a step-up costs the provider, from the
// request to the token that carries the action, beside a login at a bare oidc-provider. Prints ratios of CPU.

import { setTimeout as sleep } from 'node:timers/promises'
import { memoryStore, protectedApi } from '@sallyport/step-up'
import { requireStepUp } from '@sallyport/step-up/express'
import { exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { createVisitor } from '../test/support/visitor.ts'
import { bareLogin, confirmAction, target, twoFactorLogin } from './flows.ts'
import { inParallel, measured, median } from './processes.ts'

const REQUESTS = Number(process.argv[2] ?? 250)
const ROUNDS = Number(process.argv[3] ?? 60)
const AT_ONCE = 4
const issuer = 'https://id.example'
const resource = 'https://api.example'
const acr = 'urn:sallyport:acr:2fa'
const action = { type: 'protected_action', action: 'device.delete', objects: ['dev_17', 'dev_23'] } as const

const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
const keys = [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' }]
const provider: typeof fetch = async input =>
  Response.json(String(input).includes('/.well-known/') ? { issuer, jwks_uri: `${issuer}/jwks` } : { keys })

const api = protectedApi({ issuer, resource, store: memoryStore(), fetch: provider })
const levels = requireStepUp({ api, acr, maxAge: 300 })
const withAction = requireStepUp({ api, acr, maxAge: 300, action: () => ({ ...action }) })

function sign(): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({
    client_id: 'console',
    scope: 'devices',
    acr,
    amr: ['pwd', 'otp', 'mfa'],
    auth_time: now,
    authorization_details: [{ ...action, confirmation_id: crypto.randomUUID() }],
  })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'one' })
    .setIssuer(issuer)
    .setAudience(resource)
    .setSubject('dana')
    .setJti(crypto.randomUUID())
    .setIssuedAt(now)
    .setExpirationTime(now + 300)
    .sign(privateKey)
}

/** Calls a middleware as Express does, without the HTTP around it, which is the same for both. */
function passing(middleware: typeof levels): (token: string) => Promise<void> {
  return token =>
    new Promise((resolve, reject) => {
      const rawHeaders = ['Host', 'api.example', 'Accept', '*/*', 'Authorization', `Bearer ${token}`]
      const request = { method: 'GET', url: '/devices', originalUrl: '/devices', rawHeaders }
      const response = { getHeader: () => undefined, setHeader: () => undefined }
      middleware(request, response, error => (error === undefined ? resolve() : reject(error)))
    })
}

const kinds: Record<string, (token: string) => Promise<unknown>> = {
  'jose.jwtVerify': token =>
    jwtVerify(token, publicKey, { issuer, audience: resource, typ: 'at+jwt', algorithms: ['ES256'] }),
  'acr and maxAge': passing(levels),
  'acr, maxAge and an action, spent in memory': passing(withAction),
}

async function cost(call: (token: string) => Promise<unknown>, tokens: readonly string[]): Promise<number> {
  const { user, system } = process.cpuUsage()
  await inParallel(tokens, AT_ONCE, async token => void (await call(token)))
  const used = process.cpuUsage()
  return (used.user - user + (used.system - system)) / 1000 / REQUESTS
}

// Many short rounds: what else the machine does falls on all of them alike.
const WARM = 8
const rows: number[][] = []
for (let round = -WARM; round < ROUNDS; round++) {
  const tokens = await Promise.all(Array.from({ length: REQUESTS }, sign))
  const row: number[] = []
  for (const call of Object.values(kinds)) row.push(await cost(call, tokens))
  if (round >= 0) rows.push(row)
}

console.log(
  `${ROUNDS} rounds of ${REQUESTS} requests, ${AT_ONCE} at once; CPU milliseconds per request, medians`,
)
for (const [index, name] of Object.keys(kinds).entries()) {
  const own = median(rows.map(each => each[index] ?? Number.NaN))
  const ratio = median(rows.map(each => (each[index] ?? Number.NaN) / (each[0] ?? Number.NaN)))
  console.log(`${name.padEnd(44)} ${own.toFixed(3)}  ${ratio.toFixed(2)} × jose.jwtVerify`)
}

const USERS = 100
const CODE_LIFE = 30_000
const sallyport = await measured('./sallyport-process.ts', ['sqlite', String(USERS)])
const bare = await measured('./bare-process.ts')
const at = target(sallyport.ready)
const users = Array.from({ length: USERS }, (_, index) => ({ index, visitor: createVisitor(at.issuer) }))
await inParallel(users, AT_ONCE, async ({ index, visitor }) => {
  await twoFactorLogin(at, index, 'openid', visitor)
})
const stepUps: { cpu: number; bare: number; perSecond: number }[] = []
for (let round = 0; round < 3; round++) {
  // A one-time code works once: everybody waits for the next one.
  await sleep(CODE_LIFE - (Date.now() % CODE_LIFE))
  const bareBefore = await bare.cpu()
  await inParallel(users, AT_ONCE, async ({ index }) => void (await bareLogin(target(bare.ready), index)))
  const bareCpu = ((await bare.cpu()) - bareBefore) / USERS
  const [before, started] = [await sallyport.cpu(), performance.now()]
  await inParallel(users, AT_ONCE, async ({ index, visitor }) => {
    await confirmAction(at, index, visitor)
  })
  const seconds = (performance.now() - started) / 1000
  stepUps.push({
    cpu: ((await sallyport.cpu()) - before) / USERS,
    bare: bareCpu,
    perSecond: USERS / seconds,
  })
}
const of = (pick: (row: (typeof stepUps)[number]) => number) => median(stepUps.map(pick))
console.log(
  `\nA confirmed action on SQLite: ${of(each => each.cpu).toFixed(2)} ms, ` +
    `${of(each => each.cpu / each.bare).toFixed(2)} × a bare login (${of(each => each.bare).toFixed(2)} ms); ` +
    `${of(each => each.perSecond).toFixed(0)} a second, ${AT_ONCE} at once, load included`,
)
await Promise.all([sallyport.stop(), bare.stop()])
