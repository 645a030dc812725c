// The console's pages of single sign-on.

import type { ConnectionField } from '../../organisations/sso-settings.ts'
import type { Badge, ConsoleFrame } from './parts.ts'

export interface ConsoleSsoLocals {
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
}
