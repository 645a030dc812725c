// JSON files that commands read. What is wrong with one is said in a line.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Io, UsageError } from './command.ts'

/**
 * @param flag that names the file, for messages
 * @throws UsageError for a file that cannot be read, or holds no JSON
 */
export function readJson(flag: string, file: string, io: Io): unknown {
  const path = resolve(io.cwd ?? process.cwd(), file)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError(`${flag} ${path} cannot be read: ${String((error as { code?: unknown }).code)}`)
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`${flag} ${path} holds no JSON`)
  }
}
