// One's own name, as apps, admins and mails have it. Nothing is logged in by it, so nothing ends; its owner is told under
// the name of before. Leaves out what a name may be (organisations/directory.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { record } from '../flow/ways/outcome.ts'
import type { ViewLocals } from '../http/locals.ts'
import { seeOther } from '../http/see-other.ts'
import { type Guard, sessionOf } from '../http/session.ts'
import { mailJob } from '../mail/outbox.ts'
import { possibleName } from '../organisations/directory.ts'
import type { Services } from '../services.ts'
import { changeName } from '../store/accounts/own-changes.ts'
import { frameFor, homeOf } from './frame.ts'
import { commitChange, FRESH, occasions } from './own-change.ts'

const PATH = '/account/name'
const FORM = { kind: 'account-name', fields: ['name'], page: PATH } as const

export function nameRoutes(services: Services, guard: Guard): Router {
  const { accounts, keyring, views, texts } = services
  const router = new Router()
  const occasionOf = occasions(services)

  router.get(PATH, guard.requireSession(FRESH), async ctx => {
    own()
    const waiting = await guard.pendingForm(ctx, FORM)
    show(ctx, waiting === undefined ? {} : { name: waiting.form.name ?? '', again: true })
  })

  router.post(PATH, guard.requireSessionForForm(FORM, FRESH), async ctx => {
    own()
    const sent = await guard.sentForm(ctx, FORM)
    const typed = sent?.form.name ?? ''
    const name = possibleName(typed)
    if (name === undefined) {
      ctx.status = 400
      return show(ctx, { name: typed, error: texts.t('invite.error.name') })
    }
    const occasion = occasionOf(ctx)
    const { account, place, now, deed } = occasion
    const { name: before } = account
    if (name === before) return seeOther(ctx, `${homeOf(services)}?done=same-name`)
    await commitChange(services, ctx, '?done=name', [
      ...(sent?.taken ?? []),
      changeName(place, { before, name }),
      record(occasion, 'account.name_changed', { from: before, to: name }),
      mailJob(keyring, {
        to: account.email,
        accountId: account.id,
        template: 'name-changed',
        contents: { ...deed, newName: name },
        now,
      }),
    ])
  })

  /** @throws AppError `not_found` where names are a host's */
  function own(): void {
    if (accounts.profiles !== 'own') throw new AppError('not_found')
  }

  function show(ctx: Context, given: Partial<Pick<ViewLocals['account-name'], 'name' | 'error' | 'again'>>) {
    const { account } = sessionOf(ctx)
    ctx.type = 'html'
    ctx.body = views.render('account-name', {
      frame: frameFor(services, guard, account),
      action: `${homeOf(services)}/name`,
      effect: texts.t(account.role === 'support' ? 'accountName.support' : 'accountName.organisation'),
      name: account.name,
      ...given,
    })
  }

  return router
}
