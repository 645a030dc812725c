// The pages of one's own account, behind the guard.

import type { Middleware } from 'koa'
import Router from 'koa-router'
import type { Guard } from '../http/session.ts'
import type { Services } from '../services.ts'
import { activityRoutes } from './activity.ts'
import { appRoutes } from './apps.ts'
import { authenticatorRoutes } from './authenticator.ts'
import { emailRoutes } from './email.ts'
import { nameRoutes } from './name.ts'
import { overviewRoutes } from './overview.ts'
import { passkeyRoutes } from './passkeys.ts'
import { passwordRoutes } from './password.ts'
import { recoveryCodeRoutes } from './recovery-code.ts'
import { sessionRoutes } from './sessions.ts'

const PAGES = [
  overviewRoutes,
  nameRoutes,
  emailRoutes,
  passwordRoutes,
  authenticatorRoutes,
  recoveryCodeRoutes,
  passkeyRoutes,
  sessionRoutes,
  appRoutes,
  activityRoutes,
]

export function accountRoutes(services: Services, guard: Guard): Middleware {
  const router = new Router()
  for (const each of PAGES) router.use(each(services, guard).routes())
  return router.routes() as Middleware
}
