// Single sign-on: the identity providers of the organisation, its domains, and who gets in without. Leaves out each of
// them (sso-providers.ts, sso-domains.ts, sso-break-glass.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import type { Badge } from '../http/locals/parts.ts'
import type { Guard } from '../http/session.ts'
import { type Directory, InputError } from '../organisations/directory.ts'
import { isSpecialPlan } from '../organisations/plan.ts'
import type { SsoInputFault } from '../organisations/sso-change.ts'
import type { Services } from '../services.ts'
import { isComplete } from '../sso/settings.ts'
import { type Connection, readConnections } from '../store/sso/connections.ts'
import { readDomains, type SsoDomain } from '../store/sso/domains.ts'
import { readSsoOrganisation, type SsoOrganisation } from '../store/sso/organisations.ts'
import type { Texts } from '../texts.ts'
import { adminOf, createAdmins, frameFor } from './console.ts'

const DONE = ['deleted', 'removed'] as const

export function ssoRoutes(services: Services, guard: Guard): Router {
  const { database, paths, views, texts } = services
  const admins = createAdmins(guard)
  const router = new Router()
  const url = `${paths.admin}/sso`

  router.get('/admin/sso', ...admins.look(), async ctx => {
    const { organisationId } = adminOf(ctx).account
    const [organisation, connections, domains] = await Promise.all([
      organisationOf(services, ctx),
      readConnections(database, organisationId),
      readDomains(database, organisationId),
    ])
    const closed = closedText(services, organisation)
    const held = connections.length > 0 || domains.length > 0
    const done = DONE.find(each => each === ctx.query.done)
    ctx.type = 'html'
    ctx.body = views.render('admin-sso', {
      frame: frameFor(services, guard, ctx, organisation.name, 'sso'),
      ...(closed === undefined
        ? { addUrl: `${url}/new`, addDomainUrl: `${url}/domains/new` }
        : { closed: held ? `${closed} ${texts.t('connections.closed.rest')}` : closed }),
      ...(done === undefined ? {} : { notice: texts.t(`connections.done.${done}`) }),
      providers: connections.map(each => ({
        name: each.name,
        href: `${url}/${each.id}`,
        protocol: texts.t(`connection.protocol.${each.protocol}`),
        status: statusOf(texts, each),
        domains: domains.filter(({ connectionId }) => connectionId === each.id).map(({ domain }) => domain),
      })),
      domains: domains.map(each => {
        const provider = connections.find(({ id }) => id === each.connectionId)?.name
        return {
          domain: each.domain,
          href: `${url}/domains/${each.id}`,
          status: domainStatus(texts, each),
          ...(provider === undefined ? {} : { provider }),
          ssoOnly: each.ssoOnly,
        }
      }),
      breakGlass: { href: `${url}/break-glass`, count: organisation.readyBreakGlass },
    })
  })

  return router
}

/** The organisation of the admin who looks. */
export async function organisationOf({ database }: Services, ctx: Context): Promise<SsoOrganisation> {
  const { id, organisationId } = adminOf(ctx).account
  const organisation = await readSsoOrganisation(database, organisationId, id)
  if (organisation === undefined) throw new AppError('not_found')
  return organisation
}

/** Why an organisation can change nothing; undefined: it can. */
export function closedText({ config, texts }: Services, { plan }: SsoOrganisation): string | undefined {
  if (isSpecialPlan(plan, config.ssoPlans)) return undefined
  return config.ssoPlans.length === 0
    ? texts.t('connections.closed.none')
    : texts.t('connections.closed', { plan, plans: config.ssoPlans.join(', ') })
}

export function statusOf({ t }: Texts, connection: Connection): Badge {
  if (connection.status === 'on') return { kind: 'ok', text: t('connection.status.on') }
  if (!isComplete(connection)) return { kind: 'plain', text: t('connection.status.draft') }
  const ready = connection.testedRevision === connection.revision
  return { kind: 'warn', text: t(ready ? 'connection.status.ready' : 'connection.status.off') }
}

export function domainStatus({ t }: Texts, { proven }: SsoDomain): Badge {
  return proven
    ? { kind: 'ok', text: t('domain.status.proven') }
    : { kind: 'warn', text: t('domain.status.unproven') }
}

/** Whoever is at work, for what they change. */
export function directoryOf({ database, keyring, clock, config }: Services, ctx: Context): Directory {
  return { database, keyring, clock, actor: adminOf(ctx).account.id, productName: config.productName }
}

/**
 * Why a change was refused, for a page that says so.
 *
 * @returns `plan`: the page says itself why it is closed
 * @throws AppError not_found for what the organisation does not have, and for whoever is no admin any more; the error
 *   itself where it is none of those
 */
export function refusalOf(error: unknown): SsoInputFault | 'plan' | 'last_break_glass' {
  if (!(error instanceof InputError)) throw error
  const { why } = error
  if (why?.reason === 'plan' || why?.reason === 'last_break_glass') return why.reason
  if (why?.reason === 'sso' && why.fault !== 'gone') return why.fault
  throw new AppError('not_found')
}
