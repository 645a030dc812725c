// The library's Rich Authorization Requests (RFC 9396) and resource indicators (RFC 8707), as protected actions need
// them, set up here and nowhere else: by itself the library would let whoever asks have details in a token. An action
// reaches a token by one way only: the code of the authorization request in which its rule was met.

import { randomBytes } from 'node:crypto'
import {
  type Configuration,
  errors,
  type KoaContextWithOIDC,
  type RichAuthorizationRequestsActiveConfiguration,
} from 'oidc-provider'
import { actionOf, actionShown } from '../flow/policy.ts'
import type { Services } from '../services.ts'
import { spend } from '../store/accounts/credentials.ts'
import { auditRow } from '../store/audit/audit.ts'
import { type Api, mayUse } from '../store/oidc/apis.ts'
import { ownApi, ownApiScopes } from '../store/oidc/own-api.ts'
import { unit } from '../store/unit-of-work.ts'
import { ACTION_TYPE, type ActionRequest, actionHash } from './binding.ts'
import { detailsOf, isAction, readAction } from './requested.ts'
import { demandOf, lacking } from './rules.ts'

type Features = NonNullable<Configuration['features']>
type RichAuthorization = RichAuthorizationRequestsActiveConfiguration & {
  authorizationDetailsForIntrospection: NonNullable<
    RichAuthorizationRequestsActiveConfiguration['authorizationDetailsForIntrospection']
  >
}
type Resources = NonNullable<Features['resourceIndicators']>

/** The whole parameter, in bytes. Longer ones make addresses that servers and browsers cut: they are pushed (RFC 9126). */
const MOST_IN_AN_ADDRESS = 2048
/** The library reads bodies of 56 kB, in which most of what is quoted takes three times its size. */
const MOST_PUSHED = 48 * 1024
/** A proof is for what is done next. Seconds. */
export const PROOF_SECONDS = 300
/** Nobody comes back to an authorization request after that. */
const REQUEST_MS = 60 * 60 * 1000

/** What the library keeps with a code or a token. */
interface Source {
  readonly kind?: string
  readonly rar?: readonly unknown[] | undefined
}

/** `features.richAuthorizationRequests`: protected actions are the one type. */
export function actionDetails(services: Services) {
  return {
    enabled: true,
    types: {
      [ACTION_TYPE]: {
        validate: (ctx: KoaContextWithOIDC, _: unknown, client: { clientId: string }) =>
          validate(services, ctx, client.clientId),
      },
    },
    authorizationDetailsForGrantSource: (ctx: KoaContextWithOIDC) => confirmedDetails(services, ctx),
    authorizationDetailsForAccessToken: (
      ctx: KoaContextWithOIDC,
      _: unknown,
      source: Source | undefined,
      grantType: string,
    ) => detailsOfToken(ctx, source, grantType),
    authorizationDetailsForIntrospection: (_: unknown, token: Source) =>
      token.kind === 'AccessToken' ? token.rar : undefined,
  } as unknown as RichAuthorization
}

type HostDetails = NonNullable<Features['richAuthorizationRequests']>

/**
 * Our type beside a host's own. A request is either of the host's types, and the host's callbacks answer for it, or it
 * holds one action and nothing else.
 */
export function besideHost(ours: RichAuthorization, host: HostDetails | undefined): RichAuthorization {
  if (host?.enabled !== true) return ours
  const isOurs = (details: readonly unknown[] | undefined) => details?.some(isAction) === true
  return {
    ...host,
    ...ours,
    types: { ...host.types, ...ours.types },
    authorizationDetailsForGrantSource: (ctx, source) =>
      isOurs(detailsOf(ctx.oidc.params?.authorization_details))
        ? ours.authorizationDetailsForGrantSource(ctx, source)
        : host.authorizationDetailsForGrantSource?.(ctx, source),
    authorizationDetailsForAccessToken: (ctx, token, source, grantType) =>
      isOurs(detailsOf(ctx.oidc.params?.authorization_details)) || isOurs((source as Source | undefined)?.rar)
        ? ours.authorizationDetailsForAccessToken(ctx, token, source, grantType)
        : host.authorizationDetailsForAccessToken?.(ctx, token, source, grantType),
    authorizationDetailsForIntrospection: (ctx, token) =>
      isOurs((token as Source).rar)
        ? ours.authorizationDetailsForIntrospection(ctx, token)
        : host.authorizationDetailsForIntrospection?.(ctx, token),
  }
}

/** A host's resource indicators, but the token of a code with an action is for the API that the code is for. */
export function resourceOfCode(host: Features['resourceIndicators']): Features['resourceIndicators'] {
  return {
    ...host,
    enabled: true,
    useGrantedResource: async (ctx, model) =>
      (model as Source).rar?.some(isAction) === true ||
      ((await host?.useGrantedResource?.(ctx, model)) ?? false),
  }
}

type Lifetime = NonNullable<Configuration['ttl']>['AccessToken']

/** A host's lifetime of access tokens, but of those that hold an action at most {@link PROOF_SECONDS}. */
export function proofLifetime(host: Lifetime): Lifetime {
  return (ctx, token, client) => {
    const theirs =
      typeof host === 'function'
        ? host(ctx, token, client)
        : (host ?? token.resourceServer?.accessTokenTTL ?? 3600)
    return (token as Source).rar?.some(isAction) === true ? Math.min(PROOF_SECONDS, theirs) : theirs
  }
}

/** Refuses what is no action that this client has registered. @throws errors.InvalidAuthorizationDetails */
async function validate(services: Services, { oidc }: KoaContextWithOIDC, clientId: string): Promise<void> {
  // Before the grant is looked at: a refresh token is not spent by a request that can have nothing.
  if (oidc.route === 'token' && oidc.params?.grant_type !== 'authorization_code') throw onlyByCode()
  const parameter = String(oidc.params?.authorization_details)
  const inAddress = oidc.route === 'authorization' && oidc.entities.PushedAuthorizationRequest === undefined
  const most = inAddress ? MOST_IN_AN_ADDRESS : MOST_PUSHED
  if (Buffer.byteLength(parameter) > most) {
    throw new errors.InvalidAuthorizationDetails(
      `authorization_details is longer than ${most} bytes${inAddress ? ': use a pushed authorization request' : ''}`,
    )
  }
  const client = await services.clients.find(clientId)
  const read = readAction(parameter, client?.actions ?? [])
  if (read?.ok === false) throw new errors.InvalidAuthorizationDetails(read.fault)
}

/**
 * What goes into the code: the action whose rule was met in this very request, which is compared once more, and can be
 * had for it only once. Nothing of it is kept in the Grant, which outlives the action and is shared by tabs.
 */
async function confirmedDetails(services: Services, ctx: KoaContextWithOIDC) {
  const { oidc } = ctx
  if (!detailsOf(oidc.params?.authorization_details)?.some(isAction)) return undefined
  const action = await actionOf(services, ctx)
  if (action === undefined) throw new errors.InvalidAuthorizationDetails('the action is not registered')
  const now = services.clock()
  const demand = demandOf(action.rule, action.hash, now)
  const shown = actionShown(ctx)
  if (demand !== undefined && lacking(demand, shown) !== undefined) {
    throw new errors.InvalidAuthorizationDetails('the action was not confirmed')
  }
  const accountId = oidc.session?.accountId
  const interaction = oidc.entities.Interaction?.cid
  const confirmationId = randomBytes(16).toString('base64url')
  const account = accountId === undefined ? undefined : await services.accounts.find(accountId)
  unit().add(
    auditRow(
      {
        event: shown.confirmed === action.hash ? 'action.confirmed' : 'action.allowed',
        organisationId: account?.organisationId,
        accountId,
        address: ctx.ip,
        interaction,
        details: {
          client: String(oidc.client?.clientId),
          action: action.action,
          objects: action.objects.length,
          hash: action.hash,
          confirmation: confirmationId,
        },
      },
      now,
    ),
    // However often the page is sent, one authorization request has one proof.
    ...(interaction === undefined ? [] : [spend('confirmation', interaction, now + REQUEST_MS)]),
  )
  const { action: name, objects, fields } = action
  return [{ type: ACTION_TYPE, action: name, objects, fields, confirmation_id: confirmationId }]
}

/**
 * What goes into an access token: what its code holds. The parameter of the same name at the token endpoint may repeat
 * that; it can add nothing, and no other grant has anything: a refreshed token carries no action, and what has no user
 * has none either.
 *
 * @throws errors.InvalidAuthorizationDetails
 */
function detailsOfToken({ oidc }: KoaContextWithOIDC, source: Source | undefined, grantType: string) {
  const parameter = oidc.params?.authorization_details
  const held = grantType === 'authorization_code' ? source?.rar : undefined
  if (parameter !== undefined) {
    const asked = detailsOf(parameter)
    const same = asked?.length === 1 && held?.length === 1 && hashOf(asked[0]) === hashOf(held[0])
    if (!same)
      throw new errors.InvalidAuthorizationDetails('an action is confirmed at the authorization endpoint')
  }
  return held
}

function onlyByCode(): Error {
  return new errors.InvalidAuthorizationDetails('an action is confirmed at the authorization endpoint')
}

function hashOf(detail: unknown): string {
  const { action, objects, fields = {} } = detail as ActionRequest
  return actionHash({ action, objects, fields })
}

/** `features.resourceIndicators`: the APIs that are registered here. */
export function registeredApis({ apis, clients, config }: Services) {
  return {
    enabled: true,
    async getResourceServerInfo(_: unknown, resource: string, client: { clientId: string }) {
      if (resource === ownApi(config.issuer)) {
        const metadata = (await clients.find(client.clientId))?.metadata
        const scopes = metadata === undefined ? [] : ownApiScopes(metadata)
        if (scopes.length === 0) throw new errors.InvalidTarget()
        return {
          audience: resource,
          scope: scopes.join(' '),
          accessTokenFormat: 'opaque',
          accessTokenTTL: PROOF_SECONDS,
        }
      }
      const api = await apis.find(resource)
      // An app learns nothing of APIs that are not for it.
      if (api === undefined || !mayUse(api, client.clientId)) throw new errors.InvalidTarget()
      return resourceServerOf(api)
    },
    /** Only for a request that needs one: tokens for an API are not for userinfo. */
    async defaultResource(
      ctx: KoaContextWithOIDC,
      client: { clientId: string },
      oneOf: readonly string[] | undefined,
    ) {
      if (oneOf !== undefined) return oneOf.length === 1 ? oneOf[0] : oneOf
      if (ctx.oidc.params?.authorization_details === undefined) return undefined
      const [only, ...others] = await apis.usableBy(client.clientId)
      return others.length === 0 ? only?.resource : undefined
    },
    useGrantedResource: async () => true,
  } as unknown as Resources
}

function resourceServerOf(api: Api) {
  return {
    audience: api.resource,
    scope: api.scopes.join(' '),
    accessTokenFormat: api.opaque ? 'opaque' : 'jwt',
    accessTokenTTL: PROOF_SECONDS,
    ...(api.opaque ? {} : { jwt: { sign: { alg: 'ES256' } } }),
  }
}
