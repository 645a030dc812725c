// Users and security › Audit log: what happened in the organisation, by whom, to whom and why, filtered, in pages by
// key, and as a file of the same. It only reads. Leaves out how the log is read (store/audit/audit-events.ts), what a
// file looks like (audit-export.ts), and the whole check of the log.

import { Readable } from 'node:stream'
import Router from 'koa-router'
import { EXPORT_FORMATS, type ExportFormat, exportAudit } from '../audit-export.ts'
import type { ViewLocals } from '../http/locals.ts'
import type { Guard } from '../http/session.ts'
import type { Services } from '../services.ts'
import { type AuditLeaf, readAuditEvents, turnTo } from '../store/audit/audit-events.ts'
import { createAuditCheck } from './audit-check.ts'
import {
  type AuditQuery,
  type Found,
  findPerson,
  rangeOf,
  readAuditQuery,
  writeAuditQuery,
} from './audit-query.ts'
import { checkNotice, eventChoice, eventRow, withAppName } from './audit-words.ts'
import { adminOf, createAdmins, frameOf } from './console.ts'

const PAGE_ROWS = 25
const TYPES: Readonly<Record<ExportFormat, string>> = { csv: 'text/csv', jsonl: 'application/jsonl' }

export function auditRoutes(services: Services, guard: Guard): Router {
  const { clients, database, keyring, paths, views, texts, clock } = services
  const admins = createAdmins(guard)
  const check = createAuditCheck(database, keyring, clock)
  const router = new Router()
  const action = `${paths.admin}/audit`

  router.get('/admin/audit', ...admins.look(), async ctx => {
    const { organisationId } = adminOf(ctx).account
    const query = readAuditQuery(ctx.URL.searchParams)
    const found = await personOf(organisationId, query)
    const [{ frame }, checked, page] = await Promise.all([
      frameOf(services, guard, ctx, 'audit'),
      check(),
      turnTo(query.place, PAGE_ROWS, at =>
        readAuditEvents(database, organisationId, { ...rangeOf(query), person: idOf(found), ...at }),
      ),
    ])
    ctx.type = 'html'
    ctx.body = views.render('admin-audit', {
      frame,
      checked: checkNotice(texts, checked),
      ...(await shown(query, found, page)),
    })
  })

  for (const format of EXPORT_FORMATS) {
    router.get(`/admin/audit/events.${format}`, ...admins.look(), async ctx => {
      const { organisationId } = adminOf(ctx).account
      const query = readAuditQuery(ctx.URL.searchParams)
      const found = await personOf(organisationId, query)
      ctx.type = `${TYPES[format]}; charset=utf-8`
      ctx.attachment(`audit-log-${new Date(clock()).toISOString().slice(0, 10)}.${format}`)
      ctx.body = Readable.from(
        exportAudit(database, organisationId, format, { ...rangeOf(query), person: idOf(found) }),
      )
    })
  }

  const personOf = async (organisationId: string, { person }: AuditQuery): Promise<Found | undefined> =>
    person === '' ? undefined : findPerson(database, organisationId, person)

  async function shown(
    query: AuditQuery,
    found: Found | undefined,
    { records, newer, older }: AuditLeaf,
  ): Promise<Omit<ViewLocals['admin-audit'], 'frame' | 'checked'>> {
    const link = (change: Partial<AuditQuery>) => `${action}${writeAuditQuery(query, change)}`
    return {
      action,
      choice: eventChoice(texts, query.event),
      person: query.person,
      from: query.from,
      to: query.to,
      ...(records.length === 0
        ? {}
        : {
            files: {
              csv: `${action}/events.csv${writeAuditQuery(query)}`,
              jsonl: `${action}/events.jsonl${writeAuditQuery(query)}`,
            },
          }),
      ...(found?.kind === 'nobody' ? { nobody: true } : {}),
      ...(found?.kind === 'several'
        ? {
            several: {
              people: found.users.map(({ name, email }) => ({ name, email, href: link({ person: email }) })),
              more: found.more,
            },
          }
        : {}),
      events: await Promise.all(records.map(async each => eventRow(texts, await withAppName(clients, each)))),
      pages: {
        ...(newer === undefined ? {} : { previous: link({ place: newer }) }),
        ...(older === undefined ? {} : { next: link({ place: older }) }),
      },
    }
  }

  return router
}

/** Whose events are read; somebody who was not found has none. */
function idOf(found: Found | undefined): string | undefined {
  return found === undefined ? undefined : found.kind === 'one' ? found.id : ''
}
