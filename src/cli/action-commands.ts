// The commands for APIs, for the actions that apps have confirmed, and for what an organisation demands beyond them.

import { type EffectiveRule, rulesOf, tightenRule, undoRule } from '../actions/organisation-rules.ts'
import { actionsOf, setActions } from '../actions/registration.ts'
import type { ProtectedAction } from '../actions/registry.ts'
import { ruleOfText, ruleText } from '../actions/rules.ts'
import { createApi } from '../apis.ts'
import { type Api, createApis } from '../store/oidc/apis.ts'
import { type Command, columns, type Flag, type Flags, print, UsageError } from './command.ts'
import { readJson } from './json-file.ts'
import { withDirectory } from './store.ts'

export const apiCreate: Command = {
  words: ['api', 'create'],
  summary: 'Register an API: what access tokens are for.',
  flags: {
    resource: {
      value: 'URI',
      required: true,
      meaning: 'Its resource indicator, the audience of the tokens.',
    },
    scopes: { value: 'scopes', meaning: 'Its scopes, separated by spaces; default: none.' },
    name: { value: 'name', meaning: 'A name for people.' },
    client: {
      value: 'client id',
      several: true,
      meaning: 'An app that may have tokens for it; without any, every registered app may.',
    },
    opaque: {
      meaning: 'The API introspects its tokens. Prints the client id and secret that it does so with.',
    },
  },
  async run(flags, io) {
    const input = {
      resource: flags.needed('resource'),
      name: flags.text('name'),
      scopes: flags.text('scopes')?.split(' ').filter(Boolean) ?? [],
      opaque: flags.has('opaque'),
      clients: flags.list('client'),
    }
    const { api, introspection } = await withDirectory(io, directory => createApi(directory, input))
    const keys =
      introspection === undefined
        ? {}
        : { client_id: introspection.client_id, client_secret: String(introspection.client_secret) }
    const rows = Object.entries(keys)
    const advice = rows.length === 0 ? '' : `${columns(rows)}The secret is not shown again.\n`
    print(io, flags, { ...shownApi(api), ...keys }, `API registered: ${api.resource}\n${advice}`)
    return undefined
  },
}

export const apiList: Command = {
  words: ['api', 'list'],
  summary: 'List the registered APIs.',
  flags: {},
  async run(flags, io) {
    const apis = await withDirectory(io, ({ database, clock }) => createApis(database, clock).list())
    const rows = apis.map(api => {
      const who = api.clients.length === 0 ? 'every app' : api.clients.join(', ')
      return [api.resource, `${api.opaque ? 'opaque' : 'JWT'}; ${api.scopes.join(' ')}; for ${who}`] as const
    })
    print(io, flags, apis.map(shownApi), rows.length === 0 ? 'No APIs are registered.\n' : columns(rows))
    return undefined
  },
}

const clientFlag: Flag = { value: 'client id', required: true, meaning: 'The app.' }
const actionFlag: Flag = { value: 'action', required: true, meaning: 'The id of the action.' }
const orgFlag: Flag = { value: 'id', required: true, meaning: 'The id of the organisation.' }

export const actionsSet: Command = {
  words: ['client', 'actions', 'set'],
  summary: 'Set the actions that an app’s users confirm, in place of those it had.',
  flags: {
    client: clientFlag,
    file: {
      value: 'file',
      required: true,
      meaning: 'A JSON file: a list of actions, as docs/step-up.md has them.',
    },
  },
  async run(flags, io) {
    const value = readJson('--file', flags.needed('file'), io)
    const actions = await withDirectory(io, directory => setActions(directory, flags.needed('client'), value))
    printActions(flags, io, actions)
    return undefined
  },
}

export const actionsList: Command = {
  words: ['client', 'actions', 'list'],
  summary: 'List the actions that an app’s users confirm.',
  flags: { client: clientFlag },
  async run(flags, io) {
    printActions(flags, io, await withDirectory(io, each => actionsOf(each, flags.needed('client'))))
    return undefined
  },
}

export const rulesTighten: Command = {
  words: ['org', 'actions', 'tighten'],
  summary: 'Make an action’s rule stricter for the users of one organisation.',
  flags: {
    org: orgFlag,
    client: clientFlag,
    action: actionFlag,
    rule: {
      value: 'within:seconds|always|passkey',
      required: true,
      meaning: 'The rule, stricter than the one that holds now.',
    },
  },
  async run(flags, io) {
    const rule = ruleOfText(flags.needed('rule'))
    if (rule === undefined) throw new UsageError('--rule must be within:300 (seconds), always or passkey')
    const tightened = {
      organisationId: flags.needed('org'),
      clientId: flags.needed('client'),
      action: flags.needed('action'),
      rule,
    }
    const effective = await withDirectory(io, directory => tightenRule(directory, tightened))
    print(io, flags, shownRule(effective), `Tightened: ${effective.action} is now ${ruleText(rule)}\n`)
    return undefined
  },
}

export const rulesUndo: Command = {
  words: ['org', 'actions', 'undo'],
  summary: 'Take back what an organisation demands of an action: the app’s own rule holds again.',
  flags: { org: orgFlag, client: clientFlag, action: actionFlag },
  async run(flags, io) {
    const named = {
      organisationId: flags.needed('org'),
      clientId: flags.needed('client'),
      action: flags.needed('action'),
    }
    const { rule, changed } = await withDirectory(io, directory => undoRule(directory, named))
    const said = `Undone: ${rule.action} is ${ruleText(rule.effective)}, as the app has it`
    print(io, flags, { ...shownRule(rule), changed }, `${said}${changed ? '' : ' (as it was)'}\n`)
    return undefined
  },
}

export const rulesList: Command = {
  words: ['org', 'actions', 'list'],
  summary: 'List an app’s actions as the users of one organisation meet them.',
  flags: { org: orgFlag, client: clientFlag },
  async run(flags, io) {
    const rules = await withDirectory(io, each => rulesOf(each, flags.needed('org'), flags.needed('client')))
    const rows = rules.map(each => {
      const by = each.tightened === undefined ? '' : `, tightened from ${ruleText(each.own)}`
      return [each.action, `${ruleText(each.effective)}${by}`] as const
    })
    print(io, flags, rules.map(shownRule), rows.length === 0 ? 'The app has no actions.\n' : columns(rows))
    return undefined
  },
}

function printActions(
  flags: Flags,
  io: Parameters<Command['run']>[1],
  actions: readonly ProtectedAction[],
): void {
  const rows = actions.map(each => [each.id, `${ruleText(each.rule)}: ${each.title}`] as const)
  print(io, flags, actions, rows.length === 0 ? 'The app has no actions.\n' : columns(rows))
}

function shownApi({ resource, name, scopes, opaque, clients }: Api) {
  return { resource, ...(name === undefined ? {} : { name }), scopes: scopes.join(' '), opaque, clients }
}

function shownRule({ action, title, own, tightened, effective }: EffectiveRule) {
  const texts = { app: ruleText(own), organisation: tightened === undefined ? null : ruleText(tightened) }
  return { action, title, ...texts, effective: ruleText(effective) }
}
