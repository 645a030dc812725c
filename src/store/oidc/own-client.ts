// The client that Sallyport's own pages log in by (law 5). It is in no table, so nobody can change or delete it, and
// no registered client can take its place: the id is looked up here before anywhere else. It gets no code and no token:
// `response_type=none` says only that the browser's session now meets what was asked.

import type { Clients, StoredClient } from './clients.ts'

export const OWN_CLIENT_ID = 'sallyport-pages'

export interface OwnClient {
  /** What users read on the way: "to go on to …". */
  readonly name: string
  /** Where the answer comes back, and where one is after logging out; complete addresses. */
  readonly returnUri: string
  readonly logoutUri: string
  /** A page to go back to from an error; absent where there is none. */
  readonly home?: string | undefined
  /** What else a provider that has rules of its own wants of a client. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

export function ownClient({ name, returnUri, logoutUri, home, metadata }: OwnClient): StoredClient {
  return {
    firstParty: true,
    metadata: {
      client_id: OWN_CLIENT_ID,
      client_name: name,
      redirect_uris: [returnUri],
      post_logout_redirect_uris: [logoutUri],
      grant_types: [],
      response_types: ['none'],
      token_endpoint_auth_method: 'none',
      scope: 'openid',
      ...(home === undefined ? {} : { client_uri: home }),
      ...metadata,
    },
  }
}

/** Clients with our own before them. @param own is made anew for each use: its name is in the request's language */
export function withOwnClient(clients: Clients, own: () => StoredClient): Clients {
  return { ...clients, find: async id => (id === OWN_CLIENT_ID ? own() : clients.find(id)) }
}
