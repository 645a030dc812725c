// Connections to the identity providers of customers. What is changed is changed by one conditional write on the
// revision that was seen; a test login is of one revision. Leaves out what settings mean (src/sso/).

import type { Database, Param, Row, Write } from '../database.ts'
import type { Place } from '../seal.ts'
import { sql, write } from '../statement.ts'

export const PROTOCOLS = ['entra', 'oidc', 'saml'] as const
export type Protocol = (typeof PROTOCOLS)[number]

/** What the upstream says where two factors were proven there. Empty: it is never taken for it. */
export interface TwoFactorValues {
  /** Of `acr`, or AuthnContext classes: also what the upstream is asked for. */
  readonly acr: readonly string[]
  /** Of `amr` (RFC 8176). */
  readonly amr: readonly string[]
}

export interface Connection {
  readonly id: string
  readonly organisationId: string
  readonly protocol: Protocol
  /** As users read it: "Continue with …". */
  readonly name: string
  readonly status: 'on' | 'off'
  /** By protocol, as JSON: `OidcSettings` without its secret, or `SamlSettings`. */
  readonly settings: string
  /** Sealed: the client secret, or our own key. */
  readonly secret: string | null
  readonly twoFactor: TwoFactorValues
  /** Whether somebody who has no account yet gets one. */
  readonly createsUsers: boolean
  /** Groups whose members are admins; empty: roles are given in the console alone. */
  readonly adminGroups: readonly string[]
  readonly revision: number
  /** The revision of the last test login that succeeded; null: none did. */
  readonly testedRevision: number | null
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** What a connection's secret is sealed for. */
export function secretPlace(id: string): Place {
  return ['sso_connections', 'secret', id]
}

/** With the plan of its organisation, which SSO depends on, and its start, from which two factors are due. */
export interface PlannedConnection extends Connection {
  readonly plan: string
  /** Milliseconds since 1970; null: there is no subscription yet. */
  readonly subscribedAt: number | null
}

const columns = `c.id AS c_id, c.organisation_id AS c_organisation_id, c.protocol AS c_protocol, c.name AS c_name,
  c.status AS c_status, c.settings AS c_settings, c.secret AS c_secret, c.two_factor AS c_two_factor,
  c.creates_users AS c_creates_users, c.admin_groups AS c_admin_groups, c.revision AS c_revision,
  c.tested_revision AS c_tested_revision, c.created_at AS c_created_at, o.plan AS c_plan,
  o.subscribed_at AS c_subscribed_at`
const from = 'sso_connections c JOIN organisations o ON o.id = c.organisation_id'

const byId = sql('sso_connection_by_id', `SELECT ${columns} FROM ${from} WHERE c.id = ?`)
const byDomain = sql(
  'sso_connection_by_domain',
  `SELECT ${columns} FROM sso_domains d JOIN sso_connections c ON c.id = d.connection_id
   JOIN organisations o ON o.id = c.organisation_id
   WHERE d.proven_domain = ? AND d.organisation_id = c.organisation_id AND c.status = 'on'`,
)
const ofOrganisation = sql(
  'sso_connections_of',
  `SELECT ${columns} FROM ${from} WHERE c.organisation_id = ? ORDER BY c.created_at, c.id`,
)

export async function readConnection(database: Database, id: string): Promise<PlannedConnection | undefined> {
  return connectionOf((await database.read(byId, [id]))[0])
}

/** The connection that addresses of a proven domain log in by, if it is on. @param domain in lower case, as DNS has it */
export async function readConnectionOfDomain(
  database: Database,
  domain: string,
): Promise<PlannedConnection | undefined> {
  return connectionOf((await database.read(byDomain, [domain]))[0])
}

/** At most {@link MOST_CONNECTIONS}. */
export async function readConnections(
  database: Database,
  organisationId: string,
): Promise<PlannedConnection[]> {
  return (await database.read(ofOrganisation, [organisationId])).flatMap(row => connectionOf(row) ?? [])
}

export const MOST_CONNECTIONS = 20

const insert = sql(
  'sso_connection_insert',
  `INSERT INTO sso_connections (id, organisation_id, protocol, name, status, settings, secret, two_factor,
     creates_users, admin_groups, revision, created_at)
   SELECT ?, ?, ?, ?, 'off', ?, ?, ?, ?, ?, 1, CAST(? AS bigint)
   WHERE (SELECT count(*) FROM sso_connections x WHERE x.organisation_id = ?) < ${MOST_CONNECTIONS}`,
)

export type NewConnection = Omit<Connection, 'status' | 'revision' | 'testedRevision'>

/** Refused as `not_allowed` where the organisation has {@link MOST_CONNECTIONS}. */
export function insertConnection(connection: NewConnection): Write {
  const { id, organisationId, protocol, name, settings, secret, createdAt } = connection
  return write(
    insert,
    [id, organisationId, protocol, name, settings, secret, ...rules(connection), createdAt, organisationId],
    'not_allowed',
  )
}

function rules({ twoFactor, createsUsers, adminGroups }: NewConnection): Param[] {
  return [JSON.stringify(twoFactor), createsUsers ? 1 : 0, JSON.stringify(adminGroups)]
}

const update = sql(
  'sso_connection_update',
  `UPDATE sso_connections SET name = ?, settings = ?, secret = ?, two_factor = ?, creates_users = ?, admin_groups = ?,
     revision = revision + 1,
     tested_revision = CASE WHEN settings = ? AND coalesce(secret, '') = ? AND tested_revision = revision
       THEN revision + 1 ELSE tested_revision END
   WHERE id = ? AND organisation_id = ? AND revision = ? AND (? = 1 OR tested_revision IS NULL)`,
)

/**
 * Changes a connection, if it is as it was seen. What was tested stays tested where only the rules change, since they
 * ask nothing of the upstream. Refused as `account_changed`.
 *
 * @param sameUpstream false: refused also if a test login has ever succeeded
 */
export function updateConnection(connection: Connection, sameUpstream: boolean): Write {
  const { id, organisationId, name, settings, secret, revision } = connection
  return write(
    update,
    [
      ...[name, settings, secret, ...rules(connection)],
      ...[settings, secret ?? '', id, organisationId, revision, sameUpstream ? 1 : 0],
    ],
    'account_changed',
  )
}

const refresh = sql(
  'sso_connection_refresh',
  'UPDATE sso_connections SET settings = ? WHERE id = ? AND settings = ?',
)

/** Takes over what the upstream itself says of its keys; nothing that an admin has set changes. */
export function refreshSettings({ id, settings }: Connection, refreshed: string): Write {
  return write(refresh, [refreshed, id, settings])
}

const tested = sql(
  'sso_connection_tested',
  'UPDATE sso_connections SET tested_revision = revision WHERE id = ? AND revision = ?',
)

/** A test login succeeded. Refused as `account_changed` if the connection was changed since it began. */
export function markTested(id: string, revision: number): Write {
  return write(tested, [id, revision], 'account_changed')
}

const switchOn = sql(
  'sso_connection_on',
  `UPDATE sso_connections SET status = 'on' WHERE id = ? AND organisation_id = ? AND status = 'off'
   AND tested_revision = revision`,
)
const switchOff = sql(
  'sso_connection_off',
  `UPDATE sso_connections SET status = 'off' WHERE id = ? AND organisation_id = ? AND status = 'on'`,
)

/** Refused as `account_changed` if it is so already, or, for `on`, was not tested as it is now. */
export function switchConnection(
  { id, organisationId }: Pick<Connection, 'id' | 'organisationId'>,
  status: 'on' | 'off',
): Write {
  return write(status === 'on' ? switchOn : switchOff, [id, organisationId], 'account_changed')
}

const remove = sql(
  'sso_connection_delete',
  `DELETE FROM sso_connections WHERE id = ? AND organisation_id = ? AND status = 'off'`,
)

const freeDomains = sql(
  'sso_connection_free_domains',
  'UPDATE sso_domains SET connection_id = NULL, sso_only = 0 WHERE connection_id = ? AND organisation_id = ?',
)

/** With who is who there; its domains stay, with no connection. Refused as `account_changed` if it is on, or gone. */
export function deleteConnection({ id, organisationId }: Pick<Connection, 'id' | 'organisationId'>): Write[] {
  return [write(freeDomains, [id, organisationId]), write(remove, [id, organisationId], 'account_changed')]
}

function connectionOf(row: Row | undefined): PlannedConnection | undefined {
  if (row === undefined) return undefined
  return {
    id: String(row.c_id),
    organisationId: String(row.c_organisation_id),
    protocol: row.c_protocol as Protocol,
    name: String(row.c_name),
    status: row.c_status as Connection['status'],
    settings: String(row.c_settings),
    secret: row.c_secret === null ? null : String(row.c_secret),
    twoFactor: JSON.parse(String(row.c_two_factor)) as TwoFactorValues,
    createsUsers: Number(row.c_creates_users) === 1,
    adminGroups: JSON.parse(String(row.c_admin_groups)) as string[],
    revision: Number(row.c_revision),
    testedRevision: row.c_tested_revision == null ? null : Number(row.c_tested_revision),
    createdAt: Number(row.c_created_at),
    plan: String(row.c_plan),
    subscribedAt: row.c_subscribed_at === null ? null : Number(row.c_subscribed_at),
  }
}
