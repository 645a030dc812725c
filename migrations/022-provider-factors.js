// Who proves two factors at the identity provider of their organisation: what the last login there proved, and, kept by
// triggers like the rest of where a user stands, whether it would do today. That takes a connection that is on, that
// still trusts the value, that addresses of the user's domain go to, and a plan that single sign-on comes with.

/** Where a user stands: 0 not set up, 1 set up, 2 reset and not set up again; as it was before this migration. */
function ownStanding(account) {
  return `CASE WHEN ${account}.second_factor_reset_at IS NOT NULL THEN 2 WHEN ${enrolled(account)} THEN 1 ELSE 0 END`
}

/** The same, and 3: has nothing here, and proves two factors at the provider. */
function standing(account, dialect) {
  return `CASE WHEN ${account}.second_factor_reset_at IS NOT NULL THEN 2 WHEN ${enrolled(account)} THEN 1
    WHEN ${proves(account, dialect)} THEN 3 ELSE 0 END`
}

/** Whether the last login at the provider would do: the one place where it is decided. */
function proves(account, dialect) {
  return `EXISTS (SELECT 1 FROM sso_identities i JOIN sso_connections c ON c.id = i.connection_id
    JOIN organisations o ON o.id = c.organisation_id JOIN sso_plans p ON p.plan = lower(trim(o.plan))
    JOIN sso_domains d ON d.connection_id = c.id AND d.organisation_id = c.organisation_id
    WHERE i.account_id = ${account}.id AND c.organisation_id = ${account}.organisation_id AND c.status = 'on'
      AND ${account}.email_key LIKE '%@' || d.proven_domain AND i.two_factor_by IN (${TRUSTED[dialect]}))`
}

function enrolled(account) {
  return `(EXISTS (SELECT 1 FROM authenticators x WHERE x.account_id = ${account}.id)
    OR EXISTS (SELECT 1 FROM passkeys x WHERE x.account_id = ${account}.id))`
}

/** The values that a connection trusts, each as "acr VALUE" or "amr VALUE". */
const TRUSTED = {
  sqlite: `SELECT substr(t.path, 3) || ' ' || t.value FROM json_tree(c.two_factor) t WHERE t.type = 'text'`,
  postgres: `SELECT k.key || ' ' || v.value FROM jsonb_each(c.two_factor::jsonb) k,
    jsonb_array_elements_text(k.value) v`,
}

/**
 * Looks again at everybody of some organisations who has proven two factors at a provider: of those who have nothing
 * here nothing else can have changed.
 */
function recount(organisations, dialect) {
  return `UPDATE accounts SET second_factor = 0
      WHERE organisation_id ${organisations} AND second_factor = 3 AND NOT ${proves('accounts', dialect)};
    UPDATE accounts SET second_factor = 3
      WHERE organisation_id ${organisations} AND second_factor = 0 AND ${proves('accounts', dialect)}`
}

function verbOf(event) {
  return event.slice(0, 6).toLowerCase()
}

const ofPlan = plan => `IN (SELECT id FROM organisations WHERE lower(trim(plan)) = ${plan})`
/** What of an organisation decides: the table, the event, the row that names the organisation, and when. */
const CHANGES = [
  ['organisations', 'UPDATE OF plan', row => `= ${row}.id`, ['plan']],
  [
    'sso_connections',
    'UPDATE OF status, two_factor',
    row => `= ${row}.organisation_id`,
    ['status', 'two_factor'],
  ],
  ['sso_domains', 'INSERT', row => `= ${row}.organisation_id`, []],
  [
    'sso_domains',
    'UPDATE OF connection_id, proven_domain',
    row => `= ${row}.organisation_id`,
    ['connection_id', 'proven_domain'],
  ],
  ['sso_domains', 'DELETE', row => `= ${row}.organisation_id`, []],
  ['sso_plans', 'INSERT', row => ofPlan(`${row}.plan`), []],
  ['sso_plans', 'DELETE', row => ofPlan(`${row}.plan`), []],
].map(([table, event, organisations, columns]) => ({
  name: `${table}_${verbOf(event)}_standing`,
  table,
  event,
  organisations: organisations(event === 'DELETE' ? 'OLD' : 'NEW'),
  columns,
}))

/** What a user has here. */
const FACTORS = ['authenticators', 'passkeys'].flatMap(table => [
  { name: `${table}_insert_standing`, table, event: 'INSERT', row: 'NEW', when: '' },
  { name: `${table}_delete_standing`, table, event: 'DELETE', row: 'OLD', when: '' },
])
/** What a user has proven there. @param differs the database's word for it, where null is a value like others */
const identities = differs =>
  [
    ['INSERT', 'NEW', 'NEW.two_factor_by IS NOT NULL'],
    ['DELETE', 'OLD', 'OLD.two_factor_by IS NOT NULL'],
    ['UPDATE OF two_factor_by', 'NEW', `OLD.two_factor_by ${differs} NEW.two_factor_by`],
  ].map(([event, row, when]) => ({
    name: `sso_identities_${verbOf(event)}_standing`,
    table: 'sso_identities',
    event,
    row,
    when: `WHEN (${when})`,
  }))

function sqliteTriggers(standingOf, factors, accountColumns) {
  const trigger = (name, event, table, when, body) =>
    `CREATE TRIGGER ${name} AFTER ${event} ON ${table} ${when} BEGIN ${body}; END`
  return [
    ...factors.map(({ name, table, event, row, when }) =>
      trigger(
        name,
        event,
        table,
        when,
        `UPDATE accounts SET second_factor = ${standingOf('accounts')} WHERE id = ${row}.account_id`,
      ),
    ),
    trigger(
      'accounts_reset_standing',
      `UPDATE OF ${accountColumns}`,
      'accounts',
      '',
      `UPDATE accounts SET second_factor = ${standingOf('accounts')} WHERE id = NEW.id`,
    ),
  ]
}

const sqliteFactors = [...FACTORS, ...identities('IS NOT')]

const sqlite = {
  up: [
    ...FACTORS.map(({ name }) => `DROP TRIGGER ${name}`),
    'DROP TRIGGER accounts_reset_standing',
    ...sqliteTriggers(
      account => standing(account, 'sqlite'),
      sqliteFactors,
      'second_factor_reset_at, email_key, organisation_id',
    ),
    ...CHANGES.map(({ name, table, event, organisations, columns }) => {
      const when = columns.map(each => `OLD.${each} IS NOT NEW.${each}`).join(' OR ')
      return `CREATE TRIGGER ${name} AFTER ${event} ON ${table} ${when && `WHEN ${when}`} BEGIN
        ${recount(organisations, 'sqlite')}; END`
    }),
  ],
  down: [
    ...CHANGES.map(({ name }) => `DROP TRIGGER ${name}`),
    ...sqliteFactors.map(({ name }) => `DROP TRIGGER ${name}`),
    'DROP TRIGGER accounts_reset_standing',
    ...sqliteTriggers(ownStanding, FACTORS, 'second_factor_reset_at'),
  ],
}

const pgStanding = account => standing(account, 'postgres')
const ofRow = `DECLARE account text := CASE TG_OP WHEN 'DELETE' THEN OLD.account_id ELSE NEW.account_id END;`
const plpgsql = (name, declarations, body) =>
  `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$
   ${declarations} BEGIN ${body} END $$`
const ofAccount = (name, standingOf, lock) =>
  plpgsql(
    name,
    ofRow,
    `${lock} UPDATE accounts SET second_factor = ${standingOf('accounts')} WHERE id = account; RETURN NULL;`,
  )
const beforeAccount = standingOf =>
  plpgsql('sallyport_reset_standing', '', `NEW.second_factor := ${standingOf('NEW')}; RETURN NEW;`)
const onAccount = columns => `CREATE TRIGGER accounts_reset_standing BEFORE UPDATE OF ${columns} ON accounts
  FOR EACH ROW EXECUTE FUNCTION sallyport_reset_standing()`
// Taken first, so that the next statement sees what whoever held it has done.
const lockAccount = 'PERFORM 1 FROM accounts a WHERE a.id = account FOR NO KEY UPDATE;'
// Held by whoever changes what decides for the organisation.
const lockOrganisation = `PERFORM 1 FROM organisations o JOIN accounts a ON a.organisation_id = o.id
  WHERE a.id = account FOR SHARE OF o;`

const postgres = {
  up: [
    ofAccount('sallyport_standing', pgStanding, lockAccount),
    beforeAccount(pgStanding),
    'DROP TRIGGER accounts_reset_standing ON accounts',
    onAccount('second_factor_reset_at, email_key, organisation_id'),
    ofAccount('sallyport_identity_standing', pgStanding, `${lockOrganisation} ${lockAccount}`),
    ...identities('IS DISTINCT FROM').map(
      ({ name, event, when }) =>
        `CREATE TRIGGER ${name} AFTER ${event} ON sso_identities
         FOR EACH ROW ${when} EXECUTE FUNCTION sallyport_identity_standing()`,
    ),
    ...CHANGES.flatMap(({ name, table, event, organisations, columns }) => {
      const when = columns.map(each => `OLD.${each} IS DISTINCT FROM NEW.${each}`).join(' OR ')
      return [
        plpgsql(
          `sallyport_${name}`,
          '',
          `PERFORM 1 FROM organisations o WHERE o.id ${organisations} FOR NO KEY UPDATE;
           ${recount(organisations, 'postgres')}; RETURN NULL;`,
        ),
        `CREATE TRIGGER ${name} AFTER ${event} ON ${table} FOR EACH ROW ${when && `WHEN (${when})`}
         EXECUTE FUNCTION sallyport_${name}()`,
      ]
    }),
  ],
  down: [
    ...CHANGES.map(({ name }) => `DROP FUNCTION sallyport_${name} CASCADE`),
    'DROP FUNCTION sallyport_identity_standing CASCADE',
    ofAccount('sallyport_standing', ownStanding, ''),
    beforeAccount(ownStanding),
    'DROP TRIGGER accounts_reset_standing ON accounts',
    onAccount('second_factor_reset_at'),
  ],
}

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.alterTable('sso_identities', table => {
    // What the last login there proved two factors by, "acr VALUE" or "amr VALUE"; null: it did not, or nobody knows.
    table.text('two_factor_by')
  })
  // Plans that single sign-on comes with, as the operator's configuration has them, in lower case.
  await knex.schema.createTable('sso_plans', table => {
    table.string('plan', 200).primary()
  })
  for (const statement of (knex.client.config.client === 'pg' ? postgres : sqlite).up)
    await knex.raw(statement)
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  for (const statement of (knex.client.config.client === 'pg' ? postgres : sqlite).down)
    await knex.raw(statement)
  await knex.raw('UPDATE accounts SET second_factor = 0 WHERE second_factor = 3')
  await knex.schema.dropTable('sso_plans')
  // As it is said in SQL: knex would copy the table on SQLite.
  await knex.raw('ALTER TABLE sso_identities DROP COLUMN two_factor_by')
}
