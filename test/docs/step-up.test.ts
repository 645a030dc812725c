// Copy, paste, works: every snippet of the pages for JavaScript is run against a real provider, and answers what its page
// says. A snippet that nothing here runs fails the last test.

import { cpSync, existsSync, readFileSync, renameSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { getRequestListener } from '@hono/node-server'
import { parseStepUpChallenge } from '@sallyport/step-up'
import { expect } from 'chai'
import type { Page } from 'playwright-core'
import {
  type Authority,
  CALLBACK,
  confirmed,
  type Deed,
  openAuthority,
  SECRET,
} from '../step-up/authority.ts'
import { browser } from '../support/chromium.ts'
import { postgresUrl } from '../support/postgres.ts'
import { freePort } from '../support/stage.ts'
import {
  answersOf,
  asTold,
  blocksOf,
  openWorkshop,
  pageNames,
  readPage,
  root,
  type Workshop,
} from './guide.ts'

const BOTH = ['dev_17', 'dev_23']
const FRAMEWORKS = ['express.md', 'koa.md', 'fastify.md', 'hono.md', 'next.md']

/** Stands for what a reader's app keeps its sessions in: the cookie is the session. */
const SESSIONS = `
const held = new Map()
export function sessionOf({ headers }) {
  const [, cookie] = /session=([\\w-]+)/.exec(headers.cookie ?? headers.get('cookie'))
  if (!held.has(cookie)) held.set(cookie, JSON.parse(Buffer.from(cookie, 'base64url')))
  return held.get(cookie)
}
`
const sessionCookie = (session: object) =>
  `session=${Buffer.from(JSON.stringify(session)).toString('base64url')}`

const ran = new Set<string>()

describe('the step-up pages', function () {
  this.timeout(60_000)
  let authority: Authority
  let workshop: Workshop
  const servers: Server[] = []

  before(async () => {
    authority = await openAuthority()
    workshop = openWorkshop(ran)
  })
  after(async () => {
    workshop?.close()
    for (const server of servers) {
      server.closeAllConnections()
      server.close()
    }
    await authority?.close()
  })

  const given = (apiUrl = '') => ({
    ISSUER: authority.issuer,
    CLIENT_ID: 'console',
    CLIENT_SECRET: SECRET,
    REDIRECT_URI: CALLBACK,
    API_URL: apiUrl,
  })

  /** Next's half of the work: calls the handler of the file that a path leads to. */
  async function startNext(): Promise<string> {
    const folder = workshop.lay('next.md', { 'lib/session.js': SESSIONS })
    const server = createServer(
      getRequestListener(async request => {
        const file = `app${new URL(request.url).pathname}/route.js`
        if (!existsSync(join(folder, file))) return new Response('', { status: 404 })
        workshop.note('next.md', file)
        const handlers = await import(pathToFileURL(join(folder, file)).href)
        return handlers[request.method](request)
      }),
    ).listen(0, 'localhost')
    await new Promise(resolve => server.once('listening', resolve))
    servers.push(server)
    const origin = `http://localhost:${(server.address() as AddressInfo).port}`
    Object.assign(process.env, given(origin))
    for (const file of ['lib/api.js', 'lib/step-up.js']) workshop.note('next.md', file)
    return origin
  }

  for (const page of FRAMEWORKS) {
    describe(`in ${page}`, () => {
      let api: string
      let app: string

      before(async () => {
        if (page === 'next.md') {
          app = await startNext()
          api = `${app}/api`
        } else {
          workshop.lay(page, { 'session.mjs': SESSIONS })
          api = (await workshop.start(page, 'api.mjs', given())).origin
          app = (await workshop.start(page, 'app.mjs', given(api))).origin
        }
      })
      after(() => {
        for (const name of Object.keys(given())) delete process.env[name]
      })

      const [withoutToken, unconfirmed] = answersOf(page)
      const deletes = (token?: string, ids: readonly string[] = BOTH) =>
        fetch(`${api}/devices`, {
          method: 'DELETE',
          headers: {
            'content-type': 'application/json',
            ...(token !== undefined && { authorization: `Bearer ${token}` }),
          },
          body: JSON.stringify({ ids }),
        })
      const proof = () => authority.sign({ authorization_details: confirmed('device.delete', BOTH) })

      it('the API answers a request without a token as shown', async () => {
        if (withoutToken === undefined) throw new Error('no answer is shown')
        expect(await asTold(await deletes(), withoutToken)).to.deep.equal(withoutToken)
      })

      it('the API answers a token that confirms nothing as shown, and says what the JSON says', async () => {
        if (unconfirmed === undefined) throw new Error('no answer is shown')
        const answer = await deletes(await authority.sign())
        const challenge = parseStepUpChallenge(answer)
        const [shown] = blocksOf(page, 'json')
        expect({
          authorization_details: challenge?.authorizationDetails,
          authorization_reference: challenge?.authorizationReference,
        }).to.deep.equal(JSON.parse(shown?.text ?? ''))
        expect(await asTold(answer, unconfirmed)).to.deep.equal(unconfirmed)
      })

      it('the API refuses what is too weak, too old, or does not say how old', async () => {
        const [both] = answersOf('README.md')
        const rest = { authorization_details: confirmed('device.delete', BOTH) }
        for (const claims of [
          { acr: 'urn:sallyport:acr:1fa' },
          { acr: undefined },
          { auth_time: Math.floor(Date.now() / 1000) - 302 },
          { auth_time: undefined },
        ]) {
          const answer = await deletes(await authority.sign({ ...rest, ...claims }))
          expect(answer.status).to.equal(401)
          expect(answer.headers.get('www-authenticate')).to.equal(both?.headers['WWW-Authenticate'])
        }
      })

      it('the API refuses a confirmation of other devices', async () => {
        const token = await proof()
        for (const ids of [['dev_17'], [...BOTH, 'dev_24'], ['dev_17', 'dev_24']]) {
          expect((await deletes(token, ids)).status).to.equal(401)
        }
      })

      it('the API does what was confirmed, once', async () => {
        if (unconfirmed === undefined) throw new Error('no answer is shown')
        const token = await proof()
        const answer = await deletes(token, BOTH.toReversed())
        expect(answer.status).to.equal(200)
        expect(await answer.json()).to.deep.equal({ deleted: BOTH.toReversed(), by: 'dana' })
        expect(await asTold(await deletes(token), unconfirmed)).to.deep.equal(unconfirmed)
      })

      const session = async (id: string) => ({
        cookie: sessionCookie({ id, subject: 'dana', accessToken: await authority.sign() }),
      })
      /** Presses the button, and does the deed at the provider. @returns where the browser is sent then */
      async function press(headers: Record<string, string>, deed?: Deed): Promise<string> {
        const body = new URLSearchParams(BOTH.map((each): [string, string] => ['id', each]))
        const asked = await fetch(`${app}/devices/delete`, {
          method: 'POST',
          headers,
          body,
          redirect: 'manual',
        })
        expect(asked.status, await asked.text()).to.equal(303)
        const { search } = await authority.visit(asked.headers.get('location') ?? '', deed)
        return `${app}/callback${search}`
      }

      it('the app takes its user to confirm and back, and the devices are deleted', async () => {
        const headers = await session('one')
        const callback = await press(headers)
        const answer = await fetch(callback, { headers })
        expect(answer.status).to.equal(200)
        expect(JSON.parse(await answer.text())).to.deep.equal({ deleted: BOTH, by: 'dana' })
        expect((await fetch(callback, { headers })).status).to.equal(400)
      })

      it('the app takes no answer that another browser brings', async () => {
        const callback = await press(await session('two'))
        expect((await fetch(callback, { headers: await session('three') })).status).to.equal(400)
      })

      it('the app says what happened to a user who cancels, or cannot confirm', async () => {
        const headers = await session('four')
        const cancelled = await fetch(await press(headers, { press: 'cancel' }), { headers })
        expect([cancelled.status, await cancelled.text()]).to.deep.equal([200, 'Nothing was deleted.'])
        const unmet = await fetch(await press(headers, { press: 'unmet' }), { headers })
        expect(unmet.status).to.equal(403)
      })

      it('names each part once, in the same order as the other pages', () => {
        const headings = [...readPage(page).matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
        expect(headings).to.deep.equal([
          'What you get',
          'Install',
          'The API',
          'What it answers',
          "The app's back end",
          'What can go wrong',
        ])
      })
    })
  }

  it('README.md: its store is shared, and spends a proof once', async function () {
    const url = await postgresUrl()
    if (url === undefined) return this.skip()
    const folder = workshop.lay('README.md')
    process.env.DATABASE_URL = url
    const { store, createTable } = await import(pathToFileURL(join(folder, 'store.mjs')).href)
    delete process.env.DATABASE_URL
    await createTable()
    expect(await store.spend('jti:one', Date.now() + 60_000)).to.equal(true)
    expect(await store.spend('jti:one', Date.now() + 60_000)).to.equal(false)
    workshop.note('README.md', 'store.mjs')
  })

  it('README.md: its token suffices, as issued', async () => {
    const [shown] = blocksOf('README.md', 'json')
    const { checkStepUp } = await import('@sallyport/step-up')
    const claims = JSON.parse(shown?.text ?? '')
    const action = { type: 'protected_action', action: 'device.delete', objects: BOTH.toReversed() } as const
    const requirement = { acr: 'urn:sallyport:acr:2fa', maxAge: 300, action, scope: 'devices' }
    expect(checkStepUp(claims, requirement, claims.iat * 1000)).to.deep.equal({ ok: true })
    expect(claims.exp - claims.iat).to.equal(300)
  })

  it('README.md names every page, and no other', () => {
    const named = [...readPage('README.md').matchAll(/\| \[(\w+\.md)\]\(\1\) \|/g)].map(([, name]) => name)
    const others = pageNames.filter(each => each !== 'README.md')
    expect(named.toSorted()).to.deep.equal(others.toSorted())
  })

  it('lead to what is there', () => {
    const slug = (heading: string) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-')
    const links = pageNames.flatMap(page =>
      [...readPage(page).matchAll(/\]\((?!https?:)([^)#]*)#?([^)]*)\)/g)].map(([, to = '', anchor = '']) => ({
        from: page,
        to: to === '' ? page : to,
        anchor,
      })),
    )
    const broken = links.filter(({ to, anchor }) => {
      if (!existsSync(join(root, 'docs/step-up', to))) return true
      const headings = [...readPage(to).matchAll(/^#+ (.*)$/gm)]
      return anchor !== '' && !headings.some(([, heading = '']) => slug(heading) === anchor)
    })
    expect(links.length).to.be.greaterThan(20)
    expect(broken).to.deep.equal([])
  })

  describe('in browser.md', () => {
    let origin: string
    let elsewhere: Authority
    let page: Page

    before(async () => {
      const port = await freePort()
      origin = `http://localhost:${port}`
      elsewhere = await openAuthority([`${origin}/callback`])
      const env = { ISSUER: elsewhere.issuer }
      workshop.lay('express.md')
      const api = (await workshop.start('express.md', 'api.mjs', { ...given(), ...env })).origin
      const source = (file: string) => stripTypeScriptTypes(readFileSync(join(root, file), 'utf8'))
      const modules = Object.fromEntries(
        ['browser', 'parse', 'constants'].map(each => [
          `public/step-up/${each}.ts`,
          source(`src/step-up/${each}.ts`),
        ]),
      )
      const jose = join(root, 'node_modules/jose/dist/webapi')
      const imports = {
        '@sallyport/step-up/browser': '/step-up/browser.ts',
        'jose/base64url': '/jose/util/base64url.js',
      }
      const folder = workshop.lay('browser.md', {
        ...modules,
        'session.mjs': SESSIONS,
        'public/index.html': `<!doctype html><title>Devices</title><script type="importmap">${JSON.stringify({ imports })}</script>
          <button>Delete</button><output></output><script type="module">
          import { deleteDevices } from './page.js'
          document.querySelector('button').onclick = async () => {
            document.querySelector('output').textContent = ''
            document.querySelector('output').textContent = await deleteDevices(${JSON.stringify(BOTH)})
          }</script>`,
      })
      cpSync(jose, join(folder, 'public/jose'), { recursive: true })
      renameSync(join(folder, 'page.js'), join(folder, 'public/page.js'))
      workshop.note('browser.md', 'page.js')
      await workshop.start('browser.md', 'app.mjs', {
        ...given(api),
        ...env,
        REDIRECT_URI: `${origin}/callback`,
        PORT: String(port),
      })
      page = await (await (await browser()).newContext()).newPage()
      // Express knows no .ts.
      await page.route('**/step-up/*.ts', async route => {
        const response = await route.fetch()
        await route.fulfill({ response, headers: { 'content-type': 'text/javascript' } })
      })
      const accessToken = await elsewhere.sign()
      const [name = '', value = ''] = sessionCookie({ id: 'tab', subject: 'dana', accessToken }).split('=')
      await page.context().addCookies([{ name, value, url: origin }])
      await page.goto(origin)
    })
    after(async () => {
      await page?.context().close()
      await elsewhere?.close()
    })

    /** Clicks, and does the deed in the window that opens. */
    async function confirmIn(deed: (popup: Page) => Promise<unknown>): Promise<string | null> {
      const opens = page.waitForEvent('popup')
      await page.getByRole('button', { name: 'Delete' }).click()
      const popup = await opens
      await popup.waitForURL(/\/interaction\//)
      await deed(popup).catch(() => undefined)
      const output = page.locator('output:not(:empty)')
      await output.waitFor()
      return output.textContent()
    }
    const submit = (query: string) => (popup: Page) =>
      popup.evaluate(`{
        const form = document.createElement('form')
        form.method = 'post'
        form.action = location.href + '?${query}'
        document.body.append(form)
        form.submit()
      }`)

    it('the script is shown what the API answers', async () => {
      const [told] = answersOf('browser.md')
      if (told === undefined) throw new Error('no answer is shown')
      const cookie = sessionCookie({ id: 'a', subject: 'dana', accessToken: await elsewhere.sign() })
      const answer = await fetch(`${origin}/devices`, {
        method: 'DELETE',
        headers: { cookie, 'content-type': 'application/json' },
        body: JSON.stringify({ ids: BOTH }),
      })
      expect(await asTold(answer, told)).to.deep.equal(told)
    })

    it('nothing is deleted where the user cancels, or closes the window', async () => {
      expect(await confirmIn(submit('press=cancel'))).to.equal('Nothing was deleted.')
      expect(await confirmIn(popup => popup.close())).to.equal('Nothing was deleted.')
    })

    it('the devices are deleted once the user has confirmed, and not a second time', async () => {
      expect(await confirmIn(submit(''))).to.equal('Deleted 2 devices.')
      expect(await confirmIn(submit('press=cancel'))).to.equal('Nothing was deleted.')
    })
  })
})

// Mocha runs what stands in a suite itself before the suites in it.
describe('the step-up pages, at the end', () => {
  it('hold no snippet that was not run', () => {
    const all = pageNames.flatMap(page =>
      blocksOf(page, 'js', 'ts', 'jsx', 'mjs', 'javascript', 'typescript'),
    )
    expect(all.length).to.be.greaterThan(10)
    const untold = all.filter(({ page, path = '' }) => !ran.has(`${page} ${path}`))
    expect(untold.map(({ page, path, text }) => `${page}: ${path ?? text.split('\n')[0]}`)).to.deep.equal([])
  })
})
