// The end of a link that does nothing (any more): one page, whether it was used, is too old, was replaced or never was, so
// that nobody learns which by it.

import type { Context } from 'koa'
import type { Services } from '../services.ts'

export function linkUsed({ views }: Pick<Services, 'views'>, ctx: Context): void {
  ctx.status = 404
  ctx.type = 'html'
  ctx.body = views.render('link-used', {})
}
