// The way back from the prompts to the page of ours that asked. It is never taken from a request: a sealed cookie
// keeps it under the `state` of the question, so only the browser that set out has it. It is good for ten minutes, once.

import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import type { Services } from '../services.ts'
import { spend } from '../store/accounts/credentials.ts'
import { CommitRefused } from '../store/database.ts'
import { SealBroken } from '../store/seal.ts'
import { unit } from '../store/unit-of-work.ts'

const LIFETIME_MS = 10 * 60 * 1000

export interface WayBack {
  /** A path of ours, with its query. */
  readonly to: string
  /** What the page asks for. */
  readonly acr?: string
  readonly maxAge?: number
  readonly recovery?: boolean
}

interface Kept extends WayBack {
  /** Milliseconds since 1970. */
  readonly at: number
}

/** @param issuer as the provider's answers have it */
export function createWaysBack({ keyring, paths, clock }: Services, issuer: string) {
  const name = (state: string) => `${paths.https ? '__Secure-' : ''}sallyport_return_${state}`
  const options = {
    path: paths.ownReturn,
    httpOnly: true,
    sameSite: 'lax',
    secure: paths.https,
    overwrite: true,
    signed: false,
  } as const

  return {
    /** @returns the `state` to ask with */
    keep(ctx: Context, way: WayBack): string {
      const state = randomBytes(18).toString('base64url')
      const sealed = keyring.seal(JSON.stringify({ ...way, at: clock() } satisfies Kept), place(state))
      ctx.cookies.set(name(state), sealed, { ...options, maxAge: LIFETIME_MS })
      return state
    },

    /** The way back that belongs to an answer, which is used up by it; undefined if there is none. */
    async take(ctx: Context): Promise<WayBack | undefined> {
      const { state, iss } = ctx.query
      // RFC 9207: an answer of another issuer is not for us.
      if (typeof state !== 'string' || !/^[\w-]{24}$/.test(state) || iss !== issuer) return undefined
      const sealed = ctx.cookies.get(name(state), { signed: false })
      if (sealed === undefined) return undefined
      ctx.cookies.set(name(state), null, options)
      try {
        const kept = JSON.parse(keyring.open(sealed, place(state)).toString()) as Kept
        if (kept.at + LIFETIME_MS <= clock()) return undefined
        await unit().flush([spend('own-return', state, kept.at + LIFETIME_MS)])
        return kept
      } catch (error) {
        // Not by us, of a key that is gone, or used before.
        if (error instanceof CommitRefused || error instanceof SealBroken) return undefined
        throw error
      }
    },
  }
}

function place(state: string) {
  return ['cookie', 'own-return', state] as const
}
