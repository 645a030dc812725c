// The account page: what a user has to log in with, where each of it is changed, and the way out. It changes nothing.

import Router from 'koa-router'
import { deviceFamily } from '../factors/aaguids.ts'
import { ownPasskeys } from '../factors/passkey-signals.ts'
import { ACR } from '../flow/assurance.ts'
import type { ViewLocals } from '../http/locals.ts'
import { seeOther } from '../http/see-other.ts'
import { type Guard, sessionOf } from '../http/session.ts'
import { enforcement } from '../organisations/enforcement.ts'
import type { Services } from '../services.ts'
import {
  type AccountOverview,
  type OwnPasskey,
  readAccountOverview,
} from '../store/accounts/account-overview.ts'
import type { Account } from '../store/accounts/accounts.ts'
import type { TextKey } from '../texts.ts'
import { frameFor, homeOf, tabsOf } from './frame.ts'

type Locals = ViewLocals['account']

export function overviewRoutes(services: Services, guard: Guard): Router {
  const { config, views, database, clock } = services
  const router = new Router()

  router.get('/account', guard.requireSession(), async ctx => {
    const { account } = sessionOf(ctx)
    const overview = await readAccountOverview(database, account.id)
    const due = enforcement(account.subscribedAt, clock())
    const { organisation, lastLoginAt } = overview
    const notice = noticeOf(services, ctx.query.done, overview)
    ctx.type = 'html'
    ctx.body = views.render('account', {
      frame: frameFor(services, guard, account),
      tabs: tabsOf(services, ''),
      name: account.name,
      email: account.email,
      ...(services.accounts.profiles === 'own'
        ? { changeNameUrl: `${homeOf(services)}/name`, changeEmailUrl: `${homeOf(services)}/email` }
        : {}),
      ...(organisation === '' ? {} : { organisation }),
      signals: ownPasskeys(account, config.passkeyDomain, overview.passkeys),
      ...(lastLoginAt === null ? {} : { lastLoginAt }),
      ...(notice === undefined ? {} : { notice }),
      ...waysOf(services, account, overview),
      ...(overview.caseOpenedAt === null
        ? {}
        : {
            supportCase: {
              openedAt: overview.caseOpenedAt,
              stop: `${services.paths.account}/support-case/stop`,
            },
          }),
      ...(due.state === 'grace' && due.until !== undefined ? { dueAt: due.until } : {}),
    })
  })

  // Whoever comes here has set two factors up, since the guard asks for both.
  router.get('/account/set-up', guard.requireSession({ acr: ACR['2fa'] }), ctx => {
    seeOther(ctx, homeOf(services))
  })

  return router
}

const JUST_NOW_MS = 10 * 60 * 1000
/** What a change says of itself when it leads back here, and since when that is so. */
const DONE: Readonly<
  Record<string, { readonly text: TextKey; readonly at: (overview: AccountOverview) => number | null }>
> = {
  password: { text: 'account.done.password', at: each => each.passwordChangedAt },
  authenticator: { text: 'account.done.authenticator', at: each => each.authenticator?.setUpAt ?? null },
  'passkey-added': {
    text: 'account.done.passkeyAdded',
    at: each => Math.max(0, ...each.passkeys.map(({ createdAt }) => createdAt)),
  },
  // Nothing says when; and what is said harms nobody.
  name: { text: 'account.done.name', at: () => Number.POSITIVE_INFINITY },
  'same-name': { text: 'account.done.sameName', at: () => Number.POSITIVE_INFINITY },
  'passkey-renamed': { text: 'account.done.passkeyRenamed', at: () => Number.POSITIVE_INFINITY },
  'passkey-removed': { text: 'account.done.passkeyRemoved', at: () => Number.POSITIVE_INFINITY },
  'recovery-code': { text: 'account.done.recoveryCode', at: each => each.recoveryCodeSavedAt },
}

/** Anybody can make a link that says that something was done: it is said of what was done a moment ago. */
function noticeOf({ texts, clock }: Services, done: unknown, overview: AccountOverview): string | undefined {
  if (typeof done !== 'string' || !Object.hasOwn(DONE, done)) return undefined
  const { text, at } = DONE[done] as (typeof DONE)[string]
  return (at(overview) ?? 0) > clock() - JUST_NOW_MS ? texts.t(text) : undefined
}

type Ways = Pick<
  Locals,
  | 'passwordChange'
  | 'sso'
  | 'authenticator'
  | 'authenticatorUrl'
  | 'recoveryCode'
  | 'passkeys'
  | 'addPasskeyUrl'
  | 'setUpUrl'
>

function waysOf(services: Services, account: Account, overview: AccountOverview): Ways {
  const home = homeOf(services)
  const { passwordChangedAt: lastAt, authenticator, recoveryCodeSavedAt: savedAt, passkeys } = overview
  const url = `${home}/password`
  const newUrl = `${home}/recovery-code`
  const passkeyUrl = ({ key }: OwnPasskey, what: string) => `${home}/passkeys/${key}/${what}`
  return {
    ...(services.accounts.passwords !== 'own' || account.passwordHash === null
      ? {}
      : { passwordChange: lastAt === null ? { url } : { lastAt, url } }),
    ...(overview.sso === undefined ? {} : { sso: overview.sso }),
    ...(authenticator === undefined ? {} : { authenticator: withoutNull(authenticator) }),
    ...(authenticator === undefined
      ? passkeys.length === 0
        ? { setUpUrl: `${home}/set-up` }
        : { authenticatorUrl: `${home}/authenticator/new` }
      : {
          authenticatorUrl: `${home}/authenticator`,
          recoveryCode: savedAt === null ? { newUrl: `${newUrl}?for=none` } : { savedAt, newUrl },
        }),
    addPasskeyUrl: `${home}/passkeys/new`,
    passkeys: passkeys.map(each => {
      const family = deviceFamily(each.aaguid)
      return {
        name: each.name,
        ...(family === undefined || family === each.name ? {} : { family }),
        synced: each.synced,
        ...(each.lastUsedAt === null ? {} : { lastUsedAt: each.lastUsedAt }),
        renameUrl: passkeyUrl(each, 'rename'),
        removeUrl: passkeyUrl(each, 'remove'),
      }
    }),
  }
}

function withoutNull({ setUpAt, lastUsedAt }: NonNullable<AccountOverview['authenticator']>) {
  return lastUsedAt === null ? { setUpAt } : { setUpAt, lastUsedAt }
}
