// Who of the organisation asks for help: with nothing left but the password, and since when. Each leads to the user's
// page, where **Reset 2FA** answers it. Leaves out the asking (flow/ways/locked-out.ts).

import Router from 'koa-router'
import type { Guard } from '../http/session.ts'
import type { Services } from '../services.ts'
import { readHelpRequests } from '../store/recovery/help-requests.ts'
import { adminOf, createAdmins, frameOf } from './console.ts'

const MOST_LISTED = 100

export function helpRoutes(services: Services, guard: Guard): Router {
  const { database, paths, views } = services
  const admins = createAdmins(guard)
  const router = new Router()

  router.get('/admin/help', ...admins.look(), async ctx => {
    const [{ frame }, requests] = await Promise.all([
      frameOf(services, guard, ctx, 'users'),
      readHelpRequests(database, adminOf(ctx).account.organisationId, MOST_LISTED),
    ])
    ctx.type = 'html'
    ctx.body = views.render('admin-help', {
      frame,
      listUrl: `${paths.admin}/users`,
      requests: requests.map(({ id, ...request }) => ({ ...request, href: `${paths.admin}/users/${id}` })),
    })
  })

  return router
}
