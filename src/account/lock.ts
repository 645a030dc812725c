// "Lock my account", the link in every notice: for an owner who did not do what the notice tells of. Whoever is logged in
// is logged out everywhere, no way in works, the passkeys of the last days go, since a stranger may have added them; a
// new password by a mailed link opens the account again, and then the second factor is asked for. Opening the link
// changes nothing (mail scanners follow links); the button does, once.
//
// A notice went to the address of its time. Where a change took that away, the new password would be mailed to whoever
// made the change: the link leads to the page that puts the address back and locks (account/email-links.ts). Where it
// can't be put back any more, or was a thief's and its owner has put theirs back, the link is dead.
//
// The last active admin may lock themselves, too: they alone can open it again, and nobody else gets in meanwhile.

import type { Context } from 'koa'
import Router from 'koa-router'
import { readForm, requireSameOrigin } from '../http/forms.ts'
import { linkUsed } from '../http/link-used.ts'
import { seeOther } from '../http/see-other.ts'
import { LOCK_LINK_MS, readLockToken } from '../mail/lock-link.ts'
import { mailJob } from '../mail/outbox.ts'
import { stopToken } from '../mail/stop-link.ts'
import type { Services } from '../services.ts'
import { lockAccount } from '../store/accounts/account-lock.ts'
import { type Account, emailKey } from '../store/accounts/accounts.ts'
import { readWayBack } from '../store/accounts/email-changes.ts'
import { retireTokens } from '../store/accounts/emailed-tokens.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused } from '../store/database.ts'
import { endAccess } from '../store/oidc/artefacts.ts'

interface Opened {
  readonly token: string
  readonly until: number
  readonly account: Account
}

export function lockRoutes(services: Services): Router {
  const { paths, views, accounts, database, keyring, clock } = services
  const gone = (ctx: Context) => linkUsed(services, ctx)
  const router = new Router()
  const path = '/link/lock/:token'

  router.get(path, async ctx => {
    ctx.set('Referrer-Policy', 'no-referrer')
    const opened = await open(ctx)
    if (opened === undefined) return
    ctx.type = 'html'
    ctx.body = views.render('lock', { action: `${paths.base}${ctx.path}`, email: opened.account.email })
  })

  router.post(path, async ctx => {
    ctx.set('Referrer-Policy', 'no-referrer')
    requireSameOrigin(ctx, paths.origin)
    await readForm(ctx, [])
    const opened = await open(ctx)
    if (opened === undefined) return
    try {
      await lock(opened, ctx.ip)
    } catch (error) {
      // Locked, or deactivated, a moment ago; or the link was used.
      if (error instanceof CommitRefused) return gone(ctx)
      throw error
    }
    ctx.type = 'html'
    ctx.body = views.render('locked', { newPasswordUrl: paths.forgotPassword() })
  })

  /** @returns undefined if it was answered: there is nothing to lock, or there is more to do than that */
  async function open(ctx: Context): Promise<Opened | undefined> {
    const token = ctx.params.token as string
    const now = clock()
    const link = readLockToken(keyring, token, now)
    const account = link && (await accounts.find(link.accountId))
    if (link !== undefined && account !== undefined) {
      if (emailKey(link.email) === emailKey(account.email)) {
        if (account.status === 'active') return { token, until: link.until, account }
      } else {
        const change = await readWayBack(database, account.id, link.email, now)
        if (change !== undefined) {
          seeOther(ctx, paths.link('email-stop', stopToken(keyring, change)))
          return undefined
        }
      }
    }
    gone(ctx)
    return undefined
  }

  async function lock({ account, ...link }: Opened, address: string): Promise<void> {
    const now = clock()
    const { id, organisationId, email, name } = account
    await database.commit([
      ...lockAccount(account, link, now - LOCK_LINK_MS, now),
      ...endAccess(database.dialect, id, now),
      // A link that was asked for before may be in the wrong hands.
      retireTokens(id, now),
      auditRow({ event: 'account.locked', organisationId, accountId: id, address }, now),
      mailJob(keyring, { to: email, template: 'account-locked', contents: { name, at: now, address }, now }),
    ])
  }

  return router
}
