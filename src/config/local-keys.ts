// Secret keys for one machine, for whoever sets none: made at the first start and kept in the data folder.

import { randomBytes } from 'node:crypto'
import type { Config } from './config.ts'
import { codeOf, type Files } from './files.ts'
import { ConfigError, Problem } from './problems.ts'
import { keyList } from './values.ts'

/** The keys, made if there are none. @throws ConfigError if the file is there and holds no keys */
export function localKeys(path: string, files: Files): { keys: Config['secretKeys']; warnings: string[] } {
  try {
    const warnings: string[] = []
    let held = files.read(path)
    if (held === undefined) {
      files.create(path, `${randomBytes(32).toString('hex')}\n`)
      // Another process may have been first: its keys are the ones.
      held = files.read(path)
      warnings.push(`SALLYPORT_SECRET_KEYS is unset: keys were generated into ${path}`)
    } else {
      warnings.push(`SALLYPORT_SECRET_KEYS is unset: the generated keys of ${path} are used`)
    }
    const keys = keyList(held?.text.trim() ?? '')
    if (((held?.mode ?? 0) & 0o077) !== 0)
      warnings.push(`${path} can be read by others: its mode should be 600`)
    return { keys, warnings }
  } catch (error) {
    const why = error instanceof Problem ? error.message : `cannot be used: ${codeOf(error)}`
    throw new ConfigError([`SALLYPORT_SECRET_KEYS is unset, and ${path} ${why}`])
  }
}
