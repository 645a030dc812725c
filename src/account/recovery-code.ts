// A new recovery code, made by its owner, and the page that shows one until its user says that it is recorded. As in a
// login: the code of before is void from the moment the new one is made, and the new one counts as saved with the tick.
// What is shown waits sealed, for this session alone, ten minutes. Leaves out how a code is used.

import type { Context } from 'koa'
import Router from 'koa-router'
import { groupRecoveryCode } from '../factors/recovery-code.ts'
import { makeRecoveryCode, recoveryHash } from '../flow/ways/codes.ts'
import { record } from '../flow/ways/outcome.ts'
import { seeOther } from '../http/see-other.ts'
import { type Guard, sessionOf } from '../http/session.ts'
import { mailJob } from '../mail/outbox.ts'
import type { Services } from '../services.ts'
import { issueRecoveryCode, recoveryCodeSaved } from '../store/accounts/credentials.ts'
import { stayLoggedIn } from '../store/accounts/own-changes.ts'
import { keepPending, readPending, takePending } from '../store/accounts/pending-forms.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import { frameFor, homeOf } from './frame.ts'
import { commitChange, FRESH, type OwnOccasion, occasions } from './own-change.ts'

const PATH = '/account/recovery-code'
const NEW = { kind: 'account-recovery-code', fields: [], page: PATH } as const
const SAVED = {
  kind: 'account-recovery-code-saved',
  fields: ['saved'],
  page: `${PATH}/:id`,
} as const
/** The page that shows a code comes after a recovery code was used, too. */
const SHOW = { ...FRESH, recovery: true } as const
const KEPT = 'account-recovery-code-shown'

/** What its page says of a new code, and where it leads. */
export interface ShownCode {
  readonly code: string
  /** Why there is a new one. */
  readonly why: 'set-up' | 'used' | 'asked'
  /** Below the overview. */
  readonly next: string
}

/** Keeps a code for its page. @returns the write, and where the page is, below the overview */
export function showCode(
  { keyring }: Services,
  { place, now }: OwnOccasion,
  shown: ShownCode,
): { write: Write; page: string } {
  const { id, write } = keepPending(keyring, { ...shown }, { kind: KEPT, ...place }, now)
  return { write, page: `/recovery-code/${id}` }
}

export function recoveryCodeRoutes(services: Services, guard: Guard): Router {
  const { database, keyring, views, texts, clock } = services
  const router = new Router()
  const occasionOf = occasions(services)
  const home = homeOf(services)

  router.get(PATH, guard.requireSession(FRESH), async ctx => {
    const { account } = sessionOf(ctx)
    if (account.authenticator === undefined) return seeOther(ctx, home)
    // There was none, and one was made and saved on the way here, since a one-time code was asked for.
    if (ctx.query.for === 'none' && account.recoveryCode?.saved) {
      return seeOther(ctx, `${home}?done=recovery-code`)
    }
    confirm(ctx, { pending: (await guard.pendingForm(ctx, NEW))?.id })
  })

  router.post(PATH, guard.requireSessionForForm(NEW, FRESH), async ctx => {
    const sent = await guard.sentForm(ctx, NEW)
    const occasion = occasionOf(ctx)
    const { account, place, now, deed } = occasion
    if (sent === undefined || account.authenticator === undefined) return seeOther(ctx, home)
    const { code, hash } = makeRecoveryCode(services, account.id)
    const shown = showCode(services, occasion, { code, why: 'asked', next: '?done=recovery-code' })
    await commitChange(services, ctx, shown.page, [
      ...sent.taken,
      stayLoggedIn(place),
      issueRecoveryCode(account.id, hash, now),
      shown.write,
      record(occasion, 'recovery_code.issued'),
      mailJob(keyring, {
        to: account.email,
        accountId: account.id,
        template: 'recovery-code-made',
        contents: deed,
        now,
      }),
    ])
  })

  router.get(`${PATH}/:id`, guard.requireSession(SHOW), async ctx => {
    const shown = await shownCode(ctx)
    if (shown === undefined) return gone(ctx)
    const { account } = sessionOf(ctx)
    // Nobody is to write down a code that another one has replaced.
    if (recoveryHash(services, account, shown.code) === undefined) {
      return account.recoveryCode?.saved ? gone(ctx) : replaced(ctx)
    }
    show(ctx, shown)
  })

  router.post(`${PATH}/:id`, guard.requireSessionForForm(SAVED, SHOW), async ctx => {
    const sent = await guard.sentForm(ctx, SAVED)
    const shown = await shownCode(ctx)
    if (shown === undefined) return gone(ctx)
    if (sent?.form.saved !== 'yes') {
      ctx.status = 400
      return show(ctx, shown, texts.t('recoveryCode.error.tick'))
    }
    const occasion = occasionOf(ctx)
    const { account, place, now } = occasion
    const valid = recoveryHash(services, account, shown.code)
    if (valid === undefined) return replaced(ctx)
    try {
      await database.commit([
        takePending(idOf(ctx), { kind: KEPT, ...place }, now),
        ...sent.taken,
        stayLoggedIn(place),
        recoveryCodeSaved(account.id, valid, now),
        record(occasion, 'recovery_code.saved'),
      ])
    } catch (error) {
      // By a double click, or in another tab.
      if (!(error instanceof CommitRefused)) throw error
    }
    seeOther(ctx, `${home}${shown.next}`)
  })

  function idOf(ctx: Context): string {
    return (ctx.params as { id: string }).id
  }

  async function shownCode(ctx: Context): Promise<ShownCode | undefined> {
    const { account, uid } = sessionOf(ctx)
    const place = { kind: KEPT, sessionUid: uid, accountId: account.id }
    return (await readPending(database, keyring, idOf(ctx), place, clock())) as ShownCode | undefined
  }

  function show(ctx: Context, { code, why }: ShownCode, error?: string): void {
    ctx.type = 'html'
    ctx.body = views.render('recovery-code', {
      action: `${home}/recovery-code/${idOf(ctx)}`,
      code: groupRecoveryCode(code),
      ...(why === 'used' ? { replaces: true } : {}),
      ...(why === 'asked' ? { asked: true } : {}),
      ...(error === undefined ? {} : { error }),
    })
  }

  /** It was ticked before, or waited too long. */
  function gone(ctx: Context): void {
    const saved = sessionOf(ctx).account.recoveryCode?.saved === true
    seeOther(ctx, saved ? `${home}?done=recovery-code` : `${home}/recovery-code`)
  }

  function replaced(ctx: Context): void {
    ctx.status = 409
    confirm(ctx, { error: texts.t('accountRecoveryCode.error.replaced') })
  }

  function confirm(
    ctx: Context,
    { pending, error }: { pending?: string | undefined; error?: string | undefined },
  ): void {
    ctx.type = 'html'
    ctx.body = views.render('account-confirm', {
      frame: frameFor(services, guard, sessionOf(ctx).account),
      question: texts.t('accountRecoveryCode.heading'),
      effects: [texts.t('accountRecoveryCode.effect'), texts.t('accountRecoveryCode.ready')],
      button: { text: texts.t('accountRecoveryCode.make'), post: `${home}/recovery-code` },
      ...(pending === undefined ? {} : { pending }),
      ...(error === undefined ? {} : { error }),
    })
  }

  return router
}
