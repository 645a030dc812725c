// The files that the configuration reads and makes.

import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Files, for the tests of a machine that has others. */
export interface Files {
  /** @returns the file's text and mode; undefined if there is no such file */
  read(path: string): { text: string; mode: number } | undefined
  /** Creates a file that only its owner may read, whole or not at all; one that is there stays as it is. */
  create(path: string, text: string): void
}

export const systemFiles: Files = {
  read(path) {
    try {
      return { text: readFileSync(path, 'utf8'), mode: statSync(path).mode }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  },
  create(path, text) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const owned = { mode: 0o600, flag: 'wx' } as const
    const draft = `${path}.${randomBytes(6).toString('hex')}`
    try {
      writeFileSync(draft, text, owned)
      // A link is made whole or not at all, and never over a file that is there; some file systems have none.
      try {
        linkSync(draft, path)
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return
        writeFileSync(path, text, owned)
      }
    } finally {
      rmSync(draft, { force: true })
    }
  },
}

/** Why the system refused a file, such as EACCES; it says nothing of what is in it. */
export function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code ?? error)
}
