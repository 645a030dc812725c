// Forms of our own pages that wait until their user has proven more. The form is sealed; the row goes when it is taken,
// or is swept when it has expired.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('pending_forms', table => {
    table.string('id', 64).primary()
    table.string('kind', 40).notNullable()
    table.string('session_uid', 64).notNullable()
    table.string('account_id', 64).notNullable()
    table.text('form').notNullable()
    table.bigInteger('expires_at').notNullable().index()
  })
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('pending_forms')
}
