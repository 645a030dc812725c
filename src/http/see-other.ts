import type { Context } from 'koa'

/** Answers 303: the browser goes on with a GET (RFC 9110 section 15.4.4), never with the form again (RFC 9700 section 4.12). */
export function seeOther(ctx: Context, to: string): void {
  ctx.status = 303
  ctx.redirect(to)
}
