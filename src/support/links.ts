// Pages behind the mailed links of a support case: **This wasn't me**, and the one that opens set-up again. Opening one
// changes nothing (mail scanners follow links); the button does, once. To set up again takes the link and the password
// together: then, and not before, the factors of before go, by the reset that an admin orders, and the login asks for
// new ones. Leaves out the login itself.

import type { Context } from 'koa'
import Router from 'koa-router'
import { resetFactors } from '../factors/reset.ts'
import { checkPassword } from '../flow/ways/first-factor.ts'
import { readForm, requireSameOrigin } from '../http/forms.ts'
import { linkUsed } from '../http/link-used.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'
import { readToken, useToken } from '../store/accounts/emailed-tokens.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused } from '../store/database.ts'
import { OWN_CLIENT_ID } from '../store/oidc/own-client.ts'
import { readCase, type SupportCase, type ToldCase, useCase } from '../store/recovery/support-cases.ts'
import { unit } from '../store/unit-of-work.ts'
import { caseActions } from './case-state.ts'
import { caseOfStopToken } from './notices.ts'
import { stopCase } from './stop.ts'

export function supportLinkRoutes(services: Services): Router {
  const { database, keyring, paths, views, texts, accounts, clock } = services
  const onward = paths.account === undefined ? {} : { accountUrl: paths.account }
  const gone = (ctx: Context) => linkUsed(services, ctx)
  const router = new Router()
  const STOP = '/link/support-stop/:token'
  const SET_UP = '/link/support-set-up/:token'

  router.get(STOP, async ctx => {
    const found = await toStop(ctx)
    if (found === undefined) return gone(ctx)
    ctx.type = 'html'
    ctx.body = views.render('support-stop', {
      action: `${paths.base}${ctx.path}`,
      email: found.account.email,
      openedAt: found.openedAt,
    })
  })

  router.post(STOP, async ctx => {
    requireSameOrigin(ctx, paths.origin)
    await readForm(ctx, [])
    const found = await toStop(ctx)
    if (found === undefined) return gone(ctx)
    try {
      await database.commit(stopCase(keyring, found, { by: 'link', address: ctx.ip }, clock()))
    } catch (error) {
      if (error instanceof CommitRefused) return gone(ctx)
      throw error
    }
    ctx.type = 'html'
    ctx.body = views.render('support-stopped', { forgotUrl: paths.forgotPassword() })
  })

  async function toStop(ctx: Context): Promise<ToldCase | undefined> {
    ctx.set('Referrer-Policy', 'no-referrer')
    const id = caseOfStopToken(keyring, ctx.params.token as string)
    const found = id === undefined ? undefined : await readCase(database, { id })
    const may = found !== undefined && caseActions(found, { kind: 'told' }, clock()).includes('stop')
    return may ? found : undefined
  }

  router.get(SET_UP, async ctx => {
    const opened = await toSetUp(ctx)
    if (opened === undefined) return gone(ctx)
    show(ctx, opened.account)
  })

  router.post(SET_UP, async ctx => {
    requireSameOrigin(ctx, paths.origin)
    const form = await readForm(ctx, ['password', 'username', 'passkeys'])
    const opened = await toSetUp(ctx)
    if (opened === undefined) return gone(ctx)
    const { account, found, token } = opened
    const now = clock()
    const typed = form.password ?? ''
    if (typed === '') {
      ctx.status = 400
      return show(ctx, account, texts.t('password.error.missing'))
    }
    const checked = await checkPassword(
      services,
      {
        account,
        progress: { account: { email: account.email, id: account.id } },
        visitor: { address: ctx.ip, device: undefined },
        now,
        cid: found.id,
        clientId: OWN_CLIENT_ID,
      },
      typed,
    )
    if (!checked.ok) {
      await unit().flush(checked.refused.writes)
      const { key, values } = checked.refused.message
      ctx.status = 400
      return show(ctx, account, texts.t(key, values))
    }
    const removePasskeys = form.passkeys === 'remove'
    try {
      await database.commit([
        useCase(found.id, now),
        useToken('support-set-up', token, now),
        ...checked.writes,
        ...resetFactors(
          services,
          { ...account, epoch: found.epoch },
          {
            actorId: 'operator',
            actorName: '',
            removePasskeys,
            address: ctx.ip,
            details: {
              case: found.id,
              reason: texts.t('supportSetUp.reason', { number: String(found.number) }),
            },
          },
          now,
        ),
        auditRow(
          {
            event: 'support_case.used',
            organisationId: account.organisationId,
            accountId: account.id,
            address: ctx.ip,
            details: { case: found.id, removePasskeys },
          },
          now,
        ),
      ])
    } catch (error) {
      // Used at the same moment, stopped, or the owner got in: nothing was changed by this one.
      if (error instanceof CommitRefused) return gone(ctx)
      throw error
    }
    ctx.type = 'html'
    ctx.body = views.render('support-ready', { email: account.email, ...onward })
  })

  async function toSetUp(
    ctx: Context,
  ): Promise<{ account: Account; found: SupportCase; token: string } | undefined> {
    ctx.set('Referrer-Policy', 'no-referrer')
    const token = ctx.params.token as string
    const now = clock()
    const read = await readToken(database, 'support-set-up', token, now)
    const found = read?.data == null ? undefined : await readCase(database, { id: read.data })
    if (found === undefined || found.accountId !== read?.accountId) return undefined
    if (!caseActions(found, { kind: 'linked' }, now).includes('use')) return undefined
    const account = await accounts.find(found.accountId)
    return account === undefined ? undefined : { account, found, token }
  }

  function show(ctx: Context, account: Account, error?: string): void {
    ctx.type = 'html'
    ctx.body = views.render('support-set-up', {
      action: `${paths.base}${ctx.path}`,
      email: account.email,
      passkeys: account.passkeys,
      ...(error === undefined ? {} : { error }),
    })
  }

  return router
}
