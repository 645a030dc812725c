// The API's resets of the second factor: ordered for many users at once, followed, and told for each of them. What is
// done is what the console does (factors/reset.ts); a program confirms nothing, so there is no draft between.

import type { Context } from 'koa'
import type Router from 'koa-router'
import { orderResetOf, reasonLine } from '../factors/reset.ts'
import { readJsonBody } from '../http/forms.ts'
import type { Services } from '../services.ts'
import { newId } from '../store/ids.ts'
import { OWN_API_SCOPE } from '../store/oidc/own-api.ts'
import {
  type Reset,
  type ResetUser,
  readReset,
  readResetUsers,
} from '../store/recovery/second-factor-resets.ts'
import type { Access } from './bearer.ts'
import { answerOnce } from './keyed.ts'
import { ApiProblem, parse } from './problem.ts'
import {
  ID,
  MOST_LISTED,
  MOST_RESET_BYTES,
  NewSecondFactorReset,
  SecondFactorResetUserQuery,
} from './schemas.ts'
import { filterFor } from './users.ts'

/** As in the console: who changes something has a second factor of the last five minutes. */
const FRESH_SECONDS = 300
/** Whoever orders one may follow it. */
const TO_FOLLOW = [OWN_API_SCOPE.users, OWN_API_SCOPE.resets] as const

export function resetRoutes(router: Router, services: Services, access: Access): void {
  const { clock, config, database } = services

  router.post('/v1/organisations/:id/second-factor-resets', async ctx => {
    const caller = await access.toOrganisation(ctx, [OWN_API_SCOPE.resets], FRESH_SECONDS)
    const { organisationId, actor: actorId } = caller
    const body = parse(NewSecondFactorReset, await readJsonBody(ctx, MOST_RESET_BYTES))
    const { users, filter = {}, remove_passkeys: removePasskeys = false } = body
    const reason = reasonLine(body.reason)
    if (reason === '') {
      const errors = [{ pointer: '/reason', detail: 'is empty' }]
      throw new ApiProblem('invalid_input', undefined, { errors })
    }
    const id = await answerOnce(services, ctx, caller, body, async keep => {
      const order = { id: newId('rst'), organisationId, actorId, reason, removePasskeys, address: ctx.ip }
      const choice = users === undefined ? { filter: filterFor(filter) } : { users }
      await orderResetOf({ database }, order, choice, keep(order.id), clock())
      return order.id
    })
    ctx.status = 202
    ctx.set('Location', `${config.issuer}/api/v1/organisations/${organisationId}/second-factor-resets/${id}`)
    ctx.body = shown(await resetOf(organisationId, id))
  })

  router.get('/v1/organisations/:id/second-factor-resets/:reset', async ctx => {
    const { organisationId } = await access.toOrganisation(ctx, TO_FOLLOW)
    ctx.body = shown(await resetOf(organisationId, idIn(ctx)))
  })

  router.get('/v1/organisations/:id/second-factor-resets/:reset/users', async ctx => {
    const { organisationId } = await access.toOrganisation(ctx, TO_FOLLOW)
    const { after = 0, limit = MOST_LISTED } = parse(SecondFactorResetUserQuery, { ...ctx.query })
    const { id, total } = await resetOf(organisationId, idIn(ctx))
    const users = await readResetUsers(database, id, after, limit)
    const last = users.at(-1)?.position ?? total
    ctx.body = { users: users.map(result), next: last < total ? last : null }
  })

  /** A draft is there for whoever made it only, in the console. */
  async function resetOf(organisationId: string, id: string): Promise<Reset> {
    const reset = ID.test(id) ? await readReset(database, organisationId, id, clock()) : undefined
    if (reset === undefined || reset.state === 'draft') {
      throw new ApiProblem('not_found', 'There is no such reset.')
    }
    return reset
  }
}

const idIn = (ctx: Context): string => String(ctx.params.reset)

function shown(reset: Reset) {
  const { id, state, actorId, reason, removePasskeys, createdAt, finishedAt, total, done, skipped } = reset
  return {
    id,
    state,
    actor: actorId,
    reason,
    remove_passkeys: removePasskeys,
    started_at: new Date(reset.startedAt ?? createdAt).toISOString(),
    finished_at: finishedAt === null ? null : new Date(finishedAt).toISOString(),
    total,
    done,
    skipped,
    waiting: total - done - skipped,
  }
}

function result({ accountId, name, email, outcome, why }: ResetUser) {
  return {
    id: accountId,
    name: name || null,
    email: email || null,
    outcome: outcome ?? 'waiting',
    // Of one that waits nobody knows yet.
    why: outcome !== 'skipped' ? null : why === 'gone' ? 'not_found' : (why ?? null),
  }
}
