// Programs of other people that the tests judge us by: zbarimg reads our QR codes, oathtool computes our codes. One that
// is missing is installed where Debian's packages can be; where not, it is an error, never a skipped test.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { beforeRun } from './hooks.ts'
import { findTool, installDebian } from './machine.ts'

const run = promisify(execFile)
const packages = { zbarimg: 'zbar-tools', oathtool: 'oathtool' }

type Tool = keyof typeof packages

let installation: Promise<string | undefined> | undefined

async function installMissing(): Promise<string | undefined> {
  const missing: string[] = []
  for (const [tool, name] of Object.entries(packages)) if (!(await findTool([tool]))) missing.push(name)
  return missing.length > 0 ? installDebian(...missing) : undefined
}

async function need(tool: Tool): Promise<string> {
  installation ??= installMissing()
  const reason = await installation
  const file = await findTool([tool], ['/usr/bin'])
  if (file) return file
  throw new Error(
    `These tests need ${tool}: install it (Debian: ${packages[tool]}) or put it on PATH; ${reason ?? 'it is not there'}.`,
  )
}

/**
 * What a QR code says, read by zbarimg.
 * @param png the picture; the code needs a white quiet zone around it
 * @throws when no code is in the picture, or zbarimg cannot be had
 */
export async function readQr(png: Buffer): Promise<string> {
  const zbarimg = await need('zbarimg')
  const job = run(zbarimg, ['-q', '--raw', '-Sbinary=0', '-'], { encoding: 'utf8' })
  job.child.stdin?.on('error', () => undefined).end(png)
  const { stdout } = await job.catch(error => {
    throw new Error('zbarimg found no QR code in the picture', { cause: error })
  })
  return stdout.replace(/\n$/, '')
}

/**
 * The one-time code of RFC 6238 (SHA-1, 6 digits, 30 seconds), computed by oathtool.
 * @param secretBase32 the setup key, spaces allowed
 * @param at the time, default now
 */
export async function totp(secretBase32: string, at: Date = new Date()): Promise<string> {
  const oathtool = await need('oathtool')
  const now = at.toISOString().replace('T', ' ').replace(/\..*$/, ' UTC')
  const job = run(oathtool, ['--totp', '-b', '-N', now, '-'], { encoding: 'utf8' })
  job.child.stdin?.on('error', () => undefined).end(`${secretBase32.replaceAll(' ', '')}\n`)
  return (await job).stdout.trim()
}

// Installing takes longer than a test may.
beforeRun(() => need('zbarimg'))
