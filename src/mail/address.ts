// What counts as an email address, at the door: one addr-spec in dot-atom form (RFC 5321 §4.1.2, RFC 6531 for other
// alphabets). No display name, comment, quoted local part, address literal or dotless domain, so nothing that passes
// means anything but a mailbox to a mail header, a list of recipients or a log. Leaves out whether the mailbox exists,
// and which spellings are the same account (`emailKey`).

import { domainToASCII, domainToUnicode } from 'node:url'

/** RFC 5321 §4.5.3.1: a path of 256 octets, its brackets not counted. */
const LONGEST = 254
const LONGEST_LOCAL = 64
const LONGEST_DOMAIN = 253
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\\x00-\\x7f]"
const LOCAL = new RegExp(`^(?:${ATOM})+(?:\\.(?:${ATOM})+)*$`, 'u')
const NOT_A_LETTER = /[^\x20-\x7e\p{L}\p{M}\p{N}]/u
const DOMAIN = /^[\p{L}\p{M}\p{N}.-]+$/u
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * Reads an address as somebody typed it.
 *
 * @param input anything; spaces around an address are no part of it and must be taken off before
 * @returns the address in NFC, the domain in lower case and in its own alphabet (never `xn--`); undefined: not an
 *   address. What is returned is returned unchanged when it is parsed again.
 */
export function parseAddress(input: unknown): string | undefined {
  if (typeof input !== 'string' || input.length > 2 * LONGEST) return undefined
  const text = input.normalize('NFC')
  const at = text.indexOf('@')
  const local = text.slice(0, Math.max(at, 0))
  const domain = parseDomain(text.slice(at + 1))
  if (domain === undefined || !LOCAL.test(local) || NOT_A_LETTER.test(local)) return undefined
  const octets = Buffer.byteLength(local)
  if (octets > LONGEST_LOCAL || octets + 1 + domain.ascii.length > LONGEST) return undefined
  const address = `${local}@${domain.unicode}`
  return address.length > LONGEST ? undefined : address
}

/** The domain of an address that {@link parseAddress} has read, as it spells it. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1)
}

/**
 * Reads a domain as it stands in an address.
 *
 * @returns it in lower case, as DNS has it and in its own alphabet; undefined: no domain, an IP address, or one label
 */
export function parseDomain(text: string): { ascii: string; unicode: string } | undefined {
  // Looked at first: `domainToASCII` decodes "%40", and would make an address of numbers.
  if (!DOMAIN.test(text)) return undefined
  const ascii = domainToASCII(text)
  const unicode = domainToUnicode(ascii).normalize('NFC')
  const labels = ascii.split('.')
  if (ascii.length > LONGEST_DOMAIN || labels.length < 2 || !labels.every(label => LABEL.test(label)))
    return undefined
  if (/^[0-9]+$/.test(labels.at(-1) ?? '')) return undefined
  // An `xn--` that stayed is no encoding of anything; a name that does not come back is not one name.
  if (!DOMAIN.test(unicode) || /(^|\.)xn--/.test(unicode) || domainToASCII(unicode) !== ascii)
    return undefined
  return { ascii, unicode }
}
