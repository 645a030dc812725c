// The load: logins as a browser and an app make them, without pages.

import { createHash } from 'node:crypto'
import * as client from 'openid-client'
import { setupKey } from '../src/factors/totp.ts'
import { code } from '../test/support/one-time-codes.ts'
import { createVisitor, uidOf } from '../test/support/visitor.ts'

const REDIRECT_URI = 'http://localhost:9/callback'
const verifier = client.randomPKCECodeVerifier()
const challenge = await client.calculatePKCECodeChallenge(verifier)

export interface Target {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly password?: string
}

export function target(ready: Record<string, string>): Target {
  const { issuer = '', clientId = '', clientSecret = '', password } = ready
  return { issuer, clientId, clientSecret, ...(password === undefined ? {} : { password }) }
}

export function authorizationRequest({ clientId }: Target, scope: string): Record<string, string> {
  return {
    client_id: clientId,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...(scope.includes('offline_access') ? { prompt: 'consent' } : {}),
  }
}

export function authorization(at: Target, scope: string): string {
  return `${at.issuer}/auth?${new URLSearchParams(authorizationRequest(at, scope))}`
}

export interface Tokens {
  readonly access_token: string
  readonly refresh_token?: string
}

/** A form post to an endpoint for programs, as the client. @throws Error unless it is answered as `expected` */
export async function asClient(
  { issuer, clientId, clientSecret }: Target,
  path: string,
  form: Record<string, string>,
  expected = 200,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${issuer}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
    },
    body: new URLSearchParams(form).toString(),
  })
  const answer = (await response.json()) as Record<string, unknown>
  if (response.status !== expected) throw new Error(`${path}: ${JSON.stringify(answer)}`)
  return answer
}

function redeem(at: Target, callback: string): Promise<Tokens> {
  const authorizationCode = new URL(callback).searchParams.get('code')
  if (authorizationCode === null) throw new Error(`no code: ${callback}`)
  return asClient(at, '/token', {
    grant_type: 'authorization_code',
    code: authorizationCode,
    redirect_uri: REDIRECT_URI,
    code_verifier: verifier,
  }) as unknown as Promise<Tokens>
}

/** A login at the bare provider: auth, page, post, resume, token. @param hash whether the post verifies a password */
export async function bareLogin(
  at: Target,
  index: number,
  scope = 'openid email',
  hash = false,
): Promise<Tokens> {
  const visitor = createVisitor(at.issuer)
  const { location: page = '' } = await visitor.get(authorization(at, scope).replace('&prompt=consent', ''))
  await visitor.get(page)
  const { location: resume = '' } = await visitor.post(
    `${page}?as=user${index}${hash ? '&hash=yes' : ''}`,
    {},
  )
  const { location: callback = '' } = await visitor.get(resume)
  return redeem(at, callback)
}

/** A whole two-factor login at Sallyport: email, password, one-time code, token. */
export async function twoFactorLogin(
  at: Target,
  index: number,
  scope = 'openid email',
  visitor = createVisitor(at.issuer),
): Promise<Tokens> {
  const { location = '' } = await visitor.get(authorization(at, scope))
  const base = `/interaction/${uidOf(location)}`
  await visitor.get(base)
  await visitor.post(`${base}/identify`, { email: `user${index}@bench.example`, webauthn: 'none' })
  await visitor.get(base)
  await visitor.post(`${base}/password`, { password: at.password ?? '', webauthn: 'none' })
  await visitor.get(base)
  const { location: resume = '' } = await visitor.post(`${base}/otp`, {
    code: code(secretOf(index), Date.now()),
  })
  let { location: callback = '' } = await visitor.get(resume)
  if (callback.includes('/interaction/')) {
    const answer = await visitor.post(`/interaction/${uidOf(callback)}/consent`, { answer: 'allow' })
    callback = (await visitor.get(answer.location ?? '')).location ?? ''
  }
  return redeem(at, callback)
}

/** A logged-in user confirms an action: auth, page, one-time code, token for the API. */
export async function confirmAction(
  at: Target,
  index: number,
  visitor: ReturnType<typeof createVisitor>,
): Promise<Tokens> {
  const detail = { type: 'protected_action', action: 'device.delete', objects: ['dev_a', `dev_${index}`] }
  const asked = new URLSearchParams({ authorization_details: JSON.stringify([detail]) })
  const { location = '' } = await visitor.get(`${authorization(at, 'openid')}&${asked}`)
  const base = `/interaction/${uidOf(location)}`
  await visitor.get(base)
  const { location: resume = '' } = await visitor.post(`${base}/otp`, {
    code: code(secretOf(index), Date.now()),
  })
  const { location: callback = '' } = await visitor.get(resume)
  return redeem(at, callback)
}

function secretOf(index: number): string {
  return setupKey(createHash('sha1').update(`bench ${index}`).digest()).replaceAll(' ', '')
}
