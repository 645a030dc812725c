import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect } from 'chai'
import Koa from 'koa'
import { AppError } from '../src/errors.ts'
import {
  createLog,
  cutPath,
  describeError,
  newRequestId,
  noteFailure,
  reference,
  requestLog,
} from '../src/log.ts'

type Line = Record<string, unknown> & { error?: Record<string, unknown> }

function sink(): { lines: string[]; write(line: string): void; parsed(): Line[] } {
  const lines: string[] = []
  return {
    lines,
    write: line => void lines.push(line),
    parsed: () => lines.map(each => JSON.parse(each) as Line),
  }
}

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries++) {
    if (tries > 200) throw new Error('it did not happen')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

describe('the log', () => {
  it('has one JSON object a line, with level and time', () => {
    const out = sink()
    createLog('info', out).info({ port: 3000 }, 'listening')
    const [line] = out.parsed()
    expect(line).to.include({ level: 'info', port: 3000, msg: 'listening' })
    expect(Date.parse(String(line?.time))).to.be.closeTo(Date.now(), 10_000)
  })

  it('takes secrets out of what anybody logs', () => {
    const out = sink()
    const log = createLog('info', out)
    const secret = 'hunter2'
    log.info({ password: secret, code: secret, token: secret, client_secret: secret, body: { x: secret } })
    log.info({ params: { code: secret, password: secret, code_verifier: secret } })
    log.info({ request: { headers: { cookie: secret }, authorization: secret, 'set-cookie': secret } })
    log.info({ a: { b: { token: secret, recoveryCode: secret } } })
    log.info({ config: { secretKeys: [secret], smtpUrl: secret, databaseUrl: secret } })
    log.info({ list: [{ accessToken: secret }, { Client_Secret: secret }] })
    log.child({ token: secret }).info('child')
    expect(out.lines).to.have.length(7)
    expect(out.lines.join()).not.to.include(secret)
  })

  it('bears what goes round in circles, and leaves the rest as it is', () => {
    const out = sink()
    const circle: Record<string, unknown> = {
      at: new Date(0),
      list: [1, 'two', null],
      no: undefined,
      code: 'x',
    }
    circle.self = circle
    createLog('info', out).info({ circle, mail: { code: 'kept' } })
    const [line] = out.parsed()
    expect(line?.circle).to.deep.include({
      at: '1970-01-01T00:00:00.000Z',
      list: [1, 'two', null],
      code: 'x',
    })
    expect(line?.mail).to.deep.equal({ code: 'kept' })
  })

  it('keeps the code of an error, and takes secrets out of its words', () => {
    const out = sink()
    const log = createLog('info', out)
    const token = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'
    const cause = new Error(`connect postgres://app:hunter2@db/x with ${token}`)
    log.error({ err: new AppError('unavailable', `no luck with ${token}`, { cause }) }, 'failed')
    const [line] = out.parsed()
    expect(line?.err).to.include({ code: 'unavailable' })
    expect(out.lines.join()).not.to.include(token).and.not.to.include('hunter2')
    expect(out.lines.join()).to.include('postgres://')
  })

  it('tells the stack of a fault always, of an answer only when debugging', () => {
    const answer = new AppError('not_offered', 'password was posted')
    expect(describeError(answer, false)).to.deep.equal({ code: 'not_offered', detail: 'password was posted' })
    expect(describeError(answer, true).stack).to.be.a('string')
    const fault = describeError(new TypeError('x is not a function', { cause: new Error('why') }), false)
    expect(fault.code).to.equal('TypeError')
    expect(fault.stack).to.include('log.test')
    expect(fault.cause?.[0]).to.include('why')
  })

  it('ends at a chain of causes that has no end', () => {
    const error = new Error('a')
    error.cause = error
    expect(describeError(error, false).cause).to.have.length(5)
  })

  it('cuts emailed links, and whatever is as long as a token', () => {
    const token = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'
    expect(cutPath(`/link/password-reset/${token}`)).to.equal('/link/password-reset/[cut]')
    expect(cutPath('/link/unblock/abc/def?x')).to.equal('/link/unblock/[cut]')
    expect(cutPath(`/elsewhere/${token}/more`)).to.equal('/elsewhere/[cut]/more')
    expect(cutPath('/interaction/V1StGXR8_Z5jdHi6B-myT/password')).to.equal(
      '/interaction/V1StGXR8_Z5jdHi6B-myT/password',
    )
  })

  it('gives requests ids that differ, and a reference that finds them', () => {
    const ids = new Set(Array.from({ length: 1000 }, newRequestId))
    expect(ids.size).to.equal(1000)
    for (const id of ids) {
      expect(id).to.match(/^SP(-[0-9A-HJKMNP-TV-Z]{4}){4}$/)
      expect(reference(id)).to.match(/^SP-[0-9A-Z]{4}-[0-9A-Z]{4}$/)
      expect(id.startsWith(reference(id))).to.equal(true)
    }
  })
})

describe('the line of a request', () => {
  const secret = 'correct-horse-battery-staple'
  let server: Server
  let origin: string
  let out: ReturnType<typeof sink>
  let answer: Koa.Middleware

  beforeEach(async () => {
    out = sink()
    const app = new Koa()
    app.silent = true
    app.use(requestLog(createLog('info', out)))
    app.use((ctx, next) => answer(ctx, next))
    server = createServer(app.callback())
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  async function lineOf(path: string, init: RequestInit = {}): Promise<Line> {
    await (await fetch(`${origin}${path}`, init)).text()
    await until(() => out.lines.length > 0)
    expect(out.lines).to.have.length(1)
    return out.parsed()[0] ?? {}
  }

  it('says what was asked and answered, and none of what was sent', async () => {
    answer = ctx => {
      ctx.cookies.set('session', secret)
      ctx.body = 'hello'
    }
    const line = await lineOf(
      `/interaction/V1StGXR8_Z5jdHi6B-myT/password?next=${secret}&login_hint=${secret}`,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, cookie: `a=${secret}` },
        body: new URLSearchParams({ password: secret }),
      },
    )
    expect(line).to.include({
      interaction: 'V1StGXR8_Z5jdHi6B-myT',
      method: 'POST',
      path: '/interaction/V1StGXR8_Z5jdHi6B-myT/password',
      status: 200,
      address: '127.0.0.1',
      bytes: 5,
    })
    expect(line.query).to.deep.equal(['next', 'login_hint'])
    expect(line.ms).to.be.a('number')
    expect(line.request).to.match(/^SP-/)
    expect(out.lines.join()).not.to.include(secret)
  })

  it('lets no token through that is the name of a parameter', async () => {
    answer = ctx => {
      ctx.body = ''
    }
    const token = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'
    const line = await lineOf(`/x?${token}&%0Aforged=1`)
    expect(line.query).to.deep.equal(['[cut]', '[cut]'])
    expect(out.lines.join()).not.to.include(token)
  })

  it('says why a request failed, and with which status it was answered', async () => {
    answer = () => {
      throw new Error('boom')
    }
    const line = await lineOf('/x')
    expect(line).to.include({ level: 'error', status: 500 })
    expect(line.error).to.include({ code: 'Error', detail: 'boom' })
    expect(line.error?.stack).to.be.a('string')
  })

  it('says what an error page was about', async () => {
    answer = ctx => {
      noteFailure(ctx, new AppError('not_offered', 'code was posted'))
      ctx.status = 409
      ctx.body = reference(String(ctx.state.requestId))
    }
    const line = await lineOf('/x')
    expect(line).to.include({ level: 'info', status: 409 })
    expect(line.error).to.deep.equal({ code: 'not_offered', detail: 'code was posted' })
  })

  it('is written for a reader who went away too', async () => {
    let answering = false
    answer = async ctx => {
      answering = true
      await new Promise(resolve => ctx.res.once('close', resolve))
    }
    const { port } = new URL(origin)
    const socket = connect(Number(port), '127.0.0.1')
    socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
    await until(() => answering)
    socket.destroy()
    await until(() => out.lines.length > 0)
    expect(out.parsed()[0]).to.include({ path: '/slow', aborted: true })
  })
})
