import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { orderReset } from '../../src/factors/reset.ts'
import { insertAccount } from '../../src/store/accounts.ts'
import { turnOnAuthenticator } from '../../src/store/credentials.ts'
import { type Database, sql } from '../../src/store/database.ts'
import { createJobBell } from '../../src/store/job-bell.ts'
import { insertOrganisation } from '../../src/store/organisations.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { draftResetOf, readReset } from '../../src/store/second-factor-resets.ts'
import { onEveryDatabase, SECRET_KEY } from '../store/contract.ts'

const PROCESS = fileURLToPath(new URL('reset-process.ts', import.meta.url))
const USERS = 5_000
const KILLS = 3

const mailed = sql(
  'test_killed_mails',
  "SELECT count(*) AS mails, count(DISTINCT summary) AS people FROM jobs WHERE kind = 'mail'",
)
const epochs = sql(
  'test_killed_epochs',
  'SELECT epoch, count(*) AS n FROM accounts WHERE organisation_id = ? GROUP BY epoch ORDER BY epoch',
)
const audited = sql(
  'test_killed_audits',
  "SELECT count(*) AS n, count(DISTINCT account_id) AS people FROM audit_events WHERE event = 'second_factor.reset'",
)

onEveryDatabase('F3: a bulk reset of 5,000 users, killed in the middle,', (open, place) => {
  let database: Database

  before(async function () {
    this.timeout(120_000)
    database = await open()
    await database.commit([
      insertOrganisation({ id: 'org', name: 'Northgate', plan: 'Team', subscribedAt: 0 }, 1),
    ])
    for (let n = 0; n < USERS; n += 250) {
      const ids = Array.from({ length: 250 }, (_, i) => `usr_${n + i}`)
      await database.commit(
        ids.map(id =>
          insertAccount(
            {
              id,
              organisationId: 'org',
              email: `${id}@example.com`,
              name: id,
              role: 'technician',
              status: 'active',
              passwordHash: null,
              mailboxProvenAt: 1,
            },
            1,
          ),
        ),
      )
      await database.commit(ids.flatMap(id => turnOnAuthenticator({ id, epoch: 0 }, `sealed ${id}`, 1, 1)))
    }
  })

  it('resets each user exactly once, writes to each once, and reports it right', async function () {
    this.timeout(120_000)
    const who = { id: 'rst', organisationId: 'org', actorId: 'operator' }
    await database.commit(draftResetOf(who, { words: [], standing: 'set_up' }, Date.now()))
    const ground = { database, keyring: createKeyring([SECRET_KEY]), bell: createJobBell() }
    await orderReset(ground, { ...who, reason: 'Drill', removePasskeys: false }, [], Date.now())
    const url = await place.url()
    const reset = async () => readReset(database, 'org', 'rst', Date.now())

    const kills: number[] = []
    let child: ChildProcess | undefined
    const start = () => {
      child = spawn(process.execPath, [PROCESS, url], { stdio: ['ignore', 'ignore', 'inherit'] })
    }
    const kill = async () => {
      const gone = once(child as ChildProcess, 'exit')
      child?.kill('SIGKILL')
      await gone
    }
    try {
      for (start(); (await reset())?.state !== 'finished'; await sleep(20)) {
        const done = (await reset())?.done ?? 0
        if (kills.length < KILLS && done > (kills.at(-1) ?? 0) + USERS / 10) {
          kills.push(done)
          await kill()
          start()
        }
      }
    } finally {
      await kill()
    }
    expect(kills, 'it was killed while it worked').to.have.length(KILLS)
    expect(await reset()).to.include({ total: USERS, done: USERS, skipped: 0 })
    expect(
      (await database.read(epochs, ['org'])).map(row => [Number(row.epoch), Number(row.n)]),
    ).to.deep.equal([[1, USERS]])
    const [mails] = await database.read(mailed, [])
    expect([Number(mails?.mails), Number(mails?.people)]).to.deep.equal([USERS, USERS])
    const [audits] = await database.read(audited, [])
    expect([Number(audits?.n), Number(audits?.people)]).to.deep.equal([USERS, USERS])
  })
})
