import { expect } from 'chai'
import { toBuffer } from 'qrcode'
import { execute, findTool } from './machine.ts'
import { readQr, totp } from './tools.ts'

describe('programs of others', () => {
  it('reads what a QR code says', async () => {
    const uri = 'otpauth://totp/Acme:eve%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Acme'
    expect(await readQr(await toBuffer(uri))).to.equal(uri)
  })

  it('finds no QR code where there is none', async () => {
    const blank = Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
      'base64',
    )
    const error = await readQr(blank).catch(reason => reason)
    expect(error).to.be.an('error').with.property('message', 'zbarimg found no QR code in the picture')
  })

  // RFC 6238, appendix B: the last six of the eight digits.
  for (const [seconds, code] of [
    [59, '287082'],
    [1_111_111_109, '081804'],
    [2_000_000_000, '279037'],
  ] as const)
    it(`computes the one-time code of RFC 6238 at second ${seconds}`, async () => {
      expect(await totp('GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ', new Date(seconds * 1000))).to.equal(code)
    })

  it('finds programs by the first name that exists', async () => {
    expect(await findTool(['no-such-program', 'node'])).to.match(/node/)
    expect(await findTool(['no-such-program'])).to.equal(undefined)
  })

  it('counts a program that cannot start as exit code 127', async () => {
    expect(await execute('no-such-program', [])).to.equal(127)
    expect(await execute('node', ['-e', 'process.exit(3)'])).to.equal(3)
  })
})
