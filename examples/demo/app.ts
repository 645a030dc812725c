// A small relying app, as one would write it to let Sallyport log its users in: Koa, and openid-client for the
// protocol. It keeps sessions in memory, so a restart logs everybody out. Every address that it gives out is made from
// the configured origin, never from the Host header.

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import Koa from 'koa'
import Router from 'koa-router'
import { type Asked, createLogin, LoginRefused, ProviderUnreachable } from './login.ts'
import { home, notice } from './pages.ts'
import { createSessions } from './sessions.ts'

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
    client_name: 'Demo app',
    redirect_uris: [new URL('/callback', origin).href],
    post_logout_redirect_uris: [new URL('/', origin).href],
    response_types: ['code' as const],
    grant_types: ['authorization_code'],
    token_endpoint_auth_method: 'client_secret_basic' as const,
  }
}

const back = { href: '/', text: 'Back to the start' }
const secondFactor: Asked = { acr: 'urn:sallyport:acr:2fa', maxAge: 60 }

/**
 * The demo app. It asks the provider for nothing before its first visitor logs in, so it may start first.
 * @throws TypeError for an http issuer that is not on this machine
 */
export function createDemo(options: DemoOptions): Demo {
  const { issuer, origin } = options
  const [redirectUri = ''] = demoClient(origin).redirect_uris
  const [afterLogout = ''] = demoClient(origin).post_logout_redirect_uris
  const login = createLogin({ ...options, redirectUri })
  const sessions = createSessions({ secure: origin.startsWith('https:') })
  const app = new Koa()
  const router = new Router()

  app.use(async (ctx, next) => {
    ctx.set({
      // Chromium holds form-action against redirects too: "Log out" is a form whose answer leads to the provider.
      'Content-Security-Policy':
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; " +
        `form-action 'self' ${new URL(issuer).origin}`,
      'Cache-Control': 'no-store',
      'Referrer-Policy': 'same-origin',
      'X-Content-Type-Options': 'nosniff',
    })
    try {
      await next()
      if (ctx.status === 404 && !ctx.body) {
        ctx.status = 404
        ctx.body = notice('There is no such page', 'The address may be mistyped.', {
          href: '/',
          text: 'Start',
        })
      }
    } catch (error) {
      if (error instanceof ProviderUnreachable) {
        ctx.status = 503
        ctx.body = notice('The identity provider cannot be reached', `${issuer}: ${error.message}`, {
          href: '/login',
          text: 'Try again',
        })
      } else if (error instanceof LoginRefused) {
        ctx.status = 400
        ctx.body = notice('You were not logged in', error.message, back)
      } else {
        ctx.status = 500
        ctx.body = notice('Something broke in this app', 'The reason is in its log.', back)
        app.emit('error', error, ctx)
      }
    }
  })

  router.get('/', ctx => {
    ctx.body = home(sessions.get(ctx)?.user?.claims)
  })

  router.get('/demo.css', async ctx => {
    ctx.type = 'text/css'
    ctx.set('Cache-Control', 'max-age=300')
    ctx.body = await readFile(new URL('demo.css', import.meta.url))
  })

  router.get('/favicon.ico', ctx => {
    ctx.status = 204
  })

  const start = (asked: Asked) => async (ctx: Koa.Context) => {
    const { url, state, pending } = await login.start(asked)
    sessions.remember(ctx, state, pending)
    ctx.status = 303
    ctx.redirect(url.href)
  }
  router.get('/login', start({}))
  router.get('/login/second-factor', start(secondFactor))

  router.get('/callback', async ctx => {
    const response = new URL(ctx.url, origin)
    const pending = sessions.take(ctx, response.searchParams.get('state') ?? '')
    if (pending === undefined)
      throw new LoginRefused(
        `This login was not started in this browser at ${origin}, or it was used already.`,
      )
    sessions.logIn(ctx, await login.finish(response, pending))
    ctx.status = 303
    ctx.redirect(new URL('/', origin).href)
  })

  router.post('/logout', async ctx => {
    const site = ctx.get('Sec-Fetch-Site')
    if (site !== '' && site !== 'same-origin') {
      ctx.status = 403
      ctx.body = notice('You are still logged in', 'Another site tried to log you out.', back)
      return
    }
    const user = sessions.get(ctx)?.user
    sessions.end(ctx)
    ctx.status = 303
    ctx.redirect(user ? await login.logoutUrl(user.idToken, afterLogout) : afterLogout)
  })

  app.use(router.routes())

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
