// Test login: the admin is sent to the identity provider as a user would be, and sees what came back, before anybody
// depends on it. The answer comes to the callback (flow/sso-callbacks.ts), which brings it here under a handle; it is
// taken once, by the session that asked. Nobody is logged in by it, and nothing is linked.

import type { Context } from 'koa'
import Router from 'koa-router'
import { linkFor } from '../flow/ways/sso.ts'
import type { ViewLocals } from '../http/locals.ts'
import { seeOther } from '../http/see-other.ts'
import type { FormKind, Guard } from '../http/session.ts'
import { noteTested } from '../organisations/sso-connections.ts'
import type { Services } from '../services.ts'
import { factOf } from '../sso/assurance.ts'
import { type Link, roleOf } from '../sso/link.ts'
import { isComplete } from '../sso/settings.ts'
import { SsoError, type UpstreamAnswer } from '../sso/upstream.ts'
import type { Returned, Upstreams } from '../sso/upstreams.ts'
import type { Connection } from '../store/sso/connections.ts'
import {
  insertSsoRequest,
  openRequest,
  readAnsweredRequest,
  type SsoRequest,
  useAnswer,
} from '../store/sso/requests.ts'
import { unit } from '../store/unit-of-work.ts'
import { adminOf, createAdmins, frameFor } from './console.ts'
import { closedText, directoryOf, organisationOf } from './sso.ts'
import { isUsed } from './sso-domains.ts'
import { connectionOf } from './sso-providers.ts'

const TEST = { kind: 'sso-test', fields: [], page: '/admin/sso/:id' } as const satisfies FormKind

const LONGEST_SHOWN = 200
const MOST_SHOWN = 100

type Locals = ViewLocals['admin-sso-test']
type Shown = Pick<Locals, 'result' | 'detail' | 'means' | 'said' | 'authenticatedAt' | 'claims'>

export function ssoTestRoutes(services: Services, guard: Guard, upstreams: Upstreams): Router {
  const { database, keyring, paths, views, texts, clock } = services
  const { t } = texts
  const admins = createAdmins(guard)
  const router = new Router()
  const listUrl = `${paths.admin}/sso`

  router.post('/admin/sso/:id/test', ...admins.choose(TEST), async ctx => {
    await guard.sentForm(ctx, TEST)
    const connection = await connectionOf(services, ctx)
    const closed = closedText(services, await organisationOf(services, ctx))
    // The provider's page says why not.
    if (closed !== undefined || !isComplete(connection)) return seeOther(ctx, `${listUrl}/${connection.id}`)
    try {
      const ask = { acrValues: connection.twoFactor.acr, fresh: false, twoFactor: false }
      const { url, state, pending } = await upstreams.begin(connection, ask)
      const request = { state, connectionId: connection.id, askedBy: { sessionUid: adminOf(ctx).uid } }
      await unit().flush([insertSsoRequest(keyring, request, pending, clock())])
      seeOther(ctx, url)
    } catch (error) {
      if (!(error instanceof SsoError)) throw error
      await show(ctx, connection, faultOf(error))
    }
  })

  router.get('/admin/sso/:id/test', ...admins.look(), async ctx => {
    const connection = await connectionOf(services, ctx)
    const { h: handle } = ctx.query
    // The address of the form, after a reload or Back.
    if (typeof handle !== 'string') return seeOther(ctx, `${listUrl}/${connection.id}`)
    const request = await readAnsweredRequest(database, handle, clock())
    if (request === undefined || !isOwn(ctx, connection, request)) return show(ctx, connection, gone())
    const returned = openRequest<Returned>(keyring, request)
    try {
      if (returned.ok) {
        const tested = await noteTested(
          directoryOf(services, ctx),
          { connection, revision: returned.revision, address: ctx.ip },
          useAnswer(request, clock()),
        )
        return await show(ctx, connection, await answered(connection, returned.answer, request, tested))
      }
      await database.commit([useAnswer(request, clock())])
      await show(ctx, connection, faultOf(returned))
    } catch (error) {
      // In two tabs at once.
      if (!isUsed(error)) throw error
      await show(ctx, connection, gone())
    }
  })

  function isOwn(ctx: Context, { id }: Connection, { connectionId, askedBy }: SsoRequest): boolean {
    return connectionId === id && 'sessionUid' in askedBy && askedBy.sessionUid === adminOf(ctx).uid
  }

  function gone(): Shown {
    return { result: { kind: 'warning', text: t('testLogin.gone') }, means: [], said: [], claims: [] }
  }

  function faultOf({ fault, detail }: Pick<SsoError, 'fault' | 'detail'>): Shown {
    const text = t(`testLogin.fault.${fault}`)
    return { result: { kind: 'danger', text }, detail, means: [], said: [], claims: [] }
  }

  async function answered(
    connection: Connection,
    answer: UpstreamAnswer,
    request: SsoRequest,
    tested: boolean,
  ): Promise<Shown> {
    const { authenticatedAt } = answer
    return {
      result: tested
        ? { kind: 'success', text: t('testLogin.ok') }
        : { kind: 'warning', text: t('testLogin.stale') },
      means: await meansOf(connection, answer, request),
      said: saidOf(connection, answer),
      ...(authenticatedAt === undefined ? {} : { authenticatedAt }),
      claims: Object.entries(answer.claims)
        .slice(0, MOST_SHOWN)
        .map(([name, value]) => ({ name: shortened(name), value: shortened(spelled(value)) })),
    }
  }

  async function meansOf(
    connection: Connection,
    answer: UpstreamAnswer,
    { createdAt }: SsoRequest,
  ): Promise<string[]> {
    const fact = factOf(answer, connection, createdAt, clock())
    const worth = fact === undefined ? 'future' : fact.kind === '2fa' ? 'twoFactors' : 'oneFactor'
    const link = await linkFor(services, connection, answer)
    const role = roleOf(answer, connection)
    return [
      t(`testLogin.${worth}`),
      linkText(link),
      ...(role === undefined ? [] : [t('testLogin.role', { role: t(`role.${role}`) })]),
    ]
  }

  function linkText(link: Link): string {
    if (link.kind === 'refused') return t(`testLogin.link.${link.reason}`)
    const email = link.kind === 'create' ? link.email : link.account.email
    return t(`testLogin.link.${link.kind}`, { email })
  }

  function saidOf({ protocol }: Connection, answer: UpstreamAnswer): Locals['said'] {
    const { subject, email, emailVerified, name, groups, acr, amr } = answer
    const shown = (text: string | undefined) =>
      text === undefined || text === '' ? t('testLogin.nothing') : shortened(text)
    const proof = emailVerified === true ? 'verified' : 'unverified'
    const address =
      email === undefined || emailVerified === undefined
        ? shown(email)
        : t(`testLogin.email.${proof}`, { email: shortened(email) })
    return [
      { text: t('testLogin.subject'), value: shown(subject) },
      { text: t('testLogin.email'), value: address },
      { text: t('testLogin.name'), value: shown(name) },
      {
        text: t('testLogin.groups'),
        value:
          groups === undefined ? t('testLogin.groupsLeftOut') : shown(groups.slice(0, MOST_SHOWN).join(', ')),
      },
      { text: t(protocol === 'saml' ? 'testLogin.context' : 'testLogin.acr'), value: shown(acr) },
      { text: t(protocol === 'saml' ? 'testLogin.methods' : 'testLogin.amr'), value: shown(amr.join(' ')) },
    ]
  }

  async function show(ctx: Context, { id, name }: Connection, shown: Shown): Promise<void> {
    const organisation = await organisationOf(services, ctx)
    ctx.type = 'html'
    ctx.body = views.render('admin-sso-test', {
      frame: frameFor(services, guard, ctx, organisation.name, 'sso'),
      providerUrl: `${listUrl}/${id}`,
      name,
      action: `${listUrl}/${id}/test`,
      ...shown,
    })
  }

  return router
}

function spelled(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

function shortened(text: string): string {
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text
}
