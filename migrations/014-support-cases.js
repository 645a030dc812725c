// People who are locked out: what they asked the admins of their organisation, and the cases of those whom no admin
// helped. Of an account one case is open at a time.

const id = (table, name) => table.string(name, 64)
const time = (table, name) => table.bigInteger(name)

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('help_requests', table => {
    id(table, 'account_id').primary().references('accounts.id').onDelete('CASCADE')
    id(table, 'organisation_id').notNullable().references('organisations.id').onDelete('CASCADE').index()
    // The account's, when it asked: a reset moves it, and the request is answered.
    table.integer('epoch').notNullable()
    // Since when nobody has helped, and when the admins were last written to.
    time(table, 'since').notNullable()
    time(table, 'asked_at').notNullable()
  })

  await knex.schema.createTable('support_cases', table => {
    table.bigIncrements('number')
    id(table, 'id').notNullable().unique()
    id(table, 'account_id').notNullable().references('accounts.id').onDelete('CASCADE').index()
    // The account's, when the case was opened: whatever moves it ends the case.
    table.integer('epoch').notNullable()
    table.string('reason', 1000).notNullable()
    // Whether a second agent decides, whatever becomes of the account's role.
    table.integer('needs_second').notNullable()
    time(table, 'opened_at').notNullable()
    time(table, 'wait_until').notNullable()
    // The owner was told that the wait is over.
    time(table, 'wait_told_at')
    id(table, 'first_agent')
    time(table, 'first_at')
    table.string('evidence', 200)
    table.string('first_note', 2000)
    id(table, 'second_agent')
    time(table, 'second_at')
    table.string('second_note', 2000)
    time(table, 'approved_at')
    time(table, 'link_until')
    time(table, 'used_at')
    time(table, 'closed_at')
    table.string('closed_why', 40)
    id(table, 'closed_by')
    table.string('close_note', 2000)
  })
  await knex.raw(
    'CREATE UNIQUE INDEX support_cases_open ON support_cases (account_id) WHERE closed_at IS NULL AND used_at IS NULL',
  )
  await knex.raw(
    'CREATE INDEX support_cases_waiting ON support_cases (wait_until, number) WHERE closed_at IS NULL AND used_at IS NULL',
  )
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  for (const table of ['support_cases', 'help_requests']) await knex.schema.dropTable(table)
}
