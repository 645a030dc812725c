// The way on from an error page: to the login while it waits, else back to the app that began it. Which app that was
// must be known when its interaction is gone, so a cookie of the interaction's own path keeps the client's id; it
// grants nothing. Leaves out what the page says.

import type { Context, Middleware } from 'koa'
import type { ErrorCode } from '../errors.ts'
import type { Services } from '../services.ts'
import type { ViewLocals } from './locals.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const INTERACTION = /\/interaction\/([\w-]+)/

export type WayOn = Pick<ViewLocals['error'], 'goOn' | 'startAgain' | 'backTo'>

/** After these the login is over; after any other error it waits where it was. */
const OVER: readonly ErrorCode[] = [
  'interaction_expired',
  'cookies_blocked',
  'interaction_ended',
  'too_many_tries',
]

/** Keeps, with each interaction that begins, which app began it. */
export function rememberApp(services: Services): Middleware {
  const secure = services.paths.https
  return async (ctx, next) => {
    await next()
    // `ctx.oidc` exists on the library's routes only.
    const { oidc } = ctx as {
      oidc?: { client?: { clientId: string }; urlFor(name: string, params: object): string }
    }
    const uid = INTERACTION.exec(ctx.response.get('Location'))?.[1]
    if (oidc?.client === undefined || uid === undefined) return
    // Where it is resumed is the library's, or its host's, to say.
    for (const path of [services.paths.interaction(uid), new URL(oidc.urlFor('resume', { uid })).pathname]) {
      ctx.cookies.set(cookieName(services), Buffer.from(oidc.client.clientId).toString('base64url'), {
        path,
        httpOnly: true,
        sameSite: 'lax',
        secure,
        maxAge: DAY_MS,
        overwrite: false,
        signed: false,
      })
    }
  }
}

/** Where somebody goes from an error on one of an interaction's pages, or at its resuming; nowhere from others. */
export async function wayOn(services: Services, ctx: Context, code: ErrorCode): Promise<WayOn> {
  const uid = INTERACTION.exec(ctx.path)?.[1]
  if (!OVER.includes(code)) return uid === undefined ? {} : { goOn: services.paths.interaction(uid) }
  const kept = ctx.cookies.get(cookieName(services))
  // Without a database there is no way on but the sentence that the page has for it.
  const client = await services.clients
    .find(Buffer.from(kept ?? '', 'base64url').toString())
    .catch(() => undefined)
  return client === undefined ? {} : wayBack(client.metadata, services.config.issuer)
}

function wayBack(metadata: Record<string, unknown>, issuer: string): WayOn {
  const name = String(metadata.client_name ?? metadata.client_id)
  const start = webAddress(metadata.initiate_login_uri)
  // OpenID Connect Core section 4: the app is told who asks it to begin.
  start?.searchParams.set('iss', issuer)
  const redirectUris = metadata.application_type === 'native' ? [] : metadata.redirect_uris
  const home =
    webAddress(metadata.client_uri)?.href ??
    (Array.isArray(redirectUris) ? webAddress(redirectUris[0])?.origin : undefined)
  return {
    ...(start === undefined ? {} : { startAgain: start.href }),
    ...(home === undefined ? {} : { backTo: { name, url: home } }),
  }
}

function webAddress(value: unknown): URL | undefined {
  const url = typeof value === 'string' ? URL.parse(value) : null
  return url !== null && ['https:', 'http:'].includes(url.protocol) ? url : undefined
}

function cookieName({ paths }: Services): string {
  return paths.https ? '__Secure-sallyport_app' : 'sallyport_app'
}
