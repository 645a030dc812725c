// "Forgot password?": a link by mail. It says the same, in the same time, whether or not there is an account: both
// ways commit as often. A reset logs nobody in and leaves two-factor authentication as it is.

import Router from 'koa-router'
import { reserveAttempt } from '../factors/attempts.ts'
import { readForm, requireSameOrigin } from '../http/forms.ts'
import { parseAddress } from '../mail/address.ts'
import { mailJob } from '../mail/outbox.ts'
import type { Paths } from '../paths.ts'
import type { Services } from '../services.ts'
import { emailKey } from '../store/accounts/accounts.ts'
import { issueToken, LIFETIME_MS } from '../store/accounts/emailed-tokens.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused } from '../store/database.ts'
import { digest, newToken } from '../store/ids.ts'

const MINUTES = LIFETIME_MS['password-reset'] / 60_000

export function forgottenPasswordRoutes(services: Services): Router {
  const { paths, views, texts, accounts, database, keyring, clock } = services
  const router = new Router()
  const path = '/forgot-password'

  router.get(path, ctx => {
    ctx.type = 'html'
    ctx.body = views.render('forgot-password', {
      action: `${paths.base}${path}${ctx.search}`,
      minutes: MINUTES,
      ...back(paths, ctx.query),
    })
  })

  router.post(path, async ctx => {
    requireSameOrigin(ctx, paths.origin)
    const form = await readForm(ctx, ['email'])
    const typed = form.email?.trim() ?? ''
    const email = parseAddress(typed)
    ctx.type = 'html'
    if (email === undefined) {
      ctx.status = 400
      ctx.body = views.render('forgot-password', {
        action: `${paths.base}${path}${ctx.search}`,
        minutes: MINUTES,
        email: typed.slice(0, 254),
        error: texts.t(typed === '' ? 'email.error.missing' : 'email.error.malformed'),
        ...back(paths, ctx.query),
      })
      return
    }
    await sendLink(email, ctx.ip)
    ctx.body = views.render('mail-sent', { email, ...back(paths, ctx.query) })
  })

  async function sendLink(email: string, address: string): Promise<void> {
    const now = clock()
    const account = await accounts.findByEmail(email)
    try {
      await database.commit([reserveAttempt('mail', { account: digest(emailKey(email)), source: '' }, now)])
    } catch (error) {
      if (error instanceof CommitRefused) return
      throw error
    }
    // Who locked their account opens it by a new password.
    const known = account?.status === 'active' || account?.status === 'locked' ? account : undefined
    const token = newToken()
    await database.commit([
      auditRow(
        {
          event: 'password.reset_requested',
          organisationId: known?.organisationId,
          accountId: known?.id,
          address,
        },
        now,
      ),
      ...(known === undefined
        ? []
        : [
            ...issueToken('password-reset', known.id, token, null, now),
            mailJob(keyring, {
              // The account's own spelling of the address, never the one that was typed.
              to: known.email,
              template: 'password-reset',
              contents: { name: known.name, token, at: now, address },
              now,
            }),
          ]),
    ])
  }

  return router
}

/** The login that the user came from. Its uid grants nothing; its cookie does. */
function back(paths: Paths, query: Record<string, unknown>): { backUrl?: string } {
  const uid = query.back
  return typeof uid === 'string' && /^[\w-]{8,64}$/.test(uid) ? { backUrl: paths.interaction(uid) } : {}
}
