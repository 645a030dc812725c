// What suffices for what: tables, and properties for whatever names and objects may be.

import { type Claims, canonicalAction, checkStepUp, meetsAcr, type Requirement } from '@sallyport/step-up'
import { expect } from 'chai'
import fc from 'fast-check'

const NOW = 1_800_000_000_000
const SECONDS = NOW / 1000
const ONE = 'urn:sallyport:acr:1fa'
const TWO = 'urn:sallyport:acr:2fa'
const PAPE = 'http://schemas.openid.net/pape/policies/2007/06/multi-factor'

const deletes = {
  type: 'protected_action',
  action: 'device.delete',
  objects: ['dev_17', 'dev_23'],
  fields: { site: 'Acme' },
} as const
const claims: Claims = {
  sub: 'dana',
  client_id: 'console',
  scope: 'openid devices',
  acr: TWO,
  auth_time: SECONDS - 60,
  authorization_details: [{ ...deletes, confirmation_id: 'c1' }],
}

/** The errors that are answered, none for what passes. */
function answered(requirement: Requirement, held: Claims = claims, now = NOW): string[] {
  const result = checkStepUp(held, requirement, now)
  return result.ok ? [] : result.challenges.map(each => each.error)
}
const without = (name: string) => Object.fromEntries(Object.entries(claims).filter(([each]) => each !== name))

describe('whether claims suffice', () => {
  describe('for a level', () => {
    const rows: [held: string | undefined, asked: string | string[], met: boolean][] = [
      [ONE, ONE, true],
      [ONE, TWO, false],
      [ONE, 'phr', false],
      [TWO, ONE, true],
      [TWO, TWO, true],
      [TWO, 'phr', false],
      ['phr', ONE, true],
      ['phr', TWO, true],
      ['phr', 'phr', true],
      ['phr', 'phrh', false],
      ['phrh', 'phr', true],
      ['phrh', TWO, true],
      [PAPE, TWO, true],
      [TWO, PAPE, true],
      [PAPE, 'phr', false],
      [ONE, PAPE, false],
      [TWO, ['phr', TWO], true],
      [ONE, ['phr', TWO], false],
      [TWO, 'urn:elsewhere:high', false],
      ['phrh', 'urn:elsewhere:high', false],
      ['urn:elsewhere:high', 'urn:elsewhere:high', true],
      ['urn:elsewhere:high', ONE, false],
      ['urn:elsewhere:high', [ONE, 'urn:elsewhere:high'], true],
      ['PHR', 'phr', false],
      ['', ONE, false],
      [undefined, ONE, false],
    ]
    for (const [held, asked, met] of rows) {
      it(`${met ? 'takes' : 'refuses'} ${held} where ${[asked].flat().join(' or ')} is asked for`, () => {
        expect(meetsAcr(held, asked)).to.equal(met)
        const errors = answered({ acr: asked }, { ...claims, acr: held } as Claims)
        expect(errors).to.deep.equal(met ? [] : ['insufficient_user_authentication'])
      })
    }
    it('takes no list of levels that names none', () => {
      for (const acr of ['', [], ['']]) expect(() => answered({ acr })).to.throw(TypeError)
    })
    it('refuses an acr that is no text', () => {
      for (const acr of [[TWO], 2, null, { toString: () => TWO }]) {
        expect(answered({ acr: TWO }, { ...claims, acr } as unknown as Claims)).to.have.length(1)
      }
    })
  })

  describe('for an age', () => {
    const rows: [name: string, authTime: unknown, maxAge: number, met: boolean, now?: number][] = [
      ['younger', SECONDS - 299, 300, true],
      ['exactly as old as may be', SECONDS - 300, 300, true],
      ['exactly as old, late in the second', SECONDS - 300, 300, true, NOW + 999],
      ['a second too old', SECONDS - 301, 300, false],
      ['of this second, where none may pass', SECONDS, 0, true],
      ['of the last second, where none may pass', SECONDS - 1, 0, false],
      ['of a clock that is a minute ahead', SECONDS + 60, 0, true],
      ['of a clock that is more than a minute ahead', SECONDS + 61, 300, false],
      ['missing', undefined, 300, false],
      ['a text', String(SECONDS), 300, false],
      ['in milliseconds', NOW, 300, false],
      ['no number', Number.NaN, 300, false],
      ['endless', Number.POSITIVE_INFINITY, 300, false],
    ]
    for (const [name, authTime, maxAge, met, now = NOW] of rows) {
      it(`${met ? 'takes' : 'refuses'} an auth_time that is ${name}`, () => {
        const errors = answered({ maxAge }, { ...claims, auth_time: authTime } as Claims, now)
        expect(errors).to.deep.equal(met ? [] : ['insufficient_user_authentication'])
      })
    }
    it('compares with now, not with when the token was issued', () => {
      expect(answered({ maxAge: 300 }, { ...claims, iat: SECONDS - 3600 })).to.deep.equal([])
      expect(answered({ maxAge: 300 }, claims, NOW + 241_000)).to.have.length(1)
    })
    it('takes no age that is none', () => {
      for (const maxAge of [-1, Number.NaN]) {
        expect(() => answered({ maxAge })).to.throw(TypeError)
      }
    })
  })

  describe('for an action', () => {
    const same = { ...deletes, confirmation_id: 'c1' }
    const rows: [name: string, details: unknown, met: boolean][] = [
      ['the same', [same], true],
      ['the same in another order', [{ ...same, objects: ['dev_23', 'dev_17'] }], true],
      ['the same with an object twice', [{ ...same, objects: ['dev_17', 'dev_23', 'dev_17'] }], true],
      ['the same beside another', [{ ...same, action: 'device.rename' }, same], true],
      ['the same without a confirmation id', [deletes], true],
      ['one object less', [{ ...same, objects: ['dev_17'] }], false],
      ['one object more', [{ ...same, objects: ['dev_17', 'dev_23', 'dev_24'] }], false],
      ['another object', [{ ...same, objects: ['dev_17', 'dev_24'] }], false],
      ['objects joined', [{ ...same, objects: ['dev_17,dev_23'] }], false],
      ['objects as a text', [{ ...same, objects: 'dev_17' }], false],
      ['objects that are no texts', [{ ...same, objects: ['dev_17', 23] }], false],
      ['no objects', [{ ...same, objects: undefined }], false],
      ['another action', [{ ...same, action: 'device.delete ' }], false],
      ['another type', [{ ...same, type: 'payment' }], false],
      ['another field', [{ ...same, fields: { site: 'Beta' } }], false],
      ['a field more', [{ ...same, fields: { site: 'Acme', floor: '2' } }], false],
      ['no fields', [{ ...same, fields: undefined }], false],
      ['a member that narrows', [{ ...same, locations: ['https://elsewhere.example'] }], false],
      ['no list', same, false],
      ['an empty list', [], false],
      ['nothing', undefined, false],
      ['a list of nothing', [null, 1, 'device.delete'], false],
    ]
    for (const [name, details, met] of rows) {
      it(`${met ? 'takes' : 'refuses'} ${name}`, () => {
        const errors = answered({ action: deletes }, {
          ...claims,
          authorization_details: details,
        } as Claims)
        expect(errors).to.deep.equal(met ? [] : ['insufficient_authorization'])
      })
    }

    it('takes any permutation and repetition of the objects, and none with another', () => {
      fc.assert(
        fc.property(
          fc.uniqueArray(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 20 }),
          fc.string({ unit: 'binary' }),
          fc.infiniteStream(fc.nat()),
          (objects, other, picks) => {
            const pick = () => objects[(picks.next().value ?? 0) % objects.length] ?? ''
            const shuffled = [pick(), ...objects.toReversed(), pick(), pick()]
            const action = { type: 'protected_action', action: 'a', objects } as const
            const held = (list: readonly string[]): Claims => ({
              authorization_details: [{ ...action, objects: list }],
            })
            expect(answered({ action }, held(shuffled))).to.deep.equal([])
            const met = answered({ action }, held([...objects, other])).length === 0
            expect(met).to.equal(objects.includes(other))
          },
        ),
      )
    })

    it('takes no action for another, whatever their names', () => {
      const text = fc.string({ unit: 'binary' })
      const anyAction = fc.record({
        type: fc.constant('protected_action' as const),
        action: fc.string({ unit: 'binary', minLength: 1 }),
        objects: fc.array(text, { minLength: 1, maxLength: 4 }),
        fields: fc.dictionary(text, text, { maxKeys: 3 }),
      })
      fc.assert(
        fc.property(anyAction, anyAction, (one, other) => {
          const key = ({ action, objects, fields }: typeof one) =>
            [action, new Set(objects), new Map(Object.entries(fields))] as const
          let equal = true
          try {
            expect(key(one)).to.deep.equal(key(other))
          } catch {
            equal = false
          }
          expect(canonicalAction(one) === canonicalAction(other)).to.equal(equal)
        }),
      )
    })

    it('takes no thing for an action that is none', () => {
      for (const action of [
        {},
        { type: 'protected_action' },
        { ...deletes, objects: [1] },
        { ...deletes, objects: [] },
        { ...deletes, objects: undefined },
        { ...deletes, more: 1 },
      ]) {
        expect(() => answered({ action: action as unknown as typeof deletes })).to.throw(TypeError)
      }
    })
  })

  describe('in the order of the ladder:', () => {
    const all: Requirement = {
      subject: 'dana',
      clientId: ['console', 'mobile'],
      scope: 'devices',
      acr: TWO,
      maxAge: 300,
      action: deletes,
    }
    const rows: [name: string, held: Claims, errors: string[]][] = [
      ['everything', claims, []],
      ['another user', { ...claims, sub: 'mallory' }, ['invalid_token']],
      ['no user', without('sub'), ['invalid_token']],
      ['another client', { ...claims, client_id: 'evil' }, ['invalid_token']],
      ['no client', without('client_id'), ['invalid_token']],
      ['no scope', without('scope'), ['insufficient_scope']],
      ['a scope that begins alike', { ...claims, scope: 'openid devices.read' }, ['insufficient_scope']],
      ['another user before all else', { sub: 'mallory', client_id: 'console' }, ['invalid_token']],
      [
        'neither level nor action',
        { ...without('authorization_details'), acr: ONE },
        ['insufficient_user_authentication', 'insufficient_authorization'],
      ],
      // A new token is needed, and it must carry the action too.
      [
        'no level, and an action that the next token must have as well',
        { ...claims, acr: ONE },
        ['insufficient_user_authentication', 'insufficient_authorization'],
      ],
      ['no action', without('authorization_details'), ['insufficient_authorization']],
    ]
    for (const [name, held, errors] of rows) {
      it(`${name} is answered ${errors.join(' and ') || 'with nothing'}`, () => {
        expect(answered(all, held)).to.deep.equal(errors)
      })
    }
    it('says in each challenge what the next token must have', () => {
      const result = checkStepUp(without('acr'), all, NOW)
      expect(result).to.deep.equal({
        ok: false,
        challenges: [
          { error: 'insufficient_user_authentication', acrValues: [TWO], maxAge: 300 },
          { error: 'insufficient_authorization', acrValues: [TWO], maxAge: 300, action: deletes },
        ],
      })
    })
    it('asks nothing where nothing is required', () => {
      expect(answered({}, {})).to.deep.equal([])
    })
  })
})
