// The audit log: what sealing and verifying cost beside a bare hash over the same rows in the same run, and whether a
// page of a filtered log costs the same on page 500 of 100,000 rows as on page 1 of 1,000. `node bench/audit.ts
// 1000000` for a larger log. PostgreSQL, where its binaries are, with fsync.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditRow } from '../src/store/audit/audit.ts'
import { rowsDigest, rowsToVerify } from '../src/store/audit/audit-chain.ts'
import { type AuditKey, type AuditPage, readAuditEvents } from '../src/store/audit/audit-events.ts'
import { sealAudit } from '../src/store/audit/audit-sealer.ts'
import { verifyAudit } from '../src/store/audit/audit-verify.ts'
import { type Database, openDatabase, type Row, type Write } from '../src/store/database.ts'
import { createKeyring } from '../src/store/seal.ts'
import { binaries, startCluster } from '../test/support/postgres.ts'
import { median } from './processes.ts'

const MANY = Number(process.argv[2] ?? 100_000)
const FEW = 1000
const SEALED = 20_000
const ROUNDS = 5
const READS = 200
const PAGE = 50
const ORG = 'org_1'
const START = Date.UTC(2026, 0, 1)
const ALL_IDS = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER] as const

const keyring = createKeyring(['a-secret-key-for-a-bench-of-32-characters'])

/** As logins write them: half of them of the kind that is asked for, by 500 people. */
function event(index: number): Write {
  return auditRow(
    {
      event: index % 2 === 0 ? 'login' : 'code.wrong',
      organisationId: ORG,
      accountId: `usr_${index % 500}`,
      address: '203.0.113.24',
      interaction: 'kV3n0c2Xw1Yq8ZpL5tR7s',
      details: { client: 'fleetdesk', factors: ['pwd', 'otp'] },
    },
    START + index * 1000,
  )
}

async function fill(database: Database, from: number, count: number): Promise<void> {
  for (let index = from; index < from + count; index += 200) {
    const rows = Array.from({ length: Math.min(200, from + count - index) }, (_, each) => event(index + each))
    await database.commit(rows)
  }
}

async function seconds(work: () => unknown): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

function hashed(rows: readonly Row[]): string {
  const digest = rowsDigest()
  for (const row of rows) digest.add(row)
  return digest.hex()
}

async function sealing(database: Database): Promise<string> {
  const rounds: { hash: number; seal: number; verify: number; verified: number }[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    await fill(database, round * SEALED, SEALED)
    const rows = await database.read(rowsToVerify, [...ALL_IDS, SEALED])
    const hash = await seconds(() => hashed(rows))
    const seal = await seconds(() => sealAudit(database, keyring, Date.now))
    let verified = 0
    const verify = await seconds(async () => {
      const verdict = await verifyAudit(database, keyring)
      if (!verdict.ok || verdict.unsealed > 0) throw new Error('the log does not verify')
      verified = verdict.rows
    })
    // The first round warms everything up.
    if (round > 0) rounds.push({ hash, seal, verify, verified })
  }
  const of = (pick: (round: (typeof rounds)[number]) => number) => median(rounds.map(pick))
  const perSecond = (rows: number) => `${Math.round(rows).toLocaleString('en').padStart(9)} rows a second`
  return [
    `a bare hash ${perSecond(of(each => SEALED / each.hash))}`,
    `sealing     ${perSecond(of(each => SEALED / each.seal))}, ${of(each => each.seal / each.hash).toFixed(1)} × the time of a bare hash`,
    `verifying   ${perSecond(of(each => each.verified / each.verify))}, ${of(each => each.verify / each.verified / (each.hash / SEALED)).toFixed(1)} × the time of a bare hash`,
  ].join('\n')
}

const FILTERS: Record<string, Partial<AuditPage>> = {
  'no filter': {},
  event: { event: 'login' },
  'event and time': { event: 'login', from: START },
}

/** The key behind which a page begins. */
async function keyOf(
  database: Database,
  filter: Partial<AuditPage>,
  page: number,
): Promise<AuditKey | undefined> {
  let before: AuditKey | undefined
  for (let each = 1; each < page; each++) {
    before = (await readAuditEvents(database, ORG, { ...filter, before, limit: PAGE })).at(-1)
  }
  return before
}

async function pages(few: Database, many: Database): Promise<string> {
  const lines: string[] = []
  for (const [name, filter] of Object.entries(FILTERS)) {
    const places = [
      { database: few, before: undefined },
      { database: many, before: undefined },
      { database: many, before: await keyOf(many, filter, 500) },
    ]
    const times: number[][] = places.map(() => [])
    for (let read = -20; read < READS; read++) {
      for (const [index, { database, before }] of places.entries()) {
        const time = await seconds(async () => {
          const records = await readAuditEvents(database, ORG, { ...filter, before, limit: PAGE })
          if (records.length !== PAGE) throw new Error('a page is not full')
        })
        if (read >= 0) times[index]?.push(time)
      }
    }
    const [first = 0, large = 0, far = 0] = times.map(median)
    lines.push(
      `${name.padEnd(15)} ${(first * 1000).toFixed(2)} ms on page 1 of ${FEW.toLocaleString('en')} rows; of ` +
        `${MANY.toLocaleString('en')}: page 1 ${(large / first).toFixed(2)} times, page 500 ${(far / first).toFixed(2)} times`,
    )
  }
  return lines.join('\n')
}

async function onDatabase(name: string, urls: readonly [string, string, string]): Promise<void> {
  const [sealed, few, many] = await Promise.all(urls.map(each => openDatabase(each)))
  if (sealed === undefined || few === undefined || many === undefined) throw new Error('no database')
  const all = [sealed, few, many]
  for (const each of all) await each.migrate()
  console.log(`${name}, medians of ${ROUNDS} rounds of ${SEALED.toLocaleString('en')} rows`)
  console.log(await sealing(sealed))
  await fill(few, 0, FEW)
  await fill(many, 0, MANY)
  console.log(`a page of ${PAGE}, medians of ${READS} reads`)
  console.log(await pages(few, many))
  for (const each of all) await each.close()
}

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'))
const files = ['sealed', 'few', 'many'].map(each => `sqlite:${join(folder, each)}`)
await onDatabase('SQLite', files as [string, string, string])
rmSync(folder, { recursive: true })

const bin = await binaries()
if (bin === undefined) console.log('no PostgreSQL here')
else {
  const cluster = await startCluster(bin, { durable: true })
  try {
    const { default: pg } = await import('pg')
    const client = new pg.Client({ connectionString: cluster.url })
    await client.connect()
    const urls = ['sealed', 'few', 'many'].map(each => cluster.url.replace(/\/postgres$/, `/${each}`))
    for (const each of ['sealed', 'few', 'many']) await client.query(`CREATE DATABASE ${each}`)
    await client.end()
    await onDatabase('PostgreSQL', urls as [string, string, string])
  } finally {
    await cluster.stop()
  }
}
