// Whose address takes no mail: since when, and what the mail server said.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.alterTable('accounts', table => {
    table.bigInteger('mail_refused_at')
    table.string('mail_refusal', 400)
    // Told by somebody, later, and not by the mail server at once.
    table.integer('mail_refusal_told').notNullable().defaultTo(0)
  })
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  // By the database itself: knex would make the table anew on SQLite, and lose its triggers.
  for (const column of ['mail_refused_at', 'mail_refusal', 'mail_refusal_told'])
    await knex.raw(`ALTER TABLE accounts DROP COLUMN ${column}`)
}
