// Break-glass admins: who gets in without the identity provider. Leaves out the rules (organisations/sso-break-glass.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import type { ViewLocals } from '../http/locals.ts'
import { seeOther } from '../http/see-other.ts'
import type { FormKind, Guard } from '../http/session.ts'
import { isReady, nameBreakGlass } from '../organisations/sso-break-glass.ts'
import type { Services } from '../services.ts'
import { readSsoAdmins, type SsoAdmin } from '../store/sso/organisations.ts'
import { adminOf, createAdmins, frameFor } from './console.ts'
import { closedText, directoryOf, organisationOf, refusalOf } from './sso.ts'
import { isUsed } from './sso-domains.ts'

const FORM = {
  kind: 'sso-break-glass',
  fields: ['user', 'named'],
  page: '/admin/sso/break-glass',
} as const satisfies FormKind

type Said = Partial<Pick<ViewLocals['admin-sso-break-glass'], 'error' | 'waiting'>>

export function ssoBreakGlassRoutes(services: Services, guard: Guard): Router {
  const { database, paths, views, texts, config } = services
  const admins = createAdmins(guard)
  const router = new Router()
  const listUrl = `${paths.admin}/sso`
  const url = `${listUrl}/break-glass`

  router.get('/admin/sso/break-glass', ...admins.look(), async ctx => {
    const waiting = await guard.pendingForm(ctx, FORM)
    if (waiting === undefined) {
      return show(ctx, ctx.query.pending === undefined ? {} : { error: texts.t('connection.gone') })
    }
    const { user = '', named } = waiting.form
    const name = await nameOf(ctx, user)
    const text = texts.t(`breakGlass.waiting.${named === 'yes' ? 'named' : 'unnamed'}`, { name })
    await show(ctx, { waiting: { id: waiting.id, text } })
  })

  router.post('/admin/sso/break-glass', ...admins.change(FORM), async ctx => {
    const { organisationId } = adminOf(ctx).account
    const sent = await guard.sentForm(ctx, FORM)
    if (sent === undefined) return again(ctx, 400, texts.t('connection.gone'))
    const { user = '', named } = sent.form
    const choice = { organisationId, userId: user, address: ctx.ip, also: sent.taken }
    try {
      await nameBreakGlass(directoryOf(services, ctx), choice, named === 'yes', config.ssoPlans)
      seeOther(ctx, `${url}?done=${user}`)
    } catch (error) {
      if (isUsed(error)) return seeOther(ctx, url)
      const why = refusalOf(error)
      const name = await nameOf(ctx, user)
      if (why === 'last_break_glass') return again(ctx, 409, texts.t('breakGlass.error.last', { name }))
      // On a plan without, the page says so itself.
      await again(ctx, 409, why === 'plan' ? undefined : texts.t('breakGlass.error.not_ready', { name }))
    }
  })

  async function nameOf(ctx: Context, userId: string): Promise<string> {
    const all = await readSsoAdmins(database, adminOf(ctx).account.organisationId)
    return all.find(each => each.id === userId)?.name ?? userId
  }

  async function again(ctx: Context, status: number, error: string | undefined): Promise<void> {
    ctx.status = status
    await show(ctx, error === undefined ? {} : { error })
  }

  async function show(ctx: Context, said: Said): Promise<void> {
    const [organisation, all] = await Promise.all([
      organisationOf(services, ctx),
      readSsoAdmins(database, adminOf(ctx).account.organisationId),
    ])
    const closed = closedText(services, organisation)
    const done = all.find(each => each.id === ctx.query.done)
    const notice =
      done && texts.t(done.breakGlass ? 'breakGlass.done' : 'breakGlass.undone', { name: done.name })
    ctx.type = 'html'
    ctx.body = views.render('admin-sso-break-glass', {
      frame: frameFor(services, guard, ctx, organisation.name, 'sso'),
      listUrl,
      action: url,
      needed: organisation.ssoOnlyDomains > 0,
      ...(closed === undefined ? {} : { closed }),
      ...(notice === undefined ? {} : { notice }),
      admins: all.map(each => ({
        ...{ id: each.id, name: each.name, email: each.email, named: each.breakGlass },
        standing: standingOf(each),
        // Taken off is somebody on every plan.
        changeable: each.breakGlass || (closed === undefined && isReady(each)),
      })),
      ...said,
    })
  }

  function standingOf(admin: SsoAdmin): string {
    if (!admin.hasPassword) return texts.t('breakGlass.noPassword')
    return texts.t(admin.secondFactor ? 'breakGlass.can' : 'breakGlass.noSecondFactor')
  }

  return router
}
