// What an OpenID provider publishes of itself: its metadata (Discovery 1.0 §4) and its keys. Only what is used is kept,
// and only after it was found to be what it should be.

import { isEntra } from './oidc-claims.ts'
import type { OutboundFetch } from './outbound.ts'
import { type Remembered, remember } from './remembered.ts'
import { keySet, type UpstreamKeys } from './signed-token.ts'
import { type Outbound, SsoError } from './upstream.ts'

/** The members that are used, checked. The names are those of the standard. */
export interface OidcMetadata {
  readonly issuer: string
  readonly authorization_endpoint: string
  readonly token_endpoint: string
  readonly jwks_uri: string
  readonly userinfo_endpoint?: string
  readonly id_token_signing_alg_values_supported?: string[]
  readonly userinfo_signing_alg_values_supported?: string[]
  readonly token_endpoint_auth_methods_supported?: string[]
  readonly acr_values_supported?: string[]
  /** RFC 9207 §3. */
  readonly authorization_response_iss_parameter_supported: boolean
  /** Back-Channel Logout 1.0 §2.1. */
  readonly backchannel_logout_supported: boolean
  readonly backchannel_logout_session_supported: boolean
}

export interface OidcDocuments {
  readonly metadata: Remembered<OidcMetadata>
  readonly keys: Remembered<UpstreamKeys>
}

const WELL_KNOWN = '/.well-known/openid-configuration'
const MOST_LISTED = 100

/**
 * @param issuer the issuer, or the address of its metadata
 */
export function documentsOf(
  issuer: string,
  fetch: OutboundFetch,
  { clock, allowPrivateNetwork }: Outbound,
): OidcDocuments {
  const metadata = remember(async () => {
    refuseSharedIssuer(issuer)
    const address = issuer.endsWith(WELL_KNOWN) ? issuer : issuer.replace(/\/$/, '') + WELL_KNOWN
    return metadataOf(issuer, await fetchJson(address, fetch), allowPrivateNetwork)
  }, clock)
  const keys = remember(async () => {
    const { jwks_uri } = await metadata.current()
    return keysOf(jwks_uri, await fetchJson(jwks_uri, fetch))
  }, clock)
  return { metadata, keys }
}

async function fetchJson(address: string, fetch: OutboundFetch): Promise<Record<string, unknown>> {
  const response = await fetch(address, { headers: { accept: 'application/json' } })
  const where = shown(address)
  if (response.status !== 200) {
    throw new SsoError('configuration', `${where} answered with status ${response.status}`)
  }
  const parsed: unknown = await response.json().catch(() => undefined)
  if (!isObject(parsed)) throw new SsoError('configuration', `${where} did not answer with a JSON object`)
  return parsed
}

// Anybody with an account of Microsoft, of whichever tenant, logs in at these.
function refuseSharedIssuer(issuer: string): void {
  const url = URL.parse(issuer)
  if (url === null) throw new SsoError('configuration', 'the issuer is no URL')
  const [, tenant = ''] = url.pathname.split('/')
  if (!isEntra(url.href) || !/^(common|organizations|consumers|\{.*\}|%7b.*%7d)$/i.test(tenant)) return
  throw new SsoError(
    'configuration',
    `the issuer of Microsoft Entra ID must carry your own tenant id in place of "${tenant}", which stands for the tenants of everybody`,
  )
}

function metadataOf(issuer: string, told: Record<string, unknown>, allowHttp: boolean): OidcMetadata {
  // The address of the metadata does not tell whether the issuer ends with a slash (Discovery 1.0 §4.1).
  const prefix = issuer.slice(0, -WELL_KNOWN.length)
  const expected = issuer.endsWith(WELL_KNOWN) ? [prefix, `${prefix}/`] : [issuer]
  if (typeof told.issuer !== 'string' || !expected.includes(told.issuer)) {
    throw new SsoError('configuration', `${shown(issuer)} calls itself ${shown(told.issuer)}`)
  }
  if (Array.isArray(told.response_types_supported) && !told.response_types_supported.includes('code')) {
    throw new SsoError('configuration', `${shown(issuer)} does not offer the authorization code flow`)
  }
  const endpoint = (name: string): string => {
    const url = typeof told[name] === 'string' ? URL.parse(told[name]) : null
    // Where browsers are sent as well as where we go.
    const isUsable = url?.protocol === 'https:' || (allowHttp && url?.protocol === 'http:')
    if (url !== null && isUsable) return url.href
    throw new SsoError('configuration', `${shown(issuer)} gives no usable ${name}`)
  }
  const list = (name: string) => (name in told ? { [name]: strings(told[name]) } : {})
  return {
    issuer: told.issuer,
    authorization_endpoint: endpoint('authorization_endpoint'),
    token_endpoint: endpoint('token_endpoint'),
    jwks_uri: endpoint('jwks_uri'),
    ...('userinfo_endpoint' in told && { userinfo_endpoint: endpoint('userinfo_endpoint') }),
    ...list('id_token_signing_alg_values_supported'),
    ...list('userinfo_signing_alg_values_supported'),
    ...list('token_endpoint_auth_methods_supported'),
    ...list('acr_values_supported'),
    authorization_response_iss_parameter_supported:
      told.authorization_response_iss_parameter_supported === true,
    backchannel_logout_supported: told.backchannel_logout_supported === true,
    backchannel_logout_session_supported: told.backchannel_logout_session_supported === true,
  }
}

function keysOf(address: string, told: Record<string, unknown>): UpstreamKeys {
  if (!Array.isArray(told.keys) || told.keys.length > MOST_LISTED || !told.keys.every(isObject)) {
    throw new SsoError('configuration', `${shown(address)} is no set of keys`)
  }
  return keySet(told.keys)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function strings(value: unknown): string[] {
  if (!Array.isArray(value)) return []
  return value.filter(each => typeof each === 'string' && each.length <= 200).slice(0, MOST_LISTED)
}

/** An address without what may be secret in it, short enough for a line. */
function shown(address: unknown): string {
  const url = typeof address === 'string' ? URL.parse(address) : null
  if (url === null) return 'something that is no URL'
  // As it was written, where that differs by no more than a slash.
  const plain = `${url.origin}${url.pathname}`
  return (plain === `${address}/` ? String(address) : plain).slice(0, 200)
}
