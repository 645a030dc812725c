// The audit log keeps what it was told: its rows, and the seals over them, can be added and nothing else. Triggers
// refuse the rest, REPLACE included, by which SQLite deletes without saying so. Who owns the tables can drop the
// triggers: what they did then, the seals tell. The rows' indexes serve the log's pages, newest first, by any filter.

const time = (table, name) => table.bigInteger(name)
const TABLES = { audit_events: 'id', audit_seals: 'seq' }

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('audit_seals', table => {
    table.bigInteger('seq').notNullable().primary()
    // It covers the rows behind the seal before it, up to this one.
    table.bigInteger('last_id').notNullable()
    table.integer('row_count').notNullable()
    table.string('digest', 64).notNullable()
    table.string('key_id', 16).notNullable()
    table.string('head', 64).notNullable()
    time(table, 'sealed_at').notNullable()
  })

  await knex.schema.alterTable('audit_events', table => {
    table.dropIndex(['organisation_id', 'id'])
    table.dropIndex(['account_id', 'id'])
    table.dropIndex(['at'])
    table.index(['organisation_id', 'at', 'id'], 'audit_events_of_organisation')
    table.index(['organisation_id', 'event', 'at', 'id'], 'audit_events_of_event')
    table.index(['organisation_id', 'account_id', 'at', 'id'], 'audit_events_of_account')
  })
  // Most rows have no actor but the account itself.
  await knex.raw(`CREATE INDEX audit_events_of_actor ON audit_events (organisation_id, actor_id, at, id)
    WHERE actor_id IS NOT NULL`)

  if (isSqlite(knex)) {
    for (const [table, key] of Object.entries(TABLES)) {
      const refuse = `BEGIN SELECT RAISE(ABORT, '${table} is append-only'); END`
      await knex.raw(`CREATE TRIGGER ${table}_update BEFORE UPDATE ON ${table} ${refuse}`)
      await knex.raw(`CREATE TRIGGER ${table}_delete BEFORE DELETE ON ${table} ${refuse}`)
      await knex.raw(`CREATE TRIGGER ${table}_replace BEFORE INSERT ON ${table}
        WHEN EXISTS (SELECT 1 FROM ${table} WHERE ${key} = NEW.${key}) ${refuse}`)
    }
  } else {
    await knex.raw(`CREATE FUNCTION sallyport_append_only() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || '' is append-only'', ERRCODE = ''insufficient_privilege''; END'`)
    for (const table of Object.keys(TABLES)) {
      // Per statement: what would match no row is refused as well. ALWAYS: also where a session replays for replication.
      await knex.raw(`CREATE TRIGGER ${table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${table}
        FOR EACH STATEMENT EXECUTE FUNCTION sallyport_append_only()`)
      await knex.raw(`ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${table}_append_only`)
    }
  }
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  for (const table of Object.keys(TABLES)) {
    if (isSqlite(knex)) {
      for (const kind of ['update', 'delete', 'replace']) await knex.raw(`DROP TRIGGER ${table}_${kind}`)
    } else await knex.raw(`DROP TRIGGER ${table}_append_only ON ${table}`)
  }
  if (!isSqlite(knex)) await knex.raw('DROP FUNCTION sallyport_append_only()')
  await knex.raw('DROP INDEX audit_events_of_actor')
  await knex.schema.alterTable('audit_events', table => {
    for (const name of ['organisation', 'event', 'account']) table.dropIndex([], `audit_events_of_${name}`)
    table.index(['organisation_id', 'id'])
    table.index(['account_id', 'id'])
    table.index(['at'])
  })
  await knex.schema.dropTable('audit_seals')
}

function isSqlite(knex) {
  return knex.client.config.client === 'sqlite3'
}
