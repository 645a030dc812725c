// Which secret keys have sealed: one that is gone from the configuration is missed by name, and at the start.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('secret_keys', table => {
    // Derived from the key, which it does not tell.
    table.string('id', 64).primary()
    table.bigInteger('first_used_at').notNullable()
  })
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('secret_keys')
}
