// What the database must not be able to tell is sealed here: AES-256-GCM, bound to table, column and row, so that a
// sealed value moved to another row does not open. Keys are derived by HKDF (RFC 5869) from the operator's secret
// keys; the first one seals and signs, all of them open and verify, which is how keys are rotated.

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'

/** Where a sealed value lives: table, column, row. */
export type Place = readonly [table: string, column: string, row: string]

/** What a key is for. A key for one purpose is no use for another. */
export type Purpose =
  | 'seal'
  | 'cookie'
  | 'recovery-code'
  | 'passkey-challenge'
  | 'link'
  | 'device'
  | 'dpop-nonce'
  | 'digest'
  | 'audit'
  | 'id'

export type NewestFirst<T> = readonly [T, ...T[]]

export interface Keyring {
  /** @returns one 32-byte key per secret key, newest first */
  keys(purpose: Purpose): NewestFirst<Uint8Array>
  seal(plain: string | Uint8Array, place: Place): string
  /** @throws SealBroken if no key opens it, or if it was sealed for another place */
  open(sealed: string, place: Place): Buffer
  /** HMAC-SHA-256 under the newest key, base64url. */
  sign(purpose: Purpose, text: string): string
  /** Whether `signature` was made over `text` by any of the keys; constant time. */
  verify(purpose: Purpose, text: string, signature: string): boolean
  /** The same. @returns which key made the signature, 0 the newest; -1 if none did */
  signedBy(purpose: Purpose, text: string, signature: string): number
}

/** A sealed value that none of the configured keys opens, or a key of sealed values that is not among them. */
export class SealBroken extends Error {
  constructor(what: string) {
    super(`SALLYPORT_SECRET_KEYS does not open ${what}: was a key taken out that is still in use?`)
    this.name = 'SealBroken'
  }
}

const VERSION = 's1'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** @param secretKeys newest first, each at least 32 characters */
export function createKeyring(secretKeys: NewestFirst<string>): Keyring {
  const derived = new Map<Purpose, NewestFirst<Uint8Array>>()
  // Made once: a key that comes as bytes is wrapped anew at every use.
  const wrapped = new Map<Purpose, NewestFirst<KeyObject>>()
  const keys: Keyring['keys'] = purpose =>
    remembered(derived, purpose, () => mapped(secretKeys, each => derive(each, purpose)))
  const keyObjects = (purpose: Purpose): NewestFirst<KeyObject> =>
    remembered(wrapped, purpose, () => mapped(keys(purpose), each => createSecretKey(each)))
  const mac = (key: KeyObject, text: string): string =>
    createHmac('sha256', key).update(text).digest('base64url')
  const signedBy: Keyring['signedBy'] = (purpose, text, signature) => {
    const given = Buffer.from(signature)
    return keyObjects(purpose).findIndex(key => {
      const expected = Buffer.from(mac(key, text))
      return given.length === expected.length && timingSafeEqual(given, expected)
    })
  }

  return {
    keys,
    seal(plain, place) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', keyObjects('seal')[0], nonce).setAAD(placeBytes(place))
      const text = Buffer.concat([cipher.update(plain), cipher.final()])
      return spell(Buffer.concat([nonce, text, cipher.getAuthTag()]))
    },
    open(sealed, place) {
      const bytes = Buffer.from(sealed.slice(VERSION.length + 1), 'base64url')
      // Spelled back, since decoding overlooks letters that don't belong: a value has one spelling.
      if (sealed === spell(bytes) && bytes.length >= NONCE_BYTES + TAG_BYTES) {
        for (const key of keyObjects('seal')) {
          const opened = tryOpen(key, bytes, place)
          if (opened !== undefined) return opened
        }
      }
      throw new SealBroken(`${place[0]}.${place[1]}`)
    },
    sign: (purpose, text) => mac(keyObjects(purpose)[0], text),
    verify: (purpose, text, signature) => signedBy(purpose, text, signature) >= 0,
    signedBy,
  }
}

function mapped<T, Result>([first, ...rest]: NewestFirst<T>, make: (each: T) => Result): NewestFirst<Result> {
  return [make(first), ...rest.map(make)]
}

function remembered<Key, Value>(known: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = known.get(key) ?? make()
  known.set(key, found)
  return found
}

function spell(bytes: Buffer): string {
  return `${VERSION}.${bytes.toString('base64url')}`
}

function derive(secret: string, purpose: Purpose): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, 'sallyport', purpose, 32))
}

function placeBytes(place: Place): Buffer {
  return Buffer.from(JSON.stringify(place))
}

function tryOpen(key: KeyObject, bytes: Buffer, place: Place): Buffer | undefined {
  const nonce = bytes.subarray(0, NONCE_BYTES)
  const tag = bytes.subarray(bytes.length - TAG_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(placeBytes(place)).setAuthTag(tag)
  try {
    return Buffer.concat([
      decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES)),
      decipher.final(),
    ])
  } catch {
    return undefined
  }
}
