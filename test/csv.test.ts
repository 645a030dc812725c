import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'chai'
import fc from 'fast-check'
import { csvLine, spellControls } from '../src/csv.ts'

const run = promisify(execFile)

describe('CSV', () => {
  it('is a line of quoted cells, nothing being an empty one', () => {
    expect(csvLine(['a', null, undefined, '', 7, -1])).to.equal('"a","","","","7","-1"\r\n')
  })

  it('keeps quotes, commas and semicolons within their cell', () => {
    expect(csvLine(['say "hi"', 'a,b;c'])).to.equal('"say ""hi""","a,b;c"\r\n')
  })

  for (const formula of [
    '=cmd|"/C calc"!A0',
    '=HYPERLINK("https://evil.example")',
    '+1+1',
    '-2+3',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    '\n=1',
    ' =1',
    '\u{feff}=1',
    '\u{ff1d}1',
    '\u{ff20}SUM(A1)',
    '\tx',
  ]) {
    it(`A6: makes no formula of ${JSON.stringify(formula)}`, () => {
      expect(csvLine([formula])).to.match(/^"'/)
    })
  }

  it('leaves names and addresses alone that only look a bit like one', () => {
    for (const plain of ["O'Neill", 'a=b', 'Jean-Luc', 'dana@acme.example', '😀', '<b>Dana</b>']) {
      expect(csvLine([plain])).to.equal(`"${plain}"\r\n`)
    }
  })

  it('A6: is one line a row, whatever breaks lines elsewhere', () => {
    const breaks = 'a\r\nb\nc\rd\u000be\u000cf\u0085g\u2028h\u2029i\0j\u001bk'
    expect(csvLine([breaks])).to.equal(
      `${String.raw`"a\r\nb\nc\rd\u000be\u000cf\u0085g\u2028h\u2029i\u0000j\u001bk"`}\r\n`,
    )
    expect(spellControls('a\tb')).to.equal('a\tb')
  })

  it('A6: is read back by another program as it was written, apostrophes apart, row for row', async function () {
    this.timeout(20_000)
    const there = await run('python3', ['--version']).catch(() => undefined)
    if (there === undefined) return this.skip()
    const nasty = fc.array(
      fc.oneof(
        fc.constantFrom('"', ',', '\r', '\n', '=', "'", ';', 'é', ' '),
        fc.string({ unit: 'grapheme' }),
      ),
    )
    const rows = fc
      .sample(fc.array(nasty, { minLength: 1, maxLength: 4 }), 300)
      .map(row => row.map(each => each.join('')))
    const script =
      'import csv,json,sys; json.dump(list(csv.reader(open(0, newline="", encoding="utf-8"))), sys.stdout)'
    const child = run('python3', ['-c', script], { maxBuffer: 2 ** 26 })
    child.child.stdin?.end(rows.map(csvLine).join(''))
    const read = JSON.parse((await child).stdout) as string[][]
    expect(read).to.have.length(rows.length)
    for (const [index, row] of rows.entries()) {
      const expected = row.map(spellControls)
      expect(
        read[index]?.map((cell, at) => (cell === `'${expected[at]}` ? expected[at] : cell)),
      ).to.deep.equal(expected)
    }
  })
})
