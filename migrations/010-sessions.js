// How long sessions last, by organisation; when each was used last, from where and by which browser; and logging all
// users of an organisation out.

const DAY = 24 * 60 * 60 * 1000

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.alterTable('organisations', table => {
    table.integer('session_inactive_hours')
    table.integer('session_end_days')
  })
  await knex.schema.alterTable('oidc_sessions', table => {
    table.bigInteger('last_seen_at').notNullable().defaultTo(0)
    table.bigInteger('logged_in_at')
    table.string('address', 45)
    table.string('device', 60)
  })
  // So far a session ran out a day after its last use.
  await knex.raw(`UPDATE oidc_sessions SET last_seen_at = expires_at - ${DAY},
    logged_in_at = CASE WHEN account_id IS NULL THEN NULL ELSE created_at END`)

  await knex.schema.alterTable('accounts', table => table.bigInteger('logged_out_at'))
  await knex.raw('CREATE INDEX accounts_by_organisation ON accounts (organisation_id, id)')
  await knex.schema.createTable('log_outs', table => {
    table.string('organisation_id', 64).primary().references('organisations.id')
    table.string('actor_id', 64).notNullable()
    table.bigInteger('ordered_at').notNullable()
    table.bigInteger('finished_at')
  })
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('log_outs')
  await knex.raw('DROP INDEX accounts_by_organisation')
  // As it is said in SQL: knex would copy the tables on SQLite.
  for (const [table, column] of [
    ['accounts', 'logged_out_at'],
    ['oidc_sessions', 'device'],
    ['oidc_sessions', 'address'],
    ['oidc_sessions', 'logged_in_at'],
    ['oidc_sessions', 'last_seen_at'],
    ['organisations', 'session_end_days'],
    ['organisations', 'session_inactive_hours'],
  ]) {
    await knex.raw(`ALTER TABLE ${table} DROP COLUMN ${column}`)
  }
}
