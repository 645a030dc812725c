// What the API answers where it cannot do as asked: problem details (RFC 9457), with a type for programs, and what is
// wrong where. Nothing from inside the server is in them.

import type { Context } from 'koa'
import type { z } from 'zod'

/** Every kind of problem, with its status and title. */
export const PROBLEMS = {
  bad_request: { status: 400, title: 'The request cannot be read' },
  invalid_token: { status: 401, title: 'An access token for this API is needed' },
  insufficient_user_authentication: {
    status: 401,
    title: 'The user must prove themselves again, with two factors',
  },
  insufficient_scope: { status: 403, title: 'The access token does not allow this' },
  not_found: { status: 404, title: 'There is nothing here' },
  method_not_allowed: { status: 405, title: 'This cannot be done here' },
  already_subscribed: { status: 409, title: 'The subscription has a start, which stays' },
  payload_too_large: { status: 413, title: 'The request is too large' },
  unsupported_media_type: { status: 415, title: 'The request must be JSON' },
  invalid_input: { status: 422, title: 'The request has values that cannot be taken' },
  idempotency_key_reused: { status: 422, title: 'The idempotency key was used for another request' },
  internal: { status: 500, title: 'Something went wrong here' },
  unavailable: { status: 503, title: 'This cannot be done just now' },
} as const satisfies Record<string, { status: number; title: string }>

/** Of what is wrong so often, the rest is left out. */
const MOST_ERRORS = 50

export type ProblemKind = keyof typeof PROBLEMS

export interface InputErrorAt {
  readonly pointer: string
  readonly detail: string
}

/** A request that cannot be answered as asked. */
export class ApiProblem extends Error {
  readonly kind: ProblemKind
  readonly detail: string | undefined
  readonly errors: readonly InputErrorAt[] | undefined
  /** Further headers of the answer. */
  readonly headers: Readonly<Record<string, string>>

  constructor(
    kind: ProblemKind,
    detail?: string,
    more: { errors?: readonly InputErrorAt[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail ?? kind)
    this.name = 'ApiProblem'
    this.kind = kind
    this.detail = detail
    this.errors = more.errors
    this.headers = more.headers ?? {}
  }
}

export function answerProblem(ctx: Context, problem: ApiProblem): void {
  const { status, title } = PROBLEMS[problem.kind]
  ctx.set(problem.headers)
  ctx.status = status
  ctx.body = JSON.stringify({
    type: `urn:sallyport:problem:${problem.kind}`,
    title,
    status,
    ...(problem.detail === undefined ? {} : { detail: problem.detail }),
    ...(problem.errors === undefined ? {} : { errors: problem.errors }),
  })
  ctx.type = 'application/problem+json'
}

/** @throws ApiProblem that says what is wrong where */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where = '',
): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.slice(0, MOST_ERRORS).map(({ path, message }) => ({
    pointer: `${where}${path.map(each => `/${String(each).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`,
    detail: message,
  }))
  throw new ApiProblem('invalid_input', undefined, { errors })
}
