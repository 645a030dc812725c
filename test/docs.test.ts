// The documentation is true of the code: tables are compared with what they tell of, commands and examples are run or
// type-checked, pages are compared by accessible name, links resolve. With UPDATE_PICTURES=1 the pictures are made anew.

import { execFile, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { exportAudit } from '../src/audit-export.ts'
import { commands } from '../src/cli/commands.ts'
import { describeConfig, settingRows } from '../src/config/settings.ts'
import { ERRORS } from '../src/errors.ts'
import { BUDGETS, type Budget } from '../src/factors/attempts.ts'
import { createAssets } from '../src/http/assets.ts'
import { createViews, viewNames } from '../src/http/views.ts'
import { turnOnAuthenticator } from '../src/store/accounts/credentials.ts'
import { AUDIT_EVENTS, AUDIT_MEANINGS } from '../src/store/audit/audit-meanings.ts'
import type { Database } from '../src/store/database.ts'
import { createTexts, type TextKey } from '../src/texts.ts'
import { sampleLocals } from './http/sample-locals.ts'
import { nextCode, openTab } from './journeys/tab.ts'
import { browser } from './support/chromium.ts'
import { freePort, openStage, type Stage } from './support/stage.ts'
import { totp } from './support/tools.ts'
import { createVisitor, enrol, type RelyingParty, relyingParty } from './support/visitor.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const documents = [
  'README.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'))
    .filter(each => each.endsWith('.md'))
    .map(each => `docs/${each}`),
]

interface Block {
  readonly file: string
  readonly language: string
  readonly text: string
}

/** Fenced blocks, without the indentation that those in lists have. */
const blocks: readonly Block[] = documents.flatMap(file =>
  [...read(file).matchAll(/^( *)```(\w*)\n(.*?)^ *```$/gms)].map(
    ([, indent = '', language = '', text = '']) => ({
      file,
      language,
      text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  ),
)

const between = (file: string, mark: string) =>
  new RegExp(`<!-- ${mark} -->\n(.*)\n<!-- /${mark} -->`, 's').exec(read(file))?.[1]
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
  [head, head.map(() => '---'), ...rows]
    .map(cells => `| ${cells.join(' | ')} |`)
    .join('\n')
    .replaceAll('| --- | ', '|---| ')
/** The cells of a document's table rows; a row whose first cell does not match is left out. */
const rowsOf = (file: string, first: RegExp) =>
  read(file)
    .split('\n')
    .filter(line => /^\|.*\|$/.test(line))
    .map(line =>
      line
        .slice(1, -1)
        .split(' | ')
        .map(cell => cell.trim()),
    )
    .filter(([cell = '']) => first.test(cell))
const sameTable = (text: string | undefined, expected: string) =>
  expect(text?.replaceAll(/\|(-+\|)+/g, '')).to.equal(expected.replaceAll(/\|( ?-+ ?\|)+/g, ''))
const texts = createTexts()

describe('the documentation', function () {
  this.timeout(90_000)
  let folder: string

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-docs-'))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  describe('says what the code says:', () => {
    it('the settings', () => {
      expect(between('README.md', 'configuration')).to.equal(describeConfig().trim())
    })

    it('the commands', () => {
      const rows = commands.map(({ words, summary }) => [`\`${words.join(' ')}\``, summary])
      sameTable(between('README.md', 'commands'), table(['Command', 'Does'], rows))
    })

    it('the dependencies, each with its reason', () => {
      const section = /## Why each dependency(.*?)\n## /s.exec(read('README.md'))?.[1] ?? ''
      const named = [...section.matchAll(/^\| `([^`]+)` \| .+ \|$/gm)].map(([, name]) => name)
      const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
      expect(named.toSorted()).to.deep.equal(Object.keys(dependencies).toSorted())
    })

    it('the attempt budgets', () => {
      const most = 1000
      const waits = ({ doublings, longestWaitMs }: Budget) =>
        longestWaitMs === 0
          ? '–'
          : doublings > 0
            ? `1, 2, 4 … ${longestWaitMs / 60_000} minutes`
            : `${longestWaitMs / 3_600_000} hours`
      const rows = Object.entries(BUDGETS).map(([name, budget]: [string, Budget]) => [
        `\`${name}\``,
        budget.free < most ? budget.free : '–',
        waits(budget),
        budget.perDay,
        budget.inARow < most ? `${budget.inARow}, then none until a reset` : '–',
      ])
      const head =
        'budget | wrong tries without a wait | then a wait of | tries in 24 hours | wrong tries in a row'
      sameTable(between('docs/security-model.md', 'budgets'), table(head.split(' | '), rows))
    })

    it('the audit events, with their meanings', () => {
      const union = /export type AuditEvent =(.*?)\n\n/s.exec(read('src/store/audit/audit.ts'))?.[1] ?? ''
      const declared = [...union.matchAll(/'([\w.]+)'/g)].map(([, name]) => name)
      expect(declared.length).to.be.greaterThan(20)
      expect([...AUDIT_EVENTS].toSorted()).to.deep.equal(declared.toSorted())
      const rows = AUDIT_EVENTS.map(event => [`\`${event}\``, AUDIT_MEANINGS[event]])
      sameTable(between('docs/audit.md', 'audit'), table(['event', 'means'], rows))
    })

    it('the columns of an exported audit log', async () => {
      const nothing = { read: async () => [] } as unknown as Database
      const { value } = await exportAudit(nothing, 'org', 'csv').next()
      const told = rowsOf(
        'docs/audit.md',
        /^`(time|event|account_id|actor_id|address|factors|reason|interaction|details|id)`/,
      )
      const columns = told.flatMap(([first = '']) => first.replaceAll('`', '').split(', '))
      expect(String(value).trim().replaceAll('"', '').split(',')).to.deep.equal(columns)
    })

    it('the errors, with their pages', () => {
      const rows = rowsOf('docs/errors.md', /^`\w+`$/)
      const told = rows.map(([code, status, heading]) => [code?.replaceAll('`', ''), Number(status), heading])
      const known = Object.entries(ERRORS).map(([code, { status }]) => [
        code,
        status,
        texts.t(`error.${code}.heading` as TextKey),
      ])
      expect(told).to.deep.equal(known)
    })

    it('the merge rules of the plugin, as they are tested', () => {
      const tested = [...read('test/plugin.test.ts').matchAll(/it\('([\w.]+): /g)].map(([, option]) => option)
      const rules = rowsOf('docs/plugin.md', /^`[\w.]+`$/).map(([option = '']) => option.replaceAll('`', ''))
      expect(tested.length).to.be.greaterThan(5)
      expect(rules).to.include.members(tested)
    })

    it('the changes of this version', () => {
      const { version } = JSON.parse(read('package.json')) as { version: string }
      expect(read('CHANGELOG.md')).to.include(`## ${version}`)
    })
  })

  describe('names only what is there:', () => {
    const slug = (heading: string) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-')

    it('links', () => {
      const links = documents.flatMap(file =>
        [...read(file).matchAll(/\]\((?!https?:)([^)#]*)#?([^)]*)\)/g)].map(
          ([, target = '', anchor = '']) => ({
            from: file,
            to: target === '' ? file : join(dirname(file), target),
            anchor,
          }),
        ),
      )
      const broken = links.filter(({ to, anchor }) => {
        if (!existsSync(join(root, to))) return true
        const headings = anchor === '' ? [] : [...read(to).matchAll(/^#+ (.*)$/gm)]
        return anchor !== '' && !headings.some(([, heading = '']) => slug(heading) === anchor)
      })
      expect(links.length).to.be.greaterThan(10)
      expect(broken).to.deep.equal([])
    })

    it('variables, flags and files', () => {
      const settings = settingRows().flatMap(({ name, secret }) => (secret ? [name, `${name}_FILE`] : [name]))
      const flags = ['json', 'help', 'silent', ...commands.flatMap(each => Object.keys(each.flags))]
      const unknown = documents.flatMap(file => {
        const inline = read(file)
          .replaceAll(/^ *```.*?^ *```$/gms, '')
          .matchAll(/`([^`\n]+)`/g)
        return [...inline].flatMap(([, code = '']) => [
          ...[...code.matchAll(/\bSALLYPORT_\w+/g)]
            .map(([name]) => name)
            .filter(each => !settings.includes(each)),
          ...[...code.matchAll(/--([\w-]+)/g)].flatMap(([, flag = '']) =>
            flags.includes(flag) ? [] : [`--${flag}`],
          ),
          ...[code].filter(
            each => /^(src|test|docs|examples)\/[\w./-]+$/.test(each) && !existsSync(join(root, each)),
          ),
        ])
      })
      expect(unknown.filter(each => each !== 'SALLYPORT_')).to.deep.equal([])
    })
  })

  describe('has commands', () => {
    const elsewhere: Readonly<Record<string, string>> = {
      'npm ci && npm start': 'installs everything anew; test/start.test.ts runs what npm start runs',
      'npm ci && npm test': 'it is running',
      'ISSUER=http://localhost:3000 CLIENT_ID=… CLIENT_SECRET=… node app.mjs':
        'run below, with an id and a secret',
      'pg_dump --format=custom --file=backup.dump "$DATABASE_URL"': 'a tool of PostgreSQL',
    }
    const shell = blocks.filter(each => each.language === 'sh')

    it('that are known where they are not run', () => {
      expect(shell.map(each => each.text.trim())).to.include.members(Object.keys(elsewhere))
    })

    it('that npm knows', () => {
      const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
      expect(scripts).to.include({ cli: 'node src/cli.ts', start: 'node examples/start.ts', test: 'mocha' })
      expect(scripts).to.have.property('bench')
    })

    for (const file of new Set(shell.map(each => each.file))) {
      const toRun = shell.filter(each => each.file === file && !(each.text.trim() in elsewhere))
      if (toRun.length === 0) continue
      it(`that work, in the order that they stand in ${file}`, async () => {
        const cwd = join(folder, file.replaceAll(/\W/g, '-'))
        const tools = join(cwd, 'tools')
        mkdirSync(tools, { recursive: true })
        // What npm does with the script "cli", anywhere and without the time that npm takes.
        const npm = `#!/bin/sh\n[ "$1 $2 $3 $4" = 'run --silent cli --' ] || exit 97\nshift 4\nexec node '${join(root, 'src/cli.ts')}' "$@"\n`
        writeFileSync(join(tools, 'npm'), npm)
        chmodSync(join(tools, 'npm'), 0o755)
        const path = [tools, dirname(process.execPath), process.env.PATH].join(delimiter)
        for (const { text } of toRun) {
          await run('bash', ['-euo', 'pipefail', '-c', text], { cwd, env: { PATH: path } }).catch(error => {
            throw new Error(`${file}:\n${text}\n${(error as { stderr?: string }).stderr}`, { cause: error })
          })
        }
      })
    }
  })

  describe('has examples', () => {
    const js = blocks.filter(each => ['js', 'ts'].includes(each.language))
    const isApp = (each: Block) => each.text.startsWith('// app.mjs')
    const isLogin = (each: Block) => each.file === 'README.md' && each.text.includes('openid-client')
    let stage: Stage
    let party: RelyingParty

    before(async () => {
      stage = await openStage()
      party = await relyingParty(stage)
    })
    after(() => stage?.close())

    /** Registers a client of its own, whose secret the example is given. */
    async function register(redirectUri: string): Promise<{ clientId: string; clientSecret: string }> {
      const { config } = await relyingParty(stage, { metadata: { redirect_uris: [redirectUri] } })
      const { client_id: clientId, client_secret: clientSecret } = config.clientMetadata()
      return { clientId, clientSecret: String(clientSecret) }
    }
    const logIn = async (url: string) =>
      (await enrol(stage, createVisitor(stage.origin), url, await stage.person())).end

    it('of a login, which the README’s does', async () => {
      const example = js.find(isLogin)?.text ?? ''
      const turn = /^\/\/ Redirect the user.*$/m
      expect(example).to.match(turn)
      const given = { issuer: stage.origin, ...(await register('http://localhost:4000/callback')), logIn }
      Object.assign(globalThis, { example: given })
      const file = join(folder, 'login.mjs')
      writeFileSync(
        file,
        `const { issuer, clientId, clientSecret, logIn } = globalThis.example\n${example.replace(
          turn,
          'const callbackUrl = new URL(await logIn(url.href))',
        )}\nexport const result = { sub, acr, amr, auth_time }\n`,
      )
      const { result } = (await import(pathToFileURL(file).href)) as { result: Record<string, unknown> }
      const shown = blocks.find(each => each.language === 'json' && each.file === 'README.md')?.text ?? ''
      const { acr, amr, ...others } = JSON.parse(shown) as Record<string, unknown>
      expect(result)
        .to.deep.include({ acr, amr })
        .and.have.all.keys('acr', 'amr', ...Object.keys(others))
    })

    it('of a whole app, which runs', async () => {
      const port = await freePort()
      const { clientId, clientSecret } = await register(`http://localhost:${port}/callback`)
      const file = join(folder, 'app.mjs')
      writeFileSync(file, js.find(isApp)?.text ?? '')
      const app = spawn(process.execPath, [file], {
        env: { ISSUER: stage.origin, CLIENT_ID: clientId, CLIENT_SECRET: clientSecret, PORT: String(port) },
        stdio: ['ignore', 'ignore', 'inherit'],
      })
      try {
        let started: Response | undefined
        for (let tries = 0; started === undefined && tries < 200; tries++) {
          started = await fetch(`http://localhost:${port}/`, { redirect: 'manual' }).catch(() => undefined)
          if (started === undefined) await new Promise(resolve => setTimeout(resolve, 50))
        }
        const cookie = started?.headers.getSetCookie()[0]?.split(';')[0] ?? ''
        const callback = await logIn(started?.headers.get('location') ?? '')
        const answer = await fetch(callback, { headers: { cookie } })
        expect(await answer.json()).to.include({ acr: 'urn:sallyport:acr:2fa' })
        expect((await fetch(callback, { headers: { cookie: 'login=x.y' } })).status).to.equal(400)
      } finally {
        app.kill()
      }
    })

    it('whose types are right', async () => {
      const checked = js.filter(each => !isApp(each) && !isLogin(each))
      expect(checked.length).to.be.greaterThan(5)
      const files = checked.map(({ language, text }, index) => {
        const name = `example-${index}.${language === 'ts' ? 'mts' : 'mjs'}`
        writeFileSync(join(folder, name), text)
        return name
      })
      writeFileSync(join(folder, 'given.d.mts'), GIVEN)
      const { compilerOptions } = JSON.parse(read('tsconfig.json')) as { compilerOptions: object }
      const changed = { types: ['node'], allowJs: true, checkJs: true, noImplicitAny: false }
      const paths = { sallyport: [join(root, 'src/index.ts')] }
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({
          compilerOptions: { ...compilerOptions, ...changed, paths },
          files: [...files, 'given.d.mts'],
        }),
      )
      const tsc = join(root, 'node_modules/typescript/bin/tsc')
      const { stdout } = await run(process.execPath, [tsc, '-p', folder]).catch(
        error => error as { stdout: string },
      )
      expect(stdout).to.equal('')
    })

    it('of JSON that can be read', () => {
      for (const { text } of blocks.filter(each => each.language === 'json')) JSON.parse(text)
    })

    it('of addresses, which answer', async () => {
      const known = Object.values(party.config.serverMetadata()).map(each =>
        String(each).replace(stage.origin, ''),
      )
      expect(known).to.include.members(['/jwks', '/me'])
      for (const path of ['/health/live', '/health/ready']) {
        expect((await fetch(stage.origin + path)).status).to.equal(200)
      }
    })
  })

  it('names every page, its heading and its controls, by accessible name', async () => {
    const views = createViews({ texts, assets: createAssets() })
    const page = await (await browser()).newPage()
    const found = new Map<string, Set<string>>()
    for (const { view, state, locals } of sampleLocals(texts)) {
      if (/error$/.test(state) && view !== 'new-password') continue
      // As the scripts leave it, which is quicker than running them.
      const html = views.render(view, locals as never).replaceAll(/<script.*?<\/script>|<link.*?>/g, '')
      await page.setContent(html)
      await page.locator('[data-uncover], details').evaluateAll(all => {
        for (const each of all) each.toggleAttribute(each.localName === 'details' ? 'open' : 'hidden')
      })
      // Without the stylesheet the navigation waits behind its button.
      await page.locator('[popover]').evaluateAll(all => {
        for (const each of all) each.removeAttribute('popover')
      })
      const names = found.get(view) ?? new Set()
      found.set(view, names)
      for (const name of await page.locator('summary').allInnerTexts()) names.add(`disclosure ${name}`)
      const seen = (await page.locator('body').ariaSnapshot()).matchAll(
        /- '?(button|link|searchbox|textbox|combobox|checkbox|radio|img|status|heading) "(.*?)"(?: \[level=(\d)\])?/g,
      )
      for (const [, role = '', name = '', level] of seen) {
        if (level === undefined || level === '1') names.add(`${KINDS[role] ?? role} ${name}`)
      }
    }
    await page.close()

    const listed = rowsOf('docs/pages.md', /^[a-z-]+$/).filter(
      ([name]) => name !== 'page' && !/^-+$/.test(name ?? ''),
    )
    // What is around every page of the console is told once.
    const rows = listed.filter(([name]) => name !== 'console')
    const around = listed.find(([name]) => name === 'console')?.[2] ?? ''
    expect(rows.map(([name]) => name).toSorted()).to.deep.equal([...viewNames].toSorted())
    for (const [view = '', heading = '', controls = ''] of rows) {
      const all = view.startsWith('admin-') ? `${controls}; ${around}` : controls
      const told = [...all.matchAll(/(\w+) \*\*((?:[^*]|\*[a-z]+\*)+)\*\*/g)].map(
        ([, kind, name = '']) => new RegExp(`^${kind} ${pattern(name)}$`),
      )
      const seen = [...(found.get(view) ?? [])]
      const headings = seen
        .filter(each => each.startsWith('heading '))
        .map(each => each.slice('heading '.length))
      const heard = heading
        .split(
          /, or (?:(?:after an invitation|after a passkey of another device|for an action|where there is nobody|while it runs) )?(?=[A-Z*])/,
        )
        .map(each => new RegExp(`^${pattern(each)}$`))
      if (view !== 'error') {
        expect(
          headings.filter(each => !heard.some(one => one.test(each))),
          view,
        ).to.deep.equal([])
        expect(
          heard.filter(one => !headings.some(each => one.test(each))),
          view,
        ).to.deep.equal([])
      }
      const offered = seen.filter(each => !each.startsWith('heading '))
      expect(
        offered.filter(each => !told.some(one => one.test(each))),
        `${view}: not told`,
      ).to.deep.equal([])
      expect(
        told.filter(one => !offered.some(each => one.test(each))),
        `${view}: not there`,
      ).to.deep.equal([])
    }
  })

  it('has small pictures of pages as they are', async () => {
    const pictures = ['set-up', 'demo-app', 'confirm', 'demo-console', 'users'].map(name =>
      join(root, `docs/pictures/${name}.png`),
    )
    if (process.env.UPDATE_PICTURES) await takePictures(pictures)
    for (const file of pictures) expect(statSync(file).size).to.be.within(5_000, 150_000)
    expect(readdirSync(join(root, 'docs/pictures'))).to.have.length(pictures.length)
  })
})

const KINDS: Readonly<Record<string, string>> = {
  textbox: 'field',
  searchbox: 'field',
  combobox: 'field',
  radio: 'choice',
  img: 'image',
  status: 'element',
}

/** A name in which `*word*` stands for whatever it is called. */
function pattern(name: string): string {
  return name
    .split(/\*[a-z]+\*/)
    .map(each => each.replaceAll(/[.?()]/g, '\\$&'))
    .join('.+')
}

/** What the examples take for given. */
const GIVEN = `
import * as openid from 'openid-client'
import type { Configuration } from 'oidc-provider'
import type { HostAccounts, HostUser } from 'sallyport'
declare global {
  const client: typeof openid
  const sallyport: openid.Configuration
  const request: Record<string, string>
  const callbackUrl: URL
  const expectedState: string, pkceCodeVerifier: string, refreshToken: string, idToken: string, subject: string
  function keep(refreshToken: string | undefined): void
  const issuer: string, secretKey: string, cookieKeys: string[]
  const yourConfiguration: Configuration, clients: Configuration['clients'], jwks: Configuration['jwks']
  const accounts: HostAccounts
  const findByEmail: HostAccounts['findByEmail'], claims: HostAccounts['claims']
  const verifyPassword: NonNullable<HostAccounts['verifyPassword']>
  const users: {
    byEmail(email: string): Promise<{ id: string; email: string; name: string } | undefined>
    byId(id: string): Promise<{ email: string }>
    checkPassword(id: string | undefined, password: string): Promise<boolean>
  }
}
`

async function takePictures([
  setUp = '',
  demoApp = '',
  confirm = '',
  console = '',
  users = '',
]: readonly string[]): Promise<void> {
  const stage = await openStage()
  const person = await stage.person({ graceUntil: 'tomorrow', role: 'admin' })
  const tab = await openTab(stage, { viewport: { width: 900, height: 760 }, colorScheme: 'light' })
  await tab.start()
  await tab.identify(person.email)
  await tab.enterPassword()
  await tab.see('Set up two-factor authentication')
  await tab.page.screenshot({ path: setUp })
  const key = await tab.page.locator('output#key').textContent()
  await tab.enterCode(await totp(key ?? '', new Date(stage.now())))
  await tab.page.getByLabel('I have safely recorded this code').check()
  await tab.press('Continue')
  await tab.arrive()
  await tab.page.screenshot({ path: demoApp })
  await tab.follow('Fleetdesk')
  await tab.see('Devices')
  for (const name of ['Reception laptop', 'Sales laptop']) await tab.page.getByLabel(`Choose ${name}`).check()
  await tab.press('Delete selected devices at Acme')
  await tab.see('Confirm: delete 2 devices at Acme')
  await tab.page.screenshot({ path: confirm })
  await tab.fill('One-time code', await nextCode(stage, key ?? ''))
  await tab.press('Confirm')
  await tab.read('2 devices deleted at Acme')
  await tab.page.screenshot({ path: console })
  const { organisationId } = person
  for (const name of ['Aisha Rahman', 'Ben Okafor', 'Chiara Lombardi', 'Emil Johansson', 'Fatou Diallo']) {
    const { id } = await stage.person({ name, organisationId })
    if (name === 'Fatou Diallo') continue
    const on = turnOnAuthenticator({ id, epoch: 0 }, `sealed ${id}`, 1, stage.now())
    await stage.running.services.database.commit(on)
  }
  await tab.page.setViewportSize({ width: 1120, height: 760 })
  await tab.open(`${stage.origin}/admin/users`)
  await tab.see('Security and authentication')
  for (const name of ['Aisha Rahman', 'Emil Johansson']) await tab.page.getByLabel(`Select ${name}`).check()
  await tab.page.screenshot({ path: users })
  await tab.close()
  await stage.close()
}
