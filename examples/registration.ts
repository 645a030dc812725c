// Registers the demo app with a server, its API and what its users confirm: what `client create`, `api create` and
// `client actions set` do, by the same functions.

import { actionsOf, setActions } from '../src/actions/registration.ts'
import { checkActions } from '../src/actions/registry.ts'
import { createApi } from '../src/apis.ts'
import { randomText } from '../src/clients.ts'
import type { Directory } from '../src/organisations/directory.ts'
import { createApis } from '../src/store/oidc/apis.ts'
import { createClients } from '../src/store/oidc/clients.ts'
import { demoActions, demoApi, demoClient } from './demo/app.ts'

export const CLIENT_ID = 'demo'

/**
 * Registers the app, again at every start.
 *
 * @param origin where browsers reach it
 * @returns its secret, a new one each time: nobody else needs it
 */
export async function registerDemo(directory: Directory, origin: string): Promise<string> {
  const { database, keyring, clock } = directory
  const clients = createClients(database, keyring, clock)
  const secret = randomText(43)
  const known = await clients.find(CLIENT_ID)
  const client = {
    metadata: { ...known?.metadata, ...demoClient(origin), client_id: CLIENT_ID, client_secret: secret },
    firstParty: true,
  }
  await database.commit([
    known === undefined ? clients.insert(client, clock()) : clients.update(client, clock()),
  ])

  const api = demoApi(origin)
  if ((await createApis(database, clock).find(api.resource)) === undefined) {
    await createApi(directory, { ...api, clients: [CLIENT_ID] })
  }
  const actions = checkActions(await demoActions())
  if (JSON.stringify(await actionsOf(directory, CLIENT_ID)) !== JSON.stringify(actions)) {
    await setActions(directory, CLIENT_ID, actions)
  }
  return secret
}
