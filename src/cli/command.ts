// What a command of the command line is: words, flags, and work. Flags are read strictly and every slip is said in one
// line before anything is opened, so that wrong use changes nothing. Leaves out the commands themselves.

import type { Readable, Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import { didYouMean } from '../did-you-mean.ts'

/** Where a command reads and writes. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>
  /** What relative paths start from; default: the working directory. */
  readonly cwd?: string | undefined
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
}

/** Where an Io's relative paths start, as `loadConfig` takes it. */
export function locationOf({ cwd }: Io): { cwd?: string } {
  return cwd === undefined ? {} : { cwd }
}

export interface Flag {
  /** What its value is, in angle brackets in the help; unset: the flag has no value. */
  readonly value?: string
  readonly required?: true
  /** May be given several times. */
  readonly several?: true
  readonly meaning: string
}

export interface Flags {
  text(name: string): string | undefined
  /** A flag that is required: it is there. */
  needed(name: string): string
  list(name: string): readonly string[] | undefined
  has(name: string): boolean
}

export interface Command {
  readonly words: readonly string[]
  readonly summary: string
  readonly flags: Readonly<Record<string, Flag>>
  /** @returns the exit code; default 0 */
  run(flags: Flags, io: Io): Promise<number | undefined>
}

/** Wrong use, in one line. Nothing was changed. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** Flags that every command has. */
const COMMON: Readonly<Record<string, Flag>> = {
  json: { meaning: 'Print JSON, for scripts.' },
  help: { meaning: 'Print this help.' },
}

/** @throws UsageError */
export function readFlags(command: Command, args: readonly string[]): Flags {
  const known: Readonly<Record<string, Flag>> = { ...command.flags, ...COMMON }
  const options = Object.fromEntries(
    Object.entries(known).map(([name, flag]) => [
      name,
      {
        type: flag.value === undefined ? ('boolean' as const) : ('string' as const),
        multiple: flag.several === true,
      },
    ]),
  )
  // Not strict: what is wrong is said in our own words, below.
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values = new Map<string, string[]>()
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') throw new UsageError(`"${token.value}" is not expected here`)
    const flag = Object.hasOwn(known, token.name) ? known[token.name] : undefined
    if (flag === undefined || !token.rawName.startsWith('--')) {
      const names = Object.keys(known).map(name => `--${name}`)
      throw new UsageError(`${token.rawName} is no flag of this command${didYouMean(token.rawName, names)}`)
    }
    if (flag.value === undefined && token.value !== undefined)
      throw new UsageError(`--${token.name} takes no value`)
    // A value that begins with a dash is meant only where it is tied to its flag: --name=-x
    const missing = !token.inlineValue && token.value?.startsWith('-')
    if (flag.value !== undefined && (token.value === undefined || token.value === '' || missing)) {
      throw new UsageError(`--${token.name} needs a value: --${token.name} <${flag.value}>`)
    }
    const before = values.get(token.name) ?? []
    if (before.length > 0 && !flag.several) throw new UsageError(`--${token.name} is given twice`)
    values.set(token.name, [...before, token.value ?? ''])
  }
  const lacking = Object.keys(known).filter(name => known[name]?.required && !values.has(name))
  if (lacking.length > 0 && !values.has('help')) {
    throw new UsageError(
      `${lacking.map(name => `--${name}`).join(', ')} ${lacking.length > 1 ? 'are' : 'is'} missing`,
    )
  }
  return {
    text: name => values.get(name)?.[0],
    needed: name => values.get(name)?.[0] ?? '',
    list: name => values.get(name),
    has: name => values.has(name),
  }
}

/** The help of one command. */
export function helpOf(command: Command, program: string): string {
  const flags = Object.entries({ ...command.flags, ...COMMON }).map(([name, flag]) => {
    const form = flag.value === undefined ? `--${name}` : `--${name} <${flag.value}>`
    const remark = flag.required ? ' Required.' : flag.several ? ' May be given several times.' : ''
    return [form, `${flag.meaning}${remark}`] as const
  })
  return `${program} ${command.words.join(' ')}: ${command.summary}\n\n${columns(flags)}`
}

/** Two columns, the first as wide as its widest. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([first]) => first.length))
  return rows.map(([first, second]) => `  ${first.padEnd(width)}  ${second}\n`).join('')
}

/** Prints the object itself with `--json`, else what it says to people. */
export function print(io: Io, flags: Flags, object: unknown, people: string): void {
  io.stdout.write(flags.has('json') ? `${JSON.stringify(object, null, 2)}\n` : people)
}

/** Everything that is read page by page, for a command that prints all of it. */
export async function allOf<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const row of rows) all.push(row)
  return all
}
