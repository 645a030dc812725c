// What the console finds its users by, at any number of them: a name without case and accents to sort by, its words
// and those of the address to search by, and where each one stands with the second factor. Triggers keep the last two,
// so that no statement can forget to.

const SQLITE = [
  // Whoever has something to prove themselves with is set up; after a reset they are not, until they set up again.
  ...['authenticators', 'passkeys'].flatMap(table =>
    [
      ['INSERT', 'NEW'],
      ['DELETE', 'OLD'],
    ].map(
      ([event, row]) =>
        `CREATE TRIGGER ${table}_${event.toLowerCase()}_standing AFTER ${event} ON ${table} BEGIN
           UPDATE accounts SET second_factor = ${standing('accounts')} WHERE id = ${row}.account_id;
         END`,
    ),
  ),
  `CREATE TRIGGER accounts_reset_standing AFTER UPDATE OF second_factor_reset_at ON accounts BEGIN
     UPDATE accounts SET second_factor = ${standing('accounts')} WHERE id = NEW.id;
   END`,
  ...['INSERT', 'UPDATE OF organisation_id, name_key, email'].map(
    (event, i) =>
      `CREATE TRIGGER accounts_words_${i} AFTER ${event} ON accounts BEGIN
         DELETE FROM account_words WHERE account_id = NEW.id;
         INSERT INTO account_words (organisation_id, word, account_id)
           SELECT DISTINCT NEW.organisation_id, substr(value, 1, 100), NEW.id
           FROM json_each('[' || replace(json_quote(NEW.name_key || ' ' || lower(NEW.email)
             || ' ' || substr(lower(NEW.email), instr(NEW.email, '@'))), ' ', '","') || ']')
           WHERE value <> '' AND NEW.organisation_id IS NOT NULL;
       END`,
  ),
]

const POSTGRES = [
  `CREATE FUNCTION sallyport_standing() RETURNS trigger LANGUAGE plpgsql AS $$
   DECLARE account text := CASE TG_OP WHEN 'DELETE' THEN OLD.account_id ELSE NEW.account_id END;
   BEGIN
     UPDATE accounts SET second_factor = ${standing('accounts')} WHERE id = account;
     RETURN NULL;
   END $$`,
  ...['authenticators', 'passkeys'].map(
    table =>
      `CREATE TRIGGER ${table}_standing AFTER INSERT OR DELETE ON ${table}
       FOR EACH ROW EXECUTE FUNCTION sallyport_standing()`,
  ),
  `CREATE FUNCTION sallyport_reset_standing() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     NEW.second_factor := ${standing('NEW')};
     RETURN NEW;
   END $$`,
  `CREATE TRIGGER accounts_reset_standing BEFORE UPDATE OF second_factor_reset_at ON accounts
   FOR EACH ROW EXECUTE FUNCTION sallyport_reset_standing()`,
  `CREATE FUNCTION sallyport_words() RETURNS trigger LANGUAGE plpgsql AS $$
   BEGIN
     DELETE FROM account_words WHERE account_id = NEW.id;
     INSERT INTO account_words (organisation_id, word, account_id)
       SELECT DISTINCT NEW.organisation_id, left(word, 100), NEW.id
       FROM regexp_split_to_table(
         NEW.name_key || ' ' || lower(NEW.email)
           || ' ' || substr(lower(NEW.email), strpos(NEW.email, '@')), ' ') AS word
       WHERE word <> '' AND NEW.organisation_id IS NOT NULL;
     RETURN NULL;
   END $$`,
  `CREATE TRIGGER accounts_words AFTER INSERT OR UPDATE OF organisation_id, name_key, email ON accounts
   FOR EACH ROW EXECUTE FUNCTION sallyport_words()`,
]

const INDEXES = [
  'CREATE INDEX accounts_by_name ON accounts (organisation_id, name_key, id)',
  'CREATE INDEX accounts_by_standing ON accounts (organisation_id, second_factor, name_key, id)',
  'CREATE INDEX accounts_by_role ON accounts (organisation_id, role, second_factor, name_key, id)',
  'CREATE INDEX accounts_by_login ON accounts (organisation_id, coalesce(last_login_at, 0), id)',
]

/** 0 not set up, 1 set up, 2 reset and not set up again. */
function standing(account) {
  return `CASE WHEN ${account}.second_factor_reset_at IS NOT NULL THEN 2
    WHEN EXISTS (SELECT 1 FROM authenticators x WHERE x.account_id = ${account}.id)
      OR EXISTS (SELECT 1 FROM passkeys x WHERE x.account_id = ${account}.id) THEN 1 ELSE 0 END`
}

/** As `nameKey` in src/store/accounts/accounts.ts makes it for every row that comes later. */
const nameKey = name =>
  name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  const postgres = knex.client.config.client === 'pg'
  const text = postgres ? 'text COLLATE "C"' : 'text'
  await knex.schema.createTable('account_words', table => {
    table.string('organisation_id', 64).notNullable()
    table.specificType('word', text).notNullable()
    table.string('account_id', 64).notNullable().references('accounts.id').onDelete('CASCADE').index()
    table.primary(['organisation_id', 'word', 'account_id'])
  })
  await knex.schema.alterTable('accounts', table => {
    table.specificType('name_key', text).notNullable().defaultTo('')
    table.integer('second_factor').notNullable().defaultTo(0)
  })
  for (const statement of postgres ? POSTGRES : SQLITE) await knex.raw(statement)
  await knex.raw(`UPDATE accounts SET second_factor = ${standing('accounts')}`)
  for (let last = ''; ; ) {
    const rows = await knex('accounts').where('id', '>', last).orderBy('id').limit(500).select('id', 'name')
    if (rows.length === 0) break
    for (const { id, name } of rows)
      await knex('accounts')
        .where({ id })
        .update({ name_key: nameKey(name) })
    last = rows.at(-1).id
  }
  for (const statement of INDEXES) await knex.raw(statement)
  // Each of those begins with what it was for.
  await knex.schema.alterTable('accounts', table => table.dropIndex('organisation_id'))
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  const postgres = knex.client.config.client === 'pg'
  await knex.schema.alterTable('accounts', table => table.index('organisation_id'))
  for (const index of INDEXES) await knex.raw(`DROP INDEX ${/INDEX (\w+)/.exec(index)?.[1]}`)
  if (postgres) {
    for (const name of ['standing', 'reset_standing', 'words']) {
      await knex.raw(`DROP FUNCTION sallyport_${name} CASCADE`)
    }
  } else {
    for (const statement of SQLITE) await knex.raw(`DROP TRIGGER ${/TRIGGER (\w+)/.exec(statement)?.[1]}`)
  }
  await knex.schema.dropTable('account_words')
  // As it is said in SQL: knex would copy the table on SQLite.
  for (const column of ['name_key', 'second_factor']) {
    await knex.raw(`ALTER TABLE accounts DROP COLUMN ${column}`)
  }
}
