// Changing one's own password. A fresh second factor is not all that it takes: the password of now is asked for too (OWASP
// ASVS 5.0, 6.2.3), its attempt reserved before it is compared, so that an open screen changes nothing by itself. It ends
// every other session; this one stays.

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { clearAccountAttempts } from '../factors/attempts.ts'
import { NO_PROGRESS } from '../flow/progress.ts'
import { checkPassword } from '../flow/ways/first-factor.ts'
import { type Refused, record } from '../flow/ways/outcome.ts'
import type { ViewLocals } from '../http/locals.ts'
import { seeOther } from '../http/see-other.ts'
import { type Guard, sessionOf } from '../http/session.ts'
import { mailJob } from '../mail/outbox.ts'
import { minimumPasswordLength } from '../organisations/password-rule.ts'
import type { Services } from '../services.ts'
import { readAccountOverview } from '../store/accounts/account-overview.ts'
import type { Account } from '../store/accounts/accounts.ts'
import { retireTokens } from '../store/accounts/emailed-tokens.ts'
import { changePassword } from '../store/accounts/own-changes.ts'
import type { TextKey } from '../texts.ts'
import { frameFor, homeOf } from './frame.ts'
import { hashNewPassword, newPasswordError } from './new-password.ts'
import { A_MOMENT_MS, commitChange, FRESH, occasions } from './own-change.ts'

const PATH = '/account/password'
const FORM = {
  kind: 'account-password',
  fields: ['current', 'password', 'username'],
  unkept: ['current', 'password', 'username'],
  page: PATH,
} as const

/** What a login says of a wrong password, said to somebody who is logged in. */
const SAID: Partial<Record<TextKey, TextKey>> = {
  'password.error.wrong': 'accountPassword.error.wrong',
  'password.error.blocked': 'accountPassword.error.blocked',
}

export function passwordRoutes(services: Services, guard: Guard): Router {
  const { accounts, database, keyring, paths, views, texts, clock } = services
  const router = new Router()
  const occasionOf = occasions(services)

  router.get(PATH, guard.requireSession(FRESH), async ctx => {
    const { account } = sessionOf(ctx)
    ownHash(account)
    const waited = (await guard.pendingForm(ctx, FORM)) !== undefined
    show(ctx, account, waited ? { again: true } : {})
  })

  router.post(PATH, guard.requireSessionForForm(FORM, FRESH), async ctx => {
    const sent = await guard.sentForm(ctx, FORM)
    const occasion = occasionOf(ctx)
    const { account, place, now, deed } = occasion
    const before = ownHash(account)
    const { current = '', password = '' } = sent?.form ?? {}
    const refuse = (errors: NonNullable<ViewLocals['account-password']['errors']>) => {
      ctx.status = 400
      show(ctx, account, { errors })
    }
    if (await justChanged(account, password, now)) return seeOther(ctx, `${homeOf(services)}?done=password`)
    if (current === '') return refuse({ current: texts.t('accountPassword.error.missing') })
    // What is wrong with the new one costs no attempt at the one of now.
    const refusal = await newPasswordError(services, account, password, now)
    if (refusal !== undefined) return refuse({ password: refusal })
    const checked = await checkPassword(services, { ...occasion, progress: NO_PROGRESS }, current)
    if (!checked.ok) {
      await database.commit(checked.refused.writes ?? [])
      return refuse({ current: wordsOf(checked.refused) })
    }
    if (password === current) {
      await database.commit(checked.writes)
      return refuse({ password: texts.t('accountPassword.error.same') })
    }
    const hash = await hashNewPassword(password)
    await commitChange(services, ctx, '?done=password', [
      ...changePassword(database.dialect, place, { before, hash }, now),
      retireTokens(account.id, now),
      clearAccountAttempts('password', account.id),
      clearAccountAttempts('password-everywhere', account.id),
      record(occasion, 'password.changed'),
      mailJob(keyring, {
        to: account.email,
        accountId: account.id,
        template: 'password-changed',
        contents: deed,
        now,
      }),
    ])
  })

  /** Whether this is the second press of a double click: the password is the new one already, since a moment ago. */
  async function justChanged(account: Account, password: string, now: number): Promise<boolean> {
    const { passwordChangedAt } = await readAccountOverview(database, account.id)
    if (password === '' || passwordChangedAt === null || passwordChangedAt < now - A_MOMENT_MS) return false
    return (await accounts.verifyPassword(account, password)).ok
  }

  /** @throws AppError `not_found` where the password isn't ours to change */
  function ownHash({ passwordHash }: Account): string {
    if (accounts.passwords !== 'own' || passwordHash === null) throw new AppError('not_found')
    return passwordHash
  }

  function show(
    ctx: Context,
    account: Account,
    own: Pick<ViewLocals['account-password'], 'errors' | 'again'>,
  ): void {
    ctx.type = 'html'
    ctx.body = views.render('account-password', {
      frame: frameFor(services, guard, account),
      action: `${homeOf(services)}/password`,
      email: account.email,
      minimum: minimumPasswordLength(account.subscribedAt, clock()),
      forgotUrl: paths.forgotPassword(),
      ...own,
    })
  }

  function wordsOf({ message: { key, values } }: Refused): string {
    return texts.t(SAID[key] ?? key, values)
  }

  return router
}
