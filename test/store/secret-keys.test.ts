import { expect } from 'chai'
import { type Database, sql, write } from '../../src/store/database.ts'
import { createKeyring, SealBroken } from '../../src/store/seal.ts'
import { checkSecretKeys, useSecretKeys } from '../../src/store/secret-keys.ts'
import { dump, failureOf, leavesNothing, NOW, onEveryDatabase, rowsOf } from './contract.ts'

const forget = sql('test_forget_secret_keys', 'DELETE FROM secret_keys')
const [A, B, C] = ['a', 'b', 'c'].map(each => each.repeat(40)) as [string, string, string]

onEveryDatabase('the secret keys', open => {
  let database: Database
  before(async () => {
    database = await open()
  })

  it('are noted when they come first, once by all replicas, and a restart notes nothing', async () => {
    const replicas = [database, await open(), await open()]
    await Promise.all(replicas.map(each => useSecretKeys(each, createKeyring([A]), NOW)))
    await useSecretKeys(database, createKeyring([B, A]), NOW + 1)
    expect(await rowsOf(database, 'secret_keys')).to.have.length(2)
    const unchanged = await leavesNothing(database, () =>
      useSecretKeys(database, createKeyring([B, A]), NOW + 2),
    )
    expect(unchanged).to.equal(true)
  })

  it('are not told by what is noted', async () => {
    const stored = await dump(database)
    for (const purpose of ['seal', 'cookie', 'id'] as const)
      for (const key of createKeyring([A, B]).keys(purpose))
        expect(stored).not.to.include(Buffer.from(key).toString('hex'))
    expect(stored).not.to.include(A)
  })

  it('F15: are each missed by the day since when they were used, and nothing is noted then', async () => {
    for (const rest of [
      [C, A],
      [C, B],
    ] as const) {
      const unchanged = await leavesNothing(database, async () => {
        for (const start of [useSecretKeys, checkSecretKeys]) {
          const failure = await failureOf(start(database, createKeyring(rest), NOW + 3))
          expect(failure).to.be.instanceOf(SealBroken)
          expect(failure).to.have.property('message').that.includes('used since 2026-05-14')
        }
      })
      expect(unchanged).to.equal(true)
    }
  })

  it('may come in any order, and one that was never first may go', async () => {
    await useSecretKeys(database, createKeyring([A, C, B]), NOW + 4)
    await useSecretKeys(database, createKeyring([A, B]), NOW + 5)
  })

  it('are all noted where none was yet: any of them may have sealed', async () => {
    const older = await open()
    await older.commit([write(forget, [])])
    await useSecretKeys(older, createKeyring([C, B, A]), NOW)
    expect(await failureOf(checkSecretKeys(older, createKeyring([C, A])))).to.be.instanceOf(SealBroken)
  })
})
