// The settings of a connection as they are stored, by protocol. What makes an upstream the one whose users are known here
// (issuer and client id, or entity id) can be changed until a test login has succeeded, and never after; another upstream
// is another connection. Leaves out how they are read from a form (organisations/sso-settings.ts), and what is sealed.

import type { Connection, Protocol } from '../store/sso/connections.ts'
import type { OidcSettings } from './oidc.ts'
import type { SamlSettings } from './saml-metadata.ts'

/** The secret beside it is the client secret. */
export interface StoredOidc extends Partial<Omit<OidcSettings, 'clientSecret'>> {
  /** Of Microsoft Entra ID; the issuer follows from it. */
  readonly tenant?: string | undefined
}

/** The secret beside it is our private key. */
export interface StoredSaml extends Partial<SamlSettings> {
  /** Ours, PEM. */
  readonly ourCertificate: string
  /** Where the rest was read from, if it was not typed. */
  readonly metadataUrl?: string | undefined
}

export function oidcOf({ settings }: Pick<Connection, 'settings'>): StoredOidc {
  return JSON.parse(settings) as StoredOidc
}

export function samlOf({ settings }: Pick<Connection, 'settings'>): StoredSaml {
  return JSON.parse(settings) as StoredSaml
}

/** Whether a login can be tried. */
export function isComplete(connection: Pick<Connection, 'protocol' | 'settings' | 'secret'>): boolean {
  if (connection.secret === null) return false
  if (connection.protocol !== 'saml') {
    const { issuer, clientId } = oidcOf(connection)
    return issuer !== undefined && clientId !== undefined
  }
  const { entityId, ssoUrl, certificates = [] } = samlOf(connection)
  return entityId !== undefined && ssoUrl !== undefined && certificates.length > 0
}

/** What users of a connection are known by beside their subject; undefined parts are not set yet. */
export function identityOf(connection: { readonly protocol: Protocol; readonly settings: string }): string {
  if (connection.protocol === 'saml') return JSON.stringify([samlOf(connection).entityId])
  const { issuer, clientId } = oidcOf(connection)
  return JSON.stringify([issuer, clientId])
}
