// Every statement of single sign-on, run once, for a database that only notes them.

import type { Account } from '../../src/store/accounts/accounts.ts'
import { spend } from '../../src/store/accounts/credentials.ts'
import type { Database, Dialect } from '../../src/store/database.ts'
import type { Keyring } from '../../src/store/seal.ts'
import * as connections from '../../src/store/sso/connections.ts'
import * as domains from '../../src/store/sso/domains.ts'
import * as identities from '../../src/store/sso/identities.ts'
import * as organisations from '../../src/store/sso/organisations.ts'
import * as requests from '../../src/store/sso/requests.ts'
import { endUpstreamSessions } from '../../src/store/sso/sessions.ts'
import { NOW } from './contract.ts'

export async function ssoStatements(database: Database, dialect: Dialect, keyring: Keyring): Promise<void> {
  const connection: connections.Connection = {
    id: 'sso_1',
    organisationId: 'org_1',
    protocol: 'oidc',
    name: 'N',
    status: 'off',
    settings: '{}',
    secret: null,
    twoFactor: { acr: [], amr: [] },
    createsUsers: false,
    adminGroups: [],
    revision: 1,
    testedRevision: null,
    createdAt: NOW,
  }
  const domain: domains.SsoDomain = {
    id: 'dom_1',
    organisationId: 'org_1',
    domain: 'a.example',
    token: 't',
    proven: false,
    connectionId: null,
    ssoOnly: false,
  }
  const organisation = { id: 'org_1', plan: 'P', adminsVersion: 0 } as organisations.SsoOrganisation
  const account = { id: 'usr_1', epoch: 0 } as Account
  const who = { id: 'usr_1', organisationId: 'org_1' }
  const identity = { connectionId: 'sso_1', subject: 's' }
  const request = { id: 'r' } as requests.SsoRequest
  const asked = { state: 's', connectionId: 'sso_1', askedBy: { interaction: 'i' } }

  await connections.readConnection(database, 'sso_1')
  await connections.readConnectionOfDomain(database, 'a.example')
  await connections.readConnections(database, 'org_1')
  await domains.readDomains(database, 'org_1')
  await domains.readDomain(database, domain)
  await domains.readDomainStanding(database, 'a.example', { id: 'sso_1', organisationId: 'org_1' })
  await domains.isProvenElsewhere(database, domain)
  await identities.readIdentity(database, identity)
  await organisations.readSsoOrganisation(database, 'org_1', 'usr_1')
  await organisations.readSsoAdmins(database, 'org_1')
  await organisations.readSsoAdmin(database, who)
  await requests.readOpenRequest(database, 's', NOW)
  await requests.readAnsweredRequest(database, 'h', NOW)
  const once = spend('logout-token', 'x', NOW)
  for (const subject of ['s', undefined]) {
    await endUpstreamSessions(database, { connection, subject, sessions: ['u'], once }, NOW)
  }
  await database.commit([
    connections.insertConnection(connection),
    connections.updateConnection(connection, true),
    connections.refreshSettings(connection, '{}'),
    connections.markTested('sso_1', 1),
    connections.switchConnection(connection, 'on'),
    connections.switchConnection(connection, 'off'),
    ...connections.deleteConnection(connection),
    domains.insertDomain(domain, NOW),
    domains.proveDomain(domain),
    domains.assignDomain(domain, 'sso_1', true),
    domains.deleteDomain(domain),
    identities.linkIdentity(identity, account, 'amr mfa', NOW),
    identities.linkNewIdentity(identity, 'usr_1', null, NOW),
    identities.noteTwoFactor(identity, 'amr mfa'),
    identities.unlinkAccount('usr_1'),
    ...identities.claimAccount(dialect, account, NOW),
    organisations.holdOrganisation(organisation, 'usr_2'),
    organisations.holdAlone(organisation, 'usr_2'),
    organisations.setBreakGlass(who, true),
    organisations.setBreakGlass(who, false),
    requests.insertSsoRequest(keyring, asked, {}, NOW),
    requests.takeRequest(request, NOW),
    requests.keepAnswer(keyring, request, 'h', {}),
    requests.useAnswer(request, NOW),
  ])
}
