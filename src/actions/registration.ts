// Setting an app's actions; each change is committed with its audit row. Leaves out what an organisation demands beyond
// them (organisation-rules.ts).

import { type Directory, InputError } from '../organisations/directory.ts'
import { auditRow } from '../store/audit/audit.ts'
import { createClients, type StoredClient } from '../store/oidc/clients.ts'
import { ACTION_TYPE } from './binding.ts'
import { checkActions, type ProtectedAction } from './registry.ts'
import { ruleText } from './rules.ts'

/**
 * Sets the actions of an app, in place of those it had. Running servers follow within seconds.
 *
 * @param value a list of actions, as {@link checkActions} takes it
 * @throws InputError naming what cannot be set, or `client` if there is none
 */
export async function setActions(
  directory: Directory,
  clientId: string,
  value: unknown,
): Promise<ProtectedAction[]> {
  const { database, clock, actor } = directory
  const client = await clientOf(directory, clientId)
  const actions = checkActions(value)
  const { authorization_details_types: _, ...metadata } = client.metadata
  // The library refuses the details of a client that is not registered for their type.
  const types = actions.length === 0 ? {} : { authorization_details_types: [ACTION_TYPE] }
  const now = clock()
  const details = {
    client_id: clientId,
    actions: actions.map(each => `${each.id} ${ruleText(each.rule)}`),
  }
  await database.commit([
    createClients(database, directory.keyring, clock).setActions(
      { ...client, metadata: { ...metadata, ...types } },
      actions,
      now,
    ),
    auditRow({ event: 'client.actions_set', actorId: actor, details }, now),
  ])
  return actions
}

/** @throws InputError `client` if there is none */
export async function actionsOf(directory: Directory, clientId: string): Promise<readonly ProtectedAction[]> {
  return (await clientOf(directory, clientId)).actions ?? []
}

async function clientOf({ database, keyring, clock }: Directory, id: string): Promise<StoredClient> {
  const client = await createClients(database, keyring, clock).find(id)
  if (client === undefined) throw new InputError('client', `${id} is no client`)
  return client
}
