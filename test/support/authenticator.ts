// An authenticator and its browser in software: makes real registrations and assertions (WebAuthn Level 3, §6), and
// any wrong one that a test asks for. It shares no code with the verifier.

import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** The AAGUID of a YubiKey 5 with NFC, for those who claim to be one. */
export const YUBIKEY_AAGUID = '2fc0579f-8113-47ea-b116-bb5a8db9202a'

export type Algorithm = 'ES256' | 'EdDSA' | 'RS256'

/** What can be told to be otherwise; what is left out is as an honest browser would have it. */
export interface Knobs {
  origin?: string
  rpId?: string
  /** `webauthn.create` or `webauthn.get` */
  type?: string
  /** `undefined` leaves it out. */
  crossOrigin?: unknown
  topOrigin?: unknown
  userPresent?: boolean
  userVerified?: boolean
  backupEligible?: boolean
  backedUp?: boolean
  counter?: number
  /** Replaces `id` or `rawId` of the response, not what is signed. */
  id?: string
  rawId?: string
}

export interface RegistrationKnobs extends Knobs {
  attestation?: 'none' | 'packed-self' | 'packed-self-broken' | 'packed-x5c' | 'apple'
  aaguid?: string
  transports?: unknown
  /** COSE number that the key claims to have. */
  claimedAlgorithm?: number
}

export interface AssertionKnobs extends Knobs {
  /** base64url; `null` as browsers send for none */
  userHandle?: string | null
  breakSignature?: boolean
  /** Signs with another key. */
  key?: KeyObject
}

export interface Authenticator {
  credentialId: string
  algorithm: Algorithm
  privateKey: KeyObject
  register(challenge: string, knobs?: RegistrationKnobs): RegistrationJson
  assert(challenge: string, knobs?: AssertionKnobs): AssertionJson
}

export interface RegistrationJson {
  id: string
  rawId: string
  type: string
  authenticatorAttachment: string
  clientExtensionResults: object
  response: { clientDataJSON: string; attestationObject: string; transports: unknown }
}

export interface AssertionJson {
  id: string
  rawId: string
  type: string
  authenticatorAttachment: string
  clientExtensionResults: object
  response: {
    clientDataJSON: string
    authenticatorData: string
    signature: string
    userHandle?: string | null
  }
}

export interface AuthenticatorOptions {
  algorithm?: Algorithm
  /** Where the browser is. */
  origin: string
  rpId: string
  /** base64url, given back with each assertion */
  userHandle: string
  backupEligible?: boolean
  backedUp?: boolean
}

/** A new authenticator with one key pair; its counter grows by one with each use. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { algorithm = 'ES256' } = options
  const { privateKey, publicKey } = keyPair(algorithm)
  const credentialId = base64url(randomBytes(32))
  let uses = 0

  const clientDataOf = (type: string, challenge: string, knobs: Knobs) =>
    JSON.stringify({
      type: knobs.type ?? type,
      challenge,
      origin: knobs.origin ?? options.origin,
      crossOrigin: 'crossOrigin' in knobs ? knobs.crossOrigin : false,
      ...('topOrigin' in knobs && { topOrigin: knobs.topOrigin }),
    })

  const authDataOf = (knobs: Knobs, attested: Buffer) => {
    const {
      userPresent = true,
      userVerified = true,
      backupEligible = options.backupEligible ?? false,
      backedUp = options.backedUp ?? false,
    } = knobs
    let flags = 0
    if (userPresent) flags |= 0x01
    if (userVerified) flags |= 0x04
    if (backupEligible) flags |= 0x08
    if (backedUp) flags |= 0x10
    if (attested.length > 0) flags |= 0x40
    const tail = Buffer.alloc(5)
    tail.writeUInt8(flags)
    tail.writeUInt32BE(knobs.counter ?? ++uses, 1)
    return Buffer.concat([sha256(knobs.rpId ?? options.rpId), tail, attested])
  }

  const envelope = (knobs: Knobs) => ({
    id: knobs.id ?? credentialId,
    rawId: knobs.rawId ?? knobs.id ?? credentialId,
    type: 'public-key',
    authenticatorAttachment: 'platform',
    clientExtensionResults: {},
  })

  return {
    credentialId,
    algorithm,
    privateKey,

    register(challenge, knobs = {}) {
      const clientData = Buffer.from(clientDataOf('webauthn.create', challenge, knobs))
      const id = Buffer.from(credentialId, 'base64url')
      const idLength = Buffer.alloc(2)
      idLength.writeUInt16BE(id.length)
      const key = coseKey(algorithm, publicKey, knobs.claimedAlgorithm)
      const aaguid = Buffer.from((knobs.aaguid ?? '').replaceAll('-', '').padStart(32, '0'), 'hex')
      const authData = authDataOf(knobs, Buffer.concat([aaguid, idLength, id, cbor(key)]))
      const signature = signed(algorithm, privateKey, Buffer.concat([authData, sha256(clientData)]))

      const { attestation = 'none' } = knobs
      const broken = attestation === 'packed-self-broken'
      const statement = new Map<string, Cbor>()
      if (attestation.startsWith('packed')) {
        statement.set('alg', COSE_ALGORITHM[algorithm])
        statement.set('sig', broken ? flipped(signature) : signature)
      }
      if (attestation === 'packed-x5c' || attestation === 'apple')
        statement.set('x5c', [certificate(publicKey, privateKey)])

      const attestationObject = new Map<string, Cbor>([
        ['fmt', attestation.split('-')[0] ?? 'none'],
        ['attStmt', statement],
        ['authData', authData],
      ])
      return {
        ...envelope(knobs),
        response: {
          clientDataJSON: base64url(clientData),
          attestationObject: base64url(cbor(attestationObject)),
          transports: 'transports' in knobs ? knobs.transports : ['internal', 'hybrid'],
        },
      }
    },

    assert(challenge, knobs = {}) {
      const clientData = Buffer.from(clientDataOf('webauthn.get', challenge, knobs))
      const authData = authDataOf(knobs, Buffer.alloc(0))
      const signature = signed(
        algorithm,
        knobs.key ?? privateKey,
        Buffer.concat([authData, sha256(clientData)]),
      )
      return {
        ...envelope(knobs),
        response: {
          clientDataJSON: base64url(clientData),
          authenticatorData: base64url(authData),
          signature: base64url(knobs.breakSignature ? flipped(signature) : signature),
          userHandle: knobs.userHandle === undefined ? options.userHandle : knobs.userHandle,
        },
      }
    },
  }
}

const COSE_ALGORITHM = { ES256: -7, EdDSA: -8, RS256: -257 } as const

function keyPair(algorithm: Algorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519')
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

function signed(algorithm: Algorithm, key: KeyObject, data: Buffer): Buffer {
  return sign(algorithm === 'EdDSA' ? null : 'sha256', data, key)
}

/** RFC 9053 §7 and RFC 8230 §4, in the order of CTAP2's canonical form. */
function coseKey(
  algorithm: Algorithm,
  key: KeyObject,
  claimed: number = COSE_ALGORITHM[algorithm],
): Map<number, Cbor> {
  const { x = '', y = '', n = '', e = '' } = key.export({ format: 'jwk' })
  const bytes = (text: string) => Buffer.from(text, 'base64url')
  const parameters: Record<Algorithm, [number, Cbor][]> = {
    ES256: [
      [1, 2],
      [3, claimed],
      [-1, 1],
      [-2, bytes(x)],
      [-3, bytes(y)],
    ],
    EdDSA: [
      [1, 1],
      [3, claimed],
      [-1, 6],
      [-2, bytes(x)],
    ],
    RS256: [
      [1, 3],
      [3, claimed],
      [-1, bytes(n)],
      [-2, bytes(e)],
    ],
  }
  return new Map(parameters[algorithm])
}

type Cbor = number | string | Uint8Array | Cbor[] | Map<number, Cbor> | Map<string, Cbor>

/** A self-signed attestation certificate (WebAuthn §8.2.1) for an ES256 key, as much of RFC 5280 as that needs. */
function certificate(publicKey: KeyObject, privateKey: KeyObject): Buffer {
  const ecdsaWithSha256 = der(0x30, der(0x06, Buffer.from('2a8648ce3d040302', 'hex')))
  // countryName, organizationName, organizationalUnitName, commonName
  const name = der(
    0x30,
    ...(
      [
        [6, 'SE'],
        [10, 'Maker'],
        [11, 'Authenticator Attestation'],
        [3, 'Key'],
      ] as const
    ).map(([type, text]) =>
      der(0x31, der(0x30, der(0x06, Buffer.from([0x55, 0x04, type])), der(0x0c, Buffer.from(text)))),
    ),
  )
  const time = (text: string) => der(0x17, Buffer.from(text))
  const notACertificateAuthority = der(0x30, der(0x06, Buffer.from([0x55, 0x1d, 0x13])), der(0x04, der(0x30)))
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    name,
    der(0x30, time('200101000000Z'), time('490101000000Z')),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, notACertificateAuthority)),
  )
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', body, privateKey)])
  return der(0x30, body, ecdsaWithSha256, der(0x03, signature))
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts)
  const { length } = value
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), value])
}

/** As much of RFC 8949 as WebAuthn needs. */
function cbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)])
  const pairs = [...value].flatMap(([key, item]) => [cbor(key), cbor(item)])
  return Buffer.concat([head(5, value.size), ...pairs])
}

function head(major: number, argument: number): Buffer {
  if (argument < 24) return Buffer.from([(major << 5) | argument])
  if (argument < 256) return Buffer.from([(major << 5) | 24, argument])
  return Buffer.from([(major << 5) | 25, argument >> 8, argument & 0xff])
}

function flipped(bytes: Buffer): Buffer {
  const other = Buffer.from(bytes)
  // The last byte: DER still reads, the number is another.
  other[other.length - 1] = (other.at(-1) ?? 0) ^ 1
  return other
}

function sha256(data: string | Buffer): Buffer {
  return createHash('sha256').update(data).digest()
}

function base64url(bytes: Buffer): string {
  return bytes.toString('base64url')
}
