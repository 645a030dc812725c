// Known devices: a browser that finished a two-factor login of an account keeps a sealed cookie that says so for 30
// days. It grants nothing; it only gives the browser attempt budgets of its own, so that a stranger's tries on the
// account don't stop its owner.

import { randomBytes } from 'node:crypto'
import type { Context } from 'koa'
import type { Keyring } from '../store/seal.ts'

const LIFETIME_MS = 30 * 24 * 60 * 60 * 1000
const MOST_ACCOUNTS = 8
const PLACE = ['cookie', 'device', ''] as const

interface Known {
  readonly account: string
  readonly device: string
  readonly at: number
}

/** @param secure whether the issuer is https: the name is prefixed then */
export function deviceCookies(keyring: Keyring, secure: boolean) {
  const name = secure ? '__Host-sallyport_device' : 'sallyport_device'

  function read(ctx: Context, now: number): Known[] {
    const sealed = ctx.cookies.get(name)
    if (sealed === undefined) return []
    try {
      const known = JSON.parse(keyring.open(sealed, PLACE).toString()) as Known[]
      return known.filter(each => each.at + LIFETIME_MS > now)
    } catch {
      // Sealed under a key that is gone, or not by us: an unknown browser.
      return []
    }
  }

  return {
    /** @returns the device's id for the account, if it is known */
    deviceOf: (ctx: Context, accountId: string | undefined, now: number): string | undefined =>
      accountId === undefined ? undefined : read(ctx, now).find(each => each.account === accountId)?.device,
    remember(ctx: Context, accountId: string, now: number): void {
      const known = read(ctx, now)
      const device =
        known.find(each => each.account === accountId)?.device ?? randomBytes(12).toString('base64url')
      const others = known.filter(each => each.account !== accountId).slice(0, MOST_ACCOUNTS - 1)
      const list = [{ account: accountId, device, at: now }, ...others]
      ctx.cookies.set(name, keyring.seal(JSON.stringify(list), PLACE), {
        path: '/',
        httpOnly: true,
        sameSite: 'lax',
        secure,
        maxAge: LIFETIME_MS,
        overwrite: true,
        signed: false,
      })
    },
  }
}

/** Whether the browser says that it is on a phone. */
export function isMobile(ctx: Context): boolean {
  return ctx.get('sec-ch-ua-mobile') === '?1' || /\b(Android|iPhone|Mobile)\b/.test(ctx.get('user-agent'))
}
