// The support console: agents of the vendor see all cases, and nothing else of any organisation. For everybody else
// there is nothing here. The guard and what is around a page are those of the admins' console. Leaves out the pages.

import type { Context } from 'koa'
import { type Admins, createKeepers, initials } from '../admin/console.ts'
import { AppError } from '../errors.ts'
import type { ConsoleFrame } from '../http/locals/parts.ts'
import { type Guard, sessionOf } from '../http/session.ts'
import type { Services } from '../services.ts'

export function createAgents(guard: Guard): Admins {
  return createKeepers(guard, async (ctx, next) => {
    const { role, organisationId } = sessionOf(ctx).account
    if (role !== 'support' || organisationId !== null) throw new AppError('not_found')
    await next()
  })
}

/** What is around each of its pages. */
export function frameOf({ texts, paths }: Services, { logoutUrl }: Guard, ctx: Context): ConsoleFrame {
  const { account } = sessionOf(ctx)
  return {
    home: `${paths.support}`,
    area: texts.t('support.area'),
    sections: [
      { text: texts.t('support.heading'), icon: 'lifebuoy', href: `${paths.support}/cases`, current: true },
    ],
    name: account.name,
    initials: initials(account.name),
    organisation: texts.t('role.support'),
    ...(paths.account === undefined ? {} : { accountUrl: paths.account }),
    ...(logoutUrl === undefined ? {} : { logoutUrl }),
  }
}
