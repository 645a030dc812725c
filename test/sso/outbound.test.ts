// What leaves for an upstream: where to, how long, how much. The servers are real and on loopback; the name service is a
// stand-in where a name must lead somewhere.

import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, LookupFunction } from 'node:net'
import tls from 'node:tls'
import { expect } from 'chai'
import { type OutboundLimits, outboundFetch, publicOnly } from '../../src/sso/outbound.ts'
import { SsoError } from '../../src/sso/upstream.ts'
import { SELF_SIGNED } from '../support/self-signed.ts'

const inside = { allowPrivateNetwork: true }
const outside = { allowPrivateNetwork: false }

describe('a request to an upstream', () => {
  const servers: Server[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
    }
  })

  async function serve(listener: RequestListener, server: Server = createServer()): Promise<number> {
    server.on('request', listener)
    server.listen(0, '127.0.0.1')
    servers.push(server)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  async function fault(work: Promise<unknown>): Promise<string> {
    const error = await work.then(
      () => expect.fail('it went through'),
      failure => failure,
    )
    expect(error).to.be.instanceOf(SsoError)
    return `${error.fault}: ${error.detail}`
  }

  it('brings the answer back, whatever its status below 500', async () => {
    const port = await serve((request, response) => {
      response
        .writeHead(404, { 'content-type': 'text/plain' })
        .end(`${request.method} ${request.headers.accept}`)
    })
    const response = await outboundFetch(inside)(`http://127.0.0.1:${port}/`, {
      headers: { accept: 'application/json' },
    })
    expect(response.status).to.equal(404)
    expect(response.headers.get('content-type')).to.equal('text/plain')
    expect(await response.text()).to.equal('GET application/json')
  })

  it('sends a form', async () => {
    const port = await serve((request, response) => void request.pipe(response))
    const response = await outboundFetch(inside)(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      body: new URLSearchParams({ code: 'a b' }),
    })
    expect(await response.text()).to.equal('code=a+b')
  })

  it('goes by https only, unless the private network is allowed', async () => {
    const plain = outboundFetch(outside)('http://upstream.example/')
    expect(await fault(plain)).to.equal('configuration: upstream.example is not addressed by https')
    for (const address of ['file:///etc/passwd', 'data:,{}', 'gopher://upstream.example/']) {
      expect(await fault(outboundFetch(inside)(address))).to.match(
        /^configuration: .*not addressed by https$/,
      )
    }
    expect(await fault(outboundFetch(inside)('upstream.example'))).to.equal(
      'configuration: an address is no URL',
    )
  })

  it('refuses a user and a password in the address, and does not repeat them', async () => {
    const told = await fault(outboundFetch(outside)('https://una:secret@upstream.example/'))
    expect(told).to.equal('configuration: the address of upstream.example carries a user or a password')
  })

  describe('to a private address', () => {
    const literal = [
      ...['127.0.0.1', '127.1', '2130706433', '0x7f.1', '0177.0.0.1', '0.0.0.0', '10.1.2.3', '172.31.0.1'],
      ...['192.168.1.1', '169.254.169.254', '100.64.0.1', '224.0.0.1', '255.255.255.255'],
      ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:a9fe:a9fe]', '[fe80::1]', '[fd00:ec2::254]'],
      ...['[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[::127.0.0.1]', '[ff02::1]'],
    ]
    for (const host of literal) {
      it(`is refused: ${host}`, async () => {
        expect(await fault(outboundFetch(outside)(`https://${host}/`))).to.match(
          /^private_address: \S+ leads to an address that is not public$/,
        )
      })
    }

    it('is refused where a name leads there', async () => {
      let connections = 0
      const port = await serve(() => {}, createTlsServer(SELF_SIGNED))
      servers[0]?.on('connection', () => {
        connections += 1
      })
      expect(await fault(outboundFetch(outside)(`https://localhost:${port}/`))).to.equal(
        'private_address: localhost leads to an address that is not public',
      )
      const lookup = names(['127.0.0.1'])
      expect(await fault(outboundFetch(outside, { lookup })(`https://upstream.example:${port}/`))).to.equal(
        'private_address: upstream.example leads to an address that is not public',
      )
      expect(connections).to.equal(0)
    })

    it('is refused where one of the addresses of a name is private', async () => {
      const lookup = names(['8.8.8.8', '10.0.0.1'])
      expect(await fault(outboundFetch(outside, { lookup })('https://upstream.example/'))).to.match(
        /^private_address/,
      )
    })

    // What `net.connect` is given is what was judged: there is no second question between the two.
    it('is refused when a name leads there the second time (DNS rebinding)', async () => {
      const answers = [['8.8.8.8'], ['127.0.0.1'], ['8.8.8.8']]
      const lookup = publicOnly((...given) => names(answers.shift() ?? [])(...given))
      const ask = (all: boolean) =>
        new Promise((resolve, reject) =>
          lookup('upstream.example', { all }, (error, found) => (error ? reject(error) : resolve(found))),
        )
      expect(await ask(true)).to.deep.equal([{ address: '8.8.8.8', family: 4 }])
      expect(await fault(ask(true))).to.match(/^private_address/)
      expect(await ask(false)).to.equal('8.8.8.8')
    })

    it('asks the name service once for each connection', async () => {
      const port = await serve((_, response) => void response.end('here'))
      let questions = 0
      const lookup: LookupFunction = (...given) => {
        questions += 1
        names(['127.0.0.1'])(...given)
      }
      await outboundFetch(inside, { lookup })(`http://upstream.example:${port}/`)
      expect(questions).to.equal(1)
    })
  })

  it('follows no redirect', async () => {
    const seen: (string | undefined)[] = []
    const port = await serve((request, response) => {
      seen.push(request.url)
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    expect(await fault(outboundFetch(inside)(`http://127.0.0.1:${port}/here`))).to.equal(
      `configuration: 127.0.0.1:${port} answered with a redirect, which is not followed`,
    )
    expect(seen).to.deep.equal(['/here'])
  })

  it('takes an error of the server for an upstream that is down', async () => {
    const port = await serve((_, response) => void response.writeHead(503).end('secret reason'))
    expect(await fault(outboundFetch(inside)(`http://127.0.0.1:${port}/`))).to.equal(
      `unreachable: 127.0.0.1:${port} answered with status 503`,
    )
  })

  it('says what went wrong where nobody answers', async () => {
    const port = await serve(() => {})
    servers.pop()?.close()
    expect(await fault(outboundFetch(inside)(`http://127.0.0.1:${port}/`))).to.equal(
      `unreachable: 127.0.0.1:${port}: ECONNREFUSED`,
    )
    const lookup: LookupFunction = (_, __, callback) =>
      callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), '', 0)
    expect(await fault(outboundFetch(inside, { lookup })('https://upstream.example/'))).to.equal(
      'unreachable: upstream.example: ENOTFOUND',
    )
    const rude = await serve(request => void request.socket.destroy())
    expect(await fault(outboundFetch(inside)(`http://127.0.0.1:${rude}/`))).to.equal(
      `unreachable: 127.0.0.1:${rude}: ECONNRESET`,
    )
  })

  describe('that takes too long', () => {
    const slow: Record<string, RequestListener> = {
      'to begin': () => {},
      'to end': (_, response) => {
        const drip = setInterval(() => response.write('.'), 20)
        response.on('close', () => clearInterval(drip))
      },
    }
    for (const [when, listener] of Object.entries(slow)) {
      it(`${when} is given up`, async () => {
        const port = await serve(listener)
        const told = await fault(outboundFetch(inside, { patience: 200 })(`http://127.0.0.1:${port}/`))
        expect(told).to.equal(`unreachable: 127.0.0.1:${port} did not answer in time`)
      })
    }

    it('for whoever asked is given up before its own time', async () => {
      const port = await serve(() => {})
      const asked = outboundFetch(inside)(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(100) })
      expect(await fault(asked)).to.equal(`unreachable: 127.0.0.1:${port} did not answer in time`)
    })
  })

  it('is stopped at a megabyte, whatever length the answer gives', async () => {
    const port = await serve((_, response) => {
      response.on('error', () => {})
      const more = (): void => void (response.destroyed || response.write('x'.repeat(65_536), more))
      more()
    })
    expect(await fault(outboundFetch(inside)(`http://127.0.0.1:${port}/`))).to.equal(
      `configuration: 127.0.0.1:${port} answered with more than 1 MB`,
    )
  })

  describe('over TLS', () => {
    const secure = (limits: OutboundLimits, host: string, port: number) =>
      outboundFetch(inside, limits)(`https://${host}:${port}/`)

    it('refuses a certificate that nobody vouches for', async () => {
      const port = await serve((_, response) => void response.end('here'), createTlsServer(SELF_SIGNED))
      expect(await fault(secure({}, 'localhost', port))).to.equal(
        `tls: localhost:${port}: DEPTH_ZERO_SELF_SIGNED_CERT`,
      )
    })

    it('takes one that is trusted, for its names alone', async () => {
      const port = await serve((_, response) => void response.end('here'), createTlsServer(SELF_SIGNED))
      const before = tls.getCACertificates('default')
      tls.setDefaultCACertificates([SELF_SIGNED.cert])
      try {
        expect(await (await secure({}, 'localhost', port)).text()).to.equal('here')
        const lookup = names(['127.0.0.1'])
        expect(await fault(secure({ lookup }, 'upstream.example', port))).to.equal(
          `tls: upstream.example:${port}: ERR_TLS_CERT_ALTNAME_INVALID`,
        )
      } finally {
        tls.setDefaultCACertificates(before)
      }
    })

    it('tells a server that speaks no TLS', async () => {
      const port = await serve((_, response) => void response.end('here'))
      expect(await fault(secure({}, 'localhost', port))).to.match(
        /^tls: localhost:\d+: (EPROTO|ERR_SSL_\w+)$/,
      )
    })
  })
})

/** A name service that gives these addresses for any name. */
function names(addresses: readonly string[]): LookupFunction {
  return (_, options, callback) => {
    const found = addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 }))
    if (options.all === true) callback(null, found)
    else callback(null, found[0]?.address ?? '', found[0]?.family)
  }
}
