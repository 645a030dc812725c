// The commands for apps: flags and a metadata file become a registration, which `clients.ts` judges. A secret is printed
// when it is made or given, and never again.

import { createClient, type Registration, updateClient } from '../clients.ts'
import { createClients, type StoredClient } from '../store/oidc/clients.ts'
import { type Command, columns, type Flag, type Flags, type Io, print, UsageError } from './command.ts'
import { readJson } from './json-file.ts'
import { withDirectory } from './store.ts'

const clientFlags: Readonly<Record<string, Flag>> = {
  name: { value: 'name', meaning: 'The name of the app, which users are shown.' },
  'redirect-uri': { value: 'URI', several: true, meaning: 'Where users return to after login.' },
  'post-logout-redirect-uri': {
    value: 'URI',
    several: true,
    meaning: 'Where users may return to after logout.',
  },
  'backchannel-logout-uri': { value: 'URI', meaning: 'Where the app is told that a session has ended.' },
  grants: {
    value: 'grant types',
    meaning: 'What it gets tokens by, separated by spaces; client_credentials for a program without users.',
  },
  scope: { value: 'scopes', meaning: 'What it may ask for, separated by spaces; default: all.' },
  public: { meaning: 'The app can keep no secret: it runs in a browser, on a phone, on a desktop.' },
  'first-party': { meaning: 'Users of the app see no consent page.' },
  secret: { value: 'secret', meaning: 'The client secret, at least 16 characters; default: one is made.' },
  metadata: {
    value: 'file',
    meaning: 'A JSON file of registered OpenID client metadata. Flags win over it.',
  },
}

export const clientCreate: Command = {
  words: ['client', 'create'],
  summary: 'Register an app.',
  flags: { ...clientFlags, id: { value: 'client id', meaning: 'The client id; default: one is made.' } },
  async run(flags, io) {
    const registration = { ...registrationOf(flags, io), id: flags.text('id') }
    const client = await withDirectory(io, (directory, { acrAliases }) =>
      createClient(directory, { ...registration, acrAliases }),
    )
    printClient(io, flags, client, 'Client registered', true)
    return undefined
  },
}

export const clientUpdate: Command = {
  words: ['client', 'update'],
  summary: 'Change a registered app. What is not named stays; null in the metadata file takes a value out.',
  flags: {
    ...clientFlags,
    id: { value: 'client id', required: true, meaning: 'The client id.' },
    'new-secret': { meaning: 'Make a new client secret; the old one stops working.' },
    confidential: { meaning: 'The opposite of --public.' },
    'third-party': { meaning: 'The opposite of --first-party.' },
  },
  async run(flags, io) {
    for (const [one, other] of [
      ['public', 'confidential'],
      ['first-party', 'third-party'],
      ['secret', 'new-secret'],
    ] as const) {
      if (flags.has(one) && flags.has(other))
        throw new UsageError(`--${one} and --${other} exclude each other`)
    }
    const given = registrationOf(flags, io)
    const changes: Registration = {
      ...given,
      public: flags.has('confidential') ? false : given.public,
      firstParty: flags.has('third-party') ? false : given.firstParty,
      metadata: flags.has('new-secret') ? { ...given.metadata, client_secret: null } : given.metadata,
    }
    if (Object.values(changes).every(each => each === undefined))
      throw new UsageError('say what is to change')
    const { client, newSecret } = await withDirectory(io, (directory, { acrAliases }) =>
      updateClient(directory, flags.needed('id'), { ...changes, acrAliases }),
    )
    printClient(io, flags, client, 'Client changed', newSecret)
    return undefined
  },
}

export const clientList: Command = {
  words: ['client', 'list'],
  summary: 'List the registered apps, without their secrets.',
  flags: {},
  async run(flags, io) {
    const clients = await withDirectory(io, ({ database, keyring, clock }) =>
      createClients(database, keyring, clock).list(),
    )
    const rows = clients.map(({ metadata }) => [metadata.client_id, String(metadata.client_name)] as const)
    const people = rows.length === 0 ? 'No clients are registered.\n' : columns(rows)
    print(
      io,
      flags,
      clients.map(client => shown(client, false)),
      people,
    )
    return undefined
  },
}

function registrationOf(flags: Flags, io: Io): Registration {
  const file = flags.text('metadata')
  return {
    secret: flags.text('secret'),
    name: flags.text('name'),
    redirectUris: flags.list('redirect-uri'),
    postLogoutRedirectUris: flags.list('post-logout-redirect-uri'),
    backchannelLogoutUri: flags.text('backchannel-logout-uri'),
    grantTypes: flags.text('grants')?.split(/[ ,]+/).filter(Boolean),
    scope: flags.text('scope'),
    public: flags.has('public') ? true : undefined,
    firstParty: flags.has('first-party') ? true : undefined,
    metadata: file === undefined ? undefined : readMetadata(file, io),
  }
}

function readMetadata(file: string, io: Io): Record<string, unknown> {
  const value = readJson('--metadata', file, io)
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new UsageError(`--metadata ${file} holds no JSON object`)
}

/** A client as registration responses give it (RFC 7591 section 3.2.1), and what is ours. */
function shown({ metadata, firstParty }: StoredClient, withSecret: boolean): Record<string, unknown> {
  const { client_secret: secret, ...rest } = metadata
  const known = withSecret && secret !== undefined ? { client_secret: secret } : {}
  return { ...rest, ...known, first_party: firstParty }
}

function printClient(io: Io, flags: Flags, client: StoredClient, title: string, withSecret: boolean): void {
  const { client_id: id, client_secret: secret, client_name: name } = client.metadata
  const told = withSecret && secret !== undefined
  const rows = [['client_id', id] as const, ...(told ? [['client_secret', secret] as const] : [])]
  const advice = told ? 'The secret is not shown again.\n' : ''
  print(io, flags, shown(client, withSecret), `${title}: ${String(name)}\n${columns(rows)}${advice}`)
}
