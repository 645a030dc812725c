// Coverage: how many of the organisation's users have a second factor, here or at their identity provider, and what
// happens to those who have none, since when or from when on. It shows, and changes nothing: there is nothing here that
// could put the day off.

import Router from 'koa-router'
import type { Guard } from '../http/session.ts'
import { enforcementReport } from '../organisations/enforcement-report.ts'
import type { Services } from '../services.ts'
import { adminOf, createAdmins, frameOf, tabsOf } from './console.ts'

export function coverageRoutes(services: Services, guard: Guard): Router {
  const { database, paths, views, texts, clock } = services
  const admins = createAdmins(guard)
  const router = new Router()

  router.get('/admin/coverage', ...admins.look(), async ctx => {
    const { organisationId } = adminOf(ctx).account
    const [{ frame }, tabs, report] = await Promise.all([
      frameOf(services, guard, ctx, 'users'),
      tabsOf(services, organisationId, 'coverage'),
      enforcementReport(database, organisationId, clock()),
    ])
    const users = report?.users ?? { set_up: 0, at_provider: 0, not_set_up: 0, reset_pending: 0 }
    const covered = users.set_up + users.at_provider
    const total = covered + users.not_set_up + users.reset_pending
    const list = `${paths.admin}/users`
    // Whom nothing stops yet is pending; after the day they set up before they get in.
    const late = report?.enforced === true
    const percent = (count: number) => (total === 0 ? 0 : (count / total) * 100)
    const part = (
      kind: 'enrolled' | 'provider' | 'pending' | 'overdue' | 'reset',
      standing: keyof typeof users,
      before: number,
    ) => ({
      kind,
      text: texts.t(`coverage.${kind}`),
      hint: texts.t(`coverage.${kind}.hint`),
      count: users[standing],
      start: percent(before),
      share: percent(users[standing]),
      href: `${list}?standing=${standing}`,
    })
    ctx.type = 'html'
    ctx.body = views.render('admin-coverage', {
      frame,
      tabs,
      // Rounded down: 100 % is everybody.
      percent: Math.floor(percent(covered)),
      total,
      parts: [
        part('enrolled', 'set_up', 0),
        // Of no interest where nobody comes from a provider.
        ...(users.at_provider > 0 ? [part('provider', 'at_provider', users.set_up)] : []),
        part(late ? 'overdue' : 'pending', 'not_set_up', covered),
        part('reset', 'reset_pending', covered + users.not_set_up),
      ],
      ...(report?.enforcedFrom === undefined ? {} : { enforcedFrom: report.enforcedFrom, enforced: late }),
    })
  })

  return router
}
