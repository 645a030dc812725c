// Changes of an email address: ordered, confirmed at the new address, stopped or put back from the old one.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('email_changes', table => {
    table.string('id', 64).primary()
    table.string('token', 64).notNullable().unique()
    table.string('account_id', 64).notNullable().references('accounts.id').onDelete('CASCADE')
    table.string('old_email', 254).notNullable()
    table.string('old_key', 300).notNullable().index()
    table.string('new_email', 254).notNullable()
    // Of the account when it was ordered, and the session that it was ordered from.
    table.bigInteger('epoch').notNullable()
    table.string('session_uid', 64).notNullable()
    table.bigInteger('ordered_at').notNullable()
    table.bigInteger('changed_at')
    table.bigInteger('ended_at')
    // Until it can be confirmed; once it is, until it can be put back.
    table.bigInteger('expires_at').notNullable().index()
    table.index(['account_id', 'ordered_at'])
  })
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('email_changes')
}
