// What mails say. One template a mail (`views/mail/*.pug`), rendered twice from the same words: as HTML and as plain
// text. A template reads its declared locals alone; anything else throws, when the tests render it. Links are made
// here from the configured origin, never from a request (a poisoned Host header reaches no mail), and hold a token
// that works once. Leaves out when a mail is sent, and how.

import { fileURLToPath } from 'node:url'
import pug from 'pug'
import { createPaths, type LinkKind } from '../paths.ts'
import { noPlaces, type Places } from '../places.ts'
import { CONFIRM_MS, PUT_BACK_MS } from '../store/accounts/email-changes.ts'
import { LIFETIME_MS } from '../store/accounts/emailed-tokens.ts'
import type { TextKey, Texts, TextValues } from '../texts.ts'
import { LOCK_LINK_MS } from './lock-link.ts'

/** What was done: the user's name, when (milliseconds since 1970) and from which IP address. */
interface Deed {
  readonly name: string
  readonly at: number
  readonly address: string
}

/** What whoever sends a mail must say, by template. Tokens and codes in the clear: contents are sealed at rest. */
export interface MailContents {
  /** `invitedBy` is null where the operator made the account. */
  invitation: {
    readonly name: string
    readonly organisation: string
    readonly invitedBy: string | null
    readonly token: string
    readonly at: number
  }
  'password-reset': Deed & { readonly token: string }
  unblock: Deed & { readonly token: string }
  'passwords-stopped': Deed
  /** Six digits. */
  code: Deed & { readonly code: string }
  'authenticator-set-up': Deed
  /** `passkey` is its name. */
  'passkey-added': Deed & { readonly passkey: string }
  /** The same, where the browser made it by itself. */
  'passkey-upgraded': Deed & { readonly passkey: string }
  /** `passkey` is its name. */
  'passkey-refused': Deed & { readonly passkey: string }
  /** `passkey` is its name, `by` the admin's, empty for the operator; `last`: it was the only factor. */
  'passkey-removed': {
    readonly name: string
    readonly passkey: string
    readonly by: string
    readonly last: boolean
    readonly at: number
  }
  /** By its owner; `passkey` is its name. */
  'own-passkey-removed': Deed & { readonly passkey: string }
  /** `passkey` is its name, `before` what it was called. */
  'passkey-renamed': Deed & { readonly passkey: string; readonly before: string }
  'recovery-code-used': Deed
  'recovery-code-made': Deed
  'password-changed': Deed
  /** `name` is what the account was called before. */
  'name-changed': Deed & { readonly newName: string }
  /** `provider` is the connection's name. */
  'sso-linked': Deed & { readonly provider: string }
  'account-locked': Deed
  /** To the new address, which may be a stranger's: it says nothing of whose account it is. */
  'email-change': { readonly token: string; readonly at: number }
  /** To the old address. */
  'email-change-ordered': Deed & { readonly newEmail: string; readonly token: string }
  /** To the old address. */
  'email-changed': Deed & { readonly newEmail: string; readonly token: string }
  /** To who has an address that somebody else asked for. */
  'email-taken': { readonly name: string; readonly at: number }
  /** To both addresses. */
  'email-put-back': Deed & { readonly oldEmail: string }
  /** `by` is the admin's name, empty for the operator. */
  'second-factor-reset': {
    readonly name: string
    readonly at: number
    readonly by: string
    readonly removePasskeys: boolean
  }
  /** To an admin: `user` and `account` are the name and address of whoever asks, `userId` leads to their page. */
  'help-asked': Deed & { readonly user: string; readonly account: string; readonly userId: string }
  /**
   * A step of a support case; `account` is the address that the account has, which may be another by now than the
   * recipient's, `stop` the token of the link that ends it, `until` when the wait is over.
   */
  'support-case': {
    readonly name: string
    readonly account: string
    readonly step: 'opened' | 'wait' | 'first' | 'link'
    readonly at: number
    readonly stop: string
    readonly until: number | null
    readonly address: string | null
  }
  /** The link that opens set-up again, and the one that ends the case. */
  'support-set-up': {
    readonly name: string
    readonly token: string
    readonly stop: string
    readonly at: number
  }
  'support-case-ended': {
    readonly name: string
    readonly account: string
    readonly why: 'stopped' | 'closed' | 'logged_in' | 'account_changed' | 'expired'
    readonly at: number
  }
}

export type MailName = keyof MailContents

/** Mails that tell an account's owner what was done: each has a link to lock the account. */
export const NOTICES = [
  'code',
  'authenticator-set-up',
  'passkey-added',
  'passkey-upgraded',
  'passkey-refused',
  'passkey-removed',
  'own-passkey-removed',
  'passkey-renamed',
  'recovery-code-used',
  'recovery-code-made',
  'password-changed',
  'name-changed',
  'sso-linked',
  'second-factor-reset',
] as const satisfies readonly MailName[]
export type Notice = (typeof NOTICES)[number]

/** When what a mail offers stops working, milliseconds since 1970; undefined: it offers nothing. */
export function expiryOf<Name extends MailName>(
  name: Name,
  contents: MailContents[Name],
): number | undefined {
  return Object.hasOwn(LASTS_MS, name) ? contents.at + (LASTS_MS[name] ?? 0) : undefined
}

const LASTS_MS: Partial<Record<MailName, number>> = {
  ...LIFETIME_MS,
  'email-change': CONFIRM_MS,
  // Whenever it is confirmed.
  'email-change-ordered': CONFIRM_MS + PUT_BACK_MS,
  'email-changed': PUT_BACK_MS,
}

/** Links of another name than their mail. */
const LINKS: Partial<Record<MailName, LinkKind>> = {
  'email-change-ordered': 'email-stop',
  'email-changed': 'email-stop',
}

type T = Texts['t']

/** The subject of each mail, which is its heading too. Also the list of the mails. */
const subjects: { readonly [Name in MailName]: (t: T, contents: MailContents[Name]) => string } = {
  invitation: (t, { organisation }) => t('mail.invitation.subject', { organisation }),
  'password-reset': t => t('mail.passwordReset.subject'),
  unblock: t => t('mail.unblock.subject'),
  'passwords-stopped': t => t('mail.passwordsStopped.subject'),
  code: t => t('mail.code.subject'),
  'authenticator-set-up': t => t('mail.authenticatorSetUp.subject'),
  'passkey-added': t => t('mail.passkeyAdded.subject'),
  'passkey-upgraded': t => t('mail.passkeyAdded.subject'),
  'passkey-refused': t => t('mail.passkeyRefused.subject'),
  'passkey-removed': t => t('mail.passkeyRemoved.subject'),
  'own-passkey-removed': t => t('mail.ownPasskeyRemoved.subject'),
  'passkey-renamed': t => t('mail.passkeyRenamed.subject'),
  'recovery-code-used': t => t('mail.recoveryCodeUsed.subject'),
  'recovery-code-made': t => t('mail.recoveryCodeMade.subject'),
  'password-changed': t => t('mail.passwordChanged.subject'),
  'name-changed': t => t('mail.nameChanged.subject'),
  'sso-linked': t => t('mail.ssoLinked.subject'),
  'account-locked': t => t('mail.accountLocked.subject'),
  'email-change': t => t('mail.emailChange.subject'),
  'email-change-ordered': t => t('mail.emailChangeOrdered.subject'),
  'email-changed': t => t('mail.emailChanged.subject'),
  'email-taken': t => t('mail.emailTaken.subject'),
  'email-put-back': t => t('mail.emailPutBack.subject'),
  'second-factor-reset': t => t('mail.secondFactorReset.subject'),
  'help-asked': (t, { user }) => t('mail.helpAsked.subject', { user }),
  'support-case': (t, { step }) => t(`mail.supportCase.${step}.subject`),
  'support-set-up': t => t('mail.supportSetUp.subject'),
  'support-case-ended': t => t('mail.supportCaseEnded.subject'),
}

/** Every mail, by name. */
export const mailNames = Object.keys(subjects) as readonly MailName[]

/** What is added to each mail's own contents. */
export interface MailLocals {
  readonly lang: string
  readonly subject: string
  readonly product: string
  /** Where the product lives, for the foot. */
  readonly host: string
  /** The recipient. */
  readonly email: string
  /** Whether it says whom it is for by name. */
  readonly greeted: boolean
  /** For mails with a token. */
  readonly link: string | undefined
  /** For mails about a support case: ends it. */
  readonly stopLink: string | undefined
  /** For mails about a user of whoever gets them. */
  readonly userLink: string | undefined
  /** For mails with a token or a code. */
  readonly expiresAt: number | undefined
  /** Where its owner locks the account, and until when: for notices, where accounts can be locked. */
  readonly lock: { readonly url: string; readonly until: number } | undefined
  /** For mails that name an address: roughly where that is, if it is known. */
  readonly place: string | undefined
  /** Plain text instead of HTML. */
  readonly plain: boolean
  t(key: TextKey, values?: TextValues): string
  rich: Texts['rich']
  utc: Texts['utc']
}

export interface RenderedMail {
  readonly subject: string
  readonly text: string
  readonly html: string
}

export interface MailTemplates {
  /** @param lockToken of a link to lock the account */
  render<Name extends MailName>(
    name: Name,
    to: string,
    contents: MailContents[Name],
    lockToken?: string,
  ): RenderedMail
}

/**
 * Templates are compiled when they are first sent: a start waits for none of them.
 *
 * @param options.issuer as configured: links are made of it alone
 * @param options.product default: the catalogue's "product"
 * @param options.places where addresses are; default: at no place
 */
export function createMailTemplates(options: {
  texts: Texts
  issuer: string
  product?: string
  places?: Places
}): MailTemplates {
  const { texts, issuer, places = noPlaces } = options
  const paths = createPaths(issuer)
  const product = options.product ?? texts.t('product')
  const folder = new URL('../../views/mail/', import.meta.url)
  const templates = new Map<MailName, pug.compileTemplate>()
  const compiled = (name: MailName): pug.compileTemplate => {
    const template =
      templates.get(name) ??
      pug.compileFile(fileURLToPath(new URL(`${name}.pug`, folder)), {
        doctype: 'html',
        self: true,
        compileDebug: false,
      })
    templates.set(name, template)
    return template
  }
  return {
    render(name, to, given, lockToken) {
      const template = compiled(name)
      const contents = inOneLine(given)
      const subject = inOneLine({ subject: subjects[name](texts.t, contents) }).subject
      const locals: Omit<MailLocals, 'plain'> = {
        lang: texts.locale,
        subject,
        product,
        host: new URL(issuer).host,
        email: to,
        greeted: 'name' in contents,
        link: 'token' in contents ? paths.link(LINKS[name] ?? (name as LinkKind), contents.token) : undefined,
        stopLink: 'stop' in contents ? paths.link('support-stop', contents.stop) : undefined,
        userLink: 'userId' in contents ? `${paths.origin}${paths.admin}/users/${contents.userId}` : undefined,
        expiresAt: expiryOf(name, contents),
        lock:
          lockToken === undefined
            ? undefined
            : { url: paths.link('lock', lockToken), until: contents.at + LOCK_LINK_MS },
        place: 'address' in contents ? places.of(contents.address, texts) : undefined,
        t: texts.t,
        rich: texts.rich,
        utc: texts.utc,
      }
      const shown = (plain: boolean): string => template(declared({ ...contents, ...locals, plain }))
      return { subject, html: shown(false), text: `${shown(true).trim()}\n` }
    },
  }
}

/** Names are other people's words: no line of theirs may look like one of ours. */
function inOneLine<Contents extends object>(contents: Contents): Contents {
  const tidy = Object.entries(contents).map(([key, value]) => [
    key,
    typeof value === 'string' ? value.replace(/[\s\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim() : value,
  ])
  return Object.fromEntries(tidy) as Contents
}

/** Locals that answer only for what they have; a template's slip is an error, not a gap in a mail. */
function declared(locals: object): object {
  return new Proxy(locals, {
    get(target, key, receiver) {
      if (!Reflect.has(target, key)) throw new Error(`a mail reads the undeclared local "${String(key)}"`)
      return Reflect.get(target, key, receiver)
    },
  })
}
