// Users who are there, on the command line: listed, logged out, deactivated, reactivated, given another role. They are named by the
// address that they log in with. Leaves out how they come to be (commands.ts).

import {
  type Directory,
  InputError,
  organisationOf,
  ROLES,
  type UserRole,
} from '../organisations/directory.ts'
import { logOutUser } from '../organisations/user-access.ts'
import {
  deactivateAgent,
  deactivateUser,
  reactivateUser,
  setRole,
  type UserChange,
  type UserChoice,
} from '../organisations/users.ts'
import { readAccountByEmail } from '../store/accounts/accounts.ts'
import { everyUser, wordsOf } from '../store/accounts/user-list.ts'
import { allOf, type Command, columns, type Flag, type Flags, type Io, print, UsageError } from './command.ts'
import { withDirectory } from './store.ts'

const ORG = { value: 'id', required: true, meaning: 'The id of the organisation.' } as const
const CHOICE: Readonly<Record<string, Flag>> = {
  org: ORG,
  email: { value: 'address', required: true, meaning: 'The email address that the user logs in with.' },
}

export const userList: Command = {
  words: ['user', 'list'],
  summary: 'List an organisation’s users, by name, and where they stand with 2FA.',
  flags: {
    org: ORG,
    role: { value: ROLES.join('|'), meaning: 'Only users with this role.' },
    search: {
      value: 'words',
      meaning: 'Only users whose name or address has words that begin so: "dana whit", "@northgate".',
    },
  },
  async run(flags, io) {
    const role = flags.has('role') ? roleOf(flags) : undefined
    const words = wordsOf(flags.text('search') ?? '')
    if (flags.has('search') && words.length === 0) throw new UsageError('--search has no letters to look for')
    const users = await withDirectory(io, async directory => {
      const { id } = await organisationOf(directory, flags.needed('org'))
      return allOf(everyUser(directory.database, id, { words, role }))
    })
    const rows = users.map(({ name, email, role: has, status, standing }) => {
      return [`${name} <${email}>`, `${has}, ${status}, 2FA ${standing.replaceAll('_', ' ')}`] as const
    })
    const objects = users.map(({ standing, lastLoginAt, mailRefused, ...user }) => ({
      ...user,
      second_factor: standing,
      last_login: lastLoginAt === null ? null : new Date(lastLoginAt).toISOString(),
      mail_refused: mailRefused,
    }))
    print(io, flags, objects, rows.length === 0 ? 'There are no such users.\n' : columns(rows))
    return undefined
  },
}

export const userDeactivate: Command = {
  words: ['user', 'deactivate'],
  summary: 'Let a user in no more: sessions, tokens and mailed links end at once. Their factors are kept.',
  flags: {
    ...CHOICE,
    org: {
      value: 'id',
      meaning: 'The id of the organisation. Required, but for a support agent, who has none.',
    },
  },
  async run(flags, io) {
    if (!flags.has('org')) {
      const { agent, changed } = await withDirectory(io, directory =>
        deactivateAgent(directory, flags.needed('email')),
      )
      const { id, email, name, role, status } = agent
      print(
        io,
        flags,
        { id, organisation_id: null, email, name, role, status, changed },
        `${changed ? 'Agent deactivated' : 'Nothing to do'}: ${name} <${email}>, ${role}, ${status}\n`,
      )
      return undefined
    }
    printChange(flags, io, await changed(flags, io, deactivateUser), 'User deactivated')
    return undefined
  },
}

export const userReactivate: Command = {
  words: ['user', 'reactivate'],
  summary: 'Let a deactivated user log in again; one who never had a password, be invited again.',
  flags: CHOICE,
  async run(flags, io) {
    printChange(flags, io, await changed(flags, io, reactivateUser), 'User reactivated')
    return undefined
  },
}

export const userLogOut: Command = {
  words: ['user', 'log-out'],
  summary: 'Log a user out everywhere: sessions, tokens and pending logins end. Their factors stay.',
  flags: CHOICE,
  async run(flags, io) {
    printChange(flags, io, await changed(flags, io, logOutUser), 'User logged out')
    return undefined
  },
}

export const userRole: Command = {
  words: ['user', 'role'],
  summary: 'Give a user another role. The last active admin keeps theirs.',
  flags: {
    ...CHOICE,
    role: { value: ROLES.join('|'), required: true, meaning: 'What the user may do in the organisation.' },
  },
  async run(flags, io) {
    const role = roleOf(flags)
    const change = await changed(flags, io, (directory, choice) => setRole(directory, choice, role))
    printChange(flags, io, change, 'Role changed')
    return undefined
  },
}

/** @throws InputError: those of other organisations do not exist */
export async function userIdOf(
  { database }: Pick<Directory, 'database'>,
  organisationId: string,
  email: string,
): Promise<string> {
  const account = await readAccountByEmail(database, email)
  if (account?.organisationId === organisationId) return account.id
  throw new InputError('email', `${JSON.stringify(email)} is no user of this organisation`)
}

function changed(
  flags: Flags,
  io: Io,
  change: (directory: Directory, choice: UserChoice) => Promise<UserChange>,
): Promise<UserChange> {
  return withDirectory(io, async directory => {
    const { id: organisationId } = await organisationOf(directory, flags.needed('org'))
    const userId = await userIdOf(directory, organisationId, flags.needed('email'))
    return change(directory, { organisationId, userId })
  })
}

function roleOf(flags: Flags): UserRole {
  const role = ROLES.find(each => each === flags.text('role'))
  if (role === undefined) throw new UsageError(`--role must be ${ROLES.join(' or ')}`)
  return role
}

function printChange(flags: Flags, io: Io, { user, changed: done }: UserChange, title: string): void {
  const { id, organisationId, email, name, role, status } = user
  print(
    io,
    flags,
    { id, organisation_id: organisationId, email, name, role, status, changed: done },
    `${done ? title : 'Nothing to do'}: ${name} <${email}>, ${role}, ${status}\n`,
  )
}
