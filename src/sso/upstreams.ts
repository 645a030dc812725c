// The identity providers of customers, as the flow and the console use them: which one an address goes to, a login sent
// there, and the answer that comes back. Leaves out the protocols, and what an answer is worth here.

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
} from '../store/sso/connections.ts'
import { createOidcUpstreams, type OidcPending, type OidcSettings, type UpstreamLogout } from './oidc.ts'
import { type Outbound, SsoError, type SsoFault, type UpstreamAnswer, type UpstreamAsk } from './upstream.ts'

/** What an answer is checked with; sealed while the user is away. */
export interface Pending {
  /** Of the connection when it was asked. */
  readonly revision: number
  /** Two factors were asked for. */
  readonly twoFactor: boolean
  readonly fresh: boolean
  readonly oidc: OidcPending
}

/** What came back, as it is kept until the page that asked takes it. */
export type Returned = Pick<Pending, 'revision' | 'twoFactor' | 'fresh'> &
  (
    | { readonly ok: true; readonly answer: UpstreamAnswer }
    | { readonly ok: false; readonly fault: SsoFault; readonly detail: string }
  )

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
    ask: UpstreamAsk & { readonly twoFactor: boolean },
  ): Promise<{ readonly url: string; readonly state: string; readonly pending: Pending }>
  /**
   * The answer that came to the redirect URI.
   *
   * @throws SsoError
   */
  finishOidc(connection: Connection, callback: URLSearchParams, pending: Pending): Promise<UpstreamAnswer>
  /** That a token comes twice is for whoever calls to see. @throws SsoError */
  verifyLogoutToken(connection: Connection, token: string): Promise<UpstreamLogout>
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
  const oidc = createOidcUpstreams(outbound)
  const usable = (connection: PlannedConnection | undefined) =>
    connection?.status === 'on' && isSpecialPlan(connection.plan, specialPlans) ? connection : undefined
  const ofDomain = keepBriefly(
    REMEMBER_MS,
    outbound.clock,
    async domain => usable(await readConnectionOfDomain(database, domain))?.id,
  )
  const redirectUri = ({ id }: Connection) => `${paths.origin}${paths.ssoOidc(id)}`

  function oidcSettings(connection: Connection): OidcSettings {
    if (connection.secret === null) throw new SsoError('configuration', 'the client secret is missing')
    const place = ['sso_connections', 'secret', connection.id] as const
    const clientSecret = keyring.open(connection.secret, place).toString()
    return { ...(JSON.parse(connection.settings) as Omit<OidcSettings, 'clientSecret'>), clientSecret }
  }

  return {
    ofAddress: email => ofDomain(domainOf(email)),
    find: async id => usable(await readConnection(database, id)),
    async begin(connection, ask) {
      const { url, ...pending } = await oidc.begin(oidcSettings(connection), redirectUri(connection), ask)
      const { revision } = connection
      const { fresh } = ask
      return {
        url,
        state: pending.state,
        pending: { revision, twoFactor: ask.twoFactor, fresh, oidc: pending },
      }
    },
    async finishOidc(connection, callback, { oidc: pending }) {
      const answer = await oidc.finish(oidcSettings(connection), redirectUri(connection), callback, pending)
      // Where OpenID Connect says nothing of the mailbox, it is not said to be the user's.
      return { ...answer, emailVerified: answer.emailVerified === true }
    },
    verifyLogoutToken: (connection, token) => oidc.verifyLogoutToken(oidcSettings(connection), token),
  }
}
