// Logging in at a customer's identity provider by SAML 2.0 (browser SSO profile), and being told that a session there
// ended (single logout). The library verifies signatures and writes messages; before it the message is looked at
// (saml-gate.ts), and after it the signed XML that it hands out, nothing else, is read (saml-assertion.ts). Leaves out
// where state is kept: whoever calls burns the request and the assertion's id, each by one conditional write.

import { randomBytes } from 'node:crypto'
import { SAML, type SamlConfig, ValidateInResponseTo } from '@node-saml/node-saml'
import {
  CLOCK_SKEW_MS,
  instant,
  optionalInstant,
  readAssertion,
  readNameId,
  type SamlAnswer,
} from './saml-assertion.ts'
import {
  decodeMessage,
  MESSAGE_RULES,
  type ShapedResponse,
  shapeOfLogoutRequest,
  shapeOfResponse,
  undecryptable,
  unverified,
} from './saml-gate.ts'
import type { SamlIdentity } from './saml-keys.ts'
import type { SamlSettings } from './saml-metadata.ts'
import { readSignedQuery } from './saml-redirect.ts'
import { ASSERTION, attributeOf, childrenOf, onlyChild, PROTOCOL, parseXml, textOf } from './saml-xml.ts'
import { SsoError, type UpstreamAsk } from './upstream.ts'

export type { SamlAnswer } from './saml-assertion.ts'
export { newSamlKeys, type SamlIdentity } from './saml-keys.ts'
export type { SamlSettings } from './saml-metadata.ts'
export { ourMetadata } from './saml-metadata.ts'

/** SAML core §3.4.1.4: an answer may be late, a request to log out may not; without an end it holds for this long. */
const LOGOUT_REQUEST_LIFE_MS = 5 * 60_000

/** Where the browser is sent, and the id that the answer has to name. */
export interface SamlRequest {
  readonly url: string
  readonly requestId: string
}

/**
 * Asks the identity provider to log a user in: an AuthnRequest by the HTTP-Redirect binding (bindings §3.4).
 *
 * @param relayState comes back with the answer: base64url, at most 80 bytes (bindings §3.4.3)
 */
export async function begin(
  settings: SamlSettings,
  ours: SamlIdentity,
  ask: UpstreamAsk,
  relayState: string,
): Promise<SamlRequest> {
  const requestId = `_${randomBytes(20).toString('hex')}`
  const library = new SAML({
    ...libraryOptions(settings, ours),
    ...(settings.requestsSigned ? { privateKey: ours.privateKey } : {}),
    generateUniqueId: () => requestId,
    forceAuthn: ask.fresh,
    disableRequestedAuthnContext: ask.acrValues.length === 0,
    authnContext: [...ask.acrValues],
    racComparison: 'exact',
  })
  const hints = { login_hint: ask.loginHint, domain_hint: ask.domainHint }
  const additionalParams = Object.fromEntries(
    Object.entries(hints).flatMap(([name, value]) => (value ? [[name, value]] : [])),
  )
  return { url: await library.getAuthorizeUrlAsync(relayState, undefined, { additionalParams }), requestId }
}

/** What came to the assertion consumer service. */
export interface SamlArrival {
  /** The form's field of this name. */
  readonly SAMLResponse: string
  /** The id of the request that this browser was sent with; undefined: none, the login began at the other side. */
  readonly expectedRequestId: string | undefined
  /** Milliseconds since 1970. */
  readonly now: number
}

/**
 * Takes the answer of an identity provider (SAML profiles §4.1.4), and verifies it: one assertion, signed by one of the
 * certificates with nothing of SHA-1, from the entity id that is set up, for us, for this address, now, and in answer to
 * the expected request.
 *
 * @throws {SsoError} denied: the status is not Success; replayed: it answers no request, or another than the expected
 *   one; configuration: there is no name of the user that stays; invalid: anything else
 */
export async function finish(
  settings: SamlSettings,
  ours: SamlIdentity,
  { SAMLResponse, expectedRequestId, now }: SamlArrival,
): Promise<SamlAnswer> {
  if (expectedRequestId === undefined && !settings.idpInitiated)
    throw new SsoError('replayed', 'Nobody asked for this answer, and logins from there are not allowed.')
  const response = await shapeOfResponse(SAMLResponse, ours.privateKey)
  checkResponse(response, settings, ours, expectedRequestId)
  const library = new Verifier({
    ...libraryOptions(settings, ours),
    // A response that is signed too must be so rightly.
    wantAuthnResponseSigned: response.signed,
    validateInResponseTo:
      expectedRequestId === undefined ? ValidateInResponseTo.ifPresent : ValidateInResponseTo.always,
    cacheProvider: knowing(expectedRequestId),
  })
  const found = await library
    .validatePostResponseAsync({ SAMLResponse: response.base64 })
    .catch(() => undefined)
  if (library.signed === undefined) throw response.encrypted ? undecryptable() : unverified()
  const assertion = parseXml(library.signed, MESSAGE_RULES)
  const answer = readAssertion(assertion, {
    issuer: settings.entityId,
    audience: ours.entityId,
    recipient: ours.acsUrl,
    requestId: expectedRequestId,
    now,
  })
  if (!found?.profile) throw invalid('The assertion lacks something that SAML demands of one.')
  return answer
}

/** What the response says around the assertion; signed or not, it must not contradict it. */
function checkResponse(
  { root, signed, empty }: ShapedResponse,
  settings: SamlSettings,
  ours: SamlIdentity,
  expectedRequestId: string | undefined,
): void {
  if (attributeOf(root, 'Version') !== '2.0') throw invalid('The response is not of SAML 2.0.')
  if (attributeOf(root, 'InResponseTo') !== expectedRequestId)
    throw new SsoError('replayed', 'The response does not answer the request that was made.')
  checkSender(root, settings, { issuer: signed })
  checkDestination(root, ours.acsUrl, { required: signed })
  const status = statusOf(root)
  if (status !== 'Success') throw new SsoError('denied', `The identity provider answered: ${status}.`)
  if (empty) throw invalid('The response has no assertion.')
}

function checkSender(root: Element, settings: SamlSettings, required: { issuer: boolean }): void {
  const issuers = childrenOf(root, ASSERTION, 'Issuer')
  if (issuers.length === 0 && !required.issuer) return
  if (textOf(onlyChild(root, ASSERTION, 'Issuer')) !== settings.entityId)
    throw invalid('It is from another issuer than the entity id that is set up.')
}

function checkDestination(root: Element, address: string, { required }: { required: boolean }): void {
  const destination = attributeOf(root, 'Destination')
  if (destination !== address && (required || destination !== undefined))
    throw invalid('It was sent to another destination than ours.')
}

const STATUS = 'urn:oasis:names:tc:SAML:2.0:status:'
/** Those of SAML core §3.2.2.2 that a login may end with: they are told, anything else is not repeated. */
const STATUSES = [
  'Requester',
  'Responder',
  'VersionMismatch',
  'AuthnFailed',
  'InvalidNameIDPolicy',
  'NoAuthnContext',
  'NoAvailableIDP',
  'NoPassive',
  'NoSupportedIDP',
  'ProxyCountExceeded',
  'RequestDenied',
  'RequestUnsupported',
  'UnknownPrincipal',
  'UnsupportedBinding',
]

/** What the status says most exactly: the inner code, if there is one that is known. */
function statusOf(root: Element): string {
  const outer = onlyChild(onlyChild(root, PROTOCOL, 'Status'), PROTOCOL, 'StatusCode')
  if (attributeOf(outer, 'Value') === `${STATUS}Success`) return 'Success'
  const codes = [onlyChild(outer, PROTOCOL, 'StatusCode'), outer].map(each => attributeOf(each, 'Value'))
  const known = codes.flatMap(code => STATUSES.find(each => code === STATUS + each) ?? [])
  return known[0] ?? 'another status than Success'
}

/**
 * The library, keeping the assertion as it was signed: exactly what the digest is over. It is kept before the library
 * looks at what it says, so that a refusal for that can be told in words; the library’s own are no part of its interface.
 */
class Verifier extends SAML {
  signed: string | undefined

  protected override processValidlySignedAssertionAsync(
    xml: string,
    response: string,
    requestId: string | null,
  ) {
    this.signed = xml
    return super.processValidlySignedAssertionAsync(xml, response, requestId)
  }
}

/** Requests that the library may find: one, or none. When it was made is for the caller to know. */
function knowing(requestId: string | undefined) {
  return {
    getAsync: async (id: string) => (id === requestId ? new Date().toISOString() : null),
    saveAsync: async () => null,
    removeAsync: async () => null,
  }
}

/** For one identity provider and one message: what is made with these options shares nothing with another. */
function libraryOptions(settings: SamlSettings, ours: SamlIdentity): SamlConfig {
  return {
    idpCert: [...settings.certificates],
    idpIssuer: settings.entityId,
    entryPoint: settings.ssoUrl,
    logoutUrl: settings.sloUrl ?? settings.ssoUrl,
    issuer: ours.entityId,
    audience: ours.entityId,
    callbackUrl: ours.acsUrl,
    decryptionPvk: ours.privateKey,
    signatureAlgorithm: 'sha256',
    // Whatever name is agreed on there: an identity provider that has none of the asked kind answers with an error.
    identifierFormat: null,
    wantAssertionsSigned: true,
    // Times are checked on our clock, and with our tolerance, in saml-assertion.ts.
    acceptedClockSkewMs: -1,
  }
}

function invalid(detail: string): SsoError {
  return new SsoError('invalid', detail)
}

/** How a request to log out came: in the query of an address, as it stood there without "?", or in a form. */
export type LogoutArrival =
  | { readonly binding: 'redirect'; readonly query: string }
  | { readonly binding: 'post'; readonly SAMLRequest: string; readonly RelayState?: string | undefined }

/** A session at the identity provider ended. */
export interface LogoutRequest {
  readonly id: string
  /** As in the answer to a login. */
  readonly subject: string
  /** The sessions that ended; empty: all of this user. */
  readonly sessions: readonly string[]
  readonly relayState: string | undefined
  /** From when on the request is refused for its age, milliseconds since 1970: until then remember its id. */
  readonly expiresAt: number
}

/**
 * Verifies a LogoutRequest (SAML core §3.7.1), which has to be signed: in the URL by the redirect binding, within by
 * the POST binding.
 *
 * @param now milliseconds since 1970
 * @throws {SsoError} invalid: not signed by the identity provider, not for us, not now; configuration: it names nobody
 */
export async function verifyLogoutRequest(
  settings: SamlSettings,
  ours: SamlIdentity,
  arrival: LogoutArrival,
  now: number,
): Promise<LogoutRequest> {
  const { root, relayState } =
    arrival.binding === 'redirect'
      ? signedBeside(settings, arrival)
      : await signedWithin(settings, ours, arrival)
  checkSender(root, settings, { issuer: true })
  checkDestination(root, ours.sloUrl, { required: true })
  const id = attributeOf(root, 'ID')
  if (attributeOf(root, 'Version') !== '2.0' || !id) throw invalid('The request is not of SAML 2.0.')
  const made = instant(root, 'IssueInstant')
  const ends = Math.min(
    optionalInstant(root, 'NotOnOrAfter') ?? Number.POSITIVE_INFINITY,
    made + LOGOUT_REQUEST_LIFE_MS,
  )
  if (made > now + CLOCK_SKEW_MS || ends <= now - CLOCK_SKEW_MS)
    throw invalid('The request is too old, or from the future: compare the clocks.')
  return {
    id,
    subject: readNameId(root).subject,
    sessions: childrenOf(root, PROTOCOL, 'SessionIndex').flatMap(each => textOf(each) ?? []),
    relayState,
    expiresAt: ends + CLOCK_SKEW_MS,
  }
}

function signedBeside(settings: SamlSettings, { query }: Extract<LogoutArrival, { binding: 'redirect' }>) {
  const { xml, relayState } = readSignedQuery(query, settings.certificates)
  return { root: shapeOfLogoutRequest(xml, 'beside'), relayState }
}

async function signedWithin(
  settings: SamlSettings,
  ours: SamlIdentity,
  { SAMLRequest, RelayState }: Extract<LogoutArrival, { binding: 'post' }>,
) {
  const xml = decodeMessage(SAMLRequest)
  const root = shapeOfLogoutRequest(xml, 'within')
  const message = { SAMLRequest: Buffer.from(xml).toString('base64') }
  const found = await new SAML(libraryOptions(settings, ours))
    .validatePostRequestAsync(message)
    .catch(() => undefined)
  if (!found?.loggedOut) throw unverified()
  return { root, relayState: RelayState }
}

/**
 * Answers a LogoutRequest.
 *
 * @param success whether all sessions that were named have ended, here and at the apps
 * @returns where the browser goes then; undefined: the identity provider has no address for it
 */
export async function logoutResponse(
  settings: SamlSettings,
  ours: SamlIdentity,
  request: Pick<LogoutRequest, 'id' | 'relayState'>,
  success = true,
): Promise<string | undefined> {
  if (settings.sloUrl === undefined) return undefined
  const library = new SAML({ ...libraryOptions(settings, ours), privateKey: ours.privateKey })
  const asked = { ID: request.id, issuer: '', nameID: '', nameIDFormat: '' }
  return library.getLogoutResponseUrlAsync(asked, request.relayState ?? '', {}, success)
}
