// What several pages have in common: what is around them, and what is on them.

/** A passkey ceremony: where its answer goes (field `response`, JSON), and its options. */
export interface PasskeyForm {
  readonly action: string
  /** PublicKeyCredentialRequestOptionsJSON or …CreationOptionsJSON, as a JSON string. */
  readonly options: string
  readonly error?: string
}

/** The identity provider of the user's organisation, beside another way. The form posts nothing. */
export interface SsoWay {
  readonly action: string
  readonly name: string
}

/** A line of what an app will be able to do. */
export interface ConsentItem {
  readonly icon?: 'user' | 'mail' | 'building' | 'clock' | 'key' | 'shield' | 'list'
  readonly text: string
  readonly hint?: string
}

/** What a user is asked to confirm. All of it is the app's words, and plain text. */
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

/** A page of the same section. `count`: how many it lists, spelled. */
export interface Tab {
  readonly text: string
  readonly count?: string
  readonly href: string
  readonly current: boolean
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
