// What organisations demand of actions beyond what the apps do. Kept apart from the apps' own rules: those may change,
// and these still stand.

import { type Rule, ruleOfText, ruleText } from '../actions/rules.ts'
import { keepBriefly } from './brief-cache.ts'
import { CACHE_MS } from './clients.ts'
import type { Database, Write } from './database.ts'
import { sql, write } from './statement.ts'

export interface ActionRule {
  readonly organisationId: string
  readonly clientId: string
  readonly action: string
  readonly rule: Rule
}

const ofOrganisation = sql(
  'action_rule_list',
  'SELECT client_id, action, rule FROM action_rules WHERE organisation_id = ? ORDER BY client_id, action',
)
const upsert = sql(
  'action_rule_upsert',
  `INSERT INTO action_rules (organisation_id, client_id, action, rule, updated_at) VALUES (?, ?, ?, ?, ?)
   ON CONFLICT (organisation_id, client_id, action)
   DO UPDATE SET rule = excluded.rule, updated_at = excluded.updated_at`,
)

export async function readActionRules(database: Database, organisationId: string): Promise<ActionRule[]> {
  const rows = await database.read(ofOrganisation, [organisationId])
  return rows.map(row => {
    const rule = ruleOfText(String(row.rule))
    // What cannot be read is of a newer version: it demanded something, so nothing less than the most will do.
    return {
      organisationId,
      clientId: String(row.client_id),
      action: String(row.action),
      rule: rule ?? 'passkey',
    }
  })
}

export function keepActionRule({ organisationId, clientId, action, rule }: ActionRule, now: number): Write {
  return write(upsert, [organisationId, clientId, action, ruleText(rule), now])
}

/** The rules of an organisation, as each process keeps them for a few seconds. */
export type ActionRules = (organisationId: string) => Promise<ActionRule[]>

export function createActionRules(database: Database, clock: () => number): ActionRules {
  return keepBriefly(CACHE_MS, clock, organisationId => readActionRules(database, organisationId))
}
