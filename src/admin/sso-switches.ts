// Switching an identity provider on and off, and deleting it: each asks once more, and says what it means.

import type { Context } from 'koa'
import Router from 'koa-router'
import { seeOther } from '../http/see-other.ts'
import type { FormKind, Guard } from '../http/session.ts'
import { removeConnection, setConnectionStatus } from '../organisations/sso-connections.ts'
import type { Services } from '../services.ts'
import type { Connection } from '../store/sso/connections.ts'
import { readDomains } from '../store/sso/domains.ts'
import { adminOf, createAdmins, frameFor } from './console.ts'
import { directoryOf, organisationOf, refusalOf } from './sso.ts'
import { isUsed } from './sso-domains.ts'
import { connectionOf } from './sso-providers.ts'

const SWITCHES = ['on', 'off', 'delete'] as const
type Switch = (typeof SWITCHES)[number]

export function ssoSwitchRoutes(services: Services, guard: Guard): Router {
  const { config, database, paths, views, texts } = services
  const admins = createAdmins(guard)
  const router = new Router()
  const listUrl = `${paths.admin}/sso`

  for (const change of SWITCHES) {
    const path = `/admin/sso/:id/${change}`
    const kind = { kind: `sso-connection-${change}`, fields: [], page: path } as const satisfies FormKind

    router.get(path, ...admins.look(), async ctx => {
      const connection = await connectionOf(services, ctx)
      const waiting = await guard.pendingForm(ctx, kind)
      if (!isDue(change, connection)) return seeOther(ctx, `${listUrl}/${connection.id}`)
      await ask(ctx, change, connection, waiting?.id)
    })

    router.post(path, ...admins.change(kind), async ctx => {
      const { id, organisationId } = await connectionOf(services, ctx)
      const sent = await guard.sentForm(ctx, kind)
      const url = `${listUrl}/${id}`
      if (sent === undefined) return seeOther(ctx, `${url}/${change}`)
      const choice = { id, organisationId, address: ctx.ip, also: sent.taken }
      const directory = directoryOf(services, ctx)
      try {
        if (change === 'delete') await removeConnection(directory, choice)
        else await setConnectionStatus(directory, choice, change, config.ssoPlans)
      } catch (error) {
        // Pressed twice, or it is not as it was: the provider's page says what holds.
        if (!isUsed(error)) refusalOf(error)
        return seeOther(ctx, url)
      }
      seeOther(ctx, change === 'delete' ? `${listUrl}?done=deleted` : `${url}?done=${change}`)
    })
  }

  async function ask(
    ctx: Context,
    change: Switch,
    connection: Connection,
    pending: string | undefined,
  ): Promise<void> {
    const { id, name } = connection
    const organisation = await organisationOf(services, ctx)
    ctx.type = 'html'
    ctx.body = views.render('admin-user-change', {
      frame: frameFor(services, guard, ctx, organisation.name, 'sso'),
      userUrl: `${listUrl}/${id}`,
      name,
      question: texts.t(`connection.${change}.question`, { name }),
      action: `${listUrl}/${id}/${change}`,
      fields: pending === undefined ? [] : [{ name: 'pending', value: pending }],
      ...(pending === undefined ? {} : { waiting: true }),
      effects: await effectsOf(ctx, change, connection),
      button: { text: texts.t(`connection.${change}`), danger: change !== 'on' },
    })
  }

  async function effectsOf(ctx: Context, change: Switch, { id }: Connection): Promise<string[]> {
    if (change === 'delete') {
      return [
        texts.t('connection.delete.effect'),
        texts.t('connection.delete.effect.users'),
        texts.t('connection.delete.effect.domains'),
      ]
    }
    const all = await readDomains(database, adminOf(ctx).account.organisationId)
    const domains = all.filter(each => each.connectionId === id)
    if (change === 'on') {
      return [
        domains.length === 0
          ? texts.t('connection.on.effect.none')
          : texts.t('connection.on.effect', { domains: domains.map(each => each.domain).join(', ') }),
        texts.t('connection.on.effect.sessions'),
      ]
    }
    const count = domains.filter(each => each.ssoOnly).length
    return [
      texts.t('connection.off.effect'),
      ...(count === 0 ? [] : [texts.t('connection.off.effect.ssoOnly', { count })]),
      texts.t('connection.off.effect.password'),
      texts.t('connection.off.effect.none'),
    ]
  }

  return router
}

/** Whether there is anything to ask. */
function isDue(change: Switch, { status, revision, testedRevision }: Connection): boolean {
  if (change === 'on') return status === 'off' && testedRevision === revision
  return change === 'off' ? status === 'on' : status === 'off'
}
