// The list of cases: those that are open by where they stand, whoever has waited longest first, and those that are over,
// the newest first. Each filter is an address. Leaves out what is done with one (case-page.ts).

import Router from 'koa-router'
import type { Chip } from '../http/locals/parts.ts'
import { seeOther } from '../http/see-other.ts'
import type { Guard } from '../http/session.ts'
import type { Services } from '../services.ts'
import { readRunningCases, readSettledCases, type SupportCase } from '../store/recovery/support-cases.ts'
import { type CaseState, caseState, isOpen, OPEN_STATES } from './case-state.ts'
import { createAgents, frameOf } from './console.ts'

/** So many open cases are looked through. */
const MOST_OPEN = 500
const PAGE_ROWS = 25

const FILTERS = ['open', ...OPEN_STATES, 'over'] as const
type Filter = (typeof FILTERS)[number]

export const BADGES: Readonly<Record<CaseState, 'ok' | 'warn' | 'bad' | 'plain'>> = {
  waiting: 'plain',
  evidence: 'warn',
  second: 'warn',
  link: 'ok',
  used: 'ok',
  stopped: 'bad',
  closed: 'plain',
  logged_in: 'plain',
  account_changed: 'plain',
  expired: 'plain',
}

export function caseRoutes(services: Services, guard: Guard): Router {
  const { database, paths, views, texts, clock } = services
  const agents = createAgents(guard)
  const router = new Router()
  const listUrl = `${paths.support}/cases`

  router.get('/support', ctx => {
    seeOther(ctx, listUrl)
  })

  router.get('/support/cases', ...agents.look(), async ctx => {
    const filter = FILTERS.find(each => each === ctx.query.state) ?? 'open'
    const before = numberOf(ctx.query.before)
    const now = clock()
    const [running, settled] = await Promise.all([
      readRunningCases(database, MOST_OPEN),
      filter === 'over' ? readSettledCases(database, before, PAGE_ROWS + 1) : [],
    ])
    const stateOf = (each: SupportCase) => caseState(each, now)
    const open = running.filter(each => isOpen(stateOf(each)))
    // Over by what happened elsewhere, and not written down as such yet.
    const ended = running.filter(each => !isOpen(stateOf(each)))
    const shown =
      filter === 'over'
        ? [...(before === Number.MAX_SAFE_INTEGER ? ended : []), ...settled.slice(0, PAGE_ROWS)]
        : open.filter(each => filter === 'open' || stateOf(each) === filter)
    const last = settled[PAGE_ROWS - 1]
    const chip = (each: Filter): Chip => ({
      text: texts.t(`support.filter.${each}`),
      ...(each === 'over'
        ? {}
        : {
            count: texts.number(open.filter(one => each === 'open' || stateOf(one) === each).length),
          }),
      href: each === 'open' ? listUrl : `${listUrl}?state=${each}`,
      current: each === filter,
    })
    ctx.type = 'html'
    ctx.body = views.render('support-cases', {
      frame: frameOf(services, guard, ctx),
      filters: FILTERS.map(chip),
      cases: shown.map(each => ({
        number: String(each.number),
        href: `${listUrl}/${each.number}`,
        name: each.account.name,
        organisation: each.organisation?.name ?? texts.t('support.noOrganisation'),
        badge: { kind: BADGES[stateOf(each)], text: texts.t(`support.state.${stateOf(each)}`) },
        openedAt: each.openedAt,
        ...(stateOf(each) === 'waiting' ? { waitUntil: each.waitUntil } : {}),
      })),
      ...(settled.length > PAGE_ROWS && last !== undefined
        ? { olderUrl: `${listUrl}?state=over&before=${last.number}` }
        : {}),
    })
  })

  return router
}

function numberOf(text: unknown): number {
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : Number.MAX_SAFE_INTEGER
}
