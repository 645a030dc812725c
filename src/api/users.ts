// The API's users of an organisation, as the console lists them: the same filters, in the order of their names.

import type Router from 'koa-router'
import { parseUserKey, spellUserKey } from '../admin/user-query.ts'
import type { Services } from '../services.ts'
import {
  type ListedUser,
  readUserPage,
  type UserFilter,
  type UserKey,
  type UserOrder,
  wordsOf,
} from '../store/accounts/user-list.ts'
import { OWN_API_SCOPE } from '../store/oidc/own-api.ts'
import type { Access } from './bearer.ts'
import { ApiProblem, parse } from './problem.ts'
import { MOST_LISTED, type NewSecondFactorReset, UserQuery } from './schemas.ts'

const ORDER: UserOrder = { by: 'name', descending: false }

export function userRoutes(router: Router, { database }: Services, access: Access): void {
  router.get('/v1/organisations/:id/users', async ctx => {
    const { organisationId } = await access.toOrganisation(ctx, [OWN_API_SCOPE.users])
    const { after, limit = MOST_LISTED, ...asked } = parse(UserQuery, { ...ctx.query })
    const place = after === undefined ? undefined : ({ key: keyOf(after), direction: 'after' } as const)
    const page = await readUserPage(database, organisationId, filterFor(asked), ORDER, limit, place)
    ctx.body = {
      users: page.users.map(shown),
      next: page.after === undefined ? null : spellUserKey(page.after),
    }
  })
}

type Filter = NonNullable<ReturnType<typeof NewSecondFactorReset.parse>['filter']>

/** What the store looks for. */
export function filterFor({ q = '', role, second_factor: standing, status }: Filter): UserFilter {
  return { words: wordsOf(q), role, standing, status }
}

function keyOf(text: string): UserKey {
  const key = parseUserKey(text, ORDER)
  if (key === undefined) throw notGiven()
  return key
}

/** A place in a list that no answer has named. */
export function notGiven(): ApiProblem {
  return new ApiProblem('invalid_input', undefined, {
    errors: [{ pointer: '/after', detail: 'is the `next` of no page' }],
  })
}

function shown({ standing, lastLoginAt, mailRefused, ...user }: ListedUser) {
  const { id, name, email, role, status, passkeys } = user
  return {
    id,
    name,
    email,
    role,
    status,
    second_factor: standing,
    passkeys,
    last_login_at: lastLoginAt === null ? null : new Date(lastLoginAt).toISOString(),
    mail_refused: mailRefused,
  }
}
