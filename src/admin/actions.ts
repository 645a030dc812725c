// MFA for protected actions: the actions that apps have confirmed, and for each the rule that holds for the users of this
// organisation, which is made stricter here, or goes back to the app's own. Leaves out the changing itself
// (actions/organisation-rules.ts): what an app demands is never loosened there.

import type { Context } from 'koa'
import Router from 'koa-router'
import { type EffectiveRule, effectiveRule, setRule } from '../actions/organisation-rules.ts'
import type { ProtectedAction } from '../actions/registry.ts'
import { LONGEST_WITHIN, type Rule, ruleText, stricter } from '../actions/rules.ts'
import { openTitle } from '../actions/titles.ts'
import { AppError } from '../errors.ts'
import type { RuleChoice } from '../http/locals/console-rules.ts'
import type { ViewLocals } from '../http/locals.ts'
import { seeOther } from '../http/see-other.ts'
import type { FormKind, Guard } from '../http/session.ts'
import { InputError } from '../organisations/directory.ts'
import type { Services } from '../services.ts'
import { countWithoutPasskey, MOST_WITHOUT_PASSKEY } from '../store/accounts/credentials.ts'
import { CommitRefused } from '../store/database.ts'
import { digest } from '../store/ids.ts'
import { readActionRules } from '../store/organisations/action-rules.ts'
import type { Texts } from '../texts.ts'
import { adminOf, createAdmins, frameOf } from './console.ts'

const FORM = {
  kind: 'action-rule',
  fields: ['rule', 'minutes', 'seen'],
  page: '/admin/actions/:id',
} as const satisfies FormKind

const CHOICES: readonly RuleChoice[] = ['app', 'within', 'always', 'passkey']

/** An action of an app, as this organisation has it. */
interface Known {
  /** Of its page. */
  readonly id: string
  readonly clientId: string
  readonly app: string
  readonly action: ProtectedAction
  readonly rule: EffectiveRule
}

type Typed = { readonly [Field in (typeof FORM)['fields'][number]]?: string }
type Said = Partial<Pick<ViewLocals['admin-action'], 'error' | 'errors' | 'waiting'>> & {
  readonly typed?: Typed
}

export function actionRoutes(services: Services, guard: Guard): Router {
  const { database, clients, paths, views, texts, clock } = services
  const admins = createAdmins(guard)
  const router = new Router()
  const listUrl = `${paths.admin}/actions`

  router.get('/admin/actions', ...admins.look(), async ctx => {
    const [{ frame }, known] = await Promise.all([frameOf(services, guard, ctx, 'actions'), knownTo(ctx)])
    const done = known.find(each => each.id === ctx.query.done)
    ctx.type = 'html'
    ctx.body = views.render('admin-actions', {
      frame,
      ...(done === undefined
        ? {}
        : {
            notice: texts.t('actions.done', {
              title: titleOf(texts, done),
              rule: ruleInWords(texts, done.rule.effective),
            }),
          }),
      actions: known.map(each => ({
        app: each.app,
        title: titleOf(texts, each),
        own: ruleInWords(texts, each.rule.own),
        effective: ruleInWords(texts, each.rule.effective),
        tightened: stricter(each.rule.effective, each.rule.own),
        href: `${listUrl}/${each.id}`,
      })),
    })
  })

  router.get('/admin/actions/:id', ...admins.look(), async ctx => {
    const action = await actionOf(ctx)
    const waiting = await guard.pendingForm(ctx, FORM)
    if (waiting === undefined) {
      // It was kept, and then waited too long, or was sent from another tab.
      return show(ctx, action, ctx.query.pending === undefined ? {} : { error: texts.t('actions.gone') })
    }
    const read = ruleOf(action, waiting.form)
    // What can't be saved is said now, not after one more press.
    if (!read.ok) return show(ctx, action, { errors: read.errors, typed: waiting.form })
    const rule = read.rule === 'app' ? action.rule.own : read.rule
    await show(ctx, action, { waiting: { id: waiting.id, rule: ruleInWords(texts, rule) } })
  })

  router.post('/admin/actions/:id', ...admins.change(FORM), async ctx => {
    const { account } = adminOf(ctx)
    const action = await actionOf(ctx)
    const sent = await guard.sentForm(ctx, FORM)
    if (sent === undefined) return again(ctx, 400, action, { error: texts.t('actions.gone') })
    const read = ruleOf(action, sent.form)
    if (!read.ok) return again(ctx, 400, action, { errors: read.errors, typed: sent.form })
    try {
      await setRule(
        { database, clock, actor: account.id },
        {
          organisationId: account.organisationId,
          clientId: action.clientId,
          action: action.action,
          rule: read.rule,
          seen: sent.form.seen ?? '',
          address: ctx.ip,
          also: sent.taken,
        },
      )
    } catch (error) {
      if (error instanceof InputError && error.why?.reason === 'laxer_than_app') {
        return again(ctx, 400, action, { errors: { rule: texts.t('actions.error.laxer') }, typed: sent.form })
      }
      if (!(error instanceof CommitRefused)) throw error
      // Somebody was faster: another admin, or the same form in another tab.
      const { seen: _, ...typed } = sent.form
      return again(ctx, 409, await actionOf(ctx), { error: texts.t('actions.changed'), typed })
    }
    seeOther(ctx, `${listUrl}?done=${action.id}`)
  })

  async function knownTo(ctx: Context): Promise<Known[]> {
    const { organisationId } = adminOf(ctx).account
    const [apps, rules] = await Promise.all([
      clients.withActions(),
      readActionRules(database, organisationId),
    ])
    return apps.flatMap(({ metadata, actions = [] }) =>
      actions.map(action => ({
        // An app's id may be an address: what stands in ours is short, and says nothing.
        id: digest(`${metadata.client_id} ${action.id}`),
        clientId: metadata.client_id,
        app: String(metadata.client_name ?? metadata.client_id),
        action,
        rule: effectiveRule(action, metadata.client_id, rules),
      })),
    )
  }

  async function actionOf(ctx: Context): Promise<Known> {
    const { id } = ctx.params as Record<string, string>
    const found = (await knownTo(ctx)).find(each => each.id === id)
    if (found === undefined) throw new AppError('not_found')
    return found
  }

  /** What was chosen; laxer than the app's is read too, and refused by whoever stores it. */
  function ruleOf(
    { rule: { own } }: Known,
    { rule, minutes = '' }: Typed,
  ): { ok: true; rule: Rule | 'app' } | { ok: false; errors: NonNullable<Said['errors']> } {
    const choice = rule === 'off' ? rule : CHOICES.find(each => each === rule)
    if (choice === undefined) return { ok: false, errors: { rule: texts.t('actions.error.rule') } }
    if (choice !== 'within') return { ok: true, rule: choice }
    const most = mostMinutes(own)
    if (most === 0) return { ok: false, errors: { rule: texts.t('actions.error.laxer') } }
    const number = Number(/^\s*(\d{1,6})\s*$/.exec(minutes)?.[1] ?? 0)
    if (number < 1 || number > most) {
      return { ok: false, errors: { minutes: texts.t('actions.error.minutes', { most }) } }
    }
    return { ok: true, rule: { within: number * 60 } }
  }

  async function again(ctx: Context, status: number, action: Known, said: Said): Promise<void> {
    ctx.status = status
    await show(ctx, action, said)
  }

  async function show(ctx: Context, action: Known, { typed, ...said }: Said): Promise<void> {
    const { own, effective } = action.rule
    const [{ frame }, without] = await Promise.all([
      frameOf(services, guard, ctx, 'actions'),
      own === 'passkey' ? undefined : countWithoutPasskey(database, adminOf(ctx).account.organisationId),
    ])
    const held = stricter(effective, own) ? effective : 'app'
    const most = mostMinutes(own)
    const shown = typeof held === 'string' ? '' : String(Math.max(1, Math.floor(held.within / 60)))
    ctx.type = 'html'
    ctx.body = views.render('admin-action', {
      frame,
      listUrl,
      action: `${listUrl}/${action.id}`,
      app: action.app,
      title: titleOf(texts, action),
      own: ruleInWords(texts, own),
      effective: ruleInWords(texts, effective),
      seen: typed?.seen ?? ruleText(effective),
      chosen:
        CHOICES.find(each => each === typed?.rule) ?? (typeof held === 'string' ? choiceOf(held) : 'within'),
      // A laxer one is not there to be chosen.
      ...(most === 0 ? {} : { within: { most, minutes: typed?.minutes ?? shown } }),
      ...(stricter('always', own) ? { always: true } : {}),
      ...(without === undefined
        ? {}
        : {
            passkey: {
              without:
                without > MOST_WITHOUT_PASSKEY
                  ? texts.t('actions.withoutPasskey.many', { count: MOST_WITHOUT_PASSKEY })
                  : texts.t('actions.withoutPasskey', { count: without }),
            },
          }),
      ...said,
    })
  }

  return router
}

function choiceOf(held: Exclude<Rule, object> | 'app'): RuleChoice {
  return held === 'off' ? 'app' : held
}

/** The most minutes that are stricter than an app's rule, or the same; 0: none are. */
function mostMinutes(own: Rule): number {
  if (own === 'off') return LONGEST_WITHIN / 60
  return typeof own === 'object' ? Math.floor(own.within / 60) : 0
}

function titleOf({ t }: Texts, { action }: Known): string {
  return openTitle(action.title, t('actions.number'))
}

/** A rule as people say it. */
export function ruleInWords({ t }: Texts, rule: Rule): string {
  if (typeof rule === 'string') return t(`actions.rule.${rule}`)
  const { within } = rule
  return within % 60 === 0
    ? t('actions.rule.minutes', { minutes: within / 60 })
    : t('actions.rule.seconds', { seconds: within })
}
