// Which account, and which app, a job is about: so that whoever ended a session can be shown which apps know.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.alterTable('jobs', table => {
    table.string('account_id', 64)
    table.string('client_id', 200)
  })
  await knex.raw('CREATE INDEX jobs_of_account ON jobs (account_id, created_at) WHERE account_id IS NOT NULL')
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.raw('DROP INDEX jobs_of_account')
  await knex.schema.alterTable('jobs', table => table.dropColumns('account_id', 'client_id'))
}
