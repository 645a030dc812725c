// One's own passkeys: added, renamed, removed. The last thing that somebody proves themselves with stays: an account is
// never left with a password alone. Removing one ends the other sessions, since which of them it opened nobody can tell;
// this one stays with what else was proven in it, and asks for another proof where that was all. Leaves out the ceremony
// (flow/ways/passkeys.ts).

import type { Context } from 'koa'
import Router from 'koa-router'
import { AppError } from '../errors.ts'
import { codePoints } from '../factors/password.ts'
import { record } from '../flow/ways/outcome.ts'
import { addPasskey, creationOptions, OFFER_AGAIN_MS } from '../flow/ways/passkeys.ts'
import { seeOther } from '../http/see-other.ts'
import { type Guard, sessionOf } from '../http/session.ts'
import { mailJob } from '../mail/outbox.ts'
import { REWRITING } from '../organisations/directory.ts'
import type { Services } from '../services.ts'
import { type OwnPasskey, readAccountOverview } from '../store/accounts/account-overview.ts'
import { giveUpPasskey, moveOn, renamePasskey } from '../store/accounts/own-changes.ts'
import type { TextKey } from '../texts.ts'
import { frameFor, homeOf } from './frame.ts'
import { commitChange, FRESH, occasions } from './own-change.ts'

/** Nobody has more devices; what somebody adds with a stolen session has an end. */
export const MOST_PASSKEYS = 20
/** In code points. */
const LONGEST_NAME = 60

const PATH = '/account/passkeys'
const ADD = { kind: 'account-passkey-new', fields: ['response'], page: `${PATH}/new` } as const
const RENAME = { kind: 'account-passkey-rename', fields: ['name'], page: `${PATH}/:key/rename` } as const
const REMOVE = { kind: 'account-passkey-remove', fields: [], page: `${PATH}/:key/remove` } as const

/** What the offer at the end of a login says, where there is no “Not now”. */
const SAID: Partial<Record<TextKey, TextKey>> = {
  'passkey.error.notSaved': 'accountPasskey.error.notSaved',
  'passkey.error.unverified': 'accountPasskey.error.unverified',
}

export function passkeyRoutes(services: Services, guard: Guard): Router {
  const { database, keyring, views, texts } = services
  const router = new Router()
  const occasionOf = occasions(services)
  const home = homeOf(services)

  router.get(ADD.page, guard.requireSession(FRESH), async ctx => {
    await showNew(ctx, { pending: (await guard.pendingForm(ctx, ADD))?.id })
  })

  router.post(ADD.page, guard.requireSessionForForm(ADD, FRESH), async ctx => {
    const sent = await guard.sentForm(ctx, ADD)
    if (sent === undefined) return seeOther(ctx, home)
    const occasion = occasionOf(ctx)
    const { account, place } = occasion
    if (account.passkeys >= MOST_PASSKEYS) return showNew(ctx, {})
    const added = await addPasskey(services, occasion, place.sessionUid, sent.form.response ?? '', 'register')
    if (!added.ok) {
      await database.commit(added.refused.writes ?? [])
      return showNew(ctx, { error: added.refused.message.key })
    }
    await commitChange(
      services,
      ctx,
      '?done=passkey-added',
      [...sent.taken, ...moveOn(place), ...added.writes],
      { already_exists: () => showNew(ctx, { error: 'passkey.error.notSaved' }) },
    )
  })

  router.get(RENAME.page, guard.requireSession(FRESH), async ctx => {
    const passkey = await passkeyOf(ctx)
    const waiting = await guard.pendingForm(ctx, RENAME)
    showRename(ctx, passkey, {
      name: waiting?.form.name ?? passkey.name,
      ...(waiting === undefined ? {} : { notice: texts.t('reset.waited') }),
    })
  })

  router.post(RENAME.page, guard.requireSessionForForm(RENAME, FRESH), async ctx => {
    const sent = await guard.sentForm(ctx, RENAME)
    const passkey = await passkeyOf(ctx)
    const typed = sent?.form.name ?? ''
    const name = typed.normalize('NFC').trim()
    const error = nameError(name)
    if (error !== undefined) {
      ctx.status = 400
      return showRename(ctx, passkey, { name: typed, error: texts.t(error, { maximum: LONGEST_NAME }) })
    }
    if (name === passkey.name) return seeOther(ctx, home)
    const occasion = occasionOf(ctx)
    const { account, place, now, deed } = occasion
    const { credentialId: credential, name: before } = passkey
    await commitChange(services, ctx, '?done=passkey-renamed', [
      ...(sent?.taken ?? []),
      ...renamePasskey(place, credential, name),
      record(occasion, 'passkey.renamed', { credential, name, before }),
      mailJob(keyring, {
        to: account.email,
        accountId: account.id,
        template: 'passkey-renamed',
        contents: { ...deed, passkey: name, before },
        now,
      }),
    ])
  })

  router.get(REMOVE.page, guard.requireSession(FRESH), async ctx => {
    showRemove(ctx, await passkeyOf(ctx), { pending: (await guard.pendingForm(ctx, REMOVE))?.id })
  })

  router.post(REMOVE.page, guard.requireSessionForForm(REMOVE, FRESH), async ctx => {
    const sent = await guard.sentForm(ctx, REMOVE)
    const passkey = await findPasskey(ctx)
    // Pressed twice: it is gone.
    if (sent === undefined || passkey === undefined) return seeOther(ctx, home)
    const occasion = occasionOf(ctx)
    const { account, place, now, deed } = occasion
    if (isLast(ctx)) {
      ctx.status = 409
      return showRemove(ctx, passkey, {})
    }
    const { credentialId: credential, name } = passkey
    await commitChange(services, ctx, '?done=passkey-removed', [
      ...sent.taken,
      // Whoever has just removed one wants none offered at the next login.
      ...giveUpPasskey(database.dialect, place, credential, now + OFFER_AGAIN_MS, now),
      record(occasion, 'passkey.removed', { credential, name }),
      mailJob(keyring, {
        to: account.email,
        accountId: account.id,
        template: 'own-passkey-removed',
        contents: { ...deed, passkey: name },
        now,
      }),
    ])
  })

  /** The user's own passkey that an address names. */
  async function findPasskey(ctx: Context): Promise<OwnPasskey | undefined> {
    const { key } = ctx.params as { key: string }
    const { passkeys } = await readAccountOverview(database, sessionOf(ctx).account.id)
    return passkeys.find(each => each.key === key)
  }

  /** @throws AppError `not_found` */
  async function passkeyOf(ctx: Context): Promise<OwnPasskey> {
    const found = await findPasskey(ctx)
    if (found === undefined) throw new AppError('not_found')
    return found
  }

  function isLast(ctx: Context): boolean {
    const { authenticator, passkeys } = sessionOf(ctx).account
    return authenticator === undefined && passkeys <= 1
  }

  async function showNew(
    ctx: Context,
    { pending, error }: { pending?: string | undefined; error?: TextKey },
  ): Promise<void> {
    const { account, place, now } = occasionOf(ctx)
    if (error !== undefined) ctx.status = 400
    ctx.type = 'html'
    ctx.body = views.render('account-passkey-new', {
      frame: frameFor(services, guard, account),
      action: `${home}/passkeys/new`,
      ...(account.passkeys >= MOST_PASSKEYS
        ? { options: '', refused: texts.t('accountPasskey.error.tooMany', { most: MOST_PASSKEYS }) }
        : {
            options: await creationOptions(services, { account, binding: place.sessionUid, now }, 'register'),
          }),
      ...(pending === undefined ? {} : { pending }),
      ...(error === undefined ? {} : { error: texts.t(SAID[error] ?? error) }),
    })
  }

  function showRename(
    ctx: Context,
    { key, name: before }: OwnPasskey,
    own: { readonly name: string; readonly error?: string; readonly notice?: string },
  ): void {
    ctx.type = 'html'
    ctx.body = views.render('account-passkey-name', {
      frame: frameFor(services, guard, sessionOf(ctx).account),
      action: `${home}/passkeys/${key}/rename`,
      before,
      ...own,
    })
  }

  function showRemove(
    ctx: Context,
    passkey: OwnPasskey,
    { pending }: { pending?: string | undefined },
  ): void {
    const { account, facts } = sessionOf(ctx)
    const here = facts.some(each => each.credentialId === passkey.credentialId)
    ctx.type = 'html'
    ctx.body = views.render('account-confirm', {
      frame: frameFor(services, guard, account),
      question: texts.t('accountPasskey.remove', { passkey: passkey.name }),
      ...(isLast(ctx)
        ? { effects: [], refused: texts.t('accountPasskey.error.last') }
        : {
            effects: [
              texts.t('accountPasskey.remove.effect'),
              texts.t('accountPasskey.remove.sessions'),
              ...(here ? [texts.t('accountPasskey.remove.here')] : []),
            ],
            button: {
              text: texts.t('account.passkeys.remove'),
              post: `${home}/passkeys/${passkey.key}/remove`,
              danger: true,
            },
          }),
      ...(pending === undefined ? {} : { pending }),
    })
  }

  return router
}

/** What is wrong with a passkey's name. */
function nameError(name: string): TextKey | undefined {
  if (name === '') return 'accountPasskey.error.noName'
  if (codePoints(name) > LONGEST_NAME) return 'accountPasskey.error.longName'
  return REWRITING.test(name) ? 'accountPasskey.error.characters' : undefined
}
