// A real PostgreSQL for the tests: the server of TEST_POSTGRES_URL, or a throw-away cluster made from the binaries of
// this machine. Where there is neither, suites skip and say so; with CI=true that is an error.
//
// The cluster lives in its own folder and process group, listens on 127.0.0.1 only, and cannot outlive the tests: a
// shell holds it that waits on a pipe from this process, so it stops and its folder goes also when the tests are killed.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { atEnd, beforeRun } from './hooks.ts'
import { say } from './machine.ts'

const run = promisify(execFile)

/** Why suites skip where `postgresUrl` resolves to undefined. */
export const postgresMissing =
  'no PostgreSQL: set TEST_POSTGRES_URL, or install its server (Debian: apt-get install postgresql)'

let server: Promise<string | undefined> | undefined

/**
 * The URL of a database whose user may create databases, or undefined where no PostgreSQL is to be had; then a suite
 * calls `this.skip()`.
 * @throws with CI=true instead of undefined; and when the cluster does not start
 */
export function postgresUrl(): Promise<string | undefined> {
  server ??= provide()
  return server
}

async function provide(): Promise<string | undefined> {
  if (process.env.TEST_POSTGRES_URL) return process.env.TEST_POSTGRES_URL
  const bin = await binaries()
  if (bin === undefined) {
    if (process.env.CI === 'true') throw new Error(postgresMissing)
    say(`PostgreSQL suites are skipped: ${postgresMissing}`)
    return undefined
  }
  const cluster = await startCluster(bin)
  atEnd(cluster.stop)
  return cluster.url
}

/** The folder with initdb and postgres: on PATH, else the newest in the usual places, else undefined. */
export async function binaries(): Promise<string | undefined> {
  const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const usual: [string, string][] = [
    ['/usr/lib/postgresql', 'bin'],
    ['/opt/homebrew/opt', 'bin'],
    ['/usr/local/opt', 'bin'],
    ['/Applications/Postgres.app/Contents/Versions', 'bin'],
  ]
  const folders = await Promise.all(
    usual.map(async ([parent, bin]) => {
      const versions = await readdir(parent).catch(() => [])
      const newestFirst = versions.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
      return newestFirst.map(version => join(parent, version, bin))
    }),
  )
  return [...path, ...folders.flat()].find(
    folder => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  )
}

export type Cluster = { url: string; directory: string; stop(): Promise<void> }

// $1 is the folder to remove. A shell's background job has no terminal and no stdin; `cat` ends when the tests do.
const keeper =
  'folder=$1; shift; "$@" & server=$!; cat >/dev/null; kill -INT $server; wait $server; rm -rf "$folder"'

/**
 * Starts a throw-away cluster on a free port of 127.0.0.1.
 * @param bin the folder with initdb and postgres
 * @param options.durable true keeps fsync on, for measurements; default false
 */
export async function startCluster(bin: string, options: { durable?: boolean } = {}): Promise<Cluster> {
  const owner = await serverUser()
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-pg-'))
  if (owner) await chown(folder, owner.uid, owner.gid)
  const data = join(folder, 'data')
  let child: ChildProcess | undefined
  const stop = async () => {
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise(resolve => child?.once('exit', resolve))
      child.stdin?.end()
      await ended
    }
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
    await run(join(bin, 'initdb'), initdb, { cwd: folder, ...owner })
    const port = await freePort()
    const settings = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: '',
      max_connections: 200,
      logging_collector: 'off',
      log_destination: 'stderr',
      ...(options.durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
    }
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const command = [
      '-c',
      `exec 2>"$1/log"; ${keeper}`,
      'sh',
      folder,
      join(bin, 'postgres'),
      '-D',
      data,
      ...flags,
    ]
    child = spawn('/bin/sh', command, {
      cwd: folder,
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      ...owner,
    })
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`
    await ready(url, child, folder)
    return { url, directory: data, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

// PostgreSQL refuses to run as root.
async function serverUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const ids = await Promise.all(['-u', '-g'].map(flag => run('id', [flag, name]))).catch(() => undefined)
    const [uid, gid] = ids?.map(({ stdout }) => Number(stdout)) ?? []
    if (uid && gid) return { uid, gid }
  }
  throw new Error('PostgreSQL does not run as root, and this machine has no user postgres or nobody')
}

async function ready(url: string, child: ChildProcess, folder: string): Promise<void> {
  const deadline = Date.now() + 60_000
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      await client.end().catch(() => undefined)
      const log = await readFile(join(folder, 'log'), 'utf8').catch(() => '')
      if (child.exitCode !== null || Date.now() > deadline || /FATAL:.*(port|address|lock file)/i.test(log))
        throw new Error(`PostgreSQL did not start:\n${log.slice(-2000)}`, { cause: error })
      await sleep(50)
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>(resolve => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise(resolve => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/**
 * An empty database of the suite's own; `drop` removes it, whoever is still connected.
 * @throws where `postgresUrl` resolves to undefined: ask it first
 */
export async function freshDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const admin = await postgresUrl()
  if (admin === undefined) throw new Error(postgresMissing)
  const name = `test_${randomBytes(8).toString('hex')}`
  await administer(admin, `CREATE DATABASE ${name}`)
  const url = new URL(admin)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => administer(admin, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) }
}

// Making a cluster takes seconds that no suite's timeout should count.
beforeRun(postgresUrl)
