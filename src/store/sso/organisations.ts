// What an organisation's changes to single sign-on depend on beside their own rows: its plan, who acts, and its
// break-glass admins. As in organisations/memberships.ts, whoever takes a way in for emergencies away, or comes to
// depend on one, makes a write that only one of several at a time can make; so that where a domain is for single
// sign-on only, such an admin is left.

import type { Database, Param, Row, Write } from '../database.ts'
import { actorMayAct, actorParams } from '../organisations/actor.ts'
import { sql, write } from '../statement.ts'

export interface SsoOrganisation {
  readonly id: string
  readonly name: string
  readonly plan: string
  /** As it was in the moment that everything else here was looked up. */
  readonly adminsVersion: number
  /** Whether whoever asks is the operator, or an active admin of the organisation. */
  readonly allowed: boolean
  /** Break-glass admins who can log in by a password and a second factor. */
  readonly readyBreakGlass: number
  /** Domains that are for single sign-on only. */
  readonly ssoOnlyDomains: number
}

/** Of an account that is a way in for emergencies. @param a the account's name in the statement */
const ready = (
  a: string,
) => `${a}.role = 'admin' AND ${a}.status = 'active' AND ${a}.password_hash IS NOT NULL
  AND (EXISTS (SELECT 1 FROM authenticators t WHERE t.account_id = ${a}.id)
    OR EXISTS (SELECT 1 FROM passkeys k WHERE k.account_id = ${a}.id))`
/** Another such account of the organisation. */
export const otherBreakGlass = (a: string) => `EXISTS (SELECT 1 FROM accounts g
  WHERE g.organisation_id = ${a}.organisation_id AND g.id <> ${a}.id AND g.break_glass = 1 AND ${ready('g')})`
/** A domain of the account's organisation is for single sign-on only. */
export const hasSsoOnly = (a: string) => `EXISTS (SELECT 1 FROM sso_domains n
  WHERE n.organisation_id = ${a}.organisation_id AND n.sso_only = 1)`

const find = sql(
  'sso_organisation',
  `SELECT o.id, o.name, o.plan, o.admins_version,
     (SELECT count(*) FROM accounts b WHERE b.organisation_id = o.id AND b.role = 'admin' AND b.status = 'active'
       AND b.id = ?) AS allowed,
     (SELECT count(*) FROM accounts a WHERE a.organisation_id = o.id AND a.break_glass = 1 AND ${ready('a')})
       AS ready_break_glass,
     (SELECT count(*) FROM sso_domains n WHERE n.organisation_id = o.id AND n.sso_only = 1) AS sso_only_domains
   FROM organisations o WHERE o.id = ?`,
)

/** @param actorId who asks: an account's id, or `operator` */
export async function readSsoOrganisation(
  database: Database,
  organisationId: string,
  actorId: string,
): Promise<SsoOrganisation | undefined> {
  const [row] = await database.read(find, [actorId, organisationId])
  if (row === undefined) return undefined
  return {
    id: String(row.id),
    name: String(row.name),
    plan: String(row.plan),
    adminsVersion: Number(row.admins_version),
    allowed: actorId === 'operator' || Number(row.allowed) > 0,
    readyBreakGlass: Number(row.ready_break_glass),
    ssoOnlyDomains: Number(row.sso_only_domains),
  }
}

const hold = sql(
  'sso_organisation_hold',
  `UPDATE organisations SET plan = plan WHERE id = ? AND plan = ? AND ${actorMayAct}`,
)
const holdAdmins = sql(
  'sso_organisation_hold_admins',
  `UPDATE organisations SET admins_version = admins_version + 1
   WHERE id = ? AND plan = ? AND admins_version = ? AND ${actorMayAct}`,
)

/**
 * Goes first with every change. Refused as `account_changed` if the plan is another than was read, or whoever acts is no
 * admin of the organisation any more.
 */
export function holdOrganisation({ id, plan }: SsoOrganisation, actorId: string): Write {
  return write(hold, [id, plan, ...actorParams(actorId, id)], 'account_changed')
}

/**
 * The same for a change that depends on the break-glass admins, or on a count; refused also if another such change came
 * between, or an active admin was taken away since. A count in the statement alone would not do: on PostgreSQL whoever
 * waits for another counts what was there before.
 */
export function holdAlone({ id, plan, adminsVersion }: SsoOrganisation, actorId: string): Write {
  return write(holdAdmins, [id, plan, adminsVersion, ...actorParams(actorId, id)], 'account_changed')
}

/** An active admin, and whether they are a way in for emergencies. */
export interface SsoAdmin {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly breakGlass: boolean
  readonly hasPassword: boolean
  readonly secondFactor: boolean
}

/** How many are read. */
export const MOST_ADMINS = 200

const adminColumns = `a.id, a.name, a.email, a.break_glass,
  CASE WHEN a.password_hash IS NULL THEN 0 ELSE 1 END AS has_password,
  (SELECT count(*) FROM authenticators t WHERE t.account_id = a.id)
    + (SELECT count(*) FROM passkeys k WHERE k.account_id = a.id) AS factors`
const admins = sql(
  'sso_admins_of',
  `SELECT ${adminColumns} FROM accounts a
   WHERE a.organisation_id = ? AND a.role = 'admin' AND a.status = 'active'
   ORDER BY a.break_glass DESC, a.name_key, a.id LIMIT ${MOST_ADMINS}`,
)
const admin = sql(
  'sso_admin_of',
  `SELECT ${adminColumns} FROM accounts a
   WHERE a.id = ? AND a.organisation_id = ? AND a.role = 'admin' AND a.status = 'active'`,
)

/** Break-glass admins first, each part by name. */
export async function readSsoAdmins(database: Database, organisationId: string): Promise<SsoAdmin[]> {
  return (await database.read(admins, [organisationId])).map(adminOf)
}

export async function readSsoAdmin(
  database: Database,
  { id, organisationId }: { readonly id: string; readonly organisationId: string },
): Promise<SsoAdmin | undefined> {
  const [row] = await database.read(admin, [id, organisationId])
  return row === undefined ? undefined : adminOf(row)
}

const name = sql(
  'sso_break_glass_name',
  `UPDATE accounts SET break_glass = 1 WHERE id = ? AND organisation_id = ? AND break_glass = 0
   AND ${ready('accounts')}`,
)
const takeOff = sql(
  'sso_break_glass_take_off',
  `UPDATE accounts SET break_glass = 0 WHERE id = ? AND organisation_id = ? AND break_glass = 1
   AND (NOT ${hasSsoOnly('accounts')} OR ${otherBreakGlass('accounts')})`,
)

/**
 * Goes with {@link holdAlone}. Refused as `account_changed` if it is so already; if who is named is no active admin
 * with a password and a second factor; or if who is taken off is the last, where a domain is for single sign-on only.
 */
export function setBreakGlass(
  { id, organisationId }: { readonly id: string; readonly organisationId: string },
  named: boolean,
): Write {
  const params: Param[] = [id, organisationId]
  return write(named ? name : takeOff, params, 'account_changed')
}

function adminOf(row: Row): SsoAdmin {
  return {
    id: String(row.id),
    name: String(row.name),
    email: String(row.email),
    breakGlass: Number(row.break_glass) === 1,
    hasPassword: Number(row.has_password) === 1,
    secondFactor: Number(row.factors) > 0,
  }
}
