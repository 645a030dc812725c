// Step-up: the APIs that tokens are for, the actions that apps have registered, and the rules that organisations have
// tightened. An app's actions are a column of its client: they are read with it, so that a request that names one
// costs no read of its own.

const id = (table, name) => table.string(name, 64)
const time = (table, name) => table.bigInteger(name)

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('apis', table => {
    // A resource indicator (RFC 8707), and the audience of the tokens.
    table.string('resource', 500).primary()
    table.string('name', 100)
    table.string('scopes', 2000).notNullable()
    table.integer('opaque').notNullable()
    // The client by which an API of opaque tokens introspects them.
    table.string('introspected_by', 200).references('clients.id')
    time(table, 'created_at').notNullable()
  })

  // Which apps may have tokens for the API. None listed: every registered one.
  await knex.schema.createTable('api_clients', table => {
    table.string('resource', 500).notNullable().references('apis.resource').onDelete('CASCADE')
    table.string('client_id', 200).notNullable().references('clients.id').onDelete('CASCADE').index()
    table.primary(['resource', 'client_id'])
  })

  // A client and an action that are gone may come back: what an organisation demanded of them still stands.
  await knex.schema.createTable('action_rules', table => {
    id(table, 'organisation_id').notNullable().references('organisations.id').onDelete('CASCADE')
    table.string('client_id', 200).notNullable()
    table.string('action', 100).notNullable()
    table.string('rule', 40).notNullable()
    time(table, 'updated_at').notNullable()
    table.primary(['organisation_id', 'client_id', 'action'])
  })

  await knex.schema.alterTable('clients', table => {
    table.text('actions')
  })
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  for (const table of ['action_rules', 'api_clients', 'apis']) await knex.schema.dropTable(table)
  // As it is said in SQL: knex would copy the table on SQLite.
  await knex.raw('ALTER TABLE clients DROP COLUMN actions')
}
