// Plays whole interactions against the deciding functions: a small model of what each way does when it is answered
// rightly, with the store's part (what is enrolled) shared by all tabs. The ways themselves, over HTTP and with real
// codes, are tested in their own places.

import { expect } from 'chai'
import fc from 'fast-check'
import {
  ACR,
  type Fact,
  type Factor,
  judge,
  LEVELS,
  type Level,
  mergeFacts,
} from '../../src/flow/assurance.ts'
import { NO_PROGRESS, type Progress } from '../../src/flow/progress.ts'
import type { Policy, Step, Way } from '../../src/flow/step.ts'
import { ableLevels, standing, type Visit } from '../../src/flow/visit.ts'
import type { Account } from '../../src/store/accounts/accounts.ts'

const NOW = Date.UTC(2026, 4, 14, 9, 31)
const HOUR = 60 * 60 * 1000
const DAY = 24 * HOUR
const ALIASES = { 'https://refeds.org/profile/mfa': '2fa' } as const

const ACCOUNT: Account = {
  id: 'ada',
  organisationId: 'analytical',
  email: 'ada@example.org',
  name: 'Ada',
  role: 'technician',
  status: 'active',
  passwordHash: 'a hash',
  mailboxProvenAt: null,
  epoch: 1,
  secondFactorResetAt: null,
  passkeyOfferAfter: null,
  subscribedAt: NOW - 30 * DAY,
  accessList: '',
  sessionPolicy: undefined,
  authenticator: undefined,
  recoveryCode: undefined,
  breakGlass: false,
  ssoOnly: false,
  passkeys: 0,
}
const AUTHENTICATOR = { secret: 'sealed', lastStep: 0 }
const NAMED = { email: ACCOUNT.email, id: ACCOUNT.id, epoch: ACCOUNT.epoch }

const held = (at: number, ...factors: Factor[]): Fact[] =>
  factors.map(factor => ({ factor, kind: factor === 'passkey' ? 'hwk' : factor, verifiedAt: at }))

interface Request {
  readonly prompt: 'login' | 'step_up'
  readonly asked: Visit['asked']
  readonly emailProof: Policy['emailProof']
  readonly session: readonly Fact[]
}

function stand(request: Request, account: Account | undefined, progress: Progress, now: number): Step {
  const visit = {
    uid: 'uid',
    cid: 'cid',
    prompt: request.prompt,
    app: 'App',
    clientId: 'app',
    visitor: { address: '192.0.2.1', device: undefined },
    now,
    progress,
    account: progress.account?.id === undefined ? undefined : account,
    session: progress.account?.id === undefined ? [] : request.session,
    asked: request.asked,
    fromNothing: false,
    upstream: undefined,
  }
  return standing(visit, { emailProof: request.emailProof, acrAliases: ALIASES }).step
}

describe('the levels that somebody can reach', () => {
  it('are two factors for everybody, since they can be set up, and a passkey for those who have one', () => {
    expect(ableLevels(undefined)).to.deep.equal(['1fa', '2fa'])
    expect(ableLevels(ACCOUNT)).to.deep.equal(['1fa', '2fa'])
    expect(ableLevels({ ...ACCOUNT, passkeys: 1 })).to.deep.equal(['1fa', '2fa', 'phr'])
  })
})

describe('where a visit stands', () => {
  const account: Account = { ...ACCOUNT, authenticator: AUTHENTICATOR }
  const request: Request = { prompt: 'login', asked: { acr: [] }, emailProof: 'after-reset', session: [] }
  const progress: Progress = { ...NO_PROGRESS, account: NAMED }
  const session = held(NOW - HOUR, 'pwd', 'otp')

  it('is the email page while nobody is named, whatever the session holds', () => {
    expect(stand({ ...request, session }, account, NO_PROGRESS, NOW).kind).to.equal('email')
  })

  it('is the password page for an address that nobody has', () => {
    const nobody = { ...NO_PROGRESS, account: { email: 'nobody@example.org' } }
    expect(stand(request, undefined, nobody, NOW).kind).to.equal('password')
  })

  it('asks for the code where max_age has passed and two factors are due, for any factor where they are not', () => {
    const aged: Request = { ...request, prompt: 'step_up', asked: { acr: [], maxAge: 60 }, session }
    const typed = { ...progress, facts: held(NOW - 1000, 'pwd') }
    expect(stand(aged, account, typed, NOW).kind).to.equal('code')
    expect(stand(aged, { ...account, subscribedAt: NOW }, typed, NOW).kind).to.equal('done')
  })

  it('counts what the session holds together with what this interaction proved', () => {
    const asked = { acr: [['phr', ACR['2fa']]] }
    const able = { ...account, passkeys: 1 }
    const before = held(NOW - HOUR, 'pwd')
    const proven = { ...progress, facts: held(NOW, 'otp') }
    const stepUp: Request = { ...request, prompt: 'step_up', asked }
    expect(stand({ ...stepUp, session: before }, able, proven, NOW).kind).to.equal('done')
    expect(stand({ ...stepUp, session: before }, able, progress, NOW).kind).to.equal('code')
    expect(stand({ ...stepUp, session }, able, progress, NOW).kind).to.equal('done')
  })

  it('knows the names that the operator gave to levels', () => {
    const asked = { acr: [Object.keys(ALIASES)] }
    const once = {
      ...request,
      prompt: 'step_up',
      asked,
      session: held(NOW - HOUR, 'pwd', 'recovery'),
    } as const
    expect(stand(once, account, progress, NOW).kind).to.equal('code')
  })

  it('is the offer of a passkey only in a browser that can, and not before the time that was put to it', () => {
    const proven = { ...progress, facts: held(NOW, 'pwd', 'otp') }
    const can = { ...proven, platformAuthenticator: true }
    expect(stand(request, account, can, NOW).kind).to.equal('passkey-offer')
    expect(stand(request, account, proven, NOW).kind).to.equal('done')
    expect(stand(request, account, { ...can, platformAuthenticator: false }, NOW).kind).to.equal('done')
    expect(stand(request, { ...account, passkeyOfferAfter: NOW + 1 }, can, NOW).kind).to.equal('done')
    expect(stand(request, { ...account, passkeyOfferAfter: NOW }, can, NOW).kind).to.equal('passkey-offer')
  })

  it('is the offer of a passkey on this device after one from another, in a browser that can', () => {
    const owner = { ...account, passkeys: 1 }
    const elsewhere = { ...progress, facts: held(NOW, 'passkey'), passkeyElsewhere: true }
    const can = { ...elsewhere, platformAuthenticator: true }
    expect(stand(request, owner, can, NOW)).to.deep.include({ kind: 'passkey-offer', onThisDevice: true })
    expect(stand(request, owner, elsewhere, NOW).kind).to.equal('done')
    expect(stand(request, owner, { ...can, passkeyElsewhere: false }, NOW).kind).to.equal('done')
    expect(stand(request, { ...owner, passkeyOfferAfter: NOW + 1 }, can, NOW).kind).to.equal('done')
  })

  it('says until when setting up may be put off, and that nothing is known of it without a subscription', () => {
    const proven = { ...progress, facts: held(NOW, 'pwd') }
    const dayOn = stand(request, { ...ACCOUNT, subscribedAt: NOW - HOUR }, proven, NOW)
    expect(dayOn).to.include({ kind: 'set-up', putOffUntil: NOW - HOUR + DAY })
    const before = stand(request, { ...ACCOUNT, subscribedAt: null }, proven, NOW)
    expect(before.ways).to.include('put-off')
    expect(before.putOffUntil).to.equal(undefined)
  })

  it('E8: is set-up without Not now from the millisecond that the day is over, in an interaction begun before', () => {
    const proven = { ...progress, facts: held(NOW, 'pwd'), choices: { setUpPutOff: true } }
    const late = { ...ACCOUNT, subscribedAt: NOW - DAY + 1 }
    expect(stand(request, late, proven, NOW).kind).to.equal('done')
    expect(stand(request, late, proven, NOW + 1)).to.deep.include({ kind: 'set-up', ways: ['set-up'] })
  })
})

describe('the gate and the level', () => {
  const sessions = {
    'grace pwd': { factors: ['pwd'], enrolled: {} },
    'grace pwd of just now': { factors: ['pwd'], enrolled: {}, ago: 60_000 },
    recovery: {
      factors: ['pwd', 'recovery'],
      enrolled: { authenticator: AUTHENTICATOR, recoveryCode: { hash: 'a hash', saved: true } },
    },
    'recovery of just now': {
      factors: ['pwd', 'recovery'],
      enrolled: { authenticator: AUTHENTICATOR, recoveryCode: { hash: 'a hash', saved: true } },
      ago: 60_000,
    },
    'pwd+otp': { factors: ['pwd', 'otp'], enrolled: { authenticator: AUTHENTICATOR } },
    passkey: { factors: ['passkey'], enrolled: { passkeys: 1 } },
  } as const
  type Session = keyof typeof sessions
  interface SessionOf {
    readonly factors: readonly Fact['factor'][]
    readonly enrolled: Partial<Account>
    /** Milliseconds since they were proven; an hour if it is left out. */
    readonly ago?: number
  }
  type Asked = 'nothing' | '2fa' | 'phr'
  /** A token with its acr; or the prompt, its step and the step's ways. `none`: what `prompt=none` is about. */
  type Cell = { token: string } | { prompt: Request['prompt']; step: string; none: 'gate' | 'acr' }
  const token = (level: Level): Cell => ({ token: ACR[level] })
  const gate = (step: string): Cell => ({ prompt: 'login', step, none: 'gate' })
  const stepUp = (step: string): Cell => ({ prompt: 'step_up', step, none: 'acr' })
  const noPasskey = stepUp('passkey-needed: give-up cancel')
  const setUpAgain = stepUp('code: otp set-up-again cancel')
  const codeAlone = stepUp('code: otp cancel')
  const mailed = 'mailed-code: mailed-code send-code'

  const table: Record<'before' | 'after', Record<Session, Record<Asked, Cell>>> = {
    before: {
      'grace pwd': { nothing: token('1fa'), '2fa': stepUp(`${mailed} cancel`), phr: noPasskey },
      'grace pwd of just now': {
        nothing: token('1fa'),
        '2fa': stepUp('set-up: set-up cancel'),
        phr: noPasskey,
      },
      recovery: { nothing: token('1fa'), '2fa': codeAlone, phr: noPasskey },
      'recovery of just now': { nothing: token('1fa'), '2fa': setUpAgain, phr: noPasskey },
      'pwd+otp': { nothing: token('2fa'), '2fa': token('2fa'), phr: noPasskey },
      passkey: { nothing: token('phr'), '2fa': token('2fa'), phr: token('phr') },
    },
    after: {
      'grace pwd': {
        nothing: gate('set-up: set-up'),
        '2fa': gate('set-up: set-up'),
        phr: gate('passkey-needed: give-up'),
      },
      'grace pwd of just now': {
        nothing: gate('set-up: set-up'),
        '2fa': gate('set-up: set-up'),
        phr: gate('passkey-needed: give-up'),
      },
      recovery: { nothing: token('1fa'), '2fa': codeAlone, phr: noPasskey },
      'recovery of just now': { nothing: token('1fa'), '2fa': setUpAgain, phr: noPasskey },
      'pwd+otp': { nothing: token('2fa'), '2fa': token('2fa'), phr: noPasskey },
      passkey: { nothing: token('phr'), '2fa': token('2fa'), phr: token('phr') },
    },
  }

  let cells = 0
  for (const when of ['before', 'after'] as const)
    for (const name of Object.keys(sessions) as Session[])
      for (const asked of ['nothing', '2fa', 'phr'] as const) {
        const cell = table[when][name][asked]
        const { factors, enrolled, ago = HOUR }: SessionOf = sessions[name]
        const subscribedAt = when === 'before' ? NOW - DAY + 1 : NOW - DAY
        const account: Account = { ...ACCOUNT, ...enrolled, subscribedAt }
        const facts = held(NOW - ago, ...factors)
        const acr = asked === 'nothing' ? [] : [[ACR[asked]]]
        const where = `a ${name} session ${when} the day is over, asked for ${asked}`
        const play = (prompt: Request['prompt']) =>
          stand(
            { prompt, asked: { acr }, emailProof: 'after-reset', session: facts },
            account,
            { ...NO_PROGRESS, account: NAMED },
            NOW,
          )

        it(`of ${where}: ${'token' in cell ? cell.token : `${cell.prompt}, ${cell.step}`}`, () => {
          if ('token' in cell) {
            expect(play('step_up').kind, 'nothing is missing').to.equal('done')
          } else {
            const step = play(cell.prompt)
            expect(`${step.kind}: ${step.ways.join(' ')}`).to.equal(cell.step)
          }
          cells += 1
        })

        it(`of ${where}, with prompt=none: ${'token' in cell ? cell.token : `an error, for the ${cell.none}`}`, () => {
          const verdict = judge({
            asked: { acr },
            facts,
            gate: when === 'after' ? '2fa' : '1fa',
            able: ableLevels(account),
            now: NOW,
          })
          if ('token' in cell) expect(verdict).to.include({ outcome: 'met', acr: cell.token })
          // The gate is due though the level may be met: it is asked before, by a check of its own.
          else if (cell.none === 'gate') expect(play('login').kind).to.not.equal('done')
          else expect(verdict).to.include({ outcome: 'missing', able: asked !== 'phr' })
          cells += 1
        })
      }

  it('is tabled for each session, before and after, each level, with and without prompt=none', () => {
    expect(cells).to.equal(6 * 2 * 3 * 2)
  })
})

// The model.

interface World {
  readonly request: Request
  readonly platform: boolean
  account: Account
  /** One for each interaction that is open on the account. */
  tabs: Progress[]
  now: number
  ended: boolean
}

interface Start {
  readonly account: Account
  readonly request: Request
  readonly platform: boolean
  /** The session's user is named from the start, or nobody is. */
  readonly named: boolean
}

function begin({ account, request, platform, named }: Start, tabs: number): World {
  const progress: Progress = {
    ...NO_PROGRESS,
    ...(named ? { account: NAMED } : {}),
    platformAuthenticator: platform,
  }
  return {
    request,
    platform,
    account,
    tabs: Array.from({ length: tabs }, () => progress),
    now: NOW,
    ended: false,
  }
}

function stepOf(world: World, tab = 0): Step {
  return stand(world.request, world.account, world.tabs[tab] ?? NO_PROGRESS, world.now)
}

/** What a right answer to each way does. A wrong one does nothing. */
function answer(world: World, way: Way, tab = 0, again: 'yes' | 'no' = 'yes'): void {
  const { account, now } = world
  let progress = world.tabs[tab] ?? NO_PROGRESS
  const prove = (factor: Factor) => {
    progress = { ...progress, facts: mergeFacts(progress.facts, held(now, factor)) }
  }
  const choose = (choice: Progress['choices']) => {
    progress = { ...progress, choices: { ...progress.choices, ...choice } }
  }
  const newCode = () => {
    world.account = { ...world.account, recoveryCode: { hash: `made at ${now}`, saved: false } }
    progress = { ...progress, recoveryCode: { sealed: 'sealed', replaces: false } }
  }
  switch (way) {
    case 'identify':
      progress = { ...NO_PROGRESS, account: NAMED, platformAuthenticator: world.platform }
      break
    case 'password':
      prove('pwd')
      break
    case 'passkey':
      prove('passkey')
      progress = { ...progress, account: NAMED }
      break
    case 'otp':
      prove('otp')
      if (!account.recoveryCode?.saved) newCode()
      break
    case 'recovery':
      prove('recovery')
      newCode()
      break
    case 'set-up':
      world.account = {
        ...account,
        authenticator: { secret: `made at ${now}`, lastStep: 0 },
        secondFactorResetAt: null,
      }
      prove('otp')
      if (!account.recoveryCode?.saved) newCode()
      break
    case 'put-off':
      choose({ setUpPutOff: true })
      break
    case 'recovery-code-saved': {
      const { recoveryCode: _, ...rest } = progress
      progress = rest
      world.account = { ...account, recoveryCode: { hash: account.recoveryCode?.hash ?? '', saved: true } }
      break
    }
    case 'set-up-again':
      choose({ setUpAgain: again })
      break
    case 'passkey-registration':
    case 'passkey-upgrade':
      choose({ passkeyOffer: 'taken' })
      world.account = { ...account, passkeys: account.passkeys + 1 }
      break
    case 'passkey-declined':
      choose({ passkeyOffer: 'declined' })
      world.account = { ...account, passkeyOfferAfter: now + 30 * DAY }
      break
    case 'cannot-use-passkey':
      choose({ cannotUsePasskey: true })
      break
    case 'mailed-code':
      prove('mail')
      break
    case 'send-code':
      break
    case 'give-up':
    case 'cancel':
      world.ended = true
  }
  world.tabs = world.tabs.map((each, index) => (index === tab ? progress : each))
}

const someStart: fc.Arbitrary<Start> = fc
  .record({
    authenticator: fc.boolean(),
    passkeys: fc.constantFrom(0, 0, 1, 2),
    recovery: fc.constantFrom('none', 'saved', 'not saved'),
    reset: fc.constantFrom(false, false, true),
    // Long ago; within the day; the day ends while the interaction is open; not yet.
    subscribedAt: fc.constantFrom(NOW - 30 * DAY, NOW - HOUR, NOW - DAY + 5000, null),
    session: fc.constantFrom<Factor[]>([], [], ['pwd'], ['pwd', 'recovery'], ['pwd', 'otp'], ['passkey']),
    sessionAge: fc.constantFrom(30_000, HOUR),
    step: fc.boolean(),
    lists: fc.array(
      fc.array(fc.constantFrom(...Object.values(ACR), Object.keys(ALIASES)[0] ?? ''), {
        minLength: 1,
        maxLength: 2,
      }),
      {
        maxLength: 2,
      },
    ),
    maxAge: fc.constantFrom(undefined, undefined, 60, 3600),
    emailProof: fc.constantFrom('after-reset', 'always', 'never'),
    platform: fc.boolean(),
    named: fc.boolean(),
  })
  .map(({ session, sessionAge, lists: acr, maxAge, emailProof, platform, ...each }) => ({
    account: {
      ...ACCOUNT,
      authenticator: each.authenticator ? AUTHENTICATOR : undefined,
      passkeys: each.passkeys,
      recoveryCode:
        each.recovery === 'none' ? undefined : { hash: 'at first', saved: each.recovery === 'saved' },
      secondFactorResetAt: each.reset ? NOW - HOUR : null,
      subscribedAt: each.subscribedAt,
    },
    request: {
      prompt: each.step && session.length > 0 ? 'step_up' : 'login',
      asked: maxAge === undefined ? { acr } : { acr, maxAge },
      emailProof,
      session: held(NOW - sessionAge, ...session),
    },
    platform,
    named: each.named || session.length > 0,
  }))

describe('an interaction', function () {
  this.timeout(60_000)

  it('ends within eight right answers, in done or where a passkey is asked that is not there, whichever way is taken', () => {
    /** Ways that lead on. Naming another, mailing again and cancelling do not; a choice is made once. */
    const onward = ({ kind, ways }: Step): [Way, 'yes' | 'no'][] =>
      ways.flatMap((way): [Way, 'yes' | 'no'][] => {
        if (way === 'send-code' || way === 'cancel' || (way === 'identify' && kind !== 'email')) return []
        if (way !== 'set-up-again') return [[way, 'yes']]
        if (kind === 'set-up') return []
        return kind === 'code'
          ? [[way, 'yes']]
          : [
              [way, 'yes'],
              [way, 'no'],
            ]
      })
    let ends = 0
    let failures = 0
    let longest = 0
    const explore = (world: World, posts: readonly Way[], enrolledKeys: boolean): void => {
      const step = stepOf(world)
      if (step.kind === 'done' || world.ended) {
        ends += 1
        longest = Math.max(longest, posts.length)
        if (world.ended) {
          failures += 1
          expect(posts.at(-1)).to.equal('give-up')
          expect(world.account.passkeys).to.equal(0)
        }
        return
      }
      const ways = onward(step).filter(([way]) => way !== 'passkey' || enrolledKeys)
      expect(ways, `ways on from ${step.kind} after ${posts.join(', ')}`).to.not.be.empty
      expect(posts.length, `${posts.join(', ')}, and then ${step.kind}`).to.be.below(8)
      for (const [way, again] of ways) {
        const next = { ...world, now: world.now + 2000 }
        answer(next, way, 0, again)
        explore(next, [...posts, way], enrolledKeys)
      }
    }
    let starts = 0
    fc.assert(
      fc.property(someStart, start => {
        starts += 1
        explore(begin(start, 1), [], start.account.passkeys > 0)
      }),
      { numRuns: 2000 },
    )
    expect(starts).to.be.at.least(2000)
    expect(ends).to.be.greaterThan(starts)
    expect(failures).to.be.greaterThan(50)
    expect(longest).to.equal(8)
  })

  const ALL_WAYS: readonly Way[] = [
    'identify',
    'password',
    'passkey',
    'otp',
    'recovery',
    'set-up',
    'put-off',
    'recovery-code-saved',
    'set-up-again',
    'passkey-registration',
    'passkey-declined',
    'cannot-use-passkey',
    'mailed-code',
    'send-code',
    'give-up',
    'cancel',
  ]
  /** One POST: any way at all, one that is offered now, or one that an older page offered. */
  const somePost = fc.record({
    from: fc.constantFrom('anywhere', 'now', 'now', 'now', 'now', 'older'),
    pick: fc.nat({ max: 1000 }),
    right: fc.constantFrom(true, true, true, false),
    again: fc.constantFrom('yes' as const, 'no' as const),
    tab: fc.constantFrom(0, 0, 1),
    wait: fc.constantFrom(500, 500, 2000, 40_000),
  })
  const secrets: readonly Factor[] = ['pwd', 'otp', 'passkey', 'recovery', 'mail']

  interface Play {
    readonly world: World
    readonly start: Start
    /** What the player proved in each tab since somebody was named there, and when. */
    readonly proven: readonly Fact[]
    readonly tab: number
    readonly refused: number
    readonly wentOn: number
  }

  /** Plays a sequence of POSTs with some of the account's secrets, and looks at the outcome after each. */
  function play(
    start: Start,
    posts: readonly (typeof somePost extends fc.Arbitrary<infer Post> ? Post : never)[],
    knows: ReadonlySet<Factor>,
    look: (play: Play) => void,
  ): void {
    const world = begin(start, 2)
    const seen: Way[][] = [[], []]
    const proven: Fact[][] = [[], []]
    const own = new Set(knows)
    let refused = 0
    let wentOn = 0
    for (const post of posts) {
      const { tab } = post
      world.now += post.wait
      const step = stepOf(world, tab)
      if (world.ended || step.kind === 'done') return
      const older = seen[tab] ?? []
      const from =
        post.from === 'now' ? step.ways : post.from === 'older' && older.length > 0 ? older : ALL_WAYS
      const way = from[post.pick % from.length] ?? 'cancel'
      older.push(...step.ways)
      if (!step.ways.includes(way)) {
        refused += 1
        continue
      }
      const secret = SECRET_OF[way]
      if (!post.right || (secret !== undefined && !own.has(secret))) continue
      if (way === 'passkey' && world.account.passkeys === 0) continue
      wentOn += 1
      answer(world, way, tab, post.again)
      if (way === 'identify') proven[tab] = []
      const factor = way === 'set-up' ? 'otp' : secret
      if (factor !== undefined) proven[tab] = [...(proven[tab] ?? []), ...held(world.now, factor)]
      // Whoever set something up has it from then on; and whoever is shown a recovery code.
      if (way === 'set-up') own.add('otp')
      if (way === 'passkey-registration') own.add('passkey')
      if (world.tabs[tab]?.recoveryCode !== undefined) own.add('recovery')
      look({ world, start, proven: proven[tab] ?? [], tab, refused, wentOn })
    }
  }

  const SECRET_OF: Partial<Record<Way, Factor>> = {
    password: 'pwd',
    passkey: 'passkey',
    otp: 'otp',
    recovery: 'recovery',
    'mailed-code': 'mail',
  }

  it('is never done without the factors that the policy and the app demand, whatever is posted in whatever order', () => {
    let doneCount = 0
    let refusals = 0
    let runs = 0
    fc.assert(
      fc.property(someStart, fc.array(somePost, { minLength: 1, maxLength: 12 }), (start, posts) => {
        runs += 1
        play(start, posts, new Set(secrets), ({ world, proven, tab, refused }) => {
          refusals = refused > 0 ? refusals + 1 : refusals
          if (stepOf(world, tab).kind !== 'done') return
          doneCount += 1
          const facts = [...start.request.session, ...proven]
          const has = (factor: Factor) => facts.some(each => each.factor === factor)
          expect(has('pwd') || has('passkey'), 'a first factor').to.equal(true)
          const second = has('passkey') || has('recovery') || (has('pwd') && has('otp'))
          const { subscribedAt } = start.account
          if (subscribedAt !== null && world.now >= subscribedAt + DAY)
            expect(second, 'the gate').to.equal(true)
          if (world.account.authenticator !== undefined || world.account.passkeys > 0)
            expect(second, 'what is enrolled').to.equal(true)
          expect(world.account.secondFactorResetAt, 'no reset pending').to.equal(null)
          const { acr, maxAge } = start.request.asked
          for (const list of acr)
            expect(
              list.some(each => isMet(each, facts, maxAge, world.now)),
              `one of ${list.join(', ')} within ${maxAge} s`,
            ).to.equal(true)
          if (maxAge !== undefined)
            expect(facts.some(each => world.now - each.verifiedAt <= maxAge * 1000 && counts(each))).to.equal(
              true,
            )
        })
      }),
      { numRuns: 20_000 },
    )
    expect(runs).to.be.at.least(20_000)
    expect(doneCount, 'runs that were done').to.be.greaterThan(1000)
    expect(refusals, 'POSTs that no page offered any more').to.be.greaterThan(1000)
  })

  it('L1, E1: lets nobody in, and sets nothing up, for whoever lacks the secrets of what is enrolled', () => {
    let runs = 0
    let doneCount = 0
    let changed = 0
    let keptOut = 0
    const someSecrets = fc.subarray([...secrets])
    const onlyPassword = fc.constant<Factor[]>(['pwd'])
    fc.assert(
      fc.property(
        someStart,
        fc.oneof(someSecrets, onlyPassword),
        fc.array(somePost, { minLength: 3, maxLength: 12 }),
        (start, known, posts) => {
          runs += 1
          const may = allowed(start, new Set(known))
          if (!may.second && !may.setUp) keptOut += 1
          play(start, posts, new Set(known), ({ world, tab }) => {
            const { account } = world
            if (
              account.authenticator !== start.account.authenticator ||
              account.passkeys !== start.account.passkeys
            ) {
              changed += 1
              expect(may.setUp || may.second, 'setting up').to.equal(true)
            }
            if (stepOf(world, tab).kind !== 'done') return
            doneCount += 1
            const graceOnly = may.putOff && account.authenticator === undefined
            expect(may.second || may.setUp || graceOnly, 'getting in').to.equal(true)
          })
        },
      ),
      { numRuns: 20_000 },
    )
    expect(runs).to.be.at.least(20_000)
    expect(keptOut, 'runs of players who must be kept out').to.be.greaterThan(2000)
    expect(changed, 'runs that set something up').to.be.greaterThan(500)
    expect(doneCount, 'runs that were done').to.be.greaterThan(500)
  })

  /** What a player may come to by what the account has and the player knows: the rules in the words of the product. */
  function allowed({ account, request }: Start, knows: ReadonlySet<Factor>) {
    const reset = account.secondFactorResetAt !== null
    const session = new Set(request.session.map(each => each.factor))
    const password = knows.has('pwd') || session.has('pwd')
    const app = account.authenticator !== undefined && !reset
    const keys = account.passkeys > 0
    const passkey = session.has('passkey') || (keys && knows.has('passkey'))
    const sessionSecond = !reset && (session.has('recovery') || (session.has('pwd') && session.has('otp')))
    const otp = app && password && knows.has('otp')
    const recovery = app && password && account.recoveryCode !== undefined && knows.has('recovery')
    const second = passkey || sessionSecond || otp || recovery
    const mailboxDue =
      keys || request.emailProof === 'always' || (request.emailProof === 'after-reset' && reset)
    const setUp = password && !app && (knows.has('mail') || !mailboxDue)
    return {
      second,
      setUp,
      putOff: password && !app && !keys && !reset && account.subscribedAt !== ACCOUNT.subscribedAt,
    }
  }

  function isMet(acr: string, facts: readonly Fact[], maxAge: number | undefined, now: number): boolean {
    const level = LEVELS.find(each => ACR[each] === acr) ?? '2fa'
    const since = maxAge === undefined ? Number.NEGATIVE_INFINITY : now - maxAge * 1000
    const fresh = (factor: Factor) => facts.some(each => each.factor === factor && each.verifiedAt >= since)
    if (fresh('passkey')) return true
    if (level === 'phr') return false
    if (level === '1fa') return fresh('pwd') || fresh('otp')
    return facts.some(each => each.factor === 'pwd' || each.factor === 'passkey') && fresh('otp')
  }

  function counts({ factor }: Fact): boolean {
    return factor !== 'recovery' && factor !== 'mail'
  }
})
