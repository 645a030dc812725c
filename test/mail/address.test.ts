import { expect } from 'chai'
import fc from 'fast-check'
import MailComposer from 'nodemailer/lib/mail-composer'
import { parseAddress } from '../../src/mail/address.ts'

describe('an email address', () => {
  it('is taken as it was typed, its domain in lower case', () => {
    expect(parseAddress('Dana.Whitlock+2fa@Example.COM')).to.equal('Dana.Whitlock+2fa@example.com')
    expect(parseAddress("o'brien_{x}~1@a-b.example.co.uk")).to.equal("o'brien_{x}~1@a-b.example.co.uk")
  })

  it('may be of any alphabet, in one spelling', () => {
    expect(parseAddress('dana@EXÄMPLE.com')).to.equal('dana@exämple.com')
    expect(parseAddress('dana@exa\u0308mple.com'), 'decomposed').to.equal('dana@exämple.com')
    expect(parseAddress('dana@xn--exmple-cua.com'), 'encoded').to.equal('dana@exämple.com')
    expect(parseAddress('da\u0308na@example.com')).to.equal('däna@example.com')
    expect(parseAddress('用户@例え.jp')).to.equal('用户@例え.jp')
  })

  const refused: Record<string, unknown> = {
    nothing: '',
    'an array': ['a@example.com'],
    'an object': { toString: () => 'a@example.com' },
    undefined: undefined,
    'no domain': 'dana',
    'an empty local part': '@example.com',
    'an empty domain': 'dana@',
    'two at-signs': 'dana@evil.com@example.com',
    'a display name': 'Dana <dana@example.com>',
    'angle brackets': '<dana@example.com>',
    'a list': 'a@example.com,b@example.com',
    'a list with semicolons': 'a@example.com;b@example.com',
    'a comment': 'dana(comment)@example.com',
    'a quoted local part': '"dana whitlock"@example.com',
    'a space within': 'dana whitlock@example.com',
    'a space around': ' dana@example.com',
    'a line break at the end': 'dana@example.com\n',
    'a header after a line break': 'dana@example.com\r\nBcc: eve@example.com',
    'a NUL': 'dana\u0000@example.com',
    'a line separator': 'dana\u2028@example.com',
    'a direction override': 'dana\u202e@example.com',
    'a zero-width space': 'dana\u200b@example.com',
    'an emoji': '🙂@example.com',
    'a dot first': '.dana@example.com',
    'a dot last': 'dana.@example.com',
    'two dots': 'dana..w@example.com',
    'a percent route': 'dana@ex%61mple.com',
    'an address literal': 'dana@[192.0.2.1]',
    'an IP address': 'dana@192.0.2.1',
    'an IP address in disguise': 'dana@0x7f.1',
    'a dotless domain': 'dana@localhost',
    'a dot after the domain': 'dana@example.com.',
    'an empty label': 'dana@example..com',
    'a hyphen before a label': 'dana@-example.com',
    'an underscore in the domain': 'dana@a_b.com',
    'a fullwidth at-sign': 'dana＠example.com',
    'a label of 64': `dana@${'x'.repeat(64)}.com`,
    'a local part of 65': `${'x'.repeat(65)}@example.com`,
    'a local part of 65 octets': `${'ä'.repeat(33)}@example.com`,
    'an encoding of nothing': 'dana@xn--a.com',
    '255 characters': `${'x'.repeat(64)}@${`${'y'.repeat(46)}.`.repeat(4)}abc`.padEnd(255, 'z'),
    'a megabyte': `${'x'.repeat(2 ** 20)}@example.com`,
  }
  for (const [what, input] of Object.entries(refused))
    it(`is not ${what}`, () => {
      expect(parseAddress(input)).to.equal(undefined)
    })

  it('is at most 254 characters long', () => {
    const longest = `${'x'.repeat(64)}@${'y'.repeat(60)}.${'y'.repeat(60)}.${'y'.repeat(60)}.${'z'.repeat(6)}`
    expect(longest).to.have.lengthOf(254)
    expect(parseAddress(longest)).to.equal(longest)
    expect(parseAddress(`${longest}z`)).to.equal(undefined)
  })

  /** Near addresses: pieces of them, and what attackers put between. */
  const piece = fc.oneof(
    fc.constantFrom(
      'a',
      'Dana',
      '.',
      '@',
      'example.com',
      '-',
      '+',
      ',',
      ';',
      ' ',
      '<',
      '>',
      '"',
      '\\',
      '(',
      ')',
      ':',
    ),
    fc.constantFrom(
      '\r\n',
      '\n',
      '\r',
      '\0',
      '\t',
      '\u2028',
      '\u0085',
      '\r\nBcc: eve@example.com',
      'ä',
      '用',
      '%40',
    ),
    fc.constantFrom(
      '\u037e',
      '\ufe6b',
      '\uff20',
      '\u212a',
      '\u0130',
      '\u00ad',
      '\u200d',
      '\u3002',
      '\ud800',
      'xn--',
    ),
    fc.string({ unit: 'grapheme', maxLength: 3 }),
    fc.string({ unit: 'binary', maxLength: 3 }),
  )
  const near = fc.array(piece, { maxLength: 12 }).map(pieces => pieces.join(''))
  const likely = fc
    .tuple(near, fc.constantFrom('@example.com', '@ex.', '@exämple.com', ''), near)
    .map(each => each.join(''))

  it('that passes can inject no header and no further recipient', async () => {
    let passed = 0
    await fc.assert(
      fc.asyncProperty(fc.oneof(likely, fc.emailAddress()), async input => {
        const address = parseAddress(input)
        if (address === undefined) return
        passed++
        expect(address).to.match(/^[^\s\p{C}<>()[\]:;,"\\@]+@[^\s\p{C}<>()[\]:;,"\\@]+$/u)
        expect(parseAddress(address), 'parsed again').to.equal(address)
        const node = new MailComposer({ to: { name: '', address }, subject: 's', text: 't' }).compile()
        expect(node.getEnvelope().to).to.have.lengthOf(1)
        const [head = ''] = (await node.build()).toString().split('\r\n\r\n')
        const names = head.split('\r\n').map(line => line.split(':')[0])
        expect(names.filter(name => /^(bcc|cc)$/i.test(name ?? ''))).to.be.empty
        expect(names.filter(name => name === 'To')).to.have.lengthOf(1)
      }),
      { numRuns: 2_000 },
    )
    expect(passed).to.be.greaterThan(200)
  })
})
