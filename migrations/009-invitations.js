// Who was invited and has not come yet: few among many, found by an index of their own.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.raw(
    "CREATE INDEX accounts_invited ON accounts (organisation_id, name_key, id) WHERE status = 'invited'",
  )
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.raw('DROP INDEX accounts_invited')
}
