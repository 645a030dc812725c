// What organisations demand of actions beyond what the apps do. Kept apart from the apps' own rules: those may change,
// and these still stand. A rule is changed only as it was read, by somebody who may still act.

import { type Rule, ruleOfText, ruleText } from '../../actions/rules.ts'
import { keepBriefly } from '../brief-cache.ts'
import type { Database, Write } from '../database.ts'
import { CACHE_MS } from '../oidc/clients.ts'
import { sql, write } from '../statement.ts'
import { actorMayAct, actorParams } from './actor.ts'

/** An app's action, as one organisation has it. */
export interface ActionOf {
  readonly organisationId: string
  readonly clientId: string
  readonly action: string
}

export interface ActionRule extends ActionOf {
  readonly rule: Rule
  /** As it is stored. */
  readonly stored: string
}

const ofOrganisation = sql(
  'action_rule_list',
  'SELECT client_id, action, rule FROM action_rules WHERE organisation_id = ? ORDER BY client_id, action',
)

export async function readActionRules(database: Database, organisationId: string): Promise<ActionRule[]> {
  const rows = await database.read(ofOrganisation, [organisationId])
  return rows.map(row => {
    const stored = String(row.rule)
    return {
      organisationId,
      clientId: String(row.client_id),
      action: String(row.action),
      // What cannot be read is of a newer version: it demanded something, so nothing less than the most will do.
      rule: ruleOfText(stored) ?? 'passkey',
      stored,
    }
  })
}

const insert = sql(
  'action_rule_insert',
  `INSERT INTO action_rules (organisation_id, client_id, action, rule, updated_at)
   SELECT ?, ?, ?, ?, CAST(? AS bigint) WHERE ${actorMayAct}
   ON CONFLICT (organisation_id, client_id, action) DO NOTHING`,
)
const asRead = `organisation_id = ? AND client_id = ? AND action = ? AND rule = ? AND ${actorMayAct}`
const update = sql('action_rule_update', `UPDATE action_rules SET rule = ?, updated_at = ? WHERE ${asRead}`)
const remove = sql('action_rule_delete', `DELETE FROM action_rules WHERE ${asRead}`)

/**
 * Sets what an organisation demands of an action. Refused as `account_changed` if the rule is not the one that was read,
 * or whoever acts is no admin of the organisation any more.
 *
 * @param seen the rule as it was stored; undefined: there was none
 * @param rule undefined: none
 * @param actorId an account's id, or `operator`
 */
export function changeActionRule(
  { organisationId, clientId, action }: ActionOf,
  seen: string | undefined,
  rule: Rule | undefined,
  actorId: string,
  now: number,
): Write {
  const which = [organisationId, clientId, action]
  const who = actorParams(actorId, organisationId)
  if (rule === undefined) return write(remove, [...which, seen ?? '', ...who], 'account_changed')
  return seen === undefined
    ? write(insert, [...which, ruleText(rule), now, ...who], 'account_changed')
    : write(update, [ruleText(rule), now, ...which, seen, ...who], 'account_changed')
}

/** The rules of an organisation, as each process keeps them for a few seconds. */
export type ActionRules = (organisationId: string) => Promise<ActionRule[]>

export function createActionRules(database: Database, clock: () => number): ActionRules {
  return keepBriefly(CACHE_MS, clock, organisationId => readActionRules(database, organisationId))
}
