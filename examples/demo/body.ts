// Request bodies, read whole: forms and JSON, up to a size that nothing here needs.

import type { Context } from 'koa'

const MOST = 64 * 1024

async function read(ctx: Context): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of ctx.req) {
    size += part.length
    if (size > MOST) ctx.throw(413, 'the body is too long')
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

/** The fields of a posted form. */
export async function readForm(ctx: Context): Promise<URLSearchParams> {
  return new URLSearchParams(ctx.is('application/x-www-form-urlencoded') ? await read(ctx) : '')
}

/** The members of a JSON object; nothing for any other body. */
export async function readJson(ctx: Context): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await read(ctx))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}
