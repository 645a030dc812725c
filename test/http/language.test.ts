import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import Koa from 'koa'
import { createLanguages } from '../../src/http/language.ts'
import { createTexts } from '../../src/texts.ts'

describe('the language of a request', () => {
  const german = createTexts('de', { 'email.heading': 'Anmelden' })
  const languages = createLanguages([createTexts(), german])
  let server: Server
  let origin: string

  before(async () => {
    const app = new Koa()
    app.use(languages.middleware)
    app.use(async ctx => {
      await new Promise(resolve => setTimeout(resolve, 5))
      if (typeof ctx.query.ui_locales === 'string') languages.prefer(ctx.query.ui_locales.split(' '))
      ctx.body = `${languages.texts.locale} ${languages.texts.t('email.heading')}`
    })
    server = createServer(app.callback())
    await new Promise<void>(resolve => server.listen(0, 'localhost', resolve))
    origin = `http://localhost:${(server.address() as AddressInfo).port}`
  })
  after(() => server.close())

  async function asked(accept: string, locales?: string): Promise<string> {
    const query = locales === undefined ? '' : `?${new URLSearchParams({ ui_locales: locales })}`
    return (await fetch(`${origin}/${query}`, { headers: { 'accept-language': accept } })).text()
  }

  it('is the one that the browser prefers, of those that there are', async () => {
    expect(await asked('fr, de-AT;q=0.9, en;q=0.8')).to.equal('de Anmelden')
    expect(await asked('en-GB, de')).to.equal('en Log in')
  })

  it('is the one that the app asks for, before that', async () => {
    expect(await asked('en', 'fr-CH de')).to.equal('de Anmelden')
    expect(await asked('de', 'en')).to.equal('en Log in')
  })

  it('is English for whoever prefers none of them, or says nonsense', async () => {
    for (const accept of ['fr', '*', 'x'.repeat(1000), '=;q'])
      expect(await asked(accept), accept).to.equal('en Log in')
    expect(await asked('fr', '../../etc/passwd')).to.equal('en Log in')
  })

  it('is each request’s own, however many there are at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => asked(index % 2 ? 'de' : 'en')),
    )
    answers.forEach((answer, index) => {
      expect(answer).to.equal(index % 2 ? 'de Anmelden' : 'en Log in')
    })
  })

  it('is English outside of a request: in mails, which somebody else may have caused', () => {
    expect(languages.texts.t('email.heading')).to.equal('Log in')
  })
})
