import { expect } from 'chai'
import { raw } from '../attacks/ground.ts'
import { openStage, type Stage } from '../support/stage.ts'

describe('/.well-known/webauthn', function () {
  this.timeout(30_000)
  let stage: Stage | undefined
  afterEach(() => stage?.close())

  const asked = async (env: Record<string, string>, method = 'GET') => {
    stage = await openStage({ env })
    return fetch(`${stage.origin}/.well-known/webauthn`, { method })
  }

  it('names the related origins as JSON', async () => {
    const answer = await asked({ SALLYPORT_RELATED_ORIGINS: 'https://a.example, https://b.example' })
    expect(answer.status).to.equal(200)
    expect(answer.headers.get('content-type')).to.include('application/json')
    expect(await answer.json()).to.deep.equal({ origins: ['https://a.example', 'https://b.example'] })
  })

  it('names the issuer where passkeys are bound to a domain that it has left, also when that is asked', async () => {
    const answer = await asked({ SALLYPORT_PASSKEY_DOMAIN: 'login.old.example' })
    expect(await answer.json()).to.deep.equal({ origins: [stage?.origin] })
    const { port = '' } = URL.parse(stage?.origin ?? '') ?? {}
    // By the old name, which still leads here: of all pages only this one is given.
    const [old, login] = await Promise.all(
      ['/.well-known/webauthn', '/account'].map(path => byName('login.old.example', port, path)),
    )
    expect(old).to.include('200 OK').and.to.include(`{"origins":["${stage?.origin}"]}`)
    expect(login).to.match(/^HTTP\/1.1 4\d\d /)
  })

  it('is not there where nothing is related, and takes nothing', async () => {
    expect((await asked({})).status).to.equal(404)
    await stage?.close()
    expect((await asked({ SALLYPORT_RELATED_ORIGINS: 'https://a.example' }, 'POST')).status).to.equal(404)
  })

  const byName = (host: string, port: string, path: string) =>
    raw(`http://localhost:${port}`, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
})
