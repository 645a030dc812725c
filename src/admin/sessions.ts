// Session timeout policy: how long the organisation's users stay logged in, and logging all of them out. Leaves out what
// the values do (organisations/session-policy.ts), how they are changed (session-timeout.ts) and the logging out
// (log-outs.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import type { ViewLocals } from '../http/locals.ts'
import { seeOther } from '../http/see-other.ts'
import type { FormKind, Guard } from '../http/session.ts'
import { InputError } from '../organisations/directory.ts'
import { orderLogOutAll } from '../organisations/log-outs.ts'
import { isSpecialPlan } from '../organisations/plan.ts'
import {
  END_DAYS,
  INACTIVE_HOURS,
  inRange,
  type Range,
  type SessionPolicy,
  sessionPolicy,
} from '../organisations/session-policy.ts'
import { setSessionPolicy } from '../organisations/session-timeout.ts'
import type { Services } from '../services.ts'
import { CommitRefused } from '../store/database.ts'
import { readSessionSettings, type SessionSettings } from '../store/organisations/session-policies.ts'
import { countLoggedIn } from '../store/sessions/log-outs.ts'
import { adminOf, createAdmins, frameFor } from './console.ts'

const POLICY = {
  kind: 'session-policy',
  fields: ['inactive', 'end'],
  page: '/admin/sessions',
} as const satisfies FormKind
const LOG_OUT = {
  kind: 'log-out-all',
  fields: ['seen'],
  page: '/admin/sessions/log-out',
} as const satisfies FormKind

type Locals = ViewLocals['admin-sessions']
type Said = Partial<Pick<Locals, 'inactive' | 'end' | 'errors' | 'error' | 'notice' | 'waiting'>>

export function sessionRoutes(services: Services, guard: Guard): Router {
  const { database, keyring, paths, views, texts, clock, config } = services
  const admins = createAdmins(guard)
  const router = new Router()
  const url = `${paths.admin}/sessions`

  router.get('/admin/sessions', ...admins.look(), async ctx => {
    const settings = await settingsOf(ctx)
    const waiting = await guard.pendingForm(ctx, POLICY)
    // It was kept, and then waited too long, or was sent from another tab.
    const gone = ctx.query.pending !== undefined && waiting === undefined
    // Said of what holds alone: an address that somebody made up says nothing.
    const saved = ctx.query.saved === marked(policyOf(settings))
    show(ctx, settings, {
      ...(gone ? { error: texts.t('sessions.gone') } : {}),
      ...(saved ? { notice: texts.t('sessions.saved') } : {}),
      ...(waiting === undefined ? {} : waited(waiting)),
    })
  })

  router.post('/admin/sessions', ...admins.change(POLICY), async ctx => {
    const { account } = adminOf(ctx)
    const sent = await guard.sentForm(ctx, POLICY)
    if (sent === undefined) return again(ctx, 400, { error: texts.t('sessions.gone') })
    const { inactive = '', end = '' } = sent.form
    const { wanted, errors } = read(inactive, end)
    // Why nothing can be chosen says more than what is wrong with a value.
    if (errors !== undefined && closed(await settingsOf(ctx)) === undefined) {
      return again(ctx, 400, { inactive, end, errors })
    }
    const directory = { database, keyring, clock, actor: account.id, productName: config.productName }
    const choice = { organisationId: account.organisationId, address: ctx.ip, also: sent.taken }
    try {
      const { policy } = await setSessionPolicy(directory, choice, wanted, config.ssoPlans)
      seeOther(ctx, `${url}?saved=${marked(policy)}`)
    } catch (error) {
      // The page says why, and what holds.
      if (error instanceof InputError && error.why?.reason === 'plan') return again(ctx, 409, {})
      // Whoever was demoted a moment ago finds nothing here.
      if (error instanceof InputError) throw new AppError('not_found')
      // Somebody was faster, in another tab.
      if (!(error instanceof CommitRefused) || error.refusal !== 'already_used') throw error
      seeOther(ctx, url)
    }
  })

  router.get('/admin/sessions/log-out', ...admins.look(), async ctx => {
    const waiting = await guard.pendingForm(ctx, LOG_OUT)
    const gone = ctx.query.pending !== undefined && waiting === undefined
    await confirmation(ctx, waiting?.id, gone)
  })

  router.post('/admin/sessions/log-out', ...admins.change(LOG_OUT), async ctx => {
    const { account } = adminOf(ctx)
    const sent = await guard.sentForm(ctx, LOG_OUT)
    const seen = numberOf(sent?.form.seen ?? '')
    // Pressed twice: what it did is shown, to whoever logs in again.
    if (sent === undefined || !Number.isSafeInteger(seen)) return seeOther(ctx, url)
    const choice = { organisationId: account.organisationId, seen, address: ctx.ip, also: sent.taken }
    try {
      await orderLogOutAll({ database, clock, actor: account.id }, choice)
    } catch (error) {
      // Another admin was faster, or the same in another tab.
      if (!(error instanceof CommitRefused) || error.refusal !== 'already_used') throw error
    }
    seeOther(ctx, url)
  })

  /** To be pressed once more; what can't be saved is corrected first, and sent anew. */
  function waited({ id, form }: { id: string; form: { inactive?: string; end?: string } }): Said {
    const { inactive = '', end = '' } = form
    const { errors } = read(inactive, end)
    return { inactive, end, ...(errors === undefined ? { waiting: id } : { errors }) }
  }

  function read(inactive: string, end: string) {
    const wanted = { inactiveHours: numberOf(inactive), endDays: numberOf(end) }
    const errors = {
      ...errorOf('inactive', wanted.inactiveHours, INACTIVE_HOURS),
      ...errorOf('end', wanted.endDays, END_DAYS),
    }
    return { wanted, errors: Object.keys(errors).length === 0 ? undefined : errors }
  }

  async function settingsOf(ctx: Context): Promise<SessionSettings> {
    const { id, organisationId } = adminOf(ctx).account
    const settings = await readSessionSettings(database, organisationId, id)
    if (settings === undefined) throw new AppError('not_found')
    return settings
  }

  const policyOf = ({ stored }: SessionSettings): SessionPolicy => sessionPolicy(stored, config.ssoPlans)

  function closed({ stored: { plan } }: SessionSettings): string | undefined {
    if (isSpecialPlan(plan, config.ssoPlans)) return undefined
    return config.ssoPlans.length === 0
      ? texts.t('sessions.closed.none')
      : texts.t('sessions.closed', { plan, plans: config.ssoPlans.join(', ') })
  }

  function errorOf(field: 'inactive' | 'end', value: number, range: Range): Locals['errors'] {
    const { minimum, maximum } = range
    return inRange(value, range) ? {} : { [field]: texts.t('sessions.range', { minimum, maximum }) }
  }

  async function again(ctx: Context, status: number, said: Said): Promise<void> {
    ctx.status = status
    show(ctx, await settingsOf(ctx), said)
  }

  function show(ctx: Context, settings: SessionSettings, said: Said): void {
    const { logOut } = settings
    const policy = policyOf(settings)
    const why = closed(settings)
    ctx.type = 'html'
    ctx.body = views.render('admin-sessions', {
      frame: frameFor(services, guard, ctx, settings.organisation, 'sessions'),
      action: url,
      inactive: String(policy.inactiveHours),
      end: String(policy.endDays),
      limits: {
        inactive: [INACTIVE_HOURS.minimum, INACTIVE_HOURS.maximum],
        end: [END_DAYS.minimum, END_DAYS.maximum],
      },
      logOutUrl: `${url}/log-out`,
      ...(logOut === undefined
        ? {}
        : {
            loggedOut: {
              at: logOut.orderedAt,
              by: logOut.by ?? texts.t('audit.operator'),
              running: !logOut.finished,
            },
          }),
      // Nothing waits where nothing can be chosen any more.
      ...(why === undefined ? said : { closed: why }),
    })
  }

  async function confirmation(ctx: Context, pending: string | undefined, gone: boolean): Promise<void> {
    const settings = await settingsOf(ctx)
    const count = await countLoggedIn(database, settings.organisationId)
    ctx.type = 'html'
    ctx.body = views.render('admin-user-change', {
      frame: frameFor(services, guard, ctx, settings.organisation, 'sessions'),
      userUrl: url,
      name: texts.t('sessions.heading'),
      question: texts.t('sessions.logOut.question'),
      action: `${url}/log-out`,
      fields:
        pending === undefined
          ? [{ name: 'seen', value: String(settings.logOut?.orderedAt ?? 0) }]
          : [{ name: 'pending', value: pending }],
      ...(pending === undefined ? {} : { waiting: true }),
      ...(gone ? { error: texts.t('user.change.gone') } : {}),
      effects: [
        texts.t('sessions.logOut.users', { count }),
        texts.t('user.logOut.tokens'),
        texts.t('user.logOut.factors'),
      ],
      button: { text: texts.t('sessions.logOut'), danger: true },
    })
  }

  return router
}

/** @returns NaN for what is no whole number as people write it */
function numberOf(text: string): number {
  return /^\d{1,16}$/.test(text.trim()) ? Number(text) : Number.NaN
}

/** Values in an address, to say that they were saved. */
function marked({ inactiveHours, endDays }: SessionPolicy): string {
  return `${inactiveHours}-${endDays}`
}
