// What programs of the back office were answered, for when they ask again.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('idempotency_keys', table => {
    table.string('client_id', 200).notNullable()
    table.string('id', 64).notNullable()
    table.string('request', 64).notNullable()
    table.text('response').notNullable()
    table.bigInteger('expires_at').notNullable().index()
    table.primary(['client_id', 'id'])
  })
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('idempotency_keys')
}
