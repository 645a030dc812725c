// The names on the wire, in one place: RFC 6750, 9068, 9396, 9449, 9470 and draft-ietf-oauth-rar-metadata-remediation-00.
// Where the draft changes a name, it changes here.

/** Error codes of challenges, in the order in which they are looked for. */
export const ERROR = {
  invalidRequest: 'invalid_request',
  invalidToken: 'invalid_token',
  insufficientScope: 'insufficient_scope',
  insufficientUserAuthentication: 'insufficient_user_authentication',
  insufficientAuthorization: 'insufficient_authorization',
} as const
export type ChallengeError = (typeof ERROR)[keyof typeof ERROR]

/** Parameters of challenges. */
export const PARAMETER = {
  realm: 'realm',
  scope: 'scope',
  error: 'error',
  description: 'error_description',
  algorithms: 'algs',
  acrValues: 'acr_values',
  maxAge: 'max_age',
  remediation: 'authorization_remediation',
} as const

/** The type of authorization details (RFC 9396 section 2) that names one action on some objects. */
export const PROTECTED_ACTION = 'protected_action'

/** What Sallyport puts into `acr`. */
export const ACR = {
  '1fa': 'urn:sallyport:acr:1fa',
  '2fa': 'urn:sallyport:acr:2fa',
  // OpenID Connect Extended Authentication Profile (EAP) ACR Values 1.0
  phr: 'phr',
  phrh: 'phrh',
} as const

/** Sallyport's levels, weakest first: each also meets those before it. A level's other names stand beside it. */
export const ACR_ORDER: readonly (readonly string[])[] = [
  [ACR['1fa']],
  [ACR['2fa'], 'http://schemas.openid.net/pape/policies/2007/06/multi-factor'],
  [ACR.phr],
  [ACR.phrh],
]

/** Signature algorithms that are accepted of tokens and DPoP proofs. Never `none`, never a shared secret. */
export const ALGORITHMS: readonly string[] = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'Ed25519',
  'EdDSA',
]

/** Seconds that clocks may differ: of an `auth_time` yet to come, of `exp`, and of a DPoP proof. */
export const CLOCK_SKEW = 60
/** Seconds that a DPoP proof is accepted for, before and after its `iat`. */
export const DPOP_WINDOW = 300
/** Characters of the longest token that is looked at. */
export const LONGEST_TOKEN = 16_384
/** Characters of the longest remediation that a challenge carries: proxies take headers of 8 KB in all. */
export const LONGEST_REMEDIATION = 6_000
