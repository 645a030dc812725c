// The hook for Fastify: `preHandler`, so that the body is there for `action`. A refused request is thrown, with status
// and headers, as Fastify expects of errors.

import { createGuard, keepProof, type StepUpOptions } from './guard.ts'
import { exposing, readNode } from './node-request.ts'

export { type Proof, proofOf, type StepUpOptions } from './guard.ts'

/** What is read of a request. Fastify's own fits. */
export interface FastifyRequest {
  readonly originalUrl: string
  readonly raw: {
    readonly method?: string | undefined
    readonly url?: string | undefined
    readonly rawHeaders: readonly string[]
  }
}

export interface FastifyReply {
  getHeader(name: string): number | string | readonly string[] | undefined
  headers(values: Record<string, string>): unknown
}

/**
 * Lets a request through that brings what is required, and throws a `StepUpError` for every other.
 *
 * @throws TypeError for options that ask for nothing, or that are there and undefined
 */
export function requireStepUp<Request extends FastifyRequest = FastifyRequest>(
  options: StepUpOptions<Request>,
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  const guard = createGuard(options)
  return async (request, reply) => {
    try {
      keepProof(request, await guard(request as Request, readNode(request.raw, request.originalUrl)))
    } catch (error) {
      exposing(error, reply.getHeader('Access-Control-Expose-Headers'))
      const { headers } = error as { headers?: Record<string, string> }
      if (headers !== undefined) reply.headers(headers)
      throw error
    }
  }
}
