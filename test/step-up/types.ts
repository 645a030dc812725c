// The public types, as programs use them: this file is compiled with the checkout, and against the packed package by
// package.test.ts. It never runs.

import {
  ACR,
  type Claims,
  checkStepUp,
  InsufficientAuthorizationError,
  type ProtectedAction,
  proofOf,
  protectedApi,
  type Requirement,
  type SpentStore,
  StepUpError,
  sqlStore,
  stepUpChallenge,
} from '@sallyport/step-up'
import { StepUpCancelledError, withStepUp } from '@sallyport/step-up/browser'
import { type StepUpOutcome, stepUpClient } from '@sallyport/step-up/client'
import { requireStepUp as forExpress } from '@sallyport/step-up/express'
import { requireStepUp as forFastify } from '@sallyport/step-up/fastify'
import { requireStepUp as forFetch } from '@sallyport/step-up/fetch'
import { requireStepUp as forKoa } from '@sallyport/step-up/koa'

const store = sqlStore(async (_text, _values) => [], { placeholders: '$1' })
const api = protectedApi({ issuer: 'https://id.example', resource: 'https://api.example', store })
const action: ProtectedAction = { type: 'protected_action', action: 'device.delete', objects: ['a'] }

// @ts-expect-error: there is no default for the store
protectedApi({ issuer: 'https://id.example', resource: 'https://api.example' })
// @ts-expect-error: a store must be able to spend
export const notAStore: SpentStore = { spend: async () => undefined }
// @ts-expect-error: the placeholders depend on the database
sqlStore(async () => [], {})
// @ts-expect-error: seconds are a number
forExpress({ api, acr: ACR.phr, maxAge: '300' })
// @ts-expect-error: a subject that may be missing must not switch the check off
export const loose: Requirement = { subject: undefined }
// @ts-expect-error: objects are texts
export const numbers: ProtectedAction = { type: 'protected_action', action: 'a', objects: [1] }
// @ts-expect-error: another type of details is no protected action
export const payment: ProtectedAction = { type: 'payment', action: 'a' }
// @ts-expect-error: what is required says where it is required
forFetch({ acr: ACR['2fa'] })

export function whatIsMissing(claims: Claims): string | undefined {
  const result = checkStepUp(claims, { acr: [ACR.phr, ACR['2fa']], maxAge: 300, action }, Date.now())
  return result.ok ? undefined : stepUpChallenge(result.challenges)
}

export function statusOf(error: unknown): { status: number; challenge: string | undefined } | undefined {
  if (error instanceof InsufficientAuthorizationError) error.code.toUpperCase()
  if (!(error instanceof StepUpError)) return undefined
  return { status: error.statusCode, challenge: error.headers['WWW-Authenticate'] }
}

interface Own {
  readonly method: string
  readonly rawHeaders: string[]
  readonly body: { readonly ids: string[] }
}
export const express = forExpress({ api, action: async (req: Own) => ({ ...action, objects: req.body.ids }) })
export const koa = forKoa({ api, acr: ACR['2fa'], maxAge: 300 })
export const fastify = forFastify({ api, acr: ACR['2fa'], subject: req => req.originalUrl })
export const byRequest: (request: Request) => Promise<Response | undefined> = forFetch({
  api,
  acr: ACR['2fa'],
})
export const withContext: (request: Request, context: { user: string }) => Promise<Response | undefined> =
  forFetch<{ user: string }>({ api, acr: ACR['2fa'], subject: ({ context }) => context.user })
export const who: string | undefined = proofOf({}).claims.sub

const client = stepUpClient({
  issuer: 'https://id.example',
  clientId: 'console',
  redirectUri: 'https://console.example/step-up/callback',
  resource: 'https://api.example',
  store,
})
export async function finish(url: URL, session: string): Promise<Response | StepUpOutcome['outcome']> {
  const outcome = await client.finish({ url, session })
  // @ts-expect-error: who cancelled has no token
  outcome.accessToken
  return outcome.outcome === 'confirmed' ? outcome.replay() : outcome.outcome
}

export const fetchWithStepUp: typeof fetch = withStepUp(fetch, {
  authorize: async challenge => challenge.authorizationReference ?? false,
})
export const isCancelled = (error: unknown): boolean => error instanceof StepUpCancelledError
