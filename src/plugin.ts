// The plugin: two-factor login for somebody who runs oidc-provider already. Their configuration goes in, one that
// Sallyport's prompts, facts and budgets work with comes out; every option that both have an opinion on has a rule
// here, and what cannot be reconciled stops the start, by name. Leaves out what is the host's own: its clients, its
// keys, its claims, its lifetimes.

import type Provider from 'oidc-provider'
import type { Adapter, Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { type HostAccounts, hostAccounts, ownAccounts } from './accounts.ts'
import { ACTION_TYPE } from './actions/binding.ts'
import { actionDetails, besideHost, proofLifetime, resourceOfCode } from './actions/rar.ts'
import { checkActions, type ProtectedAction } from './actions/registry.ts'
import { startBackground } from './background.ts'
import { type Config, DAY_MS } from './config/config.ts'
import { Problem } from './config/problems.ts'
import { AppError } from './errors.ts'
import { ACR, ACR_ALIASES, type Level } from './flow/assurance.ts'
import { loadGrant } from './flow/consent.ts'
import { joinPolicy } from './flow/policy.ts'
import { errorPages, onlyAt, securityHeaders, staticFiles } from './http/app.ts'
import { cookieSignatures } from './http/cookie-signatures.ts'
import { createLog, type Log, requestLog } from './log.ts'
import { ownClientFirst, ownClientMetadata } from './mounted-client.ts'
import { InputError } from './organisations/directory.ts'
import { SPECIAL_PLANS } from './organisations/plan.ts'
import { noPlaces, openPlaces, type Places } from './places.ts'
import {
  authenticationClaims,
  checkClientMetadata,
  mayGoOn,
  mountFlow,
  OUR_CLIENT_METADATA,
} from './provider.ts'
import { createServices, type Services } from './services.ts'
import { type Database, deferDatabase, openDatabase } from './store/database.ts'
import { createAdapter } from './store/oidc/adapter.ts'
import type { ClientMetadata, Clients, StoredClient } from './store/oidc/clients.ts'
import { OWN_CLIENT_ID } from './store/oidc/own-client.ts'
import { createKeyring } from './store/seal.ts'
import { useSecretKeys } from './store/secret-keys.ts'

export interface SecondFactorOptions {
  /** The issuer that the provider is constructed with; below its path our pages are. */
  readonly issuer: string
  /** Where factors, budgets, facts, sessions and audit are: `sqlite:PATH` or `postgres://…`. Migrated at the start. */
  readonly databaseUrl: string
  /** Newest first, each at least 32 characters. They seal what is secret. */
  readonly secretKeys: readonly [string, ...string[]]
  /** Default: Sallyport's own accounts, in the same database. */
  readonly accounts?: HostAccounts
  /** Where "Forgot password?" leads, where the host verifies passwords; without it the link is left out. */
  readonly forgotPasswordUrl?: string
  /** Whether a client's users see no consent page of ours. Default: none. */
  readonly firstParty?: (clientId: string) => boolean
  /**
   * The actions that each client's users confirm, by client id. The host's resource servers say for which API the proof
   * is; such a client has `authorization_details_types: ['protected_action']`.
   */
  readonly protectedActions?: Readonly<Record<string, readonly ProtectedAction[]>>
  /** `smtp://…`; without it mails are written to `outboxDir`. */
  readonly smtpUrl?: string
  readonly mailFrom?: string
  /** Default: `data/outbox`. */
  readonly outboxDir?: string
  readonly productName?: string
  /** What passkeys are bound to (the relying party id). Default: the issuer's host name. */
  readonly passkeyDomain?: string
  /** Whether users have a page of ours at `/account`. Default: yes. */
  readonly account?: boolean
  /** Whether admins have a console of ours at `/admin`. Default: yes. */
  readonly admin?: boolean
  readonly enrolmentEmailProof?: Config['enrolmentEmailProof']
  /** Further names of levels in `acr_values`. */
  readonly acrAliases?: Readonly<Record<string, Level>>
  /** An MMDB file that says roughly where an address is, for the lists of sessions and the mails. Read once, here. */
  readonly placesFile?: string
  /** Default: one that says nothing. */
  readonly log?: Log
}

export interface Mounted {
  /** Resolves when the database is open and migrated; rejects if it can't be, or if a secret key of it is missing. */
  readonly ready: Promise<void>
  /** Finishes the mails in hand and closes the database. */
  close(): Promise<void>
}

export interface SecondFactor {
  /** For `new Provider(issuer, configuration)`. */
  readonly configuration: Configuration
  /** Puts our pages in front of the provider's routes. Once, before it takes requests. */
  mount(provider: Provider): Mounted
}

/** Models that a login mints: they are kept in our database, where the epoch of an account ends them all. */
const OURS = new Set([
  'Session',
  'Interaction',
  'Grant',
  'AuthorizationCode',
  'AccessToken',
  'RefreshToken',
  'ClientCredentials',
  'PushedAuthorizationRequest',
  'ReplayDetection',
])
const PAGES = /^\/(interaction|forgot-password|link|assets|session\/(return|over))(\/|$)/
const ACCOUNT_PAGES = /^\/account(\/|$)/
const ADMIN_PAGES = /^\/admin(\/|$)/
const SUPPORT_PAGES = /^\/support(\/|$)/
const OPENID_CLAIMS = ['sub', 'acr', 'amr', 'auth_time']

/**
 * Adds mandatory two-factor login to an oidc-provider configuration.
 *
 * @param host the configuration as it was
 * @throws AppError `plugin_conflict` for an option that cannot be reconciled
 */
export function secondFactor(host: Configuration, options: SecondFactorOptions): SecondFactor {
  refuseConflicts(host)
  const ownMetadata = ownClientMetadata(host)
  const pages = [
    PAGES,
    ...(options.account === false ? [] : [ACCOUNT_PAGES]),
    ...(options.admin === false ? [] : [ADMIN_PAGES]),
    ...(hasSupport(options) ? [SUPPORT_PAGES] : []),
  ]
  const ownPages = new RegExp(pages.map(each => each.source).join('|'))
  const actions = actionsOf(host, options)
  const config = configOf(options)
  const log = options.log ?? createLog('silent')
  const database = deferDatabase(config.databaseUrl, () => openMigrated(config))
  let provider: Provider | undefined
  const services = createServices(config, database, log, Date.now, {
    accounts: () =>
      options.accounts === undefined
        ? ownAccounts(database)
        : hostAccounts(options.accounts, database, Date.now, options.forgotPasswordUrl),
    clients: () => hostClients(() => provider, actions, options.firstParty),
    places: placesOf(options),
    accountPage: options.account,
    console: options.admin,
    support: hasSupport(options),
    ownClientMetadata: ownMetadata,
  })

  return {
    configuration: merge(host, services, options),
    mount(mounting) {
      if (provider !== undefined) throw new AppError('plugin_conflict', 'mounted twice')
      provider = mounting
      provider.use(requestLog(log))
      provider.use(onlyAt(ownPages, securityHeaders(services.paths.https)))
      provider.use(onlyAt(ownPages, staticFiles(services.assets, services.paths.base)))
      provider.use(services.languages.middleware)
      provider.use(errorPages(services, ownPages))
      const background = startBackground(services, mountFlow(provider, services))
      const ready = database.open()
      // Who waits for it is told; so is every request.
      ready.catch(() => undefined)
      return {
        ready,
        async close() {
          await background.stop()
          await database.close()
        },
      }
    },
  }
}

/** A host that has the accounts has support of its own. */
function hasSupport({ accounts, admin }: SecondFactorOptions): boolean {
  return accounts === undefined && admin !== false
}

/** @throws AppError `plugin_conflict` for a file that cannot be used */
function placesOf({ placesFile }: SecondFactorOptions): Places {
  if (placesFile === undefined) return noPlaces
  try {
    return openPlaces(placesFile)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    throw new AppError('plugin_conflict', `placesFile ${error.message}`)
  }
}

/** @throws SealBroken if a secret key is missing that this database was sealed with */
async function openMigrated({ databaseUrl, secretKeys }: Config): Promise<Database> {
  const database = await openDatabase(databaseUrl)
  try {
    await database.migrate()
    await useSecretKeys(database, createKeyring(secretKeys), Date.now())
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

function configOf(options: SecondFactorOptions): Config {
  const issuer = options.issuer.replace(/\/$/, '')
  const outboxDir = options.outboxDir ?? 'data/outbox'
  const short = options.secretKeys.some(each => each.length < 32)
  if (short || options.secretKeys.length === 0) {
    throw new AppError('plugin_conflict', 'secretKeys: at least one, each of at least 32 characters')
  }
  return Object.freeze({
    production: process.env.NODE_ENV === 'production',
    port: 0,
    host: '',
    issuer,
    databaseUrl: options.databaseUrl,
    dataDir: 'data',
    secretKeys: options.secretKeys,
    smtpUrl: options.smtpUrl,
    mailFrom: options.mailFrom ?? `no-reply@${new URL(issuer).hostname}`,
    outboxDir,
    trustProxy: undefined,
    logLevel: 'silent',
    demoPort: 0,
    allowPrivateNetwork: false,
    enrolmentEmailProof: options.enrolmentEmailProof ?? 'after-reset',
    acrAliases: { ...ACR_ALIASES, ...options.acrAliases },
    productName: options.productName ?? 'Sallyport',
    passkeyDomain: options.passkeyDomain ?? new URL(issuer).hostname,
    relatedOrigins: [],
    ssoPlans: SPECIAL_PLANS,
    supportAfterMs: DAY_MS,
    supportWaitMs: DAY_MS,
    placesFile: options.placesFile,
    warnings: [],
  } satisfies Config)
}

/** What no rule reconciles. */
function refuseConflicts(host: Configuration): void {
  const conflict = (detail: string): never => {
    throw new AppError('plugin_conflict', detail)
  }
  if (host.features?.devInteractions?.enabled === true) {
    conflict('features.devInteractions accepts any password: set enabled to false')
  }
  if (host.features?.deviceFlow?.enabled === true) conflict('features.deviceFlow is not supported')
  if (host.features?.ciba?.enabled === true) conflict('features.ciba is not supported')
  if (host.clients?.some(each => each.client_id === OWN_CLIENT_ID)) {
    conflict(`clients has one named ${OWN_CLIENT_ID}, which is the plugin's own`)
  }
  // By these the plugin's own pages, which send the browser to the authorization endpoint as it is, could ask nothing.
  if (host.features?.pushedAuthorizationRequests?.requirePushedAuthorizationRequests === true) {
    conflict('features.pushedAuthorizationRequests cannot be required of all clients: require it of each')
  }
  if (host.features?.requestObjects?.requireSignedRequestObject === true) {
    conflict('features.requestObjects cannot be required of all clients: require it of each')
  }
  const policy = host.interactions?.policy
  if (policy?.some(each => each.name === 'step_up'))
    conflict('interactions.policy has a prompt named step_up')
  if (policy !== undefined && !policy.some(each => each.name === 'login')) {
    conflict('interactions.policy has no prompt named login')
  }
}

/** @throws AppError `plugin_conflict` for actions that cannot be, or that the host leaves no room for */
function actionsOf(
  { features }: Configuration,
  { protectedActions }: SecondFactorOptions,
): Readonly<Record<string, readonly ProtectedAction[]>> {
  if (protectedActions === undefined) return {}
  const conflict = (detail: string): never => {
    throw new AppError('plugin_conflict', detail)
  }
  const resources = features?.resourceIndicators
  if (resources?.enabled === false || resources?.getResourceServerInfo === undefined) {
    conflict(
      'protectedActions needs features.resourceIndicators.getResourceServerInfo: the API that a proof is for',
    )
  }
  if (Object.hasOwn(features?.richAuthorizationRequests?.types ?? {}, ACTION_TYPE)) {
    conflict(`features.richAuthorizationRequests.types has ${ACTION_TYPE}, which protectedActions is for`)
  }
  return Object.fromEntries(
    Object.entries(protectedActions).map(([client, actions]) => {
      try {
        return [client, checkActions(actions)]
      } catch (error) {
        if (!(error instanceof InputError)) throw error
        return conflict(`protectedActions of ${client}: ${error.message}`)
      }
    }),
  )
}

/** Protected actions beside what the host has. Without any, the host's features are as they were. */
function mergeActions(
  host: Configuration,
  services: Services,
  { protectedActions }: SecondFactorOptions,
): Pick<Configuration, 'features' | 'ttl'> {
  const features = { ...host.features, devInteractions: { enabled: false } }
  if (protectedActions === undefined) return { features }
  return {
    features: {
      ...features,
      resourceIndicators: resourceOfCode(host.features?.resourceIndicators),
      richAuthorizationRequests: besideHost(
        actionDetails(services),
        host.features?.richAuthorizationRequests,
      ),
    } as Configuration['features'],
    ttl: { ...host.ttl, AccessToken: proofLifetime(host.ttl?.AccessToken) },
  }
}

function merge(host: Configuration, services: Services, options: SecondFactorOptions): Configuration {
  const { accounts, database, clients, clock, keyring, paths, config } = services
  const ours = createAdapter({
    database,
    clients,
    clock,
    account: id => accounts.find(id),
    specialPlans: config.ssoPlans,
  })
  const policy = joinPolicy(services, host.interactions?.policy)
  const hostUrl = host.interactions?.url
  const hostAccount = host.findAccount

  return {
    ...host,
    // What a login mints is ours; clients and everything else stay where they are, with one client of ours before them.
    adapter(model: string) {
      if (OURS.has(model)) return ours(model)
      const theirs = hostAdapter(host, model)
      return model === 'Client' ? ownClientFirst(theirs, clients) : theirs
    },
    // Both: the client of our own pages gets nothing, and the host's clients only what they are registered with.
    ...(host.responseTypes === undefined
      ? {}
      : { responseTypes: [...new Set([...host.responseTypes, 'none' as const])] }),
    // The host's; nobody is asked whether our own pages, or a first-party app, may know them.
    async loadExistingGrant(ctx) {
      const { client } = ctx.oidc
      const known = client && (host.loadExistingGrant === undefined || client.clientId === OWN_CLIENT_ID)
      return known ? loadGrant(services, ctx) : host.loadExistingGrant?.(ctx)
    },
    // Kept; without any, ours.
    cookies: {
      ...host.cookies,
      keys: host.cookies?.keys ?? cookieSignatures(keyring),
    },
    // The host's, for whom our row is active: a reset or a deactivation stops every token at once.
    async findAccount(ctx, id, token) {
      const account = await accounts.find(id)
      if (account?.status !== 'active' || !(await mayGoOn(services, account, token))) return undefined
      if (hostAccount !== undefined) return hostAccount(ctx, id, token)
      return {
        accountId: id,
        claims: async () => ({ ...(await options.accounts?.claims(id)), sub: id }),
      }
    },
    claims: { ...host.claims, openid: [...new Set([...openidClaims(host), ...OPENID_CLAIMS])] },
    acrValues: [
      ...new Set([...(host.acrValues ?? []), ...Object.values(ACR), ...Object.keys(config.acrAliases)]),
    ],
    // Both. Without ours the library drops `minimum_acr` in silence, and a client that has a floor has none.
    extraClientMetadata: {
      ...host.extraClientMetadata,
      properties: [...new Set([...(host.extraClientMetadata?.properties ?? []), ...OUR_CLIENT_METADATA])],
      validator(ctx, key, value, metadata) {
        checkClientMetadata(ctx, key, value)
        return host.extraClientMetadata?.validator?.(ctx, key, value, metadata)
      },
    },
    // Both; of acr, amr and auth_time, ours.
    async extraTokenClaims(ctx, token) {
      const theirs = await host.extraTokenClaims?.(ctx, token)
      const own = authenticationClaims(ctx, token)
      return theirs === undefined && own === undefined ? undefined : { ...theirs, ...own }
    },
    interactions: {
      ...host.interactions,
      policy,
      // Login and step-up are ours. Consent, and prompts of the host's own, are the host's where it has pages.
      async url(ctx: KoaContextWithOIDC, interaction: { uid: string; prompt: { name: string } }) {
        const { name } = interaction.prompt
        const own = name === 'login' || name === 'step_up' || hostUrl === undefined
        return own ? paths.interaction(interaction.uid) : hostUrl(ctx, interaction as never)
      },
    },
    ...mergeActions(host, services, options),
  }
}

function openidClaims(host: Configuration): string[] {
  const claims = host.claims?.openid
  if (Array.isArray(claims)) return claims.map(String)
  return claims === undefined || claims === null ? [] : Object.keys(claims)
}

/** The host's adapter, a class or a function as the library takes both. Without one only static clients are known. */
function hostAdapter({ adapter }: Configuration, model: string): Adapter {
  if (adapter === undefined) return nothing
  try {
    return (adapter as (model: string) => Adapter)(model)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return new (adapter as new (model: string) => Adapter)(model)
  }
}

const nothing: Adapter = {
  upsert: async () => undefined,
  find: async () => undefined,
  findByUserCode: async () => undefined,
  findByUid: async () => undefined,
  consume: async () => undefined,
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
}

/** The host's clients, as the library knows them: static ones and those of its adapter. */
function hostClients(
  provider: () => Provider | undefined,
  actions: Readonly<Record<string, readonly ProtectedAction[]>>,
  firstParty: (id: string) => boolean = () => false,
): Clients {
  const refuse = (): never => {
    throw new Error('clients are registered with the host')
  }
  const find = async (id: string): Promise<StoredClient | undefined> => {
    const client = await provider()?.Client.find(id)
    if (client === undefined) return undefined
    const own = Object.hasOwn(actions, id) ? { actions: actions[id] ?? [] } : {}
    return { metadata: client.metadata() as ClientMetadata, firstParty: firstParty(id), ...own }
  }
  return {
    find,
    async withActions() {
      const found = await Promise.all(Object.keys(actions).map(find))
      return found.filter(each => each !== undefined).filter(each => each.actions?.length)
    },
    list: refuse,
    insert: refuse,
    update: refuse,
    setActions: refuse,
  }
}
