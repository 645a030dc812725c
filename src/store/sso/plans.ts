// Which plans single sign-on comes with, as the database knows them: where a user stands with the second factor depends
// on it, and is kept there. What decides at a login is the configuration itself.

import { planKey } from '../../organisations/plan.ts'
import type { Database } from '../database.ts'
import { sql, write } from '../statement.ts'

const list = sql('sso_plan_list', 'SELECT plan FROM sso_plans')
const insert = sql('sso_plan_insert', 'INSERT INTO sso_plans (plan) VALUES (?) ON CONFLICT (plan) DO NOTHING')
const remove = sql('sso_plan_delete', 'DELETE FROM sso_plans WHERE plan = ?')

/** Has the database know the special plans, and those alone. @param special as the operator has them */
export async function keepSsoPlans(database: Database, special: readonly string[]): Promise<void> {
  const wanted = new Set(special.map(planKey))
  const known = new Set((await database.read(list, [])).map(row => String(row.plan)))
  const writes = [
    ...[...wanted].filter(each => !known.has(each)).map(each => write(insert, [each])),
    ...[...known].filter(each => !wanted.has(each)).map(each => write(remove, [each])),
  ]
  if (writes.length > 0) await database.commit(writes)
}
