// Looks at a SAML message before the library does: its size, its shape and what it is signed and encrypted with. What
// passes has the one shape that an honest identity provider sends, so that no two readers of it can see two things.
// Leaves out whether a signature holds (saml.ts has the library say that) and what the message says.

import { promisify } from 'node:util'
import { decrypt } from 'xml-encryption'
import {
  ASSERTION,
  attributeOf,
  childrenOf,
  ENCRYPTION,
  isNamed,
  onlyChild,
  PROTOCOL,
  parseXml,
  SIGNATURE,
  withDescendants,
} from './saml-xml.ts'
import { SsoError } from './upstream.ts'

/** In bytes of XML. */
export const LONGEST_MESSAGE = 256 * 1024
/** For messages, and what is decrypted. Nine hundred groups pass; verifying takes time with the square of the elements. */
export const MESSAGE_RULES = {
  longest: LONGEST_MESSAGE,
  mostElements: 1000,
  plain: true,
  fault: 'invalid',
} as const

/** A response, an assertion, and parts of signatures and of what is encrypted; each is searched for from the root. */
const MOST_IDS = 20

// What xml-crypto can verify, less SHA-1. It knows no ECDSA and no SHA-384.
const SIGNATURE_METHODS = [
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
  'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1',
]
const DIGEST_METHODS = ['http://www.w3.org/2001/04/xmlenc#sha256', 'http://www.w3.org/2001/04/xmlenc#sha512']
const CANONICALIZATIONS = [
  'http://www.w3.org/2001/10/xml-exc-c14n#',
  'http://www.w3.org/TR/2001/REC-xml-c14n-20010315',
]
const TRANSFORMS = ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', ...CANONICALIZATIONS]

// RSA PKCS #1 v1.5 is left out: it lets somebody who holds an encrypted assertion find out what is in it by asking often
// enough. CBC has a weakness of that kind, yet AD FS and Entra ID encrypt with nothing else: whatever is wrong with
// an encrypted assertion, the answer is one and the same.
const KEY_TRANSPORTS = ['http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p']
export const CIPHERS = [
  'http://www.w3.org/2009/xmlenc11#aes256-gcm',
  'http://www.w3.org/2009/xmlenc11#aes128-gcm',
  'http://www.w3.org/2001/04/xmlenc#aes256-cbc',
  'http://www.w3.org/2001/04/xmlenc#aes128-cbc',
]

/** A response of the right shape, nothing in it verified. */
export interface ShapedResponse {
  readonly root: Element
  /** What was looked at, for the library. */
  readonly base64: string
  /** Whether the response as a whole carries a signature, beside the assertion's. */
  readonly signed: boolean
  readonly encrypted: boolean
  /** It has no assertion, as befits one that says no. */
  readonly empty: boolean
}

function refuse(detail: string): never {
  throw new SsoError('invalid', detail)
}

/** The one fault of everything that is wrong with an encrypted assertion until its signature is verified. */
export function undecryptable(): SsoError {
  return new SsoError('invalid', 'The encrypted assertion can’t be decrypted with our key, or does not hold.')
}

/** None of the identity provider’s keys made this signature. */
export function unverified(): SsoError {
  return new SsoError('invalid', 'No certificate that is set up verifies the signature.')
}

/**
 * Reads a message as it came in a form.
 *
 * @param base64 the value of `SAMLResponse` or `SAMLRequest` (SAML bindings §3.5.4)
 * @throws {SsoError} invalid: too long, no base64, no UTF-8
 */
export function decodeMessage(base64: string): string {
  if (base64.length > 2 * LONGEST_MESSAGE) refuse('The message is too long.')
  if (!/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(base64)) refuse('The message is not encoded as base64.')
  return utf8(Buffer.from(base64, 'base64'))
}

/** Bytes as text, if they are text of allowed length. */
export function utf8(bytes: Uint8Array): string {
  if (bytes.length > LONGEST_MESSAGE) refuse('The message is too long.')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return refuse('The message is not encoded as UTF-8.')
  }
}

/**
 * Looks at a response: one root, one assertion (or one encrypted) in its place and none elsewhere, no two elements of
 * one id, each signature where it belongs and about what it is in, nothing of SHA-1, HMAC or RSA PKCS #1 v1.5 encryption.
 *
 * @param base64 the value of `SAMLResponse`
 * @param privateKey ours, PEM: what the assertion may be encrypted for
 * @throws {SsoError} invalid
 */
export async function shapeOfResponse(base64: string, privateKey: string): Promise<ShapedResponse> {
  const xml = decodeMessage(base64)
  const root = parseXml(xml, MESSAGE_RULES)
  if (!isNamed(root, PROTOCOL, 'Response')) refuse('It is not a SAML response.')
  const all = withDescendants(root)
  const assertions = all.filter(each => /^(Encrypted)?Assertion$/.test(each.localName))
  const assertion = onlyChild(root, ASSERTION, 'Assertion')
  const encrypted = onlyChild(root, ASSERTION, 'EncryptedAssertion')
  if (assertions.length > 1) refuse('It has more than one assertion.')
  if (assertions.length === 1 && !assertion && !encrypted) refuse('Its assertion is not where it belongs.')
  checkIds(all)
  checkSignatures(all, assertion ? [root, assertion] : [root])
  if (assertion && !isSigned(assertion)) refuse('The assertion is not signed.')
  if (encrypted) await checkEncrypted(encrypted, privateKey)
  return {
    root,
    base64: Buffer.from(xml).toString('base64'),
    signed: isSigned(root),
    encrypted: encrypted !== undefined,
    empty: assertions.length === 0,
  }
}

/**
 * Looks at a request to log out that came in a form, as {@link shapeOfResponse} does.
 * @throws {SsoError} invalid
 */
export function shapeOfLogoutRequest(xml: string, signed: 'within' | 'beside'): Element {
  const root = parseXml(xml, MESSAGE_RULES)
  if (!isNamed(root, PROTOCOL, 'LogoutRequest')) refuse('It is not a request to log out.')
  const all = withDescendants(root)
  checkIds(all)
  checkSignatures(all, [root])
  if (signed === 'within' && !isSigned(root)) refuse('The request is not signed.')
  return root
}

function isSigned(element: Element): boolean {
  return childrenOf(element, SIGNATURE, 'Signature').length > 0
}

function checkIds(all: readonly Element[]): void {
  const ids = all.flatMap(each => ['ID', 'Id', 'id'].flatMap(name => attributeOf(each, name) ?? []))
  if (ids.length > MOST_IDS) refuse('It has too many ids.')
  if (!ids.every(id => /^[\p{L}_][\p{L}\p{N}_.-]{0,255}$/u.test(id))) refuse('An id in it is not one.')
  if (new Set(ids).size < ids.length) refuse('Two elements of it have the same id.')
}

/** Each signature is a child of one of these elements, and refers to that. */
function checkSignatures(all: readonly Element[], signable: readonly Element[]): void {
  const signatures = all.filter(each => each.localName === 'Signature')
  for (const signature of signatures) {
    const signed = signable.find(each => each === signature.parentNode)
    if (!signed || onlyChild(signed, SIGNATURE, 'Signature') !== signature)
      refuse('A signature is not where it belongs.')
    checkSignature(signature, `#${attributeOf(signed, 'ID')}`)
  }
}

// XML Signature allows much more than SAML core §5.4 does; what is allowed here is what that leaves.
function checkSignature(signature: Element, uri: string): void {
  const within = withDescendants(signature).slice(1)
  const named = (name: string): Element[] => within.filter(each => each.localName === name)
  const one = (name: string, parent: Element | undefined): Element => {
    const [found, ...more] = named(name)
    if (!found || more.length > 0 || found !== onlyChild(parent, SIGNATURE, name))
      return refuse('A signature has parts too few, too many, or out of place.')
    return found
  }
  const info = one('SignedInfo', signature)
  const reference = one('Reference', info)
  one('SignatureValue', signature)
  one('DigestValue', reference)
  const transforms = named('Transforms').length > 0 ? one('Transforms', reference) : undefined
  if (named('Object').length > 0 || named('Transform').some(each => each.parentNode !== transforms))
    refuse('A signature has parts too few, too many, or out of place.')
  if (attributeOf(reference, 'URI') !== uri) refuse('A signature is not about what it is in.')
  const methods = 'A signature is made with SHA-1, or with other than RSA and SHA-256 or SHA-512.'
  allow(one('SignatureMethod', info), SIGNATURE_METHODS, methods)
  allow(one('DigestMethod', reference), DIGEST_METHODS, methods)
  const forms = 'A signature has transforms other than canonicalization without comments.'
  allow(one('CanonicalizationMethod', info), CANONICALIZATIONS, forms)
  for (const transform of named('Transform')) allow(transform, TRANSFORMS, forms)
}

function allow(element: Element, algorithms: readonly string[], otherwise: string): void {
  if (!algorithms.includes(attributeOf(element, 'Algorithm') ?? '')) refuse(otherwise)
}

async function checkEncrypted(encrypted: Element, privateKey: string): Promise<void> {
  checkCiphers(encrypted)
  try {
    const xml = await promisify(decrypt)(encrypted.toString(), {
      key: privateKey,
      warnInsecureAlgorithm: false,
    })
    const assertion = parseXml(xml, MESSAGE_RULES)
    if (!isNamed(assertion, ASSERTION, 'Assertion') || !isSigned(assertion)) throw undecryptable()
    const all = withDescendants(assertion)
    if (all.some(each => each !== assertion && /^(Encrypted)?Assertion$/.test(each.localName)))
      throw undecryptable()
    checkIds(all)
    checkSignatures(all, [assertion])
  } catch {
    throw undecryptable()
  }
}

/** One key for one piece of data: what the library decrypts is then what stands there. */
function checkCiphers(encrypted: Element): void {
  const within = withDescendants(encrypted).slice(1)
  const count = (name: string): number => within.filter(each => each.localName === name).length
  const data = onlyChild(encrypted, ENCRYPTION, 'EncryptedData')
  const one = ['EncryptedData', 'EncryptedKey'].every(name => count(name) === 1)
  const two = ['EncryptionMethod', 'CipherData', 'CipherValue'].every(name => count(name) === 2)
  if (!data || !one || !two) refuse('The encrypted assertion has parts too few, too many, or out of place.')
  for (const method of within.filter(each => each.localName === 'EncryptionMethod')) {
    const allowed = method.parentNode === data ? CIPHERS : KEY_TRANSPORTS
    if (!allowed.includes(attributeOf(method, 'Algorithm') ?? ''))
      refuse('The encryption is not allowed: AES and, for its key, RSA-OAEP is.')
  }
}
