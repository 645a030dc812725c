/**
 * Law: what a page may show is declared here, view by view; a template that reads anything else fails a test.
 * Texts are in the user's language already (`Texts.t`), addresses are complete or start with `/`, moments are
 * milliseconds since the epoch. `error` is what just went wrong, in a sentence that says what to do; it marks the
 * field and starts the title with "Error:". Never put a password or a code that was typed back into a page.
 * Left out: headings, labels and everything else that the catalogue knows.
 */
import type { ConnectionField } from '../organisations/sso-settings.ts'
import type { TextKey, TextPart, TextValues } from '../texts.ts'

/** A passkey ceremony: where its answer goes (field `response`, JSON), and its options. */
export interface PasskeyForm {
  readonly action: string
  /** PublicKeyCredentialRequestOptionsJSON or …CreationOptionsJSON, as a JSON string. */
  readonly options: string
  readonly error?: string
}

/** The steps of a first login that are known to come, in order; the page marks its own. */
export type SetupStep = 'authenticator' | 'recoveryCode' | 'passkey'

/** A line of what an app will be able to do. */
export interface ConsentItem {
  readonly icon?: 'user' | 'mail' | 'building' | 'clock' | 'key' | 'shield' | 'list'
  readonly text: string
  readonly hint?: string
}

/** What a user is asked to confirm. All of it is the app's words, and plain text. */
/** The identity provider of the user's organisation, beside another way. The form posts nothing. */
export interface SsoWay {
  readonly action: string
  readonly name: string
}

export interface ActionDetails {
  /** `delete 14 devices at Acme` */
  readonly title: string
  /** What the objects are called: `devices`. */
  readonly noun?: string
  readonly objects: readonly string[]
  readonly fields: readonly { readonly name: string; readonly value: string }[]
}

/** What is around every page of the console. */
export interface ConsoleFrame {
  readonly home: string
  /** What the sections are about; default: Users and security. */
  readonly area?: string
  readonly sections: readonly {
    readonly text: string
    readonly icon: 'shield' | 'list' | 'key' | 'lock' | 'clock' | 'lifebuoy' | 'building'
    readonly href: string
    readonly current: boolean
  }[]
  /** Who looks. */
  readonly name: string
  readonly initials: string
  readonly organisation: string
  readonly accountUrl?: string
  readonly logoutUrl?: string
}

/** What is around every page of one's own account. */
export interface AccountFrame {
  /** The overview. */
  readonly home: string
  /** For an admin. */
  readonly consoleUrl?: string
  /** For a support agent. */
  readonly supportUrl?: string
  readonly logoutUrl?: string
}

/** A filter that is a link. `count` is spelled: "1,240", or "10,000+". */
export interface Chip {
  readonly text: string
  readonly count?: string
  readonly href: string
  readonly current: boolean
}

/** Where something stands, in a word. */
export interface Badge {
  readonly kind: 'ok' | 'warn' | 'bad' | 'plain'
  readonly text: string
}

/** A page of the same section. `count`: how many it lists, spelled. */
export interface Tab {
  readonly text: string
  readonly count?: string
  readonly href: string
  readonly current: boolean
}

/** Something that can be done about a user: a link to where it is confirmed, or a form that leads there. */
export interface UserAction {
  readonly text: string
  readonly hint: string
  readonly href?: string
  readonly post?: string
  /** The one that the page is opened for most. */
  readonly primary?: boolean
}

/** What an organisation may make of an action's rule; `app`: what its app demands, and nothing beyond. */
export type RuleChoice = 'app' | 'within' | 'always' | 'passkey'

export interface SortedColumn {
  readonly text: string
  readonly href: string
  readonly sort?: 'ascending' | 'descending'
}

/** The locals of each view, by the name of its template in `views/`. */
export interface ViewLocals {
  /** Posts `email` and `webauthn` (platform, none, or empty without script). */
  email: {
    readonly action: string
    readonly app?: string
    readonly email?: string
    readonly error?: string
    readonly passkey?: PasskeyForm
  }
  /** Posts `anew`, or nothing to `passwordAction`. */
  sso: {
    readonly action: string
    /** Of the connection. */
    readonly name: string
    readonly email: string
    readonly app: string
    /** In a session: the user is asked once more. */
    readonly again?: true
    readonly about?: ActionDetails
    readonly passwordAction?: string
    /** Who they are there came to nothing: they are to be asked. */
    readonly anew?: true
    /** What the user has set up here will do as well. */
    readonly localUrl?: string
    readonly otherUrl?: string
    readonly error?: string
    readonly cancel?: string
  }
  /** Posts `password`, `username` (the email again, for password managers; don't trust it) and `webauthn`. */
  password: {
    readonly action: string
    readonly email: string
    readonly editUrl: string
    /** Absent where a host knows the passwords and has no page for it. */
    readonly forgotUrl?: string
    /** Posts nothing. */
    readonly sso?: SsoWay
    /** That the password links the account to its user there. */
    readonly linking?: string
    readonly error?: string
  }
  /** Posts `code`, or `later=yes`. */
  setup: {
    readonly action: string
    /** SVG by the `qrcode` package, made here; shown as it is. */
    readonly qr: string
    /** Base32 in groups of four, with spaces. */
    readonly key: string
    /** `otpauth:` URI, for the phone that this page is open on. */
    readonly uri: string
    /** Whether the key shows at once: on a phone nobody can scan its own screen. */
    readonly openKey: boolean
    readonly error?: string
    /** It takes the place of an authenticator that is on. */
    readonly moves?: boolean
    readonly notice?: string
    /** Where it may be put off: until when, if there is an end to it. */
    readonly notNow?: { readonly until?: number }
    readonly steps?: readonly SetupStep[]
  }
  /** Posts `saved=yes`, or nothing when the box is not ticked. */
  'recovery-code': {
    readonly action: string
    /** Groups of four with hyphens: "K7QM-4TXD-…". */
    readonly code: string
    /** The code before this one was used just now. */
    readonly replaces?: boolean
    /** Its user asked for a new one. */
    readonly asked?: boolean
    readonly error?: string
    readonly steps?: readonly SetupStep[]
  }
  /** Posts `response`, or `later=yes`. */
  'passkey-offer': {
    readonly action: string
    readonly options: string
    /** Where the browser may make one by itself, without a word; what comes of it is posted there as `response`. */
    readonly upgrade?: PasskeyForm
    /** They came by a passkey of another device. */
    readonly onThisDevice?: boolean
    readonly error?: string
    readonly steps?: readonly SetupStep[]
  }
  /** Posts `code`; the passkey's form posts `response`. */
  code: {
    readonly action: string
    /** The name under which the account stands in the authenticator app. */
    readonly product: string
    /** Where the account has a recovery code. */
    readonly recoveryUrl?: string
    readonly error?: string
    readonly notice?: string
    readonly passkey?: PasskeyForm
    /** Posts `answer=yes`: after a recovery code, where the app wants a second factor all the same. */
    readonly setUpAgain?: string
    /** For whoever has lost all of it. */
    readonly lockedOutUrl?: string
    readonly sso?: SsoWay
  }
  /**
   * Posts `code` to `codeAction`, or nothing to `confirmAction`; the passkey's form posts `response`. One of the three is
   * the page's primary action.
   */
  'step-up': {
    readonly app: string
    readonly email: string
    /** Absent where the app only wants to know that it is this user. */
    readonly about?: ActionDetails
    readonly codeAction?: string
    readonly confirmAction?: string
    readonly passkey?: PasskeyForm
    readonly recoveryUrl?: string
    /** Posts `answer=yes`, as on the page for a code. */
    readonly setUpAgain?: string
    /** Posts nothing, as on the page for a passkey. */
    readonly cantUse?: string
    readonly sso?: SsoWay
    readonly error?: string
    readonly cancel: string
  }
  /** Posts `response` to the passkey's action, or nothing to `cantUse`, where there is another way. */
  'passkey-first': { readonly passkey: PasskeyForm; readonly cantUse?: string; readonly sso?: SsoWay }
  /** Posts `code`, or nothing to `resend`. */
  'mailed-code': {
    readonly action: string
    readonly email: string
    readonly resend: string
    readonly error?: string
    /** Why no other code was sent. */
    readonly resendError?: string
    readonly notice?: string
  }
  /** Posts `code`. */
  recovery: {
    readonly action: string
    readonly codeUrl: string
    readonly lockedOutUrl?: string
    readonly error?: string
  }
  /** Posts nothing to `ask` or `send`, `reason` to `open`; one of them is there, or nothing is left to do. */
  'locked-out': {
    readonly email: string
    readonly help: 'ask' | 'asked' | 'case' | 'opened' | 'stopped'
    readonly ask: string
    readonly send: string
    readonly open: string
    /** How many other admins there are. */
    readonly admins: number
    readonly askedAt?: number
    /** When a support case can be opened, if no admin helps. */
    readonly caseFrom?: number
    /** How long a case waits at least. */
    readonly waitHours: number
    readonly mailboxProven?: boolean
    readonly reason?: string
    readonly reasonError?: string
    readonly openedAt?: number
    /** Until when nobody decides, while that is ahead; and until when the link works, once it is sent. */
    readonly waitUntil?: number
    readonly linkUntil?: number
    /** When a case was stopped, and from when on another can be opened with the same password. */
    readonly stopped?: { readonly at: number; readonly until: number }
    /** Where a new password is set. */
    readonly forgotUrl?: string
    readonly codeUrl: string
    readonly recoveryUrl?: string
    readonly error?: string
  }
  /** Posts `answer=yes|no`. */
  'set-up-again': { readonly action: string }
  /** Posts nothing; the answer goes back to the app. */
  'passkey-needed': { readonly action: string; readonly app?: string }
  /** Posts nothing, or the hidden `answer`; the answer goes back to the app. */
  outside: {
    readonly action: string
    readonly answer?: string
    /** Of the browser. */
    readonly address: string
    readonly app: string
    /** Where somebody else logs in. */
    readonly otherUrl?: string
  }
  /** Posts `answer=allow|deny`. */
  consent: {
    readonly action: string
    readonly app: string
    readonly email: string
    readonly host: string
    readonly scopes: readonly ConsentItem[]
    readonly about?: ActionDetails
  }
  error: {
    readonly heading: string
    readonly text: string
    /** "SP-7F3K-92QD". */
    readonly reference?: string
    readonly time: number
    /** The login, where it waits. */
    readonly goOn?: string
    /** Where the app begins a login. */
    readonly startAgain?: string
    readonly backTo?: { readonly name: string; readonly url: string }
    /** Seconds. */
    readonly retryAfter?: number
  }
  /** The library's form (its `op.logoutForm` with the xsrf field), shown as it is. */
  logout: { readonly formHtml: string; readonly app?: string }
  'logged-out': { readonly app?: string; readonly accountUrl?: string }
  /** Posts `email`. */
  'forgot-password': {
    readonly action: string
    /** Minutes that the link will work. */
    readonly minutes: number
    readonly email?: string
    readonly error?: string
    readonly backUrl?: string
  }
  'mail-sent': { readonly email: string; readonly backUrl?: string }
  /** Posts `password` (and `username`, see there). Opened from a mail, so it loads no script. */
  'new-password': {
    readonly action: string
    readonly email: string
    /** The fewest characters that the organisation's passwords may have. */
    readonly minimum: number
    /** Given for an invitation, absent for a forgotten password. */
    readonly organisation?: string
    readonly error?: string
  }
  'password-changed': {
    /** The first password of an invited user. */
    readonly first?: boolean
    readonly accountUrl?: string
  }
  /** Always the same: a link that was used, is too old, was replaced or never existed. */
  'link-used': Record<never, never>
  'support-cases': {
    readonly frame: ConsoleFrame
    readonly filters: readonly Chip[]
    readonly cases: readonly {
      readonly number: string
      readonly href: string
      readonly name: string
      readonly organisation: string
      readonly badge: Badge
      readonly openedAt: number
      /** While that is ahead. */
      readonly waitUntil?: number
    }[]
    readonly olderUrl?: string
  }
  /** Posts `evidence` for each one ticked, `note` and `answer=approve|close`; or `pending` alone. */
  'support-case': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly number: string
    readonly name: string
    readonly badge: Badge
    readonly steps: readonly { readonly text: string; readonly done: boolean; readonly current: boolean }[]
    readonly action: string
    /** Absent where whoever looks may not approve now. */
    readonly approve?: {
      /** Absent for the second approval. */
      readonly evidence?: readonly {
        readonly value: string
        readonly text: string
        readonly hint: string
        readonly ticked: boolean
      }[]
      /** What follows. */
      readonly what: string
      /** A second agent decides next. */
      readonly passOn: boolean
    }
    readonly close?: boolean
    /** Why it can't be approved now. */
    readonly why?: string
    readonly about: {
      readonly email: string
      readonly organisation: string
      readonly role: string
      readonly admins: number
      readonly passkeys: number
      readonly lastLoginAt?: number
    }
    readonly reason: string
    /** What the first agent has seen. */
    readonly seen?: { readonly by: string; readonly evidence: readonly string[]; readonly note: string }
    readonly events: readonly { readonly at: number; readonly text: string; readonly note?: string }[]
    readonly note?: string
    readonly noteError?: string
    readonly evidenceError?: string
    readonly error?: string
    /** It was sent without a fresh factor, and has to be sent once more: its id, and what the button says. */
    readonly waiting?: { readonly id: string; readonly text: string }
  }
  /** Posts nothing. */
  'support-stop': { readonly action: string; readonly email: string; readonly openedAt: number }
  'support-stopped': { readonly forgotUrl: string }
  /** Posts `password` (and `username`, see there), and `passkeys=remove`. Opened from a mail, so it loads no script. */
  'support-set-up': {
    readonly action: string
    readonly email: string
    readonly passkeys: number
    readonly error?: string
  }
  'support-ready': { readonly email: string; readonly accountUrl?: string }
  /** Posts nothing. */
  unblock: { readonly action: string; readonly email: string }
  unblocked: { readonly accountUrl?: string }
  /** Posts nothing. */
  lock: { readonly action: string; readonly email: string }
  locked: { readonly newPasswordUrl: string }
  /** Behind the links of a change of address. Posts nothing. */
  'email-link': {
    readonly heading: string
    readonly lead: string
    /** What happens, each a sentence. */
    readonly effects: readonly string[]
    readonly button?: { readonly text: string; readonly action: string }
    readonly onward?: { readonly text: string; readonly url: string }
  }
  /** Posts `organisation`, `name`, `email`, `password`. */
  'first-run': {
    readonly action: string
    readonly minimum: number
    readonly values?: { readonly organisation?: string; readonly name?: string; readonly email?: string }
    readonly errors?: {
      readonly organisation?: string
      readonly name?: string
      readonly email?: string
      readonly password?: string
    }
  }
  'first-run-done': {
    readonly organisation: string
    readonly email: string
    readonly accountUrl?: string
  }
  'host-mismatch': {
    /** The host that was asked, as the browser sent it. */
    readonly asked: string
    readonly issuer: string
    /** The environment variable to change. */
    readonly variable: string
  }
  'not-found': Record<never, never>
  account: {
    readonly frame: AccountFrame
    /** The pages of an account; one alone needs none. */
    readonly tabs: readonly Tab[]
    readonly name: string
    readonly email: string
    /** Absent where names and addresses are a host’s. */
    readonly changeNameUrl?: string
    readonly changeEmailUrl?: string
    readonly organisation?: string
    readonly lastLoginAt?: number
    /** What was done last. */
    readonly notice?: string
    /** Absent where a host knows the passwords. */
    readonly passwordChange?: { readonly lastAt?: number; readonly url: string }
    /** The name of the identity provider that the account is linked to. */
    readonly sso?: string
    readonly authenticator?: { readonly setUpAt: number; readonly lastUsedAt?: number }
    /** Where it is moved to a new phone, or set up beside a passkey. */
    readonly authenticatorUrl?: string
    /** Where there is an authenticator. `savedAt`: its user said that it is saved. */
    readonly recoveryCode?: { readonly savedAt?: number; readonly newUrl: string }
    readonly passkeys: readonly {
      readonly name: string
      /** What the passkey says that it is of, unless that is its name. */
      readonly family?: string
      readonly synced: boolean
      readonly lastUsedAt?: number
      readonly renameUrl: string
      readonly removeUrl: string
    }[]
    readonly addPasskeyUrl: string
    /** Where there is no second factor: where it is set up, and from when on it is needed. */
    readonly setUpUrl?: string
    readonly dueAt?: number
    /** Somebody has opened a support case for this account. `stop` is posted nothing. */
    readonly supportCase?: { readonly openedAt: number; readonly stop: string }
  }
  'account-sessions': {
    readonly frame: AccountFrame
    readonly tabs: readonly Tab[]
    readonly notice?: string
    /** This one first. */
    readonly sessions: readonly {
      readonly device: string
      readonly phone: boolean
      readonly address?: string
      /** Roughly where that is. */
      readonly place?: string
      readonly loggedInAt: number
      readonly lastSeenAt: number
      /** Absent for this one. */
      readonly logOutUrl?: string
    }[]
    /** Where there are others. */
    readonly othersUrl?: string
    /** Some of these places are known. */
    readonly placed?: boolean
  }
  'account-apps': {
    readonly frame: AccountFrame
    readonly tabs: readonly Tab[]
    readonly notice?: string
    readonly apps: readonly {
      readonly name: string
      readonly since: number
      readonly loggedIn: boolean
      /** It needs no permission. */
      readonly firstParty: boolean
      readonly scopes: readonly ConsentItem[]
      readonly revokeUrl: string
    }[]
  }
  'account-activity': {
    readonly frame: AccountFrame
    readonly tabs: readonly Tab[]
    /** How far back it goes. */
    readonly days: number
    readonly events: readonly {
      readonly at: number
      readonly event: string
      readonly why?: string
      readonly factors?: string
      /** Who did it, if somebody else. */
      readonly by?: string
      readonly address?: string
    }[]
    /** Newer and older. */
    readonly pages: { readonly previous?: string; readonly next?: string }
  }
  /** Posts `response`, or `pending` alone. */
  'account-passkey-new': {
    readonly frame: AccountFrame
    readonly action: string
    readonly options: string
    /** The id of a passkey that was made, and waits for one more press. */
    readonly pending?: string
    /** Why there can't be another. */
    readonly refused?: string
    readonly error?: string
  }
  /** Posts `name`. */
  'account-passkey-name': {
    readonly frame: AccountFrame
    readonly action: string
    /** What the passkey is called. */
    readonly before: string
    /** What it is to be called. */
    readonly name: string
    readonly notice?: string
    readonly error?: string
  }
  /** Posts `email`. */
  'account-email': {
    readonly frame: AccountFrame
    readonly action: string
    readonly current: string
    /** What was typed. */
    readonly email?: string
    /** It waits for one more press. */
    readonly again?: boolean
    readonly error?: string
  }
  /** Posts `name`. */
  'account-name': {
    readonly frame: AccountFrame
    readonly action: string
    /** Who sees it. */
    readonly effect: string
    /** What was typed, or the name of now. */
    readonly name: string
    /** It waits for one more press. */
    readonly again?: boolean
    readonly error?: string
  }
  /** Posts `current`, `password` and `username` (see there). */
  'account-password': {
    readonly frame: AccountFrame
    readonly action: string
    readonly email: string
    /** The fewest characters that the organisation's passwords may have. */
    readonly minimum: number
    readonly forgotUrl: string
    /** It was sent, and its user has proven more since: it is typed again. */
    readonly again?: boolean
    readonly errors?: { readonly current?: string; readonly password?: string }
  }
  /** Posts `pending` alone, or nothing; or leads on by a link. */
  'account-confirm': {
    readonly frame: AccountFrame
    /** What is done, as a heading. */
    readonly question: string
    /** What happens, each a sentence. */
    readonly effects: readonly string[]
    /** What it says, and where it leads; absent: it can't be done. */
    readonly button?: {
      readonly text: string
      readonly post?: string
      readonly href?: string
      readonly danger?: boolean
    }
    /** Why it can't be done. */
    readonly refused?: string
    /** Another way. */
    readonly other?: { readonly text: string; readonly href: string }
    /** The page that it was come from; absent: the overview. */
    readonly list?: { readonly text: string; readonly href: string }
    /** The id of what was sent, and waits for one more press. */
    readonly pending?: string
    readonly error?: string
  }
  /** Rules are in words. */
  'admin-actions': {
    readonly frame: ConsoleFrame
    /** What was done just now. */
    readonly notice?: string
    readonly actions: readonly {
      readonly app: string
      readonly title: string
      readonly own: string
      readonly effective: string
      readonly tightened: boolean
      readonly href: string
    }[]
  }
  /** Posts `rule`, `minutes` and the hidden `seen`, or `pending` alone, to `action`. */
  'admin-action': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly action: string
    readonly app: string
    readonly title: string
    readonly own: string
    readonly effective: string
    /** The rule that holds, as it is stored. */
    readonly seen: string
    readonly chosen: RuleChoice
    /** Each where it is no laxer than the app's. */
    readonly within?: { readonly most: number; readonly minutes: string }
    readonly always?: boolean
    /** And how many users would be refused. */
    readonly passkey?: { readonly without: string }
    readonly error?: string
    readonly errors?: { readonly rule?: string; readonly minutes?: string }
    /** What was sent, and waits for one more press. */
    readonly waiting?: { readonly id: string; readonly rule: string }
  }
  /** Posts `addresses` and the hidden `seen`, or `pending` alone, to `action`. */
  'admin-access': {
    readonly frame: ConsoleFrame
    readonly action: string
    /** One address or range a line. */
    readonly addresses: string
    /** Names the list that holds. */
    readonly seen: string
    /** How many entries it has. */
    readonly count: number
    /** Of the browser. */
    readonly address: string
    /** What was done just now. */
    readonly notice?: string
    readonly error?: string
    readonly errors?: { readonly addresses?: string }
    /** What was sent, and waits for one more press. */
    readonly waiting?: { readonly id: string; readonly addresses: string }
  }
  'admin-sso': {
    readonly frame: ConsoleFrame
    /** Why nothing can be added. */
    readonly closed?: string
    /** What was done just now. */
    readonly notice?: string
    /** Absent where nothing can be added. */
    readonly addUrl?: string
    readonly providers: readonly {
      readonly name: string
      readonly href: string
      readonly protocol: string
      readonly status: Badge
      readonly domains: readonly string[]
    }[]
    readonly addDomainUrl?: string
    readonly domains: readonly {
      readonly domain: string
      readonly href: string
      readonly status: Badge
      /** Its provider's name. */
      readonly provider?: string
      readonly ssoOnly: boolean
    }[]
    readonly breakGlass: { readonly href: string; readonly count: number }
  }
  /** Posts `name` and `protocol`, or `pending` alone, to `action`. */
  'admin-sso-new': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly action: string
    readonly name: string
    readonly protocols: readonly {
      readonly value: string
      readonly text: string
      readonly hint: string
      readonly checked: boolean
    }[]
    readonly error?: string
    readonly errors?: { readonly name?: string; readonly protocol?: string }
    /** It was sent, and waits for one more press. */
    readonly waiting?: string
  }
  /** Posts the fields of the protocol and the hidden `seen`, or `pending` alone, to `action`. */
  'admin-sso-provider': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly action: string
    readonly name: string
    readonly protocol: 'entra' | 'oidc' | 'saml'
    readonly protocolName: string
    readonly status: Badge
    readonly closed?: string
    readonly notice?: string
    readonly error?: string
    /** Our addresses, to be copied. */
    readonly ours: readonly { readonly id: string; readonly text: string; readonly value: string }[]
    /** Of SAML, PEM. */
    readonly ourCertificate?: string
    readonly seen: string
    /** What is in the fields, by name; never a secret. */
    readonly values: Readonly<Partial<Record<ConnectionField, string>>>
    readonly errors?: Readonly<Partial<Record<ConnectionField, string>>>
    /** What says which upstream it is can't be changed any more. */
    readonly locked: boolean
    readonly hasSecret: boolean
    /** The certificates that are stored, and until when they are valid, milliseconds since 1970. */
    readonly certificates: readonly { readonly fingerprint: string; readonly until: number }[]
    /** It was sent, and waits for one more press. */
    readonly waiting?: string
    readonly domains: readonly { readonly domain: string; readonly href: string }[]
    /** `action` is absent where a test is not possible. */
    readonly test?: {
      readonly action?: string
      readonly kind: 'info' | 'success' | 'warning'
      readonly text?: string
    }
    /** Each leads to a page that asks; without `href`, why not is said. */
    readonly switches: readonly {
      readonly text: string
      readonly hint: string
      readonly href?: string
    }[]
    /** What the page is opened for most; `switch`: the first that is there. */
    readonly primary: 'save' | 'test' | 'switch'
  }
  'admin-sso-test': {
    readonly frame: ConsoleFrame
    readonly providerUrl: string
    readonly name: string
    /** Posts nothing, to test again. */
    readonly action: string
    readonly result: { readonly kind: 'success' | 'warning' | 'danger'; readonly text: string }
    /** What was wrong, from the protocol. */
    readonly detail?: string
    /** What the answer is worth here. */
    readonly means: readonly string[]
    readonly said: readonly { readonly text: string; readonly value: string }[]
    /** Milliseconds since 1970. */
    readonly authenticatedAt?: number
    readonly claims: readonly { readonly name: string; readonly value: string }[]
  }
  /** Posts `domain`, or `pending` alone, to `action`. */
  'admin-sso-domain-new': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly action: string
    readonly domain: string
    readonly error?: string
    readonly errors?: { readonly domain?: string }
    readonly waiting?: string
  }
  /** Two forms: one posts nothing, to check; one `provider` and `sso_only`. Or `pending` alone. */
  'admin-sso-domain': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly domain: string
    readonly status: Badge
    readonly closed?: string
    readonly notice?: string
    readonly error?: string
    /** What proves it, where it is not proven. */
    readonly record?: { readonly name: string; readonly value: string }
    /** Absent where it can't be checked. */
    readonly checkAction?: string
    /** The check was sent, and waits for one more press. */
    readonly checkWaiting?: string
    /** What DNS said just now. */
    readonly checked?: { readonly text: string; readonly found?: readonly string[] }
    readonly action: string
    /** Where it is proven. */
    readonly providers?: readonly {
      readonly value: string
      readonly text: string
      readonly checked: boolean
    }[]
    readonly ssoOnly: boolean
    readonly errors?: { readonly provider?: string; readonly ssoOnly?: string }
    /** What was sent, and waits for one more press. */
    readonly waiting?: { readonly id: string; readonly provider: string; readonly ssoOnly: boolean }
    readonly breakGlassUrl: string
    readonly removeUrl: string
  }
  /** Each form posts `user` and `named`, or `pending` alone, to `action`. */
  'admin-sso-break-glass': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly action: string
    readonly notice?: string
    readonly error?: string
    readonly closed?: string
    /** A domain is for single sign-on only. */
    readonly needed: boolean
    readonly admins: readonly {
      readonly id: string
      readonly name: string
      readonly email: string
      readonly standing: string
      readonly named: boolean
      /** Whether there is a button. */
      readonly changeable: boolean
    }[]
    /** What was sent, and waits for one more press. */
    readonly waiting?: { readonly id: string; readonly text: string }
  }
  'admin-coverage': {
    readonly frame: ConsoleFrame
    readonly tabs: readonly Tab[]
    /** Whole percent of users with a second factor, rounded down. */
    readonly percent: number
    readonly total: number
    /** `share` is in percent, and `start` the sum of those before; all together are 100, or 0 where there is nobody. */
    readonly parts: readonly {
      readonly kind: 'enrolled' | 'provider' | 'pending' | 'overdue' | 'reset'
      readonly text: string
      readonly hint: string
      readonly count: number
      readonly start: number
      readonly share: number
      readonly href: string
    }[]
    /** When enforcement begins, or began; absent without a subscription. */
    readonly enforcedFrom?: number
    readonly enforced?: boolean
  }
  /** Asks with `event`, `person`, `from`, `to`; days in UTC. */
  'admin-audit': {
    readonly frame: ConsoleFrame
    /** Whether the newest part of the log is as it was sealed. */
    readonly checked: {
      readonly kind: 'success' | 'info' | 'warning' | 'danger'
      readonly title: string
      readonly text: string
      /** What checks all of it. */
      readonly command: string
    }
    readonly action: string
    readonly choice: readonly {
      readonly label: string
      readonly events: readonly { readonly value: string; readonly text: string; readonly chosen: boolean }[]
    }[]
    readonly person: string
    readonly from: string
    readonly to: string
    /** All that the filter lets through, where there is any. */
    readonly files?: { readonly csv: string; readonly jsonl: string }
    /** No user is called what was typed; or more than one. */
    readonly nobody?: boolean
    readonly several?: {
      readonly people: readonly { readonly name: string; readonly email: string; readonly href: string }[]
      readonly more: boolean
    }
    readonly events: readonly {
      readonly at: number
      readonly event: string
      readonly why?: string
      readonly by?: { readonly name: string; readonly email?: string }
      /** Where it is somebody else. */
      readonly whom?: { readonly name: string; readonly email?: string }
      readonly address?: string
      readonly factors?: string
    }[]
    /** Newer and older. */
    readonly pages: { readonly previous?: string; readonly next?: string }
  }
  /** Posts `reason` and `passkeys=remove`, or `pending` alone, to `action`. */
  'admin-reset': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly action: string
    /** How many will be reset. */
    readonly count: number
    /** The admin who looks is among them. */
    readonly includesYou?: boolean
    readonly groups: readonly {
      readonly title: string
      readonly users: readonly {
        readonly name: string
        readonly initials: string
        readonly email: string
        readonly why?: string
      }[]
      /** "And 1,140 more". */
      readonly more?: string
    }[]
    /** All of them as CSV, where the page does not show all. */
    readonly moreUrl?: string
    readonly reason?: string
    readonly removePasskeys?: boolean
    readonly reasonError?: string
    readonly error?: string
    /** What was sent, and waits for one more press. */
    readonly waiting?: {
      readonly id: string
      readonly reason: string
      readonly removePasskeys: boolean
    }
  }
  'admin-reset-result': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly refreshUrl: string
    readonly csvUrl: string
    readonly reason: string
    readonly by: string
    readonly startedAt: number
    readonly total: number
    readonly done: number
    readonly skipped: number
    readonly waiting: number
    readonly users: readonly {
      readonly name: string
      readonly email: string
      readonly outcome: 'done' | 'skipped' | 'waiting'
      readonly why?: string
      /** What became of each app that they were logged in to. */
      readonly apps: readonly string[]
    }[]
    readonly pages: {
      readonly from: number
      readonly to: number
      readonly previous?: string
      readonly next?: string
    }
  }
  /** Each **Send again** posts nothing. */
  'admin-invitations': {
    readonly frame: ConsoleFrame
    readonly tabs: readonly Tab[]
    readonly inviteUrl: string
    readonly notice?: string
    readonly error?: string
    /** A form was sent without a fresh factor, and has to be sent once more. */
    readonly waiting?: boolean
    readonly invitations: readonly {
      readonly name: string
      readonly href: string
      readonly email: string
      readonly role: string
      readonly sentAt?: number
      /** Absent where the link works no more. */
      readonly expiresAt?: number
      readonly againAction: string
      readonly withdrawUrl: string
    }[]
    readonly pages: {
      readonly from: number
      readonly to: number
      readonly previous?: string
      readonly next?: string
    }
  }
  'admin-help': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly requests: readonly {
      readonly name: string
      readonly email: string
      readonly since: number
      readonly href: string
    }[]
  }
  /** Posts `name`, `email` and `role`. */
  'admin-invite': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly action: string
    readonly name: string
    readonly email: string
    readonly roles: readonly {
      readonly value: string
      readonly text: string
      readonly hint: string
      readonly checked: boolean
    }[]
    /** It was sent without a fresh factor, and has to be sent once more. */
    readonly waiting?: boolean
    readonly errors?: { readonly name?: string; readonly email?: string; readonly role?: string }
  }
  /** The button of **Reset 2FA** posts nothing. */
  'admin-user': {
    readonly frame: ConsoleFrame
    readonly listUrl: string
    readonly name: string
    readonly email: string
    readonly role: string
    readonly status: string
    readonly standing: 'set_up' | 'not_set_up' | 'reset_pending' | 'at_provider'
    readonly authenticator: boolean
    /** There is one, and its user said that it is saved. */
    readonly recoveryCode: boolean
    readonly lastLoginAt?: number
    /** It is the admin who looks. */
    readonly you?: boolean
    /** What was done just now. */
    readonly notice?: string
    /** The name of the identity provider that they are linked to. */
    readonly sso?: string
    /** Since when they ask for help, with nothing left but the password. */
    readonly helpSince?: number
    /** What is not taken from this user, because too many were wrong. */
    readonly blocked?: string
    /** Their address takes no mail: since when, and what the mail server said. */
    readonly bounce?: { readonly at: number; readonly reason: string }
    /** Why the last active admin stays one. */
    readonly lastAdmin?: string
    readonly passkeys: readonly {
      readonly name: string
      readonly createdAt: number
      readonly lastUsedAt?: number
      readonly removeUrl: string
    }[]
    readonly actions: readonly UserAction[]
    /** The one that was used last first; `current` is the one that looks at the page. */
    readonly sessions: readonly {
      readonly device: string
      readonly address?: string
      /** Roughly where that is. */
      readonly place?: string
      readonly current?: boolean
      readonly loggedInAt: number
      readonly lastSeenAt: number
    }[]
    /** Some of their places are known. */
    readonly placed?: boolean
    /** The newest first. */
    readonly events: ViewLocals['admin-audit']['events']
  }
  /** Posts `inactive` (hours) and `end` (days), or `pending` alone. */
  'admin-sessions': {
    readonly frame: ConsoleFrame
    readonly action: string
    /** What is in the fields; numbers, or what was typed. */
    readonly inactive: string
    readonly end: string
    readonly limits: { readonly inactive: readonly [number, number]; readonly end: readonly [number, number] }
    readonly errors?: { readonly inactive?: string; readonly end?: string }
    readonly error?: string
    /** What was done just now. */
    readonly notice?: string
    /** Why nothing can be chosen; the values are those that hold. */
    readonly closed?: string
    /** It was sent, and waits for one more press. */
    readonly waiting?: string
    readonly logOutUrl: string
    /** When everybody was logged out last. */
    readonly loggedOut?: { readonly at: number; readonly by: string; readonly running: boolean }
  }
  /** Posts the hidden fields, or `pending` alone. */
  'admin-user-change': {
    readonly frame: ConsoleFrame
    readonly userUrl: string
    readonly name: string
    /** A question that names the user and what is done. */
    readonly question: string
    readonly action: string
    readonly fields: readonly { readonly name: string; readonly value: string }[]
    /** What happens, each a part of one sentence. */
    readonly effects: readonly string[]
    /** What it means for the admin who looks, where it is about them. */
    readonly you?: string
    /** What the button says, and whether it takes something away; absent: it can't be done. */
    readonly button?: { readonly text: string; readonly danger: boolean }
    /** Why it can't be done. */
    readonly refused?: string
    readonly error?: string
    /** It was sent, and waits for one more press. */
    readonly waiting?: boolean
  }
  /** Posts the hidden fields, `user` for each one ticked, `page=yes` for all on the page. */
  'admin-users': {
    readonly frame: ConsoleFrame
    readonly tabs: readonly Tab[]
    readonly inviteUrl: string
    /** How many users ask for help, and where they are listed. */
    readonly asking?: { readonly count: number; readonly href: string }
    /** Where the organisation has no subscription: nobody has to have a second factor yet. */
    readonly noSubscription?: boolean
    readonly error?: string
    readonly search: {
      readonly action: string
      readonly q: string
      /** What a search leaves as it is. */
      readonly kept: readonly { readonly name: string; readonly value: string }[]
    }
    readonly standings: readonly Chip[]
    readonly roles: readonly Chip[]
    readonly columns: Readonly<Record<'name' | 'standing' | 'login', SortedColumn>>
    readonly users: readonly {
      readonly id: string
      readonly href: string
      readonly name: string
      readonly email: string
      readonly role: string
      readonly status: string
      readonly standing: 'set_up' | 'not_set_up' | 'reset_pending' | 'at_provider'
      readonly passkeys: number
      readonly lastLoginAt?: number
      /** Their address takes no mail. */
      readonly mailRefused: boolean
    }[]
    readonly choose: {
      readonly action: string
      readonly fields: readonly { readonly name: string; readonly value: string }[]
      /** How many match, spelled. */
      readonly matching: string
      /** The same where all that match are selected, on this page and the others. */
      readonly all?: string
      /** Where they are; absent where all are on this page. */
      readonly allUrl?: string
      readonly clearUrl: string
    }
    readonly pages: {
      readonly from: number
      readonly to: number
      readonly previous?: string
      readonly next?: string
    }
  }
}

export type ViewName = keyof ViewLocals

/** What `render` adds to each view's own locals. */
export interface CommonLocals {
  readonly lang: string
  readonly title: string
  /** The level-1 heading, which is the title's first part too. */
  readonly heading: string
  t(key: TextKey, values?: TextValues): string
  rich(key: TextKey, values?: TextValues): readonly TextPart[]
  utc(time: number): string
  /** The address of a static file, by its name in `public/`. */
  assets(name: string): string
  /** Where **Cancel** goes, on whatever page a step-up leads to. */
  readonly cancel?: string | undefined
  /** Where a link **Cancel** leads, on a prompt that was opened from a page of ours. */
  readonly back?: string | undefined
  /** What the browser is told of passkeys, for `passkey-signals.js`. */
  readonly signals?: string | undefined
  readonly links: { readonly help?: string; readonly privacy?: string }
}
