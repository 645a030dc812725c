// From which addresses the users of an organisation may log in: one address or range a line; empty: from anywhere. With
// the organisation, since every request reads it together with the account.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.alterTable('organisations', table => {
    table.text('access_list').notNullable().defaultTo('')
  })
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  // As it is said in SQL: knex would copy the table on SQLite.
  await knex.raw('ALTER TABLE organisations DROP COLUMN access_list')
}
