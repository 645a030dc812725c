import { createHmac } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import {
  cleanOneTimeCode,
  newSecret,
  otpauthUri,
  qrSvg,
  setupKey,
  verifyTotp,
} from '../../src/factors/totp.ts'
import { readQr, totp } from '../support/tools.ts'

// RFC 6238, appendix B: the SHA-1 secret and the last six of its eight digits.
const RFC_SECRET = new Uint8Array(Buffer.from('12345678901234567890'))
const RFC_CODES: [seconds: number, code: string][] = [
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
]

const STEP = 60_000_000
const NOW = STEP * 30_000

const secret = newSecret()
const codes = new Map<number, string>()

/** The code of the step so far from the current one, by oathtool. */
function code(offset: number): string {
  const known = codes.get(offset)
  if (known === undefined) throw new Error(`no code for ${offset}`)
  return known
}

function check(typed: string, more: { now?: number; lastStep?: number } = {}) {
  return verifyTotp({ secret, code: typed, now: more.now ?? NOW, lastStep: more.lastStep })
}

const wrong = { ok: false, reason: 'wrong' }
const used = { ok: false, reason: 'already_used' }
const ahead = { ok: false, reason: 'clock_ahead' }

const anyCharacter = fc.nat(0x10ffff).map(point => String.fromCodePoint(point))

describe('one-time codes', () => {
  before(async () => {
    for (let offset = -4; offset <= 4; offset++)
      codes.set(offset, await totp(setupKey(secret), new Date(NOW + offset * 30_000)))
  })

  it('are those of RFC 6238', () => {
    for (const [seconds, code] of RFC_CODES)
      expect(
        verifyTotp({ secret: RFC_SECRET, code, now: seconds * 1000, lastStep: undefined }),
      ).to.deep.equal({
        ok: true,
        step: Math.floor(seconds / 30),
      })
  })

  it('of the current step and the one before are accepted, as oathtool makes them', () => {
    expect(check(code(0))).to.deep.equal({ ok: true, step: STEP })
    expect(check(code(0), { now: NOW + 29_999 })).to.deep.equal({ ok: true, step: STEP })
    expect(check(code(0), { now: NOW + 59_999 })).to.deep.equal({ ok: true, step: STEP })
    expect(check(code(-1))).to.deep.equal({ ok: true, step: STEP - 1 })
  })

  it('L5 drift replay: are refused at +1, +29 and +31 seconds, and the next one is accepted', () => {
    const lastStep = STEP
    for (const seconds of [1, 29, 31, 59])
      expect(check(code(0), { now: NOW + seconds * 1000, lastStep }), `${seconds} s`).to.deep.equal(used)
    expect(check(code(0), { now: NOW + 60_000, lastStep })).to.deep.equal(wrong)
    expect(check(code(1), { now: NOW + 30_000, lastStep })).to.deep.equal({ ok: true, step: STEP + 1 })
  })

  it('L5: of a step before the last used one are refused as used', () => {
    expect(check(code(-1), { lastStep: STEP })).to.deep.equal(used)
    expect(check(code(0), { lastStep: STEP - 1 })).to.deep.equal({ ok: true, step: STEP })
  })

  it('F9: of a phone whose clock is 30 seconds ahead are told so', () => {
    expect(check(code(1))).to.deep.equal(ahead)
    expect(check(code(1), { lastStep: STEP })).to.deep.equal(ahead)
  })

  it('F9: of a phone whose clock is further off are wrong', () => {
    for (const offset of [-4, -3, -2, 2, 3, 4]) expect(check(code(offset)), `${offset}`).to.deep.equal(wrong)
  })

  it("F9: are refused as usual when the server's clock stepped back", () => {
    const lastStep = STEP + 10
    expect(check(code(0), { lastStep })).to.deep.equal(used)
    expect(check(code(1), { lastStep })).to.deep.equal(used)
    expect(check(code(4), { lastStep })).to.deep.equal(wrong)
    expect(check('000000', { lastStep: Number.MAX_SAFE_INTEGER })).to.include({ ok: false })
    expect(check(code(0), { now: NOW + 10 * 30_000, lastStep })).to.deep.equal(wrong)
  })

  it('work in the first minute of 1970', () => {
    expect(verifyTotp({ secret, code: '000000', now: 0, lastStep: undefined })).to.include({ ok: false })
  })

  it('of a step that shares its code with the step before burn the newer one', () => {
    // Found by search: two neighbouring steps of the RFC's secret with the same code.
    const step = 56_188_871
    const typed = codeAt(step)
    expect(codeAt(step - 1)).to.equal(typed)
    const verdict = verifyTotp({ secret: RFC_SECRET, code: typed, now: step * 30_000, lastStep: undefined })
    expect(verdict).to.deep.equal({ ok: true, step })
    expect(
      verifyTotp({ secret: RFC_SECRET, code: typed, now: step * 30_000 + 30_000, lastStep: step }),
    ).to.deep.equal(used)
  })

  it('are good exactly within their window, whatever the clocks say', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -4, max: 4 }),
        fc.nat(29_999),
        fc.option(fc.integer({ min: STEP - 6, max: STEP + 6 }), { nil: undefined }),
        (offset, milliseconds, lastStep) => {
          const verdict = check(code(offset), {
            now: NOW + milliseconds,
            ...(lastStep !== undefined && { lastStep }),
          })
          const fresh = lastStep === undefined || STEP + offset > lastStep
          const expected =
            offset < -1 || offset > 1
              ? wrong
              : !fresh
                ? used
                : offset === 1
                  ? ahead
                  : { ok: true, step: STEP + offset }
          expect(verdict).to.deep.equal(expected)
        },
      ),
    )
  })
})

describe('typed one-time codes', () => {
  it('may have spaces, hyphens and full width', () => {
    for (const typed of [
      '123456',
      ' 123 456 ',
      '123-456',
      '123\u00a0456',
      '123\u2011456',
      '\u200e123456\n',
      '１２３４５６',
      '1 2 3 4 5 6',
    ])
      expect(cleanOneTimeCode(typed), JSON.stringify(typed)).to.equal('123456')
  })

  it('L9: are refused, not thrown at, whatever else they are', () => {
    const odd = ['', ' ', '12345', '1234567', '12345a', '123456\0', '-', '12345½', '१२३४५६', 'undefined']
    for (const typed of [...odd, '1'.repeat(1_000_000), '123456'.padEnd(65), '\ud800', '\ufdfa'.repeat(64)]) {
      expect(cleanOneTimeCode(typed), JSON.stringify(typed.slice(0, 20))).to.equal(undefined)
      expect(check(typed)).to.deep.equal(wrong)
    }
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), typed => {
        const clean = cleanOneTimeCode(typed)
        expect(check(typed).ok).to.equal(false)
        if (clean !== undefined) expect(clean).to.match(/^[0-9]{6}$/)
      }),
    )
  })
})

describe('setting an authenticator up', () => {
  it('takes 20 new bytes each time', () => {
    const secrets = Array.from({ length: 20 }, newSecret)
    for (const secret of secrets) expect(secret).to.have.length(20)
    expect(new Set(secrets.map(setupKey)).size).to.equal(20)
  })

  it('shows the key in base32, in groups of four', () => {
    expect(setupKey(RFC_SECRET)).to.equal('GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ')
  })

  it('names issuer and account in the URI as apps read them', () => {
    const uri = otpauthUri({
      secret: RFC_SECRET,
      issuer: 'Acme & Söhne: IT',
      account: 'dana+it@acme.example',
    })
    expect(uri).to.not.include('+').and.not.include(' ')
    const { protocol, host, pathname, searchParams } = new URL(uri)
    expect([protocol, host]).to.deep.equal(['otpauth:', 'totp'])
    expect(decodeURIComponent(pathname)).to.equal('/Acme & Söhne  IT:dana+it@acme.example')
    expect(searchParams.get('issuer')).to.equal('Acme & Söhne  IT')
    expect(searchParams.get('secret')).to.equal('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')
  })

  it('draws a QR code that other programs read', async () => {
    const uri = otpauthUri({ secret, issuer: 'Sallyport', account: `${'x'.repeat(64)}@copperline.example` })
    expect(await readQr(picture(qrSvg(uri, 'QR code')))).to.equal(uri)
  })

  it('gives the QR code its accessible name', () => {
    const svg = qrSvg('otpauth://totp/x', 'Code "<QR>" & more')
    expect(svg).to.match(/^<svg [^>]*role="img" aria-label="Code &quot;&lt;QR>&quot; &amp; more"/)
    expect(svg).not.to.match(/style|script|href/)
  })
})

/** HOTP of the RFC's secret (RFC 4226 §5.3), by other code than the one under test. */
function codeAt(step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = createHmac('sha1', RFC_SECRET).update(counter).digest()
  const number = mac.readUInt32BE((mac.at(-1) ?? 0) & 0xf) & 0x7fff_ffff
  return String(number % 1_000_000).padStart(6, '0')
}

/** The SVG's dark modules as a grey picture (PGM), four pixels each. */
function picture(svg: string): Buffer {
  const width = Number(/viewBox="0 0 (\d+) /.exec(svg)?.[1])
  const pixels = Buffer.alloc(width * width * 16, 0xff)
  for (const [, x, y] of svg.matchAll(/M(\d+) (\d+)h1v1h-1z/g))
    for (let row = 0; row < 4; row++) {
      const start = (Number(y) * 4 + row) * width * 4 + Number(x) * 4
      pixels.fill(0, start, start + 4)
    }
  return Buffer.concat([Buffer.from(`P5 ${width * 4} ${width * 4} 255\n`), pixels])
}
