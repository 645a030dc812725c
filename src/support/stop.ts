// **This wasn't me**: the case ends at once, by one write, whatever an agent does at the same moment. Pressed in a mail,
// or on the account page of a live session.

import Router from 'koa-router'
import { seeOther } from '../http/see-other.ts'
import { type Guard, sessionOf } from '../http/session.ts'
import type { Services } from '../services.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import { closeCase, readCase, readLockedOut, type ToldCase } from '../store/recovery/support-cases.ts'
import type { Keyring } from '../store/seal.ts'
import { caseActions } from './case-state.ts'
import { tellEnd } from './notices.ts'

/** Refused as `already_used` if it was used, closed or stopped. */
export function stopCase(
  keyring: Keyring,
  found: Pick<ToldCase, 'id' | 'accountId' | 'account'>,
  from: { readonly by: 'link' | 'session'; readonly address: string },
  now: number,
): Write[] {
  return [
    closeCase(found.id, 'stopped', now),
    auditRow(
      {
        event: 'support_case.stopped',
        organisationId: found.account.organisationId,
        accountId: found.accountId,
        address: from.address,
        details: { case: found.id, by: from.by },
      },
      now,
    ),
    ...tellEnd(keyring, found.account, 'stopped', now),
  ]
}

const STOP = { kind: 'support-stop', fields: [], page: '/account' } as const

/** The button on the account page: any live session of the account was there before the case, or its owner's. */
export function stopRoutes(services: Services, guard: Guard): Router {
  const { database, keyring, paths, clock } = services
  const router = new Router()
  router.post('/account/support-case/stop', guard.requireSessionForForm(STOP), async ctx => {
    await guard.sentForm(ctx, STOP)
    const { account } = sessionOf(ctx)
    const id = (await readLockedOut(database, account.id))?.caseId
    const found = id === undefined ? undefined : await readCase(database, { id })
    if (found !== undefined && caseActions(found, { kind: 'told' }, clock()).includes('stop')) {
      try {
        await database.commit(stopCase(keyring, found, { by: 'session', address: ctx.ip }, clock()))
      } catch (error) {
        // Somebody was faster: it is over either way.
        if (!(error instanceof CommitRefused)) throw error
      }
    }
    seeOther(ctx, `${paths.account}`)
  })
  return router
}
