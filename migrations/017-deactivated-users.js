// Who is deactivated: few among many, found by an index of their own.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.raw(
    "CREATE INDEX accounts_deactivated ON accounts (organisation_id, name_key, id) WHERE status = 'deactivated'",
  )
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.raw('DROP INDEX accounts_deactivated')
}
