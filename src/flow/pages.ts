// From a step to its page. Some pages need something made first (a setup key, a mailed code): `prepare` makes it once
// and keeps it in the progress, so that a reload shows the same.

import type { RequestedAction } from '../actions/requested.ts'
import { groupRecoveryCode } from '../factors/recovery-code.ts'
import { newSecret, otpauthUri, qrSvg, setupKey } from '../factors/totp.ts'
import type { SetupStep } from '../http/locals/login.ts'
import type { ActionDetails } from '../http/locals/parts.ts'
import type { ViewLocals, ViewName } from '../http/locals.ts'
import { plainAddress } from '../organisations/access-list.ts'
import type { Services } from '../services.ts'
import { caseState, STOPPED_MS } from '../support/case-state.ts'
import { interactionSecrets, SETUP_KEY_MS } from './progress.ts'
import type { Way } from './step.ts'
import type { Visit } from './visit.ts'
import { sendCode } from './ways/codes.ts'
import { helpNow, mailboxProven } from './ways/locked-out.ts'
import { accountOf, type Message, type Outcome } from './ways/outcome.ts'
import { creationOptions, loginOptions } from './ways/passkeys.ts'

const HOUR = 60 * 60 * 1000

export interface PageRequest {
  /** Which of the step's ways to show, where it has several. */
  readonly way?: Way | undefined
  /** What just went wrong. */
  readonly error?: Message | undefined
  /** What went wrong was about who somebody is at their identity provider. */
  readonly identity?: true | undefined
  /** What was typed and may be shown again. */
  readonly typed?: { readonly email?: string | undefined; readonly reason?: string | undefined }
  /** What the browser is told of passkeys. */
  readonly signals?: string | undefined
  /** The browser is on a phone. */
  readonly mobile: boolean
  /** `login_hint`. */
  readonly hint?: string | undefined
}

type Page = { [Name in ViewName]: { readonly name: Name; readonly locals: ViewLocals[Name] } }[ViewName]

/** What a step's page needs made before it can be shown; undefined: nothing. */
export async function prepare(services: Services, visit: Visit): Promise<Outcome | undefined> {
  const { step, progress, now, uid } = visit
  if (step.kind === 'set-up') {
    if (progress.setupKey !== undefined && now - progress.setupKey.at <= SETUP_KEY_MS) return undefined
    const sealed = interactionSecrets(services.keyring, uid).seal('setup-key', newSecret())
    return { kind: 'advanced', progress: { ...progress, setupKey: { sealed, at: now } }, writes: [] }
  }
  if (step.kind === 'mailed-code' && progress.codeMailedAt === undefined) return sendCode(services, visit, {})
  return undefined
}

/** The page of a step, after {@link prepare}. */
export async function page(services: Services, visit: Visit, request: PageRequest): Promise<Page> {
  const { texts } = services
  const { step, progress } = visit
  const to = (way: Way) => services.paths.interaction(visit.uid, way)
  const show = (way: Way) => `${services.paths.interaction(visit.uid)}?with=${way}`
  const error = request.error && texts.t(request.error.key, request.error.values)
  const failed = error === undefined ? {} : { error }
  const way = request.way !== undefined && step.ways.includes(request.way) ? request.way : step.ways[0]
  // A passkey that was refused says so beside its own button.
  const passkeyFailed = way === 'passkey' && error !== undefined
  const passkey = async (known: boolean) => ({
    action: to('passkey'),
    options: await loginOptions(services, visit, known),
    ...(passkeyFailed ? { error } : {}),
  })
  const besidePasskey = passkeyFailed ? {} : failed

  // In a step-up, where a second factor is asked for the page says what for.
  const stepUp = visit.prompt === 'step_up'

  const sso = step.ways.includes('sso') ? { sso: { action: to('sso'), name: upstreamName(visit) } } : {}
  if (way === 'sso' && (step.kind === 'sso' || error !== undefined)) return ssoPage()

  switch (step.kind) {
    case 'sso':
    case 'email':
      return emailPage()
    case 'password': {
      const named = progress.account
      if (named === undefined) return emailPage()
      if (way === 'identify' || (way === 'passkey' && step.ways.includes('identify'))) return emailPage()
      return {
        name: 'password',
        locals: {
          action: to('password'),
          email: named.email,
          editUrl: show('identify'),
          ...forgotten(services, visit),
          ...sso,
          ...(progress.linking === undefined
            ? {}
            : { linking: texts.t('sso.linking', { name: upstreamName(visit) }) }),
          ...failed,
        },
      }
    }
    case 'code':
      if (way === 'recovery') {
        return {
          name: 'recovery',
          locals: { action: to('recovery'), codeUrl: show('otp'), ...lockedOut(), ...failed },
        }
      }
      if (way === 'case-code') return mailedCodePage('case-code', 'send-case-code')
      if (way === 'send-case-code' && progress.codeMailedAt !== undefined) {
        return mailedCodePage('case-code', 'send-case-code')
      }
      if (way === 'ask-admin' || way === 'open-case' || way === 'send-case-code') return lockedOutPage(way)
      if (stepUp) return stepUpPage({ codeAction: to('otp'), ...besidePasskey })
      return {
        name: 'code',
        locals: {
          action: to('otp'),
          product: services.config.productName,
          ...(step.ways.includes('recovery') ? { recoveryUrl: show('recovery') } : {}),
          ...(step.ways.includes('passkey') ? { passkey: await passkey(true) } : {}),
          ...(step.ways.includes('set-up-again') ? { setUpAgain: to('set-up-again') } : {}),
          ...lockedOut(),
          ...sso,
          ...besidePasskey,
        },
      }
    case 'passkey-first':
      if (stepUp) return stepUpPage({})
      return {
        name: 'passkey-first',
        locals: {
          passkey: { ...(await passkey(true)), ...failed },
          ...(step.ways.includes('cannot-use-passkey') ? { cantUse: to('cannot-use-passkey') } : {}),
          ...sso,
        },
      }
    case 'mailed-code':
      return mailedCodePage('mailed-code', 'send-code')
    case 'set-up':
      return {
        name: 'setup',
        locals: { ...setupLocals(services, visit), openKey: request.mobile, ...failed },
      }
    case 'recovery-code': {
      const shown = shownRecoveryCode(services, visit)
      return {
        name: 'recovery-code',
        locals: {
          action: to('recovery-code-saved'),
          code: groupRecoveryCode(shown.code),
          replaces: shown.replaces,
          ...stepsOf(visit),
          ...failed,
        },
      }
    }
    case 'set-up-again':
      return { name: 'set-up-again', locals: { action: to('set-up-again') } }
    case 'passkey-offer': {
      // Tried once: where something just went wrong, the user decides.
      const upgrades = step.ways.includes('passkey-upgrade') && error === undefined
      const of = { account: accountOf(visit), binding: visit.uid, now: visit.now }
      const upgrade = upgrades && {
        action: to('passkey-upgrade'),
        options: await creationOptions(services, of, 'upgrade'),
      }
      return {
        name: 'passkey-offer',
        locals: {
          action: to('passkey-registration'),
          options: await creationOptions(services, of, 'register'),
          ...(upgrade ? { upgrade } : {}),
          ...(step.onThisDevice ? { onThisDevice: true } : stepsOf(visit)),
          ...failed,
        },
      }
    }
    case 'passkey-needed':
      return {
        name: 'passkey-needed',
        locals: {
          action: to('give-up'),
          app: visit.app,
          ...(services.paths.account === undefined
            ? {}
            : { passkeyUrl: `${services.paths.account}/passkeys/new` }),
        },
      }
    case 'outside':
      if (way === 'identify' || way === 'passkey') return emailPage()
      return {
        name: 'outside',
        locals: {
          action: to('leave'),
          address: plainAddress(visit.visitor.address),
          app: visit.app,
          ...(step.ways.includes('identify') ? { otherUrl: show('identify') } : {}),
        },
      }
    case 'confirm':
      return stepUpPage({ confirmAction: to('confirm') })
    case 'done':
      throw new Error('a finished interaction has no page')
  }

  async function stepUpPage(own: Partial<ViewLocals['step-up']>): Promise<Page> {
    return {
      name: 'step-up',
      locals: {
        app: visit.app,
        email: accountOf(visit).email,
        ...(visit.action === undefined ? {} : { about: aboutAction(visit.action) }),
        ...own,
        ...(step.ways.includes('passkey') ? { passkey: await passkey(true) } : {}),
        ...(step.ways.includes('recovery') ? { recoveryUrl: show('recovery') } : {}),
        ...(step.ways.includes('set-up-again') ? { setUpAgain: to('set-up-again') } : {}),
        ...(step.ways.includes('cannot-use-passkey') ? { cantUse: to('cannot-use-passkey') } : {}),
        ...sso,
        cancel: to('cancel'),
      },
    }
  }

  function ssoPage(): Page {
    return {
      name: 'sso',
      locals: {
        action: to('sso'),
        name: upstreamName(visit),
        email: progress.account?.email ?? '',
        app: visit.app,
        ...(stepUp ? { again: true } : {}),
        ...(visit.action === undefined ? {} : { about: aboutAction(visit.action) }),
        ...(step.ways.includes('use-password') ? { passwordAction: to('use-password') } : {}),
        ...(request.identity ? { anew: true } : {}),
        ...(step.kind === 'sso' ? {} : { localUrl: services.paths.interaction(visit.uid) }),
        ...(step.ways.includes('identify') ? { otherUrl: show('identify') } : {}),
        ...failed,
      },
    }
  }

  function mailedCodePage(enter: Way, send: Way): Page {
    return {
      name: 'mailed-code',
      locals: {
        action: to(enter),
        email: accountOf(visit).email,
        resend: to(send),
        ...mailed(enter),
      },
    }
  }

  function lockedOut(): { lockedOutUrl?: string } {
    return step.ways.includes('ask-admin') ? { lockedOutUrl: show('ask-admin') } : {}
  }

  async function lockedOutPage(shown: Way): Promise<Page> {
    const { help, facts } = await helpNow(services, visit)
    const { supportAfterMs, supportWaitMs } = services.config
    const { openCase: open, askedAt, askedSince } = facts
    const state = open && caseState(open, visit.now)
    return {
      name: 'locked-out',
      locals: {
        email: accountOf(visit).email,
        help,
        ask: to('ask-admin'),
        send: to('send-case-code'),
        open: to('open-case'),
        admins: facts.otherAdminCount,
        waitHours: Math.ceil(supportWaitMs / HOUR),
        ...(help === 'asked' && askedAt !== null ? { askedAt } : {}),
        ...(help === 'asked' && askedSince !== null ? { caseFrom: askedSince + supportAfterMs } : {}),
        ...(mailboxProven(visit) ? { mailboxProven: true } : {}),
        ...(help === 'opened' && open !== undefined ? { openedAt: open.openedAt } : {}),
        ...(help === 'opened' && open !== undefined && state === 'waiting'
          ? { waitUntil: open.waitUntil }
          : {}),
        ...(help === 'opened' && state === 'link' && open?.linkUntil ? { linkUntil: open.linkUntil } : {}),
        ...(help === 'stopped' && facts.stoppedAt !== null
          ? { stopped: { at: facts.stoppedAt, until: facts.stoppedAt + STOPPED_MS } }
          : {}),
        ...forgotten(services, visit),
        codeUrl: show('otp'),
        ...(step.ways.includes('recovery') ? { recoveryUrl: show('recovery') } : {}),
        ...(shown === 'open-case' && error !== undefined && help === 'case' && mailboxProven(visit)
          ? { reasonError: error, reason: request.typed?.reason ?? '' }
          : failed),
      },
    }
  }

  /** What is said of a code that was typed, or of another that was asked for. */
  function mailed(enter: Way) {
    if (error !== undefined) return request.way === enter ? { error } : { resendError: error }
    return progress.codeMailedAgain ? { notice: texts.t('mailedCode.notice.sent') } : {}
  }

  async function emailPage(): Promise<Page> {
    const email = request.typed?.email ?? progress.account?.email ?? request.hint
    return {
      name: 'email',
      locals: {
        action: to('identify'),
        app: visit.app,
        ...(email === undefined ? {} : { email }),
        passkey: await passkey(false),
        ...besidePasskey,
      },
    }
  }
}

/** An action as a page shows it. */
export function aboutAction({ title, noun, objects, fields }: RequestedAction): ActionDetails {
  return {
    title,
    ...(noun === undefined ? {} : { noun }),
    objects,
    fields: Object.entries(fields).map(([name, value]) => ({ name, value })),
  }
}

function forgotten({ accounts, paths }: Services, { uid }: Visit): { forgotUrl?: string } {
  if (accounts.passwords === 'own') return { forgotUrl: paths.forgotPassword(uid) }
  const { forgotUrl } = accounts.passwords
  return forgotUrl === undefined ? {} : { forgotUrl }
}

function upstreamName({ upstream, step }: Visit): string {
  if (upstream === undefined) throw new Error(`step ${step.kind} without an upstream`)
  return upstream.name
}

function setupLocals({ keyring, config, texts, paths }: Services, visit: Visit) {
  const pending = visit.progress.setupKey
  if (pending === undefined) throw new Error('the setup page has no key')
  const secret = interactionSecrets(keyring, visit.uid).open('setup-key', pending.sealed)
  const uri = otpauthUri({ secret, issuer: config.productName, account: accountOf(visit).email })
  const { ways, putOffUntil } = visit.step
  const again = ways.includes('set-up-again')
  return {
    action: paths.interaction(visit.uid, 'set-up'),
    qr: qrSvg(uri, texts.t('setup.qr')),
    key: setupKey(secret),
    uri,
    ...(ways.includes('put-off') || again
      ? { notNow: putOffUntil === undefined ? {} : { until: putOffUntil } }
      : {}),
    ...stepsOf(visit),
  }
}

function shownRecoveryCode({ keyring }: Services, visit: Visit): { code: string; replaces: boolean } {
  const kept = visit.progress.recoveryCode
  if (kept === undefined) throw new Error('the recovery code page has no code')
  const code = interactionSecrets(keyring, visit.uid).open('recovery-code', kept.sealed).toString()
  return { code, replaces: kept.replaces }
}

/** The steps of a first login, where they are known to come. */
function stepsOf({ progress, account }: Visit): { steps?: readonly SetupStep[] } {
  const first = !progress.recoveryCode?.replaces && account?.authenticator === undefined
  const shown = first || progress.recoveryCode !== undefined
  if (!shown || progress.facts.some(each => each.factor === 'recovery')) return {}
  const offersPasskey = progress.platformAuthenticator === true && account?.passkeys === 0
  return { steps: ['authenticator', 'recoveryCode', ...(offersPasskey ? (['passkey'] as const) : [])] }
}
