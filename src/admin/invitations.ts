// Invitations: who was invited and has not come yet, inviting somebody, sending a link again. Withdrawing one has a page
// of its own (user-changes.ts). Leaves out what an invitation is (organisations/directory.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { reserveAttempt } from '../factors/attempts.ts'
import { idOf } from '../http/path-id.ts'
import { seeOther } from '../http/see-other.ts'
import type { Guard } from '../http/session.ts'
import { InputError, inviteUser, ROLES, type UserInput, type UserRole } from '../organisations/directory.ts'
import type { Services } from '../services.ts'
import { readInvitationTimes } from '../store/accounts/invitations.ts'
import { readUserDetails } from '../store/accounts/user-details.ts'
import { readUserPage } from '../store/accounts/user-list.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import { stayAdmin } from '../store/organisations/memberships.ts'
import { adminOf, createAdmins, frameOf, tabsOf } from './console.ts'
import { pagesOf, readUserQuery, writeUserQuery } from './user-query.ts'

const PAGE_ROWS = 25
const INVITE = {
  kind: 'invitation',
  fields: ['name', 'email', 'role'],
  page: '/admin/invitations/new',
} as const
const AGAIN = { kind: 'invitation-again', fields: [], page: '/admin/invitations' } as const
const DONE = ['sent', 'withdrawn'] as const

export function invitationRoutes(services: Services, guard: Guard): Router {
  const { database, keyring, paths, views, texts, clock, config } = services
  const admins = createAdmins(guard)
  const router = new Router()
  const url = `${paths.admin}/invitations`
  const usersUrl = `${paths.admin}/users`

  router.get('/admin/invitations', ...admins.look(), ctx => list(ctx))

  router.get('/admin/invitations/new', ...admins.look(), async ctx => {
    const waiting = await guard.pendingForm(ctx, INVITE)
    await form(ctx, waiting?.form ?? {}, { waiting: waiting !== undefined })
  })

  router.post('/admin/invitations/new', ...admins.change(INVITE), async ctx => {
    const { account } = adminOf(ctx)
    const sent = await guard.sentForm(ctx, INVITE)
    const { name = '', email = '', role = 'technician' } = sent?.form ?? {}
    try {
      await invite(ctx, { organisationId: account.organisationId, name, email, role: role as UserRole })
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      ctx.status = 400
      return form(ctx, { name, email, role }, { wrong: error })
    }
    seeOther(ctx, `${url}?done=sent`)
  })

  router.post('/admin/invitations/:id/send', ...admins.change(AGAIN), async ctx => {
    const { organisationId } = adminOf(ctx).account
    await guard.sentForm(ctx, AGAIN)
    const user = await readUserDetails(database, organisationId, idOf(ctx))
    if (user === undefined) throw new AppError('not_found')
    // They have come meanwhile.
    if (user.status !== 'invited') return seeOther(ctx, `${usersUrl}/${user.id}`)
    const { id, name, email, role } = user
    try {
      await invite(ctx, { organisationId, name, email, role: role as UserRole }, [
        reserveAttempt('mail', { account: id, source: '' }, clock()),
      ])
    } catch (error) {
      if (error instanceof CommitRefused && error.refusal === 'too_many_tries') {
        ctx.status = 429
        return list(ctx, texts.t('invitations.tooMany', { name }))
      }
      // They have come, or the invitation was withdrawn, since it was read.
      if (error instanceof InputError) return seeOther(ctx, url)
      throw error
    }
    seeOther(ctx, `${url}?done=sent`)
  })

  async function invite(ctx: Context, input: UserInput, also: readonly Write[] = []): Promise<void> {
    const { account } = adminOf(ctx)
    const directory = { database, keyring, clock, actor: account.id, productName: config.productName }
    const by = {
      name: account.name,
      address: ctx.ip,
      also: [stayAdmin(account.organisationId, account.id), ...also],
    }
    try {
      await inviteUser(directory, input, by)
    } catch (error) {
      // Demoted, since the request began.
      if (error instanceof CommitRefused && error.refusal === 'account_changed')
        throw new AppError('not_found')
      throw error
    }
  }

  async function list(ctx: Context, error?: string): Promise<void> {
    const { organisationId } = adminOf(ctx).account
    const query = readUserQuery(ctx.URL.searchParams)
    const order = { by: 'name', descending: false } as const
    const filter = { words: [], status: 'invited' } as const
    const [{ frame }, tabs, page] = await Promise.all([
      frameOf(services, guard, ctx, 'users'),
      tabsOf(services, organisationId, 'invitations'),
      readUserPage(database, organisationId, filter, order, PAGE_ROWS, query.place),
    ])
    const times = await readInvitationTimes(
      database,
      page.users.map(each => each.id),
    )
    const done = DONE.find(each => each === ctx.query.done)
    const link = (change: Parameters<typeof writeUserQuery>[1]) => `${url}${writeUserQuery(query, change)}`
    ctx.type = 'html'
    ctx.body = views.render('admin-invitations', {
      frame,
      tabs,
      inviteUrl: `${url}/new`,
      ...(error === undefined ? {} : { error }),
      ...(done === undefined || error !== undefined ? {} : { notice: texts.t(`invitations.done.${done}`) }),
      ...(ctx.query.pending === undefined ? {} : { waiting: true }),
      invitations: page.users.map(({ id, name, email, role }) => {
        const { sentAt, expiresAt } = times.get(id) ?? { sentAt: undefined, expiresAt: 0 }
        return {
          ...{ name, email, role: texts.t(`role.${role}`) },
          href: `${usersUrl}/${id}`,
          ...(sentAt === undefined ? {} : { sentAt }),
          ...(expiresAt > clock() ? { expiresAt } : {}),
          againAction: `${url}/${id}/send`,
          withdrawUrl: `${usersUrl}/${id}/withdraw`,
        }
      }),
      pages: pagesOf(query, page, PAGE_ROWS, link),
    })
  }

  async function form(
    ctx: Context,
    { name = '', email = '', role = 'technician' }: Partial<Record<'name' | 'email' | 'role', string>>,
    { waiting = false, wrong }: { waiting?: boolean; wrong?: InputError },
  ): Promise<void> {
    const { frame } = await frameOf(services, guard, ctx, 'users')
    ctx.type = 'html'
    ctx.body = views.render('admin-invite', {
      frame,
      listUrl: url,
      action: `${url}/new`,
      name,
      email,
      roles: ROLES.toReversed().map(each => ({
        value: each,
        text: texts.t(`role.${each}`),
        hint: texts.t(`user.${each}.hint`),
        checked: each === role,
      })),
      ...(waiting ? { waiting } : {}),
      ...(wrong === undefined ? {} : { errors: { [wrong.field]: said(wrong) } }),
    })
  }

  function said({ field, why }: InputError): string {
    if (field === 'name') return texts.t('invite.error.name')
    if (field === 'role') return texts.t('invite.error.role')
    return texts.t(why?.reason === 'taken' ? 'invite.error.taken' : 'email.error.malformed')
  }

  return router
}
