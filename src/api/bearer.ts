// Who may use the API: clients with an access token that they got for it by client credentials (RFC 6750). The token is
// opaque and looked up at each request, and so is its client: what is revoked, or registered no more, ends at once. A
// token that is bound to a key (RFC 9449, RFC 8705) is no bearer token. Leaves out tokens of users.

import type { Context } from 'koa'
import type { Services } from '../services.ts'
import { mayUseOwnApi, OWN_API_SCOPE, ownApi } from '../store/own-api.ts'
import { ApiProblem } from './problem.ts'

/** What is used of the library's tokens. */
interface ClientToken {
  readonly clientId?: string | undefined
  readonly aud?: string | readonly string[] | undefined
  readonly scope?: string | undefined
  readonly jkt?: string | undefined
  readonly 'x5t#S256'?: string | undefined
  readonly isValid?: boolean
}
export interface ClientTokens {
  readonly ClientCredentials: { find(value: string): Promise<object | undefined> }
}

/** @returns the client's id. @throws ApiProblem */
export async function requireClient(
  { ClientCredentials }: ClientTokens,
  { clients, config }: Services,
  ctx: Context,
): Promise<string> {
  const header = ctx.get('authorization')
  const refuse = (detail: string, error?: string): ApiProblem => {
    const challenge = ['Bearer realm="sallyport"', ...(error === undefined ? [] : [`error="${error}"`])]
    const headers = { 'WWW-Authenticate': challenge.join(', ') }
    return new ApiProblem('invalid_token', detail, { headers })
  }
  if (header === '') throw refuse('There is no Authorization header.')
  const value = /^Bearer ([\w.~+/-]+=*)$/i.exec(header)?.[1]
  if (value === undefined) throw refuse('The Authorization header must be: Bearer, a space, the token.')
  const token = (await ClientCredentials.find(value)) as ClientToken | undefined
  const bound = token?.jkt !== undefined || token?.['x5t#S256'] !== undefined
  if (
    token?.clientId === undefined ||
    token.isValid === false ||
    bound ||
    token.aud !== ownApi(config.issuer)
  ) {
    throw refuse('The access token is unknown, has expired, or is for something else.', 'invalid_token')
  }
  const client = await clients.find(token.clientId)
  if (client === undefined) throw refuse('The client is not registered any more.', 'invalid_token')
  if (!token.scope?.split(' ').includes(OWN_API_SCOPE) || !mayUseOwnApi(client.metadata)) {
    const challenge = `Bearer realm="sallyport", error="insufficient_scope", scope="${OWN_API_SCOPE}"`
    throw new ApiProblem('insufficient_scope', `The scope ${OWN_API_SCOPE} is needed.`, {
      headers: { 'WWW-Authenticate': challenge },
    })
  }
  return token.clientId
}
