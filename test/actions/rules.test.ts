import { expect } from 'chai'
import fc from 'fast-check'
import {
  demandOf,
  lacking,
  type Rule,
  readRule,
  ruleOfText,
  ruleText,
  stricter,
  strictest,
} from '../../src/actions/rules.ts'
import type { Fact, Factor } from '../../src/flow/assurance.ts'

const NOW = Date.UTC(2026, 4, 14, 9, 31)
const fact = (factor: Factor, age: number): Fact => ({
  factor,
  kind: factor === 'passkey' ? 'swk' : factor,
  verifiedAt: NOW - age * 1000,
})

const anyRule: fc.Arbitrary<Rule> = fc.oneof(
  fc.constantFrom<Rule>('off', 'always', 'passkey'),
  fc.integer({ min: 30, max: 2_592_000 }).map(within => ({ within })),
)

describe('rules of actions', () => {
  it('are ordered: off, within a longer time, within a shorter time, always, passkey', () => {
    const ordered: Rule[] = ['off', { within: 600 }, { within: 300 }, { within: 30 }, 'always', 'passkey']
    for (const [index, rule] of ordered.entries()) {
      for (const [other, laxer] of ordered.entries()) {
        expect(stricter(rule, laxer), `${ruleText(rule)} ${ruleText(laxer)}`).to.equal(index > other)
      }
    }
  })

  it('are tightened and never loosened, whatever the app says later', () => {
    expect(strictest('off', 'always')).to.equal('always')
    expect(strictest('passkey', 'always')).to.equal('passkey')
    expect(strictest({ within: 300 }, { within: 600 })).to.deep.equal({ within: 300 })
    expect(strictest('always', undefined)).to.equal('always')
    fc.assert(
      fc.property(anyRule, anyRule, (own, tightened) => {
        const effective = strictest(own, tightened)
        expect(stricter(own, effective) || stricter(tightened, effective)).to.equal(false)
      }),
    )
  })

  it('are read back as they are written', () => {
    fc.assert(
      fc.property(anyRule, rule => {
        expect(ruleOfText(ruleText(rule))).to.deep.equal(rule)
      }),
    )
  })

  for (const wrong of [
    undefined,
    null,
    '',
    'ALWAYS',
    'never',
    5,
    [],
    {},
    { within: '300' },
    { within: 29 },
    { within: 2_592_001 },
    { within: 300.5 },
    { within: 300, also: 1 },
    'within:300',
  ]) {
    it(`are not ${JSON.stringify(wrong)}`, () => {
      expect(readRule(wrong)).to.equal(undefined)
    })
  }

  it('cannot be read from a text that is none', () => {
    for (const text of ['', 'within', 'within:', 'within:5', 'within:-300', 'within:1e3', 'within:300 ']) {
      expect(ruleOfText(text), text).to.equal(undefined)
    }
  })
})

// rule × age of the factor × same or other request × who
describe('what a rule lacks', () => {
  type Cell = [
    rule: Rule,
    session: readonly Fact[],
    request: readonly Fact[],
    confirmed: boolean,
    lacks: 'factor' | 'confirmation' | undefined,
  ]
  const pwd = fact('pwd', 3600)
  const within = { within: 300 }
  // biome-ignore format: one case a line reads as a table
  const table: Cell[] = [
    ['off', [], [], false, undefined],
    ['off', [pwd], [], false, undefined],
    [within, [pwd, fact('otp', 299)], [], false, undefined],
    [within, [pwd, fact('otp', 300)], [], false, undefined],
    [within, [pwd, fact('otp', 301)], [], false, 'factor'],
    [within, [pwd, fact('otp', 301)], [], true, 'factor'],
    [within, [pwd, fact('otp', 301)], [fact('otp', 1)], false, undefined],
    [within, [fact('passkey', 10)], [], false, undefined],
    [within, [fact('passkey', 400)], [], false, 'factor'],
    [within, [fact('pwd', 10)], [], false, 'factor'],
    [within, [fact('pwd', 10), fact('recovery', 10)], [], false, 'factor'],
    [within, [{ ...fact('sso', 10), kind: '2fa' }], [], false, undefined],
    [within, [{ ...fact('sso', 10), kind: '1fa' }], [], false, 'factor'],
    ['always', [pwd, fact('otp', 0)], [], false, 'factor'],
    ['always', [pwd, fact('otp', 0)], [], true, 'factor'],
    ['always', [pwd], [fact('otp', 1)], false, 'confirmation'],
    ['always', [pwd], [fact('otp', 1)], true, undefined],
    ['always', [pwd, fact('otp', 0)], [fact('pwd', 1)], true, 'factor'],
    ['always', [fact('passkey', 0)], [fact('pwd', 1)], true, 'factor'],
    ['always', [fact('passkey', 900)], [fact('otp', 1)], true, undefined],
    ['always', [], [fact('otp', 1)], true, 'factor'],
    ['always', [pwd], [fact('passkey', 1)], true, undefined],
    ['always', [pwd], [fact('recovery', 1), fact('mail', 1)], true, 'factor'],
    ['always', [], [{ ...fact('sso', 1), kind: '2fa' }], true, undefined],
    ['passkey', [pwd, fact('otp', 0), fact('passkey', 0)], [], true, 'factor'],
    ['passkey', [pwd, fact('passkey', 0)], [fact('otp', 0)], true, 'factor'],
    ['passkey', [pwd], [fact('passkey', 0)], false, 'confirmation'],
    ['passkey', [pwd], [fact('passkey', 0)], true, undefined],
    ['passkey', [], [{ ...fact('sso', 1), kind: '2fa' }], true, 'factor'],
  ]
  const names = (facts: readonly Fact[]) =>
    facts.map(each => `${each.factor} ${(NOW - each.verifiedAt) / 1000}s`).join(', ') || 'nothing'
  for (const [rule, session, request, confirmed, lacks] of table) {
    it(`${ruleText(rule)}: session ${names(session)}; request ${names(request)}${confirmed ? '; confirmed' : ''} → ${lacks ?? 'nothing'}`, () => {
      const demand = demandOf(rule, 'this', NOW)
      const shown = {
        verified: request,
        held: [...session, ...request],
        confirmed: confirmed ? 'this' : undefined,
      }
      expect(demand && lacking(demand, shown)).to.equal(lacks)
      // What was confirmed of another action is no confirmation of this one.
      if (demand?.since === 'request' && lacks === undefined) {
        expect(lacking(demand, { ...shown, confirmed: 'that' })).to.equal('confirmation')
      }
    })
  }
})
