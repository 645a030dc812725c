// When somebody's password was chosen, for their own page. Of those who chose theirs before nobody knows.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.alterTable('accounts', table => table.bigInteger('password_changed_at'))
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  // As it is said in SQL: knex would copy the table on SQLite.
  await knex.raw('ALTER TABLE accounts DROP COLUMN password_changed_at')
}
