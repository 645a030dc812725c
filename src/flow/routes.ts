// The hosted prompts over HTTP. GET asks `nextStep` and shows its page, or finishes; POST verifies one thing, commits
// it, and answers 303 to GET, or finishes where nothing is left to do. A POST that `nextStep` does not offer now is
// refused. What the library keeps of an interaction is touched here and in `policy.ts` only.

import type { Context } from 'koa'
import Router from 'koa-router'
import type Provider from 'oidc-provider'
import { errors } from 'oidc-provider'
import { AppError } from '../errors.ts'
import { deviceCookies, isMobile } from '../http/device.ts'
import { readForm, requireSameOrigin } from '../http/forms.ts'
import { seeOther } from '../http/see-other.ts'
import { plainAddress } from '../organisations/access-list.ts'
import type { Services } from '../services.ts'
import type { Account } from '../store/accounts/accounts.ts'
import { auditRow } from '../store/audit/audit.ts'
import { CommitRefused } from '../store/database.ts'
import { cachedSession } from '../store/oidc/adapter.ts'
import type { StoredSession } from '../store/sessions/oidc-sessions.ts'
import type { PlannedConnection } from '../store/sso/connections.ts'
import { readAnsweredRequest, useAnswer } from '../store/sso/requests.ts'
import type { Refusal, Write } from '../store/statement.ts'
import { unit } from '../store/unit-of-work.ts'
import { readAsked, startsFromNothing, subjectOf } from './asked.ts'
import { ACR, amrOf, meets, mergeFacts, strongest } from './assurance.ts'
import { allow, consentPage } from './consent.ts'
import { recordOutside } from './outside.ts'
import { aboutAction, type PageRequest, page, prepare } from './pages.ts'
import { clientDefaults } from './policy.ts'
import { carriedOver, NO_PROGRESS, type Progress, type StoredResult } from './progress.ts'
import { requestedAction } from './requested-action.ts'
import type { Way } from './step.ts'
import { isOutside, standing, type Visit } from './visit.ts'
import { caseCode, mailedCode, otp, recovery, sendCaseCode, sendCode } from './ways/codes.ts'
import { cancel, confirm, confirming, giveUp, leave } from './ways/confirm.ts'
import { identify, password } from './ways/first-factor.ts'
import { askAdmin, openCase } from './ways/locked-out.ts'
import type { Handler, Message, Outcome } from './ways/outcome.ts'
import {
  cannotUsePasskey,
  declinePasskey,
  passkey,
  registerPasskey,
  upgradeToPasskey,
} from './ways/passkeys.ts'
import { putOff, saveRecoveryCode, setUp, setUpAgain } from './ways/set-up.ts'
import { sso, takeAnswer, usePassword } from './ways/sso.ts'

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>

interface WayIn {
  /** Those that its form has. */
  readonly fields: readonly string[]
  /** Who verifies it. */
  readonly handler: Handler
  /** What it stores of the account decides no step: what comes next is known before it is stored. */
  readonly provesOnly?: true
}

/** Every way. */
const WAYS: Record<Way, WayIn> = {
  identify: { fields: ['email', 'webauthn'], handler: identify },
  sso: { fields: ['anew'], handler: sso },
  'use-password': { fields: [], handler: usePassword },
  password: { fields: ['password', 'username', 'webauthn'], handler: password },
  passkey: { fields: ['response', 'webauthn'], handler: confirming(passkey), provesOnly: true },
  otp: { fields: ['code'], handler: confirming(otp), provesOnly: true },
  recovery: { fields: ['code'], handler: recovery },
  'set-up': { fields: ['code', 'later'], handler: setUp },
  'put-off': { fields: [], handler: putOff },
  'recovery-code-saved': { fields: ['saved'], handler: saveRecoveryCode },
  'set-up-again': { fields: ['answer'], handler: setUpAgain },
  'passkey-registration': { fields: ['response', 'later'], handler: registerPasskey },
  'passkey-upgrade': { fields: ['response', 'later'], handler: upgradeToPasskey },
  'passkey-declined': { fields: [], handler: declinePasskey },
  'cannot-use-passkey': { fields: [], handler: cannotUsePasskey },
  'mailed-code': { fields: ['code'], handler: mailedCode },
  'send-code': { fields: [], handler: sendCode },
  'give-up': { fields: [], handler: giveUp },
  leave: { fields: [], handler: leave },
  'ask-admin': { fields: [], handler: askAdmin },
  'open-case': { fields: ['reason'], handler: openCase },
  'send-case-code': { fields: [], handler: sendCaseCode },
  'case-code': { fields: ['code'], handler: caseCode },
  confirm: { fields: [], handler: confirm, provesOnly: true },
  cancel: { fields: [], handler: cancel },
}

export function interactionRoutes(provider: Provider, services: Services): Router {
  const { clock, config, views } = services
  const devices = deviceCookies(services.keyring, services.paths.https)
  const settings = {
    emailProof: config.enrolmentEmailProof,
    acrAliases: config.acrAliases,
    helps: services.paths.support !== undefined,
  }
  const router = new Router()

  router.get('/interaction/:uid', async ctx => {
    const details = await interactionOf(ctx)
    if (details.prompt.name === 'consent') return askConsent(ctx, details)
    const visit = await visitOf(ctx, details)
    if (visit.step.kind === 'done') return finish(ctx, visit)
    if (visit.step.kind === 'outside' && visit.account !== undefined) {
      const { account, visitor, clientId, cid } = visit
      await recordOutside(services, { account, address: visitor.address, clientId, interaction: cid })
    }
    const { ready, error } = await prepared(ctx, visit)
    await show(ctx, details, ready, { way: wayOf(ctx.query.with), mobile: isMobile(ctx), error })
  })

  /** Where somebody comes back from their identity provider; only here is the cookie of the page that sent them. */
  router.get('/interaction/:uid/sso', async (ctx, next) => {
    const { h: handle } = ctx.query
    if (typeof handle !== 'string') return next()
    const details = await interactionOf(ctx)
    const visit = await visitOf(ctx, details)
    const request = await readAnsweredRequest(services.database, handle, visit.now)
    const asked = request?.askedBy
    if (
      request === undefined ||
      asked === undefined ||
      !('interaction' in asked) ||
      asked.interaction !== visit.uid
    ) {
      // Taken before, by a reload or Back, whatever came of it; or never there. Nothing is done, and the login goes on.
      return seeOther(ctx, services.paths.interaction(visit.uid))
    }
    if (!visit.step.ways.includes('sso')) {
      // Switched off while the user was away.
      await unit().flush([useAnswer(request, visit.now)])
      const way = visit.step.ways[0] ?? 'sso'
      return show(ctx, details, visit, failure(ctx, way, { key: 'sso.error.over' }, {}))
    }
    await answer(ctx, details, visit, 'sso', {}, await takeAnswer(services, visit, request))
  })

  // The address of a form, after a reload or Back: its page is the interaction's.
  router.get('/interaction/:uid/:way', ctx => {
    const { uid = '', way } = ctx.params
    if (way !== 'consent' && wayOf(way) === undefined) throw new AppError('not_found')
    seeOther(ctx, services.paths.interaction(uid))
  })

  router.post('/interaction/:uid/consent', async ctx => {
    requireSameOrigin(ctx, services.paths.origin)
    const form = await readForm(ctx, ['answer'])
    const details = await interactionOf(ctx)
    if (details.prompt.name !== 'consent') throw new AppError('not_offered', 'consent')
    const { account } = sessionOf(details) ?? {}
    // Denying is free to everybody.
    if (form.answer === 'allow' && (await keptOut(ctx, details, account))) return
    const allowed = form.answer === 'allow'
    if (!allowed && form.answer !== 'deny') throw new AppError('bad_request', 'no answer')
    unit().add(
      auditRow(
        {
          event: allowed ? 'consent.granted' : 'consent.denied',
          organisationId: account?.organisationId,
          accountId: account?.id,
          address: ctx.ip,
          interaction: details.cid,
          details: { client: String(details.params.client_id), scope: String(details.params.scope) },
        },
        clock(),
      ),
    )
    if (!allowed) return back(ctx, { error: 'access_denied', error_description: 'the user denied it' })
    return back(ctx, { consent: { grantId: await allow(provider, details) } }, true)
  })

  router.post('/interaction/:uid/:way', async ctx => {
    requireSameOrigin(ctx, services.paths.origin)
    const posted = wayOf(ctx.params.way)
    if (posted === undefined) throw new AppError('not_found')
    const form = await readForm(ctx, WAYS[posted].fields)
    const details = await interactionOf(ctx)
    const visit = await visitOf(ctx, details)
    const way = insteadOf(posted, form, visit)
    if (!visit.step.ways.includes(way)) {
      // Posted twice: it was done, and is not done again.
      if (visit.progress.last === way) return seeOther(ctx, services.paths.interaction(visit.uid))
      throw new AppError('not_offered', `${way} at step ${visit.step.kind}`)
    }
    await answer(ctx, details, visit, way, form, await WAYS[way].handler(services, visit, form))
  })

  async function answer(
    ctx: Context,
    details: Interaction,
    visit: Visit,
    way: Way,
    form: Record<string, string>,
    outcome: Outcome,
  ): Promise<void> {
    switch (outcome.kind) {
      case 'advanced': {
        const progress = { ...outcome.progress, last: way }
        const last = lastOf(visit, way, progress)
        const message = await tried(outcome, () =>
          last === undefined
            ? commit(ctx, visit, { ...outcome, progress })
            : finish(ctx, last, outcome.writes),
        )
        if (message !== undefined) return show(ctx, details, visit, failure(ctx, way, message, form))
        if (last !== undefined) return
        if (way === 'identify' && progress.upstream !== undefined) {
          // Whoever has said who they are goes on to their identity provider at once.
          const next = await visitOf(ctx, details, progress)
          if (next.step.kind === 'sso') {
            return answer(ctx, details, next, 'sso', {}, await WAYS.sso.handler(services, next, {}))
          }
        }
        const shown = outcome.show === undefined ? '' : `?with=${outcome.show}`
        return seeOther(ctx, `${services.paths.interaction(visit.uid)}${shown}`)
      }
      case 'away':
        await unit().flush(outcome.writes)
        return seeOther(ctx, outcome.url)
      case 'refused': {
        await unit().flush(outcome.writes)
        const { ready } = await prepared(ctx, visit)
        const { message, signals, identity } = outcome
        return show(ctx, details, ready, { ...failure(ctx, way, message, form), signals, identity })
      }
      case 'ended':
        unit().add(...outcome.writes)
        return back(ctx, { error: outcome.error, error_description: outcome.description })
    }
  }

  /** Reads the interaction: the cookie must be of the page that was asked for. */
  async function interactionOf(ctx: Context): Promise<Interaction> {
    const details = await provider.interactionDetails(ctx.req, ctx.res).catch(async error => {
      if (!(error instanceof errors.SessionNotFound)) throw error
      // A browser that sends no cookie at all, while what it was given them for still waits, keeps none.
      const waits =
        ctx.get('cookie') === '' && (await provider.Interaction.find(ctx.params.uid)) !== undefined
      const code = waits ? 'cookies_blocked' : 'interaction_expired'
      throw new AppError(code, error.error_description, { cause: error })
    })
    if (details.uid !== ctx.params.uid) {
      throw new AppError('interaction_expired', 'another interaction’s cookie')
    }
    const { ui_locales: wanted } = details.params
    if (typeof wanted === 'string') services.languages.prefer(wanted.split(' '))
    return details
  }

  function sessionOf(details: Interaction): StoredSession | undefined {
    return details.session?.uid === undefined ? undefined : cachedSession(details.session.uid)
  }

  async function askConsent(ctx: Context, details: Interaction): Promise<void> {
    const client = await services.clients.find(String(details.params.client_id))
    const account = sessionOf(details)?.account
    if (client === undefined || account === undefined) throw new AppError('interaction_expired', 'no session')
    if (await keptOut(ctx, details, account)) return
    ctx.type = 'html'
    const requested = await requestedAction(services, details.params, account.organisationId)
    ctx.body = views.render('consent', {
      ...consentPage(services, details, client, account),
      ...(requested?.ok ? { about: aboutAction(requested.action) } : {}),
    })
  }

  /** The page of the access list in place of a consent, where it keeps the session's user out. */
  async function keptOut(ctx: Context, details: Interaction, account: Account | undefined): Promise<boolean> {
    if (account === undefined || !isOutside(account, ctx.ip)) return false
    const clientId = String(details.params.client_id)
    const client = await services.clients.find(clientId)
    await recordOutside(services, { account, address: ctx.ip, clientId, interaction: details.cid })
    ctx.type = 'html'
    ctx.body = views.render('outside', {
      action: services.paths.interaction(details.uid, 'consent'),
      answer: 'deny',
      address: plainAddress(ctx.ip),
      app: String(client?.metadata.client_name ?? clientId),
    })
    return true
  }

  /** @param known the progress, where it has just been stored */
  async function visitOf(ctx: Context, details: Interaction, known?: Progress): Promise<Visit> {
    if (details.prompt.name !== 'login' && details.prompt.name !== 'step_up') {
      throw new AppError('not_offered', details.prompt.name)
    }
    const session = sessionOf(details)
    const last = details.lastSubmission as StoredResult | undefined
    const stored = (details.result as StoredResult | undefined)?.progress
    const progress = known ?? stored ?? (await begin(details, session?.account, last))
    const account =
      progress.account?.id === undefined ? undefined : await services.accounts.find(progress.account.id)
    const fromNothing = startsFromNothing(details.params)
    const ownSession = session?.account?.id === progress.account?.id ? session : undefined
    const client = await services.clients.find(String(details.params.client_id))
    const requested =
      details.prompt.name === 'step_up'
        ? await requestedAction(services, details.params, account?.organisationId)
        : undefined
    if (requested?.ok === false) throw new AppError('interaction_expired', requested.fault)
    const bare = {
      uid: details.uid,
      cid: details.cid,
      prompt: details.prompt.name,
      app: String(client?.metadata.client_name ?? details.params.client_id),
      clientId: String(details.params.client_id),
      visitor: { address: ctx.ip, device: devices.deviceOf(ctx, account?.id, clock()) },
      now: clock(),
      progress,
      account: account?.status === 'active' ? account : undefined,
      // Whoever says at their provider that an account is theirs shows it now: a session of before is no word of theirs.
      session: fromNothing || progress.linking !== undefined ? [] : (ownSession?.facts ?? []),
      fromNothing,
      upstream: await upstreamOf(progress, account, ownSession),
      asked: readAsked(details.params, clientDefaults(client?.metadata)),
      action: requested?.action,
    } as const
    return { ...bare, ...standing(bare, settings) }
  }

  /** What an interaction starts with: the session's user where there is one, and what this request has proven before. */
  async function begin(
    details: Interaction,
    account: Account | undefined,
    last: StoredResult | undefined,
  ): Promise<Progress> {
    const hinted = await hintedAccount(details)
    const named = hinted ?? (asksForSomebodyElse(details) ? undefined : account)
    if (named === undefined) return NO_PROGRESS
    const { id, email, epoch } = named
    return { ...carriedOver(last, id), account: { id, email, epoch } }
  }

  /** The identity provider that somebody came by, or has to; looked at anew at every step, since it may be closed. */
  async function upstreamOf(
    progress: Progress,
    account: Account | undefined,
    session: StoredSession | undefined,
  ): Promise<PlannedConnection | undefined> {
    const { upstreams } = services
    if (upstreams === undefined) return undefined
    const came = [...progress.facts, ...(session?.facts ?? [])].find(each => each.factor === 'sso')
    const id =
      progress.upstream ??
      came?.credentialId ??
      (account?.ssoOnly ? await upstreams.ofAddress(account.email) : undefined)
    return id === undefined ? undefined : upstreams.find(id)
  }

  /** The user of `id_token_hint`, which the library has verified: the app wants nobody else. */
  async function hintedAccount({ params }: Interaction): Promise<Account | undefined> {
    const subject = typeof params.id_token_hint === 'string' ? subjectOf(params.id_token_hint) : undefined
    const account = subject === undefined ? undefined : await services.accounts.find(subject)
    return account?.status === 'active' ? account : undefined
  }

  /** Stores the progress with what proved it, in one transaction. @throws CommitRefused */
  async function commit(ctx: Context, visit: Visit, outcome: Outcome & { kind: 'advanced' }): Promise<Visit> {
    await save(ctx, { progress: outcome.progress })
    await unit().flush(outcome.writes)
    return after(visit, outcome.progress)
  }

  function after(visit: Visit, progress: Progress): Visit {
    const next = { ...visit, progress }
    return { ...next, ...standing(next, settings) }
  }

  /** Where that is certain before anything is stored: the visit that has nothing left to do. */
  function lastOf(visit: Visit, way: Way, progress: Progress): Visit | undefined {
    if (!WAYS[way].provesOnly || progress.account?.id !== visit.account?.id) return undefined
    const next = after(visit, progress)
    return next.step.kind === 'done' ? next : undefined
  }

  /** @returns what to say if it was refused, in which case nothing was stored */
  async function tried(
    outcome: Outcome & { kind: 'advanced' },
    work: () => Promise<unknown>,
  ): Promise<Message | undefined> {
    try {
      await work()
      return undefined
    } catch (error) {
      return refusedMessage(error, outcome)
    }
  }

  /** The visit with what its page needs made; where that is refused (no more mails today), what to say. */
  async function prepared(ctx: Context, visit: Visit): Promise<{ ready: Visit; error?: Message }> {
    const made = await prepare(services, visit)
    if (made?.kind !== 'advanced') return { ready: visit }
    try {
      return { ready: await commit(ctx, visit, made) }
    } catch (error) {
      return { ready: visit, error: refusedMessage(error, made) }
    }
  }

  function save(ctx: Context, result: Record<string, unknown>, merge = false): Promise<string> {
    return provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: merge })
  }

  async function show(ctx: Context, details: Interaction, visit: Visit, request: PageRequest): Promise<void> {
    const hint = details.params.login_hint
    const made = await page(services, visit, {
      ...request,
      hint: typeof hint === 'string' && hint.length <= 254 && hint.includes('@') ? hint : undefined,
    })
    ctx.status = request.error === undefined ? 200 : 400
    ctx.type = 'html'
    // Where only "Back to the app" is left to do, that cancels.
    const cancel = visit.step.ways.includes('cancel') && !['passkey-needed', 'outside'].includes(made.name)
    ctx.body = views.render(made.name, {
      ...made.locals,
      ...(request.signals === undefined ? {} : { signals: request.signals }),
      ...(cancel ? { cancel: services.paths.interaction(visit.uid, 'cancel') } : {}),
    })
  }

  /** Law 3: the only place that writes `login`; in one transaction with what proved the last of it. */
  async function finish(ctx: Context, visit: Visit, writes: readonly Write[] = []): Promise<void> {
    const { account, session, now } = visit
    if (account === undefined) throw new Error('done without an account')
    const progress = withLinked(visit)
    const held = mergeFacts(session, progress.facts)
    const level = strongest(held) ?? '1fa'
    const newest = Math.max(...held.filter(each => each.factor !== 'mail').map(each => each.verifiedAt))
    const returnTo = await save(ctx, {
      login: {
        accountId: account.id,
        acr: ACR[level],
        amr: amrOf(held),
        ts: Math.floor(newest / 1000),
      },
      ...(visit.prompt === 'step_up' ? { step_up: {} } : {}),
      progress,
    })
    await unit().flush(writes)
    if (meets('2fa', progress.facts)) devices.remember(ctx, account.id, now)
    seeOther(ctx, returnTo)
  }

  /** @param merge a consent goes with the login before it */
  async function back(ctx: Context, result: Record<string, unknown>, merge = false): Promise<void> {
    const returnTo = await save(ctx, result, merge)
    seeOther(ctx, returnTo)
  }

  return router
}

/**
 * What the upstream said counts, now that the account's owner has logged in by what they have here; unless its connection
 * was switched off meanwhile.
 */
function withLinked({ progress, upstream }: Visit): Progress {
  const { linking, ...own } = progress
  if (linking === undefined || linking.fact.credentialId !== upstream?.id) return own
  return { ...progress, facts: mergeFacts(progress.facts, [linking.fact]) }
}

function asksForSomebodyElse({ prompt }: Interaction): boolean {
  return prompt.reasons.some(each => ['id_token_hint', 'claims_id_token_sub_value'].includes(each))
}

/** A form with a second button: the button says which way was meant. */
function insteadOf(way: Way, form: Record<string, string>, visit: Visit): Way {
  if (form.later !== 'yes') return way
  if (way === 'passkey-registration' || way === 'passkey-upgrade') return 'passkey-declined'
  if (way === 'set-up') return visit.step.ways.includes('put-off') ? 'put-off' : 'set-up-again'
  return way
}

function failure(ctx: Context, way: Way, error: Message, form: Record<string, string>): PageRequest {
  return { way, error, mobile: isMobile(ctx), typed: { email: form.email, reason: form.reason } }
}

function wayOf(text: unknown): Way | undefined {
  return typeof text === 'string' && Object.hasOwn(WAYS, text) ? (text as Way) : undefined
}

/** What a page says where a conditional write was too late. @throws whatever has no such words */
function refusedMessage(error: unknown, outcome: Outcome & { kind: 'advanced' }): Message {
  if (!(error instanceof CommitRefused)) throw error
  const message = outcome.refused?.[error.refusal]
  if (message === undefined) throw refusedCommit(error.refusal)
  return message
}

function refusedCommit(refusal: Refusal): AppError {
  return new AppError(refusal === 'account_changed' ? 'interaction_expired' : 'interaction_ended', refusal)
}
