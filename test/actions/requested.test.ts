import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { actionReference } from '@sallyport/step-up'
import { expect } from 'chai'
import fc from 'fast-check'
import { actionHash, canonicalAction } from '../../src/actions/binding.ts'
import { checkActions, type ProtectedAction } from '../../src/actions/registry.ts'
import { readAction } from '../../src/actions/requested.ts'
import { fillTitle, textFault } from '../../src/actions/titles.ts'
import { InputError } from '../../src/organisations/directory.ts'
import { ACTIONS, REQUESTS } from '../support/console.ts'

const DELETE = REQUESTS['device.delete']
const RTL = '\u202e'

describe('the canonical form of an action', () => {
  it('is JSON with sorted fields, and objects as a sorted set', () => {
    const request = { action: 'a', objects: ['b', 'ä', 'a', 'B'], fields: { y: '1', x: '"' } }
    expect(canonicalAction(request)).to.equal(
      '["protected_action","a",["B","a","b","ä"],[["x","\\""],["y","1"]]]',
    )
    expect(actionHash(request)).to.equal(
      createHash('sha256').update(canonicalAction(request)).digest('base64url'),
    )
  })

  it('is the one that the documentation shows', () => {
    const told = readFileSync(new URL('../../docs/step-up.md', import.meta.url), 'utf8')
    expect(told).to.include(`// ${actionHash(DELETE)}`)
  })

  it('is the same whatever the order, and another for whatever else differs', () => {
    const texts = fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(texts, fc.string(), fc.string(), (objects, site, other) => {
        const hash = actionHash({ action: 'a', objects, fields: { site, b: 'c' } })
        expect(actionHash({ action: 'a', objects: objects.toReversed(), fields: { b: 'c', site } })).to.equal(
          hash,
        )
        expect(
          actionReference({
            type: 'protected_action',
            action: 'a',
            objects: objects.toReversed(),
            fields: { b: 'c', site },
          }),
          'the reference of the app’s package',
        ).to.equal(hash)
        expect(actionHash({ action: 'b', objects, fields: { site, b: 'c' } })).not.to.equal(hash)
        if (other !== site) {
          expect(actionHash({ action: 'a', objects, fields: { site: other, b: 'c' } })).not.to.equal(hash)
        }
        if (!objects.includes(other)) {
          expect(
            actionHash({ action: 'a', objects: [...objects, other], fields: { site, b: 'c' } }),
          ).not.to.equal(hash)
        }
      }),
    )
  })
})

describe('a title', () => {
  it('is filled once: what is filled in is not looked at again', () => {
    const asked = { objects: ['a', 'b'], fields: { site: '{count} $& {name}', name: 'x' } }
    expect(fillTitle('{count} at {site}', asked)).to.equal('2 at {count} $& {name}')
  })

  for (const [name, text] of [
    ['nothing', ''],
    ['spaces', '  '],
    ['a line end', 'a\nb'],
    ['a line separator', 'a\u2028b'],
    ['a turn of the writing', `a${RTL}b`],
    ['an isolate', 'a\u2066b'],
    ['an invisible space', 'a\u200bb'],
    ['a control character', 'a\u0007b'],
    ['half a character', 'a\ud800'],
    ['too much', 'a'.repeat(21)],
    ['a number', 5],
  ] as const) {
    it(`holds no ${name}`, () => expect(textFault(text, 20)).to.be.a('string'))
  }

  it('may hold markup, other scripts and emoji, which are text', () => {
    for (const text of ['<b>a</b>', 'שלום', 'مرحبا', '👩‍💻', 'naïve'])
      expect(textFault(text, 20)).to.equal(undefined)
  })
})

describe('a file of actions', () => {
  it('is taken as it is written', () => {
    expect(checkActions(ACTIONS)).to.have.length(4)
    expect(checkActions(ACTIONS)[2]).to.deep.equal(ACTIONS[2])
    expect(checkActions([])).to.deep.equal([])
  })

  const one = { id: 'a.b', title: 'do it', fields: ['site'], rule: 'always' }
  const wrong: [string, unknown, RegExp][] = [
    ['an object', {}, /must be a list/],
    ['a text in the list', ['a'], /action no\. 1 must be an object/],
    ['no id', [{ ...one, id: undefined }], /action no\. 1 has no id/],
    ['an id with capitals', [{ ...one, id: 'A' }], /has no id/],
    ['an id twice', [one, one], /action "a\.b" is there twice/],
    ['no title', [{ ...one, title: undefined }], /title that must be a text/],
    ['a placeholder that is no field', [{ ...one, title: 'at {sites}' }], /\{sites\}.*did you mean site/i],
    ['an open brace', [{ ...one, title: 'at {site' }], /brace/],
    ['a brace in a placeholder', [{ ...one, title: 'at {{site}}' }], /brace/],
    ['a title that turns the writing', [{ ...one, title: `a${RTL}b` }], /turns the writing/],
    ['a title that is too long', [{ ...one, title: 'a'.repeat(121) }], /at most 120/],
    ['a titleOne with an unknown field', [{ ...one, titleOne: 'a {b}' }], /titleOne with \{b\}/],
    ['a field count', [{ ...one, fields: ['count'] }], /field count/],
    ['a field twice', [{ ...one, fields: ['site', 'site'] }], /field twice/],
    ['a field that begins with a digit', [{ ...one, fields: ['1'] }], /letter/],
    ['a field that is an object’s own', [{ ...one, fields: ['__proto__'] }], /letter/],
    ['fields that are a text', [{ ...one, fields: 'site' }], /no list/],
    ['eleven fields', [{ ...one, fields: Array.from({ length: 11 }, (_, i) => `f${i}`) }], /at most 10/],
    ['no rule', [{ ...one, rule: undefined }], /has no rule/],
    ['an unknown rule', [{ ...one, rule: 'sometimes' }], /has no rule/],
    ['an unknown member', [{ ...one, titel: 'x' }], /"titel".*did you mean title/i],
    ['a hundred and one', Array.from({ length: 101 }, (_, i) => ({ ...one, id: `a${i}` })), /at most 100/],
  ]
  for (const [name, value, message] of wrong) {
    it(`may not hold ${name}`, () => {
      expect(() => checkActions(value)).to.throw(InputError, message)
    })
  }
})

describe('a request for an action', () => {
  const actions: ProtectedAction[] = checkActions(ACTIONS)
  const read = (...details: unknown[]) => readAction(JSON.stringify(details), actions)
  const faultOf = (...details: unknown[]) => {
    const answer = read(...details)
    return answer?.ok === false ? answer.fault : undefined
  }

  it('is read with its title filled and its rule', () => {
    const answer = read(DELETE)
    expect(answer?.ok && answer.action).to.deep.include({
      action: 'device.delete',
      title: 'delete 2 devices at Acme',
      noun: 'devices',
      rule: 'always',
      hash: actionHash(DELETE),
    })
  })

  it('has a title of its own for a single object', () => {
    const answer = read({ ...DELETE, objects: ['dev_17'] })
    expect(answer?.ok && answer.action.title).to.equal('delete 1 device at Acme')
  })

  it('has the strictest of the app’s and the organisation’s rules', () => {
    const tightened = (rule: 'passkey' | { within: number }) => {
      const answer = readAction(JSON.stringify([DELETE]), actions, [
        { action: 'device.delete', rule },
        { action: 'device.rename', rule: 'passkey' },
      ])
      return answer?.ok && answer.action.rule
    }
    expect(tightened('passkey')).to.equal('passkey')
    expect(tightened({ within: 300 })).to.equal('always')
  })

  it('is none where there are no details, or only somebody else’s', () => {
    expect(readAction(undefined, actions)).to.equal(undefined)
    expect(readAction('[]', actions)).to.equal(undefined)
    expect(readAction('{', actions)).to.equal(undefined)
    expect(read({ type: 'payment_initiation' })).to.equal(undefined)
  })

  const wrong: [string, unknown[]][] = [
    ['two actions', [DELETE, REQUESTS['device.rename']]],
    ['an action beside another type', [{ type: 'payment_initiation' }, DELETE]],
    ['an unknown action', [{ ...DELETE, action: 'device.destroy' }]],
    ['an action that is an object’s own', [{ ...DELETE, action: 'constructor' }]],
    ['no action', [{ ...DELETE, action: undefined }]],
    ['no objects', [{ ...DELETE, objects: undefined }]],
    ['an empty list of objects', [{ ...DELETE, objects: [] }]],
    ['1001 objects', [{ ...DELETE, objects: Array.from({ length: 1001 }, (_, i) => `o${i}`) }]],
    ['an object that is a number', [{ ...DELETE, objects: [5] }]],
    ['an empty object', [{ ...DELETE, objects: [''] }]],
    ['an object twice', [{ ...DELETE, objects: ['a', 'a'] }]],
    ['an object that turns the writing', [{ ...DELETE, objects: [`a${RTL}b`] }]],
    ['an object that is too long', [{ ...DELETE, objects: ['a'.repeat(201)] }]],
    ['a missing field', [{ ...DELETE, fields: {} }]],
    ['no fields where there are some', [{ ...DELETE, fields: undefined }]],
    ['an unknown field', [{ ...DELETE, fields: { site: 'Acme', region: 'EU' } }]],
    ['a field that is an object', [{ ...DELETE, fields: { site: {} } }]],
    ['fields that are a list', [{ ...DELETE, fields: ['Acme'] }]],
    ['a field with a line end', [{ ...DELETE, fields: { site: 'Ac\nme' } }]],
    ['another member', [{ ...DELETE, locations: ['https://api.example'] }]],
    ['a confirmation of its own', [{ ...DELETE, confirmation_id: 'made up' }]],
  ]
  for (const [name, details] of wrong) {
    it(`is refused with ${name}`, () => expect(faultOf(...details)).to.be.a('string'))
  }

  it('may be of a thousand objects', () => {
    expect(read({ ...DELETE, objects: Array.from({ length: 1000 }, (_, i) => `o${i}`) })?.ok).to.equal(true)
  })
})
