import { expect } from 'chai'
import {
  type EmailedKind,
  issueToken,
  LIFETIME_MS,
  readToken,
  retireOtherTokens,
  useToken,
} from '../../../src/store/accounts/emailed-tokens.ts'
import type { Database } from '../../../src/store/database.ts'
import { newToken } from '../../../src/store/ids.ts'
import { dump, leavesNothing, NOW, onEveryDatabase, outcomeOf, person } from '../contract.ts'

onEveryDatabase('a mailed token', open => {
  let database: Database
  let id: string
  let token: string

  before(async () => {
    database = await open()
  })
  beforeEach(async () => {
    id = await person(database)
    token = newToken()
  })

  const issue = (kind: EmailedKind = 'password-reset', now = NOW, data: string | null = null, of = token) =>
    database.commit(issueToken(kind, id, of, data, now))
  const read = (of = token, kind: EmailedKind = 'password-reset', now = NOW) =>
    readToken(database, kind, of, now)
  const use = (of = token, kind: EmailedKind = 'password-reset', now = NOW) =>
    outcomeOf(database.commit([useToken(kind, of, now)]))

  it('is read with what it is for', async () => {
    await issue('code', NOW, '{"for":"set-up"}')
    expect(await read(token, 'code')).to.deep.equal({ accountId: id, data: '{"for":"set-up"}' })
    await issue('invitation', NOW, null, `${token}2`)
    expect(await read(`${token}2`, 'invitation')).to.deep.equal({ accountId: id, data: null })
  })

  it('R7: is not used up by being read, however often', async () => {
    await issue()
    const unchanged = await leavesNothing(database, async () => {
      for (let index = 0; index < 5; index++) expect(await read()).not.to.equal(undefined)
    })
    expect(unchanged).to.equal(true)
    expect(await use()).to.equal('stored')
  })

  it('is used once, and is not found afterwards', async () => {
    await issue()
    expect(await use()).to.equal('stored')
    expect(await use()).to.equal('already_used')
    expect(await read()).to.equal(undefined)
  })

  it('is good for its own purpose alone', async () => {
    await issue('unblock')
    for (const kind of ['password-reset', 'invitation', 'code'] as const) {
      expect(await read(token, kind)).to.equal(undefined)
      expect(await use(token, kind)).to.equal('already_used')
    }
    expect(await use(token, 'unblock')).to.equal('stored')
  })

  it('is unknown in any other spelling, and where there is none', async () => {
    await issue()
    for (const other of ['', token.slice(1), `${token} `, token.toUpperCase(), newToken()]) {
      expect(await read(other)).to.equal(undefined)
      expect(await use(other)).to.equal('already_used')
    }
  })

  const lifetimes = {
    invitation: '7 days',
    'password-reset': '30 minutes',
    unblock: '24 hours',
    code: '10 minutes',
  }
  for (const [kind, life] of Object.entries(lifetimes) as [EmailedKind, string][]) {
    it(`lives for ${life} as a mailed ${kind}, to the millisecond`, async () => {
      await issue(kind)
      const end = NOW + LIFETIME_MS[kind]
      const minutes = { days: 1440, hours: 60, minutes: 1 }[life.split(' ')[1] ?? ''] ?? 0
      expect(LIFETIME_MS[kind]).to.equal(Number.parseInt(life, 10) * minutes * 60_000)
      expect(await read(token, kind, end - 1)).not.to.equal(undefined)
      expect(await read(token, kind, end)).to.equal(undefined)
      expect(await use(token, kind, end)).to.equal('already_used')
      expect(await use(token, kind, end - 1)).to.equal('stored')
    })
  }

  it('R7: no longer works after a newer one of its kind was sent, which alone does', async () => {
    const tokens = [token, newToken(), newToken()]
    for (const [index, each] of tokens.entries()) await issue('password-reset', NOW + index, null, each)
    const later = NOW + 10
    const found = await Promise.all(tokens.map(each => read(each, 'password-reset', later)))
    expect(found.map(each => each !== undefined)).to.deep.equal([false, false, true])
    expect(await use(tokens[0], 'password-reset', later)).to.equal('already_used')
    expect(await use(tokens[1], 'password-reset', later)).to.equal('already_used')
    expect(await use(tokens[2], 'password-reset', later)).to.equal('stored')
    expect(await use(tokens[1], 'password-reset', later)).to.equal('already_used')
  })

  it('is replaced also by one from a replica whose clock is behind', async () => {
    const newer = newToken()
    await issue('password-reset', NOW)
    await issue('password-reset', NOW - 40_000, null, newer)
    expect(await read()).to.equal(undefined)
    expect(await use(newer)).to.equal('stored')
  })

  it('is not replaced by one of another kind, or of another account', async () => {
    await issue()
    await issue('unblock', NOW + 1, null, newToken())
    const other = await person(database)
    await database.commit(issueToken('password-reset', other, newToken(), null, NOW + 1))
    expect(await use(token, 'password-reset', NOW + 2)).to.equal('stored')
  })

  it('R7: of whatever kind no longer works once the password was changed by another one', async () => {
    const tokens = { 'password-reset': token, invitation: newToken(), code: newToken(), unblock: newToken() }
    for (const [kind, each] of Object.entries(tokens)) await issue(kind as EmailedKind, NOW, null, each)
    const stranger = await person(database)
    const theirs = newToken()
    await database.commit(issueToken('password-reset', stranger, theirs, null, NOW))
    await database.commit([useToken('password-reset', token, NOW), retireOtherTokens(id, token, NOW)])
    for (const [kind, each] of Object.entries(tokens)) {
      expect(await use(each, kind as EmailedKind), kind).to.equal('already_used')
    }
    expect(await use(theirs)).to.equal('stored')
  })

  it('is stored as a hash alone', async () => {
    await issue()
    expect(await dump(database)).not.to.include(token)
  })
})
