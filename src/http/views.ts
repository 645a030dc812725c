/**
 * Law: a page is a template, compiled once, and its declared locals, nothing else; what people typed is only ever
 * text in it. Templates read `self.…` alone (no `with`), so that a local that nobody declared is found by
 * the type checker, in a test.
 * Left out: status codes, headers, and which page comes next.
 */
import { fileURLToPath } from 'node:url'
import pug from 'pug'
import type { Texts } from '../texts.ts'
import type { Assets } from './assets.ts'
import type { CommonLocals, ViewLocals, ViewName } from './locals.ts'

export type { ViewLocals, ViewName } from './locals.ts'

/** Pug's options for every template; the test that checks locals compiles with the same. */
export const templateOptions = { doctype: 'html', self: true, compileDebug: false } as const

/** The file of a view. */
export const templatePath = (name: string): string =>
  fileURLToPath(new URL(`../../views/${name}.pug`, import.meta.url))

type T = Texts['t']

/** The level-1 heading of each view, from which its title is made. Also the list of the views. */
const headings: { readonly [Name in ViewName]: (t: T, locals: ViewLocals[Name]) => string } = {
  email: t => t('email.heading'),
  sso: (t, { name, about }) =>
    about === undefined ? t('sso.heading', { name }) : t('stepUp.heading.action', { title: about.title }),
  password: t => t('password.heading'),
  setup: (t, { moves }) => t(moves ? 'setup.heading.moves' : 'setup.heading'),
  'recovery-code': t => t('recoveryCode.heading'),
  'passkey-offer': (t, { onThisDevice }) =>
    t(onThisDevice ? 'passkeyOffer.heading.thisDevice' : 'passkeyOffer.heading'),
  code: t => t('code.heading'),
  'step-up': (t, { about }) =>
    about === undefined ? t('stepUp.heading') : t('stepUp.heading.action', { title: about.title }),
  'passkey-first': t => t('passkeyFirst.heading'),
  'mailed-code': t => t('mailedCode.heading'),
  recovery: t => t('recovery.heading'),
  'locked-out': t => t('lockedOut.heading'),
  'set-up-again': t => t('setUpAgain.heading'),
  'passkey-needed': t => t('passkeyNeeded.heading'),
  outside: t => t('outside.heading'),
  consent: (t, { app }) => t('consent.heading', { app }),
  error: (_, { heading }) => heading,
  logout: t => t('logout.heading'),
  'logged-out': t => t('loggedOut.heading'),
  'forgot-password': t => t('forgotPassword.heading'),
  'mail-sent': t => t('mailSent.heading'),
  'new-password': (t, { organisation }) =>
    t(organisation === undefined ? 'newPassword.heading.reset' : 'newPassword.heading.invitation'),
  'password-changed': (t, { first }) => t(first ? 'passwordSet.heading' : 'passwordChanged.heading'),
  'link-used': t => t('linkUsed.heading'),
  'support-cases': t => t('support.heading'),
  'support-case': (t, { number, name }) => t('support.case.heading', { number, name }),
  'support-stop': t => t('supportStop.heading'),
  'support-stopped': t => t('supportStopped.heading'),
  'support-set-up': t => t('supportSetUp.heading'),
  'support-ready': t => t('supportReady.heading'),
  unblock: t => t('unblock.heading'),
  unblocked: t => t('unblocked.heading'),
  lock: t => t('lock.heading'),
  locked: t => t('locked.heading'),
  'email-link': (_, { heading }) => heading,
  'first-run': t => t('firstRun.heading'),
  'first-run-done': (t, { organisation }) => t('firstRunDone.heading', { organisation }),
  'host-mismatch': t => t('hostMismatch.heading'),
  'not-found': t => t('notFound.heading'),
  account: (_, { name }) => name,
  'account-activity': t => t('account.tab.activity'),
  'account-apps': t => t('account.tab.apps'),
  'account-confirm': (_, { question }) => question,
  'account-passkey-name': (t, { before }) => t('accountPasskey.rename', { passkey: before }),
  'account-passkey-new': t => t('account.passkeys.add'),
  'account-email': t => t('accountEmail.heading'),
  'account-name': t => t('accountName.heading'),
  'account-password': t => t('accountPassword.heading'),
  'account-sessions': t => t('account.tab.sessions'),
  'admin-invitations': t => t('users.heading'),
  'admin-help': t => t('help.heading'),
  'admin-invite': t => t('invite.heading'),
  'admin-user': (_, { name }) => name,
  'admin-user-change': (_, { question }) => question,
  'admin-users': t => t('users.heading'),
  'admin-access': t => t('access.heading'),
  'admin-actions': t => t('actions.heading'),
  'admin-action': (t, { title }) => t('actions.change.heading', { title }),
  'admin-sso': t => t('connections.heading'),
  'admin-sso-new': t => t('connection.new.heading'),
  'admin-sso-provider': (_, { name }) => name,
  'admin-sso-test': (t, { name }) => t('testLogin.heading', { name }),
  'admin-sso-domain-new': t => t('domain.new.heading'),
  'admin-sso-domain': (_, { domain }) => domain,
  'admin-sso-break-glass': t => t('breakGlass.heading'),
  'admin-coverage': t => t('coverage.heading'),
  'admin-sessions': t => t('sessions.heading'),
  'admin-audit': t => t('audit.heading'),
  'admin-reset': (t, { count }) => (count === 0 ? t('reset.heading.none') : t('reset.heading', { count })),
  'admin-reset-result': (t, { waiting, total }) =>
    waiting === 0 ? t('reset.finished') : t('reset.running', { done: total - waiting, total }),
}

/** Every view, by name. */
export const viewNames = Object.keys(headings) as readonly ViewName[]

interface Wrong {
  error?: string
  resendError?: string
  reasonError?: string
  noteError?: string
  evidenceError?: string
  passkey?: { error?: string }
  errors?: Record<string, string | undefined>
}
const isWrong = (locals: object): boolean => {
  const { error, resendError, reasonError, noteError, evidenceError, passkey, errors = {} }: Wrong = locals
  const own = [error, resendError, reasonError, noteError, evidenceError]
  return [...own, passkey?.error, ...Object.values(errors)].some(Boolean)
}

export interface ViewsOptions {
  /** The default catalogue; `render` takes another for a user of another language. */
  readonly texts: Texts
  readonly assets: Assets
  /** Shown in the foot of every page, where given. */
  readonly links?: CommonLocals['links']
}

export interface Views {
  /** A whole HTML document. */
  render<Name extends ViewName>(
    name: Name,
    locals: ViewLocals[Name] & Pick<CommonLocals, 'cancel' | 'back' | 'signals'>,
    texts?: Texts,
  ): string
}

/**
 * Templates are compiled when they are first shown: a start waits for none of them. (The tests show them all.)
 */
export const createViews = ({ texts: standard, assets, links = {} }: ViewsOptions): Views => {
  const templates = new Map<ViewName, pug.compileTemplate>()
  const compiled = (name: ViewName): pug.compileTemplate => {
    const template = templates.get(name) ?? pug.compileFile(templatePath(name), templateOptions)
    templates.set(name, template)
    return template
  }
  return {
    render(name, locals, texts = standard) {
      const template = compiled(name)
      const heading = headings[name](texts.t, locals)
      const product = texts.t('product')
      const common: CommonLocals = {
        lang: texts.locale,
        heading,
        title: texts.t(isWrong(locals) ? 'page.title.error' : 'page.title', { heading, product }),
        t: texts.t,
        rich: texts.rich,
        utc: texts.utc,
        assets: assets.url,
        links,
      }
      return template({ ...locals, ...common })
    },
  }
}
