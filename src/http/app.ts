// What every request passes before and after it is answered: headers, the issuer's own host, static files, health,
// one unit of work, and a page (or the protocol's error) for whatever went wrong. Mounted in front of the library's
// routes, so that it also covers them. Leaves out the pages themselves.

import type { Context, Middleware } from 'koa'
import { AppError } from '../errors.ts'
import { noteFailure, reference } from '../log.ts'
import type { Services } from '../services.ts'
import { CommitRefused, sql } from '../store/database.ts'
import { inUnit } from '../store/unit-of-work.ts'
import type { TextKey } from '../texts.ts'
import { type Assets, assetCacheControl } from './assets.ts'
import { seeOther } from './see-other.ts'
import { type WayOn, wayOn } from './way-on.ts'

// No form-action: Chromium applies it to the redirects that follow a form, and a login ends at the app (a page that
// posts elsewhere would need a script or markup of a stranger's in it, which the rest forbids). No COOP: an app that
// opened us in a pop-up waits for its window. `same-origin` keeps the Origin of our own forms.
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

export function securityHeaders(https: boolean): Middleware {
  return async (ctx, next) => {
    ctx.set({
      'Content-Security-Policy': CSP,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'same-origin',
      'Cache-Control': 'no-store',
      'X-Frame-Options': 'DENY',
    })
    if (https) ctx.set('Strict-Transport-Security', 'max-age=31536000')
    await next()
  }
}

/** @param base what a host strips from the path before it comes here */
export function staticFiles(assets: Assets, base: string): Middleware {
  return async (ctx, next) => {
    const asset = ctx.method === 'GET' || ctx.method === 'HEAD' ? assets.get(`${base}${ctx.path}`) : undefined
    if (asset === undefined) return next()
    ctx.set({ 'Cache-Control': assetCacheControl, ETag: asset.etag, Vary: 'Accept-Encoding' })
    ctx.type = asset.type
    const encoding = ctx.acceptsEncodings('br', 'gzip', 'identity')
    if (encoding === 'br' || encoding === 'gzip') ctx.set('Content-Encoding', encoding)
    ctx.body = encoding === 'br' || encoding === 'gzip' ? asset.encoded(encoding) : asset.body
    if (ctx.fresh) ctx.status = 304
  }
}

const isUp = sql('health_up', 'SELECT 1 AS up')

/** `/health/live`: the process answers. `/health/ready`: the database does too. */
export function health(services: Services): Middleware {
  // The schema is looked at by a connection of its own: once, since no migration is undone under a running server.
  let migrated = false
  return async (ctx, next) => {
    if (ctx.path === '/health/live') {
      ctx.body = { status: 'live' }
      return
    }
    if (ctx.path !== '/health/ready') return next()
    try {
      if (migrated) await services.database.read(isUp, [])
      else migrated = (await services.database.migrations()).pending.length === 0
      ctx.status = migrated ? 200 : 503
      ctx.body = { status: migrated ? 'ready' : 'migrations are pending' }
    } catch {
      ctx.status = 503
      ctx.body = { status: 'the database does not answer' }
    }
  }
}

/**
 * `/.well-known/webauthn` (WebAuthn §5.11): on which origins, beyond those of their own domain, browsers may use our
 * passkeys. Asked for at the domain that they are bound to, which need not be the issuer's host any more.
 */
export function relatedOrigins({ config }: Services): Middleware {
  const { hostname, origin } = new URL(config.issuer)
  const moved = hostname !== config.passkeyDomain && !hostname.endsWith(`.${config.passkeyDomain}`)
  const origins = [...new Set([...(moved ? [origin] : []), ...config.relatedOrigins])]
  return async (ctx, next) => {
    const asked = ctx.path === '/.well-known/webauthn' && (ctx.method === 'GET' || ctx.method === 'HEAD')
    if (!asked || origins.length === 0) return next()
    ctx.body = { origins }
  }
}

/** The bare address, as somebody types it: there is no page at it, so on to the user's own. */
export function frontDoor(home: string): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== '/' || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return next()
    seeOther(ctx, home)
  }
}

/** Refuses a request for another host than the issuer's, and says which two they are. */
export function issuersHost(services: Services): Middleware {
  const expected = new URL(services.config.issuer).host
  return async (ctx, next) => {
    if (ctx.host === expected) return next()
    ctx.status = new AppError('host_mismatch').status
    ctx.type = 'html'
    ctx.body = services.views.render('host-mismatch', {
      asked: ctx.host.slice(0, 200),
      issuer: services.config.issuer,
      variable: 'SALLYPORT_ISSUER',
    })
  }
}

/** Law 8: one unit of work per request, committed before the response leaves. */
export function unitOfWork(services: Services): Middleware {
  return async (ctx, next) => {
    try {
      await inUnit(services.database, async () => next())
    } catch (error) {
      if (!(error instanceof CommitRefused)) throw error
      forget(ctx)
      if (!answerAsProtocol(ctx, error)) {
        throw new AppError('interaction_ended', error.refusal, { cause: error })
      }
    }
  }
}

/** A middleware for some paths: a plugin leaves its host's own alone. */
export function onlyAt(paths: RegExp, middleware: Middleware): Middleware {
  return (ctx, next) => (paths.test(ctx.path) ? middleware(ctx, next) : next())
}

/**
 * Whatever was thrown becomes a page with a reference; what happened goes to the log.
 *
 * @param paths those that are ours; on others only our own errors are answered
 */
export function errorPages(services: Services, paths = /^/): Middleware {
  return async (ctx, next) => {
    try {
      await next()
      if (ctx.status === 404 && ctx.body === undefined && paths.test(ctx.path))
        throw new AppError('not_found')
    } catch (error) {
      if (!paths.test(ctx.path) && !(error instanceof AppError)) throw error
      const failure =
        error instanceof AppError ? error : new AppError('internal', undefined, { cause: error })
      forget(ctx)
      noteFailure(ctx, error)
      const onward = await wayOn(services, ctx, failure.code)
      if (failure.code === 'not_found' && onward.goOn === undefined) {
        ctx.status = 404
        ctx.type = 'html'
        ctx.body = services.views.render('not-found', {})
        return
      }
      if (failure.status === 503) ctx.set('Retry-After', '5')
      errorPage(services, ctx, failure.status, `error.${failure.code}`, onward)
    }
  }
}

/**
 * Answers with the error page.
 *
 * @param key of the catalogue: `<key>.heading` and `<key>.text`
 */
export function errorPage(
  services: Services,
  ctx: Context,
  status: number,
  key: string,
  more: WayOn = {},
): void {
  ctx.status = status
  ctx.type = 'html'
  ctx.body = services.views.render('error', {
    heading: services.texts.t(`${key}.heading` as TextKey),
    text: services.texts.t(`${key}.text` as TextKey),
    reference: reference(String(ctx.state.requestId)),
    time: services.clock(),
    ...more,
    ...(status === 503 ? { retryAfter: 5 } : {}),
  })
}

/** Nothing of a response that is not given any more leaves: no cookie, no redirect with a code. */
function forget(ctx: Context): void {
  for (const name of [
    'Set-Cookie',
    'Location',
    'Content-Type',
    'Content-Length',
    'Pragma',
    'WWW-Authenticate',
  ]) {
    ctx.remove(name)
  }
  ctx.body = undefined
}

/** At the endpoints that programs call: the error that the library would have given, had it come second. */
function answerAsProtocol(ctx: Context & { oidc?: { route?: string } }, { refusal }: CommitRefused): boolean {
  const route = ctx.oidc?.route
  const json = (status: number, error: string, description: string) => {
    ctx.status = status
    ctx.body = { error, error_description: description }
    return true
  }
  if (refusal === 'replayed' && route !== undefined) {
    if (route === 'userinfo') ctx.set('WWW-Authenticate', 'DPoP error="invalid_dpop_proof"')
    return json(route === 'userinfo' ? 401 : 400, 'invalid_dpop_proof', 'DPoP proof JWT Replay detected')
  }
  if (route === 'token') return json(400, 'invalid_grant', 'grant request is invalid')
  if (route === 'pushed_authorization_request') {
    return json(400, 'invalid_request', 'the request could not be stored')
  }
  return false
}
