// Moves whenever an organisation loses an active admin, so that two who take the last two away at the same moment
// meet: whoever comes second finds it moved, and looks again.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.alterTable('organisations', table => {
    table.integer('admins_version').notNullable().defaultTo(0)
  })
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  // As it is said in SQL: knex would copy the table on SQLite.
  await knex.raw('ALTER TABLE organisations DROP COLUMN admins_version')
}
