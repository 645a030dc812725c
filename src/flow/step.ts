// Law 1: one function decides. From what is enrolled, what was verified in this interaction, what the session holds,
// what the app asked for and what the organisation's policy says follows the next step, and with it every POST that
// may be taken now. Pure: no clock, no storage, no HTTP. Steps never name one another.

import { type Demand, lacking } from '../actions/rules.ts'
import { type Fact, FRESH_MS, LEVELS, type Level, meets, provenBy, throughGate } from './assurance.ts'

/** What the account has to prove itself with. */
export interface Enrolment {
  readonly authenticator: boolean
  readonly passkeys: number
  readonly recoveryCode: boolean
  /** An admin, or support, reset the second factor, and it has not been set up since. */
  readonly resetPending: boolean
}

/** What the user decided on the way, in this interaction. */
export interface Choices {
  readonly setUpPutOff?: boolean
  readonly setUpAgain?: 'yes' | 'no'
  readonly passkeyOffer?: 'taken' | 'declined'
  readonly cannotUsePasskey?: boolean
  /** A password rather than the identity provider of their organisation. */
  readonly usePassword?: boolean
  /** The upstream was asked for what is missing, and did not give it. */
  readonly ssoFellShort?: boolean
  /** Hash of the action that was confirmed, on a page that named it. */
  readonly confirmed?: string
}

export interface Facts {
  /** Undefined until an email address or a passkey names somebody. `enrolment` is undefined for an address that nobody has. */
  readonly who: { readonly enrolment: Enrolment | undefined } | undefined
  /** Verified in this authorization request. */
  readonly verified: readonly Fact[]
  /** Held by the session; empty where the request starts from nothing (`prompt=login`). */
  readonly session: readonly Fact[]
  readonly choices: Choices
  /** An authenticator was set up, or a recovery code used, and its new recovery code has not been shown and ticked. */
  readonly newRecoveryCode: boolean
  /** The browser said that it has a platform authenticator. */
  readonly platformAuthenticator: boolean
  /** The passkey of this request was on another device, such as a phone that scanned a QR code. */
  readonly passkeyElsewhere?: boolean
  /** Undefined: none. */
  readonly upstream?: Upstream | undefined
}

/** The identity provider of somebody's organisation. */
export interface Upstream {
  /** This user gets in by no other way. */
  readonly required: boolean
  /** Some of what it says is trusted as two factors. */
  readonly twoFactor: boolean
}

export interface Goal {
  readonly level: Level
  readonly since: number
}

export interface Policy {
  /** login: names and proves somebody. step_up: the session's user proves what is missing, and may cancel. */
  readonly prompt: 'login' | 'step_up'
  /** Two-factor authentication is due for this user's organisation. */
  readonly enforced: boolean
  /** Until when setting up may be put off, milliseconds since 1970; undefined: not known yet. */
  readonly graceUntil: number | undefined
  /** The level to reach for what the app asked, and since when (milliseconds since 1970); undefined: nothing beyond the gate. */
  readonly goal: Goal | undefined
  /** What the rule of a protected action demands, one more thing asked; undefined: nothing. Counts in a step-up. */
  readonly demand?: Demand | undefined
  /** The address of the browser is not in the access list of this user's organisation. */
  readonly outside: boolean
  /** When a code from the mailbox is asked for before a first authenticator is set up. */
  readonly emailProof: 'after-reset' | 'always' | 'never'
  /** Whether admins and support help whoever has lost what they prove themselves with. Default: nobody here does. */
  readonly helps?: boolean
  /** Not before this time is a passkey offered, milliseconds since 1970. */
  readonly passkeyOfferAfter: number
}

/** What a POST may do. Each is verified by one handler in `ways.ts`. */
export type Way =
  | 'identify'
  | 'sso'
  | 'use-password'
  | 'password'
  | 'passkey'
  | 'otp'
  | 'recovery'
  | 'set-up'
  | 'put-off'
  | 'recovery-code-saved'
  | 'set-up-again'
  | 'passkey-registration'
  | 'passkey-upgrade'
  | 'passkey-declined'
  | 'cannot-use-passkey'
  | 'mailed-code'
  | 'send-code'
  | 'give-up'
  | 'leave'
  | 'ask-admin'
  | 'open-case'
  | 'send-case-code'
  | 'case-code'
  | 'confirm'
  | 'cancel'

export type StepKind =
  | 'email'
  | 'outside'
  | 'sso'
  | 'password'
  | 'code'
  | 'passkey-first'
  | 'mailed-code'
  | 'set-up'
  | 'recovery-code'
  | 'set-up-again'
  | 'passkey-offer'
  | 'passkey-needed'
  | 'confirm'
  | 'done'

/** How long a new authenticator may stand on a recovery code: an app for it has to be found and installed. */
export const SET_UP_MS = 10 * 60_000

export interface Step {
  readonly kind: StepKind
  readonly ways: readonly Way[]
  /** For `set-up`, if it may be put off. */
  readonly putOffUntil?: number | undefined
  /** For `passkey-offer`: there is a passkey, on another device; this one gets its own. */
  readonly onThisDevice?: true
}

/**
 * The next step of an interaction.
 *
 * @param now milliseconds since 1970
 */
export function nextStep(facts: Facts, policy: Policy, now: number): Step {
  const step = decide(facts, policy, now)
  return policy.prompt === 'step_up' && step.kind !== 'done'
    ? { ...step, ways: [...step.ways, 'cancel'] }
    : step
}

function decide(facts: Facts, policy: Policy, now: number): Step {
  const { who, choices } = facts
  if (who === undefined) return { kind: 'email', ways: ['identify', 'passkey'] }
  const resetPending = who.enrolment?.resetPending === true
  const verified = facts.verified.filter(fact => counts(fact, resetPending))
  const held = [...facts.session.filter(fact => counts(fact, resetPending)), ...verified]
  const has = (factor: Fact['factor'], among: readonly Fact[] = held) =>
    among.some(each => each.factor === factor)

  const firstFactor = has('pwd') || has('passkey') || has('sso')
  if (!firstFactor || who.enrolment === undefined) return first(facts, policy)
  // Said to nobody who has not proven to be somebody: a stranger learns nothing about an address by it.
  if (policy.outside) {
    // In a login somebody else may be here, whose organisation lets them in.
    return { kind: 'outside', ways: policy.prompt === 'login' ? ['leave', 'identify', 'passkey'] : ['leave'] }
  }
  // A password, or a passkey, of somebody who gets in by their organisation's identity provider alone.
  if (facts.upstream?.required === true && !has('sso')) {
    return { kind: 'sso', ways: policy.prompt === 'login' ? ['sso', 'identify'] : ['sso'] }
  }
  const enrolment = resetPending
    ? { ...who.enrolment, authenticator: false, recoveryCode: false }
    : who.enrolment

  // Whoever holds a second factor proves it, before anything else is set up or let through.
  if (!throughGate(held)) {
    const step = prove(facts, enrolment, policy, now)
    if (step !== undefined) return step
  }

  // A reset means: set up at the next login, also after a passkey, which a reset leaves alone.
  if (resetPending) return { kind: 'set-up', ways: ['set-up'] }

  if (facts.newRecoveryCode) {
    return { kind: 'recovery-code', ways: ['recovery-code-saved'] }
  }
  if (opensSetUp(held, now) && !has('otp', verified)) {
    if (choices.setUpAgain === 'yes') return { kind: 'set-up', ways: ['set-up', 'set-up-again'] }
    if (choices.setUpAgain === undefined && has('recovery', verified)) {
      return { kind: 'set-up-again', ways: ['set-up-again'] }
    }
  }

  if (policy.goal !== undefined && !meets(policy.goal.level, held, policy.goal.since)) {
    return reach(policy.goal, { held, now }, facts, enrolment, policy)
  }
  const demand = demandIn(policy)
  if (demand !== undefined) {
    const lacks = lacking(demand, { verified, held, confirmed: choices.confirmed })
    if (lacks === 'factor') return reach(goalOf(demand), { held, now }, facts, enrolment, policy)
    if (lacks === 'confirmation') return { kind: 'confirm', ways: ['confirm'] }
  }

  return passkeyOffer(facts, enrolment, policy, now) ?? { kind: 'done', ways: [] }
}

/** Who it is: by the identity provider of their organisation, by a password, or by a passkey. */
function first({ upstream, choices }: Facts, { prompt }: Policy): Step {
  const others: Way[] = prompt === 'login' ? ['identify', 'passkey'] : []
  // Also where nobody gets in by it: which addresses are an exception to that is nobody's business.
  if (upstream !== undefined && choices.usePassword !== true)
    return { kind: 'sso', ways: ['sso', 'use-password', ...others] }
  // A step-up is about the session's user: nobody else is named there, by an address or by a passkey.
  return {
    kind: 'password',
    ways: ['password', ...others, ...(upstream === undefined ? [] : (['sso'] as const))],
  }
}

/** A reset voids the authenticator and the recovery code, and what they proved before it; it leaves passkeys alone. */
function counts(fact: Fact, resetPending: boolean): boolean {
  return !resetPending || (fact.factor !== 'otp' && fact.factor !== 'recovery')
}

/** The step that proves a second factor or sets one up; undefined if neither is due. */
function prove(facts: Facts, enrolment: Enrolment, policy: Policy, now: number): Step | undefined {
  const { choices } = facts
  // What can't be met is said before anything is asked for or set up in vain.
  const level = asksFor(policy)
  if (level === 'phr' && enrolment.passkeys === 0) return passkeyNeeded()
  if (enrolment.authenticator) return withHelp(code(enrolment), facts, policy)
  if (enrolment.passkeys > 0 && !mailboxProven(facts)) {
    return choices.cannotUsePasskey
      ? { kind: 'mailed-code', ways: ['mailed-code', 'send-code', 'passkey'] }
      : { kind: 'passkey-first', ways: ['passkey', 'cannot-use-passkey'] }
  }
  // Somebody who has no second factor: within the grace day it may be put off, unless the app asked for two.
  const asksForTwo = level !== undefined && level !== '1fa'
  const mayPutOff = !policy.enforced && !asksForTwo && !enrolment.resetPending && enrolment.passkeys === 0
  // A step-up asks for what is missing and nothing else: there it is put off without a word.
  if (mayPutOff && (choices.setUpPutOff || policy.prompt === 'step_up')) return undefined
  const demand = demandIn(policy)
  const asked = [policy.goal, demand && goalOf(demand)].map(goal => goal?.since ?? Number.NEGATIVE_INFINITY)
  const held = [...facts.session, ...facts.verified]
  // Whom the day of grace has run out for is made to set up, by what their session holds, and is let on by it.
  const since = Math.max(...asked, policy.prompt === 'login' ? Number.NEGATIVE_INFINITY : now - FRESH_MS)
  const step = firstSetUp(facts, enrolment, policy, freshEnough(since, held, facts))
  return mayPutOff && step.kind === 'set-up'
    ? { kind: 'set-up', ways: ['set-up', 'put-off'], putOffUntil: policy.graceUntil }
    : step
}

/** An action is confirmed in a step-up, where its page is; a login before it asks for what a login asks. */
function demandIn({ prompt, demand }: Policy): Demand | undefined {
  return prompt === 'step_up' ? demand : undefined
}

/** What was proven before this request does not count where a factor of the request itself is demanded. */
function goalOf({ level, since }: Demand): Goal {
  return { level, since: since === 'request' ? Number.POSITIVE_INFINITY : since }
}

/** The strongest level asked for, in whichever way. */
function asksFor(policy: Policy): Level | undefined {
  return LEVELS.findLast(each => each === policy.goal?.level || each === demandIn(policy)?.level)
}

/**
 * Setting up without a second factor to prove before: the mailbox may have to do instead.
 *
 * @param proven whether something was proven as freshly as what is set up would be
 */
function firstSetUp(facts: Facts, enrolment: Enrolment, policy: Policy, proven: boolean): Step {
  const proofDue =
    policy.emailProof === 'always' ||
    (policy.emailProof === 'after-reset' && (enrolment.resetPending || !proven))
  return proofDue && !mailboxProven(facts)
    ? { kind: 'mailed-code', ways: ['mailed-code', 'send-code'] }
    : { kind: 'set-up', ways: ['set-up'] }
}

interface Held {
  readonly held: readonly Fact[]
  readonly now: number
}

/**
 * Whether anything was proven as freshly as is asked: else whoever finds a session open would confirm by a factor of
 * their own.
 */
function freshEnough(since: number, held: readonly Fact[], { verified }: Facts): boolean {
  return meets('1fa', held, since) || provenBy('1fa', verified, verified)
}

/** Whether a recovery code was used so lately that a new authenticator may stand on it. */
function opensSetUp(facts: readonly Fact[], now: number): boolean {
  return facts.some(each => each.factor === 'recovery' && each.verifiedAt >= now - SET_UP_MS)
}

function mailboxProven(facts: Facts): boolean {
  return facts.verified.some(each => each.factor === 'mail')
}

/** The step towards the level that the app asked for, from somebody who is through the gate. */
function reach(goal: Goal, { held, now }: Held, facts: Facts, enrolment: Enrolment, policy: Policy): Step {
  const enrolled = enrolment.authenticator || enrolment.passkeys > 0
  if (goal.level === 'phr') {
    return enrolment.passkeys > 0 ? { kind: 'passkey-first', ways: ['passkey'] } : passkeyNeeded()
  }
  const upstream = upstreamHelps(goal.level, held, facts)
  if (upstream && !enrolled) return { kind: 'sso', ways: ['sso'] }
  const came = (...factors: Fact['factor'][]) => held.some(each => factors.includes(each.factor))
  // Whoever came by their identity provider may have no password here.
  if (goal.level === '1fa' && !came('sso') && !(enrolled && came('passkey', 'otp'))) {
    return { kind: 'password', ways: ['password'] }
  }
  if (!enrolment.authenticator) {
    return enrolled
      ? { kind: 'passkey-first', ways: upstream ? ['passkey', 'sso'] : ['passkey'] }
      : firstSetUp(facts, enrolment, policy, freshEnough(Math.max(goal.since, now - FRESH_MS), held, facts))
  }
  const step = code(enrolment)
  // A recovery code never raises a level: only a new authenticator, or the old one found again, does. The recovery code
  // that a new one stands on is of this request, or as fresh as what is asked.
  const ways = [...step.ways.filter(way => way !== 'recovery'), ...(upstream ? (['sso'] as const) : [])]
  const lately = held.filter(each => each.verifiedAt >= goal.since)
  const recovered = opensSetUp(facts.verified, now) || opensSetUp(lately, now)
  return { kind: 'code', ways: recovered ? [...ways, 'set-up-again'] : ways }
}

/** Whether whoever came by their identity provider may reach a level by being asked there again. */
function upstreamHelps(level: Level, held: readonly Fact[], { upstream, choices }: Facts): boolean {
  if (upstream === undefined || choices.ssoFellShort === true) return false
  return held.some(each => each.factor === 'sso') && (level === '1fa' || upstream.twoFactor)
}

/** Whoever has entered the password may say that they have lost the rest: to their admins, and by their mailbox to support. */
function withHelp(step: Step, { verified }: Facts, { prompt, helps }: Policy): Step {
  const knows = verified.some(each => each.factor === 'pwd')
  if (prompt !== 'login' || !helps || !knows) return step
  return { ...step, ways: [...step.ways, 'ask-admin', 'send-case-code', 'case-code', 'open-case'] }
}

function passkeyNeeded(): Step {
  return { kind: 'passkey-needed', ways: ['give-up'] }
}

function code(enrolment: Enrolment): Step {
  const ways: Way[] = ['otp']
  if (enrolment.passkeys > 0) ways.push('passkey')
  if (enrolment.recoveryCode) ways.push('recovery')
  return { kind: 'code', ways }
}

/** Adding a passkey, for somebody who has proven two factors in this request, the last of them just now, and did not say "Not now". */
function passkeyOffer(facts: Facts, enrolment: Enrolment, policy: Policy, now: number): Step | undefined {
  const lately = facts.verified.filter(each => each.verifiedAt >= now - FRESH_MS)
  const may =
    policy.prompt === 'login' &&
    facts.platformAuthenticator &&
    facts.choices.passkeyOffer === undefined &&
    now >= policy.passkeyOfferAfter &&
    // What an upstream proved before says who was there then.
    provenBy('2fa', lately, facts.verified)
  if (!may) return undefined
  const kind = 'passkey-offer'
  if (enrolment.passkeys === 0) {
    // Beside a password the browser may make one by itself (conditional create).
    const upgrade: Way[] = facts.verified.some(each => each.factor === 'pwd') ? ['passkey-upgrade'] : []
    return { kind, ways: ['passkey-registration', ...upgrade, 'passkey-declined'] }
  }
  return facts.passkeyElsewhere === true && facts.verified.some(each => each.factor === 'passkey')
    ? { kind, ways: ['passkey-registration', 'passkey-declined'], onThisDevice: true }
    : undefined
}
