// The pages behind the links of a change of address. The one in the new mailbox makes the change: it was ordered with a
// fresh second factor, and the link proves the mailbox, so no session is needed in the browser that opens it. The one in
// the old mailbox stops it; for three days after it was made it puts the old address back and locks the account. Opening
// a link changes nothing (mail scanners follow links); the button does, once.

import type { Context } from 'koa'
import Router from 'koa-router'
import { readForm, requireSameOrigin } from '../http/forms.ts'
import { linkUsed } from '../http/link-used.ts'
import type { ViewLocals } from '../http/locals.ts'
import { LOCK_LINK_MS, lockToken } from '../mail/lock-link.ts'
import { mailJob } from '../mail/outbox.ts'
import { readStopToken, stopToken } from '../mail/stop-link.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'
import {
  confirmEmailChange,
  type EmailChange,
  isHeldForAnother,
  putEmailBack,
  readOrderedChange,
  readStoppable,
  stopEmailChange,
} from '../store/accounts/email-changes.ts'
import { retireTokens } from '../store/accounts/emailed-tokens.ts'
import { type AuditEntry, auditRow } from '../store/audit/audit.ts'
import { CommitRefused } from '../store/database.ts'
import { endAccess } from '../store/oidc/artefacts.ts'
import { leavesSso } from './email.ts'

interface Opened {
  readonly change: EmailChange
  readonly account: Account
}
type Page = Omit<ViewLocals['email-link'], 'lead'>

export function emailLinkRoutes(services: Services): Router {
  const { paths, views, texts, accounts, database, keyring, clock } = services
  const { t } = texts
  const gone = (ctx: Context) => linkUsed(services, ctx)
  const router = new Router()

  route('email-change', async ctx => {
    const token = ctx.params.token as string
    const change = await readOrderedChange(database, token, clock())
    const account = change && (await accounts.find(change.accountId))
    // Whatever moved the epoch ended it.
    if (change === undefined || account?.status !== 'active' || account.epoch !== change.epoch)
      return gone(ctx)
    // Their domain came to be for single sign-on only since it was ordered.
    if (leavesSso(services, account, change.to)) return gone(ctx)
    if (ctx.method !== 'POST') {
      return page(ctx, t('emailChange.lead', { email: change.to }), {
        heading: t('emailChange.heading'),
        effects: [t('emailChange.effect'), t('emailChange.out'), t('emailChange.other')],
        button: { text: t('emailChange.do'), action: here(ctx) },
      })
    }
    try {
      await makeChange({ change, account }, token, ctx.ip)
    } catch (error) {
      if (!(error instanceof CommitRefused)) throw error
      return (await isTaken(change)) ? taken(ctx, change) : gone(ctx)
    }
    page(ctx, t('emailChanged.lead', { email: change.to }), {
      heading: t('emailChanged.heading'),
      effects: [],
      ...(paths.account === undefined
        ? {}
        : { onward: { text: t('emailChanged.account'), url: paths.account } }),
    })
  })

  route('email-stop', async ctx => {
    const opened = await openStop(ctx)
    if (opened === undefined) return gone(ctx)
    const { change, account } = opened
    const made = change.changedAt !== undefined
    if (ctx.method !== 'POST') return askToStop(ctx, opened)
    try {
      await (made ? putBack(opened, ctx.ip) : stop(opened, ctx.ip))
    } catch (error) {
      if (!(error instanceof CommitRefused)) throw error
      // It was made at the same moment: what can be done about that is more, so it is asked.
      const now = await openStop(ctx)
      if (made || now?.change.changedAt === undefined) return gone(ctx)
      ctx.status = 409
      return askToStop(ctx, now)
    }
    if (!made) {
      const lock = paths.link(
        'lock',
        lockToken(keyring, { accountId: account.id, email: change.from }, clock()),
      )
      return page(ctx, t('emailStopped.lead', { email: change.from }), {
        heading: t('emailStopped.heading'),
        effects: [t('emailStopped.lock')],
        onward: { text: t('mail.lock.action'), url: lock },
      })
    }
    ctx.type = 'html'
    ctx.body = views.render('locked', { newPasswordUrl: paths.forgotPassword() })
  })

  /** A page that GET shows, and whose button POSTs nothing. */
  function route(kind: 'email-change' | 'email-stop', answer: (ctx: Context) => Promise<void>): void {
    const path = `/link/${kind}/:token`
    router.get(path, async ctx => {
      ctx.set('Referrer-Policy', 'no-referrer')
      await answer(ctx)
    })
    router.post(path, async ctx => {
      ctx.set('Referrer-Policy', 'no-referrer')
      requireSameOrigin(ctx, paths.origin)
      await readForm(ctx, [])
      await answer(ctx)
    })
  }

  async function openStop(ctx: Context): Promise<Opened | undefined> {
    const id = readStopToken(keyring, ctx.params.token as string)
    const change = id === undefined ? undefined : await readStoppable(database, id, clock())
    const account = change && (await accounts.find(change.accountId))
    if (change === undefined || account === undefined) return undefined
    const open =
      account.status === 'active' || (change.changedAt !== undefined && account.status === 'locked')
    return open ? { change, account } : undefined
  }

  async function makeChange({ change, account }: Opened, token: string, address: string): Promise<void> {
    const now = clock()
    const { id, from, to } = change
    await database.commit([
      ...confirmEmailChange(database.dialect, change, token, now),
      // What was mailed to the old address opens nothing any more.
      retireTokens(account.id, now),
      record('email.changed', account, address, { from, to }, now),
      mailJob(keyring, {
        to: from,
        template: 'email-changed',
        contents: { name: account.name, at: now, address, newEmail: to, token: stopToken(keyring, id) },
        now,
      }),
    ])
  }

  async function stop({ change, account }: Opened, address: string): Promise<void> {
    const now = clock()
    await database.commit([
      stopEmailChange(change, now),
      record('email.change_stopped', account, address, { to: change.to }, now),
    ])
  }

  async function putBack({ change, account }: Opened, address: string): Promise<void> {
    const now = clock()
    const { from } = change
    const told = { name: account.name, at: now, address }
    await database.commit([
      ...putEmailBack(account, change, now - LOCK_LINK_MS, now),
      ...endAccess(database.dialect, account.id, now),
      retireTokens(account.id, now),
      record('email.put_back', account, address, { from: account.email, to: from }, now),
      ...[from, account.email].map(to =>
        mailJob(keyring, { to, template: 'email-put-back', contents: { ...told, oldEmail: from }, now }),
      ),
    ])
  }

  async function isTaken({ to, accountId }: EmailChange): Promise<boolean> {
    const holder = await accounts.findByEmail(to)
    if (holder !== undefined) return holder.id !== accountId
    return isHeldForAnother(database, to, accountId, clock())
  }

  function askToStop(ctx: Context, { change }: Opened): void {
    const { from, to, changedAt } = change
    const made = changedAt !== undefined
    page(ctx, t(made ? 'emailStop.made.lead' : 'emailStop.lead', { from, to }), {
      heading: t(made ? 'emailStop.made.heading' : 'emailStop.heading'),
      effects: made
        ? [t('emailStop.made.effect', { email: from }), t('lock.out'), t('lock.in'), t('lock.passkeys')]
        : [t('emailStop.effect', { email: from })],
      button: { text: t(made ? 'emailStop.made.do' : 'emailStop.do'), action: here(ctx) },
    })
  }

  function taken(ctx: Context, { to }: EmailChange): void {
    ctx.status = 409
    page(ctx, t('emailTaken.lead', { email: to }), { heading: t('emailTaken.heading'), effects: [] })
  }

  function page(ctx: Context, lead: string, own: Page): void {
    ctx.type = 'html'
    ctx.body = views.render('email-link', { lead, ...own })
  }

  function here(ctx: Context): string {
    return `${paths.base}${ctx.path}`
  }

  return router
}

function record(
  event: 'email.changed' | 'email.change_stopped' | 'email.put_back',
  { id, organisationId }: Account,
  address: string,
  details: NonNullable<AuditEntry['details']>,
  now: number,
) {
  return auditRow({ event, organisationId, accountId: id, address, details }, now)
}
