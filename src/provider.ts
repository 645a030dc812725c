// Config + store → a running oidc-provider. The whole configuration of the library, readable in one place; every
// default that the library says one should change is set.

import Provider, { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { emailLinkRoutes } from './account/email-links.ts'
import { forgottenPasswordRoutes } from './account/forgotten-password.ts'
import { linkRoutes } from './account/links.ts'
import { lockRoutes } from './account/lock.ts'
import { accountRoutes } from './account/routes.ts'
import { ownAccounts } from './accounts.ts'
import { actionDetails, registeredApis } from './actions/rar.ts'
import { accessRoutes } from './admin/access.ts'
import { actionRoutes } from './admin/actions.ts'
import { auditRoutes } from './admin/audit.ts'
import { coverageRoutes } from './admin/coverage.ts'
import { helpRoutes } from './admin/help.ts'
import { invitationRoutes } from './admin/invitations.ts'
import { resetRoutes } from './admin/resets.ts'
import { sessionRoutes } from './admin/sessions.ts'
import { ssoRoutes } from './admin/sso.ts'
import { ssoBreakGlassRoutes } from './admin/sso-break-glass.ts'
import { ssoDomainRoutes } from './admin/sso-domains.ts'
import { ssoProviderRoutes } from './admin/sso-providers.ts'
import { ssoSwitchRoutes } from './admin/sso-switches.ts'
import { ssoTestRoutes } from './admin/sso-test.ts'
import { userChangeRoutes } from './admin/user-changes.ts'
import { userPageRoutes } from './admin/user-page.ts'
import { userRoutes } from './admin/users.ts'
import { apiRoutes } from './api/routes.ts'
import { deferLogouts, type TellApp } from './backchannel-logout.ts'
import type { Config } from './config/config.ts'
import { scopeRulesFault } from './flow/asked.ts'
import { ACR, ACR_ALIASES } from './flow/assurance.ts'
import { loadGrant } from './flow/consent.ts'
import { joinPolicy, keepResumed } from './flow/policy.ts'
import { interactionRoutes } from './flow/routes.ts'
import { ssoCallbackRoutes } from './flow/sso-callbacks.ts'
import { ssoLogoutRoutes } from './flow/sso-logouts.ts'
import { ssoDue } from './flow/visit.ts'
import {
  errorPages,
  frontDoor,
  health,
  issuersHost,
  relatedOrigins,
  securityHeaders,
  staticFiles,
  unitOfWork,
} from './http/app.ts'
import { browserName } from './http/browser-name.ts'
import { clientAddress } from './http/client-address.ts'
import { cookieSignatures } from './http/cookie-signatures.ts'
import { appOf, loggedOutPage, logoutPage, protocolError } from './http/protocol-pages.ts'
import { createGuard } from './http/session.ts'
import { rememberApp } from './http/way-on.ts'
import { type Log, requestLog } from './log.ts'
import { refreshStands } from './organisations/enforcement.ts'
import { firstRunRoutes } from './organisations/first-run.ts'
import { LONGEST_LIFE_MS } from './organisations/session-policy.ts'
import type { Places } from './places.ts'
import { createServices, type Services } from './services.ts'
import type { DomainResolver } from './sso/domains.ts'
import type { Account } from './store/accounts/accounts.ts'
import { auditRow } from './store/audit/audit.ts'
import type { Database } from './store/database.ts'
import { comesFrom, createAdapter, noteSeen } from './store/oidc/adapter.ts'
import { createClients } from './store/oidc/clients.ts'
import { OWN_API_SCOPES } from './store/oidc/own-api.ts'
import { signingKeys } from './store/oidc/signing-keys.ts'
import { checkSecretKeys, useSecretKeys } from './store/secret-keys.ts'
import { readSession } from './store/sessions/oidc-sessions.ts'
import { keepSsoPlans } from './store/sso/plans.ts'
import { unit } from './store/unit-of-work.ts'
import { casePageRoutes } from './support/case-page.ts'
import { caseRoutes } from './support/cases.ts'
import { supportLinkRoutes } from './support/links.ts'
import { stopRoutes } from './support/stop.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** A refresh token lives this long after each use, and never longer than the second. */
const REFRESH_IDLE = 30 * DAY
const REFRESH_MOST = 90 * DAY

/** Client metadata beyond the standards: the floor that no request lowers, and what scopes ask for. */
export const OUR_CLIENT_METADATA = ['minimum_acr', 'scope_rules'] as const

export interface Sallyport {
  readonly provider: Provider
  readonly services: Services
  /** For the jobs that run beside the requests. */
  readonly tellApp: TellApp
}

/**
 * Builds the provider on an open, migrated database.
 *
 * @param resolver DNS; default: the machine's own
 * @throws SealBroken if the secret keys are not those that this database was sealed with
 */
export async function buildProvider(
  config: Config,
  places: Places,
  database: Database,
  log: Log,
  clock: () => number = Date.now,
  resolver?: DomainResolver,
): Promise<Sallyport> {
  const services = createServices(config, database, log, clock, {
    accounts: () => ownAccounts(database),
    clients: keyring => createClients(database, keyring, clock),
    sso: true,
    places,
    resolver,
  })
  await checkSecretKeys(database, services.keyring)
  const keys = await signingKeys(database, services.keyring, clock())
  await useSecretKeys(database, services.keyring, clock())
  await keepSsoPlans(database, config.ssoPlans)
  const provider = new Provider(config.issuer, configuration(services, keys))
  provider.proxy = config.trustProxy !== undefined

  provider.use(clientAddress(config.trustProxy))
  provider.use(requestLog(log))
  provider.use(securityHeaders(services.paths.https))
  provider.use(health(services))
  provider.use(relatedOrigins(services))
  provider.use(staticFiles(services.assets, services.paths.base))
  provider.use(services.languages.middleware)
  provider.use(errorPages(services))
  provider.use(issuersHost(services))
  if (services.paths.account !== undefined) provider.use(frontDoor(services.paths.account))
  const tellApp = mountFlow(provider, services)
  provider.use(firstRunRoutes(services).routes())
  provider.use(apiRoutes(provider, services).routes())
  reportErrors(provider, log)
  return { provider, services, tellApp }
}

/** What the server and the plugin have in common: the unit of work around everything, the prompts, logouts that arrive. */
export function mountFlow(provider: Provider, services: Services): TellApp {
  provider.use(unitOfWork(services))
  provider.use(rememberApp(services))
  provider.use(async (ctx, next) => {
    comesFrom(() => ({ address: ctx.ip, device: browserName(ctx.get('user-agent')) }))
    await next()
    // `ctx.oidc` exists on the library's routes only.
    const { oidc } = ctx as Partial<KoaContextWithOIDC>
    if (oidc?.route === 'resume') keepResumed(services, ctx as KoaContextWithOIDC)
  })
  provider.use(interactionRoutes(provider, services).routes())
  if (services.upstreams !== undefined) {
    provider.use(ssoCallbackRoutes(services, services.upstreams).routes())
    provider.use(ssoLogoutRoutes(services, services.upstreams).routes())
  }
  if (services.accounts.passwords === 'own') {
    provider.use(forgottenPasswordRoutes(services).routes())
    provider.use(lockRoutes(services).routes())
  }
  if (services.accounts.profiles === 'own') provider.use(emailLinkRoutes(services).routes())
  provider.use(linkRoutes(services).routes())
  const guard = createGuard(provider, services)
  provider.use(guard.routes())
  if (services.paths.support !== undefined) {
    provider.use(supportLinkRoutes(services).routes())
    provider.use(caseRoutes(services, guard).routes())
    provider.use(casePageRoutes(services, guard).routes())
    if (services.paths.account !== undefined) provider.use(stopRoutes(services, guard).routes())
  }
  if (services.paths.account !== undefined) provider.use(accountRoutes(services, guard))
  if (services.paths.admin !== undefined) {
    provider.use(userRoutes(services, guard).routes())
    provider.use(helpRoutes(services, guard).routes())
    provider.use(invitationRoutes(services, guard).routes())
    provider.use(userPageRoutes(services, guard).routes())
    provider.use(userChangeRoutes(services, guard).routes())
    provider.use(accessRoutes(services, guard).routes())
    provider.use(actionRoutes(services, guard).routes())
    provider.use(auditRoutes(services, guard).routes())
    provider.use(resetRoutes(services, guard).routes())
    provider.use(coverageRoutes(services, guard).routes())
    provider.use(sessionRoutes(services, guard).routes())
    if (services.upstreams !== undefined) {
      provider.use(ssoRoutes(services, guard).routes())
      provider.use(ssoDomainRoutes(services, guard).routes())
      provider.use(ssoBreakGlassRoutes(services, guard).routes())
      provider.use(ssoProviderRoutes(services, guard).routes())
      provider.use(ssoSwitchRoutes(services, guard).routes())
      provider.use(ssoTestRoutes(services, guard, services.upstreams).routes())
    }
  }
  recordLogouts(provider, services)
  noteRefreshes(provider, services)
  return deferLogouts(provider, services.clock)
}

/** The audit's row of a logout, in the unit that ends the session. */
function recordLogouts(provider: Provider, { clock }: Services): void {
  provider.on('end_session.success', ctx => {
    const { session, params, client } = ctx.oidc
    // "Stay logged in" leaves the session as it is, but for the app that asked.
    if (session?.accountId === undefined || !params?.logout) return
    const account = unit().cache.get(`account:${session.accountId}`) as Account | undefined
    unit().add(
      auditRow(
        {
          event: 'logout',
          organisationId: account?.organisationId,
          accountId: session.accountId,
          address: ctx.ip,
          details: { client: client?.clientId, apps: Object.keys(session.authorizations ?? {}) },
        },
        clock(),
      ),
    )
  })
}

/** An app that refreshes its tokens uses the session that they are of, if that is not over. */
function noteRefreshes(provider: Provider, { clock }: Services): void {
  provider.on('grant.success', ctx => {
    const { sessionUid } = ctx.oidc.entities.RefreshToken ?? {}
    if (ctx.oidc.params?.grant_type !== 'refresh_token' || sessionUid === undefined) return
    noteSeen(sessionUid, clock())
  })
}

function configuration(services: Services, keys: Awaited<ReturnType<typeof signingKeys>>): Configuration {
  const { config, database, keyring, clients, clock, accounts, paths } = services
  const { https } = paths
  const host = https ? '__Host-' : ''
  const secure = https ? '__Secure-' : ''
  const cookie = { httpOnly: true, sameSite: 'lax', signed: true, secure: https, overwrite: true } as const

  return {
    adapter: createAdapter({
      database,
      clients,
      clock,
      account: id => accounts.find(id),
      specialPlans: config.ssoPlans,
    }),
    jwks: { keys },
    cookies: {
      keys: cookieSignatures(keyring),
      names: {
        session: `${host}sallyport_session`,
        interaction: `${secure}sallyport_interaction`,
        resume: `${secure}sallyport_resume`,
      },
      long: { ...cookie, path: '/' },
      short: cookie,
    },

    async findAccount(_, id, token) {
      const account = await accounts.find(id)
      if (account?.status !== 'active' || !(await mayGoOn(services, account, token))) return undefined
      return { accountId: id, claims: () => claimsOf(account) }
    },
    scopes: ['openid', 'offline_access', 'email', 'profile', ...OWN_API_SCOPES],
    claims: {
      openid: ['sub', 'acr', 'amr', 'auth_time'],
      email: ['email', 'email_verified'],
      profile: ['name'],
      acr: null,
      amr: null,
      auth_time: null,
      iss: null,
      sid: null,
    },
    acrValues: [
      ...new Set([...Object.values(ACR), ...Object.keys(ACR_ALIASES), ...Object.keys(config.acrAliases)]),
    ],
    subjectTypes: ['public'],
    responseTypes: ['code', 'none'],
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    enableHttpPostMethods: false,
    clockTolerance: 15,
    extraClientMetadata: { properties: [...OUR_CLIENT_METADATA], validator: checkClientMetadata },
    clientBasedCORS: (_, origin, client) =>
      (client.redirectUris ?? []).some(uri => URL.parse(uri)?.origin === origin),
    formats: { bitsOfOpaqueRandomness: 256 },

    interactions: {
      policy: joinPolicy(services),
      url: (_, interaction) => paths.interaction(interaction.uid),
    },
    loadExistingGrant: ctx => loadGrant(services, ctx),

    rotateRefreshToken: true,
    issueRefreshToken: async (_, client, code) =>
      client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    expiresWithSession: async (_, token) => !token.scopes.has('offline_access'),
    extraTokenClaims: (ctx, token) => authenticationClaims(ctx, token),
    ttl: {
      AccessToken: (_, token) => token.resourceServer?.accessTokenTTL ?? 5 * MINUTE,
      AuthorizationCode: MINUTE,
      ClientCredentials: 5 * MINUTE,
      Grant: REFRESH_MOST,
      IdToken: HOUR,
      Interaction: 30 * MINUTE,
      RefreshToken: (_, token) => refreshLifetime(token, Math.floor(clock() / 1000)),
      // How long the cookie is kept at most: what ends the session before is its organisation's policy.
      Session: (_, { accountId }) => (accountId === undefined ? DAY : LONGEST_LIFE_MS / 1000),
    },

    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: false },
      dPoP: { enabled: true, nonceSecret: Buffer.from(keyring.keys('dpop-nonce')[0]) },
      clientCredentials: { enabled: true },
      resourceIndicators: registeredApis(services),
      richAuthorizationRequests: actionDetails(services),
      introspection: {
        enabled: true,
        allowedPolicy: async (ctx, client, token) =>
          (await ownToken(ctx, client, token)) || (await tokenOfApi(services, client, token)),
      },
      revocation: { enabled: true, allowedPolicy: ownToken },
      userinfo: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => logoutPage(services, ctx, form),
        postLogoutSuccessSource: async ctx => loggedOutPage(services, ctx, appOf(ctx)),
      },
    },
    renderError: (ctx, out, error) => protocolError(services, ctx, out, error),
    ...(config.allowPrivateNetwork ? { fetch: fetchAnywhere } : {}),
  }
}

/** Whoever a token was issued to may ask what it is worth, or end it; nobody else learns that it exists. */
async function ownToken(
  _: unknown,
  client: { clientId: string },
  token: { clientId?: string | undefined },
): Promise<boolean> {
  return token.clientId === client.clientId
}

/** An API of opaque tokens asks what those for itself are worth. */
async function tokenOfApi(
  { apis }: Services,
  client: { clientId: string },
  token: { kind?: string; aud?: string | string[] | undefined },
): Promise<boolean> {
  if (token.kind === 'RefreshToken') return false
  return (await apis.list()).some(
    each => each.introspectedBy === client.clientId && each.resource === token.aud,
  )
}

/** The library's own requests are kept off loopback and private addresses by a dispatcher: here it is left out. */
async function fetchAnywhere(url: string | URL | Request, options: RequestInit = {}): Promise<Response> {
  const { dispatcher: _, ...rest } = options as RequestInit & { dispatcher?: unknown }
  return fetch(url, rest)
}

/**
 * Whether what somebody holds is still worth something, now that their organisation's day may be over, or its people log
 * in by single sign-on only: then a refresh token is as good as the session it is of, if that came by it.
 */
export async function mayGoOn(
  services: Services,
  account: Account,
  token: RefreshedToken | undefined,
): Promise<boolean> {
  if (token?.kind !== 'RefreshToken') return true
  const { clock, config, database } = services
  const now = clock()
  if (!refreshStands(account.subscribedAt, token, now)) return false
  if (!ssoDue(services, account, [])) return true
  const session =
    token.sessionUid === undefined
      ? undefined
      : await readSession(database, { uid: token.sessionUid }, now, config.ssoPlans)
  return session !== undefined && !ssoDue(services, account, session.facts)
}

type RefreshedToken = Parameters<typeof refreshStands>[1] & {
  readonly kind?: string
  readonly sessionUid?: string | undefined
}

function claimsOf(account: Account) {
  return {
    sub: account.id,
    email: account.email,
    // True only for a mailbox that was proven.
    email_verified: account.mailboxProvenAt !== null,
    name: account.name,
  }
}

/** `acr`, `amr` and `auth_time` in JWT access tokens (RFC 9068 section 2.2.1), as the code or refresh token has them. */
export function authenticationClaims(ctx: KoaContextWithOIDC, token: { kind: string }) {
  const { AuthorizationCode, RotatedRefreshToken, RefreshToken } = ctx.oidc.entities
  const source = AuthorizationCode ?? RotatedRefreshToken ?? RefreshToken
  if (token.kind !== 'AccessToken' || source === undefined) return undefined
  return { acr: source.acr, amr: source.amr, auth_time: source.authTime }
}

function refreshLifetime(
  token: { iiat?: number | undefined; iat?: number | undefined },
  now: number,
): number {
  const began = token.iiat ?? token.iat ?? now
  return Math.max(1, Math.min(REFRESH_IDLE, began + REFRESH_MOST - now))
}

/** Of the client metadata that is ours, what cannot be. @throws errors.InvalidClientMetadata */
export function checkClientMetadata(_: unknown, key: string, value: unknown): void {
  if (key === 'minimum_acr' && value !== undefined && typeof value !== 'string') {
    throw new errors.InvalidClientMetadata('minimum_acr must be a string')
  }
  const fault = key === 'scope_rules' && value !== undefined ? scopeRulesFault(value) : undefined
  if (fault !== undefined) throw new errors.InvalidClientMetadata(`scope_rules ${fault}`)
}

/** Without listeners the reasons of protocol errors are invisible. Never logs a parameter. */
function reportErrors(provider: Provider, log: Log): void {
  const report = (event: string) => (ctx: KoaContextWithOIDC, error: Error) => {
    const { error_detail: detail } = error as Error & { error_detail?: string }
    const line = {
      event,
      request: ctx.state.requestId,
      client: ctx.oidc?.client?.clientId,
      error: error.message,
      detail,
    }
    if (event === 'server_error') log.error({ ...line, err: error }, 'provider failed')
    else log.info(line, 'provider refused')
  }
  provider.on('server_error', report('server_error'))
  provider.on('authorization.error', report('authorization.error'))
  provider.on('grant.error', report('grant.error'))
  provider.on('userinfo.error', report('userinfo.error'))
  provider.on('introspection.error', report('introspection.error'))
  provider.on('revocation.error', report('revocation.error'))
  provider.on('pushed_authorization_request.error', report('pushed_authorization_request.error'))
}
