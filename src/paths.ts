// Where our pages are. Everything lies below the issuer: at the root for the server, below a path where a host mounts
// the plugin there. Addresses that leave this process are made here, from the configured issuer, never from a request.

/** What an emailed or printed link is for. */
export type LinkKind =
  | 'invitation'
  | 'password-reset'
  | 'unblock'
  | 'lock'
  | 'email-change'
  | 'email-stop'
  | 'first-run'
  | 'support-set-up'
  | 'support-stop'

export interface Paths {
  /** What comes before our own paths: empty, or such as `/oidc`. */
  readonly base: string
  /** Scheme, host and port of the issuer. */
  readonly origin: string
  /** Whether cookies may be, and must be, secure. */
  readonly https: boolean
  /** An interaction's page, or where one of its forms goes. */
  interaction(uid: string, form?: string): string
  /** @param uid the interaction that the page leads back to */
  forgotPassword(uid?: string): string
  /** The address behind an emailed or printed link. */
  link(kind: LinkKind, token: string): string
  /** Where an OpenID Connect upstream sends users back to, or where it says that a session ended. */
  ssoOidc(connectionId: string, end?: 'logout'): string
  /** Our SAML entity id and metadata, where assertions are posted, and where a logout comes in. */
  ssoSaml(connectionId: string, end: 'metadata' | 'acs' | 'slo'): string
  /** Users' own page; undefined where a host of the plugin leaves it out. */
  readonly account: string | undefined
  /** Admins' console; undefined where a host leaves it out. */
  readonly admin: string | undefined
  /** Support agents' console; undefined where nobody has accounts here. */
  readonly support: string | undefined
  /** Where the provider answers what our own pages asked it, and where one is after logging out. */
  readonly ownReturn: string
  readonly ownLogout: string
}

/**
 * @param issuer an origin, with a path where the provider is mounted below one
 * @param account whether there is an account page
 * @param admin whether there is a console
 * @param support whether there is a support console
 */
export function createPaths(issuer: string, { account = true, admin = true, support = true } = {}): Paths {
  const { origin, pathname, protocol } = new URL(issuer)
  const base = pathname.replace(/\/$/, '')
  return {
    base,
    origin,
    https: protocol === 'https:',
    interaction: (uid, form) => `${base}/interaction/${uid}${form === undefined ? '' : `/${form}`}`,
    forgotPassword: uid => `${base}/forgot-password${uid === undefined ? '' : `?back=${uid}`}`,
    link: (kind, token) => `${origin}${base}/link/${kind}/${encodeURIComponent(token)}`,
    ssoOidc: (id, end) => `${base}/sso/oidc/${id}${end === undefined ? '' : `/${end}`}`,
    ssoSaml: (id, end) => `${base}/sso/saml/${id}/${end}`,
    account: account ? `${base}/account` : undefined,
    admin: admin ? `${base}/admin` : undefined,
    support: support ? `${base}/support` : undefined,
    ownReturn: `${base}/session/return`,
    ownLogout: `${base}/session/over`,
  }
}
