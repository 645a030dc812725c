// An event of the audit log in the words of its page. Of the details only what is known to say something is shown: the
// rest, such as keys of a later version, stays in the export. The compiler misses an event without a place in the list.

import type { ViewLocals } from '../http/locals.ts'
import { PROGRAM } from '../program.ts'
import type { AuditEvent } from '../store/audit/audit.ts'
import type { AuditPerson, AuditRecord } from '../store/audit/audit-events.ts'
import { AUDIT_EVENTS } from '../store/audit/audit-meanings.ts'
import type { Clients } from '../store/oidc/clients.ts'
import { OWN_CLIENT_ID } from '../store/oidc/own-client.ts'
import type { Texts } from '../texts.ts'
import type { AuditCheck } from './audit-check.ts'

const GROUPS = ['logins', 'secondFactor', 'sso', 'apps', 'organisation'] as const

/** Where the list of events has each; null: it belongs to no organisation, so it is in nobody's list. */
const GROUP: Readonly<Record<AuditEvent, (typeof GROUPS)[number] | null>> = {
  login: 'logins',
  step_up: 'logins',
  'login.failed': 'logins',
  'login.blocked': 'logins',
  'login.address_refused': 'logins',
  logout: 'logins',
  'sso.linked': 'logins',
  'sso.user_created': 'organisation',
  'sso.unlinked': 'logins',
  'sso.failed': 'logins',
  'sso.session_ended': 'logins',
  'session.ended': 'logins',
  'session.others_ended': 'logins',
  'password.wrong': 'logins',
  'password.set': 'logins',
  'account.locked': 'logins',
  'password.changed': 'logins',
  'password.reset_requested': 'logins',
  'email.change_ordered': 'logins',
  'email.changed': 'logins',
  'email.change_stopped': 'logins',
  'email.put_back': 'logins',
  'account.name_changed': 'logins',
  'address.unblocked': 'logins',
  'user.unblocked': 'logins',
  'user.logged_out': 'logins',
  'code.wrong': 'secondFactor',
  'code.blocked': 'secondFactor',
  'authenticator.set_up': 'secondFactor',
  'authenticator.put_off': 'secondFactor',
  'recovery_code.used': 'secondFactor',
  'recovery_code.issued': 'secondFactor',
  'recovery_code.saved': 'secondFactor',
  'passkey.added': 'secondFactor',
  'passkey.refused': 'secondFactor',
  'passkey.removed': 'secondFactor',
  'passkey.renamed': 'secondFactor',
  'passkey.offer_declined': 'secondFactor',
  'second_factor.reset_ordered': 'secondFactor',
  'second_factor.reset': 'secondFactor',
  'mailed_code.sent': 'secondFactor',
  'mailbox.proven': 'secondFactor',
  'mail.refused': 'organisation',
  'help.asked': 'secondFactor',
  'support_case.opened': 'secondFactor',
  'support_case.approved': 'secondFactor',
  'support_case.closed': 'secondFactor',
  'support_case.stopped': 'secondFactor',
  'support_case.ended': 'secondFactor',
  'support_case.used': 'secondFactor',
  'consent.granted': 'apps',
  'consent.denied': 'apps',
  'consent.revoked': 'apps',
  'action.confirmed': 'apps',
  'action.allowed': 'apps',
  'action.refused': 'apps',
  'action_rule.tightened': 'apps',
  'action_rule.loosened': 'apps',
  'organisation.created': 'organisation',
  'organisation.plan_changed': 'organisation',
  'organisation.subscribed': 'organisation',
  'organisation.access_list_set': 'organisation',
  'organisation.session_policy_changed': 'organisation',
  'organisation.logged_out': 'logins',
  'sso.connection_created': 'sso',
  'sso.connection_changed': 'sso',
  'sso.connection_tested': 'sso',
  'sso.connection_on': 'sso',
  'sso.connection_off': 'sso',
  'sso.connection_deleted': 'sso',
  'sso.domain_added': 'sso',
  'sso.domain_proven': 'sso',
  'sso.domain_set': 'sso',
  'sso.domain_removed': 'sso',
  'sso.break_glass_changed': 'sso',
  'user.created': 'organisation',
  'user.invited': 'organisation',
  'user.invitation_withdrawn': 'organisation',
  'user.deactivated': 'organisation',
  'user.reactivated': 'organisation',
  'user.role_changed': 'organisation',
  'client.created': null,
  'client.updated': null,
  'client.actions_set': null,
  'api.created': null,
  'signing_keys.created': null,
}

type Locals = ViewLocals['admin-audit']

const NOTICES = { sound: 'success', unsealed: 'info', late: 'warning', broken: 'danger' } as const

/** What was seen of the log's seals. */
export function checkNotice({ t, utc }: Texts, { kind, at }: AuditCheck): Locals['checked'] {
  return {
    kind: NOTICES[kind],
    title: t(`audit.checked.${kind}`),
    text: t(`audit.checked.${kind}.hint`, { moment: utc(at) }),
    command: `${PROGRAM} audit verify`,
  }
}

/** The choice of events, in groups. */
export function eventChoice({ t }: Texts, chosen: AuditEvent | undefined): Locals['choice'] {
  return GROUPS.map(group => ({
    label: t(`audit.group.${group}`),
    events: AUDIT_EVENTS.filter(each => GROUP[each] === group).map(each => ({
      value: each,
      text: t(`audit.event.${each}`),
      chosen: each === chosen,
    })),
  }))
}

const FACTORS = ['pwd', 'otp', 'passkey', 'sso', 'recovery', 'mail', 'set-up'] as const
const FACTS = [
  'reason',
  'action',
  'client',
  'connection',
  'domain',
  'sso',
  'fault',
  'plan',
  'from',
  'to',
  'role',
  'budget',
  'device',
] as const

/** An event with its app by name; our own pages are none. */
export async function withAppName(clients: Pick<Clients, 'find'>, record: AuditRecord): Promise<AuditRecord> {
  const { client, ...details } = record.details
  if (typeof client !== 'string') return record
  if (client === OWN_CLIENT_ID) return { ...record, details }
  const name = (await clients.find(client))?.metadata.client_name
  return { ...record, details: { ...details, client: String(name ?? client) } }
}

/** A row of the table. */
export function eventRow(texts: Texts, record: AuditRecord): Locals['events'][number] {
  const { t } = texts
  const { at, event, account, actor, address, details } = record
  const factors = [details.factors ?? details.factor ?? []]
    .flat()
    .map(each => FACTORS.find(known => known === each))
    .flatMap(each => (each === undefined ? [] : [t(`audit.factor.${each}`)]))
  const facts = FACTS.flatMap(name => {
    const text = spelled(details[name])
    const value = name === 'reason' ? inWords(text) : text
    return value === '' ? [] : [t(`audit.fact.${name}`, { value })]
  })
  const by = actor ?? account
  const whom = actor === null || actor.id === account?.id ? null : account
  return {
    at,
    event: t(`audit.event.${event}`),
    ...(facts.length === 0 ? {} : { why: facts.join(' · ') }),
    ...(by === null ? {} : { by: personOf(texts, by) }),
    ...(whom === null ? {} : { whom: personOf(texts, whom) }),
    ...(address === null ? {} : { address }),
    ...(factors.length === 0 ? {} : { factors: factors.join(', ') }),
  }
}

/** Of somebody who is not of this organisation, the id alone. */
function personOf({ t }: Texts, { id, name, email }: AuditPerson): { name: string; email?: string } {
  if (id === 'operator') return { name: t('audit.operator') }
  return { name: name ?? id, ...(email === null ? {} : { email }) }
}

function spelled(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return typeof value === 'string' ? value : ''
}

/** Codes such as `not_active` in words, everything else as it is. */
function inWords(text: string): string {
  return /^[a-z]+(_[a-z]+)+$/.test(text) ? text.replaceAll('_', ' ') : text
}
