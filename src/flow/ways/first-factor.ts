// Who it is: an email address and a password, or a passkey, which says both. Every answer about an address is the
// same whether or not somebody has it.

import { AppError } from '../../errors.ts'
import {
  clearAttempts,
  giveBackAttempt,
  noteNotified,
  passwordSubject,
  reserveAttempt,
  type Subject,
} from '../../factors/attempts.ts'
import { HashQueueFull } from '../../factors/password.ts'
import { parseAddress } from '../../mail/address.ts'
import { mailJob } from '../../mail/outbox.ts'
import type { Services } from '../../services.ts'
import { emailKey, rehashPassword } from '../../store/accounts.ts'
import { CommitRefused } from '../../store/database.ts'
import { issueToken } from '../../store/emailed-tokens.ts'
import { digest, newToken } from '../../store/ids.ts'
import type { Visit } from '../visit.ts'
import { type Handler, proven, record, refused } from './outcome.ts'

/** Names somebody. Whoever was named before, and whatever was proven, is forgotten. */
export const identify: Handler = async ({ accounts }, _, form) => {
  const typed = form.email?.trim() ?? ''
  if (typed === '') return refused('email.error.missing')
  const email = parseAddress(typed)
  if (email === undefined) return refused('email.error.malformed')
  const account = await accounts.findByEmail(email)
  return {
    kind: 'advanced',
    progress: {
      facts: [],
      choices: {},
      platformAuthenticator: form.webauthn === 'platform',
      account: account?.status === 'active' ? { email, id: account.id, epoch: account.epoch } : { email },
    },
    writes: [],
  }
}

export const password: Handler = async (services, visit, form) => {
  const { database, accounts } = services
  const typed = form.password ?? ''
  if (typed === '') return refused('password.error.missing')
  const subject = passwordSubject(
    visit.account?.id ?? digest(emailKey(visit.progress.account?.email ?? '')),
    visit.visitor.address,
    visit.visitor.device,
  )
  try {
    await database.commit([reserveAttempt('password', subject, visit.now)])
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error
    await tellOwner(services, visit, subject)
    return refused('password.error.blocked', [record(visit, 'login.blocked', { budget: 'password' })])
  }
  const checked = await accounts.verifyPassword(visit.account, typed).catch(async error => {
    if (!(error instanceof HashQueueFull)) throw error
    // Nothing was compared: a crowded server must not use up anybody's tries.
    await database.commit([giveBackAttempt('password', subject)])
    throw new AppError('busy', 'password hashes are queueing', { cause: error })
  })
  if (!checked.ok || visit.account === undefined) {
    return refused('password.error.wrong', [record(visit, 'password.wrong')])
  }
  return {
    kind: 'advanced',
    progress: proven(
      visit,
      { factor: 'pwd', kind: 'pwd' },
      form.webauthn === undefined ? {} : { platformAuthenticator: form.webauthn === 'platform' },
    ),
    writes: [
      clearAttempts('password', subject),
      ...(checked.rehashed === undefined ? [] : [rehashPassword(visit.account, checked.rehashed)]),
    ],
  }
}

/**
 * Tells the owner, at most once an hour, that somebody's tries were stopped, with a link that ends it. For an address
 * that nobody has, the database does as much.
 */
async function tellOwner({ database, keyring }: Services, visit: Visit, subject: Subject): Promise<void> {
  const { account, now, visitor } = visit
  const token = newToken()
  const mail =
    account === undefined
      ? []
      : [
          ...issueToken('unblock', account.id, token, subject.source, now),
          mailJob(keyring, {
            to: account.email,
            template: 'unblock',
            contents: { name: account.name, token, at: now, address: visitor.address },
            now,
          }),
        ]
  try {
    await database.commit([noteNotified(subject.account, now), ...mail])
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error
  }
}
