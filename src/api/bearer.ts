// Who may use the API, by an access token for it (RFC 6750): the vendor's programs by client credentials, in every
// organisation; an organisation's admins by the token of an app that they act in, in their own, with two factors (RFC
// 9470). The token is opaque and looked up at each request, and so are its client and its user: whoever is reset,
// deactivated or no admin any more, what is revoked, or registered no more, ends at once. A token that is bound to a key
// (RFC 9449, RFC 8705) is no bearer token.

import type { Context } from 'koa'
import { ACR, LEVELS, levelOf } from '../flow/assurance.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'
import { OWN_API_SCOPE, type OwnApiScope, ownApi, ownApiScopes } from '../store/oidc/own-api.ts'
import { clientActor } from '../store/organisations/actor.ts'
import { type Organisation, readOrganisation } from '../store/organisations/organisations.ts'
import { ApiProblem } from './problem.ts'
import { ID } from './schemas.ts'

/** What is used of the library's tokens. */
interface Token {
  readonly clientId?: string | undefined
  readonly accountId?: string | undefined
  readonly aud?: string | readonly string[] | undefined
  readonly scope?: string | undefined
  readonly jkt?: string | undefined
  readonly 'x5t#S256'?: string | undefined
  readonly isValid?: boolean
  /** Of a user's: what its authorization request came to. */
  readonly extra?: { readonly acr?: unknown; readonly auth_time?: unknown } | undefined
}
type Known = Token & { readonly clientId: string }
export interface Tokens {
  readonly AccessToken: { find(value: string): Promise<object | undefined> }
  readonly ClientCredentials: { find(value: string): Promise<object | undefined> }
}

export interface Caller {
  readonly clientId: string
  /** The admin who acts in an app; undefined: the client acts by itself. */
  readonly accountId: string | undefined
  /** As the audit log names them. */
  readonly actor: string
}

/** Whoever asks, and in which organisation. */
export interface CallerIn extends Caller {
  readonly organisationId: string
}

export interface Access {
  /** Lets a program in that looks after organisations. @throws ApiProblem */
  toOrganisations(ctx: Context): Promise<Caller>
  /**
   * Lets a program, or an admin of the organisation that the path names, in.
   *
   * @param scopes any one of them
   * @param maxAge seconds; the second factor of an admin must be at most this old
   * @throws ApiProblem
   */
  toOrganisation(
    ctx: Context,
    scopes: readonly [OwnApiScope, ...OwnApiScope[]],
    maxAge?: number,
  ): Promise<CallerIn>
}

export const NO_ORGANISATION = 'There is no such organisation.'
/** What a server's clock may be behind another's. Seconds. */
const CLOCK_SKEW = 15

export function createAccess({ AccessToken, ClientCredentials }: Tokens, services: Services): Access {
  const { accounts, clients, clock, config, database } = services

  async function tokenOf(ctx: Context, scopes: readonly [OwnApiScope, ...OwnApiScope[]]): Promise<Known> {
    const header = ctx.get('authorization')
    if (header === '') throw refused('There is no Authorization header.')
    const value = /^Bearer ([\w.~+/-]+=*)$/i.exec(header)?.[1]
    if (value === undefined) throw refused('The Authorization header must be: Bearer, a space, the token.')
    // Of whichever kind it is, it is looked up once.
    const token = ((await ClientCredentials.find(value)) ?? (await AccessToken.find(value))) as
      | Token
      | undefined
    const bound = token?.jkt !== undefined || token?.['x5t#S256'] !== undefined
    if (
      token?.clientId === undefined ||
      token.isValid === false ||
      bound ||
      token.aud !== ownApi(config.issuer)
    ) {
      throw refused('The access token is unknown, has expired, or is for something else.', 'invalid_token')
    }
    const client = await clients.find(token.clientId)
    if (client === undefined) throw refused('The client is not registered any more.', 'invalid_token')
    const granted = token.scope?.split(' ') ?? []
    const held = ownApiScopes(client.metadata).filter(each => granted.includes(each))
    if (!scopes.some(each => held.includes(each))) {
      throw new ApiProblem('insufficient_scope', `The scope ${scopes.join(' or ')} is needed.`, {
        headers: { 'WWW-Authenticate': challenge('insufficient_scope', `scope="${scopes[0]}"`) },
      })
    }
    const { clientId, accountId, extra } = token
    return { clientId, accountId, extra }
  }

  /** What the token's authorization request came to was derived from what its user had proven then, and when. */
  function requireTwoFactors({ extra }: Token, maxAge: number | undefined): void {
    const level = typeof extra?.acr === 'string' ? levelOf(extra.acr, config.acrAliases) : undefined
    const strong = level !== undefined && LEVELS.indexOf(level) >= LEVELS.indexOf('2fa')
    const age =
      typeof extra?.auth_time === 'number' ? Math.floor(clock() / 1000) - extra.auth_time : Number.NaN
    if (strong && (maxAge === undefined || (age <= maxAge && age >= -CLOCK_SKEW))) return
    const asked = [`acr_values="${ACR['2fa']}"`, ...(maxAge === undefined ? [] : [`max_age=${maxAge}`])]
    throw new ApiProblem(
      'insufficient_user_authentication',
      maxAge === undefined
        ? 'The user must have proven themselves with two factors.'
        : `The user must have proven themselves with a second factor within ${maxAge} seconds.`,
      { headers: { 'WWW-Authenticate': challenge('insufficient_user_authentication', ...asked) } },
    )
  }

  return {
    async toOrganisations(ctx) {
      const { clientId, accountId } = await tokenOf(ctx, [OWN_API_SCOPE.organisations])
      // No app can have the scope; were it so, its users may not have what it opens.
      if (accountId !== undefined) throw refused('The access token is a user’s.', 'invalid_token')
      return { clientId, accountId, actor: clientActor(clientId) }
    },
    async toOrganisation(ctx, scopes, maxAge) {
      const token = await tokenOf(ctx, scopes)
      const { clientId, accountId } = token
      if (accountId === undefined) {
        const { id } = known(await readOrganisation(database, idOf(ctx)))
        return { clientId, accountId, actor: clientActor(clientId), organisationId: id }
      }
      requireTwoFactors(token, maxAge)
      // As it came with the token: what this request goes by is one state of the database.
      const organisationId = administeredBy(await accounts.find(accountId))
      if (organisationId === undefined || organisationId !== ctx.params.id) throw nothingThere()
      return { clientId, accountId, actor: accountId, organisationId }
    },
  }
}

function administeredBy(account: Account | undefined): string | undefined {
  if (account?.status !== 'active' || account.role !== 'admin') return undefined
  return account.organisationId ?? undefined
}

function challenge(error: string | undefined, ...more: readonly string[]): string {
  return ['Bearer realm="sallyport"', ...(error === undefined ? [] : [`error="${error}"`]), ...more].join(
    ', ',
  )
}

function refused(detail: string, error?: string): ApiProblem {
  return new ApiProblem('invalid_token', detail, { headers: { 'WWW-Authenticate': challenge(error) } })
}

function nothingThere(): ApiProblem {
  return new ApiProblem('not_found', NO_ORGANISATION)
}

/** The id that the path names. @throws ApiProblem for what is the id of nothing */
export function idOf(ctx: Context): string {
  const id = String(ctx.params.id)
  if (!ID.test(id)) throw nothingThere()
  return id
}

/** @throws ApiProblem where there is none */
export function known(organisation: Organisation | undefined): Organisation {
  if (organisation === undefined) throw nothingThere()
  return organisation
}
