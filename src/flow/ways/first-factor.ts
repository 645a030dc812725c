// Who it is: an email address and a password, or a passkey, which says both. Every answer about an address is the
// same whether or not somebody has it.

import { AppError } from '../../errors.ts'
import {
  type BudgetName,
  blockedUntil,
  clearAttempts,
  everywhereSubject,
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
import { emailKey, rehashPassword } from '../../store/accounts/accounts.ts'
import { issueToken } from '../../store/accounts/emailed-tokens.ts'
import { CommitRefused, type Database, type Write } from '../../store/database.ts'
import { digest, newToken } from '../../store/ids.ts'
import type { Progress } from '../progress.ts'
import { type Handler, type Occasion, proven, type Refused, record, refused } from './outcome.ts'

/** Names somebody. Whoever was named before, and whatever was proven, is forgotten. */
export const identify: Handler = async ({ accounts, upstreams }, _, form) => {
  const typed = form.email?.trim() ?? ''
  if (typed === '') return refused('email.error.missing')
  const email = parseAddress(typed)
  if (email === undefined) return refused('email.error.malformed')
  const account = await accounts.findByEmail(email)
  // By the domain alone: the same for every address there, whoever has it.
  const upstream = await upstreams?.ofAddress(email)
  return {
    kind: 'advanced',
    progress: {
      facts: [],
      choices: {},
      platformAuthenticator: form.webauthn === 'platform',
      account: account?.status === 'active' ? { email, id: account.id, epoch: account.epoch } : { email },
      ...(upstream === undefined ? {} : { upstream }),
    },
    writes: [],
  }
}

export const password: Handler = async (services, visit, form) => {
  const typed = form.password ?? ''
  if (typed === '') return refused('password.error.missing')
  const checked = await checkPassword(services, visit, typed)
  if (!checked.ok) return checked.refused
  return {
    kind: 'advanced',
    progress: proven(
      visit,
      { factor: 'pwd', kind: 'pwd' },
      form.webauthn === undefined ? {} : { platformAuthenticator: form.webauthn === 'platform' },
    ),
    writes: checked.writes,
  }
}

/** Whose password is typed: an account's, or that of an address that nobody has. */
export interface Claim extends Occasion {
  readonly progress: Pick<Progress, 'account'>
}

/**
 * Whether a password is the account's. The attempt is reserved before it is compared.
 *
 * @returns `writes`: what is true with a right one; `refused`: what to say of another, and to record
 */
export async function checkPassword(
  services: Services,
  claim: Claim,
  typed: string,
): Promise<{ ok: true; writes: Write[] } | { ok: false; refused: Refused }> {
  const { database, accounts } = services
  const drawn = budgetsOf(services, claim)
  try {
    await database.commit(drawn.map(([name, of]) => reserveAttempt(name, of, claim.now)))
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error
    const budget = error.refusal === 'stopped' ? 'password-everywhere' : 'password'
    return { ok: false, refused: await blocked(services, claim, budget, []) }
  }
  const checked = await accounts.verifyPassword(claim.account, typed).catch(async error => {
    if (!(error instanceof HashQueueFull)) throw error
    // Nothing was compared: a crowded server must not use up anybody's tries.
    await database.commit(drawn.map(([name, of]) => giveBackAttempt(name, of)))
    throw new AppError('busy', 'password hashes are queueing', { cause: error })
  })
  if (!checked.ok || claim.account === undefined) {
    const wrong = [record(claim, 'password.wrong')]
    const budget = await usedUp(database, drawn, claim.now)
    return {
      ok: false,
      refused:
        budget === undefined
          ? refused('password.error.wrong', wrong)
          : await blocked(services, claim, budget, wrong),
    }
  }
  return {
    ok: true,
    writes: [
      ...drawn.map(([name, of]) => clearAttempts(name, of)),
      // Right from a known device, too: the tries in a row end here.
      ...(drawn.length > 1
        ? []
        : [clearAttempts('password-everywhere', everywhereSubject(claim.account.id))]),
      ...(checked.rehashed === undefined ? [] : [rehashPassword(claim.account, checked.rehashed)]),
    ],
  }
}

/** What a password draws on: its pair of account and network, and the account's count from everywhere. */
function budgetsOf({ accounts }: Services, { account, progress, visitor }: Claim): [BudgetName, Subject][] {
  const who = account?.id ?? digest(emailKey(progress.account?.email ?? ''))
  const pair: [BudgetName, Subject] = ['password', passwordSubject(who, visitor.address, visitor.device)]
  // A known device is apart: nobody elsewhere can use up its tries. A host's passwords are the host's to count.
  if (visitor.device !== undefined || accounts.passwords !== 'own') return [pair]
  return [pair, ['password-everywhere', everywhereSubject(who, account === undefined)]]
}

/** The widest of the budgets of which this was the last try. */
async function usedUp(
  database: Database,
  drawn: readonly [BudgetName, Subject][],
  now: number,
): Promise<BudgetName | undefined> {
  const until = await Promise.all(drawn.map(([name, of]) => blockedUntil(database, name, of)))
  return drawn.findLast((_, index) => (until[index] ?? Number.POSITIVE_INFINITY) > now)?.[0]
}

/** No further passwords: the page says so, and the owner is told with the row of the audit, or was told before. */
async function blocked(
  services: Services,
  visit: Claim,
  budget: BudgetName,
  before: readonly Write[],
): Promise<Refused> {
  const rows = [...before, record(visit, 'login.blocked', { budget })]
  const told = await tellOwner(services, visit, budget, rows)
  return refused(
    budget === 'password' ? 'password.error.blocked' : 'password.error.stopped',
    told ? [] : rows,
  )
}

/**
 * Tells the owner, at most once an hour, that somebody's tries were stopped: with a link that ends it, or what to do
 * where only a new password does. For an address that nobody has, the database does as much.
 *
 * @returns whether it was committed, and `rows` with it
 */
async function tellOwner(
  { database, keyring }: Services,
  visit: Claim,
  budget: BudgetName,
  rows: readonly Write[],
): Promise<boolean> {
  const { account, now, visitor } = visit
  const everywhere = budget === 'password-everywhere'
  const who = account?.id ?? digest(emailKey(visit.progress.account?.email ?? ''))
  const deed = { name: account?.name ?? '', at: now, address: visitor.address }
  const token = newToken()
  const mail =
    account === undefined
      ? []
      : everywhere
        ? [mailJob(keyring, { to: account.email, template: 'passwords-stopped', contents: deed, now })]
        : [
            ...issueToken(
              'unblock',
              account.id,
              token,
              passwordSubject(account.id, visitor.address, visitor.device).source,
              now,
            ),
            mailJob(keyring, { to: account.email, template: 'unblock', contents: { ...deed, token }, now }),
          ]
  try {
    await database.commit([noteNotified(everywhere ? `stopped ${who}` : who, now), ...mail, ...rows])
    return true
  } catch (error) {
    if (error instanceof CommitRefused) return false
    throw error
  }
}
