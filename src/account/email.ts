// Ordering a change of one's own address. Nothing is changed by it: a link goes to the new address, and the old one is
// told, with a link that stops it. The page says the same, after the same reads and commits, whether or not somebody has
// the new address already; who has it is told that it was tried, once a day, and gets no link. Leaves out what the links
// do (email-links.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { noteNotified, reserveAttempt } from '../factors/attempts.ts'
import { ssoDue } from '../flow/visit.ts'
import { record } from '../flow/ways/outcome.ts'
import type { ViewLocals } from '../http/locals.ts'
import { seeOther } from '../http/see-other.ts'
import { type Guard, sessionOf } from '../http/session.ts'
import { domainOf, parseAddress } from '../mail/address.ts'
import { mailJob } from '../mail/outbox.ts'
import { stopToken } from '../mail/stop-link.ts'
import type { Services } from '../services.ts'
import { type Account, emailKey } from '../store/accounts/accounts.ts'
import { isHeldForAnother, orderEmailChange, readWaitingChange } from '../store/accounts/email-changes.ts'
import { stayLoggedIn } from '../store/accounts/own-changes.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import { digest, newId, newToken } from '../store/ids.ts'
import type { TextKey } from '../texts.ts'
import { frameFor, homeOf } from './frame.ts'
import { A_MOMENT_MS, commitChange, FRESH, occasions } from './own-change.ts'

const PATH = '/account/email'
const FORM = { kind: 'account-email', fields: ['email'], page: PATH } as const
const DAY = 24 * 60 * 60 * 1000
const LONGEST = 254

export function emailRoutes(services: Services, guard: Guard): Router {
  const { accounts, database, keyring, views, texts, clock } = services
  const router = new Router()
  const occasionOf = occasions(services)

  router.get(PATH, guard.requireSession(FRESH), async ctx => {
    own()
    const waiting = await guard.pendingForm(ctx, FORM)
    show(ctx, waiting === undefined ? {} : { email: waiting.form.email ?? '', again: true })
  })

  router.post(PATH, guard.requireSessionForForm(FORM, FRESH), async ctx => {
    own()
    const sent = await guard.sentForm(ctx, FORM)
    const occasion = occasionOf(ctx)
    const { account, place, now, deed } = occasion
    const typed = sent?.form.email?.trim() ?? ''
    const to = parseAddress(typed)
    const refuse = (error: TextKey) => {
      ctx.status = 400
      show(ctx, { email: typed.slice(0, LONGEST), error: texts.t(error) })
    }
    if (to === undefined) return refuse(typed === '' ? 'accountEmail.error.missing' : 'email.error.malformed')
    const key = emailKey(to)
    if (key === emailKey(account.email)) return refuse('accountEmail.error.same')
    if (leavesSso(services, account, to)) return refuse('accountEmail.error.sso')
    const before = await readWaitingChange(database, account.id, now)
    // By the second press of a double click.
    if (before?.to === to && before.orderedAt > now - A_MOMENT_MS) return seeOther(ctx, sentPage())
    const holder = await accounts.findByEmail(to)
    const held = await isHeldForAnother(database, to, account.id, now)
    const budgets = [
      { account: digest(key), source: '' },
      { account: account.id, source: '' },
    ]
    if (!(await commits(budgets.map(each => reserveAttempt('mail', each, now))))) {
      return refuse('accountEmail.error.tooMany')
    }
    // Noted of everybody's address, so that both ways commit as often.
    const toTell = await commits([noteNotified(digest(`email-taken ${key}`), now, DAY)])
    const [id, token] = [newId('chg'), newToken()]
    const taken = holder !== undefined || held
    await commitChange(services, ctx, '/email/sent', [
      ...(sent?.taken ?? []),
      stayLoggedIn(place),
      ...orderEmailChange(account, { id, to, token, sessionUid: place.sessionUid }, now),
      record(occasion, 'email.change_ordered', { to }),
      mailJob(keyring, {
        to: account.email,
        template: 'email-change-ordered',
        contents: { ...deed, newEmail: to, token: stopToken(keyring, id) },
        now,
      }),
      ...(taken
        ? []
        : [mailJob(keyring, { to, template: 'email-change', contents: { token, at: now }, now })]),
      ...(holder === undefined || !toTell
        ? []
        : [
            mailJob(keyring, {
              to: holder.email,
              template: 'email-taken',
              contents: { name: holder.name, at: now },
              now,
            }),
          ]),
    ])
  })

  router.get(`${PATH}/sent`, guard.requireSession(), async ctx => {
    const waiting = await readWaitingChange(database, sessionOf(ctx).account.id, clock())
    if (waiting === undefined) return seeOther(ctx, homeOf(services))
    const { t } = texts
    ctx.type = 'html'
    ctx.body = views.render('account-confirm', {
      frame: frameFor(services, guard, sessionOf(ctx).account),
      question: t('accountEmail.sent.heading'),
      effects: [
        t('accountEmail.sent.new', { email: waiting.to, until: texts.utc(waiting.expiresAt) }),
        t('accountEmail.sent.old', { email: waiting.from }),
        t('accountEmail.sent.nothing'),
      ],
    })
  })

  /** @throws AppError `not_found` where addresses are a host's */
  function own(): void {
    if (accounts.profiles !== 'own') throw new AppError('not_found')
  }

  function sentPage(): string {
    return `${homeOf(services)}/email/sent`
  }

  /** @returns whether nothing of it was refused */
  async function commits(writes: readonly Write[]): Promise<boolean> {
    try {
      await database.commit(writes)
      return true
    } catch (error) {
      if (error instanceof CommitRefused) return false
      throw error
    }
  }

  function show(ctx: Context, given: Pick<ViewLocals['account-email'], 'email' | 'error' | 'again'>): void {
    const { account } = sessionOf(ctx)
    ctx.type = 'html'
    ctx.body = views.render('account-email', {
      frame: frameFor(services, guard, account),
      action: `${homeOf(services)}/email`,
      current: account.email,
      ...given,
    })
  }

  return router
}

/** Whether an address would take somebody out of the domain whose users log in by single sign-on only. */
export function leavesSso(services: Parameters<typeof ssoDue>[0], account: Account, to: string): boolean {
  return domainOf(emailKey(to)) !== domainOf(emailKey(account.email)) && ssoDue(services, account, [])
}
