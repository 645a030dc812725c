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
import { emailKey, rehashPassword } from '../../store/accounts.ts'
import { CommitRefused, type Database, type Write } from '../../store/database.ts'
import { issueToken } from '../../store/emailed-tokens.ts'
import { digest, newToken } from '../../store/ids.ts'
import type { Visit } from '../visit.ts'
import { type Handler, type Outcome, proven, record, refused } from './outcome.ts'

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
  const checked = await checkPassword(services, visit, form.password ?? '')
  if (!checked.ok) return checked.outcome
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

/** Of a visit, what a password is checked by: a page outside the prompts asks for one too. */
export type PasswordVisit = Pick<Visit, 'account' | 'progress' | 'visitor' | 'now' | 'cid' | 'clientId'>

/**
 * Checks a password, on the account's budgets.
 *
 * @returns what must be true with it, or what to say
 * @throws AppError `busy`
 */
export async function checkPassword(
  services: Services,
  visit: PasswordVisit,
  typed: string,
): Promise<
  | { readonly ok: true; readonly writes: readonly Write[] }
  | { readonly ok: false; readonly outcome: Outcome & { kind: 'refused' } }
> {
  const { database, accounts } = services
  const no = (outcome: Outcome & { kind: 'refused' }) => ({ ok: false, outcome }) as const
  if (typed === '') return no(refused('password.error.missing'))
  const drawn = budgetsOf(services, visit)
  try {
    await database.commit(drawn.map(([name, of]) => reserveAttempt(name, of, visit.now)))
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error
    return no(
      await blocked(services, visit, error.refusal === 'stopped' ? 'password-everywhere' : 'password', []),
    )
  }
  const checked = await accounts.verifyPassword(visit.account, typed).catch(async error => {
    if (!(error instanceof HashQueueFull)) throw error
    // Nothing was compared: a crowded server must not use up anybody's tries.
    await database.commit(drawn.map(([name, of]) => giveBackAttempt(name, of)))
    throw new AppError('busy', 'password hashes are queueing', { cause: error })
  })
  if (!checked.ok || visit.account === undefined) {
    const wrong = [record(visit, 'password.wrong')]
    const budget = await usedUp(database, drawn, visit.now)
    return no(
      budget === undefined
        ? refused('password.error.wrong', wrong)
        : await blocked(services, visit, budget, wrong),
    )
  }
  return {
    ok: true,
    writes: [
      ...drawn.map(([name, of]) => clearAttempts(name, of)),
      // Right from a known device, too: the tries in a row end here.
      ...(drawn.length > 1
        ? []
        : [clearAttempts('password-everywhere', everywhereSubject(visit.account.id))]),
      ...(checked.rehashed === undefined ? [] : [rehashPassword(visit.account, checked.rehashed)]),
    ],
  }
}

/** What a password draws on: its pair of account and network, and the account's count from everywhere. */
function budgetsOf(
  { accounts }: Services,
  { account, progress, visitor }: PasswordVisit,
): [BudgetName, Subject][] {
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
  visit: PasswordVisit,
  budget: BudgetName,
  before: readonly Write[],
): Promise<Outcome & { kind: 'refused' }> {
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
  visit: PasswordVisit,
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
