import { expect } from 'chai'
import type { Database } from '../../../src/store/database.ts'
import { newToken } from '../../../src/store/ids.ts'
import { CACHE_MS, createClients, type StoredClient } from '../../../src/store/oidc/clients.ts'
import { createKeyring, SealBroken } from '../../../src/store/seal.ts'
import { dump, failureOf, NOW, onEveryDatabase, outcomeOf, roundTrips, SECRET_KEY } from '../contract.ts'

onEveryDatabase('registered apps', open => {
  let database: Database
  let now: number
  let id: string
  const keyring = createKeyring([SECRET_KEY])
  const clientsOn = (on: Database, ring = keyring) => createClients(on, ring, () => now)
  const app = (different: Record<string, unknown> = {}): StoredClient => ({
    metadata: {
      client_id: id,
      client_name: 'Émile’s app',
      client_secret: 'a client secret for tests',
      redirect_uris: ['https://app.example/callback'],
      ...different,
    },
    firstParty: true,
  })

  before(async () => {
    database = await open()
  })
  beforeEach(() => {
    now = NOW
    id = newToken()
  })

  it('are found as they were registered, with their secret', async () => {
    const clients = clientsOn(database)
    await database.commit([clients.insert(app(), now)])
    expect(await clients.find(id)).to.deep.equal(app())
    expect(await clients.find(newToken())).to.equal(undefined)
    expect((await clients.list()).find(each => each.metadata.client_id === id)).to.deep.equal(app())
  })

  it('may have no secret', async () => {
    const clients = clientsOn(database)
    const { client_secret: _, ...metadata } = app().metadata
    const open: StoredClient = { metadata: { ...metadata, client_id: id }, firstParty: false }
    await database.commit([clients.insert(open, now)])
    expect(await clients.find(id)).to.deep.equal(open)
  })

  it('are refused where the id is taken, and changed only where they exist', async () => {
    const clients = clientsOn(database)
    expect(await outcomeOf(database.commit([clients.update(app(), now)]))).to.equal('not_allowed')
    await database.commit([clients.insert(app(), now)])
    const twin = clients.insert(app({ client_name: 'Twin' }), now)
    expect(await outcomeOf(database.commit([twin]))).to.equal('already_exists')
    expect(await clients.find(id)).to.deep.equal(app())
  })

  it('are read once in ten seconds by each replica, which sees a change no later than that', async () => {
    const [here, there] = [clientsOn(database), clientsOn(await open())]
    await database.commit([here.insert(app(), now)])
    await there.find(id)
    const trips = await roundTrips(database, async () => {
      await Promise.all(Array.from({ length: 10 }, () => here.find(id)))
      now = NOW + CACHE_MS - 1
      await here.find(id)
    })
    expect(trips).to.deep.equal({ reads: 1, commits: 0 })
    await database.commit([here.update(app({ client_name: 'Renamed' }), now)])
    now = NOW + CACHE_MS
    expect(CACHE_MS).to.be.at.most(10_000)
    for (const each of [here, there]) {
      expect((await each.find(id))?.metadata.client_name).to.equal('Renamed')
    }
  })

  it('are found at once after they were registered, also where they were asked for before', async () => {
    const clients = clientsOn(database)
    expect(await clients.find(id)).to.equal(undefined)
    await database.commit([clients.insert(app(), now)])
    expect(await clients.find(id)).to.deep.equal(app())
  })

  it('are looked up again after the database did not answer', async () => {
    const clients = clientsOn(database)
    await database.commit([clients.insert(app(), now)])
    let broken = true
    const flaky: Database = {
      ...database,
      read: (statement, params) =>
        broken ? Promise.reject(new Error('gone')) : database.read(statement, params),
    }
    const others = clientsOn(flaky)
    expect(await failureOf(others.find(id))).to.have.property('message', 'gone')
    broken = false
    expect(await others.find(id)).to.deep.equal(app())
  })

  it('have their secret sealed, for their own row', async () => {
    const clients = clientsOn(database)
    const secret = newToken()
    await database.commit([clients.insert(app({ client_secret: secret }), now)])
    expect(await dump(database)).not.to.include(secret)
    const stranger = clientsOn(database, createKeyring(['another-secret-key-of-32-characters-or-so']))
    expect(await failureOf(stranger.find(id))).to.be.instanceOf(SealBroken)
  })
})
