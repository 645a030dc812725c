// What the suites of single sign-on's pages share: an admin on a plan that has it, and what the pages say.

import { type PlannedConnection, readConnection } from '../../src/store/sso/connections.ts'
import { readDomains } from '../../src/store/sso/domains.ts'
import { change, rows } from '../attacks/ground.ts'
import type { Stage } from '../support/stage.ts'
import type { Answer } from '../support/visitor.ts'
import { type Member, membersOf } from './member.ts'

export const SSO = '/admin/sso'

export function ssoGround(stage: Stage) {
  const members = membersOf(stage)
  const { database } = stage.running.services

  const ground = {
    members,
    /** On the plan of the given name. */
    async admin(options: Parameters<typeof members.enrolled>[0] = {}, plan = 'Enterprise'): Promise<Member> {
      const member = await members.enrolled({ name: 'Priya Raman', role: 'admin', ...options })
      if (options.organisationId === undefined) await ground.plan(member, plan)
      return member
    },
    plan: ({ person }: Member, plan: string) =>
      change(stage, 'UPDATE organisations SET plan = ? WHERE id = ?', [plan, person.organisationId]),
    /** Adds a provider. @returns its id */
    async provider(
      { by }: Member,
      protocol: 'entra' | 'oidc' | 'saml' = 'oidc',
      name = 'Okta',
    ): Promise<string> {
      const { status, location, body } = await by.post(`${SSO}/new`, { protocol, name })
      const id = /\/admin\/sso\/(sso_\w+)\?done=created$/.exec(location ?? '')?.[1]
      if (id === undefined) throw new Error(`${status} ${location} ${body}`)
      return id
    },
    /** Saves a provider's form as its page has it, with what is typed. */
    async save({ by }: Member, id: string, typed: Record<string, string>): Promise<Answer> {
      return by.post(`${SSO}/${id}`, { ...fieldsOf(await by.get(`${SSO}/${id}`)), ...typed })
    },
    /** A provider that is set up, as by a test login that succeeded, and on. */
    async providerOn(member: Member, name = 'Okta'): Promise<string> {
      const id = await ground.provider(member, 'oidc', name)
      await ground.save(member, id, {
        issuer: `https://login.${id}.example`,
        client_id: 'c',
        client_secret: 's3cret',
      })
      await ground.tested(id)
      await member.by.post(`${SSO}/${id}/on`, {})
      return id
    },
    tested: (id: string) =>
      change(stage, 'UPDATE sso_connections SET tested_revision = revision WHERE id = ?', [id]),
    async connection(id: string): Promise<PlannedConnection> {
      const found = await readConnection(database, id)
      if (found === undefined) throw new Error(`no connection ${id}`)
      return found
    },
    domains: ({ person }: Member) => readDomains(database, person.organisationId),
    /** Adds a domain. @returns its id */
    async domain({ by }: Member, domain: string): Promise<string> {
      const { status, location, body } = await by.post(`${SSO}/domains/new`, { domain })
      const id = /\/domains\/(dom_\w+)\?done=added$/.exec(location ?? '')?.[1]
      if (id === undefined) throw new Error(`${status} ${location} ${body}`)
      return id
    },
    /** As if its record had been seen. */
    proven: (id: string) => change(stage, 'UPDATE sso_domains SET proven_domain = domain WHERE id = ?', [id]),
    async events({ person }: Member) {
      const found = await rows(
        stage,
        "SELECT event, actor_id, account_id, address, details FROM audit_events WHERE organisation_id = ? AND event LIKE 'sso.%' ORDER BY id",
        [person.organisationId],
      )
      return found.map(({ event, details, ...rest }) => ({
        ...rest,
        event: String(event),
        details: JSON.parse(String(details)) as Record<string, unknown>,
      }))
    },
    async names(member: Member): Promise<string[]> {
      return (await ground.events(member)).map(({ event }) => event)
    },
  }
  return ground
}

/** The fields of the first form that has them all, as a browser would send them. */
export function fieldsOf({ body }: Answer): Record<string, string> {
  const form = /<form class="card stack confirm"[^>]*>(.*?)<\/form>/s.exec(body)?.[1] ?? ''
  const fields: Record<string, string> = {}
  for (const [, tag = ''] of form.matchAll(/<input([^>]*)>/g)) {
    const of = (name: string) => new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1]
    const name = of('name')
    if (name === undefined || (of('type') === 'checkbox' && !/ checked/.test(tag))) continue
    fields[name] = unescaped(of('value') ?? '')
  }
  for (const [, name = '', text = ''] of form.matchAll(
    /<textarea[^>]* name="([^"]*)"[^>]*>([^<]*)<\/textarea>/g,
  )) {
    fields[name] = unescaped(text)
  }
  return fields
}

export function hidden({ body }: Answer, name: string): string {
  return new RegExp(`name="${name}" value="([^"]*)"`).exec(body)?.[1] ?? ''
}

/** What a page says, in one line. */
export function text({ body }: Pick<Answer, 'body'>): string {
  return unescaped(body.replaceAll(/<[^>]+>/g, ' ')).replaceAll(/\s+/g, ' ')
}

function unescaped(html: string): string {
  return html
    .replaceAll('&#39;', "'")
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
}
