// The account page: what a user has to log in with, and the way out. It shows, and changes nothing yet.

import Router from 'koa-router'
import { ACR } from '../flow/assurance.ts'
import { seeOther } from '../http/see-other.ts'
import { type Guard, sessionOf } from '../http/session.ts'
import { enforcement } from '../organisations/enforcement.ts'
import type { Services } from '../services.ts'
import { readOverview } from '../store/accounts.ts'
import { passkeySignals } from './passkey-signals.ts'

export function accountRoutes(services: Services, { requireSession, logoutUrl }: Guard): Router {
  const { views, paths, database, clock } = services
  const router = new Router()

  router.get('/account', requireSession(), async ctx => {
    const { account } = sessionOf(ctx)
    const { organisation, lastLoginAt } = await readOverview(database, account.id)
    const due = enforcement(account.subscribedAt, clock())
    ctx.type = 'html'
    ctx.body = views.render('account', {
      name: account.name,
      email: account.email,
      ...(organisation === '' ? {} : { organisation }),
      authenticator: account.authenticator !== undefined,
      recoveryCode: account.recoveryCode?.saved === true,
      passkeys: account.passkeys,
      signals: await passkeySignals(services, account),
      ...(lastLoginAt === null ? {} : { lastLoginAt }),
      ...(account.authenticator === undefined && account.passkeys === 0
        ? { setUpUrl: `${paths.account}/set-up` }
        : {}),
      ...(due.state === 'grace' && due.until !== undefined ? { dueAt: due.until } : {}),
      ...(paths.admin === undefined || account.role !== 'admin' ? {} : { consoleUrl: paths.admin }),
      ...(logoutUrl === undefined ? {} : { logoutUrl }),
    })
  })

  // Whoever comes here has set two factors up, since the guard asks for both.
  router.get('/account/set-up', requireSession({ acr: ACR['2fa'] }), ctx => {
    seeOther(ctx, `${paths.account}`)
  })

  return router
}
