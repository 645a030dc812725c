// Where identity providers of customers send users back to. What comes here comes without the cookie of the page that
// sent the user away: it is checked and stored once, under a random handle, and the browser is sent to that page with it,
// which takes it if it is the one that asked. Leaves out what an answer is worth (ways/sso.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { readForm } from '../http/forms.ts'
import { idOf } from '../http/path-id.ts'
import { seeOther } from '../http/see-other.ts'
import { noteFailure } from '../log.ts'
import type { Services } from '../services.ts'
import { samlOf } from '../sso/settings.ts'
import { SsoError, type UpstreamAnswer } from '../sso/upstream.ts'
import type { Pending, Returned, Upstreams } from '../sso/upstreams.ts'
import { spend } from '../store/accounts/credentials.ts'
import { CommitRefused, type Database } from '../store/database.ts'
import { digest, newToken } from '../store/ids.ts'
import { type Connection, type Protocol, readConnection } from '../store/sso/connections.ts'
import {
  keepAnswer,
  openRequest,
  readOpenRequest,
  type SsoRequest,
  takeRequest,
} from '../store/sso/requests.ts'
import { unit } from '../store/unit-of-work.ts'
import { recordSsoRefusal } from './sso-refusals.ts'

/** A message of 256 KB, in base64 and encoded for a form. */
export const MOST_SAML_BYTES = 512 * 1024

export function ssoCallbackRoutes(services: Services, upstreams: Upstreams): Router {
  const { clock, database, keyring, paths } = services
  const router = new Router()

  router.get('/sso/oidc/:id', async ctx => {
    const query = new URLSearchParams(ctx.querystring)
    const request = await waiting(ctx, query.get('state') ?? '')
    if (request === undefined) throw nobodyAsked()
    await answer(ctx, request, (connection, pending) => upstreams.finishOidc(connection, query, pending))
  })

  router.get('/sso/saml/:id/metadata', async ctx => {
    const connection = await connectionOf(database, ctx, 'saml')
    ctx.type = 'application/samlmetadata+xml'
    ctx.body = upstreams.samlMetadata(connection)
  })

  // From another site, as every answer by SAML: it changes nothing here but what it answers.
  router.post('/sso/saml/:id/acs', async ctx => {
    const form = await readForm(ctx, ['SAMLResponse', 'RelayState'], [], MOST_SAML_BYTES)
    const { SAMLResponse = '', RelayState = '' } = form
    const request = await waiting(ctx, RelayState)
    if (request === undefined) return startedThere(ctx, SAMLResponse, RelayState)
    await answer(ctx, request, (connection, pending) => takeAssertion(connection, SAMLResponse, pending))
  })

  /** The request of this connection that a `state` is of, if nothing has answered it. */
  async function waiting(ctx: Context, state: string): Promise<SsoRequest | undefined> {
    const request = await readOpenRequest(database, state, clock())
    return request?.connectionId === ctx.params.id ? request : undefined
  }

  /** Keeps the answer, or why there is none, and sends the browser to the page that asked. */
  async function answer(
    ctx: Context,
    request: SsoRequest,
    finish: (connection: Connection, pending: Pending) => Promise<UpstreamAnswer>,
  ): Promise<void> {
    const connection = await connectionOf(database, ctx)
    // Burnt before anything is done with it: the answer counts once, and so does a wrong one.
    await unit().flush([takeRequest(request, clock())])
    const pending = openRequest<Pending>(keyring, request)
    const { revision, twoFactor, fresh } = pending
    const asked = { revision, twoFactor, fresh }
    const returned = await finish(connection, pending).then(
      (came): Returned => ({ ...asked, ok: true, answer: came }),
      (error): Returned => {
        if (!(error instanceof SsoError)) throw error
        noteFailure(ctx, error)
        return { ...asked, ok: false, fault: error.fault, detail: error.detail }
      },
    )
    const handle = newToken()
    await unit().flush([keepAnswer(keyring, request, handle, returned)])
    const { askedBy, connectionId } = request
    const page =
      'interaction' in askedBy
        ? paths.interaction(askedBy.interaction, 'sso')
        : `${paths.admin}/sso/${connectionId}/test`
    seeOther(ctx, `${page}?h=${handle}`)
  }

  /**
   * A login that began at the identity provider, where its connection allows that. It says who comes, and nobody is logged
   * in by it: the app's registered start page begins a login of ours (OpenID Connect Core section 4), which goes there and
   * back. So nobody is logged in as somebody else by a stranger's answer.
   */
  async function startedThere(ctx: Context, SAMLResponse: string, relayState: string): Promise<void> {
    const connection = await upstreams.find(idOf(ctx))
    if (connection?.protocol !== 'saml' || !samlOf(connection).idpInitiated) throw nobodyAsked()
    try {
      const { email } = await takeAssertion(connection, SAMLResponse, undefined)
      seeOther(ctx, await startPage(services, relayState, email))
    } catch (error) {
      if (!(error instanceof SsoError)) throw error
      await recordSsoRefusal(services, ctx, connection, error)
      throw new AppError('interaction_expired', error.message, { cause: error })
    }
  }

  /** Verifies an assertion, and burns it. @throws SsoError */
  async function takeAssertion(
    connection: Connection,
    SAMLResponse: string,
    pending: Pending | undefined,
  ): Promise<UpstreamAnswer> {
    const taken = await upstreams.finishSaml(connection, SAMLResponse, pending)
    const { assertionId, expiresAt, ...came } = taken
    try {
      await database.commit([spend('saml-assertion', digest(`${connection.id} ${assertionId}`), expiresAt)])
    } catch (error) {
      if (!(error instanceof CommitRefused)) throw error
      throw new SsoError('replayed', 'the assertion was taken before', { cause: error })
    }
    return came
  }

  return router
}

/** The connection that an address is of. @throws AppError not_found */
export async function connectionOf(
  database: Database,
  ctx: Context,
  protocol?: Protocol,
): Promise<Connection> {
  const connection = await readConnection(database, idOf(ctx))
  const other = protocol !== undefined && connection?.protocol !== protocol
  if (connection === undefined || other) throw new AppError('not_found')
  return connection
}

function nobodyAsked(): AppError {
  return new AppError('interaction_expired', 'no request waits for this answer')
}

/** Of the app that the identity provider names by its client id, as it is registered; else users' own page. */
async function startPage(
  { clients, config, paths }: Services,
  clientId: string,
  email: string | undefined,
): Promise<string> {
  const client = clientId === '' || clientId.length > 200 ? undefined : await clients.find(clientId)
  const registered = client?.metadata.initiate_login_uri
  if (typeof registered !== 'string') return paths.account ?? '/'
  const url = new URL(registered)
  url.searchParams.set('iss', config.issuer)
  if (email !== undefined) url.searchParams.set('login_hint', email)
  return url.href
}
