// A customer's identity provider that speaks OpenID Connect: a plain oidc-provider, with a login page of its own that
// lets one in as any of its accounts. For a journey it runs as a process of its own (`spawnUpstreamOidc`), else within
// the test. It sits at 127.0.0.1, so that its cookies are no others' at localhost.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'

/** Claims as they are sent, whatever their type; `acr` and `amr` are what a login of this account is worth. */
export interface UpstreamAccount {
  readonly sub: string
  readonly acr?: string
  readonly amr?: readonly string[]
  readonly [claim: string]: unknown
}

export interface UpstreamOidcOptions {
  readonly redirectUris: readonly string[]
  readonly accounts: readonly UpstreamAccount[]
  /** Where a logout token goes when a session here ends. */
  readonly backchannelLogoutUri?: string
  /** Default: `id_token`. */
  readonly emailIn?: 'id_token' | 'userinfo'
  /** Default: a free one. */
  readonly port?: number
}

export interface UpstreamOidc {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Adds an account, or puts it in place of the one of that `sub`. */
  setAccount(account: UpstreamAccount): Promise<void>
  close(): Promise<void>
}

const CLIENT = { clientId: 'sallyport', clientSecret: 'a-secret-of-thirty-two-characters' }

export async function startUpstreamOidc(options: UpstreamOidcOptions): Promise<UpstreamOidc> {
  const server = createServer()
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const accounts = new Map(options.accounts.map(each => [each.sub, each]))
  const provider = await createUpstream(issuer, accounts, options)
  server.on('request', provider.callback())
  return {
    issuer,
    ...CLIENT,
    async setAccount(account) {
      accounts.set(account.sub, account)
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function createUpstream(
  issuer: string,
  accounts: ReadonlyMap<string, UpstreamAccount>,
  { redirectUris, backchannelLogoutUri, emailIn = 'id_token' }: UpstreamOidcOptions,
): Promise<Provider> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'first', alg: 'RS256', use: 'sig' }] },
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        redirect_uris: [...redirectUris],
        ...(backchannelLogoutUri !== undefined && {
          backchannel_logout_uri: backchannelLogoutUri,
          backchannel_logout_session_required: true,
        }),
      },
    ],
    claims: {
      openid: ['sub', 'acr', 'amr', 'auth_time'],
      email: ['email', 'email_verified'],
      profile: ['name', 'groups'],
    },
    acrValues: [...new Set([...accounts.values()].flatMap(each => each.acr ?? []))],
    conformIdTokenClaims: emailIn === 'userinfo',
    findAccount: (_, sub) => {
      const { acr: _acr, amr: _amr, ...claims } = accounts.get(sub) ?? { sub }
      return accounts.has(sub) ? { accountId: sub, claims: () => claims } : undefined
    },
    loadExistingGrant: async ctx => {
      const { client, session, provider: own } = ctx.oidc
      const grant = new own.Grant({ clientId: client?.clientId ?? '', accountId: session?.accountId ?? '' })
      grant.addOIDCScope('openid email profile')
      await grant.save()
      return grant
    },
    ttl: { AccessToken: 600, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
    pkce: { required: () => true },
    cookies: {
      keys: ['of the upstream'],
      names: { session: 'upstream', interaction: 'upstream_interaction', resume: 'upstream_resume' },
    },
    interactions: { url: (_, { uid }) => `/login/${uid}` },
    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: async (ctx, form) => {
          ctx.type = 'html'
          ctx.body = `${form}<button form="op.logoutForm" name="logout" value="yes">Log out</button>`
        },
        postLogoutSuccessSource: async ctx => {
          ctx.body = 'Logged out'
        },
      },
    },
    // Logout tokens go to this machine.
    fetch: (url, { dispatcher: _, ...init }: RequestInit & { dispatcher?: unknown } = {}) => fetch(url, init),
  })
  provider.use((ctx, next) => {
    if (!ctx.path.startsWith('/login/')) return next()
    return ctx.method === 'POST' ? logIn(provider, accounts, ctx) : loginPage(provider, ctx)
  })
  return provider
}

type Context = Parameters<Parameters<Provider['use']>[0]>[0]

async function loginPage(provider: Provider, ctx: Context): Promise<void> {
  const { params } = await provider.interactionDetails(ctx.req, ctx.res)
  const hint = String(params.login_hint ?? '').replace(/[&"<>]/g, each => `&#${each.charCodeAt(0)};`)
  ctx.type = 'html'
  ctx.body = `<!doctype html><html lang="en"><title>Upstream</title><h1>Upstream</h1>
<form method="post"><label>Account <input name="account" value="${hint}"></label>
<button>Log in</button> <button name="cancel" value="yes">Cancel</button></form>`
}

/** By `sub`, or by the address. */
async function logIn(
  provider: Provider,
  accounts: ReadonlyMap<string, UpstreamAccount>,
  ctx: Context,
): Promise<void> {
  const form = new URLSearchParams(await text(ctx.req))
  const typed = form.get('account')
  const account = [...accounts.values()].find(each => each.sub === typed || each.email === typed)
  const { sub: accountId, acr, amr } = account ?? {}
  const result =
    form.has('cancel') || accountId === undefined
      ? { error: 'access_denied', error_description: 'The user went away.' }
      : {
          login: {
            accountId,
            ...(acr !== undefined && { acr }),
            ...(amr !== undefined && { amr: [...amr] }),
          },
        }
  await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false })
  ctx.respond = false
}

const OWN_FILE = fileURLToPath(import.meta.url)

/** The same as a process of its own. */
export async function spawnUpstreamOidc(options: UpstreamOidcOptions): Promise<UpstreamOidc> {
  const child = fork(OWN_FILE, [JSON.stringify(options)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const issuer = await told(child)
  return {
    issuer,
    ...CLIENT,
    async setAccount(account) {
      child.send(account)
      await told(child)
    },
    async close() {
      child.disconnect()
      await once(child, 'exit')
    },
  }
}

async function told(child: ChildProcess): Promise<string> {
  const gone = once(child, 'exit').then(() => {
    throw new Error('the upstream ended')
  })
  const [message] = await Promise.race([once(child, 'message'), gone])
  return String(message)
}

if (process.argv[1] === OWN_FILE) {
  const upstream = await startUpstreamOidc(JSON.parse(process.argv[2] ?? '{}') as UpstreamOidcOptions)
  process.on('message', async account => {
    await upstream.setAccount(account as UpstreamAccount)
    process.send?.('set')
  })
  process.on('disconnect', () => process.exit())
  process.send?.(upstream.issuer)
}

/**
 * What a browser does at the upstream, without one: goes where it is sent, logs in if it is asked to, and comes back.
 *
 * @param account undefined: cancels
 * @param cookies of a browser that was there before
 * @returns the query with which it is sent to the redirect URI
 */
export async function visitUpstream(
  issuer: string,
  start: string,
  account: string | undefined,
  cookies = new Map<string, string>(),
): Promise<URLSearchParams> {
  let url = new URL(start)
  let body: URLSearchParams | undefined
  for (let steps = 0; steps < 10; steps += 1) {
    if (url.origin !== new URL(issuer).origin) return url.searchParams
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(body !== undefined && { method: 'POST', body }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get('location')
    body = undefined
    if (location !== null) url = new URL(location, url)
    else if (url.pathname.startsWith('/login/')) {
      body = new URLSearchParams(account === undefined ? { cancel: 'yes' } : { account })
    } else throw new Error(`the upstream answered ${response.status}: ${await response.text()}`)
  }
  throw new Error('the upstream sends in circles')
}
