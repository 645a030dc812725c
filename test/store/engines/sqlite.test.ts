import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import knex, { type Knex } from 'knex'
import { AppError } from '../../../src/errors.ts'
import { type Database, openDatabase, sql, write } from '../../../src/store/database.ts'
import { account, epochMoves, failureOf, onSqlite, person, rowsOf } from '../contract.ts'

const run = promisify(execFile)
const counter = fileURLToPath(new URL('counter-process.ts', import.meta.url))
const filler = fileURLToPath(new URL('full-disk-process.ts', import.meta.url))
const addLarge = sql(
  'test_add_large',
  `INSERT INTO oidc_artefacts (model, id, epoch, payload) VALUES ('Large', ?, 0, ?)`,
)
const removeLarge = sql('test_remove_large', `DELETE FROM oidc_artefacts WHERE model = 'Large'`)

onSqlite('the database file', (open, place) => {
  let database: Database
  let foreign: Knex

  before(async () => {
    database = await open()
    // Somebody else's program, which locks the file as it likes.
    foreign = knex({
      client: 'sqlite3',
      connection: { filename: (await place.url()).replace('sqlite:', '') },
      useNullAsDefault: true,
    })
  })
  after(() => foreign.destroy())

  it('is written by several processes at once without losing an update', async () => {
    const id = await person(database)
    const url = await place.url()
    const [ended] = await Promise.all([
      Promise.all([1, 2].map(() => run(process.execPath, [counter, url, id, '40']))),
      (async () => {
        for (let index = 0; index < 40; index++) await database.commit([epochMoves(id)])
      })(),
    ])
    expect(ended.map(each => each.stdout)).to.deep.equal(['done', 'done'])
    expect((await account(database, id)).epoch).to.equal(120)
  })

  it('is waited for while another program writes, and read meanwhile', async () => {
    const id = await person(database)
    await foreign.raw('BEGIN IMMEDIATE')
    let stored = false
    const commit = database.commit([epochMoves(id)]).then(() => {
      stored = true
    })
    await sleep(300)
    expect((await account(database, id)).epoch).to.equal(0)
    expect(stored).to.equal(false)
    await foreign.raw('COMMIT')
    await commit
    expect((await account(database, id)).epoch).to.equal(1)
  })

  it('is said to be unavailable when another program keeps it for five seconds, and works again after', async () => {
    const id = await person(database)
    await foreign.raw('BEGIN IMMEDIATE')
    const failure = await failureOf(database.commit([epochMoves(id)]))
    expect(failure).to.be.instanceOf(AppError)
    expect((failure as AppError).code).to.equal('unavailable')
    await foreign.raw('ROLLBACK')
    await database.commit([epochMoves(id)])
    expect((await account(database, id)).epoch).to.equal(1)
  })

  it('F10: is said to be unavailable when the disk is full, has all that was promised, and works again after', async () => {
    const id = await person(database)
    // 8192 blocks of 512 bytes; without the trap the system would end the process.
    const limited = `trap '' XFSZ; ulimit -f 8192; exec "$0" "$@"`
    const { stdout } = await run('/bin/sh', ['-c', limited, process.execPath, filler, await place.url()])
    const report = JSON.parse(stdout)
    expect(report.codes).to.deep.equal(['unavailable'])
    expect(report.promised).to.be.greaterThan(10)
    expect(report.stored).to.equal(report.promised)
    await database.commit([epochMoves(id)])
    expect((await account(database, id)).epoch).to.equal(1)
    const kept = (await rowsOf(database, 'oidc_artefacts')).filter(each => each.model === 'Test')
    expect(kept).to.have.length(report.promised)
  })

  it('is said to be unavailable when it is damaged', async () => {
    const file = (await place.url()).replace('sqlite:', '').replace('test.sqlite', 'damaged.sqlite')
    const whole = await openDatabase(`sqlite:${file}`)
    await whole.migrate()
    await whole.commit(['a', 'b', 'c', 'd'].map(id => write(addLarge, [id, 'x'.repeat(200_000)])))
    await whole.close()
    const bytes = await readFile(file)
    await writeFile(file, bytes.fill(0xff, bytes.length / 2))
    const damaged = await openDatabase(`sqlite:${file}`)
    for (const broken of [
      () => rowsOf(damaged, 'oidc_artefacts'),
      () => damaged.commit([write(removeLarge, [])]),
      () => Promise.all([1, 2, 3].map(() => damaged.commit([write(removeLarge, [])]))),
    ]) {
      const failure = await failureOf(broken())
      expect(failure).to.be.instanceOf(AppError)
      expect((failure as AppError).code).to.equal('unavailable')
    }
    await person(damaged)
    await damaged.close()
  })

  it('shows nobody what a transaction has not committed', async () => {
    const id = await person(database)
    await foreign.raw('BEGIN IMMEDIATE')
    await foreign('accounts').where({ id }).update({ name: 'Not yet' })
    expect((await account(database, id)).name).to.equal('Dana Whitlock')
    await foreign.raw('ROLLBACK')
  })

  it('is refused when it is no database', async () => {
    const file = (await place.url()).replace('sqlite:', '').replace('test.sqlite', 'letter.txt')
    await writeFile(file, 'Dear Dana, '.repeat(1000))
    expect(await failureOf(openDatabase(`sqlite:${file}`))).to.have.property('code', 'SQLITE_NOTADB')
  })

  it('cannot be in memory, where two connections would see two databases', async () => {
    expect(await failureOf(openDatabase('sqlite::memory:'))).to.have.property(
      'message',
      'sqlite::memory: cannot be used: name a file',
    )
  })

  it('finishes what waits before it closes', async () => {
    const id = await person(database)
    const closing = await openDatabase(await place.url())
    const commits = Array.from({ length: 20 }, () => closing.commit([epochMoves(id)]))
    await closing.close()
    await Promise.all(commits)
    expect((await account(database, id)).epoch).to.equal(20)
  })
})
