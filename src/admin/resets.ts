// Reset 2FA: from the users that were ticked to a confirmation that names them, and on to what became of each. The
// address stays the same: a draft is confirmed there, a reset that was started is followed there. Leaves out what a reset
// does (factors/reset.ts) and how the list is frozen (store/recovery/second-factor-resets.ts).

import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from 'koa'
import Router from 'koa-router'
import { csvLine } from '../csv.ts'
import { AppError } from '../errors.ts'
import { LONGEST_REASON, orderReset, reasonLine } from '../factors/reset.ts'
import type { ViewLocals } from '../http/locals.ts'
import { idOf } from '../http/path-id.ts'
import { seeOther } from '../http/see-other.ts'
import type { FormKind, Guard } from '../http/session.ts'
import type { Services } from '../services.ts'
import { CommitRefused } from '../store/database.ts'
import { newId } from '../store/ids.ts'
import {
  countResettable,
  draftReset,
  draftResetOf,
  type Reset,
  type ResetUser,
  readReset,
  readResetUsers,
} from '../store/recovery/second-factor-resets.ts'
import { readToldApps, type ToldApp } from '../store/sessions/told-apps.ts'
import { adminOf, createAdmins, frameOf, initials } from './console.ts'
import { filterOf, readUserQuery } from './user-query.ts'

const CHOICE = {
  kind: 'reset-choice',
  fields: ['filter', 'shown', 'all', 'page', 'user'],
  several: ['user'],
  page: '/admin/users',
} as const satisfies FormKind
const ORDER = {
  kind: 'second-factor-reset',
  fields: ['reason', 'passkeys'],
  page: '/admin/resets/:id',
} as const satisfies FormKind

/** The confirmation names so many; a list in a file names all. */
const NAMED = 100
const PAGE_ROWS = 50
const READ_AT_ONCE = 500
const LOOKS = 10
const LOOK_EVERY_MS = 100

/** A user of a reset, as the page of its result shows them. */
type UserLine = ViewLocals['admin-reset-result']['users'][number]

export function resetRoutes(services: Services, guard: Guard): Router {
  const { database, paths, views, texts, clock } = services
  const admins = createAdmins(guard)
  const router = new Router()
  const home = `${paths.admin}`
  const listUrl = `${home}/users`

  router.post('/admin/resets', ...admins.choose(CHOICE), async ctx => {
    const { account } = adminOf(ctx)
    const sent = await guard.sentForm(ctx, CHOICE)
    const { all, page, shown = '', user = '', filter = '' } = sent?.form ?? {}
    const query = new URLSearchParams(filter)
    const ids = (page === 'yes' ? shown : user).split(' ').filter(Boolean)
    if (all !== 'yes' && ids.length === 0) {
      query.set('nobody', 'yes')
      return seeOther(ctx, `${listUrl}?${query}`)
    }
    const draft = { id: newId('rst'), organisationId: account.organisationId, actorId: account.id }
    await database.commit(
      all === 'yes'
        ? draftResetOf(draft, filterOf(readUserQuery(query)), clock())
        : draftReset(database.dialect, draft, ids, clock()),
    )
    seeOther(ctx, `${home}/resets/${draft.id}`)
  })

  router.get('/admin/resets/:id', ...admins.look(), async ctx => {
    const reset = await resetOf(ctx)
    ctx.type = 'html'
    if (reset.state !== 'draft') return result(ctx, reset)
    const waiting = await guard.pendingForm(ctx, ORDER)
    await confirmation(ctx, reset, {
      // It was kept, and then waited too long, or was sent from another tab.
      ...(ctx.query.pending !== undefined && waiting === undefined ? { error: texts.t('reset.gone') } : {}),
      ...(waiting === undefined
        ? {}
        : {
            waiting: {
              id: waiting.id,
              reason: reasonLine(waiting.form.reason ?? ''),
              removePasskeys: waiting.form.passkeys === 'remove',
            },
          }),
    })
  })

  router.post('/admin/resets/:id', ...admins.change(ORDER), async ctx => {
    const { account } = adminOf(ctx)
    const reset = await resetOf(ctx)
    const sent = await guard.sentForm(ctx, ORDER)
    // Pressed twice: what it did is shown.
    if (reset.state !== 'draft') return seeOther(ctx, `${home}/resets/${reset.id}`)
    if (sent === undefined) return again(ctx, reset, { error: texts.t('reset.gone') })
    const reason = reasonLine(sent.form.reason ?? '')
    const removePasskeys = sent.form.passkeys === 'remove'
    if (reason === '' || reason.length > LONGEST_REASON) {
      const reasonError = texts.t(reason === '' ? 'reset.reason.missing' : 'reset.reason.tooLong')
      return again(ctx, reset, { reason, removePasskeys, reasonError })
    }
    const order = {
      id: reset.id,
      organisationId: account.organisationId,
      actorId: account.id,
      reason,
      removePasskeys,
      address: ctx.ip,
    }
    try {
      await orderReset({ database }, order, sent.taken, clock())
      await settledSoon(account.organisationId, reset)
    } catch (error) {
      // Somebody was faster, in another tab: what came of it is shown.
      if (!(error instanceof CommitRefused)) throw error
    }
    seeOther(ctx, `${home}/resets/${reset.id}`)
  })

  router.get('/admin/resets/:id/users.csv', ...admins.look(), async ctx => {
    const reset = await resetOf(ctx)
    ctx.type = 'text/csv; charset=utf-8'
    ctx.attachment(`reset-2fa-${reset.id}.csv`)
    ctx.body = Readable.from(lines(reset))
  })

  /** A reset of a few is over in a moment: then its result is the next page, not its progress. */
  async function settledSoon(organisationId: string, { id, total }: Reset): Promise<void> {
    for (let n = 0; total <= PAGE_ROWS && n < LOOKS; n++) {
      await sleep(LOOK_EVERY_MS)
      if ((await readReset(database, organisationId, id, clock()))?.state === 'finished') return
    }
  }

  async function* lines(reset: Reset): AsyncGenerator<string> {
    const columns = [
      texts.t('account.name'),
      texts.t('email.label'),
      texts.t('reset.result'),
      '',
      texts.t('reset.apps'),
    ]
    yield csvLine(columns)
    for (let after = 0; ; ) {
      const users = await readResetUsers(database, reset.id, after, READ_AT_ONCE)
      const told = await readToldApps(database, reset.id, after, users.at(-1)?.position ?? after)
      for (const user of users) {
        yield csvLine([
          nameOf(user),
          user.email,
          texts.t(`reset.result.${user.outcome ?? 'waiting'}`),
          why(user),
          apps(told.get(user.position)).join('; '),
        ])
      }
      if (users.length < READ_AT_ONCE) return
      after = users.at(-1)?.position ?? 0
    }
  }

  /** The reset that the address names. A draft is there for whoever made it only. */
  async function resetOf(ctx: Context & { params: Record<string, string> }): Promise<Reset> {
    const { account } = adminOf(ctx)
    const reset = await readReset(database, account.organisationId, idOf(ctx), clock())
    const hidden = reset?.state === 'draft' && reset.actorId !== account.id
    if (reset === undefined || hidden) throw new AppError('not_found')
    return reset
  }

  type Said = Partial<
    Pick<
      Parameters<typeof views.render<'admin-reset'>>[1],
      'error' | 'waiting' | 'reason' | 'removePasskeys' | 'reasonError'
    >
  >

  async function again(ctx: Context, reset: Reset, said: Said): Promise<void> {
    ctx.status = 400
    ctx.type = 'html'
    await confirmation(ctx, reset, said)
  }

  async function confirmation(ctx: Context, reset: Reset, said: Said): Promise<void> {
    const { account } = adminOf(ctx)
    const [{ frame }, users, count] = await Promise.all([
      frameOf(services, guard, ctx, 'users'),
      readResetUsers(database, reset.id, 0, READ_AT_ONCE),
      countResettable(database, reset.id),
    ])
    const group = (title: string, total: number, which: (user: ResetUser) => boolean) => {
      const named = users.filter(which).slice(0, NAMED)
      const more = total - named.length
      return {
        title,
        users: named.map(user => ({
          name: user.name,
          initials: initials(user.name),
          email: user.email,
          ...(user.why === undefined ? {} : { why: why(user) }),
        })),
        ...(more > 0 ? { more: texts.t('reset.more', { count: texts.number(more) }) } : {}),
      }
    }
    const groups = [
      group(texts.t('reset.will'), count, user => user.why === undefined),
      group(texts.t('reset.wont'), reset.total - count, user => user.why !== undefined),
    ].filter(each => each.users.length > 0 || each.more !== undefined)
    // They come last, wherever that is.
    const [you] = await readResetUsers(database, reset.id, reset.total - 1, 1)
    ctx.body = views.render('admin-reset', {
      frame,
      listUrl,
      action: `${home}/resets/${reset.id}`,
      count,
      groups,
      ...(you?.accountId === account.id && you.why === undefined ? { includesYou: true } : {}),
      ...(groups.some(each => each.more !== undefined) ? { moreUrl: csvUrl(reset) } : {}),
      ...said,
    })
  }

  async function result(ctx: Context, reset: Reset): Promise<void> {
    const after = Number(ctx.query.after ?? 0)
    if (!Number.isSafeInteger(after) || after < 0) throw new AppError('bad_request', 'after')
    const [{ frame }, users] = await Promise.all([
      frameOf(services, guard, ctx, 'users'),
      readResetUsers(database, reset.id, after, PAGE_ROWS),
    ])
    const url = `${home}/resets/${reset.id}`
    const to = after + users.length
    const told = await readToldApps(database, reset.id, after, to)
    ctx.body = views.render('admin-reset-result', {
      frame,
      listUrl,
      refreshUrl: after === 0 ? url : `${url}?after=${after}`,
      csvUrl: csvUrl(reset),
      reason: reset.reason,
      // The operator, and a program, have no other name than the audit log's.
      by: reset.actorName || reset.actorId,
      startedAt: reset.startedAt ?? reset.createdAt,
      total: reset.total,
      done: reset.done,
      skipped: reset.skipped,
      waiting: reset.total - reset.done - reset.skipped,
      users: users.map(
        (user): UserLine => ({
          name: nameOf(user),
          email: user.email,
          outcome: user.outcome ?? 'waiting',
          ...(user.outcome === 'skipped' ? { why: why(user) } : {}),
          apps: apps(told.get(user.position)),
        }),
      ),
      pages: {
        from: after + 1,
        to,
        ...(after === 0 ? {} : { previous: `${url}?after=${Math.max(0, after - PAGE_ROWS)}` }),
        ...(to < reset.total ? { next: `${url}?after=${to}` } : {}),
      },
    })
  }

  /** What became of each app that a user was logged in to. */
  const apps = (told: readonly ToldApp[] = []): string[] =>
    told.map(({ app, state }) => texts.t(`reset.app.${state}`, { app }))
  const csvUrl = (reset: Reset): string => `${home}/resets/${reset.id}/users.csv`
  /** Of an id that is nobody's, which a program may have named, the id. */
  const nameOf = (user: ResetUser): string => user.name || user.accountId
  const why = (user: ResetUser): string => (user.why === undefined ? '' : texts.t(`reset.why.${user.why}`))

  return router
}
