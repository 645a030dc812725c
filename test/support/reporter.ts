// Mocha's spec report, and its counts as JSON in the file that MOCHA_COUNTS_FILE names, for scripts.

import { writeFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import mocha from 'mocha'

export default function reporter(runner: Mocha.Runner, options: Mocha.MochaOptions): Mocha.reporters.Spec {
  const spec = new mocha.reporters.Spec(runner, options)
  const file = process.env.MOCHA_COUNTS_FILE
  if (file)
    runner.once('end', () => {
      if (!isAbsolute(file)) throw new Error('MOCHA_COUNTS_FILE must be an absolute path')
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {}
      writeFileSync(file, JSON.stringify({ passed: passes, failed: failures, skipped: pending }))
    })
  return spec
}
