// Pages behind emailed links: a new password, an invitation, Unblock. The token in the path is the only secret that
// a URL of ours ever holds, so these pages send no referrer and load nothing but the stylesheet. Opening one changes
// nothing (mail scanners follow links); the button does, once, and only for the newest link.

import type { Context } from 'koa'
import Router from 'koa-router'
import { clearAccountAttempts, clearAttempts } from '../factors/attempts.ts'
import { readForm, requireSameOrigin } from '../http/forms.ts'
import { linkUsed } from '../http/link-used.ts'
import { mailJob } from '../mail/outbox.ts'
import { minimumPasswordLength } from '../organisations/password-rule.ts'
import type { Services } from '../services.ts'
import { type Account, setPasswordByMail } from '../store/accounts/accounts.ts'
import { type EmailedKind, readToken, retireOtherTokens, useToken } from '../store/accounts/emailed-tokens.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import { endAccess } from '../store/oidc/artefacts.ts'
import { readOrganisation } from '../store/organisations/organisations.ts'
import { hashNewPassword, newPasswordError } from './new-password.ts'

type LinkKind = Exclude<EmailedKind, 'code' | 'support-set-up'>
const KINDS: readonly LinkKind[] = ['password-reset', 'invitation', 'unblock']

interface Opened {
  readonly kind: LinkKind
  readonly token: string
  readonly account: Account
  /** What the link is for, beside its kind and account. */
  readonly data: string | null
}

export function linkRoutes(services: Services): Router {
  const { paths, views, accounts, database, keyring, clock } = services
  const onward = paths.account === undefined ? {} : { accountUrl: paths.account }
  const gone = (ctx: Context) => linkUsed(services, ctx)
  const router = new Router()

  // A path for each kind: other links, such as the first-run link, are somebody else's.
  for (const kind of KINDS) {
    const path = `/link/${kind}/:token`
    router.get(path, async ctx => {
      ctx.set('Referrer-Policy', 'no-referrer')
      const opened = await open(kind, ctx)
      if (opened === undefined) return gone(ctx)
      await show(ctx, opened)
    })

    router.post(path, async ctx => {
      ctx.set('Referrer-Policy', 'no-referrer')
      requireSameOrigin(ctx, paths.origin)
      const form = await readForm(ctx, ['password', 'username'])
      const opened = await open(kind, ctx)
      if (opened === undefined) return gone(ctx)
      try {
        if (opened.kind === 'unblock') await unblock(ctx, opened)
        else await setPassword(ctx, opened, form.password ?? '')
      } catch (error) {
        // Somebody was faster with the same link, or a newer one replaced it.
        if (error instanceof CommitRefused) return gone(ctx)
        throw error
      }
    })
  }

  async function open(kind: LinkKind, ctx: Context): Promise<Opened | undefined> {
    const token = ctx.params.token as string
    const found = await readToken(database, kind, token, clock())
    const account = found && (await accounts.find(found.accountId))
    if (found === undefined || account === undefined || account.status === 'deactivated') return undefined
    return { kind, token, account, data: found.data }
  }

  async function show(ctx: Context, opened: Opened, error?: string): Promise<void> {
    const { kind, account } = opened
    ctx.status = error === undefined ? 200 : 400
    ctx.type = 'html'
    if (kind === 'unblock') {
      ctx.body = views.render('unblock', { action: `${paths.base}${ctx.path}`, email: account.email })
      return
    }
    const organisation =
      kind === 'invitation' && account.organisationId !== null
        ? await readOrganisation(database, account.organisationId)
        : undefined
    ctx.body = views.render('new-password', {
      action: `${paths.base}${ctx.path}`,
      email: account.email,
      minimum: minimumPasswordLength(account.subscribedAt, clock()),
      ...(organisation === undefined ? {} : { organisation: organisation.name }),
      ...(error === undefined ? {} : { error }),
    })
  }

  async function setPassword(ctx: Context, opened: Opened, password: string): Promise<void> {
    const { kind, token, account } = opened
    const now = clock()
    const refusal = await newPasswordError(services, account, password, now)
    if (refusal !== undefined) return show(ctx, opened, refusal)
    const hash = await hashNewPassword(password)
    await database.commit([
      useToken(kind, token, now),
      retireOtherTokens(account.id, token, now),
      setPasswordByMail(account.id, hash, now),
      ...endAccess(database.dialect, account.id, now),
      clearAccountAttempts('password', account.id),
      clearAccountAttempts('password-everywhere', account.id),
      record(opened, ctx, 'password.set', now),
      mailJob(keyring, {
        to: account.email,
        accountId: account.id,
        template: 'password-changed',
        contents: { name: account.name, at: now, address: ctx.ip },
        now,
      }),
    ])
    ctx.type = 'html'
    ctx.body = views.render('password-changed', { first: kind === 'invitation', ...onward })
  }

  async function unblock(ctx: Context, opened: Opened): Promise<void> {
    const { token, account, data } = opened
    const now = clock()
    await database.commit([
      useToken('unblock', token, now),
      clearAttempts('password', { account: account.id, source: data ?? '' }),
      record(opened, ctx, 'address.unblocked', now),
    ])
    ctx.type = 'html'
    ctx.body = views.render('unblocked', onward)
  }

  return router
}

function record(
  { account, kind }: Opened,
  ctx: Context,
  event: 'password.set' | 'address.unblocked',
  now: number,
): Write {
  return auditRow(
    {
      event,
      organisationId: account.organisationId,
      accountId: account.id,
      address: ctx.ip,
      details: { by: kind },
    },
    now,
  )
}
