import { expect } from 'chai'
import fc from 'fast-check'
import {
  ACR,
  ACR_ALIASES,
  amrOf,
  type Fact,
  type Judging,
  judge,
  LEVELS,
  type Level,
  levelOf,
  meets,
  mergeFacts,
  reachedAt,
  strongest,
  type Verdict,
} from '../../src/flow/assurance.ts'

const NOW = Date.UTC(2026, 4, 14, 9, 31)
const MULTI_FACTOR = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor'

/** RFC 8176, section 2: every registered value. */
const REGISTERED_AMR = [
  'face',
  'fpt',
  'geo',
  'hwk',
  'iris',
  'kba',
  'mca',
  'mfa',
  'otp',
  'pin',
  'pop',
  'pwd',
  'rba',
  'retina',
  'sc',
  'sms',
  'swk',
  'tel',
  'user',
  'vbm',
  'wia',
]

/** A factor verified so many seconds ago. */
const fact =
  (factor: Fact['factor'], kind: string = factor) =>
  (secondsAgo = 0): Fact => ({ factor, kind, verifiedAt: NOW - secondsAgo * 1000 })
const pwd = fact('pwd')
const otp = fact('otp')
const synced = fact('passkey', 'swk')
const bound = fact('passkey', 'hwk')
const weakSso = fact('sso', '1fa')
const strongSso = fact('sso', '2fa')
const recovery = fact('recovery')
const mail = fact('mail')

const ALL: readonly Level[] = LEVELS
const NO_PASSKEY: readonly Level[] = ['1fa', '2fa']

function verdict(asked: Judging['asked'], facts: readonly Fact[], more: Partial<Judging> = {}): Verdict {
  return judge({ asked, facts, gate: '2fa', able: ALL, now: NOW, ...more })
}

function met(acr: string, secondsAgo = 0): Verdict {
  return { outcome: 'met', acr, authTime: NOW - secondsAgo * 1000 }
}

function missing(level: Level, more: { able?: boolean; maxAge?: number } = {}): Verdict {
  const since = more.maxAge === undefined ? Number.NEGATIVE_INFINITY : NOW - more.maxAge * 1000
  return { outcome: 'missing', level, since, able: more.able ?? true }
}

describe('amr', () => {
  const paths: [path: string, facts: Fact[], amr: string[]][] = [
    ['nothing', [], []],
    ['a password', [pwd()], ['pwd']],
    ['a password and a one-time code', [pwd(), otp()], ['pwd', 'otp', 'mfa']],
    ['a passkey that is synced', [synced()], ['swk', 'user', 'pop', 'mfa']],
    ['a passkey that cannot leave its device', [bound()], ['hwk', 'user', 'pop', 'mfa']],
    ['a password and a passkey', [pwd(), synced()], ['pwd', 'swk', 'user', 'pop', 'mfa']],
    [
      'a password, a code and a passkey',
      [pwd(), otp(), bound()],
      ['pwd', 'otp', 'hwk', 'user', 'pop', 'mfa'],
    ],
    ['a password and a recovery code', [pwd(), recovery()], ['pwd']],
    ['a password and a mailed code', [pwd(), mail()], ['pwd']],
    ['a one-time code alone', [otp()], ['otp']],
    ['an SSO login of one factor', [weakSso()], []],
    ['an SSO login that is trusted for two', [strongSso()], ['mfa']],
    ['an SSO login of one factor and a one-time code', [weakSso(), otp()], ['otp', 'mfa']],
  ]
  for (const [path, facts, amr] of paths) {
    it(`of ${path} is ${JSON.stringify(amr)}`, () => {
      expect(amrOf(facts)).to.deep.equal(amr)
    })
  }

  it('has registered values only, each once, whatever was verified', () => {
    let runs = 0
    fc.assert(
      fc.property(someFacts, facts => {
        runs += 1
        const amr = amrOf(facts)
        expect(REGISTERED_AMR).to.include.members(amr)
        expect(new Set(amr).size).to.equal(amr.length)
      }),
      { numRuns: 500 },
    )
    expect(runs).to.be.at.least(500)
  })

  it('has mfa exactly where two factors were proven', () => {
    let withMfa = 0
    fc.assert(
      fc.property(someFacts, facts => {
        const has = amrOf(facts).includes('mfa')
        if (has) withMfa += 1
        expect(has).to.equal(reachedAt('2fa', facts) !== undefined)
      }),
      { numRuns: 500 },
    )
    expect(withMfa).to.be.greaterThan(50)
  })
})

describe('levels', () => {
  it('are named as published, weakest first', () => {
    expect(LEVELS.map(level => ACR[level])).to.deep.equal([
      'urn:sallyport:acr:1fa',
      'urn:sallyport:acr:2fa',
      'phr',
    ])
  })

  it('are found by their name and by the names that others have for them', () => {
    expect(levelOf('phr')).to.equal('phr')
    expect(levelOf(MULTI_FACTOR)).to.equal('2fa')
    expect(levelOf('loa3', { loa3: 'phr' })).to.equal('phr')
    expect(levelOf(MULTI_FACTOR, {})).to.equal(undefined)
  })

  it('are not found by names that nobody gave, nor by names that every object has', () => {
    for (const acr of ['', '2fa', 'PHR', 'phrh', 'mfa', '__proto__', 'constructor', 'hasOwnProperty']) {
      expect(levelOf(acr), acr).to.equal(undefined)
    }
    expect(ACR_ALIASES).to.have.all.keys(MULTI_FACTOR)
  })

  it('keep their own meaning where the operator gives their name to another level', () => {
    expect(levelOf('phr', { phr: '1fa' })).to.equal('phr')
  })

  const reached: [facts: string, list: Fact[], times: Record<Level, number | undefined>][] = [
    ['nothing', [], { '1fa': undefined, '2fa': undefined, phr: undefined }],
    ['a password', [pwd(9)], { '1fa': 9, '2fa': undefined, phr: undefined }],
    ['a password, then a code', [pwd(9), otp(5)], { '1fa': 5, '2fa': 5, phr: undefined }],
    ['a code, then a password again', [otp(9), pwd(5)], { '1fa': 5, '2fa': 9, phr: undefined }],
    ['a code without a first factor', [otp(5)], { '1fa': 5, '2fa': undefined, phr: undefined }],
    ['a passkey', [synced(7)], { '1fa': 7, '2fa': 7, phr: 7 }],
    ['a passkey, then a password', [bound(7), pwd(1)], { '1fa': 1, '2fa': 7, phr: 7 }],
    ['a password, a passkey, then a code', [pwd(9), synced(7), otp(1)], { '1fa': 1, '2fa': 1, phr: 7 }],
    ['a passkey, then a code', [synced(7), otp(1)], { '1fa': 1, '2fa': 1, phr: 7 }],
    ['an SSO login of one factor', [weakSso(4)], { '1fa': 4, '2fa': undefined, phr: undefined }],
    ['an SSO login of one factor, then a code', [weakSso(4), otp(2)], { '1fa': 2, '2fa': 2, phr: undefined }],
    ['an SSO login trusted for two', [strongSso(4)], { '1fa': 4, '2fa': 4, phr: undefined }],
    [
      'a recovery code beside a password',
      [pwd(9), recovery(1)],
      { '1fa': 9, '2fa': undefined, phr: undefined },
    ],
    ['a recovery code alone', [recovery()], { '1fa': undefined, '2fa': undefined, phr: undefined }],
    ['a mailed code', [mail()], { '1fa': undefined, '2fa': undefined, phr: undefined }],
  ]
  for (const [name, facts, times] of reached) {
    it(`of ${name} were reached when the factor that meets or completes them was verified`, () => {
      for (const level of LEVELS) {
        const secondsAgo = times[level]
        expect(reachedAt(level, facts), level).to.equal(
          secondsAgo === undefined ? undefined : NOW - secondsAgo * 1000,
        )
      }
    })
  }

  it('are met since a time by a factor of that very millisecond, not by one before', () => {
    expect(meets('2fa', [pwd(900), otp(60)], NOW - 60_000)).to.equal(true)
    expect(meets('2fa', [pwd(0), otp(60)], NOW - 59_999)).to.equal(false)
    expect(meets('2fa', [pwd(900), otp(60)])).to.equal(true)
  })

  it('are the strongest that is met', () => {
    expect(strongest([])).to.equal(undefined)
    expect(strongest([mail(), recovery()])).to.equal(undefined)
    expect(strongest([pwd(), recovery()])).to.equal('1fa')
    expect(strongest([pwd(), otp()])).to.equal('2fa')
    expect(strongest([strongSso()])).to.equal('2fa')
    expect(strongest([pwd(), synced()])).to.equal('phr')
  })

  it('contain each other: whoever meets one meets every weaker one, since the same time', () => {
    let compared = 0
    fc.assert(
      fc.property(someFacts, facts => {
        for (const [index, level] of LEVELS.entries()) {
          const time = reachedAt(level, facts)
          if (time === undefined) continue
          for (const weaker of LEVELS.slice(0, index)) {
            compared += 1
            expect(meets(weaker, facts, time), `${weaker} under ${level}`).to.equal(true)
          }
        }
      }),
      { numRuns: 500 },
    )
    expect(compared).to.be.greaterThan(100)
  })
})

describe('joining facts', () => {
  it('keeps the newest of each factor, whichever list it is in', () => {
    const merged = mergeFacts([pwd(9), otp(1)], [pwd(3), otp(8)])
    expect(merged).to.have.deep.members([pwd(3), otp(1)])
  })

  it('takes the later list where the times are the same', () => {
    expect(mergeFacts([synced(5)], [bound(5)])).to.deep.equal([bound(5)])
  })

  it('takes the last SSO login for what it was, also where an earlier one was stronger', () => {
    expect(mergeFacts([strongSso(9)], [weakSso(2)])).to.deep.equal([weakSso(2)])
  })

  it('makes nothing of nothing', () => {
    expect(mergeFacts()).to.deep.equal([])
    expect(mergeFacts([], [])).to.deep.equal([])
  })

  it('never loses a level, and never moves a time', () => {
    let runs = 0
    fc.assert(
      fc.property(someFacts, someFacts, (a, b) => {
        runs += 1
        const merged = mergeFacts(a, b)
        const factors = merged.map(each => each.factor)
        expect(new Set(factors).size).to.equal(factors.length)
        expect(factors).to.have.members([...new Set([...a, ...b].map(each => each.factor))])
        for (const level of ['1fa', 'phr'] as const) {
          expect(reachedAt(level, merged)).to.equal(reachedAt(level, [...a, ...b]))
        }
        for (const each of merged) expect([...a, ...b]).to.deep.include(each)
      }),
      { numRuns: 500 },
    )
    expect(runs).to.be.at.least(500)
  })
})

describe('what was asked', () => {
  const session = [pwd(600), otp(500)]
  const strong = [...session, bound(400)]

  it('is met by any one value of a list, and the first that is met now is returned', () => {
    expect(verdict({ acr: [['phr', ACR['2fa'], ACR['1fa']]] }, session)).to.deep.equal(met(ACR['2fa'], 500))
    expect(verdict({ acr: [[ACR['1fa'], ACR['2fa'], 'phr']] }, strong)).to.deep.equal(met(ACR['1fa'], 400))
  })

  it('leads to the first value that this user can meet, where none is met now', () => {
    const acr = [['phr', ACR['2fa']]]
    expect(verdict({ acr }, [pwd()])).to.deep.equal(missing('phr'))
    expect(verdict({ acr }, [pwd()], { able: NO_PASSKEY })).to.deep.equal(missing('2fa'))
  })

  it('prefers a value that is met now to an earlier one that could be met', () => {
    expect(verdict({ acr: [['phr', ACR['1fa']]] }, [pwd(3)])).to.deep.equal(met(ACR['1fa'], 3))
  })

  it('skips unknown values in a list', () => {
    expect(verdict({ acr: [['loa4', ACR['2fa'], 'mfa']] }, session)).to.deep.equal(met(ACR['2fa'], 500))
    expect(verdict({ acr: [['loa4', 'phr']] }, session)).to.deep.equal(missing('phr'))
  })

  it('cannot be met where a list has unknown values only', () => {
    expect(verdict({ acr: [['loa4', 'mfa']] }, strong)).to.deep.equal({ outcome: 'unmet' })
  })

  it('S3: cannot be met from the start, whatever the other lists are missing, so that nobody is led in a circle', () => {
    for (const acr of [
      [[ACR['2fa']], ['loa4']],
      [['loa4'], [ACR['2fa']]],
    ]) {
      for (const facts of [[], [pwd()], session, strong]) {
        expect(verdict({ acr }, facts)).to.deep.equal({ outcome: 'unmet' })
      }
    }
  })

  it('takes phrh for an unknown value', () => {
    expect(verdict({ acr: [['phrh']] }, strong)).to.deep.equal({ outcome: 'unmet' })
    expect(verdict({ acr: [['phrh', 'phr']] }, strong)).to.deep.equal(met('phr', 400))
  })

  it('must be met in each of the ways in which it was asked', () => {
    const acr = [[ACR['1fa']], [ACR['2fa']], ['phr']]
    expect(verdict({ acr }, session)).to.deep.equal(missing('phr'))
    expect(verdict({ acr }, strong)).to.deep.equal(met('phr', 400))
  })

  it('S1: leads to the strictest of several ways at once, in whatever order they come', () => {
    const lists = [[ACR['1fa']], [ACR['2fa']], ['phr']]
    for (const acr of [lists, lists.toReversed()]) {
      expect(verdict({ acr }, [])).to.deep.equal(missing('phr'))
      expect(verdict({ acr, maxAge: 10 }, strong)).to.deep.equal(missing('phr', { maxAge: 10 }))
    }
  })

  it('S1: is answered by the strictest of several ways that are met', () => {
    const acr = [[ACR['1fa']], [ACR['2fa']]]
    expect(verdict({ acr }, session)).to.deep.equal(met(ACR['2fa'], 500))
    expect(verdict({ acr: acr.toReversed() }, session)).to.deep.equal(met(ACR['2fa'], 500))
  })

  it('S3: says that the user cannot, where one of several ways needs what is not enrolled', () => {
    const acr = [['phr'], [ACR['2fa']]]
    for (const each of [acr, acr.toReversed()]) {
      const got = verdict({ acr: each }, [pwd()], { able: NO_PASSKEY })
      expect(got).to.deep.equal(missing('phr', { able: false }))
    }
  })

  it('is answered with the string that was asked, alias included', () => {
    expect(verdict({ acr: [[MULTI_FACTOR]] }, session)).to.deep.equal(met(MULTI_FACTOR, 500))
    const aliases = { 'https://refeds.org/profile/mfa': '2fa' } as const
    const acr = [['https://refeds.org/profile/mfa']]
    expect(verdict({ acr }, session, { aliases })).to.deep.equal(met('https://refeds.org/profile/mfa', 500))
    expect(verdict({ acr }, session)).to.deep.equal({ outcome: 'unmet' })
  })

  it('is answered with the earlier of two names for the same level', () => {
    expect(verdict({ acr: [[MULTI_FACTOR, ACR['2fa']]] }, session)).to.deep.equal(met(MULTI_FACTOR, 500))
    expect(verdict({ acr: [[MULTI_FACTOR], [ACR['2fa']]] }, session)).to.deep.equal(met(MULTI_FACTOR, 500))
  })

  it('is the strongest level that the session meets, where nothing is asked', () => {
    expect(verdict({ acr: [] }, [pwd(4)])).to.deep.equal(met(ACR['1fa'], 4))
    expect(verdict({ acr: [] }, session)).to.deep.equal(met(ACR['2fa'], 500))
    expect(verdict({ acr: [] }, strong)).to.deep.equal(met('phr', 400))
  })

  it('is a first factor, where nothing is asked and nothing proven', () => {
    expect(verdict({ acr: [] }, [])).to.deep.equal(missing('1fa'))
    expect(verdict({ acr: [] }, [mail(), recovery()])).to.deep.equal(missing('1fa'))
  })

  it('S1: is two factors, and a password session does not have them', () => {
    expect(verdict({ acr: [[ACR['2fa']]] }, [pwd()])).to.deep.equal(missing('2fa'))
  })

  it('is answered 1fa by a session that a recovery code let in, and leads to a code where two factors are asked', () => {
    const recovered = [pwd(60), recovery(30)]
    expect(verdict({ acr: [] }, recovered)).to.deep.equal(met(ACR['1fa'], 60))
    expect(verdict({ acr: [[ACR['2fa']]] }, recovered)).to.deep.equal(missing('2fa'))
  })

  it('is met by a passkey at every level, and states the time of the passkey for two factors', () => {
    expect(verdict({ acr: [[ACR['2fa']]] }, [bound(8)])).to.deep.equal(met(ACR['2fa'], 8))
    expect(verdict({ acr: [['phr']] }, [synced(8), pwd(2)])).to.deep.equal(met('phr', 8))
  })
})

describe('freshness', () => {
  const session = [pwd(600), otp(500)]

  it('is judged on the level that is asked: only that factor must be new', () => {
    const asked = { acr: [[ACR['2fa']]], maxAge: 300 }
    expect(verdict(asked, session)).to.deep.equal(missing('2fa', { maxAge: 300 }))
    expect(verdict(asked, [pwd(600), otp(200)])).to.deep.equal(met(ACR['2fa'], 200))
  })

  it('is not given by a new password where two factors are asked', () => {
    const asked = { acr: [[ACR['2fa']]], maxAge: 300 }
    expect(verdict(asked, [pwd(1), otp(500)])).to.deep.equal(missing('2fa', { maxAge: 300 }))
  })

  it('is not given by a new code where a passkey is asked', () => {
    const asked = { acr: [['phr']], maxAge: 300 }
    expect(verdict(asked, [pwd(1), otp(1), bound(301)])).to.deep.equal(missing('phr', { maxAge: 300 }))
  })

  it('is given by any factor where one is asked', () => {
    const asked = { acr: [[ACR['1fa']]], maxAge: 300 }
    expect(verdict(asked, [pwd(200), otp(500)])).to.deep.equal(met(ACR['1fa'], 200))
    expect(verdict(asked, [pwd(600), otp(100)])).to.deep.equal(met(ACR['1fa'], 100))
  })

  it('is judged on the level of the gate, where no level is asked', () => {
    const asked = { acr: [], maxAge: 300 }
    const freshPassword = [pwd(10), otp(500)]
    expect(verdict(asked, freshPassword)).to.deep.equal(missing('2fa', { maxAge: 300 }))
    expect(verdict(asked, freshPassword, { gate: '1fa' })).to.deep.equal(met(ACR['1fa'], 10))
  })

  it('is not given to the gate by a recovery code, which reaches no level', () => {
    const got = verdict({ acr: [], maxAge: 300 }, [pwd(10), recovery(10)])
    expect(got).to.deep.equal(missing('2fa', { maxAge: 300 }))
  })

  it('says that the gate cannot be met by whoever has nothing for it', () => {
    const got = verdict({ acr: [], maxAge: 300 }, [], { able: ['1fa'] })
    expect(got).to.deep.equal(missing('2fa', { maxAge: 300, able: false }))
  })

  it('states a level only as new as was asked: an old passkey is not told by a new code', () => {
    const facts = [pwd(600), otp(10), bound(500)]
    expect(verdict({ acr: [], maxAge: 300 }, facts)).to.deep.equal(met(ACR['2fa'], 10))
    expect(verdict({ acr: [] }, facts)).to.deep.equal(met('phr', 500))
  })

  it('picks, of several values, the first that is new enough', () => {
    const facts = [pwd(600), otp(10), bound(500)]
    expect(verdict({ acr: [['phr', ACR['2fa']]], maxAge: 300 }, facts)).to.deep.equal(met(ACR['2fa'], 10))
  })

  it('ends with the millisecond: a factor as old as max_age counts, one older does not', () => {
    const asked = { acr: [[ACR['2fa']]], maxAge: 60 }
    const facts = [pwd(600), otp(60)]
    expect(verdict(asked, facts).outcome).to.equal('met')
    expect(verdict(asked, facts, { now: NOW + 1 }).outcome).to.equal('missing')
  })

  it('of no seconds is given by nothing but a factor of this very moment', () => {
    expect(verdict({ acr: [], maxAge: 0 }, [pwd(0), otp(0)])).to.deep.equal(met(ACR['2fa'], 0))
    expect(verdict({ acr: [], maxAge: 0 }, [pwd(0), otp(0.001)]).outcome).to.equal('missing')
  })

  it('holds in whole seconds too: an app that counts them finds auth_time within max_age', () => {
    let counted = 0
    fc.assert(
      fc.property(someFacts, someAsked, fc.nat({ max: 999 }), (facts, asked, milliseconds) => {
        const now = NOW + milliseconds
        const got = verdict(asked, facts, { now })
        if (got.outcome !== 'met' || asked.maxAge === undefined) return
        counted += 1
        expect(Math.floor(now / 1000) - Math.floor(got.authTime / 1000)).to.be.within(0, asked.maxAge)
      }),
      { numRuns: 3000 },
    )
    expect(counted).to.be.greaterThan(200)
  })

  it('counts a factor from the future, and states no time that is yet to come', () => {
    const ahead = [pwd(-40), otp(-30)]
    expect(verdict({ acr: [[ACR['2fa']]], maxAge: 60 }, ahead)).to.deep.equal(met(ACR['2fa'], 0))
    expect(verdict({ acr: [] }, ahead)).to.deep.equal(met(ACR['2fa'], 0))
  })

  it('does not move the time by waiting', () => {
    const asked = { acr: [[ACR['2fa']]], maxAge: 3600 }
    for (const waited of [0, 1000, 60_000, 3_000_000]) {
      expect(verdict(asked, session, { now: NOW + waited })).to.deep.equal(met(ACR['2fa'], 500))
    }
  })
})

describe('verdicts, whatever was proven and asked', () => {
  it('return an acr that was asked, whose level is really met, in every list', () => {
    let metCount = 0
    fc.assert(
      fc.property(someFacts, someAsked, someLevel, (facts, asked, gate) => {
        const got = verdict(asked, facts, { gate })
        if (got.outcome !== 'met') return
        metCount += 1
        const since = asked.maxAge === undefined ? Number.NEGATIVE_INFINITY : NOW - asked.maxAge * 1000
        const level = levelOf(got.acr)
        if (level === undefined) throw new Error(`${got.acr} is no level`)
        expect(meets(level, facts, since)).to.equal(true)
        expect(got.authTime).to.equal(Math.min(reachedAt(level, facts) ?? Number.NaN, NOW))
        for (const list of asked.acr) {
          const known = list.map(acr => levelOf(acr)).filter(each => each !== undefined)
          expect(known.some(each => meets(each, facts, since))).to.equal(true)
        }
        if (asked.acr.length > 0) expect(asked.acr.flat()).to.include(got.acr)
        else expect(Object.values(ACR)).to.include(got.acr)
      }),
      { numRuns: 3000 },
    )
    expect(metCount).to.be.greaterThan(300)
  })

  it('name a level to reach that, once reached, is enough', () => {
    let missed = 0
    fc.assert(
      fc.property(someFacts, someAsked, someLevel, (facts, asked, gate) => {
        const got = verdict(asked, facts, { gate })
        if (got.outcome !== 'missing') return
        missed += 1
        expect(meets(got.level, facts, got.since)).to.equal(false)
        const proof: Record<Level, Fact[]> = { '1fa': [pwd()], '2fa': [pwd(), otp()], phr: [bound()] }
        const then = verdict(asked, mergeFacts(facts, proof[got.level]), { gate })
        expect(then.outcome).to.equal('met')
      }),
      { numRuns: 3000 },
    )
    expect(missed).to.be.greaterThan(300)
  })

  it('never fall from met to unmet by one more factor', () => {
    let metCount = 0
    fc.assert(
      fc.property(someFacts, someFact, someAsked, someLevel, (facts, more, asked, gate) => {
        if (verdict(asked, facts, { gate }).outcome !== 'met') return
        const weakened =
          more.kind === '1fa' && facts.some(each => each.factor === 'sso' && each.kind === '2fa')
        if (weakened) return
        metCount += 1
        expect(verdict(asked, mergeFacts(facts, [more]), { gate }).outcome).to.equal('met')
        expect(verdict(asked, [...facts, more], { gate }).outcome).to.equal('met')
      }),
      { numRuns: 3000 },
    )
    expect(metCount).to.be.greaterThan(300)
  })

  it('are the same with and without recovery codes and mailed codes', () => {
    let changed = 0
    fc.assert(
      fc.property(someFacts, someAsked, someLevel, (facts, asked, gate) => {
        const counting = facts.filter(each => each.factor !== 'recovery' && each.factor !== 'mail')
        if (counting.length < facts.length) changed += 1
        expect(verdict(asked, facts, { gate })).to.deep.equal(verdict(asked, counting, { gate }))
        expect(amrOf(facts)).to.deep.equal(amrOf(counting))
      }),
      { numRuns: 2000 },
    )
    expect(changed).to.be.greaterThan(200)
  })

  it('are unmet exactly where a list has no value that is known', () => {
    let unmet = 0
    fc.assert(
      fc.property(someFacts, someAsked, (facts, asked) => {
        const hopeless = asked.acr.some(list => list.every(acr => levelOf(acr) === undefined))
        if (hopeless) unmet += 1
        expect(verdict(asked, facts).outcome === 'unmet').to.equal(hopeless)
      }),
      { numRuns: 2000 },
    )
    expect(unmet).to.be.greaterThan(100)
  })
})

const someTime = fc.integer({ min: NOW - 700_000, max: NOW + 5000 })
const someFact: fc.Arbitrary<Fact> = fc
  .tuple(
    fc.constantFrom<[Fact['factor'], string]>(
      ['pwd', 'pwd'],
      ['otp', 'otp'],
      ['passkey', 'swk'],
      ['passkey', 'hwk'],
      ['sso', '1fa'],
      ['sso', '2fa'],
      ['recovery', 'recovery'],
      ['mail', 'mail'],
    ),
    someTime,
  )
  .map(([[factor, kind], verifiedAt]) => ({ factor, kind, verifiedAt }))
/** As sessions hold them: one of each factor. */
const someFacts = fc.array(someFact, { maxLength: 6 }).map(each => mergeFacts(each))
const someLevel = fc.constantFrom(...LEVELS)
const someAsked: fc.Arbitrary<Judging['asked']> = fc
  .tuple(
    fc.array(
      fc.array(fc.constantFrom(...Object.values(ACR), MULTI_FACTOR, 'loa4'), { minLength: 1, maxLength: 3 }),
      { maxLength: 3 },
    ),
    fc.constantFrom(undefined, 0, 1, 60, 300, 600),
  )
  .map(([acr, maxAge]) => (maxAge === undefined ? { acr } : { acr, maxAge }))
