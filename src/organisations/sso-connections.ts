// An organisation's connections to identity providers: made, changed, tested, switched and deleted. One is made first,
// off and empty, since its address is wanted at the upstream before there is a client secret. Leaves out what the
// settings are (sso-settings.ts), and what a login by one is worth.

import { newSamlKeys } from '../sso/saml-keys.ts'
import { identityOf, isComplete } from '../sso/settings.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Write } from '../store/database.ts'
import { newId } from '../store/ids.ts'
import {
  type Connection,
  deleteConnection,
  insertConnection,
  MOST_CONNECTIONS,
  markTested,
  PROTOCOLS,
  type Protocol,
  readConnection,
  readConnections,
  secretPlace,
  switchConnection,
  updateConnection,
} from '../store/sso/connections.ts'
import type { Directory } from './directory.ts'
import { changeSso, type SsoChoice, ssoFault } from './sso-change.ts'
import type { ReadSettings } from './sso-settings.ts'

export interface ConnectionChoice extends SsoChoice {
  readonly id: string
}

/**
 * A connection that is off, and knows nothing of its upstream yet. For SAML it has a key pair of its own from now on.
 *
 * @throws InputError
 */
export async function createConnection(
  directory: Directory,
  choice: SsoChoice,
  { protocol, name }: Pick<Connection, 'protocol' | 'name'>,
  specialPlans: readonly string[],
): Promise<Connection> {
  const { database, keyring, clock, productName } = directory
  const { organisationId } = choice
  const id = newId('sso')
  const keys = protocol === 'saml' ? await newSamlKeys(productName, clock()) : undefined
  const rules = { specialPlans, oneAtATime: true }
  const { result } = await changeSso(directory, choice, rules, async (_, now) => {
    if ((await readConnections(database, organisationId)).length >= MOST_CONNECTIONS) {
      throw ssoFault('connection', 'too_many', `would be one more than ${MOST_CONNECTIONS}`)
    }
    const made = {
      ...{ id, organisationId, protocol, name },
      settings: JSON.stringify(keys === undefined ? {} : { ourCertificate: keys.certificate }),
      secret: keys === undefined ? null : keyring.seal(keys.privateKey, secretPlace(id)),
      twoFactor: { acr: [], amr: [] },
      createsUsers: false,
      adminGroups: [],
      createdAt: now,
    }
    return {
      writes: [insertConnection(made)],
      event: 'sso.connection_created',
      details: { connection: name, protocol, id },
      result: { ...made, status: 'off' as const, revision: 1, testedRevision: null },
    }
  })
  return result
}

/**
 * @param seen the revision that it was decided on
 * @throws InputError; `changed` if it is another by now
 */
export async function changeConnection(
  directory: Directory,
  choice: ConnectionChoice,
  { seen, read }: { readonly seen: number; readonly read: ReadSettings },
  specialPlans: readonly string[],
): Promise<{ readonly changed: boolean }> {
  return changeSso(directory, choice, { specialPlans }, async () => {
    const held = await connectionOf(directory, choice)
    if (held.revision !== seen) throw ssoFault('connection', 'changed', 'was changed since')
    const { settings, secret, ...rules } = read
    const after: Connection = {
      ...held,
      ...rules,
      settings: JSON.stringify(settings),
      secret: secret === undefined ? held.secret : directory.keyring.seal(secret, secretPlace(held.id)),
    }
    const changed = changedParts(held, after, secret !== undefined)
    if (changed.length === 0) return { unchanged: undefined }
    const sameUpstream = identityOf(held) === identityOf(after)
    if (!sameUpstream && held.testedRevision !== null) {
      throw ssoFault('connection', 'changed', 'was tested since, and stays with its upstream')
    }
    if (held.status === 'on' && !isComplete(after)) {
      throw ssoFault('connection', 'incomplete', 'is on, and would lack what a login needs')
    }
    return {
      writes: [updateConnection(after, sameUpstream)],
      event: 'sso.connection_changed',
      details: { connection: after.name, id: held.id, changed },
      result: undefined,
    }
  })
}

/**
 * Switches a connection on, which needs a test login that succeeded as it is now, or off, which is possible on every plan.
 *
 * @throws InputError
 */
export async function setConnectionStatus(
  directory: Directory,
  choice: ConnectionChoice,
  status: Connection['status'],
  specialPlans: readonly string[],
): Promise<{ readonly changed: boolean }> {
  const rules = { specialPlans: status === 'on' ? specialPlans : undefined }
  return changeSso(directory, choice, rules, async () => {
    const held = await connectionOf(directory, choice)
    if (held.status === status) return { unchanged: undefined }
    if (status === 'on' && held.testedRevision !== held.revision) {
      throw ssoFault('connection', 'not_tested', 'was not tested as it is now')
    }
    return {
      writes: [switchConnection(held, status)],
      event: status === 'on' ? 'sso.connection_on' : 'sso.connection_off',
      details: { connection: held.name, id: held.id },
      result: undefined,
    }
  })
}

/**
 * Deletes a connection that is off, with who is linked to whom. Its domains stay proven.
 *
 * @throws InputError
 */
export async function removeConnection(directory: Directory, choice: ConnectionChoice): Promise<void> {
  await changeSso(directory, choice, { specialPlans: undefined }, async () => {
    const held = await connectionOf(directory, choice)
    if (held.status === 'on') throw ssoFault('connection', 'still_on', 'is on: switch it off first')
    return {
      writes: deleteConnection(held),
      event: 'sso.connection_deleted',
      details: { connection: held.name, id: held.id, protocol: held.protocol },
      result: undefined,
    }
  })
}

/**
 * Keeps that a test login succeeded, unless the connection was changed since it began.
 *
 * @param used the use of the answer
 * @returns whether it is tested as it is now
 * @throws CommitRefused `already_used` if the answer was used before
 */
export async function noteTested(
  { database, clock, actor }: Pick<Directory, 'database' | 'clock' | 'actor'>,
  {
    connection,
    revision,
    address,
  }: {
    readonly connection: Connection
    readonly revision: number
    readonly address: string | undefined
  },
  used: Write,
): Promise<boolean> {
  const row = auditRow(
    {
      event: 'sso.connection_tested',
      organisationId: connection.organisationId,
      actorId: actor,
      address,
      details: { connection: connection.name, id: connection.id },
    },
    clock(),
  )
  try {
    await database.commit([used, markTested(connection.id, revision), row])
    return true
  } catch (error) {
    if (!(error instanceof CommitRefused) || error.refusal !== 'account_changed') throw error
    await database.commit([used])
    return false
  }
}

export function isProtocol(text: string | undefined): text is Protocol {
  return PROTOCOLS.some(each => each === text)
}

function changedParts(before: Connection, after: Connection, secret: boolean): string[] {
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
  return [
    ...(before.name === after.name ? [] : ['name']),
    ...(before.settings === after.settings ? [] : ['settings']),
    ...(secret ? ['secret'] : []),
    ...(same(before.twoFactor, after.twoFactor) ? [] : ['two factors']),
    ...(before.createsUsers === after.createsUsers ? [] : ['creates users']),
    ...(same(before.adminGroups, after.adminGroups) ? [] : ['admin groups']),
  ]
}

async function connectionOf(
  { database }: Directory,
  { id, organisationId }: ConnectionChoice,
): Promise<Connection> {
  const held = await readConnection(database, id)
  if (held?.organisationId === organisationId) return held
  throw ssoFault('connection', 'gone', 'is no connection of this organisation')
}
