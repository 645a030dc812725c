// The documentation is true of the code: its tables are compared, its links resolve, its commands are run.

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { describeConfig } from '../src/config.ts'
import { ERRORS } from '../src/errors.ts'
import { BUDGETS } from '../src/factors/attempts.ts'
import { createAssets } from '../src/http/assets.ts'
import { createViews } from '../src/http/views.ts'
import { createTexts } from '../src/texts.ts'
import { sampleLocals } from './http/sample-locals.ts'
import { launch } from './support/chromium.ts'

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

describe('the documentation', function () {
  this.timeout(60_000)

  it('has the settings as the program has them', () => {
    const table = /<!-- configuration -->\n(.*)\n<!-- \/configuration -->/s.exec(read('README.md'))?.[1]
    expect(table).to.equal(describeConfig().trim())
  })

  it('says why each dependency, and names no other', () => {
    const section = /## Why each dependency(.*?)\n## /s.exec(read('README.md'))?.[1] ?? ''
    const named = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name)
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
    expect(named.toSorted()).to.deep.equal(Object.keys(dependencies).toSorted())
  })

  it('has the attempt budgets as they are', () => {
    const text = read('docs/security-model.md')
    expect([...text.matchAll(/^\| `([a-z]+)` \|/gm)].map(([, name]) => name)).to.deep.equal(
      Object.keys(BUDGETS),
    )
    const row = (name: string) => new RegExp(`^\\| \`${name}\`.*$`, 'm').exec(text)?.[0] ?? ''
    const { code, interaction, password, mail } = BUDGETS
    expect(row('code')).to.include(`| ${code.free} |`).and.include(`| ${code.perDay} |`)
    expect(row('code'))
      .to.include(`| ${code.inARow}, `)
      .and.include(`${code.longestWaitMs / 60_000} minutes`)
    expect(row('interaction')).to.include(`| ${interaction.perDay}, `)
    expect(row('password')).to.include(`| ${password.free} | ${password.longestWaitMs / 3_600_000} hours`)
    expect(row('mail')).to.include(`| ${mail.perDay} |`)
  })

  it('explains every error', () => {
    const rows = [...read('docs/errors.md').matchAll(/^\| `(\w+)` \| (\d+) \|/gm)]
    expect(
      Object.fromEntries(rows.map(([, code, status]) => [code, { status: Number(status) }])),
    ).to.deep.equal(ERRORS)
  })

  it('names headings and controls that the pages have', () => {
    const catalogue = Object.values(JSON.parse(read('views/texts/en.json')) as Record<string, string>).map(
      each => each.replaceAll(/<[^>]+>/g, ''),
    )
    const text = read('docs/pages.md')
    const headings = [...text.matchAll(/^\| ([^|]+) \| [^|]+\|$/gm)].flatMap(([, heading = '']) =>
      heading === 'heading' || heading.startsWith('---') ? [] : [heading.replace('*app*', '{app}')],
    )
    const controls = [...text.matchAll(/\*\*([^*]+)\*\*/g)].map(([, control]) => control)
    expect(headings.length).to.be.greaterThan(10)
    expect([...headings, ...controls].filter(each => !catalogue.includes(each ?? ''))).to.deep.equal([])
  })

  it('links to what is there', () => {
    const broken = documents.flatMap(file =>
      [...read(file).matchAll(/\]\((?!https?:)([^)#]+)/g)]
        .filter(([, target = '']) => !existsSync(join(root, dirname(file), target)))
        .map(([, target]) => `${file}: ${target}`),
    )
    expect(broken).to.deep.equal([])
  })

  it('has the changes of this version', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string }
    expect(read('CHANGELOG.md')).to.include(`## ${version}`)
  })

  // These are run by `.ci/run`, or by the tests of examples/start.ts and of the server.
  const elsewhere = ['npm ci && npm start', 'npm ci && npm test']

  it('has commands that work, in the order that they stand in', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-docs-'))
    let ran = 0
    try {
      for (const file of documents) {
        const ids = new Map<string, string>()
        const commands = [...read(file).matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block = '']) =>
          block.trim().split('\n'),
        )
        for (const command of commands.filter(each => !elsewhere.includes(each))) {
          expect(command, `${file}: not run by any test`).to.match(/^npm run --silent cli -- /)
          const words = [...command.replace('npm run --silent cli -- ', '').matchAll(/"([^"]*)"|(\S+)/g)].map(
            ([, quoted, bare]) => quoted ?? ids.get(bare ?? '') ?? bare ?? '',
          )
          const { stdout } = await run(process.execPath, [join(root, 'src/cli.ts'), ...words], {
            cwd: folder,
            env: { PATH: process.env.PATH ?? '', SALLYPORT_DATA_DIR: join(folder, file.replace('/', '-')) },
          })
          if (command.includes('org create')) ids.set('<org-id>', (JSON.parse(stdout) as { id: string }).id)
          ran++
        }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    expect(ran).to.be.greaterThan(7)
  })

  it('has a picture that is no lie', async () => {
    const file = join(root, 'docs/pictures/set-up.png')
    if (!process.env.UPDATE_PICTURES) {
      expect(statSync(file).size).to.be.within(10_000, 150_000)
      return
    }
    const texts = createTexts()
    const assets = createAssets()
    const sample = sampleLocals(texts).find(each => each.view === 'setup')
    if (sample?.view !== 'setup') throw new Error('no sample of the set-up page')
    const html = createViews({ texts, assets }).render('setup', sample.locals)
    const browser = await launch()
    const page = await browser.newPage({ viewport: { width: 900, height: 760 } })
    await page.route('**/*', route => {
      const { pathname } = new URL(route.request().url())
      const asset = assets.get(pathname)
      return asset === undefined
        ? route.fulfill({ contentType: 'text/html; charset=utf-8', body: html })
        : route.fulfill({ contentType: asset.type, body: asset.body })
    })
    await page.goto('http://localhost:9/')
    await page.screenshot({ path: file })
    await browser.close()
  })
})
