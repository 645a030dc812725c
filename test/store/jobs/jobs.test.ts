import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import pino from 'pino'
import { type Database, deferDatabase, openDatabase } from '../../../src/store/database.ts'
import { type JobHandler, runJobs, type Worker } from '../../../src/store/jobs/job-worker.ts'
import {
  claimJobs,
  enqueue,
  failJob,
  finishJob,
  type Job,
  listJobs,
  MOST_ATTEMPTS,
  retryDelay,
  retryJob,
  sweepJobs,
} from '../../../src/store/jobs/jobs.ts'
import { onEachDatabase, type TestDatabase } from '../../mail/databases.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const start = Date.UTC(2026, 4, 14, 9, 31)
const silent = pino({ level: 'silent' })

const job = (id: string, kind = 'mail', runAt = start) => ({
  id,
  kind,
  payload: `sealed ${id}`,
  summary: `about ${id}`,
  runAt,
})

onEachDatabase('the job queue', open => {
  let opened: TestDatabase
  let database: Database
  const add = (...jobs: Parameters<typeof enqueue>[0][]) =>
    database.commit(jobs.map(each => enqueue(each, start)))
  const claim = (now = start, limit = 10, on = database) => claimJobs(on, { limit, leaseMs: MINUTE, now })
  const claimOne = async (now = start): Promise<Job> => {
    const [found] = await claim(now, 1)
    if (found === undefined) throw new Error('nothing to claim')
    return found
  }
  const list = (now = start) => listJobs(database, { now })

  beforeEach(async () => {
    opened = await open()
    database = opened.database
  })
  afterEach(() => opened.drop())

  it('gives out what is due, oldest first, with its payload', async () => {
    await add(job('b', 'mail', start - 1), job('a', 'mail', start - 2), job('later', 'mail', start + 1))
    const jobs = await claim()
    expect(jobs.map(each => each.id)).to.have.members(['a', 'b'])
    expect(jobs.find(each => each.id === 'a')).to.deep.equal({
      id: 'a',
      kind: 'mail',
      payload: 'sealed a',
      summary: 'about a',
      attempts: 1,
      leaseUntil: start + MINUTE,
      createdAt: start,
    })
    await add(job('c', 'mail', start - 3), job('d', 'mail', start - 4))
    expect((await claim(start, 1)).map(each => each.id)).to.deep.equal(['d'])
  })

  it('gives out the kinds that were asked for', async () => {
    await add(job('a', 'mail'), job('b', 'logout'), job('c', 'webhook'))
    const jobs = await claimJobs(database, {
      kinds: ['logout', 'mail'],
      limit: 9,
      leaseMs: MINUTE,
      now: start,
    })
    expect(jobs.map(each => each.id)).to.have.members(['a', 'b'])
    expect(await claimJobs(database, { kinds: [], limit: 9, leaseMs: MINUTE, now: start })).to.be.empty
  })

  it('gives one job to one of fifty workers that ask at once', async () => {
    const other = await opened.another()
    await add(...Array.from({ length: 20 }, (_, index) => job(`j${index}`)))
    const claims = await Promise.all(
      Array.from({ length: 50 }, (_, index) => claim(start, 1, index % 2 === 0 ? database : other)),
    )
    // A worker may come away empty while others hold what it wanted; what is left is there for the next one to ask.
    const ids = [...claims.flat(), ...(await claim(start, 50))].map(each => each.id)
    expect(ids).to.have.lengthOf(20)
    expect(new Set(ids).size).to.equal(20)
  })

  it('does not enqueue an id that is there already', async () => {
    await add(job('a'))
    await add({ ...job('a'), payload: 'another' })
    expect((await claimOne()).payload).to.equal('sealed a')
    expect(await claim()).to.be.empty
  })

  it('gives a job to another worker when the lease has run out, not before', async () => {
    await add(job('a'))
    await claimOne()
    expect(await claim(start + MINUTE - 1)).to.be.empty
    expect(await claimOne(start + MINUTE)).to.include({ id: 'a', attempts: 2 })
  })

  it('takes no outcome from a worker whose lease has passed to another one', async () => {
    await add(job('a'))
    const late = await claimOne()
    const holder = await claimOne(start + MINUTE)
    for (const outcome of [finishJob, (each: Job, now: number) => failJob(each, 'no', now), retried])
      expect(await database.commitTelling([outcome(late, start + MINUTE)])).to.deep.equal([[]])
    expect((await database.commitTelling([finishJob(holder, start + MINUTE)]))[0]).to.have.lengthOf(1)
    expect(await database.commitTelling([finishJob(holder, start + MINUTE)])).to.deep.equal([[]])
    function retried(each: Job, now: number) {
      return retryJob(each, 'no', now)
    }
  })

  it('forgets the payload as soon as a job is done or given up', async () => {
    await add(job('a'), job('b'))
    const [first, second] = await claim()
    if (first === undefined || second === undefined) throw new Error('two jobs expected')
    await database.commit([finishJob(first, start), failJob(second, 'gone for good', start)])
    const rows = await database.read({ name: 'test_payloads', text: 'SELECT payload FROM jobs' }, [])
    expect(rows).to.deep.equal([{ payload: '' }, { payload: '' }])
    expect(await claim(start + DAY)).to.be.empty
    expect((await list()).map(each => [each.id, each.state, each.lastError])).to.have.deep.members([
      [first.id, 'done', null],
      [second.id, 'failed', 'gone for good'],
    ])
  })

  it('tries again from 10 seconds to an hour later, and gives up after about a day', async () => {
    await add(job('a'))
    const waits: number[] = []
    let now = start
    for (;;) {
      const held = await claimOne(now)
      await database.commit([retryJob(held, `try ${held.attempts}`, now, 0.5)])
      const [seen] = await list(now)
      if (seen === undefined) throw new Error('the job is gone')
      if (seen.state === 'failed') break
      expect(seen).to.include({ state: 'waiting', lastError: `try ${held.attempts}` })
      expect(await claim(seen.runAt - 1)).to.be.empty
      waits.push(seen.runAt - now)
      now = seen.runAt
    }
    expect(waits.slice(0, 3)).to.deep.equal([10_000, 30_000, 90_000])
    expect(Math.max(...waits)).to.equal(HOUR)
    expect(now - start).to.be.within(23 * HOUR, 25 * HOUR)
    expect(waits).to.have.lengthOf(MOST_ATTEMPTS - 1)
  })

  it('spreads what failed together by a fifth either way', () => {
    expect([0, 0.5, 1].map(chance => retryDelay(1, chance))).to.deep.equal([8_000, 10_000, 12_000])
  })

  it('keeps a reason to one line of 400 characters, whatever a foreign server says', async () => {
    await add(job('a'))
    await database.commit([retryJob(await claimOne(), `550 no\r\n\u001b[2J${'x'.repeat(900)}`, start)])
    const [seen] = await list()
    expect(seen?.lastError).to.match(/^550 no \[2Jx+$/)
    expect(seen?.lastError).to.have.lengthOf(400)
  })

  it('lists by kind and state, newest first, and never a payload', async () => {
    await database.commit([
      enqueue(job('old'), start - 1),
      enqueue(job('new'), start),
      enqueue(job('c', 'logout'), start),
    ])
    await claimJobs(database, { kinds: ['logout'], limit: 1, leaseMs: MINUTE, now: start })
    const mails = await listJobs(database, { kind: 'mail', now: start })
    expect(mails.map(each => each.id)).to.deep.equal(['new', 'old'])
    expect(await listJobs(database, { state: 'running', now: start })).to.have.lengthOf(1)
    expect(await listJobs(database, { state: 'running', now: start + MINUTE })).to.be.empty
    expect(JSON.stringify(await list())).not.to.contain('sealed')
  })

  it('sweeps what was settled long ago, and nothing else', async () => {
    await add(job('done'), job('failed'), job('waiting'))
    const held = await claim()
    const of = (id: string) => held.find(each => each.id === id) ?? expect.fail(id)
    await database.commit([finishJob(of('done'), start), failJob(of('failed'), 'no', start)])
    const left = async () => (await list()).map(each => each.id)
    expect(await sweepJobs(database, start + 6 * DAY)).to.equal(0)
    expect(await sweepJobs(database, start + 8 * DAY)).to.equal(1)
    expect(await left()).to.have.members(['failed', 'waiting'])
    expect(await sweepJobs(database, start + 31 * DAY)).to.equal(1)
    expect(await left()).to.deep.equal(['waiting'])
  })

  describe('its worker', () => {
    const workers: Worker[] = []
    let now = start
    const work = (
      handler: JobHandler,
      options: { intervalMs?: number; leaseMs?: number; atOnce?: number } = {},
    ) => {
      const worker = runJobs({
        database,
        handlers: { mail: handler },
        log: silent,
        clock: () => now,
        intervalMs: 60_000,
        ...options,
      })
      workers.push(worker)
      return worker
    }
    const until = async (condition: () => Promise<boolean>) => {
      for (const end = Date.now() + 5_000; !(await condition()); await sleep(5))
        if (Date.now() > end) throw new Error('it did not come to that')
    }
    const states = async () => (await list(now)).map(each => each.state)

    beforeEach(() => {
      now = start
    })
    afterEach(() => Promise.all(workers.splice(0).map(each => each.stop())))

    it('is woken by a commit of its own process, and polls for those of others', async () => {
      const done: string[] = []
      const worker = work(async ({ id }) => {
        done.push(id)
        return { ok: true }
      })
      await sleep(20)
      await add(job('a'))
      await until(async () => done.includes('a'))
      await worker.stop()
      work(
        async ({ id }) => {
          done.push(id)
          return { ok: true }
        },
        { intervalMs: 20 },
      )
      await sleep(20)
      await (await opened.another()).commit([enqueue(job('b'), now)])
      await until(async () => (await states()).every(state => state === 'done'))
      expect(done).to.deep.equal(['a', 'b'])
    })

    it('is woken through a database that is opened at its first use', async () => {
      const deferred = deferDatabase(opened.url, () => openDatabase(opened.url))
      const done: string[] = []
      const handlers = {
        mail: async ({ id }: Job) => {
          done.push(id)
          return { ok: true } as const
        },
      }
      const worker = runJobs({ database: deferred, handlers, log: silent, intervalMs: 60_000 })
      try {
        // Its first look opened it.
        await deferred.open()
        await sleep(20)
        await deferred.commit([enqueue(job('a'), start)])
        await until(async () => done.includes('a'))
      } finally {
        await worker.stop()
        await deferred.close()
      }
    })

    it('does more jobs than it takes at once without waiting for the next poll', async () => {
      await add(...Array.from({ length: 7 }, (_, index) => job(`j${index}`)))
      let most = 0
      let going = 0
      work(
        async () => {
          most = Math.max(most, ++going)
          await sleep(5)
          going--
          return { ok: true }
        },
        { atOnce: 2 },
      )
      await until(async () => (await states()).every(state => state === 'done'))
      expect(most).to.equal(2)
    })

    it('goes on after a handler that throws, and tries that job again later', async () => {
      await add(job('a'))
      let tries = 0
      const worker = work(async () => {
        if (++tries === 1) throw new Error('the roof is on fire')
        return { ok: true }
      })
      await until(async () => (await list(now))[0]?.lastError === 'the roof is on fire')
      now += MINUTE
      worker.wake()
      await until(async () => (await states())[0] === 'done')
      expect(tries).to.equal(2)
    })

    it('leaves kinds that it has no handler for to others', async () => {
      await add(job('a', 'logout'), job('b'))
      work(async () => ({ ok: true }))
      await until(async () => (await states()).includes('done'))
      const [other] = await listJobs(database, { kind: 'logout', now })
      expect(other).to.include({ state: 'waiting', attempts: 0 })
    })

    it('gives up a job under which the process ends each time', async () => {
      await add(job('a'))
      for (let tries = 0; tries < MOST_ATTEMPTS; tries++) {
        await claimOne(now)
        now += MINUTE
      }
      work(async () => expect.fail('must not be tried again'))
      await until(async () => (await states())[0] === 'failed')
      expect((await list(now))[0]?.lastError).to.contain('every attempt')
    })

    it('finishes the job in hand when it is stopped, and takes no other', async () => {
      await add(job('a'), job('b'))
      const begun: string[] = []
      const worker = work(
        async ({ id }) => {
          begun.push(id)
          await sleep(50)
          return { ok: true }
        },
        { atOnce: 1 },
      )
      await until(async () => begun.length === 1)
      await worker.stop()
      expect(begun).to.have.lengthOf(1)
      expect((await states()).sort()).to.deep.equal(['done', 'waiting'])
    })

    it('tells a job that takes too long to give up, so that stopping ends', async () => {
      await add(job('a'))
      let begun = false
      const worker = work(async (_, __, signal) => {
        begun = true
        await new Promise(resolve => signal.addEventListener('abort', resolve))
        return { ok: false, reason: 'stopped', permanent: false }
      })
      await until(async () => begun)
      await worker.stop(20)
      expect((await list(now))[0]).to.include({ state: 'waiting', lastError: 'stopped' })
    })

    it('tells a job to give up well before its lease ends', async () => {
      await add(job('a'))
      work(
        async (_, __, signal) => {
          await new Promise(resolve => signal.addEventListener('abort', resolve))
          return { ok: false, reason: 'too slow', permanent: false }
        },
        { leaseMs: 60 },
      )
      await until(async () => (await list(now))[0]?.lastError === 'too slow')
    })
  })
})

describe('a worker without its database', () => {
  it('never throws, and says so once', async () => {
    const lines: string[] = []
    const log = pino({}, { write: line => void lines.push(line) })
    const broken = {
      dialect: 'sqlite',
      commitTelling: () => Promise.reject(new Error('the database is away')),
      onEnqueued: () => () => undefined,
    } as unknown as Database
    const worker = runJobs({ database: broken, handlers: {}, log, intervalMs: 1 })
    await sleep(30)
    await worker.stop()
    expect(lines).to.have.lengthOf(1)
    expect(lines[0]).to.contain('the database is away')
  })
})
