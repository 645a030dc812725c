// A user's page: who it is, how they log in, what happened last, and what can be done about it. Leaves out the doing,
// which is confirmed on pages of its own (user-changes.ts, resets.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { readBlocks } from '../factors/attempts.ts'
import type { UserAction } from '../http/locals/console-users.ts'
import { idOf } from '../http/path-id.ts'
import { seeOther } from '../http/see-other.ts'
import type { Guard } from '../http/session.ts'
import type { Services } from '../services.ts'
import { readUserDetails, type UserDetails } from '../store/accounts/user-details.ts'
import { readAuditEvents } from '../store/audit/audit-events.ts'
import { newId } from '../store/ids.ts'
import { draftReset } from '../store/recovery/second-factor-resets.ts'
import { readSessionsOf, type SessionView } from '../store/sessions/account-sessions.ts'
import { eventRow, withAppName } from './audit-words.ts'
import { adminOf, createAdmins, frameFor } from './console.ts'

const EVENTS = 10
const RESET = { kind: 'user-reset', fields: [], page: '/admin/users/:id' } as const

/** What a change leads back here with, and whether it is so. */
const DONE = {
  deactivate: ({ status }) => status === 'deactivated',
  reactivate: ({ status }) => status !== 'deactivated',
  admin: ({ role }) => role === 'admin',
  technician: ({ role }) => role === 'technician',
  passkey: () => true,
  logOut: ({ access }) => !access,
  unlink: ({ sso }) => sso === undefined,
  unblock: (_, blocked) => !blocked,
  // They have a page no more.
  withdraw: () => false,
} as const satisfies Record<string, (user: UserDetails, blocked: boolean) => boolean>

export type Done = keyof typeof DONE

type Blocks = Awaited<ReturnType<typeof readBlocks>>

export function userPageRoutes(services: Services, guard: Guard): Router {
  const { clients, config, database, paths, places, views, texts, clock } = services
  const admins = createAdmins(guard)
  const router = new Router()
  const listUrl = `${paths.admin}/users`

  router.get('/admin/users/:id', ...admins.look(), async ctx => {
    const { account } = adminOf(ctx)
    const id = idOf(ctx)
    const user = await readUserDetails(database, account.organisationId, id)
    // Nothing is read of who is another organisation's: it would take longer than who is nobody.
    if (user === undefined) throw new AppError('not_found')
    const [blocks, events, sessions] = await Promise.all([
      readBlocks(database, id, clock()),
      readAuditEvents(database, account.organisationId, { about: id, limit: EVENTS }),
      readSessionsOf(database, id, clock(), config.ssoPlans),
    ])
    const { name, email, role, status, standing, authenticator, recoveryCode, lastLoginAt, lastAdmin } = user
    const url = `${listUrl}/${user.id}`
    const blocked = blocked_(user, blocks)
    const shown = sessions.map(each => sessionRow(each, adminOf(ctx).uid))
    ctx.type = 'html'
    ctx.body = views.render('admin-user', {
      frame: frameFor(services, guard, ctx, user.organisation),
      listUrl,
      ...{ name, email, standing, authenticator, recoveryCode },
      role: texts.t(`role.${role}`),
      status: texts.t(`status.${status}`),
      ...(lastLoginAt === null ? {} : { lastLoginAt }),
      ...(user.id === account.id ? { you: true } : {}),
      ...notice(ctx, user, blocked !== undefined),
      ...(blocked === undefined ? {} : { blocked }),
      ...(user.sso === undefined ? {} : { sso: user.sso }),
      ...(user.bounce === undefined ? {} : { bounce: user.bounce }),
      ...(user.helpSince === null ? {} : { helpSince: user.helpSince }),
      ...(lastAdmin ? { lastAdmin: texts.t('user.lastAdmin', { name }) } : {}),
      passkeys: user.passkeys.map(each => ({
        name: each.name,
        createdAt: each.createdAt,
        ...(each.lastUsedAt === null ? {} : { lastUsedAt: each.lastUsedAt }),
        removeUrl: `${url}/remove-passkey?passkey=${each.key}`,
      })),
      actions: actions(user, url, blocked !== undefined),
      sessions: shown,
      placed: shown.some(each => 'place' in each),
      events: await Promise.all(events.map(async each => eventRow(texts, await withAppName(clients, each)))),
    })
  })

  router.post('/admin/users/:id/reset', ...admins.choose(RESET), async ctx => {
    const { account } = adminOf(ctx)
    await guard.sentForm(ctx, RESET)
    const user = await readUserDetails(database, account.organisationId, idOf(ctx))
    if (user === undefined) throw new AppError('not_found')
    const draft = { id: newId('rst'), organisationId: account.organisationId, actorId: account.id }
    await database.commit(draftReset(database.dialect, draft, [user.id], clock()))
    seeOther(ctx, `${paths.admin}/resets/${draft.id}`)
  })

  function blocked_({ name }: UserDetails, { passwords, codes }: Blocks): string | undefined {
    if (!passwords && !codes) return undefined
    return texts.t(`user.blocked.${passwords && codes ? 'both' : passwords ? 'passwords' : 'codes'}`, {
      name,
    })
  }

  function notice(ctx: Context, user: UserDetails, blocked: boolean): { notice?: string } {
    const { done } = ctx.query
    if (typeof done !== 'string' || !Object.hasOwn(DONE, done)) return {}
    return DONE[done as Done](user, blocked)
      ? { notice: texts.t(`user.done.${done as Exclude<Done, 'withdraw'>}`, { name: user.name }) }
      : {}
  }

  /** What the page is opened for most comes first, and is its one primary action. */
  function actions(user: UserDetails, url: string, blocked: boolean): UserAction[] {
    const to = (change: Exclude<Done, 'passkey'>, path: string = change): UserAction => ({
      text: texts.t(`user.${change}`),
      hint: texts.t(
        change === 'reactivate' && !user.hasLogin ? 'user.reactivate.invited' : `user.${change}.hint`,
      ),
      href: `${url}/${path}`,
    })
    const active = user.status === 'active'
    const resettable = active && (user.standing === 'set_up' || user.passkeys.length > 0)
    const reset = { text: texts.t('user.reset'), hint: texts.t('user.reset.hint'), post: `${url}/reset` }
    const again = {
      text: texts.t('invitations.again'),
      hint: texts.t('invitations.again.hint'),
      post: `${paths.admin}/invitations/${user.id}/send`,
    }
    const all = [
      ...(blocked ? [to('unblock')] : []),
      ...(user.status === 'deactivated' ? [to('reactivate')] : []),
      ...(user.status === 'invited' ? [again, to('withdraw')] : []),
      ...(resettable ? [reset] : []),
      ...(user.access ? [to('logOut', 'log-out')] : []),
      ...(user.sso === undefined ? [] : [to('unlink', 'unlink-sso')]),
      ...(user.role === 'admin' ? (user.lastAdmin ? [] : [to('technician')]) : [to('admin')]),
      ...(user.status !== 'active' || user.lastAdmin ? [] : [to('deactivate')]),
    ]
    return all.map((each, i) => (i === 0 ? { ...each, primary: true } : each))
  }

  function sessionRow({ uid, device, address, loggedInAt, lastSeenAt }: SessionView, own: string) {
    const place = places.of(address, texts)
    return {
      device: device ?? texts.t('sessions.device.unknown'),
      ...(address === undefined ? {} : { address }),
      ...(place === undefined ? {} : { place }),
      ...(uid === own ? { current: true } : {}),
      loggedInAt,
      lastSeenAt,
    }
  }

  return router
}
