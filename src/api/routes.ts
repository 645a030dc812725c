// The JSON API of the vendor's back office: organisations are created, listed, put on another plan, and subscribed once.
// A thin shell over the functions that the command line calls too. Leaves out users and what an organisation's own
// admins do.

import { createHash } from 'node:crypto'
import type { Context, Middleware } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { readJsonBody } from '../http/forms.ts'
import { noteFailure } from '../log.ts'
import { createOrganisation, type Directory, InputError } from '../organisations/directory.ts'
import { GRACE_MS } from '../organisations/enforcement.ts'
import { setPlan, subscribe } from '../organisations/subscription.ts'
import type { Services } from '../services.ts'
import { CommitRefused } from '../store/database.ts'
import { type KeyedRequest, keepAnswer, readAnswer } from '../store/idempotency.ts'
import { type Organisation, readOrganisation, readOrganisations } from '../store/organisations.ts'
import { type ClientTokens, requireClient } from './bearer.ts'
import { openApiDocument } from './openapi.ts'
import { ApiProblem, answerProblem, parse } from './problem.ts'
import { ID, IDEMPOTENCY_KEY, ListQuery, NewOrganisation, PlanChange, SubscriptionStart } from './schemas.ts'

const ORGANISATIONS_A_PAGE = 100
const NO_ORGANISATION = 'There is no such organisation.'

export function apiRoutes(tokens: ClientTokens, services: Services): Router {
  const { config, database, keyring, clock } = services
  const document = JSON.stringify(openApiDocument(config.issuer))
  const router = new Router({ prefix: '/api' })
  router.use(problems)

  router.get('/v1/openapi.json', ctx => {
    ctx.type = 'json'
    ctx.body = document
  })

  /** Whoever asks, as the audit log names them. */
  async function directoryOf(ctx: Context): Promise<{ directory: Directory; clientId: string }> {
    const clientId = await requireClient(tokens, services, ctx)
    const actor = `client ${clientId}`.slice(0, 64)
    return { clientId, directory: { database, keyring, clock, actor, productName: config.productName } }
  }

  router.post('/v1/organisations', async ctx => {
    const { directory, clientId } = await directoryOf(ctx)
    const body = parse(NewOrganisation, await readJsonBody(ctx))
    const request = keyedRequest(ctx, clientId, body)
    let answer = request && (await earlier(request))
    if (answer === undefined) {
      const { name, plan, subscribed_at: at } = body
      const input = { name, plan, subscribedAt: at === undefined || at === null ? null : Date.parse(at) }
      try {
        await createOrganisation(directory, input, made => {
          answer = JSON.stringify(shown(made))
          return request === undefined ? [] : [keepAnswer(request, answer, clock())]
        })
      } catch (error) {
        // The same request came at the same time, and was faster.
        answer = error instanceof CommitRefused && request ? await earlier(request) : undefined
        if (answer === undefined) throw error
      }
    }
    ctx.status = 201
    ctx.set(
      'Location',
      `${config.issuer}/api/v1/organisations/${(JSON.parse(answer ?? '') as { id: string }).id}`,
    )
    ctx.type = 'json'
    ctx.body = answer
  })

  async function earlier(request: KeyedRequest): Promise<string | undefined> {
    const answer = await readAnswer(database, request, clock())
    if (answer === 'other') throw new ApiProblem('idempotency_key_reused')
    return answer?.response
  }

  router.get('/v1/organisations', async ctx => {
    await directoryOf(ctx)
    const { after = '', limit = ORGANISATIONS_A_PAGE } = parse(ListQuery, { ...ctx.query })
    const found = await readOrganisations(database, after, limit + 1)
    const organisations = found.slice(0, limit)
    const next = found.length > limit ? organisations.at(-1)?.id : null
    ctx.body = { organisations: organisations.map(shown), next }
  })

  router.get('/v1/organisations/:id', async ctx => {
    await directoryOf(ctx)
    ctx.body = shown(known(await readOrganisation(database, idOf(ctx))))
  })

  router.patch('/v1/organisations/:id', async ctx => {
    const { directory } = await directoryOf(ctx)
    const { plan } = parse(PlanChange, await readJsonBody(ctx))
    const { organisation } = await setPlan(directory, idOf(ctx), plan)
    ctx.body = shown(organisation)
  })

  router.put('/v1/organisations/:id/subscription', async ctx => {
    const { directory } = await directoryOf(ctx)
    const { subscribed_at: at } = parse(SubscriptionStart, await readJsonBody(ctx))
    const { organisation } = await subscribe(directory, idOf(ctx), Date.parse(at))
    ctx.body = shown(organisation)
  })

  router.all('/{*rest}', ctx => {
    const allowed = methodsAt(ctx.path)
    if (allowed.length === 0) throw new ApiProblem('not_found')
    throw new ApiProblem('method_not_allowed', undefined, { headers: { Allow: allowed.join(', ') } })
  })
  return router
}

/** What can be done at a path, for requests that ask for something else. */
function methodsAt(path: string): string[] {
  if (path === '/api/v1/openapi.json') return ['GET', 'HEAD']
  if (path === '/api/v1/organisations') return ['GET', 'HEAD', 'POST']
  if (/^\/api\/v1\/organisations\/[^/]+$/.test(path)) return ['GET', 'HEAD', 'PATCH']
  return /^\/api\/v1\/organisations\/[^/]+\/subscription$/.test(path) ? ['PUT'] : []
}

function keyedRequest(ctx: Context, clientId: string, body: unknown): KeyedRequest | undefined {
  const key = ctx.get('idempotency-key')
  if (key === '') return undefined
  if (!IDEMPOTENCY_KEY.test(key)) {
    throw new ApiProblem('bad_request', 'The Idempotency-Key must be 1 to 255 visible characters.')
  }
  const request = createHash('sha256').update(JSON.stringify(body)).digest('base64url')
  return { clientId, key, request }
}

/** @throws ApiProblem for what is the id of nothing */
function idOf(ctx: Context): string {
  const id = String(ctx.params.id)
  return ID.test(id) ? id : known(undefined).id
}

function known(organisation: Organisation | undefined): Organisation {
  if (organisation === undefined) throw new ApiProblem('not_found', NO_ORGANISATION)
  return organisation
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

/** Where the fields of organisations are in what the API takes. */
const POINTERS: Readonly<Record<string, string>> = { subscribedAt: '/subscribed_at' }
const APP_ERRORS = {
  bad_request: 'bad_request',
  payload_too_large: 'payload_too_large',
  unsupported_media_type: 'unsupported_media_type',
  busy: 'unavailable',
  unavailable: 'unavailable',
} as const

/** What the functions below refuse, as this API says it: an organisation is named by the path, the rest by the body. */
function problemOf({ field, fault, why }: InputError): ApiProblem {
  if (field === 'organisationId') return new ApiProblem('not_found', NO_ORGANISATION)
  if (why?.reason === 'already_subscribed') {
    return new ApiProblem('already_subscribed', `Its start is ${new Date(why.subscribedAt).toISOString()}.`)
  }
  const pointer = POINTERS[field] ?? `/${field}`
  return new ApiProblem('invalid_input', undefined, { errors: [{ pointer, detail: fault }] })
}

/** Whatever goes wrong becomes problem details; what happened goes to the log. */
const problems: Middleware = async (ctx, next) => {
  try {
    await next()
  } catch (error) {
    if (error instanceof ApiProblem) return answerProblem(ctx, error)
    if (error instanceof InputError) return answerProblem(ctx, problemOf(error))
    noteFailure(ctx, error)
    const code = error instanceof AppError ? error.code : 'internal'
    const kind = APP_ERRORS[code as keyof typeof APP_ERRORS] ?? 'internal'
    const headers = kind === 'unavailable' ? { 'Retry-After': '5' } : undefined
    answerProblem(ctx, new ApiProblem(kind, undefined, headers === undefined ? {} : { headers }))
  }
}
