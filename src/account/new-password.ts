// A password that somebody chooses for an account, behind a link or on their own page: one rule for all of them.

import { AppError } from '../errors.ts'
import { HashQueueFull, hashPassword } from '../factors/password.ts'
import { judgePassword } from '../factors/password-strength.ts'
import { minimumPasswordLength } from '../organisations/password-rule.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'
import { passwordRefusal } from './password-refusal.ts'

/** @returns why it is not taken, in words; undefined for one that is */
export function newPasswordError(
  { config, texts }: Services,
  account: Account,
  password: string,
  now: number,
): Promise<string | undefined> {
  if (password === '') return Promise.resolve(texts.t('newPassword.error.missing'))
  return notBusy(async () => {
    const verdict = await judgePassword(password, {
      minLength: minimumPasswordLength(account.subscribedAt, now),
      names: [account.name, account.email],
      product: config.productName,
    })
    return verdict.ok ? undefined : passwordRefusal(texts, verdict)
  })
}

/** @param password one that was taken */
export function hashNewPassword(password: string): Promise<string> {
  return notBusy(() => hashPassword(password))
}

/** Hashing is queued; when the queue is full the page says so, and nothing was changed. */
async function notBusy<T>(work: () => Promise<T>): Promise<T> {
  return work().catch(error => {
    throw error instanceof HashQueueFull
      ? new AppError('busy', 'password hashes are queueing', { cause: error })
      : error
  })
}
