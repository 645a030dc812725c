// Law 7: everything that can lock out or let in is written here, in the transaction that does it. A row says who did
// what to whom, from where and why; it never holds a secret. Rows are only ever added.

import type { Write } from '../database.ts'
import { sql, write } from '../statement.ts'

export type AuditEvent =
  | 'login'
  | 'step_up'
  | 'login.failed'
  | 'login.blocked'
  | 'login.address_refused'
  | 'logout'
  | 'sso.linked'
  | 'sso.user_created'
  | 'sso.unlinked'
  | 'sso.failed'
  | 'sso.session_ended'
  | 'session.ended'
  | 'session.others_ended'
  | 'password.wrong'
  | 'password.set'
  | 'account.locked'
  | 'password.changed'
  | 'password.reset_requested'
  | 'email.change_ordered'
  | 'email.changed'
  | 'email.change_stopped'
  | 'email.put_back'
  | 'account.name_changed'
  | 'code.wrong'
  | 'code.blocked'
  | 'authenticator.set_up'
  | 'authenticator.put_off'
  | 'recovery_code.used'
  | 'recovery_code.issued'
  | 'recovery_code.saved'
  | 'passkey.added'
  | 'passkey.refused'
  | 'passkey.removed'
  | 'passkey.renamed'
  | 'passkey.offer_declined'
  | 'second_factor.reset_ordered'
  | 'second_factor.reset'
  | 'mailed_code.sent'
  | 'mailbox.proven'
  | 'mail.refused'
  | 'address.unblocked'
  | 'help.asked'
  | 'support_case.opened'
  | 'support_case.approved'
  | 'support_case.closed'
  | 'support_case.stopped'
  | 'support_case.ended'
  | 'support_case.used'
  | 'consent.granted'
  | 'consent.denied'
  | 'consent.revoked'
  | 'action.confirmed'
  | 'action.allowed'
  | 'action.refused'
  | 'organisation.created'
  | 'organisation.plan_changed'
  | 'organisation.subscribed'
  | 'organisation.access_list_set'
  | 'organisation.session_policy_changed'
  | 'organisation.logged_out'
  | 'sso.connection_created'
  | 'sso.connection_changed'
  | 'sso.connection_tested'
  | 'sso.connection_on'
  | 'sso.connection_off'
  | 'sso.connection_deleted'
  | 'sso.domain_added'
  | 'sso.domain_proven'
  | 'sso.domain_set'
  | 'sso.domain_removed'
  | 'sso.break_glass_changed'
  | 'user.created'
  | 'user.invited'
  | 'user.invitation_withdrawn'
  | 'user.deactivated'
  | 'user.reactivated'
  | 'user.role_changed'
  | 'user.unblocked'
  | 'user.logged_out'
  | 'client.created'
  | 'client.updated'
  | 'client.actions_set'
  | 'api.created'
  | 'action_rule.tightened'
  | 'action_rule.loosened'
  | 'signing_keys.created'

export interface AuditEntry {
  readonly event: AuditEvent
  readonly organisationId?: string | null | undefined
  readonly accountId?: string | null | undefined
  /** Who did it, if not the account itself. */
  readonly actorId?: string | undefined
  readonly address?: string | undefined
  /** Correlates what belongs to one authorization request. */
  readonly interaction?: string | undefined
  readonly details?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>
}

const insert = sql(
  'audit_insert',
  `INSERT INTO audit_events (at, event, organisation_id, account_id, actor_id, address, interaction, details)
   VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
)

/** @param now milliseconds since 1970 */
export function auditRow(entry: AuditEntry, now: number): Write {
  return write(insert, [
    now,
    entry.event,
    entry.organisationId ?? null,
    entry.accountId ?? null,
    entry.actorId ?? null,
    entry.address ?? null,
    entry.interaction ?? null,
    JSON.stringify(entry.details ?? {}),
  ])
}
