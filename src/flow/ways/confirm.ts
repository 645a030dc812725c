// The end of a step-up: confirmed, given up or cancelled. What is confirmed is kept as the hash of the action that the
// page named, so that it is good for no other.

import { offerPasskeyAfter } from '../../store/accounts/accounts.ts'
import type { Visit } from '../visit.ts'
import { accountOf, chosen, type Handler, record } from './outcome.ts'

/** Where the factor was given in this request already, pressing the button is all that is missing. */
export const confirm: Handler = async (_, visit) => ({
  kind: 'advanced',
  progress: chosen(visit, confirmation(visit)),
  writes: [],
})

/** A factor that is given on a page that names an action confirms it too. */
export function confirming(handler: Handler): Handler {
  return async (services, visit, form) => {
    const outcome = await handler(services, visit, form)
    const named = visit.action !== undefined && ['code', 'passkey-first'].includes(visit.step.kind)
    if (outcome.kind !== 'advanced' || !named) return outcome
    return {
      ...outcome,
      progress: chosen({ ...visit, progress: outcome.progress }, confirmation(visit)),
    }
  }
}

export const cancel = ends('access_denied', 'the user cancelled')

/** The page has told why the user can't log in from where they are. */
export const leave = ends('access_denied', 'the user may not log in from this address')

/** The page has told how to get a passkey: by the offer at the next login, which may have been put off before. */
export const giveUp: Handler = async (services, visit, form) => {
  const outcome = await ends('unmet_authentication_requirements', 'the user has no passkey')(
    services,
    visit,
    form,
  )
  return { ...outcome, writes: [...(outcome.writes ?? []), offerPasskeyAfter(accountOf(visit).id, 0)] }
}

function confirmation({ action }: Visit): { confirmed?: string } {
  return action === undefined ? {} : { confirmed: action.hash }
}

function ends(error: string, description: string): Handler {
  return async (_, visit) => ({
    kind: 'ended',
    error,
    description,
    writes: [
      visit.action === undefined
        ? record(visit, 'login.failed', { error })
        : record(visit, 'action.refused', {
            error,
            action: visit.action.action,
            objects: visit.action.objects.length,
            hash: visit.action.hash,
          }),
    ],
  })
}
