// The settings of a connection, as an admin types them. Every fault is told with its field, so that a page shows all of
// them at once. What is left empty is not set yet; a connection can be stored without, and tried once it is complete.

import type { OutboundFetch } from '../sso/outbound.ts'
import { readCertificate } from '../sso/saml-keys.ts'
import { readSamlMetadata } from '../sso/saml-metadata.ts'
import { oidcOf, type StoredOidc, type StoredSaml, samlOf } from '../sso/settings.ts'
import { SsoError, type SsoFault } from '../sso/upstream.ts'
import type { Connection, TwoFactorValues } from '../store/sso/connections.ts'

export const CONNECTION_FIELDS = [
  'name',
  'issuer',
  'tenant',
  'client_id',
  'client_secret',
  'scopes',
  'metadata_url',
  'metadata',
  'entity_id',
  'sso_url',
  'slo_url',
  'certificates',
  'idp_initiated',
  'two_factor_acr',
  'two_factor_amr',
  'creates_users',
  'admin_groups',
] as const
export type ConnectionField = (typeof CONNECTION_FIELDS)[number]
/** A ticked box is `yes`. */
export type TypedConnection = Readonly<Partial<Record<ConnectionField, string>>>

export type FieldFault =
  | 'missing'
  | 'too_long'
  | 'malformed'
  /** Another upstream than the one that users are known by. */
  | 'other_upstream'
  /** Any account of Microsoft's may log in there. */
  | 'any_tenant'
  | 'too_many'
  /** With what was said of it. */
  | { readonly upstream: SsoFault; readonly detail: string }

/** What was typed can't be taken. Nothing was stored. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
  readonly faults: Readonly<Partial<Record<ConnectionField, FieldFault>>>

  constructor(faults: SettingsError['faults']) {
    super(
      Object.entries(faults)
        .map(([field, fault]) => `${field}: ${typeof fault === 'string' ? fault : fault.detail}`)
        .join('; '),
    )
    this.faults = faults
  }
}

export interface ReadSettings
  extends Pick<Connection, 'name' | 'twoFactor' | 'createsUsers' | 'adminGroups'> {
  readonly settings: StoredOidc | StoredSaml
  /** As it was typed; undefined: as before. */
  readonly secret: string | undefined
}

const LONGEST_NAME = 100
const LONGEST_ADDRESS = 500
const LONGEST_CLIENT_ID = 300
const LONGEST_SECRET = 1000
const LONGEST_ENTITY_ID = 1024
const LONGEST_VALUE = 300
const MOST_VALUES = 20
const MOST_GROUPS = 100
const MOST_CERTIFICATES = 10
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** The tenant of everybody's own Microsoft account. */
const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad'

/**
 * @param held what is stored; the fields of its protocol are read
 * @param fetch for SAML metadata by its address, unless that is the one that was read before and stays
 * @throws SettingsError
 */
export async function readConnectionSettings(
  held: Connection,
  typed: TypedConnection,
  { fetch, allowHttp }: { readonly fetch: OutboundFetch; readonly allowHttp: boolean },
): Promise<ReadSettings> {
  const form = createReader(typed, allowHttp)
  const rules = {
    name: readName(form),
    twoFactor: readTwoFactor(form),
    createsUsers: typed.creates_users === 'yes',
    adminGroups: form.lines('admin_groups', MOST_GROUPS),
  }
  const read =
    held.protocol === 'saml'
      ? { settings: await readSaml(form, held, fetch), secret: undefined }
      : readOidc(form, held)
  if (Object.keys(form.faults).length > 0) throw new SettingsError(form.faults)
  return { ...rules, ...read }
}

/** @throws SettingsError */
export function readConnectionName(name: string | undefined): string {
  const form = createReader({ name: name ?? '' }, false)
  const read = readName(form)
  if (Object.keys(form.faults).length > 0) throw new SettingsError(form.faults)
  return read
}

type Reader = ReturnType<typeof createReader>

function createReader(typed: TypedConnection, allowHttp: boolean) {
  const faults: Partial<Record<ConnectionField, FieldFault>> = {}
  const fault = (field: ConnectionField, found: FieldFault) => {
    faults[field] ??= found
    return undefined
  }
  const text = (field: ConnectionField, longest: number): string | undefined => {
    const value = (typed[field] ?? '').normalize('NFC').trim()
    if (value === '') return undefined
    if (value.length > longest) return fault(field, 'too_long')
    return /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u.test(value) ? fault(field, 'malformed') : value
  }
  return {
    typed,
    faults,
    fault,
    text,
    /** An address that a request goes to. */
    address(field: ConnectionField): string | undefined {
      const value = text(field, LONGEST_ADDRESS)
      if (value === undefined) return undefined
      const url = URL.parse(value)
      const fits = url?.protocol === 'https:' || (allowHttp && url?.protocol === 'http:')
      if (url === null || !fits || url.username !== '' || url.password !== '' || url.hash !== '') {
        return fault(field, 'malformed')
      }
      return value
    },
    /** Values, one a line. */
    lines(field: ConnectionField, most: number, pattern = /^[^\p{Cc}]+$/u): string[] {
      const values = (typed[field] ?? '')
        .split(/\r?\n/)
        .map(each => each.trim())
        .filter(each => each !== '')
      if (values.length > most) fault(field, 'too_many')
      if (values.some(each => each.length > LONGEST_VALUE)) fault(field, 'too_long')
      if (!values.every(each => pattern.test(each))) fault(field, 'malformed')
      return [...new Set(values)]
    },
  }
}

function readName(form: Reader): string {
  const name = form.text('name', LONGEST_NAME)
  if (name === undefined) form.fault('name', 'missing')
  return name ?? ''
}

function readTwoFactor(form: Reader): TwoFactorValues {
  // They are asked for in one line, a space apart.
  const value = /^[\x21-\x7e]+$/
  return {
    acr: form.lines('two_factor_acr', MOST_VALUES, value),
    amr: form.lines('two_factor_amr', MOST_VALUES, value),
  }
}

function readOidc(form: Reader, held: Connection): Pick<ReadSettings, 'settings' | 'secret'> {
  const before = oidcOf(held)
  const clientId = form.text('client_id', LONGEST_CLIENT_ID)
  if (clientId !== undefined && !/^[\x21-\x7e]+$/.test(clientId)) form.fault('client_id', 'malformed')
  const entra = held.protocol === 'entra'
  const tenant = entra ? readTenant(form) : undefined
  const issuer = entra ? tenant && `https://login.microsoftonline.com/${tenant}/v2.0` : form.address('issuer')
  if (held.testedRevision !== null) {
    if (issuer !== before.issuer) form.fault(entra ? 'tenant' : 'issuer', 'other_upstream')
    if (clientId !== before.clientId) form.fault('client_id', 'other_upstream')
  }
  const scopes = entra ? [] : readScopes(form)
  return {
    settings: {
      ...(issuer === undefined ? {} : { issuer }),
      ...(clientId === undefined ? {} : { clientId }),
      ...(tenant === undefined ? {} : { tenant }),
      ...(scopes.length === 0 ? {} : { scopes }),
    },
    secret: form.text('client_secret', LONGEST_SECRET),
  }
}

function readTenant(form: Reader): string | undefined {
  const tenant = form.text('tenant', LONGEST_VALUE)?.toLowerCase()
  if (tenant === undefined) return undefined
  if (['common', 'organizations', 'consumers', CONSUMERS].includes(tenant)) {
    return form.fault('tenant', 'any_tenant')
  }
  return GUID.test(tenant) ? tenant : form.fault('tenant', 'malformed')
}

/** RFC 6749 §3.3; `openid` is asked for anyway. */
function readScopes(form: Reader): string[] {
  const scopes = [...new Set((form.text('scopes', LONGEST_ADDRESS) ?? '').split(' ').filter(Boolean))]
  if (!scopes.every(each => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(each))) form.fault('scopes', 'malformed')
  return scopes.filter(each => each !== 'openid')
}

async function readSaml(form: Reader, held: Connection, fetch: OutboundFetch): Promise<StoredSaml> {
  const before = samlOf(held)
  const metadataUrl = form.address('metadata_url')
  const pasted = form.typed.metadata?.trim() ?? ''
  const [told, field] =
    pasted !== ''
      ? ([readMetadata(form, 'metadata', pasted), 'metadata'] as const)
      : metadataUrl === undefined
        ? ([readSamlFields(form), 'entity_id'] as const)
        : ([await fetchMetadata(form, metadataUrl, before, fetch), 'metadata_url'] as const)
  if (held.testedRevision !== null && told.entityId !== before.entityId) form.fault(field, 'other_upstream')
  return {
    ...told,
    // Signed wherever we can: who does not look at a signature is not disturbed by it.
    requestsSigned: true,
    idpInitiated: form.typed.idp_initiated === 'yes',
    ourCertificate: before.ourCertificate,
    ...(metadataUrl === undefined ? {} : { metadataUrl }),
  }
}

type ToldSaml = Pick<StoredSaml, 'entityId' | 'ssoUrl' | 'sloUrl' | 'certificates'>

/** What was read before stays where the same address can't be read now. */
async function fetchMetadata(
  form: Reader,
  address: string,
  { metadataUrl, ...held }: StoredSaml,
  fetch: OutboundFetch,
): Promise<ToldSaml> {
  try {
    const answer = await fetch(address)
    if (!answer.ok) throw new SsoError('configuration', `The address answered with status ${answer.status}.`)
    return readMetadata(form, 'metadata_url', await answer.text())
  } catch (error) {
    if (!(error instanceof SsoError)) throw error
    if (metadataUrl === address && held.entityId !== undefined) return held
    form.fault('metadata_url', { upstream: error.fault, detail: error.detail })
    return {}
  }
}

function readMetadata(form: Reader, field: 'metadata' | 'metadata_url', xml: string): ToldSaml {
  try {
    const { entityId, ssoUrl, sloUrl, certificates } = readSamlMetadata(xml)
    return { entityId, ssoUrl, certificates, ...(sloUrl === undefined ? {} : { sloUrl }) }
  } catch (error) {
    if (!(error instanceof SsoError)) throw error
    form.fault(field, { upstream: error.fault, detail: error.detail })
    return {}
  }
}

function readSamlFields(form: Reader): ToldSaml {
  const entityId = form.text('entity_id', LONGEST_ENTITY_ID)
  const ssoUrl = form.address('sso_url')
  const sloUrl = form.address('slo_url')
  const certificates = readCertificates(form)
  return {
    ...(entityId === undefined ? {} : { entityId }),
    ...(ssoUrl === undefined ? {} : { ssoUrl }),
    ...(sloUrl === undefined ? {} : { sloUrl }),
    certificates,
  }
}

/** Several PEM certificates below one another, or one without its first and last line. */
function readCertificates(form: Reader): string[] {
  const text = (form.typed.certificates ?? '').trim()
  if (text === '') return []
  const parts = text.split(/(?=-----BEGIN CERTIFICATE-----)/).filter(each => each.trim() !== '')
  if (parts.length > MOST_CERTIFICATES) form.fault('certificates', 'too_many')
  const read = parts.slice(0, MOST_CERTIFICATES).map(each => readCertificate(each))
  if (read.includes(undefined)) form.fault('certificates', 'malformed')
  return read.flatMap(each => (each === undefined ? [] : [each.pem]))
}
