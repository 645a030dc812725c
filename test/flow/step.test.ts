import { expect } from 'chai'
import { type Demand, demandOf } from '../../src/actions/rules.ts'
import type { Fact, Factor, Level } from '../../src/flow/assurance.ts'
import {
  type Choices,
  type Enrolment,
  type Facts,
  nextStep,
  type Policy,
  type Step,
} from '../../src/flow/step.ts'

const NOW = Date.UTC(2026, 4, 14, 9, 31)
const MINUTE = 60_000
const GRACE_UNTIL = NOW + 60 * MINUTE
const ALWAYS = Number.NEGATIVE_INFINITY
/** Sessions are older than this, what is verified in the interaction is newer. */
const FRESH = NOW - 5 * MINUTE

const verified = (...factors: Factor[]): Fact[] =>
  factors.map(factor => ({ factor, kind: factor === 'passkey' ? 'hwk' : factor, verifiedAt: NOW - MINUTE }))
const session = (...factors: Factor[]): Fact[] =>
  verified(...factors).map(each => ({ ...each, verifiedAt: NOW - 600 * MINUTE }))

const NOTHING: Enrolment = { authenticator: false, passkeys: 0, recoveryCode: false, resetPending: false }
const APP: Enrolment = { ...NOTHING, authenticator: true, recoveryCode: true }
const KEY: Enrolment = { ...NOTHING, passkeys: 1 }
const BOTH: Enrolment = { ...APP, passkeys: 2 }
const RESET: Enrolment = { ...NOTHING, resetPending: true }
const KEY_RESET: Enrolment = { ...KEY, resetPending: true }

interface Start extends Partial<Omit<Facts, 'who'>>, Partial<Policy> {
  readonly enrolled?: Enrolment | 'nobody' | 'unnamed'
}

/** The step of somebody who is enrolled as said; unless said otherwise they log in to an enforced organisation. */
function step(start: Start): Step {
  const { enrolled = NOTHING } = start
  const facts: Facts = {
    who: enrolled === 'unnamed' ? undefined : { enrolment: enrolled === 'nobody' ? undefined : enrolled },
    verified: start.verified ?? [],
    session: start.session ?? [],
    choices: start.choices ?? {},
    newRecoveryCode: start.newRecoveryCode ?? false,
    platformAuthenticator: start.platformAuthenticator ?? false,
    passkeyElsewhere: start.passkeyElsewhere ?? false,
    upstream: start.upstream,
  }
  const enforced = start.enforced ?? true
  const policy: Policy = {
    prompt: start.prompt ?? 'login',
    enforced,
    graceUntil: enforced ? undefined : GRACE_UNTIL,
    goal: start.goal,
    demand: start.demand,
    outside: start.outside ?? false,
    emailProof: start.emailProof ?? 'after-reset',
    passkeyOfferAfter: start.passkeyOfferAfter ?? 0,
    ...(start.helps === undefined ? {} : { helps: start.helps }),
  }
  return nextStep(facts, policy, NOW)
}

const PWD = verified('pwd')
/** A login at the upstream: one factor, or trusted for two. */
const SSO: Fact[] = [{ factor: 'sso', kind: '1fa', verifiedAt: NOW - MINUTE }]
const SSO_TWO: Fact[] = [{ factor: 'sso', kind: '2fa', verifiedAt: NOW - MINUTE }]
const held = (facts: Fact[]): Fact[] => facts.map(each => ({ ...each, verifiedAt: NOW - 600 * MINUTE }))
const VIA = { upstream: { required: false, twoFactor: false } } as const
const TRUSTED = { upstream: { required: false, twoFactor: true } } as const
const ONLY = { upstream: { required: true, twoFactor: true } } as const
const TWO = verified('pwd', 'otp')
const PASSKEY = verified('passkey')
const RECOVERED = verified('pwd', 'recovery')
const HELD_TWO = session('pwd', 'otp')
const HELD_RECOVERY = session('pwd', 'recovery')
const GRACE = { enforced: false } as const
const STEP_UP = { prompt: 'step_up' } as const
const CAN = { platformAuthenticator: true } as const
const ELSEWHERE = { passkeyElsewhere: true } as const
const PUT_OFF: Choices = { setUpPutOff: true }
const CANNOT: Choices = { cannotUsePasskey: true }

const CONFIRMED: Choices = { confirmed: 'this' }
const WITHIN = { ...STEP_UP, demand: demandOf({ within: 300 }, 'this', NOW) }
const EVERY_TIME = { ...STEP_UP, demand: demandOf('always', 'this', NOW) }
const BY_PASSKEY = { ...STEP_UP, demand: demandOf('passkey', 'this', NOW) }

const asks = (level: Level, since = ALWAYS) => ({ level, since })

describe('the next step', () => {
  // biome-ignore format: one case a line reads as a table
  const table: [name: string, start: Start, kind: Step['kind'], ...ways: Step['ways']][] = [
    // who it is
    ['of nobody yet', { enrolled: 'unnamed' }, 'email', 'identify', 'passkey'],
    ['of an address', {}, 'password', 'password', 'identify', 'passkey'],
    ['of an address that nobody has', { enrolled: 'nobody' }, 'password', 'password', 'identify', 'passkey'],
    ['of a code without a first factor', { enrolled: APP, verified: verified('otp') }, 'password', 'password', 'identify', 'passkey'],
    ['of a session that holds nothing, in a step-up', { enrolled: APP, ...STEP_UP }, 'password', 'password', 'cancel'],
    // whoever has lost the rest, and still knows the password
    ['of a password, where somebody helps', { enrolled: APP, verified: PWD, helps: true }, 'code', 'otp', 'recovery', 'ask-admin', 'send-case-code', 'case-code', 'open-case'],
    ['of a password, where nobody helps', { enrolled: APP, verified: PWD, helps: false }, 'code', 'otp', 'recovery'],
    ['of a session’s password, where somebody helps', { enrolled: APP, session: session('pwd'), helps: true }, 'code', 'otp', 'recovery'],
    ['of a step-up, where somebody helps', { enrolled: APP, verified: PWD, helps: true, ...STEP_UP }, 'code', 'otp', 'recovery', 'cancel'],
    ['of an address, where somebody helps', { enrolled: APP, helps: true }, 'password', 'password', 'identify', 'passkey'],
    ['of a reset, where somebody helps', { enrolled: RESET, verified: PWD, helps: true }, 'mailed-code', 'mailed-code', 'send-code'],
    ['of a proven mailbox, where somebody helps: it opens nothing by itself', { enrolled: APP, verified: verified('pwd', 'mail'), helps: true }, 'code', 'otp', 'recovery', 'ask-admin', 'send-case-code', 'case-code', 'open-case'],
    // first login
    ['E8: of a password with nothing enrolled', { verified: PWD }, 'set-up', 'set-up'],
    ['E8: of a choice to put off that is open no more', { verified: PWD, choices: PUT_OFF }, 'set-up', 'set-up'],
    ['within the grace day', { verified: PWD, ...GRACE }, 'set-up', 'set-up', 'put-off'],
    ['put off within the grace day', { verified: PWD, ...GRACE, choices: PUT_OFF }, 'done'],
    ['within the grace day, asked for two factors', { verified: PWD, ...GRACE, goal: asks('2fa') }, 'set-up', 'set-up'],
    ['put off, then asked for two factors', { verified: PWD, ...GRACE, goal: asks('2fa'), choices: PUT_OFF }, 'set-up', 'set-up'],
    ['E1: of a password, where the mailbox must be proven', { verified: PWD, emailProof: 'always' }, 'mailed-code', 'mailed-code', 'send-code'],
    ['of a mailbox that was proven', { verified: verified('pwd', 'mail'), emailProof: 'always' }, 'set-up', 'set-up'],
    ['of an authenticator just set up', { enrolled: APP, verified: TWO, newRecoveryCode: true }, 'recovery-code', 'recovery-code-saved'],
    ['of a saved code, in a browser that can', { enrolled: APP, verified: TWO, ...CAN }, 'passkey-offer', 'passkey-registration', 'passkey-upgrade', 'passkey-declined'],
    ['of a saved code, in a browser that cannot', { enrolled: APP, verified: TWO }, 'done'],
    ['E4: of the same, six minutes later', { enrolled: APP, verified: TWO.map(each => ({ ...each, verifiedAt: NOW - 6 * MINUTE })), ...CAN }, 'done'],
    ['of a declined passkey', { enrolled: APP, verified: TWO, ...CAN, choices: { passkeyOffer: 'declined' } }, 'done'],
    ['of a passkey declined in the last 30 days', { enrolled: APP, verified: TWO, ...CAN, passkeyOfferAfter: NOW + 1 }, 'done'],
    // the access list
    ['of nobody, outside the access list', { enrolled: 'unnamed', outside: true }, 'email', 'identify', 'passkey'],
    ['of an address that nobody has, outside any list', { enrolled: 'nobody', verified: PWD, outside: true }, 'password', 'password', 'identify', 'passkey'],
    ['of a named user outside the access list', { enrolled: APP, outside: true }, 'password', 'password', 'identify', 'passkey'],
    ['of their password', { enrolled: APP, verified: PWD, outside: true }, 'outside', 'leave', 'identify', 'passkey'],
    ['of their passkey', { enrolled: KEY, verified: PASSKEY, outside: true }, 'outside', 'leave', 'identify', 'passkey'],
    ['of a password after a reset, outside: no code is mailed', { enrolled: RESET, verified: PWD, outside: true }, 'outside', 'leave', 'identify', 'passkey'],
    ['of a session outside the access list', { enrolled: APP, session: HELD_TWO, outside: true }, 'outside', 'leave', 'identify', 'passkey'],
    ['of a session outside, in a step-up', { enrolled: APP, session: HELD_TWO, outside: true, ...STEP_UP }, 'outside', 'leave', 'cancel'],
    // single sign-on
    ['of an address that logs in by single sign-on', { ...VIA }, 'sso', 'sso', 'use-password', 'identify', 'passkey'],
    ['of an address there that nobody has', { enrolled: 'nobody', ...VIA }, 'sso', 'sso', 'use-password', 'identify', 'passkey'],
    ['of such an address, where it is the only way', { ...ONLY }, 'sso', 'sso', 'use-password', 'identify', 'passkey'],
    ['of one who chose a password', { ...VIA, choices: { usePassword: true } }, 'password', 'password', 'identify', 'passkey', 'sso'],
    ['of a password, where single sign-on is the only way', { enrolled: APP, verified: PWD, ...ONLY }, 'sso', 'sso', 'identify'],
    ['of a password and a code, where it is the only way', { enrolled: APP, verified: TWO, ...ONLY }, 'sso', 'sso', 'identify'],
    ['of a passkey, where it is the only way', { enrolled: KEY, verified: PASSKEY, ...ONLY }, 'sso', 'sso', 'identify'],
    ['of a session by password, where it is the only way', { enrolled: APP, session: HELD_TWO, ...ONLY }, 'sso', 'sso', 'identify'],
    ['of one factor there, with nothing enrolled', { verified: SSO, ...VIA }, 'set-up', 'set-up'],
    ['of the same, within the grace day', { verified: SSO, ...VIA, ...GRACE }, 'set-up', 'set-up', 'put-off'],
    ['of one factor there, with an authenticator', { enrolled: APP, verified: SSO, ...VIA }, 'code', 'otp', 'recovery'],
    ['of one factor there after a reset', { enrolled: RESET, verified: SSO, ...VIA }, 'mailed-code', 'mailed-code', 'send-code'],
    ['of two factors there', { verified: SSO_TWO, ...ONLY }, 'done'],
    ['of two factors there after a reset', { enrolled: RESET, verified: SSO_TWO, ...TRUSTED }, 'set-up', 'set-up'],
    ['of two factors there, asked for a passkey', { verified: SSO_TWO, ...TRUSTED, goal: asks('phr') }, 'passkey-needed', 'give-up'],
    ['of a session there, asked anew', { session: held(SSO_TWO), ...TRUSTED, ...STEP_UP, goal: asks('2fa', FRESH) }, 'sso', 'sso', 'cancel'],
    ['of the same, with an authenticator', { enrolled: APP, session: held(SSO_TWO), ...TRUSTED, ...STEP_UP, goal: asks('2fa', FRESH) }, 'code', 'otp', 'sso', 'cancel'],
    ['of the same, with a passkey', { enrolled: KEY, session: held(SSO_TWO), ...TRUSTED, ...STEP_UP, goal: asks('2fa', FRESH) }, 'passkey-first', 'passkey', 'sso', 'cancel'],
    ['of an upstream that fell short', { session: held(SSO_TWO), ...TRUSTED, ...STEP_UP, choices: { ssoFellShort: true }, goal: asks('2fa', FRESH) }, 'mailed-code', 'mailed-code', 'send-code', 'cancel'],
    ['of a session there, where its word is not trusted', { session: held(SSO_TWO), ...VIA, ...STEP_UP, goal: asks('2fa', FRESH) }, 'mailed-code', 'mailed-code', 'send-code', 'cancel'],
    ['E4: of the same, once the mailbox is proven', { session: held(SSO_TWO), verified: verified('mail'), ...TRUSTED, ...STEP_UP, choices: { ssoFellShort: true }, goal: asks('2fa', FRESH) }, 'set-up', 'set-up', 'cancel'],
    ['of the same, where the mailbox is asked of nobody', { session: held(SSO_TWO), ...TRUSTED, ...STEP_UP, choices: { ssoFellShort: true }, goal: asks('2fa', FRESH), emailProof: 'never' }, 'set-up', 'set-up', 'cancel'],
    ['E4: of two factors that were proven there before, in a browser that can', { verified: SSO_TWO.map(each => ({ ...each, earlier: true })), ...TRUSTED, ...CAN }, 'done'],
    ['of two factors that were proven there now, in a browser that can', { verified: SSO_TWO, ...TRUSTED, ...CAN }, 'passkey-offer', 'passkey-registration', 'passkey-declined'],
    ['of a grace session there, asked for a new factor', { session: held(SSO), ...VIA, ...GRACE, ...STEP_UP, goal: asks('1fa', FRESH) }, 'sso', 'sso', 'cancel'],
    ['of the same, which fell short: there may be no password', { session: held(SSO), ...VIA, ...GRACE, ...STEP_UP, choices: { ssoFellShort: true }, goal: asks('1fa', FRESH) }, 'mailed-code', 'mailed-code', 'send-code', 'cancel'],
    ['of a session of a provider that is switched off', { session: held(SSO), ...GRACE, ...STEP_UP, goal: asks('1fa', FRESH) }, 'mailed-code', 'mailed-code', 'send-code', 'cancel'],
    // later logins
    ['of a password with an authenticator', { enrolled: APP, verified: PWD }, 'code', 'otp', 'recovery'],
    ['of the same within the grace day', { enrolled: APP, verified: PWD, ...GRACE }, 'code', 'otp', 'recovery'],
    ['of a password with everything', { enrolled: BOTH, verified: PWD }, 'code', 'otp', 'passkey', 'recovery'],
    ['of a password and a code', { enrolled: APP, verified: TWO }, 'done'],
    ['of a passkey', { enrolled: KEY, verified: PASSKEY }, 'done'],
    ['of a passkey of this device', { enrolled: KEY, verified: PASSKEY, ...CAN }, 'done'],
    ['of a passkey of another device', { enrolled: KEY, verified: PASSKEY, ...CAN, ...ELSEWHERE }, 'passkey-offer', 'passkey-registration', 'passkey-declined'],
    ['of one as the second factor', { enrolled: BOTH, verified: verified('pwd', 'passkey'), ...CAN, ...ELSEWHERE }, 'passkey-offer', 'passkey-registration', 'passkey-declined'],
    ['of one, in a browser that cannot have its own', { enrolled: KEY, verified: PASSKEY, ...ELSEWHERE }, 'done'],
    ['of one, declined on this device in the last 30 days', { enrolled: KEY, verified: PASSKEY, ...CAN, ...ELSEWHERE, passkeyOfferAfter: NOW + 1 }, 'done'],
    ['of one in a step-up', { enrolled: KEY, verified: PASSKEY, session: HELD_TWO, ...CAN, ...ELSEWHERE, ...STEP_UP }, 'done'],
    // a passkey and no authenticator
    ['of a password with a passkey only', { enrolled: KEY, verified: PWD }, 'passkey-first', 'passkey', 'cannot-use-passkey'],
    ['of the same, on the grace day', { enrolled: KEY, verified: PWD, ...GRACE }, 'passkey-first', 'passkey', 'cannot-use-passkey'],
    ['of a passkey that cannot be used', { enrolled: KEY, verified: PWD, choices: CANNOT }, 'mailed-code', 'mailed-code', 'send-code', 'passkey'],
    ['of the same, where the mailbox is asked of nobody else', { enrolled: KEY, verified: PWD, choices: CANNOT, emailProof: 'never' }, 'mailed-code', 'mailed-code', 'send-code', 'passkey'],
    ['of the mailbox in place of the passkey', { enrolled: KEY, verified: verified('pwd', 'mail'), choices: CANNOT }, 'set-up', 'set-up'],
    // recovery
    ['of a recovery code used', { enrolled: APP, verified: RECOVERED, newRecoveryCode: true }, 'recovery-code', 'recovery-code-saved'],
    ['of its successor saved', { enrolled: APP, verified: RECOVERED }, 'set-up-again', 'set-up-again'],
    ['of setting up again', { enrolled: APP, verified: RECOVERED, choices: { setUpAgain: 'yes' } }, 'set-up', 'set-up', 'set-up-again'],
    ['E4: of setting up again, eleven minutes after the recovery code', { enrolled: APP, verified: RECOVERED.map(each => ({ ...each, verifiedAt: NOW - 11 * MINUTE })), choices: { setUpAgain: 'yes' } }, 'done'],
    ['of not setting up again', { enrolled: APP, verified: RECOVERED, choices: { setUpAgain: 'no' }, ...CAN }, 'done'],
    ['of not setting up again, asked for two factors', { enrolled: APP, verified: RECOVERED, choices: { setUpAgain: 'no' }, goal: asks('2fa') }, 'code', 'otp', 'set-up-again'],
    ['of an authenticator set up again', { enrolled: APP, verified: verified('pwd', 'recovery', 'otp'), choices: { setUpAgain: 'yes' }, goal: asks('2fa') }, 'done'],
    // reset
    ['of a password after a reset', { enrolled: RESET, verified: PWD }, 'mailed-code', 'mailed-code', 'send-code'],
    ['of a reset within the grace day', { enrolled: RESET, verified: verified('pwd', 'mail'), ...GRACE }, 'set-up', 'set-up'],
    ['of a passkey after a reset', { enrolled: KEY_RESET, verified: PASSKEY }, 'set-up', 'set-up'],
    ['of a password with a passkey after a reset', { enrolled: KEY_RESET, verified: PWD }, 'passkey-first', 'passkey', 'cannot-use-passkey'],
    ['of a code from before a reset', { enrolled: RESET, verified: TWO }, 'mailed-code', 'mailed-code', 'send-code'],
    ['of a recovery code from before a reset', { enrolled: RESET, verified: RECOVERED }, 'mailed-code', 'mailed-code', 'send-code'],
    // the session, and what the app asks
    ['E8: of a grace session when the day is over', { session: session('pwd') }, 'set-up', 'set-up'],
    ['of a grace session of just now asked for two factors', { session: verified('pwd'), ...GRACE, ...STEP_UP, goal: asks('2fa') }, 'set-up', 'set-up', 'cancel'],
    ['E4: of a grace session of long ago asked for two factors: whoever finds a browser open sets nothing up', { session: session('pwd'), ...GRACE, ...STEP_UP, goal: asks('2fa') }, 'mailed-code', 'mailed-code', 'send-code', 'cancel'],
    ['of a grace session asked for a new factor, and for nothing else', { session: session('pwd'), ...GRACE, ...STEP_UP, goal: asks('1fa', FRESH) }, 'password', 'password', 'cancel'],
    ['of a session asked for a new code', { enrolled: APP, session: HELD_TWO, ...STEP_UP, goal: asks('2fa', FRESH) }, 'code', 'otp', 'cancel'],
    ['of a session with a passkey asked for a new code', { enrolled: BOTH, session: HELD_TWO, ...STEP_UP, goal: asks('2fa', FRESH) }, 'code', 'otp', 'passkey', 'cancel'],
    ['of a session that gave a new code', { enrolled: APP, session: HELD_TWO, verified: verified('otp'), ...STEP_UP, goal: asks('2fa', FRESH) }, 'done'],
    ['of a session whose authenticator is gone, asked for a new factor', { session: HELD_TWO, ...STEP_UP, goal: asks('1fa', FRESH) }, 'password', 'password', 'cancel'],
    ['of the same, asked for two', { session: HELD_TWO, ...STEP_UP, goal: asks('2fa', FRESH) }, 'mailed-code', 'mailed-code', 'send-code', 'cancel'],
    ['E1: of the same, where the mailbox must be proven', { session: HELD_TWO, ...STEP_UP, goal: asks('2fa', FRESH), emailProof: 'always' }, 'mailed-code', 'mailed-code', 'send-code', 'cancel'],
    ['of a passkey session asked for two new factors', { enrolled: KEY, session: session('passkey'), ...STEP_UP, goal: asks('2fa', FRESH) }, 'passkey-first', 'passkey', 'cancel'],
    ['of a passkey session that gave a new code', { enrolled: BOTH, session: session('passkey'), verified: verified('otp'), ...STEP_UP, goal: asks('2fa', FRESH) }, 'done'],
    ['of a session asked for a passkey', { enrolled: BOTH, session: HELD_TWO, ...STEP_UP, goal: asks('phr') }, 'passkey-first', 'passkey', 'cancel'],
    ['S3: of a session asked for a passkey that it has not', { enrolled: APP, session: HELD_TWO, ...STEP_UP, goal: asks('phr') }, 'passkey-needed', 'give-up', 'cancel'],
    ['S3: of a password asked for a passkey: nothing is set up in vain', { verified: PWD, goal: asks('phr') }, 'passkey-needed', 'give-up'],
    ['of a recovery session of just now asked for two factors', { enrolled: APP, session: RECOVERED, ...STEP_UP, goal: asks('2fa') }, 'code', 'otp', 'set-up-again', 'cancel'],
    ['E4: of a recovery session of long ago asked for two factors', { enrolled: APP, session: HELD_RECOVERY, ...STEP_UP, goal: asks('2fa') }, 'code', 'otp', 'cancel'],
    ['E4: of the same, which said before that it sets up again', { enrolled: APP, session: HELD_RECOVERY, ...STEP_UP, goal: asks('2fa'), choices: { setUpAgain: 'yes' } }, 'code', 'otp', 'cancel'],
    ['E4: of a recovery session asked for two new factors', { enrolled: APP, session: HELD_RECOVERY, ...STEP_UP, goal: asks('2fa', FRESH) }, 'code', 'otp', 'cancel'],
    ['of a recovery session asked for a new factor', { enrolled: APP, session: HELD_RECOVERY, ...STEP_UP, goal: asks('1fa', FRESH) }, 'password', 'password', 'cancel'],
    // a protected action
    ['of a session that gave two factors long ago, for an action within five minutes', { enrolled: APP, session: HELD_TWO, ...WITHIN }, 'code', 'otp', 'cancel'],
    ['of a session that gave them just now, for the same', { enrolled: APP, session: TWO, ...WITHIN }, 'done'],
    ['S10: of a session that gave two factors just now, for an action every time', { enrolled: APP, session: TWO, ...EVERY_TIME }, 'code', 'otp', 'cancel'],
    ['S10: of the same, with a confirmation but no factor', { enrolled: APP, session: TWO, choices: CONFIRMED, ...EVERY_TIME }, 'code', 'otp', 'cancel'],
    ['of a code given for the action', { enrolled: APP, session: TWO, verified: verified('otp'), choices: CONFIRMED, ...EVERY_TIME }, 'done'],
    ['of a login in the same request', { enrolled: APP, verified: TWO, ...EVERY_TIME }, 'confirm', 'confirm', 'cancel'],
    ['of a login in the same request, confirmed', { enrolled: APP, verified: TWO, choices: CONFIRMED, ...EVERY_TIME }, 'done'],
    ['S10: of a login in the same request, where another action was confirmed', { enrolled: APP, verified: TWO, choices: { confirmed: 'that' }, ...EVERY_TIME }, 'confirm', 'confirm', 'cancel'],
    ['of a password alone in the same request', { enrolled: APP, session: TWO, verified: PWD, ...EVERY_TIME }, 'code', 'otp', 'cancel'],
    ['of a passkey in the same request', { enrolled: KEY, verified: PASSKEY, ...EVERY_TIME }, 'confirm', 'confirm', 'cancel'],
    ['of a passkey of before', { enrolled: KEY, session: PASSKEY, ...EVERY_TIME }, 'passkey-first', 'passkey', 'cancel'],
    ['of a passkey of before and a code', { enrolled: BOTH, session: PASSKEY, verified: verified('otp'), ...EVERY_TIME }, 'confirm', 'confirm', 'cancel'],
    ['S3: of a grace session, for an action every time', { session: verified('pwd'), ...GRACE, ...EVERY_TIME }, 'mailed-code', 'mailed-code', 'send-code', 'cancel'],
    ['of the same with its mailbox proven', { session: verified('pwd'), verified: verified('mail'), ...GRACE, ...EVERY_TIME }, 'set-up', 'set-up', 'cancel'],
    ['of an authenticator set up for it', { enrolled: APP, session: session('pwd'), verified: verified('otp'), ...GRACE, ...EVERY_TIME }, 'confirm', 'confirm', 'cancel'],
    ['of a recovery session, for an action every time', { enrolled: APP, session: HELD_RECOVERY, ...EVERY_TIME }, 'code', 'otp', 'cancel'],
    ['S3: of a code given for an action by passkey, by somebody who has none', { enrolled: APP, session: HELD_TWO, verified: TWO, ...BY_PASSKEY }, 'passkey-needed', 'give-up', 'cancel'],
    ['S3: of a grace session, for an action by passkey: nothing is set up in vain', { session: session('pwd'), ...GRACE, ...BY_PASSKEY }, 'passkey-needed', 'give-up', 'cancel'],
    ['of a code given for an action by passkey', { enrolled: BOTH, session: HELD_TWO, verified: TWO, choices: CONFIRMED, ...BY_PASSKEY }, 'passkey-first', 'passkey', 'cancel'],
    ['of a passkey given for it', { enrolled: BOTH, session: HELD_TWO, verified: PASSKEY, choices: CONFIRMED, ...BY_PASSKEY }, 'done'],
    ['of an action within five minutes and a passkey asked for', { enrolled: BOTH, session: TWO, goal: asks('phr'), ...WITHIN }, 'passkey-first', 'passkey', 'cancel'],
    ['of an action in a login: it is confirmed after it', { enrolled: APP, verified: TWO, ...EVERY_TIME, prompt: 'login' }, 'done'],
  ]
  for (const [name, start, kind, ...ways] of table) {
    it(`${name} is ${kind}${ways.length > 0 ? ` (${ways.join(', ')})` : ''}`, () => {
      expect(step(start)).to.deep.include({ kind, ways })
    })
  }

  it('has a table that names each kind of step', () => {
    expect(table.length).to.be.at.least(40)
    expect(new Set(table.map(([, , kind]) => kind)).size).to.equal(14)
  })

  it('says until when setting up may be put off, and only there', () => {
    expect(step({ verified: verified('pwd'), enforced: false }).putOffUntil).to.equal(GRACE_UNTIL)
    expect(step({ verified: verified('pwd') }).putOffUntil).to.equal(undefined)
  })
})

describe('the next step, in every combination', function () {
  this.timeout(120_000)

  interface Case {
    readonly facts: Facts
    readonly policy: Policy
    readonly step: Step
    /** What is enrolled and counts: a reset voids the authenticator and the recovery code. */
    readonly app: boolean
    readonly code: boolean
    readonly keys: boolean
    readonly reset: boolean
    readonly named: boolean
    /** Factors held, by the session or by this interaction, as far as a reset left them their worth. */
    readonly held: ReadonlySet<Factor>
    readonly first: boolean
    /** A second factor was proven, or a recovery code in its place. */
    readonly second: boolean
    readonly mailbox: boolean
  }

  const offers = (each: Case, ...ways: Step['ways'][number][]) =>
    ways.some(way => each.step.ways.includes(way))
  const changes = (each: Case) => offers(each, 'set-up', 'put-off', 'set-up-again', 'passkey-registration')
  const done = (each: Case) => each.step.kind === 'done'
  const identifies = (each: Case) => offers(each, 'identify')

  function reached({ facts, policy: { goal } }: Case): boolean {
    if (goal === undefined) return true
    const all = [...facts.session, ...facts.verified]
    const some = (factor: Factor, since = goal.since) =>
      all.some(each => each.factor === factor && each.verifiedAt >= since)
    if (goal.level === 'phr') return some('passkey')
    if (goal.level === '2fa')
      return some('passkey') || ((some('pwd', ALWAYS) || some('passkey', ALWAYS)) && some('otp'))
    return some('passkey') || some('pwd') || some('otp')
  }

  function confirmed({ facts, policy: { demand } }: Case): boolean {
    if (demand === undefined) return true
    const all = [...facts.session, ...facts.verified]
    const fresh = (factor: Factor) =>
      demand.since === 'request'
        ? facts.verified.some(each => each.factor === factor)
        : all.some(each => each.factor === factor && each.verifiedAt >= Number(demand.since))
    const first = all.some(each => each.factor === 'pwd' || each.factor === 'passkey')
    const given = fresh('passkey') || (demand.level === '2fa' && fresh('otp') && first)
    return given && (demand.since !== 'request' || facts.choices.confirmed === demand.hash)
  }

  /** Where `when` holds, `must` holds too. A rule that never applies is no rule: each counts where it does. */
  const rules: { name: string; when: (each: Case) => boolean; must: (each: Case) => boolean }[] = [
    {
      name: 'nobody is asked for anything before they are named',
      when: each => !each.named,
      must: each => each.step.kind === 'email',
    },
    {
      name: 'an address that nobody has never gets past the password page',
      when: each => each.named && each.facts.who?.enrolment === undefined,
      must: each => each.step.kind === 'password',
    },
    {
      name: 'whoever is named without a first factor is asked for the password',
      when: each => each.named && !each.first,
      must: each => each.step.kind === 'password',
    },
    {
      name: 'a step-up never names anybody else',
      when: each => each.policy.prompt === 'step_up' && each.named,
      must: each => !identifies(each),
    },
    {
      name: 'whoever holds a second factor sets up nothing and puts off nothing before proving one, or the mailbox in place of their only passkey',
      when: each => (each.app || each.keys) && !each.second && !(each.keys && !each.app && each.mailbox),
      must: each => !changes(each) && !done(each),
    },
    {
      name: 'whoever holds a second factor is never done without having proven one',
      when: each => (each.app || each.keys) && !each.second,
      must: each => !done(each),
    },
    {
      name: 'the mailbox is never asked in place of an authenticator',
      when: each => each.app && !each.second,
      must: each => !offers(each, 'mailed-code', 'send-code', 'cannot-use-passkey'),
    },
    {
      name: 'the mailbox is asked in place of a passkey only of those who said that they cannot use it',
      when: each => each.keys && offers(each, 'mailed-code'),
      must: each => each.facts.choices.cannotUsePasskey === true && !each.app,
    },
    {
      name: 'done while two factors are due means two kinds, a passkey, or a recovery code',
      when: each => each.policy.enforced && done(each),
      must: ({ held }) => held.has('passkey') || held.has('recovery') || (held.has('pwd') && held.has('otp')),
    },
    {
      name: 'done means that the level asked for was reached, as freshly as asked',
      when: each => done(each) && each.policy.goal !== undefined,
      must: reached,
    },
    {
      name: 'S10: done in a step-up means that the action was confirmed as its rule demands',
      when: each => done(each) && each.policy.prompt === 'step_up' && each.policy.demand !== undefined,
      must: confirmed,
    },
    {
      name: 'the bare question to confirm comes where the factor was given in this request, and only there',
      when: each => offers(each, 'confirm'),
      must: ({ facts, policy }) =>
        policy.demand?.since === 'request' &&
        facts.choices.confirmed !== policy.demand.hash &&
        facts.verified.some(each => each.factor === 'passkey' || each.factor === 'otp'),
    },
    {
      name: 'a login is as it would be without an action',
      when: each => each.policy.prompt === 'login' && each.policy.demand !== undefined,
      must: ({ facts, policy, step }) => same(step, nextStep(facts, { ...policy, demand: undefined }, NOW)),
    },
    {
      name: 'a recovery code and a mailed code never raise a level',
      when: each => each.policy.goal !== undefined && !reached(each),
      must: each => !done(each),
    },
    {
      name: 'no recovery code is asked for towards a level, from somebody through the gate',
      when: each => each.second,
      must: each => !offers(each, 'recovery'),
    },
    {
      name: 'Not now is offered only within the grace day, no reset pending, nothing asked beyond one factor, and nothing enrolled',
      when: each => offers(each, 'put-off'),
      must: ({ policy, reset, app, keys }) =>
        !policy.enforced && !reset && !app && !keys && (policy.goal ?? asks('1fa')).level === '1fa',
    },
    {
      name: 'Not now is offered in a login only',
      when: each => offers(each, 'put-off'),
      must: each => each.policy.prompt === 'login' && each.step.putOffUntil === GRACE_UNTIL,
    },
    {
      name: 'having put off means nothing once two factors are due',
      when: each => each.policy.enforced && each.facts.choices.setUpPutOff === true,
      must: ({ facts, policy, step }) =>
        same(step, nextStep({ ...facts, choices: { ...facts.choices, setUpPutOff: false } }, policy, NOW)),
    },
    {
      name: 'no step offers a one-time code without an authenticator',
      when: each => offers(each, 'otp'),
      must: each => each.app,
    },
    {
      name: 'no step offers a recovery code where there is none, or no authenticator that it stands in for',
      when: each => offers(each, 'recovery'),
      must: each => each.code && each.app,
    },
    {
      name: 'no step offers a passkey to a named user who has none, except where another may be named',
      when: each => offers(each, 'passkey', 'cannot-use-passkey') && !identifies(each),
      must: each => each.keys,
    },
    {
      name: 'setting up again is offered only to those who used a recovery code',
      when: each => offers(each, 'set-up-again'),
      must: each => each.held.has('recovery'),
    },
    {
      name: 'where something fresh is asked, an old recovery code does not open setting up again',
      when: ({ policy, facts, held }) =>
        policy.goal?.since === FRESH &&
        held.has('recovery') &&
        !facts.verified.some(each => each.factor === 'recovery') &&
        facts.choices.setUpAgain !== 'yes',
      must: each => !offers(each, 'set-up-again'),
    },
    {
      name: 'setting up after a reset needs the mailbox, unless by passkey',
      when: each => each.reset && offers(each, 'set-up') && each.policy.emailProof !== 'never',
      must: each => each.held.has('passkey') || each.mailbox,
    },
    {
      name: 'E1: setting up a first authenticator needs the mailbox where that is demanded',
      when: each => !each.second && offers(each, 'set-up') && each.policy.emailProof === 'always',
      must: each => each.mailbox,
    },
    {
      name: 'E4: setting up in a step-up needs something fresh, whatever is asked, or the mailbox; in a login, where that is asked',
      when: each =>
        offers(each, 'set-up') &&
        (each.policy.prompt === 'step_up' || each.policy.goal?.since === FRESH) &&
        !each.second &&
        each.policy.emailProof !== 'never',
      must: each => each.mailbox || each.facts.verified.length > 0,
    },
    {
      name: 'a pending reset is never done',
      when: each => each.reset,
      must: each => !done(each) && !offers(each, 'put-off', 'otp', 'recovery'),
    },
    {
      name: 'a pending reset ends in set-up, also after a passkey',
      when: each => each.reset && each.held.has('passkey'),
      must: each => each.step.kind === 'set-up',
    },
    {
      name: 'a passkey user with no reset pending, and no recovery code used, is never made to add an authenticator',
      when: each => each.keys && !each.reset && each.held.has('passkey') && !each.held.has('recovery'),
      must: each => !offers(each, 'set-up'),
    },
    {
      name: 'a new recovery code is shown before anything else is, once through the gate',
      when: each => each.facts.newRecoveryCode && each.first && each.second && !each.reset,
      must: each => each.step.kind === 'recovery-code',
    },
    {
      name: 'a recovery code is shown only where a new one was made',
      when: each => each.step.kind === 'recovery-code',
      must: each => each.facts.newRecoveryCode,
    },
    {
      name: 'cancel is offered in a step-up only, at each of its steps',
      when: each => !done(each),
      must: each => offers(each, 'cancel') === (each.policy.prompt === 'step_up'),
    },
    {
      name: 'giving up is offered exactly where a passkey is asked that the user has not',
      when: each => offers(each, 'give-up') || each.step.kind === 'passkey-needed',
      must: each =>
        (each.policy.goal?.level === 'phr' || each.policy.demand?.level === 'phr') &&
        !each.keys &&
        each.step.kind === 'passkey-needed' &&
        offers(each, 'give-up'),
    },
    {
      name: 'adding a passkey is offered only in a login that proved two factors, to a browser that can, to somebody who has none there and did not decline',
      when: each => offers(each, 'passkey-registration'),
      must: ({ policy, facts, keys }) =>
        policy.prompt === 'login' &&
        facts.platformAuthenticator &&
        (!keys ||
          (facts.passkeyElsewhere === true && facts.verified.some(each => each.factor === 'passkey'))) &&
        facts.choices.passkeyOffer === undefined &&
        (facts.verified.some(each => each.factor === 'passkey') ||
          (['pwd', 'otp'] as const).every(factor => facts.verified.some(each => each.factor === factor))),
    },
    {
      name: 'E4: the browser adds one by itself only beside a password and a second factor, to somebody who has none',
      when: each => offers(each, 'passkey-upgrade'),
      must: each =>
        offers(each, 'passkey-registration') &&
        !each.keys &&
        each.facts.verified.some(({ factor }) => factor === 'pwd') &&
        each.facts.verified.some(({ factor }) => factor === 'otp' || factor === 'passkey'),
    },
    {
      name: 'adding a passkey may be declined wherever it is offered',
      when: each => offers(each, 'passkey-registration'),
      must: each => offers(each, 'passkey-declined'),
    },
    {
      name: 'a step leads on by at least one way of its own, and done by none',
      when: () => true,
      must: each => done(each) === (each.step.ways.filter(way => way !== 'cancel').length === 0),
    },
    {
      name: 'no way is offered twice',
      when: () => true,
      must: each => new Set(each.step.ways).size === each.step.ways.length,
    },
    {
      name: 'from an address outside the access list nobody gets beyond their first factor, and before it all is the same',
      when: () => true,
      must: ({ facts, policy, step, first }) => {
        const outside = nextStep(facts, { ...policy, outside: true }, NOW)
        return first ? outside.kind === 'outside' && outside.ways.includes('leave') : same(outside, step)
      },
    },
    {
      name: 'a step is the same whoever asks again',
      when: each => each.facts.choices === CIRCUMSTANCES[0]?.choices,
      must: ({ facts, policy, step }) => same(step, nextStep(facts, policy, NOW)),
    },
  ]

  const outcomes = rules.map(() => ({ applied: 0, broken: [] as Case[] }))
  const kinds = new Set<string>()
  let cases = 0

  before(() => {
    for (const each of everyCase()) {
      cases += 1
      kinds.add(each.step.kind)
      for (const [index, rule] of rules.entries()) {
        const outcome = outcomes[index]
        if (outcome === undefined || !rule.when(each)) continue
        outcome.applied += 1
        if (!rule.must(each) && outcome.broken.length < 3) outcome.broken.push(each)
      }
    }
  })

  it('is asked for in all of them, and comes to each kind of step', () => {
    expect(cases).to.equal(WHO.length * 32 * SESSIONS.length * GOALS.length * 20 * CIRCUMSTANCES.length)
    expect(cases).to.be.greaterThan(1_000_000)
    expect(kinds.size).to.equal(12)
  })

  for (const [index, rule] of rules.entries()) {
    it(rule.name, () => {
      const { applied, broken } = outcomes[index] ?? { applied: 0, broken: [] }
      expect(applied, 'cases that the rule applies to').to.be.greaterThan(0)
      expect(
        broken.map(({ facts, policy, step }) => JSON.stringify({ facts, policy, step }, undefined, 1)),
      ).to.deep.equal([])
    })
  }

  const WHO: readonly Facts['who'][] = [
    undefined,
    { enrolment: undefined },
    ...[false, true].flatMap(authenticator =>
      [0, 1].flatMap(passkeys =>
        [false, true].flatMap(recoveryCode =>
          [false, true].map(resetPending => ({
            enrolment: { authenticator, passkeys, recoveryCode, resetPending },
          })),
        ),
      ),
    ),
  ]
  const FACTORS: readonly Factor[] = ['pwd', 'otp', 'passkey', 'recovery', 'mail']
  const VERIFIED = Array.from({ length: 32 }, (_, bits) =>
    verified(...FACTORS.filter((_, bit) => bits & (1 << bit))),
  )
  const SESSIONS = [
    session(),
    session('pwd'),
    session('pwd', 'recovery'),
    session('pwd', 'otp'),
    session('passkey'),
  ]
  const GOALS: readonly Policy['goal'][] = [
    undefined,
    ...(['1fa', '2fa', 'phr'] as const).flatMap(level => [asks(level), asks(level, FRESH)]),
  ]
  const DEMANDS: readonly (Demand | undefined)[] = [
    undefined,
    demandOf({ within: 300 }, 'this', NOW),
    demandOf('always', 'this', NOW),
    demandOf('passkey', 'this', NOW),
  ]
  // Asked in a step-up; in a login one stands for all, which change nothing. Where the mailbox is asked is no matter.
  const demands = (emailProof: Policy['emailProof'], prompt: Policy['prompt']) =>
    emailProof === 'after-reset' ? (prompt === 'step_up' ? DEMANDS : DEMANDS.slice(0, 2)) : [undefined]
  /** What else there is: what was chosen on the way, what the browser can, whether a recovery code is to be shown. */
  const CIRCUMSTANCES: readonly {
    choices: Choices
    platform?: boolean
    newCode?: boolean
    elsewhere?: boolean
    offerAfter?: number
  }[] = [
    { choices: {} },
    { choices: { confirmed: 'this' } },
    { choices: { confirmed: 'that' } },
    { choices: {}, newCode: true },
    { choices: {}, platform: true },
    { choices: {}, platform: true, elsewhere: true },
    { choices: { setUpPutOff: true }, platform: true },
    { choices: { cannotUsePasskey: true } },
    { choices: { setUpAgain: 'yes' }, platform: true },
    { choices: { setUpAgain: 'no' }, platform: true, offerAfter: NOW + 1 },
    { choices: { setUpAgain: 'no', passkeyOffer: 'declined' }, platform: true },
    {
      choices: { setUpPutOff: true, cannotUsePasskey: true, setUpAgain: 'yes' },
      newCode: true,
    },
  ]

  function* everyCase(): Generator<Case> {
    for (const who of WHO)
      for (const now of VERIFIED)
        for (const before of SESSIONS)
          for (const goal of GOALS)
            for (const emailProof of ['after-reset', 'always', 'never'] as const)
              for (const prompt of ['login', 'step_up'] as const)
                for (const enforced of [true, false])
                  for (const demand of demands(emailProof, prompt))
                    for (const each of CIRCUMSTANCES) {
                      const facts: Facts = {
                        who,
                        verified: now,
                        session: before,
                        choices: each.choices,
                        newRecoveryCode: each.newCode ?? false,
                        platformAuthenticator: each.platform ?? false,
                        passkeyElsewhere: each.elsewhere ?? false,
                      }
                      yield known(facts, {
                        prompt,
                        enforced,
                        graceUntil: enforced ? undefined : GRACE_UNTIL,
                        goal,
                        demand,
                        outside: false,
                        emailProof,
                        passkeyOfferAfter: each.offerAfter ?? 0,
                      })
                    }
  }

  function known(facts: Facts, policy: Policy): Case {
    const enrolment = facts.who?.enrolment
    const reset = enrolment?.resetPending === true
    const held = new Set<Factor>()
    for (const { factor } of facts.session) held.add(factor)
    for (const { factor } of facts.verified) held.add(factor)
    if (reset) {
      held.delete('otp')
      held.delete('recovery')
    }
    return {
      facts,
      policy,
      step: nextStep(facts, policy, NOW),
      app: enrolment?.authenticator === true && !reset,
      code: enrolment?.recoveryCode === true && !reset,
      keys: (enrolment?.passkeys ?? 0) > 0,
      reset,
      named: facts.who !== undefined,
      held,
      first: enrolment !== undefined && (held.has('pwd') || held.has('passkey')),
      second: held.has('passkey') || held.has('recovery') || (held.has('pwd') && held.has('otp')),
      mailbox: facts.verified.some(each => each.factor === 'mail'),
    }
  }

  function same(a: Step, b: Step): boolean {
    return a.kind === b.kind && a.putOffUntil === b.putOffUntil && a.ways.join() === b.ways.join()
  }
})
