import { expect } from 'chai'
import {
  BUDGETS,
  blockedUntil,
  clearAccountAttempts,
  clearAttempts,
  codeSubject,
  everywhereSubject,
  giveBackAttempt,
  interactionSubject,
  network,
  noteNotified,
  passwordSubject,
  reserveAttempt,
  type Subject,
} from '../../src/factors/attempts.ts'
import type { Database } from '../../src/store/database.ts'
import { newId } from '../../src/store/ids.ts'
import { fifty, NOW, onEveryDatabase, outcomeOf } from '../store/contract.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

onEveryDatabase('the attempt budgets', open => {
  let database: Database
  let replicas: Database[]
  let subject: Subject
  let who: string

  before(async () => {
    database = await open()
    replicas = [database, await open()]
  })
  beforeEach(() => {
    who = newId('usr')
    subject = codeSubject(who, undefined)
  })

  type Name = keyof typeof BUDGETS
  const reserve = (now: number, of: Subject = subject, budget: Name = 'code') =>
    outcomeOf(database.commit([reserveAttempt(budget, of, now)]))
  /** Tries as soon as one is let. @returns the times of the tries, from the first on */
  const tryOn = async (times: number, from = NOW, of = subject, budget: Name = 'code') => {
    const at: number[] = []
    let now = from
    for (let index = 0; index < times; index++) {
      now = Math.max(now, (await blockedUntil(database, budget, of)) ?? Number.NaN)
      expect(await reserve(now, of, budget), `try ${index + 1}`).to.equal('stored')
      at.push(now - from)
    }
    return at
  }
  const until = (of = subject, budget: Name = 'code') => blockedUntil(database, budget, of)

  describe('for codes', () => {
    it('let five wrong ones follow each other without a wait', async () => {
      expect(await tryOn(5)).to.deep.equal([0, 0, 0, 0, 0])
      expect(await reserve(NOW)).to.equal('too_many_tries')
    })

    it('then double the wait, from one minute to an hour', async () => {
      const at = await tryOn(13)
      const waits = at.slice(5).map((time, index) => (time - (at[index + 4] ?? 0)) / MINUTE)
      expect(waits).to.deep.equal([1, 2, 4, 8, 16, 32, 60, 60])
    })

    it('do not let a try in a millisecond before its wait is over, nor count it', async () => {
      await tryOn(5)
      for (const early of [0, 1, MINUTE - 1]) expect(await reserve(NOW + early)).to.equal('too_many_tries')
      expect(await until()).to.equal(NOW + MINUTE)
      expect(await reserve(NOW + MINUTE)).to.equal('stored')
      expect(await until()).to.equal(NOW + 3 * MINUTE)
    })

    it('allow twenty a day, counted from the first', async () => {
      const at = await tryOn(20)
      expect(at.at(-1)).to.be.lessThan(DAY)
      expect(await until()).to.equal(NOW + DAY)
      expect(await reserve(NOW + DAY - 1)).to.equal('too_many_tries')
      expect(await reserve(NOW + DAY)).to.equal('stored')
    })

    it('keep the count in a row over a night: the next day begins with the longest wait', async () => {
      await tryOn(20)
      expect(await reserve(NOW + DAY)).to.equal('stored')
      expect(await until()).to.equal(NOW + DAY + HOUR)
    })

    it('stop after a hundred in a row, until a reset', async () => {
      const at = await tryOn(100)
      expect(at.at(-1)).to.be.greaterThan(4 * DAY)
      expect(await until()).to.equal(undefined)
      for (const later of [DAY, 30 * DAY, 3650 * DAY]) {
        expect(await reserve(NOW + 5 * DAY + later)).to.equal('too_many_tries')
      }
      await database.commit([clearAccountAttempts('code', who)])
      expect(await until()).to.equal(0)
      expect(await reserve(NOW + 6 * DAY)).to.equal('stored')
    })

    it('L2: never let more be evaluated than the budget, by fifty at once on two replicas', async () => {
      expect(
        await fifty(replicas, each => each.commit([reserveAttempt('code', subject, NOW)])),
      ).to.deep.equal({ won: 5, too_many_tries: 45 })
      const later = NOW + MINUTE
      expect(
        await fifty(replicas, each => each.commit([reserveAttempt('code', subject, later)])),
      ).to.deep.equal({ won: 1, too_many_tries: 49 })
    })

    it('L3: are not given back by a right password', async () => {
      await tryOn(4)
      const password = passwordSubject(who, '192.0.2.1', undefined)
      expect(await reserve(NOW, password, 'password')).to.equal('stored')
      await database.commit([clearAttempts('password', password)])
      expect(await reserve(NOW)).to.equal('stored')
      expect(await reserve(NOW)).to.equal('too_many_tries')
    })

    it('begin anew after a right code, and only for whom it was right', async () => {
      const other = codeSubject(newId('usr'), undefined)
      await tryOn(5)
      await tryOn(5, NOW, other)
      await database.commit([clearAttempts('code', subject)])
      expect(await tryOn(5)).to.deep.equal([0, 0, 0, 0, 0])
      expect(await reserve(NOW, other)).to.equal('too_many_tries')
    })

    it('L10: are others for a device that is known, which a stranger cannot use up', async () => {
      const known = codeSubject(who, 'device-1')
      await tryOn(5)
      expect(await reserve(NOW)).to.equal('too_many_tries')
      expect(await tryOn(5, NOW, known)).to.deep.equal([0, 0, 0, 0, 0])
      expect(await reserve(NOW, known)).to.equal('too_many_tries')
      expect(await reserve(NOW, codeSubject(who, 'device-2'))).to.equal('stored')
    })
  })

  describe('give back an attempt that was no guess', () => {
    it('as if it had not been made', async () => {
      await tryOn(4)
      for (let index = 0; index < 10; index++) {
        expect(await reserve(NOW)).to.equal('stored')
        await database.commit([giveBackAttempt('code', subject)])
        expect(await until()).to.equal(0)
      }
      expect(await reserve(NOW)).to.equal('stored')
      expect(await reserve(NOW)).to.equal('too_many_tries')
    })

    it('with the wait that it brought, also when waits have begun', async () => {
      await tryOn(7)
      const now = (await until()) ?? 0
      expect(await reserve(now)).to.equal('stored')
      await database.commit([giveBackAttempt('code', subject)])
      expect(await reserve(now)).to.equal('stored')
      // It was the eighth, as the one given back would have been.
      expect(await until()).to.equal(now + 8 * MINUTE)
    })

    it('but no more than were made', async () => {
      await tryOn(1)
      for (let index = 0; index < 3; index++) await database.commit([giveBackAttempt('code', subject)])
      expect(await tryOn(5)).to.deep.equal([0, 0, 0, 0, 0])
      expect(await reserve(NOW)).to.equal('too_many_tries')
    })
  })

  describe('for one authorization request', () => {
    it('let five codes be tried, of whatever kind, and then it starts again', async () => {
      const interaction = interactionSubject(newId('job'))
      const outcome = await fifty(replicas, each =>
        each.commit([reserveAttempt('interaction', interaction, NOW)]),
      )
      expect(outcome).to.deep.equal({ won: 5, start_again: 45 })
      expect(await reserve(NOW + HOUR, interaction, 'interaction')).to.equal('start_again')
    })

    it('take nothing from the account when they are used up, and the other way round', async () => {
      const interaction = interactionSubject(newId('job'))
      const both = (now: number) =>
        outcomeOf(
          database.commit([
            reserveAttempt('code', subject, now),
            reserveAttempt('interaction', interaction, now),
          ]),
        )
      for (let index = 0; index < 5; index++) expect(await both(NOW)).to.equal('stored')
      expect(await both(NOW + MINUTE)).to.equal('start_again')
      expect(await reserve(NOW + MINUTE)).to.equal('stored')
    })
  })

  describe('for passwords', () => {
    const from = (address: string, device?: string) => passwordSubject(who, address, device)
    const take = (of: Subject, now = NOW) => reserve(now, of, 'password')

    it('let ten be tried from a network, which is then blocked for a day', async () => {
      expect(await tryOn(10, NOW, from('192.0.2.1'), 'password')).to.deep.equal(Array(10).fill(0))
      expect(await take(from('192.0.2.1'))).to.equal('too_many_tries')
      expect(await until(from('192.0.2.1'), 'password')).to.equal(NOW + DAY)
      expect(await take(from('192.0.2.1'), NOW + DAY - 1)).to.equal('too_many_tries')
      expect(await take(from('192.0.2.1'), NOW + DAY)).to.equal('stored')
    })

    it('never let more than ten be compared, by fifty at once on two replicas', async () => {
      const outcome = await fifty(replicas, each =>
        each.commit([reserveAttempt('password', from('192.0.2.9'), NOW)]),
      )
      expect(outcome).to.deep.equal({ won: 10, too_many_tries: 40 })
    })

    it('L10: block the stranger’s network alone, not the owner’s, nor a device that is known', async () => {
      await tryOn(10, NOW, from('192.0.2.1'), 'password')
      expect(await take(from('192.0.2.2'))).to.equal('stored')
      expect(await take(from('192.0.2.1', 'device-1'))).to.equal('stored')
      expect(await take(passwordSubject(newId('usr'), '192.0.2.1', undefined))).to.equal('stored')
    })

    it('never let more than a hundred be compared in a row, from however many networks at once', async () => {
      const everywhere = everywhereSubject(who)
      const tries = Array.from({ length: 120 }, (_, index) =>
        outcomeOf(
          replicas[index % 2]?.commit([
            reserveAttempt('password', from(`198.51.100.${index}`), NOW),
            reserveAttempt('password-everywhere', everywhere, NOW),
          ]) ?? Promise.reject(),
        ),
      )
      const outcomes = await Promise.all(tries)
      expect(outcomes.filter(each => each === 'stored')).to.have.length(100)
      expect(outcomes.filter(each => each === 'stopped')).to.have.length(20)
      // Not a day later either, nor a year: a new or a right password starts the count anew.
      expect(await until(everywhere, 'password-everywhere')).to.equal(undefined)
      expect(await reserve(NOW + 365 * DAY, everywhere, 'password-everywhere')).to.equal('stopped')
      await database.commit([clearAttempts('password-everywhere', everywhere)])
      expect(await reserve(NOW, everywhere, 'password-everywhere')).to.equal('stored')
    })

    it('keep what strangers tried on an address that nobody has for a month, not for ever', async () => {
      const keep = (nobody: boolean) =>
        Number(reserveAttempt('password-everywhere', everywhereSubject(who, nobody), NOW).params[4]) - NOW
      expect(keep(true)).to.equal(30 * DAY)
      expect(keep(false)).to.be.greaterThan(3650 * DAY)
    })

    it('say after a try that it was the last one', async () => {
      const last: boolean[] = []
      for (let index = 0; index < 10; index++) {
        await database.commit([reserveAttempt('password', from('192.0.2.5'), NOW)])
        last.push(((await blockedUntil(database, 'password', from('192.0.2.5'))) ?? 0) > NOW)
      }
      expect(last).to.deep.equal([...Array(9).fill(false), true])
    })

    it('count all addresses of an IPv6 /64 as one', async () => {
      const outcome = await fifty(replicas, (each, index) =>
        each.commit([reserveAttempt('password', from(`2001:db8:1:2::${index.toString(16)}`), NOW)]),
      )
      expect(outcome).to.deep.equal({ won: 10, too_many_tries: 40 })
      expect(await take(from('2001:db8:1:3::1'))).to.equal('stored')
    })

    it('are free again for every network after a changed password, for that account alone', async () => {
      const other = passwordSubject(newId('usr'), '192.0.2.1', undefined)
      for (const each of [from('192.0.2.1'), from('192.0.2.2'), other]) await tryOn(10, NOW, each, 'password')
      await database.commit([clearAccountAttempts('password', who)])
      expect(await take(from('192.0.2.1'))).to.equal('stored')
      expect(await take(from('192.0.2.2'))).to.equal('stored')
      expect(await take(other)).to.equal('too_many_tries')
    })

    it('tell the owner of a block at most once an hour, whichever network was blocked', async () => {
      const outcome = await fifty(replicas, each => each.commit([noteNotified(who, NOW)]))
      expect(outcome).to.deep.equal({ won: 1, not_allowed: 49 })
      const note = (now: number) => outcomeOf(database.commit([noteNotified(who, now)]))
      expect(await note(NOW + HOUR - 1)).to.equal('not_allowed')
      expect(await note(NOW + HOUR)).to.equal('stored')
      expect(await note(NOW + HOUR)).to.equal('not_allowed')
      expect(await outcomeOf(database.commit([noteNotified(newId('usr'), NOW)]))).to.equal('stored')
      expect(await take(from('192.0.2.1'))).to.equal('stored')
    })
  })

  it('let ten mails a day be asked for', async () => {
    const of = { account: who, source: '' }
    expect(await tryOn(10, NOW, of, 'mail')).to.deep.equal(Array(10).fill(0))
    expect(await reserve(NOW, of, 'mail')).to.equal('too_many_tries')
    expect(await reserve(NOW + DAY, of, 'mail')).to.equal('stored')
  })

  it('have as many kinds as the table says, none of which shares a row with another', async () => {
    const names = Object.keys(BUDGETS) as Name[]
    const of = { account: who, source: '' }
    for (const budget of names) await tryOn(5, NOW, of, budget)
    for (const budget of names) await database.commit([clearAttempts(budget, of)])
    for (const budget of names) expect(await until(of, budget)).to.equal(0)
  })

  it('F9: survive a clock that steps back', async () => {
    await tryOn(5)
    expect(await reserve(NOW - 5 * MINUTE)).to.equal('too_many_tries')
    expect(await reserve(NOW + MINUTE)).to.equal('stored')
    const fresh = codeSubject(newId('usr'), undefined)
    expect(await reserve(NOW, fresh)).to.equal('stored')
    expect(await reserve(NOW - 5 * MINUTE, fresh)).to.equal('stored')
  })
})

describe('the network of an address', () => {
  const cases: Record<string, string[]> = {
    '192.0.2.1': [
      '192.0.2.1',
      '::ffff:192.0.2.1',
      '::FFFF:192.0.2.1',
      '::ffff:c000:201',
      '0:0:0:0:0:ffff:c000:201',
    ],
    '2001:db8:0:0::/64': ['2001:db8::', '2001:db8::1', '2001:0db8:0000:0000:ffff::', '2001:DB8::1:2:3:4'],
    '2001:db8:1:2::/64': ['2001:db8:1:2::', '2001:db8:1:2:3:4:5:6', '2001:0DB8:0001:0002::192.0.2.1'],
    '0:0:0:0::/64': ['::1', '::', '0:0:0:0:0:0:0:1'],
    'fe80:0:0:0::/64': ['fe80::1%eth0', 'fe80::1'],
    '64:ff9b:0:0::/64': ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    '': [''],
  }
  for (const [expected, addresses] of Object.entries(cases)) {
    it(`is ${expected || 'nothing'} however ${addresses.join(', ') || 'nothing'} is spelt`, () => {
      expect(addresses.map(network)).to.deep.equal(addresses.map(() => expected))
    })
  }
})
