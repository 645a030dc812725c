import { sign, verify } from 'node:crypto'
import { expect } from 'chai'
import { importJWK } from 'jose'
import type { Database } from '../../../src/store/database.ts'
import { type SigningKey, signingKeys } from '../../../src/store/oidc/signing-keys.ts'
import { createKeyring, SealBroken } from '../../../src/store/seal.ts'
import { dump, failureOf, leavesNothing, NOW, onEveryDatabase, rowsOf, SECRET_KEY } from '../contract.ts'

const OTHER = 'another-secret-key-for-tests-of-32-characters'

onEveryDatabase('the signing keys', open => {
  let database: Database
  let keys: SigningKey[]
  const keyring = createKeyring([SECRET_KEY])

  before(async () => {
    database = await open()
  })

  it('are made once, when several replicas start at the same time, and are the same on all', async () => {
    const replicas = [database, await open(), await open()]
    const started = await Promise.all(replicas.map(each => signingKeys(each, keyring, NOW)))
    keys = started[0] ?? []
    for (const each of started) expect(each).to.deep.equal(keys)
    expect(await rowsOf(database, 'signing_keys')).to.have.length(2)
  })

  it('are audited by the name of those that are used, once', async () => {
    const events = (await rowsOf(database, 'audit_events')).filter(
      each => each.event === 'signing_keys.created',
    )
    expect(events.map(each => JSON.parse(String(each.details)))).to.deep.equal([
      { kids: keys.map(each => each.kid) },
    ])
  })

  it('are one for ES256 and one for RS256, each with a name of its own, fit to sign', async () => {
    expect(keys.map(each => each.alg).toSorted()).to.deep.equal(['ES256', 'RS256'])
    expect(new Set(keys.map(each => each.kid)).size).to.equal(2)
    expect(keys.every(each => each.use === 'sig')).to.equal(true)
    for (const key of keys) {
      await importJWK(key, key.alg)
      const signature = sign('sha256', Buffer.from('text'), { key: { ...key }, format: 'jwk' })
      const { d: _, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...published } = key
      expect(verify('sha256', Buffer.from('text'), { key: published, format: 'jwk' }, signature)).to.equal(
        true,
      )
    }
  })

  it('are the same after a restart, which changes nothing', async () => {
    const unchanged = await leavesNothing(database, async () => {
      expect(await signingKeys(database, keyring, NOW + 1)).to.deep.equal(keys)
    })
    expect(unchanged).to.equal(true)
  })

  it('are sealed', async () => {
    const stored = await dump(database)
    for (const key of keys) expect(stored).not.to.include(String(key.d))
  })

  it('F15: stop a start with another secret key, at once and by name, and are not made anew', async () => {
    const unchanged = await leavesNothing(database, async () => {
      const failure = await failureOf(signingKeys(database, createKeyring([OTHER]), NOW))
      expect(failure).to.be.instanceOf(SealBroken)
    })
    expect(unchanged).to.equal(true)
  })

  it('F15: open after the secret key was rotated, while the older one is configured', async () => {
    expect(await signingKeys(database, createKeyring([OTHER, SECRET_KEY]), NOW)).to.deep.equal(keys)
  })
})
