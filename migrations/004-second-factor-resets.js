// Resets of the second factor, of many users at once. First a draft: whom it would act on, frozen as the page shows it;
// then, started once, a list that a job works off, row by row.

const id = (table, name) => table.string(name, 64)
const time = (table, name) => table.bigInteger(name)

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('second_factor_resets', table => {
    id(table, 'id').primary()
    id(table, 'organisation_id').notNullable().references('organisations.id').onDelete('CASCADE')
    // Who drafted it, and alone may start it.
    id(table, 'actor_id').notNullable()
    table.string('reason', 500)
    table.integer('remove_passkeys').notNullable().defaultTo(0)
    time(table, 'created_at').notNullable()
    time(table, 'started_at')
    time(table, 'finished_at')
  })
  await knex.raw(
    'CREATE INDEX second_factor_resets_drafts ON second_factor_resets (created_at) WHERE started_at IS NULL',
  )

  await knex.schema.createTable('second_factor_reset_users', table => {
    id(table, 'reset_id').notNullable().references('second_factor_resets.id').onDelete('CASCADE')
    table.integer('position').notNullable()
    id(table, 'account_id').notNullable()
    // Absent while it waits; then done or skipped, and why.
    table.string('outcome', 20)
    table.string('why', 40)
    time(table, 'settled_at')
    table.primary(['reset_id', 'position'])
    table.unique(['reset_id', 'account_id'])
    table.index(['reset_id', 'outcome', 'position'])
  })
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  for (const table of ['second_factor_reset_users', 'second_factor_resets'])
    await knex.schema.dropTable(table)
}
