// Sessions in memory, found by a random cookie. The id changes at each login, so that nobody can plant one. A login
// that was started is taken out once.

import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import type { Pending, User } from './login.ts'
import type { Result, Task } from './tasks.ts'

/** What goes on once the user is back from a login. */
export type Afterwards =
  | { page: string }
  /** Only for the user who wanted it. */
  | { task: Task; subject: string }

export type Session = {
  readonly id: string
  user?: User
  pending: Map<string, Pending & { afterwards?: Afterwards | undefined }>
  readonly results: Map<string, Result>
  readonly expiresAt: number
}

export type Sessions = {
  get(ctx: Context): Session | undefined
  remember(ctx: Context, pending: Pending, afterwards?: Afterwards): void
  take(ctx: Context, state: string): (Pending & { afterwards?: Afterwards | undefined }) | undefined
  logIn(ctx: Context, user: User): Session
  end(ctx: Context): void
  /** Ends those that began with a session of the provider's. */
  endAll(sid: string): void
}

// Cookies do not tell ports apart: on localhost this name must differ from the provider's.
const cookie = 'demo_session'
const lifeMs = 8 * 60 * 60_000
const most = { sessions: 10_000, pending: 10, results: 10 }

/** @param options.secure whether the app is reached by https */
export function createSessions(options: { secure: boolean }): Sessions {
  const sessions = new Map<string, Session>()

  function get(ctx: Context): Session | undefined {
    const session = sessions.get(ctx.cookies.get(cookie) ?? '')
    return session && session.expiresAt > Date.now() ? session : undefined
  }

  function create(ctx: Context): Session {
    const id = random()
    const session: Session = { id, pending: new Map(), results: new Map(), expiresAt: Date.now() + lifeMs }
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
    endAll(sid) {
      for (const [id, { user }] of sessions) if (user?.claims.sid === sid) sessions.delete(id)
    },
    remember(ctx, pending, afterwards) {
      const session = get(ctx) ?? create(ctx)
      keep(session.pending, pending.state, { ...pending, afterwards }, most.pending)
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
      return session
    },
  }
}

/** Keeps what a task came to. @returns where it is read */
export function keepResult({ results }: Session, result: Result): string {
  const id = random()
  keep(results, id, result, most.results)
  return `/results/${id}`
}

/** A password is shown once. */
export function readResult({ results }: Session, id: string): Result | undefined {
  const result = results.get(id)
  if (result?.kind === 'done' && result.answer.password !== undefined) results.delete(id)
  return result
}

function keep<Value>(map: Map<string, Value>, key: string, value: Value, most: number): void {
  map.set(key, value)
  for (const oldest of map.keys()) if (map.size > most) map.delete(oldest)
}

function random(): string {
  return randomBytes(32).toString('base64url')
}
