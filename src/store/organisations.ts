// Organisations: the vendor's customers. What their plan allows and when 2FA is due follows from these rows.

import type { Database, Write } from './database.ts'
import { sql, write } from './statement.ts'

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
  if (row === undefined) return undefined
  return {
    id: String(row.id),
    name: String(row.name),
    plan: String(row.plan),
    subscribedAt: row.subscribed_at === null ? null : Number(row.subscribed_at),
  }
}

export async function hasOrganisation(database: Database): Promise<boolean> {
  return (await database.read(any, [])).length > 0
}
