// The API's organisations, for the vendor's back office: created, listed, put on another plan, and subscribed once.

import type Router from 'koa-router'
import { readJsonBody } from '../http/forms.ts'
import { createOrganisation, type Directory } from '../organisations/directory.ts'
import { GRACE_MS } from '../organisations/enforcement.ts'
import { setPlan, subscribe } from '../organisations/subscription.ts'
import type { Services } from '../services.ts'
import {
  type Organisation,
  readOrganisation,
  readOrganisations,
} from '../store/organisations/organisations.ts'
import { type Access, type Caller, idOf, known } from './bearer.ts'
import { answerOnce } from './keyed.ts'
import { parse } from './problem.ts'
import { ListQuery, MOST_LISTED, NewOrganisation, PlanChange, SubscriptionStart } from './schemas.ts'

export function organisationRoutes(router: Router, services: Services, access: Access): void {
  const { config, database, keyring, clock } = services
  const directoryFor = ({ actor }: Caller): Directory => ({
    database,
    keyring,
    clock,
    actor,
    productName: config.productName,
  })

  router.post('/v1/organisations', async ctx => {
    const caller = await access.toOrganisations(ctx)
    const body = parse(NewOrganisation, await readJsonBody(ctx))
    const answer = await answerOnce(services, ctx, caller, body, async keep => {
      const { name, plan, subscribed_at: at } = body
      const input = { name, plan, subscribedAt: at === undefined || at === null ? null : Date.parse(at) }
      const spell = (made: Organisation) => JSON.stringify(shown(made))
      return spell(await createOrganisation(directoryFor(caller), input, made => keep(spell(made))))
    })
    ctx.status = 201
    const { id } = JSON.parse(answer) as { id: string }
    ctx.set('Location', `${config.issuer}/api/v1/organisations/${id}`)
    ctx.type = 'json'
    ctx.body = answer
  })

  router.get('/v1/organisations', async ctx => {
    await access.toOrganisations(ctx)
    const { after = '', limit = MOST_LISTED } = parse(ListQuery, { ...ctx.query })
    const found = await readOrganisations(database, after, limit + 1)
    const organisations = found.slice(0, limit)
    const next = found.length > limit ? organisations.at(-1)?.id : null
    ctx.body = { organisations: organisations.map(shown), next }
  })

  router.get('/v1/organisations/:id', async ctx => {
    await access.toOrganisations(ctx)
    ctx.body = shown(known(await readOrganisation(database, idOf(ctx))))
  })

  router.patch('/v1/organisations/:id', async ctx => {
    const caller = await access.toOrganisations(ctx)
    const { plan } = parse(PlanChange, await readJsonBody(ctx))
    const { organisation } = await setPlan(directoryFor(caller), idOf(ctx), plan)
    ctx.body = shown(organisation)
  })

  router.put('/v1/organisations/:id/subscription', async ctx => {
    const caller = await access.toOrganisations(ctx)
    const { subscribed_at: at } = parse(SubscriptionStart, await readJsonBody(ctx))
    const { organisation } = await subscribe(directoryFor(caller), idOf(ctx), Date.parse(at))
    ctx.body = shown(organisation)
  })
}

function shown({ id, name, plan, subscribedAt }: Organisation) {
  const iso = (time: number) => new Date(time).toISOString()
  return {
    id,
    name,
    plan,
    subscribed_at: subscribedAt === null ? null : iso(subscribedAt),
    enforced_from: subscribedAt === null ? null : iso(subscribedAt + GRACE_MS),
  }
}
