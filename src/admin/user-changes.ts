// What an admin does to one user, each with a page of its own: what happens, one button, and what follows if it is the
// admin themselves. Doing it twice does it once, and what can't be done is said instead. Leaves out what each does
// (organisations/users.ts, organisations/user-access.ts) and the reset (resets.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { idOf } from '../http/path-id.ts'
import { seeOther } from '../http/see-other.ts'
import type { Guard } from '../http/session.ts'
import { type Directory, InputError } from '../organisations/directory.ts'
import {
  logOutUser,
  removePasskey,
  unblockUser,
  unlinkUser,
  withdrawInvitation,
} from '../organisations/user-access.ts'
import { deactivateUser, reactivateUser, setRole, type UserChoice } from '../organisations/users.ts'
import type { Services } from '../services.ts'
import { readUserDetails, type UserDetails } from '../store/accounts/user-details.ts'
import { CommitRefused } from '../store/database.ts'
import type { TextKey } from '../texts.ts'
import { adminOf, createAdmins, frameFor } from './console.ts'
import type { Done } from './user-page.ts'

interface Change {
  /** The last part of its address. */
  readonly path: string
  /** What it did, for the user's page. */
  readonly done: Done
  /** The rest of its texts' keys. */
  readonly effects: (user: UserDetails, passkey: string) => readonly TextKey[]
  readonly danger?: boolean
  /** Not possible for the last active admin. */
  readonly keepsAdmin?: boolean
  /** What it means for whoever does it to themselves; their session may be over, or the console closed. */
  readonly you?: TextKey
  /** Where it leads, below the console; default: to the user's page. */
  readonly to?: string
  /** Whether there is anything to do. */
  readonly due: (user: UserDetails, passkey: string) => boolean
  readonly run: (directory: Directory, choice: UserChoice, passkey: string, by: string) => Promise<unknown>
}

const CHANGES: readonly Change[] = [
  {
    path: 'deactivate',
    done: 'deactivate',
    effects: () => ['user.deactivate.sessions', 'user.deactivate.links', 'user.deactivate.login'],
    danger: true,
    keepsAdmin: true,
    you: 'user.deactivate.you',
    due: ({ status }) => status !== 'deactivated',
    run: deactivateUser,
  },
  {
    path: 'reactivate',
    done: 'reactivate',
    effects: ({ hasLogin }) =>
      hasLogin ? ['user.reactivate.login', 'user.reactivate.sessions'] : ['user.reactivate.invite'],
    due: ({ status }) => status === 'deactivated',
    run: reactivateUser,
  },
  {
    path: 'admin',
    done: 'admin',
    effects: () => ['user.admin.effect'],
    due: ({ role }) => role !== 'admin',
    run: (directory, choice) => setRole(directory, choice, 'admin'),
  },
  {
    path: 'technician',
    done: 'technician',
    effects: () => ['user.technician.effect', 'user.technician.apps'],
    danger: true,
    keepsAdmin: true,
    you: 'user.technician.you',
    due: ({ role }) => role !== 'technician',
    run: (directory, choice) => setRole(directory, choice, 'technician'),
  },
  {
    path: 'remove-passkey',
    done: 'passkey',
    effects: ({ authenticator, passkeys }) => [
      'user.passkey.effect',
      'user.passkey.sessions',
      authenticator || passkeys.length > 1 ? 'user.passkey.mail' : 'user.passkey.last',
    ],
    danger: true,
    you: 'user.passkey.you',
    due: ({ passkeys }, passkey) => passkeys.some(each => each.key === passkey),
    run: removePasskey,
  },
  {
    path: 'log-out',
    done: 'logOut',
    effects: () => ['user.logOut.sessions', 'user.logOut.tokens', 'user.logOut.factors'],
    danger: true,
    you: 'user.logOut.you',
    due: ({ access }) => access,
    run: logOutUser,
  },
  {
    path: 'unlink-sso',
    done: 'unlink',
    effects: () => ['user.unlink.link', 'user.unlink.sessions', 'user.unlink.again'],
    danger: true,
    you: 'user.logOut.you',
    due: ({ sso }) => sso !== undefined,
    run: unlinkUser,
  },
  {
    path: 'unblock',
    done: 'unblock',
    effects: () => ['user.unblock.effect', 'user.unblock.stranger'],
    due: () => true,
    run: unblockUser,
  },
  {
    path: 'withdraw',
    done: 'withdraw',
    effects: () => ['user.withdraw.link', 'user.withdraw.account'],
    danger: true,
    to: 'invitations?done=withdrawn',
    due: ({ status }) => status === 'invited',
    run: withdrawInvitation,
  },
]

export function userChangeRoutes(services: Services, guard: Guard): Router {
  const { database, keyring, paths, views, texts, clock, config } = services
  const admins = createAdmins(guard)
  const router = new Router()
  const urlOf = ({ id }: { id: string }) => `${paths.admin}/users/${id}`

  for (const change of CHANGES) {
    const path = `/admin/users/:id/${change.path}`
    const kind = { kind: `user-${change.path}`, fields: ['passkey'], page: path } as const

    router.get(path, ...admins.look(), async ctx => {
      const user = await userOf(ctx)
      const waiting = await guard.pendingForm(ctx, kind)
      const passkey = waiting?.form.passkey ?? String(ctx.query.passkey ?? '')
      if (!change.due(user, passkey)) return back(ctx, user)
      // It was kept, and then waited too long, or was sent from another tab.
      const gone = ctx.query.pending !== undefined && waiting === undefined
      show(ctx, change, user, passkey, {
        pending: waiting?.id,
        error: gone ? texts.t('user.change.gone') : undefined,
      })
    })

    router.post(path, ...admins.change(kind), async ctx => {
      const { account } = adminOf(ctx)
      const sent = await guard.sentForm(ctx, kind)
      const user = await userOf(ctx)
      const passkey = sent?.form.passkey ?? ''
      // Pressed twice: what it did is shown.
      if (sent === undefined) return back(ctx, user)
      const directory = { database, keyring, clock, actor: account.id, productName: config.productName }
      const choice = {
        organisationId: account.organisationId,
        userId: user.id,
        address: ctx.ip,
        also: sent.taken,
      }
      try {
        await change.run(directory, choice, passkey, account.name)
      } catch (error) {
        if (error instanceof InputError && error.why?.reason === 'last_admin') {
          // It became so since the page was shown.
          ctx.status = 409
          return show(ctx, change, { ...user, lastAdmin: true }, passkey, {})
        }
        if (error instanceof InputError && error.why?.reason === 'last_break_glass') {
          ctx.status = 409
          return show(ctx, change, user, passkey, { refused: 'user.lastBreakGlass' })
        }
        // Whoever was demoted, or moved away, a moment ago finds nothing here.
        if (error instanceof InputError) throw new AppError('not_found')
        // Somebody was faster, in another tab.
        if (!(error instanceof CommitRefused) || error.refusal !== 'already_used') throw error
        return back(ctx, user)
      }
      const out = user.id === account.id && change.you !== undefined
      const to =
        change.to === undefined ? `${urlOf(user)}?done=${change.done}` : `${paths.admin}/${change.to}`
      seeOther(ctx, out ? (paths.account ?? urlOf(user)) : to)
    })
  }

  async function userOf(ctx: Context): Promise<UserDetails> {
    const user = await readUserDetails(database, adminOf(ctx).account.organisationId, idOf(ctx))
    if (user === undefined) throw new AppError('not_found')
    return user
  }

  function show(
    ctx: Context,
    change: Change,
    user: UserDetails,
    passkey: string,
    {
      pending,
      error,
      refused = change.keepsAdmin === true && user.lastAdmin ? 'user.lastAdmin' : undefined,
    }: {
      pending?: string | undefined
      error?: string | undefined
      /** Why it can't be done. */
      refused?: TextKey | undefined
    },
  ): void {
    const { name } = user
    const { done, danger = false } = change
    const named = user.passkeys.find(each => each.key === passkey)?.name ?? ''
    ctx.type = 'html'
    ctx.body = views.render('admin-user-change', {
      frame: frameFor(services, guard, ctx, user.organisation),
      userUrl: urlOf(user),
      name,
      question: texts.t(`user.${done}.question`, { name, passkey: named }),
      action: `${urlOf(user)}/${change.path}`,
      fields:
        pending !== undefined
          ? [{ name: 'pending', value: pending }]
          : passkey === ''
            ? []
            : [{ name: 'passkey', value: passkey }],
      ...(pending === undefined ? {} : { waiting: true }),
      ...(error === undefined ? {} : { error }),
      ...(refused !== undefined
        ? { effects: [], refused: texts.t(refused, { name }) }
        : {
            effects: change.effects(user, passkey).map(each => texts.t(each)),
            button: {
              text: texts.t(done === 'passkey' ? 'user.passkey.remove' : `user.${done}`),
              danger,
            },
            ...(change.you !== undefined && user.id === adminOf(ctx).account.id
              ? { you: texts.t(change.you) }
              : {}),
          }),
    })
  }

  function back(ctx: Context, user: UserDetails): void {
    seeOther(ctx, urlOf(user))
  }

  return router
}
