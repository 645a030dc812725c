// Grants: what an app may have of a user. First-party apps get what they ask for; others ask the user, on the consent
// page.

import type { KoaContextWithOIDC, default as Provider } from 'oidc-provider'
import type { ConsentItem } from '../http/locals/parts.ts'
import type { ViewLocals } from '../http/locals.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'
import type { StoredClient } from '../store/oidc/clients.ts'
import { OWN_API_SCOPE } from '../store/oidc/own-api.ts'
import type { Texts } from '../texts.ts'

type Grant = InstanceType<KoaContextWithOIDC['oidc']['provider']['Grant']>
type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>

/** What the library found missing from the grant. */
interface Missing {
  readonly missingOIDCScope?: readonly string[]
  readonly missingOIDCClaims?: readonly string[]
  readonly missingResourceScopes?: Readonly<Record<string, readonly string[]>>
}

/** Of scopes that people have words for: an icon, and the last part of the key of those words. */
const WORDS = {
  openid: ['key', 'openid'],
  email: ['mail', 'email'],
  profile: ['user', 'profile'],
  offline_access: ['clock', 'offline_access'],
  [OWN_API_SCOPE.users]: ['building', 'users'],
  [OWN_API_SCOPE.resets]: ['shield', 'resets'],
  [OWN_API_SCOPE.audit]: ['list', 'audit'],
} as const

/** The consent page: who asks, for what, and where the answer goes. */
export function consentPage(
  { texts, paths }: Services,
  { uid, params }: Interaction,
  client: StoredClient,
  account: Account,
): ViewLocals['consent'] {
  return {
    action: paths.interaction(uid, 'consent'),
    app: String(client.metadata.client_name ?? client.metadata.client_id),
    email: account.email,
    host: new URL(String(params.redirect_uri)).host || String(params.redirect_uri),
    scopes: scopesInWords(
      texts,
      String(params.scope ?? '')
        .split(' ')
        .filter(Boolean),
    ),
  }
}

/** What scopes let an app do, in the words of the consent page. */
export function scopesInWords(texts: Texts, scopes: readonly string[]): ConsentItem[] {
  return scopes.map(scope => {
    if (!Object.hasOwn(WORDS, scope)) return { text: texts.t('consent.scope.other', { scope }) }
    const [icon, words] = WORDS[scope as keyof typeof WORDS]
    return { icon, text: texts.t(`consent.scope.${words}`) }
  })
}

/** Stores what the user allowed. @returns the grant's id */
export async function allow(provider: Provider, details: Interaction): Promise<string> {
  const accountId = details.session?.accountId
  if (accountId === undefined) throw new Error('consent without a session')
  const known = details.grantId === undefined ? undefined : await provider.Grant.find(details.grantId)
  const grant = known ?? new provider.Grant({ accountId, clientId: String(details.params.client_id) })
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = details.prompt.details as Missing
  if (missingOIDCScope !== undefined) grant.addOIDCScope(missingOIDCScope.join(' '))
  if (missingOIDCClaims !== undefined) grant.addOIDCClaims([...missingOIDCClaims])
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '))
  }
  return grant.save()
}

/**
 * The grant of this user and app, as the session knows it; made, or widened, for a first-party app.
 *
 * @returns undefined if there is none and the user must be asked
 */
export async function loadGrant(services: Services, ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
  const { client, session, provider, result } = ctx.oidc
  if (client === undefined || session?.accountId === undefined) return undefined
  const consented = (result as { consent?: { grantId?: string } } | undefined)?.consent?.grantId
  const grantId = consented ?? session.grantIdFor(client.clientId)
  const existing = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  if (!(await services.clients.find(client.clientId))?.firstParty) return existing
  const grant =
    existing?.accountId === session.accountId
      ? existing
      : new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
  const asked = [...ctx.oidc.requestParamOIDCScopes]
  const held = new Set(grant.getOIDCScope().split(' '))
  const claims = [...ctx.oidc.requestParamClaims]
  const missing = resourceScopesMissing(ctx, grant)
  const complete = asked.every(each => held.has(each)) && claims.length === 0 && missing.length === 0
  if (existing === grant && complete) return grant
  grant.addOIDCScope(asked.join(' '))
  if (claims.length > 0) grant.addOIDCClaims(claims)
  for (const [resource, scopes] of missing) grant.addResourceScope(resource, scopes.join(' '))
  await grant.save()
  return grant
}

/** Scopes of the APIs of this request that are asked for and not granted yet. */
function resourceScopesMissing(ctx: KoaContextWithOIDC, grant: Grant): [string, string[]][] {
  const asked = [...ctx.oidc.requestParamScopes]
  return Object.entries(ctx.oidc.resourceServers ?? {}).flatMap(([resource, server]) => {
    const held = new Set(grant.getResourceScope(resource).split(' '))
    const scopes = asked.filter(each => server.scopes.has(each) && !held.has(each))
    return scopes.length === 0 ? [] : [[resource, scopes] as [string, string[]]]
  })
}
