// What a write comes to that waited for another one: on PostgreSQL it sees what was there before that.

import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import pg from 'pg'
import { insertAccount } from '../../src/store/accounts/accounts.ts'
import { spend } from '../../src/store/accounts/credentials.ts'
import {
  confirmEmailChange,
  orderEmailChange,
  readOrderedChange,
} from '../../src/store/accounts/email-changes.ts'
import { CommitRefused, type Database, type Write } from '../../src/store/database.ts'
import { newId, newToken } from '../../src/store/ids.ts'
import { closeCase, openCase } from '../../src/store/recovery/support-cases.ts'
import { NOW, onPostgres, person } from './contract.ts'

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
})
