// What somebody changes about their own account, from one of their sessions. Each begins with a write that holds the
// account as it was read, and finds the session alive: a reset, a deactivation or a logout that came first refuses it
// all, and what comes at the same time waits, and is refused in turn. Where what a factor or a password opened must not
// outlast it, the epoch moves, and this session alone goes with it. Leaves out the factors themselves (credentials.ts).

import type { Database, Write } from '../database.ts'
import { endSessionOf } from '../sessions/account-sessions.ts'
import { logoutJobsOfOthers } from '../sessions/logout-jobs.ts'
import { type Refusal, sql, write } from '../statement.ts'
import { nameKey } from './accounts.ts'

/** Whose account, as this request read it, and from which session. */
export interface OwnPlace {
  readonly accountId: string
  readonly epoch: number
  readonly sessionUid: string
}

const stands = `id = ? AND epoch = ? AND status = 'active' AND EXISTS (SELECT 1 FROM oidc_sessions s
  WHERE s.uid = ? AND s.account_id = accounts.id AND s.ended_at IS NULL AND s.epoch = accounts.epoch)`
const asRead = ({ accountId, epoch, sessionUid }: OwnPlace) => [accountId, epoch, sessionUid]

const stay = sql('own_stay', `UPDATE accounts SET role = role WHERE ${stands}`)

/** Nothing else ends. Refused as `account_changed`. */
export function stayLoggedIn(place: OwnPlace): Write {
  return write(stay, asRead(place), 'account_changed')
}

const enrol = sql('own_enrol', `UPDATE accounts SET second_factor_reset_at = NULL WHERE ${stands}`)

/** The same, and a pending reset is over: the second factor is set up. Refused as `account_changed`. */
export function stayEnrolled(place: OwnPlace): Write {
  return write(enrol, asRead(place), 'account_changed')
}

const move = sql('own_move', `UPDATE accounts SET epoch = epoch + 1 WHERE ${stands}`)

/** The epoch alone: goes with what moves or ends all that is in it. Refused as `account_changed`. */
export function moveEpoch(place: OwnPlace): Write {
  return write(move, asRead(place), 'account_changed')
}

/**
 * Ends everything but this session: the others, whose apps are told, what was minted for them, and what is in flight.
 * The apps of this session stay as they are, and what apps were allowed is not forgotten. Refused as `account_changed`.
 */
export function endOtherAccess(dialect: Database['dialect'], place: OwnPlace, now: number): Write[] {
  return [write(move, asRead(place), 'account_changed'), ...keepThis(dialect, place, now)]
}

const keepSessions = sql(
  'own_keep_sessions',
  'UPDATE oidc_sessions SET epoch = epoch + 1 WHERE account_id = ? AND epoch = ? AND ended_at IS NULL',
)
const keepAllArtefacts = sql(
  'own_keep_all_artefacts',
  'UPDATE oidc_artefacts SET epoch = epoch + 1 WHERE account_id = ? AND epoch = ?',
)

/**
 * Nothing ends, and the epoch moves with everything in it: of a change and a reset at the same moment the one that comes
 * second is refused, and looks again. Without it a passkey that is added while others are taken would not be seen by
 * who takes them. Refused as `account_changed`.
 */
export function moveOn(place: OwnPlace): Write[] {
  const { accountId, epoch } = place
  return [
    write(move, asRead(place), 'account_changed'),
    write(keepSessions, [accountId, epoch]),
    write(keepAllArtefacts, [accountId, epoch]),
  ]
}

/**
 * What {@link endOtherAccess} ends, for its own sake. Refused as `account_changed`; as `already_used` if there is no other
 * session.
 */
export function endOtherSessions(dialect: Database['dialect'], place: OwnPlace, now: number): Write[] {
  return [moveEpoch(place), ...keepThis(dialect, place, now, { alone: 'already_used' })]
}

const keepOtherSessions = sql(
  'own_keep_other_sessions',
  `UPDATE oidc_sessions SET epoch = epoch + 1
   WHERE account_id = ? AND epoch = ? AND ended_at IS NULL AND uid <> ?`,
)
const keepOtherArtefacts = sql(
  'own_keep_other_artefacts',
  `UPDATE oidc_artefacts SET epoch = epoch + 1
   WHERE account_id = ? AND epoch = ? AND coalesce(session_uid, '') <> ?`,
)

/**
 * Ends another session with what {@link endSessionOf} ends, and lets everything else stay. The epoch moves, so that
 * nothing that is being minted for the other session at that moment outlasts it.
 *
 * Refused as `account_changed`; as `already_used` if the session has ended, or is not the account's.
 */
export function endOneSession(
  dialect: Database['dialect'],
  place: OwnPlace,
  uid: string,
  now: number,
): Write[] {
  const { accountId, epoch } = place
  return [
    moveEpoch(place),
    ...endSessionOf(dialect, { accountId, uid }, now),
    write(keepOtherSessions, [accountId, epoch, uid]),
    write(keepOtherArtefacts, [accountId, epoch, uid]),
  ]
}

const giveUp = sql(
  'own_give_up',
  `UPDATE accounts SET epoch = epoch + 1, passkey_offer_after = ? WHERE ${stands}`,
)
const removePasskey = sql(
  'own_passkey_remove',
  `DELETE FROM passkeys WHERE credential_id = ? AND account_id = ?
   AND (EXISTS (SELECT 1 FROM authenticators x WHERE x.account_id = passkeys.account_id)
     OR EXISTS (SELECT 1 FROM passkeys x
       WHERE x.account_id = passkeys.account_id AND x.credential_id <> passkeys.credential_id))`,
)
const forgetPasskey = sql(
  'own_passkey_forget',
  'DELETE FROM session_facts WHERE session_uid = ? AND account_id = ? AND credential_id = ?',
)

/**
 * Takes a passkey, and ends what {@link endOtherAccess} ends; what it proved in this session is forgotten. The epoch lets
 * one commit at a time through, so that of the last two passkeys one stays.
 *
 * Refused as `not_allowed` if it is gone, or all that the account proves itself with.
 *
 * @param offerAfter not before this time is one offered after a login, milliseconds since 1970
 */
export function giveUpPasskey(
  dialect: Database['dialect'],
  place: OwnPlace,
  credentialId: string,
  offerAfter: number,
  now: number,
): Write[] {
  const { accountId, sessionUid } = place
  return [
    write(giveUp, [offerAfter, ...asRead(place)], 'account_changed'),
    ...keepThis(dialect, place, now),
    write(removePasskey, [credentialId, accountId], 'not_allowed'),
    write(forgetPasskey, [sessionUid, accountId, credentialId]),
  ]
}

const renamePasskeyRow = sql(
  'own_passkey_rename',
  'UPDATE passkeys SET name = ? WHERE credential_id = ? AND account_id = ?',
)

/** Refused as `account_changed`; as `not_allowed` if the passkey is gone. */
export function renamePasskey(place: OwnPlace, credentialId: string, name: string): Write[] {
  return [stayLoggedIn(place), write(renamePasskeyRow, [name, credentialId, place.accountId], 'not_allowed')]
}

const setName = sql('own_name', `UPDATE accounts SET name = ?, name_key = ? WHERE ${stands} AND name = ?`)

/** Nothing ends. Refused as `account_changed`, also if it is not called `before` any more. */
export function changeName(
  place: OwnPlace,
  { before, name }: { readonly before: string; readonly name: string },
): Write {
  return write(setName, [name, nameKey(name), ...asRead(place), before], 'account_changed')
}

const setPassword = sql(
  'own_password',
  `UPDATE accounts SET password_hash = ?, password_changed_at = ?, epoch = epoch + 1
   WHERE ${stands} AND password_hash = ?`,
)

/**
 * Changes the password, and ends what {@link endOtherAccess} ends.
 *
 * @param before the hash that the password of now was compared with
 */
export function changePassword(
  dialect: Database['dialect'],
  place: OwnPlace,
  { before, hash }: { readonly before: string; readonly hash: string },
  now: number,
): Write[] {
  return [
    write(setPassword, [hash, now, ...asRead(place), before], 'account_changed'),
    ...keepThis(dialect, place, now),
  ]
}

const endSessions = sql(
  'own_end_sessions',
  `UPDATE oidc_sessions SET ended_at = ?, payload = '{}' WHERE account_id = ? AND uid <> ? AND ended_at IS NULL`,
)
const endFacts = sql('own_end_facts', 'DELETE FROM session_facts WHERE account_id = ? AND session_uid <> ?')
const endArtefacts = sql(
  'own_end_artefacts',
  `DELETE FROM oidc_artefacts WHERE account_id = ? AND model <> 'Grant' AND coalesce(session_uid, '') <> ?`,
)
const keepSession = sql(
  'own_keep_session',
  'UPDATE oidc_sessions SET epoch = epoch + 1 WHERE uid = ? AND account_id = ? AND epoch = ? AND ended_at IS NULL',
)
// PostgreSQL runs a commit as one statement, which changes a row once: these are none of those that go.
const keepArtefacts = sql(
  'own_keep_artefacts',
  `UPDATE oidc_artefacts SET epoch = epoch + 1
   WHERE account_id = ? AND epoch = ? AND (model = 'Grant' OR session_uid = ?)`,
)

/**
 * What {@link endOtherAccess} ends, for a change that another write of the commit makes, and that moves the epoch. The
 * session may have ended: then nothing is kept.
 */
export function endAllAccessBut(dialect: Database['dialect'], place: OwnPlace, now: number): Write[] {
  return keepThis(dialect, place, now, { gone: 'nothing' })
}

function keepThis(
  dialect: Database['dialect'],
  { accountId, epoch, sessionUid }: OwnPlace,
  now: number,
  { gone = 'account_changed', alone }: { gone?: Refusal | 'nothing'; alone?: Refusal } = {},
): Write[] {
  return [
    // The apps are read before what names them goes.
    logoutJobsOfOthers(dialect, accountId, sessionUid, now),
    write(endSessions, [now, accountId, sessionUid], alone),
    write(endFacts, [accountId, sessionUid]),
    write(endArtefacts, [accountId, sessionUid]),
    write(keepSession, [sessionUid, accountId, epoch], gone === 'nothing' ? undefined : gone),
    write(keepArtefacts, [accountId, epoch, sessionUid]),
  ]
}
