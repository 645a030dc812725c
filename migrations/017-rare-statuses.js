// Who is deactivated, or has locked their account: few among many, found by indexes of their own.

const STATUSES = ['deactivated', 'locked']

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  for (const status of STATUSES)
    await knex.raw(
      `CREATE INDEX accounts_${status} ON accounts (organisation_id, name_key, id) WHERE status = '${status}'`,
    )
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  for (const status of STATUSES) await knex.raw(`DROP INDEX accounts_${status}`)
}
