// Sessions in memory, found by a random cookie. The id changes at each login, so that nobody can plant one. A login
// that was started is taken out once.

import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import type { Pending, User } from './login.ts'

type Session = { user?: User; pending: Map<string, Pending>; expiresAt: number }

export type Sessions = {
  get(ctx: Context): Session | undefined
  remember(ctx: Context, state: string, pending: Pending): void
  take(ctx: Context, state: string): Pending | undefined
  logIn(ctx: Context, user: User): void
  end(ctx: Context): void
}

// Cookies do not tell ports apart: on localhost this name must differ from the provider's.
const cookie = 'demo_session'
const lifeMs = 8 * 60 * 60_000
const most = { sessions: 10_000, pending: 10 }

/** @param options.secure whether the app is reached by https */
export function createSessions(options: { secure: boolean }): Sessions {
  const sessions = new Map<string, Session>()

  function get(ctx: Context): Session | undefined {
    const session = sessions.get(ctx.cookies.get(cookie) ?? '')
    return session && session.expiresAt > Date.now() ? session : undefined
  }

  function create(ctx: Context): Session {
    const session: Session = { pending: new Map(), expiresAt: Date.now() + lifeMs }
    const id = randomBytes(32).toString('base64url')
    sessions.set(id, session)
    for (const [oldest, { expiresAt }] of sessions) {
      if (sessions.size <= most.sessions && expiresAt > Date.now()) break
      sessions.delete(oldest)
    }
    // TLS may end at a proxy, so the request itself cannot tell.
    Object.assign(ctx.cookies, { secure: options.secure })
    ctx.cookies.set(cookie, id, { httpOnly: true, sameSite: 'lax', secure: options.secure, overwrite: true })
    return session
  }

  function end(ctx: Context): void {
    sessions.delete(ctx.cookies.get(cookie) ?? '')
  }

  return {
    get,
    end,
    remember(ctx, state, pending) {
      const session = get(ctx) ?? create(ctx)
      session.pending.set(state, pending)
      for (const oldest of session.pending.keys())
        if (session.pending.size > most.pending) session.pending.delete(oldest)
    },
    take(ctx, state) {
      const session = get(ctx)
      const pending = session?.pending.get(state)
      session?.pending.delete(state)
      return pending
    },
    logIn(ctx, user) {
      const started = get(ctx)?.pending
      end(ctx)
      const session = create(ctx)
      session.user = user
      // Another tab may be at the provider still.
      if (started) session.pending = started
    },
  }
}
