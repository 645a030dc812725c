// Setting up: the authenticator, its recovery code, and what may be put off. The authenticator is on when its first
// code was accepted, in the same commit that makes a recovery code valid: never "on" without a way in.

import { AppError } from '../../errors.ts'
import { verifyTotp } from '../../factors/totp.ts'
import { mailJob } from '../../mail/outbox.ts'
import type { Account } from '../../store/accounts/accounts.ts'
import { recoveryCodeSaved, turnOnAuthenticator } from '../../store/accounts/credentials.ts'
import { interactionSecrets, SETUP_KEY_MS } from '../progress.ts'
import { newRecovery, recoveryHash, reserveCode, rightCode } from './codes.ts'
import { accountOf, chosen, type Handler, proven, record, refused } from './outcome.ts'

export const setUp: Handler = async (services, visit, form) => {
  const account = accountOf(visit)
  const typed = form.code ?? ''
  if (typed.trim() === '') return refused('setup.error.missing')
  const pending = visit.progress.setupKey
  // The page makes a new key when this one is gone.
  if (pending === undefined || visit.now - pending.at > SETUP_KEY_MS) return refused('setup.error.expired')
  const stopped = await reserveCode(services, visit)
  if (stopped !== undefined) return stopped
  const secret = interactionSecrets(services.keyring, visit.uid).open('setup-key', pending.sealed)
  const verdict = verifyTotp({ secret, code: typed, now: visit.now, lastStep: undefined })
  if (!verdict.ok) {
    return refused(verdict.reason === 'clock_ahead' ? 'code.error.clock' : 'setup.error.wrong', [
      record(visit, 'code.wrong', { factor: 'set-up', reason: verdict.reason }),
    ])
  }
  const recovery = keepsRecoveryCode(account) ? undefined : newRecovery(services, visit, false)
  const { setupKey: _, ...rest } = visit.progress
  return {
    kind: 'advanced',
    progress: proven({ ...visit, progress: rest }, { factor: 'otp', kind: 'otp' }, recovery?.change),
    writes: [
      ...turnOnAuthenticator(
        account,
        services.keyring.seal(secret, ['authenticators', 'secret', account.id]),
        verdict.step,
        visit.now,
      ),
      ...(recovery?.writes ?? []),
      ...rightCode(visit),
      record(visit, 'authenticator.set_up'),
      mailJob(services.keyring, {
        to: account.email,
        accountId: account.id,
        template: 'authenticator-set-up',
        contents: { name: account.name, at: visit.now, address: visit.visitor.address },
        now: visit.now,
      }),
    ],
    refused: { account_changed: { key: 'setup.error.expired' } },
  }
}

/** Whether a new authenticator leaves the recovery code as it is. A reset voids that of before: it must not come back. */
export function keepsRecoveryCode({ recoveryCode, secondFactorResetAt }: Account): boolean {
  return recoveryCode?.saved === true && secondFactorResetAt === null
}

export const putOff: Handler = async (_, visit) => ({
  kind: 'advanced',
  progress: chosen(visit, { setUpPutOff: true }),
  writes: [record(visit, 'authenticator.put_off')],
})

/** The tick is for the code that was shown. Where another tab has replaced it meanwhile, a new one is shown instead. */
export const saveRecoveryCode: Handler = async (services, visit, form) => {
  if (form.saved !== 'yes') return refused('recoveryCode.error.tick')
  const account = accountOf(visit)
  const { recoveryCode: shown, ...rest } = visit.progress
  if (shown === undefined) throw new Error('no recovery code was shown')
  const code = interactionSecrets(services.keyring, visit.uid).open('recovery-code', shown.sealed).toString()
  const valid = recoveryHash(services, account, code)
  if (valid === undefined) {
    const { change, writes } = newRecovery(services, visit, shown.replaces)
    return { kind: 'advanced', progress: { ...visit.progress, ...change }, writes }
  }
  return {
    kind: 'advanced',
    progress: rest,
    writes: [recoveryCodeSaved(account.id, valid, visit.now), record(visit, 'recovery_code.saved')],
    refused: { already_used: { key: 'recoveryCode.error.replaced' } },
  }
}

export const setUpAgain: Handler = async (_, visit, form) => {
  // "Not now" on the set-up page says `later`.
  const answer = form.later === 'yes' ? 'no' : form.answer
  if (answer !== 'yes' && answer !== 'no') throw new AppError('bad_request', 'no answer')
  return { kind: 'advanced', progress: chosen(visit, { setUpAgain: answer }), writes: [] }
}
