// What the middlewares on Node's own requests have in common.

import type { ApiRequest } from './api.ts'
import { StepUpError } from './errors.ts'

interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly rawHeaders: readonly string[]
}

/** @param url as it was sent, where a router has changed `request.url` */
export function readNode(request: NodeRequest, url = request.url): ApiRequest {
  const authorization: string[] = []
  const dpop: string[] = []
  const { rawHeaders } = request
  // `headers` keeps the first of two Authorization headers and drops the other in silence.
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    if (name.length === 13 && name.toLowerCase() === 'authorization')
      authorization.push(rawHeaders[at + 1] ?? '')
    else if (name.length === 4 && name.toLowerCase() === 'dpop') dpop.push(rawHeaders[at + 1] ?? '')
  }
  return { method: request.method ?? 'GET', path: url ?? '/', authorization, dpop }
}

/** Joins what the app exposes to scripts already with what this package does. */
export function exposing(error: unknown, existing: unknown): void {
  if (!(error instanceof StepUpError) || existing === undefined) return
  const name = 'Access-Control-Expose-Headers'
  const ours = error.headers[name]
  if (ours !== undefined) error.headers[name] = [existing].flat().concat(ours).join(', ')
}
