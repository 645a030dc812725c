import { argon2Sync, randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import fc from 'fast-check'
import {
  createLimiter,
  HashQueueFull,
  hashPassword,
  needsRehash,
  normalise,
  verifyPassword,
} from '../../src/factors/password.ts'

const PASSWORD = 'seventeen slow otters'

const anyCharacter = fc.nat(0x10ffff).map(point => String.fromCodePoint(point))

describe('password normalisation', () => {
  it('takes composed and decomposed letters for the same', () => {
    expect(normalise('cafe\u0301 au lait')).to.deep.equal({ ok: true, password: 'caf\u00e9 au lait' })
  })

  it('takes every Unicode space for a space, and keeps spaces at the ends', () => {
    expect(normalise('\u00a0a\u3000b\u2003')).to.deep.equal({ ok: true, password: ' a b ' })
  })

  it('keeps case, width and emoji as they are', () => {
    for (const password of ['PassWord', 'ｆｕｌｌ ｗｉｄｔｈ'.replace('\u3000', ' '), 'ﬁne', '👩‍👩‍👧 ❤️'])
      expect(normalise(password)).to.deep.equal({ ok: true, password })
  })

  it('L9: refuses NUL, line breaks, other control characters and lone surrogates', () => {
    for (const odd of ['\0', '\n', '\r', '\t', '\u001b', '\u007f', '\u0085', '\ud800', '\udc00'])
      expect(normalise(`pass${odd}word`), JSON.stringify(odd)).to.deep.equal({
        ok: false,
        reason: 'control_characters',
      })
  })

  it('accepts 256 code points, however they are encoded, and no more', () => {
    expect(normalise('👍'.repeat(256))).to.include({ ok: true })
    expect(normalise('👍'.repeat(257))).to.deep.equal({ ok: false, reason: 'too_long' })
    expect(normalise('e\u0301'.repeat(256))).to.include({ ok: true })
    // Four code points each, which NFC makes one.
    expect(normalise('\u03b1\u0313\u0300\u0345'.repeat(256))).to.include({ ok: true })
    expect(normalise('x'.repeat(1_000_000))).to.deep.equal({ ok: false, reason: 'too_long' })
  })

  it('is done once it is done', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 80 }), text => {
        const once = normalise(text)
        if (once.ok) expect(normalise(once.password)).to.deep.equal(once)
      }),
    )
  })
})

describe('password hashes', () => {
  it('are argon2id with 19 MiB, two passes and a salt of their own', async () => {
    const [one, two] = await Promise.all([hashPassword(PASSWORD), hashPassword(PASSWORD)])
    expect(one).to.match(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(one).not.to.equal(two)
    expect(needsRehash(one)).to.equal(false)
  })

  it('match their password and no other', async () => {
    const phc = await hashPassword(PASSWORD)
    expect(await verifyPassword(phc, PASSWORD)).to.deep.equal({ ok: true, rehash: false })
    for (const wrong of [`${PASSWORD} `, PASSWORD.toUpperCase(), PASSWORD.slice(0, -1), ''])
      expect(await verifyPassword(phc, wrong)).to.deep.equal({ ok: false, rehash: false })
  })

  it('match in whatever form the keyboard sends the letters', async () => {
    const phc = await hashPassword('re\u0301sume\u0301\u00a0of otters')
    expect(await verifyPassword(phc, 'r\u00e9sum\u00e9 of otters')).to.include({ ok: true })
  })

  it('see every character: the 65th and the last', async () => {
    const long = 'x'.repeat(64)
    expect(await verifyPassword(await hashPassword(`${long}a`), `${long}b`)).to.include({ ok: false })
    const longest = 'x'.repeat(255)
    expect(await verifyPassword(await hashPassword(`${longest}a`), `${longest}b`)).to.include({ ok: false })
  })

  it('are what other implementations of argon2id make', async function () {
    if (typeof argon2Sync !== 'function') return this.skip()
    const phc = await hashPassword(PASSWORD)
    const [, , , , salt = '', digest = ''] = phc.split('$')
    const other = argon2Sync('argon2id', {
      message: Buffer.from(PASSWORD),
      nonce: Buffer.from(salt, 'base64'),
      parallelism: 1,
      tagLength: 32,
      memory: 19_456,
      passes: 2,
    })
    expect(Buffer.from(digest, 'base64').equals(other)).to.equal(true)
  })

  it('with other parameters still match, and are then to be renewed', async () => {
    // Made by the reference implementation, see its test.c.
    const older = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
    expect(needsRehash(older)).to.equal(true)
    expect(await verifyPassword(older, 'password')).to.deep.equal({ ok: true, rehash: true })
    expect(await verifyPassword(older, 'passwore')).to.deep.equal({ ok: false, rehash: false })
  })

  it('L11: cost as much for an unknown account, and match nothing', async () => {
    const phc = await hashPassword(PASSWORD)
    await verifyPassword(undefined, PASSWORD)
    const timed = async (stored: string | undefined) => {
      const start = performance.now()
      await verifyPassword(stored, 'wrong password')
      return performance.now() - start
    }
    const times: { known: number; unknown: number }[] = []
    for (let round = 0; round < 21; round++)
      times.push({ known: await timed(phc), unknown: await timed(undefined) })
    const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[10] ?? 0
    const known = median(times.map(time => time.known))
    const unknown = median(times.map(time => time.unknown))
    expect(unknown / known).to.be.within(0.6, 1.7)
    expect(await verifyPassword(undefined, PASSWORD)).to.deep.equal({ ok: false, rehash: false })
  })

  it('are not made, nor compared, for a password that nobody can have', async () => {
    const phc = await hashPassword(PASSWORD)
    for (const odd of ['x'.repeat(257), 'x'.repeat(1_000_000), 'a\0b', ''])
      expect(await verifyPassword(phc, odd)).to.deep.equal({ ok: false, rehash: false })
    const error = await hashPassword('secret\0').catch(error => error)
    expect(error).to.be.instanceOf(RangeError)
    expect(error.message).not.to.include('secret')
  })

  it('F21: a stored hash that cannot be read is an error, not a wrong password', async () => {
    for (const broken of ['', 'plain', '$argon2id$v=19$m=19456', `$2b$10$${'a'.repeat(53)}`]) {
      const error = await verifyPassword(broken, PASSWORD).catch(error => error)
      expect(error, broken).to.be.instanceOf(Error)
    }
  })

  it('F16: 200 at once are answered or refused as busy, none as wrong', async () => {
    const phc = await hashPassword(PASSWORD)
    const results = await Promise.allSettled(Array.from({ length: 200 }, () => verifyPassword(phc, PASSWORD)))
    const right = results.filter(result => result.status === 'fulfilled' && result.value.ok)
    const busy = results.filter(
      result => result.status === 'rejected' && result.reason instanceof HashQueueFull,
    )
    expect(right).to.have.length(64 + availableParallelism())
    expect(busy).to.have.length(200 - right.length)
    expect(await verifyPassword(phc, PASSWORD)).to.include({ ok: true })
  })
})

describe('the limiter', () => {
  it('runs so many at once, in the order in which they came', async () => {
    const limit = createLimiter({ atOnce: 2, waiting: 10 })
    const started: number[] = []
    let [running, most] = [0, 0]
    const tasks = Array.from({ length: 12 }, (_, index) =>
      limit(async () => {
        started.push(index)
        most = Math.max(most, ++running)
        await setImmediate()
        running--
        return index
      }),
    )
    expect(await Promise.all(tasks)).to.deep.equal([...started])
    expect(most).to.equal(2)
    expect(started).to.have.length(12)
  })

  it('refuses the one too many, unrun, and goes on afterwards', async () => {
    const limit = createLimiter({ atOnce: 1, waiting: 1 })
    let ran = 0
    const task = async () => {
      ran++
      await setImmediate()
    }
    const [first, second, third] = await Promise.allSettled([limit(task), limit(task), limit(task)])
    expect([first?.status, second?.status, third?.status]).to.deep.equal([
      'fulfilled',
      'fulfilled',
      'rejected',
    ])
    expect(ran).to.equal(2)
    await limit(task)
    expect(ran).to.equal(3)
  })

  it('gives the place on when a task throws', async () => {
    const limit = createLimiter({ atOnce: 1, waiting: 5 })
    const results = await Promise.allSettled([
      limit(() => Promise.reject(new Error('first'))),
      limit(() => {
        throw new Error('second')
      }),
      limit(async () => randomBytes(1).length),
    ])
    expect(results.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'fulfilled'])
  })
})
