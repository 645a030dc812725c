// One JSON line per request, and what went wrong in it. A line is built from a few named things (never a body, header,
// cookie or query value); taking secrets out of what others log is a second line of defence, not the first. A request
// has an id of our own making, whose beginning is the reference number that people read on an error page.

import { randomFillSync } from 'node:crypto'
import type Koa from 'koa'
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino'
import type { LogLevel } from './config/settings.ts'
import { AppError } from './errors.ts'

export type Log = Logger

const CUT = '[cut]'

/** Names under which no value is ever worth logging, wherever they stand; written without case, `_` and `-`. */
const SECRET_NAMES = new Set([
  'password',
  'passwordhash',
  'otp',
  'onetimecode',
  'recoverycode',
  'setupkey',
  'secret',
  'secretkeys',
  'smtpurl',
  'databaseurl',
  'token',
  'accesstoken',
  'refreshtoken',
  'idtoken',
  'idtokenhint',
  'logouttoken',
  'clientsecret',
  'clientassertion',
  'codeverifier',
  'authorization',
  'cookie',
  'cookies',
  'setcookie',
  'headers',
  'body',
  'jwk',
  'jwks',
])
/** Where `code` is a one-time or authorization code, not what kind of error something is. */
const CODE_HOLDERS = ['', 'params', 'query']
const DEEPEST_OBJECT = 6

/** Copies what is to be logged without its secrets. Errors are left to their serialiser. */
function withoutSecrets(value: unknown, holder = '', depth = 0): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Error) return value
  if (depth > DEEPEST_OBJECT) return CUT
  if (Array.isArray(value)) return value.map(each => withoutSecrets(each, holder, depth + 1))
  if ('toJSON' in value) return value
  const copy: Record<string, unknown> = {}
  for (const [name, each] of Object.entries(value)) {
    const plain = name.toLowerCase().replace(/[_-]/g, '')
    const secret = SECRET_NAMES.has(plain) || (plain === 'code' && CODE_HOLDERS.includes(holder))
    copy[name] = secret && each !== undefined ? CUT : withoutSecrets(each, name, depth + 1)
  }
  return copy
}

/**
 * @param destination where lines go; default: standard output
 */
export function createLog(level: LogLevel, destination?: DestinationStream): Log {
  const serialise = (value: unknown): unknown => (value instanceof Error ? describeError(value, true) : value)
  const cut = (fields: object) => withoutSecrets(fields) as Record<string, unknown>
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    // Not pino's own redaction: with this many names it costs 200 microseconds a line, this less than 10.
    formatters: { level: (label: string) => ({ level: label }), log: cut },
    serializers: { err: serialise, error: serialise },
  }
  const log = destination === undefined ? pino(options) : pino(options, destination)
  // What a child logger is bound to passes no formatter. Its own children inherit this.
  const { child } = log
  log.child = function (this: Log, bindings: object, ...rest: []) {
    return child.call(this, cut(bindings), ...rest)
  } as Log['child']
  return log
}

/** Digits and letters that can't be taken for one another (Crockford's base 32). */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

const ID_BYTES = 16
// Asking for a few random bytes costs a request more than its whole log line: they are drawn for many at once.
const pool = new Uint8Array(256 * ID_BYTES)
let drawn = pool.length

/** A new id, such as `SP-7K3M-9XQ2-0C4T-HNB8`: 80 random bits. */
export function newRequestId(): string {
  if (drawn === pool.length) {
    randomFillSync(pool)
    drawn = 0
  }
  let id = 'SP'
  for (let index = 0; index < ID_BYTES; index++) {
    if (index % 4 === 0) id += '-'
    id += ALPHABET[(pool[drawn++] ?? 0) % ALPHABET.length]
  }
  return id
}

/** The number that people read to support: the beginning of the request's id, by which the log is searched. */
export function reference(requestId: string): string {
  return requestId.slice(0, 'SP-XXXX-XXXX'.length)
}

/** Has the request's log line say what went wrong. For whoever answers an error instead of throwing it on. */
export function noteFailure(ctx: Koa.Context, error: unknown): void {
  ctx.state.failure = error
}

export interface RequestLogOptions {
  /** The client's address behind trusted proxies; default: Koa's. */
  readonly address?: (ctx: Koa.Context) => string
}

/** Koa middleware, the outermost: gives every request its id (`ctx.state.requestId`) and writes its line. */
export function requestLog(log: Log, options: RequestLogOptions = {}): Koa.Middleware {
  const addressOf = options.address ?? (ctx => ctx.ip)
  return async (ctx, next) => {
    const started = performance.now()
    const requestId = newRequestId()
    ctx.state.requestId = requestId
    // Taken now: whoever answers may rewrite the URL, and an ended connection has no address.
    const { method, path } = ctx
    const query = queryNames(ctx.querystring)
    const address = addressOf(ctx)
    // What is written is known only when the answer is out, or its reader gone.
    ctx.res.once('close', () => {
      const { statusCode: status, writableFinished } = ctx.res
      const failure: unknown = ctx.state.failure
      const line = {
        request: requestId,
        interaction: /^\/interaction\/([\w-]{1,64})/.exec(path)?.[1],
        method,
        path: cutPath(path),
        query: query.length === 0 ? undefined : query,
        status,
        ms: Math.round((performance.now() - started) * 10) / 10,
        address,
        bytes: bytesOf(ctx.res.getHeader('content-length')),
        aborted: writableFinished ? undefined : true,
        error: failure === undefined ? undefined : describeError(failure, log.isLevelEnabled('debug')),
      }
      const unexpected = failure !== undefined && !isExpected(failure)
      log[unexpected || status >= 500 ? 'error' : 'info'](line, 'request')
    })
    try {
      await next()
    } catch (error) {
      noteFailure(ctx, error)
      throw error
    }
  }
}

/**
 * A path as it may be logged: emailed links are cut behind their kind, and so is whatever is as long as a token.
 */
export function cutPath(path: string): string {
  return path
    .replace(/^(\/link\/[^/]*)\/.*$/s, `$1/${CUT}`)
    .replace(/[^/]{40,}/g, CUT)
    .slice(0, 200)
}

const MOST_NAMES = 30

/** The names of a query, without their values. */
function queryNames(query: string): string[] {
  const names = [...new Set(new URLSearchParams(query).keys())].slice(0, MOST_NAMES)
  return names.map(name => (/^[\w.-]{1,39}$/.test(name) ? name : CUT))
}

function bytesOf(length: unknown): number | undefined {
  const bytes = Number(length)
  return length === undefined || Number.isNaN(bytes) ? undefined : bytes
}

export interface ErrorLine {
  readonly code: string
  readonly detail?: string
  /** What caused it, outermost first. */
  readonly cause?: readonly string[]
  readonly stack?: string
}

/** An error of oidc-provider that tells an app what it did wrong (RFC 6749 section 5.2). */
interface ProtocolError extends Error {
  readonly error: string
  readonly error_description?: string
  readonly error_detail?: string
  readonly statusCode: number
}

function isProtocolError(error: unknown): error is ProtocolError {
  if (!(error instanceof Error) || !('error' in error) || !('statusCode' in error)) return false
  return typeof error.error === 'string' && Number(error.statusCode) < 500
}

/** Whether an error is an answer that we know how to give, and not a fault of ours. */
function isExpected(error: unknown): boolean {
  return (error instanceof AppError && error.status < 500) || isProtocolError(error)
}

/**
 * What the log says of an error.
 *
 * @param debug also the stack of errors that are answers; of faults it is always there
 */
export function describeError(error: unknown, debug: boolean): ErrorLine {
  if (!(error instanceof Error)) return { code: 'unknown', detail: scrub(String(error)) }
  const known = error instanceof AppError || isProtocolError(error)
  const detail =
    error instanceof AppError
      ? error.detail
      : isProtocolError(error)
        ? (error.error_detail ?? error.error_description)
        : error.message
  const cause = causesOf(error).map(each => scrub(textOf(each)))
  return {
    code: error instanceof AppError ? error.code : isProtocolError(error) ? error.error : codeOf(error),
    ...(detail === undefined ? {} : { detail: scrub(detail) }),
    ...(cause.length === 0 ? {} : { cause }),
    ...((debug || !known) && error.stack !== undefined ? { stack: scrub(error.stack) } : {}),
  }
}

function codeOf(error: Error): string {
  const code: unknown = 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : error.name
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = codeOf(error)
  return error.message.startsWith(code) ? error.message : `${code}: ${error.message}`
}

const DEEPEST = 5

function causesOf(error: Error): unknown[] {
  const causes: unknown[] = []
  for (let at: unknown = error.cause; at !== undefined && causes.length < DEEPEST; ) {
    causes.push(at)
    at = at instanceof Error ? at.cause : undefined
  }
  return causes
}

const LONGEST = 8000

/** Takes out what looks like a secret: passwords in URLs, and whatever is as long and as random as a token. */
export function scrub(text: string): string {
  return text
    .slice(0, LONGEST)
    .replace(/(\w+:\/\/)[^\s/@]+@/g, `$1${CUT}@`)
    .replace(/\$argon2\S+/g, CUT)
    .replace(/(?=[\w+~-]*\d)[\w+~-]{40,}={0,2}/g, CUT)
}
