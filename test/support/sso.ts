// An organisation that logs in by its identity provider: the provider, a connection that is on, and a proven domain.

import { randomBytes } from 'node:crypto'
import { createOrganisation } from '../../src/organisations/directory.ts'
import { newSamlKeys } from '../../src/sso/saml.ts'
import { readSamlMetadata } from '../../src/sso/saml-metadata.ts'
import type { StoredSaml } from '../../src/sso/settings.ts'
import type { Write } from '../../src/store/database.ts'
import { newId } from '../../src/store/ids.ts'
import {
  insertConnection,
  markTested,
  type NewConnection,
  type Protocol,
  secretPlace,
  switchConnection,
} from '../../src/store/sso/connections.ts'
import { assignDomain, insertDomain, proveDomain } from '../../src/store/sso/domains.ts'
import type { Stage } from './stage.ts'
import {
  spawnUpstreamOidc,
  startUpstreamOidc,
  type UpstreamAccount,
  type UpstreamOidc,
  visitUpstream,
} from './upstream-oidc.ts'
import { type SamlUpstream, type SamlUpstreamOptions, startSamlUpstream } from './upstream-saml.ts'
import { uidOf, type Visitor } from './visitor.ts'

const DAY = 24 * 60 * 60 * 1000

interface Ground {
  readonly organisationId: string
  readonly connectionId: string
  readonly domain: string
  readonly domainId: string
  commit(...writes: Write[]): Promise<void>
  /** Of the domain. */
  email(name: string): string
  close(): Promise<void>
}

export interface SsoGround extends Ground {
  readonly upstream: UpstreamOidc
}

export interface SamlGround extends Ground {
  readonly upstream: SamlUpstream
}

interface GroundOptions {
  readonly connection?: Partial<Pick<NewConnection, 'name' | 'twoFactor' | 'createsUsers' | 'adminGroups'>>
  readonly ssoOnly?: boolean
  readonly plan?: string
  /** Default: two days ago. */
  readonly subscribedAt?: number
}

export interface SsoOptions extends GroundOptions {
  readonly accounts?: readonly UpstreamAccount[]
  /** The identity provider runs in a process of its own. */
  readonly ownProcess?: boolean
}

export interface SamlOptions extends GroundOptions {
  readonly upstream?: SamlUpstreamOptions
  readonly idpInitiated?: boolean
}

let grounds = 0

export async function openSso(stage: Stage, options: SsoOptions = {}): Promise<SsoGround> {
  const { paths } = stage.running.services
  const connectionId = newId('sso')
  const start = options.ownProcess ? spawnUpstreamOidc : startUpstreamOidc
  const upstream = await start({
    redirectUris: [`${stage.origin}${paths.ssoOidc(connectionId)}`],
    accounts: options.accounts ?? [],
    backchannelLogoutUri: `${stage.origin}${paths.ssoOidc(connectionId, 'logout')}`,
  })
  const { issuer, clientId, clientSecret: secret } = upstream
  const settings = { issuer, clientId }
  const connected = await connect(stage, { connectionId, protocol: 'oidc', settings, secret }, options)
  return { ...connected, upstream, close: () => upstream.close() }
}

/** The same with one that speaks SAML: each knows the other by its metadata. */
export async function openSamlSso(stage: Stage, options: SamlOptions = {}): Promise<SamlGround> {
  const { paths } = stage.running.services
  const connectionId = newId('sso')
  const upstream = await startSamlUpstream(options.upstream)
  const metadata = await fetch(upstream.metadataUrl)
  const { entityId, ssoUrl, sloUrl, certificates } = readSamlMetadata(await metadata.text())
  const { privateKey, certificate } = await newSamlKeys('Sallyport', stage.now())
  const settings: StoredSaml = {
    ...{ entityId, ssoUrl, sloUrl, certificates, requestsSigned: true },
    idpInitiated: options.idpInitiated === true,
    ourCertificate: certificate,
    metadataUrl: upstream.metadataUrl,
  }
  const known: Connected = { connectionId, protocol: 'saml', settings, secret: privateKey }
  const connected = await connect(stage, known, options)
  const ours = await fetch(`${stage.origin}${paths.ssoSaml(connectionId, 'metadata')}`)
  await upstream.trust(await ours.text())
  return { ...connected, upstream, close: () => upstream.close() }
}

/** An identity provider that is there already, and what we know of it. */
export interface Connected {
  readonly connectionId: string
  readonly protocol: Protocol
  readonly settings: object
  readonly secret: string
}

/** An organisation whose connection to an identity provider is on, with a domain that it has proven. */
export async function connect(
  stage: Stage,
  { connectionId, protocol, settings, secret }: Connected,
  options: GroundOptions = {},
): Promise<Omit<Ground, 'close'>> {
  const { database, keyring } = stage.running.services
  const domain = `heron${++grounds}.example`
  const domainId = newId('dom')
  const { id: organisationId } = await createOrganisation(stage.directory, {
    name: `Heron ${grounds}`,
    plan: options.plan ?? 'Enterprise',
    subscribedAt: options.subscribedAt ?? stage.now() - 2 * DAY,
  })
  const connection: NewConnection = {
    id: connectionId,
    organisationId,
    protocol,
    name: 'Heron ID',
    settings: JSON.stringify(settings),
    secret: keyring.seal(secret, secretPlace(connectionId)),
    twoFactor: { acr: [], amr: [] },
    createsUsers: false,
    adminGroups: [],
    createdAt: stage.now(),
    ...options.connection,
  }
  const ids = { id: domainId, organisationId }
  // One after the other: on PostgreSQL the writes of one commit don't see each other.
  for (const each of [
    insertConnection(connection),
    markTested(connectionId, 1),
    switchConnection(connection, 'on'),
    insertDomain({ ...ids, domain, token: randomBytes(16).toString('hex') }, stage.now()),
    proveDomain(ids),
    assignDomain(ids, connectionId, options.ssoOnly === true),
  ]) {
    await database.commit([each])
  }
  return {
    organisationId,
    connectionId,
    domain,
    domainId,
    commit: (...writes) => database.commit(writes),
    email: name => `${name}@${domain}`,
  }
}

/**
 * A browser says its address, is sent to the identity provider, logs in there as somebody, and comes back.
 *
 * @param start where the login begins
 * @param as the account there; undefined: cancels
 * @returns where the interaction leads
 */
export async function logInBySso(
  { upstream }: Pick<SsoGround, 'upstream'>,
  visitor: Visitor,
  start: string,
  email: string,
  as: string | undefined,
  cookies?: Map<string, string>,
) {
  const page = await visitor.follow(start)
  const base = `/interaction/${uidOf(page.url)}`
  const sent = await visitor.post(`${base}/identify`, { email, webauthn: 'none' })
  if (sent.location === undefined || !sent.location.startsWith(upstream.issuer)) {
    throw new Error(`sent to ${sent.location ?? sent.heading}`)
  }
  const callback = await comeBack(upstream.issuer, visitor, sent.location, as, cookies)
  return {
    base,
    sent: new URL(sent.location),
    callback,
    ...(await visitor.follow(callback.location ?? base)),
  }
}

/** From the address that a browser is sent to, to the callback's answer. */
export async function comeBack(
  issuer: string,
  visitor: Visitor,
  away: string,
  as: string | undefined,
  cookies?: Map<string, string>,
) {
  const query = await visitUpstream(issuer, away, as, cookies)
  const redirectUri = new URL(away).searchParams.get('redirect_uri') ?? ''
  return visitor.get(`${redirectUri}?${query}`)
}
