// What a commit comes to that waited for another one: on PostgreSQL a statement sees what was there before it began.

import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import pg from 'pg'
import { lockAccount } from '../../src/store/accounts/account-lock.ts'
import { insertAccount } from '../../src/store/accounts/accounts.ts'
import {
  insertPasskey,
  issueRecoveryCode,
  putAuthenticator,
  spend,
  turnOnAuthenticator,
} from '../../src/store/accounts/credentials.ts'
import {
  confirmEmailChange,
  orderEmailChange,
  readOrderedChange,
} from '../../src/store/accounts/email-changes.ts'
import { type OwnPlace, stayEnrolled, stayLoggedIn } from '../../src/store/accounts/own-changes.ts'
import { CommitRefused, type Database, type Write } from '../../src/store/database.ts'
import { newId, newToken } from '../../src/store/ids.ts'
import { upsertArtefact } from '../../src/store/oidc/artefacts.ts'
import { insertOrganisation } from '../../src/store/organisations/organisations.ts'
import { resetSecondFactor } from '../../src/store/recovery/second-factor-resets.ts'
import { closeCase, openCase } from '../../src/store/recovery/support-cases.ts'
import { upsertSession } from '../../src/store/sessions/oidc-sessions.ts'
import { insertConnection } from '../../src/store/sso/connections.ts'
import { claimAccount, linkIdentity, unlinkAccount } from '../../src/store/sso/identities.ts'
import {
  account as accountNow,
  epochMoves,
  NOW,
  onPostgres,
  PASSKEY,
  person,
  rowsOf,
  type Table,
} from './contract.ts'

onPostgres('a write that came while another was under way', (open, where) => {
  let one: Database
  let two: Database
  before(async () => {
    one = await open()
    two = await open()
  })

  const outcome = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'stored',
      error => {
        if (error instanceof CommitRefused) return error.refusal
        throw error
      },
    )

  /** Holds the first commit where it has done its work and is not over, until the second one waits for it or has ended. */
  async function whileUnderWay(first: readonly Write[], second: readonly Write[]): Promise<string[]> {
    const [gate, look] = await Promise.all([connected(), connected()])
    const waiting = async (wanted: number): Promise<void> => {
      for (let tries = 0; tries < 400; tries++) {
        const { rows } = await look.query(
          "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        if (rows.length >= wanted) return
        await sleep(5)
      }
    }
    try {
      const token = newToken()
      await gate.query('BEGIN')
      await gate.query("INSERT INTO spent (kind, id, expires_at) VALUES ('confirmation', $1, 1)", [token])
      const slow = outcome(one.commit([...first, spend('confirmation', token, NOW)]))
      await waiting(1)
      const late = outcome(two.commit(second))
      await Promise.race([waiting(2), late])
      await gate.query('ROLLBACK')
      return await Promise.all([slow, late])
    } finally {
      await Promise.all([gate.end(), look.end()])
    }
  }

  async function connected(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: await where.url() })
    await client.connect()
    return client
  }

  it('opens no support case while that of before is being stopped', async () => {
    const id = await person(one)
    const opened = (caseId: string) =>
      openCase({ id: caseId, account: { id, epoch: 0 }, reason: 'gone', waitUntil: NOW }, NOW)
    await one.commit([opened('cas_first')])
    const both = await whileUnderWay([closeCase('cas_first', 'stopped', NOW)], [opened('cas_second')])
    expect(both).to.deep.equal(['stored', 'already_exists'])
  })

  it('makes no account with an address that is being given up, and may be taken back', async () => {
    const email = 'given-up@acme.example'
    const id = await person(one, { email })
    const token = newToken()
    const ordered = { id: 'chg_1', to: 'other@acme.example', token, sessionUid: newToken() }
    await one.commit(orderEmailChange({ id, email, epoch: 0 }, ordered, NOW))
    const change = await readOrderedChange(one, token, NOW)
    if (change === undefined) throw new Error('no change')
    const account = {
      id: newId('usr'),
      organisationId: null,
      email,
      name: 'Taker',
      role: 'technician',
      status: 'active',
      passwordHash: null,
      mailboxProvenAt: null,
    } as const
    const both = await whileUnderWay(confirmEmailChange('postgres', change, token, NOW), [
      insertAccount(account, NOW),
    ])
    expect(both).to.deep.equal(['stored', 'already_exists'])
  })

  describe('to the factors of the same account', () => {
    let connectionId: string
    let another: string
    let organisationId: string
    before(async () => {
      organisationId = newId('org')
      const acme = { id: organisationId, name: 'Acme', plan: 'Enterprise', subscribedAt: null }
      await one.commit([insertOrganisation(acme, NOW)])
      connectionId = await connection()
      another = await connection()
    })

    async function connection(): Promise<string> {
      const id = newId('sso')
      await one.commit([
        insertConnection({
          id,
          organisationId,
          protocol: 'oidc',
          name: 'Okta',
          settings: '{}',
          secret: null,
          twoFactor: { acr: [], amr: [] },
          createsUsers: false,
          adminGroups: [],
          createdAt: NOW,
        }),
      ])
      return id
    }

    /** What a login keeps of the account that it is about. */
    const progress = (accountId: string): Write =>
      upsertArtefact({
        model: 'Interaction',
        id: newToken(),
        payload: {},
        grantId: undefined,
        sessionUid: undefined,
        expiresAt: NOW + 1_000_000,
        owner: { accountId, epoch: 0 },
      })
    const added = NOW + 1

    const adders: Record<string, { tables: readonly Table[]; add(place: OwnPlace): Write[] }> = {
      'a passkey of a login': {
        tables: ['passkeys'],
        add: ({ accountId }) => [
          insertPasskey({ ...PASSKEY, credentialId: newToken(), accountId }, added),
          progress(accountId),
        ],
      },
      'an authenticator of a login': {
        tables: ['authenticators', 'recovery_codes'],
        add: ({ accountId: id }) => [
          ...turnOnAuthenticator({ id, epoch: 0 }, 'sealed', 1, added),
          issueRecoveryCode(id, 'hash', added),
          progress(id),
        ],
      },
      'an authenticator of the account page': {
        tables: ['authenticators', 'recovery_codes'],
        add: place => [
          stayEnrolled(place),
          putAuthenticator({ id: place.accountId }, 'sealed', 1, added),
          issueRecoveryCode(place.accountId, 'hash', added),
        ],
      },
      'a recovery code of the account page': {
        tables: ['recovery_codes'],
        add: place => [stayLoggedIn(place), issueRecoveryCode(place.accountId, 'hash', added)],
      },
      'a link to a provider': {
        tables: ['sso_identities'],
        add: ({ accountId: id }) => [
          linkIdentity({ connectionId, subject: newToken() }, { id, epoch: 0 }, null, added),
        ],
      },
    }
    const takers: Record<string, { takes: readonly Table[]; take(id: string): Promise<Write[]> }> = {
      'a reset': {
        takes: ['passkeys', 'authenticators', 'recovery_codes'],
        take: async id => resetSecondFactor({ id, organisationId, epoch: 0 }, 'operator', true, NOW),
      },
      'Lock my account': {
        takes: ['passkeys', 'sso_identities'],
        take: async id =>
          lockAccount(await accountNow(one, id), { token: newToken(), until: NOW + 1_000_000 }, NOW, NOW),
      },
      'the claim of its owner by single sign-on': {
        takes: ['passkeys', 'authenticators', 'recovery_codes'],
        take: async id => claimAccount('postgres', { id, epoch: 0 }, NOW),
      },
      'the end of its links': {
        takes: ['sso_identities'],
        take: async id => [epochMoves(id), unlinkAccount(id)],
      },
    }

    async function begin(): Promise<OwnPlace> {
      const mailboxProvenAt = null
      const accountId = await person(one, { organisationId, mailboxProvenAt })
      const sessionUid = newToken()
      const owner = { accountId, epoch: 0 }
      const session = { uid: sessionUid, id: newToken(), payload: {}, expiresAt: NOW + 1_000_000, owner }
      // Linked by one before, so that there is something to unlink.
      const before = { connectionId: another, subject: newToken() }
      await one.commit([
        upsertSession(session, NOW),
        linkIdentity(before, { id: accountId, epoch: 0 }, null, NOW),
      ])
      return { accountId, epoch: 0, sessionUid }
    }
    const left = async (tables: readonly Table[], { accountId }: OwnPlace) => {
      const rows = await Promise.all(tables.map(each => rowsOf(one, each)))
      return rows.flat().filter(each => each.account_id === accountId && Number(each.created_at) === added)
    }

    for (const [what, { tables, add }] of Object.entries(adders))
      for (const [how, { takes, take }] of Object.entries(takers)) {
        if (!tables.every(each => takes.includes(each))) continue

        it(`${how} takes ${what} that is being added`, async () => {
          const place = await begin()
          const both = await whileUnderWay(add(place), await take(place.accountId))
          expect(both).to.deep.equal(['stored', 'stored'])
          expect(await left(tables, place)).to.deep.equal([])
        })

        it(`${how} is not outlived by ${what} that comes meanwhile`, async () => {
          const place = await begin()
          const [taken, late] = await whileUnderWay(await take(place.accountId), add(place))
          expect(taken).to.equal('stored')
          expect(late).to.not.equal('stored')
          expect(await left(tables, place)).to.deep.equal([])
        })
      }
  })
})
