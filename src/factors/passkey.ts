// Passkeys: options for the browser and the verification of what comes back (WebAuthn Level 3, §7.1 and §7.2). Expected
// values in, facts out. User verification is required at every login, so a passkey is two kinds of factor by itself; at
// registration too, except where the browser makes one by itself (conditional create), which never has it.
//
// Each thing is judged here first, by a closed set of reasons, and then by the library, which checks the signature.
// What only we judge: credential id and user handle belong together, no frames of other origins, backup eligibility
// never changes. The library's errors hold the expected challenge, so they end here. Attestation is not asked for, and
// an AAGUID is a claim; statements with certificates are refused, since checking them means to fetch what they name.
//
// Left out: burning the challenge (passkey-challenge.ts says how), storage of credential, counter and backup state, that
// a credential id is new (a unique index), notices to the owner.

import { createHash } from 'node:crypto'
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import {
  cose,
  decodeAttestationObject,
  decodeCredentialPublicKey,
  parseAuthenticatorData,
} from '@simplewebauthn/server/helpers'
import { base64url, bytesOf, type ClientData, isBase64url, takeApart } from './passkey-response.ts'

export { deviceFamily } from './aaguids.ts'
export type {
  ChallengePurpose,
  ExpectedChallenge,
  NewChallenge,
  OpenedChallenge,
} from './passkey-challenge.ts'
export { CHALLENGE_TTL, newChallenge, openChallenge } from './passkey-challenge.ts'

// ES256, EdDSA, RS256 (COSE numbers), in the order of preference.
const ALGORITHMS = [-7, -8, -257]
// The time that the browser gives the user, in milliseconds.
const TIMEOUT = 5 * 60_000
// Room for RSA with 8192 bits.
const MAX_PUBLIC_KEY_BYTES = 1100
const TRANSPORTS = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb']

/** The WebAuthn user handle of an account, base64url. It is no secret, and holds nothing personal beyond the id. */
export function userHandleOf(accountId: string): string {
  return Buffer.from(accountId).toString('base64url')
}

/** The account id in a user handle; undefined if it is none. Nothing is proven by it before `verifyAssertion`. */
export function accountIdOf(userHandle: string): string | undefined {
  const accountId = Buffer.from(userHandle, 'base64url').toString()
  return accountId !== '' && userHandleOf(accountId) === userHandle ? accountId : undefined
}

export interface KnownCredential {
  /** base64url */
  credentialId: string
  transports: readonly string[]
}

export interface RegistrationRequest {
  rp: { id: string; name: string }
  /** `id` has at most 64 bytes (WebAuthn §5.4.3). */
  account: { id: string; name: string; displayName: string }
  /** The account's passkeys, so that no authenticator gets a second one. */
  existing: readonly KnownCredential[]
  /** From `newChallenge`. */
  challenge: string
  /** `conditional`: for the browser to make one by itself, which it can't where user verification is required. */
  mediation?: 'conditional'
}

/** Options for `navigator.credentials.create`, as JSON. */
export function registrationOptions(
  request: RegistrationRequest,
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { rp, account, existing, challenge, mediation } = request
  return generateRegistrationOptions({
    rpID: rp.id,
    rpName: rp.name,
    userID: bytesOf(userHandleOf(account.id)),
    userName: account.name,
    userDisplayName: account.displayName,
    // As bytes: the library takes a string for text and would encode it once more.
    challenge: bytesOf(challenge),
    timeout: TIMEOUT,
    attestationType: 'none',
    excludeCredentials: existing.map(descriptor),
    authenticatorSelection: {
      residentKey: 'required',
      userVerification: mediation === 'conditional' ? 'preferred' : 'required',
    },
    supportedAlgorithmIDs: ALGORITHMS,
  })
}

export interface AuthenticationRequest {
  rpId: string
  /** From `newChallenge`. */
  challenge: string
  /** The passkeys of the user, where it is known who that is; without it the browser offers what it has. */
  allow?: readonly KnownCredential[]
}

/** Options for `navigator.credentials.get`, as JSON. */
export function authenticationOptions(
  request: AuthenticationRequest,
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { rpId, challenge, allow } = request
  return generateAuthenticationOptions({
    rpID: rpId,
    challenge: bytesOf(challenge),
    timeout: TIMEOUT,
    userVerification: 'required',
    ...(allow && { allowCredentials: allow.map(descriptor) }),
  })
}

export interface ExpectedCeremony {
  /** The challenge of the response, after `openChallenge` said that it is ours. */
  challenge: string
  /** Whole origins, such as `https://login.example`. */
  origins: readonly string[]
  rpId: string
}

/** What both ceremonies can be refused for. Nothing of it is proven to come from the owner's authenticator. */
export type CeremonyRefusal =
  | 'too_large'
  | 'malformed'
  | 'wrong_ceremony'
  | 'challenge_mismatch'
  | 'origin_mismatch'
  | 'cross_origin'
  | 'rp_id_mismatch'
  | 'user_not_present'
  | 'user_not_verified'
  | 'backup_flags'
  | 'credential_id_mismatch'

export type RegistrationRefusal = CeremonyRefusal | 'algorithm' | 'attestation'

export interface RegisteredCredential {
  /** base64url, at most 1364 characters */
  credentialId: string
  /** COSE key, base64url */
  publicKey: string
  counter: number
  transports: string[]
  /** A claim, unless attestation was verified. */
  aaguid: string
  /** Whether it can be synced (BE); it never changes. */
  backupEligible: boolean
  /** Whether it is synced now (BS). */
  backedUp: boolean
  /** Always, unless the browser made it by itself. At every login it is demanded. */
  userVerified: boolean
  /** COSE number: -7, -8 or -257 */
  algorithm: number
}

export interface ExpectedRegistration extends ExpectedCeremony {
  /**
   * `conditional`: the browser was asked to make a passkey by itself, without its user's presence or verification
   * (WebAuthn §7.1 steps 15 and 16). Such a registration proves nothing about who is there.
   */
  mediation?: 'conditional'
}

export type RegistrationVerdict =
  | { ok: true; credential: RegisteredCredential }
  | { ok: false; reason: RegistrationRefusal }

/**
 * Whether a new passkey was made for us, by the user, just now. Never throws on a response.
 * @param response what the browser sent, as JSON text or parsed; anything at all may be in it
 */
export async function verifyRegistration({
  response,
  expected,
}: {
  response: unknown
  expected: ExpectedRegistration
}): Promise<RegistrationVerdict> {
  const read = readRegistration(response)
  if (typeof read === 'string') return { ok: false, reason: read }
  const { id, client, data, attestation, json } = read

  const attended = expected.mediation !== 'conditional'
  const fault = ceremonyFault('webauthn.create', client, data, expected, attended)
  if (fault) return { ok: false, reason: fault }
  const { aaguid, credentialID, credentialPublicKey } = data
  if (!aaguid || !credentialID || !credentialPublicKey) return { ok: false, reason: 'malformed' }
  // The library takes the id from the signed data and ignores the one beside it.
  if (base64url(credentialID) !== id) return { ok: false, reason: 'credential_id_mismatch' }
  if (credentialPublicKey.length > MAX_PUBLIC_KEY_BYTES) return { ok: false, reason: 'algorithm' }
  const algorithm = algorithmOf(credentialPublicKey)
  if (algorithm === undefined || !ALGORITHMS.includes(algorithm)) return { ok: false, reason: 'algorithm' }
  // A browser that was told "none" sends none, or a signature by the new key itself (WebAuthn §5.1.3).
  if (attestation.format !== 'none' && (attestation.format !== 'packed' || attestation.certified))
    return { ok: false, reason: 'attestation' }

  const verified = await verifyRegistrationResponse({
    response: json,
    expectedChallenge: expected.challenge,
    expectedOrigin: [...expected.origins],
    expectedRPID: expected.rpId,
    requireUserPresence: attended,
    requireUserVerification: attended,
    supportedAlgorithmIDs: ALGORITHMS,
  }).catch(() => undefined)
  if (!verified?.verified) return { ok: false, reason: 'attestation' }

  const { credential, aaguid: model } = verified.registrationInfo
  return {
    ok: true,
    credential: {
      credentialId: credential.id,
      publicKey: base64url(credential.publicKey),
      counter: credential.counter,
      transports: knownTransports(json.response.transports),
      aaguid: model,
      backupEligible: data.flags.be,
      backedUp: data.flags.bs,
      userVerified: data.flags.uv,
      algorithm,
    },
  }
}

/** What is stored of the passkey that the response names, and whose it is. */
export interface StoredCredential {
  /** base64url */
  credentialId: string
  /** `userHandleOf` the account that the passkey belongs to. */
  accountHandle: string
  /** COSE key, base64url */
  publicKey: string
  counter: number
  backupEligible: boolean
}

export interface ExpectedAssertion extends ExpectedCeremony {
  /**
   * `optional` where the account was known before the browser was asked and its passkeys were listed in the options:
   * authenticators may then leave the handle out (WebAuthn §7.2 step 6). One that is there must be right anyway.
   */
  userHandle?: 'required' | 'optional'
}

export type AssertionRefusal =
  | CeremonyRefusal
  | 'user_handle_mismatch'
  | 'signature'
  /** Signed by the passkey, so it may have been copied: worth a notice to its owner. */
  | 'counter_went_back'
  /** Signed by the passkey, which says that it changed its kind: worth a notice to its owner. */
  | 'backup_eligibility_changed'

export type AssertionVerdict =
  | { ok: true; newCounter: number; backedUp: boolean }
  | { ok: false; reason: AssertionRefusal }

/**
 * Whether the owner of a passkey logged in with it just now. Never throws on a response.
 * @param response what the browser sent, as JSON text or parsed; anything at all may be in it
 * @param credential found by the id that `readAssertion` gave, and by the account where that is known
 */
export async function verifyAssertion({
  response,
  expected,
  credential,
}: {
  response: unknown
  expected: ExpectedAssertion
  credential: StoredCredential
}): Promise<AssertionVerdict> {
  const read = readAssertionResponse(response)
  if (typeof read === 'string') return { ok: false, reason: read }
  const { id, client, data, userHandle, json } = read

  const fault = ceremonyFault('webauthn.get', client, data, expected)
  if (fault) return { ok: false, reason: fault }
  if (id !== credential.credentialId) return { ok: false, reason: 'credential_id_mismatch' }
  const handleMayLack = expected.userHandle === 'optional' && userHandle === undefined
  if (userHandle !== credential.accountHandle && !handleMayLack)
    return { ok: false, reason: 'user_handle_mismatch' }

  const verified = await verifyAuthenticationResponse({
    response: json,
    expectedChallenge: expected.challenge,
    expectedOrigin: [...expected.origins],
    expectedRPID: expected.rpId,
    // The library would judge the counter before the signature, and anybody could raise a false alarm.
    credential: { id, publicKey: bytesOf(credential.publicKey), counter: 0 },
    requireUserVerification: true,
  }).catch(() => undefined)
  if (!verified?.verified) return { ok: false, reason: 'signature' }

  if (data.flags.be !== credential.backupEligible) return { ok: false, reason: 'backup_eligibility_changed' }
  const { counter } = data
  // WebAuthn §7.2 step 22: an authenticator without a counter always says 0.
  if ((counter > 0 || credential.counter > 0) && counter <= credential.counter)
    return { ok: false, reason: 'counter_went_back' }
  return { ok: true, newCounter: counter, backedUp: data.flags.bs }
}

/**
 * What to look up before an assertion is verified; nothing of it is proven yet. Undefined if it cannot be read.
 * `userHandle` and `credentialId` are base64url. `attachment` never is proven: the browser says it, nobody signs it.
 */
export function readAssertion(response: unknown):
  | {
      credentialId: string
      userHandle: string | undefined
      challenge: string
      attachment: 'platform' | 'cross-platform' | undefined
    }
  | undefined {
  const read = readAssertionResponse(response)
  if (typeof read === 'string') return undefined
  const { id: credentialId, userHandle, client, attachment } = read
  return { credentialId, userHandle, challenge: client.challenge, attachment }
}

/** The challenge that a registration answers, for `openChallenge`; undefined if it cannot be read. */
export function readRegistrationChallenge(response: unknown): string | undefined {
  const read = readRegistration(response)
  return typeof read === 'string' ? undefined : read.client.challenge
}

type AuthenticatorData = ReturnType<typeof parseAuthenticatorData>

function ceremonyFault(
  ceremony: 'webauthn.create' | 'webauthn.get',
  client: ClientData,
  { rpIdHash, flags }: AuthenticatorData,
  expected: ExpectedCeremony,
  attended = true,
): CeremonyRefusal | undefined {
  if (client.type !== ceremony) return 'wrong_ceremony'
  if (client.challenge !== expected.challenge) return 'challenge_mismatch'
  if (!expected.origins.includes(client.origin)) return 'origin_mismatch'
  // The library lets some of these through, and not the same ones in both ceremonies.
  if ((client.crossOrigin ?? false) !== false || client.topOrigin !== undefined) return 'cross_origin'
  if (!createHash('sha256').update(expected.rpId).digest().equals(rpIdHash)) return 'rp_id_mismatch'
  if (attended && !flags.up) return 'user_not_present'
  if (attended && !flags.uv) return 'user_not_verified'
  // WebAuthn §6.1.3: what cannot be backed up is not backed up.
  if (flags.bs && !flags.be) return 'backup_flags'
  return undefined
}

function readRegistration(response: unknown) {
  return takeApart(response, ({ id, inner, client }) => {
    const { attestationObject, transports } = inner
    if (!isBase64url(attestationObject)) return 'malformed'
    const decoded = decodeAttestationObject(bytesOf(attestationObject))
    const json: RegistrationResponseJSON = {
      ...envelope(id),
      response: {
        clientDataJSON: client.json,
        attestationObject,
        transports: knownTransports(transports),
      },
    }
    const statement = decoded.get('attStmt')
    const attestation = {
      format: decoded.get('fmt'),
      certified: statement.get('x5c') !== undefined,
    }
    return { id, client, data: parseAuthenticatorData(decoded.get('authData')), attestation, json }
  })
}

function readAssertionResponse(response: unknown) {
  return takeApart(response, ({ id, inner, client, attachment }) => {
    const { authenticatorData, signature } = inner
    const userHandle = inner.userHandle ?? undefined
    if (!isBase64url(authenticatorData) || !isBase64url(signature)) return 'malformed'
    if (userHandle !== undefined && !isBase64url(userHandle)) return 'malformed'
    const json: AuthenticationResponseJSON = {
      ...envelope(id),
      response: { clientDataJSON: client.json, authenticatorData, signature },
    }
    const data = parseAuthenticatorData(bytesOf(authenticatorData))
    return { id, client, data, userHandle, attachment, json }
  })
}

function envelope(id: string) {
  return { id, rawId: id, type: 'public-key', clientExtensionResults: {} } as const
}

function descriptor({ credentialId, transports }: KnownCredential) {
  return { id: credentialId, transports: [...transports] }
}

function knownTransports(said: unknown): string[] {
  return Array.isArray(said) ? TRANSPORTS.filter(transport => said.includes(transport)) : []
}

function algorithmOf(publicKey: Uint8Array): number | undefined {
  try {
    const algorithm: unknown = decodeCredentialPublicKey(new Uint8Array(publicKey)).get(cose.COSEKEYS.alg)
    return typeof algorithm === 'number' ? algorithm : undefined
  } catch {
    return undefined
  }
}
