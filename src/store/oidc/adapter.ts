// oidc-provider's adapter over `artefacts.ts` and `sessions/oidc-sessions.ts`. Within a request, reads come from the
// unit of work's cache where an earlier read brought them along, and writes are buffered: consuming a code, rotating a
// refresh token and minting what follows stand or fall together. Leaves out user codes (no device flow).

import type { Adapter, AdapterPayload } from 'oidc-provider'
import type { Account } from '../accounts/accounts.ts'
import type { Database, Write } from '../database.ts'
import {
  endSession,
  type Origin,
  readSession,
  type StoredSession,
  seeSession,
  sweptFrom,
  upsertSession,
} from '../sessions/oidc-sessions.ts'
import { inOpenUnit, inUnit, unit } from '../unit-of-work.ts'
import {
  consumeArtefact,
  deleteArtefact,
  readArtefacts,
  revokeArtefacts,
  type StoredArtefact,
  TOKEN_MODELS,
  takeArtefact,
  upsertArtefact,
} from './artefacts.ts'
import type { Clients } from './clients.ts'

export interface AdapterOptions {
  readonly database: Database
  readonly clients: Clients
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** The account as this request has it, read if need be: its epoch guards what is minted for it. */
  readonly account: (id: string) => Promise<Account | undefined>
  /** Those whose organisations have a session policy of their own. */
  readonly specialPlans: readonly string[]
}

/** @returns what oidc-provider takes as `adapter`: one adapter per model */
export function createAdapter(options: AdapterOptions): (model: string) => Adapter {
  return model => {
    if (model === 'Client') return clientAdapter(options)
    return model === 'Session' ? sessionAdapter(options) : artefactAdapter(model, options)
  }
}

function clientAdapter({ clients }: AdapterOptions): Adapter {
  return {
    ...unsupported,
    async find(id) {
      const found = await clients.find(id)
      if (found === undefined) return undefined
      // The library would write these over what a request asks in other ways; `flow/asked.ts` applies them.
      const { default_acr_values: _, ...metadata } = found.metadata
      return metadata as AdapterPayload
    },
  }
}

function sessionAdapter({ database, clock, account, specialPlans }: AdapterOptions): Adapter {
  const payloadOf = (session: StoredSession, jti: string): AdapterPayload => ({ ...session.payload, jti })
  return {
    ...unsupported,
    async find(id) {
      const session = await readSession(database, { id }, clock(), specialPlans)
      if (session === undefined) return undefined
      remember(session)
      rememberId(id, session.uid)
      return payloadOf(session, id)
    },
    async findByUid(uid) {
      const session = cachedSession(uid) ?? (await readSession(database, { uid }, clock(), specialPlans))
      if (session === undefined) return undefined
      remember(session)
      // The id is only known as a hash. The library may end what it reads by uid; it never saves it.
      rememberId(`uid:${uid}`, uid)
      return payloadOf(session, `uid:${uid}`)
    },
    async upsert(id, payload, expiresIn) {
      const uid = String(payload.uid)
      const { jti: _, ...kept } = payload
      const owner = await ownerOf(payload.accountId, account)
      const now = clock()
      const expiresAt = Math.min(now + (expiresIn ?? 0) * 1000, sweptFrom(now))
      // A new id for the same session is an update of its row, not a new one after the end of the old.
      await buffer(database, `session:${uid}`, [
        upsertSession({ uid, id, payload: kept, expiresAt, owner, origin: originHere() }, now),
      ])
      if (inOpenUnit()) for (const key of endKeys(uid)) unit().unbuffer(key)
      rememberId(id, uid)
    },
    async destroy(id) {
      const uid = inOpenUnit() ? (unit().cache.get(`session-id:${id}`) as string | undefined) : undefined
      if (uid !== undefined) unit().unbuffer(`session:${uid}`)
      const [end, endFacts] = endSession(uid === undefined ? { id } : { uid }, clock())
      const [key, factsKey] = endKeys(uid ?? id)
      await buffer(database, key, [end])
      await buffer(database, factsKey, [endFacts])
    },
  }
}

function endKeys(session: string): [string, string] {
  return [`session-end:${session}`, `session-end-facts:${session}`]
}

/** Which session the library means by an id, until the end of the request: ids are renewed, uids are not. */
function rememberId(id: string, uid: string): void {
  if (inOpenUnit()) unit().cache.set(`session-id:${id}`, uid)
}

function artefactAdapter(model: string, options: AdapterOptions): Adapter {
  const { database, clock, account, specialPlans } = options
  return {
    ...unsupported,
    async find(id) {
      return (await findArtefact(model, id))?.payload as AdapterPayload | undefined
    },
    async upsert(id, payload, expiresIn) {
      const owner =
        (model === 'Interaction' ? interactionOwner(payload) : undefined) ??
        (await ownerOf(payload.accountId ?? payload.session?.accountId, account))
      const sessionUid = model === 'Interaction' ? payload.session?.uid : payload.sessionUid
      await buffer(database, `${model}:${id}`, [
        upsertArtefact({
          model,
          id,
          payload: model === 'Interaction' ? withoutCookie(payload) : payload,
          grantId: payload.grantId,
          sessionUid,
          expiresAt: expiresIn === undefined ? null : clock() + expiresIn * 1000,
          owner,
        }),
      ])
      if (inOpenUnit()) unit().cache.delete(cacheKey(model, id))
    },
    async consume(id) {
      await buffer(database, `consume:${model}:${id}`, [consumeArtefact(model, id, clock())])
    },
    async destroy(id) {
      if (inOpenUnit()) unit().cache.delete(cacheKey(model, id))
      // The library ends an interaction where it is resumed, and only there: of several at once, one gets the code.
      const end = model === 'Interaction' ? takeArtefact : deleteArtefact
      await buffer(database, `${model}:${id}`, [end(model, id)])
    },
    async revokeByGrantId(grantId) {
      await buffer(database, `revoke:${model}:${grantId}`, [revokeArtefacts(model, grantId)])
    },
  }

  async function findArtefact(wanted: string, id: string): Promise<StoredArtefact | undefined> {
    const read = async () => {
      const found = await readArtefacts(database, wanted, id, clock(), specialPlans)
      for (const each of found) bringAlong(each)
      return found
    }
    if (!inOpenUnit()) return (await read()).find(each => each.model === wanted)
    const { cache } = unit()
    const key = cacheKey(wanted, id)
    const found = (cache.get(key) as Promise<StoredArtefact[]> | undefined) ?? read()
    cache.set(key, found)
    return (await found).find(each => each.model === wanted)
  }
}

/** A presented token may be of any of three models: they are read at once and share a key. */
function cacheKey(model: string, id: string): string {
  return (TOKEN_MODELS as readonly string[]).includes(model) ? `token:${id}` : `${model}:${id}`
}

function bringAlong({ payload, grant, session, account }: StoredArtefact): void {
  if (!inOpenUnit()) return
  const { cache } = unit()
  if (account !== undefined) cache.set(`account:${account.id}`, account)
  if (session !== undefined) remember(session)
  if (grant !== undefined && typeof payload.grantId === 'string') {
    const id = payload.grantId
    const stored = {
      model: 'Grant',
      id,
      payload: { ...grant, jti: id },
      grant: undefined,
      session: undefined,
      account,
    }
    cache.set(cacheKey('Grant', id), Promise.resolve([stored]))
  }
}

function remember(session: StoredSession): void {
  if (!inOpenUnit()) return
  unit().cache.set(`session:${session.uid}`, session)
  if (session.account !== undefined) unit().cache.set(`account:${session.account.id}`, session.account)
}

/** The session as this request read it, with its facts. */
export function cachedSession(uid: string): StoredSession | undefined {
  return inOpenUnit() ? (unit().cache.get(`session:${uid}`) as StoredSession | undefined) : undefined
}

const ORIGIN = 'origin'

/** Says where this request comes from, for a session that begins in it. */
export function comesFrom(origin: () => Origin): void {
  unit().cache.set(ORIGIN, origin)
}

function originHere(): Origin | undefined {
  return inOpenUnit() ? (unit().cache.get(ORIGIN) as (() => Origin) | undefined)?.() : undefined
}

/** Notes, with what this request stores, that somebody uses a session that it has read. */
export function noteSeen(uid: string, now: number): void {
  const session = cachedSession(uid)
  const seen = session && seeSession(session, now)
  if (seen !== undefined) unit().buffer(`session-seen:${uid}`, seen)
}

/** The library puts the session's id beside its uid, and never reads it: it must not be stored. */
function withoutCookie(payload: AdapterPayload): AdapterPayload {
  if (payload.session === undefined) return payload
  const { cookie: _, ...session } = payload.session
  return { ...payload, session } as AdapterPayload
}

/** Whom an interaction's progress names, at the epoch that it began under. */
function interactionOwner(payload: AdapterPayload): { accountId: string; epoch: number } | undefined {
  const result = payload.result as { progress?: { account?: { id?: string; epoch?: number } } } | undefined
  const named = result?.progress?.account
  return named?.id === undefined || named.epoch === undefined
    ? undefined
    : { accountId: named.id, epoch: named.epoch }
}

async function ownerOf(
  accountId: string | undefined,
  read: (id: string) => Promise<Account | undefined>,
): Promise<{ accountId: string; epoch: number } | undefined> {
  if (accountId === undefined) return undefined
  // An account that is gone has an epoch that no row has: the write is refused.
  return { accountId, epoch: (await read(accountId))?.epoch ?? -1 }
}

/** Within a request: buffered. Outside: stored at once. */
async function buffer(database: Database, key: string, writes: readonly Write[]): Promise<void> {
  if (!inOpenUnit()) {
    await inUnit(database, async () => unit().add(...writes))
    return
  }
  for (const each of writes) unit().buffer(key, each)
}

const refuse = async (): Promise<never> => {
  throw new Error('not supported by this store')
}

const unsupported: Adapter = {
  upsert: refuse,
  find: refuse,
  findByUserCode: refuse,
  findByUid: refuse,
  consume: refuse,
  destroy: refuse,
  revokeByGrantId: refuse,
}
