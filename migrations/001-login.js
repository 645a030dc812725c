// One set of migrations for SQLite and PostgreSQL. Times are milliseconds since 1970, yes and no are 1 and 0, what is
// secret is sealed or hashed before it comes here.

const id = (table, name) => table.string(name, 64)
const time = (table, name) => table.bigInteger(name)

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('organisations', table => {
    id(table, 'id').primary()
    table.string('name', 200).notNullable()
    table.string('plan', 100).notNullable()
    time(table, 'subscribed_at')
    time(table, 'created_at').notNullable()
  })

  await knex.schema.createTable('accounts', table => {
    id(table, 'id').primary()
    id(table, 'organisation_id').references('organisations.id').index()
    table.string('email', 320).notNullable()
    table.string('email_key', 320).notNullable().unique()
    table.string('name', 200).notNullable()
    table.string('role', 20).notNullable()
    table.string('status', 20).notNullable()
    table.text('password_hash')
    time(table, 'mailbox_proven_at')
    // What was minted under an older epoch is refused: a reset reaches what is in flight.
    table.integer('epoch').notNullable().defaultTo(0)
    time(table, 'second_factor_reset_at')
    time(table, 'passkey_offer_after')
    time(table, 'created_at').notNullable()
    time(table, 'last_login_at')
  })

  await knex.schema.createTable('authenticators', table => {
    id(table, 'account_id').primary().references('accounts.id').onDelete('CASCADE')
    table.text('secret').notNullable()
    time(table, 'last_step').notNullable()
    time(table, 'created_at').notNullable()
    time(table, 'last_used_at')
  })

  await knex.schema.createTable('recovery_codes', table => {
    id(table, 'account_id').primary().references('accounts.id').onDelete('CASCADE')
    table.string('hash', 64).notNullable()
    time(table, 'created_at').notNullable()
    time(table, 'saved_at')
  })

  await knex.schema.createTable('passkeys', table => {
    table.string('credential_id', 1400).primary()
    id(table, 'account_id').notNullable().references('accounts.id').onDelete('CASCADE').index()
    table.string('rp_id', 255).notNullable()
    table.text('public_key').notNullable()
    time(table, 'counter').notNullable()
    table.string('transports', 200).notNullable()
    table.string('aaguid', 36).notNullable()
    table.integer('backup_eligible').notNullable()
    table.integer('backed_up').notNullable()
    table.string('name', 100).notNullable()
    time(table, 'created_at').notNullable()
    time(table, 'last_used_at')
  })

  // Whatever may be presented once and has no row of its own: passkey challenges, the first-run link.
  await knex.schema.createTable('spent', table => {
    table.string('kind', 40).notNullable()
    table.string('id', 128).notNullable()
    time(table, 'expires_at').notNullable().index()
    table.primary(['kind', 'id'])
  })

  await knex.schema.createTable('emailed_tokens', table => {
    table.string('id', 64).primary()
    table.string('kind', 40).notNullable()
    id(table, 'account_id').notNullable().references('accounts.id').onDelete('CASCADE')
    table.text('data')
    time(table, 'created_at').notNullable()
    time(table, 'expires_at').notNullable().index()
    time(table, 'used_at')
    table.index(['account_id', 'kind'])
  })

  await knex.schema.createTable('attempts', table => {
    table.string('budget', 40).notNullable()
    table.string('account', 64).notNullable()
    table.string('source', 64).notNullable()
    table.integer('in_a_row').notNullable()
    table.integer('today').notNullable()
    time(table, 'day_started_at').notNullable()
    time(table, 'blocked_until').notNullable()
    time(table, 'notified_at')
    time(table, 'expires_at').notNullable().index()
    table.primary(['budget', 'account', 'source'])
  })

  await knex.schema.createTable('session_facts', table => {
    table.string('session_uid', 64).notNullable()
    id(table, 'account_id').notNullable().index()
    table.string('factor', 20).notNullable()
    table.string('kind', 20).notNullable()
    time(table, 'verified_at').notNullable()
    table.string('credential_id', 1400)
    table.primary(['session_uid', 'factor'])
  })

  await knex.schema.createTable('audit_events', table => {
    table.bigIncrements('id')
    time(table, 'at').notNullable().index()
    table.string('event', 60).notNullable()
    id(table, 'organisation_id')
    id(table, 'account_id')
    id(table, 'actor_id')
    table.string('address', 45)
    table.string('interaction', 64)
    table.text('details').notNullable()
    table.index(['organisation_id', 'id'])
    table.index(['account_id', 'id'])
  })

  await knex.schema.createTable('jobs', table => {
    id(table, 'id').primary()
    table.string('kind', 40).notNullable()
    table.text('payload').notNullable()
    table.string('summary', 400).notNullable()
    table.integer('attempts').notNullable()
    time(table, 'run_at').notNullable()
    time(table, 'lease_until')
    time(table, 'done_at')
    time(table, 'failed_at')
    table.string('last_error', 400)
    time(table, 'created_at').notNullable()
    table.index(['done_at', 'failed_at', 'run_at'])
  })

  await knex.schema.createTable('clients', table => {
    table.string('id', 200).primary()
    table.text('metadata').notNullable()
    table.text('secret')
    table.integer('first_party').notNullable()
    time(table, 'created_at').notNullable()
    time(table, 'updated_at').notNullable()
  })

  await knex.schema.createTable('signing_keys', table => {
    id(table, 'kid').primary()
    table.string('alg', 20).notNullable().unique()
    table.text('jwk').notNullable()
    time(table, 'created_at').notNullable()
  })

  await knex.schema.createTable('oidc_sessions', table => {
    table.string('uid', 64).primary()
    table.string('id', 64).notNullable().unique()
    id(table, 'account_id').index()
    table.integer('epoch').notNullable()
    table.text('payload').notNullable()
    time(table, 'expires_at').notNullable().index()
    time(table, 'ended_at')
    time(table, 'created_at').notNullable()
  })

  await knex.schema.createTable('oidc_artefacts', table => {
    table.string('model', 40).notNullable()
    table.string('id', 64).notNullable()
    table.string('grant_id', 64).index()
    id(table, 'account_id').index()
    table.string('session_uid', 64)
    table.integer('epoch').notNullable()
    table.text('payload').notNullable()
    time(table, 'expires_at').index()
    time(table, 'consumed_at')
    table.primary(['model', 'id'])
  })
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  const tables = [
    'oidc_artefacts',
    'oidc_sessions',
    'signing_keys',
    'clients',
    'jobs',
    'audit_events',
    'session_facts',
    'attempts',
    'emailed_tokens',
    'spent',
    'passkeys',
    'recovery_codes',
    'authenticators',
    'accounts',
    'organisations',
  ]
  for (const table of tables) await knex.schema.dropTable(table)
}
