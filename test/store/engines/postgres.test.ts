import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import pg from 'pg'
import { AppError } from '../../../src/errors.ts'
import { reserveAttempt } from '../../../src/factors/attempts.ts'
import { spend, spendTotpStep, turnOnAuthenticator } from '../../../src/store/accounts/credentials.ts'
import { type Database, openDatabase, sql, write } from '../../../src/store/database.ts'
import { upsertSession } from '../../../src/store/sessions/oidc-sessions.ts'
import { account, epochMoves, failureOf, NOW, onPostgres, outcomeOf, person } from '../contract.ts'

const endOthers = sql(
  'test_end_others',
  `SELECT count(pg_terminate_backend(pid)) AS ended FROM pg_stat_activity
   WHERE datname = current_database() AND pid <> pg_backend_pid()`,
)
const slow = sql('test_slow', 'SELECT pg_sleep(CAST(? AS integer) / 1000.0) IS NOT NULL AS slept')
const slowWrite = sql(
  'test_slow_write',
  'UPDATE accounts SET epoch = epoch + 1 WHERE id = ? AND pg_sleep(CAST(? AS integer) / 1000.0) IS NOT NULL',
)
const waiting = sql(
  'test_waiting',
  `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
)
const setting = sql('test_isolation', `SELECT current_setting('transaction_isolation') AS isolation`)

onPostgres('the connections', (open, place) => {
  let database: Database
  let other: Database
  const handles: Database[] = []
  /** A handle whose connections have settings of their own. */
  const openWith = async (settings: Record<string, string>) => {
    const url = new URL(await place.url())
    url.searchParams.set(
      'options',
      Object.entries(settings)
        .map(each => `-c ${each.join('=')}`)
        .join(' '),
    )
    const handle = await openDatabase(url.href)
    handles.push(handle)
    return handle
  }

  before(async () => {
    database = await open()
    other = await open()
  })
  after(async () => {
    for (const each of handles) await each.close()
  })

  /** A transaction of somebody else, and a way to know that a commit waits for it. */
  const inTheWay = async (work: (stubborn: pg.Client, waitedFor: () => Promise<void>) => Promise<void>) => {
    const stubborn = new pg.Client({ connectionString: await place.url() })
    await stubborn.connect()
    try {
      await stubborn.query(`SET deadlock_timeout = '30s'`)
      await stubborn.query('BEGIN')
      await work(stubborn, async () => {
        for (const deadline = Date.now() + 5000; (await database.read(waiting, [])).length === 0; ) {
          expect(Date.now()).to.be.lessThan(deadline)
          await sleep(10)
        }
      })
    } finally {
      await stubborn.end()
    }
  }
  const become100 = 'UPDATE accounts SET epoch = 100 WHERE id = $1'

  it('run a commit again that another one was in the way of: serialisation failures', async () => {
    const strict = await openWith({ default_transaction_isolation: 'serializable' })
    expect(await strict.read(setting, [])).to.deep.equal([{ isolation: 'serializable' }])
    const id = await person(database)
    await inTheWay(async (stubborn, waitedFor) => {
      await stubborn.query(become100, [id])
      const commit = strict.commit([epochMoves(id)])
      await waitedFor()
      await stubborn.query('COMMIT')
      await commit
    })
    expect((await account(database, id)).epoch).to.equal(101)
  })

  it('run a commit again that another one was in the way of: deadlocks', async () => {
    // Who waits for half a second looks for a deadlock and gives way; the other one would only look much later.
    const yielding = await openWith({ deadlock_timeout: '500ms' })
    await yielding.read(setting, [])
    const [a, b] = await Promise.all([person(database), person(database)])
    await inTheWay(async (stubborn, waitedFor) => {
      await stubborn.query(become100, [b])
      const commit = yielding.commit([epochMoves(a), epochMoves(b)])
      await waitedFor()
      await stubborn.query(become100, [a])
      await stubborn.query('COMMIT')
      await commit
    })
    expect((await account(database, a)).epoch).to.equal(101)
    expect((await account(database, b)).epoch).to.equal(101)
  })

  it('run a commit again that another one was in the way of: two unique indexes of one row', async () => {
    // ON CONFLICT waits for its own index only; of another one that the same row is in, PostgreSQL says "duplicate".
    const accountId = await person(database)
    const owner = { accountId, epoch: 0 }
    for (let round = 0; round < 60; round++) {
      const uid = `uid ${round}`
      const session = { uid, id: `id ${round}`, payload: { uid }, expiresAt: NOW + 1, owner }
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          outcomeOf((index % 2 ? database : other).commit([upsertSession(session, NOW)])),
        ),
      )
      expect(
        outcomes.filter(each => each !== 'stored'),
        `round ${round}`,
      ).to.deep.equal([])
    }
  })

  it('serve more requests at once than there are connections', async () => {
    const id = await person(database)
    await Promise.all(Array.from({ length: 100 }, () => database.commit([epochMoves(id)])))
    expect((await account(database, id)).epoch).to.equal(100)
  })

  /** What a browser does that is told to come again in a few seconds. */
  const recovered = async () => {
    for (const deadline = Date.now() + 5000; ; ) {
      const outcome = await database.read(slow, [0]).catch((error: unknown) => error)
      if (Array.isArray(outcome)) return
      expect(outcome).to.have.property('code', 'unavailable')
      expect(Date.now()).to.be.lessThan(deadline)
      await sleep(50)
    }
  }

  it('may be lost while idle: requests are served again without a restart', async () => {
    const id = await person(database)
    await database.commit([epochMoves(id)])
    await other.read(endOthers, [])
    await recovered()
    expect((await account(database, id)).epoch).to.equal(1)
    await database.commit([epochMoves(id)])
    expect((await account(database, id)).epoch).to.equal(2)
  })

  it('may be lost while they work: the request is told, nothing is stored by halves, the next is served', async () => {
    const id = await person(database)
    const failures = Promise.all([
      failureOf(database.read(slow, [20_000])),
      failureOf(database.commit([write(slowWrite, [id, 20_000]), spend('passkey-challenge', id, NOW)])),
    ])
    await sleep(300)
    await other.read(endOthers, [])
    for (const failure of await failures) {
      expect(failure).to.be.instanceOf(AppError)
      expect((failure as AppError).code).to.equal('unavailable')
      expect((failure as AppError).status).to.equal(503)
    }
    await recovered()
    expect((await account(database, id)).epoch).to.equal(0)
    expect(await outcomeOf(database.commit([spend('passkey-challenge', id, NOW)]))).to.equal('stored')
  })

  it('F6: what was spent and counted before they were lost is not forgotten', async () => {
    const id = await person(database)
    const subject = { account: id, source: '' }
    await database.commit([
      ...turnOnAuthenticator(await account(database, id), 'sealed', 100, NOW),
      spend('passkey-challenge', `challenge ${id}`, NOW),
      reserveAttempt('code', subject, NOW),
    ])
    for (let tries = 2; tries <= 5; tries++) await database.commit([reserveAttempt('code', subject, NOW)])
    await other.read(endOthers, [])
    await recovered()
    expect(await outcomeOf(database.commit([spendTotpStep(id, 'sealed', 100, NOW)]))).to.equal('already_used')
    expect(await outcomeOf(database.commit([spend('passkey-challenge', `challenge ${id}`, NOW)]))).to.equal(
      'already_used',
    )
    expect(await outcomeOf(database.commit([reserveAttempt('code', subject, NOW)]))).to.equal(
      'too_many_tries',
    )
  })

  it('are said to be unavailable, soon, where no server answers', async () => {
    const probe = createServer()
    await new Promise<void>(resolve => probe.listen(0, '127.0.0.1', resolve))
    const address = probe.address()
    await new Promise(resolve => probe.close(resolve))
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const nowhere = await openDatabase(`postgres://nobody@127.0.0.1:${port}/nothing`)
    handles.push(nowhere)
    const failure = await failureOf(nowhere.read(slow, [0]))
    expect(failure).to.be.instanceOf(AppError)
    expect((failure as AppError).code).to.equal('unavailable')
  })
})
