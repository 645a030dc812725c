import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import knex, { type Knex } from 'knex'
import { type Database, openDatabase, sql, write } from '../../src/store/database.ts'
import { NOW, onEveryEmptyDatabase, person, rowsOf } from './contract.ts'

const run = promisify(execFile)
const killed = fileURLToPath(new URL('killed-migration.ts', import.meta.url))
const directory = fileURLToPath(new URL('../../migrations', import.meta.url))
const ALL = [
  '001-login.js',
  '002-step-up.js',
  '003-own-pages.js',
  '004-second-factor-resets.js',
  '005-audit-chain.js',
  '006-admins-version.js',
  '007-user-list.js',
  '008-idempotency.js',
  '009-invitations.js',
  '010-sessions.js',
  '011-access-list.js',
  '012-told-apps.js',
  '013-password-changed.js',
  '014-support-cases.js',
  '016-bounces.js',
  '017-rare-statuses.js',
  '020-email-changes.js',
  '021-sso.js',
  '022-provider-factors.js',
  '023-secret-keys.js',
]

const newer = sql(
  'test_newer_migration',
  `INSERT INTO migrations (name, batch) VALUES ('999-from-the-future.js', 2)`,
)
const forget = sql('test_forget_migration', `DELETE FROM migrations WHERE name = '999-from-the-future.js'`)

onEveryEmptyDatabase('migrating', (open, place) => {
  const tables = async (): Promise<string[]> => {
    const connection = await migrator()
    try {
      const rows =
        place.dialect === 'sqlite'
          ? await connection('sqlite_master').where({ type: 'table' }).pluck('name')
          : await connection('pg_tables').where({ schemaname: 'public' }).pluck('tablename')
      return (rows as string[]).filter(each => !/^(migrations|sqlite_)/.test(each))
    } finally {
      await connection.destroy()
    }
  }
  const migrator = async (): Promise<Knex> => {
    const url = await place.url()
    return knex({
      ...(place.dialect === 'sqlite'
        ? { client: 'sqlite3', connection: { filename: url.replace('sqlite:', '') }, useNullAsDefault: true }
        : { client: 'pg', connection: url }),
      migrations: { directory, loadExtensions: ['.js'], tableName: 'migrations' },
    })
  }

  // The tests of this suite follow one database through its life.
  let database: Database
  before(async () => {
    database = await open()
  })

  it('is pending on an empty database, and asking changes nothing', async () => {
    expect(await database.migrations()).to.deep.equal({ pending: ALL, unknown: [] })
    expect(await tables()).to.deep.equal([])
  })

  for (const table of [1, 8]) {
    it(`F20: killed while it makes table no. ${table}, leaves nothing behind and is not in its own way`, async () => {
      const death = await run(process.execPath, [killed, await place.url(), String(table)]).catch(
        (error: unknown) => error,
      )
      expect(death).to.have.property('signal', 'SIGKILL')
      expect(await tables()).to.deep.equal([])
      expect(await database.migrations()).to.deep.equal({ pending: ALL, unknown: [] })
    })
  }

  it('is done once when several replicas start at the same time', async () => {
    const url = await place.url()
    const replicas = await Promise.all([1, 2, 3].map(() => openDatabase(url)))
    try {
      const ran = await Promise.all(
        replicas.map(async each => {
          await each.migrations()
          return each.migrate()
        }),
      )
      expect(ran.filter(each => each.length > 0)).to.deep.equal([ALL])
    } finally {
      for (const each of replicas) await each.close()
    }
    expect(await database.migrations()).to.deep.equal({ pending: [], unknown: [] })
    expect(await database.migrate()).to.deep.equal([])
  })

  it('keeps what is stored when it has nothing to do', async () => {
    const id = await person(database)
    await database.migrate()
    expect((await rowsOf(database, 'accounts')).map(each => each.id)).to.deep.equal([id])
  })

  it('F20: says that the database is of a newer version, and leaves it alone', async () => {
    await database.commit([write(newer, [])])
    expect(await database.migrations()).to.deep.equal({ pending: [], unknown: ['999-from-the-future.js'] })
    const error = await database.migrate().catch((each: unknown) => each)
    expect(error).to.be.instanceOf(Error)
    expect(await rowsOf(database, 'accounts')).to.have.length(1)
    await database.commit([write(forget, [])])
    expect(await database.migrate()).to.deep.equal([])
  })

  it('goes back and forth again', async () => {
    const connection = await migrator()
    try {
      await connection.migrate.rollback(undefined, true)
    } finally {
      await connection.destroy()
    }
    expect(await tables()).to.deep.equal([])
    expect(await database.migrations()).to.deep.equal({ pending: ALL, unknown: [] })
    expect(await database.migrate()).to.deep.equal(ALL)
    await person(database, { mailboxProvenAt: NOW })
    expect(await rowsOf(database, 'accounts')).to.have.length(1)
  })
})
