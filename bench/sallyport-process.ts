// Sallyport as it is measured: the whole server, with budgets, audit, CSRF and durable storage, on a database that
// has as many users as asked for, each with an authenticator.

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setActions } from '../src/actions/registration.ts'
import { createApi } from '../src/apis.ts'
import { loadConfig } from '../src/config/config.ts'
import { hashPassword } from '../src/factors/password.ts'
import { hashRecoveryCode } from '../src/factors/recovery-code.ts'
import { setupKey } from '../src/factors/totp.ts'
import { createLog } from '../src/log.ts'
import { startServer } from '../src/server.ts'
import { insertAccount } from '../src/store/accounts/accounts.ts'
import {
  issueRecoveryCode,
  recoveryCodeSaved,
  turnOnAuthenticator,
} from '../src/store/accounts/credentials.ts'
import { sweep } from '../src/store/jobs/sweep.ts'
import { upsertArtefact } from '../src/store/oidc/artefacts.ts'
import { insertOrganisation } from '../src/store/organisations/organisations.ts'
import { freePort } from '../test/support/stage.ts'
import { answer } from './processes.ts'

const [databaseUrl = 'sqlite', users = '200'] = process.argv.slice(2)
const PASSWORD = 'quiet otters borrow nine lanterns'
const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'))
const config = loadConfig(
  {
    PORT: String(await freePort()),
    DATABASE_URL: databaseUrl === 'sqlite' ? 'sqlite:bench.sqlite' : databaseUrl,
    SALLYPORT_LOG_LEVEL: 'info',
  },
  { cwd: folder },
)
// The log is written, as in life, but nowhere.
const running = await startServer(config, { log: createLog('info', { write: () => undefined }) })
const { database, keyring, clients, clock } = running.services
const secretOf = (index: number) => createHash('sha1').update(`bench ${index}`).digest()

await database.commit([
  insertOrganisation({ id: 'org_bench', name: 'Bench', plan: 'Bench', subscribedAt: 0 }, clock()),
  clients.insert(
    {
      metadata: {
        client_id: 'app',
        client_secret: 'secret-of-the-app-which-is-long-enough',
        redirect_uris: ['http://localhost:9/callback'],
        grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
        id_token_signed_response_alg: 'ES256',
      },
      firstParty: true,
    },
    clock(),
  ),
])
const directory = { database, keyring, clock, actor: 'bench', productName: config.productName }
await createApi(directory, { resource: 'https://api.example', scopes: ['devices'] })
await setActions(directory, 'app', [
  { id: 'device.delete', title: 'delete {count} devices', fields: [], rule: 'always' },
])
const passwordHash = await hashPassword(PASSWORD)
const BATCH = 50
for (let first = 0; first < Number(users); first += BATCH) {
  const batch = Array.from({ length: Math.min(BATCH, Number(users) - first) }, (_, index) => first + index)
  await database.commit(
    batch.map(index =>
      insertAccount(
        {
          id: `usr_${index}`,
          organisationId: 'org_bench',
          email: `user${index}@bench.example`,
          name: 'Bench',
          role: 'technician',
          status: 'active',
          passwordHash,
          mailboxProvenAt: 0,
        },
        0,
      ),
    ),
  )
  await database.commit(
    batch.flatMap(index => {
      const id = `usr_${index}`
      const hash = hashRecoveryCode('A'.repeat(24), keyring.keys('recovery-code')[0], id)
      const [, authenticator] = turnOnAuthenticator(
        { id, epoch: 0 },
        keyring.seal(secretOf(index), ['authenticators', 'secret', id]),
        0,
        0,
      )
      return authenticator === undefined ? [] : [authenticator, issueRecoveryCode(id, hash, 0)]
    }),
  )
  await database.commit([
    ...batch.map(index => {
      const id = `usr_${index}`
      return recoveryCodeSaved(id, hashRecoveryCode('A'.repeat(24), keyring.keys('recovery-code')[0], id), 1)
    }),
    // A refresh token and its grant for each, as they lie about in a database that has been in use.
    ...batch.flatMap(index =>
      ['Grant', 'RefreshToken'].map(model =>
        upsertArtefact({
          model,
          id: `${model} ${index}`,
          payload: {
            accountId: `usr_${index}`,
            clientId: 'app',
            scope: 'openid email profile offline_access',
            iat: 0,
          },
          grantId: `Grant ${index}`,
          sessionUid: undefined,
          expiresAt: clock() + 86_400_000,
          owner: { accountId: `usr_${index}`, epoch: 0 },
        }),
      ),
    ),
  ])
}

answer(
  {
    issuer: config.issuer,
    clientId: 'app',
    clientSecret: 'secret-of-the-app-which-is-long-enough',
    password: PASSWORD,
    firstSecret: setupKey(secretOf(0)).replaceAll(' ', ''),
  },
  { sweep: ahead => sweep(database, clock() + ahead) },
  async () => {
    await running.close()
    rmSync(folder, { recursive: true, force: true })
  },
)
