// What is told of a support case, at each step, to every address of the account, also one that it had before and that
// can be put back: each mail has a link by which whoever reads it stops the case at once. The link is made of the case
// alone and signed: it works as long as the case is open, in every mail about it, and no newer mail takes it away. Leaves
// out the notice on the account page, which asks the database.

import { mailJob } from '../mail/outbox.ts'
import type { MailContents } from '../mail/templates.ts'
import { emailKey } from '../store/accounts/accounts.ts'
import type { Write } from '../store/database.ts'
import type { Keyring } from '../store/seal.ts'

export interface Told {
  readonly name: string
  readonly email: string
  /** Addresses of before that could be put back while the case was open: a thief may have changed them. */
  readonly formerEmails: readonly string[]
}

/** Every address that an account is known by, each once. */
function addressesOf({ email, formerEmails }: Told): readonly string[] {
  return [...new Map([...formerEmails, email].map(each => [emailKey(each), each])).values()]
}

const signed = (caseId: string): string => JSON.stringify(['support-stop', caseId])

/** What the link to stop a case holds. */
export function stopToken(keyring: Keyring, caseId: string): string {
  return `${caseId}.${keyring.sign('link', signed(caseId))}`
}

/** @returns the id of the case that a link stops; undefined if we did not make it */
export function caseOfStopToken(keyring: Keyring, token: string): string | undefined {
  const [, id = '', signature = ''] = /^(cas_[0-9a-f]{1,60})\.([\w-]{43})$/.exec(token) ?? []
  return id !== '' && keyring.verify('link', signed(id), signature) ? id : undefined
}

type CaseNotice = MailContents['support-case']

/** A step of the case, told to every address. */
export function tellOwner(
  keyring: Keyring,
  whom: Told,
  caseId: string,
  step: CaseNotice['step'],
  more: Pick<CaseNotice, 'until' | 'address'>,
  now: number,
): Write[] {
  const { name, email: account } = whom
  const contents = { name, account, step, at: now, stop: stopToken(keyring, caseId), ...more }
  return addressesOf(whom).map(to => mailJob(keyring, { to, template: 'support-case', contents, now }))
}

/** The case is over without a link that was used. */
export function tellEnd(
  keyring: Keyring,
  whom: Told,
  why: MailContents['support-case-ended']['why'],
  now: number,
): Write[] {
  const contents = { name: whom.name, account: whom.email, why, at: now }
  return addressesOf(whom).map(to => mailJob(keyring, { to, template: 'support-case-ended', contents, now }))
}

/** The link by which its owner sets up again, to the address that they log in with; the others are told of it. */
export function tellLink(keyring: Keyring, whom: Told, caseId: string, token: string, now: number): Write[] {
  const stop = stopToken(keyring, caseId)
  return addressesOf(whom).map(to =>
    to === whom.email
      ? mailJob(keyring, {
          to,
          template: 'support-set-up',
          contents: { name: whom.name, token, stop, at: now },
          now,
        })
      : mailJob(keyring, {
          to,
          template: 'support-case',
          contents: {
            ...{ name: whom.name, account: whom.email, step: 'link', at: now, stop },
            ...{ until: null, address: null },
          },
          now,
        }),
  )
}
