// Where identity providers of customers send users back to, and where they say that a session there has ended. What
// comes here comes without the cookie of the page that sent the user away: it is checked and stored once, under a random
// handle, and the browser is sent to that page with it, which takes it if it is the one that asked. Leaves out what an
// answer is worth (ways/sso.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { readForm } from '../http/forms.ts'
import { seeOther } from '../http/see-other.ts'
import { noteFailure } from '../log.ts'
import type { Services } from '../services.ts'
import { LOGOUT_TOKEN_LIFE_MS } from '../sso/oidc.ts'
import { SsoError } from '../sso/upstream.ts'
import type { Pending, Returned, Upstreams } from '../sso/upstreams.ts'
import { spend } from '../store/credentials.ts'
import { CommitRefused } from '../store/database.ts'
import { digest, newToken } from '../store/ids.ts'
import { type Connection, readConnection } from '../store/sso/connections.ts'
import {
  keepAnswer,
  openRequest,
  readOpenRequest,
  type SsoRequest,
  takeRequest,
} from '../store/sso/requests.ts'
import { endUpstreamSessions } from '../store/sso/sessions.ts'
import { unit } from '../store/unit-of-work.ts'

export function ssoCallbackRoutes(services: Services, upstreams: Upstreams): Router {
  const { clock, database, keyring, paths } = services
  const router = new Router()

  router.get('/sso/oidc/:id', async ctx => {
    const query = new URLSearchParams(ctx.querystring)
    const { request, connection } = await requestFor(ctx, query.get('state') ?? '')
    const pending = openRequest<Pending>(keyring, request)
    await store(ctx, request, pending, () => upstreams.finishOidc(connection, query, pending))
  })

  router.post('/sso/oidc/:id/logout', async ctx => {
    const connection = await connectionOf(ctx)
    const { logout_token: token = '' } = await readForm(ctx, ['logout_token'])
    try {
      const { id, subject, session, issuedAt } = await upstreams.verifyLogoutToken(connection, token)
      const once = spend('logout-token', digest(`${connection.id} ${id}`), issuedAt + LOGOUT_TOKEN_LIFE_MS)
      await endUpstreamSessions(database, { connection, subject, session, once }, clock())
      ctx.status = 200
    } catch (error) {
      if (!(error instanceof SsoError || error instanceof CommitRefused)) throw error
      noteFailure(ctx, error)
      // Back-Channel Logout 1.0 section 2.8
      ctx.status = 400
      ctx.body = { error: 'invalid_request' }
    }
  })

  /** The request that an answer is to: of this connection, and nothing has answered it. */
  async function requestFor(
    ctx: Context,
    state: string,
  ): Promise<{ request: SsoRequest; connection: Connection }> {
    const request = await readOpenRequest(database, state, clock())
    if (request === undefined || request.connectionId !== ctx.params.id) {
      throw new AppError('interaction_expired', 'no request waits for this answer')
    }
    const connection = await connectionOf(ctx)
    // Burnt before anything is done with it: the answer counts once, and so does a wrong one.
    await unit().flush([takeRequest(request, clock())])
    return { request, connection }
  }

  async function connectionOf(ctx: Context): Promise<Connection> {
    const connection = await readConnection(database, String(ctx.params.id))
    if (connection === undefined) throw new AppError('not_found')
    return connection
  }

  /** Keeps the answer, or why there is none, and sends the browser to the page that asked. */
  async function store(
    ctx: Context,
    request: SsoRequest,
    { revision, twoFactor, fresh }: Pending,
    finish: () => ReturnType<Upstreams['finishOidc']>,
  ): Promise<void> {
    const asked = { revision, twoFactor, fresh }
    const returned = await finish().then(
      (answer): Returned => ({ ...asked, ok: true, answer }),
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

  return router
}
