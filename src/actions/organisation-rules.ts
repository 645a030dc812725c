// What an organisation demands of an app's actions beyond what the app does: stricter, and back, never laxer than the
// app. Each change is made as it was read and is committed with its audit row. Leaves out who may call this.

import { type Directory, InputError } from '../organisations/directory.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused, type Database, type Write } from '../store/database.ts'
import {
  type ActionOf,
  type ActionRule,
  changeActionRule,
  readActionRules,
} from '../store/organisations/action-rules.ts'
import { readOrganisation } from '../store/organisations/organisations.ts'
import { actionsOf } from './registration.ts'
import type { ProtectedAction } from './registry.ts'
import { type Rule, ruleText, stricter, strictest } from './rules.ts'

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

/** @param rules of the organisation */
export function effectiveRule(
  { id, title, rule: own }: ProtectedAction,
  clientId: string,
  rules: readonly ActionRule[],
): EffectiveRule {
  const tightened = ofAction(rules, clientId, id)?.rule
  return { action: id, title, own, tightened, effective: strictest(own, tightened) }
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
  return actions.map(each => effectiveRule(each, clientId, rules))
}

export interface RuleChange {
  readonly organisationId: string
  readonly clientId: string
  /** As its app has registered it. */
  readonly action: ProtectedAction
  /** `app`: the app's own, and nothing beyond it. */
  readonly rule: Rule | 'app'
  /** The rule that held when it was decided, as {@link ruleText} writes it; undefined: whatever holds now. */
  readonly seen?: string | undefined
  /** From where. */
  readonly address?: string | undefined
  /** What must be true with it, such as the use of the form that asked for it. */
  readonly also?: readonly Write[]
}

const TRIES = 10

/**
 * Sets how strictly an action is confirmed by an organisation's users. It stays that strict whatever the app does later,
 * until it is taken back. What holds already changes nothing.
 *
 * @throws InputError `rule` if it would be laxer than the app's; CommitRefused `account_changed` if another rule than the
 * one seen holds meanwhile, or whoever acts may not any more, and as one of `also` is refused
 */
export async function setRule(
  { database, clock, actor }: Pick<Directory, 'database' | 'clock' | 'actor'>,
  change: RuleChange,
): Promise<{ readonly rule: EffectiveRule; readonly changed: boolean }> {
  const { organisationId, clientId, action, rule, seen, address, also = [] } = change
  const { id, rule: own } = action
  if (rule !== 'app' && stricter(own, rule)) {
    throw new InputError('rule', `must be no laxer than ${ruleText(own)}, which is the app’s`, {
      reason: 'laxer_than_app',
    })
  }
  const wanted = rule === 'app' || ruleText(rule) === ruleText(own) ? undefined : rule
  for (let tries = 1; ; tries++) {
    const rules = await readActionRules(database, organisationId)
    const before = effectiveRule(action, clientId, rules)
    const after: EffectiveRule = { ...before, tightened: wanted, effective: wanted ?? own }
    if (seen !== undefined && seen !== ruleText(before.effective)) throw new CommitRefused('account_changed')
    const stored = ofAction(rules, clientId, id)?.stored
    if (stored === (wanted && ruleText(wanted))) return { rule: before, changed: false }
    const of: ActionOf = { organisationId, clientId, action: id }
    const now = clock()
    const details = {
      client_id: clientId,
      action: id,
      from: ruleText(before.effective),
      to: ruleText(after.effective),
    }
    const event = stricter(after.effective, before.effective)
      ? 'action_rule.tightened'
      : 'action_rule.loosened'
    try {
      await database.commit([
        ...also,
        changeActionRule(of, stored, wanted, actor, now),
        auditRow({ event, organisationId, actorId: actor, address, details }, now),
      ])
      return { rule: after, changed: true }
    } catch (error) {
      // Who decides on what holds now looks again; who decided on what they saw is told.
      const again =
        error instanceof CommitRefused && error.refusal === 'account_changed' && seen === undefined
      if (!again || tries === TRIES) throw error
    }
  }
}

interface NamedRule {
  readonly organisationId: string
  readonly clientId: string
  readonly action: string
}

/**
 * Makes an action's rule stricter for the users of one organisation.
 *
 * @throws InputError if it would be no stricter than it is, or if there is no such organisation, client or action
 */
export async function tightenRule(
  directory: Directory,
  { rule, ...named }: NamedRule & { readonly rule: Rule },
): Promise<EffectiveRule> {
  const { action, now } = await ruleNow(directory, named)
  if (!stricter(rule, now.effective)) {
    throw new InputError('rule', `must be stricter than ${ruleText(now.effective)}, which holds now`)
  }
  return (await setRule(directory, { ...named, action, rule, seen: ruleText(now.effective) })).rule
}

/**
 * Takes back what an organisation made of an action: the app's own rule holds again.
 *
 * @throws InputError if there is no such organisation, client or action
 */
export async function undoRule(
  directory: Directory,
  named: NamedRule,
): Promise<{ readonly rule: EffectiveRule; readonly changed: boolean }> {
  const { action } = await ruleNow(directory, named)
  return setRule(directory, { ...named, action, rule: 'app' })
}

async function ruleNow(directory: Directory, { organisationId, clientId, action: id }: NamedRule) {
  await organisationMustExist(directory, organisationId)
  const action = (await actionsOf(directory, clientId)).find(each => each.id === id)
  if (action === undefined) throw new InputError('action', `${id} is no action of ${clientId}`)
  const rules = await readActionRules(directory.database, organisationId)
  return { action, now: effectiveRule(action, clientId, rules) }
}

function ofAction(rules: readonly ActionRule[], clientId: string, action: string): ActionRule | undefined {
  return rules.find(each => each.clientId === clientId && each.action === action)
}

async function organisationMustExist({ database }: { database: Database }, id: string): Promise<void> {
  if ((await readOrganisation(database, id)) === undefined) {
    throw new InputError('organisationId', `${id} is no organisation`)
  }
}
