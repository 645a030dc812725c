// The machine that the tests run on: which programs it has, and Debian's packages where one is missing. Whatever is done
// to it is said on stderr.

import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** Says on stderr what is done to the machine. */
export function say(text: string): void {
  process.stderr.write(`[test set-up] ${text}\n`)
}

/** The first of `names` that is an executable file in PATH or in `folders`, or undefined. */
export async function findTool(names: string[], folders: string[] = []): Promise<string | undefined> {
  const endings = process.platform === 'win32' ? ['.exe', '.cmd', ''] : ['']
  const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  for (const name of names)
    for (const folder of [...path, ...folders])
      for (const ending of endings) {
        const file = join(folder, name + ending)
        if (await isExecutable(file)) return file
      }
  return undefined
}

/** Whether this user may execute `file`. */
export async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Runs a program with its output on stderr. Resolves to its exit code; a program that cannot start counts as 127. */
export function execute(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  return new Promise(resolve => {
    const child = spawn(command, args, { stdio: ['ignore', 2, 2], env: { ...process.env, ...env } })
    child.once('error', () => resolve(127))
    child.once('close', code => resolve(code ?? 1))
  })
}

/**
 * Installs Debian packages, if this is a Debian-like machine and this user is root or has sudo without a password.
 * Resolves to undefined when that worked, else to the reason why not, as the end of a sentence.
 */
export async function installDebian(...packages: string[]): Promise<string | undefined> {
  const apt = process.platform === 'linux' ? await findTool(['apt-get'], ['/usr/bin']) : undefined
  if (apt === undefined) return 'this machine has no apt-get'
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  if (sudo.length > 0 && (await execute('sudo', ['-n', 'true'])) !== 0)
    return 'apt-get needs root, or sudo that asks for no password'
  const lists = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', apt, '-q', '-o', 'DPkg::Lock::Timeout=300']
  for (const step of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
    const [command = '', ...args] = [...lists, ...step]
    say(`${[...sudo, 'apt-get', ...step].join(' ')}`)
    const code = await execute(command, args)
    if (code !== 0) return `apt-get ${step[0]} ended with exit code ${code}`
  }
  return undefined
}
