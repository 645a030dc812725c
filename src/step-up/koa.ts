// The middleware for Koa. A refused request is thrown, with status and headers, as Koa's own errors are.

import { createGuard, keepProof, type StepUpOptions } from './guard.ts'
import { exposing, readNode } from './node-request.ts'

export { type Proof, proofOf, type StepUpOptions } from './guard.ts'

/** What is read of a context. Koa's own fits. */
export interface KoaContext {
  readonly originalUrl: string
  readonly req: {
    readonly method?: string | undefined
    readonly url?: string | undefined
    readonly rawHeaders: readonly string[]
  }
  readonly response: { get(name: string): string | string[] }
  set(fields: { [name: string]: string }): void
}

/**
 * Lets a request through that brings what is required, and throws a `StepUpError` for every other.
 *
 * @throws TypeError for options that ask for nothing, or that are there and undefined
 */
export function requireStepUp<Context extends KoaContext = KoaContext>(
  options: StepUpOptions<Context>,
): (context: Context, next: () => Promise<unknown>) => Promise<void> {
  const guard = createGuard(options)
  return async (context, next) => {
    try {
      keepProof(context, await guard(context, readNode(context.req, context.originalUrl)))
    } catch (error) {
      exposing(error, context.response.get('Access-Control-Expose-Headers') || undefined)
      const { headers } = error as { headers?: Record<string, string> }
      if (headers !== undefined) context.set(headers)
      throw error
    }
    await next()
  }
}
