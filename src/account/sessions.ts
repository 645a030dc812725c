// Where somebody is logged in, and the end of it: of one session, or of all but this one. No fresh factor is asked for,
// since this opens nothing: whoever wants to shut somebody out must not be held up, nor be without the right device at
// that moment. The gate of their organisation is all that this takes, as for the page itself. What ends is the session, its tokens,
// what is half way in it, and its apps' sessions, which are told.

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { record } from '../flow/ways/outcome.ts'
import { seeOther } from '../http/see-other.ts'
import { type Guard, sessionOf } from '../http/session.ts'
import type { Services } from '../services.ts'
import { endOneSession, endOtherSessions } from '../store/accounts/own-changes.ts'
import { readSessionsOf, type SessionView, wasSessionOf } from '../store/sessions/account-sessions.ts'
import { frameFor, homeOf, tabsOf } from './frame.ts'
import { commitEnd, occasions } from './own-change.ts'

const PATH = '/account/sessions'
const END = { kind: 'account-session-end', fields: [], page: `${PATH}/:uid/log-out` } as const
const END_OTHERS = { kind: 'account-sessions-end', fields: [], page: `${PATH}/log-out-others` } as const

export function sessionRoutes(services: Services, guard: Guard): Router {
  const { config, database, places, texts, views } = services
  const router = new Router()
  const occasionOf = occasions(services)
  const list = `${homeOf(services)}/sessions`

  const sessionsOf = (ctx: Context) =>
    readSessionsOf(database, sessionOf(ctx).account.id, services.clock(), config.ssoPlans)
  const nameOf = ({ device }: Pick<SessionView, 'device'>) => device ?? texts.t('sessions.device.unknown')

  const rowOf = ({ device, address, loggedInAt, lastSeenAt }: SessionView) => {
    const place = places.of(address, texts)
    return {
      device: nameOf({ device }),
      phone: /iPhone|iPad|Android/.test(device ?? ''),
      ...(address === undefined ? {} : { address }),
      ...(place === undefined ? {} : { place }),
      loggedInAt,
      lastSeenAt,
    }
  }

  router.get(PATH, guard.requireSession(), async ctx => {
    const { account, uid } = sessionOf(ctx)
    const sessions = await sessionsOf(ctx)
    const alone = sessions.every(each => each.uid === uid)
    // Anybody can make a link that says that something was done: of the others it is said where it is so.
    const notice =
      ctx.query.done === 'one'
        ? texts.t('accountSessions.done.one')
        : ctx.query.done === 'others' && alone
          ? texts.t('accountSessions.done.others')
          : undefined
    const shown = [...sessions]
      .sort((one, other) => Number(other.uid === uid) - Number(one.uid === uid))
      .map(each => ({
        ...rowOf(each),
        ...(each.uid === uid ? {} : { logOutUrl: `${list}/${encodeURIComponent(each.uid)}/log-out` }),
      }))
    ctx.type = 'html'
    ctx.body = views.render('account-sessions', {
      frame: frameFor(services, guard, account),
      tabs: tabsOf(services, '/sessions'),
      ...(notice === undefined ? {} : { notice }),
      ...(alone ? {} : { othersUrl: `${list}/log-out-others` }),
      placed: shown.some(each => 'place' in each),
      sessions: shown,
    })
  })

  router.get(END_OTHERS.page, guard.requireSession(), async ctx => {
    show(ctx, {
      question: texts.t('accountSessions.others.question'),
      effects: [
        texts.t('accountSessions.others.effect'),
        texts.t('accountSessions.others.apps'),
        texts.t('accountSessions.others.stays'),
      ],
      button: {
        text: texts.t('accountSessions.others'),
        post: `${list}/log-out-others`,
        danger: true,
      },
      pending: (await guard.pendingForm(ctx, END_OTHERS))?.id,
    })
  })

  router.post(END_OTHERS.page, guard.requireSessionForForm(END_OTHERS), async ctx => {
    const sent = await guard.sentForm(ctx, END_OTHERS)
    if (sent === undefined) return seeOther(ctx, list)
    const { uid } = sessionOf(ctx)
    // Pressed twice: there is nothing left to end, and nothing to audit.
    if ((await sessionsOf(ctx)).every(each => each.uid === uid)) return seeOther(ctx, `${list}?done=others`)
    const occasion = occasionOf(ctx)
    await commitEnd(services, ctx, occasion.place, { list, done: 'others' }, place => [
      ...sent.taken,
      ...endOtherSessions(database.dialect, place, occasion.now),
      record(occasion, 'session.others_ended'),
    ])
  })

  router.get(END.page, guard.requireSession(), async ctx => {
    const { uid } = ctx.params as { uid: string }
    const session = (await sessionsOf(ctx)).find(each => each.uid === uid)
    if (session === undefined || uid === sessionOf(ctx).uid) return leave(ctx, uid)
    show(ctx, {
      question: texts.t('accountSessions.one.question', { device: nameOf(session) }),
      effects: [texts.t('accountSessions.one.effect'), texts.t('accountSessions.one.apps')],
      button: {
        text: texts.t('account.logOut'),
        post: `${list}/${encodeURIComponent(uid)}/log-out`,
        danger: true,
      },
      pending: (await guard.pendingForm(ctx, END))?.id,
    })
  })

  router.post(END.page, guard.requireSessionForForm(END), async ctx => {
    const { uid } = ctx.params as { uid: string }
    const sent = await guard.sentForm(ctx, END)
    const session = (await sessionsOf(ctx)).find(each => each.uid === uid)
    if (sent === undefined || session === undefined || uid === sessionOf(ctx).uid) return leave(ctx, uid)
    const occasion = occasionOf(ctx)
    const { device } = session
    await commitEnd(services, ctx, occasion.place, { list, done: 'one' }, place => [
      ...sent.taken,
      ...endOneSession(database.dialect, place, uid, occasion.now),
      record(occasion, 'session.ended', { device, session: uid }),
    ])
  })

  /**
   * There is nothing to do: it is this one, or has ended since, and the list says so.
   *
   * @throws AppError `not_found` for what was never a session of this account's
   */
  async function leave(ctx: Context, uid: string): Promise<void> {
    if (!(await wasSessionOf(database, sessionOf(ctx).account.id, uid))) throw new AppError('not_found')
    seeOther(ctx, list)
  }

  function show(
    ctx: Context,
    {
      pending,
      ...own
    }: {
      readonly question: string
      readonly effects: readonly string[]
      readonly button: { readonly text: string; readonly post: string; readonly danger: boolean }
      readonly pending: string | undefined
    },
  ): void {
    ctx.type = 'html'
    ctx.body = views.render('account-confirm', {
      frame: frameFor(services, guard, sessionOf(ctx).account),
      ...own,
      list: { text: texts.t('account.tab.sessions'), href: list },
      ...(pending === undefined ? {} : { pending }),
    })
  }

  return router
}
