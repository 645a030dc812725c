import { expect } from 'chai'
import fc from 'fast-check'
import { sql, write } from '../../../src/store/database.ts'
import { literal, script } from '../../../src/store/engines/sqlite-script.ts'
import { onSqlite } from '../contract.ts'

const add = sql('test_script_add', 'INSERT INTO spent (kind, id, expires_at) VALUES (?, ?, ?)')
const keep = sql(
  'test_script_keep',
  `INSERT INTO oidc_artefacts (model, id, epoch, payload) VALUES ('Script', ?, 0, ?)`,
)
const kept = sql(
  'test_script_kept',
  `SELECT payload, length(CAST(payload AS BLOB)) AS bytes FROM oidc_artefacts WHERE model = 'Script' AND id = ?`,
)

onSqlite('a commit as a script', open => {
  it('stores any text as it is: quotes, statements, NUL and what looks like parameters', async () => {
    const database = await open()
    let count = 0
    const nasty = fc.array(
      fc.oneof(
        fc.constantFrom("'", "''", '"', ';', '\0', '?', '--', '/*', "'); DROP TABLE accounts;--", '\\', '\n'),
        fc.string({ unit: 'grapheme' }),
      ),
    )
    await fc.assert(
      fc.asyncProperty(nasty, async parts => {
        const text = parts.join('')
        const id = `text ${count++}`
        await database.commit([write(keep, [id, text]), write(add, ['script', id, 0])])
        const [row] = await database.read(kept, [id])
        // A text is cut at NUL on its way back, not on its way in.
        expect(row?.bytes).to.equal(Buffer.byteLength(text))
        if (!text.includes('\0')) expect(row?.payload).to.equal(text)
      }),
      { numRuns: 200 },
    )
    expect(count).to.be.at.least(200)
  })

  it('spells numbers so that they come back the same', () => {
    expect([0, -1, 1.5, Number.MAX_SAFE_INTEGER, 1e21].map(literal).map(Number)).to.deep.equal([
      0,
      -1,
      1.5,
      Number.MAX_SAFE_INTEGER,
      1e21,
    ])
    for (const each of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => literal(each)).to.throw(RangeError)
  })

  it('refuses a statement with a parameter too many or too few', () => {
    expect(() => script([write(add, ['kind', 'id'])])).to.throw(RangeError, 'takes 3 parameters, not 2')
    expect(() => script([write(add, ['kind', 'id', 0, 0])])).to.throw(RangeError, 'takes 3 parameters, not 4')
  })
})
