// Every page, in a real browser, under the Content-Security-Policy that it has to live with.

import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompressSync } from 'node:zlib'
import { AxeBuilder } from '@axe-core/playwright'
import { expect } from 'chai'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import pug from 'pug'
import { createAssets } from '../../src/http/assets.ts'
import { createViews, templateOptions, templatePath, type ViewName, viewNames } from '../../src/http/views.ts'
import { createTexts } from '../../src/texts.ts'
import { browser, virtualAuthenticator } from '../support/chromium.ts'
import { type Sample, sampleLocals } from './sample-locals.ts'

const csp =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'"
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const colours = ['color-contrast', 'link-in-text-block', 'target-size']
const root = fileURLToPath(new URL('../..', import.meta.url))
const texts = createTexts()
const assets = createAssets()
const views = createViews({ texts, assets, links: { help: '/help', privacy: '/privacy' } })
const samples = sampleLocals(texts)

const named = (view: ViewName, state = '') => {
  const sample = samples.find(each => each.view === view && each.state === state)
  if (!sample) throw new Error(`There is no sample "${view}" "${state}"`)
  return sample
}
const nameOf = ({ view, state }: Sample) => (state ? `${view}.${state}` : view)
// The union of samples doesn't distribute over render's parameters; each sample was checked where it is written.
const render = ({ view, locals }: Sample) => views.render(view, locals as never)

// Serves samples by name, and keeps what forms send.
const posted: { path: string; fields: URLSearchParams }[] = []
let pages = new Map(samples.map(sample => [`/${nameOf(sample)}`, render(sample)]))
let server: Server
let origin: string
let context: BrowserContext

// Runs in the page; as text, since the types of the DOM stay out of a server's program.
const measure = `(() => {
  const all = selector => [...document.querySelectorAll(selector)].filter(element => element.offsetParent)
  const isSmall = element => {
    const { width, height } = (element.closest('label') ?? element).getBoundingClientRect()
    return width < 24 || height < 24
  }
  return {
    overflow: document.documentElement.scrollWidth - innerWidth,
    headings: document.querySelectorAll('h1').length,
    primary: all('.button.primary, .button.danger').length,
    actions: all('.button').length,
    small: all('a, button, input, summary')
      .filter(element => !element.closest('p, dd') && isSmall(element))
      .map(element => element.outerHTML),
  }
})()`
interface Measured {
  overflow: number
  headings: number
  primary: number
  actions: number
  small: string[]
}

const bodyOf = async (request: IncomingMessage) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return new URLSearchParams(Buffer.concat(chunks).toString())
}

const open = async (sample: Sample, options: BrowserContextOptions = {}): Promise<Page> => {
  context = await (await browser()).newContext({ reducedMotion: 'reduce', ...options })
  const page = await context.newPage()
  await page.goto(origin + nameOf(sample))
  return page
}
const sent = async (page: Page, press: () => Promise<unknown>) => {
  posted.length = 0
  await Promise.all([page.waitForURL('**/sent**'), press()])
  expect(posted).to.have.length(1)
  return Object.fromEntries(posted[0]?.fields ?? [])
}

describe('pages', () => {
  before(async () => {
    server = createServer(async (request, response) => {
      const path = new URL(request.url ?? '/', 'http://localhost').pathname
      const asset = assets.get(path)
      if (asset) return response.writeHead(200, { 'content-type': asset.type }).end(asset.body)
      if (request.method === 'POST') posted.push({ path, fields: await bodyOf(request) })
      const body = request.method === 'POST' ? '' : pages.get(path)
      response
        .writeHead(body === undefined ? 404 : 200, {
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': csp,
        })
        .end(body)
    })
    await new Promise<void>(resolve => server.listen(0, 'localhost', resolve))
    origin = `http://localhost:${(server.address() as AddressInfo).port}/`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  afterEach(() => context?.close())

  it('have a sample of every view, and a view for every template', async () => {
    expect([...new Set(samples.map(({ view }) => view))].sort()).to.deep.equal([...viewNames].sort())
    const files = await readdir(new URL('../../views/', import.meta.url))
    const templates = files.flatMap(file => /^([^_].*)\.pug$/.exec(file)?.[1] ?? [])
    expect(templates.sort()).to.deep.equal([...viewNames].sort())
  })

  describe('templates', () => {
    let folder: string
    // The compiled template is a function of `self`; TypeScript judges what it reads of it.
    const typed = (name: ViewName, source: string) =>
      `import type { CommonLocals, ViewLocals } from ${JSON.stringify(`${root}src/http/locals.ts`)}
       declare const pug: any
       export ${source
         .replace(
           /function template\(locals\)/,
           `function template(locals: CommonLocals & ViewLocals['${name}'])`,
         )
         .replace('var self = locals || {}', 'const self = locals')}`
    const options = { ...templateOptions, inlineRuntimeFunctions: false, name: 'template' }
    const check = async (sources: Readonly<Record<string, string>>): Promise<string> => {
      for (const [file, source] of Object.entries(sources))
        await writeFile(join(folder, `${file}.ts`), source)
      const compilerOptions = {
        ...{ noEmit: true, strict: false, strictNullChecks: true, skipLibCheck: true, noImplicitThis: false },
        ...{ target: 'es2024', lib: ['es2024'], module: 'esnext', moduleResolution: 'bundler' },
        ...{
          types: ['node'],
          typeRoots: [join(root, 'node_modules/@types')],
          allowImportingTsExtensions: true,
          resolveJsonModule: true,
        },
      }
      const files = Object.keys(sources).map(file => `${file}.ts`)
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
      return promisify(execFile)(process.execPath, [
        join(root, 'node_modules/typescript/bin/tsc'),
        '-p',
        folder,
      ]).then(
        () => '',
        // Pug's own loops declare their variables twice.
        ({ stdout }: { stdout: string }) =>
          stdout
            .split('\n')
            .filter(line => !line.includes('TS2403'))
            .join('\n'),
      )
    }
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'sallyport-views-'))
    })
    after(() => rm(folder, { recursive: true }))

    it('read no local, text or property that is not declared', async () => {
      const sources = viewNames.map(
        name => [name, typed(name, pug.compileFileClient(templatePath(name), options))] as const,
      )
      expect(await check(Object.fromEntries(sources))).to.equal('')
    }).timeout(60_000)

    it('are caught when they do', async () => {
      const compile = (source: string) => typed('email', pug.compileClient(source, options))
      const found = await check({
        local: compile('p= self.pasword'),
        nested: compile('if self.passkey\n  p= self.passkey.optoins'),
        unguarded: compile('p= self.passkey.options'),
        other: compile('p= self.forgotUrl'),
        free: compile('p= email'),
        text: compile("p= self.t('email.headnig')"),
        right: compile("p(title=self.app)= self.t('email.heading')"),
      })
      const files = [...found.matchAll(/(\w+)\.ts\(/g)].map(([, file]) => file)
      expect([...new Set(files)].sort()).to.deep.equal([
        'free',
        'local',
        'nested',
        'other',
        'text',
        'unguarded',
      ])
    }).timeout(60_000)

    it('put nothing into a page unescaped but the QR code and the logout form', async () => {
      const folder = new URL('../../views/', import.meta.url)
      const files = (await readdir(folder)).filter(file => file.endsWith('.pug'))
      const raw: string[] = []
      for (const file of files)
        for (const line of (await readFile(new URL(file, folder), 'utf8')).split('\n'))
          if (/!=|!\{/.test(line.replaceAll(/!==/g, ''))) raw.push(line.trim())
      expect(raw.sort()).to.deep.equal(['!= self.formHtml', '.qr!= self.qr'])
    })
  })

  describe('of every kind', () => {
    let own: BrowserContext
    let page: Page
    let complaints: string[] = []
    const audit = async (axe: AxeBuilder) => {
      const { violations } = await axe.setLegacyMode().analyze()
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
    }
    before(async () => {
      own = await (await browser()).newContext({ reducedMotion: 'reduce' })
      page = await own.newPage()
      page.on('console', message => message.type() === 'error' && complaints.push(message.text()))
      page.on('pageerror', error => complaints.push(error.message))
    })
    after(() => own.close())

    for (const sample of samples)
      it(`${nameOf(sample)}: accessible in light and dark, on a phone, a desktop and at 320 px`, async () => {
        complaints = []
        expect(render(sample)).not.to.match(/<style|style=|<script>|\son\w+=/)
        await page.setViewportSize({ width: 390, height: 844 })
        await page.emulateMedia({ colorScheme: 'light' })
        await page.goto(origin + nameOf(sample))
        expect(await audit(new AxeBuilder({ page }).withTags(rules)), 'light').to.deep.equal([])
        await page.setViewportSize({ width: 1280, height: 844 })
        await page.emulateMedia({ colorScheme: 'dark' })
        expect(await audit(new AxeBuilder({ page }).withRules(colours)), 'dark').to.deep.equal([])
        await page.setViewportSize({ width: 320, height: 640 })
        const seen = await page.evaluate<Measured>(measure)
        expect(seen.overflow, 'scrolls sideways').to.be.at.most(0)
        expect(seen.headings).to.equal(1)
        expect(seen.small, 'targets under 24 px').to.deep.equal([])
        // In a list the primary action appears with the first tick, or on the page that a row leads to.
        const lists = [
          ...['admin-coverage', 'admin-actions', 'admin-help', 'support-cases'],
          ...['account-sessions', 'account-apps', 'account-activity'],
        ]
        if (lists.includes(sample.view) || (sample.view === 'admin-users' && sample.state !== 'all'))
          expect(seen.primary).to.equal(0)
        else expect(seen.primary, 'primary actions').to.equal(seen.actions === 0 ? 0 : 1)
        expect(complaints).to.deep.equal([])
      })
  })

  it('keep what people typed as text: script injection, attribute injection and braces in every local', async () => {
    const evil = `"'><script>1</script><i class=evil onfocus=1 autofocus>{name} <b>&amp;</b> '{'${'x'.repeat(80)}`
    const trusted = new Set(['qr', 'formHtml', 'code'])
    const poison = (value: unknown, key = ''): unknown => {
      if (typeof value === 'string') return trusted.has(key) || key === 'icon' ? value : evil
      if (Array.isArray(value)) return key === 'steps' ? value : value.map(each => poison(each))
      if (typeof value === 'object' && value !== null)
        return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, poison(each, name)]))
      return value
    }
    const poisoned = samples.map(sample => ({ ...sample, locals: poison(sample.locals) }) as Sample)
    const wholesome = pages
    pages = new Map(poisoned.map(sample => [`/${nameOf(sample)}`, render(sample)]))
    try {
      const page = await open(named('email'), { viewport: { width: 320, height: 640 } })
      for (const sample of poisoned) {
        await page.goto(origin + nameOf(sample))
        const injected = await page.locator('.evil, [onfocus], script:not([src])').count()
        const elements = await page.locator('body *').count()
        const { overflow } = await page.evaluate<Measured>(measure)
        expect(overflow, `${nameOf(sample)} scrolls sideways`).to.be.at.most(0)
        expect(injected, nameOf(sample)).to.equal(0)
        expect(elements, nameOf(sample)).to.be.greaterThan(5)
      }
      await page.goto(`${origin}consent`)
      expect(await page.getByRole('heading', { level: 1 }).textContent()).to.equal(
        `Allow ${evil} to use your account?`,
      )
      await page.goto(`${origin}email.error`)
      expect(await page.getByLabel('Email address').inputValue()).to.equal(evil)
    } finally {
      pages = wholesome
    }
  }).timeout(120_000)

  describe('accessible names', () => {
    const table: readonly [
      Sample,
      string,
      readonly (readonly ['button' | 'link' | 'textbox' | 'checkbox' | 'img', string])[],
    ][] = [
      [
        named('email'),
        'Log in',
        [
          ['textbox', 'Email address'],
          ['button', 'Continue'],
          ['button', 'Continue with a passkey'],
        ],
      ],
      [
        named('password'),
        'Enter your password',
        [
          ['link', 'Edit'],
          ['button', 'Continue'],
          ['link', 'Forgot password?'],
        ],
      ],
      [
        named('setup'),
        'Set up two-factor authentication',
        [
          ['img', 'QR code'],
          ['textbox', 'One-time code'],
          ['button', 'Continue'],
          ['button', 'Not now'],
        ],
      ],
      [
        named('recovery-code'),
        'Save your recovery code',
        [
          ['button', 'Copy code'],
          ['button', 'Download'],
          ['button', 'Print'],
          ['checkbox', 'I have safely recorded this code'],
          ['button', 'Continue'],
        ],
      ],
      [
        named('passkey-offer'),
        'Log in faster with a passkey',
        [
          ['button', 'Continue'],
          ['button', 'Not now'],
        ],
      ],
      [
        named('code'),
        'Verify your identity',
        [
          ['textbox', 'One-time code'],
          ['button', 'Continue'],
          ['button', 'Use a passkey'],
          ['link', 'Use a recovery code'],
        ],
      ],
      [
        named('recovery'),
        'Use your recovery code',
        [
          ['textbox', 'Recovery code'],
          ['button', 'Continue'],
        ],
      ],
      [
        named('set-up-again'),
        'Set up your authenticator again?',
        [
          ['button', 'Set up now'],
          ['button', 'Not now'],
        ],
      ],
      [
        named('passkey-first'),
        'Verify your identity',
        [
          ['button', 'Use a passkey'],
          ['button', 'I can’t use my passkey'],
        ],
      ],
      [
        named('mailed-code'),
        'Check your email',
        [
          ['textbox', 'One-time code'],
          ['button', 'Continue'],
          ['button', 'Send another code'],
        ],
      ],
      [
        named('consent'),
        'Allow Northbeam Reports to use your account?',
        [
          ['button', 'Allow'],
          ['button', 'Deny'],
        ],
      ],
      [
        named('error'),
        'This login has expired',
        [
          ['link', 'Start again'],
          ['link', 'Back to Fleetdesk'],
        ],
      ],
      [
        named('logout'),
        'Log out?',
        [
          ['button', 'Log out'],
          ['button', 'Stay logged in'],
        ],
      ],
      [named('unblock'), 'Unblock your login?', [['button', 'Unblock']]],
      [
        named('first-run'),
        'Create your organisation',
        [
          ['textbox', 'Organisation'],
          ['textbox', 'Your name'],
          ['textbox', 'Email address'],
          ['button', 'Create'],
        ],
      ],
    ]
    for (const [sample, heading, controls] of table)
      it(`of ${sample.view} are the documented ones`, async () => {
        const page = await open(sample)
        expect(await page.getByRole('heading', { level: 1, name: heading, exact: true }).count()).to.equal(1)
        for (const [role, name] of controls)
          expect(await page.getByRole(role, { name, exact: true }).count(), `${role} ${name}`).to.equal(1)
      })

    it('of fields that have no role or show on demand are labels', async () => {
      const page = await open(named('password'))
      expect(await page.getByLabel('Password', { exact: true }).getAttribute('type')).to.equal('password')
      await page.goto(`${origin}new-password`)
      expect(await page.getByLabel('New password', { exact: true }).getAttribute('type')).to.equal('password')
      await page.goto(`${origin}recovery-code`)
      const code = page.getByLabel('Recovery code', { exact: true })
      expect(await code.textContent()).to.equal('K7QM-4TXD-9WHB-R3FN-6YPC-V8JA')
      await page.goto(`${origin}setup`)
      const key = page.getByLabel('Setup key', { exact: true })
      expect(await key.isVisible()).to.equal(false)
      await page.getByText('Trouble scanning?', { exact: true }).click()
      expect(await key.textContent()).to.equal('JBSW Y3DP EHPK 3PXP GEZD GNBV GY3T QOJQ')
      expect(await key.isVisible()).to.equal(true)
    })
  })

  it('start their title with "Error:" when something went wrong, focus the wrong field and describe it', async () => {
    const page = await open(named('first-run', 'error'))
    expect(await page.title()).to.equal('Error: Create your organisation · Sallyport')
    const focused = page.locator(':focus')
    expect(await focused.getAttribute('name')).to.equal('name')
    expect(await focused.getAttribute('aria-invalid')).to.equal('true')
    const description = await focused.getAttribute('aria-describedby')
    expect(await page.locator(`[id="${description}"]`).textContent()).to.equal('Enter your name.')
    await page.goto(`${origin}email.passkey-error`)
    expect(await page.title()).to.match(/^Error: Log in/)
    await page.goto(`${origin}email`)
    expect(await page.title()).to.equal('Log in · Sallyport')
  })

  it('never hold what was typed as a password or a code', () => {
    for (const { view, locals } of samples) {
      const declared = Object.keys(locals)
      expect(declared, view).not.to.include('password')
      if (view !== 'recovery-code') expect(declared, view).not.to.include('code')
    }
  })

  describe('without script', () => {
    const options = { javaScriptEnabled: false }

    it('send the email, and show no way that cannot be gone', async () => {
      const page = await open(named('email'), options)
      expect(await page.getByRole('button').allTextContents()).to.deep.equal(['Continue'])
      await page.keyboard.type('dana@northgate.example')
      const fields = await sent(page, () => page.keyboard.press('Enter'))
      expect(fields).to.deep.equal({ email: 'dana@northgate.example', webauthn: '' })
    })

    it('set an authenticator up from the key, or put it off', async () => {
      const page = await open(named('setup'), options)
      await page.getByText('Trouble scanning?').click()
      expect(await page.getByLabel('Setup key').isVisible()).to.equal(true)
      expect(await page.getByRole('button').allTextContents()).to.deep.equal(['Continue', 'Not now'])
      expect(await page.getByText('You can put this off').textContent()).to.contain('14 May 2026, 09:31 UTC')
      expect(await sent(page, () => page.getByRole('button', { name: 'Not now' }).click())).to.deep.equal({
        code: '',
        later: 'yes',
      })
      await page.goto(`${origin}setup`)
      await page.getByLabel('One-time code').fill('123 456')
      expect(await sent(page, () => page.keyboard.press('Enter'))).to.deep.equal({ code: '123 456' })
    })

    it('let the recovery code go on unticked, so that the server can say why not', async () => {
      const page = await open(named('recovery-code'), options)
      expect(await page.getByRole('button').allTextContents()).to.deep.equal(['Continue'])
      expect(await sent(page, () => page.getByRole('button').click())).to.deep.equal({})
      await page.goto(`${origin}recovery-code`)
      await page.getByLabel('I have safely recorded this code').check()
      expect(await sent(page, () => page.getByRole('button').click())).to.deep.equal({ saved: 'yes' })
    })

    it('tell that a passkey needs script, and offer the other way', async () => {
      const page = await open(named('passkey-first'), options)
      const told = page.locator('noscript .notice')
      expect(await told.isVisible()).to.equal(true)
      expect(await told.textContent()).to.contain('Passkeys need JavaScript')
      expect(await page.getByRole('button').allTextContents()).to.deep.equal(['I can’t use my passkey'])
    })

    it('answer a logout through the library’s own form', async () => {
      const page = await open(named('logout'), options)
      expect(await sent(page, () => page.getByRole('button', { name: 'Log out' }).click())).to.deep.equal({
        xsrf: 'x',
        logout: 'yes',
      })
      await page.goto(`${origin}logout`)
      expect(await sent(page, () => page.getByRole('button', { name: 'Stay' }).click())).to.deep.equal({
        xsrf: 'x',
      })
    })
  })

  describe('passkeys', () => {
    const blank = () => open(named('not-found'))

    it('are made and used, and their answer is sent by the form', async () => {
      const page = await blank()
      const authenticator = await virtualAuthenticator(page)
      await page.goto(`${origin}passkey-offer`)
      const { response: made = '' } = await sent(page, () =>
        page.getByRole('button', { name: 'Continue' }).click(),
      )
      expect(JSON.parse(made)).to.include({ type: 'public-key' })
      expect(await authenticator.credentials()).to.have.length(1)
      await page.goto(`${origin}code`)
      const { response: used = '' } = await sent(page, () =>
        page.getByRole('button', { name: 'Use a passkey' }).click(),
      )
      expect(JSON.parse(used).id).to.equal(JSON.parse(made).id)
      expect(posted[0]?.path).to.equal('/sent/passkey')
    })

    it('are offered in the autofill of the email field', async () => {
      const page = await blank()
      await virtualAuthenticator(page)
      await page.goto(`${origin}passkey-offer`)
      await sent(page, () => page.getByRole('button', { name: 'Continue' }).click())
      await page.goto(`${origin}not-found`)
      const { response = '' } = await sent(page, () => page.goto(`${origin}email`, { waitUntil: 'commit' }))
      expect(JSON.parse(response)).to.include({ type: 'public-key' })
    })

    it('that are refused leave a sentence, no alert, and the way open', async () => {
      const page = await blank()
      const authenticator = await virtualAuthenticator(page)
      await authenticator.setVerified(false)
      await page.goto(`${origin}passkey-offer`)
      await page.getByRole('button', { name: 'Continue' }).click()
      const status = page.getByRole('status')
      await page.locator('[role=status]:not(:empty)').waitFor()
      expect(await status.textContent()).to.equal(texts.t('passkey.notCreated'))
      expect(await page.getByRole('alert').count()).to.equal(0)
      await authenticator.setVerified(true)
      await sent(page, () => page.getByRole('button', { name: 'Continue' }).click())
    })

    describe('that the browser makes by itself', () => {
      // Chromium makes one beside a password that its password manager has just filled in, and has none for a test: what
      // it asks of the page is real, the answer to `mediation: 'conditional'` is a plain one of the virtual authenticator.
      const conditionalCreate = (outcome: string) => `{
        PublicKeyCredential.getClientCapabilities = async () => ({ conditionalCreate: true })
        const create = navigator.credentials.create.bind(navigator.credentials)
        navigator.credentials.create = async ({ mediation, ...rest }) => {
          if (mediation !== 'conditional') return create(rest)
          window.asked = rest.publicKey.authenticatorSelection.userVerification
          ${outcome}
        }
      }`
      const upgradePage = async (outcome: string) => {
        const page = await blank()
        await page.addInitScript(conditionalCreate(outcome))
        return page
      }

      it('are sent without a press, to where such ones are taken', async () => {
        const page = await upgradePage('return create(rest)')
        await virtualAuthenticator(page)
        const { response = '' } = await sent(page, () =>
          page.goto(`${origin}passkey-offer.upgrade`, { waitUntil: 'commit' }),
        )
        expect(JSON.parse(response)).to.include({ type: 'public-key' })
        expect(posted[0]?.path).to.equal('/sent/upgrade')
      })

      it('are not asked for where the page has no options for it, or the browser can’t', async () => {
        const able = await upgradePage('return create(rest)')
        await able.goto(`${origin}passkey-offer`)
        await able.getByRole('button', { name: 'Continue' }).waitFor()
        expect(await able.evaluate('window.asked')).to.equal(undefined)
        const unable = await upgradePage('return create(rest)')
        await unable.addInitScript('PublicKeyCredential.getClientCapabilities = async () => ({})')
        await unable.goto(`${origin}passkey-offer.upgrade`)
        await unable.getByRole('button', { name: 'Continue' }).waitFor()
        expect(await unable.evaluate('window.asked')).to.equal(undefined)
      })

      it('leave the page as it was where the browser won’t, without a word', async () => {
        const page = await upgradePage(`throw new DOMException('', 'NotAllowedError')`)
        await virtualAuthenticator(page)
        await page.goto(`${origin}passkey-offer.upgrade`)
        await page.waitForFunction('window.asked')
        expect(await page.evaluate('window.asked')).to.equal('preferred')
        expect(await page.locator('[role=status]').textContent()).to.equal('')
        await sent(page, () => page.getByRole('button', { name: 'Continue' }).click())
        expect(posted[0]?.path).to.equal('/sent')
      })

      it('come second to what the user presses meanwhile', async () => {
        const page = await upgradePage(`await new Promise(resolve => { window.finish = resolve })
          return create(rest)`)
        await virtualAuthenticator(page)
        await page.goto(`${origin}passkey-offer.upgrade`)
        await page.waitForFunction('window.finish')
        await sent(page, () => page.getByRole('button', { name: 'Not now' }).click())
        expect(posted.map(each => each.path)).to.deep.equal(['/sent'])
        expect(posted[0]?.fields.get('later')).to.equal('yes')
      })
    })

    for (const view of ['email', 'password'] as const)
      it(`of this device are announced by the ${view} page, and their absence too`, async () => {
        const page = await blank()
        const found = async () => {
          await page.locator('[name=webauthn][value]').first().waitFor({ state: 'attached' })
          return page.locator('[name=webauthn]').first().inputValue()
        }
        await page.goto(origin + view)
        expect(await found()).to.equal('none')
        await virtualAuthenticator(page, { automaticPresence: false })
        await page.reload()
        expect(await found()).to.equal('platform')
      })

    it('stay covered where the browser has none', async () => {
      context = await (await browser()).newContext()
      await context.addInitScript('delete window.PublicKeyCredential')
      const page = await context.newPage()
      await page.goto(`${origin}email`)
      await page.locator('[name=webauthn][value]').first().waitFor({ state: 'attached' })
      expect(await page.getByRole('button').allTextContents()).to.deep.equal(['Continue'])
      expect(await page.locator('[name=webauthn]').first().inputValue()).to.equal('none')
    })
  })

  describe('a code to keep', () => {
    it('is copied with one press, which is told for 2 seconds', async () => {
      const page = await open(named('recovery-code'), { permissions: ['clipboard-read', 'clipboard-write'] })
      await page.clock.install()
      await page.getByRole('button', { name: 'Copy code' }).click()
      await page.getByText('Copied', { exact: true }).waitFor()
      expect(await page.evaluate('navigator.clipboard.readText()')).to.equal('K7QM-4TXD-9WHB-R3FN-6YPC-V8JA')
      await page.clock.runFor(2100)
      expect(await page.locator('.status').textContent()).to.equal('')
    })

    it('is copied as an app takes it, without the spaces of the setup key', async () => {
      const page = await open(named('setup', 'phone'), { permissions: ['clipboard-read', 'clipboard-write'] })
      await page.getByRole('button', { name: 'Copy' }).click()
      await page.getByText('Copied', { exact: true }).waitFor()
      expect(await page.evaluate('navigator.clipboard.readText()')).to.equal(
        'JBSWY3DPEHPK3PXPGEZDGNBVGY3TQOJQ',
      )
    })

    it('is downloaded without asking the server for it again', async () => {
      const page = await open(named('recovery-code'))
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Download' }).click(),
      ])
      expect(download.suggestedFilename()).to.equal('sallyport-recovery-code.txt')
      expect(await readFile(await download.path(), 'utf8')).to.equal(
        'Recovery code for Sallyport:\nK7QM-4TXD-9WHB-R3FN-6YPC-V8JA\n',
      )
    })
  })

  it('tell the end of the grace day in the reader’s own time zone', async () => {
    const page = await open(named('setup'), { timezoneId: 'Europe/Berlin', locale: 'en-GB' })
    expect(await page.locator('time').textContent()).to.match(/^Thursday,? 14 May.* 11:31 (CEST|GMT\+2)$/)
  })

  it('weigh less than 30 KB, the email page with all that it loads', async () => {
    const html = render(named('email'))
    const loaded = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, url = '']) =>
      assets.get(url),
    )
    expect(loaded).to.have.length(4)
    const bytes = loaded.reduce((sum, asset) => sum + (asset?.encoded('br').length ?? Number.NaN), 0)
    const total = bytes + brotliCompressSync(html).length
    expect(total).to.be.below(30 * 1024)
  })

  it('opened from a mail load no script', () => {
    for (const view of ['new-password', 'unblock', 'link-used', 'first-run'] as const)
      expect(render(named(view))).not.to.contain('<script')
  })
})

describe('static files', () => {
  it('have an address that changes with their content, and answer to nothing else', async () => {
    const url = assets.url('sallyport.css')
    expect(url).to.match(/^\/assets\/sallyport\.[\w-]{12}\.css$/)
    expect(assets.get(url)?.type).to.equal('text/css; charset=utf-8')
    expect(assets.get('/assets/sallyport.css')).to.equal(undefined)
    expect(assets.get('/assets/../package.json')).to.equal(undefined)
    expect(() => assets.url('nothing.css')).to.throw('nothing.css')
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-assets-'))
    try {
      await writeFile(join(folder, 'sallyport.css'), 'p{}')
      const other = createAssets(folder)
      expect(other.url('sallyport.css')).not.to.equal(url)
      expect(other.get(other.url('sallyport.css'))?.body.toString()).to.equal('p{}')
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
