// What a verified assertion says (SAML core §2, profiles §4.1.4.3): whether it is for us, from whom it should be, now,
// and about what was asked; and who the user is. It reads the signed XML only. Pure.

import { parseAddress } from '../mail/address.ts'
import {
  ASSERTION,
  attributeOf,
  childrenOf,
  isNamed,
  onlyChild,
  textOf,
  withDescendants,
} from './saml-xml.ts'
import { SsoError, type UpstreamAnswer } from './upstream.ts'

/** How far the identity provider's clock may be from ours. */
export const CLOCK_SKEW_MS = 90_000
/** Nothing that is believed for longer: its id has to be remembered for as long. */
const LONGEST_VALID_MS = 24 * 3_600_000
const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer'
const CONDITIONS = ['AudienceRestriction', 'OneTimeUse', 'ProxyRestriction']

/** What came back by SAML, and what makes it count once. */
export interface SamlAnswer extends UpstreamAnswer {
  /** Never to be taken twice from this identity provider. */
  readonly assertionId: string
  /** From when on the assertion is refused for its age, milliseconds since 1970: until then remember its id. */
  readonly expiresAt: number
}

/** What an assertion is held against. */
export interface Expected {
  /** The identity provider's entity id. */
  readonly issuer: string
  /** Our entity id. */
  readonly audience: string
  /** The address that the answer came to. */
  readonly recipient: string
  /** undefined: nobody asked, and the assertion has to say so. */
  readonly requestId: string | undefined
  /** Milliseconds since 1970. */
  readonly now: number
}

function refuse(detail: string): never {
  throw new SsoError('invalid', detail)
}

/**
 * Reads an assertion whose signature is verified.
 *
 * @throws {SsoError} invalid: not for us, not from them, not now, or incomplete; replayed: about another request;
 *   configuration: it has no name for the user that stays
 */
export function readAssertion(assertion: Element, expected: Expected): SamlAnswer {
  const { now } = expected
  if (!isNamed(assertion, ASSERTION, 'Assertion') || attributeOf(assertion, 'Version') !== '2.0')
    refuse('It is not an assertion of SAML 2.0.')
  const assertionId = attributeOf(assertion, 'ID') ?? refuse('The assertion has no id.')
  if (textOf(onlyChild(assertion, ASSERTION, 'Issuer')) !== expected.issuer)
    refuse('The assertion is from another issuer than the entity id that is set up.')
  if (instant(assertion, 'IssueInstant') > now + CLOCK_SKEW_MS) refuse('The assertion is from the future.')
  const subject = onlyChild(assertion, ASSERTION, 'Subject')
  if (!subject) return refuse('The assertion is about nobody.')
  const until = Math.min(confirmedUntil(subject, expected), checkConditions(assertion, expected))
  const expiresAt = until + CLOCK_SKEW_MS
  if (expiresAt > now + LONGEST_VALID_MS) refuse('The assertion is valid for more than a day.')
  return { ...answerIn(assertion, subject, now), assertionId, expiresAt }
}

/** The time up to which the subject is confirmed as the bearer, by a confirmation that holds in all points. */
function confirmedUntil(subject: Element, expected: Expected): number {
  const bearers = childrenOf(subject, ASSERTION, 'SubjectConfirmation').filter(
    each => attributeOf(each, 'Method') === BEARER,
  )
  const faults: SsoError[] = []
  for (const bearer of bearers) {
    try {
      return checkConfirmation(onlyChild(bearer, ASSERTION, 'SubjectConfirmationData'), expected)
    } catch (error) {
      if (!(error instanceof SsoError)) throw error
      faults.push(error)
    }
  }
  throw faults[0] ?? new SsoError('invalid', 'The assertion does not confirm its bearer.')
}

function checkConfirmation(data: Element | undefined, { recipient, requestId, now }: Expected): number {
  if (!data) return refuse('The assertion does not confirm its bearer.')
  if (attributeOf(data, 'Recipient') !== recipient)
    refuse('The assertion is for another recipient than our assertion consumer service.')
  if (attributeOf(data, 'InResponseTo') !== requestId)
    throw new SsoError('replayed', 'The assertion does not answer the request that was made.')
  return checkTimes(data, now, 'the confirmation') ?? refuse('The confirmation of the subject never ends.')
}

function checkConditions(assertion: Element, { audience, now }: Expected): number {
  const conditions = onlyChild(assertion, ASSERTION, 'Conditions')
  if (!conditions) return refuse('The assertion has no conditions, so it is not meant for us.')
  const kinds = childrenOf(conditions)
  if (!kinds.every(each => each.namespaceURI === ASSERTION && CONDITIONS.includes(each.localName)))
    refuse('The assertion has a condition that is not known here.')
  const audiences = childrenOf(conditions, ASSERTION, 'AudienceRestriction')
  const forUs = (each: Element): boolean =>
    childrenOf(each, ASSERTION, 'Audience').some(one => textOf(one) === audience)
  if (audiences.length === 0 || !audiences.every(forUs))
    refuse('The assertion is for another audience than our entity id.')
  return checkTimes(conditions, now, 'the assertion') ?? Number.POSITIVE_INFINITY
}

function checkTimes(element: Element, now: number, what: string): number | undefined {
  const from = optionalInstant(element, 'NotBefore')
  const until = optionalInstant(element, 'NotOnOrAfter')
  if (from !== undefined && from > now + CLOCK_SKEW_MS)
    refuse(`It is too early for ${what}: compare the clocks.`)
  if (until !== undefined && until <= now - CLOCK_SKEW_MS)
    refuse(`It is too late for ${what}: compare the clocks.`)
  return until
}

/** A time of an attribute, milliseconds since 1970. */
export function instant(element: Element, name: string): number {
  return optionalInstant(element, name) ?? refuse(`${element.localName} has no ${name}.`)
}

/** A time of an attribute, milliseconds since 1970; SAML core §1.3.3: in UTC. */
export function optionalInstant(element: Element, name: string): number | undefined {
  const text = attributeOf(element, name)
  if (text === undefined) return undefined
  const [, time, zone] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,12})?)(Z|[+-]\d\d:\d\d)?$/.exec(text) ?? []
  const at = time === undefined ? Number.NaN : Date.parse(`${time}${zone ?? 'Z'}`)
  return Number.isNaN(at) ? refuse(`${element.localName} has a ${name} that is no time.`) : at
}

function authnStatement(assertion: Element): Element {
  return (
    onlyChild(assertion, ASSERTION, 'AuthnStatement') ??
    refuse('The assertion does not say, once, how the user logged in.')
  )
}

// Entra ID and AD FS have no AuthnContext for two factors, but an attribute of the methods that were used.
const AMR = ['http://schemas.microsoft.com/claims/authnmethodsreferences']
const CLAIMS = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims'
const EMAIL = ['email', 'mail', 'urn:oid:0.9.2342.19200300.100.1.3', `${CLAIMS}/emailaddress`]
const DISPLAY_NAME = [
  'displayName',
  'urn:oid:2.16.840.1.113730.3.1.241',
  'http://schemas.microsoft.com/identity/claims/displayname',
]
const GIVEN_NAME = ['givenName', 'firstName', 'urn:oid:2.5.4.42', `${CLAIMS}/givenname`]
const SURNAME = ['sn', 'surname', 'lastName', 'urn:oid:2.5.4.4', `${CLAIMS}/surname`]
const NAME = ['name', 'cn', 'urn:oid:2.5.4.3', `${CLAIMS}/name`]
const GROUPS = [
  'groups',
  'memberOf',
  'http://schemas.microsoft.com/ws/2008/06/identity/claims/groups',
  'http://schemas.xmlsoap.org/claims/Group',
]
/** In place of the groups, where Microsoft Entra ID has more than fit. */
const GROUPS_ELSEWHERE = 'http://schemas.microsoft.com/claims/groups.link'

type Attributes = ReadonlyMap<string, readonly string[]>

function answerIn(assertion: Element, subject: Element, now: number): UpstreamAnswer {
  const statement = authnStatement(assertion)
  const authenticatedAt = instant(statement, 'AuthnInstant')
  if (authenticatedAt > now + CLOCK_SKEW_MS) refuse('The login at the identity provider is in the future.')
  const sessionEnds = optionalInstant(statement, 'SessionNotOnOrAfter')
  if (sessionEnds !== undefined && sessionEnds <= now - CLOCK_SKEW_MS)
    refuse('The session at the identity provider has ended.')
  const context = onlyChild(statement, ASSERTION, 'AuthnContext')
  const attributes = attributesIn(assertion)
  const nameId = readNameId(subject)
  return {
    subject: nameId.subject,
    email: nameId.email ?? parseAddress(firstOf(attributes, EMAIL)),
    emailVerified: undefined,
    name: nameIn(attributes),
    groups: attributes.has(GROUPS_ELSEWHERE) ? undefined : allOf(attributes, GROUPS),
    acr: textOf(onlyChild(context, ASSERTION, 'AuthnContextClassRef')),
    amr: allOf(attributes, AMR),
    authenticatedAt: Math.min(authenticatedAt, now),
    session: attributeOf(statement, 'SessionIndex') || undefined,
    claims: Object.fromEntries(
      [...attributes].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
    ),
  }
}

const FORMAT = 'urn:oasis:names:tc:SAML:1.1:nameid-format:'
const FORMATS = new Map([
  ['urn:oasis:names:tc:SAML:2.0:nameid-format:persistent', 'persistent'],
  [`${FORMAT}emailAddress`, 'email'],
  [`${FORMAT}unspecified`, 'unspecified'],
  [`${FORMAT}WindowsDomainQualifiedName`, 'windows'],
  [`${FORMAT}X509SubjectName`, 'x509'],
])

/**
 * Who a message is about: the name that the identity provider has for the user, with its format before it, since two
 * formats may have one text for two users.
 *
 * @param parent the element that the NameID is in
 * @throws {SsoError} configuration: a name for this one login, encrypted, or of a format that is not known
 */
export function readNameId(parent: Element): { subject: string; email: string | undefined } {
  const element = onlyChild(parent, ASSERTION, 'NameID')
  if (!element)
    throw new SsoError('configuration', 'The identity provider sends no NameID, or an encrypted one.')
  const format = FORMATS.get(attributeOf(element, 'Format') ?? `${FORMAT}unspecified`)
  if (format === undefined)
    throw new SsoError(
      'configuration',
      'The NameID is of a format that can’t be used: choose persistent, or emailAddress.',
    )
  const text = textOf(element)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (text === undefined || text.length > 512 || /[\u0000-\u001f\u007f]/.test(text))
    return refuse('The NameID is empty, too long, or no plain text.')
  return { subject: `${format}:${text}`, email: format === 'email' ? parseAddress(text) : undefined }
}

function attributesIn(assertion: Element): Attributes {
  const attributes = new Map<string, string[]>()
  const statements = childrenOf(assertion, ASSERTION, 'AttributeStatement')
  for (const attribute of statements.flatMap(each => childrenOf(each, ASSERTION, 'Attribute'))) {
    const name = attributeOf(attribute, 'Name')
    if (!name) continue
    const values = childrenOf(attribute, ASSERTION, 'AttributeValue').flatMap(valuesIn)
    attributes.set(name, [...(attributes.get(name) ?? []), ...values])
  }
  return attributes
}

/** Some values are elements, an eduPersonTargetedID for one: their text counts only if there is one piece of it. */
function valuesIn(value: Element): string[] {
  const leaves = withDescendants(value).flatMap(each => textOf(each) ?? [])
  return leaves.length === 1 ? leaves : []
}

function allOf(attributes: Attributes, names: readonly string[]): string[] {
  return [...new Set(names.flatMap(name => attributes.get(name) ?? []))]
}

function firstOf(attributes: Attributes, names: readonly string[]): string | undefined {
  return allOf(attributes, names)[0]
}

function nameIn(attributes: Attributes): string | undefined {
  const both = [firstOf(attributes, GIVEN_NAME), firstOf(attributes, SURNAME)]
  const joined = both.every(each => each !== undefined) ? both.join(' ') : undefined
  return firstOf(attributes, DISPLAY_NAME) ?? joined ?? firstOf(attributes, NAME)
}
