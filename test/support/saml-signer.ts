// An identity provider's pen, in the hand of whoever holds it: writes SAML assertions and responses in canonical form
// and signs them with node:crypto alone, so that a test can write anything, the forbidden included.

import {
  type CipherGCM,
  constants,
  createCipheriv,
  createHash,
  createHmac,
  createSign,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { deflateRawSync } from 'node:zlib'

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

/** What a request to log out says. Texts are XML as they stand. */
export interface LogoutSaid {
  readonly id: string
  readonly issuer: string
  readonly destination: string | undefined
  readonly issued: Date
  readonly notOnOrAfter: Date | undefined
  readonly nameId: string
  readonly nameIdFormat: string
  readonly sessions: readonly string[]
}

/** A request to log out without a signature, in canonical form. */
export function logoutRequest(said: LogoutSaid): string {
  const to = said.destination === undefined ? '' : ` Destination="${said.destination}"`
  const until = said.notOnOrAfter === undefined ? '' : ` NotOnOrAfter="${at(said.notOnOrAfter)}"`
  const sessions = said.sessions.map(each => `<samlp:SessionIndex>${each}</samlp:SessionIndex>`)
  return `<samlp:LogoutRequest xmlns:samlp="${SAMLP}"${to} ID="${said.id}" IssueInstant="${at(said.issued)}"${until} Version="2.0"><saml:Issuer xmlns:saml="${SAML}">${said.issuer}</saml:Issuer><saml:NameID xmlns:saml="${SAML}" Format="${said.nameIdFormat}">${said.nameId}</saml:NameID>${sessions.join('')}</samlp:LogoutRequest>`
}

/** A query of the HTTP-Redirect binding, signed. */
export function signedQuery(
  xml: string,
  { key, method = 'rsa-sha256' }: Pick<Pen, 'key' | 'method'>,
  relayState?: string,
): string {
  const pairs = [
    ['SAMLRequest', deflateRawSync(xml).toString('base64')],
    ...(relayState === undefined ? [] : [['RelayState', relayState]]),
    ['SigAlg', METHODS[method]],
  ]
  const query = pairs.map(([name, value = '']) => `${name}=${encodeURIComponent(value)}`).join('&')
  const signature = createSign(method.toUpperCase()).update(query).sign(key, 'base64')
  return `${query}&Signature=${encodeURIComponent(signature)}`
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

const XENC = 'http://www.w3.org/2001/04/xmlenc#'
const XENC11 = 'http://www.w3.org/2009/xmlenc11#'
const CIPHERS = {
  'aes-256-gcm': { name: `${XENC11}aes256-gcm`, key: 32, iv: 12 },
  'aes-128-gcm': { name: `${XENC11}aes128-gcm`, key: 16, iv: 12 },
  'aes-256-cbc': { name: `${XENC}aes256-cbc`, key: 32, iv: 16 },
  'aes-128-cbc': { name: `${XENC}aes128-cbc`, key: 16, iv: 16 },
  'des-ede3-cbc': { name: `${XENC}tripledes-cbc`, key: 24, iv: 8 },
}
export type Cipher = keyof typeof CIPHERS

/** An assertion, encrypted for whom a certificate (PEM) is of, in canonical form. */
export function sealed(
  xml: string,
  certificate: string,
  cipher: Cipher = 'aes-256-gcm',
  transport: 'rsa-oaep-mgf1p' | 'rsa-1_5' = 'rsa-oaep-mgf1p',
): string {
  const { name, key: size, iv: start } = CIPHERS[cipher]
  const [key, iv] = [randomBytes(size), randomBytes(start)]
  const encryption = createCipheriv(cipher, key, iv)
  const text = Buffer.concat([iv, encryption.update(xml), encryption.final()])
  const tag = cipher.endsWith('gcm') ? [(encryption as CipherGCM).getAuthTag()] : []
  const padding = transport === 'rsa-1_5' ? constants.RSA_PKCS1_PADDING : constants.RSA_PKCS1_OAEP_PADDING
  const value = (bytes: Buffer): string =>
    `<xenc:CipherData><xenc:CipherValue>${bytes.toString('base64')}</xenc:CipherValue></xenc:CipherData>`
  const method = (algorithm: string): string =>
    `<xenc:EncryptionMethod Algorithm="${algorithm}"></xenc:EncryptionMethod>`
  return `<saml:EncryptedAssertion xmlns:saml="${SAML}"><xenc:EncryptedData xmlns:xenc="${XENC}">${method(name)}<ds:KeyInfo xmlns:ds="${DSIG}"><xenc:EncryptedKey>${method(XENC + transport)}${value(publicEncrypt({ key: certificate, padding }, key))}</xenc:EncryptedKey></ds:KeyInfo>${value(Buffer.concat([text, ...tag]))}</xenc:EncryptedData></saml:EncryptedAssertion>`
}

/** As it stands in the form. */
export function base64(xml: string): string {
  return Buffer.from(xml).toString('base64')
}
