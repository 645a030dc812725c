// The page of a domain: the DNS record that proves it, by which provider its addresses log in, and taking it away.

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import type { ViewLocals } from '../http/locals.ts'
import { idOf } from '../http/path-id.ts'
import { seeOther } from '../http/see-other.ts'
import type { FormKind, Guard } from '../http/session.ts'
import { addDomain, proveByDns, removeDomain, setDomain } from '../organisations/sso-domains.ts'
import type { Services } from '../services.ts'
import { type DomainCheck, recordOf } from '../sso/domains.ts'
import { CommitRefused } from '../store/database.ts'
import { type Connection, readConnections } from '../store/sso/connections.ts'
import { readDomain, type SsoDomain } from '../store/sso/domains.ts'
import { adminOf, createAdmins, frameFor } from './console.ts'
import { closedText, directoryOf, domainStatus, organisationOf, refusalOf } from './sso.ts'

const NEW = {
  kind: 'sso-domain-new',
  fields: ['domain'],
  page: '/admin/sso/domains/new',
} as const satisfies FormKind
const SET = {
  kind: 'sso-domain-set',
  fields: ['provider', 'sso_only'],
  page: '/admin/sso/domains/:id',
} as const satisfies FormKind
const CHECK = {
  kind: 'sso-domain-check',
  fields: [],
  page: '/admin/sso/domains/:id/check',
} as const satisfies FormKind
const REMOVE = {
  kind: 'sso-domain-remove',
  fields: [],
  page: '/admin/sso/domains/:id/remove',
} as const satisfies FormKind

/** The radio button of no provider: no connection is called so. */
const NONE = 'none'
const DONE = ['added', 'proven', 'saved'] as const

type Locals = ViewLocals['admin-sso-domain']
type Said = Partial<Pick<Locals, 'notice' | 'error' | 'errors' | 'checked' | 'checkWaiting'>> & {
  readonly waiting?: { readonly id: string; readonly form: Typed }
  readonly typed?: Typed
}
type Typed = { readonly provider?: string; readonly sso_only?: string }

export function ssoDomainRoutes(services: Services, guard: Guard): Router {
  const { database, paths, views, texts, config, resolver } = services
  const admins = createAdmins(guard)
  const router = new Router()
  const listUrl = `${paths.admin}/sso`
  const urlOf = ({ id }: Pick<SsoDomain, 'id'>) => `${listUrl}/domains/${id}`

  router.get('/admin/sso/domains/new', ...admins.look(), async ctx => {
    const waiting = await guard.pendingForm(ctx, NEW)
    const gone = ctx.query.pending !== undefined && waiting === undefined
    await form(ctx, waiting?.form.domain ?? '', {
      ...(waiting === undefined ? {} : { waiting: waiting.id }),
      ...(gone ? { error: texts.t('connection.gone') } : {}),
    })
  })

  router.post('/admin/sso/domains/new', ...admins.change(NEW), async ctx => {
    const sent = await guard.sentForm(ctx, NEW)
    ctx.status = 400
    if (sent === undefined) return form(ctx, '', { error: texts.t('connection.gone') })
    const { domain = '' } = sent.form
    try {
      const made = await addDomain(
        directoryOf(services, ctx),
        { ...choiceOf(ctx), also: sent.taken },
        domain,
        config.ssoPlans,
      )
      seeOther(ctx, `${urlOf(made)}?done=added`)
    } catch (error) {
      if (isUsed(error)) return seeOther(ctx, listUrl)
      const why = refusalOf(error)
      // The list says why nothing can be added.
      if (why === 'plan') return seeOther(ctx, listUrl)
      if (why === 'too_many') return form(ctx, domain, { error: texts.t('connection.tooMany') })
      const fault = why === 'have_it' ? why : 'malformed'
      await form(ctx, domain, { errors: { domain: texts.t(`domain.error.${fault}`) } })
    }
  })

  router.get('/admin/sso/domains/:id', ...admins.look(), async ctx => {
    const domain = await domainOf(ctx)
    const waiting = await guard.pendingForm(ctx, SET)
    const gone = ctx.query.pending !== undefined && waiting === undefined
    const done = DONE.find(each => each === ctx.query.done)
    await show(ctx, domain, {
      ...(waiting === undefined ? {} : { waiting }),
      ...(gone ? { error: texts.t('connection.gone') } : {}),
      ...(done === undefined || (done === 'proven' && !domain.proven)
        ? {}
        : { notice: texts.t(`domain.done.${done}`) }),
    })
  })

  router.post('/admin/sso/domains/:id', ...admins.change(SET), async ctx => {
    const domain = await domainOf(ctx)
    const sent = await guard.sentForm(ctx, SET)
    if (sent === undefined) return again(ctx, 400, domain, { error: texts.t('connection.gone') })
    const { provider, sso_only } = sent.form
    if (provider === undefined) {
      const errors = { provider: texts.t('domain.error.provider') }
      return again(ctx, 400, domain, { errors, typed: sent.form })
    }
    const wish = { connectionId: provider === NONE ? null : provider, ssoOnly: sso_only === 'yes' }
    try {
      await setDomain(
        directoryOf(services, ctx),
        { ...choiceOf(ctx), id: domain.id, also: sent.taken },
        wish,
        config.ssoPlans,
      )
      seeOther(ctx, `${urlOf(domain)}?done=saved`)
    } catch (error) {
      if (isUsed(error)) return seeOther(ctx, urlOf(domain))
      const why = refusalOf(error)
      if (why === 'provider_off' || why === 'no_break_glass') {
        const errors = { ssoOnly: texts.t(`domain.error.${why}`) }
        return again(ctx, 409, domain, { errors, typed: sent.form })
      }
      await again(
        ctx,
        409,
        await domainOf(ctx),
        why === 'plan' ? {} : { error: texts.t('domain.error.changed') },
      )
    }
  })

  router.get('/admin/sso/domains/:id/check', ...admins.look(), async ctx => {
    const domain = await domainOf(ctx)
    const waiting = await guard.pendingForm(ctx, CHECK)
    // The address of the form, after a reload or Back.
    if (waiting === undefined) return seeOther(ctx, urlOf(domain))
    await show(ctx, domain, { checkWaiting: waiting.id })
  })

  router.post('/admin/sso/domains/:id/check', ...admins.change(CHECK), async ctx => {
    const domain = await domainOf(ctx)
    const sent = await guard.sentForm(ctx, CHECK)
    if (sent === undefined) return again(ctx, 400, domain, { error: texts.t('connection.gone') })
    try {
      const choice = { ...choiceOf(ctx), id: domain.id, also: sent.taken }
      const check = await proveByDns(directoryOf(services, ctx), choice, resolver, config.ssoPlans)
      if (check.ok) return seeOther(ctx, `${urlOf(domain)}?done=proven`)
      await show(ctx, domain, { checked: checkedText(check) })
    } catch (error) {
      if (isUsed(error)) return seeOther(ctx, urlOf(domain))
      const why = refusalOf(error)
      const checked = { text: texts.t('domain.checked.proven_elsewhere') }
      await again(ctx, 409, domain, why === 'proven_elsewhere' ? { checked } : {})
    }
  })

  router.get('/admin/sso/domains/:id/remove', ...admins.look(), async ctx => {
    const domain = await domainOf(ctx)
    const waiting = await guard.pendingForm(ctx, REMOVE)
    const organisation = await organisationOf(services, ctx)
    ctx.type = 'html'
    ctx.body = views.render('admin-user-change', {
      frame: frameFor(services, guard, ctx, organisation.name, 'sso'),
      userUrl: urlOf(domain),
      name: domain.domain,
      question: texts.t('domain.remove.question', { domain: domain.domain }),
      action: `${urlOf(domain)}/remove`,
      fields: waiting === undefined ? [] : [{ name: 'pending', value: waiting.id }],
      ...(waiting === undefined ? {} : { waiting: true }),
      effects: [
        texts.t('domain.remove.effect'),
        texts.t('domain.remove.effect.proof'),
        texts.t('domain.remove.effect.users'),
      ],
      button: { text: texts.t('domain.remove'), danger: true },
    })
  })

  router.post('/admin/sso/domains/:id/remove', ...admins.change(REMOVE), async ctx => {
    const domain = await domainOf(ctx)
    const sent = await guard.sentForm(ctx, REMOVE)
    if (sent === undefined) return seeOther(ctx, `${urlOf(domain)}/remove`)
    const choice = { ...choiceOf(ctx), id: domain.id, also: sent.taken }
    try {
      await removeDomain(directoryOf(services, ctx), choice)
    } catch (error) {
      if (!isUsed(error)) refusalOf(error)
    }
    seeOther(ctx, `${listUrl}?done=removed`)
  })

  function choiceOf(ctx: Context) {
    return { organisationId: adminOf(ctx).account.organisationId, address: ctx.ip }
  }

  async function domainOf(ctx: Context): Promise<SsoDomain> {
    const { organisationId } = adminOf(ctx).account
    const domain = await readDomain(database, { id: idOf(ctx), organisationId })
    if (domain === undefined) throw new AppError('not_found')
    return domain
  }

  function checkedText(check: DomainCheck & { ok: false }): NonNullable<Locals['checked']> {
    return {
      text: texts.t(`domain.checked.${check.fault}`),
      ...(check.fault === 'other_value' ? { found: check.found } : {}),
    }
  }

  async function again(ctx: Context, status: number, domain: SsoDomain, said: Said): Promise<void> {
    ctx.status = status
    await show(ctx, domain, said)
  }

  async function show(ctx: Context, domain: SsoDomain, { typed, waiting, ...said }: Said): Promise<void> {
    const [organisation, connections] = await Promise.all([
      organisationOf(services, ctx),
      readConnections(database, domain.organisationId),
    ])
    const closed = closedText(services, organisation)
    const form: Typed = waiting?.form ??
      typed ?? {
        provider: domain.connectionId ?? NONE,
        ...(domain.ssoOnly ? { sso_only: 'yes' } : {}),
      }
    const providers = providersOf(connections, form.provider)
    const chosen = providers.find(each => each.checked)?.text ?? ''
    ctx.type = 'html'
    ctx.body = views.render('admin-sso-domain', {
      frame: frameFor(services, guard, ctx, organisation.name, 'sso'),
      listUrl,
      domain: domain.domain,
      status: domainStatus(texts, domain),
      ...(closed === undefined ? {} : { closed }),
      ...(domain.proven ? { providers } : { record: recordOf(domain) }),
      ...(domain.proven || closed !== undefined ? {} : { checkAction: `${urlOf(domain)}/check` }),
      action: urlOf(domain),
      ssoOnly: form.sso_only === 'yes',
      ...(waiting === undefined
        ? {}
        : { waiting: { id: waiting.id, provider: chosen, ssoOnly: form.sso_only === 'yes' } }),
      breakGlassUrl: `${listUrl}/break-glass`,
      removeUrl: `${urlOf(domain)}/remove`,
      ...said,
    })
  }

  function providersOf(connections: readonly Connection[], chosen: string | undefined) {
    const off = texts.t('domain.set.off')
    return [
      { value: NONE, text: texts.t('domain.set.none'), checked: chosen === NONE },
      ...connections.map(({ id, name, status }) => ({
        value: id,
        text: status === 'on' ? name : `${name} (${off})`,
        checked: chosen === id,
      })),
    ]
  }

  async function form(
    ctx: Context,
    domain: string,
    said: Partial<Pick<ViewLocals['admin-sso-domain-new'], 'error' | 'errors' | 'waiting'>>,
  ): Promise<void> {
    const organisation = await organisationOf(services, ctx)
    ctx.type = 'html'
    ctx.body = views.render('admin-sso-domain-new', {
      frame: frameFor(services, guard, ctx, organisation.name, 'sso'),
      listUrl,
      action: `${listUrl}/domains/new`,
      domain,
      ...said,
    })
  }

  return router
}

/** A form that was pressed twice: what it did is shown. */
export function isUsed(error: unknown): boolean {
  return error instanceof CommitRefused && error.refusal === 'already_used'
}
