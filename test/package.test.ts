// The package as its users get it: packed, installed into an empty folder, run from there by its own commands, used as
// a library, and type-checked by a program that knows nothing of this checkout.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import * as client from 'openid-client'
import { code } from './support/one-time-codes.ts'
import { freePort, PASSWORD } from './support/stage.ts'
import { createVisitor, textOf, throughPassword } from './support/visitor.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const SQLITE = 'node_modules/sqlite3/build/Release/node_sqlite3.node'
const EMAIL = 'dana@northgate.example'
const REDIRECT = 'http://localhost:9/callback'

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

describe('the package', function () {
  this.timeout(60_000)
  let folder: string
  let app: string
  let packed: string[]
  let port: number

  before(async function () {
    this.timeout(900_000)
    folder = mkdtempSync(join(tmpdir(), 'sallyport-package-'))
    app = join(folder, 'app')
    packed = await pack()
    mkdirSync(app)
    writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }')
    // The install script of sqlite3 fetches a binary or compiles one for minutes. What it would leave is here already,
    // for the same version and the same machine; every other file comes from the registry as for anybody.
    const flags = ['--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
    await must('npm', ['install', ...flags, join(folder, 'sallyport.tgz')])
    mkdirSync(dirname(join(app, SQLITE)), { recursive: true })
    cpSync(join(root, SQLITE), join(app, SQLITE))
    port = await freePort()
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  /** Packs a copy, so that the checkout is left alone. @returns the names in the tarball */
  async function pack(): Promise<string[]> {
    const copy = join(folder, 'copy')
    const apart = /^\/(node_modules|data|dist|\.git|test|bench)(\/|$)|\.tgz$/
    cpSync(root, copy, { recursive: true, filter: file => !apart.test(`/${file.slice(root.length)}`) })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    const { stdout } = await must('npm', ['pack', '--json', '--pack-destination', folder], copy)
    // What the script "prepack" says comes first.
    const [made] = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as [
      { filename: string; files: { path: string }[] },
    ]
    cpSync(join(folder, made.filename), join(folder, 'sallyport.tgz'))
    return made.files.map(each => each.path)
  }

  /** By what npm reaches its registry on this machine. */
  const network = Object.fromEntries(
    ['NODE_EXTRA_CA_CERTS', 'HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy'].flatMap(name => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )

  function env(): Record<string, string> {
    return {
      PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
      HOME: process.env.HOME ?? folder,
      ...network,
      PORT: String(port ?? 0),
    }
  }

  function start(command: string, args: readonly string[], cwd = app): ChildProcess {
    return spawn(command, args, { cwd, env: env(), stdio: ['pipe', 'pipe', 'pipe'] })
  }

  async function ran(command: string, args: readonly string[], { cwd = app, input = '' } = {}): Promise<Ran> {
    const child = start(command, args, cwd)
    const out = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream]?.setEncoding('utf8').on('data', text => {
        out[stream] += text
      })
    }
    child.stdin?.end(input)
    const [code] = (await once(child, 'close')) as [number]
    return { code, ...out }
  }

  async function must(command: string, args: readonly string[], cwd = app, input = ''): Promise<Ran> {
    const result = await ran(command, args, { cwd, input })
    expect(result.code, `${command} ${args.join(' ')}\n${result.stdout}\n${result.stderr}`).to.equal(0)
    return result
  }

  const sallyport = (...args: string[]) => must('npx', ['--no-install', 'sallyport', ...args])

  async function created(args: string[], input = ''): Promise<Record<string, string>> {
    const { stdout } = await must('npx', ['--no-install', 'sallyport', ...args, '--json'], app, input)
    return JSON.parse(stdout) as Record<string, string>
  }

  it('holds what it needs to run, and no source, test or example', () => {
    expect(packed).to.include.members([
      'LICENSE',
      'README.md',
      'dist/cli.js',
      'dist/index.d.ts',
      'dist/index.js',
      'migrations/001-login.js',
      'public/sallyport.css',
      'views/email.pug',
      'views/texts/en.json',
    ])
    expect(packed.filter(each => /\.ts$/.test(each) && !/^dist\/.*\.d\.ts$/.test(each))).to.deep.equal([])
    const places =
      /^(dist|views|public|migrations)\/|^docs\/(step-up\/)?\w[\w-]*\.md$|^(package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md)$/
    expect(packed.filter(each => !places.test(each))).to.deep.equal([])
  })

  it('holds every document that its README and its documents lead to', () => {
    const documents = packed.filter(each => each.endsWith('.md'))
    const links = documents.flatMap(file =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+\.md)/g)].map(
        ([, to = '']) => join(dirname(file), to),
      ),
    )
    expect(links.length).to.be.greaterThan(5)
    expect(links.filter(each => !packed.includes(each))).to.deep.equal([])
  })

  it('needs nothing that is there for development only', () => {
    for (const name of ['mocha', 'chai', 'typescript', 'playwright-core', 'fast-check', 'node']) {
      expect(existsSync(join(app, 'node_modules', name)), name).to.equal(false)
    }
  })

  it('says what its commands are, and its version', async () => {
    const { stdout } = await sallyport('--help')
    expect(stdout)
      .to.match(/^sallyport <command>/)
      .and.include('client create')
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    expect((await sallyport('--version')).stdout.trim()).to.equal(version)
  })

  it('makes a database, an organisation, a user and a client, serves a whole login, and ends within 5 seconds', async () => {
    const early = await ran('npx', ['--no-install', 'sallyport', 'client', 'list'])
    expect(early.code).to.equal(2)
    expect(early.stderr).to.include('run npx sallyport migrate')
    await sallyport('migrate')
    const org = await created([
      'org',
      'create',
      '--name',
      'Northgate',
      '--plan',
      'Pro',
      '--subscribed-at',
      '2026-01-01',
    ])
    const named = ['--org', org.id ?? '', '--email', EMAIL, '--name', 'Dana Whitlock', '--role', 'admin']
    const user = await created(['user', 'create', ...named, '--password-stdin'], PASSWORD)
    const made = await created([
      'client',
      'create',
      '--name',
      'Fleetdesk',
      '--redirect-uri',
      REDIRECT,
      '--first-party',
    ])

    // Not by npx, which keeps a SIGTERM to itself and leaves the server running.
    const server = start(join(app, 'node_modules/.bin/sallyport'), ['serve'])
    let log = ''
    server.stdout?.setEncoding('utf8').on('data', text => {
      log += text
    })
    const origin = `http://localhost:${port}`
    const ready = () => fetch(`${origin}/health/ready`).catch(() => undefined)
    for (let tries = 0; (await ready())?.status !== 200; tries++) {
      if (tries > 200 || server.exitCode !== null) throw new Error(`the server does not answer\n${log}`)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    try {
      const config = await client.discovery(
        new URL(origin),
        made.client_id ?? '',
        made.client_secret,
        undefined,
        {
          execute: [client.allowInsecureRequests],
        },
      )
      const verifier = client.randomPKCECodeVerifier()
      const url = client.buildAuthorizationUrl(config, {
        redirect_uri: REDIRECT,
        scope: 'openid email',
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      })
      const visitor = createVisitor(origin)
      const { base, page } = await throughPassword(visitor, url.href, EMAIL)
      const secret = textOf(page.body, 'key').replaceAll(' ', '')
      await visitor.post(`${base}/set-up`, { code: code(secret, Date.now()) })
      await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
      const { url: callback } = await visitor.follow(base)
      const tokens = await client.authorizationCodeGrant(config, new URL(callback), {
        pkceCodeVerifier: verifier,
      })
      expect(tokens.claims()).to.include({ sub: user.id, acr: 'urn:sallyport:acr:2fa' })
      const style = /href="(\/assets\/sallyport[^"]+css)"/.exec(page.body)?.[1] ?? ''
      expect((await visitor.get(style)).status).to.equal(200)
    } finally {
      const since = Date.now()
      const ended = once(server, 'close')
      server.kill('SIGTERM')
      expect(await ended).to.deep.equal([0, null])
      expect(Date.now() - since).to.be.lessThan(5_000)
    }
    expect(log).to.include('"stopped"')
  })

  it('is a plugin for the oidc-provider beside it, and a provider of its own', async () => {
    const program = `
      import Provider from 'oidc-provider'
      import { AppError, createProvider, loadConfig, secondFactor } from 'sallyport'

      const issuer = 'http://localhost:3000'
      const options = { issuer, databaseUrl: 'sqlite:plugin.sqlite', secretKeys: ['k'.repeat(32)] }
      const { configuration, mount } = secondFactor({ clients: [] }, options)
      const plugin = mount(new Provider(issuer, configuration))
      await plugin.ready
      await plugin.close()
      let refused
      try {
        secondFactor({ features: { devInteractions: { enabled: true } } }, options)
      } catch (error) {
        refused = error instanceof AppError && error.code
      }
      const whole = await createProvider(loadConfig({ SALLYPORT_DATA_DIR: 'whole', SALLYPORT_LOG_LEVEL: 'silent' }))
      await whole.close()
      console.log(JSON.stringify({ refused, issuer: whole.provider.issuer }))
    `
    writeFileSync(join(app, 'program.js'), program)
    const { stdout } = await must(process.execPath, ['program.js'])
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).to.deep.equal({
      refused: 'plugin_conflict',
      issuer: 'http://localhost:3000',
    })
  })

  it('has types that a strict program can use, its libraries’ types included', async () => {
    const program = `
      import Provider from 'oidc-provider'
      import { ACR, AppError, createProvider, type ErrorCode, type HostAccounts, loadConfig, secondFactor } from 'sallyport'

      const accounts: HostAccounts = {
        findByEmail: async email => ({ id: 'dana', email }),
        verifyPassword: async (user, password) => user?.id === 'dana' && password !== '',
        claims: async id => ({ sub: id }),
      }
      const issuer = 'http://localhost:3000'
      const { configuration, mount } = secondFactor(
        { claims: { openid: ['sub'] } },
        { issuer, databaseUrl: 'sqlite:x.sqlite', secretKeys: ['k'.repeat(32)], accounts },
      )
      await mount(new Provider(issuer, configuration)).ready
      const { provider } = await createProvider(loadConfig(process.env))
      export const handler = provider.callback()
      export const level: string = ACR['2fa']
      export const codeOf = (error: unknown): ErrorCode | undefined => (error instanceof AppError ? error.code : undefined)
      // @ts-expect-error: keys are a list that is not empty
      secondFactor({}, { issuer, databaseUrl: 'sqlite:x.sqlite', secretKeys: [] })
    `
    writeFileSync(join(app, 'program.ts'), program)
    const compilerOptions = {
      target: 'es2024',
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
      types: ['node'],
    }
    writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }))
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', app]).catch(
      (error: unknown) => error as { stdout: string },
    )
    expect(stdout).to.equal('')
  })
})
