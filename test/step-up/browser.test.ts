// The page's half, over real HTTP: it asks its user once, sends the same request once more, and leaves all else alone.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { stepUpChallenge } from '@sallyport/step-up'
import { StepUpCancelledError, type StepUpChallenge, withStepUp } from '@sallyport/step-up/browser'
import { expect } from 'chai'

const action = { type: 'protected_action', action: 'device.delete', objects: ['a'] } as const
const challenge = stepUpChallenge([{ error: 'insufficient_authorization', action }])

describe('fetch with step-up', () => {
  let server: Server
  let origin: string
  let seen: string[]
  let asked: StepUpChallenge[]

  before(async () => {
    server = createServer(async (req, res) => {
      let body = ''
      for await (const chunk of req) body += chunk
      const { authorization = '' } = req.headers
      seen.push([req.method, req.url, authorization, body].filter(Boolean).join(' '))
      const proven = authorization === 'Bearer proof' || req.headers['x-proven'] === 'yes'
      if (req.url === '/always' || (req.url === '/guarded' && !proven)) {
        res.writeHead(401, { 'WWW-Authenticate': challenge })
      } else if (req.url === '/login')
        res.writeHead(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' })
      else if (req.url === '/forbidden') res.writeHead(403, { 'WWW-Authenticate': challenge })
      res.end('the answer')
    }).listen(0, 'localhost')
    await new Promise(resolve => server.once('listening', resolve))
    origin = `http://localhost:${(server.address() as AddressInfo).port}`
  })
  after(() => server.close())
  beforeEach(() => {
    seen = []
    asked = []
  })

  const answering = (answer: string | undefined | false) =>
    withStepUp(fetch, {
      async authorize(challenge) {
        asked.push(challenge)
        return answer
      },
    })

  it('asks once, and sends the same request again with the token', async () => {
    const response = await answering('proof')(`${origin}/guarded`, {
      method: 'DELETE',
      body: '{"ids":["a"]}',
      headers: { authorization: 'Bearer old' },
    })
    expect([response.status, await response.text()]).to.deep.equal([200, 'the answer'])
    expect(seen).to.deep.equal([
      'DELETE /guarded Bearer old {"ids":["a"]}',
      'DELETE /guarded Bearer proof {"ids":["a"]}',
    ])
    expect(asked).to.have.length(1)
    expect(asked[0]?.authorizationDetails).to.deep.equal([action])
  })

  it('sends a Request that holds a form again, too', async () => {
    const body = new FormData()
    body.set('file', new Blob(['x'.repeat(200_000)]), 'a.txt')
    const request = new Request(`${origin}/guarded`, { method: 'POST', body })
    expect((await answering('proof')(request)).status).to.equal(200)
    expect(seen.map(each => each.length > 200_000)).to.deep.equal([true, true])
  })

  it('gives the caller a second refusal as it came', async () => {
    for (const token of ['proof', undefined]) {
      const response = await answering(token)(`${origin}/always`)
      expect(response.status).to.equal(401)
      expect(response.headers.get('www-authenticate')).to.equal(challenge)
    }
    expect([seen.length, asked.length]).to.deep.equal([4, 2])
  })

  it('sends nothing more where the user cancels', async () => {
    let thrown: unknown
    await answering(false)(`${origin}/guarded`, { method: 'POST', body: 'x' }).catch(error => {
      thrown = error
    })
    expect(thrown).to.be.instanceOf(StepUpCancelledError).and.include({ code: 'step_up_cancelled' })
    expect(seen).to.have.length(1)
  })

  it('sends a page that asks as it loads off once, then gives it the refusal', async () => {
    const held = new Map<string, string>()
    const storage = {
      getItem: (key: string) => held.get(key) ?? null,
      setItem: (key: string, value: string) => void held.set(key, value),
      removeItem: (key: string) => void held.delete(key),
    }
    /** Each load of the page has a script of its own; leaving it ends the script. */
    const load = (path: string): Promise<Response | 'left'> =>
      new Promise((resolve, reject) => {
        const authorize = (challenge: StepUpChallenge) => {
          asked.push(challenge)
          resolve('left')
          return new Promise<never>(() => undefined)
        }
        withStepUp(fetch, { authorize, storage })(origin + path, { method: 'POST', body: 'secret' }).then(
          resolve,
          reject,
        )
      })
    expect(await load('/always')).to.equal('left')
    expect(JSON.stringify([...held])).not.to.include('secret')
    expect(await load('/always')).to.include({ status: 401 })
    // Whoever presses the button again means it.
    expect(await load('/always')).to.equal('left')
    expect(await load('/open')).to.include({ status: 200 })
    expect(asked).to.have.length(2)
  })

  it('leaves every other answer alone', async () => {
    const statuses: Record<string, number> = { '/open': 200, '/login': 401, '/forbidden': 403 }
    for (const [path, status] of Object.entries(statuses)) {
      const response = await answering('proof')(origin + path, { method: 'POST', body: 'x' })
      expect([response.status, await response.text()]).to.deep.equal([status, 'the answer'])
    }
    expect(seen).to.have.length(3)
    expect(asked).to.deep.equal([])
  })

  it('passes on what goes wrong', async () => {
    let thrown: unknown
    await answering('proof')('http://localhost:9/').catch(error => {
      thrown = error
    })
    expect(thrown).to.be.instanceOf(TypeError)
  })
})
