import { expect } from 'chai'
import { insertAccount, readAccount } from '../../src/store/accounts/accounts.ts'
import { insertPasskey, spend } from '../../src/store/accounts/credentials.ts'
import { CommitRefused, type Database, sql, type Write, write } from '../../src/store/database.ts'
import { newId } from '../../src/store/ids.ts'
import { insertOrganisation, readOrganisation } from '../../src/store/organisations/organisations.ts'
import { inUnit, unit } from '../../src/store/unit-of-work.ts'
import {
  account,
  epochMoves,
  failureOf,
  fifty,
  leavesNothing,
  NOW,
  onEveryDatabase,
  outcomeOf,
  PASSKEY,
  person,
  roundTrips,
  rowsOf,
} from './contract.ts'

const addSpent = sql('test_add_spent', 'INSERT INTO spent (kind, id, expires_at) VALUES (?, ?, ?)')
const addSpentTelling = sql(
  'test_add_spent_telling',
  'INSERT INTO spent (kind, id, expires_at) VALUES (?, ?, ?) RETURNING id, expires_at',
)
const moveSpent = sql('test_move_spent', 'UPDATE spent SET expires_at = ? WHERE kind = ?')
const touchNobody = sql('test_touch_nobody', `UPDATE spent SET expires_at = 0 WHERE id = 'nobody'`)
const readSpent = sql('test_read_spent', 'SELECT id, expires_at FROM spent WHERE kind = ? ORDER BY id')
const setPayload = sql(
  'test_set_payload',
  `INSERT INTO oidc_artefacts (model, id, epoch, payload) VALUES ('Test', ?, 0, ?) RETURNING payload`,
)
const getPayload = sql(
  'test_get_payload',
  `SELECT payload FROM oidc_artefacts WHERE model = 'Test' AND id = ?`,
)

onEveryDatabase('the database', open => {
  let database: Database
  let kind: string
  let kinds = 0
  const add = (id: string, time = NOW) => write(addSpent, [kind, id, time])
  const stored = async () => (await database.read(readSpent, [kind])).map(each => each.id)
  const organisation = (name: string, subscribedAt: number | null = NOW) => ({
    id: newId('org'),
    name,
    plan: 'Trial',
    subscribedAt,
  })

  before(async () => {
    database = await open()
  })
  beforeEach(() => {
    kind = `kind ${++kinds}`
  })

  it('tells, where it is asked to, the rows that each write touched, in the order of the writes', async () => {
    await database.commit([add('a'), add('b')])
    const rows = await database.commitTelling([
      write(addSpentTelling, [kind, 'c', NOW + 1]),
      write(moveSpent, [NOW + 2, `${kind} of nobody`]),
      write(addSpentTelling, [kind, 'd', NOW + 3]),
    ])
    expect(rows).to.deep.equal([[{ id: 'c', expires_at: NOW + 1 }], [], [{ id: 'd', expires_at: NOW + 3 }]])
    const [moved] = await database.commitTelling([write(moveSpent, [NOW, kind])])
    expect(moved).to.have.length(4)
  })

  it('takes one statement several times in a commit', async () => {
    await database.commit(['a', 'b', 'c', 'd'].map(id => add(id)))
    expect(await stored()).to.deep.equal(['a', 'b', 'c', 'd'])
  })

  it('goes nowhere for an empty commit', async () => {
    const trips = await roundTrips(database, async () => {
      await database.commit([])
    })
    expect(trips).to.deep.equal({ reads: 0, commits: 0 })
  })

  for (const position of [0, 1, 2, 3, 4]) {
    it(`stores nothing of a commit whose write no. ${position + 1} of 5 had to match and did not`, async () => {
      const writes: Write[] = ['a', 'b', 'c', 'd'].map(id => add(id))
      writes.splice(position, 0, write(touchNobody, [], 'not_allowed'))
      const error = await failureOf(database.commit(writes))
      expect(error).to.be.instanceOf(CommitRefused)
      expect((error as CommitRefused).refusal).to.equal('not_allowed')
      expect(await stored()).to.deep.equal([])
    })
  }

  it('says by name which of several conditions did not hold', async () => {
    await database.commit([add('taken')])
    const first = write(addSpentTelling, [kind, 'free', NOW], 'start_again')
    const second = spend('passkey-challenge', `${kind} taken`, NOW)
    expect(await outcomeOf(database.commit([first, second]))).to.equal('stored')
    const third = write(addSpentTelling, [kind, 'another', NOW], 'start_again')
    expect(await outcomeOf(database.commit([third, second]))).to.equal('already_used')
    expect(await outcomeOf(database.commit([write(touchNobody, [], 'replayed'), second]))).to.be.oneOf([
      'replayed',
      'already_used',
    ])
    expect(await stored()).to.deep.equal(['free', 'taken'])
  })

  it('goes on where a write without a condition matched nothing', async () => {
    await database.commit([write(touchNobody, []), add('a')])
    expect(await stored()).to.deep.equal(['a'])
  })

  it('stores nothing of a commit that breaks a constraint, and takes the next one', async () => {
    const orphan = insertPasskey(
      { ...PASSKEY, credentialId: `credential of nobody ${kind}`, accountId: 'usr_nobody' },
      NOW,
    )
    const untouched = await leavesNothing(database, async () => {
      const error = await failureOf(database.commit([add('a'), orphan]))
      expect(error).not.to.be.instanceOf(CommitRefused)
      expect(await failureOf(database.commit([add('b'), add('b')]))).to.be.instanceOf(Error)
    })
    expect(untouched).to.equal(true)
    await database.commit([add('c')])
    expect(await stored()).to.deep.equal(['c'])
  })

  it('is read by one handle as soon as another has committed', async () => {
    const other = await open()
    await database.commit([add('a')])
    expect(await other.read(readSpent, [kind])).to.deep.equal([{ id: 'a', expires_at: NOW }])
  })

  it('loses no increment of fifty parallel ones from two handles', async () => {
    const other = await open()
    const id = await person(database)
    expect(await fifty([database, other], each => each.commit([epochMoves(id)]))).to.deep.equal({ won: 50 })
    expect((await account(database, id)).epoch).to.equal(50)
  })

  it('keeps each of many parallel units apart: what one is refused, another stores', async () => {
    const settled = await Promise.allSettled(
      Array.from({ length: 40 }, (_, index) => {
        if (index % 4 === 1)
          return database.commit([add(`lost ${index}`), write(touchNobody, [], 'replayed')])
        if (index % 4 === 2) return database.commit([add(`twice ${index}`), add(`twice ${index}`)])
        return database.commit([add(`kept ${index}`)])
      }),
    )
    settled.forEach((each, index) => {
      const expected = index % 4 === 1 || index % 4 === 2 ? 'rejected' : 'fulfilled'
      expect(each.status, `unit ${index}`).to.equal(expected)
      if (each.status === 'rejected') {
        expect(each.reason instanceof CommitRefused, `unit ${index}`).to.equal(index % 4 === 1)
      }
    })
    const kept = await stored()
    expect(kept).to.have.length(20)
    expect(kept.filter(each => !String(each).startsWith('kept'))).to.deep.equal([])
  })

  describe('keeps values as they are:', () => {
    it('times and counters up to 2^53, as numbers', async () => {
      for (const time of [0, NOW, Number.MAX_SAFE_INTEGER]) {
        const made = organisation('Times', time)
        await database.commit([insertOrganisation(made, NOW)])
        expect(await readOrganisation(database, made.id)).to.deep.equal(made)
      }
      const [rows] = await database.commitTelling([
        write(addSpentTelling, [kind, 'last', Number.MAX_SAFE_INTEGER]),
      ])
      expect(rows).to.deep.equal([{ id: 'last', expires_at: Number.MAX_SAFE_INTEGER }])
    })

    it('nothing as nothing, and the empty text as text', async () => {
      const made = organisation('', null)
      await database.commit([insertOrganisation(made, NOW)])
      expect(await readOrganisation(database, made.id)).to.deep.equal(made)
    })

    const names = {
      'letters of all scripts': 'Ünïcødé Ελληνικά עברית العربية 漢字 \u{1F511}\u{1F468}‍\u{1F469}‍\u{1F467}',
      'combining characters, unchanged': 'e\u0301 \u00e9',
      'quotes, backslashes and question marks': `it's "x" \\ \\n ? $1 :a -- ; DROP TABLE accounts`,
      'line breaks and tabs': 'a\r\nb\tc',
    }
    for (const [what, name] of Object.entries(names)) {
      it(what, async () => {
        const made = organisation(name)
        await database.commit([insertOrganisation(made, NOW)])
        expect(await readOrganisation(database, made.id)).to.deep.equal(made)
        const id = await person(database, { name })
        expect((await readAccount(database, id))?.name).to.equal(name)
        expect(await database.commitTelling([write(addSpentTelling, [kind, name, NOW])])).to.deep.equal([
          [{ id: name, expires_at: NOW }],
        ])
      })
    }

    it('a text of 100 KB', async () => {
      const text = 'ß'.repeat(25_000) + 'x?'.repeat(25_000)
      const [rows] = await database.commitTelling([write(setPayload, [kind, text])])
      expect(rows).to.deep.equal([{ payload: text }])
      expect(await database.read(getPayload, [kind])).to.deep.equal([{ payload: text }])
    })
  })

  it('tells of every round trip, by the names of its statements', async () => {
    const seen: unknown[] = []
    database.observe((what, statements) => seen.push([what, ...statements]))
    await database.commit([add('a'), write(moveSpent, [NOW, kind])])
    await database.read(readSpent, [kind])
    database.observe(undefined)
    await database.read(readSpent, [kind])
    expect(seen).to.deep.equal([
      ['commit', 'test_add_spent', 'test_move_spent'],
      ['read', 'test_read_spent'],
    ])
  })

  describe('a unit of work', () => {
    it('stores what it buffered when the work is done, in one commit', async () => {
      const trips = await roundTrips(database, () =>
        inUnit(database, async () => {
          unit().buffer('a', add('a'))
          unit().add(add('b'), add('c'))
          await Promise.resolve()
        }),
      )
      expect(trips).to.deep.equal({ reads: 0, commits: 1 })
      expect(await stored()).to.deep.equal(['a', 'b', 'c'])
    })

    it('lets a later write take the place of an earlier one under the same key', async () => {
      await inUnit(database, async () => {
        unit().buffer('key', add('first'))
        unit().buffer('key', add('second'))
        unit().buffer('gone', add('third'))
        unit().unbuffer('gone')
        expect(unit().has('key')).to.equal(true)
        expect(unit().has('gone')).to.equal(false)
      })
      expect(await stored()).to.deep.equal(['second'])
    })

    it('commits what is buffered together with what is decided now', async () => {
      await inUnit(database, async () => {
        unit().buffer('a', add('a'))
        await unit().flush([add('b')])
        expect(await stored()).to.deep.equal(['a', 'b'])
        unit().add(add('c'))
      })
      expect(await stored()).to.deep.equal(['a', 'b', 'c'])
    })

    it('drops what was buffered when the decision is refused, and goes on', async () => {
      await inUnit(database, async () => {
        unit().add(add('dropped'))
        expect(await outcomeOf(unit().flush([write(touchNobody, [], 'too_many_tries')]))).to.equal(
          'too_many_tries',
        )
        unit().add(add('noted'))
      })
      expect(await stored()).to.deep.equal(['noted'])
    })

    it('stores nothing when the work throws', async () => {
      const error = await failureOf(
        inUnit(database, async () => {
          unit().add(add('a'))
          throw new Error('broken')
        }),
      )
      expect(error).to.have.property('message', 'broken')
      expect(await stored()).to.deep.equal([])
    })

    it('fails the work whose buffered condition did not hold', async () => {
      const work = inUnit(database, async () => unit().add(add('a'), write(touchNobody, [], 'session_ended')))
      expect(await outcomeOf(work)).to.equal('session_ended')
      expect(await stored()).to.deep.equal([])
    })

    it('is its own for each of the requests that run at the same time', async () => {
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          inUnit(database, async () => {
            unit().cache.set('mine', index)
            await database.read(readSpent, [kind])
            unit().buffer('same key', add(`request ${String(index).padStart(2, '0')}`))
            await database.read(readSpent, [kind])
            expect(unit().cache.get('mine')).to.equal(index)
          }),
        ),
      )
      expect(await stored()).to.have.length(20)
    })

    it('is missed outside a request', () => {
      expect(() => unit()).to.throw('no unit of work is open')
    })
  })

  it('refuses an account whose address is taken in any spelling, and keeps the first', async () => {
    const email = `Caf\u00e9.${kinds}@Northgate.example`
    const id = await person(database, { email })
    const twin = insertAccount(
      {
        id: newId('usr'),
        organisationId: null,
        email: ` CAFE\u0301.${kinds}@northgate.EXAMPLE`,
        name: 'Twin',
        role: 'admin',
        status: 'active',
        passwordHash: null,
        mailboxProvenAt: null,
      },
      NOW,
    )
    expect(await outcomeOf(database.commit([twin]))).to.equal('already_exists')
    expect((await rowsOf(database, 'accounts')).filter(each => each.email === email)).to.have.length(1)
    expect((await readAccount(database, id))?.email).to.equal(email)
  })
})

describe('a statement', () => {
  it('has a name of its own, which PostgreSQL does not cut', () => {
    expect(() => sql('test_add_spent', 'SELECT 1')).to.throw('name taken')
    expect(() => sql('x'.repeat(61), 'SELECT 1')).to.throw('too long')
  })
})
