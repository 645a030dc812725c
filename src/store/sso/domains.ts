// Domains that an organisation says are its own, and whether it has proven it. A domain is proven for one organisation:
// the unique column decides, whoever looks at DNS at the same moment.

import type { Database, Row, Write } from '../database.ts'
import { sql, write } from '../statement.ts'

export const MOST_DOMAINS = 50

export interface SsoDomain {
  readonly id: string
  readonly organisationId: string
  /** In lower case and in its own alphabet, as addresses have it. */
  readonly domain: string
  /** What the TXT record has to say. */
  readonly token: string
  readonly proven: boolean
  /** The connection that its addresses log in by; null: none. */
  readonly connectionId: string | null
  /** Whether its users log in by no other way, but for break-glass admins. */
  readonly ssoOnly: boolean
}

const columns = 'd.id, d.organisation_id, d.domain, d.token, d.proven_domain, d.connection_id, d.sso_only'
const ofOrganisation = sql(
  'sso_domains_of',
  `SELECT ${columns} FROM sso_domains d WHERE d.organisation_id = ? ORDER BY d.domain`,
)
const byId = sql(
  'sso_domain_by_id',
  `SELECT ${columns} FROM sso_domains d WHERE d.id = ? AND d.organisation_id = ?`,
)
const provenFor = sql(
  'sso_domain_proven_for',
  'SELECT d.connection_id FROM sso_domains d WHERE d.proven_domain = ? AND d.organisation_id = ?',
)

/** At most {@link MOST_DOMAINS}. */
export async function readDomains(database: Database, organisationId: string): Promise<SsoDomain[]> {
  return (await database.read(ofOrganisation, [organisationId])).map(domainOf)
}

export async function readDomain(
  database: Database,
  { id, organisationId }: Pick<SsoDomain, 'id' | 'organisationId'>,
): Promise<SsoDomain | undefined> {
  const [row] = await database.read(byId, [id, organisationId])
  return row === undefined ? undefined : domainOf(row)
}

/** `ours`: a connection's organisation has proven it, and its addresses log in by no other connection. */
export type DomainStanding = 'ours' | 'of_another_connection' | 'not_proven'

export async function readDomainStanding(
  database: Database,
  domain: string,
  connection: { readonly id: string; readonly organisationId: string },
): Promise<DomainStanding> {
  const [row] = await database.read(provenFor, [domain, connection.organisationId])
  if (row === undefined) return 'not_proven'
  const { connection_id: assigned } = row
  return assigned === null || assigned === connection.id ? 'ours' : 'of_another_connection'
}

const isTaken = sql(
  'sso_domain_proven_elsewhere',
  'SELECT 1 AS proven FROM sso_domains d WHERE d.proven_domain = ? AND d.organisation_id <> ?',
)

/** Whether another organisation has proven it. */
export async function isProvenElsewhere(
  database: Database,
  { domain, organisationId }: Pick<SsoDomain, 'domain' | 'organisationId'>,
): Promise<boolean> {
  return (await database.read(isTaken, [domain, organisationId])).length > 0
}

const insert = sql(
  'sso_domain_insert',
  `INSERT INTO sso_domains (id, organisation_id, domain, token, created_at)
   SELECT ?, ?, ?, ?, CAST(? AS bigint)
   WHERE (SELECT count(*) FROM sso_domains x WHERE x.organisation_id = ?) < ${MOST_DOMAINS}
   ON CONFLICT (organisation_id, domain) DO NOTHING`,
)

/** Refused as `already_exists` if the organisation has it, or {@link MOST_DOMAINS}. */
export function insertDomain(
  { id, organisationId, domain, token }: Pick<SsoDomain, 'id' | 'organisationId' | 'domain' | 'token'>,
  now: number,
): Write {
  return write(insert, [id, organisationId, domain, token, now, organisationId], 'already_exists')
}

const prove = sql(
  'sso_domain_prove',
  `UPDATE sso_domains SET proven_domain = domain WHERE id = ? AND organisation_id = ? AND proven_domain IS NULL
   AND NOT EXISTS (SELECT 1 FROM sso_domains x WHERE x.proven_domain = sso_domains.domain)`,
)

/** Refused as `already_exists` if it is proven already, here or for another organisation. */
export function proveDomain({ id, organisationId }: Pick<SsoDomain, 'id' | 'organisationId'>): Write {
  return write(prove, [id, organisationId], 'already_exists')
}

const assign = sql(
  'sso_domain_assign',
  `UPDATE sso_domains SET connection_id = ?, sso_only = ? WHERE id = ? AND organisation_id = ?
   AND proven_domain IS NOT NULL AND (CAST(? AS text) IS NULL OR EXISTS (SELECT 1 FROM sso_connections c
     WHERE c.id = ? AND c.organisation_id = sso_domains.organisation_id AND (? = 0 OR c.status = 'on')))`,
)

/**
 * Says by which connection the addresses of a proven domain log in, and whether by no other way. Refused as
 * `account_changed` if it is not proven, or the connection is not of the organisation, or, where there is no other way,
 * not on.
 */
export function assignDomain(
  { id, organisationId }: Pick<SsoDomain, 'id' | 'organisationId'>,
  connectionId: string | null,
  ssoOnly: boolean,
): Write {
  const only = ssoOnly ? 1 : 0
  return write(
    assign,
    [connectionId, only, id, organisationId, connectionId, connectionId, only],
    'account_changed',
  )
}

const remove = sql('sso_domain_delete', 'DELETE FROM sso_domains WHERE id = ? AND organisation_id = ?')

/** Refused as `account_changed` if it is gone. */
export function deleteDomain({ id, organisationId }: Pick<SsoDomain, 'id' | 'organisationId'>): Write {
  return write(remove, [id, organisationId], 'account_changed')
}

function domainOf(row: Row): SsoDomain {
  return {
    id: String(row.id),
    organisationId: String(row.organisation_id),
    domain: String(row.domain),
    token: String(row.token),
    proven: row.proven_domain !== null,
    connectionId: row.connection_id === null ? null : String(row.connection_id),
    ssoOnly: Number(row.sso_only) === 1,
  }
}
