// Two parties of SAML for tests that need no network: an identity provider with its pen, and we, who believe it.

import { finish, newSamlKeys, type SamlIdentity, type SamlSettings } from '../../src/sso/saml.ts'
import { SsoError } from '../../src/sso/upstream.ts'
import {
  assertion,
  base64,
  type Envelope,
  PASSWORD_CONTEXT,
  PERSISTENT,
  type Pen,
  response,
  type Said,
  signed,
} from './saml-signer.ts'

export const NOW = Date.parse('2027-03-01T12:00:00Z')
export const later = (ms: number): Date => new Date(NOW + ms)
export const REQUEST_ID = '_request-of-this-browser'

export interface Stand {
  readonly settings: SamlSettings
  readonly ours: SamlIdentity
  readonly idp: { readonly privateKey: string; readonly certificate: string }
  readonly pen: Pen
  said(changed?: Partial<Said>): Said
  envelope(changed?: Partial<Envelope>): Envelope
  /** An honest response, as XML, but for what is changed. */
  honest(changed?: { said?: Partial<Said>; envelope?: Partial<Envelope>; pen?: Partial<Pen> }): string
  /** Gives a response to us, in answer to {@link REQUEST_ID} unless it says otherwise. */
  take(xml: string, changed?: Partial<SamlSettings>, expected?: string | undefined, now?: number): Taken
}
type Taken = ReturnType<typeof finish>

export async function samlStand(): Promise<Stand> {
  const [idp, keys] = await Promise.all([newSamlKeys('idp', NOW), newSamlKeys('us', NOW)])
  const settings: SamlSettings = {
    entityId: 'https://idp.example/saml',
    ssoUrl: 'https://idp.example/sso?tenant=1',
    sloUrl: 'https://idp.example/slo',
    certificates: [idp.certificate],
    requestsSigned: true,
    idpInitiated: false,
  }
  const ours: SamlIdentity = {
    entityId: 'https://login.example/sso/saml/7',
    acsUrl: 'https://login.example/sso/saml/7/acs',
    sloUrl: 'https://login.example/sso/saml/7/logout',
    ...keys,
  }
  const pen: Pen = { key: idp.privateKey }
  const said = (changed: Partial<Said> = {}): Said => ({
    id: '_assertion',
    issuer: settings.entityId,
    nameId: 'user-1',
    nameIdFormat: PERSISTENT,
    recipient: ours.acsUrl,
    inResponseTo: REQUEST_ID,
    audience: ours.entityId,
    issued: later(0),
    notBefore: later(-1000),
    notOnOrAfter: later(300_000),
    confirmedUntil: later(300_000),
    authenticated: later(-5000),
    context: PASSWORD_CONTEXT,
    session: '_session',
    attributes: { email: ['ann@acme.example'] },
    conditions: '',
    confirmation: 'urn:oasis:names:tc:SAML:2.0:cm:bearer',
    ...changed,
  })
  const envelope = (changed: Partial<Envelope> = {}): Envelope => ({
    id: '_response',
    issuer: settings.entityId,
    destination: ours.acsUrl,
    inResponseTo: REQUEST_ID,
    status: 'urn:oasis:names:tc:SAML:2.0:status:Success',
    issued: later(0),
    ...changed,
  })
  return {
    settings,
    ours,
    idp,
    pen,
    said,
    envelope,
    honest: changed =>
      response(
        envelope(changed?.envelope),
        signed(assertion(said(changed?.said)), { ...pen, ...changed?.pen }),
      ),
    take: (xml, changed = {}, expected = REQUEST_ID, now = NOW) =>
      finish({ ...settings, ...changed }, ours, {
        SAMLResponse: base64(xml),
        expectedRequestId: changed.idpInitiated ? undefined : expected,
        now,
      }),
  }
}

/** The fault and the detail of what is refused; fails if it is not. */
export async function refusal(attempt: Promise<unknown>): Promise<{ fault: string; detail: string }> {
  const outcome = await attempt.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (outcome === undefined) throw new Error('It was accepted.')
  if (!(outcome instanceof SsoError)) throw outcome
  return { fault: outcome.fault, detail: outcome.detail }
}
