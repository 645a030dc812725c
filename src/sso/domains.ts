// Domains of email addresses, and the DNS record by which an organisation proves that one is its own. A domain is spelt as
// addresses spell theirs, in lower case and in its own alphabet; DNS is asked for its `xn--` spelling. Leaves out to whom
// a domain belongs (store/sso/domains.ts).

import { randomBytes } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { parseDomain } from '../mail/address.ts'

/** The label below which the record is. */
const CHALLENGE = '_sallyport-challenge'
/** DNS has no longer names (RFC 1035 §2.3.4), and the record's is this much longer than the domain's. */
const LONGEST_NAME = 253
const QUERY_MS = 3_000
const TRIES = 2
/** Whatever the servers do. */
const GIVE_UP_MS = 8_000
const MOST_FOUND = 5
const LONGEST_FOUND = 120

/** What DNS is asked with. */
export interface DomainResolver {
  /** @returns the TXT records of a name, each in its parts (RFC 1035 §3.3.14). @throws with a `code` as node:dns has it */
  txt(name: string): Promise<string[][]>
}

/** Asks the machine's own resolvers, for 8 seconds at the most. */
export function systemResolver(): DomainResolver {
  return {
    async txt(name) {
      const resolver = new Resolver({ timeout: QUERY_MS, tries: TRIES })
      const giveUp = setTimeout(() => resolver.cancel(), GIVE_UP_MS)
      try {
        return await resolver.resolveTxt(name)
      } finally {
        clearTimeout(giveUp)
      }
    },
  }
}

/**
 * Reads a domain as somebody typed it: an `@` before it, a dot behind it and its case do not matter.
 *
 * @returns undefined for what no address can have, such as a single label, an IP address or a URL
 */
export function readDomainName(typed: string): string | undefined {
  const bare = typed.trim().replace(/^@/, '').replace(/\.$/, '')
  if (bare.length > LONGEST_NAME) return undefined
  const domain = parseDomain(bare.normalize('NFC'))
  if (domain === undefined || `${CHALLENGE}.${domain.ascii}`.length > LONGEST_NAME) return undefined
  return domain.unicode
}

/** A new token: 160 random bits. */
export function newDomainToken(): string {
  return randomBytes(20).toString('hex')
}

/** The record that proves a domain. */
export interface DomainRecord {
  /** In full, without the last dot. */
  readonly name: string
  readonly value: string
}

/** @param domain as {@link readDomainName} spells it */
export function recordOf({
  domain,
  token,
}: {
  readonly domain: string
  readonly token: string
}): DomainRecord {
  const { ascii } = parseDomain(domain) ?? { ascii: domain }
  return { name: `${CHALLENGE}.${ascii}`, value: `sallyport-domain=${token}` }
}

export type DomainCheck =
  | { readonly ok: true }
  /** DNS says that there is no such record. */
  | { readonly ok: false; readonly fault: 'no_record' }
  /** There are records, and none is the one. The first of them, shortened. */
  | { readonly ok: false; readonly fault: 'other_value'; readonly found: readonly string[] }
  /** No answer in time, or one that says nothing of the name. */
  | { readonly ok: false; readonly fault: 'no_answer' }

/** Looks whether the record is there. Its whole value counts; other records beside it do no harm. */
export async function checkDomain(
  resolver: DomainResolver,
  claimed: { readonly domain: string; readonly token: string },
): Promise<DomainCheck> {
  const { name, value } = recordOf(claimed)
  let records: string[][]
  try {
    records = await resolver.txt(name)
  } catch (error) {
    const { code } = error as { code?: unknown }
    return { ok: false, fault: code === 'ENOTFOUND' || code === 'ENODATA' ? 'no_record' : 'no_answer' }
  }
  const values = records.map(parts => parts.join(''))
  if (values.includes(value)) return { ok: true }
  if (values.length === 0) return { ok: false, fault: 'no_record' }
  return { ok: false, fault: 'other_value', found: values.slice(0, MOST_FOUND).map(shortened) }
}

function shortened(text: string): string {
  return text.length > LONGEST_FOUND ? `${text.slice(0, LONGEST_FOUND)}…` : text
}
