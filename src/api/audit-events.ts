// The API's audit log of an organisation, newest first: each event as the log's file of JSON lines has it.

import type Router from 'koa-router'
import { auditObject } from '../audit-export.ts'
import type { Services } from '../services.ts'
import { type AuditKey, parseAuditKey, readAuditEvents, spellAuditKey } from '../store/audit/audit-events.ts'
import { OWN_API_SCOPE } from '../store/oidc/own-api.ts'
import type { Access } from './bearer.ts'
import { parse } from './problem.ts'
import { AuditQuery, MOST_LISTED } from './schemas.ts'
import { notGiven } from './users.ts'

export function auditRoutes(router: Router, { database }: Services, access: Access): void {
  router.get('/v1/organisations/:id/audit-events', async ctx => {
    const { organisationId } = await access.toOrganisation(ctx, [OWN_API_SCOPE.audit])
    const { event, person, from, to, after, limit = MOST_LISTED } = parse(AuditQuery, { ...ctx.query })
    const found = await readAuditEvents(database, organisationId, {
      event,
      person,
      from: from === undefined ? undefined : Date.parse(from),
      to: to === undefined ? undefined : Date.parse(to),
      before: after === undefined ? undefined : keyOf(after),
      limit: limit + 1,
    })
    const events = found.slice(0, limit)
    const last = events.at(-1)
    ctx.body = {
      events: events.map(auditObject),
      next: found.length > limit && last !== undefined ? spellAuditKey(last) : null,
    }
  })
}

function keyOf(text: string): AuditKey {
  const key = parseAuditKey(text)
  if (key === undefined) throw notGiven()
  return key
}
