// Users and security › Security and authentication: the organisation's users, found, filtered, sorted, and chosen for a
// reset. Leaves out what becomes of the choice (resets.ts) and how the list is read (store/accounts/user-list.ts).

import Router from 'koa-router'
import type { SortedColumn } from '../http/locals/console-users.ts'
import type { Chip } from '../http/locals/parts.ts'
import type { ViewLocals } from '../http/locals.ts'
import { seeOther } from '../http/see-other.ts'
import type { Guard } from '../http/session.ts'
import type { Services } from '../services.ts'
import {
  countUsers,
  MOST_COUNTED,
  readUserPage,
  type Standing,
  type UserCount,
  type UserCounts,
  type UserPage,
  type UserSort,
} from '../store/accounts/user-list.ts'
import { adminOf, createAdmins, frameOf, tabsAndHelp } from './console.ts'
import { filterOf, pagesOf, readUserQuery, type UserQuery, writeUserQuery } from './user-query.ts'

const PAGE_ROWS = 25
/** What an admin hopes to see comes first. */
const SHOWN_STANDINGS = [
  'set_up',
  'at_provider',
  'not_set_up',
  'reset_pending',
] as const satisfies readonly Standing[]

export function userRoutes(services: Services, guard: Guard): Router {
  const { database, paths, views, texts } = services
  const admins = createAdmins(guard)
  const router = new Router()
  const home = `${paths.admin}`

  router.get('/admin', ctx => {
    seeOther(ctx, `${home}/users`)
  })

  router.get('/admin/users', ...admins.look(), async ctx => {
    const { organisationId } = adminOf(ctx).account
    const query = readUserQuery(ctx.URL.searchParams)
    const filter = filterOf(query)
    const [{ frame, organisation }, { tabs, asking }, page, counted] = await Promise.all([
      frameOf(services, guard, ctx, 'users'),
      tabsAndHelp(services, organisationId, 'users'),
      readUserPage(database, organisationId, filter, query.order, PAGE_ROWS, query.place),
      countUsers(database, organisationId, filter),
    ])
    ctx.type = 'html'
    ctx.body = views.render('admin-users', {
      frame,
      tabs,
      inviteUrl: `${home}/invitations/new`,
      ...(asking === 0 ? {} : { asking: { count: asking, href: `${home}/help` } }),
      ...(organisation.subscribedAt === null ? { noSubscription: true } : {}),
      // Sent without a tick.
      ...(ctx.query.nobody === 'yes' ? { error: texts.t('reset.nobody') } : {}),
      ...listed(query, page, counted),
    })
  })

  function listed(
    query: UserQuery,
    page: UserPage,
    { counts, complete, matching }: UserCounts,
  ): Omit<ViewLocals['admin-users'], 'frame' | 'tabs' | 'inviteUrl' | 'asking'> {
    const action = `${home}/users`
    const link = (change: Partial<UserQuery>) => `${action}${writeUserQuery(query, change)}`
    const { role, standing, order, all } = query
    const count = (which: (each: UserCount) => boolean): number =>
      counts.filter(which).reduce((sum, each) => sum + each.count, 0)
    const chip = (text: string, n: number, change: Partial<UserQuery>, current: boolean): Chip => ({
      text,
      // Of more users than are counted nobody knows how many are what.
      ...(complete ? { count: texts.number(n) } : {}),
      href: link(change),
      current,
    })
    const ofRole = (each: UserCount) => role === undefined || each.role === role
    const ofStanding = (each: UserCount) => standing === undefined || each.standing === standing
    const column = (text: string, by: UserSort): SortedColumn => {
      const sorted = order.by === by
      // Who has not logged in for longest, or not yet, is rarely what is looked for first.
      const descending = sorted ? !order.descending : by === 'login'
      return {
        text,
        href: link({ order: { by, descending } }),
        ...(sorted ? { sort: order.descending ? 'descending' : 'ascending' } : {}),
      }
    }
    const total = matching > MOST_COUNTED ? `${texts.number(MOST_COUNTED)}+` : texts.number(matching)
    // Of no interest where nobody comes from a provider.
    const fromProvider =
      standing === 'at_provider' || !complete || count(each => each.standing === 'at_provider') > 0
    const others = page.before !== undefined || page.after !== undefined
    return {
      search: {
        action,
        q: query.q,
        kept: [...new URLSearchParams(writeUserQuery(query, { q: '' }))].map(([name, value]) => ({
          name,
          value,
        })),
      },
      standings: [
        chip(texts.t('users.all'), count(ofRole), { standing: undefined }, standing === undefined),
        ...SHOWN_STANDINGS.filter(each => each !== 'at_provider' || fromProvider).map(each =>
          chip(
            texts.t(`standing.${each}`),
            count(one => ofRole(one) && one.standing === each),
            { standing: each },
            standing === each,
          ),
        ),
      ],
      roles: [
        chip(texts.t('users.all'), count(ofStanding), { role: undefined }, role === undefined),
        ...(['admin', 'technician'] as const).map(each =>
          chip(
            texts.t(`role.${each}`),
            count(one => ofStanding(one) && one.role === each),
            { role: each },
            role === each,
          ),
        ),
      ],
      columns: {
        name: column(texts.t('account.name'), 'name'),
        standing: column(texts.t('users.standing'), 'standing'),
        login: column(texts.t('account.lastLogin'), 'login'),
      },
      users: page.users.map(({ lastLoginAt, role, status, ...user }) => ({
        ...user,
        href: `${action}/${user.id}`,
        role: texts.t(`role.${role}`),
        status: texts.t(`status.${status}`),
        ...(lastLoginAt === null ? {} : { lastLoginAt }),
      })),
      choose: {
        action: `${home}/resets`,
        fields: [
          { name: 'filter', value: writeUserQuery(query) },
          { name: 'shown', value: page.users.map(each => each.id).join(' ') },
          ...(all ? [{ name: 'all', value: 'yes' }] : []),
        ],
        matching: total,
        ...(all ? { all: total } : {}),
        ...(others ? { allUrl: link({ all: true }) } : {}),
        clearUrl: link({}),
      },
      pages: pagesOf(query, page, PAGE_ROWS, link),
    }
  }

  return router
}
