// An app with protected actions and an API of its own, for tests of step-up: what an MSP's device console would
// register. Its API checks tokens as an API does, by the provider's published keys.

import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose'
import { setActions } from '../../src/actions/registration.ts'
import { createApi } from '../../src/apis.ts'
import type { Stage } from './stage.ts'
import { type Answer, type RelyingParty, relyingParty } from './visitor.ts'

export const ACTIONS = [
  { id: 'device.rename', title: 'rename {count} devices', titleOne: 'rename a device', rule: 'off' },
  { id: 'script.run', title: 'run {script} on {count} devices', fields: ['script'], rule: { within: 300 } },
  {
    id: 'device.delete',
    title: 'delete {count} devices at {site}',
    titleOne: 'delete {count} device at {site}',
    objects: 'devices',
    fields: ['site'],
    rule: 'always',
  },
  { id: 'secret.view', title: 'view a secret', rule: 'passkey' },
]

/** A request for each action, by id. */
export const REQUESTS = {
  'device.rename': { type: 'protected_action', action: 'device.rename', objects: ['dev_17'] },
  'script.run': {
    type: 'protected_action',
    action: 'script.run',
    objects: ['dev_17', 'dev_23'],
    fields: { script: 'reboot.sh' },
  },
  'device.delete': {
    type: 'protected_action',
    action: 'device.delete',
    objects: ['dev_17', 'dev_23'],
    fields: { site: 'Acme' },
  },
  'secret.view': { type: 'protected_action', action: 'secret.view', objects: ['sec_4'] },
} as const

export type ActionId = keyof typeof REQUESTS

export interface Console {
  readonly party: RelyingParty
  /** The API's resource indicator. */
  readonly resource: string
  /** Verifies an access token as the API does. @throws where it is not for the API */
  verify(token: string): Promise<JWTPayload & { readonly authorization_details?: readonly Granted[] }>
  /** Of an opaque API: what it introspects with. */
  readonly introspection: { readonly id: string; readonly secret: string } | undefined
}

export interface Granted {
  readonly type: string
  readonly action: string
  readonly objects: readonly string[]
  readonly fields: Readonly<Record<string, string>>
  readonly confirmation_id: string
}

/** Where a request for an action came to: at the app with a code or an error, or at a page. */
export type Came =
  | 'proof'
  | 'code'
  | 'passkey'
  | 'confirm'
  | 'passkey needed'
  | 'set up'
  | 'mailed code'
  | 'log in'
  | 'consent'
  | `error ${string}`

export function cameTo({ url, heading = '', body }: Answer & { url: string }): Came {
  const answer = new URL(url)
  if (answer.pathname === '/callback') {
    const error = answer.searchParams.get('error')
    return error === null ? 'proof' : `error ${error}`
  }
  if (/^Set up/.test(heading)) return 'set up'
  if (heading === 'Check your email') return 'mailed code'
  if (heading === 'You need a passkey for this') return 'passkey needed'
  if (heading === 'Log in' || heading === 'Enter your password') return 'log in'
  if (/^Allow /.test(heading)) return 'consent'
  if (!/^Confirm/.test(heading)) throw new Error(`a page "${heading}" at ${url}`)
  if (body.includes('name="code"')) return 'code'
  return body.includes('data-passkey') ? 'passkey' : 'confirm'
}

let consoles = 0

/** The parameter that asks for something to be confirmed. */
export function asking(...details: unknown[]): { authorization_details: string } {
  return { authorization_details: JSON.stringify(details) }
}

export async function openConsole(
  stage: Stage,
  {
    metadata = {},
    opaque = false,
    firstParty = true,
    actions = ACTIONS,
  }: { metadata?: Record<string, unknown>; opaque?: boolean; firstParty?: boolean; actions?: unknown } = {},
): Promise<Console> {
  const party = await relyingParty(stage, { metadata, firstParty })
  const resource = `https://api${++consoles}.example/`
  const { introspection } = await createApi(stage.directory, {
    resource,
    scopes: ['devices:read', 'devices:delete'],
    opaque,
    clients: [party.clientId],
  })
  await setActions(stage.directory, party.clientId, actions)
  // What the running server has read before is kept for ten seconds.
  stage.advance(10_001)
  const keys = createRemoteJWKSet(new URL(`${stage.origin}/jwks`))
  return {
    party,
    resource,
    introspection: introspection && {
      id: introspection.client_id,
      secret: String(introspection.client_secret),
    },
    async verify(token) {
      const { payload } = await jwtVerify(token, keys, {
        issuer: stage.origin,
        audience: resource,
        typ: 'at+jwt',
      })
      return payload
    },
  }
}
