// Metadata (saml-metadata-2.0-os): what an identity provider says of itself, and what we say of ourselves to it. Reads
// text that was fetched, uploaded or pasted by an admin, so that each fault says what is wrong with it in their words.

import { CIPHERS } from './saml-gate.ts'
import { type CertificateDetails, readCertificate, type SamlIdentity } from './saml-keys.ts'
import {
  attributeOf,
  childrenOf,
  escapeXml,
  isNamed,
  METADATA,
  onlyChild,
  PROTOCOL,
  parseXml,
  SIGNATURE,
  textOf,
  withDescendants,
} from './saml-xml.ts'
import { SsoError } from './upstream.ts'

/** An identity provider, as it is set up. */
export interface SamlSettings {
  /** The identity provider's. */
  readonly entityId: string
  /** Where logins begin, by the HTTP-Redirect binding. */
  readonly ssoUrl: string
  /** Where answers to its requests to log out go, by the HTTP-Redirect binding. */
  readonly sloUrl?: string | undefined
  /** PEM; several while keys are changed. */
  readonly certificates: readonly string[]
  /** Whether our requests are signed; most take signed ones, some demand them. */
  readonly requestsSigned: boolean
  /** Whether a login may begin at the identity provider. */
  readonly idpInitiated: boolean
}

/** What an identity provider's metadata says. */
export interface SamlMetadata extends Pick<SamlSettings, 'entityId' | 'ssoUrl' | 'sloUrl' | 'certificates'> {
  readonly wantsSignedRequests: boolean
  /** In the order of `certificates`. */
  readonly certificateDetails: readonly CertificateDetails[]
}

const RULES = { longest: 1024 * 1024, mostElements: 5000, plain: false, fault: 'configuration' } as const
/** Each is tried in turn, at the cost of a verification. */
const MOST_CERTIFICATES = 5
const REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect'
const POST = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'

function refuse(detail: string): never {
  throw new SsoError('configuration', detail)
}

/**
 * Reads an identity provider's metadata: an EntityDescriptor, or an EntitiesDescriptor with one identity provider in it.
 * A signature on it is not looked at: it is trusted for where it comes from.
 *
 * @throws {SsoError} configuration, with a detail for the admin
 */
export function readSamlMetadata(xml: string): SamlMetadata {
  const root = parseXml(xml, RULES)
  const entity = identityProviderIn(root)
  const entityId = attributeOf(entity, 'entityID')?.trim()
  if (!entityId || entityId.length > 1024) refuse('The metadata has no entity id, or one that is too long.')
  const role =
    onlyChild(entity, METADATA, 'IDPSSODescriptor') ??
    refuse('The metadata has more than one identity provider.')
  if (!attributeOf(role, 'protocolSupportEnumeration')?.split(/\s+/).includes(PROTOCOL))
    refuse('The identity provider does not speak SAML 2.0.')
  const details = certificatesIn(role)
  return {
    entityId,
    ssoUrl: addressOf(role, 'SingleSignOnService') ?? refuse(noRedirect(role)),
    sloUrl: addressOf(role, 'SingleLogoutService', 'ResponseLocation'),
    certificates: details.map(each => each.pem),
    certificateDetails: details,
    wantsSignedRequests: /^(true|1)$/.test(attributeOf(role, 'WantAuthnRequestsSigned')?.trim() ?? ''),
  }
}

function identityProviderIn(root: Element): Element {
  if (!['EntityDescriptor', 'EntitiesDescriptor'].some(name => isNamed(root, METADATA, name)))
    refuse('It is no SAML 2.0 metadata: it does not begin with an EntityDescriptor.')
  const [entity, ...more] = withDescendants(root).filter(
    each =>
      isNamed(each, METADATA, 'EntityDescriptor') &&
      childrenOf(each, METADATA, 'IDPSSODescriptor').length > 0,
  )
  if (more.length > 0) refuse('The metadata has more than one identity provider: give that of one.')
  return entity ?? refuse('The metadata is not of an identity provider.')
}

function addressOf(role: Element, service: string, preferred = 'Location'): string | undefined {
  const endpoints = childrenOf(role, METADATA, service).filter(
    each => attributeOf(each, 'Binding') === REDIRECT,
  )
  const [endpoint] = endpoints
  const address = (attributeOf(endpoint, preferred) ?? attributeOf(endpoint, 'Location'))?.trim()
  if (address === undefined) return undefined
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (!url || !['https:', 'http:'].includes(url.protocol) || url.username || url.password || url.hash)
    refuse(`The metadata has a ${service} whose address is none.`)
  return address
}

function noRedirect(role: Element): string {
  const post = childrenOf(role, METADATA, 'SingleSignOnService').some(
    each => attributeOf(each, 'Binding') === POST,
  )
  return post
    ? 'The identity provider takes logins by HTTP-POST only; switch HTTP-Redirect on there.'
    : 'The metadata has no address for logins by HTTP-Redirect.'
}

function certificatesIn(role: Element): CertificateDetails[] {
  const keys = childrenOf(role, METADATA, 'KeyDescriptor').filter(
    each => (attributeOf(each, 'use') ?? 'signing') === 'signing',
  )
  const texts = keys
    .flatMap(withDescendants)
    .filter(each => isNamed(each, SIGNATURE, 'X509Certificate'))
    .flatMap(each => textOf(each) ?? [])
  if (texts.length === 0) refuse('The metadata has no certificate for signatures.')
  const read = texts
    .slice(0, 3 * MOST_CERTIFICATES)
    .map(
      each =>
        readCertificate(each) ??
        refuse('A certificate can’t be used: it needs an RSA key of 2048 bits or more.'),
    )
  const distinct = [...new Map(read.map(each => [each.fingerprint, each])).values()]
  if (texts.length > 3 * MOST_CERTIFICATES || distinct.length > MOST_CERTIFICATES)
    refuse(`The metadata has more than ${MOST_CERTIFICATES} certificates for signatures.`)
  return distinct
}

/** Our metadata, for the identity provider's admin to import. */
export function ourMetadata(ours: SamlIdentity): string {
  const certificate = ours.certificate.replace(/-----(BEGIN|END) CERTIFICATE-----|\s/g, '')
  const key = (use: string, methods: readonly string[]): string => `
    <KeyDescriptor use="${use}">
      <ds:KeyInfo><ds:X509Data><ds:X509Certificate>${certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>${methods
        .map(each => `\n      <EncryptionMethod Algorithm="${each}"/>`)
        .join('')}
    </KeyDescriptor>`
  const logout = (binding: string): string => `
    <SingleLogoutService Binding="${binding}" Location="${escapeXml(ours.sloUrl)}"/>`
  return `<?xml version="1.0" encoding="UTF-8"?>
<EntityDescriptor xmlns="${METADATA}" xmlns:ds="${SIGNATURE}" entityID="${escapeXml(ours.entityId)}">
  <SPSSODescriptor protocolSupportEnumeration="${PROTOCOL}" AuthnRequestsSigned="true" WantAssertionsSigned="true">${key('signing', [])}${key('encryption', CIPHERS)}${[REDIRECT, POST].map(logout).join('')}
    <AssertionConsumerService index="0" isDefault="true" Binding="${POST}" Location="${escapeXml(ours.acsUrl)}"/>
  </SPSSODescriptor>
</EntityDescriptor>
`
}
