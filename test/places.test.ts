// Where addresses are: what a file of places says of them, and what it may not break.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { Problem } from '../src/config/problems.ts'
import { openPlaces } from '../src/places.ts'
import { createTexts, type Texts } from '../src/texts.ts'
import { type MmdbOptions, type MmdbValue, mmdb } from './support/mmdb.ts'

const NORWAY = { iso_code: 'NO', names: { en: 'Norway', de: 'Norwegen', 'pt-BR': 'Noruega' } }
const GENEVA = { names: { en: 'Geneva', de: 'Genf' } }
const SWITZERLAND = { iso_code: 'CH', names: { en: 'Switzerland', de: 'Schweiz' } }

describe('the place of an address', () => {
  let folder: string

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-places-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const english = createTexts()
  const inLanguage = (locale: string): Texts => ({ ...english, locale })

  function put(bytes: Buffer | string, name = 'places.mmdb'): string {
    const path = join(folder, name)
    writeFileSync(path, bytes)
    return path
  }

  const opened = (records: Readonly<Record<string, MmdbValue>>, options?: MmdbOptions) =>
    openPlaces(put(mmdb(records, options)))

  const place = (record: MmdbValue, texts = english) =>
    opened({ '192.0.2.0/24': record }).of('192.0.2.9', texts)

  function problem(path: string): string {
    try {
      openPlaces(path)
    } catch (error) {
      expect(error).to.be.instanceOf(Problem)
      return (error as Problem).message
    }
    throw new Error('it was opened')
  }

  it('is the city and the country, of IPv4 and of IPv6', () => {
    const places = opened({
      '192.0.2.0/25': { city: GENEVA, country: SWITZERLAND },
      '192.0.2.128/25': { city: { names: { en: 'Bergen' } }, country: NORWAY },
      '2001:db8:1::/48': { city: { names: { en: 'Oslo' } }, country: NORWAY },
    })
    expect(places.of('192.0.2.127', english)).to.equal('Geneva, Switzerland')
    expect(places.of('192.0.2.128', english)).to.equal('Bergen, Norway')
    expect(places.of('2001:db8:1:ffff::1', english)).to.equal('Oslo, Norway')
  })

  it('is that of the IPv4 address which was written as IPv6', () => {
    for (const ipVersion of [4, 6] as const) {
      const places = opened({ '192.0.2.0/24': { city: GENEVA, country: SWITZERLAND } }, { ipVersion })
      for (const address of ['::ffff:192.0.2.9', '::FFFF:c000:209', '0:0:0:0:0:ffff:192.0.2.9'])
        expect(places.of(address, english), address).to.equal('Geneva, Switzerland')
    }
  })

  it('is none for what the file does not know, and for what is no address', () => {
    const places = opened({ '192.0.2.0/24': { city: GENEVA, country: SWITZERLAND } })
    for (const address of [
      '192.0.3.1',
      '2001:db8::1',
      '',
      'localhost',
      '192.0.2',
      '192.0.2.9, 10.0.0.1',
      null,
      undefined,
    ])
      expect(places.of(address, english), String(address)).to.equal(undefined)
  })

  it('is none for private addresses, whatever the file says of them', () => {
    const places = opened({
      '0.0.0.0/1': { country: NORWAY },
      'fc00::/7': { country: NORWAY },
      'fe80::/10': { country: NORWAY },
    })
    expect(places.of('11.0.0.1', english)).to.equal('Norway')
    const own = [
      '10.1.2.3',
      '127.0.0.1',
      '100.64.0.1',
      '0.0.0.0',
      '::1',
      '::',
      '::ffff:10.1.2.3',
      'fd00::1',
      'fe80::1',
      'fe80::1%eth0',
    ]
    for (const address of own) expect(places.of(address, english), address).to.equal(undefined)
    const upper = opened({ '128.0.0.0/1': { country: NORWAY } })
    for (const address of ['172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.0.1'])
      expect(upper.of(address, english), address).to.equal(undefined)
    expect(upper.of('172.32.0.1', english)).to.equal('Norway')
  })

  it('is none for IPv6 in a file of IPv4, which could lead to somebody else’s', () => {
    // 32.1.13.184 are the first bits of 2001:db8.
    const places = opened({ '32.1.13.0/24': { country: NORWAY } }, { ipVersion: 4 })
    expect(places.of('32.1.13.184', english)).to.equal('Norway')
    expect(places.of('2001:db8::1', english)).to.equal(undefined)
  })

  it('is the country alone where the file has countries only, and where both are of one name', () => {
    expect(place({ country: NORWAY })).to.equal('Norway')
    expect(place({ city: { names: { en: 'Singapore' } }, country: { names: { en: 'Singapore' } } })).to.equal(
      'Singapore',
    )
    expect(place({ city: GENEVA })).to.equal('Geneva')
  })

  it('is not where a network is registered', () => {
    expect(place({ registered_country: NORWAY, continent: { names: { en: 'Europe' } } })).to.equal(undefined)
  })

  it('is told in the page’s language, and in English what the file has in no other', () => {
    expect(place({ city: GENEVA, country: SWITZERLAND }, inLanguage('de'))).to.equal('Genf, Schweiz')
    expect(place({ city: GENEVA, country: SWITZERLAND }, inLanguage('de-AT'))).to.equal('Genf, Schweiz')
    expect(place({ city: { names: { en: 'Bergen' } }, country: NORWAY }, inLanguage('pt'))).to.equal(
      'Bergen, Noruega',
    )
    expect(place({ city: GENEVA, country: SWITZERLAND }, inLanguage('fi'))).to.equal('Geneva, Switzerland')
    expect(place({ country: { names: { ja: 'ノルウェー' } } })).to.equal(undefined)
  })

  it('is words, whatever a name holds', () => {
    expect(place({ city: { names: { en: ' Ber\u0000\ngen\u202e ' } }, country: NORWAY })).to.equal(
      'Ber gen, Norway',
    )
    const wrong: MmdbValue[] = ['', ' ', 'x'.repeat(101), ['Bergen'], { en: 'Bergen' }]
    for (const en of wrong)
      expect(place({ city: { names: { en } }, country: NORWAY }), JSON.stringify(en)).to.equal('Norway')
  })

  it('is none where a record is damaged, and others are as they were', () => {
    // A pointer to itself; a map longer than the file; a type that there is none of; a string in place of a record.
    const damaged = [[0x20, 0x00], [0xff, 0xff, 0xff, 0xff], [0x00, 0xff], [0x41, 0x41], []].map(each =>
      Buffer.from(each),
    )
    for (const bytes of damaged) {
      const places = opened({ '192.0.2.0/25': bytes, '198.51.100.0/24': { country: NORWAY } })
      expect(places.of('192.0.2.9', english), bytes.toString('hex')).to.be.oneOf([undefined, 'Norway'])
      expect(places.of('198.51.100.1', english)).to.equal('Norway')
    }
    for (const record of [
      'Norway',
      { country: 'Norway' },
      { country: { names: 'Norway' } },
      { country: ['Norway'] },
    ])
      expect(place(record), JSON.stringify(record)).to.equal(undefined)
  })

  it('is words or none, or the file is refused, whichever byte is damaged', () => {
    const whole = mmdb({ '0.0.0.0/1': { city: GENEVA, country: SWITZERLAND } }, { ipVersion: 4 })
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole)
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at)
      let places: ReturnType<typeof openPlaces>
      try {
        places = openPlaces(put(bytes))
      } catch (error) {
        expect(error, `byte ${at}`).to.be.instanceOf(Problem)
        continue
      }
      for (const address of ['11.0.0.1', '2001:db8::1', '255.255.255.255'])
        expect(places.of(address, english), `byte ${at}`).to.satisfy(
          (found: unknown) => found === undefined || typeof found === 'string',
        )
    }
  })

  it('comes of a file that says what it is', () => {
    const { type, builtAt } = opened({}, { type: 'GeoLite2-City', builtAt: 1_777_000_000 })
    expect({ type, builtAt }).to.deep.equal({ type: 'GeoLite2-City', builtAt: 1_777_000_000_000 })
  })

  it('comes of no file that is not there, is none of these, is packed, or was cut off', () => {
    const bytes = mmdb({ '192.0.2.0/24': { country: NORWAY } })
    const missing = join(folder, 'missing.mmdb')
    expect(problem(missing)).to.equal(`cannot be read from ${missing}: there is no such file`)
    expect(problem(folder)).to.equal(`cannot be read from ${folder}: EISDIR`)
    expect(problem(put(gzipSync(bytes)))).to.match(/is packed\. Unpack it/)
    const others = [
      '',
      'x',
      'network,geoname_id\n192.0.2.0/24,1\n',
      bytes.subarray(0, -1),
      bytes.subarray(0, 200),
      bytes.subarray(6),
    ]
    for (const other of others)
      expect(problem(put(other as Buffer))).to.match(/is not in the MaxMind DB format/)
  })
})
