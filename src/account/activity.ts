// What happened to one's own account in the last 90 days: the audit log's rows about it, newest first, in the words that
// admins read, in pages by key. It only reads. What others did to the account says who, and not from where: that is
// theirs. Leaves out what the account did to others.

import Router from 'koa-router'
import { placeOf } from '../admin/audit-query.ts'
import { eventRow, withAppName } from '../admin/audit-words.ts'
import type { ViewLocals } from '../http/locals.ts'
import { type Guard, sessionOf } from '../http/session.ts'
import type { Services } from '../services.ts'
import {
  type AuditPlace,
  type AuditRecord,
  readOwnEvents,
  spellAuditKey,
  turnTo,
} from '../store/audit/audit-events.ts'
import { frameFor, homeOf, tabsOf } from './frame.ts'

const DAYS = 90
const DAY_MS = 24 * 60 * 60 * 1000
const PAGE_ROWS = 25

export function activityRoutes(services: Services, guard: Guard): Router {
  const { clients, clock, database, texts, views } = services
  const router = new Router()
  const list = `${homeOf(services)}/activity`
  const link = ({ direction, key }: AuditPlace) =>
    `${list}?${new URLSearchParams({ [direction]: spellAuditKey(key) })}`

  router.get('/account/activity', guard.requireSession(), async ctx => {
    const { account } = sessionOf(ctx)
    const query = ctx.URL.searchParams
    const place = placeOf(query, 'after') ?? placeOf(query, 'before')
    const { records, newer, older } = await turnTo(place, PAGE_ROWS, at =>
      readOwnEvents(database, account, clock() - DAYS * DAY_MS, at),
    )
    ctx.type = 'html'
    ctx.body = views.render('account-activity', {
      frame: frameFor(services, guard, account),
      tabs: tabsOf(services, '/activity'),
      days: DAYS,
      events: await Promise.all(records.map(rowOf)),
      pages: {
        ...(newer === undefined ? {} : { previous: link(newer) }),
        ...(older === undefined ? {} : { next: link(older) }),
      },
    })
  })

  async function rowOf(record: AuditRecord): Promise<ViewLocals['account-activity']['events'][number]> {
    const { actor, account } = record
    const own = actor === null || actor.id === account?.id
    const row = eventRow(texts, await withAppName(clients, record))
    const { at, event, why, by, address, factors } = row
    return {
      at,
      event,
      ...(why === undefined ? {} : { why }),
      ...(factors === undefined ? {} : { factors }),
      ...(own || by === undefined ? {} : { by: by.name }),
      ...(!own || address === undefined ? {} : { address }),
    }
  }

  return router
}
