// What a login at somebody else's identity provider is asked for and comes back with, whatever protocol it speaks.
// Leaves out the protocols (oidc.ts, saml.ts), and what an answer is worth here (assurance.ts, link.ts).

/** What an upstream is asked for. */
export interface UpstreamAsk {
  /** Address of the user, as they typed it. */
  readonly loginHint?: string | undefined
  /** Domain of that address: the upstream may skip its own question of where somebody is from. */
  readonly domainHint?: string | undefined
  /** Values of `acr_values`, or AuthnContext classes, any of which will do; empty: whatever the upstream asks by itself. */
  readonly acrValues: readonly string[]
  /** The user is to prove themselves anew, whatever session they have there (`max_age`, `prompt=login`; `ForceAuthn`). */
  readonly fresh: boolean
}

/** What came back, verified: its signature, issuer, audience, times, and that it answers what was asked. */
export interface UpstreamAnswer {
  /** The user's id at the upstream, that never goes to another (`sub`; a persistent NameID, or the attribute agreed on). */
  readonly subject: string
  readonly email: string | undefined
  /** Whether the upstream says that the mailbox is the user's; undefined where the protocol has no word for it. */
  readonly emailVerified: boolean | undefined
  readonly name: string | undefined
  /** Undefined: the upstream says that it has left them out, since there are too many (Microsoft Entra ID). */
  readonly groups: readonly string[] | undefined
  /** `acr`, or the AuthnContext class. */
  readonly acr: string | undefined
  /** `amr`; SAML has none, but Entra ID and AD FS tell the methods by an attribute. */
  readonly amr: readonly string[]
  /** When the user proved themselves there, milliseconds since 1970; undefined: the upstream did not say. */
  readonly authenticatedAt: number | undefined
  /** The session at the upstream (`sid`, `SessionIndex`), by which it says later that it ended. */
  readonly session: string | undefined
  /** All claims or attributes as they came, for the page of a test login. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** Why there is no answer. Each has its text, on the page of the login and on that of a test login. */
export const SSO_FAULTS = [
  /** No answer in time, no such host, connection refused, or an error of the upstream's server. */
  'unreachable',
  /** The certificate of the upstream's server is not valid. */
  'tls',
  /** The upstream's address leads into a private network, and the operator does not allow that. */
  'private_address',
  /** What the upstream says of itself (discovery, metadata, keys) can't be used. */
  'configuration',
  /** The user, or the upstream, said no (`access_denied`, a SAML status other than Success). */
  'denied',
  /** What came back does not hold: signature, issuer, audience, nonce, time … */
  'invalid',
  /** It came before, or nobody asked for it. */
  'replayed',
] as const
export type SsoFault = (typeof SSO_FAULTS)[number]

/** An upstream that gave no answer that counts. */
export class SsoError extends Error {
  override readonly name = 'SsoError'
  readonly fault: SsoFault
  /** For the log and the admin who sets the connection up; no secret and nothing of the answer's content in it. */
  readonly detail: string

  constructor(fault: SsoFault, detail: string, options?: ErrorOptions) {
    super(`${fault}: ${detail}`, options)
    this.fault = fault
    this.detail = detail
  }
}

/** How the upstream is spoken to. */
export interface Outbound {
  /** The provider may speak to private and loopback addresses (`SALLYPORT_ALLOW_PRIVATE_NETWORK`). */
  readonly allowPrivateNetwork: boolean
  /** Milliseconds since 1970. */
  readonly clock: () => number
}
