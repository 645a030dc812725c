// Domains as they are typed and proven. DNS is a real server on loopback where it is asked over the wire.

import { createSocket, type Socket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { expect } from 'chai'
import {
  checkDomain,
  type DomainResolver,
  newDomainToken,
  readDomainName,
  recordOf,
} from '../../src/sso/domains.ts'

const token = newDomainToken()
const claimed = { domain: 'northgate.example', token }
const value = `sallyport-domain=${token}`

/** A resolver that knows these records. */
const knows = (records: Record<string, string[][]>): DomainResolver => ({
  async txt(name) {
    const found = records[name]
    if (found === undefined) throw Object.assign(new Error('queryTxt ENOTFOUND'), { code: 'ENOTFOUND' })
    return found
  },
})
const fails = (code: string): DomainResolver => ({
  txt: () => Promise.reject(Object.assign(new Error(code), { code })),
})

describe('a domain', () => {
  for (const [typed, domain] of [
    ['northgate.example', 'northgate.example'],
    [' NorthGate.Example. ', 'northgate.example'],
    ['@northgate.example', 'northgate.example'],
    ['mail.eu.northgate.example', 'mail.eu.northgate.example'],
    ['bücher.example', 'bücher.example'],
    ['BU\u0308CHER.example', 'bücher.example'],
    ['xn--bcher-kva.example', 'bücher.example'],
  ] as const) {
    it(`is read from “${typed}”`, () => expect(readDomainName(typed)).to.equal(domain))
  }

  for (const typed of [
    '',
    '@',
    '.',
    'localhost',
    'com.',
    'https://northgate.example',
    'northgate.example/path',
    'northgate.example:443',
    'dana@northgate.example',
    '192.0.2.1',
    '0x7f.1',
    '[2001:db8::1]',
    '2001:db8::1',
    'north gate.example',
    'northgate..example',
    '-northgate.example',
    'north_gate.example',
    '%.example',
    '*.northgate.example',
    'northgate.example%2ecom',
    'xn--a.example',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(126)}example`,
    `${'a.'.repeat(113)}example`,
  ]) {
    it(`is not read from “${typed.slice(0, 40)}”`, () => expect(readDomainName(typed)).to.equal(undefined))
  }
})

describe('the record of a domain', () => {
  it('has a name below the domain, in the spelling of DNS, and a value that nobody guesses', () => {
    expect(recordOf(claimed)).to.deep.equal({ name: '_sallyport-challenge.northgate.example', value })
    expect(recordOf({ domain: 'bücher.example', token }).name).to.equal(
      '_sallyport-challenge.xn--bcher-kva.example',
    )
    expect(Buffer.from(token, 'hex').length * 8).to.be.at.least(128)
    expect(newDomainToken()).not.to.equal(token)
  })

  const name = '_sallyport-challenge.northgate.example'

  it('proves it, in one part or several, beside others', async () => {
    for (const records of [[[value]], [[value.slice(0, 9), value.slice(9)]], [['v=spf1 -all'], [value]]]) {
      expect(await checkDomain(knows({ [name]: records }), claimed)).to.deep.equal({ ok: true })
    }
  })

  it('proves nothing with another value, and the page can say what was found', async () => {
    for (const wrong of [
      token,
      `${value}x`,
      ` ${value}`,
      `"${value}"`,
      value.toUpperCase(),
      `sallyport-domain=${newDomainToken()}`,
    ]) {
      expect(await checkDomain(knows({ [name]: [[wrong]] }), claimed)).to.deep.equal({
        ok: false,
        fault: 'other_value',
        found: [wrong],
      })
    }
    // Two records are not one value.
    const split = await checkDomain(knows({ [name]: [[value.slice(0, 9)], [value.slice(9)]] }), claimed)
    expect(split).to.include({ ok: false, fault: 'other_value' })
    const many = Array.from({ length: 100 }, () => ['x'.repeat(65_000)])
    const shown = await checkDomain(knows({ [name]: many }), claimed)
    expect(JSON.stringify(shown).length).to.be.below(1000)
  })

  it('proves nothing above or below its name', async () => {
    for (const elsewhere of [
      'northgate.example',
      `${name}.northgate.example`,
      '_sallyport-challenge.mail.northgate.example',
      '_sallyport-challenge.example',
    ]) {
      const check = await checkDomain(knows({ [elsewhere]: [[value]] }), claimed)
      expect(check, elsewhere).to.deep.equal({ ok: false, fault: 'no_record' })
    }
  })

  it('is missing, or DNS says nothing: these are told apart', async () => {
    for (const code of ['ENOTFOUND', 'ENODATA']) {
      expect(await checkDomain(fails(code), claimed)).to.deep.equal({ ok: false, fault: 'no_record' })
    }
    expect(await checkDomain(knows({ [name]: [] }), claimed)).to.deep.equal({ ok: false, fault: 'no_record' })
    for (const code of ['ETIMEOUT', 'ESERVFAIL', 'EREFUSED', 'ECANCELLED', 'ECONNREFUSED', 'EBADRESP']) {
      expect(await checkDomain(fails(code), claimed), code).to.deep.equal({ ok: false, fault: 'no_answer' })
    }
  })

  describe('over the wire', () => {
    let server: Socket
    let resolver: Resolver

    before(done => {
      server = createSocket('udp4')
      server.on('message', (query, { address, port }) => server.send(answerTo(query), port, address))
      server.bind(0, '127.0.0.1', () => {
        resolver = new Resolver({ timeout: 2000, tries: 1 })
        resolver.setServers([`127.0.0.1:${server.address().port}`])
        done()
      })
    })
    after(done => void server.close(done))

    /** Answers a TXT query for the name with its record, everything else with NXDOMAIN. */
    function answerTo(query: Buffer): Buffer {
      let end = 12
      const labels: string[] = []
      while (query[end]) {
        const length = query[end] ?? 0
        labels.push(query.toString('latin1', end + 1, end + 1 + length))
        end += length + 1
      }
      const question = query.subarray(12, end + 5)
      const known = labels.join('.').toLowerCase() === name
      const header = Buffer.from(query.subarray(0, 12))
      header.writeUInt16BE(known ? 0x8180 : 0x8183, 2)
      header.writeUInt16BE(known ? 1 : 0, 6)
      header.writeUInt16BE(0, 10)
      if (!known) return Buffer.concat([header, question])
      const parts = [value.slice(0, 20), value.slice(20)].map(each =>
        Buffer.concat([Buffer.from([each.length]), Buffer.from(each)]),
      )
      const data = Buffer.concat(parts)
      const fixed = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, data.length])
      return Buffer.concat([header, question, fixed, data])
    }

    it('is found, and the absence of one too', async () => {
      const wire: DomainResolver = { txt: each => resolver.resolveTxt(each) }
      expect(await checkDomain(wire, claimed)).to.deep.equal({ ok: true })
      expect(await checkDomain(wire, { ...claimed, domain: 'hollin.example' })).to.deep.equal({
        ok: false,
        fault: 'no_record',
      })
    })
  })
})
