import { expect } from 'chai'
import { browser, findChromium, virtualAuthenticator } from './chromium.ts'

describe('the Chromium of the tests', () => {
  it('is a program on this machine', async () => {
    expect(await findChromium()).to.match(/chrom/i)
  })

  it('is one browser for all suites', async () => {
    expect(await browser()).to.equal(await browser())
  })

  it('has a virtual authenticator with resident keys', async () => {
    const context = await (await browser()).newContext()
    try {
      const page = await context.newPage()
      await page.route('http://localhost/', route =>
        route.fulfill({ contentType: 'text/html', body: 'hello' }),
      )
      await page.goto('http://localhost/')
      const authenticator = await virtualAuthenticator(page)
      await page.evaluate(`navigator.credentials.create({ publicKey: {
        rp: { name: 'Test' }, user: { id: new Uint8Array(16), name: 'a', displayName: 'a' },
        challenge: new Uint8Array(16), pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' } } }).then(c => c.id)`)
      const [credential, ...others] = await authenticator.credentials()
      expect(others).to.be.empty
      expect(credential).to.include({ isResidentCredential: true, rpId: 'localhost' })
    } finally {
      await context.close()
    }
  })
})
