// The apps that somebody lets use their account, in the words in which they were asked, and the end of each. No fresh
// factor is asked for, as for a session (sessions.ts). The vendor's own apps need nobody's permission: one is shown while
// something of it is alive, and what ends it is called what it is, a logout, since the next login lets it in again.

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { scopesInWords } from '../flow/consent.ts'
import { record } from '../flow/ways/outcome.ts'
import { seeOther } from '../http/see-other.ts'
import { type Guard, sessionOf } from '../http/session.ts'
import type { Services } from '../services.ts'
import { type AppAccess, endAppAccess, readAppAccess } from '../store/sessions/app-access.ts'
import { frameFor, homeOf, tabsOf } from './frame.ts'
import { commitEnd, occasions } from './own-change.ts'

const PATH = '/account/apps'
const REVOKE = { kind: 'account-app-revoke', fields: [], page: `${PATH}/:key/remove` } as const

interface NamedApp extends AppAccess {
  readonly name: string
  readonly firstParty: boolean
}

export function appRoutes(services: Services, guard: Guard): Router {
  const { clients, clock, config, database, texts, views } = services
  const router = new Router()
  const occasionOf = occasions(services)
  const list = `${homeOf(services)}/apps`

  async function appsOf(ctx: Context): Promise<NamedApp[]> {
    const found = await readAppAccess(database, sessionOf(ctx).account.id, clock(), config.ssoPlans)
    const named = await Promise.all(
      found.map(async each => {
        // One that was removed, or that a host of the plugin registered, is not ours to know.
        const client = await clients.find(each.clientId)
        return {
          ...each,
          name: String(client?.metadata.client_name ?? each.clientId),
          firstParty: client?.firstParty ?? false,
        }
      }),
    )
    return named.filter(each => !each.firstParty || each.loggedIn || each.staysConnected)
  }

  router.get(PATH, guard.requireSession(), async ctx => {
    const apps = await appsOf(ctx)
    ctx.type = 'html'
    ctx.body = views.render('account-apps', {
      frame: frameFor(services, guard, sessionOf(ctx).account),
      tabs: tabsOf(services, '/apps'),
      ...(ctx.query.done === 'revoked' ? { notice: texts.t('accountApps.done') } : {}),
      apps: apps.map(({ name, since, scopes, loggedIn, firstParty, key }) => ({
        name,
        since,
        loggedIn,
        firstParty,
        scopes: scopesInWords(texts, scopes),
        revokeUrl: `${list}/${key}/remove`,
      })),
    })
  })

  router.get(REVOKE.page, guard.requireSession(), async ctx => {
    const app = await findApp(ctx)
    if (app === undefined) throw new AppError('not_found')
    const pending = (await guard.pendingForm(ctx, REVOKE))?.id
    const { name, firstParty } = app
    ctx.type = 'html'
    ctx.body = views.render('account-confirm', {
      frame: frameFor(services, guard, sessionOf(ctx).account),
      question: texts.t(firstParty ? 'accountApps.logOut.question' : 'accountApps.revoke.question', {
        app: name,
      }),
      effects: [
        texts.t('accountApps.effect'),
        texts.t(firstParty ? 'accountApps.logOut.again' : 'accountApps.revoke.again'),
        texts.t('accountApps.keeps'),
      ],
      button: {
        text: texts.t(firstParty ? 'account.logOut' : 'accountApps.revoke'),
        post: `${list}/${app.key}/remove`,
        danger: true,
      },
      list: { text: texts.t('account.tab.apps'), href: list },
      ...(pending === undefined ? {} : { pending }),
    })
  })

  router.post(REVOKE.page, guard.requireSessionForForm(REVOKE), async ctx => {
    const sent = await guard.sentForm(ctx, REVOKE)
    const app = await findApp(ctx)
    // Pressed twice: it is gone.
    if (sent === undefined || app === undefined) return seeOther(ctx, list)
    const occasion = occasionOf(ctx)
    await commitEnd(services, ctx, occasion.place, { list, done: 'revoked' }, place => [
      ...sent.taken,
      ...endAppAccess(database.dialect, place, app.clientId, occasion.now),
      record(occasion, 'consent.revoked', { client: app.clientId, scope: app.scopes.join(' ') }),
    ])
  })

  /** The user's own app that an address names. */
  async function findApp(ctx: Context): Promise<NamedApp | undefined> {
    const { key } = ctx.params as { key: string }
    return (await appsOf(ctx)).find(each => each.key === key)
  }

  return router
}
