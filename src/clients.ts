// Which apps may be registered, and how: from a few flags or registration metadata (OpenID Connect Dynamic Client
// Registration 1.0, RFC 7591) to the complete metadata that is stored. What the provider would drop in silence or
// refuse at an app's first login is refused here, by name. Leaves out what the store does with it
// (store/oidc/clients.ts) and the rules of the running provider (PKCE for everybody, consent).

import { randomInt } from 'node:crypto'
import { ACTION_TYPE } from './actions/binding.ts'
import { didYouMean } from './did-you-mean.ts'
import { type ScopeRules, scopeRulesFault } from './flow/asked.ts'
import { ACR_ALIASES, type Level, levelOf } from './flow/assurance.ts'
import { type Directory, InputError } from './organisations/directory.ts'
import { auditRow } from './store/audit/audit.ts'
import { CommitRefused } from './store/database.ts'
import { type ClientMetadata, createClients, type StoredClient } from './store/oidc/clients.ts'
import { ADMIN_SCOPES, OWN_API_SCOPES, ownApiScopes } from './store/oidc/own-api.ts'
import { OWN_CLIENT_ID } from './store/oidc/own-client.ts'

/** What somebody asks for. Of flag and metadata that say the same thing, the flag wins. */
export interface Registration {
  readonly id?: string | undefined
  readonly secret?: string | undefined
  readonly name?: string | undefined
  readonly redirectUris?: readonly string[] | undefined
  readonly postLogoutRedirectUris?: readonly string[] | undefined
  readonly backchannelLogoutUri?: string | undefined
  readonly grantTypes?: readonly string[] | undefined
  readonly scope?: string | undefined
  /** An app that can keep no secret: in a browser, on a phone, on a desktop. */
  readonly public?: boolean | undefined
  /** Ours: its users see no consent page. */
  readonly firstParty?: boolean | undefined
  /** Registered client metadata; null takes a value out. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** Further names of levels that `default_acr_values` and `minimum_acr` may use. */
  readonly acrAliases?: Readonly<Record<string, Level>> | undefined
}

type Check = (value: unknown, metadata: Readonly<Record<string, unknown>>) => string | undefined
type Aliases = Readonly<Record<string, Level>>

export const SCOPES = ['openid', 'email', 'profile', 'offline_access'] as const
const GRANT_TYPES = ['authorization_code', 'refresh_token', 'client_credentials'] as const
const WITH_SECRET = ['client_secret_basic', 'client_secret_post', 'client_secret_jwt'] as const
const AUTH_METHODS = [...WITH_SECRET, 'private_key_jwt', 'none'] as const

/** Every name that may be registered, and what its value must be. */
function checks(aliases: Aliases): Record<string, Check> {
  const acr = (value: unknown) =>
    typeof value === 'string' && levelOf(value, aliases) !== undefined
      ? undefined
      : 'names a level that is not known here'
  return {
    client_id: value => {
      if (value === OWN_CLIENT_ID) return 'is the one of the pages of this server'
      return typeof value === 'string' && /^[\w.~-]{1,200}$/.test(value)
        ? undefined
        : 'must be letters, digits and - . _ ~'
    },
    client_secret: value =>
      typeof value === 'string' && /^[\x21-\x7e]{16,500}$/.test(value)
        ? undefined
        : 'must be at least 16 characters, without spaces',
    client_secret_expires_at: seconds,
    client_name: value =>
      typeof value === 'string' && /^[^\p{Cc}]{1,100}$/u.test(value.trim())
        ? undefined
        : 'must be one line of 1 to 100 characters',
    client_uri: webUri,
    logo_uri: webUri,
    policy_uri: webUri,
    tos_uri: webUri,
    initiate_login_uri: webUri,
    sector_identifier_uri: webUri,
    jwks_uri: webUri,
    jwks: publicKeys,
    contacts: each(value =>
      /^[^\s@]+@[^\s@]+$/.test(value) ? undefined : `has "${value}", which is no email address`,
    ),
    application_type: oneOf(['web', 'native']),
    redirect_uris: each((value, metadata) => redirectUriFault(value, metadata.application_type === 'native')),
    post_logout_redirect_uris: each((value, metadata) =>
      redirectUriFault(value, metadata.application_type === 'native'),
    ),
    response_types: each(oneOf(['code'])),
    response_modes: each(oneOf(['query', 'fragment', 'form_post'])),
    grant_types: each(oneOf(GRANT_TYPES)),
    scope: value =>
      typeof value === 'string'
        ? value
            .split(' ')
            .map(oneOf([...SCOPES, ...OWN_API_SCOPES]))
            .find(fault => fault !== undefined)
        : 'must be scopes, separated by spaces',
    subject_type: oneOf(['public']),
    id_token_signed_response_alg: oneOf(['ES256', 'RS256']),
    token_endpoint_auth_method: oneOf(AUTH_METHODS),
    token_endpoint_auth_signing_alg: text,
    backchannel_logout_uri: webUri,
    backchannel_logout_session_required: yesOrNo,
    require_auth_time: yesOrNo,
    require_pushed_authorization_requests: yesOrNo,
    dpop_bound_access_tokens: yesOrNo,
    default_max_age: seconds,
    default_acr_values: each(acr),
    // Ours: a floor that no request can lower.
    minimum_acr: acr,
    // Ours: what a scope asks of the authentication.
    scope_rules: value =>
      scopeRulesFault(value) ??
      Object.values(value as ScopeRules)
        .flatMap(rule => rule.acr_values?.split(' ').filter(Boolean) ?? [])
        .map(acr)
        .find(fault => fault !== undefined),
    // Set with the client's actions.
    authorization_details_types: each(oneOf([ACTION_TYPE])),
  }
}

/**
 * The complete metadata of a new client.
 *
 * @throws InputError naming the metadata that cannot be registered
 */
export function registerClient(registration: Registration): StoredClient {
  return complete(asked(registration), registration.firstParty ?? false, registration.acrAliases)
}

/**
 * A client with changes applied. Its id stays; a secret is made where it now needs one, and goes where it does not.
 *
 * @throws InputError naming the metadata that cannot be registered
 */
export function changeClient(client: StoredClient, changes: Registration): StoredClient {
  const wanted = asked(changes)
  const id = client.metadata.client_id
  if (wanted.client_id !== undefined && wanted.client_id !== id) {
    throw new InputError('client_id', 'of a client cannot be changed')
  }
  const merged: Record<string, unknown> = { ...client.metadata, ...wanted }
  // It may have become an app on a device; that it is none is concluded only once it can keep a secret.
  if (merged.application_type === 'web' && wanted.application_type === undefined) {
    delete merged.application_type
  }
  if (changes.public === false && merged.token_endpoint_auth_method === 'none') {
    delete merged.token_endpoint_auth_method
    if (wanted.application_type === undefined) delete merged.application_type
  }
  if (wanted.client_secret === undefined && !needsSecret(merged)) delete merged.client_secret
  return complete(merged, changes.firstParty ?? client.firstParty, changes.acrAliases)
}

function asked(registration: Registration): Record<string, unknown> {
  const flags = {
    client_id: registration.id,
    client_secret: registration.secret,
    client_name: registration.name,
    redirect_uris: registration.redirectUris,
    post_logout_redirect_uris: registration.postLogoutRedirectUris,
    backchannel_logout_uri: registration.backchannelLogoutUri,
    grant_types: registration.grantTypes,
    scope: registration.scope,
    token_endpoint_auth_method: registration.public === true ? 'none' : undefined,
  }
  const given = Object.entries(flags).filter(([, value]) => value !== undefined)
  return { ...registration.metadata, ...Object.fromEntries(given) }
}

function complete(
  given: Readonly<Record<string, unknown>>,
  firstParty: boolean,
  aliases: Aliases = {},
): StoredClient {
  const known = checks({ ...ACR_ALIASES, ...aliases })
  const metadata: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(known, name)) {
      throw new InputError(
        name,
        `is no client metadata that is known here${didYouMean(name, Object.keys(known))}`,
      )
    }
    if (value !== null && value !== undefined) metadata[name] = value
  }

  const isPublic = metadata.token_endpoint_auth_method === 'none'
  const native = isPublic && strings(metadata.redirect_uris).some(uri => !/^https:/i.test(uri))
  metadata.client_id ??= randomText(20)
  metadata.grant_types ??= ['authorization_code', 'refresh_token']
  const logsIn = strings(metadata.grant_types).includes('authorization_code')
  metadata.response_types ??= logsIn ? ['code'] : []
  metadata.redirect_uris ??= []
  metadata.token_endpoint_auth_method ??= 'client_secret_basic'
  metadata.application_type ??= native ? 'native' : 'web'
  metadata.id_token_signed_response_alg ??= 'ES256'
  if (needsSecret(metadata)) metadata.client_secret ??= randomText(SECRET_LENGTH)

  for (const [name, value] of Object.entries(metadata)) {
    const fault = known[name]?.(value, metadata)
    if (fault !== undefined) throw new InputError(name, fault)
  }
  const fault = (name: string, message: string) => {
    throw new InputError(name, message)
  }
  if (metadata.client_name === undefined) fault('client_name', 'is missing: users are shown it')
  if (logsIn && strings(metadata.redirect_uris).length === 0) fault('redirect_uris', 'is missing')
  if (logsIn !== strings(metadata.response_types).includes('code')) {
    fault(
      'response_types',
      'and grant_types do not belong together: code needs authorization_code, and the reverse',
    )
  }
  if (isPublic && strings(metadata.grant_types).includes('client_credentials')) {
    fault('grant_types', 'has client_credentials, which is for clients that can prove who they are')
  }
  const usable = ownApiScopes(metadata as ClientMetadata)
  const scopes = String(metadata.scope).split(' ')
  for (const scope of OWN_API_SCOPES.filter(each => scopes.includes(each) && !usable.includes(each))) {
    const either = ADMIN_SCOPES.includes(scope) ? ', or without client_credentials' : ''
    fault('scope', `has ${scope}, which is for clients of grant_types client_credentials alone${either}`)
  }
  if (metadata.jwks !== undefined && metadata.jwks_uri !== undefined)
    fault('jwks', 'and jwks_uri are both given')
  if (
    metadata.token_endpoint_auth_method === 'private_key_jwt' &&
    metadata.jwks === undefined &&
    metadata.jwks_uri === undefined
  ) {
    fault('jwks', 'or jwks_uri is needed for private_key_jwt')
  }
  if (!needsSecret(metadata) && metadata.client_secret !== undefined) {
    fault(
      'client_secret',
      `is of no use with token_endpoint_auth_method ${String(metadata.token_endpoint_auth_method)}`,
    )
  }
  return { metadata: metadata as ClientMetadata, firstParty }
}

function needsSecret({ token_endpoint_auth_method: method }: Readonly<Record<string, unknown>>): boolean {
  return method === undefined || method === null || WITH_SECRET.some(each => each === method)
}

/** What the library takes for this machine in redirect URIs of native apps (RFC 8252 section 7.3). */
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

/**
 * What is wrong with a redirect URI; undefined: nothing. They are compared character by character, so they must be
 * complete (RFC 9700 section 2.1); plain http stays on this machine.
 */
function redirectUriFault(uri: string, native: boolean): string | undefined {
  const has = `has ${JSON.stringify(uri)}`
  const url = URL.parse(uri)
  if (url === null || /[\s\\\p{Cc}]/u.test(uri) || !/^[a-z][a-z0-9+.-]*:/i.test(uri)) {
    return `${has}, which is no absolute URI`
  }
  if (uri.includes('#')) return `${has}: a fragment is not allowed`
  if (uri.includes('*')) return `${has}: each URI is given in full, there are no wildcards`
  if (url.username !== '' || url.password !== '') return `${has}: a user name or password is not allowed`
  const local = LOOPBACK.includes(url.hostname)
  if (url.protocol === 'https:') {
    return native && local ? `${has}: an app on this machine is reached by http` : undefined
  }
  if (url.protocol === 'http:')
    return local ? undefined : `${has}: http works on this machine only; use https`
  if (!native) return `${has}: only public native apps have a scheme of their own`
  // RFC 8252 section 7.1: a domain name in reverse, so that two apps don't take the same one.
  return url.protocol.includes('.')
    ? undefined
    : `${has}: a scheme of one's own is a reversed domain, com.example.app`
}

function webUri(value: unknown): string | undefined {
  const url = typeof value === 'string' ? URL.parse(value) : null
  const local = url?.protocol === 'http:' && LOOPBACK.includes(url.hostname)
  if (url === null || (url.protocol !== 'https:' && !local) || url.hash !== '') {
    return 'must be an https URL without a fragment (http on this machine only)'
  }
  return url.username === '' && url.password === '' ? undefined : 'must not hold a user name or password'
}

function publicKeys(value: unknown): string | undefined {
  const keys = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : undefined
  if (!Array.isArray(keys) || keys.length === 0) return 'must be a key set: {"keys": [...]}'
  const secretParts = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']
  return keys.some(key => typeof key !== 'object' || key === null || secretParts.some(part => part in key))
    ? 'must hold public keys only'
    : undefined
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? undefined : 'must be a text'
}

function yesOrNo(value: unknown): string | undefined {
  return typeof value === 'boolean' ? undefined : 'must be true or false'
}

function seconds(value: unknown): string | undefined {
  return Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : 'must be a number of seconds'
}

function oneOf(values: readonly string[]): (value: unknown) => string | undefined {
  return value =>
    values.some(each => each === value)
      ? undefined
      : `must be ${values.length === 1 ? '' : 'one of '}${values.join(', ')}, not ${JSON.stringify(value)}`
}

function each(
  check: (value: string, metadata: Readonly<Record<string, unknown>>) => string | undefined,
): Check {
  return (value, metadata) => {
    if (!Array.isArray(value)) return 'must be a list'
    if (new Set(value).size < value.length) return 'has a value twice'
    for (const one of value) {
      const fault = typeof one === 'string' ? check(one, metadata) : 'must hold texts only'
      if (fault !== undefined) return fault
    }
    return undefined
  }
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(one => typeof one === 'string') : []
}

const LETTERS_AND_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
/** 48 of 62 characters: 285 bits. */
const SECRET_LENGTH = 48

/** Letters and digits only: clients disagree on how others are encoded in the Authorization header. */
export function randomText(length: number): string {
  return Array.from({ length }, () => LETTERS_AND_DIGITS[randomInt(LETTERS_AND_DIGITS.length)]).join('')
}

/**
 * Registers a client.
 *
 * @throws InputError naming the metadata that cannot be registered, or `client_id` if it is taken
 */
export async function createClient(directory: Directory, registration: Registration): Promise<StoredClient> {
  const { database, keyring, clock, actor } = directory
  const client = registerClient(registration)
  const now = clock()
  const { client_id, client_name } = client.metadata
  const details = { client_id, client_name: String(client_name), first_party: client.firstParty }
  try {
    await database.commit([
      createClients(database, keyring, clock).insert(client, now),
      auditRow({ event: 'client.created', actorId: actor, details }, now),
    ])
  } catch (error) {
    if (error instanceof CommitRefused) throw new InputError('client_id', `${client_id} is taken`)
    throw error
  }
  return client
}

/**
 * Changes a registered client. Running servers follow within seconds.
 *
 * @returns the client, and whether its secret is a new one
 * @throws InputError naming the metadata that cannot be registered, or `client_id` if there is no such client
 */
export async function updateClient(
  directory: Directory,
  id: string,
  changes: Registration,
): Promise<{ client: StoredClient; newSecret: boolean }> {
  const { database, keyring, clock, actor } = directory
  const clients = createClients(database, keyring, clock)
  const before = await clients.find(id)
  if (before === undefined) throw new InputError('client_id', `${id} is no client`)
  const client = changeClient(before, changes)
  const now = clock()
  const names = new Set([...Object.keys(before.metadata), ...Object.keys(client.metadata)])
  const changed = [...names].filter(
    name => JSON.stringify(before.metadata[name]) !== JSON.stringify(client.metadata[name]),
  )
  if (before.firstParty !== client.firstParty) changed.push('first_party')
  await database.commit([
    clients.update(client, now),
    auditRow({ event: 'client.updated', actorId: actor, details: { client_id: id, changed } }, now),
  ])
  return {
    client,
    newSecret: changed.includes('client_secret') && client.metadata.client_secret !== undefined,
  }
}
