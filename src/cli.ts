#!/usr/bin/env node
// The command line: finds the command, and turns what went wrong into one line and an exit code. 0: done; 1: it could
// not be done, or `doctor` found something; 2: wrong use or configuration, nothing changed.

import { readFileSync } from 'node:fs'
import { type Command, columns, helpOf, type Io, readFlags, UsageError } from './cli/command.ts'
import { commands, inputFault } from './cli/commands.ts'
import { ConfigError } from './config/problems.ts'
import { didYouMean } from './did-you-mean.ts'
import { AppError } from './errors.ts'
import { describeError } from './log.ts'
import { InputError } from './organisations/directory.ts'
import { SealBroken } from './store/seal.ts'

const PROGRAM = 'sallyport'

/**
 * Runs one command.
 *
 * @param argv without the program: `['org', 'create', '--name', 'Acme', …]`
 * @returns the exit code
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let where = PROGRAM
  try {
    if (argv[0] === 'help') return await main([...argv.slice(1), '--help'], io)
    const words = leadingWords(argv)
    const command = commands.find(each => startsWith(words, each.words))
    if (command === undefined) return overview(words, argv, io)
    where = `${PROGRAM} ${command.words.join(' ')}`
    const flags = readFlags(command, argv.slice(command.words.length))
    if (flags.has('help')) {
      io.stdout.write(helpOf(command, PROGRAM))
      return 0
    }
    return (await command.run(flags, io)) ?? 0
  } catch (error) {
    const { code, lines } = faultOf(error)
    io.stderr.write(lines.map(line => `${where}: ${line}\n`).join(''))
    return code
  }
}

/** Without a whole command: help where it was asked for, else what is missing. */
function overview(words: readonly string[], argv: readonly string[], io: Io): number {
  const within = commands.filter(each => startsWith(each.words, words))
  if (within.length > 0 && argv.slice(words.length).some(each => each === '--help' || each === '-h')) {
    io.stdout.write(helpOfAll(within))
    return 0
  }
  if (words.length === 0 && argv[0] === '--version') {
    io.stdout.write(`${version()}\n`)
    return 0
  }
  const names = commands.map(each => each.words.join(' '))
  if (words.length === 0 && argv.length > 0)
    throw new UsageError(`"${argv[0]}" is not expected here: the command comes first`)
  if (words.length === 0) throw new UsageError(`say what to do; ${PROGRAM} --help lists the commands`)
  if (within.length > 0)
    throw new UsageError(`"${words.join(' ')}" is not complete: ${within.map(nameOf).join(', ')}`)
  throw new UsageError(`"${words.join(' ')}" is no command${didYouMean(words.join(' '), names)}`)
}

const nameOf = (command: Command): string => command.words.join(' ')

function helpOfAll(within: readonly Command[]): string {
  const rows = within.map(each => [nameOf(each), each.summary] as const)
  return `${PROGRAM} <command>, each with --json and --help:\n\n${columns(rows)}`
}

/** What stands before the first flag, at most three words. */
function leadingWords(argv: readonly string[]): string[] {
  const end = argv.findIndex(each => each.startsWith('-'))
  return argv.slice(0, Math.min(end < 0 ? argv.length : end, 3))
}

function startsWith(words: readonly string[], start: readonly string[]): boolean {
  return start.every((word, index) => words[index] === word)
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return String((JSON.parse(text) as { version: unknown }).version)
}

function faultOf(error: unknown): { code: number; lines: readonly string[] } {
  if (error instanceof UsageError) return { code: 2, lines: [error.message] }
  if (error instanceof InputError) return { code: 2, lines: [inputFault(error)] }
  if (error instanceof ConfigError) return { code: 2, lines: error.problems }
  if (error instanceof SealBroken) return { code: 2, lines: [error.message] }
  const { code, detail, cause = [], stack } = describeError(error, false)
  if (error instanceof AppError) return { code: 1, lines: [[detail ?? code, ...cause].join(': ')] }
  return { code: 1, lines: (stack ?? `${code}: ${detail}`).split('\n') }
}

if (import.meta.main) {
  const { env, stdin, stdout, stderr } = process
  // A reader that has seen enough, such as `head`, is no fault.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  process.exitCode = await main(process.argv.slice(2), { env, stdin, stdout, stderr })
}
