// The authenticator: moved to a new phone, or set up beside a passkey. The old one's codes work until the first code of
// the new one is entered; then the one takes the other's place in the commit that spends that code. The new key waits
// sealed, for this session alone, ten minutes, and is good once.
//
// The old phone may be lost: then a recovery code is the fresh proof, for this and for nothing else. It ends the other
// sessions, of which the lost phone may have one. The new code proves nothing beyond itself here: whatever else is to be
// changed asks for the next one.

import type { Context } from 'koa'
import Router from 'koa-router'
import { clearAttempts, codeSubject } from '../factors/attempts.ts'
import { newSecret, otpauthUri, qrSvg, setupKey, verifyTotp } from '../factors/totp.ts'
import { meets } from '../flow/assurance.ts'
import { makeRecoveryCode, recoveryHash, reserveAccountCode } from '../flow/ways/codes.ts'
import { type Refused, record } from '../flow/ways/outcome.ts'
import { keepsRecoveryCode } from '../flow/ways/set-up.ts'
import { isMobile } from '../http/device.ts'
import { seeOther } from '../http/see-other.ts'
import { type Guard, type OwnSession, sessionOf } from '../http/session.ts'
import { mailJob } from '../mail/outbox.ts'
import type { Services } from '../services.ts'
import { readAccountOverview } from '../store/accounts/account-overview.ts'
import { issueRecoveryCode, putAuthenticator, spendRecoveryCode } from '../store/accounts/credentials.ts'
import { endOtherAccess, stayEnrolled, stayLoggedIn } from '../store/accounts/own-changes.ts'
import { keepPending, readPending, takePending } from '../store/accounts/pending-forms.ts'
import { keepFact } from '../store/sessions/session-facts.ts'
import { frameFor, homeOf } from './frame.ts'
import { A_MOMENT_MS, commitChange, FRESH, type OwnOccasion, occasions } from './own-change.ts'
import { showCode } from './recovery-code.ts'

const PATH = '/account/authenticator'
const PROOF = { ...FRESH, recovery: true } as const
const NEW = {
  kind: 'account-authenticator',
  fields: ['code'],
  unkept: ['code'],
  page: `${PATH}/new/:key`,
} as const
const LOST = { kind: 'account-lost', fields: ['code'], unkept: ['code'], page: `${PATH}/lost` } as const
const KEPT = 'account-authenticator-key'

export function authenticatorRoutes(services: Services, guard: Guard): Router {
  const { database, keyring, views, texts, clock, config } = services
  const router = new Router()
  const occasionOf = occasions(services)
  const home = homeOf(services)

  router.get(PATH, guard.requireSession(), ctx => {
    const { account } = sessionOf(ctx)
    if (account.authenticator === undefined) return seeOther(ctx, `${home}/authenticator/new`)
    ctx.type = 'html'
    ctx.body = views.render('account-confirm', {
      frame: frameFor(services, guard, account),
      question: texts.t('accountAuthenticator.heading'),
      effects: [texts.t('accountAuthenticator.proof'), texts.t('accountAuthenticator.effect')],
      button: { text: texts.t('page.continue'), href: `${home}/authenticator/new` },
      ...(account.recoveryCode === undefined
        ? {}
        : { other: { text: texts.t('accountAuthenticator.lost'), href: `${home}/authenticator/lost` } }),
    })
  })

  router.get(LOST.page, guard.requireSession(), ctx => {
    if (!mayRecover(sessionOf(ctx))) return seeOther(ctx, home)
    if (hasRecovered(sessionOf(ctx))) return seeOther(ctx, `${home}/authenticator/new`)
    showLost(ctx)
  })

  router.post(LOST.page, guard.requireSessionForForm(LOST), async ctx => {
    const sent = await guard.sentForm(ctx, LOST)
    const occasion = occasionOf(ctx)
    const { account, place, now, deed } = occasion
    if (!mayRecover(sessionOf(ctx))) return seeOther(ctx, home)
    // Pressed twice: the code is used, and lets its user go on.
    if (hasRecovered(sessionOf(ctx))) return seeOther(ctx, `${home}/authenticator/new`)
    const typed = sent?.form.code ?? ''
    if (typed.trim() === '') return showLost(ctx, texts.t('recovery.error.missing'))
    const stopped = await reserveAccountCode(services, occasion)
    if (stopped !== undefined) return showLost(ctx, await said(stopped))
    const stored = recoveryHash(services, account, typed)
    if (stored === undefined) {
      await database.commit([record(occasion, 'code.wrong', { factor: 'recovery' })])
      return showLost(ctx, texts.t('recovery.error.wrong'))
    }
    const { code, hash } = makeRecoveryCode(services, account.id)
    const shown = showCode(services, occasion, { code, why: 'used', next: '/authenticator/new' })
    await commitChange(
      services,
      ctx,
      shown.page,
      [
        stayLoggedIn(place),
        spendRecoveryCode(account.id, stored, hash, now),
        keepFact(place.sessionUid, account.id, { factor: 'recovery', kind: 'recovery', verifiedAt: now }),
        shown.write,
        rightCode(occasion),
        record(occasion, 'recovery_code.used'),
        mailJob(keyring, {
          to: account.email,
          accountId: account.id,
          template: 'recovery-code-used',
          contents: deed,
          now,
        }),
      ],
      { already_used: () => seeOther(ctx, `${home}/authenticator/new`) },
    )
  })

  router.get(`${PATH}/new`, guard.requireSession(PROOF), async ctx => {
    seeOther(ctx, `${home}/authenticator/new/${(await keepKey(ctx, newSecret())).id}`)
  })

  router.get(NEW.page, guard.requireSession(PROOF), async ctx => {
    const secret = await keptKey(ctx)
    if (secret === undefined) return seeOther(ctx, `${home}/authenticator/new`)
    const waited = (await guard.pendingForm(ctx, NEW)) !== undefined
    show(ctx, keyOf(ctx), secret, waited ? { notice: texts.t('accountAuthenticator.again') } : {})
  })

  router.post(NEW.page, guard.requireSessionForForm(NEW, PROOF), async ctx => {
    const sent = await guard.sentForm(ctx, NEW)
    const secret = await keptKey(ctx)
    if (secret === undefined) return expired(ctx)
    const occasion = occasionOf(ctx)
    const { account, place, now } = occasion
    const refuse = (error: string) => show(ctx, keyOf(ctx), secret, { error })
    const typed = sent?.form.code ?? ''
    if (typed.trim() === '') return refuse(texts.t('setup.error.missing'))
    const stopped = await reserveAccountCode(services, occasion)
    if (stopped !== undefined) return refuse(await said(stopped))
    const verdict = verifyTotp({ secret, code: typed, now, lastStep: undefined })
    if (!verdict.ok) {
      const { reason } = verdict
      await database.commit([record(occasion, 'code.wrong', { factor: 'set-up', reason })])
      return refuse(texts.t(reason === 'clock_ahead' ? 'code.error.clock' : 'setup.error.wrong'))
    }
    const lost = account.authenticator !== undefined && !isFresh(sessionOf(ctx))
    const recovery = keepsRecoveryCode(account) ? undefined : newRecovery(occasion)
    await commitChange(services, ctx, recovery?.page ?? '?done=authenticator', [
      takePending(keyOf(ctx), { kind: KEPT, ...place }, now),
      ...(lost ? endOtherAccess(database.dialect, place, now) : [stayEnrolled(place)]),
      putAuthenticator(
        account,
        keyring.seal(secret, ['authenticators', 'secret', account.id]),
        verdict.step,
        now,
      ),
      ...(recovery?.writes ?? []),
      rightCode(occasion),
      record(occasion, 'authenticator.set_up', { replaces: account.authenticator !== undefined, lost }),
      mailJob(keyring, {
        to: account.email,
        accountId: account.id,
        template: 'authenticator-set-up',
        contents: occasion.deed,
        now,
      }),
    ])
  })

  /** Whether a second factor proves it, rather than a recovery code. */
  function isFresh({ facts }: OwnSession): boolean {
    return meets('2fa', facts, clock() - FRESH.maxAge * 1000)
  }

  function hasRecovered({ facts }: OwnSession): boolean {
    const since = clock() - FRESH.maxAge * 1000
    return facts.some(each => each.factor === 'recovery' && each.verifiedAt >= since)
  }

  function mayRecover({ account }: OwnSession): boolean {
    return account.authenticator !== undefined && account.recoveryCode !== undefined
  }

  function keyOf(ctx: Context): string {
    return (ctx.params as { key: string }).key
  }

  async function keepKey(ctx: Context, secret: Uint8Array): Promise<{ id: string }> {
    const { place, now } = occasionOf(ctx)
    const kept = keepPending(
      keyring,
      { secret: Buffer.from(secret).toString('base64') },
      { kind: KEPT, ...place },
      now,
    )
    await database.commit([kept.write])
    return kept
  }

  async function keptKey(ctx: Context): Promise<Buffer | undefined> {
    const { place, now } = occasionOf(ctx)
    const kept = await readPending(database, keyring, keyOf(ctx), { kind: KEPT, ...place }, now)
    return kept && Buffer.from(kept.secret ?? '', 'base64')
  }

  /** The key is gone: used, or of ten minutes ago. Another one is shown. */
  async function expired(ctx: Context): Promise<void> {
    const { authenticator } = await readAccountOverview(database, sessionOf(ctx).account.id)
    // By the second press of a double click.
    if (authenticator !== undefined && authenticator.setUpAt >= clock() - A_MOMENT_MS) {
      return seeOther(ctx, `${home}?done=authenticator`)
    }
    const secret = newSecret()
    const { id } = await keepKey(ctx, secret)
    show(ctx, id, secret, { error: texts.t('setup.error.expired') })
  }

  /** For an authenticator must never be on without a way in. */
  function newRecovery(occasion: OwnOccasion) {
    const { account, now } = occasion
    const { code, hash } = makeRecoveryCode(services, account.id)
    const { page, write } = showCode(services, occasion, { code, why: 'set-up', next: '?done=authenticator' })
    return {
      page,
      writes: [write, issueRecoveryCode(account.id, hash, now), record(occasion, 'recovery_code.issued')],
    }
  }

  function rightCode({ account, visitor }: OwnOccasion) {
    return clearAttempts('code', codeSubject(account.id, visitor.device))
  }

  /** What to say of a code that was not compared, after it was recorded. */
  async function said({ message, writes = [] }: Refused): Promise<string> {
    await database.commit(writes)
    return texts.t(message.key, message.values)
  }

  function show(
    ctx: Context,
    key: string,
    secret: Uint8Array,
    own: { readonly error?: string; readonly notice?: string },
  ): void {
    const { account } = sessionOf(ctx)
    const uri = otpauthUri({ secret, issuer: config.productName, account: account.email })
    if (own.error !== undefined) ctx.status = 400
    ctx.type = 'html'
    ctx.body = views.render('setup', {
      action: `${home}/authenticator/new/${key}`,
      qr: qrSvg(uri, texts.t('setup.qr')),
      key: setupKey(secret),
      uri,
      openKey: isMobile(ctx),
      moves: account.authenticator !== undefined,
      back: home,
      ...own,
    })
  }

  function showLost(ctx: Context, error?: string): void {
    if (error !== undefined) ctx.status = 400
    ctx.type = 'html'
    ctx.body = views.render('recovery', {
      action: `${home}/authenticator/lost`,
      codeUrl: `${home}/authenticator/new`,
      back: home,
      ...(error === undefined ? {} : { error }),
    })
  }

  return router
}
