// The commands: each reads its flags, calls one function of the product and prints what came of it. No rule is made
// here; what may be created is judged by `organisations/directory.ts` and `clients.ts`.

import { checkConfig, loadConfig } from '../config/config.ts'
import { settingRows } from '../config/settings.ts'
import { diagnose, reportOf } from '../doctor.ts'
import {
  createAgent,
  createUser,
  type InputError,
  inviteUser,
  ROLES,
  type User,
  type UserRole,
} from '../organisations/directory.ts'
import { signingKeys } from '../store/oidc/signing-keys.ts'
import { createKeyring } from '../store/seal.ts'
import { checkSecretKeys, useSecretKeys } from '../store/secret-keys.ts'
import {
  actionsList,
  actionsSet,
  apiCreate,
  apiList,
  rulesList,
  rulesTighten,
  rulesUndo,
} from './action-commands.ts'
import { auditExport, auditVerify } from './audit-commands.ts'
import { clientCreate, clientList, clientUpdate } from './client-commands.ts'
import { type Command, type Flag, type Flags, type Io, locationOf, print, UsageError } from './command.ts'
import { jobList } from './job-commands.ts'
import { mailBounced, mailQueue } from './mail-commands.ts'
import {
  enforcementReportCommand,
  orgAccessList,
  orgCreate,
  orgList,
  orgLogOut,
  orgSessions,
  orgSubscribe,
  orgUpdate,
} from './organisation-commands.ts'
import { userReset } from './reset-commands.ts'
import { schemaFault, withDatabase, withDirectory } from './store.ts'
import { userDeactivate, userList, userLogOut, userReactivate, userRole } from './user-commands.ts'

const migrate: Command = {
  words: ['migrate'],
  summary: 'Bring the database up to date, and make signing keys if there are none.',
  flags: {},
  async run(flags, io) {
    const config = loadConfig(io.env, locationOf(io))
    const ran = await withDatabase(config, async database => {
      const { pending, unknown } = await database.migrations()
      const newer = schemaFault({ pending: [], unknown })
      if (newer !== undefined) throw new UsageError(newer)
      const done = pending.length > 0 ? await database.migrate() : []
      // From here on, whatever is sealed in this database is sealed by these keys: others are refused by name.
      const keyring = createKeyring(config.secretKeys)
      await checkSecretKeys(database, keyring)
      await signingKeys(database, keyring, Date.now())
      await useSecretKeys(database, keyring, Date.now())
      return done
    })
    const people = ran.length > 0 ? `Migrated: ${ran.join(', ')}\n` : 'The database is up to date.\n'
    print(io, flags, { ran }, people)
    for (const warning of config.warnings) io.stderr.write(`warning: ${warning}\n`)
    return undefined
  },
}

const serve: Command = {
  words: ['serve'],
  summary: 'Run the server until it is told to stop (SIGINT, SIGTERM).',
  flags: {},
  async run() {
    // The provider is loaded where it is needed only: other commands start at once.
    return (await import('../server.ts')).serve()
  },
}

const userFlags: Readonly<Record<string, Flag>> = {
  org: { value: 'id', required: true, meaning: 'The id of the organisation.' },
  email: { value: 'address', required: true, meaning: 'The email address that the user logs in with.' },
  name: { value: 'name', required: true, meaning: 'The name of the user.' },
  role: { value: ROLES.join('|'), required: true, meaning: 'What the user may do in the organisation.' },
}

const SUPPORT = 'support'

const userCreate: Command = {
  words: ['user', 'create'],
  summary: 'Create a user: active with a password, else without a way in until they are invited.',
  flags: {
    ...userFlags,
    org: {
      value: 'id',
      meaning: 'The id of the organisation. Required, but for the role support, which has none.',
    },
    role: {
      value: [...ROLES, SUPPORT].join('|'),
      required: true,
      meaning: 'What the user may do in the organisation; support: an agent of the vendor, with a password.',
    },
    'password-stdin': {
      meaning: 'Read the password from standard input (one line). The mailbox counts as proven.',
    },
  },
  async run(flags, io) {
    if (flags.needed('role') === SUPPORT) return createSupportAgent(flags, io)
    if (!flags.has('org')) throw new UsageError('--org is missing')
    const input = userInput(flags)
    const password = flags.has('password-stdin') ? await readPassword(io) : undefined
    const user = await withDirectory(io, directory => createUser(directory, { ...input, password }))
    printUser(io, flags, user, 'User created')
    return undefined
  },
}

async function createSupportAgent(flags: Flags, io: Io): Promise<undefined> {
  if (flags.has('org')) throw new UsageError('--org: the role support has no organisation')
  if (!flags.has('password-stdin'))
    throw new UsageError('--password-stdin is missing: an agent has a password')
  const { email, name } = { email: flags.needed('email'), name: flags.needed('name') }
  const password = await readPassword(io)
  const agent = await withDirectory(io, directory => createAgent(directory, { email, name, password }))
  print(
    io,
    flags,
    { ...agent, organisation_id: null },
    `Support agent created: ${agent.name} <${agent.email}>\n  id  ${agent.id}\n`,
  )
  return undefined
}

const userInvite: Command = {
  words: ['user', 'invite'],
  summary: 'Create a user and mail them an invitation; or mail it again.',
  flags: userFlags,
  async run(flags, io) {
    const input = userInput(flags)
    const user = await withDirectory(io, directory => inviteUser(directory, input))
    printUser(io, flags, user, 'User invited')
    return undefined
  },
}

const config: Command = {
  words: ['config'],
  summary: 'Print all settings: what they mean, their defaults, and what is set here.',
  flags: {},
  async run(flags, io) {
    const rows = settingRows(io.env)
    const people = rows.map(({ name, fallback, meaning, value, secret }) => {
      const now = value === undefined ? `unset: ${fallback}` : value
      return `${name}${secret ? ` (or ${name}_FILE)` : ''}\n  ${meaning}\n  now ${now}\n`
    })
    print(io, flags, rows, people.join('\n').replaceAll('`', ''))
    // Says what is wrong with it, as every command does.
    for (const warning of checkConfig(io.env, locationOf(io))) io.stderr.write(`warning: ${warning}\n`)
    return undefined
  },
}

const doctor: Command = {
  words: ['doctor'],
  summary: 'Check configuration, database, keys, mail, the public address and what is registered.',
  flags: {},
  async run(flags, io) {
    const checks = await diagnose(io.env, locationOf(io))
    print(io, flags, checks, reportOf(checks))
    return checks.some(check => check.outcome === 'failed') ? 1 : 0
  },
}

export const commands: readonly Command[] = [
  migrate,
  serve,
  orgCreate,
  orgList,
  orgUpdate,
  orgSubscribe,
  orgAccessList,
  orgSessions,
  orgLogOut,
  enforcementReportCommand,
  userCreate,
  userInvite,
  userReset,
  userList,
  userLogOut,
  userDeactivate,
  userReactivate,
  userRole,
  clientCreate,
  clientUpdate,
  clientList,
  actionsSet,
  actionsList,
  apiCreate,
  apiList,
  rulesTighten,
  rulesUndo,
  rulesList,
  config,
  doctor,
  mailQueue,
  mailBounced,
  jobList,
  auditVerify,
  auditExport,
]

/** How the things that the product judges are called on the command line. */
const FLAG_OF: Readonly<Record<string, string>> = {
  organisationId: '--org',
  subscribedAt: '--subscribed-at',
  organisationPlan: 'the plan',
  inactiveHours: '--inactive-hours',
  endDays: '--end-days',
  at: '--at',
  user: 'the user',
  email: '--email',
  role: '--role',
  reason: '--reason',
  name: '--name',
  plan: '--plan',
  access_list: 'the access list',
  password: 'the password',
  client_id: '--id',
  client_secret: '--secret',
  client_name: '--name',
  redirect_uris: '--redirect-uri',
  post_logout_redirect_uris: '--post-logout-redirect-uri',
  backchannel_logout_uri: '--backchannel-logout-uri',
  resource: '--resource',
  scopes: '--scopes',
  api_name: '--name',
  client: '--client',
  actions: 'the list of actions',
  action: '--action',
  rule: '--rule',
}

/** What is wrong with the input, in the words of the command line. */
export function inputFault(error: InputError): string {
  return `${FLAG_OF[error.field] ?? error.field} ${error.fault}`
}

function userInput(flags: Flags) {
  const role = ROLES.find(each => each === flags.needed('role'))
  if (role === undefined) throw new UsageError(`--role must be ${ROLES.join(' or ')}`)
  return {
    organisationId: flags.needed('org'),
    email: flags.needed('email'),
    name: flags.needed('name'),
    role: role satisfies UserRole,
  }
}

function printUser(io: Io, flags: Flags, user: User, title: string): void {
  const { id, organisationId, email, name, role, status } = user
  print(
    io,
    flags,
    { id, organisation_id: organisationId, email, name, role, status },
    `${title}: ${user.name} <${user.email}>, ${user.role}, ${user.status}\n  id  ${user.id}\n`,
  )
}

const LONGEST_INPUT = 4096

/** One line of standard input. */
async function readPassword(io: Io): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of io.stdin) {
    const bytes = Buffer.from(chunk as Buffer | string)
    length += bytes.length
    if (length > LONGEST_INPUT) throw new UsageError('the password on standard input is too long')
    chunks.push(bytes)
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw new UsageError('the password on standard input is not UTF-8')
  }
  const password = text.replace(/\r?\n$/, '')
  if (password === '') throw new UsageError('standard input holds no password')
  return password
}
