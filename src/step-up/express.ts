// The middleware for Express, and whatever passes Node's request and response and a `next`. It answers nothing itself:
// a refused request goes to the app's error handler, with its headers set already.

import { createGuard, keepProof, type StepUpOptions } from './guard.ts'
import { exposing, readNode } from './node-request.ts'

export { type Proof, proofOf, type StepUpOptions } from './guard.ts'

/** What is read of a request. Express's own fits. */
export interface ExpressRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly originalUrl?: string
  readonly rawHeaders: readonly string[]
}

export interface ExpressResponse {
  getHeader(name: string): number | string | readonly string[] | undefined
  setHeader(name: string, value: string): unknown
}

/**
 * Lets a request through that brings what is required, and passes a `StepUpError` to the error handler for every other.
 *
 * @throws TypeError for options that ask for nothing, or that are there and undefined
 */
export function requireStepUp<Request extends ExpressRequest = ExpressRequest>(
  options: StepUpOptions<Request>,
): (request: Request, response: ExpressResponse, next: (error?: unknown) => void) => void {
  const guard = createGuard(options)
  return (request, response, next) => {
    guard(request, readNode(request, request.originalUrl)).then(
      proof => {
        keepProof(request, proof)
        next()
      },
      error => {
        exposing(error, response.getHeader('Access-Control-Expose-Headers'))
        // Many error handlers answer with the status and forget the headers.
        for (const [name, value] of Object.entries(error.headers ?? {}))
          response.setHeader(name, String(value))
        next(error)
      },
    )
  }
}
