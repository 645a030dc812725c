// Single sign-on: connections to identity providers of customers, the domains whose addresses go there, who is who
// there, and the logins that are on their way.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('sso_connections', table => {
    table.string('id', 64).primary()
    table
      .string('organisation_id', 64)
      .notNullable()
      .references('organisations.id')
      .onDelete('CASCADE')
      .index()
    table.string('protocol', 10).notNullable()
    table.string('name', 100).notNullable()
    // `off`, `on`
    table.string('status', 10).notNullable()
    // By protocol, as JSON; what is secret is sealed beside it.
    table.text('settings').notNullable()
    table.text('secret')
    // Values of the upstream's acr, amr or AuthnContext that count as two factors, as JSON.
    table.text('two_factor').notNullable()
    table.integer('creates_users').notNullable()
    // Groups whose members are admins, as JSON; empty: roles are given here.
    table.text('admin_groups').notNullable()
    table.bigInteger('revision').notNullable()
    // The revision of the last test login that succeeded.
    table.bigInteger('tested_revision')
    table.bigInteger('created_at').notNullable()
  })
  await knex.schema.createTable('sso_domains', table => {
    table.string('id', 64).primary()
    table.string('organisation_id', 64).notNullable().references('organisations.id').onDelete('CASCADE')
    table.string('domain', 253).notNullable()
    // The same once it is proven: of one organisation.
    table.string('proven_domain', 253).unique()
    table.string('connection_id', 64).references('sso_connections.id').onDelete('SET NULL').index()
    // What the DNS record says.
    table.string('token', 64).notNullable()
    table.integer('sso_only').notNullable().defaultTo(0)
    table.bigInteger('created_at').notNullable()
    table.unique(['organisation_id', 'domain'])
  })
  await knex.schema.createTable('sso_identities', table => {
    table.string('connection_id', 64).notNullable().references('sso_connections.id').onDelete('CASCADE')
    table.string('subject', 600).notNullable()
    table.string('account_id', 64).notNullable().references('accounts.id').onDelete('CASCADE').index()
    table.bigInteger('created_at').notNullable()
    table.primary(['connection_id', 'subject'])
    table.unique(['connection_id', 'account_id'])
  })
  await knex.schema.createTable('sso_requests', table => {
    // Hash of the `state` or RelayState.
    table.string('id', 64).primary()
    table
      .string('connection_id', 64)
      .notNullable()
      .references('sso_connections.id')
      .onDelete('CASCADE')
      .index()
    // Interaction whose page sent the user away, or session of the admin who tests.
    table.string('interaction', 64)
    table.string('session_uid', 64)
    // What the answer is checked with; then the answer.
    table.text('sealed').notNullable()
    // Hash of the handle under which the answer waits, once there is one.
    table.string('handle', 64).unique()
    table.bigInteger('created_at').notNullable()
    table.bigInteger('answered_at')
    table.bigInteger('used_at')
    table.bigInteger('expires_at').notNullable().index()
  })
  await knex.schema.alterTable('session_facts', table => {
    // The session at the upstream that an SSO login is of.
    table.string('upstream_session', 600)
    table.index(['credential_id', 'upstream_session'], 'session_facts_upstream')
  })
  await knex.schema.alterTable('accounts', table => {
    // Keeps password and second factor where a domain is for single sign-on only.
    table.integer('break_glass').notNullable().defaultTo(0)
  })
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  // As it is said in SQL: knex would copy the table on SQLite.
  await knex.raw('ALTER TABLE accounts DROP COLUMN break_glass')
  await knex.raw('DROP INDEX session_facts_upstream')
  await knex.raw('ALTER TABLE session_facts DROP COLUMN upstream_session')
  await knex.schema.dropTable('sso_requests')
  await knex.schema.dropTable('sso_identities')
  await knex.schema.dropTable('sso_domains')
  await knex.schema.dropTable('sso_connections')
}
