// Pages that the library asks for: logging out, and its own errors that cannot go back to an app. In its place they
// would be developers' pages that load a font from elsewhere.

import type { Context } from 'koa'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { noteFailure } from '../log.ts'
import type { Services } from '../services.ts'
import { OWN_CLIENT_ID } from '../store/oidc/own-client.ts'
import { errorPage } from './app.ts'
import { wayOn } from './way-on.ts'

/** Asks before it ends the session. @param form the library's, with its protection against other sites' requests */
export async function logoutPage(services: Services, ctx: KoaContextWithOIDC, form: string): Promise<void> {
  ctx.type = 'html'
  ctx.body = services.views.render('logout', { formHtml: form, ...appOf(ctx) })
}

/** @param app that the user is logged out of, too */
export function loggedOutPage(
  { paths, views }: Services,
  ctx: Context,
  { app }: { app?: string } = {},
): void {
  ctx.type = 'html'
  ctx.body = views.render('logged-out', {
    ...(app === undefined ? {} : { app }),
    ...(paths.account === undefined ? {} : { accountUrl: paths.account }),
  })
}

export function appOf(ctx: KoaContextWithOIDC): { app?: string } {
  const { client } = ctx.oidc
  // Our own pages are no app of the user's.
  if (client?.clientName === undefined || client.clientId === OWN_CLIENT_ID) return {}
  return { app: client.clientName }
}

/** @param out the protocol's error, of which only the kind is shown */
export async function protocolError(
  services: Services,
  ctx: KoaContextWithOIDC,
  out: { error: string },
  error: Error,
): Promise<void> {
  const expired = error.name === 'SessionNotFound'
  const key =
    out.error === 'server_error'
      ? 'error.internal'
      : expired
        ? 'error.interaction_expired'
        : 'error.relying_party'
  noteFailure(ctx, error)
  const status = Math.max(ctx.status, 400)
  errorPage(services, ctx, status, key, expired ? await wayOn(services, ctx, 'interaction_expired') : {})
}
