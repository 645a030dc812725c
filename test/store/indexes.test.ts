import { readFile } from 'node:fs/promises'
import { expect } from 'chai'
import {
  blockedUntil,
  clearAccountAttempts,
  clearAttempts,
  giveBackAttempt,
  noteNotified,
  reserveAttempt,
} from '../../src/factors/attempts.ts'
import * as accounts from '../../src/store/accounts.ts'
import * as artefacts from '../../src/store/artefacts.ts'
import { auditRow } from '../../src/store/audit.ts'
import { createClients } from '../../src/store/clients.ts'
import * as credentials from '../../src/store/credentials.ts'
import { type Database, openDatabase, type Statement, sql, type Write } from '../../src/store/database.ts'
import * as mailed from '../../src/store/emailed-tokens.ts'
import * as sessions from '../../src/store/oidc-sessions.ts'
import { insertOrganisation, readOrganisation } from '../../src/store/organisations.ts'
import { createKeyring } from '../../src/store/seal.ts'
import { keepFact } from '../../src/store/session-facts.ts'
import { sweep } from '../../src/store/sweep.ts'
import { NOW, onEveryDatabase, type Place, SECRET_KEY } from './contract.ts'

/** What is read rarely, from tables of a few rows. */
const COLD = ['client_list', 'organisation_any', 'signing_key_list', 'signing_key_insert']
const FILES = [
  'factors/attempts',
  'store/accounts',
  'store/artefacts',
  'store/audit',
  'store/clients',
  'store/credentials',
  'store/emailed-tokens',
  'store/oidc-sessions',
  'store/organisations',
  'store/session-facts',
  'store/signing-keys',
  'store/sweep',
]

/** Every statement that requests and the sweeper run, as they run it. */
async function everything(): Promise<Write[]> {
  const seen = new Map<string, Write>()
  const note = (each: Write) => {
    // Jobs have a suite of their own.
    if (!each.statement.name.startsWith('job_')) seen.set(each.statement.name, each)
  }
  const database: Database = {
    dialect: 'sqlite',
    async read(statement, params) {
      note({ statement, params })
      return []
    },
    async commit(writes) {
      writes.forEach(note)
      return writes.map(() => [])
    },
    observe: () => undefined,
    migrate: async () => [],
    migrations: async () => ({ pending: [], unknown: [] }),
    close: async () => undefined,
  }
  const id = 'usr_1'
  const owner = { accountId: id, epoch: 0 }
  const subject = { account: id, source: '' }
  const account = { id, epoch: 0, passwordHash: 'hash' } as accounts.Account
  const clients = createClients(database, createKeyring([SECRET_KEY]), () => NOW)
  const client = { metadata: { client_id: 'app' }, firstParty: true }
  const passkey = {
    credentialId: 'c',
    accountId: id,
    transports: [] as string[],
  } as unknown as credentials.Passkey
  const artefact = (model: string, owned: boolean) =>
    artefacts.upsertArtefact({
      model,
      id: 'x',
      payload: {},
      grantId: 'g',
      sessionUid: 'u',
      expiresAt: NOW,
      owner: owned ? owner : undefined,
    })
  const session = { uid: 'u', id: 'x', payload: {}, expiresAt: NOW }

  await accounts.readAccount(database, id)
  await accounts.readAccountByEmail(database, 'a@example.com')
  for (const model of ['Grant', 'AuthorizationCode', 'AccessToken', 'Interaction']) {
    await artefacts.readArtefacts(database, model, 'x', NOW)
  }
  await sessions.readSession(database, { id: 'x' }, NOW)
  await sessions.readSession(database, { uid: 'u' }, NOW)
  await credentials.readPasskey(database, 'c')
  await credentials.readPasskeys(database, id)
  await mailed.readToken(database, 'code', 'token', NOW)
  await readOrganisation(database, 'org_1')
  await blockedUntil(database, 'code', subject)
  await clients.find('app')
  await sweep(database, NOW)
  await database.commit([
    accounts.insertAccount({ ...account, organisationId: null, email: 'a@example.com' } as never, NOW),
    accounts.rehashPassword(account, 'hash'),
    accounts.setPasswordByMail(id, 'hash', NOW),
    accounts.touchLogin(id, NOW),
    accounts.offerPasskeyAfter(id, NOW),
    accounts.insertHostOrganisation({ id: 'org_1', name: 'Host', subscribedAt: null }, NOW),
    accounts.insertHostAccount(
      { id, organisationId: 'org_1', email: 'a@example.com', name: 'A', mailboxProvenAt: null },
      NOW,
    ),
    artefact('Interaction', false),
    artefact('Interaction', true),
    artefact('ReplayDetection', false),
    artefacts.consumeArtefact('RefreshToken', 'x', NOW),
    artefacts.deleteArtefact('Interaction', 'x'),
    artefacts.revokeArtefacts('RefreshToken', 'g'),
    artefacts.revokeAccountArtefacts(id),
    auditRow({ event: 'login' }, NOW),
    clients.insert(client, NOW),
    clients.update(client, NOW),
    ...credentials.turnOnAuthenticator(account, 'sealed', 1, NOW),
    credentials.spendTotpStep(id, 'sealed', 1, NOW),
    credentials.issueRecoveryCode(id, 'hash', NOW),
    credentials.spendRecoveryCode(id, 'hash', 'next', NOW),
    credentials.recoveryCodeSaved(id, 'hash', NOW),
    credentials.insertPasskey(passkey, NOW),
    credentials.usePasskey(passkey, 1, false, NOW),
    credentials.spend('passkey-challenge', 'x', NOW),
    ...mailed.issueToken('code', id, 'token', null, NOW),
    mailed.useToken('code', 'token', NOW),
    mailed.retireOtherTokens(id, 'token', NOW),
    insertOrganisation({ id: 'org_1', name: 'N', plan: 'P', subscribedAt: null }, NOW),
    ...sessions.endSession({ id: 'x' }, NOW),
    ...sessions.endSession({ uid: 'u' }, NOW),
    ...sessions.endSessions(id, NOW),
    sessions.upsertSession({ ...session, owner: undefined }, NOW),
    sessions.upsertSession({ ...session, owner }, NOW),
    keepFact('u', id, { factor: 'pwd', kind: 'pwd', verifiedAt: NOW }),
    reserveAttempt('code', subject, NOW),
    giveBackAttempt('code', subject),
    clearAttempts('code', subject),
    clearAccountAttempts('code', id),
    noteNotified(id, NOW),
  ])
  return [...seen.values()]
}

const explained = new Map<string, Statement>()

function explain(place: Place, { name, text }: Statement): Statement {
  const how = place.dialect === 'sqlite' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN (FORMAT JSON)'
  const key = `explain_${place.dialect}_${name}`
  const found = explained.get(key) ?? sql(key, `${how} ${text}`)
  explained.set(key, found)
  return found
}

interface Node {
  'Node Type': string
  'Index Cond'?: string
  'Recheck Cond'?: string
  'Relation Name'?: string
  Plans?: Node[]
}

/** Reads every row of something, or would with many rows. */
function fullScans(node: Node): string[] {
  const type = node['Node Type']
  const full = type === 'Seq Scan' || (/Index/.test(type) && node['Index Cond'] === undefined)
  return [...(full ? [`${type} on ${node['Relation Name']}`] : []), ...(node.Plans ?? []).flatMap(fullScans)]
}

onEveryDatabase('no request reads a table from end to end:', (open, place) => {
  let statements: Write[]
  let database: Database

  before(async () => {
    statements = await everything()
    await open()
    const url = await place.url()
    // On empty tables PostgreSQL would rather read all of nothing than use an index.
    const asIfFull = ['seqscan', 'hashjoin', 'mergejoin'].map(each => `-c enable_${each}=off`).join(' ')
    database = await openDatabase(
      place.dialect === 'sqlite' ? url : `${url}?options=${encodeURIComponent(asIfFull)}`,
    )
  })
  after(() => database.close())

  it('every statement that requests use finds its rows by an index', async () => {
    const scans: string[] = []
    for (const { statement, params } of statements) {
      const rows = await database.read(explain(place, statement), params)
      const found =
        place.dialect === 'sqlite'
          ? rows
              .map(each => String(each.detail))
              .filter(each => /AUTOMATIC|^SCAN (?!CONSTANT ROW|\d+ CONSTANT)/.test(each))
          : rows.flatMap(each =>
              (each['QUERY PLAN'] as unknown as { Plan: Node }[]).flatMap(plan => fullScans(plan.Plan)),
            )
      scans.push(...found.map(each => `${statement.name}: ${each}`))
    }
    expect(scans).to.deep.equal([])
  })

  it('no statement of the store is left out here', async () => {
    const sources = await Promise.all(
      FILES.map(each => readFile(new URL(`../../src/${each}.ts`, import.meta.url), 'utf8')),
    )
    const declared = sources.flatMap(each =>
      [...each.matchAll(/\bsql\(\s*'(\w+)'/g)].map(match => String(match[1])),
    )
    expect(declared.length).to.be.greaterThan(50)
    expect(
      [...statements.map(each => each.statement.name), ...COLD].filter(each => !/^job_/.test(each)),
    ).to.have.members(declared)
  })
})
