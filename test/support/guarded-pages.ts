// Pages of a test's own behind the guard of Sallyport's pages: one per requirement, and a form that needs a fresh factor
// and does something that can be counted.

import Router from 'koa-router'
import { ACR } from '../../src/flow/assurance.ts'
import { createGuard, sessionOf } from '../../src/http/session.ts'
import type { Sallyport } from '../../src/provider.ts'
import { auditRow } from '../../src/store/audit/audit.ts'
import { CommitRefused } from '../../src/store/database.ts'

export const FRESH = { acr: ACR['2fa'], maxAge: 300 } as const
export const FORM = { kind: 'test-form', fields: ['user', 'reason'], page: '/test/form' } as const

/** For a stage's `extend`. */
export function guardedPages({ provider, services }: Sallyport): void {
  const guard = createGuard(provider, services)
  const router = new Router()

  for (const [path, requirement] of [
    ['/test/open', {}],
    ['/test/two', { acr: ACR['2fa'] }],
    ['/test/fresh', FRESH],
    ['/test/passkey', { acr: ACR.phr }],
  ] as const) {
    router.get(path, guard.requireSession(requirement), ctx => {
      const { account, uid, facts } = sessionOf(ctx)
      ctx.type = 'html'
      ctx.body = page(`Opened ${ctx.path}`, [account.id, uid, ...facts.map(each => each.factor)].join(' '))
    })
  }

  router.get(FORM.page, guard.requireSession(FRESH), async ctx => {
    const waiting = await guard.pendingForm(ctx, FORM)
    ctx.type = 'html'
    if (waiting === undefined) {
      ctx.body = page('Nothing waits', '')
      return
    }
    const { user, reason } = waiting.form
    const form = `<form method="post" action="${FORM.page}"><input type="hidden" name="pending" value="${waiting.id}">
      <button>Do it</button></form>`
    ctx.body = page('Once more', `${escaped(user ?? '')}: ${escaped(reason ?? '')}`, form)
  })

  router.post(FORM.page, guard.requireSessionForForm(FORM, FRESH), async ctx => {
    const sent = await guard.sentForm(ctx, FORM)
    ctx.type = 'html'
    const { account } = sessionOf(ctx)
    const details = { user: sent?.form.user, reason: sent?.form.reason }
    try {
      if (sent === undefined) throw new CommitRefused('already_used')
      const done = auditRow({ event: 'user.invited', accountId: account.id, details }, services.clock())
      await services.database.commit([...sent.taken, done])
      ctx.body = page('Done', '')
    } catch (error) {
      if (!(error instanceof CommitRefused)) throw error
      ctx.status = 409
      ctx.body = page('It waits no more', '')
    }
  })

  provider.use(router.routes())
}

function page(heading: string, text: string, more = ''): string {
  return `<!doctype html><html lang="en"><title>${heading}</title><meta name="viewport" content="width=device-width">
    <main><h1>${heading}</h1><p>${text}</p>${more}</main></html>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
