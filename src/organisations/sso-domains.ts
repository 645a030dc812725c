// An organisation's domains: added, proven by a DNS record, given to an identity provider, and removed. Leaves out what
// the record looks like (sso/domains.ts).

import {
  checkDomain,
  type DomainCheck,
  type DomainResolver,
  newDomainToken,
  readDomainName,
} from '../sso/domains.ts'
import { newId } from '../store/ids.ts'
import { readConnection } from '../store/sso/connections.ts'
import {
  assignDomain,
  deleteDomain,
  insertDomain,
  isProvenElsewhere,
  MOST_DOMAINS,
  proveDomain,
  readDomain,
  readDomains,
  type SsoDomain,
} from '../store/sso/domains.ts'
import type { Directory } from './directory.ts'
import { changeSso, type SsoChoice, ssoFault } from './sso-change.ts'

export interface DomainChoice extends SsoChoice {
  readonly id: string
}

/** @throws InputError */
export async function addDomain(
  directory: Directory,
  choice: SsoChoice,
  typed: string,
  specialPlans: readonly string[],
): Promise<SsoDomain> {
  const domain = readDomainName(typed)
  if (domain === undefined) throw ssoFault('domain', 'malformed', `${JSON.stringify(typed)} is no domain`)
  const { organisationId } = choice
  const rules = { specialPlans, oneAtATime: true }
  const { result } = await changeSso(directory, choice, rules, async (_, now) => {
    const held = await readDomains(directory.database, organisationId)
    if (held.some(each => each.domain === domain)) {
      throw ssoFault('domain', 'have_it', `${domain} is there already`)
    }
    if (held.length >= MOST_DOMAINS) {
      throw ssoFault('domain', 'too_many', `would be one more than ${MOST_DOMAINS}`)
    }
    const made = { id: newId('dom'), organisationId, domain, token: newDomainToken() }
    return {
      writes: [insertDomain(made, now)],
      event: 'sso.domain_added',
      details: { domain },
      result: { ...made, proven: false, connectionId: null, ssoOnly: false },
    }
  })
  return result
}

/**
 * Looks at DNS, and keeps what it says for good: a record that is gone later takes nothing away.
 *
 * @returns what DNS said; `ok` for a domain that is proven already, without asking
 * @throws InputError, also `proven_elsewhere` for one that another organisation has proven
 */
export async function proveByDns(
  directory: Directory,
  choice: DomainChoice,
  resolver: DomainResolver,
  specialPlans: readonly string[],
): Promise<DomainCheck> {
  let check: DomainCheck | undefined
  const { result } = await changeSso<DomainCheck>(directory, choice, { specialPlans }, async () => {
    const held = await domainOf(directory, choice)
    if (held.proven) return { unchanged: { ok: true } }
    // Asked once, however often the commit is tried.
    check ??= await checkDomain(resolver, held)
    if (!check.ok) return { unchanged: check }
    const { domain } = held
    if (await isProvenElsewhere(directory.database, held)) {
      throw ssoFault('domain', 'proven_elsewhere', `${domain} was proven by another organisation`)
    }
    return { writes: [proveDomain(held)], event: 'sso.domain_proven', details: { domain }, result: check }
  })
  return result
}

export interface DomainWish {
  /** null: its addresses log in as others do. */
  readonly connectionId: string | null
  readonly ssoOnly: boolean
}

/**
 * Says by which connection the addresses of a proven domain log in, and whether by no other way. That needs a connection
 * that is on, and a break-glass admin who can log in if it fails.
 *
 * @throws InputError
 */
export async function setDomain(
  directory: Directory,
  choice: DomainChoice,
  { connectionId, ssoOnly }: DomainWish,
  specialPlans: readonly string[],
): Promise<{ readonly domain: SsoDomain; readonly changed: boolean }> {
  const { result, changed } = await changeSso(
    directory,
    choice,
    // To take a domain from its provider is possible on every plan.
    { specialPlans: connectionId === null ? undefined : specialPlans, oneAtATime: ssoOnly },
    async organisation => {
      const held = await domainOf(directory, choice)
      const only = ssoOnly && connectionId !== null
      if (held.connectionId === connectionId && held.ssoOnly === only) return { unchanged: held }
      if (!held.proven) throw ssoFault('domain', 'not_proven', `${held.domain} is not proven`)
      const connection =
        connectionId === null ? undefined : await readConnection(directory.database, connectionId)
      if (connectionId !== null && connection?.organisationId !== organisation.id) {
        throw ssoFault('connection', 'gone', 'is no connection of this organisation')
      }
      if (only && connection?.status !== 'on') {
        throw ssoFault('connection', 'provider_off', 'is off: switch it on first')
      }
      if (only && organisation.readyBreakGlass === 0) {
        throw ssoFault(
          'ssoOnly',
          'no_break_glass',
          'needs a break-glass admin with a password and a second factor',
        )
      }
      return {
        writes: [assignDomain(held, connectionId, only)],
        event: 'sso.domain_set',
        details: { domain: held.domain, connection: connection?.name ?? '', sso_only: only },
        result: { ...held, connectionId, ssoOnly: only },
      }
    },
  )
  return { domain: result, changed }
}

/** Its addresses log in as others do from now on. @throws InputError */
export async function removeDomain(directory: Directory, choice: DomainChoice): Promise<void> {
  await changeSso(directory, choice, { specialPlans: undefined }, async () => {
    const held = await domainOf(directory, choice)
    return {
      writes: [deleteDomain(held)],
      event: 'sso.domain_removed',
      details: { domain: held.domain, proven: held.proven, sso_only: held.ssoOnly },
      result: undefined,
    }
  })
}

async function domainOf({ database }: Directory, choice: DomainChoice): Promise<SsoDomain> {
  const held = await readDomain(database, choice)
  if (held === undefined) throw ssoFault('domain', 'gone', 'is no domain of this organisation')
  return held
}
