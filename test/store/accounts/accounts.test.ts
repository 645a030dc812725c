import { expect } from 'chai'
import { GRACE_MS } from '../../../src/organisations/enforcement.ts'
import {
  emailKey,
  insertAccount,
  insertHostOrganisation,
  offerPasskeyAfter,
  readAccount,
  readAccountByEmail,
  rehashPassword,
  setPasswordByMail,
  touchLogin,
} from '../../../src/store/accounts/accounts.ts'
import {
  insertPasskey,
  issueRecoveryCode,
  type Passkey,
  readPasskey,
  readPasskeys,
  recoveryCodeSaved,
  spendRecoveryCode,
  spendTotpStep,
  turnOnAuthenticator,
  usePasskey,
} from '../../../src/store/accounts/credentials.ts'
import { type AuditEvent, auditRow } from '../../../src/store/audit/audit.ts'
import type { Database } from '../../../src/store/database.ts'
import { newId } from '../../../src/store/ids.ts'
import {
  changeAccessList,
  hasOrganisation,
  insertOrganisation,
  readOrganisation,
} from '../../../src/store/organisations/organisations.ts'
import {
  account,
  epochMoves,
  failureOf,
  fifty,
  NOW,
  onEveryDatabase,
  outcomeOf,
  person,
  roundTrips,
  rowsOf,
  statusBecomes,
} from '../contract.ts'

onEveryDatabase('accounts', open => {
  let database: Database
  let id: string
  /** The account as it is read when nothing is enrolled. */
  const asFresh = (epoch = 0) => ({ id, epoch, authenticator: undefined })
  const passkey = (different: Partial<Passkey> = {}): Passkey => ({
    credentialId: `credential ${newId('usr')}`,
    accountId: id,
    rpId: 'localhost',
    publicKey: 'key',
    counter: 0,
    transports: ['internal', 'hybrid'],
    aaguid: 'fbfc3007-154e-4ecc-8c0b-6e020557d7bd',
    backupEligible: true,
    backedUp: false,
    name: 'Laptop',
    ...different,
  })

  before(async () => {
    database = await open()
  })
  beforeEach(async () => {
    id = await person(database)
  })

  it('know no organisation at first, and then every one by its id', async () => {
    expect(await hasOrganisation(database)).to.equal(false)
    const organisation = { id: newId('org'), name: 'Northgate IT', plan: 'Trial', subscribedAt: NOW }
    await database.commit([insertOrganisation(organisation, NOW)])
    expect(await hasOrganisation(database)).to.equal(true)
    expect(await readOrganisation(database, organisation.id)).to.deep.equal(organisation)
    expect(await readOrganisation(database, newId('org'))).to.equal(undefined)
  })

  it('of a host follow it, until their day is over: then no host moves the start any more', async () => {
    const host = { id: newId('org'), name: 'Host', subscribedAt: null }
    const start = async (subscribedAt: number | null, now: number) => {
      await database.commit([insertHostOrganisation({ ...host, subscribedAt }, now)])
      return (await readOrganisation(database, host.id))?.subscribedAt
    }
    expect(await start(null, NOW)).to.equal(null)
    expect(await start(NOW, NOW)).to.equal(NOW)
    expect(await start(NOW - 5, NOW + GRACE_MS - 6)).to.equal(NOW - 5)
    for (const moved of [NOW, NOW + 7 * GRACE_MS, null]) {
      expect(await start(moved, NOW - 5 + GRACE_MS)).to.equal(NOW - 5)
    }
  })

  it('are read with all that a login asks about, in one read', async () => {
    const organisation = { id: newId('org'), name: 'Northgate IT', plan: 'Trial', subscribedAt: NOW - 5 }
    await database.commit([insertOrganisation(organisation, NOW)])
    await database.commit([changeAccessList(organisation.id, '', '203.0.113.0/24', 'operator')])
    const email = `Everything.${id}@northgate.example`
    id = await person(database, { organisationId: organisation.id, email, role: 'admin' })
    await database.commit([
      ...turnOnAuthenticator(asFresh(), 'sealed secret', 100, NOW),
      issueRecoveryCode(id, 'hash', NOW),
      insertPasskey(passkey(), NOW),
      insertPasskey(passkey(), NOW),
    ])
    await database.commit([offerPasskeyAfter(id, NOW + 7), recoveryCodeSaved(id, 'hash', NOW)])
    const everything = {
      id,
      organisationId: organisation.id,
      email,
      name: 'Dana Whitlock',
      role: 'admin',
      status: 'active',
      passwordHash: '$argon2id$hash',
      mailboxProvenAt: NOW,
      epoch: 0,
      secondFactorResetAt: null,
      passkeyOfferAfter: NOW + 7,
      subscribedAt: NOW - 5,
      accessList: '203.0.113.0/24',
      sessionPolicy: { plan: 'Trial', inactiveHours: null, endDays: null },
      authenticator: { secret: 'sealed secret', lastStep: 100 },
      recoveryCode: { hash: 'hash', saved: true },
      passkeys: 2,
      breakGlass: false,
      ssoOnly: false,
    }
    const trips = await roundTrips(database, async () => {
      expect(await readAccount(database, id)).to.deep.equal(everything)
    })
    expect(trips).to.deep.equal({ reads: 1, commits: 0 })
    expect(await readAccountByEmail(database, ` ${email.toUpperCase()} `)).to.deep.equal(everything)
  })

  it('are read with nothing where nothing is enrolled', async () => {
    expect(await readAccount(database, id)).to.deep.include({
      organisationId: null,
      subscribedAt: null,
      accessList: '',
      authenticator: undefined,
      recoveryCode: undefined,
      passkeys: 0,
    })
  })

  it('are unknown by any other id or address', async () => {
    expect(await readAccount(database, newId('usr'))).to.equal(undefined)
    for (const email of ['', '%', '_@northgate.example', `user@northgate.example' OR '1'='1`]) {
      expect(await readAccountByEmail(database, email)).to.equal(undefined)
    }
  })

  it('have one address however it is written, and different ones where they differ', () => {
    expect(emailKey(' Zo\u00eb@Example.COM ')).to.equal(emailKey('zoe\u0308@example.com'))
    expect(emailKey('a.b@example.com')).not.to.equal(emailKey('ab@example.com'))
    expect(emailKey('a+b@example.com')).not.to.equal(emailKey('a@example.com'))
  })

  describe('have a password', () => {
    it('whose hash is renewed only while it is the same password', async () => {
      const read = await account(database, id)
      await database.commit([setPasswordByMail(id, 'another', NOW)])
      await database.commit([rehashPassword(read, 'renewed hash of the old one')])
      expect((await account(database, id)).passwordHash).to.equal('another')
      await database.commit([rehashPassword(await account(database, id), 'renewed')])
      expect(await account(database, id)).to.include({ passwordHash: 'renewed', epoch: 1 })
    })

    it('that is set by mail: the mailbox is proven, the invitation taken up, what was minted before is over', async () => {
      id = await person(database, { status: 'invited', passwordHash: null, mailboxProvenAt: null })
      await database.commit([setPasswordByMail(id, 'hash', NOW + 1)])
      expect(await account(database, id)).to.include({
        status: 'active',
        passwordHash: 'hash',
        mailboxProvenAt: NOW + 1,
        epoch: 1,
      })
      await database.commit([setPasswordByMail(id, 'hash 2', NOW + 2)])
      expect(await account(database, id)).to.include({ mailboxProvenAt: NOW + 1, epoch: 2 })
    })

    it('R4: that leaves the second factor alone when it is reset', async () => {
      await database.commit([
        ...turnOnAuthenticator(asFresh(), 'sealed', 100, NOW),
        issueRecoveryCode(id, 'recovery', NOW),
        insertPasskey(passkey(), NOW),
      ])
      await database.commit([setPasswordByMail(id, 'hash', NOW)])
      expect(await account(database, id)).to.deep.include({
        authenticator: { secret: 'sealed', lastStep: 100 },
        recoveryCode: { hash: 'recovery', saved: false },
        passkeys: 1,
      })
    })

    it('that nobody sets on a deactivated account', async () => {
      await database.commit([statusBecomes(id, 'deactivated')])
      expect(await outcomeOf(database.commit([setPasswordByMail(id, 'hash', NOW)]))).to.equal('not_allowed')
      expect(await account(database, id)).to.include({ status: 'deactivated', epoch: 0 })
    })
  })

  it('note when somebody logged in last', async () => {
    await database.commit([touchLogin(id, NOW + 3)])
    const row = (await rowsOf(database, 'accounts')).find(each => each.id === id)
    expect(row?.last_login_at).to.equal(NOW + 3)
  })

  describe('have an authenticator', () => {
    it('that is turned on unless the account was reset since its set-up began', async () => {
      await database.commit([epochMoves(id)])
      const stale = turnOnAuthenticator(asFresh(), 'sealed', 100, NOW)
      expect(await outcomeOf(database.commit(stale))).to.equal('account_changed')
      expect((await account(database, id)).authenticator).to.equal(undefined)
      await database.commit(turnOnAuthenticator(asFresh(1), 'sealed', 100, NOW))
      expect((await account(database, id)).authenticator).to.deep.equal({ secret: 'sealed', lastStep: 100 })
    })

    it('of which a code counts once, and none that is older than the last', async () => {
      await database.commit(turnOnAuthenticator(asFresh(), 'sealed', 100, NOW))
      const spendStep = (step: number, secret = 'sealed') =>
        outcomeOf(database.commit([spendTotpStep(id, secret, step, NOW)]))
      expect(await spendStep(100)).to.equal('already_used')
      expect(await spendStep(102)).to.equal('stored')
      for (const step of [102, 101, 100]) expect(await spendStep(step)).to.equal('already_used')
      expect(await spendStep(103)).to.equal('stored')
    })

    it('that only one of two tabs turns on, and that only who saw it replaces', async () => {
      const replicas = [database, await open()]
      const seen = await account(database, id)
      const on = (each: Database, index: number) =>
        each.commit([
          ...turnOnAuthenticator(seen, `sealed ${index}`, 100, NOW),
          issueRecoveryCode(id, `hash ${index}`, NOW),
        ])
      expect(await fifty(replicas, on)).to.deep.equal({ won: 1, account_changed: 49 })
      const now = await account(database, id)
      expect(now.recoveryCode?.hash).to.equal(now.authenticator?.secret.replace('sealed', 'hash'))
      const again = (each: Database, index: number) =>
        each.commit(turnOnAuthenticator(now, `again ${index}`, 101, NOW))
      expect(await fifty(replicas, again)).to.deep.equal({ won: 1, account_changed: 49 })
    })

    it('whose codes are worth nothing after it was set up again', async () => {
      await database.commit(turnOnAuthenticator(asFresh(), 'sealed', 100, NOW))
      await database.commit(turnOnAuthenticator(await account(database, id), 'sealed again', 90, NOW))
      const old = database.commit([spendTotpStep(id, 'sealed', 101, NOW)])
      expect(await outcomeOf(old)).to.equal('already_used')
      expect(await outcomeOf(database.commit([spendTotpStep(id, 'sealed again', 91, NOW)]))).to.equal(
        'stored',
      )
    })
  })

  describe('have one recovery code', () => {
    it('in whose place comes its successor, unsaved, when it is used', async () => {
      await database.commit([issueRecoveryCode(id, 'first', NOW)])
      await database.commit([recoveryCodeSaved(id, 'first', NOW)])
      expect((await account(database, id)).recoveryCode).to.deep.equal({ hash: 'first', saved: true })
      await database.commit([spendRecoveryCode(id, 'first', 'second', NOW)])
      expect((await account(database, id)).recoveryCode).to.deep.equal({ hash: 'second', saved: false })
      const again = database.commit([spendRecoveryCode(id, 'first', 'third', NOW)])
      expect(await outcomeOf(again)).to.equal('already_used')
    })

    it('of which only the one that is valid now is ticked as saved', async () => {
      await database.commit([issueRecoveryCode(id, 'first', NOW)])
      await database.commit([issueRecoveryCode(id, 'second', NOW)])
      const tick = outcomeOf(database.commit([recoveryCodeSaved(id, 'first', NOW)]))
      expect(await tick).to.equal('already_used')
      expect((await account(database, id)).recoveryCode).to.deep.equal({ hash: 'second', saved: false })
    })

    it('that nobody uses for another account', async () => {
      const other = await person(database)
      await database.commit([issueRecoveryCode(id, 'mine', NOW)])
      const theirs = database.commit([spendRecoveryCode(other, 'mine', 'next', NOW)])
      expect(await outcomeOf(theirs)).to.equal('already_used')
      expect((await account(database, id)).recoveryCode?.hash).to.equal('mine')
    })
  })

  describe('have passkeys', () => {
    it('which are read as they were registered, oldest first', async () => {
      const [first, second] = [passkey({ transports: [] }), passkey({ name: 'Κλειδί', backedUp: true })]
      await database.commit([insertPasskey(second, NOW + 1)])
      await database.commit([insertPasskey(first, NOW)])
      expect(await readPasskeys(database, id)).to.deep.equal([first, second])
      expect(await readPasskey(database, second.credentialId)).to.deep.equal(second)
      expect(await readPasskey(database, 'unknown')).to.equal(undefined)
    })

    it('P4: whose id nobody else can register, and which stay the first owner’s', async () => {
      const mine = passkey()
      await database.commit([insertPasskey(mine, NOW)])
      const other = await person(database)
      const theft = { ...mine, accountId: other, publicKey: 'of the thief' }
      for (const each of [theft, { ...mine, publicKey: 'another' }]) {
        expect(await outcomeOf(database.commit([insertPasskey(each, NOW)]))).to.equal('already_exists')
      }
      expect(await readPasskey(database, mine.credentialId)).to.deep.equal(mine)
    })

    it('P7: whose counter goes forward only, and stays at nought where it is not kept', async () => {
      const counted = passkey({ counter: 5 })
      const uncounted = passkey()
      await database.commit([insertPasskey(counted, NOW), insertPasskey(uncounted, NOW)])
      const use = (each: Passkey, counter: number) =>
        outcomeOf(database.commit([usePasskey(each, counter, true, NOW)]))
      for (const counter of [5, 4, 0]) expect(await use(counted, counter)).to.equal('already_used')
      expect(await use(counted, 6)).to.equal('stored')
      expect(await use(counted, 6)).to.equal('already_used')
      expect(await use(uncounted, 0)).to.equal('stored')
      expect(await use(uncounted, 0)).to.equal('stored')
      expect(await use(uncounted, 1)).to.equal('stored')
      expect(await use(uncounted, 0)).to.equal('already_used')
      expect(await readPasskey(database, counted.credentialId)).to.include({ counter: 6, backedUp: true })
    })

    it('P7: which cannot be used as another’s, nor where they do not exist', async () => {
      const mine = passkey()
      await database.commit([insertPasskey(mine, NOW)])
      const other = await person(database)
      for (const each of [{ ...mine, accountId: other }, passkey()]) {
        const use = database.commit([usePasskey(each, 1, false, NOW)])
        expect(await outcomeOf(use)).to.equal('already_used')
      }
    })
  })

  describe('are audited', () => {
    const note = (event: AuditEvent = 'login') =>
      auditRow({ event, accountId: id, address: '2001:db8::1', details: { way: 'code', count: 2 } }, NOW)
    const audits = async () => (await rowsOf(database, 'audit_events')).filter(each => each.account_id === id)

    it('in the transaction that does it: both are stored or none is', async () => {
      await database.commit([issueRecoveryCode(id, 'hash', NOW)])
      const used = () => [spendRecoveryCode(id, 'hash', 'next', NOW), note('recovery_code.used')]
      expect(await outcomeOf(database.commit(used()))).to.equal('stored')
      expect(await outcomeOf(database.commit(used()))).to.equal('already_used')
      expect((await audits()).map(each => each.event)).to.deep.equal(['recovery_code.used'])
    })

    it('with nothing done where the audit row cannot be stored', async () => {
      const impossible = auditRow({ event: null as unknown as AuditEvent, accountId: id }, NOW)
      await failureOf(database.commit([setPasswordByMail(id, 'hash', NOW), impossible]))
      expect(await account(database, id)).to.include({ epoch: 0, passwordHash: '$argon2id$hash' })
      expect(await audits()).to.deep.equal([])
    })

    it('in order, with who, what, when, from where and why', async () => {
      await database.commit([note('login')])
      await database.commit([note('logout')])
      const [first, second] = await audits()
      expect(first).to.include({ at: NOW, event: 'login', account_id: id, address: '2001:db8::1' })
      expect(JSON.parse(String(first?.details))).to.deep.equal({ way: 'code', count: 2 })
      expect(Number(second?.id)).to.be.greaterThan(Number(first?.id))
    })

    it('with names as they are, line breaks and all', async () => {
      const details = { name: 'a\r\n"b",=cmd()\u2028' }
      await database.commit([auditRow({ event: 'user.created', accountId: id, details }, NOW)])
      const [row] = await audits()
      expect(JSON.parse(String(row?.details))).to.deep.equal(details)
    })
  })

  it('are refused where the organisation does not exist', async () => {
    const orphan = insertAccount(
      {
        id: newId('usr'),
        organisationId: newId('org'),
        email: `${id}-orphan@northgate.example`,
        name: 'Nobody',
        role: 'technician',
        status: 'active',
        passwordHash: null,
        mailboxProvenAt: null,
      },
      NOW,
    )
    expect(await failureOf(database.commit([orphan]))).to.be.instanceOf(Error)
  })
})
