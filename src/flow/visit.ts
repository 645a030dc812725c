// One request to an interaction: who it is about, what is known, what comes next. Read once at the start of every GET
// and POST; everything is decided from it.

import type { RequestedAction } from '../actions/requested.ts'
import { demandOf } from '../actions/rules.ts'
import { admits } from '../organisations/access-list.ts'
import { enforcement } from '../organisations/enforcement.ts'
import { isSpecialPlan } from '../organisations/plan.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'
import type { PlannedConnection } from '../store/sso/connections.ts'
import {
  type Asked,
  type Fact,
  judge,
  type Level,
  mergeFacts,
  throughGate,
  type Verdict,
} from './assurance.ts'
import type { Progress } from './progress.ts'
import { type Facts, nextStep, type Policy, type Step } from './step.ts'

export interface Visitor {
  /** Address of the browser. */
  readonly address: string
  /** Id of this browser for the account, if it finished a two-factor login of it in the last 30 days. */
  readonly device: string | undefined
}

export interface Visit {
  readonly uid: string
  /** The same for all interactions of one authorization request. */
  readonly cid: string
  readonly prompt: 'login' | 'step_up'
  /** The relying party's name. */
  readonly app: string
  readonly clientId: string
  readonly visitor: Visitor
  /** Milliseconds since 1970. */
  readonly now: number
  readonly progress: Progress
  /** The account that the progress, or the session, names; undefined for an address that nobody has. */
  readonly account: Account | undefined
  /** What the session holds and counts here. */
  readonly session: readonly Fact[]
  readonly asked: Asked
  /** What the request asks to have confirmed. */
  readonly action?: RequestedAction | undefined
  /** The identity provider of the user's organisation, if its connection may be used. */
  readonly upstream: PlannedConnection | undefined
  /** Nothing that the session holds counts (`prompt=login`). */
  readonly fromNothing: boolean
  readonly step: Step
  /** One factor is not enough for what is asked. */
  readonly twoFactorsWanted: boolean
  /** For the page that puts setting up off. */
  readonly graceUntil: number | undefined
}

export interface VisitSettings {
  readonly emailProof: Policy['emailProof']
  readonly acrAliases: Readonly<Record<string, Level>>
  /** Default: nobody here helps. */
  readonly helps?: boolean
}

/** Where a visit stands: asks the one function that decides. */
export function standing(
  visit: Omit<Visit, 'step' | 'graceUntil' | 'twoFactorsWanted'>,
  settings: VisitSettings,
) {
  const { account, progress, now } = visit
  const due = enforcement(account?.subscribedAt ?? null, now)
  const graceUntil = due.state === 'grace' ? due.until : undefined
  const held = mergeFacts(visit.session, progress.facts)
  const verdict = judgeAccount(account, visit.asked, held, now, settings.acrAliases)
  const facts: Facts = {
    who: progress.account === undefined ? undefined : { enrolment: account && enrolmentOf(account) },
    verified: progress.facts,
    session: visit.session,
    choices: progress.choices,
    newRecoveryCode: progress.recoveryCode !== undefined,
    platformAuthenticator: progress.platformAuthenticator === true,
    passkeyElsewhere: progress.passkeyElsewhere === true,
    upstream: visit.upstream && {
      // Whoever came from there already only has to show that the account is theirs.
      required: account?.ssoOnly === true && progress.linking === undefined,
      twoFactor: visit.upstream.twoFactor.acr.length + visit.upstream.twoFactor.amr.length > 0,
    },
  }
  const policy: Policy = {
    prompt: visit.prompt,
    enforced: due.state === 'enforced',
    graceUntil,
    goal: goalOf(verdict, visit.fromNothing && isOfBefore(held), now),
    demand: visit.action && demandOf(visit.action.rule, visit.action.hash, now),
    outside: account !== undefined && isOutside(account, visit.visitor.address),
    emailProof: settings.emailProof,
    ...(settings.helps === undefined ? {} : { helps: settings.helps }),
    passkeyOfferAfter: account?.passkeyOfferAfter ?? 0,
  }
  // Of the identity provider's organisation: what is asked there says nothing of whether somebody has an account here.
  const dueThere = visit.upstream && enforcement(visit.upstream.subscribedAt, now).state === 'enforced'
  const twoFactorsWanted =
    dueThere === true ||
    policy.enforced ||
    policy.demand !== undefined ||
    (policy.goal?.level ?? '1fa') !== '1fa'
  return { step: nextStep(facts, policy, now), graceUntil, twoFactorsWanted }
}

function goalOf(verdict: Verdict, startsAnew: boolean, now: number): Policy['goal'] {
  if (verdict.outcome === 'missing') return { level: verdict.level, since: verdict.since }
  return startsAnew ? { level: '1fa', since: now } : undefined
}

/** Whether all that was proven was proven before somebody was asked for it, as an upstream says or keeps quiet about. */
function isOfBefore(facts: readonly Fact[]): boolean {
  const proven = facts.filter(each => each.factor !== 'mail')
  return proven.length > 0 && proven.every(each => each.earlier === true)
}

/** Whether the access list of an account's organisation keeps an address out. The one place where it is asked. */
export function isOutside({ accessList }: Account, address: string): boolean {
  return !admits(accessList, address)
}

/** Whether an account's facts meet what was asked, on the gate that its organisation is behind at this time. */
export function judgeAccount(
  account: Account | undefined,
  asked: Asked,
  facts: readonly Fact[],
  now: number,
  aliases: Readonly<Record<string, Level>>,
  stateable?: (level: Level) => boolean,
): Verdict {
  const { state } = enforcement(account?.subscribedAt ?? null, now)
  const gate = state === 'enforced' ? '2fa' : '1fa'
  return judge({
    asked,
    facts,
    gate,
    able: ableLevels(account),
    now,
    aliases,
    ...(stateable === undefined ? {} : { stateable }),
  })
}

/** Whether a second factor is due and none of the facts is enough for it. */
export function secondFactorDue(account: Account, facts: readonly Fact[], now: number): boolean {
  return enforcement(account.subscribedAt, now).state === 'enforced' && !throughGate(facts)
}

/** Whether an account is one that gets in by its organisation's identity provider alone, and none of the facts is of it. */
export function ssoDue(
  { config, upstreams }: Pick<Services, 'config' | 'upstreams'>,
  account: Account,
  facts: readonly Fact[],
): boolean {
  const { ssoOnly, sessionPolicy } = account
  if (!ssoOnly || upstreams === undefined || facts.some(each => each.factor === 'sso')) return false
  return sessionPolicy !== undefined && isSpecialPlan(sessionPolicy.plan, config.ssoPlans)
}

/** Levels that somebody can reach: two factors can always be set up, a passkey must be there. */
export function ableLevels(account: Account | undefined): Level[] {
  return account !== undefined && account.passkeys > 0 ? ['1fa', '2fa', 'phr'] : ['1fa', '2fa']
}

function enrolmentOf(account: Account) {
  return {
    authenticator: account.authenticator !== undefined,
    passkeys: account.passkeys,
    recoveryCode: account.recoveryCode !== undefined,
    resetPending: account.secondFactorResetAt !== null,
  }
}
