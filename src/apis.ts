// Which APIs may be registered, and how. An API is what access tokens are for: its resource indicator (RFC 8707) is
// their audience, its scopes are what they allow. One whose tokens say nothing by themselves gets a client of its own,
// by which it asks what they are worth (RFC 7662).

import { registerClient, SCOPES } from './clients.ts'
import { type Directory, InputError } from './organisations/directory.ts'
import { auditRow } from './store/audit/audit.ts'
import { CommitRefused } from './store/database.ts'
import { type Api, createApis } from './store/oidc/apis.ts'
import { type ClientMetadata, createClients } from './store/oidc/clients.ts'

export interface ApiInput {
  readonly resource: string
  readonly name?: string | undefined
  readonly scopes: readonly string[]
  readonly opaque?: boolean | undefined
  /** Apps that may have tokens for it; none: every registered one. */
  readonly clients?: readonly string[] | undefined
}

export interface CreatedApi {
  readonly api: Api
  /** Of an opaque API: the client that it introspects by. Its secret is told once. */
  readonly introspection: ClientMetadata | undefined
}

/**
 * Registers an API. Running servers follow within seconds.
 *
 * @throws InputError naming what cannot be registered
 */
export async function createApi(directory: Directory, input: ApiInput): Promise<CreatedApi> {
  const { database, keyring, clock, actor } = directory
  const clients = createClients(database, keyring, clock)
  const name = input.name?.trim()
  const resource = checkResource(input.resource)
  if (name !== undefined && !/^[^\p{Cc}]{1,100}$/u.test(name)) {
    throw new InputError('api_name', 'must be one line of 1 to 100 characters')
  }
  for (const id of input.clients ?? []) {
    if ((await clients.find(id)) === undefined) throw new InputError('client', `${id} is not registered`)
  }
  const own = input.opaque
    ? registerClient({ name: `API ${name ?? resource}`.slice(0, 100), metadata: { grant_types: [] } })
    : undefined
  const api: Api = {
    resource,
    name,
    scopes: checkScopes(input.scopes),
    opaque: input.opaque === true,
    introspectedBy: own?.metadata.client_id,
    clients: [...new Set(input.clients)],
  }
  const now = clock()
  const details = { resource, scopes: api.scopes, opaque: api.opaque, clients: api.clients }
  try {
    await database.commit([
      ...(own === undefined ? [] : [clients.insert(own, now)]),
      ...createApis(database, clock).insert(api, now),
      auditRow({ event: 'api.created', actorId: actor, details }, now),
    ])
  } catch (error) {
    if (error instanceof CommitRefused) throw new InputError('resource', `${resource} is taken`)
    throw error
  }
  return { api, introspection: own?.metadata }
}

/** An absolute URI without a fragment (RFC 8707 section 2), written as browsers and servers write it. */
function checkResource(text: string): string {
  const url = URL.parse(text)
  if (url === null || text.length > 500 || /[\s\p{Cc}]/u.test(text) || !/^[a-z][a-z0-9+.-]*:/.test(text)) {
    throw new InputError('resource', 'must be an absolute URI, such as https://api.example.com/')
  }
  if (text.includes('#')) throw new InputError('resource', 'must not have a fragment')
  if (url.username !== '' || url.password !== '') {
    throw new InputError('resource', 'must not hold a user name or password')
  }
  return text
}

function checkScopes(scopes: readonly string[]): string[] {
  for (const scope of scopes) {
    // RFC 6749 section 3.3
    if (!/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(scope)) {
      throw new InputError('scopes', 'must be scopes, separated by spaces, such as devices:read')
    }
    if (SCOPES.some(each => each === scope)) {
      throw new InputError('scopes', `has ${scope}, which is OpenID’s own`)
    }
  }
  if (scopes.join(' ').length > 2000) throw new InputError('scopes', 'must be at most 2000 characters')
  return [...new Set(scopes)]
}
