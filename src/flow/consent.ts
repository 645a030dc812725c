// Grants: what an app may have of a user. First-party apps get what they ask for; others ask the user, on the consent
// page.

import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Services } from '../services.ts'

type Grant = InstanceType<KoaContextWithOIDC['oidc']['provider']['Grant']>

/**
 * The grant of this user and app, as the session knows it; made, or widened, for a first-party app.
 *
 * @returns undefined if there is none and the user must be asked
 */
export async function loadGrant(services: Services, ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
  const { client, session, provider, result, params } = ctx.oidc
  if (client === undefined || session?.accountId === undefined) return undefined
  const consented = (result as { consent?: { grantId?: string } } | undefined)?.consent?.grantId
  const grantId = consented ?? session.grantIdFor(client.clientId)
  const existing = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  if (!(await services.clients.find(client.clientId))?.firstParty) return existing
  const grant =
    existing?.accountId === session.accountId
      ? existing
      : new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
  const asked = String(params?.scope ?? '')
    .split(' ')
    .filter(Boolean)
  const held = new Set(grant.getOIDCScope().split(' '))
  const claims = [...ctx.oidc.requestParamClaims]
  if (existing === grant && asked.every(each => held.has(each)) && claims.length === 0) return grant
  grant.addOIDCScope(asked.join(' '))
  if (claims.length > 0) grant.addOIDCClaims(claims)
  await grant.save()
  return grant
}
