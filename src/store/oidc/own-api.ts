// The API that Sallyport itself is: its resource indicator, its scopes, and who may have tokens for it. No row says so,
// but the registration of the client: the operator gave it the scopes. A client is a program of the vendor's, which acts
// by itself in every organisation, or an app, in which an organisation's admins act in their own; never both, or an app
// would do by itself what its users may not.

import type { ClientMetadata } from './clients.ts'

export const OWN_API_SCOPE = {
  organisations: 'sallyport:organisations',
  users: 'sallyport:users',
  resets: 'sallyport:second-factor-resets',
  audit: 'sallyport:audit',
} as const
export type OwnApiScope = (typeof OWN_API_SCOPE)[keyof typeof OWN_API_SCOPE]
export const OWN_API_SCOPES: readonly OwnApiScope[] = Object.values(OWN_API_SCOPE)

/** What an organisation's admin may have a token for; the rest is for programs by themselves. */
export const ADMIN_SCOPES: readonly OwnApiScope[] = OWN_API_SCOPES.filter(
  each => each !== OWN_API_SCOPE.organisations,
)

/** The resource indicator (RFC 8707), and the audience of the tokens. */
export function ownApi(issuer: string): string {
  return `${issuer}/api`
}

/** The scopes that a client may have tokens for, of those that it is registered with. */
export function ownApiScopes({ scope, grant_types: grants }: ClientMetadata): readonly OwnApiScope[] {
  const registered = typeof scope === 'string' ? scope.split(' ') : []
  const byItself = Array.isArray(grants) && grants.includes('client_credentials')
  const may = !byItself ? ADMIN_SCOPES : grants.length === 1 ? OWN_API_SCOPES : []
  return may.filter(each => registered.includes(each))
}
