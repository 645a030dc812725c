// Files that commands read. What is wrong with one is said in a line.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Io, UsageError } from './command.ts'

/**
 * @param flag that names the file, for messages
 * @throws UsageError for a file that cannot be read, or holds no JSON
 */
export function readJson(flag: string, file: string, io: Io): unknown {
  try {
    return JSON.parse(readText(flag, file, io))
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${flag} ${pathOf(file, io)} holds no JSON`)
  }
}

/** @throws UsageError for a file that cannot be read */
export function readText(flag: string, file: string, io: Io): string {
  const path = pathOf(file, io)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError(`${flag} ${path} cannot be read: ${String((error as { code?: unknown }).code)}`)
  }
}

function pathOf(file: string, io: Io): string {
  return resolve(io.cwd ?? process.cwd(), file)
}
