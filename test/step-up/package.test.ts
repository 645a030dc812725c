// The package as apps get it: packed, installed alone into an empty folder, run and type-checked from there, and its page's
// half loaded by a real browser without a bundler.

import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { stepUpChallenge } from '@sallyport/step-up'
import { expect } from 'chai'
import { browser } from '../support/chromium.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const here = dirname(fileURLToPath(import.meta.url))

describe('the package for apps', function () {
  this.timeout(60_000)
  let folder: string
  let app: string
  let packed: string[]

  before(async function () {
    this.timeout(180_000)
    folder = mkdtempSync(join(tmpdir(), 'step-up-package-'))
    app = join(folder, 'app')
    // A copy is packed, so that the checkout is left alone.
    const copy = join(folder, 'copy')
    for (const each of ['package.json', '.npmrc', 'tsconfig.json', 'src/step-up']) {
      cpSync(join(root, each), join(copy, each), {
        recursive: true,
        filter: file => !/\/src\/step-up\/(dist|node_modules)$/.test(file),
      })
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    const pack = ['pack', '-w', '@sallyport/step-up', '--json', '--pack-destination', folder]
    const { stdout } = await run('npm', pack, { cwd: copy })
    // What the scripts say comes first.
    const [made] = JSON.parse(stdout.slice(stdout.search(/^\[/m), stdout.search(/^\]/m) + 1)) as [
      { filename: string; files: { path: string }[] },
    ]
    packed = made.files.map(each => each.path)
    const manifest = 'src/step-up/package.json'
    expect(readFileSync(join(copy, manifest), 'utf8')).to.equal(readFileSync(join(root, manifest), 'utf8'))

    mkdirSync(app)
    writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }')
    const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
    await run('npm', ['install', ...flags, join(folder, made.filename)], { cwd: app })
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const installed = (path: string) => join(app, 'node_modules/@sallyport/step-up', path)
  const manifestOf = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Record<string, never>

  it('holds what is built, and no source', () => {
    expect(packed).to.include.members([
      'LICENSE',
      'README.md',
      'package.json',
      'dist/index.js',
      'dist/index.d.ts',
    ])
    const others = packed.filter(each => !/^dist\/[a-z-]+\.(js|d\.ts)$/.test(each))
    expect(others.toSorted()).to.deep.equal(['LICENSE', 'README.md', 'package.json'])
  })

  it('brings two libraries along, and nothing of the server', () => {
    const names = readdirSync(join(app, 'node_modules')).filter(each => !each.startsWith('.'))
    expect(names.toSorted()).to.deep.equal(['@sallyport', 'jose', 'oauth4webapi'])
    for (const name of ['knex', 'sqlite3', 'oidc-provider', 'express', 'sallyport']) {
      expect(existsSync(join(app, 'node_modules', name)), name).to.equal(false)
    }
    expect(existsSync(installed('node_modules'))).to.equal(false)
  })

  it('has every subpath of the checkout, by exports that exist', async () => {
    const inCheckout = Object.keys(manifestOf(join(root, 'src/step-up/package.json')).exports ?? {})
    const { exports } = manifestOf(installed('package.json'))
    expect(Object.keys(exports ?? {})).to.deep.equal(inCheckout)
    const program = `
      import { readFileSync } from 'node:fs'
      const loaded = {}
      for (const path of ${JSON.stringify(inCheckout)}) {
        const name = '@sallyport/step-up' + path.slice(1)
        if (path.endsWith('.json')) readFileSync(new URL(import.meta.resolve(name)))
        else loaded[path] = Object.keys(await import(name))
      }
      console.log(JSON.stringify(loaded))
    `
    writeFileSync(join(app, 'load.js'), program)
    const { stdout } = await run(process.execPath, ['load.js'], { cwd: app })
    const loaded = JSON.parse(stdout) as Record<string, string[]>
    for (const [path, names] of Object.entries(loaded)) {
      const source = (await import(`@sallyport/step-up${path.slice(1)}`)) as object
      expect(names, path).to.deep.equal(Object.keys(source))
    }
    expect(Object.keys(loaded)).to.include.members(['.', './express', './koa', './fastify', './fetch'])
  })

  it('has types that a strict program can use, and its libraries’ too', async () => {
    cpSync(join(here, 'types.ts'), join(app, 'types.ts'))
    mkdirSync(join(app, 'node_modules/@types'))
    for (const each of ['@types/node', 'undici-types']) {
      symlinkSync(join(root, 'node_modules', each), join(app, 'node_modules', each))
    }
    const options = {
      target: 'es2024',
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
    }
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    // With Node's globals, and with a browser's.
    for (const compilerOptions of [
      { ...options, types: ['node'] },
      { ...options, types: [], lib: ['es2024', 'dom', 'dom.iterable'] },
    ]) {
      writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['types.ts'] }))
      const { stdout } = await run(process.execPath, [tsc, '-p', app]).catch(
        (error: unknown) => error as { stdout: string },
      )
      expect(stdout).to.equal('')
    }
  })

  it('runs in a page, where it has its user confirm and asks again', async () => {
    const { exports } = manifestOf(join(app, 'node_modules/jose/package.json')) as {
      exports?: Record<string, { default: string }>
    }
    const imports = {
      '@sallyport/step-up/browser': '/node_modules/@sallyport/step-up/dist/browser.js',
      'jose/base64url': join('/node_modules/jose', exports?.['./base64url']?.default ?? ''),
    }
    const action = { type: 'protected_action', action: 'löschen', objects: ['dev_17'] } as const
    const challenge = stepUpChallenge([{ error: 'insufficient_authorization', action }])
    const server = createServer((req, res) => {
      const { pathname } = new URL(req.url ?? '/', 'http://localhost')
      if (pathname === '/') {
        res.setHeader('Content-Type', 'text/html').end(`<!doctype html>
          <script type="importmap">${JSON.stringify({ imports })}</script>
          <script type="module">
            import { StepUpCancelledError, withStepUp } from '@sallyport/step-up/browser'
            const asked = []
            const answer = await withStepUp(fetch, { authorize: async each => { asked.push(each); return 'proof' } })(
              '/devices', { method: 'DELETE', body: 'dev_17' })
            const cancelled = await withStepUp(fetch, { authorize: async () => false })('/devices')
              .catch(error => error instanceof StepUpCancelledError)
            window.result = { status: answer.status, text: await answer.text(), asked, cancelled }
          </script>`)
      } else if (pathname === '/devices') {
        if (req.headers.authorization === 'Bearer proof') res.end('deleted')
        else res.writeHead(401, { 'WWW-Authenticate': challenge }).end()
      } else if (pathname.startsWith('/node_modules/') && !pathname.includes('..')) {
        res.setHeader('Content-Type', 'text/javascript').end(readFileSync(join(app, pathname)))
      } else res.writeHead(404).end()
    }).listen(0, 'localhost')
    await new Promise(resolve => server.once('listening', resolve))
    const page = await (await browser()).newPage()
    try {
      const problems: string[] = []
      page.on('pageerror', error => problems.push(String(error)))
      await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`)
      await page.waitForFunction('window.result', undefined, { timeout: 10_000 }).catch(error => {
        throw new Error(problems.join('\n'), { cause: error })
      })
      const result = (await page.evaluate('window.result')) as {
        status: number
        text: string
        asked: { authorizationDetails: unknown }[]
        cancelled: boolean
      }
      expect(result).to.include({ status: 200, text: 'deleted', cancelled: true })
      expect(result.asked.map(each => each.authorizationDetails)).to.deep.equal([[action]])
    } finally {
      await page.close()
      server.closeAllConnections()
      server.close()
    }
  })
})
