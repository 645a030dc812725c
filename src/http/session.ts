// Law 5: no second session system. Sallyport's own pages know their user by the provider's session, and what it has
// proven by the same facts that the prompts decide on. What is missing is asked for as an app would ask, by a client of
// our own and `response_type=none`, so the prompts are everybody's. `requireSession` is the only guard of these pages.
//
// What comes back without having met what was asked ends on a page; it never sets out again by itself. A form that
// needs more than its sender has shown changes nothing: it waits for one more press of its button. Leaves out how the
// way back is kept (way-back.ts) and what the pages show.

import type { Context, Middleware } from 'koa'
import Router from 'koa-router'
import type Provider from 'oidc-provider'
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { Fact } from '../flow/assurance.ts'
import { isOutside, judgeAccount, secondFactorDue, ssoDue } from '../flow/visit.ts'
import type { Paths } from '../paths.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'
import { keepPending, readPending, takePending } from '../store/accounts/pending-forms.ts'
import type { Write } from '../store/database.ts'
import { cachedSession, noteSeen } from '../store/oidc/adapter.ts'
import { OWN_CLIENT_ID } from '../store/oidc/own-client.ts'
import { unit } from '../store/unit-of-work.ts'
import { readForm, requireSameOrigin } from './forms.ts'
import { loggedOutPage } from './protocol-pages.ts'
import { seeOther } from './see-other.ts'
import { createWaysBack } from './way-back.ts'

/** A query that is longer isn't brought back. */
const LONGEST_QUERY = 1500

/** What a page asks of whoever opens it, beside being logged in. */
export interface Requirement {
  /** An acr value; default: what the gate of the user's organisation demands. */
  readonly acr?: string
  /** Seconds, at least 1: a factor that meets the level must be at most this old. */
  readonly maxAge?: number
  /** A recovery code that was used in this session will do too, no longer ago: for a lost authenticator, and nothing else. */
  readonly recovery?: boolean
}

/** A form that may have to wait. */
export interface FormKind<Field extends string = string> {
  /** What it does, such as `second-factor-reset`. */
  readonly kind: string
  readonly fields: readonly Field[]
  /** Those of the fields that may come several times, joined by spaces. */
  readonly several?: readonly Field[]
  /** Those that are never kept, such as passwords: they are typed again. */
  readonly unkept?: readonly Field[]
  /** What it may have, as it is sent; default: what `readForm` takes. */
  readonly mostBytes?: number
  /**
   * Below the issuer: the page that shows the form, and what waits of it. Guarded by the same requirement. `:name` is
   * what the form's own address has there.
   */
  readonly page: string
}

/** A form that was sent, or one that had waited and was sent once more. */
export interface SentForm<Field extends string = string> {
  readonly form: Readonly<Partial<Record<Field, string>>>
  /** For the commit of what the form does: it can be done once. Empty for a form that did not wait. */
  readonly taken: readonly Write[]
}

/** Who opens a guarded page. */
export interface OwnSession {
  readonly account: Account
  /** The session's id, which stays the same while it lives. */
  readonly uid: string
  readonly facts: readonly Fact[]
}

export interface Guard {
  /** Lets somebody through whose session meets the requirement, as `ctx.state.session`; sends others to the prompts. */
  requireSession(requirement?: Requirement): Middleware
  /**
   * The same for a form. One that its sender may not send yet is kept, unless nobody is logged in, and `kind.page` is
   * shown when they may, with `?pending=` and the form's id.
   */
  requireSessionForForm(kind: FormKind, requirement?: Requirement): Middleware
  /** What waits for this request's user, as `?pending=` names it; undefined if there is nothing (any more). */
  pendingForm<Field extends string>(
    ctx: Context,
    kind: FormKind<Field>,
  ): Promise<{ id: string; form: SentForm<Field>['form'] } | undefined>
  /**
   * Reads a guarded form: its fields, or its field `pending` alone, which is the id of one that waited.
   *
   * @returns undefined for one that waits no more
   */
  sentForm<Field extends string>(ctx: Context, kind: FormKind<Field>): Promise<SentForm<Field> | undefined>
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
function isolate(ctx: Context): void {
  ctx.set('Cross-Origin-Opener-Policy', 'same-origin')
}

function checked(requirement: Requirement): Requirement {
  const { maxAge = 1 } = requirement
  // The library takes max_age=0 for prompt=login, which the facts of a session never meet.
  if (!Number.isSafeInteger(maxAge) || maxAge < 1) throw new Error(`maxAge ${maxAge}`)
  return requirement
}

export function createGuard(provider: Provider, services: Services): Guard {
  const { clock, config, keyring, paths } = services
  const authorization = provider.pathFor('authorization', { mountPath: paths.base })
  const ways = createWaysBack(services, provider.issuer)

  async function currentSession(ctx: Context): Promise<OwnSession | undefined> {
    const { uid, accountId } = await provider.Session.get(ctx as KoaContextWithOIDC)
    // Read with its account and its facts; undefined if it was ended, or the account reset or deactivated since.
    const stored = cachedSession(uid)
    if (stored?.account === undefined || stored.account.id !== accountId) return undefined
    noteSeen(uid, clock())
    return { account: stored.account, uid, facts: stored.facts }
  }

  /** What the prompts would say of this session. */
  function meets(
    ctx: Context,
    { account, facts }: OwnSession,
    { acr, maxAge, recovery }: Requirement,
  ): boolean {
    const now = clock()
    if (isOutside(account, ctx.ip)) return false
    if (ssoDue(services, account, facts)) return false
    if (secondFactorDue(account, facts, now)) return false
    const since = now - (maxAge ?? Number.POSITIVE_INFINITY) * 1000
    if (recovery && facts.some(each => each.factor === 'recovery' && each.verifiedAt >= since)) return true
    const asked = { acr: acr === undefined ? [] : [[acr]], ...(maxAge === undefined ? {} : { maxAge }) }
    return judgeAccount(account, asked, facts, now, config.acrAliases).outcome === 'met'
  }

  /** Asks the prompts, which come back to `to`. */
  function ask(ctx: Context, to: string, requirement: Requirement): void {
    const { acr, maxAge } = requirement
    const query = new URLSearchParams({
      client_id: OWN_CLIENT_ID,
      response_type: 'none',
      scope: 'openid',
      redirect_uri: `${paths.origin}${paths.ownReturn}`,
      state: ways.keep(ctx, { ...requirement, to }),
      ...(acr === undefined ? {} : { acr_values: acr }),
      ...(maxAge === undefined ? {} : { max_age: String(maxAge) }),
    })
    seeOther(ctx, `${authorization}?${query}`)
  }

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

  async function readWaiting<Field extends string>(
    id: unknown,
    { kind }: FormKind<Field>,
    session: OwnSession,
  ): Promise<SentForm<Field>['form'] | undefined> {
    if (typeof id !== 'string' || id === '') return undefined
    const form = await readPending(services.database, keyring, id, placeFor(kind, session), clock())
    return form as SentForm<Field>['form'] | undefined
  }

  return {
    logoutUrl: logoutUrl(provider, paths),

    requireSession(asked = {}) {
      const requirement = checked(asked)
      return async (ctx, next) => {
        isolate(ctx)
        // Only what changes nothing is asked for again by itself.
        if (ctx.method !== 'GET' && ctx.method !== 'HEAD')
          throw new Error(`${ctx.method} needs a form's guard`)
        const session = await currentSession(ctx)
        if (session !== undefined && meets(ctx, session, requirement)) {
          ctx.state.session = session
          return next()
        }
        const query = ctx.search.length > LONGEST_QUERY ? '' : ctx.search
        ask(ctx, `${paths.base}${ctx.path}${query}`, requirement)
      }
    },

    requireSessionForForm({ kind, fields, several, unkept = [], mostBytes, page: pattern }, asked = {}) {
      const requirement = checked(asked)
      return async (ctx, next) => {
        isolate(ctx)
        requireSameOrigin(ctx, paths.origin)
        const session = await currentSession(ctx)
        if (session !== undefined && meets(ctx, session, requirement)) {
          ctx.state.session = session
          return next()
        }
        const page = filledIn(pattern, ctx.params as Record<string, string>)
        // Nothing is kept of what comes from where its sender may not be.
        if (session === undefined || isOutside(session.account, ctx.ip)) {
          return ask(ctx, `${paths.base}${page}`, requirement)
        }
        const { pending, ...form } = await readForm(ctx, [...fields, 'pending'], several, mostBytes)
        let id = pending
        if (id === undefined) {
          for (const each of unkept) delete (form as Record<string, string>)[each]
          const kept = keepPending(keyring, form, placeFor(kind, session), clock())
          await unit().flush([kept.write])
          id = kept.id
        }
        ask(ctx, `${paths.base}${page}?${new URLSearchParams({ pending: id })}`, requirement)
      }
    },

    async pendingForm(ctx, kind) {
      const { pending: id } = ctx.query
      const form = await readWaiting(id, kind, sessionOf(ctx))
      return form === undefined ? undefined : { id: String(id), form }
    },

    async sentForm(ctx, kind) {
      const { pending: id, ...sent } = await readForm(
        ctx,
        [...kind.fields, 'pending'],
        kind.several,
        kind.mostBytes,
      )
      if (id === undefined) return { form: sent as SentForm<never>['form'], taken: [] }
      const session = sessionOf(ctx)
      const form = await readWaiting(id, kind, session)
      return form && { form, taken: [takePending(id, placeFor(kind.kind, session), clock())] }
    },

    routes() {
      const router = new Router()
      router.get('/session/return', async ctx => {
        isolate(ctx)
        const kept = await ways.take(ctx)
        if (kept === undefined) return end(ctx, 'unknown')
        if (ctx.query.error !== undefined) {
          return end(ctx, ctx.query.error === 'access_denied' ? 'cancelled' : 'unmet', kept.to)
        }
        // The answer says that it was met, in a request that anybody could have made: the session says whether it was.
        const session = await currentSession(ctx)
        if (session === undefined || !meets(ctx, session, kept)) return end(ctx, 'unmet', kept.to)
        seeOther(ctx, kept.to)
      })

      router.get('/session/over', async ctx => {
        isolate(ctx)
        const { account } = paths
        // The provider comes here, too, from "Stay logged in".
        if (account !== undefined && (await currentSession(ctx)) !== undefined) return seeOther(ctx, account)
        loggedOutPage(services, ctx)
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

function filledIn(pattern: string, params: Readonly<Record<string, string>>): string {
  return pattern.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
}

function placeFor(kind: string, { uid, account }: OwnSession) {
  return { kind, sessionUid: uid, accountId: account.id }
}
