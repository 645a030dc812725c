// What an admin does about a user's ways in: takes a passkey that is lost, logs them out everywhere, unlinks them from their identity provider, has passwords and
// codes taken again that somebody's wrong ones stopped, withdraws an invitation. Each is one commit with its audit row,
// and doing it twice does it once. Leaves out the reset of the whole second factor (factors/reset.ts), and who may call
// this.

import { readBlocks, unblockAccount } from '../factors/attempts.ts'
import { mailJob } from '../mail/outbox.ts'
import { readUserDetails } from '../store/accounts/user-details.ts'
import { endAccess } from '../store/oidc/artefacts.ts'
import { loseAccess, losePasskey, stayAsRead, withdrawAccount } from '../store/organisations/memberships.ts'
import { hasAccess } from '../store/sessions/account-sessions.ts'
import { unlinkAccount } from '../store/sso/identities.ts'
import type { Directory } from './directory.ts'
import { change, type UserChange, type UserChoice } from './users.ts'

/**
 * Takes a passkey, and with it everything that anybody is logged in with: what it proved must not outlast it, and which
 * sessions another factor would have opened as well nobody can tell. Its owner gets a mail. If it was their only factor,
 * they set up again at the next login, with a code from their mailbox.
 *
 * @param key as `UserPasskey` has it
 * @param by who did it, for the mail; empty for the operator
 * @throws InputError
 */
export async function removePasskey(
  directory: Directory,
  choice: UserChoice,
  key: string,
  by: string,
): Promise<UserChange> {
  const { database, keyring, actor } = directory
  return change(directory, choice, async (member, now) => {
    const user = await readUserDetails(database, choice.organisationId, choice.userId)
    const passkey = user?.passkeys.find(each => each.key === key)
    if (user === undefined || passkey === undefined) return undefined
    const last = !user.authenticator && user.passkeys.length === 1
    return {
      after: member,
      writes: [
        ...losePasskey(member, passkey.credentialId, actor, now),
        ...endAccess(database.dialect, member.id, now),
        mailJob(keyring, {
          to: member.email,
          accountId: member.id,
          template: 'passkey-removed',
          contents: { name: member.name, passkey: passkey.name, by, last, at: now },
          now,
        }),
      ],
      event: 'passkey.removed',
      details: { name: passkey.name, last },
    }
  })
}

/**
 * Logs a user out everywhere: sessions, tokens, grants and pending logins end in this commit, the apps of the sessions are
 * told, and what is in flight ends by the epoch. Factors stay: they can log in again at once.
 *
 * @throws InputError
 */
export async function logOutUser(directory: Directory, choice: UserChoice): Promise<UserChange> {
  const { database, actor } = directory
  return change(directory, choice, async (member, now) => {
    if (!(await hasAccess(database, member.id))) return undefined
    return {
      after: member,
      writes: [loseAccess(member, actor), ...endAccess(database.dialect, member.id, now)],
      event: 'user.logged_out',
      details: {},
    }
  })
}

/**
 * Takes the link to who the user is at an identity provider, and with it everything that they are logged in with. They are
 * linked anew at their next login there, as at the first: to whom it then is.
 *
 * @throws InputError
 */
export async function unlinkUser(directory: Directory, choice: UserChoice): Promise<UserChange> {
  const { database, actor } = directory
  return change(directory, choice, async (member, now) => {
    const user = await readUserDetails(database, choice.organisationId, choice.userId)
    if (user?.sso === undefined) return undefined
    return {
      after: member,
      writes: [
        loseAccess(member, actor),
        unlinkAccount(member.id),
        ...endAccess(database.dialect, member.id, now),
      ],
      event: 'sso.unlinked',
      details: { connection: user.sso },
    }
  })
}

/**
 * Has an account's passwords and codes taken again, from everywhere.
 *
 * @throws InputError
 */
export async function unblockUser(directory: Directory, choice: UserChoice): Promise<UserChange> {
  return change(directory, choice, async (member, now) => {
    const { passwords, codes } = await readBlocks(directory.database, member.id, now)
    if (!passwords && !codes) return undefined
    return {
      after: member,
      writes: [stayAsRead(member, directory.actor), unblockAccount(member.id)],
      event: 'user.unblocked',
      details: { passwords, codes },
    }
  })
}

/**
 * Withdraws an invitation: the account that it made is deleted, so that its address is free again, and no link to it
 * works. Of a user who has chosen a password nothing is withdrawn.
 *
 * @throws InputError
 */
export async function withdrawInvitation(directory: Directory, choice: UserChoice): Promise<UserChange> {
  return change(directory, choice, member => {
    if (member.status !== 'invited') return undefined
    return {
      after: member,
      writes: [withdrawAccount(member, directory.actor)],
      event: 'user.invitation_withdrawn',
      details: { name: member.name, email: member.email, role: member.role },
    }
  })
}
