// The id in an address, as ours are spelt. What is none is nowhere: no database is asked for it.

import type { Context } from 'koa'
import { AppError } from '../errors.ts'

/** What the route has as `:id`. @throws AppError not_found for what can be no id of ours */
export function idOf(ctx: Context): string {
  const { id = '' } = ctx.params as Record<string, string>
  if (!/^[\w-]{1,64}$/.test(id)) throw new AppError('not_found')
  return id
}
