// The shape of the code, held: each library has one place, imports point one way, the pure files import nothing that
// could make them impure.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const root = fileURLToPath(new URL('..', import.meta.url))
const src = join(root, 'src')

interface Import {
  readonly from: string
  /** A package's name, or the path of a file below src. */
  readonly to: string
  readonly typeOnly: boolean
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  each => each.endsWith('.ts') && !/^step-up\/(dist|node_modules)\//.test(each),
)
const imports: Import[] = files.flatMap(from => {
  const text = readFileSync(join(src, from), 'utf8')
  const found = [...text.matchAll(/^(?:import|export)\s+(type\s)?([^'"]*?)from\s+'([^']+)'/gms)]
  return found.map(([, type, names = '', specifier = '']) => ({
    from,
    to: specifier.startsWith('.')
      ? relative(src, resolve(src, dirname(from), specifier))
      : packageOf(specifier),
    typeOnly: type !== undefined || onlyTypes(names),
  }))
})

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

function onlyTypes(names: string): boolean {
  const inner = /^\s*\{(.*)\}\s*$/s.exec(names)?.[1]
  return inner?.split(',').every(each => each.trim() === '' || each.trim().startsWith('type ')) ?? false
}

describe('the structure of the source', () => {
  it('is read at all', () => {
    expect(files.length).to.be.greaterThan(40)
    expect(imports.length).to.be.greaterThan(150)
  })

  const places: Record<string, readonly string[]> = {
    'oidc-provider': ['provider.ts', 'flow/policy.ts', 'flow/routes.ts', 'actions/rar.ts'],
    knex: ['store/database.ts', 'store/engines/sqlite.ts', 'store/engines/postgres.ts'],
    sqlite3: [],
    pg: ['store/engines/postgres.ts'],
    '@node-rs/argon2': ['factors/password.ts'],
    '@zxcvbn-ts/core': ['factors/password-scorer.ts'],
    '@zxcvbn-ts/language-common': ['factors/password-scorer.ts'],
    otplib: ['factors/totp.ts'],
    qrcode: ['factors/totp.ts'],
    '@simplewebauthn/server': ['factors/passkey.ts', 'factors/passkey-response.ts'],
    'mmdb-lib': ['places.ts'],
    nodemailer: ['mail/mailer.ts', 'doctor.ts'],
    pug: ['http/views.ts', 'mail/templates.ts'],
    'intl-messageformat': ['texts.ts'],
    'openid-client': ['sso/oidc.ts'],
    jose: ['sso/signed-token.ts', 'step-up/api.ts', 'step-up/challenge.ts', 'step-up/parse.ts'],
    pino: ['log.ts'],
    zod: ['api/schemas.ts', 'api/openapi.ts'],
    '@node-saml/node-saml': ['sso/saml.ts'],
    'xml-encryption': ['sso/saml-gate.ts'],
    '@xmldom/xmldom': ['sso/saml-xml.ts'],
  }
  for (const [library, allowed] of Object.entries(places)) {
    it(`keeps ${library} in its place`, () => {
      const users = imports.filter(each => each.to === library && !each.typeOnly).map(each => each.from)
      expect([...new Set(users)].filter(each => !allowed.includes(each))).to.deep.equal([])
    })
  }

  it('knows the types of oidc-provider only where it has to do with it', () => {
    const users = new Set(imports.filter(each => each.to === 'oidc-provider').map(each => each.from))
    const allowed = [
      ...(places['oidc-provider'] ?? []),
      'plugin.ts',
      'mounted-client.ts',
      'store/oidc/adapter.ts',
      'flow/consent.ts',
      'http/protocol-pages.ts',
      'http/session.ts',
    ]
    expect([...users].filter(each => !allowed.includes(each))).to.deep.equal([])
  })

  it('lets nobody but the store speak SQL to the connections', () => {
    const users = imports
      .filter(each => /^store\/engines\/(sqlite|postgres)\.ts$/.test(each.to))
      .map(each => each.from)
    expect(new Set(users)).to.deep.equal(new Set(['store/database.ts']))
  })

  it('keeps the deciding functions pure', () => {
    const pure = [
      'flow/assurance.ts',
      'flow/step.ts',
      'flow/asked.ts',
      'actions/rules.ts',
      'actions/titles.ts',
      'organisations/access-list.ts',
      'organisations/enforcement.ts',
      'organisations/plan.ts',
      'organisations/session-policy.ts',
      'sso/oidc-claims.ts',
      'sso/upstream.ts',
      'support/case-state.ts',
    ]
    const reached = imports.filter(each => pure.includes(each.from) && !each.typeOnly).map(each => each.to)
    // Lists of addresses are compared by Node: no input, no output.
    expect(reached.filter(each => !pure.includes(each) && each !== 'node:net')).to.deep.equal([])
  })

  // From what knows nothing of the others to what knows them all.
  const levels: readonly (readonly [name: string, files: RegExp])[] = [
    ['the package for apps', /^step-up\//],
    [
      'the pure core',
      /^(errors|program|paths|texts|csv|did-you-mean|flow\/(assurance|step|asked)|actions\/(rules|titles|binding)|support\/case-state|organisations\/(access-list|enforcement|password-rule|plan|session-policy))\.ts$/,
    ],
    ['configuration, log, places', /^config\/|^(log|places)\.ts$/],
    ['store, factors, mail, upstreams', /^(store|factors|mail|sso)\//],
    [
      'accounts, organisations, clients',
      /^(accounts|clients|apis|audit-export)\.ts$|^organisations\/(access-setting|directory|enforcement-report|log-outs|session-timeout|sso-[a-z-]+|subscription|user-access|users)\.ts$|^actions\/(organisation-rules|registry|requested|registration)\.ts$/,
    ],
    [
      'services and http',
      /^(services|background|backchannel-logout)\.ts$|^support\/(notices|settle)\.ts$|^http\/(?!session\.)/,
    ],
    [
      'the flow and its pages',
      /^flow\/|^http\/session\.ts$|^actions\/rar\.ts$|^(account|admin|api|support)\/|^organisations\/first-run\.ts$/,
    ],
    ['the provider', /^provider\.ts$/],
    ['the plugin', /^(plugin|mounted-client)\.ts$/],
    ['what runs', /^(index|server|doctor|cli)\.ts$|^cli\//],
  ]
  const levelOf = (file: string): number => levels.findIndex(([, pattern]) => pattern.test(file))

  it('gives every file a level', () => {
    expect(files.filter(each => levelOf(each) < 0)).to.deep.equal([])
  })

  it('points imports one way: towards the core', () => {
    const up = imports
      .filter(each => !each.typeOnly && each.to.endsWith('.ts') && levelOf(each.to) > levelOf(each.from))
      .map(each => `${each.from} → ${each.to}`)
    expect(up).to.deep.equal([])
  })

  it('keeps the package for apps and the server apart', () => {
    const across = imports.filter(
      each =>
        each.from.startsWith('step-up/') !== each.to.startsWith('step-up/') &&
        (each.to.endsWith('.ts') || each.from.startsWith('step-up/')),
    )
    expect(across.filter(each => each.to.endsWith('.ts'))).to.deep.equal([])
    expect(new Set(across.map(each => each.to))).to.deep.equal(
      new Set(['node:crypto', 'jose', 'oauth4webapi']),
    )
    expect(imports.filter(each => each.to === '@sallyport/step-up')).to.deep.equal([])
  })

  it('lets nothing of Node into what pages import', () => {
    const reached = new Set(['step-up/browser.ts'])
    for (const file of reached) {
      for (const each of imports) if (each.from === file && !each.typeOnly) reached.add(each.to)
    }
    expect([...reached].filter(each => !each.endsWith('.ts'))).to.deep.equal(['jose'])
  })

  it('imports no library by its inside', () => {
    const deep = files.flatMap(file =>
      [
        ...readFileSync(join(src, file), 'utf8').matchAll(
          /from '((?:oidc-provider|knex|koa|pg|sqlite3)\/[^']+)'/g,
        ),
      ].map(([, specifier]) => `${file}: ${specifier}`),
    )
    expect(deep).to.deep.equal([])
  })
})
