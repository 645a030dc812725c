// The API that Sallyport itself is: its resource indicator, and who may have tokens for it. No row says so, but the
// registration of the client: the operator gave it the scope. An app that users log in to cannot have it.

import type { ClientMetadata } from './clients.ts'

export const OWN_API_SCOPE = 'sallyport:organisations'

/** The resource indicator (RFC 8707), and the audience of the tokens. */
export function ownApi(issuer: string): string {
  return `${issuer}/api`
}

export function mayUseOwnApi({ scope, grant_types: grants }: ClientMetadata): boolean {
  const scopes = typeof scope === 'string' ? scope.split(' ') : []
  return (
    scopes.includes(OWN_API_SCOPE) &&
    Array.isArray(grants) &&
    grants.length === 1 &&
    grants[0] === 'client_credentials'
  )
}
