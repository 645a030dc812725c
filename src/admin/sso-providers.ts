// Adding an identity provider, and its page: our addresses for it, what it gave the admin, and what holds for its users.
// A provider is added by its protocol and a name alone, since our address is wanted there before its secret is here.
// Leaves out testing, switching and deleting (sso-test.ts, sso-switches.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import type { ViewLocals } from '../http/locals.ts'
import { idOf } from '../http/path-id.ts'
import { seeOther } from '../http/see-other.ts'
import type { FormKind, Guard } from '../http/session.ts'
import { changeConnection, createConnection, isProtocol } from '../organisations/sso-connections.ts'
import {
  CONNECTION_FIELDS,
  type ConnectionField,
  type FieldFault,
  readConnectionName,
  readConnectionSettings,
  SettingsError,
  type TypedConnection,
} from '../organisations/sso-settings.ts'
import type { Paths } from '../paths.ts'
import type { Services } from '../services.ts'
import { outboundFetch } from '../sso/outbound.ts'
import { readCertificate } from '../sso/saml-keys.ts'
import { isComplete, oidcOf, samlOf } from '../sso/settings.ts'
import { type Connection, PROTOCOLS, readConnection } from '../store/sso/connections.ts'
import { readDomains } from '../store/sso/domains.ts'
import type { TextKey } from '../texts.ts'
import { adminOf, createAdmins, frameFor } from './console.ts'
import { closedText, directoryOf, organisationOf, refusalOf, statusOf } from './sso.ts'
import { isUsed } from './sso-domains.ts'

const NEW = {
  kind: 'sso-connection-new',
  fields: ['protocol', 'name'],
  page: '/admin/sso/new',
} as const satisfies FormKind
const FORM = {
  kind: 'sso-connection',
  fields: [...CONNECTION_FIELDS, 'seen'],
  // Metadata is pasted: that of Microsoft Entra ID has 100 KB, and grows as it is sent.
  mostBytes: 512 * 1024,
  page: '/admin/sso/:id',
} as const satisfies FormKind

const DONE = ['created', 'saved', 'on', 'off'] as const

type Locals = ViewLocals['admin-sso-provider']
type Said = Partial<Pick<Locals, 'notice' | 'error' | 'errors' | 'waiting'>> & {
  readonly typed?: TypedConnection
}

export function ssoProviderRoutes(services: Services, guard: Guard): Router {
  const { config, database, paths, views, texts } = services
  const { allowPrivateNetwork } = config
  const fetch = outboundFetch({ allowPrivateNetwork })
  const admins = createAdmins(guard)
  const router = new Router()
  const listUrl = `${paths.admin}/sso`

  router.get('/admin/sso/new', ...admins.look(), async ctx => {
    const waiting = await guard.pendingForm(ctx, NEW)
    const gone = ctx.query.pending !== undefined && waiting === undefined
    await form(ctx, waiting?.form ?? {}, {
      ...(waiting === undefined ? {} : { waiting: waiting.id }),
      ...(gone ? { error: texts.t('connection.gone') } : {}),
    })
  })

  router.post('/admin/sso/new', ...admins.change(NEW), async ctx => {
    const { organisationId } = adminOf(ctx).account
    const sent = await guard.sentForm(ctx, NEW)
    ctx.status = 400
    if (sent === undefined) return form(ctx, {}, { error: texts.t('connection.gone') })
    const { protocol } = sent.form
    try {
      const name = readConnectionName(sent.form.name)
      if (!isProtocol(protocol)) {
        return form(ctx, sent.form, { errors: { protocol: texts.t('connection.error.protocol') } })
      }
      const choice = { organisationId, address: ctx.ip, also: sent.taken }
      const wish = { protocol, name }
      const made = await createConnection(directoryOf(services, ctx), choice, wish, config.ssoPlans)
      seeOther(ctx, `${listUrl}/${made.id}?done=created`)
    } catch (error) {
      if (isUsed(error)) return seeOther(ctx, listUrl)
      if (error instanceof SettingsError) return form(ctx, sent.form, { errors: errorsOf(error) })
      // The list says why nothing can be added.
      if (refusalOf(error) === 'plan') return seeOther(ctx, listUrl)
      await form(ctx, sent.form, { error: texts.t('connection.tooMany') })
    }
  })

  router.get('/admin/sso/:id', ...admins.look(), async ctx => {
    const connection = await connectionOf(services, ctx)
    const waiting = await guard.pendingForm(ctx, FORM)
    const gone = ctx.query.pending !== undefined && waiting === undefined
    const done = DONE.find(each => each === ctx.query.done)
    const holds = done === 'on' || done === 'off' ? connection.status === done : done !== undefined
    await show(ctx, connection, {
      ...(waiting === undefined ? {} : { waiting: waiting.id }),
      ...(gone ? { error: texts.t('connection.gone') } : {}),
      ...(holds && done !== undefined ? { notice: texts.t(`connection.done.${done}`) } : {}),
    })
  })

  router.post('/admin/sso/:id', ...admins.change(FORM), async ctx => {
    const connection = await connectionOf(services, ctx)
    const { id, organisationId } = connection
    const sent = await guard.sentForm(ctx, FORM)
    if (sent === undefined) return again(ctx, 400, connection, { error: texts.t('connection.gone') })
    const { seen = '', ...typed } = sent.form
    try {
      const read = await readConnectionSettings(connection, typed, { fetch, allowHttp: allowPrivateNetwork })
      const choice = { id, organisationId, address: ctx.ip, also: sent.taken }
      await changeConnection(
        directoryOf(services, ctx),
        choice,
        { seen: Number(seen), read },
        config.ssoPlans,
      )
      seeOther(ctx, `${listUrl}/${id}?done=saved`)
    } catch (error) {
      if (isUsed(error)) return seeOther(ctx, `${listUrl}/${id}`)
      if (error instanceof SettingsError) {
        return again(ctx, 400, connection, { typed, errors: errorsOf(error) })
      }
      const why = refusalOf(error)
      if (why === 'incomplete') {
        return again(ctx, 409, connection, { typed, error: texts.t('connection.incomplete') })
      }
      // Somebody was faster, or the plan has changed: the page says what holds.
      const said = why === 'plan' ? {} : { error: texts.t('connection.changed') }
      await again(ctx, 409, await connectionOf(services, ctx), said)
    }
  })

  function errorsOf({ faults }: SettingsError): Partial<Record<ConnectionField, string>> {
    return Object.fromEntries(
      Object.entries(faults).map(([field, fault]) => [field, faultText(field as ConnectionField, fault)]),
    )
  }

  function faultText(field: ConnectionField, fault: FieldFault): string {
    if (typeof fault !== 'string') {
      return `${texts.t(`connection.error.upstream.${upstreamFault(fault.upstream)}`)} (${fault.detail})`
    }
    return texts.t(fault === 'malformed' ? malformed(field) : `connection.error.${fault}`)
  }

  async function again(ctx: Context, status: number, connection: Connection, said: Said): Promise<void> {
    ctx.status = status
    await show(ctx, connection, said)
  }

  async function show(ctx: Context, connection: Connection, { typed, ...said }: Said): Promise<void> {
    const [organisation, domains] = await Promise.all([
      organisationOf(services, ctx),
      readDomains(database, connection.organisationId),
    ])
    const closed = closedText(services, organisation)
    const { id, name, protocol, revision, secret } = connection
    const url = `${listUrl}/${id}`
    const saml = protocol === 'saml' ? samlOf(connection) : undefined
    // What was typed is shown again, but for secrets.
    const { client_secret: _, ...shown } = typed ?? valuesOf(connection)
    ctx.type = 'html'
    ctx.body = views.render('admin-sso-provider', {
      frame: frameFor(services, guard, ctx, organisation.name, 'sso'),
      listUrl,
      action: url,
      ...{ name, protocol },
      protocolName: texts.t(`connection.protocol.${protocol}`),
      status: statusOf(texts, connection),
      ...(closed === undefined ? { test: testOf(connection, url) } : { closed }),
      ours: oursOf(paths, connection).map(each => ({ ...each, text: texts.t(`connection.ours.${each.id}`) })),
      ...(saml === undefined ? {} : { ourCertificate: saml.ourCertificate }),
      seen: String(revision),
      values: shown,
      locked: connection.testedRevision !== null,
      hasSecret: secret !== null,
      certificates: (saml?.certificates ?? []).flatMap(each => {
        const read = readCertificate(each)
        return read === undefined ? [] : [{ fingerprint: read.fingerprint, until: read.expiresAt }]
      }),
      domains: domains
        .filter(each => each.connectionId === id)
        .map(each => ({ domain: each.domain, href: `${listUrl}/domains/${each.id}` })),
      switches: switchesOf(connection, url, closed !== undefined),
      primary: closed !== undefined ? 'switch' : said.waiting === undefined ? nextOf(connection) : 'save',
      ...said,
    })
  }

  function testOf(connection: Connection, url: string): NonNullable<Locals['test']> {
    if (!isComplete(connection)) return { kind: 'info', text: texts.t('connection.test.incomplete') }
    const action = `${url}/test`
    const { testedRevision, revision } = connection
    if (testedRevision === null) return { kind: 'info', action }
    return testedRevision === revision
      ? { kind: 'success', action, text: texts.t('connection.test.tested') }
      : { kind: 'warning', action, text: texts.t('connection.test.changed') }
  }

  function switchesOf(connection: Connection, url: string, closed: boolean): Locals['switches'] {
    const on = connection.status === 'on'
    const ready = connection.testedRevision === connection.revision && !closed
    return [
      on
        ? { text: texts.t('connection.off'), hint: texts.t('connection.off.hint'), href: `${url}/off` }
        : {
            text: texts.t('connection.on'),
            hint: texts.t(ready ? 'connection.on.hint' : 'connection.on.untested'),
            ...(ready ? { href: `${url}/on` } : {}),
          },
      {
        text: texts.t('connection.delete'),
        hint: texts.t(on ? 'connection.delete.on' : 'connection.delete.hint'),
        ...(on ? {} : { href: `${url}/delete` }),
      },
    ]
  }

  async function form(
    ctx: Context,
    { name = '', protocol }: { readonly name?: string; readonly protocol?: string },
    said: Partial<Pick<ViewLocals['admin-sso-new'], 'error' | 'errors' | 'waiting'>>,
  ): Promise<void> {
    const organisation = await organisationOf(services, ctx)
    ctx.type = 'html'
    ctx.body = views.render('admin-sso-new', {
      frame: frameFor(services, guard, ctx, organisation.name, 'sso'),
      listUrl,
      action: `${listUrl}/new`,
      name,
      protocols: PROTOCOLS.map(each => ({
        value: each,
        text: texts.t(`connection.protocol.${each}`),
        hint: texts.t(`connection.protocol.${each}.hint`),
        checked: each === protocol,
      })),
      ...said,
    })
  }

  return router
}

/** The connection that the address names, of the admin's organisation: there are no others. */
export async function connectionOf({ database }: Services, ctx: Context): Promise<Connection> {
  const connection = await readConnection(database, idOf(ctx))
  if (connection?.organisationId !== adminOf(ctx).account.organisationId) throw new AppError('not_found')
  return connection
}

type Ours = 'entityId' | 'acs' | 'slo' | 'redirect' | 'logout'

function oursOf(paths: Paths, { id, protocol }: Connection): { id: Ours; value: string }[] {
  const to = (path: string) => `${paths.origin}${path}`
  return protocol === 'saml'
    ? [
        { id: 'entityId', value: to(paths.ssoSaml(id, 'metadata')) },
        { id: 'acs', value: to(paths.ssoSaml(id, 'acs')) },
        { id: 'slo', value: to(paths.ssoSaml(id, 'slo')) },
      ]
    : [
        { id: 'redirect', value: to(paths.ssoOidc(id)) },
        { id: 'logout', value: to(paths.ssoOidc(id, 'logout')) },
      ]
}

/** What is to be done next. */
function nextOf(connection: Connection): Locals['primary'] {
  if (connection.status === 'on' || !isComplete(connection)) return 'save'
  return connection.testedRevision === connection.revision ? 'switch' : 'test'
}

/** What is stored, as the fields have it. */
function valuesOf(connection: Connection): TypedConnection {
  const { name, protocol, twoFactor, createsUsers, adminGroups } = connection
  const rules = {
    name,
    two_factor_acr: twoFactor.acr.join('\n'),
    two_factor_amr: twoFactor.amr.join('\n'),
    creates_users: createsUsers ? 'yes' : '',
    admin_groups: adminGroups.join('\n'),
  }
  if (protocol !== 'saml') {
    const { issuer = '', tenant = '', clientId = '', scopes = [] } = oidcOf(connection)
    return { ...rules, issuer, tenant, client_id: clientId, scopes: scopes.join(' ') }
  }
  const { entityId = '', ssoUrl = '', sloUrl = '', metadataUrl = '', ...saml } = samlOf(connection)
  return {
    ...rules,
    metadata_url: metadataUrl,
    entity_id: entityId,
    sso_url: ssoUrl,
    slo_url: sloUrl,
    certificates: (saml.certificates ?? []).join(''),
    idp_initiated: saml.idpInitiated ? 'yes' : '',
  }
}

const ADDRESSES: readonly ConnectionField[] = ['issuer', 'metadata_url', 'sso_url', 'slo_url']

function malformed(field: ConnectionField): TextKey {
  if (ADDRESSES.includes(field)) return 'connection.error.malformed.address'
  if (field === 'name' || field === 'tenant' || field === 'certificates') {
    return `connection.error.malformed.${field}`
  }
  return 'connection.error.malformed.text'
}

/** What reading metadata can come to. */
function upstreamFault(fault: string): 'unreachable' | 'tls' | 'private_address' | 'configuration' {
  return fault === 'unreachable' || fault === 'tls' || fault === 'private_address' ? fault : 'configuration'
}
