// The provider's signing keys: ES256, and RS256 for clients that know nothing else. Generated at the first start,
// sealed in the database, shared by all replicas: who comes second takes the keys of who came first.

import { generateKeyPair, randomBytes, type webcrypto } from 'node:crypto'
import { promisify } from 'node:util'
import { auditRow } from '../audit/audit.ts'
import type { Database } from '../database.ts'
import type { Keyring } from '../seal.ts'
import { CommitRefused, sql, write } from '../statement.ts'

export type SigningKey = webcrypto.JsonWebKey & { kid: string; alg: string; use: 'sig' }

const generate = promisify(generateKeyPair)
const all = sql('signing_key_list', 'SELECT kid, alg, jwk FROM signing_keys ORDER BY created_at, alg')
const insert = sql(
  'signing_key_insert',
  'INSERT INTO signing_keys (kid, alg, jwk, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (alg) DO NOTHING',
)

/**
 * The signing keys, made if there are none.
 *
 * @throws SealBroken if the configured secret keys don't open them: the start must stop here, with that said
 */
export async function signingKeys(database: Database, keyring: Keyring, now: number): Promise<SigningKey[]> {
  let rows = await database.read(all, [])
  if (rows.length === 0) {
    const made = await Promise.all([makeKey('ES256'), makeKey('RS256')])
    const stored = database.commit([
      ...made.map(key => {
        const sealed = keyring.seal(JSON.stringify(key), place(key.kid))
        return write(insert, [key.kid, key.alg, sealed, now], 'already_exists')
      }),
      auditRow({ event: 'signing_keys.created', details: { kids: made.map(each => each.kid) } }, now),
    ])
    await stored.catch(error => {
      // Another replica, started at the same time, was first.
      if (!(error instanceof CommitRefused)) throw error
    })
    rows = await database.read(all, [])
  }
  return rows.map(
    row => JSON.parse(keyring.open(String(row.jwk), place(String(row.kid))).toString()) as SigningKey,
  )
}

function place(kid: string) {
  return ['signing_keys', 'jwk', kid] as const
}

async function makeKey(alg: 'ES256' | 'RS256'): Promise<SigningKey> {
  const { privateKey } =
    alg === 'ES256'
      ? await generate('ec', { namedCurve: 'P-256' })
      : await generate('rsa', { modulusLength: 2048 })
  const jwk = privateKey.export({ format: 'jwk' }) as webcrypto.JsonWebKey
  return { ...jwk, kid: randomBytes(12).toString('hex'), alg, use: 'sig' }
}
