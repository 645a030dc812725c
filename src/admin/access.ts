// Access list: the addresses from which the organisation's users log in and use their sessions. Leaves out what a list
// means (organisations/access-list.ts), and the setting itself (organisations/access-setting.ts), which lets no admin
// shut themselves out.

import type { Context } from 'koa'
import Router from 'koa-router'
import type { ViewLocals } from '../http/locals.ts'
import { seeOther } from '../http/see-other.ts'
import type { FormKind, Guard } from '../http/session.ts'
import { admits, entriesOf, plainAddress, readAccessList } from '../organisations/access-list.ts'
import { accessListOf, setAccessList } from '../organisations/access-setting.ts'
import { InputError, type InputFault } from '../organisations/directory.ts'
import type { Services } from '../services.ts'
import { CommitRefused } from '../store/database.ts'
import { digest } from '../store/ids.ts'
import { adminOf, createAdmins, frameOf } from './console.ts'

const FORM = {
  kind: 'access-list',
  fields: ['addresses', 'seen'],
  page: '/admin/access',
} as const satisfies FormKind

type Said = Partial<Pick<ViewLocals['admin-access'], 'notice' | 'error' | 'errors' | 'waiting' | 'addresses'>>

export function accessRoutes(services: Services, guard: Guard): Router {
  const { database, paths, views, texts, clock } = services
  const admins = createAdmins(guard)
  const router = new Router()
  const url = `${paths.admin}/access`

  router.get('/admin/access', ...admins.look(), async ctx => {
    const { accessList } = adminOf(ctx).account
    const waiting = await guard.pendingForm(ctx, FORM)
    if (waiting !== undefined) {
      const { addresses = '' } = waiting.form
      const why = faultOf(ctx, addresses)
      // What can't be saved is said now, not after one more press.
      if (why !== undefined) return show(ctx, accessList, { addresses, errors: errorsOf(why) })
      const read = readAccessList(addresses)
      const list = read.ok ? read.text : addresses
      return show(ctx, accessList, { waiting: { id: waiting.id, addresses: list } })
    }
    // It was kept, and then waited too long, or was sent from another tab.
    if (ctx.query.pending !== undefined) return show(ctx, accessList, { error: texts.t('access.gone') })
    const saved = ctx.query.done === digest(accessList)
    const count = entriesOf(accessList).length
    await show(ctx, accessList, saved ? { notice: texts.t('access.done', { count }) } : {})
  })

  router.post('/admin/access', ...admins.change(FORM), async ctx => {
    const { account } = adminOf(ctx)
    const { organisationId, accessList } = account
    const sent = await guard.sentForm(ctx, FORM)
    if (sent === undefined) return again(ctx, 400, accessList, { error: texts.t('access.gone') })
    const { addresses = '', seen } = sent.form
    try {
      // The page names the list by its digest: another than the one that holds now was changed since.
      if (seen !== digest(accessList)) throw new CommitRefused('account_changed')
      const { list } = await setAccessList(
        { database, clock, actor: account.id },
        { organisationId, typed: addresses, seen: accessList, address: ctx.ip, also: sent.taken },
      )
      seeOther(ctx, `${url}?done=${digest(list)}`)
    } catch (error) {
      if (error instanceof InputError && error.why !== undefined) {
        return again(ctx, 400, accessList, { addresses, errors: errorsOf(error.why) })
      }
      if (!(error instanceof CommitRefused)) throw error
      // Somebody was faster: another admin, or the same form in another tab.
      const now = await accessListOf({ database }, organisationId)
      const list = entriesOf(now).join(', ') || texts.t('access.new.none')
      await again(ctx, 409, now, { addresses, error: texts.t('access.changed', { list }) })
    }
  })

  /** Why a list can't be saved from here. */
  function faultOf(ctx: Context, addresses: string): InputFault | undefined {
    const read = readAccessList(addresses)
    if (!read.ok) return { reason: 'access_list', fault: read.fault }
    return admits(read.text, ctx.ip) ? undefined : { reason: 'shuts_out', address: ctx.ip }
  }

  function errorsOf(why: InputFault): { addresses: string } {
    if (why.reason === 'shuts_out') {
      return { addresses: texts.t('access.error.shuts_out', { address: plainAddress(why.address) }) }
    }
    if (why.reason !== 'access_list') throw new Error(`an access list is refused for ${why.reason}`)
    const { reason, ...values } = why.fault
    return { addresses: texts.t(`access.error.${reason}`, { ...values }) }
  }

  async function again(ctx: Context, status: number, list: string, said: Said): Promise<void> {
    ctx.status = status
    await show(ctx, list, said)
  }

  /** @param list that holds */
  async function show(ctx: Context, list: string, said: Said): Promise<void> {
    const { frame } = await frameOf(services, guard, ctx, 'access')
    ctx.type = 'html'
    ctx.body = views.render('admin-access', {
      frame,
      action: url,
      addresses: list,
      seen: digest(list),
      count: entriesOf(list).length,
      address: plainAddress(ctx.ip),
      ...said,
    })
  }

  return router
}
