import { expect } from 'chai'
import { createOrganisation, type Directory, InputError } from '../../src/organisations/directory.ts'
import { deactivateUser, reactivateUser, setRole } from '../../src/organisations/users.ts'
import { setPasswordByMail } from '../../src/store/accounts/accounts.ts'
import { turnOnAuthenticator } from '../../src/store/accounts/credentials.ts'
import { issueToken, readToken } from '../../src/store/accounts/emailed-tokens.ts'
import { CommitRefused, type Database, sql, write } from '../../src/store/database.ts'
import { readArtefacts, upsertArtefact } from '../../src/store/oidc/artefacts.ts'
import { createClients } from '../../src/store/oidc/clients.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { readSession, upsertSession } from '../../src/store/sessions/oidc-sessions.ts'
import { keepFact } from '../../src/store/sessions/session-facts.ts'
import {
  account,
  failureOf,
  leavesNothing,
  NOW,
  onEveryDatabase,
  person,
  rowsOf,
  SECRET_KEY,
} from '../store/contract.ts'

const auditOf = sql(
  'test_users_audit',
  'SELECT event, actor_id, details FROM audit_events WHERE account_id = ? ORDER BY id',
)
const move = sql('test_users_move', 'UPDATE accounts SET organisation_id = ? WHERE id = ?')
const reset = sql('test_users_reset', 'UPDATE accounts SET second_factor_reset_at = ? WHERE id = ?')

onEveryDatabase('users of an organisation', open => {
  let database: Database
  let directory: Directory
  let organisationId: string
  const keyring = createKeyring([SECRET_KEY])

  before(async () => {
    database = await open()
    directory = directoryOn(database)
    const client = {
      metadata: { client_id: 'demo', backchannel_logout_uri: 'https://app.example/out' },
      firstParty: true,
    }
    await database.commit([createClients(database, keyring, () => NOW).insert(client, NOW)])
  })
  beforeEach(async () => {
    const input = { name: 'Northgate', plan: 'Team', subscribedAt: null }
    organisationId = (await createOrganisation(directory, input)).id
  })

  function directoryOn(handle: Database, actor = 'operator'): Directory {
    return { database: handle, keyring, clock: () => NOW, actor, productName: 'Sallyport' }
  }
  const admin = () => person(database, { organisationId, role: 'admin' })
  const technician = (more = {}) => person(database, { organisationId, ...more })
  const audit = (id: string) => database.read(auditOf, [id])
  async function whyOf(work: Promise<unknown>): Promise<string | undefined> {
    const error = await failureOf(work)
    expect(error).to.be.instanceOf(InputError)
    return (error as InputError).why?.reason
  }
  const of = (userId: string) => ({ organisationId, userId })

  /** A session with an app, its grant and token, a fact, and what was mailed. */
  async function presence(id: string, name: string): Promise<void> {
    const { epoch } = await account(database, id)
    const owner = { accountId: id, epoch }
    const expiresAt = NOW + 1_000_000
    const payload = { authorizations: { demo: { sid: `sid-${name}`, grantId: name } } }
    const stored = { grantId: name, sessionUid: name, expiresAt, owner, payload: {} }
    await database.commit([
      upsertSession({ uid: name, id: name, payload, expiresAt, owner }, NOW),
      ...['Grant', 'RefreshToken', 'Interaction'].map(model =>
        upsertArtefact({ ...stored, model, id: name }),
      ),
      keepFact(name, id, { factor: 'pwd', kind: 'pwd', verifiedAt: NOW }),
    ])
    for (const kind of ['invitation', 'password-reset', 'code'] as const)
      await database.commit(issueToken(kind, id, `${kind}-${name}`, null, NOW))
  }

  async function whatIsOpen(name: string): Promise<string[]> {
    const found: string[] = []
    if ((await readSession(database, { uid: name }, NOW)) !== undefined) found.push('session')
    for (const model of ['Grant', 'RefreshToken', 'Interaction'])
      if ((await readArtefacts(database, model, name, NOW)).length > 0) found.push(model)
    for (const kind of ['invitation', 'password-reset', 'code'] as const)
      if ((await readToken(database, kind, `${kind}-${name}`, NOW)) !== undefined) found.push(kind)
    const facts = await rowsOf(database, 'session_facts')
    if (facts.some(each => each.session_uid === name)) found.push('facts')
    return found
  }

  describe('deactivating', () => {
    it('ends everything at once, tells the apps, and is audited', async () => {
      const id = await technician()
      const name = `p${id}`
      await presence(id, name)
      expect(await whatIsOpen(name)).to.have.length(8)

      const { user, changed } = await deactivateUser(directory, of(id))

      expect(changed).to.equal(true)
      expect(user).to.include({ id, status: 'deactivated' })
      expect(await account(database, id)).to.include({ status: 'deactivated', epoch: 1 })
      expect(await whatIsOpen(name)).to.deep.equal([])
      expect((await rowsOf(database, 'jobs')).map(each => each.id)).to.include(`logout_sid-${name}`)
      expect(await audit(id)).to.deep.equal([
        {
          event: 'user.deactivated',
          actor_id: 'operator',
          details: '{"role":"technician","status":"active"}',
        },
      ])
    })

    it('refuses a session and a password that were begun before', async () => {
      const id = await technician()
      await deactivateUser(directory, of(id))
      const session = { uid: `late${id}`, id: `late${id}`, payload: {}, expiresAt: NOW + 1000 }
      for (const late of [
        upsertSession({ ...session, owner: { accountId: id, epoch: 0 } }, NOW),
        setPasswordByMail(id, 'hash', NOW),
      ]) {
        expect(await failureOf(database.commit([late]))).to.be.instanceOf(CommitRefused)
      }
    })

    it('leaves the sessions of others alone', async () => {
      const [id, other] = [await technician(), await technician()]
      await presence(other, `o${other}`)
      await deactivateUser(directory, of(id))
      expect(await whatIsOpen(`o${other}`)).to.have.length(8)
    })

    it('twice does it once', async () => {
      const id = await technician()
      await deactivateUser(directory, of(id))
      const same = await leavesNothing(database, async () => {
        expect((await deactivateUser(directory, of(id))).changed).to.equal(false)
      })
      expect(same).to.equal(true)
    })
  })

  describe('reactivating', () => {
    it('brings back no session, token or link, and leaves factors and a pending reset as they were', async () => {
      const id = await technician()
      await database.commit(turnOnAuthenticator({ id, epoch: 0 }, `sealed ${id}`, 1, NOW))
      await database.commit([write(reset, [NOW, id])])
      await presence(id, `r${id}`)
      const before = await account(database, id)
      await deactivateUser(directory, of(id))

      const { user } = await reactivateUser(directory, of(id))

      expect(user.status).to.equal('active')
      const after = await account(database, id)
      expect(after).to.deep.equal({ ...before, epoch: before.epoch + 2 })
      expect(after).to.include({ status: 'active', secondFactorResetAt: NOW })
      expect(after.authenticator?.secret).to.equal(`sealed ${id}`)
      expect(await whatIsOpen(`r${id}`)).to.deep.equal([])
      expect((await audit(id)).at(-1)).to.deep.equal({
        event: 'user.reactivated',
        actor_id: 'operator',
        details: '{"role":"technician","status":"active"}',
      })
    })

    it('makes a user without a password invited again, by a new link only', async () => {
      const id = await technician({ status: 'invited', passwordHash: null, mailboxProvenAt: null })
      await database.commit(issueToken('invitation', id, `old-${id}`, null, NOW))
      await deactivateUser(directory, of(id))
      const { user } = await reactivateUser(directory, of(id))
      expect(user.status).to.equal('invited')
      expect((await account(database, id)).status).to.equal('invited')
      expect(await readToken(database, 'invitation', `old-${id}`, NOW)).to.equal(undefined)
    })

    it('stores nothing for a user who is not deactivated', async () => {
      const id = await technician()
      const same = await leavesNothing(database, async () => {
        expect((await reactivateUser(directory, of(id))).changed).to.equal(false)
      })
      expect(same).to.equal(true)
    })
  })

  describe('a change of role', () => {
    it('is audited with both roles, and stores nothing if there is none', async () => {
      const id = await technician()
      expect((await setRole(directory, of(id), 'admin')).user.role).to.equal('admin')
      expect((await account(database, id)).role).to.equal('admin')
      expect(await audit(id)).to.deep.equal([
        { event: 'user.role_changed', actor_id: 'operator', details: '{"from":"technician","to":"admin"}' },
      ])
      const same = await leavesNothing(database, async () => {
        expect((await setRole(directory, of(id), 'admin')).changed).to.equal(false)
      })
      expect(same).to.equal(true)
    })

    it('refuses roles that no organisation gives', async () => {
      const error = await failureOf(setRole(directory, of(await technician()), 'support' as never))
      expect(error).to.be.instanceOf(InputError).and.have.property('field', 'role')
    })
  })

  it('does not know users of other organisations, nor those of none', async () => {
    const other = await createOrganisation(directory, { name: 'Other', plan: 'Team', subscribedAt: null })
    const stranger = await person(database, { organisationId: other.id })
    for (const id of [stranger, await person(database), 'usr_none', "' OR 1=1 --"]) {
      const same = await leavesNothing(database, async () => {
        expect(await whyOf(deactivateUser(directory, of(id)))).to.equal('no_such_user')
        expect(await whyOf(reactivateUser(directory, of(id)))).to.equal('no_such_user')
        expect(await whyOf(setRole(directory, of(id), 'admin'))).to.equal('no_such_user')
      })
      expect(same, id).to.equal(true)
    }
  })

  it('takes no orders from technicians, deactivated admins, or admins of other organisations', async () => {
    const id = await technician()
    await admin()
    const gone = await admin()
    await deactivateUser(directory, of(gone))
    const other = await createOrganisation(directory, { name: 'Other', plan: 'Team', subscribedAt: null })
    const stranger = await person(database, { organisationId: other.id, role: 'admin' })
    for (const actor of [await technician(), gone, stranger, id]) {
      const theirs = directoryOn(database, actor)
      const same = await leavesNothing(database, async () => {
        expect(await whyOf(deactivateUser(theirs, of(id)))).to.equal('not_allowed')
        expect(await whyOf(setRole(theirs, of(id), 'admin'))).to.equal('not_allowed')
      })
      expect(same, actor).to.equal(true)
    }
  })

  describe('the last active admin', () => {
    it('stays, whoever asks: the operator, or they themselves', async () => {
      const id = await admin()
      await technician()
      await technician({ role: 'admin', status: 'invited', passwordHash: null })
      await deactivateUser(directory, of(await admin()))
      for (const actor of ['operator', id]) {
        const theirs = directoryOn(database, actor)
        const same = await leavesNothing(database, async () => {
          expect(await whyOf(deactivateUser(theirs, of(id)))).to.equal('last_admin')
          expect(await whyOf(setRole(theirs, of(id), 'technician'))).to.equal('last_admin')
        })
        expect(same).to.equal(true)
      }
    })

    it('may go once there is another one', async () => {
      const [id, heir] = [await admin(), await technician()]
      await setRole(directory, of(heir), 'admin')
      expect((await setRole(directory, of(id), 'technician')).changed).to.equal(true)
      expect(await whyOf(deactivateUser(directory, of(heir)))).to.equal('last_admin')
    })

    it('remains of two whom fifty take away at the same moment, on three replicas', async () => {
      const admins = [await admin(), await admin()]
      const outcomes = await atOnce(n => {
        const userId = admins[n % 2] ?? ''
        const way = Math.floor(n / 2) % 2
        return each =>
          way === 0 ? setRole(each, of(userId), 'technician') : deactivateUser(each, of(userId))
      })
      expect(await activeAdmins(admins)).to.have.length(1)
      expect(outcomes.changed).to.be.within(1, 2)
      expect(outcomes.last_admin).to.equal(25)
      expect(Object.keys(outcomes).sort()).to.deep.equal(['changed', 'last_admin', 'unchanged'])
    })

    it('remains of twenty who go at the same moment', async () => {
      const admins = await Promise.all(Array.from({ length: 20 }, admin))
      const outcomes = await atOnce(n => each => setRole(each, of(admins[n % 20] ?? ''), 'technician'))
      expect(await activeAdmins(admins)).to.have.length(1)
      expect(outcomes.changed).to.equal(19)
    })

    it('remains of two who demote or deactivate one another at the same moment', async () => {
      const replicas = await Promise.all([open(), open()])
      for (let round = 0; round < 20; round++) {
        const pair = [await admin(), await admin()] as const
        // Those of earlier rounds are not in their way.
        const fresh = await createOrganisation(directory, { name: 'Pair', plan: 'Team', subscribedAt: null })
        await database.commit(pair.map(id => write(move, [fresh.id, id])))
        const settled = await Promise.allSettled(
          pair.map((actor, n) => {
            const theirs = directoryOn(replicas[n] ?? database, actor)
            const choice = { organisationId: fresh.id, userId: pair[1 - n] ?? '' }
            return round % 2 === n ? deactivateUser(theirs, choice) : setRole(theirs, choice, 'technician')
          }),
        )
        expect(settled.filter(each => each.status === 'fulfilled')).to.have.length(1)
        expect(await activeAdmins(pair)).to.have.length(1)
        const lost = settled.find(each => each.status === 'rejected') as PromiseRejectedResult
        expect((lost.reason as InputError).why?.reason).to.equal('not_allowed')
      }
    })
  })

  async function activeAdmins(ids: readonly string[]): Promise<string[]> {
    const all = await Promise.all(ids.map(id => account(database, id)))
    return all.filter(each => each.role === 'admin' && each.status === 'active').map(each => each.id)
  }

  /** Fifty at once on three replicas: how many changed something, and why the others did not. */
  async function atOnce(
    order: (n: number) => (directory: Directory) => Promise<{ changed: boolean }>,
  ): Promise<Record<string, number>> {
    const replicas = await Promise.all([open(), open(), open()])
    const settled = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) => order(n)(directoryOn(replicas[n % 3] ?? database))),
    )
    const counts: Record<string, number> = {}
    for (const each of settled) {
      if (each.status === 'rejected' && !(each.reason instanceof InputError)) throw each.reason
      const outcome =
        each.status === 'rejected'
          ? String((each.reason as InputError).why?.reason)
          : each.value.changed
            ? 'changed'
            : 'unchanged'
      counts[outcome] = (counts[outcome] ?? 0) + 1
    }
    return counts
  }
})
