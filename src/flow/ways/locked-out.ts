// Somebody has entered the password and says that they have lost the rest. First their admins are asked; where none can
// help, or none has, they open a support case, for which they prove their mailbox. Both change nothing about how the
// account is logged in to. Which of the two is open, `helpFor` says; here is done what it allows. Leaves out what
// becomes of a case (support/).

import { reasonLine } from '../../factors/reset.ts'
import { mailJob } from '../../mail/outbox.ts'
import type { Services } from '../../services.ts'
import { readFormerEmails } from '../../store/accounts/email-changes.ts'
import type { Write } from '../../store/database.ts'
import { newId } from '../../store/ids.ts'
import { askForHelp, readHelpers } from '../../store/recovery/help-requests.ts'
import * as cases from '../../store/recovery/support-cases.ts'
import { ASK_AGAIN_MS, type Help, helpFor } from '../../support/case-state.ts'
import { tellOwner } from '../../support/notices.ts'
import { lookAgain, settle, settlesBy } from '../../support/settle.ts'
import type { Visit } from '../visit.ts'
import { accountOf, type Handler, type Outcome, record, refused } from './outcome.ts'

/** So many characters a user has to say why. */
export const LONGEST_WORDS = 1000
/** So many admins are written to. */
const MOST_HELPERS = 200

export interface HelpNow {
  readonly help: Help
  readonly facts: cases.LockedOutAccount
}

/** What the page offers now. */
export async function helpNow({ database, config }: Services, visit: Visit): Promise<HelpNow> {
  const facts = await cases.readLockedOut(database, accountOf(visit).id)
  if (facts === undefined) throw new Error('the account is gone')
  return { facts, help: helpFor(facts, config.supportAfterMs, visit.now) }
}

/** Whether the mailbox was proven in this authorization request. */
export function mailboxProven({ progress }: Visit): boolean {
  return progress.facts.some(each => each.factor === 'mail')
}

export const askAdmin: Handler = async (services, visit) => {
  const { database, keyring } = services
  const account = accountOf(visit)
  const { help, facts } = await helpNow(services, visit)
  // Asked in another tab, or answered by now: the page says what is so.
  if (help !== 'ask' || account.organisationId === null) return shown(visit, 'ask-admin')
  const helpers = await readHelpers(database, account.organisationId, account.id, MOST_HELPERS)
  const { id: userId, name: user, email } = account
  const mails = helpers.map(({ name, email: to }) =>
    mailJob(keyring, {
      to,
      template: 'help-asked',
      contents: { name, user, account: email, userId, at: visit.now, address: visit.visitor.address },
      now: visit.now,
    }),
  )
  return {
    ...shown(visit, 'ask-admin'),
    writes: [
      askForHelp(account, facts.lastLoginAt, ASK_AGAIN_MS, visit.now),
      ...mails,
      record(visit, 'help.asked', { admins: helpers.length }),
    ],
    refused: { not_allowed: { key: 'lockedOut.error.again' } },
  }
}

export const openCase: Handler = async (services, visit, form) => {
  const { database, keyring, config } = services
  const account = accountOf(visit)
  const { help, facts } = await helpNow(services, visit)
  if (help === 'opened') return shown(visit, 'open-case')
  if (help === 'stopped') return shown(visit, 'open-case')
  if (help !== 'case') return refused('lockedOut.error.notYet')
  if (!mailboxProven(visit)) return refused('lockedOut.error.mailbox')
  const reason = reasonLine(form.reason ?? '')
  if (reason === '') return refused('lockedOut.error.missing')
  if (reason.length > LONGEST_WORDS) return refused('lockedOut.error.long', [], { most: LONGEST_WORDS })
  const id = newId('cas')
  const waitUntil = visit.now + config.supportWaitMs
  const told = { until: waitUntil, address: visit.visitor.address }
  const formerEmails = await readFormerEmails(database, account.id, visit.now)
  return {
    ...shown(visit, 'open-case'),
    writes: [
      ...(await ended(services, facts.caseId, visit.now)),
      cases.openCase({ id, account, reason, waitUntil, over: facts.caseId }, visit.now),
      record(visit, 'support_case.opened', { case: id, reason }),
      ...tellOwner(keyring, { ...account, formerEmails }, id, 'opened', told, visit.now),
      lookAgain(id, waitUntil, visit.now),
    ],
    refused: {
      already_exists: { key: 'lockedOut.error.opened' },
      already_used: { key: 'lockedOut.error.opened' },
    },
  }
}

/** A case of before that is over, and that nobody has written down as such yet: it makes room. */
async function ended({ database, keyring }: Services, id: string | undefined, now: number): Promise<Write[]> {
  const found = id === undefined ? undefined : await cases.readCase(database, { id })
  const why = found && settlesBy(found, now)
  return found === undefined || why === undefined ? [] : settle(keyring, found, why, now)
}

function shown(visit: Visit, show: 'ask-admin' | 'open-case'): Outcome & { kind: 'advanced' } {
  return { kind: 'advanced', progress: visit.progress, writes: [], show }
}
