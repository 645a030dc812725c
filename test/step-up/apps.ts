// One API, written for each framework as its users would: what is done is noted, so that a test sees what was let through.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import type { ProtectedAction, ProtectedApi, StepUpError } from '@sallyport/step-up'
import * as forExpress from '@sallyport/step-up/express'
import * as forFastify from '@sallyport/step-up/fastify'
import * as forFetch from '@sallyport/step-up/fetch'
import * as forKoa from '@sallyport/step-up/koa'
import express, { type Request as ExpressRequest } from 'express'
import fastify, { type FastifyRequest } from 'fastify'
import { type Context, Hono } from 'hono'
import Koa, { type ParameterizedContext } from 'koa'
import Router from 'koa-router'

export interface App {
  readonly origin: string
  /** What the handlers did. */
  readonly deeds: string[]
  close(): Promise<void>
}

const TWO = 'urn:sallyport:acr:2fa'
const deletion = (body: unknown): ProtectedAction => ({
  type: 'protected_action',
  action: 'device.delete',
  objects: (body as { ids: string[] }).ids,
})
/** What the guarded requests of every app require. */
const levels = { acr: TWO, maxAge: 300 } as const
const passkey = { acr: 'phr' } as const

function note(deeds: string[], { claims, action }: forExpress.Proof, what: string): { done: string } {
  const done = [what, claims.sub, ...(action?.objects ?? [])].join(' ')
  deeds.push(done)
  return { done }
}

async function listening(server: Server, deeds: string[]): Promise<App> {
  if (!server.listening) await once(server, 'listening')
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    deeds,
    close: () =>
      new Promise(resolve => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

export const apps: Readonly<Record<string, (api: ProtectedApi) => Promise<App>>> = {
  async Express(api) {
    const { requireStepUp, proofOf } = forExpress
    const deeds: string[] = []
    const app = express()
    app.disable('x-powered-by')
    app.use(express.json())
    app.use((_, res, next) => {
      res.set('Access-Control-Expose-Headers', 'X-Request-Id')
      next()
    })
    // Mounted, so that `req.url` is not what was sent.
    const router = express.Router()
    router.get('/', requireStepUp({ api, ...levels }), (req, res) => {
      res.json(note(deeds, proofOf(req), 'list'))
    })
    router.delete(
      '/',
      requireStepUp({ api, ...levels, action: (req: ExpressRequest) => deletion(req.body) }),
      (req, res) => {
        res.json(note(deeds, proofOf(req), 'delete'))
      },
    )
    app.use('/devices', router)
    app.get('/secret', requireStepUp({ api, ...passkey }), (req, res) => {
      res.json(note(deeds, proofOf(req), 'secret'))
    })
    app.get(
      '/of/:user/by/:client',
      requireStepUp({
        api,
        ...levels,
        scope: 'devices',
        subject: (req: ExpressRequest<{ user: string; client: string }>) => req.params.user,
        clientId: req => [req.params.client],
      }),
      (req, res) => {
        res.json(note(deeds, proofOf(req), 'own'))
      },
    )
    // As many apps have one: it knows of no headers.
    app.use((error: StepUpError, _: unknown, res: express.Response, next: () => void) => {
      if (error.status === undefined) return next()
      res.status(error.status).json({ error: error.code })
    })
    return listening(createServer(app).listen(0, 'localhost'), deeds)
  },

  async Koa(api) {
    const { requireStepUp, proofOf } = forKoa
    const deeds: string[] = []
    const app = new Koa()
    app.silent = true
    const router = new Router()
    type Parsed = ParameterizedContext<{ body: unknown }> & { params: Record<string, string> }
    app.use(async (ctx, next) => {
      ctx.set('Access-Control-Expose-Headers', 'X-Request-Id')
      let text = ''
      for await (const chunk of ctx.req) text += chunk
      ctx.state.body = text === '' ? undefined : JSON.parse(text)
      await next()
    })
    router.get('/devices', requireStepUp({ api, ...levels }), ctx => {
      ctx.body = note(deeds, proofOf(ctx), 'list')
    })
    router.delete(
      '/devices',
      requireStepUp({ api, ...levels, action: (ctx: Parsed) => deletion(ctx.state.body) }),
      ctx => {
        ctx.body = note(deeds, proofOf(ctx), 'delete')
      },
    )
    router.get('/secret', requireStepUp({ api, ...passkey }), ctx => {
      ctx.body = note(deeds, proofOf(ctx), 'secret')
    })
    router.get(
      '/of/:user/by/:client',
      requireStepUp({
        api,
        ...levels,
        scope: 'devices',
        subject: (ctx: Parsed) => ctx.params.user,
        clientId: ctx => [ctx.params.client ?? ''],
      }),
      ctx => {
        ctx.body = note(deeds, proofOf(ctx), 'own')
      },
    )
    app.use(router.routes())
    return listening(createServer(app.callback()).listen(0, 'localhost'), deeds)
  },

  async Fastify(api) {
    const { requireStepUp, proofOf } = forFastify
    const deeds: string[] = []
    const app = fastify()
    app.addHook('onRequest', async (_, reply) => {
      reply.header('Access-Control-Expose-Headers', 'X-Request-Id')
    })
    app.get('/devices', { preHandler: requireStepUp({ api, ...levels }) }, async req =>
      note(deeds, proofOf(req), 'list'),
    )
    app.delete(
      '/devices',
      {
        preHandler: requireStepUp({
          api,
          ...levels,
          action: (req: FastifyRequest) => deletion(req.body),
        }),
      },
      async req => note(deeds, proofOf(req), 'delete'),
    )
    app.get('/secret', { preHandler: requireStepUp({ api, ...passkey }) }, async req =>
      note(deeds, proofOf(req), 'secret'),
    )
    type Named = { Params: { user: string; client: string } }
    app.get<Named>(
      '/of/:user/by/:client',
      {
        preHandler: requireStepUp({
          api,
          ...levels,
          scope: 'devices',
          subject: (req: FastifyRequest<Named>) => req.params.user,
          clientId: req => [req.params.client],
        }),
      },
      async req => note(deeds, proofOf(req), 'own'),
    )
    await app.listen({ port: 0, host: 'localhost' })
    return { ...(await listening(app.server, deeds)), close: () => app.close() }
  },

  async 'Hono, by Request'(api) {
    const { requireStepUp, proofOf } = forFetch
    const deeds: string[] = []
    const app = new Hono()
    app.use(async (c, next) => {
      c.header('Access-Control-Expose-Headers', 'X-Request-Id')
      await next()
    })
    const listed = requireStepUp({ api, ...levels })
    const deleted = requireStepUp({
      api,
      ...levels,
      action: async ({ context }: { context: Context }) => deletion(await context.req.json()),
    })
    const secret = requireStepUp({ api, ...passkey })
    const own = requireStepUp<Context>({
      api,
      ...levels,
      scope: 'devices',
      subject: ({ context }) => context.req.param('user'),
      clientId: ({ context }) => [context.req.param('client') ?? ''],
    })
    app.get(
      '/devices',
      async (c, next) => (await listed(c.req.raw)) ?? next(),
      c => c.json(note(deeds, proofOf(c.req.raw), 'list')),
    )
    app.delete(
      '/devices',
      async (c, next) => (await deleted(c.req.raw, c)) ?? next(),
      c => c.json(note(deeds, proofOf(c.req.raw), 'delete')),
    )
    app.get(
      '/secret',
      async (c, next) => (await secret(c.req.raw)) ?? next(),
      c => c.json(note(deeds, proofOf(c.req.raw), 'secret')),
    )
    app.get(
      '/of/:user/by/:client',
      async (c, next) => (await own(c.req.raw, c)) ?? next(),
      c => c.json(note(deeds, proofOf(c.req.raw), 'own')),
    )
    return listening(serve({ fetch: app.fetch, port: 0, hostname: 'localhost' }) as Server, deeds)
  },
}
