// Codes: one-time codes, recovery codes, codes from the mailbox. All are guessable in principle, so all draw on the
// account's one budget and on the interaction's, reserved before anything is compared.

import { randomInt } from 'node:crypto'
import { AppError } from '../../errors.ts'
import {
  blockedUntil,
  clearAttempts,
  codeSubject,
  giveBackAttempt,
  interactionSubject,
  noteNotified,
  reserveAttempt,
} from '../../factors/attempts.ts'
import {
  cleanRecoveryCode,
  hashRecoveryCode,
  newRecoveryCode,
  sameHash,
} from '../../factors/recovery-code.ts'
import { cleanOneTimeCode, verifyTotp } from '../../factors/totp.ts'
import type { Form } from '../../http/forms.ts'
import { mailJob } from '../../mail/outbox.ts'
import type { Services } from '../../services.ts'
import type { Account } from '../../store/accounts/accounts.ts'
import { issueRecoveryCode, spendRecoveryCode, spendTotpStep } from '../../store/accounts/credentials.ts'
import { issueToken, useToken } from '../../store/accounts/emailed-tokens.ts'
import { CommitRefused, type Write } from '../../store/database.ts'
import { interactionSecrets, type Progress } from '../progress.ts'
import type { Visit } from '../visit.ts'
import {
  accountOf,
  type Handler,
  type Occasion,
  type Outcome,
  proven,
  type Refused,
  record,
  refused,
} from './outcome.ts'

const MINUTE = 60 * 1000

/** Reserves an attempt in an interaction. @returns what to answer if there is none */
export function reserveCode(services: Services, visit: Visit): Promise<Refused | undefined> {
  return reserveAccountCode(services, { ...visit, account: accountOf(visit) }, [
    reserveAttempt('interaction', interactionSubject(visit.cid), visit.now),
  ])
}

/**
 * Reserves an attempt at a code of an account.
 *
 * @param also what is reserved with it
 * @returns what to answer if there is none
 */
export async function reserveAccountCode(
  { database }: Services,
  occasion: Occasion & { readonly account: Account },
  also: readonly Write[] = [],
): Promise<Refused | undefined> {
  const { account, visitor, now } = occasion
  const subject = codeSubject(account.id, visitor.device)
  try {
    await database.commit([...also, reserveAttempt('code', subject, now)])
    return undefined
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error
    if (error.refusal === 'start_again') throw new AppError('too_many_tries', 'five codes in one interaction')
    const blocked = [record(occasion, 'code.blocked', { budget: 'code' })]
    const until = await blockedUntil(database, 'code', subject)
    if (until === undefined) return refused('code.error.stopped', blocked)
    const minutes = Math.max(1, Math.ceil((until - now) / MINUTE))
    if (minutes > 60) return refused('code.error.day', blocked)
    return refused(account.passkeys > 0 ? 'code.error.waitOrPasskey' : 'code.error.wait', blocked, {
      minutes,
    })
  }
}

/** The budgets after a right code: both start anew. */
export function rightCode(visit: Visit): Write[] {
  return [
    clearAttempts('code', codeSubject(accountOf(visit).id, visit.visitor.device)),
    clearAttempts('interaction', interactionSubject(visit.cid)),
  ]
}

/** The budgets after a code that was right and spent: it was no guess. */
export function spentCode(visit: Visit): Write[] {
  return [
    giveBackAttempt('code', codeSubject(accountOf(visit).id, visit.visitor.device)),
    giveBackAttempt('interaction', interactionSubject(visit.cid)),
  ]
}

export const otp: Handler = async (services, visit, form) => {
  const account = accountOf(visit)
  if (account.authenticator === undefined) throw new Error('a code without an authenticator')
  const typed = form.code ?? ''
  if (typed.trim() === '') return refused('code.error.missing')
  const stopped = await reserveCode(services, visit)
  if (stopped !== undefined) return stopped
  const { secret, lastStep } = account.authenticator
  const verdict = verifyTotp({
    secret: services.keyring.open(secret, ['authenticators', 'secret', account.id]),
    code: typed,
    now: visit.now,
    lastStep,
  })
  if (!verdict.ok) {
    if (verdict.reason === 'already_used') return refused('code.error.used', spentCode(visit))
    return refused(verdict.reason === 'clock_ahead' ? 'code.error.clock' : 'code.error.wrong', [
      record(visit, 'code.wrong', { factor: 'otp', reason: verdict.reason }),
    ])
  }
  const recovery = account.recoveryCode?.saved ? undefined : newRecovery(services, visit, false)
  return {
    kind: 'advanced',
    progress: proven(visit, { factor: 'otp', kind: 'otp' }, recovery?.change),
    writes: [
      spendTotpStep(account.id, secret, verdict.step, visit.now),
      ...rightCode(visit),
      ...(recovery?.writes ?? []),
    ],
    refused: { already_used: { key: 'code.error.used' } },
  }
}

export const recovery: Handler = async (services, visit, form) => {
  const account = accountOf(visit)
  const typed = form.code ?? ''
  if (typed.trim() === '') return refused('recovery.error.missing')
  const stopped = await reserveCode(services, visit)
  if (stopped !== undefined) return stopped
  const stored = recoveryHash(services, account, typed)
  if (stored === undefined) {
    return refused('recovery.error.wrong', [record(visit, 'code.wrong', { factor: 'recovery' })])
  }
  const successor = newRecovery(services, visit, true)
  return {
    kind: 'advanced',
    progress: proven(visit, { factor: 'recovery', kind: 'recovery' }, successor.change),
    writes: [
      spendRecoveryCode(account.id, stored, successor.hash, visit.now),
      ...rightCode(visit),
      record(visit, 'recovery_code.used'),
      mailJob(services.keyring, {
        to: account.email,
        accountId: account.id,
        template: 'recovery-code-used',
        contents: { name: account.name, at: visit.now, address: visit.visitor.address },
        now: visit.now,
      }),
    ],
    refused: { already_used: { key: 'recovery.error.wrong' } },
  }
}

/** The stored hash of an account's recovery code, if it is what was typed. */
export function recoveryHash({ keyring }: Services, account: Account, typed: string): string | undefined {
  const code = cleanRecoveryCode(typed)
  const stored = account.recoveryCode?.hash
  const right =
    code !== undefined &&
    stored !== undefined &&
    keyring.keys('recovery-code').some(key => sameHash(stored, hashRecoveryCode(code, key, account.id)))
  return right ? stored : undefined
}

/** A recovery code that nobody has yet, and what is stored of it. */
export function makeRecoveryCode({ keyring }: Services, accountId: string): { code: string; hash: string } {
  const code = newRecoveryCode()
  return { code, hash: hashRecoveryCode(code, keyring.keys('recovery-code')[0], accountId) }
}

/** A fresh recovery code: itself, sealed, for the page that shows it, and the writes that make it valid by themselves. */
export function newRecovery(
  services: Services,
  visit: Visit,
  replaces: boolean,
): { hash: string; change: Partial<Progress>; writes: Write[] } {
  const { id } = accountOf(visit)
  const { keyring } = services
  const { code, hash } = makeRecoveryCode(services, id)
  return {
    hash,
    change: {
      recoveryCode: { sealed: interactionSecrets(keyring, visit.uid).seal('recovery-code', code), replaces },
    },
    writes: [issueRecoveryCode(id, hash, visit.now), record(visit, 'recovery_code.issued')],
  }
}

export const mailedCode: Handler = (services, visit, form) =>
  checkMailed(services, visit, form, rightCode(visit))

/**
 * The same for a support case, beside the page for a one-time code: a right one is no right one of those, so the count of
 * wrong ones does not start anew by it.
 */
export const caseCode: Handler = async (services, visit, form) => {
  const outcome = await checkMailed(services, visit, form, spentCode(visit))
  return outcome.kind === 'advanced' ? { ...outcome, show: 'open-case' } : outcome
}

async function checkMailed(
  services: Services,
  visit: Visit,
  form: Form,
  settled: readonly Write[],
): Promise<Outcome> {
  const typed = form.code ?? ''
  if (typed.trim() === '') return refused('mailedCode.error.missing')
  const stopped = await reserveCode(services, visit)
  if (stopped !== undefined) return stopped
  const code = cleanOneTimeCode(typed)
  return {
    kind: 'advanced',
    progress: proven(visit, { factor: 'mail', kind: 'mail' }),
    writes: [
      useToken('code', mailedToken(services, visit, code ?? ''), visit.now),
      ...settled,
      record(visit, 'mailbox.proven'),
    ],
    refused: { already_used: { key: 'mailedCode.error.wrong' } },
  }
}

export const sendCode: Handler = async (services, visit) => {
  const account = accountOf(visit)
  const last = visit.progress.codeMailedAt
  if (last !== undefined && visit.now - last < MINUTE)
    return refused('mailedCode.error.wait', [], { minutes: 1 })
  const code = String(randomInt(1_000_000)).padStart(6, '0')
  return {
    kind: 'advanced',
    progress: {
      ...visit.progress,
      codeMailedAt: visit.now,
      ...(last === undefined ? {} : { codeMailedAgain: true }),
    },
    writes: [
      // A page that is opened twice at once sends one code.
      noteNotified(visit.cid, visit.now, MINUTE),
      reserveAttempt('mail', { account: account.id, source: '' }, visit.now),
      ...issueToken('code', account.id, mailedToken(services, visit, code), null, visit.now),
      mailJob(services.keyring, {
        to: account.email,
        accountId: account.id,
        template: 'code',
        contents: { name: account.name, code, address: visit.visitor.address, at: visit.now },
        now: visit.now,
      }),
      record(visit, 'mailed_code.sent'),
    ],
    refused: {
      not_allowed: { key: 'mailedCode.error.wait', values: { minutes: 1 } },
      too_many_tries: { key: 'mailedCode.error.day' },
    },
  }
}

/** Mails a code for a support case. */
export const sendCaseCode: Handler = async (services, visit, form) => {
  const outcome = await sendCode(services, visit, form)
  return outcome.kind === 'advanced' ? { ...outcome, show: 'case-code' } : outcome
}

/** A mailed code is good in its own authorization request only; six digits are stored under a key, not just hashed. */
function mailedToken({ keyring }: Services, visit: Visit, code: string): string {
  return keyring.sign('digest', JSON.stringify([visit.cid, accountOf(visit).id, code]))
}
