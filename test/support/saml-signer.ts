// An identity provider's pen, in the hand of whoever holds it: writes SAML assertions and responses in canonical form
// and signs them with node:crypto alone, so that a test can write anything, the forbidden included.

import { createHash, createHmac, createSign } from 'node:crypto'

const DSIG = 'http://www.w3.org/2000/09/xmldsig#'
const SAML = 'urn:oasis:names:tc:SAML:2.0:assertion'
const SAMLP = 'urn:oasis:names:tc:SAML:2.0:protocol'

export const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'
export const EMAIL_ADDRESS = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress'
export const PASSWORD_CONTEXT = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport'

/** What an assertion says. Texts are XML as they stand. */
export interface Said {
  readonly id: string
  readonly issuer: string
  readonly nameId: string
  readonly nameIdFormat: string
  readonly recipient: string
  readonly inResponseTo: string | undefined
  readonly audience: string
  readonly issued: Date
  readonly notBefore: Date
  readonly notOnOrAfter: Date
  readonly confirmedUntil: Date
  readonly authenticated: Date
  readonly context: string
  readonly session: string
  readonly attributes: Readonly<Record<string, readonly string[]>>
  /** Further conditions, as XML. */
  readonly conditions: string
  readonly confirmation: string
}

/** An assertion without a signature, in the form that exclusive canonicalization makes of it. */
export function assertion(said: Said): string {
  const asked = said.inResponseTo === undefined ? '' : ` InResponseTo="${said.inResponseTo}"`
  const attributes = Object.entries(said.attributes).map(
    ([name, values]) =>
      `<saml:Attribute Name="${name}">${values.map(each => `<saml:AttributeValue>${each}</saml:AttributeValue>`).join('')}</saml:Attribute>`,
  )
  return `<saml:Assertion xmlns:saml="${SAML}" ID="${said.id}" IssueInstant="${at(said.issued)}" Version="2.0"><saml:Issuer>${said.issuer}</saml:Issuer><saml:Subject><saml:NameID Format="${said.nameIdFormat}">${said.nameId}</saml:NameID><saml:SubjectConfirmation Method="${said.confirmation}"><saml:SubjectConfirmationData${asked} NotOnOrAfter="${at(said.confirmedUntil)}" Recipient="${said.recipient}"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="${at(said.notBefore)}" NotOnOrAfter="${at(said.notOnOrAfter)}"><saml:AudienceRestriction><saml:Audience>${said.audience}</saml:Audience></saml:AudienceRestriction>${said.conditions}</saml:Conditions><saml:AuthnStatement AuthnInstant="${at(said.authenticated)}" SessionIndex="${said.session}"><saml:AuthnContext><saml:AuthnContextClassRef>${said.context}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>${attributes.join('')}</saml:AttributeStatement></saml:Assertion>`
}

const at = (date: Date): string => date.toISOString()

/** What stands around assertions. */
export interface Envelope {
  readonly id: string
  readonly issuer: string
  readonly destination: string | undefined
  readonly inResponseTo: string | undefined
  readonly status: string
  readonly issued: Date
}

/** A response without a signature, in canonical form. */
export function response(envelope: Envelope, content: string): string {
  const to = envelope.destination === undefined ? '' : ` Destination="${envelope.destination}"`
  const asked = envelope.inResponseTo === undefined ? '' : ` InResponseTo="${envelope.inResponseTo}"`
  return `<samlp:Response xmlns:samlp="${SAMLP}"${to} ID="${envelope.id}"${asked} IssueInstant="${at(envelope.issued)}" Version="2.0"><saml:Issuer xmlns:saml="${SAML}">${envelope.issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="${envelope.status}"></samlp:StatusCode></samlp:Status>${content}</samlp:Response>`
}

/** How something is signed. */
export interface Pen {
  /** PEM. */
  readonly key: string
  readonly method?: 'rsa-sha1' | 'rsa-sha256' | 'rsa-sha512' | 'hmac-sha1'
  readonly digest?: 'sha1' | 'sha256' | 'sha512'
  readonly transforms?: readonly string[]
  readonly keyInfo?: string
  /** Put into SignedInfo before it is signed. */
  readonly extra?: string
  readonly uri?: string
}

const METHODS = {
  'rsa-sha1': `${DSIG}rsa-sha1`,
  'hmac-sha1': `${DSIG}hmac-sha1`,
  'rsa-sha256': 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  'rsa-sha512': 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
}
const DIGESTS = {
  sha1: `${DSIG}sha1`,
  sha256: 'http://www.w3.org/2001/04/xmlenc#sha256',
  sha512: 'http://www.w3.org/2001/04/xmlenc#sha512',
}
const TRANSFORMS = [`${DSIG}enveloped-signature`, 'http://www.w3.org/2001/10/xml-exc-c14n#']

/** The signature for an element that is given in canonical form. */
export function signatureOf(xml: string, pen: Pen): string {
  const { key, method = 'rsa-sha256', digest = 'sha256', transforms = TRANSFORMS } = pen
  const id = / ID="([^"]+)"/.exec(xml)?.[1]
  const digested = createHash(digest).update(xml).digest('base64')
  const steps = transforms.map(each => `<ds:Transform Algorithm="${each}"></ds:Transform>`).join('')
  const info = `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="${METHODS[method]}"></ds:SignatureMethod><ds:Reference URI="${pen.uri ?? `#${id}`}"><ds:Transforms>${steps}</ds:Transforms><ds:DigestMethod Algorithm="${DIGESTS[digest]}"></ds:DigestMethod><ds:DigestValue>${digested}</ds:DigestValue></ds:Reference>${pen.extra ?? ''}`
  const signed = `<ds:SignedInfo xmlns:ds="${DSIG}">${info}</ds:SignedInfo>`
  const value =
    method === 'hmac-sha1'
      ? createHmac('sha1', key).update(signed).digest('base64')
      : createSign(method.toUpperCase()).update(signed).sign(key, 'base64')
  const keyInfo = pen.keyInfo === undefined ? '' : `<ds:KeyInfo>${pen.keyInfo}</ds:KeyInfo>`
  return `<ds:Signature xmlns:ds="${DSIG}"><ds:SignedInfo>${info}</ds:SignedInfo><ds:SignatureValue>${value}</ds:SignatureValue>${keyInfo}</ds:Signature>`
}

/** Puts a signature where it belongs: behind the issuer. */
export function signed(xml: string, pen: Pen): string {
  return xml.replace('</saml:Issuer>', `</saml:Issuer>${signatureOf(xml, pen)}`)
}

/** KeyInfo's content with a certificate, PEM. */
export function x509Data(certificate: string): string {
  return `<ds:X509Data><ds:X509Certificate>${certificate.replace(/-----[A-Z ]+-----|\s/g, '')}</ds:X509Certificate></ds:X509Data>`
}

/** As it stands in the form. */
export function base64(xml: string): string {
  return Buffer.from(xml).toString('base64')
}
