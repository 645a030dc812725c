// The protected action that an authorization request asks to have confirmed, as its app has registered it and the
// user's organisation has tightened it.

import { type Read, readAction } from '../actions/requested.ts'
import type { Services } from '../services.ts'

/**
 * @param organisationId the user's
 * @returns undefined for a request without an action
 */
export async function requestedAction(
  { clients, actionRules }: Pick<Services, 'clients' | 'actionRules'>,
  params: { readonly authorization_details?: unknown; readonly client_id?: unknown },
  organisationId: string | null | undefined,
): Promise<Read | undefined> {
  if (params.authorization_details === undefined) return undefined
  const clientId = String(params.client_id)
  const actions = (await clients.find(clientId))?.actions
  // In a host's deployment the details may be of the host's own types.
  if (actions === undefined) return undefined
  const tightened = organisationId ? await actionRules(organisationId) : []
  return readAction(
    params.authorization_details,
    actions,
    tightened.filter(each => each.clientId === clientId),
  )
}
