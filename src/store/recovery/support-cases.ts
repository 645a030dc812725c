// Support cases as they are kept. Everything that moves one is a single conditional write whose conditions are those of
// support/case-state.ts: of two agents, an agent and the owner, or twenty requests by the same link, one gets through.
// Leaves out who is told, and what the use of a link does to the account (support/).

import { type CaseFacts, type ClosedWhy, type LockedOut, STOPPED_MS } from '../../support/case-state.ts'
import type { Role } from '../accounts/accounts.ts'
import { canBePutBack } from '../accounts/email-changes.ts'
import type { Database, Param, Row, Write } from '../database.ts'
import { sql, write } from '../statement.ts'
import { helpColumns, helpJoin } from './help-requests.ts'

/** A link to set up again works so long. */
export const LINK_MS = 24 * 60 * 60 * 1000

export interface SupportCase extends CaseFacts {
  /** Names it in addresses and links. */
  readonly id: string
  /** What agents call it. */
  readonly number: number
  readonly epoch: number
  /** In the user's words. */
  readonly reason: string
  readonly firstAt: number | null
  /** What the first agent ticked. */
  readonly evidence: readonly string[]
  readonly firstNote: string
  readonly secondAt: number | null
  readonly secondNote: string
  readonly closedBy: string | null
  readonly closeNote: string
  readonly waitToldAt: number | null
  readonly account: {
    readonly name: string
    readonly email: string
    readonly role: Role
    readonly organisationId: string | null
    readonly lastLoginAt: number | null
    readonly passkeys: number
  }
  readonly organisation: { readonly name: string; readonly plan: string; readonly admins: number } | undefined
  /** Names of those who acted. */
  readonly names: { readonly first: string; readonly second: string; readonly closer: string }
}

/** A case with everybody who is told of it. */
export interface ToldCase extends SupportCase {
  readonly account: SupportCase['account'] & {
    /** Addresses that could be put back when the case was opened, or since. */
    readonly formerEmails: readonly string[]
  }
}

const running = 'c.closed_at IS NULL AND c.used_at IS NULL'
const factColumns = `c.number, c.id AS c_id, c.account_id, c.epoch AS c_epoch, c.reason, c.needs_second, c.opened_at,
  c.wait_until, c.wait_told_at, c.first_agent, c.first_at, c.evidence, c.first_note, c.second_agent, c.second_at,
  c.second_note, c.approved_at, c.link_until, c.used_at, c.closed_at, c.closed_why, c.closed_by, c.close_note,
  a.epoch AS a_epoch, a.status, a.role, a.last_login_at,
  (SELECT max(x.last_used_at) FROM authenticators x WHERE x.account_id = a.id) AS otp_at,
  (SELECT max(x.last_used_at) FROM passkeys x WHERE x.account_id = a.id) AS passkey_at,
  (SELECT max(x.created_at) FROM recovery_codes x WHERE x.account_id = a.id) AS recovery_at`
const columns = `${factColumns}, a.name, a.email, a.organisation_id, o.name AS organisation, o.plan,
  (SELECT count(*) FROM accounts x WHERE x.organisation_id = a.organisation_id AND x.role = 'admin'
     AND x.status = 'active') AS admins,
  (SELECT count(*) FROM passkeys x WHERE x.account_id = a.id) AS passkeys,
  b1.name AS first_name, b2.name AS second_name, b3.name AS closer_name`
const from = `FROM support_cases c JOIN accounts a ON a.id = c.account_id
  LEFT JOIN organisations o ON o.id = a.organisation_id LEFT JOIN accounts b1 ON b1.id = c.first_agent
  LEFT JOIN accounts b2 ON b2.id = c.second_agent LEFT JOIN accounts b3 ON b3.id = c.closed_by`

const time = (value: Param | undefined) => (value === null || value === undefined ? null : Number(value))
const text = (value: Param | undefined) => (value === null || value === undefined ? null : String(value))

function factsOf(row: Row): CaseFacts {
  const proven = [row.last_login_at, row.otp_at, row.passkey_at, row.recovery_at].map(each => time(each) ?? 0)
  return {
    accountId: String(row.account_id),
    needsSecond: row.needs_second === 1 || row.role === 'admin' || row.role === 'support',
    openedAt: Number(row.opened_at),
    waitUntil: Number(row.wait_until),
    firstAgent: text(row.first_agent),
    secondAgent: text(row.second_agent),
    approvedAt: time(row.approved_at),
    linkUntil: time(row.link_until),
    usedAt: time(row.used_at),
    closedAt: time(row.closed_at),
    closedWhy: text(row.closed_why) as ClosedWhy | null,
    accountUnchanged: row.status === 'active' && Number(row.a_epoch) === Number(row.c_epoch),
    provenAt: Math.max(...proven) || null,
  }
}

function caseOf(row: Row): SupportCase {
  return {
    ...factsOf(row),
    id: String(row.c_id),
    number: Number(row.number),
    epoch: Number(row.c_epoch),
    reason: String(row.reason),
    firstAt: time(row.first_at),
    evidence: String(row.evidence ?? '')
      .split(' ')
      .filter(Boolean),
    firstNote: String(row.first_note ?? ''),
    secondAt: time(row.second_at),
    secondNote: String(row.second_note ?? ''),
    closedBy: text(row.closed_by),
    closeNote: String(row.close_note ?? ''),
    waitToldAt: time(row.wait_told_at),
    account: {
      name: String(row.name),
      email: String(row.email),
      role: row.role as Role,
      organisationId: text(row.organisation_id),
      lastLoginAt: time(row.last_login_at),
      passkeys: Number(row.passkeys),
    },
    organisation:
      row.organisation === null
        ? undefined
        : { name: String(row.organisation), plan: String(row.plan), admins: Number(row.admins) },
    names: {
      first: String(row.first_name ?? ''),
      second: String(row.second_name ?? ''),
      closer: String(row.closer_name ?? ''),
    },
  }
}

const told = `SELECT ${columns}, h.old_email ${from}
  LEFT JOIN email_changes h ON h.account_id = c.account_id AND ${canBePutBack('h', 'c.opened_at')}`
const byId = sql('support_case_by_id', `${told} WHERE c.id = ?`)
const byNumber = sql('support_case_by_number', `${told} WHERE c.number = ?`)

/** @param by the id, or the number that agents call it by */
export async function readCase(
  database: Database,
  by: { readonly id: string } | { readonly number: number },
): Promise<ToldCase | undefined> {
  const rows = 'id' in by ? await database.read(byId, [by.id]) : await database.read(byNumber, [by.number])
  const [found] = rows.map(caseOf)
  const formerEmails = rows.flatMap(row => text(row.old_email) ?? [])
  return found && { ...found, account: { ...found.account, formerEmails } }
}

const openOnes = sql(
  'support_case_open',
  `SELECT ${columns} ${from} WHERE ${running} AND c.wait_until > ? ORDER BY c.wait_until, c.number LIMIT ?`,
)

/** Those that were neither used nor closed, whoever has waited longest first. */
export async function readRunningCases(database: Database, limit: number): Promise<SupportCase[]> {
  return (await database.read(openOnes, [0, limit])).map(caseOf)
}

const settledOnes = sql(
  'support_case_settled',
  `SELECT ${columns} ${from} WHERE c.number < ? AND (c.closed_at IS NOT NULL OR c.used_at IS NOT NULL)
   ORDER BY c.number DESC LIMIT ?`,
)

/** Those that were used or closed, the newest first, from before a number on. */
export async function readSettledCases(
  database: Database,
  before: number,
  limit: number,
): Promise<SupportCase[]> {
  return (await database.read(settledOnes, [before, limit])).map(caseOf)
}

const lockedOut = sql(
  'support_locked_out',
  `SELECT ${factColumns}, ${helpColumns},
     (SELECT count(*) FROM accounts x WHERE x.organisation_id = a.organisation_id AND x.role = 'admin'
        AND x.status = 'active' AND x.id <> a.id) AS other_admins,
     (SELECT max(x.closed_at) FROM support_cases x WHERE x.account_id = a.id AND x.closed_why = 'stopped'
        AND x.epoch = a.epoch) AS stopped_at
   FROM accounts a ${helpJoin}
   LEFT JOIN support_cases c ON c.account_id = a.id AND ${running} WHERE a.id = ?`,
)

export interface LockedOutAccount extends LockedOut {
  readonly otherAdminCount: number
  readonly lastLoginAt: number | null
  /** The id of a case that was neither used nor closed. */
  readonly caseId: string | undefined
}

/** What {@link helpFor} decides by, of one account. */
export async function readLockedOut(
  database: Database,
  accountId: string,
): Promise<LockedOutAccount | undefined> {
  const [row] = await database.read(lockedOut, [accountId])
  if (row === undefined) return undefined
  const caseId = text(row.c_id) ?? undefined
  return {
    otherAdmins: Number(row.other_admins) > 0,
    otherAdminCount: Number(row.other_admins),
    askedSince: time(row.help_since),
    askedAt: time(row.help_asked_at),
    lastLoginAt: time(row.help_login_at),
    stoppedAt: time(row.stopped_at),
    openCase: caseId === undefined ? undefined : factsOf(row),
    caseId,
  }
}

// That none is open is asked beside the index: who waits there for one that is being stopped does not see, on PostgreSQL,
// that it was.
const open = sql(
  'support_case_insert',
  `INSERT INTO support_cases (id, account_id, epoch, reason, needs_second, opened_at, wait_until)
   SELECT ?, a.id, a.epoch, ?, CASE WHEN a.role IN ('admin', 'support') THEN 1 ELSE 0 END, ?, ?
   FROM accounts a WHERE a.id = ? AND a.epoch = ? AND a.status = 'active' AND NOT EXISTS
     (SELECT 1 FROM support_cases x WHERE x.account_id = a.id AND x.closed_why = 'stopped' AND x.epoch = a.epoch
        AND x.closed_at > ?)
     AND NOT EXISTS (SELECT 1 FROM support_cases x WHERE x.account_id = a.id AND x.closed_at IS NULL
       AND x.used_at IS NULL AND x.id <> ?)
   ON CONFLICT (account_id) WHERE closed_at IS NULL AND used_at IS NULL DO NOTHING`,
)

/** Refused as `already_exists` if the account has an open case, or one that was stopped just now, or is not as it was read. */
export function openCase(
  opened: {
    readonly id: string
    readonly account: { readonly id: string; readonly epoch: number }
    readonly reason: string
    readonly waitUntil: number
    /** The id of a case of before that the same commit closes. */
    readonly over?: string | undefined
  },
  now: number,
): Write {
  const { id, account, reason, waitUntil, over = '' } = opened
  const params = [id, reason, now, waitUntil, account.id, account.epoch, now - STOPPED_MS, over]
  return write(open, params, 'already_exists')
}

// The account is active, as it was, and nobody has proven more than its password since.
const stillLocked = `EXISTS (SELECT 1 FROM accounts a WHERE a.id = support_cases.account_id AND a.status = 'active'
     AND a.epoch = support_cases.epoch AND coalesce(a.last_login_at, 0) <= support_cases.opened_at)
   AND NOT EXISTS (SELECT 1 FROM authenticators x WHERE x.account_id = support_cases.account_id
     AND x.last_used_at > support_cases.opened_at)
   AND NOT EXISTS (SELECT 1 FROM passkeys x WHERE x.account_id = support_cases.account_id
     AND x.last_used_at > support_cases.opened_at)
   AND NOT EXISTS (SELECT 1 FROM recovery_codes x WHERE x.account_id = support_cases.account_id
     AND x.created_at > support_cases.opened_at)`
const mayGoOn = `id = ? AND closed_at IS NULL AND used_at IS NULL AND wait_until <= ? AND ${stillLocked}`
const byAgent = `account_id <> ? AND EXISTS (SELECT 1 FROM accounts b
  WHERE b.id = ? AND b.role = 'support' AND b.status = 'active' AND b.organisation_id IS NULL)`
const isPrivileged = `(needs_second = 1 OR EXISTS (SELECT 1 FROM accounts a
  WHERE a.id = support_cases.account_id AND a.role IN ('admin', 'support')))`

const approveAlone = sql(
  'support_case_approve_alone',
  `UPDATE support_cases SET first_agent = ?, first_at = ?, evidence = ?, first_note = ?, approved_at = ?, link_until = ?
   WHERE ${mayGoOn} AND first_agent IS NULL AND approved_at IS NULL AND NOT ${isPrivileged} AND ${byAgent}`,
)
const approveFirst = sql(
  'support_case_approve_first',
  `UPDATE support_cases SET first_agent = ?, first_at = ?, evidence = ?, first_note = ?
   WHERE ${mayGoOn} AND first_agent IS NULL AND approved_at IS NULL AND ${isPrivileged} AND ${byAgent}`,
)
const approveSecond = sql(
  'support_case_approve_second',
  `UPDATE support_cases SET second_agent = ?, second_at = ?, second_note = ?, approved_at = ?, link_until = ?
   WHERE ${mayGoOn} AND first_agent IS NOT NULL AND first_agent <> ? AND approved_at IS NULL AND ${byAgent}`,
)

export interface Approval {
  readonly agentId: string
  readonly evidence: readonly string[]
  readonly note: string
}

/**
 * The first approval; where nobody else decides, the only one. Refused as `account_changed` if the case is not as it was
 * read, the wait is not over, or the agent is none (any more), or is the case's owner.
 */
export function approveCase(found: SupportCase, { agentId, evidence, note }: Approval, now: number): Write {
  const said = [agentId, now, evidence.join(' '), note]
  const who = [found.id, now, agentId, agentId]
  return found.needsSecond
    ? write(approveFirst, [...said, ...who], 'account_changed')
    : write(approveAlone, [...said, now, now + LINK_MS, ...who], 'account_changed')
}

/** The second approval. Refused as {@link approveCase} is, and for the agent who gave the first. */
export function approveCaseAgain(found: SupportCase, { agentId, note }: Approval, now: number): Write {
  const params = [agentId, now, note, now, now + LINK_MS, found.id, now, agentId, agentId, agentId]
  return write(approveSecond, params, 'account_changed')
}

const close = sql(
  'support_case_close',
  `UPDATE support_cases SET closed_at = ?, closed_why = ?, closed_by = ?, close_note = ?
   WHERE id = ? AND closed_at IS NULL AND used_at IS NULL`,
)
const closeByAgent = sql(
  'support_case_close_by_agent',
  `UPDATE support_cases SET closed_at = ?, closed_why = 'closed', closed_by = ?, close_note = ?
   WHERE id = ? AND closed_at IS NULL AND used_at IS NULL AND ${byAgent}`,
)

/** Ends a case: its link works no more. Refused as `already_used` if it was used or closed. */
export function closeCase(id: string, why: ClosedWhy, now: number): Write {
  return write(close, [now, why, null, null, id], 'already_used')
}

/** The same by an agent. Refused as `already_used` also for one who is none (any more), or is the case's owner. */
export function closeCaseBy(id: string, agentId: string, note: string, now: number): Write {
  return write(closeByAgent, [now, agentId, note, id, agentId, agentId], 'already_used')
}

// Whoever became an admin or an agent after one approval needs the second one still.
const use = sql(
  'support_case_use',
  `UPDATE support_cases SET used_at = ? WHERE link_until > ? AND ${mayGoOn}
   AND (second_agent IS NOT NULL OR NOT ${isPrivileged})`,
)

/** The link was used. Must stand before what it does to the account. Refused as `already_used`. */
export function useCase(id: string, now: number): Write {
  return write(use, [now, now, id, now], 'already_used')
}

const tellWait = sql(
  'support_case_tell_wait',
  'UPDATE support_cases SET wait_told_at = ? WHERE id = ? AND wait_told_at IS NULL AND closed_at IS NULL AND used_at IS NULL',
)

/** Goes with the notice that the wait is over. Refused as `already_used` if that went out, or the case ended. */
export function noteWaitTold(id: string, now: number): Write {
  return write(tellWait, [now, id], 'already_used')
}
