// What a running Sallyport is made of. Built once at the start and handed to whoever needs it.

import type { Logger } from 'pino'
import type { AccountSource } from './accounts.ts'
import type { Config } from './config/config.ts'
import { type Assets, createAssets } from './http/assets.ts'
import { createLanguages, type Languages } from './http/language.ts'
import { createViews, type Views } from './http/views.ts'
import { createPaths, type Paths } from './paths.ts'
import type { Places } from './places.ts'
import { type DomainResolver, systemResolver } from './sso/domains.ts'
import { createUpstreams, type Upstreams } from './sso/upstreams.ts'
import type { Database } from './store/database.ts'
import { type Apis, createApis } from './store/oidc/apis.ts'
import type { Clients } from './store/oidc/clients.ts'
import { ownClient, withOwnClient } from './store/oidc/own-client.ts'
import { type ActionRules, createActionRules } from './store/organisations/action-rules.ts'
import { createKeyring, type Keyring } from './store/seal.ts'
import { availableLocales, createTexts, type Texts } from './texts.ts'

export interface Services {
  readonly config: Config
  readonly database: Database
  readonly keyring: Keyring
  readonly clients: Clients
  readonly apis: Apis
  readonly actionRules: ActionRules
  readonly accounts: AccountSource
  /** Identity providers of customers; undefined where accounts are a host's. */
  readonly upstreams: Upstreams | undefined
  /** DNS, for the domains of organisations. */
  readonly resolver: DomainResolver
  readonly paths: Paths
  readonly views: Views
  readonly texts: Texts
  readonly languages: Languages
  readonly places: Places
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly clock: () => number
}

/** The services of a server or plugin on an open database, with what differs between the two. */
export function createServices(
  config: Config,
  database: Database,
  log: Logger,
  clock: () => number,
  own: {
    accounts(): AccountSource
    clients(keyring: Keyring): Clients
    readonly places: Places
    /** Default: there is an account page. */
    readonly accountPage?: boolean | undefined
    /** Default: there is a console. */
    readonly console?: boolean | undefined
    /** Default: there is a support console. */
    readonly support?: boolean | undefined
    /** Default: users log in by nobody else's identity provider. */
    readonly sso?: boolean | undefined
    /** Default: the machine's own. */
    readonly resolver?: DomainResolver | undefined
    /** See {@link ownClient}. */
    readonly ownClientMetadata?: Readonly<Record<string, unknown>> | undefined
  },
): Services & { readonly assets: Assets } {
  const keyring = createKeyring(config.secretKeys)
  const [standard = 'en', ...others] = availableLocales()
  const languages = createLanguages([createTexts(standard), ...others.map(each => createTexts(each))])
  const { texts } = languages
  const paths = createPaths(config.issuer, {
    account: own.accountPage !== false,
    admin: own.console !== false,
    support: own.support !== false,
  })
  const assets = createAssets(undefined, `${paths.base}/assets/`)
  return {
    config,
    database,
    keyring,
    clients: withOwnClient(own.clients(keyring), () =>
      ownClient({
        name: texts.t('account.asApp'),
        returnUri: `${paths.origin}${paths.ownReturn}`,
        logoutUri: `${paths.origin}${paths.ownLogout}`,
        home: paths.account && `${paths.origin}${paths.account}`,
        metadata: own.ownClientMetadata,
      }),
    ),
    apis: createApis(database, clock),
    actionRules: createActionRules(database, clock),
    accounts: own.accounts(),
    upstreams:
      own.sso === true
        ? createUpstreams(
            { database, keyring, paths, specialPlans: config.ssoPlans },
            { allowPrivateNetwork: config.allowPrivateNetwork, clock },
          )
        : undefined,
    resolver: own.resolver ?? systemResolver(),
    paths,
    assets,
    views: createViews({ texts, assets }),
    texts,
    languages,
    places: own.places,
    log,
    clock,
  }
}
