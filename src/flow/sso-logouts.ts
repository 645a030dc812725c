// Where identity providers of customers say that a session there has ended: by a token that they send themselves (OpenID
// Connect Back-Channel Logout 1.0), or by the user's browser (SAML single logout). The sessions here that came of it end,
// and their apps are told.

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { readForm } from '../http/forms.ts'
import { loggedOutPage } from '../http/protocol-pages.ts'
import { seeOther } from '../http/see-other.ts'
import { noteFailure } from '../log.ts'
import type { Services } from '../services.ts'
import { LOGOUT_TOKEN_LIFE_MS } from '../sso/oidc.ts'
import type { LogoutArrival } from '../sso/saml.ts'
import { SsoError } from '../sso/upstream.ts'
import type { Upstreams } from '../sso/upstreams.ts'
import { spend } from '../store/accounts/credentials.ts'
import { CommitRefused } from '../store/database.ts'
import { digest } from '../store/ids.ts'
import { endUpstreamSessions } from '../store/sso/sessions.ts'
import { connectionOf, MOST_SAML_BYTES } from './sso-callbacks.ts'
import { recordSsoRefusal } from './sso-refusals.ts'

export function ssoLogoutRoutes(services: Services, upstreams: Upstreams): Router {
  const { clock, database } = services
  const router = new Router()

  router.post('/sso/oidc/:id/logout', async ctx => {
    const connection = await connectionOf(database, ctx)
    const { logout_token: token = '' } = await readForm(ctx, ['logout_token'])
    try {
      const { id, subject, session, issuedAt } = await upstreams.verifyLogoutToken(connection, token)
      const once = spend('logout-token', digest(`${connection.id} ${id}`), issuedAt + LOGOUT_TOKEN_LIFE_MS)
      const sessions = session === undefined ? [] : [session]
      await endUpstreamSessions(database, { connection, subject, sessions, once }, clock())
      ctx.status = 200
    } catch (error) {
      if (!doesNotHold(error)) throw error
      noteFailure(ctx, error)
      await recordSsoRefusal(services, ctx, connection, refusalOf(error))
      // Section 2.8
      ctx.status = 400
      ctx.body = { error: 'invalid_request' }
    }
  })

  for (const method of ['get', 'post'] as const) {
    router[method]('/sso/saml/:id/slo', async ctx => {
      const connection = await connectionOf(database, ctx, 'saml')
      try {
        const request = await upstreams.verifyLogoutRequest(connection, await logoutArrival(ctx))
        const { subject, sessions } = request
        const once = spend('saml-logout', digest(`${connection.id} ${request.id}`), request.expiresAt)
        await endUpstreamSessions(database, { connection, subject, sessions, once }, clock())
        const answer = await upstreams.answerLogoutRequest(connection, request)
        if (answer === undefined) loggedOutPage(services, ctx)
        else seeOther(ctx, answer)
      } catch (error) {
        if (!doesNotHold(error)) throw error
        await recordSsoRefusal(services, ctx, connection, refusalOf(error))
        throw new AppError('bad_request', 'a logout that does not hold', { cause: error })
      }
    })
  }

  return router
}

async function logoutArrival(ctx: Context): Promise<LogoutArrival> {
  if (ctx.method === 'GET') return { binding: 'redirect', query: ctx.querystring }
  const { SAMLRequest = '', RelayState } = await readForm(
    ctx,
    ['SAMLRequest', 'RelayState'],
    [],
    MOST_SAML_BYTES,
  )
  return { binding: 'post', SAMLRequest, RelayState }
}

/** It is none of the upstream's, or was taken before. */
function doesNotHold(error: unknown): error is SsoError | CommitRefused {
  return error instanceof SsoError || error instanceof CommitRefused
}

function refusalOf(error: SsoError | CommitRefused): Pick<SsoError, 'fault' | 'detail'> {
  return error instanceof SsoError ? error : { fault: 'replayed', detail: 'the logout was taken before' }
}
