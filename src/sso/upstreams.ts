// The identity providers of customers, as the flow and the console use them: which one an address goes to, a login sent
// there, and the answer that comes back. Leaves out the protocols, and what an answer is worth here.

import { randomBytes } from 'node:crypto'
import { domainOf } from '../mail/address.ts'
import { isSpecialPlan } from '../organisations/plan.ts'
import type { Paths } from '../paths.ts'
import { keepBriefly } from '../store/brief-cache.ts'
import type { Database } from '../store/database.ts'
import type { Keyring } from '../store/seal.ts'
import {
  type Connection,
  type PlannedConnection,
  readConnection,
  readConnectionOfDomain,
  secretPlace,
} from '../store/sso/connections.ts'
import { createOidcUpstreams, type OidcPending, type OidcSettings, type UpstreamLogout } from './oidc.ts'
import * as saml from './saml.ts'
import { createMetadataRefresh } from './saml-refresh.ts'
import { oidcOf, type StoredSaml, samlOf } from './settings.ts'
import { type Outbound, SsoError, type SsoFault, type UpstreamAnswer, type UpstreamAsk } from './upstream.ts'

/** What an answer is checked with; sealed while the user is away. */
export interface Pending {
  /** Of the connection when it was asked. */
  readonly revision: number
  /** Two factors were asked for. */
  readonly twoFactor: boolean
  readonly fresh: boolean
  readonly oidc?: OidcPending
  readonly samlRequestId?: string
}

/** What came back, as it is kept until the page that asked takes it. */
export type Returned = Pick<Pending, 'revision' | 'twoFactor' | 'fresh'> &
  (
    | { readonly ok: true; readonly answer: UpstreamAnswer }
    | { readonly ok: false; readonly fault: SsoFault; readonly detail: string }
  )

/** What is asked of an upstream; `twoFactor`: for the level, whatever it calls it. */
export type Ask = UpstreamAsk & { readonly twoFactor: boolean }

export interface Upstreams {
  /**
   * The connection that an address logs in by. Changes are seen after a few seconds; {@link find} sees them at once.
   *
   * @returns its id
   */
  ofAddress(email: string): Promise<string | undefined>
  /** A connection that may be used: it is on, and its organisation's plan has SSO. */
  find(id: string): Promise<PlannedConnection | undefined>
  /**
   * A login at the upstream.
   *
   * @returns `state`, which comes back with the answer, and what the answer is checked with
   * @throws SsoError
   */
  begin(
    connection: Connection,
    ask: Ask,
  ): Promise<{ readonly url: string; readonly state: string; readonly pending: Pending }>
  /** The answer that came to the redirect URI. @throws SsoError */
  finishOidc(connection: Connection, callback: URLSearchParams, pending: Pending): Promise<UpstreamAnswer>
  /** That a token comes twice is for whoever calls to see. @throws SsoError */
  verifyLogoutToken(connection: Connection, token: string): Promise<UpstreamLogout>
  /**
   * The answer that was posted to the assertion consumer service. That an assertion comes twice is for whoever calls to see.
   *
   * @param pending undefined: nobody asked for it
   * @throws SsoError
   */
  finishSaml(
    connection: Connection,
    SAMLResponse: string,
    pending: Pending | undefined,
  ): Promise<saml.SamlAnswer>
  /** @throws SsoError */
  verifyLogoutRequest(connection: Connection, arrival: saml.LogoutArrival): Promise<saml.LogoutRequest>
  /** Where the browser goes with the answer to it; undefined: the identity provider has no address for it. */
  answerLogoutRequest(connection: Connection, request: saml.LogoutRequest): Promise<string | undefined>
  /** Ours, for the upstream's admin: XML. */
  samlMetadata(connection: Connection): string
}

const REMEMBER_MS = 5_000

export function createUpstreams(
  {
    database,
    keyring,
    paths,
    specialPlans,
  }: {
    readonly database: Database
    readonly keyring: Keyring
    readonly paths: Paths
    readonly specialPlans: readonly string[]
  },
  outbound: Outbound,
): Upstreams {
  const { clock } = outbound
  const oidc = createOidcUpstreams(outbound)
  const refreshed = createMetadataRefresh(database, outbound)
  const usable = (connection: PlannedConnection | undefined) =>
    connection?.status === 'on' && isSpecialPlan(connection.plan, specialPlans) ? connection : undefined
  const ofDomain = keepBriefly(
    REMEMBER_MS,
    clock,
    async domain => usable(await readConnectionOfDomain(database, domain))?.id,
  )
  const redirectUri = ({ id }: Connection) => `${paths.origin}${paths.ssoOidc(id)}`

  function secretOf({ id, secret }: Connection): string {
    if (secret === null) throw new SsoError('configuration', 'the client secret is missing')
    return keyring.open(secret, secretPlace(id)).toString()
  }

  function oidcSettings(connection: Connection): OidcSettings {
    const { issuer, clientId, scopes } = oidcOf(connection)
    if (issuer === undefined || clientId === undefined) throw incomplete()
    return { issuer, clientId, clientSecret: secretOf(connection), scopes }
  }

  function samlIdentity(connection: Connection): saml.SamlIdentity {
    const { origin } = paths
    return {
      entityId: `${origin}${paths.ssoSaml(connection.id, 'metadata')}`,
      acsUrl: `${origin}${paths.ssoSaml(connection.id, 'acs')}`,
      sloUrl: `${origin}${paths.ssoSaml(connection.id, 'slo')}`,
      privateKey: secretOf(connection),
      certificate: samlOf(connection).ourCertificate,
    }
  }

  /** Verifies by the keys that are stored, then by those that it has now: it may have changed them. */
  async function withItsKeys<T>(
    connection: Connection,
    verify: (settings: saml.SamlSettings) => Promise<T>,
  ): Promise<T> {
    const held = samlSettings(samlOf(connection))
    try {
      return await verify(held)
    } catch (error) {
      const newer = error instanceof SsoError && error.fault === 'invalid' && (await refreshed(connection))
      if (!newer) throw error
      return verify(samlSettings(newer))
    }
  }

  return {
    ofAddress: email => ofDomain(domainOf(email)),
    find: async id => usable(await readConnection(database, id)),
    async begin(connection, ask) {
      const asked = { revision: connection.revision, twoFactor: ask.twoFactor, fresh: ask.fresh }
      if (connection.protocol === 'saml') {
        const state = randomBytes(32).toString('base64url')
        const ours = samlIdentity(connection)
        const { url, requestId } = await saml.begin(samlSettings(samlOf(connection)), ours, ask, state)
        return { url, state, pending: { ...asked, samlRequestId: requestId } }
      }
      const { url, ...pending } = await oidc.begin(oidcSettings(connection), redirectUri(connection), ask)
      return { url, state: pending.state, pending: { ...asked, oidc: pending } }
    },
    async finishOidc(connection, callback, { oidc: pending }) {
      if (pending === undefined) throw new SsoError('invalid', 'the request was of another protocol')
      const answer = await oidc.finish(oidcSettings(connection), redirectUri(connection), callback, pending)
      // Where OpenID Connect says nothing of the mailbox, it is not said to be the user's.
      return { ...answer, emailVerified: answer.emailVerified === true }
    },
    verifyLogoutToken: (connection, token) => oidc.verifyLogoutToken(oidcSettings(connection), token),
    async finishSaml(connection, SAMLResponse, pending) {
      if (pending !== undefined && pending.samlRequestId === undefined) {
        throw new SsoError('invalid', 'the request was of another protocol')
      }
      const ours = samlIdentity(connection)
      const expectedRequestId = pending?.samlRequestId
      return withItsKeys(connection, settings =>
        saml.finish(settings, ours, { SAMLResponse, expectedRequestId, now: clock() }),
      )
    },
    verifyLogoutRequest: (connection, arrival) =>
      withItsKeys(connection, settings =>
        saml.verifyLogoutRequest(settings, samlIdentity(connection), arrival, clock()),
      ),
    answerLogoutRequest: async (connection, request) =>
      saml.logoutResponse(samlSettings(samlOf(connection)), samlIdentity(connection), request),
    samlMetadata: connection => saml.ourMetadata(samlIdentity(connection)),
  }
}

function samlSettings({ entityId, ssoUrl, certificates, ...rest }: StoredSaml): saml.SamlSettings {
  if (entityId === undefined || ssoUrl === undefined || certificates === undefined) throw incomplete()
  const { sloUrl, requestsSigned = true, idpInitiated = false } = rest
  return { entityId, ssoUrl, certificates, sloUrl, requestsSigned, idpInitiated }
}

function incomplete(): SsoError {
  return new SsoError('configuration', 'the connection is not set up yet')
}
