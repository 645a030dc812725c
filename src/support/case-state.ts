// One function says what state a support case is in, and one who may do what with it. Nothing of it is stored: it
// follows from what happened, and when. The conditions of the writes (store/recovery/support-cases.ts) say the same
// once more, for whoever comes at the same moment. Pure: no clock, no storage.

/** Which role's accounts a second agent decides about: what they open is more than their own. */
export const PRIVILEGED: readonly string[] = ['admin', 'support']

/** What happened to a case so far. Times are milliseconds since 1970; null: not yet. */
export interface CaseFacts {
  readonly accountId: string
  readonly needsSecond: boolean
  readonly openedAt: number
  readonly waitUntil: number
  readonly firstAgent: string | null
  readonly secondAgent: string | null
  readonly approvedAt: number | null
  readonly linkUntil: number | null
  readonly usedAt: number | null
  readonly closedAt: number | null
  readonly closedWhy: ClosedWhy | null
  /** The account is active, and nothing has moved its epoch since: no reset, no new password, no deactivation. */
  readonly accountUnchanged: boolean
  /** The newest time at which the account's owner proved a second factor, or logged in. */
  readonly provenAt: number | null
}

export type ClosedWhy =
  /** By **This wasn't me**. */
  | 'stopped'
  /** By an agent. */
  | 'closed'
  /** The owner got in. */
  | 'logged_in'
  /** Reset by an admin, a new password, deactivated. */
  | 'account_changed'
  | 'expired'

export type CaseState = 'waiting' | 'evidence' | 'second' | 'link' | 'used' | ClosedWhy

/** The states in which a case is open, in their order. */
export const OPEN_STATES = ['waiting', 'evidence', 'second', 'link'] as const
export type OpenState = (typeof OPEN_STATES)[number]

/** @param now milliseconds since 1970 */
export function caseState(facts: CaseFacts, now: number): CaseState {
  if (facts.usedAt !== null) return 'used'
  if (facts.closedAt !== null) return facts.closedWhy ?? 'closed'
  if (facts.provenAt !== null && facts.provenAt > facts.openedAt) return 'logged_in'
  if (!facts.accountUnchanged) return 'account_changed'
  if (facts.approvedAt !== null) return (facts.linkUntil ?? 0) > now ? 'link' : 'expired'
  if (now < facts.waitUntil) return 'waiting'
  return facts.firstAgent === null ? 'evidence' : 'second'
}

export function isOpen(state: CaseState): state is OpenState {
  return (OPEN_STATES as readonly string[]).includes(state)
}

export type CaseActor =
  /** An agent, who may be the case's owner. */
  | { readonly kind: 'agent'; readonly id: string }
  /** Whoever has the link to stop it, or a live session of the account. */
  | { readonly kind: 'told' }
  /** Whoever has the mailed link to set up again, and has entered the password. */
  | { readonly kind: 'linked' }
  | { readonly kind: 'stranger' }

export type CaseAction = 'approve' | 'close' | 'stop' | 'use'

/** What an actor may do with a case now. */
export function caseActions(facts: CaseFacts, actor: CaseActor, now: number): CaseAction[] {
  const state = caseState(facts, now)
  if (!isOpen(state)) return []
  switch (actor.kind) {
    case 'agent': {
      // Nobody decides about their own case, not even to close it: for that they have the link.
      if (actor.id === facts.accountId) return []
      const decides = state === 'evidence' || (state === 'second' && facts.firstAgent !== actor.id)
      return decides ? ['approve', 'close'] : ['close']
    }
    case 'told':
      return ['stop']
    case 'linked':
      return state === 'link' ? ['use'] : []
    case 'stranger':
      return []
  }
}

/** What somebody who is locked out can do. */
export interface LockedOut {
  /** Another active admin is in their organisation. */
  readonly otherAdmins: boolean
  /** Since when nobody has helped, and when the admins were last written to; null: they were not asked. */
  readonly askedSince: number | null
  readonly askedAt: number | null
  readonly openCase: CaseFacts | undefined
  /** When a case was last stopped, while the account is as it was then; null: none was. */
  readonly stoppedAt: number | null
}

export type Help = 'ask' | 'asked' | 'case' | 'opened' | 'stopped'

/** The admins are written to at most once in this time. */
export const ASK_AGAIN_MS = 24 * 60 * 60 * 1000

/** So long no case is opened after one that was stopped, unless there is a new password: whoever opened it knows the old one. */
export const STOPPED_MS = 24 * 60 * 60 * 1000

/**
 * What the page of somebody who is locked out offers.
 *
 * @param supportAfterMs how long admins have, before support helps
 */
export function helpFor(facts: LockedOut, supportAfterMs: number, now: number): Help {
  if (facts.openCase !== undefined && isOpen(caseState(facts.openCase, now))) return 'opened'
  const stopped = facts.stoppedAt !== null && now - facts.stoppedAt < STOPPED_MS
  const support = stopped ? 'stopped' : 'case'
  if (!facts.otherAdmins) return support
  if (facts.askedSince === null || facts.askedAt === null) return 'ask'
  if (now - facts.askedSince >= supportAfterMs) return support
  return now - facts.askedAt >= ASK_AGAIN_MS ? 'ask' : 'asked'
}
