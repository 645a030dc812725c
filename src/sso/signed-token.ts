// Whether a token of an upstream (ID token, logout token) was signed by it, for us, and now. Only the keys that the
// upstream publishes count: nothing that a token says of where its key is (jku, x5u, jwk, x5c) is read, and no
// algorithm is taken whose key would be the client's secret, or none.

import {
  createLocalJWKSet,
  errors,
  type JWK,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose'
import type { Remembered } from './remembered.ts'
import { SsoError } from './upstream.ts'

const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]
const LONGEST_TOKEN = 64 * 1024
/** Between keys that are fetched because a token is signed by one that is not known. */
const KEYS_FLOOR = 60_000
/** Seconds that the clocks of two parties may differ by. */
export const CLOCK_TOLERANCE = 60

export type UpstreamKeys = JWTVerifyGetKey

/** @param keys members `keys` of a JWK set (RFC 7517 §5); one that is no key is found out when it is used */
export function keySet(keys: readonly object[]): UpstreamKeys {
  return createLocalJWKSet({ keys: keys as JWK[] })
}

export interface ExpectedToken {
  readonly issuer: string
  readonly audience: string
  /** Milliseconds since 1970. */
  readonly now: number
  /** Milliseconds since it was issued. */
  readonly maxAge: number
  readonly requiredClaims: readonly string[]
}

export interface VerifiedToken {
  readonly claims: JWTPayload
  readonly algorithm: string
  readonly type: string | undefined
}

/** @throws SsoError 'invalid'; 'configuration' for a key that can't be used; what fetching keys throws */
export async function verifyToken(
  token: string,
  keys: Remembered<UpstreamKeys>,
  { issuer, audience, now, maxAge, requiredClaims }: ExpectedToken,
): Promise<VerifiedToken> {
  if (token.length > LONGEST_TOKEN) throw new SsoError('invalid', 'the token is too long')
  const options: JWTVerifyOptions = {
    issuer,
    audience,
    algorithms: ALGORITHMS,
    currentDate: new Date(now),
    clockTolerance: CLOCK_TOLERANCE,
    maxTokenAge: maxAge / 1000,
    requiredClaims: ['iat', ...requiredClaims],
  }
  try {
    const { payload, protectedHeader } = await withKeys(keys, key => jwtVerify(token, key, options))
    return { claims: payload, algorithm: protectedHeader.alg, type: protectedHeader.typ }
  } catch (error) {
    throw faultOf(error)
  }
}

/** Keys may have been rotated: a token of none of those known has them fetched anew. */
async function withKeys<T>(
  keys: Remembered<UpstreamKeys>,
  verify: (key: UpstreamKeys) => Promise<T>,
): Promise<T> {
  const known = await keys.current()
  try {
    return await verify(known)
  } catch (error) {
    const isOfAnotherKey =
      error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed
    if (!isOfAnotherKey) throw error
    const now = await keys.youngerThan(KEYS_FLOOR)
    if (now === known) throw error
    return verify(now)
  }
}

/** Messages of the library may carry what the token says: its codes don't. */
function faultOf(error: unknown): SsoError {
  if (error instanceof SsoError) return error
  if (error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired) {
    return new SsoError('invalid', `the token's claim ${error.claim} does not hold`)
  }
  if (error instanceof errors.JOSEError)
    return new SsoError('invalid', `the token does not hold: ${error.code}`)
  // Node and WebCrypto, on a key: one too short, or none at all.
  return new SsoError('configuration', 'a key that the upstream publishes is of no use')
}
