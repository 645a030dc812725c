// The console's addresses: log in and out, the list, a device, tasks and what became of them. What the pages show is
// what the API says.

import type { Context, Middleware } from 'koa'
import Router from 'koa-router'
import { readForm } from './body.ts'
import { type Asked, type Login, LoginRefused, type User } from './login.ts'
import { accountPage, devicePage, devicesPage, notice, resultPage, welcomePage } from './pages.ts'
import { type Afterwards, keepResult, readResult, type Session, type Sessions } from './sessions.ts'
import { isOver, type Next, type StepUp } from './step-up.ts'
import { type ShownDevice, type Task, tasks } from './tasks.ts'

export type RoutesOptions = {
  origin: string
  login: Login
  /** Where the provider leads after a logout. */
  afterLogout: string
  sessions: Sessions
  stepUp: StepUp
}

const secondFactor: Asked = { acr: 'urn:sallyport:acr:2fa', maxAge: 60 }

export function createRoutes({ origin, login, afterLogout, sessions, stepUp }: RoutesOptions): Middleware {
  const router = new Router()

  function seeOther(ctx: Context, url: string): void {
    ctx.status = 303
    ctx.redirect(url)
  }

  // Logging in

  async function startLogin(ctx: Context, asked: Asked, afterwards?: Afterwards): Promise<void> {
    const { url, pending } = await login.start(asked)
    sessions.remember(ctx, pending, afterwards)
    seeOther(ctx, url.href)
  }
  router.get('/login', ctx => startLogin(ctx, {}))
  router.get('/login/second-factor', ctx => startLogin(ctx, secondFactor, { page: '/account' }))

  router.get('/callback', async ctx => {
    const response = new URL(ctx.url, origin)
    const pending = sessions.take(ctx, response.searchParams.get('state') ?? '')
    if (pending === undefined)
      throw new LoginRefused(
        `This login was not started in this browser at ${origin}, or it was used already.`,
      )
    const user = await login.finish(response, pending)
    const session = sessions.logIn(ctx, user)
    const { afterwards } = pending
    if (afterwards === undefined) seeOther(ctx, '/')
    else if ('page' in afterwards) seeOther(ctx, afterwards.page)
    // Somebody else's task is not done.
    else if (afterwards.subject !== user.claims.sub) seeOther(ctx, '/')
    else await goOn(ctx, session, user, await stepUp.perform(afterwards.task, session))
  })

  router.post('/logout', async ctx => {
    const user = sessions.get(ctx)?.user
    sessions.end(ctx)
    seeOther(ctx, user ? await login.logoutUrl(user.idToken, afterLogout) : afterLogout)
  })

  // The provider calls this itself: whoever was reset or deactivated, or has logged out elsewhere, is out here too.
  router.post('/backchannel-logout', async ctx => {
    ctx.set('Cache-Control', 'no-store')
    try {
      sessions.endAll(await login.endedSession((await readForm(ctx)).get('logout_token') ?? ''))
      ctx.status = 200
      ctx.body = ''
    } catch (error) {
      if (!(error instanceof LoginRefused)) throw error
      ctx.status = 400
      ctx.body = { error: 'invalid_request', error_description: error.message }
    }
  })

  // Pages

  type Page = (ctx: Context, user: User, session: Session) => Promise<void> | void
  const page = (show: Page) => async (ctx: Context) => {
    const session = sessions.get(ctx)
    if (session?.user === undefined) return seeOther(ctx, '/')
    if (isOver(session.user)) return startLogin(ctx, {}, { page: ctx.path })
    await show(ctx, session.user, session)
  }

  async function devicesOf(user: User): Promise<readonly ShownDevice[]> {
    const response = await stepUp.call(user, { method: 'GET', path: '/api/devices' })
    if (!response.ok) throw new Error(`the API answered ${response.status} to a login's token`)
    const { devices } = (await response.json()) as { devices: ShownDevice[] }
    return devices
  }

  router.get('/', async ctx => {
    if (sessions.get(ctx)?.user === undefined) ctx.body = welcomePage()
    else await list(ctx)
  })
  const list = page(async (ctx, user) => {
    ctx.body = devicesPage(user, await devicesOf(user))
  })

  router.get(
    '/devices/:id',
    page(async (ctx, user) => {
      const device = (await devicesOf(user)).find(each => each.id === ctx.params.id)
      if (device !== undefined) ctx.body = devicePage(user, device)
    }),
  )

  router.get(
    '/account',
    page((ctx, user) => {
      ctx.body = accountPage(user)
    }),
  )

  router.get(
    '/results/:id',
    page(async (ctx, user, session) => {
      const result = readResult(session, ctx.params.id)
      if (result === undefined) seeOther(ctx, '/')
      else ctx.body = resultPage(user, result, await devicesOf(user))
    }),
  )

  // Tasks

  async function goOn(ctx: Context, session: Session, user: User, next: Next): Promise<void> {
    if ('go' in next) seeOther(ctx, next.go.href)
    else if ('result' in next) seeOther(ctx, keepResult(session, next.result))
    else await startLogin(ctx, {}, { task: next.logIn, subject: user.claims.sub })
  }

  const task = (read: (ctx: Context, form: URLSearchParams) => Task) => async (ctx: Context) => {
    const session = sessions.get(ctx)
    if (session?.user === undefined) return seeOther(ctx, '/')
    const wanted = read(ctx, await readForm(ctx))
    await goOn(ctx, session, session.user, await stepUp.perform(wanted, session))
  }
  const id = (ctx: Context): string => ctx.params.id

  router.post(
    '/devices/:id/rename',
    task((ctx, form) => tasks.rename(id(ctx), form.get('name') ?? '')),
  )
  router.post(
    '/devices/:id/script',
    task((ctx, form) => tasks.script(id(ctx), form.get('script') ?? '')),
  )
  router.post(
    '/devices/:id/password',
    task(ctx => tasks.password(id(ctx))),
  )
  router.post(
    '/delete',
    task((_, form) => tasks.delete(form.getAll('id'))),
  )
  router.post(
    '/restore',
    task(() => tasks.restore()),
  )

  router.get('/confirmed', async ctx => {
    const session = sessions.get(ctx)
    if (session?.user === undefined) {
      ctx.status = 400
      ctx.body = notice('Nothing was done', 'You have logged out in the meantime.', {
        href: '/',
        text: 'Back to the start',
      })
      return
    }
    await goOn(ctx, session, session.user, await stepUp.finish(ctx.url, session))
  })

  return router.routes() as unknown as Middleware
}
