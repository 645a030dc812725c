// The client of our own pages in somebody else's provider: found before the host's clients, and registered so that
// the host's rules for clients take it. Leaves out what it is for (store/oidc/own-client.ts, http/session.ts).

import type { Adapter, Configuration } from 'oidc-provider'
import { randomText } from './clients.ts'
import { AppError } from './errors.ts'
import type { Clients } from './store/oidc/clients.ts'
import { OWN_CLIENT_ID } from './store/oidc/own-client.ts'

/** The host's adapter for clients, asked for every client but ours; everything else is the host's as it was. */
export function ownClientFirst(theirs: Adapter, clients: Clients): Adapter {
  const find: Adapter['find'] = async id =>
    id === OWN_CLIENT_ID ? (await clients.find(id))?.metadata : theirs.find(id)
  return new Proxy(theirs, {
    get(target, name) {
      if (name === 'find') return find
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/**
 * What the host's provider wants of the client: an algorithm that it has a key for, a way to prove itself.
 *
 * @throws AppError `plugin_conflict`
 */
export function ownClientMetadata(host: Configuration): Record<string, unknown> {
  const metadata: Record<string, unknown> = {}
  const methods = host.clientAuthMethods === undefined ? ['none'] : [...host.clientAuthMethods]
  if (!methods.includes('none')) {
    const method = methods.find(each => each.startsWith('client_secret_'))
    if (method === undefined) {
      throw new AppError('plugin_conflict', 'clientAuthMethods has neither none nor one with a client secret')
    }
    // It has nothing to fetch from the token endpoint: nobody needs to know the secret.
    Object.assign(metadata, { token_endpoint_auth_method: method, client_secret: randomText(48) })
  }
  if (host.clientDefaults?.id_token_signed_response_alg === undefined) {
    const keys = (host.jwks?.keys ?? []) as readonly { kty?: string; crv?: string }[]
    const algorithms = host.enabledJWA?.idTokenSigningAlgValues ?? ['RS256', 'PS256', 'ES256', 'Ed25519']
    const algorithm = [...algorithms].find(each => keys.some(key => fits(each, key)))
    // It is never used either, but the library's default has to have a key.
    if (algorithm !== undefined) metadata.id_token_signed_response_alg = algorithm
  }
  return metadata
}

const CURVES: Readonly<Record<string, string>> = {
  ES256: 'P-256',
  ES384: 'P-384',
  ES512: 'P-521',
  Ed25519: 'Ed25519',
  EdDSA: 'Ed25519',
}

function fits(algorithm: string, { kty, crv }: { kty?: string; crv?: string }): boolean {
  return /^[RP]S/.test(algorithm) ? kty === 'RSA' : crv !== undefined && CURVES[algorithm] === crv
}
