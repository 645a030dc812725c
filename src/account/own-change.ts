// What every change to one's own account has in common: a second factor of the last five minutes, somebody's session, and
// what to do where a conditional write was too late. Leaves out the changes.

import type { Context } from 'koa'
import { ACR, FRESH_MS } from '../flow/assurance.ts'
import type { Occasion } from '../flow/ways/outcome.ts'
import { deviceCookies } from '../http/device.ts'
import { seeOther } from '../http/see-other.ts'
import { sessionOf } from '../http/session.ts'
import type { MailContents } from '../mail/templates.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'
import type { OwnPlace } from '../store/accounts/own-changes.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import { OWN_CLIENT_ID } from '../store/oidc/own-client.ts'
import { readSession } from '../store/sessions/oidc-sessions.ts'
import type { Refusal } from '../store/statement.ts'
import { homeOf } from './frame.ts'

/** To change something: seconds. A password alone never meets it. */
export const FRESH = { acr: ACR['2fa'], maxAge: FRESH_MS / 1000 } as const

/** Between the two presses of a double click, and the first one's work. */
export const A_MOMENT_MS = 10_000

/** A request that changes something. */
export interface OwnOccasion extends Occasion {
  readonly account: Account
  readonly place: OwnPlace
  /** For a mail about it. */
  readonly deed: MailContents['password-changed']
}

export function occasions({ keyring, paths, clock }: Services): (ctx: Context) => OwnOccasion {
  const devices = deviceCookies(keyring, paths.https)
  return ctx => {
    const { account, uid } = sessionOf(ctx)
    const now = clock()
    return {
      account,
      place: { accountId: account.id, epoch: account.epoch, sessionUid: uid },
      visitor: { address: ctx.ip, device: devices.deviceOf(ctx, account.id, now) },
      clientId: OWN_CLIENT_ID,
      now,
      deed: { name: account.name, at: now, address: ctx.ip },
    }
  }
}

/**
 * Commits a change. What came too late, by a double click, from another tab, or after the account was changed elsewhere,
 * has done nothing: the overview shows what is so now.
 *
 * @param to where it leads, below the overview
 * @param late what to do instead, by the refusal
 */
export async function commitChange(
  services: Services,
  ctx: Context,
  to: string,
  writes: readonly Write[],
  late: Partial<Record<Refusal, () => unknown>> = {},
): Promise<void> {
  try {
    await services.database.commit(writes)
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error
    const instead = late[error.refusal]
    if (instead === undefined) seeOther(ctx, homeOf(services))
    else await instead()
    return
  }
  seeOther(ctx, `${homeOf(services)}${to}`)
}

/** Of several changes to one account at one moment each goes on from the one before; nobody makes more than these. */
const MOST_TRIES = 10

/**
 * Commits the end of something, which is wanted as well after whatever changed the account meanwhile: only the end of this
 * session refuses it. Where there was nothing left to end, the list shows what is so now.
 *
 * @param place as this request read it
 * @param to the list, and what it is told when it was done
 * @param writesAt for a place, which may be a later one
 */
export async function commitEnd(
  services: Services,
  ctx: Context,
  place: OwnPlace,
  { list, done }: { readonly list: string; readonly done: string },
  writesAt: (place: OwnPlace) => readonly Write[],
): Promise<void> {
  const { clock, config, database } = services
  let at = place
  for (let tries = 1; ; tries++) {
    try {
      await database.commit(writesAt(at))
      break
    } catch (error) {
      if (!(error instanceof CommitRefused)) throw error
      if (error.refusal !== 'account_changed' || tries === MOST_TRIES) return seeOther(ctx, list)
      const session = await readSession(database, { uid: at.sessionUid }, clock(), config.ssoPlans)
      if (session?.account?.id !== at.accountId) return seeOther(ctx, list)
      at = { ...at, epoch: session.account.epoch }
    }
  }
  seeOther(ctx, `${list}?done=${done}`)
}
