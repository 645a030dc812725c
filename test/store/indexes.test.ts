import { readFile } from 'node:fs/promises'
import { expect } from 'chai'
import pg from 'pg'
import {
  blockedUntil,
  clearAccountAttempts,
  clearAttempts,
  giveBackAttempt,
  noteNotified,
  readBlocks,
  reserveAttempt,
  unblockAccount,
} from '../../src/factors/attempts.ts'
import { lockAccount } from '../../src/store/accounts/account-lock.ts'
import { readAccountOverview } from '../../src/store/accounts/account-overview.ts'
import * as accounts from '../../src/store/accounts/accounts.ts'
import { forgetBounce, noteBounce } from '../../src/store/accounts/bounces.ts'
import * as credentials from '../../src/store/accounts/credentials.ts'
import * as changes from '../../src/store/accounts/email-changes.ts'
import * as mailed from '../../src/store/accounts/emailed-tokens.ts'
import { countInvited, readInvitationTimes } from '../../src/store/accounts/invitations.ts'
import * as own from '../../src/store/accounts/own-changes.ts'
import { keepPending, readPending, takePending } from '../../src/store/accounts/pending-forms.ts'
import { readUserDetails } from '../../src/store/accounts/user-details.ts'
import { countStandings, countUsers, readUserPage, USER_SORTS } from '../../src/store/accounts/user-list.ts'
import { auditRow } from '../../src/store/audit/audit.ts'
import { readAuditEvents, readOwnEvents } from '../../src/store/audit/audit-events.ts'
import { sealAudit } from '../../src/store/audit/audit-sealer.ts'
import { verifyAudit } from '../../src/store/audit/audit-verify.ts'
import {
  type Database,
  type Dialect,
  openDatabase,
  type Statement,
  sql,
  type Write,
} from '../../src/store/database.ts'
import { keepAnswer, readAnswer } from '../../src/store/jobs/idempotency.ts'
import { sweep } from '../../src/store/jobs/sweep.ts'
import { createApis } from '../../src/store/oidc/apis.ts'
import * as artefacts from '../../src/store/oidc/artefacts.ts'
import { createClients } from '../../src/store/oidc/clients.ts'
import { changeActionRule, readActionRules } from '../../src/store/organisations/action-rules.ts'
import * as memberships from '../../src/store/organisations/memberships.ts'
import * as organisations from '../../src/store/organisations/organisations.ts'
import {
  changeSessionPolicy,
  readSessionSettings,
  type SessionSettings,
} from '../../src/store/organisations/session-policies.ts'
import { askForHelp, readHelpers, readHelpRequests } from '../../src/store/recovery/help-requests.ts'
import * as resets from '../../src/store/recovery/second-factor-resets.ts'
import * as cases from '../../src/store/recovery/support-cases.ts'
import { createKeyring } from '../../src/store/seal.ts'
import {
  endSessionOf,
  hasAccess,
  readSessionsOf,
  wasSessionOf,
} from '../../src/store/sessions/account-sessions.ts'
import { endAppAccess, readAppAccess } from '../../src/store/sessions/app-access.ts'
import * as logOuts from '../../src/store/sessions/log-outs.ts'
import * as sessions from '../../src/store/sessions/oidc-sessions.ts'
import { keepFact } from '../../src/store/sessions/session-facts.ts'
import { readToldApps } from '../../src/store/sessions/told-apps.ts'
import { NOW, onEveryDatabase, type Place, SECRET_KEY } from './contract.ts'
import { ssoStatements } from './sso-statements.ts'

/** What is read rarely, from tables of a few rows. */
const COLD = [
  'job_seal_head',
  'job_seal_writers',
  'api_list',
  'client_list',
  'client_list_with_actions',
  'organisation_any',
  'signing_key_list',
  'signing_key_insert',
  'sso_plan_list',
  'sso_plan_insert',
  'sso_plan_delete',
]
const FILES = [
  'factors/attempts',
  'store/accounts/account-lock',
  'store/accounts/account-overview',
  'store/accounts/accounts',
  'store/accounts/bounces',
  'store/accounts/credentials',
  'store/accounts/email-changes',
  'store/accounts/emailed-tokens',
  'store/accounts/invitations',
  'store/accounts/own-changes',
  'store/accounts/pending-forms',
  'store/accounts/user-details',
  'store/audit/audit',
  'store/audit/audit-chain',
  'store/audit/audit-events',
  'store/audit/audit-horizon',
  'store/audit/audit-sealer',
  'store/audit/audit-verify',
  'store/jobs/idempotency',
  'store/jobs/sweep',
  'store/oidc/apis',
  'store/oidc/artefacts',
  'store/oidc/clients',
  'store/oidc/signing-keys',
  'store/organisations/action-rules',
  'store/organisations/memberships',
  'store/organisations/organisations',
  'store/organisations/session-policies',
  'store/recovery/help-requests',
  'store/recovery/second-factor-resets',
  'store/recovery/support-cases',
  'store/sessions/account-sessions',
  'store/sessions/app-access',
  'store/sessions/log-outs',
  'store/sessions/oidc-sessions',
  'store/sessions/session-facts',
  'store/sessions/told-apps',
  'store/sso/connections',
  'store/sso/domains',
  'store/sso/identities',
  'store/sso/organisations',
  'store/sso/plans',
  'store/sso/requests',
  'store/sso/sessions',
]

const FILTERS = [
  { words: [] },
  { words: [], role: 'admin' },
  { words: [], standing: 'reset_pending' },
  { words: [], standing: 'at_provider' },
  { words: [], status: 'invited' },
  { words: [], role: 'admin', standing: 'set_up' },
  { words: ['ben', 'okafor'], role: 'technician' },
  { words: [], status: 'deactivated' },
  { words: [], status: 'locked' },
] as const

/** Every statement that requests and the sweeper run, as they run it. */
async function everything(dialect: Dialect): Promise<Write[]> {
  const seen = new Map<string, Write>()
  const note = (each: Write) => {
    // Jobs have a suite of their own; the sweeping of them comes every minute.
    if (!/^job_(?!sweep|seal)/.test(each.statement.name)) seen.set(each.statement.name, each)
  }
  const database: Database = {
    dialect,
    async read(statement, params) {
      note({ statement, params })
      // The sealer, and who looks after it, go on only where they find something.
      if (statement.name === 'audit_seals_after' && params[0] === 0) return [{ seq: 1, last_id: 1 }]
      if (statement.name === 'job_seal_top') return [{ top: 1 }]
      return statement.name === 'job_seal_rows' ? [{ id: 1 }] : []
    },
    async commit(writes) {
      writes.forEach(note)
    },
    async commitTelling(writes) {
      writes.forEach(note)
      return writes.map(() => [])
    },
    observe: () => undefined,
    onEnqueued: () => () => undefined,
    migrate: async () => [],
    migrations: async () => ({ pending: [], unknown: [] }),
    close: async () => undefined,
  }
  const id = 'usr_1'
  const owner = { accountId: id, epoch: 0 }
  const subject = { account: id, source: '' }
  const account = { id, epoch: 0, name: '', passwordHash: 'hash' } as accounts.Account
  const keyring = createKeyring([SECRET_KEY])
  const clients = createClients(database, keyring, () => NOW)
  const place = { kind: 'form', sessionUid: 'u', accountId: id }
  const ownPlace = { accountId: id, epoch: 0, sessionUid: 'u' }
  const client = { metadata: { client_id: 'app' }, firstParty: true }
  const action = { organisationId: 'org_1', clientId: 'app', action: 'a' }
  const organisation = { id: 'org_1', name: 'N', plan: 'P', subscribedAt: null }
  const member = {
    id,
    organisationId: 'org_1',
    role: 'technician',
    status: 'active',
    epoch: 0,
  } as memberships.Membership
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
  const used = sessions.seeSession({ uid: 'u', lastSeenAt: 0 } as sessions.StoredSession, NOW) as Write
  const settings = {
    organisationId: 'org_1',
    stored: { plan: 'P', inactiveHours: null, endDays: null },
  } as SessionSettings

  await accounts.readAccount(database, id)
  await accounts.readAccountByEmail(database, 'a@example.com')
  for (const model of ['Grant', 'AuthorizationCode', 'AccessToken', 'Interaction']) {
    await artefacts.readArtefacts(database, model, 'x', NOW)
  }
  await sessions.readSession(database, { id: 'x' }, NOW)
  await sessions.readSession(database, { uid: 'u' }, NOW)
  await credentials.readPasskey(database, 'c')
  await credentials.readPasskeys(database, id)
  await credentials.countWithoutPasskey(database, 'org_1')
  await mailed.readToken(database, 'code', 'token', NOW)
  await organisations.readOrganisation(database, 'org_1')
  await organisations.readOrganisations(database, '', 500)
  await organisations.readStoredAccessList(database, 'org_1')
  await memberships.readMembership(database, { organisationId: 'org_1', userId: id }, 'usr_2')
  for (const by of USER_SORTS) {
    for (const filter of FILTERS) {
      for (const direction of ['after', 'before'] as const) {
        const key = by === 'login' ? [0, ''] : by === 'name' ? ['', ''] : [0, '', '']
        await readUserPage(database, 'org_1', filter, { by, descending: false }, 25, { key, direction })
      }
    }
  }
  await readInvitationTimes(database, [id])
  await database.commit(
    noteBounce({ id, email: 'a@b.example', organisationId: null }, { reason: 'no', at: NOW }, true),
  )
  await database.commit(
    lockAccount({ ...account, role: 'admin', organisationId: 'org_1' }, { token: 't', until: NOW }, 0, NOW),
  )
  const ordered = { id: 'chg_1', accountId: id, from: 'a@b.example', to: 'b@b.example', epoch: 0 }
  const change = { ...ordered, sessionUid: 'u', orderedAt: NOW, changedAt: undefined, expiresAt: NOW }
  await database.commit([
    ...changes.orderEmailChange(
      { ...account, email: 'a@b.example' },
      { id: 'chg_1', to: 'b@b.example', token: 't', sessionUid: 'u' },
      NOW,
    ),
    ...changes.confirmEmailChange(dialect, change, 't', NOW),
    changes.stopEmailChange(change, NOW),
    ...changes.putEmailBack(account, change, 0, NOW),
  ])
  await changes.readOrderedChange(database, 't', NOW)
  await changes.readStoppable(database, 'chg_1', NOW)
  await changes.readWaitingChange(database, id, NOW)
  await changes.isHeldForAnother(database, 'b@b.example', id, NOW)
  await database.commit([forgetBounce('a@b.example', NOW)])
  await countInvited(database, 'org_1')
  await countStandings(database, 'org_1')
  // Whoever has more users than are counted gets a filter's counted by themselves.
  const crowded: Database = {
    ...database,
    async read(statement, params) {
      await database.read(statement, params)
      return [{ role: 'technician', second_factor: 0, n: 20_000 }]
    },
  }
  for (const filter of FILTERS) await countUsers(crowded, 'org_1', filter)
  const reset = { id: 'rst_1', organisationId: 'org_1', actorId: id }
  await resets.readReset(database, 'org_1', 'rst_1', NOW)
  await resets.readResetUsers(database, 'rst_1', 0, 50)
  await resets.readWaiting(database, 'rst_1', 0, 50)
  await readToldApps(database, 'rst_1', 0, 50)
  await resets.countResettable(database, 'rst_1')
  await database.commit(resets.draftReset(dialect, reset, ['usr_1'], NOW))
  await database.commit([
    ...resets.draftResetOf(reset, { words: [], role: 'admin' }, NOW),
    resets.startReset(reset, 'why', false, NOW),
    ...resets.startResetOf(dialect, reset, { users: ['usr_1'] }, 'why', false, NOW),
    resets.settleResetUser('rst_1', 1, undefined, NOW),
    resets.finishReset('rst_1', NOW),
    ...resets.resetSecondFactor({ id, organisationId: 'org_1', epoch: 0 }, id, true, NOW),
  ])
  await blockedUntil(database, 'code', subject)
  await readBlocks(database, id, NOW)
  await readUserDetails(database, 'org_1', id)
  await readSessionsOf(database, id, NOW)
  await hasAccess(database, id)
  await wasSessionOf(database, id, 'u')
  await readAppAccess(database, id, NOW)
  for (const key of [{ before: { at: NOW, id: 1 } }, { after: { at: NOW, id: 1 } }]) {
    await readOwnEvents(database, { id, organisationId: null }, 0, { ...key, limit: 50 })
  }
  await readSessionSettings(database, 'org_1', id)
  await logOuts.countLoggedIn(database, 'org_1')
  await logOuts.readLoggedIn(database, 'org_1', NOW, '', 64)
  await clients.find('app')
  await readAccountOverview(database, id).catch(() => undefined)
  await readPending(database, keyring, 'x', place, NOW)
  await readHelpRequests(database, 'org_1', 100)
  await readHelpers(database, 'org_1', id, 200)
  await cases.readCase(database, { id: 'cas_1' })
  await changes.readFormerEmails(database, id, NOW)
  await changes.readWayBack(database, id, 'a@b.example', NOW)
  await cases.readCase(database, { number: 1 })
  await cases.readRunningCases(database, 500)
  await cases.readSettledCases(database, 10, 25)
  await cases.readLockedOut(database, id)
  const found = { id: 'cas_1', needsSecond: false } as cases.SupportCase
  const approval = { agentId: id, evidence: ['call'], note: 'note' }
  await database.commit([
    askForHelp(account, null, 1, NOW),
    cases.openCase({ id: 'cas_1', account, reason: 'why', waitUntil: NOW }, NOW),
    cases.approveCase(found, approval, NOW),
    cases.approveCase({ ...found, needsSecond: true }, approval, NOW),
    cases.approveCaseAgain(found, approval, NOW),
    cases.closeCase('cas_1', 'stopped', NOW),
    cases.closeCaseBy('cas_1', id, 'why', NOW),
    cases.useCase('cas_1', NOW),
    cases.noteWaitTold('cas_1', NOW),
  ])
  await readAnswer(database, { clientId: 'app', key: 'k', request: '' }, NOW)
  await readActionRules(database, 'org_1')
  await ssoStatements(database, dialect, keyring)
  await sweep(database, NOW)
  await sealAudit(database, keyring, () => NOW)
  await verifyAudit(database, keyring, { newest: 1 })
  for (const key of [{ before: { at: NOW, id: 1 } }, { after: { at: NOW, id: 1 } }]) {
    for (const event of [undefined, 'login' as const]) {
      for (const person of [undefined, id]) {
        await readAuditEvents(database, 'org_1', { ...key, event, person, limit: 50 })
        await readAuditEvents(database, 'org_1', { ...key, event, about: person, limit: 50 })
      }
    }
  }
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
    clients.setActions(client, [], NOW),
    ...createApis(database, () => NOW).insert(
      {
        resource: 'api',
        name: undefined,
        scopes: [],
        opaque: false,
        introspectedBy: undefined,
        clients: ['app'],
      },
      NOW,
    ),
    ...[undefined, 'always'].map(seen => changeActionRule(action, seen, 'passkey', 'usr_2', NOW)),
    changeActionRule(action, 'always', undefined, 'usr_2', NOW),
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
    mailed.retireTokens(id, NOW),
    ...memberships.changeRole(member, 'admin', 'usr_2'),
    ...memberships.deactivate(member, 'usr_2'),
    memberships.endAgent(id),
    ...memberships.reactivate(member, 'usr_2'),
    memberships.stayAdmin('org_1', 'usr_2'),
    memberships.withdrawAccount(member, 'usr_2'),
    memberships.stayAsRead(member, 'usr_2'),
    ...memberships.losePasskey(member, 'c', 'usr_2', NOW),
    mailed.retireOtherTokens(id, 'token', NOW),
    organisations.insertOrganisation(organisation, NOW),
    organisations.changePlan(organisation, 'Q'),
    organisations.startSubscription('org_1', NOW),
    organisations.loseActiveAdmin('org_1', 0),
    organisations.changeAccessList('org_1', '', '192.0.2.1', 'usr_2'),
    ...sessions.endSession({ id: 'x' }, NOW),
    ...sessions.endSession({ uid: 'u' }, NOW),
    ...sessions.endSessions(database.dialect, id, NOW),
    ...endSessionOf(dialect, { accountId: id, uid: 'u' }, NOW),
    used,
    logOuts.orderLogOut('org_1', id, 0, NOW),
    logOuts.reachAccount(id, 'org_1', NOW),
    logOuts.finishLogOut('org_1', NOW, NOW),
    memberships.loseAccess(member, 'usr_2'),
    changeSessionPolicy(settings, { inactiveHours: 1, endDays: 2 }, 'usr_2'),
    sessions.upsertSession({ ...session, owner: undefined }, NOW),
    sessions.upsertSession({ ...session, owner }, NOW),
    keepFact('u', id, { factor: 'pwd', kind: 'pwd', verifiedAt: NOW }),
    reserveAttempt('code', subject, NOW),
    giveBackAttempt('code', subject),
    clearAttempts('code', subject),
    clearAccountAttempts('code', id),
    unblockAccount(id),
    noteNotified(id, NOW),
    own.stayLoggedIn(ownPlace),
    own.stayEnrolled(ownPlace),
    ...own.moveOn(ownPlace),
    ...own.giveUpPasskey(dialect, ownPlace, 'c', NOW, NOW),
    ...own.renamePasskey(ownPlace, 'c', 'name'),
    own.changeName(ownPlace, { before: 'Dana', name: 'Eve' }),
    ...own.endOneSession(dialect, ownPlace, 'u', NOW),
    ...endAppAccess(dialect, ownPlace, 'app', NOW),
    ...own.endOtherSessions(dialect, ownPlace, NOW),
    ...own.endOtherAccess(dialect, ownPlace, NOW),
    ...own.changePassword(dialect, ownPlace, { before: 'hash', hash: 'other' }, NOW),
    keepPending(keyring, {}, place, NOW).write,
    keepAnswer({ clientId: 'app', key: 'k', request: '' }, '{}', NOW),
    takePending('x', place, NOW),
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
  'Relation Name'?: string
  Plans?: Node[]
}

/** Columns that have a handful of values: who searches by these alone reads the table. */
const KINDS = ['model', 'kind', 'budget']

/** The columns that an index is searched by, out of `((model)::text = 'x'::text)` or `(model=? AND id=?)`. */
function searchedBy(condition: string): string[] {
  const words = condition.replaceAll(/'[^']*'|::\w+/g, '').match(/\b[a-z_]+\b/g) ?? []
  return words.filter(each => !KINDS.includes(each))
}

/** Reads every row of something, or would with many rows. */
function fullScans(node: Node): string[] {
  const type = node['Node Type']
  const full =
    type === 'Seq Scan' || (/Index/.test(type) && searchedBy(node['Index Cond'] ?? '').length === 0)
  const found = full ? [`${type} on ${node['Relation Name']} (${node['Index Cond'] ?? ''})`] : []
  return [...found, ...(node.Plans ?? []).flatMap(fullScans)]
}

/** The same, of a line of SQLite's. */
function scans(detail: string): boolean {
  // `counted`, `found` and a numbered subquery are what a statement has just read; `json_each`, the one virtual
  // table, reads what it is given.
  if (/^SCAN (CONSTANT|\d+ CONSTANT|counted$|found$|\(subquery-|json_each |\w+ VIRTUAL TABLE )/.test(detail))
    return false
  // A page goes on from a key of several columns: "(name_key,id)>(?,?)".
  const plain = detail.replace(/ AND \([\w,]+\)[<>]\([?,]+\)/, '')
  const condition = /\(([^()]*)\)(?: LEFT-JOIN)?$/.exec(plain)?.[1] ?? ''
  return /AUTOMATIC|^SCAN/.test(detail) || (detail.startsWith('SEARCH') && searchedBy(condition).length === 0)
}

/** Enough rows for PostgreSQL to tell a good index from a bad one. */
async function fill(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`
      INSERT INTO organisations (id, name, plan, created_at) SELECT n, n, '', 0 FROM generate_series(1, 3000) n;
      INSERT INTO accounts (id, organisation_id, email, email_key, name, role, status, created_at)
        SELECT n, n, n, n, n, 'technician', 'active', 0 FROM generate_series(1, 3000) n;
      INSERT INTO authenticators (account_id, secret, last_step, created_at)
        SELECT n, '', 0, 0 FROM generate_series(1, 3000) n;
      INSERT INTO recovery_codes (account_id, hash, created_at) SELECT n, n, 0 FROM generate_series(1, 3000) n;
      INSERT INTO passkeys (credential_id, account_id, rp_id, public_key, counter, transports, aaguid,
          backup_eligible, backed_up, name, created_at)
        SELECT n, n, '', '', 0, '', '', 0, 0, '', 0 FROM generate_series(1, 3000) n;
      INSERT INTO emailed_tokens (id, kind, account_id, created_at, expires_at)
        SELECT n, 'code', n, n, n FROM generate_series(1, 3000) n;
      INSERT INTO clients (id, metadata, first_party, created_at, updated_at)
        SELECT n, '{}', 0, 0, 0 FROM generate_series(1, 3000) n;
      INSERT INTO action_rules (organisation_id, client_id, action, rule, updated_at)
        SELECT n, n, n, 'always', 0 FROM generate_series(1, 3000) n;
      INSERT INTO log_outs (organisation_id, actor_id, ordered_at) SELECT n, n, n FROM generate_series(1, 3000) n;
      INSERT INTO oidc_artefacts (model, id, grant_id, account_id, epoch, payload, expires_at)
        SELECT CASE n % 2 WHEN 0 THEN 'Grant' ELSE 'RefreshToken' END, n, n, n, 0, '{}', n
        FROM generate_series(1, 3000) n;
      INSERT INTO oidc_sessions (uid, id, account_id, epoch, payload, expires_at, created_at)
        SELECT n, n, n, 0, '{}', n, 0 FROM generate_series(1, 3000) n;
      INSERT INTO session_facts (session_uid, account_id, factor, kind, verified_at)
        SELECT n, n, 'pwd', 'pwd', 0 FROM generate_series(1, 3000) n;
      INSERT INTO spent (kind, id, expires_at) SELECT 'passkey-challenge', n, n FROM generate_series(1, 3000) n;
      INSERT INTO audit_events (at, event, organisation_id, account_id, actor_id, details)
        SELECT n, CASE n % 2 WHEN 0 THEN 'login' ELSE 'logout' END, n % 10, n, n, '{}' FROM generate_series(1, 3000) n;
      INSERT INTO audit_seals (seq, last_id, row_count, digest, key_id, head, sealed_at)
        SELECT n, n, 1, n, n, n, n FROM generate_series(1, 3000) n;
      INSERT INTO help_requests (account_id, organisation_id, epoch, since, asked_at)
        SELECT n, n, 0, n, n FROM generate_series(1, 3000) n;
      INSERT INTO support_cases (id, account_id, epoch, reason, needs_second, opened_at, wait_until, closed_at)
        SELECT n, n, 0, '', 0, n, n, CASE n % 2 WHEN 0 THEN n END FROM generate_series(1, 3000) n;
      INSERT INTO idempotency_keys (client_id, id, request, response, expires_at)
        SELECT n, n, '', '', n FROM generate_series(1, 3000) n;
      INSERT INTO email_changes (id, token, account_id, old_email, old_key, new_email, epoch, session_uid, ordered_at,
          expires_at)
        SELECT n, n, n, n, n, n, 0, n, n, n FROM generate_series(1, 3000) n;
      INSERT INTO pending_forms (id, kind, session_uid, account_id, form, expires_at)
        SELECT n, 'form', n, n, '', n FROM generate_series(1, 3000) n;
      INSERT INTO second_factor_resets (id, organisation_id, actor_id, created_at, started_at)
        SELECT n, n, n, n, CASE n % 2 WHEN 0 THEN n END FROM generate_series(1, 3000) n;
      INSERT INTO jobs (id, kind, payload, summary, attempts, run_at, done_at, failed_at, created_at,
          account_id, client_id)
        SELECT n, 'mail', '', '', 1, n, CASE n % 3 WHEN 0 THEN n END, CASE n % 3 WHEN 1 THEN n END, n, n, n
        FROM generate_series(1, 3000) n;
      INSERT INTO attempts (budget, account, source, in_a_row, today, day_started_at, blocked_until, expires_at)
        SELECT 'code', n, '', 1, 1, 0, 0, n FROM generate_series(1, 3000) n;
      INSERT INTO sso_connections (id, organisation_id, protocol, name, status, settings, two_factor, creates_users,
          admin_groups, revision, created_at)
        SELECT n, n, 'oidc', n, 'on', '{}', '{}', 0, '[]', 1, 0 FROM generate_series(1, 3000) n;
      INSERT INTO sso_domains (id, organisation_id, domain, proven_domain, connection_id, token, created_at)
        SELECT n, n, n, n, n, '', 0 FROM generate_series(1, 3000) n;
      INSERT INTO sso_identities (connection_id, subject, account_id, created_at)
        SELECT n, n, n, 0 FROM generate_series(1, 3000) n;
      INSERT INTO sso_requests (id, connection_id, sealed, handle, created_at, expires_at)
        SELECT n, n, '', n, 0, n FROM generate_series(1, 3000) n;
      ANALYZE`)
  } finally {
    await client.end()
  }
}

onEveryDatabase('no request reads a table from end to end:', (open, place) => {
  let statements: Write[]
  let database: Database

  before(async () => {
    statements = await everything(place.dialect)
    await open()
    const url = await place.url()
    if (place.dialect === 'postgres') await fill(url)
    // On small tables PostgreSQL would rather read everything than use an index.
    const asIfFull = ['seqscan', 'hashjoin', 'mergejoin'].map(each => `-c enable_${each}=off`).join(' ')
    database = await openDatabase(
      place.dialect === 'sqlite' ? url : `${url}?options=${encodeURIComponent(asIfFull)}`,
    )
  })
  after(() => database.close())

  it('every statement that requests use finds its rows by an index', async () => {
    const full: string[] = []
    for (const { statement, params } of statements) {
      const rows = await database.read(explain(place, statement), params)
      const found =
        place.dialect === 'sqlite'
          ? rows.map(each => String(each.detail)).filter(scans)
          : rows.flatMap(each =>
              (each['QUERY PLAN'] as unknown as { Plan: Node }[]).flatMap(plan => fullScans(plan.Plan)),
            )
      full.push(...found.map(each => `${statement.name}: ${each}`))
    }
    expect(full).to.deep.equal([])
  })

  it('every filter of the audit log has an index, and uses it rather than a plainer one', async () => {
    const pages = statements.filter(each => /^audit_(page|newer)/.test(each.statement.name))
    expect(pages).to.have.length(12)
    for (const { statement, params } of pages) {
      const by = /account|actor|event/.exec(statement.name)?.[0] ?? 'organisation'
      const plan = JSON.stringify(await database.read(explain(place, statement), params))
      expect(plan, statement.name).to.include(`audit_events_of_${by}`)
    }
  })

  for (const status of ['deactivated', 'locked']) {
    it(`the few who are ${status} are found by an index of their own, in the order of their names`, async () => {
      const pages = statements.filter(
        ({ statement: { text } }) =>
          text.includes(`status = '${status}'`) && /ORDER BY name_key( DESC)?,/.test(text),
      )
      expect(pages).to.have.length(2)
      for (const { statement, params } of pages) {
        const plan = JSON.stringify(await database.read(explain(place, statement), params))
        expect(plan, statement.name)
          .to.include(`accounts_${status}`)
          .and.not.to.match(/TEMP B-TREE|"Sort"/)
      }
    })
  }

  it('no statement of the store is left out here', async () => {
    const sources = await Promise.all(
      FILES.map(each => readFile(new URL(`../../src/${each}.ts`, import.meta.url), 'utf8')),
    )
    const all = sources.flatMap(each =>
      [...each.matchAll(/\bsql\(\s*'(\w+)'/g)].map(match => String(match[1])),
    )
    // Of a statement that each database has in words of its own, this one's.
    const declared = all.filter(each =>
      place.dialect === 'sqlite' ? !each.endsWith('_pg') : !all.includes(`${each}_pg`),
    )
    expect(declared.length).to.be.greaterThan(50)
    const run = statements
      .map(each => each.statement.name)
      .filter(each => !/^(job_(?!seal)|user_list_|reset_insert_matching_)/.test(each))
    expect([...new Set([...run, ...COLD])]).to.have.members(declared)
  })
})
