// Our key pair for one connection, with the self-signed certificate that metadata carries it in, and what is in an
// identity provider's. node:crypto reads certificates but writes none. The certificate is written here, since it is one
// fixed shape of 30 lines (RFC 5280 §4.1) that node:crypto then reads back; a library for any certificate would be ten packages.

import { generateKeyPair, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'

/** Who we are to one identity provider. */
export interface SamlIdentity {
  readonly entityId: string
  /** Where answers are posted to: the assertion consumer service. */
  readonly acsUrl: string
  /** Where requests to log out come to. */
  readonly sloUrl: string
  /** PEM (PKCS #8); to be kept sealed. */
  readonly privateKey: string
  /** PEM. */
  readonly certificate: string
}

const YEARS = 10

/**
 * Makes a key pair to sign requests with, and to have assertions encrypted for: RSA, 3072 bits, with a certificate for
 * ten years. Identity providers look at the key in it, and at little else.
 *
 * @param name the common name, at most 64 characters
 * @param now milliseconds since 1970
 */
export async function newSamlKeys(
  name: string,
  now: number,
): Promise<Pick<SamlIdentity, 'privateKey' | 'certificate'>> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 3072 })
  const certificate = new X509Certificate(selfSigned(name.slice(0, 64), privateKey, publicKey, now))
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: certificate.toString(),
  }
}

function selfSigned(name: string, privateKey: KeyObject, publicKey: KeyObject, now: number): Buffer {
  const issuer = sequence(set(sequence(oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from(name)))))
  // Not negative, and never a leading zero that DER would have to leave out.
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const until = new Date(now)
  until.setUTCFullYear(until.getUTCFullYear() + YEARS)
  const version3 = der(0xa0, der(0x02, Buffer.of(2)))
  const toBeSigned = sequence(
    version3,
    der(0x02, serial),
    SHA256_WITH_RSA,
    issuer,
    sequence(time(new Date(now)), time(until)),
    issuer,
    publicKey.export({ type: 'spki', format: 'der' }),
  )
  const signature = sign('sha256', toBeSigned, privateKey)
  return sequence(toBeSigned, SHA256_WITH_RSA, der(0x03, Buffer.concat([Buffer.of(0), signature])))
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content])
  const length = Buffer.of(content.length >> 8, content.length & 0xff)
  return Buffer.concat([Buffer.of(tag, 0x82), length, content])
}

const sequence = (...parts: Buffer[]): Buffer => der(0x30, ...parts)
const set = (...parts: Buffer[]): Buffer => der(0x31, ...parts)
const oid = (...bytes: number[]): Buffer => der(0x06, Buffer.from(bytes))
const SHA256_WITH_RSA = sequence(
  oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b),
  der(0x05, Buffer.alloc(0)),
)

// RFC 5280 §4.1.2.5: two digits of the year up to 2049, four from then on.
function time(date: Date): Buffer {
  const text = `${date.toISOString().replace(/[-:T]|\.\d+/g, '')}`
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text))
}

/** A certificate of an identity provider. */
export interface CertificateDetails {
  /** PEM. */
  readonly pem: string
  /** SHA-256, in hexadecimal pairs between colons. */
  readonly fingerprint: string
  /** Milliseconds since 1970. An identity provider may go on with it: what counts is the key. */
  readonly expiresAt: number
}

/**
 * Reads a certificate that signatures are to be verified with.
 *
 * @param text PEM, or the base64 of DER as it stands in metadata
 * @returns undefined: no certificate, or one whose key is not RSA of 2048 bits at least
 */
export function readCertificate(text: string): CertificateDetails | undefined {
  const base64 = text.replace(/-----(BEGIN|END) CERTIFICATE-----/g, '').replace(/\s/g, '')
  if (base64.length > 16_384 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined
  try {
    const certificate = new X509Certificate(Buffer.from(base64, 'base64'))
    const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey
    if (asymmetricKeyType !== 'rsa' || (asymmetricKeyDetails?.modulusLength ?? 0) < 2048) return undefined
    return {
      pem: certificate.toString(),
      fingerprint: certificate.fingerprint256,
      expiresAt: Date.parse(certificate.validTo),
    }
  } catch {
    return undefined
  }
}
