import { expect } from 'chai'
import fc from 'fast-check'
import { readAsked, scopeRulesFault, startsFromNothing } from '../../src/flow/asked.ts'
import { ACR, judge } from '../../src/flow/assurance.ts'

/** The claims parameter as it comes: JSON text. */
function claims(acr: unknown, where: 'id_token' | 'userinfo' = 'id_token'): string {
  return JSON.stringify({ [where]: { acr } })
}

describe('what a request asks', () => {
  it('is nothing where nothing is asked', () => {
    expect(readAsked({})).to.deep.equal({ acr: [] })
  })

  describe('acr_values', () => {
    it('is a list, in the order of preference', () => {
      expect(readAsked({ acr_values: 'phr urn:sallyport:acr:2fa' })).to.deep.equal({
        acr: [['phr', 'urn:sallyport:acr:2fa']],
      })
    })

    it('may have several spaces between, before and after its values', () => {
      expect(readAsked({ acr_values: '  phr   phrh ' }).acr).to.deep.equal([['phr', 'phrh']])
    })

    it('asks nothing where it is empty, so that what the client is registered with applies', () => {
      for (const acr_values of ['', ' ', '    ']) {
        expect(readAsked({ acr_values }, { defaultAcrValues: ['phr'] }).acr, `"${acr_values}"`).to.deep.equal(
          [['phr']],
        )
      }
    })

    it('keeps values that nobody knows: whether they can be met is not decided here', () => {
      expect(readAsked({ acr_values: 'mfa' }).acr).to.deep.equal([['mfa']])
    })
  })

  describe('the acr claim', () => {
    it('asks for its value where it is essential', () => {
      expect(readAsked({ claims: claims({ essential: true, value: 'phr' }) }).acr).to.deep.equal([['phr']])
    })

    it('asks for any of its values where it is essential', () => {
      const values = [ACR.phr, ACR['2fa']]
      expect(readAsked({ claims: claims({ essential: true, values }) }).acr).to.deep.equal([values])
    })

    it('asks nothing where it is voluntary', () => {
      for (const acr of [
        null,
        {},
        { value: 'phr' },
        { values: ['phr'] },
        { essential: false, value: 'phr' },
      ]) {
        expect(readAsked({ claims: claims(acr) }).acr, JSON.stringify(acr)).to.deep.equal([])
      }
    })

    it('is not essential by anything but true', () => {
      for (const essential of ['true', 1, {}, [true]]) {
        expect(readAsked({ claims: claims({ essential, value: 'phr' }) }).acr).to.deep.equal([])
      }
    })

    it('asks for nothing in particular where it is essential without a value', () => {
      expect(readAsked({ claims: claims({ essential: true }) }).acr).to.deep.equal([])
    })

    it('asks nothing of a login where it is under userinfo', () => {
      const params = { claims: claims({ essential: true, value: 'phr' }, 'userinfo') }
      expect(readAsked(params).acr).to.deep.equal([])
    })

    it('leaves other claims alone', () => {
      const params = { claims: JSON.stringify({ id_token: { email: { essential: true, value: 'phr' } } }) }
      expect(readAsked(params).acr).to.deep.equal([])
    })

    it('cannot be met where its values are no list, or an empty one: it asks for something that is not there', () => {
      for (const values of ['phr', {}, null, 7, []]) {
        const asked = readAsked({ claims: claims({ essential: true, values }) })
        const strong = [{ factor: 'passkey', kind: 'hwk', verifiedAt: 0 }] as const
        const verdict = judge({ asked, facts: strong, gate: '2fa', able: ['1fa', '2fa', 'phr'], now: 0 })
        expect(verdict.outcome, JSON.stringify(values)).to.equal('unmet')
      }
    })

    it('cannot be met by a name that every object has', () => {
      for (const value of ['__proto__', 'constructor', 'toString']) {
        const asked = readAsked({ claims: claims({ essential: true, values: [value] }) })
        expect(asked.acr).to.deep.equal([[value]])
        const verdict = judge({ asked, facts: [], gate: '2fa', able: ['1fa', '2fa', 'phr'], now: 0 })
        expect(verdict.outcome).to.equal('unmet')
      }
    })
  })

  it('S1: acr_values and an essential claim that differ are both asked, neither in place of the other', () => {
    const params = { acr_values: ACR['1fa'], claims: claims({ essential: true, value: ACR.phr }) }
    expect(readAsked(params).acr).to.deep.equal([[ACR['1fa']], [ACR.phr]])
  })

  describe('what the client is registered with', () => {
    const client = { defaultAcrValues: [ACR['2fa'], ACR.phr], minimumAcr: ACR['2fa'] }

    it('is its default_acr_values where the request asks nothing', () => {
      expect(readAsked({}, { defaultAcrValues: client.defaultAcrValues }).acr).to.deep.equal([
        client.defaultAcrValues,
      ])
    })

    it('is no default where the request asks in either way', () => {
      const registered = { defaultAcrValues: client.defaultAcrValues }
      expect(readAsked({ acr_values: ACR['1fa'] }, registered).acr).to.deep.equal([[ACR['1fa']]])
      const essential = { claims: claims({ essential: true, value: ACR['1fa'] }) }
      expect(readAsked(essential, registered).acr).to.deep.equal([[ACR['1fa']]])
    })

    it('is its default_acr_values still where the request only has a voluntary claim', () => {
      expect(readAsked({ claims: claims({ value: ACR['1fa'] }) }, client).acr).to.deep.equal([
        client.defaultAcrValues,
        [client.minimumAcr],
      ])
    })

    it('is its minimum_acr beside whatever is asked', () => {
      expect(readAsked({}, { minimumAcr: ACR.phr }).acr).to.deep.equal([[ACR.phr]])
      expect(readAsked({ acr_values: ACR['1fa'] }, client).acr).to.deep.equal([[ACR['1fa']], [ACR['2fa']]])
    })

    it('asks nothing by an empty list', () => {
      expect(readAsked({}, { defaultAcrValues: [] }).acr).to.deep.equal([])
    })

    it('S1: its minimum_acr is lowered by no parameter', () => {
      let runs = 0
      const acr = fc.oneof(fc.constantFrom(...Object.values(ACR), 'unknown', '', ' '), fc.string())
      const claim = fc.record({
        essential: fc.constantFrom(true, false, 'true', undefined),
        value: fc.option(acr, { nil: undefined }),
        values: fc.option(fc.array(acr), { nil: undefined }),
      })
      fc.assert(
        fc.property(
          fc.option(acr, { nil: undefined }),
          fc.option(fc.oneof(claim, fc.constant(null)), { nil: undefined }),
          fc.option(fc.array(acr), { nil: undefined }),
          fc.constantFrom(undefined, '0', '60'),
          (acr_values, asked, defaultAcrValues, max_age) => {
            runs += 1
            const params = { acr_values, max_age, claims: asked === undefined ? undefined : claims(asked) }
            const { acr } = readAsked(params, { defaultAcrValues, minimumAcr: ACR['2fa'] })
            expect(acr.at(-1)).to.deep.equal([ACR['2fa']])
          },
        ),
        { numRuns: 500 },
      )
      expect(runs).to.be.at.least(500)
    })
  })

  describe('what its scopes ask', () => {
    const scopeRules = {
      'devices:delete': { acr_values: 'phr urn:sallyport:acr:2fa', max_age: 300 },
      'devices:read': { max_age: 3600 },
    }
    const asked = (params: object) => readAsked(params, { scopeRules })

    it('is asked whenever the scope is, beside what else is asked', () => {
      expect(asked({ scope: 'openid devices:delete', acr_values: '1fa' })).to.deep.equal({
        acr: [['1fa'], ['phr', 'urn:sallyport:acr:2fa']],
        maxAge: 300,
      })
      expect(asked({ scope: 'openid' })).to.deep.equal({ acr: [] })
      expect(asked({})).to.deep.equal({ acr: [] })
    })

    it('is the shortest of all ages, and no parameter makes it longer', () => {
      expect(asked({ scope: 'devices:read devices:delete' }).maxAge).to.equal(300)
      expect(asked({ scope: 'devices:read', max_age: '99999' }).maxAge).to.equal(3600)
      expect(asked({ scope: 'devices:read', max_age: '60' }).maxAge).to.equal(60)
    })

    it('does not mistake a part of a scope, or a property of every object, for one', () => {
      expect(asked({ scope: 'devices:deleted devices toString __proto__' })).to.deep.equal({ acr: [] })
    })

    const wrong: [string, unknown][] = [
      ['a list', []],
      ['nothing', null],
      ['a scope with a space', { 'a b': { max_age: 300 } }],
      ['an empty rule', { a: {} }],
      ['a rule that is a text', { a: 'phr' }],
      ['an unknown member', { a: { max_age: 300, acr: 'phr' } }],
      ['acr_values that are a list', { a: { acr_values: ['phr'] } }],
      ['empty acr_values', { a: { acr_values: ' ' } }],
      ['an age that is too short to come back in', { a: { max_age: 5 } }],
      ['an age that is a text', { a: { max_age: '300' } }],
    ]
    for (const [name, rules] of wrong) {
      it(`cannot be ${name}`, () => {
        expect(scopeRulesFault(rules)).to.be.a('string')
      })
    }

    it('may be either of the two, or both', () => {
      expect(scopeRulesFault(scopeRules)).to.equal(undefined)
      expect(scopeRulesFault({ a: { acr_values: 'phr' } })).to.equal(undefined)
      expect(scopeRulesFault({})).to.equal(undefined)
    })
  })

  describe('max_age', () => {
    it('is a number of seconds, as text or as a number', () => {
      expect(readAsked({ max_age: '300' })).to.deep.equal({ acr: [], maxAge: 300 })
      expect(readAsked({ max_age: 300 })).to.deep.equal({ acr: [], maxAge: 300 })
    })

    it('is absent where the request has none, and where it is no number', () => {
      expect(readAsked({ max_age: undefined })).to.deep.equal({ acr: [] })
      expect(readAsked({ max_age: 'soon' })).to.deep.equal({ acr: [] })
    })
  })

  describe('from nothing', () => {
    it('starts a request with prompt=login, alone or among others', () => {
      expect(startsFromNothing({ prompt: 'login' })).to.equal(true)
      expect(startsFromNothing({ prompt: 'consent login' })).to.equal(true)
    })

    it('starts no other request', () => {
      for (const prompt of [undefined, '', 'none', 'consent', 'login_hint', 'select_account']) {
        expect(startsFromNothing({ prompt }), String(prompt)).to.equal(false)
      }
    })
  })
})
