// Fleetdesk, a small device console, as one would write it to let Sallyport log its users in and confirm what must not
// happen by mistake: Koa, openid-client for the login, @sallyport/step-up for the rest. It keeps everything in memory, so
// a restart logs everybody out. Every address that it gives out is made from the configured origin, never from the Host
// header.

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { UnavailableError } from '@sallyport/step-up'
import { StepUpLoopError, StepUpRefusedError } from '@sallyport/step-up/client'
import Koa, { type Context, type Next } from 'koa'
import { createApi, SCOPES } from './api.ts'
import { createFleet } from './devices.ts'
import { createLogin, LoginRefused, ProviderUnreachable } from './login.ts'
import { notice } from './pages.ts'
import { createRoutes } from './routes.ts'
import { createSessions } from './sessions.ts'
import { createStepUp } from './step-up.ts'

export type DemoOptions = {
  /** The provider's issuer identifier; http only on this machine. */
  issuer: string
  clientId: string
  clientSecret: string
  /** Where browsers reach this app, for example `http://localhost:3001`. */
  origin: string
}

export type Demo = {
  app: Koa
  /** Resolves when connections are accepted on localhost. */
  listen(port: number, host?: string): Promise<void>
  /** Finishes the requests in flight, at most 3 seconds. */
  close(): Promise<void>
}

/** The registration that the demo needs at the provider, in OpenID's names. */
export function demoClient(origin: string) {
  return {
    client_name: 'Fleetdesk',
    redirect_uris: [new URL('/callback', origin).href, new URL('/confirmed', origin).href],
    post_logout_redirect_uris: [new URL('/', origin).href],
    backchannel_logout_uri: new URL('/backchannel-logout', origin).href,
    backchannel_logout_session_required: true,
    response_types: ['code' as const],
    grant_types: ['authorization_code'],
    token_endpoint_auth_method: 'client_secret_basic' as const,
  }
}

/** The API that it needs registered. */
export function demoApi(origin: string) {
  return { resource: new URL('/api', origin).href, name: 'Fleetdesk API', scopes: SCOPES }
}

/** What its users confirm: the file that `client actions set` takes. */
export async function demoActions(): Promise<unknown> {
  return JSON.parse(await readFile(new URL('actions.json', import.meta.url), 'utf8'))
}

const back = { href: '/', text: 'Back to the start' }

/**
 * The demo app. It asks the provider for nothing before its first visitor logs in, so it may start first.
 * @throws TypeError for an http issuer that is not on this machine
 */
export function createDemo(options: DemoOptions): Demo {
  const { issuer, clientId, clientSecret, origin } = options
  const { redirect_uris, post_logout_redirect_uris } = demoClient(origin)
  const [loggedIn = '', confirmed = ''] = redirect_uris
  const [afterLogout = ''] = post_logout_redirect_uris
  const { resource } = demoApi(origin)
  const registered = { issuer, clientId, clientSecret, resource, scopes: SCOPES }
  const login = createLogin({ ...registered, redirectUri: loggedIn })
  const stepUp = createStepUp({ ...registered, redirectUri: confirmed })
  const sessions = createSessions({ secure: origin.startsWith('https:') })
  const fleet = createFleet()

  const app = new Koa()
  app.use(securityHeaders(issuer))
  app.use(errorPages(issuer))
  app.use(stylesheet)
  app.use(createApi({ issuer, resource, clientId, fleet }))
  app.use(ownFormsOnly(origin))
  app.use(createRoutes({ origin, login, afterLogout, sessions, stepUp }))

  const server = createServer(app.callback())
  return {
    app,
    listen: (port, host = 'localhost') =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          resolve()
        })
      }),
    close: () =>
      new Promise(resolve => {
        const patience = setTimeout(() => server.closeAllConnections(), 3_000)
        server.close(() => {
          clearTimeout(patience)
          resolve()
        })
      }),
  }
}

function securityHeaders(issuer: string) {
  const headers = {
    // Chromium holds form-action against redirects too: each task is a form whose answer may lead to the provider.
    'Content-Security-Policy':
      "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; " +
      `form-action 'self' ${new URL(issuer).origin}`,
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
  }
  return async (ctx: Context, next: Next) => {
    ctx.set(headers)
    await next()
  }
}

async function stylesheet(ctx: Context, next: Next): Promise<void> {
  if (ctx.path === '/favicon.ico') {
    ctx.status = 204
  } else if (ctx.path === '/demo.css') {
    ctx.type = 'text/css'
    ctx.set('Cache-Control', 'max-age=300')
    ctx.body = await readFile(new URL('demo.css', import.meta.url))
  } else await next()
}

/** The session's cookie comes along with forms of this app's own pages only. Browsers say where a form is from. */
function ownFormsOnly(origin: string) {
  return async (ctx: Context, next: Next) => {
    const [site, from] = [ctx.get('Sec-Fetch-Site'), ctx.get('Origin')]
    const foreign = (site !== '' && site !== 'same-origin') || (from !== '' && from !== origin)
    if (ctx.method !== 'POST' || !foreign) return next()
    ctx.status = 403
    ctx.body = notice('Nothing was done', 'Another site tried to do something here in your name.', back)
  }
}

function errorPages(issuer: string) {
  return async (ctx: Context, next: Next) => {
    try {
      await next()
      if (ctx.status === 404 && !ctx.body) {
        ctx.status = 404
        ctx.body = notice('There is no such page', 'The address may be mistyped.', back)
      }
    } catch (error) {
      const { message, status = 500, expose } = error as Error & { status?: number; expose?: boolean }
      if (error instanceof ProviderUnreachable) {
        ctx.status = 503
        ctx.body = notice('The identity provider cannot be reached', `${issuer}: ${message}`, {
          href: '/login',
          text: 'Try again',
        })
      } else if (error instanceof LoginRefused) {
        ctx.status = 400
        ctx.body = notice('You were not logged in', message, back)
      } else if (isStepUpError(error)) {
        ctx.status = status
        ctx.body = notice('Nothing was done', `It could not be confirmed: ${message}.`, back)
      } else if (expose === true) {
        ctx.status = status
        ctx.body = notice('Nothing was done', `This app refused it: ${message}.`, back)
      } else {
        ctx.status = 500
        ctx.body = notice('Something broke in this app', 'The reason is in its log.', back)
        ctx.app.emit('error', error, ctx)
      }
    }
  }
}

function isStepUpError(error: unknown): error is Error {
  return [StepUpRefusedError, StepUpLoopError, UnavailableError].some(each => error instanceof each)
}
