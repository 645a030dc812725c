// One example of every page, and of every state of a page that looks different: what the tests and the pictures show.

import { accountSamples } from './samples/account.ts'
import { consoleAuditSamples } from './samples/console-audit.ts'
import { consoleRulesSamples } from './samples/console-rules.ts'
import { consoleSsoSamples } from './samples/console-sso.ts'
import { consoleUserSamples } from './samples/console-user.ts'
import { consoleUsersSamples } from './samples/console-users.ts'
import type { Catalogue, Sample } from './samples/ground.ts'
import { loginSamples } from './samples/login.ts'
import { mailedSamples } from './samples/mailed.ts'
import { plainSamples } from './samples/plain.ts'
import { supportSamples } from './samples/support.ts'

export type { Sample } from './samples/ground.ts'

/** @param catalogue the catalogue that the errors and notices come from, as the routes take them */
export const sampleLocals = (catalogue: Catalogue): readonly Sample[] => [
  ...loginSamples(catalogue),
  ...plainSamples(catalogue),
  ...mailedSamples(catalogue),
  ...accountSamples(catalogue),
  ...consoleUsersSamples(catalogue),
  ...consoleUserSamples(catalogue),
  ...consoleRulesSamples(catalogue),
  ...consoleAuditSamples(catalogue),
  ...consoleSsoSamples(catalogue),
  ...supportSamples(catalogue),
]
