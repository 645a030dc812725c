// Posted forms. Nothing of a body is looked at before its origin, type and size are right; every field is declared by
// whoever reads the form, comes once, and is text. There is no nesting, no array, no file.

import type { Context } from 'koa'
import { AppError } from '../errors.ts'

const MOST_BYTES = 16 * 1024
const MOST_READ_BYTES = 2 * 1024 * 1024

export type Form = Readonly<Record<string, string>>

/**
 * Reads a form.
 *
 * @param fields the fields that it may have; any other name refuses the request
 * @param several those that may come more than once: their values are joined by spaces
 * @param mostBytes what it may have, as it is sent
 * @throws AppError bad_request, payload_too_large, unsupported_media_type
 */
export async function readForm(
  ctx: Context,
  fields: readonly string[],
  several: readonly string[] = [],
  mostBytes = MOST_BYTES,
): Promise<Form> {
  const bytes = await bodyOf(ctx, mostBytes)
  if (ctx.is('application/x-www-form-urlencoded') === false && bytes.length !== 0) {
    throw new AppError('unsupported_media_type', ctx.get('content-type').slice(0, 100))
  }
  const form: Record<string, string> = Object.create(null)
  for (const [name, value] of new URLSearchParams(decode(bytes))) {
    if (!fields.includes(name)) throw new AppError('bad_request', 'a field that the form does not have')
    const twice = Object.hasOwn(form, name)
    if (twice && !several.includes(name)) throw new AppError('bad_request', `field ${name} twice`)
    if (value.includes('\0')) throw new AppError('bad_request', `NUL in field ${name}`)
    form[name] = twice ? `${form[name]} ${value}` : value
  }
  return form
}

/**
 * Reads a JSON body, for programs.
 *
 * @param mostBytes what it may have
 * @throws AppError bad_request, payload_too_large, unsupported_media_type
 */
export async function readJsonBody(ctx: Context, mostBytes = MOST_BYTES): Promise<unknown> {
  const bytes = await bodyOf(ctx, mostBytes)
  if (!ctx.is('application/json')) {
    throw new AppError('unsupported_media_type', ctx.get('content-type').slice(0, 100))
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new AppError('bad_request', 'the body is no JSON')
  }
}

/**
 * Reads the body. What is too much is still read, up to a point, and thrown away: an answer that is given while the
 * browser sends is lost with the connection.
 */
async function bodyOf(ctx: Context, mostBytes = MOST_BYTES): Promise<Buffer> {
  if ((ctx.length ?? 0) > MOST_READ_BYTES) throw new AppError('payload_too_large')
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of ctx.req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size <= mostBytes) chunks.push(chunk)
      else if (size > MOST_READ_BYTES) break
    }
  } catch (error) {
    throw new AppError('bad_request', 'the body was cut off', { cause: error })
  }
  if (size > mostBytes) throw new AppError('payload_too_large')
  return Buffer.concat(chunks)
}

function decode(bytes: Buffer): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    // What is escaped must be UTF-8 too: URLSearchParams would put U+FFFD in its place, the same for all of it.
    decodeURIComponent(text)
    return text
  } catch {
    throw new AppError('bad_request', 'the body is not UTF-8')
  }
}

/**
 * Refuses what another site sent: by Fetch Metadata, where the browser sends it, else by Origin. A request with
 * neither is refused too; a browser that shows our pages sends one.
 *
 * @throws AppError cross_site_request
 */
export function requireSameOrigin(ctx: Context, origin: string): void {
  const site = ctx.get('sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return
  if (site === '' && ctx.get('origin') === origin) return
  throw new AppError('cross_site_request', `sec-fetch-site ${site || 'absent'}`)
}
