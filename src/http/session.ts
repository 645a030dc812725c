// Law 5: no second session system. Sallyport's own pages know their user by the provider's session, and what it has
// proven by the same facts that the prompts decide on. What is missing is asked for as an app would ask, by a client of
// our own and `response_type=none`, so the prompts are everybody's. `requireSession` is the only guard of these pages.
//
// The way back is never taken from a request: a sealed cookie keeps it, which only the browser that set out has, for
// ten minutes, once. What comes back without having met what was asked ends on a page; it never sets out again by
// itself. Leaves out what the pages show.

import { randomBytes } from 'node:crypto'
import type { Context, Middleware } from 'koa'
import Router from 'koa-router'
import type Provider from 'oidc-provider'
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Fact } from '../flow/assurance.ts'
import { judgeAccount, secondFactorDue } from '../flow/visit.ts'
import type { Paths } from '../paths.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts.ts'
import { cachedSession } from '../store/adapter.ts'
import { spend } from '../store/credentials.ts'
import { CommitRefused } from '../store/database.ts'
import { OWN_CLIENT_ID } from '../store/own-client.ts'
import { unit } from '../store/unit-of-work.ts'

/** A way back, and a form that waits, are good for this long. */
const WAY_BACK_MS = 10 * 60 * 1000
/** A query that is longer isn't brought back. */
const LONGEST_QUERY = 1500

/** What a page asks of whoever opens it, beside being logged in. */
export interface Requirement {
  /** An acr value; default: what the gate of the user's organisation demands. */
  readonly acr?: string
  /** Seconds, at least 1: a factor that meets the level must be at most this old. */
  readonly maxAge?: number
}

/** Who opens a guarded page. */
export interface OwnSession {
  readonly account: Account
  /** The session's id, which stays the same while it lives. */
  readonly uid: string
  readonly facts: readonly Fact[]
}

/** What a way back is good for. */
interface WayBack extends Requirement {
  readonly to: string
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface Guard {
  /** Lets somebody through whose session meets the requirement, as `ctx.state.session`; sends others to the prompts. */
  requireSession(requirement?: Requirement): Middleware
  /** Where the prompts answer, and where one is after logging out. */
  routes(): Middleware
  /** Where somebody logs out of everything; undefined where a host of the plugin has switched that off. */
  readonly logoutUrl: string | undefined
}

/** Who {@link Guard.requireSession} let through. */
export function sessionOf(ctx: Context): OwnSession {
  const { session } = ctx.state as { session?: OwnSession }
  if (session === undefined) throw new Error(`${ctx.path} is not guarded`)
  return session
}

/** A window that another site opened has no hold on these pages, and they none on it. */
export const isolated: Middleware = async (ctx, next) => {
  ctx.set('Cross-Origin-Opener-Policy', 'same-origin')
  await next()
}

export function createGuard(provider: Provider, services: Services): Guard {
  const { clock, config, keyring, paths } = services
  const authorization = provider.pathFor('authorization', { mountPath: paths.base })

  async function currentSession(ctx: Context): Promise<OwnSession | undefined> {
    const { uid, accountId } = await provider.Session.get(ctx as KoaContextWithOIDC)
    // Read with its account and its facts; undefined if it was ended, or the account reset or deactivated since.
    const stored = cachedSession(uid)
    if (stored?.account === undefined || stored.account.id !== accountId) return undefined
    return { account: stored.account, uid, facts: stored.facts }
  }

  /** What the prompts would say of this session. */
  function meets({ account, facts }: OwnSession, { acr, maxAge }: Requirement): boolean {
    const now = clock()
    if (secondFactorDue(account, facts, now)) return false
    const asked = { acr: acr === undefined ? [] : [[acr]], ...(maxAge === undefined ? {} : { maxAge }) }
    return judgeAccount(account, asked, facts, now, config.acrAliases).outcome === 'met'
  }

  /** Asks the prompts, which come back to `to`. */
  function ask(ctx: Context, to: string, { acr, maxAge }: Requirement): void {
    const state = randomBytes(18).toString('base64url')
    const kept: WayBack = {
      to,
      at: clock(),
      ...(acr === undefined ? {} : { acr }),
      ...(maxAge === undefined ? {} : { maxAge }),
    }
    ctx.cookies.set(cookieName(state), keyring.seal(JSON.stringify(kept), placeOf(state)), {
      ...cookieOptions(),
      maxAge: WAY_BACK_MS,
    })
    const query = new URLSearchParams({
      client_id: OWN_CLIENT_ID,
      response_type: 'none',
      scope: 'openid',
      redirect_uri: `${paths.origin}${paths.ownReturn}`,
      state,
      ...(acr === undefined ? {} : { acr_values: acr }),
      ...(maxAge === undefined ? {} : { max_age: String(maxAge) }),
    })
    seeOther(ctx, `${authorization}?${query}`)
  }

  /** The way back that belongs to an answer, which is used up by it; undefined if there is none. */
  async function takeWayBack(ctx: Context): Promise<WayBack | undefined> {
    const { state, iss } = ctx.query
    // RFC 9207: an answer of another issuer is not for us.
    if (typeof state !== 'string' || !/^[\w-]{24}$/.test(state) || iss !== provider.issuer) return undefined
    const sealed = ctx.cookies.get(cookieName(state), { signed: false })
    if (sealed === undefined) return undefined
    ctx.cookies.set(cookieName(state), null, cookieOptions())
    try {
      const kept = JSON.parse(keyring.open(sealed, placeOf(state)).toString()) as WayBack
      if (kept.at + WAY_BACK_MS <= clock()) return undefined
      await unit().flush([spend('own-return', state, kept.at + WAY_BACK_MS)])
      return kept
    } catch (error) {
      // Of another browser, of a key that is gone, not by us, or used before.
      if (error instanceof CommitRefused || (error as Error).name === 'SealBroken') return undefined
      throw error
    }
  }

  const cookieName = (state: string) => `${paths.https ? '__Secure-' : ''}sallyport_return_${state}`
  const cookieOptions = () =>
    ({
      path: paths.ownReturn,
      httpOnly: true,
      sameSite: 'lax',
      secure: paths.https,
      overwrite: true,
      signed: false,
    }) as const

  /** Ends on a page. @param to where to start again, if that is wanted */
  function end(ctx: Context, what: 'cancelled' | 'unmet' | 'unknown', to?: string): void {
    const { texts, views } = services
    ctx.status = what === 'unknown' ? 400 : 403
    ctx.type = 'html'
    ctx.body = views.render('error', {
      heading: texts.t(`ownReturn.${what}.heading`),
      text: texts.t(`ownReturn.${what}.text`),
      time: clock(),
      ...(to === undefined ? {} : { startAgain: to }),
      ...(paths.account === undefined || paths.account === to
        ? {}
        : { backTo: { name: texts.t('account.asApp'), url: paths.account } }),
    })
  }

  return {
    logoutUrl: logoutUrl(provider, paths),

    requireSession(requirement = {}) {
      return async (ctx, next) => {
        const session = await currentSession(ctx)
        if (session !== undefined && meets(session, requirement)) {
          ctx.state.session = session
          return next()
        }
        const query = ctx.search.length > LONGEST_QUERY ? '' : ctx.search
        ask(ctx, `${paths.base}${ctx.path}${query}`, requirement)
      }
    },

    routes() {
      const router = new Router()
      router.get('/session/return', isolated, async ctx => {
        const kept = await takeWayBack(ctx)
        if (kept === undefined) return end(ctx, 'unknown')
        if (ctx.query.error !== undefined) {
          return end(ctx, ctx.query.error === 'access_denied' ? 'cancelled' : 'unmet', kept.to)
        }
        // The answer says that it was met, in a request that anybody could have made: the session says whether it was.
        const session = await currentSession(ctx)
        if (session === undefined || !meets(session, kept)) return end(ctx, 'unmet', kept.to)
        seeOther(ctx, kept.to)
      })

      router.get('/session/over', isolated, async ctx => {
        const { account } = paths
        // The provider comes here, too, from "Stay logged in".
        if (account !== undefined && (await currentSession(ctx)) !== undefined) return seeOther(ctx, account)
        ctx.type = 'html'
        ctx.body = services.views.render('logged-out', account === undefined ? {} : { accountUrl: account })
      })
      return router.routes() as Middleware
    },
  }
}

function logoutUrl(provider: Provider, paths: Paths): string | undefined {
  const query = new URLSearchParams({
    client_id: OWN_CLIENT_ID,
    post_logout_redirect_uri: `${paths.origin}${paths.ownLogout}`,
  })
  try {
    return `${provider.pathFor('end_session', { mountPath: paths.base })}?${query}`
  } catch {
    // Without RP-initiated logout the provider has no such route.
    return undefined
  }
}

function seeOther(ctx: Context, path: string): void {
  ctx.status = 303
  ctx.redirect(path)
}

function placeOf(state: string) {
  return ['cookie', 'own-return', state] as const
}
