// The API: takes access tokens and nothing else, no cookie of the console. What each request demands of its token is said
// by `requireStepUp`, and a request that has less is told what is missing. It trusts nothing that the console says.

import { ACR, memoryStore, PROTECTED_ACTION, type ProtectedAction, protectedApi } from '@sallyport/step-up'
import { proofOf, requireStepUp } from '@sallyport/step-up/koa'
import type { Context, Middleware, Next } from 'koa'
import Router from 'koa-router'
import { readJson } from './body.ts'
import { type Device, type Fleet, SCRIPTS } from './devices.ts'

export type ApiOptions = {
  issuer: string
  /** What its tokens have in `aud`; its path is where the API is found. */
  resource: string
  /** The app whose tokens it takes. */
  clientId: string
  fleet: Fleet
}

/** What a login's token needs to be good for, here. */
export const SCOPES = ['devices:read', 'devices:write']

export function createApi({ issuer, resource, clientId, fleet }: ApiOptions): Middleware {
  const router = new Router({ prefix: new URL(resource).pathname })
  const api = protectedApi({ issuer, resource, store: memoryStore() })
  // Looked at once, by `loggedIn`.
  const claims = (ctx: Context) => proofOf(ctx).claims

  /** Any login will do. */
  const loggedIn = requireStepUp<Context>({ api, acr: ACR['1fa'], scope: SCOPES.join(' '), clientId })
  /** Two factors, the second within the last five minutes. */
  const freshSecondFactor = requireStepUp<Context>({ api, claims, acr: ACR['2fa'], maxAge: 300 })
  /** Exactly these devices, confirmed for this request. */
  const deletion = requireStepUp<Context>({ api, claims, action: ctx => deletionOf(chosen(ctx)) })
  /** Exactly this password, confirmed by a passkey for this request. */
  const passwordView = requireStepUp<Context>({
    api,
    claims,
    acr: ACR.phr,
    action: ctx => ({
      type: PROTECTED_ACTION,
      action: 'password.view',
      objects: [device(ctx).id],
      fields: { device: device(ctx).name },
    }),
  })

  router.use(errorsAsJson, loggedIn)

  router.get('/devices', ctx => {
    ctx.body = { devices: fleet.list().map(shown) }
  })

  router.patch('/devices/:id', async ctx => {
    const { name } = await readJson(ctx)
    const trimmed = typeof name === 'string' ? name.trim() : ''
    if (!/^[^\p{C}]{1,60}$/u.test(trimmed)) ctx.throw(422, 'A name has 1 to 60 characters.')
    fleet.rename(device(ctx), trimmed)
    ctx.body = { device: shown(device(ctx)), proof: proven(ctx) }
  })

  router.post('/devices/:id/scripts', freshSecondFactor, async ctx => {
    const { script } = await readJson(ctx)
    const title = typeof script === 'string' && Object.hasOwn(SCRIPTS, script) ? SCRIPTS[script] : undefined
    if (title === undefined) ctx.throw(422, 'There is no such script.')
    ctx.body = { device: shown(device(ctx)), script: title, proof: proven(ctx) }
  })

  router.delete('/devices', deletion, ctx => {
    // What was confirmed is what is done.
    const gone = (proofOf(ctx).action?.objects ?? []).flatMap(id => fleet.find(id) ?? [])
    fleet.remove(gone)
    ctx.body = { deleted: gone.map(shown), proof: proven(ctx) }
  })

  router.get('/devices/:id/password', passwordView, ctx => {
    ctx.body = { device: shown(device(ctx)), password: device(ctx).password, proof: proven(ctx) }
  })

  router.post('/devices/restore', ctx => {
    fleet.restore()
    ctx.body = { devices: fleet.list().map(shown), proof: proven(ctx) }
  })

  function device(ctx: Context): Device {
    return fleet.find(ctx.params.id) ?? ctx.throw(404, 'There is no such device any more.')
  }

  /** `?id=…&id=…` */
  function chosen(ctx: Context): Device[] {
    const ids = new Set([ctx.query.id ?? []].flat())
    const devices = [...ids].map(id => fleet.find(id) ?? ctx.throw(404, `There is no device ${id} any more.`))
    if (devices.length === 0) ctx.throw(422, 'Choose at least one device.')
    if (new Set(devices.map(each => each.site)).size > 1) ctx.throw(422, 'Choose devices of one site.')
    return devices
  }

  return router.routes() as unknown as Middleware
}

function deletionOf(devices: readonly Device[]): ProtectedAction {
  return {
    type: PROTECTED_ACTION,
    action: 'device.delete',
    objects: devices.map(each => each.id),
    fields: { site: devices[0]?.site ?? '' },
  }
}

function shown({ password: _, ...device }: Device) {
  return device
}

/** By what a request was let through. The console shows it; another API would write it into its audit log. */
function proven(ctx: Context) {
  const { acr, amr, auth_time, authorization_details } = proofOf(ctx).claims
  return { acr, amr, auth_time, authorization_details }
}

async function errorsAsJson(ctx: Context, next: Next): Promise<void> {
  try {
    await next()
  } catch (error) {
    const { status = 500, code, message, expose } = error as Partial<Record<string, unknown>>
    ctx.status = typeof status === 'number' ? status : 500
    ctx.body = expose === true ? { error: code ?? 'refused', message } : { error: 'server_error' }
    if (expose !== true) ctx.app.emit('error', error, ctx)
  }
}
