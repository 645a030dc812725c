// What each event of the audit log means, for people who read the log. The compiler misses an event without a meaning.

import type { AuditEvent } from './audit.ts'

export const AUDIT_MEANINGS: Readonly<Record<AuditEvent, string>> = {
  login: 'Logged in, by the factors named.',
  step_up: 'Proved themselves again in a session, by the factors named.',
  'login.failed': 'A login ended without success: it was cancelled, or could not meet what the app asked.',
  'login.blocked': 'Passwords are no longer taken: too many were wrong.',
  'login.address_refused': 'A login, or a session, was refused: the access list does not have the address.',
  logout: 'Logged out, of the apps named.',
  'sso.linked': 'The account was linked to its user at the identity provider.',
  'sso.unlinked':
    'An admin took the link to the user at the identity provider, and logged them out everywhere.',
  'sso.user_created': 'An account was made for somebody who came by single sign-on.',
  'sso.failed':
    'A login by single sign-on, or a logout that was said to come from there, did not succeed, for the reason named.',
  'sso.session_ended':
    'The identity provider said that the user logged out there: sessions here ended with it.',
  'session.ended': 'Logged out another of their sessions, from their account page.',
  'session.others_ended': 'Logged out all their other sessions, from their account page.',
  'password.wrong': 'A wrong password was entered.',
  'password.set': 'A new password was set by a mailed link.',
  'account.locked': 'Locked their account, by the link in a notice: it opens by a new password.',
  'password.changed': 'Changed their password.',
  'password.reset_requested': 'A link to set a new password was asked for.',
  'email.change_ordered': 'Asked to log in with the address named, which has yet to confirm it.',
  'email.changed': 'Changed their address, from and to those named, by a link mailed to the new one.',
  'email.change_stopped': 'Stopped a change of their address, by the link mailed to the old one.',
  'email.put_back':
    'Had the old address put back after a change, by a link mailed to it; that locked the account.',
  'account.name_changed': 'Changed the name by which apps and admins know them.',
  'code.wrong': 'A wrong one-time, recovery or mailed code was entered.',
  'code.blocked': 'Codes are no longer taken for a while: too many were wrong.',
  'authenticator.set_up': 'An authenticator app was set up.',
  'authenticator.put_off': 'Setting an authenticator app up was put off, on the first day.',
  'recovery_code.used': 'Got in by the recovery code.',
  'recovery_code.issued': 'A new recovery code was made, and the one before it voided.',
  'recovery_code.saved': 'Confirmed that the recovery code is recorded.',
  'passkey.added':
    'A passkey was added; `upgrade`: by the browser itself, after a password and a second factor.',
  'passkey.refused': 'A passkey was refused, for the reason named.',
  'passkey.removed': 'A passkey was removed, by its owner or an admin.',
  'passkey.renamed': 'A passkey was given another name.',
  'passkey.offer_declined': 'Chose not to add a passkey now.',
  'second_factor.reset_ordered':
    'An admin, or the operator, ordered a reset of the second factor of some users.',
  'second_factor.reset':
    'Somebody’s second factor was reset: their authenticator and recovery code no longer work.',
  'mailed_code.sent': 'A code was sent by mail.',
  'mailbox.proven': 'Entered the code that was sent by mail.',
  'mail.refused': 'The user’s address takes no mail, for the reason named.',
  'address.unblocked': 'Had an address unblocked, by the link in the mail about it.',
  'help.asked': 'Asked the admins of the organisation for help, with nothing left but the password.',
  'support_case.opened': 'Opened a support case, by the password and a mailed code.',
  'support_case.approved': 'A support agent approved the case, on the evidence named.',
  'support_case.closed': 'A support agent closed the case.',
  'support_case.stopped': 'The case was stopped by “This wasn’t me”.',
  'support_case.ended': 'The case ended by itself, for the reason named.',
  'support_case.used': 'Set-up was opened again by the link of an approved case.',
  'consent.granted': 'Allowed an app to use the account.',
  'consent.denied': 'Did not allow an app to use the account.',
  'consent.revoked': 'Took the access of the app named away: what it was allowed, its tokens and its login.',
  'action.confirmed': 'Confirmed the action named, by a factor.',
  'action.allowed': 'Did the action named, which its rule allowed without another factor.',
  'action.refused': 'Did not confirm the action named.',
  'organisation.created': 'The organisation was created.',
  'organisation.plan_changed': 'The organisation’s plan was changed.',
  'organisation.subscribed':
    'The start of the organisation’s subscription was set: a day after it, 2FA is enforced.',
  'organisation.access_list_set': 'The addresses from which the organisation’s users may log in were set.',
  'organisation.session_policy_changed': 'How long sessions of the organisation’s users last was changed.',
  'organisation.logged_out':
    'An admin, or the operator, had all users of the organisation logged out everywhere.',
  'sso.connection_created': 'A connection to an identity provider was made, and is off.',
  'sso.connection_changed': 'The settings of a connection to an identity provider were changed.',
  'sso.connection_tested': 'A test login at an identity provider came back as it should.',
  'sso.connection_on': 'A connection to an identity provider was switched on: users log in by it.',
  'sso.connection_off': 'A connection to an identity provider was switched off: nobody logs in by it.',
  'sso.connection_deleted': 'A connection to an identity provider was deleted, with who was linked to whom.',
  'sso.domain_added': 'A domain was added, and is yet to be proven.',
  'sso.domain_proven': 'A domain was proven by its DNS record.',
  'sso.domain_set':
    'It was set by which identity provider the addresses of a domain log in, and whether by no other way.',
  'sso.domain_removed': 'A domain was removed: its addresses log in by no identity provider.',
  'sso.break_glass_changed': 'An admin was named as a break-glass admin, or is none any more.',
  'user.created': 'A user was created.',
  'user.invited': 'A user was invited.',
  'user.invitation_withdrawn':
    'An invitation was withdrawn: its link no longer works, and the account is gone.',
  'user.deactivated': 'A user was deactivated: their sessions and links ended, and they cannot log in.',
  'user.reactivated': 'A user was reactivated: they can log in again, or be invited again.',
  'user.role_changed': 'A user was given another role.',
  'user.unblocked': 'An admin had passwords and codes taken again that too many wrong ones had stopped.',
  'user.logged_out':
    'A user was logged out everywhere, by an admin or the operator: sessions, tokens and pending logins ended.',
  'client.created': 'An app was registered.',
  'client.updated': 'An app’s registration was changed.',
  'client.actions_set': 'The actions that an app’s users confirm were set.',
  'api.created': 'An API was registered.',
  'action_rule.tightened': 'An action’s rule was made stricter for the organisation.',
  'action_rule.loosened':
    'An action’s rule was made less strict for the organisation again, and no laxer than its app’s.',
  'signing_keys.created': 'The keys that sign tokens were made.',
}

export const AUDIT_EVENTS = Object.keys(AUDIT_MEANINGS) as readonly AuditEvent[]
