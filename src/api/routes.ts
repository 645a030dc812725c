// The JSON API: what the vendor's back office does to organisations, and what an organisation's console does, for
// programs. A thin shell over the functions that the command line and the console call too. Leaves out everything else
// that the console can.

import type { Middleware } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { noteFailure } from '../log.ts'
import { InputError } from '../organisations/directory.ts'
import type { Services } from '../services.ts'
import { auditRoutes } from './audit-events.ts'
import { createAccess, NO_ORGANISATION, type Tokens } from './bearer.ts'
import { openApiDocument } from './openapi.ts'
import { organisationRoutes } from './organisations.ts'
import { ApiProblem, answerProblem } from './problem.ts'
import { resetRoutes } from './second-factor-resets.ts'
import { userRoutes } from './users.ts'

export function apiRoutes(tokens: Tokens, services: Services): Router {
  const document = JSON.stringify(openApiDocument(services.config.issuer))
  const access = createAccess(tokens, services)
  const router = new Router({ prefix: '/api' })
  router.use(problems)

  router.get('/v1/openapi.json', ctx => {
    ctx.type = 'json'
    ctx.body = document
  })
  organisationRoutes(router, services, access)
  userRoutes(router, services, access)
  resetRoutes(router, services, access)
  auditRoutes(router, services, access)

  const known = router.stack.filter(each => each.methods.length > 0)
  router.all('/{*rest}', ctx => {
    const allowed = known.filter(each => each.match(ctx.path)).flatMap(each => each.methods)
    if (allowed.length === 0) throw new ApiProblem('not_found')
    const headers = { Allow: [...new Set(allowed)].sort().join(', ') }
    throw new ApiProblem('method_not_allowed', undefined, { headers })
  })
  return router
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
