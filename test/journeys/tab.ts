// A user's browser tab, by what the user sees: headings, labels, names of buttons and links. Every page that it sees is
// judged: by axe in light and dark, once per page and what it offers; no answer of 500 or more, no script error, nothing that
// the Content-Security-Policy stopped. With JOURNEY_PICTURES=folder each is also kept as a picture.

import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import { expect } from 'chai'
import { type BrowserContext, type BrowserContextOptions, devices, type Page } from 'playwright-core'
import { browser } from '../support/chromium.ts'
import { PASSWORD, type Stage } from '../support/stage.ts'
import { totp } from '../support/tools.ts'

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const OF_COLOUR = ['color-contrast', 'link-in-text-block']
const pictures = process.env.JOURNEY_PICTURES

/** For {@link openTab}: what a phone's browser says of itself. */
export const PHONE: BrowserContextOptions = devices['Pixel 7'] ?? {}

export interface Tab {
  readonly page: Page
  readonly context: BrowserContext
  /** Opens an address. */
  open(url: string): Promise<void>
  /** Opens the demo app, and chooses "Log in" there. */
  start(): Promise<void>
  /** Waits until the app has been told of a logout: it offers a login. */
  letGo(): Promise<void>
  /** Waits for the page with this level-1 heading, and judges it. */
  see(heading: string): Promise<void>
  /** Waits for a sentence on the page, and judges the page with it. */
  read(sentence: string | RegExp): Promise<void>
  fill(label: string, text: string): Promise<void>
  /** @param button its name */
  press(button: string): Promise<void>
  /** @param link its name */
  follow(link: string): Promise<void>
  /** Whether a button of this name shows. */
  offers(button: string): Promise<boolean>
  /** From the email page to the one after it. */
  identify(email: string): Promise<void>
  /** From the password page to the one after it. */
  enterPassword(password?: string): Promise<void>
  /** Types a one-time code and goes on. */
  enterCode(code: string): Promise<void>
  /** Waits for the demo app's page, and goes on to what it was told. @returns the claims that it shows */
  arrive(): Promise<Record<string, string>>
  /** Forgets every cookie: a browser that was never here. */
  forget(): Promise<void>
  /** Another tab of the same browser. */
  another(): Promise<Tab>
  close(): Promise<void>
}

/** Opens a browser of its own, as far as cookies go, with one tab. */
export async function openTab(stage: Stage, options: BrowserContextOptions = {}): Promise<Tab> {
  const context = await (await browser()).newContext({ reducedMotion: 'reduce', ...options })
  context.setDefaultTimeout(15_000)
  return tabOf(stage, context, options)
}

/** The one-time code that an authenticator shows in the next 30 seconds: the one of now may be used already. */
export async function nextCode(stage: Stage, secret: string): Promise<string> {
  stage.advance(30_000)
  return totp(secret, new Date(stage.now()))
}

async function tabOf(stage: Stage, context: BrowserContext, options: BrowserContextOptions): Promise<Tab> {
  const page = await context.newPage()
  const scripted = options.javaScriptEnabled !== false
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(error.message))
  page.on('console', message => {
    if (message.type() === 'error' && message.text().includes('Content Security Policy')) {
      complaints.push(message.text())
    }
  })
  page.on('response', response => {
    if (response.status() >= 500) complaints.push(`${response.status()} ${response.url()}`)
  })

  const button = (name: string) => page.getByRole('button', { name, exact: true })

  async function look(): Promise<void> {
    expect(complaints).to.deep.equal([])
    const ours = [stage.origin, stage.demoOrigin].includes(new URL(page.url()).origin)
    // axe is a script itself.
    if (scripted && ours) await judge(page, options.isMobile === true)
  }

  const tab: Tab = {
    page,
    context,
    async open(url) {
      await page.goto(url)
    },
    async start() {
      await page.goto(stage.demoOrigin)
      await tab.follow('Log in')
    },
    async letGo() {
      const offered = page.getByRole('link', { name: 'Log in', exact: true })
      const end = Date.now() + 15_000
      for (;;) {
        await page.goto(stage.demoOrigin)
        if ((await offered.count()) > 0) return
        if (Date.now() > end) throw new Error('the app was not told of the logout')
        await page.waitForTimeout(200)
      }
    },
    async see(heading) {
      const found = page.getByRole('heading', { level: 1, name: heading, exact: true })
      await found.waitFor().catch(async error => {
        const instead = await page.locator('h1').allInnerTexts()
        throw new Error(`no page "${heading}", but "${instead.join()}" at ${page.url()}`, { cause: error })
      })
      await look()
    },
    async read(sentence) {
      await page.getByText(sentence).filter({ visible: true }).first().waitFor()
      await look()
    },
    fill: (label, text) => page.getByLabel(label, { exact: true }).fill(text),
    press: name => button(name).click(),
    follow: name => page.getByRole('link', { name, exact: true }).click(),
    offers: name => button(name).isVisible(),
    async identify(email) {
      await tab.see('Log in')
      await tab.fill('Email address', email)
      await tab.press('Continue')
    },
    async enterPassword(password = PASSWORD) {
      await tab.see('Enter your password')
      await tab.fill('Password', password)
      await tab.press('Continue')
    },
    async enterCode(code) {
      await tab.fill('One-time code', code)
      await tab.press('Continue')
    },
    async arrive() {
      await tab.see('Devices')
      await tab.follow('Your login')
      await tab.see('Your login')
      const rows = await page.locator('tbody tr').all()
      const claims = await Promise.all(
        rows.map(async row => [
          await row.locator('th').innerText(),
          await row.locator('td').first().innerText(),
        ]),
      )
      return Object.fromEntries(claims) as Record<string, string>
    },
    forget: () => context.clearCookies(),
    another: () => tabOf(stage, context, options),
    close: () => context.close(),
  }
  return tab
}

const judged = new Set<string>()

// Runs in the page; as text, since the types of the DOM stay out of a server's program. Two pages that offer the same are
// one, whatever is written on them; what a page complains of is judged with the views.
const offered = `[...document.querySelectorAll('button, a, input')]
  .filter(each => each.checkVisibility())
  .map(each => [each.tagName, each.className, each.name, each.type].join())
  .join()`

async function judge(page: Page, phone: boolean): Promise<void> {
  const heading = await page.locator('h1').innerText()
  const what = `${heading}\n${phone}\n${await page.evaluate<string>(offered)}`
  const id = createHash('sha256').update(what).digest('hex').slice(0, 6)
  if (judged.has(id)) return
  judged.add(id)
  const found: string[] = []
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme })
    if (pictures !== undefined) await takePicture(page, pictures, `${heading} ${id} ${scheme}`)
    const axe = new AxeBuilder({ page })
      .setLegacyMode()
      .options({ preload: false, resultTypes: ['violations'] })
    const { violations } = await (scheme === 'light'
      ? axe.withTags(RULES)
      : axe.withRules(OF_COLOUR)
    ).analyze()
    found.push(
      ...violations.map(each => `${scheme}: ${each.id} at ${each.nodes.map(({ html }) => html).join(' ')}`),
    )
  }
  await page.emulateMedia({ colorScheme: null })
  expect(found, heading).to.deep.equal([])
}

/** As it is, and on a desktop also as narrow as a phone is. */
async function takePicture(page: Page, folder: string, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const take = (width: number) =>
    page.screenshot({
      fullPage: true,
      caret: 'initial',
      path: join(folder, `${`${name} ${width}`.replaceAll(/[^\w]+/g, '-')}.png`),
    })
  const size = page.viewportSize()
  if (size === null) return
  await take(size.width)
  if (size.width < 500) return
  await page.setViewportSize({ width: 390, height: 844 })
  await take(390)
  await page.setViewportSize(size)
}
