// Takes apart what the browser sends for a passkey: JSON of the shape of `PublicKeyCredential.toJSON()` (WebAuthn §5.1),
// from anybody, with anything in it. Nothing here knows whether it is true; passkey.ts verifies it.

const MAX_RESPONSE_LENGTH = 16_384
// WebAuthn §7.1 step 25: at most 1023 bytes.
const MAX_CREDENTIAL_ID_LENGTH = 1364

export type Unreadable = 'too_large' | 'malformed' | 'credential_id_mismatch'

export interface ClientData {
  type: string
  challenge: string
  origin: string
  crossOrigin: unknown
  topOrigin: unknown
  /** All of it as it was signed, base64url. */
  json: string
}

export interface Parts {
  /** Both `id` and `rawId`. */
  id: string
  /** Whether the authenticator is part of the device that the browser is on, as the browser says. */
  attachment: 'platform' | 'cross-platform' | undefined
  /** The response proper, as it came. */
  inner: Record<string, unknown>
  client: ClientData
}

/**
 * Takes a response apart. Only plain values that were asked for by name go on to the library, never the object itself.
 * Whatever goes wrong on the way, stack overflow by nested CBOR included, makes it malformed.
 */
export function takeApart<Result>(
  response: unknown,
  pick: (parts: Parts) => Result | Unreadable,
): Result | Unreadable {
  try {
    const text = typeof response === 'string' ? response : (JSON.stringify(response) ?? '')
    if (text.length > MAX_RESPONSE_LENGTH) return 'too_large'
    const outer = record(JSON.parse(text))
    const inner = record(outer?.response)
    if (!outer || !inner || outer.type !== 'public-key') return 'malformed'
    const { id, rawId } = outer
    if (!isBase64url(id) || !isBase64url(rawId) || id.length > MAX_CREDENTIAL_ID_LENGTH) return 'malformed'
    if (id !== rawId) return 'credential_id_mismatch'
    const client = clientData(inner.clientDataJSON)
    return client ? pick({ id, inner, client, attachment: attachmentIn(outer) }) : 'malformed'
  } catch {
    return 'malformed'
  }
}

function attachmentIn({ authenticatorAttachment: said }: Record<string, unknown>): Parts['attachment'] {
  return said === 'platform' || said === 'cross-platform' ? said : undefined
}

function clientData(json: unknown): ClientData | undefined {
  if (!isBase64url(json)) return undefined
  const said = record(JSON.parse(Buffer.from(json, 'base64url').toString()))
  if (!said) return undefined
  const { type, challenge, origin, crossOrigin, topOrigin } = said
  if (typeof type !== 'string' || typeof challenge !== 'string' || typeof origin !== 'string')
    return undefined
  return { type, challenge, origin, crossOrigin, topOrigin, json }
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

export function isBase64url(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]+$/.test(value)
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, 'base64url'))
}

export function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}
