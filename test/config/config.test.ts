import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Config, checkConfig, loadConfig } from '../../src/config/config.ts'
import { ConfigError } from '../../src/config/problems.ts'
import { describeConfig, settingRows } from '../../src/config/settings.ts'
import { didYouMean } from '../../src/did-you-mean.ts'

const KEY = 'k'.repeat(32)
const production = {
  NODE_ENV: 'production',
  SALLYPORT_ISSUER: 'https://login.example.com',
  SALLYPORT_SECRET_KEYS: KEY,
  SALLYPORT_SMTP_URL: 'smtp://user:hunter2@mail.example.com:587',
  SALLYPORT_TRUST_PROXY: '1',
}

describe('configuration', () => {
  let cwd: string
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'sallyport-'))
  })
  afterEach(() => rmSync(cwd, { recursive: true, force: true }))

  const load = (env: Record<string, string> = {}): Config => loadConfig(env, { cwd })
  const problems = (env: Record<string, string>): readonly string[] => {
    try {
      load(env)
    } catch (error) {
      expect(error).to.be.instanceOf(ConfigError)
      return (error as ConfigError).problems
    }
    return []
  }

  it('needs nothing outside production', () => {
    const config = load()
    expect(config).to.include({
      production: false,
      port: 3000,
      host: 'localhost',
      issuer: 'http://localhost:3000',
      databaseUrl: `sqlite:${join(cwd, 'data', 'sallyport.sqlite')}`,
      dataDir: join(cwd, 'data'),
      outboxDir: join(cwd, 'data', 'outbox'),
      smtpUrl: undefined,
      trustProxy: undefined,
      logLevel: 'info',
      demoPort: 3001,
      allowPrivateNetwork: true,
      enrolmentEmailProof: 'after-reset',
      productName: 'Sallyport',
      supportAfterMs: 24 * 60 * 60_000,
      supportWaitMs: 24 * 60 * 60_000,
      placesFile: undefined,
    })
  })

  it('cannot be changed afterwards', () => {
    const config = load()
    expect(Object.isFrozen(config)).to.equal(true)
    expect(Object.isFrozen(config.secretKeys)).to.equal(true)
    expect(Object.isFrozen(config.acrAliases)).to.equal(true)
  })

  it('makes secret keys for one machine once, readable by their owner only, and says so', () => {
    const first = load()
    const file = join(cwd, 'data', 'secret-keys')
    expect(first.secretKeys[0]).to.have.length.of.at.least(32)
    expect(statSync(file).mode & 0o777).to.equal(0o600)
    expect(statSync(join(cwd, 'data')).mode & 0o777).to.equal(0o700)
    expect(first.warnings.join()).to.include('SALLYPORT_SECRET_KEYS').and.to.include(file)
    expect(load().secretKeys).to.deep.equal(first.secretKeys)
    expect(readFileSync(file, 'utf8').trim()).to.equal(first.secretKeys[0])
  })

  it('makes no keys while anything is wrong, nor when it only judges', () => {
    expect(problems({ PORT: 'x' })).to.have.length(1)
    checkConfig({}, { cwd })
    expect(() => statSync(join(cwd, 'data'))).to.throw('ENOENT')
  })

  it('refuses a file of generated keys that holds none, instead of making others', () => {
    mkdirSync(join(cwd, 'data'))
    writeFileSync(join(cwd, 'data', 'secret-keys'), '\n')
    expect(problems({})).to.have.length(1)
    expect(readFileSync(join(cwd, 'data', 'secret-keys'), 'utf8')).to.equal('\n')
  })

  it('warns of generated keys that others can read', () => {
    load()
    const before = load().warnings.length
    writeFileSync(join(cwd, 'data', 'other'), KEY, { mode: 0o644 })
    rmSync(join(cwd, 'data', 'secret-keys'))
    writeFileSync(join(cwd, 'data', 'secret-keys'), KEY, { mode: 0o644 })
    expect(load().warnings).to.have.length(before + 1)
  })

  it('lists every problem at once', () => {
    const found = problems({
      NODE_ENV: 'production',
      PORT: '70000',
      SALLYPORT_TRUST_PROXY: '10.0.0.0/33',
      SALLYPORT_LOG_LEVEL: 'loud',
      SALLYPORT_ISUER: 'https://login.example.com',
    })
    const names = found.map(each => each.split(' ')[0]).sort()
    expect(names).to.deep.equal([
      'PORT',
      'SALLYPORT_ISSUER',
      'SALLYPORT_ISUER',
      'SALLYPORT_LOG_LEVEL',
      'SALLYPORT_SECRET_KEYS',
      'SALLYPORT_SMTP_URL',
      'SALLYPORT_TRUST_PROXY',
    ])
    expect(found.join('\n')).to.include('did you mean SALLYPORT_ISSUER?')
  })

  it('makes nothing up in production', () => {
    expect(load(production)).to.deep.include({
      production: true,
      host: '::',
      issuer: 'https://login.example.com',
      secretKeys: [KEY],
      mailFrom: 'no-reply@login.example.com',
      trustProxy: { hops: 1 },
      demoPort: 0,
      allowPrivateNetwork: false,
      warnings: [],
    })
    for (const name of ['SALLYPORT_ISSUER', 'SALLYPORT_SECRET_KEYS', 'SALLYPORT_SMTP_URL']) {
      const found = problems({ ...production, [name]: '' })
      expect(found, name).to.have.length(1)
      expect(found[0]).to.include(name)
    }
    expect(problems({ ...production, SALLYPORT_DEMO_PORT: '3001' })).to.have.length(1)
  })

  it('does not run as if in development because NODE_ENV is misspelt', () => {
    for (const NODE_ENV of ['prod', 'Production', 'staging']) expect(problems({ NODE_ENV })).to.have.length(1)
  })

  const issuers: [string, string | undefined][] = [
    ['https://login.example.com', 'https://login.example.com'],
    ['https://login.example.com/', 'https://login.example.com'],
    ['https://LOGIN.example.com:443', 'https://login.example.com'],
    ['http://localhost:4000', 'http://localhost:4000'],
    ['http://127.0.0.1:4000', 'http://127.0.0.1:4000'],
    ['http://[::1]:4000', 'http://[::1]:4000'],
    ['http://login.example.com', undefined],
    ['http://localhost.example.com', undefined],
    ['http://127.0.0.1.example.com', undefined],
    ['https://login.example.com/auth', undefined],
    ['https://login.example.com?x=1', undefined],
    ['https://login.example.com/#', undefined],
    ['https://user@login.example.com', undefined],
    ['ftp://login.example.com', undefined],
    ['login.example.com', undefined],
  ]
  for (const [given, issuer] of issuers) {
    it(`${issuer === undefined ? 'refuses' : 'takes'} the issuer ${given}`, () => {
      if (issuer === undefined) expect(problems({ SALLYPORT_ISSUER: given })).to.have.length(1)
      else expect(load({ SALLYPORT_ISSUER: given }).issuer).to.equal(issuer)
    })
  }

  it('takes several secret keys, the newest first, and refuses short or repeated ones', () => {
    const other = 'o'.repeat(40)
    expect(load({ SALLYPORT_SECRET_KEYS: ` ${other} , ${KEY}` }).secretKeys).to.deep.equal([other, KEY])
    for (const text of [`${KEY},short`, `${KEY},`, 'x'.repeat(31), `${KEY},${KEY}`]) {
      const found = problems({ SALLYPORT_SECRET_KEYS: text })
      expect(found, text).to.have.length(1)
      expect(found[0], 'a problem shows no key').not.to.include(KEY)
    }
  })

  it('reads each secret from a file as well, and refuses both at once', () => {
    writeFileSync(join(cwd, 'keys'), `${KEY}\n`)
    writeFileSync(join(cwd, 'db'), 'postgres://app:hunter2@db.example.com/sallyport\n')
    const config = load({ SALLYPORT_SECRET_KEYS_FILE: 'keys', DATABASE_URL_FILE: join(cwd, 'db') })
    expect(config.secretKeys).to.deep.equal([KEY])
    expect(config.databaseUrl).to.equal('postgres://app:hunter2@db.example.com/sallyport')
    const both = problems({ SALLYPORT_SECRET_KEYS: KEY, SALLYPORT_SECRET_KEYS_FILE: 'keys' })
    expect(both).to.have.length(1)
    expect(both[0]).to.include('SALLYPORT_SECRET_KEYS_FILE')
    expect(problems({ SALLYPORT_SMTP_URL_FILE: 'nowhere' })[0]).to.include('nowhere')
    expect(problems({ SALLYPORT_SMTP_URL_FILE: '.' })[0]).to.include('EISDIR')
    expect(problems({ SALLYPORT_ISSUER_FILE: 'keys' })[0], 'no secret').to.include('SALLYPORT_ISSUER')
  })

  it('names no secret in a problem', () => {
    const found = problems({
      DATABASE_URL: 'mysql://app:hunter2@db/x',
      SALLYPORT_SMTP_URL: 'http://user:hunter2@mail',
      SALLYPORT_SECRET_KEYS: 'hunter2',
      SALLYPORT_ISSUER: 'https://user:hunter2@login.example.com',
    })
    expect(found).to.have.length(4)
    expect(found.join()).not.to.include('hunter2')
  })

  it('takes a number of proxies or ranges of addresses', () => {
    const trust = (text: string) => load({ SALLYPORT_TRUST_PROXY: text }).trustProxy
    expect(trust('2')).to.deep.equal({ hops: 2 })
    expect(trust('0')).to.equal(undefined)
    expect(trust('10.0.0.0/8, 192.0.2.7, fd00::/8, ::1')).to.deep.equal({
      ranges: ['10.0.0.0/8', '192.0.2.7/32', 'fd00::/8', '::1/128'],
    })
    for (const text of [
      'true',
      '10.0.0.0/33',
      '10.0.0/8',
      '::/129',
      '10.0.0.0/8/8',
      '10.0.0.0/',
      ',',
      '-1',
      '99',
    ]) {
      expect(problems({ SALLYPORT_TRUST_PROXY: text }), text).to.have.length(1)
    }
  })

  it('warns of what works but should not stay', () => {
    const warned = (env: Record<string, string>) => load({ ...production, ...env }).warnings.join()
    expect(warned({ SALLYPORT_TRUST_PROXY: '0.0.0.0/0' })).to.include('SALLYPORT_TRUST_PROXY')
    expect(warned({ SALLYPORT_TRUST_PROXY: '' })).to.include('SALLYPORT_TRUST_PROXY')
    expect(warned({ SALLYPORT_ISSUER: 'https://192.0.2.7' })).to.include('passkeys')
    expect(warned({ SALLYPORT_ISSUER: 'http://localhost:3000' })).to.include('http')
  })

  it('adds names of levels, and lets none be redefined', () => {
    const { acrAliases } = load({ SALLYPORT_ACR_ALIASES: 'gold=2fa, urn:x=y=phr' })
    expect(acrAliases).to.include({ gold: '2fa', 'urn:x=y': 'phr' })
    expect(acrAliases).to.have.property('http://schemas.openid.net/pape/policies/2007/06/multi-factor', '2fa')
    for (const text of [
      'gold',
      'gold=3fa',
      '=2fa',
      'a b=2fa',
      'phr=1fa',
      'urn:sallyport:acr:2fa=1fa',
      'a=2fa,',
    ]) {
      expect(problems({ SALLYPORT_ACR_ALIASES: text }), text).to.have.length(1)
    }
  })

  const wrong: [string, string[]][] = [
    ['PORT', ['0', '65536', '3000x', '0x10', '1e3', '-1']],
    ['HOST', ['local host', 'localhost:3000', 'http://localhost']],
    [
      'DATABASE_URL',
      ['sqlite:', 'sqlite::memory:', 'sqlite:///data/x', 'mysql://x/y', 'postgres://', 'postgres://db', 'x'],
    ],
    ['SALLYPORT_SMTP_URL', ['mail.example.com', 'http://mail.example.com', 'smtp://']],
    ['SALLYPORT_MAIL_FROM', ['nobody', 'a@b, c@d', 'X <a@b', 'X\r\nBcc: y <a@b.example>']],
    ['SALLYPORT_DEMO_PORT', ['3000', 'no']],
    ['SALLYPORT_ALLOW_PRIVATE_NETWORK', ['maybe']],
    ['SALLYPORT_ENROLMENT_EMAIL_PROOF', ['sometimes']],
    ['SALLYPORT_PRODUCT_NAME', ['x'.repeat(61), 'a\nb']],
    ['SALLYPORT_SUPPORT_AFTER', ['0m', '31d', '24', 'a day', '-1h', '1.5h']],
    ['SALLYPORT_SUPPORT_WAIT', ['59m', '0h', '31d', '3600', '24 h']],
    ['SALLYPORT_SSO_PLANS', ['Gold,', ',', 'x'.repeat(101), 'a\nb']],
  ]
  for (const [name, texts] of wrong) {
    it(`refuses a ${name} that cannot be meant`, () => {
      for (const text of texts) expect(problems({ [name]: text }), JSON.stringify(text)).to.have.length(1)
    })
  }

  it('takes the right values of all others', () => {
    const config = load({
      HOST: '[::1]',
      DATABASE_URL: 'sqlite:my.sqlite',
      SALLYPORT_SMTP_URL: 'smtps://mail.example.com',
      SALLYPORT_MAIL_FROM: 'Acme <login@acme.example>',
      SALLYPORT_DEMO_PORT: '0',
      SALLYPORT_ALLOW_PRIVATE_NETWORK: 'false',
      SALLYPORT_ENROLMENT_EMAIL_PROOF: 'always',
      SALLYPORT_PRODUCT_NAME: 'Acme login',
      SALLYPORT_SSO_PLANS: 'Gold, Platinum Plus',
      SALLYPORT_SUPPORT_AFTER: '90m',
      SALLYPORT_SUPPORT_WAIT: '1h',
      SALLYPORT_PLACES: 'places.mmdb',
      SALLYPORT_DATA_DIR: 'elsewhere',
      SALLYPORT_LOG_LEVEL: 'silent',
    })
    expect(config).to.include({
      host: '::1',
      databaseUrl: `sqlite:${join(cwd, 'my.sqlite')}`,
      mailFrom: 'Acme <login@acme.example>',
      demoPort: 0,
      allowPrivateNetwork: false,
      enrolmentEmailProof: 'always',
      productName: 'Acme login',
      supportAfterMs: 90 * 60_000,
      supportWaitMs: 60 * 60_000,
      placesFile: join(cwd, 'places.mmdb'),
      dataDir: join(cwd, 'elsewhere'),
      logLevel: 'silent',
    })
    expect(config.ssoPlans).to.deep.equal(['Gold', 'Platinum Plus'])
    expect(load({}).ssoPlans).to.deep.equal(['Enterprise', 'Superpower'])
  })

  it('binds passkeys to the issuer’s host name, or to another that is warned of where it needs help', () => {
    const issuer = 'https://login.example.com'
    expect(load({ SALLYPORT_ISSUER: issuer })).to.deep.include({
      passkeyDomain: 'login.example.com',
      relatedOrigins: [],
    })
    const parent = load({
      SALLYPORT_ISSUER: issuer,
      SALLYPORT_TRUST_PROXY: '1',
      SALLYPORT_PASSKEY_DOMAIN: 'example.com',
    })
    expect(parent.passkeyDomain).to.equal('example.com')
    expect(parent.warnings.join()).not.to.include('SALLYPORT_PASSKEY_DOMAIN')
    for (const domain of ['login.old.example', 'ample.com', 'other.login.example.com']) {
      const moved = load({ SALLYPORT_ISSUER: issuer, SALLYPORT_PASSKEY_DOMAIN: domain })
      expect(moved.warnings.join()).to.include(`https://${domain}/.well-known/webauthn names ${issuer}`)
    }
    for (const domain of [
      'https://old.example',
      'old.example:443',
      'Old.example',
      'com',
      '192.0.2.1',
      'a..b',
    ])
      expect(problems({ SALLYPORT_PASSKEY_DOMAIN: domain }).join(), domain).to.include(
        'SALLYPORT_PASSKEY_DOMAIN is',
      )
  })

  it('takes related origins as origins, each once', () => {
    expect(
      load({ SALLYPORT_RELATED_ORIGINS: 'https://a.example, https://b.example:8443/' }).relatedOrigins,
    ).to.deep.equal(['https://a.example', 'https://b.example:8443'])
    for (const origins of [
      'a.example',
      'http://a.example',
      'https://a.example/path',
      'https://user@a.example',
      'https://*.a.example',
      'https://a.example,',
      'https://a.example,https://a.example/',
    ])
      expect(problems({ SALLYPORT_RELATED_ORIGINS: origins }).join(), origins).to.include(
        'SALLYPORT_RELATED_ORIGINS',
      )
  })

  it('leaves the demo app a port where the server takes its own', () => {
    expect(load({ PORT: '3001' }).demoPort).not.to.equal(3001)
  })

  it('describes every setting, and shows no secret', () => {
    const rows = settingRows({
      SALLYPORT_SECRET_KEYS: KEY,
      DATABASE_URL: 'postgres://a:hunter2@b/c',
      PORT: '4000',
    })
    expect(rows.length).to.be.greaterThan(10)
    expect(JSON.stringify(rows)).not.to.include(KEY).and.not.to.include('hunter2')
    expect(rows.find(each => each.name === 'PORT')?.value).to.equal('4000')
    const reference = describeConfig()
    for (const { name } of rows) expect(reference).to.include(`\`${name}\``)
    expect(reference).to.include('`SALLYPORT_SECRET_KEYS_FILE`')
  })

  it('guesses what was meant, and does not guess wildly', () => {
    const known = ['migrate', 'client list']
    expect(didYouMean('migarte', known)).to.include('migrate')
    expect(didYouMean('client lst', known)).to.include('client list')
    expect(didYouMean('frobnicate', known)).to.equal('')
  })
})
