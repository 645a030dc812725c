// A deployment of oidc-provider as one may have it already: its own clients, its own accounts, its own adapter. What
// Sallyport adds is between the two marks; nothing else was changed.

import { createServer, type Server } from 'node:http'
import Provider, { type Configuration } from 'oidc-provider'
// Elsewhere: from 'sallyport'
import { type HostAccounts, type SecondFactorOptions, secondFactor } from '../../src/index.ts'

export interface HostOptions {
  readonly issuer: string
  readonly port: number
  readonly databaseUrl: string
  readonly secretKeys: readonly [string, ...string[]]
  readonly clients: Configuration['clients']
  readonly jwks: Configuration['jwks']
  readonly accounts: HostAccounts
  /** Resource servers, and whatever else the deployment has switched on. */
  readonly features?: Configuration['features']
  /** What the apps' users confirm. */
  readonly protectedActions?: SecondFactorOptions['protectedActions']
  /** Below which path of the server the provider is mounted; empty: at its root. */
  readonly mountPath?: string
}

export interface Host {
  readonly provider: Provider
  close(): Promise<void>
}

export async function startHost(options: HostOptions): Promise<Host> {
  const existing: Configuration = {
    clients: options.clients,
    jwks: options.jwks,
    cookies: { keys: ['the keys of the deployment, as they were before'] },
    claims: { openid: ['sub'], email: ['email'] },
    pkce: { required: () => true },
    features: { ...options.features, devInteractions: { enabled: false } } as Configuration['features'],
  }

  // --- Sallyport
  const { configuration, mount } = secondFactor(existing, {
    issuer: options.issuer,
    databaseUrl: options.databaseUrl,
    secretKeys: options.secretKeys,
    accounts: options.accounts,
    firstParty: () => true,
    ...(options.protectedActions && { protectedActions: options.protectedActions }),
  })
  const provider = new Provider(options.issuer, configuration)
  const sallyport = mount(provider)
  await sallyport.ready
  // --- and that is all

  const server = await listen(options, provider)
  return {
    provider,
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      await sallyport.close()
    },
  }
}

/** The deployment's own server, which may have the provider below a path. */
function listen({ port, mountPath = '' }: HostOptions, provider: Provider): Promise<Server> {
  const handle = provider.callback()
  const server = createServer((request, response) => {
    const { url = '/' } = request
    if (mountPath !== '' && !url.startsWith(`${mountPath}/`)) {
      response.writeHead(404).end('somewhere else in the deployment')
      return
    }
    // As express does it: the provider sees what comes after the mount path, and finds the rest in originalUrl.
    Object.assign(request, { originalUrl: url, url: url.slice(mountPath.length) })
    handle(request, response)
  })
  return new Promise(resolve => server.listen(port, 'localhost', () => resolve(server)))
}
