import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import pg from 'pg'
import { binaries, freshDatabase, postgresUrl, startCluster } from './postgres.ts'

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

const refused = (url: string) =>
  query(url, 'SELECT 1').then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code,
  )

describe('the PostgreSQL of the tests', () => {
  before(async function () {
    if ((await postgresUrl()) === undefined) this.skip()
  })

  it('gives each suite an empty database of its own', async () => {
    const [one, other] = await Promise.all([freshDatabase(), freshDatabase()])
    await query(one.url, 'CREATE TABLE a (b integer)')
    expect(await query(other.url, "SELECT 1 FROM pg_tables WHERE tablename = 'a'")).to.be.empty
    await Promise.all([one.drop(), other.drop()])
  })

  it('drops a database that somebody is still connected to', async () => {
    const database = await freshDatabase()
    const client = new pg.Client({ connectionString: database.url })
    client.on('error', () => undefined)
    await client.connect()
    await database.drop()
    expect(await refused(database.url)).to.equal('3D000')
    await client.end()
  })
})

describe('a throw-away cluster', () => {
  let bin = ''

  before(async function () {
    const found = await binaries()
    if (found === undefined) return this.skip()
    bin = found
  })

  it('is gone, with its folder, when it is stopped', async () => {
    const cluster = await startCluster(bin)
    const [row] = await query(cluster.url, "SELECT current_setting('data_directory') AS folder, version()")
    expect(existsSync(String(row?.folder))).to.equal(true)
    await cluster.stop()
    expect(existsSync(String(row?.folder))).to.equal(false)
    expect(await refused(cluster.url)).to.equal('ECONNREFUSED')
  })

  it('writes through to the disk where it is asked to', async () => {
    const cluster = await startCluster(bin, { durable: true })
    expect(await query(cluster.url, 'SHOW fsync')).to.deep.equal([{ fsync: 'on' }])
    await cluster.stop()
  })

  it('does not outlive tests that are killed', async () => {
    const program = `import { startCluster } from ${JSON.stringify(new URL('postgres.ts', import.meta.url).href)}
      console.log((await startCluster(${JSON.stringify(bin)})).url)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [url] = await once(createInterface({ input: child.stdout }), 'line')
    expect(await refused(url)).to.equal(undefined)
    child.kill('SIGKILL')
    for (let tries = 0; tries < 100 && (await refused(url)) !== 'ECONNREFUSED'; tries++) await sleep(50)
    expect(await refused(url)).to.equal('ECONNREFUSED')
  })
})
