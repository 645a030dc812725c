// What attacks on single sign-on share: identity providers that say whatever the attacker has them say, and the way of
// a browser to one and back, step by step. The answer comes by a browser that has no cookie of ours, as it may.

import { randomUUID } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'
import { expect } from 'chai'
import { createUser } from '../../src/organisations/directory.ts'
import { newSamlKeys } from '../../src/sso/saml.ts'
import type { StoredSaml } from '../../src/sso/settings.ts'
import { newId } from '../../src/store/ids.ts'
import { type HostileUpstream, seconds, startHostileUpstream } from '../support/hostile-upstream.ts'
import {
  assertion,
  base64,
  logoutRequest,
  PASSWORD_CONTEXT,
  PERSISTENT,
  response,
  type Said,
  signed,
  signedQuery,
  x509Data,
} from '../support/saml-signer.ts'
import { connect, type SsoGround, type SsoOptions } from '../support/sso.ts'
import { PASSWORD, type Person, type Stage } from '../support/stage.ts'
import {
  type Answer,
  createVisitor,
  type Enrolled,
  type RelyingParty,
  textOf,
  uidOf,
  type Visitor,
} from '../support/visitor.ts'
import { change, codeIn, codeOf, MINUTE, rows } from './ground.ts'

/** A connection that takes the provider's word for two factors. */
export const MFA: SsoOptions = { connection: { twoFactor: { acr: [], amr: ['mfa'] } } }

export type Claims = Record<string, unknown>

export interface Liar extends Omit<SsoGround, 'upstream'> {
  readonly upstream: HostileUpstream
  /** What it says from now on: a verified address, authenticated now, but for these. */
  says(claims: Claims): void
}

/** A connection to an identity provider by OpenID Connect that says what it is told to. */
export async function openLiar(stage: Stage, options: SsoOptions = {}): Promise<Liar> {
  const upstream = await startHostileUpstream(stage.now)
  const secret = `client-secret-${randomUUID()}`
  const settings = { issuer: upstream.issuer, clientId: 'sallyport' }
  const connected = await connect(
    stage,
    { connectionId: newId('sso'), protocol: 'oidc', settings, secret },
    options,
  )
  return {
    ...connected,
    upstream,
    says(claims) {
      upstream.lies = { claims }
    },
    close: () => upstream.close(),
  }
}

/** A user of the organisation with a password; `mailbox`: which they have proven to be theirs. */
export async function member(
  stage: Stage,
  { organisationId, email }: Pick<Liar, 'organisationId' | 'email'>,
  name: string,
  { mailbox = true, role = 'technician' }: { mailbox?: boolean; role?: 'technician' | 'admin' } = {},
): Promise<Person> {
  const address = email(name)
  const { id } = await createUser(stage.directory, {
    organisationId,
    email: address,
    name: 'Dana Whitlock',
    role,
    password: PASSWORD,
  })
  await change(stage, 'UPDATE accounts SET mailbox_proven_at = ? WHERE id = ?', [mailbox ? 1 : null, id])
  return { id, email: address, organisationId }
}

/** Sent to the identity provider, where they have not been yet. */
export interface Sent {
  readonly visitor: Visitor
  readonly base: string
  readonly away: string
}

/** A browser says its address and is sent away. */
export async function send(visitor: Visitor, start: string, email: string): Promise<Sent> {
  const page = await visitor.follow(start)
  const base = `/interaction/${uidOf(page.url)}`
  const sent = await visitor.post(`${base}/identify`, { email, webauthn: 'none' })
  return { visitor, base, away: awayIn(sent) }
}

/** Where an answer of ours leads that sends somebody to their identity provider. */
export function awayIn({ location, heading }: Answer): string {
  if (location === undefined) throw new Error(`not sent away, but to a page "${heading}"`)
  return location
}

/** The identity provider's answer, brought by a browser without a cookie. @returns where it is sent then */
export async function callback({ upstream }: Pick<Liar, 'upstream'>, away: string): Promise<Answer> {
  return bring(away, upstream.visit(away))
}

/** The same with a query of one's own. */
export function bring(away: string, query: URLSearchParams): Promise<Answer> {
  const redirectUri = new URL(away).searchParams.get('redirect_uri') ?? ''
  return createVisitor(new URL(redirectUri).origin).get(`${redirectUri}?${query}`)
}

/** The whole way: away, there, and back. */
export async function through(liar: Liar, visitor: Visitor, start: string, email: string) {
  const sent = await send(visitor, start, email)
  const { location = '' } = await callback(liar, sent.away)
  return { ...sent, ...(await visitor.follow(location)) }
}

/** From a page that offers the identity provider, and back. */
export async function again(liar: Liar, visitor: Visitor, base: string) {
  const away = awayIn(await visitor.post(`${base}/sso`, {}))
  const { location = '' } = await callback(liar, away)
  return { away, ...(await visitor.follow(location)) }
}

/** Who is linked to whom at a connection. */
export async function linked(stage: Stage, { connectionId }: Pick<Liar, 'connectionId'>): Promise<unknown[]> {
  const found = await rows(
    stage,
    'SELECT account_id FROM sso_identities WHERE connection_id = ? ORDER BY subject',
    [connectionId],
  )
  return found.map(each => each.account_id)
}

/** A connection to an identity provider by SAML, in the hand of whoever writes its answers. */
export interface SamlLiar extends Omit<SsoGround, 'upstream'> {
  readonly acs: string
  /** The answer to the request with which somebody was sent away; undefined: to none. */
  answer(away: string | undefined, said?: Partial<Said>): Record<string, string>
  /** Posts an answer as another site has a browser do it. */
  post(form: Record<string, string>, visitor?: Visitor): Promise<Answer>
  /** Says, by a browser's redirect, that sessions of its user dana have ended. */
  logOut(sessions: readonly string[]): Promise<Answer>
  /** Signs with another key from now on. */
  rotate(): Promise<void>
  /** Its metadata as it is now. */
  metadata(): string
}

const IDP = 'https://idp.example/saml'

export async function openSamlLiar(
  stage: Stage,
  {
    saml = {},
    ...options
  }: SsoOptions & { saml?: Pick<StoredSaml, 'idpInitiated' | 'metadataUrl' | 'sloUrl'> } = {},
): Promise<SamlLiar> {
  let idp = await newSamlKeys('idp', stage.now())
  const ours = await newSamlKeys('us', stage.now())
  const { paths } = stage.running.services
  const connectionId = newId('sso')
  const acs = `${stage.origin}${paths.ssoSaml(connectionId, 'acs')}`
  const audience = `${stage.origin}${paths.ssoSaml(connectionId, 'metadata')}`
  const settings = {
    entityId: IDP,
    ssoUrl: 'https://idp.example/sso',
    certificates: [idp.certificate],
    ...saml,
    ourCertificate: ours.certificate,
  }
  const connected = await connect(
    stage,
    { connectionId, protocol: 'saml', settings, secret: ours.privateKey },
    options,
  )
  return {
    ...connected,
    acs,
    answer(away, changed = {}) {
      const query = new URL(away ?? IDP).searchParams
      const request = inflateRawSync(Buffer.from(query.get('SAMLRequest') ?? '', 'base64'), {
        finishFlush: 2,
      }).toString()
      const inResponseTo = away === undefined ? undefined : / ID="([^"]+)"/.exec(request)?.[1]
      const now = stage.now()
      const said: Said = {
        id: `_${randomUUID()}`,
        issuer: IDP,
        nameId: 'dana',
        nameIdFormat: PERSISTENT,
        recipient: acs,
        inResponseTo,
        audience,
        issued: new Date(now),
        notBefore: new Date(now - 1000),
        notOnOrAfter: new Date(now + 300_000),
        confirmedUntil: new Date(now + 300_000),
        authenticated: new Date(now),
        context: PASSWORD_CONTEXT,
        session: '_session',
        attributes: { email: [connected.email('dana')] },
        conditions: '',
        confirmation: 'urn:oasis:names:tc:SAML:2.0:cm:bearer',
        ...changed,
      }
      const xml = response(
        {
          id: `_${randomUUID()}`,
          issuer: IDP,
          destination: acs,
          inResponseTo: said.inResponseTo,
          status: 'urn:oasis:names:tc:SAML:2.0:status:Success',
          issued: new Date(now),
        },
        signed(assertion(said), { key: idp.privateKey }),
      )
      return { SAMLResponse: base64(xml), RelayState: query.get('RelayState') ?? '' }
    },
    post: (form, visitor = createVisitor(stage.origin)) =>
      visitor.post(acs, form, { 'sec-fetch-site': 'cross-site', origin: 'https://idp.example' }),
    logOut(sessions) {
      const slo = `${stage.origin}${paths.ssoSaml(connectionId, 'slo')}`
      const xml = logoutRequest({
        id: `_${randomUUID()}`,
        issuer: IDP,
        destination: slo,
        issued: new Date(stage.now()),
        notOnOrAfter: undefined,
        nameId: 'dana',
        nameIdFormat: PERSISTENT,
        sessions,
      })
      return createVisitor(stage.origin).get(`${slo}?${signedQuery(xml, { key: idp.privateKey })}`)
    },
    async rotate() {
      idp = await newSamlKeys('idp', stage.now())
    },
    metadata() {
      const service = (name: string, url?: string) =>
        url && `<${name} Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="${url}"/>`
      return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="${IDP}"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing"><ds:KeyInfo>${x509Data(idp.certificate)}</ds:KeyInfo></KeyDescriptor>${service('SingleLogoutService', saml.sloUrl) ?? ''}${service('SingleSignOnService', settings.ssoUrl)}</IDPSSODescriptor></EntityDescriptor>`
    },
    close: async () => undefined,
  }
}

/** A logout token of the identity provider's, right but for what is changed. */
export function logoutToken({ upstream }: Liar, now: number, claims: Claims): Promise<string> {
  return upstream.sign({
    iss: upstream.issuer,
    aud: 'sallyport',
    iat: seconds(now),
    exp: seconds(now) + 120,
    jti: randomUUID(),
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    ...claims,
  })
}

/** Whether a browser came back to the app with a code. */
export const isIn = ({ url }: { url: string }): boolean => codeIn(url) !== undefined

/**
 * What the attacks of a suite are made of.
 * @param scene what there is once the suite has begun
 */
export function ssoActs(scene: () => { stage: Stage; party: RelyingParty }) {
  const opened: Liar[] = []
  async function close(): Promise<void> {
    for (const each of opened) await each.close()
  }

  async function liar(options: SsoOptions = MFA): Promise<Liar> {
    const made = await openLiar(scene().stage, options)
    opened.push(made)
    return made
  }

  const fresh = () => createVisitor(scene().stage.origin)
  const start = async (params: Record<string, string> = {}) => (await scene().party.begin(params)).url

  /** What an identity provider says of somebody, two factors and all. */
  const about = ({ email }: Pick<Person, 'email'>, more: Claims = {}): Claims => ({
    sub: `there of ${email}`,
    email,
    email_verified: true,
    amr: ['mfa'],
    ...more,
  })

  /** Who is logged in in a browser; undefined: nobody. */
  async function whoIs(visitor: Visitor): Promise<string | undefined> {
    const begun = await scene().party.begin({ prompt: 'none' })
    const { url } = await visitor.follow(begun.url)
    return codeIn(url) === undefined ? undefined : (await scene().party.finish(begun, url)).claims()?.sub
  }

  /** A user who has logged in by single sign-on, in a browser of theirs. */
  async function linkedUser(heron: Liar, name = 'dana', claims: Claims = {}) {
    const person = await member(scene().stage, heron, name)
    heron.says(about(person, claims))
    const visitor = fresh()
    expect(isIn(await through(heron, visitor, await start(), person.email))).to.equal(true)
    return { person, visitor }
  }

  /** From the page of the identity provider to the one after the password. */
  async function byPassword(visitor: Visitor, base: string) {
    await visitor.post(`${base}/use-password`, {})
    await visitor.post(`${base}/password`, { password: PASSWORD, webauthn: 'none' })
    return visitor.follow(base)
  }

  async function setUp(visitor: Visitor, base: string, body: string): Promise<Enrolled> {
    const secret = textOf(body, 'key').replaceAll(' ', '')
    await visitor.post(`${base}/set-up`, { code: codeOf(scene().stage, { secret }) })
    const recoveryCode = textOf((await visitor.follow(base)).body, 'recovery')
    await visitor.post(`${base}/recovery-code-saved`, { saved: 'yes' })
    await change(scene().stage, 'UPDATE authenticators SET last_step = last_step - 2', [])
    return { secret, recoveryCode }
  }

  /** A user with a password and an authenticator, logged in by them. */
  async function localUser(heron: Liar, name = 'dana', params: Record<string, string> = {}) {
    const person = await member(scene().stage, heron, name)
    const visitor = fresh()
    const begun = await scene().party.begin(params)
    const { base } = await send(visitor, begun.url, person.email)
    const enrolled = await setUp(visitor, base, (await byPassword(visitor, base)).body)
    const { url } = await visitor.follow(base)
    return { person, visitor, begun, url, ...enrolled }
  }

  async function otp(visitor: Visitor, base: string, of: { secret: string }) {
    await change(scene().stage, 'UPDATE authenticators SET last_step = last_step - 2', [])
    return visitor.post(`${base}/otp`, { code: codeOf(scene().stage, of) })
  }

  /** All that sessions hold was proven ten minutes before. */
  async function age(ms = 10 * MINUTE): Promise<void> {
    await change(scene().stage, 'UPDATE session_facts SET verified_at = verified_at - ?', [ms])
  }

  return {
    about,
    age,
    byPassword,
    close,
    fresh,
    liar,
    linkedUser,
    localUser,
    otp,
    setUp,
    start,
    whoIs,
  }
}
