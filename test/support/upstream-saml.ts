// A customer's identity provider that speaks SAML 2.0 and that nobody here wrote: npm's samlp, in a process of its own,
// with a login page, users and sessions. It trusts those whose metadata it was given, and demands that they sign. It sits
// at 127.0.0.1: to a browser another site than localhost is.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import express, { type NextFunction, type Request, type Response } from 'express'
import samlp from 'samlp'
import SessionParticipants from 'samlp/lib/sessionParticipants/index.js'
import { newSamlKeys } from '../../src/sso/saml.ts'

/** Somebody who can log in there: by choosing themselves, without a password. */
export interface SamlUser {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly groups?: readonly string[]
  /** AuthnContext classes that they can be asked for; the first is that of an ordinary login. */
  readonly contexts?: readonly string[]
}

export interface SamlUpstreamOptions {
  readonly users?: readonly SamlUser[]
  /** default: persistent, the user's id; with emailAddress their address. */
  readonly nameIdFormat?: string
  /** The response too, not the assertion alone. */
  readonly signResponse?: boolean
  /** An algorithm of XML Encryption; null, which is the default: not encrypted. */
  readonly encryptionAlgorithm?: string | null
  readonly signatureAlgorithm?: 'rsa-sha256' | 'rsa-sha1'
  readonly port?: number
}

export interface SamlUpstream {
  readonly url: string
  readonly entityId: string
  readonly metadataUrl: string
  readonly users: readonly SamlUser[]
  /** Lets somebody in: their metadata, XML. */
  trust(metadata: string): Promise<void>
  /** Signs with another key from now on. */
  rotate(): Promise<void>
  /** Behaves otherwise from now on. */
  change(options: Omit<SamlUpstreamOptions, 'port'>): Promise<void>
  /** Where a login begins there: somebody who is trusted, by their entity id. */
  startUrl(entityId: string, relayState?: string): string
  /** Where the user of this browser ends their session there, and so everywhere. */
  readonly endUrl: string
  close(): Promise<void>
}

export const PASSWORD = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport'
export const TWO_FACTORS = 'https://refeds.org/profile/mfa'
export const USERS: readonly SamlUser[] = [
  {
    id: 'b7f3c1',
    email: 'ann@acme.example',
    name: 'Ann Lee',
    groups: ['Support', 'Admins'],
    contexts: [PASSWORD, TWO_FACTORS],
  },
  { id: 'd2a904', email: 'bob@acme.example', name: 'Bob Ray' },
]

/** Starts it on this machine, in a process of its own. */
export async function startSamlUpstream(options: SamlUpstreamOptions = {}): Promise<SamlUpstream> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const url = await firstLine(child)
  const tell = async (path: string, body: string): Promise<void> => {
    const answer = await fetch(`${url}/control/${path}`, { method: 'POST', body })
    if (!answer.ok) throw new Error(`The identity provider did not take ${path}: ${await answer.text()}`)
  }
  return {
    url,
    entityId: `${url}/metadata`,
    metadataUrl: `${url}/metadata`,
    users: options.users ?? USERS,
    trust: metadata => tell('trust', metadata),
    rotate: () => tell('rotate', ''),
    change: changed => tell('change', JSON.stringify(changed)),
    startUrl: (entityId, relayState = '') =>
      `${url}/start?${new URLSearchParams({ sp: entityId, RelayState: relayState })}`,
    endUrl: `${url}/end`,
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('It has no output.')
  for await (const line of createInterface({ input: child.stdout })) return line
  throw new Error('The identity provider ended before it began.')
}

interface Trusted {
  readonly entityId: string
  readonly acsUrl: string
  readonly sloUrl: string
  /** PEM. */
  readonly certificate: string
}

interface Session {
  readonly user: SamlUser
  readonly index: string
  /** Those who were told of it. */
  readonly told: Map<string, Trusted>
}

async function serve(started: SamlUpstreamOptions): Promise<void> {
  let options = started
  let keys = await newSamlKeys('upstream', Date.now())
  const trusted = new Map<string, Trusted>()
  const sessions = new Map<string, Session>()
  const logouts = new Map<string, unknown>()
  const users = (): readonly SamlUser[] => options.users ?? USERS
  const app = express()
  app.use(express.urlencoded({ extended: false }), express.text({ type: 'text/*' }))
  app.use((request, _response, next) => {
    request.body ??= {}
    next()
  })
  const server = app.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const entityId = `${url}/metadata`

  const sessionOf = (request: Request): Session | undefined =>
    sessions.get(/(?:^|; )upstream=([\w-]+)/.exec(request.get('cookie') ?? '')?.[1] ?? '')

  app.post('/control/trust', (request, response) => {
    const party = partyIn(String(request.body))
    trusted.set(party.entityId, party)
    response.sendStatus(204)
  })
  app.post('/control/rotate', async (_request, response) => {
    keys = await newSamlKeys('upstream', Date.now())
    response.sendStatus(204)
  })
  app.post('/control/change', (request, response) => {
    options = { ...options, ...JSON.parse(String(request.body)) }
    response.sendStatus(204)
  })

  app.get('/metadata', (request, response, next) => {
    samlp.metadata({
      issuer: entityId,
      cert: keys.certificate,
      profileMapper: mapper(options),
      redirectEndpointPath: '/sso',
      postEndpointPath: '/sso',
      logoutEndpointPaths: { redirect: '/slo' },
    })(request, response, next)
  })

  const answer = (
    asked: { sp: Trusted; context: string | undefined; fresh: boolean },
    request: Request,
    response: Response,
    next: NextFunction,
  ): void => {
    const session = sessionOf(request)
    const { sp } = asked
    if (!session) {
      next(new Error('Nobody is logged in.'))
      return
    }
    session.told.set(sp.entityId, sp)
    const contexts = session.user.contexts ?? [PASSWORD]
    samlp.auth({
      issuer: entityId,
      cert: keys.certificate,
      key: keys.privateKey,
      signatureAlgorithm: options.signatureAlgorithm ?? 'rsa-sha256',
      digestAlgorithm: options.signatureAlgorithm === 'rsa-sha1' ? 'sha1' : 'sha256',
      signResponse: options.signResponse === true,
      lifetimeInSeconds: 300,
      audience: sp.entityId,
      destination: sp.acsUrl,
      recipient: sp.acsUrl,
      sessionIndex: session.index,
      authnContextClassRef:
        asked.context !== undefined && contexts.includes(asked.context) ? asked.context : contexts[0],
      profileMapper: mapper(options),
      getUserFromRequest: () => session.user,
      getPostURL: (
        _audience: string,
        _dom: unknown,
        _request: Request,
        done: (e: null, url: string) => void,
      ) => done(null, sp.acsUrl),
      ...(!options.encryptionAlgorithm
        ? {}
        : {
            encryptionAlgorithm: options.encryptionAlgorithm,
            disallowEncryptionWithInsecureAlgorithm: false,
            warnOnInsecureEncryptionAlgorithm: false,
            encryptionCert: sp.certificate,
            encryptionPublicKey: new X509Certificate(sp.certificate).publicKey.export({
              type: 'spki',
              format: 'pem',
            }),
          }),
    })(request, response, next)
  }

  app.get('/sso', (request, response, next) => {
    readRequest(request, trusted, (error, asked) => {
      if (!asked) return next(error ?? new Error('There is no request.'))
      if (sessionOf(request) && !asked.fresh) return answer(asked, request, response, next)
      response.send(loginPage(request, users(), asked))
    })
  })
  app.post('/login', (request, response, next) => {
    const sp = trusted.get(String(request.body.sp))
    if (!sp) return next(new Error('Not trusted.'))
    if (request.body.choice === 'no') {
      return samlp.sendError({
        issuer: entityId,
        cert: keys.certificate,
        key: keys.privateKey,
        destination: sp.acsUrl,
        inResponseTo: request.body.id,
        RelayState: request.body.RelayState,
        error: { code: 'urn:oasis:names:tc:SAML:2.0:status:Responder', description: 'No.' },
        getPostURL: (_request: Request, done: (e: null, url: string) => void) => done(null, sp.acsUrl),
      })(request, response, next)
    }
    const user = users().find(each => each.email === request.body.email)
    if (!user) {
      response.status(403).send(loginPage(request, users(), { sp }))
      return
    }
    const id = randomBytes(16).toString('base64url')
    sessions.set(id, { user, index: `_${randomBytes(16).toString('hex')}`, told: new Map() })
    response.cookie('upstream', id, { httpOnly: true, sameSite: 'lax' })
    request.headers.cookie = `upstream=${id}`
    answer({ sp, context: request.body.context || undefined, fresh: true }, request, response, next)
  })
  app.get('/start', (request, response, next) => {
    const sp = trusted.get(String(request.query.sp))
    if (!sp) return next(new Error('Not trusted.'))
    if (sessionOf(request)) return answer({ sp, context: undefined, fresh: false }, request, response, next)
    response.send(loginPage(request, users(), { sp }))
  })

  app.get(['/end', '/slo'], (request, response, next) => {
    const session = sessionOf(request)
    const left = [...(session?.told.values() ?? [])].map(sp => ({
      serviceProviderId: sp.entityId,
      sessionIndex: session?.index,
      nameId: session && nameIdOf(session.user, options),
      nameIdFormat: formatOf(options),
      serviceProviderLogoutURL: sp.sloUrl,
      cert: sp.certificate,
      binding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
    }))
    samlp.logout({
      issuer: entityId,
      cert: keys.certificate,
      key: keys.privateKey,
      deflate: true,
      protocolBinding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
      sessionParticipants: new SessionParticipants(left),
      store: stateIn(logouts),
      clearIdPSession: (done: () => void) => {
        for (const [id, each] of sessions) if (each === session) sessions.delete(id)
        done()
      },
    })(request, response, error => {
      // samlp answers with a bare number when it is done.
      if (error) next(error)
    })
    if (request.query.SAMLResponse) session?.told.clear()
  })
  app.use((error: Error, _request: Request, response: Response, _next: NextFunction) => {
    response.status(400).type('text/plain').send(error.message)
  })

  process.stdout.write(`${url}\n`)
  // Whoever started it is gone: so is it.
  process.stdin.on('end', () => process.exit()).resume()
}

function stateIn(states: Map<string, unknown>) {
  type Done = (error: null, state?: unknown) => void
  return {
    save(_request: Request, state: unknown, done: Done) {
      const id = randomBytes(16).toString('base64url')
      states.set(id, state)
      done(null, id)
    },
    load(_request: Request, id: string, options: { destroy?: boolean } | Done, done?: Done) {
      const state = states.get(id)
      if (typeof options === 'function') return options(null, state)
      if (options.destroy) states.delete(id)
      done?.(null, state)
    },
    update(_request: Request, id: string, state: unknown, done: Done) {
      states.set(id, state)
      done(null, id)
    },
  }
}

interface Asked {
  readonly sp: Trusted
  readonly id?: string | undefined
  readonly context?: string | undefined
  readonly fresh?: boolean
}

function readRequest(
  request: Request,
  trusted: ReadonlyMap<string, Trusted>,
  done: (error: Error | null, asked?: Asked & { context: string | undefined; fresh: boolean }) => void,
): void {
  samlp.parseRequest(request, {}, (unreadable, peeked) => {
    const sp = trusted.get(peeked?.issuer ?? '')
    if (unreadable || !sp) return done(unreadable ?? new Error('Not trusted.'))
    samlp.parseRequest(request, { signingCert: sp.certificate }, (error, asked) => {
      if (error || !asked) return done(error)
      if (asked.assertionConsumerServiceURL !== sp.acsUrl) return done(new Error('Another address.'))
      done(null, {
        sp,
        id: asked.id,
        context: asked.requestedAuthnContext?.authnContextClassRef,
        fresh: asked.forceAuthn === 'true',
      })
    })
  })
}

function loginPage(request: Request, users: readonly SamlUser[], asked: Asked): string {
  const { SAMLRequest = '', RelayState = '', login_hint: hint = '' } = request.query
  const hidden = {
    SAMLRequest,
    RelayState,
    sp: asked.sp.entityId,
    id: asked.id ?? '',
    context: asked.context ?? '',
  }
  const fields = Object.entries(hidden).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${asHtml(String(value))}">`,
  )
  return `<!doctype html><html lang="en"><title>Upstream</title><h1>Log in at the upstream</h1>
<p>${asked.fresh ? 'Log in anew.' : ''} ${asHtml(asked.context ?? '')}</p>
<form method="post" action="/login">${fields.join('')}
<label>Email <input name="email" value="${asHtml(String(hint))}" list="users"></label>
<datalist id="users">${users.map(each => `<option>${asHtml(each.email)}</option>`).join('')}</datalist>
<button name="choice" value="yes">Log in</button><button name="choice" value="no">Refuse</button></form></html>`
}

function asHtml(text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`)
}

function formatOf({ nameIdFormat }: SamlUpstreamOptions): string {
  return nameIdFormat ?? 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'
}

function nameIdOf(user: SamlUser, options: SamlUpstreamOptions): string {
  return formatOf(options).endsWith(':emailAddress') ? user.email : user.id
}

function mapper(options: SamlUpstreamOptions) {
  function map(user: SamlUser) {
    return {
      getClaims: () => ({ mail: user.email, displayName: user.name, groups: user.groups }),
      getNameIdentifier: () => ({
        nameIdentifier: nameIdOf(user, options),
        nameIdentifierFormat: formatOf(options),
      }),
    }
  }
  map.prototype.metadata = []
  return map
}

function partyIn(metadata: string): Trusted {
  const one = (pattern: RegExp): string => {
    const found = pattern.exec(metadata)?.[1]
    if (found === undefined) throw new Error('The metadata lacks something.')
    return found.replaceAll('&amp;', '&')
  }
  const base64 = one(/<ds:X509Certificate>([^<]+)</)
  return {
    entityId: one(/ entityID="([^"]+)"/),
    acsUrl: one(/<AssertionConsumerService [^>]*Location="([^"]+)"/),
    sloUrl: one(/<SingleLogoutService Binding="[^"]+HTTP-Redirect" Location="([^"]+)"/),
    certificate: new X509Certificate(Buffer.from(base64, 'base64')).toString(),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve(JSON.parse(process.argv[2] ?? '{}'))
