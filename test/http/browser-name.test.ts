import { expect } from 'chai'
import { browserName } from '../../src/http/browser-name.ts'

const MOZILLA = 'Mozilla/5.0'
const KHTML = 'AppleWebKit/537.36 (KHTML, like Gecko)'

describe('the name of a browser', () => {
  const cases: readonly [header: string, name: string | undefined][] = [
    [`${MOZILLA} (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0`, 'Firefox, Windows'],
    [`${MOZILLA} (Windows NT 10.0; Win64; x64) ${KHTML} Chrome/140.0.0.0 Safari/537.36`, 'Chrome, Windows'],
    [
      `${MOZILLA} (Windows NT 10.0; Win64; x64) ${KHTML} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0`,
      'Edge, Windows',
    ],
    [
      `${MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15`,
      'Safari, macOS',
    ],
    [
      `${MOZILLA} (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1`,
      'Safari, iPhone',
    ],
    [
      `${MOZILLA} (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1`,
      'Chrome, iPhone',
    ],
    [`${MOZILLA} (Linux; Android 10; K) ${KHTML} Chrome/140.0.0.0 Mobile Safari/537.36`, 'Chrome, Android'],
    [
      `${MOZILLA} (Linux; Android 14; SM-S918B) ${KHTML} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
      'Samsung Internet, Android',
    ],
    [`${MOZILLA} (X11; CrOS x86_64 14541.0.0) ${KHTML} Chrome/140.0.0.0 Safari/537.36`, 'Chrome, ChromeOS'],
    [`${MOZILLA} (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0`, 'Firefox, Linux'],
    ['curl/8.14.1', undefined],
    ['node', undefined],
    ['', undefined],
  ]
  for (const [header, name] of cases) {
    it(`is ${name ?? 'not known'} for ${header.slice(0, 60)}…${header.slice(-30)}`, () => {
      expect(browserName(header)).to.equal(name)
    })
  }

  it('holds no text of the header, and fits into its column, whatever comes', () => {
    const evil = `<b>Firefox/1</b> Windows ${'x'.repeat(10_000)}`
    expect(browserName(evil)).to.equal('Firefox, Windows')
    expect(browserName('x'.repeat(100_000))).to.equal(undefined)
  })
})
