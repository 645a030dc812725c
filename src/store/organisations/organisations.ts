// Organisations: the vendor's customers. What their plan allows and when 2FA is due follows from these rows.

import type { Database, Row, Write } from '../database.ts'
import { sql, write } from '../statement.ts'
import { actorMayAct, actorParams } from './actor.ts'

export interface Organisation {
  readonly id: string
  readonly name: string
  readonly plan: string
  /** Milliseconds since 1970; null: no subscription yet. */
  readonly subscribedAt: number | null
}

const insert = sql(
  'organisation_insert',
  'INSERT INTO organisations (id, name, plan, subscribed_at, created_at) VALUES (?, ?, ?, ?, ?)',
)

export function insertOrganisation(organisation: Organisation, now: number): Write {
  return write(insert, [
    organisation.id,
    organisation.name,
    organisation.plan,
    organisation.subscribedAt,
    now,
  ])
}

const byId = sql('organisation_by_id', 'SELECT id, name, plan, subscribed_at FROM organisations WHERE id = ?')
const any = sql('organisation_any', 'SELECT id FROM organisations LIMIT 1')

export async function readOrganisation(database: Database, id: string): Promise<Organisation | undefined> {
  const [row] = await database.read(byId, [id])
  return row === undefined ? undefined : organisationOf(row)
}

export async function hasOrganisation(database: Database): Promise<boolean> {
  return (await database.read(any, [])).length > 0
}

const page = sql(
  'organisation_page',
  'SELECT id, name, plan, subscribed_at FROM organisations WHERE id > ? ORDER BY id LIMIT ?',
)

/**
 * Organisations in the order of their ids.
 *
 * @param after the id of the last one that was read; '' for the first page
 */
export async function readOrganisations(
  database: Database,
  after: string,
  limit: number,
): Promise<Organisation[]> {
  return (await database.read(page, [after, limit])).map(organisationOf)
}

const setPlan = sql('organisation_set_plan', 'UPDATE organisations SET plan = ? WHERE id = ? AND plan = ?')

/** Refused as `account_changed` if the plan is not the one that was read. */
export function changePlan(organisation: Organisation, plan: string): Write {
  return write(setPlan, [plan, organisation.id, organisation.plan], 'account_changed')
}

const subscribe = sql(
  'organisation_subscribe',
  'UPDATE organisations SET subscribed_at = ? WHERE id = ? AND subscribed_at IS NULL',
)

/** Sets the start of the subscription, once. Refused as `already_used` if it is set. */
export function startSubscription(organisationId: string, subscribedAt: number): Write {
  return write(subscribe, [subscribedAt, organisationId], 'already_used')
}

const accessList = sql('organisation_access_list', 'SELECT access_list FROM organisations WHERE id = ?')
const setAccessList = sql(
  'organisation_set_access_list',
  `UPDATE organisations SET access_list = ? WHERE id = ? AND access_list = ? AND ${actorMayAct}`,
)

/** @returns undefined if there is no such organisation */
export async function readStoredAccessList(database: Database, id: string): Promise<string | undefined> {
  const [row] = await database.read(accessList, [id])
  return row === undefined ? undefined : String(row.access_list)
}

/**
 * Refused as `account_changed` if the list is not the one that was read, or whoever acts is no admin of the organisation
 * any more.
 *
 * @param actorId an account's id, or `operator`
 */
export function changeAccessList(id: string, seen: string, list: string, actorId: string): Write {
  return write(setAccessList, [list, id, seen, ...actorParams(actorId, id)], 'account_changed')
}

const loseAdmin = sql(
  'organisation_lose_admin',
  'UPDATE organisations SET admins_version = admins_version + 1 WHERE id = ? AND admins_version = ?',
)

/**
 * Goes with every write that takes an active admin away. Refused as `account_changed` if another was taken since the
 * version was read. Must stand first in its commit: then those who meet wait for one another here, and for nothing else.
 */
export function loseActiveAdmin(organisationId: string, adminsVersion: number): Write {
  return write(loseAdmin, [organisationId, adminsVersion], 'account_changed')
}

function organisationOf(row: Row): Organisation {
  return {
    id: String(row.id),
    name: String(row.name),
    plan: String(row.plan),
    subscribedAt: row.subscribed_at === null ? null : Number(row.subscribed_at),
  }
}
