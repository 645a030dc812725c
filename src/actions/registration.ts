// Setting an app's actions, and what an organisation demands beyond them. Each change is committed with its audit row.

import { type Directory, InputError } from '../organisations/directory.ts'
import { keepActionRule, readActionRules } from '../store/action-rules.ts'
import { auditRow } from '../store/audit.ts'
import { createClients, type StoredClient } from '../store/clients.ts'
import { readOrganisation } from '../store/organisations.ts'
import { ACTION_TYPE } from './binding.ts'
import { checkActions, type ProtectedAction } from './registry.ts'
import { type Rule, ruleText, stricter, strictest } from './rules.ts'

/**
 * Sets the actions of an app, in place of those it had. Running servers follow within seconds.
 *
 * @param value a list of actions, as {@link checkActions} takes it
 * @throws InputError naming what cannot be set, or `client` if there is none
 */
export async function setActions(
  directory: Directory,
  clientId: string,
  value: unknown,
): Promise<ProtectedAction[]> {
  const { database, clock, actor } = directory
  const client = await clientOf(directory, clientId)
  const actions = checkActions(value)
  const { authorization_details_types: _, ...metadata } = client.metadata
  // The library refuses the details of a client that is not registered for their type.
  const types = actions.length === 0 ? {} : { authorization_details_types: [ACTION_TYPE] }
  const now = clock()
  const details = {
    client_id: clientId,
    actions: actions.map(each => `${each.id} ${ruleText(each.rule)}`),
  }
  await database.commit([
    createClients(database, directory.keyring, clock).setActions(
      { ...client, metadata: { ...metadata, ...types } },
      actions,
      now,
    ),
    auditRow({ event: 'client.actions_set', actorId: actor, details }, now),
  ])
  return actions
}

/** @throws InputError `client` if there is none */
export async function actionsOf(directory: Directory, clientId: string): Promise<readonly ProtectedAction[]> {
  return (await clientOf(directory, clientId)).actions ?? []
}

/** An action as the users of an organisation meet it. */
export interface EffectiveRule {
  readonly action: string
  readonly title: string
  /** The app's. */
  readonly own: Rule
  /** What the organisation made of it. */
  readonly tightened: Rule | undefined
  readonly effective: Rule
}

/** @throws InputError if there is no such organisation or client */
export async function rulesOf(
  directory: Directory,
  organisationId: string,
  clientId: string,
): Promise<EffectiveRule[]> {
  await organisationMustExist(directory, organisationId)
  const actions = await actionsOf(directory, clientId)
  const rules = await readActionRules(directory.database, organisationId)
  return actions.map(({ id, title, rule }) => {
    const tightened = rules.find(each => each.clientId === clientId && each.action === id)?.rule
    return { action: id, title, own: rule, tightened, effective: strictest(rule, tightened) }
  })
}

/**
 * Makes an action's rule stricter for the users of one organisation. It stays that strict whatever the app does later.
 *
 * @throws InputError if it would be no stricter than it is, or if there is no such organisation, client or action
 */
export async function tightenRule(
  directory: Directory,
  {
    organisationId,
    clientId,
    action,
    rule,
  }: { organisationId: string; clientId: string; action: string; rule: Rule },
): Promise<EffectiveRule> {
  const { database, clock, actor } = directory
  const known = await rulesOf(directory, organisationId, clientId)
  const found = known.find(each => each.action === action)
  if (found === undefined) throw new InputError('action', `${action} is no action of ${clientId}`)
  if (!stricter(rule, found.effective)) {
    throw new InputError('rule', `must be stricter than ${ruleText(found.effective)}, which holds now`)
  }
  const now = clock()
  await database.commit([
    keepActionRule({ organisationId, clientId, action, rule }, now),
    auditRow(
      {
        event: 'action_rule.tightened',
        organisationId,
        actorId: actor,
        details: { client_id: clientId, action, rule: ruleText(rule), before: ruleText(found.effective) },
      },
      now,
    ),
  ])
  return { ...found, tightened: rule, effective: rule }
}

async function clientOf({ database, keyring, clock }: Directory, id: string): Promise<StoredClient> {
  const client = await createClients(database, keyring, clock).find(id)
  if (client === undefined) throw new InputError('client', `${id} is no client`)
  return client
}

async function organisationMustExist({ database }: Directory, id: string): Promise<void> {
  if ((await readOrganisation(database, id)) === undefined) {
    throw new InputError('organisationId', `${id} is no organisation`)
  }
}
