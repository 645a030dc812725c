// What is spent stays spent: in memory, on SQLite and on PostgreSQL, for one after another and for fifty at once.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { memoryStore, type Query, type Store, sqlStore, sqlStoreTable } from '@sallyport/step-up'
import { expect } from 'chai'
import pg from 'pg'
import sqlite3 from 'sqlite3'
import { freshDatabase, postgresUrl } from '../support/postgres.ts'

const later = () => Date.now() + 300_000

interface Ground {
  /** As many stores as processes would have, over the same data. */
  open(clock?: () => number): Promise<Store>
  rows?(): Promise<number>
  close(): Promise<void>
}

const grounds: Record<string, () => Promise<Ground | undefined>> = {
  async memory() {
    const shared = memoryStore()
    return { open: async clock => (clock === undefined ? shared : memoryStore(clock)), close: async () => {} }
  },
  async SQLite() {
    const folder = mkdtempSync(join(tmpdir(), 'step-up-store-'))
    const connections: sqlite3.Database[] = []
    function connect(): Query {
      const database = new sqlite3.Database(join(folder, 'spent.sqlite'))
      database.configure('busyTimeout', 5_000)
      connections.push(database)
      return promisify<string, (string | number)[], unknown[]>(database.all.bind(database))
    }
    await connect()(sqlStoreTable(), [])
    return {
      open: async clock => sqlStore(connect(), { placeholders: '?', ...(clock !== undefined && { clock }) }),
      rows: async () => (await connect()('SELECT 1 FROM step_up', [])).length,
      async close() {
        for (const each of connections) await promisify(each.close.bind(each))()
        rmSync(folder, { recursive: true })
      },
    }
  },
  async PostgreSQL() {
    if ((await postgresUrl()) === undefined) return undefined
    const { url, drop } = await freshDatabase()
    const pool = new pg.Pool({ connectionString: url, max: 20 })
    // Dropping the database ends connections that are still closing.
    pool.on('error', () => undefined)
    const query: Query = async (text, values) => (await pool.query(text, values)).rows
    await query(sqlStoreTable('app_step_up'), [])
    const named = { placeholders: '$1', table: 'app_step_up' } as const
    return {
      open: async clock => sqlStore(query, { ...named, ...(clock !== undefined && { clock }) }),
      rows: async () => (await query('SELECT 1 FROM app_step_up', [])).length,
      async close() {
        await pool.end()
        await drop()
      },
    }
  },
}

for (const [name, build] of Object.entries(grounds)) {
  describe(`the store on ${name}`, () => {
    let ground: Ground
    before(async function () {
      const built = await build()
      if (built === undefined) return this.skip()
      ground = built
    })
    after(() => ground?.close())

    it('lets one of fifty spends at once through, from several processes', async () => {
      const stores = await Promise.all(Array.from({ length: 5 }, () => ground.open()))
      const key = `jti:${crypto.randomUUID()}`
      const all = Array.from({ length: 50 }, (_, index) => stores[index % 5]?.spend(key, later()))
      expect((await Promise.all(all)).filter(Boolean)).to.have.length(1)
      expect(await stores[0]?.spend(key, later())).to.equal(false)
      expect(await stores[0]?.spend(`${key}2`, later())).to.equal(true)
    })

    it('hands out what is kept once, to one of fifty', async () => {
      const store = await ground.open()
      const key = `pending:${crypto.randomUUID()}`
      await store.keep(key, '{"a":"ä"}', later())
      const all = await Promise.all(Array.from({ length: 50 }, () => store.take(key)))
      expect(all.filter(each => each !== undefined)).to.deep.equal(['{"a":"ä"}'])
      expect(await store.take('pending:other')).to.equal(undefined)
    })

    it('keeps nothing over what is kept', async () => {
      const store = await ground.open()
      const key = `pending:${crypto.randomUUID()}`
      await store.keep(key, 'one', later())
      let refused: unknown
      await store.keep(key, 'two', later()).catch(error => {
        refused = error
      })
      expect(refused).to.be.instanceOf(Error)
      expect(await store.take(key)).to.equal('one')
    })

    it('hands out nothing that is out of date, and sweeps it', async () => {
      let now = Date.now()
      const store = await ground.open(() => now)
      await store.keep('pending:old', 'old', now + 1_000)
      await store.spend('jti:old', now + 1_000)
      const before = await ground.rows?.()
      now += 1_001
      expect(await store.take('pending:old')).to.equal(undefined)
      now += 60_000
      await store.spend(`jti:${crypto.randomUUID()}`, now + 1_000)
      const left = await ground.rows?.()
      if (before !== undefined) expect(left).to.equal(before - 1)
    })
  })
}

describe('the SQL store', () => {
  it('takes no name of a table that is more than a name', () => {
    for (const table of ['a b', 'a;DROP TABLE users', 'a"', '', '1a', 'a'.repeat(64)]) {
      expect(() => sqlStore(async () => [], { placeholders: '?', table }), table).to.throw(TypeError)
      expect(() => sqlStoreTable(table), table).to.throw(TypeError)
    }
  })
})
