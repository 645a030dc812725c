// A refusal by the organisation's access list, in the audit log: once for each authorization request, and once an hour for
// an account and an address where an app asks silently, so that neither a reload nor an app that asks again fills the log.

import { noteNotified } from '../factors/attempts.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused } from '../store/database.ts'
import { digest } from '../store/ids.ts'

const DAY_MS = 24 * 60 * 60 * 1000

export interface Outside {
  readonly account: Account
  /** From where. */
  readonly address: string
  readonly clientId: string
  /** The authorization request's `cid`; undefined: it is asked silently, and is none of its own. */
  readonly interaction: string | undefined
}

export async function recordOutside({ database, clock }: Services, refused: Outside): Promise<void> {
  const { account, address, clientId, interaction } = refused
  const now = clock()
  const once =
    interaction === undefined
      ? noteNotified(digest(`outside ${account.id} ${address}`), now)
      : noteNotified(digest(`outside ${interaction}`), now, DAY_MS)
  const row = auditRow(
    {
      event: 'login.address_refused',
      organisationId: account.organisationId,
      accountId: account.id,
      address,
      interaction,
      details: { client: clientId, silent: interaction === undefined },
    },
    now,
  )
  try {
    await database.commit([once, row])
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error
  }
}
