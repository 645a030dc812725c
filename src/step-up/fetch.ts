// The guard on the Fetch API's Request, for Hono, Next and whatever else has it. It answers a refused request itself,
// since these have no common error handler.

import { StepUpError } from './errors.ts'
import { createGuard, keepProof, type StepUpOptions } from './guard.ts'

export { type Proof, proofOf, type StepUpOptions } from './guard.ts'

/**
 * Makes a guard that gives the answer for a request that must not come through, and nothing for one that may.
 *
 * `action` and the other functions get the request, and whatever the guard is given beside it. A body can be read once:
 * read `request.clone()`, or use what your framework has read.
 *
 * @throws TypeError for options that ask for nothing, or that are there and undefined
 */
export function requireStepUp<Context = undefined>(
  options: StepUpOptions<{ readonly request: Request; readonly context: Context }>,
): (
  request: Request,
  ...context: Context extends undefined ? [] : [Context]
) => Promise<Response | undefined> {
  const guard = createGuard(options)
  return async (request, ...[context]) => {
    const { pathname, search } = new URL(request.url)
    const header = (name: string) => [request.headers.get(name)].filter(each => each !== null)
    const read = {
      method: request.method,
      path: pathname + search,
      authorization: header('authorization'),
      dpop: header('dpop'),
    }
    try {
      keepProof(request, await guard({ request, context: context as Context }, read))
      return undefined
    } catch (error) {
      if (!(error instanceof StepUpError)) throw error
      return answer(error)
    }
  }
}

function answer({ status, code, message, expose, headers }: StepUpError): Response {
  return Response.json({ error: code, ...(expose && { error_description: message }) }, { status, headers })
}
