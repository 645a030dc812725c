import { expect } from 'chai'
import { insertAccount, nameKey } from '../../../src/store/accounts/accounts.ts'
import { insertPasskey, turnOnAuthenticator } from '../../../src/store/accounts/credentials.ts'
import {
  countUsers,
  type ListedUser,
  readUserPage,
  USER_SORTS,
  type UserFilter,
  type UserOrder,
  type UserPlace,
} from '../../../src/store/accounts/user-list.ts'
import { type Database, sql, write } from '../../../src/store/database.ts'
import { insertOrganisation } from '../../../src/store/organisations/organisations.ts'
import { NOW, onEveryDatabase, PASSKEY } from '../contract.ts'

const reset = sql('test_list_reset', 'UPDATE accounts SET second_factor_reset_at = ? WHERE id = ?')
const loggedIn = sql('test_list_login', 'UPDATE accounts SET last_login_at = ? WHERE id = ?')
const forget = sql('test_list_forget', 'DELETE FROM authenticators WHERE account_id = ?')
const rename = sql('test_list_rename', 'UPDATE accounts SET name = ?, name_key = ? WHERE id = ?')
const crowd = sql(
  'test_list_crowd',
  `INSERT INTO accounts (id, organisation_id, email, email_key, name, name_key, role, status, created_at)
   WITH RECURSIVE n (i) AS (SELECT 100000 UNION ALL SELECT i + 1 FROM n WHERE i < 110099)
   SELECT 'l_' || i, 'org_l', 'l' || i || '@large.example', 'l' || i || '@large.example', 'User', 'user', 'technician', 'active', 0 FROM n`,
)
const remove = sql('test_list_remove', 'DELETE FROM accounts WHERE id = ?')

const NAMES = [
  'Ben Okafor',
  'Ámbar Ruiz',
  'ambar Ruiz',
  'Zoë Ng',
  'Anne-Marie O’Neill',
  '李 小龍',
  'Émile',
  'ben',
]

onEveryDatabase('the list of users', open => {
  let database: Database

  before(async () => {
    database = await open()
    const organisation = { name: 'Northgate', plan: 'Team', subscribedAt: null }
    await database.commit([
      insertOrganisation({ id: 'org_a', ...organisation }, NOW),
      insertOrganisation({ id: 'org_b', ...organisation }, NOW),
    ])
    for (let n = 0; n < 40; n++) await add('org_a', n)
    for (let n = 40; n < 45; n++) await add('org_b', n)
  })

  async function add(organisationId: string, n: number): Promise<void> {
    const id = `usr_${String(n).padStart(2, '0')}`
    const name = NAMES[n % NAMES.length] ?? ''
    await database.commit([
      insertAccount(
        {
          id,
          organisationId,
          email: `Person.${n}@${n % 2 === 0 ? 'north' : 'south'}.example`,
          name,
          role: n % 10 === 0 ? 'admin' : 'technician',
          status: 'active',
          passwordHash: null,
          mailboxProvenAt: null,
        },
        NOW,
      ),
    ])
    // One after the other: on PostgreSQL a commit changes a row once.
    if (n % 3 === 0) await database.commit(turnOnAuthenticator({ id, epoch: 0 }, `sealed ${n}`, 1, NOW))
    if (n % 4 === 1)
      await database.commit([insertPasskey({ ...PASSKEY, accountId: id, credentialId: `key ${n}` }, NOW)])
    if (n % 7 === 6) await database.commit([write(reset, [NOW, id])])
    if (n % 5 !== 0) await database.commit([write(loggedIn, [NOW + (n % 6) * 1_000_000_000, id])])
  }

  /** All pages from the first to the last, and back again. */
  async function walk(filter: UserFilter, order: UserOrder, limit: number): Promise<ListedUser[]> {
    const pages: string[][] = []
    const users: ListedUser[] = []
    let place: UserPlace | undefined
    let back: UserPlace | undefined
    for (;;) {
      const page = await readUserPage(database, 'org_a', filter, order, limit, place)
      pages.push(page.users.map(each => each.id))
      users.push(...page.users)
      expect(page.before === undefined).to.equal(place === undefined)
      back = page.before && { key: page.before, direction: 'before' }
      if (page.after === undefined) break
      place = { key: page.after, direction: 'after' }
    }
    for (let n = pages.length - 2; back !== undefined; n--) {
      const page = await readUserPage(database, 'org_a', filter, order, limit, back)
      expect(page.users.map(each => each.id)).to.deep.equal(pages[n])
      expect(page.before === undefined).to.equal(n === 0)
      back = page.before && { key: page.before, direction: 'before' }
    }
    return users
  }

  const everybody = () => walk({ words: [] }, { by: 'name', descending: false }, 100)
  const found = async (filter: Partial<UserFilter>) => {
    const users = await walk({ words: [], ...filter }, { by: 'name', descending: false }, 100)
    return users.map(each => each.id)
  }

  it('shows each user of the organisation once, in every order, in both directions', async () => {
    for (const by of USER_SORTS) {
      for (const descending of [false, true]) {
        const users = await walk({ words: [] }, { by, descending }, 7)
        expect(new Set(users.map(each => each.id)).size, by).to.equal(40)
        const key = (user: ListedUser): number | string =>
          by === 'name'
            ? nameKey(user.name)
            : by === 'login'
              ? (user.lastLoginAt ?? 0)
              : ['not_set_up', 'set_up', 'reset_pending'].indexOf(user.standing)
        const keys = users.map(key)
        const sorted = keys.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
        expect(keys, by).to.deep.equal(descending ? sorted.reverse() : sorted)
      }
    }
  })

  it('sorts by name without regard to case and accents', async () => {
    const names = (await everybody()).map(each => each.name)
    expect(new Set(names.slice(0, 10))).to.deep.equal(new Set(['Ámbar Ruiz', 'ambar Ruiz']))
    expect(names.at(-1)).to.equal('李 小龍')
  })

  it('knows where each one stands', async () => {
    for (const user of await everybody()) {
      const n = Number(user.id.slice(4))
      const expected = n % 7 === 6 ? 'reset_pending' : n % 3 === 0 || n % 4 === 1 ? 'set_up' : 'not_set_up'
      expect(user.standing, user.id).to.equal(expected)
      expect(user.passkeys).to.equal(n % 4 === 1 ? 1 : 0)
    }
  })

  it('follows what is set up, reset and removed', async () => {
    const standing = async (id: string) => (await everybody()).find(each => each.id === id)?.standing
    await database.commit([write(reset, [NOW, 'usr_03'])])
    expect(await standing('usr_03')).to.equal('reset_pending')
    await database.commit([write(forget, ['usr_03'])])
    expect(await standing('usr_03')).to.equal('reset_pending')
    await database.commit(turnOnAuthenticator({ id: 'usr_03', epoch: 0 }, 'anew', 1, NOW))
    expect(await standing('usr_03')).to.equal('set_up')
    await database.commit([write(forget, ['usr_03'])])
    expect(await standing('usr_03')).to.equal('not_set_up')
    await database.commit(turnOnAuthenticator({ id: 'usr_03', epoch: 0 }, 'sealed 3', 1, NOW))
    expect(await standing('usr_03')).to.equal('set_up')
  })

  it('filters by role and standing', async () => {
    expect(await found({ role: 'admin' })).to.have.members(['usr_00', 'usr_10', 'usr_20', 'usr_30'])
    expect(await found({ role: 'admin', standing: 'set_up' })).to.have.members(['usr_00', 'usr_30'])
    expect(await found({ standing: 'reset_pending' })).to.have.length(5)
  })

  it('finds by the beginning of any word of the name, the address and its domain', async () => {
    expect(await found({ words: ['oka'] })).to.have.length(5)
    expect(await found({ words: ['ben'] })).to.have.length(10)
    expect(await found({ words: ['ben', 'okafor'] })).to.have.length(5)
    expect(await found({ words: ['marie'] })).to.have.length(5)
    expect(await found({ words: ['zoe'] })).to.have.length(5)
    expect(await found({ words: ['李'] })).to.have.length(5)
    expect(await found({ words: ['person.17@'] })).to.deep.equal(['usr_17'])
    expect(await found({ words: ['@north'] })).to.have.length(20)
    expect(await found({ words: ['kafor'] })).to.deep.equal([])
    expect(await found({ words: ['%'] })).to.deep.equal([])
  })

  it('finds by a new name, and no longer by the old one', async () => {
    await database.commit([write(rename, ['Quentin "Q" \\ Vale', nameKey('Quentin "Q" \\ Vale'), 'usr_01'])])
    expect(await found({ words: ['quentin', 'q', 'vale'] })).to.deep.equal(['usr_01'])
    expect(await found({ words: ['ambar'] })).not.to.include('usr_01')
    await database.commit([write(rename, ['Ámbar Ruiz', nameKey('Ámbar Ruiz'), 'usr_01'])])
  })

  it('counts by role and standing what matches the words', async () => {
    const { counts, complete, matching } = await countUsers(database, 'org_a', { words: [] })
    expect({ complete, matching }).to.deep.equal({ complete: true, matching: 40 })
    expect(counts.reduce((sum, each) => sum + each.count, 0)).to.equal(40)
    const pending = counts.filter(each => each.standing === 'reset_pending')
    expect(pending.reduce((sum, each) => sum + each.count, 0)).to.equal(5)
    const okafors = await countUsers(database, 'org_a', { words: ['okafor'] })
    expect(okafors.counts.reduce((sum, each) => sum + each.count, 0)).to.equal(5)
  })

  describe('of more users than a search looks at', () => {
    const by = { by: 'name', descending: false } as const

    before(async () => {
      await database.commit([
        insertOrganisation({ id: 'org_l', name: 'Large', plan: 'Team', subscribedAt: null }, NOW),
        write(crowd, []),
      ])
      // The last by every index.
      for (const [id, role] of [
        ['zz_1', 'admin'],
        ['zz_2', 'technician'],
      ] as const) {
        await database.commit([
          insertAccount(
            {
              id,
              organisationId: 'org_l',
              email: `zelda.${id}@large.example`,
              name: 'Zelda Quist',
              role,
              status: 'active',
              passwordHash: null,
              mailboxProvenAt: null,
            },
            NOW,
          ),
        ])
      }
    })

    const ids = async (filter: UserFilter) =>
      (await readUserPage(database, 'org_l', filter, by, 25)).users.map(each => each.id)

    it('finds who has a rare word and a common one, in either order', async () => {
      expect(await ids({ words: ['zelda', '@large'] })).to.deep.equal(['zz_1', 'zz_2'])
      expect(await ids({ words: ['@large', 'zelda'] })).to.deep.equal(['zz_1', 'zz_2'])
    })

    it('finds by a common word the few that a filter leaves', async () => {
      expect(await ids({ words: ['@large'], role: 'admin' })).to.deep.equal(['zz_1'])
    })

    it('counts the few that a filter leaves, and says more of those it does not count', async () => {
      for (const words of [[], ['@large']]) {
        const few = await countUsers(database, 'org_l', { words, role: 'admin' })
        expect(few).to.include({ complete: false, matching: 1 })
        const many = await countUsers(database, 'org_l', { words, standing: 'not_set_up' })
        expect(many).to.include({ complete: false, matching: 10_001 })
      }
    })
  })

  it('knows nobody of another organisation', async () => {
    expect(
      (await readUserPage(database, 'org_b', { words: [] }, { by: 'name', descending: false }, 50)).users,
    ).to.have.length(5)
    const gone = await readUserPage(database, 'org_x', { words: [] }, { by: 'name', descending: false }, 50)
    expect(gone).to.deep.equal({ users: [] })
  })

  it('forgets the words of a user who is removed', async () => {
    await database.commit([write(remove, ['usr_39'])])
    expect(await found({ words: ['person.39'] })).to.deep.equal([])
    await add('org_a', 39)
  })
})
