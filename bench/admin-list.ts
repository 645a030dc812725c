// The console's list: whether a page costs the same with 100,000 users as with 1,000, on the first page as on page 500.
// `node bench/admin-list.ts 1000000` for a larger organisation. PostgreSQL, where its binaries are, with fsync.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { insertAccount } from '../src/store/accounts/accounts.ts'
import { turnOnAuthenticator } from '../src/store/accounts/credentials.ts'
import {
  countUsers,
  readUserPage,
  type UserFilter,
  type UserOrder,
  type UserPlace,
} from '../src/store/accounts/user-list.ts'
import { type Database, openDatabase } from '../src/store/database.ts'
import { insertOrganisation } from '../src/store/organisations/organisations.ts'
import { draftResetOf } from '../src/store/recovery/second-factor-resets.ts'
import { binaries, startCluster } from '../test/support/postgres.ts'
import { median } from './processes.ts'

const SIZES = [1000, 10_000, Number(process.argv[2] ?? 100_000)]
const READS = 100
const PAGE = 25
const FIRST = ['Aisha', 'Ben', 'Chiara', 'Dana', 'Emil', 'Fatou', 'Gwen', 'Hiroshi', 'Isabel', 'Jonas']
const LAST = ['Rahman', 'Okafor', 'Lombardi', 'Whitlock', 'Johansson', 'Diallo', 'Parry', 'Tanaka']

async function fill(database: Database, org: string, count: number): Promise<void> {
  await database.commit([insertOrganisation({ id: org, name: 'Bench', plan: 'Bench', subscribedAt: 0 }, 0)])
  for (let from = 0; from < count; from += 500) {
    const ids = Array.from({ length: Math.min(500, count - from) }, (_, index) => from + index)
    await database.commit(
      ids.map(n =>
        insertAccount(
          {
            id: `${org}_${n}`,
            organisationId: org,
            email: `user${n}@${org}.example`,
            name: `${FIRST[n % FIRST.length]} ${LAST[n % LAST.length]}`,
            role: n % 50 === 0 ? 'admin' : 'technician',
            status: 'active',
            passwordHash: null,
            mailboxProvenAt: 0,
          },
          0,
        ),
      ),
    )
    const set = ids.filter(n => n % 4 !== 0)
    await database.commit(
      set.flatMap(n => turnOnAuthenticator({ id: `${org}_${n}`, epoch: 0 }, `${org} ${n}`, 1, 0)),
    )
  }
}

/** Milliseconds, the median. */
async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let n = 0; n < READS; n++) {
    const started = performance.now()
    await work()
    times.push(performance.now() - started)
  }
  return median(times)
}

const BY_NAME: UserOrder = { by: 'name', descending: false }
const LISTS: Record<string, { filter: UserFilter; order?: UserOrder; page?: number }> = {
  'first page': { filter: { words: [] } },
  'page 500, or the last': { filter: { words: [] }, page: 500 },
  'not set up': { filter: { words: [], standing: 'not_set_up' } },
  'admins, set up': { filter: { words: [], role: 'admin', standing: 'set_up' } },
  'by last login': { filter: { words: [] }, order: { by: 'login', descending: true } },
  'one by address': { filter: { words: ['user777@'] } },
}

/** Where a page begins. */
async function placeOf(database: Database, org: string, page: number): Promise<UserPlace | undefined> {
  let place: UserPlace | undefined
  for (let n = 1; n < page; n++) {
    const { after } = await readUserPage(database, org, { words: [] }, BY_NAME, PAGE, place)
    if (after === undefined) break
    place = { key: after, direction: 'after' }
  }
  return place
}

async function listing(database: Database): Promise<string[]> {
  const table: Record<string, number[]> = {}
  for (const size of SIZES) {
    const org = `org_${size}`
    await fill(database, org, size)
    for (const [name, { filter, order = BY_NAME, page = 1 }] of Object.entries(LISTS)) {
      const place = await placeOf(database, org, page)
      const time = await milliseconds(() => readUserPage(database, org, filter, order, PAGE, place))
      table[name] = [...(table[name] ?? []), time]
    }
    table['the counts'] = [
      ...(table['the counts'] ?? []),
      await milliseconds(() => countUsers(database, org, { words: [] })),
    ]
    const started = performance.now()
    const draft = { id: `all_${size}`, organisationId: org, actorId: 'x' }
    await database.commit(draftResetOf(draft, { words: [] }, 0))
    const each = ((performance.now() - started) * 1000) / size
    table['select all, µs a user'] = [...(table['select all, µs a user'] ?? []), each]
  }
  return Object.entries(table).map(([name, times]) => {
    const ratios = times.map(each => `${(each / (times[0] ?? 1)).toFixed(2).padStart(6)} ×`)
    return `${name.padEnd(24)}${(times[0] ?? 0).toFixed(2).padStart(7)}  ${ratios.join('')}`
  })
}

async function measure(name: string, url: string): Promise<void> {
  const database = await openDatabase(url)
  try {
    await database.migrate()
    console.log(`${name}: milliseconds at ${SIZES[0]} users, then times that at ${SIZES.join(', ')}`)
    for (const line of await listing(database)) console.log(line)
  } finally {
    await database.close()
  }
}

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'))
await measure('SQLite', `sqlite:${join(folder, 'bench.sqlite')}`)
rmSync(folder, { recursive: true })

const bin = await binaries()
if (bin === undefined) console.log('no PostgreSQL here')
else {
  const cluster = await startCluster(bin, { durable: true })
  try {
    await measure('PostgreSQL', cluster.url)
  } finally {
    await cluster.stop()
  }
}
