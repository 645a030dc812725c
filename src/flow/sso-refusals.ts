// What a customer's identity provider sent outside of a login here, and was refused, in the audit log: once a minute for a
// connection, an address and a fault, so that a stranger who sends it again and again doesn't fill the log.

import type { Context } from 'koa'
import { noteNotified } from '../factors/attempts.ts'
import type { Services } from '../services.ts'
import type { SsoFault } from '../sso/upstream.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused } from '../store/database.ts'
import { digest } from '../store/ids.ts'
import type { Connection } from '../store/sso/connections.ts'

const MINUTE_MS = 60_000

export async function recordSsoRefusal(
  { database, clock }: Pick<Services, 'database' | 'clock'>,
  { ip: address }: Context,
  { id, name, organisationId }: Connection,
  { fault, detail }: { readonly fault: SsoFault; readonly detail: string },
): Promise<void> {
  const now = clock()
  const once = noteNotified(digest(`sso ${id} ${address} ${fault}`), now, MINUTE_MS)
  const details = { connection: name, fault, detail: detail.slice(0, 200) }
  const row = auditRow({ event: 'sso.failed', organisationId, address, details }, now)
  try {
    await database.commit([once, row])
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error
  }
}
