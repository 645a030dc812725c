// The pages of a login and of a step-up, and what an app asks for on the way.

import type { ActionDetails, ConsentItem, PasskeyForm, SsoWay } from './parts.ts'

/** The steps of a first login that are known to come, in order; the page marks its own. */
export type SetupStep = 'authenticator' | 'recoveryCode' | 'passkey'

export interface LoginLocals {
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
  'passkey-needed': { readonly action: string; readonly app?: string; readonly passkeyUrl?: string }
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
}
