// The baseline: a bare oidc-provider with its own in-memory adapter, whose login page takes any name at once, or after
// an argon2id verification of the parameters that Sallyport uses; and that verification by itself.

import { generateKeyPairSync } from 'node:crypto'
import { hash, verify } from '@node-rs/argon2'
import Provider from 'oidc-provider'
import { freePort } from '../test/support/stage.ts'
import { answer } from './processes.ts'

const port = await freePort()
const issuer = `http://localhost:${port}`
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const resource = 'https://api.example'
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'app',
      client_secret: 'secret-of-the-app-which-is-long-enough',
      redirect_uris: ['http://localhost:9/callback'],
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      id_token_signed_response_alg: 'ES256',
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'bench', use: 'sig', alg: 'ES256' }] },
  cookies: { keys: ['bench'] },
  claims: { openid: ['sub', 'acr', 'amr', 'auth_time'], email: ['email'] },
  pkce: { required: () => true },
  findAccount: async (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, email: `${id}@bench.example` }),
  }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: async () => true },
    revocation: { enabled: true },
  },
  ttl: {
    AccessToken: 300,
    AuthorizationCode: 60,
    Grant: 1e6,
    IdToken: 300,
    Interaction: 600,
    RefreshToken: 1e6,
    Session: 1e5,
    ClientCredentials: 300,
  },
  issueRefreshToken: async () => true,
  async loadExistingGrant(ctx) {
    const { client, session, params } = ctx.oidc
    if (client === undefined || session?.accountId === undefined) return undefined
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId })
    grant.addOIDCScope(String(params?.scope))
    await grant.save()
    return grant
  },
})
provider.use(async (ctx, next) => {
  const uid = /^\/interaction\/([^/]+)$/.exec(ctx.path)?.[1]
  if (uid === undefined) return next()
  if (ctx.method === 'GET') {
    ctx.body = '<form method="post"></form>'
    return
  }
  if (ctx.query.hash === 'yes') await verify(phc, 'a password')
  ctx.redirect(
    await provider.interactionResult(ctx.req, ctx.res, {
      login: { accountId: String(ctx.query.as), acr: '1', amr: ['pwd'], ts: Math.floor(Date.now() / 1000) },
    }),
  )
  ctx.status = 303
})
const phc = await hash('a password', { memoryCost: 19456, timeCost: 2, parallelism: 1 })
const server = provider.listen(port, 'localhost')
await new Promise(resolve => server.once('listening', resolve))

answer(
  { issuer, clientId: 'app', clientSecret: 'secret-of-the-app-which-is-long-enough', resource },
  {
    /** @returns CPU milliseconds for so many verifications */
    async verify(amount) {
      const before = process.cpuUsage()
      for (let done = 0; done < amount; done++) await verify(phc, 'a password')
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000
    },
  },
  async () => void server.close(),
)
