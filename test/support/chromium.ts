// A real Chromium for the tests: the one of CHROMIUM_PATH, one that the machine has, or one that is installed now.
// A machine where none can be had fails the tests that need it; they are never skipped.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Browser, type CDPSession, chromium, type LaunchOptions, type Page } from 'playwright-core'
import { atEnd, beforeRun } from './hooks.ts'
import { execute, findTool, installDebian, isExecutable, say } from './machine.ts'

const run = promisify(execFile)
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']

let path: Promise<string> | undefined

/**
 * The path of a Chromium or Chrome that runs here; installs one where there is none.
 * @throws an Error that says what was tried
 */
export function findChromium(): Promise<string> {
  path ??= locate()
  return path
}

async function locate(): Promise<string> {
  const asked = process.env.CHROMIUM_PATH
  if (asked) {
    if (await isExecutable(asked)) return asked
    throw new Error(`CHROMIUM_PATH=${asked} is not an executable file`)
  }
  const present = await installed()
  if (present) return present

  say('no Chromium or Chrome on this machine: installing one (set CHROMIUM_PATH to use your own)')
  const debian = await installDebian('chromium')
  const packaged = debian === undefined ? await installed() : undefined
  if (packaged) return packaged
  say(`Debian's chromium: ${debian ?? 'installed, but it does not run'}; trying playwright-core's download`)
  const cli = join(dirname(createRequire(import.meta.url).resolve('playwright-core/package.json')), 'cli.js')
  const code = await execute(process.execPath, [cli, 'install', 'chromium'])
  const downloaded = await installed()
  if (downloaded) return downloaded
  throw new Error(
    'These tests need Chromium or Chrome, and none could be installed: ' +
      `${debian ?? 'the Debian package does not run here'}; \`playwright-core install chromium\` ended with exit code ${code}. ` +
      'Install one, or set CHROMIUM_PATH.',
  )
}

async function installed(): Promise<string | undefined> {
  const onPath = process.platform === 'win32' ? undefined : await findTool(names, ['/usr/bin', '/snap/bin'])
  for (const file of [onPath, ...applications(), chromium.executablePath()])
    if (file && existsSync(file) && (await runs(file))) return file
  return undefined
}

function applications(): string[] {
  if (process.platform === 'darwin')
    return ['/Applications', join(homedir(), 'Applications')].flatMap(folder => [
      join(folder, 'Google Chrome.app/Contents/MacOS/Google Chrome'),
      join(folder, 'Chromium.app/Contents/MacOS/Chromium'),
    ])
  if (process.platform === 'win32')
    return ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].flatMap(variable => {
      const folder = process.env[variable]
      return folder
        ? ['Google/Chrome', 'Chromium'].map(name => join(folder, name, 'Application/chrome.exe'))
        : []
    })
  return []
}

// Ubuntu's chromium-browser outside snap is a script that only explains itself; Windows' chrome.exe opens a window.
async function runs(file: string): Promise<boolean> {
  if (process.platform === 'win32') return true
  return run(file, ['--version'], { timeout: 30_000 }).then(
    () => true,
    () => false,
  )
}

const switches = [
  '--headless',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** A Chromium of the caller's own. It is closed at the end of the run, if not before. */
export async function launch(options: LaunchOptions = {}): Promise<Browser> {
  // Chromium's sandbox refuses to run as root.
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const own = await chromium.launch({
    executablePath: await findChromium(),
    ...options,
    args: [...switches, ...sandbox, ...(options.args ?? [])],
  })
  atEnd(() => own.close())
  return own
}

let shared: Promise<Browser> | undefined

/** The one Chromium that all suites of a run share: open a context in it, close the context, leave it open. */
export async function browser(): Promise<Browser> {
  // One that crashed takes its suite down, not the suites after it.
  if (shared !== undefined && !(await shared).isConnected()) shared = undefined
  shared ??= launch()
  return shared
}

// Installing takes longer than a test may.
beforeRun(findChromium)

export type VirtualAuthenticator = {
  /** DevTools session, for its other WebAuthn commands. */
  session: CDPSession
  authenticatorId: string
  /** Whether the authenticator answers as if its user touched it at once. */
  setPresence(automatic: boolean): Promise<void>
  /** Whether its user verification (fingerprint, PIN) succeeds. */
  setVerified(verified: boolean): Promise<void>
  /** The credentials it holds; ids are base64 here and base64url in the page. */
  credentials(): Promise<
    {
      credentialId: string
      isResidentCredential: boolean
      rpId?: string
      signCount: number
      userName?: string
      userDisplayName?: string
    }[]
  >
  remove(): Promise<void>
}

/**
 * Gives the page a platform authenticator with resident keys and user verification, by DevTools.
 * @param options.transport `hybrid`: it is on another device, such as a phone that scanned a QR code
 * @param options.automaticPresence default true; with an autofill request pending on a page, true logs in on load
 */
export async function virtualAuthenticator(
  page: Page,
  options: { automaticPresence?: boolean; transport?: 'internal' | 'hybrid' } = {},
): Promise<VirtualAuthenticator> {
  const session = await page.context().newCDPSession(page)
  await session.send('WebAuthn.enable')
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      // DevTools' name for it is older.
      transport: options.transport === 'hybrid' ? 'cable' : 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: options.automaticPresence ?? true,
    },
  })
  return {
    session,
    authenticatorId,
    async setPresence(enabled) {
      await session.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled })
    },
    async setVerified(isUserVerified) {
      await session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified })
    },
    async credentials() {
      return (await session.send('WebAuthn.getCredentials', { authenticatorId })).credentials
    },
    async remove() {
      await session.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId })
      await session.detach()
    },
  }
}
